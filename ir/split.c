// SPDX-License-Identifier: Apache-2.0
// pass 'split': subscripts made of index arithmetic become affine.
//
//     y[i0:12] = map x[(div(index(i0), 3))]
// becomes
//     y_split[i0:4, i1:3] = map x[i0]
//     y = reshape y_split
//
// A division of an index expression by a constant comes out where the remainder
// is known to be in range (split_fold.c). Where it does not, an index i is
// split into c * hi + lo if its extent is divisible by c; the result of an
// operation whose own index was split is reshaped. A split stays if it made
// some subscript affine, at most three deep. Reduction indices and those of
// scatters split without a reshape. What does not come out stays a gather,
// which is correct. Recurrences keep their out indices: no reshape can stand in
// one.
#include "ir/split_int.h"

#include <string.h>

enum {
    DEPTH = 2,         // splits beyond the first before one pays
    NODES_LIMIT = 512, // larger bodies are folded, not split
};

static uint32_t
count_dyn(const tir_read *r)
{
    uint32_t n = 0;
    for (uint32_t d = 0; d < TIR_RANK; d++)
        n += r->dyn[d] != 0;
    return n;
}

// Dynamic subscripts of the operation.
static uint32_t
count_dynamic(arena *a, const tir_op *op)
{
    const bool *live = tir_live_op(a, op);
    uint32_t n = op->kind == TIR_SCATTER ? count_dyn(&op->target) : 0;
    for (uint32_t i = 1; i < op->nodes.n; i++)
        if (live[i] && op->nodes.at[i].kind == TIR_N_GATHER)
            n += count_dyn(&op->reads.at[op->nodes.at[i].read]);
    return n;
}

static bool
can_split(const tir_op *op, tir_split_at at)
{
    int64_t extent = op->extent[at.index];
    bool is_out = op->kind == TIR_MAP && at.index < op->nout;
    return at.inner > 1 && extent > at.inner && extent % at.inner == 0 &&
           op->nout + op->nred < TIR_INDICES &&
           !(is_out && (op->group || op->nout == TIR_RANK));
}

static bool
split_index(tir_fn *fn, const tir_op *op, tir_split_at at, tir_op *out)
{
    tir_op space = {.nout = op->nout, .nred = op->nred};
    tir_aff subst[TIR_INDICES] = {{0}};
    uint32_t n = op->nout + op->nred, x = at.index;
    for (uint32_t y = 0; y < n; y++) {
        uint32_t to = y + (y > x ? 1 : 0);
        subst[y] = tir_aff_index(to);
        space.extent[to] = op->extent[y];
    }
    subst[x].k[x] = at.inner;
    subst[x].k[x + 1] = 1;
    space.extent[x] = op->extent[x] / at.inner;
    space.extent[x + 1] = at.inner;
    space.nout += x < op->nout ? 1 : 0;
    space.nred += x < op->nout ? 0 : 1;
    return tir_reindex(fn, op, &space, subst, out);
}

// Splits indices until fewer subscripts are dynamic. Recursion is DEPTH deep.
static bool
improve(tir_fn *fn, const tir_op *op, uint32_t depth, tir_op *out)
{
    tir_splits splits = {0};
    tir_op folded = tir_fold_indices(fn, op, &splits);
    uint32_t before = count_dynamic(fn->a, &folded);
    for (uint32_t i = 0; i < splits.n; i++) {
        tir_op some;
        if (!can_split(&folded, splits.at[i]) ||
            !split_index(fn, &folded, splits.at[i], &some))
            continue;
        *out = tir_fold_indices(fn, &some, NULL);
        if (count_dynamic(fn->a, out) < before)
            return true;
        if (depth && improve(fn, &some, depth - 1, out))
            return true;
    }
    return false;
}

// Puts the new form of operation o in its place; how many operations more.
static uint32_t
replace_op(tir_fn *fn, uint32_t o, const tir_op *op)
{
    uint32_t out = op->out;
    fn->ops.at[o] = *op;
    if (op->kind != TIR_MAP || op->nout == fn->tensors.at[out].rank)
        return 0;
    const tir_tensor *t = &fn->tensors.at[out];
    const char *hint = arena_printf(fn->a, "%s_split", t->name);
    uint32_t temp =
        tir_add_temp(fn, hint, t->dtype, op->nout, fn->ops.at[o].extent);
    fn->tensors.at[temp].at = op->at;
    fn->ops.at[o].out = temp;
    tir_op *back = tir_add_reshape(fn, out, temp);
    back->at = fn->ops.at[o].at;
    tir_place_last_op(fn, o + 1);
    return 1;
}

// How many operations more there are after it.
static uint32_t
split_op(tir_fn *fn, uint32_t o)
{
    tir_op op = fn->ops.at[o], better;
    bool has_nodes = op.kind == TIR_MAP || op.kind == TIR_SCATTER;
    if (!has_nodes || tir_op_is_empty(&op) || !count_dynamic(fn->a, &op))
        return 0;
    op = tir_fold_indices(fn, &op, NULL);
    while (op.nodes.n <= NODES_LIMIT && improve(fn, &op, DEPTH, &better))
        op = better;
    op = tir_fold_indices(fn, &op, NULL); // without what is dead by now
    return replace_op(fn, o, &op);
}

void
tir_split(tir_fn *fn)
{
    fn->settled = true;
    for (uint32_t o = 0; o < fn->ops.n; o++)
        o += split_op(fn, o);
    tir_simplify_reshapes(fn);
}
