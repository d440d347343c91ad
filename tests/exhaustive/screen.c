// SPDX-License-Identifier: Apache-2.0
// The functions of binary32 in double-double arithmetic.
//
// Why the error stays below 2^-85. An operation of dd.h is within 2^-102 of
// its result (dd_sqrt: s = sqrt(a.h) (1 + 2^-53), and Newton's step squares
// that error; its own quotient adds 2^-105, so 2^-100 holds with room). A power
// series is summed by Horner's rule on arguments where its terms fall, at most
// TERMS of them, and stops below 2^-104 of its first term; terms below 2^-50 of
// it are summed in binary64, which leaves 2^-100. A sum of positive terms, or
// one whose terms fall at least by half, adds no more than 2^-102 a step, so
// that every series is within 2^-95. The compositions below are chosen
// without cancellation, with two exceptions that are stated where they are; the
// longest multiplies its errors by 2^8 (an exponent of up to 200) and adds some
// twenty operations: 2^-87. long.py's runs compare every value that MPFR
// computes anyway with the screen's.
#include "tests/exhaustive/screen_int.h"

#include <math.h>

static inline double
clamp(double x, double limit)
{
    return x > limit ? limit : x < -limit ? -limit : x;
}

static void
negate_where_negative(dd *y, const double *x)
{
    DD_LANES(y, x[i] < 0 ? ((dd1){-y->h[i], -y->l[i]}) : DD_GET(y, i));
}

static void
absolute(dd *y, const double *x, double limit)
{
    DD_LANES(y, ((dd1){clamp(fabs(x[i]), limit), 0}));
}

// ---- functions; beyond the limits the result is out of binary32's range, or
// within 2^-40 ulp of its limit

static void
s_exp(const double *x, dd *y)
{
    DD_LANES(y, ((dd1){clamp(x[i], 130), 0}));
    screen_v_exp(y, y);
}

static void
s_expm1(const double *x, dd *y)
{
    DD_LANES(y, ((dd1){clamp(x[i], 130), 0}));
    screen_v_expm1(y, y);
}

static void
s_log1p(const double *x, dd *y)
{
    dd_set(y, x);
    screen_v_log1p(y, y);
}

static void
s_log(const double *x, dd *y)
{
    DD_LANES(y, two_sum(x[i], -1)); // exact: two parts always suffice
    screen_v_log1p(y, y);
}

static void
s_tanh(const double *x, dd *y)
{
    dd d;
    absolute(y, x, 40);
    dd_scale(y, y, 2);
    screen_v_expm1(y, y);
    dd_add1(&d, y, 2);
    dd_div(y, y, &d);
    negate_where_negative(y, x);
}

// Below 2: 2 / sqrt(pi) e^(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...); above:
// 1 - erfc, and erfc < 0.005.
static void
s_erf(const double *x, dd *y)
{
    dd a, b;
    absolute(&a, x, 12);
    screen_v_bell(&b, a.h, 1);
    if (a.h[0] < 2) {
        dd z;
        DD_LANES(&z, ((dd1){2 * (x[i] * x[i]), 0}));
        screen_series(y, &screen_k.normal, &z, screen_largest(&z));
        dd_mul(y, y, &b);
        dd_mul(y, y, &a);
        dd_mulc(y, y, screen_k.two_sqrt_pi);
    } else {
        dd_mulc(&a, &a, screen_k.sqrt2);
        screen_v_mills(y, &a, a.h[0]);
        dd_mul(y, y, &b);
        dd_mulc(y, y, screen_k.inv_sqrt_2pi);
        dd_scale(y, y, 2);
        dd_csub(y, (dd1){1, 0}, y);
    }
    negate_where_negative(y, x);
}

// Phi(-a) = 1/2 - phi(a) (a + a^3 / 3 + a^5 / 15 + ...) below 2, where it
// cancels to no less than 1/22 of 1/2, else phi(a) times Mills' ratio.
static void
s_gelu(const double *x, dd *y)
{
    dd a, b, z;
    absolute(&a, x, 20);
    screen_v_bell(&b, a.h, 0.5);
    dd_mulc(&b, &b, screen_k.inv_sqrt_2pi);
    bool tail = a.h[0] >= 2;
    if (tail) {
        screen_v_mills(&z, &a, a.h[0]);
        dd_mul(&z, &z, &b);
        if (x[0] > 0)
            dd_csub(&z, (dd1){1, 0}, &z);
    } else {
        DD_LANES(&z, ((dd1){x[i] * x[i], 0}));
        screen_series(&z, &screen_k.normal, &z, screen_largest(&z));
        dd_mul(&z, &z, &b);
        DD_LANES(&z, mul_one(DD_GET(&z, i), x[i]));
        dd_add1(&z, &z, 0.5);
    }
    DD_LANES(y, mul_one(DD_GET(&z, i), x[i] < -20 ? -20 : x[i]));
}

static void
s_sigmoid(const double *x, dd *y)
{
    dd v;
    DD_LANES(&v, ((dd1){clamp(x[i], 130), 0}));
    screen_v_sigmoid(y, &v);
}

static void
s_silu(const double *x, dd *y)
{
    s_sigmoid(x, y);
    DD_LANES(y, mul_one(DD_GET(y, i), x[i] < -130 ? -130 : x[i]));
}

static void
s_gelu_tanh(const double *x, dd *y)
{
    dd v;
    DD_LANES(&v, ((dd1){x[i] * x[i], 0}));
    dd_mulc(&v, &v, screen_k.cubic);
    dd_add1(&v, &v, 1);
    DD_LANES(&v, mul_one(DD_GET(&v, i), x[i]));
    dd_mulc(&v, &v, screen_k.sqrt_8_pi);
    DD_LANES(&v, fabs(v.h[i]) > 200 ? ((dd1){clamp(v.h[i], 200), 0})
                                    : DD_GET(&v, i));
    screen_v_sigmoid(y, &v);
    DD_LANES(y, mul_one(DD_GET(y, i), x[i] < -25 ? -25 : x[i]));
}

static void
s_softplus(const double *x, dd *y)
{
    dd e;
    DD_LANES(&e, ((dd1){-clamp(fabs(x[i]), 130), 0}));
    screen_v_exp(&e, &e);
    screen_v_log1p(&e, &e);
    DD_LANES(y, add_one(DD_GET(&e, i), x[i] > 0 ? x[i] : 0));
}

// sin and cos of |r| <= pi/4, and the quadrant.
static void
circular(const double *x, dd *s, dd *c, double *n)
{
    dd r, z;
    if (fabs(x[LANES - 1]) < 0.78) {
        dd_set(&r, x);
        for (int i = 0; i < LANES; i++)
            n[i] = 0;
    } else {
        screen_reduce_turns(&r, n, x);
    }
    dd_mul(&z, &r, &r);
    double most = screen_largest(&z);
    screen_series(s, &screen_k.sin, &z, most);
    dd_mul(s, s, &r);
    screen_series(c, &screen_k.cos, &z, most);
}

static void
quadrants(dd *y, const dd *s, const dd *c, const double *n)
{
    for (int i = 0; i < LANES; i++) {
        int64_t q = (int64_t)n[i];
        dd1 v = q & 1 ? DD_GET(c, i) : DD_GET(s, i);
        if (q & 2)
            v = (dd1){-v.h, -v.l};
        DD_SET(y, i, v);
    }
}

static void
s_sin(const double *x, dd *y)
{
    double n[LANES];
    dd s, c;
    circular(x, &s, &c, n);
    quadrants(y, &s, &c, n);
}

static void
s_cos(const double *x, dd *y)
{
    double n[LANES];
    dd s, c;
    circular(x, &s, &c, n);
    for (int i = 0; i < LANES; i++)
        n[i] += 1;
    quadrants(y, &s, &c, n);
}

static void
s_tan(const double *x, dd *y)
{
    double n[LANES];
    dd s, c, d;
    circular(x, &s, &c, n);
    quadrants(y, &s, &c, n);
    for (int i = 0; i < LANES; i++)
        n[i] += 1;
    quadrants(&d, &s, &c, n);
    dd_div(y, y, &d);
}

static void
s_atan(const double *x, dd *y)
{
    dd a, one;
    absolute(&a, x, 0x1p128);
    dd_fill(&one, (dd1){1, 0});
    screen_v_angle(y, &a, &one);
    negate_where_negative(y, x);
}

// sqrt(1 - x^2): the square is exact, and so is the sum in two parts.
static void
other_leg(const double *x, dd *y)
{
    DD_LANES(y, two_sum(1, -(x[i] * x[i])));
    dd_sqrt(y, y);
}

static void
s_asin(const double *x, dd *y)
{
    dd a, b;
    absolute(&a, x, 2);
    other_leg(x, &b);
    screen_v_angle(y, &a, &b);
    negate_where_negative(y, x);
}

static void
s_acos(const double *x, dd *y)
{
    dd a, b;
    absolute(&a, x, 2);
    other_leg(x, &b);
    screen_v_angle(y, &b, &a);
    dd_csub(&a, screen_k.pi, y);
    DD_LANES(y, x[i] < 0 ? DD_GET(&a, i) : DD_GET(y, i));
}

// (m + m / (m + 1)) / 2, m = e^|x| - 1.
static void
s_sinh(const double *x, dd *y)
{
    dd m;
    absolute(&m, x, 130);
    screen_v_expm1(&m, &m);
    dd_add1(y, &m, 1);
    dd_div(y, &m, y);
    dd_add(y, y, &m);
    dd_scale(y, y, 0.5);
    negate_where_negative(y, x);
}

static void
s_cosh(const double *x, dd *y)
{
    dd e;
    absolute(&e, x, 130);
    screen_v_exp(&e, &e);
    DD_LANES(y, div_pair((dd1){1, 0}, DD_GET(&e, i)));
    dd_add(y, y, &e);
    dd_scale(y, y, 0.5);
}

static void
s_sqrt(const double *x, dd *y)
{
    dd_set(y, x);
    dd_sqrt(y, y);
}

static void
s_rsqrt(const double *x, dd *y)
{
    s_sqrt(x, y);
    DD_LANES(y, div_pair((dd1){1, 0}, DD_GET(y, i)));
}

static void
s_recip(const double *x, dd *y)
{
    DD_LANES(y, div_pair((dd1){1, 0}, ((dd1){x[i], 0})));
}

static void
s_exp2(const double *x, dd *y)
{
    DD_LANES(y, mul_one(screen_k.ln2_pair, clamp(x[i], 190)));
    screen_v_exp(y, y);
}

static void
s_log2(const double *x, dd *y)
{
    s_log(x, y);
    DD_LANES(y, div_pair(DD_GET(y, i), screen_k.ln2_pair));
}

// e^(log|x| / 3): the logarithm is below 104, so that its error costs 2^7.
static void
s_cbrt(const double *x, dd *y)
{
    double a[LANES];
    for (int i = 0; i < LANES; i++)
        a[i] = fabs(x[i]);
    s_log(a, y);
    DD_LANES(y, div_pair(DD_GET(y, i), ((dd1){3, 0})));
    screen_v_exp(y, y);
    negate_where_negative(y, x);
}

// log1p(a + a^2 / (1 + sqrt(1 + a^2)))
static void
s_asinh(const double *x, dd *y)
{
    dd q;
    DD_LANES(y, ((dd1){x[i] * x[i], 0}));
    dd_add1(&q, y, 1);
    dd_sqrt(&q, &q);
    dd_add1(&q, &q, 1);
    dd_div(y, y, &q);
    DD_LANES(y, add_one(DD_GET(y, i), fabs(x[i])));
    screen_v_log1p(y, y);
    negate_where_negative(y, x);
}

// log1p(t + sqrt(t (t + 2))), t = x - 1 in two parts
static void
s_acosh(const double *x, dd *y)
{
    dd t;
    DD_LANES(&t, two_sum(x[i], -1));
    dd_add1(y, &t, 2);
    dd_mul(y, y, &t);
    dd_sqrt(y, y);
    dd_add(y, y, &t);
    screen_v_log1p(y, y);
}

// log1p(2 a / (1 - a)) / 2
static void
s_atanh(const double *x, dd *y)
{
    DD_LANES(y, div_pair((dd1){2 * fabs(x[i]), 0}, two_sum(1, -fabs(x[i]))));
    screen_v_log1p(y, y);
    dd_scale(y, y, 0.5);
    negate_where_negative(y, x);
}

// Below 2 the difference is at least 0.0046.
static void
s_erfc(const double *x, dd *y)
{
    dd a, b;
    if (x[0] < 2) {
        s_erf(x, y);
        dd_csub(y, (dd1){1, 0}, y);
        return;
    }
    absolute(&a, x, 12);
    screen_v_bell(&b, a.h, 1);
    dd_mulc(&a, &a, screen_k.sqrt2);
    screen_v_mills(y, &a, a.h[0]);
    dd_mul(y, y, &b);
    dd_mulc(y, y, screen_k.inv_sqrt_2pi);
    dd_scale(y, y, 2);
}

static void
s_erf_dx(const double *x, dd *y)
{
    dd a;
    absolute(&a, x, 12);
    screen_v_bell(y, a.h, 1);
    dd_mulc(y, y, screen_k.two_sqrt_pi);
}

// x (1 + 2 e) / (1 + 2 e + 2 e^2), e = e^-x, right of 0; left of it
// x n / (n + 2), n = e (e + 2), e = e^x.
static void
s_mish(const double *x, dd *y)
{
    dd e, n, d;
    DD_LANES(&e, ((dd1){-clamp(fabs(x[i]), 130), 0}));
    screen_v_exp(&e, &e);
    if (x[0] > 0) {
        dd_scale(&n, &e, 2);
        dd_add1(&n, &n, 1);
        dd_mul(&d, &e, &e);
        dd_scale(&d, &d, 2);
        dd_add(&d, &d, &n);
    } else {
        dd_add1(&n, &e, 2);
        dd_mul(&n, &n, &e);
        dd_add1(&d, &n, 2);
    }
    dd_div(y, &n, &d);
    DD_LANES(y, mul_one(DD_GET(y, i), x[i] < -130 ? -130 : x[i]));
}

static void
times_1702(const double *x, dd *v)
{
    DD_LANES(v, div_pair(two_prod(clamp(x[i], 110), 1702), ((dd1){1000, 0})));
}

static void
s_gelu_sigmoid(const double *x, dd *y)
{
    dd v;
    times_1702(x, &v);
    screen_v_sigmoid(y, &v);
    DD_LANES(y, mul_one(DD_GET(y, i), x[i] < -110 ? -110 : x[i]));
}

// A sum that may have cancelled to below 2^-8 of its parts is MPFR's.
static void
give_up_near_zero(dd *y)
{
    DD_LANES(y,
             fabs(y->h[i]) < 0x1p-8 ? ((dd1){(double)NAN, 0}) : DD_GET(y, i));
}

// s (1 + v (1 - s)), s = sigmoid(v), |v| <= 200
static void
v_slope(dd *y, const dd *v)
{
    dd s = *v, g;
    screen_v_sigmoid(&s, &s);
    DD_LANES(&g, ((dd1){-v->h[i], -v->l[i]}));
    screen_v_sigmoid(&g, &g);
    dd_mul(&g, &g, v);
    dd_add1(&g, &g, 1);
    give_up_near_zero(&g);
    dd_mul(y, &g, &s);
}

static void
s_silu_dx(const double *x, dd *y)
{
    dd v;
    DD_LANES(&v, ((dd1){clamp(x[i], 130), 0}));
    v_slope(y, &v);
}

static void
s_gelu_sigmoid_dx(const double *x, dd *y)
{
    dd v;
    times_1702(x, &v);
    v_slope(y, &v);
}

// Phi(x) + x phi(x): from -2 down phi(a) (Mills(a) - a), a = -x, else
// 1/2 + phi(x) (x + x + x^3 / 3 + x^5 / 15 + ...), from 2 up
// 1 + phi(x) (x - Mills(x)).
static void
s_gelu_dx(const double *x, dd *y)
{
    dd a, b, z;
    absolute(&a, x, 20);
    screen_v_bell(&b, a.h, 0.5);
    dd_mulc(&b, &b, screen_k.inv_sqrt_2pi);
    if (a.h[0] >= 2) {
        screen_v_mills(&z, &a, a.h[0]);
        DD_LANES(&z, add_one(DD_GET(&z, i), -a.h[i]));
        dd_mul(y, &z, &b);
        if (x[0] > 0)
            dd_csub(y, (dd1){1, 0}, y);
        return;
    }
    DD_LANES(&z, ((dd1){x[i] * x[i], 0}));
    screen_series(&z, &screen_k.normal, &z, screen_largest(&z));
    dd_add1(&z, &z, 1);
    dd_mul(&z, &z, &b);
    DD_LANES(&z, mul_one(DD_GET(&z, i), x[i]));
    dd_add1(y, &z, 0.5);
    give_up_near_zero(y);
}

// Those whose values are doubles.
#define EXACT(name, expr)                                                      \
    static void s_##name(const double *x, dd *y)                               \
    {                                                                          \
        for (int i = 0; i < LANES; i++) {                                      \
            y->h[i] = (expr);                                                  \
            y->l[i] = 0;                                                       \
        }                                                                      \
    }
EXACT(copy, x[i])
EXACT(neg, -x[i])
EXACT(abs, fabs(x[i]))
EXACT(sign, x[i] > 0 ? 1 : x[i] < 0 ? -1 : x[i])
EXACT(floor, floor(x[i]))
EXACT(ceil, ceil(x[i]))
EXACT(round, rint(x[i]))
EXACT(trunc, trunc(x[i]))
EXACT(relu, x[i] > 0 ? x[i] : 0)
EXACT(square, x[i] * x[i])
EXACT(binade, x[i] == 0 ? 0 : ldexp(1, ilogb(x[i])))
#undef EXACT

// ---- the table

typedef struct {
    void (*value)(const double *x, dd *y);
    double lo, hi;
} screen;

#define ALL -HUGE_VAL, HUGE_VAL
static const screen screens[NUM_U_COUNT] = {
    [NUM_COPY] = {s_copy, ALL},
    [NUM_NEG] = {s_neg, ALL},
    [NUM_ABS] = {s_abs, ALL},
    [NUM_SIGN] = {s_sign, ALL},
    [NUM_FLOOR] = {s_floor, ALL},
    [NUM_CEIL] = {s_ceil, ALL},
    [NUM_ROUND] = {s_round, ALL},
    [NUM_TRUNC] = {s_trunc, ALL},
    [NUM_SQRT] = {s_sqrt, 0, HUGE_VAL},
    [NUM_RSQRT] = {s_rsqrt, 0, HUGE_VAL},
    [NUM_RECIP] = {s_recip, ALL},
    [NUM_EXP] = {s_exp, ALL},
    [NUM_EXPM1] = {s_expm1, ALL},
    [NUM_LOG] = {s_log, 0, HUGE_VAL},
    [NUM_LOG1P] = {s_log1p, -1, HUGE_VAL},
    [NUM_TANH] = {s_tanh, ALL},
    [NUM_ERF] = {s_erf, ALL},
    [NUM_SIGMOID] = {s_sigmoid, ALL},
    [NUM_GELU] = {s_gelu, ALL},
    [NUM_GELU_TANH] = {s_gelu_tanh, ALL},
    [NUM_SILU] = {s_silu, ALL},
    [NUM_SOFTPLUS] = {s_softplus, ALL},
    [NUM_RELU] = {s_relu, ALL},
    [NUM_SIN] = {s_sin, ALL},
    [NUM_COS] = {s_cos, ALL},
    [NUM_TAN] = {s_tan, ALL},
    [NUM_ASIN] = {s_asin, -1, 1},
    [NUM_ACOS] = {s_acos, -1, 1},
    [NUM_ATAN] = {s_atan, ALL},
    [NUM_SINH] = {s_sinh, ALL},
    [NUM_COSH] = {s_cosh, ALL},
    [NUM_SQUARE] = {s_square, ALL},
    [NUM_BINADE] = {s_binade, ALL},
    [NUM_EXP2] = {s_exp2, ALL},
    [NUM_LOG2] = {s_log2, 0, HUGE_VAL},
    [NUM_CBRT] = {s_cbrt, ALL},
    [NUM_ASINH] = {s_asinh, ALL},
    [NUM_ACOSH] = {s_acosh, 1, HUGE_VAL},
    [NUM_ATANH] = {s_atanh, -1, 1},
    [NUM_ERFC] = {s_erfc, ALL},
    [NUM_MISH] = {s_mish, ALL},
    [NUM_GELU_SIGMOID] = {s_gelu_sigmoid, ALL},
    [NUM_GELU_DX] = {s_gelu_dx, ALL},
    [NUM_GELU_SIGMOID_DX] = {s_gelu_sigmoid_dx, ALL},
    [NUM_SILU_DX] = {s_silu_dx, ALL},
    [NUM_ERF_DX] = {s_erf_dx, ALL},
};

bool
screen_has(num_unary f)
{
    return screens[f].value != NULL;
}

void
screen_domain(num_unary f, double *lo, double *hi)
{
    *lo = screens[f].lo;
    *hi = screens[f].hi;
}

void
screen_value(num_unary f, const double *x, dd *y)
{
    screens[f].value(x, y);
}
