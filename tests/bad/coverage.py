#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py: every diagnostic of support/diag.def must be expected by some
test: as D_ID or "123:line" in a unit test, as 812 in tests/isa, as E0123 or W0123 anywhere else. Lists those that
are not and fails when there is one."""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What no input brings about, and why it is kept.
UNREACHABLE = {
    "ASM_RANGE": "no signed field of an instruction is narrower than 64 bits yet",
}


def table():
    with open(f"{ROOT}/support/diag.def") as f:
        return {m[1]: int(m[2]) for m in re.finditer(r"^DIAG\((\w+),\s*(\d+)", f.read(), re.M)}


def mentioned():
    names, numbers = set(), set()
    for path in glob.glob(f"{ROOT}/tests/**/*", recursive=True):
        if not os.path.isfile(path) or path == os.path.abspath(__file__):
            continue
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        names.update(re.findall(r"\bD_([A-Z0-9_]+)\b", text))
        numbers.update(int(n) for n in re.findall(r"\b[EW](\d{4})\b", text))
        if os.path.dirname(path) == f"{ROOT}/tests/isa":  # faults(855, ..), expect_fault(.., 847)
            numbers.update(int(n) for n in re.findall(r"(?<![\w.])(8\d\d)(?![\w.])", text))
        if path.endswith(".c"):
            numbers.update(int(n) for n in re.findall(r'["\s](\d{3}):\d', text))
    return names, numbers


def main():
    names, numbers = mentioned()
    missing = [(number, name) for name, number in table().items()
               if name not in names and number not in numbers and name not in UNREACHABLE]
    for number, name in sorted(missing):
        print(f"E{number:04d} {name}: no test expects it")
    sys.exit(1 if missing else 0)


main()
