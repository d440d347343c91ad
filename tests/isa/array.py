# SPDX-License-Identifier: Apache-2.0
"""array.py SYSTOLE: the tensor engine's modes against NumPy and exact
arithmetic, written from the public record: tiles, transposes, double rows, MX,
sums in bf16, products over several banks."""
import sys

import numpy as np
import steps
from steps import FORMAT, Fault, bf16, bf16_bits, place, product, same_bits

SYSTOLE = sys.argv[1]
rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)


def run(target, image, todo, results):
    return steps.run(SYSTOLE, target, image, todo, results)


def faults(code, target, image, todo):
    """The program stops with that diagnostic."""
    try:
        run(target, image, todo, [])
    except Fault as f:
        assert f.status in (1, 4) and f"E{code:04}" in f.text, f.text
        return
    raise AssertionError(f"no E{code:04}: {todo}")


def codes(t, shape):
    """Codes of a format of 8 bits or fewer and their values; few are special."""
    c = rng.integers(0, len(FORMAT[t]), shape).astype(np.uint8)
    tame = rng.integers(0, 50, shape) != 0
    values = FORMAT[t][c]
    c = np.where(tame & ~np.isfinite(values), 0x31 & (len(FORMAT[t]) - 1), c).astype(np.uint8)
    return c, FORMAT[t][c]


def tiles():
    """Sixteen products at once, every tile with its own K and M, all loaded
    before any is used; then whole rows and columns; then one over another."""
    image = np.zeros((16, 1024), np.uint8)
    todo, results, want = [], [], []
    free = 0
    for row in range(0, 16, 4):
        for col in range(0, 16, 4):
            k, m = (4, 4) if row == col else rng.integers(1, 5, 2)
            w, x = rng.standard_normal((k, m)), rng.standard_normal((k, 5))
            wb, xb = bf16_bits(w), bf16_bits(x)
            place(image, row, free, wb)
            place(image, row, free + 8, xb)
            tile = f"row0={row} col0={col} tile_rows=4 tile_cols=4 ".replace("row0=0 ", "").replace("col0=0 ", "")
            todo.insert(len(want), ("tensor", f"ldw {tile}a=sbuf[{row},{free:#x}]bf16{{(1,{m})}} parts={k}"))
            todo.append(("tensor", f"matmul {tile}dst=psum[{col},{row * 8:#x}]f32{{(1,5)}} "
                                   f"a=sbuf[{row},{free + 8:#x}]bf16{{(1,5)}} parts={k} dst_parts={m}"))
            results.append(("psum", col, m, row * 8, 20))
            want.append(product(bf16(wb), bf16(xb)))
            free += 18
    for got, w in zip(run("tiny", image, todo, results), want):
        assert same_bits(got, w), (got.view(np.float32), w)

    w, x = rng.integers(-8, 9, (16, 16)), rng.integers(-8, 9, (16, 3))
    place(image, 0, 0, bf16_bits(w))
    place(image, 0, 32, bf16_bits(x))
    both = [("tensor", f"ldw {t} a=sbuf[{p},0x0]bf16{{(1,16)}} parts=8") for t, p in
            (("tile_rows=8", 0), ("row0=8 tile_rows=8", 8))]
    both += [("tensor", f"matmul {t} dst=psum[0,{p * 4:#x}]f32{{(1,3)}} a=sbuf[{p},0x20]bf16{{(1,3)}} parts=8 "
                        "dst_parts=16") for t, p in (("tile_rows=8", 0), ("row0=8 tile_rows=8", 8))]
    got = run("tiny", image, both, [("psum", 0, 16, 0, 12), ("psum", 0, 16, 32, 12)])
    for h in range(2):
        assert np.array_equal(got[h].view(np.float32), (w[8 * h:8 * h + 8].T @ x[8 * h:8 * h + 8]).astype(np.float32))
    # The array's lower half again: the upper half stays, the whole does not.
    again = both[:2] + [("tensor", "ldw row0=8 col0=8 tile_rows=8 tile_cols=8 a=sbuf[8,0x0]bf16{(1,8)} parts=8")]
    assert run("tiny", image, again + both[2:3], [("psum", 0, 16, 0, 12)])[0].shape == (16, 12)
    faults(842, "tiny", image, again + both[3:4])


def tile_errors():
    image = np.zeros((16, 64), np.uint8)
    ldw = "ldw {}a=sbuf[0,0x0]bf16{{(1,4)}} parts=4"
    use = "matmul {}dst=psum[0,0x0]f32{{(1,2)}} a=sbuf[0,0x0]bf16{{(1,2)}} parts={} dst_parts={}"
    for load, then in (
        ("", use.format("tile_rows=4 tile_cols=4 ", 4, 4)),
        ("tile_rows=4 tile_cols=4 ", use.format("", 4, 4)),
        ("tile_rows=4 tile_cols=4 ", use.format("tile_rows=4 tile_cols=8 ", 4, 4)),
        ("tile_rows=4 tile_cols=4 ", use.format("tile_rows=4 tile_cols=4 ", 3, 4)),
        ("tile_rows=4 tile_cols=4 ", use.format("tile_rows=4 tile_cols=4 ", 4, 3)),
        ("", "matmul_rows dst=psum[0,0x0]f32{(1,2)} a=sbuf[0,0x0]f8e4m3{(1,4)} parts=4 dst_parts=4"),
        ("", "pe_transpose dst=psum[0,0x0]f32{(1,2)} a=sbuf[0,0x0]f32{(1,2)} parts=4 dst_parts=4"),
        ("", "matmul dst=psum[0,0x0]f32{(1,2)} a=sbuf[0,0x0]f32{(1,2)} parts=4 dst_parts=4"),
    ):
        faults(842, "tiny", image, [("tensor", ldw.format(load)), ("tensor", then)])
    faults(842, "tiny", image, [("tensor", use.format("", 4, 4))])


def onezero():
    image = np.zeros((16, 64), np.uint8)
    place(image, 0, 0, np.float32([[0, 1, -0.0], [1, 0, 1]]))
    place(image, 0, 16, np.float32([[3, 4], [5, 6]]))
    promise = [("tensor", "ldw onezero a=sbuf[0,0x0]f32{(1,3)} parts=2"),
               ("tensor", "matmul onezero dst=psum[0,0x0]f32{(1,3)} a=sbuf[0,0x0]f32{(1,3)} parts=2 dst_parts=3")]
    got, = run("tiny", image, promise, [("psum", 0, 3, 0, 12)])
    assert np.array_equal(got.view(np.float32), [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    faults(855, "tiny", image, [("tensor", "ldw onezero a=sbuf[0,0x10]f32{(1,2)} parts=2")])
    faults(855, "tiny", image, promise[:1] + [
        ("tensor", "matmul onezero dst=psum[0,0x0]f32{(1,2)} a=sbuf[0,0x10]f32{(1,2)} parts=2 dst_parts=3")])


def transposes():
    """Every bit pattern of the 8-bit types, random ones of the others."""
    for t, word, out in (("f32", np.uint32, "f32"), ("tf32", np.uint32, "tf32"), ("bf16", np.uint16, "bf16"),
                         ("f16", np.uint16, "f16"), ("f8e4m3", np.uint8, "u16"), ("f8e5m2", np.uint8, "u16"),
                         ("f8e4m3fn", np.uint8, "u16"), ("f8e3m4", np.uint8, "u16")):
        image = np.zeros((16, 256), np.uint8)
        size = np.dtype(word).itemsize
        one = {"f32": 0x3f800000, "tf32": 0x3f800000, "bf16": 0x3f80, "f16": 0x3c00, "f8e4m3": 0x38, "f8e5m2": 0x3c,
               "f8e4m3fn": 0x38, "f8e3m4": 0x30}[t]
        bits = rng.integers(0, 2 ** (8 * size), (16, 16)).astype(word)
        if size == 1:
            bits = np.arange(256, dtype=np.uint8).reshape(16, 16)
        else:
            bits[3, 5] = one | np.array(-1).astype(word) << 1  # a NaN with a payload
        order = rng.permutation(16)
        eye = np.zeros((16, 16), word)
        eye[order, np.arange(16)] = one
        place(image, 0, 0, bits)
        place(image, 0, 64, eye)
        wide = max(size, 2)
        got, = run("tiny", image, [
            ("tensor", f"ldw a=sbuf[0,0x0]{t}{{(1,16)}} parts=16"),
            ("tensor", f"pe_transpose dst=psum[0,0x0]{out}{{(1,16)}} a=sbuf[0,0x40]{t}{{(1,16)}} parts=16 "
                       "dst_parts=16")], [("psum", 0, 16, 0, 16 * wide)])
        assert np.array_equal(got.view(f"u{wide}"), bits[order].T), t
    # Neither zeros and ones, nor two ones, nor none in a column.
    for values in ([[2, 0], [0, 1]], [[1, 0], [1, 1]], [[1, 0], [0, 0]]):
        image = np.zeros((16, 64), np.uint8)
        place(image, 0, 0, bf16_bits(values))
        faults(855 if values[0][0] == 2 else 856, "tiny", image, [
            ("tensor", "ldw a=sbuf[0,0x0]bf16{(1,2)} parts=2"),
            ("tensor", "pe_transpose dst=psum[0,0x0]bf16{(1,2)} a=sbuf[0,0x0]bf16{(1,2)} parts=2 dst_parts=2")])


def double_rows():
    for target, parts, m, n in (("tiny", 5, 3, 4), ("tiny", 16, 16, 7), ("trn2", 128, 9, 6)):
        tw, tx = rng.choice(["f8e4m3", "f8e5m2"], 2)
        cw, w = codes(tw, (parts, 2, m))
        cx, x = codes(tx, (parts, 2, n))
        if target == "trn2":  # small integers: any order is exact
            small = np.array([0x38, 0xb8, 0x40, 0], np.uint8)
            tw = tx = "f8e4m3"
            cw, cx = small[cw % 4], small[cx % 4]
            w, x = FORMAT[tw][cw], FORMAT[tx][cx]
        image = np.zeros((parts, 64), np.uint8)
        place(image, 0, 0, cw.reshape(parts, -1))
        place(image, 0, 32, cx.reshape(parts, -1))
        w, x = w.reshape(2 * parts, m), x.reshape(2 * parts, n)
        want = product(w, x) if target == "tiny" else (w.T @ x).astype(np.float32)
        with np.errstate(invalid="ignore"):
            twice = want + want
        mm = f"matmul_rows {{}}dst=psum[0,0x0]f32{{{{(1,{n})}}}} a=sbuf[0,0x20]{tx}{{{{({n},2)(1,{n})}}}} " \
             f"parts={parts} dst_parts={m}"
        load = ("tensor", f"ldw_rows a=sbuf[0,0x0]{tw}{{({m},2)(1,{m})}} parts={parts}")
        where = [("psum", 0, m, 0, 4 * n)]
        got, = run(target, image, [load, ("tensor", mm.format(""))], where)
        assert same_bits(got, want), (got.view(np.float32), want)
        got, = run(target, image, [load, ("tensor", mm.format("")), ("tensor", mm.format("accumulate "))], where)
        assert same_bits(got, twice)


def scale_factor(code):
    return np.where(code == 255, np.nan, 2.0 ** (code.astype(np.float64) - 127))


def mx_operand(t, parts, columns, quad, wild):
    """Packed bytes, scales as they lie on partitions, and the f32 values of
    4 * parts rows."""
    c, v = codes(t, (parts, columns, 4))
    s = rng.integers(0, 256, (parts // 8, columns)) if wild else rng.integers(120, 135, (parts // 8, columns))
    s = s.astype(np.uint8)
    if t == "f4e2m1":
        packed = np.zeros((parts, columns), np.uint16)
        for q in range(4):
            packed |= c[:, :, q].astype(np.uint16) << 4 * q
    else:
        packed = c
    factor = scale_factor(s)[np.arange(parts) // 8]
    with np.errstate(over="ignore", invalid="ignore"):
        value = (v * factor[:, :, None]).astype(np.float32)
    rows = value.transpose(0, 2, 1).reshape(4 * parts, columns)
    lanes = [quad * (8 * g // quad) + 8 * g % quad // 8 for g in range(parts // 8)]
    return packed, s, rows, lanes


def mx():
    kinds = ["f8e4m3fn", "f8e5m2", "f4e2m1"]
    for target, parts, quad, m, n, shift in (
            ("tiny", 8, 8, 4, 3, 0), ("tiny", 16, 8, 16, 5, 0), ("tiny", 16, 8, 6, 5, 2), ("tiny", 16, 8, 2, 4, 3),
            ("trn3", 32, 32, 4, 3, 0), ("trn4", 128, 32, 2, 3, 12), ("trn3", 64, 32, 2, 2, 4)):
        for wild in (False, True):
            tw, tx = rng.choice(kinds, 2)
            image = np.zeros((quad * 4 if target != "tiny" else 16, 512), np.uint8)
            ops = []
            for at, t, columns in ((0, tw, m), (128, tx, n)):
                packed, s, rows, lanes = mx_operand(t, parts, columns, quad, wild)
                place(image, 0, at, packed.reshape(parts, -1))
                for g, lane in enumerate(lanes):
                    place(image, lane + shift, at + 96, s[g:g + 1])
                ops.append(rows)
            names = [f"{t}x4" for t in (tw, tx)]
            load = ("tensor", f"ldw_mx a=sbuf[0,0x0]{names[0]}{{(1,{m})}} b=sbuf[{shift},0x60]e8m0{{(1,{m})}} "
                              f"parts={parts}")
            mm = ("tensor", f"matmul_mx dst=psum[0,0x0]f32{{(1,{n})}} a=sbuf[0,0x80]{names[1]}{{(1,{n})}} "
                            f"b=sbuf[{shift},0xe0]u8{{(1,{n})}} parts={parts} dst_parts={m}")
            got, = run(target, image, [load, mm], [("psum", 0, m, 0, 4 * n)])
            want = product(*ops)
            assert same_bits(got, want), (target, tw, tx, got.view(np.float32), want)


def mx_reads_only_its_scales():
    """Partitions between the scales may never have been written."""
    fill = [("vector", "fill.u32 dst=sbuf[0,0x0]u32{(1,4)} s0=0 parts=16"),
            ("vector", "fill.u32 dst=sbuf[0,0x40]u32{(1,4)} s0=0 parts=1")]
    image = np.zeros((16, 4), np.uint8)
    load = [("tensor", "ldw_mx a=sbuf[0,0x0]f8e4m3fnx4{(1,2)} b=sbuf[0,0x40]e8m0{(1,2)} parts=8")]
    both = [("tensor", "ldw_mx a=sbuf[0,0x0]f8e4m3fnx4{(1,2)} b=sbuf[0,0x40]e8m0{(1,2)} parts=16")]
    run("tiny", image, fill + load, [])
    faults(837, "tiny", image, fill + both)
    more = [("vector", "fill.u32 dst=sbuf[8,0x40]u32{(1,4)} s0=0 parts=1")]
    run("tiny", image, fill + more + both, [])


def bf16_sums():
    """Widened, added in f32, rounded back to bf16."""
    image = np.zeros((16, 64), np.uint8)
    w, x = bf16_bits(rng.standard_normal((4, 3))), bf16_bits(rng.standard_normal((4, 6)))
    place(image, 0, 0, w)
    place(image, 0, 8, x)
    for target in ("tiny", "trn3", "trn4"):
        mm = "matmul {}dst=psum[0,0x0]bf16{{(1,6)}} a=sbuf[0,0x8]bf16{{(1,6)}} parts=4 dst_parts=3"
        got, = run(target, image, [("tensor", "ldw a=sbuf[0,0x0]bf16{(1,3)} parts=4"), ("tensor", mm.format("")),
                                   ("tensor", mm.format("accumulate "))], [("psum", 0, 3, 0, 12)])
        r = product(bf16(w), bf16(x))
        want = bf16_bits(bf16(bf16_bits(r)) + r)
        assert np.array_equal(got.view(np.uint16), want), (got.view(np.uint16), want)
    faults(502, "trn2", image, [("tensor", "ldw a=sbuf[0,0x0]bf16{(1,3)} parts=4"), ("tensor", mm.format(""))])


def banks():
    """One instruction over all of PSUM, 4096 f32 or 8192 bf16."""
    image = np.zeros((128, 8192 * 2 + 64), np.uint8)
    w, x = rng.integers(-4, 5, (3, 2)), rng.integers(-4, 5, (3, 8192))
    place(image, 0, 0, bf16_bits(w))
    place(image, 0, 64, bf16_bits(x))
    ldw = ("tensor", "ldw a=sbuf[0,0x0]bf16{(1,2)} parts=3")
    mm = "matmul dst=psum[0,{:#x}]{}{{(1,{})}} a=sbuf[0,0x40]bf16{{(1,{})}} parts=3 dst_parts=2"
    want = (w.T @ x).astype(np.float32)
    for target in ("trn3", "trn4"):
        got, = run(target, image, [ldw, ("tensor", mm.format(0, "f32", 4096, 4096))], [("psum", 0, 2, 0, 16384)])
        assert np.array_equal(got.view(np.float32), want[:, :4096])
        got, = run(target, image, [ldw, ("tensor", mm.format(0, "bf16", 8192, 8192))], [("psum", 0, 2, 0, 16384)])
        assert np.array_equal(got.view(np.uint16), bf16_bits(want))
        faults(503, target, image, [ldw, ("tensor", mm.format(4, "f32", 4096, 4096))])
    faults(503, "trn2", image, [ldw, ("tensor", mm.format(0, "f32", 513, 513))])
    faults(503, "trn2", image, [ldw, ("tensor", mm.format(4, "f32", 512, 512))])


def examples():
    """The manual's, with their literal values."""
    def both(target, image, load, use, result):
        got, = run(target, image, [("tensor", load), ("tensor", use)], [result])
        return got

    image = np.zeros((16, 512), np.uint8)
    place(image, 0, 0, np.uint8([[0x80, 0x3f, 0x00, 0x40], [0x40, 0x40, 0x80, 0x40]]))
    place(image, 0, 0x10, bf16_bits([[5], [6]]))
    load = "ldw a=sbuf[0,0x0]bf16{(1,2)} parts=2"
    got = both("trn2", image, load, "matmul dst=psum[0,0x0]f32{(1,1)} a=sbuf[0,0x10]bf16{(1,1)} parts=2 dst_parts=2",
               ("psum", 0, 2, 0, 4))
    assert got.view(np.uint32).ravel().tolist() == [0x41b80000, 0x42080000]
    place(image, 0, 0x10, bf16_bits([[1, 0], [0, 1]]))
    got = both("trn2", image, load, "pe_transpose dst=psum[0,0x0]bf16{(1,2)} a=sbuf[0,0x10]bf16{(1,2)} parts=2 "
               "dst_parts=2", ("psum", 0, 2, 0, 4))
    assert got.tolist() == [[0x80, 0x3f, 0x40, 0x40], [0x00, 0x40, 0x80, 0x40]]
    place(image, 0, 0, np.uint8([[0x38, 0x40, 0x44, 0x48]]))
    got = both("trn2", image, "ldw_rows a=sbuf[0,0x0]f8e4m3{(2,2)(1,2)} parts=1",
               "matmul_rows dst=psum[0,0x0]f32{(1,1)} a=sbuf[0,0x0]f8e4m3{(1,2)(1,1)} parts=1 dst_parts=2",
               ("psum", 0, 2, 0, 4))
    assert got.view(np.uint32).ravel().tolist() == [0x40e00000, 0x41200000]
    image = np.zeros((32, 512), np.uint8)
    place(image, 0, 0, np.tile(np.uint8([0x38, 0x40, 0x44, 0x48] * 2), (32, 1)))
    place(image, 0, 256, np.full((4, 2), 128, np.uint8))
    got = both("trn3", image, "ldw_mx a=sbuf[0,0x0]f8e4m3fnx4{(1,2)} b=sbuf[0,0x100]e8m0{(1,2)} parts=32",
               "matmul_mx dst=psum[0,0x0]f32{(1,1)} a=sbuf[0,0x0]f8e4m3fnx4{(1,1)} b=sbuf[0,0x100]e8m0{(1,1)} "
               "parts=32 dst_parts=2", ("psum", 0, 2, 0, 4))
    assert got.view(np.uint32).ravel().tolist() == [0x45700000, 0x45700000], got.view(np.float32)


TESTS = (examples, tiles, tile_errors, onezero, transposes, double_rows, mx, mx_reads_only_its_scales, bf16_sums, banks)
for t in TESTS:
    t()
print("ok")
