#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""texts.py SYSTOLE: IR texts that are rejected, and kernels that are right but that
no compiler can put onto the target. Every number of a text is replaced by absurd
ones."""
import re

from bad import Bad, example

bad = Bad()
SMALL = ["-D", "M=5,K=6,N=7", "--target=tiny"]
FORMS = {kind: bad.make(["build", "m.tk", *SMALL, f"--emit={kind}"], files={"m.tk": example("matmul")}).decode()
         for kind in ("tensor", "tile", "asm")}


def text(name, kind, code, old, new, status=1):
    assert old in FORMS[kind], (name, old)
    bad.reject(name, ["build", "k." + kind], code, status=status, files={"k." + kind: FORMS[kind].replace(old, new, 1)})


def tensor():
    text("syntax", "tensor", "E0600", "tensor_ir @matmul {", "tensor_ir @matmul (")
    text("type", "tensor", "E0605", "bf16", "bf17")
    text("number", "tensor", "E0602", "[5, ", "[99999999999999999999, ")
    text("unknown", "tensor", "E0603", "a[i0", "q[i0")
    text("function", "tensor", "E0604", "mul(", "mull(")
    text("outside", "tensor", "E0626", "a[i0", "a[i0 + 1")
    text("extent", "tensor", "E0618", "c[i0:5", "c[i0:6")
    text("never defined", "tensor", "E0617", "  c[i0", "  temp t: f32[5, 7]\n  t[i0")
    text("twice", "tensor", "E0610", "input b", "input a")
    text("2^60", "tensor", "E0612+", "[5, ", f"[{2 ** 60}, ")
    nest = "neg(" * 300 + "a[i0, r0]" + ")" * 300
    text("nesting", "tensor", "E0601", "a[i0, r0]", nest)
    text("10^6 brackets", "tensor", "E0601", "a[i0, r0]", "neg(" * 10 ** 6)
    bad.reject("long name", ["build", "k.tir"], "E0600+", files={"k.tir": "tensor_ir @" + "n" * 10 ** 6})


def tile():
    text("syntax", "tile", "E0650", "tile_ir @matmul ", "tile_ir @matmul , ")
    text("number", "tile", "E0651", "[5, ", "[99999999999999999999, ")
    text("name", "tile", "E0652", "= @a[", "= @q[")
    text("twice", "tile", "E0653", "input @b", "input @a")
    text("target", "tile", "E0008", '"tiny"', '"vax"')
    text("outside", "tile", "E0661", "= @a[0;", "= @a[100;")
    bad.reject("nesting", ["build", "k.tile"], "E0654", files={
        "k.tile": 'tile_ir @k target "tiny" {\n' + "".join(f"for i{i} < 2 {{\n" for i in range(1, 300)) + "}" * 299 + "}\n"})
    bad.reject("10^5 loops", ["build", "k.tile"], "E0654", files={
        "k.tile": 'tile_ir @k target "tiny" {\n' + "for i1 < 2 {\n" * 100000})


def numbers():
    """Any outcome but a crash, a hang, silence or a file left behind."""
    for kind, form in FORMS.items():
        body = form.index(".tensor") if kind == "asm" else 0
        places = [m for m in re.finditer(r"(?<![\w.])\d+|0x[0-9a-f]+", form) if m.start() > body]
        for i, m in enumerate(places):
            value = ["1152921504606846976", "4294967296", "9223372036854775807", "65536"][i % 4]
            changed = form[:m.start()] + value + form[m.end():]
            out = ["-o", "out"] if i % 2 else []
            args = (["build", "k.x"] if out else ["run", "k.x"]) + out
            got, stdout, err, new = bad.run(args, {"k.x": changed}, None)
            if got == 0 or (got in (1, 4, 5) and "[E" in err and not new and not stdout):
                bad.passed += 1
            else:
                bad.fail(f"{kind}, number {i} is {value}, {args[0]}", f"exit status {got}, {new}", err)


def beyond_the_target():
    bad.reject("a padded copy too many", ["build", "c.tk", "-D", "N=1,C=3500,H=1000,W=1000,F=1"], "E0451",
               files={"c.tk": example("conv2d")})
    n = 60
    many = ("kernel k[N](" + ", ".join(f"x{i}: f32[N]" for i in range(n)) + ") -> (y: f32[N]) {\n  y[i] = " +
            " * ".join(f"(x{i}[i] + x{(i * 7 + 3) % n}[i])" for i in range(n)) + "\n}\n")
    bad.reject("60 inputs at once", ["build", "k.tk", "-D", "N=1000", "--target=tiny"], "E0450", files={"k.tk": many})
    bad.accept("60 inputs at once", ["build", "k.tk", "-D", "N=1000", "--emit=tile"], files={"k.tk": many})
    bad.reject("12 loops", ["build", "k.tir", "--target=tiny"], "E0452", files={"k.tir": """tensor_ir @k {
  input x: f32[9,5,5,5,5,5,5,9]
  input z: f32[5,5,5,5,5,5,5,5]
  output y: f32[5,5,5,5,5,5,5,5]
  y[i0:5, i1:5, i2:5, i3:5, i4:5, i5:5, i6:5, i7:5] = sum[r0:5,r1:5,r2:5,r3:5]
    mul(x[i7+r0,i0,i2,i1,r3,i6,i5,i4+r1], z[r2,i7,r1,i5,r0,i3,r3,i1])
}
"""})


tensor()
tile()
numbers()
beyond_the_target()
bad.end()
