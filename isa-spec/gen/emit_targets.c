// SPDX-License-Identifier: Apache-2.0
// The shipped targets: their texts, and as the structs that a parse would give.
#include "isa-spec/gen/gen.h"

#include <string.h>

// A list of element types or of features, or "none", as a mask; another value
// as it is.
static void
emit_value(const gen *g, strbuf *out, const gen_const *c)
{
    bool features = str_eq_z(c->unit, "features");
    if (!features && !str_eq_z(c->unit, "types")) {
        strbuf_put(out, c->value);
        return;
    }
    int32_t of = gen_find_enum(g, features ? STR("feature") : STR("dtype"));
    const gen_enum *e = &g->enums.at[of];
    str rest = c->value;
    strbuf_put(out, STR("0"));
    while (rest.n && !str_eq_z(c->value, "none")) {
        const char *comma = memchr(rest.p, ',', rest.n);
        str w = {rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
        int32_t v = gen_find_value(e, w);
        if (v <= 0)
            gen_fail(&c->at, "there is no '%.*s' of %.*s", STR_ARG(w),
                     STR_ARG(e->name));
        strbuf_printf(out, " | %s << %.*s%.*s", features ? "1ull" : "1u",
                      STR_ARG(e->prefix), STR_ARG(gen_upper(g->a, w)));
        size_t used = comma ? w.n + 1 : w.n;
        rest = (str){rest.p + used, rest.n - used};
    }
}

static void
emit_constants(const gen_target *t, strbuf *out)
{
    strbuf_printf(out, "\nstatic const struct isa_constant const_%.*s[] = {\n",
                  STR_ARG(t->name));
    for (uint32_t i = 0; i < t->rows.n; i++) {
        const gen_const *c = &t->rows.at[i];
        if (c->is_cap)
            continue;
        strbuf_put(out, STR("    {"));
        gen_put_literal(out, c->name);
        strbuf_put(out, STR(", "));
        gen_put_literal(out, c->unit);
        strbuf_put(out, STR(", "));
        gen_put_literal(out, c->tag);
        strbuf_put(out, STR(",\n     "));
        gen_put_literal(out, c->source);
        strbuf_printf(out, ", %.*s},\n", STR_ARG(c->value));
    }
    strbuf_put(out, STR("};\n"));
}

static void
emit_target(const gen *g, strbuf *out, const gen_target *t)
{
    uint32_t consts = 0;
    strbuf_printf(out, "    {.name = \"%.*s\", .text = text_%.*s,\n",
                  STR_ARG(t->name), STR_ARG(t->name));
    for (uint32_t i = 0; i < t->rows.n; i++) {
        const gen_const *c = &t->rows.at[i];
        consts += !c->is_cap;
        if (!c->is_cap)
            continue;
        strbuf_printf(out, "     .%.*s = ", STR_ARG(c->name));
        emit_value(g, out, c);
        strbuf_put(out, STR(",\n"));
    }
    strbuf_printf(out, "     .nconst = %uu, .constant = const_%.*s},\n", consts,
                  STR_ARG(t->name));
}

void
gen_emit_targets(const gen *g, strbuf *out)
{
    for (uint32_t i = 0; i < g->targets.n; i++) {
        const gen_target *t = &g->targets.at[i];
        emit_constants(t, out);
        strbuf_printf(out, "static const char text_%.*s[] =\n    ",
                      STR_ARG(t->name));
        gen_put_literal(out, t->text);
        strbuf_put(out, STR(";\n"));
    }
    strbuf_put(out, STR("\nconst isa_target isa_tab_target[] = {\n"));
    for (uint32_t i = 0; i < g->targets.n; i++)
        emit_target(g, out, &g->targets.at[i]);
    strbuf_printf(out, "};\nconst uint32_t isa_tab_target_count = %uu;\n",
                  g->targets.n);
}
