// SPDX-License-Identifier: Apache-2.0
// Moves of bits between lanes: shuffles of 32 partitions and transposes of
// blocks. The destination may be the source, so that what is moved is read
// before anything of it is written.
#include "numerics/numerics_int.h"

enum { LANES = 32, COLUMNS = 32 };

// An element's bits; never a conversion.
static num_word
bits_at(const num_walk *w, uint64_t offset)
{
    num_word v = 0;
    memcpy(&v, num_run_at(w, offset), num_dtype_bytes(w->dtype));
    return v;
}

static void
read_bits(num_walk *w, size_t n, num_word *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = bits_at(w, num_walk_next(w, 1).offset);
}

static void
write_bits(num_walk *w, size_t n, const num_word *in)
{
    for (size_t i = 0; i < n; i++)
        memcpy(num_run_at(w, num_walk_next(w, 1).offset), &in[i],
               num_dtype_bytes(w->dtype));
}

static uint32_t
smaller(uint64_t a, uint32_t b)
{
    return a < b ? (uint32_t)a : b;
}

// ---- shuffle

// Columns at .. at + n of one group of lanes.
static void
shuffle_columns(const num_insn *in, uint32_t group, uint64_t at, size_t n,
                num_word *x)
{
    uint32_t first = group * LANES;
    for (uint32_t i = 0; i < LANES && first + i < in->a.parts; i++) {
        num_walk a = num_walk_lane(&in->a, first + i);
        num_walk_skip(&a, at);
        read_bits(&a, n, x + i * n);
    }
    for (uint32_t i = 0; i < LANES && first + i < in->dst.parts; i++) {
        if (in->mask[i] == NUM_MASK_LEAVE)
            continue;
        num_walk dst = num_walk_lane(&in->dst, first + i);
        num_walk_skip(&dst, at);
        write_bits(&dst, n, x + in->mask[i] * n);
    }
}

void
num_exec_shuffle(const num_insn *in, num_state *st, num_word *x)
{
    uint64_t elems = num_view_elems(&in->dst);
    (void)st;
    for (uint32_t g = 0; g * LANES < in->dst.parts; g++)
        for (uint64_t at = 0; at < elems; at += NUM_SCRATCH_WORDS / LANES)
            shuffle_columns(in, g, at,
                            smaller(elems - at, NUM_SCRATCH_WORDS / LANES), x);
}

// ---- transpose

// The block of 'rows' partitions from 'row' on and 'cols' elements from 'col'
// on of a goes, transposed, to partition to_row, element to_col of dst.
typedef struct {
    uint32_t row, col, rows, cols, to_row, to_col;
} block;

static void
transpose_block(const num_insn *in, block b, num_word *x)
{
    num_word *y = x + LANES * COLUMNS;
    for (uint32_t r = 0; r < b.rows; r++) {
        num_walk a = num_walk_lane(&in->a, b.row + r);
        num_walk_skip(&a, b.col);
        read_bits(&a, b.cols, x + r * COLUMNS);
    }
    for (uint32_t c = 0; c < b.cols; c++) {
        num_walk dst = num_walk_lane(&in->dst, b.to_row + c);
        num_walk_skip(&dst, b.to_col);
        for (uint32_t r = 0; r < b.rows; r++)
            y[r] = x[r * COLUMNS + c];
        write_bits(&dst, b.rows, y);
    }
}

void
num_exec_transpose32(const num_insn *in, num_state *st, num_word *x)
{
    uint32_t elems = (uint32_t)num_view_elems(&in->a);
    (void)st;
    for (uint32_t r = 0; r < in->a.parts; r += LANES)
        for (uint32_t c = 0; c < elems; c += COLUMNS)
            transpose_block(in,
                            (block){r, c, smaller(in->a.parts - r, LANES),
                                    smaller(elems - c, COLUMNS), r, c},
                            x);
}
