# SPDX-License-Identifier: Apache-2.0
"""tt_scan against one step at a time in NumPy's float32."""
import numpy as np

from machine import Machine, expect, f32

OPS = {"add": np.add, "sub": np.subtract, "mul": np.multiply,
       "max": np.maximum, "min": np.minimum, "div": np.divide}


def scan(a, b, start, op0, op1, rev0, rev1):
    out, r = np.empty_like(a), start.copy()
    for i in range(a.shape[-1]):
        x = OPS[op0](r, a[..., i]) if rev0 else OPS[op0](a[..., i], r)
        r = OPS[op1](b[..., i], x) if rev1 else OPS[op1](x, b[..., i])
        out[..., i] = r
    return out


def case(rng, parts, outer, row, op0, op1, rev0, rev1, vector):
    n = outer * row
    a, b = (rng.standard_normal((parts, n)).astype(np.float32) for _ in range(2))
    start = rng.standard_normal((parts, 1)).astype(np.float32)
    if not vector:
        start[:] = 1.5
    want = scan(a.reshape(parts, outer, row), b.reshape(parts, outer, row),
                np.repeat(start, outer, 1), op0, op1, rev0, rev1).reshape(parts, n)
    flags = " rev0" * rev0 + " rev1" * rev1
    s0 = "sbuf[0,0xc00]f32" if vector else "1.5"
    m = Machine().put(0, a).put(0x400, b).put(0xc00, start).do(
        f"tt_scan.f32 {op0} {op1}{flags} dst=sbuf[0,0x800]f32{{({row},{outer})(1,{row})}} "
        f"a=sbuf[0,0x0]f32{{(1,{n})}} b=sbuf[0,0x400]f32{{(1,{n})}} s0={s0} parts={parts}")
    expect(f"{op0} {op1}{flags} {outer}x{row}", m.get(0x800, "f4", parts, n).run()[0], want)


def main():
    rng = np.random.default_rng(11)
    names = list(OPS)
    for i in range(24):
        outer = int(rng.integers(1, 5))
        case(rng, int(rng.integers(1, 17)), outer, int(rng.integers(1, 200 // outer)),
             names[i % 6], names[i // 4 % 6], i & 1, i >> 1 & 1, i % 3 == 0)
    # In place, with the sum kept beyond what the destination can hold.
    x = f32(*[1.0] * 300)[None]
    one = np.zeros((1, 300), np.uint16) + np.uint16(0x3f80)
    got = Machine().put(0, one).put(0x800, x).do(
        "tt_scan.f32 mul add dst=sbuf[0,0x0]bf16{(1,300)} a=sbuf[0,0x0]bf16{(1,300)} "
        "b=sbuf[0,0x800]f32{(1,300)} s0=0.0 parts=1").get(0, "u2", 1, 300).run()[0]
    expect("bf16 of 299", got[0, 298:299], np.array([0x4396], np.uint16))  # 300, even
    expect("bf16 of 257", got[0, 256:257], np.array([0x4380], np.uint16))  # 256, even
    # i32 on gpsimd, modulo 2^32.
    a = np.array([[3, -1, 1 << 30]], np.int32)
    got = Machine("gpsimd").put(0, a).put(0x40, a).do(
        "tt_scan.i32 mul add dst=sbuf[0,0x80]i32{(1,3)} a=sbuf[0,0x0]i32{(1,3)} "
        "b=sbuf[0,0x40]i32{(1,3)} s0=5 parts=1").get(0x80, "i4", 1, 3).run()[0]
    expect("i32", got, np.array([[18, -19, -(18 << 30) % (1 << 32) - (1 << 32)]], np.int32))


main()
