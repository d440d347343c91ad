// SPDX-License-Identifier: Apache-2.0
// Indexed transfers in tile IR: rules, values, faults and error bounds, against
// results written out by hand.
#include "ir/tile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    arena *a;
    diags d;
} fixture;

static int
setup(void **state)
{
    arena *a = arena_new();
    fixture *f = ARENA_NEW(a, fixture);
    f->a = a;
    diags_init(&f->d, a);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    fixture *f = *state;
    arena_free(f->a);
    return 0;
}

// %i[0] = p, %w[0] = 0.
#define HEAD                                                                   \
    "tile_ir @f target \"trn2\" {\n"                                           \
    "  input @x: f32[8, 8]\n"                                                  \
    "  input @j: i32[8]\n"                                                     \
    "  output @y: f32[8, 8]\n"                                                 \
    "  sbuf %a: f32[8, 8] slots 1\n"                                           \
    "  sbuf %w: f32[8, 8] slots 1\n"                                           \
    "  psum %p: f32[8, 8] slots 1\n"                                           \
    "  sbuf %i: i32[8, 8] slots 1\n"                                           \
    "  gpsimd iota [8] %i[0] = 0; 1*p\n"                                       \
    "  vector fill.f32 [8] %w[0; (1,8)] = 0.0\n"
#define FILL  "  sync dma q1 [8] @y[0; 8*p; (1,8)] = %w[0; (1,8)]\n"
#define INDEX "  sync dma q1 [8] %i[0] = @j[0; 1*p]\n"
#define STORE "  sync dma q1 [8] @y[0; 8*p; (1,8)] = %a[0; (1,8)]\n"
#define TAIL  "}\n"

static tile_fn *
parse(fixture *f, const char *body)
{
    char *text = arena_printf(f->a, "%s%s%s", HEAD, body, TAIL);
    uint32_t source = diag_add_source(&f->d, "test.tile", str_of(text));
    tile_fn *fn = tile_parse(f->a, &f->d, source);
    assert_non_null(fn);
    return fn;
}

static void
assert_diag(fixture *f, diag_id id, const char *says)
{
    assert_int_equal(f->d.msgs.n, 1);
    assert_int_equal(f->d.msgs.at[0].id, id);
    if (!strstr(f->d.msgs.at[0].text, says))
        fail_msg("'%s' does not say '%s'", f->d.msgs.at[0].text, says);
    f->d.msgs.n = f->d.errors = 0;
}

// ---- rules

static const struct {
    const char *text, *says;
} bad[] = {
    {"  sync dma_gather [8] %a[0] = @x[0; 8*p] by %i[0]\n", "queue"},
    {"  sync dma_gather q1 [8] %a[0] = %w[0] by %i[0]\n", "blocks of a tensor"},
    {"  sync dma_scatter q1 [8] %a[0] = %w[0] by %i[0]\n",
     "blocks of a tensor"},
    {"  sync dma_gather q1 [8] %a[0] = @x[0; 8*p] by @j[0; 1*p]\n",
     "blocks of a tensor"},
    {"  sync dma_gather q1 [8] %a[0] = @x[0; 8*p] by %w[0]\n",
     "its index is of i32 or u32"},
    {"  sync dma_gather q1 [8] %i[0] = @x[0; 8*p] by %i[1]\n",
     "overwrites the buffer of its index"},
    {"  sync dma_gather q1 [8] %a[0; (1,6)] = @x[0; 8*p; (1,2)] by "
     "%i[0; (1,2)]\n",
     "not a block for each element"},
    {"  for i1 < 2 {\n sync dma_gather q1 [8] %a[0; (1,min(8, 9 - i1))] = "
     "@x[0; 8*p; (1,min(2, 3 - i1))] by %i[0; (1,min(4, 5 - i1))]\n }\n",
     "not a block for each element"},
    {"  sync dma_gather q1 [8] %p[0] = @x[0; 8*p] by %i[0]\n",
     "dma does not reach"},
};

static void
test_rules(void **state)
{
    fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(tile_verify(parse(f, bad[i].text), &f->d));
        assert_diag(f, D_TILE_OP, bad[i].says);
    }
    tile_fn *fn = parse(f, INDEX);
    vec_last(&fn->ops)->skip = true;
    assert_false(tile_verify(fn, &f->d));
    assert_diag(f, D_TILE_OP, "no index to skip");
    vec_last(&fn->ops)->skip = false;
    vec_last(&fn->ops)->combine = NUM_C_COUNT;
    assert_false(tile_verify(fn, &f->d));
    assert_diag(f, D_TILE_OP, "does not accumulate");
}

// A block may be longer than what is left after it: only a run can tell.
static void
test_good(void **state)
{
    fixture *f = *state;
    assert_true(tile_verify(
        parse(f, "  for i1 < 2 {\n"
                 "    sync dma_gather q1 [8] %a[0; (4,2) (1,3)] = "
                 "@x[60; 8*p; (1,3)] by %i[0; (1,2)]\n"
                 "    sync dma_gather q1 [8] %a[0; (1,min(8, 9 - i1))] = "
                 "@x[0; 8*p] by %i[0; (1,min(8, 9 - i1))] skip\n"
                 "  }\n"),
        &f->d));
}

// ---- values and bounds

typedef struct {
    float x[64], y[64];
    int32_t j[8];
    double ex[64], ey[64], ej[8];
} memory;

static void
run(fixture *f, const char *text, memory *m)
{
    tile_fn *fn = parse(f, text);
    void *buf[] = {m->x, m->j, m->y};
    double *err[] = {m->ex, m->ej, m->ey};
    float plain[64];
    assert_true(tile_verify(fn, &f->d));
    assert_true(tile_eval(fn, buf, &f->d));
    memcpy(plain, m->y, sizeof plain);
    memset(m->y, 0, sizeof m->y);
    assert_true(tile_eval_bound(fn, buf, err, NULL, &f->d));
    assert_memory_equal(plain, m->y, sizeof plain);
}

static memory *
memory_new(fixture *f)
{
    static const int32_t j[8] = {3, 0, 0, 7, -1, 3, 3, 1};
    memory *m = ARENA_NEW(f->a, memory);
    for (int i = 0; i < 64; i++) {
        m->x[i] = (float)i;
        m->ex[i] = i * 0.5;
    }
    memcpy(m->j, j, sizeof j);
    return m;
}

#define ROWS                                                                   \
    "  vector fill.f32 [8] %a[0; (1,8)] = -1.0\n"                              \
    "  sync dma_gather q1 [8] %a[0; (1,8)] = @x[0; 8*p; (1,8)] by %i[0] "      \
    "skip\n"

static void
test_gather(void **state)
{
    fixture *f = *state;
    memory *m = memory_new(f);
    run(f, INDEX ROWS STORE, m);
    for (int i = 0; i < 64; i++) {
        int from = m->j[i / 8] * 8 + i % 8;
        assert_true(m->y[i] == (from < 0 ? -1.0f : (float)from));
        assert_true(m->ey[i] == (from < 0 ? 0 : from * 0.5));
    }
    m->ej[2] = 1; // an index that may be another
    run(f, INDEX ROWS STORE, m);
    assert_true(isinf(m->ey[2 * 8 + 5]));
    assert_true(m->ey[3 * 8 + 5] == 61 * 0.5);
    m->ej[2] = 0;
    m->ej[4] = 1; // one that may not be passed over
    run(f, INDEX ROWS STORE, m);
    assert_true(isinf(m->ey[4 * 8]));
}

#define ADD                                                                    \
    FILL INDEX                                                                 \
        "  sync dma q2 [8] %a[0; (1,8)] = @x[0; 8*p; (1,8)]\n"                 \
        "  sync dma_scatter q1 [8] @y[0; 8*p; (1,8)] += %a[0; (1,8)] by "      \
        "%i[0] skip\n"

static void
test_scatter_add(void **state)
{
    fixture *f = *state;
    memory *m = memory_new(f);
    run(f, ADD, m);
    float want[64] = {0};
    for (int i = 0; i < 64; i++)
        if (m->j[i / 8] >= 0)
            want[m->j[i / 8] * 8 + i % 8] += (float)i;
    assert_memory_equal(want, m->y, sizeof want);
    // Integers: the sums are exact, and only what was added is uncertain.
    assert_true(fabs(m->ey[3 * 8] - (0 + 40 + 48) * 0.5) < 1e-9);
    assert_true(m->ey[2 * 8] == 0);
    m->ej[4] = 1; // it might have gone anywhere
    run(f, ADD, m);
    for (int i = 0; i < 64; i++)
        assert_true(isinf(m->ey[i]));
}

// The last of several writes is the one that stays; so is its error.
static void
test_scatter_order(void **state)
{
    fixture *f = *state;
    memory *m = memory_new(f);
    run(f,
        FILL INDEX "  sync dma q2 [8] %a[0; (1,8)] = @x[0; 8*p; (1,8)]\n"
                   "  sync dma_scatter q1 [8] @y[0; 8*p; (1,8)] = "
                   "%a[0; (1,8)] by %i[0] skip\n",
        m);
    for (int d = 0; d < 8; d++) {
        assert_true(m->y[3 * 8 + d] == (float)(6 * 8 + d));
        assert_true(m->ey[3 * 8 + d] == (6 * 8 + d) * 0.5);
        assert_true(m->y[0 * 8 + d] == (float)(2 * 8 + d));
    }
}

// ---- faults

static void
check_fault(fixture *f, const char *text, diag_id id, const char *says)
{
    memory *m = memory_new(f);
    tile_fn *fn = parse(f, text);
    void *buf[] = {m->x, m->j, m->y};
    double *err[] = {m->ex, m->ej, m->ey};
    assert_true(tile_verify(fn, &f->d));
    assert_false(tile_eval(fn, buf, &f->d));
    assert_diag(f, id, says);
    assert_false(tile_eval_bound(fn, buf, err, NULL, &f->d));
    assert_diag(f, id, says);
}

static void
test_faults(void **state)
{
    fixture *f = *state;
    // Blocks are checked one by one, both ends of them.
    check_fault(f, "  sync dma_gather q1 [8] %a[0] = @x[8; 8*p] by %i[0]\n",
                D_TILE_INDEX, "index 7 (partition 7, element 0)");
    check_fault(f,
                "  sync dma_gather q1 [8] %a[0; (1,2)] = @x[7; 8*p; (1,2)] by "
                "%i[0]\n",
                D_TILE_INDEX, "index 7 (partition 7, element 0)");
    check_fault(f, "  sync dma_gather q1 [8] %a[0] = @x[63; -10*p] by %i[0]\n",
                D_TILE_INDEX, "not inside 'x'");
    check_fault(f,
                INDEX "  sync dma_gather q1 [8] %a[0] = @x[0; 8*p] by %i[0]\n",
                D_TILE_INDEX, "index -1 (partition 4, element 0)");
    // An index may name any block: the whole tensor has to be there.
    check_fault(f, "  sync dma_scatter q1 [8] @y[0; 8*p] = %w[0] by %i[0]\n",
                D_TILE_UNINIT, "'dma_scatter' reads element [0, 0] of '@y'");
    // What is passed over must be there before.
    check_fault(f,
                "  sync dma_gather q1 [8] %a[0] = @x[0; 8*p] by %i[0] skip\n",
                D_TILE_UNINIT, "'dma_gather' reads partition 0");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_rules),       T(test_good),          T(test_gather),
        T(test_scatter_add), T(test_scatter_order), T(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
