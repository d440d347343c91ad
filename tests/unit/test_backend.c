// SPDX-License-Identifier: Apache-2.0
// place, sync and emit: tile programs by hand and at random, compiled for
// 'tiny', certified, run in several engine orders and compared with the tile
// IR's evaluator. Every dependence is then taken away by itself: the certifier
// has to miss it.
#include "backend/backend.h"
#include "isa-spec/program.h"
#include "runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    arena *a;
    diags d;
    pass_ctx cx;
} rig;

static void
rig_open(rig *r, const char *target)
{
    memset(r, 0, sizeof *r);
    r->a = arena_new();
    diags_init(&r->d, r->a);
    r->cx = (pass_ctx){
        .a = r->a, .d = &r->d, .target = isa_target_find(target), .opt = 2};
    assert_non_null(r->cx.target);
}

static void
show(rig *r, const char *what)
{
    strbuf b = strbuf_new(r->a);

    for (uint32_t i = 0; i < r->d.msgs.n; i++)
        diag_render(&r->d, &r->d.msgs.at[i], false, &b);
    if (r->cx.tile)
        tile_print(r->cx.tile, &b);
    print_message("%s:\n%.*s\n", what, STR_ARG(strbuf_str(&b)));
}

#define EXPECT(r, cond)                                                        \
    do {                                                                       \
        if (!(cond)) {                                                         \
            show((r), #cond);                                                  \
            fail();                                                            \
        }                                                                      \
    } while (0)

static void
rig_parse(rig *r, const char *text)
{
    uint32_t source = diag_add_source(&r->d, "test", str_of(text));

    r->cx.tile = tile_parse(r->a, &r->d, source);
    EXPECT(r, r->cx.tile != NULL);
    EXPECT(r, tile_verify(r->cx.tile, &r->d));
}

static str
text_of(rig *r)
{
    strbuf b = strbuf_new(r->a);

    tile_print(r->cx.tile, &b);
    return strbuf_str(&b);
}

static void
rig_compile(rig *r)
{
    pass_options o = {.verify_each = true};

    EXPECT(r, backend_run(&r->cx, &o));
}

static rt_program *
rig_program(rig *r)
{
    emit_program *p = backend_emit(&r->cx);
    isa_program *whole = ARENA_NEW(r->a, isa_program);
    rt_program *rt;

    EXPECT(r, p != NULL);
    backend_program(&r->cx, p, STR(""), text_of(r), whole);
    rt = rt_from_program(r->a, whole, &r->d);
    EXPECT(r, rt != NULL);
    return rt;
}

// ---- data -------------------------------------------------------------------

typedef struct {
    uint32_t n;
    uint8_t **at;
    size_t *bytes;
} memory;

static size_t
tensor_bytes(const tir_tensor *t)
{
    return (size_t)tir_elems(t) * num_dtype_bytes(t->dtype);
}

// Inputs hold small random numbers of their type, the rest zeros.
static memory
make_memory(rig *r, uint64_t seed, uint32_t n)
{
    memory m = {n, ARENA_ARRAY(r->a, n, uint8_t *),
                ARENA_ARRAY(r->a, n, size_t)};

    for (uint32_t i = 0; i < n; i++) {
        const tir_tensor *t = &r->cx.tile->tensors.at[i];
        uint32_t size = num_dtype_bytes(t->dtype);
        m.bytes[i] = tensor_bytes(t);
        m.at[i] = arena_alloc(r->a, m.bytes[i] + 1);
        if (t->kind == TIR_CONST)
            memcpy(m.at[i], t->data, m.bytes[i]);
        for (size_t k = 0; t->kind == TIR_INPUT && k < m.bytes[i] / size; k++) {
            float x = (float)(rng_next(&seed) % 2001) / 256.0f - 3.9f;
            num_store(t->dtype, m.at[i] + k * size, NUM_AS_F32,
                      num_word_f32(x));
        }
    }
    return m;
}

static void
expect_same_outputs(rig *r, const memory *want, const memory *got)
{
    for (uint32_t i = 0; i < want->n; i++) {
        const tir_tensor *t = &r->cx.tile->tensors.at[i];
        if (t->kind == TIR_OUTPUT)
            EXPECT(r, memcmp(want->at[i], got->at[i], want->bytes[i]) == 0);
    }
}

static void
expect_runs(rig *r, uint32_t orders)
{
    uint32_t n = r->cx.tile->tensors.n;
    memory want = make_memory(r, 7, n), got = make_memory(r, 7, n);
    void **bufs = ARENA_ARRAY(r->a, n, void *);
    uint8_t **bind = ARENA_ARRAY(r->a, n, uint8_t *);
    rt_program *p = rig_program(r);

    for (uint32_t i = 0; i < n; i++) {
        tir_kind k = r->cx.tile->tensors.at[i].kind;
        bufs[i] = want.at[i];
        bind[i] = k == TIR_INPUT || k == TIR_OUTPUT ? got.at[i] : NULL;
    }
    EXPECT(r, tile_eval(r->cx.tile, bufs, &r->d));
    EXPECT(r, rt_certify(p, &r->d) == RT_DONE);
    for (uint32_t i = 0; i <= orders; i++) {
        rt_order order = {.random = i > 0, .seed = i};
        EXPECT(r, rt_interpret(p, &order, bind, &r->d) == RT_DONE);
        expect_same_outputs(r, &want, &got);
    }
}

// ---- the structure of what sync leaves
// -----------------------------------------

static void
expect_token(rig *r, const tile_token *t, const tile_op *op, bool post)
{
    const tile_sem *s = &r->cx.tile->sems.at[t->sem];

    EXPECT(r, t->sem < r->cx.tile->sems.n && t->count == 1);
    if (!post)
        EXPECT(r, s->consumer == op->engine);
    else if (op->queue)
        EXPECT(r, s->producer_queue == op->queue);
    else
        EXPECT(r, s->producer == op->engine && !s->producer_queue);
}

// Both ends of every semaphore are in one body, equally often.
static void
expect_structure(rig *r)
{
    const tile_fn *fn = r->cx.tile;
    uint32_t *body = ARENA_ARRAY(r->a, fn->sems.n, uint32_t);
    int32_t *balance = ARENA_ARRAY(r->a, fn->sems.n, int32_t);

    for (uint32_t l = 0; l < fn->loops.n; l++) {
        for (uint32_t i = 0; i < fn->loops.at[l].items.n; i++) {
            tile_item it = fn->loops.at[l].items.at[i];
            const tile_op *op = &fn->ops.at[it.id];
            if (it.is_loop)
                continue;
            for (uint32_t k = 0; k < op->nwait; k++) {
                uint32_t s = op->wait[k].sem;
                expect_token(r, &op->wait[k], op, false);
                EXPECT(r, !body[s] || body[s] == l + 1);
                body[s] = l + 1;
                balance[s]--;
            }
            for (uint32_t k = 0; k < op->npost; k++) {
                uint32_t s = op->post[k].sem;
                expect_token(r, &op->post[k], op, true);
                EXPECT(r, !body[s] || body[s] == l + 1);
                body[s] = l + 1;
                balance[s]++;
            }
        }
    }
    for (uint32_t s = 0; s < fn->sems.n; s++)
        EXPECT(r, balance[s] == 0 && body[s]);
}

static void
drop_token(tile_token *t, uint32_t *n, uint32_t i)
{
    for (; i + 1 < *n; i++)
        t[i] = t[i + 1];
    (*n)--;
}

// Takes the k-th wait and the k-th post of a semaphore away.
static void
drop_edge(tile_fn *fn, uint32_t sem, uint32_t nth, uint32_t credits)
{
    uint32_t waits = 0, posts = 0;

    fn->sems.at[sem].initial -= credits;
    for (uint32_t l = 0; l < fn->loops.n; l++) {
        for (uint32_t i = 0; i < fn->loops.at[l].items.n; i++) {
            tile_item it = fn->loops.at[l].items.at[i];
            tile_op *op = &fn->ops.at[it.id];
            if (it.is_loop)
                continue;
            for (uint32_t k = op->nwait; k-- > 0;)
                if (op->wait[k].sem == sem && waits++ == nth)
                    drop_token(op->wait, &op->nwait, k);
            for (uint32_t k = op->npost; k-- > 0;)
                if (op->post[k].sem == sem && posts++ == nth)
                    drop_token(op->post, &op->npost, k);
        }
    }
}

static uint32_t
count_edges(const tile_fn *fn, uint32_t sem)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < fn->ops.n; i++)
        for (uint32_t k = 0; k < fn->ops.at[i].nwait; k++)
            n += fn->ops.at[i].wait[k].sem == sem;
    return n;
}

// How many dependences the certifier does not miss when they are gone. The
// program must be compiled, from the text.
static uint32_t
count_redundant(const char *text, uint32_t *edges)
{
    uint32_t redundant = 0, sems;
    rig whole;

    rig_open(&whole, "tiny");
    rig_parse(&whole, text);
    rig_compile(&whole);
    sems = whole.cx.tile->sems.n;
    *edges = 0;
    for (uint32_t s = 0; s < sems; s++) {
        uint32_t n = count_edges(whole.cx.tile, s);
        for (uint32_t k = 0; k < n; k++) {
            rig r;
            rig_open(&r, "tiny");
            rig_parse(&r, text);
            rig_compile(&r);
            drop_edge(r.cx.tile, s, k, r.cx.tile->sems.at[s].initial / n);
            if (rt_certify(rig_program(&r), &r.d) == RT_DONE) {
                print_message("redundant: edge %u of semaphore %u\n", k, s);
                redundant++;
            }
            arena_free(r.a);
            (*edges)++;
        }
    }
    if (redundant)
        show(&whole, "redundant");
    arena_free(whole.a);
    return redundant;
}

static void
expect_good(const char *text, uint32_t orders)
{
    uint32_t edges;
    rig r;

    rig_open(&r, "tiny");
    rig_parse(&r, text);
    rig_compile(&r);
    expect_structure(&r);
    expect_runs(&r, orders);
    arena_free(r.a);
    assert_int_equal(count_redundant(text, &edges), 0);
    assert_true(edges > 0);
}

// ---- programs
// ---------------------------------------------------------------------

static const char *const vector_add =
    "tile_ir @vadd target \"tiny\" {\n"
    "  input @a: f32[100, 10]\n"
    "  input @b: f32[100, 10]\n"
    "  output @c: f32[100, 10]\n"
    "  for i1 < 7 {\n"
    "    for i2 < 3 {\n"
    "      sbuf %x: f32[16, 4] slots 2\n"
    "      sbuf %y: f32[16, 4] slots 2\n"
    "      sbuf %z: f32[16, 4] slots 2\n"
    "      sync dma q1 [min(16, 100 - 16*i1)] %x[0; (1,min(4, 10 - 4*i2))] = "
    "@a[160*i1 + 4*i2; 10*p; (1,min(4, 10 - 4*i2))]\n"
    "      sync dma q2 [min(16, 100 - 16*i1)] %y[0; (1,min(4, 10 - 4*i2))] = "
    "@b[160*i1 + 4*i2; 10*p; (1,min(4, 10 - 4*i2))]\n"
    "      vector tt.f32 add [min(16, 100 - 16*i1)] "
    "%z[0; (1,min(4, 10 - 4*i2))] = %x[0; (1,min(4, 10 - 4*i2))], "
    "%y[0; (1,min(4, 10 - 4*i2))]\n"
    "      scalar dma q3 [min(16, 100 - 16*i1)] "
    "@c[160*i1 + 4*i2; 10*p; (1,min(4, 10 - 4*i2))] = "
    "%z[0; (1,min(4, 10 - 4*i2))]\n"
    "    }\n"
    "  }\n"
    "}\n";

static const char *const matmul =
    "tile_ir @matmul target \"tiny\" {\n"
    "  input @a: bf16[40, 50]\n"
    "  input @b: bf16[50, 150]\n"
    "  output @c: f32[40, 150]\n"
    "  for i1 < 3 {\n"
    "    for i2 < 3 {\n"
    "      psum %acc: f32[16, 64] slots 2\n"
    "      sbuf %o: f32[16, 64] slots 2\n"
    "      for i3 < 4 {\n"
    "        sbuf %w: bf16[16, 16] slots 2\n"
    "        sbuf %x: bf16[16, 64] slots 2\n"
    "        sync dma q1 [min(16, 50 - 16*i3)] "
    "%w[0; (1,min(16, 40 - 16*i1))] = "
    "@a[800*i1 + 16*i3; 1*p; (50,min(16, 40 - 16*i1))]\n"
    "        sync dma q2 [min(16, 50 - 16*i3)] "
    "%x[0; (1,min(64, 150 - 64*i2))] = "
    "@b[64*i2 + 2400*i3; 150*p; (1,min(64, 150 - 64*i2))]\n"
    "        tensor ldw [min(16, 50 - 16*i3)] "
    "%w[0; (1,min(16, 40 - 16*i1))]\n"
    "        tensor matmul [min(16, 50 - 16*i3) -> min(16, 40 - 16*i1)] "
    "%acc[0; (1,min(64, 150 - 64*i2))] += "
    "%x[0; (1,min(64, 150 - 64*i2))] except first i3\n"
    "      }\n"
    "      vector copy [min(16, 40 - 16*i1)] "
    "%o[0; (1,min(64, 150 - 64*i2))] = %acc[0; (1,min(64, 150 - 64*i2))]\n"
    "      scalar dma q3 [min(16, 40 - 16*i1)] "
    "@c[2400*i1 + 64*i2; 150*p; (1,min(64, 150 - 64*i2))] = "
    "%o[0; (1,min(64, 150 - 64*i2))]\n"
    "    }\n"
    "  }\n"
    "}\n";

// Two nests, an HBM temp between them, shared addresses, a transposing read.
static const char *const two_nests =
    "tile_ir @nests target \"tiny\" {\n"
    "  input @a: f32[30, 20]\n"
    "  temp @t: f32[30, 20]\n"
    "  output @c: f32[20, 30]\n"
    "  for i1 < 4 {\n"
    "    sbuf %x: f32[8, 20] slots 2\n"
    "    sbuf %y: f32[8, 20] slots 3\n"
    "    sync dma q1 [min(8, 30 - 8*i1)] %x[0; (1,20)] = "
    "@a[160*i1; 20*p; (1,20)]\n"
    "    scalar act.f32 exp [min(8, 30 - 8*i1)] %y[0; (1,20)] = "
    "%x[0; (1,20)]\n"
    "    scalar dma q2 [min(8, 30 - 8*i1)] @t[160*i1; 20*p; (1,20)] = "
    "%y[0; (1,20)]\n"
    "  }\n"
    "  for i2 < 3 {\n"
    "    sbuf %z: f32[8, 30] slots 2\n"
    "    sync dma q1 [min(8, 20 - 8*i2)] %z[0; (1,30)] = "
    "@t[8*i2; 1*p; (20,30)]\n"
    "    vector ts.f32 mul [min(8, 20 - 8*i2)] %z[0; (1,30)] = "
    "%z[0; (1,30)], 2.0\n"
    "    vector dma q3 [min(8, 20 - 8*i2)] @c[240*i2; 30*p; (1,30)] = "
    "%z[0; (1,30)]\n"
    "  }\n"
    "}\n";

// c[i] = sum over j <= i of a[j], by an inner loop with i + 1 trips.
static const char *const triangular =
    "tile_ir @triangular target \"tiny\" {\n"
    "  input @a: f32[7, 12]\n"
    "  output @c: f32[7, 12]\n"
    "  for i1 < 7 {\n"
    "    sbuf %s: f32[1, 12] slots 2\n"
    "    gpsimd fill.f32 [1] %s[0; (1,12)] = 0.0\n"
    "    for i2 < min(7, 1 + i1) {\n"
    "      sbuf %x: f32[1, 12] slots 2\n"
    "      sync dma q1 [1] %x[0; (1,12)] = @a[12*i2; 0*p; (1,12)]\n"
    "      vector tt.f32 add [1] %s[0; (1,12)] = %s[0; (1,12)], "
    "%x[0; (1,12)]\n"
    "    }\n"
    "    scalar dma q2 [1] @c[12*i1; 0*p; (1,12)] = %s[0; (1,12)]\n"
    "  }\n"
    "}\n";

// Of the inner loops the first runs max(0, i1 - 1) times, the second twice or
// not at all; in one iteration both run.
static const char *const zero_trips =
    "tile_ir @zero target \"tiny\" {\n"
    "  input @a: f32[8, 12]\n"
    "  output @c: f32[6, 12]\n"
    "  for i1 < 6 {\n"
    "    sbuf %s: f32[1, 12] slots 2\n"
    "    gpsimd fill.f32 [1] %s[0; (1,12)] = 1.5\n"
    "    for i2 < min(7, -1 + i1) {\n"
    "      sbuf %x: f32[1, 12] slots 3\n"
    "      sync dma q1 [1] %x[0; (1,12)] = @a[12*i2; 0*p; (1,12)]\n"
    "      vector tt.f32 mul [1] %s[0; (1,12)] = %s[0; (1,12)], "
    "%x[0; (1,12)]\n"
    "    }\n"
    "    for i3 < min(4, (13 - 4*i1)/2) {\n"
    "      sbuf %y: f32[1, 12] slots 2\n"
    "      sync dma q1 [1] %y[0; (1,12)] = @a[12*i3 + 24; 0*p; (1,12)]\n"
    "      scalar act.f32 abs [1] %y[0; (1,12)] = %y[0; (1,12)]\n"
    "      vector tt.f32 add [1] %s[0; (1,12)] = %s[0; (1,12)], "
    "%y[0; (1,12)]\n"
    "    }\n"
    "    scalar dma q2 [1] @c[12*i1; 0*p; (1,12)] = %s[0; (1,12)]\n"
    "  }\n"
    "}\n";

// More producers and consumers than an instruction has room for.
static const char *const crowded =
    "tile_ir @crowded target \"tiny\" {\n"
    "  input @a: f32[5, 8]\n"
    "  output @c: f32[4, 16]\n"
    "  output @e: f32[4, 8]\n"
    "  for i1 < 4 {\n"
    "    sbuf %x: f32[1, 8] slots 2\n"
    "    sbuf %y: f32[1, 8] slots 2\n"
    "    sbuf %v: f32[1, 1] slots 2\n"
    "    sbuf %r: f32[1, 16] slots 2\n"
    "    sbuf %g: f32[1, 8] slots 2\n"
    "    sync dma q1 [1] %x[0; (1,8)] = @a[8*i1; 0*p; (1,8)]\n"
    "    sync dma q2 [1] %y[0; (1,8)] = @a[8*i1 + 8; 0*p; (1,8)]\n"
    "    sync dma q3 [1] %v[0; (1,1)] = @a[8*i1 + 3; 0*p; (1,1)]\n"
    "    gpsimd copy [1] %r[8; (1,8)] = %x[0; (1,8)]\n"
    "    scalar act.f32 square [1] %g[0; (1,8)] = %x[0; (1,8)]\n"
    "    vector stt.f32 mul add [1] %r[0; (1,8)] = %x[0; (1,8)], "
    "%v[0], %y[0; (1,8)]\n"
    "    vector tt.f32 add [1] %g[0; (1,8)] = %g[0; (1,8)], %r[8; (1,8)]\n"
    "    sync dma q4 [1] @c[16*i1; 0*p; (1,16)] = %r[0; (1,16)]\n"
    "    sync dma q5 [1] @e[8*i1; 0*p; (1,8)] = %g[0; (1,8)]\n"
    "  }\n"
    "}\n";

static void
test_vector_add(void **state)
{
    (void)state;
    expect_good(vector_add, 20);
}

static void
test_matmul(void **state)
{
    (void)state;
    expect_good(matmul, 20);
}

static void
test_two_nests(void **state)
{
    (void)state;
    expect_good(two_nests, 20);
}

static void
test_triangular(void **state)
{
    (void)state;
    expect_good(triangular, 20);
}

static void
test_zero_trips(void **state)
{
    (void)state;
    expect_good(zero_trips, 20);
}

static void
test_crowded(void **state)
{
    (void)state;
    expect_good(crowded, 20);
}

// ---- programs at random
// ---------------------------------------------------------------

// Nested loops over buffers of 4 partitions x 8 elements and tensors of 4 x 32.
// Whatever is read was written before; everything else is chance: engines,
// queues, homes, slots, trip counts, offsets.
typedef struct {
    uint64_t seed;
    strbuf out;
    uint32_t loops, depth;
    uint32_t names, bufs, name[24]; // made so far; in sight, and their names
    uint32_t loop[5];               // per depth: its loop's number
    uint32_t items;                 // left
} maker;

static uint32_t
chance(maker *m, uint32_t n)
{
    return (uint32_t)(rng_next(&m->seed) >> 33) % n;
}

static void
indent(maker *m)
{
    strbuf_printf(&m->out, "%*s", (int)(2 + 2 * m->depth), "");
}

static const char *
some_engine(maker *m)
{
    return chance(m, 2) ? "vector" : "gpsimd";
}

// Each queue is fed by one engine.
static void
put_dma(maker *m)
{
    static const char *const feeder[] = {"sync", "sync", "scalar", "vector"};
    uint32_t q = chance(m, 4);

    indent(m);
    strbuf_printf(&m->out, "%s dma q%u [4] ", feeder[q], q + 1);
}

// Half of a buffer or all of it; a half may move with a loop.
static uint32_t
pick_columns(maker *m)
{
    return chance(m, 3) ? 8 : 4;
}

static void
put_buf(maker *m, uint32_t columns)
{
    uint32_t b = m->name[chance(m, m->bufs)],
             l = m->depth ? 1 + chance(m, m->depth) : 0;

    strbuf_printf(&m->out, "%%b%u[", b);
    if (columns == 8)
        strbuf_printf(&m->out, "0");
    else if (l && chance(m, 2))
        strbuf_printf(&m->out, "i%u", m->loop[l]);
    else
        strbuf_printf(&m->out, "%u", chance(m, 5));
    strbuf_printf(&m->out, "; (1,%u)]", columns);
}

static void
put_hbm(maker *m, const char *name, uint32_t columns)
{
    uint32_t l = m->depth ? 1 + chance(m, m->depth) : 0;

    strbuf_printf(&m->out, "@%s[", name);
    if (l && chance(m, 3))
        strbuf_printf(&m->out, "%u*i%u + ", columns < 8 ? 4 : 5, m->loop[l]);
    strbuf_printf(&m->out, "%u; 32*p; (1,%u)]", chance(m, 3), columns);
}

// In place, for parts of a buffer may overlap otherwise.
static void
put_square(maker *m, uint32_t columns)
{
    size_t from;
    str ref;

    strbuf_printf(&m->out, "scalar act.f32 square [4] ");
    from = m->out.n;
    put_buf(m, columns);
    ref = str_dup(m->out.a, (str){m->out.p + from, m->out.n - from});
    strbuf_printf(&m->out, " = %.*s", STR_ARG(ref));
}

static void
put_item(maker *m)
{
    uint32_t columns = pick_columns(m);

    switch (chance(m, 6)) {
    case 0:
        put_dma(m);
        put_buf(m, columns);
        strbuf_printf(&m->out, " = ");
        put_hbm(m, chance(m, 2) ? "t" : "a", columns);
        break;
    case 1:
        put_dma(m);
        put_hbm(m, chance(m, 2) ? "t" : "c", columns);
        strbuf_printf(&m->out, " = ");
        put_buf(m, columns);
        break;
    case 2:
        indent(m);
        strbuf_printf(&m->out, "%s tt.f32 %s [4] ", some_engine(m),
                      chance(m, 2) ? "add" : "max");
        put_buf(m, 8);
        strbuf_printf(&m->out, " = ");
        put_buf(m, 8);
        strbuf_printf(&m->out, ", ");
        put_buf(m, 8);
        break;
    case 3:
        indent(m);
        put_square(m, columns);
        break;
    default:
        indent(m);
        strbuf_printf(&m->out, "%s ts.f32 mul [4] ", some_engine(m));
        put_buf(m, 8);
        strbuf_printf(&m->out, " = ");
        put_buf(m, 8);
        strbuf_printf(&m->out, ", 0.5");
        break;
    }
    strbuf_printf(&m->out, "\n");
}

static void
put_bufs(maker *m)
{
    uint32_t first = m->names;

    for (uint32_t n = m->depth ? 1 + chance(m, 2) : 2; n > 0; n--) {
        indent(m);
        strbuf_printf(&m->out, "sbuf %%b%u: f32[4, 8] slots %u\n", m->names,
                      m->depth ? 1 + chance(m, 3) : 1);
        m->name[m->bufs++] = m->names++;
    }
    for (uint32_t b = first; b < m->names; b++) {
        if (chance(m, 2)) {
            put_dma(m);
            strbuf_printf(&m->out, "%%b%u[0; (1,8)] = @a[%u; 32*p; (1,8)]\n", b,
                          chance(m, 24));
        } else {
            indent(m);
            strbuf_printf(&m->out, "%s fill.f32 [4] %%b%u[0; (1,8)] = %u.5\n",
                          some_engine(m), b, b);
        }
    }
}

static void
put_body(maker *m)
{
    put_bufs(m);
    for (uint32_t n = 2 + chance(m, 4); n > 0 && m->items > 0; n--) {
        m->items--;
        if (m->depth == 4 || chance(m, 3)) {
            put_item(m);
            continue;
        }
        uint32_t bufs = m->bufs, outer = m->loop[m->depth];
        indent(m);
        m->loop[m->depth + 1] = ++m->loops;
        strbuf_printf(&m->out, "for i%u < ", m->loops);
        if (m->depth && chance(m, 2))
            strbuf_printf(&m->out, "min(4, %u - i%u) {\n", 1 + chance(m, 4),
                          outer);
        else
            strbuf_printf(&m->out, "%u {\n", chance(m, 5));
        m->depth++;
        put_body(m);
        m->depth--;
        indent(m);
        strbuf_printf(&m->out, "}\n");
        m->bufs = bufs;
    }
}

static const char *
make_program(arena *a, uint64_t seed)
{
    maker m = {.seed = seed, .out = strbuf_new(a), .items = 24};

    strbuf_printf(&m.out, "tile_ir @chance target \"tiny\" {\n"
                          "  input @a: f32[4, 32]\n"
                          "  temp @t: f32[4, 32]\n"
                          "  output @c: f32[4, 32]\n"
                          "  sbuf %%all: f32[4, 32] slots 1\n"
                          "  vector fill.f32 [4] %%all[0; (1,32)] = 3.0\n"
                          "  scalar dma q3 [4] @t[0; 32*p; (1,32)] = "
                          "%%all[0; (1,32)]\n"
                          "  sync dma q1 [4] @c[0; 32*p; (1,32)] = "
                          "%%all[0; (1,32)]\n");
    put_body(&m);
    strbuf_printf(&m.out, "}\n");
    return strbuf_str(&m.out).p;
}

static void
test_chance(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        rig r;
        rig_open(&r, "tiny");
        rig_parse(&r, make_program(r.a, seed));
        rig_compile(&r);
        expect_structure(&r);
        expect_runs(&r, 2);
        arena_free(r.a);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_add), cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_two_nests),  cmocka_unit_test(test_triangular),
        cmocka_unit_test(test_zero_trips), cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_chance),
    };

    return cmocka_run_group_tests_name("backend", tests, NULL, NULL);
}
