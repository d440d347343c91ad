#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""table.py LIB OUT.md: the reference of the library, from the comment line above every
function. Every function must have one, and every line of it is 'what: shapes'."""
import os
import re
import sys

HEAD = """# The library

Functions in scope everywhere, in the language itself: `lib/*.tk`. Leading dimensions written `..` are those along which a function is applied
([language](language.md), "Whole tensors"); arguments without them are shared. Arguments of narrower floats widen. A result given as `inout` is the new
value of that argument, to be assigned in the call: `w = sgd(w, g, lr)`.

Beside these, the functions of `numerics/funcs.def` are built in, such as gelu, silu, softplus, mish, prelu.
"""
FUNCTION = re.compile(r"^fn (\w+)(?:\[[^\]]*\])?\((.*?)\)\s*->", re.M | re.S)


def rows(path):
    """(call, what, shapes) of each function of a file."""
    text = open(path).read()
    if not text.startswith("# SPDX-License-Identifier: "):
        sys.exit(f"{path}: no licence on the first line")
    for m in FUNCTION.finditer(text):
        above = text[:m.start()].rstrip("\n").split("\n")[-1]
        if not above.startswith("# ") or text[m.start() - 1:m.start()] != "\n" or ": " not in above:
            sys.exit(f"{path}: the line above {m[1]} must be '# what it computes: shapes'")
        what, shapes = above[2:].rsplit(": ", 1)
        names = [p.split(":")[0].strip() for p in re.split(r",\s*(?![^\[]*\])", m[2])]
        yield f"{m[1]}({', '.join(names)})", what, shapes


def main():
    lib, out = sys.argv[1:]
    lines = [HEAD]
    for name in sorted(os.listdir(lib)):
        if name.endswith(".tk"):
            lines.append(f"## {name[:-3]}\n\n| function | what | shapes |\n|---|---|---|")
            lines += [f"| `{call}` | {what} | `{shapes}` |" for call, what, shapes in rows(os.path.join(lib, name))]
            lines.append("")
    with open(out, "w") as f:
        f.write("\n".join(lines).rstrip("\n") + "\n")


main()
