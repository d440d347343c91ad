// SPDX-License-Identifier: Apache-2.0
// Activations that are a gate times their argument, and derivatives of such, at
// binary64. Where a derivative crosses zero it is written as a product with the
// distance to the crossing, so that the relative error stays near 2^-50
// everywhere. Results below e^-700 are zero with the limit's sign.
#include "numerics/numerics_int.h"

#define MOST 700.0 // what an exponent may be

// x tanh(log(1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2)
static double
k_mish(double x)
{
    if (x < -MOST)
        return -0.0;
    if (x < 0) {
        double e = num_exp_sum(x, 0), n = e * (e + 2);
        return x * n / (n + 2);
    }
    double q = num_exp_sum(-x, 0);
    return x * ((1 + 2 * q) / (1 + 2 * q + 2 * q * q));
}

// 1.702 x as a sum, |x| bounded so that it stays finite.
static double
scaled(double x, double *l)
{
    const double c = 0x1.b3b645a1cac08p+0, c_lo = 0x1.89374bc6a7efap-55;
    double v = num_two_product(c, x, l);
    *l += c_lo * x;
    return v;
}

static double
k_gelu_sigmoid(double x)
{
    if (x != x || x > 500)
        return x;
    if (x < -500)
        return -0.0;
    double l, v = scaled(x, &l);
    if (x < 0) {
        double e = num_exp_sum(v, l);
        return x * e / (1 + e);
    }
    return x / (1 + num_exp_sum(-v, -l));
}

// s (1 + v (1 - s)) for s = sigmoid(v), v = u + l. With e = e^v that is
// e (1 + e + v) / (1 + e)^2; the middle is zero at v = r and equals
// d + e^r (e^d - 1), d = v - r, since 1 + e^r + r = 0.
static double
silu_slope(double u, double l)
{
    const double r = -0x1.474973c84120bp+0, r_lo = -0x1.f8d74bc9ac154p-54;
    const double e_r = 0x1.1d25cf210482ep-2;
    if (u >= 0) {
        double e = num_exp_sum(-u, -l);
        return (1 + e * (1 + u)) / ((1 + e) * (1 + e));
    }
    double e = num_exp_sum(u, l), d = ((u - r) - r_lo) + l;
    double middle = d + e_r * num_smooth1(NUM_EXPM1, d);
    return e * middle / ((1 + e) * (1 + e));
}

static double
k_silu_dx(double x)
{
    if (x > MOST)
        return 1;
    return x < -MOST ? -0.0 : silu_slope(x, 0);
}

// d/dx x sigmoid(c x) is silu's derivative at c x.
static double
k_gelu_sigmoid_dx(double x)
{
    if (x != x)
        return NUM_NAN;
    if (num_abs(x) > 400)
        return x > 0 ? 1 : -0.0;
    double l, v = scaled(x, &l);
    return silu_slope(v, l);
}

// e^(a^2/2) Phi(-a) - a / sqrt(2 pi), a >= 0.
static double
gelu_slope(double a)
{
    const double r = 0x1.80ead197f00b4p-1, r_lo = -0x1.13e74c58cada8p-56;
    if (!(a > 0.5 && a < 1))
        return num_normal_tail(a) - a * 0x1.9884533d43651p-2;
    // over d = a - r, r its zero; interpolated on [1/2, 1], error 2^-53.7
    static const double c[] = {
        -0x1.25126c1543190p-1,  0x1.5b297ebb9a526p-4,   -0x1.2bad2862a3fdap-5,
        0x1.d507ae5ca8202p-7,   -0x1.526fe74d6e57dp-8,  0x1.c7c02507d7394p-10,
        -0x1.20e4236c9dbd8p-11, 0x1.5b285ca8ef23ap-13,  -0x1.8d96be8f43d63p-15,
        0x1.b3dd0ddb39938p-17,  -0x1.cb184e7f3b394p-19, 0x1.d7ad0cb5864ddp-21,
        -0x1.d0f746dee0853p-23,
    };
    double d = (a - r) - r_lo, p = 0;
    for (int i = 12; i >= 0; i--)
        p = p * d + c[i];
    return d * p;
}

// Phi(x) + x phi(x) = e^(-x^2/2) gelu_slope(-x) left of 0, 1 less that right
// of it.
static double
k_gelu_dx(double x)
{
    double a = num_abs(x);
    if (a != a)
        return NUM_NAN;
    if (a > 37.4)
        return x > 0 ? 1 : -0.0;
    double r = num_exp_square(a, 0.5) * gelu_slope(a);
    return x < 0 ? r : 1 - r;
}

static double
k_erf_dx(double x)
{
    double a = num_abs(x);
    if (a > 26.4)
        return 0;
    return 0x1.20dd750429b6dp+0 * num_exp_square(a, 1);
}

double
num_gated1(num_unary f, double x)
{
    switch (f) {
    case NUM_MISH: return k_mish(x);
    case NUM_GELU_SIGMOID: return k_gelu_sigmoid(x);
    case NUM_GELU_DX: return k_gelu_dx(x);
    case NUM_GELU_SIGMOID_DX: return k_gelu_sigmoid_dx(x);
    case NUM_SILU_DX: return k_silu_dx(x);
    case NUM_ERF_DX: return k_erf_dx(x);
    default: return NUM_NAN;
    }
}
