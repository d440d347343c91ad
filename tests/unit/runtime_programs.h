// SPDX-License-Identifier: Apache-2.0
// Machine programs assembled by hand, for the tests of the runtime.
#ifndef SY_TEST_RUNTIME_PROGRAMS_H
#define SY_TEST_RUNTIME_PROGRAMS_H

#include "runtime/runtime_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// ---- building programs

typedef struct {
    arena *a;
    diags d;
    isa_program p;
    uint8_t *bind[8];
} fixture;

static inline fixture *
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

static inline void
fixture_free(fixture *f)
{
    arena_free(f->a);
}

static inline uint32_t
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

static inline uint32_t
add_sem(fixture *f, isa_engine producer, uint32_t queue, isa_engine consumer,
        uint32_t initial)
{
    vec_push(f->a, &f->p.sems, (isa_sem){producer, queue, consumer, initial});
    return f->p.sems.n - 1;
}

static inline isa_insn *
emit(fixture *f, isa_engine e, isa_opcode op)
{
    isa_insn *in = vec_add(f->a, &f->p.stream[e].code);
    *in = (isa_insn){.op = op};
    return in;
}

static inline void
end_all(fixture *f)
{
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
        emit(f, e, ISA_END);
}

static inline void
wait_for(isa_insn *in, uint32_t sem, uint32_t count)
{
    uint32_t i = 0;
    while (in->wait[i].count)
        i++;
    in->wait[i] = (isa_wait){sem, count};
}

static inline void
post(isa_insn *in, uint32_t sem, isa_when when)
{
    uint32_t i = 0;
    while (in->update[i].count)
        i++;
    in->update[i] = (isa_update){sem, 1, when};
}

static inline isa_ap
chip(isa_mem mem, uint32_t part, num_dtype dtype, int64_t offset, uint32_t n)
{
    isa_ap ap = {
        .mem = mem, .part = part, .dtype = dtype, .offset = offset, .ndim = 1};
    ap.dim[0].step = 1;
    ap.dim[0].count = n;
    return ap;
}

static inline isa_ap
sbuf(int64_t offset, uint32_t n)
{
    return chip(ISA_SBUF, 0, DT_F32, offset, n);
}

// Rows of a tensor on partitions.
static inline isa_ap
hbm(uint32_t tensor, num_dtype dtype, int64_t elem, int64_t row, uint32_t n)
{
    isa_ap ap =
        chip(ISA_HBM, tensor, dtype, elem * (int64_t)num_dtype_bytes(dtype), n);
    ap.pstep = row;
    return ap;
}

static inline isa_insn *
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

static inline isa_insn *
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

static inline isa_insn *
fill(fixture *f, isa_engine e, uint32_t parts, isa_ap dst, float value)
{
    isa_insn *in = emit(f, e, ISA_FILL);
    in->as = NUM_AS_F32;
    in->parts = parts;
    in->dst = dst;
    in->s0.imm = num_word_f32(value);
    return in;
}

static inline isa_insn *
copy(fixture *f, isa_engine e, uint32_t parts, isa_ap dst, isa_ap a)
{
    isa_insn *in = emit(f, e, ISA_COPY);
    in->parts = parts;
    in->dst = dst;
    in->a = a;
    return in;
}

static inline isa_insn *
loop(fixture *f, isa_engine e, uint64_t count, uint32_t body)
{
    isa_insn *in = emit(f, e, ISA_LOOP);
    in->count = count;
    in->body = body;
    return in;
}

static inline isa_insn *
reg(fixture *f, isa_engine e)
{
    return emit(f, e, ISA_REG);
}

static inline isa_insn *
uop(isa_insn *in, isa_uop_kind kind, uint32_t rd, uint32_t ra, uint32_t rb,
    int64_t imm)
{
    uint32_t i = 0;
    while (in->uop[i].kind)
        i++;
    in->uop[i] = (isa_uop){kind, rd, ra, rb, imm};
    return in;
}

// ---- running

static inline void
show(const fixture *f)
{
    for (uint32_t i = 0; i < f->d.msgs.n; i++) {
        print_message("  E%04u %s\n", diag_number(f->d.msgs.at[i].id),
                      f->d.msgs.at[i].text);
        for (uint32_t k = 0; k < f->d.msgs.at[i].notes.n; k++)
            print_message("    %s\n", f->d.msgs.at[i].notes.at[k].text);
    }
}

static inline rt_program *
load(fixture *f)
{
    rt_program *p = rt_from_program(f->a, &f->p, &f->d);
    if (!p)
        show(f);
    assert_non_null(p);
    return p;
}

static inline void
run_ok(fixture *f, const rt_program *p, const rt_order *order)
{
    rt_outcome out = rt_interpret(p, order, f->bind, &f->d);
    if (out != RT_DONE)
        show(f);
    assert_int_equal(out, RT_DONE);
}

static inline void
expect_fault(fixture *f, diag_id id)
{
    rt_program *p = load(f);
    assert_int_equal(rt_certify(p, &f->d), RT_FAULT);
    assert_int_equal(f->d.msgs.n, 1);
    if (f->d.msgs.at[0].id != id)
        show(f);
    assert_int_equal(f->d.msgs.at[0].id, id);
}

static inline void
expect_rejected(fixture *f, diag_id id)
{
    assert_null(rt_from_program(f->a, &f->p, &f->d));
    assert_true(f->d.msgs.n > 0);
    if (f->d.msgs.at[0].id != id)
        show(f);
    assert_int_equal(f->d.msgs.at[0].id, id);
}

static inline bool
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

static inline float *
floats(const fixture *f, uint32_t tensor)
{
    return (float *)(void *)f->bind[tensor];
}

#endif
