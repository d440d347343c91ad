// SPDX-License-Identifier: Apache-2.0
// Files as lines, lines as words. A line whose first character is '#' is a
// comment.
#include "isa-spec/gen/gen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
gen_fail(const gen_line *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s:%u: ", at->file, at->no);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

str
gen_trim(str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static void
hash_bytes(gen *g, str s)
{
    for (size_t i = 0; i < s.n; i++)
        g->hash = (g->hash ^ (unsigned char)s.p[i]) * 0x100000001b3u;
}

static str
next_line(str *rest)
{
    const char *nl = memchr(rest->p, '\n', rest->n);
    str line = {rest->p, nl ? (size_t)(nl - rest->p) : rest->n};
    size_t used = nl ? line.n + 1 : line.n;
    rest->p += used;
    rest->n -= used;
    return line;
}

void
gen_read(gen *g, str path, gen_lines *out, str *whole)
{
    const char *name = arena_printf(g->a, "%s/%.*s", g->dir, STR_ARG(path));
    const char *err = NULL;
    if (!file_read(g->a, name, 1u << 24, whole, &err))
        gen_fail(&(gen_line){.file = name}, "cannot read: %s", err);
    hash_bytes(g, *whole);
    str rest = *whole;
    for (uint32_t no = 1; rest.n; no++) {
        str raw = next_line(&rest);
        str text = gen_trim(raw);
        bool indent = raw.n && (raw.p[0] == ' ' || raw.p[0] == '\t');
        if (text.n && text.p[0] != '#')
            vec_push(g->a, out, (gen_line){name, no, text, indent});
    }
}

bool
gen_word(str *rest, str *word)
{
    *rest = gen_trim(*rest);
    if (!rest->n)
        return false;
    bool quoted = rest->p[0] == '"';
    size_t n = quoted;
    while (n < rest->n && rest->p[n] != (quoted ? '"' : ' '))
        n++;
    *word = (str){rest->p + quoted, n - quoted};
    size_t used = quoted && n < rest->n ? n + 1 : n;
    rest->p += used;
    rest->n -= used;
    return true;
}

str
gen_need(const gen_line *at, str *rest, const char *what)
{
    str w;
    if (!gen_word(rest, &w))
        gen_fail(at, "expected %s", what);
    return w;
}

uint32_t
gen_number(const gen_line *at, str word)
{
    uint64_t v;
    if (!str_to_u64(word, &v) || v > UINT32_MAX)
        gen_fail(at, "'%.*s' is not a number", STR_ARG(word));
    return (uint32_t)v;
}

str
gen_upper(arena *a, str s)
{
    str r = str_dup(a, s);
    char *p = str_z(a, r);
    for (size_t i = 0; i < s.n; i++) {
        if (p[i] >= 'a' && p[i] <= 'z')
            p[i] = (char)(p[i] - 'a' + 'A');
    }
    return (str){p, s.n};
}
