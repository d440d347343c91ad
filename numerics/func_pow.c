// SPDX-License-Identifier: Apache-2.0
// a^b, the hypotenuse, and the exact remainder and square root in integers, at
// binary64.
#include "numerics/numerics_int.h"

__extension__ typedef unsigned __int128 wide;

// ---- pairs: h + l, |l| at most half an ulp of h

typedef struct {
    double h, l;
} pair;

// |a| >= |b| or a == 0
static pair
quick_sum(double a, double b)
{
    double s = a + b;
    return (pair){s, b - (s - a)};
}

static double
leading(double a)
{
    return num_f64(num_bits(a) & ~UINT64_C(0x7ffffff));
}

static pair
product(double a, double b)
{
    double p = a * b, ah = leading(a), bh = leading(b);
    double al = a - ah, bl = b - bh;
    return (pair){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

// log(x) to about 2^-60 of itself, x positive and finite: x = 2^k m,
// log m = 2 s + 2 s^3/3 + ..., s = (m - 1) / (m + 1), with 2 s as a pair.
static pair
log_pair(double x)
{
    double k_add = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k_add = -54;
    }
    uint64_t ix = num_bits(x);
    uint64_t kb =
        (ix + (UINT64_C(1024) << 52) - UINT64_C(0x3fe6a09e667f3bcd)) >> 52;
    double f = num_f64(ix - ((kb - 1024) << 52)) - 1;
    double k = (double)(int64_t)kb - 1024 + k_add;
    pair d = quick_sum(2, f);
    double s = f / d.h;
    pair back = product(s, d.h);
    double s_lo = (((f - back.h) - back.l) - s * d.l) / d.h;
    // 2 (z/3 + z^2/5 + ...) s by the series: |z| <= 0.0295, eleven terms leave
    // 2^-61
    double z = s * s, p = 0;
    for (int i = 23; i >= 3; i -= 2)
        p = p * z + 1.0 / i;
    double rest = 2 * s * z * p;
    pair a = quick_sum(k * 0x1.62e42fefa2p-1, 2 * s);
    if (k == 0)
        a = (pair){2 * s, 0};
    return quick_sum(a.h,
                     a.l + (rest + (2 * s_lo + k * 0x1.9ef35793c7673p-41)));
}

// ---- a^b

static bool
is_integer(double b)
{
    return num_smooth1(NUM_TRUNC, b) == b;
}

static bool
is_odd(double b)
{
    return num_abs(b) < 0x1p53 && is_integer(b) && ((int64_t)b & 1);
}

// a > 0, finite; b finite.
static double
pow_positive(double a, double b)
{
    pair l = log_pair(a);
    double v = l.h * b;
    if (!(num_abs(v) < 800))
        return v > 0 ? NUM_INF : 0;
    if (num_abs(b) < 0x1p-900) // its parts would be subnormal; a^b is 1
        return 1;
    pair e = product(l.h, b);
    return num_exp_sum(e.h, e.l + l.l * b);
}

double
num_pow(double a, double b)
{
    if (a != a || b != b)
        return NUM_NAN;
    double m = num_abs(a), r;
    if (b == 0 || a == 1)
        return 1;
    if (num_abs(b) == NUM_INF)
        r = m == 1 ? 1 : (m > 1) == (b > 0) ? NUM_INF : 0;
    else if (m == 0 || m == NUM_INF)
        r = (m == 0) == (b < 0) ? NUM_INF : 0;
    else if (a < 0 && !is_integer(b))
        return NUM_NAN;
    else
        r = pow_positive(m, b);
    return num_bits(a) >> 63 && is_odd(b) ? -r : r;
}

// ---- hypotenuse

double
num_hypot(double a, double b)
{
    double x = num_abs(a), y = num_abs(b);
    if (x != x || y != y)
        return NUM_NAN;
    double most = x > y ? x : y;
    // so that neither square overflows nor both vanish
    double scale = most > 0x1p500 ? 0x1p-600 : most < 0x1p-500 ? 0x1p600 : 1;
    x *= scale;
    y *= scale;
    return num_smooth1(NUM_SQRT, x * x + y * y) / scale;
}

// ---- remainder

static uint64_t
significand(double x, int *e)
{
    uint64_t u = num_bits(x), m = u & ((UINT64_C(1) << 52) - 1);
    int ex = (int)(u >> 52 & 0x7ff);
    *e = ex == 0 ? -1074 : ex - 1075;
    return ex == 0 ? m : m | UINT64_C(1) << 52;
}

static double
power_of_two(int e)
{
    return e < -1022 ? num_f64(UINT64_C(1) << (e + 1074))
                     : num_f64((uint64_t)(e + 1023) << 52);
}

double
num_fmod(double a, double b)
{
    double x = num_abs(a), y = num_abs(b);
    if (!(x < NUM_INF) || y != y || y == 0)
        return NUM_NAN;
    if (x < y)
        return a;
    int ex, ey;
    uint64_t mx = significand(x, &ex), my = significand(y, &ey);
    uint64_t r = mx % my;
    for (int d = ex - ey; d > 0 && r != 0;) {
        int s = d < 11 ? d : 11; // r < 2^53 leaves room for 11 bits
        r = (r << s) % my;
        d -= s;
    }
    return num_copysign((double)r * power_of_two(ey), a);
}

// ---- square root

// For processors whose instruction we do not know how to name: a call of the
// C library's function is what compilers make of sqrt.
double
num_soft_sqrt(double x)
{
    if (x == 0 || x == NUM_INF)
        return x;
    if (!(x > 0))
        return NUM_NAN;
    int e;
    uint64_t m = significand(x, &e);
    for (; m >> 53 == 0; e--) // 54 bits
        m <<= 1;
    if (e & 1) {
        m <<= 1;
        e--;
    }
    // the root of m 2^54 has at least 54 bits; with one more for what is left
    // over it rounds once
    wide rest = (wide)m << 54;
    uint64_t root = 0;
    for (int bit = 54; bit >= 0; bit--) {
        uint64_t next = root | UINT64_C(1) << bit;
        if ((wide)next * next <= rest)
            root = next;
    }
    uint64_t sticky = (wide)root * root != rest;
    return (double)(root << 1 | sticky) * power_of_two((e - 54) / 2 - 1);
}
