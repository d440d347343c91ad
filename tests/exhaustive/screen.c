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
#include "tests/exhaustive/screen.h"

#include <math.h>
#include <mpfr.h>

// Adding and subtracting it rounds to an integer.
#define ROUNDER 0x1.8p52

enum { TERMS = 200, CHUNKS = 6, CHUNK_BITS = 29, LOW_EXPONENT = -24 };

typedef struct {
    dd1 c[TERMS];
} coefficients;

static struct {
    coefficients exp, expm1;  // 1 / k!, 1 / (k + 1)!
    coefficients sin, cos;    // alternating
    coefficients atan, atanh; // +-1 / (2 k + 1)
    coefficients normal;      // 1 / (2 k + 1)!!
    double ln2[3];            // the first two of 42 bits
    dd1 ln2_pair, pi, half_pi, inv_sqrt_2pi, sqrt_8_pi, two_sqrt_pi, sqrt2;
    dd1 cubic;                // 0.044715
    double turn[160][CHUNKS]; // 2 / pi 2^e modulo 4, e from LOW_EXPONENT
} k;

// ---- constants, from MPFR

static dd1
take(const mpfr_t x)
{
    mpfr_t l;
    dd1 r = {mpfr_get_d(x, MPFR_RNDN), 0};
    mpfr_init2(l, mpfr_get_prec(x));
    mpfr_sub_d(l, x, r.h, MPFR_RNDN);
    r.l = mpfr_get_d(l, MPFR_RNDN);
    mpfr_clear(l);
    return r;
}

static void
begin_series(mpfr_t t)
{
    mpfr_set_ui(t, 1, MPFR_RNDN);
    for (unsigned i = 0; i < TERMS; i++) { // t = 1 / i!
        k.exp.c[i] = take(t);
        if (i > 0)
            k.expm1.c[i - 1] = k.exp.c[i];
        dd1 *c = i % 2 == 0 ? &k.cos.c[i / 2] : &k.sin.c[i / 2];
        *c = take(t);
        if (i / 2 % 2 != 0)
            *c = (dd1){-c->h, -c->l};
        mpfr_div_ui(t, t, i + 1, MPFR_RNDN);
    }
    mpfr_set_ui(t, 1, MPFR_RNDN);
    for (unsigned i = 0; i < TERMS; i++) {
        k.normal.c[i] = take(t);
        mpfr_div_ui(t, t, 2 * i + 3, MPFR_RNDN);
    }
    for (unsigned i = 0; i < TERMS; i++) {
        mpfr_set_ui(t, 1, MPFR_RNDN);
        mpfr_div_ui(t, t, 2 * i + 1, MPFR_RNDN);
        k.atanh.c[i] = take(t);
        mpfr_setsign(t, t, i % 2 != 0, MPFR_RNDN);
        k.atan.c[i] = take(t);
    }
}

// x in pieces of 'bits' bits, the first with its last place at 2^place.
static void
cut(mpfr_t x, double *piece, int n, int bits, int place)
{
    mpfr_t whole;
    mpfr_init2(whole, mpfr_get_prec(x));
    for (int i = 0; i < n; i++, place -= bits) {
        mpfr_mul_2si(whole, x, -place, MPFR_RNDN);
        mpfr_rint_trunc(whole, whole, MPFR_RNDN);
        mpfr_mul_2si(whole, whole, place, MPFR_RNDN);
        piece[i] = mpfr_get_d(whole, MPFR_RNDN);
        mpfr_sub(x, x, whole, MPFR_RNDN);
    }
}

static void
begin_turns(mpfr_t t)
{
    mpfr_t four;
    mpfr_init2(four, 16);
    mpfr_set_ui(four, 4, MPFR_RNDN);
    for (int e = 0; e < 160; e++) {
        mpfr_const_pi(t, MPFR_RNDN);
        mpfr_ui_div(t, 2, t, MPFR_RNDN);
        mpfr_mul_2si(t, t, e + LOW_EXPONENT, MPFR_RNDN);
        mpfr_fmod(t, t, four, MPFR_RNDN);
        cut(t, k.turn[e], CHUNKS, CHUNK_BITS, 2 - CHUNK_BITS);
    }
    mpfr_clear(four);
}

void
screen_begin(void)
{
    mpfr_t t;
    mpfr_init2(t, 600);
    begin_series(t);
    begin_turns(t);
    mpfr_const_log2(t, MPFR_RNDN);
    k.ln2_pair = take(t);
    cut(t, k.ln2, 2, 42, -42);
    k.ln2[2] = mpfr_get_d(t, MPFR_RNDN);
    mpfr_const_pi(t, MPFR_RNDN);
    k.pi = take(t);
    k.half_pi = (dd1){k.pi.h / 2, k.pi.l / 2};
    mpfr_rec_sqrt(t, t, MPFR_RNDN);
    mpfr_mul_ui(t, t, 2, MPFR_RNDN);
    k.two_sqrt_pi = take(t);
    mpfr_sqrt_ui(t, 2, MPFR_RNDN);
    k.sqrt2 = take(t);
    mpfr_const_pi(t, MPFR_RNDN);
    mpfr_mul_ui(t, t, 2, MPFR_RNDN);
    mpfr_rec_sqrt(t, t, MPFR_RNDN);
    k.inv_sqrt_2pi = take(t);
    mpfr_mul_ui(t, t, 4, MPFR_RNDN);
    k.sqrt_8_pi = take(t);
    mpfr_set_ui(t, 44715, MPFR_RNDN);
    mpfr_div_ui(t, t, 1000000, MPFR_RNDN);
    k.cubic = take(t);
    mpfr_clear(t);
}

// ---- pieces

static double
largest(const dd *a)
{
    double m = 0;
    for (int i = 0; i < LANES; i++)
        m = fabs(a->h[i]) > m ? fabs(a->h[i]) : m;
    return m;
}

static inline double
clamp(double x, double limit)
{
    return x > limit ? limit : x < -limit ? -limit : x;
}

// Sum of c[j] z^j, |z| <= zmax.
static void
series(dd *out, const coefficients *s, const dd *z, double zmax)
{
    const dd1 *c = s->c;
    double w = 1, first = fabs(c[0].h);
    int n = 0, low = 0; // terms; the first of those in binary64
    for (; n < TERMS && fabs(c[n].h) * w > 0x1p-104 * first; n++) {
        if (fabs(c[n].h) * w > 0x1p-50 * first)
            low = n + 1;
        w *= zmax;
    }
    dd acc;
    dd_fill(&acc, (dd1){0, 0});
    for (int j = n - 1; j >= low; j--) {
#pragma omp simd
        for (int i = 0; i < LANES; i++)
            acc.h[i] = acc.h[i] * z->h[i] + c[j].h;
    }
    for (int j = low - 1; j >= 0; j--)
        DD_LANES(&acc, add_pair(mul_pair(DD_GET(&acc, i), DD_GET(z, i)), c[j]));
    *out = acc;
}

static inline double
two_to(double e)
{
    union {
        int64_t i;
        double d;
    } v = {((int64_t)e + 1023) * (INT64_C(1) << 52)};
    return v.d;
}

// a = n ln 2 + r, |a| <= 300, so that n times the first parts is exact. The
// error of r is absolute, below 2^-120, beside those of the sums.
static double
reduce_exp(dd *r, double *n, const dd *a)
{
    double most = largest(a);
    if (most < 0.34) {
        for (int i = 0; i < LANES; i++)
            n[i] = 0;
        *r = *a;
        return most;
    }
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        double m = (a->h[i] * 0x1.71547652b82fep+0 + ROUNDER) - ROUNDER;
        dd1 v = two_sum(a->h[i], -m * k.ln2[0]);
        v = add_one(v, -m * k.ln2[1]);
        v = add_one(v, a->l[i]);
        v = add_one(v, -m * k.ln2[2]);
        n[i] = m;
        DD_SET(r, i, v);
    }
    return 0.35;
}

static void
v_exp(dd *out, const dd *a)
{
    double n[LANES];
    dd r, p;
    double most = reduce_exp(&r, n, a);
    series(&p, &k.exp, &r, most);
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        out->h[i] = p.h[i] * two_to(n[i]);
        out->l[i] = p.l[i] * two_to(n[i]);
    }
}

// 2^n (e^r - 1) + (2^n - 1); where n is not 0 the sum is at least 0.29 2^n.
static void
v_expm1(dd *out, const dd *a)
{
    double n[LANES];
    dd r, p;
    double most = reduce_exp(&r, n, a);
    series(&p, &k.expm1, &r, most);
    dd_mul(&p, &p, &r);
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        double s = two_to(n[i]);
        dd1 v = {p.h[i] * s, p.l[i] * s};
        v = add_pair(two_sum(s, -1), v);
        DD_SET(out, i, v);
    }
    if (most < 0.34)
        *out = p;
}

// log(1 + f) = n ln 2 + 2 atanh((m - 1) / (m + 1)), 1 + f = 2^n m, m in
// [sqrt 1/2, sqrt 2).
static void
v_log1p(dd *out, const dd *f)
{
    double n[LANES];
    dd s, z, p, g = *f;
    bool near = largest(f) <= 0.25;
    if (!near) {
        dd_add1(&g, f, 1);
#pragma omp simd
        for (int i = 0; i < LANES; i++) {
            union {
                double d;
                int64_t i;
            } v = {g.h[i] * 0x1.6a09e667f3bcdp+0}; // log2 rounds to nearest
            n[i] = (double)((v.i >> 52) - 1023);
            double down = two_to(-n[i]);
            dd1 m = add_one((dd1){g.h[i] * down, g.l[i] * down}, -1);
            DD_SET(&g, i, m);
        }
    }
    dd_add1(&s, &g, 2);
    dd_div(&s, &g, &s);
    dd_mul(&z, &s, &s);
    series(&p, &k.atanh, &z, largest(&z));
    dd_mul(&p, &p, &s);
    dd_scale(&p, &p, 2);
    if (!near)
        DD_LANES(&p, add_pair(mul_one(k.ln2_pair, n[i]), DD_GET(&p, i)));
    *out = p;
}

// The angle of (x, y), both >= 0: a quotient of at most 1, its angle halved
// until the series is short.
static void
v_angle(dd *out, const dd *y, const dd *x)
{
    dd t, z, r;
    DD_LANES(&t, y->h[i] > x->h[i] ? div_pair(DD_GET(x, i), DD_GET(y, i))
                                   : div_pair(DD_GET(y, i), DD_GET(x, i)));
    double scale = 1;
    for (; largest(&t) > 0.2; scale *= 2) {
        dd_mul(&r, &t, &t);
        dd_add1(&r, &r, 1);
        dd_sqrt(&r, &r);
        dd_add1(&r, &r, 1);
        dd_div(&t, &t, &r);
    }
    dd_mul(&z, &t, &t);
    series(&r, &k.atan, &z, largest(&z));
    dd_mul(&r, &r, &t);
    dd_scale(&r, &r, scale);
    dd_csub(&z, k.half_pi, &r);
    DD_LANES(out, y->h[i] > x->h[i] ? DD_GET(&z, i) : DD_GET(&r, i));
}

// (1 - Phi(a)) / phi(a), a >= least >= 2: the continued fraction 1 / (a + 1 /
// (a
// + 2 / (a + 3 / (a + ...)))). The value lies between any two convergents in
// turn, whose distance is n! / (Q_n Q_n+1); numerators and denominators have
// positive terms.
static int
mills_steps(double a)
{
    double s = 1 / a, d = 1 / a; // Q_n-1 / Q_n and the distance
    int n = 1;
    for (; d * (a + 1 / a) > 0x1p-100;
         n++) { // the ratio is over 1 / (a + 1 / a)
        double g = a + n * s;
        d *= n * s / g;
        s = 1 / g;
    }
    return n;
}

static void
v_mills(dd *out, const dd *a, double least)
{
    dd p0, p1, q0, q1;
    dd_fill(&p0, (dd1){0, 0});
    dd_fill(&p1, (dd1){1, 0});
    q0 = p1;
    q1 = *a;
    int steps = mills_steps(least);
    for (int n = 1; n < steps; n++) {
        // else they would leave the range
        double s = n % 4 == 0 ? 0x1p-10 : 1;
#pragma omp simd
        for (int i = 0; i < LANES; i++) {
            dd1 x = DD_GET(a, i);
            dd1 p = add_pair(mul_pair(x, DD_GET(&p1, i)),
                             mul_one(DD_GET(&p0, i), n));
            dd1 q = add_pair(mul_pair(x, DD_GET(&q1, i)),
                             mul_one(DD_GET(&q0, i), n));
            p0.h[i] = p1.h[i] * s, p0.l[i] = p1.l[i] * s;
            q0.h[i] = q1.h[i] * s, q0.l[i] = q1.l[i] * s;
            p1.h[i] = p.h * s, p1.l[i] = p.l * s;
            q1.h[i] = q.h * s, q1.l[i] = q.l * s;
        }
    }
    dd_div(out, &p1, &q1);
}

// e^(-a^2 / 2) of doubles whose squares are doubles.
static void
v_bell(dd *out, const double *a, double factor)
{
    dd e;
    DD_LANES(&e, ((dd1){-factor * (a[i] * a[i]), 0}));
    v_exp(out, &e);
}

// 1 / (1 + e^-v), |v| <= 300; 'v' is spoilt.
static void
v_sigmoid(dd *out, dd *v)
{
    dd e, d;
    DD_LANES(&e, v->h[i] > 0 ? ((dd1){-v->h[i], -v->l[i]})
                             : ((dd1){v->h[i], v->l[i]}));
    v_exp(&e, &e);
    dd_add1(&d, &e, 1);
    DD_LANES(&e, v->h[i] > 0 ? ((dd1){1, 0}) : DD_GET(&e, i));
    dd_div(out, &e, &d);
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
    v_exp(y, y);
}

static void
s_expm1(const double *x, dd *y)
{
    DD_LANES(y, ((dd1){clamp(x[i], 130), 0}));
    v_expm1(y, y);
}

static void
s_log1p(const double *x, dd *y)
{
    dd_set(y, x);
    v_log1p(y, y);
}

static void
s_log(const double *x, dd *y)
{
    DD_LANES(y, two_sum(x[i], -1)); // exact: two parts always suffice
    v_log1p(y, y);
}

static void
s_tanh(const double *x, dd *y)
{
    dd d;
    absolute(y, x, 40);
    dd_scale(y, y, 2);
    v_expm1(y, y);
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
    v_bell(&b, a.h, 1);
    if (a.h[0] < 2) {
        dd z;
        DD_LANES(&z, ((dd1){2 * (x[i] * x[i]), 0}));
        series(y, &k.normal, &z, largest(&z));
        dd_mul(y, y, &b);
        dd_mul(y, y, &a);
        dd_mulc(y, y, k.two_sqrt_pi);
    } else {
        dd_mulc(&a, &a, k.sqrt2);
        v_mills(y, &a, a.h[0]);
        dd_mul(y, y, &b);
        dd_mulc(y, y, k.inv_sqrt_2pi);
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
    v_bell(&b, a.h, 0.5);
    dd_mulc(&b, &b, k.inv_sqrt_2pi);
    bool tail = a.h[0] >= 2;
    if (tail) {
        v_mills(&z, &a, a.h[0]);
        dd_mul(&z, &z, &b);
        if (x[0] > 0)
            dd_csub(&z, (dd1){1, 0}, &z);
    } else {
        DD_LANES(&z, ((dd1){x[i] * x[i], 0}));
        series(&z, &k.normal, &z, largest(&z));
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
    v_sigmoid(y, &v);
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
    dd_mulc(&v, &v, k.cubic);
    dd_add1(&v, &v, 1);
    DD_LANES(&v, mul_one(DD_GET(&v, i), x[i]));
    dd_mulc(&v, &v, k.sqrt_8_pi);
    DD_LANES(&v, fabs(v.h[i]) > 200 ? ((dd1){clamp(v.h[i], 200), 0})
                                    : DD_GET(&v, i));
    v_sigmoid(y, &v);
    DD_LANES(y, mul_one(DD_GET(y, i), x[i] < -25 ? -25 : x[i]));
}

static void
s_softplus(const double *x, dd *y)
{
    dd e;
    DD_LANES(&e, ((dd1){-clamp(fabs(x[i]), 130), 0}));
    v_exp(&e, &e);
    v_log1p(&e, &e);
    DD_LANES(y, add_one(DD_GET(&e, i), x[i] > 0 ? x[i] : 0));
}

// x = n pi/2 + r, |r| <= pi/4. x is m 2^e with one e and integers m below 2^24;
// the products with the pieces of 2/pi are exact, and whole turns drop out. The
// pieces end at 2^-172, their products at 2^-148: 2^-108 of a fraction of
// 2^-40, and what is closer to a multiple is not for the screen.
static void
reduce_turns(dd *r, double *n, const double *x)
{
    int e;
    frexp(fabs(x[0]), &e);
    e -= 24;
    const double *c = k.turn[e - LOW_EXPONENT];
    double unit = ldexp(1, -e);
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        double m = x[i] * unit, t = m * c[0];
        double q = t - 4 * ((t * 0.25 + ROUNDER) - ROUNDER);
        double w = (q + m * c[1] + ROUNDER) - ROUNDER;
        dd1 f = two_sum(q - w, m * c[1]);
        f = add_one(f, m * c[2]);
        f = add_one(f, m * c[3]);
        f = add_one(f, m * c[4]);
        f = add_one(f, m * c[5]);
        n[i] = w;
        dd1 v = mul_pair(f, k.half_pi);
        v.h = fabs(f.h) < 0x1p-40 ? (double)NAN : v.h;
        DD_SET(r, i, v);
    }
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
        reduce_turns(&r, n, x);
    }
    dd_mul(&z, &r, &r);
    double most = largest(&z);
    series(s, &k.sin, &z, most);
    dd_mul(s, s, &r);
    series(c, &k.cos, &z, most);
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
    v_angle(y, &a, &one);
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
    v_angle(y, &a, &b);
    negate_where_negative(y, x);
}

static void
s_acos(const double *x, dd *y)
{
    dd a, b;
    absolute(&a, x, 2);
    other_leg(x, &b);
    v_angle(y, &b, &a);
    dd_csub(&a, k.pi, y);
    DD_LANES(y, x[i] < 0 ? DD_GET(&a, i) : DD_GET(y, i));
}

// (m + m / (m + 1)) / 2, m = e^|x| - 1.
static void
s_sinh(const double *x, dd *y)
{
    dd m;
    absolute(&m, x, 130);
    v_expm1(&m, &m);
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
    v_exp(&e, &e);
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
