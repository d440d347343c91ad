// SPDX-License-Identifier: Apache-2.0
// MX elements: every scale times every code of every element type, against
// values written from the formats' definitions; and where scales lie.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "numerics/numerics_int.h"

typedef struct {
    num_dtype packed;
    int bits, mantissa, bias;
    uint32_t infinity; // magnitude code; NaNs lie above. 0: neither
    uint32_t last;     // largest finite magnitude code
} format;

static const format formats[] = {
    {DT_F8E4M3FNX4, 8, 3, 7, 0, 0x7e},
    {DT_F8E5M2X4, 8, 2, 15, 0x7c, 0x7b},
    {DT_F4E2M1X4, 4, 1, 1, 0, 0x7},
};

static double
value_of(const format *f, uint32_t code)
{
    uint32_t sign = code >> (f->bits - 1);
    uint32_t magnitude = code & ((1u << (f->bits - 1)) - 1);
    int e = (int)(magnitude >> f->mantissa);
    uint32_t m = magnitude & ((1u << f->mantissa) - 1);
    double v;
    if (f->infinity && magnitude == f->infinity)
        v = (double)INFINITY;
    else if (magnitude > f->last)
        v = (double)NAN;
    else if (e == 0)
        v = ldexp(m, 1 - f->bias - f->mantissa);
    else
        v = ldexp((double)((1u << f->mantissa) + m), e - f->bias - f->mantissa);
    return sign ? -v : v;
}

static num_word
expected(const format *f, uint32_t code, uint32_t scale)
{
    if (scale == 255)
        return NUM_CANONICAL_NAN;
    double exact = ldexp(value_of(f, code), (int)scale - 127);
    if (isnan(exact))
        return NUM_CANONICAL_NAN;
    if (fabs(exact) >= ldexp(1, 128))
        exact = copysign((double)INFINITY, exact);
    assert_true(isinf(exact) || (double)(float)exact == exact);
    return num_word_f32((float)exact);
}

// Four codes an element, each code at every place of it.
static void
every_scale_times_every_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const format *f = &formats[i];
        uint32_t codes = 1u << f->bits;
        for (uint32_t scale = 0; scale < 256; scale++) {
            for (uint32_t code = 0; code < codes; code++) {
                uint32_t c[NUM_MX_PACK];
                num_word packed = 0, s = scale;
                float out[2 * NUM_MX_PACK] = {0};
                for (uint32_t q = 0; q < NUM_MX_PACK; q++) {
                    c[q] = (code + q * 5) % codes;
                    packed |= c[q] << (uint32_t)f->bits * q;
                }
                num_mx_unpack(f->packed, 1, &packed, &s, (num_mx_rows){out, 2});
                for (uint32_t q = 0; q < NUM_MX_PACK; q++)
                    assert_int_equal(num_word_f32(out[2 * q]),
                                     expected(f, c[q], scale));
            }
        }
    }
}

static void
scales_lie_where_the_record_says(void **state)
{
    (void)state;
    for (uint32_t p = 0; p < 128; p++)
        assert_int_equal(num_mx_scale_lane(p, 32), 32 * (p / 32) + p % 32 / 8);
    assert_int_equal(num_mx_scale_lane(7, 8), 0);
    assert_int_equal(num_mx_scale_lane(8, 8), 8);
}

int
main(void)
{
    num_env env = num_env_enter();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scale_times_every_code),
        cmocka_unit_test(scales_lie_where_the_record_says),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    num_env_leave(env);
    return failed;
}
