#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""seeds.py SYSTOLE DIRECTORY: seed corpora for every fuzz target, one folder
each: the examples in every form that the compiler gives them, arrays in every
form that NumPy writes, the shipped target descriptions."""
import glob
import os
import re
import subprocess
import sys

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXTENTS = [5, 7, 9, 6, 3]


def write(directory, kind, name, data):
    folder = os.path.join(directory, kind)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def kernels(path):
    with open(path) as f:
        text = f.read()
    for m in re.finditer(r"^kernel\s+(\w+)\[([^\]]*)\]", text, re.M):
        yield m[1], [d.strip() for d in m[2].split(",")]


def forms(systole, directory):
    for path in sorted(glob.glob(f"{ROOT}/examples/*.tk")):
        with open(path, "rb") as f:
            write(directory, "tk", os.path.basename(path), f.read())
        for kernel, dims in kernels(path):
            given = ",".join(f"{d}={EXTENTS[i]}" for i, d in enumerate(dims))
            for kind, emit, suffix in (("tensor", "tensor", "tir"), ("tile", "tile", "tile"),
                                       ("asm", "asm", "sys"), ("object", "obj", "syo")):
                done = subprocess.run(
                    [systole, "build", path, "--kernel", kernel, "-D", given, "--target", "tiny",
                     f"--emit={emit}", "-o", "-"], stdout=subprocess.PIPE, check=True)
                write(directory, kind, f"{kernel}.{suffix}", done.stdout)
    for path in sorted(glob.glob(f"{ROOT}/lib/*.tk")):
        with open(path, "rb") as f:
            text = re.sub(rb"^fn ", b"kernel ", f.read(), flags=re.M)
        write(directory, "tk", "lib-" + os.path.basename(path), text)


def arrays(directory):
    x = np.arange(12).reshape(3, 4)
    for t in ("<f4", ">f4", "<f2", "<f8", "|i1", "<i2", ">i4", "<i8", "|u1", "<u2", "|b1", "<V2"):
        folder = os.path.join(directory, "npy")
        os.makedirs(folder, exist_ok=True)
        y = x.astype("<u2").view("V2") if t == "<V2" else x.astype(t)
        np.save(os.path.join(folder, f"{t[1:]}-{t[0] == '>':d}.npy"), y)
        if t != "<V2":
            np.save(os.path.join(folder, f"{t[1:]}-fortran.npy"), np.asfortranarray(y))
    np.save(os.path.join(directory, "npy", "scalar.npy"), np.float32(1.5))
    np.save(os.path.join(directory, "npy", "empty.npy"), np.zeros((0, 3), "f4"))


IRREGULAR = b"""tensor_ir @irregular {
  input x: f32[6, 4]
  input ids: i32[6]
  input c: f32[6, 4]
  output y: f32[6, 4]
  output g: f32[12, 4]
  output h: f32[6, 4]
  temp q: f32[6, 2]
  temp r: f32[12]
  temp m: f32[6, 4]
  g[i0:12, i1:4] = map x[(div(index(i0), 2)), (ids[0]) + i1 - 1] else 0.0
  q[i0:6, i1:2] = map exp(x[i0, 2*i1])
  y = scatter sum[i0:6, i1:4] from c {
    %1 = ids[i0]
    at [(max(min(%1, 5), 0)), i1] if lt(%1, 4) put x[i0, i1]
  }
  r = reshape q
  for t backward {
    m[t=i0:6, i1:4] = sum[r0:4] mul(h[i0 + 1, r0] else 1.0, x[r0, i1])
    h[t=i0:6, i1:4] = map add(m[i0, i1], r[2*i0])
  }
}
"""


def targets(directory):
    for path in sorted(glob.glob(f"{ROOT}/isa-spec/targets/*.target")):
        with open(path, "rb") as f:
            write(directory, "target", os.path.basename(path), f.read())


def main():
    forms(sys.argv[1], sys.argv[2])
    arrays(sys.argv[2])
    targets(sys.argv[2])
    write(sys.argv[2], "tensor", "irregular.tir", IRREGULAR)


main()
