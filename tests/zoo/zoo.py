#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""zoo.py check|published SYSTOLE FOLDER TARGET...: every kernel of the zoo.

'check' compares all levels at the extents of the kernel's "# check:" line, in
at most SECONDS of processor time each. 'published' compiles at the extents of
the "# published:" line. TARGET may be 'turn', another full-size target from
commit to commit. A kernel that a target cannot run has a line "# not TARGET:
reason", which is printed."""
import glob
import os
import re
import resource
import subprocess
import sys

SECONDS = 5.0
TARGETS = ("trn1", "trn2", "trn3", "trn4")


def turn():
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return TARGETS[int(done.stdout[:7], 16) % len(TARGETS)] if done.returncode == 0 else "trn2"


def header(path):
    """The kernel's lines of 'key: value' at its beginning."""
    found = {}
    with open(path) as f:
        for line in f:
            m = re.match(r"# (check|published|not \w+): (.*)", line)
            if m:
                found[m[1]] = m[2].strip()
            elif not line.startswith("#"):
                break
    return found


def run(cmd):
    """Exit status, output, processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, done.stdout.decode(errors="replace"), spent


def one(mode, systole, path, target):
    name, keys = os.path.basename(path)[:-3], header(path)
    if f"not {target}" in keys:
        print(f"skipped {name} on {target}: {keys[f'not {target}']}")
        return True
    dims = keys["check" if mode == "check" else "published"]
    more = [] if mode == "check" else ["-o", os.devnull]
    cmd = [systole, "check" if mode == "check" else "build", path, "--target", target, *more]
    cmd += ["-D", dims] if dims else []
    status, said, spent = run(cmd)
    if status == 0 and (mode != "check" or spent <= SECONDS):
        return True
    bad = [line for line in said.splitlines() if not line.startswith("ok ")]
    print(f"{name} on {target}: status {status}, {spent:.1f} s\n{' '.join(cmd)}")
    print("\n".join(bad[:20]))
    return False


def main():
    mode, systole, folder, *targets = sys.argv[1:]
    kernels = sorted(glob.glob(os.path.join(folder, "*.tk")))
    targets = [turn() if t == "turn" else t for t in targets]
    results = [one(mode, systole, k, t) for t in targets for k in kernels]
    print(f"{len(kernels)} kernels on {', '.join(targets)}: {results.count(False)} failed")
    return len(kernels) == 0 or not all(results)


if __name__ == "__main__":
    sys.exit(main())
