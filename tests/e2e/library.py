#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""library.py run|check SYSTOLE LIB [KERNEL...]: every function of the library, in its kernel of
inputs/library.tk, on small ragged arrays. 'run' compares the tensor engine with NumPy in float64, 'check' runs
all levels on the smallest machine. A function without a row here or without a kernel is an error.

A row is a function of the same name that gives the inputs and the expected results; inputs are rounded to float32
before it computes. A result is a number of ulps of its largest element away at most, integers are exact."""
import math
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
KERNELS = os.path.join(HERE, "inputs", "library.tk")
ELSEWHERE = {"random_bits", "uniform", "normal", "bernoulli", "dropout"}  # draws.py
ROWS = {}
rng = np.random.RandomState(5)


def row(f):
    ROWS[f.__name__.strip("_")] = f
    return f


def N(*shape, scale=1.0):
    """Normal numbers that are float32, in float64."""
    return (scale * rng.normal(size=shape)).astype(np.float32).astype(np.float64)


def U(*shape):
    return rng.uniform(0.05, 0.95, size=shape).astype(np.float32).astype(np.float64)


def f32(x):
    return np.float64(np.float32(x))


def ints(most, *shape):
    return rng.randint(0, most, size=shape).astype(np.int32)


def each(f):
    return np.vectorize(f, otypes=[np.float64])


def gelu64(x):
    return 0.5 * x * (1 + each(math.erf)(x / math.sqrt(2)))


def sigmoid64(x):
    return 1 / (1 + np.exp(-x))


def softmax64(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


# ---- activation -----------------------------------------------------------------

def elementwise(name, f, inputs=lambda: {"x": N(37, scale=3)}):
    def make():
        ins = inputs()
        return ins, {"y": f(*ins.values())}
    make.__name__ = name
    row(make)


def gated():
    return {"x": N(37), "gate": N(37, scale=2)}


elementwise("relu6", lambda x: np.clip(x, 0, 6))
elementwise("leaky_relu", lambda x, s: np.where(x > 0, x, s * x), lambda: {"x": N(37), "slope": f32(0.1)})
elementwise("elu", lambda x, a: np.where(x > 0, x, a * np.expm1(x)), lambda: {"x": N(37), "alpha": f32(1.5)})
elementwise("selu", lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)))
elementwise("hardsigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1))
elementwise("hardswish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1))
elementwise("hardtanh", lambda x: np.clip(x, -1, 1))
elementwise("softsign", lambda x: x / (1 + abs(x)))
elementwise("log_sigmoid", lambda x: -np.logaddexp(0, -x))
elementwise("glu", lambda x, g: x * sigmoid64(g), gated)
elementwise("reglu", lambda x, g: x * np.maximum(g, 0), gated)
elementwise("geglu", lambda x, g: x * gelu64(g), gated)
elementwise("swiglu", lambda x, g: x * g * sigmoid64(g), gated)
elementwise("softmax", softmax64, lambda: {"x": N(3, 17, scale=60)})
elementwise("log_softmax", lambda x: np.log(softmax64(x)), lambda: {"x": N(3, 17, scale=60)})
elementwise("logsumexp", lambda x: np.log(np.exp(x).sum(-1)), lambda: {"x": N(3, 17, scale=60)})


# ---- norm -----------------------------------------------------------------------

def faint(x, scale=0.003):
    """The first part so small that what is added to its variance counts."""
    x[0] = (x[0] * scale + 0.0).astype(np.float32)
    return x


def normal64(x, axes):
    d = x - x.mean(axes, keepdims=True)
    return d / np.sqrt((d * d).mean(axes, keepdims=True) + 1e-5)


elementwise("layernorm", lambda x, g, b: normal64(x, (1,)) * g + b, lambda: {"x": faint(N(3, 19)), "g": N(19), "b": N(19)})
elementwise("rmsnorm", lambda x, g: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * g,
            lambda: {"x": faint(N(3, 19)), "g": N(19)})
elementwise("l2norm", lambda x: x / np.maximum(np.sqrt((x * x).sum(-1, keepdims=True)), 1e-12),
            lambda: {"x": faint(N(3, 19), 1e-14)})
elementwise("groupnorm", lambda x, g, b: normal64(x, (2, 3, 4)) * g[..., None, None] + b[..., None, None],
            lambda: {"x": faint(N(2, 3, 4, 5, 3)), "g": N(3, 4), "b": N(3, 4)})
elementwise("instancenorm", lambda x, g, b: normal64(x, (2, 3)) * g[:, None, None] + b[:, None, None],
            lambda: {"x": faint(N(2, 3, 5, 4)), "g": N(3), "b": N(3)})
elementwise("batchnorm", lambda x, m, v, g, b: ((x - m[:, None, None]) / np.sqrt(v + 1e-5)[:, None, None]
                                                * g[:, None, None] + b[:, None, None]),
            lambda: {"x": N(2, 3, 5, 4), "mean": N(3), "var": U(3), "g": N(3), "b": N(3)})


@row
def batchnorm_train():
    ins = {"x": faint(N(3, 2, 5, 4)).swapaxes(0, 1), "g": N(3), "b": N(3)}
    x, g, b = ins.values()
    return ins, {"y": normal64(x, (0, 2, 3)) * g[:, None, None] + b[:, None, None],
                 "mean": x.mean((0, 2, 3)), "var": x.var((0, 2, 3))}


# ---- loss -----------------------------------------------------------------------

def pair():
    return {"x": N(3, 17), "t": N(3, 17)}


def labelled(ins):
    return np.take_along_axis(ins[0], ins[1][:, None].astype(int), -1)[:, 0]


def clamped(p):
    return np.maximum(np.log(np.maximum(p, 1e-300)), -100)


def huber64(x, t, d):
    a = abs(x - t)
    return np.where(a <= d, a * a / 2, d * (a - d / 2)).mean(-1)


elementwise("mse", lambda x, t: ((x - t) ** 2).mean(-1), pair)
elementwise("mae", lambda x, t: abs(x - t).mean(-1), pair)
elementwise("huber", huber64, lambda: {**pair(), "delta": f32(0.7)})
elementwise("nll", lambda *ins: -labelled(ins), lambda: {"logp": N(5, 17), "label": ints(17, 5)})
elementwise("cross_entropy", lambda x, i: -labelled((np.log(softmax64(x)), i)),
            lambda: {"x": N(5, 17), "label": ints(17, 5)})
elementwise("bce", lambda p, t: -(t * clamped(p) + (1 - t) * clamped(1 - p)),
            lambda: {"p": np.append(U(21), [0, 1]), "t": U(23)})
elementwise("bce_logits", lambda x, t: -(t * np.log(sigmoid64(x)) + (1 - t) * np.log(1 - sigmoid64(x))),
            lambda: {"x": N(23), "t": U(23)})
elementwise("kl_div", lambda p, q: (np.exp(p) * (p - q)).sum(-1),
            lambda: {"logp": f32(np.log(softmax64(N(3, 9)))), "logq": f32(np.log(softmax64(N(3, 9))))})


# ---- attention ------------------------------------------------------------------

def attend(q, k, v, seen):
    s = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    return softmax64(np.where(seen, s, -np.inf)) @ v


def large(q):
    """The last query so large that exp of its scores overflows."""
    q[..., -1, :] *= 1024
    return q


def attention_row(name, seen, q, k, v, extra=None):
    def make():
        ins = {"q": large(N(*q)), "k": N(*k), "v": N(*v), **(extra or {})}
        groups = q[1] // k[1] if len(q) == 4 else 1
        wide = [np.repeat(ins[n], groups, axis=1) if groups > 1 else ins[n] for n in "kv"]
        i, j = np.indices((q[-2], k[-2]))
        return ins, {"o": attend(ins["q"], *wide, seen(i, j))}
    make.__name__ = name
    row(make)


attention_row("attention", lambda i, j: i == i, (2, 7, 5), (2, 9, 5), (2, 9, 3))
attention_row("causal_attention", lambda i, j: j <= i, (2, 9, 5), (2, 9, 5), (2, 9, 3))
attention_row("window_attention", lambda i, j: (j <= i) & (i - j < 4), (2, 9, 5), (2, 9, 5), (2, 9, 3),
              {"w": np.int32(4)})
attention_row("grouped_attention", lambda i, j: i == i, (2, 6, 7, 5), (2, 3, 9, 5), (2, 3, 9, 4))
attention_row("grouped_causal_attention", lambda i, j: j <= i, (2, 6, 9, 5), (2, 3, 9, 5), (2, 3, 9, 4))


@row
def masked_attention():
    ins = {"q": large(N(2, 7, 5)), "k": N(2, 9, 5), "v": N(2, 9, 3), "mask": N(7, 9)}
    s = ins["q"] @ ins["k"].swapaxes(1, 2) / math.sqrt(5) + ins["mask"]
    return ins, {"o": softmax64(s) @ ins["v"]}


@row
def decode_attention():
    ins = {"q": large(N(3, 6, 5)), "k": N(3, 2, 9, 5), "v": N(3, 2, 9, 4), "n": np.array([1, 4, 9], np.int32)}
    wide = [np.repeat(ins[n], 3, axis=1) for n in "kv"]
    seen = (np.arange(9) < ins["n"][:, None])[:, None, None, :]
    return ins, {"o": attend(ins["q"][:, :, None, :], *wide, seen)[:, :, 0]}


@row
def cache_put():
    ins = {"cache": N(2, 5, 3), "x": N(2, 3), "pos": np.int32(3)}
    out = ins["cache"].copy()
    out[:, 3] = ins["x"]
    return ins, {"cache": out}


# ---- rope -----------------------------------------------------------------------

@row
def rope_table():
    ins = {"pos": np.arange(7.0), "freq": U(4)}
    a = ins["pos"][:, None] * ins["freq"]
    return ins, {"c": np.cos(a), "s": np.sin(a)}


def turned(x, c, s, first, second):
    y = np.empty_like(x)
    y[..., first] = x[..., first] * c - x[..., second] * s
    y[..., second] = x[..., second] * c + x[..., first] * s
    return y


def rotary():
    return {"x": N(2, 7, 10), "c": N(7, 5), "s": N(7, 5)}


elementwise("rope", lambda x, c, s: turned(x, c, s, slice(0, 5), slice(5, 10)), rotary)
elementwise("rope_interleaved", lambda x, c, s: turned(x, c, s, slice(0, 10, 2), slice(1, 10, 2)), rotary)


# ---- linear, moe ----------------------------------------------------------------

elementwise("linear", lambda x, w, b: x @ w + b, lambda: {"x": N(3, 7), "w": N(7, 5), "b": N(5)})
elementwise("embedding", lambda t, i: t[i], lambda: {"table": N(11, 5), "id": ints(11, 7)})
elementwise("mlp", lambda x, a, b, c, d: gelu64(x @ a + b) @ c + d,
            lambda: {"x": N(3, 7), "w1": N(7, 9), "b1": N(9), "w2": N(9, 5), "b2": N(5)})
elementwise("gated_mlp", lambda x, g, u, d: ((x @ g) * sigmoid64(x @ g) * (x @ u)) @ d,
            lambda: {"x": N(3, 7), "wg": N(7, 9), "wu": N(7, 9), "wd": N(9, 5)})


@row
def router_top1():
    x = N(5, 11)
    return {"x": x}, {"p": softmax64(x).max(-1), "id": x.argmax(-1)}


def router(k):
    def make():
        x = N(5, 11)
        i = np.argsort(-x, -1, kind="stable")[:, :k]
        return {"x": x}, {"p": softmax64(np.take_along_axis(x, i, -1)), "id": i}
    make.__name__ = f"router_top{k}"
    row(make)


router(2), router(4), router(8)


def choices():
    """Tokens' experts, and the slots counted one by one."""
    i = np.array([rng.permutation(4)[:2] for _ in range(9)], np.int32)
    used, slot = [0] * 4, np.zeros_like(i)
    for t, k in np.ndindex(*i.shape):
        slot[t, k] = used[i[t, k]]
        used[i[t, k]] += 1
    return i, slot


@row
def moe_slots():
    i, slot = choices()
    return {"id": i}, {"slot": slot}


@row
def moe_dispatch():
    i, slot = choices()
    ins = {"buf": N(4, 3, 5), "x": N(9, 5), "id": i, "slot": slot}
    out = ins["buf"].copy()
    for t, k in np.ndindex(*i.shape):
        if slot[t, k] < 3:
            out[i[t, k], slot[t, k]] = ins["x"][t]
    return ins, {"buf": out}


@row
def moe_combine():
    i, slot = choices()
    ins = {"y": N(4, 3, 5), "p": U(9, 2), "id": i, "slot": slot}
    out = np.zeros((9, 5))
    for t, k in np.ndindex(*i.shape):
        if slot[t, k] < 3:
            out[t] += ins["p"][t, k] * ins["y"][i[t, k], slot[t, k]]
    return ins, {"o": out}


@row
def moe_mlp():
    ins = {"x": N(3, 5), "p": U(3, 2), "id": ints(4, 3, 2), "w1": N(4, 5, 7), "w2": N(4, 7, 5)}
    x, p, i, a, b = ins.values()
    return ins, {"y": np.array([sum(p[t, k] * (gelu64(x[t] @ a[i[t, k]]) @ b[i[t, k]]) for k in range(2))
                                for t in range(3)])}


# ---- conv -----------------------------------------------------------------------

def convolve(x, k, step=1, apart=1, pad=0, groups=1):
    """By definition, from x[L, C, ...] and k[F, C / groups, ...], on any number of axes."""
    n = x.ndim - 2
    pad = pad if isinstance(pad, list) else [(pad, pad)] * n
    x = np.pad(x, [(0, 0), (0, 0)] + pad)
    size = [(x.shape[2 + a] - apart * (k.shape[2 + a] - 1) - 1) // step + 1 for a in range(n)]
    y = np.zeros((x.shape[0], k.shape[0], *size))
    each_in, each_out = k.shape[1], k.shape[0] // groups
    for tap in np.ndindex(*k.shape[2:]):
        part = x[(slice(None), slice(None)) + tuple(
            slice(apart * t, apart * t + step * (s - 1) + 1, step) for t, s in zip(tap, size))]
        for g in range(groups):
            y[:, g * each_out:(g + 1) * each_out] += np.einsum(
                "lc...,fc->lf...", part[:, g * each_in:(g + 1) * each_in],
                k[(slice(g * each_out, (g + 1) * each_out), slice(None)) + tap])
    return y


def spread(x):
    z = np.zeros((*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]))
    z[:, :, ::2, ::2] = x
    return z


def transposed64(x, k):
    r, s = k.shape[2:]
    return convolve(x, k.swapaxes(0, 1)[:, :, ::-1, ::-1], pad=[(r - 1, r - 1), (s - 1, s - 1)])


def conv_row(name, x, k, f):
    elementwise(name, f, lambda: {"x": N(*x), "k": N(*k)})


LINE, IMAGE, BLOCK = (2, 3, 11), (2, 3, 9, 8), (2, 2, 5, 6, 7)
conv_row("conv1d", LINE, (4, 3, 3), convolve)
conv_row("conv1d_same", LINE, (4, 3, 3), lambda x, k: convolve(x, k, pad=1))
conv_row("conv1d_causal", LINE, (4, 3, 4), lambda x, k: convolve(x, k, pad=[(3, 0)]))
conv_row("conv1d_stride2", LINE, (4, 3, 4), lambda x, k: convolve(x, k, step=2))
conv_row("conv1d_dilated2", LINE, (4, 3, 3), lambda x, k: convolve(x, k, apart=2))
conv_row("depthwise_conv1d", LINE, (3, 4), lambda x, k: convolve(x, k[:, None], groups=3))
conv_row("depthwise_conv1d_causal", LINE, (3, 4), lambda x, k: convolve(x, k[:, None], groups=3, pad=[(3, 0)]))
conv_row("conv2d", IMAGE, (4, 3, 3, 2), convolve)
conv_row("conv2d_same", IMAGE, (4, 3, 3, 5), lambda x, k: convolve(x, k, pad=[(1, 1), (2, 2)]))
conv_row("conv2d_stride2", IMAGE, (4, 3, 3, 2), lambda x, k: convolve(x, k, step=2))
conv_row("conv2d_same_stride2", IMAGE, (4, 3, 3, 5), lambda x, k: convolve(x, k, step=2, pad=[(1, 1), (2, 2)]))
conv_row("conv2d_dilated2", IMAGE, (4, 3, 3, 2), lambda x, k: convolve(x, k, apart=2))
conv_row("grouped_conv2d", (2, 6, 5, 4), (9, 2, 3, 2), lambda x, k: convolve(x, k, groups=3))
conv_row("depthwise_conv2d", IMAGE, (3, 3, 2), lambda x, k: convolve(x, k[:, None], groups=3))
conv_row("transposed_conv2d", IMAGE, (3, 4, 3, 2), transposed64)
conv_row("transposed_conv2d_stride2", (2, 3, 4, 3), (3, 4, 3, 2),
         lambda x, k: transposed64(spread(x), k)[:, :, :2 * 4 + 3 - 2, :2 * 3 + 2 - 2])
conv_row("conv3d", BLOCK, (3, 2, 2, 3, 2), convolve)
conv_row("conv3d_stride2", BLOCK, (3, 2, 2, 3, 2), lambda x, k: convolve(x, k, step=2))


# ---- pool -----------------------------------------------------------------------

def windows(x, size, step, axes, pad=None):
    """The windows of the last axes, flattened to a new last axis."""
    if pad is not None:
        x = np.pad(x, [(0, 0)] * (x.ndim - axes) + [(1, 1)] * axes, constant_values=pad)
    v = np.lib.stride_tricks.sliding_window_view(x, (size,) * axes, tuple(range(-axes, 0)))
    v = v[(Ellipsis,) + (slice(None, None, step),) * axes + (slice(None),) * axes]
    return v.reshape(*v.shape[:-axes], -1)


def picture():
    return {"x": N(2, 7, 9)}


def bilinear(x, at):
    """x at fractional positions at(n) of its last two axes."""
    for axis in (1, 2):
        p = np.clip(at(x.shape[axis]), 0, x.shape[axis] - 1)
        low = np.floor(p).astype(int)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        w = (p - low).reshape([-1 if a == axis else 1 for a in range(3)])
        x = (1 - w) * x.take(low, axis) + w * x.take(high, axis)
    return x


elementwise("max_pool1d", lambda x: windows(x, 2, 2, 1).max(-1), lambda: {"x": N(3, 11)})
elementwise("avg_pool1d", lambda x: windows(x, 2, 2, 1).mean(-1), lambda: {"x": N(3, 11)})
elementwise("max_pool2d", lambda x: windows(x, 2, 2, 2).max(-1), picture)
elementwise("avg_pool2d", lambda x: windows(x, 2, 2, 2).mean(-1), picture)
elementwise("max_pool2d_3x3", lambda x: windows(x, 3, 2, 2, -np.inf).max(-1), picture)
elementwise("global_max_pool", lambda x: x.max((1, 2)), picture)
elementwise("global_avg_pool", lambda x: x.mean((1, 2)), picture)
elementwise("resize_nearest2", lambda x: x.repeat(2, 1).repeat(2, 2), picture)
elementwise("resize_bilinear2", lambda x: bilinear(x, lambda n: (np.arange(2 * n) + 0.5) / 2 - 0.5), picture)
elementwise("resize_bilinear_corners", lambda x: bilinear(x, lambda n: np.arange(2 * n - 1) / 2), picture)


# ---- scan -----------------------------------------------------------------------

def rows_of_13():
    return {"x": N(3, 13)}


elementwise("cumsum", lambda x: np.cumsum(x, -1), rows_of_13)
elementwise("cumsum_reverse", lambda x: np.cumsum(x[:, ::-1], -1)[:, ::-1], rows_of_13)
elementwise("cumprod", lambda x: np.cumprod(x, -1), rows_of_13)
elementwise("cummax", lambda x: np.maximum.accumulate(x, -1), rows_of_13)
elementwise("cummin", lambda x: np.minimum.accumulate(x, -1), rows_of_13)


@row
def linear_scan():
    ins = {"a": U(3, 13), "b": N(3, 13), "h0": N(3)}
    h, out = ins["h0"], np.zeros((3, 13))
    for t in range(13):
        h = ins["a"][:, t] * h + ins["b"][:, t]
        out[:, t] = h
    return ins, {"h": out}


@row
def selective_scan():
    ins = {"u": N(2, 7, 3), "dt": U(2, 7, 3), "a": -U(3, 4), "b": N(2, 7, 4), "c": N(2, 7, 4), "e": N(3)}
    u, dt, a, b, c, e = ins.values()
    h, y = np.zeros((2, 3, 4)), np.zeros((2, 7, 3))
    for t in range(7):
        h = np.exp(dt[:, t, :, None] * a) * h + (dt * u)[:, t, :, None] * b[:, t, None, :]
        y[:, t] = np.einsum("ldn,ln->ld", h, c[:, t]) + e * u[:, t]
    return ins, {"y": y}


# ---- quantise -------------------------------------------------------------------

def fp8(x):
    """Rounded to 3 bits of fraction, ties to even, subnormals below 2^-6; and its code."""
    step = np.exp2(np.maximum(np.frexp(x)[1] - 1, -6) - 3)
    v = np.round(x / step) * step
    m, e = np.frexp(abs(v))
    code = np.where(abs(v) < 2.0 ** -6, abs(v) * 512, (e + 6) * 8 + (m * 16 - 8)).astype(np.uint8)
    return v, (code | np.where(np.signbit(v), 128, 0).astype(np.uint8)).view("V1")


def quantised(x, most):
    """Scales as float32 computes them, and quotients rounded to float32."""
    s = (abs(x).max(-1).astype(np.float32) / np.float32(most)).astype(np.float32)
    return s, (x.astype(np.float32) / np.where(s > 0, s, 1)[:, None]).astype(np.float64)


@row
def quantise_int8():
    x = faint(N(3, 19), 0)
    s, q = quantised(x, 127)
    return {"x": x}, {"q": np.round(q).astype(np.int8), "s": s}


@row
def quantise_fp8():
    x = faint(N(3, 19), 0)
    s, q = quantised(x, 240)
    return {"x": x}, {"q": fp8(q)[1], "s": s}


@row
def dequantise_int8():
    ins = {"q": rng.randint(-128, 128, size=(3, 11)).astype(np.int8), "s": U(3)}
    return ins, {"x": ins["q"] * ins["s"][:, None]}


@row
def dequantise_fp8():
    v, code = fp8(N(3, 11, scale=20))
    s = U(3)
    return {"q": code, "s": s}, {"x": v * s[:, None]}


@row
def linear_int8():
    x, w = (rng.randint(-128, 128, size=n).astype(np.int8) for n in ((3, 21), (21, 5)))
    sx, sw = U(3), U(5)
    return {"x": x, "sx": sx, "w": w, "sw": sw}, {"y": (x.astype(int) @ w.astype(int)) * sx[:, None] * sw}


@row
def linear_fp8():
    (x, cx), (w, cw) = fp8(N(3, 21, scale=9)), fp8(N(21, 5, scale=9))
    sx, sw = U(3), U(5)
    return {"x": cx, "sx": sx, "w": cw, "sw": sw}, {"y": (x @ w) * sx[:, None] * sw}


# ---- optimiser ------------------------------------------------------------------

@row
def sgd():
    ins = {"w": N(3, 7), "g": N(3, 7), "lr": f32(0.1)}
    return ins, {"w": ins["w"] - ins["lr"] * ins["g"]}


@row
def momentum():
    ins = {"w": N(3, 7), "v": N(3, 7), "g": N(3, 7), "lr": f32(0.1), "mu": f32(0.9)}
    v = ins["mu"] * ins["v"] + ins["g"]
    return ins, {"v": v, "w": ins["w"] - ins["lr"] * v}


def adam64(decay):
    ins = {"w": N(3, 7), "m": N(3, 7), "v": U(3, 7), "g": N(3, 7), "lr": f32(0.1), "beta1": f32(0.9), "beta2": f32(0.99),
           **({"decay": f32(0.02)} if decay else {}), "step": np.int32(3)}
    w, m, v, g, lr, b1, b2 = list(ins.values())[:7]
    if decay:
        w = w * (1 - lr * ins["decay"])
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
    return ins, {"m": m, "v": v, "w": w - lr * (m / (1 - b1 ** 3)) / (np.sqrt(v / (1 - b2 ** 3)) + 1e-8)}


@row
def adam():
    return adam64(False)


@row
def adamw():
    return adam64(True)


# ---- running --------------------------------------------------------------------

def save(path, x):
    np.save(path, np.asarray(x, np.float32) if np.asarray(x).dtype == np.float64 else x)


def differs(got, want):
    """What is wrong with a result, or None."""
    want = np.asarray(want)
    if got.shape != want.shape:
        return f"has shape {got.shape}, not {want.shape}"
    if got.dtype.kind != "f":
        return None if (got == want).all() else f"is {got}\nnot {want}"
    off = abs(got - want).max(initial=0)
    # NaN compares false.
    return None if off <= 96 * 2.0 ** -24 * max(abs(want).max(initial=0), 1e-3) else f"is {off} away:\n{got}\nnot {want}"


def one(mode, systole, name):
    rng.seed(sum(map(ord, name)))
    ins, outs = ROWS[name]()
    with tempfile.TemporaryDirectory() as d:
        command = [systole, mode, KERNELS, "--kernel", "k_" + name]
        command += ["--engine=tensor"] if mode == "run" else ["--target=tiny"]
        for n, x in ins.items():
            save(f"{d}/{n}.npy", x)
            command += ["--in", f"{n}={d}/{n}.npy"]
        for n in outs if mode == "run" else []:
            command += ["--out", f"{n}={d}/out.{n}.npy"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            return f"status {done.returncode}\n{done.stdout}"
        for n, want in outs.items() if mode == "run" else []:
            wrong = differs(np.load(f"{d}/out.{n}.npy"), want)
            if wrong:
                return f"{n} {wrong}"
    return None


def names(text, word):
    return set(re.findall(rf"^{word} (\w+)", text, re.M))


def main():
    mode, systole, lib = sys.argv[1:4]
    functions = set()
    for name in os.listdir(lib):
        if name.endswith(".tk"):
            with open(os.path.join(lib, name)) as f:
                functions |= names(f.read(), "fn")
    with open(KERNELS) as f:
        kernels = {k[2:] for k in names(f.read(), "kernel")}
    for what, have in (("row", set(ROWS)), ("kernel", kernels)):
        if have != functions - ELSEWHERE:
            sys.exit(f"functions without a {what}: {functions - ELSEWHERE - have}; {what}s without a function: {have - functions}")
    bad = 0
    for name in sys.argv[4:] or sorted(functions - ELSEWHERE):
        wrong = one(mode, systole, name)
        if wrong:
            bad += 1
            print(f"{name}: {wrong}")
    print(f"{len(functions)} functions, {bad} wrong")
    sys.exit(bad > 0)


main()
