// SPDX-License-Identifier: Apache-2.0
// docs/isa.md: chapters, then a page for each instruction, all of one shape.
#include "isa-spec/gen/gen.h"

#include <string.h>

static void
emit_prose(strbuf *out, const str *line, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        strbuf_printf(out, "%.*s\n", STR_ARG(line[i]));
    strbuf_putc(out, '\n');
}

static void
emit_chapter(const gen *g, const gen_chapter *c, strbuf *out)
{
    strbuf_printf(out, "## %.*s\n\n", STR_ARG(c->title));
    for (uint32_t i = 0; i < c->lines.n; i++) {
        str l = c->lines.at[i];
        if (l.n && l.p[0] == '@')
            gen_emit_manual_table(g, (str){l.p + 1, l.n - 1}, out);
        else
            strbuf_printf(out, "%.*s\n", STR_ARG(l));
    }
    strbuf_putc(out, '\n');
}

static bool
has_suffix(const gen *g, const gen_slot *s)
{
    return s->kind == SLOT_ENUM && str_eq_z(g->enums.at[s->of].style, "suffix");
}

// How a field is written in assembly; "" for the suffix of the mnemonic.
static const char *
item_syntax(const gen *g, const gen_slot *s)
{
    switch (s->kind) {
    case SLOT_RECORD: {
        str r = g->records.at[s->of].name;
        return arena_printf(g->a, "%.*s=<%.*s>", STR_ARG(s->name), STR_ARG(r));
    }
    case SLOT_ENUM: return arena_printf(g->a, "<%.*s>", STR_ARG(s->name));
    case SLOT_FLAG: return arena_printf(g->a, "[%.*s]", STR_ARG(s->name));
    case SLOT_REG: return arena_printf(g->a, "[%.*s=rN]", STR_ARG(s->name));
    case SLOT_UINT:
    case SLOT_INT:
        return arena_printf(g->a, "[%.*s=%s]", STR_ARG(s->name),
                            s->n ? "n,.." : "n");
    case SLOT_OPCODE:
    case SLOT_RESERVED: break;
    }
    return "";
}

static void
emit_syntax(const gen *g, const gen_insn *in, strbuf *out)
{
    const gen_layout *lay = &g->formats.at[in->format].layout;
    strbuf_printf(out, "**Syntax**\n\n    %.*s", STR_ARG(in->name));
    for (uint32_t i = 0; i < in->fields.n; i++) {
        if (has_suffix(g, &lay->slots.at[in->fields.at[i]]))
            strbuf_printf(out, ".<%.*s>",
                          STR_ARG(lay->slots.at[in->fields.at[i]].name));
    }
    for (uint32_t i = 0; i < in->fields.n; i++) {
        const gen_slot *s = &lay->slots.at[in->fields.at[i]];
        if (str_eq_z(s->name, "wait"))
            strbuf_put(out, STR(" [wait sN:k]"));
        else if (str_eq_z(s->name, "update"))
            strbuf_put(out, STR(" [post sN:k@when]"));
        else if (str_eq_z(s->name, "uop"))
            strbuf_put(out, STR(" rN=<op>(..)"));
        else if (!has_suffix(g, s))
            strbuf_printf(out, " %s", item_syntax(g, s));
    }
    strbuf_put(out, STR("\n\n"));
}

static void
emit_bits(strbuf *out, uint32_t lo, uint32_t hi)
{
    if (lo == hi)
        strbuf_printf(out, "| %u ", lo);
    else
        strbuf_printf(out, "| %u-%u ", lo, hi);
}

static void
emit_slot(const gen_insn *in, const gen_slot *s, strbuf *out)
{
    emit_bits(out, s->lo, s->hi);
    if (s->kind == SLOT_OPCODE)
        strbuf_printf(out, "| opcode | 0x%02x |\n", in->opcode);
    else if (s->n)
        strbuf_printf(out, "| %.*s[%u] | %u x %.*s |\n", STR_ARG(s->name), s->n,
                      s->n, STR_ARG(s->type));
    else
        strbuf_printf(out, "| %.*s | %.*s |\n", STR_ARG(s->name),
                      STR_ARG(s->type));
}

// The fields in the order of their bits; a child's come after its parent's in
// the layout.
static void
emit_encoding(const gen *g, const gen_insn *in, strbuf *out)
{
    const gen_layout *lay = &g->formats.at[in->format].layout;
    strbuf_printf(out,
                  "**Encoding**: format %.*s; bits that are not listed are 0."
                  "\n\n| bits | field | type |\n|---|---|---|\n",
                  STR_ARG(lay->name));
    for (uint32_t bit = 0; bit < GEN_BITS; bit++) {
        for (uint32_t i = 0; i < lay->slots.n; i++) {
            if (lay->slots.at[i].lo == bit && (in->used >> i & 1))
                emit_slot(in, &lay->slots.at[i], out);
        }
    }
    strbuf_putc(out, '\n');
}

static void
emit_rule(strbuf *out, const gen_rule *r)
{
    strbuf_printf(out, "| %.*s | `", STR_ARG(r->label));
    for (size_t i = 0; i < r->expr.n; i++) {
        if (r->expr.p[i] == '|')
            strbuf_putc(out, '\\');
        strbuf_putc(out, r->expr.p[i]);
    }
    strbuf_printf(out, "` | %.*s |\n", STR_ARG(r->text));
}

static void
emit_constraints(const gen_insn *in, strbuf *out)
{
    strbuf_put(out, STR("**Constraints**\n\n"));
    for (uint32_t i = 0; i < in->uses.n; i++) {
        const gen_use *u = &in->uses.at[i];
        strbuf_printf(out, "* rules `%.*s`", STR_ARG(u->ruleset));
        if (!str_eq_z(u->arg, "-"))
            strbuf_printf(out, " with n = %.*s", STR_ARG(u->arg));
        strbuf_put(out, STR(" for"));
        for (uint32_t k = 0; k < u->operands.n; k++)
            strbuf_printf(out, "%s %.*s", k ? "," : "",
                          STR_ARG(u->operands.at[k]));
        strbuf_putc(out, '\n');
    }
    if (!in->uses.n && !in->rules.n)
        strbuf_put(out, STR("none\n"));
    if (in->rules.n)
        strbuf_put(out, STR("\n| rule | holds | broken |\n|---|---|---|\n"));
    for (uint32_t i = 0; i < in->rules.n; i++)
        emit_rule(out, &in->rules.at[i]);
    strbuf_putc(out, '\n');
}

static void
emit_engines(const gen *g, const gen_insn *in, strbuf *out)
{
    const gen_enum *e = &g->enums.at[gen_find_enum(g, STR("engine"))];
    const char *sep = "";
    strbuf_put(out, STR("**Engines**: "));
    for (uint32_t i = 1; i < e->values.n; i++) {
        if (!(in->engines >> i & 1))
            continue;
        strbuf_printf(out, "%s%.*s", sep, STR_ARG(e->values.at[i]));
        sep = ", ";
    }
    strbuf_put(out, STR("\n\n"));
}

static void
emit_page(const gen *g, const gen_insn *in, strbuf *out)
{
    strbuf_printf(out, "### %.*s\n\n%.*s\n\n", STR_ARG(in->name),
                  STR_ARG(in->summary));
    emit_engines(g, in, out);
    emit_syntax(g, in, out);
    emit_encoding(g, in, out);
    emit_constraints(in, out);
    strbuf_put(out, STR("**Semantics**\n\n"));
    emit_prose(out, in->semantics.at, in->semantics.n);
    strbuf_printf(out, "**Cost**: `%.*s`; timing class %.*s\n\n",
                  STR_ARG(in->cost), STR_ARG(in->timing));
    strbuf_printf(out, "**Example**\n\n    %.*s\n\n", STR_ARG(in->example));
    emit_prose(out, in->example_text.at, in->example_text.n);
    if (in->notes.n) {
        strbuf_put(out, STR("**Notes**\n\n"));
        emit_prose(out, in->notes.at, in->notes.n);
    }
}

void
gen_emit_manual(const gen *g, strbuf *out)
{
    strbuf_printf(out,
                  "# The instruction set, version %u\n\n"
                  "Generated from `isa-spec/`; edit the tables there.\n\n",
                  g->version);
    for (uint32_t i = 0; i < g->chapters.n; i++)
        emit_chapter(g, &g->chapters.at[i], out);
    strbuf_put(out, STR("## Instructions\n\n"));
    for (uint32_t i = 0; i < g->insns.n; i++)
        emit_page(g, &g->insns.at[i], out);
    while (out->n > 1 && out->p[out->n - 2] == '\n')
        out->p[--out->n] = '\0';
}
