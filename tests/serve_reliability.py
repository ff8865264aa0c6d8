#!/usr/bin/env python3
"""`minnow serve` under load, with clients that go away, read slowly or are too many, and when it is told to stop (standard library only).

    serve_reliability.py --minnow build/release/minnow [--long] [TEST...]

TEST: aborts, readers, loris, overload, drain; all of them by default. --long: the counts of a release instead of those of every merge
(docs/serving.md, "Under load").
"""

import argparse
import heapq
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from scripted_model import scripted_gguf
from serve_http import MODEL, Checks, Own, Raw, get, is_idle, metric, post, song, wait_for
from serve_load import load
from serve_process import Server

SHORT_SECONDS, LONG_SECONDS = 400, 7200  # nothing here may hang


def in_threads(n, work):
    """Runs work(i) for i < n at the same time; raises what one of them raised."""
    errors = []

    def run(i):
        try:
            work(i)
        except Exception as e:  # noqa: BLE001: told to the caller
            errors.append(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def descriptors(server):
    return server.descriptors()


def resident_kilobytes(server):
    for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def kernel_kilobytes(server):
    """What the kernel keeps for each of the server's connections. Without `ss` the mean of all sockets of this machine, the clients' ends too."""
    if shutil.which("ss"):
        shown = subprocess.run(["ss", "-tmnH", "state", "established", f"( sport = :{server.port} )"], capture_output=True, text=True, timeout=60, check=True).stdout
        sizes = [dict(re.findall(r"([a-z]+)(\d+)", memory)) for memory in re.findall(r"skmem:\((.*?)\)", shown)]
        return [sum(int(size[key]) for key in "rfw") / 1024 for size in sizes]  # to be read, set aside, to be sent
    tcp = re.search(r"^TCP: inuse (\d+) .* mem (\d+)$", pathlib.Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    n_sockets, n_pages = map(int, tcp.groups())
    return [n_pages * resource.getpagesize() / 1024 / max(1, n_sockets)] * n_sockets


# ---- clients that go away (L2)

STORIES = ["Once upon a time", "The little fish", "One day a girl named", "In the garden there was", "A dog and a cat", "It was raining when"]


def story(prompt):
    return {"model": "minnow-tiny", "prompt": prompt, "max_tokens": 40, "temperature": 0, "stream": True}


def text_of(body):
    events = [line[6:] for line in body.splitlines() if line.startswith("data: ") and line != "data: [DONE]"]
    return "".join(c["text"] for e in map(json.loads, events) for c in e["choices"])


def left_alone(c, server, clients):
    """All leave long answers at their beginning: the engine works on none of them any more."""
    n_tokens = 450
    streams = [Raw(server.port) for _ in range(clients)]
    for r in streams:
        r.send(post("/v1/completions", {**story(STORIES[0]), "max_tokens": n_tokens, "ignore_eos": True}))
    for r in streams:
        r.until("\n\n")
    running, pages, steps = (metric(server, name) for name in ("vllm:num_requests_running", "minnow:kv_pages_used", "minnow:engine_steps_total"))
    for i, r in enumerate(streams):
        r.reset() if i % 2 else r.socket.close()
    c.check(running > 0 and pages >= running, f"answers own pages of the KV cache: {running:.0f} of them {pages:.0f} pages")
    c.check(wait_for(lambda: is_idle(server), 1), "a second after the last client left no answer is being made")
    steps = metric(server, "minnow:engine_steps_total") - steps
    c.check(steps < n_tokens / 2, f"answers that are given up end early: {steps:.0f} steps more, of {n_tokens}")


def aborts(c, folder, _model, long):
    """Answers of neighbours are those of a quiet server, and nothing is left behind."""
    n, clients = (10000, 16) if long else (2000, 16)
    with Server(c.minnow, folder, "minnow-tiny", "--parallel", 16) as server:
        def whole(prompt):
            with Raw(server.port) as r:
                r.send(post("/v1/completions", story(prompt)))
                status, _, body = r.response()
                return (status, text_of(body) if status == 200 else body)

        expected = {p: whole(p) for p in STORIES}
        c.check(all(status == 200 and text for status, text in expected.values()), f"the model tells stories: {expected}")
        wait_for(lambda: is_idle(server))
        open_before, different, ended = descriptors(server), [], [0]

        def client(i):
            dice = random.Random(i)
            connection = Raw(server.port)
            for _ in range(n // clients):
                prompt = dice.choice(STORIES)
                if dice.random() >= 0.2:
                    connection.send(post("/v1/completions", story(prompt)))
                    status, _, body = connection.response()
                    if (status, text_of(body) if status == 200 else body) != expected[prompt]:
                        different.append((prompt, status, body[-200:]))
                    continue
                gone = Raw(server.port)
                gone.send(post("/v1/completions", story(prompt), "Connection: close"))  # it ends when the answer does
                for _ in range(dice.choice((0, 0, 1, 3, 20))):  # events that it waits for
                    gone.until("\n\n")
                gone.reset() if dice.random() < 0.5 else gone.socket.close()
                ended[0] += 1
            connection.socket.close()

        in_threads(clients, client)
        c.check(ended[0] > n * 0.1, f"{ended[0]} requests were aborted")
        c.check(not different, f"{len(different)} answers are not what they are on a quiet server: {different[:2]}")
        c.check(wait_for(lambda: is_idle(server), 1), "a second after the last of them no sequence is left")
        left_alone(c, server, clients)
        pages = metric(server, "minnow:kv_pages_used")
        c.check(pages == 0, f"no page of the KV cache is owned: {pages:.0f} are")
        c.check(wait_for(lambda: descriptors(server) <= open_before), f"no descriptor is left: {open_before} before, {descriptors(server)} now")
        c.check(whole(STORIES[0]) == expected[STORIES[0]], "it answers as before")
        c.check(server.stop() == 0, "exit code 0")


# ---- clients that read slowly (L3)


def readers(c, folder, _model, long):
    """Streams that are read a byte a second. Others are answered as before, and what waits is bounded; then they are cut."""
    n, write_seconds, n_others, slower = (1000, 300, 100, 1.1) if long else (100, 12, 30, 1.5)
    path = "/v1/completions"
    with Server(c.minnow, folder, "minnow-tiny", "--write-seconds", write_seconds, "--max-queue", 4000, "--parallel", 4) as server:
        wants = {**story(STORIES[0]), "max_tokens": 450, "ignore_eos": True}

        def whole(i):
            with Raw(server.port) as r:
                r.send(post(path, {**wants, "logprobs": 5} if i % 2 else wants))
                r.response()

        def quick():
            began = time.monotonic()
            c.check(server.post(path, {**wants, "max_tokens": 50, "stream": False}).status == 200, "others are answered")
            return time.monotonic() - began

        def seconds():
            return min(statistics.median(quick() for _ in range(n_others)) for _ in range(3))

        def made():
            return metric(server, "vllm:generation_tokens_total")

        def nothing_is_made():
            running, before = metric(server, "vllm:num_requests_running"), made()
            time.sleep(2 if long else 0)
            return running == 0 and made() == before

        in_threads(8, whole)  # the cache of the engine is in memory from here on
        quiet, before, open_before = seconds(), resident_kilobytes(server), descriptors(server)
        slow = []
        for i in range(n + n // 4):
            is_wide = i >= n  # their kernel takes much at once
            more = {"logprobs": 5} if i % 4 == 3 or is_wide else {}  # far larger than what they belong to: such answers are set aside
            slow.append(Raw(server.port, receive_bytes=None if is_wide else 4096))
            slow[-1].send(post(path, {**wants, **more}, "Connection: close"))
            slow[-1].socket.setblocking(False)
        over = threading.Event()

        def sip():
            while not over.wait(1):
                for r in slow:
                    try:
                        r.socket.recv(1)
                    except OSError:  # nothing is there yet, or it was cut
                        pass

        sipping = threading.Thread(target=sip, daemon=True)
        sipping.start()
        time.sleep(1)
        # The kernels of wide ones make room for more and more of an answer that nobody reads, which takes them a minute or two (long).
        c.check(wait_for(nothing_is_made, write_seconds * (2 / 3 if long else 1)), "nothing is made that nobody reads")
        # What is needed once, however many there are: 3.2 MB by the forms with 125 and 1,250 of them. Among few it would count for much.
        once = 0 if long else 3200
        ours, kernel = (resident_kilobytes(server) - before - once) / len(slow), kernel_kilobytes(server)
        c.check(len(kernel) >= n, f"{len(kernel)} connections are open")
        mean = statistics.mean(kernel or [0])
        c.check(ours + mean < 64, f"a slow reader costs {ours + mean:.1f} KB: {ours:.1f} KB of the server, and {mean:.1f} KB of the kernel")
        aside, among = metric(server, "vllm:num_requests_waiting"), seconds()
        c.check(aside > n / 8, f"{aside:.0f} answers wait for their readers")
        c.check(among < slower * quiet + (0 if long else 0.002), f"others are as quick as before: {1000 * quiet:.1f} ms, then {1000 * among:.1f} ms")
        print(f"     a slow reader costs {ours:.1f} KB of the server, {mean:.1f} KB of the kernel ({max(kernel, default=0):.1f} KB at most); "
              f"others are answered in {1000 * among:.1f} ms instead of {1000 * quiet:.1f} ms")
        # The kernels of wide ones make room again and again, and each time is a write that came to its end: those go by themselves.
        c.check(wait_for(lambda: descriptors(server) <= open_before + n // 4, 3 * write_seconds), "slow readers are cut")
        for r in slow[n:]:
            r.socket.close()
        # Answers that were set aside and went on for a while are cut that much later.
        c.check(wait_for(lambda: descriptors(server) <= open_before, 2 * write_seconds), "no descriptor is left")
        c.check(wait_for(lambda: is_idle(server)), "and their answers end")
        over.set()
        sipping.join()
        for r in slow[:n]:
            r.socket.settimeout(20)
        cut = sum("[DONE]" not in r.until("[DONE]") for r in slow[:n])
        # The kernel may hold all of an answer whose tokens came together in few events.
        c.check(cut > n / 2, f"{cut} of {n} slow readers were cut")
        for r in slow[:n]:
            r.socket.close()
        c.check(server.stop() == 0, "exit code 0")


# ---- clients that send or read as slowly as they can (L4)

# A letter more of any of them is nothing that the server could answer yet.
SLOW = {
    "heads": get("/health")[:-2] + "X-Slow: ",
    "bodies": get("/v1/chat/completions", "Content-Length: 100000", method="POST") + "{",
    "heads and bodies": get("/v1/chat/completions", "Content-Length: 100000", method="POST")[:-2] + "X-Slow: ",
    "streams": post("/v1/chat/completions", {**song(), "logprobs": True, "top_logprobs": 20}),
    "answers": post("/tokenize", {"content": "a " * 5000, "with_pieces": True}),
}


class Slow:
    """A client that sends or reads a letter at a time. One that is slow at both ends its head after `head` seconds."""

    def __init__(self, port, kind, head):
        self.kind, self.reads = kind, kind in ("streams", "answers")
        self.rest = (b"\r\n\r\n", head) if kind == "heads and bodies" else None
        self.began, self.raw = time.monotonic(), Raw(port, receive_bytes=4096 if self.reads else None)
        self.raw.send(SLOW[kind])
        self.raw.socket.setblocking(False)

    def goes_on(self):
        """Whether the server lets it: false when it was cut, or told that it took too long."""
        try:
            if self.rest and time.monotonic() - self.began > self.rest[1]:
                self.raw.socket.send(self.rest[0])
                self.rest = None
            self.raw.socket.send(b"x")  # behind a request as well: a connection that is closed refuses it
            return self.raw.socket.recv(1) != b"" and self.reads
        except BlockingIOError:
            return True
        except OSError:
            return False


def loris(c, folder, model, long):
    """Each slow client is cut in time, and another takes its place; a good one is answered at once all the while. The long form is that of the
    default times."""
    n, seconds, most = (500, 600, 30) if long else (200, 20, 4)
    times = () if long else ("--head-seconds", 2, "--body-seconds", most, "--write-seconds", most)
    with Server(c.minnow, folder, model, *times) as server:
        c.check(server.post("/v1/chat/completions", song(20, False)).status == 200, "it answers")
        open_before, until = descriptors(server), time.monotonic() + seconds
        lived, left, answered, odd = {kind: [] for kind in SLOW}, [], [], []

        def good():
            while time.monotonic() < until:
                for ask in (lambda: server.get("/health"), lambda: server.post("/v1/chat/completions", song(20, False))):
                    began, answer = time.monotonic(), ask()
                    answered.append(time.monotonic() - began)
                    if answer.status != 200:
                        odd.append(answer)
                time.sleep(0.1)

        def drip():
            kinds, begin = list(SLOW), time.monotonic()
            clients = [(begin + i / 100, i, None) for i in range(n)]  # when each is to go on; a hundred begin in a second
            while (now := time.monotonic()) < until:
                due, i, client = clients[0]
                if due > now:
                    time.sleep(min(due, until) - now)
                    continue
                if client and not client.goes_on():
                    lived[client.kind].append(now - client.began)
                    client.raw.socket.close()
                    client = None
                heapq.heapreplace(clients, (now + 0.5, i, client or Slow(server.port, kinds[i % len(kinds)], 8 if long else 1.5)))
            for _, _, client in clients:
                if client:
                    left.append(time.monotonic() - client.began)
                    client.raw.socket.close()

        in_threads(2, lambda i: (good, drip)[i]())
        c.check(all(lived.values()), f"slow clients of each kind are cut: { {kind: len(times) for kind, times in lived.items()} }")
        longest = {kind: max(times, default=0) for kind, times in lived.items()}
        c.check(max([*longest.values(), *left]) < most + 2, f"each of them within {most} s: {longest}, and {max(left, default=0):.1f} s of those at the end")
        c.check(not odd, f"a good client is answered: {odd[:2]}")
        c.check(max(answered) < 1, f"a good client is answered at once: {max(answered):.2f} s")
        print(f"     {sum(map(len, lived.values()))} slow clients were cut after " + ", ".join(f"{t:.1f} s ({kind})" for kind, t in longest.items()) + " at most; "
              f"a good one was answered in {1000 * statistics.median(answered):.1f} ms, {1000 * max(answered):.1f} ms at most")
        c.check(wait_for(lambda: descriptors(server) <= open_before), "no descriptor is left")
        c.check(wait_for(lambda: is_idle(server)), "no answer is left")
        c.check(server.stop() == 0, "exit code 0")


# ---- more requests than can be answered (L5)


def overload(c, folder, _model, long):
    """Answers are work here, and refusals are not: those that are let in take no longer than without the others."""
    seconds, bar, room = (600, 0.9, 8) if long else (6, 0.8, 8)
    with Server(c.minnow, folder, "minnow-tiny", "--max-queue", room, "--parallel", 4) as server:
        wants = {**story(STORIES[0]), "max_tokens": 200, "ignore_eos": True, "stream": False}
        whole = server.post("/v1/completions", wants)
        c.check(whole.status == 200 and whole.json()["usage"]["completion_tokens"] == 200, f"an answer has 200 tokens: {whole}")
        request = post("/v1/completions", wants).encode()
        alone = load(server.port, request, min(seconds, 60), clients=room)
        c.check(alone.answered and not alone.refused and not alone.odd, f"no refusal within capacity: {len(alone.refused)} {alone.odd[:2]}")
        before = resident_kilobytes(server)
        crowd = load(server.port, request, seconds, rate=10 * alone.rate())
        c.check(not crowd.odd, f"only answers and refusals: {crowd.odd[:2]}")
        heard = crowd.answered + len(crowd.refused)
        c.check(heard > 0.9 * crowd.asked, f"each request has its response: {heard} of {crowd.asked}")
        c.check(crowd.asked > 9 * alone.rate() * seconds, f"{crowd.asked / seconds:.0f} requests a second are ten times the capacity of {alone.rate():.1f}")
        took = sorted(crowd.refused) or [1]
        median, p99 = statistics.median(took), took[len(took) * 99 // 100]
        c.check(median < 0.1, f"refusals come at once: {median:.3f} s")
        c.check(crowd.rate() >= bar * alone.rate(), f"{crowd.rate():.1f} answers a second under overload, {alone.rate():.1f} without")
        c.check(resident_kilobytes(server) - before < 32 << 10, f"memory stays: {before} KB, then {resident_kilobytes(server)}")
        print(f"     {alone.rate():.1f} answers a second; {crowd.rate():.1f} of {crowd.asked / seconds:.0f} that are asked for, {100 * crowd.rate() / (alone.rate() or 1):.0f} %; "
              f"refusals in {1000 * median:.1f} ms, 99 % of them in {1000 * p99:.1f} ms; the clients took {100 * crowd.processors:.0f} % of a processor")
        c.check(server.stop() == 0, "exit code 0")


# ---- SIGTERM with open streams (L6)


def drain(c, folder, model, long):
    for i in range(200 if long else 8):
        whole = i % 2 == 0  # do they have time to end?
        with Own(c, folder / str(i), model, "--port", 0, "--parallel", 50, "--drain-seconds", 30 if whole else 0.3) as own:
            port = own.port()
            streams = [Raw(port) for _ in range(50)]
            for r in streams:
                r.send(post("/v1/chat/completions", song(40 if whole else 3500)))
            for r in streams:
                r.until("data: ")
            began = time.monotonic()
            own.process.send_signal(signal.SIGTERM)
            ends = [r.until("0\r\n\r\n") for r in streams]
            finished = sum("[DONE]" in e and '"error"' not in e for e in ends)
            told = sum('"error"' in e for e in ends)
            code = own.wait(45)
            took = time.monotonic() - began
            c.check(code == 0, f"drain {i}: exit code {code}")
            good = finished == 50 if whole else told > 0 and finished + told == 50
            c.check(good, f"drain {i}: {finished} streams ended whole, {told} were told, of 50")
            c.check(took < (10 if whole else 1.3 + 0.5), f"drain {i}: took {took:.2f} s")  # a stream that waits for its next ping takes 15 s
            for r in streams:
                r.socket.close()


TESTS = {"aborts": aborts, "readers": readers, "loris": loris, "overload": overload, "drain": drain}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minnow", required=True)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("tests", nargs="*", metavar="TEST", help=", ".join(TESTS))
    arguments = parser.parse_args()
    unknown = set(arguments.tests) - set(TESTS)
    if unknown:
        parser.error(f"no such test: {', '.join(sorted(unknown))}")
    signal.alarm(LONG_SECONDS if arguments.long else SHORT_SECONDS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    c = Checks(os.path.abspath(arguments.minnow))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = folder / f"{MODEL}.gguf"
        model.write_bytes(scripted_gguf().build())
        for test in arguments.tests or TESTS:
            began = time.monotonic()
            TESTS[test](c, folder / test, model, arguments.long)
            print(f"{test}: {time.monotonic() - began:.1f} s", flush=True)
    print(f"{c.passed} passed, {c.failed} failed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
