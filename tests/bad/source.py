#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""source.py SYSTOLE: .tk files that are rejected, from the command
line. tests/unit/test_frontend.c has every number of the front end with its line;
here are the kinds of mistake, the numbers it cannot reach, and what is absurd
rather than wrong."""
from bad import Bad

bad = Bad()
HEAD = "kernel k[M, N](x: f32[M, N], w: f32[N], n: i32[N]) -> (y: f32[M, N]) {\n"
DIMS = ["-D", "M=3,N=4"]


def body(name, code, text, **more):
    return bad.reject(name, ["build", "k.tk"] + DIMS, code, files={"k.tk": HEAD + text + "\n}\n"}, **more)


def kernel(name, code, text, dims="N=4", **more):
    return bad.reject(name, ["build", "k.tk"] + (["-D", dims] if dims else []), code, files={"k.tk": text},
                      **more)


def mistakes():
    body("syntax", "E0100", "y[i, j] = (x[i, j] * 2", says="k.tk:")
    body("character", "E0101", "y[i, j] = x[i, j] $")
    body("number", "E0107", "y[i, j] = x[i, j] * 12monkeys")
    body("literal", "E0103", "y[i, j] = x[i, j] * 99999999999999999999")
    body("not yet", "E0105", "y = all_reduce(x, tp)")
    body("name", "E0200", "y = x + zz", says="k.tk:2:9")
    body("index", "E0201", "y[i, j] = x[i, l]")
    body("tensor", "E0202", "y[i, j] = z[i, j]")
    body("function", "E0203", "y = sotfmax(x)", says="softmax")
    body("type", "E0204", "y[i, j] = cast(x[i, j], float)")
    body("undefined", "E0208", "t = x")
    body("types", "E0227", "y[i, j] = x[i, j] + n[j]", says="cast")
    body("subscripts", "E0222", "y[i, j] = x[i]")
    body("rank", "E0224", "y = w")
    body("extents", "E0310", "y[i, j] = x[i, j] * w[i]", says="k.tk:2:")
    body("shapes", "E0311", "t[j, i] = x[i, j]\ny = x + t")
    body("inner extents", "E0312", "y = x @ x")
    body("past the end", "E0313", "y[i, j] = x[i, j + 1]")
    body("before the start", "E0313", "y[i, j] = x[i - 1, j]")
    body("range past the end", "E0313", "y[i, j] = sum[r in 0..9] x[i, r]")
    body("empty argmax", "E0316", "t = argmax[i in 3..3] w[i]\ny = x")
    kernel("recursion", "E0214", "fn f(x: f32) -> (y: f32) { y = f(x) }\n"
           "kernel k(x: f32) -> (y: f32) { y = f(x) }", dims=None)


def three_at_once():
    err = body("three mistakes", "E0100 E0200 E0227",
               "t[i] = x[i, \ny[i, j] = x[i, j] + q\nu[j] = n[j] + w[j]")
    for line in (2, 3, 4):
        if err and f"k.tk:{line}:" not in err:
            bad.fail("three mistakes", f"nothing about line {line}", err)
    twenty = "\n".join(f"y[i, j] = x[i, j] + q{i}" for i in range(50))
    err = body("fifty mistakes", "E0200+", twenty)
    if err and err.count("error:") > 25:
        bad.fail("fifty mistakes", "not capped", err)


def dims():
    copy = "kernel k[N](x: f32[N]) -> (y: f32[N]) { y = x }"
    kernel("undetermined", "E0300", copy, dims=None)
    kernel("negative", "E0303", copy, dims="N=-1")
    kernel("no such dim", "E0205", copy, dims="N=1,Q=2")
    kernel("division by zero", "E0304", "kernel k[N](x: f32[N]) -> (y: f32[4/N]) { y = 1 }", dims="N=0")
    kernel("overflow", "E0305", "kernel k[N](x: f32) -> (y: f32[N*N*N]) { y = x }", dims=f"N={2 ** 40}")
    for n in (2 ** 36, 2 ** 38):
        kernel(f"{n} elements", "E0900", copy, dims=f"N={n}")
    for n in (2 ** 40, 2 ** 59, 2 ** 60, 2 ** 62, 2 ** 63 - 1):
        kernel(f"{n} elements", "E0315+", copy, dims=f"N={n}")
    kernel("2^60 in two dims", "E0315+", "kernel k[N](x: f32[N, N]) -> (y: f32[N, N]) { y = x }", dims=f"N={2 ** 30}")
    kernel("2^60 inside", "E0315", "kernel k[N](x: f32[N]) -> (y: f32) {\n"
           "t[i, j, k] = x[i] * x[j] * x[k]\ny = sum[i] t[i, i, i] }", dims=f"N={2 ** 20}")
    bad.reject("not a number", ["build", "k.tk", "-D", "N=x"], "", status=2, files={"k.tk": copy})
    bad.reject("2^64", ["build", "k.tk", "-D", f"N={2 ** 64}"], "", status=2, files={"k.tk": copy})


def files():
    bad.reject("empty", ["build", "k.tk"], "E0002", files={"k.tk": ""})
    bad.reject("comments only", ["build", "k.tk"], "E0002", files={"k.tk": "# a\n\n  # b"})
    bad.reject("zeros", ["build", "k.tk"], "E0003", files={"k.tk": bytes(5000)})
    bad.reject("binary", ["build", "k.tk"], "E0003", files={"k.tk": bytes(range(256)) * 40})
    bad.reject("binary later", ["build", "k.tk"], "E0003", files={"k.tk": b"kernel k" + bytes([128, 255, 1, 0]) * 2000})
    bad.reject("words", ["build", "k.tk"], "E0100+", files={"k.tk": "the quick brown fox\n" * 100})
    bad.reject("no kernel", ["build", "k.tk"], "E0005", files={"k.tk": "fn f(x: f32) -> (y: f32) { y = x }"})
    two = "".join(f"kernel {k}(x: f32) -> (y: f32) {{ y = x }}\n" for k in "ab")
    bad.reject("two kernels", ["build", "k.tk"], "E0006", files={"k.tk": two}, says="'b'")
    bad.reject("no such kernel", ["build", "k.tk", "--kernel", "c"], "E0007", files={"k.tk": two})
    bad.accept("one of two", ["build", "k.tk", "--kernel", "b", "--emit=tile"], files={"k.tk": two})
    bad.accept("named like the file", ["build", "b.tk", "--emit=tile"], files={"b.tk": two})


def deep(name, text):
    """Which number depends on what gives way first; that there is one does not."""
    got, out, err, new = bad.run(["build", "k.tk", "-o", "out"], {"k.tk": text}, None)
    if got != 1 or "[E" not in err or new or out or len(err) > 100000:
        bad.fail(f"absurd {name}", f"exit status {got}, {new}, {len(err)} bytes of messages", err[:500])
    else:
        bad.passed += 1


def absurd():
    for name, e in {"parentheses": "(" * 300 + "x" + ")" * 300, "minus": "-" * 300 + "x",
                    "calls": "exp(" * 300 + "x" + ")" * 300, "sums": "sum[i in 0..2] " * 300 + "x",
                    "opening": "(" * 1000000, "nested": "(" * 500000 + "x" + ")" * 500000}.items():
        kernel(f"deep {name}", "E0102", f"kernel k(x: f32) -> (y: f32) {{ y = {e} }}", dims=None)
    kernel("long chain", "E0108", f"kernel k(x: f32) -> (y: f32) {{ y = {'x + ' * 100000} x }}", dims=None)
    for name, e in {"closing": ")" * 1000000, "brackets": "x" + "[" * 1000000, "pairs": "x" + "[0]" * 300000,
                    "braces": "{" * 1000000, "fills": "x[0]" + " else 1" * 200000, "lines": "x\n" * 500000,
                    "semicolons": ";" * 1000000, "dots": "." * 1000000, "digits": "1" * 1000000,
                    "name": "n" * 1000000, "names": " ".join(f"n{i}" for i in range(100000)),
                    "undefined": " + ".join(f"n{i}" for i in range(900)),
                    "exponent": "1e" + "9" * 1000000, "non-ASCII": "\u00e9" * 500000,
                    "one dim too many": "x[" + "0," * 500000 + "0]",
                    "arguments": "max(" + "x," * 300000 + "x)"}.items():
        deep(name, f"kernel k(x: f32) -> (y: f32) {{ y = {e} }}\n")
    kernel("2^40 copies", "E0318", "fn f0[N](x: f32[N]) -> (y: f32[N]) { y = x + 1 }\n" + "".join(
        f"fn f{i + 1}[N](x: f32[N]) -> (y: f32[N]) {{ y = f{i}(f{i}(x)) }}\n" for i in range(40)) +
        "kernel k(x: f32[3]) -> (y: f32[3]) { y = f40(x) }", dims=None)
    kernel("10^6 statements", "E0109", "kernel k(x: f32) -> (y: f32) {\n" + "t=x\n" * 900000 + "y = x }", dims=None)
    kernel("5 MB", "E0004", "kernel k(x: f32) -> (y: f32) {\n" + "# y = x\n" * 700000 + "y = x }", dims=None)
    many = range(20000)
    deep("dims", "kernel k[" + ",".join(f"N{i}" for i in many) + "](x: f32) -> (y: f32) { y = z }")
    deep("same dim", "kernel k[" + ",".join("N" for i in many) + "](x: f32) -> (y: f32) { y = z }")
    deep("parameters", "kernel k(" + ",".join(f"x{i}: f32" for i in many) + ") -> (y: f32) { y = z }")
    deep("kernels", "".join(f"kernel k{i}(x: f32) -> (y: f32) {{ y = x }}\n" for i in many) + "z")
    deep("same kernel", "".join("kernel k(x: f32) -> (y: f32) { y = x }\n" for i in many))
    deep("statements", "kernel k(x: f32) -> (y: f32) {\n" + "".join(f"t{i} = x + {i}\n" for i in many) + "y = z }")
    deep("chained calls", "fn f0(x: f32) -> (y: f32) { y = z }\n" + "".join(
        f"fn f{i + 1}(x: f32) -> (y: f32) {{ y = f{i}(x) }}\n" for i in range(5000)))
    deep("rank", "kernel k(x: f32[" + "1," * 20000 + "1]) -> (y: f32) { y = x }")
    deep("comments", "kernel k(x: f32) -> (y: f32) {" + "# y = x\n" * 100000 + "z }")


mistakes()
three_at_once()
dims()
files()
absurd()
bad.end()
