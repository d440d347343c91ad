// SPDX-License-Identifier: Apache-2.0
// What a program's parts must agree on, beyond each instruction's own rules
// (isa_validate, which comes first): loops nest and close, tables hold what
// instructions name, a queue has one feeder, a semaphore one giver and one
// taker. After this the sequencer and the machine index without looking.
#include "runtime/runtime_int.h"

// One instruction that moves more could run for days without counting.
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

// ---- operands

static uint64_t
elems(const isa_ap *ap)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < ap->ndim && n <= ELEMS_MAX; i++)
        n *= ap->dim[i].count ? ap->dim[i].count : 1;
    return n;
}

static void
check_ap(check *c, const char *operand, const isa_ap *ap)
{
    if (elems(ap) > ELEMS_MAX) {
        diag(c->d, check_loc(c), D_RT_ELEMS, isa_mnemonic(c->in->op), operand);
        c->ok = false;
    }
    if (ap->mem == ISA_HBM && ap->part >= c->p->ntensors) {
        diag(c->d, check_loc(c), D_RT_TENSOR, ap->part, c->p->ntensors);
        c->ok = false;
    }
}

static void
check_operands(check *c)
{
    const num_op_form *form = num_op_form_of(rt_op_of(c->in->op));
    for (num_operand k = NUM_DST; k < NUM_VIEWS; k++)
        if (form->roles[k] != '-')
            check_ap(c, num_operand_name(k), rt_view_of(c->in, k));
}

// ---- tokens and queues

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
    uint32_t q = c->in->queue;
    isa_engine *feeder = &c->p->feeder[q];
    if (*feeder && *feeder != c->e) {
        diag(c->d, check_loc(c), D_RT_QUEUE_FED, q, isa_engine_name(*feeder),
             isa_engine_name(c->e));
        c->ok = false;
    }
    *feeder = c->e;
}

// ---- streams

static void
check_insn(check *c)
{
    check_tokens(c);
    if (c->in->op == ISA_REG_LOAD)
        c->p->needs_data = true;
    if (c->in->queue)
        check_queue(c);
    check_operands(c);
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

// A branch stays in the body that it is in: the innermost loop open at each
// instruction, where a 'loop' belongs to what is around it and an 'endloop' to
// what it closes.
static void
check_branches(check *c)
{
    const rt_code *code = &c->p->code[c->e];
    uint32_t *body = ARENA_ARRAY(c->p->a, code->n, uint32_t);
    uint32_t open[ISA_LOOP_DEPTH + 1] = {0}, depth = 0;
    for (uint32_t i = 0; i < code->n; i++) {
        body[i] = open[depth];
        if (code->insn[i].op == ISA_LOOP)
            open[++depth] = i + 1;
        else if (code->insn[i].op == ISA_ENDLOOP)
            depth--;
    }
    for (c->i = 0; c->i < code->n; c->i++) {
        if (code->insn[c->i].op != ISA_BRANCH)
            continue;
        int64_t to = (int64_t)c->i + 1 + code->insn[c->i].to;
        if (to >= 0 && to < code->n && body[to] == body[c->i])
            continue;
        diag(c->d, check_loc(c), D_RT_BRANCH, (long long)to);
        c->ok = false;
    }
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
    if (c->ok)
        check_branches(c);
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

// ---- semaphores

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
