// SPDX-License-Identifier: Apache-2.0
// The systolic array: loads, products and transposes of its tiles in the plain,
// double-row and MX modes. A cell (row, column) holds one, two or four weights.
// The weights of a tile whose first row is r0 are rows of NUM_PE_COLS floats
// from row 4 * r0 on, 'depth' rows for each row of cells: tiles that share no
// cell share no memory, and the terms of a product, partitions ascending and
// the parts of a partition within, are consecutive rows.
#include "numerics/numerics_int.h"

// What a column of the moving operand may take of the scratch memory at once.
enum { MOVING = NUM_PE_MOVING / NUM_PE_COLS };

static float *
weights_row(const num_insn *in, const num_pe *pe, uint32_t k)
{
    size_t row = (size_t)in->row0 * NUM_PE_DEPTH + k;
    return pe->w + row * NUM_PE_COLS + in->col0;
}

static void
note_load(const num_insn *in, num_pe *pe, uint32_t m)
{
    pe->k = in->a.parts;
    pe->m = m;
    pe->dtype = in->a.dtype;
}

// n elements of partition p from element 'at', each as its bits.
static void
read_bits(const num_view *v, uint32_t p, uint64_t at, size_t n, num_word *x)
{
    static const num_dtype same_size[] = {DT_NONE, DT_U8, DT_U16, DT_NONE,
                                          DT_U32};
    num_walk lane = num_walk_lane(v, p);
    num_walk_skip(&lane, at);
    lane.dtype = same_size[num_dtype_bytes(v->dtype)];
    num_read_words(&lane, n, NUM_AS_U32, x);
}

// The same, at most MOVING of them, widened.
static void
read_floats(const num_view *v, uint32_t p, uint64_t at, size_t n, float *to)
{
    num_word words[MOVING];
    num_walk lane = num_walk_lane(v, p);
    num_walk_skip(&lane, at);
    num_read_words(&lane, n, NUM_AS_F32, words);
    memcpy(to, words, n * sizeof *words);
}

// ---- loads

void
num_exec_ldw(const num_insn *in, num_state *st, num_word *x)
{
    num_pe *pe = &st->pe;
    uint32_t m = (uint32_t)num_view_elems(&in->a);
    (void)x;
    note_load(in, pe, m);
    for (uint32_t p = 0; p < in->a.parts; p++) {
        size_t cell = (size_t)(in->row0 + p) * NUM_PE_COLS + in->col0;
        read_floats(&in->a, p, 0, m, weights_row(in, pe, p));
        read_bits(&in->a, p, 0, m, pe->bits + cell);
    }
}

// The halves of a partition's elements are two rows.
void
num_exec_ldw_rows(const num_insn *in, num_state *st, num_word *x)
{
    num_pe *pe = &st->pe;
    uint32_t m = (uint32_t)(num_view_elems(&in->a) / 2);
    (void)x;
    note_load(in, pe, m);
    for (uint32_t p = 0; p < in->a.parts; p++)
        for (uint32_t h = 0; h < 2; h++)
            read_floats(&in->a, p, (uint64_t)h * m, m,
                        weights_row(in, pe, 2 * p + h));
}

// Elements at .. at + n of partition p as four rows of floats, 'row' apart.
static void
read_mx(const num_insn *in, uint32_t p, uint64_t at, size_t n, num_mx_rows to)
{
    num_word packed[NUM_BLOCK], scale[NUM_BLOCK];
    num_view scales = in->b;
    uint32_t lane = num_mx_scale_lane(p, in->quad);
    while (n > 0) {
        size_t some = n < NUM_BLOCK ? n : NUM_BLOCK;
        read_bits(&in->a, p, at, some, packed);
        read_bits(&scales, lane, at, some, scale);
        num_mx_unpack(in->a.dtype, some, packed, scale, to);
        to.at += some;
        at += some;
        n -= some;
    }
}

void
num_exec_ldw_mx(const num_insn *in, num_state *st, num_word *x)
{
    num_pe *pe = &st->pe;
    uint32_t m = (uint32_t)num_view_elems(&in->a);
    (void)x;
    note_load(in, pe, m);
    for (uint32_t p = 0; p < in->a.parts; p++) {
        num_mx_rows to = {weights_row(in, pe, NUM_MX_PACK * p), NUM_PE_COLS};
        read_mx(in, p, 0, m, to);
    }
}

// ---- products

// Columns at .. at + n of dst from pe->out.
static void
put_columns(const num_insn *in, const num_pe *pe, uint64_t at, size_t n,
            num_word *x)
{
    num_word *y = x + NUM_PIECE;
    for (uint32_t p = 0; p < in->dst.parts; p++) {
        num_walk dst = num_walk_lane(&in->dst, p);
        num_walk_skip(&dst, at);
        memcpy(x, pe->out + p * n, n * sizeof *x);
        if (in->accumulate) {
            num_walk old = dst;
            num_read_words(&old, n, NUM_AS_F32, y);
            num_row2(NUM_ADD, NUM_AS_F32, n, x, y, x, 1);
        }
        num_write_words(&dst, n, NUM_AS_F32, x);
    }
}

// Columns at .. at + n of the moving operand to pe->x, 'depth' rows for each
// partition.
static void
take_columns(const num_insn *in, num_pe *pe, uint64_t at, size_t n)
{
    uint64_t half = num_view_elems(&in->a) / 2;
    for (uint32_t p = 0; p < in->a.parts; p++) {
        if (in->op == NUM_OP_MATMUL_MX) {
            num_mx_rows to = {pe->x + NUM_MX_PACK * p * n, n};
            read_mx(in, p, at, n, to);
        } else if (in->op == NUM_OP_MATMUL_ROWS) {
            read_floats(&in->a, p, at, n, pe->x + 2 * p * n);
            read_floats(&in->a, p, half + at, n, pe->x + (2 * p + 1) * n);
        } else {
            read_floats(&in->a, p, at, n, pe->x + p * n);
        }
    }
}

static void
multiply(const num_insn *in, num_pe *pe, uint32_t depth, num_word *x)
{
    uint64_t elems = num_view_elems(&in->dst);
    size_t most = MOVING / depth;
    for (uint64_t at = 0; at < elems; at += most) {
        size_t n = elems - at < most ? (size_t)(elems - at) : most;
        take_columns(in, pe, at, n);
        num_product product = {.m = in->dst.parts,
                               .n = n,
                               .k = (size_t)in->a.parts * depth,
                               .s_row = NUM_PE_COLS,
                               .out = pe->out,
                               .s = weights_row(in, pe, 0),
                               .x = pe->x};
        num_product_run(&product);
        put_columns(in, pe, at, n, x);
    }
}

void
num_exec_matmul(const num_insn *in, num_state *st, num_word *x)
{
    multiply(in, &st->pe, 1, x);
}

void
num_exec_matmul_rows(const num_insn *in, num_state *st, num_word *x)
{
    multiply(in, &st->pe, 2, x);
}

void
num_exec_matmul_mx(const num_insn *in, num_state *st, num_word *x)
{
    multiply(in, &st->pe, NUM_MX_PACK, x);
}

// ---- transposes

// In which partition each of n columns from 'at' has its one. Columns that
// have none, or several, were found before.
static void
find_ones(const num_insn *in, uint64_t at, size_t n, num_word *row)
{
    num_word value[NUM_BLOCK];
    memset(row, 0, n * sizeof *row);
    for (uint32_t p = 0; p < in->a.parts; p++) {
        num_walk lane = num_walk_lane(&in->a, p);
        num_walk_skip(&lane, at);
        num_read_words(&lane, n, NUM_AS_BOOL, value);
        for (size_t i = 0; i < n; i++)
            row[i] = value[i] ? p : row[i];
    }
}

void
num_exec_pe_transpose(const num_insn *in, num_state *st, num_word *x)
{
    const num_word *bits = st->pe.bits + (size_t)in->row0 * NUM_PE_COLS;
    num_dtype as = num_dtype_bytes(in->dst.dtype) == 2 ? DT_U16 : DT_U32;
    uint64_t elems = num_view_elems(&in->dst);
    num_word row[NUM_BLOCK];
    for (uint64_t at = 0; at < elems; at += NUM_BLOCK) {
        size_t n = elems - at < NUM_BLOCK ? (size_t)(elems - at) : NUM_BLOCK;
        find_ones(in, at, n, row);
        for (uint32_t m = 0; m < in->dst.parts; m++) {
            num_walk dst = num_walk_lane(&in->dst, m);
            num_walk_skip(&dst, at);
            dst.dtype = as;
            for (size_t i = 0; i < n; i++)
                x[i] = bits[(size_t)row[i] * NUM_PE_COLS + in->col0 + m];
            num_write_words(&dst, n, NUM_AS_U32, x);
        }
    }
}

// ---- promises about values

static const num_word ONE = 0x3f800000u;

// The first element of 'a' that is neither a zero nor 1.
static bool
finds_other(const num_view *a, num_promise *bad)
{
    num_word value[NUM_BLOCK];
    uint64_t elems = num_view_elems(a);
    for (uint32_t p = 0; p < a->parts; p++) {
        num_walk lane = num_walk_lane(a, p);
        for (uint64_t at = 0; at < elems; at += NUM_BLOCK) {
            size_t n =
                elems - at < NUM_BLOCK ? (size_t)(elems - at) : NUM_BLOCK;
            num_read_words(&lane, n, NUM_AS_F32, value);
            for (size_t i = 0; i < n; i++) {
                if ((value[i] & 0x7fffffffu) == 0 || value[i] == ONE)
                    continue;
                *bad = (num_promise){NUM_PROMISE_ONEZERO, p, at + i, 0};
                return true;
            }
        }
    }
    return false;
}

// The first column that has not exactly one 1; the others are zeros.
static bool
finds_no_identity(const num_view *a, num_promise *bad)
{
    num_word value[NUM_BLOCK], ones[NUM_BLOCK];
    uint64_t elems = num_view_elems(a);
    for (uint64_t at = 0; at < elems; at += NUM_BLOCK) {
        size_t n = elems - at < NUM_BLOCK ? (size_t)(elems - at) : NUM_BLOCK;
        memset(ones, 0, sizeof ones);
        for (uint32_t p = 0; p < a->parts; p++) {
            num_walk lane = num_walk_lane(a, p);
            num_walk_skip(&lane, at);
            num_read_words(&lane, n, NUM_AS_BOOL, value);
            for (size_t i = 0; i < n; i++)
                ones[i] += value[i];
        }
        for (size_t i = 0; i < n; i++) {
            if (ones[i] == 1)
                continue;
            *bad = (num_promise){NUM_PROMISE_IDENTITY, 0, at + i, ones[i]};
            return true;
        }
    }
    return false;
}

bool
num_promise_broken(const num_insn *in, num_promise *bad)
{
    bool transposes = in->op == NUM_OP_PE_TRANSPOSE;
    if ((in->onezero || transposes) && finds_other(&in->a, bad))
        return true;
    return transposes && finds_no_identity(&in->a, bad);
}
