// SPDX-License-Identifier: Apache-2.0
// The one sequencer: executes loops and registers of an engine's stream and
// yields its data instructions with every operand resolved. Each instruction
// has a record that is filled in once; what registers decide is patched in when
// it runs (a list of patches, usually short), so that a record costs tens of
// nanoseconds.
#include "runtime/runtime_int.h"

#include <string.h>

// What a register decides in an instruction, one bit each.
enum {
    FIX_OFFSET = 1 << 0, // << num_operand
    FIX_COUNT = 1 << 8,  // << num_operand of a view
    FIX_PARTS = 1 << 12,
    FIX_DST_PARTS = 1 << 13,
    FIX_FIRST = 1 << 14,
    FIX_IOTA = 1 << 15,
    FIX_SIZES = FIX_COUNT * ((1 << NUM_VIEWS) - 1) | FIX_PARTS | FIX_DST_PARTS,
};

typedef struct seq_slot {
    rt_record rec;
    uint32_t fix;
    bool uneven;   // operands whose counts can never agree
    uint64_t turn; // of a loop: at least so many instructions an iteration
} seq_slot;

// A loop that would exceed a budget of which more than this is left is not
// begun: going on until it is used up would take long and change nothing.
static const uint64_t PATIENCE = (uint64_t)1 << 24;

// ---- records: what does not change

static void
resolve_ap(const isa_ap *ap, uint32_t parts, rt_ref *out)
{
    int64_t bytes = num_dtype_bytes(ap->dtype);
    *out = (rt_ref){.hbm = ap->mem == ISA_HBM,
                    .mem = (uint8_t)ap->mem,
                    .parts = parts,
                    .dtype = ap->dtype,
                    .offset = ap->offset,
                    .ndim = ap->ndim};
    if (out->hbm) {
        out->tensor = ap->part;
        out->part_step = ap->pstep * bytes;
    } else {
        out->part = ap->part;
    }
    for (uint32_t i = 0; i < ap->ndim; i++) {
        out->dim[i].step = ap->dim[i].step * bytes;
        out->dim[i].count = ap->dim[i].count;
    }
}

static void
resolve_vector(const isa_scalar *v, uint32_t n, uint32_t parts, rt_ref *out)
{
    *out = (rt_ref){.mem = (uint8_t)v->mem,
                    .part = v->part,
                    .parts = parts,
                    .dtype = v->dtype,
                    .offset = v->offset};
    if (n > 1) {
        out->ndim = 1;
        out->dim[0].step = num_dtype_bytes(v->dtype);
        out->dim[0].count = n;
    }
}

static uint32_t
register_of(const isa_insn *in, num_operand k)
{
    return k < NUM_VIEWS ? rt_view_of(in, k)->reg : rt_scalar_of(in, k)->reg;
}

static uint32_t
fixes_of(const isa_insn *in, const rt_record *r)
{
    uint32_t fix = 0;
    for (num_operand k = NUM_DST; k < NUM_OPERANDS; k++) {
        if (!r->has[k])
            continue;
        fix |= register_of(in, k) ? (uint32_t)FIX_OFFSET << k : 0;
        if (k < NUM_VIEWS && rt_view_of(in, k)->creg)
            fix |= (uint32_t)FIX_COUNT << k;
    }
    fix |= in->parts_reg ? FIX_PARTS : 0;
    fix |= in->dst_parts_reg ? FIX_DST_PARTS : 0;
    fix |= in->first_mask ? FIX_FIRST : 0;
    fix |= in->iota_reg ? FIX_IOTA : 0;
    return fix;
}

static uint64_t
ref_elems(const rt_ref *r, uint32_t dims)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < dims; i++)
        n *= r->dim[i].count;
    return n;
}

static bool
touches_nothing(const rt_record *r)
{
    bool any = false;
    for (num_operand k = NUM_DST; k < NUM_VIEWS; k++) {
        if (!r->has[k])
            continue;
        any = true;
        if (!r->ref[k].parts || !ref_elems(&r->ref[k], r->ref[k].ndim))
            return true;
    }
    return !any && r->op == NUM_OP_NONE;
}

// Two numbers of elements that should be one.
typedef struct {
    const char *name[2];
    uint64_t n[2];
} mismatch;

// A block for each element of the index.
static uint64_t
indexed_elems(const rt_record *r)
{
    const rt_ref *block = &r->ref[r->ref[NUM_DST].indexed ? NUM_DST : NUM_A];
    uint64_t all, each = ref_elems(block, block->ndim);
    uint64_t times = ref_elems(&r->ref[NUM_B], r->ref[NUM_B].ndim);
    return mul_u64(each, times, &all) ? all : UINT64_MAX;
}

// Elements a partition, by the letter of the table.
static uint64_t
wanted_elems(const rt_record *r, num_operand k, uint64_t n)
{
    switch (r->form->shape[k]) {
    case 'n': return n;
    case 'o':
        return ref_elems(&r->ref[NUM_A],
                         r->ref[NUM_A].ndim - r->insn->reduce_dims);
    case 'i': return indexed_elems(r);
    case 'd': return 2 * n;
    case 'q': return 4 * n;
    case '*': return ref_elems(&r->ref[k], r->ref[k].ndim);
    default: return (uint64_t)(r->form->shape[k] - '0');
    }
}

// MX scales have an eighth of the partitions of each quadrant.
static bool
is_scales(const rt_record *r, num_operand k)
{
    return (k == NUM_B || k == NUM_DST2) && num_op_is(r->op, 'm');
}

static void
set_parts(const isa_target *t, rt_record *r, num_operand k)
{
    rt_ref *ref = &r->ref[k];
    ref->parts = k == NUM_DST ? r->dst_parts : r->parts;
    if (!is_scales(r, k))
        return;
    ref->group_step = isa_quadrant(t);
    ref->groups = r->parts / ref->group_step;
    ref->parts = ref->group_step / NUM_MX_LANES;
}

static bool
sizes_agree(const rt_record *r, mismatch *m)
{
    num_operand first = NUM_VIEWS;
    *m = (mismatch){{"the operation", ""}, {0, 0}};
    for (num_operand k = NUM_DST; k < NUM_VIEWS; k++) {
        if (!r->has[k])
            continue;
        uint64_t have = ref_elems(&r->ref[k], r->ref[k].ndim);
        char shape = r->form->shape[k];
        if (shape == 'n' && first == NUM_VIEWS) {
            first = k;
            m->name[0] = num_operand_name(k);
            m->n[0] = have;
        }
        uint64_t want = wanted_elems(r, k, m->n[0]);
        if (have == want)
            continue;
        m->name[1] = num_operand_name(k);
        m->n[1] = have;
        if (shape != 'n') {
            m->name[0] = shape == 'o' ? "the reduction of a" : "the operation";
            m->n[0] = want;
        }
        return false;
    }
    return true;
}

static void
fill_slot(const sequencer *s, uint32_t i, seq_slot *slot)
{
    const isa_insn *in = &s->p->code[s->engine].insn[i];
    rt_record *r = &slot->rec;
    r->insn = in;
    r->engine = s->engine;
    r->index = i;
    r->op = rt_op_of(in->op);
    r->form = num_op_form_of(r->op);
    r->parts = in->parts;
    r->dst_parts = num_op_is(r->op, 'p') ? in->dst_parts : in->parts;
    r->accumulate = in->accumulate;
    r->iota_base = in->iota_base;
    for (num_operand k = NUM_DST; k < NUM_VIEWS; k++) {
        r->has[k] =
            r->form->roles[k] != '-' && rt_view_of(in, k)->dtype != DT_NONE;
        if (!r->has[k])
            continue;
        resolve_ap(rt_view_of(in, k), r->parts, &r->ref[k]);
        set_parts(s->p->target, r, k);
        r->ref[k].indexed = strchr("ix", r->form->roles[k]) != NULL;
    }
    for (num_operand k = NUM_VIEWS; k < NUM_OPERANDS; k++) {
        char role = r->form->roles[k];
        const isa_scalar *v = rt_scalar_of(in, k);
        r->has[k] = role != '-' && v->is_vec;
        if (r->has[k])
            resolve_vector(v, role < 'a' ? r->form->wide : 1, r->parts,
                           &r->ref[k]);
    }
    slot->fix = fixes_of(in, r);
    r->empty = touches_nothing(r);
    mismatch m;
    slot->uneven = !r->empty && !(slot->fix & FIX_SIZES) && !sizes_agree(r, &m);
}

static uint64_t
plus_times(uint64_t sum, uint64_t n, uint64_t each)
{
    uint64_t x;
    return mul_u64(n, each, &x) && x < UINT64_MAX - sum ? sum + x : UINT64_MAX;
}

// Loops whose count is in a register may not run at all, and a branch may pass
// by anything in its body.
static void
fill_turns(const sequencer *s)
{
    const rt_code *code = &s->p->code[s->engine];
    uint32_t open[ISA_LOOP_DEPTH], depth = 0;
    uint64_t turn[ISA_LOOP_DEPTH + 1] = {0};
    bool branches[ISA_LOOP_DEPTH + 1] = {0};
    for (uint32_t i = 0; i < code->n; i++) {
        const isa_insn *in = &code->insn[i];
        turn[depth] = plus_times(turn[depth], 1, 1);
        if (in->op == ISA_LOOP) {
            open[depth++] = i;
            turn[depth] = 0;
            branches[depth] = false;
        } else if (in->op == ISA_BRANCH) {
            branches[depth] = true;
        } else if (in->op == ISA_ENDLOOP) {
            in = &code->insn[open[--depth]];
            if (branches[depth + 1])
                turn[depth + 1] = 1; // its endloop; the rest may be passed by
            s->slot[open[depth]].turn = turn[depth + 1];
            uint64_t count = in->count_reg || !in->body ? 0 : in->count;
            turn[depth] = plus_times(turn[depth], count, turn[depth + 1]);
        }
    }
}

void
seq_init(sequencer *s, arena *a, const rt_program *p, isa_engine e, diags *d)
{
    *s = (sequencer){.p = p, .engine = e, .d = d};
    s->slot = ARENA_ARRAY(a, p->code[e].n, seq_slot);
    for (uint32_t i = 0; i < p->code[e].n; i++)
        if (rt_op_of(p->code[e].insn[i].op) ||
            p->code[e].insn[i].op == ISA_MARK ||
            p->code[e].insn[i].op == ISA_DRAIN)
            fill_slot(s, i, &s->slot[i]);
    fill_turns(s);
}

// ---- records: what registers decide

static loc
here(const sequencer *s)
{
    return rt_loc(s->p, s->engine, s->pc);
}

static bool
read_count(const sequencer *s, uint32_t reg, uint32_t max, uint32_t *out)
{
    int64_t n = s->reg[reg];
    if (n < 0 || n > max) {
        diag(s->d, here(s), D_RT_COUNT_REG,
             rt_insn_text(s->p, s->engine, s->pc, s->d), reg, (long long)n,
             max);
        return false;
    }
    *out = (uint32_t)n;
    return true;
}

static int64_t
plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static bool
fix_parts(const sequencer *s, seq_slot *slot)
{
    rt_record *r = &slot->rec;
    const isa_insn *in = r->insn;
    bool own = num_op_is(r->op, 'p');
    if (slot->fix & FIX_PARTS &&
        !read_count(s, in->parts_reg, in->parts, &r->parts))
        return false;
    if (!own)
        r->dst_parts = r->parts;
    else if (slot->fix & FIX_DST_PARTS &&
             !read_count(s, in->dst_parts_reg, in->dst_parts, &r->dst_parts))
        return false;
    for (num_operand k = NUM_DST; k < NUM_OPERANDS; k++)
        set_parts(s->p->target, r, k);
    return true;
}

static bool
fix_sizes(const sequencer *s, seq_slot *slot)
{
    rt_record *r = &slot->rec;
    if (slot->fix & (FIX_PARTS | FIX_DST_PARTS) && !fix_parts(s, slot))
        return false;
    for (num_operand k = NUM_DST; k < NUM_VIEWS; k++) {
        const isa_ap *ap = rt_view_of(r->insn, k);
        if (slot->fix & (uint32_t)FIX_COUNT << k &&
            !read_count(s, ap->creg, ap->dim[0].count, &r->ref[k].dim[0].count))
            return false;
    }
    r->empty = touches_nothing(r);
    return true;
}

static bool
any_counter_moved(const sequencer *s, uint32_t mask)
{
    for (uint32_t l = 0; l < ISA_LOOP_DEPTH; l++)
        if (mask >> l & 1 && s->reg[ISA_REG_LOOP0 + l])
            return true;
    return false;
}

static void
fix_offsets(const sequencer *s, seq_slot *slot)
{
    rt_record *r = &slot->rec;
    const isa_insn *in = r->insn;
    for (num_operand k = NUM_DST; k < NUM_OPERANDS; k++)
        if (slot->fix & (uint32_t)FIX_OFFSET << k)
            r->ref[k].offset = plus(k < NUM_VIEWS ? rt_view_of(in, k)->offset
                                                  : rt_scalar_of(in, k)->offset,
                                    s->reg[register_of(in, k)]);
    if (slot->fix & FIX_FIRST)
        r->accumulate = in->accumulate || any_counter_moved(s, in->first_mask);
    if (slot->fix & FIX_IOTA)
        r->iota_base = plus(in->iota_base, s->reg[in->iota_reg]);
}

static bool
agree_or_fault(const sequencer *s, const rt_record *r)
{
    mismatch m;
    if (r->empty || sizes_agree(r, &m))
        return true;
    diag(s->d, here(s), D_RT_SHAPE, rt_insn_text(s->p, s->engine, s->pc, s->d),
         m.name[0], (unsigned long long)m.n[0], m.name[1],
         (unsigned long long)m.n[1]);
    return false;
}

static bool
run_data(sequencer *s)
{
    seq_slot *slot = &s->slot[s->pc];
    slot->rec.seq = ++s->seq;
    if (!slot->fix && !slot->uneven)
        return true;
    if (slot->fix & FIX_SIZES && !fix_sizes(s, slot))
        return false;
    fix_offsets(s, slot);
    return !(slot->fix & FIX_SIZES || slot->uneven) ||
           agree_or_fault(s, &slot->rec);
}

// ---- control

static bool
divide(const sequencer *s, const isa_uop *u, int64_t b, int64_t *out)
{
    if (b <= 0) {
        diag(s->d, here(s), D_RT_DIVISOR, (long long)b);
        return false;
    }
    int64_t a = s->reg[u->ra], q = floor_div(a, b);
    // modulo 2^64 throughout: q * b may not overflow, but its sign may differ
    *out = u->kind == ISA_UOP_DIV
               ? q
               : (int64_t)((uint64_t)a - (uint64_t)q * (uint64_t)b);
    return true;
}

static bool
run_uop(sequencer *s, const isa_uop *u)
{
    int64_t a = s->reg[u->ra], b = u->rb ? s->reg[u->rb] : u->imm, v = 0;
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (u->kind) {
    case ISA_UOP_NONE:
    case ISA_UOP_COUNT: return true;
    case ISA_UOP_MOV: v = b; break;
    case ISA_UOP_ADD: v = (int64_t)(ua + ub); break;
    case ISA_UOP_SUB: v = (int64_t)(ua - ub); break;
    case ISA_UOP_MUL: v = (int64_t)(ua * ub); break;
    case ISA_UOP_MADD:
        v = (int64_t)(ua + (uint64_t)s->reg[u->rb] * (uint64_t)u->imm);
        break;
    case ISA_UOP_MIN: v = a < b ? a : b; break;
    case ISA_UOP_MAX: v = a > b ? a : b; break;
    case ISA_UOP_DIV:
    case ISA_UOP_MOD:
        if (!divide(s, u, b, &v))
            return false;
        break;
    case ISA_UOP_WRAP: v = a >= b ? (int64_t)(ua - ub) : a; break;
    }
    s->reg[u->rd] = v;
    return true;
}

static bool
run_uops(sequencer *s, const isa_insn *in)
{
    for (uint32_t i = 0; i < ISA_UOPS; i++)
        if (in->uop[i].kind && !run_uop(s, &in->uop[i]))
            return false;
    s->pc++;
    return true;
}

static bool
run_loop(sequencer *s, const isa_insn *in, uint64_t budget)
{
    uint64_t count = in->count;
    if (in->count_reg)
        count = s->reg[in->count_reg] > 0 ? (uint64_t)s->reg[in->count_reg] : 0;
    // A body of nothing has no effect, however often.
    if (!count || !in->body) {
        s->pc += in->body + 2;
        return true;
    }
    if (budget > PATIENCE && plus_times(0, count, s->slot[s->pc].turn) > budget)
        return false;
    s->pc++;
    s->loop[s->depth].body = s->pc;
    s->loop[s->depth].count = count;
    s->reg[ISA_REG_LOOP0 + s->depth++] = 0;
    return true;
}

static void
run_endloop(sequencer *s)
{
    int64_t *counter = &s->reg[ISA_REG_LOOP0 + s->depth - 1];
    uint64_t next = (uint64_t)*counter + 1;
    if (next < s->loop[s->depth - 1].count) {
        *counter = (int64_t)next;
        s->pc = s->loop[s->depth - 1].body;
        return;
    }
    *counter = 0;
    s->depth--;
    s->pc++;
}

static void
run_branch(sequencer *s, const isa_insn *in)
{
    int64_t a = s->reg[in->ra], b = in->rb ? s->reg[in->rb] : in->imm;
    bool taken = false;
    switch (in->cond) {
    case ISA_IF_NONE: break;
    case ISA_IF_ALWAYS: taken = true; break;
    case ISA_IF_LT: taken = a < b; break;
    case ISA_IF_LE: taken = a <= b; break;
    case ISA_IF_EQ: taken = a == b; break;
    case ISA_IF_NE: taken = a != b; break;
    case ISA_IF_GE: taken = a >= b; break;
    case ISA_IF_GT: taken = a > b; break;
    }
    s->pc = (uint32_t)((int64_t)s->pc + 1 + (taken ? in->to : 0));
}

seq_status
seq_next(sequencer *s, uint64_t *budget, rt_record **out)
{
    const rt_code *code = &s->p->code[s->engine];
    while (s->pc < code->n) {
        const isa_insn *in = &code->insn[s->pc];
        if (in->op == ISA_END)
            return SEQ_END;
        if (!*budget)
            return SEQ_LIMIT;
        --*budget;
        if (in->op == ISA_REG) {
            if (!run_uops(s, in))
                return SEQ_FAULT;
        } else if (in->op == ISA_LOOP) {
            if (!run_loop(s, in, *budget))
                return SEQ_LIMIT;
        } else if (in->op == ISA_ENDLOOP) {
            run_endloop(s);
        } else if (in->op == ISA_BRANCH) {
            run_branch(s, in);
        } else {
            *out = &s->slot[s->pc].rec;
            if (!run_data(s))
                return SEQ_FAULT;
            s->pc++;
            return SEQ_RECORD;
        }
    }
    return SEQ_END;
}
