// SPDX-License-Identifier: Apache-2.0
// What the functions of screen.c are made of.
#include "tests/exhaustive/screen_int.h"

#include <math.h>
#include <mpfr.h>

// Adding and subtracting it rounds to an integer.
#define ROUNDER 0x1.8p52

screen_constants screen_k;

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
        screen_k.exp.c[i] = take(t);
        if (i > 0)
            screen_k.expm1.c[i - 1] = screen_k.exp.c[i];
        dd1 *c = i % 2 == 0 ? &screen_k.cos.c[i / 2] : &screen_k.sin.c[i / 2];
        *c = take(t);
        if (i / 2 % 2 != 0)
            *c = (dd1){-c->h, -c->l};
        mpfr_div_ui(t, t, i + 1, MPFR_RNDN);
    }
    mpfr_set_ui(t, 1, MPFR_RNDN);
    for (unsigned i = 0; i < TERMS; i++) {
        screen_k.normal.c[i] = take(t);
        mpfr_div_ui(t, t, 2 * i + 3, MPFR_RNDN);
    }
    for (unsigned i = 0; i < TERMS; i++) {
        mpfr_set_ui(t, 1, MPFR_RNDN);
        mpfr_div_ui(t, t, 2 * i + 1, MPFR_RNDN);
        screen_k.atanh.c[i] = take(t);
        mpfr_setsign(t, t, i % 2 != 0, MPFR_RNDN);
        screen_k.atan.c[i] = take(t);
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
        cut(t, screen_k.turn[e], CHUNKS, CHUNK_BITS, 2 - CHUNK_BITS);
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
    screen_k.ln2_pair = take(t);
    cut(t, screen_k.ln2, 2, 42, -42);
    screen_k.ln2[2] = mpfr_get_d(t, MPFR_RNDN);
    mpfr_const_pi(t, MPFR_RNDN);
    screen_k.pi = take(t);
    screen_k.half_pi = (dd1){screen_k.pi.h / 2, screen_k.pi.l / 2};
    mpfr_rec_sqrt(t, t, MPFR_RNDN);
    mpfr_mul_ui(t, t, 2, MPFR_RNDN);
    screen_k.two_sqrt_pi = take(t);
    mpfr_sqrt_ui(t, 2, MPFR_RNDN);
    screen_k.sqrt2 = take(t);
    mpfr_const_pi(t, MPFR_RNDN);
    mpfr_mul_ui(t, t, 2, MPFR_RNDN);
    mpfr_rec_sqrt(t, t, MPFR_RNDN);
    screen_k.inv_sqrt_2pi = take(t);
    mpfr_mul_ui(t, t, 4, MPFR_RNDN);
    screen_k.sqrt_8_pi = take(t);
    mpfr_set_ui(t, 44715, MPFR_RNDN);
    mpfr_div_ui(t, t, 1000000, MPFR_RNDN);
    screen_k.cubic = take(t);
    mpfr_clear(t);
}

// ---- pieces

double
screen_largest(const dd *a)
{
    double m = 0;
    for (int i = 0; i < LANES; i++)
        m = fabs(a->h[i]) > m ? fabs(a->h[i]) : m;
    return m;
}

// Sum of c[j] z^j, |z| <= zmax.
void
screen_series(dd *out, const coefficients *s, const dd *z, double zmax)
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
    double most = screen_largest(a);
    if (most < 0.34) {
        for (int i = 0; i < LANES; i++)
            n[i] = 0;
        *r = *a;
        return most;
    }
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        double m = (a->h[i] * 0x1.71547652b82fep+0 + ROUNDER) - ROUNDER;
        dd1 v = two_sum(a->h[i], -m * screen_k.ln2[0]);
        v = add_one(v, -m * screen_k.ln2[1]);
        v = add_one(v, a->l[i]);
        v = add_one(v, -m * screen_k.ln2[2]);
        n[i] = m;
        DD_SET(r, i, v);
    }
    return 0.35;
}

void
screen_v_exp(dd *out, const dd *a)
{
    double n[LANES];
    dd r, p;
    double most = reduce_exp(&r, n, a);
    screen_series(&p, &screen_k.exp, &r, most);
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        out->h[i] = p.h[i] * two_to(n[i]);
        out->l[i] = p.l[i] * two_to(n[i]);
    }
}

// 2^n (e^r - 1) + (2^n - 1); where n is not 0 the sum is at least 0.29 2^n.
void
screen_v_expm1(dd *out, const dd *a)
{
    double n[LANES];
    dd r, p;
    double most = reduce_exp(&r, n, a);
    screen_series(&p, &screen_k.expm1, &r, most);
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
void
screen_v_log1p(dd *out, const dd *f)
{
    double n[LANES];
    dd s, z, p, g = *f;
    bool near = screen_largest(f) <= 0.25;
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
    screen_series(&p, &screen_k.atanh, &z, screen_largest(&z));
    dd_mul(&p, &p, &s);
    dd_scale(&p, &p, 2);
    if (!near)
        DD_LANES(&p, add_pair(mul_one(screen_k.ln2_pair, n[i]), DD_GET(&p, i)));
    *out = p;
}

// The angle of (x, y), both >= 0: a quotient of at most 1, its angle halved
// until the series is short.
void
screen_v_angle(dd *out, const dd *y, const dd *x)
{
    dd t, z, r;
    DD_LANES(&t, y->h[i] > x->h[i] ? div_pair(DD_GET(x, i), DD_GET(y, i))
                                   : div_pair(DD_GET(y, i), DD_GET(x, i)));
    double scale = 1;
    for (; screen_largest(&t) > 0.2; scale *= 2) {
        dd_mul(&r, &t, &t);
        dd_add1(&r, &r, 1);
        dd_sqrt(&r, &r);
        dd_add1(&r, &r, 1);
        dd_div(&t, &t, &r);
    }
    dd_mul(&z, &t, &t);
    screen_series(&r, &screen_k.atan, &z, screen_largest(&z));
    dd_mul(&r, &r, &t);
    dd_scale(&r, &r, scale);
    dd_csub(&z, screen_k.half_pi, &r);
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

void
screen_v_mills(dd *out, const dd *a, double least)
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
void
screen_v_bell(dd *out, const double *a, double factor)
{
    dd e;
    DD_LANES(&e, ((dd1){-factor * (a[i] * a[i]), 0}));
    screen_v_exp(out, &e);
}

// 1 / (1 + e^-v), |v| <= 300; 'v' is spoilt.
void
screen_v_sigmoid(dd *out, dd *v)
{
    dd e, d;
    DD_LANES(&e, v->h[i] > 0 ? ((dd1){-v->h[i], -v->l[i]})
                             : ((dd1){v->h[i], v->l[i]}));
    screen_v_exp(&e, &e);
    dd_add1(&d, &e, 1);
    DD_LANES(&e, v->h[i] > 0 ? ((dd1){1, 0}) : DD_GET(&e, i));
    dd_div(out, &e, &d);
}

// x = n pi/2 + r, |r| <= pi/4. x is m 2^e with one e and integers m below 2^24;
// the products with the pieces of 2/pi are exact, and whole turns drop out. The
// pieces end at 2^-172, their products at 2^-148: 2^-108 of a fraction of
// 2^-40, and what is closer to a multiple is not for the screen.
void
screen_reduce_turns(dd *r, double *n, const double *x)
{
    int e;
    frexp(fabs(x[0]), &e);
    e -= 24;
    const double *c = screen_k.turn[e - LOW_EXPONENT];
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
        dd1 v = mul_pair(f, screen_k.half_pi);
        v.h = fabs(f.h) < 0x1p-40 ? (double)NAN : v.h;
        DD_SET(r, i, v);
    }
}
