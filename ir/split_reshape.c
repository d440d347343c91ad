// SPDX-License-Identifier: Apache-2.0
// Reshapes that need not be, for pass 'split': one of another is one; one of a
// temp that a map computes for it alone, and whose dimensions it only divides,
// is that map over more indices.
#include "ir/split_int.h"

#include <string.h>

bool
tir_reindex(tir_fn *fn, const tir_op *op, const tir_op *space,
            const tir_aff *subst, tir_op *out)
{
    tir_op new = tir_op_cleared(fn, op);
    const bool *live = tir_live_op(fn->a, op);
    uint32_t *to = ARENA_ARRAY(fn->a, op->nodes.n, uint32_t);
    new.nout = space->nout;
    new.nred = space->nred;
    for (uint32_t x = 0; x < TIR_INDICES; x++)
        new.extent[x] = space->extent[x];
    for (uint32_t i = 1; i < op->nodes.n; i++)
        if (live[i] &&
            !tir_copy_node(fn, &new, op, &op->nodes.at[i], subst, to, &to[i]))
            return false;
    *out = new;
    return tir_move_roots(fn, out, op, subst, to);
}

// ---- dividing dimensions

// Index d of t as an expression over the indices of z, for every d; false if
// z does not only divide the dimensions of t and add or drop extents of 1.
static bool
divide_dims(const tir_tensor *t, const tir_tensor *z, tir_aff *subst)
{
    uint32_t from = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        uint32_t end = from;
        int64_t product = 1, stride = 1;
        while (product < t->shape[d] && end < z->rank)
            product *= z->shape[end++];
        if (product != t->shape[d])
            return false;
        subst[d] = (tir_aff){0};
        for (uint32_t x = end; x-- > from; stride *= z->shape[x])
            subst[d].k[x] = z->shape[x] == 1 ? 0 : stride;
        from = end;
    }
    for (; from < z->rank; from++)
        if (z->shape[from] != 1)
            return false;
    return true;
}

static uint32_t
count_uses(const tir_fn *fn, uint32_t tensor)
{
    uint32_t n = 0;
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        const tir_op *op = &fn->ops.at[o];
        n += tir_whole_source(op) == tensor;
        for (uint32_t i = 0; i < op->reads.n; i++)
            n += op->reads.at[i].tensor == tensor;
    }
    return n;
}

// Whether operation 'by', a map or a reduction, now defines what it was
// reshaped to.
static bool
define_reshaped(tir_fn *fn, tir_op *by, uint32_t z)
{
    const tir_tensor *t = &fn->tensors.at[by->out], *to = &fn->tensors.at[z];
    tir_op space = {.nout = to->rank, .nred = by->nred}, new;
    tir_aff subst[TIR_INDICES];
    if (by->kind != TIR_MAP || by->group || t->kind != TIR_TEMP ||
        to->rank + by->nred > TIR_INDICES || !tir_elems(t) ||
        count_uses(fn, by->out) != 1 || !divide_dims(t, to, subst))
        return false;
    for (uint32_t d = 0; d < to->rank; d++)
        space.extent[d] = to->shape[d];
    for (uint32_t x = 0; x < by->nred; x++) {
        space.extent[to->rank + x] = by->extent[by->nout + x];
        subst[by->nout + x] = tir_aff_index(to->rank + x);
    }
    if (!tir_reindex(fn, by, &space, subst, &new))
        return false;
    new.out = z;
    *by = new;
    return true;
}

static void
remove_op(tir_fn *fn, uint32_t o)
{
    memmove(&fn->ops.at[o], &fn->ops.at[o + 1],
            (fn->ops.n - o - 1) * sizeof *fn->ops.at);
    fn->ops.n--;
}

void
tir_simplify_reshapes(tir_fn *fn)
{
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        tir_op *op = &fn->ops.at[o];
        if (op->kind != TIR_RESHAPE)
            continue;
        uint32_t by = tir_def_ops(fn->a, fn)[op->src];
        if (by == UINT32_MAX)
            continue;
        if (fn->ops.at[by].kind == TIR_RESHAPE)
            op->src = fn->ops.at[by].src;
        else if (define_reshaped(fn, &fn->ops.at[by], op->out))
            remove_op(fn, o--);
    }
    for (uint32_t o = fn->ops.n; o-- > 0;) {
        const tir_op *op = &fn->ops.at[o];
        if (op->kind == TIR_RESHAPE && !count_uses(fn, op->out) &&
            fn->tensors.at[op->out].kind == TIR_TEMP)
            remove_op(fn, o);
    }
}
