// SPDX-License-Identifier: Apache-2.0
// Instruction stanzas, chapters of the manual and target files.
#include "isa-spec/gen/gen.h"

typedef VEC(str) text_lines;

// "| text" lines from i on; gives the line after them.
static uint32_t
parse_prose(gen *g, const gen_lines *ls, uint32_t i, text_lines *out)
{
    for (; i < ls->n && ls->at[i].text.p[0] == '|'; i++) {
        str t = ls->at[i].text;
        t = (str){t.p + 1, t.n - 1};
        if (t.n && t.p[0] == ' ')
            t = (str){t.p + 1, t.n - 1};
        vec_push(g->a, out, t);
    }
    return i;
}

static void
parse_use(gen *g, gen_insn *in, const gen_line *l, str rest)
{
    gen_use u = {.at = *l, .ruleset = gen_need(l, &rest, "a rule set")};
    u.arg = gen_need(l, &rest, "an argument");
    if (!str_eq_z(gen_need(l, &rest, "':'"), ":"))
        gen_fail(l, "expected ':' before the operands");
    for (str w; gen_word(&rest, &w);)
        vec_push(g->a, &u.operands, w);
    vec_push(g->a, &in->uses, u);
}

// Slots that are one line of words.
static bool
parse_simple(gen *g, gen_insn *in, const gen_line *l, str key, str rest)
{
    str value = gen_trim(rest);
    if (str_eq_z(key, "summary")) {
        in->summary = value;
    } else if (str_eq_z(key, "timing")) {
        in->timing = value;
    } else if (str_eq_z(key, "cost")) {
        in->cost = value;
    } else if (str_eq_z(key, "opcode")) {
        in->opcode = gen_number(l, value);
    } else if (str_eq_z(key, "engines")) {
        for (str w; gen_word(&rest, &w);)
            in->engines |= gen_engine_bit(g, l, w);
    } else if (str_eq_z(key, "format")) {
        int32_t f = gen_find_format(g, value);
        if (f < 0)
            gen_fail(l, "there is no format '%.*s'", STR_ARG(value));
        in->format = (uint32_t)f;
    } else if (str_eq_z(key, "fields")) {
        for (str w; gen_word(&rest, &w);)
            vec_push(g->a, &in->field_names, w);
    } else if (str_eq_z(key, "use")) {
        parse_use(g, in, l, rest);
    } else {
        return false;
    }
    return true;
}

static uint32_t
parse_insn_slot(gen *g, gen_insn *in, const gen_lines *ls, uint32_t i)
{
    const gen_line *l = &ls->at[i];
    str rest = l->text;
    str key = gen_need(l, &rest, "a slot");
    if (parse_simple(g, in, l, key, rest))
        return i + 1;
    text_lines prose = {0};
    uint32_t next = parse_prose(g, ls, i + 1, &prose);
    if (str_eq_z(key, "semantics")) {
        in->semantics.at = prose.at;
        in->semantics.n = prose.n;
    } else if (str_eq_z(key, "example")) {
        in->example = gen_trim(rest);
        in->example_text.at = prose.at;
        in->example_text.n = prose.n;
    } else if (str_eq_z(key, "notes")) {
        in->notes.at = prose.at;
        in->notes.n = prose.n;
    } else if (key.p[0] == 'C' || key.p[0] == 'F') {
        vec_push(g->a, &in->rules, gen_parse_rule(l));
    } else {
        gen_fail(l, "unknown slot '%.*s'", STR_ARG(key));
    }
    return next;
}

static void
need_slot(const gen_insn *in, bool present, const char *name)
{
    if (!present)
        gen_fail(&in->at, "the instruction has no %s", name);
}

uint32_t
gen_parse_insn(gen *g, const gen_lines *ls, uint32_t i)
{
    gen_insn in = {.at = ls->at[i]};
    str rest = ls->at[i].text, word;
    if (!gen_word(&rest, &word) || !gen_word(&rest, &in.name))
        gen_fail(&in.at, "an instruction has a name");
    for (i++; i < ls->n && ls->at[i].indent;)
        i = parse_insn_slot(g, &in, ls, i);
    need_slot(&in, in.opcode != 0, "opcode");
    need_slot(&in, in.engines != 0, "engines");
    need_slot(&in, in.summary.n != 0, "summary");
    need_slot(&in, in.timing.n != 0, "timing class");
    need_slot(&in, in.cost.n != 0, "cost rule");
    need_slot(&in, in.semantics.n != 0, "semantics");
    need_slot(&in, in.example.n != 0, "example");
    need_slot(&in, in.example_text.n != 0, "values in its example");
    vec_push(g->a, &g->insns, in);
    return i;
}

uint32_t
gen_parse_chapter(gen *g, const gen_lines *ls, uint32_t i)
{
    str rest = ls->at[i].text, word;
    gen_word(&rest, &word);
    gen_chapter c = {.title = gen_trim(rest)};
    text_lines prose = {0};
    i = parse_prose(g, ls, i + 1, &prose);
    c.lines.at = prose.at;
    c.lines.n = prose.n;
    vec_push(g->a, &g->chapters, c);
    return i;
}

static void
parse_constant(gen *g, gen_target *t, const gen_line *l)
{
    str rest = l->text;
    gen_const c = {.at = *l};
    str kind = gen_need(l, &rest, "cap or const");
    c.is_cap = str_eq_z(kind, "cap");
    if (!c.is_cap && !str_eq_z(kind, "const"))
        gen_fail(l, "unknown word '%.*s'", STR_ARG(kind));
    c.name = gen_need(l, &rest, "a name");
    c.value = gen_need(l, &rest, "a value");
    c.unit = gen_need(l, &rest, "a unit");
    c.tag = gen_need(l, &rest, "a tag");
    c.source = gen_need(l, &rest, "a source");
    if (!str_eq_z(c.tag, "documented") && !str_eq_z(c.tag, "derived") &&
        !str_eq_z(c.tag, "assumed"))
        gen_fail(l, "the tag is documented, derived or assumed");
    vec_push(g->a, &t->rows, c);
}

void
gen_parse_target(gen *g, str path)
{
    gen_lines ls = {0};
    gen_target t = {0};
    gen_read(g, path, &ls, &t.text);
    str rest = ls.n ? ls.at[0].text : STR(""), word;
    if (!gen_word(&rest, &word) || !str_eq_z(word, "target") ||
        !gen_word(&rest, &t.name))
        gen_fail(&(gen_line){.file = str_z(g->a, path)},
                 "a target file starts with 'target NAME'");
    for (uint32_t i = 1; i < ls.n; i++)
        parse_constant(g, &t, &ls.at[i]);
    vec_push(g->a, &g->targets, t);
}
