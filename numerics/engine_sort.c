// SPDX-License-Identifier: Apache-2.0
// Sorting: registers become unsigned keys of the same order, keys are sorted
// with the positions they came from, a byte at a time, which keeps equal ones
// in order; values are then moved as bits.
#include "numerics/numerics_int.h"

#include <string.h>

// What is sorted, and room for the same again: a quarter of the scratch each.
typedef struct {
    uint32_t n;
    num_word *key, *pos, *key2, *pos2;
} sorting;

static sorting
sorting_of(num_word *x)
{
    enum { ROOM = NUM_SORT_MAX };
    return (sorting){0, x, x + ROOM, x + 2 * ROOM, x + 3 * ROOM};
}

// NaN comes last, the zeros are one value.
static num_word
key_of(num_as as, num_word w)
{
    if (as == NUM_AS_U32 || as == NUM_AS_BOOL)
        return w;
    if (as == NUM_AS_I32)
        return w ^ 0x80000000u;
    if (w == 0x80000000u)
        w = 0;
    return w >> 31 ? ~w : w | 0x80000000u;
}

static void
swap(num_word **a, num_word **b)
{
    num_word *t = *a;
    *a = *b;
    *b = t;
}

// By one byte of the keys; nothing when all have the same.
static void
sort_byte(sorting *s, uint32_t shift)
{
    uint32_t at[256] = {0}, sum = 0;
    for (uint32_t i = 0; i < s->n; i++)
        at[s->key[i] >> shift & 255]++;
    if (s->n == 0 || at[s->key[0] >> shift & 255] == s->n)
        return;
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t count = at[b];
        at[b] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t to = at[s->key[i] >> shift & 255]++;
        s->key2[to] = s->key[i];
        s->pos2[to] = s->pos[i];
    }
    swap(&s->key, &s->key2);
    swap(&s->pos, &s->pos2);
}

// The n words in s->key and their positions, in order.
static void
sort_words(sorting *s, num_as as, bool descending)
{
    num_word flip = descending ? UINT32_MAX : 0;
    for (uint32_t i = 0; i < s->n; i++) {
        s->key[i] = key_of(as, s->key[i]) ^ flip;
        s->pos[i] = i;
    }
    for (uint32_t shift = 0; shift < 32; shift += 8)
        sort_byte(s, shift);
}

static void
move_element(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
    if (bytes == 4)
        memcpy(to, from, 4);
    else if (bytes == 2)
        memcpy(to, from, 2);
    else
        *to = *from;
}

// The bits of element pos[i] of partition p, for the first n, in key2.
static void
fetch_bits(const sorting *s, const num_view *a, uint32_t p, uint32_t n)
{
    uint32_t bytes = num_dtype_bytes(a->dtype);
    for (uint32_t i = 0; i < n; i++)
        move_element((uint8_t *)&s->key2[i], num_element(a, p, s->pos[i]),
                     bytes);
}

static void
put_bits(const num_view *dst, uint32_t p, uint64_t e, const num_word *bits)
{
    move_element(num_element(dst, p, e), (const uint8_t *)bits,
                 num_dtype_bytes(dst->dtype));
}

static uint32_t
results_of(const num_view *v, uint32_t n)
{
    uint64_t have = v->dtype == DT_NONE ? 0 : num_view_elems(v);
    return have < n ? (uint32_t)have : n;
}

void
num_exec_sort(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    num_as as = num_widened(in->a.dtype);
    for (uint32_t p = 0; p < in->a.parts; p++) {
        sorting s = sorting_of(x);
        num_walk a = num_walk_lane(&in->a, p);
        s.n = (uint32_t)num_view_elems(&in->a);
        num_read_words(&a, s.n, as, s.key);
        sort_words(&s, as, in->descending);
        uint32_t values = results_of(&in->dst, s.n);
        fetch_bits(&s, &in->a, p, values);
        for (uint32_t i = 0; i < values; i++)
            put_bits(&in->dst, p, i, &s.key2[i]);
        uint32_t places = results_of(&in->dst2, s.n);
        for (uint32_t i = 0; i < places; i++)
            num_store(in->dst2.dtype, num_element(&in->dst2, p, i), NUM_AS_I32,
                      s.pos[i]);
    }
}

// ---- topk: element e of a group of 16 partitions lies in partition e mod 16

static uint8_t *
snake(const num_view *v, uint32_t group, uint32_t e)
{
    return num_element(v, group * NUM_GROUP + e % NUM_GROUP, e / NUM_GROUP);
}

static void
topk_group(const num_insn *in, uint32_t group, num_word *x)
{
    sorting s = sorting_of(x);
    num_as as = num_widened(in->a.dtype);
    uint32_t bytes = num_dtype_bytes(in->a.dtype), k = in->k;
    s.n = in->n;
    for (uint32_t e = 0; e < s.n; e++)
        s.key[e] = num_load(in->a.dtype, snake(&in->a, group, e));
    sort_words(&s, as, true);
    for (uint32_t i = 0; i < k; i++)
        move_element((uint8_t *)&s.key2[i], snake(&in->a, group, s.pos[i]),
                     bytes);
    uint32_t room = NUM_GROUP * (uint32_t)num_view_elems(&in->dst);
    for (uint32_t i = 0; i < room; i++) {
        static const num_word zero = 0;
        const num_word *bits = i < k ? &s.key2[k - 1 - i] : &zero;
        num_word pos = i < k ? s.pos[k - 1 - i] : UINT32_MAX;
        move_element(snake(&in->dst, group, i), (const uint8_t *)bits, bytes);
        num_store(in->dst2.dtype, snake(&in->dst2, group, i), NUM_AS_U32, pos);
    }
}

void
num_exec_topk(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    for (uint32_t g = 0; g * NUM_GROUP < in->a.parts; g++)
        topk_group(in, g, x);
}
