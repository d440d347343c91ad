// SPDX-License-Identifier: Apache-2.0
// Real arithmetic in binary64 with a bound on the error, one value at a time.
// A sum's or product's rounding error is computed, not estimated, so that exact
// results have the bound 0 and decisions on them are certain. Bounds are summed
// in binary64 themselves; 'settle' adds what that can lose.
#include "ir/tensor_int.h"

#include <math.h>

static const double infinity = (double)INFINITY;
static const double unit = 0x1p-53, func_unit = 0x1p-45, slack = 0x1p-40;
// Below this, a result may have lost bits to underflow; the absolute error of
// an operation there is far below this.
static const double tiny = 0x1p-960;

static tir_real
settle(double v, double e)
{
    if (isnan(e))
        e = infinity;
    return (tir_real){v, e * (1 + slack)};
}

// Greater of two; of a NaN, the other one.
static double
greater(double a, double b)
{
    return a > b || isnan(b) ? a : b;
}

static bool
is_exact(tir_real x)
{
    return x.e == 0;
}

static bool
is_sure_nan(tir_real x)
{
    return isnan(x.v) && is_exact(x);
}

static bool
is_sure_inf(tir_real x)
{
    return isinf(x.v) && is_exact(x);
}

// Whether x is certainly finite, or certainly infinite.
static bool
is_settled(tir_real x)
{
    return is_exact(x) || (isfinite(x.v) && isfinite(x.e));
}

static bool
is_nonzero(tir_real x)
{
    return fabs(x.v) > x.e;
}

// A result that is infinite or NaN: exact if the operands decide it.
static tir_real
special(double v, bool is_sure)
{
    return (tir_real){v, is_sure ? 0 : infinity};
}

static bool
decides_nan(tir_real x, tir_real y)
{
    return (is_exact(x) && is_exact(y)) || is_sure_nan(x) || is_sure_nan(y);
}

// ---- registers

static double
double_of(num_as as, num_word w)
{
    switch (as) {
    case NUM_AS_NONE: break;
    case NUM_AS_F32: return (double)num_f32(w);
    case NUM_AS_I32: return (int32_t)w;
    case NUM_AS_U32:
    case NUM_AS_BOOL: return w;
    }
    return 0;
}

// Of an integer or a bool.
static num_word
word_of(num_as as, double v)
{
    if (as == NUM_AS_BOOL)
        return v != 0;
    return (num_word)(int64_t)v;
}

tir_real
tir_real_const(num_as as, num_word w)
{
    return (tir_real){double_of(as, w), 0};
}

// ---- float arithmetic

static tir_real
real_add(tir_real x, tir_real y)
{
    double v = x.v + y.v;
    if (isnan(v))
        return special(v, decides_nan(x, y));
    if (isinf(v))
        return special(v, (is_exact(x) && is_exact(y)) ||
                              (is_sure_inf(x) && is_settled(y)) ||
                              (is_sure_inf(y) && is_settled(x)));
    // Knuth's two-sum: the rounding error itself.
    double z = v - x.v;
    double lost = (x.v - (v - z)) + (y.v - z);
    return settle(v, x.e + y.e + fabs(lost));
}

static tir_real
negated(tir_real x)
{
    return (tir_real){-x.v, x.e};
}

// The rounding error of p = x * y; a bound where Dekker's splitting could
// overflow or the product lose bits.
static double
product_error(double x, double y, double p)
{
    const double big = 0x1p500, small = 0x1p-400, split = 0x1p27 + 1;
    if (p == 0 && (x == 0 || y == 0))
        return 0;
    if (!(fabs(x) < big && fabs(y) < big && fabs(p) > small))
        return unit * fabs(p) + (fabs(p) < tiny ? tiny : 0);
    double xc = split * x, yc = split * y;
    double xh = xc - (xc - x), yh = yc - (yc - y);
    double xl = x - xh, yl = y - yh;
    return fabs(((xh * yh - p) + xh * yl + xl * yh) + xl * yl);
}

static tir_real
real_mul(tir_real x, tir_real y)
{
    double v = x.v * y.v;
    if (isnan(v))
        return special(v, decides_nan(x, y));
    if (isinf(v))
        return special(v, (is_exact(x) && is_exact(y)) ||
                              (is_sure_inf(x) && is_nonzero(y)) ||
                              (is_sure_inf(y) && is_nonzero(x)));
    double e = product_error(x.v, y.v, v);
    if (!is_exact(x))
        e += x.e * (fabs(y.v) + y.e) + tiny;
    if (!is_exact(y))
        e += fabs(x.v) * y.e + tiny;
    return settle(v, e);
}

static tir_real
real_div(tir_real x, tir_real y)
{
    double v = x.v / y.v;
    if (isnan(v))
        return special(v, decides_nan(x, y));
    if (isinf(v))
        return special(v, (is_exact(x) && is_exact(y)) ||
                              (is_sure_inf(x) && is_nonzero(y)) ||
                              (is_exact(y) && y.v == 0 && is_nonzero(x)));
    double p = v * y.v, e = 0;
    if (isfinite(y.v) && (p != x.v || product_error(v, y.v, p) > 0))
        e = unit * fabs(v) + (fabs(v) < tiny ? tiny : 0);
    if (is_exact(x) && is_exact(y))
        return settle(v, e);
    if (!is_nonzero(y))
        return special(v, false);
    return settle(v, e + (x.e + fabs(v) * y.e) / (fabs(y.v) - y.e) + tiny);
}

// The larger (sign 1) or smaller (sign -1); NaN wins.
static tir_real
real_extreme(tir_real x, tir_real y, double sign)
{
    if (isnan(x.v) || isnan(y.v))
        return special((double)NAN, is_sure_nan(x) || is_sure_nan(y));
    double a = sign * x.v, b = sign * y.v;
    bool is_x = a > b || (a == b && signbit(a) <= signbit(b));
    tir_real win = is_x ? x : y, lose = is_x ? y : x;
    bool is_far = sign * lose.v + lose.e <= sign * win.v - win.e;
    if (!is_far && lose.e > win.e)
        win.e = lose.e;
    return win;
}

static tir_real
real_mod(tir_real x, tir_real y)
{
    double v = num_ref2(NUM_MOD, x.v, y.v);
    if (isnan(v))
        return special(v, decides_nan(x, y));
    if (is_exact(x) && is_exact(y))
        return (tir_real){v, 0};
    if (!is_exact(y) || !isfinite(x.v) || !isfinite(x.e))
        return special(v, false);
    // The quotient is certain if x +- e leaves its remainder in the period.
    double r = fabs(v), q = fabs(y.v);
    bool is_same = fabs(x.v) + x.e < q || (r > x.e && r + x.e < q);
    return settle(v, is_same ? x.e : 2 * q);
}

// x^y is monotone in each operand for x > 0: a box has its extremes at corners.
static tir_real
real_pow(tir_real x, tir_real y)
{
    double v = num_ref2(NUM_POW, x.v, y.v), e = 0;
    if (is_exact(x) && is_exact(y))
        return isfinite(v) ? settle(v, func_unit * fabs(v) + tiny)
                           : special(v, true);
    if (isnan(v))
        return special(v, decides_nan(x, y));
    if (!(x.v > x.e) || !isfinite(v))
        return special(v, false);
    for (int i = 0; i < 4; i++) {
        double a = x.v + (i & 1 ? x.e : -x.e), b = y.v + (i & 2 ? y.e : -y.e);
        double f = num_ref2(NUM_POW, a, b);
        e = greater(e, fabs(f - v) + 4 * func_unit * fabs(f));
    }
    return settle(v, e + func_unit * fabs(v) + tiny);
}

// The angle turns by at most (move of the point) / (distance left from 0).
static tir_real
real_atan2(tir_real x, tir_real y)
{
    const double turn = 7; // > 2 pi
    double v = num_ref2(NUM_ATAN2, x.v, y.v);
    if (isnan(v))
        return special(v, decides_nan(x, y));
    double e = func_unit * fabs(v) + (v == 0 ? 0 : tiny);
    if (is_exact(x) && is_exact(y))
        return settle(v, e);
    double far = greater(fabs(x.v), fabs(y.v)), move = x.e + y.e;
    bool is_at_cut = y.v - y.e <= 0 && fabs(x.v) <= x.e;
    if (is_at_cut || !(far > 2 * move))
        return settle(v, turn);
    return settle(v, e + 2 * move / (far - move));
}

// ---- decisions

static bool
compare(num_binary f, double x, double y)
{
    if (f == NUM_EQ)
        return x == y;
    if (f == NUM_NE)
        return x != y;
    if (f == NUM_LT)
        return x < y;
    if (f == NUM_LE)
        return x <= y;
    return f == NUM_GT ? x > y : x >= y;
}

static tir_real
real_compare(num_binary f, tir_real x, tir_real y)
{
    tir_real r = {compare(f, x.v, y.v), 0};
    double e = (x.e + y.e) * (1 + slack);
    if (e == 0 || is_sure_nan(x) || is_sure_nan(y))
        return r;
    if (!(fabs(x.v - y.v) > e))
        r.e = 1;
    return r;
}

static bool
is_sure(tir_real b, bool value)
{
    return b.e == 0 && (b.v != 0) == value;
}

static tir_real
real_logic(num_binary f, tir_real x, tir_real y)
{
    num_word v = num_apply2(f, NUM_AS_BOOL, word_of(NUM_AS_BOOL, x.v),
                            word_of(NUM_AS_BOOL, y.v));
    tir_real r = {v, greater(x.e, y.e)};
    if (f == NUM_AND && (is_sure(x, false) || is_sure(y, false)))
        r.e = 0;
    if (f == NUM_OR && (is_sure(x, true) || is_sure(y, true)))
        r.e = 0;
    return r;
}

tir_real
tir_real_select(tir_real c, tir_real x, tir_real y)
{
    tir_real win = c.v != 0 ? x : y, lose = c.v != 0 ? y : x;
    if (c.e == 0 || (win.v == lose.v && win.e >= lose.e))
        return win;
    return settle(win.v, greater(win.e, fabs(win.v - lose.v) + lose.e));
}

// ---- integers

static double
int_least(num_as as)
{
    return as == NUM_AS_I32 ? INT32_MIN : 0;
}

static double
int_most(num_as as)
{
    return as == NUM_AS_I32 ? INT32_MAX : UINT32_MAX;
}

// v +- e, unless that wraps.
static tir_real
int_within(num_as as, double v, double e)
{
    if (e == 0)
        return (tir_real){v, 0};
    bool fits = v - e >= int_least(as) && v + e <= int_most(as);
    return (tir_real){v, fits ? e : infinity};
}

static tir_real
to_bool(tir_real x)
{
    bool is_open = x.e > 0 && !is_nonzero(x) && !isnan(x.v);
    return (tir_real){x.v != 0, is_open ? 1 : 0};
}

static bool
is_logical(num_binary f)
{
    return f == NUM_LAND || f == NUM_LOR || f == NUM_LXOR;
}

// Of numbers, by whether they are zero.
static tir_real
real_logical(num_binary f, tir_real x, tir_real y)
{
    num_binary g = f == NUM_LAND ? NUM_AND : f == NUM_LOR ? NUM_OR : NUM_XOR;
    return real_logic(g, to_bool(x), to_bool(y));
}

static tir_real
int_binary(num_binary f, num_as as, tir_real x, tir_real y)
{
    if (f == NUM_MIN || f == NUM_MAX)
        return real_extreme(x, y, f == NUM_MAX ? 1 : -1);
    double v =
        double_of(as, num_apply2(f, as, word_of(as, x.v), word_of(as, y.v)));
    if (is_exact(x) && is_exact(y))
        return (tir_real){v, 0};
    if ((f == NUM_ADD && v == x.v + y.v) || (f == NUM_SUB && v == x.v - y.v))
        return int_within(as, v, x.e + y.e);
    if (f == NUM_MUL && v == x.v * y.v)
        return int_within(as, v, fabs(x.v) * y.e + fabs(y.v) * x.e + x.e * y.e);
    return (tir_real){v, infinity};
}

static tir_real
int_unary(num_unary f, num_as as, tir_real x)
{
    num_as gives = num_unary_gives(f, as);
    double v = double_of(gives, num_apply1(f, as, word_of(as, x.v)));
    if (is_exact(x) || as == NUM_AS_BOOL)
        return (tir_real){v, x.e};
    if (f == NUM_SIGN)
        return (tir_real){v, 2};
    if (f == NUM_BITS_F32)
        return (tir_real){v, infinity};
    if (f == NUM_POPCOUNT || f == NUM_CLZ)
        return (tir_real){v, 32};
    return int_within(as, v, x.e);
}

// ---- functions

static bool
is_exact_func(num_unary f)
{
    return f == NUM_COPY || f == NUM_NEG || f == NUM_ABS || f == NUM_SIGN ||
           f == NUM_FLOOR || f == NUM_CEIL || f == NUM_ROUND ||
           f == NUM_TRUNC || f == NUM_RELU || f == NUM_BINADE ||
           f == NUM_F32_BITS;
}

static tir_real
float_unary(num_unary f, tir_real x)
{
    if (f == NUM_NEG)
        return negated(x);
    if (f == NUM_COPY)
        return x;
    if (f == NUM_SQUARE && is_exact(x))
        return real_mul(x, x);
    if (f == NUM_RECIP)
        return real_div((tir_real){1, 0}, x);
    if (num_unary_gives(f, NUM_AS_F32) == NUM_AS_BOOL)
        return (tir_real){num_ref1(f, x.v), isfinite(x.e) ? 0 : 1};
    double v = num_ref1(f, x.v), e = 0;
    if (isnan(v))
        return special(v, is_exact(x));
    if (!is_exact(x))
        e = isfinite(x.e) ? num_sensitivity1(f, x.v, x.e) : infinity;
    if (isinf(v))
        return special(v, e == 0);
    if (is_exact_func(f))
        return settle(v, e);
    if (v == 0 && is_exact(x) && (x.v == 0 || isinf(x.v)))
        return (tir_real){v, 0};
    double u = f == NUM_SQRT ? unit : func_unit;
    return settle(v, e + u * fabs(v) + (fabs(v) < tiny ? tiny : 0));
}

tir_real
tir_real_unary(num_unary f, num_as as, tir_real x)
{
    return as == NUM_AS_F32 ? float_unary(f, x) : int_unary(f, as, x);
}

static tir_real
real_by_magnitude(num_binary f, tir_real x, tir_real y)
{
    double v = num_ref2(f, x.v, y.v), a = fabs(x.v), b = fabs(y.v);
    if (isnan(v))
        return special(v, is_sure_nan(x) || is_sure_nan(y));
    if (is_exact(x) && is_exact(y))
        return (tir_real){v, 0};
    bool is_max = f == NUM_ABS_MAX;
    if (fabs(a - b) * (1 - slack) > x.e + y.e)
        return (a > b) == is_max ? x : y;
    return settle(v, greater(fabs(x.v - v) + x.e, fabs(y.v - v) + y.e));
}

static tir_real
real_prelu(tir_real x, tir_real y)
{
    if (x.v >= x.e)
        return x;
    tir_real p = real_mul(x, y);
    if (x.v + x.e < 0 || isnan(x.v))
        return p;
    // continuous at 0
    double v = num_ref2(NUM_PRELU, x.v, y.v);
    return settle(v, p.e + x.e * greater(1, fabs(y.v) + y.e));
}

static tir_real
real_average(tir_real x, tir_real y)
{
    tir_real s = real_add(x, y);
    return settle(s.v / 2, s.e / 2 + (fabs(s.v) < tiny ? tiny : 0));
}

static tir_real
real_hypot(tir_real x, tir_real y)
{
    double v = num_ref2(NUM_HYPOT, x.v, y.v);
    if (isnan(v))
        return special(v, decides_nan(x, y));
    if (isinf(v))
        return special(v, (is_sure_inf(x) && is_settled(y)) ||
                              (is_sure_inf(y) && is_settled(x)));
    return settle(v, x.e + y.e + (v == 0 ? 0 : func_unit * v + tiny));
}

static tir_real
float_binary(num_binary f, tir_real x, tir_real y)
{
    if (f == NUM_ABS_MAX || f == NUM_ABS_MIN)
        return real_by_magnitude(f, x, y);
    if (f == NUM_PRELU)
        return real_prelu(x, y);
    if (f == NUM_AVERAGE)
        return real_average(x, y);
    if (f == NUM_HYPOT)
        return real_hypot(x, y);
    if (f == NUM_ADD)
        return real_add(x, y);
    if (f == NUM_SUB)
        return real_add(x, negated(y));
    if (f == NUM_MUL)
        return real_mul(x, y);
    if (f == NUM_DIV)
        return real_div(x, y);
    if (f == NUM_MIN || f == NUM_MAX)
        return real_extreme(x, y, f == NUM_MAX ? 1 : -1);
    if (f == NUM_MOD)
        return real_mod(x, y);
    return f == NUM_POW ? real_pow(x, y) : real_atan2(x, y);
}

tir_real
tir_real_binary(num_binary f, num_as as, tir_real x, tir_real y)
{
    if (as == NUM_AS_BOOL)
        return real_logic(f, x, y);
    if (num_is_compare(f))
        return real_compare(f, x, y);
    if (is_logical(f))
        return real_logical(f, x, y);
    return as == NUM_AS_F32 ? float_binary(f, x, y) : int_binary(f, as, x, y);
}

// ---- casts

// The least and the greatest value of an integer type.
static void
dtype_range(num_dtype t, double *lo, double *hi)
{
    uint32_t bits = num_dtype_bytes(t) * 8;
    bool is_signed = num_dtype_class(t) == NUM_SINT;
    double span = (double)((uint64_t)1 << bits);
    *lo = is_signed ? -span / 2 : 0;
    *hi = *lo + span - 1;
}

static double
round_to(double v, double lo, double hi)
{
    if (isnan(v))
        return 0;
    double r = num_ref1(NUM_ROUND, v);
    r = r < lo ? lo : r > hi ? hi : r;
    return r == 0 ? 0 : r;
}

static tir_real
float_to_int(num_dtype to, tir_real x)
{
    double lo, hi;
    dtype_range(to, &lo, &hi);
    double v = round_to(x.v, lo, hi);
    if (is_exact(x))
        return (tir_real){v, 0};
    if (isnan(x.v) || !isfinite(x.e))
        return (tir_real){v, hi - lo};
    double down = round_to(x.v - x.e, lo, hi), up = round_to(x.v + x.e, lo, hi);
    return (tir_real){v, greater(v - down, up - v)};
}

static tir_real
int_to_int(num_dtype to, num_as from, tir_real x)
{
    unsigned char cell[8];
    num_store(to, cell, from, word_of(from, x.v));
    double v = double_of(num_widened(to), num_load(to, cell)), lo, hi;
    dtype_range(to, &lo, &hi);
    bool fits = v == x.v && v - x.e >= lo && v + x.e <= hi;
    return (tir_real){v, is_exact(x) ? 0 : fits ? x.e : infinity};
}

tir_real
tir_real_cast(num_dtype to, num_as from, tir_real x)
{
    num_as as = num_widened(to);
    if (as == NUM_AS_F32 || from == NUM_AS_BOOL)
        return x;
    if (as == NUM_AS_BOOL)
        return to_bool(x);
    return from == NUM_AS_F32 ? float_to_int(to, x) : int_to_int(to, from, x);
}
