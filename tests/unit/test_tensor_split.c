// SPDX-License-Identifier: Apache-2.0
// Pass 'split': what becomes of subscripts made of index arithmetic. Every
// expectation was written by hand, and has to compute what the text before it
// computes.
#include "tests/unit/tensor_text.h"

// The bytes of output y, all inputs being 1, 2, 3, ..
static char *
output_of(const tir_fn *fn, size_t *n)
{
    void **buf = ARENA_ARRAY(mem, fn->tensors.n, void *);
    char *y = NULL;
    diags d;
    diags_init(&d, mem);
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        const tir_tensor *x = &fn->tensors.at[t];
        size_t size = num_dtype_bytes(x->dtype);
        buf[t] = arena_alloc(mem, (size_t)tir_elems(x) * size + 1);
        for (int64_t e = 0; x->kind == TIR_INPUT && e < tir_elems(x); e++)
            num_store(x->dtype, (char *)buf[t] + e * (int64_t)size, NUM_AS_I32,
                      (num_word)e + 1);
        if (strcmp(x->name, "y"))
            continue;
        y = buf[t];
        *n = (size_t)tir_elems(x) * size;
    }
    assert_true(tir_eval(fn, buf, &d));
    return y;
}

static void
assert_split(const char *before, const char *after)
{
    tir_fn *fn = parse_ok(before);
    size_t n = 0, m = 0;
    const char *want = output_of(fn, &n);
    tir_split(fn);
    diags d;
    diags_init(&d, mem);
    assert_true(tir_verify(fn, &d));
    assert_string_equal(text_of(fn), text_of(parse_ok(after)));
    const char *got = output_of(fn, &m);
    assert_int_equal(n, m);
    assert_memory_equal(got, want, n);
}

static void
assert_stays(const char *text)
{
    assert_split(text, text);
}

#define F(tensors, ops) "tensor_ir @f { " tensors " " ops " }"
#define VECTOR          "input x: f32[4] input n: i32[2] output y: f32[12]"

// Where divisions come out, they are affine at once.
static void
test_folds(void **state)
{
    (void)state;
    assert_split(F(VECTOR, "y[i0:12] = map x[(2)]"),
                 F(VECTOR, "y[i0:12] = map x[2]"));
    assert_split(
        F(VECTOR, "y[i0:12] = map x[(add(index(i0), 1)) - 7] else 5.0"),
        F(VECTOR, "y[i0:12] = map x[i0 - 6] else 5.0"));
    assert_split(
        F("input x: f32[4] output y: f32[3, 4]",
          "y[i0:3, i1:4] = map "
          "x[(sub(min(div(index(8*i0 + 2*i1 + 1), 2), 100), "
          "mul(index(i0), 4)))]"),
        F("input x: f32[4] output y: f32[3, 4]", "y[i0:3, i1:4] = map x[i1]"));
    assert_split(
        F("input x: f32[4] output y: f32[3, 4]",
          "y[i0:3, i1:4] = map x[(and(neg(index(-4*i0 - i1)), 3))]"),
        F("input x: f32[4] output y: f32[3, 4]", "y[i0:3, i1:4] = map x[i1]"));
    // By the bounds of the index alone.
    assert_split(F("input x: f32[4] output y: f32[3]",
                   "y[i0:3] = map x[(add(mod(index(i0), 3), "
                   "div(index(i0), 3)))]"),
                 F("input x: f32[4] output y: f32[3]", "y[i0:3] = map x[i0]"));
}

static void
test_splits(void **state)
{
    (void)state;
    assert_split(F(VECTOR, "y[i0:12] = map x[(div(index(i0), 3))]"),
                 F(VECTOR " temp y_split: f32[4, 3]",
                   "y_split[i0:4, i1:3] = map x[i0] y = reshape y_split"));
    // Both parts, an affine read of the same index, and its value.
    assert_split(
        F("input x: f32[3, 4] input w: f32[14] output y: f32[12]",
          "y[i0:12] = map add(x[(div(index(i0), 4)), (mod(index(i0), 4))], "
          "mul(w[i0 + 2], cast(index(i0), f32)))"),
        F("input x: f32[3, 4] input w: f32[14] output y: f32[12] "
          "temp y_split: f32[3, 4]",
          "y_split[i0:3, i1:4] = map add(x[i0, i1], "
          "mul(w[4*i0 + i1 + 2], cast(index(4*i0 + i1), f32))) "
          "y = reshape y_split"));
    // A shift floors, and may be negative.
    assert_split(
        F(VECTOR, "y[i0:12] = map x[(shr(index(i0 - 2), 1))] else 9.0"),
        F(VECTOR " temp y_split: f32[6, 2]",
          "y_split[i0:6, i1:2] = map x[i0 - 1] else 9.0 y = reshape y_split"));
    // Nested divisors: 12 = 3 * 2 * 2.
    assert_split(
        F("input x: f32[3, 2, 2] output y: f32[12]",
          "y[i0:12] = map x[(div(index(i0), 4)), (mod(div(index(i0), 2), 2)), "
          "(mod(index(i0), 2))]"),
        F("input x: f32[3, 2, 2] output y: f32[12] "
          "temp y_split: f32[3, 2, 2]",
          "y_split[i0:3, i1:2, i2:2] = map x[i0, i1, i2] "
          "y = reshape y_split"));
    // Two splits before the first pays.
    assert_split(F("input x: f32[4, 4] output y: f32[4, 4]",
                   "y[i0:4, i1:4] = map x[(add(mul(mod(index(i0), 2), 2), "
                   "mod(index(i1), 2))), 0]"),
                 F("input x: f32[4, 4] output y: f32[4, 4] "
                   "temp y_split: f32[2, 2, 2, 2]",
                   "y_split[i0:2, i1:2, i2:2, i3:2] = map x[2*i1 + i3, 0] "
                   "y = reshape y_split"));
}

// A pixel shuffle: depth to space, by 2.
static void
test_splits_shuffle(void **state)
{
    (void)state;
    assert_split(
        F("input x: f32[8, 3, 5] output y: f32[2, 6, 10]",
          "y[i0:2, i1:6, i2:10] = map x[(add(mul(mod(index(i1), 2), 2), "
          "mod(index(i2), 2))) + 4*i0, (div(index(i1), 2)), "
          "(div(index(i2), 2))]"),
        F("input x: f32[8, 3, 5] output y: f32[2, 6, 10] "
          "temp y_split: f32[2, 3, 2, 5, 2]",
          "y_split[i0:2, i1:3, i2:2, i3:5, i4:2] = map "
          "x[4*i0 + 2*i2 + i4, i1, i3] y = reshape y_split"));
}

// No reshape: reductions, scatters, and reductions in a recurrence.
static void
test_splits_without_reshape(void **state)
{
    (void)state;
    assert_split(F("input x: f32[4] input w: f32[12] output y: f32[]",
                   "y[] = sum[r0:12] mul(x[(div(index(r0), 3))], w[r0])"),
                 F("input x: f32[4] input w: f32[12] output y: f32[]",
                   "y[] = sum[r0:4, r1:3] mul(x[r0], w[3*r0 + r1])"));
    assert_split(F("input x: f32[12] output y: f32[4]",
                   "y = scatter sum[i0:12] at [(div(index(i0), 3))] put x[i0]"),
                 F("input x: f32[12] output y: f32[4]",
                   "y = scatter sum[i0:4, i1:3] at [i0] put x[3*i0 + i1]"));
    assert_split(F("input x: f32[3] output y: f32[6]",
                   "for t { y[t=i0:6] = sum[r0:6] mul(x[(div(index(r0), 2))], "
                   "y[i0 - 1] else 1.0) }"),
                 F("input x: f32[3] output y: f32[6]",
                   "for t { y[t=i0:6] = sum[r0:3, r1:2] mul(x[r0], "
                   "y[i0 - 1] else 1.0) }"));
}

static void
test_stays(void **state)
{
    (void)state;
    // Not divisible, a divisor that is not positive, an index of data.
    assert_stays(F("input x: f32[4] output y: f32[10]",
                   "y[i0:10] = map x[(div(index(i0), 3))]"));
    assert_stays(F(VECTOR, "y[i0:12] = map x[(div(index(i0), -3))] else 0.0"));
    assert_stays(F(VECTOR, "y[i0:12] = map x[(div(index(i0), 0))]"));
    assert_stays(F(VECTOR, "y[i0:12] = map x[(n[0])]"));
    // Truncation toward zero is no flooring.
    assert_stays(
        F(VECTOR, "y[i0:12] = map x[(div(index(i0 - 3), 3))] else 0.0"));
    // A product that wraps.
    assert_stays(F(VECTOR, "y[i0:12] = map x[(mul(index(i0), 1073741824))] "
                           "else 0.0"));
    // Out indices of a recurrence.
    assert_stays(F(VECTOR, "for t { y[t=i0:12] = map add(y[i0 - 1] else 0.0, "
                           "x[(div(index(i0), 3))]) }"));
    // A rank of 8 has no room.
    assert_stays(F("input x: f32[2] output y: f32[1, 1, 1, 1, 1, 1, 1, 4]",
                   "y[i0:1, i1:1, i2:1, i3:1, i4:1, i5:1, i6:1, i7:4] = map "
                   "x[(div(index(i7), 2))]"));
    // Programs without such subscripts are not touched.
    assert_stays(F(VECTOR, "y[i0:12] = map cast(add(add(index(i0), 1), 2), "
                           "f32)"));
}

// A subscript that is known to be outside is left to fault.
static void
test_outside_stays(void **state)
{
    (void)state;
    const char *text = F(VECTOR, "y[i0:12] = map x[(add(index(i0), 1))]");
    tir_fn *fn = parse_ok(text);
    tir_split(fn);
    assert_string_equal(
        text_of(fn),
        text_of(parse_ok(F(VECTOR, "y[i0:12] = map x[(index(i0 + 1))]"))));
    // With no element at all nothing is read, and nothing is folded.
    const char *empty = F("input x: f32[4] output y: f32[0]",
                          "y[i0:0] = map x[(add(index(i0), 100))]");
    assert_stays(empty);
}

static void
test_reshapes(void **state)
{
    (void)state;
    assert_split(F("input x: f32[12] output y: f32[3, 4] temp t: f32[2, 6]",
                   "t = reshape x y = reshape t"),
                 F("input x: f32[12] output y: f32[3, 4] temp t: f32[2, 6]",
                   "y = reshape x"));
    // Dimensions are divided: the map itself can do that.
    assert_split(
        F("input x: f32[12, 5] output y: f32[3, 1, 4] temp t: f32[12, 1]",
          "t[i0:12, i1:1] = sum[r0:5] mul(x[i0, r0], "
          "cast(index(i0 + r0), f32)) y = reshape t"),
        F("input x: f32[12, 5] output y: f32[3, 1, 4] temp t: f32[12, 1]",
          "y[i0:3, i1:1, i2:4] = sum[r0:5] mul(x[4*i0 + i2, r0], "
          "cast(index(4*i0 + i2 + r0), f32))"));
    // They are merged, or what is reshaped is needed: the reshape stays.
    assert_stays(F("input x: f32[3, 4] output y: f32[12] temp t: f32[3, 4]",
                   "t[i0:3, i1:4] = map exp(x[i0, i1]) y = reshape t"));
    assert_stays(F("input x: f32[12] output y: f32[3, 4] output z: f32[12] "
                   "temp t: f32[12]",
                   "t[i0:12] = map exp(x[i0]) y = reshape t "
                   "z[i0:12] = map neg(t[i0])"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folds),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_splits_shuffle),
        cmocka_unit_test(test_splits_without_reshape),
        cmocka_unit_test(test_stays),
        cmocka_unit_test(test_outside_stays),
        cmocka_unit_test(test_reshapes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
