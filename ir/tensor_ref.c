// SPDX-License-Identifier: Apache-2.0
// The reference evaluator: tensor IR in real arithmetic, that is in binary64
// with a bound on the error of every element (tensor_real.c). Sums of products
// of floats go in blocks, with the classic bound on a dot product.
#include "ir/tensor_int.h"

#include <math.h>
#include <string.h>

typedef struct {
    const tir_fn *fn;
    const tir_op *op;
    double *const *val, *const *err;
    tir_walk w;
    uint32_t nlive;
    uint32_t *live;
    tir_real **row; // [node]
    // Of a position that is attained: the least and the greatest position that
    // may be the one, for every element of a row of out (NULL otherwise).
    double *first, *last;
} body;

// ---- rows of nodes

static void
fill_row(tir_real *row, int64_t n, tir_real x)
{
    for (int64_t e = 0; e < n; e++)
        row[e] = x;
}

static void
eval_affine(const body *b, const tir_aff *aff, int64_t n, tir_real *out)
{
    int64_t step;
    uint64_t at = (uint64_t)tir_walk_aff(&b->w, aff, &step);
    for (int64_t e = 0; e < n; e++)
        out[e] = tir_real_const(NUM_AS_I32,
                                (num_word)(at + (uint64_t)e * (uint64_t)step));
}

static void
eval_read(const body *b, const tir_read *r, int64_t n, tir_real *out)
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

static const tir_real *
eval_row(const body *b, int64_t n)
{
    for (uint32_t i = 0; i < b->nlive; i++) {
        const tir_node *at = b->op->nodes.at, *nd = &at[b->live[i]];
        tir_real *out = b->row[b->live[i]];
        if (nd->kind == TIR_N_AFFINE)
            eval_affine(b, &nd->aff, n, out);
        else if (nd->kind == TIR_N_READ)
            eval_read(b, &b->op->reads.at[nd->read], n, out);
        else if (nd->kind != TIR_N_CONST)
            eval_call(nd, at[nd->arg[0]].as, n, b->row, out);
    }
    return b->row[b->op->root];
}

static body
body_new(const tir_fn *fn, const tir_op *op, double *const *val,
         double *const *err)
{
    uint32_t n = op->nodes.n;
    body b = {.fn = fn,
              .op = op,
              .val = val,
              .err = err,
              .w = {.op = op, .vec = tir_walk_choose(fn, op)},
              .live = ARENA_ARRAY(fn->a, n, uint32_t),
              .row = ARENA_ARRAY(fn->a, n, tir_real *)};
    if (tir_attains_extreme(fn, op)) {
        b.first = ARENA_ARRAY(fn->a, TIR_ROW, double);
        b.last = ARENA_ARRAY(fn->a, TIR_ROW, double);
    }
    const bool *live = tir_live_nodes(fn->a, op, op->root);
    for (uint32_t i = 1; i <= op->root; i++) {
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
store_row(const body *b, int64_t n, const tir_real *row)
{
    const tir_op *op = b->op;
    num_dtype t = b->fn->tensors.at[op->out].dtype;
    num_as as = op->nodes.at[op->root].as;
    tir_linear l = tir_out_linear(op);
    int64_t step, at = tir_walk_at(&b->w, &l, &step);
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
begin_positions(const body *b, int64_t n)
{
    for (int64_t e = 0; b->first && e < n; e++) {
        b->first[e] = (double)INFINITY;
        b->last[e] = -(double)INFINITY;
    }
}

// Element e of a row of roots is a step of element 'to' of out.
static void
note_position(const body *b, int64_t e, int64_t to)
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
settle_positions(const body *b, int64_t n, tir_real *acc)
{
    for (int64_t e = 0; b->first && e < n; e++) {
        double lo = b->first[e], hi = b->last[e], v = acc[e].v;
        if (lo <= v && v <= hi)
            acc[e].e = v - lo > hi - v ? v - lo : hi - v;
    }
}

static void
step_row(const body *b, int64_t n, tir_real *acc, const tir_real *x)
{
    num_as as = b->op->nodes.at[b->op->root].as;
    num_binary f = tir_reduce_func(b->op->reduce);
    for (int64_t e = 0; e < n; e++)
        acc[e] = tir_real_binary(f, as, acc[e], x[e]);
    for (int64_t e = 0; b->first && e < n; e++)
        note_position(b, e, e);
}

static void
reduce_out_row(body *b, int64_t n, tir_real *acc)
{
    const tir_op *op = b->op;
    num_as as = op->nodes.at[op->root].as;
    fill_row(acc, n, tir_real_const(as, num_reduce_identity(op->reduce, as)));
    if (is_empty(op, op->nout, op->nout + op->nred))
        return;
    begin_positions(b, n);
    do
        step_row(b, n, acc, eval_row(b, n));
    while (tir_walk_next(&b->w, op->nout, op->nout + op->nred));
    settle_positions(b, n, acc);
}

static void
eval_out_rows(body *b)
{
    const tir_op *op = b->op;
    int64_t extent = tir_walk_extent(&b->w), none;
    int64_t *at = b->w.vec < TIR_INDICES ? &b->w.at[b->w.vec] : &none;
    tir_real *acc = ARENA_ARRAY(b->fn->a, TIR_ROW, tir_real);
    do {
        for (*at = 0; *at < extent; *at += TIR_ROW) {
            int64_t n = min_i64(extent - *at, TIR_ROW);
            if (op->reduce != NUM_R_NONE)
                reduce_out_row(b, n, acc);
            store_row(b, n, op->reduce == NUM_R_NONE ? eval_row(b, n) : acc);
        }
        *at = 0;
    } while (tir_walk_next(&b->w, 0, op->nout));
}

static tir_real
reduce_along(body *b)
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
        for (*at = 0; *at < extent; *at += TIR_ROW) {
            int64_t n = min_i64(extent - *at, TIR_ROW);
            const tir_real *x = eval_row(b, n);
            for (int64_t e = 0; e < n; e++)
                acc = tir_real_binary(f, as, acc, x[e]);
            for (int64_t e = 0; b->first && e < n; e++)
                note_position(b, e, 0);
        }
        *at = 0;
    } while (tir_walk_next(&b->w, op->nout, op->nout + op->nred));
    settle_positions(b, 1, &acc);
    return acc;
}

static void
eval_general(const tir_fn *fn, const tir_op *op, double *const *val,
             double *const *err)
{
    body b = body_new(fn, op, val, err);
    if (b.w.vec == TIR_INDICES || b.w.vec < op->nout) {
        eval_out_rows(&b);
        return;
    }
    do {
        tir_real acc = reduce_along(&b);
        store_row(&b, 1, &acc);
    } while (tir_walk_next(&b.w, 0, op->nout));
}

// ---- sums of products

typedef double f64x2 __attribute__((vector_size(16)));
enum { LANES = 2, VECS = TIR_DOT_J / LANES };

// Four sums over the same terms: of a * b, of |a| * |b|, and, where operands
// have errors, of (|a| + ea) * eb and of ea * |b|.
enum { SUM_VALUE, SUM_MAGNITUDE, SUM_ERR_B, SUM_ERR_A, SUMS };

typedef struct {
    double *const *val, *const *err;
    bool has_err;
    double grid; // every product is a multiple of it; 0: unknown
    double a[SUMS][TIR_DOT_I][TIR_DOT_K];
    f64x2 b[SUMS][TIR_DOT_K][VECS];
    f64x2 acc[SUMS][TIR_DOT_I][VECS];
} dot_cx;

static void
dot_begin(void *cx, const tir_dot_block *b)
{
    dot_cx *c = cx;
    (void)b;
    memset(c->acc, 0, sizeof c->acc);
}

static void
dot_row(f64x2 *acc, const double *a, f64x2 b[][VECS], uint32_t nk,
        uint32_t nvec)
{
    for (uint32_t v = 0; v < nvec; v += 4) {
        f64x2 c0 = acc[v], c1 = acc[v + 1], c2 = acc[v + 2], c3 = acc[v + 3];
        for (uint32_t k = 0; k < nk; k++) {
            c0 += a[k] * b[k][v];
            c1 += a[k] * b[k][v + 1];
            c2 += a[k] * b[k][v + 2];
            c3 += a[k] * b[k][v + 3];
        }
        acc[v] = c0;
        acc[v + 1] = c1;
        acc[v + 2] = c2;
        acc[v + 3] = c3;
    }
}

static void
gather_b(dot_cx *c, const tir_dot_block *b, uint32_t k)
{
    uint32_t t = b->dot->op->reads.at[b->dot->b].tensor;
    const double *val = c->val[t], *err = c->err[t];
    int64_t at = b->b[k];
    for (uint32_t j = 0; j < b->nj; j++, at += b->b_j) {
        double mag = fabs(val[at]);
        c->b[SUM_VALUE][k][j / LANES][j % LANES] = val[at];
        c->b[SUM_MAGNITUDE][k][j / LANES][j % LANES] = mag;
        c->b[SUM_ERR_B][k][j / LANES][j % LANES] = err[at];
        c->b[SUM_ERR_A][k][j / LANES][j % LANES] = mag;
    }
}

static void
gather_a(dot_cx *c, const tir_dot_block *b, uint32_t k)
{
    uint32_t t = b->dot->op->reads.at[b->dot->a].tensor;
    const double *val = c->val[t], *err = c->err[t];
    int64_t at = b->a[k];
    for (uint32_t i = 0; i < b->ni; i++, at += b->a_i) {
        double mag = fabs(val[at]);
        c->a[SUM_VALUE][i][k] = val[at];
        c->a[SUM_MAGNITUDE][i][k] = mag;
        c->a[SUM_ERR_B][i][k] = mag + err[at];
        c->a[SUM_ERR_A][i][k] = err[at];
    }
}

static void
dot_terms(void *cx, const tir_dot_block *b)
{
    dot_cx *c = cx;
    for (uint32_t k = 0; k < b->nk; k++) {
        gather_a(c, b, k);
        gather_b(c, b, k);
    }
    uint32_t nvec = (uint32_t)align_up(b->nj, 8) / LANES;
    for (int s = 0; s < (c->has_err ? SUMS : SUM_ERR_B); s++)
        for (uint32_t i = 0; i < b->ni; i++)
            dot_row(c->acc[s][i], c->a[s][i], c->b[s], b->nk, nvec);
}

// Bound on a sum of n products: n * 2^-53 of the sum of magnitudes (and as much
// again for that sum's own rounding); nothing if all partial sums are multiples
// of one power of two and below 2^53 of it.
static double
dot_error(const dot_cx *c, double n, double v, double mag, double from_ops)
{
    const double infinity = (double)INFINITY;
    if (!isfinite(v))
        return c->has_err ? infinity : 0;
    double e = mag * (2 * n + 4) * 0x1p-53 + n * 0x1p-1070;
    if (mag == 0 || (c->grid > 0 && mag < 0x1p53 * c->grid))
        e = 0;
    e = (e + from_ops * (1 + (2 * n + 4) * 0x1p-53)) * (1 + 0x1p-40);
    return isnan(e) ? infinity : e;
}

static void
dot_end(void *cx, const tir_dot_block *b)
{
    const dot_cx *c = cx;
    const tir_dot *d = b->dot;
    double *val = c->val[d->op->out], *err = c->err[d->op->out];
    for (uint32_t i = 0; i < b->ni; i++)
        for (uint32_t j = 0; j < b->nj; j++) {
            double s[SUMS];
            for (int k = 0; k < SUMS; k++)
                s[k] = c->acc[k][i][j / LANES][j % LANES];
            int64_t at = b->out + b->out_i * i + b->out_j * j;
            val[at] = s[SUM_VALUE];
            err[at] = dot_error(c, (double)d->nk, s[SUM_VALUE],
                                s[SUM_MAGNITUDE], s[SUM_ERR_A] + s[SUM_ERR_B]);
        }
}

// The greatest power of two that divides x; x is finite and not 0.
static double
lowest_bit(double x)
{
    union {
        double f;
        uint64_t u;
    } bits = {x};
    uint64_t exponent = bits.u >> 52 & 0x7ff, mantissa = bits.u << 12 >> 12;
    if (!exponent)
        return 0x1p-1074;
    double lowest = 0x1p-52;
    for (mantissa |= (uint64_t)1 << 52; !(mantissa & 1); mantissa >>= 1)
        lowest *= 2;
    bits.u = exponent << 52;
    return bits.f * lowest;
}

// The greatest power of two that divides every element; 0 if there is none.
static double
tensor_grid(const double *val, int64_t n)
{
    double grid = 0;
    for (int64_t e = 0; e < n; e++) {
        if (!isfinite(val[e]))
            return 0;
        double low = val[e] != 0 ? lowest_bit(val[e]) : 0;
        if (low > 0 && (grid == 0 || low < grid))
            grid = low;
    }
    return grid > 0 ? grid : 1;
}

static bool
has_error(const double *err, int64_t n)
{
    for (int64_t e = 0; e < n; e++)
        if (err[e] != 0)
            return true;
    return false;
}

static void
eval_dot(const tir_dot *d, double *const *val, double *const *err)
{
    dot_cx *c = ARENA_NEW(d->fn->a, dot_cx);
    uint32_t ta = d->op->reads.at[d->a].tensor;
    uint32_t tb = d->op->reads.at[d->b].tensor;
    int64_t na = tir_elems(&d->fn->tensors.at[ta]);
    int64_t nb = tir_elems(&d->fn->tensors.at[tb]);
    c->val = val;
    c->err = err;
    c->has_err = has_error(err[ta], na) || has_error(err[tb], nb);
    c->grid = tensor_grid(val[ta], na) * tensor_grid(val[tb], nb);
    tir_dot_sink sink = {c, dot_begin, dot_terms, dot_end};
    tir_dot_run(d, &sink);
}

void
tir_eval_ref(const tir_fn *fn, double *const *val, double *const *err,
             const bool *given)
{
    num_env env = num_env_enter();
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        const tir_op *op = &fn->ops.at[o];
        tir_dot d;
        if ((given && given[op->out]) || is_empty(op, 0, op->nout))
            continue;
        arena_mark mark = arena_save(fn->a);
        if (tir_dot_plan(fn, op, &d))
            eval_dot(&d, val, err);
        else
            eval_general(fn, op, val, err);
        arena_restore(fn->a, mark);
    }
    num_env_leave(env);
}
