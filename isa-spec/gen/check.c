// SPDX-License-Identifier: Apache-2.0
// From what the files say to a model that holds together: fields laid out as
// bits, every bit accounted for once, opcodes unique, names known, rules turned
// into C. Emitters rely on it and check nothing.
#include "isa-spec/gen/gen.h"

#include <string.h>

// Where a slot is placed: the path so far, the bit it starts at, the format's
// slot and the selector that makes it present.
typedef struct {
    str path;
    uint32_t base, item, depth;
    int32_t sel;
    uint32_t sel_is;
} place;

const gen_leaf *
gen_find_leaf(const gen_format *f, str path)
{
    for (uint32_t i = 0; i < f->leaves.n; i++) {
        if (str_eq(f->leaves.at[i].path, path))
            return &f->leaves.at[i];
    }
    return NULL;
}

static int32_t
leaf_index(const gen_format *f, str path)
{
    const gen_leaf *l = gen_find_leaf(f, path);
    return l ? (int32_t)(l - f->leaves.at) : -1;
}

static void lay_out(gen *g, gen_format *f, const gen_layout *lay, place p);

static void
check_width(const gen *g, const gen_slot *s, uint32_t width)
{
    if (s->kind == SLOT_FLAG && width != 1)
        gen_fail(&s->at, "a flag has one bit");
    if (s->kind == SLOT_REG && width != 6)
        gen_fail(&s->at, "a register has six bits");
    if (s->kind < SLOT_RECORD && width > 64)
        gen_fail(&s->at, "the field is wider than 64 bits");
    if (s->kind == SLOT_ENUM && width < 6 &&
        g->enums.at[s->of].values.n > 1u << width)
        gen_fail(&s->at, "%u values do not fit %u bits",
                 g->enums.at[s->of].values.n, width);
}

// One element of a slot.
static void
lay_out_one(gen *g, gen_format *f, const gen_slot *s, place p, uint32_t width)
{
    check_width(g, s, width);
    if (s->kind == SLOT_RECORD) {
        p.depth++;
        lay_out(g, f, &g->records.at[s->of], p);
        return;
    }
    gen_leaf leaf = {p.path, p.base, width, s->kind,
                     s->of,  p.item, p.sel, p.sel_is};
    vec_push(g->a, &f->leaves, leaf);
}

static str
join_path(gen *g, str path, const gen_slot *s, uint32_t i)
{
    const char *dot = path.n ? "." : "";
    if (!s->n)
        return str_of(arena_printf(g->a, "%.*s%s%.*s", STR_ARG(path), dot,
                                   STR_ARG(s->name)));
    return str_of(arena_printf(g->a, "%.*s%s%.*s[%u]", STR_ARG(path), dot,
                               STR_ARG(s->name), i));
}

static void
set_selector(gen *g, gen_format *f, const gen_slot *s, place *p, str path)
{
    if (!s->cond.n)
        return;
    str full = s->cond;
    if (path.n)
        full = str_of(
            arena_printf(g->a, "%.*s.%.*s", STR_ARG(path), STR_ARG(s->cond)));
    p->sel = leaf_index(f, full);
    p->sel_is = s->cond_is;
    if (p->sel < 0 || f->leaves.at[p->sel].kind != SLOT_FLAG)
        gen_fail(&s->at, "'%.*s' is no flag before this field",
                 STR_ARG(s->cond));
}

static void
lay_out(gen *g, gen_format *f, const gen_layout *lay, place p)
{
    if (p.depth > 4)
        gen_fail(&lay->slots.at[0].at, "records nest too deep");
    for (uint32_t k = 0; k < lay->slots.n; k++) {
        const gen_slot *s = &lay->slots.at[k];
        uint32_t n = s->n ? s->n : 1;
        uint32_t width = (s->hi - s->lo + 1) / n;
        for (uint32_t i = 0; i < n; i++) {
            place q = p;
            q.base = p.base + s->lo + i * width;
            if (p.depth == 0)
                q.item = k;
            set_selector(g, f, s, &q, p.path);
            q.path = join_path(g, p.path, s, i);
            lay_out_one(g, f, s, q, width);
        }
    }
}

// Marks the leaf's bits; a bit may be shared only by leaves that the same
// selector keeps apart.
static void
claim_bits(const gen_format *f, const gen_line *at, uint32_t i, int32_t *owner)
{
    const gen_leaf *l = &f->leaves.at[i];
    for (uint32_t b = l->bit; b < l->bit + l->width; b++) {
        if (b >= GEN_BITS)
            gen_fail(at, "bit %u is outside the instruction", b);
        const gen_leaf *o = owner[b] < 0 ? NULL : &f->leaves.at[owner[b]];
        if (o && (o->sel < 0 || o->sel != l->sel || o->sel_is == l->sel_is))
            gen_fail(at, "bit %u belongs to '%.*s' and '%.*s'", b,
                     STR_ARG(o->path), STR_ARG(l->path));
        owner[b] = (int32_t)i;
    }
}

// With the selector at each value the shared bits must be covered too: the
// widths of both variants are equal.
static void
check_variants(const gen_format *f, const gen_line *at)
{
    for (uint32_t s = 0; s < f->leaves.n; s++) {
        uint32_t width[2] = {0, 0};
        for (uint32_t i = 0; i < f->leaves.n; i++) {
            if (f->leaves.at[i].sel == (int32_t)s)
                width[f->leaves.at[i].sel_is & 1] += f->leaves.at[i].width;
        }
        if (width[0] != width[1])
            gen_fail(at, "the variants of '%.*s' differ in width",
                     STR_ARG(f->leaves.at[s].path));
    }
}

static void
check_slot_names(const gen_format *f)
{
    for (uint32_t i = 0; i < f->leaves.n; i++) {
        const gen_leaf *l = &f->leaves.at[i];
        if (l->kind != SLOT_RESERVED && gen_find_leaf(f, l->path) != l)
            gen_fail(&f->layout.slots.at[l->item].at, "two fields '%.*s'",
                     STR_ARG(l->path));
    }
}

static void
check_format(gen *g, gen_format *f)
{
    if (!f->layout.slots.n)
        return;
    const gen_line *at = &f->layout.slots.at[f->layout.slots.n - 1].at;
    if (f->layout.slots.n > GEN_ITEMS)
        gen_fail(at, "more than %d fields", GEN_ITEMS);
    lay_out(g, f, &f->layout, (place){.sel = -1});
    int32_t owner[GEN_BITS];
    memset(owner, 0xff, sizeof owner);
    for (uint32_t i = 0; i < f->leaves.n; i++)
        claim_bits(f, at, i, owner);
    check_variants(f, at);
    check_slot_names(f);
    f->width = 0;
    for (uint32_t b = 0; b < GEN_BITS; b++)
        f->width += owner[b] >= 0;
}

// ---- instructions

static void
check_opcodes(const gen *g)
{
    const char *name[256] = {0};
    for (uint32_t i = 0; i < g->insns.n + g->reserved.n; i++) {
        bool real = i < g->insns.n;
        uint32_t op = real ? g->insns.at[i].opcode
                           : g->reserved.at[i - g->insns.n].opcode;
        str n =
            real ? g->insns.at[i].name : g->reserved.at[i - g->insns.n].name;
        gen_line at =
            real ? g->insns.at[i].at : (gen_line){.file = "reserved.isa"};
        if (op == 0 || op > 255)
            gen_fail(&at, "opcode 0x%x of '%.*s' is not 1 to 255", op,
                     STR_ARG(n));
        if (name[op])
            gen_fail(&at, "opcode 0x%x is '%s' and '%.*s'", op, name[op],
                     STR_ARG(n));
        name[op] = str_z(g->a, n);
    }
}

static uint32_t
find_slot(const gen_format *f, str name)
{
    for (uint32_t i = 0; i < f->layout.slots.n; i++) {
        if (str_eq(f->layout.slots.at[i].name, name))
            return i;
    }
    return UINT32_MAX;
}

static void
resolve_fields(gen *g, gen_insn *in)
{
    const gen_format *f = &g->formats.at[in->format];
    if (f->width != GEN_BITS)
        gen_fail(&in->at, "format '%.*s' leaves %u bits unaccounted for",
                 STR_ARG(f->layout.name), GEN_BITS - f->width);
    in->used = 1ull << find_slot(f, STR("op"));
    for (uint32_t i = 0; i < in->field_names.n; i++) {
        uint32_t s = find_slot(f, in->field_names.at[i]);
        if (s == UINT32_MAX || f->layout.slots.at[s].kind == SLOT_RESERVED ||
            (in->used >> s & 1))
            gen_fail(&in->at, "no field '%.*s' in the format, or twice",
                     STR_ARG(in->field_names.at[i]));
        in->used |= 1ull << s;
        vec_push(g->a, &in->fields, s);
    }
}

static void
add_check(gen *g, gen_insn *in, const gen_scope *s, const gen_rule *r)
{
    str c = gen_expr(g, s, r->expr);
    uint32_t *known = map_get_str(&g->expr_of, c);
    uint32_t fn = known ? *known : g->exprs.n;
    if (!known) {
        vec_push(g->a, &g->exprs, c);
        map_put_str(&g->expr_of, c, fn);
    }
    gen_check k = {r->label, s->self, r->text, s->form, fn};
    vec_push(g->a, &in->checks, k);
}

// Form rules of a record, at every place where the instruction has one.
static void
add_record_forms(gen *g, gen_insn *in, const gen_slot *s)
{
    const gen_layout *rec = &g->records.at[s->of];
    uint32_t n = s->n ? s->n : 1;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < rec->forms.n; k++) {
            const gen_rule *r = &rec->forms.at[k];
            gen_scope sc = {.g = g, .insn = in, .form = true, .at = &r->at};
            sc.format = &g->formats.at[in->format];
            sc.self = join_path(g, (str){0}, s, i);
            add_check(g, in, &sc, r);
        }
    }
}

static void
add_forms(gen *g, gen_insn *in)
{
    const gen_format *f = &g->formats.at[in->format];
    gen_scope sc = {.g = g, .insn = in, .format = f, .form = true};
    for (uint32_t k = 0; k < f->layout.forms.n; k++) {
        sc.at = &f->layout.forms.at[k].at;
        add_check(g, in, &sc, &f->layout.forms.at[k]);
    }
    for (uint32_t i = 0; i < in->fields.n; i++) {
        const gen_slot *s = &f->layout.slots.at[in->fields.at[i]];
        if (s->kind == SLOT_RECORD)
            add_record_forms(g, in, s);
    }
}

static void
add_use_at(gen *g, gen_insn *in, const gen_use *u, str operand)
{
    const gen_ruleset *rs = NULL;
    for (uint32_t i = 0; i < g->rulesets.n; i++) {
        if (str_eq(g->rulesets.at[i].name, u->ruleset))
            rs = &g->rulesets.at[i];
    }
    if (!rs)
        gen_fail(&u->at, "there is no rule set '%.*s'", STR_ARG(u->ruleset));
    for (uint32_t k = 0; k < rs->rules.n; k++) {
        gen_scope sc = {.g = g, .insn = in, .self = operand, .at = &u->at};
        sc.format = &g->formats.at[in->format];
        sc.param = rs->param;
        sc.arg = u->arg;
        add_check(g, in, &sc, &rs->rules.at[k]);
    }
}

// An operand that is an array stands for each of its elements.
static void
add_use(gen *g, gen_insn *in, const gen_use *u)
{
    const gen_format *f = &g->formats.at[in->format];
    for (uint32_t i = 0; i < u->operands.n; i++) {
        uint32_t s = find_slot(f, u->operands.at[i]);
        if (s == UINT32_MAX)
            gen_fail(&u->at, "no operand '%.*s'", STR_ARG(u->operands.at[i]));
        const gen_slot *slot = &f->layout.slots.at[s];
        for (uint32_t k = 0; k < (slot->n ? slot->n : 1); k++)
            add_use_at(g, in, u, join_path(g, (str){0}, slot, k));
    }
}

static void
check_labels(const gen_insn *in)
{
    for (uint32_t i = 0; i < in->rules.n; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (str_eq(in->rules.at[i].label, in->rules.at[k].label))
                gen_fail(&in->rules.at[i].at, "two rules are called %.*s",
                         STR_ARG(in->rules.at[i].label));
        }
    }
}

static void
resolve_rules(gen *g, gen_insn *in)
{
    check_labels(in);
    add_forms(g, in);
    for (uint32_t i = 0; i < in->uses.n; i++)
        add_use(g, in, &in->uses.at[i]);
    for (uint32_t i = 0; i < in->rules.n; i++) {
        const gen_rule *r = &in->rules.at[i];
        gen_scope sc = {.g = g, .insn = in, .at = &r->at};
        sc.format = &g->formats.at[in->format];
        sc.form = r->label.p[0] == 'F';
        add_check(g, in, &sc, r);
    }
}

void
gen_check_all(gen *g)
{
    check_opcodes(g);
    for (uint32_t i = 0; i < g->formats.n; i++)
        check_format(g, &g->formats.at[i]);
    for (uint32_t i = 0; i < g->insns.n; i++) {
        resolve_fields(g, &g->insns.at[i]);
        resolve_rules(g, &g->insns.at[i]);
    }
}
