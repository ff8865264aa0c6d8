#!/usr/bin/env python3
"""The cache of packed weights, from outside: found, refused, replaced, shared and left alone (standard library only).

    packed_cache.py --minnow build/release/minnow
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import time

from tiny_models import U32, Tensor, floats, product, tiny_gguf

WIDTH, HIDDEN, LAYERS, HEADS = 512, 2048, 2, 8
SETTLED_SECONDS = 3.2  # a file that changed more recently is not kept


def q8_0(n, seed):
    """Blocks of 32 codes with a small scale."""
    rng = random.Random(seed)
    return b"".join(b"\x00\x1c" + rng.randbytes(32) for _ in range(n // 32))


def write_model(path, seed):
    """A model whose packed weights are just large enough to be kept."""
    gguf = tiny_gguf()
    numbers = {"embedding_length": WIDTH, "feed_forward_length": HIDDEN, "block_count": LAYERS,
               "attention.head_count": HEADS, "attention.head_count_kv": HEADS, "rope.dimension_count": WIDTH // HEADS}
    for key, value in numbers.items():
        gguf.put("llama." + key, U32, value)
    tensors = [("token_embd.weight", [WIDTH, gguf_vocabulary(gguf)]), ("output_norm.weight", [WIDTH])]
    for i in range(LAYERS):
        for kind, dims in [("attn_norm", [WIDTH]), ("attn_q", [WIDTH, WIDTH]), ("attn_k", [WIDTH, WIDTH]),
                           ("attn_v", [WIDTH, WIDTH]), ("attn_output", [WIDTH, WIDTH]), ("ffn_norm", [WIDTH]),
                           ("ffn_gate", [WIDTH, HIDDEN]), ("ffn_up", [WIDTH, HIDDEN]), ("ffn_down", [HIDDEN, WIDTH])]:
            tensors.append((f"blk.{i}.{kind}.weight", dims))
    gguf.tensors = []
    for name, dims in tensors:
        n = product(dims)
        data = q8_0(n, f"{seed} {name}") if len(dims) == 2 else floats(n, name, 1.0)
        gguf.tensors.append(Tensor(name, dims, 8 if len(dims) == 2 else 0, data=data))
    path.write_bytes(gguf.build())


def gguf_vocabulary(gguf):
    return next(t.dims[1] for t in gguf.tensors if t.name == "token_embd.weight")


class Checks:
    def __init__(self, minnow, folder):
        self.minnow, self.passed, self.failed = minnow, 0, 0
        self.model, self.cache, self.home = folder / "m.gguf", folder / "cache", folder / "home"
        self.tokens, self.n_outputs = folder / "tokens.json", 0
        self.home.mkdir()
        self.tokens.write_text(json.dumps({"n_ctx": 32, "prompts": [[1, 260, 270, 261, 280]]}))

    def check(self, good, what):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("FAILED", what, flush=True)

    def start(self, *args, **environment):
        env = {k: v for k, v in os.environ.items() if k not in ("MINNOW_CACHE", "XDG_CACHE_HOME")}
        env.update({"HOME": str(self.home), "MINNOW_CACHE": str(self.cache), **environment})
        env = {k: v for k, v in env.items() if v is not None}
        return subprocess.Popen([self.minnow, *map(str, args)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, process, what):
        out, err = process.communicate(timeout=60)
        self.check(process.returncode == 0 and err == "", f"{what}: {process.returncode} {err!r}")
        return out

    def start_logits(self, *args, **environment):
        self.n_outputs += 1
        output = self.tokens.parent / f"{self.n_outputs}.bin"
        return output, self.start("logits", self.model, "--tokens", self.tokens, "-o", output, *args, **environment)

    def finish_logits(self, started, what):
        self.finish(started[1], what)
        return started[0].read_bytes()

    def logits(self, what, *args, **environment):
        return self.finish_logits(self.start_logits(*args, **environment), what)

    def files(self):
        return sorted(self.cache.iterdir()) if self.cache.exists() else []


def checks(c):
    write_model(c.model, 1)
    fresh = c.logits("a file written just now")
    c.check(c.files() == [], "nothing is kept of a file that may still change")
    time.sleep(SETTLED_SECONDS)
    plain = c.logits("--no-cache", "--no-cache")
    c.check(c.files() == [] and plain == fresh, "--no-cache keeps nothing")
    c.logits("an empty MINNOW_CACHE", MINNOW_CACHE="")
    c.logits("a folder that cannot be made", MINNOW_CACHE="/proc/minnow")
    c.check(list(c.home.iterdir()) == [], "nothing is written at home")

    together = [c.start_logits() for _ in range(4)]
    c.check(all(c.finish_logits(p, "four at once") == plain for p in together), "four processes that make the file at once agree")
    c.check(len(c.files()) == 1, "they leave one file")
    c.check(stat.S_IMODE(c.cache.stat().st_mode) == 0o700 and stat.S_IMODE(c.files()[0].stat().st_mode) == 0o600, "private modes")
    made = c.files()[0].stat()
    c.check(c.logits("found") == plain and c.files()[0].stat().st_ino == made.st_ino, "a later run finds it: the same bits, no new file")
    told = json.loads(c.finish(c.start("doctor", "--json"), "doctor"))["packed_cache"]
    c.check(told["folder"] == str(c.cache) and told["files"] == 1 and told["bytes"] == made.st_size, "doctor tells of it")

    for what, spoil in [("cut off", lambda f: os.truncate(f, made.st_size // 2)), ("foreign", lambda f: f.write_bytes(b"not ours"))]:
        before = c.files()[0]
        spoil(before)
        c.check(c.logits(what) == plain, f"a file that is {what} is not used")
        c.check([f.stat().st_size for f in c.files()] == [made.st_size], f"a file that is {what} is replaced")

    times = c.model.stat()
    write_model(c.model, 2)
    os.utime(c.model, ns=(times.st_atime_ns, times.st_mtime_ns))
    time.sleep(SETTLED_SECONDS)
    changed = c.logits("other weights", "--no-cache")
    c.check(changed != plain and c.logits("other weights") == changed, "a model of the same size and time is noticed")
    c.check(c.logits("the default folder", MINNOW_CACHE=None) == changed, "the default folder")
    kept = list((c.home / ".cache/minnow/packed").iterdir())
    c.check(len(kept) == 1, "without MINNOW_CACHE it is ~/.cache/minnow/packed")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minnow", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        disk = shutil.disk_usage(name)
        if disk.free < disk.total // 8:
            print("skipped: the disk is so full that no packed weights are kept")
            return 0
        c = Checks(str(pathlib.Path(args.minnow).resolve()), pathlib.Path(name))
        checks(c)
    print(f"{c.passed} passed, {c.failed} failed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
