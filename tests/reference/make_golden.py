#!/usr/bin/env python3
"""Writes tests/golden, or checks it.

    make_golden.py [NAME...]           writes the folders (of these models)
    make_golden.py --check [NAME...]   regenerates in memory and compares with what is there; and proves that each tensor,
                                       and each setting in matter, changes the answers by more than ENOUGH
                                       (in slight: SLIGHT)

A folder holds config.json and model.safetensors, as the library writes them, and what answers.py describes.
"""

import argparse
import json
import pathlib
import sys

try:
    import numpy as np
except ImportError:
    print("skipped: this test needs numpy (Debian package python3-numpy)")
    sys.exit(77)

sys.dont_write_bytecode = True
import families  # noqa: E402
import golden_tensors  # noqa: E402
import wordpiece  # noqa: E402
from answers import answers, largest_difference, read_answers, read_task, write_answers  # noqa: E402
from golden_models import all_models  # noqa: E402
from safetensors_file import read_raw, read_safetensors, write_safetensors  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
ENOUGH = 2e-2  # 100 times the bound of tests/golden.py
SLIGHT = 4e-4  # twice
TOLERANCE = 2e-6  # relative to 1 + |value|: other versions of numpy add in another order
EVERY = 5  # one row in five of a long prompt is kept


def draw_tensors(model):
    ternary = model.config["model_type"] == "bitnet"
    return {name: golden_tensors.draw(model.name, name, spec, model.dtype, ternary)
            for name, spec in model.tensors(model.config).items()}


def make_task(model):
    vocab = model.config.get("vocab_size") or model.config["text_config"]["vocab_size"]
    prompts = [wordpiece.encode(text) for text in model.texts]
    prompts += [golden_tensors.ids(model.name, i, n, vocab) for i, n in enumerate(model.lengths)]
    task = {"n_ctx": model.n_ctx, "n_vocab": vocab, "prompts": prompts}
    if model.texts:
        task["texts"] = list(model.texts)
    if model.pairs:
        task["pairs"] = [list(pair) for pair in model.pairs]
    if "logits" in model.kinds:
        task["rows"] = [list(range(len(p)))[::-1 if len(p) <= EVERY else -EVERY][::-1] for p in prompts]
    return task


def write(model):
    folder = GOLDEN / model.name
    folder.mkdir(parents=True, exist_ok=True)
    tensors, task = draw_tensors(model), make_task(model)
    found = answers(families.build(model.config, {n: v for n, (_, v) in tensors.items()}), task, model.kinds)
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(model.config, indent=2) + "\n")
    if model.texts or model.pairs:
        (folder / "tokenizer.json").write_text(wordpiece.tokenizer_json())
    write_answers(folder, task, found)
    sizes = ", ".join(f"{kind} {rows.std():.2f}" for kind, rows in found.items())
    print(f"{model.name:24} {sum(v.size for _, v in tensors.values()):6} values; standard deviations: {sizes}")


def faults(model):
    """Sentences about what is wrong with the folder of a model."""
    folder = GOLDEN / model.name
    tensors, task = draw_tensors(model), make_task(model)
    values = {name: v for name, (_, v) in tensors.items()}
    built = families.build(model.config, values)
    found = answers(built, task, model.kinds)
    if json.loads((folder / "config.json").read_text()) != model.config:
        yield "config.json is not what golden_models.py says"
    if (model.texts or model.pairs) and (folder / "tokenizer.json").read_text() != wordpiece.tokenizer_json():
        yield "tokenizer.json is not what wordpiece.py says"
    if read_task(folder) != task:
        yield "tokens.json is not what this script makes"
    yield from wrong_tensors(folder / "model.safetensors", tensors)
    kept = read_answers(folder)
    for kind, rows in found.items():
        same = kind in kept and kept[kind].shape == rows.shape
        if not same or (np.abs(kept[kind] - rows) / (1 + np.abs(rows))).max() > TOLERANCE:
            yield f"the {kind} are not what the reference computes"
        if not 0.2 < rows.std() < 5:
            yield f"the {kind} are hardly spread, or wildly"
    unused = [n for n in built.weights.unused() if not n.endswith(model.neutral or ("?",))]
    if unused:
        yield "tensors that the reference does not read: " + " ".join(unused)
    yield from idle(model, values, task, found)


def wrong_tensors(path, tensors):
    stored = {name: dtype for name, (dtype, _, _) in read_raw(path).items()}
    if stored != {name: dtype for name, (dtype, _) in tensors.items()}:
        yield "model.safetensors has other tensors or types"
    elif any(not np.array_equal(v, tensors[n][1]) for n, v in read_safetensors(path).items()):
        yield "model.safetensors has other values"


def idle(model, values, task, found):
    """Settings and tensors that could be anything without the answers showing it."""
    def moved(config, tensors):
        return largest_difference(found, answers(families.build(config, tensors), task, model.kinds))

    for changes, enough in ((model.matter, ENOUGH), (model.slight, SLIGHT)):
        for change in changes:
            distance = moved({**model.config, **change}, values)
            if not distance > enough:
                yield f"{change} changes the answers by {distance:.2g} only"
    for name in values:
        if not name.endswith(model.neutral or ("?",)):
            distance = moved(model.config, {**values, name: np.zeros_like(values[name])})
            if not distance > ENOUGH:
                yield f"without {name} the answers change by {distance:.2g} only"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    models = [m for m in all_models() if not args.names or m.name in args.names]
    if not args.check:
        for model in models:
            write(model)
        return 0
    passed = failed = 0
    for model in models:
        found = list(faults(model))
        passed, failed = passed + (not found), failed + bool(found)
        for fault in found:
            print(f"FAILED {model.name}: {fault}", flush=True)
    for stray in sorted({p.name for p in GOLDEN.iterdir()} - {m.name for m in all_models()}):
        failed += 1
        print(f"FAILED {stray}: no model of golden_models.py")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
