// SPDX-License-Identifier: Apache-2.0
// The OCP element and scale formats against their specifications' tables, what
// those leave open against ml_dtypes' choices, packed elements, and stochastic
// rounding against exact fractions in MPFR.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <mpfr.h>
#include <stdlib.h>
#include <string.h>

#include "numerics/numerics.h"

static uint64_t
next_random(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t
stored(num_dtype t, num_as as, num_word w)
{
    uint8_t b[4] = {0};
    num_store(t, b, as, w);
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

// ---- OCP formats, as the OCP specifications' tables list them

static const float e2m1_values[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};

// Of a format without infinity, by its list of magnitudes: nearest, ties to the
// even code, from half a unit past the last on 'over'.
static uint32_t
nearest_listed(const float *list, uint32_t n, double x, uint32_t over)
{
    uint32_t lo = 0;
    double last = (double)list[n - 1];
    double next = 2 * last - (double)list[n - 2];
    while (lo + 1 < n && (double)list[lo + 1] <= x)
        lo++;
    double above = (lo + 1 < n ? (double)list[lo + 1] : next) - x;
    double below = x - (double)list[lo];
    uint32_t up = lo + 1 < n ? lo + 1 : over;
    if (below == above)
        return lo & 1 ? up : lo;
    return below < above ? lo : up;
}

static void
check_listed(num_dtype t, const float *list, uint32_t n, float x)
{
    uint32_t sign = t == DT_F4E2M1 ? 8 : 0x80, over = n == 8 ? 7 : 0x7f;
    for (int s = 0; s < 2; s++) {
        float v = s ? -x : x;
        uint32_t code = nearest_listed(list, n, (double)x, over);
        bool nan = n > 8 && code == over; // has no sign
        assert_int_equal(stored(t, NUM_AS_F32, num_word_f32(v)),
                         code | (s && !nan ? sign : 0));
    }
}

static void
test_ocp_elements(void **state)
{
    (void)state;
    float e4m3[127];
    for (uint32_t c = 0; c < 127; c++) {
        uint32_t e = c >> 3, m = c & 7;
        e4m3[c] = (float)ldexp(e ? 8 + m : m, (int)(e ? e : 1) - 10);
        assert_true(num_f32(num_load(DT_F8E4M3FN, &c)) == e4m3[c]);
    }
    assert_true(e4m3[126] == 448);
    for (uint32_t c = 0; c < 256; c++) {
        float v = num_f32(num_load(DT_F4E2M1, &c)); // any high nibble
        assert_true(fabsf(v) == e2m1_values[c & 7]);
        assert_int_equal(signbit(v) != 0, (c & 8) != 0);
        num_word w = num_load(DT_F8E4M3FN, &c);
        assert_int_equal(w == NUM_CANONICAL_NAN, (c & 0x7f) == 0x7f);
        if ((c & 0x7f) != 0x7f)
            assert_int_equal(stored(DT_F8E4M3FN, NUM_AS_F32, w), c);
    }
    for (uint32_t i = 0; i < 126; i++) {
        float mid = (e4m3[i] + e4m3[i + 1]) / 2;
        check_listed(DT_F8E4M3FN, e4m3, 127, e4m3[i]);
        check_listed(DT_F8E4M3FN, e4m3, 127, nextafterf(mid, 0));
        check_listed(DT_F8E4M3FN, e4m3, 127, mid);
        check_listed(DT_F8E4M3FN, e4m3, 127, nextafterf(mid, INFINITY));
    }
    for (int k = 0; k <= 3000; k++) {
        float x = (float)k / 256;
        check_listed(DT_F4E2M1, e2m1_values, 8, x);
        check_listed(DT_F4E2M1, e2m1_values, 8, nextafterf(x, INFINITY));
    }
    uint64_t seed = 31;
    for (int i = 0; i < 100000; i++) {
        float x = fabsf(num_f32((num_word)next_random(&seed)));
        if (isnan(x) || isinf(x))
            continue;
        check_listed(DT_F8E4M3FN, e4m3, 127, x);
        check_listed(DT_F4E2M1, e2m1_values, 8, x);
    }
}

// What the specifications leave to the implementation; as ml_dtypes 0.6.
static void
test_ocp_specials(void **state)
{
    (void)state;
    static const struct {
        num_dtype t;
        float x;
        uint32_t code;
    } cases[] = {
        {DT_F8E4M3FN, 464, 0x7e},
        {DT_F8E4M3FN, 464.1f, 0x7f},
        {DT_F8E4M3FN, -1e30f, 0x7f},
        {DT_F8E4M3FN, INFINITY, 0x7f},
        {DT_F8E4M3FN, NAN, 0x7f},
        {DT_F8E4M3FN, -448, 0xfe},
        {DT_F4E2M1, 7, 7},
        {DT_F4E2M1, 7.1f, 7},
        {DT_F4E2M1, -INFINITY, 15},
        {DT_F4E2M1, NAN, 8},
        {DT_F4E2M1, -0.1f, 8},
        {DT_E8M0, 0, 0xff},
        {DT_E8M0, -0.0f, 0xff},
        {DT_E8M0, -1, 0xff},
        {DT_E8M0, INFINITY, 0xff},
        {DT_E8M0, NAN, 0xff},
        {DT_E8M0, 1, 127},
        {DT_E8M0, 1.49f, 127},
        {DT_E8M0, 1.5f, 128},
        {DT_E8M0, 3, 129},
        {DT_E8M0, 0x1p127f, 254},
        {DT_E8M0, 0x1.7ffffep127f, 254},
        {DT_E8M0, 0x1.8p127f, 0xff},
        {DT_E8M0, 0x1p-127f, 0},
        {DT_E8M0, 0x1p-149f, 0},
        {DT_E8M0, 0x1.4p-127f, 0},
        {DT_E8M0, 0x1.7ffff8p-127f, 0},
        {DT_E8M0, 0x1.8p-127f, 1},
        {DT_E8M0, 0x1p-126f, 1},
        {DT_E8M0, 0x1.8p-126f, 2},
        {DT_E8M0, 0x1.7ffffep-126f, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            stored(cases[i].t, NUM_AS_F32, num_word_f32(cases[i].x)),
            cases[i].code);
    for (uint32_t c = 0; c < 255; c++) {
        num_word w = num_load(DT_E8M0, &c);
        assert_true((double)num_f32(w) == ldexp(1, (int)c - 127));
        assert_int_equal(stored(DT_E8M0, NUM_AS_F32, w), c);
    }
    uint32_t all = 255;
    assert_int_equal(num_load(DT_E8M0, &all), NUM_CANONICAL_NAN);
    assert_int_equal(stored(DT_E8M0, NUM_AS_I32, 96), 134); // a tie: 128
    assert_int_equal(stored(DT_E8M0, NUM_AS_I32, 0xffffffffu), 0xff);
    assert_int_equal(stored(DT_F4E2M1, NUM_AS_U32, 0xffffffffu), 7);
    assert_true(num_max_finite(DT_F8E4M3FN) == 448);
    assert_true(num_max_finite(DT_F4E2M1) == 6);
    assert_true(num_max_finite(DT_E8M0) == 0x1p127);
    assert_true(num_min_subnormal(DT_F8E4M3FN) == 0x1p-9);
    assert_true(num_min_subnormal(DT_F4E2M1) == 0.5);
    assert_true(num_min_subnormal(DT_E8M0) == 0x1p-127);
    assert_true(num_unit_roundoff(DT_F8E4M3FN) == 0x1p-4);
}

static void
test_packed(void **state)
{
    (void)state;
    const uint8_t b[4] = {0x7e, 0x38, 0xff, 0x80};
    assert_true(num_is_packed(DT_F8E5M2X4) && !num_is_packed(DT_F4E2M1));
    assert_int_equal(num_widened(DT_F4E2M1X4), NUM_AS_NONE);
    assert_true(num_f32(num_unpack(DT_F8E4M3FNX4, b, 0)) == 448);
    assert_true(num_f32(num_unpack(DT_F8E4M3FNX4, b, 1)) == 1);
    assert_int_equal(num_unpack(DT_F8E4M3FNX4, b, 2), NUM_CANONICAL_NAN);
    assert_int_equal(num_unpack(DT_F8E4M3FNX4, b, 3), 0x80000000u);
    assert_int_equal(num_unpack(DT_F8E5M2X4, b, 0), NUM_CANONICAL_NAN);
    assert_true(num_f32(num_unpack(DT_F8E5M2X4, b, 1)) == 0.5f);
    const float e2m1[4] = {-4, 6, -0.0f, 1.5f}; // 7e 38, low nibbles first
    for (uint32_t q = 0; q < 4; q++)
        assert_true(num_f32(num_unpack(DT_F4E2M1X4, b, q)) == e2m1[q]);
    num_word w[4];
    for (int q = 0; q < 4; q++)
        w[q] = num_word_f32(e2m1[q]);
    uint8_t out[4] = {0, 0, 0x55, 0x55};
    num_pack(DT_F4E2M1X4, out, w);
    assert_memory_equal(out, ((uint8_t[4]){0x7e, 0x38, 0x55, 0x55}), 4);
    for (uint32_t q = 0; q < 4; q++)
        w[q] = num_unpack(DT_F8E4M3FNX4, b, q);
    num_pack(DT_F8E4M3FNX4, out, w);
    assert_memory_equal(out, ((uint8_t[4]){0x7e, 0x38, 0x7f, 0x80}), 4);
}

// ---- stochastic rounding

// The two neighbours by search over the type's codes; the number of the 2^32
// draws that must give the upper one is the exact fraction, rounded up.
static void
check_stochastic(num_dtype t, float x, uint64_t *seed)
{
    uint32_t top = num_dtype_bytes(t) == 1 ? 0x80 : 0x8000, lo = 0;
    if (t == DT_F4E2M1)
        top = 8;
    for (uint32_t c = 1; c < top; c++) {
        float v = num_f32(num_load(t, &c));
        if (v <= x && isfinite(v))
            lo = c;
    }
    uint32_t hi = lo + 1;
    float a = num_f32(num_load(t, &lo)), b = num_f32(num_load(t, &hi));
    if (hi == top || !isfinite(b)) // saturation and overflow: cases below
        return;
    mpfr_t f, d;
    mpfr_inits2(400, f, d, (mpfr_ptr)0);
    mpfr_set_flt(f, x, MPFR_RNDN);
    mpfr_sub_d(f, f, (double)a, MPFR_RNDN);
    mpfr_set_flt(d, b, MPFR_RNDN);
    mpfr_sub_d(d, d, (double)a, MPFR_RNDN);
    mpfr_div(f, f, d, MPFR_RNDN); // a quotient by a power of two
    mpfr_mul_2ui(f, f, 32, MPFR_RNDN);
    for (int i = 0; i < 8; i++) {
        uint32_t bits = (uint32_t)next_random(seed);
        if (i < 3) // around the threshold
            bits = (uint32_t)mpfr_get_ui(f, MPFR_RNDD) + (uint32_t)i - 1;
        float want = mpfr_cmp_ui(f, bits) > 0 ? b : a;
        num_word w = num_word_f32(x);
        assert_int_equal(num_round_stochastic(t, w, bits), num_word_f32(want));
        if (t != DT_E8M0)
            assert_int_equal(num_round_stochastic(t, w | 0x80000000u, bits),
                             num_word_f32(-want));
    }
    mpfr_clears(f, d, (mpfr_ptr)0);
}

static void
test_stochastic(void **state)
{
    (void)state;
    static const num_dtype types[] = {DT_F8E4M3, DT_F8E5M2, DT_F8E3M4,
                                      DT_F8E4M3FN, DT_F4E2M1};
    uint64_t seed = 41;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        for (int i = 0; i < 4000; i++) {
            float x = num_f32((num_word)next_random(&seed) >> 1);
            if (i % 2)
                x = (float)ldexp(1 + (double)(next_random(&seed) >> 40) *
                                         0x1p-24,
                                 (int)(next_random(&seed) % 40) - 24);
            if (isfinite(x))
                check_stochastic(types[k], x, &seed);
        }
    }
    for (int i = 0; i < 30; i++) {
        float x = (float)ldexp(1.25, i * 5 - 40);
        check_stochastic(DT_F16, x * 1.0001f, &seed);
        check_stochastic(DT_BF16, x * 1.0001f, &seed);
    }
    const num_word inf = 0x7f800000u, nan = NUM_CANONICAL_NAN;
    assert_int_equal(num_round_stochastic(DT_BF16, nan, 0), nan);
    assert_int_equal(num_round_stochastic(DT_F16, inf | 0x80000000u, 7),
                     inf | 0x80000000u);
    assert_int_equal(num_round_stochastic(DT_F32, 0x3f800001u, 0), 0x3f800001u);
    assert_int_equal(num_round_stochastic(DT_BF16, 0x80000000u, 0),
                     0x80000000u);
    // 248 is half way from 240 to what would be 256: infinity
    num_word w = num_word_f32(248);
    assert_int_equal(num_round_stochastic(DT_F8E4M3, w, 0x80000000u),
                     num_word_f32(240));
    assert_int_equal(num_round_stochastic(DT_F8E4M3, w, 0x7fffffffu), inf);
    w = num_word_f32(450);
    assert_int_equal(num_round_stochastic(DT_F8E4M3FN, w, 0), nan);
    assert_int_equal(num_round_stochastic(DT_F8E4M3FN, w, 0x10000000u),
                     num_word_f32(448));
    assert_int_equal(num_round_stochastic(DT_F4E2M1, w, 0), num_word_f32(6));
    w = num_word_f32(1.25f);
    assert_int_equal(num_round_stochastic(DT_E8M0, w, 0x3fffffffu),
                     num_word_f32(2));
    assert_int_equal(num_round_stochastic(DT_E8M0, w, 0x40000000u),
                     num_word_f32(1));
    assert_int_equal(num_round_stochastic(DT_E8M0, 1, 0), 0x00400000u);
    assert_int_equal(num_round_stochastic(DT_E8M0, 0, 0), nan);
}

int
main(void)
{
    num_env env = num_env_enter();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ocp_elements),
        cmocka_unit_test(test_ocp_specials),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_stochastic),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    num_env_leave(env);
    return failed;
}
