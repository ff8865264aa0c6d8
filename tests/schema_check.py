#!/usr/bin/env python3
"""Holds minnow's JSON-Schema grammars to the JSON-Schema-Test-Suite and to Python's jsonschema.

For each schema that minnow accepts: every valid instance of the suite is a text of its grammar, in some order of
properties; no invalid one is, in any; and what random walks through the grammar write is JSON that the validator calls
valid. What minnow refuses is refused as unsupported or invalid, by name of a keyword.

usage: schema_check.py --program build/release/tests/grammar_cases [--verbose]
Exits with 77 (skipped) when python3-jsonschema is not installed or the suite is not there.
"""
import argparse
import datetime
import collections
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed (apt-get install python3-jsonschema)")
    sys.exit(77)

SUITE = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data" / "conformance" / "json-schema-test-suite" / "tests"
ORDERS = 120  # of the properties of one instance
WALKS = 10
FEWEST_SCHEMAS = 100  # that are accepted
UNSUPPORTED, INVALID, LIMIT = 2, 0, 3  # base/error.h

# Valid instances that the grammar leaves out, and why.
LEFT_OUT = {
    ("format", "valid"): "formats are held to, where the suite takes them as notes",
    ("optional/format", "valid"): "formats are narrower than their standards allow (docs/structured-output.md)",
}

# JavaScript's classes are ASCII but for \\s.
_search = re.search
re.search = lambda pattern, text, flags=0: _search(pattern, text, flags | re.ASCII)


def format_checker():
    """The library's, but for "time", which is draft 3's there: without an offset."""
    checker = jsonschema.FormatChecker([name for name in jsonschema.FormatChecker.checkers if name != "time"])

    def is_time(text):
        return not isinstance(text, str) or datetime.time.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None

    checker.checkers["time"] = (is_time, ValueError)
    return checker


def orders(value):
    """The value with its properties in all orders (a generator); numbers without a fraction become integers."""
    if isinstance(value, dict):
        for keys in itertools.permutations(value):
            for parts in itertools.product(*(list(itertools.islice(orders(value[k]), 6)) for k in keys)):
                yield dict(zip(keys, parts))
    elif isinstance(value, list):
        for parts in itertools.product(*(list(itertools.islice(orders(v), 6)) for v in value)):
            yield list(parts)
    elif isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        yield int(value)
    else:
        yield value


def texts_of(instance):
    return [json.dumps(v, ensure_ascii=False, separators=(",", ":")) for v in itertools.islice(orders(instance), ORDERS)]


def groups():
    for path in sorted(SUITE.glob("draft2020-12/*.json")) + sorted(SUITE.glob("draft2020-12/optional/format/*.json")):
        name = str(path.relative_to(SUITE / "draft2020-12").with_suffix(""))
        for group in json.loads(path.read_text(encoding="utf-8")):
            yield name, group


def ask(program, questions):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for question in questions:
            file.write(json.dumps(question, ensure_ascii=False) + "\n")
        file.flush()
        done = subprocess.run([program, file.name], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != len(questions):
        sys.exit(f"FAILED {program}: exit code {done.returncode}, {len(lines)} answers to {len(questions)} questions\n{done.stderr}")
    return [json.loads(line) for line in lines]


def left_out(name, kind):
    return any(kind == k and name.startswith(n) for n, k in LEFT_OUT)


def check_walks(schema, walks, where, failures):
    validator = jsonschema.Draft202012Validator(schema, format_checker=format_checker())
    for text in walks:
        try:
            validator.validate(json.loads(text))
        except json.JSONDecodeError as error:
            failures.append(f"{where}: a walk is not JSON ({error}): {text}")
        except jsonschema.ValidationError as error:
            failures.append(f"{where}: a walk is not valid ({error.message[:100]}): {text[:200]}")
        except re.error:
            return  # an expression that Python's dialect does not have
    return


def check_refusal(answer, where, failures):
    if answer["code"] not in (UNSUPPORTED, INVALID, LIMIT) or "schema" not in answer["error"] and "grammar" not in answer["error"]:
        failures.append(f"{where}: refused without a reason of its own: {answer}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    if not SUITE.is_dir():
        print("skipped: no JSON-Schema-Test-Suite beside the source tree")
        return 77
    cases, questions = [], []
    for name, group in groups():
        texts, owners = [], []
        for i, test in enumerate(group["tests"]):
            own = texts_of(test["data"])
            texts += own
            owners += [i] * len(own)
        cases.append((name, group, owners))
        questions.append({"schema": group["schema"], "texts": texts, "walks": WALKS, "seed": len(questions)})
    refused, failures, accepted, checked = collections.Counter(), [], 0, 0
    for (name, group, owners), answer in zip(cases, ask(arguments.program, questions)):
        where = f"{name}: {group['description']}"
        if "error" in answer:
            check_refusal(answer, where, failures)
            refused[name] += 1
            if arguments.verbose:
                print(f"refused  {where}: {answer['error']}")
            continue
        accepted += 1
        passed = [False] * len(group["tests"])
        for owner, accepts in zip(owners, answer["accepts"]):
            passed[owner] |= accepts
        for test, has_passed in zip(group["tests"], passed):
            checked += 1
            kind = "valid" if test["valid"] else "invalid"
            if has_passed != test["valid"] and not left_out(name, kind):
                failures.append(f"{where}: {test['description']}: should be {kind}: {json.dumps(test['data'])[:120]}")
        check_walks(group["schema"], answer["walks"], where, failures)
    if accepted < FEWEST_SCHEMAS:
        failures.append(f"only {accepted} schemas were accepted")
    for failure in failures:
        print("FAILED", failure)
    print(f"{accepted} schemas accepted, {sum(refused.values())} refused, {checked} instances, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
