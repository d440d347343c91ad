# SPDX-License-Identifier: Apache-2.0
# readme.py SYSTOLE ROOT: the IR and the assembly that the README shows are what
# the command prints.
import re
import subprocess
import sys

systole, root = sys.argv[1:]


def blocks(text):
    """The indented blocks, as lists of stripped lines."""
    out = []
    for part in re.split(r"\n(?=\S)", text):
        lines = [l for l in part.split("\n") if l.startswith("    ")]
        if lines:
            out.append([l.strip() for l in lines])
    return out


def printed(level):
    run = subprocess.run(
        [systole, "build", f"{root}/examples/matmul.tk", "-D", "M=100,K=300,N=500", f"--emit={level}"],
        capture_output=True, text=True, check=True)
    return [l.strip() for l in run.stdout.split("\n") if not l.startswith(".loc")]


def contains(whole, part):
    return any(whole[i:i + len(part)] == part for i in range(len(whole)))


shown = blocks(open(f"{root}/README.md").read())
tile = [b for b in shown if any("tensor matmul" in l for l in b)]
asm = [b for b in shown if b[0] == ".stream tensor"]
assert len(tile) == 1 and len(asm) == 1, "the README shows one of each"
for name, block, level in (("tile IR", tile[0], "tile"), ("assembly", asm[0], "asm")):
    if not contains(printed(level), block):
        sys.exit(f"the README's {name} is not what 'systole build --emit={level}' prints:\n" + "\n".join(printed(level)))
print("the README shows what is printed")
