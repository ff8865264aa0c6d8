#!/usr/bin/env python3
"""The program against the float64 reference: every model of tests/golden, read as the Hugging Face folder that it is, as a GGUF
file that the program made of it, and as a folder that the program made of that again.

    golden.py --minnow build/release/minnow [--isa NAME...] [FOLDER...]

One line per model, with the largest difference of an answer in each form and at each instruction-set level. The folder that
comes back must hold the same tensors, bit for bit, and a config that means the same: the reference answers from it as before.
Needs numpy (skipped with exit code 77 without); `tests/reference/make_golden.py --check` shows that the models are worth it.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: this test needs numpy (Debian package python3-numpy)")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE / "reference"))
import families  # noqa: E402
import safetensors_file  # noqa: E402

# Largest difference with f32 keys and values. Answers have a standard deviation of about 2, and f32 arithmetic of any order stays
# within a tenth of this; the two forms of GELU, the smallest thing that the models tell apart, are twice as far from each other.
BOUND = 2e-4
BOUNDS = {}

# Model: why the program may refuse it. What is not listed has to run.
REFUSED = {}

# Tensors that are not written back: they are no part of the language model.
LEFT_OUT = ("vision_tower.", "multi_modal_projector.")


class Failure(Exception):
    pass


class Program:
    def __init__(self, path):
        self.path = path

    def run(self, *args, isa=""):
        result = subprocess.run([self.path, *map(str, args)], capture_output=True, text=True, timeout=60,
                                env={**os.environ, "MINNOW_ISA": isa})
        if result.returncode != 0:
            raise Failure(f"minnow {args[0]}: exit code {result.returncode}, {result.stderr.strip() or 'nothing said'}")
        return result.stdout

    def levels(self):
        return json.loads(self.run("doctor", "--json"))["kernels_available"]

    def logits(self, model, folder, task, isa, scratch):
        out = scratch / "logits.bin"
        self.run("logits", model, "--tokens", folder / "tokens.json", "-o", out, "--kv", "f32", isa=isa)
        rows = np.fromfile(out, "<f4").reshape(-1, task["n_vocab"])
        starts = np.cumsum([0] + [len(p) for p in task["prompts"]])
        return {"logits": np.concatenate([rows[s + np.array(kept)] for s, kept in zip(starts, task["rows"])])}

    def embedding(self, model, ids, pooling, isa):
        text = self.run("embed", model, "--tokens", ",".join(map(str, ids)), "--pooling", pooling, "--no-normalize", "--json", isa=isa)
        return json.loads(text)["data"][0]["embedding"]

    def embeddings(self, model, task, isa):
        return {pooling: np.array([self.embedding(model, p, pooling, isa) for p in task["prompts"]]) for pooling in ("mean", "cls")}


class Golden:
    """A folder of tests/golden and its answers."""

    def __init__(self, folder):
        self.folder, self.name = folder, folder.name
        self.task = json.loads((folder / "tokens.json").read_text())
        self.encodes = (folder / "expected.json").exists()
        if self.encodes:
            want = json.loads((folder / "expected.json").read_text())
            self.want = {name: np.array(rows) for name, rows in want.items()}
        else:
            self.want = {"logits": np.fromfile(folder / "logits.bin", "<f4").reshape(-1, self.task["n_vocab"])}

    def distance(self, got):
        """The largest difference of an answer."""
        worst = 0.0
        for name, rows in got.items():
            if rows.shape != self.want[name].shape:
                raise Failure(f"{name}: {rows.shape} values, {self.want[name].shape} expected")
            if not np.isfinite(rows).all():
                raise Failure(f"{name}: not finite")
            worst = max(worst, np.abs(rows - self.want[name]).max())
        return worst

    def ask(self, program, model, isa, scratch):
        if self.encodes:
            return program.embeddings(model, self.task, isa)
        return program.logits(model, self.folder, self.task, isa, scratch)

    def ask_reference(self, folder):
        model = families.load(folder)
        if self.encodes:
            states = [model.hidden_states(np.array(p)) for p in self.task["prompts"]]
            return {"mean": np.array([s.mean(axis=0) for s in states]), "cls": np.array([s[0] for s in states])}
        rows = zip(self.task["prompts"], self.task["rows"])
        return {"logits": np.concatenate([model.logits(p, self.task["n_ctx"])[kept] for p, kept in rows])}

    def check(self, program, isas, scratch):
        """Differences by form; raises Failure."""
        found, gguf, back = {}, scratch / "model.gguf", scratch / "back"
        found["folder"] = max(self.distance(self.ask(program, self.folder, isa, scratch)) for isa in isas)
        program.run("convert", self.folder, gguf)
        found["gguf"] = max(self.distance(self.ask(program, gguf, isa, scratch)) for isa in isas)
        program.run("convert", gguf, back)
        self.compare_tensors(back)
        found["written folder"] = self.distance(self.ask_reference(back))
        return found

    def compare_tensors(self, back):
        want, got = self.tensors(self.folder), {}
        for path in sorted(back.glob("*.safetensors")):
            got.update(safetensors_file.read_safetensors(path))
        got = {plain(n): v for n, v in got.items()}
        if set(want) != set(got):
            raise Failure(f"tensors written back: missing {sorted(set(want) - set(got))}, new {sorted(set(got) - set(want))}")
        for name, values in want.items():
            if not np.array_equal(values, got[name]):
                raise Failure(f"written back with other values: {name} {got[name].shape}")

    @staticmethod
    def tensors(folder):
        all_of_them = safetensors_file.read_safetensors(folder / "model.safetensors")
        return {plain(n): v for n, v in all_of_them.items() if not n.startswith(LEFT_OUT)}


def plain(name):
    """A tensor's name without the prefixes that a file may have or lack."""
    for prefix in ("language_model.", "transformer.", "bert.", "roberta."):
        name = name.removeprefix(prefix)
    return name


def judge(golden, program, isas):
    """(passed, what to print)"""
    try:
        with tempfile.TemporaryDirectory() as scratch:
            found = golden.check(program, isas, pathlib.Path(scratch))
    except Failure as failure:
        refused = golden.name in REFUSED and "not supported" in str(failure)
        return refused, f"{failure} ({REFUSED[golden.name]})" if refused else str(failure)
    bound = BOUNDS.get(golden.name, BOUND)
    text = ", ".join(f"{form} {worst:.1e}" for form, worst in found.items())
    if golden.name in REFUSED:
        return False, f"{text}: it runs now, take it off the list REFUSED"
    return max(found.values()) <= bound, f"largest difference: {text}; bound {bound:g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minnow", required=True)
    parser.add_argument("--isa", nargs="+")
    parser.add_argument("folders", nargs="*")
    args = parser.parse_args()
    program, passed, failed = Program(args.minnow), 0, 0
    isas = args.isa or program.levels()
    for folder in [HERE / "golden" / name for name in args.folders] or sorted(p.parent for p in HERE.glob("golden/*/config.json")):
        good, text = judge(Golden(folder), program, isas)
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok    ' if good else 'FAILED'} {folder.name:24} {text}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
