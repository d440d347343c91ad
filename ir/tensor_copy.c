// SPDX-License-Identifier: Apache-2.0
// Questions about tensor IR that every pass asks, and copying nodes from one
// operation into another with other indices.
#include "ir/tensor_int.h"

#include <string.h>

// ---- questions

int64_t
tir_elems(const tir_tensor *t)
{
    int64_t n = 1;
    // A 0 may come after extents whose product does not fit.
    for (uint32_t d = 0; d < t->rank; d++)
        if (!t->shape[d])
            return 0;
    for (uint32_t d = 0; d < t->rank; d++)
        SY_CHECK(mul_i64(n, t->shape[d], &n), "size of '%s'", t->name);
    return n;
}

uint32_t
tir_whole_source(const tir_op *op)
{
    switch (op->kind) {
    case TIR_MAP: return TIR_ABSENT;
    case TIR_SCATTER: return op->init;
    case TIR_SORT:
    case TIR_RESHAPE: return op->src;
    }
    return TIR_ABSENT;
}

bool
tir_op_is_empty(const tir_op *op)
{
    for (uint32_t x = 0; x < op->nout + op->nred; x++)
        if (!op->extent[x])
            return true;
    return false;
}

bool
tir_aff_range(const tir_op *op, const tir_aff *aff, int64_t *lo, int64_t *hi)
{
    *lo = *hi = aff->c;
    for (uint32_t x = 0; x < op->nout + op->nred; x++) {
        int64_t end;
        if (!mul_i64(aff->k[x], op->extent[x] - 1, &end) ||
            !add_i64(end < 0 ? *lo : *hi, end, end < 0 ? lo : hi))
            return false;
    }
    return true;
}

static void
spread_live(const tir_op *op, bool *live)
{
    uint32_t from[TIR_RANK];
    for (uint32_t i = op->nodes.n; i-- > 1;) {
        uint32_t n = live[i] ? tir_operands(op, &op->nodes.at[i], from) : 0;
        for (uint32_t k = 0; k < n; k++)
            live[from[k]] = true;
    }
}

bool *
tir_live_nodes(arena *a, const tir_op *op, uint32_t root)
{
    bool *live = ARENA_ARRAY(a, op->nodes.n, bool);
    live[root] = true;
    spread_live(op, live);
    return live;
}

bool *
tir_live_op(arena *a, const tir_op *op)
{
    bool *live = ARENA_ARRAY(a, op->nodes.n, bool);
    live[op->root] = true;
    live[op->guard] = true;
    for (uint32_t d = 0; op->kind == TIR_SCATTER && d < TIR_RANK; d++)
        live[op->target.dyn[d]] = true;
    live[0] = false;
    spread_live(op, live);
    return live;
}

uint32_t *
tir_def_ops(arena *a, const tir_fn *fn)
{
    uint32_t *def = ARENA_ARRAY(a, fn->tensors.n, uint32_t);
    for (uint32_t t = 0; t < fn->tensors.n; t++)
        def[t] = UINT32_MAX;
    for (uint32_t o = 0; o < fn->ops.n; o++)
        def[fn->ops.at[o].out] = o;
    return def;
}

const tir_op *
tir_group_def(const tir_fn *fn, const uint32_t *def, const tir_op *op,
              uint32_t t)
{
    const tir_op *by = def[t] == UINT32_MAX ? NULL : &fn->ops.at[def[t]];
    return by && op->group && by->group == op->group ? by : NULL;
}

uint32_t
tir_group_begin(const tir_fn *fn, uint32_t o)
{
    uint32_t group = fn->ops.at[o].group;
    while (group && o > 0 && fn->ops.at[o - 1].group == group)
        o--;
    return o;
}

uint32_t
tir_group_end(const tir_fn *fn, uint32_t o)
{
    uint32_t group = fn->ops.at[o++].group;
    while (group && o < fn->ops.n && fn->ops.at[o].group == group)
        o++;
    return o;
}

// ---- copying

tir_aff
tir_aff_index(uint32_t x)
{
    tir_aff aff = {0};
    aff.k[x] = 1;
    return aff;
}

// *sum += k * x
static bool
add_scaled(int64_t *sum, int64_t k, int64_t x)
{
    int64_t p;
    return mul_i64(k, x, &p) && add_i64(*sum, p, sum);
}

bool
tir_aff_subst(const tir_aff *aff, uint32_t nidx, const tir_aff *subst,
              tir_aff *out)
{
    tir_aff r = {.c = aff->c};
    for (uint32_t x = 0; x < nidx; x++) {
        if (!aff->k[x])
            continue;
        if (!add_scaled(&r.c, aff->k[x], subst[x].c))
            return false;
        for (uint32_t y = 0; y < TIR_INDICES; y++)
            if (!add_scaled(&r.k[y], aff->k[x], subst[x].k[y]))
                return false;
    }
    *out = r;
    return true;
}

// A read whose indices and nodes are renamed.
static bool
move_read(const tir_fn *fn, const tir_op *src, const tir_aff *subst,
          const uint32_t *to, tir_read *r)
{
    for (uint32_t d = 0; d < fn->tensors.at[r->tensor].rank; d++) {
        if (!tir_aff_subst(&r->sub[d], src->nout + src->nred, subst,
                           &r->sub[d]))
            return false;
        r->dyn[d] = r->dyn[d] ? to[r->dyn[d]] : 0;
    }
    return true;
}

bool
tir_copy_node(tir_fn *fn, tir_op *dst, const tir_op *src, const tir_node *n,
              const tir_aff *subst, const uint32_t *to, uint32_t *out)
{
    tir_aff aff;
    switch (n->kind) {
    case TIR_N_NONE: break;
    case TIR_N_CONST: *out = tir_const(fn, dst, n->as, n->imm); return true;
    case TIR_N_AFFINE:
        if (!tir_aff_subst(&n->aff, src->nout + src->nred, subst, &aff))
            return false;
        *out = tir_affine(fn, dst, &aff);
        return true;
    case TIR_N_GATHER:
    case TIR_N_READ: {
        tir_read r = src->reads.at[n->read];
        if (!move_read(fn, src, subst, to, &r))
            return false;
        *out = tir_gather(fn, dst, &r);
        return true;
    }
    case TIR_N_UNARY:
        *out = tir_unary(fn, dst, n->func1, to[n->arg[0]]);
        return true;
    case TIR_N_BINARY:
        *out = tir_binary(fn, dst, n->func2, to[n->arg[0]], to[n->arg[1]]);
        return true;
    case TIR_N_SELECT:
        *out = tir_select(fn, dst, to[n->arg[0]], to[n->arg[1]], to[n->arg[2]]);
        return true;
    case TIR_N_CAST:
        *out = tir_cast(fn, dst, n->to, to[n->arg[0]]);
        return true;
    }
    SY_CHECK(false, "node kind %d", (int)n->kind);
    return false;
}

bool
tir_copy_nodes(tir_fn *fn, tir_op *dst, const tir_op *src, uint32_t node,
               const tir_aff *subst, uint32_t *out)
{
    // Scratch cannot be released: the copies are in the same arena.
    bool *live = tir_live_nodes(fn->a, src, node);
    uint32_t *to = ARENA_ARRAY(fn->a, node + 1, uint32_t);
    for (uint32_t i = 1; i <= node; i++)
        if (live[i] &&
            !tir_copy_node(fn, dst, src, &src->nodes.at[i], subst, to, &to[i]))
            return false;
    *out = to[node];
    return true;
}

tir_op
tir_op_cleared(tir_fn *fn, const tir_op *op)
{
    tir_op new = *op;
    new.nodes.at = NULL;
    new.reads.at = NULL;
    new.nodes.n = new.nodes.cap = new.reads.n = new.reads.cap = 0;
    (void)vec_add(fn->a, &new.nodes);
    return new;
}

bool
tir_move_roots(const tir_fn *fn, tir_op *op, const tir_op *src,
               const tir_aff *subst, const uint32_t *to)
{
    op->root = src->root ? to[src->root] : 0;
    op->guard = src->guard ? to[src->guard] : 0;
    op->target = src->target;
    return op->kind != TIR_SCATTER ||
           move_read(fn, src, subst, to, &op->target);
}

void
tir_place_last_op(tir_fn *fn, uint32_t at)
{
    tir_op last = *vec_last(&fn->ops);
    memmove(&fn->ops.at[at + 1], &fn->ops.at[at],
            (fn->ops.n - 1 - at) * sizeof last);
    fn->ops.at[at] = last;
}

uint32_t
tir_dim_index(const tir_aff *aff)
{
    uint32_t found = TIR_INDICES;
    for (uint32_t x = 0; x < TIR_INDICES; x++) {
        if (!aff->k[x])
            continue;
        if (aff->k[x] != 1 || found < TIR_INDICES || aff->c)
            return TIR_INDICES;
        found = x;
    }
    return found;
}
