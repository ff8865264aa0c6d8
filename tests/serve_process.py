"""A running `minnow serve` for tests: started on a free port, asked over loopback, stopped. Standard library only."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

START_SECONDS = 60  # sanitizer builds on a busy machine


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Server:
    """`folder` holds its settings (minnow.toml, keys.json), its log (stderr) and its temporary files."""

    def __init__(self, minnow, folder, *arguments, config="", port=None, env=None):
        self.minnow, self.folder, self.arguments = str(minnow), pathlib.Path(folder), [str(a) for a in arguments]
        self.port = port or free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path, self.temporary = self.folder / "stderr", self.folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
        self.env = {**inherited, "MINNOW_CONFIG_DIR": str(self.folder), "TMPDIR": str(self.temporary), **(env or {})}
        self.env.pop("MINNOW_API_KEY", None)
        self.configure(config)
        self.process = self.connection = None

    def configure(self, text):
        (self.folder / "minnow.toml").write_text(text)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.minnow, "serve", *self.arguments, "--port", str(self.port)], env=self.env, cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"minnow serve ended with {self.process.returncode}: {self.log()[-2000:]}")
            try:
                if self.get("/health").status == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"minnow serve is not ready after {START_SECONDS} s: {self.log()[-2000:]}")
            time.sleep(0.02)

    def stop(self, seconds=45):
        """The exit code."""
        if self.connection:
            self.connection.close()
            self.connection = None
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return -9

    def descriptors(self):
        """How many are open. Only root may look into a process that leaves no core file; to others the server tells it."""
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except PermissionError:
            lines = self.get("/metrics").body.decode().splitlines()
            return int(float(next(line.split()[1] for line in lines if line.startswith("process_open_fds "))))

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def hang_up(self, event='"event":"reloaded"', seconds=10):
        """SIGHUP, and waits for what the log says then."""
        before = self.log().count(event)
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + seconds
        while self.log().count(event) == before:
            if time.monotonic() > deadline:
                raise RuntimeError(f"after SIGHUP the log does not say {event!r}: {self.log()[-500:]}")
            time.sleep(0.01)

    def request(self, method, path, body=None, headers=None, key=None):
        """`path` goes out as it is. Uses one connection as long as the server keeps it."""
        headers = dict(headers or {})
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        for attempt in (0, 1):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            try:
                self.connection.request(method, path, body=body, headers=headers)
                response = self.connection.getresponse()
                return Answer(response.status, response.headers, response.read())
            except (http.client.HTTPException, ConnectionError):
                # A kept connection may have been closed in between.
                self.connection.close()
                self.connection = None
                if attempt == 1:
                    raise

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body, **more):
        return self.request("POST", path, body=body, **more)
