#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""limits.py SYSTOLE: what would run for years, or take all of the memory, is
refused or stopped: huge loops in every form, tokens that nobody takes, texts in
an object that are not of its machine code, buffers of 2^60 elements."""
from bad import IS_ASAN, Bad, example

bad = Bad()

HEAD = '.target "tiny"\n.kernel "k"\n.tensor output f32 [4] "c"\n'


def asm(*body, sems=""):
    lines = "".join("    " + line + "\n" for line in body)
    return HEAD + sems + ".stream tensor\n" + lines + "    end\n"


def loops():
    n = 10 ** 12
    once = ["mark"]
    programs = {
        "one": [f"loop count={n} body=1", *once, "endloop"],
        "nested": ["loop count=1000000 body=4", "mark", "loop count=1000000 body=1", *once, "endloop", "endloop"],
        "register": [f"reg r1=mov({n})", "loop count_reg=r1 body=1", *once, "endloop"],
        "deep": ["loop count=4000 body=15"] + [f"loop count=4000 body={15 - 2 * i}" for i in range(1, 8)] +
                ["mark"] + ["endloop"] * 8,
    }
    for name, body in programs.items():
        for command in ("run", "check"):
            bad.reject(f"loop {name}, {command}", [command, "k.sys"], "E0890", status=5, files={"k.sys": asm(*body)})
    both = ["reg r1=mov(1000000)", "loop count_reg=r1 body=4", "mark", "loop count_reg=r1 body=1", "mark", "endloop", "endloop"]
    bad.reject("registers in registers", ["run", "k.sys", "--limit-instructions=1000000"], "E0890", status=5,
               files={"k.sys": asm(*both)})
    bad.reject("few instructions", ["run", "k.sys", "--limit-instructions=10"], "E0890", status=5,
               files={"k.sys": asm(*["mark"] * 20)})


def kernels():
    long_sum = "kernel k(x: f32) -> (y: f32) { y = sum[i in 0..900000000000000] x }"
    for engine in ("interp", "tile", "tensor"):
        code = "E0890" if engine == "interp" else "E0903"
        bad.reject(f"sum, {engine}", ["run", "k.tk", f"--engine={engine}"], code, status=5, files={"k.tk": long_sum})
    bad.reject("sum, check", ["check", "k.tk"], "E0890", status=5, files={"k.tk": long_sum})
    small = example("matmul")
    args = ["run", "m.tk", "-D", "M=2,K=3,N=4"]
    bad.reject("limit", args + ["--limit-instructions=3"], "E0890", status=5, files={"m.tk": small})
    bad.reject("limit of check", ["check"] + args[1:] + ["--limit-instructions=3"], "E0890", status=5,
               files={"m.tk": small})
    bad.accept("no limit", args + ["--limit-instructions=0"], files={"m.tk": small})
    tile = bad.make(["build", "m.tk", "-D", "M=50,K=50,N=50", "--target=tiny", "--emit=tile"],
                    files={"m.tk": small}).decode()
    for trips in (2 ** 40, 2 ** 60):
        text = tile.replace("for i1 < 4 ", f"for i1 < {trips} ", 1).replace("for i1 < 1 ", f"for i1 < {trips} ", 1)
        if text == tile:
            text = tile.replace("for i1 < ", f"for i1 < {trips} + 0*", 1)
        got, out, err, new = bad.run(["run", "t.tile", "--engine=tile"], {"t.tile": text}, None)
        if got not in (1, 5) or "[E" not in err or new:
            bad.fail(f"{trips} trips", f"exit status {got}", err)
        else:
            bad.passed += 1


def tokens():
    n = 20000000
    give = [f"loop count={n} body=1", "mark post s0:1@complete", "endloop", "end"]
    take = [f"loop count={n} body=1", "mark wait s0:1", "endloop", "end"]
    text = (HEAD + ".sem tensor vector 0\n.stream tensor\n" + "".join(f"    {x}\n" for x in give) +
            ".stream vector\n" + "".join(f"    {x}\n" for x in take))
    # 256 MB do not suffice; with more there is another end to it.
    bad.reject("tokens nobody takes", ["run", "k.sys"], "E0891", status=5, files={"k.sys": text})


def memory():
    big = "kernel k[N](x: f32[N]) -> (y: f32[N]) { y = x }"
    bad.reject("arrays of 4 GiB", ["run", "k.tk", "-D", f"N={2 ** 30}"], "E0901", status=5, files={"k.tk": big})
    bad.reject("check of 4 GiB", ["check", "k.tk", "-D", f"N={2 ** 30}"], "E0901", status=5, files={"k.tk": big})
    bad.accept("only compiled", ["build", "k.tk", "-D", f"N={2 ** 30}", "--emit=asm"], files={"k.tk": big})
    tile = bad.make(["build", "m.tk", "-D", "M=5,K=6,N=7", "--target=tiny", "--emit=tile"],
                    files={"m.tk": example("matmul")}).decode()
    start = tile.index("sbuf %")
    shape = tile[tile.index("[", start):tile.index("]", start) + 1]
    for n in (2 ** 20, 2 ** 40, 2 ** 60, 2 ** 63 - 1):
        parts = shape[1:].split(",")[0]
        text = tile[:start] + tile[start:].replace(shape, f"[{parts}, {n}]", 1)
        for args in (["build", "t.tile"], ["run", "t.tile"], ["run", "t.tile", "--engine=tile"]):
            got, out, err, new = bad.run(args + (["-o", "out"] if args[0] == "build" else []), {"t.tile": text}, None)
            if got not in (1, 5) or "[E" not in err or new:
                bad.fail(f"buffer of {n}, {args}", f"exit status {got}, {new}", err)
            else:
                bad.passed += 1


def foreign_texts():
    """The texts of an object are its author's: they may say anything."""
    text = bad.make(["build", "m.tk", "-D", "M=5,K=6,N=7", "--target=tiny", "--emit=asm"],
                    files={"m.tk": example("matmul")}).decode()
    at = text.index(".tile_ir")
    larger = text[:at] + text[at:].replace('input @a: bf16[5, 6]', 'input @a: bf16[500, 600]', 1)
    assert larger != text
    bad.reject("larger input in the tile IR", ["run", "k.sys", "--engine=tile"], "E0014", files={"k.sys": larger})
    bad.reject("larger input, check", ["check", "k.sys"], "E0014", files={"k.sys": larger})
    start, end = text.index(".tensor_ir"), at
    for old, new in (("bf16[5, 6]", "f32[5, 6]"), ("a: bf16[5, 6]", "z: bf16[5, 6]"), ("input b", "temp b"),
                     ("output c", "temp c")):
        changed = text[:start] + text[start:end].replace(old, new).replace("a[i0", new[0] + "[i0") + text[end:]
        got, out, err, _ = bad.run(["run", "k.sys", "--engine=tensor"], {"k.sys": changed}, None)
        if got != 1 or "[E0" not in err:
            bad.fail(f"tensor IR with {new}", f"exit status {got}", err)
        else:
            bad.passed += 1


loops()
kernels()
if not IS_ASAN:
    tokens()
    memory()
foreign_texts()
bad.end()
