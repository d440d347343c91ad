// SPDX-License-Identifier: Apache-2.0
// MX blocks: 32 elements, 8 partitions of a packed element's four, share one
// e8m0 scale. Unpacking to floats for the array, and quantize_mx.
#include "numerics/numerics_int.h"

// The scales of a quadrant's partitions stand together on its first ones.
uint32_t
num_mx_scale_lane(uint32_t part, uint32_t quad)
{
    return part / quad * quad + part % quad / NUM_MX_LANES;
}

static num_dtype
element_type(num_dtype packed)
{
    return packed == DT_F8E4M3FNX4 ? DT_F8E4M3FN
           : packed == DT_F8E5M2X4 ? DT_F8E5M2
                                   : DT_F4E2M1;
}

// The factor of a scale's code: exact in binary64, NaN for 255.
static double
scale_factor(num_word code)
{
    return code == 255 ? NUM_NAN : num_f64((uint64_t)(code + 1023 - 127) << 52);
}

// The product is exact in binary64 and rounded once.
static float
scaled(num_word element, double factor)
{
    return num_f32(num_word_f64((double)num_f32(element) * factor));
}

void
num_mx_unpack(num_dtype packed, size_t n, const num_word *in,
              const num_word *scale, num_mx_rows to)
{
    num_dtype t = element_type(packed);
    uint32_t bits = 8 * num_dtype_bytes(packed) / NUM_MX_PACK;
    uint8_t code[NUM_BLOCK];
    num_word value[NUM_BLOCK];
    for (uint32_t q = 0; q < NUM_MX_PACK; q++) {
        for (size_t i = 0; i < n; i++)
            code[i] = (uint8_t)(in[i] >> q * bits & ((1u << bits) - 1));
        num_load_row(t, code, 1, n, value);
        for (size_t i = 0; i < n; i++)
            to.at[q * to.row + i] = scaled(value[i], scale_factor(scale[i]));
    }
}

// ---- quantize_mx

typedef struct {
    num_word lane[NUM_MX_LANES][NUM_MX_PACK]; // f32
} group;

// The exponent of the largest magnitude: -127 for a zero, 128 if one of the
// elements is infinite or NaN. Those of binary32 subnormals count as -127: the
// scale cannot be smaller.
static int32_t
group_exponent(const group *g)
{
    num_word most = 0;
    for (uint32_t p = 0; p < NUM_MX_LANES; p++)
        for (uint32_t q = 0; q < NUM_MX_PACK; q++) {
            num_word magnitude = g->lane[p][q] & 0x7fffffffu;
            most = magnitude > most ? magnitude : most;
        }
    return (int32_t)(most >> 23) - 127;
}

static uint32_t
group_scale(int32_t exponent, num_dtype t, bool older)
{
    int32_t emax = t == DT_F8E5M2 ? 15 : 8;
    int32_t code = exponent - (older ? emax : emax - 1) + 127;
    return exponent == 128 ? 255 : code < 0 ? 0 : (uint32_t)code;
}

// An element over the scale's power of two, rounded to the element type. The
// older rule can exceed the largest finite value and clips to it.
static uint8_t
group_code(num_word x, uint32_t scale, num_dtype t, bool older)
{
    uint8_t code;
    double most = num_max_finite(t);
    double y = (double)num_f32(x) *
               num_f64((uint64_t)(1023 + 127 - (int32_t)scale) << 52);
    if (scale == 255)
        y = NUM_NAN;
    if (older && num_abs(y) > most)
        y = num_copysign(most, y);
    num_store(t, &code, NUM_AS_F32, num_word_f64(y));
    return code;
}

static group
read_group(const num_insn *in, uint32_t first, uint64_t at)
{
    group g;
    for (uint32_t p = 0; p < NUM_MX_LANES; p++) {
        num_walk lane = num_walk_lane(&in->a, first + p);
        num_walk_skip(&lane, at * NUM_MX_PACK);
        num_read_words(&lane, NUM_MX_PACK, NUM_AS_F32, g.lane[p]);
    }
    return g;
}

// Element 'at' of a partition, of 1 or 4 bytes, gets these bits.
static void
write_bits(const num_view *v, uint32_t part, uint64_t at, num_word bits)
{
    num_walk lane = num_walk_lane(v, part);
    num_walk_skip(&lane, at);
    lane.dtype = num_dtype_bytes(v->dtype) == 1 ? DT_U8 : DT_U32;
    num_write_words(&lane, 1, NUM_AS_U32, &bits);
}

static void
quantize_group(const num_insn *in, uint32_t first, uint64_t at)
{
    num_dtype t = element_type(in->dst.dtype);
    bool older = in->mode != 0;
    group g = read_group(in, first, at);
    uint32_t scale = group_scale(group_exponent(&g), t, older);
    for (uint32_t p = 0; p < NUM_MX_LANES; p++) {
        num_word packed = 0;
        for (uint32_t q = 0; q < NUM_MX_PACK; q++)
            packed |= (num_word)group_code(g.lane[p][q], scale, t, older)
                      << 8 * q;
        write_bits(&in->dst, first + p, at, packed);
    }
    write_bits(&in->dst2, num_mx_scale_lane(first, in->quad), at, scale);
}

void
num_exec_quantize_mx(const num_insn *in, num_state *st, num_word *x)
{
    uint64_t elems = num_view_elems(&in->dst);
    (void)st;
    (void)x;
    for (uint32_t p = 0; p + NUM_MX_LANES <= in->a.parts; p += NUM_MX_LANES)
        for (uint64_t at = 0; at < elems; at++)
            quantize_group(in, p, at);
}
