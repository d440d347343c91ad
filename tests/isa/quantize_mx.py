# SPDX-License-Identifier: Apache-2.0
"""quantize_mx.py SYSTOLE: quantize_mx against the public rules in NumPy, both
scales, with zeros, subnormals, the largest values, infinities and NaNs; and
the round trip through ldw_mx."""
import sys

import numpy as np
import steps
from steps import FORMAT, bf16, bf16_bits, place

SYSTOLE = sys.argv[1]
rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
EMAX = {"f8e4m3fn": 8, "f8e5m2": 15}
LARGEST = {"f8e4m3fn": 448.0, "f8e5m2": 57344.0}
NAN = {"f8e4m3fn": 0x7f, "f8e5m2": 0x7e}


def nearest(t, x):
    """Codes of finite values within the format's range, ties to the even one."""
    v = FORMAT[t][:128]
    v = v[np.isfinite(v)]
    m = np.abs(x)
    i = np.clip(np.searchsorted(v, m), 1, len(v) - 1)
    low, high = m - v[i - 1], v[i] - m
    up = (high < low) | ((high == low) & (i % 2 == 0))
    code = np.where(up, i, i - 1)
    return np.where(np.signbit(x), code + 128, code).astype(np.uint8)


def block(t, x, older):
    """Codes and scale of one block of finite or special values, float64."""
    if not np.isfinite(x).all():
        return np.full(x.shape, NAN[t], np.uint8), 255
    top = np.abs(x).max()
    e = int(np.floor(np.log2(top))) if top > 0 else -127
    shared = max(e - (EMAX[t] - (not older)), -127)
    y = x / 2.0 ** shared
    assert older or np.abs(y).max() <= LARGEST[t]
    return nearest(t, np.clip(y, -LARGEST[t], LARGEST[t])), shared + 127


def values_of(kind, bits):
    with np.errstate(invalid="ignore"):
        return (bf16(bits) if kind == "bf16" else bits.view(np.float16)).astype(np.float64)


def source(kind, parts, columns):
    """16-bit patterns and their values: blocks of one magnitude, and others."""
    bits = rng.integers(0, 2 ** 16, (parts, 4 * columns)).astype(np.uint16)
    if kind == "f16":
        wide = rng.standard_normal(bits.shape) * 2.0 ** rng.integers(-24, 15, (1, bits.shape[1]))
        near = np.float16(wide).view(np.uint16)
    else:
        near = bf16_bits(rng.standard_normal(bits.shape) * 2.0 ** rng.integers(-126, 125, (1, bits.shape[1])))
    bits = np.where(np.arange(bits.shape[1]) // 4 % 3 == 0, bits, near)
    bits[:8, :4] = 0
    bits[:8, 4:8] = [0x8000, 0, 0x8000, 1]  # the smallest there is
    bits[:8, 8:12] = [0x7bff, 0xfbff, 0, 1] if kind == "f16" else [0x7f7f, 0xff7f, 0, 1]
    bits[:8, 12:16] = 0x3f80 if kind == "bf16" else 0x3c00
    bits[3, 13] = 0x7f80 if kind == "bf16" else 0x7c00
    bits[-8:, :4] = 0xffff
    return bits, values_of(kind, bits)


def everything(kind):
    """Every 16-bit pattern once: neighbours share blocks, those with NaNs and
    infinities stand apart by the order of the codes."""
    bits = np.arange(2 ** 16, dtype=np.uint16).reshape(16, 128, 8, 4).transpose(0, 2, 1, 3).reshape(128, 512)
    return bits, values_of(kind, bits)


def check(target, t, kind, parts, quad, shift, older, columns=8, every=False):
    bits, values = everything(kind) if every else source(kind, parts, columns)
    image = np.zeros((16 if target == "tiny" else 128, 64 * columns), np.uint8)
    place(image, 0, 0, bits)
    at, scales = 16 * columns, 32 * columns
    mode = "mode=1 " if older else ""
    step = ("vector", f"quantize_mx {mode}dst=sbuf[0,{at:#x}]{t}x4{{(1,{columns})}} a=sbuf[0,0x0]{kind}{{(1,{4 * columns})}} "
                      f"dst2=sbuf[{shift},{scales:#x}]e8m0{{(1,{columns})}} parts={parts}")
    lanes = [shift + quad * (8 * g // quad) + 8 * g % quad // 8 for g in range(parts // 8)]
    where = [("sbuf", 0, parts, at, 4 * columns)] + [("sbuf", p, 1, scales, columns) for p in lanes]
    got, *scale = steps.run(SYSTOLE, target, image, [step], where)
    for g in range(parts // 8):
        for c in range(columns):
            with np.errstate(all="ignore"):
                want, code = block(t, values[8 * g:8 * g + 8, 4 * c:4 * c + 4], older)
            have = got[8 * g:8 * g + 8, 4 * c:4 * c + 4]
            assert scale[g][0, c] == code, (t, kind, g, c, scale[g][0, c], code)
            assert np.array_equal(have, want), (t, kind, older, g, c, have, want)


def by_the_array():
    """What was quantized is what ldw_mx reads: products of powers of two."""
    x = 2.0 ** rng.integers(-3, 4, (16, 8))
    image = np.zeros((16, 64), np.uint8)
    place(image, 0, 0, bf16_bits(x))
    todo = [("vector", "quantize_mx dst=sbuf[0,0x10]f8e4m3fnx4{(1,2)} a=sbuf[0,0x0]bf16{(1,8)} "
                       "dst2=sbuf[1,0x18]e8m0{(1,2)} parts=16"),
            ("tensor", "ldw_mx a=sbuf[0,0x10]f8e4m3fnx4{(1,2)} b=sbuf[1,0x18]e8m0{(1,2)} parts=16"),
            ("tensor", "matmul_mx dst=psum[0,0x0]f32{(1,2)} a=sbuf[0,0x10]f8e4m3fnx4{(1,2)} b=sbuf[1,0x18]e8m0{(1,2)} "
                       "parts=16 dst_parts=2")]
    got, = steps.run(SYSTOLE, "tiny", image, todo, [("psum", 0, 2, 0, 8)])
    k = x.reshape(16, 2, 4).transpose(0, 2, 1).reshape(64, 2)
    assert np.array_equal(got.view(np.float32), (k.T @ k).astype(np.float32))


def example():
    """The manual's, with its literal values."""
    image = np.zeros((32, 768), np.uint8)
    place(image, 0, 0, bf16_bits(np.tile([1.0, 2.0, 3.0, 4.0], (32, 1))))
    got, scale = steps.run(SYSTOLE, "trn3", image, [
        ("vector", "quantize_mx dst=sbuf[0,0x100]f8e4m3fnx4{} a=sbuf[0,0x0]bf16{(1,4)} dst2=sbuf[0,0x200]e8m0{} "
                   "parts=32")], [("sbuf", 0, 32, 256, 4), ("sbuf", 0, 4, 512, 1)])
    assert (got == [0x60, 0x68, 0x6c, 0x70]).all() and (scale == 0x7a).all()


example()
for older in (False, True):
    for t in EMAX:
        for kind in ("bf16", "f16"):
            check("tiny", t, kind, 16, 8, 3, older)
            check("trn3", t, kind, 64, 32, 4, older)
check("trn4", "f8e4m3fn", "bf16", 128, 32, 12, False)
check("trn4", "f8e5m2", "f16", 96, 32, 0, False, columns=5)
for kind in ("bf16", "f16"):
    for t in EMAX:
        check("trn3", t, kind, 128, 32, 0, False, columns=128, every=True)
by_the_array()
print("ok")
