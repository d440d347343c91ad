#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kernels.py SYSTOLE EXAMPLES KERNEL SHAPE... [OPTION...]: runs one example on
random arrays and compares the result with NumPy in float64.

SHAPE is dims joined by x (3x5x7, in the order of the kernel's dims); options
starting with - go to `systole run`. Tolerances are stated per kernel, from the
number of roundings of a float32 evaluation; `systole check` has sharper ones."""
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

EPS = 2.0 ** -24


def bf16(x):
    """The nearest bf16, as float64."""
    u = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    u = (u + 0x7FFF + ((u >> 16) & 1)) & 0xFFFF0000
    return u.astype(np.uint32).view(np.float32).astype(np.float64)


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def matmul(rng, M, K, N):
    a, b = rng.normal(size=(M, K)), rng.normal(size=(K, N))
    a, b = a.astype(np.float32), b.astype(np.float32)
    x, y = bf16(a), bf16(b)
    return {"a": a, "b": b}, {"c": (x @ y, (K + 2) * EPS * (abs(x) @ abs(y)))}


def mlp(rng, B, I, H, O):
    f = np.float32
    ins = {"x": rng.normal(size=(B, I)).astype(f), "w1": (rng.normal(size=(I, H)) / max(I, 1) ** .5).astype(f),
           "b1": rng.normal(size=H).astype(f), "w2": rng.normal(size=(H, O)).astype(f)}
    x, w1, w2 = bf16(ins["x"]), bf16(ins["w1"]), bf16(ins["w2"])
    s = x @ w1 + ins["b1"]
    h = bf16(0.5 * s * (1 + erf(s / math.sqrt(2))))
    # A value of h near the middle of two bf16 may be rounded either way.
    slack = abs(h) * 2.0 ** -8 + (I + 8) * EPS * (abs(x) @ abs(w1) + abs(ins["b1"]))
    return ins, {"y": (h @ w2, slack @ abs(w2) + (H + 2) * EPS * (abs(h) @ abs(w2)))}


def softmax64(s):
    e = np.exp(s - s.max(-1, keepdims=True, initial=-np.inf))
    return e / e.sum(-1, keepdims=True)


def softmax_rows(rng, M, N):
    x = (3 * rng.normal(size=(M, N))).astype(np.float32)
    y = softmax64(x.astype(np.float64))
    return {"x": x}, {"y": (y, (N + 40) * EPS * y)}


def layernorm_rows(rng, M, N):
    f = np.float32
    x, g, b = rng.normal(size=(M, N)).astype(f), rng.normal(size=N).astype(f), rng.normal(size=N).astype(f)
    d = x.astype(np.float64)
    c = d - d.mean(-1, keepdims=True) if N else d
    r = 1 / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5) if N else c
    y = c * r * g + b
    size = np.abs(d).max(-1, keepdims=True, initial=0)
    # The mean may be off by N roundings of the largest element.
    return {"x": x, "g": g, "b": b}, {
        "y": (y, (2 * N + 16) * EPS * (size * r * (1 + c * c * r * r) * abs(g) + abs(b)))}


def attention(rng, B, H, S, D, causal=False):
    ins = {n: rng.normal(size=(B, H, S, D)).astype(np.float32) for n in "qkv"}
    q, k, v = (bf16(ins[n]) for n in "qkv")
    s = q @ k.swapaxes(-1, -2) / math.sqrt(D)
    off = (D + 8) * EPS * (abs(q) @ abs(k).swapaxes(-1, -2)) / math.sqrt(D)
    if causal:
        s = np.where(np.tril(np.ones((S, S), bool)), s, -np.inf)
    p = softmax64(s)
    slack = p * (2 * off.max(-1, keepdims=True, initial=0) + (S + 40) * EPS)
    return ins, {"o": (p @ v, slack @ abs(v) + (S + 4) * EPS * (p @ abs(v)))}


def attention_causal(rng, B, H, S, D):
    return attention(rng, B, H, S, D, causal=True)


def conv2d(rng, N, C, H, W, F):
    x = rng.normal(size=(N, C, H, W)).astype(np.float32)
    w = rng.normal(size=(F, C, 3, 3)).astype(np.float32)
    p = np.pad(bf16(x), ((0, 0), (0, 0), (1, 1), (1, 1)))
    y, size = np.zeros((2, N, F, H, W))
    for r in range(3):
        for s in range(3):
            part = p[:, :, r:r + H, s:s + W]
            tap = bf16(w)[:, :, r, s]
            y += np.einsum("nchw,fc->nfhw", part, tap)
            size += np.einsum("nchw,fc->nfhw", abs(part), abs(tap))
    return {"x": x, "w": w}, {"y": (y, (9 * C + 2) * EPS * size)}


def maxpool(rng, N, C, H, W):
    x = rng.normal(size=(N, C, H, W)).astype(np.float32)
    h, w = H // 2, W // 2
    y = x[:, :, :2 * h, :2 * w].reshape(N, C, h, 2, w, 2).max((3, 5), initial=-np.inf)
    return {"x": x}, {"y": (y.astype(np.float64), 0 * y)}


def transpose(rng, M, N):
    x = rng.normal(size=(M, N)).astype(np.float32)
    return {"x": x}, {"y": (x.T.astype(np.float64), 0 * x.T)}


FILES = {"softmax_rows": "softmax", "layernorm_rows": "layernorm", "attention_causal": "attention"}


def run(systole, examples, kernel, dims, options):
    # Not hash(), which differs from run to run.
    rng = np.random.RandomState(sum(map(ord, kernel)) + sum(dims))
    ins, outs = globals()[kernel](rng, *dims)
    with tempfile.TemporaryDirectory() as d:
        command = [systole, "run", os.path.join(examples, FILES.get(kernel, kernel) + ".tk"),
                   "--kernel", kernel] + options
        for name, x in ins.items():
            np.save(f"{d}/{name}.npy", x)
            command += ["--in", f"{name}={d}/{name}.npy"]
        for name in outs:
            command += ["--out", f"{name}={d}/out.{name}.npy"]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\nstatus {done.returncode}\n{done.stderr}")
        for name, (want, allowed) in outs.items():
            got = np.load(f"{d}/out.{name}.npy")
            assert got.shape == want.shape, (got.shape, want.shape)
            assert got.dtype == np.float32, got.dtype
            wrong = ~(abs(got - want) <= allowed)
            if wrong.any():
                i = tuple(np.argwhere(wrong)[0])
                sys.exit(f"{kernel} {dims} {options}: {wrong.sum()} of {wrong.size} wrong; {name}{list(i)} "
                         f"is {got[i]}, expected {want[i]} within {allowed[i]}")


def main():
    systole, examples, kernel = sys.argv[1:4]
    shapes = [a for a in sys.argv[4:] if not a.startswith("-")]
    options = [a for a in sys.argv[4:] if a.startswith("-")]
    for shape in shapes:
        run(systole, examples, kernel, [int(n) for n in shape.split("x")], options)
    print(f"{kernel}: {len(shapes)} shapes right")


main()
