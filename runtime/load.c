// SPDX-License-Identifier: Apache-2.0
// From an object's bytes, or a program in memory, to what the machine runs.
// Everything that a single instruction or the tables can get wrong is found
// here, before anything executes; what depends on registers is found by the
// certifier.
#include "runtime/runtime_int.h"

#include <setjmp.h>
#include <string.h>

// ---- tensors and lines

static bool
load_tensor(const isa_tensor *in, rt_tensor *out, diags *d)
{
    *out = (rt_tensor){.name = in->name,
                       .kind = in->kind,
                       .dtype = in->dtype,
                       .rank = in->rank};
    const char *wrong = NULL;
    if (in->rank > ISA_RANK)
        wrong = "its rank is too large";
    else if (in->dtype <= DT_NONE || in->dtype >= DT_COUNT ||
             num_is_packed(in->dtype))
        wrong = "it has no element type";
    else if (in->kind < OBJ_TENSOR_INPUT || in->kind > OBJ_TENSOR_INOUT)
        wrong = "it has no kind";
    else if (!isa_tensor_bytes(in, &out->bytes))
        wrong = "its size does not fit 63 bits";
    else if (in->kind == OBJ_TENSOR_CONST && in->data.n != out->bytes)
        wrong = "its data have another size than its shape";
    if (wrong) {
        diag(d, (loc){0}, D_RT_TENSOR_TABLE, in->name, wrong);
        return false;
    }
    memcpy(out->shape, in->shape, in->rank * sizeof *in->shape);
    if (in->kind == OBJ_TENSOR_CONST)
        out->data = (const uint8_t *)in->data.p;
    return true;
}

static bool
load_tensors(rt_program *p, const isa_program *ip, diags *d)
{
    p->ntensors = ip->tensors.n;
    p->tensor = ARENA_ARRAY(p->a, p->ntensors, rt_tensor);
    map names = map_new(p->a);
    uint64_t total = 0;
    for (uint32_t i = 0; i < p->ntensors; i++) {
        const char *name = ip->tensors.at[i].name;
        if (!load_tensor(&ip->tensors.at[i], &p->tensor[i], d))
            return false;
        if (map_get_str(&names, str_of(name))) { // arrays are bound by name
            diag(d, (loc){0}, D_RT_TENSOR_TABLE, name, "its name is taken");
            return false;
        }
        map_put_str(&names, str_of(name), i);
        if (p->tensor[i].bytes > p->target->hbm_bytes - total) {
            diag(d, (loc){0}, D_RT_HBM_SIZE,
                 (unsigned long long)p->target->hbm_bytes, p->target->name);
            return false;
        }
        total += p->tensor[i].bytes;
    }
    return true;
}

// Numbers of the program's sources become those of 'd'.
static void
load_lines(rt_program *p, const isa_program *ip, uint32_t first, isa_engine e)
{
    const isa_stream *s = &ip->stream[e];
    if (s->at.n < s->code.n)
        return;
    loc *at = ARENA_ARRAY(p->a, s->code.n, loc);
    for (uint32_t i = 0; i < s->code.n; i++) {
        const loc *from = &s->at.at[i];
        if (!from->source || from->source > ip->sources.n)
            continue;
        size_t n = ip->sources.at[from->source - 1].text.n;
        if (from->begin > from->end || from->end > n)
            continue;
        at[i] = (loc){first + from->source - 1, from->begin, from->end};
    }
    p->code[e].at = at;
}

static void
load_code(rt_program *p, const isa_program *ip, diags *d)
{
    uint32_t first = d->sources.n;
    for (uint32_t i = 0; i < ip->sources.n; i++)
        diag_add_source(d, ip->sources.at[i].name, ip->sources.at[i].text);
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++) {
        p->code[e].insn = ip->stream[e].code.at;
        p->code[e].n = ip->stream[e].code.n;
        load_lines(p, ip, first, e);
    }
}

// ---- entry

// All instructions are looked at, so that several mistakes are told at once.
static bool
validate_code(const rt_program *p, diags *d)
{
    bool ok = true;
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
        for (uint32_t i = 0; i < p->code[e].n; i++)
            ok = isa_validate(&p->code[e].insn[i], e, p->target,
                              rt_loc(p, e, i), d) &&
                 ok;
    return ok;
}

rt_program *
rt_from_program(arena *a, const struct isa_program *ip, diags *d)
{
    rt_program *p = ARENA_NEW(a, rt_program);
    p->a = a;
    p->kernel = ip->kernel ? ip->kernel : "";
    p->state = ARENA_NEW(a, rt_state);
    p->target = ip->target ? isa_target_find(ip->target) : NULL;
    if (!p->target) {
        diag(d, (loc){0}, D_RT_TARGET, ip->target ? ip->target : "");
        return NULL;
    }
    p->nsems = ip->sems.n;
    p->sem = ip->sems.at;
    p->tensor_ir = ip->tensor_ir;
    p->tile_ir = ip->tile_ir;
    load_code(p, ip, d);
    if (!load_tensors(p, ip, d) || !validate_code(p, d) ||
        !rt_check_structure(p, d))
        return NULL;
    return p;
}

rt_program *
rt_load(arena *a, str object, diags *d)
{
    isa_program *ip = ARENA_NEW(a, isa_program);
    if (!isa_object_read(a, d, object, ip))
        return NULL;
    return rt_from_program(a, ip, d);
}

// ---- what a program holds

bool
rt_needs_data(const rt_program *p)
{
    return p->needs_data;
}

const char *
rt_kernel(const rt_program *p)
{
    return p->kernel;
}

const isa_target *
rt_target(const rt_program *p)
{
    return p->target;
}

uint32_t
rt_tensor_count(const rt_program *p)
{
    return p->ntensors;
}

const rt_tensor *
rt_tensor_at(const rt_program *p, uint32_t i)
{
    return &p->tensor[i];
}

const isa_insn *
rt_stream(const rt_program *p, isa_engine e, uint32_t *n)
{
    *n = p->code[e].n;
    return p->code[e].insn;
}

loc
rt_loc(const rt_program *p, isa_engine e, uint32_t i)
{
    const rt_code *c = &p->code[e];
    return c->at && i < c->n ? c->at[i] : (loc){0};
}

str
rt_section(const rt_program *p, const char *name)
{
    if (!strcmp(name, OBJ_SECTION_TENSOR_IR))
        return p->tensor_ir;
    if (!strcmp(name, OBJ_SECTION_TILE_IR))
        return p->tile_ir;
    return STR("");
}

// ---- shared by the folder

num_op
rt_op_of(isa_opcode op)
{
    static const isa_opcode code[NUM_OP_COUNT] = {
#define ENGINE_OP(id, name, roles, shape, wide, flags, fn, what)               \
    [NUM_OP_##id] = ISA_##id,
#include "numerics/engine_ops.def"
#undef ENGINE_OP
    };
    for (num_op i = NUM_OP_NONE + 1; i < NUM_OP_COUNT; i++)
        if (code[i] == op)
            return i;
    return NUM_OP_NONE;
}

const isa_ap *
rt_view_of(const isa_insn *in, num_operand k)
{
    switch (k) {
    case NUM_A: return &in->a;
    case NUM_B: return &in->b;
    case NUM_DST2: return &in->dst2;
    default: return &in->dst;
    }
}

const isa_scalar *
rt_scalar_of(const isa_insn *in, num_operand k)
{
    return k == NUM_S0 ? &in->s0 : k == NUM_S1 ? &in->s1 : &in->red;
}

static bool
leaves_lanes(const isa_mask *m)
{
    for (uint32_t i = 0; i < NUM_MASK; i++)
        if (m->lane[i] == NUM_MASK_LEAVE)
            return true;
    return false;
}

bool
rt_reads(const rt_record *r, num_operand k)
{
    switch (r->form->roles[k]) {
    case 'a': return r->accumulate || r->insn->combine || r->insn->skip;
    case 'm': return leaves_lanes(&r->insn->mask);
    case 'r':
    case 'R':
    case 'i':
    case 'x':
    case 'u': return true;
    default: return false;
    }
}

bool
rt_writes(const rt_record *r, num_operand k)
{
    return strchr("awWumx", r->form->roles[k]) != NULL;
}

uint32_t
rt_lane(const rt_record *r)
{
    const rt_ref *ref = &r->ref[r->has[NUM_A] ? NUM_A : NUM_DST];
    return ref->hbm ? 0 : ref->part;
}

const char *
rt_insn_text(const rt_program *p, isa_engine e, uint32_t index, diags *d)
{
    return arena_printf(d->a, "'%s' (%s %u)",
                        isa_mnemonic(p->code[e].insn[index].op),
                        isa_engine_name(e), index);
}

rt_outcome
rt_in_arena(rt_outcome (*fn)(arena *a, void *ctx), void *ctx, const char *verb,
            diags *d)
{
    arena *a = arena_new();
    jmp_buf jmp;
    if (!a || setjmp(jmp)) {
        arena_free(a);
        diag(d, (loc){0}, D_RT_MEMORY, verb);
        return RT_LIMIT;
    }
    arena_on_oom(a, &jmp);
    rt_outcome out = fn(a, ctx);
    arena_free(a);
    return out;
}
