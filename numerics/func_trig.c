// SPDX-License-Identifier: Apache-2.0
// Circular functions at binary64, over every binary64 argument, and their
// inverses. Relative error about 2^-50. Coefficients as in func_smooth.c.
#include "numerics/numerics_int.h"

__extension__ typedef unsigned __int128 wide;

#define PI      0x1.921fb54442d18p+1
#define PI_LO   0x1.1a62633145c07p-53
#define HALF_PI 0x1.921fb54442d18p+0
#define HALF_LO 0x1.1a62633145c07p-54

// ---- argument reduction: x = n pi/2 + r, |r| <= pi/4

// 2 / pi, bits after the binary point, behind one word of zeros.
static const uint64_t two_over_pi[] = {
    0x0000000000000000u, 0xa2f9836e4e441529u, 0xfc2757d1f534ddc0u,
    0xdb6295993c439041u, 0xfe5163abdebbc561u, 0xb7246e3a424dd2e0u,
    0x06492eea09d1921cu, 0xfe1deb1cb129a73eu, 0xe88235f52ebb4484u,
    0xe99c7026b45f7e41u, 0x3991d639835339f4u, 0x9c845f8bbdf9283bu,
    0x1ff897ffde05980fu, 0xef2f118b5a0a6d1fu, 0x6d367ecf27cb09b7u,
    0x4f463f669e5fea2du, 0x7527bac7ebe5f17bu, 0x3d0739f78a5292eau,
    0x6bfb5fb11f8d5d08u, 0x56033046fc7b6babu, 0xf0cfbc209af4361du,
};

static uint64_t
table_word(uint32_t bit)
{
    uint32_t w = bit / 64, s = bit % 64;
    uint64_t hi = two_over_pi[w] << s;
    return s == 0 ? hi : hi | two_over_pi[w + 1] >> (64 - s);
}

// x >= 2^19. x = m 2^e; of 2/pi, the bits that make multiples of 4 in the
// product are skipped and the next 192 kept: two bits of quadrant and 190 of
// fraction. No double comes closer to a multiple of pi/2 than about 2^-62, so
// more than 70 correct bits are left.
static uint32_t
reduce_large(double x, double *r)
{
    uint64_t bits = num_bits(x);
    uint64_t m = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    uint32_t skip = (uint32_t)(bits >> 52) - 1075 - 2 + 64;
    wide p2 = (wide)m * table_word(skip + 128);
    wide p1 = (wide)m * table_word(skip + 64) + (uint64_t)(p2 >> 64);
    uint64_t p0 = m * table_word(skip) + (uint64_t)(p1 >> 64);
    uint64_t mid = (uint64_t)p1, low = (uint64_t)p2;
    uint32_t n = (uint32_t)(p0 >> 62);
    bool up = (p0 >> 61 & 1) != 0;
    p0 &= (UINT64_C(1) << 62) - 1;
    if (up) { // the nearer multiple is above: take 1 - fraction
        low = ~low + 1;
        mid = ~mid + (low == 0);
        p0 = (~p0 + (low == 0 && mid == 0)) & ((UINT64_C(1) << 62) - 1);
    }
    double f = (double)p0 * 0x1p-62 +
               ((double)mid * 0x1p-126 + (double)low * 0x1p-190);
    *r = (up ? -f : f) * HALF_PI;
    return (n + up) & 3;
}

// |x| < 2^19: three parts of pi/2, the first two of 33 bits, so that n times
// them is exact.
static uint32_t
reduce_small(double x, double *r)
{
    double kd = x * 0x1.45f306dc9c883p-1 + 0x1.8p52;
    double k = kd - 0x1.8p52;
    *r = ((x - k * 0x1.921fb544p+0) - k * 0x1.0b4611a6p-34) -
         k * 0x1.3198a2e037073p-69;
    return (uint32_t)num_bits(kd) & 3;
}

static uint32_t
reduce(double x, double *r)
{
    double a = num_abs(x);
    if (a < 0x1p19)
        return reduce_small(x, r);
    uint32_t n = reduce_large(a, r);
    if (x > 0)
        return n;
    *r = -*r;
    return (4 - n) & 3;
}

static double
sin_poly(double r)
{
    // (sin(r) / r - 1) / z, z = r^2, on |r| <= pi/4, error 2^-56.2
    double z = r * r, z2 = z * z;
    double a = -0x1.5555555555555p-3 + z * 0x1.1111111110bb2p-7;
    double b = -0x1.a01a019e83aa8p-13 + z * 0x1.71de3796898c8p-19;
    double c = -0x1.ae600b022d198p-26 + z * 0x1.5e0b19c752b8ep-33;
    return r + r * z * (a + z2 * (b + z2 * c));
}

static double
cos_poly(double r)
{
    // (cos(r) - 1 + z / 2) / z^2, z = r^2, on |r| <= pi/4, error 2^-61
    double z = r * r, z2 = z * z;
    double a = 0x1.5555555555555p-5 + z * -0x1.6c16c16c16967p-10;
    double b = 0x1.a01a019f4eafdp-16 + z * -0x1.27e4fa17d9c81p-22;
    double c = 0x1.1eeb68e8f6cdfp-29 + z * -0x1.907da33638fbcp-37;
    return 1 - (0.5 * z - z2 * (a + z2 * (b + z2 * c)));
}

static double
quadrant_sin(uint32_t n, double r)
{
    double v = n & 1 ? cos_poly(r) : sin_poly(r);
    return n & 2 ? -v : v;
}

static double
k_tan(uint32_t n, double r)
{
    double s = sin_poly(r), c = cos_poly(r);
    return n & 1 ? -c / s : s / c;
}

// ---- inverses

static double
atan_poly(double t)
{
    // (atan(t) / t - 1) / z, z = t^2, on |t| <= tan(pi/8), error 2^-57.6
    double z = t * t, z2 = z * z, z4 = z2 * z2;
    double a = -0x1.5555555555555p-2 + z * 0x1.999999999934cp-3;
    double b = -0x1.24924924361fep-3 + z * 0x1.c71c71853d61ep-4;
    double c = -0x1.745d0b28a329ap-4 + z * 0x1.3b126305e1a32p-4;
    double d = -0x1.10fa77ab9c6d5p-4 + z * 0x1.dfe64915a2d96p-5;
    double e = -0x1.a0999a3df6ef8p-5 + z * 0x1.4162b9f87c419p-5;
    double hi = (c + z2 * d) + z4 * (e + z2 * -0x1.3a31a292c6ad9p-6);
    return t + t * z * ((a + z2 * b) + z4 * hi);
}

// The angle of (x, y), both >= 0 and not both 0 or both infinite, in
// [0, pi/2]; a quotient of at most 1, then at most tan(pi/8).
static double
first_quadrant(double y, double x)
{
    bool steep = y > x;
    double t = steep ? x / y : y / x;
    double a = atan_poly(t);
    if (t > 0x1.a827999fcef32p-2) {
        // pi/4 + atan((t - 1) / (t + 1))
        a = atan_poly((t - 1) / (t + 1)) + HALF_LO * 0.5;
        a = HALF_PI * 0.5 + a;
    }
    return steep ? HALF_PI - (a - HALF_LO) : a;
}

double
num_atan2(double y, double x)
{
    if (x != x || y != y)
        return NUM_NAN;
    double ay = num_abs(y), ax = num_abs(x), a;
    if (ay == 0)
        a = 0;
    else if (ax == NUM_INF && ay == NUM_INF)
        a = HALF_PI * 0.5;
    else
        a = first_quadrant(ay, ax);
    if (num_bits(x) >> 63)
        a = PI - (a - PI_LO);
    return num_copysign(a, y);
}

static double
other_leg(double x)
{
    return num_smooth1(NUM_SQRT, (1 - x) * (1 + x));
}

static double
k_asin(double x)
{
    return num_abs(x) <= 1 ? num_atan2(x, other_leg(x)) : NUM_NAN;
}

static double
k_acos(double x)
{
    return num_abs(x) <= 1 ? num_atan2(other_leg(x), x) : NUM_NAN;
}

double
num_trig1(num_unary f, double x)
{
    if (f == NUM_ASIN)
        return k_asin(x);
    if (f == NUM_ACOS)
        return k_acos(x);
    if (f == NUM_ATAN)
        return num_atan2(x, 1);
    if (!(num_abs(x) < NUM_INF))
        return NUM_NAN;
    if (x == 0) // keeps the zero's sign
        return f == NUM_COS ? 1 : x;
    double r;
    uint32_t n = reduce(x, &r);
    if (f == NUM_TAN)
        return k_tan(n, r);
    return quadrant_sin(f == NUM_COS ? n + 1 : n, r);
}
