# SPDX-License-Identifier: Apache-2.0
"""Runs a few instructions of one engine on bytes of our choice, through the
command: inputs go to SBUF by transfers, what is asked for comes back. Oracles
of the instruction tests import this; nothing here knows what they mean."""
import os
import subprocess
import sys
import tempfile

import numpy as np

BF16 = "bf16"


def f32(*values):
    return np.array(values, np.float32)


def rows(parts, *values):
    """The same row in every partition."""
    return np.tile(np.asarray(values), (parts, 1))


def bf16_round(x):
    """float32 to the nearest bfloat16, ties to even, as float32."""
    u = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000
    return u.astype(np.uint32).view(np.float32)


def to_bytes(x):
    """[parts, n] of any NumPy type as [parts, bytes]."""
    x = np.ascontiguousarray(x)
    return x.reshape(x.shape[0], -1).view(np.uint8)


class Machine:
    """One program: put, do, get, then run."""

    def __init__(self, engine="vector", target="tiny"):
        self.engine, self.target = engine, target
        self.inputs, self.code, self.outputs = [], [], []

    def put(self, address, array, part=0, mem="sbuf"):
        self.inputs.append((address, to_bytes(array), part, mem))
        return self

    def do(self, *lines):
        self.code += lines
        return self

    def get(self, address, dtype, parts, n, part=0):
        self.outputs.append((address, np.dtype(dtype), parts, n, part))
        return self

    def text(self):
        t, sems, n_in = [], [], len(self.inputs)
        for i, (_, b, _, _) in enumerate(self.inputs):
            t.append(f'.tensor input u8 [{b.shape[0]},{b.shape[1]}] "i{i}"')
        for i, (_, d, parts, n, _) in enumerate(self.outputs):
            t.append(f'.tensor output u8 [{parts},{n * d.itemsize}] "o{i}"')
        e = self.engine
        sems = [f".sem q1 {e} 0", f".sem {e} sync 0", ".sem q2 sync 0"]
        loads, stores = [], []
        for i, (addr, b, part, _) in enumerate(self.inputs):
            w = b.shape[1]
            loads.append(f"dma queue=1 dst=sbuf[{part},{addr:#x}]u8{{(1,{w})}} "
                         f"a=hbm[{i},0x0,{w}]u8{{(1,{w})}} parts={b.shape[0]} "
                         "post s0:1@complete")
        for i, (addr, d, parts, n, part) in enumerate(self.outputs):
            w = n * d.itemsize
            wait = " wait s1:1" if i == 0 else ""
            stores.append(f"dma queue=2 dst=hbm[{n_in + i},0x0,{w}]u8{{(1,{w})}} "
                          f"a=sbuf[{part},{addr:#x}]u8{{(1,{w})}} parts={parts}{wait} "
                          "post s2:1@complete")
        wait = f"mark wait s0:{n_in}" if n_in else "mark"
        done = f"mark wait s2:{len(stores)}" if stores else "mark"
        streams = {"sync": loads + stores + [done],
                   e: [wait] + self.code + (["mark post s1:1@complete"] if stores else [])}
        lines = [f'.target "{self.target}"', '.kernel "k"'] + t + sems
        for name in ("tensor", "vector", "scalar", "gpsimd", "sync"):
            lines += [f".stream {name}"] + ["    " + x for x in streams.get(name, [])] + ["    end"]
        return "\n".join(lines) + "\n"

    def launch(self, directory):
        path = os.path.join(directory, "k.sys")
        with open(path, "w", encoding="ascii") as f:
            f.write(self.text())
        args = [sys.argv[1], "run", path]
        for i, (_, b, _, _) in enumerate(self.inputs):
            name = os.path.join(directory, f"i{i}.npy")
            np.save(name, b)
            args.append(f"--in=i{i}={name}")
        for i in range(len(self.outputs)):
            args.append(f"--out=o{i}={directory}/o{i}.npy")
        return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)

    def run(self):
        """The outputs, each [parts, n] of its type."""
        with tempfile.TemporaryDirectory() as d:
            done = self.launch(d)
            if done.returncode != 0:
                sys.exit(f"{done.stdout.decode()}\n{self.text()}")
            return [np.load(f"{d}/o{i}.npy").view(t)
                    for i, (_, t, _, _, _) in enumerate(self.outputs)]

    def fault(self):
        """What the command says of a program that must be refused."""
        with tempfile.TemporaryDirectory() as d:
            done = self.launch(d)
            if done.returncode == 0:
                sys.exit(f"this program runs:\n{self.text()}")
            return done.stdout.decode()


def bits(x):
    """For comparing floats exactly, with any NaN as the canonical one."""
    x = np.asarray(x)
    if x.dtype != np.float32:
        return x
    return np.where(np.isnan(x), np.uint32(0x7fc00000), x.view(np.uint32))


def expect(what, got, want):
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape or got.dtype != want.dtype or np.any(bits(got) != bits(want)):
        sys.exit(f"{what}:\ngot\n{got!r}\nwant\n{want!r}")


def expect_fault(what, machine, number):
    text = machine.fault()
    if f"E{number:04}" not in text:
        sys.exit(f"{what}: expected E{number:04}\n{text}")


def reduce32(f, start, x):
    """A reduction along the last axis in the machine's order."""
    part = np.full(x.shape[:-1] + (32,), start, x.dtype)
    for e in range(x.shape[-1]):
        part[..., e % 32] = f(part[..., e % 32], x[..., e])
    h = 16
    while h:
        part[..., :h] = f(part[..., :h], part[..., h:2 * h])
        h //= 2
    return part[..., 0]
