// SPDX-License-Identifier: Apache-2.0
// Stanzas of the .isa files into the model, as written; check.c resolves them.
// A stanza is a line without indentation and the indented lines after it.
#include "isa-spec/gen/gen.h"

#include <string.h>

static const char *const dtype_names[] = {
#define DTYPE(id, name, bytes, class, sig, note) name,
#include "numerics/dtypes.def"
#undef DTYPE
};
static const char *const unary_names[] = {
#define UNARY(id, name, classes, gives, what) name,
#define BINARY(id, name, classes, gives, what)
#include "numerics/funcs.def"
#undef UNARY
#undef BINARY
};
static const char *const binary_names[] = {
#define UNARY(id, name, classes, gives, what)
#define BINARY(id, name, classes, gives, what) name,
#include "numerics/funcs.def"
#undef UNARY
#undef BINARY
};

int32_t
gen_find_enum(const gen *g, str name)
{
    for (uint32_t i = 0; i < g->enums.n; i++) {
        if (str_eq(g->enums.at[i].name, name))
            return (int32_t)i;
    }
    return -1;
}

int32_t
gen_find_record(const gen *g, str name)
{
    for (uint32_t i = 0; i < g->records.n; i++) {
        if (str_eq(g->records.at[i].name, name))
            return (int32_t)i;
    }
    return -1;
}

int32_t
gen_find_format(const gen *g, str name)
{
    for (uint32_t i = 0; i < g->formats.n; i++) {
        if (str_eq(g->formats.at[i].layout.name, name))
            return (int32_t)i;
    }
    return -1;
}

int32_t
gen_find_value(const gen_enum *e, str name)
{
    for (uint32_t i = 0; i < e->values.n; i++) {
        if (str_eq(e->values.at[i], name))
            return (int32_t)i;
    }
    return -1;
}

uint32_t
gen_engine_bit(const gen *g, const gen_line *at, str name)
{
    int32_t e = gen_find_enum(g, STR("engine"));
    int32_t v = e < 0 ? -1 : gen_find_value(&g->enums.at[e], name);
    if (v <= 0)
        gen_fail(at, "there is no engine '%.*s'", STR_ARG(name));
    return 1u << v;
}

static void
add_table(gen *g, gen_enum *e, const char *const *names, size_t n)
{
    vec_push(g->a, &e->values, STR("none"));
    for (size_t i = 0; i < n; i++)
        vec_push(g->a, &e->values, str_of(names[i]));
}

static void
parse_enum(gen *g, const gen_line *l, str rest)
{
    gen_enum *e = vec_add(g->a, &g->enums);
    e->name = gen_need(l, &rest, "a name");
    e->prefix = gen_need(l, &rest, "a C prefix");
    e->style = gen_need(l, &rest, "a style");
    for (str w; gen_word(&rest, &w);) {
        if (str_eq_z(w, "@dtypes"))
            add_table(g, e, dtype_names, ARRAY_LEN(dtype_names));
        else if (str_eq_z(w, "@unary"))
            add_table(g, e, unary_names, ARRAY_LEN(unary_names));
        else if (str_eq_z(w, "@binary"))
            add_table(g, e, binary_names, ARRAY_LEN(binary_names));
        else
            vec_push(g->a, &e->values, w);
    }
    if (e->values.n > GEN_MAX_ENUM)
        gen_fail(l, "more than %d values", GEN_MAX_ENUM);
}

static void
parse_function(gen *g, const gen_line *l, str rest)
{
    gen_function *f = vec_add(g->a, &g->functions);
    f->name = gen_need(l, &rest, "a name");
    for (str w; gen_word(&rest, &w);)
        vec_push(g->a, &f->params, w);
}

gen_rule
gen_parse_rule(const gen_line *l)
{
    str rest = l->text;
    gen_rule r = {.at = *l, .label = gen_need(l, &rest, "a label")};
    if (!rest.n || rest.p[rest.n - 1] != '"')
        gen_fail(l, "a rule ends with its text in quotes");
    const char *q = rest.p + rest.n - 1;
    do {
        if (q == rest.p)
            gen_fail(l, "a rule ends with its text in quotes");
        q--;
    } while (*q != '"');
    r.text = (str){q + 1, (size_t)(rest.p + rest.n - 1 - (q + 1))};
    r.expr = gen_trim((str){rest.p, (size_t)(q - rest.p)});
    return r;
}

// "lo-hi" or "lo".
static void
parse_bits(const gen_line *l, str w, gen_slot *s)
{
    const char *dash = memchr(w.p, '-', w.n);
    size_t n = dash ? (size_t)(dash - w.p) : w.n;
    s->lo = gen_number(l, (str){w.p, n});
    s->hi = dash ? gen_number(l, (str){dash + 1, w.n - n - 1}) : s->lo;
    if (s->hi < s->lo)
        gen_fail(l, "the bits are backwards");
}

// "name" or "name[n]".
static void
parse_slot_name(const gen_line *l, str w, gen_slot *s)
{
    const char *b = memchr(w.p, '[', w.n);
    s->name = b ? (str){w.p, (size_t)(b - w.p)} : w;
    if (!b)
        return;
    s->n = gen_number(l, (str){b + 1, w.n - s->name.n - 2});
    if (!s->n || (s->hi - s->lo + 1) % s->n)
        gen_fail(l, "the bits are not %u equal parts", s->n);
}

static void
parse_condition(const gen_line *l, str *rest, gen_slot *s)
{
    str w;
    if (!gen_word(rest, &w))
        return;
    if (!str_eq_z(w, "when"))
        gen_fail(l, "unknown word '%.*s'", STR_ARG(w));
    str c = gen_need(l, rest, "a condition");
    const char *eq = memchr(c.p, '=', c.n);
    if (!eq)
        gen_fail(l, "a condition is flag=0 or flag=1");
    s->cond = (str){c.p, (size_t)(eq - c.p)};
    s->cond_is = gen_number(l, (str){eq + 1, c.n - s->cond.n - 1});
}

static void
resolve_type(gen *g, const gen_line *l, gen_slot *s)
{
    static const char *const basic[] = {"uint", "int", "reg", "flag", "opcode"};
    for (uint32_t i = 0; i < ARRAY_LEN(basic); i++) {
        if (str_eq_z(s->type, basic[i])) {
            s->kind = (gen_kind)i;
            return;
        }
    }
    int32_t e = gen_find_enum(g, s->type);
    int32_t r = gen_find_record(g, s->type);
    if (e < 0 && r < 0)
        gen_fail(l, "there is no type '%.*s'", STR_ARG(s->type));
    if (e >= 0 && r >= 0)
        gen_fail(l, "'%.*s' is an enum and a record", STR_ARG(s->type));
    s->kind = e >= 0 ? SLOT_ENUM : SLOT_RECORD;
    s->of = (uint32_t)(e >= 0 ? e : r);
}

static void
parse_slot(gen *g, gen_layout *lay, const gen_line *l)
{
    str rest = l->text;
    gen_slot s = {.at = *l};
    parse_bits(l, gen_need(l, &rest, "bits"), &s);
    parse_slot_name(l, gen_need(l, &rest, "a name"), &s);
    if (str_eq_z(s.name, "reserved")) {
        s.kind = SLOT_RESERVED;
    } else {
        s.type = gen_need(l, &rest, "a type");
        resolve_type(g, l, &s);
    }
    parse_condition(l, &rest, &s);
    vec_push(g->a, &lay->slots, s);
}

// Slots and form rules up to the next stanza; gives its line.
static uint32_t
parse_layout(gen *g, gen_layout *lay, const gen_lines *ls, uint32_t i)
{
    for (; i < ls->n && ls->at[i].indent; i++) {
        if (ls->at[i].text.p[0] == 'F')
            vec_push(g->a, &lay->forms, gen_parse_rule(&ls->at[i]));
        else
            parse_slot(g, lay, &ls->at[i]);
    }
    return i;
}

static uint32_t
parse_record(gen *g, const gen_lines *ls, uint32_t i, str rest)
{
    const gen_line *l = &ls->at[i];
    gen_layout lay = {.name = gen_need(l, &rest, "a name")};
    lay.ctype = gen_need(l, &rest, "a C type");
    i = parse_layout(g, &lay, ls, i + 1);
    vec_push(g->a, &g->records, lay);
    return i;
}

static void
inherit(gen *g, const gen_line *l, gen_layout *lay, str parent)
{
    int32_t p = gen_find_format(g, parent);
    if (p < 0)
        gen_fail(l, "there is no format '%.*s'", STR_ARG(parent));
    const gen_layout *from = &g->formats.at[p].layout;
    for (uint32_t i = 0; i < from->slots.n; i++)
        vec_push(g->a, &lay->slots, from->slots.at[i]);
    for (uint32_t i = 0; i < from->forms.n; i++)
        vec_push(g->a, &lay->forms, from->forms.at[i]);
}

static uint32_t
parse_format(gen *g, const gen_lines *ls, uint32_t i, str rest)
{
    const gen_line *l = &ls->at[i];
    gen_format f = {.layout.name = gen_need(l, &rest, "a name")};
    str w;
    if (gen_word(&rest, &w))
        inherit(g, l, &f.layout, gen_need(l, &rest, "a format"));
    i = parse_layout(g, &f.layout, ls, i + 1);
    vec_push(g->a, &g->formats, f);
    return i;
}

static uint32_t
parse_ruleset(gen *g, const gen_lines *ls, uint32_t i, str rest)
{
    const gen_line *l = &ls->at[i];
    gen_ruleset r = {.name = gen_need(l, &rest, "a name")};
    r.param = gen_need(l, &rest, "a parameter");
    for (i++; i < ls->n && ls->at[i].indent; i++)
        vec_push(g->a, &r.rules, gen_parse_rule(&ls->at[i]));
    vec_push(g->a, &g->rulesets, r);
    return i;
}

static void
parse_reserved(gen *g, const gen_line *l, str rest)
{
    gen_reserved r = {.opcode = gen_number(l, gen_need(l, &rest, "opcode"))};
    r.name = gen_need(l, &rest, "a name");
    r.what = gen_trim(rest);
    vec_push(g->a, &g->reserved, r);
}

// One stanza; gives the line after it.
static uint32_t
parse_stanza(gen *g, const gen_lines *ls, uint32_t i)
{
    const gen_line *l = &ls->at[i];
    str rest = l->text;
    str w = gen_need(l, &rest, "a word");
    if (l->indent)
        gen_fail(l, "this line belongs to no stanza");
    if (str_eq_z(w, "record"))
        return parse_record(g, ls, i, rest);
    if (str_eq_z(w, "format"))
        return parse_format(g, ls, i, rest);
    if (str_eq_z(w, "rules"))
        return parse_ruleset(g, ls, i, rest);
    if (str_eq_z(w, "insn"))
        return gen_parse_insn(g, ls, i);
    if (str_eq_z(w, "chapter"))
        return gen_parse_chapter(g, ls, i);
    if (str_eq_z(w, "include"))
        gen_parse(g, gen_need(l, &rest, "a file"));
    else if (str_eq_z(w, "target"))
        gen_parse_target(g, gen_need(l, &rest, "a file"));
    else if (str_eq_z(w, "enum"))
        parse_enum(g, l, rest);
    else if (str_eq_z(w, "function"))
        parse_function(g, l, rest);
    else if (str_eq_z(w, "reserve"))
        parse_reserved(g, l, rest);
    else if (str_eq_z(w, "version"))
        g->version = gen_number(l, gen_need(l, &rest, "a number"));
    else
        gen_fail(l, "unknown stanza '%.*s'", STR_ARG(w));
    return i + 1;
}

void
gen_parse(gen *g, str root)
{
    gen_lines ls = {0};
    str whole;
    gen_read(g, root, &ls, &whole);
    for (uint32_t i = 0; i < ls.n;)
        i = parse_stanza(g, &ls, i);
}
