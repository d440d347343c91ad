#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs random programs through `systole check`: every level against every other
and against the reference. A program that fails is made small and printed.

    run.py SYSTOLE [--programs N] [--seed S] [--target T] [--jobs J] [--ledger F]

Seeds S, S + 1, .. are taken; S may be 'commit': a number made of the commit's
name. T may be 'turn': another full-size target from commit to commit. --only
SEED runs and prints one program. The ledger says which construct was reached
with which element type and rank, and how often."""
import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from generate import make  # noqa: E402
from lang import source  # noqa: E402
from shrink import shrink  # noqa: E402

FEATURES = ("gather", "scatter", "recurrence", "sort", "inout")
TARGETS = ("trn1", "trn2", "trn3", "trn4")
BATCH = 25
SECONDS = 120


def check(opts, text, seed, more=()):
    """Exit status and what it said; a signal is a negative status."""
    with tempfile.NamedTemporaryFile("w", suffix=".tk") as f:
        f.write(text)
        f.flush()
        cmd = [opts.systole, "check", f.name, "--target", opts.target, "--seed", str(seed), "--json", *more]
        try:
            done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return "timeout", ""
    return done.returncode, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


# A constant expression that does not fit its type or divides by zero, which
# is no more than a rule of the language that the generator does not know.
REFUSED = ((1, 319), (1, 304))


def signature(status, said):
    """What makes two failures the same: status and the first diagnostic."""
    try:
        diags = json.loads(said)["diagnostics"]
        codes = [d["code"] for d in diags if d["severity"] == "error"]
        return status, codes[0] if codes else ""
    except (ValueError, KeyError):
        return status, ""


def bad(result):
    return result[0] != 0 and signature(*result) not in REFUSED


def claim(opts, program, seed, more):
    """`check` of NumPy's results for one program."""
    import numpy as np
    from evaluate import draw, evaluate
    values, files = draw(program, seed)
    results = evaluate(program, values)
    with tempfile.TemporaryDirectory() as d:
        args = []
        for option, arrays in (("--in", files), ("--claim", results)):
            for name, x in arrays.items():
                path = os.path.join(d, f"{option[2:]}-{name}.npy")
                if x.dtype == np.float64:
                    with np.errstate(over="ignore"):
                        x = x.astype(np.float32)
                if x.dtype == np.int64 and option == "--claim":
                    t = next(t for t in program.results if t.name == name)
                    x = x.astype({"i": "int", "u": "uint"}[t.dtype[0]] + t.dtype[1:])
                np.save(path, x)
                args.append(f"{option}={name}={path}")
        status, said = check(opts, source(program), seed, [*more, *args])
    # NumPy has none of the kernel's roundings, and its own last one to f32.
    rows = [] if status != 3 else json.loads(said)["rows"]
    if status == 3 and all(r["ok"] or r["against"] == "claim-rounded" for r in rows):
        return 0, said
    return status, said


def report(opts, seed, program):
    """A small program that fails as this one does, as text."""
    options = levels(seed)

    def once(p):
        return claim(opts, p, seed, options) if opts.numpy else check(opts, source(p), seed, options)

    def fails(p):
        try:
            return signature(*once(p)) == wanted
        except (IndexError, KeyError, ValueError):  # the shrinker's program is not one
            return False

    wanted = signature(*once(program))
    small = shrink(program, fails)
    _, said = once(small)
    return (f"seed {seed}: status {wanted[0]} {wanted[1]}\n{source(small)}"
            f"systole check F --target {opts.target} --seed {seed} {' '.join(options)}\n{said[:3000]}\n")


def levels(seed):
    return [f"-O{(0, 2, 2, 1)[seed % 4]}"]


def batch(opts, seeds):
    reached, failed = collections.Counter(), []
    programs = {}
    for s in seeds:
        programs[s], got = make(s, FEATURES)
        reached.update(got)
    if opts.numpy:
        failed = [s for s in seeds if bad(claim(opts, programs[s], s, levels(s)))]
    for level in set() if opts.numpy else {tuple(levels(s)) for s in seeds}:
        group = [s for s in seeds if tuple(levels(s)) == level]
        status, _ = check(opts, "".join(source(programs[s]) for s in group), group[0], level)
        if status != 0:
            failed += [s for s in group if bad(check(opts, source(programs[s]), s, level))]
    return reached, [report(opts, s, programs[s]) for s in failed[:2]], len(failed)


def commit():
    """A number that changes with the commit; 1 outside of a repository."""
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return int(done.stdout[:7], 16) * 10000 if done.returncode == 0 else 1


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("systole")
    ap.add_argument("--programs", type=int, default=200)
    ap.add_argument("--seed", type=lambda s: commit() if s == "commit" else int(s), default=1)
    ap.add_argument("--only", type=int)
    ap.add_argument("--target", default="tiny")
    ap.add_argument("--jobs", type=int, default=os.cpu_count())
    ap.add_argument("--numpy", action="store_true", help="claim NumPy's results for each program")
    ap.add_argument("--ledger")
    opts = ap.parse_args()
    if opts.target == "turn":
        opts.target = TARGETS[commit() // 10000 % len(TARGETS)]
    if opts.only is not None:
        program, _ = make(opts.only, FEATURES)
        print(source(program))
        status, said = check(opts, source(program), opts.only, levels(opts.only))
        print(said[-4000:])
        return status != 0
    seeds = range(opts.seed, opts.seed + opts.programs)
    jobs = [list(seeds[k:k + BATCH]) for k in range(0, len(seeds), BATCH)]
    reached, failures = collections.Counter(), 0
    with concurrent.futures.ThreadPoolExecutor(opts.jobs) as pool:
        for got, reports, failed in pool.map(lambda j: batch(opts, j), jobs):
            reached += got
            failures += failed
            for r in reports:
                print(r, flush=True)
    if opts.ledger:
        rows = [{"construct": c, "dtype": t, "rank": r, "times": n} for (c, t, r), n in
                sorted(reached.items(), key=str)]
        with open(opts.ledger, "w") as f:
            json.dump({"programs": opts.programs, "seed": opts.seed, "reached": rows}, f, indent=0)
    constructs = {c for c, _, _ in reached}
    print(f"{opts.programs} programs on {opts.target} from seed {opts.seed}: {failures} failed; "
          f"{len(constructs)} constructs, {len(reached)} with types and ranks")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
