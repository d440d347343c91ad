// SPDX-License-Identifier: Apache-2.0
// unary TYPE [all]: every function of one operand over every code of a float
// type of at most 16 bits, one at a time and in rows, against MPFR. What is
// promised to be correctly rounded must be; the others keep their bound. 'all'
// prints the worst error of each.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/exhaustive/format.h"
#include "tests/exhaustive/oracle.h"

enum { CODES = 65536, SHOWN = 20 };

typedef struct {
    double worst;
    num_word at;
} extreme;

static int failures;
static uint64_t compared;
static num_word in[CODES], out[CODES];
static uint32_t codes;

static void
wrong(num_unary f, num_word x, num_word got)
{
    if (failures++ < SHOWN)
        printf("%s of %08" PRIx32 " (%a) gives %08" PRIx32 "\n",
               num_unary_name(f), x, (double)num_f32(x), got);
}

// The exact value rounded once; oracle1's formulas are exact where a value can
// lie halfway.
static num_word
rounded(const mpfr_t y)
{
    if (mpfr_nan_p(y))
        return NUM_CANONICAL_NAN;
    return num_word_f32(mpfr_get_flt(y, MPFR_RNDN));
}

static bool
is_right(num_unary f, num_word got, const mpfr_t y, double *ulps)
{
    *ulps = oracle_ulps(got, y);
    if (num_unary_ulp(f) > 0.5)
        return *ulps <= num_unary_ulp(f);
    return got == rounded(y);
}

static extreme
check(num_unary f)
{
    extreme e = {0, 0};
    mpfr_t x, y;
    mpfr_init2(x, 24);
    mpfr_init2(y, ORACLE_BITS);
    num_row1(f, NUM_AS_F32, codes, out, in);
    for (uint32_t i = 0; i < codes; i++) {
        double u;
        mpfr_set_flt(x, num_f32(in[i]), MPFR_RNDN);
        oracle1(f, y, x);
        num_word one = num_apply1(f, NUM_AS_F32, in[i]);
        if (one != out[i] || !is_right(f, one, y, &u))
            wrong(f, in[i], one);
        else if (u > e.worst)
            e = (extreme){u, in[i]};
        compared++;
    }
    mpfr_clears(x, y, (mpfr_ptr)0);
    return e;
}

// What does not give binary32.
static void
check_classes(const format *type)
{
    for (uint32_t c = 0; c < codes; c++) {
        double v = format_value(type, c);
        const struct {
            num_unary f;
            num_word want;
        } all[] = {{NUM_ISNAN, isnan(v) ? 1u : 0u},
                   {NUM_ISINF, isinf(v) ? 1u : 0u},
                   {NUM_ISFINITE, isfinite(v) ? 1u : 0u},
                   {NUM_F32_BITS, in[c]}};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            num_word got = num_apply1(all[i].f, NUM_AS_F32, in[c]);
            if (got != all[i].want)
                wrong(all[i].f, in[c], got);
        }
    }
}

int
main(int argc, char **argv)
{
    format *type = argc > 1 ? format_find(argv[1]) : NULL;
    if (type == NULL || type->kind != FORMAT_IEEE || type->bits > 16) {
        fprintf(stderr,
                "usage: unary TYPE [all], a float of at most 16 bits\n");
        return 2;
    }
    codes = 1u << type->bits;
    for (uint32_t c = 0; c < codes; c++) {
        double v = format_value(type, c);
        in[c] = isnan(v) ? NUM_CANONICAL_NAN : num_word_f32((float)v);
    }
    num_env env = num_env_enter();
    check_classes(type);
    for (int f = 1; f < NUM_U_COUNT; f++) {
        const char *name = num_unary_name((num_unary)f);
        if (!num_unary_takes((num_unary)f, NUM_AS_F32) || f == NUM_ISNAN ||
            f == NUM_ISINF || f == NUM_ISFINITE || f == NUM_F32_BITS)
            continue;
        if (!oracle_has1((num_unary)f)) {
            printf("no oracle for %s\n", name);
            failures++;
            continue;
        }
        extreme e = check((num_unary)f);
        if (argc > 2)
            printf("%-10s %.9f at %a\n", name, e.worst, (double)num_f32(e.at));
    }
    num_env_leave(env);
    printf("%" PRIu64 " compared, %d wrong\n", compared, failures);
    return failures != 0;
}
