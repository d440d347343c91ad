// SPDX-License-Identifier: Apache-2.0
// The reference interpreter: executes records on simulated memories through
// num_exec, which is the meaning of every instruction. Only certified programs
// run, so that nothing is checked here again but indices, which are data, and
// what instructions say of values. A program whose control or addresses are
// data is certified as it runs.
#include "runtime/runtime_int.h"

#include <string.h>

enum {
    LINE_BYTES = 64,
    PAGE_BYTES = 4096,
};

typedef struct {
    uint8_t *at;
    int64_t pitch; // bytes from partition to partition
} chip_memory;

typedef struct {
    const rt_program *p;
    chip_memory chip[2]; // SBUF, PSUM
    uint8_t **hbm;
    num_state state;
    num_word *scratch;
    diags *d;
} interp;

// ---- memory

// Partitions lie apart by an odd number of cache lines past a page, so that the
// same byte of many partitions does not fall into the same cache sets.
static chip_memory
chip_new(arena *a, uint64_t bytes, uint32_t partitions)
{
    uint64_t pitch = align_up(bytes, LINE_BYTES);
    if (pitch % PAGE_BYTES == 0)
        pitch += LINE_BYTES;
    uint8_t *at = arena_array(a, partitions, pitch);
    return (chip_memory){at, (int64_t)pitch};
}

static uint8_t *
tensor_memory(arena *a, const rt_tensor *t, uint8_t *bound)
{
    if (t->kind == OBJ_TENSOR_CONST)
        // never written: the certificate says so
        return (uint8_t *)(uintptr_t)t->data;
    return bound ? bound : arena_alloc(a, t->bytes);
}

// ---- records

static void
set_view(const interp *m, const rt_ref *r, num_view *v)
{
    v->parts = r->parts;
    v->dtype = r->dtype;
    v->ndim = r->ndim;
    if (r->hbm) {
        v->base = m->hbm[r->tensor] + r->offset;
        v->part_step = r->part_step;
    } else {
        const chip_memory *c = &m->chip[r->mem];
        v->base = c->at + r->part * c->pitch + r->offset;
        v->part_step = c->pitch;
    }
    for (uint32_t i = 0; i < r->ndim; i++) {
        v->dim[i].step = r->dim[i].step;
        v->dim[i].count = r->dim[i].count;
    }
}

static void
set_scalar(const interp *m, const rt_record *r, num_operand k, num_scalar *out)
{
    out->is_vec = r->has[k];
    out->imm = rt_scalar_of(r->insn, k)->imm;
    if (out->is_vec)
        set_view(m, &r->ref[k], &out->vec);
}

static void
set_operands(const interp *m, const rt_record *r, num_insn *x)
{
    num_view *const view[NUM_VIEWS] = {&x->dst, &x->a, &x->b, &x->dst2};
    for (num_operand k = NUM_DST; k < NUM_VIEWS; k++)
        if (r->has[k])
            set_view(m, &r->ref[k], view[k]);
    set_scalar(m, r, NUM_S0, &x->s0);
    set_scalar(m, r, NUM_S1, &x->s1);
    x->has_red = r->has[NUM_RED];
    if (x->has_red)
        set_view(m, &r->ref[NUM_RED], &x->red);
}

// Law 4 where addresses are data: every block that the index names must lie in
// the tensor, every element in the operand.
static bool
index_is_right(const interp *m, const rt_record *r, const num_insn *x)
{
    if (!num_op_is(r->op, 'i'))
        return true;
    num_index bad;
    const rt_ref *ref = &r->ref[r->form->roles[NUM_A] == 'i' ? NUM_A : NUM_DST];
    const rt_tensor *t =
        ref->indexed ? &m->p->tensor[ref->tensor] : &(rt_tensor){.name = ""};
    if (!num_index_outside(x, ref->offset, t->bytes, &bad))
        return true;
    loc at = rt_loc(m->p, r->engine, r->index);
    const char *insn = rt_insn_text(m->p, r->engine, r->index, m->d);
    if (ref->indexed)
        diag(m->d, at, D_RT_INDEX, insn, (long long)bad.value, bad.part,
             (unsigned long long)bad.elem, t->name,
             (unsigned long long)t->bytes);
    else
        diag(m->d, at, D_RT_INDEX_CHIP, insn, (long long)bad.value, bad.part,
             (unsigned long long)bad.elem);
    return false;
}

// What an instruction of the array says of values is looked at here.
static bool
keeps_promise(const interp *m, const rt_record *r, const num_insn *x)
{
    num_promise bad;
    if (r->engine != ISA_ENG_TENSOR || !num_promise_broken(x, &bad))
        return true;
    loc at = rt_loc(m->p, r->engine, r->index);
    const char *text = rt_insn_text(m->p, r->engine, r->index, m->d);
    if (bad.kind == NUM_PROMISE_ONEZERO)
        diag(m->d, at, D_RT_ONEZERO, text, bad.part,
             (unsigned long long)bad.elem);
    else
        diag(m->d, at, D_RT_IDENTITY, text, (unsigned long long)bad.elem,
             bad.ones);
    return false;
}

static bool
execute(interp *m, const rt_record *r)
{
    if (r->empty || r->op == NUM_OP_NONE)
        return true;
    const isa_insn *in = r->insn;
    num_insn x = {.op = r->op,
                  .as = in->as,
                  .func = in->func,
                  .op0 = in->op0,
                  .op1 = in->op1,
                  .rev0 = in->rev0,
                  .rev1 = in->rev1,
                  .reduce = in->reduce,
                  .reduce_dims = in->reduce_dims,
                  .iota_base = r->iota_base,
                  .iota_part = in->iota_part,
                  .accumulate = r->accumulate,
                  .combine = in->combine,
                  .skip = in->skip,
                  .descending = in->descending,
                  .per_index = in->per_index,
                  .n = in->n,
                  .k = in->k,
                  .cmd = in->cmd,
                  .negate = in->negate,
                  .mode = in->mode,
                  .slope = in->s2.imm,
                  .unit = (uint32_t)r->engine,
                  .lane = rt_lane(r),
                  .row0 = in->row0,
                  .col0 = in->col0,
                  .onezero = in->onezero,
                  .quad = isa_quadrant(m->p->target)};
    for (uint32_t i = 0; i < NUM_DIMS; i++)
        x.iota_step[i] = in->iota_step[i];
    memcpy(x.mask, in->mask.lane, sizeof x.mask);
    set_operands(m, r, &x);
    if (!index_is_right(m, r, &x) || !keeps_promise(m, r, &x))
        return false;
    num_exec(&x, &m->state, m->scratch);
    return true;
}

static bool
on_start(void *ctx, const rt_record *r)
{
    return r->insn->queue || execute(ctx, r);
}

static bool
on_transfer(void *ctx, uint32_t queue, const rt_record *r)
{
    (void)queue;
    return execute(ctx, r);
}

static bool
on_load(void *ctx, const rt_record *r, int64_t *value)
{
    const interp *m = ctx;
    num_view v;
    set_view(m, &r->ref[NUM_A], &v);
    num_word w = num_load(v.dtype, v.base);
    *value = v.dtype == DT_U32 ? (int64_t)w : (int64_t)(int32_t)w;
    return true;
}

// ---- entry

static void
interp_init(interp *m, arena *a, const rt_program *p, uint8_t *const *bind)
{
    const isa_target *t = p->target;
    m->p = p;
    m->chip[ISA_SBUF] = chip_new(a, t->sbuf_bytes, t->partitions);
    m->chip[ISA_PSUM] = chip_new(a, t->psum_bytes, t->partitions);
    m->hbm = ARENA_ARRAY(a, p->ntensors, uint8_t *);
    for (uint32_t i = 0; i < p->ntensors; i++)
        m->hbm[i] = tensor_memory(a, &p->tensor[i], bind ? bind[i] : NULL);
    m->state.pe.w = ARENA_ARRAY(a, NUM_PE_WEIGHTS, float);
    m->state.pe.bits = ARENA_ARRAY(a, NUM_PE_CELLS, num_word);
    m->state.pe.x = ARENA_ARRAY(a, NUM_PE_MOVING, float);
    m->state.pe.out = ARENA_ARRAY(a, NUM_PE_MOVING, float);
    m->scratch = ARENA_ARRAY(a, NUM_SCRATCH_WORDS, num_word);
}

typedef struct {
    const rt_program *p;
    const rt_order *order;
    uint8_t *const *bind;
    const rt_consumer *watch;
    diags *d;
    bool checks; // the program depends on data and was not looked at yet
    bool aside;  // outputs go to memory of our own
} interp_args;

static uint8_t *const *
inputs_alone(arena *a, const rt_program *p, uint8_t *const *bind)
{
    uint8_t **in = ARENA_ARRAY(a, p->ntensors, uint8_t *);
    for (uint32_t i = 0; bind && i < p->ntensors; i++)
        in[i] = p->tensor[i].kind == OBJ_TENSOR_OUTPUT ? NULL : bind[i];
    return in;
}

// Beside the interpreter's memory, and as much as a certificate may take.
static void
limit_checks(arena *a, const rt_program *p)
{
    const isa_target *t = p->target;
    size_t bytes =
        certify_memory(p) + 2 * t->partitions * (t->sbuf_bytes + t->psum_bytes);
    for (uint32_t i = 0; i < p->ntensors; i++)
        bytes += p->tensor[i].bytes;
    arena_limit(a, bytes);
}

static rt_outcome
interpret_in_arena(arena *a, void *ctx)
{
    const interp_args *args = ctx;
    const rt_program *p = args->p;
    interp *m = ARENA_NEW(a, interp);
    m->d = args->d;
    if (args->checks)
        limit_checks(a, p);
    interp_init(m, a, p,
                args->aside ? inputs_alone(a, p, args->bind) : args->bind);
    rt_consumer consumers[3] = {{0}};
    uint32_t n = 0;
    if (args->checks)
        consumers[n++] = certify_begin(a, p, args->d);
    if (args->watch)
        consumers[n++] = *args->watch;
    consumers[n++] = (rt_consumer){
        .ctx = m, .start = on_start, .transfer = on_transfer, .load = on_load};
    rt_outcome out = machine_run(a, p, args->order, consumers, n, args->d);
    return args->checks ? certify_end(&consumers[0], out) : out;
}

static rt_outcome
interpret(const interp_args *args)
{
    // Outside of what running out of memory jumps over.
    num_env env = num_env_enter();
    interp_args copy = *args;
    rt_outcome out = rt_in_arena(interpret_in_arena, &copy, "run", args->d);
    num_env_leave(env);
    return out;
}

// What is found in the fixed order holds in every order with these data. So a
// run in another order comes after one that only looks.
rt_outcome
rt_interpret_watched(const rt_program *p, const rt_order *order,
                     uint8_t *const *bind, const rt_consumer *watch, diags *d)
{
    static const rt_order plain = {0};
    order = order ? order : &plain;
    interp_args args = {p, order, bind, watch, d, false, false};
    rt_outcome out = rt_certify_limited(p, order->max_insns, d);
    if (out == RT_NEEDS_DATA) {
        rt_order fixed = {.max_insns = order->max_insns};
        interp_args look = {p, &fixed, bind, NULL, d, true, order->random};
        if (!order->random)
            look.watch = watch;
        out = interpret(&look);
        if (!order->random)
            return out;
    }
    return out == RT_DONE ? interpret(&args) : out;
}

rt_outcome
rt_interpret(const rt_program *p, const rt_order *order, uint8_t *const *bind,
             diags *d)
{
    return rt_interpret_watched(p, order, bind, NULL, d);
}
