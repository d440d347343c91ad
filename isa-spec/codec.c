// SPDX-License-Identifier: Apache-2.0
// Instructions to words and back, driven by the generated field tables. Both
// directions accept canonical forms only, so that each is the other's inverse:
// encode refuses a member that the instruction has no field for, decode a bit
// that no listed field covers.
#include "isa-spec/isa_int.h"

#include <string.h>

const isa_info *
isa_info_at(uint32_t i)
{
    return i < isa_tab_count ? &isa_tab_info[i] : NULL;
}

const isa_info *
isa_info_of(isa_opcode op)
{
    uint32_t i = (uint32_t)op < 256 ? isa_tab_index[op] : 0;
    return i ? &isa_tab_info[i - 1] : NULL;
}

const char *
isa_mnemonic(isa_opcode op)
{
    const isa_info *info = isa_info_of(op);
    return info ? info->mnemonic : "illegal";
}

const char *
isa_engine_name(isa_engine e)
{
    return (uint32_t)e < isa_tab_engine.n ? isa_tab_engine.name[e] : "none";
}

bool
isa_engine_runs(isa_engine e, isa_opcode op)
{
    const isa_info *info = isa_info_of(op);
    return info && (uint32_t)e < 32 && (info->engines >> e & 1);
}

// ---- members

int64_t
isa_get_member(const isa_insn *in, uint32_t offset, uint32_t size)
{
    const char *p = (const char *)in + offset;
    uint8_t v1;
    uint32_t v4;
    int64_t v8;
    if (size == 1) {
        memcpy(&v1, p, 1);
        return v1;
    }
    if (size == 4) {
        memcpy(&v4, p, 4);
        return v4;
    }
    memcpy(&v8, p, 8);
    return v8;
}

void
isa_set_member(isa_insn *in, uint32_t offset, uint32_t size, uint64_t v)
{
    char *p = (char *)in + offset;
    uint8_t v1 = (uint8_t)v;
    uint32_t v4 = (uint32_t)v;
    if (size == 1)
        memcpy(p, &v1, 1);
    else if (size == 4)
        memcpy(p, &v4, 4);
    else
        memcpy(p, &v, 8);
}

// ---- bits

static uint64_t
get_bits(const uint8_t *word, uint32_t bit, uint32_t width)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < width;) {
        uint32_t at = bit + i, take = 8 - at % 8;
        if (take > width - i)
            take = width - i;
        uint64_t part = (uint64_t)(word[at / 8] >> at % 8) & ((1u << take) - 1);
        v |= part << i;
        i += take;
    }
    return v;
}

static void
put_bits(uint8_t *word, uint32_t bit, uint32_t width, uint64_t v)
{
    for (uint32_t i = 0; i < width;) {
        uint32_t at = bit + i, take = 8 - at % 8;
        if (take > width - i)
            take = width - i;
        uint32_t part = (uint32_t)(v >> i) & ((1u << take) - 1);
        word[at / 8] = (uint8_t)(word[at / 8] | part << at % 8);
        i += take;
    }
}

static bool
bits_zero(const uint8_t *word, uint32_t bit, uint32_t width)
{
    for (uint32_t i = 0; i < width; i += 32) {
        uint32_t n = width - i < 32 ? width - i : 32;
        if (get_bits(word, bit + i, n))
            return false;
    }
    return true;
}

// ---- rules of form

const isa_rule *
isa_broken_form(const isa_info *info, const isa_insn *in)
{
    isa_cx x = {in, ISA_ENG_NONE, NULL};
    for (uint32_t i = 0; i < info->nrule; i++) {
        if (info->rule[i].form && !info->rule[i].holds(&x))
            return &info->rule[i];
    }
    return NULL;
}

static bool
is_used(const isa_info *info, const isa_field *f)
{
    return f->kind != ISA_F_RESERVED && (info->used >> f->item & 1);
}

static bool
in_enum(const isa_field *f, uint64_t v)
{
    return f->kind != ISA_F_ENUM || v < f->names->n;
}

// ---- decoding

// Whether the field is there at all, by its selector's bit.
static bool
is_present(const isa_format *fmt, const isa_field *f, const uint8_t *word)
{
    if (f->sel < 0)
        return true;
    const isa_field *s = &fmt->field[f->sel];
    return get_bits(word, s->bit, s->width) == f->sel_is;
}

static bool
decode_field(const isa_info *info, const isa_field *f, const uint8_t *word,
             isa_insn *out)
{
    if (!is_used(info, f))
        return bits_zero(word, f->bit, f->width);
    uint64_t v = get_bits(word, f->bit, f->width);
    if (!in_enum(f, v))
        return false;
    if (f->kind == ISA_F_INT && f->width < 64 && (v >> (f->width - 1) & 1))
        v |= ~0ull << f->width;
    isa_set_member(out, f->offset, f->size, v);
    return true;
}

bool
isa_decode(const uint8_t word[ISA_INSN_BYTES], isa_insn *out)
{
    memset(out, 0, sizeof *out);
    uint32_t i = isa_tab_index[word[0]];
    const isa_info *info = i ? &isa_tab_info[i - 1] : NULL;
    bool ok = info != NULL;
    for (uint32_t k = 0; ok && k < info->format->nfield; k++) {
        const isa_field *f = &info->format->field[k];
        if (is_present(info->format, f, word))
            ok = decode_field(info, f, word, out);
    }
    if (ok && !isa_broken_form(info, out))
        return true;
    memset(out, 0, sizeof *out);
    return false;
}

// ---- encoding

static bool
fits_field(const isa_field *f, int64_t v)
{
    if (!in_enum(f, (uint64_t)v))
        return false;
    if (f->width >= 64)
        return true;
    if (f->kind != ISA_F_INT)
        return (uint64_t)v >> f->width == 0;
    int64_t half = (int64_t)1 << (f->width - 1);
    return v >= -half && v < half;
}

static bool
encode_field(const isa_info *info, const isa_field *f, const isa_insn *in,
             uint8_t *word)
{
    if (f->kind == ISA_F_RESERVED)
        return true;
    int64_t v = isa_get_member(in, f->offset, f->size);
    bool there = is_used(info, f) && is_present(info->format, f, word);
    if (!there)
        return v == 0;
    if (!fits_field(f, v))
        return false;
    put_bits(word, f->bit, f->width, (uint64_t)v);
    return true;
}

// A member that only other formats have must be zero. Formats share members
// under one name, so looking at every field of every format finds all of them.
static const isa_field *
stray_member(const isa_format *mine, const isa_format *other,
             const isa_insn *in)
{
    for (uint32_t i = 0; i < other->nfield; i++) {
        const isa_field *f = &other->field[i];
        if (f->kind == ISA_F_RESERVED ||
            !isa_get_member(in, f->offset, f->size))
            continue;
        bool mine_too = false;
        for (uint32_t k = 0; k < mine->nfield && !mine_too; k++)
            mine_too = mine->field[k].kind != ISA_F_RESERVED &&
                       mine->field[k].offset == f->offset;
        if (!mine_too)
            return f;
    }
    return NULL;
}

static const isa_field *
find_stray(const isa_info *info, const isa_insn *in)
{
    const isa_format *seen = info->format;
    for (uint32_t i = 0; i < isa_tab_count; i++) {
        const isa_format *other = isa_tab_info[i].format;
        if (other == seen || other == info->format)
            continue;
        seen = other;
        const isa_field *f = stray_member(info->format, other, in);
        if (f)
            return f;
    }
    return NULL;
}

bool
isa_encode(const isa_insn *in, uint8_t word[ISA_INSN_BYTES], const char **field)
{
    memset(word, 0, ISA_INSN_BYTES);
    const isa_info *info = isa_info_of(in->op);
    *field = "op";
    if (!info)
        return false;
    for (uint32_t k = 0; k < info->format->nfield; k++) {
        const isa_field *f = &info->format->field[k];
        *field = f->name;
        if (!encode_field(info, f, in, word))
            return false;
    }
    const isa_field *stray = find_stray(info, in);
    const isa_rule *form = isa_broken_form(info, in);
    if (stray)
        *field = stray->name;
    else if (form)
        *field = form->text;
    else
        *field = NULL;
    return !stray && !form;
}
