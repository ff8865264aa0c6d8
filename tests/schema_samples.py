#!/usr/bin/env python3
"""A model writes what the JSON-Schema-Test-Suite asks for: ten sampled answers to each schema that minnow accepts, and every answer that
came to its end is valid by Python's jsonschema.

usage: schema_samples.py --minnow build/release/minnow --program build/release/tests/grammar_cases [--model minnow-tiny] [--refused]
Exits with 77 (skipped) when python3-jsonschema, the suite or the model is not there. --refused lists the schemas that are refused, and why.
"""
import argparse
import decimal
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from schema_check import SUITE, ask, format_checker, groups, jsonschema

decimal.getcontext().prec = 400  # of any number that a model writes
SAMPLES = 10
MOST_TOKENS = 160
FEWEST_WHOLE = 0.8  # the share of answers that come to their end before that; others claim nothing


def accepted_schemas(program, tell_refused):
    cases = list(groups())
    answers = ask(program, [{"schema": group["schema"], "texts": [], "walks": 0} for _, group in cases])
    for (name, group), answer in zip(cases, answers):
        if "error" not in answer:
            yield f"{name}: {group['description']}", group["schema"]
        elif tell_refused:
            print(f"refused  {name}: {group['description']}: {answer['error']}")


def sampled(minnow, model, schemas):
    with tempfile.TemporaryDirectory() as name:
        asked, answered = pathlib.Path(name) / "in.jsonl", pathlib.Path(name) / "out.jsonl"
        with open(asked, "w", encoding="utf-8") as file:
            for i, (where, schema) in enumerate(schemas):
                for sample in range(SAMPLES):
                    line = {"prompt": where, "format": schema if isinstance(schema, dict) else {"allOf": [schema]}, "seed": 1000 * i + sample,
                            "temperature": 1.0, "max_tokens": MOST_TOKENS}
                    file.write(json.dumps(line) + "\n")
        done = subprocess.run([minnow, "run", model, "--batch", asked, "-o", answered], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"FAILED minnow run --batch: {done.stderr[-2000:]}")
        with open(answered, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


def exact(text):
    """With decimal fractions as they are written: -96.4755 is a multiple of 0.0001."""
    return json.loads(text, parse_float=decimal.Decimal)


def why_invalid(schema, text):
    try:
        jsonschema.Draft202012Validator(exact(json.dumps(schema)), format_checker=format_checker()).validate(exact(text))
    except json.JSONDecodeError as error:
        return f"not JSON ({error})"
    except jsonschema.ValidationError as error:
        return error.message[:100]
    except re.error:
        return None  # an expression that Python's dialect does not have
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minnow", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", default="minnow-tiny")
    parser.add_argument("--refused", action="store_true")
    arguments = parser.parse_args()
    if not SUITE.is_dir():
        print("skipped: no JSON-Schema-Test-Suite beside the source tree")
        return 77
    if arguments.model == "minnow-tiny" and not (pathlib.Path(__file__).resolve().parents[1] / "models" / "minnow-tiny.gguf").is_file():
        print("skipped: models/minnow-tiny.gguf is not here")
        return 77
    schemas = list(accepted_schemas(arguments.program, arguments.refused))
    answers = sampled(arguments.minnow, arguments.model, schemas)
    failures, whole = [], 0
    for i, answer in enumerate(answers):
        where, schema = schemas[i // SAMPLES]
        if answer["finish_reason"] == "length":
            continue
        whole += 1
        if why := why_invalid(schema, answer["text"]):
            failures.append(f"{where}: {why}: {answer['text'][:200]}")
    if whole < FEWEST_WHOLE * len(answers):
        failures.append(f"only {whole} of {len(answers)} answers came to their end")
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(schemas)} schemas, {len(answers)} answers, {whole} of them whole, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
