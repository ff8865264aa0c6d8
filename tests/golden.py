#!/usr/bin/env python3
"""The program against the float64 reference: every model of tests/golden, read as the Hugging Face folder that it is, as
a GGUF file that the program made of it, and as a folder that the program made of that again.

    golden.py --minnow build/release/minnow [--isa NAME...] [FOLDER...]

One line per model, with the largest difference of an answer in each form at any instruction-set level. The folder that comes
back must hold the same tensors, bit for bit, and a config that means the same: the reference answers from it as before.
Needs numpy (skipped with exit code 77 without). `tests/reference/make_golden.py --check` shows what these models can tell.
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
from answers import answers, largest_difference, read_answers, read_task  # noqa: E402
from safetensors_file import read_safetensors  # noqa: E402

# Largest difference with f32 keys and values. Answers have a standard deviation of about 2, and f32 arithmetic in any order
# stays within a tenth of this. The two forms of GELU, the least that the models tell apart, are twice as far from each other.
BOUND = 2e-4
BOUNDS = {}

# Model: why the program may refuse it. What is not listed has to run.
REFUSED = {
    "granitemoe": "experts whose gate and up matrices are one tensor",
    "modernbert-classifier": "the ModernBERT family",
}

# Tensors that are not written back: they are no part of the language model.
LEFT_OUT = ("vision_tower.", "multi_modal_projector.")
# Prefixes of names that a file may have or lack.
PREFIXES = ("language_model.", "transformer.", "bert.", "roberta.")
# GGUF keeps RoBERTa as the BERT that computes the same: without the rows of positions that are never used.
ROBERTA_AS_BERT = {"classifier.dense.": "pooler.dense.", "classifier.out_proj.": "classifier."}


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

    def logits(self, model, task, isa, scratch):
        tokens, out = scratch / "tokens.json", scratch / "logits.bin"
        tokens.write_text(json.dumps({"n_ctx": task["n_ctx"], "prompts": task["prompts"]}))
        self.run("logits", model, "--tokens", tokens, "-o", out, "--kv", "f32", isa=isa)
        rows = np.fromfile(out, "<f4").reshape(-1, task["n_vocab"])
        starts = np.cumsum([0] + [len(p) for p in task["prompts"]])
        return np.concatenate([rows[start + np.array(kept)] for start, kept in zip(starts, task["rows"])])

    def embed(self, model, what, pooling, isa):
        """what: a text, or --tokens and the ids."""
        text = self.run("embed", model, *what, "--pooling", pooling, "--no-normalize", "--kv", "f32", "--json",
                        isa=isa)
        return json.loads(text)["data"][0]["embedding"]

    def embeddings(self, model, task, pooling, isa):
        return np.array([self.embed(model, ("--tokens", ",".join(map(str, p))), pooling, isa) for p in task["prompts"]])

    def relevance(self, model, task, isa):
        def score(query, document):
            text = self.run("rerank", model, query, document, "--kv", "f32", "--json", isa=isa)
            return [json.loads(text)["results"][0]["score"]]

        return np.array([score(*pair) for pair in task["pairs"]])

    def answer(self, model, task, kind, isa, scratch):
        if kind == "logits":
            return self.logits(model, task, isa, scratch)
        return self.relevance(model, task, isa) if kind == "relevance" else self.embeddings(model, task, kind, isa)


class Golden:
    """A folder of tests/golden, and how far the program is from it."""

    def __init__(self, folder):
        self.folder, self.task = folder, read_task(folder)
        self.want = read_answers(folder)
        self.kinds = [kind for kind in self.want if kind != "scores"]  # no command of the program gives those yet
        self.bound = BOUNDS.get(folder.name, BOUND)

    def distance(self, got):
        for kind, rows in got.items():
            if rows.shape != self.want[kind].shape:
                raise Failure(f"{kind}: {rows.shape} values, {self.want[kind].shape} expected")
            if not np.isfinite(rows).all():
                raise Failure(f"{kind}: not finite")
        return largest_difference(got, self.want)

    def check(self, program, isas, scratch):
        """{form: largest difference}"""
        gguf, back = scratch / "model.gguf", scratch / "back"

        def ask(model):
            return max(self.distance({kind: program.answer(model, self.task, kind, isa, scratch) for kind in self.kinds})
                       for isa in isas)

        found = {"folder": ask(self.folder)}
        program.run("convert", self.folder, gguf)
        found["gguf"] = ask(gguf)
        for model in (self.folder, gguf):
            self.check_texts(program, model)
        program.run("convert", gguf, back)
        self.compare_tensors(back)
        try:
            found["written folder"] = self.distance(answers(families.load(back), self.task, self.want))
        except KeyError as missing:
            raise Failure(f"the config or the tensors written back lack {missing}") from None
        return found

    def check_texts(self, program, model):
        for text, ids in zip(self.task.get("texts", []), self.task["prompts"]):
            got = json.loads(program.run("tokenize", model, text, "--json"))["ids"]
            if got != ids:
                raise Failure(f"{model.name}: ids {got} of {text!r}, {ids} expected")
            what = (text,), ("--tokens", ",".join(map(str, ids)))
            vectors = [program.embed(model, spelling, "mean", "") for spelling in what]
            if vectors[0] != vectors[1]:
                raise Failure(f"{model.name}: the embedding of {text!r} is not that of its ids")

    def compare_tensors(self, back):
        want, got = self.tensors(self.folder), self.tensors(back)
        if set(want) != set(got):
            raise Failure(f"written back: without {sorted(set(want) - set(got))}, with {sorted(set(got) - set(want))}")
        different = [name for name in want if not np.array_equal(want[name], got[name])]
        if different:
            raise Failure(f"written back with other values: {' '.join(different)}")

    @staticmethod
    def tensors(folder):
        """By names that do not depend on how the family spells them."""
        config, out = json.loads((folder / "config.json").read_text()), {}
        for path in sorted(folder.glob("*.safetensors")):
            for name, values in read_safetensors(path).items():
                for prefix in PREFIXES:
                    name = name.removeprefix(prefix)
                if "roberta" in config["model_type"]:
                    name = next((name.replace(old, new) for old, new in ROBERTA_AS_BERT.items() if name.startswith(old)), name)
                    if name == "embeddings.position_embeddings.weight":
                        values = values[config["pad_token_id"] + 1:]
                if not name.startswith(LEFT_OUT):
                    out[name] = values
        return out


def judge(golden, program, isas):
    """(passed, what to print)"""
    name = golden.folder.name
    try:
        with tempfile.TemporaryDirectory() as scratch:
            found = golden.check(program, isas, pathlib.Path(scratch))
    except Failure as failure:
        refused = name in REFUSED and "not supported" in str(failure)
        return refused, f"{failure} ({REFUSED[name]})" if refused else str(failure)
    text = "largest difference: " + ", ".join(f"{form} {worst:.1e}" for form, worst in found.items())
    if name in REFUSED:
        return False, f"{text}; it runs now: take it off the list REFUSED"
    return max(found.values()) <= golden.bound, f"{text}; bound {golden.bound:g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minnow", required=True)
    parser.add_argument("--isa", nargs="+")
    parser.add_argument("folders", nargs="*")
    args = parser.parse_args()
    program, passed, failed = Program(args.minnow), 0, 0
    isas = args.isa or program.levels()
    folders = [HERE / "golden" / name for name in args.folders] or sorted((HERE / "golden").iterdir())
    for folder in folders:
        good, text = judge(Golden(folder), program, isas)
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok    ' if good else 'FAILED'} {folder.name:24} {text}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
