#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""delete_waits.py [--systole COMMAND] [--all] [--verbose] [WORD...]

Builds every example for `tiny`, with every loop at least two iterations longer
than its buffers have slots, deletes each semaphore wait in turn and runs what
is left. `systole run` must report a race or an uninitialised read if and only
if happens_before.py says that the deletion leaves two conflicting accesses
unordered; otherwise the wait is redundant, and nothing but leftover tokens may
be reported. The program as it stands must be clean by both.

Without --all, two shapes of each example (make check); with it, all shapes, and
all -O levels whose code differs.
WORDs choose kernels by name. Exit status 1 if the two disagree anywhere."""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys

import happens_before

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNINITIALISED, RACE, LEFTOVER = 837, 840, 834

# kernel: file, shapes; the first two shapes are those of `make check`.
EXAMPLES = {
    "matmul": ("matmul.tk", ["M=49,K=49,N=200", "M=65,K=400,N=193", "M=113,K=97,N=257"]),
    "mlp": ("mlp.tk", ["B=49,I=49,H=49,O=200", "B=65,I=65,H=400,O=19", "B=52,I=400,H=257,O=193"]),
    "softmax_rows": ("softmax.tk", ["M=49,N=21", "M=65,N=1100", "M=52,N=3000"]),
    "layernorm_rows": ("layernorm.tk", ["M=49,N=21", "M=65,N=1100", "M=49,N=2100"]),
    "attention": ("attention.tk", ["B=1,H=7,S=50,D=49", "B=2,H=2,S=90,D=19", "B=1,H=8,S=200,D=49"]),
    "attention_causal": ("attention.tk", ["B=1,H=4,S=50,D=49", "B=2,H=2,S=90,D=19", "B=1,H=4,S=200,D=65"]),
    "conv2d": ("conv2d.tk", ["N=4,C=49,H=7,W=7,F=49", "N=7,C=52,H=9,W=30,F=52", "N=4,C=65,H=16,W=64,F=65"]),
    "maxpool": ("maxpool.tk", ["N=2,C=49,H=99,W=14", "N=4,C=65,H=20,W=100", "N=1,C=100,H=300,W=6"]),
    "transpose": ("transpose.tk", ["M=49,N=49", "M=200,N=300", "M=2000,N=300"]),
    "digits": ("digits/digits.tk", ["N=49", "N=200"]),
}


def systole(command, arguments, text=None):
    return subprocess.run([command] + arguments, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def short_loops(assembly):
    """Loops of the tile IR with fewer iterations than a buffer of theirs has
    slots, plus two. A loop around a whole nest runs once by design and holds
    what the nest keeps; everything else is the fault of the shape."""
    out, nest = set(), []
    for line in re.findall(r'^"(  +[^"\\]*)', assembly, re.M):
        loop = re.match(r" +for (\w+) < (\w+)", line)
        slots = re.search(r"(?:sbuf|psum) (%\w+): .* slots (\d+)", line)
        if loop:
            nest.append(loop.groups())
        elif line.strip() == "}" and nest:
            nest.pop()
        elif slots and nest and nest[-1][1] != "1" and int(nest[-1][1]) < int(slots[2]) + 2:
            out.add(f"{nest[-1][0]} < {nest[-1][1]}")
    return sorted(out)


class Verdict:
    """What `systole run` says of a program."""

    def __init__(self, command, text):
        done = systole(command, ["run", "-", "--json"], text)
        self.status = done.returncode
        try:
            self.said = [d for d in json.loads(done.stdout)["diagnostics"] if d["severity"] == "error"]
        except ValueError:
            self.said = [{"code": 0, "text": done.stderr[-300:]}]

    def caught(self):
        return self.status == 4 and any(d["code"] in (RACE, UNINITIALISED) for d in self.said)

    def silent(self):
        return self.status == 0 or self.status == 4 and all(d["code"] == LEFTOVER for d in self.said)

    def __str__(self):
        return "; ".join(f"E{d['code']:04} {d['text']}" for d in self.said) or f"status {self.status}"


class Tally:
    def __init__(self):
        self.waits = self.caught = self.redundant = self.wrong = 0

    def __str__(self):
        return f"{self.waits} waits, {self.caught} caught, {self.redundant} redundant, {self.wrong} wrong"


def judge(command, name, assembly, verbose):
    """(tally, lines to print) for one program."""
    tally, lines = Tally(), []
    program = happens_before.Program(assembly)
    race, reports, steps = happens_before.judge(program)
    clean = Verdict(command, assembly)
    if race or clean.status:
        tally.wrong += 1
        lines.append(f"{name}: as it stands: oracle{race or ': no race'}; run: {clean}")
    for r in reports:
        verdict = Verdict(command, program.without(r.insn, r.k))
        good = verdict.caught() if r.needed else verdict.silent()
        tally.waits += 1
        tally.caught += r.needed and good
        tally.redundant += good and not r.needed
        tally.wrong += not good
        if verbose or not good:
            lines.append(f"{name}: {'' if good else 'WRONG: '}{r}; run: {verdict}")
    short = short_loops(assembly)
    lines.append(f"{name}: {steps} steps, {tally}" + (f"; short loops: {', '.join(short)}" if short else ""))
    return tally, lines


def judge_levels(command, kernel, dims, levels, verbose):
    """The tallies and lines of one kernel's programs: one for each optimisation
    level that gives other code than those before."""
    path, seen, out = os.path.join(ROOT, "examples", EXAMPLES[kernel][0]), set(), []
    for level in levels:
        built = systole(command, ["build", path, "--kernel", kernel, "-D", dims, "--target", "tiny", level,
                                  "--emit=asm"])
        name = f"{kernel} {dims} {level}"
        if built.returncode:
            wrong = Tally()
            wrong.wrong = 1
            out.append((wrong, [f"{name}: does not build: {built.stderr}"]))
        elif built.stdout not in seen:
            out.append(judge(command, name, built.stdout, verbose))
        seen.add(built.stdout)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--systole", default=os.path.join(ROOT, "build", "systole"))
    p.add_argument("--all", action="store_true")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("word", nargs="*")
    args = p.parse_args()
    work = [(kernel, dims, ["-O2", "-O0", "-O1", "-O3"] if args.all else ["-O2"])
            for kernel, (_, shapes) in EXAMPLES.items() for dims in (shapes if args.all else shapes[:2])
            if not args.word or kernel in args.word]
    total, programs = Tally(), 0
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        futures = [pool.submit(judge_levels, args.systole, *w, args.verbose) for w in work]
        for f in futures:
            for tally, lines in f.result():
                print("\n".join(lines), flush=True)
                programs += 1
                for field in vars(total):
                    setattr(total, field, getattr(total, field) + getattr(tally, field))
    print(f"{programs} programs: {total}")
    sys.exit(1 if total.wrong or not total.waits else 0)


if __name__ == "__main__":
    main()
