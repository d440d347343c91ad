// SPDX-License-Identifier: Apache-2.0
// Engine operations on strided views. A view with its partitions as outermost
// dimension is one sequence of elements; it is taken in pieces that fit the
// scratch memory, in order, so dst may be the same view as a source. Lengths
// of pieces never change a result: only REDUCE looks at positions, and its
// partials are carried over.
#include "numerics/numerics_int.h"

#include <string.h>

enum { PIECE = NUM_SCRATCH_WORDS / 4 };

const char *
num_op_name(num_op op)
{
    static const char *const names[NUM_OP_COUNT] = {
        "none",
#define ENGINE_OP(id, name, srcs, vecs, what) name,
#include "numerics/engine_ops.def"
#undef ENGINE_OP
    };
    return (unsigned)op < NUM_OP_COUNT ? names[op] : "none";
}

num_as
num_chain(num_as as, num_binary op0, num_binary op1)
{
    num_as given = num_binary_gives(op0, as);
    return num_binary_takes(op1, given) ? given : as;
}

uint64_t
num_view_elems(const num_view *v)
{
    uint64_t n = 1;
    for (uint32_t d = 0; d < v->ndim; d++)
        n *= v->dim[d].count;
    return n;
}

// ---- walks: the elements of a view in order, as runs of one step

typedef struct {
    uint8_t *base;
    num_dtype dtype;
    uint32_t nd;
    uint64_t offset; // of the next element, modulo 2^64
    struct {
        uint64_t step, count, at;
    } dim[NUM_DIMS + 1];
} walk;

typedef struct {
    uint64_t offset, step;
    size_t n;
} run;

// Adds an inner dimension, as one with the last where the steps allow it.
static void
walk_add(walk *w, uint64_t step, uint64_t count)
{
    if (count == 1)
        return;
    uint32_t d = w->nd;
    if (d > 0 && w->dim[d - 1].step == step * count) {
        w->dim[d - 1].step = step;
        w->dim[d - 1].count *= count;
        return;
    }
    w->dim[d].step = step;
    w->dim[d].count = count;
    w->dim[d].at = 0;
    w->nd++;
}

static walk
walk_begin(uint8_t *base, num_dtype t)
{
    walk w = {.base = base, .dtype = t};
    return w;
}

// A run needs a dimension to be along.
static void
walk_ready(walk *w)
{
    if (w->nd == 0) {
        w->dim[0].count = 1;
        w->nd = 1;
    }
}

static walk
walk_view(const num_view *v)
{
    walk w = walk_begin(v->base, v->dtype);
    walk_add(&w, (uint64_t)v->part_step, v->parts);
    for (uint32_t d = 0; d < v->ndim; d++)
        walk_add(&w, (uint64_t)v->dim[d].step, v->dim[d].count);
    walk_ready(&w);
    return w;
}

// The elements of one partition.
static walk
walk_lane(const num_view *v, uint32_t part)
{
    num_view lane = *v;
    lane.base += (int64_t)part * v->part_step;
    lane.parts = 1;
    return walk_view(&lane);
}

// At most 'most' elements, never across the end of the innermost dimension.
static run
walk_next(walk *w, uint64_t most)
{
    uint32_t d = w->nd - 1;
    uint64_t left = w->dim[d].count - w->dim[d].at;
    run r = {w->offset, w->dim[d].step, (size_t)(left < most ? left : most)};
    w->dim[d].at += r.n;
    w->offset += r.n * r.step;
    for (; d > 0 && w->dim[d].at == w->dim[d].count; d--) {
        w->offset += w->dim[d - 1].step - w->dim[d].count * w->dim[d].step;
        w->dim[d].at = 0;
        w->dim[d - 1].at++;
    }
    return r;
}

static void
walk_skip(walk *w, uint64_t n)
{
    while (n > 0)
        n -= walk_next(w, n).n;
}

static uint8_t *
run_at(const walk *w, uint64_t offset)
{
    return w->base + (int64_t)offset;
}

// The next n elements, widened and cast to 'as'.
static void
read_words(walk *w, size_t n, num_as as, num_word *out)
{
    num_as from = num_widened(w->dtype);
    for (size_t i = 0; i < n;) {
        run r = walk_next(w, n - i);
        num_load_row(w->dtype, run_at(w, r.offset), (int64_t)r.step, r.n,
                     out + i);
        i += r.n;
    }
    for (size_t i = 0; from != as && i < n; i++)
        out[i] = num_cast(as, from, out[i]);
}

static void
write_words(walk *w, size_t n, num_as as, const num_word *in)
{
    for (size_t i = 0; i < n;) {
        run r = walk_next(w, n - i);
        num_store_row(w->dtype, run_at(w, r.offset), (int64_t)r.step, r.n, as,
                      in + i);
        i += r.n;
    }
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
next_move(walk *to, walk *from, uint64_t most)
{
    uint32_t d = from->nd - 1;
    uint64_t left = from->dim[d].count - from->dim[d].at;
    run t = walk_next(to, left < most ? left : most);
    run f = walk_next(from, t.n);
    move m = {run_at(to, t.offset), run_at(from, f.offset), (int64_t)t.step,
              (int64_t)f.step, f.n};
    return m;
}

static void
exec_move(const num_insn *in)
{
    walk to = walk_view(&in->dst), from = walk_view(&in->a);
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

static void
exec_select(const num_insn *in, num_word *x)
{
    walk to = walk_view(&in->dst), from = walk_view(&in->a);
    walk b = walk_view(&in->b);
    uint64_t left = num_view_elems(&in->dst) * in->dst.parts;
    while (left > 0) {
        size_t n = left < PIECE ? (size_t)left : PIECE;
        read_words(&b, n, NUM_AS_BOOL, x);
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
    walk w;
} operand;

static operand
operand_view(const num_view *v)
{
    operand o = {.w = walk_view(v)};
    return o;
}

static operand
operand_scalar(const num_scalar *s, uint64_t elems)
{
    operand o = {.uniform = !s->is_vec, .imm = s->imm};
    if (s->is_vec) {
        o.w = walk_begin(s->vec.base, s->vec.dtype);
        walk_add(&o.w, (uint64_t)s->vec.part_step, s->vec.parts);
        walk_add(&o.w, 0, elems);
        walk_ready(&o.w);
    }
    return o;
}

// n words of it in y; an immediate is one word, unless 'all' asks for more.
static void
operand_read(operand *o, size_t n, num_as as, bool all, num_word *y)
{
    if (!o->uniform) {
        read_words(&o->w, n, as, y);
        return;
    }
    for (size_t i = 0; i < (all ? n : 1); i++)
        y[i] = o->imm;
}

// x = x f operand, or the other way round; y is scratch.
typedef struct {
    num_binary f;
    num_as as;
    bool rev;
} step;

static void
combine(step s, operand *o, size_t n, num_word *x, num_word *y)
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
    walk dst, a, old; // old: dst read again, to add to
    operand s0, s1, b;
} map;

static num_as
piece_act(map *m, size_t n, num_word *x, num_word *y)
{
    const num_insn *in = m->in;
    bool is_float = in->as == NUM_AS_F32;
    read_words(&m->a, n, in->as, x);
    if (is_float && !(m->s0.uniform && m->s0.imm == 0x3f800000u))
        combine((step){NUM_MUL, in->as, false}, &m->s0, n, x, y);
    if (is_float && !(m->s1.uniform && m->s1.imm == 0x80000000u))
        combine((step){NUM_ADD, in->as, false}, &m->s1, n, x, y);
    num_row1(in->func, in->as, n, x, x);
    return num_unary_gives(in->func, in->as);
}

static num_as
piece_tt(map *m, size_t n, num_word *x, num_word *y)
{
    const num_insn *in = m->in;
    read_words(&m->a, n, in->as, x);
    combine((step){in->op0, in->as, in->rev0}, &m->b, n, x, y);
    return num_binary_gives(in->op0, in->as);
}

// TS and STT: (a op0 s0) op1 second.
static num_as
piece_two(map *m, operand *second, size_t n, num_word *x, num_word *y)
{
    const num_insn *in = m->in;
    read_words(&m->a, n, in->as, x);
    combine((step){in->op0, in->as, in->rev0}, &m->s0, n, x, y);
    num_as given = num_binary_gives(in->op0, in->as);
    if (in->op1 == NUM_B_NONE)
        return given;
    num_as as = num_chain(in->as, in->op0, in->op1);
    cast_words(as, given, n, x);
    combine((step){in->op1, as, in->rev1}, second, n, x, y);
    return num_binary_gives(in->op1, as);
}

static num_as
piece_cast(map *m, size_t n, num_word *x)
{
    num_as as = num_widened(m->in->a.dtype);
    read_words(&m->a, n, as, x);
    return as;
}

static num_as
piece_combine(map *m, size_t n, num_word *x, num_word *y)
{
    num_as as = num_combine_as(m->in->dst.dtype);
    read_words(&m->a, n, as, x);
    read_words(&m->old, n, as, y);
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

static void
exec_map(const num_insn *in, num_word *scratch)
{
    uint64_t elems = num_view_elems(&in->dst), left = elems * in->dst.parts;
    map m = {.in = in, .dst = walk_view(&in->dst), .old = walk_view(&in->dst)};
    if (in->op != NUM_OP_FILL)
        m.a = walk_view(&in->a);
    if (in->op == NUM_OP_TT || in->op == NUM_OP_STT)
        m.b = operand_view(&in->b);
    m.s0 = operand_scalar(&in->s0, elems);
    m.s1 = operand_scalar(&in->s1, elems);
    while (left > 0) {
        size_t n = left < PIECE ? (size_t)left : PIECE;
        num_as as = map_piece(&m, n, scratch, scratch + PIECE);
        write_words(&m.dst, n, as, scratch);
        left -= n;
    }
}

static void
exec_iota(const num_insn *in, num_word *x)
{
    walk dst = walk_view(&in->dst);
    walk value = walk_begin(NULL, DT_I32);
    walk_add(&value, (uint64_t)in->iota_part, in->dst.parts);
    for (uint32_t d = 0; d < in->dst.ndim; d++)
        walk_add(&value, (uint64_t)in->iota_step[d], in->dst.dim[d].count);
    walk_ready(&value);
    uint64_t left = num_view_elems(&in->dst) * in->dst.parts;
    while (left > 0) {
        run r = walk_next(&value, left < PIECE ? left : PIECE);
        uint64_t v = r.offset + (uint64_t)in->iota_base;
        for (size_t i = 0; i < r.n; i++, v += r.step)
            x[i] = (num_word)v;
        write_words(&dst, r.n, NUM_AS_I32, x);
        left -= r.n;
    }
}

// ---- reductions

// One result of 'row' elements, longer than a piece.
static num_word
reduce_long(const num_insn *in, walk *a, uint64_t row, num_word *x)
{
    num_word part[NUM_PARTIALS];
    num_partials_begin(in->reduce, in->as, part);
    while (row > 0) {
        size_t n = row < PIECE ? (size_t)row : PIECE;
        read_words(a, n, in->as, x);
        num_partials_add(in->reduce, in->as, part, n, x);
        row -= n;
    }
    return num_partials_end(in->reduce, in->as, part);
}

// As many whole rows as fit; results in y.
static size_t
reduce_short(const num_insn *in, walk *a, size_t row, uint64_t left,
             num_word *x)
{
    size_t fit = row == 0 ? PIECE : PIECE / row;
    size_t n = left < fit ? (size_t)left : fit;
    read_words(a, n * row, in->as, x);
    for (size_t i = 0; i < n; i++)
        x[PIECE + i] = num_reduce_row(in->reduce, in->as, row, x + i * row);
    return n;
}

static void
exec_reduce(const num_insn *in, num_word *x)
{
    walk dst = walk_view(&in->dst), a = walk_view(&in->a);
    uint64_t left = num_view_elems(&in->dst) * in->dst.parts, row = 1;
    for (uint32_t i = 0; i < in->reduce_dims && i < in->a.ndim; i++)
        row *= in->a.dim[in->a.ndim - 1 - i].count;
    while (left > 0) {
        size_t n = 1;
        if (row <= PIECE)
            n = reduce_short(in, &a, (size_t)row, left, x);
        else
            x[PIECE] = reduce_long(in, &a, row, x);
        write_words(&dst, n, in->as, x + PIECE);
        left -= n;
    }
}

static void
exec_preduce(const num_insn *in, num_word *x)
{
    num_word *y = x + PIECE;
    uint64_t elems = num_view_elems(&in->dst);
    walk dst = walk_view(&in->dst);
    for (uint64_t at = 0; at < elems && in->a.parts > 0; at += PIECE) {
        size_t n = elems - at < PIECE ? (size_t)(elems - at) : PIECE;
        for (uint32_t p = 0; p < in->a.parts; p++) {
            walk lane = walk_lane(&in->a, p);
            walk_skip(&lane, at);
            read_words(&lane, n, in->as, p == 0 ? x : y);
            if (p > 0)
                num_row2(num_reduce_binary(in->reduce), in->as, n, x, x, y, 1);
        }
        write_words(&dst, n, in->as, x);
    }
}

// ---- the tensor engine

static void
exec_ldw(const num_insn *in, num_pe *pe, num_word *x)
{
    pe->k = in->a.parts;
    pe->m = (uint32_t)num_view_elems(&in->a);
    pe->dtype = in->a.dtype;
    for (uint32_t p = 0; p < pe->k; p++) {
        walk lane = walk_lane(&in->a, p);
        read_words(&lane, pe->m, NUM_AS_F32, x);
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
        walk dst = walk_lane(&in->dst, p);
        walk_skip(&dst, at);
        memcpy(x, pe->out + p * n, n * sizeof *x);
        if (in->accumulate) {
            walk old = dst;
            read_words(&old, n, NUM_AS_F32, y);
            num_row2(NUM_ADD, NUM_AS_F32, n, x, y, x, 1);
        }
        write_words(&dst, n, NUM_AS_F32, x);
    }
}

static void
exec_matmul(const num_insn *in, num_pe *pe, num_word *x)
{
    uint64_t elems = num_view_elems(&in->dst);
    uint32_t k = in->a.parts < pe->k ? in->a.parts : pe->k;
    for (uint64_t at = 0; at < elems; at += MOVING) {
        size_t n = elems - at < MOVING ? (size_t)(elems - at) : MOVING;
        for (uint32_t p = 0; p < k; p++) {
            walk lane = walk_lane(&in->a, p);
            walk_skip(&lane, at);
            read_words(&lane, n, NUM_AS_F32, x);
            memcpy(pe->x + p * n, x, n * sizeof *x);
        }
        num_matmul(pe->m, n, k, pe->out, pe->w, pe->x);
        put_columns(in, pe, at, n, x);
    }
}

void
num_exec(const num_insn *in, num_pe *pe, num_word *scratch)
{
    bool same = in->dst.dtype == in->a.dtype;
    switch (in->op) {
    case NUM_OP_COPY:
    case NUM_OP_DMA:
        if (same && !in->combine)
            exec_move(in);
        else
            exec_map(in, scratch);
        break;
    case NUM_OP_FILL:
    case NUM_OP_ACT:
    case NUM_OP_TT:
    case NUM_OP_TS:
    case NUM_OP_STT: exec_map(in, scratch); break;
    case NUM_OP_SELECT: exec_select(in, scratch); break;
    case NUM_OP_REDUCE: exec_reduce(in, scratch); break;
    case NUM_OP_PREDUCE: exec_preduce(in, scratch); break;
    case NUM_OP_IOTA: exec_iota(in, scratch); break;
    case NUM_OP_LDW: exec_ldw(in, pe, scratch); break;
    case NUM_OP_MATMUL: exec_matmul(in, pe, scratch); break;
    case NUM_OP_DMA_GATHER:
    case NUM_OP_DMA_SCATTER: num_exec_indexed(in, scratch); break;
    case NUM_OP_NONE:
    case NUM_OP_COUNT: break;
    }
}
