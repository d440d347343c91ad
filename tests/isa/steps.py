# SPDX-License-Identifier: Apache-2.0
"""Runs a list of instructions, one after the other, on an image of SBUF.

A test states each step as (engine, text of the instruction); semaphores between
engines, transfers and the object are made here. Nothing of the project's code
is used but the command. Also the number formats of the public record and one
f32 fused multiply-add in exact arithmetic, for oracles."""
import os
import subprocess
import tempfile
from fractions import Fraction

import numpy as np

ENGINES = ("tensor", "vector", "scalar", "gpsimd", "sync")


class Fault(Exception):
    """The command's exit status and what it wrote."""

    def __init__(self, status, text):
        super().__init__(f"exit {status}: {text}")
        self.status, self.text = status, text


class _Writer:
    def __init__(self):
        self.lines = {e: [] for e in ENGINES}
        self.sems = []
        self.last = None

    def sem(self, producer, consumer):
        self.sems.append(f".sem {producer} {consumer} 0")
        return len(self.sems) - 1

    def step(self, engine, text):
        if self.last not in (None, engine):
            s = self.sem(self.last, engine)
            self.lines[self.last].append(f"mark post s{s}:1@complete")
            self.lines[engine].append(f"mark wait s{s}:1")
        self.lines[engine].append(text)
        self.last = engine

    def transfer(self, queue, text):
        """By the sync engine, which waits for it."""
        s = self.sem(f"q{queue}", "sync")
        self.step("sync", f"dma queue={queue} {text} post s{s}:1@complete")
        self.step("sync", f"mark wait s{s}:1")


def program(target, image, steps, results):
    """Assembly. results: (memory, partition, partitions, byte offset, bytes)."""
    parts, size = image.shape
    w = _Writer()
    w.transfer(1, f"dst=sbuf[0,0x0]u8{{(1,{size})}} a=hbm[0,0x0,{size}]u8{{(1,{size})}} parts={parts}")
    for engine, text in steps:
        w.step(engine, text)
    tensors = [f'.tensor input u8 [{parts},{size}] "image"']
    at = size + -size % 64
    for i, (mem, part, n, offset, length) in enumerate(results):
        tensors.append(f'.tensor output u8 [{n},{length}] "r{i}"')
        if mem == "psum":
            w.step("vector", f"copy dst=sbuf[{part},{at:#x}]u8{{(1,{length})}} "
                             f"a=psum[{part},{offset:#x}]u8{{(1,{length})}} parts={n}")
            offset, at = at, at + length
        w.transfer(2, f"dst=hbm[{i + 1},0x0,{length}]u8{{(1,{length})}} "
                      f"a=sbuf[{part},{offset:#x}]u8{{(1,{length})}} parts={n}")
    out = [f'.target "{target}"', '.kernel "k"'] + tensors + w.sems
    for e in ENGINES:
        out += [f".stream {e}"] + [f"    {x}" for x in w.lines[e]] + ["    end"]
    return "\n".join(out) + "\n"


def run(systole, target, image, steps, results):
    """The bytes of each result; Fault if the command does not exit with 0."""
    with tempfile.TemporaryDirectory() as d:
        path = [os.path.join(d, n) for n in ("p.sys", "image.npy")]
        with open(path[0], "w") as f:
            f.write(program(target, image, steps, results))
        np.save(path[1], np.ascontiguousarray(image, np.uint8))
        outs = [os.path.join(d, f"r{i}.npy") for i in range(len(results))]
        command = [systole, "run", path[0], "--in", f"image={path[1]}"]
        for i, o in enumerate(outs):
            command += ["--out", f"r{i}={o}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Fault(done.returncode, done.stdout + done.stderr)
        return [np.load(o) for o in outs]


# ---- number formats, from the record


def table(exponent_bits, mantissa_bits, kind):
    """All codes of a float format of up to 8 bits. kind: 'ieee' reserves the
    top exponent, 'fn' only its last code (NaN), 'plain' nothing."""
    bias = 2 ** (exponent_bits - 1) - 1
    bits = 1 + exponent_bits + mantissa_bits
    out = []
    for code in range(2 ** bits):
        sign = -1.0 if code >> (bits - 1) else 1.0
        e = code >> mantissa_bits & (2 ** exponent_bits - 1)
        m = code & (2 ** mantissa_bits - 1)
        top = e == 2 ** exponent_bits - 1
        if kind == "ieee" and top:
            v = np.nan if m else np.inf
        elif kind == "fn" and top and m == 2 ** mantissa_bits - 1:
            v = np.nan
        elif e == 0:
            v = m * 2.0 ** (1 - bias - mantissa_bits)
        else:
            v = (2 ** mantissa_bits + m) * 2.0 ** (e - bias - mantissa_bits)
        out.append(sign * v)
    return np.array(out)


FORMAT = {"f8e4m3": table(4, 3, "ieee"), "f8e5m2": table(5, 2, "ieee"), "f8e4m3fn": table(4, 3, "fn"),
          "f4e2m1": table(2, 1, "plain")}


def bf16_bits(x):
    """Round to nearest even; no NaN."""
    u = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    return ((u + 0x7fff + (u >> 16 & 1)) >> 16).astype(np.uint16)


def bf16(bits):
    return (np.asarray(bits, np.uint32) << 16).view(np.float32)


def round_f32(x):
    """A Fraction to the nearest binary32, ties to even."""
    if x == 0:
        return np.float32(0)
    sign, x = (-1, -x) if x < 0 else (1, x)
    e = x.numerator.bit_length() - x.denominator.bit_length()
    e -= x < Fraction(2) ** e
    ulp = Fraction(2) ** (max(e, -126) - 23)
    n = x / ulp
    whole = n.numerator // n.denominator
    rest = n - whole
    whole += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole & 1)
    if whole * ulp >= Fraction(2) ** 128:
        return np.float32(sign * np.inf)
    return np.float32(sign * float(whole * ulp))


def fma(a, b, c):
    a, b, c = float(a), float(b), float(c)
    if not np.isfinite([a, b, c]).all():
        with np.errstate(invalid="ignore"):
            return np.float32(np.float64(a) * np.float64(b) + np.float64(c))
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    # The sign of a zero sum: that of equal signs, else plus.
    if exact == 0:
        p = np.float64(a) * np.float64(b)
        return np.float32(-0.0 if np.signbit(p) and np.signbit(c) else 0.0)
    return round_f32(exact)


def product(w, x):
    """r[m, n] over ascending k, from +0, one fused multiply-add each."""
    out = np.zeros((w.shape[1], x.shape[1]), np.float32)
    for m in range(w.shape[1]):
        for n in range(x.shape[1]):
            r = np.float32(0)
            for k in range(w.shape[0]):
                r = fma(w[k, m], x[k, n], r)
            out[m, n] = r
    return out


def same_bits(got, want):
    """NaNs are canonical."""
    want = np.where(np.isnan(want), np.uint32(0x7fc00000), np.asarray(want, np.float32).view(np.uint32))
    return np.array_equal(np.ascontiguousarray(got).view(np.uint32), want)


def place(image, part, offset, values):
    """The bytes of an array, one row a partition, at a place of the image."""
    b = np.ascontiguousarray(values)
    b = b.view(np.uint8).reshape(b.shape[0], -1)
    image[part:part + b.shape[0], offset:offset + b.shape[1]] = b
