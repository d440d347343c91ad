// SPDX-License-Identifier: Apache-2.0
// The scalar functions by name and class; one element, rows, and the reference
// in binary64. The arithmetic is in the other func_*.c.
#include "numerics/numerics_int.h"

#include <string.h>

typedef struct {
    const char *name, *classes, *gives;
} func_info;

static const func_info unary_info[NUM_U_COUNT] = {
    {"none", "", "="},
#define UNARY(id, name, classes, gives, what) {name, classes, gives},
#define BINARY(id, name, classes, gives, what)
#include "numerics/funcs.def"
#undef UNARY
#undef BINARY
};

static const func_info binary_info[NUM_B_COUNT] = {
    {"none", "", "="},
#define UNARY(id, name, classes, gives, what)
#define BINARY(id, name, classes, gives, what) {name, classes, gives},
#include "numerics/funcs.def"
#undef UNARY
#undef BINARY
};

// The index of a name in a table from 1, or 0.
static uint32_t
find_name(const func_info *t, uint32_t count, const char *name, size_t n)
{
    for (uint32_t i = 1; i < count; i++) {
        if (strlen(t[i].name) == n && memcmp(t[i].name, name, n) == 0)
            return i;
    }
    return 0;
}

static bool
takes(const char *classes, num_as as)
{
    switch (as) {
    case NUM_AS_F32: return strchr(classes, 'F') != NULL;
    case NUM_AS_I32:
    case NUM_AS_U32: return strchr(classes, 'I') != NULL;
    case NUM_AS_BOOL: return strchr(classes, 'B') != NULL;
    case NUM_AS_NONE: break;
    }
    return false;
}

const char *
num_unary_name(num_unary f)
{
    return (unsigned)f < NUM_U_COUNT ? unary_info[f].name : "none";
}

const char *
num_binary_name(num_binary f)
{
    return (unsigned)f < NUM_B_COUNT ? binary_info[f].name : "none";
}

num_unary
num_unary_parse(const char *name, size_t n)
{
    return (num_unary)find_name(unary_info, NUM_U_COUNT, name, n);
}

num_binary
num_binary_parse(const char *name, size_t n)
{
    return (num_binary)find_name(binary_info, NUM_B_COUNT, name, n);
}

bool
num_unary_takes(num_unary f, num_as as)
{
    return (unsigned)f < NUM_U_COUNT && takes(unary_info[f].classes, as);
}

bool
num_binary_takes(num_binary f, num_as as)
{
    return (unsigned)f < NUM_B_COUNT && takes(binary_info[f].classes, as);
}

static num_as
result_of(const char *gives, num_as as)
{
    switch (gives[0]) {
    case 'B': return NUM_AS_BOOL;
    case 'I': return NUM_AS_I32;
    case 'F': return NUM_AS_F32;
    default: return as;
    }
}

num_as
num_unary_gives(num_unary f, num_as as)
{
    return (unsigned)f < NUM_U_COUNT ? result_of(unary_info[f].gives, as) : as;
}

num_as
num_binary_gives(num_binary f, num_as as)
{
    return (unsigned)f < NUM_B_COUNT ? result_of(binary_info[f].gives, as) : as;
}

bool
num_is_compare(num_binary f)
{
    return f >= NUM_EQ && f <= NUM_GE;
}

// ---- binary64

double
num_ref1(num_unary f, double x)
{
    if (num_is_smooth(f))
        return num_smooth1(f, x);
    if (f >= NUM_SIN && f <= NUM_ATAN)
        return num_trig1(f, x);
    if (f == NUM_BINADE || (f >= NUM_EXP2 && f <= NUM_ERFC))
        return num_inverse1(f, x);
    if (f >= NUM_MISH && f <= NUM_ERF_DX)
        return num_gated1(f, x);
    switch (f) {
    case NUM_ISNAN: return x != x ? 1 : 0;
    case NUM_ISINF: return num_abs(x) == NUM_INF ? 1 : 0;
    case NUM_ISFINITE: return num_abs(x) < NUM_INF ? 1 : 0;
    case NUM_F32_BITS: return (double)(int32_t)num_word_f64(x);
    default: return NUM_NAN;
    }
}

static double
by_magnitude(bool want_max, double a, double b)
{
    if (a != a || b != b)
        return NUM_NAN;
    bool first = want_max ? num_abs(a) > num_abs(b) : num_abs(a) < num_abs(b);
    return first ? a : b;
}

// Nothing overflows on the way, and the sum is halved exactly.
static double
average(double a, double b)
{
    double sum = a + b;
    return num_abs(sum) < NUM_INF ? sum / 2 : a / 2 + b / 2;
}

static double
extreme(bool want_max, double a, double b)
{
    if (a != a || b != b)
        return NUM_NAN;
    if (a == b) // zeros: the sign bits decide
        return (num_bits(a) >> 63 != 0) == want_max ? b : a;
    return (a < b) == want_max ? b : a;
}

// NOLINT: dispatch
double
num_ref2(num_binary f, double a, double b)
{
    switch (f) {
    case NUM_ADD: return a + b;
    case NUM_SUB: return a - b;
    case NUM_MUL: return a * b;
    case NUM_DIV: return a / b;
    case NUM_MOD: return num_fmod(a, b);
    case NUM_MIN: return extreme(false, a, b);
    case NUM_MAX: return extreme(true, a, b);
    case NUM_POW: return num_pow(a, b);
    case NUM_ATAN2: return num_atan2(a, b);
    case NUM_EQ: return a == b;
    case NUM_NE: return a != b;
    case NUM_LT: return a < b;
    case NUM_LE: return a <= b;
    case NUM_GT: return a > b;
    case NUM_GE: return a >= b;
    case NUM_ABS_MAX: return by_magnitude(true, a, b);
    case NUM_ABS_MIN: return by_magnitude(false, a, b);
    case NUM_PRELU: return a >= 0 ? a : a * b;
    case NUM_AVERAGE: return average(a, b);
    case NUM_HYPOT: return num_hypot(a, b);
    case NUM_LAND: return a != 0 && b != 0;
    case NUM_LOR: return a != 0 || b != 0;
    case NUM_LXOR: return (a != 0) != (b != 0);
    case NUM_AND:
    case NUM_OR:
    case NUM_XOR:
    case NUM_SHL:
    case NUM_SHR:
    case NUM_DIV_FLOOR:
    case NUM_MOD_FLOOR:
    case NUM_LSHR:
    case NUM_PHILOX:
    case NUM_B_NONE:
    case NUM_B_COUNT: break;
    }
    return NUM_NAN;
}

// ---- registers

static num_word
count_ones(num_word x)
{
    x -= x >> 1 & 0x55555555u;
    x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0fu;
    return x * 0x01010101u >> 24;
}

// The highest 1 is copied into every place below it.
static num_word
leading_zeros(num_word x)
{
    for (int s = 1; s < 32; s *= 2)
        x |= x >> s;
    return count_ones(~x);
}

static num_word
apply1_int(num_unary f, num_as as, num_word x)
{
    bool negative = as == NUM_AS_I32 && x >> 31;
    switch (f) {
    case NUM_NEG: return 0 - x;
    case NUM_ABS: return negative ? 0 - x : x;
    case NUM_SIGN: return negative ? 0xffffffffu : x != 0;
    case NUM_NOT: return as == NUM_AS_BOOL ? x == 0 : ~x;
    case NUM_BITS_F32: return num_canon(x);
    case NUM_POPCOUNT: return count_ones(x);
    case NUM_CLZ: return leading_zeros(x);
    default: return x;
    }
}

num_word
num_apply1(num_unary f, num_as as, num_word x)
{
    if (as != NUM_AS_F32)
        return apply1_int(f, as, x);
    switch (f) {
    case NUM_ISNAN: return num_word_is_nan(x);
    case NUM_ISINF: return (x & 0x7fffffffu) == 0x7f800000u;
    case NUM_ISFINITE: return (x & 0x7fffffffu) < 0x7f800000u;
    case NUM_F32_BITS: return num_canon(x);
    default: return num_word_f64(num_ref1(f, (double)num_f32(x)));
    }
}

num_word
num_apply2(num_binary f, num_as as, num_word a, num_word b)
{
    if (num_is_simple2(f, as))
        return num_simple2(f, as, a, b);
    return num_word_f64(num_ref2(f, (double)num_f32(a), (double)num_f32(b)));
}

void
num_row1(num_unary f, num_as as, size_t n, num_word *out, const num_word *x)
{
    // a short row is not worth a block
    if (as == NUM_AS_F32 && n > 4 && num_is_smooth(f)) {
        num_smooth_row(f, n, out, x);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = num_apply1(f, as, x[i]);
}

void
num_row2(num_binary f, num_as as, size_t n, num_word *out, const num_word *a,
         const num_word *b, size_t b_step)
{
    if (n > 4 && num_is_simple2(f, as)) {
        num_simple2_row(f, as, n, out, a, b, b_step);
        return;
    }
    num_word b0 = n > 0 ? b[0] : 0; // out may overwrite it
    for (size_t i = 0; i < n; i++)
        out[i] = num_apply2(f, as, a[i], b_step == 0 ? b0 : b[i]);
}

double
num_unary_ulp(num_unary f)
{
    switch (f) {
    case NUM_SQRT:
    case NUM_RECIP:
    case NUM_SQUARE: return 0.5;
    default: break;
    }
    bool exact = (f >= NUM_COPY && f <= NUM_TRUNC) || f == NUM_RELU ||
                 f == NUM_NOT || (f >= NUM_ISNAN && f <= NUM_CLZ);
    return exact ? 0 : 0.51;
}

double
num_binary_ulp(num_binary f)
{
    if (f == NUM_POW || f == NUM_ATAN2 || f == NUM_HYPOT)
        return 0.51;
    bool rounds = f == NUM_ADD || f == NUM_SUB || f == NUM_MUL ||
                  f == NUM_DIV || f == NUM_PRELU || f == NUM_AVERAGE;
    return rounds ? 0.5 : 0;
}
