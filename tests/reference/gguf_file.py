"""The least of GGUF: metadata, and tensors of type F32 and F16."""

import struct

import numpy as np

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class _Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def scalar(self, kind):
        value, = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return value

    def string(self):
        n = self.scalar("Q")
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            kind, n = self.scalar("I"), self.scalar("Q")
            return [self.value(kind) for _ in range(n)]
        return self.scalar(_SCALARS[kind])


def read_gguf(path):
    """({key: value}, {name: float32 array, rows first})"""
    with open(path, "rb") as f:
        c = _Cursor(f.read())
    magic, version, n_tensors, n_keys = c.scalar("4s"), c.scalar("I"), c.scalar("Q"), c.scalar("Q")
    if magic != b"GGUF" or version != 3:
        raise ValueError(f"{path}: not a GGUF file of version 3")
    metadata = {}
    for _ in range(n_keys):
        key = c.string()
        metadata[key] = c.value(c.scalar("I"))
    headers = []
    for _ in range(n_tensors):
        name = c.string()
        shape = [c.scalar("Q") for _ in range(c.scalar("I"))][::-1]
        headers.append((name, shape, c.scalar("I"), c.scalar("Q")))
    alignment = metadata.get("general.alignment", 32)
    start = -(-c.at // alignment) * alignment
    tensors = {}
    for name, shape, kind, offset in headers:
        dtype = {0: "<f4", 1: "<f2"}[kind]
        count = int(np.prod(shape))
        tensors[name] = np.frombuffer(c.data, dtype, count, start + offset).astype(np.float32).reshape(shape)
    return metadata, tensors
