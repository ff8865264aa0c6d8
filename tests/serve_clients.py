#!/usr/bin/env python3
"""Clients that applications use (npm's openai, ollama, @anthropic-ai/sdk, ai) run their suites of tests/clients against
a running `minnow serve`, and what it answered is validated against the OpenAPI documents of OpenAI and Ollama.

    serve_clients.py --minnow build/release/minnow [--only openai_chat]

Packages are installed once, as tests/clients/package-lock.json says, into a folder of ~/.cache/minnow-tests. Exit code 77:
there is no node, or npm reaches no registry.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

from scripted_model import scripted_gguf
from serve_process import Server
from tiny_models import STR, U32, tiny_gguf

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients"
DOCUMENTS = CLIENTS.parents[2] / "shared" / "data" / "conformance"
SUITES = ("openai_chat", "openai_more", "ollama", "anthropic", "vercel")
INSTALL_SECONDS, SUITE_SECONDS = 300, 300
NPM_OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=2", "--fetch-retry-mintimeout=1000")
RANDOM_CONTEXT = 2048
# Of the model that says noise: it shows tools, so that it can be held to calls of them.
TEMPLATE = "{{ bos_token }}{% if tools %}{{ tools | tojson }} <tool_call>{% endif %}{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"

# (method, path, where {} is any name) -> document, schema of a whole answer, schema of an event of a stream
SCHEMAS = {
    ("POST", "/v1/chat/completions"): ("openai", "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse"),
    ("POST", "/v1/completions"): ("openai", "CreateCompletionResponse", "CreateCompletionResponse"),
    ("POST", "/v1/embeddings"): ("openai", "CreateEmbeddingResponse", None),
    ("GET", "/v1/models"): ("openai", "ListModelsResponse", None),
    ("GET", "/v1/models/{}"): ("openai", "Model", None),
    ("POST", "/v1/responses"): ("openai", "Response", "ResponseStreamEvent"),
    ("POST", "/v1/responses/input_tokens"): ("openai", "TokenCountsResource", None),
    ("GET", "/v1/responses/{}"): ("openai", "Response", None),
    ("DELETE", "/v1/responses/{}"): ("openai", "DeletedResponse", None),
    ("GET", "/v1/responses/{}/input_items"): ("openai", "ResponseItemList", None),
    ("POST", "/api/chat"): ("ollama", "ChatResponse", "ChatStreamEvent"),
    ("POST", "/api/generate"): ("ollama", "GenerateResponse", "GenerateStreamEvent"),
    ("POST", "/api/embed"): ("ollama", "EmbedResponse", None),
    ("POST", "/api/show"): ("ollama", "ShowResponse", None),
    ("GET", "/api/tags"): ("ollama", "ListResponse", None),
    ("GET", "/api/ps"): ("ollama", "PsResponse", None),
    ("GET", "/api/version"): ("ollama", "VersionResponse", None),
}
# OpenAI's document has an example of it, and no schema.
DELETED_RESPONSE = {"type": "object", "required": ["id", "object", "deleted"], "additionalProperties": False,
                    "properties": {"id": {"type": "string"}, "object": {"const": "response"}, "deleted": {"const": True}}}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def packages():
    """The folder with node_modules, installed when it is not there yet."""
    if not shutil.which("node") or not shutil.which("npm"):
        skip("node and npm are not installed")
    lock = (CLIENTS / "package-lock.json").read_bytes() + (CLIENTS / "package.json").read_bytes()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "minnow-tests"
    folder = cache / f"clients-{hashlib.sha256(lock).hexdigest()[:16]}"
    if (folder / "node_modules").is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    aside = pathlib.Path(tempfile.mkdtemp(prefix="clients-", dir=cache))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(CLIENTS / name, aside)
        try:
            r = subprocess.run(["npm", "ci", *NPM_OPTIONS], cwd=aside, capture_output=True, text=True, timeout=INSTALL_SECONDS, stdin=subprocess.DEVNULL)
            problem = None if r.returncode == 0 else (r.stderr.strip().splitlines() or ["npm ci failed"])[0]
        except subprocess.TimeoutExpired:
            problem = f"npm ci takes longer than {INSTALL_SECONDS} s"
        if problem:
            skip(f"npm cannot install the clients: {problem}")
        try:
            aside.rename(folder)
        except OSError:  # somebody else was faster
            pass
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def write_models(folder):
    tiny = tiny_gguf()
    tiny.put("llama.context_length", U32, RANDOM_CONTEXT)
    tiny.put("tokenizer.chat_template", STR, TEMPLATE)
    (folder / "tiny.gguf").write_bytes(tiny.build())
    (folder / "scripted.gguf").write_bytes(scripted_gguf().build())
    return [folder / "scripted.gguf", folder / "tiny.gguf"]


def run_suite(name, modules, folder, server, key):
    """(passed, failed)"""
    room = folder / name
    room.mkdir()
    for file in CLIENTS.glob("*.mjs"):
        shutil.copy(file, room)
    shutil.copy(CLIENTS / "package.json", room)
    (room / "node_modules").symlink_to(modules / "node_modules")
    env = {**os.environ, "MINNOW_URL": f"http://127.0.0.1:{server.port}", "MINNOW_KEY": key, "MINNOW_RECORD": str(folder / "answers.jsonl"), "AI_SDK_LOG_WARNINGS": "false"}
    try:
        r = subprocess.run(["node", f"{name}.mjs"], cwd=room, env=env, capture_output=True, text=True, timeout=SUITE_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as late:
        print(f"FAILED {name}: no end after {SUITE_SECONDS} s: {(late.stdout or b'')[-2000:]!r}")
        return 0, 1
    lines = r.stdout.splitlines()
    for line in lines[:-1]:
        print(f"{name}: {line}")
    words = lines[-1].split() if lines else []
    if len(words) != 4 or words[1] != "passed,":
        print(f"FAILED {name}: it broke off with {r.returncode}: {r.stdout[-500:]} {r.stderr[-2000:]}")
        return 0, 1
    print(f"{name}: {lines[-1]}", flush=True)
    return int(words[0]), int(words[2])


# ---- what was answered


def bodies(entry):
    """(is an event of a stream, JSON value) of one answer."""
    if entry["type"].startswith("text/event-stream"):
        for event in entry["body"].split("\n\n"):
            data = "\n".join(line[5:].lstrip() for line in event.split("\n") if line.startswith("data:"))
            if data and data != "[DONE]":
                yield True, json.loads(data)
    elif entry["type"].startswith("application/x-ndjson"):
        for line in entry["body"].splitlines():
            yield True, json.loads(line)
    elif entry["type"].startswith("application/json") and entry["body"]:
        yield False, json.loads(entry["body"])


def as_documented(path, value):
    """OpenAI's document describes whole answers of /v1/completions only, and no echo of a prompt: chunks have a finish_reason and
    a usage of null until the last one, and the first token of all has no log probability. Nor does it know of embeddings in base64, nor of
    the usage of null that responses have in the events of its own examples, until they are over."""
    if path == "/v1/responses" and isinstance(value.get("response"), dict) and value["response"].get("usage", {}) is None:
        del value["response"]["usage"]
    if path == "/v1/completions":
        if value.get("usage", {}) is None:
            del value["usage"]
        for choice in value.get("choices", []):
            if choice.get("finish_reason") is None:
                choice["finish_reason"] = "stop"
            for name in ("token_logprobs", "top_logprobs"):
                values = (choice.get("logprobs") or {}).get(name)
                if values and values[0] is None:
                    del values[0]
    if path == "/v1/embeddings":
        for item in value.get("data", []):
            if isinstance(item.get("embedding"), str):
                raw = base64.b64decode(item["embedding"], validate=True)
                item["embedding"] = list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return value


def route_of(method, path):
    """The key of SCHEMAS that it fits; None when there is none."""
    for key in SCHEMAS:
        if key[0] == method and re.fullmatch(re.escape(key[1]).replace(re.escape("{}"), "[^/]+"), path):
            return key
    return None


def error_schema(path):
    if path.startswith("/api/"):
        return "ollama", "ErrorResponse"
    return ("openai", "ErrorResponse") if path.startswith("/v1/") and not path.startswith("/v1/messages") else None


def expected_kinds():
    """(route, schema) of all that the suites together must have been answered; errors by their document."""
    return {(f"{method} {path}", name) for (method, path), (_, *names) in SCHEMAS.items() for name in names if name} | {
        (document, "ErrorResponse") for document in ("openai", "ollama")}


def validate(answers):
    """(valid, invalid) bodies."""
    try:
        import openapi
    except ImportError as missing:
        print(f"answers are not validated: {missing}")
        return 0, 0
    if not (DOCUMENTS / "openai" / "openapi.yaml").is_file():
        print("answers are not validated: there are no OpenAPI documents beside the source tree")
        return 0, 0
    documents = {name: openapi.Document(DOCUMENTS / name / "openapi.yaml") for name in ("openai", "ollama")}
    documents["openai"].schemas["DeletedResponse"] = DELETED_RESPONSE
    valid, problems, seen = 0, {}, set()
    for line in answers.read_text().splitlines():
        entry = json.loads(line)
        route = route_of(entry["method"], entry["path"]) if entry["status"] == 200 else None
        schema = SCHEMAS.get(route)
        for is_event, value in bodies(entry):
            if entry["status"] >= 400:
                named = error_schema(entry["path"])
            elif is_event and isinstance(value, dict) and "error" in value and value.get("object") is None and "type" not in value:
                named = error_schema(entry["path"])
            else:
                named = schema and (schema[0], schema[2] if is_event else schema[1])
            if not named or not named[1]:
                continue
            seen.add((named[0], named[1]) if named[1] == "ErrorResponse" else (" ".join(route), named[1]))
            problem = documents[named[0]].problem(named[1], as_documented(entry["path"], value))
            valid += problem is None
            if problem:
                problems.setdefault((entry["method"], entry["path"], problem), json.dumps(value))
    for (method, path, problem), value in list(problems.items())[:30]:
        print(f"FAILED {method} {path} answers against its document: {problem}; {value[:600]}")
    missing = sorted(f"{name} of {where}" for where, name in expected_kinds() - seen)
    if missing:
        print(f"FAILED never answered: {', '.join(missing)}")
    print(f"answers: {valid} valid of {len(seen)} kinds, {len(problems)} kinds invalid")
    return valid, len(problems) + len(missing)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minnow", required=True)
    parser.add_argument("--only", choices=SUITES)
    a = parser.parse_args()
    minnow = os.path.abspath(a.minnow)
    modules = packages()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        models = write_models(folder)
        made = subprocess.run([minnow, "key", "add", "clients", "--scope", "admin", "--json"], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "MINNOW_CONFIG_DIR": str(folder / "server")})
        key = json.loads(made.stdout)["key"]
        with Server(minnow, folder / "server", *models, CLIENTS.parents[1] / "models" / "minnow-tiny.gguf") as server:
            for name in [a.only] if a.only else SUITES:
                good, bad = run_suite(name, modules, folder, server, key)
                passed, failed = passed + good, failed + bad
            if server.process.poll() is not None:
                print(f"FAILED the server ended with {server.process.returncode}: {server.log()[-2000:]}")
                failed += 1
            code = server.stop()
            if code != 0:
                print(f"FAILED it stops in good order: {code}")
                failed += 1
        if not a.only:
            good, bad = validate(folder / "answers.jsonl")
            passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
