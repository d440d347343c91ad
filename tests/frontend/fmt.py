#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""fmt.py SYSTOLE FOLDER...: `systole fmt` on every .tk file below the folders,
shipped ones (lib, examples) must be canonical already; on all: formatting twice
changes nothing more, every comment is still there, in order, and the tokens
are the same."""
import glob
import os
import re
import subprocess
import sys

TOKEN = re.compile(r"#[^\n]*|[A-Za-z_]\w*|\d[\w.]*?(?=\.\.)|[\d.]+(?:[eE][+-]?\d+)?|\.\.|->|[<>=!&|+]{2}|\S")


def run(systole, *args, text=None):
    done = subprocess.run([systole, "fmt", *args], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout


def tokens(text):
    """Without what the form decides: ends of statements."""
    found = TOKEN.findall(text.decode())
    return [t.rstrip() for t in found if t[0] == "#"], [t for t in found if t[0] != "#" and t != ";"]


def main():
    systole, *folders = sys.argv[1:]
    bad = count = 0
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "**", "*.tk"), recursive=True)):
            status, once = run(systole, path)
            if status == 1 and "bad-" in path:
                continue  # does not parse, and is meant not to
            with open(path, "rb") as f:
                before = f.read()
            count += 1
            problems = [] if status == 0 else [f"status {status}"]
            if status == 0 and run(systole, "-", text=once)[1] != once:
                problems.append("formatting twice differs")
            if status == 0 and tokens(before) != tokens(once):
                problems.append("tokens or comments differ")
            if status == 0 and "/tests/" not in os.path.abspath(path) and before != once:
                problems.append("is not in canonical form: systole fmt -i")
            for p in problems:
                print(f"{path}: {p}")
            bad += len(problems) > 0
    print(f"{count} files, {bad} bad")
    return bad != 0 or count == 0


if __name__ == "__main__":
    sys.exit(main())
