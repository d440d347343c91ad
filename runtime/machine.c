// SPDX-License-Identifier: Apache-2.0
// Steps the streams. Engines meet only at semaphores, so the machine is a set
// of counters and a rule for who goes next: in the fixed order each engine runs
// until it blocks, in turn, and a transfer executes as soon as it is issued; in
// a random order engines run in bursts and transfers wait in their queues and
// execute in any order, while their updates stay in queue order.
#include "runtime/runtime_int.h"

enum {
    // Transfers a queue holds back before some of them must execute.
    QUEUE_WINDOW = 64,
    BURST = 8, // instructions an engine runs at once in a random order
    NOTES_MAX = 8,
};

typedef struct {
    rt_record rec;
    bool done;
} pending;

typedef struct {
    uint64_t issued;  // transfers so far
    uint32_t head, n; // ring of transfers whose updates were not given
    uint32_t waiting; // of these, not executed
    pending *ring;    // random order only
} queue_state;

typedef struct {
    sequencer seq;
    rt_record *rec;  // the next instruction, NULL: not fetched
    uint32_t waited; // of its waits, taken
    bool ended;
} engine_state;

typedef struct {
    const rt_program *p;
    const rt_consumer *consumer;
    uint32_t nconsumers;
    diags *d;
    bool random;
    uint64_t rng;
    uint32_t eagerness; // of 8: how readily pending transfers execute
    uint64_t budget, max_insns;
    uint64_t *tokens; // of each semaphore
    engine_state engine[ISA_ENG_COUNT];
    queue_state queue[ISA_QUEUES + 1];
} machine;

typedef enum { RAN, BLOCKED, ENDED, FAULTED, LIMITED } step_result;

// ---- tokens

static void
give(machine *m, const isa_update *u, const rt_record *by)
{
    if (!u->count)
        return;
    m->tokens[u->sem] += u->count;
    for (uint32_t i = 0; i < m->nconsumers; i++)
        if (m->consumer[i].give)
            m->consumer[i].give(m->consumer[i].ctx, u->sem, u->count, by,
                                u->when == ISA_AT_COMPLETE);
}

static void
give_all(machine *m, const rt_record *by, isa_when when)
{
    for (uint32_t i = 0; i < ISA_UPDATES; i++)
        if (by->insn->update[i].when == when)
            give(m, &by->insn->update[i], by);
}

// Takes what the engine's next instruction waits for, as far as it is there.
static bool
take_waits(machine *m, engine_state *e)
{
    const isa_insn *in = e->rec->insn;
    for (; e->waited < ISA_WAITS; e->waited++) {
        const isa_wait *w = &in->wait[e->waited];
        if (!w->count)
            continue;
        if (m->tokens[w->sem] < w->count)
            return false;
        m->tokens[w->sem] -= w->count;
        for (uint32_t i = 0; i < m->nconsumers; i++)
            if (m->consumer[i].take)
                m->consumer[i].take(m->consumer[i].ctx, w->sem, w->count,
                                    e->rec);
    }
    return true;
}

// ---- transfers

static bool
execute_transfer(machine *m, uint32_t q, const rt_record *r)
{
    for (uint32_t i = 0; i < m->nconsumers; i++)
        if (m->consumer[i].transfer &&
            !m->consumer[i].transfer(m->consumer[i].ctx, q, r))
            return false;
    return true;
}

static pending *
pending_at(queue_state *q, uint32_t i)
{
    return &q->ring[(q->head + i) % QUEUE_WINDOW];
}

// Executes one pending transfer, any, and gives the updates that became due.
static bool
execute_pending(machine *m, uint32_t number)
{
    queue_state *q = &m->queue[number];
    uint32_t skip = (uint32_t)(rng_next(&m->rng) % q->waiting), i = 0;
    while (pending_at(q, i)->done || skip) {
        skip -= !pending_at(q, i)->done;
        i++;
    }
    pending_at(q, i)->done = true;
    q->waiting--;
    if (!execute_transfer(m, number, &pending_at(q, i)->rec))
        return false;
    while (q->n && pending_at(q, 0)->done) {
        give_all(m, &pending_at(q, 0)->rec, ISA_AT_COMPLETE);
        q->head = (q->head + 1) % QUEUE_WINDOW;
        q->n--;
    }
    return true;
}

static bool
issue_transfer(machine *m, rt_record *r)
{
    uint32_t number = r->insn->queue;
    queue_state *q = &m->queue[number];
    uint64_t engine_seq = r->seq;
    r->seq = ++q->issued;
    bool ok = true;
    if (m->random) {
        while (ok && q->n == QUEUE_WINDOW)
            ok = execute_pending(m, number);
        *pending_at(q, q->n++) = (pending){.rec = *r};
        q->waiting++;
    } else {
        ok = execute_transfer(m, number, r);
        if (ok)
            give_all(m, r, ISA_AT_COMPLETE);
    }
    r->seq = engine_seq;
    return ok;
}

// ---- engines

static bool
load_register(machine *m, const rt_record *r)
{
    int64_t *reg = &m->engine[r->engine].seq.reg[r->insn->rd];
    for (uint32_t i = 0; i < m->nconsumers; i++)
        if (m->consumer[i].load)
            return m->consumer[i].load(m->consumer[i].ctx, r, reg);
    diag(m->d, rt_loc(m->p, r->engine, r->index), D_RT_NEEDS_DATA,
         rt_insn_text(m->p, r->engine, r->index, m->d));
    return false;
}

static bool
start(machine *m, rt_record *r)
{
    for (uint32_t i = 0; i < m->nconsumers; i++)
        if (m->consumer[i].start &&
            !m->consumer[i].start(m->consumer[i].ctx, r))
            return false;
    if (r->insn->queue)
        return issue_transfer(m, r);
    if (num_op_is(r->op, 'r') && !load_register(m, r))
        return false;
    give_all(m, r, ISA_AT_READ);
    give_all(m, r, ISA_AT_COMPLETE);
    return true;
}

static step_result
end_engine(machine *m, isa_engine number)
{
    m->engine[number].ended = true;
    for (uint32_t i = 0; i < m->nconsumers; i++)
        if (m->consumer[i].end)
            m->consumer[i].end(m->consumer[i].ctx, number);
    return ENDED;
}

static step_result
step(machine *m, isa_engine number)
{
    engine_state *e = &m->engine[number];
    if (e->ended)
        return ENDED;
    if (!e->rec) {
        switch (seq_next(&e->seq, &m->budget, &e->rec)) {
        case SEQ_END: return end_engine(m, number);
        case SEQ_FAULT: return FAULTED;
        case SEQ_LIMIT: return LIMITED;
        case SEQ_RECORD: break;
        }
        e->waited = 0;
    }
    if (!take_waits(m, e))
        return BLOCKED;
    rt_record *r = e->rec;
    e->rec = NULL;
    return start(m, r) ? RAN : FAULTED;
}

// ---- what can go wrong at the end

static bool
all_ended(const machine *m)
{
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
        if (!m->engine[e].ended)
            return false;
    return true;
}

static const char *
giver_state(const machine *m, isa_engine e)
{
    if (m->engine[e].ended)
        return "which has ended";
    return arena_printf(m->d->a, "which is blocked at %s",
                        rt_insn_text(m->p, e, m->engine[e].rec->index, m->d));
}

static void
note_blocked(const machine *m, isa_engine e)
{
    const rt_record *r = m->engine[e].rec;
    const isa_wait *w = &r->insn->wait[m->engine[e].waited];
    const isa_sem *s = &m->p->sem[w->sem];
    isa_engine giver = s->queue ? m->p->feeder[s->queue] : s->producer;
    const char *queue =
        s->queue ? arena_printf(m->d->a, "queue %u, fed by ", s->queue) : "";
    diag_note_add(
        m->d, rt_loc(m->p, e, r->index),
        "%s waits for %u of semaphore %u, which has %llu; they come "
        "from %s%s%s%s",
        rt_insn_text(m->p, e, r->index, m->d), w->count, w->sem,
        (unsigned long long)m->tokens[w->sem], queue, giver ? "the " : "nobody",
        giver ? isa_engine_name(giver) : "",
        giver ? arena_printf(m->d->a, " engine, %s", giver_state(m, giver))
              : "");
}

static rt_outcome
report_deadlock(const machine *m)
{
    uint32_t blocked = 0;
    loc at = {0};
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++) {
        if (m->engine[e].ended)
            continue;
        if (!blocked++)
            at = rt_loc(m->p, e, m->engine[e].rec->index);
    }
    diag(m->d, at, D_RT_DEADLOCK, blocked);
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
        if (!m->engine[e].ended)
            note_blocked(m, e);
    return RT_FAULT;
}

static rt_outcome
check_leftover(const machine *m)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < m->p->nsems; i++) {
        uint32_t initial = m->p->sem[i].initial;
        if (m->tokens[i] == initial)
            continue;
        if (!wrong++)
            diag(m->d, (loc){0}, D_RT_LEFTOVER, i,
                 (unsigned long long)m->tokens[i], initial);
        else if (wrong <= NOTES_MAX)
            diag_note_add(
                m->d, (loc){0},
                "semaphore %u ends with %llu tokens: it began with %u", i,
                (unsigned long long)m->tokens[i], initial);
    }
    return wrong ? RT_FAULT : RT_DONE;
}

static rt_outcome
stop(const machine *m, step_result why)
{
    if (why == LIMITED)
        diag(m->d, (loc){0}, D_RT_MAX_INSNS, (unsigned long long)m->max_insns);
    return why == LIMITED ? RT_LIMIT : RT_FAULT;
}

// ---- orders

static rt_outcome
run_fixed(machine *m)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++) {
            step_result r = step(m, e);
            for (; r == RAN; r = step(m, e))
                moved = true;
            if (r == FAULTED || r == LIMITED)
                return stop(m, r);
        }
    }
    return all_ended(m) ? check_leftover(m) : report_deadlock(m);
}

// A queue with a transfer that has not executed, at random; 0: none.
static uint32_t
pick_queue(machine *m)
{
    uint32_t have = 0, picked = 0;
    for (uint32_t q = 1; q <= ISA_QUEUES; q++)
        if (m->queue[q].waiting && rng_next(&m->rng) % ++have == 0)
            picked = q;
    return picked;
}

// Runs some engine for a while; BLOCKED when none can move.
static step_result
run_some_engine(machine *m)
{
    uint32_t first = (uint32_t)(rng_next(&m->rng) % RT_ENGINES);
    for (uint32_t k = 0; k < RT_ENGINES; k++) {
        isa_engine e = (isa_engine)(ISA_ENG_TENSOR + (first + k) % RT_ENGINES);
        uint32_t burst = 1 + (uint32_t)(rng_next(&m->rng) % BURST);
        uint32_t n = 0;
        step_result r = step(m, e);
        while (r == RAN && ++n < burst)
            r = step(m, e);
        if (n || r == FAULTED || r == LIMITED)
            return n && (r == BLOCKED || r == ENDED) ? RAN : r;
    }
    return BLOCKED;
}

static rt_outcome
run_random(machine *m)
{
    for (;;) {
        step_result r = run_some_engine(m);
        if (r == FAULTED || r == LIMITED)
            return stop(m, r);
        bool want = r == BLOCKED || rng_next(&m->rng) % 8 < m->eagerness;
        uint32_t q = want ? pick_queue(m) : 0;
        if (q && !execute_pending(m, q))
            return RT_FAULT;
        if (r == BLOCKED && !q)
            break;
    }
    return all_ended(m) ? check_leftover(m) : report_deadlock(m);
}

// ---- entry

rt_outcome
machine_run(arena *a, const rt_program *p, const rt_order *order,
            const rt_consumer *consumers, uint32_t n, diags *d)
{
    static const rt_order fixed = {0};
    order = order ? order : &fixed;
    machine *m = ARENA_NEW(a, machine);
    m->p = p;
    m->consumer = consumers;
    m->nconsumers = n;
    m->d = d;
    m->random = order->random;
    m->rng = order->seed;
    m->eagerness = (uint32_t)(rng_next(&m->rng) % 8);
    m->max_insns = order->max_insns;
    m->budget = order->max_insns ? order->max_insns : UINT64_MAX;
    m->tokens = ARENA_ARRAY(a, p->nsems, uint64_t);
    for (uint32_t i = 0; i < p->nsems; i++)
        m->tokens[i] = p->sem[i].initial;
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
        seq_init(&m->engine[e].seq, a, p, e, d);
    if (!m->random)
        return run_fixed(m);
    for (uint32_t q = 1; q <= ISA_QUEUES; q++)
        if (p->feeder[q])
            m->queue[q].ring = ARENA_ARRAY(a, QUEUE_WINDOW, pending);
    return run_random(m);
}

typedef struct {
    const rt_program *p;
    const rt_order *order;
    const rt_consumer *consumers;
    uint32_t n;
    diags *d;
} run_args;

static rt_outcome
run_in_arena(arena *a, void *ctx)
{
    const run_args *r = ctx;
    return machine_run(a, r->p, r->order, r->consumers, r->n, r->d);
}

rt_outcome
rt_machine_run(const rt_program *p, const rt_order *order,
               const rt_consumer *consumers, uint32_t n, diags *d)
{
    run_args r = {p, order, consumers, n, d};
    return rt_in_arena(run_in_arena, &r, "run", d);
}
