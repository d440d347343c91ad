#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs everything `make check` has built and ends with `N passed, N failed`.

Unit programs speak TAP (cmocka); tests/**/ files are run by lit; a --step is a
make target that counts as one test. Arguments limit the run to unit programs
and lit paths whose name contains one of them."""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIT = "/usr/lib/llvm-19/build/utils/lit/lit.py"
UNIT_SECONDS = 300
STEPS = {"clang": "clang-check", "lint": "lint", "drift": "drift"}


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def unit_environment():
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", PYTHONDONTWRITEBYTECODE="1")
    env.setdefault("ASAN_OPTIONS", "allocator_may_return_null=1")
    return env


def run_unit(program):
    """Gives (passed, failed, text of failures)."""
    name = os.path.basename(program)
    start = time.time()
    try:
        done = subprocess.run([program], cwd=ROOT, env=unit_environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=UNIT_SECONDS)
        out, status = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as e:
        out, status = (e.stdout or b"").decode(errors="replace"), "timeout"
    passed = len(re.findall(r"^\s*ok\b", out, re.M))
    failed = len(re.findall(r"^\s*not ok\b", out, re.M))
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1
    line = f"unit {name}: {passed} passed, {failed} failed, {time.time() - start:.1f} s"
    if failed:
        tail = "\n".join(out.splitlines()[-60:])
        line += f"\n{tail}\nexit status {status}; again with: {program}"
    return passed, failed, line


def run_units(directory, words, jobs, tally):
    programs = [os.path.join(directory, f) for f in sorted(os.listdir(directory))
                if f.startswith("test_") and not f.endswith(".d")
                and (not words or any(w in f for w in words))]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for passed, failed, line in pool.map(run_unit, programs):
            tally.add(passed, failed)
            print(line, flush=True)


def run_lit(args, tally):
    report = os.path.join(args.build, args.variant, "lit.json")
    command = [args.python, LIT, "-v", "--no-progress-bar", "-j", str(args.jobs),
               "--output", report, "--time-tests",
               f"-Dbuild={args.build}", f"-Dvariant={args.variant}", "tests"]
    if args.words:
        command += ["--filter", "|".join(re.escape(w) for w in args.words)]
    if os.path.exists(report):
        os.remove(report)
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "allocator_may_return_null=1")
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        print(done.stdout)
    if not os.path.exists(report):
        if not args.words:
            tally.add(0, 1)
        return
    with open(report) as f:
        codes = [t["code"] for t in json.load(f)["tests"]]
    good = sum(c in ("PASS", "XFAIL", "FLAKYPASS") for c in codes)
    skipped = sum(c in ("UNSUPPORTED", "SKIPPED", "EXCLUDED") for c in codes)
    bad = len(codes) - good - skipped
    tally.add(good, bad, skipped)
    print(f"lit: {good} passed, {bad} failed, {skipped} skipped", flush=True)


def run_step(name, args, tally):
    target = STEPS[name.split()[0]]
    done = subprocess.run(["make", "--no-print-directory", f"-j{args.jobs}",
                           f"BUILD={args.build}", "-s", target], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace",
                          env={k: v for k, v in os.environ.items()
                               if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")})
    ok = done.returncode == 0
    tally.add(ok, not ok)
    print(f"step {name}: {'passed' if ok else 'failed'}")
    if not ok:
        print("\n".join(done.stdout.splitlines()[-80:]))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    p.add_argument("--variant", default="release")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--python", default="/usr/bin/python3")
    p.add_argument("--step", action="append", default=[])
    p.add_argument("words", nargs="*")
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    tally = Tally()
    if not args.words:
        for step in args.step:
            run_step(step, args, tally)
    run_units(os.path.join(args.build, args.variant, "unit"), args.words,
              args.jobs, tally)
    run_lit(args, tally)
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{skipped}")
    sys.exit(1 if tally.failed else 0)


main()
