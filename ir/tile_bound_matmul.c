// SPDX-License-Identifier: Apache-2.0
// Error bounds of the tensor engine. A result is c_K, c_k = fl(c_(k-1) +
// w_k x_k): each step rounds by at most u |c_k|. With p_k the same partial
// sums in binary64, the rounding of all steps is at most
//     u * sum |p_k| / (1 - K u)
// (docs/design/bounds.md), and operands known to within e_w, e_x add
//     sum (|w_k| + e_w) e_x + e_w |x_k|.
// Where every partial sum is representable, nothing rounds.
#include "ir/tile_bound_int.h"

#include <math.h>
#include <string.h>

enum { LANES = 8, MAX_K = TILE_PARTS, MAX_N = TILE_MOVING };

#define UNIT 0x1p-24
#define TINY 0x1p-150
#define INF  ((double)INFINITY)

static void
block_init(tile_block *b, arena *a, size_t row_step, size_t col_step)
{
    b->v = ARENA_ARRAY(a, MAX_K * MAX_N, double);
    b->e = ARENA_ARRAY(a, MAX_K * MAX_N, double);
    b->row_step = row_step;
    b->col_step = col_step;
}

void
tile_bound_matmul_init(tile_bound *b, arena *a)
{
    block_init(&b->weights, a, 1, MAX_K);
    block_init(&b->moving, a, MAX_N, 1);
    b->sum = ARENA_ARRAY(a, (size_t)TILE_PARTS * MAX_N, double);
    b->own = ARENA_ARRAY(a, (size_t)TILE_PARTS * MAX_N, double);
    b->old.w = ARENA_ARRAY(a, (size_t)TILE_PARTS * MAX_N, num_word);
    b->old.e = ARENA_ARRAY(a, (size_t)TILE_PARTS * MAX_N, double);
}

// ---- operands

// The exponent of the lowest bit set in a finite binary32.
static int
lowest_bit(num_word w)
{
    uint32_t exponent = w >> 23 & 255, bits = w & 0x7fffff;

    bits |= exponent > 0 ? 0x800000 : 0;
    return (int)(exponent > 0 ? exponent : 1) - 150 + __builtin_ctz(bits);
}

static void
note_element(tile_block *b, num_word w, double e)
{
    double v = fabs((double)num_f32(w));

    b->wild = b->wild || !isfinite(v) || !isfinite(e);
    b->inexact = b->inexact || e != 0;
    if (v > 0 && isfinite(v)) {
        int low = lowest_bit(w);

        b->most = v > b->most ? v : b->most;
        b->grain = low < b->grain ? low : b->grain;
    }
}

static void
block_read(tile_bound *tb, const tile_view *v, tile_block *b)
{
    b->rows = v->parts;
    b->cols = (uint32_t)tile_view_elems(v);
    b->wild = b->inexact = false;
    b->most = 0;
    b->grain = 128;
    for (uint32_t p = 0; p < b->rows; p++) {
        size_t at = p * b->row_step;

        tile_bound_read(v, p, NUM_AS_F32, &tb->x);
        for (uint32_t i = 0; i < b->cols; i++, at += b->col_step) {
            b->v[at] = (double)num_f32(tb->x.w[i]);
            b->e[at] = tb->x.e[i];
            note_element(b, tb->x.w[i], tb->x.e[i]);
        }
    }
}

void
tile_bound_ldw(tile_run *r, tile_step *s)
{
    tile_bound *b = r->ctx;

    block_read(b, &s->a, &b->weights);
    num_exec(&s->insn, &r->state, r->scratch);
}

// ---- products

// Every partial sum is a multiple of the product of the grains and small
// enough to have no more than 24 bits above it.
static bool
is_exact_product(const tile_block *w, const tile_block *x)
{
    int grain = w->grain + x->grain;

    return !w->wild && !x->wild && grain >= -149 &&
           (double)w->rows * w->most * x->most <= ldexp(1, grain + 24);
}

// LANES columns of the moving operand, zero past its last.
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t lane_bits __attribute__((vector_size(LANES * sizeof(double))));
typedef struct {
    lanes v[MAX_K], e[MAX_K];
} panel;

static void
panel_take(const tile_block *x, uint32_t j, panel *p)
{
    for (uint32_t k = 0; k < x->rows; k++) {
        for (uint32_t l = 0; l < LANES; l++) {
            size_t at = k * x->row_step + j + l;

            p->v[k][l] = j + l < x->cols ? x->v[at] : 0;
            p->e[k][l] = j + l < x->cols ? x->e[at] : 0;
        }
    }
}

static void
panel_abs(const panel *p, uint32_t k, lanes *out)
{
    *out = (lanes)((lane_bits)p->v[k] & INT64_MAX);
}

// The sums of w x and of the absolute values of their partial sums over k, for
// one column of weights. Written on vectors because compilers otherwise take
// the lanes one by one, and from a packed panel because rows a page apart
// evict each other: together three times faster.
static void
panel_sum(const double *w, uint32_t n, const panel *x, double *sum,
          double *path)
{
    lanes s = {0}, t = {0};

    for (uint32_t k = 0; k < n; k++) {
        s += w[k] * x->v[k];
        t += (lanes)((lane_bits)s & INT64_MAX); // |s|
    }
    memcpy(sum, &s, sizeof s);
    memcpy(path, &t, sizeof t);
}

// What the operands' errors can do.
static void
panel_spread(const double *w, const double *e, uint32_t n, const panel *x,
             double *spread)
{
    lanes s = {0}, a;

    for (uint32_t k = 0; k < n; k++) {
        panel_abs(x, k, &a);
        s += (fabs(w[k]) + e[k]) * x->e[k] + e[k] * a;
    }
    memcpy(spread, &s, sizeof s);
}

// Adds the rounding of a product's own steps, if there is any.
static double
own_error(double spread, double path, double k, double slack)
{
    return spread + path * UNIT / (1 - k * UNIT) + slack;
}

static void
multiply_panel(tile_bound *b, const panel *x, uint32_t j, uint32_t n)
{
    const tile_block *w = &b->weights;
    bool exact = is_exact_product(w, &b->moving);
    bool inexact = w->inexact || b->moving.inexact;
    double k = w->rows;
    // The binary64 partial sums are themselves off by 2^-53 a step.
    double slack =
        k * TINY + UNIT * k * k * k * 0x1p-53 * w->most * b->moving.most;

    for (uint32_t i = 0; i < w->cols; i++) {
        double sum[LANES], path[LANES], spread[LANES] = {0};
        size_t at = (size_t)i * MAX_N + j, wi = i * w->col_step;

        panel_sum(w->v + wi, w->rows, x, sum, path);
        if (inexact) {
            panel_spread(w->v + wi, w->e + wi, w->rows, x, spread);
        }
        for (uint32_t l = 0; l < n; l++) {
            double own =
                exact ? spread[l] : own_error(spread[l], path[l], k, slack);

            b->sum[at + l] = sum[l];
            // Not finite: the operands' doing alone.
            b->own[at + l] = isfinite(sum[l]) ? own : inexact ? INF : 0;
        }
    }
}

// Values and errors of the whole product, before it meets dst.
static void
multiply(tile_bound *b, uint32_t n)
{
    panel x;

    for (uint32_t j = 0; j < n; j += LANES) {
        panel_take(&b->moving, j, &x);
        multiply_panel(b, &x, j, n - j < LANES ? n - j : LANES);
    }
}

// ---- results

static bool
is_same_class(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

// z: what dst holds now.
static double
err_overwritten(double sum, double own, double z)
{
    return isfinite(z) || (own == 0 && is_same_class(sum, z)) ? own : INF;
}

static double
err_accumulated(double sum, double own, const double *old, double z, bool exact)
{
    if (!isfinite(z) || !isfinite(old[0]) || !isfinite(sum)) {
        double e = tile_err_add(sum, own, old[0], old[1], z);

        return is_same_class(sum + old[0], z) ? e : INF;
    }
    if (exact) { // then sum is what the engine added
        return tile_err_add(sum, 0, old[0], old[1], z) + own;
    }
    return own + old[1] + tile_err_round(z);
}

// The result in f32 was rounded again to dst's type.
static double
err_narrowed(num_dtype t, double e, double z)
{
    if (t == DT_F32 || !isfinite(z)) {
        return e;
    }
    return e + tile_err_round(z) + num_unit_roundoff(t) * fabs(z) +
           num_min_subnormal(t) / 2;
}

static void
put_row(tile_bound *b, const tile_step *s, uint32_t i, uint32_t n)
{
    tile_view dst = tile_view_part(&s->dst, i);
    num_dtype t = s->dst.store->dtype;
    size_t at = (size_t)i * MAX_N;
    bool exact = is_exact_product(&b->weights, &b->moving);

    tile_bound_words(&dst, b->z);
    for (uint32_t j = 0; j < n; j++) {
        double z = (double)num_f32(b->z[j]), sum = b->sum[at + j];
        double own = b->own[at + j], e;

        if (s->insn.accumulate) {
            double old[2] = {(double)num_f32(b->old.w[at + j]),
                             b->old.e[at + j]};

            e = err_accumulated(sum, own, old, z, exact);
        } else {
            e = err_overwritten(sum, own, z);
        }
        b->x.e[j] = tile_err_inflate(err_narrowed(t, e, z));
    }
    tile_bound_put(&dst, b->x.e);
}

void
tile_bound_matmul(tile_run *r, tile_step *s)
{
    tile_bound *b = r->ctx;
    uint32_t n = (uint32_t)tile_view_elems(&s->a);

    block_read(b, &s->a, &b->moving);
    multiply(b, n);
    for (uint32_t i = 0; s->insn.accumulate && i < s->dst.parts; i++) {
        tile_view dst = tile_view_part(&s->dst, i);

        tile_bound_words(&dst, b->old.w + (size_t)i * MAX_N);
        (void)tile_bound_errs(&dst, false, b->old.e + (size_t)i * MAX_N);
    }
    num_exec(&s->insn, &r->state, r->scratch);
    for (uint32_t i = 0; i < s->dst.parts; i++) {
        put_row(b, s, i, n);
    }
}
