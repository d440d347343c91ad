// SPDX-License-Identifier: Apache-2.0
// One instruction as text: the mnemonic, then the fields that the instruction
// lists, in its order; fields that are zero are left out.
#include "isa-spec/isa_int.h"

#include <math.h>

bool
isa_text_f32(str s, num_word *w)
{
    double v;
    if (!str_to_f64(s, &v))
        return false;
    float f = (float)v;
    if (isinf(f) && !isinf(v))
        return false;
    *w = isnan(v) ? NUM_CANONICAL_NAN : num_word_f32(f);
    return true;
}

static const char *
name_of(const isa_names *names, int64_t v)
{
    return v >= 0 && v < (int64_t)names->n ? names->name[v] : "?";
}

static void
put_hex(strbuf *out, int64_t v)
{
    uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    strbuf_printf(out, "%s0x%llx", v < 0 ? "-" : "", (unsigned long long)m);
}

static void
put_address(strbuf *out, isa_mem mem, uint32_t part, int64_t offset,
            uint32_t reg)
{
    strbuf_printf(out, "%s[%u,", name_of(&isa_tab_mem, (int64_t)mem), part);
    put_hex(out, offset);
    if (reg)
        strbuf_printf(out, "+r%u", reg);
}

static void
put_pattern(strbuf *out, const isa_ap *p, bool anywhere)
{
    put_address(out, p->mem, p->part, p->offset, p->reg);
    if (anywhere && p->mem == ISA_HBM)
        strbuf_printf(out, ",%lld", (long long)p->pstep);
    strbuf_printf(out, "]%s{", name_of(&isa_tab_dtype, (int64_t)p->dtype));
    for (uint32_t i = 0; i < p->ndim && i < NUM_DIMS; i++) {
        strbuf_printf(out, "(%lld,", (long long)p->dim[i].step);
        if (i == 0 && p->creg)
            strbuf_printf(out, "r%u<=", p->creg);
        strbuf_printf(out, "%u)", p->dim[i].count);
    }
    strbuf_putc(out, '}');
}

static void
put_f32(strbuf *out, num_word w)
{
    strbuf t = strbuf_new(out->a);
    strbuf_f32(&t, num_f32(w));
    num_word back;
    if (isa_text_f32(strbuf_str(&t), &back) && back == w)
        strbuf_put(out, strbuf_str(&t));
    else
        strbuf_printf(out, "0x%x", w);
}

num_as
isa_scalar_as(const isa_insn *in, const isa_scalar *s)
{
    if (in->op == ISA_TS && s == &in->s1 && in->op1 != NUM_B_NONE)
        return num_chain(in->as, in->op0, in->op1);
    return in->as;
}

static void
put_scalar(strbuf *out, const isa_scalar *s, num_as as)
{
    if (s->is_vec) {
        put_address(out, s->mem, s->part, s->offset, s->reg);
        strbuf_printf(out, "]%s", name_of(&isa_tab_dtype, (int64_t)s->dtype));
    } else if (as == NUM_AS_F32) {
        put_f32(out, s->imm);
    } else if (as == NUM_AS_I32) {
        strbuf_printf(out, "%d", (int32_t)s->imm);
    } else {
        strbuf_printf(out, "%u", s->imm);
    }
}

static void
put_uop(strbuf *out, const isa_uop *u)
{
    strbuf_printf(out, " r%u=%s(", u->rd,
                  name_of(&isa_tab_regop, (int64_t)u->kind));
    if (u->kind != ISA_UOP_MOV)
        strbuf_printf(out, "r%u,", u->ra);
    if (u->kind == ISA_UOP_MADD)
        strbuf_printf(out, "r%u,", u->rb);
    if (u->rb && u->kind != ISA_UOP_MADD)
        strbuf_printf(out, "r%u)", u->rb);
    else
        strbuf_printf(out, "%lld)", (long long)u->imm);
}

// "name=1,0,2": elements up to the last one that is not zero.
static void
put_numbers(strbuf *out, const isa_item *it, const isa_insn *in)
{
    uint32_t n = it->n;
    while (n && !isa_get_member(in, it->offset + (n - 1u) * it->size, it->size))
        n--;
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            strbuf_putc(out, ',');
        else
            strbuf_printf(out, " %s=%s", it->name,
                          it->kind == ISA_F_REG ? "r" : "");
        strbuf_printf(
            out, "%lld",
            (long long)isa_get_member(in, it->offset + i * it->size, it->size));
    }
}

static void
put_tokens(strbuf *out, const isa_insn *in, bool waits)
{
    for (uint32_t i = 0; waits && i < ISA_WAITS; i++) {
        if (in->wait[i].count)
            strbuf_printf(out, " wait s%u:%u", in->wait[i].sem,
                          in->wait[i].count);
    }
    for (uint32_t i = 0; !waits && i < ISA_UPDATES; i++) {
        const isa_update *u = &in->update[i];
        if (u->when != ISA_AT_NONE)
            strbuf_printf(out, " post s%u:%u@%s", u->sem, u->count,
                          name_of(&isa_tab_when, (int64_t)u->when));
    }
}

// All lanes, so that it can be read.
static void
put_mask(strbuf *out, const char *name, const isa_mask *m)
{
    for (uint32_t i = 0; i < NUM_MASK; i++) {
        if (i)
            strbuf_printf(out, ",%u", m->lane[i]);
        else
            strbuf_printf(out, " %s=%u", name, m->lane[i]);
    }
}

static void
put_record(strbuf *out, const isa_item *it, const isa_insn *in)
{
    const void *p = (const char *)in + it->offset;
    switch ((isa_record_kind)it->kind) {
    case ISA_REC_WAIT: put_tokens(out, in, true); break;
    case ISA_REC_UPDATE: put_tokens(out, in, false); break;
    case ISA_REC_OPTIONAL:
        if (((const isa_ap *)p)->dtype == DT_NONE)
            break;
        strbuf_printf(out, " %s=", it->name);
        put_pattern(out, p, false);
        break;
    case ISA_REC_PATTERN:
    case ISA_REC_XPATTERN:
        strbuf_printf(out, " %s=", it->name);
        put_pattern(out, p, it->kind == ISA_REC_XPATTERN);
        break;
    case ISA_REC_SCALAR:
        strbuf_printf(out, " %s=", it->name);
        put_scalar(out, p, isa_scalar_as(in, p));
        break;
    case ISA_REC_RESULT:
        if (!((const isa_scalar *)p)->is_vec)
            break;
        strbuf_printf(out, " %s=", it->name);
        put_scalar(out, p, in->as);
        break;
    case ISA_REC_MASK: put_mask(out, it->name, p); break;
    case ISA_REC_UOP:
        for (uint32_t i = 0; i < ISA_UOPS; i++) {
            if (in->uop[i].kind != ISA_UOP_NONE)
                put_uop(out, &in->uop[i]);
        }
        break;
    }
}

// Names stand alone as long as those before them are there too; after one that
// is missing they say what they are.
static void
put_name(strbuf *out, const isa_item *it, int64_t v, bool *gap)
{
    if (v == 0)
        *gap = true;
    else if (*gap)
        strbuf_printf(out, " %s=%s", it->name, name_of(it->names, v));
    else
        strbuf_printf(out, " %s", name_of(it->names, v));
}

static void
put_item(strbuf *out, const isa_item *it, const isa_insn *in, bool *gap)
{
    if (it->kind >= ISA_REC_WAIT) {
        put_record(out, it, in);
        return;
    }
    int64_t v = isa_get_member(in, it->offset, it->size);
    if (it->kind == ISA_F_ENUM) {
        if (it->style == ISA_STYLE_BARE)
            put_name(out, it, v, gap);
    } else if (it->kind == ISA_F_FLAG) {
        if (v)
            strbuf_printf(out, " %s", it->name);
    } else {
        put_numbers(out, it, in);
    }
}

void
isa_print(const isa_insn *in, strbuf *out)
{
    const isa_info *info = isa_info_of(in->op);
    strbuf_put(out, str_of(isa_mnemonic(in->op)));
    if (!info)
        return;
    for (uint32_t i = 0; i < info->norder; i++) {
        const isa_item *it = &info->format->item[info->order[i]];
        if (it->style == ISA_STYLE_SUFFIX)
            strbuf_printf(
                out, ".%s",
                name_of(it->names, isa_get_member(in, it->offset, it->size)));
    }
    bool gap = false;
    for (uint32_t i = 0; i < info->norder; i++)
        put_item(out, &info->format->item[info->order[i]], in, &gap);
}
