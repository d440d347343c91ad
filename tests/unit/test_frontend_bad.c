// SPDX-License-Identifier: Apache-2.0
// What the language rejects: every mistake gives its number at its line, and
// only that; hostile texts neither crash nor run away.
#include "tests/unit/frontend_kernels.h"

#include <time.h>

// ---- diagnostics

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
    check_rejected("100:2", "y = x sum[i] w[i]");
    check_rejected("101:2", "y = x $ ");
    check_rejected("100:2", "y = x < x < x");
    check_rejected("107:2", "y[i, j] = x[i, j] + 3abc");
    check_rejected("103:2", "y[i, j] = x[i, j] + 99999999999999999999");
    check_rejected("103:2", "y[i, j] = x[i, j] + 1e60");
    check_rejected("106:2", "y[i, j] = 3 else 4");
    check_rejected("105:2 105:3",
                   "schedule { tile i {3} }\ny = all_reduce(x, tp)");
    check_rejected("239:2 227:3",
                   "y[i, j] sum= x[i, j]\ny[i, j] += x[i, j] * n[j]");
    check_rejected("313:2", "y[i, 2*j] = x[i, j]");
    check_rejected("100:2 227:3", "t[i] = x[i, 0] *\ny[i, j] = x[i, j] + n[j]");
    // Three mistakes of different kinds, three messages.
    check_rejected("100:2 200:3 227:4",
                   "t[i] = x[i, \ny[i, j] = x[i, j] + q\nu[j] = n[j] + w[j]");
}

// Words of the language are no names, and the message says so.
static void
test_reserved_words(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "kernel sum[M](x: f32[M]) -> (y: f32[M]) { y = x }",
        "fn kernel(x: f32) -> (y: f32) { y = x }",
        "kernel k[for](x: f32) -> (y: f32) { y = x }",
        "kernel k[M](kernel: f32[M]) -> (y: f32[M]) { y = 1 }",
        "kernel k[M](x: f32[M]) -> (max: f32[M]) { }",
        "kernel k[M](x: f32[M]) -> (y: f32[M]) { sum = x; y = x }",
        "kernel k[M](x: f32[M]) -> (y: f32[M]) { min[i] = x[i]; y = x }",
        "kernel k[M](x: f32[M]) -> (y: f32[M]) { kernel[i] = x[i]; y = x }",
        "kernel k[M](x: f32[M]) -> (y: f32[M]) { fn = x; y = x }",
        "kernel k[M](x: f32[M]) -> (y: f32[M]) { y[in] = x[in] }",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        diags_init(&dg, mem);
        assert_null(parse(texts[i]));
        if (dg.msgs.n != 1 || !strstr(dg.msgs.at[0].text, "reserved word")) {
            show_diags();
            fail_msg("%s", texts[i]);
        }
    }
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
    check_rejected("214:1", "y = k(x, n, b, w, h)");
}

static void
test_rejected_types(void **state)
{
    (void)state;
    check_rejected("220:2", "for i in 0..sqrt(M) y[i, j] = x[i, j]");
    check_rejected("238:2", "y[i, j] = x[i * 0.5, 0]");
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
    assert_int_equal(dg.msgs.at[0].notes.n, 2);
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
    // A kernel that is lost hides no mistake of the next.
    check_kernel_rejected(
        "100:1 203:2",
        "kernel k[M](x: f32[M) -> (y: f32[M]) { y = x }\n"
        "kernel l[M](x: f32[M]) -> (y: f32[M]) { y = foo(x) }",
        "");
    check_kernel_rejected(
        "100:1",
        "fn foo[M](x: f32[M) -> (y: f32[M]) { y = x }\n"
        "kernel l[M](x: f32[M]) -> (y: f32[M]) { y = foo(x) }",
        "");
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
    check_kernel_rejected("218:1",
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

// Results of functions have the extents declared, wherever they go.
static void
test_rejected_results(void **state)
{
    (void)state;
    check_kernel_rejected("310:1",
                          "fn f[M](x: f32[M]) -> (y: f32[M/2]) { y[i] = x[i] }"
                          "\nkernel k[M](x: f32[M]) -> (y: f32[M]) {\n"
                          "t = f(x)\ny[i] = t[i] }",
                          "M=8");
    check_kernel_rejected("310:1",
                          "fn f[M](x: f32[M]) -> (y: f32[M/2]) { y[i] = x[i] }"
                          "\nkernel k[M](x: f32[M]) -> (y: f32[M]) {\n"
                          "y = 2 * f(x) }",
                          "M=8");
    check_kernel_rejected("314:2",
                          "fn f[M](x: f32[M]) -> (y: f32[M, M]) {\n"
                          "for i in 0..M-1, j in 0..M y[i, j] = x[j] }\n"
                          "kernel k[M](x: f32[M]) -> (y: f32[M]) {\n"
                          "t = f(x)\ny[j] = sum[i] t[i, j] }",
                          "M=4");
    check_kernel_rejected("311:2",
                          "fn g[M](x: f32[M]) -> (y: f32[M]) { y = x }\n"
                          "fn f[M](x: f32[M]) -> (y: f32[M/2]) { y = g(x) }\n"
                          "kernel k[M](x: f32[M]) -> (y: f32[M]) {\n"
                          "t = f(x)\ny = x }",
                          "M=4");
}

static void
test_rejected_inputs(void **state)
{
    (void)state;
    tk_module *m = parse_ok("kernel k[N](x: f32[N]) -> (y: f32[N]) { y = x }");
    tk_input_shape in = {STR("z"), 1, {3}};
    assert_null(tk_lower(mem, &dg, m, 0, NULL, 0, &in, 1));
    assert_string_equal(messages(), "306:1");
    in = (tk_input_shape){STR("x"), 2, {3, 3}};
    assert_null(tk_lower(mem, &dg, m, 0, NULL, 0, &in, 1));
    assert_string_equal(messages(), "306:1 307:1");
    in.rank = 1;
    tk_dim dim = {STR("N"), 4};
    assert_null(tk_lower(mem, &dg, m, 0, &dim, 1, &in, 1));
    assert_string_equal(messages(), "306:1 307:1 301:1");
    dim.value = 3;
    assert_non_null(tk_lower(mem, &dg, m, 0, &dim, 1, &in, 1));
}

// What is said of one instance of a kernel is said of the next, too.
static void
test_rejected_again(void **state)
{
    (void)state;
    tk_module *m = parse_ok(
        "fn f[M](x: f32[M]) -> (y: f32[M/2]) { y[i] = x[i] }\n"
        "kernel k[M](x: f32[M]) -> (y: f32[M]) { t = f(x); y[i] = t[i] }");
    for (uint32_t i = 1; i <= 30; i++) {
        assert_null(lower(m, 0, "M=8"));
        assert_int_equal(dg.errors, i);
    }
    assert_non_null(lower(m, 0, "M=0"));
}

// ---- limits

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

static void
test_too_many_indices(void **state)
{
    (void)state;
    check_kernel_rejected(
        "317:2",
        "kernel k[N](x: f32[N, N, N, N, N, N, N, N]) -> (y: f32[N]) {\n"
        "y[z] = sum[a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p] x[a,b,c,d,e,f,g,h] * "
        "x[i,j,k,l,m,n,o,p] * cast(z, f32) }",
        "N=2");
    check_kernel_rejected(
        "320:1",
        "fn f[N](x: f32[N], s: f32) -> (y: f32) { t = x * s; y = sum[i] t[i] }"
        "\nkernel k[N](x: f32[N, N, N, N, N, N, N, N], v: f32[N]) -> "
        "(y: f32[N, N, N, N, N, N, N, N]) {\n"
        "y[a,b,c,d,e,f,g,h] = f(v, x[a,b,c,d,e,f,g,h]) }",
        "N=2");
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

static double
seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// Nor does the time: also where all becomes one operation.
static void
test_expansion_of_scalars(void **state)
{
    (void)state;
    strbuf b = strbuf_new(mem);
    strbuf_put(&b, STR("fn f0(x: f32) -> (y: f32) { y = x + x }\n"));
    for (int i = 1; i < 40; i++)
        strbuf_printf(&b,
                      "fn f%d(x: f32) -> (y: f32) { y = f%d(x) + f%d(x) }\n", i,
                      i - 1, i - 1);
    strbuf_put(&b, STR("kernel k(x: f32) -> (y: f32) { y = f39(x) }"));
    tk_module *m = parse_ok(b.p);
    double before = seconds();
    assert_null(lower(m, 0, ""));
    assert_true(seconds() - before < 0.5);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rejected_syntax),      TEST(test_reserved_words),
        TEST(test_rejected_names),       TEST(test_rejected_types),
        TEST(test_rejected_extents),     TEST(test_rejected_kernels),
        TEST(test_rejected_results),     TEST(test_rejected_inputs),
        TEST(test_rejected_again),       TEST(test_nesting),
        TEST(test_too_many_indices),     TEST(test_expansion),
        TEST(test_expansion_of_scalars), TEST(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
