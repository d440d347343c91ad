// SPDX-License-Identifier: Apache-2.0
// Every code of every element type of up to 16 bits: its value, its conversion
// to every type, the integer functions of it, and, for types of up to 8 bits,
// every binary operation over every pair. One element at a time and in rows.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/exhaustive/format.h"
#include "tests/exhaustive/oracle.h"

enum { CODES = 65536, SHOWN = 20 };

static int failures;
static uint64_t compared;

static void
differ(const char *what, const char *type, uint32_t a, uint32_t b, num_word got,
       num_word want)
{
    if (failures++ < SHOWN)
        printf("%s %s %08" PRIx32 " %08" PRIx32 ": %08" PRIx32
               ", expected %08" PRIx32 "\n",
               what, type, a, b, got, want);
}

static void
same(const char *what, const char *type, const uint32_t *args, num_word got,
     num_word want)
{
    compared++;
    if (got != want)
        differ(what, type, args[0], args[1], got, want);
}

static format *
must_find(num_dtype t)
{
    format *f = format_find(num_dtype_name(t));
    if (f == NULL) {
        printf("no oracle for type %s\n", num_dtype_name(t));
        failures++;
    }
    return f;
}

// ---- values of codes

// What a register holds for a value: binary32 (exact), or the integer.
static num_word
widened(const format *f, double v)
{
    if (format_is_float(f))
        return isnan(v) ? NUM_CANONICAL_NAN : num_word_f32((float)v);
    return (num_word)(int64_t)v;
}

static uint32_t
codes_of(const format *f)
{
    return f->bits >= 16 ? CODES : 1u << f->bits;
}

// Elements lie as bytes; 'stride' of them apart.
static void
lay_out(uint8_t *p, uint32_t bytes, uint32_t stride, uint32_t n)
{
    for (uint32_t c = 0; c < n; c++)
        memcpy(p + (size_t)c * bytes * stride, &c, bytes);
}

static void
check_loads(num_dtype t, const format *f)
{
    static uint8_t p[CODES * 2 * 3];
    static num_word row[CODES];
    uint32_t bytes = num_dtype_bytes(t), n = codes_of(f);
    for (uint32_t stride = 1; stride <= 3; stride += 2) {
        lay_out(p, bytes, stride, n);
        num_load_row(t, p, bytes * stride, n, row);
        for (uint32_t c = 0; c < n; c++) {
            num_word want = widened(f, format_value(f, c));
            const uint32_t args[2] = {c, stride};
            same("load", f->name, args, row[c], want);
            same("load", f->name, args,
                 num_load(t, p + (size_t)c * bytes * stride), want);
        }
    }
}

// ---- every type to every type

static uint32_t
expected_store(const format *from, format *to, double v)
{
    if (format_is_float(from))
        return format_code(to, v);
    return format_code_int(to, (int64_t)v);
}

static void
check_store(num_dtype s, num_dtype t, const format *from, format *to)
{
    static num_word in[CODES];
    static uint8_t row[CODES * 4 * 3];
    uint32_t bytes = num_dtype_bytes(t), n = codes_of(from);
    num_as as = num_widened(s);
    char name[64];
    snprintf(name, sizeof name, "%s to %s", from->name, to->name);
    for (uint32_t c = 0; c < n; c++)
        in[c] = widened(from, format_value(from, c));
    for (uint32_t stride = 1; stride <= 3; stride += 2) {
        num_store_row(t, row, bytes * stride, n, as, in);
        for (uint32_t c = 0; c < n; c++) {
            const uint32_t args[2] = {c, stride};
            uint32_t one = 0, got = 0;
            num_store(t, &one, as, in[c]);
            memcpy(&got, row + (size_t)c * bytes * stride, bytes);
            uint32_t want = expected_store(from, to, format_value(from, c));
            same("row", name, args, got, want);
            same("store", name, args, one, want);
        }
    }
}

static void
check_types(void)
{
    for (int s = 1; s < DT_COUNT; s++) {
        const format *from = must_find((num_dtype)s);
        if (from == NULL || from->bits + from->pad > 16 ||
            from->kind == FORMAT_PACKED)
            continue;
        check_loads((num_dtype)s, from);
        for (int t = 1; t < DT_COUNT; t++) {
            format *to = must_find((num_dtype)t);
            if (to != NULL && to->kind != FORMAT_PACKED)
                check_store((num_dtype)s, (num_dtype)t, from, to);
        }
    }
}

// ---- functions of integers

// Mathematical integers; wrapping to 32 bits is the caller's.
static bool
integer1(num_unary f, int64_t x, bool is_bool, int64_t *y)
{
    switch (f) {
    case NUM_COPY: *y = x; return true;
    case NUM_NEG: *y = -x; return true;
    case NUM_ABS: *y = x < 0 ? -x : x; return true;
    case NUM_SIGN: *y = (x > 0) - (x < 0); return true;
    case NUM_NOT: *y = is_bool ? !x : -1 - x; return true;
    case NUM_POPCOUNT: *y = __builtin_popcount((uint32_t)x); return true;
    case NUM_CLZ: *y = x == 0 ? 32 : __builtin_clz((uint32_t)x); return true;
    case NUM_BITS_F32: // of at most 16 bits: too small for infinity, or NaN
        *y = x < 0 ? (int64_t)NUM_CANONICAL_NAN : x;
        return true;
    default: return false;
    }
}

static void
check_integer1(num_unary f, num_dtype t, const format *in)
{
    num_as as = num_widened(t);
    for (uint32_t c = 0; num_unary_takes(f, as) && c < codes_of(in); c++) {
        double v = format_value(in, c);
        const uint32_t args[2] = {c, 0};
        int64_t want;
        if (!integer1(f, (int64_t)v, as == NUM_AS_BOOL, &want)) {
            printf("no oracle for %s of integers\n", num_unary_name(f));
            failures++;
            return;
        }
        num_word got = num_apply1(f, as, widened(in, v));
        same(num_unary_name(f), in->name, args, got, (num_word)want);
    }
}

static void
check_integers(void)
{
    for (int t = 1; t < DT_COUNT; t++) {
        const format *in = must_find((num_dtype)t);
        if (in == NULL || format_is_float(in) || in->bits > 16)
            continue;
        for (int f = 1; f < NUM_U_COUNT; f++)
            check_integer1((num_unary)f, (num_dtype)t, in);
    }
}

// ---- pairs

static double
lesser(double a, double b)
{
    if (isnan(a) || isnan(b))
        return NAN;
    if (a == 0 && b == 0)
        return signbit(a) ? a : b;
    return a < b ? a : b;
}

// In binary64: sums and products of 8-bit floats are exact there, and their
// quotients round to binary32 as the exact ones do (53 >= 2 * 24 + 2).
static bool
float2(num_binary f, double a, double b, double *y)
{
    switch (f) {
    case NUM_ADD: *y = a + b; return true;
    case NUM_SUB: *y = a - b; return true;
    case NUM_MUL: *y = a * b; return true;
    case NUM_DIV: *y = a / b; return true;
    case NUM_MOD: *y = fmod(a, b); return true;
    case NUM_MIN: *y = lesser(a, b); return true;
    case NUM_MAX: *y = -lesser(-a, -b); return true;
    default: return false;
    }
}

static bool
compare2(num_binary f, double a, double b, num_word *y)
{
    switch (f) {
    case NUM_EQ: *y = a == b; return true;
    case NUM_NE: *y = !(a == b); return true;
    case NUM_LT: *y = a < b; return true;
    case NUM_LE: *y = a < b || a == b; return true;
    case NUM_GT: *y = b < a; return true;
    case NUM_GE: *y = b < a || a == b; return true;
    case NUM_LAND: *y = a != 0 && b != 0; return true;
    case NUM_LOR: *y = a != 0 || b != 0; return true;
    case NUM_LXOR: *y = (a != 0) + (b != 0) == 1; return true;
    default: return false;
    }
}

static uint32_t
philox(uint32_t a, uint32_t b)
{
    const uint32_t counter[4] = {b / 4, 0, 0, 0}, key[2] = {a, 0};
    uint32_t out[4];
    oracle_philox(counter, key, out);
    return out[b % 4];
}

static bool
integer2(num_binary f, int64_t a, int64_t b, int64_t *y)
{
    switch (f) {
    case NUM_ADD: *y = a + b; return true;
    case NUM_SUB: *y = a - b; return true;
    case NUM_MUL: *y = a * b; return true;
    case NUM_DIV: *y = b == 0 ? 0 : a / b; return true;
    case NUM_MOD: *y = b == 0 ? 0 : a - a / b * b; return true;
    case NUM_MIN: *y = a < b ? a : b; return true;
    case NUM_MAX: *y = a < b ? b : a; return true;
    case NUM_AND: *y = a & b; return true;
    case NUM_OR: *y = a | b; return true;
    case NUM_XOR: *y = a ^ b; return true;
    case NUM_SHL: *y = (int64_t)((uint64_t)a << (b & 31)); return true;
    case NUM_SHR:
        *y = (int64_t)floor(ldexp((double)a, -(int)(b & 31)));
        return true;
    case NUM_LSHR: *y = (int64_t)((uint32_t)a >> (b & 31)); return true;
    case NUM_DIV_FLOOR:
        *y = b == 0 ? 0 : (int64_t)floor((double)a / (double)b);
        return true;
    case NUM_MOD_FLOOR:
        *y = b == 0 ? 0 : a - b * (int64_t)floor((double)a / (double)b);
        return true;
    case NUM_PHILOX: *y = philox((uint32_t)a, (uint32_t)b); return true;
    default: return false;
    }
}

// False: no oracle. Functions that are not exact go through MPFR, and 'want' is
// then what was got if that is within the promised error.
static bool
expected2(num_binary f, num_as as, const double *v, num_word got,
          num_word *want)
{
    int64_t i;
    double y;
    if (compare2(f, v[0], v[1], want))
        return true;
    if (as != NUM_AS_F32) {
        bool known = integer2(f, (int64_t)v[0], (int64_t)v[1], &i);
        *want = (num_word)(uint64_t)i;
        return known;
    }
    if (float2(f, v[0], v[1], &y)) {
        *want = isnan(y) ? NUM_CANONICAL_NAN : num_word_f32((float)y);
        return true;
    }
    num_word a = num_word_f32((float)v[0]), b = num_word_f32((float)v[1]);
    double u = oracle_ulps2(f, a, b, got);
    *want = u <= num_binary_ulp(f) ? got : ~got;
    return u >= 0;
}

// One row of pairs: a fixed first operand with every second one.
static bool
check_pairs_of(num_binary f, num_dtype t, format *in, uint32_t a)
{
    num_word x[256], y[256], got[256];
    num_as as = num_widened(t), gives = num_binary_gives(f, as);
    uint32_t n = codes_of(in);
    for (uint32_t b = 0; b < n; b++) {
        x[b] = widened(in, format_value(in, a));
        y[b] = widened(in, format_value(in, b));
    }
    num_row2(f, as, n, got, x, y, 1);
    for (uint32_t b = 0; b < n; b++) {
        const double v[2] = {format_value(in, a), format_value(in, b)};
        const uint32_t args[2] = {a, b};
        num_word want;
        if (!expected2(f, as, v, got[b], &want))
            return false;
        same(num_binary_name(f), in->name, args, got[b], want);
        same(num_binary_name(f), in->name, args, num_apply2(f, as, x[b], y[b]),
             want);
        // and rounded to the operands' own type
        uint8_t code = 0;
        num_store(t, &code, gives, got[b]);
        uint32_t own = gives == NUM_AS_F32
                           ? format_code(in, (double)num_f32(got[b]))
                           : format_code_int(in, (int64_t)got[b]);
        same(num_binary_name(f), in->name, args, code, own);
    }
    return true;
}

static void
check_pairs(void)
{
    for (int t = 1; t < DT_COUNT; t++) {
        format *in = must_find((num_dtype)t);
        for (int f = 1; in != NULL && in->bits <= 8 && f < NUM_B_COUNT; f++) {
            bool known = true;
            if (!num_binary_takes((num_binary)f, num_widened((num_dtype)t)))
                continue;
            for (uint32_t a = 0; known && a < codes_of(in); a++)
                known = check_pairs_of((num_binary)f, (num_dtype)t, in, a);
            if (!known) {
                printf("no oracle for %s of %s\n",
                       num_binary_name((num_binary)f), in->name);
                failures++;
            }
        }
    }
}

int
main(void)
{
    num_env env = num_env_enter();
    check_types();
    check_integers();
    check_pairs();
    num_env_leave(env);
    printf("%" PRIu64 " compared, %d differ\n", compared, failures);
    return failures != 0;
}
