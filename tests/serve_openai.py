#!/usr/bin/env python3
"""The OpenAI dialect of `minnow serve`, asked over loopback (standard library only).

    serve_openai.py --minnow build/release/minnow

The model is a tiny one with random weights: what it says is nonsense, but everything around it has to be right. The keys that objects must
have are those that OpenAI's API description requires.
"""

import argparse
import base64
import json
import math
import pathlib
import struct
import sys
import tempfile

from serve_process import Server
from tiny_models import DIM, F32, I32, STR, U32, VOCAB, floats, tiny_gguf, vocabulary

CONTEXT = 2048
# Marks of calls and of thinking as Qwen has them, so that the model counts as one that knows both.
TEMPLATE = ("{% if tools %}<tool_call>{{ tools | tojson }}</tool_call>{% endif %}{% for m in messages %}<{{ m.role }}>"
            "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}"
            "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}\n{% endfor %}"
            "{% if add_generation_prompt %}<assistant>{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n"
            "{% endif %}{% endif %}")
SCHEMA = {"type": "object", "properties": {"city": {"enum": ["oslo", "rome"]}, "ok": {"type": "boolean"}}, "required": ["city", "ok"],
          "additionalProperties": False}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "tells", "parameters": SCHEMA}}
NOW = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}}}
HI = [{"role": "user", "content": "hi"}]


def model_bytes():
    g = tiny_gguf()
    g.put("llama.context_length", U32, CONTEXT)
    g.put("tokenizer.chat_template", STR, TEMPLATE)
    # Words that a reranker judges with.
    tokens = vocabulary() + [("yes", -100.0, 1), ("no", -101.0, 1), ("<|im_start|>", 0.0, 3)]
    g.put_array("tokenizer.ggml.tokens", STR, [t[0] for t in tokens])
    g.put_array("tokenizer.ggml.scores", F32, [t[1] for t in tokens])
    g.put_array("tokenizer.ggml.token_type", I32, [t[2] for t in tokens])
    g.put("llama.vocab_size", U32, len(tokens))
    embedding = g.tensor("token_embd.weight")
    assert embedding.dims == [DIM, VOCAB]
    embedding.dims = [DIM, len(tokens)]
    embedding.data = floats(DIM * len(tokens), seed=77)
    return g.build()


class Checks:
    def __init__(self, server):
        self.server, self.passed, self.failed = server, 0, 0

    def check(self, good, what):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("FAILED", what, flush=True)
        return good

    def has(self, thing, keys, what):
        missing = [k for k in keys.split() if k not in thing]
        return self.check(not missing, f"{what} lacks {missing}: {str(thing)[:300]}")

    def ask(self, path, body, status=200):
        answer = self.server.post(path, body)
        self.check(answer.status == status, f"{path} {str(body)[:200]}: {answer!r} instead of {status}")
        try:
            return answer.json()
        except ValueError:
            self.check(False, f"{path}: not JSON: {answer!r}")
            return {}

    def refused(self, path, body, param, status=400, code=None):
        error = self.ask(path, body, status).get("error", {})
        self.has(error, "message type param code", f"the error of {path}")
        self.check(error.get("param") == param, f"{path} {str(body)[:200]} names {error.get('param')!r} instead of {param!r}: {error}")
        if code:
            self.check(error.get("code") == code, f"the code of {error}")
        return error.get("message", "")

    def stream(self, path, body):
        """Events as (name, data); what is after [DONE] counts as well."""
        answer = self.server.post(path, {**body, "stream": True})
        self.check(answer.status == 200 and answer.headers.get("content-type", "").startswith("text/event-stream"), f"{path} streams: {answer!r}")
        events = []
        for block in answer.body.decode().split("\n\n"):
            name, data = "", None
            for line in block.split("\n"):
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data = line[6:]
            if data is not None:
                events.append((name, data))
        return events

    def chunks(self, path, body):
        events = self.stream(path, body)
        self.check(events and events[-1][1] == "[DONE]", f"{path} ends with [DONE]: {events[-1:]}")
        return [json.loads(data) for _, data in events if data != "[DONE]"]


def chat(**more):
    return {"model": "tiny", "messages": HI, "max_tokens": 8, "seed": 1, **more}


def matches_schema(text):
    value = json.loads(text)
    return isinstance(value, dict) and set(value) == {"city", "ok"} and value["city"] in ("oslo", "rome") and isinstance(value["ok"], bool)


# ---- models


def models(c):
    listed = c.server.get("/v1/models").json()
    c.check(listed["object"] == "list" and [m["id"] for m in listed["data"]] == ["tiny"], f"/v1/models: {listed}")
    c.has(listed["data"][0], "id object created owned_by", "a model")
    one = c.server.get("/v1/models/tiny")
    c.check(one.status == 200 and one.json() == listed["data"][0], f"/v1/models/tiny: {one!r}")
    c.check(one.json()["meta"]["n_ctx_train"] >= 1 and one.json()["max_model_len"] == CONTEXT, f"its context: {one!r}")
    none = c.server.get("/v1/models/none")
    c.check(none.status == 404 and none.json()["error"]["code"] == "model_not_found", f"an unknown model is a 404: {none!r}")
    c.check(c.server.get("/v1/models/some/thing").status == 404, "one with a slash as well")


# ---- chat


def chat_whole(c):
    body = c.ask("/v1/chat/completions", chat())
    c.has(body, "id object created model choices usage system_fingerprint timings", "a completion")
    choice = body["choices"][0]
    c.has(choice, "finish_reason index message logprobs", "a choice")
    c.has(choice["message"], "role content refusal", "a message")
    c.check(body["object"] == "chat.completion" and body["id"].startswith("chatcmpl-"), f"{body['object']} {body['id']}")
    usage = body["usage"]
    counted = c.ask("/v1/chat/completions/input_tokens", chat())
    c.check(counted["object"] == "response.input_tokens" and counted["input_tokens"] == usage["prompt_tokens"], f"{counted} but {usage}")
    c.check(usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] and usage["completion_tokens"] <= 8, f"{usage}")
    c.check(c.ask("/v1/chat/completions", chat())["choices"][0]["message"] == choice["message"], "a seed gives the same answer again")
    again = c.ask("/v1/chat/completions", chat(n=1))["usage"]
    cached = again["prompt_tokens_details"]["cached_tokens"]
    c.check(isinstance(cached, int) and 0 <= cached < again["prompt_tokens"], f"cached tokens are told: {again}")
    other = c.ask("/v1/chat/completions", chat(user="u", metadata={"a": "b"}, store=False, service_tier="auto", unknown_thing=[1]))
    c.check(other["choices"][0]["message"] == choice["message"], "what has no effect has none")


def prompt_cache(c):
    text = "one two three " * 40
    for path, body, prompt, cached in (
            ("/v1/chat/completions", chat(messages=[{"role": "user", "content": text}]), "prompt_tokens", "prompt_tokens_details"),
            ("/v1/completions", {"model": "tiny", "prompt": text, "max_tokens": 2}, "prompt_tokens", "prompt_tokens_details"),
            ("/v1/responses", {"model": "tiny", "input": text, "max_output_tokens": 2}, "input_tokens", "input_tokens_details")):
        c.ask(path, body)
        again = c.ask(path, body)["usage"]
        c.check(0 < again[cached]["cached_tokens"] < again[prompt], f"{path} remembers a prompt: {again}")
        fresh = c.ask(path, {**body, "cache_prompt": False})["usage"]
        c.check(fresh[cached]["cached_tokens"] == 0, f"{path} without the cache: {fresh}")
        c.refused(path, {**body, "cache_prompt": "no"}, "cache_prompt")


def chat_choices(c):
    body = c.ask("/v1/chat/completions", chat(n=3, temperature=2))
    c.check([x["index"] for x in body["choices"]] == [0, 1, 2], f"n=3: {body['choices']}")
    c.check(len({x["message"]["content"] for x in body["choices"]}) > 1, "choices differ")
    alone = c.ask("/v1/chat/completions", chat(temperature=2))
    c.check(alone["choices"][0]["message"] == body["choices"][0]["message"], "the first choice is the one that a single request gets")
    c.check(body["usage"]["prompt_tokens"] == alone["usage"]["prompt_tokens"], "the prompt counts once")


def chat_sampling(c):
    def greedy(**more):
        return c.ask("/v1/chat/completions", chat(temperature=0, ignore_eos=True, **more))["choices"][0]

    choice = greedy(logprobs=True, top_logprobs=3)
    entries = choice["logprobs"]["content"]
    c.check(len(entries) == 8, f"{len(entries)} logprobs of 8 tokens")
    for entry in entries:
        c.has(entry, "token logprob bytes top_logprobs", "a logprob")
        c.check(len(entry["top_logprobs"]) == 3 and entry["top_logprobs"][0]["logprob"] == entry["logprob"] <= 0, f"the likeliest was taken: {entry}")
    text = b"".join(bytes(e["bytes"]) for e in entries).decode(errors="replace")
    c.check(text == choice["message"]["content"] or text.strip() == choice["message"]["content"].strip(), f"bytes {text!r} of {choice['message']}")
    c.check(greedy()["logprobs"] is None, "logprobs are null when nobody asked")
    # A token that is banned is not said; one that is wanted is.
    ids = c.ask("/tokenize", {"content": "z", "add_special": False})["tokens"]
    forced = greedy(logit_bias={str(ids[-1]): 100})["message"]["content"]
    c.check(set(forced.strip()) == {"z"}, f"logit_bias 100 gives {forced!r}")
    stopped = greedy(logit_bias={str(ids[-1]): 100}, stop=["zzz"])
    c.check(stopped["finish_reason"] == "stop" and "z" not in stopped["message"]["content"] and stopped["stop_reason"] == "zzz", f"{stopped}")
    shown = greedy(logit_bias={str(ids[-1]): 100}, stop="zzz", include_stop_str_in_output=True)
    c.check(shown["message"]["content"].endswith("zzz"), f"the stop string is shown when asked: {shown}")
    token = greedy(logit_bias={str(ids[-1]): 100}, stop_token_ids=[ids[-1]])
    c.check(token["finish_reason"] == "stop" and token["stop_reason"] == ids[-1], f"{token}")
    c.check(greedy()["finish_reason"] == "length", "a limit is told as length")
    five = c.ask("/v1/chat/completions", chat(max_tokens=3, max_completion_tokens=5, ignore_eos=True))
    c.check(five["usage"]["completion_tokens"] == 5, f"max_completion_tokens counts: {five['usage']}")


def chat_formats(c):
    def content(**more):
        return c.ask("/v1/chat/completions", chat(max_tokens=200, **more))["choices"][0]["message"]["content"]

    for seed in range(5):
        text = content(seed=seed, response_format={"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}})
        c.check(matches_schema(text), f"json_schema gives {text!r}")
    c.check(content(structured_outputs={"choice": ["left", "right"]}) in ("left", "right"), "structured_outputs.choice")
    c.check(content(guided_regex="[ab]{3}").strip("ab") == "", "guided_regex")
    c.check(content(grammar='root ::= "x" "y"') == "xy", "grammar")
    c.refused("/v1/chat/completions", chat(response_format={"type": "yaml"}), "response_format.type")
    message = c.ask("/v1/chat/completions", chat(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "unevaluatedItems": 3, "$dynamicRef": "#x"}}}), 400)
    c.check("error" in message, f"a schema that cannot be held to is refused: {message}")


def chat_tools(c):
    both = [WEATHER, NOW]
    for choice, names in (("required", {"weather", "now"}), ({"type": "function", "function": {"name": "weather"}}, {"weather"})):
        for seed in range(4):
            answer = c.ask("/v1/chat/completions", chat(tools=both, tool_choice=choice, parallel_tool_calls=False, seed=seed, max_tokens=300))
            message = answer["choices"][0]["message"]
            calls = message.get("tool_calls", [])
            if not c.check(len(calls) == 1 and answer["choices"][0]["finish_reason"] == "tool_calls", f"tool_choice {choice}: {answer['choices']}"):
                continue
            c.has(calls[0], "id type function", "a call")
            c.check(calls[0]["id"] and calls[0]["function"]["name"] in names and message["content"] is None, f"{message}")
            if calls[0]["function"]["name"] == "weather":
                c.check(matches_schema(calls[0]["function"]["arguments"]), f"arguments hold to the schema: {calls}")
    many = c.ask("/v1/chat/completions", chat(tools=both, tool_choice="required", max_tokens=400))["choices"][0]
    c.check(len(many["message"].get("tool_calls", [])) >= 1, f"tool_choice required: {many}")
    ids = [call["id"] for call in many["message"].get("tool_calls", [])]
    c.check(len(set(ids)) == len(ids), f"every call has its own id: {ids}")
    for seed in range(4):
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
        strict = {"type": "function", "function": {**WEATHER["function"], "strict": True}}
        answer = c.ask("/v1/chat/completions", chat(tools=[strict], response_format=form, seed=seed, max_tokens=300))["choices"][0]
        texts = [call["function"]["arguments"] for call in answer["message"].get("tool_calls") or []] or [answer["message"]["content"]]
        c.check(answer["finish_reason"] == "length" or all(matches_schema(t) for t in texts), f"a format and tools are either: {answer}")
    for choice in ("auto", "none"):
        message = c.ask("/v1/chat/completions", chat(tools=both, tool_choice=choice))["choices"][0]["message"]
        c.check("content" in message and (choice == "auto" or not message.get("tool_calls")), f"tool_choice {choice}: {message}")
    history = HI + [{"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "now", "arguments": "{}"}}]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "noon"}]
    c.ask("/v1/chat/completions", chat(messages=history, tools=both))
    # In a stream the name comes first, then pieces of the arguments under the same index.
    chunks = c.chunks("/v1/chat/completions", chat(tools=both, tool_choice={"type": "function", "function": {"name": "weather"}}, max_tokens=300))
    deltas = [x["choices"][0]["delta"]["tool_calls"][0] for x in chunks if x["choices"][0]["delta"].get("tool_calls")]
    c.check(len(deltas) >= 2 and deltas[0]["function"]["name"] == "weather" and deltas[0]["id"], f"the first delta names the call: {deltas[:1]}")
    c.check(all(d["index"] == 0 and "id" not in d for d in deltas[1:]), f"the others do not: {deltas[1:3]}")
    c.check(matches_schema("".join(d["function"]["arguments"] for d in deltas)), f"and together they are the arguments: {deltas}")
    c.check(chunks[-1]["choices"][0]["finish_reason"] == "tool_calls", f"{chunks[-1]}")
    # A call that the room ends within: its arguments so far, streamed or not, and nothing of it as text.
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        for room in (2, 6, 30):
            cut = chat(tools=[WEATHER], tool_choice=choice, seed=1, max_tokens=room)
            whole, chunks = c.ask("/v1/chat/completions", cut)["choices"][0], c.chunks("/v1/chat/completions", cut)
            deltas = [x["choices"][0]["delta"] for x in chunks]
            pieces = [call["function"]["arguments"] for d in deltas for call in d.get("tool_calls", [])]
            calls = whole["message"].get("tool_calls", [])
            arguments = "".join(call["function"]["arguments"] for call in calls)
            c.check(arguments == "".join(pieces), f"{choice}, {room} tokens: arguments of a call that was cut: {arguments}, {pieces}")
            c.check(not whole["message"]["content"] and not any(d.get("content") for d in deltas), f"{choice}, {room} tokens: no content: {whole} {deltas}")
            c.check(chunks[-1]["choices"][0]["finish_reason"] == whole["finish_reason"], f"{choice}, {room} tokens: {whole['finish_reason']}")


def chat_stream(c):
    body = chat(ignore_eos=True, stream_options={"include_usage": True})
    chunks = c.chunks("/v1/chat/completions", body)
    whole = c.ask("/v1/chat/completions", chat(ignore_eos=True))
    for chunk in chunks:
        c.has(chunk, "id object created model choices usage", "a chunk")
    c.check(len({x["id"] for x in chunks}) == len({x["created"] for x in chunks}) == 1, "one id and one time in a stream")
    c.check(chunks[-1]["choices"] == [] and chunks[-1]["usage"]["total_tokens"] == whole["usage"]["total_tokens"], f"usage comes last: {chunks[-1]}")
    c.check(all(x["usage"] is None for x in chunks[:-1]), "and is null before")
    choices = [x["choices"][0] for x in chunks[:-1]]
    c.check([x["finish_reason"] for x in choices[:-1]] == [None] * (len(choices) - 1) and choices[-1]["delta"] == {}, "the end is a chunk of its own")
    c.check([x["delta"].get("role") for x in choices].count("assistant") == 1 and choices[0]["delta"]["role"] == "assistant", "the role comes once")
    text = "".join(x["delta"].get("content") or "" for x in choices)
    c.check(text == whole["choices"][0]["message"]["content"], f"stream {text!r}, whole {whole['choices'][0]['message']['content']!r}")
    c.check("timings" in chunks[-2] and "usage" not in c.chunks("/v1/chat/completions", chat())[0], "usage only when asked")
    counted = c.chunks("/v1/chat/completions", chat(ignore_eos=True, stream_options={"continuous_usage_stats": True}))
    c.check(all(x["usage"]["prompt_tokens"] == whole["usage"]["prompt_tokens"] for x in counted), "continuous usage")
    two = c.chunks("/v1/chat/completions", chat(n=2, ignore_eos=True))
    c.check({x["choices"][0]["index"] for x in two} == {0, 1} and sum(x["choices"][0]["finish_reason"] is not None for x in two) == 2, "n=2 in a stream")
    with_logprobs = c.chunks("/v1/chat/completions", chat(ignore_eos=True, logprobs=True))
    c.check(sum(len(x["choices"][0]["logprobs"]["content"]) for x in with_logprobs if x["choices"][0]["logprobs"]) == 8, "each logprob comes once")


def chat_refusals(c):
    path = "/v1/chat/completions"
    for param, body in (("messages", {"model": "tiny"}), ("messages", {"model": "tiny", "messages": []}), ("messages[0].role", {"model": "tiny", "messages": [{"role": "x"}]}),
                        ("messages[0].content[0].type", {"model": "tiny", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]}),
                        ("temperature", chat(temperature="hot")), ("max_tokens", chat(max_tokens=1.5)), ("n", chat(n=0)), ("top_logprobs", chat(top_logprobs=2)),
                        ("stop", chat(stop=["a"] * 100)), ("stop", chat(stop="a" * 5000)), ("tools", chat(tools=[WEATHER], structured_outputs={"regex": "a+"})),
                        ("tool_choice", chat(tool_choice="required")), ("logit_bias", chat(logit_bias=5)), ("bad_words", chat(bad_words=["x"]))):
        c.refused(path, body, param)
    long = c.refused(path, chat(messages=[{"role": "user", "content": "a b " * CONTEXT}]), "messages", code="context_length_exceeded")
    c.check(str(CONTEXT) in long, f"a prompt that is too long is told with the numbers: {long}")
    c.refused(path, {**chat(), "model": "none"}, None, status=404)
    c.check(c.server.post(path, "{nope").status == 400, "what is no JSON is a 400")
    c.ask(path, chat(messages=[{"role": "developer", "content": "be brief"}] + HI))
    c.ask(path, chat(messages=HI + [{"role": "assistant", "content": "he"}], continue_final_message=True, add_generation_prompt=False))
    c.ask(path, chat(reasoning_effort="none"))
    c.ask(path, chat(chat_template_kwargs={"enable_thinking": False}))


# ---- completions


def completions(c):
    path, base = "/v1/completions", {"model": "tiny", "max_tokens": 6, "seed": 1, "ignore_eos": True}
    ids = c.ask("/tokenize", {"content": "hi the", "add_special": True})["tokens"]
    one = c.ask(path, {**base, "prompt": "hi the"})
    c.has(one, "id object created model choices usage", "a completion")
    c.has(one["choices"][0], "finish_reason index logprobs text", "a choice")
    c.check(one["object"] == "text_completion" and one["choices"][0]["finish_reason"] == "length", f"{one}")
    text = one["choices"][0]["text"]
    c.check(c.ask(path, {**base, "prompt": ids})["choices"][0]["text"] == text, "token ids give what their text gives")
    many = c.ask(path, {**base, "prompt": ["hi the", "he", "th"], "n": 2})
    c.check([x["index"] for x in many["choices"]] == list(range(6)) and many["choices"][0]["text"] == text, f"three prompts, two choices each: {many}")
    c.check(len(c.ask(path, {**base, "prompt": [ids, ids[:3]]})["choices"]) == 2, "lists of token ids")
    c.check(c.ask(path, {**base, "prompt": "hi the", "echo": True})["choices"][0]["text"] == "hi the" + text, "echo")
    scored = c.ask(path, {**base, "prompt": "hi the", "echo": True, "max_tokens": 0, "logprobs": 2})["choices"][0]["logprobs"]
    c.check({len(x) for x in scored.values()} == {len(ids)} and scored["token_logprobs"][0] is None and all(x <= 0 for x in scored["token_logprobs"][1:]), f"the prompt's logprobs: {scored}")
    prompt = c.ask(path, {**base, "prompt": "hi the", "prompt_logprobs": 2})["choices"][0]["prompt_logprobs"]
    c.check(len(prompt) == len(ids) and prompt[0] is None and abs(prompt[1][str(ids[1])]["logprob"] - scored["token_logprobs"][1]) < 1e-4, f"prompt_logprobs: {prompt}")
    c.check([x for x in c.ask(path, {**base, "prompt": "hi the", "prompt_logprobs": 0})["choices"][0]["prompt_logprobs"][1]] == [str(ids[1])], "the token itself alone")
    top = c.ask(path, {**base, "prompt": "hi", "logprobs": 20})["choices"][0]["logprobs"]["top_logprobs"][0]
    c.check(5 < len(top) <= 21, f"20 alternatives and the token itself, those of one text once: {top}")
    c.check(c.ask(path, {**base, "prompt": "hi", "suffix": ""})["usage"]["completion_tokens"] == 6, "an empty suffix is none")
    named = c.ask(path, {**base, "prompt": "hi", "allowed_token_ids": ids[-1:], "temperature": 2})["choices"][0]["text"]
    c.check(named == 6 * c.ask("/detokenize", {"tokens": ids[-1:]})["content"], f"allowed_token_ids: {named!r}")
    plain = c.ask(path, {**base, "prompt": "hi the", "logprobs": 0})["choices"][0]["logprobs"]
    c.check(set(plain) == {"tokens", "token_logprobs", "top_logprobs", "text_offset"} and len(plain["tokens"]) == 6, f"logprobs: {plain}")
    chunks = c.chunks(path, {**base, "prompt": "hi the", "stream_options": {"include_usage": True}})
    c.check("".join(x["choices"][0]["text"] for x in chunks if x["choices"]) == text and chunks[-1]["usage"]["completion_tokens"] == 6, f"stream: {chunks}")
    c.check(all(x["usage"] is None for x in chunks[:-1]) and chunks[-2]["choices"][0]["stop_reason"] is None, f"chunks before the usage: {chunks}")
    c.check(c.ask(path, {"model": "tiny", "prompt": "hi", "ignore_eos": True})["usage"]["completion_tokens"] == 16, "16 tokens unless a request says otherwise")
    c.check(c.ask(path, {**base, "prompt": "hi", "guided_choice": ["left", "right"], "max_tokens": 50, "ignore_eos": False})["choices"][0]["text"] in ("left", "right"), "held to a choice")
    for param, more in (("best_of", {"best_of": 3}), ("logprobs", {"logprobs": 21}), ("prompt", {"prompt": {}}), ("prompt[1]", {"prompt": ["a", 5]}), ("prompt", {"prompt": []}),
                        ("n", {"n": 10**6}), ("echo", {"echo": 1}), ("prompt_logprobs", {"prompt_logprobs": 1, "stream": True}), ("prompt_logprobs", {"prompt_logprobs": 21})):
        c.refused(path, {**base, "prompt": "hi", **more}, param)
    c.refused(path, base, "prompt")
    c.refused(path, {**base, "prompt": "a b " * CONTEXT}, "prompt", code="context_length_exceeded")
    c.check(c.server.post(path, {**base, "prompt": "a", "suffix": "b"}).status == 400, "a suffix for a model that cannot fill in is a 400")
    c.check(c.server.post(path, {**base, "prompt": [10**9]}).status == 400, "a token that the vocabulary does not have is a 400")


# ---- responses

RESPONSE_KEYS = "id object created_at error incomplete_details instructions model tools output parallel_tool_calls metadata tool_choice temperature top_p status usage text"


def output_text(response):
    return "".join(p["text"] for item in response["output"] if item["type"] == "message" for p in item["content"])


def responses(c):
    path = "/v1/responses"
    base = {"model": "tiny", "max_output_tokens": 16, "seed": 1}
    first = c.ask(path, {**base, "input": "hi", "instructions": "be brief", "metadata": {"a": "b"}})
    c.has(first, RESPONSE_KEYS, "a response")
    begun = json.loads(c.stream(path, {**base, "input": "hi", "store": False})[0][1])["response"]
    c.has(begun, RESPONSE_KEYS, "a response that has begun")
    c.check(begun["usage"] is None, f"nothing is used yet: {begun}")
    c.check(first["id"].startswith("resp_") and first["object"] == "response" and first["metadata"] == {"a": "b"}, f"{first}")
    c.check(first["status"] in ("completed", "incomplete") and (first["status"] == "completed") == (first["incomplete_details"] is None), f"{first}")
    c.has(first["usage"], "input_tokens input_tokens_details output_tokens output_tokens_details total_tokens", "usage")
    for item in first["output"]:
        c.has(item, "id type status", "an item")
    got = c.server.get(f"{path}/{first['id']}")
    c.check(got.status == 200 and got.json() == first, "a stored response is the one that was answered")
    items = c.server.get(f"{path}/{first['id']}/input_items").json()
    c.has(items, "object data has_more first_id last_id", "input items")
    c.check(len(items["data"]) == 1 and items["data"][0]["content"][0]["text"] == "hi", f"{items}")
    c.check(c.server.get(f"{path}?limit=1").json()["data"][0]["id"] == first["id"], "responses are listed")
    second = c.ask(path, {**base, "input": "and now", "previous_response_id": first["id"]})
    alone = c.ask(path + "/input_tokens", {"model": "tiny", "input": "and now"})
    c.check(alone["object"] == "response.input_tokens" and second["usage"]["input_tokens"] > alone["input_tokens"], f"{alone} and {second['usage']}")
    reference = [{"type": "item_reference", "id": item["id"]} for item in first["output"]]
    third = c.ask(path, {**base, "input": [{"role": "user", "content": "hi"}, *reference, {"role": "user", "content": "and now"}]})
    c.check(third["usage"]["input_tokens"] == second["usage"]["input_tokens"], "items by reference are the same conversation")
    deleted = c.server.request("DELETE", f"{path}/{first['id']}")
    c.check(deleted.status == 200 and deleted.json() == {"id": first["id"], "object": "response", "deleted": True}, f"{deleted!r}")
    c.check(c.server.get(f"{path}/{first['id']}").status == 404, "what was deleted is gone")
    c.ask(path, {**base, "input": "x", "previous_response_id": first["id"]}, 404)
    kept = c.ask(path, {**base, "input": "hi", "store": False})
    c.check(kept["store"] is False and c.server.get(f"{path}/{kept['id']}").status == 404, "store: false keeps nothing")
    c.check(c.server.request("POST", f"{path}/{second['id']}/cancel").status == 400, "there is nothing to cancel")
    c.refused(path, {**base, "input": "x", "background": True}, "background")
    c.refused(path, base, "input")
    c.refused(path, {**base, "input": "a b " * CONTEXT}, "input", code="context_length_exceeded")


def response_tools_and_formats(c):
    path, base = "/v1/responses", {"model": "tiny", "input": "hi", "max_output_tokens": 300, "seed": 1}
    flat = {"type": "function", **WEATHER["function"]}
    called = c.ask(path, {**base, "tools": [flat], "tool_choice": {"type": "function", "name": "weather"}})
    call = next((x for x in called["output"] if x["type"] == "function_call"), {})
    if c.has(call, "id call_id name arguments status", "a call"):
        c.check(matches_schema(call["arguments"]), f"{call}")
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
        after = c.ask(path, {**base, "max_output_tokens": 16, "input": [result], "previous_response_id": called["id"], "tools": [flat]})
        c.check(after["status"] in ("completed", "incomplete"), f"{after}")
    held = c.ask(path, {**base, "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}})
    c.check(held["status"] == "completed" and matches_schema(output_text(held)), f"text.format: {held['output']}")


def codex(c):
    """What Codex sends: groups of tools, and tools that are built into OpenAI's service."""
    path = "/v1/responses"
    function = {"type": "function", **WEATHER["function"]}
    group = {"type": "namespace", "name": "mcp__sky", "description": "d", "tools": [function]}
    base = {"model": "tiny", "instructions": "be brief", "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}], "seed": 1,
            "store": False, "parallel_tool_calls": False, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "text": {"verbosity": "low"}}
    built_in = [{"type": "web_search", "external_web_access": False}, {"type": "image_generation", "output_format": "png"}]
    answer = c.server.post(path, {**base, "tools": [function, group, *built_in], "tool_choice": "none", "max_output_tokens": 8})
    names = answer.headers.get("minnow-unused-options") or ""
    c.check(answer.status == 200 and all(x in names for x in ("tools.web_search", "tools.image_generation", "text.verbosity")), f"{answer!r} {names}")
    c.refused(path, {**base, "tools": [function, *built_in], "tool_choice": "required"}, "tools[1].type")
    choice = {"type": "function", "namespace": "mcp__sky", "name": "weather"}
    called = c.ask(path, {**base, "tools": [function, group, *built_in], "tool_choice": choice, "max_output_tokens": 300})
    call = next((x for x in called["output"] if x["type"] == "function_call"), {})
    c.check((call.get("namespace"), call.get("name")) == ("mcp__sky", "weather"), f"a call of a group's tool: {called['output']}")
    result = {"type": "function_call_output", "call_id": call.get("call_id"), "output": "rain"}
    c.ask(path, {**base, "input": base["input"] + [call, result], "tools": [group], "tool_choice": "none", "max_output_tokens": 8})
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "weather"}]}
    only = c.ask(path, {**base, "tools": [function, {"type": "function", **NOW["function"]}], "tool_choice": allowed, "max_output_tokens": 300})
    c.check({x["name"] for x in only["output"] if x["type"] == "function_call"} == {"weather"}, f"allowed_tools: {only['output']}")
    patch = {"type": "custom", "name": "apply_patch", "description": "edits files", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x+/"}}
    quote = c.ask("/tokenize", {"model": "tiny", "content": '"'})["tokens"][-1]
    ends = {"logit_bias": {str(quote): 100}}  # or it might write a text for ever
    custom = {**base, **ends, "tools": [patch], "tool_choice": {"type": "custom", "name": "apply_patch"}, "max_output_tokens": 300}
    answer = c.server.post(path, custom)
    c.check(answer.status == 200 and "tools.apply_patch.format" in (answer.headers.get("minnow-unused-options") or ""), f"{answer!r}")
    call = next((x for x in answer.json()["output"] if x["type"] == "custom_tool_call"), {})
    c.check(call.get("name") == "apply_patch" and isinstance(call.get("input"), str), f"a call of a custom tool: {answer!r}")
    events = [json.loads(data) for _, data in c.stream(path, custom)]
    done = [e["input"] for e in events if e["type"] == "response.custom_tool_call_input.done"]
    c.check(done == [call.get("input")], f"its input in a stream: {done} {call}")
    result = {"type": "custom_tool_call_output", "call_id": call.get("call_id"), "output": "done"}
    c.ask(path, {**base, "input": base["input"] + [{**call, "status": "completed"}, result], "tools": [patch], "tool_choice": "none", "max_output_tokens": 8})
    in_chat = c.ask("/v1/chat/completions", chat(tools=[{"type": "custom", "custom": {"name": "say"}}], max_tokens=300, tool_choice={"type": "custom", "custom": {"name": "say"}}, **ends))
    said = in_chat["choices"][0]["message"]["tool_calls"][0]
    c.check(said["type"] == "custom" and said["custom"]["name"] == "say" and isinstance(said["custom"]["input"], str), f"in a chat: {said}")
    for length in (3, 12, 24, 36):  # wherever its room ends, a call does not keep the conversation from going on
        cut = c.ask(path, {**base, "store": True, "tools": [function], "tool_choice": "required", "max_output_tokens": length})
        c.ask(path, {"model": "tiny", "input": "go on", "previous_response_id": cut["id"], "max_output_tokens": 4, "truncation": "auto"})


def response_stream(c):
    path, base = "/v1/responses", {"model": "tiny", "input": "hi", "max_output_tokens": 16, "seed": 1, "ignore_eos": True}
    events = c.stream(path, base)
    parsed = [json.loads(data) for _, data in events]
    c.check([n for n, _ in events] == [e["type"] for e in parsed], "each event's name is its type")
    c.check([e["sequence_number"] for e in parsed] == list(range(len(parsed))), "numbers rise from 0")
    kinds = [e["type"] for e in parsed]
    c.check(kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.incomplete", f"{kinds}")
    c.check(parsed[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}, f"{parsed[-1]}")
    added = [(e["output_index"], e["item"]["id"]) for e in parsed if e["type"] == "response.output_item.added"]
    done = [(e["output_index"], e["item"]["id"]) for e in parsed if e["type"] == "response.output_item.done"]
    c.check(added == done and added, f"every item that begins ends: {added} {done}")
    text = "".join(e["delta"] for e in parsed if e["type"] == "response.output_text.delta")
    c.check(text == output_text(parsed[-1]["response"]) == output_text(c.ask(path, base)), "the stream's text is the response's")
    c.check(c.server.get(f"{path}/{parsed[-1]['response']['id']}").json() == parsed[-1]["response"], "a streamed response is stored as well")
    call = c.stream(path, {**base, "ignore_eos": False, "max_output_tokens": 300, "tools": [{"type": "function", **WEATHER["function"]}], "tool_choice": "required", "parallel_tool_calls": False})
    parsed = [json.loads(data) for _, data in call]
    pieces = "".join(e["delta"] for e in parsed if e["type"] == "response.function_call_arguments.delta")
    whole = [e["arguments"] for e in parsed if e["type"] == "response.function_call_arguments.done"]
    c.check(whole == [pieces] and matches_schema(pieces), f"arguments in pieces: {pieces!r} {whole}")
    c.check(parsed[-1]["type"] == "response.completed", f"{parsed[-1]['type']}")


# ---- embeddings and ranking


def prompt_work(c):
    lines = dict(line.rsplit(" ", 1) for line in c.server.get("/metrics").body.decode().splitlines() if line.startswith("llamacpp:"))
    return float(lines["llamacpp:prompt_tokens_total"]), float(lines["llamacpp:prompt_seconds_total"])


def embeddings(c):
    path = "/v1/embeddings"
    before = prompt_work(c)
    c.ask(path, {"model": "tiny", "input": "hi"})
    after = prompt_work(c)
    c.check(after[0] > before[0] and after[1] > before[1], f"tokens of embeddings are counted with their time: {before} {after}")
    both = c.ask(path, {"model": "tiny", "input": ["hi", "the he"]})
    c.has(both, "object data model usage", "embeddings")
    c.check([x["index"] for x in both["data"]] == [0, 1] and both["usage"]["prompt_tokens"] == both["usage"]["total_tokens"] > 0, f"{str(both)[:200]}")
    vector = both["data"][0]["embedding"]
    c.check(len(vector) == DIM and abs(math.sqrt(sum(x * x for x in vector)) - 1) < 1e-3, f"{len(vector)} numbers of length 1")
    packed = c.ask(path, {"model": "tiny", "input": "hi", "encoding_format": "base64"})["data"][0]["embedding"]
    same = struct.unpack(f"<{DIM}f", base64.b64decode(packed))
    c.check(max(abs(a - b) for a, b in zip(same, vector)) < 1e-6, "base64 holds the same numbers")
    ids = c.ask("/tokenize", {"content": "hi", "add_special": True})["tokens"]
    by_ids = c.ask(path, {"model": "tiny", "input": ids})["data"][0]["embedding"]
    c.check(max(abs(a - b) for a, b in zip(by_ids, vector)) < 1e-6, "token ids give what their text gives")
    c.check(len(c.ask(path, {"model": "tiny", "input": [ids, ids]})["data"]) == 2, "lists of token ids")
    for name in ("/embedding", "/embeddings"):  # llama-server's
        plain = c.ask(name, {"model": "tiny", "content": ["hi", "the he"]})
        c.check([x["index"] for x in plain] == [0, 1] and plain[0]["embedding"][0] == vector, f"{name}: {str(plain)[:200]}")
    c.check(c.server.get("/models").json() == c.server.get("/v1/models").json() and c.server.get("/lora-adapters").json() == [], "llama-server's lists")
    short = c.ask(path, {"model": "tiny", "input": "hi", "dimensions": 8})["data"][0]["embedding"]
    c.check(len(short) == 8 and abs(math.sqrt(sum(x * x for x in short)) - 1) < 1e-3, "fewer dimensions")
    for param, body in (("input", {}), ("input", {"input": []}), ("input", {"input": ""}), ("input[1]", {"input": ["a", 5]}), ("encoding_format", {"input": "a", "encoding_format": "hex"}),
                        ("dimensions", {"input": "a", "dimensions": 0}), ("input", {"input": {}})):
        c.refused(path, {"model": "tiny", **body}, param)
    c.ask(path, {"model": "tiny", "input": "a", "dimensions": DIM + 1}, 400)
    c.refused(path, {"model": "tiny", "input": "a b " * CONTEXT}, "input", code="context_length_exceeded")
    # Ollama's route cuts them, and says which.
    cut = c.server.post("/api/embed", {"model": "tiny", "input": ["a", "a b " * CONTEXT]})
    c.check(cut.status == 200 and cut.json()["truncated_inputs"] == [1] and cut.headers.get("minnow-truncated-inputs") == "1", f"{str(cut.json())[-200:]}")
    c.check("truncated_inputs" not in c.ask("/api/embed", {"model": "tiny", "input": "a"}), "nothing was cut")


def rerank(c):
    documents = ["the hi", "he", {"text": "th the"}]
    body = {"model": "tiny", "query": "hi", "documents": documents}
    for path in ("/v1/rerank", "/rerank"):
        ranked = c.ask(path, body)
        scores = [x["relevance_score"] for x in ranked["results"]]
        c.check(sorted(scores, reverse=True) == scores and all(0 <= s <= 1 for s in scores), f"{path}: {ranked}")
        c.check(sorted(x["index"] for x in ranked["results"]) == [0, 1, 2] and ranked["usage"]["total_tokens"] > 0, f"{ranked}")
    top = c.ask("/v1/rerank", {**body, "top_n": 1, "return_documents": True})["results"]
    index = top[0]["index"]
    c.check(len(top) == 1 and top[0]["document"]["text"] == (documents[index]["text"] if index == 2 else documents[index]), f"{top}")
    tei = c.ask("/rerank", {"model": "tiny", "query": "hi", "texts": ["the hi", "he"], "return_text": True})
    c.check(isinstance(tei, list) and {"index", "score", "text"} == set(tei[0]), f"{tei}")
    for param, more in (("query", {"query": None}), ("documents", {"documents": []}), ("documents[0]", {"documents": [5]}), ("top_n", {"top_n": 0})):
        c.refused("/v1/rerank", {**body, **more}, param)
    c.refused("/v1/rerank", {**body, "documents": ["he", "a b " * CONTEXT]}, "documents[1]", code="context_length_exceeded")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minnow", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "tiny.gguf"
        model.write_bytes(model_bytes())
        with Server(pathlib.Path(options.minnow).resolve(), pathlib.Path(folder) / "server", model) as server:
            c = Checks(server)
            for part in (models, chat_whole, prompt_cache, chat_choices, chat_sampling, chat_formats, chat_tools, chat_stream, chat_refusals, completions, responses,
                         response_tools_and_formats, codex, response_stream, embeddings, rerank):
                try:
                    part(c)
                except Exception as e:  # one part that falls over is one failure
                    c.check(False, f"{part.__name__}: {type(e).__name__}: {e}")
            c.check(server.get("/health").status == 200, "the server is well")
        print(f"{c.passed} checks passed, {c.failed} failed")
        return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
