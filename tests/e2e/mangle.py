#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mangle.py SYSTOLE EXAMPLES COUNT [SEED]: damaged inputs of every kind. Each must be
accepted or rejected with a numbered diagnostic, quickly, within 256 MB, and
leave no file behind when it is rejected."""
import os
import random
import re
import resource
import subprocess
import sys
import tempfile

SYSTOLE, EXAMPLES, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else 1
SANITISED = "/asan/" in os.path.abspath(SYSTOLE)
MEMORY, SECONDS = 256 << 20, 60 if SANITISED else 10
NUMBERS = ["0", "-1", "1", "7", "64", "65535", "65536", "2147483648", "4294967296", "9223372036854775807",
           "18446744073709551616", "1e400", "99999999999999999999999"]


def limit():
    if not SANITISED:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def systole(*args):
    done = subprocess.run([SYSTOLE] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS,
                          preexec_fn=limit)
    return done.returncode, done.stderr.decode(errors="replace")


def must(*args):
    status, err = systole(*args)
    assert status == 0, (args, err)


def damage_text(rng, text):
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(text))
        kind = rng.randrange(6)
        numbers = list(re.finditer(rb"\d+", text))
        words = re.findall(rb"[A-Za-z_@%]\w*|[^\w\s]", text)
        if kind == 0 and numbers:
            m = rng.choice(numbers)
            text = text[:m.start()] + rng.choice(NUMBERS).encode() + text[m.end():]
        elif kind == 1:
            text = text[:at] + rng.choice(words) + text[at:]
        elif kind == 2:
            text = text[:at] + text[at + rng.randrange(1, 12):]
        elif kind == 3:
            lines = text.split(b"\n")
            i = rng.randrange(len(lines))
            lines.insert(rng.randrange(len(lines)), lines[i])
            text = b"\n".join(lines)
        elif kind == 4:
            text = text[:at]
        else:
            text = text[:at] + bytes([rng.randrange(256)]) + text[at + 1:]
        if not text:
            return b" "
    return text


def damage_object(rng, data):
    kind = rng.randrange(3)
    if kind == 0:
        return data[:rng.randrange(4, len(data))]
    out = bytearray(data)
    for _ in range(1 if kind == 1 else 8):
        out[rng.randrange(4, len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def try_one(d, name, data, commands):
    path = f"{d}/{name}"
    with open(path, "wb") as f:
        f.write(data)
    before = set(os.listdir(d))
    for command in commands:
        status, err = systole(*[w.replace("IN", path).replace("OUT", f"{d}/out") for w in command])
        new = set(os.listdir(d)) - before
        ok = status in (0, 1, 4, 5) and (status == 0 or (re.search(r"\[E\d{4}\]", err) and not new))
        if not ok:
            keep = f"/tmp/systole-mangled-{SEED}-{os.getpid()}{os.path.splitext(name)[1]}"
            with open(keep, "wb") as f:
                f.write(data)
            sys.exit(f"status {status}, new files {new}: {' '.join(command)} with {keep}\n{err[-2000:]}")
        for f in new:
            os.remove(f"{d}/{f}")


def main():
    rng = random.Random(SEED)
    kernels = {"matmul": "M=3,K=20,N=18", "attention": "B=1,H=1,S=5,D=3", "conv2d": "N=1,C=2,H=3,W=4,F=2"}
    run = ["run", "IN", "--limit-instructions=100000"]
    build = [["build", "IN", "--target", "tiny", "-o", "OUT"]]
    with tempfile.TemporaryDirectory() as d:
        forms = []
        for k, dims in kernels.items():
            source = f"{EXAMPLES}/{k}.tk"
            forms.append((source, "tk", [["build", "IN", "--kernel", k, "-D", dims, "--target", "tiny", "-o", "OUT"]]))
            for emit in ("tensor", "tile", "asm", "obj"):
                out = f"{d}/{k}.{emit}"
                must("build", source, "--kernel", k, "-D", dims, "--target", "tiny", f"--emit={emit}", "-o", out)
                forms.append((out, emit, {"asm": [["asm", "IN", "-o", "OUT"], run] + build,
                                          "obj": [["disasm", "IN", "-o", "OUT"], run]}.get(emit, build)))
        for path, kind, commands in forms:
            with open(path, "rb") as f:
                data = f.read()
            for i in range(COUNT):
                damaged = (damage_object if kind == "obj" else damage_text)(rng, data)
                try_one(d, f"x.{kind}", damaged, commands)


main()
