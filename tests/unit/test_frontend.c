// SPDX-License-Identifier: Apache-2.0
// The language: kernels are parsed, lowered to tensor IR and evaluated, and the
// result is compared with the formula written out in C. Small integers keep
// most comparisons exact.
#include "frontend/frontend.h"

#include "api/embedded.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_TENSORS = 64, MAX_LIBS = 64 };

static arena *mem;
static diags dg;
static tk_module *libs[MAX_LIBS];
static uint32_t nlibs;

static int
set_up(void **state)
{
    (void)state;
    mem = arena_new();
    diags_init(&dg, mem);
    nlibs = 0;
    for (uint32_t i = 0; i < embedded_lib_count; i++) {
        str text = {embedded_lib[i].text, embedded_lib[i].n};
        uint32_t s = diag_add_source(&dg, embedded_lib[i].name, text);
        libs[nlibs] = tk_parse(mem, &dg, s, NULL, 0);
        if (!libs[nlibs++])
            return -1;
    }
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_free(mem);
    return 0;
}

static void
show_diags(void)
{
    for (uint32_t i = 0; i < dg.msgs.n; i++) {
        strbuf b = strbuf_new(mem);
        diag_render(&dg, &dg.msgs.at[i], false, &b);
        print_error("%s", b.p);
    }
}

static tk_module *
parse(const char *text)
{
    uint32_t s = diag_add_source(&dg, "t.tk", str_of(text));
    return tk_parse(mem, &dg, s, libs, nlibs);
}

static tk_module *
parse_ok(const char *text)
{
    tk_module *m = parse(text);
    if (!m)
        show_diags();
    assert_non_null(m);
    return m;
}

// Dims as "M=3 N=4".
static tir_fn *
lower(const tk_module *m, uint32_t kernel, const char *dims)
{
    tk_dim d[16];
    uint32_t n = 0;
    for (const char *p = dims; *p;) {
        size_t name = strcspn(p, "="), value = strcspn(p, " ") - name - 1;
        d[n].name = (str){p, name};
        assert_true(str_to_i64((str){p + name + 1, value}, &d[n++].value));
        p += name + 1 + value;
        p += *p == ' ';
    }
    return tk_lower(mem, &dg, m, kernel, d, n, NULL, 0);
}

static tir_fn *
lower_ok(const tk_module *m, const char *dims)
{
    tir_fn *fn = lower(m, 0, dims);
    if (!fn || !tir_verify(fn, &dg)) {
        show_diags();
        fail();
    }
    return fn;
}

// ---- evaluating
// ---------------------------------------------------------------

typedef struct {
    tir_fn *fn;
    void *buf[MAX_TENSORS];
} run;

static run
prepare(const char *text, const char *dims)
{
    run r = {lower_ok(parse_ok(text), dims), {0}};
    assert_true(r.fn->tensors.n <= MAX_TENSORS);
    for (uint32_t t = 0; t < r.fn->tensors.n; t++) {
        size_t n = (size_t)tir_elems(&r.fn->tensors.at[t]);
        r.buf[t] = arena_alloc(mem, n * 4 + 4);
    }
    return r;
}

static uint32_t
find(const run *r, const char *name)
{
    for (uint32_t t = 0; t < r->fn->tensors.n; t++)
        if (!strcmp(r->fn->tensors.at[t].name, name))
            return t;
    fail_msg("no tensor '%s'", name);
    return 0;
}

static void
put(const run *r, const char *name, size_t i, double v)
{
    uint32_t t = find(r, name);
    num_dtype dt = r->fn->tensors.at[t].dtype;
    uint8_t *p = (uint8_t *)r->buf[t] + i * num_dtype_bytes(dt);
    bool is_float = num_is_float(dt);
    num_store(dt, p, is_float ? NUM_AS_F32 : NUM_AS_I32,
              is_float ? num_word_f32((float)v) : (num_word)(int32_t)v);
}

static double
get(const run *r, const char *name, size_t i)
{
    uint32_t t = find(r, name);
    num_dtype dt = r->fn->tensors.at[t].dtype;
    num_word w = num_load(dt, (uint8_t *)r->buf[t] + i * num_dtype_bytes(dt));
    switch (num_widened(dt)) {
    case NUM_AS_F32: return (double)num_f32(w);
    case NUM_AS_I32: return (double)(int32_t)w;
    case NUM_AS_NONE:
    case NUM_AS_U32:
    case NUM_AS_BOOL: break;
    }
    return (double)w;
}

// Small integers that differ from element to element.
static double
value(size_t i)
{
    return (double)((int)(i * 7 + i / 3) % 11 - 5);
}

static void
fill(const run *r, const char *name)
{
    int64_t n = tir_elems(&r->fn->tensors.at[find(r, name)]);
    for (size_t i = 0; i < (size_t)n; i++)
        put(r, name, i, value(i));
}

static void
eval(const run *r)
{
    num_env env = num_env_enter();
    tir_eval(r->fn, r->buf);
    num_env_leave(env);
}

static void
check(const run *r, const char *name, size_t i, double want)
{
    double got = get(r, name, i);
    if (got != want && !(isnan(got) && isnan(want)))
        fail_msg("%s[%zu] is %.9g, not %.9g", name, i, got, want);
}

static void
check_near(const run *r, const char *name, size_t i, double want)
{
    double got = get(r, name, i);
    if (!(fabs(got - want) <= 1e-5 * (1 + fabs(want))))
        fail_msg("%s[%zu] is %.9g, not %.9g", name, i, got, want);
}

// A kernel of one element: the value of an expression over a = 7, b = -3 (i32),
// x = 1.5, y = -2 (f32), p = true, q = false, u = 9 (u32), i8 c = -100.
static double
expr(const char *type, const char *text)
{
    const char *src = arena_printf(
        mem,
        "kernel k(a: i32, b: i32, x: f32, y: f32, p: bool, q: bool, u: u32, "
        "c: i8) -> (r: %s) { r = %s }",
        type, text);
    run r = prepare(src, "");
    put(&r, "a", 0, 7);
    put(&r, "b", 0, -3);
    put(&r, "x", 0, 1.5);
    put(&r, "y", 0, -2);
    put(&r, "p", 0, 1);
    put(&r, "u", 0, 9);
    put(&r, "c", 0, -100);
    eval(&r);
    return get(&r, "r", 0);
}

#define CHECK_EXPR(type, text, want)                                           \
    do {                                                                       \
        double got_ = expr((type), (text));                                    \
        if (got_ != (double)(want))                                            \
            fail_msg("%s is %.9g", (text), got_);                              \
    } while (0)

// ---- expressions
// --------------------------------------------------------------

static void
test_precedence(void **state)
{
    (void)state;
    CHECK_EXPR("i32", "a + b * 2", 1);
    CHECK_EXPR("i32", "(a + b) * 2", 8);
    CHECK_EXPR("i32", "a - b - 1", 9);
    CHECK_EXPR("i32", "a / 2 * 2", 6);
    CHECK_EXPR("i32", "a << 1 + 1", 28);
    CHECK_EXPR("i32", "a & 3 << 1", 6);
    CHECK_EXPR("i32", "a ^ 5 & 4", 3);
    CHECK_EXPR("i32", "8 | a ^ 2", 13);
    CHECK_EXPR("bool", "a == 7 && b == 0 || p", 1);
    CHECK_EXPR("bool", "p || q && q", 1);
    CHECK_EXPR("bool", "a | 8 == 15", 1);
    CHECK_EXPR("bool", "a + 1 < 9 && !q", 1);
    CHECK_EXPR("i32", "-a + 1", -6);
    CHECK_EXPR("i32", "~a & 15", 8);
    CHECK_EXPR("i32", "-a * -b", -21);
}

static void
test_types(void **state)
{
    (void)state;
    CHECK_EXPR("i32", "a / b", -2);
    CHECK_EXPR("i32", "a % b", 1);
    CHECK_EXPR("i32", "b % a", -3);
    CHECK_EXPR("i32", "b / 2", -1);
    CHECK_EXPR("i32", "-7 / 2", -3);
    CHECK_EXPR("f32", "x / 2", 0.75);
    CHECK_EXPR("f32", "x + 1", 2.5);
    CHECK_EXPR("f32", "1 / 2", 0);
    CHECK_EXPR("f32", "1. / 2", 0.5);
    CHECK_EXPR("f32", "3 - x", 1.5);
    CHECK_EXPR("i32", "c + c", -200);
    CHECK_EXPR("i8", "c + c", 56);
    CHECK_EXPR("u32", "u - 10", 4294967295.0);
    CHECK_EXPR("u32", "u >> 1", 4);
    CHECK_EXPR("i32", "b >> 1", -2);
    CHECK_EXPR("i32", "2147483647 + a", -2147483642.0);
    CHECK_EXPR("i32", "0x7fffffff", 2147483647.0);
    CHECK_EXPR("i32", "cast(2.5, i32)", 2);
    CHECK_EXPR("i32", "cast(x + 2, i32)", 4);
    CHECK_EXPR("i8", "cast(1000.0 * x, i8)", 127);
    CHECK_EXPR("f32", "cast(a, f32) / 2", 3.5);
    CHECK_EXPR("f32", "cast(1.00390625, bf16)", 1);
    CHECK_EXPR("bool", "x > 1 && y < x", 1);
    CHECK_EXPR("bool", "p != q", 1);
    CHECK_EXPR("bool", "p ^ p", 0);
}

static void
test_functions(void **state)
{
    (void)state;
    CHECK_EXPR("f32", "sqrt(4)", 2);
    CHECK_EXPR("f32", "select(p, x, 2)", 1.5);
    CHECK_EXPR("i32", "select(q, a, b)", -3);
    CHECK_EXPR("f32", "max(x, y) + min(x, 0)", 1.5);
    CHECK_EXPR("i32", "max(a, b) + abs(b)", 10);
    CHECK_EXPR("f32", "pow(y, 3)", -8);
    CHECK_EXPR("f32", "floor(x) + ceil(x) + sign(y)", 2);
    CHECK_EXPR("f32", "mod(x, 1)", 0.5);
    CHECK_EXPR("f32", "relu(y) + square(y)", 4);
    CHECK_EXPR("bool", "isnan(nan) && -inf < y && true && !false", 1);
    assert_true(fabs(expr("f32", "gelu(x)") - 1.39978909) < 1e-6);
    assert_true(fabs(expr("f32", "silu(x)") - 1.22636171) < 1e-6);
    assert_true(fabs(expr("f32", "atan2(y, x)") + 0.92729522) < 1e-6);
}

// ---- index notation
// -----------------------------------------------------------

static void
test_matmul(void **state)
{
    (void)state;
    enum { M = 3, K = 5, N = 4 };
    run r = prepare("kernel k[M, K, N](a: bf16[M, K], b: bf16[K, N]) -> "
                    "(c: f32[M, N], d: f32[M, N])\n{\n"
                    "c[m, n] = sum[k] a[m, k] * b[k, n] + 1\n"
                    "d = a @ b\n}\n",
                    "M=3 K=5 N=4");
    fill(&r, "a");
    fill(&r, "b");
    eval(&r);
    for (size_t m = 0; m < M; m++) {
        for (size_t n = 0; n < N; n++) {
            double s = 0;
            for (size_t k = 0; k < K; k++)
                s += value(m * K + k) * value(k * N + n);
            check(&r, "c", m * N + n, s + 1);
            check(&r, "d", m * N + n, s);
        }
    }
}

// The backend looks for exactly this form.
static void
test_contraction_is_one_op(void **state)
{
    (void)state;
    tir_fn *fn = lower_ok(parse_ok("kernel k[M, K, N](a: bf16[M, K], "
                                   "b: bf16[K, N]) -> (c: bf16[M, N]) {\n"
                                   "c[m, n] = cast(sum[k] a[m, k] * b[k, n], "
                                   "bf16)\n}"),
                          "M=2 K=3 N=4");
    assert_int_equal(fn->ops.n, 1);
    const tir_op *op = &fn->ops.at[0];
    assert_int_equal(op->reduce, NUM_R_SUM);
    assert_int_equal(op->nout, 2);
    assert_int_equal(op->nred, 1);
    const tir_node *root = &op->nodes.at[op->root];
    assert_int_equal(root->kind, TIR_N_BINARY);
    assert_int_equal(root->func2, NUM_MUL);
    assert_int_equal(op->nodes.at[root->arg[0]].kind, TIR_N_READ);
    assert_int_equal(op->nodes.at[root->arg[1]].kind, TIR_N_READ);
}

static void
test_reads(void **state)
{
    (void)state;
    enum { N = 6 };
    run r = prepare("kernel k[N](x: f32[N]) -> (rev: f32[N], pad: f32[N+2], "
                    "even: f32[N/2], pool: f32[N/2], conv: f32[N], "
                    "slice: f32[N-2]) {\n"
                    "rev[i] = x[N - 1 - i]\n"
                    "pad[i] = x[i - 1] else -1.5\n"
                    "even[i] = x[2*i]\n"
                    "pool[i] = max[r in 0..2] x[2*i + r]\n"
                    "conv[i] = sum[r in 0..3] (x[i + r - 1] else 0) * "
                    "cast(r + 1, f32)\n"
                    "slice[i] = x[i + 1]\n}",
                    "N=6");
    fill(&r, "x");
    eval(&r);
    for (size_t i = 0; i < N; i++) {
        double left = i ? value(i - 1) : 0, right = i < 5 ? value(i + 1) : 0;
        check(&r, "rev", i, value(N - 1 - i));
        check(&r, "conv", i, left + 2 * value(i) + 3 * right);
    }
    for (size_t i = 0; i < N + 2; i++)
        check(&r, "pad", i, i && i <= N ? value(i - 1) : -1.5);
    for (size_t i = 0; i < N / 2; i++) {
        check(&r, "even", i, value(2 * i));
        check(&r, "pool", i, fmax(value(2 * i), value(2 * i + 1)));
    }
    for (size_t i = 0; i < N - 2; i++)
        check(&r, "slice", i, value(i + 1));
}

static void
test_indices_as_values(void **state)
{
    (void)state;
    run r = prepare("kernel k[N](x: f32[N]) -> (a: i32[N, N], b: i32[N], "
                    "s: f32[N], c: i32) {\n"
                    "a[i, j] = i * 10 + j\n"
                    "for k in 0..N\n b[k] = k * k % 3\n"
                    "s[i] = sum[j where j <= i && j != 1] x[j]\n"
                    "c = sum[i in 2..5, j in 0..2] (i * N + j)\n}",
                    "N=4");
    fill(&r, "x");
    eval(&r);
    for (size_t i = 0; i < 4; i++) {
        double s = 0;
        for (size_t j = 0; j <= i; j++)
            s += j != 1 ? value(j) : 0;
        check(&r, "s", i, s);
        check(&r, "b", i, (double)(i * i % 3));
        for (size_t j = 0; j < 4; j++)
            check(&r, "a", i * 4 + j, (double)(i * 10 + j));
    }
    check(&r, "c", 0, (2 + 3 + 4) * 4 * 2 + 3 * 1);
}

static void
test_reductions(void **state)
{
    (void)state;
    run r = prepare(
        "kernel k[N](x: f32[N], n: i32[N]) -> (s: f32, p: i32, mx: f32, "
        "mn: i32, an: bool, al: bool, am: i32, an2: i32, fl: i32, two: f32) {\n"
        "s = sum[i] x[i]; p = prod[i] n[i] + 6\n"
        "mx = max[i] x[i]; mn = min[i] n[i]\n"
        "an = any[i] (x[i] > 100); al = all[i] (x[i] > -100)\n"
        "am = argmax[i] x[i]; an2 = argmin[i] n[i]\n"
        "fl = argmax[i in 0..2, j in 1..N] x[j] * cast(i, f32)\n"
        "two = 2 * sum[i] x[i] * sum[j] x[j]\n}",
        "N=5");
    const double x[] = {-1, 4, 2, 4, 0};
    double s = 0, p = 1;
    for (size_t i = 0; i < 5; i++) {
        put(&r, "x", i, x[i]);
        put(&r, "n", i, x[4 - i]);
        s += x[i];
        p *= x[4 - i];
    }
    eval(&r);
    check(&r, "s", 0, s);
    check(&r, "p", 0, p + 6);
    check(&r, "mx", 0, 4);
    check(&r, "mn", 0, -1);
    check(&r, "an", 0, 0);
    check(&r, "al", 0, 1);
    check(&r, "am", 0, 1);  // ties take the lowest index
    check(&r, "an2", 0, 4); // n is x reversed
    check(&r, "fl", 0, 4);  // i = 1, j = 1: row-major over 2 x 4
    check(&r, "two", 0, 2 * s * s);
}

static void
test_empty_and_nan(void **state)
{
    (void)state;
    const char *text = "kernel k[N](x: f32[N], y: f32[3]) -> (s: f32, p: f32, "
                       "m: f32, a: bool, nm: f32, na: i32, e: f32[N, 2]) {\n"
                       "s = sum[i] x[i]; p = prod[i] x[i]; m = max[i] x[i]\n"
                       "a = all[i] (x[i] > 0)\n"
                       "nm = max[i] y[i]; na = argmin[i] y[i]\n"
                       "for j in 0..2\n e[i, j] = x[i]\n}";
    run r = prepare(text, "N=0");
    put(&r, "y", 0, 1);
    put(&r, "y", 1, (double)NAN);
    put(&r, "y", 2, -5);
    eval(&r);
    check(&r, "s", 0, 0);
    check(&r, "p", 0, 1);
    check(&r, "m", 0, (double)-INFINITY);
    check(&r, "a", 0, 1);
    check(&r, "nm", 0, (double)NAN);
    check(&r, "na", 0, 1);
}

// A whole statement over several lines, comments, ';', names in four spaces.
static void
test_layout(void **state)
{
    (void)state;
    run r = prepare("# comment\r\n"
                    "kernel N[N](\n N: f32[N], # a tensor, a dim, a kernel\n"
                    "  b: f32[N]\n)\n -> (y: f32[N], z: f32[N])\n{\n\n"
                    "  y[N] = N[N] +\n     b[N] # N is an index here\n"
                    "  z[i] = select(\n i < 1,\n N[i], b[i]); }\n",
                    "N=3");
    fill(&r, "N");
    for (size_t i = 0; i < 3; i++)
        put(&r, "b", i, 10);
    eval(&r);
    for (size_t i = 0; i < 3; i++) {
        check(&r, "y", i, value(i) + 10);
        check(&r, "z", i, i < 1 ? value(i) : 10);
    }
}

// ---- functions
// ----------------------------------------------------------------

static void
test_inlining(void **state)
{
    (void)state;
    run r = prepare(
        "fn sq(x: f32) -> (y: f32) { y = x * x }\n"
        "fn cube(x: f32) -> (y: f32) { t = sq(x); y = t * x }\n"
        "fn poly(x: f32) -> (y: f32) { y = sum[k in 0..3] x * cast(k, f32) }\n"
        "fn two(x: f32) -> (a: f32, b: bf16) { a = x + 1; b = x + 0.00390625 }"
        "\nfn outer[M, N](a: f32[M], b: f32[N]) -> (c: f32[M, N]) "
        "{ c[i, j] = a[i] * b[j] }\n"
        "fn outer[M](a: f32[M], s: f32) -> (c: f32[M]) { c = a * s }\n"
        "fn shift[N](x: f32[N], s: f32) -> (y: f32[N]) "
        "{ t = s + 1; y[i] = x[i] + t }\n"
        "kernel k[N](x: f32[N], y: f32[N]) -> (a: f32[N], b: f32[N, N], "
        "c: f32[N], d: f32[N, N], e: f32[N], f: f32[N], g: f32[N]) {\n"
        "a = cube(x) + sq(y) * 2\n"
        "b = outer(sq(x), y)\n"
        "c[i] = poly(x[i])\n"
        "d[i, j] = shift(y, x[i])[j]\n"
        "(e, f) = two(x)\n"
        "g = outer(x, 3)\n}",
        "N=4");
    fill(&r, "x");
    for (size_t i = 0; i < 4; i++)
        put(&r, "y", i, (double)i - 1);
    eval(&r);
    for (size_t i = 0; i < 4; i++) {
        double x = value(i), y = (double)i - 1;
        check(&r, "a", i, x * x * x + y * y * 2);
        check(&r, "c", i, 3 * x);
        check(&r, "e", i, x + 1);
        check(&r, "g", i, 3 * x);
        check(&r, "f", i, x == 0 ? 0.00390625 : x); // rounded to bf16
        for (size_t j = 0; j < 4; j++) {
            check(&r, "b", i * 4 + j, x * x * ((double)j - 1));
            check(&r, "d", i * 4 + j, (double)j - 1 + x + 1);
        }
    }
}

static void
test_whole_tensors(void **state)
{
    (void)state;
    run r = prepare(
        "kernel k[B, M, K](x: bf16[B, M, K], w: f32[K, M], v: f32[K]) -> "
        "(a: f32[B, M, M], b: f32[B, M], c: f32[B, M, K], d: f32, e: f32[M],"
        " z: f32[M]) {\n"
        "a = x @ w\nb = x @ v\nc = -x * 2 + v\nd = v @ v\ne = v @ w\n"
        "z[i] = (v @ (w + 1))[i]\n}",
        "B=2 M=3 K=4");
    enum { B = 2, M = 3, K = 4 };
    fill(&r, "x");
    fill(&r, "w");
    fill(&r, "v");
    eval(&r);
    double d = 0;
    for (size_t k = 0; k < K; k++)
        d += value(k) * value(k);
    check(&r, "d", 0, d);
    for (size_t i = 0; i < B * M; i++) {
        double b = 0;
        for (size_t k = 0; k < K; k++) {
            b += value(i * K + k) * value(k);
            check(&r, "c", i * K + k, -2 * value(i * K + k) + value(k));
        }
        check(&r, "b", i, b);
        for (size_t m = 0; m < M; m++) {
            double a = 0, e = 0, z = 0;
            for (size_t k = 0; k < K; k++) {
                a += value(i * K + k) * value(k * M + m);
                e += value(k) * value(k * M + m);
                z += value(k) * (value(k * M + m) + 1);
            }
            check(&r, "a", i * M + m, a);
            check(&r, "e", m, e);
            check(&r, "z", m, z);
        }
    }
}

static void
test_library(void **state)
{
    (void)state;
    run r = prepare("kernel k[M, N](x: f32[M, N], g: f32[N], b: f32[N]) -> "
                    "(s: f32[M, N], l: f32[M, N], n: f32[M, N], m: f32[M, N],"
                    " v: f32[N]) {\n"
                    "s = softmax(x); l = log_softmax(x)\n"
                    "n = layernorm(x, g, b); m = rmsnorm(x, g)\n"
                    "v = softmax(g)\n}",
                    "M=3 N=5");
    fill(&r, "x");
    fill(&r, "g");
    fill(&r, "b");
    eval(&r);
    for (size_t i = 0; i < 3; i++) {
        double t = 0, mean = 0, var = 0, ms = 0;
        for (size_t j = 0; j < 5; j++) {
            double x = value(i * 5 + j);
            t += exp(x);
            mean += x / 5;
            ms += x * x / 5;
        }
        for (size_t j = 0; j < 5; j++)
            var += pow(value(i * 5 + j) - mean, 2) / 5;
        for (size_t j = 0; j < 5; j++) {
            double x = value(i * 5 + j), g = value(j);
            check_near(&r, "s", i * 5 + j, exp(x) / t);
            check_near(&r, "l", i * 5 + j, x - log(t));
            check_near(&r, "n", i * 5 + j,
                       (x - mean) / sqrt(var + 1e-5) * g + g);
            check_near(&r, "m", i * 5 + j, x / sqrt(ms + 1e-5) * g);
        }
    }
}

// One query, its keys and values, with 'keys' of them seen.
static double
attend(const double *q, size_t keys, size_t d, size_t width)
{
    double t = 0, o = 0;
    for (size_t j = 0; j < keys; j++) {
        double s = 0;
        for (size_t k = 0; k < width; k++)
            s += q[k] * value(j * width + k);
        double e = exp(s / sqrt((double)width));
        t += e;
        o += e * value(j * width + d);
    }
    return o / t;
}

static void
test_attention(void **state)
{
    (void)state;
    enum { S = 4, D = 3 };
    run r = prepare("kernel k[S, D](q: bf16[S, D], k: bf16[S, D], "
                    "v: bf16[S, D]) -> (o: f32[S, D], c: f32[S, D]) {\n"
                    "o = attention(q, k, v)\nc = causal_attention(q, k, v)\n}",
                    "S=4 D=3");
    fill(&r, "q");
    fill(&r, "k");
    fill(&r, "v");
    eval(&r);
    for (size_t i = 0; i < S; i++) {
        double q[D];
        for (size_t k = 0; k < D; k++)
            q[k] = value(i * D + k);
        for (size_t d = 0; d < D; d++) {
            check_near(&r, "o", i * D + d, attend(q, S, d, D));
            check_near(&r, "c", i * D + d, attend(q, i + 1, d, D));
        }
    }
}

// ---- dims
// ---------------------------------------------------------------------

static tir_fn *
lower_shapes(const char *text, const tk_input_shape *in, uint32_t n)
{
    return tk_lower(mem, &dg, parse_ok(text), 0, NULL, 0, in, n);
}

static void
test_dims_from_shapes(void **state)
{
    (void)state;
    const char *text =
        "kernel k[M, N](x: f32[2*N + 1, M], y: f32[M, M/2]) -> "
        "(z: f32[N, M - N]) {\nz[i, j] = x[i + 1, j + 1] + y[j + 0, 0]\n}";
    tk_module *m = parse_ok(text);
    assert_int_equal(tk_kernel_count(m), 1);
    assert_string_equal(tk_kernel_name(m, 0), "k");
    assert_int_equal(tk_param_count(m, 0), 3);
    tk_param_type p = tk_param(m, 0, 1);
    assert_string_equal(p.name, "y");
    assert_int_equal(p.rank, 2);
    assert_int_equal(p.shape[0], -1);
    assert_true(tk_param(m, 0, 2).is_output);
    tk_input_shape in[] = {{STR("x"), 2, {7, 5}}, {STR("y"), 2, {5, 2}}};
    tir_fn *fn = lower_shapes(text, in, 2);
    assert_non_null(fn);
    assert_int_equal(fn->tensors.at[2].shape[0], 3);
    assert_int_equal(fn->tensors.at[2].shape[1], 2);
    in[0].shape[0] = 8; // 2 * N + 1 is odd
    assert_null(lower_shapes(text, in, 2));
    assert_int_equal(diag_number(vec_last(&dg.msgs)->id), 308);
    in[0].shape[0] = 7;
    in[1].shape[1] = 3; // M / 2 is 2
    assert_null(lower_shapes(text, in, 2));
    assert_int_equal(diag_number(vec_last(&dg.msgs)->id), 302);
    in[1].shape[0] = 6; // M is 5
    assert_null(lower_shapes(text, in, 2));
    assert_int_equal(diag_number(dg.msgs.at[2].id), 301);
    assert_int_equal(dg.msgs.at[2].notes.n, 1);
}

// ---- diagnostics
// ----------------------------------------------------------------

// The numbers and lines of all messages, "207:2 301:5".
static const char *
messages(void)
{
    strbuf b = strbuf_new(mem);
    strbuf_put(&b, STR(""));
    for (uint32_t i = 0; i < dg.msgs.n; i++) {
        uint32_t line, col;
        diag_line_col(&dg, dg.msgs.at[i].at, &line, &col);
        strbuf_printf(&b, "%s%u:%u", i ? " " : "",
                      diag_number(dg.msgs.at[i].id), line);
    }
    return b.p;
}

static void
check_rejected(const char *want, const char *body)
{
    const char *text = arena_printf(
        mem,
        "kernel k[M, N](x: f32[M, N], n: i32[N], b: bool[N], w: f32[N], "
        "h: bf16[N]) -> (y: f32[M, N]) {\n%s\n}\n"
        "fn tr[M, N](x: f32[M, N]) -> (y: f32[N, M]) { y[j, i] = x[i, j] }\n"
        "fn duo(x: f32) -> (a: f32, b: f32) { a = x; b = x }\n"
        "fn ten[N](x: bf16[N]) -> (y: f32[N]) { y = x + 10 }\n",
        body);
    diags fresh;
    diags_init(&fresh, mem);
    fresh.sources = dg.sources;
    dg = fresh;
    tk_module *m = parse(text);
    if (m)
        assert_null(lower(m, 0, "M=3 N=4"));
    if (strcmp(messages(), want) != 0) {
        show_diags();
        fail_msg("%s: got %s, not %s", body, messages(), want);
    }
}

static void
test_rejected_syntax(void **state)
{
    (void)state;
    check_rejected("100:2", "y[i, j = x[i, j]");
    check_rejected("100:2 100:4", "t[i, j = x[i, j]\ny = x\nu = (x * )");
    check_rejected("101:2", "y = x $ ");
    check_rejected("100:2", "y = x < x < x");
    check_rejected("107:2", "y[i, j] = x[i, j] + 3abc");
    check_rejected("103:2", "y[i, j] = x[i, j] + 99999999999999999999");
    check_rejected("103:2", "y[i, j] = x[i, j] + 1e60");
    check_rejected("106:2", "y[i, j] = 3 else 4");
    check_rejected("105:2", "y[i, j] += x[i, j]");
    check_rejected("105:2 105:3", "schedule { tile i {3} }\ny = sort(x)");
    check_rejected("105:2", "y[i, j] = x[n[j], j]");
    check_rejected("105:2", "y[i, 2*j] = x[i, j]");
    check_rejected("100:2 227:3", "t[i] = x[i, 0] *\ny[i, j] = x[i, j] + n[j]");
    // Three mistakes of different kinds, three messages.
    check_rejected("100:2 200:3 227:4",
                   "t[i] = x[i, \ny[i, j] = x[i, j] + q\nu[j] = n[j] + w[j]");
}

static void
test_rejected_names(void **state)
{
    (void)state;
    check_rejected("200:2", "y = x + q");
    check_rejected("201:2", "y[i, j] = x[i, k]");
    check_rejected("202:2", "y[i, j] = z[i, j]");
    check_rejected("203:2", "y[i, j] = foo(x[i, j])");
    check_rejected("204:2", "y[i, j] = cast(x[i, j], f31)");
    check_rejected("205:2", "for i in 0..K y[i, j] = x[i, j]");
    check_rejected("206:3", "y = x\ny = x");
    check_rejected("207:2 208:1", "x[i, j] = 0.5");
    check_rejected("208:1", "t = x");
    check_rejected("209:2", "y = t\nt = x");
    check_rejected("210:2", "y[i, i] = x[i, i]");
    check_rejected("211:2", "y[i, j] = sum[i] x[i, j]");
    check_rejected("212:2", "y[i, j] = x[i, j] * sum[k] 1.5");
    check_rejected("213:2", "for k in 0..N y[i, j] = x[i, j]");
    check_rejected("215:2", "y = k(x, n, b, w, h)");
}

static void
test_rejected_types(void **state)
{
    (void)state;
    check_rejected("220:2", "for i in 0..sqrt(M) y[i, j] = x[i, j]");
    check_rejected("221:2", "y[i, j] = x[i * j, 0]");
    check_rejected("222:2", "y[i, j] = x[i]");
    check_rejected("223:2", "y[i, j] = x[i, j] + x");
    check_rejected("224:2", "y = w");
    check_rejected("226:2", "y[i, j] = x[i, j] @ w");
    check_rejected("227:2", "y[i, j] = x[i, j] + n[j]");
    check_rejected("227:2", "y[i, j] = x[i, j] * j");
    check_rejected("228:2", "y[i, j] = sqrt(n[j])");
    check_rejected("228:2", "y[i, j] = -b[j]");
    check_rejected("228:2", "y[i, j] = sum[k] b[k]");
    check_rejected("228:2", "t = any[k] w[k] > 3\ny = x");
    check_rejected("229:2", "y[i, j] = n[j]");
    check_rejected("230:2", "t = ten(w)\ny = x");
    check_rejected("231:2", "y[i, j] = select(n[j], x[i, j], 0)");
    check_rejected("232:2", "y[i, j] = cast(x[i, j], 3)");
    check_rejected("233:2", "y[i, j] = sqrt(x[i, j], 2)");
    check_rejected("234:2", "y = tr(w)");
    check_rejected("235:2", "y = duo(x)");
    check_rejected("236:2", "(t, u) = x\ny = x");
    check_rejected("237:2", "y[i, j] = x[i + 1, j] else w[j]");
}

static void
test_rejected_extents(void **state)
{
    (void)state;
    check_rejected("310:2", "y[i, j] = x[i, j] * w[i]");
    assert_int_equal(dg.msgs.at[0].notes.n, 1);
    check_rejected("310:2 310:2", "y[i, j] = x[j, i]");
    check_rejected("311:2", "y = x + tr(x)");
    check_rejected("312:2", "y = x @ x");
    check_rejected("313:2", "y[i, j] = x[i, j + 1]");
    check_rejected("313:2", "y[i, j] = sum[r in 0..5] x[i, r]");
    check_rejected("314:2", "for i in 1..M y[i, j] = x[i, j]");
    check_rejected("316:2", "t = argmax[i in 3..3] w[i]\ny = x");
    check_rejected("319:2", "y[i, j] = x[i, j] + cast(j + 3000000000, f32)");
    check_rejected("301:3", "v[i] = x[i, 0]\ny = layernorm(x, w, v)");
    // Found in one go, before and after each other.
    check_rejected(
        "310:2 313:3 311:4",
        "t[i, j] = x[i, j] * w[i]\nu[i] = w[i + 1] * w[i]\ny = x - tr(x)");
}

static void
check_kernel_rejected(const char *want, const char *text, const char *dims)
{
    diags fresh;
    diags_init(&fresh, mem);
    fresh.sources = dg.sources;
    dg = fresh;
    tk_module *m = parse(text);
    if (m)
        assert_null(lower(m, 0, dims));
    if (strcmp(messages(), want) != 0) {
        show_diags();
        fail_msg("%s: got %s, not %s", text, messages(), want);
    }
}

static void
test_rejected_kernels(void **state)
{
    (void)state;
    check_kernel_rejected("104:1", "# nothing\n", "");
    check_kernel_rejected("300:1",
                          "kernel k[N](x: f32[N]) -> (y: f32[N]) "
                          "{ y = x }",
                          "");
    check_kernel_rejected("303:1",
                          "kernel k[N](x: f32[N]) -> (y: f32[N]) "
                          "{ y = x }",
                          "N=-1");
    check_kernel_rejected("205:1",
                          "kernel k[N](x: f32[N]) -> (y: f32[N]) "
                          "{ y = x }",
                          "N=1 M=2");
    check_kernel_rejected("304:1",
                          "kernel k[N](x: f32[N]) -> (y: f32[4/N]) "
                          "{ y = 1 }",
                          "N=0");
    check_kernel_rejected("305:1",
                          "kernel k[N](x: f32) -> (y: f32[N*N*N]) "
                          "{ y = x }",
                          "N=1073741824");
    check_kernel_rejected("315:1",
                          "kernel k[N](x: f32) -> (y: f32[N, N]) "
                          "{ y = x }",
                          "N=1073741824");
    check_kernel_rejected("315:2",
                          "kernel k[N](x: f32[N]) -> (y: f32) {\n"
                          "t[i, j, k] = x[i] * x[j] * x[k]\n"
                          "y = sum[i] t[i, i, i] }",
                          "N=1000000");
    check_kernel_rejected("206:2",
                          "kernel k(x: f32) -> (y: f32) { y = x }\n"
                          "fn k(x: f32) -> (y: f32) { y = x }",
                          "");
    check_kernel_rejected("214:1",
                          "fn f(x: f32) -> (y: f32) { y = g(x) }\n"
                          "fn g(x: f32) -> (y: f32) { y = f(x) }\n"
                          "kernel k(x: f32) -> (y: f32) { y = f(x) }",
                          "");
    check_kernel_rejected("216:1",
                          "fn f[N](x: f32) -> (y: f32) { y = x * N }\n"
                          "kernel k(x: f32) -> (y: f32) { y = x }",
                          "");
    check_kernel_rejected("225:1",
                          "kernel k(x: f32[1,1,1,1,1,1,1,1,1]) -> (y: f32) "
                          "{ y = 0 }",
                          "");
    check_kernel_rejected("105:1",
                          "kernel k(inout x: f32) -> (y: f32) "
                          "{ y = x }",
                          "");
    check_kernel_rejected("105:1",
                          "kernel k(x: mxfp8[4]) -> (y: f32) "
                          "{ y = 0 }",
                          "");
    check_kernel_rejected("100:3",
                          "kernel k(x: f32) -> (y: f32) {\ny = x\n"
                          "kernel l(x: f32) -> (y: f32) { y = x }",
                          "");
}

// ---- limits
// ---------------------------------------------------------------------

static const char *
repeat(const char *s, size_t n)
{
    strbuf b = strbuf_new(mem);
    strbuf_put(&b, STR(""));
    for (size_t i = 0; i < n; i++)
        strbuf_put(&b, str_of(s));
    return b.p;
}

static void
check_depth(const char *open, const char *close, size_t n, const char *want)
{
    check_kernel_rejected(
        want,
        arena_printf(mem, "kernel k(x: f32) -> (y: f32) { y = %sx%s }",
                     repeat(open, n), repeat(close, n)),
        "z=1");
}

static void
test_nesting(void **state)
{
    (void)state;
    static const char *const forms[][2] = {
        {"(", ")"},
        {"-", ""},
        {"exp(", ")"},
        {"x*(1+", ")"},
        {"sum[i in 0..2 where ", "> 0] x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        check_depth(forms[i][0], forms[i][1], 300, "102:1");
        check_depth(forms[i][0], forms[i][1], 20000, "102:1");
    }
    check_depth("(", ")", 256, "205:1"); // the dim z is the only mistake
    check_depth("-", "", 256, "205:1");
    check_depth("x + ", "", 900, "205:1");
    check_depth("x + ", "", 20000, "108:1");
}

// Work grows with the size of what is inlined, not beyond a bound.
static void
test_expansion(void **state)
{
    (void)state;
    strbuf b = strbuf_new(mem);
    strbuf_put(&b, STR("fn f0[N](x: f32[N]) -> (y: f32[N]) { y = x + 1 }\n"));
    for (int i = 1; i < 40; i++)
        strbuf_printf(&b,
                      "fn f%d[N](x: f32[N]) -> (y: f32[N]) "
                      "{ y = f%d(f%d(x)) }\n",
                      i, i - 1, i - 1);
    strbuf_put(&b, STR("kernel k[N](x: f32[N]) -> (y: f32[N]) { y = f39(x) }"));
    tk_module *m = parse_ok(b.p);
    assert_null(lower(m, 0, "N=3"));
    assert_int_equal(diag_number(vec_last(&dg.msgs)->id), 318);
}

// No text crashes; what is accepted obeys the rules of tensor IR.
static void
test_mutations(void **state)
{
    (void)state;
    static const char text[] =
        "fn sq(x: f32) -> (y: f32) { y = x * x }\n"
        "kernel k[M, N](x: f32[M, N], w: bf16[N, M]) -> (y: f32[M, M], "
        "z: i32[M]) {\n  s = softmax(x)\n"
        "  t[i, j] = max[r in 0..2 where r <= j] x[i, j + r] else -inf\n"
        "  y[i, j] = cast((sum[k] s[i, k] * w[k, j]) + sq(t[i, 0]), bf16)\n"
        "  z[i] = argmax[j] x[i, j]\n}\n";
    static const char bytes[] = "()[]{}=+-*/@;,.:<>!&|0123 ijkxywsrMN\n#";
    uint64_t rng = 1;
    for (int i = 0; i < 3000; i++) {
        arena_mark mark = arena_save(mem);
        diags saved = dg;
        size_t n = sizeof text - 1;
        char *p = arena_alloc(mem, n);
        memcpy(p, text, n);
        for (uint64_t k = 0; k < 1 + rng_next(&rng) % 3; k++)
            p[rng_next(&rng) % n] = bytes[rng_next(&rng) % (sizeof bytes - 1)];
        diags_init(&dg, mem);
        for (uint32_t s = 1; s < saved.sources.n; s++)
            (void)diag_add_source(&dg, "", saved.sources.at[s].text);
        uint32_t s = diag_add_source(&dg, "t", (str){p, n});
        tk_module *m = tk_parse(mem, &dg, s, libs, nlibs);
        tir_fn *fn = m && tk_kernel_count(m) ? lower(m, 0, "M=3 N=3") : NULL;
        if (fn)
            assert_true(tir_verify(fn, &dg));
        else
            assert_true(dg.errors > 0 || !tk_kernel_count(m));
        dg = saved;
        arena_restore(mem, mark);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_precedence),
        TEST(test_types),
        TEST(test_functions),
        TEST(test_matmul),
        TEST(test_contraction_is_one_op),
        TEST(test_reads),
        TEST(test_indices_as_values),
        TEST(test_reductions),
        TEST(test_empty_and_nan),
        TEST(test_layout),
        TEST(test_inlining),
        TEST(test_whole_tensors),
        TEST(test_library),
        TEST(test_attention),
        TEST(test_dims_from_shapes),
        TEST(test_rejected_syntax),
        TEST(test_rejected_names),
        TEST(test_rejected_types),
        TEST(test_rejected_extents),
        TEST(test_rejected_kernels),
        TEST(test_nesting),
        TEST(test_expansion),
        TEST(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
