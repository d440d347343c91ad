# SPDX-License-Identifier: Apache-2.0
# Programs of one engine for tests: load arrays into SBUF, execute lines of
# assembly in order, store, and give the outputs back as NumPy arrays. Knows the
# assembly's text and the .npy format, nothing else of the project.
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

SIZE = {"f32": 4, "i32": 4, "u32": 4, "bf16": 2, "f16": 2, "i16": 2, "u16": 2,
        "i8": 1, "u8": 1, "bool": 1}
NUMPY = {"f32": np.float32, "i32": np.int32, "u32": np.uint32, "f16": np.float16,
         "i16": np.int16, "u16": np.uint16, "i8": np.int8, "u8": np.uint8,
         "bool": np.bool_}


def to_bf16(x):
    """f32 values as bf16 bits, to nearest even; NaN canonical."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32).astype(np.uint64)
    out = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FC0), out)


def from_bf16(bits):
    return (np.asarray(bits, np.uint32) << 16).view(np.float32)


class Program:
    """One engine's stream; every transfer is waited for at once."""

    def __init__(self, systole, engine="gpsimd", target="trn2"):
        self.systole, self.engine, self.target = systole, engine, target
        self.tensors, self.data, self.lines = [], {}, []

    def tensor(self, name, kind, dtype, shape):
        self.tensors.append((name, kind, dtype, tuple(shape)))
        return len(self.tensors) - 1

    def input(self, name, dtype, array):
        self.data[name] = array
        return self.tensor(name, "input", dtype, array.shape)

    def output(self, name, dtype, shape):
        return self.tensor(name, "output", dtype, shape)

    def do(self, *lines):
        self.lines.extend(lines)

    def move(self, text):
        """A transfer; the engine waits for it."""
        name, rest = text.split(" ", 1)
        self.do(f"{name} {rest} queue=1 post s0:1@complete", "mark wait s0:1")

    def load(self, t, part, offset, n, parts):
        """Row-major [parts, n] of tensor t into SBUF."""
        ty = self.tensors[t][2]
        self.move(f"dma dst=sbuf[{part},{offset}]{ty}{{(1,{n})}} "
                  f"a=hbm[{t},0,{n}]{ty}{{(1,{n})}} parts={parts}")

    def store(self, t, part, offset, n, parts):
        ty = self.tensors[t][2]
        self.move(f"dma dst=hbm[{t},0,{n}]{ty}{{(1,{n})}} "
                  f"a=sbuf[{part},{offset}]{ty}{{(1,{n})}} parts={parts}")

    def text(self):
        out = [f'.target "{self.target}"', '.kernel "k"']
        for name, kind, dtype, shape in self.tensors:
            dims = ",".join(str(n) for n in shape)
            out.append(f'.tensor {kind} {dtype} [{dims}] "{name}"')
        out.append(f".sem q1 {self.engine} 0")
        for e in ("tensor", "vector", "scalar", "gpsimd", "sync"):
            out.append(f".stream {e}")
            out += ["    " + x for x in self.lines if e == self.engine]
            out.append("    end")
        return "\n".join(out) + "\n"

    def run(self, *options):
        """(exit status, outputs by name, first diagnostic's code)."""
        with tempfile.TemporaryDirectory() as d:
            asm, obj = os.path.join(d, "p.sys"), os.path.join(d, "p.syo")
            with open(asm, "w") as f:
                f.write(self.text())
            made = subprocess.run([self.systole, "asm", asm, "-o", obj],
                                  capture_output=True, text=True, check=False)
            if made.returncode:
                sys.exit(f"{self.text()}\n{made.stderr}")
            args = [self.systole, "run", obj, "--json", *options]
            outs = {}
            for name, kind, _, _ in self.tensors:
                path = os.path.join(d, name + ".npy")
                if kind == "input":
                    a = self.data[name]
                    if a.dtype == np.uint16 and self.is_bf16(name):
                        a = a.view("V2")
                    np.save(path, a)
                    args += ["--in", f"{name}={path}"]
                elif kind == "output":
                    outs[name] = path
                    args += ["--out", f"{name}={path}"]
            ran = subprocess.run(args, capture_output=True, text=True,
                                 check=False)
            code = None
            if ran.returncode:
                text = json.loads(ran.stdout)
                code = f'E{text["diagnostics"][0]["code"]:04}'
                return ran.returncode, {}, code
            return 0, {n: self.read(n, p) for n, p in outs.items()}, code

    def is_bf16(self, name):
        return any(t[0] == name and t[2] == "bf16" for t in self.tensors)

    def read(self, name, path):
        a = np.load(path)
        return a.view(np.uint16) if a.dtype.kind == "V" else a


failures = []


def same(what, got, want):
    """Equal bits."""
    got, want = np.ascontiguousarray(got), np.ascontiguousarray(want)
    if got.dtype == want.dtype and got.shape == want.shape and \
            got.tobytes() == want.tobytes():
        return
    failures.append(what)
    print(f"{what}:\n got {got!r}\nwant {want!r}")


def faults(what, result, status, code):
    if (result[0], result[2]) != (status, code):
        failures.append(what)
        print(f"{what}: status {result[0]}, code {result[2]}, "
              f"expected {status}, {code}")


def finish():
    if failures:
        sys.exit(f"{len(failures)} failed")
