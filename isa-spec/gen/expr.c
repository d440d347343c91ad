// SPDX-License-Identifier: Apache-2.0
// Rule expressions to C, by recursive descent. Every value is an int64_t; a
// bare name is a value of the enum on the left of its comparison. Grammar:
//   or: and {"||" and}      and: cmp {"&&" cmp}
//   cmp: sum [("=="|"!="|"<"|"<="|">"|">=") sum | "in" "[" name.. "]"]
//   sum: prod {("+"|"-") prod}   prod: unary {("*"|"/"|"%") unary}
//   unary: "!" unary | number | "(" or ")" | "engine" | "target" "." name
//        | "target.has" "(" feature ")" | "self" | path | name "(" args ")"
#include "isa-spec/gen/gen.h"

#include <string.h>

typedef struct {
    str text;       // C
    int32_t of;     // its enum, or -1
    bool is_record; // the address of an operand
} value;

typedef struct {
    gen *g;
    const gen_scope *s;
    str rest;
    uint32_t depth;
} reader;

static value parse_or(reader *r);

static NORETURN void
fail(const reader *r, const char *what)
{
    gen_fail(r->s->at, "%s, at '%.*s'", what, STR_ARG(r->rest));
}

static bool
take(reader *r, const char *op)
{
    size_t n = strlen(op);
    r->rest = gen_trim(r->rest);
    if (r->rest.n < n || memcmp(r->rest.p, op, n) != 0)
        return false;
    r->rest.p += n;
    r->rest.n -= n;
    return true;
}

static bool
is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// A path has dots and subscripts as well.
static str
take_name(reader *r, bool path)
{
    r->rest = gen_trim(r->rest);
    size_t n = 0;
    while (n < r->rest.n && (is_name(r->rest.p[n]) ||
                             (path && memchr(".[]", r->rest.p[n], 3) != NULL)))
        n++;
    str w = {r->rest.p, n};
    r->rest.p += n;
    r->rest.n -= n;
    return w;
}

static str
text(reader *r, const char *c)
{
    (void)r;
    return str_of(c);
}

static value
plain(reader *r, const char *c)
{
    return (value){text(r, c), -1, false};
}

// "none" is always 0; the C name of another value has the enum's prefix.
static const char *
enum_value(reader *r, int32_t of, str name)
{
    const gen_enum *e = &r->g->enums.at[of];
    if (gen_find_value(e, name) < 0)
        gen_fail(r->s->at, "'%.*s' is no value of %.*s", STR_ARG(name),
                 STR_ARG(e->name));
    if (str_eq_z(name, "none"))
        return "0";
    return arena_printf(r->g->a, "%.*s%.*s", STR_ARG(e->prefix),
                        STR_ARG(gen_upper(r->g->a, name)));
}

static bool
lists_field(const gen_scope *s, uint32_t item)
{
    return !s->insn || s->form || (s->insn->used >> item & 1);
}

static value
leaf_value(reader *r, str path)
{
    const gen_leaf *f = gen_find_leaf(r->s->format, path);
    if (!f)
        gen_fail(r->s->at, "there is no field '%.*s'", STR_ARG(path));
    if (!lists_field(r->s, f->item))
        gen_fail(r->s->at, "the instruction does not list '%.*s'",
                 STR_ARG(path));
    value v =
        plain(r, arena_printf(r->g->a, "(int64_t)x->in->%.*s", STR_ARG(path)));
    v.of = f->kind == SLOT_ENUM ? (int32_t)f->of : -1;
    return v;
}

// A record (for a function) or a field.
static value
path_value(reader *r, str path)
{
    const gen_layout *lay = &r->s->format->layout;
    for (uint32_t i = 0; i < lay->slots.n; i++) {
        const gen_slot *s = &lay->slots.at[i];
        if (s->kind != SLOT_RECORD || !str_eq(s->name, path))
            continue;
        if (!lists_field(r->s, i))
            break;
        const char *c = arena_printf(r->g->a, "&x->in->%.*s", STR_ARG(path));
        return (value){text(r, c), -1, true};
    }
    return leaf_value(r, path);
}

static value
self_value(reader *r, bool whole)
{
    if (!r->s->self.n)
        fail(r, "'.' outside a shared rule");
    if (whole)
        return path_value(r, r->s->self);
    str sub = take_name(r, true);
    return leaf_value(r,
                      str_of(arena_printf(r->g->a, "%.*s.%.*s",
                                          STR_ARG(r->s->self), STR_ARG(sub))));
}

static void
need_machine(reader *r)
{
    if (r->s->form)
        fail(r, "a form rule cannot know the engine or the target");
}

// Whether the target lists the feature.
static value
feature_value(reader *r)
{
    int32_t of = gen_find_enum(r->g, STR("feature"));
    if (of < 0 || !take(r, "("))
        fail(r, "expected a feature in parentheses");
    const char *name = enum_value(r, of, take_name(r, false));
    if (!take(r, ")"))
        fail(r, "expected ')'");
    return plain(r, arena_printf(r->g->a, "isa_in(%s, x->t->features)", name));
}

static value
target_value(reader *r)
{
    need_machine(r);
    str name = take_name(r, false);
    if (str_eq_z(name, "has"))
        return feature_value(r);
    const gen_target *t = &r->g->targets.at[0];
    for (uint32_t i = 0; i < t->rows.n; i++) {
        if (t->rows.at[i].is_cap && str_eq(t->rows.at[i].name, name))
            return plain(
                r, arena_printf(r->g->a, "(int64_t)x->t->%.*s", STR_ARG(name)));
    }
    gen_fail(r->s->at, "targets have no '%.*s'", STR_ARG(name));
}

static value
call_value(reader *r, str name)
{
    const gen_function *f = NULL;
    for (uint32_t i = 0; i < r->g->functions.n; i++) {
        if (str_eq(r->g->functions.at[i].name, name))
            f = &r->g->functions.at[i];
    }
    if (!f)
        gen_fail(r->s->at, "there is no function '%.*s'", STR_ARG(name));
    strbuf b = strbuf_new(r->g->a);
    strbuf_printf(&b, "isa_rule_%.*s(", STR_ARG(name));
    for (uint32_t i = 0; i < f->params.n; i++) {
        if (i && !take(r, ","))
            fail(r, "expected ','");
        value v = parse_or(r);
        if (v.is_record == str_eq_z(f->params.at[i], "int"))
            fail(r, "wrong kind of argument");
        strbuf_printf(&b, "%s%.*s", i ? ", " : "", STR_ARG(v.text));
    }
    if (!take(r, ")"))
        fail(r, "expected ')'");
    strbuf_putc(&b, ')');
    return (value){strbuf_str(&b), -1, false};
}

static value
name_value(reader *r)
{
    str w = take_name(r, true);
    if (!w.n)
        fail(r, "expected a value");
    if (w.p[0] >= '0' && w.p[0] <= '9')
        return plain(r, arena_printf(r->g->a, "%u", gen_number(r->s->at, w)));
    if (take(r, "("))
        return call_value(r, w);
    if (str_eq_z(w, "self"))
        return self_value(r, true);
    if (str_eq_z(w, "engine")) {
        need_machine(r);
        value v = plain(r, "(int64_t)x->engine");
        v.of = gen_find_enum(r->g, STR("engine"));
        return v;
    }
    if (r->s->param.n && str_eq(w, r->s->param))
        w = r->s->arg;
    return path_value(r, w);
}

static value
parse_unary(reader *r)
{
    if (++r->depth > 64)
        fail(r, "too deep");
    value v;
    if (take(r, "!")) {
        v = parse_unary(r);
        v = plain(r, arena_printf(r->g->a, "!%.*s", STR_ARG(v.text)));
    } else if (take(r, "(")) {
        v = parse_or(r);
        if (!take(r, ")"))
            fail(r, "expected ')'");
    } else if (take(r, "target.")) {
        v = target_value(r);
    } else if (take(r, ".")) {
        v = self_value(r, false);
    } else {
        v = name_value(r);
    }
    r->depth--;
    return v;
}

static value
join(reader *r, value a, const char *op, str b)
{
    return plain(r, arena_printf(r->g->a, "(%.*s %s %.*s)", STR_ARG(a.text), op,
                                 STR_ARG(b)));
}

static value
parse_prod(reader *r)
{
    static const char *const ops[] = {"*", "/", "%"};
    value v = parse_unary(r);
    for (uint32_t i = 0; i < ARRAY_LEN(ops);) {
        if (take(r, ops[i])) {
            v = join(r, v, ops[i], parse_unary(r).text);
            i = 0;
        } else {
            i++;
        }
    }
    return v;
}

static value
parse_sum(reader *r)
{
    value v = parse_prod(r);
    for (;;) {
        if (take(r, "+"))
            v = join(r, v, "+", parse_prod(r).text);
        else if (take(r, "-"))
            v = join(r, v, "-", parse_prod(r).text);
        else
            return v;
    }
}

static value
parse_in(reader *r, value v)
{
    if (v.of < 0 || !take(r, "["))
        fail(r, "'in' takes an enum and a list");
    strbuf b = strbuf_new(r->g->a);
    strbuf_printf(&b, "isa_in(%.*s, 0", STR_ARG(v.text));
    while (!take(r, "]")) {
        str w = take_name(r, false);
        if (!w.n)
            fail(r, "expected a name");
        strbuf_printf(&b, " | 1ull << %s", enum_value(r, v.of, w));
    }
    strbuf_putc(&b, ')');
    return (value){strbuf_str(&b), -1, false};
}

// The right side of a comparison: a value of the left side's enum, if it is.
static value
right_side(reader *r, int32_t of)
{
    if (of < 0)
        return parse_sum(r);
    reader ahead = *r;
    str w = take_name(&ahead, false);
    if (!w.n || gen_find_value(&r->g->enums.at[of], w) < 0)
        return parse_sum(r);
    r->rest = ahead.rest;
    return plain(r, arena_printf(r->g->a, "(int64_t)%s", enum_value(r, of, w)));
}

static value
parse_cmp(reader *r)
{
    static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">"};
    value v = parse_sum(r);
    if (take(r, "in "))
        return parse_in(r, v);
    for (uint32_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (take(r, ops[i]))
            return join(r, v, ops[i], right_side(r, v.of).text);
    }
    return v;
}

static value
parse_and(reader *r)
{
    value v = parse_cmp(r);
    while (take(r, "&&"))
        v = join(r, v, "&&", parse_cmp(r).text);
    return v;
}

static value
parse_or(reader *r)
{
    value v = parse_and(r);
    while (take(r, "||"))
        v = join(r, v, "||", parse_and(r).text);
    return v;
}

str
gen_expr(gen *g, const gen_scope *s, str expr)
{
    reader r = {g, s, expr, 0};
    value v = parse_or(&r);
    if (gen_trim(r.rest).n || v.is_record)
        fail(&r, "the expression does not end here");
    return v.text;
}
