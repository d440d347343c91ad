#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs.py SYSTOLE FILE...: compiles and runs, at the level of tensor IR, every kernel in
the code blocks of the given pages. A block is a program if a line of it begins
with 'kernel' and it has statements; every dim is 4, and so are at most the integers that it reads. Blocks that show commands or forms
are counted, and must be few."""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np


def blocks(text):
    """The indented blocks, without their indentation."""
    out, block = [], []
    for line in text.split("\n") + ["end"]:
        if line.startswith("    "):
            block.append(line[4:])
        elif not line and block:
            block.append("")
        elif block:
            out.append("\n".join(block).strip() + "\n")
            block = []
    return out


def integers(text, kernel, tmp):
    """--in for parameters that may be subscripts."""
    out = []
    inputs = re.search(rf"^kernel {kernel}\b.*?\((.*?)\)\s*->", text, re.M | re.S).group(1)
    for name, extents in re.findall(r"(\w+): i32(\[[^]]*\])?", inputs):
        shape = eval(re.sub(r"[A-Z]\w*", "4", extents or "[]").replace("/", "//"))
        np.save(f"{tmp}/{name}.npy", np.arange(np.prod(shape, dtype=int), dtype=np.int32).reshape(shape) % 4)
        out += ["--in", f"{name}={tmp}/{name}.npy"]
    return out


def run(systole, path, kernel, dims):
    cmd = [systole, "run", path, "--kernel", kernel, "--engine=tensor"]
    cmd += integers(open(path).read(), kernel, os.path.dirname(path))
    p = subprocess.run(cmd + (["-D", ",".join(f"{d}=4" for d in dims)] if dims else []), capture_output=True, text=True)
    if p.returncode:
        sys.exit(f"{kernel}: status {p.returncode}\n{p.stderr}{open(path).read()}")


ran, others = 0, []
systole = sys.argv[1]
for page in sys.argv[2:]:
    for text in blocks(open(page).read()):
        kernels = re.findall(r"^kernel (\w+)(?:\[([^]]*)\])?\(", text, re.M)
        if not kernels or "STATEMENTS" in text:
            others.append(text)
            continue
        with tempfile.TemporaryDirectory() as tmp:
            with open(f"{tmp}/example.tk", "w") as f:
                f.write(text)
            for name, dims in kernels:
                run(systole, f.name, name, [d.strip() for d in dims.split(",")] if dims else [])
                ran += 1
for text in others:
    if not re.match(r"(\$ |kernel NAME|fn NAME|\w+:)", text):
        sys.exit("neither a program, nor a command, nor a form:\n" + text)
print(f"{ran} examples run")
