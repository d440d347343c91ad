// SPDX-License-Identifier: Apache-2.0
// The scalar functions in MPFR. Every row of funcs.def that has a binary32
// class needs an entry here.
#include "tests/exhaustive/oracle.h"

#include <math.h>
#include <string.h>

// ---- functions that MPFR lacks

static int
copy(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    return mpfr_set(y, x, r);
}

static int
sign(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    if (mpfr_nan_p(x) || mpfr_zero_p(x))
        return mpfr_set(y, x, r);
    return mpfr_set_si(y, mpfr_sgn(x), r);
}

static int
relu(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    if (!mpfr_nan_p(x) && mpfr_sgn(x) <= 0) {
        mpfr_set_zero(y, 1);
        return 0;
    }
    return mpfr_set(y, x, r);
}

static int
recip(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    return mpfr_ui_div(y, 1, x, r);
}

static int
rsqrt(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    if (mpfr_zero_p(x)) { // IEEE rSqrt keeps the zero's sign
        mpfr_set_inf(y, mpfr_signbit(x) ? -1 : 1);
        return 0;
    }
    return mpfr_rec_sqrt(y, x, r);
}

// x * gate(x) where the gate's limits times an infinity are no number.
static bool
gated_limit(mpfr_t y, const mpfr_t x)
{
    if (!mpfr_inf_p(x))
        return false;
    if (mpfr_sgn(x) > 0)
        mpfr_set_inf(y, 1);
    else
        mpfr_set_zero(y, -1);
    return true;
}

// x / (1 + e^-u)
static void
times_sigmoid(mpfr_t y, const mpfr_t x, const mpfr_t u)
{
    mpfr_t e;
    mpfr_init2(e, mpfr_get_prec(y));
    mpfr_neg(e, u, MPFR_RNDN);
    mpfr_exp(e, e, MPFR_RNDN);
    mpfr_add_ui(e, e, 1, MPFR_RNDN);
    mpfr_div(y, x, e, MPFR_RNDN);
    mpfr_clear(e);
}

static int
sigmoid(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_t one;
    mpfr_init2(one, 8);
    mpfr_set_ui(one, 1, r);
    times_sigmoid(y, one, x);
    mpfr_clear(one);
    return 0;
}

static int
silu(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    (void)r;
    if (!gated_limit(y, x))
        times_sigmoid(y, x, x);
    return 0;
}

static int
gelu(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_t s;
    if (gated_limit(y, x))
        return 0;
    mpfr_init2(s, mpfr_get_prec(y));
    mpfr_sqrt_ui(s, 2, r);
    mpfr_div(s, x, s, r);
    mpfr_neg(s, s, r);
    mpfr_erfc(s, s, r);
    mpfr_mul(y, s, x, r);
    mpfr_div_ui(y, y, 2, r);
    mpfr_clear(s);
    return 0;
}

static int
gelu_tanh(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_t u, c;
    if (gated_limit(y, x))
        return 0;
    mpfr_inits2(mpfr_get_prec(y), u, c, (mpfr_ptr)0);
    mpfr_sqr(u, x, r);
    mpfr_mul_ui(u, u, 44715, r);
    mpfr_div_ui(u, u, 1000000, r);
    mpfr_add_ui(u, u, 1, r);
    mpfr_mul(u, u, x, r);
    mpfr_const_pi(c, r);
    mpfr_ui_div(c, 8, c, r);
    mpfr_sqrt(c, c, r); // 2 sqrt(2 / pi)
    mpfr_mul(u, u, c, r);
    times_sigmoid(y, x, u);
    mpfr_clears(u, c, (mpfr_ptr)0);
    return 0;
}

static int
softplus(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    bool positive = !mpfr_nan_p(x) && mpfr_sgn(x) > 0;
    mpfr_t e;
    mpfr_init2(e, mpfr_get_prec(y));
    mpfr_exp(e, x, r);
    if (positive) // x + log(1 + e^-x)
        mpfr_ui_div(e, 1, e, r);
    mpfr_log1p(e, e, r);
    mpfr_set(y, e, r);
    if (positive)
        mpfr_add(y, e, x, r);
    mpfr_clear(e);
    return 0;
}

static int
binade(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    if (!mpfr_regular_p(x))
        return mpfr_abs(y, x, r);
    return mpfr_set_ui_2exp(y, 1, mpfr_get_exp(x) - 1, r);
}

// x n / (n + 2), n = e^x (e^x + 2); right of 0 by e^-x, which stays finite.
static int
mish(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_t e, n;
    bool positive = !mpfr_nan_p(x) && mpfr_sgn(x) > 0;
    if (gated_limit(y, x))
        return 0;
    mpfr_inits2(mpfr_get_prec(y) + 8, e, n, (mpfr_ptr)0);
    mpfr_abs(e, x, r);
    mpfr_neg(e, e, r);
    mpfr_exp(e, e, r);
    if (positive) {
        mpfr_mul_ui(n, e, 2, r);
        mpfr_add_ui(n, n, 1, r);
        mpfr_sqr(e, e, r);
        mpfr_mul_ui(e, e, 2, r);
    } else {
        mpfr_add_ui(n, e, 2, r);
        mpfr_mul(n, n, e, r);
        mpfr_set_ui(e, 2, r);
    }
    mpfr_add(e, e, n, r);
    mpfr_div(n, n, e, r);
    mpfr_mul(y, n, x, r);
    mpfr_clears(e, n, (mpfr_ptr)0);
    return 0;
}

static void
times_1702(mpfr_t u, const mpfr_t x)
{
    mpfr_mul_ui(u, x, 1702, MPFR_RNDN);
    mpfr_div_ui(u, u, 1000, MPFR_RNDN);
}

static int
gelu_sigmoid(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_t u;
    (void)r;
    if (gated_limit(y, x))
        return 0;
    mpfr_init2(u, mpfr_get_prec(y) + 32);
    times_1702(u, x);
    times_sigmoid(y, x, u);
    mpfr_clear(u);
    return 0;
}

// The derivative of x gate(x) goes from -0 to 1.
static bool
slope_limit(mpfr_t y, const mpfr_t x)
{
    if (!mpfr_inf_p(x))
        return false;
    if (mpfr_sgn(x) > 0)
        mpfr_set_ui(y, 1, MPFR_RNDN);
    else
        mpfr_set_zero(y, -1);
    return true;
}

// Bits that the sums below may lose near their zeros: no argument of the tests
// is nearer than 2^-64 to one.
enum { ZERO_BITS = 96 };

// s (1 + u (1 - s)), s = sigmoid(u)
static void
silu_slope(mpfr_t y, const mpfr_t u)
{
    mpfr_t s, t;
    mpfr_inits2(mpfr_get_prec(y) + ZERO_BITS, s, t, (mpfr_ptr)0);
    mpfr_exp(t, u, MPFR_RNDN);
    mpfr_add_ui(t, t, 1, MPFR_RNDN);
    mpfr_div(t, u, t, MPFR_RNDN);
    mpfr_add_ui(t, t, 1, MPFR_RNDN);
    mpfr_neg(s, u, MPFR_RNDN);
    mpfr_exp(s, s, MPFR_RNDN);
    mpfr_add_ui(s, s, 1, MPFR_RNDN);
    mpfr_div(y, t, s, MPFR_RNDN);
    mpfr_clears(s, t, (mpfr_ptr)0);
}

static int
silu_dx(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    (void)r;
    if (!slope_limit(y, x))
        silu_slope(y, x);
    return 0;
}

static int
gelu_sigmoid_dx(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_t u;
    (void)r;
    if (slope_limit(y, x))
        return 0;
    mpfr_init2(u, mpfr_get_prec(y) + ZERO_BITS);
    times_1702(u, x);
    silu_slope(y, u);
    mpfr_clear(u);
    return 0;
}

// Phi(x) + x phi(x) = (erfc(-x / sqrt 2) + x sqrt(2 / pi) e^(-x^2/2)) / 2
static int
gelu_dx(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_t p, q, c;
    if (slope_limit(y, x))
        return 0;
    mpfr_inits2(mpfr_get_prec(y) + ZERO_BITS, p, q, c, (mpfr_ptr)0);
    mpfr_sqr(q, x, r);
    mpfr_div_2ui(q, q, 1, r);
    mpfr_neg(q, q, r);
    mpfr_exp(q, q, r);
    mpfr_mul(q, q, x, r);
    mpfr_const_pi(c, r);
    mpfr_ui_div(c, 2, c, r);
    mpfr_sqrt(c, c, r);
    mpfr_mul(q, q, c, r);
    mpfr_sqrt_ui(c, 2, r);
    mpfr_div(p, x, c, r);
    mpfr_neg(p, p, r);
    mpfr_erfc(p, p, r);
    mpfr_add(p, p, q, r);
    mpfr_div_2ui(y, p, 1, r);
    if (mpfr_zero_p(y)) // underflow, from below
        mpfr_set_zero(y, -1);
    mpfr_clears(p, q, c, (mpfr_ptr)0);
    return 0;
}

static int
erf_dx(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_t e, c;
    mpfr_inits2(mpfr_get_prec(y) + 32, e, c, (mpfr_ptr)0);
    mpfr_sqr(e, x, r);
    mpfr_neg(e, e, r);
    mpfr_exp(e, e, r);
    mpfr_const_pi(c, r);
    mpfr_sqrt(c, c, r);
    mpfr_ui_div(c, 2, c, r);
    mpfr_mul(y, e, c, r);
    mpfr_clears(e, c, (mpfr_ptr)0);
    return 0;
}

static int
prelu(mpfr_t y, const mpfr_t a, const mpfr_t b, mpfr_rnd_t r)
{
    if (!mpfr_nan_p(a) && mpfr_sgn(a) >= 0)
        return mpfr_set(y, a, r);
    return mpfr_mul(y, a, b, r);
}

static int
average(mpfr_t y, const mpfr_t a, const mpfr_t b, mpfr_rnd_t r)
{
    mpfr_add(y, a, b, r);
    return mpfr_div_2ui(y, y, 1, r);
}

static int
abs_max(mpfr_t y, const mpfr_t a, const mpfr_t b, mpfr_rnd_t r)
{
    return mpfr_set(y, mpfr_cmpabs(a, b) > 0 ? a : b, r);
}

static int
abs_min(mpfr_t y, const mpfr_t a, const mpfr_t b, mpfr_rnd_t r)
{
    return mpfr_set(y, mpfr_cmpabs(a, b) < 0 ? a : b, r);
}

// ---- the tables

typedef int mpfr_unary(mpfr_t y, const mpfr_t x, mpfr_rnd_t r);
typedef int mpfr_binary(mpfr_t y, const mpfr_t a, const mpfr_t b, mpfr_rnd_t r);

static mpfr_unary *const unary[NUM_U_COUNT] = {
    [NUM_COPY] = copy,
    [NUM_NEG] = mpfr_neg,
    [NUM_ABS] = mpfr_abs,
    [NUM_SIGN] = sign,
    [NUM_FLOOR] = mpfr_rint_floor,
    [NUM_CEIL] = mpfr_rint_ceil,
    [NUM_ROUND] = mpfr_rint_roundeven,
    [NUM_TRUNC] = mpfr_rint_trunc,
    [NUM_SQRT] = mpfr_sqrt,
    [NUM_RSQRT] = rsqrt,
    [NUM_RECIP] = recip,
    [NUM_EXP] = mpfr_exp,
    [NUM_EXPM1] = mpfr_expm1,
    [NUM_LOG] = mpfr_log,
    [NUM_LOG1P] = mpfr_log1p,
    [NUM_TANH] = mpfr_tanh,
    [NUM_ERF] = mpfr_erf,
    [NUM_SIGMOID] = sigmoid,
    [NUM_GELU] = gelu,
    [NUM_GELU_TANH] = gelu_tanh,
    [NUM_SILU] = silu,
    [NUM_SOFTPLUS] = softplus,
    [NUM_RELU] = relu,
    [NUM_SIN] = mpfr_sin,
    [NUM_COS] = mpfr_cos,
    [NUM_TAN] = mpfr_tan,
    [NUM_ASIN] = mpfr_asin,
    [NUM_ACOS] = mpfr_acos,
    [NUM_ATAN] = mpfr_atan,
    [NUM_SINH] = mpfr_sinh,
    [NUM_COSH] = mpfr_cosh,
    [NUM_SQUARE] = mpfr_sqr,
    [NUM_BINADE] = binade,
    [NUM_EXP2] = mpfr_exp2,
    [NUM_LOG2] = mpfr_log2,
    [NUM_CBRT] = mpfr_cbrt,
    [NUM_ASINH] = mpfr_asinh,
    [NUM_ACOSH] = mpfr_acosh,
    [NUM_ATANH] = mpfr_atanh,
    [NUM_ERFC] = mpfr_erfc,
    [NUM_MISH] = mish,
    [NUM_GELU_SIGMOID] = gelu_sigmoid,
    [NUM_GELU_DX] = gelu_dx,
    [NUM_GELU_SIGMOID_DX] = gelu_sigmoid_dx,
    [NUM_SILU_DX] = silu_dx,
    [NUM_ERF_DX] = erf_dx,
};

static mpfr_binary *const binary[NUM_B_COUNT] = {
    [NUM_ADD] = mpfr_add,    [NUM_SUB] = mpfr_sub,     [NUM_MUL] = mpfr_mul,
    [NUM_DIV] = mpfr_div,    [NUM_MOD] = mpfr_fmod,    [NUM_ATAN2] = mpfr_atan2,
    [NUM_POW] = mpfr_pow,    [NUM_HYPOT] = mpfr_hypot, [NUM_PRELU] = prelu,
    [NUM_AVERAGE] = average, [NUM_ABS_MAX] = abs_max,  [NUM_ABS_MIN] = abs_min,
};

bool
oracle_has1(num_unary f)
{
    return unary[f] != NULL;
}

bool
oracle_has2(num_binary f)
{
    return binary[f] != NULL;
}

bool
oracle1(num_unary f, mpfr_t y, const mpfr_t x)
{
    if (unary[f] == NULL)
        return false;
    unary[f](y, x, MPFR_RNDN);
    return true;
}

bool
oracle2(num_binary f, mpfr_t y, const mpfr_t a, const mpfr_t b)
{
    if (binary[f] == NULL)
        return false;
    binary[f](y, a, b, MPFR_RNDN);
    bool unread = f == NUM_PRELU && !mpfr_nan_p(a) && mpfr_sgn(a) >= 0;
    if (mpfr_nan_p(a) || (mpfr_nan_p(b) && !unread)) // mpfr_pow(1, nan) is 1
        mpfr_set_nan(y);
    return true;
}

// ---- errors in ulps

double
oracle_ulps(num_word got, const mpfr_t y)
{
    if (mpfr_nan_p(y))
        return got == NUM_CANONICAL_NAN ? 0 : HUGE_VAL;
    float g = num_f32(got);
    if (isnan(g))
        return HUGE_VAL;
    if (mpfr_inf_p(y))
        return isinf(g) && (g > 0) == (mpfr_sgn(y) > 0) ? 0 : HUGE_VAL;
    if (!signbit(g) != !mpfr_signbit(y))
        return HUGE_VAL;
    if (mpfr_zero_p(y))
        return g == 0 ? 0 : HUGE_VAL;
    mpfr_t d;
    mpfr_init2(d, 320);
    long e = mpfr_get_exp(y) - 24;
    e = e < -149 ? -149 : e > 104 ? 104 : e;
    if (isinf(g)) // as if the exponent went on
        mpfr_set_si_2exp(d, g > 0 ? 1 : -1, 128, MPFR_RNDN);
    else
        mpfr_set_flt(d, g, MPFR_RNDN);
    mpfr_sub(d, d, y, MPFR_RNDN);
    mpfr_mul_2si(d, d, -e, MPFR_RNDN);
    double u = fabs(mpfr_get_d(d, MPFR_RNDA));
    mpfr_clear(d);
    // past the largest number infinity is right however far
    return isinf(g) && mpfr_get_exp(y) > 128 ? 0 : u;
}

double
oracle_ulps1(num_unary f, num_word x, num_word got)
{
    mpfr_t a, y;
    mpfr_init2(a, 24);
    mpfr_init2(y, ORACLE_BITS);
    mpfr_set_flt(a, num_f32(x), MPFR_RNDN);
    double u = oracle1(f, y, a) ? oracle_ulps(got, y) : -1;
    mpfr_clears(a, y, (mpfr_ptr)0);
    return u;
}

double
oracle_ulps2(num_binary f, num_word a, num_word b, num_word got)
{
    mpfr_t x, z, y;
    mpfr_inits2(24, x, z, (mpfr_ptr)0);
    mpfr_init2(y, ORACLE_BITS2);
    mpfr_set_flt(x, num_f32(a), MPFR_RNDN);
    mpfr_set_flt(z, num_f32(b), MPFR_RNDN);
    double u = oracle2(f, y, x, z) ? oracle_ulps(got, y) : -1;
    mpfr_clears(x, z, y, (mpfr_ptr)0);
    return u;
}

// ---- random words

void
oracle_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t k[2] = {key[0], key[1]};
    memcpy(out, counter, 4 * sizeof *out);
    for (int r = 0; r < 10; r++) {
        uint64_t m0 = 3528531795u * (uint64_t)out[0];
        uint64_t m1 = 3449720151u * (uint64_t)out[2];
        uint32_t next[4] = {
            (uint32_t)(m1 / 0x100000000u) ^ out[1] ^ k[0], (uint32_t)m1,
            (uint32_t)(m0 / 0x100000000u) ^ out[3] ^ k[1], (uint32_t)m0};
        memcpy(out, next, sizeof next);
        k[0] += 2654435769u;
        k[1] += 3144134277u;
    }
}
