# SPDX-License-Identifier: Apache-2.0
"""What a program means, in NumPy: floats in binary64 without any rounding to
narrower types, integers modulo 2^32. Written from docs/language.md; an oracle
for the whole of Systole, front end included."""
import math

import numpy as np

from lang import (Affine, Binary, Cast, Define, Index, Lit, Read, Recur, Reduce, Scatter, Select, Unary,
                  Whole, FLOATS, children, register)

LIMITS = {"i8": (-2 ** 7, 2 ** 7 - 1), "i16": (-2 ** 15, 2 ** 15 - 1), "i32": (-2 ** 31, 2 ** 31 - 1),
          "u8": (0, 2 ** 8 - 1), "u16": (0, 2 ** 16 - 1), "u32": (0, 2 ** 32 - 1)}
NUMPY = {"f32": np.float64, "i32": np.int64, "u32": np.int64, "bool": np.bool_}


def wrap(dtype, x):
    """Modulo 2^bits, as a number of the type."""
    if dtype == "bool":
        return x != 0
    low, high = LIMITS[dtype]
    return (np.asarray(x, np.int64) - low) % (high - low + 1) + low


def each(f):
    return np.vectorize(f, otypes=[np.float64])


def gelu_tanh(x):  # without the cancellation of 1 + tanh
    return x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))


def sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


F_UNARY = {
    "tanh": np.tanh, "sigmoid": sigmoid, "sin": np.sin, "cos": np.cos, "erf": each(math.erf), "abs": np.abs,
    "relu": lambda x: np.where(x > 0, x, np.where(np.isnan(x), x, 0.0)), "-": np.negative, "neg": np.negative,
    "atan": np.arctan, "floor": np.floor, "round": np.rint, "ceil": np.ceil, "trunc": np.trunc,
    "silu": lambda x: np.where(np.isneginf(x), -0.0, x * sigmoid(x)), "exp": np.exp, "expm1": np.expm1,
    "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x),
    "recip": lambda x: 1 / x, "softplus": lambda x: np.logaddexp(0, x), "tan": np.tan, "asin": np.arcsin,
    "acos": np.arccos, "sinh": np.sinh, "cosh": np.cosh, "square": np.square,
    "sign": lambda x: np.where(x == 0, x, np.sign(x)),
    "gelu": each(lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)) if math.isfinite(x) else max(x, 0 * x) if x == x and x > 0 else (x if x != x else -0.0)),
    "gelu_tanh": lambda x: np.where(np.isneginf(x), -0.0, gelu_tanh(x)),
}


def pick(better, x, y):
    """min or max: NaN wins."""
    return np.where(np.isnan(x) | np.isnan(y), np.nan, np.where(better(x, y), x, y))


def remainder(x, y):
    return np.where(np.isinf(y) & np.isfinite(x), x, np.fmod(x, y))


def power(x, y):
    return np.where(np.isnan(x) | np.isnan(y), np.nan, np.power(x, y))


F_BINARY = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": remainder, "mod": remainder,
    "min": lambda x, y: pick(np.less_equal, x, y), "max": lambda x, y: pick(np.greater_equal, x, y),
    "pow": power, "atan2": np.arctan2,
}
COMPARE = {"==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater,
           ">=": np.greater_equal}


def divide(x, y):
    q = np.abs(x) // np.where(y == 0, 1, np.abs(y))
    return np.where(y == 0, 0, np.where((x < 0) != (y < 0), -q, q))


def modulo(x, y):
    return np.where(y == 0, 0, x - divide(x, y) * y)


def shift(x, y, as_, left):
    k = y & 31
    return wrap(as_, x << k) if left else x >> k


I_BINARY = {
    "+": np.add, "-": np.subtract, "*": lambda x, y: np.asarray(np.multiply(x, y)), "/": divide, "%": modulo,
    "mod": modulo, "min": np.minimum, "max": np.maximum, "&": np.bitwise_and, "|": np.bitwise_or,
    "^": np.bitwise_xor,
}
I_UNARY = {"-": np.negative, "neg": np.negative, "abs": np.abs, "sign": np.sign, "~": np.invert, "not": np.invert}


def to_integer(dtype, x):
    low, high = LIMITS[dtype]
    return np.where(np.isnan(x), 0, np.clip(np.rint(np.nan_to_num(x, nan=0.0)), low, high)).astype(np.int64)


# Bits of significand, least exponent of a normal number, largest finite value.
FORMATS = {"f32": (24, -126, (2 - 2.0 ** -23) * 2.0 ** 127), "tf32": (11, -126, (2 - 2.0 ** -10) * 2.0 ** 127),
           "bf16": (8, -126, (2 - 2.0 ** -7) * 2.0 ** 127), "f16": (11, -14, 65504.0),
           "f8e4m3": (4, -6, 240.0), "f8e5m2": (3, -14, 57344.0), "f8e3m4": (5, -2, 15.5)}


def rounded(dtype, x):
    """To nearest, ties to even; past the largest by half a unit: infinity."""
    bits, least, largest = FORMATS[dtype]
    _, e = np.frexp(np.where(np.isfinite(x), x, 0.0))
    unit = np.ldexp(1.0, np.maximum(e - 1, least) - bits + 1)
    y = np.where(np.isfinite(x), np.rint(x / unit) * unit, x)
    return np.where(np.abs(y) > largest, np.copysign(np.inf, y), y)


def is_constant(e):
    """Known before anything runs; a select that is decided is its arm."""
    if isinstance(e, Select) and isinstance(e.cond, Lit):
        return is_constant(e.x if e.cond.value else e.y)
    if isinstance(e, (Read, Index)):
        return False
    return all(is_constant(c) for _, c in children(e))


def cast(e, x):
    source = e.x.as_
    if e.dtype == "bool":
        return x != 0
    if e.dtype in FLOATS:
        y = rounded(e.dtype, x.astype(np.float64))
        # What is constant is rounded before anything runs; overflow is no
        # rounding error.
        return y if is_constant(e.x) else np.where(np.isinf(y), y, x.astype(np.float64))
    return to_integer(e.dtype, x) if source == "f32" else wrap(e.dtype, x.astype(np.int64))


class Evaluator:
    def __init__(self, program, inputs):
        self.p = program
        self.values = dict(inputs)

    # Every index has an axis; values broadcast over those that they lack.

    def axis(self, env, name):
        names = list(env)
        shape = [1] * len(names)
        shape[names.index(name)] = env[name]
        return np.arange(env[name], dtype=np.int64).reshape(shape)

    def sub(self, s, env):
        if not isinstance(s, Affine):
            return self.expr(s, env)
        x = np.full([1] * len(env), s.const, np.int64)
        for name, k in s.terms:
            x = x + k * self.axis(env, name)
        return x

    def read(self, e, env):
        t = self.values[e.tensor]
        subs = [self.sub(s, env) for s in e.subs]
        inside = np.ones([1] * len(env), bool)
        for d, s in enumerate(subs):
            inside = inside & (s >= 0) & (s < t.shape[d])
        if not inside.all() and e.fill is None:
            raise IndexError(f"{e.tensor} is read outside")
        at = tuple(np.broadcast_to(np.clip(s, 0, n - 1), np.broadcast_shapes(*[x.shape for x in subs]))
                   for s, n in zip(subs, t.shape))
        x = t[at] if subs else np.asarray(t).reshape([1] * len(env))
        return np.where(inside, x, self.expr(e.fill, env)) if e.fill is not None else x

    def reduce(self, e, env):
        inner = dict(env, **{n: self.p.extent(d) for n, d in e.binders})
        shape = tuple(inner.values())
        x = np.broadcast_to(self.expr(e.body, self.widen(inner)), shape)
        keep = np.ones(shape, bool)
        if e.where is not None:
            keep = np.broadcast_to(self.expr(e.where, self.widen(inner)), shape)
        n = len(env)
        x, keep = x.reshape(shape[:n] + (-1,)), keep.reshape(shape[:n] + (-1,))
        body = e.body.as_
        if e.fn in ("any", "all"):
            r = (x & keep).any(-1) if e.fn == "any" else (x | ~keep).all(-1)
        elif e.fn in ("argmax", "argmin"):
            y = x if e.fn == "argmax" else -x
            nan = np.isnan(y) if body == "f32" else np.zeros(y.shape, bool)
            r = np.where(nan.any(-1), nan.argmax(-1), np.where(nan, 0, y).argmax(-1))
        elif e.fn in ("sum", "prod"):
            x = np.where(keep, x, e.fn == "prod")
            r = x.sum(-1) if e.fn == "sum" else self.product(x, body)
            r = r if body == "f32" else wrap(body, r)
        else:
            worst = {"f32": np.inf}.get(body) or LIMITS[body][1]
            least = {"f32": -np.inf}.get(body, LIMITS.get(body, (0,))[0])
            x = np.where(keep, x, least if e.fn == "max" else worst)
            r = x.max(-1) if e.fn == "max" else x.min(-1)
        return np.asarray(r).reshape(shape[:n])

    @staticmethod
    def product(x, body):
        if body == "f32":
            return x.prod(-1)
        r = np.ones(x.shape[:-1], np.int64)
        for k in range(x.shape[-1]):
            r = wrap(body, r * x[..., k])
        return r

    @staticmethod
    def widen(env):
        return env

    def expr(self, e, env):
        if isinstance(e, Lit):
            value = float(np.float32(e.value)) if e.as_ == "f32" else e.value
            return np.full([1] * len(env), value, NUMPY[e.as_])
        if isinstance(e, Index):
            return self.axis(env, e.name)
        if isinstance(e, Read):
            return self.read(e, env)
        if isinstance(e, Reduce):
            return self.reduce(e, env)
        if isinstance(e, Select):
            c, x, y = (self.expr(z, env) for z in (e.cond, e.x, e.y))
            return np.where(c, x, y)
        x = self.expr(e.x, env)
        if isinstance(e, Cast):
            return cast(e, x)
        r = self.unary(e, x) if isinstance(e, Unary) else self.binary(e, x, self.expr(e.y, env))
        return rounded("f32", r) if e.as_ == "f32" and is_constant(e) else r

    @staticmethod
    def unary(e, x):
        if e.fn == "isnan":
            return np.isnan(x)
        if e.as_ == "bool":
            return ~x
        if e.as_ == "f32":
            return F_UNARY[e.fn](x)
        if e.as_ == "u32" and e.fn in ("abs",):
            return x
        return wrap(e.as_, I_UNARY[e.fn](x))

    @staticmethod
    def binary(e, x, y):
        of = e.x.as_
        if e.fn in COMPARE:
            return COMPARE[e.fn](x, y)
        if of == "bool":
            return {"&": x & y, "&&": x & y, "|": x | y, "||": x | y, "^": x ^ y}[e.fn]
        if of == "f32":
            return F_BINARY[e.fn](x, y)
        if e.fn in ("<<", ">>"):
            return shift(x, y, of, e.fn == "<<")
        return wrap(of, I_BINARY[e.fn](x, y))

    # ---- statements

    def stored(self, dtype, as_, x):
        """A value of register type as_ in a tensor."""
        if dtype in FLOATS or dtype == "bool":
            return x
        return wrap(dtype, x)

    def shape(self, t):
        return tuple(self.p.extent(d) for d in t.shape)

    def define(self, s):
        env = {i: self.p.extent(d) for i, d in zip(s.indices, s.out.shape)}
        x = np.broadcast_to(self.expr(s.value, env), self.shape(s.out))
        self.values[s.out.name] = self.stored(s.out.dtype, s.value.as_, np.array(x))

    def whole(self, s):
        a = [self.values[n] if isinstance(n, str) else n for n in s.args]
        if s.ops == "@":
            out = (a[0] @ a[1],)
        elif s.ops:
            out = (F_BINARY[s.ops](a[0], a[1]),)
        elif s.fn in ("softmax", "log_softmax"):
            z = a[0] - a[0].max(-1, keepdims=True)
            t = np.exp(z).sum(-1, keepdims=True)
            out = (np.exp(z) / t if s.fn == "softmax" else z - np.log(t),)
        else:
            out = self.sorted(s, a)
        for t, x in zip(s.outs, out):
            self.values[t.name] = x

    @staticmethod
    def sorted(s, a):
        x, axis = a[0], a[-1]
        rank = np.isnan(x) if x.dtype == np.float64 else np.zeros(x.shape, bool)
        key = np.where(rank, 0, x)
        if s.fn == "topk":
            key, rank = -key.astype(np.float64), ~rank
        # The last key is the first that counts; lexsort is stable.
        order = np.lexsort((np.moveaxis(key, axis, -1), np.moveaxis(rank, axis, -1)), axis=-1)
        order = np.moveaxis(order, -1, axis)
        if s.fn == "topk":
            order = np.take(order, np.arange(a[1]), axis)
            return np.take_along_axis(x, order, axis), order
        return (order,) if s.fn == "argsort" else (np.take_along_axis(x, order, axis),)

    def scatter(self, s):
        env = {i: self.p.extent(d) for i, d in s.indices}
        space = tuple(env.values())
        as_ = register(s.out.dtype)
        start = {"max=": -np.inf, "min=": np.inf}.get(s.op, 0.0)
        if as_ != "f32":
            start = {"max=": LIMITS[as_][0], "min=": LIMITS[as_][1]}.get(s.op, 0) if as_ != "bool" else False
        out = np.full(self.shape(s.out), start, NUMPY[as_])
        subs = [np.broadcast_to(self.sub(x, env), space).ravel() for x in s.subs]
        value = np.broadcast_to(self.expr(s.value, env), space).ravel()
        keep = np.ones(space, bool) if s.where is None else np.broadcast_to(self.expr(s.where, env), space)
        for k in np.flatnonzero(keep.ravel()):
            at = tuple(int(x[k]) for x in subs)
            if any(i < 0 or i >= n for i, n in zip(at, out.shape)):
                raise IndexError(f"{s.out.name} is written outside")
            old, new = out[at], value[k]
            out[at] = (new if s.op == "=" else old + new if s.op == "+=" else
                       F_BINARY[s.op[:3]](old, new) if as_ == "f32" else I_BINARY[s.op[:3]](old, new))
            if as_ in ("i32", "u32"):
                out[at] = wrap(as_, out[at])
        self.values[s.out.name] = self.stored(s.out.dtype, as_, out)

    def recur(self, s):
        """One time after the other; reads before the first get the inits."""
        shape = self.shape(s.out)
        n, lag = shape[s.time], len(s.inits)
        rest = {i: self.p.extent(d) for k, (i, d) in enumerate(zip(s.indices, s.out.shape)) if k != s.time}
        line = np.zeros(shape[:s.time] + (n + lag,) + shape[s.time + 1:], NUMPY[register(s.out.dtype)])
        # Stored with the first of the inits nearest to the first time.
        order = range(n)[::-1] if s.backward else range(n)
        for k, (_, init) in enumerate(s.inits):
            place = n + k if s.backward else lag - 1 - k
            here = [slice(None)] * len(shape)
            here[s.time] = place
            # An element of the tensor like all others: of its type.
            start = self.stored(s.out.dtype, init.as_, self.expr(init, rest))
            if s.out.dtype in FLOATS and is_constant(init):
                start = rounded(s.out.dtype, start)
            line[tuple(here)] = np.broadcast_to(start, tuple(rest.values()))
        shift_by = 0 if s.backward else lag
        for t in order:
            self.values[s.out.name] = line
            env = {i: self.p.extent(d) for i, d in zip(s.indices, s.out.shape)}
            x = self.at_time(s, env, t, shift_by)
            here = [slice(None)] * len(shape)
            here[s.time] = t + shift_by
            line[tuple(here)] = self.stored(s.out.dtype, s.value.as_, x)
        keep = [slice(None)] * len(shape)
        keep[s.time] = slice(shift_by, shift_by + n)
        self.values[s.out.name] = line[tuple(keep)]

    def at_time(self, s, env, t, shift_by):
        name = s.indices[s.time]
        outer = self

        class AtTime(Evaluator):
            def axis(self, env, index):
                if index == name:
                    return np.full([1] * len(env), t, np.int64)
                return Evaluator.axis(self, env, index)

            def read(self, e, env):
                if e.tensor == s.out.name:
                    subs = list(e.subs)
                    subs[s.time] = Affine(subs[s.time].terms, subs[s.time].const + shift_by)
                    e = Read(e.tensor, e.as_, tuple(subs), e.fill)
                return Evaluator.read(self, e, env)

        env = {i: 1 if i == name else n for i, n in env.items()}
        inner = AtTime(self.p, {})
        inner.values = outer.values
        x = np.broadcast_to(inner.expr(s.value, env), tuple(env.values()))
        return np.take(x, 0, axis=s.time)

    def run(self):
        with np.errstate(all="ignore"):
            for s in self.p.body:
                {Define: self.define, Whole: self.whole, Scatter: self.scatter, Recur: self.recur}[type(s)](s)
        return {t.name: self.values[t.name] for t in self.p.results}


def draw(program, seed):
    """Inputs, as what they are worth and as arrays for .npy files."""
    rng = np.random.default_rng(seed)
    values, files = {}, {}
    for t in program.params:
        shape = tuple(program.extent(d) for d in t.shape)
        if t.dtype in FLOATS:
            x = rng.integers(-24, 25, shape) / 8.0  # exact in every type but the narrowest
            x = rounded(t.dtype, x)
            values[t.name], files[t.name] = np.asarray(x, np.float64), np.asarray(x, np.float32)
        elif t.dtype == "bool":
            x = np.asarray(rng.integers(0, 2, shape), bool)
            values[t.name] = files[t.name] = x
        else:
            low = 0 if t.dtype[0] == "u" else -9
            x = np.asarray(rng.integers(low, 10, shape), np.int64)
            values[t.name], files[t.name] = x, x.astype({"i": "int", "u": "uint"}[t.dtype[0]] + t.dtype[1:])
    return values, files


def evaluate(program, values):
    return Evaluator(program, values).run()
