// SPDX-License-Identifier: Apache-2.0
// Element types as their standards define them, written without a look at
// numerics/: a value is what the fields of a code say, and a rounding is a
// search among the values.
#ifndef SY_TESTS_FORMAT_H
#define SY_TESTS_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    FORMAT_IEEE = 1, // the top exponent is infinity and NaN
    FORMAT_SIGNED,
    FORMAT_UNSIGNED,
    FORMAT_BOOL,
    FORMAT_FINITE, // OCP elements: no infinity, at most the last code NaN
    FORMAT_SCALE,  // OCP e8m0
    FORMAT_PACKED, // several numbers: converted by no one
} format_kind;

typedef struct {
    const char *name;
    format_kind kind;
    int bits, man; // of a code, without the 'pad' below it; of a fraction
    int bias, pad; // floats only
    double *edge;  // floats: edge[c] separates magnitude c - 1 from c
    uint32_t edges, nan;
} format;

bool format_is_float(const format *f);
// NULL: there is no oracle for the type.
format *format_find(const char *name);
// The exact value; NaN is NaN.
double format_value(const format *f, uint32_t code);
// The nearest code, ties to the even one; NaN, infinities and what is out of
// range as docs/numerics.md says for a float converted to 'f'.
uint32_t format_code(format *f, double x);
// The magnitude whose interval holds |x|, for floats: edge[c] <= |x| < edge[c +
// 1] but for the ties.
uint32_t format_magnitude(format *f, double x);
// The code of a magnitude (infinity's or what would be the next number's when
// too large) with a sign.
uint32_t format_signed(const format *f, uint32_t mag, bool negative);
// Of an integer converted to f.
uint32_t format_code_int(format *f, int64_t x);

#endif
