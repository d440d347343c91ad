// SPDX-License-Identifier: Apache-2.0
// Tensor functions drawn at random, of all constructs, and an evaluator for
// them that goes element by element through the definition.
#ifndef SY_TESTS_TENSOR_RANDOM_H
#define SY_TESTS_TENSOR_RANDOM_H

#include "tests/unit/tensor_text.h"

#include <math.h>

// ---- the oracle

static void **
new_buffers(const tir_fn *fn)
{
    void **buf = ARENA_ARRAY(mem, fn->tensors.n, void *);
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        const tir_tensor *tensor = &fn->tensors.at[t];
        size_t n = (size_t)tir_elems(tensor) * num_dtype_bytes(tensor->dtype);
        buf[t] = arena_alloc(mem, n + 1);
        if (tensor->kind == TIR_CONST && n)
            memcpy(buf[t], tensor->data, n);
        else if (tensor->kind != TIR_INPUT)
            memset(buf[t], 0xa5, n);
    }
    return buf;
}

// Element of 'at' in row-major order, or -1 outside.
static int64_t
position(const tir_tensor *t, const int64_t *at)
{
    int64_t pos = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        if (at[d] < 0 || at[d] >= t->shape[d])
            return -1;
        pos = pos * t->shape[d] + at[d];
    }
    return pos;
}

static int64_t
value_of(const tir_aff *aff, const int64_t *idx)
{
    int64_t v = aff->c;
    for (uint32_t x = 0; x < TIR_INDICES; x++)
        v += aff->k[x] * idx[x];
    return v;
}

static num_word plain_node(const tir_fn *fn, const tir_op *op, uint32_t node,
                           const int64_t *idx, void *const *buf);

// Position of the element read or written, or -1.
static int64_t
plain_place(const tir_fn *fn, const tir_op *op, const tir_read *r,
            const int64_t *idx, void *const *buf)
{
    const tir_tensor *t = &fn->tensors.at[r->tensor];
    int64_t at[TIR_RANK];
    for (uint32_t d = 0; d < t->rank; d++) {
        at[d] = value_of(&r->sub[d], idx);
        if (r->dyn[d])
            at[d] += (int32_t)plain_node(fn, op, r->dyn[d], idx, buf);
    }
    return position(t, at);
}

static num_word
plain_read(const tir_fn *fn, const tir_op *op, const tir_read *r,
           const int64_t *idx, void *const *buf)
{
    const tir_tensor *t = &fn->tensors.at[r->tensor];
    int64_t pos = plain_place(fn, op, r, idx, buf);
    if (pos < 0) {
        assert_true(r->has_fill);
        return r->fill;
    }
    return num_load(t->dtype, (const char *)buf[r->tensor] +
                                  pos * num_dtype_bytes(t->dtype));
}

static num_word
plain_node(const tir_fn *fn, const tir_op *op, uint32_t node,
           const int64_t *idx, void *const *buf)
{
    const tir_node *n = &op->nodes.at[node];
    num_word x[3] = {0};
    num_as as = op->nodes.at[n->arg[0]].as;
    uint32_t args = n->kind == TIR_N_SELECT   ? 3
                    : n->kind == TIR_N_BINARY ? 2
                    : n->kind == TIR_N_UNARY  ? 1
                    : n->kind == TIR_N_CAST   ? 1
                                              : 0;
    unsigned char cell[4];
    for (uint32_t k = 0; k < args; k++)
        x[k] = plain_node(fn, op, n->arg[k], idx, buf);
    if (n->kind == TIR_N_CONST)
        return n->imm;
    if (n->kind == TIR_N_AFFINE)
        return (num_word)value_of(&n->aff, idx);
    if (n->kind == TIR_N_READ || n->kind == TIR_N_GATHER)
        return plain_read(fn, op, &op->reads.at[n->read], idx, buf);
    if (n->kind == TIR_N_UNARY)
        return num_apply1(n->func1, as, x[0]);
    if (n->kind == TIR_N_BINARY)
        return num_apply2(n->func2, as, x[0], x[1]);
    if (n->kind == TIR_N_SELECT)
        return x[0] ? x[1] : x[2];
    num_store(n->to, cell, as, x[0]);
    return num_load(n->to, cell);
}

static bool
next_index(const tir_op *op, int64_t *idx, uint32_t from, uint32_t to)
{
    for (uint32_t x = to; x-- > from;) {
        if (++idx[x] < op->extent[x])
            return true;
        idx[x] = 0;
    }
    return false;
}

static bool
is_space_empty(const tir_op *op, uint32_t from, uint32_t to)
{
    for (uint32_t x = from; x < to; x++)
        if (!op->extent[x])
            return true;
    return false;
}

// A map or a reduction; only the elements with the given time, unless it is -1.
static void
plain_op(const tir_fn *fn, const tir_op *op, int64_t time, void *const *buf)
{
    const tir_tensor *t = &fn->tensors.at[op->out];
    int64_t idx[TIR_INDICES] = {0};
    num_as as = op->nodes.at[op->root].as;
    uint32_t end = op->nout + op->nred;
    if (is_space_empty(op, 0, op->nout))
        return;
    do {
        num_word acc;
        if (time >= 0 && idx[op->time] != time)
            continue;
        if (op->reduce == NUM_R_NONE) {
            acc = plain_node(fn, op, op->root, idx, buf);
        } else {
            acc = num_reduce_identity(op->reduce, as);
            if (!is_space_empty(op, op->nout, end))
                do
                    acc =
                        num_reduce_step(op->reduce, as, acc,
                                        plain_node(fn, op, op->root, idx, buf));
                while (next_index(op, idx, op->nout, end));
        }
        num_store(t->dtype,
                  (char *)buf[op->out] +
                      position(t, idx) * num_dtype_bytes(t->dtype),
                  as, acc);
    } while (next_index(op, idx, 0, op->nout));
}

static char *
element_at(const tir_fn *fn, uint32_t t, int64_t pos, void *const *buf)
{
    return (char *)buf[t] + pos * num_dtype_bytes(fn->tensors.at[t].dtype);
}

static void
plain_scatter(const tir_fn *fn, const tir_op *op, void *const *buf)
{
    const tir_tensor *t = &fn->tensors.at[op->out];
    num_as as = num_widened(t->dtype);
    num_word first =
        op->reduce == NUM_R_NONE ? 0 : num_reduce_identity(op->reduce, as);
    int64_t idx[TIR_INDICES] = {0};
    for (int64_t e = 0; e < tir_elems(t); e++)
        if (op->init == TIR_ABSENT)
            num_store(t->dtype, element_at(fn, op->out, e, buf), as, first);
        else
            memcpy(element_at(fn, op->out, e, buf),
                   element_at(fn, op->init, e, buf), num_dtype_bytes(t->dtype));
    if (is_space_empty(op, 0, op->nout))
        return;
    do {
        if (op->guard && !plain_node(fn, op, op->guard, idx, buf))
            continue;
        int64_t pos = plain_place(fn, op, &op->target, idx, buf);
        assert_true(pos >= 0);
        char *p = element_at(fn, op->out, pos, buf);
        num_word x = plain_node(fn, op, op->root, idx, buf);
        if (op->reduce != NUM_R_NONE)
            x = num_reduce_step(op->reduce, as, num_load(t->dtype, p), x);
        num_store(t->dtype, p, as, x);
    } while (next_index(op, idx, 0, op->nout));
}

// Whether x stands before y, by value alone.
static bool
plain_before(num_as as, num_word x, num_word y, bool descending)
{
    double a = as == NUM_AS_F32   ? (double)num_f32(x)
               : as == NUM_AS_I32 ? (double)(int32_t)x
                                  : (double)x;
    double b = as == NUM_AS_F32   ? (double)num_f32(y)
               : as == NUM_AS_I32 ? (double)(int32_t)y
                                  : (double)y;
    a = isnan(a) ? 0x1p200 : isinf(a) ? copysign(0x1p190, a) : a;
    b = isnan(b) ? 0x1p200 : isinf(b) ? copysign(0x1p190, b) : b;
    return descending ? a > b : a < b;
}

// Every element of out by counting: its rank in its row.
static void
plain_sort(const tir_fn *fn, const tir_op *op, void *const *buf)
{
    const tir_tensor *x = &fn->tensors.at[op->src];
    const tir_tensor *t = &fn->tensors.at[op->out];
    num_as as = num_widened(x->dtype);
    int64_t n = x->shape[op->axis];
    for (int64_t e = 0; e < tir_elems(x); e++) {
        int64_t at[TIR_RANK], rest = e, rank = 0, step = 1;
        for (uint32_t d = x->rank; d-- > 0; rest /= x->shape[d])
            at[d] = rest % x->shape[d];
        for (uint32_t d = op->axis + 1; d < x->rank; d++)
            step *= x->shape[d];
        int64_t mine = at[op->axis];
        num_word w = num_load(x->dtype, element_at(fn, op->src, e, buf));
        for (int64_t i = 0; i < n; i++) {
            num_word other = num_load(
                x->dtype, element_at(fn, op->src, e + (i - mine) * step, buf));
            rank += plain_before(as, other, w, op->descending) ||
                    (i < mine && !plain_before(as, w, other, op->descending));
        }
        at[op->axis] = rank;
        int64_t pos = position(t, at);
        if (pos >= 0)
            num_store(t->dtype, element_at(fn, op->out, pos, buf),
                      op->positions ? NUM_AS_I32 : as,
                      op->positions ? (num_word)mine : w);
    }
}

// One operation or one recurrence; the number of the next.
static uint32_t
plain_at(const tir_fn *fn, uint32_t o, void *const *buf)
{
    const tir_op *op = &fn->ops.at[o];
    uint32_t end = o + 1;
    if (op->kind == TIR_SCATTER)
        plain_scatter(fn, op, buf);
    else if (op->kind == TIR_SORT)
        plain_sort(fn, op, buf);
    else if (op->kind == TIR_RESHAPE)
        memcpy(buf[op->out], buf[op->src],
               (size_t)tir_elems(&fn->tensors.at[op->out]) *
                   num_dtype_bytes(fn->tensors.at[op->out].dtype));
    else if (!op->group)
        plain_op(fn, op, -1, buf);
    if (!op->group)
        return end;
    while (end < fn->ops.n && fn->ops.at[end].group == op->group)
        end++;
    int64_t extent = op->extent[op->time];
    for (int64_t s = 0; s < extent; s++)
        for (uint32_t i = o; i < end; i++)
            plain_op(fn, &fn->ops.at[i], op->backward ? extent - 1 - s : s,
                     buf);
    return end;
}

static void
plain_eval(const tir_fn *fn, void *const *buf)
{
    num_env env = num_env_enter();
    for (uint32_t o = 0; o < fn->ops.n;)
        o = plain_at(fn, o, buf);
    num_env_leave(env);
}

static void
eval_ok(const tir_fn *fn, void *const *buf)
{
    diags d;
    diags_init(&d, mem);
    if (!tir_eval(fn, buf, &d))
        fail_msg("%s\n%s", d.msgs.n ? d.msgs.at[0].text : "?", text_of(fn));
}

static uint32_t
find_tensor(const tir_fn *fn, const char *name)
{
    for (uint32_t t = 0; t < fn->tensors.n; t++)
        if (!strcmp(fn->tensors.at[t].name, name))
            return t;
    fail_msg("no tensor '%s'", name);
    return 0;
}

static void
assert_same_tensor(const tir_fn *f, void *const *fb, const tir_fn *g,
                   void *const *gb, const char *name)
{
    const tir_tensor *t = &f->tensors.at[find_tensor(f, name)];
    size_t n = (size_t)tir_elems(t) * num_dtype_bytes(t->dtype);
    if (memcmp(fb[find_tensor(f, name)], gb[find_tensor(g, name)], n))
        fail_msg("'%s' differs:\n%s%s", name, text_of(f), text_of(g));
}

static void
assert_same_outputs(const tir_fn *f, void *const *fb, const tir_fn *g,
                    void *const *gb)
{
    for (uint32_t t = 0; t < f->tensors.n; t++)
        if (f->tensors.at[t].kind == TIR_OUTPUT)
            assert_same_tensor(f, fb, g, gb, f->tensors.at[t].name);
}

static void
copy_inputs(const tir_fn *f, void *const *fb, const tir_fn *g, void **gb)
{
    for (uint32_t t = 0; t < f->tensors.n; t++)
        if (f->tensors.at[t].kind == TIR_INPUT)
            gb[find_tensor(g, f->tensors.at[t].name)] = fb[t];
}

// Small numbers, some special ones.
static void
draw_inputs(const tir_fn *fn, void *const *buf, uint64_t *seed, bool special)
{
    static const uint32_t odd[] = {0x7f800000, 0xff800000, 0x7fc00000,
                                   0x80000000, 1,          0x7f7fffff};
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        const tir_tensor *tensor = &fn->tensors.at[t];
        if (tensor->kind != TIR_INPUT)
            continue;
        num_as as = num_widened(tensor->dtype);
        for (int64_t e = 0; e < tir_elems(tensor); e++) {
            uint64_t r = rng_next(seed);
            num_word w = (num_word)(r % 23) - (as == NUM_AS_U32 ? 0 : 11);
            if (as == NUM_AS_F32)
                w = special && r >> 32 & 1 && !(r >> 33 & 15)
                        ? odd[r % ARRAY_LEN(odd)]
                        : num_word_f32((float)(r % 4001) / 1000 - 2);
            num_store(tensor->dtype,
                      (char *)buf[t] + e * num_dtype_bytes(tensor->dtype), as,
                      w);
        }
    }
}

// ---- random functions

typedef struct {
    tir_fn *fn;
    uint64_t seed;
    bool no_float;
    // The recurrence being made: tensors [first, first + n), their time at
    // dimension 'time' of each.
    uint32_t first, n, time[4];
} maker;

static uint32_t
pick(maker *m, uint32_t n)
{
    return (uint32_t)(rng_next(&m->seed) >> 20) % n;
}

static uint32_t gen_expr(maker *m, tir_op *op, num_as as, uint32_t depth);

static uint32_t
gen_const(maker *m, tir_op *op, num_as as)
{
    static const float floats[] = {0, -0.0F, 1, -1, 0.5F, 3, 1e-3F, 100};
    num_word w = pick(m, 5);
    if (as == NUM_AS_F32)
        w = num_word_f32(floats[pick(m, ARRAY_LEN(floats))]);
    if (as == NUM_AS_I32)
        w -= 2;
    if (as == NUM_AS_BOOL)
        w &= 1;
    return tir_const(m->fn, op, as, w);
}

// In range where it can be; true if it is.
static bool
gen_sub(maker *m, const tir_op *op, int64_t extent, tir_aff *out)
{
    uint32_t n = op->nout + op->nred, x = n ? pick(m, n) : 0;
    *out = (tir_aff){0};
    if (n && op->extent[x] <= extent && pick(m, 4)) {
        out->k[x] = 1;
        if (op->extent[x] > 0 && !pick(m, 4)) {
            out->k[x] = -1;
            out->c = op->extent[x] - 1;
        } else if (op->extent[x] < extent && !pick(m, 3)) {
            out->c = 1;
        }
        return true;
    }
    if (!pick(m, 3) && n) {
        out->k[x] = (int64_t)pick(m, 5) - 2;
        out->k[pick(m, n)] += 1;
        out->c = (int64_t)pick(m, 7) - 3;
        return false;
    }
    out->c = extent > 0 ? pick(m, (uint32_t)extent) : 0;
    return extent > 0;
}

// An i32 to subscript a dimension with: index arithmetic or anything, limited
// to the extent unless 'is_free'.
static uint32_t
gen_dyn(maker *m, tir_op *op, int64_t extent, bool is_free)
{
    static const num_binary f2[] = {NUM_DIV, NUM_MOD};
    tir_fn *fn = m->fn;
    uint32_t x = 0;
    if (pick(m, 3)) {
        tir_aff aff = {.c = pick(m, 4)};
        for (uint32_t i = 0; i < op->nout + op->nred; i++)
            aff.k[i] = pick(m, 3);
        x = tir_affine(fn, op, &aff);
        for (uint32_t n = 1 + pick(m, 2); n > 0; n--)
            x = tir_binary(fn, op, f2[pick(m, 2)], x,
                           tir_const(fn, op, NUM_AS_I32, 1 + pick(m, 4)));
    } else {
        x = gen_expr(m, op, NUM_AS_I32, 1);
    }
    if (is_free)
        return x;
    x = tir_binary(fn, op, NUM_MAX, x, tir_const(fn, op, NUM_AS_I32, 0));
    return tir_binary(fn, op, NUM_MIN, x,
                      tir_const(fn, op, NUM_AS_I32, (num_word)(extent - 1)));
}

// Makes some subscripts depend on data.
static void
gen_dynamic(maker *m, tir_op *op, tir_read *r)
{
    const int64_t *shape = m->fn->tensors.at[r->tensor].shape;
    for (uint32_t d = 0; d < m->fn->tensors.at[r->tensor].rank; d++) {
        if (!r->has_fill && !shape[d])
            return;
        if (!pick(m, 2))
            continue;
        if (pick(m, 2))
            r->sub[d] = (tir_aff){0};
        bool is_plain = !memcmp(&r->sub[d], &(tir_aff){0}, sizeof r->sub[d]);
        bool is_free = r->has_fill && pick(m, 2);
        r->has_fill = r->has_fill || !is_plain;
        r->dyn[d] = gen_dyn(m, op, shape[d], is_free);
    }
}

// What the recurrence computes, at an earlier time or, if it is there already,
// at this one.
static void
gen_time(maker *m, const tir_op *op, uint32_t t, tir_read *r)
{
    uint32_t d = m->time[t - m->first];
    int64_t back = t < op->out && !pick(m, 2) ? 0 : 1 + pick(m, 2);
    r->dyn[d] = 0;
    r->sub[d] = (tir_aff){.c = op->backward ? back : -back};
    r->sub[d].k[op->time] = 1;
    r->has_fill = r->has_fill || back;
}

static bool
is_of_recurrence(const maker *m, uint32_t t)
{
    return t >= m->first && t < m->first + m->n;
}

static bool
is_readable(const maker *m, const tir_op *op, uint32_t t, num_as as)
{
    const tir_tensor *tensor = &m->fn->tensors.at[t];
    if (op->group && is_of_recurrence(m, t))
        return num_widened(tensor->dtype) == as;
    if (t == op->out || num_widened(tensor->dtype) != as)
        return false;
    bool is_defined = tensor->kind == TIR_INPUT;
    for (uint32_t o = 0; o + 1 < m->fn->ops.n; o++)
        is_defined = is_defined || m->fn->ops.at[o].out == t;
    return is_defined;
}

static uint32_t
gen_read(maker *m, tir_op *op, num_as as)
{
    uint32_t n = m->fn->tensors.n, t = pick(m, n);
    for (uint32_t i = 0; i < n && !is_readable(m, op, t, as); i++)
        t = (t + 1) % n;
    if (!is_readable(m, op, t, as))
        return gen_const(m, op, as);
    tir_read r = {.tensor = t};
    for (uint32_t d = 0; d < m->fn->tensors.at[t].rank; d++)
        if (!gen_sub(m, op, m->fn->tensors.at[t].shape[d], &r.sub[d]))
            r.has_fill = true;
    if (!r.has_fill && !pick(m, 8))
        r.has_fill = true;
    if (!pick(m, 4))
        gen_dynamic(m, op, &r);
    if (op->group && is_of_recurrence(m, t))
        gen_time(m, op, t, &r);
    if (r.has_fill)
        r.fill =
            as == NUM_AS_F32 ? num_word_f32(pick(m, 2) ? 0 : 0.1F) : pick(m, 2);
    return tir_gather(m->fn, op, &r);
}

static uint32_t
gen_float(maker *m, tir_op *op, uint32_t depth)
{
    static const num_unary f1[] = {NUM_NEG,  NUM_EXP, NUM_SQRT, NUM_TANH,
                                   NUM_GELU, NUM_ABS, NUM_FLOOR};
    static const num_binary f2[] = {NUM_ADD, NUM_SUB, NUM_MUL,
                                    NUM_DIV, NUM_MAX, NUM_MIN};
    static const num_dtype to[] = {DT_BF16, DT_F16, DT_F8E4M3, DT_F32};
    tir_fn *fn = m->fn;
    uint32_t x = gen_expr(m, op, NUM_AS_F32, depth);
    switch (pick(m, 4)) {
    case 0: return tir_unary(fn, op, f1[pick(m, ARRAY_LEN(f1))], x);
    case 1: return tir_cast(fn, op, to[pick(m, ARRAY_LEN(to))], x);
    case 2: return tir_cast(fn, op, DT_F32, gen_expr(m, op, NUM_AS_I32, depth));
    default: break;
    }
    return tir_binary(fn, op, f2[pick(m, ARRAY_LEN(f2))], x,
                      gen_expr(m, op, NUM_AS_F32, depth));
}

static uint32_t
gen_int(maker *m, tir_op *op, num_as as, uint32_t depth)
{
    static const num_binary f2[] = {NUM_ADD, NUM_SUB, NUM_MUL, NUM_DIV,
                                    NUM_MOD, NUM_MIN, NUM_XOR, NUM_SHR};
    tir_aff aff = {.c = pick(m, 5)};
    if (op->nout)
        aff.k[pick(m, op->nout)] = 2;
    uint32_t kind = pick(m, 4);
    if (kind == 0 && !m->no_float)
        return tir_cast(m->fn, op, as == NUM_AS_I32 ? DT_I8 : DT_U16,
                        gen_expr(m, op, NUM_AS_F32, depth));
    if (kind == 1)
        return tir_cast(m->fn, op, as == NUM_AS_I32 ? DT_I32 : DT_U32,
                        tir_affine(m->fn, op, &aff));
    uint32_t x = gen_expr(m, op, as, depth);
    return tir_binary(m->fn, op, f2[pick(m, ARRAY_LEN(f2))], x,
                      gen_expr(m, op, as, depth));
}

static uint32_t
gen_bool(maker *m, tir_op *op, uint32_t depth)
{
    static const num_binary cmp[] = {NUM_EQ, NUM_NE, NUM_LT, NUM_GE};
    if (!pick(m, 3)) {
        uint32_t a = gen_expr(m, op, NUM_AS_BOOL, depth);
        uint32_t b = gen_expr(m, op, NUM_AS_BOOL, depth);
        return tir_binary(m->fn, op, pick(m, 2) ? NUM_AND : NUM_OR, a, b);
    }
    num_as as = pick(m, 2) && !m->no_float ? NUM_AS_F32 : NUM_AS_I32;
    uint32_t a = gen_expr(m, op, as, depth), b = gen_expr(m, op, as, depth);
    return tir_binary(m->fn, op, cmp[pick(m, ARRAY_LEN(cmp))], a, b);
}

static uint32_t
gen_expr(maker *m, tir_op *op, num_as as, uint32_t depth)
{
    if (!depth || !pick(m, 5))
        return pick(m, 4) ? gen_read(m, op, as) : gen_const(m, op, as);
    depth--;
    if (!pick(m, 6)) {
        uint32_t c = gen_expr(m, op, NUM_AS_BOOL, depth);
        uint32_t x = gen_expr(m, op, as, depth);
        return tir_select(m->fn, op, c, x, gen_expr(m, op, as, depth));
    }
    if (as == NUM_AS_F32)
        return gen_float(m, op, depth);
    return as == NUM_AS_BOOL ? gen_bool(m, op, depth)
                             : gen_int(m, op, as, depth);
}

static uint32_t
gen_tensor(maker *m, tir_kind kind)
{
    static const num_dtype types[] = {DT_F32, DT_F32, DT_BF16, DT_F16,
                                      DT_I32, DT_I8,  DT_U16,  DT_BOOL};
    int64_t shape[3];
    uint32_t rank = pick(m, 4);
    for (uint32_t d = 0; d < rank; d++)
        shape[d] = pick(m, 40) ? (pick(m, 3) ? 4 : 1 + pick(m, 6)) : 0;
    uint32_t floats = m->no_float ? 4 : 0;
    num_dtype t = types[floats + pick(m, ARRAY_LEN(types) - floats)];
    const char *name = arena_printf(mem, "t%u", m->fn->tensors.n);
    return tir_add_tensor(m->fn, name, kind, t, rank, shape);
}

static tir_op *
gen_op(maker *m, uint32_t out, bool is_timed)
{
    static const num_reduce arith[] = {NUM_R_SUM, NUM_R_SUM, NUM_R_PROD,
                                       NUM_R_MAX, NUM_R_MIN};
    num_as as = num_widened(m->fn->tensors.at[out].dtype);
    num_reduce r = NUM_R_NONE;
    int64_t red[2] = {pick(m, 20) ? 4 : 0, 1 + pick(m, 5)};
    if (!pick(m, 3))
        r = as == NUM_AS_BOOL ? (pick(m, 2) ? NUM_R_ANY : NUM_R_ALL)
                              : arith[pick(m, ARRAY_LEN(arith))];
    tir_op *op =
        tir_add_op(m->fn, out, r, r == NUM_R_NONE ? 0 : pick(m, 3), red);
    if (is_timed) {
        const tir_op *before = op - 1;
        op->time = m->time[out - m->first];
        op->group = out == m->first ? tir_new_group(m->fn) : before->group;
        op->backward = out == m->first ? pick(m, 2) : before->backward;
    }
    if (as == NUM_AS_F32 && r == NUM_R_SUM && pick(m, 2)) {
        uint32_t x = gen_expr(m, op, as, 1);
        op->root = tir_binary(m->fn, op, NUM_MUL, x, gen_expr(m, op, as, 1));
    } else {
        op->root = gen_expr(m, op, as, 3);
    }
    return op;
}

// One to three tensors over a common time.
static void
gen_recurrence(maker *m, tir_kind kind)
{
    int64_t extent = pick(m, 20) ? 1 + pick(m, 5) : 0;
    m->first = m->fn->tensors.n;
    m->n = 1 + pick(m, 3);
    for (uint32_t i = 0; i < m->n; i++) {
        uint32_t id = gen_tensor(m, i + 1 == m->n ? kind : TIR_TEMP);
        tir_tensor *t = &m->fn->tensors.at[id];
        uint32_t d = m->time[i] = pick(m, t->rank + 1);
        memmove(&t->shape[d + 1], &t->shape[d],
                (t->rank - d) * sizeof t->shape[0]);
        t->shape[d] = extent;
        t->rank++;
    }
    for (uint32_t i = 0; i < m->n; i++)
        (void)gen_op(m, m->first + i, true);
    m->n = 0;
}

static uint32_t
find_source(maker *m, uint32_t least_rank)
{
    const tir_op none = {.out = TIR_ABSENT};
    for (uint32_t i = 0; i < 20; i++) {
        uint32_t t = pick(m, m->fn->tensors.n);
        const tir_tensor *x = &m->fn->tensors.at[t];
        // Every operation so far counts as defined.
        vec_push(mem, &m->fn->ops, none);
        bool ok = is_readable(m, &none, t, num_widened(x->dtype));
        m->fn->ops.n--;
        if (ok && x->rank >= least_rank)
            return t;
    }
    return TIR_ABSENT;
}

static void
gen_whole(maker *m, tir_kind kind)
{
    bool is_sort = pick(m, 2), positions = is_sort && pick(m, 2);
    uint32_t src = find_source(m, is_sort ? 1 : 0);
    if (src == TIR_ABSENT) {
        (void)gen_op(m, gen_tensor(m, kind), false);
        return;
    }
    tir_tensor x = m->fn->tensors.at[src];
    const char *name = arena_printf(mem, "t%u", m->fn->tensors.n);
    uint32_t axis = is_sort ? pick(m, x.rank) : 0;
    if (is_sort) {
        x.shape[axis] -= x.shape[axis] && !pick(m, 2);
        uint32_t out = tir_add_tensor(
            m->fn, name, kind, positions ? DT_I32 : x.dtype, x.rank, x.shape);
        tir_add_sort(m->fn, out, src, axis, pick(m, 2), positions);
        return;
    }
    int64_t shape[2] = {tir_elems(&x), 1};
    if (shape[0] % 4 == 0 && pick(m, 2)) {
        shape[0] /= 4;
        shape[1] = 4;
    }
    tir_add_reshape(m->fn, tir_add_tensor(m->fn, name, kind, x.dtype, 2, shape),
                    src);
}

static void
gen_scatter(maker *m, tir_kind kind)
{
    static const num_reduce steps[] = {NUM_R_NONE, NUM_R_SUM, NUM_R_MAX,
                                       NUM_R_MIN};
    uint32_t src = pick(m, 2) ? find_source(m, 0) : TIR_ABSENT;
    uint32_t out = gen_tensor(m, kind), nidx = pick(m, 4);
    tir_tensor *t = &m->fn->tensors.at[out];
    num_as as = num_widened(t->dtype);
    num_reduce r = steps[as == NUM_AS_BOOL ? 0 : pick(m, 4)];
    int64_t extent[3] = {pick(m, 9) ? 5 : 0, 1 + pick(m, 4), 3};
    if (r != NUM_R_NONE)
        t->dtype = as == NUM_AS_F32 ? DT_F32 : DT_I32;
    if (src != TIR_ABSENT &&
        (r == NUM_R_NONE || m->fn->tensors.at[src].dtype == DT_F32)) {
        const tir_tensor *x = &m->fn->tensors.at[src];
        t->dtype = x->dtype;
        t->rank = x->rank;
        memcpy(t->shape, x->shape, sizeof t->shape);
    } else {
        src = TIR_ABSENT;
    }
    if (num_widened(t->dtype) == NUM_AS_BOOL)
        r = NUM_R_NONE;
    bool is_empty = tir_elems(t) == 0;
    tir_op *op = tir_add_scatter(m->fn, out, r, src, nidx, extent);
    for (uint32_t d = 0; d < t->rank; d++)
        if (is_empty || !gen_sub(m, op, m->fn->tensors.at[out].shape[d],
                                 &op->target.sub[d])) {
            op->target.sub[d] = (tir_aff){0};
            op->target.dyn[d] =
                gen_dyn(m, op, m->fn->tensors.at[out].shape[d], false);
        }
    if (is_empty)
        op->guard = tir_const(m->fn, op, NUM_AS_BOOL, 0);
    else if (pick(m, 2))
        op->guard = gen_expr(m, op, NUM_AS_BOOL, 2);
    op->root = gen_expr(m, op, num_widened(m->fn->tensors.at[out].dtype), 2);
}

static void
gen_any(maker *m, tir_kind kind)
{
    switch (pick(m, 10)) {
    case 0:
    case 1: gen_recurrence(m, kind); break;
    case 2: gen_whole(m, kind); break;
    case 3: gen_scatter(m, kind); break;
    default: (void)gen_op(m, gen_tensor(m, kind), false); break;
    }
}

static tir_fn *
gen_fn(uint64_t seed, bool no_float)
{
    maker m = {
        .fn = tir_fn_new(mem, "random"), .seed = seed, .no_float = no_float};
    for (uint32_t i = 0; i < 4; i++)
        (void)gen_tensor(&m, TIR_INPUT);
    uint32_t n = 2 + pick(&m, 6);
    for (uint32_t i = 0; i < n; i++)
        gen_any(&m, i + 1 == n || !pick(&m, 4) ? TIR_OUTPUT : TIR_TEMP);
    return m.fn;
}

#endif
