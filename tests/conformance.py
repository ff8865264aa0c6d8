#!/usr/bin/env python3
"""The program against what peers computed: logits of ../shared/conformance, and stories260K of ../shared/data as every
file form, at every instruction-set level. Skipped (exit code 77) without ../shared.

    conformance.py --minnow build/release/minnow
"""

import argparse
import array
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"
STORIES = SHARED / "data/models/stories260k"
CORPUS = SHARED / "data/corpora/tinystories/tiny_stories_1mb.txt"

# family: (largest difference, largest KL divergence) with f32 and with f16 keys and values, from conformance/README.md
EXACT = {"f32": (1e-4, 1e-9), "f16": (2.3e-2, 2e-5)}
GELU = {"f32": (1e-2, 2e-6), "f16": (2.4e-2, 2e-5)}  # the peer looks GELU up in a table of f16 values
# 26 layers deep: the float64 reference of tests/reference is as far from the peer.
DEEP_GELU = {"f32": (1e-2, 4e-6), "f16": (2.4e-2, 2e-5)}
# Where the CPU has a unit for bf16, this cache type has 16-bit weights, too, multiplied in bf16: 8 bits of mantissa.
IN_BF16 = (0.3, 3e-3)
LIMITS = {
    "llama": EXACT, "mistral": EXACT, "qwen2": EXACT, "qwen3": EXACT, "phi3": EXACT, "phi3-partial-rope": EXACT,
    "bitnet": EXACT, "gemma2": DEEP_GELU, "gemma3": GELU, "gpt2": GELU,
}
STORY = """Once upon a time, there was a little girl named Lily. She loved to play outside in the park. \
One day, she saw a big, red ball. She wanted to play with it, but it was too high.
Lily's mom said, "Lily, let's go to the park." Lily was sad and didn't know what to do. She said, "I want to play with \
your ball, but I can'"""
IDS = {"Once upon a time": [1, 403, 407, 261, 378], "Lily and Tom": [1, 317, 269, 274, 287]}


class Checks:
    def __init__(self, minnow):
        self.minnow, self.passed, self.failed = minnow, 0, 0

    def run(self, *args, isa=""):
        result = subprocess.run([self.minnow, *map(str, args)], capture_output=True, text=True, timeout=300,
                                env={**os.environ, "MINNOW_ISA": isa})
        if result.returncode != 0:
            raise RuntimeError(f"minnow {' '.join(map(str, args))}: {result.stderr.strip()}")
        return result.stdout

    def check(self, good, what):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("FAILED", what, flush=True)


def read_f32(path):
    values = array.array("f")
    with open(path, "rb") as f:
        values.frombytes(f.read())
    return values


def compare(got, want, width):
    """Largest difference, largest KL(want || got) of a row, share of rows with the same largest value."""
    worst, worst_kl, same, rows = 0.0, 0.0, 0, len(want) // width
    for r in range(rows):
        a, b = got[r * width:(r + 1) * width], want[r * width:(r + 1) * width]
        worst = max(worst, max(abs(x - y) for x, y in zip(a, b)))
        top_a, top_b = max(a), max(b)
        sum_a = math.log(sum(math.exp(x - top_a) for x in a)) + top_a
        sum_b = math.log(sum(math.exp(x - top_b) for x in b)) + top_b
        worst_kl = max(worst_kl, sum(math.exp(y - sum_b) * ((y - sum_b) - (x - sum_a)) for x, y in zip(a, b)))
        same += a.index(top_a) == b.index(top_b)
    return worst, worst_kl, same / rows


def logits(c, folder, isas):
    with_bf16 = [isa for isa in isas if json.loads(c.run("doctor", "--json", isa=isa))["bf16_ops_per_second"] > 0]
    for family, limits in LIMITS.items():
        source = SHARED / "conformance" / family
        want = read_f32(source / "logits.bin")
        width = json.loads((source / "tokens.json").read_text())["n_vocab"]
        for kv, (most, most_kl) in {**limits, "bf16": IN_BF16}.items():
            for isa in with_bf16 if kv == "bf16" else isas:
                out = folder / "logits.bin"
                c.run("logits", source / "model.gguf", "--tokens", source / "tokens.json", "-o", out, "--kv", kv, isa=isa)
                got = read_f32(out)
                c.check(len(got) == len(want), f"{family} {kv} {isa}: {len(got)} values, {len(want)} expected")
                worst, kl, same = compare(got, want, width)
                print(f"{family:7} kv {kv} {isa:9} max diff {worst:.2g}  max KL {kl:.2g}  same top {same:.1%}", flush=True)
                c.check(worst <= most and kl <= most_kl and same >= (0.95 if kv == "bf16" else 0.988), f"{family} {kv} {isa}: beyond {most}, {most_kl}")


def stories(c, folder, isas):
    converted, again = folder / "from-hf.gguf", folder / "hf-again"
    c.run("convert", STORIES / "stories260K-f32.gguf", again)
    c.run("convert", again, converted)
    from_llama2c = folder / "from-llama2c.gguf"
    c.run("convert", STORIES / "stories260K.bin", from_llama2c)
    forms = [STORIES / "stories260K-f32.gguf", STORIES / "stories260K.bin", STORIES / "stories260K_v1.bin", STORIES / "hf",
             again, converted, from_llama2c]
    for model in forms:
        for isa in isas:
            text = c.run("run", model, "Once upon a time", "-n", 120, "--temp", 0, "--seed", 1, "--raw", isa=isa)
            c.check(text.rstrip("\n").startswith(STORY), f"{model.name} {isa}: another story:\n{text}")
        for prompt, ids in IDS.items():
            c.check(json.loads(c.run("tokenize", model, prompt, "--json"))["ids"] == ids, f"{model.name}: ids of {prompt!r}")
        result = json.loads(c.run("perplexity", model, "-f", CORPUS, "--ctx", 256, "--chunks", 32, "--kv", "f32", "--json"))
        c.check(abs(result["perplexity"] - 3.9285) < 2e-4, f"{model.name}: perplexity {result['perplexity']}")
    original, back = (json.loads(c.run("show", m, "--json")) for m in (forms[0], converted))
    c.check(original["parameters"] == back["parameters"], "parameters differ after GGUF -> safetensors -> GGUF")


def static_embeddings(c):
    """model2vec's own expected vectors (its library's tests)."""
    folder = SHARED / "data/models/model2vec"
    hellos = " ".join(["hello"] * 1000)
    cases = [(f"test-model-{kind}", text, expected, bound)
             for text, expected in (("hello world", "embeddings_short.json"), (hellos, "embeddings_long.json"))
             for kind, bound in (("float32", 1e-5), ("sentence-transformers", 1e-5), ("float16", 1e-3), ("int8", 0.1))]
    cases.append(("test-model-vocab-quantized", hellos, "embeddings_vocab_quantized.json", 1e-5))
    for model, text, expected, bound in cases:
        want = json.loads((folder / expected).read_text())[0]
        got = json.loads(c.run("embed", folder / model, text, "--json"))["data"][0]["embedding"]
        worst = max(abs(x - y) for x, y in zip(got, want))
        c.check(len(got) == len(want) and worst <= bound, f"{model}: an embedding is {worst:.2g} off")
        print(f"{model:35} {len(text):5} characters: largest difference {worst:.2g}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minnow", required=True)
    args = parser.parse_args()
    if not (SHARED / "conformance").is_dir():
        print("skipped: ../shared is not here, so there are no golden logits to compare with")
        return 77
    c = Checks(args.minnow)
    isas = json.loads(c.run("doctor", "--json"))["kernels_available"]
    with tempfile.TemporaryDirectory() as folder:
        logits(c, pathlib.Path(folder), isas)
        stories(c, pathlib.Path(folder), isas)
    static_embeddings(c)
    print(f"{c.passed} passed, {c.failed} failed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
