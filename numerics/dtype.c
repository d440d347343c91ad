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
    case NUM_PACKED: break;
    }
    return NUM_AS_NONE;
}

bool
num_is_float(num_dtype t)
{
    return find(t)->class == NUM_FLOAT;
}

bool
num_is_packed(num_dtype t)
{
    return find(t)->class == NUM_PACKED;
}

num_dtype
num_packed_lane(num_dtype t)
{
    switch (t) {
    case DT_F8E4M3FNX4: return DT_F8E4M3FN;
    case DT_F8E5M2X4: return DT_F8E5M2;
    case DT_F4E2M1X4: return DT_F4E2M1;
    default: return DT_NONE;
    }
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

static int
bias(num_dtype t)
{
    switch (t) {
    case DT_F16:
    case DT_F8E5M2: return 15;
    case DT_F8E4M3:
    case DT_F8E4M3FN: return 7;
    case DT_F8E3M4: return 3;
    case DT_F4E2M1: return 1;
    default: return 127;
    }
}

int
num_significand_bits(num_dtype t)
{
    return find(t)->sig;
}

int
num_min_exponent(num_dtype t)
{
    // e8m0 has no subnormals: its smallest number is as small as its codes go
    return t == DT_E8M0 ? -127 : 2 - bias(t) - find(t)->sig;
}

double
num_min_subnormal(num_dtype t)
{
    if (!num_is_float(t))
        return 0;
    return power_of_two(num_min_exponent(t));
}

double
num_max_finite(num_dtype t)
{
    if (!num_is_float(t))
        return 0;
    double most = 2 - 2 * num_unit_roundoff(t);
    // The OCP formats use the top exponent: all of it, or but for the last
    // code.
    if (t == DT_F4E2M1)
        return power_of_two(bias(t) + 1) * most;
    if (t == DT_F8E4M3FN)
        return power_of_two(bias(t) + 1) * (most - 2 * num_unit_roundoff(t));
    return power_of_two(bias(t)) * most;
}
