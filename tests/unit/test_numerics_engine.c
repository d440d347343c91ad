// SPDX-License-Identifier: Apache-2.0
// Engine operations on random strided views against an evaluation of one
// element at a time, comparing all of memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "numerics/numerics.h"

enum { REGION = 1 << 20, REGIONS = 6 };

static uint8_t mine[REGION * REGIONS], theirs[REGION * REGIONS];
static num_word scratch[NUM_SCRATCH_WORDS];
static float pe_w[NUM_PE_WEIGHTS], pe_x[NUM_PE_MOVING], pe_out[NUM_PE_MOVING];
static num_word pe_bits[NUM_PE_CELLS];

static uint64_t
next_random(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t
below(uint64_t *s, uint32_t n)
{
    return (uint32_t)(next_random(s) % n);
}

// ---- one element at a time

static uint8_t *
element(const num_view *v, uint32_t part, uint64_t i)
{
    uint8_t *p = v->base + (int64_t)part * v->part_step;
    for (uint32_t d = v->ndim; d-- > 0;) {
        p += (int64_t)(i % v->dim[d].count) * v->dim[d].step;
        i /= v->dim[d].count;
    }
    return p;
}

static num_word
get(const num_view *v, num_as as, uint32_t part, uint64_t i)
{
    num_word w = num_load(v->dtype, element(v, part, i));
    return num_cast(as, num_widened(v->dtype), w);
}

static num_word
scalar(const num_scalar *s, num_as as, uint32_t part)
{
    return s->is_vec ? get(&s->vec, as, part, 0) : s->imm;
}

static num_word
op2(num_binary f, bool rev, num_as as, num_word a, num_word b)
{
    return rev ? num_apply2(f, as, b, a) : num_apply2(f, as, a, b);
}

static num_word
naive_act(const num_insn *in, uint32_t p, num_word x)
{
    num_word s0 = scalar(&in->s0, in->as, p), s1 = scalar(&in->s1, in->as, p);
    if (in->as == NUM_AS_F32) {
        if (in->s0.is_vec || s0 != 0x3f800000u)
            x = num_apply2(NUM_MUL, NUM_AS_F32, x, s0);
        if (in->s1.is_vec || s1 != 0x80000000u)
            x = num_apply2(NUM_ADD, NUM_AS_F32, x, s1);
    }
    return num_apply1(in->func, in->as, x);
}

static num_word
naive_two(const num_insn *in, uint32_t p, uint64_t i, num_as *as)
{
    num_word x = get(&in->a, in->as, p, i);
    x = op2(in->op0, in->rev0, in->as, x, scalar(&in->s0, in->as, p));
    num_as given = num_binary_gives(in->op0, in->as);
    *as = given;
    if (in->op == NUM_OP_TS && in->op1 == NUM_B_NONE)
        return x;
    num_as next = num_binary_takes(in->op1, given) ? given : in->as;
    num_word y = in->op == NUM_OP_TS ? scalar(&in->s1, next, p)
                                     : get(&in->b, next, p, i);
    *as = num_binary_gives(in->op1, next);
    return op2(in->op1, in->rev1, next, num_cast(next, given, x), y);
}

static num_word
naive_value(const num_insn *in, uint32_t p, uint64_t i, num_as *as)
{
    *as = in->as;
    switch (in->op) {
    case NUM_OP_FILL: return scalar(&in->s0, in->as, p);
    case NUM_OP_ACT:
        *as = num_unary_gives(in->func, in->as);
        return naive_act(in, p, get(&in->a, in->as, p, i));
    case NUM_OP_TT:
        *as = num_binary_gives(in->op0, in->as);
        return op2(in->op0, in->rev0, in->as, get(&in->a, in->as, p, i),
                   get(&in->b, in->as, p, i));
    case NUM_OP_TS:
    case NUM_OP_STT: return naive_two(in, p, i, as);
    case NUM_OP_DMA:
        *as = num_widened(in->dst.dtype);
        if (*as == NUM_AS_BOOL)
            *as = NUM_AS_I32;
        return num_apply2(in->combine == NUM_C_ADD   ? NUM_ADD
                          : in->combine == NUM_C_MAX ? NUM_MAX
                                                     : NUM_MIN,
                          *as, get(&in->dst, *as, p, i),
                          get(&in->a, *as, p, i));
    default: // COPY and DMA that convert
        *as = num_widened(in->a.dtype);
        return get(&in->a, *as, p, i);
    }
}

static void
naive_element(const num_insn *in, uint32_t p, uint64_t i)
{
    uint32_t bytes = num_dtype_bytes(in->dst.dtype);
    bool moves = (in->op == NUM_OP_COPY || in->op == NUM_OP_DMA) &&
                 in->dst.dtype == in->a.dtype && !in->combine;
    if (in->op == NUM_OP_SELECT)
        moves = (get(&in->b, NUM_AS_BOOL, p, i) != 0) != in->rev0;
    if (moves) {
        memmove(element(&in->dst, p, i), element(&in->a, p, i), bytes);
        return;
    }
    if (in->op == NUM_OP_SELECT)
        return;
    num_insn plain = *in;
    if (in->op == NUM_OP_DMA && !in->combine)
        plain.op = NUM_OP_COPY;
    num_as as;
    num_word w = naive_value(&plain, p, i, &as);
    num_store(in->dst.dtype, element(&in->dst, p, i), as, w);
}

static void
naive(const num_insn *in)
{
    for (uint32_t p = 0; p < in->dst.parts; p++) {
        for (uint64_t i = 0; i < num_view_elems(&in->dst); i++)
            naive_element(in, p, i);
    }
}

// ---- random views

typedef struct {
    uint32_t parts, ndim, count[NUM_DIMS];
} shape;

// Dimensions in a random order of nesting, some gaps, some backward, some
// (sources only) repeated.
static num_view
random_view(uint64_t *s, int region, num_dtype t, shape sh, bool repeats)
{
    num_view v = {.parts = sh.parts, .dtype = t, .ndim = sh.ndim};
    int64_t at = num_dtype_bytes(t), start = 0;
    uint32_t order[NUM_DIMS + 1] = {0, 1, 2, 3, 4, 5};
    bool dense = below(s, 3) == 0;
    for (uint32_t i = 0; i <= sh.ndim && !dense; i++) {
        uint32_t j = below(s, sh.ndim + 1), o = order[i];
        order[i] = order[j];
        order[j] = o;
    }
    for (uint32_t i = sh.ndim + 1; i-- > 0;) {
        uint32_t d = order[i], n = d == 0 ? sh.parts : sh.count[d - 1];
        int64_t step = at;
        at *= n;
        if (!dense && below(s, 3) == 0)
            at += below(s, 5) + (n == 1);
        if (!dense && below(s, 5) == 0) {
            start += step * (int64_t)(n - 1);
            step = -step;
        }
        if (repeats && below(s, 5) == 0)
            step = 0;
        if (d == 0) {
            v.part_step = step;
        } else {
            v.dim[d - 1].step = step;
            v.dim[d - 1].count = n;
        }
    }
    assert_true(at < REGION - 8);
    v.base = mine + (size_t)region * REGION + start + below(s, 4);
    return v;
}

// Big enough that pieces end in the middle of things.
static shape
random_shape(uint64_t *s)
{
    shape sh = {.parts = below(s, 9) + 1, .ndim = below(s, NUM_DIMS + 1)};
    uint32_t room = 9000;
    for (uint32_t d = 0; d < sh.ndim; d++) {
        uint32_t most = room / sh.parts < 2 ? 1 : room / sh.parts;
        sh.count[d] = below(s, below(s, 4) == 0 ? most : 7) % most + 1;
        room /= sh.count[d];
    }
    return sh;
}

static num_dtype
random_dtype(uint64_t *s)
{
    return (num_dtype)(below(s, DT_COUNT - 1) + 1);
}

static num_binary
random_op2(uint64_t *s, num_as as)
{
    for (;;) {
        num_binary f = (num_binary)(below(s, NUM_B_COUNT - 1) + 1);
        if (num_binary_takes(f, as))
            return f;
    }
}

static num_unary
random_op1(uint64_t *s, num_as as)
{
    for (;;) {
        num_unary f = (num_unary)(below(s, NUM_U_COUNT - 1) + 1);
        if (num_unary_takes(f, as))
            return f;
    }
}

static num_scalar
random_scalar(uint64_t *s, int region, num_as as, uint32_t parts)
{
    num_scalar r = {.is_vec = below(s, 2) == 0};
    uint64_t v = next_random(s);
    r.imm = as == NUM_AS_BOOL ? v & 1
            : v % 3 == 0      ? 0x3f800000u
            : v % 3 == 1      ? 0x80000000u
                              : (num_word)(v >> 32);
    if (as == NUM_AS_BOOL)
        r.imm &= 1;
    shape one = {.parts = parts, .ndim = below(s, 2), .count = {1}};
    if (r.is_vec)
        r.vec = random_view(s, region, random_dtype(s), one, false);
    return r;
}

static num_insn
random_insn(uint64_t *s, num_op op)
{
    shape sh = random_shape(s);
    num_insn in = {.op = op, .as = (num_as)(below(s, 4) + 1)};
    in.func = random_op1(s, in.as);
    in.op0 = random_op2(s, in.as);
    num_as next = num_binary_gives(in.op0, in.as);
    in.op1 = random_op2(s, below(s, 2) ? next : in.as);
    if (!num_binary_takes(in.op1, next))
        next = in.as;
    if (op == NUM_OP_TS && below(s, 4) == 0)
        in.op1 = NUM_B_NONE;
    in.rev0 = below(s, 2);
    in.rev1 = below(s, 2);
    if (op == NUM_OP_DMA && below(s, 2))
        in.combine = (num_combine)below(s, NUM_C_COUNT);
    in.dst = random_view(s, 0, random_dtype(s), sh, false);
    in.a = random_view(s, 1, random_dtype(s), sh, true);
    in.b = random_view(s, 2, random_dtype(s), sh, true);
    if (op == NUM_OP_SELECT || below(s, 4) == 0)
        in.a.dtype = in.dst.dtype;
    if (in.a.dtype == in.dst.dtype && num_dtype_bytes(in.a.dtype) > 1)
        in.a = random_view(s, 1, in.dst.dtype, sh, true);
    if (below(s, 6) == 0)
        in.a = in.dst; // in place
    if (below(s, 6) == 0 && op != NUM_OP_SELECT)
        in.b = in.dst;
    in.s0 = random_scalar(s, 3, in.as, sh.parts);
    in.s1 = random_scalar(s, 4, next, sh.parts);
    return in;
}

static void
fill_memory(uint64_t *s)
{
    for (size_t i = 0; i < sizeof mine; i += 8) {
        uint64_t v = next_random(s);
        // many ordinary binary32 and bf16 values among the random bits
        if (v & 1)
            v = (v & 0x8fff8fff8fff8fffu) | 0x3000300030003000u;
        memcpy(mine + i, &v, 8);
    }
    memcpy(theirs, mine, sizeof mine);
}

static void
rebase(num_view *v)
{
    if (v->base != NULL)
        v->base = theirs + (v->base - mine);
}

// The same instruction on the other copy of memory.
static num_insn
on_theirs(num_insn in)
{
    rebase(&in.dst);
    rebase(&in.a);
    rebase(&in.b);
    rebase(&in.s0.vec);
    rebase(&in.s1.vec);
    return in;
}

static void
test_elementwise(void **state)
{
    (void)state;
    static const num_op ops[] = {NUM_OP_COPY,   NUM_OP_FILL, NUM_OP_ACT,
                                 NUM_OP_TT,     NUM_OP_TS,   NUM_OP_STT,
                                 NUM_OP_SELECT, NUM_OP_DMA};
    uint64_t seed = 1;
    fill_memory(&seed);
    for (int i = 0; i < 1600; i++) {
        num_insn in = random_insn(&seed, ops[i % 8]);
        num_insn other = on_theirs(in);
        num_exec(&in, NULL, scratch);
        naive(&other);
        if (memcmp(mine, theirs, 1 << 18) != 0)
            fail_msg("case %d: %s differs", i, num_op_name(in.op));
        if (i % 64 == 0) {
            assert_memory_equal(mine, theirs, sizeof mine);
            fill_memory(&seed);
        }
    }
    assert_memory_equal(mine, theirs, sizeof mine);
}

static void
test_iota(void **state)
{
    (void)state;
    uint64_t seed = 2;
    fill_memory(&seed);
    for (int i = 0; i < 200; i++) {
        shape sh = random_shape(&seed);
        num_insn in = {.op = NUM_OP_IOTA, .as = NUM_AS_I32};
        in.dst = random_view(&seed, 0, random_dtype(&seed), sh, false);
        in.iota_base = (int64_t)next_random(&seed);
        in.iota_part = (int64_t)next_random(&seed) >> below(&seed, 64);
        for (int d = 0; d < NUM_DIMS; d++)
            in.iota_step[d] = (int64_t)next_random(&seed) >> below(&seed, 64);
        num_exec(&in, NULL, scratch);
        num_view v = on_theirs(in).dst;
        for (uint64_t e = 0; e < num_view_elems(&v) * v.parts; e++) {
            uint32_t p = (uint32_t)(e / num_view_elems(&v));
            uint64_t at = e % num_view_elems(&v), rest = at;
            uint64_t w = (uint64_t)in.iota_base + (uint64_t)in.iota_part * p;
            for (uint32_t d = v.ndim; d-- > 0; rest /= v.dim[d].count)
                w += (uint64_t)in.iota_step[d] * (rest % v.dim[d].count);
            num_store(v.dtype, element(&v, p, at), NUM_AS_I32, (num_word)w);
        }
        assert_memory_equal(mine, theirs, REGION);
    }
}

// ---- reductions

static num_reduce
random_reduce(uint64_t *s, num_as as)
{
    if (as == NUM_AS_BOOL)
        return below(s, 2) ? NUM_R_ANY : NUM_R_ALL;
    return (num_reduce)(NUM_R_SUM + below(s, 4));
}

static void
check_reduce(uint64_t *s, shape sh)
{
    static num_word row[40000];
    num_insn in = {.op = NUM_OP_REDUCE, .as = (num_as)(below(s, 4) + 1)};
    in.reduce = random_reduce(s, in.as);
    in.reduce_dims = below(s, sh.ndim + 1);
    in.a = random_view(s, 1, random_dtype(s), sh, true);
    sh.ndim -= in.reduce_dims;
    in.dst = random_view(s, 0, random_dtype(s), sh, false);
    num_exec(&in, NULL, scratch);
    num_insn o = on_theirs(in);
    uint64_t outs = num_view_elems(&o.dst), n = num_view_elems(&o.a) / outs;
    for (uint64_t e = 0; e < outs * o.a.parts; e++) {
        uint32_t p = (uint32_t)(e / outs);
        for (uint64_t i = 0; i < n; i++)
            row[i] = get(&o.a, o.as, p, e % outs * n + i);
        num_store(o.dst.dtype, element(&o.dst, p, e % outs), o.as,
                  num_reduce_row(o.reduce, o.as, n, row));
    }
    assert_memory_equal(mine, theirs, REGION);
}

static void
test_reduce(void **state)
{
    (void)state;
    uint64_t seed = 3;
    fill_memory(&seed);
    for (int i = 0; i < 200; i++)
        check_reduce(&seed, random_shape(&seed));
    // rows longer than the scratch memory
    for (int i = 0; i < 6; i++)
        check_reduce(&seed, (shape){2, 3, {2, 97, 187}});
}

static void
test_preduce(void **state)
{
    (void)state;
    uint64_t seed = 4;
    fill_memory(&seed);
    for (int i = 0; i < 100; i++) {
        shape sh = random_shape(&seed);
        if (i % 25 == 0)
            sh = (shape){3, 2, {101, 97}};
        num_insn in = {.op = NUM_OP_PREDUCE};
        in.as = (num_as)(below(&seed, 4) + 1);
        in.reduce = random_reduce(&seed, in.as);
        in.a = random_view(&seed, 1, random_dtype(&seed), sh, true);
        sh.parts = 1;
        in.dst = random_view(&seed, 0, random_dtype(&seed), sh, false);
        num_exec(&in, NULL, scratch);
        num_insn o = on_theirs(in);
        for (uint64_t e = 0; e < num_view_elems(&o.dst); e++) {
            num_word w = get(&o.a, o.as, 0, e);
            for (uint32_t p = 1; p < o.a.parts; p++)
                w = num_reduce_step(o.reduce, o.as, w, get(&o.a, o.as, p, e));
            num_store(o.dst.dtype, element(&o.dst, 0, e), o.as, w);
        }
        assert_memory_equal(mine, theirs, REGION);
    }
}

// ---- the tensor engine

static void
naive_matmul(const num_insn *ldw, const num_insn *mm)
{
    for (uint32_t m = 0; m < mm->dst.parts; m++) {
        for (uint64_t n = 0; n < num_view_elems(&mm->dst); n++) {
            float acc = 0;
            for (uint32_t k = 0; k < mm->a.parts; k++)
                acc = num_fma(num_f32(get(&ldw->a, NUM_AS_F32, k, m)),
                              num_f32(get(&mm->a, NUM_AS_F32, k, n)), acc);
            num_word w = num_word_f32(acc);
            if (mm->accumulate)
                w = num_apply2(NUM_ADD, NUM_AS_F32,
                               get(&mm->dst, NUM_AS_F32, m, n), w);
            num_store(mm->dst.dtype, element(&mm->dst, m, n), NUM_AS_F32, w);
        }
    }
}

static void
test_matmul(void **state)
{
    (void)state;
    static const num_dtype types[] = {DT_F32, DT_BF16, DT_F16, DT_F8E4M3};
    uint64_t seed = 5;
    num_state st = {
        .pe = {.w = pe_w, .bits = pe_bits, .x = pe_x, .out = pe_out}};
    fill_memory(&seed);
    for (int i = 0; i < 60; i++) {
        uint32_t k = below(&seed, 40) + 1, m = below(&seed, 40) + 1;
        uint32_t n1 = below(&seed, 8) + 1, n2 = below(&seed, 64) + 1;
        if (i == 0)
            k = m = 128;
        num_insn ldw = {.op = NUM_OP_LDW}, mm = {.op = NUM_OP_MATMUL};
        ldw.a = random_view(&seed, 1, types[below(&seed, 4)],
                            (shape){k, 1, {m}}, true);
        mm.a = random_view(&seed, 2, types[below(&seed, 4)],
                           (shape){k, 2, {n1, n2}}, true);
        mm.dst = random_view(&seed, 0, types[below(&seed, 2)],
                             (shape){m, 2, {n1, n2}}, false);
        mm.accumulate = below(&seed, 2);
        num_exec(&ldw, &st, scratch);
        num_exec(&mm, &st, scratch);
        ldw = on_theirs(ldw);
        mm = on_theirs(mm);
        naive_matmul(&ldw, &mm);
        assert_memory_equal(mine, theirs, REGION);
    }
}

static void
test_empty(void **state)
{
    (void)state;
    uint64_t seed = 6;
    fill_memory(&seed);
    for (int op = NUM_OP_COPY; op < NUM_OP_COUNT; op++) {
        num_insn in = random_insn(&seed, (num_op)op);
        if (op == NUM_OP_LDW || op == NUM_OP_MATMUL ||
            !num_op_is((num_op)op, 't'))
            continue;
        in.dst.ndim = in.a.ndim = in.b.ndim = 2;
        in.dst.dim[1].count = in.a.dim[1].count = in.b.dim[1].count = 0;
        in.reduce = NUM_R_MAX;
        num_exec(&in, NULL, scratch);
        assert_memory_equal(mine, theirs, sizeof mine);
    }
}

int
main(void)
{
    num_env env = num_env_enter();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise), cmocka_unit_test(test_iota),
        cmocka_unit_test(test_reduce),      cmocka_unit_test(test_preduce),
        cmocka_unit_test(test_matmul),      cmocka_unit_test(test_empty),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    num_env_leave(env);
    return failed;
}
