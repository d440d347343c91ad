// SPDX-License-Identifier: Apache-2.0
// Target descriptions: the shipped ones are generated tables, one's own are
// parsed here. Lines are 'target NAME', then
//   cap NAME VALUE UNIT TAG "SOURCE"     a field of isa_target
//   const NAME VALUE UNIT TAG "SOURCE"   a constant of the models
#include "isa-spec/isa_int.h"

#include <string.h>

const isa_target *
isa_target_at(uint32_t i)
{
    return i < isa_tab_target_count ? &isa_tab_target[i] : NULL;
}

const isa_target *
isa_target_find(const char *name)
{
    for (uint32_t i = 0; i < isa_tab_target_count; i++) {
        if (strcmp(isa_tab_target[i].name, name) == 0)
            return &isa_tab_target[i];
    }
    return NULL;
}

typedef enum { CAP_U32, CAP_U64, CAP_TYPES, CAP_FEATURES } cap_kind;

typedef struct {
    const char *name;
    uint32_t offset;
    cap_kind kind;
    uint64_t max;
} cap;

// Largest values are what the encoding can address.
static const cap caps[] = {
    {"partitions", offsetof(isa_target, partitions), CAP_U32, 128},
    {"pe_rows", offsetof(isa_target, pe_rows), CAP_U32, 128},
    {"pe_cols", offsetof(isa_target, pe_cols), CAP_U32, 128},
    {"pe_moving", offsetof(isa_target, pe_moving), CAP_U32, 8192},
    {"sbuf_bytes", offsetof(isa_target, sbuf_bytes), CAP_U64, 1u << 19},
    {"psum_bytes", offsetof(isa_target, psum_bytes), CAP_U64, 1u << 19},
    {"psum_banks", offsetof(isa_target, psum_banks), CAP_U32, 1024},
    {"hbm_bytes", offsetof(isa_target, hbm_bytes), CAP_U64, 1ull << 46},
    {"dma_queues", offsetof(isa_target, dma_queues), CAP_U32, ISA_QUEUES},
    {"rng_words", offsetof(isa_target, rng_words), CAP_U32, NUM_RNG_WORDS},
    {"features", offsetof(isa_target, features), CAP_FEATURES, 0},
    {"psum_dtypes", offsetof(isa_target, psum_dtypes), CAP_TYPES, 0},
    {"pe_dtypes", offsetof(isa_target, pe_dtypes), CAP_TYPES, 0},
    {"pe_tile", offsetof(isa_target, pe_tile), CAP_U32, 128},
    {"psum_span", offsetof(isa_target, psum_span), CAP_U32, 1024},
    {"pe_exact", offsetof(isa_target, pe_exact), CAP_TYPES, 0},
    {"pe_double", offsetof(isa_target, pe_double), CAP_TYPES, 0},
    {"pe_mx", offsetof(isa_target, pe_mx), CAP_TYPES, 0},
    {"mx_results", offsetof(isa_target, mx_results), CAP_TYPES, 0},
};

typedef struct {
    arena *a;
    diags *d;
    uint32_t source;
    str text;
    size_t pos;
    isa_target *t;
    uint32_t seen; // bit per cap
    VEC(struct isa_constant) consts;
} reader;

static loc
here(const reader *r, str w)
{
    size_t begin = (size_t)(w.p - r->text.p);
    return (loc){r->source, (uint32_t)begin, (uint32_t)(begin + w.n)};
}

static bool
bad(const reader *r, str w, const char *what)
{
    diag(r->d, here(r, w), D_TARGET_SYNTAX, what);
    return false;
}

// The next word of the line; quotes hold blanks together and are dropped.
static bool
word(str *line, str *w)
{
    while (line->n && (*line->p == ' ' || *line->p == '\t' || *line->p == '\r'))
        *line = (str){line->p + 1, line->n - 1};
    *w = (str){line->p, 0};
    if (!line->n)
        return false;
    bool quoted = *line->p == '"';
    size_t n = quoted;
    while (n < line->n && line->p[n] != (quoted ? '"' : ' ') &&
           line->p[n] != '\r')
        n++;
    *w = (str){line->p + quoted, n - quoted};
    n += quoted && n < line->n && line->p[n] == '"';
    *line = (str){line->p + n, line->n - n};
    return true;
}

// A list of names, or "none", as a mask by their codes.
static bool
parse_list(reader *r, const isa_names *names, str w, uint64_t *mask)
{
    *mask = 0;
    for (str rest = w; rest.n && !str_eq_z(w, "none");) {
        const char *comma = memchr(rest.p, ',', rest.n);
        str one = {rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
        uint32_t v = 1;
        while (v < names->n && !str_eq_z(one, names->name[v]))
            v++;
        if (v == names->n)
            return bad(r, one,
                       names == &isa_tab_dtype ? "an element type"
                                               : "the name of a feature");
        *mask |= 1ull << v;
        size_t used = comma ? one.n + 1 : one.n;
        rest = (str){rest.p + used, rest.n - used};
    }
    return true;
}

static bool
parse_cap(reader *r, str name, str value)
{
    for (uint32_t i = 0; i < ARRAY_LEN(caps); i++) {
        const cap *c = &caps[i];
        char *to = (char *)r->t + c->offset;
        uint64_t v = 0;
        uint32_t v4;
        if (!str_eq_z(name, c->name))
            continue;
        if (r->seen >> i & 1)
            return bad(r, name, "each capability once");
        r->seen |= 1u << i;
        if (c->kind == CAP_TYPES || c->kind == CAP_FEATURES) {
            if (!parse_list(
                    r, c->kind == CAP_TYPES ? &isa_tab_dtype : &isa_tab_feature,
                    value, &v))
                return false;
        } else if (!str_to_u64(value, &v) || v == 0 || v > c->max) {
            return bad(r, value, "a number in the capability's range");
        }
        v4 = (uint32_t)v;
        if (c->kind == CAP_U64 || c->kind == CAP_FEATURES)
            memcpy(to, &v, sizeof v);
        else
            memcpy(to, &v4, sizeof v4);
        return true;
    }
    return bad(r, name, "the name of a capability");
}

static bool
parse_constant(reader *r, str name, str value, const str rest[3])
{
    struct isa_constant *c = vec_add(r->a, &r->consts);
    c->name = str_z(r->a, name);
    c->unit = str_z(r->a, rest[0]);
    c->tag = str_z(r->a, rest[1]);
    c->source = str_z(r->a, rest[2]);
    if (!str_to_f64(value, &c->value))
        return bad(r, value, "a number");
    return true;
}

static bool
parse_row(reader *r, str line, str kind)
{
    str name, value = {line.p, 0}, rest[3], more;
    if (!word(&line, &name) || !word(&line, &value))
        return bad(r, value, "a name and a value");
    for (int i = 0; i < 3; i++) {
        if (!word(&line, &rest[i]))
            return bad(r, rest[i], "a unit, a tag and a source");
    }
    if (word(&line, &more))
        return bad(r, more, "the end of the line");
    if (!str_eq_z(rest[1], "documented") && !str_eq_z(rest[1], "derived") &&
        !str_eq_z(rest[1], "assumed"))
        return bad(r, rest[1], "'documented', 'derived' or 'assumed'");
    if (str_eq_z(kind, "cap"))
        return parse_cap(r, name, value);
    if (str_eq_z(kind, "const"))
        return parse_constant(r, name, value, rest);
    return bad(r, kind, "'cap' or 'const'");
}

static bool
parse_line(reader *r, str line)
{
    str kind, name, more;
    if (!word(&line, &kind) || kind.p[0] == '#')
        return true;
    if (r->t->name)
        return parse_row(r, line, kind);
    if (!str_eq_z(kind, "target") || !word(&line, &name) || word(&line, &more))
        return bad(r, kind, "'target NAME'");
    r->t->name = str_z(r->a, name);
    return true;
}

static bool
check_whole(const reader *r)
{
    str end = {r->text.p + r->text.n, 0};
    for (uint32_t i = 0; i < ARRAY_LEN(caps); i++) {
        if (!(r->seen >> i & 1)) {
            diag(r->d, here(r, end), D_TARGET_MISSING, caps[i].name);
            return false;
        }
    }
    if (r->t->partitions % 4 || r->t->psum_bytes % r->t->psum_banks)
        return bad(r, end, "partitions in quarters and PSUM in equal banks");
    return true;
}

const isa_target *
isa_target_parse(arena *a, diags *d, uint32_t source)
{
    reader r = {a, d, source, d->sources.at[source].text, 0, NULL, 0, {0}};
    r.t = ARENA_NEW(a, isa_target);
    r.t->text = str_z(a, r.text);
    while (r.pos < r.text.n) {
        const char *p = r.text.p + r.pos;
        const char *nl = memchr(p, '\n', r.text.n - r.pos);
        size_t n = nl ? (size_t)(nl - p) : r.text.n - r.pos;
        if (!parse_line(&r, (str){p, n}))
            return NULL;
        r.pos += n + 1;
    }
    if (!check_whole(&r))
        return NULL;
    r.t->nconst = r.consts.n;
    r.t->constant = r.consts.at;
    return r.t;
}
