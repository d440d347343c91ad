// SPDX-License-Identifier: Apache-2.0
// Nests on the vector engines: a group of maps and reductions that share their
// leading (row) dimensions is computed row tile by row tile, its tensors
// staying in SBUF between the operations. One row index lies on partitions,
// others are free dimensions or loops; what follows the row dimensions is free,
// and whole. A single reduction whose range does not fit runs in chunks
// instead.
#include "backend/tile_int.h"

#include <string.h>

enum { FREE_ELEMS = 4096, AP_DIMS = NUM_DIMS, MAX_COUNT = 65535 };

static const tir_op *
group_op(const lower *lw, const uint32_t *ops, uint32_t i)
{
    return ops[i] == SYNTHETIC ? lw->synthetic : &lw->in->ops.at[ops[i]];
}

// ---- which operations may form a group

static bool
sub_is_index(const tir_aff *s, uint32_t index)
{
    for (uint32_t i = 0; i < TIR_INDICES; i++)
        if (s->k[i] != (i == index ? 1 : 0))
            return false;
    return s->c == 0;
}

// How many leading dimensions a read of a group's tensor leaves alone; 0 when
// the others mix with them.
static uint32_t
read_common(const tir_read *r, uint32_t rank, uint32_t common)
{
    uint32_t k = 0;
    for (uint32_t d = 0; d < rank; d++)
        if (r->dyn[d])
            return 0;
    while (k < common && k < rank && sub_is_index(&r->sub[k], k))
        k++;
    for (; k > 0; k--) {
        bool clean = true;
        for (uint32_t d = k; d < rank; d++)
            for (uint32_t i = 0; i < k; i++)
                clean = clean && r->sub[d].k[i] == 0;
        if (clean)
            break;
    }
    return k;
}

// The rows of an input that an op overwrites must be those that others of its
// group read in the same row tile: how many of 'common' dimensions can be rows.
static uint32_t
update_common(const lower *lw, const tir_op *op, const tir_op *by,
              uint32_t common)
{
    const tir_tensor *out = &lw->in->tensors.at[op->out];
    for (uint32_t r = 0; r < by->reads.n && common; r++) {
        const tir_read *rd = &by->reads.at[r];
        const tir_tensor *t = &lw->in->tensors.at[rd->tensor];
        if (lw->storage[rd->tensor] != lw->storage[op->out] ||
            lw->in->tensors.at[lw->storage[op->out]].kind != TIR_INPUT)
            continue;
        for (uint32_t d = 0; d < t->rank; d++)
            if (t->rank != out->rank || t->shape[d] != out->shape[d])
                return 0;
        common = read_common(rd, t->rank, common);
    }
    return common;
}

uint32_t
group_common(const lower *lw, const uint32_t *ops, uint32_t n, uint32_t common,
             uint32_t op)
{
    const tir_op *o = &lw->in->ops.at[op];
    uint32_t k = common < o->nout ? common : o->nout;
    bool linked = false;
    for (uint32_t r = 0; r < o->reads.n; r++) {
        uint32_t t = o->reads.at[r].tensor;
        for (uint32_t i = 0; i < n; i++) {
            if (group_op(lw, ops, i)->out != t)
                continue;
            linked = true;
            k = read_common(&o->reads.at[r], lw->in->tensors.at[t].rank, k);
        }
    }
    for (uint32_t i = 0; i < n; i++)
        k = update_common(lw, o, group_op(lw, ops, i), k);
    for (uint32_t d = 0; d < k; d++)
        if (o->extent[d] != group_op(lw, ops, 0)->extent[d])
            k = d;
    return linked ? k : 0;
}

// ---- planning

static int64_t
extras(const tir_op *op, uint32_t common)
{
    int64_t n = 1;
    for (uint32_t i = common; i < op->nout + op->nred; i++)
        if (!mul_i64(n, max_i64(op->extent[i], 1), &n))
            return INT64_MAX;
    return n;
}

// The widest part of the partitions wins; the innermost dimension, which is
// contiguous in memory, only when nothing else is there or after it.
static uint32_t
choose_part(const lower *lw, const tir_op *op, uint32_t common, bool has_extras)
{
    int64_t lanes = lw->cx->target->partitions;
    uint32_t n = common, best = DOM_NONE, pinned = pinned_index(lw, op);
    if (!has_extras && n > 0 && n - 1 == pinned)
        n--;
    if (!has_extras && n > 0)
        n--;
    for (uint32_t i = 0; i < n; i++)
        if (i == pinned)
            continue;
        else if (best == DOM_NONE || min_i64(op->extent[i], lanes) >=
                                         min_i64(op->extent[best], lanes))
            best = i;
    if (best != DOM_NONE && op->extent[best] == 1)
        best = DOM_NONE;
    return best;
}

static row_plan
plan_rows(const lower *lw, const uint32_t *ops, uint32_t n, uint32_t common,
          int64_t cap)
{
    const tir_op *first = group_op(lw, ops, 0);
    uint32_t pinned = pinned_index(lw, first);
    row_plan p = {.common = common};
    int64_t extra = 1;
    uint32_t dims = 0;
    for (uint32_t i = 0; i < n; i++) {
        const tir_op *op = group_op(lw, ops, i);
        extra = max_i64(extra, extras(op, common));
        dims = (uint32_t)max_i64(dims, op->nout + op->nred - common);
    }
    p.part = choose_part(lw, first, common, dims > 0);
    int64_t elems = extra;
    uint32_t rev[NUM_DIMS];
    for (uint32_t i = common; i-- > 0 && p.nfree + dims < AP_DIMS;) {
        if (i == p.part || i == pinned || first->extent[i] == 1)
            continue;
        int64_t tile = min_i64(first->extent[i], cap / elems);
        if (tile <= 1)
            break;
        rev[p.nfree++] = i;
        p.tile = tile;
        elems *= tile;
        if (tile < first->extent[i])
            break;
    }
    for (uint32_t i = 0; i < p.nfree; i++)
        p.free[i] = rev[p.nfree - 1 - i];
    return p;
}

static bool
is_planned_free(const row_plan *p, uint32_t index)
{
    for (uint32_t i = 0; i < p->nfree; i++)
        if (p->free[i] == index)
            return true;
    return false;
}

// ---- emission

static tile_aff
loop_base(uint32_t loop, int64_t k)
{
    return loop == TILE_ABSENT ? tile_aff_const(0) : tile_aff_loop(loop, k);
}

void
open_rows(lower *lw, const row_plan *p, const tir_op *op, tile_domain *dom)
{
    const int64_t *extent = op->extent;
    int64_t lanes = lw->cx->target->partitions;
    uint32_t pinned = pinned_index(lw, op);
    dom->part = p->part;
    dom->parts = tile_count_const(1);
    for (uint32_t i = 0; i < p->common; i++) {
        dom->base[i] = tile_aff_const(0);
        if (i == pinned) {
            dom->base[i] = lw->time;
        } else if (i == p->part) {
            int64_t t = min_i64(extent[i], lanes);
            dom->base[i] = loop_base(lower_loop(lw, ceil_div(extent[i], t)), t);
            dom->parts = count_ragged(t, extent[i], dom->base[i]);
        } else if (!is_planned_free(p, i)) {
            dom->base[i] = loop_base(lower_loop(lw, extent[i]), 1);
        }
    }
    for (uint32_t f = 0; f < p->nfree; f++) {
        uint32_t i = p->free[f];
        dom->free[f].index = i;
        dom->free[f].count = f == 0 ? p->tile : extent[i];
        if (f > 0 || p->tile == extent[i])
            continue;
        dom->base[i] =
            loop_base(lower_loop(lw, ceil_div(extent[i], p->tile)), p->tile);
        dom->outer = count_ragged(p->tile, extent[i], dom->base[i]);
        int64_t whole;
        dom->ragged = !tile_count_is_const(&dom->outer, &whole);
    }
    dom->nfree = p->nfree;
}

// The domain of one operation: the rows, then its own dimensions, whole.
static tile_domain
op_domain(const tile_domain *rows, const tir_op *op, uint32_t common)
{
    tile_domain dom = *rows;
    dom.nindex = op->nout + op->nred;
    for (uint32_t i = common; i < dom.nindex; i++) {
        dom.base[i] = tile_aff_const(0);
        dom.free[dom.nfree].index = i;
        dom.free[dom.nfree++].count = op->extent[i];
    }
    return dom;
}

static num_binary
combine_op(num_reduce r)
{
    switch (r) {
    case NUM_R_SUM: return NUM_ADD;
    case NUM_R_PROD: return NUM_MUL;
    case NUM_R_MAX: return NUM_MAX;
    case NUM_R_MIN: return NUM_MIN;
    case NUM_R_ANY: return NUM_OR;
    case NUM_R_ALL: return NUM_AND;
    case NUM_R_SUB:
    case NUM_R_AND:
    case NUM_R_OR:
    case NUM_R_XOR:
    case NUM_R_ABSMAX:
    case NUM_R_ABSMIN:
    case NUM_R_NONE:
    case NUM_R_COUNT: break;
    }
    return NUM_B_NONE;
}

// dst = reduction of v over the last 'nred' free dimensions of the domain.
static void
emit_reduce(lower *lw, const tile_domain *dom, const tir_op *op,
            const tile_val *dst, tile_val v, uint32_t nred)
{
    if (v.kind == VAL_IMM)
        v = val_copy(lw, dom, &v, 0, dtype_of_as(v.as));
    tile_op *o = lower_op(lw, dom, NUM_OP_REDUCE,
                          v.as == NUM_AS_F32 ? ENG_VECTOR : ENG_GPSIMD);
    o->as = v.as;
    o->reduce = op->reduce;
    o->reduce_dims = nred;
    o->dst = val_ref(dom, dst, dst->mask);
    o->a = val_ref(dom, &v, (1u << dom->nfree) - 1u);
}

static tile_val
reduce_value(lower *lw, const tile_domain *dom, const tir_op *op,
             num_dtype dtype)
{
    tile_val v = expr_root(lw, dom, op, DT_NONE);
    dim_mask outs = (1u << (dom->nfree - op->nred)) - 1u;
    tile_val r =
        val_new(lw, dom, outs, v.as, dtype, 2, num_reduce_name(op->reduce));
    emit_reduce(lw, dom, op, &r, v, op->nred);
    r.as = num_widened(dtype);
    return r;
}

// Makes a value readable as its tensor by later operations of the nest.
static void
keep_local(lower *lw, const tile_domain *dom, const tir_op *op,
           const tile_val *v)
{
    tile_local *l = &lw->local[op->out];
    memset(l, 0, sizeof *l);
    l->present = true;
    l->buf = v->buf;
    l->off = v->off;
    for (uint32_t f = 0; f < dom->nfree; f++)
        if (dom->free[f].index < op->nout)
            l->dim_step[dom->free[f].index] = v->step[f];
}

// A value over every output dimension: broadcasts are made real, since a
// stored tile has all its elements.
static tile_val
whole_value(lower *lw, const tile_domain *dom, const tir_op *op, tile_val v)
{
    dim_mask outs = 0;
    for (uint32_t f = 0; f < dom->nfree; f++)
        if (dom->free[f].index < op->nout)
            outs |= 1u << f;
    if (v.mask == outs)
        return v;
    return val_copy(lw, dom, &v, outs, val_dtype(lw, &v));
}

static void
lower_one(lower *lw, const tile_domain *rows, const uint32_t *ops, uint32_t n,
          uint32_t i, uint32_t common)
{
    const tir_op *op = group_op(lw, ops, i);
    num_dtype dtype = lw->in->tensors.at[op->out].dtype;
    lw->at = op->at;
    tile_domain dom = op_domain(rows, op, common);
    tile_val v = op->nred ? reduce_value(lw, &dom, op, dtype)
                          : expr_root(lw, &dom, op, dtype);
    keep_local(lw, &dom, op, &v);
    if (ops[i] != SYNTHETIC && !must_store(lw, op->out, ops, n))
        return;
    tile_val w = whole_value(lw, &dom, op, v);
    val_store(lw, &dom, &w, op->out, lw->shift);
}

static void
forget_locals(lower *lw, const uint32_t *ops, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        lw->local[group_op(lw, ops, i)->out].present = false;
    lw->loads.n = 0;
}

uint32_t
open_scope(lower *lw)
{
    uint32_t parent = lw->body;
    lw->body = tile_add_loop(lw->out, parent, tile_count_const(1));
    lw->scope = lw->body;
    return parent;
}

static bool
try_group(lower *lw, const uint32_t *ops, uint32_t n, const row_plan *p)
{
    lower_mark m = lower_save(lw);
    uint32_t parent = open_scope(lw);
    tile_domain rows = {0};
    open_rows(lw, p, group_op(lw, ops, 0), &rows);
    for (uint32_t i = 0; i < n; i++)
        lower_one(lw, &rows, ops, n, i, p->common);
    forget_locals(lw, ops, n);
    lw->body = parent;
    lw->scope = parent;
    return lower_keep(lw, m);
}

// ---- reductions in chunks

// The reduction indices from 'from' on are free, the first of them in pieces of
// 'tile'; those before it are loops.
typedef struct {
    uint32_t from;
    int64_t tile;
} chunk_plan;

static chunk_plan
plan_chunks(const tir_op *op, int64_t cap)
{
    chunk_plan c = {op->nout + op->nred, 1};
    int64_t elems = 1;
    for (uint32_t i = op->nout + op->nred;
         i-- > op->nout && op->nout + op->nred - i <= AP_DIMS;) {
        int64_t t = min_i64(op->extent[i], max_i64(cap / elems, 1));
        if (t < op->extent[i] && t == 1 && c.from < op->nout + op->nred)
            break;
        c.from = i;
        c.tile = t;
        elems *= t;
        if (t < op->extent[i])
            break;
    }
    return c;
}

static void
open_chunks(lower *lw, const tir_op *op, const chunk_plan *c, tile_domain *dom)
{
    for (uint32_t i = op->nout; i < op->nout + op->nred; i++) {
        dom->base[i] = tile_aff_const(0);
        if (i < c->from) {
            dom->base[i] = loop_base(lower_loop(lw, op->extent[i]), 1);
            continue;
        }
        uint32_t f = dom->nfree++;
        dom->free[f].index = i;
        dom->free[f].count = op->extent[i];
        if (i > c->from || c->tile == op->extent[i])
            continue;
        dom->free[f].count = c->tile;
        dom->base[i] = loop_base(
            lower_loop(lw, ceil_div(op->extent[i], c->tile)), c->tile);
        dom->outer = count_ragged(c->tile, op->extent[i], dom->base[i]);
        int64_t whole;
        dom->ragged = !tile_count_is_const(&dom->outer, &whole);
    }
}

static bool
try_chunked(lower *lw, uint32_t at, int64_t cap)
{
    const tir_op *op = &lw->in->ops.at[at];
    num_dtype dtype = lw->in->tensors.at[op->out].dtype;
    chunk_plan c = plan_chunks(op, cap);
    lower_mark m = lower_save(lw);
    uint32_t parent = open_scope(lw);
    lw->at = op->at;
    row_plan p = {.common = op->nout};
    p.part = choose_part(lw, op, op->nout, true);
    tile_domain rows = {.nindex = op->nout + op->nred};
    open_rows(lw, &p, op, &rows);
    num_as as = op->nodes.at[op->root].as;
    tile_val acc = val_new(lw, &rows, 0, as, dtype_of_as(as), 2, "acc");
    emit_fill(lw, &rows, &acc, num_reduce_identity(op->reduce, as));
    uint32_t row_body = lw->body;
    tile_domain dom = rows;
    open_chunks(lw, op, &c, &dom);
    tile_val v = expr_root(lw, &dom, op, DT_NONE);
    tile_val part = val_new(lw, &dom, 0, as, dtype_of_as(as), 2, "part");
    emit_reduce(lw, &dom, op, &part, v, dom.nfree);
    emit_binary(lw, &dom, combine_op(op->reduce), acc, acc, part);
    lw->body = row_body;
    if (dtype != dtype_of_as(as))
        acc = val_copy(lw, &rows, &acc, 0, dtype);
    val_store(lw, &rows, &acc, op->out, NULL);
    lw->loads.n = 0;
    lw->body = parent;
    lw->scope = parent;
    return lower_keep(lw, m);
}

// ---- entry

// What every operand's dimensions can hold.
static bool
extras_fit(const lower *lw, const uint32_t *ops, uint32_t n, uint32_t common)
{
    for (uint32_t i = 0; i < n; i++) {
        const tir_op *op = group_op(lw, ops, i);
        if (op->nout + op->nred - common > AP_DIMS)
            return false;
        for (uint32_t x = common; x < op->nout + op->nred; x++)
            if (op->extent[x] > MAX_COUNT)
                return false;
    }
    return true;
}

bool
lower_group(lower *lw, const uint32_t *ops, uint32_t n, uint32_t common)
{
    bool whole = extras_fit(lw, ops, n, common);
    for (int64_t cap = FREE_ELEMS; whole && cap >= 1; cap /= 2) {
        row_plan p = plan_rows(lw, ops, n, common, cap);
        if (try_group(lw, ops, n, &p))
            return true;
        if (p.nfree == 0)
            break;
    }
    bool chunks = n == 1 && group_op(lw, ops, 0)->nred > 0;
    for (int64_t cap = FREE_ELEMS; chunks && cap >= 1; cap /= 2)
        if (try_chunked(lw, ops[0], cap))
            return true;
    return false;
}
