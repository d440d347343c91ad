// SPDX-License-Identifier: Apache-2.0
// The runtime on programs assembled by hand: what they compute, every fault of
// law 4, everything the loader rejects, and objects with flipped bits.
#include "tests/unit/runtime_programs.h"

// ---- programs that are right

enum { ROWS = 16, COLS = 32 };

// z = x + y through SBUF; transfers in on two queues, out on a third.
typedef struct {
    fixture *f;
    uint32_t x, y, z;
    isa_insn *add, *out;
} vector_add;

static vector_add
make_vector_add(void)
{
    fixture *f = fixture_new();
    vector_add v = {.f = f};
    v.x = add_tensor(f, "x", OBJ_TENSOR_INPUT, DT_F32, ROWS, COLS);
    v.y = add_tensor(f, "y", OBJ_TENSOR_INPUT, DT_F32, ROWS, COLS);
    v.z = add_tensor(f, "z", OBJ_TENSOR_OUTPUT, DT_F32, ROWS, COLS);
    uint32_t in_x = add_sem(f, 0, 1, ISA_ENG_VECTOR, 0);
    uint32_t in_y = add_sem(f, 0, 2, ISA_ENG_VECTOR, 0);
    uint32_t done = add_sem(f, ISA_ENG_VECTOR, 0, ISA_ENG_SYNC, 0);
    post(dma(f, ISA_ENG_SYNC, 1, ROWS, sbuf(0, COLS),
             hbm(v.x, DT_F32, 0, COLS, COLS)),
         in_x, ISA_AT_COMPLETE);
    post(dma(f, ISA_ENG_SYNC, 2, ROWS, sbuf(128, COLS),
             hbm(v.y, DT_F32, 0, COLS, COLS)),
         in_y, ISA_AT_COMPLETE);
    v.add = tt_add(f, ROWS, sbuf(256, COLS), sbuf(0, COLS), sbuf(128, COLS));
    wait_for(v.add, in_x, 1);
    wait_for(v.add, in_y, 1);
    post(v.add, done, ISA_AT_COMPLETE);
    v.out = dma(f, ISA_ENG_SYNC, 3, ROWS, hbm(v.z, DT_F32, 0, COLS, COLS),
                sbuf(256, COLS));
    wait_for(v.out, done, 1);
    end_all(f);
    for (int i = 0; i < ROWS * COLS; i++) {
        floats(f, v.x)[i] = (float)i;
        floats(f, v.y)[i] = (float)(i * i % 91);
    }
    return v;
}

static void
vector_add_is_right(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    rt_program *p = load(v.f);
    assert_string_equal(rt_kernel(p), "test");
    for (uint64_t seed = 0; seed < 20; seed++) {
        rt_order order = {.random = seed > 0, .seed = seed};
        memset(v.f->bind[v.z], 0xff, ROWS * COLS * 4);
        run_ok(v.f, p, &order);
        for (int i = 0; i < ROWS * COLS; i++)
            assert_true(floats(v.f, v.z)[i] == (float)(i + i * i % 91));
    }
    fixture_free(v.f);
}

// c[16, 16] = a[K, 16]^T b[K, 16], K in tiles of 16 on one PSUM tile, with two
// rotating SBUF buffers each and credits; one loop on every engine.
enum { KT = 7, TILE = 16 };

static void
emit_matmul_loads(fixture *f, uint32_t t, uint32_t queue, int64_t at,
                  uint32_t credit, uint32_t full)
{
    isa_engine e = ISA_ENG_SYNC;
    isa_insn *in = dma(f, e, queue, TILE, chip(ISA_SBUF, 0, DT_BF16, at, TILE),
                       hbm(t, DT_BF16, 0, TILE, TILE));
    in->dst.reg = 1;
    in->a.reg = 2;
    wait_for(in, credit, 1);
    post(in, full, ISA_AT_COMPLETE);
}

typedef struct {
    fixture *f;
    uint32_t a, b, c;
    isa_insn *store;
} matmul_test;

static matmul_test
make_matmul(void)
{
    fixture *f = fixture_new();
    matmul_test m = {.f = f};
    m.a = add_tensor(f, "a", OBJ_TENSOR_INPUT, DT_BF16, KT * TILE, TILE);
    m.b = add_tensor(f, "b", OBJ_TENSOR_INPUT, DT_BF16, KT * TILE, TILE);
    m.c = add_tensor(f, "c", OBJ_TENSOR_OUTPUT, DT_F32, TILE, TILE);
    uint32_t full_a = add_sem(f, 0, 1, ISA_ENG_TENSOR, 0);
    uint32_t full_b = add_sem(f, 0, 2, ISA_ENG_TENSOR, 0);
    uint32_t free_a = add_sem(f, ISA_ENG_TENSOR, 0, ISA_ENG_SYNC, 2);
    uint32_t free_b = add_sem(f, ISA_ENG_TENSOR, 0, ISA_ENG_SYNC, 2);
    uint32_t done = add_sem(f, ISA_ENG_TENSOR, 0, ISA_ENG_VECTOR, 0);
    uint32_t ready = add_sem(f, ISA_ENG_VECTOR, 0, ISA_ENG_SYNC, 0);
    // loads: slot r1 rotates, source r2 walks
    loop(f, ISA_ENG_SYNC, KT, 3);
    emit_matmul_loads(f, m.a, 1, 0, free_a, full_a);
    emit_matmul_loads(f, m.b, 2, 64, free_b, full_b);
    isa_insn *r = reg(f, ISA_ENG_SYNC);
    uop(r, ISA_UOP_ADD, 1, 1, 0, 32);
    uop(r, ISA_UOP_WRAP, 1, 1, 0, 64);
    uop(r, ISA_UOP_MADD, 2, 2, 0, 0);
    uop(r, ISA_UOP_ADD, 2, 2, 0, TILE * TILE * 2);
    emit(f, ISA_ENG_SYNC, ISA_ENDLOOP);
    // the array
    loop(f, ISA_ENG_TENSOR, KT, 3);
    isa_insn *ldw = emit(f, ISA_ENG_TENSOR, ISA_LDW);
    ldw->parts = TILE;
    ldw->a = chip(ISA_SBUF, 0, DT_BF16, 0, TILE);
    ldw->a.reg = 1;
    wait_for(ldw, full_a, 1);
    post(ldw, free_a, ISA_AT_READ);
    isa_insn *mm = emit(f, ISA_ENG_TENSOR, ISA_MATMUL);
    mm->parts = mm->dst_parts = TILE;
    mm->a = chip(ISA_SBUF, 0, DT_BF16, 64, TILE);
    mm->a.reg = 1;
    mm->dst = chip(ISA_PSUM, 0, DT_F32, 0, TILE);
    mm->first_mask = 1;
    wait_for(mm, full_b, 1);
    post(mm, free_b, ISA_AT_READ);
    r = reg(f, ISA_ENG_TENSOR);
    uop(r, ISA_UOP_ADD, 1, 1, 0, 32);
    uop(r, ISA_UOP_WRAP, 1, 1, 0, 64);
    emit(f, ISA_ENG_TENSOR, ISA_ENDLOOP);
    post(emit(f, ISA_ENG_TENSOR, ISA_MARK), done, ISA_AT_COMPLETE);
    // out
    isa_insn *out = copy(f, ISA_ENG_VECTOR, TILE, sbuf(1024, TILE),
                         chip(ISA_PSUM, 0, DT_F32, 0, TILE));
    wait_for(out, done, 1);
    post(out, ready, ISA_AT_COMPLETE);
    m.store = dma(f, ISA_ENG_SYNC, 3, TILE, hbm(m.c, DT_F32, 0, TILE, TILE),
                  sbuf(1024, TILE));
    wait_for(m.store, ready, 1);
    end_all(f);
    for (int i = 0; i < KT * TILE * TILE; i++) {
        float x = (float)(i * 7 % 13 - 6), y = (float)(i * 5 % 11 - 5);
        num_store(DT_BF16, f->bind[m.a] + 2 * i, NUM_AS_F32, num_word_f32(x));
        num_store(DT_BF16, f->bind[m.b] + 2 * i, NUM_AS_F32, num_word_f32(y));
    }
    return m;
}

static void
matmul_is_right_in_any_order(void **state)
{
    (void)state;
    matmul_test m = make_matmul();
    rt_program *p = load(m.f);
    float want[TILE * TILE];
    for (int i = 0; i < TILE; i++)
        for (int j = 0; j < TILE; j++) {
            int sum = 0;
            for (int k = 0; k < KT * TILE; k++)
                sum += ((k * TILE + i) * 7 % 13 - 6) *
                       ((k * TILE + j) * 5 % 11 - 5);
            want[i * TILE + j] = (float)sum;
        }
    for (uint64_t seed = 0; seed <= 50; seed++) {
        rt_order order = {.random = seed > 0, .seed = seed};
        memset(m.f->bind[m.c], 0xff, sizeof want);
        run_ok(m.f, p, &order);
        assert_memory_equal(m.f->bind[m.c], want, sizeof want);
    }
    fixture_free(m.f);
}

static void
nested_loops_registers_and_ragged_counts(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    uint32_t x = add_tensor(f, "x", OBJ_TENSOR_INPUT, DT_F32, 5, 23);
    uint32_t z = add_tensor(f, "z", OBJ_TENSOR_OUTPUT, DT_F32, 5, 23);
    uint32_t in = add_sem(f, 0, 1, ISA_ENG_SYNC, 0);
    uint32_t out = add_sem(f, 0, 2, ISA_ENG_SYNC, 0);
    // rows r56 in steps of 2 (ragged: 2, 2, 1), columns r57 of 8 (8, 8, 7)
    isa_engine e = ISA_ENG_SYNC;
    loop(f, e, 3, 7);
    isa_insn *r = reg(f, e);
    uop(r, ISA_UOP_MADD, 1, 0, 56, -2);
    uop(r, ISA_UOP_ADD, 1, 1, 0, 5);
    uop(r, ISA_UOP_MIN, 1, 1, 0, 2);
    uop(r, ISA_UOP_MOV, 9, 0, 0, 23);
    uop(r, ISA_UOP_DIV, 9, 9, 0, 8);
    uop(r, ISA_UOP_ADD, 9, 9, 0, 1);
    loop(f, e, 0, 4)->count_reg = 9;
    r = reg(f, e);
    uop(r, ISA_UOP_MADD, 2, 0, 57, -8);
    uop(r, ISA_UOP_ADD, 2, 2, 0, 23);
    uop(r, ISA_UOP_MIN, 2, 2, 0, 8);
    uop(r, ISA_UOP_MADD, 3, 0, 56, 2 * 23 * 4);
    uop(r, ISA_UOP_MADD, 3, 3, 57, 32);
    isa_insn *load_tile = dma(f, e, 1, 2, sbuf(0, 8), hbm(x, DT_F32, 0, 23, 8));
    load_tile->parts_reg = 1;
    load_tile->dst.creg = load_tile->a.creg = 2;
    load_tile->a.reg = 3;
    post(load_tile, in, ISA_AT_COMPLETE);
    isa_insn *store = dma(f, e, 2, 2, hbm(z, DT_F32, 0, 23, 8), sbuf(0, 8));
    store->parts_reg = 1;
    store->dst.creg = store->a.creg = 2;
    store->dst.reg = 3;
    wait_for(store, in, 1);
    post(store, out, ISA_AT_COMPLETE);
    wait_for(emit(f, e, ISA_MARK), out, 1);
    emit(f, e, ISA_ENDLOOP);
    emit(f, e, ISA_ENDLOOP);
    end_all(f);
    for (int i = 0; i < 5 * 23; i++)
        floats(f, x)[i] = (float)i;
    rt_program *p = load(f);
    for (uint64_t seed = 0; seed < 5; seed++) {
        rt_order order = {.random = seed > 0, .seed = seed};
        memset(f->bind[z], 0xff, 5 * 23 * 4);
        run_ok(f, p, &order);
        assert_memory_equal(f->bind[z], f->bind[x], 5 * 23 * 4);
    }
    fixture_free(f);
}

static void
empty_loops_cost_nothing(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    loop(f, ISA_ENG_SYNC, 0, 1);
    fill(f, ISA_ENG_SYNC, 1, sbuf(0, 1), 0)->op = ISA_MARK;
    *vec_last(&f->p.stream[ISA_ENG_SYNC].code) = (isa_insn){.op = ISA_MARK};
    emit(f, ISA_ENG_SYNC, ISA_ENDLOOP);
    end_all(f);
    assert_int_equal(rt_certify_limited(load(f), 10, &f->d), RT_DONE);
    fixture_free(f);
}

// ---- programs that fault

static void
read_of_unwritten_bytes(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    v.add->b.offset = 512;
    expect_fault(v.f, D_RT_UNINIT);
    assert_true(said(v.f, "'tt' (vector 0) reads SBUF, partition 0, byte 512"));
    fixture_free(v.f);
}

static void
uninitialised_accumulation(void **state)
{
    (void)state;
    matmul_test m = make_matmul();
    m.f->p.stream[ISA_ENG_TENSOR].code.at[2].first_mask = 0;
    m.f->p.stream[ISA_ENG_TENSOR].code.at[2].accumulate = true;
    expect_fault(m.f, D_RT_UNINIT);
    assert_true(said(m.f, "PSUM, partition 0, byte 0"));
    fixture_free(m.f);
}

static void
access_outside_a_tensor(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    v.f->p.stream[ISA_ENG_SYNC].code.at[0].a.offset = 4;
    expect_fault(v.f, D_RT_BOUNDS);
    assert_true(said(v.f, "tensor 'x', bytes 4 to 2051"));
    fixture_free(v.f);
}

static void
negative_steps_reach_below(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    isa_insn *in = &v.f->p.stream[ISA_ENG_SYNC].code.at[0];
    in->a.dim[0].step = -1;
    in->a.offset = (COLS - 2) * 4;
    expect_fault(v.f, D_RT_BOUNDS);
    assert_true(said(v.f, "bytes -4 to"));
    fixture_free(v.f);
}

static void
access_outside_a_partition_by_register(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    uop(reg(f, ISA_ENG_VECTOR), ISA_UOP_MOV, 1, 0, 0, 4096 - 8);
    fill(f, ISA_ENG_VECTOR, 1, sbuf(0, 3), 1)->dst.reg = 1;
    end_all(f);
    expect_fault(f, D_RT_BOUNDS);
    assert_true(said(f, "SBUF, bytes 4088 to 4099"));
    fixture_free(f);
}

static void
address_arithmetic_that_wraps(void **state)
{
    (void)state;
    int64_t values[] = {INT64_MAX, INT64_MIN, -1, INT64_MAX - 7};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        fixture *f = fixture_new();
        uop(reg(f, ISA_ENG_VECTOR), ISA_UOP_MOV, 1, 0, 0, values[i]);
        fill(f, ISA_ENG_VECTOR, 1, sbuf(8, 3), 1)->dst.reg = 1;
        end_all(f);
        if (values[i] == -1)
            assert_int_equal(rt_certify(load(f), &f->d), RT_DONE);
        else
            expect_fault(f, D_RT_BOUNDS);
        fixture_free(f);
    }
}

static void
output_bytes_never_written(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    v.out->a.dim[0].count = v.out->dst.dim[0].count = COLS - 1;
    expect_fault(v.f, D_RT_UNWRITTEN);
    assert_true(said(v.f, "'z': element [0, 31]"));
    fixture_free(v.f);
}

static void
write_to_an_input(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    v.out->dst.part = v.y;
    expect_fault(v.f, D_RT_READONLY);
    fixture_free(v.f);
}

static void
race_of_engine_and_transfer(void **state)
{
    (void)state;
    // in the fixed order the output is already there, only unordered
    fixture *f = fixture_new();
    fill(f, ISA_ENG_VECTOR, 4, sbuf(0, 8), 1);
    uint32_t z = add_tensor(f, "z", OBJ_TENSOR_OUTPUT, DT_F32, 4, 8);
    dma(f, ISA_ENG_SYNC, 1, 4, hbm(z, DT_F32, 0, 8, 8), sbuf(0, 8));
    end_all(f);
    expect_fault(f, D_RT_RACE);
    assert_true(said(f, "race on SBUF, partition 0, byte 0: 'dma' (sync 0) on "
                        "queue 1 reads it and 'fill' (vector 0) writes it"));
    assert_int_equal(f->d.msgs.at[0].notes.n, 2);
    fixture_free(f);
}

static void
race_of_two_transfers_of_one_queue(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        fixture *f = fixture_new();
        uint32_t x = add_tensor(f, "x", OBJ_TENSOR_INPUT, DT_F32, 4, 8);
        uint32_t s = add_sem(f, 0, 1, ISA_ENG_SYNC, 0);
        isa_insn *first =
            dma(f, ISA_ENG_SYNC, 1, 4, sbuf(0, 8), hbm(x, DT_F32, 0, 8, 8));
        post(first, s, ISA_AT_COMPLETE);
        isa_insn *mark = emit(f, ISA_ENG_SYNC, ISA_MARK);
        if (known)
            wait_for(mark, s, 1);
        dma(f, ISA_ENG_SYNC, 1, 4, sbuf(16, 8), hbm(x, DT_F32, 0, 8, 8));
        if (!known)
            wait_for(emit(f, ISA_ENG_SYNC, ISA_MARK), s, 1);
        end_all(f);
        if (known)
            assert_int_equal(rt_certify(load(f), &f->d), RT_DONE);
        else
            expect_fault(f, D_RT_RACE);
        fixture_free(f);
    }
}

// The producer overwrites what the consumer still reads, when it does not wait
// for the credit; at read is enough for the credit.
static void
overwriting_what_is_still_read(void **state)
{
    (void)state;
    for (int waits = 0; waits < 2; waits++) {
        fixture *f = fixture_new();
        uint32_t full = add_sem(f, ISA_ENG_VECTOR, 0, ISA_ENG_SCALAR, 0);
        uint32_t free_ = add_sem(f, ISA_ENG_SCALAR, 0, ISA_ENG_VECTOR, 1);
        loop(f, ISA_ENG_VECTOR, 4, 2);
        isa_insn *take = emit(f, ISA_ENG_VECTOR, ISA_MARK);
        isa_insn *w = fill(f, ISA_ENG_VECTOR, 4, sbuf(0, 8), 1);
        take = &f->p.stream[ISA_ENG_VECTOR].code.at[1];
        wait_for(waits ? w : take, free_, 1);
        post(w, full, ISA_AT_COMPLETE);
        emit(f, ISA_ENG_VECTOR, ISA_ENDLOOP);
        loop(f, ISA_ENG_SCALAR, 4, 1);
        isa_insn *r = copy(f, ISA_ENG_SCALAR, 4, sbuf(64, 8), sbuf(0, 8));
        wait_for(r, full, 1);
        post(r, free_, ISA_AT_READ);
        emit(f, ISA_ENG_SCALAR, ISA_ENDLOOP);
        end_all(f);
        if (!waits)
            f->p.sems.at[free_].initial = 2; // one too many: no longer ordered
        if (waits)
            assert_int_equal(rt_certify(load(f), &f->d), RT_DONE);
        else
            expect_fault(f, D_RT_RACE);
        fixture_free(f);
    }
}

// A token at read says nothing about writes.
static void
token_at_read_does_not_publish(void **state)
{
    (void)state;
    for (int complete = 0; complete < 2; complete++) {
        fixture *f = fixture_new();
        uint32_t s = add_sem(f, ISA_ENG_VECTOR, 0, ISA_ENG_SCALAR, 0);
        post(fill(f, ISA_ENG_VECTOR, 4, sbuf(0, 8), 1), s,
             complete ? ISA_AT_COMPLETE : ISA_AT_READ);
        wait_for(copy(f, ISA_ENG_SCALAR, 4, sbuf(64, 8), sbuf(0, 8)), s, 1);
        end_all(f);
        if (complete)
            assert_int_equal(rt_certify(load(f), &f->d), RT_DONE);
        else
            expect_fault(f, D_RT_RACE);
        fixture_free(f);
    }
}

static void
deadlock_says_who_waits_for_whom(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    uint32_t s = add_sem(f, ISA_ENG_VECTOR, 0, ISA_ENG_SCALAR, 0);
    uint32_t t = add_sem(f, ISA_ENG_SCALAR, 0, ISA_ENG_VECTOR, 0);
    isa_insn *v = emit(f, ISA_ENG_VECTOR, ISA_MARK);
    wait_for(v, t, 1);
    post(v, s, ISA_AT_COMPLETE);
    isa_insn *w = emit(f, ISA_ENG_SCALAR, ISA_MARK);
    wait_for(w, s, 1);
    post(w, t, ISA_AT_COMPLETE);
    end_all(f);
    expect_fault(f, D_RT_DEADLOCK);
    assert_true(said(f, "'mark' (vector 0) waits for 1 of semaphore 1, which "
                        "has 0; they come from the scalar engine, which is "
                        "blocked at 'mark' (scalar 0)"));
    assert_true(said(f, "'mark' (scalar 0) waits for 1 of semaphore 0"));
    rt_order order = {.random = true, .seed = 3};
    f->d.msgs.n = 0;
    assert_int_equal(rt_machine_run(load(f), &order, NULL, 0, &f->d), RT_FAULT);
    fixture_free(f);
}

static void
tokens_left_over(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    v.out->wait[0].count = 0;
    v.out->wait[0].sem = 0;
    v.f->p.stream[ISA_ENG_VECTOR].code.at[0].update[0].sem = 2;
    // the race is found first; without data only the count is wrong
    rt_program *p = load(v.f);
    assert_int_equal(rt_machine_run(p, NULL, NULL, 0, &v.f->d), RT_FAULT);
    assert_int_equal(v.f->d.msgs.at[0].id, D_RT_LEFTOVER);
    assert_true(said(v.f, "semaphore 2 ends with 1 tokens: it began with 0"));
    fixture_free(v.f);
}

static void
count_register_out_of_range(void **state)
{
    (void)state;
    int64_t values[] = {9, -1, 8, 0};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        fixture *f = fixture_new();
        uop(reg(f, ISA_ENG_VECTOR), ISA_UOP_MOV, 1, 0, 0, values[i]);
        fill(f, ISA_ENG_VECTOR, 1, sbuf(0, 8), 1)->dst.creg = 1;
        end_all(f);
        if (i < 2)
            expect_fault(f, D_RT_COUNT_REG);
        else
            assert_int_equal(rt_certify(load(f), &f->d), RT_DONE);
        fixture_free(f);
    }
}

static void
counts_that_disagree(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    fill(f, ISA_ENG_VECTOR, 4, sbuf(0, 8), 1);
    uop(reg(f, ISA_ENG_VECTOR), ISA_UOP_MOV, 1, 0, 0, 5);
    copy(f, ISA_ENG_VECTOR, 4, sbuf(64, 8), sbuf(0, 8))->dst.creg = 1;
    end_all(f);
    expect_fault(f, D_RT_SHAPE);
    fixture_free(f);
}

static void
division_by_zero(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    isa_insn *r = reg(f, ISA_ENG_VECTOR);
    uop(r, ISA_UOP_MOV, 2, 0, 0, 5);
    uop(r, ISA_UOP_MOD, 1, 2, 3, 0);
    end_all(f);
    expect_fault(f, D_RT_DIVISOR);
    fixture_free(f);
}

static void
overlapping_destination(void **state)
{
    (void)state;
    for (int equal = 0; equal < 2; equal++) {
        fixture *f = fixture_new();
        fill(f, ISA_ENG_VECTOR, 4, sbuf(0, 9), 1);
        copy(f, ISA_ENG_VECTOR, 4, sbuf(equal ? 0 : 4, 8), sbuf(0, 8));
        end_all(f);
        if (equal)
            assert_int_equal(rt_certify(load(f), &f->d), RT_DONE);
        else
            expect_fault(f, D_RT_ALIAS);
        fixture_free(f);
    }
}

static void
byte_written_twice(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    isa_ap ap = sbuf(0, 4);
    ap.dim[0].step = 0;
    fill(f, ISA_ENG_VECTOR, 1, ap, 1);
    end_all(f);
    expect_fault(f, D_RT_TWICE);
    fixture_free(f);
}

// Even bytes against odd bytes, the odd ones by five dimensions that
// interleave: deciding it would take millions of steps.
static void
patterns_too_irregular(void **state)
{
    (void)state;
    static const int64_t steps[] = {2 * 97, 2 * 89, 2 * 83, 2 * 79, 2 * 73};
    fixture *f = fixture_new();
    f->p.target = "trn2";
    uint32_t s = add_sem(f, ISA_ENG_VECTOR, 0, ISA_ENG_GPSIMD, 0);
    isa_insn *all =
        fill(f, ISA_ENG_VECTOR, 1, chip(ISA_SBUF, 0, DT_U8, 0, 40000), 0);
    all->as = NUM_AS_U32;
    post(all, s, ISA_AT_COMPLETE);
    isa_insn *even =
        fill(f, ISA_ENG_VECTOR, 1, chip(ISA_SBUF, 0, DT_U8, 0, 20000), 0);
    even->as = NUM_AS_U32;
    even->dst.dim[0].step = 2;
    isa_insn *odd = emit(f, ISA_ENG_GPSIMD, ISA_REDUCE);
    odd->as = NUM_AS_U32;
    odd->reduce = NUM_R_SUM;
    odd->reduce_dims = 5;
    odd->parts = 1;
    odd->dst = chip(ISA_SBUF, 0, DT_U32, 40000, 1);
    odd->a = chip(ISA_SBUF, 0, DT_U8, 1, 1);
    odd->a.ndim = 5;
    for (int i = 0; i < 5; i++) {
        odd->a.dim[i].step = steps[i];
        odd->a.dim[i].count = 22;
    }
    wait_for(odd, s, 1);
    end_all(f);
    expect_fault(f, D_RT_TANGLED);
    fixture_free(f);
}

// The validator refuses this; the certifier does not rely on it.
static void
partitions_past_the_last(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    isa_insn *in = fill(f, ISA_ENG_VECTOR, 4, sbuf(0, 8), 1);
    end_all(f);
    rt_program *p = load(f);
    in = &f->p.stream[ISA_ENG_VECTOR].code.at[0];
    in->dst.part = 13;
    assert_int_equal(rt_certify(p, &f->d), RT_FAULT);
    assert_int_equal(f->d.msgs.at[0].id, D_RT_PARTITION);
    assert_true(said(f, "partitions 13 to 16, of 16"));
    fixture_free(f);
}

static void
weights_that_do_not_fit(void **state)
{
    (void)state;
    for (int none = 0; none < 2; none++) {
        matmul_test m = make_matmul();
        isa_insn *ldw = &m.f->p.stream[ISA_ENG_TENSOR].code.at[1];
        if (none)
            *ldw = (isa_insn){.op = ISA_MARK};
        else
            ldw->parts = TILE - 1;
        expect_fault(m.f, D_RT_WEIGHTS);
        fixture_free(m.f);
    }
}

static void
psum_offsets_by_register(void **state)
{
    (void)state;
    int64_t offset[] = {2, 256 - 16};
    diag_id want[] = {D_RT_PSUM, D_RT_BANK};
    for (int i = 0; i < 2; i++) {
        matmul_test m = make_matmul();
        isa_insn *mm = &m.f->p.stream[ISA_ENG_TENSOR].code.at[2];
        mm->dst.reg = 2;
        uop(&m.f->p.stream[ISA_ENG_TENSOR].code.at[3], ISA_UOP_MOV, 2, 0, 0,
            offset[i]);
        mm->first_mask = 0;
        expect_fault(m.f, want[i]);
        fixture_free(m.f);
    }
}

static void
instruction_limit(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    loop(f, ISA_ENG_VECTOR, 0xffffffffff, 1);
    uop(reg(f, ISA_ENG_VECTOR), ISA_UOP_ADD, 1, 1, 0, 1);
    emit(f, ISA_ENG_VECTOR, ISA_ENDLOOP);
    end_all(f);
    rt_order order = {.max_insns = 100000};
    assert_int_equal(rt_interpret(load(f), &order, f->bind, &f->d), RT_LIMIT);
    assert_int_equal(f->d.msgs.at[0].id, D_RT_MAX_INSNS);
    fixture_free(f);
}

static rt_outcome
want_too_much(arena *a, void *ctx)
{
    (void)ctx;
    arena_limit(a, 1 << 20);
    (void)ARENA_ARRAY(a, 1 << 20, uint64_t);
    return RT_DONE;
}

static void
host_memory_limit(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    assert_int_equal(rt_in_arena(want_too_much, NULL, "run", &f->d), RT_LIMIT);
    assert_int_equal(f->d.msgs.at[0].id, D_RT_MEMORY);
    fixture_free(f);
}

// ---- programs that depend on data

static void
registers_from_memory_need_data(void **state)
{
    (void)state;
    fixture *f = fixture_new();
    fill(f, ISA_ENG_VECTOR, 1, chip(ISA_SBUF, 0, DT_I32, 0, 1), 2.0f);
    isa_insn *in = emit(f, ISA_ENG_VECTOR, ISA_REG_LOAD);
    in->rd = 1;
    in->parts = 1;
    in->a = chip(ISA_SBUF, 0, DT_I32, 0, 1);
    end_all(f);
    rt_program *p = load(f);
    assert_true(rt_needs_data(p));
    assert_int_equal(rt_certify(p, &f->d), RT_NEEDS_DATA);
    assert_int_equal(f->d.msgs.n, 0);
    assert_int_equal(rt_machine_run(p, NULL, NULL, 0, &f->d), RT_FAULT);
    assert_int_equal(f->d.msgs.at[0].id, D_RT_NEEDS_DATA);
    assert_int_equal(rt_interpret(p, NULL, f->bind, &f->d), RT_DONE);
    fixture_free(f);
}

// ---- programs that do not load

static void
rejects_malformed_streams(void **state)
{
    (void)state;
    static const struct {
        isa_opcode op[6];
        uint32_t body;
        diag_id want;
    } cases[] = {
        {{ISA_MARK}, 0, D_RT_NO_END},
        {{ISA_END, ISA_END}, 0, D_RT_EARLY_END},
        {{ISA_LOOP, ISA_MARK, ISA_END}, 1, D_RT_LOOP_OPEN},
        {{ISA_MARK, ISA_ENDLOOP, ISA_END}, 0, D_RT_LOOP_CLOSE},
        {{ISA_LOOP, ISA_MARK, ISA_ENDLOOP, ISA_END}, 2, D_RT_LOOP_BODY},
        {{ISA_LOOP, ISA_MARK, ISA_ENDLOOP, ISA_END},
         0xffffffff,
         D_RT_LOOP_BODY},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fixture *f = fixture_new();
        for (size_t k = 0; k < 6 && cases[i].op[k]; k++) {
            isa_insn *in = emit(f, ISA_ENG_VECTOR, cases[i].op[k]);
            if (in->op == ISA_LOOP) {
                in->count = 2;
                in->body = cases[i].body;
            }
        }
        expect_rejected(f, cases[i].want);
        fixture_free(f);
    }
}

static void
rejects_nine_loops(void **state)
{
    (void)state;
    for (uint32_t depth = 8; depth <= 9; depth++) {
        fixture *f = fixture_new();
        for (uint32_t i = 0; i < depth; i++)
            loop(f, ISA_ENG_SYNC, 2, 1 + 2 * (depth - 1 - i));
        emit(f, ISA_ENG_SYNC, ISA_MARK);
        for (uint32_t i = 0; i < depth; i++)
            emit(f, ISA_ENG_SYNC, ISA_ENDLOOP);
        end_all(f);
        if (depth == 9)
            expect_rejected(f, D_RT_LOOP_DEPTH);
        else
            assert_int_equal(rt_certify(load(f), &f->d), RT_DONE);
        fixture_free(f);
    }
}

static diag_id
spoil_semaphores(vector_add *v, int how)
{
    isa_program *p = &v->f->p;
    isa_insn *in = &p->stream[ISA_ENG_SYNC].code.at[0];
    switch (how) {
    case 0: in->update[0].sem = 77; return D_RT_SEM;
    case 1: v->add->wait[0].sem = 77; return D_RT_SEM;
    case 2: in->update[0].sem = 1; return D_RT_SEM_PRODUCER;
    case 3: v->add->wait[0].sem = 2; return D_RT_SEM_CONSUMER;
    case 4: p->sems.at[1].producer = ISA_ENG_SYNC; return D_RT_SEM_TABLE;
    case 5: p->sems.at[1].consumer = ISA_ENG_NONE; return D_RT_SEM_TABLE;
    case 6: post(v->add, 2, ISA_AT_READ); return D_RT_SEM_MOMENT;
    }
    return D_NONE;
}

static diag_id
spoil_tables(vector_add *v, int how)
{
    isa_program *p = &v->f->p;
    isa_tensor *t = &p->tensors.at[0];
    switch (how) {
    case 0: v->out->dst.part = 3; return D_RT_TENSOR;
    case 1: t->shape[0] = (int64_t)1 << 60; return D_RT_TENSOR_TABLE;
    case 2: t->shape[0] = 1 << 29; return D_RT_HBM_SIZE;
    case 3: t->kind = OBJ_TENSOR_CONST; return D_RT_TENSOR_TABLE;
    case 4: p->target = "nonesuch"; return D_RT_TARGET;
    case 5: t->shape[0] = -1; return D_RT_TENSOR_TABLE;
    }
    return D_NONE;
}

static void
rejects_wrong_semaphores_and_tables(void **state)
{
    (void)state;
    diag_id (*spoil[])(vector_add *, int) = {spoil_semaphores, spoil_tables};
    for (int kind = 0; kind < 2; kind++) {
        diag_id want = D_COUNT;
        for (int how = 0; want; how++) {
            vector_add v = make_vector_add();
            want = spoil[kind](&v, how);
            if (want)
                expect_rejected(v.f, want);
            fixture_free(v.f);
        }
    }
}

static void
rejects_endless_transfers(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    for (int k = 0; k < 2; k++) {
        isa_ap *ap = k ? &v.out->a : &v.out->dst;
        ap->ndim = 3;
        for (int i = 0; i < 3; i++) {
            ap->dim[i].step = 0;
            ap->dim[i].count = 65535;
        }
    }
    expect_rejected(v.f, D_RT_ELEMS);
    fixture_free(v.f);
}

static void
rejects_a_queue_with_two_feeders(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    isa_insn *in = emit(v.f, ISA_ENG_GPSIMD, ISA_MARK);
    in->queue = 2;
    isa_insn t = v.f->p.stream[ISA_ENG_GPSIMD].code.at[0];
    v.f->p.stream[ISA_ENG_GPSIMD].code.at[0] = *in;
    *in = t;
    expect_rejected(v.f, D_RT_QUEUE_FED);
    fixture_free(v.f);
}

static void
rejects_control_with_tokens(void **state)
{
    (void)state;
    vector_add v = make_vector_add();
    isa_insn *end = vec_last(&v.f->p.stream[ISA_ENG_SYNC].code);
    *end = (isa_insn){.op = ISA_REG};
    uop(end, ISA_UOP_MOV, 0, 0, 0, 1);
    assert_null(rt_from_program(v.f->a, &v.f->p, &v.f->d));
    fixture_free(v.f);
}

// ---- objects

static str
object_of(fixture *f)
{
    str out;
    if (!isa_object_write(f->a, &f->p, &out, &f->d))
        show(f);
    assert_true(out.n > 0);
    return out;
}

static void
objects_run_like_their_program(void **state)
{
    (void)state;
    matmul_test m = make_matmul();
    rt_program *p = load(m.f);
    run_ok(m.f, p, NULL);
    float want[TILE * TILE];
    memcpy(want, m.f->bind[m.c], sizeof want);
    memset(m.f->bind[m.c], 0, sizeof want);
    rt_program *q = rt_load(m.f->a, object_of(m.f), &m.f->d);
    if (!q)
        show(m.f);
    assert_non_null(q);
    run_ok(m.f, q, NULL);
    assert_memory_equal(m.f->bind[m.c], want, sizeof want);
    fixture_free(m.f);
}

// Loading is total, and what loads and certifies runs.
static void
hostile_objects(void **state)
{
    (void)state;
    matmul_test m = make_matmul();
    str good = object_of(m.f);
    uint64_t rng = 99;
    for (uint32_t i = 0; i < 400; i++) {
        arena *a = arena_new();
        diags d;
        diags_init(&d, a);
        char *bytes = str_z(a, good);
        size_t n = good.n;
        if (i % 2)
            n = rng_next(&rng) % good.n;
        else
            for (uint32_t k = 0; k <= i % 5; k++)
                bytes[rng_next(&rng) % n] ^= (char)(1 << rng_next(&rng) % 8);
        rt_program *p = rt_load(a, (str){bytes, n}, &d);
        if (p)
            (void)rt_certify_limited(p, 100000, &d);
        else
            assert_true(d.errors > 0);
        arena_free(a);
    }
    fixture_free(m.f);
}

// Past the hash: any change to a decoded instruction is rejected, faults or
// runs to a defined end.
static void
hostile_instructions(void **state)
{
    (void)state;
    uint64_t rng = 7;
    uint32_t ran = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        matmul_test m = make_matmul();
        isa_engine e = (isa_engine)(1 + rng_next(&rng) % RT_ENGINES);
        uint32_t at = (uint32_t)(rng_next(&rng) % m.f->p.stream[e].code.n);
        isa_insn *in = &m.f->p.stream[e].code.at[at];
        uint8_t word[ISA_INSN_BYTES];
        const char *field;
        assert_true(isa_encode(in, word, &field));
        for (uint32_t k = 0; k <= i % 3; k++)
            word[rng_next(&rng) % ISA_INSN_BYTES] ^=
                (uint8_t)(1 << rng_next(&rng) % 8);
        if (isa_decode(word, in)) {
            rt_program *p = rt_from_program(m.f->a, &m.f->p, &m.f->d);
            rt_order order = {.max_insns = 10000};
            if (p && rt_interpret(p, &order, m.f->bind, &m.f->d) == RT_DONE)
                ran++;
            else
                assert_true(m.f->d.errors > 0);
        }
        fixture_free(m.f);
    }
    assert_true(ran > 0);
}

// ---- everything

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_add_is_right),
        cmocka_unit_test(matmul_is_right_in_any_order),
        cmocka_unit_test(nested_loops_registers_and_ragged_counts),
        cmocka_unit_test(empty_loops_cost_nothing),
        cmocka_unit_test(read_of_unwritten_bytes),
        cmocka_unit_test(uninitialised_accumulation),
        cmocka_unit_test(access_outside_a_tensor),
        cmocka_unit_test(negative_steps_reach_below),
        cmocka_unit_test(access_outside_a_partition_by_register),
        cmocka_unit_test(address_arithmetic_that_wraps),
        cmocka_unit_test(output_bytes_never_written),
        cmocka_unit_test(write_to_an_input),
        cmocka_unit_test(race_of_engine_and_transfer),
        cmocka_unit_test(race_of_two_transfers_of_one_queue),
        cmocka_unit_test(overwriting_what_is_still_read),
        cmocka_unit_test(token_at_read_does_not_publish),
        cmocka_unit_test(deadlock_says_who_waits_for_whom),
        cmocka_unit_test(tokens_left_over),
        cmocka_unit_test(count_register_out_of_range),
        cmocka_unit_test(counts_that_disagree),
        cmocka_unit_test(division_by_zero),
        cmocka_unit_test(overlapping_destination),
        cmocka_unit_test(byte_written_twice),
        cmocka_unit_test(patterns_too_irregular),
        cmocka_unit_test(partitions_past_the_last),
        cmocka_unit_test(weights_that_do_not_fit),
        cmocka_unit_test(psum_offsets_by_register),
        cmocka_unit_test(instruction_limit),
        cmocka_unit_test(host_memory_limit),
        cmocka_unit_test(registers_from_memory_need_data),
        cmocka_unit_test(rejects_malformed_streams),
        cmocka_unit_test(rejects_nine_loops),
        cmocka_unit_test(rejects_wrong_semaphores_and_tables),
        cmocka_unit_test(rejects_endless_transfers),
        cmocka_unit_test(rejects_a_queue_with_two_feeders),
        cmocka_unit_test(rejects_control_with_tokens),
        cmocka_unit_test(objects_run_like_their_program),
        cmocka_unit_test(hostile_objects),
        cmocka_unit_test(hostile_instructions),
    };
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
