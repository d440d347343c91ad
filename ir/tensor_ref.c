// SPDX-License-Identifier: Apache-2.0
// The reference evaluator: tensor IR in real arithmetic, that is in binary64
// with a bound on the error of every element (tensor_real.c). Sums of products
// are in tensor_ref_dot.c, scatters and sorts in tensor_ref_place.c.
#include "ir/tensor_int.h"

#include <math.h>

// ---- rows of nodes

static void
fill_row(tir_real *row, int64_t n, tir_real x)
{
    for (int64_t e = 0; e < n; e++)
        row[e] = x;
}

static void
eval_affine(const tir_ref_body *b, const tir_aff *aff, int64_t n, tir_real *out)
{
    int64_t step;
    uint64_t at = (uint64_t)tir_walk_aff(&b->w, aff, &step);
    for (int64_t e = 0; e < n; e++)
        out[e] = tir_real_const(NUM_AS_I32,
                                (num_word)(at + (uint64_t)e * (uint64_t)step));
}

static void
eval_read(const tir_ref_body *b, const tir_read *r, int64_t n, tir_real *out)
{
    const tir_tensor *t = &b->fn->tensors.at[r->tensor];
    tir_span s = tir_walk_span(&b->w, t, r, n);
    if (r->has_fill) {
        tir_real fill = tir_real_const(num_widened(t->dtype), r->fill);
        fill_row(out, s.lo, fill);
        fill_row(out + s.hi, n - s.hi, fill);
    }
    const double *val = b->val[r->tensor], *err = b->err[r->tensor];
    for (int64_t e = s.lo, at = s.off; e < s.hi; e++) {
        out[e] = (tir_real){val[at], err[at]};
        at = (int64_t)((uint64_t)at + (uint64_t)s.step);
    }
}

void
tir_ref_places(const tir_ref_body *b, const tir_read *r, int64_t n)
{
    const tir_tensor *t = &b->fn->tensors.at[r->tensor];
    for (int64_t e = 0; e < n; e++)
        b->is_open[e] = false;
    for (uint32_t d = 0; d < t->rank; d++) {
        if (!r->dyn[d])
            continue;
        const tir_real *x = b->row[r->dyn[d]];
        for (int64_t e = 0; e < n; e++) {
            b->dyn[d][e] = (num_word)(int64_t)x[e].v;
            b->is_open[e] = b->is_open[e] || x[e].e != 0;
        }
    }
    (void)tir_walk_places(&b->w, r, t, (const num_word *const *)b->dyn, n,
                          b->place);
}

bool
tir_ref_fault(const tir_ref_body *b, const tir_read *r, int64_t e)
{
    return tir_walk_fault(&b->w, r, &b->fn->tensors.at[r->tensor],
                          (const num_word *const *)b->dyn, e, b->d);
}

// A subscript that an error could turn says nothing about what is read.
static bool
eval_gather(const tir_ref_body *b, const tir_read *r, int64_t n, tir_real *out)
{
    const double *val = b->val[r->tensor], *err = b->err[r->tensor];
    num_as as = num_widened(b->fn->tensors.at[r->tensor].dtype);
    tir_ref_places(b, r, n);
    for (int64_t e = 0; e < n; e++) {
        int64_t at = b->place[e];
        if (at >= 0)
            out[e] = (tir_real){val[at], err[at]};
        else if (r->has_fill || b->is_open[e])
            out[e] = tir_real_const(as, r->fill);
        else
            return tir_ref_fault(b, r, e);
        if (b->is_open[e])
            out[e].e = (double)INFINITY;
    }
    return true;
}

static void
eval_call(const tir_node *nd, num_as as, int64_t n, tir_real *const *row,
          tir_real *out)
{
    const tir_real *x = row[nd->arg[0]], *y = row[nd->arg[1]];
    const tir_real *z = row[nd->arg[2]];
    for (int64_t e = 0; e < n; e++) {
        if (nd->kind == TIR_N_UNARY)
            out[e] = tir_real_unary(nd->func1, as, x[e]);
        else if (nd->kind == TIR_N_BINARY)
            out[e] = tir_real_binary(nd->func2, as, x[e], y[e]);
        else if (nd->kind == TIR_N_SELECT)
            out[e] = tir_real_select(x[e], y[e], z[e]);
        else
            out[e] = tir_real_cast(nd->to, as, x[e]);
    }
}

const tir_real *
tir_ref_row(tir_ref_body *b, int64_t n)
{
    for (uint32_t i = 0; !b->is_failed && i < b->nlive; i++) {
        const tir_node *at = b->op->nodes.at, *nd = &at[b->live[i]];
        tir_real *out = b->row[b->live[i]];
        if (nd->kind == TIR_N_AFFINE)
            eval_affine(b, &nd->aff, n, out);
        else if (nd->kind == TIR_N_READ)
            eval_read(b, &b->op->reads.at[nd->read], n, out);
        else if (nd->kind == TIR_N_GATHER)
            b->is_failed = !eval_gather(b, &b->op->reads.at[nd->read], n, out);
        else if (nd->kind != TIR_N_CONST)
            eval_call(nd, at[nd->arg[0]].as, n, b->row, out);
    }
    return b->row[b->op->root];
}

static bool
has_dynamic(const tir_op *op)
{
    for (uint32_t i = 1; i < op->nodes.n; i++)
        if (op->nodes.at[i].kind == TIR_N_GATHER)
            return true;
    return op->kind == TIR_SCATTER;
}

tir_ref_body
tir_ref_body_new(const tir_ref_run *r, const tir_op *op, uint32_t vec)
{
    const tir_fn *fn = r->fn;
    uint32_t n = op->nodes.n;
    tir_ref_body b = {.fn = fn,
                      .op = op,
                      .val = r->val,
                      .err = r->err,
                      .d = r->d,
                      .w = {.op = op, .vec = vec},
                      .to = tir_out_linear(op),
                      .acc = ARENA_ARRAY(fn->a, TIR_ROW, tir_real),
                      .live = ARENA_ARRAY(fn->a, n, uint32_t),
                      .row = ARENA_ARRAY(fn->a, n, tir_real *)};
    if (has_dynamic(op)) {
        b.place = ARENA_ARRAY(fn->a, TIR_ROW, int64_t);
        b.is_open = ARENA_ARRAY(fn->a, TIR_ROW, bool);
        for (uint32_t d = 0; d < TIR_RANK; d++)
            b.dyn[d] = ARENA_ARRAY(fn->a, TIR_ROW, num_word);
    }
    if (tir_attains_extreme(fn, op)) {
        b.first = ARENA_ARRAY(fn->a, TIR_ROW, double);
        b.last = ARENA_ARRAY(fn->a, TIR_ROW, double);
    }
    const bool *live = tir_live_op(fn->a, op);
    for (uint32_t i = 1; i < op->nodes.n; i++) {
        const tir_node *nd = &op->nodes.at[i];
        if (!live[i])
            continue;
        b.live[b.nlive++] = i;
        b.row[i] = ARENA_ARRAY(fn->a, TIR_ROW, tir_real);
        if (nd->kind == TIR_N_CONST)
            fill_row(b.row[i], TIR_ROW, tir_real_const(nd->as, nd->imm));
    }
    return b;
}

// ---- operations

static void
store_row(const tir_ref_body *b, int64_t n, const tir_real *row)
{
    const tir_op *op = b->op;
    num_dtype t = b->fn->tensors.at[op->out].dtype;
    num_as as = op->nodes.at[op->root].as;
    int64_t step, at = tir_walk_at(&b->w, &b->to, &step);
    for (int64_t e = 0; e < n; e++, at += step) {
        tir_real x = tir_real_cast(t, as, row[e]);
        b->val[op->out][at] = x.v;
        b->err[op->out][at] = x.e;
    }
}

static bool
is_empty(const tir_op *op, uint32_t from, uint32_t to)
{
    for (uint32_t x = from; x < to; x++)
        if (!op->extent[x])
            return true;
    return false;
}

static void
begin_positions(const tir_ref_body *b, int64_t n)
{
    for (int64_t e = 0; b->first && e < n; e++) {
        b->first[e] = (double)INFINITY;
        b->last[e] = -(double)INFINITY;
    }
}

// Element e of a row of roots is a step of element 'to' of out.
static void
note_position(const tir_ref_body *b, int64_t e, int64_t to)
{
    const tir_node *root = &b->op->nodes.at[b->op->root];
    tir_real x = b->row[b->op->root][e], none = b->row[root->arg[2]][e];
    if (x.e == 0 && x.v == none.v)
        return;
    double at = b->row[root->arg[1]][e].v;
    if (at < b->first[to])
        b->first[to] = at;
    if (at > b->last[to])
        b->last[to] = at;
}

// One of the positions noted is the one.
static void
settle_positions(const tir_ref_body *b, int64_t n, tir_real *acc)
{
    for (int64_t e = 0; b->first && e < n; e++) {
        double lo = b->first[e], hi = b->last[e], v = acc[e].v;
        if (lo <= v && v <= hi)
            acc[e].e = v - lo > hi - v ? v - lo : hi - v;
    }
}

static void
step_row(const tir_ref_body *b, int64_t n, tir_real *acc, const tir_real *x)
{
    num_as as = b->op->nodes.at[b->op->root].as;
    num_binary f = tir_reduce_func(b->op->reduce);
    for (int64_t e = 0; e < n; e++)
        acc[e] = tir_real_binary(f, as, acc[e], x[e]);
    for (int64_t e = 0; b->first && e < n; e++)
        note_position(b, e, e);
}

static void
reduce_out_row(tir_ref_body *b, int64_t n, tir_real *acc)
{
    const tir_op *op = b->op;
    num_as as = op->nodes.at[op->root].as;
    fill_row(acc, n, tir_real_const(as, num_reduce_identity(op->reduce, as)));
    if (is_empty(op, op->nout, op->nout + op->nred))
        return;
    begin_positions(b, n);
    do
        step_row(b, n, acc, tir_ref_row(b, n));
    while (!b->is_failed &&
           tir_walk_next(&b->w, op->nout, op->nout + op->nred));
    settle_positions(b, n, acc);
}

static void
eval_out_rows(tir_ref_body *b)
{
    const tir_op *op = b->op;
    int64_t extent = tir_walk_extent(&b->w), none;
    int64_t *at = b->w.vec < TIR_INDICES ? &b->w.at[b->w.vec] : &none;
    do {
        for (*at = 0; !b->is_failed && *at < extent; *at += TIR_ROW) {
            int64_t n = min_i64(extent - *at, TIR_ROW);
            if (op->reduce != NUM_R_NONE)
                reduce_out_row(b, n, b->acc);
            store_row(b, n,
                      op->reduce == NUM_R_NONE ? tir_ref_row(b, n) : b->acc);
        }
        *at = 0;
    } while (!b->is_failed && tir_walk_next(&b->w, 0, op->nout));
}

static tir_real
reduce_along(tir_ref_body *b)
{
    const tir_op *op = b->op;
    num_as as = op->nodes.at[op->root].as;
    tir_real acc = tir_real_const(as, num_reduce_identity(op->reduce, as));
    num_binary f = tir_reduce_func(op->reduce);
    int64_t extent = op->extent[b->w.vec], *at = &b->w.at[b->w.vec];
    if (is_empty(op, op->nout, op->nout + op->nred))
        return acc;
    begin_positions(b, 1);
    do {
        for (*at = 0; !b->is_failed && *at < extent; *at += TIR_ROW) {
            int64_t n = min_i64(extent - *at, TIR_ROW);
            const tir_real *x = tir_ref_row(b, n);
            for (int64_t e = 0; e < n; e++)
                acc = tir_real_binary(f, as, acc, x[e]);
            for (int64_t e = 0; b->first && e < n; e++)
                note_position(b, e, 0);
        }
        *at = 0;
    } while (!b->is_failed &&
             tir_walk_next(&b->w, op->nout, op->nout + op->nred));
    settle_positions(b, 1, &acc);
    return acc;
}

// A map or a reduction, of a recurrence at the time that is set.
static bool
eval_map(tir_ref_body *b)
{
    if (b->w.vec == TIR_INDICES || b->w.vec < b->op->nout) {
        eval_out_rows(b);
        return !b->is_failed;
    }
    do {
        tir_real acc = reduce_along(b);
        store_row(b, 1, &acc);
    } while (!b->is_failed && tir_walk_next(&b->w, 0, b->op->nout));
    return !b->is_failed;
}

static bool
is_wanted(const tir_ref_run *r, const tir_op *op)
{
    return !(r->given && r->given[op->out]) && !is_empty(op, 0, op->nout);
}

// The n operations of a recurrence.
static bool
eval_group(const tir_ref_run *r, const tir_op *ops, uint32_t n)
{
    tir_ref_body *b = ARENA_ARRAY(r->fn->a, n, tir_ref_body);
    int64_t end = ops->extent[ops->time];
    for (uint32_t o = 0; o < n; o++)
        b[o] = tir_ref_body_new(r, &ops[o], tir_walk_choose(r->fn, &ops[o]));
    for (int64_t s = 0; s < end; s++)
        for (uint32_t o = 0; o < n; o++) {
            b[o].w.at[ops[o].time] = ops->backward ? end - 1 - s : s;
            if (is_wanted(r, &ops[o]) && !eval_map(&b[o]))
                return false;
        }
    return true;
}

// Operations [at, ..): one, or a recurrence; how many, 0 after a fault.
static uint32_t
eval_at(const tir_ref_run *r, uint32_t at)
{
    const tir_op *op = &r->fn->ops.at[at];
    tir_dot dot;
    if (op->group) {
        uint32_t n = tir_group_end(r->fn, at) - at;
        return eval_group(r, op, n) ? n : 0;
    }
    if (r->given && r->given[op->out])
        return 1;
    switch (op->kind) {
    case TIR_SCATTER: return tir_ref_scatter(r, op);
    case TIR_SORT: tir_ref_sort(r, op); return 1;
    case TIR_RESHAPE: tir_ref_reshape(r, op); return 1;
    case TIR_MAP: break;
    }
    if (!is_wanted(r, op))
        return 1;
    if (tir_dot_plan(r->fn, op, &dot)) {
        tir_ref_dot(&dot, r->val, r->err);
        return 1;
    }
    tir_ref_body b = tir_ref_body_new(r, op, tir_walk_choose(r->fn, op));
    return eval_map(&b);
}

bool
tir_eval_ref(const tir_fn *fn, double *const *val, double *const *err,
             const bool *given, diags *d)
{
    num_env env = num_env_enter();
    tir_ref_run r = {fn, val, err, given, d};
    uint32_t n = 1;
    for (uint32_t o = 0; n && o < fn->ops.n; o += n) {
        arena_mark mark = arena_save(fn->a);
        n = eval_at(&r, o);
        if (n) // a diagnostic may be in the same arena
            arena_restore(fn->a, mark);
    }
    num_env_leave(env);
    return n > 0;
}
