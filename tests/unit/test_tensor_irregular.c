// SPDX-License-Identifier: Apache-2.0
// Tensor IR that is no plain map: gathers, scatters, sorts, reshapes,
// recurrences, updates of inputs. Text, rules, and results worked out by hand.
#include "tests/unit/tensor_text.h"

#include <math.h>

// ---- text

static const char everything[] =
    "tensor_ir @everything {\n"
    "  input x: f32[8, 4]\n"
    "  input ids: i32[8]\n"
    "  input cache: f32[8, 4]\n"
    "  output y: f32[8, 4] updates cache\n"
    "  output g: f32[8, 4]\n"
    "  output h: f32[4, 8]\n"
    "  output for: f32[]\n"
    "  temp m: f32[8, 4]\n"
    "  temp s: f32[8, 2]\n"
    "  temp descending: i32[8, 2]\n"
    "  temp updates: f32[4, 4]\n"
    "  temp u: i32[8]\n"
    "  g[i0:8, i1:4] = map {\n"
    "    %1 = ids[i0]\n"
    "    add(x[(%1), i1], x[(%1) - i0 + 1, (div(index(i1), 2))] else -inf)\n"
    "  }\n"
    "  y = scatter set[i0:8, i1:4] from cache {\n"
    "    %1 = ids[i0]\n"
    "    at [(%1) + 1, -i1 + 3] if lt(%1, 7) put x[i0, i1]\n"
    "  }\n"
    "  u = scatter sum[i0:8] at [(ids[i0])] put 1\n"
    "  s = sort x axis 1 descending\n"
    "  descending = positions x axis 1 ascending\n"
    "  updates = reshape s\n"
    "  for[] = map updates[0, 0]\n"
    "  for t backward {\n"
    "    m[t=i0:8, i1:4] = sum[r0:4] mul(x[r0, i1], h[r0, i0 + 1] else 0.0)\n"
    "    h[i0:4, t=i1:8] = map {\n"
    "      %1 = add(m[i1, i0], m[i1 + 2, i0] else 1.0)\n"
    "      mul(%1, %1)\n"
    "    }\n"
    "  }\n"
    "}\n";

static void
test_text_round_trip(void **state)
{
    (void)state;
    const tir_fn *fn = parse_ok(everything);
    assert_string_equal(text_of(fn), everything);
    assert_int_equal(fn->tensors.at[3].updates, 3);
    const tir_op *y = &fn->ops.at[1];
    assert_int_equal(y->kind, TIR_SCATTER);
    assert_int_equal(y->init, 2);
    assert_int_equal(y->at.begin, strstr(everything, "y = sc") - everything);
    assert_int_equal(y->at.end, strstr(everything, "\n  u = ") - everything);
    const tir_op *m = &fn->ops.at[7];
    assert_int_equal(m->group, 1);
    assert_int_equal(m->time, 0);
    assert_int_equal(fn->ops.at[8].time, 1);
    assert_true(m->backward);
}

static void
assert_rejected(const char *text, diag_id id)
{
    diags d;
    assert_null(parse(text, &d));
    assert_true(d.errors > 0);
    if (d.msgs.at[0].id != id)
        print_error("%s\n%s\n", text, d.msgs.at[0].text);
    assert_int_equal(d.msgs.at[0].id, id);
    assert_int_equal(d.msgs.at[0].at.source, 1);
}

#define HEAD                                                                   \
    "tensor_ir @f { input x: f32[4] input n: i32[4] input b: bool[4] "         \
    "input k: i16[2, 4] output y: f32[4] "
#define MAP(expr)    HEAD "y[i0:4] = map " expr " }"
#define SCATTER(how) HEAD "y = scatter " how " }"
#define GROUP(body)  HEAD "temp z: f32[4] for t { " body " } }"

static void
test_text_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        diag_id id;
    } bad[] = {
        {MAP("x[(n[i0]]"), D_TIR_SYNTAX},
        {MAP("x[(n[i0]) * 2]"), D_TIR_SYNTAX},
        {MAP("x[(n[i0]), 0]"), D_TIR_SUBS},
        {MAP("x[(n[i0]) + i1]"), D_TIR_INDEX},
        {SCATTER("put"), D_TIR_SYNTAX},
        {SCATTER("add[i0:4] at [i0] put 0.0"), D_TIR_SYNTAX},
        {SCATTER("set[i0:4] put 0.0"), D_TIR_SYNTAX},
        {SCATTER("set[i0:4] at [i0] 0.0"), D_TIR_SYNTAX},
        {SCATTER("set[i0:4] from q at [i0] put 0.0"), D_TIR_UNKNOWN},
        {SCATTER("set[i0:4] at [i0, 0] put 0.0"), D_TIR_SUBS},
        {HEAD "y = x }", D_TIR_SYNTAX},
        {HEAD "y = sort x axis }", D_TIR_SYNTAX},
        {HEAD "y = sort x 0 ascending }", D_TIR_SYNTAX},
        {HEAD "y = sort x axis 0 }", D_TIR_SYNTAX},
        {HEAD "y = reshape q }", D_TIR_UNKNOWN},
        {HEAD "for i { } }", D_TIR_SYNTAX},
        {HEAD "for t { temp z: f32[] } }", D_TIR_UNKNOWN},
        {HEAD "for t { for t { } } }", D_TIR_UNKNOWN},
        {HEAD "output z: f32[4] updates q }", D_TIR_UNKNOWN},
        {MAP("y[t=i0:4]"), D_TIR_INDEX},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_rejected(bad[i].text, bad[i].id);
}

// Damaged text is rejected or means something; it never does harm.
static void
test_text_damaged(void **state)
{
    (void)state;
    uint64_t seed = 5;
    uint32_t accepted = 0;
    for (int round = 0; round < 3000; round++) {
        arena_mark mark = arena_save(mem);
        char *text = str_z(mem, STR(everything));
        for (uint64_t n = 1 + rng_next(&seed) % 3; n > 0; n--) {
            uint64_t at = rng_next(&seed) % (sizeof everything - 1);
            uint64_t from = rng_next(&seed) % (sizeof everything - 1);
            text[at] = everything[from];
        }
        diags d;
        tir_fn *fn = parse(text, &d);
        assert_true(fn ? d.errors == 0 : d.errors > 0);
        accepted += fn != NULL;
        if (fn)
            assert_string_equal(text_of(parse_ok(text_of(fn))), text_of(fn));
        arena_restore(mem, mark);
    }
    assert_in_range(accepted, 1, 2000);
}

// ---- rules

static void
test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        diag_id id;
    } bad[] = {
        // node_t6, node_t5
        {MAP("x[(x[i0])]"), D_TIR_DYN},
        {MAP("x[(cast(n[i0], u32))]"), D_TIR_DYN},
        {MAP("cast(k[i0, (n[i0])], f32)"), D_TIR_RANGE},
        {MAP("x[(n[i0]) + 4611686018427387904*i0]"), D_TIR_OVERFLOW},
        // tensor_t5
        {HEAD "output z: i32[4] updates x }", D_TIR_UPDATES},
        {HEAD "output z: f32[3] updates x }", D_TIR_UPDATES},
        {HEAD "output z: f32[4] updates y }", D_TIR_UPDATES},
        {HEAD "output z: f32[4] updates x output w: f32[4] updates x }",
         D_TIR_UPDATES},
        // group_t1
        {GROUP("y = reshape x"), D_TIR_GROUP},
        {GROUP("y[i0:4] = map x[i0]"), D_TIR_GROUP},
        {HEAD "temp z: f32[3] for t { z[t=i0:3] = map 0.0 "
              "y[t=i0:4] = map 0.0 } }",
         D_TIR_GROUP},
        // group_t2, and node_t5
        {GROUP("y[t=i0:4] = map y[i0] else 0.0"), D_TIR_TIME},
        {GROUP("y[t=i0:4] = map y[i0 + 1] else 0.0"), D_TIR_TIME},
        {GROUP("y[t=i0:4] = map y[0]"), D_TIR_TIME},
        {GROUP("y[t=i0:4] = map y[(n[i0])] else 0.0"), D_TIR_TIME},
        {GROUP("y[t=i0:4] = map y[2*i0 - 7] else 0.0"), D_TIR_TIME},
        {GROUP("y[t=i0:4] = map z[i0] z[t=i0:4] = map 0.0"), D_TIR_TIME},
        {GROUP("y[t=i0:4] = map y[i0 - 1]"), D_TIR_RANGE},
        {HEAD "for t backward { y[t=i0:4] = map y[i0 - 1] else 0.0 } }",
         D_TIR_TIME},
        // scatter_t1 .. t5, op_t7
        {SCATTER("prod[i0:4] at [i0] put 0.0"), D_TIR_SCATTER},
        {SCATTER("set[i0:4] at [i0] if n[i0] put 0.0"), D_TIR_SCATTER},
        {SCATTER("set[i0:4] at [(x[i0])] put 0.0"), D_TIR_SCATTER},
        {SCATTER("set[i0:4] at [i0] put n[i0]"), D_TIR_STORE},
        {SCATTER("sum[i0:4] from n at [i0] put 0.0"), D_TIR_SCATTER},
        {SCATTER("sum[i0:4] from y at [i0] put 0.0"), D_TIR_SCATTER},
        {SCATTER("set[i0:4] at [4611686018427387904*i0] put 0.0"),
         D_TIR_OVERFLOW},
        {SCATTER("set[i0:4] at [i0] put y[i0]"), D_TIR_ORDER},
        {HEAD "temp h: bf16[4] h = scatter sum[i0:4] at [i0] put x[i0] }",
         D_TIR_SCATTER},
        {HEAD "temp h: bool[4] h = scatter max[i0:4] at [i0] put b[i0] }",
         D_TIR_REDUCE},
        // sort_t1
        {HEAD "y = sort n axis 0 ascending }", D_TIR_SORT},
        {HEAD "y = sort x axis 1 ascending }", D_TIR_SORT},
        {HEAD "y = sort x axis 18446744073709551615 ascending }", D_TIR_SORT},
        {HEAD "y = positions x axis 0 ascending }", D_TIR_SORT},
        {HEAD "temp z: f32[5] z = sort x axis 0 ascending }", D_TIR_SORT},
        {HEAD "temp z: i16[1, 2] z = sort k axis 1 ascending }", D_TIR_SORT},
        {HEAD "temp z: i16[8] z = sort k axis 0 ascending }", D_TIR_SORT},
        {HEAD "y = sort y axis 0 ascending }", D_TIR_ORDER},
        // reshape_t1
        {HEAD "y = reshape n }", D_TIR_RESHAPE},
        {HEAD "temp z: f32[2, 3] z = reshape x }", D_TIR_RESHAPE},
        {HEAD "y = reshape y }", D_TIR_ORDER},
        {HEAD "x = reshape y }", D_TIR_DEFINE},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_rejected(bad[i].text, bad[i].id);
}

static void
assert_breaks(const tir_fn *fn, diag_id id)
{
    diags d;
    diags_init(&d, mem);
    assert_false(tir_verify(fn, &d));
    assert_int_equal(d.msgs.at[0].id, id);
}

// What text cannot say.
static void
test_rules_of_data(void **state)
{
    (void)state;
    tir_fn *fn = parse_ok(MAP("x[(n[i0])]"));
    tir_op *op = &fn->ops.at[0];
    op->nodes.at[op->root].kind = TIR_N_READ;
    assert_breaks(fn, D_TIR_NODE);
    op->nodes.at[op->root].kind = TIR_N_GATHER;
    op->reads.at[op->nodes.at[op->root].read].dyn[0] = op->root;
    assert_breaks(fn, D_TIR_NODE);
    op->reads.at[op->nodes.at[op->root].read].dyn[0] = 0;
    assert_breaks(fn, D_TIR_NODE);
    fn = parse_ok(SCATTER("set[i0:4] at [(n[i0])] put 0.0"));
    fn->ops.at[0].guard = 9;
    assert_breaks(fn, D_TIR_NODE);
    fn->ops.at[0].guard = 0;
    fn->ops.at[0].target.dyn[0] = 9;
    assert_breaks(fn, D_TIR_NODE);
    fn->ops.at[0].target.dyn[0] = 0;
    fn->ops.at[0].target.tensor = 0;
    assert_breaks(fn, D_TIR_NODE);
    fn->ops.at[0].nred = 1;
    assert_breaks(fn, D_TIR_SCATTER);
    fn = parse_ok(HEAD "y = reshape x }");
    fn->ops.at[0].src = 99;
    assert_breaks(fn, D_TIR_NODE);
    fn = parse_ok(HEAD "temp z: f32[4] for t { y[t=i0:4] = map y[i0 - 1] "
                       "else 0.0 } z[i0:4] = map 0.0 }");
    fn->ops.at[1].group = 1;
    fn->ops.at[1].backward = true;
    assert_breaks(fn, D_TIR_GROUP);
    // Two runs of one group.
    fn = parse_ok(HEAD "temp z: f32[4] temp w: f32[4] "
                       "for t { y[t=i0:4] = map 0.0 } "
                       "w[i0:4] = map 0.0 for t { z[t=i0:4] = map 0.0 } }");
    fn->ops.at[2].group = 1;
    assert_breaks(fn, D_TIR_GROUP);
}

// ---- building

static void
test_build(void **state)
{
    (void)state;
    const int64_t shape[2] = {8, 2}, rows[1] = {8};
    tir_fn *fn = tir_fn_new(mem, "b");
    uint32_t x = tir_add_tensor(fn, "x", TIR_INPUT, DT_F32, 2, shape);
    uint32_t ids = tir_add_tensor(fn, "ids", TIR_INPUT, DT_I32, 1, rows);
    uint32_t y = tir_add_temp(fn, "y", DT_F32, 2, shape);
    tir_op *op = tir_add_scatter(fn, y, NUM_R_SUM, TIR_ABSENT, 2, shape);
    tir_read id = {.tensor = ids}, r = {.tensor = x};
    id.sub[0].k[0] = 1;
    r.dyn[0] = tir_read_node(fn, op, &id);
    r.sub[1].k[1] = 1;
    op->root = tir_gather(fn, op, &r);
    assert_int_equal(op->nodes.at[op->root].kind, TIR_N_GATHER);
    assert_int_equal(tir_gather(fn, op, &r), op->root);
    tir_read other = r;
    other.dyn[0] = tir_const(fn, op, NUM_AS_I32, 3);
    assert_int_not_equal(tir_gather(fn, op, &other), op->root);
    uint32_t from[TIR_RANK];
    assert_int_equal(tir_operands(op, &op->nodes.at[op->root], from), 1);
    assert_int_equal(from[0], r.dyn[0]);
    op->target.dyn[0] = r.dyn[0];
    op->target.sub[1] = r.sub[1];
    uint32_t s = tir_add_temp(fn, "s", DT_F32, 2, shape);
    tir_add_sort(fn, s, y, 0, true, false);
    const int64_t flat[1] = {16};
    uint32_t z = tir_add_temp(fn, "z", DT_F32, 1, flat);
    tir_add_reshape(fn, z, s);
    assert_int_equal(tir_new_group(fn), 1);
    assert_string_equal(text_of(fn), "tensor_ir @b {\n"
                                     "  input x: f32[8, 2]\n"
                                     "  input ids: i32[8]\n"
                                     "  temp y: f32[8, 2]\n"
                                     "  temp s: f32[8, 2]\n"
                                     "  temp z: f32[16]\n"
                                     "  y = scatter sum[i0:8, i1:2] {\n"
                                     "    %1 = ids[i0]\n"
                                     "    at [(%1), i1] put x[(%1), i1]\n"
                                     "  }\n"
                                     "  s = sort y axis 0 descending\n"
                                     "  z = reshape s\n"
                                     "}\n");
    diags d;
    diags_init(&d, mem);
    assert_true(tir_verify(fn, &d));
}

// ---- passes

static void
assert_pass(void (*pass)(tir_fn *), const char *before, const char *after)
{
    tir_fn *fn = parse_ok(before);
    pass(fn);
    diags d;
    diags_init(&d, mem);
    assert_true(tir_verify(fn, &d));
    assert_string_equal(text_of(fn), text_of(parse_ok(after)));
}

#define PASS_HEAD                                                              \
    "tensor_ir @f { input x: f32[4] input w: f32[4, 4] input n: i32[4] "       \
    "output y: f32[4, 4] "

// The copy is made before the recurrence; the state keeps its fill, as does the
// gather.
static void
test_pad_recurrence(void **state)
{
    (void)state;
    assert_pass(tir_pad,
                PASS_HEAD
                "temp u: f32[4, 4] for t { "
                "u[t=i0:4, i1:4] = map x[(n[i1])] else 0.0 "
                "y[t=i0:4, i1:4] = map add(add(u[i0, i1], "
                "y[i0 - 1, i1 - 1] else 0.0), x[i0 - 1] else 0.0) } }",
                PASS_HEAD "temp u: f32[4, 4] temp x_pad: f32[4] "
                          "x_pad[i0:4] = map x[i0 - 1] else 0.0 for t { "
                          "u[t=i0:4, i1:4] = map x[(n[i1])] else 0.0 "
                          "y[t=i0:4, i1:4] = map add(add(u[i0, i1], "
                          "y[i0 - 1, i1 - 1] else 0.0), x_pad[i0]) } }");
}

static void
test_inline_irregular(void **state)
{
    (void)state;
    // Into a subscript, a guard, and a recurrence; not out of one.
    assert_pass(
        tir_inline,
        PASS_HEAD "temp a: i32[4] temp b: f32[4, 4] temp c: f32[4, 4] "
                  "temp d: f32[4, 4] "
                  "a[i0:4] = map add(n[i0], 1) "
                  "b[i0:4, i1:4] = map exp(w[i1, i0]) "
                  "for t { c[t=i0:4, i1:4] = map mul(b[i0, i1], 2.0) "
                  "d[t=i0:4, i1:4] = map add(c[i0, i1], "
                  "d[i0 - 1, i1] else 0.0) } "
                  "y = scatter sum[i0:4] at [(a[i0]), 0] put d[i0, i0] }",
        PASS_HEAD "temp c: f32[4, 4] temp d: f32[4, 4] "
                  "for t { c[t=i0:4, i1:4] = map mul(exp(w[i1, i0]), 2.0) "
                  "d[t=i0:4, i1:4] = map add(c[i0, i1], "
                  "d[i0 - 1, i1] else 0.0) } "
                  "y = scatter sum[i0:4] at [(add(n[i0], 1)), 0] "
                  "put d[i0, i0] }");
    // What only it itself reads is dead, and a copy of a sort is the sort.
    assert_pass(tir_inline,
                PASS_HEAD "temp a: f32[4, 4] temp b: f32[4, 4] "
                          "temp s: f32[4, 4] "
                          "for t { a[t=i0:4, i1:4] = map b[i0 - 1, i1] else 0.0"
                          " b[t=i0:4, i1:4] = map b[i0 - 1, i1] else 1.0 } "
                          "s = sort w axis 0 ascending "
                          "y[i0:4, i1:4] = map s[i0, i1] }",
                PASS_HEAD "y = sort w axis 0 ascending }");
}

static void
test_contract_recurrence(void **state)
{
    (void)state;
    const char *own = PASS_HEAD "for t { y[t=i0:4, i1:4] = sum[r0:4] "
                                "mul(y[i0 - 1, r0] else 1.0, w[r0, i1]) } }";
    assert_pass(tir_contract, own, own);
    assert_pass(
        tir_contract,
        PASS_HEAD "temp c: f32[4, 4] for t { "
                  "c[t=i0:4, i1:4] = map y[i0 - 1, i1] else 0.0 "
                  "y[t=i0:4, i1:4] = sum[r0:4] mul(exp(w[i0, r0]), w[r0, i1])"
                  " } }",
        PASS_HEAD "temp c: f32[4, 4] temp y_lhs: f32[4, 4] "
                  "y_lhs[i0:4, i1:4] = map exp(w[i0, i1]) for t { "
                  "c[t=i0:4, i1:4] = map y[i0 - 1, i1] else 0.0 "
                  "y[t=i0:4, i1:4] = sum[r0:4] mul(y_lhs[i0, r0], w[r0, i1])"
                  " } }");
    // A gather is an operand, once it has been made a tensor.
    assert_pass(tir_contract,
                PASS_HEAD "y[i0:4, i1:4] = sum[r0:4] "
                          "mul(w[(n[i0]), r0], w[r0, i1]) }",
                PASS_HEAD "temp y_lhs: f32[4, 4] "
                          "y_lhs[i0:4, i1:4] = map w[(n[i0]), i1] "
                          "y[i0:4, i1:4] = sum[r0:4] "
                          "mul(y_lhs[i0, r0], w[r0, i1]) }");
}

// ---- results

static void **
new_buffers(const tir_fn *fn)
{
    void **buf = ARENA_ARRAY(mem, fn->tensors.n, void *);
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        const tir_tensor *x = &fn->tensors.at[t];
        size_t n = (size_t)tir_elems(x) * num_dtype_bytes(x->dtype);
        buf[t] = arena_alloc(mem, n + 1);
        memset(buf[t], 0xa5, n);
    }
    return buf;
}

#define SET(buf, ...) memcpy((buf), (__VA_ARGS__), sizeof(__VA_ARGS__))

static void
eval_ok(const tir_fn *fn, void *const *buf)
{
    diags d;
    diags_init(&d, mem);
    if (!tir_eval(fn, buf, &d))
        fail_msg("%s\n%s", d.msgs.n ? d.msgs.at[0].text : "?", text_of(fn));
}

static void
assert_floats(const void *got, size_t n, const float *want)
{
    for (size_t i = 0; i < n; i++) {
        float g;
        memcpy(&g, (const char *)got + 4 * i, 4);
        if (memcmp(&g, &want[i], 4))
            fail_msg("element %zu: %g, not %g", i, (double)g, (double)want[i]);
    }
}

static void
assert_ints(const void *got, size_t n, const int32_t *want)
{
    for (size_t i = 0; i < n; i++) {
        int32_t g;
        memcpy(&g, (const char *)got + 4 * i, 4);
        assert_int_equal(g, want[i]);
    }
}

static const float inf = (float)INFINITY, no_number = (float)NAN;

static void
test_gather(void **state)
{
    (void)state;
    const tir_fn *fn = parse_ok(
        "tensor_ir @f { input x: bf16[3, 2] input n: i32[4] input c: i8[4] "
        "output y: f32[4, 2] output z: f32[4] output w: f32[] "
        "y[i0:4, i1:2] = map x[(n[i0]), -i1 + 1] "
        "z[i0:4] = map x[(n[i0]) + 1, (c[i0]) - 1] else 7.0 "
        "w[] = sum[r0:4] x[(n[r0]), 0] }");
    void **buf = new_buffers(fn);
    SET(buf[0], ((const uint16_t[]){0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0,
                                    0x40c0})); // 1 .. 6
    SET(buf[1], ((const int32_t[]){2, 0, 1, 2}));
    SET(buf[2], ((const int8_t[]){1, 2, 1, 0}));
    eval_ok(fn, buf);
    assert_floats(buf[3], 8, (const float[]){6, 5, 2, 1, 4, 3, 6, 5});
    assert_floats(buf[4], 4, (const float[]){7, 4, 5, 7});
    assert_floats(buf[5], 1, (const float[]){14});
}

// Subscripts do not wrap: the sum of both parts is exact.
static void
test_gather_is_exact(void **state)
{
    (void)state;
    const tir_fn *fn = parse_ok(
        "tensor_ir @f { input x: f32[2] input n: i32[2] output y: f32[2] "
        "output z: f32[2] "
        "y[i0:2] = map x[(n[i0]) + 2147483647] else 9.0 "
        "z[i0:2] = map x[(n[i0]) - 2147483648] else 9.0 }");
    void **buf = new_buffers(fn);
    SET(buf[0], ((const float[]){1, 2}));
    SET(buf[1], ((const int32_t[]){INT32_MAX, -INT32_MAX}));
    eval_ok(fn, buf);
    assert_floats(buf[2], 2, (const float[]){9, 1});
    assert_floats(buf[3], 2, (const float[]){9, 9});
}

// The last update of an element wins, a sum starts from 0 or what it is given.
static void
test_scatter(void **state)
{
    (void)state;
    const tir_fn *fn = parse_ok(
        "tensor_ir @f { input x: f32[4] input n: i32[4] input c: f32[4] "
        "output s: f32[4] output g: f32[4] output a: f32[4] output h: f32[4] "
        "output l: f32[4] output u: f32[4] updates c output m: i32[2] "
        "s = scatter set[i0:4] at [(n[i0])] put x[i0] "
        "g = scatter set[i0:4] from c at [(n[i0]) - 1] if ne(n[i0], 0) "
        "put x[i0] "
        "a = scatter sum[i0:4] at [(n[i0])] put x[i0] "
        "h = scatter max[i0:4] at [(n[i0])] put x[i0] "
        "l = scatter min[i0:4] at [(n[i0])] put x[i0] "
        "u = scatter sum[i0:4] from c at [(n[i0])] put x[i0] "
        "m = scatter max[i0:4] at [0] put n[i0] }");
    void **buf = new_buffers(fn);
    SET(buf[0], ((const float[]){1, 2, 3, 4}));
    SET(buf[1], ((const int32_t[]){1, 3, 1, 0}));
    SET(buf[2], ((const float[]){10, 20, 30, 40}));
    eval_ok(fn, buf);
    assert_floats(buf[3], 4, (const float[]){4, 3, 0, 2});
    assert_floats(buf[4], 4, (const float[]){3, 20, 2, 40});
    assert_floats(buf[5], 4, (const float[]){4, 4, 0, 2});
    assert_floats(buf[6], 4, (const float[]){4, 3, -inf, 2});
    assert_floats(buf[7], 4, (const float[]){4, 1, inf, 2});
    assert_floats(buf[8], 4, (const float[]){14, 24, 30, 42});
    assert_ints(buf[9], 2, (const int32_t[]){3, INT32_MIN});
}

// Steps are taken in row-major order: 2^24 absorbs each 1 that comes after it.
static void
test_scatter_order(void **state)
{
    (void)state;
    const tir_fn *fn =
        parse_ok("tensor_ir @f { input x: f32[2, 600] output y: f32[2] "
                 "output z: f32[1] output w: f32[] "
                 "y = scatter sum[i0:2, i1:600] at [i0] put x[i0, i1] "
                 "z = scatter set[i0:2, i1:600] at [0] put x[i0, i1] "
                 "w = scatter sum[] at [] put 3.0 }");
    void **buf = new_buffers(fn);
    float *x = buf[0];
    for (int i = 0; i < 1200; i++)
        x[i] = 1;
    x[0] = x[1199] = 16777216;
    eval_ok(fn, buf);
    assert_floats(buf[1], 2, (const float[]){16777216, 16777216 + 600});
    assert_floats(buf[2], 1, (const float[]){16777216});
    assert_floats(buf[3], 1, (const float[]){3});
}

static void
test_sort(void **state)
{
    (void)state;
    const tir_fn *fn = parse_ok(
        "tensor_ir @f { input x: f32[6] input n: u32[2, 3] "
        "output a: f32[6] output p: i32[6] output d: f32[6] output q: i32[6] "
        "output t: u32[1, 3] output u: i32[2, 3] "
        "a = sort x axis 0 ascending p = positions x axis 0 ascending "
        "d = sort x axis 0 descending q = positions x axis 0 descending "
        "t = sort n axis 0 descending u = positions n axis 1 ascending }");
    void **buf = new_buffers(fn);
    SET(buf[0], ((const float[]){3, no_number, -0.0F, 0, -1, 3}));
    SET(buf[1], ((const uint32_t[]){4000000000u, 5, 1, 7, 5, 2}));
    eval_ok(fn, buf);
    assert_floats(buf[2], 6, (const float[]){-1, -0.0F, 0, 3, 3, no_number});
    assert_ints(buf[3], 6, (const int32_t[]){4, 2, 3, 0, 5, 1});
    assert_floats(buf[4], 6, (const float[]){no_number, 3, 3, -0.0F, 0, -1});
    assert_ints(buf[5], 6, (const int32_t[]){1, 0, 5, 2, 3, 4});
    assert_ints(buf[6], 3, (const int32_t[]){(int32_t)4000000000u, 5, 2});
    assert_ints(buf[7], 6, (const int32_t[]){2, 1, 0, 2, 1, 0});
}

static void
test_recurrence(void **state)
{
    (void)state;
    const tir_fn *fn = parse_ok(
        "tensor_ir @f { input x: f32[4] input m: f32[2, 2] "
        "output h: f32[4] output g: f32[4] output a: f32[4] output b: f32[4] "
        "output v: f32[3, 2] output r: f32[2, 2] "
        "for t { h[t=i0:4] = map add(mul(2.0, h[i0 - 1] else 0.0), x[i0]) } "
        "for t backward { "
        "g[t=i0:4] = map add(mul(2.0, g[i0 + 1] else 0.0), x[i0]) } "
        "for t { a[t=i0:4] = map b[i0 - 1] else 1.0 "
        "b[t=i0:4] = map add(a[i0], b[i0 - 1] else 0.0) } "
        "for t { v[t=i0:3, i1:2] = sum[r0:2] "
        "mul(m[i1, r0], v[i0 - 1, r0] else 1.0) } "
        "r = reshape h }");
    void **buf = new_buffers(fn);
    SET(buf[0], ((const float[]){1, 2, 3, 4}));
    SET(buf[1], ((const float[]){1, 1, 1, 0}));
    eval_ok(fn, buf);
    assert_floats(buf[2], 4, (const float[]){1, 4, 11, 26});
    assert_floats(buf[3], 4, (const float[]){49, 24, 11, 4});
    assert_floats(buf[4], 4, (const float[]){1, 1, 2, 4});
    assert_floats(buf[5], 4, (const float[]){1, 2, 4, 8});
    assert_floats(buf[6], 6, (const float[]){2, 1, 3, 2, 5, 3});
    assert_floats(buf[7], 4, (const float[]){1, 4, 11, 26});
}

// ---- faults

static void
assert_fault(const char *text, const int32_t *n, const char *want)
{
    const tir_fn *fn = parse_ok(text);
    void **buf = new_buffers(fn);
    memcpy(buf[0], (const float[]){1, 2, 3, 4}, 16);
    memcpy(buf[1], n, 16);
    diags d;
    diags_init(&d, mem);
    assert_false(tir_eval(fn, buf, &d));
    assert_int_equal(d.msgs.n, 1);
    assert_int_equal(d.msgs.at[0].id, D_TIR_OUTSIDE);
    assert_string_equal(d.msgs.at[0].text, want);
    assert_int_equal(d.msgs.at[0].at.source, 1);
    double **val = ARENA_ARRAY(mem, fn->tensors.n, double *);
    double **err = ARENA_ARRAY(mem, fn->tensors.n, double *);
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        val[t] = ARENA_ARRAY(mem, 64, double);
        err[t] = ARENA_ARRAY(mem, 64, double);
    }
    for (int i = 0; i < 4; i++)
        val[1][i] = n[i];
    diags_init(&d, mem);
    assert_false(tir_eval_ref(fn, val, err, NULL, &d));
    assert_string_equal(d.msgs.at[0].text, want);
}

#define FAULT "tensor_ir @f { input x: f32[4] input n: i32[4] output y: f32[4] "

static void
test_faults(void **state)
{
    (void)state;
    const int32_t n[4] = {0, 3, 4, -1};
    assert_fault(FAULT "y[i0:4] = map x[(n[i0])] }", n,
                 "subscript 0 of 'x' is 4, outside the extent 4");
    assert_fault(FAULT "y[i0:4] = map x[(n[-i0 + 3]) + 3] }", n,
                 "subscript 0 of 'x' is 7, outside the extent 4");
    assert_fault(FAULT "y[i0:4] = sum[r0:4] x[(n[r0])] }", n,
                 "subscript 0 of 'x' is 4, outside the extent 4");
    assert_fault(FAULT "for t { y[t=i0:4] = map add(x[(n[i0])], "
                       "y[i0 - 1] else 0.0) } }",
                 n, "subscript 0 of 'x' is 4, outside the extent 4");
    assert_fault(FAULT "y = scatter set[i0:4] at [(n[i0])] put x[i0] }", n,
                 "subscript 0 of 'y' is 4, outside the extent 4");
    assert_fault(FAULT "y = scatter sum[i0:4] at [(n[i0])] "
                       "if ne(n[i0], 4) put x[i0] }",
                 n, "subscript 0 of 'y' is -1, outside the extent 4");
    assert_fault(FAULT "temp e: f32[0, 4] e[i0:0, i1:4] = map 0.0 "
                       "y[i0:4] = map e[(n[i0]), 0] }",
                 n, "subscript 0 of 'e' is 0, outside the extent 0");
    // A select evaluates both.
    assert_fault(FAULT "y[i0:4] = map select(lt(n[i0], 4), "
                       "x[(max(n[i0], 0))], 0.0) }",
                 n, "subscript 0 of 'x' is 4, outside the extent 4");
}

// ---- the reference

typedef struct {
    double **val, **err;
} reference;

static reference
reference_of(const tir_fn *fn, const double *x)
{
    reference r = {ARENA_ARRAY(mem, fn->tensors.n, double *),
                   ARENA_ARRAY(mem, fn->tensors.n, double *)};
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        size_t n = (size_t)tir_elems(&fn->tensors.at[t]) + 1;
        r.val[t] = ARENA_ARRAY(mem, n, double);
        r.err[t] = ARENA_ARRAY(mem, n, double);
    }
    memcpy(r.val[0], x, 4 * sizeof *x);
    diags d;
    diags_init(&d, mem);
    if (!tir_eval_ref(fn, r.val, r.err, NULL, &d))
        fail_msg("%s", d.msgs.at[0].text);
    return r;
}

#define REF                                                                    \
    "tensor_ir @f { input x: f32[4] temp t: f32[4] output y: f32[4] "          \
    "output p: i32[4] t[i0:4] = map exp(x[i0]) "                               \
    "p = positions t axis 0 ascending "

// A subscript near a decision says nothing; one that is sure says all.
static void
test_reference_gather(void **state)
{
    (void)state;
    const double x[4] = {0, 1, 0.5, 0.25};
    reference r =
        reference_of(parse_ok(REF "y[i0:4] = map x[(cast(t[i0], i32))] }"), x);
    // e^0 is exactly 1 only up to the error of exp, but far from 1.5.
    const double want[4] = {1, 0.25, 0.5, 1}; // x[1], x[3], x[2], x[1]
    for (int i = 0; i < 4; i++)
        assert_true(r.val[2][i] == want[i] && r.err[2][i] == 0);
    r = reference_of(parse_ok(REF "y[i0:4] = map x[(cast(mul(sub(t[1], t[1]), "
                                  "1e30), i32))] else 5.0 }"),
                     x);
    for (int i = 0; i < 4; i++)
        assert_true(isinf(r.err[2][i]));
}

static void
test_reference_sort(void **state)
{
    (void)state;
    reference r = reference_of(parse_ok(REF "y = sort t axis 0 descending }"),
                               (const double[]){1, 0.5, 1, 2});
    // The second and third of the ascending row are one value up to errors.
    const double at[4] = {1, 0, 2, 3}, spread[4] = {0, 2, 2, 0};
    for (int i = 0; i < 4; i++) {
        assert_true(r.val[3][i] == at[i]);
        assert_true(r.err[3][i] == spread[i]);
    }
    assert_true(fabs(r.val[2][1] - exp(1.0)) <= r.err[2][1]);
    assert_true(r.err[2][1] > 0 && r.err[2][1] < 1e-12);
    // Infinities that are certain stand in their order; so do exact ties.
    r = reference_of(parse_ok(REF "y = sort t axis 0 ascending }"),
                     (const double[]){1000, 1, 2000, 0.5});
    const double far[4] = {3, 1, 0, 2};
    for (int i = 0; i < 4; i++)
        assert_true(r.val[3][i] == far[i] && r.err[3][i] == 0);
    r = reference_of(parse_ok("tensor_ir @f { input x: f32[4] "
                              "output p: i32[4] "
                              "p = positions x axis 0 descending }"),
                     (const double[]){2, 2, (double)NAN, 2});
    const double ties[4] = {2, 0, 1, 3};
    for (int i = 0; i < 4; i++)
        assert_true(r.val[1][i] == ties[i] && r.err[1][i] == 0);
}

static void
test_reference_scatter(void **state)
{
    (void)state;
    const double x[4] = {1, 0, 3, 2};
    reference r = reference_of(
        parse_ok(REF "y = scatter sum[i0:4] at [0] put t[i0] }"), x);
    double sum = exp(1.0) + 1 + exp(3.0) + exp(2.0);
    assert_true(fabs(r.val[2][0] - sum) <= r.err[2][0] + 1e-14);
    assert_true(r.err[2][0] > 0 && r.err[2][0] < 1e-11);
    assert_true(r.val[2][1] == 0 && r.err[2][1] == 0);
    // A guard that an error could turn: the element is x or what it was.
    r = reference_of(parse_ok(REF "y = scatter set[i0:4] at [i0] "
                                  "if ge(t[i0], t[i0]) put x[i0] }"),
                     x);
    assert_true(r.val[2][2] == 3 && r.err[2][2] >= 3 && r.err[2][2] < 3.001);
    // A target that an error could turn: anything.
    r = reference_of(parse_ok(REF "y = scatter set[i0:4] at [(cast(mul(sub("
                                  "t[i0], t[i0]), 1e30), i32))] put x[i0] }"),
                     x);
    for (int i = 0; i < 4; i++)
        assert_true(isinf(r.err[2][i]));
}

// Errors of a state go into the next.
static void
test_reference_recurrence(void **state)
{
    (void)state;
    const double x[4] = {1, 0.5, 2, -1};
    reference r = reference_of(
        parse_ok(REF "for t { y[t=i0:4] = map "
                     "add(mul(3.0, y[i0 - 1] else 1.0), t[i0]) } }"),
        x);
    long double want = 1;
    for (int i = 0; i < 4; i++) {
        want = 3 * want + expl((long double)x[i]);
        assert_true(fabsl(want - (long double)r.val[2][i]) <=
                    (long double)r.err[2][i]);
        double carried = i ? 3 * r.err[2][i - 1] : 0;
        assert_true(r.err[2][i] >= carried + r.err[1][i]);
        assert_true(r.err[2][i] < 1e-11);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_text_mistakes),
        cmocka_unit_test(test_text_damaged),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_rules_of_data),
        cmocka_unit_test(test_build),
        cmocka_unit_test(test_pad_recurrence),
        cmocka_unit_test(test_inline_irregular),
        cmocka_unit_test(test_contract_recurrence),
        cmocka_unit_test(test_gather),
        cmocka_unit_test(test_gather_is_exact),
        cmocka_unit_test(test_scatter),
        cmocka_unit_test(test_scatter_order),
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_recurrence),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_reference_gather),
        cmocka_unit_test(test_reference_sort),
        cmocka_unit_test(test_reference_scatter),
        cmocka_unit_test(test_reference_recurrence),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
