// SPDX-License-Identifier: Apache-2.0
// What is known of an element type.
#include "numerics/numerics_int.h"

#include <string.h>

typedef struct {
    const char *name;
    uint32_t bytes;
    num_class class;
    int sig;
} dtype_info;

static const dtype_info info[DT_COUNT] = {
    {"none", 0, (num_class)0, 0},
#define DTYPE(id, name, bytes, class, sig, note)                               \
    {name, bytes, NUM_##class, sig},
#include "numerics/dtypes.def"
#undef DTYPE
};

static const dtype_info *
find(num_dtype t)
{
    return &info[(unsigned)t < DT_COUNT ? t : DT_NONE];
}

const char *
num_dtype_name(num_dtype t)
{
    return find(t)->name;
}

num_dtype
num_dtype_parse(const char *name, size_t n)
{
    for (uint32_t i = 1; i < DT_COUNT; i++) {
        if (strlen(info[i].name) == n && memcmp(info[i].name, name, n) == 0)
            return (num_dtype)i;
    }
    return DT_NONE;
}

uint32_t
num_dtype_bytes(num_dtype t)
{
    return find(t)->bytes;
}

num_class
num_dtype_class(num_dtype t)
{
    return find(t)->class;
}

num_as
num_widened(num_dtype t)
{
    switch (find(t)->class) {
    case NUM_FLOAT: return NUM_AS_F32;
    case NUM_SINT: return NUM_AS_I32;
    case NUM_UINT: return t == DT_U32 ? NUM_AS_U32 : NUM_AS_I32;
    case NUM_BOOL: return NUM_AS_BOOL;
    }
    return NUM_AS_NONE;
}

bool
num_is_float(num_dtype t)
{
    return find(t)->class == NUM_FLOAT;
}

static double
power_of_two(int e)
{
    return num_f64((uint64_t)(e + 1023) << 52);
}

double
num_unit_roundoff(num_dtype t)
{
    return num_is_float(t) ? power_of_two(-find(t)->sig) : 0;
}

// The exponent of the largest binade, which is the bias.
static int
max_exponent(num_dtype t)
{
    switch (t) {
    case DT_F16:
    case DT_F8E5M2: return 15;
    case DT_F8E4M3: return 7;
    case DT_F8E3M4: return 3;
    default: return 127;
    }
}

double
num_min_subnormal(num_dtype t)
{
    if (!num_is_float(t))
        return 0;
    return power_of_two(2 - max_exponent(t) - find(t)->sig);
}

double
num_max_finite(num_dtype t)
{
    if (!num_is_float(t))
        return 0;
    return power_of_two(max_exponent(t)) * (2 - 2 * num_unit_roundoff(t));
}
