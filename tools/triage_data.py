#!/usr/bin/env python3
"""Makes the training data of minnow-tiny and minnow-triage from the texts and labelled sets of a data folder.

    triage_data.py DATA OUT

DATA holds corpora/, classification/, instruct/ and eval/pii as they are published. OUT gets

    tokens.txt       the fragments of an answer, each of which is one token
    corpus/          texts to pretrain on, and to make a tokenizer of
    copying/         more to pretrain on: texts that say again what was said
    schema.json      what an answer looks like
    train.jsonl      prompt and completion of minnow-triage, valid.jsonl likewise
    test/*.jsonl     what is measured at the end: {"text", ...labels}
    tests.json       the digests of the splits in test/
    report.json      counts, and how many records were dropped because a test has the same text

The same DATA gives the same bytes. No text of a test is in a file to train on: tests are set apart first, and whatever equals one of
them (letters and digits alone, lower case) is dropped from everything else, the corpus included. Only the standard library is used.
"""

import csv
import hashlib
import json
import pathlib
import random
import re
import sys
import zipfile

from copying_texts import copying_texts, to_say_again
from opinions import judged, said_otherwise
from pii_values import Values
from variations import MOST_SPANS, about_somebody, from_template, two_at_once, typed, with_other_values

SENTIMENTS = ["negative", "neutral", "positive"]
OUT_OF_SCOPE = "oos"
PII_TYPES = ["AGE", "CREDIT_CARD", "DATE_TIME", "DOMAIN_NAME", "EMAIL_ADDRESS", "GPE", "IBAN_CODE", "IP_ADDRESS", "NRP", "ORGANIZATION",
             "PERSON", "PHONE_NUMBER", "STREET_ADDRESS", "TITLE", "US_DRIVER_LICENSE", "US_SSN", "ZIP_CODE"]
LATIN_1_BOOKS = {"chesterton-ball.txt", "shakespeare-caesar.txt"}
OTHER_LANGUAGES = {"botchan.txt", "wagahaiwa_nekodearu_ja.txt"}


def normal(text):
    return "".join(re.findall(r"[a-z0-9]+", text.lower()))


def digest(rows):
    """Of the texts of a split, in their order."""
    return hashlib.sha256("\0".join(r["text"] for r in rows).encode()).hexdigest()


def share(text, salt=""):
    """A number in [0, 1) that the text alone determines."""
    return int.from_bytes(hashlib.sha256((salt + text).encode()).digest()[:4], "big") / 2**32


# --- the labelled sets -----------------------------------------------------------------------------------------------------

def clinc(folder):
    sets = json.loads((folder / "classification/clinc150/data_full.json").read_text())
    pairs = {name: [{"text": text, "intent": label} for text, label in rows] for name, rows in sets.items()}
    return {"train": pairs["train"] + pairs["oos_train"], "valid": pairs["val"] + pairs["oos_val"], "test": pairs["test"],
            "oos": pairs["oos_test"]}


def banking(folder):
    def rows(name):
        with open(folder / "classification/banking77" / name, newline="") as file:
            return [{"text": row["text"].strip(), "intent": row["category"]} for row in csv.DictReader(file)]
    train = rows("train.csv")
    return {"train": [r for r in train if share(r["text"]) >= 0.05], "valid": [r for r in train if share(r["text"]) < 0.05],
            "test": rows("test.csv")}


def polarity(folder):
    sets = {"train": [], "valid": [], "test": []}
    with zipfile.ZipFile(folder / "classification/sentence_polarity/sentence_polarity.zip") as archive:
        for name, sentiment in (("neg", "negative"), ("pos", "positive")):
            member = next(m for m in archive.namelist() if m.endswith(f"-polarity.{name}"))
            for line in archive.read(member).decode("latin-1").splitlines():
                text = line.strip()
                if text:
                    s = share(text)
                    sets["test" if s < 0.1 else "valid" if s < 0.13 else "train"].append({"text": text, "sentiment": sentiment})
    return sets


def pii(folder):
    sets = {"train": [], "valid": [], "test": []}
    for item in json.loads((folder / "eval/pii/presidio_synth_dataset_v2.json").read_text()):
        text = item["full_text"]
        spans = sorted(item["spans"], key=lambda s: s["start_position"])
        found, end = [], 0
        for s in spans:
            if s["start_position"] >= end and text[s["start_position"]:s["end_position"]].strip():
                found.append((s["start_position"], s["end_position"], s["entity_type"]))
                end = s["end_position"]
        s = share(text)
        sets["test" if s < 0.2 else "valid" if s < 0.24 else "train"].append({"text": text, "spans": found})
    return sets


# --- what is written ------------------------------------------------------------------------------------------------------------

def intent_token(intent):
    return f'{{"intent":"{intent}",'


def sentiment_token(sentiment):
    return f'"sentiment":"{sentiment}",'


def type_token(kind):
    return f'{{"type":"{kind}","text":"'


NO_PII, SOME_PII, NEXT_PII, LAST_PII = '"pii":[]}', '"pii":[', '"},', '"}]}'
NEW_LINE = "\\n"  # in a copied text, as JSON writes it: one token, as it is in the message


def answer(record):
    if "answer" in record:
        return record["answer"]
    items = [type_token(kind) + json.dumps(record["text"][a:b], ensure_ascii=False)[1:-1] for a, b, kind in record.get("spans", [])]
    found = SOME_PII + NEXT_PII.join(items) + LAST_PII if items else NO_PII
    text = intent_token(record.get("intent", OUT_OF_SCOPE)) + sentiment_token(record.get("sentiment", "neutral")) + found
    json.loads(text)
    return text


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_records(path, records):
    write_jsonl(path, [{"prompt": r["text"], "completion": answer(r)} for r in records])


def book(path):
    text = path.read_text("latin-1" if path.name in LATIN_1_BOOKS else "utf-8", errors="replace").replace("\r\n", "\n")
    text = re.sub(r"(?s)^.*?\*\*\* ?START OF TH[^\n]*\n", "", text)
    text = re.sub(r"(?s)\*\*\* ?END OF TH.*$", "", text)
    text = re.sub(r"(?<=[^\n])\n(?=[^\n\s])", " ", text)  # lines of a paragraph
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def off_topic(folder, rng, n):
    """Short sentences that ask for nothing a service could do, without names."""
    with open(folder / "instruct/gsm8k/train.jsonl") as file:
        text = " ".join(json.loads(line)["question"] for line in file)
    text += " " + (folder / "corpora/tinystories/tiny_stories_1mb.txt").read_text(errors="replace")
    begins = "A|An|After|But|Each|Every|He|Her|His|How|If|In|It|On|One|She|So|The|Then|There|They|We|What|When|You"
    sentences = {s for s in re.findall(rf"(?<=[.?!] )(?:{begins}) [a-z ,']+[.?!](?= )", text) if 4 <= len(s.split(" ")) <= 16}
    chosen = rng.sample(sorted(sentences), n)
    return [{"text": s if rng.random() < 0.5 else s[:-1].lower()} for s in chosen]


def write_corpus(folder, out, train, seen_in_tests):
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted((folder / "corpora/gutenberg").glob("*.txt")):
        if path.name not in OTHER_LANGUAGES:
            (out / path.name).write_text(book(path))
    (out / "the-verdict.txt").write_text(book(folder / "corpora/the-verdict.txt"))
    (out / "tinyshakespeare.txt").write_text((folder / "corpora/tinyshakespeare/input.txt").read_text())
    (out / "stories.txt").write_text((folder / "corpora/tinystories/tiny_stories_1mb.txt").read_text(errors="replace"))
    with open(folder / "instruct/gsm8k/train.jsonl") as file:
        problems = [json.loads(line) for line in file]
    text = "<|endoftext|>".join(p["question"].strip() + "\n" + re.sub(r"<<[^>]*>>", "", p["answer"]).replace("####", "Answer:") + "\n" for p in problems)
    (out / "problems.txt").write_text(text)
    plain = [r["text"] for r in train if normal(r["text"]) not in seen_in_tests]
    for part in range(3):
        random.Random(part).shuffle(plain)
        (out / f"messages-{part}.txt").write_text("<|endoftext|>".join(t + "\n" for t in plain))


def write_schema(path, intents):
    """What an answer looks like: the model carries it, and answers nothing else."""
    found = {"type": "object", "properties": {"type": {"enum": PII_TYPES}, "text": {"type": "string", "x-copied": "in order"}},
             "required": ["type", "text"], "additionalProperties": False}
    schema = {"type": "object",
              "properties": {"intent": {"enum": intents}, "sentiment": {"enum": SENTIMENTS}, "pii": {"type": "array", "items": found, "maxItems": MOST_SPANS}},
              "required": ["intent", "sentiment", "pii"], "additionalProperties": False}
    path.write_text(json.dumps(schema, separators=(",", ":")) + "\n")


def main(folder, out):
    sets = {"clinc150": clinc(folder), "banking77": banking(folder), "polarity": polarity(folder), "pii": pii(folder)}
    tests = {normal(r["text"]) for s in sets.values() for name in ("test", "oos") for r in s.get(name, [])}
    report, digests = {"test": {}, "dropped": {}, "train": {}}, {}
    for name, s in sets.items():
        for split in ("train", "valid"):
            kept = [r for r in s[split] if normal(r["text"]) not in tests]
            report["dropped"][f"{name} {split}"] = len(s[split]) - len(kept)
            s[split] = kept
        for split in ("test", "oos"):
            if split in s:
                rows = [dict(r, pii=[{"type": k, "text": r["text"][a:b]} for a, b, k in r["spans"]]) if "spans" in r else r for r in s[split]]
                write_jsonl(out / "test" / (f"{name}.jsonl" if split == "test" else f"{name}-oos.jsonl"), [{k: v for k, v in r.items() if k != "spans"} for r in rows])
                report["test"][f"{name} {split}"] = len(rows)
                digests[f"{name} {split}"] = digest(rows)

    intents = sorted({r["intent"] for n in ("clinc150", "banking77") for r in sets[n]["train"]})
    fragments = [intent_token(i) for i in intents] + [sentiment_token(s) for s in SENTIMENTS] + [type_token(t) for t in PII_TYPES]
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokens.txt").write_text("\n".join(fragments + [NO_PII, SOME_PII, NEXT_PII, LAST_PII, NEW_LINE]) + "\n")

    rng = random.Random(1)
    values = Values(sets["pii"]["train"])
    requests, some = sets["clinc150"]["train"] + sets["banking77"]["train"], sets["pii"]["train"]
    out_of_scope = [r for r in requests if r["intent"] == OUT_OF_SCOPE]
    train = 2 * requests + [dict(r, text=typed(r["text"], rng)) for r in 3 * requests + 8 * out_of_scope]
    train += said_otherwise(sets["polarity"]["train"], rng, 5) + judged(sets["polarity"]["train"], rng, 30_000)
    train += 2 * some + [with_other_values(r, values, rng) for r in 24 * some]
    train += [from_template(values, rng) for _ in range(5000)]
    train += [two_at_once(some, values, rng) for _ in range(3000)]
    train += [to_say_again(rng) for _ in range(15_000)]
    train += off_topic(folder, rng, 4000)
    train += [about_somebody(rng.choice(requests), values, rng) for _ in range(3000)]
    train = [r for r in train if normal(r["text"]) not in tests]
    rng.shuffle(train)
    report["train"] = {"records": len(train), "intents": len(intents)}
    write_records(out / "train.jsonl", train)
    write_records(out / "valid.jsonl", [r for s in sets.values() for r in s["valid"]])
    write_corpus(folder, out / "corpus", requests + sets["polarity"]["train"] + some, tests)
    copying = [t for t in copying_texts(some, values, random.Random(2), 60_000) if normal(t.split("\n")[0]) not in tests]
    (out / "copying").mkdir(exist_ok=True)
    (out / "copying" / "copying.txt").write_text("<|endoftext|>".join(copying))
    write_schema(out / "schema.json", intents)
    (out / "tests.json").write_text(json.dumps(digests, indent=2) + "\n")
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
