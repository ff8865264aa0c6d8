"""Safetensors files: a length, a JSON header, the bytes."""

import json
import struct

import numpy as np


def bf16_to_f32(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def f32_to_bf16(values):
    """Round to nearest, ties to even; finite values only."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def read_header(path):
    with open(path, "rb") as f:
        length, = struct.unpack("<Q", f.read(8))
        return json.loads(f.read(length)), 8 + length


def read_raw(path):
    """{name: (dtype, shape, bytes)}"""
    header, start = read_header(path)
    with open(path, "rb") as f:
        data = f.read()[start:]
    return {name: (t["dtype"], tuple(t["shape"]), data[slice(*t["data_offsets"])])
            for name, t in header.items() if name != "__metadata__"}


def read_safetensors(path):
    """{name: float32 array}"""
    as_f32 = {"F32": lambda b: np.frombuffer(b, "<f4"), "F16": lambda b: np.frombuffer(b, "<f2").astype(np.float32),
              "BF16": lambda b: bf16_to_f32(np.frombuffer(b, "<u2"))}
    return {name: as_f32[dtype](raw).reshape(shape) for name, (dtype, shape, raw) in read_raw(path).items()}


def write_safetensors(path, tensors):
    """tensors: {name: (dtype, float32 array of values that the dtype can hold)}"""
    encode = {"F32": lambda a: a.astype("<f4"), "F16": lambda a: a.astype("<f2"), "BF16": f32_to_bf16}
    header, parts, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, (dtype, values) in sorted(tensors.items()):
        raw = encode[dtype](np.ascontiguousarray(values, np.float32)).tobytes()
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
