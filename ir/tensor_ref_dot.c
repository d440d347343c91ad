// SPDX-License-Identifier: Apache-2.0
// The reference's sums of products of floats, in blocks (tensor_dot.c), with
// the classic bound on a dot product.
#include "ir/tensor_int.h"

#include <math.h>
#include <string.h>

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

void
tir_ref_dot(const tir_dot *d, double *const *val, double *const *err)
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
