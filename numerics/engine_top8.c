// SPDX-License-Identifier: Apache-2.0
// The eight largest elements of a lane, where values occur first, and their
// replacement.
#include "numerics/numerics_int.h"

enum { EIGHT = 8 };

// Numbers that order as max does: a NaN above all, -0 below +0.
static uint32_t
order_of(num_word w)
{
    return w >> 31 ? ~w : w | 0x80000000u;
}

// Puts w among the largest, descending; of equal ones the earlier stays first.
static void
keep_larger(num_word *top, num_word w)
{
    uint32_t i = EIGHT;
    while (i > 0 && order_of(w) > order_of(top[i - 1])) {
        if (i < EIGHT)
            top[i] = top[i - 1];
        i--;
    }
    if (i < EIGHT)
        top[i] = w;
}

void
num_exec_max8(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    for (uint32_t p = 0; p < in->a.parts; p++) {
        num_word top[EIGHT];
        num_walk a = num_walk_lane(&in->a, p);
        num_walk dst = num_walk_lane(&in->dst, p);
        for (uint32_t i = 0; i < EIGHT; i++)
            top[i] = 0xff800000u; // -inf; there are eight elements at least
        for (uint64_t left = num_view_elems(&in->a); left > 0;) {
            size_t n = left < NUM_PIECE ? (size_t)left : NUM_PIECE;
            num_read_words(&a, n, NUM_AS_F32, x);
            for (size_t i = 0; i < n; i++)
                keep_larger(top, x[i]);
            left -= n;
        }
        num_write_words(&dst, EIGHT, NUM_AS_F32, top);
    }
}

// ---- positions of values

// Eight values sought in a lane; equal ones take one occurrence after another.
typedef struct {
    num_word value[EIGHT];
    uint32_t before[EIGHT]; // equal values that are served first
    uint32_t met[EIGHT];    // occurrences so far
    num_word at[EIGHT];     // position, all ones: none
} search8;

static bool
is_equal(num_word a, num_word b)
{
    return num_apply2(NUM_EQ, NUM_AS_F32, a, b) != 0;
}

// From the last value downward, or from the first.
static search8
begin_search(const num_insn *in, uint32_t p, bool downward)
{
    search8 s = {.at = {0}};
    num_walk vals = num_walk_lane(&in->s1.vec, p);
    num_read_words(&vals, EIGHT, NUM_AS_F32, s.value);
    for (uint32_t i = 0; i < EIGHT; i++) {
        s.at[i] = UINT32_MAX;
        for (uint32_t k = 0; k < EIGHT; k++)
            if ((downward ? k > i : k < i) && is_equal(s.value[i], s.value[k]))
                s.before[i]++;
    }
    return s;
}

static void
meet(search8 *s, num_word w, uint64_t position)
{
    for (uint32_t i = 0; i < EIGHT; i++)
        if (is_equal(s->value[i], w) && s->met[i]++ == s->before[i])
            s->at[i] = (num_word)position;
}

static void
search_lane(const num_insn *in, uint32_t p, search8 *s, num_word *x)
{
    uint64_t elems = num_view_elems(&in->a);
    num_walk a = num_walk_lane(&in->a, p);
    for (uint64_t at = 0; at < elems;) {
        size_t n = elems - at < NUM_PIECE ? (size_t)(elems - at) : NUM_PIECE;
        num_read_words(&a, n, NUM_AS_F32, x);
        for (size_t i = 0; i < n; i++)
            meet(s, x[i], at + i);
        at += n;
    }
}

void
num_exec_find8(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    for (uint32_t p = 0; p < in->a.parts; p++) {
        search8 s = begin_search(in, p, false);
        num_walk dst = num_walk_lane(&in->dst, p);
        search_lane(in, p, &s, x);
        num_write_words(&dst, EIGHT, NUM_AS_U32, s.at);
    }
}

static bool
is_found(const search8 *s, uint64_t position)
{
    for (uint32_t i = 0; i < EIGHT; i++)
        if (s->at[i] == position)
            return true;
    return false;
}

static void
replace_lane(const num_insn *in, uint32_t p, const search8 *s, num_word *x)
{
    uint64_t elems = num_view_elems(&in->a);
    num_word with = num_scalar_at(&in->s0, NUM_AS_F32, p);
    num_walk a = num_walk_lane(&in->a, p), dst = num_walk_lane(&in->dst, p);
    for (uint64_t at = 0; at < elems;) {
        size_t n = elems - at < NUM_PIECE ? (size_t)(elems - at) : NUM_PIECE;
        num_read_words(&a, n, NUM_AS_F32, x);
        for (size_t i = 0; i < n; i++)
            if (is_found(s, at + i))
                x[i] = with;
        num_write_words(&dst, n, NUM_AS_F32, x);
        at += n;
    }
}

void
num_exec_replace8(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    for (uint32_t p = 0; p < in->a.parts; p++) {
        search8 s = begin_search(in, p, true);
        search_lane(in, p, &s, x);
        replace_lane(in, p, &s, x);
        if (!in->has_red)
            continue;
        num_walk red = num_walk_lane(&in->red, p);
        num_write_words(&red, EIGHT, NUM_AS_U32, s.at);
    }
}
