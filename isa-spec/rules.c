// SPDX-License-Identifier: Apache-2.0
// The functions that legality rules are written with (fields.isa declares
// them). Patterns hold values that fit their fields, so nothing overflows:
// steps have 40 bits, counts 16, offsets 48.
#include "isa-spec/isa_int.h"

// Elements a partition, by the immediate counts.
int64_t
isa_rule_elems(const isa_ap *p)
{
    return isa_rule_outer(p, 0);
}

// The same without the 'inner' innermost dimensions. Saturates, so that five
// counts of 16 bits cannot overflow.
int64_t
isa_rule_outer(const isa_ap *p, int64_t inner)
{
    int64_t n = 1;
    for (int64_t i = 0; i + inner < (int64_t)p->ndim && i < NUM_DIMS; i++) {
        if (p->dim[i].count == 0)
            return 0;
        if (!mul_i64(n, p->dim[i].count, &n))
            n = INT64_MAX;
    }
    return n;
}

// Bytes reached relative to the offset: from *lo to *hi, excluded. Empty for a
// count of 0.
static bool
reach(const isa_ap *p, int64_t *lo, int64_t *hi)
{
    int64_t size = isa_rule_bytes((int64_t)p->dtype);
    *lo = 0;
    *hi = size;
    for (uint32_t i = 0; i < p->ndim && i < NUM_DIMS; i++) {
        if (p->dim[i].count == 0) {
            *hi = 0;
            *lo = 0;
            return false;
        }
        int64_t far = p->dim[i].step * ((int64_t)p->dim[i].count - 1) * size;
        *lo += far < 0 ? far : 0;
        *hi += far > 0 ? far : 0;
    }
    return true;
}

// Whether the pattern stays in a partition; with a register, whether it could.
int64_t
isa_rule_fits(const isa_ap *p, int64_t sbuf, int64_t psum)
{
    int64_t lo, hi, size = p->mem == ISA_PSUM ? psum : sbuf;
    if (!reach(p, &lo, &hi))
        return 1;
    if (p->reg)
        return hi - lo <= size;
    return p->offset + lo >= 0 && p->offset + hi <= size;
}

int64_t
isa_rule_in_banks(const isa_ap *p, int64_t psum, int64_t banks, int64_t span)
{
    int64_t lo, hi, bank = banks > 0 ? psum / banks : psum;
    if (!reach(p, &lo, &hi))
        return 1;
    if (bank <= 0 || hi - lo > bank * span)
        return 0;
    if (p->reg)
        return 1;
    int64_t first = p->offset + lo, last = p->offset + hi - 1;
    return first >= 0 && last / bank - first / bank < span;
}

// More than half of the partitions start at 0, more than a quarter at a half,
// others at a quarter.
int64_t
isa_rule_start_ok(int64_t part, int64_t n, int64_t partitions)
{
    int64_t quarter = partitions / 4;
    if (quarter < 1 || n <= 0)
        return 1;
    if (n > 2 * quarter)
        return part == 0;
    if (n > quarter)
        return part % (2 * quarter) == 0;
    return part % quarter == 0;
}

int64_t
isa_rule_takes1(int64_t func, int64_t as)
{
    return num_unary_takes((num_unary)func, (num_as)as);
}

int64_t
isa_rule_takes2(int64_t func, int64_t as)
{
    return num_binary_takes((num_binary)func, (num_as)as);
}

// Whether op1 takes what op0 gives, or that cast to 'as'.
int64_t
isa_rule_follows(int64_t op1, int64_t op0, int64_t as)
{
    num_as type = num_chain((num_as)as, (num_binary)op0, (num_binary)op1);
    return num_binary_takes((num_binary)op1, type);
}

// any and all are for bools, and and or for the bits of integers, xor for
// either, magnitudes for floats, the others for numbers.
int64_t
isa_rule_reduces(int64_t reduce, int64_t as)
{
    switch ((num_reduce)reduce) {
    case NUM_R_ANY:
    case NUM_R_ALL: return as == NUM_AS_BOOL;
    case NUM_R_XOR: return as != NUM_AS_F32;
    case NUM_R_AND:
    case NUM_R_OR: return as == NUM_AS_I32 || as == NUM_AS_U32;
    case NUM_R_ABSMAX:
    case NUM_R_ABSMIN: return as == NUM_AS_F32;
    case NUM_R_SUM:
    case NUM_R_PROD:
    case NUM_R_MAX:
    case NUM_R_MIN:
    case NUM_R_SUB: return as != NUM_AS_BOOL;
    case NUM_R_NONE:
    case NUM_R_COUNT: break;
    }
    return 0;
}

// Of two counts of elements; saturates.
int64_t
isa_rule_product(int64_t a, int64_t b)
{
    int64_t n;
    return mul_i64(a, b, &n) ? n : INT64_MAX;
}

int64_t
isa_rule_bytes(int64_t dtype)
{
    return num_dtype_bytes((num_dtype)dtype);
}

// Whether 'size' rows (or columns) from 'first' are a tile of an array of
// 'all'; a size of 0 is the whole array.
int64_t
isa_rule_tile_ok(int64_t size, int64_t first, int64_t all, int64_t least)
{
    if (size == 0)
        return first == 0;
    return size >= least && all % size == 0 && first % size == 0 && first < all;
}

int64_t
isa_rule_quadrant(int64_t partitions)
{
    int64_t whole = partitions / 4 / NUM_MX_LANES * NUM_MX_LANES;
    return max_i64(whole, NUM_MX_LANES);
}

uint32_t
isa_quadrant(const isa_target *t)
{
    return (uint32_t)isa_rule_quadrant(t->partitions);
}

int64_t
isa_rule_scales_at(int64_t part, int64_t data, int64_t partitions)
{
    int64_t quad = isa_rule_quadrant(partitions), off = part - data;
    return data % quad == 0 && off >= 0 && off < quad / 2 &&
           off % (quad / NUM_MX_LANES) == 0;
}

// What a transpose of this type leaves in PSUM.
int64_t
isa_rule_exact_type(int64_t dtype)
{
    return isa_rule_bytes(dtype) == 1 ? (int64_t)DT_U16 : dtype;
}

int64_t
isa_rule_bit(int64_t mask, int64_t n)
{
    return n >= 0 && n < 63 && (mask >> n & 1) != 0;
}

// Whether the function gives the type of its operands.
int64_t
isa_rule_plain2(int64_t func)
{
    return num_binary_gives((num_binary)func, NUM_AS_I32) == NUM_AS_I32;
}

int64_t
isa_rule_packed(int64_t dtype)
{
    return num_is_packed((num_dtype)dtype);
}

// Whether each lane that is given one gets one of the source's.
int64_t
isa_rule_shuffles(const isa_mask *m, int64_t parts, int64_t dst_parts)
{
    for (int64_t p = 0; p < dst_parts; p++) {
        int64_t from = m->lane[p % NUM_MASK];
        if (from == NUM_MASK_LEAVE)
            continue;
        if (from >= NUM_MASK || p / NUM_MASK * NUM_MASK + from >= parts)
            return 0;
    }
    return 1;
}
