#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""draws.py SYSTOLE [OPTION...]: the random numbers of lib/random.tk against a
Philox4x32-10 of its own (its words against the published test vector first)."""
import subprocess
import sys
import tempfile

import numpy as np

N, SEED = 4096, 12345
SOURCE = """kernel draw[N](seed: u32, x: f32[N])
    -> (b: u32[N], u: f32[N], g: f32[N], c: bool[N], d: f32[N]) {
  b[i] = random_bits(seed, i)
  u[i] = uniform(seed, i)
  g[i] = normal(seed, i)
  c[i] = bernoulli(seed, i, 0.25)
  d[i] = dropout(x[i], 0.25, seed, i)
}
"""


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
words = np.array([w for i in range(N // 2) for w in philox([i, 0, 0, 0], [SEED, 0])], np.uint32)
uniform = (words >> 8).astype(np.float64) / 2 ** 24
normal = np.sqrt(-2 * np.log(1 - uniform[0:2 * N:2])) * np.cos(2 * np.pi * uniform[1:2 * N:2])
x = np.linspace(-2, 2, N).astype(np.float32)
with tempfile.TemporaryDirectory() as tmp:
    with open(f"{tmp}/draw.tk", "w") as f:
        f.write(SOURCE)
    np.save(f"{tmp}/x.npy", x)
    np.save(f"{tmp}/seed.npy", np.uint32(SEED))
    cmd = [sys.argv[1], "run", f"{tmp}/draw.tk", "--in", f"x={tmp}/x.npy", "--in", f"seed={tmp}/seed.npy"]
    for name in "bugcd":
        cmd += ["--out", f"{name}={tmp}/{name}.npy"]
    subprocess.run(cmd + sys.argv[2:], check=True)
    b, u, g, c, d = (np.load(f"{tmp}/{name}.npy") for name in "bugcd")
assert np.array_equal(b, words[:N]), "bits"
assert np.array_equal(u, uniform[:N].astype(np.float32)), "uniform"
assert np.allclose(g, normal, rtol=1e-5, atol=1e-5), "normal"
assert np.array_equal(c, uniform[:N] < 0.25), "bernoulli"
assert np.allclose(d, np.where(uniform[:N] < 0.25, 0, x / np.float32(0.75)), rtol=1e-6), "dropout"
assert abs(g.mean()) < 0.05 and abs(g.std() - 1) < 0.05 and u.max() < 1, "moments"
