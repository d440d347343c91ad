// SPDX-License-Identifier: Apache-2.0
// Engine operations on strided views. A view with its partitions as outermost
// dimension is one sequence of elements; it is taken in pieces that fit the
// scratch memory, in order, so dst may be the same view as a source. Lengths
// of pieces never change a result: only REDUCE looks at positions, and its
// partials are carried over.
#include "numerics/numerics_int.h"

#include <string.h>

enum { PIECE = NUM_PIECE };

static const num_op_form forms[NUM_OP_COUNT] = {
    {"none", "-------", "----", 0, ""},
#define ENGINE_OP(id, name, roles, shape, wide, flags, fn, what)               \
    {name, roles, shape, wide, flags},
#include "numerics/engine_ops.def"
#undef ENGINE_OP
};

const num_op_form *
num_op_form_of(num_op op)
{
    return &forms[(unsigned)op < NUM_OP_COUNT ? op : NUM_OP_NONE];
}

const char *
num_operand_name(num_operand k)
{
    static const char *const names[NUM_OPERANDS] = {"dst", "a",  "b",  "dst2",
                                                    "s0",  "s1", "red"};
    return (unsigned)k < NUM_OPERANDS ? names[k] : "none";
}

const char *
num_op_name(num_op op)
{
    return num_op_form_of(op)->name;
}

bool
num_op_is(num_op op, char flag)
{
    return strchr(num_op_form_of(op)->flags, flag) != NULL;
}

num_as
num_chain(num_as as, num_binary op0, num_binary op1)
{
    num_as given = num_binary_gives(op0, as);
    return num_binary_takes(op1, given) ? given : as;
}

// ---- moves of bits

typedef struct {
    uint8_t *to;
    const uint8_t *from;
    int64_t to_step, from_step;
    size_t n;
} move;

static void
move_bytes(move m, size_t bytes)
{
    bool solid = m.to_step == (int64_t)bytes && m.from_step == (int64_t)bytes;
    if (solid) {
        memmove(m.to, m.from, m.n * bytes);
        return;
    }
    for (size_t i = 0; i < m.n; i++)
        memmove(m.to + (int64_t)i * m.to_step,
                m.from + (int64_t)i * m.from_step, bytes);
}

// Constant sizes, so that an element is one load and one store.
static void
move_run(move m, uint32_t bytes)
{
    if (bytes == 1)
        move_bytes(m, 1);
    else if (bytes == 2)
        move_bytes(m, 2);
    else
        move_bytes(m, 4);
}

// The next stretch, at most 'most' long, that is one run of both.
static move
next_move(num_walk *to, num_walk *from, uint64_t most)
{
    uint32_t d = from->nd - 1;
    uint64_t left = from->dim[d].count - from->dim[d].at;
    num_run t = num_walk_next(to, left < most ? left : most);
    num_run f = num_walk_next(from, t.n);
    move m = {num_run_at(to, t.offset), num_run_at(from, f.offset),
              (int64_t)t.step, (int64_t)f.step, f.n};
    return m;
}

static void
exec_move(const num_insn *in)
{
    num_walk to = num_walk_view(&in->dst), from = num_walk_view(&in->a);
    uint64_t left = num_view_elems(&in->dst) * in->dst.parts;
    while (left > 0) {
        move m = next_move(&to, &from, left);
        move_run(m, num_dtype_bytes(in->dst.dtype));
        left -= m.n;
    }
}

// Of a run, the elements whose mask is set (not set, with rev).
static void
move_masked(move m, const num_word *mask, bool rev, uint32_t bytes)
{
    for (size_t i = 0; i < m.n; i++) {
        move one = {m.to + (int64_t)i * m.to_step,
                    m.from + (int64_t)i * m.from_step, bytes, bytes, 1};
        if ((mask[i] != 0) != rev)
            move_run(one, bytes);
    }
}

void
num_exec_select_fill(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    for (uint32_t p = 0; p < in->dst.parts; p++) {
        num_word w = num_scalar_at(&in->s0, in->as, p);
        num_walk to = num_walk_lane(&in->dst, p), b = num_walk_lane(&in->b, p);
        for (uint64_t left = num_view_elems(&in->dst); left > 0;) {
            size_t n = left < PIECE ? (size_t)left : PIECE;
            num_read_words(&b, n, NUM_AS_BOOL, x);
            for (size_t i = 0; i < n; i++) {
                num_run r = num_walk_next(&to, 1);
                if ((x[i] != 0) != in->rev0)
                    num_store(in->dst.dtype, num_run_at(&to, r.offset), in->as,
                              w);
            }
            left -= n;
        }
    }
}

void
num_exec_select(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    num_walk to = num_walk_view(&in->dst), from = num_walk_view(&in->a);
    num_walk b = num_walk_view(&in->b);
    uint64_t left = num_view_elems(&in->dst) * in->dst.parts;
    while (left > 0) {
        size_t n = left < PIECE ? (size_t)left : PIECE;
        num_read_words(&b, n, NUM_AS_BOOL, x);
        for (size_t i = 0; i < n;) {
            move m = next_move(&to, &from, n - i);
            move_masked(m, x + i, in->rev0, num_dtype_bytes(in->dst.dtype));
            i += m.n;
        }
        left -= n;
    }
}

// ---- positions

void
num_exec_iota(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    num_walk dst = num_walk_view(&in->dst);
    num_walk value = num_walk_begin(NULL, DT_I32);
    num_walk_add(&value, (uint64_t)in->iota_part, in->dst.parts);
    for (uint32_t d = 0; d < in->dst.ndim; d++)
        num_walk_add(&value, (uint64_t)in->iota_step[d], in->dst.dim[d].count);
    num_walk_ready(&value);
    uint64_t left = num_view_elems(&in->dst) * in->dst.parts;
    while (left > 0) {
        num_run r = num_walk_next(&value, left < PIECE ? left : PIECE);
        uint64_t v = r.offset + (uint64_t)in->iota_base;
        for (size_t i = 0; i < r.n; i++, v += r.step)
            x[i] = (num_word)v;
        num_write_words(&dst, r.n, NUM_AS_I32, x);
        left -= r.n;
    }
}

// ---- reductions

// One result of 'row' elements, longer than a piece.
static num_word
reduce_long(const num_insn *in, num_walk *a, uint64_t row, num_word *x)
{
    num_word part[NUM_PARTIALS], first = 0;
    bool minus = in->reduce == NUM_R_SUB;
    num_reduce r = minus ? NUM_R_SUM : in->reduce;
    num_partials_begin(r, in->as, part);
    if (minus) {
        num_read_words(a, 1, in->as, &first);
        row--;
    }
    while (row > 0) {
        size_t n = row < PIECE ? (size_t)row : PIECE;
        num_read_words(a, n, in->as, x);
        num_partials_add(r, in->as, part, n, x);
        row -= n;
    }
    num_word rest = num_partials_end(r, in->as, part);
    return minus ? num_apply2(NUM_SUB, in->as, first, rest) : rest;
}

// As many whole rows as fit; results in y.
static size_t
reduce_short(const num_insn *in, num_walk *a, size_t row, uint64_t left,
             num_word *x)
{
    size_t fit = row == 0 ? PIECE : PIECE / row;
    size_t n = left < fit ? (size_t)left : fit;
    num_read_words(a, n * row, in->as, x);
    for (size_t i = 0; i < n; i++)
        x[PIECE + i] = num_reduce_row(in->reduce, in->as, row, x + i * row);
    return n;
}

// What a row reduces to, before it is stored.
static num_word
finish(const num_insn *in, num_word w)
{
    return in->negate ? num_apply1(NUM_NEG, in->as, w) : w;
}

void
num_exec_reduce(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    num_walk dst = num_walk_view(&in->dst), a = num_walk_view(&in->a);
    uint64_t left = num_view_elems(&in->dst) * in->dst.parts, row = 1;
    for (uint32_t i = 0; i < in->reduce_dims && i < in->a.ndim; i++)
        row *= in->a.dim[in->a.ndim - 1 - i].count;
    while (left > 0) {
        size_t n = 1;
        if (row <= PIECE)
            n = reduce_short(in, &a, (size_t)row, left, x);
        else
            x[PIECE] = reduce_long(in, &a, row, x);
        for (size_t i = 0; i < n; i++)
            x[PIECE + i] = finish(in, x[PIECE + i]);
        num_write_words(&dst, n, in->as, x + PIECE);
        left -= n;
    }
}

void
num_exec_preduce(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    num_word *y = x + PIECE;
    uint64_t elems = num_view_elems(&in->dst);
    num_walk dst = num_walk_view(&in->dst);
    for (uint64_t at = 0; at < elems && in->a.parts > 0; at += PIECE) {
        size_t n = elems - at < PIECE ? (size_t)(elems - at) : PIECE;
        for (uint32_t p = 0; p < in->a.parts; p++) {
            num_walk lane = num_walk_lane(&in->a, p);
            num_walk_skip(&lane, at);
            num_read_words(&lane, n, in->as, p == 0 ? x : y);
            if (p > 0)
                num_row2(num_reduce_binary(in->reduce), in->as, n, x, x, y, 1);
        }
        num_write_words(&dst, n, in->as, x);
    }
}

// ---- entry

void
num_exec_copy(const num_insn *in, num_state *st, num_word *x)
{
    if (in->dst.dtype == in->a.dtype)
        exec_move(in);
    else
        num_exec_map(in, st, x);
}

void
num_exec_dma(const num_insn *in, num_state *st, num_word *x)
{
    if (in->combine)
        num_exec_map(in, st, x);
    else
        num_exec_copy(in, st, x);
}

void
num_exec(const num_insn *in, num_state *st, num_word *scratch)
{
    static num_exec_fn *const exec[NUM_OP_COUNT] = {
#define ENGINE_OP(id, name, roles, shape, wide, flags, fn, what)               \
    [NUM_OP_##id] = num_exec_##fn,
#include "numerics/engine_ops.def"
#undef ENGINE_OP
    };
    if (exec[in->op])
        exec[in->op](in, st, scratch);
}
