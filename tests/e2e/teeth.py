#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""teeth.py SYSTOLE [OPTION...]: `check` must reject a result from which one term is
missing or counted twice, or one row or tile of which is wrong, and must accept
the right one. The results are NumPy's, claimed with --claim.

Every operation of the examples appears once: the ones that feed another (the
hidden layer, the scores) are checked from the machine's own intermediates, by
the same bound as the kernels here that stop at them."""
import math
import subprocess
import sys
import tempfile

import numpy as np

K = 256


def bf16(x):
    u = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    u = (u + 0x7FFF + ((u >> 16) & 1)) & 0xFFFF0000
    return u.astype(np.uint32).view(np.float32).astype(np.float64)


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def product(rng):
    """Terms [m, n, k] of a contraction of length K, and what is made of them."""
    a, b = bf16(rng.normal(size=(17, K))), bf16(rng.normal(size=(K, 19)))
    return {"a": a, "b": b}, a[:, None, :] * b.T[None, :, :], lambda t: t.sum(-1)


def hidden(rng):
    a, b, c = bf16(rng.normal(size=(17, K))), bf16(rng.normal(size=(K, 19))) / 16, rng.normal(size=19)
    c = c.astype(np.float32).astype(np.float64)

    def finish(t):
        s = t.sum(-1) + c
        return bf16(0.5 * s * (1 + erf(s / math.sqrt(2))))
    return {"a": a, "b": b, "c": c}, a[:, None, :] * b.T[None, :, :], finish


def softmax(rng):
    x = rng.normal(size=(17, K)).astype(np.float32).astype(np.float64)
    e = np.exp(x)
    return {"x": x}, e, lambda t: e / t.sum(-1, keepdims=True)


def layernorm(rng):
    x = rng.normal(size=(17, K)).astype(np.float32).astype(np.float64)

    def finish(t):
        c = x - t.sum(-1, keepdims=True) / K
        return c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
    return {"x": x}, x, finish


def conv2d(rng):
    x, w = bf16(rng.normal(size=(1, 20, 6, 7))), bf16(rng.normal(size=(5, 20, 3, 3)))
    p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    taps = np.stack([p[:, :, r:r + 6, s:s + 7] for r in range(3) for s in range(3)], 2)
    t = np.einsum("nckhw,fck->nfhwck", taps, w.reshape(5, 20, 9)).reshape(1, 5, 6, 7, 180)
    return {"x": x, "w": w}, t, lambda t: t.sum(-1)


def maxpool(rng):
    x = rng.normal(size=(2, 3, 8, 10)).astype(np.float32).astype(np.float64)
    t = x.reshape(2, 3, 4, 2, 5, 2).transpose(0, 1, 2, 4, 3, 5).reshape(2, 3, 4, 5, 4)
    return {"x": x}, np.sort(t, -1), lambda t: t.max(-1)


def transpose(rng):
    x = rng.normal(size=(17, 33)).astype(np.float32).astype(np.float64)
    return {"x": x}, x.T[..., None], lambda t: t.sum(-1)


SOURCE = {
    "product": "kernel k[M, K, N](a: bf16[M, K], b: bf16[K, N]) -> (y: f32[M, N]) {\n"
               "  y[m, n] = sum[k] a[m, k] * b[k, n]\n}\n",
    "hidden": "kernel k[M, K, N](a: bf16[M, K], b: bf16[K, N], c: f32[N]) -> (y: bf16[M, N]) {\n"
              "  y[m, n] = cast(gelu((sum[k] a[m, k] * b[k, n]) + c[n]), bf16)\n}\n",
    "softmax": "kernel k[M, N](x: f32[M, N]) -> (y: f32[M, N]) {\n  y = softmax(x)\n}\n",
    "layernorm": "kernel k[M, N](x: f32[M, N]) -> (y: f32[M, N]) {\n"
                 "  m[i] = (sum[j] x[i, j]) / N\n  d[i, j] = x[i, j] - m[i]\n"
                 "  v[i] = (sum[j] d[i, j] * d[i, j]) / N\n"
                 "  y[i, j] = d[i, j] * rsqrt(v[i] + 1e-5)\n}\n",
    "conv2d": "kernel k[N, C, H, W, F](x: bf16[N, C, H, W], w: bf16[F, C, 3, 3]) -> (y: f32[N, F, H, W]) {\n"
              "  y[n, f, h, v] = sum[c, r, s] x[n, c, h + r - 1, v + s - 1] else 0 * w[f, c, r, s]\n}\n",
    "maxpool": "kernel k[N, C, H, W](x: f32[N, C, H, W]) -> (y: f32[N, C, H/2, W/2]) {\n"
               "  y[n, c, h, w] = max[r in 0..2, s in 0..2] x[n, c, 2*h + r, 2*w + s]\n}\n",
    "transpose": "kernel k[M, N](x: f32[M, N]) -> (y: f32[N, M]) {\n  y[n, m] = x[m, n]\n}\n",
}


def drop(t, i):
    t = t.copy()
    t[i] = t.min() - 1 if (np.diff(t, axis=-1) >= 0).all() else 0
    return t


def double(t, i):
    t = t.copy()
    t[i] *= 2
    return t


class Checker:
    def __init__(self, systole, options, d, name, ins):
        self.d, self.source = d, f"{d}/k.tk"
        with open(self.source, "w") as f:
            f.write(SOURCE[name])
        self.command = [systole, "check", self.source, "--orders", "0"] + options
        for n, x in ins.items():
            np.save(f"{d}/{n}.npy", x.astype(np.float32))
            self.command += ["--in", f"{n}={d}/{n}.npy"]

    def status(self, y):
        np.save(f"{self.d}/y.npy", y.astype(np.float32))
        return subprocess.run(self.command + ["--claim", f"y={self.d}/y.npy"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode


def mutations(rng, t, finish):
    """(what, result): terms of more than a tenth of the usual size, at random."""
    usual = np.sqrt((t * t).mean())
    picked = 0
    while picked < 3:
        i = tuple(rng.randint(n) for n in t.shape)
        if t.shape[-1] == 4:
            i = i[:-1] + (3,)  # of a maximum only the largest matters
        if abs(t[i]) < usual / 10:
            continue
        picked += 1
        yield f"dropped term {i}", finish(drop(t, i))
        if t.shape[-1] != 4:
            yield f"doubled term {i}", finish(double(t, i))
    y = finish(t)
    row = y.copy()
    row[..., 1, :] = row[..., 0, :]
    yield "a row of its neighbour", row
    tile = y.copy()
    tile[..., :4, :4] = 0
    yield "a tile of zeros", tile


def main():
    systole, options = sys.argv[1], sys.argv[2:]
    wrong = 0
    for name in SOURCE:
        rng = np.random.RandomState(len(name) * 1000 + ord(name[0]))
        ins, t, finish = globals()[name](rng)
        with tempfile.TemporaryDirectory() as d:
            c = Checker(systole, options, d, name, ins)
            got = c.status(finish(t))
            if got != 0:
                print(f"{name}: the right result gives status {got}")
                wrong += 1
            for what, y in mutations(rng, t, finish):
                got = c.status(y)
                if got != 3:
                    print(f"{name}: {what} gives status {got}")
                    wrong += 1
    sys.exit(f"{wrong} wrong" if wrong else 0)


main()
