// SPDX-License-Identifier: Apache-2.0
// Diagnostics as data, and their rendering for terminals. Text that comes from
// files is escaped where it is shown: a name or a source line never reaches a
// terminal with control characters in it.
#include "support/support.h"

#include <string.h>

static const struct {
    uint32_t number;
    diag_severity severity;
    const char *format;
} table[D_COUNT] = {
#define DIAG(id, number, severity, format)                                     \
    [D_##id] = {number, SEV_##severity, format},
#include "support/diag.def"
#undef DIAG
};

uint32_t
diag_number(diag_id id)
{
    return table[id].number;
}

const char *
diag_format(diag_id id)
{
    return table[id].format;
}

void
diags_init(diags *d, arena *a)
{
    *d = (diags){.a = a, .max_errors = 20};
    diag_add_source(d, "", (str){"", 0});
}

uint32_t
diag_add_source(diags *d, const char *name, str text)
{
    vec_push(d->a, &d->sources, (diag_source){name, text});
    return d->sources.n - 1;
}

// ---- escaping

// Bytes of the well-formed, printable UTF-8 character at p, or 0.
static size_t
utf8_length(const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0];
    size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (len == 0 || len > n || c > 0xf4)
        return 0;
    if (len == 1)
        return c >= 0x20 && c != 0x7f;
    uint32_t code = c & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        unsigned char t = (unsigned char)p[i];
        if ((t & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (t & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool bidi = (code >= 0x202a && code <= 0x202e) ||
                (code >= 0x2066 && code <= 0x2069);
    bool odd = code < 0xa0 || code == 0xad || bidi || code > 0x10ffff ||
               (code >= 0xd800 && code <= 0xdfff);
    return code < least[len] || odd ? 0 : len;
}

// Puts one character of 's' and gives the bytes taken; *width is the number of
// columns it fills.
static size_t
put_escaped_char(strbuf *out, str s, size_t *width)
{
    size_t len = utf8_length(s.p, s.n);
    if (len) {
        strbuf_put(out, (str){s.p, len});
        *width = 1;
        return len;
    }
    strbuf_printf(out, "\\x%02x", (unsigned)(unsigned char)s.p[0]);
    *width = 4;
    return 1;
}

static void
put_escaped(strbuf *out, str s)
{
    size_t width = 0;
    for (size_t i = 0; i < s.n;)
        i += put_escaped_char(out, (str){s.p + i, s.n - i}, &width);
}

// Longer than any sentence of ours: something quoted fills it. The start and
// the end are kept.
enum { TEXT_HEAD_BYTES = 600, TEXT_TAIL_BYTES = 200 };

static size_t
back_to_char(str s, size_t at)
{
    while (at > 0 && ((unsigned char)s.p[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static void
put_shortened(strbuf *out, str s)
{
    if (s.n <= TEXT_HEAD_BYTES + TEXT_TAIL_BYTES) {
        put_escaped(out, s);
        return;
    }
    size_t tail = back_to_char(s, s.n - TEXT_TAIL_BYTES);
    put_escaped(out, (str){s.p, back_to_char(s, TEXT_HEAD_BYTES)});
    strbuf_put(out, STR("..."));
    put_escaped(out, (str){s.p + tail, s.n - tail});
}

static PRINTF(2, 0) const
    char *format_escaped(arena *a, const char *fmt, va_list ap)
{
    strbuf raw = strbuf_new(a);
    strbuf_vprintf(&raw, fmt, ap);
    strbuf out = strbuf_new(a);
    strbuf_put(&out, STR(""));
    put_shortened(&out, strbuf_str(&raw));
    return out.p;
}

// ---- recording

// The formats are literals of diag.def.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

diag_msg *
diag(diags *d, loc at, diag_id id, ...)
{
    diag_severity severity = table[id].severity;
    d->errors += severity == SEV_ERROR;
    // Kept: max_errors errors, and as many other messages.
    bool room = severity == SEV_ERROR ? d->errors <= d->max_errors
                                      : d->msgs.n < 2 * d->max_errors;
    d->dropped = !room;
    if (!room) {
        d->spare = (diag_msg){.id = id, .severity = severity, .text = ""};
        return &d->spare;
    }
    va_list ap;
    va_start(ap, id);
    const char *text = format_escaped(d->a, table[id].format, ap);
    va_end(ap);
    vec_push(
        d->a, &d->msgs,
        (diag_msg){.id = id, .severity = severity, .at = at, .text = text});
    return vec_last(&d->msgs);
}

void
diag_note_add(diags *d, loc at, const char *fmt, ...)
{
    if (d->dropped || d->msgs.n == 0)
        return;
    va_list ap;
    va_start(ap, fmt);
    const char *text = format_escaped(d->a, fmt, ap);
    va_end(ap);
    vec_push(d->a, &vec_last(&d->msgs)->notes, (diag_note){at, text});
}

void
diag_fix_add(diags *d, const char *fmt, ...)
{
    if (d->dropped || d->msgs.n == 0)
        return;
    va_list ap;
    va_start(ap, fmt);
    vec_last(&d->msgs)->fix = format_escaped(d->a, fmt, ap);
    va_end(ap);
}
#pragma GCC diagnostic pop

loc
loc_join(loc a, loc b)
{
    if (a.source != b.source || a.source == 0)
        return a.source ? a : b;
    return (loc){a.source, a.begin < b.begin ? a.begin : b.begin,
                 a.end > b.end ? a.end : b.end};
}

// ---- rendering

static const diag_source *
source_of(const diags *d, loc at)
{
    bool known = at.source > 0 && at.source < d->sources.n;
    return known ? &d->sources.at[at.source] : NULL;
}

static uint32_t
clamp_offset(const diag_source *src, uint32_t offset)
{
    return offset < src->text.n ? offset : (uint32_t)src->text.n;
}

void
diag_line_col(const diags *d, loc at, uint32_t *line, uint32_t *col)
{
    const diag_source *src = source_of(d, at);
    *line = *col = 0;
    if (!src)
        return;
    uint32_t end = clamp_offset(src, at.begin);
    uint32_t start = 0;
    *line = 1;
    for (uint32_t i = 0; i < end; i++) {
        if (src->text.p[i] == '\n') {
            ++*line;
            start = i + 1;
        }
    }
    *col = end - start + 1;
}

enum { LINE_MAX_BYTES = 160, LINE_BEFORE = 80 };

// The part of the line around 'at' that is shown: all of it unless very long.
static void
line_window(str text, uint32_t at, size_t *begin, size_t *end)
{
    *begin = *end = at;
    while (*begin > 0 && text.p[*begin - 1] != '\n')
        --*begin;
    while (*end < text.n && text.p[*end] != '\n')
        ++*end;
    if (*end > at && text.p[*end - 1] == '\r')
        --*end;
    if (*end - *begin <= LINE_MAX_BYTES)
        return;
    if (at - *begin > LINE_BEFORE)
        *begin = at - LINE_BEFORE;
    if (*end - *begin > LINE_MAX_BYTES)
        *end = *begin + LINE_MAX_BYTES;
}

// Puts one character of the line and, in 'marks', as many marks as it fills.
static size_t
put_marked_char(strbuf *out, strbuf *marks, str rest, char mark)
{
    size_t width = 1, taken = 1;
    if (rest.p[0] == '\t')
        strbuf_putc(out, ' '); // a tab is shown as one blank
    else
        taken = put_escaped_char(out, rest, &width);
    for (size_t i = 0; i < width; i++)
        strbuf_putc(marks, mark == '^' && i > 0 ? '~' : mark);
    return taken;
}

// The source line and, under it, ^~~~ below the range.
static void
render_excerpt(const diags *d, loc at, bool colour, strbuf *out)
{
    const diag_source *src = source_of(d, at);
    if (!src || src->text.n == 0)
        return;
    size_t from = clamp_offset(src, at.begin);
    size_t begin = 0, end = 0;
    line_window(src->text, (uint32_t)from, &begin, &end);
    size_t to = at.end < end ? at.end : end;
    bool marked = false;
    strbuf marks = strbuf_new(d->a);
    strbuf_put(out, STR("    "));
    strbuf_put(&marks, STR("    "));
    for (size_t i = begin; i < end;) {
        size_t n = utf8_length(src->text.p + i, end - i);
        bool first = !marked && i + (n ? n : 1) > from;
        char mark = first ? '^' : i >= from && i < to ? '~' : ' ';
        marked = marked || first;
        i +=
            put_marked_char(out, &marks, (str){src->text.p + i, end - i}, mark);
    }
    if (!marked)
        strbuf_putc(&marks, '^');
    while (marks.n > 0 && marks.p[marks.n - 1] == ' ')
        marks.n--;
    strbuf_printf(out, "\n%s%.*s%s\n", colour ? "\033[1;32m" : "",
                  STR_ARG(strbuf_str(&marks)), colour ? "\033[0m" : "");
}

static void
render_head(const diags *d, loc at, diag_severity severity, bool colour,
            strbuf *out)
{
    static const char *const word[] = {"error", "warning", "note"};
    static const char *const paint[] = {"\033[1;31m", "\033[1;35m",
                                        "\033[1;36m"};
    const diag_source *src = source_of(d, at);
    if (src) {
        uint32_t line = 0, col = 0;
        diag_line_col(d, at, &line, &col);
        put_escaped(out, str_of(src->name));
        strbuf_printf(out, ":%u:%u: ", line, col);
    }
    strbuf_printf(out, "%s%s:%s ", colour ? paint[severity] : "",
                  word[severity], colour ? "\033[0m" : "");
}

void
diag_render(const diags *d, const diag_msg *m, bool colour, strbuf *out)
{
    static const char letter[] = {'E', 'W', 'N'};
    render_head(d, m->at, m->severity, colour, out);
    strbuf_printf(out, "%s [%c%04u]\n", m->text, letter[m->severity],
                  diag_number(m->id));
    render_excerpt(d, m->at, colour, out);
    if (m->fix)
        strbuf_printf(out, "    suggestion: %s\n", m->fix);
    for (uint32_t i = 0; i < m->notes.n; i++) {
        render_head(d, m->notes.at[i].at, SEV_NOTE, colour, out);
        strbuf_printf(out, "%s\n", m->notes.at[i].text);
        render_excerpt(d, m->notes.at[i].at, colour, out);
    }
}
