#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""teeth.py [--systole COMMAND] [--all] [--seed N] [WORD...]: the bound of `check`
must reject wrong results of every example, from random inputs and contractions
of up to 256 products.

Two ways of being wrong, neither of which the levels below can notice:

* A wrong pass. The tile IR of an example is changed (a product dropped or
  doubled, a row or a tile overwritten, the last tile of a contraction left
  out) and compiled beside the tensor IR that it carries: tile IR and machine
  code agree, only the bound against the reference can tell.
* A wrong result from elsewhere. NumPy computes the example in float64 with one
  term of one of its sums dropped or doubled, for all elements or for a single
  one, or with one row or tile overwritten; `--claim` must reject it, and accept
  the right one, rounded where the kernel rounds or not at all.

Every mutation must be rejected, but for single products of single elements:
they may be smaller than any rounding, or hit an element that a zero hides. Of
those that change the result more than a few roundings would, nine in ten must
be. WORDs choose examples by name. Without --all, fewer seeds and one target
each."""
import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES = {"softmax_rows": "softmax", "layernorm_rows": "layernorm", "attention_causal": "attention",
         "digits": "digits/digits"}
MISMATCH = 3


def source(kernel):
    return os.path.join(ROOT, "examples", FILES.get(kernel, kernel) + ".tk")


def systole(command, arguments):
    return subprocess.run([command] + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# ---- wrong passes -----------------------------------------------------------------------

PASS_DIMS = {
    "matmul": "M=20,K=250,N=19", "mlp": "B=20,I=250,H=250,O=19", "softmax_rows": "M=20,N=250",
    "layernorm_rows": "M=20,N=250", "attention": "B=1,H=2,S=40,D=40", "attention_causal": "B=1,H=2,S=40,D=40",
    "conv2d": "N=2,C=28,H=6,W=7,F=20", "maxpool": "N=2,C=20,H=9,W=10", "transpose": "M=40,N=21",
    "digits": "N=20"}

REF = r"%\w+\[[^\]]*\]"
COUNT = r"min\(\d+, \d+ - [^()]*\)|\d+"


def one_less(count):
    """A count without its last element, or None if that may be none at all."""
    if count.isdigit():
        return str(int(count) - 1) if int(count) > 1 else None
    m = re.match(r"min\((\d+), (\d+) - (.*)\)", count)
    return f"min({m[1]}, {int(m[2]) - 1} - {m[3]})"


def matmuls(lines):
    """Of each matmul: the number of its line, of its ldw's, and the match."""
    for n, line in enumerate(lines):
        m = re.match(rf"( *)tensor matmul \[({COUNT}) -> ({COUNT})\] ({REF}) \+?= ({REF})", line)
        if m:
            ldw = max(i for i in range(n) if "tensor ldw" in lines[i])
            yield n, ldw, m


def drop_products(lines):
    for n, ldw, m in matmuls(lines):
        less = one_less(m[2])
        if less and f"[{m[2]}]" in lines[ldw]:
            out = list(lines)
            out[n] = lines[n].replace(f"[{m[2]} ->", f"[{less} ->", 1)
            out[ldw] = lines[ldw].replace(f"[{m[2]}]", f"[{less}]", 1)
            yield f"last product dropped, line {n + 1}", out


def double_products(lines):
    for n, ldw, m in matmuls(lines):
        extra = [re.sub(r"ldw \[[^\]]*\]", "ldw [1]", lines[ldw], 1),
                 f"{m[1]}tensor matmul [1 -> {m[3]}] {m[4]} += {m[5]}", lines[ldw]]
        yield f"first product doubled, line {n + 1}", lines[:n + 1] + extra + lines[n + 1:]


def drop_terms(lines):
    for n, line in enumerate(lines):
        m = re.search(rf"reduce\.f32 (sum|max) .* = .*\(-?\d+,({COUNT})\)\]", line)
        # Whatever a softmax subtracts, its result is the same.
        if m and one_less(m[2]) and (m[1] == "sum" or "over 2" in line):
            out = list(lines)
            out[n] = line[:m.start(2)] + one_less(m[2]) + line[m.end(2):]
            yield f"last term of a {m[1]} dropped, line {n + 1}", out


def drop_tile(lines):
    for n, _, _ in matmuls(lines):
        # The loops over the contraction are those whose first iteration overwrites.
        for loop in re.findall(r"i\d+", lines[n].partition("except first")[2]):
            at = max(i for i in range(n) if f"for {loop} <" in lines[i])
            m = re.search(r"< (\d+) {", lines[at])
            if m and int(m[1]) > 1:
                out = list(lines)
                out[at] = lines[at].replace(m[0], f"< {int(m[1]) - 1} {{")
                yield f"last tile of a contraction dropped, line {at + 1}", out


def overwrite(lines):
    types = dict(re.findall(r"(%\w+): (\w+)\[", "\n".join(lines)))
    for n, line in enumerate(lines):
        m = re.match(rf"( *)\w+ dma q\d+ \[({COUNT})\] @\w+\[[^\]]*\] = ((%\w+)\[[^\]]*\])", line)
        if not m:
            continue
        kind, value = ("i32", "11") if types[m[4]] == "i32" else ("f32", "1.0")
        for what, parts in (("row", "1"), ("tile", m[2])):
            fill = f"{m[1]}vector fill.{kind} [{parts}] {m[3]} = {value}"
            yield f"{what} overwritten, line {n + 1}", lines[:n] + [fill] + lines[n:]


PASSES = [drop_products, double_products, drop_terms, drop_tile, overwrite]


class WrongPass:
    """One example on one target, compiled from changed tile IR. The text of tile
    IR carries the tensor IR that it was made from."""

    def __init__(self, command, kernel, target, folder):
        self.command, self.path = command, os.path.join(folder, "wrong")
        self.text = systole(command, ["build", source(kernel), "--kernel", kernel, "-D", PASS_DIMS[kernel], "--target",
                                      target, "--stop-after=tile", "--emit=tile"]).stdout.splitlines()

    def check(self, lines, seed):
        """(whether the bound rejects it, and nothing but the bound; what was
        said), of the tile IR and of the object made from it."""
        with open(self.path + ".tile", "w") as f:
            f.write("\n".join(lines) + "\n")
        built = systole(self.command, ["build", self.path + ".tile", "-o", self.path + ".syo"])
        if built.returncode:
            return False, built.stderr
        good, said = True, ""
        for form in (".tile", ".syo"):
            done = systole(self.command, ["check", self.path + form, "--orders", "0", "--seed", str(seed), "--json"])
            try:
                failed = {r["against"] for r in json.loads(done.stdout)["rows"] if not r["ok"]}
            except ValueError:
                return False, done.stderr
            good = good and done.returncode == MISMATCH and failed & {"reference", "step"} and "tile" not in failed
            said += f"{form}: status {done.returncode}, failed against {sorted(failed) or 'nothing'} {done.stderr}"
        return good, said


def judge_passes(command, kernel, target, seed, folder):
    """(mutations, complaints)"""
    w = WrongPass(command, kernel, target, folder)
    _, said = w.check(w.text, seed)
    name, n, bad = f"{kernel} on {target}", 0, []
    if said.count("status 0") != 2:
        bad.append(f"{name}: unchanged tile IR: {said}")
    for mutate in PASSES:
        for what, lines in mutate(w.text):
            n += 1
            good, said = w.check(lines, seed)
            if not good:
                bad.append(f"{name}: {what}: {said}")
    return n, bad


# ---- wrong results ------------------------------------------------------------------------
# A model computes an example's outputs from float64 inputs. `hit(stage, terms)`
# may change the terms of a sum (last axis), `rnd` rounds as a cast to bf16 does.

def bf16(x):
    u = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    u = (u + 0x7FFF + ((u >> 16) & 1)) & 0xFFFF0000
    return u.astype(np.uint32).view(np.float32).astype(np.float64)


def f32(x):
    return x.astype(np.float32).astype(np.float64)


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def product(a, b):
    """Terms [.., m, n, k] of a @ b."""
    return a[..., :, None, :] * np.swapaxes(b, -1, -2)[..., None, :, :]


class Model:
    def __init__(self, kernel, rng):
        self.inputs = getattr(self, "in_" + FILES.get(kernel, kernel).split("/")[-1])(rng)
        self.outputs = getattr(self, "out_" + kernel)

    @staticmethod
    def in_matmul(rng):
        return {"a": bf16(rng.normal(size=(20, 256))), "b": bf16(rng.normal(size=(256, 19)))}

    def out_matmul(self, hit, rnd, a, b):
        return {"c": hit("product", product(a, b)).sum(-1)}

    @staticmethod
    def in_mlp(rng):
        return {"x": bf16(rng.normal(size=(20, 256))), "w1": bf16(rng.normal(size=(256, 256))),
                "b1": f32(rng.normal(size=256)), "w2": bf16(rng.normal(size=(256, 19)))}

    def out_mlp(self, hit, rnd, x, w1, b1, w2):
        s = hit("hidden", product(x, w1)).sum(-1) + b1
        h = rnd(0.5 * s * (1 + erf(s / math.sqrt(2))))
        return {"y": hit("product", product(h, w2)).sum(-1)}

    @staticmethod
    def in_softmax(rng):
        return {"x": f32(rng.normal(size=(20, 256)))}

    def out_softmax_rows(self, hit, rnd, x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return {"y": e / hit("sum", e).sum(-1, keepdims=True)}

    @staticmethod
    def in_layernorm(rng):
        return {"x": f32(rng.normal(size=(20, 256))), "g": f32(rng.normal(size=256)), "b": f32(rng.normal(size=256))}

    def out_layernorm_rows(self, hit, rnd, x, g, b):
        c = x - hit("mean", x).sum(-1, keepdims=True) / x.shape[-1]
        v = hit("variance", c * c).sum(-1, keepdims=True) / x.shape[-1]
        return {"y": c / np.sqrt(v + 1e-5) * g + b}

    @staticmethod
    def in_attention(rng):
        return {n: bf16(rng.normal(size=(1, 1, 100, 64))) for n in "qkv"}

    def out_attention(self, hit, rnd, q, k, v, causal=False):
        s = hit("scores", product(q, np.swapaxes(k, -1, -2))).sum(-1) / math.sqrt(q.shape[-1])
        if causal:
            s = np.where(np.tril(np.ones(s.shape[-2:], bool)), s, -np.inf)
        e = np.exp(s - s.max(-1, keepdims=True))
        # Masked terms are no terms: hit something else.
        p = e / hit("sum", e).sum(-1, keepdims=True)
        return {"o": hit("values", product(p, v)).sum(-1)}

    def out_attention_causal(self, hit, rnd, q, k, v):
        return self.out_attention(hit, rnd, q, k, v, causal=True)

    @staticmethod
    def in_conv2d(rng):
        return {"x": bf16(rng.normal(size=(1, 28, 6, 7))), "w": bf16(rng.normal(size=(5, 28, 3, 3)))}

    def out_conv2d(self, hit, rnd, x, w):
        p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        taps = np.stack([p[:, :, r:r + 6, s:s + 7] for r in range(3) for s in range(3)], 2)
        t = np.einsum("nckhw,fck->nfhwck", taps, w.reshape(5, 28, 9)).reshape(1, 5, 6, 7, 252)
        return {"y": hit("product", t).sum(-1)}

    @staticmethod
    def in_maxpool(rng):
        return {"x": f32(rng.normal(size=(2, 3, 8, 10)))}

    def out_maxpool(self, hit, rnd, x):
        n, c, h, w = x.shape
        t = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        # A term that is not there is below all others.
        d = hit("window", np.ones_like(t))
        return {"y": np.where(d == 0, -np.inf, t * d).max(-1)}

    @staticmethod
    def in_transpose(rng):
        return {"x": f32(rng.normal(size=(20, 33)))}

    def out_transpose(self, hit, rnd, x):
        return {"y": x.T}

    @staticmethod
    def in_digits(rng):
        return {"images": bf16(rng.normal(size=(20, 64))), "w1": bf16(rng.normal(size=(64, 32))),
                "b1": f32(rng.normal(size=32)), "w2": bf16(rng.normal(size=(32, 10))), "b2": f32(rng.normal(size=10))}

    def out_digits(self, hit, rnd, images, w1, b1, w2, b2):
        h = rnd(np.maximum(hit("hidden", product(images, w1)).sum(-1) + b1, 0))
        s = hit("product", product(h, w2)).sum(-1) + b2
        return {"scores": s, "label": s.argmax(1).astype(np.int32)}


STAGES = {"matmul": ["product"], "mlp": ["hidden", "product"], "softmax_rows": ["sum"],
          "layernorm_rows": ["mean", "variance"], "attention": ["scores", "sum", "values"],
          "attention_causal": ["scores", "sum", "values"], "conv2d": ["product"], "maxpool": ["window"],
          "transpose": [], "digits": ["hidden", "product"]}


def untouched(stage, terms):
    return terms


class Hit:
    """Scales one term, of all elements or of a single one."""

    def __init__(self, rng, stage, factor, single):
        self.rng, self.stage, self.factor, self.single = rng, stage, factor, single

    def __call__(self, stage, terms):
        if stage != self.stage:
            return terms
        terms = terms.copy()
        at = tuple(self.rng.randint(n) for n in terms.shape)
        if self.single:
            terms[at] *= self.factor
        else:
            # The first, which no causal mask hides from all.
            terms[..., 0 if stage in ("sum", "values") else at[-1]] *= self.factor
        return terms


class WrongResult:
    def __init__(self, command, kernel, target, seed, folder):
        self.folder, self.model = folder, Model(kernel, np.random.RandomState(seed))
        self.command = [command, "check", source(kernel), "--kernel", kernel, "--target", target, "--orders", "0"]
        for name, x in self.model.inputs.items():
            np.save(f"{folder}/{name}.npy", x.astype(np.float32))
            self.command += ["--in", f"{name}={folder}/{name}.npy"]

    def compute(self, hit, rnd=bf16):
        with np.errstate(divide="ignore", invalid="ignore"):
            outs = self.model.outputs(hit, rnd, **self.model.inputs)
        return {n: x if x.dtype == np.int32 else x.astype(np.float32) for n, x in outs.items()}

    def status(self, outs):
        command = list(self.command)
        for name, x in outs.items():
            np.save(f"{self.folder}/claim.{name}.npy", x)
            command += ["--claim", f"{name}={self.folder}/claim.{name}.npy"]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def differ(x, y):
    """Whether results differ by more than a few roundings of binary32 would."""
    for n in x:
        a, b = x[n].astype(np.float64), y[n].astype(np.float64)
        size = np.abs(a[np.isfinite(a)]).max(initial=0)
        if not np.array_equal(np.isfinite(a), np.isfinite(b)) or np.nanmax(abs(a - b), initial=0) > size * 2.0 ** -20:
            return True
    return False


def wrong_everywhere(w, kernel, rng):
    """(what, outputs): mutations that must be rejected."""
    right = w.compute(untouched)
    for stage in STAGES[kernel]:
        for what, factor in (("dropped", 0), ("doubled", 2)):
            if stage != "window" or factor == 0:
                yield f"{stage}: a term {what} for all", w.compute(Hit(rng, stage, factor, False))
    name = next(iter(right))
    for what, rows, columns in (("row", 1, None), ("tile", 4, 4)):
        outs = {n: x.copy() for n, x in right.items()}
        outs[name][..., 2:2 + rows, :columns] = outs[name][..., 0:1, :columns] + 0.125
        yield f"one {what} overwritten", outs


def judge_results(command, kernel, target, seed, folder, singles):
    """(mutations that must be rejected, complaints, singles that matter, of
    these rejected)"""
    w = WrongResult(command, kernel, target, seed, folder)
    rng, name = np.random.RandomState(seed + 1), f"{kernel} on {target}, seed {seed}"
    right, n, bad, matter, caught = w.compute(untouched), 0, [], 0, 0
    for what, outs in (("right result", right), ("right result, never rounded", w.compute(untouched, rnd=lambda x: x))):
        if w.status(outs) != 0:
            bad.append(f"{name}: {what} is rejected")
    for what, outs in wrong_everywhere(w, kernel, rng):
        n += 1
        status = w.status(outs)
        if status != MISMATCH:
            bad.append(f"{name}: {what} gives status {status}")
    for stage in STAGES[kernel]:
        for i in range(singles):
            outs = w.compute(Hit(rng, stage, 2 * (i % 2) if stage != "window" else 0, True))
            if differ(right, outs):
                matter += 1
                caught += w.status(outs) == MISMATCH
    return n, bad, matter, caught


# ---- all --------------------------------------------------------------------------------------

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--systole", default=os.path.join(ROOT, "build", "systole"))
    p.add_argument("--all", action="store_true")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("word", nargs="*")
    args = p.parse_args()
    bad, matter, caught = [], 0, 0
    for number, kernel in enumerate(PASS_DIMS):
        if args.word and kernel not in args.word:
            continue
        both = ["tiny", "trn2"]
        targets = both if args.all else [both[(number + args.seed) % 2]]
        counts = [0, 0, 0, 0]
        with tempfile.TemporaryDirectory() as folder:
            for t in targets:
                n, wrong = judge_passes(args.systole, kernel, t, args.seed, folder)
                bad += wrong
                counts[0] += n
                for seed in range(args.seed, args.seed + (5 if args.all else 1)):
                    n, wrong, m, c = judge_results(args.systole, kernel, t, seed, folder, 20 if args.all else 4)
                    bad += wrong
                    counts = [counts[0], counts[1] + n, counts[2] + m, counts[3] + c]
        matter, caught = matter + counts[2], caught + counts[3]
        print(f"{kernel} on {' '.join(targets)}: {counts[0]} wrong passes, {counts[1]} wrong results; "
              f"of {counts[2]} single products {counts[3]} rejected", flush=True)
    print("\n".join(bad) or "all rejected")
    if caught < 0.9 * matter:
        bad.append(f"only {caught} of {matter} single products")
        print(bad[-1])
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
