// SPDX-License-Identifier: Apache-2.0
// Tile IR: text form, rules, evaluator. Results are compared with plain loops
// written here; programs are built or written as text, whichever is shorter.
#include "ir/tile.h"

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

static void
show(fixture *f)
{
    for (uint32_t i = 0; i < f->d.msgs.n; i++) {
        strbuf b = strbuf_new(f->a);

        diag_render(&f->d, &f->d.msgs.at[i], false, &b);
        print_message("%s", strbuf_str(&b).p);
    }
}

static tile_fn *
parse(fixture *f, const char *text)
{
    uint32_t source = diag_add_source(&f->d, "test.tile", str_of(text));

    return tile_parse(f->a, &f->d, source);
}

static const char *
print(fixture *f, const tile_fn *fn)
{
    strbuf b = strbuf_new(f->a);

    tile_print(fn, &b);
    return strbuf_str(&b).p;
}

// Parsed, verified, and printing as it was written.
static tile_fn *
load(fixture *f, const char *text)
{
    tile_fn *fn = parse(f, text);

    if (fn == NULL || !tile_verify(fn, &f->d)) {
        show(f);
        fail();
    }
    return fn;
}

static void
assert_diag(fixture *f, diag_id id, const char *text)
{
    if (f->d.msgs.n != 1 || f->d.msgs.at[0].id != id ||
        strstr(f->d.msgs.at[0].text, text) == NULL) {
        show(f);
        print_message("wanted E%04u with '%s'\n", diag_number(id), text);
        fail();
    }
}

static void
round_trip(fixture *f, const tile_fn *fn)
{
    const char *once = print(f, fn);
    tile_fn *again = load(f, once);

    assert_string_equal(print(f, again), once);
}

// ---- building, small

static uint32_t
add_tensor(tile_fn *fn, const char *name, tir_kind kind, num_dtype dtype,
           int64_t rows, int64_t cols)
{
    tir_tensor *t = vec_add(fn->a, &fn->tensors);

    t->name = name;
    t->kind = kind;
    t->dtype = dtype;
    t->rank = 2;
    t->shape[0] = rows;
    t->shape[1] = cols;
    return fn->tensors.n - 1;
}

// min(tile, extent - tile * counter)
static tile_count
ragged(int64_t tile, int64_t extent, uint32_t loop)
{
    tile_count c = {0};

    c.max = tile;
    c.rem = tile_aff_add(tile_aff_const(extent), tile_aff_loop(loop, -tile));
    c.div = 1;
    return c;
}

static tile_ref
ref_buf(uint32_t buf, tile_count n)
{
    tile_ref r = {0};
    int64_t fixed;

    r.id = buf;
    r.ndim = 1;
    r.dim[0].step = 1;
    r.dim[0].count = n.max;
    r.ragged = !tile_count_is_const(&n, &fixed);
    r.outer = n;
    return r;
}

static tile_ref
ref_hbm(uint32_t tensor, tile_aff off, int64_t pstep, tile_count n)
{
    tile_ref r = ref_buf(tensor, n);

    r.hbm = true;
    r.off = off;
    r.pstep = pstep;
    return r;
}

static tile_op *
add_dma(tile_fn *fn, uint32_t body, tile_count parts, tile_ref dst,
        tile_ref src)
{
    tile_op *op = tile_add_op(fn, body, NUM_OP_DMA, ENG_SYNC);

    op->queue = 1;
    op->parts = parts;
    op->dst = dst;
    op->a = src;
    return op;
}

static tile_aff
at2(uint32_t i, int64_t ki, uint32_t j, int64_t kj)
{
    return tile_aff_add(tile_aff_loop(i, ki), tile_aff_loop(j, kj));
}

static float
draw(uint64_t *seed)
{
    return (float)((double)(rng_next(seed) >> 40) / 0x1p23 - 1.0);
}

static float
bf16(uint16_t x)
{
    return num_f32(num_load(DT_BF16, &x));
}

// ---- evaluation against loops

// y = x * 2.5 + r, r a value a row, over ragged tiles of both dimensions and
// buffers of two slots.
static tile_fn *
build_scale(arena *a, int64_t m, int64_t n)
{
    tile_fn *fn = tile_fn_new(a, "scale", "trn2");
    uint32_t x = add_tensor(fn, "x", TIR_INPUT, DT_F32, m, n);
    uint32_t r = add_tensor(fn, "r", TIR_INPUT, DT_BF16, m, 1);
    uint32_t y = add_tensor(fn, "y", TIR_OUTPUT, DT_F32, m, n);
    uint32_t i = tile_add_loop(fn, 0, tile_count_const(ceil_div(m, 128)));
    uint32_t rb = tile_add_buf(fn, i, "r", SPACE_SBUF, DT_BF16, 128, 1, 2);
    tile_count one = tile_count_const(1), rows = ragged(128, m, i), cols;
    uint32_t j, xb;
    tile_op *op;

    add_dma(fn, i, rows, ref_buf(rb, one),
            ref_hbm(r, tile_aff_loop(i, 128), 1, one));
    j = tile_add_loop(fn, i, tile_count_const(ceil_div(n, 64)));
    xb = tile_add_buf(fn, j, "x", SPACE_SBUF, DT_F32, 128, 64, 2);
    cols = ragged(64, n, j);
    add_dma(fn, j, rows, ref_buf(xb, cols),
            ref_hbm(x, at2(i, 128 * n, j, 64), n, cols));
    op = tile_add_op(fn, j, NUM_OP_TS, ENG_VECTOR);
    op->as = NUM_AS_F32;
    op->op0 = NUM_MUL;
    op->op1 = NUM_ADD;
    op->parts = rows;
    op->dst = op->a = ref_buf(xb, cols);
    op->s0.imm = num_word_f32(2.5f);
    op->s1.is_vec = true;
    op->s1.vec = ref_buf(rb, one);
    add_dma(fn, j, rows, ref_hbm(y, at2(i, 128 * n, j, 64), n, cols),
            ref_buf(xb, cols));
    return fn;
}

static void
check_scale(fixture *f, int64_t m, int64_t n)
{
    tile_fn *fn = build_scale(f->a, m, n);
    float *x = ARENA_ARRAY(f->a, (size_t)(m * n), float);
    float *y = ARENA_ARRAY(f->a, (size_t)(m * n), float);
    uint16_t *r = ARENA_ARRAY(f->a, (size_t)m, uint16_t);
    void *buf[] = {x, r, y};
    uint64_t seed = 1;

    for (int64_t i = 0; i < m * n; i++) {
        x[i] = draw(&seed);
    }
    for (int64_t i = 0; i < m; i++) {
        num_store(DT_BF16, &r[i], NUM_AS_F32, num_word_f32(draw(&seed)));
    }
    assert_true(tile_verify(fn, &f->d));
    if (!tile_eval(fn, buf, &f->d)) {
        show(f);
        fail();
    }
    for (int64_t i = 0; i < m * n; i++) {
        float product = x[i] * 2.5f;

        assert_true(y[i] == product + bf16(r[i / n]));
    }
    round_trip(f, fn);
}

static void
test_eval_elementwise(void **state)
{
    check_scale(*state, 300, 200);
    check_scale(*state, 1, 1);
    check_scale(*state, 128, 64);
    check_scale(*state, 129, 65);
    check_scale(*state, 0, 5);
}

enum { TN = 512 };

// C = A^T B: K tiles accumulate in PSUM, except in the first.
static tile_fn *
build_matmul(arena *a, int64_t m, int64_t k, int64_t n)
{
    tile_fn *fn = tile_fn_new(a, "matmul", "trn2");
    uint32_t at = add_tensor(fn, "at", TIR_INPUT, DT_BF16, k, m);
    uint32_t b = add_tensor(fn, "b", TIR_INPUT, DT_BF16, k, n);
    uint32_t c = add_tensor(fn, "c", TIR_OUTPUT, DT_F32, m, n);
    uint32_t i = tile_add_loop(fn, 0, tile_count_const(ceil_div(m, 128)));
    uint32_t j = tile_add_loop(fn, i, tile_count_const(ceil_div(n, TN)));
    uint32_t acc = tile_add_buf(fn, j, "acc", SPACE_PSUM, DT_F32, 128, TN, 2);
    uint32_t out = tile_add_buf(fn, j, "c", SPACE_SBUF, DT_F32, 128, TN, 2);
    uint32_t l = tile_add_loop(fn, j, tile_count_const(ceil_div(k, 128)));
    uint32_t wb = tile_add_buf(fn, l, "w", SPACE_SBUF, DT_BF16, 128, 128, 2);
    uint32_t xb = tile_add_buf(fn, l, "x", SPACE_SBUF, DT_BF16, 128, TN, 2);
    tile_count rows = ragged(128, m, i), cols = ragged(TN, n, j);
    tile_count depth = ragged(128, k, l);
    tile_op *op;

    add_dma(fn, l, depth, ref_buf(wb, rows),
            ref_hbm(at, at2(i, 128, l, 128 * m), m, rows));
    add_dma(fn, l, depth, ref_buf(xb, cols),
            ref_hbm(b, at2(j, TN, l, 128 * n), n, cols));
    op = tile_add_op(fn, l, NUM_OP_LDW, ENG_TENSOR);
    op->parts = depth;
    op->a = ref_buf(wb, rows);
    op = tile_add_op(fn, l, NUM_OP_MATMUL, ENG_TENSOR);
    op->parts = depth;
    op->dst_parts = rows;
    op->dst = ref_buf(acc, cols);
    op->a = ref_buf(xb, cols);
    op->nfirst = 1;
    op->first[0] = l;
    op = tile_add_op(fn, j, NUM_OP_COPY, ENG_VECTOR);
    op->parts = rows;
    op->dst = ref_buf(out, cols);
    op->a = ref_buf(acc, cols);
    add_dma(fn, j, rows, ref_hbm(c, at2(i, 128 * n, j, TN), n, cols),
            ref_buf(out, cols));
    return fn;
}

static float
dot_in_tiles(const uint16_t *at, const uint16_t *b, const int64_t *mkn,
             int64_t i, int64_t j)
{
    float total = 0;

    for (int64_t k0 = 0; k0 < mkn[1]; k0 += 128) {
        float part = 0;

        for (int64_t k = k0; k < mkn[1] && k < k0 + 128; k++) {
            part = num_fma(bf16(at[k * mkn[0] + i]), bf16(b[k * mkn[2] + j]),
                           part);
        }
        total = k0 == 0 ? part : total + part;
    }
    return total;
}

static void
check_matmul(fixture *f, int64_t m, int64_t k, int64_t n)
{
    tile_fn *fn = build_matmul(f->a, m, k, n);
    uint16_t *at = ARENA_ARRAY(f->a, (size_t)(k * m), uint16_t);
    uint16_t *b = ARENA_ARRAY(f->a, (size_t)(k * n), uint16_t);
    float *c = ARENA_ARRAY(f->a, (size_t)(m * n), float);
    void *buf[] = {at, b, c};
    int64_t mkn[] = {m, k, n};
    uint64_t seed = 2;

    for (int64_t i = 0; i < k * m; i++) {
        num_store(DT_BF16, &at[i], NUM_AS_F32, num_word_f32(draw(&seed)));
    }
    for (int64_t i = 0; i < k * n; i++) {
        num_store(DT_BF16, &b[i], NUM_AS_F32, num_word_f32(draw(&seed)));
    }
    if (!tile_verify(fn, &f->d) || !tile_eval(fn, buf, &f->d)) {
        show(f);
        fail();
    }
    // A sample: every element of a few rows.
    for (int64_t i = 0; i < m; i += m > 40 ? 37 : 1) {
        for (int64_t j = 0; j < n; j++) {
            assert_true(c[i * n + j] == dot_in_tiles(at, b, mkn, i, j));
        }
    }
    round_trip(f, fn);
}

static void
test_eval_matmul(void **state)
{
    check_matmul(*state, 3, 5, 7);
    check_matmul(*state, 130, 257, 513);
    check_matmul(*state, 128, 128, 512);
}

static const char *const reduce_text =
    "tile_ir @rows target \"trn2\" {\n"
    "  input @x: f32[7, 100]\n"
    "  output @s: f32[7, 4]\n"
    "  output @m: f32[1, 100]\n"
    "  sbuf %x: f32[7, 100] slots 1\n"
    "  sbuf %s: f32[7, 4] slots 1\n"
    "  sbuf %m: f32[1, 100] slots 1\n"
    "  sync dma q1 [7] %x[0; (1,100)] = @x[0; 100*p; (1,100)]\n"
    "  vector reduce.f32 sum over 1 [7] %s[0; (1,2)] = %x[0; (50,2) (1,50)]\n"
    "  vector reduce.f32 max over 2 [7] %s[2] = %x[0; (50,2) (1,50)]\n"
    "  vector reduce.f32 min over 1 [7] %s[3] = %x[99; (-1,100)]\n"
    "  gpsimd preduce.f32 max [7 -> 1] %m[0; (1,100)] = %x[0; (1,100)]\n"
    "  sync dma q1 [7] @s[0; 4*p; (1,4)] = %s[0; (1,4)]\n"
    "  sync dma q1 [1] @m[0; 0*p; (1,100)] = %m[0; (1,100)]\n"
    "}\n";

static float
sum_in_order(const float *x, int64_t n)
{
    float part[32] = {0};

    for (int64_t i = 0; i < n; i++) {
        part[i % 32] += x[i];
    }
    for (int64_t h = 16; h > 0; h /= 2) {
        for (int64_t i = 0; i < h; i++) {
            part[i] += part[i + h];
        }
    }
    return part[0];
}

static void
test_eval_reduce(void **state)
{
    fixture *f = *state;
    tile_fn *fn = load(f, reduce_text);
    static float x[7][100], s[7][4], m[100];
    void *buf[] = {x, s, m};
    uint64_t seed = 3;

    for (size_t i = 0; i < 7 * 100; i++) {
        x[i / 100][i % 100] = draw(&seed);
    }
    assert_true(tile_eval(fn, buf, &f->d));
    for (size_t i = 0; i < 7; i++) {
        float most = x[i][0], least = x[i][0];

        for (size_t j = 0; j < 100; j++) {
            most = x[i][j] > most ? x[i][j] : most;
            least = x[i][j] < least ? x[i][j] : least;
        }
        assert_true(s[i][0] == sum_in_order(x[i], 50));
        assert_true(s[i][1] == sum_in_order(x[i] + 50, 50));
        assert_true(s[i][2] == most);
        assert_true(s[i][3] == least);
    }
    for (size_t j = 0; j < 100; j++) {
        float most = x[0][j];

        for (size_t i = 1; i < 7; i++) {
            most = x[i][j] > most ? x[i][j] : most;
        }
        assert_true(m[j] == most);
    }
    assert_string_equal(print(f, fn), reduce_text);
}

// Constants, temps, HBM to HBM, iota, select, a triangular loop.
static const char *const mixed_text =
    "tile_ir @mixed target \"tiny\" {\n"
    "  const @k: i32[3] = hex \"0100000002000000fdffffff\"\n"
    "  temp @t: i32[4, 4]\n"
    "  output @y: i32[4, 4]\n"
    "  output @z: i32[3]\n"
    "  gpsimd dma q3 [1] @z[0; 0*p; (1,3)] = @k[0; 0*p; (1,3)]\n"
    "  sbuf %v: i32[4, 4] slots 1\n"
    "  sbuf %low: bool[4, 4] slots 1\n"
    "  sbuf %none: i32[4, 4] slots 1\n"
    "  gpsimd iota [4] %v[0; (1,4)] = 100; 10*p; (1)\n"
    "  gpsimd iota [4] %low[0; (1,4)] = 0; 0*p; (0)\n"
    "  vector fill.i32 [4] %none[0; (1,4)] = -7\n"
    "  for i1 < 4 {\n"
    "    for i2 < min(4, 1 + i1) {\n"
    "      vector fill.bool [1] %low[4*i1 - 3*i1 - i1 + i2; p+2] = 1\n"
    "    }\n"
    "  }\n"
    "  vector select [4] %none[0; (1,4)] = %v[0; (1,4)] if %low[0; (1,4)]\n"
    "  sync dma q2 [4] @t[0; 4*p; (1,4)] = %none[0; (1,4)]\n"
    "  sync dma q2 [4] @y[0; 4*p; (1,4)] = @t[0; 1*p; (4,4)]\n"
    "}\n";

static void
test_eval_mixed(void **state)
{
    fixture *f = *state;
    tile_fn *fn = load(f, mixed_text);
    int32_t y[4][4], z[3];
    void *buf[] = {NULL, NULL, y, z};

    if (!tile_eval(fn, buf, &f->d)) {
        show(f);
        fail();
    }
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) { // transposed; only partition 2 is picked
            assert_int_equal(y[j][i], i == 2 ? 100 + 10 * i + j : -7);
        }
    }
    assert_int_equal(z[0], 1);
    assert_int_equal(z[2], -3);
}

// ---- faults

#define HEAD                                                                   \
    "tile_ir @f target \"trn2\" {\n"                                           \
    "  input @x: f32[8, 8]\n"                                                  \
    "  output @y: f32[8, 8]\n"                                                 \
    "  sbuf %a: f32[8, 8] slots 1\n"                                           \
    "  sbuf %w: f32[8, 8] slots 1\n"                                           \
    "  psum %p: f32[8, 8] slots 1\n"
#define LOAD  "  sync dma q1 [8] %a[0; (1,8)] = @x[0; 8*p; (1,8)]\n"
#define STORE "  sync dma q1 [8] @y[0; 8*p; (1,8)] = %a[0; (1,8)]\n"
#define TAIL  "}\n"

static void
check_fault(fixture *f, const char *text, diag_id id, const char *says)
{
    tile_fn *fn = load(f, text);
    static float x[64], y[64];
    void *buf[] = {x, y};
    static double err[64];
    double *errs[] = {NULL, err};

    assert_false(tile_eval(fn, buf, &f->d));
    assert_diag(f, id, says);
    f->d.msgs.n = f->d.errors = 0;
    assert_false(tile_eval_bound(fn, buf, errs, NULL, &f->d));
    assert_diag(f, id, says);
    f->d.msgs.n = f->d.errors = 0;
}

static void
test_fault_uninit(void **state)
{
    fixture *f = *state;

    check_fault(f, HEAD STORE TAIL, D_TILE_UNINIT,
                "'dma' reads partition 0, element 0 of '%a'");
    // A row short.
    check_fault(
        f,
        HEAD
        "  sync dma q1 [7] %a[0; (1,8)] = @x[0; 8*p; (1,8)]\n"
        "  vector act.f32 exp [8] %a[0; (1,8)] = %a[0; (1,8)]\n" STORE TAIL,
        D_TILE_UNINIT, "partition 7, element 0 of '%a'");
    // Every other column, read with a stride that meets one hole.
    check_fault(f,
                HEAD "  sync dma q1 [8] %a[0; (2,4)] = @x[0; 8*p; (2,4)]\n"
                     "  vector copy [8] %w[0; (1,3)] = %a[0; (3,3)]\n" TAIL,
                D_TILE_UNINIT, "partition 0, element 3 of '%a'");
    // What an earlier iteration wrote is gone.
    check_fault(f,
                HEAD "  for i1 < 2 {\n"
                     "    sbuf %t: f32[1, 2] slots 2\n"
                     "    vector fill.f32 [1] %t[i1] = 1.0\n"
                     "    vector copy [1] %w[0] = %t[0]\n"
                     "  }\n" TAIL,
                D_TILE_UNINIT, "partition 0, element 0 of '%t'");
    // Accumulating is reading.
    check_fault(f,
                HEAD LOAD "  tensor ldw [8] %a[0; (1,8)]\n"
                          "  tensor matmul [8 -> 8] %p[0; (1,8)] += "
                          "%a[0; (1,8)]\n" TAIL,
                D_TILE_UNINIT, "'matmul' reads partition 0");
    check_fault(f,
                HEAD LOAD "  vector ts.f32 mul [8] %a[0; (1,8)] = "
                          "%a[0; (1,8)], %w[3]\n" TAIL,
                D_TILE_UNINIT, "element 3 of '%w'");
}

static void
test_fault_tensor(void **state)
{
    fixture *f = *state;

    check_fault(f,
                HEAD LOAD "  sync dma q1 [8] %a[0; (1,8)] = "
                          "@y[0; 8*p; (1,8)]\n" TAIL,
                D_TILE_UNINIT, "element [0, 0] of '@y'");
    check_fault(f,
                HEAD LOAD
                "  sync dma q1 [8] @y[0; 8*p; (1,7)] = %a[0; (1,7)]\n" TAIL,
                D_TILE_UNWRITTEN, "element [0, 7] of '@y'");
}

static void
test_fault_weights(void **state)
{
    fixture *f = *state;

    check_fault(f,
                HEAD LOAD "  tensor matmul [8 -> 8] %p[0; (1,8)] = "
                          "%a[0; (1,8)]\n" TAIL,
                D_TILE_WEIGHTS, "8 x 8, the last 'ldw' gave 0 x 0");
    check_fault(f,
                HEAD LOAD "  tensor ldw [8] %a[0; (1,4)]\n"
                          "  tensor matmul [8 -> 8] %p[0; (1,8)] = "
                          "%a[0; (1,8)]\n" TAIL,
                D_TILE_WEIGHTS, "8 x 8, the last 'ldw' gave 8 x 4");
}

// The evaluator checks bounds itself: an unverified function must not reach
// outside.
static void
test_fault_range(void **state)
{
    fixture *f = *state;
    tile_fn *fn = parse(f, HEAD LOAD "  for i1 < 3 {\n"
                                     "    vector fill.f32 [8] %w[4*i1] = 0.0\n"
                                     "  }\n" STORE TAIL);
    static float x[64], y[64];
    void *buf[] = {x, y};

    assert_non_null(fn);
    assert_false(tile_eval(fn, buf, &f->d));
    assert_diag(f, D_TILE_RANGE, "'fill' accesses element 8, outside of 'w'");
}

// ---- text

static const char *const every_text =
    "tile_ir @every target \"trn1\" {\n"
    "  input @x: bf16[1000, 512]\n"
    "  temp @s: f8e4m3[]\n"
    "  output @y: f32[1000, 512]\n"
    "  inout @z: f32[4]\n"
    "  const @c: u8[2, 2] = hex \"00ff7f80\"\n"
    "  sem s0: q3 -> vector credits 2\n"
    "  sem s1: vector -> tensor credits 0\n"
    "  sem s2: scalar -> sync credits 1\n"
    "  sbuf %keep: f32[128, 16] slots 1 at 0 by 64\n"
    "  sbuf %at: i32[128, 4] slots 1 at 64 by 16\n"
    "  vector mark wait s0*2 post s1*3\n"
    "  sync mark q3 wait s2 post s0\n"
    "  for i1 < 8 {\n"
    "    sbuf %x_0: bf16[128, 512] slots 2 at 1024 by 1024\n"
    "    psum %acc: f32[128, 512] slots 2\n"
    "    sync dma q3 [min(128, 1000 - 128*i1)] %x_0[0; (1,512)] = "
    "@x[65536*i1; 512*p; (1,512)] wait s2 post s0\n"
    "    for i2 < min(4, (9 - i1)/2) {\n"
    "      vector fill.f32 [128] %keep[2*i2 + 1; (1,2)] = -0.0\n"
    "      vector fill.f32 [128] %keep[i1 + i2] = 0x7fc00001\n"
    "      vector ts.f32 sub.rev [128] %keep[0] = %keep[0], 1.0\n"
    "      vector ts.f32 lt and [128] %keep[0] = %keep[0], 0.5, 1\n"
    "      vector tt.f32 max [128] %keep[0; (1,min(8, 9 - i1))] = "
    "%keep[8; (1,min(8, 9 - i1))], %keep[15; (0,min(8, 9 - i1))] wait s0\n"
    "      vector tt.f32 add [64] %keep[0; p+64; (1,16 upto 3)] = "
    "%keep[0; p+64; (1,16 upto 3)], %keep[3; p+32; (1,3)]\n"
    "      vector stt.f32 mul add.rev [128] %keep[0] = %keep[0], %keep[5], "
    "%keep[7]\n"
    "      scalar act.f32 exp [128] %keep[0] = %keep[0] * 0.125 + %keep[3]\n"
    "      scalar act.f32 tanh [128] %keep[0] = %keep[0] post s2\n"
    "      gpsimd preduce.f32 sum [128 -> 1] %keep[2; (1,4)] = "
    "%keep[8; (1,4)]\n"
    "      vector reduce.f32 sum over 2 [128] %keep[0; (1,2)] = "
    "%keep[2; (1,2) (4,2) (2,2)]\n"
    "      vector copy [128] %keep[15 - i2] = %keep[i1]\n"
    "    }\n"
    "    tensor ldw [128] %x_0[0; (4,128)]\n"
    "    tensor matmul [128 -> 128] %acc[0; (1,512)] += %x_0[0; (1,512)] "
    "except first i1\n"
    "    tensor matmul [128 -> 128] %acc[0; (1,512)] += %x_0[0; (1,512)] "
    "wait s1, s1*2\n"
    "    gpsimd dma q1 [1] @y[0; 0*p; (1,4)] += %keep[0; (1,4)]\n"
    "    gpsimd dma q1 [1] @y[0; 0*p; (1,4)] max= %keep[0; (1,4)]\n"
    "    gpsimd dma_gather q1 [128] %keep[0; (1,4)] = @x[i1; 64*p; (1,2)] by "
    "%at[0; (1,2)] skip\n"
    "    gpsimd dma_scatter q1 [128] @y[0; 512*p; (1,4)] min= %keep[0; (1,4)] "
    "by %at[0]\n"
    "  }\n"
    "}\n";

static void
test_text_round_trip(void **state)
{
    fixture *f = *state;
    tile_fn *fn = load(f, every_text);

    assert_string_equal(print(f, fn), every_text);
    assert_int_equal(fn->ops.at[2].at.source, 1);
    assert_memory_equal(f->d.sources.at[1].text.p + fn->ops.at[2].at.begin,
                        "sync dma q3", 11);
    assert_string_equal(print(f, load(f, "# a comment\ntile_ir @e target"
                                         "\"t\"{}")),
                        "tile_ir @e target \"t\" {\n}\n");
}

// Every immediate survives.
static void
test_text_words(void **state)
{
    fixture *f = *state;
    uint64_t seed = 4;

    for (int i = 0; i < 500; i++) {
        num_word w = (num_word)rng_next(&seed);
        tile_fn *fn = load(f, HEAD "  vector fill.f32 [8] %a[0] = 0.0\n"
                                   "  vector fill.i32 [8] %a[0] = 0\n"
                                   "  vector fill.u32 [8] %a[0] = 0\n" TAIL);
        tile_fn *again;

        for (uint32_t k = 0; k < 3; k++) {
            fn->ops.at[k].s0.imm = i == 0 ? 0xff800000u : w;
        }
        again = load(f, print(f, fn));
        for (uint32_t k = 0; k < 3; k++) {
            assert_int_equal(again->ops.at[k].s0.imm, fn->ops.at[k].s0.imm);
        }
    }
}

static void
test_bad_text(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *text, *says;
        diag_id id;
    } bad[] = {
        {"", "expected tile_ir, found 'the end'", D_TILE_SYNTAX},
        {HEAD "  vector fill.f32 [8] %a[0] 1.0\n" TAIL,
         "expected =", D_TILE_SYNTAX},
        {HEAD "  vector fil [8] %a[0] = 1.0\n" TAIL, "an operation",
         D_TILE_SYNTAX},
        {HEAD "  tractor fill.f32 [8] %a[0] = 1.0\n" TAIL, "an engine",
         D_TILE_SYNTAX},
        {HEAD "  vector tt.f32 foo [8] %a[0] = %a[0], %a[1]\n" TAIL,
         "a function of two operands, found 'foo'", D_TILE_SYNTAX},
        {HEAD "  vector fill.f32 [8] %a[99999999999999999999] = 1.0\n" TAIL,
         "does not fit", D_TILE_NUMBER},
        {HEAD "  vector fill.i32 [8] %a[0] = 99999999999\n" TAIL,
         "does not fit", D_TILE_NUMBER},
        {HEAD "  vector fill.f32 [8] %b[0] = 1.0\n" TAIL, "unknown buffer 'b'",
         D_TILE_NAME},
        {HEAD "  vector fill.f32 [8] %a[i1] = 1.0\n" TAIL, "unknown loop 'i1'",
         D_TILE_NAME},
        {HEAD "  sbuf %a: f32[1, 1] slots 1\n" TAIL,
         "buffer 'a' is defined twice", D_TILE_TWICE},
        {HEAD "for i1<1{for i2<1{for i3<1{for i4<1{for i5<1{for i6<1{"
              "for i7<1{for i8<1{for i9<1{",
         "deeper than 8", D_TILE_DEPTH},
        {"tile_ir @c target \"t\" { const @c: i32[2] = hex \"00\" }",
         "has 1 bytes, its type takes 8", D_TILE_DATA},
        {"tile_ir @c target \"t\" { input @c: i32[1152921504606846976, 16] }",
         "too large", D_TILE_TENSOR},
        {HEAD TAIL "more", "expected the end, found 'more'", D_TILE_SYNTAX},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_null(parse(f, bad[i].text));
        assert_diag(f, bad[i].id, bad[i].says);
        f->d.msgs.n = f->d.errors = 0;
    }
}

// Every prefix of a text ends in one message, not in a crash.
static void
test_bad_prefixes(void **state)
{
    fixture *f = *state;
    size_t n = strlen(every_text) - 2;

    for (size_t i = 0; i < n; i++) {
        char *cut = arena_printf(f->a, "%.*s", (int)i, every_text);

        f->d.msgs.n = f->d.errors = 0;
        assert_null(parse(f, cut));
        assert_int_equal(f->d.msgs.n, 1);
    }
}

// ---- rules

static const struct {
    const char *text, *says;
    diag_id id;
} bad_rules[] = {
    // bounds
    {"  vector fill.f32 [8] %a[1; (1,8)] = 0.0\n",
     "elements 1 to 8 of 'a', which has 8", D_TILE_OUTSIDE},
    {"  vector fill.f32 [8] %a[6; (-7,2)] = 0.0\n", "elements -1 to 6",
     D_TILE_OUTSIDE},
    {"  vector fill.f32 [8] %a[0; p+1] = 0.0\n", "partitions 1 to 8",
     D_TILE_OUTSIDE},
    {"  for i1 < 3 {\n vector fill.f32 [8] %a[4*i1] = 0.0\n }\n",
     "elements 0 to 8", D_TILE_OUTSIDE},
    {"  for i1 < 3 {\n sync dma q1 [min(4, 9 - 4*i1)] "
     "%a[0; (1,8)] = @x[32*i1; 8*p; (1,8)]\n }\n",
     "elements 0 to 71 of 'x', which has 64", D_TILE_OUTSIDE},
    // scope
    {"  for i1 < 3 {\n sbuf %t: f32[8, 8] slots 1\n }\n"
     "  vector fill.f32 [8] %t[0] = 0.0\n",
     "the buffer does not live here", D_TILE_OPERAND},
    // kinds of operands
    {"  vector copy [8] %a[0] = @x[0; 8*p]\n", "only transfers",
     D_TILE_OPERAND},
    {"  vector fill.f32 [8] %a[0; (1,70000)] = 0.0\n", "does not fit its field",
     D_TILE_OPERAND},
    {"  vector fill.f32 [200] %a[0] = 0.0\n", "partitions", D_TILE_OP},
    {"  vector ts.f32 add [8] %a[0] = %a[0], %w[0; (1,2)]\n",
     "one element a partition", D_TILE_OP},
    // sizes
    {"  vector copy [8] %a[0; (1,8)] = %w[0; (1,7)]\n", "dst and a",
     D_TILE_SIZES},
    {"  for i1 < 2 {\n vector copy [8] %a[0; (1,min(8, 9 - i1))] = "
     "%w[0; (1,min(8, 8 - i1))]\n }\n",
     "dst and a", D_TILE_SIZES},
    {"  vector reduce.f32 sum over 1 [8] %a[0; (1,8)] = %w[0; (1,8)]\n",
     "dst and a", D_TILE_SIZES},
    {"  vector reduce.f32 sum over 3 [8] %a[0] = %w[0; (1,8)]\n", "not there",
     D_TILE_OP},
    // aliasing
    {"  vector copy [8] %a[0; (1,4)] = %a[1; (1,4)]\n", "overlaps operand a",
     D_TILE_ALIAS},
    {"  vector tt.f32 add [8] %a[0; (1,4)] = %w[0; (1,4)], "
     "%a[3; (-1,4)]\n",
     "overlaps operand b", D_TILE_ALIAS},
    // functions
    {"  vector tt.bool add [8] %a[0] = %a[0], %w[0]\n", "first function",
     D_TILE_OP},
    {"  vector act.i32 exp [8] %a[0] = %a[0]\n", "its function", D_TILE_OP},
    {"  vector reduce.f32 any over 1 [8] %a[0] = %w[0; (1,8)]\n",
     "its reduction", D_TILE_OP},
    {"  vector tt add [8] %a[0] = %a[0], %w[0]\n", "no register type",
     D_TILE_OP},
    // engines and memories
    {"  tensor fill.f32 [8] %a[0] = 0.0\n", "tensor engine runs", D_TILE_OP},
    {"  sync fill.f32 [8] %a[0] = 0.0\n", "no arithmetic", D_TILE_OP},
    {"  gpsimd fill.f32 [8] %p[0] = 0.0\n", "gpsimd engine", D_TILE_OP},
    {"  sync dma q1 [8] %p[0] = @x[0; 8*p]\n", "dma does not reach", D_TILE_OP},
    {"  sync dma q17 [8] %a[0] = @x[0; 8*p]\n", "queue", D_TILE_OP},
    {"  vector fill.f32 q2 [8] %a[0] = 0.0\n", "queue", D_TILE_OP},
    {"  tensor matmul [8 -> 8] %w[0; (1,8)] = %a[0; (1,8)]\n",
     "matmul writes PSUM", D_TILE_OP},
    {"  tensor ldw [8] %p[0; (1,8)]\n", "reads SBUF", D_TILE_OP},
    {"  gpsimd preduce.f32 sum [8 -> 2] %a[0] = %w[0]\n", "one partition",
     D_TILE_OP},
    {"  vector mark wait s0\n", "not its own", D_TILE_OP},
    {"  for i1 < min(4, 99999999999999*2) {\n }\n", "", D_NONE},
};

static void
test_bad_rules(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i + 1 < ARRAY_LEN(bad_rules); i++) {
        char *text =
            arena_printf(f->a, "%s%s%s", HEAD, bad_rules[i].text, TAIL);
        tile_fn *fn = parse(f, text);

        if (fn == NULL || tile_verify(fn, &f->d)) {
            print_message("accepted: %s", bad_rules[i].text);
            show(f);
            fail();
        }
        assert_diag(f, bad_rules[i].id, bad_rules[i].says);
        f->d.msgs.n = f->d.errors = 0;
    }
}

// What a text cannot say: only a pass could get these wrong.
static void
test_bad_built(void **state)
{
    fixture *f = *state;
    tile_fn *fn = load(f, HEAD "  for i1 < 2 {\n  }\n" TAIL);
    tile_sem *sem = vec_add(f->a, &fn->sems);

    sem->consumer = ENG_SYNC;
    assert_false(tile_verify(fn, &f->d));
    assert_diag(f, D_TILE_SEM, "one producer");
    f->d.msgs.n = f->d.errors = 0;
    fn->sems.n = 0;
    fn->loops.at[1].depth = 2;
    assert_false(tile_verify(fn, &f->d));
    assert_diag(f, D_TILE_LOOP, "its parent or depth is wrong");
    f->d.msgs.n = f->d.errors = 0;
    fn->loops.at[1].depth = 1;
    vec_push(f->a, &fn->loops.at[0].items, fn->loops.at[0].items.at[0]);
    assert_false(tile_verify(fn, &f->d));
    assert_diag(f, D_TILE_LOOP, "in two bodies");
}

static void
test_good_rules(void **state)
{
    fixture *f = *state;
    static const char *const good[] = {
        // A ragged tail in rows and in columns, the last tile being partial.
        "  for i1 < 2 {\n    for i2 < 3 {\n"
        "      sync dma q1 [min(5, 8 - 5*i1)] %a[0; (1,min(3, 8 - 3*i2))] = "
        "@x[40*i1 + 3*i2; 8*p; (1,min(3, 8 - 3*i2))]\n    }\n  }\n",
        // A triangular loop: i2 <= i1.
        "  for i1 < 8 {\n    for i2 < min(8, 1 + i1) {\n"
        "      vector fill.f32 [8] %a[i1 - i2] = 0.0\n    }\n  }\n",
        // Its blocked form: i2 <= i1 / 2.
        "  for i1 < 8 {\n    for i2 < min(4, (2 + i1)/2) {\n"
        "      vector fill.f32 [8] %a[i1 - 2*i2] = 0.0\n    }\n  }\n",
        // Neighbours, even and odd, other partitions, a tile and the next.
        "  vector copy [8] %a[0; (1,4)] = %a[4; (1,4)]\n",
        "  vector copy [8] %a[0; (2,4)] = %a[1; (2,4)]\n",
        "  vector copy [4] %a[0; p+4; (1,8)] = %a[0; (1,8)]\n",
        "  for i1 < 7 {\n    vector copy [8] %a[i1 + 1] = %a[i1]\n  }\n",
        // In place, also as a vector.
        "  vector stt.f32 add max [8] %a[0] = %a[0], %a[0], %a[0]\n",
        // Nothing is out of bounds where nothing runs.
        "  for i1 < 0 {\n    vector fill.f32 [8] %a[100] = 0.0\n  }\n",
        "  vector fill.f32 [0] %a[100] = 0.0\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char *text = arena_printf(f->a, "%s%s%s", HEAD, good[i], TAIL);

        assert_string_equal(print(f, load(f, text)), text);
    }
}

#define PLACED(x, y, z)                                                        \
    "tile_ir @p target \"trn2\" {\n"                                           \
    "  sbuf %x: f32[1, 4] slots 2 at " x " by 16\n"                            \
    "  vector fill.f32 [1] %x[0] = 0.0\n"                                      \
    "  for i1 < 2 {\n"                                                         \
    "    sbuf %y: f32[1, 4] slots 1 at " y " by 16\n"                          \
    "    sbuf %z: f32[1, 4] slots 1 at " z " by 16\n"                          \
    "    vector fill.f32 [1] %y[0] = 0.0\n"                                    \
    "    vector copy [1] %x[0] = %y[0]\n"                                      \
    "    vector fill.f32 [1] %z[0] = 0.0\n"                                    \
    "  }\n"                                                                    \
    "  for i2 < 2 {\n"                                                         \
    "    sbuf %other: f32[1, 4] slots 1 at 36 by 16\n"                         \
    "    vector fill.f32 [1] %other[0] = 0.0\n"                                \
    "  }\n"                                                                    \
    "}\n"

static void
test_placed(void **state)
{
    fixture *f = *state;

    // y and z may share: y is dead when z is filled. So may the two loops'.
    assert_true(
        tile_verify_placed(load(f, PLACED("0", "32", "32")), 64, 0, &f->d));
    assert_false(
        tile_verify_placed(load(f, PLACED("0", "31", "48")), 64, 0, &f->d));
    assert_diag(f, D_TILE_OVERLAP,
                "'%x' and '%y' are live at once and share bytes 31 to 31");
    f->d.msgs.n = f->d.errors = 0;
    assert_false(
        tile_verify_placed(load(f, PLACED("0", "32", "56")), 64, 0, &f->d));
    assert_diag(f, D_TILE_CAPACITY, "'%z' takes bytes 56 to 71");
    f->d.msgs.n = f->d.errors = 0;
    assert_false(tile_verify_placed(load(f, HEAD TAIL), 64, 0, &f->d));
    assert_diag(f, D_TILE_BUF, "no address");
}

static void
test_ranges(void **state)
{
    fixture *f = *state;
    tile_fn *fn = tile_fn_new(f->a, "r", "t");
    uint32_t i = tile_add_loop(fn, 0, tile_count_const(10));
    uint32_t j = tile_add_loop(fn, i, ragged(4, 21, i)); // min(4, 21 - 4 i)
    tile_aff a = at2(i, 4, j, 1), b = at2(i, -1, j, 1);
    int64_t lo, hi, counter[3] = {0, 5, 0};
    tile_count c = ragged(4, 21, i);

    tile_aff_range(fn, &a, &lo, &hi);
    assert_int_equal(lo, 0);
    assert_int_equal(hi, 36 + 20 - 4 * 9); // i = 9: j <= 20 - 36 < 0: none
    tile_aff_range(fn, &b, &lo, &hi);
    assert_int_equal(lo, -9);
    assert_int_equal(hi, 3);
    assert_int_equal(tile_count_at(&c, counter), 1);
    counter[1] = 6;
    assert_int_equal(tile_count_at(&c, counter), 0);
    a = tile_aff_add(a, tile_aff_scale(b, 4));
    assert_int_equal(a.n, 1);
    assert_int_equal(a.t[0].k, 5);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_eval_elementwise), T(test_eval_matmul),  T(test_eval_reduce),
        T(test_eval_mixed),       T(test_fault_uninit), T(test_fault_tensor),
        T(test_fault_weights),    T(test_fault_range),  T(test_text_round_trip),
        T(test_text_words),       T(test_bad_text),     T(test_bad_prefixes),
        T(test_bad_rules),        T(test_good_rules),   T(test_bad_built),
        T(test_placed),           T(test_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
