// SPDX-License-Identifier: Apache-2.0
// Batch-norm statistics in f32: count, mean and count times variance, and
// their merging.
#include "numerics/numerics_int.h"

static num_word
f2(num_binary f, num_word a, num_word b)
{
    return num_apply2(f, NUM_AS_F32, a, b);
}

static num_word
count_word(size_t n)
{
    return num_cast(NUM_AS_F32, NUM_AS_I32, (num_word)n);
}

// The three numbers of n values; x is overwritten.
static void
statistics(size_t n, num_word *x, num_word *out)
{
    num_word count = count_word(n);
    out[0] = count;
    out[1] = out[2] = 0;
    if (n == 0)
        return;
    num_word sum = num_reduce_row(NUM_R_SUM, NUM_AS_F32, n, x);
    out[1] = f2(NUM_DIV, sum, count);
    for (size_t i = 0; i < n; i++) {
        num_word d = f2(NUM_SUB, x[i], out[1]);
        x[i] = f2(NUM_MUL, d, d);
    }
    out[2] = num_reduce_row(NUM_R_SUM, NUM_AS_F32, n, x);
}

void
num_exec_bn_stats(const num_insn *in, num_state *st, num_word *x)
{
    num_word *even = x + NUM_PIECE, *odd = even + NUM_PIECE, out[6];
    size_t n = (size_t)num_view_elems(&in->a);
    (void)st;
    for (uint32_t p = 0; p < in->a.parts; p++) {
        num_walk a = num_walk_lane(&in->a, p);
        num_walk dst = num_walk_lane(&in->dst, p);
        num_read_words(&a, n, NUM_AS_F32, x);
        for (size_t i = 0; i < n; i++)
            (i % 2 ? odd : even)[i / 2] = x[i];
        statistics((n + 1) / 2, even, out);
        statistics(n / 2, odd, out + 3);
        num_write_words(&dst, 6, NUM_AS_F32, out);
    }
}

// ---- merging

typedef struct {
    num_word count, mean, spread; // of all so far: count, sum, squares
} merged;

// Reads the triples one after the other.
static void
each_triple(const num_insn *in, uint32_t p, merged *m,
            void (*add)(merged *m, const num_word *triple))
{
    num_walk a = num_walk_lane(&in->a, p);
    for (uint64_t left = num_view_elems(&in->a) / 3; left > 0; left--) {
        num_word triple[3];
        num_read_words(&a, 3, NUM_AS_F32, triple);
        add(m, triple);
    }
}

static void
add_sums(merged *m, const num_word *t)
{
    m->count = f2(NUM_ADD, m->count, t[0]);
    m->mean = f2(NUM_ADD, m->mean, f2(NUM_MUL, t[0], t[1]));
}

static void
add_spread(merged *m, const num_word *t)
{
    num_word d = f2(NUM_SUB, t[1], m->mean);
    num_word between = f2(NUM_MUL, t[0], f2(NUM_MUL, d, d));
    m->spread = f2(NUM_ADD, m->spread, f2(NUM_ADD, t[2], between));
}

void
num_exec_bn_aggr(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    (void)x;
    for (uint32_t p = 0; p < in->a.parts; p++) {
        merged m = {0, 0, 0};
        each_triple(in, p, &m, add_sums);
        m.mean = f2(NUM_DIV, m.mean, m.count);
        each_triple(in, p, &m, add_spread);
        num_word out[2] = {m.mean, f2(NUM_DIV, m.spread, m.count)};
        num_walk dst = num_walk_lane(&in->dst, p);
        num_write_words(&dst, 2, NUM_AS_F32, out);
    }
}
