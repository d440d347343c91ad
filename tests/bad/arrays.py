#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""arrays.py SYSTOLE: arrays that do not fit the kernel, and .npy files that lie.
tests/e2e/npy.py has every type and layout and every malformed header."""
import io
import struct

import numpy as np

from bad import Bad, example

bad = Bad()
MATMUL = example("matmul")


def npy(a):
    f = io.BytesIO()
    np.save(f, a)
    return f.getvalue()


def raw(shape, data=b"", descr="<f4", version=1, size=None):
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    n = len(head) if size is None else size
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", n) + head + data


def run(name, code, status=1, text=MATMUL, args=(), **arrays):
    files = {"k.tk": text, **{f"{k}.npy": v for k, v in arrays.items()}}
    ins = [x for k in arrays for x in ("--in", f"{k}={k}.npy")]
    bad.reject(name, ["run", "k.tk", *args, *ins, "--out", "c=out.npy"], code, status=status, files=files)


ONES = npy(np.ones((3, 4), np.float32))


def lies():
    for name, data in {
            "2^60 elements": raw(f"({2 ** 60},)"), "2^64 elements": raw(f"({2 ** 32}, {2 ** 32})"),
            "2^62 by 2^62": raw(f"({2 ** 62}, {2 ** 62})"), "one too many": raw("(5, 5)", bytes(4 * 24)),
            "one too few": raw("(5, 5)", bytes(4 * 26)), "half an element": raw("(5, 5)", bytes(4 * 25 - 2)),
            "nothing": raw("(5, 5)"), "something of nothing": raw("(0, 5)", b"1234"), "scalar": raw("()", bytes(8)),
            "f8 said to be f4": raw("(5, 5)", np.ones((5, 5)).tobytes())}.items():
        run(name, "E0705", a=data, b=ONES)
    for name, data in {
            "header of 4 GiB": raw("(5, 5)", version=2, size=2 ** 32 - 1), "header past the end": raw("(5, 5)", size=65535),
            "no header": b"\x93NUMPY\x01\x00", "version 9": raw("(5, 5)", bytes(100), version=9),
            "negative": raw("(-5, 5)", bytes(100)), "expression": raw("(2 ** 3, 5)", bytes(160)),
            "rank 9": raw("(1, 1, 1, 1, 1, 1, 1, 1, 1)", bytes(4)), "rank 10^5": raw("(" + "1," * 20000 + ")", bytes(4)),
            "digits": raw("(" + "9" * 60000 + ",)"), "brackets": raw("(" * 60000)}.items():
        run(name, "E0704", a=data, b=ONES)
    run("objects", "E0706", a=raw("(5, 5)", descr="|O"), b=ONES)
    run("not an array", "E0703", a=b"PK\x03\x04 an archive", b=ONES)
    run("empty file", "E0703", a=b"", b=ONES)
    run("all zeros", "E0703", a=bytes(1000), b=ONES)


def misfits():
    good = npy(np.ones((4, 5), np.float32))
    run("inner extents", "E0301", a=ONES, b=ONES)
    run("rank", "E0307", a=npy(np.ones(3, np.float32)), b=good)
    run("not an input", "E0306", a=ONES, b=good, z=ONES)
    run("integers for floats", "E0707", a=npy(np.ones((3, 4), np.int32)), b=good)
    run("complex", "E0706", a=npy(np.ones((3, 4), np.complex64)), b=good)
    run("against -D", "E0301", args=["-D", "M=7"], a=ONES, b=good)
    run("undetermined", "E0300", a=ONES)
    two = "kernel k[N](x: f32[2*N], z: f32[N]) -> (c: f32[N]) { c = z }"
    run("odd", "E0308", text=two, x=npy(np.ones(7, np.float32)))
    run("computed extent", "E0302", text=two, args=["-D", "N=3"], x=npy(np.ones(8, np.float32)))
    ints = "kernel k[N](x: i8[N]) -> (c: i8[N]) { c = x }"
    run("200 in i8", "E0708", text=ints, x=npy(np.array([1, 200, 3], np.int64)))
    run("floats for integers", "E0707", text=ints, x=npy(np.ones(3, np.float32)))


def accepted():
    odd = np.array([[np.nan, np.inf, -np.inf, 0.0], [-0.0, 1e-45, 3e38, 1.0], [2, 3, 4, 5]], np.float32)
    copy = "kernel k[M, N](x: f32[M, N]) -> (c: f32[M, N]) { c = x }"
    for name, a in {"NaN and infinities": odd, "Fortran order": np.asfortranarray(odd), "big-endian": odd.astype(">f4"),
                    "no elements": np.zeros((0, 4), np.float32), "f64": odd.astype(np.float64)}.items():
        for engine in ("interp", "tile", "tensor"):
            out = bad.accept(f"{name}, {engine}", ["run", "k.tk", "--in", "x=x.npy", "--out", "c=-", f"--engine={engine}"],
                             files={"k.tk": copy, "x.npy": npy(a)})
            if out and not np.array_equal(np.load(io.BytesIO(out)), a.astype(np.float32), equal_nan=True):
                bad.fail(name, "is not what came out")
    bad.accept("from standard input", ["run", "k.tk", "--in", "x=-", "--out", "c=-"], files={"k.tk": copy}, stdin=npy(odd))


lies()
misfits()
accepted()
bad.end()
