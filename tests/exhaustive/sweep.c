// SPDX-License-Identifier: Apache-2.0
// A worker of the exhaustive run: one function or one conversion over a range
// of 32-bit inputs. Prints one line of JSON; long.py keeps the ledger.
//   sweep list
//   sweep sample     a little of each, the screen's promise included
//   sweep func NAME FIRST COUNT [STEP]   4096 inputs every STEP (4096)
//   sweep random NAME SEED COUNT         every one through MPFR
//   sweep convert FROM:TO FIRST COUNT [STEP]
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/exhaustive/format.h"
#include "tests/exhaustive/oracle.h"
#include "tests/exhaustive/screen.h"

enum { ROW = 4096, BITS = 128, SHOWN = 8 };

// What lies this close (in ulps) to a point halfway between two results, where
// the rounding is decided, is MPFR's.
#define NEAR 0x1p-10

typedef struct {
    uint64_t inputs, mpfr, failures;
    double worst; // ulps
    num_word at;
    mpfr_t x, y;
} tally;

static void
fail(tally *t, const char *what, num_word x, num_word got)
{
    if (t->failures++ < SHOWN)
        fprintf(stderr, "%s: %08" PRIx32 " gives %08" PRIx32 "\n", what, x,
                got);
}

static void
note(tally *t, double ulps, num_word x)
{
    if (ulps > t->worst) {
        t->worst = ulps;
        t->at = x;
    }
}

// ---- by MPFR

// y rounded once: for functions whose values are no closer to halfway than
// BITS tells, unless they are halfway.
static num_word
rounded(const mpfr_t y)
{
    return mpfr_nan_p(y) ? NUM_CANONICAL_NAN
                         : num_word_f32(mpfr_get_flt(y, MPFR_RNDN));
}

static void
check_mpfr(tally *t, num_unary f, num_word x, num_word got)
{
    mpfr_set_flt(t->x, num_f32(x), MPFR_RNDN);
    oracle1(f, t->y, t->x);
    double u = oracle_ulps(got, t->y), promised = num_unary_ulp(f);
    t->mpfr++;
    if (u > promised || (promised <= 0.5 && got != rounded(t->y)))
        fail(t, num_unary_name(f), x, got);
    note(t, u, x);
}

// After check_mpfr: whether the screen keeps its promise there.
static void
check_screen(tally *t, num_unary f, num_word x, dd1 s)
{
    double v = fabs(mpfr_get_d(t->y, MPFR_RNDN));
    if (!(v > 0x1p-150 && v < 0x1p128) || isnan(s.h) || s.h == 0)
        return;
    mpfr_sub_d(t->x, t->y, s.h, MPFR_RNDN);
    mpfr_sub_d(t->x, t->x, s.l, MPFR_RNDN);
    if (fabs(mpfr_get_d(t->x, MPFR_RNDA)) > ldexp(v, SCREEN_BITS)) {
        fprintf(stderr, "the screen of ");
        fail(t, num_unary_name(f), x, 0);
    }
}

// ---- by the screen

static inline double
two_to(int64_t e)
{
    union {
        int64_t i;
        double d;
    } v = {(e + 1023) * (INT64_C(1) << 52)};
    return v.d;
}

// The rounded values, and how far they are from halfway to the next.
static void
decide(const dd *y, num_word *want, double *margin)
{
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        union {
            double d;
            int64_t i;
        } v = {y->h[i]};
        int64_t e = (v.i >> 52 & 0x7ff) - 1023 - 23;
        e = e < -149 ? -149 : e > 104 ? 104 : e;
        double a = fabs(y->h[i]), up = two_to(-e);
        double t = (a > 0x1p129 ? 0x1p129 : a) * up;
        double l = (v.i < 0 ? -y->l[i] : y->l[i]) * (a > 0x1p129 ? 0 : up);
        double r = (t + 0x1.8p52) - 0x1.8p52;
        margin[i] = 0.5 - fabs((t - r) + l);
        double w = r * two_to(e);
        want[i] = num_word_f32((float)(v.i < 0 ? -w : w));
    }
}

static void
check_block(tally *t, num_unary f, num_word first, const num_word *got)
{
    double x[LANES], margin[LANES], lo, hi, worst = 0;
    num_word want[LANES];
    dd y;
    int at = 0;
    screen_domain(f, &lo, &hi);
    for (int i = 0; i < LANES; i++)
        x[i] = (double)num_f32(first + (num_word)i);
    screen_value(f, x, &y);
    decide(&y, want, margin);
    bool exact = num_unary_ulp(f) == 0; // zeros then have their signs
    for (int i = 0; i < LANES; i++) {
        bool outside = x[i] < lo || x[i] > hi;
        bool sure = margin[i] >= NEAR && (exact || y.h[i] != 0);
        if (outside ? got[i] == NUM_CANONICAL_NAN : sure && got[i] == want[i]) {
            if (!outside && 0.5 - margin[i] > worst) {
                worst = 0.5 - margin[i];
                at = i;
            }
            continue;
        }
        check_mpfr(t, f, first + (num_word)i, got[i]);
        if (!outside)
            check_screen(t, f, first + (num_word)i, DD_GET(&y, i));
    }
    note(t, worst, first + (num_word)at);
}

// Without a screen: all NaN, or infinite.
static bool
is_special(num_unary f, num_word first)
{
    double lo, hi, x = (double)num_f32(first);
    double last = (double)num_f32(first + LANES - 1);
    screen_domain(f, &lo, &hi);
    return (first & 0x7f800000u) == 0x7f800000u || (x > hi && last > hi) ||
           (x < lo && last < lo);
}

static void
check_special(tally *t, num_unary f, num_word first, const num_word *got)
{
    for (num_word i = 0; i < LANES; i++) {
        bool infinite = (first + i) << 1 == 0xff000000u;
        if (infinite)
            check_mpfr(t, f, first + i, got[i]);
        else if (got[i] != NUM_CANONICAL_NAN)
            fail(t, num_unary_name(f), first + i, got[i]);
    }
}

static void
sweep_func(tally *t, num_unary f, num_word first)
{
    num_word x[ROW], got[ROW];
    for (num_word i = 0; i < ROW; i++)
        x[i] = first + i;
    num_row1(f, NUM_AS_F32, ROW, got, x);
    for (num_word i = 0; i < ROW; i += LANES) {
        if (is_special(f, first + i))
            check_special(t, f, first + i, got + i);
        else
            check_block(t, f, first + i, got + i);
    }
    t->inputs += ROW;
}

static void
sweep_random(tally *t, num_unary f, uint64_t seed, uint64_t count)
{
    for (uint64_t s = seed << 32; count-- > 0; t->inputs++) {
        uint64_t z = (s += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        num_word x = (num_word)(z >> 32);
        check_mpfr(t, f, x, num_apply1(f, NUM_AS_F32, x));
    }
}

// ---- conversions

typedef struct {
    num_dtype t;
    num_as as;
    format *from, *to;
    uint32_t mag; // of the last float: the next is near
} conversion;

// format_code, but the search begins where the last one ended.
static uint32_t
next_code(conversion *c, double x)
{
    format *f = c->to;
    if (f->edge == NULL || isnan(x))
        return format_code(f, x);
    double a = fabs(x);
    while (c->mag < f->edges && (a > f->edge[c->mag + 1] ||
                                 (a == f->edge[c->mag + 1] && c->mag % 2 != 0)))
        c->mag++;
    while (c->mag > 0 &&
           (a < f->edge[c->mag] || (a == f->edge[c->mag] && c->mag % 2 != 0)))
        c->mag--;
    return format_signed(f, c->mag, signbit(x) != 0);
}

static void
sweep_convert(tally *t, conversion *c, const char *name, num_word first)
{
    num_word x[ROW];
    uint8_t out[ROW * 4] = {0};
    uint32_t bytes = num_dtype_bytes(c->t);
    for (num_word i = 0; i < ROW; i++)
        x[i] = first + i;
    num_store_row(c->t, out, bytes, ROW, c->as, x);
    for (num_word i = 0; i < ROW; i++) {
        double v = format_value(c->from, x[i]);
        uint32_t want = c->as == NUM_AS_F32 || format_is_float(c->to)
                            ? next_code(c, v)
                            : format_code_int(c->to, (int64_t)v);
        uint32_t got = 0;
        memcpy(&got, out + (size_t)i * bytes, bytes);
        if (got != want)
            fail(t, name, x[i], got);
    }
    t->inputs += ROW;
}

// "f32:bf16"
static bool
begin_conversion(conversion *c, const char *name)
{
    const char *colon = strchr(name, ':');
    if (colon == NULL)
        return false;
    num_dtype from = num_dtype_parse(name, (size_t)(colon - name));
    c->t = num_dtype_parse(colon + 1, strlen(colon + 1));
    c->as = num_widened(from);
    c->from = format_find(num_dtype_name(from));
    c->to = format_find(num_dtype_name(c->t));
    c->mag = 0;
    if (c->from == NULL || c->to == NULL) {
        fprintf(stderr, "no oracle for %s\n", name);
        return false;
    }
    if (c->to->kind == FORMAT_FINITE ||
        (c->to->kind == FORMAT_IEEE && c->to->bits < 32))
        format_magnitude(c->to, 0); // makes its table
    return true;
}

// ---- what there is to do

typedef struct {
    const char *kind, *name;
    uint64_t first, count, step;
} task;

static bool
run(tally *t, const task *k)
{
    conversion c;
    num_unary f = num_unary_parse(k->name, strlen(k->name));
    bool convert = strcmp(k->kind, "convert") == 0;
    bool random = strcmp(k->kind, "random") == 0;
    if (convert ? !begin_conversion(&c, k->name)
                : f == NUM_U_NONE || !oracle_has1(f) ||
                      !(random || screen_has(f))) {
        fprintf(stderr, "no oracle for %s %s\n", k->kind, k->name);
        return false;
    }
    num_env env = num_env_enter();
    uint64_t first = k->first;
    if (random)
        sweep_random(t, f, first, k->count);
    for (uint64_t n = 0; !random && n < k->count; n += ROW, first += k->step) {
        if (convert)
            sweep_convert(t, &c, k->name, (num_word)first);
        else
            sweep_func(t, f, (num_word)first);
    }
    num_env_leave(env);
    return true;
}

static void
each(void (*act)(void *user, const char *kind, const char *name), void *user)
{
    static const num_dtype from[] = {DT_F32, DT_I32, DT_U32};
    for (int f = 1; f < NUM_U_COUNT; f++) {
        // what gives another type has its own test (unary.c)
        if (num_unary_takes((num_unary)f, NUM_AS_F32) &&
            num_unary_gives((num_unary)f, NUM_AS_F32) == NUM_AS_F32)
            act(user, "func", num_unary_name((num_unary)f));
    }
    for (size_t s = 0; s < sizeof from / sizeof *from; s++) {
        for (int t = 1; t < DT_COUNT; t++) {
            if (num_is_packed((num_dtype)t))
                continue;
            char name[64];
            snprintf(name, sizeof name, "%s:%s", num_dtype_name(from[s]),
                     num_dtype_name((num_dtype)t));
            act(user, "convert", name);
        }
    }
}

static void
list_one(void *user, const char *kind, const char *name)
{
    (void)user;
    printf("%s %s\n", kind, name);
}

// 2^18 inputs, a row in each of 64 stretches, not where the stretch begins.
static void
sample_one(void *user, const char *kind, const char *name)
{
    tally *t = user;
    uint32_t h = 0;
    for (const char *c = name; *c != 0; c++)
        h = h * 31 + (uint8_t)*c;
    uint64_t first = (uint64_t)(h % 16384) * ROW;
    task k = {kind, name, first, UINT64_C(1) << 18, UINT64_C(1) << 26};
    if (strcmp(kind, "random") == 0)
        k.count = ROW;
    if (!run(t, &k))
        t->failures++;
    k.first = 0;
    k.count = ROW;
    if (!run(t, &k))
        t->failures++;
}

static int
report(const tally *t, char **argv, clock_t start)
{
    printf("{\"kind\": \"%s\", \"name\": \"%s\", \"first\": %s, \"inputs\": "
           "%" PRIu64 ", \"mpfr\": %" PRIu64 ", \"failures\": %" PRIu64
           ", \"worst\": %.17g, \"at\": \"%08" PRIx32 "\", \"seconds\": "
           "%.2f}\n",
           argv[1], argv[2], argv[3], t->inputs, t->mpfr, t->failures,
           isfinite(t->worst) ? t->worst : 1e9, t->at,
           (double)(clock() - start) / CLOCKS_PER_SEC);
    return t->failures != 0;
}

static int
usage(void)
{
    fprintf(stderr, "usage: sweep list | sample\n"
                    "       sweep func|convert NAME FIRST COUNT [STEP]\n"
                    "       sweep random NAME SEED COUNT\n");
    return 2;
}

int
main(int argc, char **argv)
{
    tally t = {0};
    clock_t start = clock();
    mpfr_init2(t.x, 160);
    mpfr_init2(t.y, BITS);
    screen_begin();
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        each(list_one, NULL);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "sample") == 0) {
        each(sample_one, &t);
        printf("%" PRIu64 " inputs, %" PRIu64 " by MPFR, %" PRIu64 " wrong\n",
               t.inputs, t.mpfr, t.failures);
        return t.failures != 0;
    }
    if (argc < 5)
        return usage();
    task k = {argv[1], argv[2], strtoull(argv[3], NULL, 0),
              strtoull(argv[4], NULL, 0),
              argc > 5 ? strtoull(argv[5], NULL, 0) : ROW};
    return run(&t, &k) ? report(&t, argv, start) : 1;
}
