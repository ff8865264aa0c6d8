#!/usr/bin/env python3
"""Folders packed as GPTQ, AWQ, bitsandbytes, compressed-tensors and BitNet tools write them, made here bit by bit, must
become the same GGUF file as the plain weights that they stand for (standard library only).

    packed_models.py --minnow build/release/minnow
"""

import argparse
import filecmp
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

import tiny_models

# ---- Numbers ----


def f16(value):
    """Rounded to half precision, as a float."""
    return struct.unpack("<e", struct.pack("<e", value))[0]


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def pack_bits(codes, bits):
    """Codes one after the other, lowest bits first, in 32-bit words."""
    stream = 0
    for i, code in enumerate(codes):
        stream |= code << (i * bits)
    return [(stream >> (32 * w)) & 0xFFFFFFFF for w in range(-(-len(codes) * bits // 32))]


FORMATS = {"F32": "f", "F16": "e", "I32": "I", "U8": "B", "I8": "b", "I64": "q"}


class File:
    """A safetensors file that grows."""

    def __init__(self):
        self.header, self.data = {}, b""

    def add(self, name, dtype, shape, values):
        raw = struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values)
        self.header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(self.data), len(self.data) + len(raw)]}
        self.data += raw

    def write(self, path):
        # Data come in the order of alignment, as the tools of others have it too.
        path.write_bytes(tiny_models.safetensors(self.header, self.data))


def read(path):
    """name -> (shape, values) of a file with F32 tensors only."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__":
            assert entry["dtype"] == "F32", entry
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = (entry["shape"], list(struct.unpack(f"<{(end - begin) // 4}f", raw[begin:end])))
    return tensors


# ---- Packers: each adds the tensors of `layer` and gives the type and the values that they stand for, row by row ----


def grid(rows, group, bits, rng):
    """Random zeros, scales that fit, codes: [row][group] and [row][input]."""
    scales = [[f16(max(map(abs, row[k : k + group])) / (1 << (bits - 1)) + 1e-3) for k in range(0, len(row), group)] for row in rows]
    zeros = [[rng.randrange(1, 1 << bits) for _ in row] for row in scales]
    top = (1 << bits) - 1
    codes = [[min(top, max(0, round(v / scales[o][k // group]) + zeros[o][k // group])) for k, v in enumerate(row)] for o, row in enumerate(rows)]
    values = [[f16(scales[o][k // group] * (c - zeros[o][k // group])) for k, c in enumerate(row)] for o, row in enumerate(codes)]
    return scales, zeros, codes, values


def columns(matrix):
    return [list(column) for column in zip(*matrix)]


def flat(matrix):
    return [value for row in matrix for value in row]


def gptq(bits, group, zero_offset):
    def pack(file, layer, rows, rng):
        n_out, n_in = len(rows), len(rows[0])
        scales, zeros, codes, values = grid(rows, group, bits, rng)
        words = columns([pack_bits(row, bits) for row in codes])
        file.add(layer + ".qweight", "I32", [len(words), n_out], flat(words))
        stored = [pack_bits([(z - zero_offset) % (1 << bits) for z in row], bits) for row in columns(zeros)]
        file.add(layer + ".qzeros", "I32", [len(stored), len(stored[0])], flat(stored))
        file.add(layer + ".scales", "F16", [len(stored), n_out], flat(columns(scales)))
        file.add(layer + ".g_idx", "I32", [n_in], [k // group for k in range(n_in)])
        return "F16", values

    return pack


def awq(file, layer, rows, rng):
    group = 16
    scales, zeros, codes, values = grid(rows, group, 4, rng)

    def words(row):
        return [sum(row[w + o] << (4 * i) for i, o in enumerate([0, 2, 4, 6, 1, 3, 5, 7])) for w in range(0, len(row), 8)]

    for part, matrix in ((".qweight", columns(codes)), (".qzeros", columns(zeros))):
        packed = [words(row) for row in matrix]
        file.add(layer + part, "I32", [len(packed), len(packed[0])], flat(packed))
    file.add(layer + ".scales", "F16", [len(scales[0]), len(scales)], flat(columns(scales)))
    return "F16", values


NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]


def nf4(file, layer, rows, _):
    shape, weights, block = [len(rows), len(rows[0])], flat(rows), 64
    absmax = [f32(max(map(abs, weights[i : i + block]))) for i in range(0, len(weights), block)]
    codes = [min(range(16), key=lambda c: abs(NF4[c] * absmax[i // block] - v)) for i, v in enumerate(weights)]
    state = {"quant_type": "nf4", "blocksize": block, "dtype": "float32", "shape": shape}
    name = layer + ".weight"
    file.add(name, "U8", [len(codes) // 2, 1], [codes[i] << 4 | codes[i + 1] for i in range(0, len(codes), 2)])
    file.add(name + ".absmax", "F32", [len(absmax)], absmax)
    file.add(name + ".quant_map", "F32", [16], NF4)
    text = json.dumps(state).encode()
    file.add(name + ".quant_state.bitsandbytes__nf4", "U8", [len(text)], list(text))
    values = [f32(f32(NF4[c]) * absmax[i // block]) for i, c in enumerate(codes)]
    return "F32", [values[i : i + shape[1]] for i in range(0, len(values), shape[1])]


def int8(file, layer, rows, _):
    scales = [f32(max(map(abs, row))) for row in rows]
    codes = [[round(v / s * 127) for v in row] for row, s in zip(rows, scales)]
    file.add(layer + ".weight", "I8", [len(rows), len(rows[0])], flat(codes))
    file.add(layer + ".SCB", "F32", [len(rows)], scales)
    file.add(layer + ".weight_format", "U8", [], [0])
    return "F16", [[f16(f32(f32(s / 127) * c)) for c in row] for row, s in zip(codes, scales)]


def compressed(file, layer, rows, rng):
    scales, zeros, codes, values = grid(rows, 16, 4, rng)
    words = [pack_bits(row, 4) for row in codes]
    file.add(layer + ".weight_packed", "I32", [len(rows), len(words[0])], flat(words))
    file.add(layer + ".weight_scale", "F16", [len(rows), len(scales[0])], flat(scales))
    packed_zeros = columns([pack_bits(column, 4) for column in columns(zeros)])
    file.add(layer + ".weight_zero_point", "I32", [len(packed_zeros), len(packed_zeros[0])], flat(packed_zeros))
    file.add(layer + ".weight_shape", "I64", [2], [len(rows), len(rows[0])])
    return "F16", values


def bitnet(file, layer, rows, _):
    mean = f16(sum(map(abs, flat(rows))) / len(flat(rows)))
    codes = [[max(-1, min(1, round(v / mean))) for v in row] for row in rows]
    quarter = len(rows) // 4
    packed = [[sum(codes[i * quarter + r][k] + 1 << 2 * i for i in range(4)) for k in range(len(rows[0]))] for r in range(quarter)]
    file.add(layer + ".weight", "U8", [quarter, len(rows[0])], flat(packed))
    file.add(layer + ".weight_scale", "F16", [1], [mean])
    return "F16", [[f16(c * mean) for c in row] for row in codes]


METHODS = {
    "gptq-4": (gptq(4, 16, 1), {"quant_method": "gptq", "bits": 4, "group_size": 16, "desc_act": True}),
    "gptq-8": (gptq(8, 8, 1), {"quant_method": "gptq", "bits": 8, "group_size": 8}),
    "gptq-2-v2": (gptq(2, 16, 0), {"quant_method": "gptq", "bits": 2, "group_size": 16, "checkpoint_format": "gptq_v2"}),
    "awq": (awq, {"quant_method": "awq", "bits": 4, "group_size": 16, "version": "gemm", "zero_point": True}),
    "nf4": (nf4, {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}),
    "int8": (int8, {"quant_method": "bitsandbytes", "load_in_8bit": True}),
    "compressed": (compressed, {"quant_method": "compressed-tensors", "format": "pack-quantized",
                                "config_groups": {"group_0": {"weights": {"num_bits": 4, "group_size": 16}}}}),
    "bitnet": (bitnet, {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}),
}


def write_pair(source, packed, plain, method):
    """Two folders: one packed, one with the plain weights that it stands for."""
    pack, settings = METHODS[method]
    rng = random.Random(method)
    for folder in (packed, plain):
        shutil.copytree(source, folder)
        for path in folder.glob("*.safetensors*"):
            path.unlink()
    config = json.loads((source / "config.json").read_text())
    config["torch_dtype"] = "float16"
    (packed / "config.json").write_text(json.dumps({**config, "quantization_config": settings}))
    small, full = File(), File()
    for name, (shape, values) in read(source / "model.safetensors").items():
        if ".layers." in name and len(shape) == 2:
            rows = [values[i : i + shape[1]] for i in range(0, len(values), shape[1])]
            dtype, left = pack(small, name.removesuffix(".weight"), rows, rng)
            full.add(name, dtype, shape, flat(left))
        else:
            small.add(name, "F32", shape, values)
            full.add(name, "F32", shape, values)
    small.write(packed / "model.safetensors")
    full.write(plain / "model.safetensors")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minnow", required=True)
    minnow = str(pathlib.Path(arguments.parse_args().minnow).resolve())
    failures = 0

    def run(*args):
        done = subprocess.run([minnow, *map(str, args)], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            print(f"FAILED minnow {' '.join(map(str, args))}: {done.stderr}")
        return done.returncode == 0

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "tiny.gguf").write_bytes(tiny_models.tiny_gguf().build())
        if not run("convert", folder / "tiny.gguf", folder / "source"):
            sys.exit(1)
        for method in METHODS:
            packed, plain = folder / method / "model", folder / method / "plain" / "model"
            packed.parent.mkdir()
            plain.parent.mkdir()
            write_pair(folder / "source", packed, plain, method)
            results = [folder / method / "packed.gguf", folder / method / "plain.gguf"]
            good = run("convert", packed, results[0]) and run("convert", plain, results[1])
            good = good and run("run", packed, "once", "-n", "4")
            if good and not filecmp.cmp(*results, shallow=False):
                print(f"FAILED {method}: the packed folder gives another GGUF file than its plain weights")
                good = False
            failures += not good
    print(f"{len(METHODS)} packed folders, {failures} failed")
    sys.exit(1 if failures else 0)


main()
