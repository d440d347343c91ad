#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""objects.py SYSTOLE: objects and assembly that are rejected. Every truncation and
every flipped bit of an object is in tests/unit/test_object.c; here are some of
them from the command line, and damage whose author has made the hash right."""
import os
import random
import struct
import subprocess
import tempfile

from bad import SYSTOLE, Bad, example

bad = Bad()
REPLAY = os.path.join(os.path.dirname(SYSTOLE), "fuzz", "replay_object")
SMALL = ["-D", "M=5,K=6,N=7", "--target=tiny"]
OBJECT = bad.make(["build", "m.tk", *SMALL, "-o", "-"], files={"m.tk": example("matmul")})
TEXT = bad.make(["build", "m.tk", *SMALL, "--emit=asm"], files={"m.tk": example("matmul")}).decode()


def sections(data):
    off, = struct.unpack_from("<Q", data, 40)
    n, names = struct.unpack_from("<HH", data, 60)
    rows = [struct.unpack_from("<IIQQQQ", data, off + 64 * i) for i in range(n)]
    at = rows[names][4]
    return {data[at + r[0]:data.index(b"\0", at + r[0])].decode(): (r[4], r[5], off + 64 * i) for i, r in enumerate(rows)}


def repaired(data):
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        return subprocess.run([REPLAY, "--repair", f.name], stdout=subprocess.PIPE, check=True).stdout


def patched(at, form, *values):
    data = bytearray(OBJECT)
    struct.pack_into(form, data, at, *values)
    return bytes(data)


def damaged():
    rng = random.Random(7)
    for n in [4, 5, 16, 63, 64, 65, 127, 128, len(OBJECT) - 1] + [rng.randrange(4, len(OBJECT)) for _ in range(30)]:
        bad.reject(f"truncated to {n}", ["run", "k.syo"], "E0520", files={"k.syo": OBJECT[:n]})
    bad.reject("something after its end", ["run", "k.syo"], "E0520", files={"k.syo": OBJECT + b"\0"})
    for i in [rng.randrange(32, 8 * len(OBJECT)) for _ in range(60)]:
        data = bytearray(OBJECT)
        data[i // 8] ^= 1 << i % 8
        flipped(i, bytes(data), rng.choice(["run", "check", "disasm", "build"]))
    at, size, _ = sections(OBJECT)[".systole.lines"]
    bad.reject("a byte of a section", ["run", "k.syo"], "E0521", files={"k.syo": patched(at + size - 1, "<B", 1)})
    with open("/bin/sh", "rb") as f:
        bad.reject("another ELF file", ["run", "k.syo"], "E0520", files={"k.syo": f.read(1 << 20)})
    bad.reject("nothing but a magic number", ["run", "k.syo"], "E0520", files={"k.syo": b"\x7fELF"})
    bad.reject("not an object", ["disasm", "k.syo"], "E0003", files={"k.syo": TEXT})


def flipped(i, data, command):
    got, out, err, new = bad.run([command, "k.syo"] + (["-o", "out"] if command in ("disasm", "build") else []),
                                 {"k.syo": data}, None)
    if got != 1 or out or new or not ("[E0520]" in err or "[E0521]" in err):
        bad.fail(f"bit {i % 8} of byte {i // 8}, {command}", f"exit status {got}, {new}", err)
    else:
        bad.passed += 1


def forged():
    s = sections(OBJECT)

    def forge(name, code, section, offset, form, *values, status=1):
        data = repaired(patched(s[section][0] + offset, form, *values))
        bad.reject(name, ["run", "k.syo"], code, status=status, files={"k.syo": data})

    forge("version", "E0522", ".systole.target", 0, "<I", 2)
    forge("name past its section", "E0523", ".systole.target", 4, "<I", 0xffffffff)
    forge("2^32 tensors", "E0523", ".systole.tensors", 0, "<I", 0xffffffff)
    forge("type 200", "E0523", ".systole.tensors", 4 + 12, "<I", 200)
    forge("rank 9", "E0523", ".systole.tensors", 4 + 16, "<I", 9)
    forge("extent -1", "E0523", ".systole.tensors", 4 + 24, "<q", -1)
    forge("extents of 2^62", "E0523", ".systole.tensors", 4 + 24, "<qq", 2 ** 62, 2 ** 62)
    forge("larger than HBM", "E0818", ".systole.tensors", 4 + 24, "<qq", 2 ** 40, 2)
    forge("more rows than the program reads", "E0523+", ".systole.lines", 0, "<I", 0xffffffff)
    forge("engine 77", "E0523", ".systole.sems", 2, "<B", 77)
    forge("no such instruction", "E0524", ".text.tensor", 0, "<B", 255)
    forge("unused bits", "E0524", ".text.tensor", 120, "<Q", 2 ** 63)
    data = repaired(patched(s[".systole.tensors"][0] + 4 + 24, "<qq", 4, 6))
    bad.reject("smaller than what is read", ["run", "k.syo"], "E0835", status=4, files={"k.syo": data})
    # Sections that overlap, lie outside of the file, or come twice.
    for name, field, value in (("overlap", 24, s[".systole.target"][0]), ("outside", 24, 2 ** 60), ("huge", 32, 2 ** 63)):
        at = s[".systole.lines"][2] + field
        bad.reject(f"sections {name}", ["run", "k.syo"], "E0520", files={"k.syo": repaired(patched(at, "<Q", value))})


# A matrix product by hand: y = w' x, 2 x 2.
HAND = """.target "tiny"
.kernel "k"
.tensor input bf16 [2,2] "x"
.tensor input bf16 [2,2] "w"
.tensor output f32 [2,2] "y"
.sem q1 tensor 0
.sem tensor vector 0
.sem vector gpsimd 0
.stream tensor
    ldw a=sbuf[0,0x0]bf16{(1,2)} parts=2 wait s0:2
    matmul dst=psum[0,0x0]f32{(1,2)} a=sbuf[0,0x10]bf16{(1,2)} parts=2 dst_parts=2 post s1:1@complete
    end
.stream vector
    copy dst=sbuf[0,0x20]f32{(1,2)} a=psum[0,0x0]f32{(1,2)} parts=2 wait s1:1 post s2:1@complete
    end
.stream gpsimd
    loop count=1 body=1
    dma dst=hbm[2,0x0,2]f32{(1,2)} a=sbuf[0,0x20]f32{(1,2)} parts=2 queue=2 wait s2:1
    endloop
    end
.stream sync
    dma dst=sbuf[0,0x0]bf16{(1,2)} a=hbm[1,0x0,2]bf16{(1,2)} parts=2 queue=1 post s0:1@complete
    dma dst=sbuf[0,0x10]bf16{(1,2)} a=hbm[0,0x0,2]bf16{(1,2)} parts=2 queue=1 post s0:1@complete
    end
"""


def assembly():
    bad.accept("the program as it is", ["run", "k.sys"], files={"k.sys": HAND})

    def text(name, code, old, new, command="run", status=1):
        assert old in HAND, name
        bad.reject(name, [command, "k.sys"], code, status=status, files={"k.sys": HAND.replace(old, new, 1)})

    text("mnemonic", "E0510", "matmul ", "matmull ", "asm")
    text("number", "E0511", "parts=2", "parts=two", "asm")
    text("moment", "E0511", "@complete", "@lunch", "asm")
    text("item", "E0512", "ldw ", "ldw count=3 ", "asm")
    text("twice", "E0513", "parts=2", "parts=2 parts=2", "asm")
    text("directive", "E0514", ".kernel", ".colonel", "asm")
    text("place", "E0515", ".stream tensor\n", ".stream tensor\n.stream tensor\n", "asm")
    text("no number of ours", "E0511", "parts=2", f"parts={2 ** 70}", "asm")
    text("field", "E0500", "parts=2", "parts=700", "asm")
    text("count of a loop", "E0500", "loop count=1 ", f"loop count={2 ** 40} ", "asm")
    text("target", "E0008", '"tiny"', '"vax"')
    text("empty body", "E0502", "body=1", "body=0")
    text("too many partitions", "E0503", "parts=2", "parts=60")
    text("engine that cannot", "E0501", "    end\n.stream sync", "    matmul dst=psum[0,0x0]f32{(1,2)} a=sbuf[0,0x10]"
         "bf16{(1,2)} parts=2 dst_parts=2\n    end\n.stream sync")
    text("no end", "E0801", "@complete\n    end\n.stream gpsimd", "@complete\n.stream gpsimd")
    text("end in the middle", "E0802", "    loop", "    end\n    loop")
    text("loop left open", "E0804", "    endloop\n", "")
    text("endloop alone", "E0805", "    loop count=1 body=1\n", "")
    text("wrong length", "E0806", "body=1", "body=2")
    text("no such tensor", "E0816", "hbm[1,", "hbm[9,")
    text("no such semaphore", "E0811", "wait s0:2", "wait s9:2")
    text("taken by another", "E0812", "wait s0:2", "wait s2:2")
    text("wait left out", "E0837", "wait s0:2", "", status=4)
    text("deadlock", "E0833", "wait s0:2", "wait s0:3", status=4)
    text("outside a tensor", "E0835", "hbm[1,0x0,", "hbm[1,0x4,", status=4)
    text("outside of memory", "E0503", "dst=sbuf[0,0x0]", "dst=sbuf[0,0x7ffe]")
    text("race", "E0840", "wait s0:2", "wait s0:1", status=4)
    text("unwritten", "E0837", "dst=sbuf[0,0x10]", "dst=sbuf[0,0x40]", status=4)
    text("half of the output", "E0839", "dma dst=hbm[2,0x0,2]f32{(1,2)} a=sbuf[0,0x20]f32{(1,2)} parts=2",
         "dma dst=hbm[2,0x0,2]f32{(1,2)} a=sbuf[0,0x20]f32{(1,2)} parts=1", status=4)
    text("two tensors of one name", "E0817", '"w"', '"x"')
    for n in range(1, len(TEXT), len(TEXT) // 40):
        got, out, err, new = bad.run(["asm", "k.sys", "-o", "out"], {"k.sys": TEXT[:n]}, None)
        if got not in (0, 1) or (got == 1) != ("[E" in err) or (got == 1 and new):
            bad.fail(f"assembly cut at {n}", f"exit status {got}, {new}", err)
        else:
            bad.passed += 1


damaged()
forged()
assembly()
bad.end()
