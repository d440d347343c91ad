#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""scale.py SYSTOLE EXAMPLES: objects do not grow with trip counts, compiling
takes no memory for them, and the same input gives the same bytes."""
import os
import resource
import subprocess
import sys
import tempfile

SYSTOLE, EXAMPLES = sys.argv[1:3]


def limit():
    if "/asan/" not in os.path.abspath(SYSTOLE):
        resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))


def size(d, example, dims):
    out = f"{d}/x.syo"
    subprocess.run([SYSTOLE, "build", f"{EXAMPLES}/{example}.tk", "-D", dims, "-o", out], check=True,
                   preexec_fn=limit, timeout=20)
    return os.path.getsize(out)


def main():
    with tempfile.TemporaryDirectory() as d:
        small, large = (size(d, "matmul", f"M={n},K={n},N={n}") for n in (4096, 16384))
        assert large <= 1.1 * small and large <= 128 << 10, (small, large)
        small = size(d, "matmul", "M=1025,K=1023,N=1027")
        large = size(d, "matmul", "M=8193,K=8191,N=8195")
        assert large <= 1.3 * small, (small, large)
        for example, a, b in (
                ("mlp", "B=300,I=300,H=300,O=300", "B=3000,I=2000,H=4000,O=3000"),
                ("softmax", "M=300,N=300", "M=30000,N=300"), ("layernorm", "M=300,N=300", "M=30000,N=300"),
                ("attention", "B=2,H=2,S=300,D=40", "B=20,H=30,S=1000,D=40"),
                ("conv2d", "N=2,C=20,H=30,W=31,F=40", "N=20,C=200,H=130,W=131,F=400"),
                ("maxpool", "N=2,C=2,H=300,W=300", "N=5,C=5,H=3000,W=3000"), ("transpose", "M=300,N=301", "M=30000,N=30100")):
            sizes = [size(d, example, dims) for dims in (a, b)]
            assert sizes[1] <= 2 * sizes[0], (example, sizes)


main()
