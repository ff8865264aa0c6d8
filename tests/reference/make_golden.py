#!/usr/bin/env python3
"""Writes tests/golden, or checks it.

    make_golden.py [NAME...]           writes the folders (of these models)
    make_golden.py --check [NAME...]   regenerates in memory and compares with what is there; and proves that each tensor, and each
                                       setting in settings_that_matter, changes the answers by more than ENOUGH (or SLIGHT)

A folder holds config.json, model.safetensors, tokens.json and, of a decoder, logits.bin: float32 rows of the positions listed
under "rows". Of an encoder: expected.json with the mean and the first row of the hidden states, and scores of a head.
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
from golden_models import all_models  # noqa: E402
from safetensors_file import read_raw, write_safetensors  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
ENOUGH = 2e-2  # 100 times the bound of tests/golden.py
SLIGHT = 4e-4  # twice
TOLERANCE = 2e-6  # relative to 1 + |value|: other versions of numpy add in another order
EVERY = 5  # one row in five of the long prompt is kept


def draw_tensors(model):
    return {name: golden_tensors.draw(model.name, name, spec, model.dtype, model.config["model_type"] == "bitnet")
            for name, spec in model.tensors(model.config).items()}


def tasks(model):
    vocab = model.config.get("vocab_size") or model.config["text_config"]["vocab_size"]
    prompts = [golden_tensors.ids(model.name, i, n, vocab) for i, n in enumerate(model.lengths)]
    rows = [list(range(len(p))) if len(p) <= 5 else list(range(len(p) - 1, -1, -EVERY))[::-1] for p in prompts]
    return {"n_ctx": model.n_ctx, "n_vocab": vocab, "prompts": prompts, "rows": rows}


def answers(config, tensors, task):
    """What is expected, as {name: float32 array}, and the model that said so."""
    built = families.build(config, tensors)
    if not families.is_encoder(config):
        logits = [built.logits(p, task["n_ctx"])[rows] for p, rows in zip(task["prompts"], task["rows"])]
        return {"logits": np.concatenate(logits).astype("<f4")}, built
    states = [built.hidden_states(np.array(p)) for p in task["prompts"]]
    out = {"mean": np.array([s.mean(axis=0) for s in states]), "cls": np.array([s[0] for s in states])}
    if "Classification" in config["architectures"][0]:
        out["scores"] = np.array([built.scores(np.array(p)) for p in task["prompts"]])
    return {name: values.astype("<f4") for name, values in out.items()}, built


def difference(a, b):
    return max(np.abs(a[name].astype(np.float64) - b[name]).max() for name in a)


def write(model):
    folder = GOLDEN / model.name
    folder.mkdir(parents=True, exist_ok=True)
    tensors, task = draw_tensors(model), tasks(model)
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(model.config, indent=2) + "\n")
    expected, _ = answers(model.config, {n: v for n, (_, v) in tensors.items()}, task)
    if "logits" in expected:
        expected["logits"].tofile(folder / "logits.bin")
    else:
        del task["rows"]
        lists = {name: [[float(f"{v:.8g}") for v in row] for row in values] for name, values in expected.items()}
        (folder / "expected.json").write_text(json.dumps(lists) + "\n")
    (folder / "tokens.json").write_text(json.dumps(task) + "\n")
    sizes = {name: f"{values.std():.2f}" for name, values in expected.items()}
    print(f"{model.name:24} {sum(v.size for _, v in tensors.values()):6} values, standard deviation {sizes}")


def read_expected(folder):
    if (folder / "logits.bin").exists():
        n_vocab = json.loads((folder / "tokens.json").read_text())["n_vocab"]
        return {"logits": np.fromfile(folder / "logits.bin", "<f4").reshape(-1, n_vocab)}
    return {name: np.array(rows) for name, rows in json.loads((folder / "expected.json").read_text()).items()}


def faults(model):
    """Sentences about what is wrong with the folder of a model."""
    folder = GOLDEN / model.name
    tensors, task = draw_tensors(model), tasks(model)
    values = {name: v for name, (_, v) in tensors.items()}
    expected, built = answers(model.config, values, task)
    if json.loads((folder / "config.json").read_text()) != model.config:
        yield "config.json is not what golden_models.py says"
    stored = read_raw(folder / "model.safetensors")
    if set(stored) != set(tensors) or any(stored[n][0] != dtype for n, (dtype, _) in tensors.items()):
        yield "model.safetensors has other tensors or types"
    elif any(not np.array_equal(v, values[n]) for n, v in families.read_safetensors(folder / "model.safetensors").items()):
        yield "model.safetensors has other values"
    kept = json.loads((folder / "tokens.json").read_text())
    if any(kept[key] != task[key] for key in kept):
        yield "tokens.json is not what the script makes"
    for name, found in read_expected(folder).items():
        if found.shape != expected[name].shape or (np.abs(found - expected[name]) / (1 + np.abs(expected[name]))).max() > TOLERANCE:
            yield f"the {name} are not what the reference computes"
    if not 0.2 < min(v.std() for v in expected.values()) <= max(v.std() for v in expected.values()) < 5:
        yield "the answers are hardly spread, or wildly"
    unused = [n for n in built.weights.unused() if not n.endswith(model.neutral or ("?",))]
    if unused:
        yield "tensors that the reference does not read: " + " ".join(unused)
    yield from idle(model, values, task, expected)


def idle(model, values, task, expected):
    changes = [(change, ENOUGH) for change in model.settings_that_matter] + [(change, SLIGHT) for change in model.slight_settings]
    for change, enough in changes:
        moved = difference(expected, answers({**model.config, **change}, values, task)[0])
        if not moved > enough:
            yield f"{change} changes the answers by {moved:.2g} only"
    for name in values:
        if name.endswith(model.neutral or ("?",)):
            continue
        without = {**values, name: np.zeros_like(values[name])}
        moved = difference(expected, answers(model.config, without, task)[0])
        if not moved > ENOUGH:
            yield f"without {name} the answers change by {moved:.2g} only"


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
    strays = {p.name for p in GOLDEN.iterdir() if p.is_dir()} - {m.name for m in all_models()}
    for stray in sorted(strays):
        failed += 1
        print(f"FAILED {stray}: no model of golden_models.py")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
