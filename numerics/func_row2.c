// SPDX-License-Identifier: Apache-2.0
// Binary operations that one or a few instructions do, one element and rows:
// binary32 arithmetic, comparisons, everything on integers and bools.
#include "numerics/numerics_int.h"

#include <string.h>

// Orders binary32 values as integers, -0 below +0; NaNs lie outside.
NUM_INLINE int32_t
order_key(num_word w)
{
    return (int32_t)(w ^ ((0 - (w >> 31)) >> 1));
}

NUM_INLINE num_word
float_extreme(bool want_max, num_word a, num_word b)
{
    bool less = order_key(a) < order_key(b);
    num_word r = num_pick32(less == want_max, b, a);
    num_word mag_a = a & 0x7fffffffu, mag_b = b & 0x7fffffffu;
    bool nan = (mag_a > mag_b ? mag_a : mag_b) > 0x7f800000u;
    return num_pick32(nan, NUM_CANONICAL_NAN, r);
}

// The operand of larger or smaller magnitude; b if they are equal.
NUM_INLINE num_word
float_by_magnitude(bool want_max, num_word a, num_word b)
{
    num_word mag_a = a & 0x7fffffffu, mag_b = b & 0x7fffffffu;
    num_word r = num_pick32(want_max ? mag_a > mag_b : mag_a < mag_b, a, b);
    bool nan = (mag_a > mag_b ? mag_a : mag_b) > 0x7f800000u;
    return num_pick32(nan, NUM_CANONICAL_NAN, r);
}

// In binary64 the sum is rounded so finely that halving and rounding it to
// binary32 is as rounding once (53 >= 2 * 24 + 2).
NUM_INLINE num_word
float_average(float x, float y)
{
    return num_word_f64(((double)x + (double)y) * 0.5);
}

NUM_INLINE num_word
float2(num_binary f, num_word a, num_word b)
{
    float x = num_f32(a), y = num_f32(b);
    switch (f) {
    case NUM_ADD: return num_canon(num_word_f32(x + y));
    case NUM_SUB: return num_canon(num_word_f32(x - y));
    case NUM_MUL: return num_canon(num_word_f32(x * y));
    case NUM_DIV: return num_canon(num_word_f32(x / y));
    case NUM_MIN: return float_extreme(false, a, b);
    case NUM_MAX: return float_extreme(true, a, b);
    case NUM_EQ: return x == y;
    case NUM_NE: return x != y;
    case NUM_LT: return x < y;
    case NUM_LE: return x <= y;
    case NUM_GT: return x > y;
    case NUM_GE: return x >= y;
    case NUM_ABS_MAX: return float_by_magnitude(true, a, b);
    case NUM_ABS_MIN: return float_by_magnitude(false, a, b);
    case NUM_PRELU:
        return num_canon(num_pick32(x >= 0, a, num_word_f32(x * y)));
    case NUM_AVERAGE: return float_average(x, y);
    case NUM_LAND: return (x != 0) & (y != 0);
    case NUM_LOR: return (x != 0) | (y != 0);
    case NUM_LXOR: return (x != 0) ^ (y != 0);
    default: return 0;
    }
}

NUM_INLINE num_word
signed_div(num_word a, num_word b)
{
    if (b == 0)
        return 0;
    if (b == 0xffffffffu) // INT_MIN / -1 wraps
        return 0 - a;
    return (num_word)((int32_t)a / (int32_t)b);
}

NUM_INLINE num_word
signed_mod(num_word a, num_word b)
{
    if (b == 0 || b == 0xffffffffu)
        return 0;
    return (num_word)((int32_t)a % (int32_t)b);
}

// One below the truncated quotient if the signs differ and it is not exact.
NUM_INLINE num_word
signed_div_floor(num_word a, num_word b)
{
    bool below = signed_mod(a, b) != 0 && (a ^ b) >> 31;
    return signed_div(a, b) - (below ? 1 : 0);
}

NUM_INLINE num_word
signed_mod_floor(num_word a, num_word b)
{
    num_word r = signed_mod(a, b);
    return r + (r != 0 && (a ^ b) >> 31 ? b : 0);
}

NUM_INLINE num_word
signed_shr(num_word a, num_word b)
{
    // arithmetic, without relying on >> of negative numbers
    num_word fill = 0 - (a >> 31);
    return ((a ^ fill) >> (b & 31)) ^ fill;
}

NUM_INLINE num_word
signed2(num_binary f, num_word a, num_word b)
{
    int32_t x = (int32_t)a, y = (int32_t)b;
    switch (f) {
    case NUM_DIV: return signed_div(a, b);
    case NUM_MOD: return signed_mod(a, b);
    case NUM_MIN: return num_pick32(x < y, a, b);
    case NUM_MAX: return num_pick32(x > y, a, b);
    case NUM_LT: return x < y;
    case NUM_LE: return x <= y;
    case NUM_GT: return x > y;
    case NUM_GE: return x >= y;
    case NUM_SHR: return signed_shr(a, b);
    case NUM_DIV_FLOOR: return signed_div_floor(a, b);
    case NUM_MOD_FLOOR: return signed_mod_floor(a, b);
    default: return 0;
    }
}

// Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3
// (SC 2011). Philox4x32: ten rounds of two 32 x 32 bit products, the key
// advanced by the golden ratio and sqrt 3 - 1 after each.
NUM_INLINE num_word
philox(num_word key, num_word index)
{
    uint32_t c0 = index >> 2, c1 = 0, c2 = 0, c3 = 0, k0 = key, k1 = 0;
    for (int round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)0xd2511f53u * c0;
        uint64_t q = (uint64_t)0xcd9e8d57u * c2;
        c0 = (uint32_t)(q >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)q;
        c3 = (uint32_t)p;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    num_word even = num_pick32(index & 2, c2, c0);
    num_word odd = num_pick32(index & 2, c3, c1);
    return num_pick32(index & 1, odd, even);
}

NUM_INLINE num_word
unsigned2(num_binary f, num_word a, num_word b)
{
    switch (f) {
    case NUM_ADD: return a + b;
    case NUM_SUB: return a - b;
    case NUM_MUL: return a * b;
    case NUM_DIV: return b == 0 ? 0 : a / b;
    case NUM_MOD: return b == 0 ? 0 : a % b;
    case NUM_DIV_FLOOR: return b == 0 ? 0 : a / b;
    case NUM_MOD_FLOOR: return b == 0 ? 0 : a % b;
    case NUM_MIN: return num_pick32(a < b, a, b);
    case NUM_MAX: return num_pick32(a > b, a, b);
    case NUM_EQ: return a == b;
    case NUM_NE: return a != b;
    case NUM_LT: return a < b;
    case NUM_LE: return a <= b;
    case NUM_GT: return a > b;
    case NUM_GE: return a >= b;
    case NUM_AND: return a & b;
    case NUM_OR: return a | b;
    case NUM_XOR: return a ^ b;
    case NUM_SHL: return a << (b & 31);
    case NUM_SHR:
    case NUM_LSHR: return a >> (b & 31);
    case NUM_LAND: return (a != 0) & (b != 0);
    case NUM_LOR: return (a != 0) | (b != 0);
    case NUM_LXOR: return (a != 0) ^ (b != 0);
    case NUM_PHILOX: return philox(a, b);
    default: return 0;
    }
}

// Where two's complement makes signed and unsigned the same.
NUM_INLINE bool
sign_matters(num_binary f)
{
    return f == NUM_DIV || f == NUM_MOD || f == NUM_MIN || f == NUM_MAX ||
           (f >= NUM_LT && f <= NUM_GE) || f == NUM_SHR || f == NUM_DIV_FLOOR ||
           f == NUM_MOD_FLOOR;
}

NUM_INLINE num_word
simple2(num_binary f, num_as as, num_word a, num_word b)
{
    if (as == NUM_AS_F32)
        return float2(f, a, b);
    if (as == NUM_AS_I32 && sign_matters(f))
        return signed2(f, a, b);
    return unsigned2(f, a, b);
}

bool
num_is_simple2(num_binary f, num_as as)
{
    return as != NUM_AS_F32 ||
           (f != NUM_MOD && f != NUM_POW && f != NUM_ATAN2 && f != NUM_HYPOT);
}

num_word
num_simple2(num_binary f, num_as as, num_word a, num_word b)
{
    return simple2(f, as, a, b);
}

// ---- rows

typedef struct {
    size_t n;
    num_word *out;
    const num_word *a, *b;
    size_t b_step;
} rows;

NUM_INLINE void
blocks(num_binary f, num_as as, const rows *r)
{
    num_word b[NUM_BLOCK] = {0};
    for (int i = 0; i < NUM_BLOCK; i++)
        b[i] = r->b[0];
    for (size_t at = 0; at < r->n; at += NUM_BLOCK) {
        num_word a[NUM_BLOCK] = {0};
        size_t left = r->n - at, take = left < NUM_BLOCK ? left : NUM_BLOCK;
        num_copy(a, r->a + at, take);
        if (r->b_step != 0)
            num_copy(b, r->b + at, take);
        for (int i = 0; i < NUM_BLOCK; i++)
            a[i] = simple2(f, as, a[i], b[i]);
        num_copy(r->out + at, a, take);
    }
}

NUM_INLINE void
fold_blocks(num_binary f, num_as as, const rows *r)
{
    num_word acc[NUM_BLOCK];
    memcpy(acc, r->out, sizeof acc);
    for (size_t at = 0; at < r->n; at += NUM_BLOCK) {
        const num_word *b = r->b + at;
        for (int i = 0; i < NUM_BLOCK; i++)
            acc[i] = simple2(f, as, acc[i], b[i]);
    }
    memcpy(r->out, acc, sizeof acc);
}

// The operations of num_reduce; NUM_AS_BOOL is as good as unsigned.
NUM_INLINE void
simple2_fold(num_binary f, num_as as, const rows *r)
{
    bool is_float = as == NUM_AS_F32, is_signed = as == NUM_AS_I32;
    if (f == NUM_ADD && is_float)
        fold_blocks(NUM_ADD, NUM_AS_F32, r);
    else if (f == NUM_MUL && is_float)
        fold_blocks(NUM_MUL, NUM_AS_F32, r);
    else if (f == NUM_MAX && is_float)
        fold_blocks(NUM_MAX, NUM_AS_F32, r);
    else if (f == NUM_MIN && is_float)
        fold_blocks(NUM_MIN, NUM_AS_F32, r);
    else if (is_float)
        fold_blocks(f, NUM_AS_F32, r);
    else if (is_signed)
        fold_blocks(f, NUM_AS_I32, r);
    else
        fold_blocks(f, NUM_AS_U32, r);
}

// With constant f and as in every case. NOLINT: dispatch
NUM_INLINE void
simple2_row(num_binary f, num_as as, const rows *r)
{
    switch (f) {
#define ROW(id)                                                                \
    case NUM_##id:                                                             \
        if (as == NUM_AS_F32)                                                  \
            blocks(NUM_##id, NUM_AS_F32, r);                                   \
        else if (as == NUM_AS_I32 && sign_matters(NUM_##id))                   \
            blocks(NUM_##id, NUM_AS_I32, r);                                   \
        else                                                                   \
            blocks(NUM_##id, NUM_AS_U32, r);                                   \
        break;
        ROW(ADD)
        ROW(SUB)
        ROW(MUL)
        ROW(DIV)
        ROW(MOD)
        ROW(MIN)
        ROW(MAX)
        ROW(EQ)
        ROW(NE)
        ROW(LT)
        ROW(LE)
        ROW(GT)
        ROW(GE)
        ROW(AND)
        ROW(OR)
        ROW(XOR)
        ROW(SHL)
        ROW(SHR)
        ROW(ABS_MAX)
        ROW(ABS_MIN)
        ROW(PRELU)
        ROW(AVERAGE)
        ROW(LAND)
        ROW(LOR)
        ROW(LXOR)
        ROW(DIV_FLOOR)
        ROW(MOD_FLOOR)
        ROW(LSHR)
        ROW(PHILOX)
#undef ROW
    default: break;
    }
}

#if NUM_X86
NUM_TARGET_AVX2 static void
row_avx2(num_binary f, num_as as, const rows *r)
{
    simple2_row(f, as, r);
}

NUM_TARGET_AVX2 static void
fold_avx2(num_binary f, num_as as, const rows *r)
{
    simple2_fold(f, as, r);
}
#endif

static void
row_any(num_binary f, num_as as, const rows *r)
{
    simple2_row(f, as, r);
}

void
num_simple2_row(num_binary f, num_as as, size_t n, num_word *out,
                const num_word *a, const num_word *b, size_t b_step)
{
    rows r = {n, out, a, b, b_step};
    if (n == 0)
        return;
#if NUM_X86
    if (__builtin_cpu_supports("avx2")) {
        row_avx2(f, as, &r);
        return;
    }
#endif
    row_any(f, as, &r);
}

static void
fold_any(num_binary f, num_as as, const rows *r)
{
    simple2_fold(f, as, r);
}

void
num_simple2_fold(num_binary f, num_as as, size_t n, num_word *acc,
                 const num_word *x)
{
    rows r = {n * NUM_BLOCK, acc, NULL, x, 1};
#if NUM_X86
    if (__builtin_cpu_supports("avx2")) {
        fold_avx2(f, as, &r);
        return;
    }
#endif
    fold_any(f, as, &r);
}
