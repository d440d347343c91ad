// SPDX-License-Identifier: Apache-2.0
// The scalar functions in MPFR: what the arithmetic of numerics/ is measured
// against. Nothing here computes with code of the project.
#ifndef SY_TESTS_ORACLE_H
#define SY_TESTS_ORACLE_H

#include <mpfr.h>
#include <stdbool.h>

#include "numerics/numerics.h"

// Bits of the results below: the formulas lose fewer than 10 of them, so an
// error in ulps of binary32 is known to 2^-60. Sums of a large and a tiny
// number are exact with ORACLE_BITS2.
enum { ORACLE_BITS = 96, ORACLE_BITS2 = 400 };

// y = f(x), f of binary32 class, to a few units of y's last place; what is not
// x's function by a formula (limits, signs of zeros) included. False: there is
// no oracle for f, and the test that asks must fail.
bool oracle_has1(num_unary f);
bool oracle_has2(num_binary f);
bool oracle1(num_unary f, mpfr_t y, const mpfr_t x);
bool oracle2(num_binary f, mpfr_t y, const mpfr_t a, const mpfr_t b);

// |got - y| in units of y's last binary32 place; infinite where NaNs,
// infinities or the signs disagree.
double oracle_ulps(num_word got, const mpfr_t y);
// The same of a register and a function's binary32 argument; negative if there
// is no oracle.
double oracle_ulps1(num_unary f, num_word x, num_word got);
double oracle_ulps2(num_binary f, num_word a, num_word b, num_word got);

// Philox4x32-10 as its authors' paper has it.
void oracle_philox(const uint32_t counter[4], const uint32_t key[2],
                   uint32_t out[4]);
#endif
