#!/usr/bin/env python3
"""What serving costs beyond the engine: processor time of a token, and memory of a stream that waits (standard library only).

    serve_overhead.py --program build/release/tests/serve_null [--streams 1000] [--json]

The model behind the server computes nothing, so that all that is measured is ours.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time

MAX_MICROSECONDS, MAX_KILOBYTES = 100, 64
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    def __init__(self, program, tokens, interval, folder):
        self.process = subprocess.Popen([program, str(tokens), str(interval)], stdout=subprocess.PIPE, text=True, env={**os.environ, "MINNOW_CONFIG_DIR": folder})
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_kilobytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text()).group(1))

    def open_stream(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        body = json.dumps({"model": "null", "stream": True, "messages": [{"role": "user", "content": "x"}]})
        s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        return s


def read_all(sockets):
    """What each gets, until all have ended."""
    got = {s: bytearray() for s in sockets}
    with selectors.DefaultSelector() as selector:
        for s in sockets:
            selector.register(s, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(60):
                data = key.fileobj.recv(1 << 16)
                got[key.fileobj] += data
                if not data:
                    selector.unregister(key.fileobj)
    return list(got.values())


def token_cost(program, folder, interval, n_streams=16, tokens=1500):
    """Microseconds of processor time for a token, all threads together."""
    with Server(program, tokens, interval, folder) as server:
        read_all([server.open_stream()])  # warm
        before, began = server.cpu_seconds(), time.monotonic()
        answers = read_all([server.open_stream() for _ in range(n_streams)])
        seconds = server.cpu_seconds() - before
        words = sum(a.count(b"word ") for a in answers)
        if words != n_streams * tokens or not all(b"[DONE]" in a for a in answers):
            raise RuntimeError(f"{words} tokens came instead of {n_streams * tokens}: {bytes(answers[0][:300])!r}")
        return {"microseconds": seconds * 1e6 / words, "tokens_per_second": words / (time.monotonic() - began)}


def stream_cost(program, folder, n):
    """Kilobytes of a stream that waits for its next token."""
    with Server(program, 100, 600_000_000, folder) as server:
        warm = [server.open_stream() for _ in range(20)]
        for s in warm:
            s.recv(1 << 16)
        before = server.resident_kilobytes()
        streams = [server.open_stream() for _ in range(n)]
        for s in streams:
            s.recv(1 << 16)  # its head, and the first token
        each = (server.resident_kilobytes() - before) / n
        for s in warm + streams:
            s.close()
        return each


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    signal.alarm(240)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < arguments.streams + 100:
        print(f"skipped: only {hard} descriptors may be open")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        paced = token_cost(arguments.program, folder, 1000)
        kilobytes = stream_cost(arguments.program, folder, arguments.streams)
    result = {"streams": 16, "microseconds_per_token": round(paced["microseconds"], 1), "tokens_per_second": round(paced["tokens_per_second"]),
              "waiting_streams": arguments.streams, "kilobytes_per_stream": round(kilobytes, 1)}
    print(json.dumps(result) if arguments.json else
          f"{result['microseconds_per_token']} us of processor time for a token at 16 streams; {result['kilobytes_per_stream']} KB for each of {arguments.streams} waiting streams")
    good = paced["microseconds"] < MAX_MICROSECONDS and kilobytes < MAX_KILOBYTES
    if not good:
        print(f"FAILED: at most {MAX_MICROSECONDS} us and {MAX_KILOBYTES} KB are allowed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
