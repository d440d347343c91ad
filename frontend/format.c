// SPDX-License-Identifier: Apache-2.0
// Canonical source. Works on the lexer's tokens and the comments between them:
// a declaration's head, a statement, a brace are lines; a line is laid out from
// its tokens alone, so that formatting what was formatted changes nothing.
// Lines longer than WIDTH break after a comma or an operator, where the
// brackets are fewest.
#include "frontend/frontend_int.h"

#include <string.h>

#include "tk_parse.h"

#include "tk_lex.h"

enum { WIDTH = 120, STEP = 2, CONTINUED = 4 };

typedef struct {
    int kind;
    str text;
    uint32_t depth;   // brackets around it
    bool in_square;   // one of them is [ ]
    bool ends_binder; // the ] of a reduction's indices
    bool is_unary;    // - ! ~ before an operand
    bool starts_part; // of a 'for' clause: the statement itself
    str comment;      // after it on its line, with '#'
} item;

typedef VEC(item) items;

typedef struct {
    arena *a;
    str text;
    items all; // of the file, line ends among them as NEWLINE
    strbuf out;
    uint32_t indent;
    bool is_first; // nothing was written yet
    bool wants_gap;
} formatter;

// ---- tokens

static bool
is_word(str s)
{
    return s.n && (s.p[0] == '_' || (s.p[0] >= 'a' && s.p[0] <= 'z') ||
                   (s.p[0] >= 'A' && s.p[0] <= 'Z'));
}

static bool
is(const item *t, const char *text)
{
    return str_eq_z(t->text, text);
}

// An operand may end with it.
static bool
ends_operand(const item *t)
{
    return t->kind == IDENT || t->kind == INT || t->kind == FLOAT ||
           is(t, ")") || is(t, "]");
}

// What stands between two tokens but is not layout: a block that the lexer
// skips. Comments are taken apart by the caller.
static str
skipped_block(str gap)
{
    for (size_t i = 0; i < gap.n; i++) {
        if (gap.p[i] == '#')
            return (str){0};
        if (gap.p[i] == '{')
            return (str){gap.p + i, gap.n - i};
    }
    return (str){0};
}

static void
add_comment(formatter *f, str text, bool is_own_line)
{
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\r' ||
                      text.p[text.n - 1] == '\t'))
        text.n--;
    if (!is_own_line && f->all.n && !vec_last(&f->all)->comment.n) {
        vec_last(&f->all)->comment = text;
        return;
    }
    item t = {.kind = TK_YYEOF, .text = text};
    vec_push(f->a, &f->all, t);
}

// Comments and empty lines before the token at 'to'.
static void
add_gap(formatter *f, size_t from, size_t to)
{
    uint32_t lines = 0;
    for (size_t i = from; i < to; i++) {
        if (f->text.p[i] == '\n' && ++lines == 2) {
            item blank = {.kind = NEWLINE};
            vec_push(f->a, &f->all, blank);
        }
        if (f->text.p[i] != '#')
            continue;
        size_t end = i;
        while (end < to && f->text.p[end] != '\n')
            end++;
        add_comment(f, (str){f->text.p + i, end - i}, lines || !from);
        i = end - 1;
        lines = 0;
    }
}

// The token's text; of a skipped block, all of it.
static str
token_text(const formatter *f, const loc *at, size_t end)
{
    str s = {f->text.p + at->begin, at->end - at->begin};
    str after = {f->text.p + at->end, end - at->end};
    return str_eq_z(s, "schedule") && skipped_block(after).n
               ? (str){s.p, end - at->begin}
               : s;
}

static void
lex_all(formatter *f, parse_ctx *cx)
{
    void *scanner = NULL;
    if (tk_yylex_init_extra(cx, &scanner))
        return;
    (void)tk_yy_scan_bytes(cx->text.p, (int)cx->text.n, scanner);
    TK_YYSTYPE value;
    loc at = {0};
    size_t seen = 0;
    for (int kind; (kind = tk_yylex(&value, &at, scanner)) != TK_YYEOF;) {
        bool is_again =
            kind == NEWLINE && f->all.n && vec_last(&f->all)->kind == ';';
        if (is_again) // an empty line shows in the next gap
            continue;
        add_gap(f, seen, at.begin);
        seen = kind == NEWLINE ? at.begin : cx->at;
        if (kind == NEWLINE) {
            item end = {.kind = ';'};
            vec_push(f->a, &f->all, end);
            continue;
        }
        item t = {.kind = kind, .text = token_text(f, &at, cx->at)};
        vec_push(f->a, &f->all, t);
    }
    add_gap(f, seen, cx->text.n);
    tk_yylex_destroy(scanner);
}

// ---- a line: spaces

static bool
is_tight(const item *t)
{
    return t->in_square && (is(t, "*") || is(t, "/") || is(t, "%"));
}

// Before an opening bracket: of a call, a subscript or a shape.
static bool
opens_tight(const item *before)
{
    return before->kind == IDENT || before->kind == REDUCE || is(before, ")") ||
           (is(before, "]") && !before->ends_binder);
}

static bool
has_space(const item *a, const item *b)
{
    if (is(a, "(") || is(a, "[") || is(b, ")") || is(b, "]") || is(b, ",") ||
        is(b, ":") || is(a, "..") || is(b, "..") || a->is_unary)
        return false;
    if (a->kind == REDUCE && is(b, "="))
        return false;
    if (is(b, "[") || is(b, "("))
        return !opens_tight(a) || b->starts_part;
    return !is_tight(a) && !is_tight(b);
}

// Depths, unary operators, and where the statement of a 'for' begins.
static void
study(items *line)
{
    uint32_t depth = 0;
    bool square[AST_MAX_DEPTH + 2] = {false};
    bool binder[AST_MAX_DEPTH + 2] = {false};
    bool in_range = line->n && line->at[0].kind == FOR;
    for (uint32_t i = 0; i < line->n; i++) {
        item *t = &line->at[i], *before = i ? &line->at[i - 1] : NULL;
        bool closes = is(t, ")") || is(t, "]");
        if (closes && depth)
            depth--;
        t->depth = depth;
        t->ends_binder = is(t, "]") && binder[depth + 1];
        if (in_range && !depth && before && ends_operand(before) &&
            (t->kind == IDENT || is(t, "("))) {
            t->starts_part = true;
            in_range = false;
        }
        t->in_square = in_range || square[depth];
        t->is_unary = (is(t, "-") || is(t, "!") || is(t, "~")) &&
                      (!before || !ends_operand(before));
        if ((is(t, "(") || is(t, "[")) && depth < AST_MAX_DEPTH) {
            depth++;
            square[depth] = is(t, "[") || square[depth - 1];
            binder[depth] = is(t, "[") && before && before->kind == REDUCE;
        }
    }
}

// ---- a line: breaks

static size_t
width(const items *line, uint32_t from, uint32_t to)
{
    size_t n = 0;
    for (uint32_t i = from; i < to; i++)
        n += line->at[i].text.n +
             (i > from && has_space(&line->at[i - 1], &line->at[i]));
    return n;
}

// Whether a line may end between token i - 1 and token i.
static bool
may_break(const items *line, uint32_t i)
{
    const item *before = &line->at[i - 1], *t = &line->at[i];
    if (is(t, "->") || is(before, ",") || is(before, "="))
        return true;
    if (t->starts_part)
        return true;
    return has_space(before, t) && !is_word(before->text) &&
           !ends_operand(before) && !is(before, "->") && !is(before, ":") &&
           !before->is_unary && before->kind != INT;
}

// Where the tokens from..n are cut: after as much as fits, at the least depth
// that has a place for it. n if all of it fits or there is no place.
static uint32_t
cut(const items *line, uint32_t from, size_t room)
{
    if (width(line, from, line->n) <= room)
        return line->n;
    uint32_t best = line->n;
    for (uint32_t i = from + 1; i < line->n; i++) {
        if (!may_break(line, i))
            continue;
        bool fits = width(line, from, i) <= room;
        if (best == line->n ||
            (fits && line->at[i].depth <= line->at[best].depth))
            best = i;
    }
    return best;
}

static void
put_indent(formatter *f, uint32_t columns)
{
    while (columns--)
        strbuf_putc(&f->out, ' ');
}

static void
put_comment(formatter *f, str comment)
{
    if (!comment.n)
        return;
    strbuf_put(&f->out, STR("  "));
    strbuf_put(&f->out, comment); // may hold any byte
}

// Tokens from..to on one line of the text; comments inside end it.
static void
put_tokens(formatter *f, const items *line, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        const item *t = &line->at[i];
        if (i > from && line->at[i - 1].comment.n) {
            strbuf_putc(&f->out, '\n');
            put_indent(f, f->indent + CONTINUED);
        } else if (i > from && has_space(&line->at[i - 1], t)) {
            strbuf_putc(&f->out, ' ');
        }
        strbuf_put(&f->out, t->text);
        put_comment(f, t->comment);
    }
}

static void
put_gap(formatter *f)
{
    if (f->wants_gap && !f->is_first)
        strbuf_putc(&f->out, '\n');
    f->wants_gap = false;
    f->is_first = false;
}

static void
put_line(formatter *f, items *line)
{
    if (!line->n)
        return;
    put_gap(f);
    study(line);
    uint32_t indent = f->indent;
    for (uint32_t from = 0; from < line->n;) {
        put_indent(f, indent);
        uint32_t to = cut(line, from, WIDTH - indent);
        put_tokens(f, line, from, to);
        strbuf_putc(&f->out, '\n');
        from = to;
        indent = f->indent + CONTINUED;
    }
    line->n = 0;
}

// ---- the file

static void
put_own_comment(formatter *f, str text)
{
    put_gap(f);
    put_indent(f, f->indent);
    strbuf_put(&f->out, text);
    strbuf_putc(&f->out, '\n');
}

// A head goes on to its brace; a line that only states ranges, with the next.
static bool
is_open(const items *line)
{
    int kind = line->n ? line->at[0].kind : 0;
    if (kind == KERNEL || kind == FN)
        return true;
    if (kind != FOR)
        return false;
    for (uint32_t i = 0; i < line->n; i++)
        if (is(&line->at[i], "=") || is(&line->at[i], "+="))
            return false;
    return true;
}

static void
end_body(formatter *f, items *line, const item *brace)
{
    put_line(f, line);
    f->indent = 0;
    f->wants_gap = false;
    vec_push(f->a, line, *brace);
    put_line(f, line);
    f->wants_gap = true;
}

// Two comments as one, the second without its '#'.
static str
joined(const formatter *f, str a, str b)
{
    strbuf s = strbuf_new(f->a);
    strbuf_put(&s, a);
    strbuf_putc(&s, ' ');
    strbuf_put(&s, (str){b.p + 1, b.n - 1});
    return strbuf_str(&s);
}

// A comment or an empty line, where a line is not begun.
static bool
take_layout(formatter *f, const items *line, const item *t)
{
    bool is_comment = t->kind == TK_YYEOF;
    if (!is_comment && t->kind != NEWLINE)
        return false;
    if (line->n && !is_comment)
        return true;
    if (is_comment && !line->n)
        put_own_comment(f, t->text);
    else if (is_comment && !vec_last(line)->comment.n)
        vec_last(line)->comment = t->text;
    else if (is_comment)
        vec_last(line)->comment = joined(f, vec_last(line)->comment, t->text);
    else
        f->wants_gap = true;
    return true;
}

static void
put_file(formatter *f)
{
    items line = {0};
    for (uint32_t i = 0; i < f->all.n; i++) {
        const item *t = &f->all.at[i];
        if (take_layout(f, &line, t))
            continue;
        if (t->kind == ';') {
            if (line.n && t->comment.n && !vec_last(&line)->comment.n)
                vec_last(&line)->comment = t->comment;
            if (!is_open(&line))
                put_line(f, &line);
        } else if (is(t, "}")) {
            end_body(f, &line, t);
        } else {
            vec_push(f->a, &line, *t);
            if (is(t, "{")) {
                put_line(f, &line);
                f->indent = STEP;
                f->is_first = true;
            }
        }
    }
    put_line(f, &line);
}

// Whether the source is one of the language, names and types aside.
static bool
is_syntax(arena *a, diags *d, uint32_t source)
{
    uint32_t before = d->errors;
    tk_module *m = ARENA_NEW(a, tk_module);
    *m = (tk_module){.a = a, .fns = map_new(a)};
    parse_ctx cx = {.a = a, .d = d, .source = source, .m = m};
    cx.text = d->sources.at[source].text;
    parse_run(&cx);
    return d->errors == before && !cx.stopped;
}

bool
tk_format(arena *a, diags *d, uint32_t source, str *out)
{
    if (!is_syntax(a, d, source))
        return false;
    parse_ctx cx = {.a = a, .d = d, .source = source};
    cx.text = d->sources.at[source].text;
    formatter f = {
        .a = a, .text = cx.text, .out = strbuf_new(a), .is_first = true};
    lex_all(&f, &cx);
    put_file(&f);
    *out = strbuf_str(&f.out);
    return true;
}
