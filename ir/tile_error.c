// SPDX-License-Identifier: Apache-2.0
// Error rules of one scalar operation (docs/design/bounds.md). An operand is a
// computed value and a bound on its distance from the real one. Bounds are
// computed in binary64 and inflated, so that they stay bounds. For a value
// that is infinite or NaN the bound is 0 (the real one is the same) or
// infinite (nothing is known).
#include "ir/tile_int.h"

#include <float.h>
#include <math.h>

#define UNIT     0x1p-24  // half an ulp of 1 in binary32
#define TINY     0x1p-150 // half the smallest subnormal of binary32
#define INF      ((double)INFINITY)
#define ANY_WORD 4294967295.0 // farthest two 32-bit integers can be apart

double
tile_err_inflate(double e)
{
    if (e > 0) {
        return e * (1 + 0x1p-40) + DBL_MIN;
    }
    return e == 0 ? 0 : INF; // NaN: nothing is known
}

double
tile_word_value(num_as as, num_word w)
{
    if (as == NUM_AS_F32) {
        return (double)num_f32(w);
    }
    return as == NUM_AS_I32 && w >> 31 != 0 ? (double)w - 0x1p32 : (double)w;
}

// Whether the real a is greater than the real b, whatever they are.
static bool
surely_greater(double a, double ea, double b, double eb)
{
    double d = a - b;

    return d > 0 && d * (1 - 0x1p-50) > (ea + eb) * (1 + 0x1p-50);
}

static bool
is_wild(double v, double e)
{
    return !isfinite(v) || !isfinite(e);
}

static bool
is_sure_nan(double v, double e)
{
    return isnan(v) && e == 0;
}

// ---- binary32

double
tile_err_round(double z)
{
    return UNIT * fabs(z) + (fabs(z) < 0x1p-126 ? TINY : 0);
}

// Whether a + b needs no rounding: the two-sum of the double sum is 0 and the
// result is that sum.
static bool
is_exact_sum(double a, double b, double z)
{
    double s = a + b, bb = s - a;

    return z == s && (a - (s - bb)) + (b - bb) == 0;
}

double
tile_err_add(double a, double ea, double b, double eb, double z)
{
    if (is_wild(a, ea) || is_wild(b, eb) || !isfinite(z)) {
        if (is_sure_nan(a, ea) || is_sure_nan(b, eb)) {
            return 0;
        }
        // Infinite operands decide alone; an overflow tells nothing.
        return ea + eb < INF && (isinf(a) || isinf(b)) ? 0 : INF;
    }
    return ea + eb + (is_exact_sum(a, b, z) ? 0 : tile_err_round(z));
}

static double
err_mul_wild(double a, double ea, double b, double eb)
{
    bool certain = ea + eb < INF;

    if (is_sure_nan(a, ea) || is_sure_nan(b, eb)) {
        return 0;
    }
    // inf * b: the sign of b must be known, or b be an exact 0.
    if (certain && isinf(a)) {
        return fabs(b) > eb || eb == 0 ? 0 : INF;
    }
    if (certain && isinf(b)) {
        return fabs(a) > ea || ea == 0 ? 0 : INF;
    }
    return INF;
}

static double
err_mul(double a, double ea, double b, double eb, double z)
{
    double e = 0;

    if (is_wild(a, ea) || is_wild(b, eb) || !isfinite(z)) {
        return err_mul_wild(a, ea, b, eb);
    }
    if ((a == 0 && ea == 0) || (b == 0 && eb == 0)) {
        return 0;
    }
    if (ea + eb > 0) {
        e = fabs(a) * eb + fabs(b) * ea + ea * eb + DBL_MIN;
    }
    return e +
           (a * b == z ? 0 : tile_err_round(z)); // a * b is exact in binary64
}

static double
err_div(double a, double ea, double b, double eb, double z)
{
    double e = 0;

    if (is_sure_nan(a, ea) || is_sure_nan(b, eb) ||
        (a == 0 && ea == 0 && b == 0 && eb == 0)) {
        return 0;
    }
    if (!(ea + eb < INF) || fabs(b) <= eb) {
        return INF; // the sign of a zero divisor is not tracked
    }
    if (isinf(a) || isinf(b)) {
        return 0; // NaN, an infinity of known sign, or 0
    }
    if (!isfinite(z)) {
        return INF;
    }
    if (ea + eb > 0) {
        double q = fabs(a / b) * (1 + 0x1p-50);

        e = (ea + q * eb) / ((fabs(b) - eb) * (1 - 0x1p-50)) + DBL_MIN;
    }
    return e +
           (z * b == a ? 0 : tile_err_round(z)); // z * b is exact in binary64
}

// Where neither operand is surely the greater, the ends of what the maximum
// can be.
static double
err_max(double a, double ea, double b, double eb)
{
    double z = fmax(a, b), up, down;

    if (is_sure_nan(a, ea) || is_sure_nan(b, eb)) {
        return 0;
    }
    if (surely_greater(a, ea, b, eb)) {
        return ea;
    }
    if (surely_greater(b, eb, a, ea)) {
        return eb;
    }
    if (ea + eb == 0 || is_wild(a, ea) || is_wild(b, eb)) {
        return fmax(ea, eb);
    }
    up = fmax(a + ea, b + eb) - z;
    down = z - fmax(a - ea, b - eb);
    return fmin(fmax(ea, eb), fmax(up, down) + fabs(z) * 0x1p-50);
}

// a - trunc(a / b) * b: linear while the quotient's integer part is certain,
// else anything up to twice the divisor apart.
static double
err_mod(double a, double ea, double b, double eb)
{
    double q, dq;

    if ((ea == 0 && eb == 0) || is_sure_nan(a, ea) || is_sure_nan(b, eb)) {
        return 0;
    }
    if (is_wild(a, ea) || is_wild(b, eb) || fabs(b) <= eb) {
        return INF;
    }
    q = a / b;
    dq = (ea + fabs(q) * eb) / (fabs(b) - eb) * (1 + 0x1p-48) +
         fabs(q) * 0x1p-50;
    if (trunc(q - dq) == trunc(q + dq)) {
        return ea + fabs(trunc(q)) * eb;
    }
    return 2 * (fabs(b) + eb);
}

static double
ulp_of(double z)
{
    num_word w = num_word_f32((float)fabs(z)) + 1; // the next, maybe coarser
    int exponent = (int)(w >> 23);

    return ldexp(1, (exponent > 1 ? exponent : 1) - 150);
}

// For a > 0 the power is monotone in each operand, so its extremes over the
// box of possible operands are at the corners.
static double
err_pow(double a, double ea, double b, double eb, double z)
{
    double worst = 0, mid;

    if (is_sure_nan(a, ea) || is_sure_nan(b, eb)) {
        return 0;
    }
    if (ea == 0 && eb == 0) {
        if (isfinite(z)) {
            return num_binary_ulp(NUM_POW) * ulp_of(z);
        }
        return isnan(z) || isinf(a) || isinf(b) ? 0 : INF;
    }
    if (is_wild(a, ea) || is_wild(b, eb) || !isfinite(z) || a <= ea) {
        return INF;
    }
    mid = num_ref2(NUM_POW, a, b);
    for (int corner = 0; corner < 4; corner++) {
        double x = (corner & 1) != 0 ? a + ea : a - ea;
        double y = (corner & 2) != 0 ? b + eb : b - eb;
        double far = num_ref2(NUM_POW, x, y);

        worst = fmax(worst, fabs(far - mid) + (far + mid) * 0x1p-44);
    }
    return worst + num_binary_ulp(NUM_POW) * ulp_of(z);
}

// The angle of (b, a) moves by at most asin(rho / r) <= pi / 2 * rho / r when
// the point moves by rho, except across the negative half of the b axis.
static double
err_atan2(double a, double ea, double b, double eb, double z)
{
    double r = hypot(a, b), rho = hypot(ea, eb);
    double own = num_binary_ulp(NUM_ATAN2) * ulp_of(z);

    if (is_sure_nan(a, ea) || is_sure_nan(b, eb)) {
        return 0;
    }
    if (!isfinite(z) || !(ea + eb < INF)) {
        return INF;
    }
    if (fabs(a) <= ea && b <= eb) {
        return 6.2831854 + own; // the cut, or the sign of a zero
    }
    if (rho == 0) {
        return own;
    }
    return own + (rho < r && isfinite(r) ? 1.5707964 * rho / r * (1 + 0x1p-48)
                                         : 6.2831854);
}

static double
err_compare(double a, double ea, double b, double eb)
{
    if ((ea == 0 && eb == 0) || is_sure_nan(a, ea) || is_sure_nan(b, eb) ||
        surely_greater(a, ea, b, eb) || surely_greater(b, eb, a, ea)) {
        return 0;
    }
    return 1;
}

static double
err_to_bool(double x, double e)
{
    return e == 0 || fabs(x) > e ? 0 : 1;
}

// A certain operand that decides alone makes the result certain.
static double
bool_binary(num_binary f, const double *v, const double *e)
{
    double decides = f == NUM_AND ? 0 : f == NUM_OR ? 1 : 2;

    return (e[0] == 0 && v[0] == decides) || (e[1] == 0 && v[1] == decides) ? 0
                                                                            : 1;
}

// Where it is not certain which magnitude is the larger, the real result may be
// either operand.
static double
err_by_magnitude(bool want_max, const double *v, const double *e, double z)
{
    double a = fabs(v[0]), b = fabs(v[1]);

    if (is_sure_nan(v[0], e[0]) || is_sure_nan(v[1], e[1]) ||
        e[0] + e[1] == 0) {
        return 0;
    }
    if (isnan(v[0]) || isnan(v[1])) {
        return INF;
    }
    if (surely_greater(a, e[0], b, e[1])) {
        return want_max ? e[0] : e[1];
    }
    if (surely_greater(b, e[1], a, e[0])) {
        return want_max ? e[1] : e[0];
    }
    return fmax(fabs(v[0] - z) + e[0], fabs(v[1] - z) + e[1]);
}

// Continuous where its branches meet: across 0 it moves by at most what a does,
// times the steeper branch.
static double
err_prelu(const double *v, const double *e, double z)
{
    double product;

    if (v[0] >= e[0] || is_sure_nan(v[0], e[0])) {
        return e[0];
    }
    product = err_mul(v[0], e[0], v[1], e[1], z);
    if (v[0] + e[0] < 0) {
        return product;
    }
    return v[0] < 0 || e[0] == INF ? product + e[0] * fmax(1, fabs(v[1]) + e[1])
                                   : e[0] * fmax(1, fabs(v[1]) + e[1]);
}

static double
err_average(const double *v, const double *e, double z)
{
    double sum = tile_err_add(v[0], e[0], v[1], e[1], 2 * z);

    if (!isfinite(z)) {
        return sum;
    }
    // half of an exact sum may fall between two subnormals
    return 0.5 * sum + (sum == 0 && v[0] + v[1] == 2 * z ? 0 : TINY);
}

static double
err_hypot(const double *v, const double *e, double z)
{
    if (is_sure_nan(v[0], e[0]) || is_sure_nan(v[1], e[1])) {
        return 0;
    }
    if (!isfinite(z)) {
        bool infinite = isinf(v[0]) || isinf(v[1]);

        return infinite && e[0] + e[1] < INF ? 0 : INF;
    }
    return e[0] + e[1] + (z == 0 ? 0 : num_binary_ulp(NUM_HYPOT) * ulp_of(z)) +
           (z == 0 && (v[0] != 0 || v[1] != 0) ? TINY : 0);
}

// Each operand is first asked whether it is zero.
static double
err_logical(num_binary f, const double *v, const double *e)
{
    num_binary g = f == NUM_LAND ? NUM_AND : f == NUM_LOR ? NUM_OR : NUM_XOR;
    double is[2] = {v[0] != 0, v[1] != 0};
    double unsure[2] = {err_to_bool(v[0], e[0]), err_to_bool(v[1], e[1])};

    return unsure[0] + unsure[1] == 0 ? 0 : bool_binary(g, is, unsure);
}

static double
f32_binary(num_binary f, const double *v, const double *e, double z)
{
    switch (f) {
    case NUM_ADD: return tile_err_add(v[0], e[0], v[1], e[1], z);
    case NUM_SUB: return tile_err_add(v[0], e[0], -v[1], e[1], z);
    case NUM_MUL: return err_mul(v[0], e[0], v[1], e[1], z);
    case NUM_DIV: return err_div(v[0], e[0], v[1], e[1], z);
    case NUM_MOD: return err_mod(v[0], e[0], v[1], e[1]);
    case NUM_MIN: return err_max(-v[0], e[0], -v[1], e[1]);
    case NUM_MAX: return err_max(v[0], e[0], v[1], e[1]);
    case NUM_POW: return err_pow(v[0], e[0], v[1], e[1], z);
    case NUM_ATAN2: return err_atan2(v[0], e[0], v[1], e[1], z);
    case NUM_EQ:
    case NUM_NE:
    case NUM_LT:
    case NUM_LE:
    case NUM_GT:
    case NUM_GE: return err_compare(v[0], e[0], v[1], e[1]);
    case NUM_ABS_MAX: return err_by_magnitude(true, v, e, z);
    case NUM_ABS_MIN: return err_by_magnitude(false, v, e, z);
    case NUM_PRELU: return err_prelu(v, e, z);
    case NUM_AVERAGE: return err_average(v, e, z);
    case NUM_HYPOT: return err_hypot(v, e, z);
    case NUM_LAND:
    case NUM_LOR:
    case NUM_LXOR: return err_logical(f, v, e);
    case NUM_B_NONE:
    case NUM_AND:
    case NUM_OR:
    case NUM_XOR:
    case NUM_SHL:
    case NUM_SHR:
    case NUM_DIV_FLOOR:
    case NUM_MOD_FLOOR:
    case NUM_LSHR:
    case NUM_PHILOX:
    case NUM_B_COUNT: return INF;
    }
    return INF;
}

// ---- integers and bools

typedef struct {
    double lo, hi;
} range;

static range
word_range(num_as as)
{
    range i32 = {-0x1p31, 0x1p31 - 1}, u32 = {0, 0x1p32 - 1}, one = {0, 1};

    return as == NUM_AS_I32 ? i32 : as == NUM_AS_U32 ? u32 : one;
}

// e, unless the real value may wrap around.
static double
unless_wraps(range r, double v, double e)
{
    return v - e >= r.lo && v + e <= r.hi ? e : r.hi - r.lo;
}

static double
int_binary(num_binary f, num_as as, const double *v, const double *e)
{
    range r = word_range(as);
    double a = v[0], b = v[1], ea = e[0], eb = e[1];

    switch (f) {
    case NUM_ADD: return unless_wraps(r, a + b, ea + eb);
    case NUM_SUB: return unless_wraps(r, a - b, ea + eb);
    case NUM_MUL:
        return unless_wraps(r, a * b, fabs(a) * eb + fabs(b) * ea + ea * eb);
    case NUM_MIN:
    case NUM_MAX: return fmax(ea, eb);
    case NUM_LAND:
    case NUM_LOR:
    case NUM_LXOR: return err_logical(f, v, e);
    case NUM_DIV:
    case NUM_DIV_FLOOR:
        return eb == 0 && fabs(b) > 1 ? floor(ea / fabs(b)) + 1 : ANY_WORD;
    case NUM_MOD:
    case NUM_MOD_FLOOR: return eb == 0 && b != 0 ? 2 * fabs(b) : ANY_WORD;
    case NUM_EQ:
    case NUM_NE:
    case NUM_LT:
    case NUM_LE:
    case NUM_GT:
    case NUM_GE: return err_compare(a, ea, b, eb);
    case NUM_B_NONE:
    case NUM_POW:
    case NUM_ATAN2:
    case NUM_AND:
    case NUM_OR:
    case NUM_XOR:
    case NUM_SHL:
    case NUM_SHR:
    case NUM_ABS_MAX:
    case NUM_ABS_MIN:
    case NUM_PRELU:
    case NUM_AVERAGE:
    case NUM_HYPOT:
    case NUM_LSHR:
    case NUM_PHILOX:
    case NUM_B_COUNT: return ANY_WORD;
    }
    return ANY_WORD;
}

double
tile_err_binary(num_binary f, num_as as, const num_word *w, const double *e,
                num_word z)
{
    double v[2];
    num_as gives = num_binary_gives(f, as);

    v[0] = tile_word_value(as, w[0]);
    v[1] = tile_word_value(as, w[1]);
    if (as == NUM_AS_F32) {
        return tile_err_inflate(f32_binary(f, v, e, tile_word_value(gives, z)));
    }
    if (e[0] == 0 && e[1] == 0) {
        return 0;
    }
    if (as == NUM_AS_BOOL) {
        return bool_binary(f, v, e);
    }
    return fmin(int_binary(f, as, v, e), ANY_WORD);
}

// ---- functions of one operand

// Every value within e of x is outside of the function's domain.
static bool
is_surely_outside(num_unary f, double x, double e)
{
    if (f == NUM_SQRT || f == NUM_RSQRT || f == NUM_LOG || f == NUM_LOG2) {
        return x + e < 0;
    }
    if (f == NUM_LOG1P) {
        return x + e < -1;
    }
    if (f == NUM_ACOSH) {
        return x + e < 1;
    }
    return (f == NUM_ASIN || f == NUM_ACOS || f == NUM_ATANH) &&
           fabs(x) - e > 1;
}

static double
err_wild_result(num_unary f, double x, double e, double z)
{
    if (isnan(z)) {
        return e == 0 || is_surely_outside(f, x, e) ? 0 : INF;
    }
    if (e == 0 &&
        (((f == NUM_LOG || f == NUM_LOG2) && x == 0) ||
         (f == NUM_LOG1P && x == -1) || (f == NUM_ATANH && fabs(x) == 1))) {
        return 0;
    }
    return INF; // overflow, or a pole at a zero of unknown sign
}

static bool
is_exact_result(num_unary f, double x, double z)
{
    return (x == 0 && z == 0) || (f == NUM_SQRT && z * z == x) ||
           (f == NUM_RECIP && z * x == 1) || (f == NUM_SQUARE && x * x == z) ||
           (f == NUM_EXP && x == 0 && z == 1);
}

static double
f32_unary(num_unary f, double x, double e, double z)
{
    double own;

    if (f == NUM_COPY || f == NUM_NEG || f == NUM_ABS) {
        return e;
    }
    if (f == NUM_ISNAN || f == NUM_ISINF || f == NUM_ISFINITE) {
        return e < INF ? 0 : 1;
    }
    if (is_sure_nan(x, e)) {
        return 0;
    }
    if (!(e < INF)) {
        return INF;
    }
    if (isinf(x) && (!isfinite(z) || z == 0 || fabs(z) == 1)) {
        return 0; // limits
    }
    if (!isfinite(z)) {
        return err_wild_result(f, x, e, z);
    }
    own = num_unary_ulp(f) * ulp_of(z);
    if (e == 0) {
        return is_exact_result(f, x, z) ? 0 : own;
    }
    return own + num_sensitivity1(f, x, e) + DBL_MIN;
}

static double
int_unary(num_unary f, num_as as, double x, double e)
{
    if (f == NUM_COPY || f == NUM_NOT) {
        return e;
    }
    if (as == NUM_AS_I32 && (f == NUM_NEG || f == NUM_ABS) && x - e > -0x1p31) {
        return e;
    }
    if (f == NUM_BITS_F32) {
        return INF;
    }
    if (f == NUM_POPCOUNT || f == NUM_CLZ) {
        return 32;
    }
    return as == NUM_AS_I32 && f == NUM_SIGN ? 2 : ANY_WORD;
}

double
tile_err_unary(num_unary f, num_as as, num_word x, double e, num_word z)
{
    double v = tile_word_value(as, x);

    if (as == NUM_AS_F32) {
        return tile_err_inflate(
            f32_unary(f, v, e, tile_word_value(num_unary_gives(f, as), z)));
    }
    return e == 0 || as == NUM_AS_BOOL ? e : int_unary(f, as, v, e);
}

// ---- conversions

static range
dtype_range(num_dtype t)
{
    double bits = 8.0 * num_dtype_bytes(t);
    range r = {0, 1};

    if (num_dtype_class(t) == NUM_UINT) {
        r.hi = exp2(bits) - 1;
    } else if (num_dtype_class(t) == NUM_SINT) {
        r.hi = exp2(bits - 1) - 1;
        r.lo = -exp2(bits - 1);
    }
    return r;
}

// Rounding to integers and saturating are monotone, so the ends decide.
static double
err_float_to_int(range r, double x, double e)
{
    double z, lo, hi;

    if (e == 0) {
        return 0;
    }
    if (is_wild(x, e)) {
        return r.hi - r.lo;
    }
    z = fmin(fmax(rint(x), r.lo), r.hi);
    lo = fmin(fmax(rint(x - e), r.lo), r.hi);
    hi = fmin(fmax(rint(x + e), r.lo), r.hi);
    return fmax(hi - z, z - lo);
}

static double
err_to_int(range r, num_as from, double x, double e)
{
    if (e == 0 || from == NUM_AS_BOOL) {
        return e;
    }
    return from == NUM_AS_F32 ? err_float_to_int(r, x, e)
                              : unless_wraps(r, x, e);
}

double
tile_err_cast(num_as to, num_as from, num_word w, double e, num_word z)
{
    double x = tile_word_value(from, w), y = tile_word_value(to, z);

    if (to == from) {
        return e;
    }
    if (to == NUM_AS_F32) {
        return tile_err_inflate(e + (x == y ? 0 : tile_err_round(y)));
    }
    return to == NUM_AS_BOOL ? err_to_bool(x, e)
                             : err_to_int(word_range(to), from, x, e);
}

double
tile_err_store(num_dtype t, num_as as, num_word w, double e, num_word z)
{
    double x = tile_word_value(as, w);
    double y = tile_word_value(num_widened(t), z);

    if (num_dtype_class(t) == NUM_BOOL) {
        return err_to_bool(x, e);
    }
    if (!num_is_float(t)) {
        return err_to_int(dtype_range(t), as, x, e);
    }
    if (!isfinite(x) || !isfinite(y)) {
        return x == y || (isnan(x) && isnan(y)) ? e : INF;
    }
    if (x == y) {
        return e;
    }
    if (fabs(x) > num_max_finite(t)) { // saturated
        return tile_err_inflate(e + fabs(x - y));
    }
    // Integers may be rounded to binary32 first.
    return tile_err_inflate(e + num_unit_roundoff(t) * fabs(y) +
                            num_min_subnormal(t) / 2 +
                            (as == NUM_AS_F32 ? 0 : tile_err_round(x)));
}
