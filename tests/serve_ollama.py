#!/usr/bin/env python3
"""The Ollama dialect of `minnow serve`, asked over loopback (standard library only).

    serve_ollama.py --minnow build/release/minnow
"""

import json
import re

from serve_checks import WEATHER_PARAMETERS, run

MODEL = "scripted"
HI = [{"role": "user", "content": "hi"}]
METRICS = ["total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "tells", "parameters": WEATHER_PARAMETERS}}]
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")
OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def chat(**more):
    return {"model": MODEL, "messages": HI, "think": False, "options": {"temperature": 0}, **more}


def stream(c, path, body):
    """The objects of an NDJSON stream, which must be one a line."""
    answer = c.server.post(path, body)
    c.check(answer.status == 200 and answer.headers.get("content-type", "").startswith("application/x-ndjson"), f"{path} streams: {answer!r}")
    lines = answer.body.decode().split("\n")
    c.same(lines.pop(), "", "what is behind the last line end")
    objects = [json.loads(line) for line in lines]
    c.same([o["done"] for o in objects], [False] * (len(objects) - 1) + [True], f"{path}: done")
    for o in objects:
        c.check(TIME.match(o["created_at"]), f"created_at: {o['created_at']}")
        c.same(o["model"], body["model"], "the model, as it was asked for")
    return objects


def has_metrics(c, answer, what):
    for name in METRICS:
        c.check(isinstance(answer.get(name), int) and answer[name] >= 0, f"{what}: {name} is {answer.get(name)!r}")


def liveness(c):
    c.same(c.server.get("/").body, b"Ollama is running", "/")
    c.check(re.match(r"^\d+\.\d+\.\d+", c.ask("/api/version", None, method="GET")["version"]), "a version")
    for path in ("/", "/api/version", "/api/tags"):
        answer = c.server.request("HEAD", path)
        c.check(answer.status == 200 and answer.body == b"", f"HEAD {path}: {answer!r}")


def chats(c):
    objects = stream(c, "/api/chat", chat())
    c.same("".join(o["message"]["content"] for o in objects), "Hello, world!", "the streamed text")
    c.same(objects[-1]["message"]["content"], "", "the text of the last object")
    c.same(objects[-1]["done_reason"], "stop", "why it ended")
    has_metrics(c, objects[-1], "the last object")
    whole = c.ask("/api/chat", chat(stream=False))
    c.same(list(whole), list(objects[-1]), "the keys of a whole answer")
    c.same(whole["message"], {"role": "assistant", "content": "Hello, world!"}, "the message")
    named = c.ask("/api/chat", chat(stream=False, model=f"{MODEL}:latest"))
    c.same((named["model"], named["message"]["content"]), (f"{MODEL}:latest", "Hello, world!"), "a name with its tag")
    c.same(c.ask("/api/chat", chat(stream=False, model=f"library/{MODEL}"))["message"]["content"], "Hello, world!", "a name in Ollama's own namespace")


def thinking(c):
    for think in (True, None, "low"):
        message = c.ask("/api/chat", chat(stream=False, think=think))["message"]
        c.same((message["content"].strip(), message["thinking"].strip()), ("Hello there.", "The user greets me."), f"think {think}")
    objects = stream(c, "/api/chat", chat(think=True))
    c.same("".join(o["message"].get("thinking", "") for o in objects).strip(), "The user greets me.", "streamed thinking")


def tools(c):
    whole = c.ask("/api/chat", chat(stream=False, tools=TOOLS))
    call = whole["message"]["tool_calls"][0]["function"]
    c.same((call["name"], call["arguments"], whole["done_reason"]), ("get_weather", {"city": "Paris"}, "stop"), "a call")
    objects = stream(c, "/api/chat", chat(tools=TOOLS, messages=[{"role": "user", "content": "both"}]))
    calls = [call for o in objects for call in o["message"].get("tool_calls", [])]
    c.same([x["function"]["arguments"]["city"] for x in calls], ["Paris", "London"], "two calls")
    c.same([x["function"]["index"] for x in calls], [0, 1], "their numbers")
    c.check(len({x["id"] for x in calls}) == 2, f"ids of their own: {calls}")
    messages = [*HI, whole["message"], {"role": "tool", "tool_name": "get_weather", "content": "sunny"}]
    c.same(c.ask("/api/chat", chat(stream=False, tools=TOOLS, messages=messages))["message"]["content"], "It is sunny in Paris.", "after a result")


def generate(c):
    body = {"model": MODEL, "prompt": "hi", "think": False, "options": {"temperature": 0}}
    objects = stream(c, "/api/generate", body)
    c.same("".join(o["response"] for o in objects), "Hello, world!", "the streamed text")
    has_metrics(c, objects[-1], "the last object")
    first = c.ask("/api/generate", {**body, "stream": False})
    c.check(first["context"] and all(isinstance(t, int) for t in first["context"]), "a context")
    second = c.ask("/api/generate", {**body, "stream": False, "context": first["context"]})
    c.same(second["context"][:len(first["context"])], first["context"], "the context that it went on from")
    c.check("context" not in c.ask("/api/generate", {**body, "stream": False, "raw": True, "options": {"num_predict": 1}}), "a raw answer has no context")
    c.check("raw mode" in c.ask("/api/generate", {**body, "raw": True, "system": "s"}, 400)["error"], "raw and system")
    short = c.ask("/api/generate", {**body, "stream": False, "options": {"num_predict": 2, "temperature": 0}})
    c.same((short["done_reason"], short["eval_count"]), ("length", 2), "two tokens")


def formats(c):
    whole = 0
    for seed in range(3):
        options = {"seed": seed, "temperature": 1, "num_predict": 300}
        answer = c.ask("/api/chat", chat(stream=False, format=OBJECT, options=options))
        if answer["done_reason"] == "stop":
            whole += 1
            value = json.loads(answer["message"]["content"])
            c.check(set(value) == {"a"} and isinstance(value["a"], int), f"{value}")
    c.check(whole > 0, "answers that are held to a schema come to their end")
    c.ask("/api/chat", chat(stream=False, format=""), 200)
    c.ask("/api/chat", chat(stream=False, format=None), 200)
    for wrong in ("yaml", 7, {"type": "nothing"}):
        c.check("error" in c.ask("/api/chat", chat(format=wrong), 400), f"format {wrong}")


def loading(c):
    c.same(c.ask("/api/generate", {"model": MODEL, "keep_alive": 0})["done_reason"], "unload", "unloading")
    c.same(c.ask("/api/ps", None, method="GET")["models"], [], "what is loaded then")
    c.same(c.ask("/api/chat", {"model": MODEL, "messages": [], "keep_alive": -1})["done_reason"], "load", "loading")
    running = c.ask("/api/ps", None, method="GET")["models"][0]
    c.check(running["name"].startswith(MODEL) and running["expires_at"] > "2200" and running["context_length"] > 0, f"{running}")
    c.check(TIME.match(running["expires_at"]), running["expires_at"])


def listing(c):
    model = c.ask("/api/tags", None, method="GET")["models"][0]
    c.check(model["name"] == f"{MODEL}:latest" and model["model"] == model["name"] and model["size"] > 1000, f"{model}")
    c.check(re.fullmatch("[0-9a-f]{64}", model["digest"]) and TIME.match(model["modified_at"]), f"{model}")
    details = model["details"]
    c.same((details["format"], details["family"], details["families"]), ("gguf", "llama", ["llama"]), "details")
    shown = c.ask("/api/show", {"model": MODEL})
    c.same(shown["model_info"]["general.architecture"], "llama", "architecture")
    c.same(shown["model_info"]["tokenizer.ggml.tokens"], None, "long lists")
    c.check({"completion", "tools", "thinking"} <= set(shown["capabilities"]), f"{shown['capabilities']}")
    c.check("tensors" not in shown and c.ask("/api/show", {"name": MODEL, "verbose": True})["tensors"], "tensors when asked")


def refusals(c):
    long_prompt = c.ask("/api/chat", chat(messages=[{"role": "user", "content": "x " * 5000}]), 400)["error"]
    c.check(len(re.findall(r"\d+", long_prompt)) >= 2, f"both numbers: {long_prompt}")
    c.check(c.ask("/api/chat", chat(stream=False, options={"num_ctx": 1 << 20}))["done"], "a context larger than what is loaded")
    for path, body, status, word in [
            ("/api/chat", {"messages": HI}, 400, "model is required"), ("/api/chat", chat(model="none"), 404, "model 'none' not found"),
            ("/api/chat", chat(options={"top_k": "x"}), 400, 'option "top_k" must be of type integer'), ("/api/chat", chat(keep_alive=[]), 400, "keep_alive"),
            ("/api/chat", chat(options={"stop": "x" * 5000}), 400, 'option "stop"'),
            ("/api/chat", chat(logprobs=True, top_logprobs=21), 400, "top_logprobs must be between 0 and 20"), ("/api/chat", chat(stream="no"), 400, "stream"),
            ("/api/pull", {"model": "x"}, 501, "store"), ("/api/copy", {"source": MODEL, "destination": "x"}, 501, "store"),
            ("/api/copy", {"source": "none", "destination": "x"}, 404, "model 'none' not found")]:
        error = c.ask(path, body, status)
        c.check(list(error) == ["error"] and word in error["error"], f"{path} {str(body)[:100]}: {error}")
    c.ask("/api/delete", {"model": MODEL}, 501, method="DELETE")
    c.ask("/api/delete", {"model": "none"}, 404, method="DELETE")
    c.same(c.ask("/api/pull", {"model": MODEL, "stream": False}), {"status": "success"}, "pulling what is there")
    lines = c.server.post("/api/pull", {"model": MODEL}).body.decode().splitlines()
    c.same([json.loads(line)["status"] for line in lines], ["pulling manifest", "success"], "the same as a stream")
    c.same(c.server.request("HEAD", "/api/blobs/sha256:" + 64 * "0").status, 404, "a blob that is not there")
    c.check(c.ask("/api/embed", {"model": MODEL, "input": [1]}, 400)["error"].startswith("invalid input type"), "embedding a number")


if __name__ == "__main__":
    run(__doc__.split("\n")[0], (liveness, chats, thinking, tools, generate, formats, loading, listing, refusals))
