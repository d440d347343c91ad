// SPDX-License-Identifier: Apache-2.0
// Reductions in their fixed order: 32 partials, then a halving tree.
#include "numerics/numerics_int.h"

#include <string.h>

static const struct {
    const char *name;
    num_binary step;
} info[NUM_R_COUNT] = {
    {"none", NUM_B_NONE},    {"sum", NUM_ADD}, {"prod", NUM_MUL},
    {"max", NUM_MAX},        {"min", NUM_MIN}, {"any", NUM_OR},
    {"all", NUM_AND},        {"sub", NUM_SUB}, {"and", NUM_AND},
    {"or", NUM_OR},          {"xor", NUM_XOR}, {"absmax", NUM_ABS_MAX},
    {"absmin", NUM_ABS_MIN},
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

num_word
num_reduce_step(num_reduce r, num_as as, num_word acc, num_word x)
{
    return num_apply2(num_reduce_binary(r), as, acc, x);
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
    num_binary f = num_reduce_binary(r);
    size_t done = 0;
    if (num_is_simple2(f, as)) {
        done = n / NUM_PARTIALS * NUM_PARTIALS;
        num_simple2_fold(f, as, n / NUM_PARTIALS, part, x);
    }
    for (size_t k; done < n; done += k) {
        k = n - done < NUM_PARTIALS ? n - done : NUM_PARTIALS;
        num_row2(f, as, k, part, part, x + done, 1);
    }
}

num_word
num_partials_end(num_reduce r, num_as as, num_word *part)
{
    for (size_t h = NUM_PARTIALS / 2; h > 0; h /= 2)
        num_row2(num_reduce_binary(r), as, h, part, part, part + h, 1);
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
