// SPDX-License-Identifier: Apache-2.0
// Scans: recurrences along the innermost dimension, one element at a time.
#include "numerics/numerics_int.h"

static num_word
step_of(num_step s, num_word x, num_word y)
{
    return s.rev ? num_apply2(s.f, s.as, y, x) : num_apply2(s.f, s.as, x, y);
}

// Elements of one row, at most the innermost count.
static uint64_t
row_elems(const num_view *v)
{
    return v->ndim ? v->dim[v->ndim - 1].count : 1;
}

// What a recurrence carries from piece to piece.
typedef struct {
    num_step s0, s1;
    num_word start, r;
    uint64_t row, at; // elements of a row, those done
} recurrence;

static void
recur(recurrence *c, size_t n, num_word *x, const num_word *y)
{
    for (size_t i = 0; i < n; i++) {
        if (c->at == 0)
            c->r = c->start;
        c->r = step_of(c->s1, step_of(c->s0, x[i], c->r), y[i]);
        x[i] = c->r;
        c->at = c->at + 1 == c->row ? 0 : c->at + 1;
    }
}

void
num_exec_tt_scan(const num_insn *in, num_state *st, num_word *x)
{
    uint64_t elems = num_view_elems(&in->dst);
    (void)st;
    for (uint32_t p = 0; p < in->dst.parts; p++) {
        recurrence c = {.s0 = {in->op0, in->as, in->rev0},
                        .s1 = {in->op1, in->as, in->rev1},
                        .start = num_scalar_at(&in->s0, in->as, p),
                        .row = row_elems(&in->dst)};
        num_walk dst = num_walk_lane(&in->dst, p);
        num_walk a = num_walk_lane(&in->a, p), b = num_walk_lane(&in->b, p);
        for (uint64_t left = elems; left > 0;) {
            size_t n = left < NUM_PIECE ? (size_t)left : NUM_PIECE;
            num_read_words(&a, n, in->as, x);
            num_read_words(&b, n, in->as, x + NUM_PIECE);
            recur(&c, n, x, x + NUM_PIECE);
            num_write_words(&dst, n, in->as, x);
            left -= n;
        }
    }
}

// ---- with a scalar: the accumulator runs along

static num_reduce
reduction_of(num_binary f)
{
    switch (f) {
    case NUM_MUL: return NUM_R_PROD;
    case NUM_MAX: return NUM_R_MAX;
    case NUM_MIN: return NUM_R_MIN;
    default: return NUM_R_SUM; // add, sub
    }
}

static num_word
scan_start(const num_insn *in, const num_state *st, uint32_t p)
{
    if (in->cmd == NUM_CMD_LOAD_REDUCE)
        return num_scalar_at(&in->s1, NUM_AS_F32, p);
    if (in->cmd == NUM_CMD_REDUCE)
        return st->acc[in->unit][in->lane + p];
    return num_reduce_identity(reduction_of(in->op1), NUM_AS_F32);
}

void
num_exec_ts_scan(const num_insn *in, num_state *st, num_word *x)
{
    const num_as as = NUM_AS_F32;
    for (uint32_t p = 0; p < in->dst.parts; p++) {
        num_word *acc = &st->acc[in->unit][in->lane + p];
        num_word s0 = num_scalar_at(&in->s0, as, p), r = scan_start(in, st, p);
        num_walk dst = num_walk_lane(&in->dst, p);
        num_walk a = num_walk_lane(&in->a, p);
        for (uint64_t left = num_view_elems(&in->dst); left > 0;) {
            size_t n = left < NUM_PIECE ? (size_t)left : NUM_PIECE;
            num_read_words(&a, n, as, x);
            num_row2(in->op0, as, n, x, x, &s0, 0);
            for (size_t i = 0; i < n; i++)
                x[i] = r = num_apply2(in->op1, as, x[i], r);
            num_write_words(&dst, n, as, x);
            left -= n;
        }
        *acc = r;
    }
}
