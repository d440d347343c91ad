// SPDX-License-Identifier: Apache-2.0
// How far a function's value can move when its argument is known to within e.
// Between its turning points a function is monotone, so the ends of the
// interval and the turning points inside it hold the extreme values.
#include "numerics/numerics_int.h"

// Twice the relative error of num_ref1, which evaluates the ends.
#define SLACK 0x1p-44

typedef struct {
    double x, lo, hi; // lo and hi rounded outward
} around;

static around
interval(double x, double e)
{
    double pad = (num_abs(x) + e) * 0x1p-52 + 0x1p-1074;
    if (pad == NUM_INF)
        pad = 0;
    return (around){x, (x - e) - pad, (x + e) + pad};
}

static double
larger(double a, double b)
{
    return a > b ? a : b;
}

// |a - b| with the errors of both; equal infinities are no distance.
static double
distance(double a, double b)
{
    if (a == b && num_abs(a) == NUM_INF)
        return 0;
    double d = num_abs(a - b) + SLACK * (num_abs(a) + num_abs(b));
    return d == d ? d : NUM_INF;
}

static double
by_ends(num_unary f, around r)
{
    double v = num_ref1(f, r.x);
    return larger(distance(num_ref1(f, r.lo), v),
                  distance(num_ref1(f, r.hi), v));
}

// The same for a function with one turning point, at 'at', of value 'value'.
static double
by_ends_and_turn(num_unary f, around r, double at, double value)
{
    double d = by_ends(f, r);
    double slack = num_abs(at) * 0x1p-40;
    if (r.lo <= at + slack && r.hi >= at - slack)
        d = larger(d, distance(value, num_ref1(f, r.x)));
    return d;
}

// With two turning points.
static double
by_ends_and_turns(num_unary f, around r, const double at[2],
                  const double value[2])
{
    return larger(by_ends_and_turn(f, r, at[0], value[0]),
                  by_ends_and_turn(f, r, at[1], value[1]));
}

// silu_dx and, its argument scaled, gelu_sigmoid_dx.
static double
by_silu_slope(num_unary f, around r, double scale)
{
    const double at = 2.3993572805154677 / scale, top = 1.0998393201288669;
    return by_ends_and_turns(f, r, (double[2]){-at, at},
                             (double[2]){1 - top, top});
}

// Exact values: a step function takes only those at the ends and between them.
static double
by_steps(num_unary f, around r)
{
    double v = num_ref1(f, r.x);
    double down = v - num_ref1(f, r.lo), up = num_ref1(f, r.hi) - v;
    double d = larger(down, up);
    return d == d ? d : NUM_INF;
}

// A step function of |x|.
static double
by_magnitude_steps(num_unary f, double x, double e)
{
    around r = interval(num_abs(x), e);
    r.lo = larger(r.lo, 0);
    return by_steps(f, r);
}

static double
within(num_unary f, around r, double least, double most)
{
    return r.lo >= least && r.hi <= most ? by_ends(f, r) : NUM_INF;
}

// |sin(x + d) - sin x| <= |cos x| |d| + d^2 / 2, and at most 2.
static double
circular(num_unary slope, double x, double e)
{
    double s = num_abs(num_ref1(slope, x)) * (1 + SLACK);
    double d = (s * e + 0.5 * e * e) * (1 + SLACK);
    double most = larger(e, 0) * (1 + SLACK);
    d = d < most ? d : most;
    return d < 2 ? d : 2;
}

// Within one branch, from the angle in (-pi/2, pi/2) that has this tangent.
static double
tangent(double x, double e)
{
    const double half_pi = 0x1.921fb54442d18p+0, edge = 1 - 0x1p-40;
    double t = num_ref1(NUM_TAN, x), angle = num_ref1(NUM_ATAN, t);
    double pad = (num_abs(angle) + e) * SLACK;
    double lo = angle - e - pad, hi = angle + e + pad;
    if (!(lo > -half_pi * edge && hi < half_pi * edge))
        return NUM_INF;
    return larger(distance(num_ref1(NUM_TAN, lo), t),
                  distance(num_ref1(NUM_TAN, hi), t));
}

// Everything but the cases that need no interval. NOLINT: dispatch
static double
over_interval(num_unary f, around r)
{
    const double inf = NUM_INF, tiny = 0x1p-1074;
    switch (f) {
    case NUM_SIGN:
    case NUM_FLOOR:
    case NUM_CEIL:
    case NUM_ROUND:
    case NUM_TRUNC: return by_steps(f, r);
    case NUM_SQRT: return within(f, r, 0, inf);
    case NUM_RSQRT:
    case NUM_LOG:
    case NUM_LOG2: return within(f, r, tiny, inf);
    case NUM_RECIP: return r.lo > 0 || r.hi < 0 ? by_ends(f, r) : inf;
    case NUM_LOG1P: return within(f, r, -1 + 0x1p-53, inf);
    case NUM_ASIN:
    case NUM_ACOS: return within(f, r, -1, 1);
    case NUM_ACOSH: return within(f, r, 1, inf);
    case NUM_ATANH: return within(f, r, -1 + 0x1p-53, 1 - 0x1p-53);
    case NUM_EXP:
    case NUM_EXPM1:
    case NUM_TANH:
    case NUM_ERF:
    case NUM_SIGMOID:
    case NUM_SOFTPLUS:
    case NUM_ATAN:
    case NUM_SINH:
    case NUM_EXP2:
    case NUM_CBRT:
    case NUM_ASINH:
    case NUM_ERFC: return by_ends(f, r);
    case NUM_GELU:
        return by_ends_and_turn(f, r, -0.75179152469356446,
                                -0.16997120747990366);
    case NUM_GELU_TANH:
        return by_ends_and_turn(f, r, -0.75246142207101626,
                                -0.17004075057125405);
    case NUM_SILU:
        return by_ends_and_turn(f, r, -1.2784645427610738,
                                -0.27846454276107380);
    case NUM_COSH: return by_ends_and_turn(f, r, 0, 1);
    case NUM_MISH:
        return by_ends_and_turn(f, r, -1.1924312145154952,
                                -0.30884341301725041);
    case NUM_GELU_SIGMOID:
        return by_ends_and_turn(f, r, -0.75115425544128895,
                                -0.16361018963635358);
    case NUM_GELU_DX:
        return by_ends_and_turns(
            f, r, (double[2]){-1.4142135623730951, 1.4142135623730951},
            (double[2]){-0.12890414518515479, 1.1289041451851548});
    case NUM_SILU_DX: return by_silu_slope(f, r, 1);
    case NUM_GELU_SIGMOID_DX: return by_silu_slope(f, r, 1.702);
    case NUM_ERF_DX: return by_ends_and_turn(f, r, 0, 0x1.20dd750429b6dp+0);
    default: return inf;
    }
}

double
num_sensitivity1(num_unary f, double x, double e)
{
    if (e == 0 || num_unary_gives(f, NUM_AS_F32) == NUM_AS_BOOL)
        return 0;
    if (x != x || e != e || e < 0)
        return NUM_INF;
    switch (f) {
    case NUM_COPY:
    case NUM_NEG:
    case NUM_ABS:
    case NUM_RELU: return e;
    case NUM_SIN: return circular(NUM_COS, x, e);
    case NUM_COS: return circular(NUM_SIN, x, e);
    case NUM_TAN: return tangent(x, e);
    case NUM_BINADE: return by_magnitude_steps(f, x, e);
    case NUM_SQUARE: return (2 * num_abs(x) * e + e * e) * (1 + SLACK);
    default: break;
    }
    around r = interval(x, e);
    if (r.lo != r.lo || r.hi != r.hi)
        return NUM_INF;
    return over_interval(f, r);
}
