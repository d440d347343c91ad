// SPDX-License-Identifier: Apache-2.0
// Engine operations whose addresses come from data: blocks of an HBM tensor, or
// elements on chip, by an index. Whoever executes them asks num_index_outside
// first, so that nothing is checked here again. Elements go strictly in order,
// partition by partition, which defines what duplicates give.
#include "numerics/numerics_int.h"

#include <string.h>

// ---- elements of a view in order

// The element e of a partition: its place relative to the view's base without
// the partition, and how many from there on are one run of 'step' bytes.
typedef struct {
    int64_t offset, step;
    uint64_t n;
} stretch;

static stretch
stretch_at(const num_view *v, uint64_t e)
{
    stretch s = {.n = 1};
    for (uint32_t d = v->ndim; d-- > 0;) {
        uint64_t at = e % v->dim[d].count;
        e /= v->dim[d].count;
        s.offset += (int64_t)at * v->dim[d].step;
        if (d + 1 == v->ndim) {
            s.step = v->dim[d].step;
            s.n = v->dim[d].count - at;
        }
    }
    return s;
}

// The element e of partition p, widened.
static num_word
word_at(const num_view *v, uint32_t p, uint64_t e)
{
    return num_load(v->dtype, num_element(v, p, e));
}

// ---- indices

static bool
is_skipped(const num_insn *in, num_word w)
{
    return in->skip && w == UINT32_MAX;
}

static int64_t
index_of(num_dtype t, num_word w)
{
    return t == DT_U32 ? (int64_t)w : (int64_t)(int32_t)w;
}

static const num_view *
indexed_view(const num_insn *in)
{
    return in->op == NUM_OP_DMA_SCATTER ? &in->dst : &in->a;
}

// The bytes of a block relative to its first element.
static void
block_reach(const num_view *v, int64_t *lo, int64_t *hi)
{
    *lo = 0;
    *hi = num_dtype_bytes(v->dtype);
    for (uint32_t d = 0; d < v->ndim; d++) {
        int64_t far = v->dim[d].step * ((int64_t)v->dim[d].count - 1);
        *lo += far < 0 ? far : 0;
        *hi += far > 0 ? far : 0;
    }
}

// What an index may reach: the bytes of a tensor, or so many elements.
typedef struct {
    int64_t step, offset, lo, hi;
    uint64_t limit;
} reach;

static reach
reach_of(const num_insn *in, int64_t offset, uint64_t bytes)
{
    reach r = {.step = 1, .hi = 1};
    if (in->op == NUM_OP_DMA_GATHER || in->op == NUM_OP_DMA_SCATTER) {
        r = (reach){indexed_view(in)->part_step, offset, 0, 0, bytes};
        block_reach(indexed_view(in), &r.lo, &r.hi);
        return r;
    }
    r.limit = num_view_elems(in->op == NUM_OP_SCATTER ? &in->dst : &in->a);
    if (in->op == NUM_OP_LOCAL_GATHER)
        r.hi = in->per_index;
    return r;
}

static bool
reaches(const reach *r, int64_t index)
{
    int64_t at, first, last;
    return !__builtin_mul_overflow(index, r->step, &at) &&
           !__builtin_add_overflow(at, r->offset, &at) &&
           !__builtin_add_overflow(at, r->lo, &first) &&
           !__builtin_add_overflow(at, r->hi, &last) && first >= 0 &&
           (uint64_t)last <= r->limit;
}

// How many elements of partition p's index are used: a list of 16 partitions
// may be longer than needed.
static uint64_t
used(const num_insn *in, uint32_t p)
{
    if (in->op != NUM_OP_LOCAL_GATHER)
        return num_view_elems(&in->b);
    uint64_t list = num_view_elems(&in->dst) / in->per_index;
    return (list + NUM_GROUP - 1 - p % NUM_GROUP) / NUM_GROUP;
}

bool
num_index_outside(const num_insn *in, int64_t offset, uint64_t bytes,
                  num_index *out)
{
    reach r = reach_of(in, offset, bytes);
    for (uint32_t p = 0; p < in->b.parts; p++) {
        uint64_t elems = used(in, p);
        for (uint64_t e = 0; e < elems; e++) {
            num_word w = word_at(&in->b, p, e);
            int64_t index = index_of(in->b.dtype, w);
            if (is_skipped(in, w) || reaches(&r, index))
                continue;
            *out = (num_index){p, e, index};
            return true;
        }
    }
    return false;
}

// ---- blocks

// Some elements from one place to another, and what the second does with them.
typedef struct {
    const uint8_t *from;
    uint8_t *to;
    int64_t from_step, to_step;
    num_dtype from_type, to_type;
    num_combine combine;
    size_t n;
} piece;

static num_binary
combine_function(num_combine c)
{
    switch (c) {
    case NUM_C_ADD: return NUM_ADD;
    case NUM_C_MAX: return NUM_MAX;
    case NUM_C_MIN: return NUM_MIN;
    case NUM_C_WRITE:
    case NUM_C_COUNT: break;
    }
    return NUM_B_NONE;
}

num_as
num_combine_as(num_dtype t)
{
    num_as as = num_widened(t);
    return as == NUM_AS_BOOL ? NUM_AS_I32 : as;
}

void
num_combine_words(num_combine c, num_as as, size_t n, num_word *x,
                  const num_word *old)
{
    num_row2(combine_function(c), as, n, x, old, x, 1);
}

static void
load_cast(num_dtype t, const uint8_t *p, int64_t step, size_t n, num_as as,
          num_word *x)
{
    num_as from = num_widened(t);
    num_load_row(t, p, step, n, x);
    for (size_t i = 0; from != as && i < n; i++)
        x[i] = num_cast(as, from, x[i]);
}

static void
put_combined(const piece *p, num_word *x)
{
    num_word *old = x + NUM_PIECE;
    num_as as = num_combine_as(p->to_type);
    load_cast(p->from_type, p->from, p->from_step, p->n, as, x);
    load_cast(p->to_type, p->to, p->to_step, p->n, as, old);
    num_combine_words(p->combine, as, p->n, x, old);
    num_store_row(p->to_type, p->to, p->to_step, p->n, as, x);
}

static void
put_moved(const piece *p)
{
    size_t size = num_dtype_bytes(p->to_type);
    bool solid = p->from_step == (int64_t)size && p->to_step == (int64_t)size;
    if (solid) {
        memmove(p->to, p->from, p->n * size);
        return;
    }
    for (size_t i = 0; i < p->n; i++)
        memmove(p->to + (int64_t)i * p->to_step,
                p->from + (int64_t)i * p->from_step, size);
}

static void
put(const piece *p, num_word *x)
{
    if (p->combine != NUM_C_WRITE) {
        put_combined(p, x);
    } else if (p->from_type == p->to_type) {
        put_moved(p);
    } else {
        num_load_row(p->from_type, p->from, p->from_step, p->n, x);
        num_store_row(p->to_type, p->to, p->to_step, p->n,
                      num_widened(p->from_type), x);
    }
}

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// A place in a view: a partition's (or block's) first byte and an element.
typedef struct {
    const num_view *v;
    uint8_t *base;
    uint64_t e;
} cursor;

// n elements from one cursor to the other.
static void
put_block(const num_insn *in, cursor to, cursor from, uint64_t n, num_word *x)
{
    for (uint64_t i = 0; i < n;) {
        stretch t = stretch_at(to.v, to.e + i);
        stretch f = stretch_at(from.v, from.e + i);
        uint64_t most = least(least(t.n, f.n), least(n - i, NUM_PIECE));
        // What meets itself goes one by one.
        if (t.step == 0)
            most = 1;
        piece p = {.from = from.base + f.offset,
                   .to = to.base + t.offset,
                   .from_step = f.step,
                   .to_step = t.step,
                   .from_type = from.v->dtype,
                   .to_type = to.v->dtype,
                   .combine = in->combine,
                   .n = (size_t)most};
        put(&p, x);
        i += most;
    }
}

void
num_exec_indexed(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    bool scatter = in->op == NUM_OP_DMA_SCATTER;
    const num_view *hbm = indexed_view(in), *chip = scatter ? &in->a : &in->dst;
    uint64_t block = num_view_elems(hbm), n = num_view_elems(&in->b);
    for (uint32_t p = 0; p < in->b.parts; p++) {
        uint8_t *base = chip->base + (int64_t)p * chip->part_step;
        for (uint64_t e = 0; e < n && block > 0; e++) {
            num_word w = word_at(&in->b, p, e);
            if (is_skipped(in, w))
                continue;
            int64_t row = index_of(in->b.dtype, w) * hbm->part_step;
            cursor there = {hbm, hbm->base + row, 0};
            cursor here = {chip, base, e * block};
            put_block(in, scatter ? there : here, scatter ? here : there, block,
                      x);
        }
    }
}

// ---- on chip

static void
move_element(const num_view *to, uint32_t p, uint64_t e, const uint8_t *from)
{
    memmove(num_element(to, p, e), from, num_dtype_bytes(to->dtype));
}

void
num_exec_gather(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    (void)x;
    uint64_t n = num_view_elems(&in->dst);
    for (uint32_t p = 0; p < in->dst.parts; p++)
        for (uint64_t e = 0; e < n; e++)
            move_element(&in->dst, p, e,
                         num_element(&in->a, p, word_at(&in->b, p, e)));
}

void
num_exec_scatter(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    (void)x;
    uint64_t n = num_view_elems(&in->a);
    for (uint32_t p = 0; p < in->a.parts; p++)
        for (uint64_t e = 0; e < n; e++)
            move_element(&in->dst, p, word_at(&in->b, p, e),
                         num_element(&in->a, p, e));
}

void
num_exec_local_gather(const num_insn *in, num_state *st, num_word *x)
{
    (void)st;
    (void)x;
    uint64_t n = num_view_elems(&in->dst);
    for (uint32_t p = 0; p < in->dst.parts; p++) {
        uint32_t group = p - p % NUM_GROUP;
        for (uint64_t e = 0; e < n; e++) {
            uint64_t k = e / in->per_index, j = e % in->per_index;
            uint64_t first = word_at(&in->b, group + (uint32_t)(k % NUM_GROUP),
                                     k / NUM_GROUP);
            move_element(&in->dst, p, e, num_element(&in->a, p, first + j));
        }
    }
}
