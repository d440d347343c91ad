// SPDX-License-Identifier: Apache-2.0
// The error analysis of the tile IR. Each scalar rule is fuzzed: real operands
// within their errors of the computed ones must give results within the bound,
// in extended precision or MPFR. Whole programs are compared with the same
// mathematics in long double: never beyond the bound, and not far below it.
#include "ir/tile_int.h"
#include "tests/exhaustive/oracle.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <mpfr.h>

// ---- drawing

static double
unit(uint64_t *seed)
{
    return (double)(rng_next(seed) >> 11) * 0x1p-53;
}

// Floats of every size, with small integers, zeros, and infinities.
static float
draw_float(uint64_t *seed)
{
    uint64_t kind = rng_next(seed) % 16;

    if (kind < 6) {
        return (float)(unit(seed) * 8 - 4);
    }
    if (kind < 9) {
        return (float)((int64_t)(rng_next(seed) % 9) - 4);
    }
    if (kind < 11) {
        return (float)ldexp(unit(seed) - 0.5, -130);
    }
    if (kind == 11) {
        return (rng_next(seed) & 1) != 0 ? INFINITY : -INFINITY;
    }
    return num_f32((num_word)rng_next(seed) & 0xff7fffffu);
}

static double
draw_error(uint64_t *seed, double v)
{
    uint64_t kind = rng_next(seed) % 6;

    if (kind == 0 || !isfinite(v)) {
        return 0;
    }
    if (kind == 5) {
        return unit(seed);
    }
    return fabs(v) * ldexp(unit(seed), -(int)(rng_next(seed) % 26));
}

// A real number that the computed v may stand for: the ends first.
static double
draw_real(uint64_t *seed, uint32_t i, double v, double e)
{
    double t = (i & 3) == 0   ? 1
               : (i & 3) == 1 ? -1
               : (i & 3) == 2 ? 0
                              : 2 * unit(seed) - 1;
    double x = v + t * e;

    // Rounding must not carry it out of the interval.
    return fabs(x - v) > e ? v : x;
}

// ---- the rules of two operands

static long double
real_binary(num_binary f, long double a, long double b)
{
    switch (f) {
    case NUM_ADD: return a + b;
    case NUM_SUB: return a - b;
    case NUM_MUL: return a * b;
    case NUM_DIV: return a / b;
    case NUM_MOD: return fmodl(a, b);
    case NUM_MIN: return a < b ? a : b;
    case NUM_MAX: return a > b ? a : b;
    case NUM_POW: return powl(a, b);
    case NUM_ATAN2: return atan2l(a, b);
    case NUM_EQ: return a == b ? 1 : 0;
    case NUM_NE: return a != b ? 1 : 0;
    case NUM_LT: return a < b ? 1 : 0;
    case NUM_LE: return a <= b ? 1 : 0;
    case NUM_GT: return a > b ? 1 : 0;
    case NUM_ABS_MAX: return fabsl(a) > fabsl(b) ? a : b;
    case NUM_ABS_MIN: return fabsl(a) < fabsl(b) ? a : b;
    case NUM_PRELU: return a >= 0 ? a : a * b;
    case NUM_AVERAGE: return (a + b) / 2;
    case NUM_HYPOT: return hypotl(a, b);
    case NUM_LAND: return a != 0 && b != 0 ? 1 : 0;
    case NUM_LOR: return a != 0 || b != 0 ? 1 : 0;
    case NUM_LXOR: return (a != 0) != (b != 0) ? 1 : 0;
    default: return a >= b ? 1 : 0;
    }
}

// The computed z against the real r. Slack: long double's own rounding.
static bool
is_within(double z, long double r, double e)
{
    if (e == (double)INFINITY) {
        return true;
    }
    if (!isfinite(z)) {
        return e == 0 && (isnan(z) ? isnan(r) : (long double)z == r);
    }
    return fabsl((long double)z - r) <=
           (long double)e * (1 + 1e-12L) + fabsl(r) * 0x1p-61L;
}

static void
check_binary(num_binary f, uint64_t *seed)
{
    double v[2], e[2], z, bound;
    num_word w[2], out;
    num_as gives = num_binary_gives(f, NUM_AS_F32);

    for (int i = 0; i < 2; i++) {
        float x = draw_float(seed);

        w[i] = num_word_f32(x);
        v[i] = (double)x;
        e[i] = draw_error(seed, v[i]);
    }
    out = num_apply2(f, NUM_AS_F32, w[0], w[1]);
    z = tile_word_value(gives, out);
    bound = tile_err_binary(f, NUM_AS_F32, w, e, out);
    for (uint32_t i = 0; i < 16; i++) {
        double a = draw_real(seed, i, v[0], e[0]);
        double b = draw_real(seed, i / 4, v[1], e[1]);
        long double r = real_binary(f, (long double)a, (long double)b);

        if (!is_within(z, r, bound)) {
            print_message("%s: %a +- %a, %a +- %a gives %a, real %La, "
                          "bound %a\n",
                          num_binary_name(f), v[0], e[0], v[1], e[1], z, r,
                          bound);
            fail();
        }
    }
}

static void
test_binary_rules(void **state)
{
    static const num_binary all[] = {
        NUM_ADD,     NUM_SUB,   NUM_MUL,  NUM_DIV,     NUM_MOD,     NUM_MIN,
        NUM_MAX,     NUM_ATAN2, NUM_EQ,   NUM_NE,      NUM_LT,      NUM_LE,
        NUM_GT,      NUM_GE,    NUM_POW,  NUM_ABS_MAX, NUM_ABS_MIN, NUM_PRELU,
        NUM_AVERAGE, NUM_HYPOT, NUM_LAND, NUM_LOR,     NUM_LXOR};
    uint64_t seed = 1;

    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(all); f++) {
        for (int i = 0; i < 20000; i++) {
            check_binary(all[f], &seed);
        }
    }
}

// The bounds are met but for rounding: by the corner of the box.
static void
test_binary_rules_are_tight(void **state)
{
    static const num_binary all[] = {NUM_ADD, NUM_SUB, NUM_MUL,
                                     NUM_DIV, NUM_MIN, NUM_MAX};
    uint64_t seed = 2;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        num_binary f = all[(size_t)i % ARRAY_LEN(all)];
        float a = (float)(1 + unit(&seed)), b = (float)(1 + unit(&seed));
        num_word w[2] = {num_word_f32(a), num_word_f32(b)}, z;
        double e[2] = {unit(&seed) / 8, unit(&seed) / 8}, bound, worst = 0;

        z = num_apply2(f, NUM_AS_F32, w[0], w[1]);
        bound = tile_err_binary(f, NUM_AS_F32, w, e, z);
        for (int corner = 0; corner < 4; corner++) {
            long double x = (long double)a +
                            ((corner & 1) != 0 ? 1 : -1) * (long double)e[0];
            long double y = (long double)b +
                            ((corner & 2) != 0 ? 1 : -1) * (long double)e[1];
            double off =
                (double)fabsl(real_binary(f, x, y) - (long double)num_f32(z));

            worst = off > worst ? off : worst;
        }
        assert_true(bound <= worst * 1.0001 + 3 * 0x1p-23);
    }
}

// What needs no rounding has none.
static void
test_exact_results(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        float a = (float)(rng_next(&seed) % 4096);
        float b = (float)(rng_next(&seed) % 4096 + 1);
        num_word w[2] = {num_word_f32(a), num_word_f32(b)};
        num_word p[2] = {num_word_f32(a * b), w[1]};
        double e[2] = {0, 0};

        for (int k = 0; k < 3; k++) {
            num_binary f = k == 0 ? NUM_ADD : k == 1 ? NUM_SUB : NUM_MUL;

            assert_true(
                tile_err_binary(f, NUM_AS_F32, w, e,
                                num_apply2(f, NUM_AS_F32, w[0], w[1])) == 0);
        }
        assert_true(tile_err_binary(NUM_DIV, NUM_AS_F32, p, e, w[0]) == 0);
    }
}

// ---- the rules of one operand

static void
real_sigmoid(mpfr_t r, mpfr_srcptr x)
{
    mpfr_neg(r, x, MPFR_RNDN);
    mpfr_exp(r, r, MPFR_RNDN);
    mpfr_add_ui(r, r, 1, MPFR_RNDN);
    mpfr_ui_div(r, 1, r, MPFR_RNDN);
}

static void
real_gelu(mpfr_t r, mpfr_srcptr x)
{
    mpfr_set_d(r, -0.5, MPFR_RNDN);
    mpfr_sqrt_ui(r, 2, MPFR_RNDN);
    mpfr_div(r, x, r, MPFR_RNDN);
    mpfr_neg(r, r, MPFR_RNDN);
    mpfr_erfc(r, r, MPFR_RNDN);
    mpfr_mul(r, r, x, MPFR_RNDN);
    mpfr_div_ui(r, r, 2, MPFR_RNDN);
}

static void
real_unary(num_unary f, mpfr_t r, double v)
{
    mpfr_t x;

    mpfr_init2(x, 160);
    mpfr_set_d(x, v, MPFR_RNDN);
    switch (f) {
    case NUM_NEG: mpfr_neg(r, x, MPFR_RNDN); break;
    case NUM_ABS: mpfr_abs(r, x, MPFR_RNDN); break;
    case NUM_SIGN: mpfr_set_si(r, mpfr_sgn(x), MPFR_RNDN); break;
    case NUM_FLOOR: mpfr_floor(r, x); break;
    case NUM_ROUND: mpfr_rint(r, x, MPFR_RNDN); break;
    case NUM_SQRT: mpfr_sqrt(r, x, MPFR_RNDN); break;
    case NUM_RSQRT: mpfr_rec_sqrt(r, x, MPFR_RNDN); break;
    case NUM_RECIP: mpfr_ui_div(r, 1, x, MPFR_RNDN); break;
    case NUM_EXP: mpfr_exp(r, x, MPFR_RNDN); break;
    case NUM_EXPM1: mpfr_expm1(r, x, MPFR_RNDN); break;
    case NUM_LOG: mpfr_log(r, x, MPFR_RNDN); break;
    case NUM_LOG1P: mpfr_log1p(r, x, MPFR_RNDN); break;
    case NUM_TANH: mpfr_tanh(r, x, MPFR_RNDN); break;
    case NUM_ERF: mpfr_erf(r, x, MPFR_RNDN); break;
    case NUM_SIGMOID: real_sigmoid(r, x); break;
    case NUM_GELU: real_gelu(r, x); break;
    case NUM_RELU: mpfr_max(r, x, x, MPFR_RNDN); break;
    case NUM_SIN: mpfr_sin(r, x, MPFR_RNDN); break;
    case NUM_COS: mpfr_cos(r, x, MPFR_RNDN); break;
    case NUM_ATAN: mpfr_atan(r, x, MPFR_RNDN); break;
    case NUM_ASIN: mpfr_asin(r, x, MPFR_RNDN); break;
    case NUM_SINH: mpfr_sinh(r, x, MPFR_RNDN); break;
    case NUM_COSH: mpfr_cosh(r, x, MPFR_RNDN); break;
    default: assert_true(oracle1(f, r, x)); break;
    }
    if (f == NUM_RELU && mpfr_sgn(x) < 0) {
        mpfr_set_zero(r, 1);
    }
    mpfr_clear(x);
}

static bool
is_real_within(double z, mpfr_t r, double e)
{
    double off;

    if (e == (double)INFINITY) {
        return true;
    }
    if (!isfinite(z)) {
        return e == 0 && (isnan(z) ? mpfr_nan_p(r) != 0
                                   : mpfr_inf_p(r) != 0 &&
                                         mpfr_sgn(r) == (z > 0 ? 1 : -1));
    }
    mpfr_sub_d(r, r, z, MPFR_RNDN);
    off = fabs(mpfr_get_d(r, MPFR_RNDZ));
    return off <= e;
}

static void
check_unary(num_unary f, uint64_t *seed)
{
    float x = draw_float(seed);
    double v = (double)x, e, z, bound;
    num_word w = num_word_f32(x), out = num_apply1(f, NUM_AS_F32, w);
    mpfr_t r;

    // MPFR would compute sines of 2^100 exactly, and slowly.
    if (!isfinite(x) || fabs(v) > 1e6) {
        return;
    }
    e = draw_error(seed, v);
    z = (double)num_f32(out);
    bound = tile_err_unary(f, NUM_AS_F32, w, e, out);
    mpfr_init2(r, 160);
    for (uint32_t i = 0; i < 5; i++) {
        double real = draw_real(seed, i, v, e);

        real_unary(f, r, real);
        if (!is_real_within(z, r, bound)) {
            print_message("%s: %a +- %a gives %a, bound %a, at %a\n",
                          num_unary_name(f), v, e, z, bound, real);
            fail();
        }
    }
    mpfr_clear(r);
}

static void
test_unary_rules(void **state)
{
    static const num_unary all[] = {
        NUM_NEG,     NUM_ABS,          NUM_SIGN,    NUM_FLOOR,
        NUM_ROUND,   NUM_SQRT,         NUM_RSQRT,   NUM_RECIP,
        NUM_EXP,     NUM_EXPM1,        NUM_LOG,     NUM_LOG1P,
        NUM_TANH,    NUM_ERF,          NUM_SIGMOID, NUM_GELU,
        NUM_RELU,    NUM_SIN,          NUM_COS,     NUM_ATAN,
        NUM_ASIN,    NUM_SINH,         NUM_COSH,    NUM_SQUARE,
        NUM_BINADE,  NUM_EXP2,         NUM_LOG2,    NUM_CBRT,
        NUM_ASINH,   NUM_ACOSH,        NUM_ATANH,   NUM_ERFC,
        NUM_MISH,    NUM_GELU_SIGMOID, NUM_GELU_DX, NUM_GELU_SIGMOID_DX,
        NUM_SILU_DX, NUM_ERF_DX};
    uint64_t seed = 4;

    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(all); f++) {
        for (int i = 0; i < 600; i++) {
            check_unary(all[f], &seed);
        }
    }
}

static double
err1(num_unary f, float x, double e)
{
    num_word w = num_word_f32(x);

    return tile_err_unary(f, NUM_AS_F32, w, e, num_apply1(f, NUM_AS_F32, w));
}

static void
test_infinities(void **state)
{
    float inf = INFINITY;
    double all = (double)INFINITY;
    num_word minus[2] = {num_word_f32(-INFINITY), num_word_f32(3.0f)};
    num_word zero[2] = {num_word_f32(1.0f), 0};
    double e[2] = {0, 0.25}, none[2] = {0, 0};

    (void)state;
    // Exact infinities, as masks and identities have them, stay exact.
    assert_true(err1(NUM_EXP, -inf, 0) == 0);
    assert_true(err1(NUM_TANH, inf, 0) == 0);
    assert_true(err1(NUM_RECIP, inf, 0) == 0);
    assert_true(err1(NUM_SQRT, inf, 0) == 0);
    assert_true(err1(NUM_LOG, 0, 0) == 0);
    assert_true(tile_err_binary(NUM_SUB, NUM_AS_F32, minus, e,
                                num_word_f32(-inf)) == 0);
    assert_true(tile_err_binary(NUM_MUL, NUM_AS_F32, minus, e,
                                num_word_f32(-inf)) == 0);
    assert_true(tile_err_binary(NUM_LT, NUM_AS_F32, minus, e, 1) == 0);
    e[1] = 0x1p-20;
    assert_true(tile_err_binary(NUM_MAX, NUM_AS_F32, minus, e, minus[1]) <
                0x1.1p-20);
    // Overflows and poles tell nothing.
    assert_true(err1(NUM_EXP, 1000, 0) == all);
    assert_true(err1(NUM_RECIP, 0, 0) == all);
    assert_true(err1(NUM_LOG, 1e-9f, 1e-8) == all);
    assert_true(tile_err_binary(NUM_DIV, NUM_AS_F32, zero, none,
                                num_word_f32(inf)) == all);
    e[0] = all;
    assert_true(tile_err_binary(NUM_ADD, NUM_AS_F32, minus, e,
                                num_word_f32(-inf)) == all);
}

// ---- conversions

static double
saturate(double x, double lo, double hi)
{
    x = rint(x);
    return x < lo ? lo : x > hi ? hi : x;
}

static double
real_store(num_dtype t, double x)
{
    double bits = 8.0 * num_dtype_bytes(t);

    switch (num_dtype_class(t)) {
    case NUM_SINT: return saturate(x, -exp2(bits - 1), exp2(bits - 1) - 1);
    case NUM_UINT: return saturate(x, 0, exp2(bits) - 1);
    case NUM_BOOL: return x != 0 ? 1 : 0;
    case NUM_FLOAT:
    case NUM_PACKED: return x;
    }
    return x;
}

static void
test_store_rules(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (num_dtype t = DT_F32; t < DT_COUNT; t++) {
        for (int i = 0; i < 5000 && !num_is_packed(t); i++) {
            float x = draw_float(&seed);
            double v = (double)x, e = draw_error(&seed, v), z, bound;
            num_word w = num_word_f32(x), out;
            uint32_t memory = 0;

            if (!isfinite(x)) {
                continue;
            }
            num_store(t, &memory, NUM_AS_F32, w);
            out = num_load(t, &memory);
            z = tile_word_value(num_widened(t), out);
            bound = tile_err_store(t, NUM_AS_F32, w, e, out);
            for (uint32_t k = 0; k < 6; k++) {
                double r = real_store(t, draw_real(&seed, k, v, e));

                assert_true(is_within(z, (long double)r, bound));
            }
        }
    }
}

static double
wrapped(double x, num_dtype t)
{
    double size = exp2(8.0 * num_dtype_bytes(t));

    x -= floor(x / size) * size;
    return num_dtype_class(t) == NUM_SINT && x >= size / 2 ? x - size : x;
}

static double
real_int(num_binary f, double a, double b)
{
    return f == NUM_ADD         ? a + b
           : f == NUM_SUB       ? a - b
           : f == NUM_MUL       ? a * b
           : f == NUM_DIV       ? (b == 0 ? 0 : trunc(a / b))
           : f == NUM_MOD       ? (b == 0 ? 0 : fmod(a, b))
           : f == NUM_DIV_FLOOR ? (b == 0 ? 0 : floor(a / b))
           : f == NUM_MOD_FLOOR ? (b == 0 ? 0 : a - b * floor(a / b))
           : f == NUM_MIN       ? fmin(a, b)
                                : fmax(a, b);
}

// Integers a few apart from the real ones.
static void
test_int_rules(void **state)
{
    static const num_binary all[] = {NUM_ADD, NUM_SUB,       NUM_MUL,
                                     NUM_DIV, NUM_MOD,       NUM_MIN,
                                     NUM_MAX, NUM_DIV_FLOOR, NUM_MOD_FLOOR};
    uint64_t seed = 6;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        num_binary f = all[(size_t)i % ARRAY_LEN(all)];
        int shift = (int)(rng_next(&seed) % 31);
        num_word w[2], z;
        double e[2], bound, r[2];

        for (int k = 0; k < 2; k++) {
            int32_t v = (int32_t)(uint32_t)rng_next(&seed) >> shift;
            int64_t d = (int64_t)(rng_next(&seed) % 5);
            int64_t real = v + (int64_t)(rng_next(&seed) % 9) - 4;

            w[k] = (num_word)v;
            e[k] = (double)d;
            real = real < v - d ? v - d : real > v + d ? v + d : real;
            r[k] = wrapped((double)real, DT_I32);
            e[k] = r[k] == (double)real ? e[k] : 0x1p32 - 1;
        }
        z = num_apply2(f, NUM_AS_I32, w[0], w[1]);
        bound = tile_err_binary(f, NUM_AS_I32, w, e, z);
        r[0] = f == NUM_MUL && fabs(r[0] * r[1]) >= 0x1p53
                   ? tile_word_value(NUM_AS_I32, z)
                   : wrapped(real_int(f, r[0], r[1]), DT_I32);
        assert_true(fabs(tile_word_value(NUM_AS_I32, z) - r[0]) <= bound);
    }
}

// ---- programs

typedef struct {
    arena *a;
    diags d;
} fixture;

static int
setup(void **state)
{
    arena *a = arena_new();
    fixture *f = ARENA_NEW(a, fixture);

    f->a = a;
    diags_init(&f->d, a);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    fixture *f = *state;

    arena_free(f->a);
    return 0;
}

static void
run_bound(fixture *f, const char *text, void *const *buf, double *const *err,
          const bool *cut)
{
    uint32_t source = diag_add_source(&f->d, "bound.tile", str_of(text));
    tile_fn *fn = tile_parse(f->a, &f->d, source);

    if (fn == NULL || !tile_verify(fn, &f->d) ||
        !tile_eval_bound(fn, buf, err, cut, &f->d)) {
        for (uint32_t i = 0; i < f->d.msgs.n; i++) {
            print_message("%s\n", f->d.msgs.at[i].text);
        }
        fail();
    }
}

// Every element within its bound, and the greatest bound no more than 'loose'
// times the greatest error.
static void
check_bounds(size_t n, const float *z, const long double *real,
             const double *err, double loose)
{
    double worst = 0, widest = 0;

    for (size_t i = 0; i < n; i++) {
        double off = (double)fabsl((long double)z[i] - real[i]);

        assert_true(is_within((double)z[i], real[i], err[i]));
        worst = off > worst ? off : worst;
        widest = err[i] > widest ? err[i] : widest;
    }
    if (!(widest <= loose * worst)) {
        print_message("worst error %g, widest bound %g\n", worst, widest);
        fail();
    }
}

enum { ROWS = 16, COLS = 200 };

static const char *const softmax_text =
    "tile_ir @softmax target \"trn2\" {\n"
    "  input @x: f32[16, 200]\n"
    "  output @y: f32[16, 200]\n"
    "  sbuf %x: f32[16, 200] slots 1\n"
    "  sbuf %m: f32[16, 1] slots 1\n"
    "  sbuf %e: f32[16, 200] slots 1\n"
    "  sbuf %s: f32[16, 1] slots 1\n"
    "  sync dma q1 [16] %x[0; (1,200)] = @x[0; 200*p; (1,200)]\n"
    "  vector reduce.f32 max over 1 [16] %m[0] = %x[0; (1,200)]\n"
    "  vector ts.f32 sub [16] %e[0; (1,200)] = %x[0; (1,200)], %m[0]\n"
    "  scalar act.f32 exp [16] %e[0; (1,200)] = %e[0; (1,200)]\n"
    "  vector reduce.f32 sum over 1 [16] %s[0] = %e[0; (1,200)]\n"
    "  scalar act.f32 recip [16] %s[0] = %s[0]\n"
    "  vector ts.f32 mul [16] %e[0; (1,200)] = %e[0; (1,200)], %s[0]\n"
    "  sync dma q1 [16] @y[0; 200*p; (1,200)] = %e[0; (1,200)]\n"
    "}\n";

static void
test_softmax(void **state)
{
    fixture *f = *state;
    static float x[ROWS * COLS], y[ROWS * COLS];
    static double err[ROWS * COLS];
    static long double real[ROWS * COLS];
    void *buf[] = {x, y};
    double *errs[] = {NULL, err};
    uint64_t seed = 7;

    for (size_t i = 0; i < ROWS * COLS; i++) {
        x[i] = (float)(unit(&seed) * 20 - 10);
        x[i] = i % 7 == 3 ? -INFINITY : x[i]; // masked
    }
    run_bound(f, softmax_text, buf, errs, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        long double sum = 0;

        for (size_t j = 0; j < COLS; j++) {
            sum += expl((long double)x[i * COLS + j]);
        }
        for (size_t j = 0; j < COLS; j++) {
            real[i * COLS + j] = expl((long double)x[i * COLS + j]) / sum;
        }
    }
    check_bounds(ROWS * COLS, y, real, err, 50);
    assert_true(y[3] == 0 && err[3] == 0); // what is masked is exact
}

static const char *const norm_text =
    "tile_ir @norm target \"trn2\" {\n"
    "  input @x: f32[16, 200]\n"
    "  output @y: bf16[16, 200]\n"
    "  output @z: f32[16, 200]\n"
    "  sbuf %x: f32[16, 200] slots 1\n"
    "  sbuf %m: f32[16, 1] slots 1\n"
    "  sbuf %v: f32[16, 1] slots 1\n"
    "  sbuf %d: f32[16, 200] slots 1\n"
    "  sbuf %q: f32[16, 200] slots 1\n"
    "  sbuf %y: bf16[16, 200] slots 1\n"
    "  sync dma q1 [16] %x[0; (1,200)] = @x[0; 200*p; (1,200)]\n"
    "  vector reduce.f32 sum over 1 [16] %m[0] = %x[0; (1,200)]\n"
    "  vector ts.f32 mul [16] %m[0] = %m[0], 0.005\n"
    "  vector ts.f32 sub [16] %d[0; (1,200)] = %x[0; (1,200)], %m[0]\n"
    "  vector tt.f32 mul [16] %q[0; (1,200)] = %d[0; (1,200)], "
    "%d[0; (1,200)]\n"
    "  vector reduce.f32 sum over 1 [16] %v[0] = %q[0; (1,200)]\n"
    "  vector ts.f32 mul add [16] %v[0] = %v[0], 0.005, 0.5\n"
    "  scalar act.f32 rsqrt [16] %v[0] = %v[0]\n"
    "  vector ts.f32 mul [16] %d[0; (1,200)] = %d[0; (1,200)], %v[0]\n"
    "  vector copy [16] %y[0; (1,200)] = %d[0; (1,200)]\n"
    "  sync dma q1 [16] @y[0; 200*p; (1,200)] = %y[0; (1,200)]\n"
    "  sync dma q1 [16] @z[0; 200*p; (1,200)] = %d[0; (1,200)]\n"
    "}\n";

static void
test_layernorm(void **state)
{
    fixture *f = *state;
    static float x[ROWS * COLS], z[ROWS * COLS], wide[ROWS * COLS];
    static uint16_t y[ROWS * COLS];
    static double ey[ROWS * COLS], ez[ROWS * COLS];
    static long double real[ROWS * COLS];
    void *buf[] = {x, y, z};
    double *errs[] = {NULL, ey, ez};
    long double fifth = (long double)0.005f;
    uint64_t seed = 8;

    for (size_t i = 0; i < ROWS * COLS; i++) {
        x[i] = (float)(unit(&seed) * 4 - 1);
    }
    run_bound(f, norm_text, buf, errs, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        long double mean = 0, var = 0;

        for (size_t j = 0; j < COLS; j++) {
            mean += (long double)x[i * COLS + j] * fifth;
        }
        for (size_t j = 0; j < COLS; j++) {
            long double d = (long double)x[i * COLS + j] - mean;

            var += d * d * fifth;
        }
        for (size_t j = 0; j < COLS; j++) {
            real[i * COLS + j] =
                ((long double)x[i * COLS + j] - mean) / sqrtl(var + 0.5L);
        }
    }
    for (size_t i = 0; i < ROWS * COLS; i++) {
        wide[i] = num_f32(num_load(DT_BF16, &y[i]));
    }
    check_bounds(ROWS * COLS, z, real, ez, 100);
    check_bounds(ROWS * COLS, wide, real, ey, 2.1);
}

enum { DEPTH = 256, OUT = 96, BATCH = 64 };

// y = tanh(x) rounded to bf16, times w, over two tiles of the contraction.
static const char *const mlp_text =
    "tile_ir @mlp target \"trn2\" {\n"
    "  input @x: f32[256, 64]\n"
    "  input @w: bf16[256, 96]\n"
    "  output @y: f32[64, 96]\n"
    "  psum %acc: f32[64, 96] slots 1\n"
    "  sbuf %y: f32[64, 96] slots 1\n"
    "  for i1 < 2 {\n"
    "    sbuf %x: f32[128, 64] slots 2\n"
    "    sbuf %h: bf16[128, 64] slots 2\n"
    "    sbuf %w: bf16[128, 96] slots 2\n"
    "    sync dma q1 [128] %x[0; (1,64)] = @x[8192*i1; 64*p; (1,64)]\n"
    "    sync dma q1 [128] %w[0; (1,96)] = @w[12288*i1; 96*p; (1,96)]\n"
    "    scalar act.f32 tanh [128] %h[0; (1,64)] = %x[0; (1,64)]\n"
    "    tensor ldw [128] %h[0; (1,64)]\n"
    "    tensor matmul [128 -> 64] %acc[0; (1,96)] += %w[0; (1,96)] except "
    "first i1\n"
    "  }\n"
    "  vector copy [64] %y[0; (1,96)] = %acc[0; (1,96)]\n"
    "  sync dma q1 [64] @y[0; 96*p; (1,96)] = %y[0; (1,96)]\n"
    "}\n";

static void
test_matmul(void **state)
{
    fixture *f = *state;
    static float x[DEPTH * BATCH], y[BATCH * OUT];
    static uint16_t w[DEPTH * OUT];
    static double err[BATCH * OUT];
    static long double real[BATCH * OUT];
    void *buf[] = {x, w, y};
    double *errs[] = {NULL, NULL, err};
    uint64_t seed = 9;

    for (size_t i = 0; i < DEPTH * BATCH; i++) {
        x[i] = (float)(unit(&seed) * 4 - 2);
    }
    for (size_t i = 0; i < DEPTH * OUT; i++) {
        num_store(DT_BF16, &w[i], NUM_AS_F32,
                  num_word_f32((float)(unit(&seed) * 2 - 1)));
    }
    run_bound(f, mlp_text, buf, errs, NULL);
    for (size_t i = 0; i < BATCH; i++) {
        for (size_t j = 0; j < OUT; j++) {
            long double sum = 0;

            for (size_t k = 0; k < DEPTH; k++) {
                sum += tanhl((long double)x[k * BATCH + i]) *
                       (long double)num_f32(num_load(DT_BF16, &w[k * OUT + j]));
            }
            real[i * OUT + j] = sum;
        }
    }
    check_bounds(BATCH * OUT, y, real, err, 100);
}

static const char *const teeth_text =
    "tile_ir @dot target \"trn2\" {\n"
    "  input @x: bf16[256, 64]\n"
    "  input @w: bf16[256, 96]\n"
    "  output @y: f32[64, 96]\n"
    "  psum %acc: f32[64, 96] slots 1\n"
    "  sbuf %y: f32[64, 96] slots 1\n"
    "  for i1 < 2 {\n"
    "    sbuf %x: bf16[128, 64] slots 2\n"
    "    sbuf %w: bf16[128, 96] slots 2\n"
    "    sync dma q1 [128] %x[0; (1,64)] = @x[8192*i1; 64*p; (1,64)]\n"
    "    sync dma q1 [128] %w[0; (1,96)] = @w[12288*i1; 96*p; (1,96)]\n"
    "    tensor ldw [128] %x[0; (1,64)]\n"
    "    tensor matmul [128 -> 64] %acc[0; (1,96)] += %w[0; (1,96)] except "
    "first i1\n"
    "  }\n"
    "  vector copy [64] %y[0; (1,96)] = %acc[0; (1,96)]\n"
    "  sync dma q1 [64] @y[0; 96*p; (1,96)] = %y[0; (1,96)]\n"
    "}\n";

// Dropping one product of 256 is beyond the bound, except for products that
// are nearly 0; small integers have no error at all.
static void
test_matmul_teeth(void **state)
{
    fixture *f = *state;
    static uint16_t x[DEPTH * BATCH], w[DEPTH * OUT];
    static float y[BATCH * OUT];
    static double err[BATCH * OUT];
    void *buf[] = {x, w, y};
    double *errs[] = {NULL, NULL, err};
    uint64_t seed = 10;
    size_t missed = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < DEPTH * (BATCH + OUT); i++) {
            double v = pass == 0 ? unit(&seed) * 2 - 1
                                 : (double)(rng_next(&seed) % 15) - 7;
            uint16_t *at = i < DEPTH * BATCH ? &x[i] : &w[i - DEPTH * BATCH];

            num_store(DT_BF16, at, NUM_AS_F32, num_word_f32((float)v));
        }
        run_bound(f, teeth_text, buf, errs, NULL);
        for (size_t e = 0; pass == 0 && e < BATCH * OUT; e++) {
            for (size_t k = 0; k < DEPTH; k++) {
                double a =
                    (double)num_f32(num_load(DT_BF16, &x[k * BATCH + e / OUT]));
                double b =
                    (double)num_f32(num_load(DT_BF16, &w[k * OUT + e % OUT]));

                missed += fabs(a * b) <= 2 * err[e];
            }
        }
    }
    assert_true(missed * 500 < (size_t)BATCH * OUT * DEPTH);
    for (size_t e = 0; e < BATCH * OUT; e++) {
        assert_true(err[e] == 0);
    }
}

// y = x * x > 2 ? 1 : -1 where x is a square root of 2, rounded; and t = exp x
// kept in HBM, read back.
static const char *const decide_text =
    "tile_ir @decide target \"trn2\" {\n"
    "  input @x: f32[1, 4]\n"
    "  output @y: f32[1, 4]\n"
    "  temp @t: f32[1, 4]\n"
    "  output @u: f32[1, 4]\n"
    "  sbuf %x: f32[1, 4] slots 1\n"
    "  sbuf %y: f32[1, 4] slots 1\n"
    "  sbuf %one: f32[1, 4] slots 1\n"
    "  sbuf %p: bool[1, 4] slots 1\n"
    "  sync dma q1 [1] %x[0; (1,4)] = @x[0; 0*p; (1,4)]\n"
    "  scalar act.f32 sqrt [1] %y[0; (1,4)] = %x[0; (1,4)]\n"
    "  vector tt.f32 mul [1] %y[0; (1,4)] = %y[0; (1,4)], %y[0; (1,4)]\n"
    "  vector tt.f32 gt [1] %p[0; (1,4)] = %y[0; (1,4)], %x[0; (1,4)]\n"
    "  vector fill.f32 [1] %y[0; (1,4)] = -1.0\n"
    "  vector fill.f32 [1] %one[0; (1,4)] = 1.0\n"
    "  vector select [1] %y[0; (1,4)] = %one[0; (1,4)] if %p[0; (1,4)]\n"
    "  sync dma q1 [1] @y[0; 0*p; (1,4)] = %y[0; (1,4)]\n"
    "  scalar act.f32 exp [1] %x[0; (1,4)] = %x[0; (1,4)]\n"
    "  sync dma q1 [1] @t[0; 0*p; (1,4)] = %x[0; (1,4)]\n"
    "  sync dma q1 [1] %x[0; (1,4)] = @t[0; 0*p; (1,4)]\n"
    "  vector ts.f32 mul [1] %x[0; (1,4)] = %x[0; (1,4)], 2.0\n"
    "  sync dma q1 [1] @u[0; 0*p; (1,4)] = %x[0; (1,4)]\n"
    "}\n";

static void
test_decisions_and_cuts(void **state)
{
    fixture *f = *state;
    float x[4] = {2, 3, 4, 9}, y[4], t[4], u[4];
    double ey[4], et[4], eu[4];
    void *buf[] = {x, y, t, u};
    double *errs[] = {NULL, ey, et, eu};
    bool cut[] = {false, false, true, false};

    run_bound(f, decide_text, buf, errs, NULL);
    assert_true(ey[0] >= 2 && ey[0] < 2.1 && ey[1] >= 2); // either way
    assert_true(ey[2] == 0 && ey[3] == 0);                // exact roots decide
    assert_true(et[0] > 0 && eu[0] >= 2 * et[0]);
    run_bound(f, decide_text, buf, errs, cut);
    assert_true(et[0] > 0 && eu[0] == 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_binary_rules),  T(test_binary_rules_are_tight),
        T(test_exact_results), T(test_unary_rules),
        T(test_infinities),    T(test_store_rules),
        T(test_int_rules),     T(test_softmax),
        T(test_layernorm),     T(test_matmul),
        T(test_matmul_teeth),  T(test_decisions_and_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
