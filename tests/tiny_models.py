"""Tiny valid model files, built from nothing: the stock that malformed.py spoils and fuzz/seeds.py hands out.

Standard library only.
"""

import json
import random
import struct

# GGUF metadata value types
U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
_SCALAR = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f", BOOL: "<B", U64: "<Q", I64: "<q",
           F64: "<d"}
# ggml types: id -> (elements of a block, bytes of a block)
BLOCKS = {0: (1, 4), 1: (1, 2), 30: (1, 2), 8: (32, 34), 2: (32, 18), 12: (256, 144), 14: (256, 210), 24: (1, 1),
          25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8)}


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def scalar(kind, value):
    return text(value) if kind == STR else struct.pack(_SCALAR[kind], value)


def array(kind, values):
    return struct.pack("<IQ", kind, len(values)) + b"".join(scalar(kind, v) for v in values)


class Tensor:
    """A tensor with its data. What the file's table says of it may be spoiled: see `say`."""

    def __init__(self, name, dims, kind=0, data=None):
        self.name, self.dims, self.kind = name, list(dims), kind
        self.data = bytes(self.size()) if data is None else data
        self.said = {}

    def say(self, **fields):
        """Lies of the table: dims, rank, kind, offset."""
        self.said.update(fields)

    def size(self):
        block, size = BLOCKS[self.kind]
        n = 1
        for d in self.dims:
            n *= d
        return n // block * size

    def entry(self, offset):
        """The fields of the table, each packed."""
        dims = self.said.get("dims", self.dims)
        yield text(self.name)[:8]
        yield text(self.name)[8:]
        yield struct.pack("<I", self.said.get("rank", len(dims)))
        for d in dims:
            yield struct.pack("<Q", d)
        yield struct.pack("<I", self.said.get("kind", self.kind))
        yield struct.pack("<Q", self.said.get("offset", offset))


class Gguf:
    """A GGUF file in parts that a test can spoil before build() puts them together."""

    def __init__(self):
        self.magic, self.version = b"GGUF", 3
        self.n_tensors = self.n_entries = None  # None: as many as there are
        self.entries = []  # [key, type, payload]
        self.tensors = []
        self.alignment = 32
        self.boundaries = []  # offsets after each field, known after build()
        self.data_begin = 0

    def put(self, key, kind, value):
        self.put_raw(key, kind, scalar(kind, value))

    def put_array(self, key, kind, values):
        self.put_raw(key, ARR, array(kind, values))

    def put_raw(self, key, kind, payload):
        for entry in self.entries:
            if entry[0] == key:
                entry[1:] = [kind, payload]
                return
        self.entries.append([key, kind, payload])

    def drop(self, key):
        self.entries = [e for e in self.entries if e[0] != key]

    def tensor(self, name):
        return next(t for t in self.tensors if t.name == name)

    def offsets(self):
        """Where each tensor lies in the data section, and where the last one ends."""
        at, begins = 0, []
        for t in self.tensors:
            at = -(-at // self.alignment) * self.alignment
            begins.append(at)
            at += len(t.data)
        return begins, at

    def build(self):
        out, ends = bytearray(), []

        def add(raw):
            out.extend(raw)
            ends.append(len(out))

        add(self.magic)
        add(struct.pack("<I", self.version))
        add(struct.pack("<Q", len(self.tensors) if self.n_tensors is None else self.n_tensors))
        add(struct.pack("<Q", len(self.entries) if self.n_entries is None else self.n_entries))
        for key, kind, payload in self.entries:
            add(text(key)[:8])
            add(text(key)[8:])
            add(struct.pack("<I", kind))
            if kind == ARR:
                add(payload[:4])
                add(payload[4:12])
                add(payload[12:16])
                add(payload[16:])
            else:
                add(payload)
        begins, _ = self.offsets()
        for t, begin in zip(self.tensors, begins):
            for field in t.entry(begin):
                add(field)
        if self.tensors:
            out.extend(bytes(-len(out) % self.alignment))
        self.data_begin = len(out)
        for t, begin in zip(self.tensors, begins):
            out.extend(bytes(self.data_begin + begin - len(out)))
            add(t.data)
        self.boundaries = ends
        return bytes(out)


# The shape of the tiny llama: everything small, nothing equal by chance.
DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, CONTEXT = 32, 64, 1, 2, 1, 64
KV_DIM = DIM // HEADS * KV_HEADS


def vocabulary():
    """SentencePiece-style tokens, scores and types."""
    tokens = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    tokens += [("<0x%02X>" % b, 0.0, 6) for b in range(256)]
    pieces = ["\u2581"] + [chr(c) for c in range(ord("a"), ord("z") + 1)] + ["hi", "\u2581hi", "he", "th", "\u2581the"]
    tokens += [(p, -float(i), 1) for i, p in enumerate(pieces)]
    return tokens


VOCAB = len(vocabulary())


def floats(n, seed, scale=0.1):
    rng = random.Random(seed)
    return struct.pack("<%df" % n, *(rng.uniform(-scale, scale) for _ in range(n)))


def llama_tensors():
    """(GGUF name, dims innermost first) of the tiny llama."""
    yield "token_embd.weight", [DIM, VOCAB]
    for i in range(LAYERS):
        for kind, dims in [("attn_norm", [DIM]), ("attn_q", [DIM, DIM]), ("attn_k", [DIM, KV_DIM]),
                           ("attn_v", [DIM, KV_DIM]), ("attn_output", [DIM, DIM]), ("ffn_norm", [DIM]),
                           ("ffn_gate", [DIM, HIDDEN]), ("ffn_up", [DIM, HIDDEN]), ("ffn_down", [HIDDEN, DIM])]:
            yield "blk.%d.%s.weight" % (i, kind), dims
    yield "output_norm.weight", [DIM]


def product(dims):
    n = 1
    for d in dims:
        n *= d
    return n


def tiny_gguf():
    g = Gguf()
    g.put("general.architecture", STR, "llama")
    g.put("general.name", STR, "tiny")
    g.put("general.alignment", U32, 32)
    g.put("llama.context_length", U32, CONTEXT)
    g.put("llama.embedding_length", U32, DIM)
    g.put("llama.block_count", U32, LAYERS)
    g.put("llama.feed_forward_length", U32, HIDDEN)
    g.put("llama.attention.head_count", U32, HEADS)
    g.put("llama.attention.head_count_kv", U32, KV_HEADS)
    g.put("llama.attention.layer_norm_rms_epsilon", F32, 1e-5)
    g.put("llama.rope.dimension_count", U32, DIM // HEADS)
    g.put("llama.rope.freq_base", F32, 10000.0)
    g.put("llama.vocab_size", U32, VOCAB)
    g.put("tokenizer.ggml.model", STR, "llama")
    tokens = vocabulary()
    g.put_array("tokenizer.ggml.tokens", STR, [t[0] for t in tokens])
    g.put_array("tokenizer.ggml.scores", F32, [t[1] for t in tokens])
    g.put_array("tokenizer.ggml.token_type", I32, [t[2] for t in tokens])
    g.put("tokenizer.ggml.bos_token_id", U32, 1)
    g.put("tokenizer.ggml.eos_token_id", U32, 2)
    g.put("tokenizer.ggml.unknown_token_id", U32, 0)
    g.put("tokenizer.ggml.add_bos_token", BOOL, 1)
    for name, dims in llama_tensors():
        g.tensors.append(Tensor(name, dims, 0, data=floats(product(dims), name)))
    return g


def small_gguf(version=3):
    """A few hundred bytes with one value of every kind: for fuzzing."""
    g = Gguf()
    g.version = version
    g.put("general.architecture", STR, "llama")
    g.put("general.alignment", U32, 8)
    g.alignment = 8
    for kind, value in [(U8, 1), (I8, -1), (U16, 2), (I16, -2), (I32, -3), (F32, 1.5), (BOOL, 1), (U64, 9), (I64, -9),
                        (F64, 2.5)]:
        g.put("k.%d" % kind, kind, value)
        g.put_array("a.%d" % kind, kind, [value] * 2)
    g.put_array("a.8", STR, ["a", "", "bc"])
    g.tensors = [Tensor("f32", [2, 2], 0), Tensor("f16", [3], 1), Tensor("q8", [32, 1, 1, 2], 8), Tensor("q4k", [256], 12)]
    return g


def safetensors(header, data=b"", length=None):
    """`header` is a dict, text or bytes; `length` overrides the header's length field."""
    if isinstance(header, dict):
        header = json.dumps(header, separators=(",", ":"))
    raw = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def tiny_safetensors():
    """(header, data) of two tensors."""
    header = {"__metadata__": {"format": "pt"},
              "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
              "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]}}
    return header, floats(6, "a") + bytes(8)


LLAMA2C_MAGIC = 0x616B3432


def llama2c_floats(shared=True, legacy=True):
    n = VOCAB * DIM + DIM + LAYERS * (2 * DIM + 2 * DIM * DIM + 2 * DIM * KV_DIM + 3 * DIM * HIDDEN)
    if legacy:
        n += 2 * CONTEXT * (DIM // HEADS // 2)
    return n if shared else n + VOCAB * DIM


def llama2c_legacy(numbers=None, n_floats=None):
    if numbers is None:
        numbers = [DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCAB, CONTEXT]
    return struct.pack("<7i", *numbers) + floats(llama2c_floats() if n_floats is None else n_floats, "legacy")


def llama2c_version_1(numbers=None, shared=1, version=1, n_floats=None):
    if numbers is None:
        numbers = [DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCAB, CONTEXT]
    head = struct.pack("<Ii7iB", LLAMA2C_MAGIC, version, *numbers, shared)
    n = llama2c_floats(shared == 1, False) if n_floats is None else n_floats
    return head.ljust(256, b"\0") + floats(n, "v1")
