# SPDX-License-Identifier: Apache-2.0
"""Makes a failing program small: tries simpler ones, in rounds, and keeps
whatever still fails in the same way."""
from dataclasses import replace

from lang import (Cast, Define, Lit, Program, Read, Recur, Scatter, Whole, children, walk, with_child)


def defined(s):
    return [t.name for t in s.outs] if isinstance(s, Whole) else [s.out.name]


def used(s):
    names = set(str(a) for a in s.args) if isinstance(s, Whole) else set()
    if not isinstance(s, Whole):
        names |= {e.tensor for e in walk(s) if isinstance(e, Read)}
    return names


def consistent(p):
    """Without the parameters, results and statements that no longer belong."""
    here = {n for s in p.body for n in defined(s)}
    results = tuple(t for t in p.results if t.name in here)
    needed = {t.name for t in results} | set(p.inouts)
    body = []
    for s in reversed(p.body):
        if needed & set(defined(s)):
            needed |= used(s)
            body.append(s)
    params = tuple(t for t in p.params if t.name in needed)
    return replace(p, results=results, body=tuple(reversed(body)), params=params)


def simpler(e):
    """Expressions of the same type that are smaller."""
    zero = {"f32": 1.0, "bool": True}.get(e.as_, 1)
    if not isinstance(e, Lit):
        yield Lit(e.as_, zero)
    for _, c in children(e):
        if getattr(c, "as_", None) == e.as_:
            yield c
    if isinstance(e, Read) and e.fill is not None:
        yield replace(e, fill=None)
    if getattr(e, "where", None) is not None:
        yield replace(e, where=None)
    for path, c in children(e):
        for smaller in simpler(c):
            yield with_child(e, path, smaller)


def statement_variants(s):
    for path, c in children(s):
        for smaller in simpler(c):
            if isinstance(s, Define) and isinstance(s.value, Cast) and not isinstance(smaller, Cast):
                smaller = Cast(s.value.as_, s.value.dtype, smaller)
            yield with_child(s, path, smaller)
    if isinstance(s, (Define,)) and s.indices:
        yield replace(s, stated=tuple(zip(s.indices, s.out.shape)))
    if isinstance(s, Scatter) and s.where is not None:
        yield replace(s, where=None)
    if isinstance(s, Recur) and len(s.inits) > 1:
        yield replace(s, inits=s.inits[:1])


def candidates(p):
    for t in p.results:
        if len(p.results) > 1 or p.inouts:
            yield replace(p, results=tuple(r for r in p.results if r != t),
                          body=tuple(s for s in p.body if t.name not in defined(s)))
    for k, (name, extent) in enumerate(p.dims):
        for n in {1, 2, extent // 2, extent - 1}:
            if 0 < n < extent:
                yield replace(p, dims=p.dims[:k] + ((name, n),) + p.dims[k + 1:])
    for k, s in enumerate(p.body):
        for v in statement_variants(s):
            yield replace(p, body=p.body[:k] + (v,) + p.body[k + 1:])


def shrink(p, fails, budget=400):
    """The smallest found; fails(program) is asked at most 'budget' times."""
    best = consistent(p)
    if not fails(best):
        best = p
    again = True
    while again and budget > 0:
        again = False
        for c in candidates(best):
            c = consistent(c)
            if c == best or not (c.results or c.inouts):
                continue
            budget -= 1
            if budget <= 0:
                break
            if fails(c):
                best, again = c, True
                break
    return best
