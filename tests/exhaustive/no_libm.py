#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""no_libm.py DIRECTORY...: no object below them refers to a function of libm.
tile_bound* and tile_error are left out: they bound the errors of the golden
model and are no part of it."""
import glob
import os
import re
import subprocess
import sys

APART = re.compile(r"tile_(bound\w*|error\w*)\.o$")


def names(*command):
    out = subprocess.run(["nm", *command], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines() if line.strip()}


def main():
    path = subprocess.run(["gcc", "-print-file-name=libm.so.6"], stdout=subprocess.PIPE,
                          text=True, check=True).stdout.strip()
    libm = names("-D", "--defined-only", path)
    if "exp" not in libm or "ldexp" not in libm:
        sys.exit(f"{path} does not define what a libm does")
    objects = [o for d in sys.argv[1:] for o in glob.glob(os.path.join(d, "**", "*.o"), recursive=True)
               if not APART.search(o)]
    if len(objects) < 20:
        sys.exit("too few objects to mean anything")
    found = [f"{o}: {name}" for o in sorted(objects) for name in sorted(names("-u", o) & libm)]
    print("\n".join(found) or f"{len(objects)} objects, none uses libm")
    sys.exit(1 if found else 0)


main()
