# SPDX-License-Identifier: Apache-2.0
"""Random well-typed programs: every construct, ranks 0 to 5, extents 1 and
primes, all element types. make(seed) always gives the same program."""
import random

from lang import (Affine, Binary, Cast, Define, Index, Lit, Program, Read, Recur, Reduce, Scatter,
                  Select, Tensor, Unary, Whole, DTYPES, FLOATS, SIGNED, register)

EXTENTS = [1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 11, 13, 16, 17, 19, 23, 29, 31, 37, 41, 64, 67]
TENSOR_MAX = 1500  # elements
SPACE_MAX = 60000  # points of one operation

# Those whose values stay moderate come several times.
F_UNARY = (["tanh", "sigmoid", "sin", "cos", "erf", "abs", "relu", "-", "atan", "floor", "round", "silu"] * 3 +
           ["exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "recip", "gelu", "gelu_tanh", "softplus", "tan",
            "asin", "acos", "sinh", "cosh", "square", "ceil", "trunc", "sign", "neg"])
F_BINARY = ["+", "-", "*", "min", "max"] * 4 + ["/", "pow", "atan2", "%", "mod"]
I_UNARY = ["-", "abs", "sign", "~", "neg", "not"]
I_BINARY = ["+", "-", "*", "min", "max", "&", "|", "^"] * 2 + ["/", "%", "<<", ">>", "mod"]
COMPARE = ["==", "!=", "<", "<=", ">", ">="]
F_REDUCE = ["sum"] * 4 + ["max", "min"] * 2 + ["prod"]
F_LITERALS = [0.0, 1.0, -1.0, 0.5, -0.25, 2.0, 0.125, 1.5, 3.0, -2.75, 0.1]
LIBRARY = [("softmax", 1, 4), ("log_softmax", 1, 3)]


class Maker:
    def __init__(self, seed, features):
        self.rng = random.Random(seed)
        self.features = features
        self.seed = seed
        self.reached = set()
        self.serial = 0
        self.tensors = []
        self.body = []
        self.dims = {}

    # ---- small things

    def note(self, construct, dtype="", rank=""):
        self.reached.add((construct, dtype, rank))

    def chance(self, p):
        return self.rng.random() < p

    def fresh(self, stem):
        self.serial += 1
        return f"{stem}{self.serial}"

    def extent(self, dim):
        return self.dims[dim]

    def elems(self, dims):
        n = 1
        for d in dims:
            n *= self.extent(d)
        return n

    def shape(self, rank):
        """Dims of a tensor that is not too large."""
        for _ in range(20):
            dims = tuple(self.rng.choice(list(self.dims)) for _ in range(rank))
            if self.elems(dims) <= TENSOR_MAX:
                return dims
        return dims[:1] if rank else ()

    def rank(self):
        return self.rng.choices(range(6), [1, 4, 6, 4, 2, 1])[0]

    # ---- expressions

    def literal(self, as_):
        if as_ == "f32":
            return Lit(as_, self.rng.choice(F_LITERALS))
        if as_ == "bool":
            return Lit(as_, self.chance(0.5))
        low = 0 if as_ == "u32" else -9
        return Lit(as_, self.rng.choice([self.rng.randint(low, 9), self.rng.randint(low, 9), 1000, 65537]))

    def affine(self, dim, env):
        """A subscript inside 0..extent, if the index allows one."""
        n = self.extent(dim)
        plain = [i for i, d in env.items() if d == dim]
        if plain and self.chance(0.75):
            return Affine(((self.rng.choice(plain), 1),))
        small = [i for i, d in env.items() if self.extent(d) <= n]
        if small and self.chance(0.6):
            i = self.rng.choice(small)
            e = self.extent(env[i])
            if self.chance(0.3):  # reversed
                return Affine(((i, -1),), e - 1 + self.rng.randint(0, n - e))
            k = self.rng.choice([1, 2, 3])
            while (e - 1) * k >= n:
                k -= 1
            k = max(k, 1)
            c = self.rng.randint(0, n - 1 - (e - 1) * k)
            if (k, c) != (1, 0) or n == e:  # alone, it would have to agree
                return Affine(((i, k),), c)
        return Affine((), self.rng.randrange(n))

    def loose(self, dim, env):
        """A subscript that may lie outside."""
        terms = tuple((i, self.rng.choice([1, 2, -1]))
                      for i in self.rng.sample(list(env), min(len(env), self.rng.randint(1, 2))))
        c = self.rng.randint(-3, 3)
        if len(terms) == 1 and terms[0][1] == 1 and c == 0:
            c = 1
        return Affine(terms, c)

    def in_range(self, dim, env, depth):
        """An i32 expression in 0..extent: a gather's subscript."""
        n = self.extent(dim)
        x = self.expr("i32", env, depth - 1)
        if self.chance(0.5):
            return Binary("min", "i32", Binary("max", "i32", x, Lit("i32", 0)), Lit("i32", n - 1))
        return Binary("%", "i32", Binary("&", "i32", x, Lit("i32", 2 ** 20 - 1)), Lit("i32", n))

    def read(self, as_, env, depth):
        fits = [t for t in self.tensors if register(t.dtype) == as_]
        if not fits:
            return None
        t = self.rng.choice(fits)
        # Rather a tensor whose dims are among the indices.
        good = [x for x in fits if x.shape and set(x.shape) <= set(env.values())]
        if good and self.chance(0.6):
            t = self.rng.choice(good)
        fill = None
        if t.shape and env and self.chance(0.12):
            subs = tuple(self.loose(d, env) if self.chance(0.6) else self.affine(d, env) for d in t.shape)
            fill = self.literal(as_)
            self.note("fill", t.dtype, len(t.shape))
        elif t.shape and depth > 1 and "gather" in self.features and self.chance(0.12):
            subs = [self.affine(d, env) for d in t.shape]
            for k in self.rng.sample(range(len(subs)), self.rng.randint(1, len(subs))):
                subs[k] = self.in_range(t.shape[k], env, depth)
            subs = tuple(subs)
            self.note("gather", t.dtype, len(t.shape))
        else:
            subs = tuple(self.affine(d, env) for d in t.shape)
            self.note("read", t.dtype, len(t.shape))
        return Read(t.name, as_, subs, fill)

    def leaf(self, as_, env, depth):
        if self.chance(0.8):
            r = self.read(as_, env, depth)
            if r is not None:
                return r
        if as_ == "i32" and env and self.chance(0.5):
            self.note("index")
            return Index(self.rng.choice(list(env)))
        return self.literal(as_)

    def reduction(self, as_, env, depth):
        room = SPACE_MAX // max(1, self.elems(env.values()))
        binders, inner = [], dict(env)
        for _ in range(self.rng.randint(1, 2)):
            d = self.rng.choice(list(self.dims))
            if self.extent(d) <= room:
                room //= self.extent(d)
                name = self.fresh("r")
                binders.append((name, d))
                inner[name] = d
        if not binders:
            return self.leaf(as_, env, depth)
        where = self.expr("bool", inner, depth - 2) if self.chance(0.2) else None
        if as_ == "bool":
            fn, body_as = self.rng.choice(["any", "all"]), "bool"
        elif as_ == "i32" and self.chance(0.3):
            fn, body_as, where = self.rng.choice(["argmax", "argmin"]), self.rng.choice(["f32", "i32"]), None
        else:
            fn, body_as = self.rng.choice(F_REDUCE), as_
        self.note(f"reduce {fn}", body_as, len(env))
        if where is not None:
            self.note("reduce where", body_as, len(env))
        return Reduce(fn, as_, tuple(binders), self.expr(body_as, inner, depth - 1), where)

    def cast(self, as_, env, depth):
        dtype = self.rng.choice([t for t in DTYPES if register(t) == as_])
        source = self.rng.choice(["f32", "i32", "u32", "bool", as_, as_])
        self.note(f"cast from {source}", dtype)
        return Cast(as_, dtype, self.expr(source, env, depth - 1))

    def expr(self, as_, env, depth):
        if depth <= 0:
            return self.leaf(as_, env, depth)
        p = self.rng.random()
        if p < 0.2:
            return self.leaf(as_, env, depth)
        if p < 0.3:
            return self.cast(as_, env, depth)
        if p < 0.38:
            self.note("select", as_)
            return Select(as_, self.expr("bool", env, depth - 1), self.expr(as_, env, depth - 1),
                          self.expr(as_, env, depth - 1))
        if p < 0.5:
            return self.reduction(as_, env, depth)
        if as_ == "bool":
            return self.bool_expr(env, depth)
        unary, binary = (F_UNARY, F_BINARY) if as_ == "f32" else (I_UNARY, I_BINARY)
        if p < 0.7:
            fn = self.rng.choice(unary if as_ != "u32" else ["~", "not", "abs", "sign"])
            self.note(fn, as_)
            return Unary(fn, as_, self.expr(as_, env, depth - 1))
        fn = self.rng.choice(binary)
        self.note(fn, as_)
        return Binary(fn, as_, self.expr(as_, env, depth - 1), self.expr(as_, env, depth - 1))

    def bool_expr(self, env, depth):
        p = self.rng.random()
        if p < 0.15:
            self.note("!", "bool")
            return Unary("!", "bool", self.expr("bool", env, depth - 1))
        if p < 0.35:
            fn = self.rng.choice(["&&", "||", "&", "|", "^", "==", "!="])
            self.note(fn, "bool")
            return Binary(fn, "bool", self.expr("bool", env, depth - 1), self.expr("bool", env, depth - 1))
        if p < 0.4:
            self.note("isnan", "f32")
            return Unary("isnan", "bool", self.expr("f32", env, depth - 1))
        of = self.rng.choice(["f32", "i32", "i32", "u32"])
        fn = self.rng.choice(COMPARE)
        self.note(fn, of)
        return Binary(fn, "bool", self.expr(of, env, depth - 1), self.expr(of, env, depth - 1))

    # ---- statements

    def fixed(self, value, indices):
        """Indices that stand alone in a subscript of a read without fill."""
        from lang import walk
        found = set()
        for e in walk(value):
            if isinstance(e, Read) and e.fill is None:
                found |= {s.terms[0][0] for s in e.subs
                          if isinstance(s, Affine) and len(s.terms) == 1 and s.terms[0][1] == 1 and not s.const}
        return found & set(indices)

    def define(self, out, is_result):
        indices = tuple(self.fresh("i") for _ in out.shape)
        env = dict(zip(indices, out.shape))
        as_ = register(out.dtype)
        depth = self.rng.randint(1, 5)
        value = self.expr(as_, env, depth)
        if not is_result and (out.dtype != as_ or isinstance(value, Lit)):
            value = Cast(as_, out.dtype, value)
        fixed = set(indices) if is_result else self.fixed(value, indices)
        stated = tuple((i, d) for i, d in env.items() if i not in fixed or self.chance(0.2))
        self.note("define", out.dtype, len(out.shape))
        self.body.append(Define(out, indices, value, stated))

    def whole(self):
        """softmax(x), a @ b, a + b; a new temp, or None if nothing fits."""
        floats = [t for t in self.tensors if t.dtype in FLOATS and t.shape]
        kind = self.rng.choice(["library", "matmul", "elementwise"])
        if kind == "library":
            fn, low, high = self.rng.choice(LIBRARY)
            fits = [t for t in floats if low <= len(t.shape) <= high]
            if fits:
                t = self.rng.choice(fits)
                out = Tensor(self.fresh("t"), "f32", t.shape)
                self.note(fn, t.dtype, len(t.shape))
                return Whole((out,), fn, (t.name,))
        elif kind == "matmul":
            pairs = [(a, b) for a in floats for b in floats
                     if len(a.shape) == len(b.shape) >= 2 and a.shape[-1] == b.shape[-2]
                     and a.shape[:-2] == b.shape[:-2]]
            if pairs:
                a, b = self.rng.choice(pairs)
                shape = a.shape[:-1] + b.shape[-1:]
                if self.elems(shape) * self.extent(a.shape[-1]) <= SPACE_MAX:
                    self.note("@", a.dtype, len(shape))
                    return Whole((Tensor(self.fresh("t"), "f32", shape),), "", (a.name, b.name), "@")
        else:
            pairs = [(a, b) for a in floats for b in floats if a.shape == b.shape]
            if pairs:
                a, b = self.rng.choice(pairs)
                op = self.rng.choice(["+", "-", "*"])
                self.note(f"whole {op}", a.dtype, len(a.shape))
                return Whole((Tensor(self.fresh("t"), "f32", a.shape),), "", (a.name, b.name), op)
        return None

    def scatter(self, out):
        """Defines a result by a scatter."""
        op = self.rng.choice(["=", "+=", "max=", "min="])
        count = self.rng.randint(1, 2)
        indices = [(self.fresh("i"), self.rng.choice(list(self.dims))) for _ in range(count)]
        while self.elems(d for _, d in indices) > TENSOR_MAX:
            indices.pop()
        env = dict(indices)
        subs = [self.affine(d, env) for d in out.shape]
        k = self.rng.randrange(len(subs))
        subs[k] = self.in_range(out.shape[k], env, 2)
        where = self.expr("bool", env, 2) if self.chance(0.3) else None
        as_ = register(out.dtype)
        self.note(f"scatter {op}", out.dtype, len(out.shape))
        self.body.append(Scatter(out, op, tuple(subs), tuple(indices), self.expr(as_, env, 3), where))

    def recurrence(self, out):
        indices = tuple(self.fresh("i") for _ in out.shape)
        time = self.rng.randrange(len(indices))
        env = dict(zip(indices, out.shape))
        back = self.chance(0.25)
        lag = 1 if self.chance(0.85) else 2
        as_ = register(out.dtype)
        step = lag if back else -lag
        state = Read(out.name, as_, tuple(Affine(((i, 1),), step if k == time else 0)
                                          for k, i in enumerate(indices)))
        t = indices[time]
        a, b = self.expr(as_, env, 2), self.expr(as_, env, 2)
        if as_ == "f32":
            kind = self.rng.choice(["linear", "max", "tanh", "sum"])
            damp = Binary("*", as_, Unary("tanh", as_, a), state)
            value = {"linear": Binary("+", as_, damp, b), "max": Binary("max", as_, state, b),
                     "tanh": Unary("tanh", as_, Binary("+", as_, damp, b)),
                     "sum": Binary("+", as_, state, b)}[kind]
        else:
            kind = "integer"
            value = Binary(self.rng.choice(["+", "max", "^"]), as_, state, b)
        n = self.extent(out.shape[time])
        rest = {i: d for i, d in env.items() if i != t}
        inits = tuple((str(n - 1 + k) if back else str(-k), self.expr(as_, rest, 1))
                      for k in range(1, lag + 1))
        if lag == 2 and n < 2:
            return self.define(out, True)
        self.note(f"recurrence {kind}{' backward' if back else ''} lag {lag}", out.dtype, len(out.shape))
        self.body.append(Recur(out, indices, time, value, inits, back))

    def sort(self):
        fits = [t for t in self.tensors if t.shape and t.dtype != "bool"]
        if not fits:
            return None
        t = self.rng.choice(fits)
        axis = self.rng.randrange(len(t.shape))
        kind = self.rng.choice(["sort", "argsort", "topk"])
        self.note(kind, t.dtype, len(t.shape))
        if kind == "topk":
            full = [d for d in self.dims if self.extent(d) <= self.extent(t.shape[axis])]
            k = self.rng.choice(full)
            shape = t.shape[:axis] + (k,) + t.shape[axis + 1:]
            outs = (Tensor(self.fresh("t"), t.dtype, shape), Tensor(self.fresh("t"), "i32", shape))
            return Whole(outs, "topk", (t.name, self.extent(k), axis))
        dtype = "i32" if kind == "argsort" else t.dtype
        return Whole((Tensor(self.fresh("t"), dtype, t.shape),), kind, (t.name, axis))

    def dtype(self):
        return self.rng.choice(["f32"] * 6 + ["bf16"] * 2 + DTYPES)

    def program(self):
        r = self.rng
        for k in range(r.randint(2, 4)):
            self.dims[f"D{k}"] = r.choice(EXTENTS)
        params = []
        for _ in range(r.randint(1, 4)):
            t = Tensor(self.fresh("x"), self.dtype(), self.shape(self.rank()))
            params.append(t)
            self.note("input", t.dtype, len(t.shape))
        self.tensors += params
        for _ in range(r.randint(0, 4)):
            p = r.random()
            s = self.whole() if p < 0.2 else self.sort() if p < 0.3 and "sort" in self.features else None
            if s is None:
                self.define(Tensor(self.fresh("t"), self.dtype(), self.shape(self.rank())), False)
                s = self.body[-1]
                self.tensors.append(s.out)
            else:
                self.body.append(s)
                self.tensors += s.outs
        inouts = self.update(params) if "inout" in self.features and self.chance(0.15) else frozenset()
        results = []
        for _ in range(r.randint(0 if inouts else 1, 3)):
            t = Tensor(self.fresh("y"), self.dtype(), self.shape(self.rank()))
            p = r.random()
            wide = t.dtype in ("f32", "i32", "u32") or p < 0.05
            if t.shape and p < 0.12 and "scatter" in self.features and wide and t.dtype != "bool":
                self.scatter(t)
            elif t.shape and 0.12 <= p < 0.26 and "recurrence" in self.features and t.dtype != "bool":
                self.recurrence(t)
            else:
                self.define(t, True)
            results.append(t)
            self.tensors.append(t)
        return Program(f"k{self.seed}", tuple(self.dims.items()), tuple(params), inouts, tuple(results),
                       tuple(self.body))

    def update(self, params):
        """One parameter becomes 'inout', updated at its own elements."""
        t = self.rng.choice(params)
        self.note("inout", t.dtype, len(t.shape))
        self.define(t, True)
        return frozenset([t.name])


def make(seed, features):
    m = Maker(seed, features)
    return m.program(), m.reached
