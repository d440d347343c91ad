// SPDX-License-Identifier: Apache-2.0
// Operations with a running reduction. Each engine has one f32 accumulator a
// lane (the partition the source lies in). An instruction reduces the elements
// of a lane to one value in the order of every reduction along the free axis
// (32 partials, a halving tree), and that value goes into the accumulator in
// one more step; the command says from what the accumulator starts.
#include "numerics/numerics_int.h"

num_word
num_scalar_at(const num_scalar *s, num_as as, uint32_t p)
{
    if (!s->is_vec)
        return s->imm;
    const num_view *v = &s->vec;
    num_word w = num_load(v->dtype, v->base + (int64_t)p * v->part_step);
    return num_cast(as, num_widened(v->dtype), w);
}

void
num_accumulate(const num_insn *in, num_state *st, uint32_t p, num_word row)
{
    num_word *acc = &st->acc[in->unit][in->lane + p], from = *acc;
    switch (in->cmd) {
    case NUM_CMD_NONE:
    case NUM_CMD_COUNT: return;
    case NUM_CMD_RESET: *acc = num_reduce_identity(in->reduce, in->as); return;
    case NUM_CMD_REDUCE: break;
    case NUM_CMD_RESET_REDUCE:
        from = num_reduce_identity(in->reduce, in->as);
        break;
    case NUM_CMD_LOAD_REDUCE: from = num_scalar_at(&in->s1, in->as, p); break;
    }
    *acc = num_reduce_step(in->reduce, in->as, from, row);
}

void
num_read_out(const num_insn *in, num_state *st, uint32_t p)
{
    if (!in->has_red)
        return;
    num_word w = st->acc[in->unit][in->lane + p];
    if (in->negate)
        w = num_apply1(NUM_NEG, NUM_AS_F32, w);
    num_store(in->red.dtype, in->red.base + (int64_t)p * in->red.part_step,
              NUM_AS_F32, w);
}

void
num_exec_act_read(const num_insn *in, num_state *st, num_word *x)
{
    num_insn out = *in;
    (void)x;
    out.has_red = true;
    out.red = in->dst;
    for (uint32_t p = 0; p < in->dst.parts; p++)
        num_read_out(&out, st, p);
}
