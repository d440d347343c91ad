// SPDX-License-Identifier: Apache-2.0
// The tables that a chapter of the manual asks for with "@name".
#include "isa-spec/gen/gen.h"

#include <string.h>

static void
table_dtypes(const gen *g, strbuf *out)
{
    (void)g;
    uint32_t code = 0;
    strbuf_put(out, STR("| code | name | bytes | class | significand | |\n"
                        "|---|---|---|---|---|---|\n"));
#define DTYPE(id, name, bytes, class, sig, note)                               \
    strbuf_printf(out, "| %u | %s | %d | %s | %d | %s |\n", ++code, name,      \
                  bytes, #class, sig, note);
#include "numerics/dtypes.def"
#undef DTYPE
}

static const char *
result_text(const char *gives)
{
    return gives[0] == 'I'   ? "i32"
           : gives[0] == 'F' ? "f32"
           : gives[0] == 'B' ? "bool"
                             : "the same";
}

static void
function_row(strbuf *out, uint32_t code, const char *name, const char *classes,
             const char *gives, const char *what)
{
    strbuf_printf(out, "| %u | %s | %s | %s | ", code, name, classes,
                  result_text(gives));
    for (; *what; what++) {
        if (*what == '|')
            strbuf_putc(out, '\\');
        strbuf_putc(out, *what);
    }
    strbuf_put(out, STR(" |\n"));
}

#define FUNCTION_HEAD                                                          \
    STR("| code | name | types | gives | value |\n|---|---|---|---|---|\n")

static void
table_unary(const gen *g, strbuf *out)
{
    (void)g;
    uint32_t code = 0;
    strbuf_put(out, FUNCTION_HEAD);
#define UNARY(id, name, classes, gives, what)                                  \
    function_row(out, ++code, name, classes, gives, what);
#define BINARY(id, name, classes, gives, what)
#include "numerics/funcs.def"
#undef UNARY
#undef BINARY
}

static void
table_binary(const gen *g, strbuf *out)
{
    (void)g;
    uint32_t code = 0;
    strbuf_put(out, FUNCTION_HEAD);
#define UNARY(id, name, classes, gives, what)
#define BINARY(id, name, classes, gives, what)                                 \
    function_row(out, ++code, name, classes, gives, what);
#include "numerics/funcs.def"
#undef UNARY
#undef BINARY
}

static void
table_layout(const gen_layout *lay, strbuf *out)
{
    strbuf_put(out, STR("| bits | field | type | |\n|---|---|---|---|\n"));
    for (uint32_t i = 0; i < lay->slots.n; i++) {
        const gen_slot *s = &lay->slots.at[i];
        if (s->lo == s->hi)
            strbuf_printf(out, "| %u | ", s->lo);
        else
            strbuf_printf(out, "| %u-%u | ", s->lo, s->hi);
        if (s->n)
            strbuf_printf(out, "%.*s[%u] | %u x %.*s |", STR_ARG(s->name), s->n,
                          s->n, STR_ARG(s->type));
        else
            strbuf_printf(out, "%.*s | %.*s |", STR_ARG(s->name),
                          STR_ARG(s->type));
        if (s->cond.n)
            strbuf_printf(out, " when %.*s = %u", STR_ARG(s->cond), s->cond_is);
        strbuf_put(out, STR(" |\n"));
    }
    for (uint32_t i = 0; i < lay->forms.n; i++) {
        const gen_rule *r = &lay->forms.at[i];
        strbuf_printf(out, "\n%.*s: `%.*s` (%.*s)%s", STR_ARG(r->label),
                      STR_ARG(r->expr), STR_ARG(r->text),
                      i + 1 < lay->forms.n ? " \\" : "\n");
    }
    strbuf_putc(out, '\n');
}

static void
table_formats(const gen *g, strbuf *out)
{
    for (uint32_t i = 0; i < g->formats.n; i++) {
        if (g->formats.at[i].width != GEN_BITS)
            continue;
        strbuf_printf(out, "### Format %.*s\n\n",
                      STR_ARG(g->formats.at[i].layout.name));
        table_layout(&g->formats.at[i].layout, out);
    }
    for (uint32_t i = 0; i < g->records.n; i++) {
        strbuf_printf(out, "### Record %.*s\n\n",
                      STR_ARG(g->records.at[i].name));
        table_layout(&g->records.at[i], out);
    }
}

static void
table_enums(const gen *g, strbuf *out)
{
    strbuf_put(out, STR("| type | values, from 0 |\n|---|---|\n"));
    for (uint32_t i = 0; i < g->enums.n; i++) {
        const gen_enum *e = &g->enums.at[i];
        if (e->values.n > 12)
            continue;
        strbuf_printf(out, "| %.*s |", STR_ARG(e->name));
        for (uint32_t k = 0; k < e->values.n; k++)
            strbuf_printf(out, " %.*s", STR_ARG(e->values.at[k]));
        strbuf_put(out, STR(" |\n"));
    }
}

static void
table_rules(const gen *g, strbuf *out)
{
    for (uint32_t i = 0; i < g->rulesets.n; i++) {
        const gen_ruleset *s = &g->rulesets.at[i];
        strbuf_printf(out, "### Rules %.*s\n\n", STR_ARG(s->name));
        for (uint32_t k = 0; k < s->rules.n; k++) {
            const gen_rule *r = &s->rules.at[k];
            strbuf_printf(out, "* %.*s: `%.*s`: %.*s\n", STR_ARG(r->label),
                          STR_ARG(r->expr), STR_ARG(r->text));
        }
        strbuf_putc(out, '\n');
    }
}

static void
opcode_row(const gen *g, uint32_t op, strbuf *out)
{
    for (uint32_t i = 0; i < g->insns.n; i++) {
        const gen_insn *in = &g->insns.at[i];
        if (in->opcode == op)
            strbuf_printf(out, "| 0x%02x | [%.*s](#%.*s) | %.*s |\n", op,
                          STR_ARG(in->name), STR_ARG(in->name),
                          STR_ARG(in->summary));
    }
    for (uint32_t i = 0; i < g->reserved.n; i++) {
        const gen_reserved *r = &g->reserved.at[i];
        if (r->opcode == op)
            strbuf_printf(out, "| 0x%02x | %.*s (reserved) | %.*s |\n", op,
                          STR_ARG(r->name), STR_ARG(r->what));
    }
}

static void
table_opcodes(const gen *g, strbuf *out)
{
    strbuf_put(out, STR("| opcode | name | |\n|---|---|---|\n"));
    for (uint32_t op = 1; op < 256; op++)
        opcode_row(g, op, out);
}

static void
target_rows(const gen_target *t, strbuf *out)
{
    strbuf_printf(out,
                  "### Target %.*s\n\n| name | value | unit | origin | source "
                  "|\n|---|---|---|---|---|\n",
                  STR_ARG(t->name));
    for (uint32_t i = 0; i < t->rows.n; i++) {
        const gen_const *c = &t->rows.at[i];
        strbuf_printf(out, "| %.*s | %.*s | %.*s | %.*s | %.*s |\n",
                      STR_ARG(c->name), STR_ARG(c->value), STR_ARG(c->unit),
                      STR_ARG(c->tag), STR_ARG(c->source));
    }
    strbuf_putc(out, '\n');
}

static void
table_targets(const gen *g, strbuf *out)
{
    for (uint32_t i = 0; i < g->targets.n; i++)
        target_rows(&g->targets.at[i], out);
}

void
gen_emit_manual_table(const gen *g, str name, strbuf *out)
{
    static const struct {
        const char *name;
        void (*emit)(const gen *, strbuf *);
    } tables[] = {
        {"dtypes", table_dtypes},   {"unary", table_unary},
        {"binary", table_binary},   {"formats", table_formats},
        {"enums", table_enums},     {"rules", table_rules},
        {"opcodes", table_opcodes}, {"targets", table_targets},
    };
    for (uint32_t i = 0; i < ARRAY_LEN(tables); i++) {
        if (str_eq_z(name, tables[i].name)) {
            tables[i].emit(g, out);
            return;
        }
    }
    gen_fail(&(gen_line){.file = "manual"}, "there is no table '@%.*s'",
             STR_ARG(name));
}
