// SPDX-License-Identifier: Apache-2.0
// Assembly text to a program; objasm.c describes the directives. A mistake ends
// its line only, so that several are reported.
#include "isa-spec/isa_int.h"
#include "isa-spec/program.h"

#include <string.h>

enum { MAX_TENSORS = 65536, MAX_SOURCES = 65536 };

// What quoted lines are appended to.
typedef enum { TEXT_NONE, TEXT_SOURCE, TEXT_TENSOR_IR, TEXT_TILE_IR } text_kind;

typedef struct {
    arena *a;
    diags *d;
    uint32_t source;
    str text;
    str line;   // what is left of it
    size_t end; // offset of the line's end
    isa_program *p;
    text_kind kind;
    strbuf into; // the text being collected
    strbuf data; // of the last constant
    bool in_const;
    isa_engine stream; // ISA_ENG_NONE: no stream yet
    uint32_t streams;  // bit per stream seen
    loc at;            // of the last .loc
} reader;

static size_t
offset(const reader *r)
{
    return r->end - r->line.n;
}

static loc
rest_of_line(const reader *r)
{
    return (loc){r->source, (uint32_t)offset(r), (uint32_t)r->end};
}

static bool
expected(reader *r, const char *what)
{
    diag(r->d, rest_of_line(r), D_ASM_EXPECTED, what);
    return false;
}

static bool
misplaced(reader *r, const char *what)
{
    diag(r->d, rest_of_line(r), D_ASM_PLACE, what);
    return false;
}

static void
drop(reader *r, size_t n)
{
    r->line = (str){r->line.p + n, r->line.n - n};
}

static void
skip_blanks(reader *r)
{
    while (r->line.n && (r->line.p[0] == ' ' || r->line.p[0] == '\t'))
        drop(r, 1);
}

static bool
take(reader *r, char c)
{
    skip_blanks(r);
    if (!r->line.n || r->line.p[0] != c)
        return false;
    drop(r, 1);
    return true;
}

// Up to a blank, comma or bracket.
static str
take_word(reader *r)
{
    skip_blanks(r);
    size_t n = 0;
    while (n < r->line.n && !strchr(" \t,[]\"", r->line.p[n]))
        n++;
    str w = {r->line.p, n};
    drop(r, n);
    return w;
}

static bool
take_u32(reader *r, const char *what, uint32_t *v)
{
    str before = r->line, w = take_word(r);
    uint64_t x;
    if (str_to_u64(w, &x) && x <= UINT32_MAX) {
        *v = (uint32_t)x;
        return true;
    }
    r->line = before;
    return expected(r, what);
}

static bool
take_named(reader *r, const isa_names *names, const char *what, uint32_t *v)
{
    str before = r->line, w = take_word(r);
    for (uint32_t i = 1; i < names->n; i++) {
        if (str_eq_z(w, names->name[i])) {
            *v = i;
            return true;
        }
    }
    r->line = before;
    return expected(r, what);
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// After a backslash; false when it is no escape.
static bool
take_escape(reader *r, char *c)
{
    if (!r->line.n)
        return false;
    *c = r->line.p[0];
    drop(r, 1);
    if (*c == 'n')
        *c = '\n';
    else if (*c == 'x') {
        int hi = r->line.n > 1 ? hex_value(r->line.p[0]) : -1;
        int lo = r->line.n > 1 ? hex_value(r->line.p[1]) : -1;
        if (hi < 0 || lo < 0)
            return false;
        *c = (char)(hi * 16 + lo);
        drop(r, 2);
    } else {
        return *c == '"' || *c == '\\';
    }
    return true;
}

static bool
take_quoted(reader *r, strbuf *out)
{
    if (!take(r, '"'))
        return expected(r, "a quoted string");
    while (r->line.n && r->line.p[0] != '"') {
        char c = r->line.p[0];
        drop(r, 1);
        if (c == '\\' && !take_escape(r, &c))
            return expected(r, "an escape: \\n, \\\", \\\\ or \\xHH");
        strbuf_putc(out, c);
    }
    return take(r, '"') ? true : expected(r, "a closing quote");
}

// A quoted name: not empty, no zero byte.
static bool
take_name(reader *r, const char **out)
{
    strbuf b = strbuf_new(r->a);
    str before = r->line;
    if (!take_quoted(r, &b))
        return false;
    str s = strbuf_str(&b);
    if (!s.n || memchr(s.p, 0, s.n)) {
        r->line = before;
        return expected(r, "a name");
    }
    *out = str_z(r->a, s);
    return true;
}

// ---- collected texts and data

static void
end_text(reader *r)
{
    str s = strbuf_str(&r->into);
    if (r->kind == TEXT_SOURCE)
        vec_last(&r->p->sources)->text = s;
    else if (r->kind == TEXT_TENSOR_IR)
        r->p->tensor_ir = s;
    else if (r->kind == TEXT_TILE_IR)
        r->p->tile_ir = s;
    r->kind = TEXT_NONE;
    r->into = strbuf_new(r->a);
}

static bool
end_const(reader *r)
{
    if (!r->in_const)
        return true;
    isa_tensor *t = vec_last(&r->p->tensors);
    uint64_t bytes;
    t->data = strbuf_str(&r->data);
    r->in_const = false;
    r->data = strbuf_new(r->a);
    if (isa_tensor_bytes(t, &bytes) && bytes == t->data.n)
        return true;
    return misplaced(r, "the constant before this has other data than its "
                        "shape takes");
}

static bool
parse_hex(reader *r)
{
    skip_blanks(r);
    if (!r->in_const)
        return misplaced(r, "data without a constant tensor before it");
    while (r->line.n > 1) {
        int hi = hex_value(r->line.p[0]), lo = hex_value(r->line.p[1]);
        if (hi < 0 || lo < 0)
            break;
        strbuf_putc(&r->data, (char)(hi * 16 + lo));
        drop(r, 2);
    }
    return r->line.n ? expected(r, "pairs of hexadecimal digits") : true;
}

// ---- directives

static bool
parse_target(reader *r)
{
    if (r->p->target)
        return misplaced(r, "the target is given twice");
    return take_name(r, &r->p->target);
}

static bool
parse_kernel(reader *r)
{
    if (r->p->kernel)
        return misplaced(r, "the kernel is named twice");
    return take_name(r, &r->p->kernel);
}

static bool
parse_source(reader *r)
{
    isa_source s = {0};
    if (r->p->sources.n >= MAX_SOURCES)
        return misplaced(r, "too many sources");
    if (!take_name(r, &s.name))
        return false;
    vec_push(r->a, &r->p->sources, s);
    r->kind = TEXT_SOURCE;
    return true;
}

static bool
parse_tensor_ir(reader *r)
{
    if (r->p->tensor_ir.n)
        return misplaced(r, "the tensor IR is given twice");
    r->kind = TEXT_TENSOR_IR;
    return true;
}

static bool
parse_tile_ir(reader *r)
{
    if (r->p->tile_ir.n)
        return misplaced(r, "the tile IR is given twice");
    r->kind = TEXT_TILE_IR;
    return true;
}

static bool
parse_shape(reader *r, isa_tensor *t)
{
    if (!take(r, '['))
        return expected(r, "'['");
    while (!take(r, ']')) {
        if (t->rank && !take(r, ','))
            return expected(r, "',' or ']'");
        if (t->rank == ISA_RANK)
            return expected(r, "at most eight dimensions");
        str before = r->line;
        int64_t v;
        if (!str_to_i64(take_word(r), &v) || v < 0) {
            r->line = before;
            return expected(r, "an extent");
        }
        t->shape[t->rank++] = v;
    }
    return true;
}

static bool
parse_tensor(reader *r)
{
    uint32_t kind, dtype;
    uint64_t bytes;
    isa_tensor t = {0};
    if (r->p->tensors.n >= MAX_TENSORS)
        return misplaced(r, "too many tensors");
    if (!take_named(r, &isa_tensor_kinds,
                    "'input', 'output', 'temp' or 'const'", &kind) ||
        !take_named(r, &isa_tab_dtype, "an element type", &dtype) ||
        !parse_shape(r, &t) || !take_name(r, &t.name))
        return false;
    t.kind = (obj_tensor_kind)kind;
    t.dtype = (num_dtype)dtype;
    if (!isa_tensor_bytes(&t, &bytes))
        return misplaced(r, "the tensor's size does not fit 63 bits");
    vec_push(r->a, &r->p->tensors, t);
    r->in_const = t.kind == OBJ_TENSOR_CONST;
    return true;
}

static bool
parse_sem(reader *r)
{
    isa_sem s = {0};
    uint32_t e;
    if (r->p->sems.n >= ISA_SEMS)
        return misplaced(r, "too many semaphores");
    if (take(r, 'q')) {
        if (!take_u32(r, "a queue's number", &s.queue))
            return false;
        if (s.queue < 1 || s.queue > ISA_QUEUES)
            return misplaced(r, "queues are 1 to 16");
    } else {
        if (!take_named(r, &isa_tab_engine, "an engine or a queue", &e))
            return false;
        s.producer = (isa_engine)e;
    }
    if (!take_named(r, &isa_tab_engine, "an engine", &e) ||
        !take_u32(r, "the initial credits", &s.initial))
        return false;
    s.consumer = (isa_engine)e;
    vec_push(r->a, &r->p->sems, s);
    return true;
}

static bool
parse_stream(reader *r)
{
    uint32_t e;
    if (!take_named(r, &isa_tab_engine, "an engine", &e))
        return false;
    if (r->streams >> e & 1)
        return misplaced(r, "the stream is given twice");
    r->streams |= 1u << e;
    r->stream = (isa_engine)e;
    r->at = (loc){0};
    return true;
}

static bool
parse_loc(reader *r)
{
    str before = r->line;
    loc at;
    if (!take_u32(r, "a source's number", &at.source) ||
        !take_u32(r, "a byte offset", &at.begin) ||
        !take_u32(r, "a byte offset", &at.end))
        return false;
    size_t n = 0;
    bool known = at.source <= r->p->sources.n;
    if (known && at.source)
        n = r->p->sources.at[at.source - 1].text.n;
    if (!known || at.begin > at.end || at.end > n) {
        r->line = before;
        return misplaced(r, "this range is not in a source");
    }
    r->at = at;
    return true;
}

static const struct {
    const char *name;
    bool (*parse)(reader *r);
} directives[] = {
    {".target", parse_target},   {".kernel", parse_kernel},
    {".source", parse_source},   {".tensor_ir", parse_tensor_ir},
    {".tile_ir", parse_tile_ir}, {".tensor", parse_tensor},
    {".hex", parse_hex},         {".sem", parse_sem},
    {".stream", parse_stream},   {".loc", parse_loc},
};

// ---- lines

static bool
parse_directive(reader *r)
{
    loc whole = rest_of_line(r);
    str w = take_word(r);
    end_text(r);
    if (!str_eq_z(w, ".hex") && !end_const(r))
        return false;
    for (uint32_t i = 0; i < ARRAY_LEN(directives); i++) {
        if (!str_eq_z(w, directives[i].name))
            continue;
        if (!directives[i].parse(r))
            return false;
        skip_blanks(r);
        if (r->line.n && r->line.p[0] != '#')
            return expected(r, "the end of the line");
        return true;
    }
    whole.end = whole.begin + (uint32_t)w.n;
    diag(r->d, whole, D_ASM_DIRECTIVE, STR_ARG(w));
    return false;
}

static bool
parse_insn(reader *r)
{
    isa_insn in;
    end_text(r);
    if (r->stream == ISA_ENG_NONE)
        return misplaced(r, "an instruction before any '.stream'");
    if (!isa_parse(r->a, r->line, rest_of_line(r), &in, r->d))
        return false;
    isa_stream *s = &r->p->stream[r->stream];
    vec_push(r->a, &s->code, in);
    vec_push(r->a, &s->at, r->at);
    return true;
}

static bool
parse_line(reader *r)
{
    skip_blanks(r);
    if (!r->line.n || r->line.p[0] == '#')
        return true;
    if (r->line.p[0] == '.')
        return parse_directive(r);
    if (r->line.p[0] != '"')
        return parse_insn(r);
    if (r->kind == TEXT_NONE)
        return misplaced(r, "a text that belongs to no directive");
    if (!take_quoted(r, &r->into))
        return false;
    skip_blanks(r);
    return r->line.n ? expected(r, "the end of the line") : true;
}

static bool
finish(reader *r)
{
    r->line = (str){r->text.p + r->text.n, 0};
    end_text(r);
    if (!end_const(r))
        return false;
    if (!r->p->target)
        return expected(r, "a '.target'");
    if (!r->p->kernel)
        return expected(r, "a '.kernel'");
    return true;
}

bool
isa_program_parse(arena *a, diags *d, uint32_t source, isa_program *out)
{
    memset(out, 0, sizeof *out);
    reader r = {.a = a, .d = d, .source = source, .p = out};
    r.text = d->sources.at[source].text;
    r.into = strbuf_new(a);
    r.data = strbuf_new(a);
    bool ok = true;
    for (size_t pos = 0; pos < r.text.n && d->errors < d->max_errors;) {
        const char *p = r.text.p + pos;
        const char *nl = memchr(p, '\n', r.text.n - pos);
        size_t n = nl ? (size_t)(nl - p) : r.text.n - pos;
        r.end = pos + n - (n && p[n - 1] == '\r');
        r.line = (str){p, r.end - pos};
        ok = parse_line(&r) && ok;
        pos += n + 1;
    }
    r.end = r.text.n;
    return ok && d->errors < d->max_errors && finish(&r);
}
