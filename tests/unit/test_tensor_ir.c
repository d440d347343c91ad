// SPDX-License-Identifier: Apache-2.0
// Tensor IR: its text, its rules, building it, and what the target-free passes
// make of functions written by hand.
#include "tests/unit/tensor_text.h"

// ---- text

static const char everything[] =
    "tensor_ir @everything {\n"
    "  input x: bf16[8, 4]\n"
    "  input n: u32[]\n"
    "  input input: i8[3]\n"
    "  output y: f32[8, 4]\n"
    "  output z: bool[]\n"
    "  output w: u32[2]\n"
    "  output e: f32[0, 4]\n"
    "  const c: f16[2] =\n"
    "    \"003c00c0\"\n"
    "  const none: f32[0] = \"\"\n"
    "  temp t: f32[8, 4]\n"
    "  t[i0:8, i1:4] = map x[i0 - 1, -2*i1 + 3] else -0.0\n"
    "  y[i0:8, i1:4] = sum[r0:3] {\n"
    "    %1 = mul(t[i0, i1], cast(index(2*i0 - r0 + 5), f32))\n"
    "    %2 = exp(add(exp(add(%1, select(lt(%1, 1e-45), "
    "f32(0x7fc00001), nan))), 0.1))\n"
    "    %3 = add(exp(add(%2, -inf)), 3.0)\n"
    "    sub(%3, gelu(cast(neg(%3), f8e4m3)))\n"
    "  }\n"
    "  z[] = any[r0:3, r1:8] and(ge(input[r0], -2147483648), false)\n"
    "  w[i0:2] = max[r0:1] shr(n[], 4294967295u)\n"
    "  e[i0:0, i1:4] = map x[i0 + 100, i1]\n"
    "}\n";

static void
test_text_round_trip(void **state)
{
    (void)state;
    const tir_fn *fn = parse_ok(everything);
    assert_string_equal(text_of(fn), everything);
    const tir_op *y = &fn->ops.at[1];
    assert_int_equal(y->at.begin, strstr(everything, "y[i0:8") - everything);
    assert_int_equal(y->at.end, strstr(everything, "\n  z[") - everything);
    // %1 is one node with two users; 1e-45 is the least subnormal.
    uint32_t reads_of_t = 0;
    for (uint32_t i = 1; i < y->nodes.n; i++)
        reads_of_t += y->nodes.at[i].kind == TIR_N_READ;
    assert_int_equal(reads_of_t, 1);
    const tir_node *least = &y->nodes.at[5];
    assert_int_equal(least->kind, TIR_N_CONST);
    assert_int_equal(least->imm, 1);
}

static void
test_text_is_free_form(void **state)
{
    (void)state;
    const tir_fn *fn =
        parse_ok("# a comment\ntensor_ir@f{input x:f32[2]output y:f32[2]\n"
                 "y[i0:2]=map{%7=x[1 - i0 + 0]%9=add(%7,%7)%9}}");
    assert_string_equal(text_of(fn), "tensor_ir @f {\n"
                                     "  input x: f32[2]\n"
                                     "  output y: f32[2]\n"
                                     "  y[i0:2] = map {\n"
                                     "    %1 = x[-i0 + 1]\n"
                                     "    add(%1, %1)\n"
                                     "  }\n"
                                     "}\n");
}

// Every binary32 constant survives the text.
static void
test_text_constants_exact(void **state)
{
    (void)state;
    uint64_t seed = 7;
    int64_t shape[1] = {1};
    for (int round = 0; round < 2000; round++) {
        tir_fn *fn = tir_fn_new(mem, "c");
        uint32_t y = tir_add_tensor(fn, "y", TIR_OUTPUT, DT_F32, 1, shape);
        tir_op *op = tir_add_op(fn, y, NUM_R_NONE, 0, NULL);
        num_word w = (num_word)rng_next(&seed);
        op->root = tir_const(fn, op, NUM_AS_F32, w);
        const tir_fn *back = parse_ok(text_of(fn));
        assert_int_equal(back->ops.at[0].nodes.at[1].imm, w);
    }
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
    "output y: f32[4] "
#define MAP(expr) HEAD "y[i0:4] = map " expr " }"

static void
test_text_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        diag_id id;
    } bad[] = {
        {"", D_TIR_SYNTAX},
        {"tensor_ir f {}", D_TIR_SYNTAX},
        {"tensor_ir @f {", D_TIR_SYNTAX},
        {"tensor_ir @f {} x", D_TIR_SYNTAX},
        {MAP("x[i0"), D_TIR_SYNTAX},
        {MAP("x[i0] \x01"), D_TIR_SYNTAX},
        {MAP("add(x[i0])"), D_TIR_SYNTAX},
        {MAP("neg(x[i0], x[i0])"), D_TIR_SYNTAX},
        {MAP("x"), D_TIR_SYNTAX},
        {MAP("%"), D_TIR_VALUE},
        {MAP("{%1 = x[i0]}"), D_TIR_SYNTAX},
        {MAP("{%1 = x[i0] %1 = x[i0] %1}"), D_TIR_VALUE},
        {MAP("%1"), D_TIR_VALUE},
        {MAP("99999999999"), D_TIR_NUMBER},
        {MAP("x[99999999999999999999]"), D_TIR_NUMBER},
        {MAP("x[9223372036854775807 + 1]"), D_TIR_NUMBER},
        {MAP("1.2.3"), D_TIR_NUMBER},
        {MAP("cast(-1u, f32)"), D_TIR_NUMBER},
        {MAP("f32(0x100000000)"), D_TIR_NUMBER},
        {MAP("q[i0]"), D_TIR_UNKNOWN},
        {HEAD "q[i0:4] = map x[i0] }", D_TIR_UNKNOWN},
        {MAP("frob(x[i0])"), D_TIR_FUNC},
        {MAP("cast(x[i0], f99)"), D_TIR_DTYPE},
        {"tensor_ir @f { input x: f99[] }", D_TIR_DTYPE},
        {"tensor_ir @f { input x: f32[1,1,1,1,1,1,1,1,1] }", D_TIR_RANK},
        {HEAD "y[i0:4] = sum[r0:1, r1:1, r2:1, r3:1, r4:1, r5:1, r6:1, r7:1, "
              "r8:1, r9:1, r10:1, r11:1, r12:1, r13:1, r14:1, r15:1] x[i0] }",
         D_TIR_RANK},
        {HEAD "y[i1:4] = map x[i0] }", D_TIR_INDEX},
        {MAP("x[i1]"), D_TIR_INDEX},
        {MAP("x[r0]"), D_TIR_INDEX},
        {MAP("x[k]"), D_TIR_INDEX},
        {"tensor_ir @f { const c: f32[1] = \"00\" }", D_TIR_DATA},
        {"tensor_ir @f { const c: f32[99999999999, 99999999999] = \"\" }",
         D_TIR_DATA},
        {"tensor_ir @f { const c: f32[1] = \"0000000\" }", D_TIR_SYNTAX},
        {"tensor_ir @f { const c: f32[1] = \"0000000g\" }", D_TIR_SYNTAX},
        {MAP("x[i0, i0]"), D_TIR_SUBS},
        {MAP("x[i0] else 0"), D_TIR_FILL},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_rejected(bad[i].text, bad[i].id);
}

static void
test_text_depth(void **state)
{
    (void)state;
    strbuf b = strbuf_new(mem);
    strbuf_put(&b, STR(HEAD "y[i0:4] = map "));
    for (int i = 0; i < 100000; i++)
        strbuf_put(&b, STR("neg("));
    assert_rejected(b.p, D_TIR_NEST);
}

// Damaged text is rejected or means something; it never does harm.
static void
test_text_damaged(void **state)
{
    (void)state;
    uint64_t seed = 11;
    uint32_t accepted = 0;
    for (int round = 0; round < 3000; round++) {
        arena_mark mark = arena_save(mem);
        char *text = str_z(mem, STR(everything));
        for (uint64_t n = 1 + rng_next(&seed) % 3; n > 0; n--) {
            uint64_t at = rng_next(&seed) % (sizeof everything - 1);
            uint64_t from = rng_next(&seed) % (sizeof everything - 1);
            text[at] = everything[from];
        }
        if (round % 5 == 0)
            text[rng_next(&seed) % (sizeof everything - 1)] = '\0';
        diags d;
        tir_fn *fn = parse(text, &d);
        assert_true(fn ? d.errors == 0 : d.errors > 0);
        accepted += fn != NULL;
        if (fn)
            assert_round_trip(fn);
        arena_restore(mem, mark);
    }
    assert_in_range(accepted, 1, 2000);
}

// A long chain of shared and unshared nodes still round-trips.
static void
test_text_long_chain(void **state)
{
    (void)state;
    int64_t shape[1] = {4};
    tir_fn *fn = tir_fn_new(mem, "chain");
    uint32_t x = tir_add_tensor(fn, "x", TIR_INPUT, DT_F32, 1, shape);
    uint32_t y = tir_add_tensor(fn, "y", TIR_OUTPUT, DT_F32, 1, shape);
    tir_op *op = tir_add_op(fn, y, NUM_R_NONE, 0, NULL);
    tir_read r = {.tensor = x};
    r.sub[0].k[0] = 1;
    uint32_t node = tir_read_node(fn, op, &r);
    for (int i = 0; i < 3000; i++)
        node = i % 7 ? tir_unary(fn, op, NUM_EXP, node)
                     : tir_binary(fn, op, NUM_ADD, node, node);
    op->root = node;
    assert_verifies(fn);
    assert_round_trip(fn);
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
        {"tensor_ir @f { input x: f32[] input x: f32[] }", D_TIR_NAME},
        {"tensor_ir @f { input else: f32[] }", D_TIR_NAME},
        {"tensor_ir @f { input x: f32[1099511627776] }", D_TIR_SIZE},
        {"tensor_ir @f { input x: f32[1099511627776, 1099511627776] }",
         D_TIR_SIZE},
        {HEAD "x[i0:4] = map x[i0] }", D_TIR_DEFINE},
        {"tensor_ir @f { const c: i8[1] = \"00\" c[i0:1] = map 0 }",
         D_TIR_DEFINE},
        {HEAD "y[i0:4] = map x[i0] y[i0:4] = map x[i0] }", D_TIR_TWICE},
        {HEAD "temp t: f32[4] y[i0:4] = map t[i0] t[i0:4] = map 0.0 }",
         D_TIR_ORDER},
        {MAP("y[i0]"), D_TIR_ORDER},
        {HEAD "}", D_TIR_NO_OUTPUT},
        {HEAD "y[i0:5] = map 0.0 }", D_TIR_EXTENT},
        {HEAD "y[i0:4, i1:1] = map 0.0 }", D_TIR_INDICES},
        {HEAD "y[] = map 0.0 }", D_TIR_INDICES},
        {HEAD "y[i0:4] = sum[r0:4000000000, r1:4000000000] 0.0 }", D_TIR_SPACE},
        {HEAD "y[i0:4] = any[r0:4] x[i0] }", D_TIR_REDUCE},
        {HEAD "temp t: bool[] t[] = sum[r0:4] b[r0] }", D_TIR_REDUCE},
        {MAP("n[i0]"), D_TIR_STORE},
        {MAP("b[i0]"), D_TIR_STORE},
        {MAP("add(x[i0], n[i0])"), D_TIR_TYPES},
        {MAP("exp(cast(n[i0], u32))"), D_TIR_TYPES},
        {MAP("select(x[i0], 0.0, 1.0)"), D_TIR_TYPES},
        {MAP("select(b[i0], 0.0, 1)"), D_TIR_TYPES},
        {MAP("and(x[i0], x[i0])"), D_TIR_TYPES},
        {MAP("x[i0 + 1]"), D_TIR_RANGE},
        {MAP("x[-i0]"), D_TIR_RANGE},
        {MAP("x[4]"), D_TIR_RANGE},
        {MAP("select(b[i0], x[2*i0], 0.0)"), D_TIR_RANGE},
        {MAP("x[4611686018427387904*i0] else 0.0"), D_TIR_OVERFLOW},
        {MAP("cast(index(9223372036854775807*i0), f32)"), D_TIR_OVERFLOW},
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
    tir_fn *fn = parse_ok(MAP("add(x[i0], 1.0)"));
    tir_op *op = &fn->ops.at[0];
    op->nodes.at[op->root].arg[1] = op->root;
    assert_breaks(fn, D_TIR_NODE);
    fn = parse_ok(MAP("add(x[i0], 1.0)"));
    fn->ops.at[0].nodes.at[1].as = NUM_AS_I32;
    assert_breaks(fn, D_TIR_NODE);
    fn = parse_ok(MAP("add(x[i0], 1.0)"));
    fn->ops.at[0].root = 0;
    assert_breaks(fn, D_TIR_NODE);
    fn = parse_ok(MAP("x[i0]"));
    fn->ops.at[0].reads.at[0].sub[0].k[9] = 1;
    assert_breaks(fn, D_TIR_NODE);
    fn = parse_ok(MAP("x[i0]"));
    fn->tensors.at[0].dtype = DT_NONE;
    assert_breaks(fn, D_TIR_TENSOR);
    fn = parse_ok(MAP("x[i0]"));
    fn->tensors.at[0].shape[0] = -1;
    assert_breaks(fn, D_TIR_TENSOR);
    fn = parse_ok(MAP("x[i0]"));
    fn->tensors.at[0].kind = TIR_CONST;
    assert_breaks(fn, D_TIR_NO_DATA);
}

// ---- building

static void
test_build_folds_and_shares(void **state)
{
    (void)state;
    int64_t shape[1] = {4};
    tir_fn *fn = tir_fn_new(mem, "b");
    uint32_t x = tir_add_tensor(fn, "x", TIR_INPUT, DT_BF16, 1, shape);
    uint32_t y = tir_add_temp(fn, "x", DT_F32, 1, shape);
    assert_string_not_equal(fn->tensors.at[y].name, "x");
    tir_op *op = tir_add_op(fn, y, NUM_R_NONE, 0, NULL);
    uint32_t one = tir_const(fn, op, NUM_AS_F32, num_word_f32(1));
    uint32_t two = tir_binary(fn, op, NUM_ADD, one, one);
    assert_int_equal(op->nodes.at[two].kind, TIR_N_CONST);
    assert_int_equal(op->nodes.at[two].imm, num_word_f32(2));
    uint32_t third = tir_binary(fn, op, NUM_DIV, one,
                                tir_const(fn, op, NUM_AS_F32, num_word_f32(3)));
    uint32_t cut = tir_cast(fn, op, DT_BF16, third);
    assert_int_equal(op->nodes.at[cut].imm, 0x3eab0000);
    tir_read r = {.tensor = x};
    r.sub[0].k[0] = 1;
    uint32_t a = tir_read_node(fn, op, &r), b = tir_read_node(fn, op, &r);
    assert_int_equal(a, b);
    assert_int_equal(tir_cast(fn, op, DT_F32, a), a);
    assert_int_equal(tir_unary(fn, op, NUM_EXP, a),
                     tir_unary(fn, op, NUM_EXP, b));
    uint32_t yes = tir_binary(fn, op, NUM_LT, one, two);
    assert_int_equal(tir_select(fn, op, yes, a, one), a);
    tir_aff aff = {.c = -1};
    uint32_t minus = tir_affine(fn, op, &aff);
    assert_int_equal(op->nodes.at[minus].kind, TIR_N_CONST);
    assert_int_equal(op->nodes.at[minus].imm, 0xffffffffu);
}

// ---- passes

static void
assert_pass(void (*pass)(tir_fn *), const char *before, const char *after)
{
    tir_fn *fn = parse_ok(before);
    pass(fn);
    assert_verifies(fn);
    assert_string_equal(text_of(fn), text_of(parse_ok(after)));
}

#define CONV_HEAD                                                              \
    "tensor_ir @f { input x: f32[8] input w: f32[3] "                          \
    "output y: f32[8] "

static void
test_pad(void **state)
{
    (void)state;
    assert_pass(tir_pad,
                CONV_HEAD "y[i0:8] = sum[r0:3] "
                          "mul(x[i0 + r0 - 1] else 0.0, w[r0] else 7.0) }",
                CONV_HEAD "temp x_pad: f32[10] "
                          "x_pad[i0:10] = map x[i0 - 1] else 0.0 "
                          "y[i0:8] = sum[r0:3] mul(x_pad[i0 + r0], w[r0]) }");
    // Two reads, one copy; another fill, another copy; never inside: constant.
    assert_pass(tir_pad,
                CONV_HEAD "y[i0:8] = map add(add(x[i0 - 3] else 0.0, "
                          "x[2*i0] else 0.0), add(x[i0 + 1] else 1.0, "
                          "x[i0 + 8] else 2.0)) }",
                CONV_HEAD "temp x_pad: f32[18] temp x_pad_4: f32[8] "
                          "x_pad[i0:18] = map x[i0 - 3] else 0.0 "
                          "x_pad_4[i0:8] = map x[i0 + 1] else 1.0 "
                          "y[i0:8] = map add(add(x_pad[i0], x_pad[2*i0 + 3]), "
                          "add(x_pad_4[i0], 2.0)) }");
    // A pad op is one already, and stays.
    const char *done = CONV_HEAD "y[i0:8] = map x[i0 - 1] else 0.0 }";
    assert_pass(tir_pad, done, done);
    const tir_fn *fn = parse_ok(done);
    assert_true(tir_is_pad(fn, &fn->ops.at[0]));
    // A fill that the type cannot hold widens the copy.
    assert_pass(tir_pad,
                "tensor_ir @f { input x: bf16[4] output y: f32[4] "
                "y[i0:4] = map exp(x[i0 - 1] else 0.1) }",
                "tensor_ir @f { input x: bf16[4] output y: f32[4] "
                "temp x_pad: f32[4] x_pad[i0:4] = map x[i0 - 1] else 0.1 "
                "y[i0:4] = map exp(x_pad[i0]) }");
}

static void
test_inline(void **state)
{
    (void)state;
    // A chain of maps, each read once, into a reduction; roundings stay.
    assert_pass(tir_inline,
                "tensor_ir @f { input x: f32[8, 4] output y: f32[8] "
                "temp t: bf16[4, 8] temp u: f32[8, 4] temp dead: f32[] "
                "t[i0:4, i1:8] = map exp(x[i1, i0]) "
                "dead[] = map x[0, 0] "
                "u[i0:8, i1:4] = map add(t[i1, i0], 1.0) "
                "y[i0:8] = sum[r0:4] u[i0, r0] }",
                "tensor_ir @f { input x: f32[8, 4] output y: f32[8] "
                "y[i0:8] = sum[r0:4] add(cast(exp(x[i0, r0]), bf16), 1.0) }");
    // Read twice, or more often than it has elements: stays.
    const char *twice = "tensor_ir @f { input x: f32[4] output y: f32[4] "
                        "temp t: f32[4] t[i0:4] = map exp(x[i0]) "
                        "y[i0:4] = map add(t[i0], t[-i0 + 3]) }";
    assert_pass(tir_inline, twice, twice);
    const char *wide = "tensor_ir @f { input x: f32[4] output y: f32[4, 2] "
                       "temp t: f32[4] t[i0:4] = map exp(x[i0]) "
                       "y[i0:4, i1:2] = map neg(t[i0]) }";
    assert_pass(tir_inline, wide, wide);
    const char *part = "tensor_ir @f { input x: f32[4] output y: f32[2] "
                       "temp t: f32[4] t[i0:4] = map exp(x[i0]) "
                       "y[i0:2] = map neg(t[2*i0]) }";
    assert_pass(tir_inline, part, part);
    // A transposition disappears, however often it is read.
    assert_pass(tir_inline,
                "tensor_ir @f { input x: f32[4, 2] output y: f32[2, 4] "
                "temp t: f32[2, 4] t[i0:2, i1:4] = map x[i1, i0] "
                "y[i0:2, i1:4] = map add(t[i0, i1], t[0, -i1 + 3]) }",
                "tensor_ir @f { input x: f32[4, 2] output y: f32[2, 4] "
                "y[i0:2, i1:4] = map add(x[i1, i0], x[-i1 + 3, 0]) }");
    // Outputs stay, and so do pad ops.
    const char *outs = "tensor_ir @f { input x: f32[4] output y: f32[4] "
                       "output z: f32[4] y[i0:4] = map exp(x[i0]) "
                       "z[i0:4] = map exp(y[i0]) }";
    assert_pass(tir_inline, outs, outs);
    const char *pad = "tensor_ir @f { input x: f32[4] output y: f32[4] "
                      "temp t: f32[4] t[i0:4] = map x[i0 - 1] else 0.0 "
                      "y[i0:4] = map exp(t[i0]) }";
    assert_pass(tir_inline, pad, pad);
}

static void
test_inline_copies(void **state)
{
    (void)state;
    assert_pass(tir_inline,
                "tensor_ir @f { input x: f32[4, 3] output y: bf16[4] "
                "temp t: f32[4] t[i0:4] = sum[r0:3] x[i0, r0] "
                "y[i0:4] = map t[i0] }",
                "tensor_ir @f { input x: f32[4, 3] output y: bf16[4] "
                "y[i0:4] = sum[r0:3] x[i0, r0] }");
    assert_pass(tir_inline,
                "tensor_ir @f { input x: f32[4, 3] output y: f32[4] "
                "output z: f32[4] temp t: f32[4] "
                "t[i0:4] = sum[r0:3] x[i0, r0] z[i0:4] = map exp(t[i0]) "
                "y[i0:4] = map t[i0] }",
                "tensor_ir @f { input x: f32[4, 3] output y: f32[4] "
                "output z: f32[4] y[i0:4] = sum[r0:3] x[i0, r0] "
                "z[i0:4] = map exp(y[i0]) }");
}

#define MM_HEAD                                                                \
    "tensor_ir @f { input x: f32[8, 16] input w: f32[16, 4] "                  \
    "output y: f32[8, 4] "

static void
test_inline_keeps_factors(void **state)
{
    (void)state;
    const char *mm = MM_HEAD "temp t: bf16[8, 16] "
                             "t[i0:8, i1:16] = map exp(x[i0, i1]) "
                             "y[i0:8, i1:4] = sum[r0:16] "
                             "mul(t[i0, r0], w[r0, i1]) }";
    assert_pass(tir_inline, mm, mm);
    const char *cut = MM_HEAD "temp t: bf16[8, 16] "
                              "t[i0:8, i1:16] = map x[i0, i1] "
                              "y[i0:8, i1:4] = sum[r0:16] "
                              "mul(t[i0, r0], exp(w[r0, i1])) }";
    assert_pass(tir_inline, cut, cut);
}

static void
test_contract(void **state)
{
    (void)state;
    assert_pass(tir_contract,
                MM_HEAD "y[i0:8, i1:4] = sum[r0:16] "
                        "mul(exp(x[i0, r0]), cast(neg(w[r0, i1]), bf16)) }",
                MM_HEAD "temp y_lhs: f32[8, 16] temp y_rhs: bf16[16, 4] "
                        "y_lhs[i0:8, i1:16] = map exp(x[i0, i1]) "
                        "y_rhs[i0:16, i1:4] = map neg(w[i0, i1]) "
                        "y[i0:8, i1:4] = sum[r0:16] "
                        "mul(y_lhs[i0, r0], y_rhs[r0, i1]) }");
    const char *plain =
        MM_HEAD "y[i0:8, i1:4] = sum[r0:16] mul(x[i0, r0], w[r0, i1]) }";
    assert_pass(tir_contract, plain, plain);
    const char *other = "tensor_ir @f { input x: f32[8, 16] output y: f32[8] "
                        "y[i0:8] = sum[r0:16] mul(exp(x[i0, r0]), x[0, r0]) }";
    assert_pass(tir_contract, other, other);
}

static void
test_classify(void **state)
{
    (void)state;
    tir_contraction c;
    const tir_fn *fn = parse_ok(
        "tensor_ir @f { input x: bf16[2, 3, 10, 11] input w: bf16[5, 3, 3, 3] "
        "input v: f32[2, 5] output y: f32[2, 5, 8, 9] output z: f32[2] "
        "output s: f32[2] output q: f32[2, 2] output u: f32[2] "
        "y[i0:2, i1:5, i2:8, i3:9] = sum[r0:3, r1:3, r2:3] "
        "mul(w[i1, r0, r1, r2], x[i0, r0, i2 + r1, i3 + r2]) "
        "z[i0:2] = sum[r0:5] mul(v[i0, r0], v[i0, r0]) "
        "s[i0:2] = sum[r0:5, r1:2] mul(v[i0, r0], v[r1, r0]) "
        "q[i0:2, i1:2] = sum[r0:5] mul(v[i0, r0], v[0, r0]) "
        "u[i0:2] = max[r0:5] mul(v[i0, r0], v[0, r0]) }");
    assert_true(tir_as_contraction(fn, &fn->ops.at[0], &c));
    assert_int_equal(c.nbatch, 0);
    assert_int_equal(c.nm, 1);
    assert_int_equal(c.m[0], 1);
    assert_int_equal(c.nn, 3);
    assert_int_equal(c.n[0], 0);
    assert_int_equal(c.n[2], 3);
    assert_int_equal(c.nk, 3);
    assert_int_equal(c.k[0], 4);
    assert_string_equal(fn->tensors.at[fn->ops.at[0].reads.at[c.a].tensor].name,
                        "w");
    assert_true(tir_as_contraction(fn, &fn->ops.at[1], &c));
    assert_int_equal(c.nbatch, 1);
    for (uint32_t o = 2; o < 5; o++)
        assert_false(tir_as_contraction(fn, &fn->ops.at[o], &c));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_text_is_free_form),
        cmocka_unit_test(test_text_constants_exact),
        cmocka_unit_test(test_text_mistakes),
        cmocka_unit_test(test_text_depth),
        cmocka_unit_test(test_text_damaged),
        cmocka_unit_test(test_text_long_chain),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_rules_of_data),
        cmocka_unit_test(test_build_folds_and_shares),
        cmocka_unit_test(test_pad),
        cmocka_unit_test(test_inline),
        cmocka_unit_test(test_inline_copies),
        cmocka_unit_test(test_inline_keeps_factors),
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_classify),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
