# SPDX-License-Identifier: Apache-2.0
# dma_gather and dma_scatter against NumPy, one element at a time, and every
# way in which an index or the memory beside it can be wrong.
import sys

import numpy as np

from oneengine import (NUMPY, Program, failures, faults, finish, from_bf16, same,
                       to_bf16)

systole = sys.argv[1]
rng = np.random.default_rng(7)

OPS = {"": None, "add": np.add, "max": np.maximum, "min": np.minimum}


def values(dtype, shape):
    if dtype in ("f32", "f16", "bf16"):
        x = rng.integers(-50, 50, shape).astype(np.float32) / 4
        return to_bf16(x) if dtype == "bf16" else x.astype(NUMPY[dtype])
    return rng.integers(-100, 100, shape).astype(NUMPY[dtype])


def cast(x, src, dst):
    """Values of these tests are exact in f32 and in range."""
    x = from_bf16(x) if src == "bf16" else x
    if dst == "bf16":
        return to_bf16(x.astype(np.float32))
    if dst == "i32" and x.dtype.kind == "f":
        return np.rint(x).astype(np.int32)
    return x.astype(NUMPY[dst])


def gather(parts, k, rows, d, src, dst, itype, skip):
    """table[index[p, k], :] for a table [rows, d]."""
    table = values(src, (rows, d))
    index = rng.integers(0, rows, (parts, k)).astype(NUMPY[itype])
    if skip:
        index[rng.random((parts, k)) < 0.3] = NUMPY[itype](-1 & 0xFFFFFFFF) \
            if itype == "u32" else -1
    p = Program(systole, rng.choice(["gpsimd", "sync", "vector"]))
    t, i = p.input("t", src, table), p.input("i", itype, index)
    o = p.input("o", dst, values(dst, (parts, k * d)))
    y = p.output("y", dst, (parts, k * d))
    p.load(i, 0, 0, k, parts)
    p.load(o, 0, 4096, k * d, parts)
    p.move(f"dma_gather{' skip' * skip} dst=sbuf[0,4096]{dst}{{({d},{k})(1,{d})}} "
           f"a=hbm[{t},0,{d}]{src}{{(1,{d})}} b=sbuf[0,0]{itype}{{(1,{k})}} "
           f"parts={parts}")
    p.store(y, 0, 4096, k * d, parts)
    status, out, code = p.run()
    want = p.data["o"].reshape(parts, k, d).copy()
    for q in range(parts):
        for e in range(k):
            n = int(index[q, e])
            if n not in (-1, 0xFFFFFFFF):
                want[q, e] = cast(table[n], src, dst)
    if status:
        failures.append("gather")
        print("gather", p.text(), status, code)
        return
    same(f"gather {src} {dst} {itype}", out["y"], want.reshape(parts, k * d))


def scatter(parts, k, rows, d, src, dst, op, skip):
    """Blocks of a go to rows of y, which starts as o; many duplicates."""
    index = rng.integers(0, rows, (parts, k)).astype(np.int32)
    if skip:
        index[rng.random((parts, k)) < 0.3] = -1
    a, o = values(src, (parts, k * d)), values(dst, (rows, d))
    p = Program(systole, "gpsimd")
    ti, ta = p.input("i", "i32", index), p.input("a", src, a)
    to, ty = p.input("o", dst, o), p.output("y", dst, (rows, d))
    p.load(ti, 0, 0, k, parts)
    p.load(ta, 0, 4096, k * d, parts)
    p.move(f"dma dst=hbm[{ty},0,0]{dst}{{(1,{rows * d})}} "
           f"a=hbm[{to},0,0]{dst}{{(1,{rows * d})}} parts=1")
    p.move(f"dma_scatter {op}{' skip' * skip} dst=hbm[{ty},0,{d}]{dst}{{(1,{d})}} "
           f"a=sbuf[0,4096]{src}{{({d},{k})(1,{d})}} b=sbuf[0,0]i32{{(1,{k})}} "
           f"parts={parts}")
    status, out, code = p.run()
    want = from_bf16(o) if dst == "bf16" else o.copy()
    for q in range(parts):
        for e in range(k):
            if index[q, e] == -1:
                continue
            new = a[q, e * d:(e + 1) * d]
            if op:
                new = from_bf16(new) if src == "bf16" else new
                new = cast(new, src if src != "bf16" else "f32",
                           "i32" if dst == "i32" else "f32")
                new = OPS[op](want[index[q, e]].astype(new.dtype), new)
                new = cast(new, "i32" if dst == "i32" else "f32", dst)
            else:
                new = cast(new, src, dst)
            want[index[q, e]] = from_bf16(new) if dst == "bf16" else new
    if dst == "bf16":
        want = to_bf16(want)
    if status:
        failures.append("scatter")
        print("scatter", p.text(), status, code)
        return
    same(f"scatter {op} {src} {dst}", out["y"], want)


def examples():
    """Those of the manual."""
    p = Program(systole)
    t = p.input("t", "f32", np.arange(10, dtype=np.float32))
    i = p.input("i", "i32", np.array([[3, 0]], np.int32))
    y = p.output("y", "f32", (1, 4))
    p.load(i, 0, 64, 2, 1)
    p.move(f"dma_gather dst=sbuf[0,0x0]f32{{(1,4)}} a=hbm[{t},0x0,2]f32{{(1,2)}} "
           "b=sbuf[0,0x40]i32{(1,2)} parts=1")
    p.store(y, 0, 0, 4, 1)
    same("example of dma_gather", p.run()[1]["y"],
         np.array([[6, 7, 0, 1]], np.float32))

    p = Program(systole)
    y = p.output("y", "f32", (5,))
    i = p.input("i", "i32", np.array([[1, 1]], np.int32))
    a = p.input("a", "f32", np.array([[1, 2, 3, 4]], np.float32))
    z = p.input("z", "f32", np.zeros((1, 5), np.float32))
    p.load(i, 0, 64, 2, 1)
    p.load(z, 0, 32, 5, 1)
    p.load(a, 0, 0, 4, 1)
    p.store(y, 0, 32, 5, 1)
    p.move(f"dma_scatter add dst=hbm[{y},0x0,2]f32{{(1,2)}} "
           "a=sbuf[0,0x0]f32{(1,4)} b=sbuf[0,0x40]i32{(1,2)} parts=1")
    same("example of dma_scatter", p.run()[1]["y"],
         np.array([0, 0, 4, 6, 0], np.float32))


def rounding():
    """Each element that arrives is rounded, in order: 256 + 1 + 1 in bf16 is
    256, 1 + 1 + 256 is 258."""
    for a, want in (([256, 1, 1], 256), ([1, 1, 256], 258)):
        p = Program(systole)
        y = p.output("y", "bf16", (1,))
        t = p.input("a", "bf16", to_bf16(np.array([a], np.float32)))
        z = p.input("z", "u32", np.zeros((1, 3), np.uint32))
        p.load(z, 0, 0, 3, 1)
        p.load(t, 0, 64, 3, 1)
        p.move(f"dma dst=hbm[{y},0,0]bf16{{}} a=sbuf[0,0]bf16{{}} parts=1")
        p.move(f"dma_scatter add dst=hbm[{y},0,1]bf16{{}} "
               "a=sbuf[0,64]bf16{(1,3)} b=sbuf[0,0]u32{(1,3)} parts=1")
        same("rounding", p.run()[1]["y"], to_bf16(np.array([want], np.float32)))


def one(index, op="dma_gather", dtype="i32", fill=True, load=True):
    """One index into 4 rows of 2, gathered or scattered."""
    p = Program(systole)
    t = p.input("t", "f32", np.ones((1, 8), np.float32))
    i = p.input("i", dtype, np.array([[index]], NUMPY[dtype]))
    y = p.output("y", "f32", (4, 2))
    p.load(i, 0, 0, 1, 1)
    if load:
        p.load(t, 0, 64, 8, 1)
    if fill:
        p.move(f"dma dst=hbm[{y},0,0]f32{{(1,8)}} a=hbm[{t},0,0]f32{{(1,8)}} "
               "parts=1")
    place = f"hbm[{y if 'scatter' in op else t},0,2]f32{{(1,2)}}"
    chip = "sbuf[0,64]f32{(1,2)}"
    dst, a = (place, chip) if "scatter" in op else (chip, place)
    p.move(f"{op} dst={dst} a={a} b=sbuf[0,0]{dtype}{{}} parts=1")
    return p.run()


def edges():
    for op in ("dma_gather", "dma_scatter", "dma_scatter max"):
        for good in (0, 3):
            faults(f"{op} {good}", one(good, op), 0, None)
        for bad in (4, -1, -2, 2**31 - 1, -2**31):
            faults(f"{op} {bad}", one(bad, op), 4, "E0850")
        faults(f"{op} all ones", one(2**32 - 1, op, "u32"), 4, "E0850")
        for bad in (-2, 4):
            faults(f"{op} skip {bad}", one(bad, op + " skip"), 4, "E0850")
        faults(f"{op} skip", one(-1, op + " skip"), 0, None)
        faults(f"{op} skip", one(2**32 - 1, op + " skip", "u32"), 0, None)
    # What a gather may leave, and what a scatter may, must be there.
    faults("gather", one(1, load=False), 0, None)
    faults("gather with skip", one(1, "dma_gather skip", load=False), 4, "E0837")
    faults("scatter", one(1, "dma_scatter", fill=False), 4, "E0837")


def races():
    """The whole tensor counts, wherever the index points."""
    p = Program(systole)
    t = p.input("t", "f32", np.ones((1, 8), np.float32))
    i = p.input("i", "i32", np.array([[3]], np.int32))
    y = p.output("y", "f32", (4, 2))
    p.load(i, 0, 0, 1, 1)
    p.load(t, 0, 64, 8, 1)
    p.move(f"dma dst=hbm[{y},0,0]f32{{(1,8)}} a=hbm[{t},0,0]f32{{(1,8)}} parts=1")
    p.do(f"dma dst=hbm[{y},0,0]f32{{(1,2)}} a=sbuf[0,64]f32{{(1,2)}} parts=1 "
         "queue=1 post s0:1@complete")
    p.do(f"dma_scatter dst=hbm[{y},0,2]f32{{(1,2)}} a=sbuf[0,64]f32{{(1,2)}} "
         "b=sbuf[0,0]i32{} parts=1 queue=1 post s0:1@complete", "mark wait s0:2")
    faults("scatter beside a write", p.run(), 4, "E0840")


def registers():
    """Offsets and counts from registers, a negative step between blocks."""
    table = values("f32", (6, 3))
    index = np.array([[0, 2, 4]], np.int32)
    p = Program(systole)
    t, i = p.input("t", "f32", table), p.input("i", "i32", index)
    y = p.output("y", "f32", (1, 6))
    p.load(i, 0, 0, 3, 1)
    p.do("reg r1=mov(60) r2=mov(2) r3=mov(512)")
    p.move(f"dma_gather dst=sbuf[0,0+r3]f32{{(3,r2<=3)(1,3)}} "
           f"a=hbm[{t},0+r1,-3]f32{{(1,3)}} b=sbuf[0,0]i32{{(1,r2<=3)}} parts=1")
    p.store(y, 0, 512, 6, 1)
    same("registers", p.run()[1]["y"],
         np.concatenate([table[5], table[3]])[None])
    p.lines[2] = "reg r1=mov(60) r2=mov(3) r3=mov(512)"
    p.lines[3] = p.lines[3].replace("(1,r2<=3)", "(1,2)").replace(
        "(3,r2<=3)", "(3,r2<=2)").replace("r2=mov(3)", "r2=mov(1)")
    p.lines[2] = p.lines[2].replace("r2=mov(3)", "r2=mov(1)")
    faults("sizes", p.run(), 4, "E0832")


def combining():
    """dma itself: add, max, min for each kind of type."""
    for op in ("add", "max", "min"):
        for dtype in ("f32", "bf16", "i32", "u8", "i8"):
            n = 40
            x, y = values(dtype, (2, n)), values(dtype, (2, n))
            p = Program(systole)
            a, b = p.input("a", dtype, x), p.input("b", dtype, y)
            c = p.output("c", dtype, (2, n))
            p.load(a, 0, 0, n, 2)
            p.move(f"dma {op} dst=sbuf[0,0]{dtype}{{(1,{n})}} "
                   f"a=hbm[{b},0,{n}]{dtype}{{(1,{n})}} parts=2")
            p.store(c, 0, 0, n, 2)
            if dtype == "bf16":
                want = to_bf16(OPS[op](from_bf16(x), from_bf16(y)))
            elif dtype == "f32":
                want = OPS[op](x, y)
            else:
                want = OPS[op](x.astype(np.int32),
                               y.astype(np.int32)).astype(NUMPY[dtype])
            same(f"dma {op} {dtype}", p.run()[1]["c"], want)


examples()
rounding()
edges()
races()
registers()
combining()
for case in ((1, 1, 1, 1, "f32", "f32", "i32", False),
             (5, 7, 9, 3, "bf16", "bf16", "u32", False),
             (128, 2, 50, 11, "f32", "bf16", "i32", True),
             (3, 40, 6, 1, "i32", "f32", "u32", True),
             (2, 3, 4, 600, "f16", "f32", "i32", False)):
    gather(*case)
for case in ((1, 1, 1, 1, "f32", "f32", "", False),
             (7, 5, 4, 3, "f32", "f32", "add", False),
             (128, 3, 20, 2, "bf16", "f32", "add", True),
             (4, 9, 5, 3, "f32", "bf16", "max", True),
             (6, 6, 7, 2, "i32", "i32", "add", False),
             (6, 6, 7, 2, "i32", "i32", "min", True),
             (9, 4, 6, 5, "f32", "i32", "", False),
             (3, 5, 4, 2, "f32", "f32", "min", False)):
    scatter(*case)
finish()
