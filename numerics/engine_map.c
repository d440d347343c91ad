// SPDX-License-Identifier: Apache-2.0
// Elementwise engine operations: an element of dst is a function of the
// elements at its position. Some also reduce what they compute, lane by lane.
#include "numerics/numerics_int.h"

enum { PIECE = NUM_PIECE };

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
    uint64_t at;          // elements of the lane done; RANGE_SELECT
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

// a op0 s0, op1 s1, each only if it is there, then the function; a relu has
// the slope s2 below 0.
static num_as
piece_act2(map *m, size_t n, num_word *x, num_word *y)
{
    const num_insn *in = m->in;
    num_read_words(&m->a, n, in->as, x);
    if (in->op0 != NUM_B_NONE)
        combine((num_step){in->op0, in->as, in->rev0}, &m->s0, n, x, y);
    if (in->op1 != NUM_B_NONE)
        combine((num_step){in->op1, in->as, in->rev1}, &m->s1, n, x, y);
    if (in->func != NUM_RELU || in->slope == 0) {
        num_row1(in->func, in->as, n, x, x);
        return in->as;
    }
    num_row2(NUM_PRELU, in->as, n, x, x, &in->slope, 0);
    return in->as;
}

static num_as
piece_exponential(map *m, size_t n, num_word *x, num_word *y)
{
    num_read_words(&m->a, n, NUM_AS_F32, x);
    combine((num_step){NUM_SUB, NUM_AS_F32, false}, &m->s0, n, x, y);
    num_row1(NUM_EXP, NUM_AS_F32, n, x, x);
    return NUM_AS_F32;
}

static num_as
piece_select_reduce(map *m, size_t n, num_word *x, num_word *y)
{
    num_word *other = y + PIECE;
    num_read_words(&m->a, n, NUM_AS_F32, x);
    operand_read(&m->b, n, NUM_AS_BOOL, true, y);
    operand_read(&m->s0, n, NUM_AS_F32, true, other);
    for (size_t i = 0; i < n; i++)
        x[i] = num_pick32((y[i] != 0) != m->in->rev0, x[i], other[i]);
    return NUM_AS_F32;
}

// The least finite f32, which range_select fills with.
static const num_word LEAST_FINITE = 0xff7fffffu;

static num_as
piece_range_select(map *m, size_t n, num_word *x, num_word *y)
{
    const num_insn *in = m->in;
    num_word *keep = y + PIECE, *bound = y + 2 * (size_t)PIECE;
    uint64_t first = (uint64_t)in->iota_base + m->at;
    num_read_words(&m->a, n, NUM_AS_F32, x);
    for (size_t i = 0; i < n; i++)
        y[i] = num_cast(NUM_AS_F32, NUM_AS_I32, (num_word)(first + i));
    operand_read(&m->s0, n, NUM_AS_F32, true, bound);
    num_row2(in->op0, NUM_AS_F32, n, keep, y, bound, 1);
    operand_read(&m->s1, n, NUM_AS_F32, true, bound);
    num_row2(in->op1, NUM_AS_F32, n, bound, y, bound, 1);
    for (size_t i = 0; i < n; i++)
        x[i] = num_pick32(keep[i] && bound[i], x[i], LEAST_FINITE);
    m->at += n;
    return NUM_AS_F32;
}

// Results in x; gives their register type.
static num_as
map_piece(map *m, size_t n, num_word *x, num_word *y)
{
    switch (m->in->op) {
    case NUM_OP_ACT2: return piece_act2(m, n, x, y);
    case NUM_OP_EXPONENTIAL: return piece_exponential(m, n, x, y);
    case NUM_OP_SELECT_REDUCE: return piece_select_reduce(m, n, x, y);
    case NUM_OP_RANGE_SELECT: return piece_range_select(m, n, x, y);
    case NUM_OP_FILL:
        operand_read(&m->s0, n, m->in->as, true, x);
        return m->in->as;
    case NUM_OP_ACT: return piece_act(m, n, x, y);
    case NUM_OP_TT: return piece_tt(m, n, x, y);
    case NUM_OP_TS:
    case NUM_OP_TS_REDUCE: return piece_two(m, &m->s1, n, x, y);
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
        cast_words(NUM_AS_F32, as, n, x);
        num_partials_add(in->reduce, NUM_AS_F32, part, n, x);
        num_write_words(&m.dst, n, NUM_AS_F32, x);
        left -= n;
    }
    num_accumulate(in, st, p, num_partials_end(in->reduce, NUM_AS_F32, part));
    num_read_out(in, st, p);
}

void
num_exec_map_reduce(const num_insn *in, num_state *st, num_word *x)
{
    num_insn with = *in;
    if (in->reduce == NUM_R_NONE)
        with.reduce = in->op == NUM_OP_ACT || in->op == NUM_OP_EXPONENTIAL
                          ? NUM_R_SUM
                          : NUM_R_MAX;
    if (in->cmd == NUM_CMD_NONE && in->op != NUM_OP_RANGE_SELECT) {
        num_exec_map(in, st, x);
        return;
    }
    for (uint32_t p = 0; p < in->dst.parts; p++)
        map_lane(&with, st, p, x);
}
