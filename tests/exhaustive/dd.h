// SPDX-License-Identifier: Apache-2.0
// Double-doubles, unevaluated sums h + l with |l| <= ulp(h) / 2, a block of
// them at a time so that the compiler vectorises. The algorithms are those
// whose bounds M. Joldes, J.-M. Muller and V. Popescu prove ("Tight and
// rigorous error bounds for basic building blocks of double-word arithmetic",
// ACM TOMS 44, 2017), u = 2^-53, relative to the result:
//   dd_add 3 u^2 + 13 u^3, dd_add1 2 u^2, dd_mul 5 u^2, dd_mul1 2 u^2,
//   dd_div 15 u^2 + 56 u^3.
// Every one is therefore within 2^-102. dd_sqrt is Newton's step from the
// binary64 root: within 2^-100 (screen.c).
// The result may be an operand.
#ifndef SY_TESTS_DD_H
#define SY_TESTS_DD_H

enum { LANES = 128 };

typedef struct {
    double h[LANES], l[LANES];
} dd;

typedef struct {
    double h, l;
} dd1;

static inline dd1
two_sum(double a, double b)
{
    double s = a + b, t = s - a;
    return (dd1){s, (a - (s - t)) + (b - t)};
}

// |a| >= |b| or a == 0
static inline dd1
fast_two_sum(double a, double b)
{
    double s = a + b;
    return (dd1){s, b - (s - a)};
}

static inline dd1
two_prod(double a, double b)
{
    double p = a * b;
    return (dd1){p, __builtin_fma(a, b, -p)};
}

static inline dd1
add_pair(dd1 a, dd1 b)
{
    dd1 s = two_sum(a.h, b.h), t = two_sum(a.l, b.l);
    dd1 v = fast_two_sum(s.h, s.l + t.h);
    return fast_two_sum(v.h, t.l + v.l);
}

static inline dd1
add_one(dd1 a, double b)
{
    dd1 s = two_sum(a.h, b);
    return fast_two_sum(s.h, a.l + s.l);
}

static inline dd1
mul_pair(dd1 a, dd1 b)
{
    dd1 p = two_prod(a.h, b.h);
    double t = __builtin_fma(a.h, b.l, a.l * b.h);
    return fast_two_sum(p.h, p.l + t);
}

static inline dd1
mul_one(dd1 a, double b)
{
    dd1 p = two_prod(a.h, b);
    return fast_two_sum(p.h, __builtin_fma(a.l, b, p.l));
}

static inline dd1
div_pair(dd1 a, dd1 b)
{
    double q = a.h / b.h;
    dd1 r = mul_one(b, q);
    return fast_two_sum(q, ((a.h - r.h) + (a.l - r.l)) / b.h);
}

static inline dd1
sqrt_pair(dd1 a)
{
    double s = __builtin_sqrt(a.h);
    double rest = __builtin_fma(-s, s, a.h) + a.l;
    return fast_two_sum(s, s == 0 ? 0 : rest / (2 * s));
}

#define DD_GET(x, i)    ((dd1){(x)->h[i], (x)->l[i]})
#define DD_SET(x, i, v) ((x)->h[i] = (v).h, (x)->l[i] = (v).l)

// For every lane i of *out: the expression.
#define DD_LANES(out, expr)                                                    \
    do {                                                                       \
        _Pragma("omp simd") for (int i = 0; i < LANES; i++)                    \
        {                                                                      \
            dd1 lane_ = (expr);                                                \
            DD_SET(out, i, lane_);                                             \
        }                                                                      \
    } while (0)

static inline void
dd_set(dd *out, const double *x)
{
    DD_LANES(out, ((dd1){x[i], 0}));
}

static inline void
dd_fill(dd *out, dd1 x)
{
    DD_LANES(out, x);
}

static inline void
dd_add(dd *out, const dd *a, const dd *b)
{
    DD_LANES(out, add_pair(DD_GET(a, i), DD_GET(b, i)));
}

static inline void
dd_addc(dd *out, const dd *a, dd1 b)
{
    DD_LANES(out, add_pair(DD_GET(a, i), b));
}

static inline void
dd_add1(dd *out, const dd *a, double b)
{
    DD_LANES(out, add_one(DD_GET(a, i), b));
}

static inline void
dd_mul(dd *out, const dd *a, const dd *b)
{
    DD_LANES(out, mul_pair(DD_GET(a, i), DD_GET(b, i)));
}

static inline void
dd_mulc(dd *out, const dd *a, dd1 b)
{
    DD_LANES(out, mul_pair(DD_GET(a, i), b));
}

static inline void
dd_div(dd *out, const dd *a, const dd *b)
{
    DD_LANES(out, div_pair(DD_GET(a, i), DD_GET(b, i)));
}

static inline void
dd_sqrt(dd *out, const dd *a)
{
    DD_LANES(out, sqrt_pair(DD_GET(a, i)));
}

// By a power of two, exactly.
static inline void
dd_scale(dd *out, const dd *a, double s)
{
    DD_LANES(out, ((dd1){a->h[i] * s, a->l[i] * s}));
}

// c - a
static inline void
dd_csub(dd *out, dd1 c, const dd *a)
{
    DD_LANES(out, add_pair(c, ((dd1){-a->h[i], -a->l[i]})));
}

#endif
