// SPDX-License-Identifier: Apache-2.0
// Mutations of texts that keep most of what a parser wants to see: numbers
// become other numbers, words other words of the same text, lines move.
#include "tests/fuzz/fuzz.h"

#include "support/support.h"

#include <stdio.h>

typedef struct {
    uint8_t *p;
    size_t n, max;
    uint64_t rng;
} text;

static size_t
below(text *t, size_t n)
{
    return n ? (size_t)(rng_next(&t->rng) % n) : 0;
}

// Replaces 'drop' bytes at 'at'; does nothing when there is no room.
static void
put(text *t, size_t at, size_t drop, const void *p, size_t n)
{
    if (t->n - drop + n > t->max)
        return;
    memmove(t->p + at + n, t->p + at + drop, t->n - at - drop);
    if (n)
        memcpy(t->p + at, p, n);
    t->n += n - drop;
}

// Part of the text, in memory of its own.
enum { PART_BYTES = 4096 };
typedef struct {
    uint8_t p[PART_BYTES];
    size_t n;
} part;

static void
take(const text *t, size_t from, size_t n, part *out)
{
    out->n = n < PART_BYTES ? n : PART_BYTES;
    memcpy(out->p, t->p + from, out->n);
}

static void
flip(text *t)
{
    t->p[below(t, t->n)] ^= (uint8_t)(1u << below(t, 8));
}

static void
cut(text *t)
{
    size_t at = below(t, t->n);
    put(t, at, below(t, 1 + (t->n - at) / (1 + below(t, 64))), "", 0);
}

static void
copy(text *t)
{
    part x;
    size_t at = below(t, t->n), n = (t->n - at) / (1 + below(t, 64));
    take(t, at, below(t, 1 + n), &x);
    put(t, below(t, t->n + 1), 0, x.p, x.n);
}

// ---- words

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool
is_word(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '_' || c == '.';
}

// The word around a random place, or one character that is no word.
static size_t
find_word(text *t, size_t *n)
{
    size_t from = below(t, t->n), to = from + 1;
    while (is_word(t->p[from]) && from && is_word(t->p[from - 1]))
        from--;
    while (is_word(t->p[from]) && to < t->n && is_word(t->p[to]))
        to++;
    *n = to - from;
    return from;
}

static size_t
find_number(text *t, size_t *n)
{
    size_t at = find_word(t, n);
    for (uint32_t tries = 0; tries < 20 && !is_digit(t->p[at]); tries++)
        at = find_word(t, n);
    return at;
}

static void
number(text *t)
{
    static const char *const odd[] = {"0",
                                      "1",
                                      "-1",
                                      "2",
                                      "3",
                                      "7",
                                      "16",
                                      "17",
                                      "127",
                                      "128",
                                      "129",
                                      "255",
                                      "256",
                                      "4096",
                                      "65535",
                                      "65536",
                                      "2147483647",
                                      "4294967295",
                                      "4294967296",
                                      "1099511627776",
                                      "1152921504606846976",
                                      "9223372036854775807",
                                      "18446744073709551615",
                                      "-9223372036854775808",
                                      "99999999999999999999",
                                      "1e38",
                                      "nan",
                                      "0x7fffffffffffffff",
                                      "1.5"};
    size_t n, at = find_number(t, &n);
    const char *to = odd[below(t, ARRAY_LEN(odd))];
    put(t, at, n, to, strlen(to));
}

// A little more or less.
static void
nudge(text *t)
{
    size_t n, at = find_number(t, &n);
    uint64_t x = 0;
    char to[32];
    if (!str_to_u64((str){(const char *)t->p + at, n}, &x))
        return;
    x = below(t, 4) ? x + below(t, 7) - 3 : x * 2;
    int len = snprintf(to, sizeof to, "%lld", (long long)x);
    put(t, at, n, to, (size_t)len);
}

static void
word(text *t)
{
    part x;
    size_t n, at = find_word(t, &n);
    take(t, at, n, &x);
    at = find_word(t, &n);
    put(t, at, below(t, 4) ? n : 0, x.p, x.n);
}

static void
drop_word(text *t)
{
    size_t n, at = find_word(t, &n);
    put(t, at, n, "", 0);
}

// ---- lines

static size_t
find_line(text *t, size_t *n)
{
    size_t from = below(t, t->n), to;
    while (from && t->p[from - 1] != '\n')
        from--;
    for (to = from; to < t->n && t->p[to] != '\n';)
        to++;
    to += to < t->n;
    *n = to - from;
    return from;
}

static void
drop_line(text *t)
{
    size_t n, at = find_line(t, &n);
    put(t, at, n, "", 0);
}

static void
copy_line(text *t)
{
    part x;
    size_t n, at = find_line(t, &n);
    take(t, at, n, &x);
    at = find_line(t, &n);
    put(t, at, below(t, 3) ? 0 : n, x.p, x.n);
}

size_t
text_mutate(uint8_t *data, size_t size, size_t max, uint64_t seed)
{
    static void (*const way[])(text *t) = {
        number, nudge, word,      number, nudge,     word, drop_word,
        copy,   cut,   drop_line, flip,   copy_line, word, nudge};
    text t = {data, size, max, seed};
    for (size_t i = 1 + below(&t, 4); t.n && i; i--)
        way[below(&t, ARRAY_LEN(way))](&t);
    return t.n;
}
