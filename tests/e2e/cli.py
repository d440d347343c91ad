#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""cli.py SYSTOLE EXAMPLES: exit statuses, JSON, standard input and output, and
that nothing is left behind when something goes wrong."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

SYSTOLE, EXAMPLES = sys.argv[1:3]
MATMUL = f"{EXAMPLES}/matmul.tk"


def systole(*args, stdin=None, **env):
    done = subprocess.run([SYSTOLE] + list(args), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, **env))
    return done.returncode, done.stdout, done.stderr.decode()


def expect(status, *args, code=None, says=None, stdin=None):
    got, out, err = systole(*args, stdin=stdin)
    assert got == status, (args, got, err)
    if code:
        assert f"[{code}]" in err, (args, err)
    if says:
        assert says in err, (args, err)
    return out, err


def usage():
    small = ["-D", "M=2,K=2,N=2"]
    expect(2, says="usage")
    expect(0, "--help")
    expect(0, "build", "--help")
    out, _ = expect(0, "--version")
    assert out.startswith(b"systole 0.")
    expect(2, "biuld", says="did you mean 'build'")
    for planned in ("profile", "import"):
        expect(2, planned, "x", says="not part of this version")
    expect(2, "build", says="which file")
    expect(2, "build", MATMUL, "--nonsense")
    expect(2, "build", MATMUL, "extra", says="one input at a time")
    expect(2, "build", MATMUL, "-D", "M", says="NAME=NUMBER")
    expect(2, "build", MATMUL, "-D", "M=1x", says="NAME=NUMBER")
    expect(2, "build", MATMUL, "-O4", *small)
    expect(2, "build", MATMUL, "--emit=elf", *small, says="one of")
    expect(2, "run", MATMUL, "--in", "a.npy", says="NAME=FILE")
    expect(2, "run", MATMUL, "--seed", "x", says="whole number")
    expect(2, "run", MATMUL, "--engine=jit", *small, says="plugin")
    expect(2, "build", MATMUL, "--json", "-o", "-", *small)
    expect(2, "run", MATMUL, "--json", "--out", "c=-", *small)
    expect(0, "build", MATMUL, "-o", "/dev/null", "-D", "M=2", "-DK=2", "--dim", "N=2", "--opt=3")


def missing_files(d):
    expect(74, "build", f"{d}/none.tk", says="none.tk")
    expect(74, "build", d, says="directory")
    expect(74, "run", MATMUL, "--in", f"a={d}/none.npy", says="none.npy")
    expect(74, "build", MATMUL, "-D", "M=2,K=2,N=2", "-o", f"{d}/none/x.syo", says="none/x.syo")
    expect(74, "disasm", f"{d}/none.syo")
    assert os.listdir(d) == []


def rejected_inputs(d):
    def rejected(code, *args):
        out, err = expect(1, *args, "-o", f"{d}/out", code=code)
        assert out == b""

    def write(name, data):
        with open(f"{d}/{name}", "wb") as f:
            f.write(data)
        return f"{d}/{name}"

    two = write("two.tk", b"kernel a[N](x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }\n"
                          b"kernel b[N](x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }\n")
    rejected("E0002", "build", write("empty.tk", b""))
    rejected("E0002", "build", write("blank.tk", b" \n# nothing\n"))
    rejected("E0003", "build", write("binary", bytes(range(1, 200))))
    rejected("E0005", "build", write("fn.tk", b"fn f(x: f32) -> (y: f32) { y = x }\n"))
    rejected("E0006", "build", two)
    rejected("E0007", "build", two, "--kernel", "c")
    rejected("E0008", "build", two, "--kernel", "a", "-D", "N=3", "--target", "trn9")
    rejected("E0009", "build", two, "--kernel", "a", "-D", "N=3", "--stop-after", "lunch")
    rejected("E0900", "build", two, "--kernel", "a", "-D", f"N={2 ** 36}")
    for n in (2 ** 60, 2 ** 61, 2 ** 63 - 1):
        out, err = expect(1, "build", two, "--kernel", "a", "-D", f"N={n}", "-o", f"{d}/out")
        assert "error:" in err
    expect(0, "build", two, "--kernel", "b", "-D", "N=3", "-o", f"{d}/b.syo")
    rejected("E0010", "build", f"{d}/b.syo", "-D", "N=3")
    rejected("E0011", "build", f"{d}/b.syo", "--target", "tiny")
    rejected("E0003", "disasm", two)
    rejected("E0013", "build", two, "--kernel", "a", "-D", "N=3", "--stop-after=tile", "--emit=obj")
    expect(0, "build", two, "--kernel", "a", "-D", "N=3", "--emit=tile", "-o", f"{d}/a.tile")
    with open(f"{d}/a.tile") as f:
        tile = f.read().partition("tensor_ir")[0]
    with open(f"{d}/a.tile", "w") as f:
        f.write(tile)
    rejected("E0012", "build", f"{d}/a.tile", "--emit=tensor")
    expect(0, "check", f"{d}/a.tile", code="W0902")
    expect(1, "run", f"{d}/a.tile", "--engine=tensor", code="E0012")
    assert not os.path.exists(f"{d}/out")
    assert not [f for f in os.listdir(d) if "tmp" in f]


def wrong_arrays(d):
    np.save(f"{d}/a.npy", np.ones((2, 3), np.float32))
    np.save(f"{d}/b.npy", np.ones((3, 2), np.float32))
    a, b, c = f"a={d}/a.npy", f"b={d}/b.npy", f"c={d}/c.npy"
    ok = ["--in", a, "--in", b]
    expect(1, "run", MATMUL, "--in", a, "--in", a, "--in", b, code="E0710")
    expect(1, "run", MATMUL, *ok, "--out", f"z={d}/c.npy", code="E0711")
    expect(1, "run", MATMUL, "--in", a, "--in", f"b={d}/a.npy", "--out", c)
    expect(1, "run", MATMUL, *ok, "--in", f"q={d}/a.npy", "--out", c)
    expect(0, "build", MATMUL, "-D", "M=2,K=3,N=2", "-o", f"{d}/m.syo")
    expect(1, "run", f"{d}/m.syo", "--in", f"a={d}/b.npy", "--in", b, "--out", c, code="E0709")
    expect(1, "run", f"{d}/m.syo", "--in", f"z={d}/b.npy", "--out", c, code="E0700")
    expect(5, "run", MATMUL, *ok, "--out", c, "--limit-instructions=1")
    expect(1, "run", MATMUL, "--in", a, "--out", c)  # nothing determines N
    assert not os.path.exists(f"{d}/c.npy")
    expect(0, "run", MATMUL, *ok, "--out", c)
    assert (np.load(f"{d}/c.npy") == 3).all()
    # Two outputs, the second of which cannot be written: neither appears.
    digits = f"{EXAMPLES}/digits/digits.tk"
    expect(74, "run", digits, "-D", "N=3", "--out", f"scores={d}/s.npy", "--out", f"label={d}/none/l.npy")
    assert not os.path.exists(f"{d}/s.npy")
    assert not [f for f in os.listdir(d) if "tmp" in f], os.listdir(d)


def streams(d):
    with open(MATMUL, "rb") as f:
        source = f.read()
    small = ["-D", "M=2,K=3,N=2"]
    object_, _ = expect(0, "build", "-", *small, "-o", "-", stdin=source)
    assert object_[:4] == b"\x7fELF"
    text, _ = expect(0, "disasm", "-", stdin=object_)
    back, _ = expect(0, "asm", "-", "-o", "-", stdin=text)
    assert back == object_
    np.save(f"{d}/a.npy", np.eye(2, 3, dtype=np.float32))
    with open(f"{d}/a.npy", "rb") as f:
        array = f.read()
    out, _ = expect(0, "run", MATMUL, "--in=a=-", "-DN=2", "--seed", "3", "--out=c=-", stdin=array)
    assert out[:6] == b"\x93NUMPY"
    out, _ = expect(0, "run", MATMUL, *small, "--seed", "3")
    assert out.startswith(b"c: f32[2, 2] = ")
    again, _ = expect(0, "run", MATMUL, *small, "--seed=3", "--engine", "tile")
    assert again == out
    other, _ = expect(0, "run", MATMUL, *small, "--seed=4")
    assert other != out
    out, _ = expect(0, "build", MATMUL, *small, "--print-after=tile")
    assert b"tile_ir @matmul" in out
    passes, _ = expect(0, "build", "--list-passes")
    for name in passes.decode().split():
        out, _ = expect(0, "build", MATMUL, *small, f"--stop-after={name}", "--verify-each")
        assert out.startswith((b"tensor_ir", b"tile_ir")), (name, out[:40])


def where_objects_go(d):
    """Without -o: beside nothing that is there already as input."""
    with open(MATMUL, "rb") as f:
        source = f.read()
    small = ["-D", "M=2,K=3,N=2"]
    back = os.getcwd()
    os.chdir(d)
    try:
        object_, _ = expect(0, "build", "-", *small, stdin=source)
        assert object_[:4] == b"\x7fELF"
        text, _ = expect(0, "disasm", "-", stdin=object_)
        assert expect(0, "asm", "-", stdin=text)[0] == object_
        expect(2, "build", "-", *small, "--json", stdin=source)
        assert os.listdir(d) == []
        expect(0, "build", MATMUL, *small)
        expect(2, "build", "matmul.syo", says="-o")
        expect(2, "build", f"{d}/matmul.syo", says="-o")
        with open("x.syo", "wb") as f:
            f.write(text)
        expect(2, "asm", "x.syo", says="-o")
        with open("x.syo", "rb") as f:
            assert f.read() == text
        expect(0, "build", "matmul.syo", "-o", "matmul.syo")
        with open("matmul.syo", "rb") as f:
            assert f.read()[:4] == b"\x7fELF"
        assert sorted(os.listdir(d)) == ["matmul.syo", "x.syo"]
    finally:
        os.chdir(back)


def optimisation_levels():
    """As --help says: 0 does not inline, the others are the same."""
    source = b"kernel k[N](x: f32[N]) -> (y: f32[N]) {\n  t[i] = x[i] + 1.0\n  y[i] = t[i] * 2.0\n}\n"
    level = [expect(0, "build", "-", "-DN=5", f"-O{k}", "--emit=tile", stdin=source)[0] for k in range(4)]
    assert level[0] != level[1] and level[1] == level[2] == level[3]
    out, _ = expect(0, "build", "--help")
    assert b"0: no inlining; 1, 2, 3: the same today" in b" ".join(out.split())


def tile_text_stops_where_it_is(d):
    """Passes above the tile level have nothing to do for tile IR, but are points
    to stop and to print at."""
    tile, _ = expect(0, "build", MATMUL, "-D", "M=2,K=3,N=2", "--stop-after=tile")
    for name in ("pad", "inline", "contract", "tile"):
        out, _ = expect(0, "build", "-", f"--stop-after={name}", "--verify-each", stdin=tile)
        assert out == tile, name
        out, _ = expect(0, "build", "-", f"--print-after={name}", stdin=tile)
        head = f"# after {name}\n".encode()
        assert out.startswith(head) and tile.startswith(out[len(head):]) and len(out) > 99, (name, out)
    out, _ = expect(0, "build", "-", "--stop-after=place", stdin=tile)
    assert out != tile
    out, _ = expect(0, "build", "-", "--print-after=all", stdin=tile)
    assert [x for x in out.split(b"\n") if x.startswith(b"# after")] == [b"# after place", b"# after sync"]


def as_json(status, *args):
    got, out, err = systole(*args, "--json")
    assert got == status, (args, got, err)
    assert err == "", (args, err)
    result = json.loads(out)
    assert result["status"] == status and result["command"] == args[0]
    return result


def programs(d):
    small = ["-D", "M=2,K=3,N=2"]
    assert "trn2" in as_json(0, "targets")["targets"]
    assert as_json(0, "targets", "tiny")["text"]
    as_json(1, "targets", "vax")
    assert "as many" not in as_json(0, "explain", "E0002")["text"]
    as_json(1, "explain", "E9999")
    as_json(1, "explain", "pancake")
    assert "matmul" in as_json(0, "build", MATMUL, *small, "--emit=asm")["text"]
    r = as_json(0, "build", MATMUL, *small, "-o", f"{d}/m.syo")
    assert r["bytes"] == os.path.getsize(f"{d}/m.syo") and r["output"] == f"{d}/m.syo"
    assert as_json(0, "disasm", f"{d}/m.syo")["text"].startswith(".")
    assert as_json(0, "build", "--list-passes")["passes"]
    r = as_json(0, "run", f"{d}/m.syo", "--out", f"c={d}/c.npy")
    assert r["outputs"] == [{"name": "c", "dtype": "f32", "shape": [2, 2]}]
    rows = as_json(0, "check", f"{EXAMPLES}/attention.tk", "-D", "B=1,H=1,S=3,D=2")["rows"]
    assert {x["kernel"] for x in rows} == {"attention", "attention_causal"}
    assert all(x["ok"] for x in rows) and {"reference", "tile", "orders"} <= {x["against"] for x in rows}
    np.save(f"{d}/wrong.npy", np.full((2, 2), 7, np.float32))
    rows = as_json(3, "check", MATMUL, *small, "--claim", f"c={d}/wrong.npy")["rows"]
    bad = [x for x in rows if not x["ok"]]
    assert len(bad) == 1 and bad[0]["against"] == "claim" and bad[0]["got"] == 7 and bad[0]["index"] == [0, 0]
    with open(f"{d}/bad.tk", "w") as f:
        f.write("kernel k[N](x: f32[N]) -> (y: f32[N]) {\n  y[i] = nope[i]\n}\n")
    r = as_json(1, "build", f"{d}/bad.tk", "-D", "N=3")
    e = r["diagnostics"][0]
    assert e["line"] == 2 and e["file"].endswith("bad.tk") and e["severity"] == "error" and e["code"] > 0
    r = as_json(2, "build", MATMUL, "-D", "M")
    assert "NAME=NUMBER" in r["errors"][0]
    assert "whole number" in as_json(2, "run", MATMUL, "--seed", "x")["errors"][0]
    for option in ("--nonsense", "--kernel"):
        got, out, err = systole("build", MATMUL, "--json", option)
        result = json.loads(out)
        assert got == result["status"] == 2 and result["errors"] and option in err, (out, err)
    got, out, _ = systole("build", "--json", "--help")
    assert got == 0 and b"--emit" in out
    expect(2, "build", "--kernel", "--json", says="which file")
    r = as_json(74, "build", f"{d}/none.tk")
    assert "none.tk" in r["errors"][0]
    with open(f"{d}/x.npy", "wb") as f:
        f.write(b"nonsense")
    assert as_json(1, "run", MATMUL, "--in", f"a={d}/x.npy")["diagnostics"][0]["code"] == 703


def check_failures(d):
    np.save(f"{d}/wrong.npy", np.zeros((2, 2), np.float32))
    out, _ = expect(3, "check", MATMUL, "-D", "M=2,K=3,N=2", "--claim", f"c={d}/wrong.npy")
    text = out.decode()
    assert "FAILED matmul.c" in text and "[0, 0]" in text and "matmul.tk:4" in text, text


def signals(d):
    for sig, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        p = subprocess.Popen([SYSTOLE, "run", MATMUL, "-D", "M=3000,K=3000,N=3000", "--out", f"c={d}/c.npy"],
                             stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        p.send_signal(sig)
        assert p.wait() == status, p.returncode
    assert os.listdir(d) == []


def main():
    usage()
    optimisation_levels()
    for part in (missing_files, rejected_inputs, wrong_arrays, streams, where_objects_go,
                 tile_text_stops_where_it_is, programs, check_failures, signals):
        with tempfile.TemporaryDirectory() as d:
            part(d)


main()
