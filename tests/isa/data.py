# SPDX-License-Identifier: Apache-2.0
# Registers from memory: control and addresses that depend on data, and the
# faults that only the data of a run bring about.
import sys

import numpy as np

from oneengine import NUMPY, Program, faults, finish, same

systole = sys.argv[1]


def element(dtype, values):
    """Values loaded one by one and stored again, widened to i32."""
    n = len(values)
    p = Program(systole, "sync")
    a = p.input("a", dtype, np.array([values], NUMPY[dtype]))
    y = p.output("y", "i32", (1, n))
    p.load(a, 0, 0, n, 1)
    size = NUMPY[dtype]().itemsize
    for i in range(n):
        p.do(f"reg_load rd=r1 a=sbuf[0,{i * size}]{dtype}{{}} parts=1",
             f"reg_store dst=sbuf[0,{512 + 4 * i}]i32{{}} iota_reg=r1 parts=1")
    p.store(y, 0, 512, n, 1)
    same(f"reg_load {dtype}", p.run()[1]["y"],
         np.array([values]).astype(np.int64).astype(np.int32))


def narrow():
    """The low bits are stored."""
    for dtype, want in (("i8", -1), ("u8", 255), ("i16", -1), ("bool", 1)):
        p = Program(systole, "sync")
        y = p.output("y", dtype, (1, 1))
        p.do("reg r1=mov(-1)",
             f"reg_store dst=sbuf[0,0]{dtype}{{}} iota_reg=r1 parts=1")
        p.store(y, 0, 0, 1, 1)
        same(f"reg_store {dtype}", p.run()[1]["y"],
             np.array([[want]], NUMPY[dtype]))


def while_loop(n, *options):
    """The steps of 3n + 1 down to 1, counted by branches on loaded values."""
    p = Program(systole, "vector", "tiny")
    a = p.input("a", "i32", np.array([[n]], np.int32))
    y = p.output("y", "i32", (1, 1))
    p.load(a, 0, 0, 1, 1)
    p.do("reg_load rd=r1 a=sbuf[0,0]i32{} parts=1",
         "branch le ra=r1 imm=1 to=8",
         "reg r2=mod(r1,2)",
         "branch eq ra=r2 imm=0 to=2",
         "reg r1=mul(r1,3) r1=add(r1,1)",
         "branch always to=1",
         "reg r1=div(r1,2)",
         "reg r3=add(r3,1)",
         "drain",
         "branch always to=-9",
         "reg_store dst=sbuf[0,64]i32{} iota_reg=r3 parts=1")
    p.store(y, 0, 64, 1, 1)
    return p.run(*options)


def steps(n):
    count = 0
    while n > 1:
        n = 3 * n + 1 if n % 2 else n // 2
        count += 1
    return count


def address(at, count=4, *options, write=True):
    """The row that a number in memory names, and so many of its elements."""
    p = Program(systole, "gpsimd")
    x = np.arange(40, dtype=np.float32).reshape(10, 4)
    t = p.input("t", "f32", x)
    i = p.input("i", "i32", np.array([[at, count]], np.int32))
    y = p.output("y", "f32", (1, 4))
    p.load(i, 0, 0, 2, 1)
    p.do("fill.f32 dst=sbuf[0,64]f32{(1,4)} s0=-1.0 parts=1",
         "reg_load rd=r1 a=sbuf[0,0]i32{} parts=1",
         "reg_load rd=r2 a=sbuf[0,4]i32{} parts=1", "reg r1=mul(r1,16)")
    p.move(f"dma dst=sbuf[0,64]f32{{(1,r2<=4)}} a=hbm[{t},0+r1,4]f32"
           "{(1,r2<=4)} parts=1")
    if write:
        p.store(y, 0, 64, 4, 1)
    return p.run(*options), x


def across():
    """Another engine's data, with the token that orders them and without."""
    for order in (True, False):
        text = Program(systole, "gpsimd", "tiny")
        y = text.output("y", "i32", (1, 1))
        text.do("fill.i32 dst=sbuf[0,0]i32{} s0=7 parts=1"
                + " post s1:1@complete" * order)
        lines = ["reg_load rd=r1 a=sbuf[0,0]i32{} parts=1" + " wait s1:1" * order,
                 "reg_store dst=sbuf[0,64]i32{} iota_reg=r1 parts=1",
                 f"dma dst=hbm[{y},0,1]i32{{}} a=sbuf[0,64]i32{{}} queue=2 "
                 "parts=1 post s2:1@complete", "mark wait s2:1"]
        plain = text.text
        text.text = lambda: plain().replace(
            ".stream tensor", ".sem gpsimd vector 0\n.sem q2 vector 0\n"
            ".stream tensor").replace(
            ".stream vector\n", ".stream vector\n" + "\n".join(lines) + "\n")
        result = text.run()
        if order:
            same("two engines", result[1]["y"], np.array([[7]], np.int32))
        else:
            faults("two engines race", result, 4, result[2])
            if result[2] not in ("E0837", "E0840"):
                faults("two engines race", result, 4, "E0840")


element("i32", [0, 1, -1, 2**31 - 1, -2**31])
element("u32", [0, 1, 2**32 - 1])
element("i16", [-3, 32767, -32768])
element("u16", [65535, 7])
element("i8", [-128, 127])
element("u8", [255, 128])
element("bool", [0, 1])
narrow()
for n in (1, 2, 7, 27):
    for option in ((), ("--order=0",), ("--order=5",)):
        same(f"while {n}", while_loop(n, *option)[1]["y"],
             np.array([[steps(n)]], np.int32))
faults("a limit", while_loop(27, "--limit-instructions=300"), 5, "E0890")
for at, count in ((0, 4), (9, 4), (9, 2), (3, 0)):
    got, x = address(at, count)
    want = np.full((1, 4), -1, np.float32)
    want[0, :count] = x[at, :count]
    same(f"row {at}, {count}", got[1]["y"], want)
faults("a row past the end", address(10)[0], 4, "E0835")
faults("a row before the start", address(-1)[0], 4, "E0835")
faults("too many elements", address(0, 5)[0], 4, "E0830")
faults("an output not written", address(0, 4, write=False)[0], 4, "E0839")
across()
p = Program(systole)
p.do("reg_load rd=r1 a=sbuf[0,0]i32{} parts=1")
faults("never written", p.run(), 4, "E0837")
finish()
