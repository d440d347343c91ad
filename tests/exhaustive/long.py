#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make check-long: every binary32 input of every scalar function, and every
32-bit input of every conversion, in shards of 2^24.

Each shard that is done is a line of the ledger, under the hash of the sources
it has tested: a run that was stopped goes on where it was, and a change of the
arithmetic begins anew. --write puts the worst errors into docs/numerics.md."""
import argparse
import concurrent.futures
import fcntl
import glob
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARDS, SHARD, RANDOM = 256, 1 << 24, 1 << 20
SOURCES = {
    "func": ["func*.c", "numerics_int.h", "env.c"],
    "convert": ["convert*.c", "dtype*", "numerics_int.h", "env.c"],
}
SOURCES["random"] = SOURCES["func"]
BEGIN, END = "<!-- worst errors: begin -->\n", "<!-- worst errors: end -->\n"


def meaning(path):
    """The source without what cannot change a number: comments, layout, and the
    prototypes of a header."""
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", f.read(), flags=re.S)
    if path.endswith(".h"):
        text = re.sub(r"^[a-z]\w* [^;{}()]*\([^;{}]*\);", "", text, flags=re.M)
    return " ".join(text.split())


def source_key(kind):
    h = hashlib.sha256()
    for pattern in SOURCES[kind]:
        for path in sorted(glob.glob(os.path.join(ROOT, "numerics", pattern))):
            h.update(f"{os.path.basename(path)}\0{meaning(path)}\0".encode())
    return h.hexdigest()[:16]


class Ledger:
    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self.path = os.path.join(directory, "ledger.jsonl")
        self.mutex = threading.Lock()
        self.done = {}
        self.file = open(self.path, "a+")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"another run uses {self.path}")
        self.file.seek(0)
        for line in self.file:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut off by a crash
            self.done[self.id(entry)] = entry

    @staticmethod
    def id(e):
        return (e["key"], e["kind"], e["name"], e["shard"])

    def add(self, entry):
        with self.mutex:
            self.done[self.id(entry)] = entry
            self.file.write(json.dumps(entry) + "\n")
            self.file.flush()


def parse_shards(text):
    chosen = set()
    for part in text.split(","):
        low, _, high = part.partition("-")
        chosen.update(range(int(low), int(high or low) + 1))
    return [s for s in sorted(chosen) if s < SHARDS]


def everything(worker):
    """(kind, name) of all there is to do."""
    out = subprocess.run([worker, "list"], stdout=subprocess.PIPE, text=True, check=True)
    for line in out.stdout.splitlines():
        kind, name = line.split()
        if kind == "func":
            yield "random", name
        yield kind, name


def plan(args, keys, ledger):
    jobs = []
    for kind, name in everything(args.worker):
        if args.words and not any(w in f"{kind} {name}" for w in args.words):
            continue
        for shard in [0] if kind == "random" else parse_shards(args.shards):
            if (keys[kind], kind, name, shard) not in ledger.done:
                jobs.append((kind, name, shard))
    return jobs


def run(worker, job):
    kind, name, shard = job
    first, count = (1, RANDOM) if kind == "random" else (shard * SHARD, SHARD)
    done = subprocess.run([worker, kind, name, str(first), str(count)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"{kind} {name}, shard {shard}: status {done.returncode}\n{done.stderr}")
    entry = json.loads(done.stdout)
    entry.update(shard=shard, message=done.stderr)
    return entry


def show(n, total, entry, start):
    if not sys.stderr.isatty():
        return
    left = (time.time() - start) / n * (total - n)
    print(f"\r{n} of {total} shards, {entry['kind']} {entry['name']}, about {left / 60:.0f} min left   ",
          end="" if n < total else "\n", file=sys.stderr, flush=True)


def work(args, keys, ledger):
    jobs = plan(args, keys, ledger)
    start, n = time.time(), 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        tasks = [pool.submit(run, args.worker, job) for job in jobs]
        try:
            for task in concurrent.futures.as_completed(tasks):
                entry = task.result()
                entry["key"] = keys[entry["kind"]]
                ledger.add(entry)
                n += 1
                if entry["failures"]:
                    print(f"\nwrong: {entry['kind']} {entry['name']}, shard {entry['shard']}: "
                          f"{entry['failures']}\n{entry['message']}", flush=True)
                show(n, len(jobs), entry, start)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            print(f"\nstopped; {ledger.path} keeps what is done", file=sys.stderr)
            sys.exit(130)
        except RuntimeError as e:
            pool.shutdown(wait=False, cancel_futures=True)
            sys.exit(str(e))


def summary(keys, ledger):
    """name -> what all its shards together say, for each kind."""
    total = {}
    for (key, kind, name, _), e in sorted(ledger.done.items()):
        if key != keys[kind]:
            continue
        s = total.setdefault((kind, name), dict(inputs=0, mpfr=0, failures=0, worst=0.0,
                                                at="00000000", seconds=0.0))
        for field in ("inputs", "mpfr", "failures", "seconds"):
            s[field] += e[field]
        if e["worst"] > s["worst"]:
            s["worst"], s["at"] = e["worst"], e["at"]
    return total


def count(n):
    return "all 2^32" if n == 1 << 32 else f"{n / (1 << 32):.1%}"


def error(worst):
    """How far beyond 1/2 is what matters and would vanish in decimals."""
    if worst <= 0.5 or worst > 0.51:
        return f"{worst:.9f}"
    return f"0.5 + {worst - 0.5:.1e}"


def table(keys, total):
    text = ["| function | inputs | decided by MPFR | worst error, ulp | at |", "|---|---|---|---|---|"]
    for (kind, name), s in sorted(total.items()):
        if kind != "func":
            continue
        r = total.get(("random", name), dict(worst=0.0, mpfr=0))
        worst, at = (r["worst"], r["at"]) if r["worst"] > s["worst"] else (s["worst"], s["at"])
        x = struct.unpack(">f", bytes.fromhex(at))[0]
        text.append(f"| `{name}` | {count(s['inputs'])} | {s['mpfr'] + r['mpfr']} | {error(worst)} | `{at}`, {x:.8g} |")
    names = [n for (kind, n), s in sorted(total.items()) if kind == "convert" and s["inputs"] == 1 << 32]
    if names:
        text += ["", "Conversions over all 2^32 inputs, none wrong: " + ", ".join(f"`{n}`" for n in names) + "."]
    text += ["", f"Sources `{keys['func']}` (functions) and `{keys['convert']}` (conversions)."]
    return "\n".join(text) + "\n"


def write_docs(keys, total):
    path = os.path.join(ROOT, "docs", "numerics.md")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    new, n = re.subn(re.escape(BEGIN) + ".*?" + re.escape(END),
                     lambda _: BEGIN + table(keys, total) + END, text, flags=re.S)
    if n != 1:
        sys.exit(f"{path}: no place for the table")
    with open(path, "w", encoding="utf-8") as f:
        f.write(new)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--worker", required=True)
    p.add_argument("--ledger", required=True)
    p.add_argument("--shards", default=f"0-{SHARDS - 1}")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--write", action="store_true", help="only write docs/numerics.md")
    p.add_argument("words", nargs="*")
    args = p.parse_args()
    keys = {kind: source_key(kind) for kind in SOURCES}
    ledger = Ledger(args.ledger)
    if args.write:
        write_docs(keys, summary(keys, ledger))
        return
    work(args, keys, ledger)
    total = summary(keys, ledger)
    failed = sum(s["failures"] != 0 for s in total.values())
    for (kind, name), s in sorted(total.items()):
        if not args.words or any(w in f"{kind} {name}" for w in args.words):
            ulps = "" if kind == "convert" else f", worst {error(s['worst'])} ulp at {s['at']}"
            print(f"{kind} {name}: {s['inputs']} inputs, {s['mpfr']} by MPFR, "
                  f"{s['failures']} wrong{ulps}, {s['seconds']:.0f} s")
    print(f"{len(total) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
