// SPDX-License-Identifier: Apache-2.0
// place, sync and emit: tile programs by hand and at random, compiled for
// 'tiny', certified, run in several engine orders and compared with the tile
// IR's evaluator. Every dependence is then taken away by itself: the certifier
// has to miss it.
#include "backend/backend.h"
#include "isa-spec/program.h"
#include "runtime/runtime.h"
#include "tests/unit/backend_programs.h"

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

// ---- data

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

// ---- placement

static const tile_buf *
buf_named(rig *r, const char *name)
{
    for (uint32_t i = 0; i < r->cx.tile->bufs.n; i++)
        if (strcmp(r->cx.tile->bufs.at[i].name, name) == 0)
            return &r->cx.tile->bufs.at[i];
    fail_msg("no buffer '%s'", name);
    return NULL;
}

static int64_t
end_of(const tile_buf *b)
{
    return b->addr + b->slot_bytes * (int64_t)b->slots;
}

static void
test_place_siblings_share(void **state)
{
    rig r;

    (void)state;
    rig_open(&r, "tiny");
    rig_parse(&r, "tile_ir @p target \"tiny\" {\n"
                  "  sbuf %k: f32[2, 3] slots 1\n"
                  "  for i1 < 4 {\n"
                  "    sbuf %x: bf16[2, 5] slots 3\n"
                  "    for i2 < 4 {\n"
                  "      sbuf %y: f32[2, 7] slots 2\n"
                  "    }\n"
                  "    for i3 < 4 {\n"
                  "      sbuf %z: f32[2, 9] slots 2\n"
                  "    }\n"
                  "  }\n"
                  "  for i4 < 4 {\n"
                  "    sbuf %u: f32[2, 9] slots 2\n"
                  "  }\n"
                  "}\n");
    EXPECT(&r, pass_place(&r.cx));
    EXPECT(&r, buf_named(&r, "k")->addr == 0);
    EXPECT(&r, buf_named(&r, "x")->addr >= end_of(buf_named(&r, "k")));
    EXPECT(&r, buf_named(&r, "x")->slot_bytes == 12);
    EXPECT(&r, buf_named(&r, "y")->addr == end_of(buf_named(&r, "x")));
    EXPECT(&r, buf_named(&r, "z")->addr == buf_named(&r, "y")->addr);
    EXPECT(&r, buf_named(&r, "u")->addr == buf_named(&r, "x")->addr);
    arena_free(r.a);
}

// 'tiny' has two banks of 256 bytes.
static void
test_place_banks(void **state)
{
    rig r;

    (void)state;
    rig_open(&r, "tiny");
    rig_parse(&r, "tile_ir @p target \"tiny\" {\n"
                  "  psum %a: f32[2, 12] slots 2\n"
                  "  for i1 < 4 {\n"
                  "    psum %b: f32[2, 40] slots 2\n"
                  "  }\n"
                  "  for i2 < 4 {\n"
                  "    psum %c: f32[2, 16] slots 5\n"
                  "  }\n"
                  "  for i3 < 4 {\n"
                  "    psum %d: f32[2, 1] slots 1\n"
                  "    psum %e: f32[2, 64] slots 1\n"
                  "  }\n"
                  "}\n");
    EXPECT(&r, pass_place(&r.cx));
    for (uint32_t i = 0; i < r.cx.tile->bufs.n; i++) {
        const tile_buf *b = &r.cx.tile->bufs.at[i];
        EXPECT(&r, b->slot_bytes >= 4 * b->elems);
        EXPECT(&r, end_of(b) - b->slot_bytes + 4 * b->elems <= 512);
        for (int64_t s = 0; s < b->slots; s++) {
            int64_t at = b->addr + s * b->slot_bytes;
            EXPECT(&r, at / 256 == (at + 4 * b->elems - 1) / 256);
        }
    }
    arena_free(r.a);
}

static void
expect_rejected(rig *r, diag_id id, const char *part)
{
    EXPECT(r, r->d.msgs.n == 1 && r->d.msgs.at[0].id == id);
    EXPECT(r, strstr(r->d.msgs.at[0].text, part) != NULL);
}

static void
test_place_full(void **state)
{
    rig r;

    (void)state;
    rig_open(&r, "tiny");
    rig_parse(&r, "tile_ir @p target \"tiny\" {\n"
                  "  sbuf %small: f32[2, 24] slots 1\n"
                  "  for i1 < 4 {\n"
                  "    sbuf %other: f32[2, 900] slots 1\n"
                  "  }\n"
                  "  for i2 < 4 {\n"
                  "    sbuf %big: f32[2, 600] slots 2\n"
                  "  }\n"
                  "}\n");
    EXPECT(&r, !pass_place(&r.cx));
    expect_rejected(&r, D_PLACE_FULL, "4896 bytes");
    EXPECT(&r, strstr(r.d.msgs.at[0].text, "4096") != NULL);
    EXPECT(&r, r.d.msgs.at[0].notes.n == 2);
    EXPECT(&r, strstr(r.d.msgs.at[0].notes.at[0].text, "'big'") != NULL);
    EXPECT(&r, strstr(r.d.msgs.at[0].notes.at[1].text, "'small'") != NULL);
    arena_free(r.a);
}

// ---- limits of sync and emit

// Sums of more terms than registers, shared by none.
static const char *
many_sums(arena *a, uint32_t n)
{
    strbuf b = strbuf_new(a);

    strbuf_printf(&b, "tile_ir @sums target \"tiny\" {\n"
                      "  input @a: f32[4, 2000]\n"
                      "  output @c: f32[4, 16]\n"
                      "  for i1 < 4 {\n"
                      "    sbuf %%s: f32[1, 16] slots 2\n"
                      "    sbuf %%x: f32[1, 8] slots 2\n"
                      "    vector fill.f32 [1] %%s[0; (1,16)] = 0.0\n");
    for (uint32_t i = 0; i < n; i++)
        strbuf_printf(&b,
                      "    sync dma q1 [1] %%x[0; (1,min(8, %u - i1))] = "
                      "@a[%u*i1 + %u; 0*p; (1,min(8, %u - i1))]\n"
                      "    vector tt.f32 add [1] %%s[i1; (1,min(8, %u - i1))] "
                      "= %%s[i1; (1,min(8, %u - i1))], "
                      "%%x[0; (1,min(8, %u - i1))]\n",
                      5 + i % 3, 7 + i, i, 5 + i % 3, 5 + i % 3, 5 + i % 3,
                      5 + i % 3);
    strbuf_printf(&b, "    sync dma q2 [1] @c[16*i1; 0*p; (1,16)] = "
                      "%%s[0; (1,16)]\n"
                      "  }\n"
                      "}\n");
    return strbuf_str(&b).p;
}

static void
test_spilled_sums(void **state)
{
    rig r;

    (void)state;
    rig_open(&r, "tiny");
    rig_parse(&r, many_sums(r.a, 90));
    rig_compile(&r);
    expect_structure(&r);
    expect_runs(&r, 3);
    arena_free(r.a);
}

static void
test_too_many_slots(void **state)
{
    rig r;
    strbuf b;

    (void)state;
    rig_open(&r, "trn2");
    b = strbuf_new(r.a);
    strbuf_printf(&b, "tile_ir @slots target \"trn2\" {\n  for i1 < 99 {\n");
    for (uint32_t i = 2; i < 60; i++)
        strbuf_printf(&b,
                      "    sbuf %%b%u: f32[1, 1] slots %u\n"
                      "    vector fill.f32 [1] %%b%u[0] = 1.0\n",
                      i, i, i);
    strbuf_printf(&b, "  }\n}\n");
    // Declarations come first in a body.
    rig_parse(&r, strbuf_str(&b).p);
    rig_compile(&r);
    EXPECT(&r, backend_emit(&r.cx) == NULL);
    expect_rejected(&r, D_EMIT_SLOTS, "vector engine");
    arena_free(r.a);
}

static void
test_too_many_semaphores(void **state)
{
    rig r;
    strbuf b;
    pass_options o = {0};

    (void)state;
    rig_open(&r, "tiny");
    b = strbuf_new(r.a);
    strbuf_printf(&b, "tile_ir @many target \"tiny\" {\n"
                      "  input @a: f32[4, 8]\n"
                      "  output @c: f32[4, 8]\n");
    for (uint32_t i = 1; i <= 400; i++)
        strbuf_printf(&b,
                      "  for i%u < 9 {\n"
                      "    sbuf %%b%u: f32[4, 8] slots 2\n"
                      "    sync dma q1 [4] %%b%u[0; (1,8)] = "
                      "@a[0; 8*p; (1,8)]\n"
                      "    vector ts.f32 add [4] %%b%u[0; (1,8)] = "
                      "%%b%u[0; (1,8)], 1.0\n"
                      "    sync dma q2 [4] @c[0; 8*p; (1,8)] = "
                      "%%b%u[0; (1,8)]\n"
                      "  }\n",
                      i, i, i, i, i, i);
    strbuf_printf(&b, "}\n");
    rig_parse(&r, strbuf_str(&b).p);
    EXPECT(&r, !backend_run(&r.cx, &o));
    expect_rejected(&r, D_SYNC_SEMS, "1024");
    arena_free(r.a);
}

// ---- the streams

static uint32_t
code_size(const char *text)
{
    uint32_t n = 0;
    emit_program *p;
    rig r;

    rig_open(&r, "trn2");
    rig_parse(&r, text);
    rig_compile(&r);
    p = backend_emit(&r.cx);
    EXPECT(&r, p != NULL);
    for (uint32_t e = ENG_TENSOR; e < ENG_COUNT; e++) {
        EXPECT(&r, p->stream[e].code.n == p->stream[e].at.n);
        n += p->stream[e].code.n;
    }
    arena_free(r.a);
    return n;
}

static const char *
copy_rows(arena *a, int64_t rows)
{
    return arena_printf(
        a,
        "tile_ir @copy target \"trn2\" {\n"
        "  input @a: f32[%lld, 4]\n"
        "  output @c: f32[%lld, 4]\n"
        "  for i1 < %lld {\n"
        "    sbuf %%x: f32[1, 4] slots 2\n"
        "    sync dma q1 [1] %%x[0; (1,4)] = @a[4*i1; 0*p; (1,4)]\n"
        "    vector dma q2 [1] @c[4*i1; 0*p; (1,4)] = %%x[0; (1,4)]\n"
        "  }\n"
        "}\n",
        (long long)rows, (long long)rows, (long long)rows);
}

static void
test_size_without_trips(void **state)
{
    arena *a = arena_new();

    (void)state;
    assert_int_equal(code_size(copy_rows(a, 10)),
                     code_size(copy_rows(a, 100000000)));
    // loop, sums, transfer, slot, endloop on two engines; five ends
    assert_true(code_size(copy_rows(a, 10)) <= 2 * 6 + 5);
    arena_free(a);
}

// The same program from the same text, byte for byte, and again after sync has
// run twice.
static void
test_repeatable(void **state)
{
    rig r;
    str once, twice;

    (void)state;
    rig_open(&r, "tiny");
    rig_parse(&r, matmul);
    rig_compile(&r);
    once = text_of(&r);
    rig_compile(&r);
    twice = text_of(&r);
    EXPECT(&r, str_eq(once, twice));
    expect_runs(&r, 1);
    arena_free(r.a);
}

static void
test_pipeline_options(void **state)
{
    rig r;
    strbuf dump;
    pass_options o = {0};

    (void)state;
    rig_open(&r, "tiny");
    rig_parse(&r, vector_add);
    o.stop_after = "nowhere";
    EXPECT(&r, !backend_run(&r.cx, &o));
    expect_rejected(&r, D_PASS_UNKNOWN, "'nowhere'");
    dump = strbuf_new(r.a);
    o = (pass_options){.print_after = "place", .stop_after = "place"};
    o.dump = &dump;
    EXPECT(&r, backend_run(&r.cx, &o));
    EXPECT(&r, strstr(strbuf_str(&dump).p, "slots 2 at 0 by 16") != NULL);
    EXPECT(&r, r.cx.tile->sems.n == 0);
    EXPECT(&r, strcmp(backend_pass_name(0), "split") == 0);
    EXPECT(&r, backend_pass_name(99) == NULL);
    arena_free(r.a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_add),
        cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_two_nests),
        cmocka_unit_test(test_triangular),
        cmocka_unit_test(test_zero_trips),
        cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_place_siblings_share),
        cmocka_unit_test(test_place_banks),
        cmocka_unit_test(test_place_full),
        cmocka_unit_test(test_spilled_sums),
        cmocka_unit_test(test_too_many_slots),
        cmocka_unit_test(test_too_many_semaphores),
        cmocka_unit_test(test_size_without_trips),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_pipeline_options),
    };

    return cmocka_run_group_tests_name("backend", tests, NULL, NULL);
}
