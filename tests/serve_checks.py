"""What the tests of dialects have in common: a server with the scripted model (scripted_model.py), and checks that are counted."""

import argparse
import json
import pathlib
import sys
import tempfile

from scripted_model import scripted_gguf
from serve_process import Server

WEATHER_PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Checks:
    def __init__(self, server):
        self.server, self.passed, self.failed = server, 0, 0

    def check(self, good, what):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("FAILED", what, flush=True)
        return good

    def same(self, got, expected, what):
        return self.check(got == expected, f"{what}: {got!r} instead of {expected!r}")

    def ask(self, path, body, status=200, method="POST"):
        answer = self.server.request(method, path, body=body)
        self.check(answer.status == status, f"{method} {path} {str(body)[:200]}: {answer!r} instead of {status}")
        try:
            return answer.json()
        except ValueError:
            self.check(False, f"{path}: not JSON: {answer!r}")
            return {}

    def events(self, path, body):
        """Of an SSE stream, as (name, data)."""
        answer = self.server.post(path, {**body, "stream": True})
        self.check(answer.status == 200 and answer.headers.get("content-type", "").startswith("text/event-stream"), f"{path} streams: {answer!r}")
        events = []
        for block in answer.body.decode().split("\n\n"):
            lines = [line for line in block.split("\n") if line and not line.startswith(":")]
            if not lines:
                continue
            name = next((line[7:] for line in lines if line.startswith("event: ")), "")
            data = [line[6:] for line in lines if line.startswith("data: ")]
            if self.check(len(data) == 1, f"{path}: an event without one line of data: {block!r}"):
                events.append((name, json.loads(data[0])))
        return events


def run(description, parts):
    """Each part takes Checks. The exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--minnow", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "scripted.gguf"
        model.write_bytes(scripted_gguf().build())
        with Server(pathlib.Path(options.minnow).resolve(), pathlib.Path(folder) / "server", model) as server:
            c = Checks(server)
            for part in parts:
                try:
                    part(c)
                except Exception as e:  # one part that falls over is one failure
                    c.check(False, f"{part.__name__}: {type(e).__name__}: {e}")
            c.check(server.get("/health").status == 200, "the server is well")
    print(f"{c.passed} checks passed, {c.failed} failed")
    sys.exit(1 if c.failed else 0)
