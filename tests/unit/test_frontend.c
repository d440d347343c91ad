// SPDX-License-Identifier: Apache-2.0
// What the language means: kernels are parsed, lowered to tensor IR and
// evaluated, and the result is compared with the formula written out in C.
// Small integers keep most comparisons exact.
#include "tests/unit/frontend_kernels.h"

enum { MAX_TENSORS = 64 };

// ---- evaluating

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
    diags d;
    diags_init(&d, mem);
    assert_true(tir_eval(r->fn, r->buf, &d));
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
    CHECK_EXPR("i32", "cast(u, u8) - 10", -1); // narrower ones become i32
    CHECK_EXPR("i32", "cast(u, u16) + a", 16);
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

// What a function declares of its results holds wherever it is called.
static void
test_declared_results(void **state)
{
    (void)state;
    run r = prepare(
        "fn half[M](x: f32[M]) -> (y: f32[M/2]) { y[i] = x[2*i] }\n"
        "fn diff[M](x: f32[M+1]) -> (y: f32[M]) "
        "{ for i in 0..M y[i] = x[i+1] - x[i] }\n"
        "fn eye[N](d: f32[N]) -> (y: f32[N, N]) "
        "{ y[i, j] = select(i == j, 1.0, 0.0) }\n"
        "fn near[N](d: f32[2*N]) -> (y: bf16[N]) { y = half(d) }\n"
        "fn total[N](x: f32[N]) -> (y: f32) { y = sum[i] x[i] }\n"
        "fn flat[N](x: f32[N]) -> (y: f32[N]) { y = total(x) }\n"
        "kernel k[M](x: f32[M], w: f32[M, M]) -> (a: f32[M/2], b: f32[M/4], "
        "c: f32[M-2], d: f32[M, M], e: f32[M/2], f: f32[M/2], g: f32[M]) {\n"
        "t = half(x)\na[i] = t[i]\nb = half(half(x))\n"
        "c = diff(diff(x))\nd = w @ eye(x)\ne = 2 * half(x)\n"
        "u = near(x + 0.00390625)\nf = u\ng = 2 * flat(x)\n}",
        "M=8");
    fill(&r, "x");
    fill(&r, "w");
    put(&r, "x", 2, 1); // + 2^-8 is halfway in bf16
    eval(&r);
    double total = 0;
    for (size_t i = 0; i < 8; i++)
        total += get(&r, "x", i);
    for (size_t i = 0; i < 64; i++)
        check(&r, "d", i, value(i));
    for (size_t i = 0; i < 8; i++)
        check(&r, "g", i, 2 * total);
    for (size_t i = 0; i < 6; i++)
        check(&r, "c", i,
              get(&r, "x", i + 2) - 2 * get(&r, "x", i + 1) + get(&r, "x", i));
    for (size_t i = 0; i < 4; i++) {
        double x = get(&r, "x", 2 * i);
        check(&r, "a", i, x);
        check(&r, "e", i, 2 * x);
        check(&r, "f", i, x == 0 ? 0.00390625 : x); // rounded to bf16
    }
    check(&r, "b", 0, get(&r, "x", 0));
    check(&r, "b", 1, get(&r, "x", 4));
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
        TEST(test_declared_results),
        TEST(test_whole_tensors),
        TEST(test_library),
        TEST(test_attention),
        TEST(test_dims_from_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
