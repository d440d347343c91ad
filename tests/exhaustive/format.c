// SPDX-License-Identifier: Apache-2.0
// Element types as their standards define them.
#include "tests/exhaustive/format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static format formats[] = {
    {.name = "f32", .kind = FORMAT_IEEE, .bits = 32, .man = 23, .bias = 127},
    {.name = "tf32",
     .kind = FORMAT_IEEE,
     .bits = 19,
     .man = 10,
     .bias = 127,
     .pad = 13},
    {.name = "f16", .kind = FORMAT_IEEE, .bits = 16, .man = 10, .bias = 15},
    {.name = "bf16", .kind = FORMAT_IEEE, .bits = 16, .man = 7, .bias = 127},
    {.name = "f8e4m3", .kind = FORMAT_IEEE, .bits = 8, .man = 3, .bias = 7},
    {.name = "f8e5m2", .kind = FORMAT_IEEE, .bits = 8, .man = 2, .bias = 15},
    {.name = "f8e3m4", .kind = FORMAT_IEEE, .bits = 8, .man = 4, .bias = 3},
    {.name = "i8", .kind = FORMAT_SIGNED, .bits = 8},
    {.name = "i16", .kind = FORMAT_SIGNED, .bits = 16},
    {.name = "i32", .kind = FORMAT_SIGNED, .bits = 32},
    {.name = "u8", .kind = FORMAT_UNSIGNED, .bits = 8},
    {.name = "u16", .kind = FORMAT_UNSIGNED, .bits = 16},
    {.name = "u32", .kind = FORMAT_UNSIGNED, .bits = 32},
    {.name = "bool", .kind = FORMAT_BOOL, .bits = 8},
    {.name = "f8e4m3fn",
     .kind = FORMAT_FINITE,
     .bits = 8,
     .man = 3,
     .bias = 7,
     .nan = 0x7f},
    {.name = "f4e2m1",
     .kind = FORMAT_FINITE,
     .bits = 4,
     .man = 1,
     .bias = 1,
     .nan = 8}, // a zero: it has none
    {.name = "e8m0", .kind = FORMAT_SCALE, .bits = 8},
    {.name = "f8e4m3fnx4", .kind = FORMAT_PACKED, .bits = 32},
    {.name = "f8e5m2x4", .kind = FORMAT_PACKED, .bits = 32},
    {.name = "f4e2m1x4", .kind = FORMAT_PACKED, .bits = 16},
};

format *
format_find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    return NULL;
}

bool
format_is_float(const format *f)
{
    return f->kind == FORMAT_IEEE || f->kind == FORMAT_FINITE ||
           f->kind == FORMAT_SCALE;
}

// ---- values

// Of the code without sign, counted in last places: no infinities here.
static double
magnitude_value(const format *f, uint32_t code)
{
    int exponent = (int)(code >> f->man);
    uint32_t fraction = code & ((1u << f->man) - 1);
    if (exponent == 0)
        return ldexp(fraction, 1 - f->bias - f->man);
    return ldexp(fraction + (1u << f->man), exponent - f->bias - f->man);
}

static uint32_t
infinity_code(const format *f)
{
    uint32_t magnitudes = 1u << (f->bits - 1);
    if (f->kind == FORMAT_FINITE) // the first that is not a number
        return f->nan < magnitudes ? f->nan : magnitudes;
    return magnitudes - (1u << f->man);
}

static double
float_value(const format *f, uint32_t code)
{
    float host; // the compiler's
    if (f->bits == 32) {
        memcpy(&host, &code, sizeof host);
        return (double)host;
    }
    code >>= f->pad;
    uint32_t sign = code >> (f->bits - 1) & 1;
    uint32_t mag = code & ((1u << (f->bits - 1)) - 1);
    bool finite = f->kind == FORMAT_FINITE;
    double v = mag > infinity_code(f) ? (double)NAN
               : mag == infinity_code(f)
                   ? (finite ? (double)NAN : (double)INFINITY)
                   : magnitude_value(f, mag);
    return sign ? -v : v;
}

double
format_value(const format *f, uint32_t code)
{
    uint32_t top = 1u << (f->bits - 1);
    switch (f->kind) {
    case FORMAT_IEEE:
    case FORMAT_FINITE: return float_value(f, code);
    case FORMAT_SCALE:
        return code == 255 ? (double)NAN : ldexp(1, (int)code - 127);
    case FORMAT_PACKED: break;
    case FORMAT_SIGNED:
        return code & top ? (double)code - 2.0 * top : (double)code;
    case FORMAT_UNSIGNED: return (double)code;
    case FORMAT_BOOL: return code != 0;
    }
    return NAN;
}

// ---- rounding

// The values halfway between neighbours; the largest number's would-be
// neighbour is where infinity begins.
static void
find_edges(format *f)
{
    f->edges = infinity_code(f);
    f->edge = calloc((size_t)f->edges + 1, sizeof *f->edge);
    if (f->edge == NULL)
        abort();
    for (uint32_t c = 1; c <= f->edges; c++)
        f->edge[c] = 0.5 * (magnitude_value(f, c - 1) + magnitude_value(f, c));
}

uint32_t
format_magnitude(format *f, double x)
{
    if (f->edge == NULL)
        find_edges(f);
    uint32_t lo = 0, hi = f->edges; // edge[lo] <= |x|, and edge[hi + 1] is not
    x = fabs(x);
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo + 1) / 2;
        if (x > f->edge[mid] || (x == f->edge[mid] && mid % 2 == 0))
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

uint32_t
format_signed(const format *f, uint32_t mag, bool negative)
{
    uint32_t sign = negative ? 1u << (f->bits - 1) : 0;
    if (f->kind == FORMAT_FINITE && mag >= infinity_code(f)) {
        if (f->nan < 1u << (f->bits - 1)) // NaN, without a sign
            return f->nan;
        mag = infinity_code(f) - 1; // saturated
    }
    return (sign | mag) << f->pad;
}

// To the nearest power of two; from 3/4 of the next one up.
static uint32_t
scale_code(double x)
{
    int e;
    if (!(x > 0) || isinf(x))
        return 255;
    double m = frexp(x, &e); // x = m 2^e, m in [1/2, 1)
    int code = 127 + (m >= 0.75 ? e : e - 1);
    return code < 0 ? 0 : code > 254 ? 255 : (uint32_t)code;
}

static uint32_t
float_code(format *f, double x)
{
    if (isnan(x) && f->kind == FORMAT_FINITE)
        return f->nan;
    if (isnan(x))
        return (infinity_code(f) | 1u << (f->man - 1)) << f->pad;
    if (f->bits == 32) { // a table of them would be large
        union {
            float f;
            uint32_t u;
        } v = {(float)x};
        return v.u;
    }
    return format_signed(f, format_magnitude(f, x), signbit(x) != 0);
}

static double
nearest_integer(double x)
{
    double down = floor(x), over = x - down;
    if (over > 0.5 || (over == 0.5 && fmod(down, 2) != 0))
        return down + 1;
    return down;
}

static uint32_t
integer_code(double x, double lo, double hi)
{
    if (isnan(x))
        return 0;
    if (x <= lo)
        return (uint32_t)(int64_t)lo;
    if (x >= hi)
        return (uint32_t)(int64_t)hi;
    return (uint32_t)(int64_t)nearest_integer(x);
}

uint32_t
format_code(format *f, double x)
{
    uint32_t mask = f->bits == 32 ? 0xffffffffu : (1u << f->bits) - 1;
    double top = ldexp(1, f->bits - 1);
    switch (f->kind) {
    case FORMAT_IEEE:
    case FORMAT_FINITE: return float_code(f, x);
    case FORMAT_SCALE: return scale_code(x);
    case FORMAT_PACKED: break;
    case FORMAT_SIGNED: return integer_code(x, -top, top - 1) & mask;
    case FORMAT_UNSIGNED: return integer_code(x, 0, 2 * top - 1);
    case FORMAT_BOOL: return x != 0;
    }
    return 0;
}

uint32_t
format_code_int(format *f, int64_t x)
{
    uint32_t mask = f->bits == 32 ? 0xffffffffu : (1u << f->bits) - 1;
    if (f->kind == FORMAT_SIGNED || f->kind == FORMAT_UNSIGNED)
        return (uint32_t)(uint64_t)x & mask;
    return format_code(f, (double)x);
}
