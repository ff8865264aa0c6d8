#!/usr/bin/env python3
"""Keys, limits, defaults and logs of `minnow serve`, asked over loopback (standard library only).

    serve_keys.py --minnow build/release/minnow

The matrix of who may ask for what is made from the server's own table of routes, so that no route can be forgotten.
"""

import argparse
import json
import os
import pathlib
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time

from serve_process import Server, free_port
from tiny_models import STR, U32, tiny_gguf

TEMPLATE = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"
SCOPES = ("infer", "manage", "admin")


class Checks:
    def __init__(self, minnow):
        self.minnow, self.passed, self.failed = minnow, 0, 0

    def check(self, good, what):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("FAILED", what, flush=True)
        return good


def minnow(c, folder, *arguments, code=0, env=None):
    r = subprocess.run([c.minnow, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                       env={**os.environ, "MINNOW_CONFIG_DIR": str(folder), **(env or {})})
    c.check(r.returncode == code, f"minnow {' '.join(map(str, arguments))}: {r.returncode} instead of {code}: {r.stderr}")
    return r


def add_key(c, folder, name, *arguments):
    return json.loads(minnow(c, folder, "key", "add", name, "--json", *arguments).stdout)["key"]


# ---- minnow key


def key_commands(c, folder):
    for command in (("key",), ("key", "add"), ("key", "list"), ("key", "revoke"), ("ps",), ("stop",), ("serve",)):
        c.check("Example" in minnow(c, folder, *command, "--help").stdout, f"{' '.join(command)} --help has an example")
    shown = minnow(c, folder, "key", "add", "laptop")
    key = shown.stdout.strip()
    c.check(key.startswith("mk-") and len(key) == 59, f"key add prints the key alone: {key!r}")
    c.check("only time" in shown.stderr, "it says on stderr that the key is not shown again")
    file = folder / "keys.json"
    c.check(stat.S_IMODE(file.stat().st_mode) == 0o600, "the file of keys has mode 0600")
    c.check(key.rsplit("-", 1)[-1] not in file.read_text() and key not in file.read_text(), "the file does not hold the secret")
    listed = minnow(c, folder, "key", "list").stdout
    c.check("laptop" in listed and key not in listed, "key list names it without its secret")
    with_all = json.loads(minnow(c, folder, "key", "add", "all", "--json", "--scope", "manage", "--scope", "infer", "--model", "a", "--model", "b",
                                 "--requests-per-minute", 5, "--tokens-per-minute", 100, "--expires", "2999-12-31", "--tenant", "acme").stdout)
    expected = {"name": "all", "scopes": ["infer", "manage"], "models": ["a", "b"], "requests_per_minute": 5, "tokens_per_minute": 100,
                "expires": "2999-12-31T00:00:00Z", "tenant": "acme"}
    c.check(expected.items() <= with_all.items(), f"key add --json describes it: {with_all}")
    keys = json.loads(minnow(c, folder, "key", "list", "--json").stdout)["keys"]
    c.check([k["name"] for k in keys] == ["laptop", "all"] and not any("digest" in k or "key" in k for k in keys), f"key list --json: {keys}")
    minnow(c, folder, "key", "revoke", "laptop")
    c.check("laptop" not in minnow(c, folder, "key", "list").stdout, "a revoked key leaves the list")
    c.check("revoked" in minnow(c, folder, "key", "list", "--all").stdout, "key list --all shows it")
    for words, code, arguments in (
            ("no key 'laptop'", 1, ("revoke", "laptop")), ("did you mean 'all'", 1, ("revoke", "al")), ("--scope", 2, ("add", "x", "--scope", "everything")),
            ("--expires", 2, ("add", "x", "--expires", "tomorrow")), ("that is over", 2, ("add", "x", "--expires", "2020-01-01")),
            ("--requests-per-minute", 2, ("add", "x", "--requests-per-minute", "0")), ("NAME", 2, ("add",)), ("", 2, ()),
            ("--model: is empty", 2, ("add", "x", "--model", "")), ("NAME", 2, ("add", ""))):
        refused = minnow(c, folder, "key", *arguments, code=code)
        lines = refused.stderr.splitlines()
        c.check(len(lines) == 1 and lines[0].startswith("error: ") and words in lines[0], f"key {arguments}: {refused.stderr!r}")
    os.chmod(file, 0o666)
    c.check("chmod 600" in minnow(c, folder, "key", "list", code=1).stderr, "a file that others may write to is not believed")


# ---- who may ask for what


def variants(path):
    """Spellings that mean the same route."""
    yield path
    yield path.replace("/", "//")
    yield "/." + path
    yield path + "/" if path != "/" else "//"
    yield "/x/.." + path


def allowed(scope, held):
    return scope in held or "admin" in held


def is_right(status, scope, scopes, held):
    """`scope` is None when the path does not know the method; `held` when the key is none."""
    if scope is None:
        if held is None:
            return status == 401 or "open" in scopes
        return status in (403, 404, 405, 204)  # 404: another pattern fits that method
    if scope == "open" or (held is not None and allowed(scope, held)):
        return status not in (401, 403)
    return status == (401 if held is None else 403)


def cells(routes, keys):
    """(method, path, whether it is the route's own, scopes of the path, name of the key, its scopes or None)"""
    by_path = {}
    for route in routes:
        by_path.setdefault(route["path"], {})[route["method"]] = route["scope"]
    for pattern, methods in by_path.items():
        path = "/".join("x" if part.startswith("{") else part for part in pattern.split("/"))
        own = dict(methods)
        if "GET" in own:
            own["HEAD"] = own["GET"]
        for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"):
            for spelling in variants(path) if method in own else (path,):
                for name, (key, held) in keys.items():
                    yield method, spelling, own.get(method), set(methods.values()), name, key, held


def matrix(c, folder, model):
    keys = {"none": (None, None), "empty": ("", None)}
    for scope in SCOPES:
        keys[scope] = (add_key(c, folder, scope, "--scope", scope), {scope})
    expired = add_key(c, folder, "expired", "--scope", "admin", "--expires", "1s")
    revoked = add_key(c, folder, "revoked", "--scope", "admin")
    minnow(c, folder, "key", "revoke", "revoked")
    right = keys["admin"][0]
    other = right[:-4] + ("AAAA" if right[-4:] != "AAAA" else "BBBB")
    for name, text in {"expired": expired, "revoked": revoked, "prefix": right[:-1], "wrong": other, "longer": right + "A", "nonsense": "sk-123"}.items():
        keys[name] = (text, None)
    time.sleep(1.1)
    routes = json.loads(minnow(c, folder, "serve", "--routes", "--json").stdout)["routes"]
    c.check(len(routes) > 30, f"the table of routes: {len(routes)}")
    open_paths = {r["path"] for r in routes if r["scope"] == "open"}
    c.check(open_paths <= {"/health", "/v1/health"}, f"open to anybody is liveness only: {open_paths}")
    c.check(all(r["scope"] == "manage" for r in routes if r["path"] in ("/metrics", "/slots", "/props")), "metrics, slots and props need a key that manages")
    wrong = total = 0
    with Server(c.minnow, folder, model) as server:
        for method, path, scope, scopes, name, key, held in cells(routes, keys):
            # A list is a body that every route refuses before it does anything.
            answer = server.request(method, path, body="[]" if method in ("POST", "PUT", "DELETE") else None, key=key)
            good = is_right(answer.status, scope, scopes, held) and not (method == "HEAD" and answer.body)
            total += 1
            wrong += not good
            if not good and wrong <= 20:
                print("FAILED", f"{method} {path} with the key '{name}' gives {answer!r}, where the route's scope is {scope}", flush=True)
        c.check(wrong == 0 and total >= 2000, f"{wrong} of {total} cells of the matrix are wrong")
        for path in sorted({r["path"].upper() for r in routes if r["path"] != "/"}):
            answer = server.get(path.replace("{", "").replace("}", ""))
            c.check(answer.status in (401, 404), f"{path} in capitals opens nothing: {answer!r}")
        headers(c, server, keys)


def headers(c, server, keys):
    infer, right = keys["infer"][0], keys["admin"][0]
    for sent, status in (({"Authorization": f"Bearer {infer}"}, 200), ({"X-Api-Key": infer}, 200), ({"authorization": f"bearer {infer}"}, 200),
                         ({"Authorization": infer}, 401), ({"Authorization": f"Basic {infer}"}, 401), ({"Authorization": "Bearer"}, 401),
                         ({"Authorization": "Bearer sk-1", "X-Api-Key": infer}, 401), ({"Cookie": f"key={infer}"}, 401)):
        answer = server.get("/v1/models", headers=sent)
        shown = {name: value.replace(infer, "KEY") for name, value in sent.items()}
        c.check(answer.status == status, f"{shown}: {answer.status} instead of {status}")
    c.check(server.get(f"/v1/models?key={infer}&api_key={infer}").status == 401, "a key in the query is no key")
    refused = server.get("/v1/models")
    c.check(refused.headers.get("www-authenticate") == "Bearer" and "API key" in refused.json()["error"]["message"], f"a 401 says what to send: {refused!r}")
    c.check("API key" in server.post("/api/chat", {}).json()["error"], "in the words of Ollama")
    c.check(server.post("/v1/messages", {}).json()["error"]["type"] == "authentication_error", "in the words of Anthropic")
    preflight = server.request("OPTIONS", "/v1/models", headers={"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"})
    c.check(preflight.status in (200, 204), f"a browser asks without a key whether it may ask: {preflight!r}")
    c.check(server.get("/metrics", key=right).status == 200, "an admin sees the metrics")


def allow_lists(c, folder, model, other):
    only = add_key(c, folder, "only", "--model", "tiny")
    watcher, admin = add_key(c, folder, "watcher", "--scope", "manage", "--model", "tiny"), add_key(c, folder, "admin", "--scope", "admin")
    with Server(c.minnow, folder, model, other) as server:
        listed = [m["id"] for m in server.get("/v1/models", key=only).json()["data"]]
        c.check(len(listed) == 1 and listed[0].startswith("tiny"), f"a key sees the models that it may use: {listed}")
        body = {"prompt": "a", "max_tokens": 1}
        c.check(server.post("/v1/completions", {**body, "model": "tiny"}, key=only).status == 200, "and uses them")
        unknown = server.post("/v1/completions", {**body, "model": "nowhere"}, key=only)
        hidden = server.post("/v1/completions", {**body, "model": "other"}, key=only)
        c.check(hidden.status == unknown.status == 404, f"others do not exist for it: {hidden!r}")
        c.check(hidden.body.replace(b"'other'", b"'nowhere'") == unknown.body, f"and it is not told that they are there: {hidden!r} {unknown!r}")
        tags = [m["name"] for m in server.get("/api/tags", key=only).json()["models"]]
        c.check(len(tags) == 1, f"in no dialect: {tags}")
        server.post("/v1/completions", {**body, "model": "other"}, key=admin)
        everything, seen = (server.get("/metrics", key=key).body.decode() for key in (admin, watcher))
        c.check('model_name="other"' in everything, "an admin sees the series of all models")
        c.check('model_name="other"' not in seen and 'model_name="tiny"' in seen and "process_open_fds" in seen, "others those of their models, and the process's")


# ---- limits


def admitted(server, n, **more):
    return sum(server.get("/v1/models", **more).status == 200 for _ in range(n))


def limits(c, folder, model):
    free, limited = add_key(c, folder, "free"), add_key(c, folder, "limited", "--requests-per-minute", 60)
    frugal = add_key(c, folder, "frugal", "--tokens-per-minute", 20)
    with Server(c.minnow, folder, model) as server:
        begin = time.monotonic()
        n = admitted(server, 1000, key=limited)
        seconds = time.monotonic() - begin
        c.check(60 <= n <= 66 + (seconds if seconds > 55 else 0), f"of 1,000 requests in {seconds:.1f} s with a limit of 60 a minute {n} were admitted")
        refused = server.get("/v1/models", key=limited)
        c.check(refused.status == 429 and 0 < int(refused.headers["retry-after"]) <= 63, f"a 429 says when to try again: {refused!r}")
        c.check(admitted(server, 100, key=free) == 100, "another key is not touched")
        c.check(admitted(server, 100) == 0, "and without a key nobody gets in")
        body = {"model": "tiny", "prompt": "a b c d e f", "max_tokens": 30, "ignore_eos": True}
        first = server.post("/v1/completions", body, key=frugal)
        c.check(first.status == 200, f"tokens are counted when they are there: {first!r}")
        second = server.post("/v1/completions", body, key=frugal)
        c.check(second.status == 429 and "tokens" in second.json()["error"]["message"], f"a key's tokens of a minute run out: {second!r}")
        server.configure("[limits]\naddress_requests_per_minute = 60\n")
        server.hang_up()
        spoofed = sum(server.get("/v1/models", key=free, headers={"X-Forwarded-For": f"10.1.{i // 256}.{i % 256}"}).status == 200 for i in range(1000))
        c.check(60 <= spoofed <= 66, f"with made-up X-Forwarded-For {spoofed} of 1,000 were admitted")
        c.check(server.get("/health").status == 200, "liveness knows no limit")
        server.configure('[limits]\naddress_requests_per_minute = 5\n[server]\ntrusted_proxies = ["127.0.0.1"]\n')
        server.hang_up()
        behind = [admitted(server, 10, key=free, headers={"X-Forwarded-For": f"spoofed, 198.51.100.{i}"}) for i in range(3)]
        c.check(behind == [5, 5, 5], f"behind a trusted proxy clients are counted one by one: {behind}")


def reloads(c, folder, model):
    old = add_key(c, folder, "old")
    with Server(c.minnow, folder, model) as server:
        new = add_key(c, folder, "new")
        c.check(server.get("/v1/models", key=new).status == 401, "a new key is not in force before SIGHUP")
        minnow(c, folder, "key", "revoke", "old")
        server.hang_up()
        c.check(server.get("/v1/models", key=new).status == 200, "SIGHUP lets a new key in")
        c.check(server.get("/v1/models", key=old).status == 401, "and takes a revoked one away")
        server.configure("[limits]\nrequest_per_minute = 1\n")
        server.hang_up("reload_failed")
        c.check("did you mean" in server.log(), "a file that is wrong is told of in the log")
        c.check(server.get("/v1/models", key=new).status == 200, "and changes nothing")
        server.configure('[server]\norigins = ["*"]\n')
        before = server.log().count("reloaded")
        server.hang_up("reload_failed")
        time.sleep(0.3)
        c.check(server.log().count("reloaded") == before, "a reload that fails says nothing else")
        server.configure("")
        (folder / "keys.json").rename(folder / "elsewhere.json")
        server.hang_up("reload_failed")
        c.check(server.get("/v1/models").status == 401, "a file of keys that went away opens nothing")
        (folder / "elsewhere.json").rename(folder / "keys.json")
        server.configure('[server]\norigins = ["https://app.example.org"]\n')
        page = {"Origin": "https://app.example.org"}
        c.check(server.get("/v1/models", key=new, headers=page).status == 403, "a page of another site may not ask")
        server.hang_up()
        answer = server.get("/v1/models", key=new, headers=page)
        c.check(answer.status == 200 and answer.headers.get("access-control-allow-origin") == page["Origin"], f"SIGHUP lets an origin in: {answer!r}")
        minnow(c, folder, "key", "revoke", "new")
        server.hang_up()
        c.check(server.get("/v1/models").status == 401, "with the last key revoked nobody gets in")


def late_settings(c, folder, model):
    """minnow.toml comes when the server runs already."""
    key = add_key(c, folder, "one")
    with Server(c.minnow, folder, model) as server:
        (folder / "minnow.toml").unlink()
        server.stop()
        server.start()
        c.check(admitted(server, 3, key=key) == 3, "without settings there is no limit")
        server.configure("[limits]\nrequests_per_minute = 2\n")
        server.hang_up()
        c.check(admitted(server, 3, key=key) < 3, "a file of settings that comes later is read on SIGHUP")


# ---- defaults


def descriptors_of(process):
    try:
        return list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir())
    except PermissionError:  # only root may look into a process that leaves no core file
        return []


def listening(server):
    """Addresses of its TCP sockets as the kernel has them; of those at its port for whoever cannot see which are its."""
    inodes, port = set(), f"{server.port:04X}"
    for fd in descriptors_of(server.process):
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, at = fields[1].split(":")
            if fields[3] == "0A" and (fields[9] in inodes if inodes else at == port):
                found.add(address)
    return found


def defaults(c, folder, model):
    with Server(c.minnow, folder, model) as server:
        c.check(listening(server) == {"0100007F"}, f"it listens on 127.0.0.1 only: {listening(server)}")
        if os.getuid() != 0:
            c.check(os.stat(f"/proc/{server.process.pid}/fd").st_uid == 0, "it leaves no core file, and its memory is closed to others")
        c.check(server.get("/v1/models").status == 200, "without keys it is open to this machine")
        c.check(server.get("/v1/models", key="ollama").status == 200, "whatever word a client sends as its key")
        for host in ("evil.example.org", f"evil.example.org:{server.port}", "127.0.0.1.evil.example.org", "localhost.evil.example.org"):
            c.check(server.get("/v1/models", headers={"Host": host}).status == 403, f"Host {host} is refused")
        for host in ("localhost", f"127.0.0.1:{server.port}", "[::1]", "box.local", "a.localhost"):
            c.check(server.get("/v1/models", headers={"Host": host}).status == 200, f"Host {host} is fine")
        for origin in ("https://evil.example.org", "http://localhost.evil.example.org", "null"):
            answer = server.get("/v1/models", headers={"Origin": origin})
            c.check(answer.status == 403 and answer.headers.get("access-control-allow-origin") is None, f"Origin {origin} is refused: {answer!r}")
        answer = server.get("/v1/models", headers={"Origin": "http://localhost:3000"})
        c.check(answer.status == 200 and answer.headers.get("access-control-allow-origin") == "http://localhost:3000", "a page of this machine may ask, and is named: never *")
    r = minnow(c, folder, "serve", model, "--host", "0.0.0.0", "--port", free_port(), code=2)
    lines = r.stderr.splitlines()
    c.check(len(lines) == 1 and lines[0].startswith("error: ") and "minnow key add" in lines[0], f"beyond loopback without keys it does not start: {r.stderr!r}")
    r = minnow(c, folder, "serve", model, "--port", free_port(), code=2, env={"OLLAMA_HOST": "0.0.0.0"})
    c.check("0.0.0.0 without API keys" in r.stderr, f"nor where OLLAMA_HOST says so: {r.stderr!r}")
    c.check('OLLAMA_HOST "0.0.0.0"' in r.stderr and "--host" in r.stderr and r.stderr.count("\n") == 1, f"which is named: {r.stderr!r}")
    r = minnow(c, folder, "serve", model, "--port", free_port(), "--default-model", "tny", code=1)
    c.check("--default-model" in r.stderr and "'tiny'" in r.stderr and r.stderr.count("\n") == 1, f"a default that names no model is refused: {r.stderr!r}")
    with Server(c.minnow, folder, model) as server:
        server.configure('[models]\ndefault = "tny"\n')
        server.hang_up("reload_failed")
        c.check("models.default" in server.log(), "on SIGHUP as well")
        server.configure("")
        taken = f"127.0.0.1:{server.port}"
        r = minnow(c, folder, "serve", model, code=1, env={"OLLAMA_HOST": taken})
        c.check(f'OLLAMA_HOST "{taken}"' in r.stderr and "--port" in r.stderr, f"as it is where another program listens: {r.stderr!r}")
    with Server(c.minnow, folder, model, "--host", "127.0.0.1", env={"OLLAMA_HOST": "0.0.0.0:1", "OLLAMA_KEEP_ALIVE": "-1"}) as server:
        c.check(listening(server) == {"0100007F"}, "options win over OLLAMA_HOST")
    with Server(c.minnow, folder, model, "--host", "0.0.0.0", "--allow-open") as server:
        c.check("00000000" in listening(server), "a flag overrides that")
        c.check("warning" in server.log(), "which is written to the log")
    add_key(c, folder, "key")
    with Server(c.minnow, folder, model, "--host", "0.0.0.0") as server:
        c.check(server.get("/v1/models").status == 401, "with a key it starts and asks for it")
        for path in ("/metrics", "/slots", "/props", "/api/ps"):
            c.check(server.get(path).status == 401, f"{path} is behind the key")
    r = minnow(c, folder, "serve", model, "--port", free_port(), "--config", folder / "nowhere.toml", code=1)
    c.check("nowhere.toml" in r.stderr, "a settings file that is named must be there")
    (folder / "wrong.toml").write_text("[server]\nprot = 1\n")
    r = minnow(c, folder, "serve", model, "--port", free_port(), "--config", folder / "wrong.toml", code=1)
    c.check("did you mean 'port'" in r.stderr, f"a misspelt setting is refused: {r.stderr!r}")


# ---- settings on the command line


def options(c, folder, model):
    elsewhere, log = folder / "elsewhere.json", folder / "requests.log"
    key = json.loads(minnow(c, folder, "key", "add", "one", "--keys", elsewhere, "--json").stdout)["key"]
    config = "[limits]\nrequests_per_minute = 1000\n[log]\nrequests = \"off\"\n"
    with Server(c.minnow, folder, model, "--keys", elsewhere, "--requests-per-minute", 3, "--log-requests", log, "--log-addresses", config=config) as server:
        c.check(server.get("/v1/models").status == 401, "--keys says where the keys are")
        c.check(admitted(server, 10, key=key) == 3, "--requests-per-minute wins over the file")
        wait_until = time.monotonic() + 5
        while time.monotonic() < wait_until and "/v1/models" not in (log.read_text() if log.exists() else ""):
            time.sleep(0.02)
        c.check('"/v1/models"' in log.read_text() and "127.0.0.1" in log.read_text(), "--log-requests and --log-addresses say what is logged and where")
    with Server(c.minnow, folder, model, "--keys-required") as server:
        c.check(server.get("/v1/models").status == 401, "--keys-required lets nobody in while there are no keys")
    with Server(c.minnow, folder, model, "--trusted-proxy", "127.0.0.1", "--address-requests-per-minute", 5) as server:
        behind = [admitted(server, 10, headers={"X-Forwarded-For": f"198.51.100.{i}"}) for i in range(2)]
        c.check(behind == [5, 5], f"--trusted-proxy and --address-requests-per-minute: {behind}")
    for arguments in (("--requests-per-minute", "-1"), ("--log-requests", ""), ("--tokens-per-minute", "many")):
        lines = minnow(c, folder, "serve", model, *arguments, code=2).stderr.splitlines()
        c.check(len(lines) == 1 and lines[0].startswith("error: "), f"{arguments}: {lines}")
    minnow(c, folder, "serve", model, "--trusted-proxy", "nowhere", "--port", free_port(), code=1)


# ---- ps and stop


def ps_and_stop(c, folder, model):
    key, guest = add_key(c, folder, "operator", "--scope", "manage", "--scope", "infer"), add_key(c, folder, "guest")
    sock = folder / "s"
    with Server(c.minnow, folder, model, config=f'[server]\nsocket = "{sock}"\n') as server:
        env = {"MINNOW_API_KEY": key, "MINNOW_SERVER": f"http://127.0.0.1:{server.port}"}
        c.check("tiny" in minnow(c, folder, "ps", env=env).stdout, "ps shows what is loaded")
        listed = json.loads(minnow(c, folder, "ps", "--json", "--server", f"unix:{sock}", env=env).stdout)
        c.check(len(listed["models"]) == 1, f"over the Unix socket too: {listed}")
        minnow(c, folder, "stop", "tiny", env=env)
        c.check("no model is loaded" in minnow(c, folder, "ps", env=env).stdout, "stop takes a model out of memory")
        server.post("/v1/completions", {"model": "tiny", "prompt": "a", "max_tokens": 1}, key=key)
        c.check("tiny" in minnow(c, folder, "ps", env=env).stdout, "and it is loaded again when it is asked for")
        user = {"MINNOW_API_KEY": guest, "MINNOW_SERVER": env["MINNOW_SERVER"]}
        c.check("'manage'" in minnow(c, folder, "stop", "tiny", env=user, code=1).stderr, "a key that may only use models stops none")
        answer = server.post("/api/generate", {"model": "tiny", "prompt": "a", "raw": True, "keep_alive": 0, "stream": False, "options": {"num_predict": 1}}, key=guest)
        c.check(answer.status == 200 and answer.headers.get("minnow-unused-options") == "keep_alive", f"nor by the way: {answer!r}")
        c.check("tiny" in minnow(c, folder, "ps", env=env).stdout, "and what is loaded stays")
        c.check("nowhere" in minnow(c, folder, "stop", "nowhere", env=env, code=1).stderr, "a model that is not there is an error")
        wrong = minnow(c, folder, "ps", env={**env, "MINNOW_API_KEY": "mk-wrong-key"}, code=1).stderr
        c.check("MINNOW_API_KEY" in wrong and "mk-wrong" not in wrong, f"a wrong key is told of and not repeated: {wrong!r}")
        (folder / "key").write_text(key + "\n")
        minnow(c, folder, "ps", "--key-file", folder / "key", env={"MINNOW_SERVER": env["MINNOW_SERVER"]})
    gone = minnow(c, folder, "ps", env=env, code=1).stderr
    c.check("no server answers" in gone and len(gone.splitlines()) == 1, f"without a server: {gone!r}")


# ---- what must not be written down

MARKERS = {name: f"XQ{name}QX7391" for name in ("key", "prompt", "system", "tool", "query", "path", "model", "header", "schema", "stop", "bad", "user", "schemaword")}


def marked_requests(server, key):
    """(method, path, body, headers): some are answered, some refused, in every dialect."""
    m = MARKERS
    chat = [{"role": "system", "content": m["system"]}, {"role": "user", "content": m["prompt"]}]
    with_tool = chat + [{"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                        {"role": "tool", "tool_call_id": "c1", "content": m["tool"]}]
    small = {"model": "tiny", "max_tokens": 3}
    yield "POST", "/v1/chat/completions", {**small, "messages": chat}, {}
    yield "POST", "/v1/chat/completions", {**small, "messages": with_tool, "stream": True, "user": m["user"], "stop": [m["stop"]]}, {}
    yield "POST", "/v1/chat/completions", {**small, "messages": chat, "temperature": m["bad"]}, {}
    yield "POST", "/v1/chat/completions", {**small, "messages": m["bad"]}, {}
    yield "POST", "/v1/chat/completions", {**small, "messages": [{"role": m["bad"], "content": m["prompt"]}]}, {}
    yield "POST", "/v1/chat/completions", {**small, "model": m["model"], "messages": chat}, {}
    yield "POST", "/v1/chat/completions", '{"model": "tiny", "messages": [{"content": "' + m["bad"], {}
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", m["schemaword"]: {"const": m["schema"]}}}}
    yield "POST", "/v1/chat/completions", {**small, "messages": chat, "response_format": schema}, {}
    yield "POST", "/v1/completions", {**small, "prompt": m["prompt"]}, {}
    yield "POST", "/v1/completions", {**small, "prompt": m["prompt"] * 200}, {}
    yield "POST", "/v1/responses", {"model": "tiny", "input": m["prompt"], "instructions": m["system"], "max_output_tokens": 2}, {}
    yield "POST", "/v1/embeddings", {"model": "tiny", "input": m["prompt"]}, {}
    yield "POST", "/v1/messages", {**small, "system": m["system"], "messages": [{"role": "user", "content": m["prompt"]}]}, {}
    yield "POST", "/v1/messages", {**small, "messages": [{"role": m["bad"]}]}, {}
    result = [{"role": "user", "content": m["prompt"]}, {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": m["tool"]}]}]
    yield "POST", "/v1/messages", {**small, "messages": result, "stop_sequences": [m["stop"]]}, {}
    yield "POST", "/v1/messages/count_tokens", {"model": "tiny", "messages": result}, {}
    yield "POST", "/v1/responses", {"model": "tiny", "max_output_tokens": 2, "input": [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                                                                                   {"type": "function_call_output", "call_id": "c1", "output": m["tool"]}]}, {}
    yield "POST", "/v1/completions", {**small, "prompt": m["prompt"], "stop": m["stop"] * 500}, {}
    yield "POST", "/api/chat", {"model": "tiny", "messages": [*chat, {"role": "tool", "tool_name": "f", "content": m["tool"]}], "options": {"num_predict": 3}}, {}
    yield "POST", "/api/chat", {"model": "tiny", "messages": chat, "options": {"num_predict": 3}}, {}
    yield "POST", "/api/generate", {"model": "tiny", "prompt": m["prompt"], "system": m["system"], "options": {"num_predict": 3}}, {}
    yield "POST", "/api/generate", {"model": "tiny", "prompt": m["prompt"], "template": "{{ " + m["bad"] + " %}"}, {}
    yield "POST", "/api/generate", {"model": m["model"], "prompt": m["prompt"]}, {}
    yield "POST", "/completion", {"prompt": m["prompt"], "n_predict": 3, "grammar": "root ::= " + m["schema"]}, {}
    yield "POST", "/completion", {"prompt": m["prompt"], "n_predict": 3}, {}
    yield "POST", "/tokenize", {"content": m["prompt"]}, {}
    yield "POST", "/apply-template", {"messages": chat}, {}
    yield "GET", f"/v1/models?q={m['query']}", None, {}
    yield "GET", f"/v1/models/{m['model']}", None, {}
    yield "GET", f"/{m['path']}", None, {}
    yield m["path"], "/v1/models", None, {}
    yield "GET", "/v1/models", None, {"X-Strange": m["header"], "User-Agent": m["header"], "Cookie": m["header"], "X-Request-Id": "not an id: " + m["header"]}
    yield "GET", "/v1/models", None, {"Host": m["header"]}
    yield "GET", "/v1/models", None, {"Origin": "https://" + m["header"]}
    yield "GET", "/v1/models", None, {"Authorization": f"Bearer mk-{m['key']}-{m['key']}"}
    yield "GET", "/v1/models", None, {"X-Api-Key": m["key"], "Authorization": "Basic " + m["key"]}


def marked_bodies():
    """path -> a body that is right, of each dialect."""
    m = MARKERS
    chat = [{"role": "system", "content": m["system"]}, {"role": "user", "content": m["prompt"]}]
    small = {"model": "tiny", "max_tokens": 3}
    return {
        "/v1/chat/completions": {**small, "messages": chat, "user": m["user"]},
        "/v1/completions": {**small, "prompt": m["prompt"], "user": m["user"]},
        "/v1/responses": {"model": "tiny", "max_output_tokens": 3, "input": m["prompt"], "instructions": m["system"]},
        "/v1/messages": {**small, "system": m["system"], "messages": chat[1:], "metadata": {"user_id": m["user"]}},
        "/v1/embeddings": {"model": "tiny", "input": m["prompt"]},
        "/api/chat": {"model": "tiny", "messages": chat, "options": {"num_predict": 3}},
        "/api/generate": {"model": "tiny", "prompt": m["prompt"], "system": m["system"], "options": {"num_predict": 3}},
        "/completion": {"prompt": m["prompt"], "n_predict": 3},
        "/tokenize": {"content": m["prompt"]},
    }


def hostile_bodies():
    """(path, bytes): wrong types, numbers without measure, deep nesting, bytes that are no text, JSON that is none, giant lists."""
    m, bad = MARKERS, MARKERS["bad"]
    for path, right in marked_bodies().items():
        whole = json.dumps(right)
        options = (lambda **more: {**right, "options": {"num_predict": 3, **more}}) if path.startswith("/api/") else (lambda **more: {**right, **more})
        wrong = [{**right, name: value} for name in right for value in ({bad: [bad]}, [[bad]], -1.5)]
        wrong += [options(temperature=-5), options(temperature=10**30), options(top_k=2**70), options(top_p=bad), options(seed=-10**40, stop=[m["stop"]]),
                  options(stop=[m["stop"]] * 5000), options(stop=[m["stop"] * 500]), options(logit_bias={bad: bad}), {**right, "stream": bad, "tools": [{bad: bad}]}]
        yield from ((path, json.dumps(body).encode()) for body in wrong)
        for depth in (70, 20000):
            yield path, f"{whole[:-1]}, \"x\": {'[' * depth}\"{bad}\"{']' * depth}}}".encode()
        yield path, f"{whole[:-1]}, \"temperature\": 1e999999, \"top_k\": -0x{bad}}}".encode()
        for cut in (whole[:-1], whole[:-9], whole + bad, f"[{whole}", f"{bad}{whole}"):
            yield path, cut.encode()
        for odd in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\0"):
            yield path, whole.encode().replace(m["prompt"].encode(), m["prompt"].encode() + odd)


def hostile_formats():
    """(path, body): schemas, expressions and grammars that cannot be held to."""
    m, bodies = MARKERS, marked_bodies()
    word, name = m["schema"], m["schemaword"]
    schemas = [{"$ref": f"#/$defs/{name}"}, {"$ref": f"https://example.org/{name}"}, {"type": name}, {"const": word, "enum": [name]}, {"pattern": f"({word}"},
               {"type": "string", "pattern": f"(?={word})"}, {"type": "string", "pattern": f"({word}{{8000}}){{8000}}"}, {"type": "string", "format": name}, {"minimum": word},
               {"properties": {name: {"not": {"const": word}}}}, {"allOf": [{"const": word}, {"const": name}]}, {"required": word}, word, [name]]
    for schema in schemas:
        yield "/v1/chat/completions", {**bodies["/v1/chat/completions"], "response_format": {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}}
        yield "/v1/responses", {**bodies["/v1/responses"], "text": {"format": {"type": "json_schema", "name": name, "schema": schema}}}
        yield "/v1/messages", {**bodies["/v1/messages"], "output_config": {"format": {"type": "json_schema", "schema": schema}}}
        yield "/api/chat", {**bodies["/api/chat"], "format": schema}
        yield "/completion", {**bodies["/completion"], "json_schema": schema}
    for regex in (f"({word}", f"{word}**", f"(?<={word})", f"\\{word}", f"[{word}-a]", f"({word}{{8000}}){{8000}}"):
        yield "/v1/completions", {**bodies["/v1/completions"], "structured_outputs": {"regex": regex}}
    for grammar in (f"root ::= root \"{word}\" | {name}", f"root ::= \"{word}", f"{name} ::= \"{word}\"", f"root ::= <{name}>", f"root ::= [{word}", f"root ::= (\"{word}\"){{8000}}{{8000}}"):
        yield "/completion", {**bodies["/completion"], "grammar": grammar}
        yield "/v1/completions", {**bodies["/v1/completions"], "structured_outputs": {"grammar": grammar}}


def head_of_answer(s):
    got = b""
    try:
        while b"\r\n\r\n" not in got and (data := s.recv(65536)):
            got += data
    except OSError:  # a reset
        pass
    return got


def raw_requests(port, key):
    """What no client library sends. How many were asked and were answered."""
    m = MARKERS
    with_key = f"Host: localhost\r\nAuthorization: Bearer {key}\r\n"
    post = f"POST /v1/completions HTTP/1.1\r\n{with_key}"
    body = json.dumps(marked_bodies()["/v1/completions"])
    requests = [
        f"GET /{m['path']} HTTP/9.9\r\n\r\n", f"{m['bad']}\r\n\r\n", f"GET / HTTP/1.1\r\nHost: localhost\r\n{m['header']}\r\n\r\n",
        f"GET http://{m['user']}:{m['query']}@localhost/v1/models HTTP/1.1\r\n{with_key}\r\n", f"GET /v1/models#{m['query']} HTTP/1.1\r\n{with_key}\r\n",
        f"GET /v1/%{m['path']} HTTP/1.1\r\n{with_key}\r\n", f"GET /{m['path'] * 2000} HTTP/1.1\r\n{with_key}\r\n", f"GET /v1/models?{m['query'] * 2000} HTTP/1.1\r\n{with_key}\r\n",
        f"GET /v1/models HTTP/1.1\r\n{with_key}X-Big: {m['header'] * 2000}\r\n\r\n", f"GET /v1/models HTTP/1.1\r\n{with_key}" + f"{m['header']}: {m['header']}\r\n" * 150 + "\r\n",
        f"GET /v1/models HTTP/1.1\r\n{with_key}X-Folded: a\r\n {m['header']}\r\n\r\n", f"GET /v1/models HTTP/1.1\r\n{with_key}X {m['header']}: a\r\n\r\n",
        f"GET /v1/models HTTP/1.1\r\n{with_key}Host: {m['header']}\r\n\r\n", f"GET /v1/models HTTP/1.1\r\n{with_key}X-Api-Key: {m['key']}\0\r\n\r\n",
        f"{post}Content-Length: {m['header']}\r\n\r\n{m['prompt']}", f"{post}Content-Length: 3\r\nContent-Length: 4\r\n\r\n{m['prompt']}",
        f"{post}Content-Length: -5\r\n\r\n{m['prompt']}", f"{post}Content-Length: 99999999999999999999\r\n\r\n{m['prompt']}",
        f"{post}Content-Length: 9000000\r\n\r\n{body}", f"{post}Transfer-Encoding: {m['header']}\r\n\r\n{m['prompt']}",
        f"{post}Transfer-Encoding: chunked\r\n\r\n{m['bad']}\r\n{m['prompt']}", f"{post}Transfer-Encoding: chunked\r\n\r\n900000;{m['bad']}\r\n{body}",
        f"{post}Content-Encoding: {m['header']}\r\nContent-Length: {len(body)}\r\n\r\n{body}", f"{post}Expect: {m['header']}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}",
        # Too slow: their ends never come.
        f"GET /v1/models HTTP/1.1\r\n{with_key}X-Slow: {m['header']}", f"{post}Content-Length: {len(body) + 1}\r\n\r\n{body}", f"{post}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}",
    ]
    sockets = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in requests]
    for s, request in zip(sockets, requests):
        s.sendall(request.encode())
    answers = [head_of_answer(s) for s in sockets]
    for s in sockets:
        s.close()
    return len(answers), sum(answer.startswith(b"HTTP/1.1 ") for answer in answers)


def abandoned_requests(port, key):
    """Clients that go away, by FIN and by RST: in the middle of a head, of a body, before the first event of a stream, after it, and while they
    wait for all of an answer."""
    longest = {"max_tokens": 500, "max_output_tokens": 500, "n_predict": 500, "options": {"num_predict": 500}, "ignore_eos": True}
    for path, right in marked_bodies().items():
        body = {**right, **longest}
        for stream in (True, False):
            text = json.dumps({**body, "stream": stream})
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nX-Strange: {MARKERS['header']}\r\nContent-Length: {len(text)}\r\n\r\n"
            whole = (head + text).encode()
            for sent, waits in ((len(head) - 9, False), (len(whole) - 9, False), (len(whole), False), (len(whole), stream)):
                for reset in (False, True):
                    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                        s.sendall(whole[:sent])
                        if waits:
                            s.recv(4096)
                        if reset:
                            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def secrets(c, folder, model):
    key = add_key(c, folder, "marker", "--scope", "admin")
    secret = key[-43:]
    log = folder / "requests.log"
    slow = ("--head-seconds", 1, "--body-seconds", 1)
    with Server(c.minnow, folder, model, *slow, config=f'[log]\nrequests = "{log}"\naddresses = true\n') as server:
        n = answered = 0
        hostile = [("POST", path, body, {}) for bodies in (hostile_bodies(), hostile_formats()) for path, body in bodies]
        for method, path, body, sent in [*marked_requests(server, key), *hostile]:
            answer = server.request(method, path, body=body, headers=sent, **({} if "Authorization" in sent else {"key": key}))
            n += 1
            answered += answer.status == 200
            c.check(answer.status != 500, f"{method} {path.split('?')[0]} {str(body)[:80]}: {answer!r}")
            c.check(secret.encode() not in answer.body, f"{method} {path}: the key comes back")
        c.check(answered >= 10, f"requests with markers are answered: {answered} of {n}")
        asked, heard = raw_requests(server.port, key)
        c.check(heard == asked, f"raw requests are answered: {heard} of {asked}")
        abandoned_requests(server.port, key)
        c.check(server.get("/health").status == 200, "the server is well")
        command = pathlib.Path(f"/proc/{server.process.pid}/cmdline").read_bytes().decode(errors="replace")
        metrics = server.get("/metrics", key=key).body.decode()
        c.check("vllm:generation_tokens_total" in metrics, "there are metrics to look at")
        server.stop()
        written = {"the log": server.log(), "the log of requests": log.read_text(), "the metrics": metrics, "the command line": command}
        for file in folder.rglob("*"):  # temporary files, and whatever else it writes
            if file.is_file():
                written[f"the file {file.relative_to(folder)}"] = file.read_text(errors="replace")
    c.check(len(written["the log of requests"].splitlines()) >= n, f"every request has its line: {len(written['the log of requests'].splitlines())} of {n}")
    for where, text in written.items():
        for name, marker in {**MARKERS, "secret": secret}.items():
            c.check(marker not in text, f"the {name} is in {where}: {text[max(0, text.find(marker) - 200):][:260] if name != 'secret' else ''}")
    lines = [json.loads(line) for line in written["the log of requests"].splitlines()]
    first = next(line for line in lines if line.get("route") == "/v1/chat/completions" and line.get("generated_tokens"))
    fields = {"time", "id", "route", "method", "status", "key", "model", "prompt_tokens", "generated_tokens", "queue_ms", "first_token_ms", "total_ms", "address"}
    c.check(fields <= first.keys() and first["key"] == key.split("-")[1] and first["status"] == 200, f"a line tells who asked for what and how long it took: {first}")
    c.check(all(line["event"] and line["time"].endswith("Z") for line in lines), "every line is JSON with a time")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minnow", required=True)
    parser.add_argument("--only", help="the name of one part")
    a = parser.parse_args()
    c = Checks(os.path.abspath(a.minnow))
    parts = {"keys": lambda f, m, o: key_commands(c, f), "matrix": lambda f, m, o: matrix(c, f, m), "allow_lists": lambda f, m, o: allow_lists(c, f, m, o),
             "limits": lambda f, m, o: limits(c, f, m), "reloads": lambda f, m, o: reloads(c, f, m), "late_settings": lambda f, m, o: late_settings(c, f, m), "defaults": lambda f, m, o: defaults(c, f, m),
             "options": lambda f, m, o: options(c, f, m), "ps": lambda f, m, o: ps_and_stop(c, f, m), "secrets": lambda f, m, o: secrets(c, f, m)}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        gguf = tiny_gguf()
        gguf.put("tokenizer.chat_template", STR, TEMPLATE)
        gguf.put("llama.context_length", U32, 1024)
        models = [folder / "tiny.gguf", folder / "other.gguf"]
        for model in models:
            model.write_bytes(gguf.build())
        for name, part in parts.items():
            if a.only and name != a.only:
                continue
            room = folder / name
            room.mkdir()
            try:
                part(room, *models)
            except Exception as error:  # a part that breaks must not hide the others
                c.check(False, f"{name}: {type(error).__name__}: {error}")
    print(f"{c.passed} passed, {c.failed} failed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
