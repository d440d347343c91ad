// SPDX-License-Identifier: Apache-2.0
// One instruction from text. Words may come in any order after the mnemonic;
// what isa_print writes is one of the orders. The result always has an
// encoding.
#include "isa-spec/isa_int.h"

#include <string.h>

typedef struct {
    str s;
    size_t pos;
    loc at; // of the line
    diags *d;
    const isa_info *info;
    isa_insn *out;
    uint64_t seen; // items given
    uint32_t waits, updates, uops;
} reader;

static loc
place(const reader *r, size_t begin, size_t end)
{
    if (!r->at.source)
        return r->at;
    return (loc){r->at.source, r->at.begin + (uint32_t)begin,
                 r->at.begin + (uint32_t)end};
}

static char
peek(const reader *r)
{
    return r->pos < r->s.n ? r->s.p[r->pos] : '\0';
}

static bool
expected(reader *r, const char *what)
{
    size_t end = r->pos < r->s.n ? r->pos + 1 : r->pos;
    diag(r->d, place(r, r->pos, end), D_ASM_EXPECTED, what);
    return false;
}

static bool
take(reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->pos++;
    return true;
}

static bool
need(reader *r, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!take(r, *c))
            return expected(r, arena_printf(r->d->a, "'%s'", text));
    }
    return true;
}

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static str
take_word(reader *r)
{
    size_t begin = r->pos;
    while (is_word(peek(r)))
        r->pos++;
    return (str){r->s.p + begin, r->pos - begin};
}

// ---- numbers

static bool
take_u64(reader *r, uint64_t max, uint64_t *v)
{
    size_t begin = r->pos;
    str w = take_word(r);
    if (str_to_u64(w, v) && *v <= max)
        return true;
    r->pos = begin;
    return expected(r, w.n ? "a number that fits" : "a number");
}

static bool
take_u32(reader *r, uint32_t *v)
{
    uint64_t x;
    if (!take_u64(r, UINT32_MAX, &x))
        return false;
    *v = (uint32_t)x;
    return true;
}

static bool
take_i64(reader *r, int64_t *v)
{
    uint64_t x;
    bool minus = take(r, '-');
    if (!take_u64(r, (uint64_t)INT64_MAX + minus, &x))
        return false;
    *v = (int64_t)(minus ? 0 - x : x);
    return true;
}

static bool
take_reg(reader *r, uint32_t *v)
{
    if (!take(r, 'r'))
        return expected(r, "a register");
    return take_u32(r, v);
}

static bool
find_name(const isa_names *names, str w, uint32_t *v)
{
    for (uint32_t i = 0; i < names->n; i++) {
        if (str_eq_z(w, names->name[i])) {
            *v = i;
            return true;
        }
    }
    return false;
}

static bool
take_name(reader *r, const isa_names *names, const char *what, uint32_t *v)
{
    size_t begin = r->pos;
    str w = take_word(r);
    if (find_name(names, w, v))
        return true;
    r->pos = begin;
    return expected(r, what);
}

// ---- operands

// MEM[PART,OFFSET+rN ...: up to, but not including, what follows the register.
static bool
take_address(reader *r, isa_mem *mem, uint32_t *part, int64_t *offset,
             uint32_t *reg)
{
    uint32_t m;
    if (!take_name(r, &isa_tab_mem, "'sbuf', 'psum' or 'hbm'", &m) ||
        !need(r, "[") || !take_u32(r, part) || !need(r, ",") ||
        !take_i64(r, offset))
        return false;
    *mem = (isa_mem)m;
    return !take(r, '+') || take_reg(r, reg);
}

static bool
take_dtype(reader *r, num_dtype *t)
{
    uint32_t v;
    if (!need(r, "]") || !take_name(r, &isa_tab_dtype, "an element type", &v))
        return false;
    *t = (num_dtype)v;
    return true;
}

static bool
take_dim(reader *r, isa_ap *p)
{
    if (p->ndim == NUM_DIMS)
        return expected(r, "at most five dimensions");
    uint32_t i = p->ndim++;
    if (!take_i64(r, &p->dim[i].step) || !need(r, ","))
        return false;
    if (i == 0 && peek(r) == 'r' && (!take_reg(r, &p->creg) || !need(r, "<=")))
        return false;
    return take_u32(r, &p->dim[i].count) && need(r, ")");
}

static bool
take_pattern(reader *r, isa_ap *p, bool anywhere)
{
    size_t begin = r->pos;
    if (!take_address(r, &p->mem, &p->part, &p->offset, &p->reg))
        return false;
    if (p->mem == ISA_HBM && !anywhere) {
        r->pos = begin;
        return expected(r, "'sbuf' or 'psum'");
    }
    if (p->mem == ISA_HBM && (!need(r, ",") || !take_i64(r, &p->pstep)))
        return false;
    if (!take_dtype(r, &p->dtype) || !need(r, "{"))
        return false;
    while (take(r, '(')) {
        if (!take_dim(r, p))
            return false;
    }
    return need(r, "}");
}

// An immediate: 0x bits; f32 with a point, exponent or letters; integers.
static bool
take_imm(reader *r, num_as as, num_word *w)
{
    size_t begin = r->pos;
    while (is_word(peek(r)) || peek(r) == '.' || peek(r) == '-' ||
           peek(r) == '+')
        r->pos++;
    str t = {r->s.p + begin, r->pos - begin};
    uint64_t u;
    int64_t i;
    bool hex = t.n > 2 && t.p[0] == '0' && t.p[1] == 'x';
    bool point = false;
    for (size_t k = 0; k < t.n; k++)
        point = point || strchr(".einf", t.p[k]) != NULL;
    bool ok = false;
    if (hex && str_to_u64(t, &u) && u <= UINT32_MAX) {
        *w = (num_word)u;
        ok = true;
    } else if (!hex && as == NUM_AS_F32 && point) {
        ok = isa_text_f32(t, w);
    } else if (!hex && as != NUM_AS_F32 && str_to_i64(t, &i) &&
               i >= INT32_MIN && i <= (int64_t)UINT32_MAX) {
        *w = (num_word)(uint64_t)i;
        ok = true;
    }
    if (ok)
        return true;
    r->pos = begin;
    return expected(r, as == NUM_AS_F32
                           ? "an f32 with a point or exponent, or its 0x bits"
                           : "a 32-bit integer");
}

static bool
take_place(reader *r, isa_scalar *s)
{
    size_t begin = r->pos;
    s->is_vec = true;
    if (!take_address(r, &s->mem, &s->part, &s->offset, &s->reg))
        return false;
    if (s->mem == ISA_HBM) {
        r->pos = begin;
        return expected(r, "'sbuf' or 'psum'");
    }
    return take_dtype(r, &s->dtype);
}

static bool
take_scalar(reader *r, isa_scalar *s)
{
    char c = peek(r);
    if (c == 's' || c == 'p' || c == 'h')
        return take_place(r, s);
    s->is_vec = false;
    return take_imm(r, isa_scalar_as(r->out, s), &s->imm);
}

// Lanes left out are 0.
static bool
take_mask(reader *r, isa_mask *m)
{
    for (uint32_t i = 0; i < NUM_MASK; i++) {
        uint64_t v;
        if (i && !take(r, ','))
            break;
        if (!take_u64(r, UINT8_MAX, &v))
            return false;
        m->lane[i] = (uint8_t)v;
    }
    return true;
}

// rD=op(..), the reader stands before it.
static bool
take_uop(reader *r)
{
    uint32_t kind;
    if (r->uops == ISA_UOPS)
        return expected(r, "at most eight operations");
    isa_uop *u = &r->out->uop[r->uops++];
    if (!take_reg(r, &u->rd) || !need(r, "=") ||
        !take_name(r, &isa_tab_regop, "a register operation", &kind) ||
        !need(r, "("))
        return false;
    u->kind = (isa_uop_kind)kind;
    if (kind != ISA_UOP_MOV && (!take_reg(r, &u->ra) || !need(r, ",")))
        return false;
    if (kind == ISA_UOP_MADD && (!take_reg(r, &u->rb) || !need(r, ",")))
        return false;
    bool reg = peek(r) == 'r' && kind != ISA_UOP_MADD;
    return (reg ? take_reg(r, &u->rb) : take_i64(r, &u->imm)) && need(r, ")");
}

static bool
take_blank(reader *r)
{
    size_t begin = r->pos;
    while (peek(r) == ' ' || peek(r) == '\t')
        r->pos++;
    return r->pos > begin;
}

static bool
take_wait(reader *r)
{
    if (r->waits == ISA_WAITS)
        return expected(r, "at most four waits");
    isa_wait *w = &r->out->wait[r->waits++];
    take_blank(r);
    return need(r, "s") && take_u32(r, &w->sem) && need(r, ":") &&
           take_u32(r, &w->count);
}

static bool
take_post(reader *r)
{
    uint32_t when;
    if (r->updates == ISA_UPDATES)
        return expected(r, "at most two updates");
    isa_update *u = &r->out->update[r->updates++];
    take_blank(r);
    if (!need(r, "s") || !take_u32(r, &u->sem) || !need(r, ":") ||
        !take_u32(r, &u->count) || !need(r, "@") ||
        !take_name(r, &isa_tab_when, "'read' or 'complete'", &when))
        return false;
    u->when = (isa_when)when;
    return true;
}

// ---- items

// The instruction's item of this name or record kind, or NULL.
static const isa_item *
find_item(const reader *r, str name, uint32_t kind)
{
    for (uint32_t i = 0; i < r->info->norder; i++) {
        const isa_item *it = &r->info->format->item[r->info->order[i]];
        if (kind ? it->kind == kind : str_eq_z(name, it->name))
            return it;
    }
    return NULL;
}

static bool
mark_seen(reader *r, const isa_item *it, str name)
{
    uint64_t bit = 1ull << (it - r->info->format->item);
    if (r->seen & bit) {
        size_t begin = (size_t)(name.p - r->s.p);
        diag(r->d, place(r, begin, begin + name.n), D_ASM_TWICE, STR_ARG(name));
        return false;
    }
    r->seen |= bit;
    return true;
}

static bool
take_number(reader *r, const isa_item *it, uint32_t i)
{
    int64_t v = 0;
    uint64_t u = 0;
    size_t begin = r->pos;
    uint64_t max = it->size == 8   ? (uint64_t)INT64_MAX
                   : it->size == 4 ? UINT32_MAX
                                   : UINT8_MAX;
    bool ok = it->kind == ISA_F_INT ? take_i64(r, &v) : take_u64(r, max, &u);
    if (!ok)
        return false;
    if (it->kind != ISA_F_INT)
        v = (int64_t)u;
    if (it->size < 8 && (v < 0 || (uint64_t)v > max)) {
        diag(r->d, place(r, begin, r->pos), D_ASM_RANGE, it->name);
        return false;
    }
    isa_set_member(r->out, it->offset + i * it->size, it->size, (uint64_t)v);
    return true;
}

static bool
take_numbers(reader *r, const isa_item *it)
{
    if (it->kind == ISA_F_REG && !take(r, 'r'))
        return expected(r, "a register");
    for (uint32_t i = 0; i < it->n; i++) {
        if (i && !take(r, ','))
            break;
        if (!take_number(r, it, i))
            return false;
    }
    return true;
}

static bool
take_value(reader *r, const isa_item *it)
{
    void *p = (char *)r->out + it->offset;
    if (it->kind == ISA_REC_PATTERN || it->kind == ISA_REC_XPATTERN ||
        it->kind == ISA_REC_OPTIONAL)
        return take_pattern(r, p, it->kind == ISA_REC_XPATTERN);
    if (it->kind == ISA_REC_SCALAR)
        return take_scalar(r, p);
    if (it->kind == ISA_F_ENUM) {
        uint32_t v;
        if (!take_name(r, it->names, "a name of its kind", &v))
            return false;
        isa_set_member(r->out, it->offset, it->size, v);
        return true;
    }
    if (it->kind == ISA_REC_RESULT)
        return take_place(r, p);
    if (it->kind == ISA_REC_MASK)
        return take_mask(r, p);
    return take_numbers(r, it);
}

static bool
wrong_name(reader *r, str w)
{
    size_t begin = (size_t)(w.p - r->s.p);
    diag(r->d, place(r, begin, begin + (w.n ? w.n : 1)), D_ASM_NAME,
         r->info->mnemonic, STR_ARG(w));
    return false;
}

// A bare word: a flag, or a value of the first enum that is not yet given.
static bool
take_bare(reader *r, str w)
{
    const isa_item *it = find_item(r, w, 0);
    if (it && it->kind == ISA_F_FLAG) {
        isa_set_member(r->out, it->offset, it->size, 1);
        return mark_seen(r, it, w);
    }
    for (uint32_t i = 0; i < r->info->norder; i++) {
        uint32_t v;
        it = &r->info->format->item[r->info->order[i]];
        if (it->kind != ISA_F_ENUM || it->style != ISA_STYLE_BARE ||
            (r->seen >> r->info->order[i] & 1))
            continue;
        if (!find_name(it->names, w, &v) || v == 0)
            break;
        isa_set_member(r->out, it->offset, it->size, v);
        return mark_seen(r, it, w);
    }
    return wrong_name(r, w);
}

static bool
is_key_kind(const isa_item *it)
{
    bool names = it->kind == ISA_F_ENUM && it->style == ISA_STYLE_BARE;
    return names || it->kind == ISA_F_UINT || it->kind == ISA_F_INT ||
           it->kind == ISA_F_REG || it->kind == ISA_REC_PATTERN ||
           it->kind == ISA_REC_XPATTERN || it->kind == ISA_REC_OPTIONAL ||
           it->kind == ISA_REC_SCALAR || it->kind == ISA_REC_RESULT ||
           it->kind == ISA_REC_MASK;
}

static bool
take_item(reader *r)
{
    size_t begin = r->pos;
    str w = take_word(r);
    if (w.n > 1 && w.p[0] == 'r' && w.p[1] >= '0' && w.p[1] <= '9' &&
        find_item(r, w, ISA_REC_UOP)) {
        r->pos = begin;
        return take_uop(r);
    }
    if (str_eq_z(w, "wait") && find_item(r, w, ISA_REC_WAIT))
        return take_wait(r);
    if (str_eq_z(w, "post") && find_item(r, w, ISA_REC_UPDATE))
        return take_post(r);
    if (!take(r, '='))
        return take_bare(r, w);
    const isa_item *it = find_item(r, w, 0);
    if (!it || !is_key_kind(it))
        return wrong_name(r, w);
    return mark_seen(r, it, w) && take_value(r, it);
}

// ---- the line

static bool
take_suffixes(reader *r)
{
    for (uint32_t i = 0; i < r->info->norder; i++) {
        const isa_item *it = &r->info->format->item[r->info->order[i]];
        uint32_t v;
        if (it->style != ISA_STYLE_SUFFIX)
            continue;
        if (!need(r, ".") || !take_name(r, it->names, "a register type", &v))
            return false;
        isa_set_member(r->out, it->offset, it->size, v);
    }
    return true;
}

static bool
take_mnemonic(reader *r)
{
    take_blank(r);
    size_t begin = r->pos;
    str w = take_word(r);
    for (uint32_t i = 0; (r->info = isa_info_at(i)) != NULL; i++) {
        if (str_eq_z(w, r->info->mnemonic))
            break;
    }
    if (!r->info) {
        diag(r->d, place(r, begin, r->pos), D_ASM_MNEMONIC, STR_ARG(w));
        return false;
    }
    r->out->op = r->info->op;
    return take_suffixes(r);
}

bool
isa_parse(arena *a, str line, loc at, isa_insn *out, diags *d)
{
    (void)a;
    memset(out, 0, sizeof *out);
    reader r = {.s = line, .at = at, .d = d, .out = out};
    if (!take_mnemonic(&r))
        return false;
    for (;;) {
        bool blank = take_blank(&r);
        if (r.pos == line.n || peek(&r) == '#')
            break;
        if (!blank)
            return expected(&r, "a blank");
        if (!take_item(&r))
            return false;
    }
    uint8_t word[ISA_INSN_BYTES];
    const char *field;
    if (isa_encode(out, word, &field))
        return true;
    diag(d, place(&r, 0, line.n), D_ISA_ENCODE, r.info->mnemonic, field);
    return false;
}
