// SPDX-License-Identifier: Apache-2.0
// Sorts: rows on partitions, a whole row on chip, the general engine's 'sort'.
// Values and positions of one source that follow each other are one
// instruction. A row that does not fit is ranked by counting the elements that
// come before each, and scattered to the ranks, before anything is lowered.
#include "backend/tile_int.h"

#include <string.h>

enum { MOST_SORTED = 65535 };

// ---- rows on chip

// The widest other dimension lies on the partitions, all others are loops.
static row_plan
plan_sort(const tir_tensor *t, uint32_t axis, int64_t lanes)
{
    row_plan p = {.common = t->rank, .part = DOM_NONE, .nfree = 1};
    p.free[0] = axis;
    p.tile = t->shape[axis];
    for (uint32_t d = 0; d < t->rank; d++)
        if (d != axis && t->shape[d] > 1 &&
            (p.part == DOM_NONE ||
             min_i64(t->shape[d], lanes) >= min_i64(t->shape[p.part], lanes)))
            p.part = d;
    return p;
}

// The operation after it that wants the other half of the same sort.
static const tir_op *
other_half(const lower *lw, uint32_t at)
{
    const tir_op *op = &lw->in->ops.at[at];
    if (at + 1 == lw->in->ops.n)
        return NULL;
    const tir_op *next = &lw->in->ops.at[at + 1];
    bool same = next->kind == TIR_SORT && next->src == op->src &&
                next->axis == op->axis && next->descending == op->descending &&
                next->positions != op->positions;
    uint32_t kept = lw->storage[op->src];
    // What the first one overwrites is still needed by itself alone.
    return same && lw->storage[op->out] != kept &&
                   lw->storage[next->out] != kept
               ? next
               : NULL;
}

static void
store_sorted(lower *lw, const tile_domain *rows, const tile_val *v,
             const tir_op *op)
{
    const tir_tensor *t = &lw->in->tensors.at[op->out];
    tile_domain dom = *rows;
    dom.free[0].count = t->shape[op->axis];
    val_store(lw, &dom, v, op->out, NULL);
}

static void
emit_sort(lower *lw, const tile_domain *dom, const tir_op *op,
          const tir_op *other)
{
    const tir_tensor *src = &lw->in->tensors.at[op->src];
    const tir_op *values = op->positions ? other : op;
    const tir_op *places = op->positions ? op : other;
    int64_t n = lw->in->tensors.at[op->out].shape[op->axis];
    if (other)
        n = max_i64(n, lw->in->tensors.at[other->out].shape[op->axis]);
    tir_aff sub[TIR_RANK] = {0};
    for (uint32_t d = 0; d < src->rank; d++)
        sub[d].k[d] = 1;
    tile_val in = val_load(lw, dom, op->src, sub, DT_NONE);
    tile_domain head = *dom;
    head.free[0].count = n;
    tile_val v = val_new(lw, &head, 1, in.as, src->dtype, 2, "sorted"), at;
    tile_op *o = lower_op(lw, dom, NUM_OP_SORT, ENG_GPSIMD);
    o->descending = op->descending;
    o->dst = val_ref(&head, &v, 1);
    o->a = val_ref(dom, &in, 1);
    if (places) {
        uint32_t id = lw->out->ops.n - 1;
        at = val_new(lw, &head, 1, NUM_AS_I32, DT_I32, 2, "at");
        lw->out->ops.at[id].dst2 = val_ref(&head, &at, 1);
        lw->out->ops.at[id].has_dst2 = true;
        store_sorted(lw, dom, &at, places);
    }
    if (values)
        store_sorted(lw, dom, &v, values);
}

bool
lower_sort(lower *lw, uint32_t first, uint32_t *done)
{
    const tir_op *op = &lw->in->ops.at[first];
    const tir_op *other = other_half(lw, first);
    const tir_tensor *src = &lw->in->tensors.at[op->src];
    tir_op rows = {.out = op->src, .nout = src->rank};
    int64_t wanted = tir_elems(&lw->in->tensors.at[op->out]);
    *done = other ? 2 : 1;
    if (other)
        wanted += tir_elems(&lw->in->tensors.at[other->out]);
    if (wanted == 0)
        return true;
    for (uint32_t d = 0; d < src->rank; d++)
        rows.extent[d] = src->shape[d];
    row_plan p = plan_sort(src, op->axis, lw->cx->target->partitions);
    lower_mark m = lower_save(lw);
    uint32_t parent = open_scope(lw);
    tile_domain dom = {.nindex = src->rank};
    open_rows(lw, &p, &rows, &dom);
    emit_sort(lw, &dom, op, other);
    lw->loads.n = 0;
    lw->body = parent;
    lw->scope = parent;
    return lower_keep(lw, m);
}

// ---- rows that are too long

// All that emit_sort keeps of a row, every buffer twice.
static bool
fits_on_chip(const pass_ctx *cx, const tir_fn *fn, const tir_op *op)
{
    const tir_tensor *src = &fn->tensors.at[op->src];
    uint64_t n = (uint64_t)src->shape[op->axis];
    uint64_t bytes = num_dtype_bytes(src->dtype);
    return n <= MOST_SORTED &&
           2 * (2 * align_up(n * bytes, 32) + align_up(n * 4, 32)) <=
               cx->target->sbuf_bytes;
}

static uint32_t
read_at(tir_fn *fn, tir_op *op, uint32_t tensor, const tir_aff *sub)
{
    tir_read r = {.tensor = tensor};
    const tir_tensor *t = &fn->tensors.at[tensor];
    for (uint32_t d = 0; d < t->rank; d++)
        r.sub[d] = sub[d];
    uint32_t x = tir_read_node(fn, op, &r);
    return num_widened(t->dtype) == NUM_AS_BOOL ? tir_cast(fn, op, DT_I32, x)
                                                : x;
}

// Whether a NaN comes before a number (or after it, for the other sort), or
// both are NaN.
static uint32_t
nan_order(tir_fn *fn, tir_op *op, uint32_t a, uint32_t b, bool equal)
{
    uint32_t na = tir_unary(fn, op, NUM_ISNAN, a);
    uint32_t nb = tir_unary(fn, op, NUM_ISNAN, b);
    return tir_binary(fn, op, NUM_AND, na,
                      equal ? nb : tir_unary(fn, op, NUM_NOT, nb));
}

// Element a, at r, comes before element b, at i: smaller, or equal and earlier.
static uint32_t
comes_before(tir_fn *fn, tir_op *op, uint32_t a, uint32_t b, uint32_t earlier,
             bool descending)
{
    bool floats = op->nodes.at[a].as == NUM_AS_F32;
    uint32_t less = tir_binary(fn, op, descending ? NUM_GT : NUM_LT, a, b);
    uint32_t same = tir_binary(fn, op, NUM_EQ, a, b);
    if (floats) {
        uint32_t x = descending ? a : b, y = descending ? b : a;
        less = tir_binary(fn, op, NUM_OR, less, nan_order(fn, op, x, y, false));
        same = tir_binary(fn, op, NUM_OR, same, nan_order(fn, op, a, b, true));
    }
    same = tir_binary(fn, op, NUM_AND, same, earlier);
    return tir_binary(fn, op, NUM_OR, less, same);
}

static uint32_t
index_node(tir_fn *fn, tir_op *op, uint32_t index)
{
    tir_aff aff = {0};
    aff.k[index] = 1;
    return tir_affine(fn, op, &aff);
}

// The rank of every element of the source: a sum over its row.
static uint32_t
add_ranks(tir_fn *fn, const tir_op *sort)
{
    uint32_t src = sort->src, axis = sort->axis,
             rank = fn->tensors.at[src].rank;
    int64_t n = fn->tensors.at[src].shape[axis];
    tir_aff own[TIR_RANK] = {0}, other[TIR_RANK] = {0};
    uint32_t out =
        tir_add_temp(fn, "rank", DT_I32, rank, fn->tensors.at[src].shape);
    tir_op *op = tir_add_op(fn, out, NUM_R_SUM, 1, &n);
    op->at = sort->at;
    for (uint32_t d = 0; d < rank; d++)
        own[d].k[d] = other[d].k[d == axis ? rank : d] = 1;
    uint32_t a = read_at(fn, op, src, other), b = read_at(fn, op, src, own);
    uint32_t earlier = tir_binary(fn, op, NUM_LT, index_node(fn, op, rank),
                                  index_node(fn, op, axis));
    uint32_t before = comes_before(fn, op, a, b, earlier, sort->descending);
    op->root = tir_select(fn, op, before, tir_const(fn, op, NUM_AS_I32, 1),
                          tir_const(fn, op, NUM_AS_I32, 0));
    return out;
}

static void
scatter_to_ranks(tir_fn *fn, const tir_op *sort, uint32_t ranks)
{
    const tir_tensor *t = &fn->tensors.at[sort->src];
    uint32_t rank = t->rank, axis = sort->axis;
    int64_t n = t->shape[axis], kept = fn->tensors.at[sort->out].shape[axis];
    tir_op *op =
        tir_add_scatter(fn, sort->out, NUM_R_NONE, TIR_ABSENT, rank, t->shape);
    tir_read from = {.tensor = sort->src};
    op->at = sort->at;
    for (uint32_t d = 0; d < rank; d++)
        from.sub[d].k[d] = 1;
    from.tensor = ranks;
    uint32_t place = tir_read_node(fn, op, &from);
    from.tensor = sort->src;
    op->root = sort->positions ? index_node(fn, op, axis)
                               : tir_read_node(fn, op, &from);
    for (uint32_t d = 0; d < rank; d++)
        if (d != axis)
            op->target.sub[d].k[d] = 1;
    op->target.dyn[axis] = place;
    if (kept < n)
        op->guard = tir_binary(fn, op, NUM_LT, place,
                               tir_const(fn, op, NUM_AS_I32, (num_word)kept));
}

static void
replace_by_last_two(tir_fn *fn, uint32_t i)
{
    uint32_t n = fn->ops.n;
    tir_op first = fn->ops.at[n - 2], second = fn->ops.at[n - 1];
    memmove(&fn->ops.at[i + 2], &fn->ops.at[i + 1],
            (n - i - 3) * sizeof *fn->ops.at);
    fn->ops.at[i] = first;
    fn->ops.at[i + 1] = second;
    fn->ops.n = n - 1;
}

void
expand_sorts(pass_ctx *cx)
{
    tir_fn *fn = cx->tensor;
    for (uint32_t i = 0; i < fn->ops.n; i++) {
        tir_op sort = fn->ops.at[i];
        if (sort.kind != TIR_SORT || fits_on_chip(cx, fn, &sort) ||
            tir_elems(&fn->tensors.at[sort.src]) == 0)
            continue;
        uint32_t ranks = add_ranks(fn, &sort);
        scatter_to_ranks(fn, &sort, ranks);
        replace_by_last_two(fn, i);
        i++;
    }
}
