#!/usr/bin/env python3
"""Gives malformed model files to the built program and checks that it refuses them properly.

    tests/malformed.py --minnow build/release/minnow            all cases
    tests/malformed.py --minnow … --only gguf-cut --verbose     those whose name contains a word
    tests/malformed.py --list                                   names and verdicts
    tests/malformed.py --write FOLDER                           the files, and a table of verdicts

Each file goes through `minnow show FILE`, and GGUF files through `minnow run FILE hi -n 1 --raw` as well. A file that
must be refused ends with exit code 1 and exactly one line on stderr, beginning "error: ". No file may end the program
by a signal, take longer than --seconds (of its own time limit under a sanitizer, give --slow 5), or more memory than
64 MB and twice its size. Standard library only.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import malformed_cases  # noqa: E402
from malformed_cases import ACCEPT, REFUSE  # noqa: E402

MEBI = 2**20


class Outcome:
    def __init__(self, command, folder):
        out, err = (open(os.path.join(folder, n), "w+b") for n in ("stdout", "stderr"))
        self.timed_out = False
        start = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder)
        timer = threading.Timer(20, self._kill, [child])
        timer.start()
        # wait4 gives this child's own peak memory; getrusage(RUSAGE_CHILDREN) would give the largest so far.
        _, status, usage = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = 0  # reaped above
        self.seconds = time.monotonic() - start
        self.code = os.waitstatus_to_exitcode(status)
        self.peak = usage.ru_maxrss * 1024
        err.seek(0)
        self.stderr = err.read(MEBI).decode("utf-8", "replace")
        out.close()
        err.close()

    def _kill(self, child):
        self.timed_out = True
        os.kill(child.pid, signal.SIGKILL)


def complaints(outcome, verdict, size, options):
    """What is wrong with this outcome, as short texts."""
    lines = outcome.stderr.splitlines()
    if outcome.timed_out:
        yield "did not end in 20 s"
    elif outcome.code < 0:
        yield "ended by %s" % signal.Signals(-outcome.code).name
    elif outcome.code not in (0, 1):
        yield "exit code %d" % outcome.code
    if outcome.code == 1 and (len(lines) != 1 or not lines[0].startswith("error: ")):
        yield "exit code 1 with %d lines on stderr: %r" % (len(lines), outcome.stderr[:300])
    if outcome.code == 0 and verdict == REFUSE:
        yield "accepted, but must be refused"
    if outcome.code == 1 and verdict == ACCEPT:
        yield "refused, but must be accepted: %r" % outcome.stderr[:300]
    if outcome.seconds > options.seconds * options.slow:
        yield "took %.2f s" % outcome.seconds
    # A sanitizer's shadow memory is no measure of ours.
    if options.slow == 1 and outcome.peak > 64 * MEBI + 2 * size:
        yield "took %d MiB of memory for %d bytes" % (outcome.peak // MEBI, size)


def commands(minnow, case, path):
    yield "show", case.show, [minnow, "show", path]
    if case.suffix == ".gguf":
        yield "run", case.run, [minnow, "run", path, "hi", "-n", "1", "--raw"]


def run_all(cases, options):
    minnow = os.path.abspath(options.minnow)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="minnow-malformed-") as folder:
        for case in cases:
            path = os.path.join(folder, "case" + case.suffix)
            with open(path, "wb") as file:
                file.write(case.data)
            for word, verdict, command in commands(minnow, case, path):
                outcome = Outcome(command, folder)
                wrong = list(complaints(outcome, verdict, len(case.data), options))
                if wrong:
                    failed += 1
                    print("FAILED %s (%s): %s" % (case.name, word, "; ".join(wrong)))
                else:
                    passed += 1
                    if options.verbose:
                        print("ok %s (%s): %s" % (case.name, word, outcome.stderr.strip() or "accepted"))
            os.unlink(path)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


def write_all(cases, folder):
    root = pathlib.Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "verdicts.tsv", "w") as table:
        for case in cases:
            (root / (case.name.replace("/", "_") + case.suffix)).write_bytes(case.data)
            table.write("%s%s\t%s\t%s\n" % (case.name, case.suffix, case.show, case.run))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minnow", metavar="PATH", help="the program to test")
    parser.add_argument("--only", metavar="WORD", default="", help="cases whose name contains WORD")
    parser.add_argument("--seconds", type=float, default=1.0, help="time limit of one command (default 1)")
    parser.add_argument("--slow", type=float, default=1, metavar="N",
                        help="N times the time and no memory limit, for sanitizer builds")
    parser.add_argument("--verbose", action="store_true", help="print each error line")
    parser.add_argument("--list", action="store_true", help="print the cases")
    parser.add_argument("--write", metavar="FOLDER", help="write the files instead of running them")
    options = parser.parse_args()
    cases = (c for c in malformed_cases.all_cases() if options.only in c.name)
    if options.list:
        for case in cases:
            print("%s%s\t%s\t%s\t%d bytes" % (case.name, case.suffix, case.show, case.run, len(case.data)))
        return 0
    if options.write:
        return write_all(cases, options.write)
    if not options.minnow:
        parser.error("--minnow PATH is needed")
    return run_all(cases, options)


if __name__ == "__main__":
    sys.exit(main())
