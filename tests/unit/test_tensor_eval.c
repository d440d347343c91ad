// SPDX-License-Identifier: Apache-2.0
// The evaluators of tensor IR, and its passes by what they compute, on
// functions drawn at random. Oracles: an evaluator that goes element by element
// through the definition, and long double arithmetic.
#include "tests/unit/tensor_random.h"

static void
check_pass(const tir_fn *before, void *const *buf, tir_fn *fn,
           void (*pass)(tir_fn *))
{
    pass(fn);
    assert_verifies(fn);
    assert_round_trip(fn);
    void **after = new_buffers(fn);
    copy_inputs(before, buf, fn, after);
    eval_ok(fn, after);
    assert_same_outputs(before, buf, fn, after);
}

static bool
is_dynamic(const tir_read *r)
{
    for (uint32_t d = 0; d < TIR_RANK; d++)
        if (r->dyn[d])
            return true;
    return false;
}

static bool
has_stray_fill(const tir_fn *fn)
{
    for (uint32_t o = 0; o < fn->ops.n; o++)
        for (uint32_t i = 0; i < fn->ops.at[o].reads.n; i++)
            if (fn->ops.at[o].reads.at[i].has_fill && !fn->ops.at[o].group &&
                !is_dynamic(&fn->ops.at[o].reads.at[i]) &&
                !tir_is_pad(fn, &fn->ops.at[o]))
                return true;
    return false;
}

static void
test_random_functions(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 900; seed++) {
        arena_mark mark = arena_save(mem);
        tir_fn *fn = gen_fn(seed, false);
        uint64_t s = seed * 77;
        assert_verifies(fn);
        assert_round_trip(fn);
        void **buf = new_buffers(fn), **want = new_buffers(fn);
        draw_inputs(fn, buf, &s, seed % 3 == 0);
        copy_inputs(fn, buf, fn, want);
        eval_ok(fn, buf);
        plain_eval(fn, want);
        for (uint32_t t = 0; t < fn->tensors.n; t++)
            if (fn->tensors.at[t].kind != TIR_INPUT)
                assert_same_tensor(fn, want, fn, buf, fn->tensors.at[t].name);
        tir_fn *copy = parse_ok(text_of(fn));
        check_pass(fn, buf, copy, tir_pad);
        assert_false(has_stray_fill(copy));
        check_pass(fn, buf, copy, tir_inline);
        check_pass(fn, buf, copy, tir_contract);
        copy = parse_ok(text_of(fn));
        check_pass(fn, buf, copy, tir_inline);
        copy = parse_ok(text_of(fn));
        check_pass(fn, buf, copy, tir_split);
        check_pass(fn, buf, copy, tir_pad);
        check_pass(fn, buf, copy, tir_inline);
        check_pass(fn, buf, copy, tir_contract);
        arena_restore(mem, mark);
    }
}

// ---- sums of products

static void
check_against_plain(const char *text, uint64_t seed)
{
    tir_fn *fn = parse_ok(text);
    void **buf = new_buffers(fn), **want = new_buffers(fn);
    draw_inputs(fn, buf, &seed, true);
    copy_inputs(fn, buf, fn, want);
    eval_ok(fn, buf);
    plain_eval(fn, want);
    assert_same_outputs(fn, want, fn, buf);
}

static void
test_eval_products(void **state)
{
    (void)state;
    check_against_plain("tensor_ir @mm { input a: bf16[19, 70] "
                        "input b: f32[70, 270] output c: f32[19, 270] "
                        "c[i0:19, i1:270] = sum[r0:70] "
                        "mul(a[i0, r0], b[r0, i1]) }",
                        1);
    check_against_plain("tensor_ir @bt { input a: f16[3, 17, 9] "
                        "input b: f32[3, 21, 9] output c: bf16[3, 17, 21] "
                        "c[i0:3, i1:17, i2:21] = sum[r0:9] "
                        "mul(b[i0, i2, r0], a[i0, i1, r0]) }",
                        2);
    check_against_plain("tensor_ir @conv { input x: bf16[2, 3, 10, 11] "
                        "input w: bf16[5, 3, 3, 3] output y: f32[2, 5, 8, 9] "
                        "y[i0:2, i1:5, i2:8, i3:9] = sum[r0:3, r1:3, r2:3] "
                        "mul(x[i0, r0, i2 + r1, i3 + r2], w[i1, r0, r1, r2]) }",
                        3);
    check_against_plain("tensor_ir @mv { input a: f32[300, 40] "
                        "input x: f32[40] output y: f32[300] "
                        "y[i0:300] = sum[r0:40] mul(a[i0, r0], x[r0]) }",
                        4);
    check_against_plain("tensor_ir @long { input a: f32[3, 2000] "
                        "input b: f32[3, 2000] output y: f32[3] output z: f32[]"
                        "y[i0:3] = sum[r0:2000] mul(a[i0, r0], b[i0, r0]) "
                        "z[] = max[r0:3, r1:2000] exp(a[r0, r1]) }",
                        5);
}

// ---- the reference

typedef struct {
    const tir_fn *fn;
    double **val, **err;
    void **buf;
} reference;

static reference
reference_of(const tir_fn *fn, void **buf)
{
    reference r = {fn, ARENA_ARRAY(mem, fn->tensors.n, double *),
                   ARENA_ARRAY(mem, fn->tensors.n, double *), buf};
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        const tir_tensor *tensor = &fn->tensors.at[t];
        int64_t n = tir_elems(tensor);
        num_as as = num_widened(tensor->dtype);
        r.val[t] = ARENA_ARRAY(mem, (size_t)n + 1, double);
        r.err[t] = ARENA_ARRAY(mem, (size_t)n + 1, double);
        if (tensor->kind != TIR_INPUT && tensor->kind != TIR_CONST)
            continue;
        for (int64_t e = 0; e < n; e++) {
            num_word w =
                num_load(tensor->dtype, (const char *)buf[t] +
                                            e * num_dtype_bytes(tensor->dtype));
            r.val[t][e] = as == NUM_AS_F32   ? (double)num_f32(w)
                          : as == NUM_AS_I32 ? (double)(int32_t)w
                                             : (double)w;
        }
    }
    diags d;
    diags_init(&d, mem);
    assert_true(tir_eval_ref(fn, r.val, r.err, NULL, &d));
    return r;
}

// y = softmax(x @ w) in long double, against the reference and its bound.
static void
test_reference_softmax(void **state)
{
    (void)state;
    enum { M = 5, K = 33, N = 17 };
    const tir_fn *fn =
        parse_ok("tensor_ir @f { input x: f32[5, 33] input w: f32[33, 17] "
                 "output y: bf16[5, 17] temp s: f32[5, 17] temp m: f32[5] "
                 "temp d: f32[5] "
                 "s[i0:5, i1:17] = sum[r0:33] mul(x[i0, r0], w[r0, i1]) "
                 "m[i0:5] = max[r0:17] s[i0, r0] "
                 "d[i0:5] = sum[r0:17] exp(sub(s[i0, r0], m[i0])) "
                 "y[i0:5, i1:17] = map "
                 "cast(div(exp(sub(s[i0, i1], m[i0])), d[i0]), bf16) }");
    void **buf = new_buffers(fn);
    uint64_t seed = 3;
    draw_inputs(fn, buf, &seed, false);
    reference r = reference_of(fn, buf);
    const float *x = buf[0], *w = buf[1];
    for (int i = 0; i < M; i++) {
        long double s[N], top = -HUGE_VALL, sum = 0;
        for (int j = 0; j < N; j++) {
            s[j] = 0;
            for (int k = 0; k < K; k++)
                s[j] += (long double)x[i * K + k] * (long double)w[k * N + j];
            top = s[j] > top ? s[j] : top;
        }
        for (int j = 0; j < N; j++)
            sum += expl(s[j] - top);
        for (int j = 0; j < N; j++) {
            long double y = expl(s[j] - top) / sum;
            double e = r.err[2][i * N + j];
            assert_true(fabsl(y - (long double)r.val[2][i * N + j]) <=
                        (long double)e);
            assert_true(e > 0 && e < 1e-10 * (double)y);
        }
    }
}

// Sums of products of small integers are exact, and so are decisions on them.
static void
test_reference_exact(void **state)
{
    (void)state;
    const tir_fn *fn =
        parse_ok("tensor_ir @f { input x: f32[40, 30] input w: f32[30, 20] "
                 "output y: f32[40, 20] output q: bool[40, 20] "
                 "y[i0:40, i1:20] = sum[r0:30] mul(x[i0, r0], w[r0, i1]) "
                 "q[i0:40, i1:20] = map ge(y[i0, i1], 0.0) }");
    void **buf = new_buffers(fn);
    float *x = buf[0], *w = buf[1];
    for (int i = 0; i < 1200; i++)
        x[i] = (float)(i * 7 % 19 - 9);
    for (int i = 0; i < 600; i++)
        w[i] = (float)(i * 5 % 13 - 6) / 4;
    reference r = reference_of(fn, buf);
    for (int i = 0; i < 40; i++)
        for (int j = 0; j < 20; j++) {
            double want = 0;
            for (int k = 0; k < 30; k++)
                want += (double)x[i * 30 + k] * (double)w[k * 20 + j];
            assert_true(r.val[2][i * 20 + j] == want);
            assert_true(r.err[2][i * 20 + j] == 0);
            assert_true(r.val[3][i * 20 + j] == (want >= 0 ? 1 : 0));
            assert_true(r.err[3][i * 20 + j] == 0);
        }
}

// One value of a function of a single element, by name.
static void
reference_one(const char *expr, const float *x, double *val, double *err)
{
    const char *text = arena_printf(
        mem,
        "tensor_ir @f { input x: f32[4] output y: f32[] temp t: f32[] "
        "t[] = map exp(x[0]) y[] = map %s }",
        expr);
    const tir_fn *fn = parse_ok(text);
    void **buf = new_buffers(fn);
    memcpy(buf[0], x, 4 * sizeof *x);
    reference r = reference_of(fn, buf);
    *val = r.val[1][0];
    *err = r.err[1][0];
}

static void
test_reference_decisions(void **state)
{
    (void)state;
    const float x[4] = {1, 2, 0.1F, 4};
    double v, e, near = exp(1.0);
    // t = e is known to about 2^-45: a comparison with 2 is certain, ...
    reference_one("select(gt(t[], 2.0), x[1], x[3])", x, &v, &e);
    assert_true(v == 2 && e == 0);
    // ... one with itself twice is not, and the other branch is covered.
    reference_one("select(gt(t[], t[]), x[1], x[3])", x, &v, &e);
    assert_true(v == 4 && e >= 2 && e < 2.001);
    // Casts to float types do not round, those to integers do.
    reference_one("cast(t[], bf16)", x, &v, &e);
    assert_true(fabs(v - near) <= e && e < 1e-12);
    reference_one("cast(cast(t[], i8), f32)", x, &v, &e);
    assert_true(v == 3 && e == 0);
    reference_one("cast(cast(mul(t[], 1000.0), i8), f32)", x, &v, &e);
    assert_true(v == 127 && e == 0);
    reference_one("cast(cast(x[1], u32), f32)", x, &v, &e);
    assert_true(v == 2 && e == 0);
    // A quotient whose divisor may be zero is unknown.
    reference_one("div(x[0], sub(t[], t[]))", x, &v, &e);
    assert_true(isinf(e));
    // Infinities that are certain stay so.
    reference_one("exp(sub(-inf, t[]))", x, &v, &e);
    assert_true(v == 0 && e == 0);
    reference_one("add(div(1.0, 0.0), t[])", x, &v, &e);
    assert_true(isinf(v) && e == 0);
    reference_one("mul(nan, t[])", x, &v, &e);
    assert_true(isnan(v) && e == 0);
    // x[2] is exact; so is its sum with 1, but not a third of it.
    reference_one("add(x[2], 1.0)", x, &v, &e);
    assert_true(v == (double)0.1F + 1 && e == 0);
    reference_one("div(x[2], 3.0)", x, &v, &e);
    assert_true(e > 0 && e < 1e-16);
}

// The position of a maximum is certain where one element alone can be it.
static void
test_reference_argmax(void **state)
{
    (void)state;
    const tir_fn *fn = parse_ok(
        "tensor_ir @f { input x: f32[3, 5] output y: i32[3] output z: i32[] "
        "temp t: f32[3, 5] temp m: f32[3] temp q: f32[] "
        "t[i0:3, i1:5] = map exp(x[i0, i1]) "
        "m[i0:3] = max[r0:5] t[i0, r0] "
        "y[i0:3] = min[r0:5] { %1 = t[i0, r0] %2 = m[i0] "
        "select(or(eq(%1, %2), and(isnan(%1), isnan(%2))), "
        "index(r0), 2147483647) } "
        "q[] = max[r0:3, r1:5] exp(t[r0, r1]) "
        "z[] = min[r0:3, r1:5] select(eq(exp(t[r0, r1]), q[]), "
        "index(5*r0 + r1), 2147483647) }");
    void **buf = new_buffers(fn);
    const float x[15] = {1, 3, 2, 0, 1, 5, 4, 3, 3, 1, 1, 2, 2, 0, -9};
    memcpy(buf[0], x, sizeof x);
    reference r = reference_of(fn, buf);
    assert_true(r.val[1][0] == 1 && r.err[1][0] == 0);
    assert_true(r.val[1][1] == 0 && r.err[1][1] == 0);
    assert_true(r.val[1][2] == 1 && r.err[1][2] == 1); // a tie within errors
    assert_true(r.val[2][0] == 5 && r.err[2][0] == 0);
}

// Expressions over + - * / sqrt exp in long double.
static long double
long_node(const tir_op *op, uint32_t node, const float *x)
{
    const tir_node *n = &op->nodes.at[node];
    if (n->kind == TIR_N_CONST)
        return (long double)num_f32(n->imm);
    if (n->kind == TIR_N_READ)
        return (long double)x[op->reads.at[n->read].sub[0].c];
    long double a = long_node(op, n->arg[0], x);
    if (n->kind == TIR_N_UNARY)
        return n->func1 == NUM_EXP ? expl(a) : sqrtl(a);
    long double b = long_node(op, n->arg[1], x);
    switch (n->func2) {
    case NUM_ADD: return a + b;
    case NUM_SUB: return a - b;
    case NUM_MUL: return a * b;
    case NUM_DIV: return a / b;
    case NUM_MAX: return a > b ? a : b;
    default: return a < b ? a : b;
    }
}

static uint32_t
long_expr(maker *m, tir_op *op, uint32_t depth)
{
    static const num_binary f2[] = {NUM_ADD, NUM_SUB, NUM_MUL,
                                    NUM_DIV, NUM_MAX, NUM_MIN};
    tir_read r = {.tensor = 0};
    r.sub[0].c = pick(m, 8);
    if (!depth)
        return tir_read_node(m->fn, op, &r);
    uint32_t a = long_expr(m, op, depth - 1);
    if (!pick(m, 3))
        return tir_unary(m->fn, op, pick(m, 2) ? NUM_EXP : NUM_SQRT, a);
    uint32_t b = long_expr(m, op, depth - 1);
    return tir_binary(m->fn, op, f2[pick(m, ARRAY_LEN(f2))], a, b);
}

static void
test_reference_random(void **state)
{
    (void)state;
    int64_t shape[1] = {8};
    uint32_t compared = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        arena_mark mark = arena_save(mem);
        maker m = {.fn = tir_fn_new(mem, "r"), .seed = seed};
        (void)tir_add_tensor(m.fn, "x", TIR_INPUT, DT_F32, 1, shape);
        (void)tir_add_tensor(m.fn, "y", TIR_OUTPUT, DT_F32, 0, NULL);
        tir_op *op = tir_add_op(m.fn, 1, NUM_R_NONE, 0, NULL);
        op->root = long_expr(&m, op, 1 + pick(&m, 4));
        void **buf = new_buffers(m.fn);
        uint64_t s = seed;
        draw_inputs(m.fn, buf, &s, false);
        reference r = reference_of(m.fn, buf);
        long double want = long_node(op, op->root, buf[0]);
        double v = r.val[1][0], e = r.err[1][0];
        if (isfinite(v) && isfinite(e) && fabsl(want) < 1e300L) {
            compared++;
            // long double rounds too, 2^11 times finer than the bound's unit.
            if (!(fabsl(want - (long double)v) <= 1.01L * (long double)e))
                fail_msg("%s: %.17Lg, %.17g +- %g", text_of(m.fn), want, v, e);
        }
        arena_restore(mem, mark);
    }
    assert_true(compared > 1500);
}

static double
element(const tir_tensor *t, const void *buf, int64_t e)
{
    num_as as = num_widened(t->dtype);
    num_word w =
        num_load(t->dtype, (const char *)buf + e * num_dtype_bytes(t->dtype));
    return as == NUM_AS_I32 ? (double)(int32_t)w : (double)w;
}

// Without floats, the reference is the registers' arithmetic.
static void
test_reference_no_floats(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        arena_mark mark = arena_save(mem);
        tir_fn *fn = gen_fn(seed, true);
        void **buf = new_buffers(fn);
        uint64_t s = seed;
        draw_inputs(fn, buf, &s, false);
        eval_ok(fn, buf);
        reference r = reference_of(fn, buf);
        for (uint32_t t = 0; t < fn->tensors.n; t++) {
            const tir_tensor *tensor = &fn->tensors.at[t];
            for (int64_t e = 0; e < tir_elems(tensor); e++) {
                assert_true(r.val[t][e] == element(tensor, buf[t], e));
                assert_true(r.err[t][e] == 0);
            }
        }
        arena_restore(mem, mark);
    }
}

// Registers hold integers exactly, wrapping included.
static void
test_reference_integers(void **state)
{
    (void)state;
    const tir_fn *fn = parse_ok(
        "tensor_ir @f { input n: i32[300] output y: i32[300] output s: i8[] "
        "y[i0:300] = map mul(mul(n[i0], 123456789), index(i0 - 7)) "
        "s[] = sum[r0:300] cast(mul(y[r0], 3), i8) }");
    void **buf = new_buffers(fn);
    uint64_t s = 5;
    draw_inputs(fn, buf, &s, false);
    eval_ok(fn, buf);
    reference r = reference_of(fn, buf);
    const int32_t *n = buf[0];
    uint32_t sum = 0;
    for (int e = 0; e < 300; e++) {
        uint32_t y = (uint32_t)n[e] * 123456789u * (uint32_t)(e - 7);
        assert_int_equal(((const uint32_t *)buf[1])[e], y);
        assert_true(r.val[1][e] == (int32_t)y && r.err[1][e] == 0);
        int32_t term = (int8_t)(y * 3);
        sum += (uint32_t)term;
    }
    assert_int_equal(*(const int8_t *)buf[2], (int8_t)sum);
    assert_true(r.val[2][0] == (int8_t)sum);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_functions),
        cmocka_unit_test(test_eval_products),
        cmocka_unit_test(test_reference_softmax),
        cmocka_unit_test(test_reference_exact),
        cmocka_unit_test(test_reference_decisions),
        cmocka_unit_test(test_reference_argmax),
        cmocka_unit_test(test_reference_random),
        cmocka_unit_test(test_reference_no_floats),
        cmocka_unit_test(test_reference_integers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
