#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tensor_irregular.py SYSTOLE: gathers, scatters, sorts, reshapes and recurrences of the
tensor IR, drawn at random over shapes and types, against NumPy. All values are
small integers, so that every sum is exact and results have to be equal."""
import os
import subprocess
import sys
import tempfile

import numpy as np

TYPES = {"f32": np.float32, "i32": np.int32, "u32": np.uint32, "f16": np.float16, "i8": np.int8}


def run(directory, text, inputs, outputs, status=0):
    """Evaluates a text by the tensor IR; the arrays of its outputs."""
    path = os.path.join(directory, "k.tir")
    with open(path, "w") as f:
        f.write(text)
    command = [sys.argv[1], "run", path, "--engine=tensor", "--target=tiny"]
    for name, array in inputs.items():
        np.save(os.path.join(directory, name + ".npy"), array)
        command += ["--in", f"{name}={directory}/{name}.npy"]
    for name in outputs:
        command += ["--out", f"{name}={directory}/{name}-out.npy"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == status, (done.returncode, done.stderr, text)
    if status:
        return done.stderr
    return [np.load(f"{directory}/{name}-out.npy") for name in outputs]


def draw(rng, shape, dtype):
    low = 0 if dtype == "u32" else -20
    return rng.integers(low, 20, shape).astype(TYPES[dtype])


def extents(shape):
    return "[" + ", ".join(str(e) for e in shape) + "]"


def indices(shape):
    return "[" + ", ".join(f"i{d}:{e}" for d, e in enumerate(shape)) + "]"


def gather(directory, rng, dtype):
    n, m, k = rng.integers(1, 9, 3)
    x, ids = draw(rng, (n, m), dtype), rng.integers(-2, n + 2, k).astype(np.int32)
    inside = np.clip(ids, 0, n - 1)
    fill = {"f32": "7.0", "f16": "7.0", "u32": "7u"}.get(dtype, "7")
    text = f"""tensor_ir @k {{
      input x: {dtype}{extents(x.shape)}
      input ids: i32[{k}]
      input inside: i32[{k}]
      output y: {dtype}[{k}, {m}]
      output z: {dtype}[{m}, {k}]
      output w: {dtype}[{k}]
      y[i0:{k}, i1:{m}] = map x[(ids[i0]) + 1, i1] else {fill}
      z[i0:{m}, i1:{k}] = map x[(inside[i1]), -i0 + {m - 1}]
      w[i0:{k}] = max[r0:{m}] x[(inside[i0]), r0]
    }}"""
    y, z, w = run(directory, text, {"x": x, "ids": ids, "inside": inside}, ["y", "z", "w"])
    at = ids + 1
    want = np.where(((at >= 0) & (at < n))[:, None], x[np.clip(at, 0, n - 1)], TYPES[dtype](7))
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(z, x[inside][:, ::-1].T)
    np.testing.assert_array_equal(w, x[inside].max(1))


def scatter(directory, rng, dtype):
    n, m, k = rng.integers(1, 7, 3)
    x, c = draw(rng, (k, m), dtype), draw(rng, (n, m), dtype)
    ids = rng.integers(0, n + 1, k).astype(np.int32)
    steps = ["set"] if dtype in ("f16", "i8") else ["set", "sum", "max", "min"]
    names = [f"{s}_{start}" for s in steps for start in ("fresh", "from")]
    text = f"tensor_ir @k {{ input x: {dtype}{extents(x.shape)} input c: {dtype}{extents(c.shape)} input ids: i32[{k}] "
    text += " ".join(f"output {name}: {dtype}{extents(c.shape)}" for name in names)
    for name in names:
        step, start = name.split("_")
        text += f" {name} = scatter {step}{indices(x.shape)} {'from c' if start == 'from' else ''} "
        text += f"at [(ids[i0]), i1] if lt(ids[i0], {n}) put x[i0, i1]"
    got = run(directory, text + " }", {"x": x, "c": c, "ids": ids}, names)
    t = TYPES[dtype]
    least, most = (-np.inf, np.inf) if dtype == "f32" else (np.iinfo(np.int32).min, np.iinfo(np.int32).max)
    if dtype == "u32":
        least, most = 0, np.iinfo(np.uint32).max
    first = {"set": 0, "sum": 0, "max": least, "min": most}
    for name, y in zip(names, got):
        step, start = name.split("_")
        want = c.copy() if start == "from" else np.full(c.shape, first[step], t)
        for i in range(k):
            if ids[i] == n:
                continue
            row = want[ids[i]]
            row[:] = {"set": lambda a, b: b, "sum": np.add, "max": np.maximum, "min": np.minimum}[step](row, x[i])
        np.testing.assert_array_equal(y, want, name)


def sort(directory, rng, dtype):
    shape = tuple(rng.integers(1, 9, 3))
    axis = int(rng.integers(0, 3))
    x = draw(rng, shape, dtype)
    if dtype.startswith("f"):
        x[rng.random(shape) < 0.2] = np.nan
        x[rng.random(shape) < 0.2] = -0.0
    take = list(shape)
    take[axis] = int(rng.integers(0, shape[axis] + 1))
    text = f"""tensor_ir @k {{ input x: {dtype}{extents(shape)}
      output a: {dtype}{extents(take)} output p: i32{extents(take)}
      output d: {dtype}{extents(take)} output q: i32{extents(take)}
      a = sort x axis {axis} ascending p = positions x axis {axis} ascending
      d = sort x axis {axis} descending q = positions x axis {axis} descending }}"""
    a, p, d, q = run(directory, text, {"x": x}, ["a", "p", "d", "q"])
    key = np.where(np.isnan(x), 1e9, x.astype(np.float64)) if dtype.startswith("f") else x.astype(np.int64)
    kept = np.arange(take[axis])
    for values, positions, order in ((a, p, np.argsort(key, axis, kind="stable")),
                                     (d, q, np.argsort(-key, axis, kind="stable"))):
        order = np.take(order, kept, axis)
        np.testing.assert_array_equal(positions, order)
        want = np.take_along_axis(x, order, axis)
        np.testing.assert_array_equal(values, want)
        if dtype.startswith("f"):
            number = ~np.isnan(want)
            np.testing.assert_array_equal(np.signbit(values[number]), np.signbit(want[number]))


def recurrence(directory, rng, dtype):
    t, n = rng.integers(1, 7, 2)
    x, w = draw(rng, (t, n), dtype), rng.integers(0, 2, (n, n)).astype(TYPES[dtype])
    backward = bool(rng.integers(0, 2))
    one = "1.0" if dtype == "f32" else "1"
    back = "i0 + 1" if backward else "i0 - 1"
    text = f"""tensor_ir @k {{
      input x: {dtype}{extents(x.shape)} input w: {dtype}{extents(w.shape)}
      output h: {dtype}{extents(x.shape)} output flat: {dtype}[{t * n}] temp m: {dtype}{extents(x.shape)}
      for t {'backward' if backward else ''} {{
        m[t=i0:{t}, i1:{n}] = sum[r0:{n}] mul(w[i1, r0], h[{back}, r0] else {one})
        h[t=i0:{t}, i1:{n}] = map min(add(m[i0, i1], x[i0, i1]), mul(x[i0, i1], x[i0, i1]))
      }}
      flat = reshape h }}"""
    h, flat = run(directory, text, {"x": x, "w": w}, ["h", "flat"])
    state, want = np.ones(n, np.int64), np.zeros((t, n), np.int64)
    for i in reversed(range(t)) if backward else range(t):
        state = np.minimum(w.astype(np.int64) @ state + x[i].astype(np.int64), x[i].astype(np.int64) ** 2)
        want[i] = state
    np.testing.assert_array_equal(h, want.astype(TYPES[dtype]))
    np.testing.assert_array_equal(flat, want.astype(TYPES[dtype]).ravel())


def faults(directory):
    text = """tensor_ir @k { input x: f32[4] input n: i32[2] output y: f32[2] y[i0:2] = map x[(n[i0])] }"""
    x = np.arange(4, dtype=np.float32)
    for bad in (4, -1, 2 ** 31 - 1):
        said = run(directory, text, {"x": x, "n": np.array([3, bad], np.int32)}, ["y"], status=4)
        assert "E0640" in said and f"is {bad}, outside the extent 4" in said, said


def main():
    rng = np.random.default_rng(11)
    with tempfile.TemporaryDirectory() as directory:
        for dtype in TYPES:
            for _ in range(3):
                gather(directory, rng, dtype)
                scatter(directory, rng, dtype)
                sort(directory, rng, dtype)
        for dtype in ("f32", "i32"):
            for _ in range(5):
                recurrence(directory, rng, dtype)
        faults(directory)


main()
