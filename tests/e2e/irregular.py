#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""irregular.py SYSTOLE FILE [OPTION...]: runs the kernels of inputs/irregular.tk
and compares the results with loops over NumPy arrays; options go to
`systole run`. Integers and moves are exact, sums of a few floats within 1e-5."""
import os
import subprocess
import sys
import tempfile

import numpy as np

rng = np.random.default_rng(7)
systole, source, options = sys.argv[1], sys.argv[2], sys.argv[3:]
bad = 0


def floats(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def bf16(x):
    u = np.atleast_1d(np.asarray(x, np.float32)).view(np.uint32).astype(np.uint64)
    u = (u + 0x7FFF + ((u >> 16) & 1)) & 0xFFFF0000
    return u.astype(np.uint32).view(np.float32)


def run(kernel, ins, outs, dims=None, status=0):
    with tempfile.TemporaryDirectory() as tmp:
        cmd = [systole, "run", source, "--kernel", kernel] + options
        for name, value in ins.items():
            np.save(f"{tmp}/{name}.npy", value)
            cmd += ["--in", f"{name}={tmp}/{name}.npy"]
        if dims:
            cmd += ["-D", dims]
        for name in outs:
            cmd += ["--out", f"{name}={tmp}/out_{name}.npy"]
        p = subprocess.run(cmd, capture_output=True, text=True)
        if p.returncode != status:
            sys.exit(f"{' '.join(cmd)}: status {p.returncode}\n{p.stderr}")
        if status:
            return p.stderr
        got = [np.load(f"{tmp}/out_{name}.npy") for name in outs]
    return [(g.view(np.uint16).astype(np.uint32) << 16).view(np.float32) if g.dtype.kind == "V" else g for g in got]


def same(what, got, want, exact=False):
    global bad
    want = np.asarray(want)
    ok = got.shape == want.shape and (np.array_equal(got, want, equal_nan=True) if exact else
                                      np.allclose(got, want, rtol=1e-5, atol=1e-5, equal_nan=True))
    if not ok:
        bad += 1
        print(f"{what}: got\n{got}\nnot\n{want}")


def gather():
    w, ids = floats(5, 4), np.array([0, 4, 2, 2, 1, 4], np.int32)
    y, z, s = run("gather", {"w": w, "ids": ids}, ["y", "z", "s"])
    more = np.vstack([w, np.zeros((1, 4), np.float32)])
    sums = np.zeros((5, 4))
    for t, v in enumerate(ids):
        sums[v] += np.roll(w[v], -t)
    same("gather y", y, w[ids] * 2, True)
    same("gather z", z, np.stack([np.roll(w[t // 2], -1) for t in range(6)]) + more[ids + 1])
    same("gather s", s, sums)
    err = run("gather", {"w": w, "ids": ids + 1}, ["y"], status=4)
    if "irregular.tk" not in err and "E0" not in err:
        sys.exit("a gather outside has no message:\n" + err)


def scatter():
    u, ids = floats(5, 3), np.array([0, 3, 2, 2, 0], np.int32)
    y, h, q = np.zeros((4, 3)), np.zeros(4), np.zeros((4, 3))
    m = np.full(4, -np.inf)
    q[1] = u[0]
    for t, e in enumerate(ids):
        h[e] += 1
        m[e] = max(m[e], u[t].max())
        for c in range(3):
            if c > 0:
                y[e, c] += u[t, c]
            if 2 * c < 3:
                q[e, 2 * c] = u[t, c]
    m = bf16(m)
    m[1] = min(m[1], bf16(u[0, 0])[0])
    got = run("scatter", {"u": u, "ids": ids, "k": np.int32(1)}, ["y", "h", "m", "q"], "E=4")
    same("scatter y", got[0], y)
    same("scatter h", got[1], h, True)
    same("scatter m", got[2], m, True)
    same("scatter q", got[3], q, True)
    run("scatter", {"u": u, "ids": ids - 1, "k": np.int32(1)}, ["y"], "E=4", status=4)


def update():
    c, x, w, pos = floats(6, 3), floats(2, 3), floats(3), np.array([4, 1], np.int32)
    got = run("update", {"c": c, "x": x, "pos": pos, "w": w}, ["y", "c", "w"])
    c[pos] = x
    same("update c", got[1], c, True)
    same("update y", got[0], c.sum(0))
    same("update w", got[2], (w - c.sum(0) / 2) ** 2)


def recurrence():
    T, D = 5, 3
    a, b, h0, w = floats(T, D), floats(T, D), floats(D), floats(D, D)
    h, g, r, o = (np.zeros((T, D)) for _ in range(4))
    before, state, m, l = np.zeros(D), h0, -np.inf, np.zeros(D)
    for t in range(T):
        before = h[t] = a[t] * before + b[t]
        state = g[t] = np.tanh(w @ state) + b[t]
        top = max(m, a[t].max())
        l = o[t] = l * np.exp(m - top) + np.exp(a[t] - top)
        m = top
    after = np.full(D, 0.5)
    for t in reversed(range(T)):
        after = r[t] = np.concatenate([[1], after[:-1]]) + a[t]
    got = run("recurrence", {"a": a, "b": b, "h0": h0, "w": w}, ["h", "g", "r", "o"])
    for name, x, y in zip("hgro", got, (h, g, r, o)):
        same("recurrence " + name, x, y)
    got = run("fibonacci", {"z": np.int32(1)}, ["f"], "T=8")
    same("fibonacci", got[0], [2, 3, 5, 8, 13, 21, 34, 55], True)


def order():
    x = np.round(floats(4, 5) * 2)  # with ties
    v, i, s, p = run("order", {"x": x}, ["v", "i", "s", "p"], "K=3")
    down = np.argsort(-x, 1, kind="stable")
    same("topk values", v, -np.sort(-x, 1)[:, :3], True)
    same("topk places", i, down[:, :3], True)
    same("sort", s, np.sort(x * 2, 0), True)
    same("argsort", p, down, True)


def mapped():
    x = floats(3, 4)
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    for kernel in ("mapped", "outer"):
        y, n, c = run(kernel, {"x": x}, ["y", "n", "c"])
        same(kernel + " y", y, bf16(x) + x.reshape(3, 2, 2).sum((0, 1))[[0, 1, 0, 1]])
        same(kernel + " n", n, np.sqrt((p ** 2).sum(1)))
        same(kernel + " c", c, np.cumsum(x, 1))


for test in (gather, scatter, update, recurrence, order, mapped):
    test()
sys.exit(bad != 0)
