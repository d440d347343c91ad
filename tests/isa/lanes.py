# SPDX-License-Identifier: Apache-2.0
"""Moves between partitions, and random numbers: shuffle, transpose32, rng and
its state, rng_uniform, dropout."""
import numpy as np

from machine import Machine, expect, expect_fault, f32


def mask_text(mask):
    return "mask=" + ",".join(str(m) for m in mask)


def shuffles():
    rng = np.random.default_rng(1)
    for parts, n, inplace in ((32, 5, False), (96, 33, True), (128, 700, False), (128, 600, True)):
        x = rng.integers(0, 1 << 32, (parts, n), np.uint64).astype(np.uint32)
        old = rng.integers(0, 1 << 32, (parts, n), np.uint64).astype(np.uint32)
        mask = rng.integers(0, 32, 32)
        mask[rng.integers(0, 32, 6)] = 255
        keep = x if inplace else old
        want = np.array([keep[p] if mask[p % 32] == 255 else x[p // 32 * 32 + mask[p % 32]]
                         for p in range(parts)], np.uint32)
        to = 0 if inplace else 0x1000
        m = Machine(target="trn2").put(0, x).put(0x1000, old).do(
            f"shuffle dst=sbuf[0,{to:#x}]u32{{(1,{n})}} a=sbuf[0,0x0]u32{{(1,{n})}} {mask_text(mask)} "
            f"parts={parts} dst_parts={parts}")
        expect(f"shuffle {parts}x{n}", m.get(to, "u4", parts, n).run()[0], want)
    x = np.arange(7, dtype=np.uint8)[None]
    got = Machine(target="trn2").put(0, x).do(
        "shuffle dst=sbuf[32,0x0]u8{(1,7)} a=sbuf[0,0x0]u8{(1,7)} mask=0 parts=1 dst_parts=32"
    ).get(0, "u1", 32, 7, part=32).run()[0]
    expect("broadcast", got, np.repeat(x, 32, 0))
    hole = "mask=" + ",".join(["0"] * 3 + ["255"] * 29)
    expect_fault("left lanes are read", Machine(target="trn2").put(0, x).do(
        f"shuffle dst=sbuf[32,0x0]u8{{(1,7)}} a=sbuf[0,0x0]u8{{(1,7)}} {hole} parts=1 dst_parts=4"), 837)


def transposes():
    rng = np.random.default_rng(2)
    for p, n in ((2, 3), (32, 32), (1, 32), (17, 1), (31, 9)):
        x = rng.integers(0, 1 << 16, (p, n)).astype(np.uint16)
        got = Machine(target="trn2").put(0, x).do(
            f"transpose32 dst=sbuf[0,0x100]u16{{(1,{p})}} a=sbuf[0,0x0]u16{{(1,{n})}} parts={p} dst_parts={n}"
        ).get(0x100, "u2", n, p).run()[0]
        expect(f"transpose32 {p}x{n}", got, x.T.copy())
    x = rng.integers(0, 1 << 32, (64, 96), np.uint64).astype(np.uint32)
    want = x.reshape(2, 32, 3, 32).transpose(0, 3, 2, 1).reshape(64, 96)
    for to in (0, 0x400):
        got = Machine(target="trn2").put(0, x).do(
            f"transpose32 dst=sbuf[0,{to:#x}]u32{{(1,96)}} a=sbuf[0,0x0]u32{{(1,96)}} parts=64 dst_parts=64"
        ).get(to, "u4", 64, 96).run()[0]
        expect(f"transpose32 blocks {to}", got, want.copy())


M32 = 0xffffffff


def xorwow(s):
    t, v = s[0] ^ s[0] >> 2, s[4]
    s[:4] = s[1:5]
    s[4] = (v ^ v << 4 ^ t ^ t << 1) & M32
    s[5] = (s[5] + 362437) & M32
    return (s[4] + s[5]) & M32


def register(s):
    for _ in range(32):
        s[0] = s[0] >> 1 ^ (0x80200003 if s[0] & 1 else 0)
    return s[0]


def draws(state, n):
    """n words of one lane, and the state after."""
    s = [int(x) for x in state]
    if len(s) == 1:
        s[0] = s[0] or 1
        return [register(s) for _ in range(n)], s
    gens = [s[i:i + 6] for i in range(0, len(s), 6)]
    out = [xorwow(gens[i % len(gens)]) for i in range(n)]
    return out, sum(gens, [])


def random_words():
    rng = np.random.default_rng(3)
    parts, n = 4, 50
    for engine, target, words in (("vector", "tiny", 24), ("vector", "trn2", 1),
                                  ("gpsimd", "tiny", 6), ("gpsimd", "trn2", 6)):
        state = rng.integers(0, 1 << 32, (parts, words), np.uint64).astype(np.uint32)
        state[1, :] = 0
        m = Machine(engine, target).put(0, state).do(
            f"rng_set a=sbuf[0,0x0]u32{{(1,{words})}} parts={parts}",
            f"rng dst=sbuf[0,0x100]u32{{(1,{n})}} parts={parts}",
            f"rng dst=sbuf[0,0x200]i8{{(1,{n})}} parts={parts}").get(0x100, "u4", parts, n).get(0x200, "u1", parts, n)
        if words > 1:
            m.do(f"rng_get dst=sbuf[0,0x300]u32{{(1,{words})}} parts={parts}").get(0x300, "u4", parts, words)
        got = m.run()
        first = [draws(s, n) for s in state]
        second = [draws(s, n) for _, s in first]
        expect(f"rng {engine} {target}", got[0], np.array([w for w, _ in first], np.uint32))
        expect(f"rng i8 {engine} {target}", got[1], np.array([w for w, _ in second], np.uint32).astype(np.uint8))
        if words > 1:
            expect(f"rng_get {engine} {target}", got[2], np.array([s for _, s in second], np.uint32))
    # By hand: state 1 2 3 4 5 6.
    assert xorwow([1, 2, 3, 4, 5, 6]) == 0x58821
    expect_fault("no state", Machine().do("rng dst=sbuf[0,0x100]u32{(1,4)} parts=1"), 847)
    seed = np.ones((1, 24), np.uint32)
    expect_fault("other lane", Machine().put(0, seed).do(
        "rng_set a=sbuf[0,0x0]u32{(1,24)} parts=1", "rng dst=sbuf[0,0x100]u32{(1,4)} parts=2"), 847)
    expect_fault("get", Machine().do("rng_get dst=sbuf[0,0x0]u32{(1,24)} parts=1"), 847)


def distributions():
    parts, n = 3, 200
    state = np.random.default_rng(4).integers(0, 1 << 32, (parts, 24), np.uint64).astype(np.uint32)
    u = np.array([draws(s, n)[0] for s in state], np.uint32) >> 8
    u = u.astype(np.float32) * np.float32(2.0 ** -24)

    def seeded():
        return Machine().put(0xf00, state).do(f"rng_set a=sbuf[0,0xf00]u32{{(1,24)}} parts={parts}")
    lo, hi = np.float32(-1.5), np.float32(0.7)
    got = seeded().do(f"rng_uniform.f32 dst=sbuf[0,0x0]f32{{(1,{n})}} s0=-1.5 s1=0.7 parts={parts}").get(
        0, "f4", parts, n).run()[0]
    expect("rng_uniform", got, u * (hi - lo) + lo)
    x = np.random.default_rng(5).standard_normal((parts, n)).astype(np.float32)
    prob = f32(0.0, 0.3, 1.0)[:, None]
    for rev in (False, True):
        got = seeded().put(0x400, x).put(0xe00, prob).do(
            f"dropout.f32{' rev0' * rev} dst=sbuf[0,0x0]f32{{(1,{n})}} a=sbuf[0,0x400]f32{{(1,{n})}} "
            f"s0=sbuf[0,0xe00]f32 parts={parts}").get(0, "f4", parts, n).run()[0]
        expect(f"dropout {rev}", got, np.where((u < prob) != rev, np.float32(0), x))
    i = np.arange(parts * n, dtype=np.int32).reshape(parts, n) + np.int32(-2**31)
    got = seeded().put(0x400, i).do(f"dropout.f32 dst=sbuf[0,0x0]i32{{(1,{n})}} a=sbuf[0,0x400]i32{{(1,{n})}} s0=0.5 "
                                    f"parts={parts}").get(0, "i4", parts, n).run()[0]
    expect("dropout i32", got, np.where(u < 0.5, 0, i).astype(np.int32))


shuffles()
transposes()
random_words()
distributions()
