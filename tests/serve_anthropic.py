#!/usr/bin/env python3
"""The Anthropic dialect of `minnow serve`, asked over loopback (standard library only).

    serve_anthropic.py --minnow build/release/minnow
"""

import json

from serve_checks import WEATHER_PARAMETERS, run

HI = [{"role": "user", "content": "hi"}]
TOOLS = [{"name": "get_weather", "description": "tells", "input_schema": WEATHER_PARAMETERS}]


def message(**more):
    return {"model": "scripted", "max_tokens": 200, "temperature": 0, "messages": HI, **more}


def said(**more):
    return message(messages=[{"role": "user", "content": more.pop("content", "hi")}], **more)


def put_together(c, events):
    """The content blocks of a stream, whose order is checked."""
    kinds = [data["type"] for _, data in events]
    c.same([name for name, _ in events], kinds, "names of events")
    kinds = [k for k in kinds if k != "ping"]
    c.same((kinds[0], kinds[-2:]), ("message_start", ["message_delta", "message_stop"]), "beginning and end")
    start, delta = (next(data for _, data in events if data["type"] == kind) for kind in ("message_start", "message_delta"))
    for key in ("input_tokens", "cache_read_input_tokens"):
        c.same(start["message"]["usage"][key], delta["usage"][key], f"{key} at the beginning and at the end")
    blocks, is_open = [], False
    for _, data in events:
        if data["type"] == "content_block_start":
            c.check(not is_open and data["index"] == len(blocks), f"block {data}")
            blocks.append({**data["content_block"], "json": ""})
            is_open = True
        elif data["type"] in ("content_block_delta", "content_block_stop"):
            c.check(is_open and data["index"] == len(blocks) - 1, f"{data}")
            is_open = data["type"] == "content_block_delta"
            for key in ("text", "thinking"):
                if key in data.get("delta", {}):
                    blocks[-1][key] += data["delta"][key]
            blocks[-1]["json"] += data.get("delta", {}).get("partial_json", "")
    c.check(not is_open, "every block is closed")
    return blocks


def answers(c):
    whole = c.ask("/v1/messages", message())
    c.same((whole["type"], whole["role"], whole["stop_reason"], whole["stop_sequence"]), ("message", "assistant", "end_turn", None), "a message")
    c.same(whole["content"], [{"type": "text", "text": "Hello, world!"}], "its content")
    c.check(whole["id"].startswith("msg_"), whole["id"])
    events = c.events("/v1/messages", message())
    c.same([b["text"] for b in put_together(c, events)], ["Hello, world!"], "streamed")
    delta = events[-2][1]
    c.same(delta["delta"], {"stop_reason": "end_turn", "stop_sequence": None}, "how it ended")
    c.same(delta["usage"]["output_tokens"], whole["usage"]["output_tokens"], "what it cost")
    c.same(c.ask("/v1/messages", message(max_tokens=2))["stop_reason"], "max_tokens", "two tokens")
    stopped = c.ask("/v1/messages", message(stop_sequences=["zzz", "world"]))
    c.same((stopped["content"][0]["text"], stopped["stop_reason"], stopped["stop_sequence"]), ("Hello, ", "stop_sequence", "world"), "a stop sequence")


def counting(c):
    counted = c.ask("/v1/messages/count_tokens", {k: v for k, v in message(system="s", tools=TOOLS).items() if k != "max_tokens"})["input_tokens"]
    usage = c.ask("/v1/messages", message(system="s", tools=TOOLS))["usage"]
    c.same(usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"], counted, "tokens of the prompt")
    start = c.events("/v1/messages", message(system="s", tools=TOOLS))[0][1]
    begun = start["message"]["usage"]
    c.same(begun["input_tokens"] + begun["cache_read_input_tokens"], counted, "tokens at the beginning of a stream")


def tools(c):
    first = c.ask("/v1/messages", message(tools=TOOLS))
    call = first["content"][-1]
    c.same((call["type"], call["name"], call["input"], first["stop_reason"]), ("tool_use", "get_weather", {"city": "Paris"}, "tool_use"), "a call")
    blocks = put_together(c, c.events("/v1/messages", said(content="both", tools=TOOLS)))
    c.same([json.loads(b["json"])["city"] for b in blocks if b["type"] == "tool_use"], ["Paris", "London"], "two calls")
    for result in ("sunny", [{"type": "text", "text": "sunny"}]):
        chat = [*HI, {"role": "assistant", "content": first["content"]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": result}]}]
        c.same(c.ask("/v1/messages", message(messages=chat, tools=TOOLS))["content"][0]["text"], "It is sunny in Paris.", "after a result")
    c.same([b["type"] for b in c.ask("/v1/messages", message(tools=TOOLS, tool_choice={"type": "none"}))["content"]], ["text"], "tool_choice none")
    one = c.ask("/v1/messages", said(content="both", tools=TOOLS, tool_choice={"type": "auto", "disable_parallel_tool_use": True}))
    c.same(len([b for b in one["content"] if b["type"] == "tool_use"]), 1, "one call at most")


def thinking(c):
    asked = message(max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024})
    whole = c.ask("/v1/messages", asked)["content"]
    c.same([(b["type"], (b.get("text") or b.get("thinking")).strip()) for b in whole], [("thinking", "The user greets me."), ("text", "Hello there.")], "thinking")
    blocks = put_together(c, c.events("/v1/messages", asked))
    c.same([b["type"] for b in blocks], ["thinking", "text"], "streamed thinking")


def claude_code(c):
    """What Claude Code sends beside messages and tools."""
    version = {"anthropic-version": "2023-06-01"}
    body = message(max_tokens=2000, system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], thinking={"type": "adaptive"}, output_config={"effort": "medium"},
                   messages=[{"role": "system", "content": "first"}, *HI, {"role": "system", "content": [{"type": "text", "text": "later"}]}],
                   context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}, metadata={"user_id": "u"})
    answer = c.server.post("/v1/messages?beta=true", body, headers=version)
    c.check(answer.status == 200, f"{answer!r}")
    c.check("context_management.clear_thinking_20251015" in (answer.headers.get("minnow-unused-options") or ""), f"what had no effect is named: {answer!r}")
    built_in = [*TOOLS, {"type": "web_search_20250305", "name": "web_search"}, {"type": "bash_20250124", "name": "bash"}]
    answer = c.server.post("/v1/messages", message(tools=built_in))
    c.check(answer.status == 200 and (answer.headers.get("minnow-unused-options") or "").startswith("tools.web_search_20250305, tools.bash_20250124"), f"built-in tools: {answer!r}")
    c.ask("/v1/messages", message(tools=built_in, tool_choice={"type": "tool", "name": "bash"}), 400)
    error = c.ask("/v1/messages", message(context_management={"edits": [{"type": "compact_20260112"}]}), 400)
    c.check("compact_20260112" in error["error"]["message"], f"another edit: {error}")


def models(c):
    version = {"anthropic-version": "2023-06-01"}
    page = c.server.get("/v1/models", headers=version).json()
    c.same((page["has_more"], page["first_id"], page["last_id"]), (False, page["data"][0]["id"], page["data"][-1]["id"]), "a page of models")
    for key in ("type", "id", "display_name", "created_at"):
        c.check(page["data"][0].get(key), f"{key} of a model: {page}")
    first = c.server.get("/v1/models?limit=1", headers=version).json()
    c.same(([m["id"] for m in first["data"]], first["has_more"]), ([page["first_id"]], len(page["data"]) > 1), "a page of one model")
    rest = c.server.get(f"/v1/models?after_id={first['last_id']}", headers=version).json()
    c.same(first["data"] + rest["data"], page["data"], "and the models behind it")
    for query in ("limit=0", "limit=1001", "after_id=none"):
        wrong = c.server.get(f"/v1/models?{query}", headers=version)
        c.check(wrong.status == 400 and wrong.json()["error"]["type"] == "invalid_request_error", f"{query}: {wrong!r}")
    missing = c.server.get("/v1/models/none", headers=version)
    c.check(missing.status == 404 and missing.json().get("type") == "error" and missing.json()["error"]["type"] == "not_found_error", f"{missing!r}")


def refusals(c):
    image = [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]}]
    for body, status, kind, word in [
            (message(max_tokens=0), 400, "invalid_request_error", "max_tokens is required"), (message(messages=[]), 400, "invalid_request_error", "messages is required"),
            (message(model="none"), 404, "not_found_error", "none"), (message(temperature=1.5), 400, "invalid_request_error", "temperature"),
            (message(messages=image), 400, "invalid_request_error", "image"), (message(tool_choice={"type": "any"}), 400, "invalid_request_error", "tool_choice"),
            (message(stop_sequences=["x" * 5000]), 400, "invalid_request_error", "stop_sequences"), (said(content="x " * 5000), 400, "invalid_request_error", "tokens")]:
        error = c.ask("/v1/messages", body, status)
        c.check(error.get("type") == "error" and error["error"]["type"] == kind and word in error["error"]["message"], f"{str(body)[:100]}: {error}")
        c.check(error.get("request_id"), f"a request id: {error}")
    answer = c.server.post("/v1/messages", message(), headers={"anthropic-version": "2023-06-01"})
    c.check(answer.status == 200 and answer.headers.get("request-id"), f"with its version: {answer!r}")
    answer = c.server.post("/v1/messages", message(max_tokens=0))
    c.check(answer.status == 400 and answer.headers.get("request-id") == answer.json()["request_id"], f"an error's id in its head: {answer!r}")


if __name__ == "__main__":
    run(__doc__.split("\n")[0], (answers, counting, tools, thinking, claude_code, models, refusals))
