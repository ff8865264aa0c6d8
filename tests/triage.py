#!/usr/bin/env python3
"""Measures minnow-triage on the test splits that never touched its training.

    triage.py --minnow PROGRAM [--model MODEL] [--data DATA] [--split valid] [--share S] [--report FILE] [--card FILE] [--wrong FILE] [--one-core]

DATA is the folder of the published sets; without it the test is skipped. A share below 1 measures that part of each split. Every answer
must be valid JSON of the schema that the model carries. What is chosen while a model is made is chosen on the split valid. The bars are what the card aims at.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import triage_data  # noqa: E402

BARS = {"clinc150": 0.85, "banking77": 0.80, "polarity": 0.72, "pii_f1": 0.80}


def tests(data, share, split, model_is_shipped):
    sets = {"clinc150": triage_data.clinc(data), "banking77": triage_data.banking(data), "polarity": triage_data.polarity(data),
            "pii": triage_data.pii(data)}
    chosen = {name: s[split] for name, s in sets.items()}
    if split == "test":
        chosen["clinc150 out of scope"] = sets["clinc150"]["oos"]
    if model_is_shipped and split == "test":
        known = json.loads((HERE.parent / "models" / "minnow-triage.tests.json").read_text())
        for name, s in sets.items():
            for part in ("test", "oos"):
                if part in s:
                    assert known[f"{name} {part}"] == triage_data.digest(s[part]), f"{name} {part}: not what was kept out of the model's training"
    return {name: [r for r in rows if triage_data.share(r["text"], "measure") < share] for name, rows in chosen.items()}


def on_one_core():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def answers(program, model, rows, folder, one_core=False):
    asked, answered = folder / "in.jsonl", folder / "out.jsonl"
    triage_data.write_jsonl(asked, [{"prompt": r["text"]} for r in rows])
    command = [program, "run", model, "--batch", asked, "-o", answered, "-n", "400", "-c", "1024"] + (["-t", "1", "--parallel", "1"] if one_core else [])
    start = time.time()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, preexec_fn=on_one_core if one_core else None)
    seconds = time.time() - start
    with open(answered) as file:
        return [parsed(json.loads(line)["text"]) for line in file], seconds


def parsed(text):
    """An answer that the end of the context cut off counts as one that says nothing."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def check_form(answer):
    assert list(answer) == ["intent", "sentiment", "pii"], answer
    assert answer["sentiment"] in triage_data.SENTIMENTS, answer
    assert all(list(item) == ["type", "text"] and item["type"] in triage_data.PII_TYPES for item in answer["pii"]), answer


def spans(found):
    return collections.Counter((item["type"], item["text"]) for item in found)


def span_figures(rows, given):
    right = said = there = 0
    by_type = collections.defaultdict(lambda: [0, 0, 0])
    for row, answer in zip(rows, given):
        want = spans([{"type": k, "text": row["text"][a:b]} for a, b, k in row["spans"]])
        have = spans(answer["pii"])
        both = want & have
        right, said, there = right + both.total(), said + have.total(), there + want.total()
        for counted, at in ((both, 0), (have, 1), (want, 2)):
            for (kind, _), n in counted.items():
                by_type[kind][at] += n
    f1 = 2 * right / max(1, said + there)
    return {"pii_f1": f1, "pii_precision": right / max(1, said), "pii_recall": right / max(1, there)}, by_type


def wrong_spans(rows, given):
    for row, answer in zip(rows, given):
        want = [{"type": k, "text": row["text"][a:b]} for a, b, k in row["spans"]]
        if want != answer["pii"]:
            yield {"text": row["text"], "there": want, "found": answer["pii"]}


def confusions(rows, given, field, most=15):
    pairs = collections.Counter((r[field], a[field]) for r, a in zip(rows, given) if r[field] != a[field])
    lines = [f"| {field} | taken for | times |", "|---|---|---|"]
    return lines + [f"| {a} | {b} | {n} |" for (a, b), n in pairs.most_common(most)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minnow", required=True)
    parser.add_argument("--model", default="minnow-triage")
    parser.add_argument("--data", default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--split", choices=["test", "valid"], default="test")
    parser.add_argument("--share", type=float, default=1)
    parser.add_argument("--report")
    parser.add_argument("--card", help="writes the tables for the model's card")
    parser.add_argument("--wrong", help="writes the messages with wrong items of personal data")
    parser.add_argument("--one-core", action="store_true", help="one message at a time on one core, and how long each takes")
    args = parser.parse_args()
    data = pathlib.Path(args.data)
    if not (data / "classification").is_dir():
        print("skipped: the labelled sets are not here")
        return 77
    if args.model == "minnow-triage" and not (HERE.parent / "models" / "minnow-triage.gguf").is_file():
        print("skipped: models/minnow-triage.gguf is not here")
        return 77
    figures, tables = {}, []
    seconds = total = cut = 0
    with tempfile.TemporaryDirectory() as name:
        for which, rows in tests(data, args.share, args.split, args.model == "minnow-triage").items():
            given, took = answers(args.minnow, args.model, rows, pathlib.Path(name), args.one_core)
            if args.one_core:
                load = answers(args.minnow, args.model, rows[:1], pathlib.Path(name), True)[1]
                figures[f"{which} ms"] = round(1000 * (took - load) / max(1, len(rows) - 1), 2)
            seconds, total = seconds + took, total + len(rows)
            for answer in given:
                if answer is not None:
                    check_form(answer)
            cut += given.count(None)
            given = [answer or {"intent": None, "sentiment": None, "pii": []} for answer in given]
            if which == "pii":
                spans_found, by_type = span_figures(rows, given)
                figures.update(spans_found)
                if args.wrong:
                    triage_data.write_jsonl(pathlib.Path(args.wrong), wrong_spans(rows, given))
                tables += ["", "| personal data | found and right | found | there |", "|---|---|---|---|"]
                tables += [f"| {kind} | {n[0]} | {n[1]} | {n[2]} |" for kind, n in sorted(by_type.items())]
            else:
                field = "sentiment" if which == "polarity" else "intent"
                figures[which] = sum(a[field] == r[field] for r, a in zip(rows, given)) / max(1, len(rows))
                if which != "clinc150 out of scope":
                    tables += ["", f"{which}, what is confused most:", ""] + confusions(rows, given, field)
    figures["cut_off"] = cut
    figures["messages"], figures["seconds"] = total, round(seconds, 2)
    print(json.dumps(figures, indent=2))
    if args.report:
        pathlib.Path(args.report).write_text(json.dumps(figures, indent=2) + "\n")
    if args.card:
        pathlib.Path(args.card).write_text("\n".join(tables) + "\n")
    missed = [f"{name}: {figures[name]:.3f}, and not {bar}" for name, bar in BARS.items() if figures[name] < bar]
    print("\n".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
