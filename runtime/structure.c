// SPDX-License-Identifier: Apache-2.0
// What a program's parts must agree on, beyond each instruction's own rules:
// loops nest and close, registers exist, tables hold what instructions name, a
// queue has one feeder, a semaphore one giver and one taker. After this the
// sequencer and the machine index without looking.
#include "runtime/runtime_int.h"

// A field wider than any encoding would overflow the address arithmetic.
enum { STEP_BITS = 41, DIM_COUNT_MAX = 65535, PARTS_MAX = 128 };
static const uint64_t ELEMS_MAX = (uint64_t)1 << 32;

typedef struct {
    rt_program *p;
    diags *d;
    isa_engine e;
    uint32_t i; // instruction of stream e
    const isa_insn *in;
    isa_when *moment; // of each semaphore's updates, which are all alike
    bool ok;
} check;

static loc
check_loc(const check *c)
{
    return rt_loc(c->p, c->e, c->i);
}

// ---- registers -------------------------------------------------------------

static void
check_reg(check *c, uint32_t reg)
{
    if (reg < ISA_REGS)
        return;
    diag(c->d, check_loc(c), D_RT_REGISTER, isa_mnemonic(c->in->op), reg,
         "there are 64");
    c->ok = false;
}

static void
check_uop(check *c, const isa_uop *u)
{
    if (u->kind == ISA_UOP_NONE)
        return;
    check_reg(c, u->ra);
    check_reg(c, u->rb);
    if (u->rd && u->rd < ISA_REG_LOOP0)
        return;
    diag(c->d, check_loc(c), D_RT_REGISTER, isa_mnemonic(c->in->op), u->rd,
         "only r1 to r55 can be written");
    c->ok = false;
}

// ---- operands --------------------------------------------------------------

static void
bad_operand(check *c, const char *operand, const char *why)
{
    diag(c->d, check_loc(c), D_RT_OPERAND, isa_mnemonic(c->in->op), operand,
         why);
    c->ok = false;
}

static bool
step_fits(int64_t step)
{
    return step < (int64_t)1 << STEP_BITS && step > -((int64_t)1 << STEP_BITS);
}

static const char *
ap_fault(const check *c, const isa_ap *ap)
{
    if (ap->mem > ISA_HBM)
        return "there is no such memory";
    if (ap->mem == ISA_HBM && c->in->op != ISA_DMA)
        return "only 'dma' reaches HBM";
    if (ap->dtype <= DT_NONE || ap->dtype >= DT_COUNT)
        return "it has no element type";
    if (ap->ndim > NUM_DIMS || (ap->creg && !ap->ndim))
        return "its dimensions are malformed";
    if (!step_fits(ap->pstep))
        return "a step is too large";
    uint64_t elems = 1;
    for (uint32_t i = 0; i < ap->ndim; i++) {
        if (!step_fits(ap->dim[i].step))
            return "a step is too large";
        if (ap->dim[i].count > DIM_COUNT_MAX)
            return "a count is too large";
        elems *= ap->dim[i].count ? ap->dim[i].count : 1;
        if (elems > ELEMS_MAX)
            return "it has more than 2^32 elements a partition";
    }
    return NULL;
}

static void
check_ap(check *c, const char *operand, const isa_ap *ap)
{
    check_reg(c, ap->reg);
    check_reg(c, ap->creg);
    const char *fault = ap_fault(c, ap);
    if (fault) {
        bad_operand(c, operand, fault);
    } else if (ap->mem == ISA_HBM && ap->part >= c->p->ntensors) {
        diag(c->d, check_loc(c), D_RT_TENSOR, ap->part, c->p->ntensors);
        c->ok = false;
    }
}

static void
check_scalar(check *c, const char *operand, const isa_scalar *s)
{
    if (!s->is_vec)
        return;
    check_reg(c, s->reg);
    if (s->mem != ISA_SBUF && s->mem != ISA_PSUM)
        bad_operand(c, operand, "a vector lies in SBUF or PSUM");
    else if (s->dtype <= DT_NONE || s->dtype >= DT_COUNT)
        bad_operand(c, operand, "it has no element type");
}

static void
check_operands(check *c)
{
    const isa_insn *in = c->in;
    rt_shape_of_op shape = rt_op_shape(in->op);
    if (shape.dst)
        check_ap(c, "dst", &in->dst);
    if (shape.srcs > 0)
        check_ap(c, "a", &in->a);
    if (shape.srcs > 1)
        check_ap(c, "b", &in->b);
    if (shape.vecs > 0)
        check_scalar(c, "s0", &in->s0);
    if (shape.vecs > 1)
        check_scalar(c, "s1", &in->s1);
    check_reg(c, in->parts_reg);
    check_reg(c, in->dst_parts_reg);
    check_reg(c, in->iota_reg);
    if (in->parts > PARTS_MAX || in->dst_parts > PARTS_MAX)
        bad_operand(c, "parts", "there are at most 128");
    if (in->op == ISA_REDUCE && in->reduce_dims > in->a.ndim)
        bad_operand(c, "a", "it has fewer dimensions than are reduced");
}

// ---- tokens and queues -----------------------------------------------------

static const char *
giver_text(const check *c, isa_engine e, uint32_t queue)
{
    if (queue)
        return arena_printf(c->d->a, "queue %u", queue);
    return arena_printf(c->d->a, "the %s engine", isa_engine_name(e));
}

static bool
sem_exists(check *c, uint32_t sem)
{
    if (sem < c->p->nsems)
        return true;
    diag(c->d, check_loc(c), D_RT_SEM, sem, c->p->nsems);
    return c->ok = false;
}

static void
check_wait(check *c, const isa_wait *w)
{
    if (!w->count || !sem_exists(c, w->sem))
        return;
    isa_engine taker = c->p->sem[w->sem].consumer;
    if (taker == c->e)
        return;
    diag(c->d, check_loc(c), D_RT_SEM_CONSUMER, w->sem, isa_engine_name(c->e),
         isa_engine_name(taker));
    c->ok = false;
}

static void
check_update(check *c, const isa_update *u)
{
    if (u->when == ISA_AT_NONE || !u->count || !sem_exists(c, u->sem))
        return;
    const isa_sem *s = &c->p->sem[u->sem];
    uint32_t queue = c->in->queue;
    if (queue ? s->queue != queue : s->queue || s->producer != c->e) {
        diag(c->d, check_loc(c), D_RT_SEM_PRODUCER, u->sem,
             giver_text(c, c->e, queue), giver_text(c, s->producer, s->queue));
        c->ok = false;
    } else if (queue && u->when != ISA_AT_COMPLETE) {
        diag(c->d, check_loc(c), D_RT_UPDATE);
        c->ok = false;
    } else if (c->moment[u->sem] && c->moment[u->sem] != u->when) {
        diag(c->d, check_loc(c), D_RT_SEM_MOMENT, u->sem);
        c->ok = false;
    }
    c->moment[u->sem] = u->when;
}

static void
check_tokens(check *c)
{
    for (uint32_t i = 0; i < ISA_WAITS; i++)
        check_wait(c, &c->in->wait[i]);
    for (uint32_t i = 0; i < ISA_UPDATES; i++)
        check_update(c, &c->in->update[i]);
}

static void
check_queue(check *c)
{
    uint32_t q = c->in->queue, have = c->p->target->dma_queues;
    have = have > ISA_QUEUES ? ISA_QUEUES : have;
    if (q > have || !q) {
        diag(c->d, check_loc(c), D_RT_QUEUE, isa_mnemonic(c->in->op), q, have);
        c->ok = false;
        return;
    }
    isa_engine *feeder = &c->p->feeder[q];
    if (*feeder && *feeder != c->e) {
        diag(c->d, check_loc(c), D_RT_QUEUE_FED, q, isa_engine_name(*feeder),
             isa_engine_name(c->e));
        c->ok = false;
    }
    *feeder = c->e;
}

// ---- streams ---------------------------------------------------------------

static void
check_control_tokens(check *c)
{
    bool any = false;
    for (uint32_t i = 0; i < ISA_WAITS; i++)
        any |= c->in->wait[i].count > 0;
    for (uint32_t i = 0; i < ISA_UPDATES; i++)
        any |= c->in->update[i].when != ISA_AT_NONE;
    if (!any)
        return;
    diag(c->d, check_loc(c), D_RT_CONTROL_TOKENS, isa_mnemonic(c->in->op));
    c->ok = false;
}

static void
check_insn(check *c)
{
    const isa_insn *in = c->in;
    if (rt_op_shape(in->op).op != NUM_OP_NONE || in->op == ISA_MARK) {
        check_tokens(c);
        if (in->queue && in->op != ISA_DMA && in->op != ISA_MARK)
            bad_operand(c, "queue", "only 'dma' and 'mark' have one");
        else if (in->op == ISA_DMA || in->queue)
            check_queue(c);
        check_operands(c);
        return;
    }
    check_control_tokens(c);
    if (in->op == ISA_LOOP)
        check_reg(c, in->count_reg);
    if (in->op == ISA_REG)
        for (uint32_t i = 0; i < ISA_UOPS; i++)
            check_uop(c, &in->uop[i]);
}

static void
fail_at(check *c, diag_id id)
{
    diag(c->d, check_loc(c), id, isa_engine_name(c->e));
    c->ok = false;
}

typedef struct {
    uint32_t loop[ISA_LOOP_DEPTH]; // instruction that opened it
    uint32_t depth;
} open_loops;

static void
open_loop(check *c, open_loops *open)
{
    if (open->depth < ISA_LOOP_DEPTH) {
        open->loop[open->depth++] = c->i;
        return;
    }
    diag(c->d, check_loc(c), D_RT_LOOP_DEPTH, (unsigned)ISA_LOOP_DEPTH);
    c->ok = false;
}

static void
close_loop(check *c, open_loops *open)
{
    if (!open->depth) {
        fail_at(c, D_RT_LOOP_CLOSE);
        return;
    }
    uint32_t loop = open->loop[--open->depth], body = c->i - loop - 1;
    uint32_t states = c->p->code[c->e].insn[loop].body;
    if (states == body)
        return;
    diag(c->d, rt_loc(c->p, c->e, loop), D_RT_LOOP_BODY, states, body);
    c->ok = false;
}

// Loops nest and close, and say how long they are. Stops at the first mistake,
// since the rest would follow from it.
static void
check_nesting(check *c)
{
    const rt_code *code = &c->p->code[c->e];
    open_loops open = {0};
    bool before = c->ok;
    c->ok = true;
    for (c->i = 0; c->i < code->n && c->ok; c->i++) {
        isa_opcode op = code->insn[c->i].op;
        if (op == ISA_LOOP)
            open_loop(c, &open);
        else if (op == ISA_ENDLOOP)
            close_loop(c, &open);
        else if (op == ISA_END && c->i + 1 < code->n)
            fail_at(c, D_RT_EARLY_END);
    }
    if (open.depth && c->ok) {
        c->i = open.loop[open.depth - 1];
        fail_at(c, D_RT_LOOP_OPEN);
    }
    c->ok = c->ok && before;
}

static void
check_stream(check *c)
{
    const rt_code *code = &c->p->code[c->e];
    for (c->i = 0; c->i < code->n; c->i++) {
        c->in = &code->insn[c->i];
        check_insn(c);
    }
    check_nesting(c);
    if (code->n && code->insn[code->n - 1].op != ISA_END) {
        c->i = code->n - 1;
        fail_at(c, D_RT_NO_END);
    }
}

// ---- semaphores ------------------------------------------------------------

static const char *
sem_fault(const isa_sem *s)
{
    if (s->queue > ISA_QUEUES || s->producer >= ISA_ENG_COUNT)
        return "its producer does not exist";
    if (!s->queue == !s->producer)
        return "it has one producer, an engine or a queue";
    if (!s->consumer || s->consumer >= ISA_ENG_COUNT)
        return "its consumer is no engine";
    return NULL;
}

static bool
check_sems(const rt_program *p, diags *d)
{
    bool ok = true;
    if (p->nsems > ISA_SEMS) {
        diag(d, (loc){0}, D_RT_SEM, p->nsems - 1, (unsigned)ISA_SEMS);
        return false;
    }
    for (uint32_t i = 0; i < p->nsems; i++) {
        const char *fault = sem_fault(&p->sem[i]);
        if (fault)
            diag(d, (loc){0}, D_RT_SEM_TABLE, i, fault);
        ok = ok && !fault;
    }
    return ok;
}

bool
rt_check_structure(rt_program *p, diags *d)
{
    check c = {.p = p, .d = d, .ok = check_sems(p, d)};
    if (!c.ok)
        return false;
    c.moment = ARENA_ARRAY(p->a, p->nsems, isa_when);
    for (c.e = ISA_ENG_TENSOR; c.e < ISA_ENG_COUNT; c.e++)
        check_stream(&c);
    return c.ok;
}
