"""Malformed model files, made from the tiny valid ones of tiny_models.py. Standard library only.

Every case says what must become of it under `show` and, for GGUF, under `run`: REFUSE (one error line), EITHER (an
error line or success, never a crash) or ACCEPT. Reasons: published holes in readers of these formats (counts and
lengths believed, products that wrap, tokenizer arrays read as another type, files that end early).
"""

import json
import struct
from dataclasses import dataclass

import tiny_models as tm
from tiny_models import ARR, BOOL, F32, F64, I32, I64, STR, U16, U32, U64, U8

REFUSE, EITHER, ACCEPT = "refuse", "either", "accept"
LIES = [2**16, 2**31 - 1, 2**32, 2**40, 2**61, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1]


@dataclass
class Case:
    name: str
    suffix: str  # .gguf, .safetensors, .bin
    data: bytes
    show: str = REFUSE
    run: str = REFUSE  # looked at for .gguf only


def gguf_case(name, change, show=REFUSE, run=REFUSE):
    """`change` spoils a fresh tiny GGUF, and may return bytes to use instead of building it."""
    g = tm.tiny_gguf()
    data = change(g)
    return Case("gguf-" + name, ".gguf", data if isinstance(data, bytes) else g.build(), show, run)


def setter(key, kind, value):
    return lambda g: g.put(key, kind, value)


# ---------------------------------------------------------------- GGUF: the container

def gguf_truncated():
    g = tm.tiny_gguf()
    whole = g.build()
    cuts = {0, 1, 3, 5, 11, 23}
    cuts.update(g.boundaries[:-1])
    cuts.update(b + d for b in g.boundaries[:60:3] for d in (-1, 1))
    cuts.update((g.data_begin - 1, g.data_begin, g.data_begin + 1, len(whole) // 2, len(whole) - 1))
    for n in sorted(c for c in cuts if 0 <= c < len(whole)):
        yield Case("gguf-cut-at-%06d" % n, ".gguf", whole[:n])


def gguf_header():
    for magic in (b"GGML", b"FUGG", b"gguf", b"\0\0\0\0", b"PK\3\4", b"\x80\2}q"):
        yield gguf_case("magic-" + magic.hex(), lambda g, m=magic: setattr(g, "magic", m))
    for version in (0, 1, 4, 5, 255, 0x02000000, 0x03000000, 2**31, 2**32 - 1):
        yield gguf_case("version-%d" % version, lambda g, v=version: setattr(g, "version", v))
    yield gguf_case("version-2", lambda g: setattr(g, "version", 2), ACCEPT, ACCEPT)
    n_tensors, n_entries = len(tm.tiny_gguf().tensors), len(tm.tiny_gguf().entries)
    for n in [n_tensors + 1, n_tensors + 100, 2**20, 2**20 + 1] + LIES:
        yield gguf_case("n-tensors-%d" % n, lambda g, n=n: setattr(g, "n_tensors", n))
    for n in [n_entries + 1, n_entries + 3, 1000, 2**20] + LIES:
        yield gguf_case("n-entries-%d" % n, lambda g, n=n: setattr(g, "n_entries", n))
    yield gguf_case("n-tensors-one-less", lambda g: setattr(g, "n_tensors", n_tensors - 1), EITHER)
    yield gguf_case("n-tensors-0", lambda g: setattr(g, "n_tensors", 0), EITHER)
    yield gguf_case("n-entries-one-less", lambda g: setattr(g, "n_entries", n_entries - 1), EITHER)
    yield gguf_case("n-entries-0", lambda g: setattr(g, "n_entries", 0))
    yield gguf_case("issue-19003-43-bytes", lambda g: b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + tm.text("abc")[:11] +
                    struct.pack("<II", ARR, U8))


def gguf_lengths():
    def lie(key, n):
        def change(g):
            data = g.build()
            at = data.index(tm.text(key))
            return data[:at] + struct.pack("<Q", n) + data[at + 8:]
        return change

    for what, key in [("key", "llama.block_count"), ("value", "tiny"), ("token", "<s>"), ("name", "token_embd.weight")]:
        exact = len(key)
        for n in [0, exact - 1, exact + 1, exact + 8, 4096] + LIES:
            # A wrong length close by shifts all that follows; it may, by chance, still make sense for a while.
            close = what in ("value", "token") and n < 4096
            yield gguf_case("%s-length-%d" % (what, n), lie(key, n), EITHER if close else REFUSE,
                            EITHER if close else REFUSE)


def gguf_arrays():
    n = tm.VOCAB
    for count in [n + 1, n + 1000, 2**22, 2**22 + 1] + LIES:
        for key, kind in [("tokenizer.ggml.tokens", STR), ("tokenizer.ggml.scores", F32)]:
            def change(g, key=key, kind=kind, count=count):
                old = next(e for e in g.entries if e[0] == key)
                g.put_raw(key, ARR, struct.pack("<IQ", kind, count) + old[2][12:])
            yield gguf_case("%s-count-%d" % (key.rsplit(".", 1)[1], count), change)
    for kind in (ARR, 13, 255, 2**31, 2**32 - 1):
        yield gguf_case("array-of-type-%d" % kind,
                        lambda g, k=kind: g.put_raw("x.array", ARR, struct.pack("<IQ", k, 4) + bytes(32)))
    for depth in (1, 2, 5, 1000, 100_000):
        payload = struct.pack("<IQ", ARR, 1) * depth + struct.pack("<IQB", U8, 1, 7)
        yield gguf_case("nested-arrays-%d" % depth, lambda g, p=payload: g.put_raw("x.array", ARR, p))
    for kind in (13, 14, 255, 2**16, 2**31, 2**32 - 1):
        yield gguf_case("value-type-%d" % kind, lambda g, k=kind: g.put_raw("x.value", k, bytes(16)))
    for value in (2, 128, 255):
        yield gguf_case("bool-%d" % value, setter("tokenizer.ggml.add_bos_token", BOOL, value))
        yield gguf_case("bool-array-%d" % value, lambda g, v=value: g.put_array("x.bools", BOOL, [0, 1, v]))


def gguf_alignment():
    key = "general.alignment"
    for value in (0, 1, 2, 4, 7, 12, 24, 31, 33, 48, 100, 2**16 + 8, 2**17, 2**30, 2**31, 2**32 - 1):
        yield gguf_case("alignment-%d" % value, setter(key, U32, value))
    for kind, value in [(U8, 32), (tm.I8, 32), (U16, 32), (tm.I16, 32), (I32, 32), (I32, -32), (U64, 32), (U64, 2**63),
                        (I64, 32), (I64, -1), (F32, 32.0), (F32, float("nan")), (F32, float("inf")),
                        (F64, 32.0), (F64, float("nan")), (F64, float("-inf")), (BOOL, 1), (STR, "32"), (STR, "")]:
        yield gguf_case("alignment-type-%d-%s" % (kind, value), setter(key, kind, value))
    yield gguf_case("alignment-array", lambda g: g.put_array(key, U32, [32]))

    def aligned(g, a):
        g.put(key, U32, a)
        g.alignment = a
    for value in (8, 16, 64, 4096, 65536):
        yield gguf_case("alignment-good-%d" % value, lambda g, a=value: aligned(g, a), ACCEPT, ACCEPT)


def gguf_names():
    yield gguf_case("key-twice", lambda g: g.entries.append(list(g.entries[4])))
    yield gguf_case("architecture-twice", lambda g: g.entries.insert(0, list(g.entries[0])))
    yield gguf_case("alignment-twice", lambda g: g.entries.append(["general.alignment", U32, struct.pack("<I", 64)]))
    yield gguf_case("key-empty", setter("", U8, 1))
    for name, raw in [("ff", b"a\xff"), ("overlong", b"\xc0\xaf"), ("surrogate", b"\xed\xa0\x80"), ("cut", b"a\xe2\x82"),
                      ("past-10ffff", b"\xf4\x90\x80\x80")]:
        yield gguf_case("key-utf8-" + name, setter(raw, U8, 1))
        yield gguf_case("name-utf8-" + name, lambda g, r=raw: setattr(g.tensors[1], "name", r))
    yield gguf_case("key-long", setter("k" * 70_000, U8, 1))
    yield gguf_case("key-with-newline", lambda g: g.put_raw("a\nerror: b\x1b[2J", 77, bytes(8)))
    yield gguf_case("name-empty", lambda g: setattr(g.tensors[1], "name", ""))
    yield gguf_case("name-long", lambda g: setattr(g.tensors[1], "name", "n" * 70_000))
    yield gguf_case("name-twice", lambda g: setattr(g.tensors[1], "name", g.tensors[2].name))
    def name_with_newline(g):
        g.tensors[1].name = "a\nb"
        g.tensors[1].say(kind=99)
    yield gguf_case("name-with-newline", name_with_newline)
    yield gguf_case("string-not-utf8", setter("general.name", STR, b"\xff\xfe\n\x00\x1b[31m"), EITHER, EITHER)
    yield gguf_case("string-long", setter("general.name", STR, "n" * 1_000_000), ACCEPT, ACCEPT)


def said(index, **fields):
    """The table says something untrue of one tensor; the data stay as they were."""
    return lambda g: g.tensors[index].say(**fields)


def gguf_shapes():
    for dims in [(0,), (tm.DIM, 0), (0, 0), (0, tm.DIM), (2**63,), (2**64 - 1,), (2**32, 2**32), (2**62 + 1, 4),
                 (2**61, 2), (2**60, 2), (2**42 + 1,), (2**31, 2**31, 2), (2**16, 2**16, 2**16, 2**16), (2**63, 2),
                 (2**64 - 1, 2**64 - 1), (2**63 - 1,), (2**62,), (1, 2**40), (2**40, 1, 1, 1), (tm.DIM, 1, 1, 1, 1),
                 (tm.DIM * 100,), (tm.DIM + 8,)]:
        yield gguf_case("dims-" + "x".join(map(str, dims)), said(1, dims=dims))
    for rank in (0, 5, 2**16, 2**31, 2**32 - 1):
        yield gguf_case("rank-says-%d" % rank, said(1, rank=rank))
    # Well-formed, but not the shape that the model needs.
    for dims in [(tm.DIM - 1,), (tm.DIM // 2, 2), (1, tm.DIM), (2, 2), (1,)]:
        yield gguf_case("shape-other-" + "x".join(map(str, dims)), said(1, dims=dims), EITHER)
    yield gguf_case("shape-with-ones", said(1, dims=(tm.DIM, 1, 1, 1)), EITHER, EITHER)
    yield gguf_case("shape-transposed", said(8, dims=(tm.HIDDEN, tm.DIM)), EITHER)


def gguf_types():
    for kind in [4, 5, 9, 10, 11, 13, 15, 16, 17, 18, 19, 21, 22, 23, 29, 31, 32, 33, 34, 35, 36, 37, 38, 40, 41, 42, 43, 100,
                 255, 2**16, 2**31, 2**32 - 1]:
        yield gguf_case("type-%d" % kind, said(2, kind=kind))
    for kind in (3, 6, 7, 20, 39):  # types whose blocks fit, and take fewer bytes
        yield gguf_case("type-%d" % kind, said(2, kind=kind), EITHER, EITHER)
    yield gguf_case("type-36-of-bitnet", lambda g: (g.put("general.file_type", tm.U32, 40), said(2, kind=36)(g)))
    for kind in (24, 25, 26, 27, 28):  # integers and f64: no weights; i64 and f64 are too long for the place as well
        yield gguf_case("type-%d" % kind, said(2, kind=kind), REFUSE if kind in (27, 28) else EITHER)
    for kind in (12, 14):  # rows of 32 are not whole blocks of 256
        yield gguf_case("type-%d-part-of-a-block" % kind, said(2, kind=kind))

    def infinite_scales(g):  # Q8_0 blocks whose scale is NaN or infinity
        for bits, t in ((0x7E00, g.tensors[2]), (0x7C00, g.tensors[3])):
            t.kind = 8
            t.data = (struct.pack("<H", bits) + bytes(32)) * (t.size() // 34)
    yield gguf_case("scales-nan", infinite_scales, EITHER, EITHER)


def gguf_offsets():
    begins, total = tm.tiny_gguf().offsets()
    last = len(begins) - 1
    for n in (1, 2, 4, 8, 16, 31, 33):
        yield gguf_case("offset-unaligned-%d" % n, said(2, offset=begins[2] + n))
    for n in [-(-total // 32) * 32, total + 64 - total % 32, 2**31, 2**32, 2**40, 2**62, 2**63 - 32, 2**63, 2**64 - 32,
              2**64 - 64, 2**64 - 32 * 32 * 4, 2**64 - 1]:
        yield gguf_case("offset-outside-%d" % n, said(2, offset=n))
    for i in (1, 2, last):
        yield gguf_case("overlap-first-%d" % i, said(i, offset=0))
        yield gguf_case("overlap-before-%d" % i, said(i, offset=begins[i] - 32))
    yield gguf_case("overlap-next", said(2, offset=begins[3]))
    yield gguf_case("offset-last-past-end", said(last, offset=begins[last] + 32))
    yield gguf_case("all-at-0", lambda g: [t.say(offset=0) for t in g.tensors])

    def sum_wraps(g):  # each size fits in 64 bits, the sum of the padded ones does not (CVE-2025-53630)
        g.tensors[1].say(dims=(2**60,))
        g.tensors[5].say(dims=(2**60, 3))
    yield gguf_case("tensor-sum-wraps", sum_wraps)
    yield gguf_case("tensor-pad-wraps", said(1, dims=(2**62 - 1,)))


def gguf_split():
    def split(g, no, count, kind=U16):
        g.put("split.no", kind, no)
        g.put("split.count", kind, count)
    for no, count in [(0, 2), (1, 2), (0, 65535), (5, 2), (0, 1025)]:
        yield gguf_case("split-%d-of-%d" % (no, count), lambda g, n=no, c=count: split(g, n, c))
    yield gguf_case("split-count-text", setter("split.count", STR, "2"))
    yield gguf_case("split-count-without-number", setter("split.count", U16, 3))
    yield gguf_case("split-of-one", lambda g: split(g, 0, 1), EITHER, EITHER)


# ---------------------------------------------------------------- GGUF: the model in it

def gguf_model():
    for key in ("general.architecture", "llama.embedding_length", "llama.block_count", "llama.attention.head_count",
                "tokenizer.ggml.tokens", "tokenizer.ggml.model"):
        yield gguf_case("missing-" + key, lambda g, k=key: g.drop(k), EITHER)
    for key in ("llama.context_length", "llama.feed_forward_length", "llama.attention.head_count_kv",
                "llama.attention.layer_norm_rms_epsilon", "llama.rope.dimension_count", "llama.rope.freq_base",
                "llama.vocab_size", "tokenizer.ggml.scores", "tokenizer.ggml.token_type",
                "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"):
        yield gguf_case("missing-" + key, lambda g, k=key: g.drop(k), EITHER, EITHER)
    for t in tm.tiny_gguf().tensors:
        yield gguf_case("missing-" + t.name,
                        lambda g, n=t.name: setattr(g, "tensors", [x for x in g.tensors if x.name != n]), EITHER)
    for value in ("", "no-such-model", "llama\n", b"\xff\xff", "x" * 100_000, "llama\0"):
        yield gguf_case("architecture-%s" % tm.text(value)[8:20].hex(), setter("general.architecture", STR, value), EITHER)
    yield gguf_case("architecture-number", setter("general.architecture", U32, 1), EITHER)

    integers = ("llama.embedding_length", "llama.block_count", "llama.attention.head_count", "llama.feed_forward_length",
                "llama.attention.head_count_kv")
    for key in integers:
        for value in (0, 3, 2**31 - 1, 2**31, 2**32 - 1):
            yield gguf_case("%s-%d" % (key, value), setter(key, U32, value), EITHER)
        yield gguf_case(key + "-negative", setter(key, I32, -1), EITHER)
        yield gguf_case(key + "-u64", setter(key, U64, 2**63), EITHER)
        yield gguf_case(key + "-text", setter(key, STR, "2"), EITHER)
        yield gguf_case(key + "-nan", setter(key, F32, float("nan")), EITHER)
        yield gguf_case(key + "-array", lambda g, k=key: g.put_array(k, U32, [1, 2, 3]), EITHER)
    for value in (0, 2**31, 2**32 - 1):
        yield gguf_case("llama.context_length-%d" % value, setter("llama.context_length", U32, value), EITHER, EITHER)
    for value in (0, 1, 3, 17, 32, 2**31, 2**32 - 1):
        yield gguf_case("llama.rope.dimension_count-%d" % value, setter("llama.rope.dimension_count", U32, value), EITHER,
                        EITHER)
    for key in ("llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"):
        for value in (float("nan"), float("inf"), float("-inf")):
            yield gguf_case("%s-%s" % (key, value), setter(key, F32, value), EITHER)
        for value in (0.0, -1.0, 3e38):
            yield gguf_case("%s-%s" % (key, value), setter(key, F32, value), EITHER, EITHER)
        yield gguf_case(key + "-text", setter(key, STR, "1"), EITHER)


def gguf_tokenizer():
    n = tm.VOCAB
    tokens = [entry[0] for entry in tm.vocabulary()]
    t, s, y = "tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type"
    for key in ("bos_token_id", "eos_token_id", "unknown_token_id"):
        for value in (n, n + 1, 2**31 - 1, 2**31, 2**32 - 1):
            yield gguf_case("%s-%d" % (key, value), setter("tokenizer.ggml." + key, U32, value), EITHER, EITHER)
        yield gguf_case(key + "-text", setter("tokenizer.ggml." + key, STR, "1"), EITHER)
    for kind in (U8, U32, I64, F64, BOOL):
        yield gguf_case("scores-of-type-%d" % kind, lambda g, k=kind: g.put_array(s, k, [0] * n), EITHER,
                        EITHER if kind == F64 else REFUSE)
    for kind in (F32, F64, STR, BOOL):
        values = ["1"] * n if kind == STR else [1] * n
        yield gguf_case("types-of-type-%d" % kind, lambda g, k=kind, v=values: g.put_array(y, k, v), EITHER)
    for kind in (U8, U32, F32):
        yield gguf_case("tokens-of-type-%d" % kind, lambda g, k=kind: g.put_array(t, k, [1] * n), EITHER)
    yield gguf_case("scores-as-text", lambda g: g.put_array(s, STR, ["0"] * n), EITHER)
    yield gguf_case("scores-scalar", setter(s, F32, 1.0), EITHER)
    yield gguf_case("tokens-scalar", setter(t, STR, "a b c"), EITHER)
    for name, count in (("short", n - 1), ("one", 1), ("none", 0), ("long", n + 5)):
        yield gguf_case("scores-" + name, lambda g, c=count: g.put_array(s, F32, [0.0] * c), EITHER, EITHER)
        yield gguf_case("types-" + name, lambda g, c=count: g.put_array(y, I32, [1] * c), EITHER, EITHER)
        yield gguf_case("tokens-" + name, lambda g, c=count: g.put_array(t, STR, (tokens + ["+"] * 5)[:c]), EITHER)
    yield gguf_case("scores-nan", lambda g: g.put_array(s, F32, [float("nan")] * n), EITHER, EITHER)
    for value in (0, 7, 255, -1, 2**31 - 1):
        yield gguf_case("types-%d" % value, lambda g, v=value: g.put_array(y, I32, [v] * n), EITHER,
                        EITHER)
    for name in ("<0x-1>", "<0xGG>", "<0x>", "<0x100>", "<0x1>", "<0x 1>", "<0xFFFFFFFFFF>", "<0x+1>", "", "<", "\0"):
        def change(g, name=name):
            changed = list(tokens)
            changed[3 + 0x41] = name
            g.put_array(t, STR, changed)
        yield gguf_case("byte-token-" + (name.encode().hex() or "empty"), change, EITHER, EITHER)
    yield gguf_case("tokens-all-equal", lambda g: g.put_array(t, STR, ["a"] * n), EITHER, EITHER)
    yield gguf_case("tokens-not-utf8", lambda g: g.put_array(t, STR, [b"\xff"] + tokens[1:]), EITHER, EITHER)
    for model in ("", "no-such", "bert", "\xff"):
        yield gguf_case("tokenizer-" + (model or "empty"), setter("tokenizer.ggml.model", STR, model), EITHER)
    yield gguf_case("tokenizer-gpt2-without-merges", setter("tokenizer.ggml.model", STR, "gpt2"), EITHER, EITHER)

    def merges(*values):
        def change(g):
            g.put("tokenizer.ggml.model", STR, "gpt2")
            g.put_array("tokenizer.ggml.merges", STR, list(values))
        return change
    for i, values in enumerate([("a",), ("",), (" ",), ("a b c d",), ("zz yy",), ("a b",) * 50, (b"\xff \xfe",)]):
        yield gguf_case("merges-bad-%d" % i, merges(*values), EITHER, EITHER)
    for i, template in enumerate(["{{", "{% for %}", "{{ 'A' * 4000000000 }}", "{% for i in range(10**9) %}x{% endfor %}",
                                  "(" * 5000, "{{" + "(" * 5000, "{{ messages[99999] }}", b"{{ '\xff' }}"]):
        yield gguf_case("template-%d" % i, setter("tokenizer.chat_template", STR, template), EITHER, EITHER)


# ---------------------------------------------------------------- safetensors

def st_case(name, header, data=b"", length=None, show=REFUSE):
    return Case("st-" + name, ".safetensors", tm.safetensors(header, data, length), show)


def st_container():
    header, data = tm.tiny_safetensors()
    whole = tm.safetensors(header, data)
    n = len(whole) - 8 - len(data)
    yield Case("st-valid", ".safetensors", whole, EITHER)
    for cut in sorted({*range(0, 13), *range(13, len(whole), 7), 8 + n - 1, 8 + n, 8 + n + 1, len(whole) - 1}):
        yield Case("st-cut-at-%04d" % cut, ".safetensors", whole[:cut])
    for length in [0, 1, 2, n - 1, n + 1, n + 8, n + len(data), n + len(data) + 1, 100 * 2**20, 100 * 2**20 + 1] + LIES:
        yield st_case("length-%d" % length, header, data, length)
    yield st_case("rest-1", header, data + b"x")
    yield st_case("rest-1000", header, data + bytes(1000))
    yield Case("st-zip-polyglot", ".safetensors", whole + b"PK\5\6" + bytes(18))


def st_json():
    texts = ["", " ", "{", "}", "[]", "null", "7", '"x"', "{}{}", "{}x", "{},", "{'a':1}", '{"a"}', '{"a":}', '{"a":1}',
             '{"a":[]}', '{"a":null}', '{"a":{}}', '{"a":"x"}', '{"a":true}', '{"":{}}', " {}", "\ufeff{}", "{}\0",
             '{"__metadata__":[]}', '{"__metadata__":"x"}', '{"__metadata__":{"a":1}}', '{"__metadata__":{"a":null}}',
             '{"__metadata__":{"a":{"b":"c"}}}', '{"__metadata__":{"a":["b"]}}', '{"__metadata__":{},"__metadata__":{}}',
             '{"__metadata__":{"a":"1","a":"2"}}', "// c\n{}", '{"a":NaN}', '{"a":{"dtype":"F32",}}',
             '{"a\\ud800":{}}', '{"a":{"dtype":{"dtype":{}}}}']
    for i, body in enumerate(texts):
        yield st_case("json-%02d" % i, body)
    for i, raw in enumerate([b'{"a\xff":{}}', b'{"__metadata__":{"a":"\xed\xa0\x80"}}', b"{\0}", b"\x80\2}q", b"{" * 9]):
        yield st_case("json-bytes-%d" % i, raw)
    for depth in (100, 10_000, 1_000_000):
        yield st_case("json-arrays-%d" % depth, '{"a":' + "[" * depth)
        yield st_case("json-objects-%d" % depth, '{"a":' * depth)
        yield st_case("json-shape-%d" % depth, '{"a":{"dtype":"F32","shape":' + "[" * depth + "]" * depth)
    yield st_case("json-digits", '{"a":{"dtype":"F32","shape":[' + "9" * 1_000_000 + "]")
    yield st_case("json-metadata-only", {"__metadata__": {"a": "b"}}, show=EITHER)
    yield st_case("json-no-tensors", {}, show=EITHER)
    many = "{" + ",".join('"%d":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}' % i for i in range(20_000)) + "}"
    yield st_case("json-20000-tensors", many, show=EITHER)
    yield st_case("json-20000-holes", many.replace("[0,0]", "[1,1]"))
    yield st_case("json-name-long", {"n" * 70_000: {"dtype": "I8", "shape": [1], "data_offsets": [0, 1]}}, b"x")


def st_entries():
    def one(name, show=REFUSE, data=16, **fields):
        entry = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
        for key, value in fields.items():
            if value is None:
                del entry[key]
            else:
                entry[key] = value
        return st_case("entry-" + name, {"w": entry}, bytes(data), show=show)

    for key in ("dtype", "shape", "data_offsets"):
        yield one("without-" + key, **{key: None})
    for i, word in enumerate(["", "f32", "F31", "F8_E4M3", "F8_E5M2", "U16", "U32", "U64", "C64", "F4", "Q4_0", "F32\0",
                              "F32\n", "x" * 10_000, 32, ["F32"], {}, True, 1.5]):
        yield one("dtype-%02d" % i, dtype=word)
    for i, shape in enumerate([4, "4", [[4]], [-4], [-2, -2], [2.0, 2], ["4"], [None], [True, 4], {}, [5], [3], [0],
                               [2, 2, 2], [1, 1, 1, 2, 2], [2**63], [2**64 - 1], [2**64 + 4], [2**62 + 1, 4],
                               [2**32, 2**32], [2**31, 2**31, 4], [10**400], [2**60, 0, 2**60]]):
        yield one("shape-%02d" % i, shape=shape)
    for i, offsets in enumerate([16, "0,16", [], [0], [16], [0, 16, 16], [16, 0], [-16, 0], [0, 16.0], [0, "16"], [0, None],
                                 [0, 15], [0, 17], [1, 17], [16, 32], [0, 2**63], [2**63, 2**63 + 16], [2**64 - 16, 2**64],
                                 [2**64 - 16, 2**64 - 1], [2**63 - 16, 2**63 - 1], [[0, 16]], {}]):
        yield one("offsets-%02d" % i, data_offsets=offsets)
    yield one("extra-field", more=1, show=EITHER)
    yield one("scalar", show=EITHER, data=4, shape=[], data_offsets=[0, 4])
    twice = '{"w":{"dtype":"F32","%s":%s,"shape":[2,2],"data_offsets":[0,16]%s}}'
    yield st_case("entry-dtype-twice", twice % ("dtype", '"F32"', ""), bytes(16))
    yield st_case("entry-shape-twice", twice % ("shape", "[4]", ""), bytes(16))
    yield st_case("entry-offsets-twice", twice % ("data_offsets", "[0,4]", ""), bytes(16))


def st_places():
    def two(name, a, b, data, show=REFUSE):
        def entry(place):
            return {"dtype": "I8", "shape": [place[1] - place[0]], "data_offsets": list(place)}
        return st_case("places-" + name, {"a": entry(a), "b": entry(b)}, bytes(data), show=show)

    yield two("good", (0, 4), (4, 8), 8, EITHER)
    yield two("swapped", (4, 8), (0, 4), 8, EITHER)
    for name, a, b, data in [("hole", (0, 4), (5, 8), 8), ("hole-at-begin", (1, 4), (4, 8), 8), ("overlap", (0, 5), (4, 8), 8),
                             ("same", (0, 4), (0, 4), 4), ("inside", (0, 8), (2, 4), 8), ("rest", (0, 4), (4, 8), 9),
                             ("short", (0, 4), (4, 8), 7), ("empty-in-hole", (0, 4), (6, 6), 4),
                             ("empty-past-end", (0, 4), (9, 9), 4), ("empty-inside", (0, 4), (2, 2), 4),
                             ("empty-far", (0, 4), (2**62, 2**62), 4)]:
        yield two(name, a, b, data)
    body = '"w":{"dtype":"I8","shape":[4],"data_offsets":[%d,%d]}'
    yield st_case("name-twice", "{" + body % (0, 4) + "," + body % (4, 8) + "}", bytes(8))
    yield st_case("name-twice-same", "{" + body % (0, 4) + "," + body % (0, 4) + "}", bytes(4))
    escaped = body.replace('"w"', '"\\u0077"')
    yield st_case("name-twice-escaped", "{" + body % (0, 4) + "," + escaped % (4, 8) + "}", bytes(8))
    bombs = {"t%d" % i: {"dtype": "I8", "shape": [1000], "data_offsets": [0, 1000]} for i in range(5000)}
    yield st_case("overlap-5000", json.dumps(bombs), bytes(1000))


# ---------------------------------------------------------------- llama2.c

def llama2c():
    good = [tm.DIM, tm.HIDDEN, tm.LAYERS, tm.HEADS, tm.KV_HEADS, tm.VOCAB, tm.CONTEXT]
    forms = [("legacy", tm.llama2c_legacy), ("v1", tm.llama2c_version_1)]
    for form, build in forms:
        whole = build()
        yield Case("l2c-%s-valid" % form, ".bin", whole, EITHER)
        head = 28 if form == "legacy" else 256
        for cut in sorted({0, 1, 3, 4, 8, 20, 24, 27, 28, 32, 36, 37, head - 1, head, head + 1, head + 4,
                           len(whole) // 2, len(whole) - 4, len(whole) - 1}):
            yield Case("l2c-%s-cut-at-%06d" % (form, cut), ".bin", whole[:cut])
        for more in (1, 4, 4096):
            yield Case("l2c-%s-rest-%d" % (form, more), ".bin", whole + bytes(more))
        for field in range(7):
            for value in (0, -1, 2**31 - 1, -2**31, good[field] + 1):
                numbers = list(good)
                numbers[field] = value
                n = tm.llama2c_floats(True, form == "legacy")
                # Nothing in version 1 depends on seq_len.
                show = EITHER if form == "v1" and field == 6 and value > 0 else REFUSE
                yield Case("l2c-%s-field-%d-%d" % (form, field, value), ".bin", build(numbers, n_floats=n), show)
    yield Case("l2c-huge", ".bin", tm.llama2c_legacy([2**20, 2**20, 1024, 2, 2, 2**22, 2**24], 100))
    for version in (0, 2, 3, -1, 2**31 - 1):
        yield Case("l2c-version-%d" % version, ".bin", tm.llama2c_version_1(version=version))
    for shared in (2, 255):
        yield Case("l2c-shared-%d" % shared, ".bin", tm.llama2c_version_1(shared=shared))
    yield Case("l2c-shared-lies", ".bin", tm.llama2c_version_1(shared=0, n_floats=tm.llama2c_floats(True, False)))


FAMILIES = [gguf_truncated, gguf_header, gguf_lengths, gguf_arrays, gguf_alignment, gguf_names, gguf_shapes, gguf_types,
            gguf_offsets, gguf_split, gguf_model, gguf_tokenizer, st_container, st_json, st_entries, st_places, llama2c]


def all_cases():
    yield Case("gguf-valid", ".gguf", tm.tiny_gguf().build(), ACCEPT, ACCEPT)
    for family in FAMILIES:
        yield from family()
