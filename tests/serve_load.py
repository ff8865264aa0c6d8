"""A load on `minnow serve` that takes little of the machine itself: one thread, connections that stay, bodies that nobody reads. Standard library only."""

import collections
import re
import selectors
import socket
import time

WARM_SECONDS = 1  # at the beginning of a load, which do not count
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
RETRY = re.compile(rb"\r\nretry-after: [1-9]", re.IGNORECASE)


class Asker:
    """A connection with one request at a time."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got, self.asked = b"", 0

    def ask(self, request):
        self.got, self.asked = b"", time.monotonic()
        self.socket.sendall(request)

    def take(self):
        """(status, head) of a response when all of it has come, else None. Status 0: the connection has ended."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            return 0, self.got
        self.got += data
        head, end, body = self.got.partition(b"\r\n\r\n")
        if not end or len(body) < int(LENGTH.search(head + b"\r\n")[1]):
            return None
        return int(head[9:12]), head + b"\r\n"


class Load:
    """What came of it while it counted."""

    def __init__(self, seconds):
        self.seconds, self.asked, self.answered = seconds, 0, 0
        self.refused, self.odd = [], []  # how long refusals took; what was neither an answer nor a refusal
        self.processors = 0.0  # that the load itself took

    def rate(self):
        return self.answered / self.seconds

    def add(self, status, head, took):
        if status == 200:
            self.answered += 1
        elif status in (429, 503) and RETRY.search(head):
            self.refused.append(took)
        else:
            self.odd.append((status, head[:200]))


def load(port, request, seconds, clients=0, rate=0):
    """Sends a request (bytes) again and again: each of some `clients` when it was answered, or all together `rate` times a second, whatever
    comes back. Responses must have a content-length."""
    result, free = Load(seconds), collections.deque()
    begin = time.monotonic() + WARM_SECONDS
    due, end, used = begin - WARM_SECONDS, begin + seconds, time.process_time()
    with selectors.DefaultSelector() as selector:

        def ask():
            if free:
                asker = free.popleft()  # in turn: none is idle for so long that the server ends it
            else:
                asker = Asker(port)
                selector.register(asker.socket, selectors.EVENT_READ, asker)
            asker.ask(request)
            result.asked += asker.asked >= begin

        for _ in range(clients):
            ask()
        while (now := time.monotonic()) < end:
            while rate and due <= now:
                ask()
                due += 1 / rate
            for key, _ in selector.select(max(0, (min(due, end) if rate else end) - now)):
                asker = key.data
                response = asker.take()
                if response is None:
                    continue
                if time.monotonic() >= begin or response[0] == 0:
                    result.add(*response, time.monotonic() - asker.asked)
                if response[0] == 0:
                    selector.unregister(asker.socket)
                    asker.socket.close()
                    continue
                free.append(asker)
                if clients:
                    ask()
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    result.processors = (time.process_time() - used) / (seconds + WARM_SECONDS)
    return result
