#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make demo: runs the examples on real data, the handwritten digits of
examples/digits/, and shows that every result is right: against NumPy in float64,
and by `systole check`, which compares all levels on that data."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTOLE = os.path.abspath(sys.argv[1])


def bf16(x):
    """The nearest bf16, as float64."""
    u = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    u = (u + 0x7FFF + ((u >> 16) & 1)) & 0xFFFF0000
    return u.astype(np.uint32).view(np.float32).astype(np.float64)


def systole(*args):
    done = subprocess.run([SYSTOLE] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"systole {' '.join(args)}: status {done.returncode}\n{done.stderr}")
    return done.stdout


class Demo:
    def __init__(self, d):
        self.d, self.bad = d, 0
        load = lambda n: np.load(f"{HERE}/digits/{n}.npy")
        self.images, self.labels = load("images"), load("labels")
        self.net = {n: load(n) for n in ("w1", "b1", "w2", "b2")}

    def run(self, file, kernel, ins, outs):
        flags = [f"{HERE}/{file}", "--kernel", kernel]
        for n, x in ins.items():
            np.save(f"{self.d}/{n}.npy", x.astype(np.float32))
            flags += ["--in", f"{n}={self.d}/{n}.npy"]
        out = [w for n in outs for w in ("--out", f"{n}={self.d}/out.{n}.npy")]
        systole("run", *flags, *out)
        rows = json.loads(systole("check", *flags, "--json"))["rows"]
        ok = bool(rows) and all(r["ok"] for r in rows)
        worst = max((r["worst"] for r in rows if r["against"] in ("reference", "step")), default=0)
        return [np.load(f"{self.d}/out.{n}.npy") for n in outs], ok, worst

    def show(self, file, kernel, what, ins, want):
        """One line: the largest difference from NumPy, and the check's verdict."""
        (name, ref), = want.items()
        (got,), ok, worst = self.run(file, kernel, ins, [name])
        off = float(abs(got - ref).max() / max(abs(ref).max(), 1e-300))
        ok = ok and off < 1e-2
        self.bad += not ok
        shapes = ["x".join(map(str, x.shape)) for x in ins.values()]
        shapes = f"{len(shapes)} of {shapes[0]}" if len(set(shapes)) == 1 < len(shapes) else ", ".join(shapes)
        print(f"  {kernel:<17} {what:<37} {shapes:<20} {off:8.1e}   "
              f"{f'{100 * worst:4.0f} %' if worst else ' exact'}   {'right' if ok else 'WRONG'}")

    def digits(self):
        p = {n: x.astype(np.float64) for n, x in self.net.items()}
        h = bf16(np.maximum(self.images @ p["w1"] + p["b1"], 0))
        want = (h @ p["w2"] + p["b2"]).argmax(1)
        (_, label), ok, _ = self.run("digits/digits.tk", "digits", dict(images=self.images, **self.net),
                                     ["scores", "label"])
        right, same = (label == self.labels).sum(), (label == want).all()
        self.bad += not (ok and same and right >= 0.95 * len(label))
        print("Handwritten digits: a 64-32-10 perceptron, bf16 weights, on images it has never seen.\n")
        for row in range(0, 8):
            print("    " + "   ".join("".join(" .:-=+*#%@"[int(9.99 * v)] for v in im.reshape(8, 8)[row])
                                      for im in self.images[:7]))
        print("      " + "          ".join(f"{v}" for v in label[:7]) + "    <- the machine's answers\n")
        print(f"  {right} of {len(label)} right ({100 * right / len(label):.1f} %); "
              f"{'all' if same else 'NOT all'} of them as NumPy in float64 has them; "
              f"check {'passed' if ok else 'FAILED'}.\n")

    def kernels(self):
        x = self.images
        p = {n: a.astype(np.float64) for n, a in self.net.items()}
        print("The same images through the other kernels. 'difference' is the largest from NumPy in float64, relative to\n"
              "the largest element; 'error' is the largest that check found, as a share of the computed bound.\n")
        print(f"  {'kernel':<17} {'on':<37} {'shapes':<20} {'difference':>10} {'error':>6}")
        self.show("matmul.tk", "matmul", "images times first weights", {"a": x, "b": p["w1"]}, {"c": x @ p["w1"]})
        scores = (x @ p["w1"]).astype(np.float32)
        e = np.exp(scores.astype(np.float64))
        self.show("softmax.tk", "softmax_rows", "that product", {"x": scores}, {"y": e / e.sum(1, keepdims=True)})
        d = x.astype(np.float64)
        c = d - d.mean(1, keepdims=True)
        y = c / np.sqrt((c * c).mean(1, keepdims=True) + 1e-5)
        self.show("layernorm.tk", "layernorm_rows", "images", {"x": x, "g": np.ones(64), "b": np.zeros(64)}, {"y": y})
        q = x[:320].reshape(1, 2, 160, 64).astype(np.float64)
        s = q @ q.swapaxes(-1, -2) / 8
        for kernel, mask in (("attention", None), ("attention_causal", np.tril(np.ones((160, 160), bool)))):
            w = np.exp(s if mask is None else np.where(mask, s, -np.inf))
            w = w / w.sum(-1, keepdims=True)
            self.show("attention.tk", kernel, "images attending to each other", {"q": q, "k": q, "v": q}, {"o": w @ q})
        im = x[:40].reshape(40, 1, 8, 8)
        edge = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32).reshape(1, 1, 3, 3)
        edge = np.concatenate([edge, edge.swapaxes(2, 3)])
        pad = np.pad(im.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
        y = sum(pad[:, :, r:r + 8, t:t + 8] * edge[None, :, 0, r, t, None, None] for r in range(3) for t in range(3))
        self.show("conv2d.tk", "conv2d", "edges of images (Sobel)", {"x": im, "w": edge}, {"y": y})
        self.show("maxpool.tk", "maxpool", "images to a quarter", {"x": im},
                  {"y": im.reshape(40, 1, 4, 2, 4, 2).max((3, 5)).astype(np.float64)})
        self.show("transpose.tk", "transpose", "images", {"x": x}, {"y": d.T})


def main():
    with tempfile.TemporaryDirectory() as d:
        demo = Demo(d)
        demo.digits()
        demo.kernels()
    print("\n" + ("Everything is right." if not demo.bad else f"{demo.bad} results are WRONG."))
    sys.exit(1 if demo.bad else 0)


main()
