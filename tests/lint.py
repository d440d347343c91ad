#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make lint: formatting, lengths, which folder may include which, and that
memory comes from the arena and library code neither prints nor exits."""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILE_LINES, FUNCTION_LINES = 1000, 80

# folder -> folders it may include besides itself, support and numerics
MAY = {
    "support": set(),
    "numerics": set(),
    "isa-spec": set(),
    "ir": set(),
    "frontend": {"ir"},
    "backend": {"ir", "isa-spec"},
    "runtime": {"isa-spec"},
    "api": {"frontend", "ir", "backend", "isa-spec", "runtime"},
    "tools": set(),
}
PRINTS = re.compile(r"\b(printf|puts|putchar|perror|exit|_exit|abort|fputs|vfprintf|fprintf)\s*\(")
HEAP = re.compile(r"\b(malloc|calloc|realloc|free|strdup|asprintf)\s*\(")
FORMAT = os.environ.get("CLANG_FORMAT", "clang-format-19")


def sources():
    for folder in list(MAY) + ["tests/unit", "tests/exhaustive", "lib/gen", "include/systole"]:
        for path in sorted(glob.glob(f"{folder}/**/*.[ch]", recursive=True)):
            yield path


def check_lengths(path, lines, say):
    if len(lines) > FILE_LINES:
        say(path, 1, f"{len(lines)} lines, at most {FILE_LINES}")
    start = None
    for n, line in enumerate(lines, 1):
        if line == "{":
            start = n
        elif line == "}" and start:
            if n - start > FUNCTION_LINES and not any(
                    "NOLINT" in x and "dispatch" in x for x in lines[max(0, start - 4):n]):
                say(path, start, f"function of {n - start} lines, at most {FUNCTION_LINES}")
            start = None


def check_includes(path, lines, say):
    folder = path.split("/")[0]
    if folder not in MAY:
        return
    for n, line in enumerate(lines, 1):
        m = re.match(r'#include "([a-z-]+)/', line)
        if m and m[1] in MAY and m[1] not in MAY[folder] | {folder, "support", "numerics"}:
            say(path, n, f"{folder}/ may not include {m[1]}/")


def strip(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]


def check_calls(path, lines, say):
    folder = path.split("/")[0]
    if folder not in MAY or "/gen/" in path:
        return
    for n, line in enumerate(lines, 1):
        code = strip(line)
        if path != "support/arena.c" and HEAP.search(code):
            say(path, n, "memory comes from the arena")
        if (folder != "tools" and path not in ("support/arena.c", "support/check.c")
                and PRINTS.search(code)):
            say(path, n, "library code does not print or exit")


def main():
    os.chdir(ROOT)
    found = []

    def say(path, line, text):
        found.append(f"{path}:{line}: {text}")

    paths = list(sources())
    for path in paths:
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        if "SPDX-License-Identifier: Apache-2.0" not in lines[0]:
            say(path, 1, "the first line names the licence")
        check_lengths(path, lines, say)
        check_includes(path, lines, say)
        check_calls(path, lines, say)
    done = subprocess.run([FORMAT, "--dry-run", "-Werror"] + [p for p in paths if p.endswith(".c")],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        bad = sorted({m[1] for m in re.finditer(r"^(\S+?):\d+:\d+: error", done.stderr, re.M)})
        found.extend(f"{path}: not formatted (clang-format-19 -i)" for path in bad)
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


main()
