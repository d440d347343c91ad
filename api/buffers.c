// SPDX-License-Identifier: Apache-2.0
// Memory of tensors for one run, and inputs drawn from a seed.
#include "api/api_int.h"

#include <math.h>
#include <string.h>

uint64_t
api_elems(const tir_tensor *t)
{
    return (uint64_t)tir_elems(t);
}

uint32_t
api_array_index(const sy_program *p, const char *name)
{
    uint32_t i = 0;
    while (i < p->arrays.n && strcmp(p->arrays.at[i].name, name) != 0)
        i++;
    return i;
}

// Constants are only read, whatever type the evaluators' tables have.
static void *
not_written(const void *data)
{
    union {
        const void *from;
        void *to;
    } x = {data};
    return x.to;
}

void
api_name_updates(tir_fn *fn)
{
    for (uint32_t i = 0; i < fn->tensors.n; i++) {
        tir_tensor *t = &fn->tensors.at[i];
        if (t->kind == TIR_OUTPUT && t->updates)
            t->name = fn->tensors.at[t->updates - 1].name;
    }
}

static void *
copy_of(arena *a, const void *data, uint64_t bytes)
{
    void *copy = arena_alloc(a, bytes);
    memcpy(copy, data, bytes);
    return copy;
}

// Of an array that is input and output: the tensor IR has a tensor for each,
// the other levels one for both.
static void *
buffer_of_both(arena *a, void *data, const tir_tensor *t, bool in_place)
{
    uint64_t bytes = api_elems(t) * num_dtype_bytes(t->dtype);
    if (in_place && t->kind != TIR_INPUT)
        return data;
    return t->kind == TIR_OUTPUT ? arena_alloc(a, bytes)
                                 : copy_of(a, data, bytes);
}

void **
api_buffers(arena *a, const sy_program *p, void *const *data,
            const tir_tensor *t, uint32_t n, bool in_place)
{
    void **buf = ARENA_ARRAY(a, n, void *);
    for (uint32_t i = 0; i < n; i++) {
        if (t[i].kind == TIR_CONST) {
            buf[i] = not_written(t[i].data);
            continue;
        }
        uint32_t k = api_array_index(p, t[i].name);
        bool given = k < p->arrays.n && data[k];
        if (given && p->arrays.at[k].kind == TIR_INOUT)
            buf[i] = buffer_of_both(a, data[k], &t[i], in_place);
        else if (given)
            buf[i] = data[k];
        else
            buf[i] =
                arena_array(a, api_elems(&t[i]), num_dtype_bytes(t[i].dtype));
    }
    return buf;
}

tir_tensor *
api_machine_tensors(arena *a, const rt_program *rt, uint32_t *n)
{
    *n = rt_tensor_count(rt);
    tir_tensor *out = ARENA_ARRAY(a, *n, tir_tensor);
    for (uint32_t i = 0; i < *n; i++) {
        const rt_tensor *t = rt_tensor_at(rt, i);
        // The kinds have the same order (asserted in run.c).
        out[i] = (tir_tensor){.name = t->name,
                              .kind = (tir_kind)t->kind,
                              .dtype = t->dtype,
                              .rank = t->rank,
                              .data = t->data};
        memcpy(out[i].shape, t->shape, sizeof out[i].shape);
    }
    return out;
}

// About normal(0, 1): the sum of four uniform variables of variance 1/12,
// scaled. One 64-bit number gives all four.
static float
draw_float(uint64_t *rng)
{
    uint64_t bits = rng_next(rng);
    int32_t sum = 0;
    for (uint32_t i = 0; i < 4; i++)
        sum += (int32_t)(bits >> (16 * i) & 0xffff);
    return (float)(sum - 2 * 0xffff) * (1.7320508f / 65536.0f);
}

// Small, so that integer sums of them stay far from wrapping.
static num_word
draw_word(num_dtype t, uint64_t *rng)
{
    switch (num_dtype_class(t)) {
    case NUM_FLOAT: return num_word_f32(draw_float(rng));
    case NUM_SINT: return (num_word)((int32_t)(rng_next(rng) % 17) - 8);
    case NUM_UINT: return (num_word)(rng_next(rng) % 16);
    case NUM_BOOL: return (num_word)(rng_next(rng) >> 63);
    case NUM_PACKED: break;
    }
    return 0;
}

// ---- inputs that are subscripts

// Values that keep every subscript made of one input inside.
typedef struct {
    const char *name;
    bool is_used;
    int64_t lo, hi;
} draw_range;

// The tensor that a node is an element of, unchanged; TIR_ABSENT if none.
static uint32_t
read_of(const tir_op *op, uint32_t node)
{
    const tir_node *n = &op->nodes.at[node];
    while (n->kind == TIR_N_CAST && n->to == DT_I32)
        n = &op->nodes.at[n->arg[0]];
    return n->kind == TIR_N_READ ? op->reads.at[n->read].tensor : TIR_ABSENT;
}

static void
narrow_range(const tir_fn *fn, const tir_op *op, const tir_read *r,
             draw_range *range)
{
    const tir_tensor *t = &fn->tensors.at[r->tensor];
    for (uint32_t d = 0; d < t->rank && !r->has_fill; d++) {
        int64_t lo, hi;
        uint32_t of = r->dyn[d] ? read_of(op, r->dyn[d]) : TIR_ABSENT;
        if (of == TIR_ABSENT || strcmp(fn->tensors.at[of].name, range->name) ||
            !tir_aff_range(op, &r->sub[d], &lo, &hi))
            continue;
        range->is_used = true;
        range->lo = max_i64(range->lo, -lo);
        range->hi = min_i64(range->hi, t->shape[d] - 1 - hi);
    }
}

static draw_range
range_of(const tir_fn *fn, const char *name)
{
    draw_range range = {.name = name, .lo = 0, .hi = INT32_MAX};
    for (uint32_t o = 0; fn && o < fn->ops.n; o++) {
        const tir_op *op = &fn->ops.at[o];
        if (tir_op_is_empty(op))
            continue;
        for (uint32_t i = 1; i < op->nodes.n; i++)
            if (op->nodes.at[i].kind == TIR_N_GATHER)
                narrow_range(fn, op, &op->reads.at[op->nodes.at[i].read],
                             &range);
        if (op->kind == TIR_SCATTER)
            narrow_range(fn, op, &op->target, &range);
    }
    range.is_used = range.is_used && range.lo <= range.hi;
    return range;
}

// The tensor IR, if there is a right one; what is wrong with it is told to
// those who ask for it.
const tir_fn *
api_draw_tensor(sy_session *s, const sy_program *p)
{
    if (p->tensor || !p->tensor_text.n)
        return p->tensor;
    diags *d = ARENA_NEW(s->a, diags);
    diags_init(d, s->a);
    uint32_t source = diag_add_source(d, p->m->name, p->tensor_text);
    const tir_fn *fn = tir_parse(s->a, d, source);
    return fn && tir_verify(fn, d) ? fn : NULL;
}

void
api_draw(const tir_fn *fn, const tir_tensor *t, uint32_t index, uint64_t seed,
         void *data)
{
    draw_range range = range_of(fn, t->name);
    uint64_t rng = seed;
    rng = rng_next(&rng) + index;
    num_as as = num_widened(t->dtype);
    uint32_t size = num_dtype_bytes(t->dtype);
    uint64_t n = api_elems(t);
    for (uint64_t e = 0; e < n; e++) {
        num_word w = draw_word(t->dtype, &rng);
        if (range.is_used)
            w = (num_word)(range.lo +
                           (int64_t)(rng_next(&rng) %
                                     (uint64_t)(range.hi - range.lo + 1)));
        num_store(t->dtype, (uint8_t *)data + e * size, as, w);
    }
}

double
api_value(num_dtype t, const void *data, uint64_t e)
{
    num_word w = num_load(t, (const uint8_t *)data + e * num_dtype_bytes(t));
    switch (num_dtype_class(t)) {
    case NUM_FLOAT: return (double)num_f32(w);
    case NUM_SINT: return (double)(int32_t)w;
    case NUM_UINT: return (double)w;
    case NUM_BOOL: return w ? 1.0 : 0.0;
    case NUM_PACKED: break;
    }
    return 0;
}
