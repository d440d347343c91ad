// SPDX-License-Identifier: Apache-2.0
// Scatters. The tensor is filled, or copied from what it starts as; then the
// statement's indices are walked in row-major order, tile by tile, and within a
// tile by (partition, element), so that of several writes to a place the last
// one stays, as the language says. Each transfer waits for the one before.
#include "backend/tile_int.h"

enum { TILE_ELEMS = 2048, MOST = 65535 };

// The tensor's elements before the first one is scattered.
static void
start_value(lower *lw, const tir_op *op)
{
    num_dtype dtype = lw->in->tensors.at[op->out].dtype;
    num_as as = num_widened(dtype);
    num_word zero = 0;
    if (op->init != TIR_ABSENT) {
        if (lw->storage[op->init] != lw->storage[op->out])
            copy_tensor(lw, op->init, op->out);
        return;
    }
    if (op->reduce != NUM_R_NONE)
        zero = num_reduce_identity(op->reduce, as);
    fill_tensor(lw, op->out, zero, as);
}

// Index p on the partitions, those after it free and whole, or (p = DOM_NONE)
// a tile of the first free one alone: nothing else keeps the order.
static row_plan
plan_tile(const lower *lw, const tir_op *op, int64_t cap)
{
    int64_t lanes = lw->cx->target->partitions, inner = 1, best = 0;
    row_plan plan = {.common = op->nout, .part = DOM_NONE};
    uint32_t at = op->nout;
    for (uint32_t p = op->nout; p-- > 0 && op->nout - 1 - p <= NUM_DIMS;) {
        int64_t elems = min_i64(op->extent[p], lanes) * inner;
        if (elems > best) {
            best = elems;
            at = p;
        }
        if (op->extent[p] > MOST || !mul_i64(inner, op->extent[p], &inner) ||
            inner > cap)
            break;
    }
    if (at == op->nout)
        return plan;
    plan.part = op->extent[at] > 1 ? at : DOM_NONE;
    for (uint32_t i = at + 1; i < op->nout; i++)
        if (op->extent[i] > 1)
            plan.free[plan.nfree++] = i;
    if (plan.nfree)
        plan.tile = op->extent[plan.free[0]];
    return plan;
}

static void
scatter_tile(lower *lw, const tile_domain *dom, const tir_op *op)
{
    const tir_tensor *t = &lw->in->tensors.at[op->out];
    uint32_t node[TIR_RANK + 2] = {op->root, op->guard}, n = 2;
    tile_val val[TIR_RANK + 2], dyn[TIR_RANK] = {0};
    for (uint32_t d = 0; d < t->rank; d++)
        node[n++] = op->target.dyn[d];
    expr_nodes(lw, dom, op, node, n, val);
    for (uint32_t d = 0; d < t->rank; d++)
        dyn[d] = val[2 + d];
    tile_val v = val[0];
    if (v.kind == VAL_IMM || val_dtype(lw, &v) != t->dtype)
        v = val_copy(lw, dom, &v, v.kind == VAL_REF ? v.mask : 0, t->dtype);
    val_scatter(lw, dom, op, dyn, &val[1], &v);
}

static bool
try_tiles(lower *lw, const tir_op *op, int64_t cap)
{
    row_plan plan = plan_tile(lw, op, cap);
    lower_mark m = lower_save(lw);
    uint32_t parent = open_scope(lw);
    tile_domain dom = {.nindex = op->nout};
    open_rows(lw, &plan, op, &dom);
    scatter_tile(lw, &dom, op);
    lw->loads.n = 0;
    lw->body = parent;
    lw->scope = parent;
    return lower_keep(lw, m);
}

bool
lower_scatter(lower *lw, const tir_op *op)
{
    lw->at = op->at;
    start_value(lw, op);
    for (uint32_t i = 0; i < op->nout; i++)
        if (op->extent[i] == 0)
            return true;
    for (int64_t cap = TILE_ELEMS; cap >= 1; cap /= 2)
        if (try_tiles(lw, op, cap))
            return true;
    return false;
}
