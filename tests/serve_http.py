#!/usr/bin/env python3
"""What `minnow serve` does with connections, whatever is said on them (standard library only, loopback only).

    serve_http.py --minnow build/release/minnow
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

from scripted_model import scripted_gguf
from serve_process import Server

SOURCE = pathlib.Path(__file__).resolve().parent.parent
ALL_SECONDS = 300  # nothing here may hang
MODEL = "scripted"


class Checks:
    def __init__(self, minnow):
        self.minnow, self.passed, self.failed = minnow, 0, 0

    def check(self, good, what):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("FAILED", what, flush=True)
        return good


class Raw:
    """Bytes over a connection, with what came so far."""

    def __init__(self, port=None, path=None, tls=None, seconds=20, receive_bytes=None):
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(seconds)
            self.socket.connect(str(path))
        else:
            self.socket = socket.socket()
            if receive_bytes:  # that the kernel keeps for a reader that is slow
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            self.socket.settimeout(seconds)
            self.socket.connect(("127.0.0.1", port))
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.got = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def more(self):
        try:
            data = self.socket.recv(65536)
        except (TimeoutError, ConnectionError):
            data = b""
        self.got += data
        return bool(data)

    def until(self, text):
        """What came up to and with `text`; everything, when the connection ends before."""
        text = text.encode()
        while text not in self.got:
            if not self.more():
                rest, self.got = self.got, b""
                return rest.decode(errors="replace")
        at = self.got.index(text) + len(text)
        out, self.got = self.got[:at], self.got[at:]
        return out.decode(errors="replace")

    def response(self, head_only=False):
        """(status, headers, body) of a response."""
        head = self.until("\r\n\r\n")
        lines = head.split("\r\n")
        status = int(lines[0].split()[1]) if lines[0].startswith("HTTP/1.1 ") else 0
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name}
        body = b""
        if headers.get("transfer-encoding") == "chunked" and not head_only:
            while True:
                size = int(self.until("\r\n").strip() or "0", 16)
                while len(self.got) < size + 2 and self.more():
                    pass
                body += self.got[:size]
                self.got = self.got[size + 2:]
                if size == 0:
                    break
        elif "content-length" in headers and not head_only:
            size = int(headers["content-length"])
            while len(self.got) < size and self.more():
                pass
            body, self.got = self.got[:size], self.got[size:]
        return status, headers, body.decode(errors="replace")

    def is_closed(self):
        while self.more():
            pass
        try:
            self.socket.settimeout(0.2)
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except OSError:
            return False

    def reset(self):
        """Ends the connection by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def get(path, *headers, method="GET", host="localhost"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""])


def post(path, body, *headers):
    text = body if isinstance(body, str) else json.dumps(body)
    return get(path, f"Content-Length: {len(text.encode())}", "Content-Type: application/json", *headers, method="POST") + text


def song(max_tokens=3500, stream=True):
    """A request whose answer goes on until max_tokens."""
    return {"model": MODEL, "messages": [{"role": "user", "content": "sing"}], "max_tokens": max_tokens, "stream": stream}


def metric(server, name):
    """The sum of its values, of which there must be one."""
    answer = server.get("/metrics")
    values = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", answer.body.decode(), re.MULTILINE)
    if answer.status != 200 or not values:
        raise RuntimeError(f"/metrics does not have {name}: {answer!r}")
    return sum(map(float, values))


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_idle(server):
    return metric(server, "vllm:num_requests_running") == 0 and metric(server, "vllm:num_requests_waiting") == 0


# ---- one server for all of these


def connections(c, server):
    with Raw(server.port) as r:
        for _ in range(3):
            r.send(get("/health"))
            status, headers, _ = r.response()
            c.check(status == 200 and headers["x-request-id"].startswith("req_") and "date" in headers, f"keep-alive: {status} {headers}")
        r.send(get("/health") + get("/v1/models") + get("/api/version"))
        bodies = [r.response() for _ in range(3)]
        c.check([b[0] for b in bodies] == [200] * 3 and MODEL in bodies[1][2] and "version" in bodies[2][2], f"pipelining: {bodies}")
        r.send(get("/api/version", method="HEAD") + get("/health"))
        status, headers, _ = r.response(head_only=True)
        c.check(status == 200 and int(headers["content-length"]) > 0, f"HEAD: {status} {headers}")
        c.check(r.response()[0] == 200, "nothing follows the head of a HEAD's response")
        r.send(get("/health", "Connection: close"))
        c.check(r.response()[1].get("connection") == "close" and r.is_closed(), "a client may end the connection")
    with Raw(server.port) as r:
        r.send("GET /health HTTP/1.0\r\n\r\n")
        c.check(r.response()[0] == 200 and r.is_closed(), "HTTP/1.0 is understood")


def errors(c, server):
    with Raw(server.port) as r:
        for path, shape in (("/v1/nothing", ("error", "message")), ("/nothing", ("error", "message")), ("/api/nothing", ("error",)), ("/v1/messages/nothing", ("error", "message"))):
            r.send(get(path))
            status, _, body = r.response()
            value = json.loads(body)
            for key in shape:
                value = value[key]
            c.check(status == 404 and isinstance(value, str), f"404 of {path}: {status} {body}")
        r.send(get("/v1/chat/completions"))
        status, headers, body = r.response()
        c.check(status == 405 and headers["allow"] == "OPTIONS, POST" and "error" in json.loads(body), f"405: {status} {headers} {body}")
        r.send(get("/v1/chat/completions", method="OPTIONS"))
        status, headers, _ = r.response()
        c.check(status == 204 and headers["allow"] == "OPTIONS, POST", f"OPTIONS: {status} {headers}")
        r.send(post("/v1/chat/completions", "{"))
        status, headers, body = r.response()
        c.check(status == 400 and json.loads(body)["error"]["type"] == "invalid_request_error", f"a broken body: {status} {body}")
        c.check(headers.get("connection") != "close", "an error ends no connection")
        r.send(post("/v1/chat/completions", {"model": "nobody", "messages": [{"role": "user", "content": "x"}]}))
        c.check(r.response()[0] == 404, "an unknown model is 404")
    big_head = get("/health", "X-Big: " + "x" * 20000)
    many = get("/health", *[f"X-{i}: y" for i in range(150)])
    big_body = get("/v1/chat/completions", "Content-Length: 9000000", method="POST")
    chunked = get("/v1/chat/completions", "Transfer-Encoding: chunked", method="POST") + "900000\r\n"
    for request, expected in ((big_head, 431), (many, 431), (big_body, 413), (chunked, 413), ("nonsense\r\n\r\n", 400), ("GET / HTTP/1.1\nHost: localhost\n\n", 400),
                              (get("/v1/chat/completions", "Transfer-Encoding: chunked", method="POST") + "2\n{}\n0\n\n", 400),
                              ("GET / HTTP/3.0\r\n\r\n", 505),
                              ("GET /health HTTP/1.1\r\n\r\n", 400), (get("/health", "Host: other"), 400),
                              (get("/v1/chat/completions", "Content-Length: 3", "Transfer-Encoding: chunked", method="POST") + "0\r\n\r\n", 400),
                              (get("/v1/chat/completions", "Content-Length: 2", "Content-Encoding: gzip", method="POST") + "{}", 415)):
        with Raw(server.port) as r:
            r.send(request)
            status, headers, body = r.response()
            c.check(status == expected and "error" in json.loads(body or "{}"), f"{request[:60]!r}: {status} instead of {expected} {body}")
            c.check(headers.get("connection") == "close" and r.is_closed(), f"{request[:60]!r}: what cannot be understood ends the connection")
    with Raw(server.port) as r:  # all of a body that is too large: the answer is read nevertheless
        r.send(get("/v1/chat/completions", "Content-Length: 9000000", method="POST"))
        try:
            for _ in range(90):
                r.send("x" * 100000)
        except OSError as error:
            c.check(False, f"a client that reads nothing before all is sent: {error}")
        c.check(r.response()[0] == 413, "413 reaches a client that sends on")


def pages(c, server):
    def ask(*headers, host="localhost", method="GET"):
        with Raw(server.port) as r:
            r.send(get("/v1/models", *headers, host=host, method=method))
            return r.response()

    for host in ("localhost", f"127.0.0.1:{server.port}", "[::1]", "box.local", "x.localhost"):
        c.check(ask(host=host)[0] == 200, f"Host {host} is ours")
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"):
        c.check(ask(host=host)[0] == 403, f"Host {host} is not ours")
    status, headers, _ = ask("Origin: http://localhost:3000")
    c.check(status == 200 and headers.get("access-control-allow-origin") == "http://localhost:3000", f"pages of this machine may ask: {headers}")
    status, headers, _ = ask("Origin: https://friend.example")
    c.check(status == 200 and headers.get("access-control-allow-origin") == "https://friend.example", f"pages that --origin names may ask: {headers}")
    for origin in ("https://evil.example", "null", "http://friend.example", "https://friend.example.evil.example"):
        status, headers, _ = ask(f"Origin: {origin}")
        c.check(status == 403 and "access-control-allow-origin" not in headers, f"pages of {origin} may not: {status} {headers}")
    preflight = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization, x-stainless-os, cookie")
    status, headers, _ = ask("Origin: http://localhost:3000", *preflight, method="OPTIONS")
    c.check(status == 204 and headers.get("access-control-allow-headers") == "authorization, x-stainless-os", f"preflight: {status} {headers}")
    c.check(ask("Origin: https://evil.example", *preflight, method="OPTIONS")[0] == 403, "preflights of strangers are refused")


def streams(c, server):
    with Raw(server.port) as r:
        r.send(post("/v1/chat/completions", song(20)) + get("/health"))
        status, headers, body = r.response()
        c.check(status == 200 and headers["content-type"].startswith("text/event-stream") and headers["transfer-encoding"] == "chunked", f"SSE: {status} {headers}")
        c.check(body.rstrip().endswith("data: [DONE]") and body.count("data: ") > 3, f"SSE body: {body[-200:]!r}")
        c.check(r.response()[0] == 200, "a request behind a stream is answered after it")
        r.send(post("/api/chat", {**song(), "options": {"num_predict": 20}}))
        status, headers, body = r.response()
        lines = [json.loads(line) for line in body.splitlines()]
        c.check(status == 200 and headers["content-type"].startswith("application/x-ndjson") and lines[-1]["done"] is True, f"NDJSON: {status} {headers} {body[-200:]!r}")
    with Raw(server.port) as r:
        text = json.dumps(song(5))
        chunks = "".join(f"{len(text[i:i + 7]):x}\r\n{text[i:i + 7]}\r\n" for i in range(0, len(text), 7)) + "0\r\n\r\n"
        r.send(get("/v1/chat/completions", "Transfer-Encoding: chunked", method="POST") + chunks)
        c.check(r.response()[0] == 200, "bodies may come in chunks")
        r.send(get("/v1/chat/completions", f"Content-Length: {len(text)}", "Expect: 100-continue", method="POST"))
        c.check(r.until("\r\n\r\n").startswith("HTTP/1.1 100 "), "100 Continue")
        r.send(text)
        c.check(r.response()[0] == 200, "and then the answer")


def aborts(c, server):
    """FIN or RST, before the first token and after, streaming and not: the engine is idle soon, and tokens were saved."""
    descriptors = server.descriptors()
    made = metric(server, "vllm:generation_tokens_total")
    n = 0
    for stream in (True, False):
        for after in (False, True):
            for reset in (False, True):
                r = Raw(server.port)
                r.send(post("/v1/chat/completions", song(stream=stream)))
                if after and stream:
                    r.until("data: ")
                elif after:
                    wait_for(lambda: not is_idle(server), 5)
                r.reset() if reset else r.socket.close()
                n += 1
                c.check(wait_for(lambda: is_idle(server)), f"idle after an abort (stream {stream}, after the first token {after}, RST {reset})")
    made = metric(server, "vllm:generation_tokens_total") - made
    c.check(made < n * 3500 * 0.7, f"aborted answers end early: {made} tokens of {n * 3500}")
    c.check(wait_for(lambda: server.descriptors() <= descriptors), "no descriptor is left open")


def slow_clients(c, server):
    """The server's times are short here. Meanwhile others are served."""
    began = time.monotonic()
    slow = [Raw(server.port) for _ in range(60)]
    for i, r in enumerate(slow):
        r.send(("GET /hea", get("/v1/chat/completions", "Content-Length: 100", method="POST") + '{"mod', "")[i % 3])
    worst = 0
    for _ in range(10):
        asked = time.monotonic()
        c.check(server.get("/health").status == 200, "others are served meanwhile")
        worst = max(worst, time.monotonic() - asked)
    c.check(worst < 1, f"others are served at once: {worst:.2f} s")
    for i, r in enumerate(slow):
        expected = ("HTTP/1.1 408", "HTTP/1.1 408", "")[i % 3]  # who said nothing is told nothing
        text = r.until("\r\n\r\n")
        c.check((text.startswith(expected) if expected else not text) and r.is_closed(), f"slow client {i}: {text[:60]!r}")
        r.socket.close()
    c.check(time.monotonic() - began < 30, f"slow clients are cut: {time.monotonic() - began:.1f} s")


def busy(c, server):
    """--max-queue 4: the fifth is told at once."""
    held = [Raw(server.port) for _ in range(4)]
    for r in held:
        r.send(post("/v1/chat/completions", song()))
        r.until("data: ")
    asked = time.monotonic()
    answer = server.post("/v1/chat/completions", song(1, False))
    c.check(answer.status == 503 and int(answer.headers["retry-after"]) > 0 and time.monotonic() - asked < 0.5, f"too much at once: {answer}")
    c.check(server.get("/metrics").status == 200, "the state can be seen all the same")
    for r in held:
        r.socket.close()
    c.check(wait_for(lambda: server.post("/v1/chat/completions", song(1, False)).status == 200), "room comes back")


def idle_streams(c, server, n=300):
    """Memory of streams that wait; their parts in the engine included."""
    def resident():
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{server.process.pid}/status").read_text()).group(1))

    before = resident()
    held = []
    for _ in range(n):
        r = Raw(server.port)
        r.send(post("/v1/chat/completions", song()))
        held.append(r)
    c.check(wait_for(lambda: metric(server, "vllm:num_requests_running") + metric(server, "vllm:num_requests_waiting") >= n * 0.9, 20), "all wait")
    each = (resident() - before) / n
    print(f"     {each:.1f} KB for each of {n} waiting streams")
    c.check(each < 64, f"a waiting stream costs {each:.1f} KB")
    for r in held:
        r.socket.close()
    c.check(wait_for(lambda: is_idle(server), 20), "idle after all have gone")


# ---- servers of their own


class Own:
    """A server whose output is read, on the port that it says."""

    def __init__(self, c, folder, *arguments, config=""):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "minnow.toml").write_text(config)
        env = {**os.environ, "MINNOW_CONFIG_DIR": str(folder)}
        self.process = subprocess.Popen([c.minnow, "serve", *map(str, arguments)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addresses = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def address(self):
        line = self.process.stdout.readline().strip()
        return line.removeprefix("listening on ")

    def port(self):
        return int(self.address().rsplit(":", 1)[1])

    def wait(self, seconds=30):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


def shipped(c, folder):
    with Own(c, folder, "--port", 0) as own:
        address = own.address()
        c.check(re.fullmatch(r"http://127\.0\.0\.1:\d+", address), f"--port 0 tells the port: {address!r}")
        port = int(address.rsplit(":", 1)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/health")
        health = connection.getresponse()
        c.check(health.status == 200 and json.loads(health.read()) == {"status": "ok"}, f"/health: {health.status}")
        connection.request("GET", "/v1/models")
        names = [m["id"] for m in json.loads(connection.getresponse().read())["data"]]
        c.check({"minnow-tiny", "minnow-triage"} <= set(names), f"without MODEL the shipped ones are served: {names}")
        connection.request("POST", "/v1/completions", json.dumps({"model": "minnow-tiny", "prompt": "Once upon a time", "max_tokens": 8, "temperature": 0}))
        answer = json.loads(connection.getresponse().read())
        c.check(answer.get("usage", {}).get("completion_tokens") == 8, f"minnow-tiny answers: {answer}")
        own.process.send_signal(signal.SIGTERM)
        c.check(own.wait() == 0, "SIGTERM: exit code 0")


def drain(c, folder, model):
    with Own(c, folder, model, "--port", 0, "--drain-seconds", 20) as own:
        port = own.port()
        with Raw(port) as r, Raw(port) as idle:
            idle.send(get("/health"))
            idle.response()
            r.send(post("/v1/chat/completions", song(600)))
            r.until("data: ")
            own.process.send_signal(signal.SIGTERM)
            c.check(idle.is_closed(), "idle connections end at once")
            c.check(wait_for(lambda: refuses(port), 5), "no new connections")
            rest = r.until("0\r\n\r\n")
            c.check("[DONE]" in rest and "error" not in rest, f"an open stream ends whole: {rest[-200:]!r}")
        c.check(own.wait() == 0, "exit code 0 after the last answer")
    with Own(c, folder, model, "--port", 0, "--drain-seconds", 0.02) as own:
        with Raw(own.port()) as r:
            r.send(post("/v1/chat/completions", song()))
            r.until("data: ")
            own.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            rest = r.until("0\r\n\r\n")
            c.check('"error"' in rest, f"at the deadline it gets a final event: {rest[-300:]!r}")
            c.check(own.wait() == 0 and time.monotonic() - began < 1.3, f"exit within the deadline and a second: {time.monotonic() - began:.2f} s")
    with Own(c, folder, model, "--port", 0, "--drain-seconds", 60) as own:
        with Raw(own.port()) as r:
            r.send(post("/v1/chat/completions", song()))
            r.until("data: ")
            own.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            began = time.monotonic()
            own.process.send_signal(signal.SIGTERM)
            c.check(own.wait() == 0 and time.monotonic() - began < 1, f"a second SIGTERM ends it at once: {time.monotonic() - began:.2f} s")


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return False
    except OSError:
        return True


def unix_socket(c, folder, model):
    path = folder / "s.sock"
    with Own(c, folder, model, "--unix", path, "--no-tcp") as own:
        c.check(own.address() == f"unix:{path}", "it says where it listens")
        with Raw(path=path) as r:
            r.send(get("/health", host="whatever"))
            c.check(r.response()[0] == 200, "answers on a Unix socket")
        c.check(path.stat().st_mode & 0o777 == 0o660, "others on this machine cannot connect")
        second = subprocess.run([c.minnow, "serve", str(model), "--unix", str(path), "--no-tcp"], capture_output=True, text=True, timeout=60,
                                env={**os.environ, "MINNOW_CONFIG_DIR": str(folder)})
        c.check(second.returncode == 1 and "another program listens" in second.stderr, f"a socket in use is not taken: {second.stderr}")
        own.process.send_signal(signal.SIGINT)
        c.check(own.wait() == 0 and not path.exists(), "the socket's file goes at the end")
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with Own(c, folder, model, "--unix", path, "--no-tcp") as own:
        c.check(own.address() == f"unix:{path}", "a file that was left behind is replaced")


def tls(c, folder, model):
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                           "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, capture_output=True, text=True, timeout=60)
    if not c.check(made.returncode == 0, f"openssl: {made.stderr}"):
        return
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    with Own(c, folder, model, "--port", 0, "--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem", "--head-seconds", 1) as own:
        address = own.address()
        c.check(address.startswith("https://"), address)
        port = int(address.rsplit(":", 1)[1])
        ps = lambda *more: subprocess.run([c.minnow, "ps", "--server", address, *map(str, more)], capture_output=True, text=True, timeout=60)
        unknown, known = ps(), ps("--ca", folder / "cert.pem")
        c.check(unknown.returncode == 1 and "--ca FILE" in unknown.stderr and "minnow serve" not in unknown.stderr, f"minnow ps does not trust any certificate: {unknown.stderr}")
        c.check(known.returncode == 0, f"but that of --ca: {known.stderr}")
        with Raw(port, tls=context) as r:
            for _ in range(2):
                r.send(get("/health"))
                c.check(r.response()[0] == 200, "answers over TLS")
            r.send(post("/v1/chat/completions", song(200)) + get("/health"))
            status, _, body = r.response()
            c.check(status == 200 and "[DONE]" in body and r.response()[0] == 200, "streams over TLS")
            r.send(post("/v1/chat/completions", {**song(1, False), "x": "y" * 1_000_000}))
            c.check(r.response()[0] == 200, "large bodies over TLS")
            c.check(r.socket.version() == "TLSv1.3", r.socket.version())
        r = Raw(port, tls=context)
        r.send(post("/v1/chat/completions", song()))
        r.until("data: ")
        r.socket.close()
        with Raw(port) as plain:
            plain.send(get("/health"))
            c.check("200" not in plain.until("\r\n\r\n"), "plain HTTP gets nothing there")
        with Raw(port) as silent:
            began = time.monotonic()
            c.check(silent.is_closed() and time.monotonic() - began < 10, "a handshake that does not come is not waited for")
        own.process.send_signal(signal.SIGTERM)
        c.check(own.wait(20) == 0, "an aborted stream over TLS holds nothing up")
    refused = subprocess.run([c.minnow, "serve", str(model), "--port", "0", "--tls-cert", str(folder / "key.pem"), "--tls-key", str(folder / "key.pem")], capture_output=True, text=True,
                             timeout=60, env={**os.environ, "MINNOW_CONFIG_DIR": str(folder)})
    c.check(refused.returncode == 1 and "certificate" in refused.stderr, f"a key is no certificate: {refused.stderr}")


def refusals(c, folder, model):
    def refused(code, words, *arguments):
        r = subprocess.run([c.minnow, "serve", *map(str, arguments)], capture_output=True, text=True, timeout=60, env={**os.environ, "MINNOW_CONFIG_DIR": str(folder)})
        lines = [line for line in r.stderr.splitlines() if line.startswith("error: ")]
        c.check(r.returncode == code and len(lines) == 1 and all(w in lines[0] for w in words), f"serve {arguments}: {r.returncode} {r.stderr}")

    refused(2, ["without API keys", "--allow-open"], model, "--host", "0.0.0.0", "--port", 0)
    refused(2, ["origin"], model, "--origin", "*", "--port", 0)
    refused(2, ["--tls-cert"], model, "--tls-cert", "x", "--port", 0)
    refused(2, ["nothing to listen on"], model, "--no-tcp")
    refused(1, ["no-such-model"], "no-such-model", "--port", 0)
    refused(2, ["--port"], model, "--port", 70000)
    (folder / "broken.gguf").write_bytes(b"GGUF broken")
    refused(1, ["broken.gguf"], folder / "broken.gguf", "--port", 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused(1, ["cannot listen", "--port"], model, "--port", taken.getsockname()[1])
    with Own(c, folder, model, "--host", "0.0.0.0", "--port", 0, "--allow-open") as own:
        address = own.address()
        c.check(address.startswith("http://0.0.0.0:"), f"--allow-open opens it: {address}")
        with Raw(int(address.rsplit(":", 1)[1])) as r:
            r.send(get("/v1/models", host="evil.example"))
            c.check(r.response()[0] == 403, "Host is checked on an open server, too")


def limits(c):
    shown = subprocess.run([c.minnow, "serve", "--limits", "--json"], capture_output=True, text=True, timeout=60)
    values = json.loads(shown.stdout)
    text = (SOURCE / "src/base/limits.h").read_text()
    serving = text[text.index("// Serving"):]
    names = re.findall(r"\b(k[A-Z]\w+) = ", serving)
    c.check(len(names) > 30 and all(n in values for n in names), f"--limits shows all bounds of serving; missing: {[n for n in names if n not in values]}")
    c.check(values["kMaxHeadBytes"]["value"] == 16384, "with their values")
    c.check("kMaxBodyBytes" in subprocess.run([c.minnow, "serve", "--limits"], capture_output=True, text=True, timeout=60).stdout, "and as a table")


def model_files(c, folder):
    """Files of models that are broken, go away or become shorter: their requests fail, the server goes on."""
    folder.mkdir()
    models = folder / "models"
    models.mkdir()
    whole = scripted_gguf().build()
    for name in ("good", "gone", "lost"):
        (models / f"{name}.gguf").write_bytes(whole)
    (models / "trunc.gguf").write_bytes(whole[:len(whole) // 2])
    ask = lambda server, name: server.post("/v1/chat/completions", {"model": name, "max_tokens": 4, "messages": [{"role": "user", "content": "sing"}]})
    with Server(c.minnow, folder, "--models-dir", models) as server:
        c.check(ask(server, "good").status == 200 and server.get("/v1/models").status == 200, "a good file answers")
        (models / "gone.gguf").unlink()
        for name in ("trunc", "gone"):
            answer = ask(server, name)
            text = answer.body.decode()
            c.check(answer.status == 500 and f"'{name}'" in text and str(models) not in text, f"a file that cannot be loaded is a 500 without its path: {answer!r}")
            shown = server.post("/api/show", {"model": name})
            c.check(shown.status in (404, 500) and str(models) not in shown.body.decode(), f"/api/show as well: {shown!r}")
        lines = [json.loads(line) for line in server.log().splitlines() if "model_not_loaded" in line]
        c.check(any(x["level"] == "error" and x["model"] == "trunc" and x["path"] == str(models / "trunc.gguf") and x["error"] for x in lines),
                f"the log has its path and the reason: {lines}")
        c.check(ask(server, "lost").status == 200, "a file that is whole answers")
        os.truncate(models / "lost.gguf", 4096)
        answers = [ask(server, "lost") for _ in range(2)]
        c.check(all(a.status in (200, 500) for a in answers) and answers[1].status == 500, f"when it becomes shorter its requests fail: {answers!r}")
        c.check(ask(server, "good").status == 200, "and others do not")
        (models / "new").write_bytes(whole)
        (models / "new").rename(models / "lost.gguf")
        c.check(ask(server, "lost").status == 200, "with the file back it is loaded anew")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minnow", required=True)
    arguments = parser.parse_args()
    c = Checks(os.path.abspath(arguments.minnow))
    signal.alarm(ALL_SECONDS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = folder / f"{MODEL}.gguf"
        model.write_bytes(scripted_gguf().build())
        limits(c)
        with Server(c.minnow, folder / "all", model, "--origin", "https://friend.example", "--head-seconds", 1.5, "--body-seconds", 1.5) as server:
            for test in (connections, errors, pages, streams, aborts, slow_clients, idle_streams):
                test(c, server)
            c.check(server.stop() == 0, "exit code 0")
            c.check("sing" not in server.log() and "Paris" not in server.log(), "no prompt is in the log")
        with Server(c.minnow, folder / "busy", model, "--max-queue", 4) as server:
            busy(c, server)
        model_files(c, folder / "files")
        shipped(c, folder / "shipped")
        drain(c, folder / "drain", model)
        (folder / "unix").mkdir()
        unix_socket(c, folder / "unix", model)
        (folder / "tls").mkdir()
        tls(c, folder / "tls", model)
        (folder / "refusals").mkdir()
        refusals(c, folder / "refusals", model)
    print(f"{c.passed} passed, {c.failed} failed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
