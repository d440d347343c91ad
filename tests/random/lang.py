# SPDX-License-Identifier: Apache-2.0
"""Programs of the language as data: what the generator makes, the printer
writes, the evaluator computes and the shrinker takes apart. Written from
docs/language.md; shares nothing with the compiler.

Extents are names of dims, looked up in Program.dims when a program is printed,
so that the shrinker can make them smaller everywhere at once."""
from dataclasses import dataclass, field, fields, replace
from typing import Optional

FLOATS = ["f32", "tf32", "f16", "bf16", "f8e4m3", "f8e5m2", "f8e3m4"]
SIGNED = ["i8", "i16", "i32"]
UNSIGNED = ["u8", "u16", "u32"]
DTYPES = FLOATS + SIGNED + UNSIGNED + ["bool"]


def register(dtype):
    """The type a value of 'dtype' has in an expression."""
    if dtype in FLOATS:
        return "f32"
    return dtype if dtype in ("u32", "bool") else "i32"


# ---- expressions: 'as_' is the register type of the value

@dataclass(frozen=True)
class Lit:
    as_: str
    value: object


@dataclass(frozen=True)
class Index:
    """The value of an index, an i32."""
    name: str
    as_: str = "i32"


@dataclass(frozen=True)
class Affine:
    """A subscript: the sum of const and coefficient * index."""
    terms: tuple  # of (index name, coefficient)
    const: int = 0


@dataclass(frozen=True)
class Read:
    tensor: str
    as_: str
    subs: tuple  # of Affine, or of i32 expressions: a gather
    fill: Optional[Lit] = None


@dataclass(frozen=True)
class Unary:
    fn: str  # a name, or one of - ! ~
    as_: str
    x: object


@dataclass(frozen=True)
class Binary:
    fn: str  # a name, or an operator
    as_: str
    x: object
    y: object


@dataclass(frozen=True)
class Select:
    as_: str
    cond: object
    x: object
    y: object


@dataclass(frozen=True)
class Cast:
    as_: str
    dtype: str
    x: object


@dataclass(frozen=True)
class Reduce:
    fn: str
    as_: str
    binders: tuple  # of (index name, dim)
    body: object
    where: object = None


# ---- statements

@dataclass(frozen=True)
class Tensor:
    name: str
    dtype: str
    shape: tuple  # of dims


@dataclass(frozen=True)
class Define:
    """out[indices] = value; ranges are stated for the indices in 'stated'."""
    out: Tensor
    indices: tuple
    value: object
    stated: tuple = ()


@dataclass(frozen=True)
class Whole:
    """out = fn(args), whole tensors; 'outs' has several for (a, b) = .."""
    outs: tuple
    fn: str
    args: tuple  # of tensor names and numbers
    ops: str = ""


@dataclass(frozen=True)
class Scatter:
    out: Tensor
    op: str  # = += max= min=
    subs: tuple  # of Affine or i32 expressions
    indices: tuple  # of (name, dim), the statement's
    value: object
    where: object = None


@dataclass(frozen=True)
class Recur:
    """out[.., t, ..] = value with out[.., -1, ..] = init."""
    out: Tensor
    indices: tuple
    time: int  # position of t among them
    value: object
    inits: tuple  # of (time subscript as text, expression)
    backward: bool = False


@dataclass(frozen=True)
class Program:
    name: str
    dims: tuple  # of (name, extent)
    params: tuple  # of Tensor
    inouts: frozenset
    results: tuple  # of Tensor
    body: tuple

    def extent(self, dim):
        return dict(self.dims)[dim]


CHILDREN = ("x", "y", "cond", "body", "where", "value")


def children(node):
    """(path, child) of every expression directly below a node or statement."""
    if isinstance(node, (Lit, Index)):
        return
    for f in fields(node):
        v = getattr(node, f.name)
        if f.name in CHILDREN and v is not None:
            yield (f.name, None), v
        elif f.name == "subs":
            for k, s in enumerate(v):
                if not isinstance(s, Affine):
                    yield (f.name, k), s
        elif f.name == "inits":
            for k, s in enumerate(v):
                yield (f.name, k), s[1]


def with_child(node, path, child):
    name, k = path
    if k is None:
        return replace(node, **{name: child})
    seq = list(getattr(node, name))
    seq[k] = (seq[k][0], child) if name == "inits" else child
    return replace(node, **{name: tuple(seq)})


def walk(node):
    yield node
    for _, c in children(node):
        yield from walk(c)


# ---- text

def literal(lit):
    v = lit.value
    if lit.as_ == "bool":
        return "true" if v else "false"
    if lit.as_ == "f32":
        if v != v:
            return "nan"
        if v in (float("inf"), float("-inf")):
            return "inf" if v > 0 else "(-inf)"
        text = repr(float(v))
        return f"({text})" if text.startswith("-") else text
    text = str(int(v))
    if lit.as_ == "u32":
        return f"cast({text}, u32)"
    if v == -2 ** 31:
        return "(-2147483647 - 1)"
    return f"({text})" if v < 0 else text


def fill(lit):
    """A constant, which takes the tensor's type."""
    return str(lit.value) if lit.as_ == "u32" else literal(lit)


def affine(a):
    text = ""
    for name, k in a.terms:
        sign = "-" if k < 0 else "+" if text else ""
        text += f" {sign} " if text else sign
        text += name if abs(k) == 1 else f"{abs(k)}*{name}"
    if a.const or not text:
        text += f" {'-' if a.const < 0 else '+'} {abs(a.const)}" if text else str(a.const)
    return text


def subscripts(subs):
    return ", ".join(affine(s) if isinstance(s, Affine) else expr(s) for s in subs)


def expr(e):
    """Fully parenthesised but for what binds tightest."""
    if isinstance(e, Lit):
        return literal(e)
    if isinstance(e, Index):
        return e.name
    if isinstance(e, Read):
        text = f"{e.tensor}[{subscripts(e.subs)}]" if e.subs else e.tensor
        return f"({text} else {fill(e.fill)})" if e.fill else text
    if isinstance(e, Unary):
        return f"({e.fn}{expr(e.x)})" if e.fn in "-!~" else f"{e.fn}({expr(e.x)})"
    if isinstance(e, Binary):
        if e.fn[0].isalpha():
            return f"{e.fn}({expr(e.x)}, {expr(e.y)})"
        return f"({expr(e.x)} {e.fn} {expr(e.y)})"
    if isinstance(e, Select):
        return f"select({expr(e.cond)}, {expr(e.x)}, {expr(e.y)})"
    if isinstance(e, Cast):
        return f"cast({expr(e.x)}, {e.dtype})"
    where = f" where {expr(e.where)}" if e.where is not None else ""
    binders = ", ".join(f"{n} in 0..{d}" for n, d in e.binders)
    return f"({e.fn}[{binders}{where}] ({expr(e.body)}))"


def tensor_type(p, t):
    shape = ", ".join(str(p.extent(d)) for d in t.shape)
    return f"{t.dtype}[{shape}]" if t.shape else t.dtype


def with_extents(p, text):
    """Dims in ranges become numbers; dim names are unlike all others."""
    for name, extent in sorted(p.dims, key=lambda d: -len(d[0])):
        text = text.replace(f"..{name}", f"..{extent}")
    return text


def statement(s):
    if isinstance(s, Define):
        if not s.indices:
            return f"{s.out.name} = {expr(s.value)}"
        ranges = "".join(f"for {i} in 0..{d} " for i, d in s.stated)
        return f"{ranges}{s.out.name}[{', '.join(s.indices)}] = {expr(s.value)}"
    if isinstance(s, Whole):
        names = ", ".join(t.name for t in s.outs)
        outs = f"({names})" if len(s.outs) > 1 else names
        if s.ops:
            return f"{outs} = {f' {s.ops} '.join(s.args)}"
        return f"{outs} = {s.fn}({', '.join(str(a) for a in s.args)})"
    if isinstance(s, Scatter):
        ranges = "".join(f"for {i} in 0..{d} " for i, d in s.indices)
        where = f" where {expr(s.where)}" if s.where is not None else ""
        return f"{ranges}{s.out.name}[{subscripts(s.subs)}] {s.op} {expr(s.value)}{where}"
    ranges = "".join(f"for {i} in 0..{d} " for i, d in zip(s.indices, s.out.shape))
    inits = ", ".join(f"{s.out.name}[{', '.join(at if k == s.time else i for k, i in enumerate(s.indices))}]"
                      f" = {expr(e)}" for at, e in s.inits)
    return f"{ranges}{s.out.name}[{', '.join(s.indices)}] = {expr(s.value)} with {inits}"


def source(p):
    params = ", ".join(f"{'inout ' if t.name in p.inouts else ''}{t.name}: {tensor_type(p, t)}"
                       for t in p.params)
    results = ", ".join(f"{t.name}: {tensor_type(p, t)}" for t in p.results)
    body = "".join(f"  {with_extents(p, statement(s))}\n" for s in p.body)
    return f"kernel {p.name}({params}) -> ({results}) {{\n{body}}}\n"
