#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""npy.py SYSTOLE: arrays of every type, layout and byte order through a kernel
that copies, and every way in which a .npy file can be wrong."""
import io
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np

DTYPES = ["f32", "tf32", "f16", "bf16", "f8e4m3", "f8e5m2", "f8e3m4", "i8", "i16", "i32", "u8", "u16", "u32", "bool"]
STORED = {"f32": "<f4", "tf32": "<f4", "f16": "<f2", "bf16": "|V2", "f8e4m3": "|V1", "f8e5m2": "|V1",
          "f8e3m4": "|V1", "i8": "|i1", "i16": "<i2", "i32": "<i4", "u8": "|u1", "u16": "<u2", "u32": "<u4", "bool": "|b1"}
# significand bits, least exponent of a normal number, largest finite value
FORMATS = {"f32": (24, -126, float(np.finfo(np.float32).max)), "tf32": (11, -126, 2.0 ** 127 * (2 - 2 ** -10)),
           "f16": (11, -14, 65504.0), "bf16": (8, -126, 2.0 ** 127 * (2 - 2 ** -7)), "f8e4m3": (4, -6, 240.0),
           "f8e5m2": (3, -14, 57344.0), "f8e3m4": (5, -2, 15.5)}
CLASS = {"f": "float", "V": "float", "i": "int", "u": "int", "b": "int"}


def nearest(x, dtype):
    """Rounded to the format, ties to even, from the definition; in float64."""
    bits, least, most = FORMATS[dtype]
    x = np.asarray(x, np.float64)
    _, e = np.frexp(x)
    step = np.exp2(np.maximum(e - 1, least) - (bits - 1))
    y = np.where(np.isfinite(x), np.round(x / step) * step, x)
    return np.where(np.abs(y) > most, np.copysign(np.inf, y), y)


def decode(a, dtype):
    """The values of stored elements, in float64."""
    if dtype in ("f32", "tf32", "f16"):
        return a.astype(np.float64)
    raw = a.view(np.uint16 if dtype == "bf16" else np.uint8).astype(np.uint32)
    if dtype == "bf16":
        return (raw << 16).view(np.float32).astype(np.float64)
    bits, least, most = FORMATS[dtype]
    m, e = raw & (2 ** (bits - 1) - 1), (raw & 0x7F) >> (bits - 1)
    v = np.where(e == 0, m * 2.0 ** (least - bits + 1),
                 (m + 2.0 ** (bits - 1)) * np.exp2(e.astype(float) - 1 + least - bits + 1))
    return np.where(raw >> 7, -v, v)


class Runner:
    def __init__(self, systole, d):
        self.systole, self.d = systole, d

    def run(self, dtype, array, shape=None, text=None):
        """Copies an array (or file bytes) through a kernel of that type."""
        path, out = f"{self.d}/x.npy", f"{self.d}/y.npy"
        if isinstance(array, bytes):
            with open(path, "wb") as f:
                f.write(array)
        else:
            np.save(path, array)
        if os.path.exists(out):
            os.remove(out)
        rank = 1 if shape is None else shape
        dims = ", ".join("ABCDEFGH"[:rank])
        index = ", ".join("abcdefgh"[:rank])
        with open(f"{self.d}/k.tk", "w") as f:
            f.write(text or f"kernel k[{dims}](x: {dtype}[{dims}]) -> (y: {dtype}[{dims}]) {{\n  y[{index}] = x[{index}]\n}}\n")
        done = subprocess.run([self.systole, "run", f"{self.d}/k.tk", "--engine=tensor", "--in", f"x={path}",
                               "--out", f"y={out}"], stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stderr, np.load(out) if os.path.exists(out) else None


def check_types(r, rng):
    for dtype in DTYPES:
        if dtype in FORMATS:
            most = FORMATS[dtype][2]
            tiny = 2.0 ** (FORMATS[dtype][1] - FORMATS[dtype][0])
            x = np.concatenate([rng.normal(size=300), rng.normal(size=300) * tiny * 3, rng.normal(size=100) * most,
                                [0.0, -0.0, np.inf, -np.inf, most, 1.5 * tiny, 2 * tiny, 2.5 * tiny]])
            for source in ("<f8", ">f8", "<f4", ">f4", "<f2"):
                with np.errstate(over="ignore"):
                    given = x.astype(source)
                status, err, y = r.run(dtype, given)
                assert status == 0, (dtype, source, err)
                assert y.dtype.str == STORED[dtype], (y.dtype.str, dtype)
                want = nearest(given, dtype)
                got = decode(y, dtype)
                if dtype in ("f8e4m3", "f8e5m2", "f8e3m4"):
                    keep = np.isfinite(want)  # what these have for infinities is the manual's matter
                    got, want = got[keep], want[keep]
                assert (got == want).all() and (np.signbit(got) == np.signbit(want)).all(), (dtype, source)
                same = STORED[dtype].lstrip("<>|") == source[1:] and dtype in ("f32", "f16")
                assert ("note:" in err) == (not same), (dtype, source, err)
            status, err, again = r.run(dtype, y)
            if STORED[dtype][1] == "V":
                assert status == 0 and (again.tobytes() == y.tobytes()), (dtype, err)
                assert "note" not in err
        else:
            info = (0, 1) if dtype == "bool" else (np.iinfo(STORED[dtype]).min, np.iinfo(STORED[dtype]).max)
            x = np.array([info[0], info[1], 0, 1])
            for source in ("<i8", ">i8", "<u8", "<i4", "|u1", "|b1"):
                given = x.astype(source)
                fits = (given.astype(object) == x.astype(object)).all()
                status, err, y = r.run(dtype, given if fits else np.array([0, 1, 1, 0], source))
                assert status == 0, (dtype, source, err)
                assert y.dtype.str == STORED[dtype]
                if fits:
                    assert (y.astype(object) == x.astype(object)).all(), (dtype, source, y)
            if dtype != "u32":
                status, err, y = r.run(dtype, np.array([0, info[1] + 1], np.int64))
                assert status == 1 and "[E0708]" in err and y is None, (dtype, err)
            status, err, y = r.run(dtype, np.array([-(2 ** 40)], np.int64))
            assert status == 1 and "[E0708]" in err and y is None


def check_layouts(r):
    x = np.arange(2 * 3 * 5 * 2, dtype=np.float32).reshape(2, 3, 5, 2)
    for given in (x, np.asfortranarray(x), np.asfortranarray(x).astype(">f4"), np.asfortranarray(x).astype(">f8")):
        status, err, y = r.run("f32", given, shape=4)
        assert status == 0 and (y == x).all() and y.flags.c_contiguous, err
    for version in ((1, 0), (2, 0), (3, 0)):
        f = io.BytesIO()
        np.lib.format.write_array(f, x[0, 0], version=version)
        status, err, y = r.run("f32", f.getvalue(), shape=2)
        assert status == 0 and (y == x[0, 0]).all(), (version, err)
    status, err, y = r.run("f32", np.zeros((0, 7), np.float32), shape=2)
    assert status == 0 and y.shape == (0, 7), err
    scalar = "kernel k[A](x: f32) -> (y: f32) { y = x + x }\n".replace("[A]", "")
    status, err, y = r.run("f32", np.float32(2.5), text=scalar)
    if status == 0:
        assert y.shape == () and y == 5.0


def file(header, data=b"\0" * 16, version=b"\x01\x00"):
    header = header.encode("latin1")
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data


def check_lies(r):
    good = "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n"
    assert r.run("f32", file(good))[0] == 0
    bad = {
        "E0703": [b"", b"hello", b"\x93NUMP", b"PK\x03\x04" + b"\0" * 100],
        "E0704": [b"\x93NUMPY", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x01\x00\xff\xff{}", b"\x93NUMPY\x09\x00\x02\x00{}",
                  file("{}"), file("{'descr': '<f4'}"), file(good[:-3]), file(good + "x"), file(""),
                  file(good.replace("(4,)", "4")), file(good.replace("(4,)", "(-4,)")), file(good.replace("(4,)", "(4")),
                  file(good.replace("(4,)", "(99999999999999999999,)")), file(good.replace("False", "Maybe")),
                  file(good.replace("'<f4'", "[('a', '<f4')]")), file(good.replace("'<f4'", "3")),
                  file(good.replace("(4,)", "(1,1,1,1,1,1,1,1,4)")), file(good.replace("'shape'", "'sharp'")),
                  b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"],
        "E0705": [file(good, b"\0" * 15), file(good, b"\0" * 17), file(good, b""),
                  file(good.replace("(4,)", "(4611686018427387904,)")),
                  file(good.replace("(4,)", "(9223372036854775807, 9223372036854775807)")),
                  file(good.replace("(4,)", "(1000000000000,)"))],
        "E0706": [file(good.replace("<f4", t)) for t in ("<c8", "|O", "<M8[s]", "|S4", "<U1", "|V4", "<f16", "f3", "")],
        "E0707": [file(good.replace("<f4", "<i4")), file(good.replace("<f4", "|b1"), b"\0" * 4),
                  file(good.replace("<f4", "|V1"), b"\0" * 4)],
    }
    for code, files in bad.items():
        for data in files:
            status, err, y = r.run("f32", data)
            assert status == 1 and f"[{code}]" in err and y is None, (code, data[:80], status, err)
    status, err, y = r.run("i32", file(good))
    assert status == 1 and "[E0707]" in err


def main():
    with tempfile.TemporaryDirectory() as d:
        r = Runner(sys.argv[1], d)
        check_layouts(r)
        check_lies(r)
        check_types(r, np.random.RandomState(7))


main()
