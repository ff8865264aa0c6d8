#!/usr/bin/env python3
"""Keeps the shape of the house: which room may lean on which, sizes, forbidden calls, READMEs, names.

    structure.py ROOT         checks the tree under ROOT; exit code 1 when a rule is broken
    structure.py --self-test  proves on made-up trees that each rule fires and that a good tree passes

Only the standard library is used. The rules are those of the design page (rooms, habits).
"""

import os
import re
import sys
import tempfile

# From the ground floor up: a room may include itself and the rooms before it.
ROOMS = ("base tensor graph cpu cuda formats text models engine compress train eval hub respond serve workflow deploy "
         "cli").split()

# Kernel folders of src/cpu are built with wider instruction sets than the rest. What the standard library defines
# inline would be compiled with them as well, and the linker might keep that copy for the whole program. The rule holds
# for our own headers that a kernel file includes, too.
KERNEL_FOLDERS = {"avx2", "avxvnni", "avx512", "avx512bf16", "amx", "neon", "neon_dotprod", "neon_i8mm"}
PLAIN_HEADERS = {"cstdint", "cstddef", "cfloat", "climits", "immintrin.h", "arm_neon.h", "arm_sve.h", "stdint.h",
                 "stddef.h"}

MAX_LINES = 800
MAX_README_LINES = 40
FORBIDDEN_NAMES = {"utils", "util", "common", "misc"}
FORBIDDEN_CALLS = {
    r"std::(basic_)?regex\b": "std::regex: overflows the stack on long input; use PCRE2",
    r"\b(strcpy|strcat|sprintf|vsprintf|gets)\s*\(": "writes past the end of its buffer; use fmt or std::string",
    r"\b(atoi|atol|atof|atoll)\s*\(": "cannot tell an error from 0; use std::from_chars",
    r"\bsto(i|l|ll|ul|ull|f|d|ld)\s*\(": "throws what is not a minnow::Error and ignores a tail; use std::from_chars",
    r"(?<![\w.>])(?:(?:std)?::)?(system|popen)\s*\(": "runs a shell",
}

SOURCE_ENDINGS = (".h", ".cc", ".cu", ".cuh", ".inc")
# Comments, string and character literals; raw strings first, since they may hold anything.
NOT_CODE = re.compile(r'R"([^()\\\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|' r"(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*'|"
                      r"//[^\n]*|/\*.*?\*/", re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def blank(match):
    """The same number of line ends, so that line numbers stay right."""
    return "\n" * match.group(0).count("\n")


class Checker:
    def __init__(self, root):
        self.root = root
        self.source = os.path.join(root, "src")
        self.passed = 0
        self.failures = []

    def check(self, ok, where, message):
        if ok:
            self.passed += 1
        else:
            self.failures.append(f"{where}: {message}")

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def files(self):
        """Paths of all files under src, relative to the root."""
        for folder, folders, names in os.walk(self.source):
            folders.sort()
            for name in sorted(names):
                yield os.path.relpath(os.path.join(folder, name), self.root).replace(os.sep, "/")

    def run(self):
        self.check(os.path.isdir(self.source), "src", "there is no such folder")
        allowed = self.long_files()
        for path in self.files():
            self.check_name(path)
            if path.endswith(SOURCE_ENDINGS):
                text = self.read(path)
                self.check_length(path, text, allowed)
                self.check_includes(path, text)
                self.check_calls(path, text)
        self.check_rooms()
        return not self.failures

    # --- sizes

    def long_files(self):
        """tests/long_files.txt: a path, spaces, and the reason, per line; # begins a comment."""
        allowed = {}
        path = "tests/long_files.txt"
        if not os.path.exists(os.path.join(self.root, path)):
            return allowed
        for number, line in enumerate(self.read(path).splitlines(), 1):
            line = line.split("#", 1)[0].strip()
            if not line:
                continue
            name, _, reason = line.partition(" ")
            self.check(bool(reason.strip()), f"{path}:{number}", f"{name} is listed without a reason")
            exists = os.path.isfile(os.path.join(self.root, name))
            self.check(exists, f"{path}:{number}", f"{name} does not exist; take it off the list")
            if exists:
                lines = len(self.read(name).splitlines())
                self.check(lines > MAX_LINES, f"{path}:{number}",
                           f"{name} has only {lines} lines; take it off the list")
            allowed[name] = reason.strip()
        return allowed

    def check_length(self, path, text, allowed):
        lines = len(text.splitlines())
        self.check(lines <= MAX_LINES or path in allowed, path,
                   f"{lines} lines, more than {MAX_LINES}: split it, or list it with the reason in tests/long_files.txt")

    # --- includes

    @staticmethod
    def includes(text):
        """(line, bracket, name) of each include."""
        # Comments go, but not strings: the name of an included file is one.
        code = re.sub(r"//[^\n]*|/\*.*?\*/", blank, text, flags=re.DOTALL)
        for match in INCLUDE.finditer(code):
            yield code.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)

    def check_kernel(self, path):
        seen, waiting = {path}, [path]
        while waiting:
            at = waiting.pop()
            through = "" if at == path else f", which reaches {path}"
            for line, bracket, name in self.includes(self.read(at)):
                if bracket == "<":
                    self.check(name in PLAIN_HEADERS, f"{at}:{line}",
                               f"<{name}> in a kernel file{through}; allowed: {', '.join(sorted(PLAIN_HEADERS))}")
                    continue
                inner = f"src/{name}"
                if inner not in seen and os.path.isfile(os.path.join(self.root, inner)):
                    seen.add(inner)
                    waiting.append(inner)

    def check_includes(self, path, text):
        parts = path.split("/")
        room = parts[1]
        if room == "cpu" and len(parts) > 3 and parts[2] in KERNEL_FOLDERS and not path.endswith("_test.cc"):
            self.check_kernel(path)
        for line, bracket, name in self.includes(text):
            where = f"{path}:{line}"
            if bracket == "<":
                continue
            if "/" not in name:
                self.check(False, where, f'"{name}" names no room; write "room/{name}"')
                continue
            other = name.split("/")[0]
            if other not in ROOMS or room not in ROOMS:
                self.check(False, where, f'"{name}" is in no known room ({", ".join(ROOMS)})')
            else:
                self.check(ROOMS.index(other) <= ROOMS.index(room), where,
                           f'room {room} includes "{name}", but {other} is above it')

    # --- calls and names

    def check_calls(self, path, text):
        code = NOT_CODE.sub(blank, text)
        for pattern, reason in FORBIDDEN_CALLS.items():
            match = re.search(pattern, code)
            line = code.count("\n", 0, match.start()) + 1 if match else 0
            self.check(match is None, f"{path}:{line}", f"{match.group(0).strip() if match else ''} … {reason}")

    def check_name(self, path):
        parts = path.split("/")[1:]
        stems = [part.split(".")[0] for part in parts]
        bad = [stem for stem in stems if re.sub(r"_test$", "", stem.lower()) in FORBIDDEN_NAMES]
        self.check(not bad, path, "a name that says nothing; name it after the one thing that it holds")

    # --- rooms

    def check_rooms(self):
        if not os.path.isdir(self.source):
            return
        for room in sorted(os.listdir(self.source)):
            folder = os.path.join(self.source, room)
            if not os.path.isdir(folder):
                self.check(False, f"src/{room}", "a file outside of the rooms")
                continue
            if not any(names for _, _, names in os.walk(folder)):
                continue  # left behind by a change of branch
            self.check(room in ROOMS, f"src/{room}", "not a room of the house; see the list in tests/structure.py")
            readme = os.path.join(folder, "README.md")
            self.check(os.path.isfile(readme), f"src/{room}", "has no README.md")
            if os.path.isfile(readme):
                lines = len(self.read(f"src/{room}/README.md").splitlines())
                self.check(0 < lines < MAX_README_LINES, f"src/{room}/README.md",
                           f"{lines} lines, where 1 to {MAX_README_LINES - 1} are allowed")


# --- self-test: a good tree, and for each rule a change that breaks it

GOOD = {
    "src/base/README.md": "# base\n",
    "src/base/error.h": "#pragma once\n#include <string>\n",
    "src/text/README.md": "# text\n",
    "src/text/tokenizer.h": '#include "base/error.h"\n',
    "src/text/tokenizer.cc": '#include "text/tokenizer.h"\n// std::regex, system(1) and atoi(s) are only named here\n'
                             'const char* s = "system(1)"; const char* r = R"(popen("x"))";\nint n = 1\'000;\n'
                             "void f(Prompt p) { p.system(); chat->system(); is_system(p); to_stoi_table(); }\n",
    "src/cpu/README.md": "# cpu\n",
    "src/cpu/avx2/dot.cc": '#include <cstdint>\n#include <immintrin.h>\n#include "cpu/body.h"\n',
    "src/cpu/body.h": '#include <cstddef>\n#include "cpu/body.h"\n',
    "src/cpu/baseline/dot.cc": "#include <bit>\n",
    "src/cpu/avx2/dot_test.cc": "#include <vector>\n",
    "src/cpu/threads.cc": "#include <cmath>\n",
    "src/cpu/long.cc": "//\n" * (MAX_LINES + 1),
    "tests/long_files.txt": "# path and reason\nsrc/cpu/long.cc one table\n",
}

# What is changed in the good tree, and what the one message must contain.
BROKEN = [
    ({"src/base/json.h": '#include "text/tokenizer.h"\n'}, "src/base/json.h:1: room base includes"),
    ({"src/base/json.h": '\n  #  include "text/tokenizer.h"  // why\n'}, "src/base/json.h:2: room base includes"),
    ({"src/text/a.h": '#include "error.h"\n'}, "names no room"),
    ({"src/text/a.h": '#include "../base/error.h"\n'}, "no known room"),
    ({"src/cpu/avx2/exp.cc": "#include <cmath>\n"}, "<cmath> in a kernel file"),
    ({"src/cpu/body.h": "\n#include <bit>\n"}, "src/cpu/body.h:2: <bit> in a kernel file, which reaches src/cpu/avx2"),
    ({"src/cpu/neon/exp.h": "#include <algorithm>\n"}, "<algorithm> in a kernel file"),
    ({"src/text/big.cc": "//\n" * (MAX_LINES + 1)}, "801 lines, more than 800"),
    ({"tests/long_files.txt": "src/cpu/long.cc\n"}, "without a reason"),
    ({"src/cpu/long.cc": "//\n"}, "take it off the list"),
    ({"src/cpu/long.cc": None}, "does not exist"),
    ({"src/text/a.cc": "\nstd::regex r;\n"}, "src/text/a.cc:2: std::regex"),
    ({"src/text/a.cc": "std::regex_match(a, b);\nstd::wregex x;\nstd::basic_regex<char> y;\n"}, "std::basic_regex"),
    ({"src/text/a.cc": "strcpy(a, b);\n"}, "strcpy("),
    ({"src/text/a.cc": "std::sprintf (a, b);\n"}, "sprintf ("),
    ({"src/text/a.cc": "int i = atoi(s);\n"}, "atoi("),
    ({"src/text/a.cc": "int i = std::stoi(s);\n"}, "stoi("),
    ({"src/text/a.cc": "std::stod(s);\n"}, "stod("),
    ({"src/text/a.cc": "::system(command);\n"}, "runs a shell"),
    ({"src/text/a.cc": "std::system(command);\n"}, "runs a shell"),
    ({"src/text/a.cc": 'auto* p = popen("ls", "r");\n'}, "runs a shell"),
    ({"src/text/README.md": None}, "src/text: has no README.md"),
    ({"src/text/README.md": "line\n" * MAX_README_LINES}, "40 lines, where 1 to 39"),
    ({"src/text/README.md": ""}, "0 lines"),
    ({"src/text/utils.h": ""}, "says nothing"),
    ({"src/text/common/a.h": ""}, "says nothing"),
    ({"src/text/misc_test.cc": ""}, "says nothing"),
    ({"src/attic/README.md": "# attic\n"}, "src/attic: not a room"),
    ({"src/stray.h": ""}, "outside of the rooms"),
]


def check_tree(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            if text is None:
                continue
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        checker = Checker(root)
        checker.run()
        return checker.failures


def self_test():
    passed, failures = 0, []
    found = check_tree(GOOD)
    if found:
        failures.append("the good tree is refused: " + "; ".join(found))
    else:
        passed += 1
    for change, expected in BROKEN:
        found = check_tree({**GOOD, **change})
        if len(found) == 1 and expected in found[0]:
            passed += 1
        else:
            failures.append(f"{list(change)}: expected one message with {expected!r}, got {found}")
    return passed, failures


def main(arguments):
    if arguments == ["--self-test"]:
        passed, failures = self_test()
    elif len(arguments) == 1 and not arguments[0].startswith("-"):
        checker = Checker(arguments[0])
        checker.run()
        passed, failures = checker.passed, checker.failures
    else:
        print(__doc__, file=sys.stderr)
        return 2
    for failure in failures:
        print("FAILED", failure)
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
