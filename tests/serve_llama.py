#!/usr/bin/env python3
"""The dialect of llama-server in `minnow serve`, asked over loopback (standard library only).

    serve_llama.py --minnow build/release/minnow
"""

import json

from scripted_model import CHAINS
from serve_checks import run

PLAIN = "<|plain|>"  # what the scripted model goes on from


def completion(**more):
    return {"prompt": f"hi{PLAIN}", "temperature": 0, **more}


def health(c):
    for path in ("/health", "/v1/health"):
        c.same(c.ask(path, None, method="GET"), {"status": "ok"}, path)


def completions(c):
    whole = c.ask("/completion", completion(return_tokens=True, n_probs=3))
    c.same((whole["content"], whole["stop"], whole["stop_type"], whole["truncated"]), ("Hello, world!", True, "eos", False), "a completion")
    c.check(whole["tokens"] and len(whole["completion_probabilities"][0]["top_logprobs"]) == 3, f"{whole}")
    c.same(whole["timings"]["predicted_n"], whole["tokens_predicted"], "timings")
    events = [data for _, data in c.events("/completion", completion())]
    c.same("".join(e["content"] for e in events), "Hello, world!", "streamed")
    c.same([e["stop"] for e in events], [False] * (len(events) - 1) + [True], "stop")
    c.same(c.ask("/completion", completion(stop=["world"]))["stopping_word"], "world", "the word that it stopped at")
    c.same(c.ask("/completion", completion(n_predict=2))["stop_type"], "limit", "two tokens")
    many = c.ask("/completions", completion(prompt=[f"a{PLAIN}", [5, 6], ["b", 7]], n_predict=1))
    c.same([m["index"] for m in many], [0, 1, 2], "three prompts")
    held = c.ask("/completion", completion(json_schema={"type": "boolean"}))
    c.check(held["content"].strip() in ("true", "false"), f"held to a schema: {held['content']}")
    c.same(c.ask("/completion", completion(grammar='root ::= "Hello"'))["content"], "Hello", "held to a grammar")
    c.same(c.ask("/completion", completion(response_fields=["content", "timings/predicted_n"])).keys(), {"content", "predicted_n"}, "some fields")
    for bias in ([[whole["tokens"][0], False]], {str(whole["tokens"][0]): -100}):
        c.check(not c.ask("/completion", completion(logit_bias=bias, n_predict=2))["content"].startswith("Hello"), f"a token that is forbidden: {bias}")


def tokens(c):
    ids = c.ask("/tokenize", {"content": "hello wörld"})["tokens"]
    c.same(c.ask("/detokenize", {"tokens": ids})["content"], "hello wörld", "there and back")
    pieces = c.ask("/tokenize", {"content": "hello", "with_pieces": True})["tokens"]
    c.check(pieces and all({"id", "piece"} == set(p) for p in pieces), f"{pieces}")
    counted = c.ask("/tokenize", {"model": "scripted", "prompt": "hello"})["count"]
    c.same(counted, len(c.ask("/tokenize", {"content": "hello", "add_special": True})["tokens"]), "vLLM's way to ask")


def spelled_controls(c):
    """A chat that spells control tokens has those of its template and no others."""
    controls = {name: c.ask("/tokenize", {"content": name})["tokens"] for name in ("<s>", "</s>", *CHAINS)}
    c.check(all(len(ids) == 1 for ids in controls.values()), f"a prompt may spell control tokens: {controls}")
    known = {ids[0] for ids in controls.values()}
    for name in controls:
        tool = {"type": "function", "function": {"name": "f", "description": name, "parameters": {"type": "object", "properties": {name: {"type": "string"}}}}}
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"role": name, name: name})}}
        messages = [{"role": "system", "content": f"a{name}b"}, {"role": "user", "content": [{"type": "text", "text": name}]},
                    {"role": "assistant", "content": name, "tool_calls": [call]}, {"role": "user", "content": f"{name}{name}"}]
        tokens = c.ask("/tokenize", {"messages": messages, "tools": [tool]})["tokens"]
        c.same(sum(t in known for t in tokens), 2, f"control tokens of a chat that spells {name}")


def state(c):
    props = c.ask("/props", None, method="GET")
    c.check(props["total_slots"] > 0 and props["default_generation_settings"]["n_ctx"] > 0 and props["chat_template"], f"{props}")
    slots = c.ask("/slots", None, method="GET")
    c.check(len(slots) == props["total_slots"] and not any(s["is_processing"] for s in slots), f"{slots}")
    prompt = c.ask("/apply-template", {"messages": [{"role": "user", "content": "hi"}]})["prompt"]
    c.check("hi" in prompt and prompt.endswith(PLAIN), f"{prompt!r}")


def refusals(c):
    for path, body, status in [
            ("/completion", {}, 400), ("/completion", completion(model="none"), 404), ("/completion", completion(temperature="hot"), 400),
            ("/completion", completion(temperature=0.8, samplers=["temperature", "top_p"]), 400), ("/completion", completion(prompt="x " * 5000), 400),
            ("/completion", completion(prompt=[10 ** 7]), 400), ("/completion", completion(stop=["x" * 5000]), 400), ("/infill", {"input_prefix": "a", "input_suffix": "b"}, 400), ("/props", {}, 501)]:
        error = c.ask(path, body, status).get("error", {})
        c.check({"code", "message", "type"} == set(error) and error["code"] == status, f"{path} {str(body)[:100]}: {error}")


if __name__ == "__main__":
    run(__doc__.split("\n")[0], (health, completions, tokens, spelled_controls, state, refusals))
