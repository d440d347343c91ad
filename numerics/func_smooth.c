// SPDX-License-Identifier: Apache-2.0
// The functions that need no branch: rounding to integers, exponentials,
// logarithms and what is built from them, each as one binary64 expression that
// is good to about 2^-50 and total over every binary64 input. A binary32 result
// is that value rounded once, hence within 0.5 + 2^-20 ulp.
//
// The polynomials interpolate at the Chebyshev nodes of the interval named at
// each table (divided differences in 300-bit arithmetic, coefficients rounded
// to binary64); the stated error is the polynomial's own, before rounding.
//
// Results below e^-700 are given as zero: that is far below every binary32, and
// it keeps the scaling in one multiplication and subnormal doubles (slow on
// many processors) out of masked softmax rows.
#include "numerics/numerics_int.h"

#include <string.h>
#if NUM_X86
#include <emmintrin.h>
#endif

// ln 2 in two parts; the first has 40 bits, so that k times it is exact.
#define LN2_HI 0x1.62e42fefa2p-1
#define LN2_LO 0x1.9ef35793c7673p-41
#define LOG2E  0x1.71547652b82fep+0
// Adding and subtracting it rounds to an integer, whose two's complement is
// then in the low bits.
#define ROUNDER 0x1.8p52
#define EXP_MIN (-700.0)

// ---- pieces

NUM_INLINE double
exp_poly(double r)
{
    // (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2, error 2^-56.3 of e^r
    double z = r * r;
    double a = 0x1.0000000000001p-1 + r * 0x1.5555555555556p-3;
    double b = 0x1.5555555553d68p-5 + r * 0x1.11111111109b5p-7;
    double c = 0x1.6c16c17889f3cp-10 + r * 0x1.a01a01a7c2f2cp-13;
    double d = 0x1.a019b914881bap-16 + r * 0x1.71de0db2eb873p-19;
    double e = 0x1.28917c9f3a495p-22 + r * 0x1.af389eea54156p-26;
    double z2 = z * z;
    return (a + z * b) + z2 * ((c + z * d) + z2 * e);
}

// k = x / ln 2 to nearest and the remainder's e^r - 1 = r + r^2 q; 'scale' is
// 2^(k - 1), which is a normal number for every k that occurs.
typedef struct {
    double p, scale;
} exp_parts;

NUM_INLINE exp_parts
exp_split(double x, double lo)
{
    double kd = x * LOG2E + ROUNDER;
    double k = kd - ROUNDER;
    double r = ((x - k * LN2_HI) - k * LN2_LO) + lo;
    exp_parts e;
    e.p = r + r * r * exp_poly(r);
    // the low bits of kd hold k, those above vanish in the shift
    e.scale = num_f64((num_bits(kd) + 1022) << 52);
    return e;
}

// e^(x + lo) for x in [-700, 710] and |lo| < 2^-10; NaN gives NaN.
NUM_INLINE double
exp_core(double x, double lo)
{
    exp_parts e = exp_split(x, lo);
    return ((1 + e.p) * e.scale) * 2;
}

// e^x - 1 for x in [-700, 700], small ones included; the sign of zero is lost.
NUM_INLINE double
expm1_core(double x)
{
    exp_parts e = exp_split(x, 0);
    double s = e.scale * 2;
    return e.p * s + (s - 1);
}

NUM_INLINE double
log_poly(double z)
{
    // (atanh(s) / s - 1) / z, z = s^2, on |s| <= (sqrt 2 - 1) / (sqrt 2 + 1),
    // error 2^-57.7 of the logarithm
    double a = 0x1.5555555555558p-2 + z * 0x1.99999999952e2p-3;
    double b = 0x1.2492492df14bcp-3 + z * 0x1.c71c62e57c3c4p-4;
    double c = 0x1.7462b4ac441afp-4 + z * 0x1.39fe604146b74p-4;
    double z2 = z * z;
    return (a + z2 * b) + (z2 * z2) * (c + z2 * 0x1.2b584c6b42d60p-4);
}

// log(x) + c for a positive normal x and a correction |c| < 2^-50.
// x = 2^k m with m in [sqrt 1/2, sqrt 2), log m = 2 atanh((m - 1) / (m + 1)).
NUM_INLINE double
log_core(double x, double k_add, double c)
{
    const uint64_t sqrt_half = UINT64_C(0x3fe6a09e667f3bcd);
    uint64_t ix = num_bits(x);
    uint64_t kb = (ix + (UINT64_C(1024) << 52) - sqrt_half) >> 52; // k + 1024
    double f = num_f64(ix - ((kb - 1024) << 52)) - 1;
    double k = num_f64(UINT64_C(0x433) << 52 | kb) - (0x1p52 + 1024) + k_add;
    double s = f / (2 + f), z = s * s, s2 = s + s;
    return k * LN2_HI + (s2 + (s2 * z * log_poly(z) + (k * LN2_LO + c)));
}

// log(1 + y) for y >= -1, sign of zero lost; -1 is the caller's.
NUM_INLINE double
log1p_core(double y)
{
    double u = 1 + y;
    double c = num_pick(y >= 1, 1 - (u - y), y - (u - 1));
    return log_core(u, 0, c / u);
}

// The normal distribution's lower tail times e^(z^2 / 2): Phi(-z) for z >= 0
// without its exponential.
NUM_INLINE double
tail_poly(double z)
{
    // e^(z^2/2) Phi(-z) (1 + 1.25 z) as a function of t = (z - 5) / (z + 5) on
    // [-1, 1], error 2^-52.3; the sum of |coefficients| is 0.79.
    static const double c[] = {
        0x1.1d864303d4c84p-1,   -0x1.41d8de9622053p-4,  0x1.402b0e1739571p-7,
        0x1.0c13034c1fb03p-5,   -0x1.705abcaccf814p-5,  0x1.2b35cdd10c242p-5,
        -0x1.5b84cd8932d86p-6,  0x1.1ea0eebc37c29p-7,   -0x1.19cd4b5596865p-9,
        -0x1.8fce01ab2a29ap-16, 0x1.fda8cc1f1e974p-13,  -0x1.1a0ebb846d8eap-14,
        -0x1.d6ce83cd9a4aep-17, 0x1.8678e5b38cb8dp-17,  0x1.5a5237e1f200fp-24,
        -0x1.c499ddc94aa54p-20, 0x1.2e7d2b323b9bep-23,  0x1.071ed1fd57e24p-22,
        -0x1.04ddd78f52300p-25, -0x1.1c2bbb3862f40p-25, 0x1.21b3f8dedd71dp-28,
        0x1.8905ea35d98eap-29,  -0x1.68308eba3a6ebp-32,
    };
    double t = (z - 5) / (z + 5), t2 = t * t, t4 = t2 * t2;
    // four chains of t^4, combined at the end
    double p0 = c[20], p1 = c[21], p2 = c[22], p3 = c[19];
    p0 = p0 * t4 + c[16];
    p1 = p1 * t4 + c[17];
    p2 = p2 * t4 + c[18];
    p3 = p3 * t4 + c[15];
    p0 = p0 * t4 + c[12];
    p1 = p1 * t4 + c[13];
    p2 = p2 * t4 + c[14];
    p3 = p3 * t4 + c[11];
    p0 = p0 * t4 + c[8];
    p1 = p1 * t4 + c[9];
    p2 = p2 * t4 + c[10];
    p3 = p3 * t4 + c[7];
    p0 = p0 * t4 + c[4];
    p1 = p1 * t4 + c[5];
    p2 = p2 * t4 + c[6];
    p3 = p3 * t4 + c[3];
    p0 = p0 * t4 + c[0];
    p1 = p1 * t4 + c[1];
    p2 = p2 * t4 + c[2];
    return ((p0 + t * p1) + t2 * (p2 + t * p3)) / (1 + 1.25 * z);
}

// The product's high part is exact for the leading 26 bits of a; -a^2 = h + l.
NUM_INLINE double
leading(double a)
{
    return num_f64(num_bits(a) & ~UINT64_C(0x7ffffff));
}

// a * b = *h + *l, but for about 2^-106 of it.
NUM_INLINE double
two_prod(double a, double b, double *l)
{
    double p = a * b, ah = leading(a), bh = leading(b);
    double al = a - ah, bl = b - bh;
    *l = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
    return p;
}

NUM_INLINE double
hardware_sqrt(double x)
{
#if NUM_X86
    __m128d v = _mm_set_sd(x);
    return _mm_cvtsd_f64(_mm_sqrt_sd(v, v));
#else
    return num_soft_sqrt(x);
#endif
}

// ---- functions

NUM_INLINE double
k_exp(double x)
{
    double c = num_pick(x > 710, 710, num_pick(x < EXP_MIN, EXP_MIN, x));
    return num_pick(x < EXP_MIN, 0, exp_core(c, 0));
}

NUM_INLINE double
k_expm1(double x)
{
    double c = num_pick(x > 700, 700, num_pick(x < -60, -60, x));
    double r = num_copysign(expm1_core(c), x);
    return num_pick(x > 700, k_exp(x), r);
}

// 'r' where the logarithm of x is finite.
NUM_INLINE double
log_ends(double x, double r)
{
    r = num_pick(x == NUM_INF, NUM_INF, r);
    r = num_pick(x == 0, -NUM_INF, r);
    return num_pick(x >= 0, r, NUM_NAN);
}

NUM_INLINE double
k_log(double x)
{
    bool small = x < 0x1p-1022;
    double r =
        log_core(num_pick(small, x * 0x1p54, x), num_pick(small, -54, 0), 0);
    return log_ends(x, r);
}

NUM_INLINE double
k_log1p(double x)
{
    return log_ends(1 + x, num_copysign(log1p_core(x), x));
}

NUM_INLINE double
k_tanh(double x)
{
    double a = num_abs(x);
    double e = expm1_core(-2 * num_pick(a > 20, 20, a)); // 1 - tanh 20 < 2^-56
    return num_copysign(e / (2 + e), x);
}

NUM_INLINE double
k_erf(double x)
{
    double a = num_abs(x);
    a = num_pick(a > 6, 6, a); // 1 - erf 6 < 2^-55
    double s = num_pick(a > 0.5, 0.5, a), z = s * s, z2 = z * z;
    // (erf(s) / s - 2 / sqrt pi) / z on s <= 1/2, error 2^-55 of erf
    double p0 = -0x1.812746b0379e6p-2 + z * 0x1.ce2f21a0421d8p-4;
    double p1 = -0x1.b82ce311b5b62p-6 + z * 0x1.565bcca4bb364p-8;
    double p2 = -0x1.c02d7ff2fc440p-11 + z * 0x1.f995342dac750p-14;
    double p3 = -0x1.f2be4c6760e48p-17 + z * 0x1.903e050064468p-20;
    double p = (p0 + z2 * p1) + (z2 * z2) * (p2 + z2 * p3);
    double near = a * (0x1.20dd750429b6dp+0 + z * p);
    double h = leading(a);
    double tail = exp_core(-(h * h), -(a + h) * (a - h)) *
                  tail_poly(a * 0x1.6a09e667f3bcdp+0);
    return num_copysign(num_pick(a > 0.5, 1 - 2 * tail, near), x);
}

NUM_INLINE double
k_gelu(double x)
{
    double a = num_abs(x);
    a = num_pick(a > 37.4, 37.4, a); // 37.4^2 / 2 < 700
    double h = leading(a);
    double tail =
        exp_core(-0.5 * (h * h), -0.5 * (a + h) * (a - h)) * tail_poly(a);
    double r = x * num_pick(x < 0, tail, 1 - tail);
    return num_pick(x < -37.4, -0.0, r);
}

// 1 / (1 + e^-(v + l)), v in [-700, inf) or NaN.
NUM_INLINE double
sigmoid_core(double v, double l)
{
    double a = num_abs(v), s = num_copysign(1, v);
    double e = exp_core(-num_pick(a > 700, 700, a), -l * s);
    return num_pick(v < 0, e, 1) / (1 + e);
}

NUM_INLINE double
k_sigmoid(double x)
{
    return num_pick(x < EXP_MIN, 0, sigmoid_core(x, 0));
}

NUM_INLINE double
k_silu(double x)
{
    return num_pick(x < EXP_MIN, -0.0, x * sigmoid_core(x, 0));
}

// 0.5 x (1 + tanh u) = x sigmoid(2 u); 2 u to twice the precision, because it
// is an exponent of up to 700.
NUM_INLINE double
k_gelu_tanh(double x)
{
    const double c1 = 0x1.9884533d43651p+0, c1_lo = -0x1.cbc0d30ebfd15p-54;
    const double c2 = 0x1.2444f2a4d8b4bp-4, c2_lo = -0x1.6c843a29d1c70p-61;
    double c = num_pick(num_abs(x) > 22, num_copysign(22, x), x);
    double q_lo, t_lo, v_lo;
    double q = two_prod(c, c, &q_lo);
    double t = two_prod(c2, q, &t_lo);
    double s = c1 + t;
    double s_lo = (c1 - s) + t;
    // |c1| > |t| does not always hold: the exact error of a sum either way
    s_lo = num_pick(t > c1, (t - s) + c1, s_lo);
    s_lo += t_lo + (c2 * q_lo + c2_lo * q) + c1_lo;
    double v = two_prod(c, s, &v_lo);
    double r = x * sigmoid_core(v, v_lo + c * s_lo);
    return num_pick(v < EXP_MIN, -0.0, r);
}

NUM_INLINE double
k_softplus(double x)
{
    double a = num_abs(x);
    double e = exp_core(-num_pick(a > 700, 700, a), 0);
    double r = num_pick(x > 0, x, 0) + log1p_core(e);
    return num_pick(x < EXP_MIN, 0, r);
}

// Past 700 half the argument is used twice: no overflow before its time.
NUM_INLINE double
k_sinh(double x)
{
    double a = num_abs(x);
    double m = expm1_core(num_pick(a > 700, 700, a)), h = k_exp(0.5 * a);
    double r = 0.5 * (m + m / (m + 1));
    return num_copysign(num_pick(a > 700, (0.5 * h) * h, r), x);
}

NUM_INLINE double
k_cosh(double x)
{
    double a = num_abs(x);
    double e = exp_core(num_pick(a > 700, 700, a), 0), h = k_exp(0.5 * a);
    return num_pick(a > 700, (0.5 * h) * h, 0.5 * (e + 1 / e));
}

// To an integer, nearest even; from 2^52 on every double is one.
NUM_INLINE double
k_round(double x)
{
    double a = num_abs(x);
    double r = num_pick(a < 0x1p52, (a + 0x1p52) - 0x1p52, a);
    return num_copysign(r, x);
}

NUM_INLINE double
k_floor(double x)
{
    double r = k_round(x);
    return num_copysign(r - num_pick(r > x, 1, 0), x);
}

NUM_INLINE double
k_ceil(double x)
{
    double r = k_round(x);
    return num_copysign(r + num_pick(r < x, 1, 0), x);
}

NUM_INLINE double
k_trunc(double x)
{
    return num_copysign(k_floor(num_abs(x)), x);
}

NUM_INLINE double
k_sign(double x)
{
    double r = num_pick(x == 0, x, num_copysign(1, x));
    return num_pick(x == x, r, x);
}

NUM_INLINE double
k_relu(double x)
{
    return num_pick(x <= 0, 0, x);
}

bool
num_is_smooth(num_unary f)
{
    return (f >= NUM_COPY && f <= NUM_RELU) || f == NUM_SINH || f == NUM_COSH ||
           f == NUM_SQUARE;
}

// With a constant f this is one function. NOLINT: dispatch
NUM_INLINE double
kernel(num_unary f, double x)
{
    switch (f) {
    case NUM_COPY: return x;
    case NUM_NEG: return -x;
    case NUM_ABS: return num_abs(x);
    case NUM_SIGN: return k_sign(x);
    case NUM_FLOOR: return k_floor(x);
    case NUM_CEIL: return k_ceil(x);
    case NUM_ROUND: return k_round(x);
    case NUM_TRUNC: return k_trunc(x);
    case NUM_SQRT: return hardware_sqrt(x);
    case NUM_RSQRT: return 1 / hardware_sqrt(x);
    case NUM_RECIP: return 1 / x;
    case NUM_EXP: return k_exp(x);
    case NUM_EXPM1: return k_expm1(x);
    case NUM_LOG: return k_log(x);
    case NUM_LOG1P: return k_log1p(x);
    case NUM_TANH: return k_tanh(x);
    case NUM_ERF: return k_erf(x);
    case NUM_SIGMOID: return k_sigmoid(x);
    case NUM_GELU: return k_gelu(x);
    case NUM_GELU_TANH: return k_gelu_tanh(x);
    case NUM_SILU: return k_silu(x);
    case NUM_SOFTPLUS: return k_softplus(x);
    case NUM_RELU: return k_relu(x);
    case NUM_SINH: return k_sinh(x);
    case NUM_COSH: return k_cosh(x);
    case NUM_SQUARE: return x * x;
    default: break;
    }
    return NUM_NAN;
}

double
num_smooth1(num_unary f, double x)
{
    return kernel(f, x);
}

double
num_exp_sum(double h, double l)
{
    if (h < EXP_MIN)
        return 0;
    return exp_core(h > 710 ? 710 : h, l);
}

double
num_exp_square(double a, double scale)
{
    double h = leading(a);
    return num_exp_sum(-scale * (h * h), -scale * (a + h) * (a - h));
}

double
num_normal_tail(double z)
{
    return tail_poly(z);
}

double
num_two_product(double a, double b, double *l)
{
    return two_prod(a, b, l);
}

// ---- rows

NUM_INLINE void
block(num_unary f, num_word *x)
{
    for (int i = 0; i < NUM_BLOCK; i++)
        x[i] = num_word_f64(kernel(f, (double)num_f32(x[i])));
}

NUM_INLINE void
blocks(num_unary f, size_t n, num_word *out, const num_word *x)
{
    while (n > 0) {
        num_word t[NUM_BLOCK] = {0};
        size_t take = n < NUM_BLOCK ? n : NUM_BLOCK;
        num_copy(t, x, take);
        block(f, t);
        num_copy(out, t, take);
        x += take;
        out += take;
        n -= take;
    }
}

NUM_INLINE void
smooth_row(num_unary f, size_t n, num_word *out, const num_word *x)
{
    switch (f) {
#define ROW(id)                                                                \
    case NUM_##id: blocks(NUM_##id, n, out, x); break;
        ROW(COPY)
        ROW(NEG)
        ROW(ABS)
        ROW(SIGN)
        ROW(FLOOR)
        ROW(CEIL)
        ROW(ROUND)
        ROW(TRUNC)
        ROW(SQRT)
        ROW(RSQRT)
        ROW(RECIP)
        ROW(EXP)
        ROW(EXPM1)
        ROW(LOG)
        ROW(LOG1P)
        ROW(TANH)
        ROW(ERF)
        ROW(SIGMOID)
        ROW(GELU)
        ROW(GELU_TANH)
        ROW(SILU)
        ROW(SOFTPLUS)
        ROW(RELU)
        ROW(SINH)
        ROW(COSH)
        ROW(SQUARE)
#undef ROW
    default: break;
    }
}

#if NUM_X86
NUM_TARGET_AVX512 static void
row_avx512(num_unary f, size_t n, num_word *out, const num_word *x)
{
    smooth_row(f, n, out, x);
}

NUM_TARGET_AVX2 static void
row_avx2(num_unary f, size_t n, num_word *out, const num_word *x)
{
    smooth_row(f, n, out, x);
}
#endif

static void
row_any(num_unary f, size_t n, num_word *out, const num_word *x)
{
    smooth_row(f, n, out, x);
}

void
num_smooth_row(num_unary f, size_t n, num_word *out, const num_word *x)
{
#if NUM_X86
    if (__builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw")) {
        row_avx512(f, n, out, x);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        row_avx2(f, n, out, x);
        return;
    }
#endif
    row_any(f, n, out, x);
}
