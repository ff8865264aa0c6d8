#!/usr/bin/env python3
"""The built program on CPUs that this machine is not: a small model under qemu-user.

    older_cpus.py --minnow PATH

On each CPU it must find the level that the CPU has, no instruction that the CPU lacks, and the same logits as here at
that level. Exit code 77 where qemu-x86_64 is not installed.
"""

import argparse
import array
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).resolve().parent / "golden" / "llama"
LEVELS = {"Nehalem": "baseline", "Haswell": "baseline, avx2"}  # qemu emulates AVX2 from 7.2 on
BOUND = 1e-5  # the C library takes other paths on other CPUs


def run(command, isa):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "MINNOW_ISA": isa})


def logits(command, tokens, out, isa):
    result = run([*command, "logits", MODEL, "--tokens", tokens, "-o", out, "--kv", "f32"], isa)
    if result.returncode != 0:
        raise RuntimeError(f"exit code {result.returncode}: {result.stderr.strip() or 'nothing said'}")
    return array.array("f", out.read_bytes())


def check(minnow, cpu, scratch):
    emulated = ["qemu-x86_64", "-cpu", cpu, minnow]
    said = run([*emulated, "doctor"], "none").stderr
    wanted = f"choose one of: {LEVELS[cpu]}"
    if not any(line.endswith(wanted) for line in said.splitlines()):
        raise RuntimeError(f"expected '{wanted}', got: {said.strip()}")
    level = LEVELS[cpu].split(", ")[-1]
    tokens = scratch / "tokens.json"
    task = json.loads((MODEL / "tokens.json").read_text())
    tokens.write_text(json.dumps({"n_ctx": task["n_ctx"], "prompts": [p[:8] for p in task["prompts"]]}))
    there = logits(emulated, tokens, scratch / "there.bin", "")
    here = logits([minnow], tokens, scratch / "here.bin", level)
    if len(there) != len(here) or len(here) == 0:
        raise RuntimeError(f"{len(there)} logits, {len(here)} here")
    worst = max(abs(a - b) for a, b in zip(there, here))
    if not worst <= BOUND:
        raise RuntimeError(f"logits differ by {worst:.1e}")
    return f"{level}, {len(here)} logits as here within {worst:.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minnow", required=True)
    minnow = parser.parse_args().minnow
    if platform.machine() != "x86_64" or shutil.which("qemu-x86_64") is None:
        print("skipped: needs qemu-x86_64 on an x86-64 machine")
        return 77
    failed = 0
    for cpu in LEVELS:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                print(f"ok     {cpu:10} {check(minnow, cpu, pathlib.Path(scratch))}")
            except RuntimeError as problem:
                failed += 1
                print(f"FAILED {cpu:10} {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
