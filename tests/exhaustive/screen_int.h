// SPDX-License-Identifier: Apache-2.0
// What the functions of screen.c are made of.
#ifndef SY_TESTS_SCREEN_INT_H
#define SY_TESTS_SCREEN_INT_H

#include "tests/exhaustive/screen.h"

enum { TERMS = 200, CHUNKS = 6, CHUNK_BITS = 29, LOW_EXPONENT = -24 };

typedef struct {
    dd1 c[TERMS];
} coefficients;

typedef struct {
    coefficients exp, expm1;  // 1 / k!, 1 / (k + 1)!
    coefficients sin, cos;    // alternating
    coefficients atan, atanh; // +-1 / (2 k + 1)
    coefficients normal;      // 1 / (2 k + 1)!!
    double ln2[3];            // the first two of 42 bits
    dd1 ln2_pair, pi, half_pi, inv_sqrt_2pi, sqrt_8_pi, two_sqrt_pi, sqrt2;
    dd1 cubic;                // 0.044715
    double turn[160][CHUNKS]; // 2 / pi 2^e modulo 4, e from LOW_EXPONENT
} screen_constants;

extern screen_constants screen_k;

// The largest |a.h|.
double screen_largest(const dd *a);
// Sum of c[j] z^j, |z| <= zmax.
void screen_series(dd *out, const coefficients *s, const dd *z, double zmax);
// |a| <= 300
void screen_v_exp(dd *out, const dd *a);
void screen_v_expm1(dd *out, const dd *a);
void screen_v_log1p(dd *out, const dd *f);
// The angle of (x, y), both >= 0.
void screen_v_angle(dd *out, const dd *y, const dd *x);
// (1 - Phi(a)) / phi(a), a >= least >= 2.
void screen_v_mills(dd *out, const dd *a, double least);
// e^(-factor a^2) of binary32 numbers.
void screen_v_bell(dd *out, const double *a, double factor);
// 1 / (1 + e^-v), |v| <= 300; 'v' is spoilt.
void screen_v_sigmoid(dd *out, dd *v);
// x = n pi/2 + r; NaN where r is not good enough.
void screen_reduce_turns(dd *r, double *n, const double *x);

#endif
