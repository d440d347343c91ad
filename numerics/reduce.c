// SPDX-License-Identifier: Apache-2.0
// Reductions in their fixed order: 32 partials, then a halving tree.
#include "numerics/numerics_int.h"

#include <string.h>

static const struct {
    const char *name;
    num_binary step;
} info[NUM_R_COUNT] = {
    {"none", NUM_B_NONE},   {"sum", NUM_ADD}, {"prod", NUM_MUL},
    {"max", NUM_MAX},       {"min", NUM_MIN}, {"any", NUM_OR},
    {"all", NUM_AND},       {"sub", NUM_SUB}, {"and", NUM_AND},
    {"or", NUM_OR},         {"xor", NUM_XOR}, {"absmax", NUM_B_NONE},
    {"absmin", NUM_B_NONE},
};

const char *
num_reduce_name(num_reduce r)
{
    return (unsigned)r < NUM_R_COUNT ? info[r].name : "none";
}

num_reduce
num_reduce_parse(const char *name, size_t n)
{
    for (uint32_t i = 1; i < NUM_R_COUNT; i++) {
        if (strlen(info[i].name) == n && memcmp(info[i].name, name, n) == 0)
            return (num_reduce)i;
    }
    return NUM_R_NONE;
}

num_binary
num_reduce_binary(num_reduce r)
{
    return (unsigned)r < NUM_R_COUNT ? info[r].step : NUM_B_NONE;
}

static num_word
least(num_as as)
{
    switch (as) {
    case NUM_AS_F32: return 0xff800000u;
    case NUM_AS_I32: return 0x80000000u;
    default: return 0;
    }
}

static num_word
greatest(num_as as)
{
    switch (as) {
    case NUM_AS_F32: return 0x7f800000u;
    case NUM_AS_I32: return 0x7fffffffu;
    case NUM_AS_U32: return 0xffffffffu;
    default: return 1;
    }
}

num_word
num_reduce_identity(num_reduce r, num_as as)
{
    switch (r) {
    case NUM_R_PROD: return as == NUM_AS_F32 ? 0x3f800000u : 1;
    case NUM_R_MAX: return least(as);
    case NUM_R_MIN: return greatest(as);
    case NUM_R_ALL: return 1;
    case NUM_R_AND: return 0xffffffffu;
    case NUM_R_ABSMIN: return greatest(as);
    case NUM_R_SUM:
    case NUM_R_ANY:
    case NUM_R_SUB:
    case NUM_R_OR:
    case NUM_R_XOR:
    case NUM_R_ABSMAX:
    case NUM_R_NONE:
    case NUM_R_COUNT: break;
    }
    return 0;
}

static bool
is_magnitude(num_reduce r)
{
    return r == NUM_R_ABSMAX || r == NUM_R_ABSMIN;
}

// The operand of larger (smaller) magnitude with its sign; of equal ones the
// second; a NaN wins. f32 only.
static num_word
by_magnitude(num_reduce r, num_word a, num_word b)
{
    num_word ma = a & 0x7fffffffu, mb = b & 0x7fffffffu;
    if (num_word_is_nan(a) || num_word_is_nan(b))
        return NUM_CANONICAL_NAN;
    return (r == NUM_R_ABSMAX ? ma > mb : ma < mb) ? a : b;
}

num_word
num_reduce_step(num_reduce r, num_as as, num_word acc, num_word x)
{
    return is_magnitude(r) ? by_magnitude(r, acc, x)
                           : num_apply2(num_reduce_binary(r), as, acc, x);
}

// acc[i] = acc[i] r x[i].
static void
step_row(num_reduce r, num_as as, size_t n, num_word *acc, const num_word *x)
{
    if (!is_magnitude(r)) {
        num_row2(num_reduce_binary(r), as, n, acc, acc, x, 1);
        return;
    }
    for (size_t i = 0; i < n; i++)
        acc[i] = by_magnitude(r, acc[i], x[i]);
}

void
num_partials_begin(num_reduce r, num_as as, num_word *part)
{
    for (int i = 0; i < NUM_PARTIALS; i++)
        part[i] = num_reduce_identity(r, as);
}

void
num_partials_add(num_reduce r, num_as as, num_word *part, size_t n,
                 const num_word *x)
{
    size_t done = 0;
    if (!is_magnitude(r)) {
        done = n / NUM_PARTIALS * NUM_PARTIALS;
        num_simple2_fold(num_reduce_binary(r), as, n / NUM_PARTIALS, part, x);
    }
    for (size_t k; done < n; done += k) {
        k = n - done < NUM_PARTIALS ? n - done : NUM_PARTIALS;
        step_row(r, as, k, part, x + done);
    }
}

num_word
num_partials_end(num_reduce r, num_as as, num_word *part)
{
    for (size_t h = NUM_PARTIALS / 2; h > 0; h /= 2)
        step_row(r, as, h, part, part + h);
    return part[0];
}

num_word
num_reduce_row(num_reduce r, num_as as, size_t n, const num_word *x)
{
    num_word part[NUM_PARTIALS];
    if (r == NUM_R_SUB && n > 0)
        return num_apply2(NUM_SUB, as, x[0],
                          num_reduce_row(NUM_R_SUM, as, n - 1, x + 1));
    num_partials_begin(r, as, part);
    num_partials_add(r, as, part, n, x);
    return num_partials_end(r, as, part);
}
