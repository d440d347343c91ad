// SPDX-License-Identifier: Apache-2.0
// Functions of exponents at binary64: powers and logarithms of base 2, the cube
// root, the inverse hyperbolic functions, the complementary error function.
// Total over every input; relative error about 2^-50.
#include "numerics/numerics_int.h"

#define LN2    0x1.62e42fefa39efp-1
#define LN2_LO 0x1.abc9e3b39803fp-56
#define LOG2E  0x1.71547652b82fep+0
#define SQRT2  0x1.6a09e667f3bcdp+0

// 2^floor(log2 |x|) by the exponent field; subnormals are made normal first.
static double
k_binade(double x)
{
    const uint64_t field = UINT64_C(0x7ff) << 52;
    double a = num_abs(x);
    if (a != a)
        return NUM_NAN;
    if (a < 0x1p-1022)
        return num_f64(num_bits(a * 0x1p54) & field) * 0x1p-54;
    return num_f64(num_bits(a) & field);
}

static double
k_exp2(double x)
{
    if (x != x)
        return NUM_NAN;
    if (x < -1000)
        return 0;
    if (x > 1024)
        return NUM_INF;
    double k = num_smooth1(NUM_ROUND, x), r = x - k;
    double p = num_exp_sum(r * LN2, r * LN2_LO);
    // in two steps: 2^1024 is not a double
    return p * num_f64((uint64_t)(int64_t)(k + 1022) << 52) * 2;
}

// x = 2^k m, m in [sqrt 1/2, sqrt 2): k is exact and k + log2 m loses nothing.
static double
k_log2(double x)
{
    if (!(x > 0))
        return x == 0 ? -NUM_INF : NUM_NAN;
    if (x == NUM_INF)
        return x;
    double k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    double two_k = k_binade(x), m = x / two_k;
    k += (double)(int64_t)(num_bits(two_k) >> 52) - 1023;
    if (m > SQRT2) {
        m *= 0.5;
        k += 1;
    }
    return k + num_smooth1(NUM_LOG, m) * LOG2E;
}

// A third of the exponent and significand's bits is within 6 % of the root;
// each step t (t^3 + 2 a) / (2 t^3 + a) cubes the error.
static double
k_cbrt(double x)
{
    double a = num_abs(x), unscale = 1;
    if (!(a < NUM_INF) || a == 0)
        return x;
    if (a < 0x1p-300) { // t times the remainder must not underflow
        a *= 0x1p900;
        unscale = 0x1p-300;
    } else if (a > 0x1p300) {
        a *= 0x1p-900;
        unscale = 0x1p300;
    }
    uint64_t third = num_bits(a) / 3;
    double t = num_f64(third + (UINT64_C(682) << 52) - (UINT64_C(135) << 40));
    for (int i = 0; i < 3; i++) {
        double cube = t * t * t;
        t += t * (a - cube) / (2 * cube + a);
    }
    return num_copysign(t * unscale, x);
}

static double
log1p_of(double y)
{
    return num_smooth1(NUM_LOG1P, y);
}

static double
k_asinh(double x)
{
    double a = num_abs(x), r;
    if (a != a)
        return NUM_NAN;
    if (a > 0x1p30) // the root is a, by far
        r = num_smooth1(NUM_LOG, a) + LN2;
    else // log(a + sqrt(a^2 + 1)), the 1 taken out
        r = log1p_of(a + a * a / (1 + num_smooth1(NUM_SQRT, a * a + 1)));
    return num_copysign(r, x);
}

static double
k_acosh(double x)
{
    if (!(x >= 1))
        return NUM_NAN;
    if (x > 0x1p30)
        return num_smooth1(NUM_LOG, x) + LN2;
    double t = x - 1;
    return log1p_of(t + num_smooth1(NUM_SQRT, 2 * t + t * t));
}

static double
k_atanh(double x)
{
    double a = num_abs(x);
    if (!(a <= 1))
        return NUM_NAN;
    if (a == 1)
        return num_copysign(NUM_INF, x);
    return num_copysign(0.5 * log1p_of(2 * a / (1 - a)), x);
}

static double
k_erfc(double x)
{
    double a = num_abs(x);
    if (a != a)
        return NUM_NAN;
    double tail = 0; // below e^-700
    if (a < 26.4)
        tail = 2 * num_exp_square(a, 1) * num_normal_tail(a * SQRT2);
    return x < 0 ? 2 - tail : tail;
}

double
num_inverse1(num_unary f, double x)
{
    switch (f) {
    case NUM_BINADE: return k_binade(x);
    case NUM_EXP2: return k_exp2(x);
    case NUM_LOG2: return k_log2(x);
    case NUM_CBRT: return k_cbrt(x);
    case NUM_ASINH: return k_asinh(x);
    case NUM_ACOSH: return k_acosh(x);
    case NUM_ATANH: return k_atanh(x);
    case NUM_ERFC: return k_erfc(x);
    default: return NUM_NAN;
    }
}
