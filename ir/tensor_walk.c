// SPDX-License-Identifier: Apache-2.0
// Walking the index space of a tensor operation: one index in rows, so that
// scalar functions run over many elements at once, the others one by one.
// Positions are computed modulo 2^64: those that are used are inside a tensor
// and come out right even if a part of the sum does not fit.
#include "ir/tensor_int.h"

#include <string.h>

static int64_t
wrap_madd(int64_t sum, int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)sum + (uint64_t)a * (uint64_t)b);
}

// sum += k * sub, for every coefficient.
static void
add_scaled(tir_linear *sum, const tir_aff *sub, int64_t k)
{
    sum->base = wrap_madd(sum->base, sub->c, k);
    for (uint32_t x = 0; x < TIR_INDICES; x++)
        sum->step[x] = wrap_madd(sum->step[x], sub->k[x], k);
}

tir_linear
tir_read_linear(const tir_fn *fn, const tir_op *op, const tir_read *r)
{
    const tir_tensor *t = &fn->tensors.at[r->tensor];
    tir_linear l = {0};
    int64_t stride = 1;
    (void)op;
    for (uint32_t d = t->rank; d-- > 0;) {
        add_scaled(&l, &r->sub[d], stride);
        stride = wrap_madd(0, stride, t->shape[d]);
    }
    return l;
}

tir_linear
tir_out_linear(const tir_op *op)
{
    tir_linear l = {0};
    int64_t stride = 1;
    for (uint32_t d = op->nout; d-- > 0;) {
        l.step[d] = stride;
        stride = wrap_madd(0, stride, op->extent[d]);
    }
    return l;
}

// Time stands still while a recurrence's operation is evaluated.
static bool
is_held(const tir_op *op, uint32_t x)
{
    return op->group && x == op->time;
}

// ---- choosing the index

// Estimated nanoseconds an element when index x is walked in rows: calls are
// shared by a row, reads far apart miss the cache, and the steps of a reduction
// along its own index wait for each other.
static double
walk_cost(const tir_fn *fn, const tir_op *op, uint32_t x)
{
    const double call_ns = 30, near_ns = 0.5, far_ns = 4, chain_ns = 1.5;
    int64_t n = min_i64(op->extent[x], TIR_ROW);
    double cost = call_ns * (double)op->nodes.n / (double)max_i64(n, 1);
    for (uint32_t r = 0; r < op->reads.n; r++) {
        int64_t step = tir_read_linear(fn, op, &op->reads.at[r]).step[x];
        cost += step >= -1 && step <= 1 ? near_ns : far_ns;
    }
    return x < op->nout ? cost : cost + chain_ns;
}

uint32_t
tir_walk_choose(const tir_fn *fn, const tir_op *op)
{
    uint32_t best = TIR_INDICES;
    double best_cost = 0;
    for (uint32_t x = op->nout + op->nred; x-- > 0;) {
        if ((x >= op->nout && x + 1 != op->nout + op->nred) || is_held(op, x))
            continue;
        double cost = walk_cost(fn, op, x);
        if (best == TIR_INDICES || cost < best_cost) {
            best = x;
            best_cost = cost;
        }
    }
    return best;
}

// ---- walking

bool
tir_walk_next(tir_walk *w, uint32_t from, uint32_t to)
{
    for (uint32_t x = to; x-- > from;) {
        if (x == w->vec || is_held(w->op, x))
            continue;
        if (++w->at[x] < w->op->extent[x])
            return true;
        w->at[x] = 0;
    }
    return false;
}

int64_t
tir_walk_extent(const tir_walk *w)
{
    return w->vec < TIR_INDICES ? w->op->extent[w->vec] : 1;
}

int64_t
tir_walk_at(const tir_walk *w, const tir_linear *l, int64_t *step)
{
    int64_t at = l->base;
    for (uint32_t x = 0; x < w->op->nout + w->op->nred; x++)
        at = wrap_madd(at, l->step[x], w->at[x]);
    *step = w->vec < TIR_INDICES ? l->step[w->vec] : 0;
    return at;
}

int64_t
tir_walk_aff(const tir_walk *w, const tir_aff *aff, int64_t *step)
{
    int64_t at = aff->c;
    for (uint32_t x = 0; x < w->op->nout + w->op->nred; x++)
        at = wrap_madd(at, aff->k[x], w->at[x]);
    *step = w->vec < TIR_INDICES ? aff->k[w->vec] : 0;
    return at;
}

// Narrows [lo, hi) to the e with 0 <= at + k * e < extent. Values of index
// expressions are below 2^62 in magnitude, so no difference here overflows.
static void
narrow(tir_span *s, int64_t at, int64_t k, int64_t extent)
{
    bool is_inside = at >= 0 && at < extent;
    if (k == 0 || s->hi - s->lo <= 1) {
        if (!is_inside)
            s->hi = s->lo;
    } else if (k > 0) {
        s->lo = max_i64(s->lo, ceil_div(-at, k));
        s->hi = min_i64(s->hi, floor_div(extent - 1 - at, k) + 1);
    } else {
        s->lo = max_i64(s->lo, ceil_div(at - (extent - 1), -k));
        s->hi = min_i64(s->hi, floor_div(at, -k) + 1);
    }
    if (s->hi < s->lo) // the bounds may lie beyond the row
        s->lo = s->hi = 0;
}

tir_span
tir_walk_span(const tir_walk *w, const tir_tensor *t, const tir_read *r,
              int64_t n)
{
    tir_span s = {.hi = n};
    int64_t at[TIR_RANK], k[TIR_RANK], stride = 1;
    for (uint32_t d = 0; d < t->rank; d++)
        at[d] = tir_walk_aff(w, &r->sub[d], &k[d]);
    for (uint32_t d = 0; r->has_fill && d < t->rank; d++) {
        // A row of which one element is left is judged at that element.
        bool is_one = s.hi - s.lo == 1;
        narrow(&s, is_one ? wrap_madd(at[d], k[d], s.lo) : at[d],
               is_one ? 0 : k[d], t->shape[d]);
    }
    for (uint32_t d = t->rank; d-- > 0;) {
        s.off = wrap_madd(s.off, wrap_madd(at[d], k[d], s.lo), stride);
        s.step = wrap_madd(s.step, k[d], stride);
        stride = wrap_madd(0, stride, t->shape[d]);
    }
    return s;
}

bool
tir_walk_places(const tir_walk *w, const tir_read *r, const tir_tensor *t,
                const num_word *const *dyn, int64_t n, int64_t *place)
{
    memset(place, 0, (size_t)n * sizeof *place);
    int64_t all = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        int64_t step, at = tir_walk_aff(w, &r->sub[d], &step);
        int64_t extent = t->shape[d];
        const num_word *x = r->dyn[d] ? dyn[d] : NULL;
        for (int64_t e = 0; e < n; e++) {
            int64_t v = wrap_madd(at, step, e) + (x ? (int32_t)x[e] : 0);
            bool is_inside = v >= 0 && v < extent && place[e] >= 0;
            place[e] = is_inside ? place[e] * extent + v : -1;
        }
    }
    for (int64_t e = 0; e < n; e++)
        all |= place[e];
    return all >= 0;
}

bool
tir_walk_fault(const tir_walk *w, const tir_read *r, const tir_tensor *t,
               const num_word *const *dyn, int64_t e, diags *diagnostics)
{
    for (uint32_t d = 0; d < t->rank; d++) {
        int64_t step, at = tir_walk_aff(w, &r->sub[d], &step);
        int64_t v =
            wrap_madd(at, step, e) + (r->dyn[d] ? (int32_t)dyn[d][e] : 0);
        if (v >= 0 && v < t->shape[d])
            continue;
        diag(diagnostics, w->op->at, D_TIR_OUTSIDE, d, t->name, (long long)v,
             (long long)t->shape[d]);
        return false;
    }
    SY_CHECK(false, "a place inside '%s'", t->name);
    return false;
}

num_binary
tir_reduce_func(num_reduce r)
{
    switch (r) {
    case NUM_R_SUB:
    case NUM_R_AND:
    case NUM_R_OR:
    case NUM_R_XOR:
    case NUM_R_ABSMAX:
    case NUM_R_ABSMIN:
    case NUM_R_NONE:
    case NUM_R_COUNT: break;
    case NUM_R_SUM: return NUM_ADD;
    case NUM_R_PROD: return NUM_MUL;
    case NUM_R_MAX: return NUM_MAX;
    case NUM_R_MIN: return NUM_MIN;
    case NUM_R_ANY: return NUM_OR;
    case NUM_R_ALL: return NUM_AND;
    }
    return NUM_B_NONE;
}
