// SPDX-License-Identifier: Apache-2.0
// The functions of binary32 in double-double arithmetic, fast enough for all
// 2^32 inputs: what decides nearly all of them, so that MPFR need not.
#ifndef SY_TESTS_SCREEN_H
#define SY_TESTS_SCREEN_H

#include "numerics/numerics.h"
#include "tests/exhaustive/dd.h"

// Once, before anything else: the coefficients.
void screen_begin(void);
// log2 of the relative error that screen_value promises.
enum { SCREEN_BITS = -85 };
bool screen_has(num_unary f);
// Where f is NaN: x < lo or x > hi.
void screen_domain(num_unary f, double *lo, double *hi);
// f of LANES binary32 numbers with consecutive codes, the first a multiple of
// LANES, all finite; what is outside the domain does not matter. Zero or NaN
// where it does not know (a zero argument, a pole), but functions that need no
// rounding give a zero its sign. Where f's result is below 2^-150 or above
// 2^128 in magnitude, so is this, with the same sign, and that is all it says.
void screen_value(num_unary f, const double *x, dd *y);

#endif
