#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage.py SYSTOLE: wrong options (2), files that cannot be read or written (74),
standard input and output in odd states, signals. What tests/e2e/cli.py has is not
repeated."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

from bad import IS_ASAN, SYSTOLE, Bad, example

bad = Bad()
MATMUL = {"m.tk": example("matmul")}
DIMS = ["-D", "M=2,K=3,N=4"]


def usage(name, *args, says=None):
    bad.reject(name, args, "", status=2, files=MATMUL, says=says)


def options():
    run = ["run", "m.tk"] + DIMS
    build = ["build", "m.tk"] + DIMS + ["--emit=tile"]
    for name, args in {
            "order": [*run, "--order=x"], "orders": ["check", "m.tk", *DIMS, "--orders=-1"],
            "orders too many": ["check", "m.tk", *DIMS, f"--orders={2 ** 32}"],
            "seed": [*run, "--seed=0x"], "seed range": [*run, f"--seed={2 ** 64}"],
            "limit": [*run, "--limit-instructions=1e9"], "engine": [*run, "--engine=fast"],
            "in": [*run, "--in", "=a.npy"], "in without file": [*run, "--in", "a="], "out": [*run, "--out", "c"],
            "claim": ["check", "m.tk", *DIMS, "--claim", "c"], "in of build": [*build, "--in", "a=a.npy"],
            "out of check": ["check", "m.tk", *DIMS, "--out", "c=c.npy"], "o of run": [*run, "-o", "x"],
            "claim of run": [*run, "--claim", "c=x"], "emit": [*build[:-1], "--emit="], "emit kind": [*build[:-1], "--emit=llvm"],
            "dims empty": ["build", "m.tk", "--emit=tile", "-D", "=3"],
            "dims value": ["build", "m.tk", "--emit=tile", "-D", "M="], "level": [*build, "-Ox"], "level range": [*build, "-O12"],
            "no value": [*build, "--target"], "unknown": [*build, "--fast"], "short": [*build, "-q"],
            "two files": ["build", "m.tk", "m.tk", "--emit=tile"], "no file": ["check"], "asm of nothing": ["asm"],
            "target two": ["targets", "a", "b"], "empty command": [""], "dash": ["-x"]}.items():
        usage(name, *args)


def unreadable():
    for args in (["build", "none.tk"], ["run", "none.tk"], ["check", "none.tk"], ["asm", "none.sys"], ["disasm", "none.syo"],
                 ["build", "."], ["run", "/"], ["build", "m.tk/x"], ["build", ""], ["build", "n" * 300], ["build", "n/" * 3000],
                 ["run", "m.tk", "--in", "a=none.npy"], ["run", "m.tk", "--in", "a=."], ["check", "m.tk", "--in", "a=/proc/self/mem"],
                 ["build", "/proc/self/mem"]):
        bad.reject(f"unreadable: {args[:4]}"[:60], args + ([] if args[0] in ("asm", "disasm", "build") else DIMS), "", status=74,
                   files=MATMUL)


def unwritable():
    for path in ("/dev/full", "/proc/systole-out", "none/out", ".", "m.tk/out", "/", "n" * 300):
        bad.reject(f"build to {path}"[:40], ["build", "m.tk", *DIMS, "-o", path], "", status=74, files=MATMUL)
        bad.reject(f"run to {path}"[:40], ["run", "m.tk", *DIMS, "--out", f"c={path}"], "", status=74, files=MATMUL)
    # Of two outputs the one that can be written does not appear, either.
    two = {"k.tk": "kernel k(x: f32[3]) -> (y: f32[3], z: f32[3]) { y = x; z = x }"}
    for outs in (["--out", "y=y.npy", "--out", "z=none/z.npy"], ["--out", "z=/proc/z", "--out", "y=y.npy"],
                 ["--out", "y=y.npy", "--out", "z=/dev/full"]):
        bad.reject(f"two outputs {outs}", ["run", "k.tk", *outs], "", status=74, files=two)


def in_shell(name, want, line, **more):
    """A line of shell with the command as $S, in a directory with m.tk."""
    d = tempfile.mkdtemp()
    try:
        with open(f"{d}/m.tk", "w") as f:
            f.write(MATMUL["m.tk"])
        done = subprocess.run(["/bin/sh", "-c", line], cwd=d, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, S=SYSTOLE, D="-DM=2,K=3,N=4"), timeout=120)
        left = sorted(set(os.listdir(d)) - {"m.tk"})
        if done.returncode != want or left != more.get("leaves", []):
            bad.fail(name, f"exit status {done.returncode}, expected {want}; {left}", done.stderr.decode(errors="replace"))
        else:
            bad.passed += 1
    finally:
        shutil.rmtree(d)


def streams():
    in_shell("stdout full, object", 74, '"$S" build m.tk $D -o - > /dev/full')
    in_shell("stdout full, text", 74, '"$S" build m.tk $D --emit=asm > /dev/full')
    in_shell("stdout full, dump", 74, '"$S" build m.tk $D --print-after=all > /dev/full')
    in_shell("stdout full, run", 74, '"$S" run m.tk $D > /dev/full')
    in_shell("stdout full, array", 74, '"$S" run m.tk $D --out c=- > /dev/full')
    in_shell("stdout full, check", 74, '"$S" check m.tk $D > /dev/full')
    in_shell("stdout full, json", 74, '"$S" check m.tk $D --json > /dev/full')
    in_shell("stdout full, targets", 74, '"$S" targets > /dev/full')
    in_shell("stdout closed, object", 74, '"$S" build m.tk $D -o - >&-')
    in_shell("stdout closed, check", 74, '"$S" check m.tk $D >&-')
    in_shell("stdout closed, run", 74, '"$S" run m.tk $D --out c=- >&-')
    in_shell("stdout closed, file", 0, '"$S" build m.tk $D -o out.syo >&-', leaves=["out.syo"])
    in_shell("stderr closed", 1, '"$S" build m.tk 2>&-')
    in_shell("stdin closed", 74, '"$S" build - $D <&-')
    in_shell("stdin empty", 1, '"$S" build - $D < /dev/null')
    in_shell("all closed", 0, '"$S" build m.tk $D -o out.syo <&- >&- 2>&-', leaves=["out.syo"])
    in_shell("pipe", 0, '"$S" build m.tk $D -o - | "$S" disasm - | "$S" asm - -o - | "$S" run - > /dev/null')
    in_shell("to a device", 0, '"$S" run m.tk $D --out c=/dev/null')
    in_shell("over its own input", 0, '"$S" build m.tk $D -o m.tk && "$S" run m.tk > /dev/null')
    in_shell("kept when it fails", 1, 'echo old > out; "$S" build m.tk -o out; s=$?; test "$(cat out)" = old && exit $s',
             leaves=["out"])
    in_shell("through a link", 0, 'echo old > real; ln -s real out; "$S" build m.tk $D -o out && test -L out && "$S" run real > /dev/null',
             leaves=["out", "real"])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def signals():
    """Once it has used some processor time it is in the middle of things."""
    for sig, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        for args in (["run", "m.tk", "-D", "M=4000,K=4000,N=4000", "--out", "c=c.npy"],
                     ["check", "m.tk", "-D", "M=1500,K=1500,N=1500"]):
            d = tempfile.mkdtemp()
            try:
                with open(f"{d}/m.tk", "w") as f:
                    f.write(MATMUL["m.tk"])
                p = subprocess.Popen([SYSTOLE] + args, cwd=d, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                end = time.time() + 60
                while cpu_seconds(p.pid) < 0.2 and p.poll() is None and time.time() < end:
                    time.sleep(0.02)
                p.send_signal(sig)
                out = p.communicate(timeout=60)[0]
                if p.returncode != status or os.listdir(d) != ["m.tk"] or out:
                    bad.fail(f"{sig.name} of {args[0]}", f"exit status {p.returncode}, {os.listdir(d)}")
                else:
                    bad.passed += 1
            finally:
                shutil.rmtree(d)


options()
unreadable()
unwritable()
streams()
if not IS_ASAN:
    signals()
bad.end()
