# SPDX-License-Identifier: Apache-2.0
"""Instructions that map and reduce, against NumPy in the machine's order. exp
is compared with its own result stored by 'act', which other tests prove."""
import numpy as np

from machine import Machine, expect, expect_fault, f32, reduce32

ZERO, ONE = np.float32(0), np.float32(1)
LEAST = np.float32(-3.4028235e38)
KINDS = {"sum": (np.add, ZERO), "prod": (np.multiply, ONE), "max": (np.maximum, -np.float32(np.inf)),
         "min": (np.minimum, np.float32(np.inf))}
P, N = 5, 70
A = f"a=sbuf[0,0x0]f32{{(1,{N})}}"
DST = f"dst=sbuf[0,0x200]f32{{(1,{N})}}"
RED = "red=sbuf[0,0x400]f32"


def magnitude(larger):
    def pick(a, b):
        first = np.abs(a) > np.abs(b) if larger else np.abs(a) < np.abs(b)
        return np.where(first, a, b)
    return pick


def sample(seed, parts=P, n=N):
    return np.random.default_rng(seed).standard_normal((parts, n)).astype(np.float32)


def run(engine, x, *code, more=()):
    m = Machine(engine).put(0, x)
    for address, array in more:
        m.put(address, array)
    return m.do(*code).get(0x200, "f4", P, N).get(0x400, "f4", P, 1).run()


def ts_reduce():
    x = sample(1)
    for kind, (f, start) in KINDS.items():
        y = x * np.float32(1.25)
        one = reduce32(f, start, y)
        code = f"ts_reduce.f32 mul {kind} %s {DST} {A} s0=1.25 s1=%s %sparts={P}"
        got = run("vector", x, code % ("reset_reduce", "0.0", ""),
                  code % ("reduce", "0.0", RED + " negate "))
        expect(f"ts_reduce {kind} dst", got[0], y)
        expect(f"ts_reduce {kind}", got[1][:, 0], -f(one, one))
        got = run("vector", x, code % ("load_reduce", "3.5", RED + " "))
        expect(f"ts_reduce load {kind}", got[1][:, 0], f(np.float32(3.5), one))
    got = run("vector", x, f"ts_reduce.f32 gt sum reset_reduce {DST} {A} s0=0.0 s1=0.0 {RED} parts={P}")
    expect("ts_reduce gt", got[1][:, 0], (x > 0).sum(1).astype(np.float32))


def ts_scan():
    x = sample(2)
    for op, f in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply),
                  ("max", np.maximum), ("min", np.minimum)):
        first = {"mul": ONE, "max": -np.float32(np.inf), "min": np.float32(np.inf)}.get(op, ZERO)
        for cmd, start, s1 in (("reset_reduce", first, "0.0"), ("load_reduce", np.float32(2), "2.0")):
            acc, want = np.full(P, start, np.float32), []
            for _ in range(2):
                out = np.empty_like(x)
                for i in range(N):
                    acc = out[:, i] = f(x[:, i] + np.float32(0.5), acc)
                want.append(out)
            code = f"ts_scan.f32 add {op} %s {DST} {A} s0=0.5 s1=%s parts={P}"
            read = f"act_read dst=sbuf[0,0x400]f32{{}} parts={P}"
            got = run("vector", x, code % (cmd, s1), code % ("reduce", "0.0"), read)
            expect(f"ts_scan {op} {cmd}", got[0], want[1])
            expect(f"ts_scan {op} {cmd} acc", got[1][:, 0], want[1][:, -1])
    # The published example: ones of length 64, twice.
    one = np.ones((1, 64), np.float32)
    code = "ts_scan.f32 mul add %s dst=sbuf[0,0x0]f32{(1,64)} a=sbuf[0,0x200]f32{(1,64)} s0=1.0 s1=0.0 parts=1"
    got = Machine().put(0x200, one).do(code % "reset_reduce", code % "reduce").get(0, "f4", 1, 64).run()[0]
    expect("65..128", got[0], np.arange(65, 129, dtype=np.float32))


def act2():
    x = sample(3)
    half = np.float32(0.5)
    pairs = [("", "", x), ("mul", "", x * half), ("add", "", x + half), ("sub", "", x - half),
             ("mul", "add", x * half + ONE), ("mul", "sub", x * half - ONE)]
    for op0, op1, y in pairs:
        y = y.astype(np.float32)
        for kind in ("sum", "max", "min", "absmax", "absmin"):
            f, start = KINDS.get(kind) or (magnitude(kind == "absmax"),
                                           ZERO if kind == "absmax" else np.float32(np.inf))
            words = "".join([f" op0={op0}" * bool(op0), f" op1={op1}" * bool(op1)])
            code = (f"act2.f32 copy{words} reduce={kind} cmd=%s {DST} {A} s0={0.5 if op0 else 0.0} "
                    f"s1={1.0 if op1 else 0.0} s2=0.0 %sparts={P}")
            got = run("scalar", x, code % ("reset_reduce", ""), code % ("reduce", RED + " "))
            one = reduce32(f, start, y)
            expect(f"act2 {words}", got[0], y)
            expect(f"act2 {words} {kind}", got[1][:, 0], f(one, one).astype(np.float32))
    z = np.where(x > 0, x, x * np.float32(0.1))
    z[0, 0] = np.nan
    x[0, 0] = np.nan
    got = Machine("scalar").put(0, x).do(
        f"act2.f32 relu {DST} {A} s0=0.0 s1=0.0 s2=0.1 parts={P}").get(0x200, "f4", P, N).run()[0]
    expect("act2 slope", got, z)
    got = Machine("scalar").put(0, x).do(
        f"act2.f32 copy sub rev0 {DST} {A} s0=2.0 s1=0.0 s2=0.0 parts={P}").get(0x200, "f4", P, N).run()[0]
    expect("act2 rev0", got, np.float32(2) - x)


def chosen():
    x = sample(4)
    b = (np.random.default_rng(5).integers(0, 3, (P, N))).astype(np.uint8)
    other = sample(6, P, 1)
    more = [(0x600, b), (0x700, other)]
    for rev in (False, True):
        keep = (b != 0) != rev
        y = np.where(keep, x, other)
        got = run("vector", x, f"select_reduce.f32{' rev0' * rev} reset_reduce {DST} {A} b=sbuf[0,0x600]u8{{(1,{N})}} "
                  f"s0=sbuf[0,0x700]f32 {RED} parts={P}", more=more)
        expect(f"select_reduce {rev}", got[0], y)
        expect(f"select_reduce {rev} max", got[1][:, 0], y.max(1))
        old = sample(7)
        got = Machine().put(0x200, old).put(0, x).put(0x600, b).put(0x700, other).do(
            f"select{' rev0' * rev} {DST} {A} b=sbuf[0,0x600]u8{{(1,{N})}} parts={P}").get(0x200, "f4", P, N).run()[0]
        expect(f"select {rev}", got, np.where(keep, x, old))
        got = Machine().put(0x200, old).put(0x600, b).put(0x700, other).do(
            f"select_fill.f32{' rev0' * rev} {DST} b=sbuf[0,0x600]u8{{(1,{N})}} s0=sbuf[0,0x700]f32 parts={P}"
        ).get(0x200, "f4", P, N).run()[0]
        expect(f"select_fill {rev}", got, np.where(keep, other, old))


def ranges():
    x = sample(8)
    lo = np.arange(P, dtype=np.float32)[:, None] * 10 + 100
    i = np.arange(N, dtype=np.float32) + 90
    tests = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
             "eq": np.equal, "ne": np.not_equal}
    for op0, f0 in tests.items():
        for op1, f1 in tests.items():
            y = np.where(f0(i, lo) & f1(i, np.float32(130)), x, LEAST)
            got = run("vector", x, f"range_select.f32 {op0} {op1} reset_reduce {DST} {A} iota_base=90 "
                      f"s0=sbuf[0,0x700]f32 s1=130.0 {RED} parts={P}", more=[(0x700, lo)])
            expect(f"range_select {op0} {op1}", got[0], y)
            expect(f"range_select {op0} {op1} max", got[1][:, 0], y.max(1))
    # A register moves the positions; what is filled in becomes -inf in bf16.
    got = Machine().put(0, x).do("reg r1=mov(20)", f"range_select.f32 ge lt dst=sbuf[0,0x200]bf16{{(1,{N})}} {A} "
                                 f"iota_base=1 iota_reg=r1 s0=22.0 s1=22.5 parts={P}").get(0x200, "u2", P, N).run()[0]
    assert np.all(np.delete(got, 1, 1) == 0xff80) and not np.any(got[:, 1] == 0xff80), got


def exponentials():
    x = sample(9)
    top = x.max(1, keepdims=True)
    y = Machine("scalar").put(0, x - top).do(
        f"act.f32 exp {DST} {A} s0=1.0 s1=-0.0 parts={P}").get(0x200, "f4", P, N).run()[0]
    total = reduce32(np.add, ZERO, y)
    code = f"exponential.f32 %s {DST} {A} s0=sbuf[0,0x700]f32 s1=%s {RED} parts={P}"
    got = run("vector", x, code % ("reset_reduce", "0.0"), more=[(0x700, top)])
    expect("exponential", got[0], y)
    expect("exponential sum", got[1][:, 0], total)
    got = run("vector", x, code % ("load_reduce", "10.0"), more=[(0x700, top)])
    expect("exponential load", got[1][:, 0], np.float32(10) + total)
    # Without a command the accumulators of these lanes are undefined after.
    plain = f"exponential.f32 {DST} {A} s0=0.0 s1=0.0 parts=1"
    read = "act_read dst=sbuf[0,0x400]f32{} parts=%d"
    reset = f"ts_reduce.f32 add sum reset {DST} {A} s0=0.0 s1=0.0 parts={P}"
    Machine().put(0, x).do(reset, read % P).run()
    expect_fault("idle", Machine().put(0, x).do(reset, plain, read % P), 847)


def plain_reduce():
    x = np.random.default_rng(10).integers(-9, 9, (4, 6, 50)).astype(np.float32)
    for kind, f, start in (("absmax", magnitude(True), ZERO), ("absmin", magnitude(False), np.float32(np.inf))):
        want = reduce32(f, start, x).astype(np.float32)
        got = Machine().put(0, x).do(
            f"reduce.f32 {kind} reduce_dims=1 dst=sbuf[0,0x800]f32{{(1,6)}} a=sbuf[0,0x0]f32{{(50,6)(1,50)}} parts=4"
        ).get(0x800, "f4", 4, 6).run()[0]
        expect(kind, got, want)
    y = sample(11, 4, 300).reshape(4, 6, 50)
    want = y[..., 0] - reduce32(np.add, ZERO, y[..., 1:])
    got = Machine().put(0, y).do(
        "reduce.f32 sub reduce_dims=1 negate dst=sbuf[0,0x800]f32{(1,6)} a=sbuf[0,0x0]f32{(50,6)(1,50)} parts=4"
    ).get(0x800, "f4", 4, 6).run()[0]
    expect("sub", got, -want)
    u = np.random.default_rng(12).integers(0, 1 << 32, (4, 40), np.uint64).astype(np.uint32)
    for kind, f in (("and", np.bitwise_and), ("or", np.bitwise_or), ("xor", np.bitwise_xor)):
        v = (u | 0xffff0000) if kind == "and" else u
        got = Machine().put(0, v).do(
            f"reduce.u32 {kind} reduce_dims=1 dst=sbuf[0,0x800]u32{{}} a=sbuf[0,0x0]u32{{(1,40)}} parts=4"
        ).get(0x800, "u4", 4, 1).run()[0]
        expect(kind, got[:, 0], f.reduce(v, axis=1))
    # Longer than a piece of the interpreter's memory: repeated by a step of 0.
    got = Machine().put(0, f32(100, 1).reshape(1, 2)).do(
        "copy dst=sbuf[0,0x10]f32{(1,2)} a=sbuf[0,0x0]f32{(1,2)} parts=1",
        "reduce.f32 sub reduce_dims=2 dst=sbuf[0,0x800]f32{} a=sbuf[0,0x4]f32{(0,90)(0,100)} parts=1"
    ).get(0x800, "f4", 1, 1).run()[0]
    expect("long sub", got, f32(1 - 8999).reshape(1, 1))


with np.errstate(invalid="ignore"):
    ts_reduce()
    ts_scan()
    act2()
    chosen()
    ranges()
    exponentials()
    plain_reduce()
