// SPDX-License-Identifier: Apache-2.0
// Integer arithmetic that says when it does not fit.
#include "support/support.h"

bool
add_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

bool
mul_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool
mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t
ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

int64_t
min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

uint64_t
align_up(uint64_t x, uint64_t to)
{
    return (x + to - 1) & ~(to - 1);
}

int64_t
gcd_i64(int64_t a, int64_t b)
{
    uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
    uint64_t y = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
    while (y) {
        uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    return (int64_t)x;
}

uint64_t
rng_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
