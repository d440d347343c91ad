# SPDX-License-Identifier: Apache-2.0
# The chapter "Sequences" of the manual: operations of the record that are two
# or three instructions here, against NumPy.
import sys

import numpy as np

from oneengine import (NUMPY, Program, failures, finish, from_bf16, same, to_bf16)

systole = sys.argv[1]
rng = np.random.default_rng(23)


def result(p, name):
    status, out, code = p.run()
    if status:
        failures.append(name)
        print(name, p.text(), status, code)
        return None
    return out["y"]


def numbers(dtype, shape):
    if dtype == "bf16":
        return rng.integers(0, 65536, shape).astype(np.uint16)
    x = rng.integers(-2**31, 2**31 - 1, shape).astype(np.int32)
    return x.view(np.float32) if dtype == "f32" else x.astype(NUMPY[dtype])


def transpose(shape, dtype):
    """The first axis and the last one change places: HBM to SBUF."""
    x = numbers(dtype, shape)
    axes = list(range(len(shape)))
    axes[0], axes[-1] = axes[-1], axes[0]
    want = x.transpose(axes)
    parts, n = want.shape[0], want.size // want.shape[0]
    steps = [s // x.itemsize for s in want.strides[1:]]
    dims = "".join(f"({s},{c})" for s, c in zip(steps, want.shape[1:]))
    p = Program(systole)
    t, y = p.input("t", dtype, x), p.output("y", dtype, (parts, n))
    p.move(f"dma dst=sbuf[0,0]{dtype}{{(1,{n})}} a=hbm[{t},0,1]{dtype}"
           f"{{{dims}}} parts={parts}")
    p.store(y, 0, 0, n, parts)
    same(f"dma_transpose {shape}", result(p, "dma_transpose"),
         want.reshape(parts, n))


def transpose_by_index():
    """Rows by an index, then transposed on the way out."""
    x = numbers("bf16", (50, 24))
    index = rng.integers(0, 50, (32, 1)).astype(np.uint32)
    p = Program(systole)
    t, i = p.input("t", "bf16", x), p.input("i", "u32", index)
    y = p.output("y", "bf16", (24, 32))
    p.load(i, 0, 0, 1, 32)
    p.move(f"dma_gather dst=sbuf[0,64]bf16{{(1,24)}} a=hbm[{t},0,24]bf16"
           "{(1,24)} b=sbuf[0,0]u32{} parts=32")
    p.move(f"dma dst=hbm[{y},0,1]bf16{{(32,24)}} a=sbuf[0,64]bf16{{(1,24)}} "
           "parts=32")
    same("dma_transpose by index", result(p, "transpose"), x[index[:, 0]].T)


def compute():
    """Five sources added on the way, in f32."""
    xs = [rng.standard_normal((8, 20)).astype(np.float32) for _ in range(5)]
    p = Program(systole, "sync")
    ts = [p.input(f"s{i}", "f32", x) for i, x in enumerate(xs)]
    y = p.output("y", "f32", (8, 20))
    for i, t in enumerate(ts):
        p.move(f"dma{' add' * (i > 0)} dst=sbuf[0,0]f32{{(1,20)}} "
               f"a=hbm[{t},0,20]f32{{(1,20)}} parts=8")
    p.store(y, 0, 0, 20, 8)
    want = xs[0]
    for x in xs[1:]:
        want = want + x
    same("dma_compute", result(p, "dma_compute"), want)


def gather_and_add():
    x = rng.integers(-9, 9, (30, 6)).astype(np.float32)
    index = rng.integers(0, 30, (16, 1)).astype(np.int32)
    old = rng.integers(-9, 9, (16, 6)).astype(np.float32)
    p = Program(systole)
    t, i = p.input("t", "f32", x), p.input("i", "i32", index)
    o, y = p.input("o", "f32", old), p.output("y", "f32", (16, 6))
    p.load(i, 0, 0, 1, 16)
    p.load(o, 0, 64, 6, 16)
    p.move(f"dma_gather dst=sbuf[0,128]f32{{(1,6)}} a=hbm[{t},0,6]f32{{(1,6)}} "
           "b=sbuf[0,0]i32{} parts=16")
    p.do("tt.f32 add dst=sbuf[0,64]f32{(1,6)} a=sbuf[0,64]f32{(1,6)} "
         "b=sbuf[0,128]f32{(1,6)} parts=16")
    p.store(y, 0, 64, 6, 16)
    same("gather and add", result(p, "gather"), old + x[index[:, 0]])


def skip_out_of_range():
    """An index outside 0..29 becomes -1, which is passed over."""
    x = rng.integers(-9, 9, (30, 2)).astype(np.float32)
    index = rng.integers(-20, 60, (64, 1)).astype(np.int32)
    p = Program(systole)
    t, i = p.input("t", "f32", x), p.input("i", "i32", index)
    y = p.output("y", "f32", (64, 2))
    p.load(i, 0, 0, 1, 64)
    p.do("fill.f32 dst=sbuf[0,64]f32{(1,2)} s0=0.0 parts=64",
         "fill.i32 dst=sbuf[0,16]i32{} s0=-1 parts=64",
         "ts.i32 ge dst=sbuf[0,8]u8{} a=sbuf[0,0]i32{} s0=0 parts=64",
         "ts.i32 lt dst=sbuf[0,9]u8{} a=sbuf[0,0]i32{} s0=30 parts=64",
         "tt.i32 and dst=sbuf[0,8]u8{} a=sbuf[0,8]u8{} b=sbuf[0,9]u8{} parts=64",
         "select dst=sbuf[0,16]i32{} a=sbuf[0,0]i32{} b=sbuf[0,8]u8{} parts=64")
    p.move(f"dma_gather skip dst=sbuf[0,64]f32{{(1,2)}} a=hbm[{t},0,2]f32"
           "{(1,2)} b=sbuf[0,16]i32{} parts=64")
    p.store(y, 0, 64, 2, 64)
    n = index[:, 0]
    good = (n >= 0) & (n < 30)
    same("skip", result(p, "skip"),
         np.where(good[:, None], x[np.clip(n, 0, 29)], np.float32(0)))


def partitions():
    x = rng.integers(-99, 99, (48, 5)).astype(np.float32)
    p = Program(systole)
    a, y = p.input("a", "f32", x), p.output("y", "f32", (1, 5))
    p.load(a, 0, 0, 5, 48)
    p.do("preduce.f32 sum dst=sbuf[0,64]f32{(1,5)} a=sbuf[0,0]f32{(1,5)} "
         "parts=48 dst_parts=1",
         "ts.f32 div dst=sbuf[0,64]f32{(1,5)} a=sbuf[0,64]f32{(1,5)} s0=48.0 "
         "parts=1")
    p.store(y, 0, 64, 5, 1)
    same("average", result(p, "average"),
         (x.sum(axis=0, dtype=np.float32) / np.float32(48))[None])
    b = rng.random((30, 7)) < 0.97
    for name, want in (("any", ~b), ("all", b)):
        x = ~b if name == "any" else b
        p = Program(systole)
        a, y = p.input("a", "bool", x), p.output("y", "bool", (1, 7))
        p.load(a, 0, 0, 7, 30)
        p.do(f"preduce.bool {name} dst=sbuf[0,64]bool{{(1,7)}} "
             "a=sbuf[0,0]bool{(1,7)} parts=30 dst_parts=1")
        p.store(y, 0, 64, 7, 1)
        same(name, result(p, name), getattr(x, name)(axis=0)[None])


def arithmetic():
    """What only the general engine does exactly, or at all."""
    a, b = numbers("i32", (4, 50)), numbers("i32", (4, 50))
    for op, f in (("add", np.add), ("mul", np.multiply), ("sub", np.subtract)):
        p = Program(systole)
        ta, tb = p.input("a", "i32", a), p.input("b", "i32", b)
        y = p.output("y", "i32", (4, 50))
        p.load(ta, 0, 0, 50, 4)
        p.load(tb, 0, 512, 50, 4)
        p.do(f"tt.i32 {op} dst=sbuf[0,1024]i32{{(1,50)}} a=sbuf[0,0]i32{{(1,50)}} "
             "b=sbuf[0,512]i32{(1,50)} parts=4")
        p.store(y, 0, 1024, 50, 4)
        with np.errstate(over="ignore"):
            same(f"i32 {op}", result(p, op), f(a, b))
    x = np.array([[1, 2, 4, 9, 0.25]], np.float32)
    for text, want in (("tt.f32 pow dst=sbuf[0,64]f32{(1,5)} a=sbuf[0,0]f32{(1,5)} "
                        "b=sbuf[0,0]f32{(1,5)} parts=1", x.astype(float) ** x),
                       ("act.f32 rsqrt dst=sbuf[0,64]f32{(1,5)} "
                        "a=sbuf[0,0]f32{(1,5)} s0=1.0 s1=-0.0 parts=1",
                        1 / np.sqrt(x.astype(float)))):
        p = Program(systole)
        ta, y = p.input("a", "f32", x), p.output("y", "f32", (1, 5))
        p.load(ta, 0, 0, 5, 1)
        p.do(text)
        p.store(y, 0, 64, 5, 1)
        same(text[:8], result(p, text), want.astype(np.float32))


def indirect_sources():
    """Snakes of 16 and of 32 partitions."""
    n, k = 40, 50
    x = rng.integers(-99, 99, (32, n)).astype(np.float32)
    for g in (16, 32):
        c = -(-k // g)
        index = rng.integers(0, n, (32, c)).astype(np.uint16)
        p = Program(systole)
        a, i = p.input("a", "f32", x), p.input("i", "u16", index)
        y = p.output("y", "f32", (32, k))
        p.load(a, 0, 0, n, 32)
        p.load(i, 0, 512, c, 32)
        at, cols = 512, c
        if g == 32:
            at, cols = 640, 2 * c
            for half in (0, 16):
                for odd in (0, 1):
                    p.move(f"dma dst=sbuf[{half},{at + 2 * odd}]u16{{(2,{c})}} "
                           f"a=sbuf[{16 * odd},512]u16{{(1,{c})}} parts=16")
        p.do(f"local_gather per_index=1 dst=sbuf[0,1024]f32{{(1,{k})}} "
             f"a=sbuf[0,0]f32{{(1,{n})}} b=sbuf[0,{at}]u16{{(1,{cols})}} parts=32",
             f"act.f32 neg dst=sbuf[0,1024]f32{{(1,{k})}} "
             f"a=sbuf[0,1024]f32{{(1,{k})}} s0=1.0 s1=-0.0 parts=32")
        p.store(y, 0, 1024, k, 32)
        want = np.zeros((32, k), np.float32)
        for first in range(0, 32, g):
            flat = index[first:first + g].flatten(order="F")[:k].astype(int)
            want[first:first + g] = -x[first:first + g][:, flat]
        same(f"indirect source, {g}", result(p, "source"), want)


def indirect_destination():
    n, c = 40, 2
    k = 16 * c
    index = rng.permutation(n)[:k].reshape(c, 16).T.astype(np.int32)
    x, old = (rng.integers(-99, 99, (16, m)).astype(np.float32) for m in (k, n))
    p = Program(systole)
    a, o = p.input("a", "f32", x), p.input("o", "f32", old)
    i, y = p.input("i", "i32", index), p.output("y", "f32", (16, n))
    spare = p.tensor("spare", "temp", "i32", (16, c))
    p.load(a, 0, 0, k, 16)
    p.load(o, 0, 512, n, 16)
    p.load(i, 0, 1024, c, 16)
    p.store(spare, 0, 1024, c, 16)
    p.move(f"dma dst=sbuf[0,2048]i32{{(1,{k})}} a=hbm[{spare},0,0]i32"
           f"{{(1,{c})({c},16)}} parts=16")
    p.do(f"act.f32 neg dst=sbuf[0,0]f32{{(1,{k})}} a=sbuf[0,0]f32{{(1,{k})}} "
         "s0=1.0 s1=-0.0 parts=16",
         f"scatter dst=sbuf[0,512]f32{{(1,{n})}} a=sbuf[0,0]f32{{(1,{k})}} "
         f"b=sbuf[0,2048]i32{{(1,{k})}} parts=16")
    p.store(y, 0, 512, n, 16)
    want = old.copy()
    want[:, index.flatten(order="F")] = -x
    same("indirect destination", result(p, "destination"), want)


transpose((33, 100), "f32")
transpose((16, 128), "bf16")
transpose((5, 7, 64), "bf16")
transpose((3, 4, 5, 128), "f32")
transpose((2, 3, 1, 6), "bf16")
transpose_by_index()
compute()
gather_and_add()
skip_out_of_range()
partitions()
arithmetic()
indirect_sources()
indirect_destination()
finish()
