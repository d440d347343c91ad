// SPDX-License-Identifier: Apache-2.0
// The words of the tile IR's text form: tokens, affine functions and counts.
// White space and comments only separate. The first mistake ends a parse, with
// a located message.
#include "ir/tile_int.h"

#include <string.h>

// ---- tokens
// ----------------------------------------------------------------------

bool
tile_lex_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
tile_lex_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           tile_lex_is_digit(c) || c == '_' || c == '.';
}

void
tile_lex_skip_space(tile_parser *p)
{
    while (p->pos < p->text.n) {
        char c = p->text.p[p->pos];

        if (c == '#') {
            while (p->pos < p->text.n && p->text.p[p->pos] != '\n') {
                p->pos++;
            }
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            p->pos++;
        } else {
            return;
        }
    }
}

char
tile_lex_peek(tile_parser *p)
{
    tile_lex_skip_space(p);
    return p->pos < p->text.n ? p->text.p[p->pos] : 0;
}

// The run of word characters ahead; empty when there is none.
str
tile_lex_word(tile_parser *p)
{
    str w;
    size_t end;

    tile_lex_skip_space(p);
    end = p->pos;
    while (end < p->text.n && tile_lex_is_word(p->text.p[end])) {
        end++;
    }
    w.p = p->text.p + p->pos;
    w.n = end - p->pos;
    return w;
}

loc
tile_lex_loc(const tile_parser *p, size_t begin, size_t end)
{
    loc at = {p->source, (uint32_t)begin, (uint32_t)end};

    return at;
}

// What stands at the cursor, for a message: a word or one byte.
static str
found(tile_parser *p)
{
    str w = tile_lex_word(p);

    if (w.n == 0 && p->pos < p->text.n) {
        w.n = 1;
    }
    return w.n == 0 ? STR("the end") : w;
}

bool
tile_lex_expected(tile_parser *p, const char *what)
{
    str f = found(p);
    size_t end = p->pos + f.n > p->text.n ? p->text.n : p->pos + f.n;

    diag(p->d, tile_lex_loc(p, p->pos, end), D_TILE_SYNTAX, what, STR_ARG(f));
    return false;
}

bool
tile_lex_accept(tile_parser *p, const char *punct)
{
    size_t n = strlen(punct);

    tile_lex_skip_space(p);
    if (p->text.n - p->pos < n || memcmp(p->text.p + p->pos, punct, n) != 0) {
        return false;
    }
    p->pos += n;
    return true;
}

bool
tile_lex_expect(tile_parser *p, const char *punct)
{
    return tile_lex_accept(p, punct) || tile_lex_expected(p, punct);
}

bool
tile_lex_accept_word(tile_parser *p, const char *word)
{
    str w = tile_lex_word(p);

    if (!str_eq_z(w, word)) {
        return false;
    }
    p->pos += w.n;
    return true;
}

bool
tile_lex_expect_word(tile_parser *p, const char *word)
{
    return tile_lex_accept_word(p, word) || tile_lex_expected(p, word);
}

bool
tile_lex_name(tile_parser *p, str *out)
{
    *out = tile_lex_word(p);
    if (out->n == 0) {
        return tile_lex_expected(p, "a name");
    }
    p->pos += out->n;
    return true;
}

bool
tile_lex_i64(tile_parser *p, int64_t *out)
{
    size_t begin;
    str s;

    tile_lex_skip_space(p);
    begin = p->pos;
    (void)tile_lex_accept(p, "-");
    if (!tile_lex_is_digit(tile_lex_peek(p))) {
        return tile_lex_expected(p, "a number");
    }
    while (p->pos < p->text.n && tile_lex_is_digit(p->text.p[p->pos])) {
        p->pos++;
    }
    s.p = p->text.p + begin;
    s.n = p->pos - begin;
    if (!str_to_i64(s, out)) {
        diag(p->d, tile_lex_loc(p, begin, p->pos), D_TILE_NUMBER, STR_ARG(s));
        return false;
    }
    return true;
}

bool
tile_lex_u32(tile_parser *p, uint32_t *out)
{
    size_t begin;
    int64_t v;

    tile_lex_skip_space(p);
    begin = p->pos;
    if (!tile_lex_i64(p, &v)) {
        return false;
    }
    if (v < 0 || v > UINT32_MAX) {
        diag(p->d, tile_lex_loc(p, begin, p->pos), D_TILE_NUMBER,
             (int)(p->pos - begin), p->text.p + begin);
        return false;
    }
    *out = (uint32_t)v;
    return true;
}

// A word that is one letter and a number: q3, s12.
bool
tile_lex_is_numbered(str w, char letter)
{
    if (w.n < 2 || w.n > 9 || w.p[0] != letter) {
        return false;
    }
    for (size_t i = 1; i < w.n; i++) {
        if (!tile_lex_is_digit(w.p[i])) {
            return false;
        }
    }
    return true;
}

bool
tile_lex_numbered(tile_parser *p, char letter, const char *what, uint32_t *out)
{
    str w = tile_lex_word(p);

    if (!tile_lex_is_numbered(w, letter)) {
        return tile_lex_expected(p, what);
    }
    p->pos++;
    return tile_lex_u32(p, out);
}

// ---- affine functions and counts
// ---------------------------------------------------

bool
tile_parse_loop_name(tile_parser *p, uint32_t *id)
{
    str w = tile_lex_word(p);

    for (uint32_t d = 1; d <= p->depth; d++) {
        if (str_eq(p->loop[d].name, w)) {
            *id = p->loop[d].id;
            p->pos += w.n;
            return true;
        }
    }
    if (!tile_lex_is_numbered(w, 'i')) {
        return tile_lex_expected(p, "a loop's counter");
    }
    diag(p->d, tile_lex_loc(p, p->pos, p->pos + w.n), D_TILE_NAME, "loop",
         STR_ARG(w));
    return false;
}

static bool
parse_term(tile_parser *p, bool minus, tile_aff *sum)
{
    size_t begin;
    int64_t k = 1;
    tile_aff term = {0};
    uint32_t loop;

    tile_lex_skip_space(p);
    begin = p->pos;
    if (tile_lex_is_digit(tile_lex_peek(p))) {
        if (!tile_lex_i64(p, &k)) {
            return false;
        }
        term.c = 1;
    }
    if (term.c == 0 || tile_lex_accept(p, "*")) {
        if (!tile_parse_loop_name(p, &loop)) {
            return false;
        }
        term = tile_aff_loop(loop, 1);
    }
    if (!tile_aff_madd(sum, &term, minus ? -k : k, sum)) {
        diag(p->d, tile_lex_loc(p, begin, p->pos), D_TILE_NUMBER,
             (int)(p->pos - begin), p->text.p + begin);
        return false;
    }
    return true;
}

bool
tile_parse_aff(tile_parser *p, tile_aff *out)
{
    bool minus = tile_lex_accept(p, "-");

    *out = tile_aff_const(0);
    for (;;) {
        if (!parse_term(p, minus, out)) {
            return false;
        }
        if (tile_lex_peek(p) != '+' && tile_lex_peek(p) != '-') {
            return true;
        }
        minus = p->text.p[p->pos++] == '-';
    }
}

bool
tile_parse_count(tile_parser *p, tile_count *out)
{
    int64_t n;

    if (!tile_lex_accept_word(p, "min")) {
        if (!tile_lex_i64(p, &n)) {
            return false;
        }
        *out = tile_count_const(n);
        return true;
    }
    out->div = 1;
    if (!tile_lex_expect(p, "(") || !tile_lex_i64(p, &out->max) ||
        !tile_lex_expect(p, ",")) {
        return false;
    }
    if (!tile_lex_accept(p, "(")) {
        return tile_parse_aff(p, &out->rem) && tile_lex_expect(p, ")");
    }
    return tile_parse_aff(p, &out->rem) && tile_lex_expect(p, ")") &&
           tile_lex_expect(p, "/") && tile_lex_i64(p, &out->div) &&
           tile_lex_expect(p, ")");
}

bool
tile_parse_engine(tile_parser *p, tile_engine *out)
{
    str w = tile_lex_word(p);

    for (tile_engine e = ENG_TENSOR; e < ENG_COUNT; e++) {
        if (str_eq_z(w, tile_engine_name(e))) {
            *out = e;
            p->pos += w.n;
            return true;
        }
    }
    return tile_lex_expected(p, "an engine, a loop or a buffer");
}
