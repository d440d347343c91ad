// SPDX-License-Identifier: Apache-2.0
// What the general engine alone does: affine selection, bounds of segments,
// positions of what is not zero. Rows have at most NUM_SORT_MAX elements.
#include "numerics/numerics_int.h"

#include <string.h>

// ---- affine_select

// i32 compared with 0: whether to keep.
static void
select_run(const num_insn *in, num_word *x, size_t n, uint64_t v, uint64_t step)
{
    for (size_t i = 0; i < n; i++, v += step) {
        num_word keep = num_apply2(in->op0, NUM_AS_I32, (num_word)v, 0);
        if (!keep)
            x[i] = in->s0.imm;
    }
}

void
num_exec_affine_select(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    num_walk dst = num_walk_view(&in->dst), a = num_walk_view(&in->a);
    num_walk value = num_walk_begin(NULL, DT_I32);
    num_walk_add(&value, (uint64_t)in->iota_part, in->dst.parts);
    for (uint32_t d = 0; d < in->dst.ndim; d++)
        num_walk_add(&value, (uint64_t)in->iota_step[d], in->dst.dim[d].count);
    num_walk_ready(&value);
    uint64_t left = num_view_elems(&in->dst) * in->dst.parts;
    while (left > 0) {
        num_run r = num_walk_next(&value, left < NUM_PIECE ? left : NUM_PIECE);
        num_read_words(&a, r.n, in->as, x);
        select_run(in, x, r.n, r.offset + (uint64_t)in->iota_base, r.step);
        num_write_words(&dst, r.n, in->as, x);
        left -= r.n;
    }
}

// ---- bounds

// Where the run of equal identifiers around each element begins and ends; 0
// is padding.
void
num_exec_bounds(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    uint32_t n = (uint32_t)num_view_elems(&in->a);
    num_word *id = x, *begin = x + NUM_SORT_MAX, *end = begin + NUM_SORT_MAX;
    num_walk a = num_walk_view(&in->a), dst = num_walk_view(&in->dst);
    num_read_words(&a, n, in->as, id);
    for (uint32_t i = 0; i < n; i++) {
        bool goes_on = i > 0 && num_apply2(NUM_EQ, in->as, id[i - 1], id[i]);
        begin[i] = goes_on ? begin[i - 1] : i;
    }
    for (uint32_t i = n; i-- > 0;) {
        bool goes_on =
            i + 1 < n && num_apply2(NUM_EQ, in->as, id[i], id[i + 1]);
        end[i] = goes_on ? end[i + 1] : i + 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!num_apply2(NUM_EQ, in->as, id[i], 0))
            continue;
        begin[i] = n;
        end[i] = UINT32_MAX;
    }
    num_write_words(&dst, n, NUM_AS_I32, begin);
    num_write_words(&dst, n, NUM_AS_I32, end);
}

// ---- nonzero

void
num_exec_nonzero(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    uint32_t n = (uint32_t)num_view_elems(&in->a);
    num_word *out = x + NUM_SORT_MAX;
    for (uint32_t p = 0; p < in->a.parts; p++) {
        num_walk a = num_walk_lane(&in->a, p);
        num_walk dst = num_walk_lane(&in->dst, p);
        uint32_t found = 0;
        num_read_words(&a, n, NUM_AS_BOOL, x);
        for (uint32_t i = 0; i < n; i++)
            if (x[i])
                out[found++] = i + in->s0.imm;
        for (uint32_t i = found; i < n; i++)
            out[i] = in->s1.imm;
        out[n] = found;
        num_write_words(&dst, n + 1, NUM_AS_I32, out);
    }
}

void
num_exec_nothing(const num_insn *in, num_state *st, num_word *x)
{
    (void)in;
    (void)st;
    (void)x;
}
