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

// Of a run, the elements whose mask is set.
static void
move_masked(move m, const num_word *mask, uint32_t bytes)
{
    for (size_t i = 0; i < m.n; i++) {
        move one = {m.to + (int64_t)i * m.to_step,
                    m.from + (int64_t)i * m.from_step, bytes, bytes, 1};
        if (mask[i] != 0)
            move_run(one, bytes);
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
            move_masked(m, x + i, num_dtype_bytes(in->dst.dtype));
            i += m.n;
        }
        left -= n;
    }
}

// ---- elementwise

// An operand of the second place: an immediate, or a sequence of words.
typedef struct {
    bool uniform;
    num_word imm;
    num_walk w;
} operand;

static operand
operand_view(const num_view *v)
{
    operand o = {.w = num_walk_view(v)};
    return o;
}

static operand
operand_scalar(const num_scalar *s, uint64_t elems)
{
    operand o = {.uniform = !s->is_vec, .imm = s->imm};
    if (s->is_vec) {
        o.w = num_walk_begin(s->vec.base, s->vec.dtype);
        num_walk_add(&o.w, (uint64_t)s->vec.part_step, s->vec.parts);
        num_walk_add(&o.w, 0, elems);
        num_walk_ready(&o.w);
    }
    return o;
}

// n words of it in y; an immediate is one word, unless 'all' asks for more.
static void
operand_read(operand *o, size_t n, num_as as, bool all, num_word *y)
{
    if (!o->uniform) {
        num_read_words(&o->w, n, as, y);
        return;
    }
    for (size_t i = 0; i < (all ? n : 1); i++)
        y[i] = o->imm;
}

// x = x f operand, or the other way round; y is scratch.
static void
combine(num_step s, operand *o, size_t n, num_word *x, num_word *y)
{
    operand_read(o, n, s.as, s.rev, y);
    if (s.rev)
        num_row2(s.f, s.as, n, x, y, x, 1);
    else
        num_row2(s.f, s.as, n, x, x, y, o->uniform ? 0 : 1);
}

static void
cast_words(num_as to, num_as from, size_t n, num_word *x)
{
    for (size_t i = 0; to != from && i < n; i++)
        x[i] = num_cast(to, from, x[i]);
}

// What an elementwise operation carries from piece to piece.
typedef struct {
    const num_insn *in;
    num_walk dst, a, old; // old: dst read again, to add to
    operand s0, s1, b;
} map;

static num_as
piece_act(map *m, size_t n, num_word *x, num_word *y)
{
    const num_insn *in = m->in;
    bool is_float = in->as == NUM_AS_F32;
    num_read_words(&m->a, n, in->as, x);
    if (is_float && !(m->s0.uniform && m->s0.imm == 0x3f800000u))
        combine((num_step){NUM_MUL, in->as, false}, &m->s0, n, x, y);
    if (is_float && !(m->s1.uniform && m->s1.imm == 0x80000000u))
        combine((num_step){NUM_ADD, in->as, false}, &m->s1, n, x, y);
    num_row1(in->func, in->as, n, x, x);
    return num_unary_gives(in->func, in->as);
}

static num_as
piece_tt(map *m, size_t n, num_word *x, num_word *y)
{
    const num_insn *in = m->in;
    num_read_words(&m->a, n, in->as, x);
    combine((num_step){in->op0, in->as, in->rev0}, &m->b, n, x, y);
    return num_binary_gives(in->op0, in->as);
}

// TS and STT: (a op0 s0) op1 second.
static num_as
piece_two(map *m, operand *second, size_t n, num_word *x, num_word *y)
{
    const num_insn *in = m->in;
    num_read_words(&m->a, n, in->as, x);
    combine((num_step){in->op0, in->as, in->rev0}, &m->s0, n, x, y);
    num_as given = num_binary_gives(in->op0, in->as);
    if (in->op1 == NUM_B_NONE)
        return given;
    num_as as = num_chain(in->as, in->op0, in->op1);
    cast_words(as, given, n, x);
    combine((num_step){in->op1, as, in->rev1}, second, n, x, y);
    return num_binary_gives(in->op1, as);
}

static num_as
piece_cast(map *m, size_t n, num_word *x)
{
    num_as as = num_widened(m->in->a.dtype);
    num_read_words(&m->a, n, as, x);
    return as;
}

static num_as
piece_combine(map *m, size_t n, num_word *x, num_word *y)
{
    num_as as = num_combine_as(m->in->dst.dtype);
    num_read_words(&m->a, n, as, x);
    num_read_words(&m->old, n, as, y);
    num_combine_words(m->in->combine, as, n, x, y);
    return as;
}

// Results in x; gives their register type.
static num_as
map_piece(map *m, size_t n, num_word *x, num_word *y)
{
    switch (m->in->op) {
    case NUM_OP_FILL:
        operand_read(&m->s0, n, m->in->as, true, x);
        return m->in->as;
    case NUM_OP_ACT: return piece_act(m, n, x, y);
    case NUM_OP_TT: return piece_tt(m, n, x, y);
    case NUM_OP_TS: return piece_two(m, &m->s1, n, x, y);
    case NUM_OP_STT: return piece_two(m, &m->b, n, x, y);
    case NUM_OP_DMA:
        return m->in->combine ? piece_combine(m, n, x, y) : piece_cast(m, n, x);
    default: return piece_cast(m, n, x);
    }
}

static map
map_begin(const num_insn *in)
{
    uint64_t elems = num_view_elems(&in->dst);
    map m = {.in = in,
             .dst = num_walk_view(&in->dst),
             .old = num_walk_view(&in->dst)};
    const char *role = num_op_form_of(in->op)->roles;
    if (role[NUM_A] != '-')
        m.a = num_walk_view(&in->a);
    if (role[NUM_B] != '-')
        m.b = operand_view(&in->b);
    m.s0 = operand_scalar(&in->s0, elems);
    m.s1 = operand_scalar(&in->s1, elems);
    return m;
}

void
num_exec_map(const num_insn *in, num_state *st, num_word *scratch)
{
    (void)st;
    uint64_t left = num_view_elems(&in->dst) * in->dst.parts;
    map m = map_begin(in);
    while (left > 0) {
        size_t n = left < PIECE ? (size_t)left : PIECE;
        num_as as = map_piece(&m, n, scratch, scratch + PIECE);
        num_write_words(&m.dst, n, as, scratch);
        left -= n;
    }
}

// Partition p alone, as an operation of one partition.
static num_insn
lane_of(const num_insn *in, uint32_t p)
{
    num_insn lane = *in;
    num_view *v[] = {&lane.dst, &lane.a, &lane.b, &lane.s0.vec, &lane.s1.vec};
    for (uint32_t k = 0; k < sizeof v / sizeof *v; k++) {
        if (v[k]->base)
            v[k]->base += (int64_t)p * v[k]->part_step;
        v[k]->parts = 1;
    }
    return lane;
}

// The elements of a lane are mapped, stored, and reduced as they were before
// the rounding of the store.
static void
map_lane(const num_insn *in, num_state *st, uint32_t p, num_word *x)
{
    num_word part[NUM_PARTIALS];
    num_insn lane = lane_of(in, p);
    uint64_t left = num_view_elems(&in->dst);
    map m = map_begin(&lane);
    num_partials_begin(in->reduce, NUM_AS_F32, part);
    while (left > 0) {
        size_t n = left < PIECE ? (size_t)left : PIECE;
        num_as as = map_piece(&m, n, x, x + PIECE);
        num_partials_add(in->reduce, NUM_AS_F32, part, n, x);
        num_write_words(&m.dst, n, as, x);
        left -= n;
    }
    num_accumulate(in, st, p, num_partials_end(in->reduce, NUM_AS_F32, part));
    num_read_out(in, st, p);
}

void
num_exec_act(const num_insn *in, num_state *st, num_word *x)
{
    if (in->cmd == NUM_CMD_NONE) {
        num_exec_map(in, st, x);
        return;
    }
    num_insn sum = *in;
    sum.reduce = NUM_R_SUM;
    for (uint32_t p = 0; p < in->dst.parts; p++)
        map_lane(&sum, st, p, x);
}

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
    num_word part[NUM_PARTIALS];
    num_partials_begin(in->reduce, in->as, part);
    while (row > 0) {
        size_t n = row < PIECE ? (size_t)row : PIECE;
        num_read_words(a, n, in->as, x);
        num_partials_add(in->reduce, in->as, part, n, x);
        row -= n;
    }
    return num_partials_end(in->reduce, in->as, part);
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

// ---- the tensor engine

void
num_exec_ldw(const num_insn *in, num_state *st, num_word *x)
{
    num_pe *pe = &st->pe;
    pe->k = in->a.parts;
    pe->m = (uint32_t)num_view_elems(&in->a);
    pe->dtype = in->a.dtype;
    for (uint32_t p = 0; p < pe->k; p++) {
        num_walk lane = num_walk_lane(&in->a, p);
        num_read_words(&lane, pe->m, NUM_AS_F32, x);
        memcpy(pe->w + (size_t)p * pe->m, x, pe->m * sizeof *x);
    }
}

enum { MOVING = 512 }; // columns that num_pe has room for

// Columns at .. at + n of dst from pe->out.
static void
put_columns(const num_insn *in, const num_pe *pe, uint64_t at, size_t n,
            num_word *x)
{
    num_word *y = x + PIECE;
    for (uint32_t p = 0; p < in->dst.parts && p < pe->m; p++) {
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

void
num_exec_matmul(const num_insn *in, num_state *st, num_word *x)
{
    num_pe *pe = &st->pe;
    uint64_t elems = num_view_elems(&in->dst);
    uint32_t k = in->a.parts < pe->k ? in->a.parts : pe->k;
    for (uint64_t at = 0; at < elems; at += MOVING) {
        size_t n = elems - at < MOVING ? (size_t)(elems - at) : MOVING;
        for (uint32_t p = 0; p < k; p++) {
            num_walk lane = num_walk_lane(&in->a, p);
            num_walk_skip(&lane, at);
            num_read_words(&lane, n, NUM_AS_F32, x);
            memcpy(pe->x + p * n, x, n * sizeof *x);
        }
        num_matmul(pe->m, n, k, pe->out, pe->w, pe->x);
        put_columns(in, pe, at, n, x);
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
