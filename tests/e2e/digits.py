#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""digits.py SYSTOLE EXAMPLES [OPTION...]: the digits example classifies as
NumPy does in float64 with the same bf16 weights and rounding points."""
import os
import subprocess
import sys
import tempfile

import numpy as np


def bf16(x):
    u = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    u = (u + 0x7FFF + ((u >> 16) & 1)) & 0xFFFF0000
    return u.astype(np.uint32).view(np.float32).astype(np.float64)


def main():
    systole, examples = sys.argv[1:3]
    here = os.path.join(examples, "digits")
    names = ["images", "w1", "b1", "w2", "b2"]
    a = {n: np.load(f"{here}/{n}.npy").astype(np.float64) for n in names}
    labels = np.load(f"{here}/labels.npy")
    for n in ["images", "w1", "w2"]:
        assert (bf16(a[n]) == a[n]).all(), f"{n} is not exact in bf16"
    h = bf16(np.maximum(a["images"] @ a["w1"] + a["b1"], 0))
    scores = h @ a["w2"] + a["b2"]
    with tempfile.TemporaryDirectory() as d:
        command = [systole, "run", f"{here}/digits.tk", "--out", f"scores={d}/s.npy",
                   "--out", f"label={d}/l.npy"] + sys.argv[3:]
        for n in names:
            command += ["--in", f"{n}={here}/{n}.npy"]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        got, label = np.load(f"{d}/s.npy"), np.load(f"{d}/l.npy")
    assert label.dtype == np.int32 and got.dtype == np.float32
    assert (label == scores.argmax(1)).all(), "labels differ from NumPy's"
    assert abs(got - scores).max() < 0.05, abs(got - scores).max()
    right = (label == labels).mean()
    assert right >= 0.95, right
    print(f"{right * 100:.1f} % right, all as NumPy")


main()
