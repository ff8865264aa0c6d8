#!/usr/bin/env python3
"""Tools that the model of `minnow serve` calls if it wants to, in the words of several families (standard library only).

    serve_tools.py --minnow build/release/minnow

Each model says what it is told to (scripted_model.py): a call of `weather` with an argument that the tool does not have. Where the tool is
strict, what it says is held to the schema from there on.
"""

import argparse
import json
import pathlib
import sys
import tempfile

from scripted_model import scripted_gguf
from serve_checks import Checks
from serve_process import Server

TEMPLATE = """{{{{ bos_token }}}}{{# {} #}}{{% if tools %}}{{{{ tools | tojson }}}}{{% endif %}}{{% for m in messages %}}<{{{{ m.role }}}}>{{{{ m.content }}}}
{{% endfor %}}{{% if add_generation_prompt %}}<|go|>{{% endif %}}"""

# Of each model: words of its template that tell the family, those that are control tokens, and what it says.
FAMILIES = {
    "hermes": ("<tool_call>", ["<tool_call>", "</tool_call>"],
               ["I\u2581look.", "<tool_call>", '\n{"name":\u2581"weather",\u2581"arguments":\u2581', '{"town":\u2581"Oslo"}}\n', "</tool_call>"]),
    "mistral": ("[TOOL_CALLS]", ["[TOOL_CALLS]", "[ARGS]"], ["I\u2581look.", "[TOOL_CALLS]", "weather", "[ARGS]", '{"town":\u2581', '"Oslo"}']),
    "kimi": ("<|tool_call_argument_begin|>", ["<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"],
             ["I\u2581look.", "<|tool_call_begin|>", "functions.weather:0", "<|tool_call_argument_begin|>", '{"town":\u2581', '"Oslo"}', "<|tool_call_end|>"]),
    "coder": ("<function= <parameter=", [], ["I\u2581look.", "\n<tool_call>\n<function=", "weather>\n", "<parameter=town>\n", "Oslo", "\n</parameter>\n</function>", "\n</tool_call>"]),
    "glm": ("<arg_key>", ["<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"],
            ["I\u2581look.", "<tool_call>", "weather\n", "<arg_key>", "town", "</arg_key>", "<arg_value>", "Oslo", "</arg_value>", "</tool_call>"]),
    "llama": ("<|python_tag|>", ["<|python_tag|>"], ['{"name":\u2581"weather",\u2581', '"parameters":\u2581', '{"town":\u2581', '"Oslo"}}']),
}
OPEN_ENDED = ("functionary", ">>>all", [], ["all\n", "I\u2581look."])  # whose calls cannot be held

SCHEMA = {"type": "object", "properties": {"city": {"enum": ["oslo", "rome"]}, "ok": {"type": "boolean"}}, "required": ["city", "ok"], "additionalProperties": False}
HI = [{"role": "user", "content": "hi"}]


def tool(strict):
    return {"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": strict}}


def fits(text):
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and list(value) == ["city", "ok"] and value["city"] in ("oslo", "rome") and isinstance(value["ok"], bool)


def chat(model, **more):
    return {"model": model, "messages": HI, "max_tokens": 300, "temperature": 0, "parallel_tool_calls": False, **more}


def loose_calls(c, model):
    message = c.ask("/v1/chat/completions", chat(model, tools=[tool(False)]))["choices"][0]["message"]
    calls = message.get("tool_calls") or []
    if c.check(len(calls) == 1 and calls[0]["function"]["name"] == "weather", f"{model} calls: {message}"):
        c.same(json.loads(calls[0]["function"]["arguments"]), {"town": "Oslo"}, f"{model}: what it says where nothing is held")


def strict_calls(c, model):
    answer = c.server.post("/v1/chat/completions", chat(model, tools=[tool(True)]))
    c.check(answer.status == 200 and "minnow-unused-options" not in answer.headers, f"{model} holds calls: {answer!r} {answer.headers}")
    choice = answer.json()["choices"][0]
    calls = choice["message"].get("tool_calls") or []
    c.check(len(calls) == 1 and choice["finish_reason"] == "tool_calls" and fits(calls[0]["function"]["arguments"]), f"{model}, strict: {choice}")
    c.check(model == "llama" or choice["message"]["content"] == "I look.", f"{model}: text before the call is free: {choice}")


def format_or_calls(c, model):
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    for seed in range(3):
        choice = c.ask("/v1/chat/completions", chat(model, tools=[tool(True)], response_format=form, seed=seed, temperature=1))["choices"][0]
        texts = [call["function"]["arguments"] for call in choice["message"].get("tool_calls") or []] or [choice["message"]["content"]]
        c.check(choice["finish_reason"] == "length" or all(fits(text) for text in texts), f"{model}: a format or calls: {choice}")


def open_ended(c):
    name = OPEN_ENDED[0]
    answer = c.server.post("/v1/chat/completions", chat(name, tools=[tool(True)]))
    c.check(answer.status == 200 and "strict" in answer.headers.get("minnow-unused-options", ""), f"{name} says that it does not: {answer!r} {answer.headers}")
    c.ask("/v1/chat/completions", chat(name, tools=[tool(True)], response_format={"type": "json_object"}), 400)


def refused(c):
    odd = {"type": "function", "function": {"name": "odd", "strict": True, "parameters": {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}}}
    error = c.ask("/v1/chat/completions", chat("coder", tools=[odd]), 400)
    c.check('"odd"' in error["error"]["message"] and "anyOf" in error["error"]["message"], f"a schema that tagged calls cannot be held to: {error}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minnow", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, (words, marks, said) in [*FAMILIES.items(), (OPEN_ENDED[0], OPEN_ENDED[1:])]:
            files.append(pathlib.Path(folder) / f"{name}.gguf")
            files[-1].write_bytes(scripted_gguf(TEMPLATE.format(words), {"<|go|>": [*said, None]}, marks).build())
        with Server(pathlib.Path(options.minnow).resolve(), pathlib.Path(folder) / "server", *files) as server:
            c = Checks(server)
            for model in FAMILIES:
                for part in (loose_calls, strict_calls, format_or_calls):
                    part(c, model)
            open_ended(c)
            refused(c)
            c.check(server.get("/health").status == 200, "the server is well")
    print(f"{c.passed} checks passed, {c.failed} failed")
    sys.exit(1 if c.failed else 0)


main()
