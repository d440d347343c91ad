// SPDX-License-Identifier: Apache-2.0
// Runs the passes of passes.def: dumps, stops and verifies between them. A
// function that comes in as tile IR starts at the first pass of that level.
#include "backend/backend.h"

#include <string.h>

typedef struct {
    const char *name;
    bool (*run)(pass_ctx *cx);
    pass_level level;
    const char *what;
} pass_row;

static const pass_row passes[] = {
#define PASS(name, fn, level, what) {#name, fn, LEVEL_##level, what},
#include "backend/passes.def"
#undef PASS
};

// ---- passes that are functions of the tensor IR --------------------------

bool
pass_split(pass_ctx *cx)
{
    tir_split(cx->tensor);
    return true;
}

bool
pass_pad(pass_ctx *cx)
{
    tir_pad(cx->tensor);
    return true;
}

bool
pass_inline(pass_ctx *cx)
{
    if (cx->opt > 0)
        tir_inline(cx->tensor);
    return true;
}

bool
pass_contract(pass_ctx *cx)
{
    tir_contract(cx->tensor);
    return true;
}

// ---- between passes ------------------------------------------------------

static void
print_current(const pass_ctx *cx, strbuf *out)
{
    if (cx->tile)
        tile_print(cx->tile, out);
    else
        tir_print(cx->tensor, out);
}

// Parses a text of the current level and prints it again.
static bool
reprint(const pass_ctx *cx, str text, strbuf *out)
{
    diags d;
    uint32_t source;

    diags_init(&d, cx->a);
    source = diag_add_source(&d, "(text)", text);
    if (cx->tile) {
        const tile_fn *fn = tile_parse(cx->a, &d, source);
        if (fn)
            tile_print(fn, out);
        return fn != NULL;
    }
    const tir_fn *fn = tir_parse(cx->a, &d, source);
    if (fn)
        tir_print(fn, out);
    return fn != NULL;
}

static bool
verify(const pass_ctx *cx, const char *pass)
{
    strbuf once = strbuf_new(cx->a), twice = strbuf_new(cx->a);

    if (cx->tile ? !tile_verify(cx->tile, cx->d)
                 : !tir_verify(cx->tensor, cx->d))
        return false;
    print_current(cx, &once);
    if (reprint(cx, strbuf_str(&once), &twice) &&
        str_eq(strbuf_str(&once), strbuf_str(&twice)))
        return true;
    diag(cx->d, (loc){0}, D_INTERNAL,
         arena_printf(cx->a,
                      "after pass '%s' the text of '%s' does not parse "
                      "back to the same text",
                      pass, cx->tile ? cx->tile->name : cx->tensor->name));
    return false;
}

static bool
is_named(const char *option, const char *pass)
{
    return option && strcmp(option, pass) == 0;
}

// Tile IR that comes in is what the tensor passes made: they have nothing to
// do, but who names one to print or to stop after means this IR.
static bool
run_pass(pass_ctx *cx, const pass_row *p, const pass_options *o)
{
    bool is_done = p->level == LEVEL_TENSOR && cx->tile;
    if (!is_done && !p->run(cx))
        return false;
    if (o->dump && (is_named(o->print_after, p->name) ||
                    (is_named(o->print_after, "all") && !is_done))) {
        strbuf_printf(o->dump, "# after %s\n", p->name);
        print_current(cx, o->dump);
    }
    return is_done || !o->verify_each || verify(cx, p->name);
}

static bool
check_name(const pass_ctx *cx, const char *name)
{
    for (uint32_t i = 0; i < ARRAY_LEN(passes); i++)
        if (!name || strcmp(passes[i].name, name) == 0)
            return true;
    diag(cx->d, (loc){0}, D_PASS_UNKNOWN, name);
    return false;
}

bool
backend_run(pass_ctx *cx, const pass_options *o)
{
    bool all = is_named(o->print_after, "all");

    if (!check_name(cx, all ? NULL : o->print_after) ||
        !check_name(cx, o->stop_after))
        return false;
    for (uint32_t i = 0; i < ARRAY_LEN(passes); i++) {
        if (!run_pass(cx, &passes[i], o))
            return false;
        if (is_named(o->stop_after, passes[i].name))
            return true;
    }
    return true;
}

const char *
backend_pass_name(uint32_t i)
{
    return i < ARRAY_LEN(passes) ? passes[i].name : NULL;
}
