# SPDX-License-Identifier: Apache-2.0
"""max8, find8 and replace8 against lists, ties and missing values included,
and the statistics of batch norm against NumPy."""
import numpy as np

from machine import Machine, expect, expect_fault, f32, reduce32

P = 6


def first8(row, vals):
    taken, out = set(), []
    for v in vals:
        at = next((i for i, x in enumerate(row) if x == v and i not in taken), None)
        if at is not None:
            taken.add(at)
        out.append(0xffffffff if at is None else at)
    return out


def check(n, seed, spread):
    rng = np.random.default_rng(seed)
    x = rng.integers(-spread, spread, (P, n)).astype(np.float32)
    top = -np.sort(-x, axis=1)[:, :8]
    vals = top.copy()
    vals[:, 7] = 1e6  # nowhere
    vals[:, 3] = vals[:, 0]
    where = np.array([first8(r, v) for r, v in zip(x, vals)], np.uint32)
    back = np.array([first8(r, v[::-1])[::-1] for r, v in zip(x, vals)], np.uint32)
    gone = x.copy()
    for r, at in zip(gone, back):
        r[[i for i in at if i != 0xffffffff]] = -5.5
    got = Machine().put(0, x).put(0xf00, vals).do(
        f"max8 dst=sbuf[0,0xe00]f32{{(1,8)}} a=sbuf[0,0x0]f32{{(1,{n})}} parts={P}",
        f"find8 dst=sbuf[0,0xe40]u32{{(1,8)}} a=sbuf[0,0x0]f32{{(1,{n})}} s1=sbuf[0,0xf00]f32 parts={P}",
        f"find8 dst=sbuf[0,0xea0]u16{{(1,8)}} a=sbuf[0,0x0]f32{{(1,{n})}} s1=sbuf[0,0xf00]f32 parts={P}",
        f"replace8.f32 dst=sbuf[0,0x700]f32{{(1,{n})}} a=sbuf[0,0x0]f32{{(1,{n})}} s0=-5.5 "
        f"s1=sbuf[0,0xf00]f32 red=sbuf[0,0xe80]u32 parts={P}",
    ).get(0xe00, "f4", P, 8).get(0xe40, "u4", P, 8).get(0xea0, "u2", P, 8).get(
        0x700, "f4", P, n).get(0xe80, "u4", P, 8).run()
    expect("max8", got[0], top)
    expect("find8", got[1], where)
    expect("find8 u16", got[2], where.astype(np.uint16))
    expect("replace8", got[3], gone)
    expect("replace8 positions", got[4], back)


def special():
    x = f32(3, np.nan, -0.0, 0.0, np.inf, -np.inf, 1, 2, np.nan)[None]
    vals = f32(np.nan, 0.0, -0.0, 0.0, np.inf, 7, 7, 3)[None]
    got = Machine().put(0, x).put(0x40, vals).do(
        "max8 dst=sbuf[0,0x80]f32{(1,8)} a=sbuf[0,0x0]f32{(1,9)} parts=1",
        "find8 dst=sbuf[0,0xc0]u32{(1,8)} a=sbuf[0,0x0]f32{(1,9)} s1=sbuf[0,0x40]f32 parts=1",
    ).get(0x80, "f4", 1, 8).get(0xc0, "u4", 1, 8).run()
    expect("order", got[0], f32(np.nan, np.nan, np.inf, 3, 2, 1, 0.0, -0.0)[None])
    no = 0xffffffff
    expect("equal", got[1], np.array([[no, 2, 3, no, 4, no, no, 0]], np.uint32))
    expect_fault("eight values unwritten", Machine().put(0, x).do(
        "find8 dst=sbuf[0,0xc0]u32{(1,8)} a=sbuf[0,0x0]f32{(1,9)} s1=sbuf[0,0x8]f32 parts=1"), 837)


def statistics(x):
    n = np.float32(x.shape[-1])
    if not n:
        return f32(0, 0, 0)
    m = reduce32(np.add, np.float32(0), x) / n
    return f32(n, m, reduce32(np.add, np.float32(0), (x - m) * (x - m)))


def batch_norm():
    rng = np.random.default_rng(2)
    for n in (1, 2, 7, 64, 400, 512):
        x = (rng.standard_normal((P, n)) * 3 + 5).astype(np.float32)
        m = Machine().put(0, x).do(
            f"bn_stats dst=sbuf[0,0x900]f32{{(1,6)}} a=sbuf[0,0x0]f32{{(1,{n})}} parts={P}",
            f"bn_aggr dst=sbuf[0,0x940]f32{{(1,2)}} a=sbuf[0,0x900]f32{{(1,6)}} parts={P}")
        got = m.get(0x900, "f4", P, 6).get(0x940, "f4", P, 2).run()
        expect(f"bn_stats {n}", got[0], np.array(
            [np.concatenate([statistics(r[::2]), statistics(r[1::2])]) for r in x], np.float32))
        wide = x.astype(np.float64)
        error = np.abs(got[1] - np.stack([wide.mean(1), wide.var(1)], 1))
        assert np.all(error < 1e-5 * (1 + wide.var(1, keepdims=True))), (n, error)
    literal = f32(2, 2, 2, 2, 4, 8)[None]
    got = Machine().put(0, literal).do(
        "bn_aggr dst=sbuf[0,0x40]f32{(1,2)} a=sbuf[0,0x0]f32{(1,6)} parts=1").get(0x40, "f4", 1, 2).run()[0]
    expect("bn_aggr", got, f32(3, 3.5)[None])


for count, seed_, width in ((8, 1, 5), (9, 2, 3), (40, 3, 10), (300, 4, 6), (300, 5, 1000)):
    check(count, seed_, width)
special()
batch_norm()
