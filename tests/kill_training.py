#!/usr/bin/env python3
"""Training that is killed at random moments and resumed each time ends with the same file as training that was not.

    kill_training.py --minnow build/release/minnow [--kills N] [--seed N]

Every run is killed (SIGKILL) at a moment that is drawn evenly from the time that a whole run takes: while it starts, computes, writes
a checkpoint or its log, or writes the model. A run that comes to its end is compared, and the next one begins anew. What is there after
a kill must be whole: checkpoints that a run resumes from, and a model only if it is the right one. Standard library only.
"""

import argparse
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

STEPS = 60


class Runs:
    def __init__(self, minnow, folder):
        self.minnow, self.folder = minnow, folder
        self.text, self.tokenizer = folder / "text.txt", folder / "tokenizer.json"
        rng = random.Random(1)
        words = "the cat sees a dog and the dog likes my bird while it follows the fish".split()
        self.text.write_text("".join(" ".join(rng.choice(words) for _ in range(8)) + ".\n" for _ in range(400)))
        self.call("tokenizer", "train", self.text, "-o", self.tokenizer, "--vocab-size", 280)
        self.n = 0

    def call(self, *args):
        r = subprocess.run([self.minnow, *map(str, args)], capture_output=True, text=True, check=False)
        if r.returncode != 0:
            raise SystemExit(f"FAILED: {' '.join(map(str, args))}: {r.stderr.strip()}")

    def begin(self):
        """The output of a run that has not begun."""
        self.n += 1
        output = self.folder / f"run{self.n}" / "m.gguf"
        output.parent.mkdir()
        return output

    def command(self, output):
        resumes = any((output.parent / "m.gguf.run" / "checkpoints").glob("*.ckpt"))
        args = ["pretrain", self.text, "-o", output, "--tokenizer", self.tokenizer, "--layers", 2, "--dim", 32, "--heads", 2, "--ff", 64,
                "--ctx", 32, "--batch", 4, "--steps", STEPS, "--lr", 0.01, "--warmup", 2, "--checkpoint-every", 3, "--evaluate-every", 10,
                "--validation-share", 0.1, "--qat", "Q4_0"]
        return [self.minnow, *map(str, args)] + (["--resume"] if resumes else [])

    def run(self, output, seconds=None):
        """Whether the run came to its end within that time; else it was killed."""
        process = subprocess.Popen(self.command(output), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return False
        if process.returncode != 0:
            raise SystemExit(f"FAILED: {' '.join(self.command(output))}: {errors.decode().strip()}")
        return True


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_log(output):
    lines = [json.loads(line) for line in (output.parent / "m.gguf.run" / "log.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if "loss" in line]
    return steps == list(range(1, STEPS + 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minnow", required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        runs = Runs(str(pathlib.Path(args.minnow).resolve()), pathlib.Path(name))
        whole = runs.begin()
        start = time.monotonic()
        runs.run(whole)
        seconds, wanted = time.monotonic() - start, digest(whole)
        kills, ends, failures = 0, 0, 0
        output = runs.begin()
        while kills < args.kills or output.parent.joinpath("m.gguf.run").exists():
            ended = runs.run(output, rng.uniform(0, seconds) if kills < args.kills else None)
            kills += not ended
            if output.exists() and digest(output) != wanted:
                failures += 1
                print(f"FAILED: a model that differs after {kills} kills (seed {args.seed})")
            if not ended:
                continue
            ends += 1
            if not check_log(output):
                failures += 1
                print(f"FAILED: log.jsonl has not a line for each step after {kills} kills (seed {args.seed})")
            output = runs.begin()
    print(f"{kills} kills, {ends} resumed runs came to their end, {failures} failed")
    return 1 if failures or ends == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
