// SPDX-License-Identifier: Apache-2.0
// From a source to a checked module: runs the lexer and the parser, then the
// checker. Also what others may ask of a module.
#include "frontend/frontend_int.h"

#include <string.h>

#include "tk_parse.h"

#include "tk_lex.h"

// A word of the language where a name was meant; 'text' is what was unexpected.
static str
misused_word(const parse_ctx *cx, loc at, const char *text)
{
    str s = cx->text, word = {s.p + at.begin, at.end - at.begin};
    size_t i = at.end;
    char before = at.begin ? s.p[at.begin - 1] : ' ';
    const char *expecting = strstr(text, "expecting");
    bool is_word = word.n && word.p[0] >= 'a' && word.p[0] <= 'z' &&
                   strncmp(text, "unexpected name", 15) != 0;
    while (i < s.n && s.p[i] == ' ')
        i++;
    bool is_named = (i < s.n && s.p[i] == ':') || before == '[' ||
                    before == '(' || lex_starts_anew(s, at.begin);
    bool is_decl = str_eq_z(word, "kernel") || str_eq_z(word, "fn");
    if (is_word && (is_named || (is_decl && cx->in_body) ||
                    (expecting && strstr(expecting, "name"))))
        return word;
    return (str){0};
}

void
parse_syntax_error(parse_ctx *cx, loc at, const char *text)
{
    if (cx->stopped)
        return;
    // Newlines count again, so that recovery finds the end of the line.
    cx->brackets = 0;
    cx->is_new_error = true;
    if (!strcmp(text, "memory exhausted")) {
        parse_too_deep(cx, at);
        return;
    }
    const char *comma = strchr(text, ',');
    text = comma ? comma + 2 : text;
    str word = misused_word(cx, at, text);
    if (word.n)
        text = arena_printf(cx->a, "'%.*s' is a reserved word", STR_ARG(word));
    diag(cx->d, at, D_SYNTAX, text);
}

void
parse_too_deep(parse_ctx *cx, loc at)
{
    if (!cx->stopped)
        diag(cx->d, at, D_NESTING, AST_MAX_DEPTH);
    cx->stopped = true;
}

void
parse_too_long(parse_ctx *cx, loc at)
{
    if (!cx->stopped)
        diag(cx->d, at, D_LONG_CHAIN, AST_MAX_HEIGHT);
    cx->stopped = true;
}

void
parse_too_much(parse_ctx *cx, loc at)
{
    if (!cx->stopped)
        diag(cx->d, at, D_TOO_LONG, AST_MAX_NODES);
    cx->stopped = true;
}

// A declaration begins inside the one before.
void
parse_missing_brace(parse_ctx *cx, loc at)
{
    diag(cx->d, at, D_SYNTAX, "'}' is missing before this declaration");
    cx->in_body = false;
    cx->brackets = 0;
}

void
parse_run(parse_ctx *cx)
{
    void *scanner = NULL;
    if (tk_yylex_init_extra(cx, &scanner))
        return;
    (void)tk_yy_scan_bytes(cx->text.p, (int)cx->text.n, scanner);
    (void)tk_yyparse(scanner, cx);
    tk_yylex_destroy(scanner);
}

tk_module *
tk_parse(arena *a, diags *d, uint32_t source, tk_module *const *libs,
         uint32_t nlibs)
{
    uint32_t before = d->errors;
    tk_module *m = ARENA_NEW(a, tk_module);
    *m = (tk_module){.a = a, .libs = libs, .nlibs = nlibs, .fns = map_new(a)};
    parse_ctx cx = {.a = a, .d = d, .source = source, .m = m};
    cx.text = d->sources.at[source].text;
    if (cx.text.n > SOURCE_MAX_BYTES) {
        diag(d, (loc){source, 0, 0}, D_INPUT_TOO_LARGE,
             d->sources.at[source].name, (unsigned long long)cx.text.n,
             (unsigned long long)SOURCE_MAX_BYTES);
        return NULL;
    }
    parse_run(&cx);
    m->lost = cx.lost;
    if (cx.stopped)
        return NULL;
    if (!m->decls.n && d->errors == before)
        diag(d, (loc){source, 0, 0}, D_EMPTY_FILE);
    check_module(a, d, m);
    return d->errors == before ? m : NULL;
}

// ---- what a module holds ---------------------------------------------------

uint32_t
tk_kernel_count(const tk_module *m)
{
    return m->kernels.n;
}

const char *
tk_kernel_name(const tk_module *m, uint32_t kernel)
{
    return str_z(m->a, m->kernels.at[kernel]->name.s);
}

loc
tk_kernel_loc(const tk_module *m, uint32_t kernel)
{
    return m->kernels.at[kernel]->name.at;
}

uint32_t
tk_dim_count(const tk_module *m, uint32_t kernel)
{
    return m->kernels.at[kernel]->dims.n;
}

const char *
tk_dim_name(const tk_module *m, uint32_t kernel, uint32_t i)
{
    return str_z(m->a, m->kernels.at[kernel]->dims.at[i].s);
}

uint32_t
tk_param_count(const tk_module *m, uint32_t kernel)
{
    const ast_decl *k = m->kernels.at[kernel];
    return k->nin + k->nres;
}

tk_param_type
tk_param(const tk_module *m, uint32_t kernel, uint32_t i)
{
    const ast_tensor *t = m->kernels.at[kernel]->tensors.at[i];
    tk_param_type p = {.name = str_z(m->a, t->name.s),
                       .dtype = t->dtype,
                       .rank = t->shape.n,
                       .is_output = t->role == TENSOR_RESULT};
    for (uint32_t x = 0; x < p.rank; x++)
        if (!dim_constant(t->shape.at[x], &p.shape[x]))
            p.shape[x] = -1;
    return p;
}
