// SPDX-License-Identifier: Apache-2.0
// The C API as an outside program sees it: only systole.h. Expected values are
// computed here.
#include "systole/systole.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char matmul[] =
    "kernel matmul[M, K, N](a: f32[M, K], b: f32[K, N]) -> (c: f32[M, N]) {\n"
    "  c[m, n] = sum[k] a[m, k] * b[k, n]\n"
    "}\n";

static const char two[] =
    "kernel one[N](x: f32[N]) -> (y: f32[N]) { y[i] = x[i] + 1.0 }\n"
    "kernel other[M](x: i32[M]) -> (y: i32[M]) { y[i] = x[i] * 3 }\n";

static int
setup(void **state)
{
    *state = sy_session_new();
    return *state ? 0 : 1;
}

static int
teardown(void **state)
{
    sy_session_free(*state);
    return 0;
}

static sy_module *
parse(sy_session *s, const char *name, const char *text)
{
    sy_module *m = NULL;
    sy_status st =
        sy_module_parse(s, name, text, strlen(text), SY_KIND_AUTO, &m);
    for (size_t i = 0; st != SY_OK && i < sy_diagnostic_count(s); i++)
        print_message("%s", sy_diagnostic_text(s, i, 0));
    assert_int_equal(st, SY_OK);
    return m;
}

static sy_program *
compile(sy_session *s, const sy_module *m, const char *kernel,
        const sy_dim *dims, size_t n)
{
    sy_compile_options o = {.size = sizeof o,
                            .kernel = kernel,
                            .target = "tiny",
                            .dims = dims,
                            .dim_count = n,
                            .opt_level = -1};
    sy_program *p = NULL;
    sy_status st = sy_compile(s, m, &o, &p);
    for (size_t i = 0; st != SY_OK && i < sy_diagnostic_count(s); i++)
        print_message("%s", sy_diagnostic_text(s, i, 0));
    assert_int_equal(st, SY_OK);
    return p;
}

static const sy_dim small[] = {{"M", 3}, {"K", 20}, {"N", 5}};

static sy_program *
small_matmul(sy_session *s)
{
    return compile(s, parse(s, "matmul.tk", matmul), NULL, small, 3);
}

// ---- inputs

static void
module_tells_its_kernels(void **state)
{
    sy_module *m = parse(*state, "two.tk", two);
    assert_int_equal(sy_module_kind(m), SY_KIND_TK);
    assert_int_equal(sy_module_kernel_count(m), 2);
    assert_string_equal(sy_module_kernel_name(m, 0), "one");
    assert_string_equal(sy_module_kernel_name(m, 1), "other");
    assert_int_equal(sy_kernel_dim_count(m, 1), 1);
    assert_string_equal(sy_kernel_dim_name(m, 1, 0), "M");
    assert_int_equal(sy_kernel_param_count(m, 1), 2);
    int out = 9;
    sy_array_type t = sy_kernel_param(m, 1, 0, &out);
    assert_string_equal(t.name, "x");
    assert_string_equal(t.dtype, "i32");
    assert_int_equal(t.rank, 1);
    assert_int_equal(t.shape[0], -1);
    assert_int_equal(out, 0);
    sy_kernel_param(m, 1, 1, &out);
    assert_int_equal(out, 1);
}

static void
expect_code(sy_session *s, uint32_t code)
{
    assert_int_not_equal(sy_diagnostic_count(s), 0);
    assert_int_equal(sy_diagnostic_at(s, 0).code, code);
    assert_non_null(sy_explain(code));
    sy_diagnostics_clear(s);
}

static void
bad_inputs_are_rejected(void **state)
{
    sy_session *s = *state;
    sy_module *m = NULL;
    assert_int_equal(sy_module_parse(s, "e", "", 0, SY_KIND_AUTO, &m),
                     SY_REJECTED);
    expect_code(s, 2);
    assert_int_equal(sy_module_parse(s, "b", "\1\2\3", 3, SY_KIND_AUTO, &m),
                     SY_REJECTED);
    expect_code(s, 3);
    assert_int_equal(sy_module_parse(s, "f",
                                     "fn f(x: f32) -> (y: f32) { y = x }\n", 34,
                                     SY_KIND_AUTO, &m),
                     SY_REJECTED);
    expect_code(s, 5);
    assert_int_equal(sy_module_parse(s, "s", "kernel k(", 9, SY_KIND_AUTO, &m),
                     SY_REJECTED);
    sy_diagnostic d = sy_diagnostic_at(s, 0);
    assert_string_equal(d.file, "s");
    assert_int_equal(d.line, 1);
    assert_null(m);
    assert_int_equal(sy_module_parse(s, NULL, "", 0, SY_KIND_AUTO, &m),
                     SY_USAGE);
}

static void
bad_choices_are_rejected(void **state)
{
    sy_session *s = *state;
    sy_module *m = parse(s, "two.tk", two);
    sy_program *p = NULL;
    sy_compile_options o = {.size = sizeof o, .opt_level = -1};
    assert_int_equal(sy_compile(s, m, &o, &p), SY_REJECTED);
    assert_int_equal(sy_diagnostic_at(s, 0).note_count, 2);
    expect_code(s, 6);
    o.kernel = "none";
    assert_int_equal(sy_compile(s, m, &o, &p), SY_REJECTED);
    expect_code(s, 7);
    o.kernel = "one";
    o.target = "vax";
    assert_int_equal(sy_compile(s, m, &o, &p), SY_REJECTED);
    expect_code(s, 8);
    o.target = NULL;
    o.stop_after = "lunch";
    assert_int_equal(sy_compile(s, m, &o, &p), SY_REJECTED);
    expect_code(s, 9);
    o.stop_after = NULL;
    assert_int_equal(sy_compile(s, m, &o, &p), SY_REJECTED); // N is unknown
    assert_int_not_equal(sy_diagnostic_count(s), 0);
    sy_diagnostics_clear(s);
    sy_dim huge = {"N", (int64_t)1 << 36};
    o.dims = &huge;
    o.dim_count = 1;
    assert_int_equal(sy_compile(s, m, &o, &p), SY_REJECTED);
    expect_code(s, 900);
    o.size = 3;
    assert_int_equal(sy_compile(s, m, &o, &p), SY_USAGE);
    assert_null(p);
}

// ---- running

static sy_status
run(sy_session *s, sy_program *p, sy_engine engine)
{
    sy_run_options o = {.size = sizeof o, .engine = engine};
    return sy_run(s, p, &o);
}

static void
bind_matmul(sy_session *s, sy_program *p, float *a, float *b, float *c)
{
    for (int i = 0; i < 60; i++)
        a[i] = (float)(i % 7 - 3);
    for (int i = 0; i < 100; i++)
        b[i] = (float)(i % 5 - 2);
    assert_int_equal(sy_bind(s, p, "a", a, 60 * sizeof *a), SY_OK);
    assert_int_equal(sy_bind(s, p, "b", b, 100 * sizeof *b), SY_OK);
    assert_int_equal(sy_bind(s, p, "c", c, 15 * sizeof *c), SY_OK);
}

// Small integers: every level must give the exact product.
static void
every_engine_multiplies(void **state)
{
    static const sy_engine engines[] = {SY_ENGINE_TENSOR, SY_ENGINE_TILE,
                                        SY_ENGINE_INTERP};
    sy_session *s = *state;
    sy_program *p = small_matmul(s);
    float a[60], b[100], c[15];
    bind_matmul(s, p, a, b, c);
    for (size_t e = 0; e < 3; e++) {
        memset(c, 0xff, sizeof c);
        assert_int_equal(run(s, p, engines[e]), SY_OK);
        for (int m = 0; m < 3; m++) {
            for (int n = 0; n < 5; n++) {
                float want = 0;
                for (int k = 0; k < 20; k++)
                    want += a[m * 20 + k] * b[k * 5 + n];
                assert_true(c[m * 5 + n] == want);
            }
        }
    }
}

static void
kernels_of_a_file_are_separate(void **state)
{
    sy_session *s = *state;
    sy_module *m = parse(s, "two.tk", two);
    sy_dim d = {"M", 40};
    sy_program *p = compile(s, m, "other", &d, 1);
    int32_t x[40], y[40];
    for (int i = 0; i < 40; i++)
        x[i] = i * 50000000;
    assert_int_equal(sy_bind(s, p, "x", x, sizeof x), SY_OK);
    assert_int_equal(sy_bind(s, p, "y", y, sizeof y), SY_OK);
    assert_int_equal(run(s, p, SY_ENGINE_INTERP), SY_OK);
    for (int i = 0; i < 40; i++)
        assert_int_equal((uint32_t)y[i], (uint32_t)x[i] * 3u);
}

static void
binding_is_checked(void **state)
{
    sy_session *s = *state;
    sy_program *p = small_matmul(s);
    float x[60];
    assert_int_equal(run(s, p, SY_ENGINE_INTERP), SY_REJECTED);
    assert_int_equal(sy_diagnostic_count(s), 3);
    expect_code(s, 702);
    assert_int_equal(sy_bind(s, p, "z", x, sizeof x), SY_REJECTED);
    expect_code(s, 700);
    assert_int_equal(sy_bind(s, p, "a", x, sizeof x - 1), SY_REJECTED);
    expect_code(s, 701);
    assert_int_equal(sy_bind(s, p, "a", NULL, sizeof x), SY_USAGE);
}

static void
instruction_limit_is_a_status(void **state)
{
    sy_session *s = *state;
    sy_program *p = small_matmul(s);
    float a[60], b[100], c[15];
    bind_matmul(s, p, a, b, c);
    sy_run_options o = {.size = sizeof o, .max_instructions = 2};
    assert_int_equal(sy_run(s, p, &o), SY_LIMIT);
    assert_int_not_equal(sy_diagnostic_count(s), 0);
}

// ---- emitting

static void
emit(sy_session *s, sy_program *p, sy_emit what, const void **bytes, size_t *n)
{
    assert_int_equal(sy_program_emit(s, p, what, bytes, n), SY_OK);
    assert_int_not_equal(*n, 0);
}

static void
every_form_compiles_to_the_same_results(void **state)
{
    static const sy_emit forms[] = {SY_EMIT_TENSOR, SY_EMIT_TILE, SY_EMIT_ASM,
                                    SY_EMIT_OBJECT};
    static const sy_kind kinds[] = {SY_KIND_TENSOR, SY_KIND_TILE, SY_KIND_ASM,
                                    SY_KIND_OBJECT};
    sy_session *s = *state;
    sy_program *p = small_matmul(s);
    float a[60], b[100], c[15], again[15];
    bind_matmul(s, p, a, b, c);
    assert_int_equal(run(s, p, SY_ENGINE_INTERP), SY_OK);
    for (size_t i = 0; i < 4; i++) {
        const void *bytes = NULL;
        size_t n = 0;
        emit(s, p, forms[i], &bytes, &n);
        sy_module *m = NULL;
        assert_int_equal(sy_module_parse(s, "form", bytes, n, SY_KIND_AUTO, &m),
                         SY_OK);
        assert_int_equal(sy_module_kind(m), kinds[i]);
        assert_string_equal(sy_module_kernel_name(m, 0), "matmul");
        sy_program *q = compile(s, m, NULL, NULL, 0);
        memset(again, 0xff, sizeof again);
        bind_matmul(s, q, a, b, again);
        assert_int_equal(run(s, q, SY_ENGINE_INTERP), SY_OK);
        assert_memory_equal(c, again, sizeof c);
    }
}

static void
assembly_round_trips_to_the_byte(void **state)
{
    sy_session *s = *state;
    const void *object = NULL, *back = NULL;
    const char *text = NULL;
    size_t n = 0, back_n = 0;
    emit(s, small_matmul(s), SY_EMIT_OBJECT, &object, &n);
    assert_int_equal(sy_disassemble(s, "o", object, n, &text), SY_OK);
    assert_int_equal(sy_assemble(s, "t", text, strlen(text), &back, &back_n),
                     SY_OK);
    assert_int_equal(n, back_n);
    assert_memory_equal(object, back, n);
    assert_int_equal(sy_disassemble(s, "o", "no object", 9, &text),
                     SY_REJECTED);
    expect_code(s, 3);
}

static void
stopping_early_leaves_an_ir(void **state)
{
    sy_session *s = *state;
    sy_module *m = parse(s, "matmul.tk", matmul);
    sy_compile_options o = {.size = sizeof o,
                            .dims = small,
                            .dim_count = 3,
                            .opt_level = -1,
                            .print_after = "all",
                            .stop_after = "tile",
                            .verify_each = 1};
    sy_program *p = NULL;
    const void *bytes = NULL;
    size_t n = 0;
    assert_int_equal(sy_compile(s, m, &o, &p), SY_OK);
    assert_int_not_equal(strlen(sy_program_dump(p)), 0);
    emit(s, p, SY_EMIT_TILE, &bytes, &n);
    emit(s, p, SY_EMIT_TENSOR, &bytes, &n);
    assert_int_equal(sy_program_emit(s, p, SY_EMIT_OBJECT, &bytes, &n),
                     SY_REJECTED);
    expect_code(s, 13);
}

static const sy_check_row *
row_against(const sy_check_row *rows, size_t n, const char *against)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].against, against) == 0)
            return &rows[i];
    }
    return NULL;
}

// Tile IR brings the tensor IR that it was made from; a wrong pass between the
// two is noticed, and a mistake is where it was made.
static void
tile_text_carries_its_reference(void **state)
{
    sy_session *s = *state;
    const void *bytes = NULL;
    const sy_check_row *rows = NULL;
    size_t n = 0, nrows = 0;
    emit(s, small_matmul(s), SY_EMIT_TILE, &bytes, &n);
    char *text = test_calloc(n + 1, 1);
    memcpy(text, bytes, n);

    sy_program *p = compile(s, parse(s, "k.tile", text), NULL, NULL, 0);
    emit(s, p, SY_EMIT_TILE, &bytes, &n);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, n);
    sy_check_options o = {.size = sizeof o};
    assert_int_equal(sy_check(s, p, &o, &rows, &nrows), SY_OK);
    assert_non_null(row_against(rows, nrows, "reference"));

    // 19 of 20 products: every count of the last tile of the contraction.
    for (char *at = text; (at = strstr(at, "(16, 20 -")) != NULL; at++)
        memcpy(at, "(16, 19 -", 9);
    p = compile(s, parse(s, "k.tile", text), NULL, NULL, 0);
    assert_int_equal(sy_check(s, p, &o, &rows, &nrows), SY_MISMATCH);
    assert_true(row_against(rows, nrows, "tile")->ok);
    assert_false(row_against(rows, nrows, "reference")->ok);

    sy_module *m = NULL;
    *strstr(text, "mul(a[") = 'q';
    assert_int_equal(sy_module_parse(s, "k.tile", text, n, SY_KIND_AUTO, &m),
                     SY_REJECTED);
    int lines = 1;
    for (const char *at = text; at < strstr(text, "qul("); at++)
        lines += *at == '\n';
    assert_int_equal(sy_diagnostic_at(s, 0).line, lines);
    test_free(text);
}

// ---- checking

static void
check_passes_and_has_teeth(void **state)
{
    sy_session *s = *state;
    sy_program *p = small_matmul(s);
    sy_check_options o = {.size = sizeof o, .seed = 5, .orders = 3};
    const sy_check_row *rows = NULL;
    size_t n = 0;
    assert_int_equal(sy_check(s, p, &o, &rows, &n), SY_OK);
    assert_non_null(row_against(rows, n, "tile"));
    assert_non_null(row_against(rows, n, "orders"));
    const sy_check_row *ref = row_against(rows, n, "reference");
    assert_non_null(ref);
    assert_true(ref->ok && ref->worst <= 1);

    // A claimed result with one product dropped must fail, the true one pass.
    float c[15];
    assert_int_equal(sy_draw(s, p, 5), SY_OK);
    assert_int_equal(sy_bind(s, p, "c", c, sizeof c), SY_OK);
    assert_int_equal(run(s, p, SY_ENGINE_INTERP), SY_OK);
    assert_int_equal(sy_check(s, p, &o, &rows, &n), SY_OK);
    assert_true(row_against(rows, n, "claim")->ok);
    c[7] += 0.001f;
    assert_int_equal(sy_check(s, p, &o, &rows, &n), SY_MISMATCH);
    const sy_check_row *claim = row_against(rows, n, "claim");
    assert_false(claim->ok);
    assert_true(claim->worst > 1);
    assert_int_equal(claim->rank, 2);
    assert_int_equal(claim->index[0], 1);
    assert_int_equal(claim->index[1], 2);
    assert_non_null(strstr(claim->where, "matmul.tk:2"));
}

// Lowering visits the condition of a reduction and its term in another order
// than their text has; the two padded copies of x must still not swap names.
static void
padded_copies_are_told_apart(void **state)
{
    static const char text[] =
        "kernel k[N](x: f32[N]) -> (y: f32[N]) {\n"
        "  y[i] = sum[r in 0..3 where (x[i+r-1] else 0) < 0.5]"
        " (x[i-r] else 1)\n"
        "}\n";
    sy_session *s = *state;
    sy_dim d = {"N", 8};
    sy_program *p = compile(s, parse(s, "k.tk", text), NULL, &d, 1);
    sy_check_options o = {.size = sizeof o};
    const sy_check_row *rows = NULL;
    size_t n = 0, tile_n = 0;
    assert_int_equal(sy_check(s, p, &o, &rows, &n), SY_OK);
    assert_non_null(row_against(rows, n, "step"));

    const void *tile = NULL, *bytes = NULL;
    emit(s, p, SY_EMIT_TILE, &tile, &tile_n);
    char *copy = test_calloc(tile_n + 1, 1);
    memcpy(copy, tile, tile_n);
    sy_program *q = compile(s, parse(s, "k.tile", copy), NULL, NULL, 0);
    assert_int_equal(sy_check(s, q, &o, &rows, &n), SY_OK);
    assert_non_null(row_against(rows, n, "step"));

    // The tensor IR's text gives the same tile IR.
    emit(s, p, SY_EMIT_TENSOR, &bytes, &n);
    char *tensor = test_calloc(n + 1, 1);
    memcpy(tensor, bytes, n);
    q = compile(s, parse(s, "k.tensor", tensor), NULL, NULL, 0);
    emit(s, q, SY_EMIT_TILE, &bytes, &n);
    assert_int_equal(n, tile_n);
    assert_memory_equal(bytes, copy, n);
    test_free(tensor);
    test_free(copy);
}

// A hidden layer in bf16: sums of 8 products exact in f32, then 64 of them.
enum { LAYER_B = 2, LAYER_I = 8, LAYER_H = 64, LAYER_O = 3 };

typedef struct {
    float x[LAYER_B][LAYER_I], w[LAYER_I][LAYER_H], v[LAYER_H][LAYER_O];
    float y[LAYER_B][LAYER_O];
} layers;

static void
layers_draw(layers *l)
{
    float *at = &l->x[0][0];
    uint32_t r = 1;
    for (size_t i = 0; i < offsetof(layers, y) / sizeof(float); i++) {
        r = r * 1664525 + 1013904223;
        at[i] = (float)((int32_t)(r >> 25) - 64) / 64;
    }
}

// To bf16: to nearest, to even, or toward zero.
static double
to_bf16(double x, bool toward_zero)
{
    float f = (float)x;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    u += toward_zero ? 0 : 0x7fff + (u >> 16 & 1);
    u &= 0xffff0000;
    memcpy(&f, &u, sizeof f);
    return (double)f;
}

typedef enum { ROUNDED, UNROUNDED, TRUNCATED, DROPPED } layers_how;

static void
layers_claim(layers *l, layers_how how)
{
    for (int b = 0; b < LAYER_B; b++) {
        double y[LAYER_O] = {0};
        for (int j = 0; j < LAYER_H; j++) {
            double h = 0;
            for (int i = 0; i < LAYER_I; i++)
                h += (double)l->x[b][i] * (double)l->w[i][j];
            h = how == UNROUNDED ? h : to_bf16(h, how == TRUNCATED);
            for (int o = 0; o < LAYER_O; o++) {
                double term = h * (double)l->v[j][o], size = fabs(term);
                // The first that the whole chain's bound would forgive.
                bool drop = how == DROPPED && size > 0.01 && size < 0.05;
                y[o] += drop ? 0 : term;
                how = drop ? ROUNDED : how;
            }
        }
        for (int o = 0; o < LAYER_O; o++)
            l->y[b][o] = (float)y[o];
    }
}

// The bound of the whole forgives what the kernel's own roundings do not.
static void
claims_share_the_roundings(void **state)
{
    static const char text[] =
        "kernel k[B, I, H, O](x: f32[B, I], w: f32[I, H], v: f32[H, O])"
        " -> (y: f32[B, O]) {\n"
        "  h[b, j] = cast(sum[i] x[b, i] * w[i, j], bf16)\n"
        "  y[b, o] = sum[j] h[b, j] * v[j, o]\n"
        "}\n";
    static const sy_dim dims[] = {
        {"B", LAYER_B}, {"I", LAYER_I}, {"H", LAYER_H}, {"O", LAYER_O}};
    sy_session *s = *state;
    sy_program *p = compile(s, parse(s, "k.tk", text), NULL, dims, 4);
    sy_check_options o = {.size = sizeof o};
    const sy_check_row *rows = NULL;
    size_t n = 0;
    layers l;
    layers_draw(&l);
    assert_int_equal(sy_bind(s, p, "x", l.x, sizeof l.x), SY_OK);
    assert_int_equal(sy_bind(s, p, "w", l.w, sizeof l.w), SY_OK);
    assert_int_equal(sy_bind(s, p, "v", l.v, sizeof l.v), SY_OK);
    assert_int_equal(sy_bind(s, p, "y", l.y, sizeof l.y), SY_OK);
    for (layers_how how = ROUNDED; how <= DROPPED; how++) {
        layers_claim(&l, how);
        bool right = how == ROUNDED || how == UNROUNDED;
        assert_int_equal(sy_check(s, p, &o, &rows, &n),
                         right ? SY_OK : SY_MISMATCH);
        assert_true(row_against(rows, n, "claim")->ok);
        assert_int_equal(row_against(rows, n, "claim-rounded")->ok, right);
    }
}

// A program compiled against an earlier header gives shorter structures; what
// follows them in memory is not options.
static void
shorter_options_are_taken(void **state)
{
    sy_session *s = *state;
    sy_module *m = parse(s, "matmul.tk", matmul);
    sy_program *p = NULL;
    sy_compile_options o = {.size = offsetof(sy_compile_options, opt_level),
                            .target = "tiny",
                            .dims = small,
                            .dim_count = 3,
                            .opt_level = 99};
    assert_int_equal(sy_compile(s, m, &o, &p), SY_OK);
    o.size = sizeof o;
    assert_int_equal(sy_compile(s, m, &o, &p), SY_USAGE);
    o.size = sizeof o + 1;
    o.opt_level = -1;
    assert_int_equal(sy_compile(s, m, &o, &p), SY_USAGE);
    o.size = sizeof o.size - 1;
    assert_int_equal(sy_compile(s, m, &o, &p), SY_USAGE);
    const sy_check_row *rows = NULL;
    size_t n = 0;
    sy_check_options k = {.size = offsetof(sy_check_options, orders),
                          .orders = 2};
    assert_int_equal(sy_check(s, p, &k, &rows, &n), SY_OK);
    assert_null(row_against(rows, n, "orders"));
}

// ---- the rest

static void
targets_describe_themselves(void **state)
{
    bool tiny = false;
    for (uint32_t i = 0; i < sy_target_count(); i++) {
        const char *name = sy_target_name(i);
        tiny = tiny || strcmp(name, "tiny") == 0;
        assert_non_null(sy_target_text(*state, name));
    }
    assert_true(tiny);
    assert_null(sy_target_name(sy_target_count()));
    assert_null(sy_target_text(*state, "vax"));
    assert_null(sy_explain(9999));
    assert_string_equal(sy_version(), SYSTOLE_VERSION);
    sy_session_free(NULL);
}

// Two sessions at once do not know of each other.
static void
sessions_are_independent(void **state)
{
    sy_session *other = sy_session_new();
    sy_module *m = NULL;
    assert_non_null(other);
    assert_int_equal(sy_module_parse(other, "e", "", 0, SY_KIND_AUTO, &m),
                     SY_REJECTED);
    assert_int_equal(sy_diagnostic_count(*state), 0);
    sy_session_free(other);
    small_matmul(*state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(module_tells_its_kernels),
        T(bad_inputs_are_rejected),
        T(bad_choices_are_rejected),
        T(every_engine_multiplies),
        T(kernels_of_a_file_are_separate),
        T(binding_is_checked),
        T(instruction_limit_is_a_status),
        T(every_form_compiles_to_the_same_results),
        T(assembly_round_trips_to_the_byte),
        T(stopping_early_leaves_an_ir),
        T(tile_text_carries_its_reference),
        T(padded_copies_are_told_apart),
        T(check_passes_and_has_teeth),
        T(claims_share_the_roundings),
        T(shorter_options_are_taken),
        T(targets_describe_themselves),
        T(sessions_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
