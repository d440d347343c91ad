// SPDX-License-Identifier: Apache-2.0
// The reference's operations that move elements: scatters, sorts, reshapes.
// Where a value goes is a decision; what its error could turn is bounded by
// what would follow (docs/design/irregular.md).
#include "ir/tensor_int.h"

#include <math.h>
#include <string.h>

// ---- scatters

static void
begin_scatter(const tir_ref_run *r, const tir_op *op)
{
    const tir_tensor *t = &r->fn->tensors.at[op->out];
    num_as as = num_widened(t->dtype);
    tir_real first = tir_real_const(
        as, op->reduce == NUM_R_NONE ? 0 : num_reduce_identity(op->reduce, as));
    for (int64_t e = 0; e < tir_elems(t); e++) {
        bool has_init = op->init != TIR_ABSENT;
        r->val[op->out][e] = has_init ? r->val[op->init][e] : first.v;
        r->err[op->out][e] = has_init ? r->err[op->init][e] : first.e;
    }
}

// One update of the element at 'place'.
static void
put_one(const tir_ref_body *b, int64_t place, tir_real x, tir_real guard)
{
    const tir_op *op = b->op;
    num_dtype t = b->fn->tensors.at[op->out].dtype;
    num_as as = op->nodes.at[op->root].as;
    double *v = &b->val[op->out][place], *e = &b->err[op->out][place];
    tir_real old = {*v, *e}, new = tir_real_cast(t, as, x);
    if (op->reduce != NUM_R_NONE)
        new = tir_real_binary(tir_reduce_func(op->reduce), as, old, x);
    new = tir_real_select(guard, new, old);
    *v = new.v;
    *e = new.e;
}

// A row of n updates. Sets *is_lost if one may have gone anywhere.
static bool
put_row(const tir_ref_body *b, int64_t n, bool *is_lost)
{
    const tir_op *op = b->op;
    tir_ref_places(b, &op->target, n);
    for (int64_t e = 0; e < n; e++) {
        tir_real guard = {1, 0};
        if (op->guard)
            guard = b->row[op->guard][e];
        if (guard.v == 0 && guard.e == 0)
            continue;
        *is_lost = *is_lost || b->is_open[e];
        if (b->place[e] >= 0)
            put_one(b, b->place[e], b->row[op->root][e], guard);
        else if (!b->is_open[e] && guard.e == 0)
            return tir_ref_fault(b, &op->target, e);
    }
    return true;
}

static bool
put_all(const tir_ref_run *r, const tir_op *op, bool *is_lost)
{
    uint32_t vec = op->nout ? op->nout - 1 : TIR_INDICES;
    tir_ref_body b = tir_ref_body_new(r, op, vec);
    int64_t extent = tir_walk_extent(&b.w), none;
    int64_t *at = op->nout ? &b.w.at[vec] : &none;
    do {
        for (*at = 0; *at < extent; *at += TIR_ROW) {
            int64_t n = min_i64(extent - *at, TIR_ROW);
            (void)tir_ref_row(&b, n);
            if (b.is_failed || !put_row(&b, n, is_lost))
                return false;
        }
        *at = 0;
    } while (tir_walk_next(&b.w, 0, op->nout));
    return true;
}

bool
tir_ref_scatter(const tir_ref_run *r, const tir_op *op)
{
    bool is_lost = false;
    begin_scatter(r, op);
    if (!tir_op_is_empty(op) && !put_all(r, op, &is_lost))
        return false;
    int64_t n = tir_elems(&r->fn->tensors.at[op->out]);
    for (int64_t e = 0; is_lost && e < n; e++)
        r->err[op->out][e] = (double)INFINITY;
    return true;
}

// ---- sorts

// A row in its sorted order, as intervals [lo, hi] of a key that ascends.
// Elements whose order an error could turn are in one cluster: a run of places
// whose elements are certain, but not their order.
typedef struct {
    tir_ranked *at, *spare;
    double *hi; // [place]
    // [place]: the least lo of inexact, of exact elements from there on
    double *least, *least_exact;
    // [place]: how far the value and the position may be off
    double *move, *spread;
    const double *err; // [element * step]
    int64_t n, step;
} sorted_row;

static sorted_row
sorted_row_new(arena *a, const tir_sort_rows *rows)
{
    size_t size = (size_t)rows->n + 1;
    return (sorted_row){.at = ARENA_ARRAY(a, size, tir_ranked),
                        .spare = ARENA_ARRAY(a, size, tir_ranked),
                        .hi = ARENA_ARRAY(a, size, double),
                        .least = ARENA_ARRAY(a, size, double),
                        .least_exact = ARENA_ARRAY(a, size, double),
                        .move = ARENA_ARRAY(a, size, double),
                        .spread = ARENA_ARRAY(a, size, double),
                        .n = rows->n,
                        .step = rows->step};
}

static double
lesser(double a, double b)
{
    return a < b ? a : b;
}

// Of the element at a place.
static double
error_at(const sorted_row *s, int64_t place)
{
    return s->err[s->at[place].at * s->step];
}

// A NaN is past infinity, where the sort has put it.
static void
set_intervals(const sorted_row *s, bool descending)
{
    const double infinity = (double)INFINITY;
    s->least[s->n] = s->least_exact[s->n] = infinity;
    for (int64_t k = s->n; k-- > 0;) {
        double key = isnan(s->at[k].key) ? infinity : s->at[k].key;
        double e = error_at(s, k);
        key = descending ? -key : key;
        s->hi[k] = isinf(e) ? infinity : key + e;
        s->least[k] = s->least[k + 1];
        s->least_exact[k] = s->least_exact[k + 1];
        double *least = e == 0 ? &s->least_exact[k] : &s->least[k];
        *least = lesser(*least, isinf(e) ? -infinity : key - e);
    }
}

// The end of the cluster that begins at a place. Exact elements are in order.
static int64_t
cluster_end(const sorted_row *s, int64_t from)
{
    const double infinity = (double)INFINITY;
    double most = -infinity, most_exact = most;
    for (int64_t k = from; k < s->n; k++) {
        double *top = error_at(s, k) == 0 ? &most_exact : &most;
        *top = *top > s->hi[k] ? *top : s->hi[k];
        bool is_open =
            most >= lesser(s->least[k + 1], s->least_exact[k + 1]) ||
            (s->least[k + 1] < infinity && most_exact >= s->least[k + 1]);
        if (!is_open || k + 1 == s->n)
            return k + 1;
    }
    return s->n;
}

static void
settle_cluster(const sorted_row *s, int64_t from, int64_t end)
{
    int64_t least = s->at[from].at, most = least;
    double move = 0;
    for (int64_t k = from; k < end; k++) {
        move = move > error_at(s, k) ? move : error_at(s, k);
        least = min_i64(least, s->at[k].at);
        most = max_i64(most, s->at[k].at);
    }
    for (int64_t k = from; k < end; k++) {
        s->move[k] = move;
        s->spread[k] = (double)max_i64(s->at[k].at - least, most - s->at[k].at);
    }
}

static void
sort_row(sorted_row *s, const double *val, const double *err, bool descending)
{
    s->err = err;
    for (int64_t e = 0; e < s->n; e++)
        s->at[e] = (tir_ranked){val[e * s->step], e};
    tir_sort_row(s->at, s->spare, s->n, descending);
    set_intervals(s, descending);
    for (int64_t k = 0; k < s->n;) {
        int64_t end = cluster_end(s, k);
        settle_cluster(s, k, end);
        k = end;
    }
}

void
tir_ref_sort(const tir_ref_run *r, const tir_op *op)
{
    tir_sort_rows rows = tir_sort_plan(r->fn, op);
    sorted_row s = sorted_row_new(r->fn->a, &rows);
    for (int64_t row = 0; rows.take && row < rows.rows; row++) {
        int64_t from = tir_sort_first(&rows, row, rows.n);
        int64_t to = tir_sort_first(&rows, row, rows.take);
        sort_row(&s, r->val[op->src] + from, r->err[op->src] + from,
                 op->descending);
        for (int64_t k = 0; k < rows.take; k++, to += rows.step) {
            r->val[op->out][to] =
                op->positions ? (double)s.at[k].at : s.at[k].key;
            r->err[op->out][to] = op->positions ? s.spread[k] : s.move[k];
        }
    }
}

void
tir_ref_reshape(const tir_ref_run *r, const tir_op *op)
{
    size_t n = (size_t)tir_elems(&r->fn->tensors.at[op->out]);
    if (!n)
        return;
    memcpy(r->val[op->out], r->val[op->src], n * sizeof(double));
    memcpy(r->err[op->out], r->err[op->src], n * sizeof(double));
}
