// SPDX-License-Identifier: Apache-2.0
// The runtime on programs assembled by hand: what they compute, every fault of
// law 4, and race detection against happens-before worked out from the manual's
// sentences by brute force.
#include "runtime/runtime_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// ---- building programs ------------------------------------------------------

typedef struct {
    arena *a;
    diags d;
    isa_program p;
    uint8_t *bind[8];
} fixture;

static fixture *
fixture_new(void)
{
    arena *a = arena_new();
    fixture *f = ARENA_NEW(a, fixture);
    f->a = a;
    diags_init(&f->d, a);
    f->p.kernel = "test";
    f->p.target = "tiny";
    return f;
}

static void
fixture_free(fixture *f)
{
    arena_free(f->a);
}

static uint32_t
add_tensor(fixture *f, const char *name, obj_tensor_kind kind, num_dtype dtype,
           int64_t rows, int64_t cols)
{
    isa_tensor *t = vec_add(f->a, &f->p.tensors);
    *t = (isa_tensor){.name = name, .kind = kind, .dtype = dtype, .rank = 2};
    t->shape[0] = rows;
    t->shape[1] = cols;
    uint32_t id = f->p.tensors.n - 1;
    f->bind[id] =
        arena_alloc(f->a, (size_t)(rows * cols) * num_dtype_bytes(dtype) + 1);
    return id;
}

static uint32_t
add_sem(fixture *f, isa_engine producer, uint32_t queue, isa_engine consumer,
        uint32_t initial)
{
    vec_push(f->a, &f->p.sems, (isa_sem){producer, queue, consumer, initial});
    return f->p.sems.n - 1;
}

static isa_insn *
emit(fixture *f, isa_engine e, isa_opcode op)
{
    isa_insn *in = vec_add(f->a, &f->p.stream[e].code);
    *in = (isa_insn){.op = op};
    return in;
}

static void
end_all(fixture *f)
{
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
        emit(f, e, ISA_END);
}

static void
wait_for(isa_insn *in, uint32_t sem, uint32_t count)
{
    uint32_t i = 0;
    while (in->wait[i].count)
        i++;
    in->wait[i] = (isa_wait){sem, count};
}

static void
post(isa_insn *in, uint32_t sem, isa_when when)
{
    uint32_t i = 0;
    while (in->update[i].count)
        i++;
    in->update[i] = (isa_update){sem, 1, when};
}

static isa_ap
chip(isa_mem mem, uint32_t part, num_dtype dtype, int64_t offset, uint32_t n)
{
    isa_ap ap = {
        .mem = mem, .part = part, .dtype = dtype, .offset = offset, .ndim = 1};
    ap.dim[0].step = 1;
    ap.dim[0].count = n;
    return ap;
}

static isa_ap
sbuf(int64_t offset, uint32_t n)
{
    return chip(ISA_SBUF, 0, DT_F32, offset, n);
}

// Rows of a tensor on partitions.
static isa_ap
hbm(uint32_t tensor, num_dtype dtype, int64_t elem, int64_t row, uint32_t n)
{
    isa_ap ap =
        chip(ISA_HBM, tensor, dtype, elem * (int64_t)num_dtype_bytes(dtype), n);
    ap.pstep = row;
    return ap;
}

static isa_insn *
dma(fixture *f, isa_engine e, uint32_t queue, uint32_t parts, isa_ap dst,
    isa_ap src)
{
    isa_insn *in = emit(f, e, ISA_DMA);
    in->queue = queue;
    in->parts = parts;
    in->dst = dst;
    in->a = src;
    return in;
}

static isa_insn *
tt_add(fixture *f, uint32_t parts, isa_ap dst, isa_ap a, isa_ap b)
{
    isa_insn *in = emit(f, ISA_ENG_VECTOR, ISA_TT);
    in->as = NUM_AS_F32;
    in->op0 = NUM_ADD;
    in->parts = parts;
    in->dst = dst;
    in->a = a;
    in->b = b;
    return in;
}

static isa_insn *
fill(fixture *f, isa_engine e, uint32_t parts, isa_ap dst, float value)
{
    isa_insn *in = emit(f, e, ISA_FILL);
    in->as = NUM_AS_F32;
    in->parts = parts;
    in->dst = dst;
    in->s0.imm = num_word_f32(value);
    return in;
}

static isa_insn *
copy(fixture *f, isa_engine e, uint32_t parts, isa_ap dst, isa_ap a)
{
    isa_insn *in = emit(f, e, ISA_COPY);
    in->parts = parts;
    in->dst = dst;
    in->a = a;
    return in;
}

static isa_insn *
loop(fixture *f, isa_engine e, uint64_t count, uint32_t body)
{
    isa_insn *in = emit(f, e, ISA_LOOP);
    in->count = count;
    in->body = body;
    return in;
}

static isa_insn *
reg(fixture *f, isa_engine e)
{
    return emit(f, e, ISA_REG);
}

static isa_insn *
uop(isa_insn *in, isa_uop_kind kind, uint32_t rd, uint32_t ra, uint32_t rb,
    int64_t imm)
{
    uint32_t i = 0;
    while (in->uop[i].kind)
        i++;
    in->uop[i] = (isa_uop){kind, rd, ra, rb, imm};
    return in;
}

// ---- running ----------------------------------------------------------------

static void
show(const fixture *f)
{
    for (uint32_t i = 0; i < f->d.msgs.n; i++) {
        print_message("  E%04u %s\n", diag_number(f->d.msgs.at[i].id),
                      f->d.msgs.at[i].text);
        for (uint32_t k = 0; k < f->d.msgs.at[i].notes.n; k++)
            print_message("    %s\n", f->d.msgs.at[i].notes.at[k].text);
    }
}

static rt_program *
load(fixture *f)
{
    rt_program *p = rt_from_program(f->a, &f->p, &f->d);
    if (!p)
        show(f);
    assert_non_null(p);
    return p;
}

static void
run_ok(fixture *f, const rt_program *p, const rt_order *order)
{
    rt_outcome out = rt_interpret(p, order, f->bind, &f->d);
    if (out != RT_DONE)
        show(f);
    assert_int_equal(out, RT_DONE);
}

static void
expect_fault(fixture *f, diag_id id)
{
    rt_program *p = load(f);
    assert_int_equal(rt_certify(p, &f->d), RT_FAULT);
    assert_int_equal(f->d.msgs.n, 1);
    if (f->d.msgs.at[0].id != id)
        show(f);
    assert_int_equal(f->d.msgs.at[0].id, id);
}

static void
expect_rejected(fixture *f, diag_id id)
{
    assert_null(rt_from_program(f->a, &f->p, &f->d));
    assert_true(f->d.msgs.n > 0);
    if (f->d.msgs.at[0].id != id)
        show(f);
    assert_int_equal(f->d.msgs.at[0].id, id);
}

static bool
said(const fixture *f, const char *text)
{
    for (uint32_t i = 0; i < f->d.msgs.n; i++) {
        if (strstr(f->d.msgs.at[i].text, text))
            return true;
        for (uint32_t k = 0; k < f->d.msgs.at[i].notes.n; k++)
            if (strstr(f->d.msgs.at[i].notes.at[k].text, text))
                return true;
    }
    return false;
}

static float *
floats(const fixture *f, uint32_t tensor)
{
    return (float *)(void *)f->bind[tensor];
}

// ---- programs that are right ------------------------------------------------

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

// ---- programs that fault ----------------------------------------------------

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

static void
weights_that_do_not_fit(void **state)
{
    (void)state;
    for (int none = 0; none < 2; none++) {
        matmul_test m = make_matmul();
        isa_insn *ldw = &m.f->p.stream[ISA_ENG_TENSOR].code.at[1];
        if (none)
            ldw->op = ISA_MARK, ldw->parts = 0, ldw->a = (isa_ap){0};
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

// ---- programs that do not load ----------------------------------------------

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

static void
rejects_wrong_semaphores(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++) {
        vector_add v = make_vector_add();
        isa_insn *in = &v.f->p.stream[ISA_ENG_SYNC].code.at[0];
        diag_id want = D_RT_SEM;
        if (i == 0)
            in->update[0].sem = 77;
        else if (i == 1)
            v.add->wait[0].sem = 77;
        else if (i == 2)
            in->update[0].sem = 1, want = D_RT_SEM_PRODUCER;
        else if (i == 3)
            v.add->wait[0].sem = 2, want = D_RT_SEM_CONSUMER;
        else if (i == 4)
            v.f->p.sems.at[1].producer = ISA_ENG_SYNC, want = D_RT_SEM_TABLE;
        else if (i == 5)
            post(v.add, 2, ISA_AT_READ), want = D_RT_SEM_MOMENT;
        else
            v.f->p.sems.at[1].consumer = 0, want = D_RT_SEM_TABLE;
        expect_rejected(v.f, want);
        fixture_free(v.f);
    }
}

static void
rejects_wrong_tables(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        vector_add v = make_vector_add();
        diag_id want = D_RT_TENSOR_TABLE;
        if (i == 0)
            v.out->dst.part = 3, want = D_RT_TENSOR;
        else if (i == 1)
            v.f->p.tensors.at[0].shape[0] = (int64_t)1 << 60;
        else if (i == 2)
            v.f->p.tensors.at[0].shape[0] = 1 << 29, want = D_RT_HBM_SIZE;
        else if (i == 3)
            v.f->p.tensors.at[0].kind = OBJ_TENSOR_CONST;
        else
            v.f->p.target = "nonesuch", want = D_RT_TARGET;
        expect_rejected(v.f, want);
        fixture_free(v.f);
    }
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

// ---- objects ----------------------------------------------------------------

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

// ---- footprints against bytes -----------------------------------------------

enum { SPAN = 10240 };

static int64_t
pick(uint64_t *rng, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(rng_next(rng) % (uint64_t)(hi - lo + 1));
}

static rt_ref
random_ref(uint64_t *rng)
{
    static const num_dtype types[] = {DT_U8, DT_BF16, DT_F32};
    static const int64_t steps[] = {1, 2, 3, 4, 5, 8, 16, 24, 32, 64, 100};
    rt_ref r = {.hbm = true,
                .parts = (uint32_t)pick(rng, 1, 4),
                .dtype = types[pick(rng, 0, 2)],
                .offset = pick(rng, SPAN / 2 - 120, SPAN / 2 + 120),
                .ndim = (uint32_t)pick(rng, 0, 3)};
    int64_t size = num_dtype_bytes(r.dtype);
    r.part_step = steps[pick(rng, 0, 10)] * size * pick(rng, -1, 1);
    for (uint32_t i = 0; i < r.ndim; i++) {
        r.dim[i].step = steps[pick(rng, 0, 10)] * size * pick(rng, -1, 1);
        r.dim[i].count = (uint32_t)pick(rng, 1, 4);
    }
    return r;
}

// Counts how often each byte is named.
static void
paint(const rt_ref *r, uint8_t *bytes)
{
    memset(bytes, 0, SPAN);
    for (uint32_t p = 0; p < r->parts; p++) {
        uint32_t at[NUM_DIMS] = {0};
        for (bool more = true; more;) {
            int64_t b = r->offset + (int64_t)p * r->part_step;
            for (uint32_t i = 0; i < r->ndim; i++)
                b += (int64_t)at[i] * r->dim[i].step;
            for (uint32_t k = 0; k < num_dtype_bytes(r->dtype); k++)
                bytes[b + k] = bytes[b + k] ? 2 : 1;
            uint32_t i = r->ndim;
            while (i > 0 && ++at[i - 1] == r->dim[i - 1].count)
                at[--i] = 0;
            more = i > 0;
        }
    }
}

static bool
erase_run(void *ctx, int64_t lo, int64_t hi)
{
    uint8_t *bytes = ctx;
    for (int64_t i = lo; i < hi; i++) {
        assert_true(bytes[i] > 0);
        bytes[i] |= 0x80;
    }
    return true;
}

static void
footprints_are_byte_exact(void **state)
{
    (void)state;
    static uint8_t x[SPAN], y[SPAN];
    uint64_t rng = 5;
    uint32_t met = 0, covered = 0;
    for (uint32_t n = 0; n < 8000; n++) {
        rt_ref a = random_ref(&rng), b = random_ref(&rng);
        if (n % 4 == 0) { // a part of it
            b = a;
            for (uint32_t i = 0; i < b.ndim; i++)
                b.dim[i].count = (uint32_t)pick(&rng, 1, a.dim[i].count);
        }
        fp_shape sa, sb;
        fp_normalise(&a, &sa);
        fp_normalise(&b, &sb);
        footprint fa = {&sa, a.offset + sa.delta, 0, 1};
        footprint fb = {&sb, b.offset + sb.delta, 0, 1};
        paint(&a, x);
        paint(&b, y);
        bool meet = false, inside = true, twice = false;
        for (uint32_t i = 0; i < SPAN; i++) {
            meet |= x[i] && y[i];
            inside &= x[i] || !y[i];
            twice |= x[i] > 1;
        }
        uint32_t part;
        int64_t byte;
        assert_int_equal(fp_overlap(&fa, &fb, &part, &byte),
                         meet ? FP_OVERLAP : FP_DISJOINT);
        assert_true(!meet || (x[byte] && y[byte]));
        assert_true(inside || !fp_covers(&fa, &fb));
        assert_true(fp_covers(&fa, &fa));
        assert_int_equal(fp_self_overlap(&a), twice ? FP_OVERLAP : FP_DISJOINT);
        fp_each_run(&fa, erase_run, x);
        for (uint32_t i = 0; i < SPAN; i++)
            assert_true(!x[i] || x[i] & 0x80);
        met += meet;
        covered += fp_covers(&fa, &fb);
    }
    assert_true(met > 800 && met < 7200 && covered > 20);
}

// ---- races against brute force ----------------------------------------------

// The oracle's own record of a program: what each instruction touches and does
// with tokens, in one global order in which it could run.
enum {
    STEPS_MAX = 40,
    SEMS_MAX = 32,
    EVENTS = 6 * (STEPS_MAX + SEMS_MAX + 16)
};
enum { AREA_PARTS = 16, AREA_BYTES = 64 };

typedef struct {
    bool used;
    uint32_t part, parts;
    bool byte[AREA_BYTES];
} touched;

typedef struct {
    isa_engine e;
    uint32_t queue;
    touched reads, writes;
    uint32_t waits, wait_sem[2], wait_n[2];
    uint32_t posts, post_sem[2], post_n[2];
    isa_when post_at[2];
} told;

typedef struct {
    fixture *f;
    told step[STEPS_MAX + SEMS_MAX + 16];
    uint32_t n;
    uint32_t tokens[SEMS_MAX];
    uint64_t rng;
} story;

enum { WHOLE = 1 }; // the sync engine initialises the whole area

static isa_ap
random_area(uint64_t *rng, uint32_t elems, uint32_t parts, bool aligned)
{
    uint32_t part = (uint32_t)pick(rng, 0, 3) * 4;
    isa_ap ap = {.mem = ISA_SBUF, .dtype = DT_U8, .ndim = 2};
    ap.part = aligned ? part : (uint32_t)pick(rng, 0, AREA_PARTS - parts);
    uint32_t inner = elems % 2 ? 1 : (uint32_t)pick(rng, 1, 2);
    int64_t step1 = pick(rng, 1, 3);
    int64_t step0 = step1 * inner + pick(rng, 0, 4);
    ap.dim[0].step = step0;
    ap.dim[0].count = elems / inner;
    ap.dim[1].step = step1;
    ap.dim[1].count = inner;
    int64_t reach = step0 * (elems / inner - 1) + step1 * (inner - 1);
    ap.offset = pick(rng, 0, AREA_BYTES - 1 - reach);
    return ap;
}

static touched
touch(const isa_ap *ap, uint32_t parts)
{
    touched t = {.used = true, .part = ap->part, .parts = parts};
    for (uint32_t i = 0; i < ap->dim[0].count; i++)
        for (uint32_t j = 0; j < ap->dim[1].count; j++)
            t.byte[ap->offset + i * ap->dim[0].step + j * ap->dim[1].step] =
                true;
    return t;
}

static bool
share_a_byte(const touched *a, const touched *b)
{
    if (!a->used || !b->used || a->part + a->parts <= b->part ||
        b->part + b->parts <= a->part)
        return false;
    for (uint32_t i = 0; i < AREA_BYTES; i++)
        if (a->byte[i] && b->byte[i])
            return true;
    return false;
}

static uint32_t
random_sem(story *s, bool (*fits)(const isa_sem *, const told *), const told *t,
           bool tokens)
{
    uint32_t found = SEMS_MAX, seen = 0;
    for (uint32_t i = 0; i < s->f->p.sems.n; i++)
        if (fits(&s->f->p.sems.at[i], t) && (!tokens || s->tokens[i]) &&
            rng_next(&s->rng) % ++seen == 0)
            found = i;
    return found;
}

static bool
gives(const isa_sem *sem, const told *t)
{
    return t->queue ? sem->queue == t->queue : sem->producer == t->e;
}

static bool
takes(const isa_sem *sem, const told *t)
{
    return sem->consumer == t->e;
}

static void
add_tokens(story *s, told *t, isa_insn *in)
{
    for (int k = 0; k < 2; k++) {
        uint32_t sem = random_sem(s, takes, t, true);
        if (sem == SEMS_MAX || rng_next(&s->rng) % 5 > 2 ||
            (t->waits && t->wait_sem[0] == sem))
            continue;
        uint32_t n = (uint32_t)pick(&s->rng, 1, (int64_t)s->tokens[sem]);
        t->wait_sem[t->waits] = sem;
        t->wait_n[t->waits++] = n;
        wait_for(in, sem, n);
        s->tokens[sem] -= n;
    }
    for (int k = 0; k < 2; k++) {
        uint32_t sem = random_sem(s, gives, t, false);
        if (sem == SEMS_MAX || rng_next(&s->rng) % 3 == 0)
            continue;
        isa_when when =
            t->queue || sem % 2 || sem < 3 ? ISA_AT_COMPLETE : ISA_AT_READ;
        uint32_t n = t->queue ? 1 : (uint32_t)pick(&s->rng, 1, 2);
        post(in, sem, when);
        in->update[t->posts].count = n;
        t->post_sem[t->posts] = sem;
        t->post_n[t->posts] = n;
        t->post_at[t->posts++] = when;
        s->tokens[sem] += n;
    }
}

static void
random_step(story *s)
{
    told *t = &s->step[s->n++];
    uint32_t kind = (uint32_t)(rng_next(&s->rng) % 3);
    static const isa_engine engines[] = {ISA_ENG_VECTOR, ISA_ENG_GPSIMD,
                                         ISA_ENG_SCALAR, ISA_ENG_SYNC};
    t->e = engines[rng_next(&s->rng) % 4];
    if (t->e == ISA_ENG_SYNC || (t->e == ISA_ENG_GPSIMD && kind == 0))
        t->queue = t->e == ISA_ENG_SYNC ? 1 + kind % 2 : 3;
    bool is_fill = !t->queue && t->e != ISA_ENG_SCALAR && kind == 1;
    uint32_t parts = (uint32_t)pick(&s->rng, 1, 4);
    uint32_t elems = (uint32_t)pick(&s->rng, 1, 6);
    isa_insn *in = emit(s->f, t->e,
                        t->queue  ? ISA_DMA
                        : is_fill ? ISA_FILL
                                  : ISA_COPY);
    in->queue = t->queue;
    in->parts = parts;
    do {
        in->dst = random_area(&s->rng, elems, parts, !t->queue);
        t->writes = touch(&in->dst, parts);
        if (is_fill)
            break;
        in->a = random_area(&s->rng, elems, parts, !t->queue);
        t->reads = touch(&in->a, parts);
    } while (share_a_byte(&t->reads, &t->writes));
    if (is_fill)
        in->as = NUM_AS_U32;
    add_tokens(s, t, in);
}

// A mark that waits for n tokens.
static void
drain_step(story *s, uint32_t sem, uint32_t n)
{
    told *t = &s->step[s->n++];
    t->e = s->f->p.sems.at[sem].consumer;
    t->waits = 1;
    t->wait_sem[0] = sem;
    t->wait_n[0] = n;
    wait_for(emit(s->f, t->e, ISA_MARK), sem, n);
    s->tokens[sem] -= n;
}

// Every byte is written before anything else happens, and all know it.
static void
initialise(story *s)
{
    isa_engine others[] = {ISA_ENG_GPSIMD, ISA_ENG_SCALAR, ISA_ENG_SYNC};
    for (int i = 0; i < 3; i++) {
        told *t = &s->step[s->n++];
        t->e = ISA_ENG_VECTOR;
        isa_insn *in = emit(s->f, ISA_ENG_VECTOR, i ? ISA_MARK : ISA_FILL);
        if (!i) {
            in->as = NUM_AS_U32;
            in->parts = AREA_PARTS;
            in->dst = chip(ISA_SBUF, 0, DT_U8, 0, AREA_BYTES);
            in->s0.imm = 5;
            t->writes = (touched){.used = true, .parts = AREA_PARTS};
            memset(t->writes.byte, true, AREA_BYTES);
        }
        uint32_t sem = add_sem(s->f, ISA_ENG_VECTOR, 0, others[i], 0);
        in = vec_last(&s->f->p.stream[ISA_ENG_VECTOR].code);
        post(in, sem, ISA_AT_COMPLETE);
        t->posts = 1;
        t->post_sem[0] = sem;
        t->post_n[0] = 1;
        t->post_at[0] = ISA_AT_COMPLETE;
        s->tokens[sem]++;
    }
    for (uint32_t i = 0; i < 3; i++)
        drain_step(s, i, 1);
}

static story *
random_story(uint64_t seed)
{
    fixture *f = fixture_new();
    story *s = ARENA_NEW(f->a, story);
    s->f = f;
    s->rng = seed;
    initialise(s);
    isa_engine es[] = {ISA_ENG_VECTOR, ISA_ENG_GPSIMD, ISA_ENG_SCALAR,
                       ISA_ENG_SYNC};
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < 4; j++)
            if (i != j && rng_next(&s->rng) % 4)
                s->tokens[add_sem(f, es[i], 0, es[j], 0)] = 0;
    for (uint32_t q = 1; q <= 3; q++)
        for (uint32_t j = 0; j < 4; j++)
            if (rng_next(&s->rng) % 4)
                s->tokens[add_sem(f, 0, q, es[j], 0)] = 0;
    uint32_t steps = (uint32_t)pick(&s->rng, 3, 14);
    for (uint32_t i = 0; i < steps; i++)
        random_step(s);
    for (uint32_t i = 0; i < f->p.sems.n; i++)
        if (s->tokens[i])
            drain_step(s, i, s->tokens[i]);
    end_all(f);
    return s;
}

// Events of step i: its start, its reads and writes done, a transfer's begin
// and end, and the queue's update.
enum { START, READ, WROTE, BEGIN, DONE, UPDATE };

typedef struct {
    uint64_t row[EVENTS][EVENTS / 64 + 1];
} order_matrix;

static uint32_t
event(uint32_t step, uint32_t what)
{
    return step * 6 + what;
}

static void
before(order_matrix *m, uint32_t a, uint32_t b)
{
    m->row[a][b / 64] |= (uint64_t)1 << b % 64;
}

static bool
is_before(const order_matrix *m, uint32_t a, uint32_t b)
{
    return m->row[a][b / 64] >> b % 64 & 1;
}

static void
stream_edges(const story *s, order_matrix *m)
{
    int32_t engine_last[ISA_ENG_COUNT], queue_last[ISA_QUEUES + 1];
    memset(engine_last, 0xff, sizeof engine_last);
    memset(queue_last, 0xff, sizeof queue_last);
    for (uint32_t i = 0; i < s->n; i++) {
        const told *t = &s->step[i];
        before(m, event(i, START), event(i, READ));
        before(m, event(i, READ), event(i, WROTE));
        int32_t p = engine_last[t->e];
        for (uint32_t w = START; p >= 0 && w <= WROTE; w++)
            before(m, event((uint32_t)p, w), event(i, w));
        if (t->queue) {
            before(m, event(i, START), event(i, BEGIN));
            before(m, event(i, BEGIN), event(i, DONE));
            before(m, event(i, DONE), event(i, UPDATE));
            if (p >= 0)
                before(m, event((uint32_t)p, WROTE), event(i, BEGIN));
            int32_t q = queue_last[t->queue];
            if (q >= 0)
                before(m, event((uint32_t)q, UPDATE), event(i, UPDATE));
            queue_last[t->queue] = (int32_t)i;
        }
        engine_last[t->e] = (int32_t)i;
    }
}

// The n-th token taken is the n-th given.
static void
token_edges(const story *s, order_matrix *m)
{
    for (uint32_t sem = 0; sem < s->f->p.sems.n; sem++) {
        uint32_t from[256], given = 0, taken = 0;
        for (uint32_t i = 0; i < s->n; i++) {
            const told *t = &s->step[i];
            for (uint32_t k = 0; k < t->waits; k++)
                for (uint32_t c = 0; t->wait_sem[k] == sem && c < t->wait_n[k];
                     c++)
                    before(m, from[taken++], event(i, START));
            for (uint32_t k = 0; k < t->posts; k++)
                for (uint32_t c = 0; t->post_sem[k] == sem && c < t->post_n[k];
                     c++)
                    from[given++] =
                        event(i, t->queue                       ? UPDATE
                                 : t->post_at[k] == ISA_AT_READ ? READ
                                                                : WROTE);
        }
        assert_int_equal(given, taken);
    }
}

static void
close_order(order_matrix *m, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < n; i++)
            if (is_before(m, i, k))
                for (uint32_t w = 0; w <= n / 64; w++)
                    m->row[i][w] |= m->row[k][w];
}

// Whether an access of step i surely precedes those of step j.
static bool
precedes(const story *s, const order_matrix *m, uint32_t i, bool write,
         uint32_t j)
{
    uint32_t end = s->step[i].queue ? DONE : write ? WROTE : READ;
    return is_before(m, event(i, end),
                     event(j, s->step[j].queue ? BEGIN : START));
}

static bool
pair_races(const story *s, const order_matrix *m, uint32_t i, uint32_t j)
{
    const told *x = &s->step[i], *y = &s->step[j];
    if (!x->queue && !y->queue && x->e == y->e)
        return false;
    for (int k = 1; k < 4; k++) { // bit 0: i writes, bit 1: j writes
        const touched *a = k & 1 ? &x->writes : &x->reads;
        const touched *b = k & 2 ? &y->writes : &y->reads;
        if (share_a_byte(a, b) && !precedes(s, m, i, k & 1, j) &&
            !precedes(s, m, j, k & 2, i))
            return true;
    }
    return false;
}

static bool
story_races(const story *s)
{
    order_matrix *m = ARENA_NEW(s->f->a, order_matrix);
    assert_true(event(s->n, 0) <= EVENTS);
    stream_edges(s, m);
    token_edges(s, m);
    close_order(m, s->n * 6);
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t j = i + 1; j < s->n; j++)
            if (pair_races(s, m, i, j))
                return true;
    return false;
}

// Also with an output that shows the whole area, in random orders.
static void
races_are_those_of_the_definition(void **state)
{
    (void)state;
    uint32_t racy = 0, clean = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        story *s = random_story(seed);
        bool races = story_races(s);
        rt_outcome out = rt_certify(load(s->f), &s->f->d);
        if ((out == RT_FAULT) != races) {
            print_message("seed %llu, oracle says %d\n",
                          (unsigned long long)seed, races);
            show(s->f);
        }
        assert_int_equal(out, races ? RT_FAULT : RT_DONE);
        if (races)
            assert_int_equal(s->f->d.msgs.at[0].id, D_RT_RACE);
        racy += races;
        clean += !races;
        fixture_free(s->f);
    }
    assert_true(racy > 500 && clean > 300);
}

// ---- everything -------------------------------------------------------------

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
        cmocka_unit_test(weights_that_do_not_fit),
        cmocka_unit_test(psum_offsets_by_register),
        cmocka_unit_test(instruction_limit),
        cmocka_unit_test(host_memory_limit),
        cmocka_unit_test(rejects_malformed_streams),
        cmocka_unit_test(rejects_nine_loops),
        cmocka_unit_test(rejects_wrong_semaphores),
        cmocka_unit_test(rejects_wrong_tables),
        cmocka_unit_test(rejects_a_queue_with_two_feeders),
        cmocka_unit_test(rejects_control_with_tokens),
        cmocka_unit_test(objects_run_like_their_program),
        cmocka_unit_test(hostile_objects),
        cmocka_unit_test(hostile_instructions),
        cmocka_unit_test(footprints_are_byte_exact),
        cmocka_unit_test(races_are_those_of_the_definition),
    };
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
