#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""expect.py [--mem=MB] [--within=SECONDS] STATUS COMMAND...: runs the command
and fails unless it exits with that status (a signal N counts as 128 + N)."""
import resource
import subprocess
import sys


def main():
    args = sys.argv[1:]
    mem, within = 0, 120.0
    while args and args[0].startswith("--"):
        name, _, value = args.pop(0).partition("=")
        if name == "--mem":
            mem = int(value) << 20
        elif name == "--within":
            within = float(value)
    want, command = int(args[0]), args[1:]

    def limit():
        if mem:
            resource.setrlimit(resource.RLIMIT_AS, (mem, mem))

    try:
        got = subprocess.run(command, timeout=within, preexec_fn=limit).returncode
    except subprocess.TimeoutExpired:
        sys.exit(f"expect: took longer than {within} s: {' '.join(command)}")
    got = 128 - got if got < 0 else got
    if got != want:
        sys.exit(f"expect: exit status {got}, expected {want}: {' '.join(command)}")


main()
