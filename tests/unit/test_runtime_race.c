// SPDX-License-Identifier: Apache-2.0
// Race detection against happens-before worked out from the manual's sentences
// by brute force, and footprints against painted bytes.
#include "tests/unit/runtime_programs.h"

// ---- footprints against bytes

enum { SPAN = 10240 };

static int64_t
pick(uint64_t *rng, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(rng_next(rng) % (uint64_t)(hi - lo + 1));
}

static rt_ref
random_ref(uint64_t *rng)
{
    static const num_dtype types[] = {DT_U8, DT_BF16, DT_F32};
    static const int64_t steps[] = {1, 2, 3, 4, 5, 8, 16, 24, 32, 64, 100};
    rt_ref r = {.hbm = true,
                .parts = (uint32_t)pick(rng, 1, 4),
                .dtype = types[pick(rng, 0, 2)],
                .offset = pick(rng, SPAN / 2 - 120, SPAN / 2 + 120),
                .ndim = (uint32_t)pick(rng, 0, 3)};
    int64_t size = num_dtype_bytes(r.dtype);
    r.part_step = steps[pick(rng, 0, 10)] * size * pick(rng, -1, 1);
    for (uint32_t i = 0; i < r.ndim; i++) {
        r.dim[i].step = steps[pick(rng, 0, 10)] * size * pick(rng, -1, 1);
        r.dim[i].count = (uint32_t)pick(rng, 1, 4);
    }
    return r;
}

// Counts how often each byte is named.
static void
paint(const rt_ref *r, uint8_t *bytes)
{
    memset(bytes, 0, SPAN);
    for (uint32_t p = 0; p < r->parts; p++) {
        uint32_t at[NUM_DIMS] = {0};
        for (bool more = true; more;) {
            int64_t b = r->offset + (int64_t)p * r->part_step;
            for (uint32_t i = 0; i < r->ndim; i++)
                b += (int64_t)at[i] * r->dim[i].step;
            for (uint32_t k = 0; k < num_dtype_bytes(r->dtype); k++)
                bytes[b + k] = bytes[b + k] ? 2 : 1;
            uint32_t i = r->ndim;
            while (i > 0 && ++at[i - 1] == r->dim[i - 1].count)
                at[--i] = 0;
            more = i > 0;
        }
    }
}

static bool
erase_run(void *ctx, int64_t lo, int64_t hi)
{
    uint8_t *bytes = ctx;
    for (int64_t i = lo; i < hi; i++) {
        assert_true(bytes[i] > 0);
        bytes[i] |= 0x80;
    }
    return true;
}

static void
footprints_are_byte_exact(void **state)
{
    (void)state;
    static uint8_t x[SPAN], y[SPAN];
    uint64_t rng = 5;
    uint32_t met = 0, covered = 0;
    for (uint32_t n = 0; n < 8000; n++) {
        rt_ref a = random_ref(&rng), b = random_ref(&rng);
        if (n % 4 == 0) { // a part of it
            b = a;
            for (uint32_t i = 0; i < b.ndim; i++)
                b.dim[i].count = (uint32_t)pick(&rng, 1, a.dim[i].count);
        }
        fp_shape sa, sb;
        fp_normalise(&a, &sa);
        fp_normalise(&b, &sb);
        footprint fa = {&sa, a.offset + sa.delta, 0, 1};
        footprint fb = {&sb, b.offset + sb.delta, 0, 1};
        paint(&a, x);
        paint(&b, y);
        bool meet = false, inside = true, twice = false;
        for (uint32_t i = 0; i < SPAN; i++) {
            meet |= x[i] && y[i];
            inside &= x[i] || !y[i];
            twice |= x[i] > 1;
        }
        uint32_t part;
        int64_t byte;
        assert_int_equal(fp_overlap(&fa, &fb, &part, &byte),
                         meet ? FP_OVERLAP : FP_DISJOINT);
        assert_true(!meet || (x[byte] && y[byte]));
        assert_true(inside || !fp_covers(&fa, &fb));
        assert_true(fp_covers(&fa, &fa));
        assert_int_equal(fp_self_overlap(&a), twice ? FP_OVERLAP : FP_DISJOINT);
        fp_each_run(&fa, erase_run, x);
        for (uint32_t i = 0; i < SPAN; i++)
            assert_true(!x[i] || x[i] & 0x80);
        met += meet;
        covered += fp_covers(&fa, &fb);
    }
    assert_true(met > 800 && met < 7200 && covered > 20);
}

// ---- races against brute force

// The oracle's own record of a program: what each instruction touches and does
// with tokens, in one global order in which it could run.
enum {
    STEPS_MAX = 40,
    SEMS_MAX = 48,
    EVENTS = 6 * (STEPS_MAX + SEMS_MAX + 16)
};
enum { AREA_PARTS = 16, AREA_BYTES = 64 };

typedef struct {
    bool used;
    uint32_t part, parts;
    bool byte[AREA_BYTES];
} touched;

typedef struct {
    isa_engine e;
    uint32_t queue;
    touched reads, writes;
    uint32_t waits, wait_sem[2], wait_n[2];
    uint32_t posts, post_sem[2], post_n[2];
    isa_when post_at[2];
} told;

typedef struct {
    fixture *f;
    told step[STEPS_MAX + SEMS_MAX + 16];
    uint32_t n;
    uint32_t tokens[SEMS_MAX];
    uint64_t rng;
} story;

enum { WHOLE = 1 }; // the sync engine initialises the whole area

static isa_ap
random_area(uint64_t *rng, uint32_t elems, uint32_t parts, bool aligned)
{
    uint32_t part = (uint32_t)pick(rng, 0, 3) * 4;
    isa_ap ap = {.mem = ISA_SBUF, .dtype = DT_U8, .ndim = 2};
    ap.part = aligned ? part : (uint32_t)pick(rng, 0, AREA_PARTS - parts);
    uint32_t inner = elems % 2 ? 1 : (uint32_t)pick(rng, 1, 2);
    int64_t step1 = pick(rng, 1, 3);
    int64_t step0 = step1 * inner + pick(rng, 0, 4);
    ap.dim[0].step = step0;
    ap.dim[0].count = elems / inner;
    ap.dim[1].step = step1;
    ap.dim[1].count = inner;
    int64_t reach = step0 * (elems / inner - 1) + step1 * (inner - 1);
    ap.offset = pick(rng, 0, AREA_BYTES - 1 - reach);
    return ap;
}

static touched
touch(const isa_ap *ap, uint32_t parts)
{
    touched t = {.used = true, .part = ap->part, .parts = parts};
    for (uint32_t i = 0; i < ap->dim[0].count; i++)
        for (uint32_t j = 0; j < ap->dim[1].count; j++)
            t.byte[ap->offset + i * ap->dim[0].step + j * ap->dim[1].step] =
                true;
    return t;
}

static bool
share_a_byte(const touched *a, const touched *b)
{
    if (!a->used || !b->used || a->part + a->parts <= b->part ||
        b->part + b->parts <= a->part)
        return false;
    for (uint32_t i = 0; i < AREA_BYTES; i++)
        if (a->byte[i] && b->byte[i])
            return true;
    return false;
}

static uint32_t
random_sem(story *s, bool (*fits)(const isa_sem *, const told *), const told *t,
           bool tokens)
{
    uint32_t found = SEMS_MAX, seen = 0;
    for (uint32_t i = 0; i < s->f->p.sems.n; i++)
        if (fits(&s->f->p.sems.at[i], t) && (!tokens || s->tokens[i]) &&
            rng_next(&s->rng) % ++seen == 0)
            found = i;
    return found;
}

static bool
gives(const isa_sem *sem, const told *t)
{
    return t->queue ? sem->queue == t->queue : sem->producer == t->e;
}

static bool
takes(const isa_sem *sem, const told *t)
{
    return sem->consumer == t->e;
}

static void
add_tokens(story *s, told *t, isa_insn *in)
{
    for (int k = 0; k < 2; k++) {
        uint32_t sem = random_sem(s, takes, t, true);
        if (sem == SEMS_MAX || rng_next(&s->rng) % 5 > 2 ||
            (t->waits && t->wait_sem[0] == sem))
            continue;
        uint32_t n = (uint32_t)pick(&s->rng, 1, (int64_t)s->tokens[sem]);
        t->wait_sem[t->waits] = sem;
        t->wait_n[t->waits++] = n;
        wait_for(in, sem, n);
        s->tokens[sem] -= n;
    }
    for (int k = 0; k < 2; k++) {
        uint32_t sem = random_sem(s, gives, t, false);
        if (sem == SEMS_MAX || rng_next(&s->rng) % 3 == 0)
            continue;
        isa_when when =
            t->queue || sem % 2 || sem < 3 ? ISA_AT_COMPLETE : ISA_AT_READ;
        uint32_t n = t->queue ? 1 : (uint32_t)pick(&s->rng, 1, 2);
        post(in, sem, when);
        in->update[t->posts].count = n;
        t->post_sem[t->posts] = sem;
        t->post_n[t->posts] = n;
        t->post_at[t->posts++] = when;
        s->tokens[sem] += n;
    }
}

static void
random_step(story *s)
{
    told *t = &s->step[s->n++];
    uint32_t kind = (uint32_t)(rng_next(&s->rng) % 3);
    static const isa_engine engines[] = {ISA_ENG_VECTOR, ISA_ENG_GPSIMD,
                                         ISA_ENG_SCALAR, ISA_ENG_SYNC};
    t->e = engines[rng_next(&s->rng) % 4];
    if (t->e == ISA_ENG_SYNC || (t->e == ISA_ENG_GPSIMD && kind == 0))
        t->queue = t->e == ISA_ENG_SYNC ? 1 + kind % 2 : 3;
    bool is_fill = !t->queue && t->e != ISA_ENG_SCALAR && kind == 1;
    uint32_t parts = (uint32_t)pick(&s->rng, 1, 4);
    uint32_t elems = (uint32_t)pick(&s->rng, 1, 6);
    isa_insn *in = emit(s->f, t->e,
                        t->queue  ? ISA_DMA
                        : is_fill ? ISA_FILL
                                  : ISA_COPY);
    in->queue = t->queue;
    in->parts = parts;
    do {
        in->dst = random_area(&s->rng, elems, parts, !t->queue);
        t->writes = touch(&in->dst, parts);
        if (is_fill)
            break;
        in->a = random_area(&s->rng, elems, parts, !t->queue);
        t->reads = touch(&in->a, parts);
    } while (share_a_byte(&t->reads, &t->writes));
    if (is_fill) {
        in->as = NUM_AS_U32;
        in->s0.imm = s->n;
    }
    add_tokens(s, t, in);
}

// A mark that waits for n tokens.
static void
drain_step(story *s, uint32_t sem, uint32_t n)
{
    told *t = &s->step[s->n++];
    t->e = s->f->p.sems.at[sem].consumer;
    t->waits = 1;
    t->wait_sem[0] = sem;
    t->wait_n[0] = n;
    wait_for(emit(s->f, t->e, ISA_MARK), sem, n);
    s->tokens[sem] -= n;
}

// Every byte is written before anything else happens, and all know it.
static void
initialise(story *s)
{
    isa_engine others[] = {ISA_ENG_GPSIMD, ISA_ENG_SCALAR, ISA_ENG_SYNC};
    for (int i = 0; i < 3; i++) {
        told *t = &s->step[s->n++];
        t->e = ISA_ENG_VECTOR;
        isa_insn *in = emit(s->f, ISA_ENG_VECTOR, i ? ISA_MARK : ISA_FILL);
        if (!i) {
            in->as = NUM_AS_U32;
            in->parts = AREA_PARTS;
            in->dst = chip(ISA_SBUF, 0, DT_U8, 0, AREA_BYTES);
            in->s0.imm = 5;
            t->writes = (touched){.used = true, .parts = AREA_PARTS};
            memset(t->writes.byte, true, AREA_BYTES);
        }
        uint32_t sem = add_sem(s->f, ISA_ENG_VECTOR, 0, others[i], 0);
        in = vec_last(&s->f->p.stream[ISA_ENG_VECTOR].code);
        post(in, sem, ISA_AT_COMPLETE);
        t->posts = 1;
        t->post_sem[0] = sem;
        t->post_n[0] = 1;
        t->post_at[0] = ISA_AT_COMPLETE;
        s->tokens[sem]++;
    }
    for (uint32_t i = 0; i < 3; i++)
        drain_step(s, i, 1);
}

// A token of everything engine e, or its queue, did; the sync engine takes it.
static void
finish_stream(story *s, isa_engine e, uint32_t queue)
{
    told *t = &s->step[s->n++];
    isa_insn *in = emit(s->f, e, ISA_MARK);
    uint32_t sem = add_sem(s->f, queue ? 0 : e, queue, ISA_ENG_SYNC, 0);
    t->e = e;
    t->queue = in->queue = queue;
    post(in, sem, ISA_AT_COMPLETE);
    t->posts = 1;
    t->post_sem[0] = sem;
    t->post_n[0] = 1;
    t->post_at[0] = ISA_AT_COMPLETE;
    s->tokens[sem]++;
    drain_step(s, sem, 1);
}

// When all is done, the area goes to an output.
static void
show_area(story *s)
{
    finish_stream(s, ISA_ENG_VECTOR, 0);
    finish_stream(s, ISA_ENG_SCALAR, 0);
    finish_stream(s, ISA_ENG_GPSIMD, 0);
    finish_stream(s, ISA_ENG_SYNC, 1);
    finish_stream(s, ISA_ENG_SYNC, 2);
    finish_stream(s, ISA_ENG_GPSIMD, 3);
    uint32_t out = add_tensor(s->f, "area", OBJ_TENSOR_OUTPUT, DT_U8,
                              AREA_PARTS, AREA_BYTES);
    told *t = &s->step[s->n++];
    t->e = ISA_ENG_SYNC;
    t->queue = 4;
    t->reads = (touched){.used = true, .parts = AREA_PARTS};
    memset(t->reads.byte, true, AREA_BYTES);
    dma(s->f, ISA_ENG_SYNC, 4, AREA_PARTS,
        hbm(out, DT_U8, 0, AREA_BYTES, AREA_BYTES),
        chip(ISA_SBUF, 0, DT_U8, 0, AREA_BYTES));
}

static story *
random_story(uint64_t seed)
{
    fixture *f = fixture_new();
    story *s = ARENA_NEW(f->a, story);
    s->f = f;
    s->rng = seed;
    initialise(s);
    isa_engine es[] = {ISA_ENG_VECTOR, ISA_ENG_GPSIMD, ISA_ENG_SCALAR,
                       ISA_ENG_SYNC};
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < 4; j++)
            if (i != j && rng_next(&s->rng) % 4)
                s->tokens[add_sem(f, es[i], 0, es[j], 0)] = 0;
    for (uint32_t q = 1; q <= 3; q++)
        for (uint32_t j = 0; j < 4; j++)
            if (rng_next(&s->rng) % 4)
                s->tokens[add_sem(f, 0, q, es[j], 0)] = 0;
    uint32_t steps = (uint32_t)pick(&s->rng, 3, 14);
    for (uint32_t i = 0; i < steps; i++)
        random_step(s);
    for (uint32_t i = 0; i < f->p.sems.n; i++)
        if (s->tokens[i])
            drain_step(s, i, s->tokens[i]);
    show_area(s);
    end_all(f);
    return s;
}

// Events of step i: its start, its reads and writes done, a transfer's begin
// and end, and the queue's update.
enum { START, READ, WROTE, BEGIN, DONE, UPDATE };

typedef struct {
    uint64_t row[EVENTS][EVENTS / 64 + 1];
} order_matrix;

static uint32_t
event(uint32_t step, uint32_t what)
{
    return step * 6 + what;
}

static void
before(order_matrix *m, uint32_t a, uint32_t b)
{
    m->row[a][b / 64] |= (uint64_t)1 << b % 64;
}

static bool
is_before(const order_matrix *m, uint32_t a, uint32_t b)
{
    return m->row[a][b / 64] >> b % 64 & 1;
}

static void
stream_edges(const story *s, order_matrix *m)
{
    int32_t engine_last[ISA_ENG_COUNT], queue_last[ISA_QUEUES + 1];
    memset(engine_last, 0xff, sizeof engine_last);
    memset(queue_last, 0xff, sizeof queue_last);
    for (uint32_t i = 0; i < s->n; i++) {
        const told *t = &s->step[i];
        before(m, event(i, START), event(i, READ));
        before(m, event(i, READ), event(i, WROTE));
        int32_t p = engine_last[t->e];
        for (uint32_t w = START; p >= 0 && w <= WROTE; w++)
            before(m, event((uint32_t)p, w), event(i, w));
        if (t->queue) {
            before(m, event(i, START), event(i, BEGIN));
            before(m, event(i, BEGIN), event(i, DONE));
            before(m, event(i, DONE), event(i, UPDATE));
            if (p >= 0)
                before(m, event((uint32_t)p, WROTE), event(i, BEGIN));
            int32_t q = queue_last[t->queue];
            if (q >= 0)
                before(m, event((uint32_t)q, UPDATE), event(i, UPDATE));
            queue_last[t->queue] = (int32_t)i;
        }
        engine_last[t->e] = (int32_t)i;
    }
}

// The n-th token taken is the n-th given.
static void
token_edges(const story *s, order_matrix *m)
{
    for (uint32_t sem = 0; sem < s->f->p.sems.n; sem++) {
        uint32_t from[256], given = 0, taken = 0;
        for (uint32_t i = 0; i < s->n; i++) {
            const told *t = &s->step[i];
            for (uint32_t k = 0; k < t->waits; k++)
                for (uint32_t c = 0; t->wait_sem[k] == sem && c < t->wait_n[k];
                     c++)
                    before(m, from[taken++], event(i, START));
            for (uint32_t k = 0; k < t->posts; k++)
                for (uint32_t c = 0; t->post_sem[k] == sem && c < t->post_n[k];
                     c++)
                    from[given++] =
                        event(i, t->queue                       ? UPDATE
                                 : t->post_at[k] == ISA_AT_READ ? READ
                                                                : WROTE);
        }
        assert_int_equal(given, taken);
    }
}

static void
close_order(order_matrix *m, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < n; i++)
            if (is_before(m, i, k))
                for (uint32_t w = 0; w <= n / 64; w++)
                    m->row[i][w] |= m->row[k][w];
}

// Whether an access of step i surely precedes those of step j.
static bool
precedes(const story *s, const order_matrix *m, uint32_t i, bool write,
         uint32_t j)
{
    uint32_t end = s->step[i].queue ? DONE : write ? WROTE : READ;
    return is_before(m, event(i, end),
                     event(j, s->step[j].queue ? BEGIN : START));
}

static bool
pair_races(const story *s, const order_matrix *m, uint32_t i, uint32_t j)
{
    const told *x = &s->step[i], *y = &s->step[j];
    if (!x->queue && !y->queue && x->e == y->e)
        return false;
    for (int k = 1; k < 4; k++) { // bit 0: i writes, bit 1: j writes
        const touched *a = k & 1 ? &x->writes : &x->reads;
        const touched *b = k & 2 ? &y->writes : &y->reads;
        if (share_a_byte(a, b) && !precedes(s, m, i, k & 1, j) &&
            !precedes(s, m, j, k & 2, i))
            return true;
    }
    return false;
}

static bool
story_races(const story *s)
{
    order_matrix *m = ARENA_NEW(s->f->a, order_matrix);
    assert_true(event(s->n, 0) <= EVENTS);
    stream_edges(s, m);
    token_edges(s, m);
    close_order(m, s->n * 6);
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t j = i + 1; j < s->n; j++)
            if (pair_races(s, m, i, j))
                return true;
    return false;
}

static void
same_bytes_in_any_order(story *s, const rt_program *p)
{
    uint8_t want[AREA_PARTS * AREA_BYTES];
    run_ok(s->f, p, NULL);
    memcpy(want, s->f->bind[0], sizeof want);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        rt_order order = {.random = true, .seed = seed};
        memset(s->f->bind[0], 0xee, sizeof want);
        run_ok(s->f, p, &order);
        assert_memory_equal(s->f->bind[0], want, sizeof want);
    }
}

static void
races_are_those_of_the_definition(void **state)
{
    (void)state;
    uint32_t racy = 0, clean = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        story *s = random_story(seed);
        bool races = story_races(s);
        rt_program *p = load(s->f);
        rt_outcome out = rt_certify(p, &s->f->d);
        if ((out == RT_FAULT) != races) {
            print_message("seed %llu, oracle says %d\n",
                          (unsigned long long)seed, races);
            show(s->f);
        }
        assert_int_equal(out, races ? RT_FAULT : RT_DONE);
        if (races)
            assert_int_equal(s->f->d.msgs.at[0].id, D_RT_RACE);
        else if (seed % 4 == 0)
            same_bytes_in_any_order(s, p);
        racy += races;
        clean += !races;
        fixture_free(s->f);
    }
    assert_true(racy > 500 && clean > 300);
}

// ---- everything

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(footprints_are_byte_exact),
        cmocka_unit_test(races_are_those_of_the_definition),
    };
    return cmocka_run_group_tests_name("runtime_race", tests, NULL, NULL);
}
