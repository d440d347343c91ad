// SPDX-License-Identifier: Apache-2.0
// Scalar functions against MPFR: every bf16 and f16 input (a fixed fraction of
// them unless the program is given the word "all"), random binary32 inputs, the
// binary64 functions beneath, and the sensitivities.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numerics/numerics.h"
#include "tests/exhaustive/oracle.h"

enum { PREC_REF = 400 };

static bool run_all;

static uint64_t
next_random(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Not from binary32 to binary32.
static bool
skipped(num_unary f)
{
    return !num_unary_takes(f, NUM_AS_F32) ||
           num_unary_gives(f, NUM_AS_F32) != NUM_AS_F32;
}

// The worst over every stride-th code of a two-byte type, from 'first'.
static double
sweep(num_unary f, num_dtype t, uint32_t first, uint32_t stride)
{
    double worst = 0;
    for (uint32_t c = first; c < 65536; c += stride) {
        uint16_t code = (uint16_t)c;
        num_word x = num_load(t, &code);
        num_word got = num_apply1(f, NUM_AS_F32, x);
        double u = oracle_ulps1(f, x, got);
        if (u > num_unary_ulp(f))
            print_error("%s(%a) = %a: %g ulp\n", num_unary_name(f),
                        (double)num_f32(x), (double)num_f32(got), u);
        assert_true(u >= 0);
        worst = u > worst ? u : worst;
    }
    return worst;
}

static void
test_bf16_f16(void **state)
{
    (void)state;
    uint32_t stride = run_all ? 1 : 37;
    for (int i = 1; i < NUM_U_COUNT; i++) {
        num_unary f = (num_unary)i;
        if (skipped(f))
            continue;
        double b = sweep(f, DT_BF16, (uint32_t)i % stride, stride);
        double h = sweep(f, DT_F16, (uint32_t)i % stride, stride);
        if (run_all)
            print_message("%-10s bf16 %.6f f16 %.6f\n", num_unary_name(f), b,
                          h);
        assert_true(b <= num_unary_ulp(f) && h <= num_unary_ulp(f));
    }
}

// Every special value, in every run.
static void
test_specials(void **state)
{
    (void)state;
    static const num_word x[] = {
        0x00000000, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x00000001,
        0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff,
        0x3f800000, 0xbf800000, 0x3f7fffff, 0x3f800001, 0xbf7fffff, 0x42b17218,
        0x42b17217, 0xc2cff1b4, 0xc2cff1b5, 0xc2aeac50, 0x3f000000, 0xbf000000,
        0x4b000001, 0xcb7fffff, 0x40490fdb, 0x3fc90fdb, 0xc1500000, 0xc1680000,
    };
    for (int i = 1; i < NUM_U_COUNT; i++) {
        for (size_t j = 0; j < sizeof x / sizeof *x && !skipped((num_unary)i);
             j++) {
            num_unary f = (num_unary)i;
            num_word got = num_apply1(f, NUM_AS_F32, x[j]);
            double u = oracle_ulps1(f, x[j], got);
            if (u > num_unary_ulp(f))
                print_error("%s(%08x) = %08x: %g ulp\n", num_unary_name(f),
                            x[j], got, u);
            assert_true(u <= num_unary_ulp(f));
        }
    }
}

// Random bits and random numbers of moderate size.
static num_word
random_f32(uint64_t *s)
{
    uint64_t r = next_random(s);
    if (r & 1)
        return (num_word)(r >> 32);
    double scale = ldexp(1, (int)(r >> 1 & 15) - 7);
    return num_word_f32((float)(((double)(r >> 11) * 0x1p-52 - 1) * scale));
}

static void
test_random_f32(void **state)
{
    (void)state;
    uint64_t seed = 7;
    int n = run_all ? 200000 : 2000;
    for (int i = 1; i < NUM_U_COUNT; i++) {
        num_unary f = (num_unary)i;
        double worst = 0;
        for (int j = 0; j < n && !skipped(f); j++) {
            num_word x = num_cast(NUM_AS_F32, NUM_AS_F32, random_f32(&seed));
            double u = oracle_ulps1(f, x, num_apply1(f, NUM_AS_F32, x));
            assert_true(u >= 0);
            worst = u > worst ? u : worst;
        }
        if (run_all)
            print_message("%-10s f32 %.6f\n", num_unary_name(f), worst);
        assert_true(worst <= num_unary_ulp(f));
    }
}

// ---- rows are the scalar function

static void
check_row1(num_unary f, num_as as, size_t n, uint64_t *seed)
{
    num_word x[200] = {0}, out[200] = {0};
    for (size_t i = 0; i < n; i++)
        x[i] = as == NUM_AS_BOOL ? next_random(seed) & 1 : random_f32(seed);
    num_row1(f, as, n, out, x);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(out[i], num_apply1(f, as, x[i]));
    num_row1(f, as, n, x, x);
    assert_memory_equal(x, out, n * sizeof *x);
}

static void
check_row2(num_binary f, num_as as, size_t n, uint64_t *seed)
{
    num_word a[200] = {0}, b[200] = {0}, out[200] = {0};
    for (size_t i = 0; i < n; i++) {
        bool bit = as == NUM_AS_BOOL;
        a[i] = bit ? next_random(seed) & 1 : random_f32(seed);
        b[i] = bit ? next_random(seed) & 1 : random_f32(seed);
        if (next_random(seed) % 4 == 0)
            b[i] = a[i];
    }
    for (size_t step = 0; step < 2; step++) {
        num_row2(f, as, n, out, a, b, step);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(out[i], num_apply2(f, as, a[i], b[step * i]));
    }
    num_row2(f, as, n, b, a, b, 1);
    assert_memory_equal(b, out, n * sizeof *b);
}

static void
test_rows(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 3, 5, 31, 32, 33, 64, 197};
    uint64_t seed = 3;
    for (int as = NUM_AS_F32; as <= NUM_AS_BOOL; as++) {
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            for (int f = 1; f < NUM_U_COUNT; f++) {
                if (num_unary_takes((num_unary)f, (num_as)as))
                    check_row1((num_unary)f, (num_as)as, lengths[l], &seed);
            }
            for (int f = 1; f < NUM_B_COUNT; f++) {
                if (num_binary_takes((num_binary)f, (num_as)as))
                    check_row2((num_binary)f, (num_as)as, lengths[l], &seed);
            }
        }
    }
}

// ---- binary functions

static double
ulps2(num_binary f, num_word a, num_word b)
{
    num_word got = num_apply2(f, NUM_AS_F32, a, b);
    double u = oracle_ulps2(f, a, b, got);
    assert_true(u >= 0);
    if (u > num_binary_ulp(f))
        print_error("%s(%a, %a) = %a: %g ulp\n", num_binary_name(f),
                    (double)num_f32(a), (double)num_f32(b),
                    (double)num_f32(got), u);
    return u;
}

static const num_binary arithmetic[] = {
    NUM_ADD,   NUM_SUB,   NUM_MUL,   NUM_DIV,     NUM_MOD,     NUM_POW,
    NUM_ATAN2, NUM_HYPOT, NUM_PRELU, NUM_AVERAGE, NUM_ABS_MAX, NUM_ABS_MIN};

static void
test_binary(void **state)
{
    (void)state;
    static const num_word edge[] = {
        0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
        0x7fc00000, 0x40000000, 0xc0000000, 0x40400000, 0xc0400000, 0x3f000000,
        0xbf000000, 0x00000001, 0x80000001, 0x7f7fffff, 0x4b800001, 0x4b7fffff,
        0x3f7fffff, 0xcb7fffff, 0x00800000,
    };
    enum { EDGES = sizeof edge / sizeof *edge };
    uint64_t seed = 11;
    for (size_t k = 0; k < sizeof arithmetic / sizeof *arithmetic; k++) {
        num_binary f = arithmetic[k];
        for (size_t i = 0; i < EDGES * EDGES; i++)
            assert_true(ulps2(f, edge[i / EDGES], edge[i % EDGES]) <=
                        num_binary_ulp(f));
        for (int i = 0; i < (run_all ? 200000 : 3000); i++) {
            num_word a = random_f32(&seed), b = random_f32(&seed);
            assert_true(ulps2(f, a, b) <= num_binary_ulp(f));
        }
    }
}

static void
test_min_max(void **state)
{
    (void)state;
    uint64_t seed = 5;
    const num_word zero = 0, minus = 0x80000000u, nan = NUM_CANONICAL_NAN;
    assert_int_equal(num_apply2(NUM_MIN, NUM_AS_F32, zero, minus), minus);
    assert_int_equal(num_apply2(NUM_MIN, NUM_AS_F32, minus, zero), minus);
    assert_int_equal(num_apply2(NUM_MAX, NUM_AS_F32, zero, minus), zero);
    assert_int_equal(num_apply2(NUM_MAX, NUM_AS_F32, minus, zero), zero);
    for (int i = 0; i < 100000; i++) {
        num_word a = random_f32(&seed), b = random_f32(&seed);
        float x = num_f32(a), y = num_f32(b);
        num_word lo = num_apply2(NUM_MIN, NUM_AS_F32, a, b);
        num_word hi = num_apply2(NUM_MAX, NUM_AS_F32, a, b);
        if (x != x || y != y) {
            assert_true(lo == nan && hi == nan);
            continue;
        }
        if (x == y)
            continue;
        assert_int_equal(lo, x < y ? a : b);
        assert_int_equal(hi, x < y ? b : a);
        assert_int_equal(num_apply2(NUM_LT, NUM_AS_F32, a, b), x < y);
        assert_int_equal(num_apply2(NUM_GE, NUM_AS_F32, a, b), x >= y);
    }
    assert_int_equal(num_apply2(NUM_EQ, NUM_AS_F32, zero, minus), 1);
    assert_int_equal(num_apply2(NUM_NE, NUM_AS_F32, nan, nan), 1);
    assert_int_equal(num_apply2(NUM_EQ, NUM_AS_F32, nan, nan), 0);
    assert_int_equal(num_apply2(NUM_GE, NUM_AS_F32, nan, nan), 0);
    assert_int_equal(num_apply1(NUM_ISNAN, NUM_AS_F32, nan), 1);
    assert_int_equal(num_apply1(NUM_ISNAN, NUM_AS_F32, 0x7f800000u), 0);
}

// ---- the binary64 functions

static double
random_f64(uint64_t *s)
{
    union {
        uint64_t u;
        double d;
    } v = {next_random(s)};
    uint64_t r = next_random(s);
    if (r % 8 == 0 && !isnan(v.d))
        return v.d;
    return ldexp((double)(int64_t)v.u * 0x1p-63, (int)(r >> 8 & 31) - 16);
}

// log2 of the relative error; results outside [1e-300, 1e300] do not count.
static double
relative_error(double got, const mpfr_t y)
{
    double v = fabs(mpfr_get_d(y, MPFR_RNDN));
    if (mpfr_nan_p(y))
        return got != got ? -99 : 99;
    if (!(v > 1e-300 && v < 1e300))
        return v < 1 && fabs(got) > 1e-299  ? 99
               : v > 1 && fabs(got) < 1e299 ? 99
                                            : -99;
    mpfr_t d;
    mpfr_init2(d, PREC_REF);
    mpfr_sub_d(d, y, got, MPFR_RNDN);
    mpfr_div(d, d, y, MPFR_RNDN);
    double e = log2(fabs(mpfr_get_d(d, MPFR_RNDN)) + 0x1p-99);
    mpfr_clear(d);
    return e;
}

static double
check_ref1(num_unary f, int n, uint64_t *seed)
{
    double worst = -99;
    mpfr_t a, y;
    mpfr_init2(a, 53);
    mpfr_init2(y, PREC_REF);
    for (int j = 0; j < n; j++) {
        double x = random_f64(seed);
        mpfr_set_d(a, x, MPFR_RNDN);
        assert_true(oracle1(f, y, a));
        double got = num_ref1(f, x), e = relative_error(got, y);
        if (e > -45)
            print_error("ref %s(%a) = %a: 2^%g\n", num_unary_name(f), x, got,
                        e);
        worst = e > worst ? e : worst;
    }
    mpfr_clears(a, y, (mpfr_ptr)0);
    return worst;
}

static void
test_reference(void **state)
{
    (void)state;
    uint64_t seed = 17;
    for (int i = 1; i < NUM_U_COUNT; i++) {
        num_unary f = (num_unary)i;
        if (skipped(f))
            continue;
        double w = check_ref1(f, run_all ? 30000 : 500, &seed);
        if (run_all)
            print_message("ref %-10s 2^%.1f\n", num_unary_name(f), w);
        assert_true(w < -45);
    }
}

static void
test_reference2(void **state)
{
    (void)state;
    uint64_t seed = 19;
    mpfr_t a, b, y;
    mpfr_inits2(PREC_REF, a, b, y, (mpfr_ptr)0);
    for (size_t k = 0; k < sizeof arithmetic / sizeof *arithmetic; k++) {
        num_binary f = arithmetic[k];
        double worst = -99;
        for (int j = 0; j < (run_all ? 100000 : 1000); j++) {
            double u = random_f64(&seed), v = random_f64(&seed);
            if (f == NUM_POW && j % 4 != 0)
                u = fabs(u);
            mpfr_set_d(a, u, MPFR_RNDN);
            mpfr_set_d(b, v, MPFR_RNDN);
            assert_true(oracle2(f, y, a, b));
            double e = relative_error(num_ref2(f, u, v), y);
            if (e > -45)
                print_error("ref %s(%a, %a) = %a: 2^%g\n", num_binary_name(f),
                            u, v, num_ref2(f, u, v), e);
            worst = e > worst ? e : worst;
        }
        if (run_all)
            print_message("ref %-10s 2^%.1f\n", num_binary_name(f), worst);
        assert_true(worst < -45);
    }
    mpfr_clears(a, b, y, (mpfr_ptr)0);
}

// ---- sensitivity

// The largest change of f at points of the interval.
static double
largest_change(num_unary f, double x, double e)
{
    double v = num_ref1(f, x), most = 0;
    for (int i = -20; i <= 20; i++) {
        double y = x + e * (i / 20.0);
        if (!(fabs(y - x) <= e))
            continue;
        double w = num_ref1(f, y);
        double d = w == v ? 0 : fabs(w - v);
        most = d > most || d != d ? d : most;
    }
    return most;
}

static void
test_sensitivity(void **state)
{
    (void)state;
    uint64_t seed = 23;
    for (int i = 1; i < NUM_U_COUNT; i++) {
        num_unary f = (num_unary)i;
        if (skipped(f))
            continue;
        int finite = 0;
        for (int j = 0; j < 3000; j++) {
            double x = ldexp((double)(int64_t)next_random(&seed) * 0x1p-63,
                             (int)(next_random(&seed) % 8) - 3);
            double e = ldexp(1, -(int)(next_random(&seed) % 30));
            double bound = num_sensitivity1(f, x, e);
            if (isinf(bound))
                continue;
            finite++;
            double d = largest_change(f, x, e);
            // num_ref1's own error may show where the function is flat
            assert_true(d <=
                        bound * (1 + 0x1p-40) + 0x1p-43 * fabs(num_ref1(f, x)));
        }
        assert_true(finite > 300);
    }
}

static void
test_sensitivity_cases(void **state)
{
    (void)state;
    assert_true(isinf(num_sensitivity1(NUM_RECIP, 0.5, 0.5)));
    assert_true(isinf(num_sensitivity1(NUM_LOG, 0.5, 0.6)));
    assert_true(isinf(num_sensitivity1(NUM_SQRT, 0.0, 1e-9)));
    assert_true(isinf(num_sensitivity1(NUM_TAN, 1.5, 0.1)));
    assert_true(isinf(num_sensitivity1(NUM_ACOS, 0.99, 0.02)));
    assert_true(num_sensitivity1(NUM_LOG, 0.0, 0.0) == 0);
    assert_true(num_sensitivity1(NUM_FLOOR, 0.5, 0.4) == 0);
    assert_true(num_sensitivity1(NUM_FLOOR, 0.5, 0.6) == 1);
    assert_true(num_sensitivity1(NUM_SIGN, 0.5, 0.6) == 2);
    assert_true(num_sensitivity1(NUM_ROUND, 0.5, 0.01) == 1);
    // tight where it matters: within a per cent of the derivative
    double d = num_sensitivity1(NUM_EXP, 1, 1e-6);
    assert_true(d > 2.718e-6 && d < 2.73e-6);
    d = num_sensitivity1(NUM_GELU, -8, 1e-3);
    assert_true(d < 1e-15);
    d = num_sensitivity1(NUM_GELU, -0.75, 0.5);
    assert_true(d > 0.03 && d < 0.09);
    d = num_sensitivity1(NUM_SIN, 1e5, 1e-3);
    assert_true(d <= 1.001e-3);
}

int
main(int argc, char **argv)
{
    run_all = argc > 1 && strcmp(argv[1], "all") == 0;
    mpfr_set_emin(-1000000);
    mpfr_set_emax(1000000);
    num_env env = num_env_enter();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_bf16_f16),
        cmocka_unit_test(test_random_f32),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_min_max),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_reference2),
        cmocka_unit_test(test_sensitivity),
        cmocka_unit_test(test_sensitivity_cases),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    num_env_leave(env);
    return failed;
}
