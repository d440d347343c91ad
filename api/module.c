// SPDX-License-Identifier: Apache-2.0
// Inputs of every kind: detection, parsing, what kernels and parameters they
// have.
#include "api/api_int.h"
#include "api/embedded.h"

#include <string.h>

// The shipped library, parsed once a session. It is ours, so it parses.
static void
need_libs(sy_session *s)
{
    if (s->libs)
        return;
    tk_module **libs = ARENA_ARRAY(s->a, embedded_lib_count + 1, tk_module *);
    for (uint32_t i = 0; i < embedded_lib_count; i++) {
        const struct embedded_file *f = &embedded_lib[i];
        const char *name = arena_printf(s->a, "lib/%s", f->name);
        uint32_t source = diag_add_source(&s->d, name, (str){f->text, f->n});
        libs[i] = tk_parse(s->a, &s->d, source, libs, i);
        SY_CHECK(libs[i], "%s: %s", name,
                 s->d.msgs.n ? vec_last(&s->d.msgs)->text : "");
    }
    s->nlibs = embedded_lib_count;
    s->libs = libs;
}

// ---- detection
// -----------------------------------------------------------------

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// What follows blank space and lines of comment.
static str
skip_comments(str t)
{
    size_t i = 0;
    while (i < t.n) {
        if (is_blank(t.p[i])) {
            i++;
        } else if (t.p[i] == '#' || t.p[i] == ';' ||
                   (t.p[i] == '/' && i + 1 < t.n && t.p[i + 1] == '/')) {
            while (i < t.n && t.p[i] != '\n')
                i++;
        } else {
            break;
        }
    }
    return (str){t.p + i, t.n - i};
}

static bool
starts_with(str t, const char *word)
{
    size_t n = strlen(word);
    return t.n >= n && memcmp(t.p, word, n) == 0;
}

static bool
is_text(str t)
{
    for (size_t i = 0; i < t.n && i < 4096; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c < 0x20 && !is_blank(t.p[i]) && c != '\f' && c != '\v')
            return false;
    }
    return true;
}

// SY_KIND_AUTO when it is none.
static sy_kind
detect(str t)
{
    if (isa_object_detect(t))
        return SY_KIND_OBJECT;
    if (!is_text(t))
        return SY_KIND_AUTO;
    str head = skip_comments(t);
    if (starts_with(head, "tensor_ir"))
        return SY_KIND_TENSOR;
    if (starts_with(head, "tile_ir"))
        return SY_KIND_TILE;
    if (starts_with(head, "."))
        return SY_KIND_ASM;
    return SY_KIND_TK;
}

// ---- parsing
// ---------------------------------------------------------------------

void
api_pick_params(arena *a, const tir_tensor *at, uint32_t n, sy_module *into)
{
    bool *updated = ARENA_ARRAY(a, n, bool);
    for (uint32_t i = 0; i < n; i++) {
        if (at[i].kind == TIR_OUTPUT && at[i].updates)
            updated[at[i].updates - 1] = true;
    }
    for (uint32_t outputs = 0; outputs < 2; outputs++) {
        for (uint32_t i = 0; i < n; i++) {
            tir_tensor t = at[i];
            bool is_input = t.kind == TIR_INPUT || t.kind == TIR_INOUT;
            if (updated[i])
                t.kind = TIR_INOUT;
            if (outputs ? t.kind == TIR_OUTPUT && !t.updates : is_input)
                vec_push(a, &into->params, t);
        }
    }
}

static void
params_of_machine(sy_session *s, sy_module *m, const isa_program *p)
{
    static const tir_kind kind[] = {
        [OBJ_TENSOR_INPUT] = TIR_INPUT, [OBJ_TENSOR_OUTPUT] = TIR_OUTPUT,
        [OBJ_TENSOR_TEMP] = TIR_TEMP,   [OBJ_TENSOR_CONST] = TIR_CONST,
        [OBJ_TENSOR_INOUT] = TIR_INOUT,
    };
    VEC(tir_tensor) all = {0};
    for (uint32_t i = 0; i < p->tensors.n; i++) {
        const isa_tensor *from = &p->tensors.at[i];
        tir_tensor t = {.name = from->name,
                        .kind = kind[from->kind],
                        .dtype = from->dtype,
                        .rank = from->rank};
        memcpy(t.shape, from->shape, sizeof t.shape);
        vec_push(s->a, &all, t);
    }
    api_pick_params(s->a, all.at, all.n, m);
    m->kernel = p->kernel;
    m->target = p->target;
}

static bool
parse_tk(sy_session *s, sy_module *m)
{
    need_libs(s);
    m->tk = tk_parse(s->a, &s->d, m->source, s->libs, s->nlibs);
    if (!m->tk)
        return false;
    if (tk_kernel_count(m->tk) > 0)
        return true;
    diag(&s->d, (loc){0}, D_NO_KERNEL, m->name);
    return false;
}

static bool
parse_tensor(sy_session *s, sy_module *m)
{
    m->tensor = tir_parse(s->a, &s->d, m->source);
    if (!m->tensor || !tir_verify(m->tensor, &s->d))
        return false;
    m->kernel = m->tensor->name;
    api_pick_params(s->a, m->tensor->tensors.at, m->tensor->tensors.n, m);
    return true;
}

// Where the tensor IR begins that may follow a tile IR; else the end.
static size_t
tensor_part(str t)
{
    static const char line[] = "\ntensor_ir";
    const size_t n = sizeof line - 1;
    for (size_t i = 0; i + n <= t.n; i++) {
        if (memcmp(t.p + i, line, n) == 0)
            return i + 1;
    }
    return t.n;
}

static bool
parse_tensor_part(sy_session *s, sy_module *m, size_t at)
{
    // Blank before it, so that lines and columns are those of the input.
    char *text = ARENA_ARRAY(s->a, m->text.n, char);
    memcpy(text, m->text.p, m->text.n);
    for (size_t i = 0; i < at; i++)
        text[i] = text[i] == '\n' ? '\n' : ' ';
    str part = {text, m->text.n};
    uint32_t source = diag_add_source(&s->d, m->name, part);
    const tir_fn *fn = tir_parse(s->a, &s->d, source);
    if (!fn || !tir_verify(fn, &s->d))
        return false;
    strbuf b = strbuf_new(s->a);
    tir_print(fn, &b);
    m->tensor_text = strbuf_str(&b);
    return true;
}

static bool
parse_tile(sy_session *s, sy_module *m)
{
    size_t end = tensor_part(m->text);
    if (end < m->text.n)
        m->source = diag_add_source(&s->d, m->name, (str){m->text.p, end});
    m->tile = tile_parse(s->a, &s->d, m->source);
    if (!m->tile || !tile_verify(m->tile, &s->d))
        return false;
    m->kernel = m->tile->name;
    m->target = m->tile->target;
    api_pick_params(s->a, m->tile->tensors.at, m->tile->tensors.n, m);
    return end == m->text.n || parse_tensor_part(s, m, end);
}

static bool
parse_object(sy_session *s, sy_module *m)
{
    isa_program *p = ARENA_NEW(s->a, isa_program);
    if (!isa_object_read(s->a, &s->d, m->text, p))
        return false;
    m->machine = p;
    params_of_machine(s, m, p);
    return true;
}

// Assembly becomes the object it stands for, and is that from then on.
static bool
parse_asm(sy_session *s, sy_module *m)
{
    isa_program *p = ARENA_NEW(s->a, isa_program);
    if (!isa_program_parse(s->a, &s->d, m->source, p) ||
        !isa_object_write(s->a, p, &m->text, &s->d))
        return false;
    m->machine = p;
    params_of_machine(s, m, p);
    return true;
}

static bool
parse_kind(sy_session *s, sy_module *m)
{
    switch (m->kind) {
    case SY_KIND_AUTO: break;
    case SY_KIND_TK: return parse_tk(s, m);
    case SY_KIND_TENSOR: return parse_tensor(s, m);
    case SY_KIND_TILE: return parse_tile(s, m);
    case SY_KIND_ASM: return parse_asm(s, m);
    case SY_KIND_OBJECT: return parse_object(s, m);
    }
    diag(&s->d, (loc){0}, D_UNKNOWN_KIND, m->name);
    return false;
}

enum { INPUT_MAX_BYTES = 1 << 30 }; // byte offsets are 32 bits

static sy_status
parse(sy_session *s, str text, sy_kind kind, sy_module *m)
{
    if (text.n > INPUT_MAX_BYTES) {
        diag(&s->d, (loc){0}, D_INPUT_TOO_LARGE, m->name,
             (unsigned long long)text.n, (unsigned long long)INPUT_MAX_BYTES);
        return SY_REJECTED;
    }
    m->text = str_dup(s->a, text);
    m->kind = kind == SY_KIND_AUTO ? detect(text) : kind;
    if (skip_comments(text).n == 0 && m->kind != SY_KIND_OBJECT) {
        diag(&s->d, (loc){0}, D_EMPTY_INPUT, m->name);
        return SY_REJECTED;
    }
    bool binary = m->kind == SY_KIND_OBJECT || m->kind == SY_KIND_AUTO;
    if (!binary)
        m->source = diag_add_source(&s->d, m->name, m->text);
    return parse_kind(s, m) ? SY_OK : SY_REJECTED;
}

static sy_status
module_parse(sy_session *s, const char *name, str text, sy_kind kind,
             sy_module **out)
{
    api_enter(s);
    sy_module *m = ARENA_NEW(s->a, sy_module);
    m->name = str_z(s->a, str_of(name));
    sy_status status = parse(s, text, kind, m);
    if (status == SY_OK)
        *out = m;
    return api_leave(s, status);
}

sy_status
sy_module_parse(sy_session *s, const char *name, const void *bytes, size_t n,
                sy_kind kind, sy_module **out)
{
    if (!name || (!bytes && n) || !out)
        return SY_USAGE;
    if (setjmp(s->oom))
        return api_out_of_memory(s);
    return module_parse(s, name, (str){bytes, n}, kind, out);
}

// ---- asking
// -----------------------------------------------------------------------

sy_kind
sy_module_kind(const sy_module *m)
{
    return m->kind;
}

uint32_t
sy_module_kernel_count(const sy_module *m)
{
    return m->tk ? tk_kernel_count(m->tk) : 1;
}

const char *
sy_module_kernel_name(const sy_module *m, uint32_t i)
{
    return m->tk ? tk_kernel_name(m->tk, i) : m->kernel;
}

uint32_t
sy_kernel_param_count(const sy_module *m, uint32_t kernel)
{
    return m->tk ? tk_param_count(m->tk, kernel) : m->params.n;
}

uint32_t
sy_kernel_dim_count(const sy_module *m, uint32_t kernel)
{
    return m->tk ? tk_dim_count(m->tk, kernel) : 0;
}

int
api_array_kind(const tir_tensor *t)
{
    return t->kind == TIR_INOUT ? 2 : t->kind == TIR_OUTPUT;
}

const char *
sy_kernel_dim_name(const sy_module *m, uint32_t kernel, uint32_t i)
{
    return m->tk ? tk_dim_name(m->tk, kernel, i) : NULL;
}

sy_array_type
api_array_type(const tir_tensor *t)
{
    sy_array_type out = {
        .name = t->name, .dtype = num_dtype_name(t->dtype), .rank = t->rank};
    memcpy(out.shape, t->shape, sizeof out.shape);
    return out;
}

sy_array_type
sy_kernel_param(const sy_module *m, uint32_t kernel, uint32_t i, int *is_output)
{
    if (!m->tk) {
        *is_output = api_array_kind(&m->params.at[i]);
        return api_array_type(&m->params.at[i]);
    }
    tk_param_type t = tk_param(m->tk, kernel, i);
    sy_array_type out = {
        .name = t.name, .dtype = num_dtype_name(t.dtype), .rank = t.rank};
    memcpy(out.shape, t.shape, sizeof out.shape);
    *is_output = t.is_output;
    return out;
}

const char *
api_type_text(arena *a, const sy_array_type *t)
{
    strbuf b = strbuf_new(a);
    strbuf_put(&b, str_of(t->dtype));
    for (uint32_t i = 0; i < t->rank; i++)
        strbuf_printf(&b, "%s%lld", i ? ", " : "[", (long long)t->shape[i]);
    if (t->rank)
        strbuf_putc(&b, ']');
    return b.p;
}
