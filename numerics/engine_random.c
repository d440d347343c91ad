// SPDX-License-Identifier: Apache-2.0
// Random words. The public record names the kinds of generator and the sizes
// of their states; the definitions are ours. Each lane of an engine has its
// own: one word of state is a Galois shift register, 6 words are one XORWOW
// generator (Marsaglia 2003: five words that shift and a counter), 24 are four
// of them that take turns, beginning with the first in every instruction.
#include "numerics/numerics_int.h"

enum { XORWOW = 6, BITS = 32 };

// x^32 + x^22 + x^2 + x + 1 is primitive: every state but 0 comes in turn.
static uint32_t
next_register(uint32_t *s)
{
    for (uint32_t i = 0; i < BITS; i++)
        *s = *s >> 1 ^ ((0 - (*s & 1)) & 0x80200003u);
    return *s;
}

static uint32_t
next_xorwow(uint32_t *s)
{
    uint32_t t = s[0] ^ s[0] >> 2, v = s[4];
    memmove(s, s + 1, 4 * sizeof *s);
    s[4] = (v ^ v << 4) ^ (t ^ t << 1);
    s[5] += 362437;
    return s[4] + s[5];
}

// n words; 'drawn' of the instruction were drawn before.
static void
draw(num_rng *g, uint64_t drawn, size_t n, num_word *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t turn = (uint32_t)(drawn + i) % (NUM_RNG_WORDS / XORWOW);
        if (g->words == 1)
            out[i] = next_register(g->w);
        else
            out[i] =
                next_xorwow(g->w + (g->words > XORWOW ? turn * XORWOW : 0));
    }
}

// 24 bits of a word as a number in [0, 1), exactly.
static num_word
fraction(num_word w)
{
    return num_word_f32((float)(w >> 8) * 0x1p-24f);
}

void
num_exec_rng_set(const num_insn *in, num_state *st, num_word *x)
{
    for (uint32_t p = 0; p < in->a.parts; p++) {
        num_rng *g = &st->rng[in->unit][in->lane + p];
        num_walk a = num_walk_lane(&in->a, p);
        g->words = (uint32_t)num_view_elems(&in->a);
        num_read_words(&a, g->words, NUM_AS_U32, x);
        memcpy(g->w, x, g->words * sizeof *x);
        // The state 0 would stay for ever.
        if (g->words == 1 && g->w[0] == 0)
            g->w[0] = 1;
    }
}

void
num_exec_rng_get(const num_insn *in, num_state *st, num_word *x)
{
    (void)x;
    for (uint32_t p = 0; p < in->dst.parts; p++) {
        const num_rng *g = &st->rng[in->unit][in->lane + p];
        num_walk dst = num_walk_lane(&in->dst, p);
        num_write_words(&dst, g->words, NUM_AS_U32, g->w);
    }
}

// A piece of draws becomes a piece of results of type 'as'.
typedef void make_fn(const num_insn *in, uint32_t p, num_walk *a, size_t n,
                     num_word *x);

static void
draw_lanes(const num_insn *in, num_state *st, num_as as, make_fn *make,
           num_word *x)
{
    bool has_a = num_op_form_of(in->op)->roles[NUM_A] != '-';
    for (uint32_t p = 0; p < in->dst.parts; p++) {
        uint64_t elems = num_view_elems(&in->dst);
        num_walk dst = num_walk_lane(&in->dst, p);
        num_walk a = has_a ? num_walk_lane(&in->a, p) : dst;
        for (uint64_t at = 0; at < elems;) {
            size_t n =
                elems - at < NUM_PIECE ? (size_t)(elems - at) : NUM_PIECE;
            draw(&st->rng[in->unit][in->lane + p], at, n, x);
            make(in, p, &a, n, x);
            num_write_words(&dst, n, as, x);
            at += n;
        }
    }
}

static void
make_words(const num_insn *in, uint32_t p, num_walk *a, size_t n, num_word *x)
{
    (void)in;
    (void)p;
    (void)a;
    (void)n;
    (void)x;
}

void
num_exec_rng(const num_insn *in, num_state *st, num_word *x)
{
    draw_lanes(in, st, NUM_AS_U32, make_words, x);
}

static void
make_uniform(const num_insn *in, uint32_t p, num_walk *a, size_t n, num_word *x)
{
    const num_as as = NUM_AS_F32;
    num_word lo = num_scalar_at(&in->s0, as, p);
    num_word width = num_apply2(NUM_SUB, as, num_scalar_at(&in->s1, as, p), lo);
    (void)a;
    for (size_t i = 0; i < n; i++)
        x[i] = fraction(x[i]);
    num_row2(NUM_MUL, as, n, x, x, &width, 0);
    num_row2(NUM_ADD, as, n, x, x, &lo, 0);
}

void
num_exec_rng_uniform(const num_insn *in, num_state *st, num_word *x)
{
    draw_lanes(in, st, NUM_AS_F32, make_uniform, x);
}

// Elements are kept as they are or become 0: exact in their register type.
static void
make_dropout(const num_insn *in, uint32_t p, num_walk *a, size_t n, num_word *x)
{
    num_word *old = x + NUM_PIECE, s = num_scalar_at(&in->s0, NUM_AS_F32, p);
    num_read_words(a, n, num_widened(in->a.dtype), old);
    for (size_t i = 0; i < n; i++) {
        bool below = num_apply2(NUM_LT, NUM_AS_F32, fraction(x[i]), s) != 0;
        x[i] = below == in->rev0 ? old[i] : 0;
    }
}

void
num_exec_dropout(const num_insn *in, num_state *st, num_word *x)
{
    draw_lanes(in, st, num_widened(in->a.dtype), make_dropout, x);
}
