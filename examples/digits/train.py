#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the arrays beside this file. Needs python3-sklearn, which nothing else
here does: the results are committed.

A perceptron 64 -> 32 -> 10 with relu, trained by plain Adam in float64 on four
fifths of scikit-learn's copy of the UCI handwritten digits. Gradients are
taken at the weights rounded to bf16, which are the ones that are written, so
that the held-out score is theirs."""
import os

import numpy as np
from sklearn.datasets import load_digits

HIDDEN, HELD_OUT, STEPS = 32, 360, 3000
HERE = os.path.dirname(os.path.abspath(__file__))


def bf16(x):
    """To the nearest bf16, ties to even; exact for every finite f32."""
    u = np.asarray(x, np.float32).view(np.uint32)
    return ((u + 0x7FFF + ((u >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def forward(x, w1, b1, w2, b2):
    h = np.maximum(x @ w1 + b1, 0)
    return h, h @ w2 + b2


def gradients(x, want, p):
    h, s = forward(x, *p)
    e = np.exp(s - s.max(1, keepdims=True))
    ds = (e / e.sum(1, keepdims=True) - want) / len(x)
    dh = (ds @ p[2].T) * (h > 0)
    decay = 1e-4
    return [x.T @ dh + decay * p[0], dh.sum(0), h.T @ ds + decay * p[2], ds.sum(0)]


def train(x, want, rng):
    p = [rng.normal(0, np.sqrt(2 / 64), (64, HIDDEN)), np.zeros(HIDDEN),
         rng.normal(0, np.sqrt(2 / HIDDEN), (HIDDEN, 10)), np.zeros(10)]
    m = [np.zeros_like(a) for a in p]
    v = [np.zeros_like(a) for a in p]
    for step in range(1, STEPS + 1):
        # The gradient at the rounded weights moves the exact ones.
        g = gradients(x, want, [bf16(a).astype(np.float64) for a in p])
        rate = 0.01 * (1 - step / (STEPS + 1))
        for a, da, ma, va in zip(p, g, m, v):
            ma += 0.1 * (da - ma)
            va += 0.001 * (da * da - va)
            a -= rate * (ma / (1 - 0.9 ** step)) / (np.sqrt(va / (1 - 0.999 ** step)) + 1e-8)
    return [bf16(a) for a in p]


def main():
    data = load_digits()
    x, y = data.data / 16, data.target
    rng = np.random.RandomState(20240601)
    order = rng.permutation(len(x))
    test, rest = order[:HELD_OUT], order[HELD_OUT:]
    p = train(x[rest], np.eye(10)[y[rest]], rng)
    _, s = forward(x[test], *[a.astype(np.float64) for a in p])
    print(f"held out: {(s.argmax(1) == y[test]).mean():.4f} right")
    top = np.sort(s, 1)
    print(f"least margin: {(top[:, -1] - top[:, -2]).min():.4f}")
    for name, a in zip(["w1", "b1", "w2", "b2"], p):
        np.save(os.path.join(HERE, name), a.astype("<f4"))
    np.save(os.path.join(HERE, "images"), x[test].astype("<f4"))
    np.save(os.path.join(HERE, "labels"), y[test].astype("<i4"))


main()
