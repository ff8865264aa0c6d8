"""What a model is asked, and its answers: the layout of tests/golden/*/tokens.json, logits.bin and expected.json.

tokens.json holds n_ctx, n_vocab and prompts as token ids; rows: of which positions logits.bin keeps the logits (float32,
prompts one after another); texts: what the first prompts are spelled like; pairs: queries and documents. expected.json
holds a list of vectors, one per prompt, for each pooling of the last hidden states, "scores" of a classification head, and
"relevance", one number for each pair.
"""

import json

import numpy as np

import wordpiece

POOLINGS = {"mean": lambda states: states.mean(axis=0), "cls": lambda states: states[0],
            "last": lambda states: states[-1]}


def answers(model, task, kinds):
    """{kind: float32 rows}; kinds: "logits", "scores", "relevance" and poolings."""
    prompts, out = [np.array(p) for p in task["prompts"]], {}
    for kind in kinds:
        if kind == "logits":
            rows = [model.logits(p, task["n_ctx"])[kept] for p, kept in zip(prompts, task["rows"])]
            out[kind] = np.concatenate(rows)
        elif kind in ("scores", "relevance"):
            if "Classification" not in model.config["architectures"][0]:
                raise KeyError("a classification head")
            asked = [(p,) for p in prompts] if kind == "scores" else [wordpiece.encode_pair(*p) for p in task["pairs"]]
            out[kind] = np.array([model.scores(*a) for a in asked])
        else:
            out[kind] = np.array([POOLINGS[kind](model.hidden_states(p, task["n_ctx"])) for p in prompts])
    return {kind: rows.astype("<f4") for kind, rows in out.items()}


def write_answers(folder, task, found):
    (folder / "tokens.json").write_text(json.dumps(task) + "\n")
    if "logits" in found:
        found["logits"].tofile(folder / "logits.bin")
    lists = {kind: [[float(f"{v:.8g}") for v in row] for row in rows]
             for kind, rows in found.items() if kind != "logits"}
    if lists:
        (folder / "expected.json").write_text(json.dumps(lists) + "\n")


def read_task(folder):
    return json.loads((folder / "tokens.json").read_text())


def read_answers(folder):
    out = {}
    if (folder / "logits.bin").exists():
        out["logits"] = np.fromfile(folder / "logits.bin", "<f4").reshape(-1, read_task(folder)["n_vocab"])
    if (folder / "expected.json").exists():
        expected = json.loads((folder / "expected.json").read_text())
        out.update({kind: np.array(rows) for kind, rows in expected.items()})
    return out


def largest_difference(a, b):
    return max(np.abs(a[kind].astype(np.float64) - b[kind]).max() for kind in a)
