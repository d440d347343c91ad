# SPDX-License-Identifier: Apache-2.0
# The general engine's instructions against NumPy and plain Python.
import sys

import numpy as np

from oneengine import (NUMPY, SIZE, Program, failures, faults, finish, from_bf16,
                       same, to_bf16)

systole, tables = sys.argv[1:3]
rng = np.random.default_rng(11)

TRICKY = np.array([0x7FC00000, 0xFFC00001, 0x7F800001, 0x7F800000, 0xFF800000, 0,
                   0x80000000, 1, 0x80000001, 0x3F800000, 0xBF800000], np.uint32)


def bits(dtype, shape):
    """Elements of any bits, some of them special, many equal."""
    if dtype == "f32":
        x = rng.choice(TRICKY, shape)
        few = rng.integers(-9, 9, shape).astype(np.float32).view(np.uint32)
        return np.where(rng.random(shape) < 0.5, few, x).view(np.float32)
    if dtype == "bf16":
        return (bits("f32", shape).view(np.uint32) >> 16).astype(np.uint16)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    info = np.iinfo(NUMPY[dtype])
    wide = rng.integers(info.min, info.max, shape, NUMPY[dtype], endpoint=True)
    few = rng.integers(0, 5, shape, NUMPY[dtype])
    return np.where(rng.random(shape) < 0.5, few, wide)


def key(x, dtype):
    """A Python value that orders as the manual says: NaN last, -0 = 0."""
    if dtype == "bf16":
        x = from_bf16([x])[0]
    x = float(x) if dtype in ("f32", "bf16") else int(x)
    return (1, 0) if x != x else (0, x)


def order(row, dtype, descending):
    """Positions, stable in both directions."""
    keys = [key(x, dtype) for x in row]
    down = sorted(range(len(row)), key=keys.__getitem__)
    if descending:  # sorted(reverse=True) keeps equal elements in order, too
        down = sorted(range(len(row)), key=keys.__getitem__, reverse=True)
    return down


def run(p, name):
    status, out, code = p.run()
    if status:
        failures.append(name)
        print(name, p.text(), status, code)
    return out


def sort(parts, n, k, m, dtype, descending, place="i32"):
    x = bits(dtype, (parts, n))
    p = Program(systole)
    a = p.input("a", dtype, x)
    text = f"sort{' descending' * descending} a=sbuf[0,0]{dtype}{{(1,{n})}}"
    p.load(a, 0, 0, n, parts)
    base = 4 * n
    outs = []
    if k:
        text += f" dst=sbuf[0,{base}]{dtype}{{(1,{k})}}"
        outs.append(("v", dtype, base, k))
    if m:
        text += f" dst2=sbuf[0,{base + 4 * k}]{place}{{(1,{m})}}"
        outs.append(("i", place, base + 4 * k, m))
    p.do(f"{text} parts={parts}")
    for name, ty, at, count in outs:
        p.store(p.output(name, ty, (parts, count)), 0, at, count, parts)
    name = f"sort {dtype} {parts} {n} {k} {m} {descending}"
    got = run(p, name)
    where = np.array([order(row, dtype, descending) for row in x])
    if k and "v" in got:
        same(name, got["v"], np.take_along_axis(x, where[:, :k], 1))
    if m and "i" in got:
        same(name, got["i"], where[:, :m].astype(NUMPY[place]))


def sorts():
    sort(1, 1, 1, 1, "f32", False)
    for i, dtype in enumerate(("f32", "bf16", "i32", "u32", "i8", "u8", "i16",
                               "u16", "bool")):
        sort(5, 37, 37, 37, dtype, i % 2 == 0, "u32" if i % 3 else "i32")
        sort(128, 13, 4, 0, dtype, i % 2 == 1)
        sort(3, 300, 0, 17, dtype, i % 2 == 0)
    sort(2, 5000, 5000, 100, "f32", True)
    # in place, and a row of two dimensions
    x = bits("f32", (4, 12))
    p = Program(systole)
    a, y = p.input("a", "f32", x), p.output("y", "f32", (4, 12))
    p.load(a, 0, 0, 12, 4)
    view = "sbuf[0,0]f32{(1,3)(3,4)}"
    p.do(f"sort dst={view} a={view} parts=4")
    p.store(y, 0, 0, 12, 4)
    flat = x.reshape(4, 4, 3).transpose(0, 2, 1).reshape(4, 12)
    want = np.stack([r[order(r, "f32", False)] for r in flat])
    got = run(p, "in place")
    same("in place", got["y"].reshape(4, 4, 3).transpose(0, 2, 1).reshape(4, 12),
         want)


def three(p, dtype, dst, itype):
    return (f"dst=sbuf[0,0]{dtype}{dst} a=sbuf[0,4096]{dtype}{{(1,%d)}} "
            f"b=sbuf[0,8192]{itype}{{(1,%d)}}")


def gathers():
    for parts, n, k, dtype, itype in ((1, 1, 1, "f32", "i32"),
                                      (128, 9, 30, "bf16", "u32"),
                                      (7, 200, 11, "u8", "i32")):
        x, i = bits(dtype, (parts, n)), rng.integers(0, n, (parts, k))
        i = i.astype(NUMPY[itype])
        p = Program(systole)
        a, b = p.input("a", dtype, x), p.input("b", itype, i)
        y = p.output("y", dtype, (parts, k))
        p.load(a, 0, 4096, n, parts)
        p.load(b, 0, 8192, k, parts)
        p.do(f"gather dst=sbuf[0,0]{dtype}{{(1,{k})}} a=sbuf[0,4096]{dtype}"
             f"{{(1,{n})}} b=sbuf[0,8192]{itype}{{(1,{k})}} parts={parts}")
        p.store(y, 0, 0, k, parts)
        same("gather", run(p, "gather").get("y"), np.take_along_axis(x, i.astype(int), 1))

        old, new = bits(dtype, (parts, n)), bits(dtype, (parts, k))
        p = Program(systole)
        o, a, b = (p.input("o", dtype, old), p.input("a", dtype, new),
                   p.input("b", itype, i))
        y = p.output("y", dtype, (parts, n))
        p.load(o, 0, 0, n, parts)
        p.load(a, 0, 4096, k, parts)
        p.load(b, 0, 8192, k, parts)
        p.do(f"scatter dst=sbuf[0,0]{dtype}{{(1,{n})}} a=sbuf[0,4096]{dtype}"
             f"{{(1,{k})}} b=sbuf[0,8192]{itype}{{(1,{k})}} parts={parts}")
        p.store(y, 0, 0, n, parts)
        want = old.copy()
        for q in range(parts):
            for e in range(k):
                want[q, int(i[q, e])] = new[q, e]
        same("scatter", run(p, "scatter").get("y"), want)


def local_gathers():
    for parts, n, k, e, cols in ((16, 6, 2, 2, 1), (128, 70, 20, 1, 2),
                                 (32, 64, 33, 32, 3), (16, 40, 5, 8, 1)):
        x = bits("f32", (parts, n))
        index = rng.integers(0, n - e + 1, (parts, cols)).astype(np.uint16)
        p = Program(systole)
        a, b = p.input("a", "f32", x), p.input("b", "u16", index)
        y = p.output("y", "f32", (parts, k * e))
        p.load(a, 0, 8192, n, parts)
        p.load(b, 0, 12288, cols, parts)
        p.do(f"local_gather per_index={e} dst=sbuf[0,0]f32{{(1,{k * e})}} "
             f"a=sbuf[0,8192]f32{{(1,{n})}} b=sbuf[0,12288]u16{{(1,{cols})}} "
             f"parts={parts}")
        p.store(y, 0, 0, k * e, parts)
        want = np.zeros((parts, k * e), np.float32)
        for core in range(parts // 16):
            rows = slice(16 * core, 16 * core + 16)
            flat = index[rows].flatten(order="F")[:k].astype(int)
            runs = (flat[:, None] + np.arange(e)).reshape(-1)
            want[rows] = np.take(x[rows], runs, axis=1)
        same("local_gather", run(p, "local_gather").get("y"), want)


def indices():
    """Out of range in every way: E0851."""
    for op, count, dst in (("gather", 5, 1), ("scatter", 5, 5)):
        for dtype, values in (("i32", (5, -1, -2**31, 2**31 - 1)),
                              ("u32", (5, 2**32 - 1))):
            for v in values + (4,):
                p = Program(systole)
                a = p.input("a", "f32", np.ones((1, 5), np.float32))
                b = p.input("b", dtype, np.array([[v]], NUMPY[dtype]))
                p.load(a, 0, 0, 5, 1)
                p.load(a, 0, 64, 5, 1)
                p.load(b, 0, 128, 1, 1)
                src = 1 if op == "scatter" else 5
                p.do(f"{op} dst=sbuf[0,0]f32{{(1,{dst})}} a=sbuf[0,64]f32"
                     f"{{(1,{src})}} b=sbuf[0,128]{dtype}{{(1,1)}} parts=1")
                good = v == 4
                faults(f"{op} {v}", p.run(), 0 if good else 4,
                       None if good else "E0851")
    for v in (3, 4, 65535):
        p = Program(systole)
        a = p.input("a", "f32", np.ones((16, 5), np.float32))
        b = p.input("b", "u16", np.full((16, 1), v, np.uint16))
        p.load(a, 0, 64, 5, 16)
        p.load(b, 0, 128, 1, 16)
        p.do("local_gather per_index=2 dst=sbuf[0,0]f32{(1,2)} "
             "a=sbuf[0,64]f32{(1,5)} b=sbuf[0,128]u16{(1,1)} parts=16")
        faults(f"local_gather {v}", p.run(), 0 if v == 3 else 4,
               None if v == 3 else "E0851")
    # dst is never a source here
    p = Program(systole)
    b = p.input("b", "i32", np.zeros((1, 4), np.int32))
    p.load(b, 0, 0, 4, 1)
    v = "sbuf[0,0]i32{(1,4)}"
    p.do(f"gather dst={v} a={v} b={v} parts=1")
    faults("gather in place", p.run(), 4, "E0841")


def affine_selects():
    table = {"eq": np.equal, "ne": np.not_equal, "lt": np.less,
             "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
    for i, (op, f) in enumerate(table.items()):
        parts, n, m = 20, 5, 7
        base, part, steps = (3, 0, -4, 10, 1, 2)[i], 1 - i % 3, (2, -1)
        x = rng.integers(-99, 99, (parts, n * m)).astype(np.float32)
        p = Program(systole)
        a, y = p.input("a", "f32", x), p.output("y", "bf16", (parts, n * m))
        p.load(a, 0, 0, n * m, parts)
        p.do("reg r7=mov(-2)",
             f"affine_select.f32 {op} dst=sbuf[0,512]bf16{{({m},{n})(1,{m})}} "
             f"a=sbuf[0,0]f32{{({m},{n})(1,{m})}} s0=-3.4028235e38 "
             f"iota_base={base} iota_reg=r7 iota_part={part} "
             f"iota_step={steps[0]},{steps[1]} parts={parts}")
        p.store(y, 0, 512, n * m, parts)
        v = (base - 2 + part * np.arange(parts)[:, None, None]
             + steps[0] * np.arange(n)[:, None] + steps[1] * np.arange(m))
        want = np.where(f(v, 0), x.reshape(v.shape), np.float32(-3.4028235e38))
        same(f"affine_select {op}", run(p, op).get("y"),
             to_bf16(want.reshape(parts, -1)))
    # the function wraps to 32 bits
    p = Program(systole)
    a = p.input("a", "i32", np.array([[1, 2, 3]], np.int32))
    y = p.output("y", "i32", (1, 3))
    p.load(a, 0, 0, 3, 1)
    p.do("affine_select.i32 gt dst=sbuf[0,64]i32{(1,3)} a=sbuf[0,0]i32{(1,3)} "
         "s0=-5 iota_base=2147483647 iota_step=1 parts=1")
    p.store(y, 0, 64, 3, 1)
    same("wraps", run(p, "wraps").get("y"), np.array([[1, -5, -5]], np.int32))


def segments():
    for reg, dtype in (("f32", "f32"), ("i32", "i32"), ("i32", "u8")):
        n = 60
        ids = np.repeat(rng.integers(0, 4, n), rng.integers(1, 5, n))[:n]
        x = ids.astype(NUMPY[dtype])
        p = Program(systole)
        a, y = p.input("a", dtype, x[None]), p.output("y", "i32", (1, 2 * n))
        p.load(a, 0, 0, n, 1)
        p.do(f"bounds.{reg} dst=sbuf[0,512]i32{{(1,{2 * n})}} "
             f"a=sbuf[0,0]{dtype}{{(1,{n})}} parts=1")
        p.store(y, 0, 512, 2 * n, 1)
        want = np.zeros((2, n), np.int32)
        for i in range(n):
            lo = hi = i
            while lo > 0 and ids[lo - 1] == ids[i]:
                lo -= 1
            while hi < n and ids[hi] == ids[i]:
                hi += 1
            want[:, i] = (lo, hi) if ids[i] else (n, -1)
        same("bounds", run(p, "bounds").get("y"), want.reshape(1, -1))


def nonzeros():
    for parts, n, dtype in ((1, 1, "f32"), (9, 50, "f32"), (128, 20, "i32"),
                            (4, 33, "bf16"), (2, 8, "bool")):
        x = bits(dtype, (parts, n))
        x[rng.random(x.shape) < 0.5] = 0
        p = Program(systole)
        a = p.input("a", dtype, x)
        y = p.output("y", "i32", (parts, n + 1))
        p.load(a, 0, 0, n, parts)
        p.do(f"nonzero dst=sbuf[0,512]i32{{(1,{n + 1})}} "
             f"a=sbuf[0,0]{dtype}{{(1,{n})}} s0=100 s1=-7 parts={parts}")
        p.store(y, 0, 512, n + 1, parts)
        want = np.full((parts, n + 1), -7, np.int32)
        for q in range(parts):
            v = from_bf16(x[q]) if dtype == "bf16" else x[q]
            at = np.flatnonzero(v != 0)
            want[q, :len(at)] = at + 100
            want[q, n] = len(at)
        same("nonzero", run(p, "nonzero").get("y"), want)


def topks():
    for parts, n, k, dtype in ((16, 8, 2, "bf16"), (128, 100, 37, "bf16"),
                               (32, 515, 515, "f32"), (16, 64, 1, "i32")):
        cols, out = (n + 15) // 16 + 1, (k + 15) // 16
        x = bits(dtype, (parts, cols))
        p = Program(systole)
        a = p.input("a", dtype, x)
        v = p.output("v", dtype, (parts, out))
        i = p.output("i", "u32", (parts, out))
        p.load(a, 0, 0, cols, parts)
        p.do(f"topk n={n} k={k} dst=sbuf[0,1024]{dtype}{{(1,{out})}} "
             f"a=sbuf[0,0]{dtype}{{(1,{cols})}} dst2=sbuf[0,2048]u32{{(1,{out})}} "
             f"parts={parts}")
        p.store(v, 0, 1024, out, parts)
        p.store(i, 0, 2048, out, parts)
        wv = np.zeros((parts, out), x.dtype)
        wi = np.full((parts, out), 2**32 - 1, np.uint32)
        for g in range(0, parts, 16):
            flat = x[g:g + 16].flatten(order="F")[:n]
            best = order(flat, dtype, True)[:k][::-1]
            for j, e in enumerate(best):
                wv[g + j % 16, j // 16] = flat[e]
                wi[g + j % 16, j // 16] = e
        got = run(p, "topk")
        if got:
            same(f"topk {dtype} {n} {k}", got["v"], wv)
            same(f"topk {dtype} {n} {k} positions", got["i"], wi)


def prints():
    p = Program(systole)
    p.do("device_print a=sbuf[0,0]f32{(1,4)} parts=1")
    faults("device_print of nothing", p.run(), 4, "E0837")
    p = Program(systole)
    a = p.input("a", "f32", np.ones((1, 4), np.float32))
    p.load(a, 0, 0, 4, 1)
    p.do("device_print a=sbuf[0,0]f32{(1,4)} parts=1")
    faults("device_print", p.run(), 0, None)


def example(name, operands, results):
    """The manual's example with the values that its text gives: rows of the
    operands at their places, and of the results."""
    with open(tables, encoding="utf-8") as f:
        text = f.read()
    text = text[text.index(f"insn {name}\n"):]
    line = text[text.index("  example ") + 10:].split("\n", 1)[0]
    p = Program(systole)
    for i, (at, dtype, rows) in enumerate(operands):
        x = np.array(rows, np.float32)
        x = to_bf16(x) if dtype == "bf16" else np.array(rows, NUMPY[dtype])
        t = p.input(f"i{i}", dtype, x)
        p.load(t, 0, at, x.shape[1], x.shape[0])
    p.do(line)
    want = []
    for i, (at, dtype, rows) in enumerate(results):
        x = np.array(rows, np.float32)
        x = to_bf16(x) if dtype == "bf16" else np.array(rows, NUMPY[dtype])
        want.append(x)
        p.store(p.output(f"o{i}", dtype, x.shape), 0, at, x.shape[1], x.shape[0])
    got = run(p, f"example of {name}")
    for i, x in enumerate(want):
        same(f"example of {name}", got.get(f"o{i}"), x)


def examples():
    example("affine_select", [(0x40, "f32", [[1, 2, 3, 4]] * 2)],
            [(0, "f32", [[1, -9, -9, -9], [1, 2, -9, -9]])])
    example("local_gather",
            [(0x40, "f32", [[0, 1, 2, 3, 4, 5]] * 16),
             (0x80, "u16", [[4], [1]] + [[0]] * 14)],
            [(0, "f32", [[4, 5, 1, 2]] * 16)])
    example("gather", [(0x40, "f32", [[5, 6, 7, 8]]), (0x80, "i32", [[3, 0, 0]])],
            [(0, "f32", [[8, 5, 5]])])
    example("scatter", [(0, "f32", [[0] * 4]), (0x40, "f32", [[5, 6, 7]]),
                        (0x80, "i32", [[3, 0, 3]])], [(0, "f32", [[6, 0, 0, 7]])])
    example("bounds", [(0x40, "i32", [[1, 1, 0, 2, 2]])],
            [(0, "i32", [[0, 0, 5, 3, 3, 2, 2, -1, 5, 5]])])
    example("nonzero", [(0x40, "f32", [[0, 2.5, -0.0, 1]])],
            [(0, "i32", [[11, 13, -1, -1, 2]])])
    rows = [[v] for v in (1, 7, 3, 7, 5, 2, 6, 0)] + [[9]] * 8
    rest = [[2**32 - 1]] * 14
    example("topk", [(0x40, "bf16", rows)],
            [(0, "bf16", [[7], [7]] + [[0]] * 14), (0x80, "u32", [[3], [1]] + rest)])
    example("sort", [(0x40, "f32", [[2, 9, -1, 9, 4]])],
            [(0, "f32", [[9, 9, 4]]), (0x80, "i32", [[1, 3, 4]])])


examples()
sorts()
gathers()
local_gathers()
indices()
affine_selects()
segments()
nonzeros()
topks()
prints()
finish()
