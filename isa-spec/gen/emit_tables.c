// SPDX-License-Identifier: Apache-2.0
// isa_tables.c: fields, items, rules and instructions as constant tables.
#include "isa-spec/gen/gen.h"

#include <string.h>

static const char *
kind_name(gen_kind k)
{
    switch (k) {
    case SLOT_UINT: return "ISA_F_UINT";
    case SLOT_INT: return "ISA_F_INT";
    case SLOT_REG: return "ISA_F_REG";
    case SLOT_FLAG: return "ISA_F_FLAG";
    case SLOT_OPCODE: return "ISA_F_OPCODE";
    case SLOT_ENUM: return "ISA_F_ENUM";
    case SLOT_RECORD: return "a record";
    case SLOT_RESERVED: return "ISA_F_RESERVED";
    }
    return "";
}

// Value names, and assertions that the C enums have the same codes.
static void
emit_enums(const gen *g, strbuf *out)
{
    for (uint32_t i = 0; i < g->enums.n; i++) {
        const gen_enum *e = &g->enums.at[i];
        strbuf_printf(out, "static const char *const names_%.*s[] = {\n",
                      STR_ARG(e->name));
        for (uint32_t k = 0; k < e->values.n; k++)
            strbuf_printf(out, "    \"%.*s\",\n", STR_ARG(e->values.at[k]));
        strbuf_printf(out,
                      "};\nconst isa_names isa_tab_%.*s = "
                      "{names_%.*s, %uu};\n",
                      STR_ARG(e->name), STR_ARG(e->name), e->values.n);
        for (uint32_t k = 0; k < e->values.n; k++) {
            if (str_eq_z(e->values.at[k], "none"))
                continue;
            strbuf_printf(out, "_Static_assert((int)%.*s%.*s == %u, \"\");\n",
                          STR_ARG(e->prefix),
                          STR_ARG(gen_upper(g->a, e->values.at[k])), k);
        }
    }
}

static void
emit_names_ref(const gen *g, strbuf *out, gen_kind kind, uint32_t of)
{
    if (kind == SLOT_ENUM)
        strbuf_printf(out, "&isa_tab_%.*s", STR_ARG(g->enums.at[of].name));
    else
        strbuf_put(out, STR("NULL"));
}

static void
emit_leaf(const gen *g, strbuf *out, const gen_leaf *l)
{
    strbuf_printf(out, "    {\"%.*s\", %u, %u, %s, ", STR_ARG(l->path), l->bit,
                  l->width, kind_name(l->kind));
    if (l->kind == SLOT_RESERVED)
        strbuf_put(out, STR("0, 0, "));
    else
        strbuf_printf(out,
                      "offsetof(isa_insn, %.*s), "
                      "sizeof((isa_insn *)0)->%.*s, ",
                      STR_ARG(l->path), STR_ARG(l->path));
    strbuf_printf(out, "%u, %d, %u, ", l->item, l->sel, l->sel_is);
    emit_names_ref(g, out, l->kind, l->of);
    strbuf_put(out, STR("},\n"));
}

static void
emit_item(const gen *g, strbuf *out, const gen_slot *s)
{
    if (s->kind == SLOT_RESERVED) {
        strbuf_put(out, STR("    {\"\", ISA_F_RESERVED, 0, 1, 0, 0, NULL},\n"));
        return;
    }
    const char *style = "ISA_STYLE_KEY";
    if (s->kind == SLOT_ENUM) {
        str st = g->enums.at[s->of].style;
        style = str_eq_z(st, "suffix") ? "ISA_STYLE_SUFFIX" : "ISA_STYLE_BARE";
    }
    strbuf_printf(out, "    {\"%.*s\", ", STR_ARG(s->name));
    if (s->kind == SLOT_RECORD)
        strbuf_printf(out, "ISA_REC_%.*s, ",
                      STR_ARG(gen_upper(g->a, g->records.at[s->of].name)));
    else
        strbuf_printf(out, "%s, ", kind_name(s->kind));
    const char *sub = s->n ? "[0]" : "";
    strbuf_printf(out,
                  "%s, %u, (uint8_t)sizeof((isa_insn *)0)->%.*s%s, "
                  "offsetof(isa_insn, %.*s), ",
                  style, s->n ? s->n : 1,
                  STR_ARG(s->kind == SLOT_RECORD ? STR("op") : s->name),
                  s->kind == SLOT_RECORD ? "" : sub, STR_ARG(s->name));
    emit_names_ref(g, out, s->kind, s->of);
    strbuf_put(out, STR("},\n"));
}

static void
emit_format(const gen *g, strbuf *out, const gen_format *f)
{
    str n = f->layout.name;
    strbuf_printf(out, "\nstatic const isa_field field_%.*s[] = {\n",
                  STR_ARG(n));
    for (uint32_t i = 0; i < f->leaves.n; i++)
        emit_leaf(g, out, &f->leaves.at[i]);
    strbuf_printf(out, "};\nstatic const isa_item item_%.*s[] = {\n",
                  STR_ARG(n));
    for (uint32_t i = 0; i < f->layout.slots.n; i++)
        emit_item(g, out, &f->layout.slots.at[i]);
    strbuf_printf(out,
                  "};\nstatic const isa_format format_%.*s = {\"%.*s\", "
                  "field_%.*s, item_%.*s, %uu, %uu};\n",
                  STR_ARG(n), STR_ARG(n), STR_ARG(n), STR_ARG(n), f->leaves.n,
                  f->layout.slots.n);
}

static void
emit_exprs(const gen *g, strbuf *out)
{
    for (uint32_t i = 0; i < g->exprs.n; i++)
        strbuf_printf(out,
                      "\nstatic bool\nrule_%u(const isa_cx *x)\n{\n"
                      "    return (bool)%.*s;\n}\n",
                      i, STR_ARG(g->exprs.at[i]));
}

static void
emit_insn_parts(const gen *g, strbuf *out, const gen_insn *in)
{
    (void)g;
    strbuf_printf(out, "\nstatic const uint8_t order_%.*s[] = {",
                  STR_ARG(in->name));
    for (uint32_t i = 0; i < in->fields.n; i++)
        strbuf_printf(out, "%u, ", in->fields.at[i]);
    strbuf_put(out, in->fields.n ? STR("};\n") : STR("0};\n"));
    strbuf_printf(out, "static const isa_rule rules_%.*s[] = {\n",
                  STR_ARG(in->name));
    for (uint32_t i = 0; i < in->checks.n; i++) {
        const gen_check *k = &in->checks.at[i];
        strbuf_printf(out, "    {\"%.*s\", \"%.*s\",\n     ", STR_ARG(k->label),
                      STR_ARG(k->on));
        gen_put_literal(out, k->text);
        strbuf_printf(out, ", %s, rule_%u},\n", k->form ? "true" : "false",
                      k->fn);
    }
    strbuf_put(out, STR("};\n"));
}

static void
emit_info(const gen *g, strbuf *out, const gen_insn *in)
{
    str n = in->name;
    strbuf_printf(out,
                  "    {ISA_%.*s, \"%.*s\", 0x%xu, &format_%.*s,\n"
                  "     0x%llxu, order_%.*s, rules_%.*s, %uu, %uu,\n     ",
                  STR_ARG(gen_upper(g->a, n)), STR_ARG(n), in->engines,
                  STR_ARG(g->formats.at[in->format].layout.name),
                  (unsigned long long)in->used, STR_ARG(n), STR_ARG(n),
                  in->fields.n, in->checks.n);
    gen_put_literal(out, in->cost);
    strbuf_put(out, STR(", "));
    gen_put_literal(out, in->timing);
    strbuf_put(out, STR(",\n     "));
    gen_put_literal(out, in->example);
    strbuf_put(out, STR("},\n"));
}

static void
emit_infos(const gen *g, strbuf *out)
{
    for (uint32_t i = 0; i < g->insns.n; i++)
        emit_insn_parts(g, out, &g->insns.at[i]);
    strbuf_put(out, STR("\nconst isa_info isa_tab_info[] = {\n"));
    for (uint32_t i = 0; i < g->insns.n; i++)
        emit_info(g, out, &g->insns.at[i]);
    strbuf_printf(out, "};\nconst uint32_t isa_tab_count = %uu;\n", g->insns.n);
    strbuf_put(out, STR("const uint8_t isa_tab_index[256] = {\n"));
    for (uint32_t i = 0; i < g->insns.n; i++)
        strbuf_printf(out, "    [0x%02x] = %u,\n", g->insns.at[i].opcode,
                      i + 1);
    strbuf_put(out, STR("};\n"));
}

static bool
is_used(const gen *g, uint32_t format)
{
    for (uint32_t i = 0; i < g->insns.n; i++) {
        if (g->insns.at[i].format == format)
            return true;
    }
    return false;
}

void
gen_emit_tables(const gen *g, strbuf *out)
{
    strbuf_printf(out, "// Generated from isa-spec/ (%016llx).\n",
                  (unsigned long long)g->hash);
    strbuf_put(out, STR("#include \"isa-spec/isa_int.h\"\n\n"));
    strbuf_printf(out, "const char isa_tab_hash[] = \"%016llx\";\n\n",
                  (unsigned long long)g->hash);
    emit_enums(g, out);
    for (uint32_t i = 0; i < g->formats.n; i++) {
        if (is_used(g, i))
            emit_format(g, out, &g->formats.at[i]);
    }
    emit_exprs(g, out);
    emit_infos(g, out);
    gen_emit_targets(g, out);
}
