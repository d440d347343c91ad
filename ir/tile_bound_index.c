// SPDX-License-Identifier: Apache-2.0
// Error bounds of transfers whose places come from an index: a block keeps the
// errors of what was moved, or those of a step of its combining function. An
// index is a decision: if it is uncertain, nothing is known of what a gather
// brings, nor, after a scatter, of any element of the tensor.
#include "ir/tile_bound_int.h"

#include <math.h>

// The element e of partition p, in elements of the store.
static int64_t
elem_at(const tile_view *v, uint32_t p, uint64_t e)
{
    int64_t at = v->base + v->pstep * (int64_t)p;

    for (uint32_t d = v->ndim; d-- > 0;) {
        at += v->dim[d].step * (int64_t)(e % v->dim[d].count);
        e /= v->dim[d].count;
    }
    return at;
}

static uint8_t *
data_at(const tile_store *s, int64_t elem)
{
    return s->data + elem * (int64_t)num_dtype_bytes(s->dtype);
}

static double
err_at(const tile_store *s, int64_t elem, bool as_source)
{
    return s->err == NULL || (as_source && s->cut) ? 0 : s->err[elem];
}

// One element from 'from' to 'to', or combined with it, and its bound.
typedef struct {
    const tile_store *from, *to;
    num_combine combine;
    bool certain;
} mover;

num_binary
tile_combine_func(num_combine c)
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

static void
move_elem(const mover *m, int64_t from, int64_t to)
{
    num_as as = num_widened(m->from->dtype), old_as = num_widened(m->to->dtype);
    num_word w = num_load(m->from->dtype, data_at(m->from, from)), z;
    double e = err_at(m->from, from, true);

    if (m->combine != NUM_C_WRITE) {
        num_as in = num_combine_as(m->to->dtype);
        num_word old = num_load(m->to->dtype, data_at(m->to, to)), word[2];
        num_binary f = tile_combine_func(m->combine);
        double err[2];

        word[0] = num_cast(in, old_as, old);
        word[1] = num_cast(in, as, w);
        err[0] =
            tile_err_cast(in, old_as, old, err_at(m->to, to, false), word[0]);
        err[1] = tile_err_cast(in, as, w, e, word[1]);
        w = num_apply2(f, in, word[0], word[1]);
        e = tile_err_binary(f, in, word, err, w);
        as = in;
    }
    num_store(m->to->dtype, data_at(m->to, to), as, w);
    z = num_load(m->to->dtype, data_at(m->to, to));
    if (m->combine != NUM_C_WRITE || m->from->dtype != m->to->dtype) {
        e = tile_err_store(m->to->dtype, as, w, e, z);
    }
    if (m->to->err != NULL) {
        m->to->err[to] = m->certain ? e : (double)INFINITY;
    }
}

// The index as the transfer reads it, and whether it is certain.
static int64_t
index_at(const tile_view *b, uint32_t p, uint64_t e, bool *certain)
{
    int64_t at = elem_at(b, p, e);
    num_word w = num_load(b->store->dtype, data_at(b->store, at));

    *certain = err_at(b->store, at, true) == 0;
    return b->store->dtype == DT_U32 ? (int64_t)w : (int64_t)(int32_t)w;
}

static void
forget_all(const tile_store *s)
{
    for (int64_t i = 0; s->err != NULL && i < s->elems; i++) {
        s->err[i] = (double)INFINITY;
    }
}

static void
move_block(const tile_step *s, uint32_t p, uint64_t e, mover *m)
{
    bool scatter = s->op->op == NUM_OP_DMA_SCATTER;
    const tile_view *hbm = scatter ? &s->dst : &s->a;
    const tile_view *chip = scatter ? &s->a : &s->dst;
    uint64_t n = tile_view_elems(hbm);
    int64_t index = index_at(&s->b, p, e, &m->certain);
    bool skipped = s->insn.skip && (index == -1 || index == UINT32_MAX);

    for (uint64_t i = 0; i < n; i++) {
        int64_t here = elem_at(chip, p, e * n + i), there;

        if (skipped) {
            if (!scatter && !m->certain && chip->store->err != NULL) {
                chip->store->err[here] = (double)INFINITY;
            }
            continue;
        }
        there = elem_at(hbm, 0, i) + index * hbm->pstep;
        move_elem(m, scatter ? here : there, scatter ? there : here);
    }
}

void
tile_bound_indexed(tile_step *s)
{
    uint64_t n = tile_view_elems(&s->b);
    mover m = {
        .from = s->a.store, .to = s->dst.store, .combine = s->insn.combine};
    bool all = true;

    for (uint32_t p = 0; p < s->b.parts; p++) {
        for (uint64_t e = 0; e < n; e++) {
            move_block(s, p, e, &m);
            all = all && m.certain;
        }
    }
    if (s->op->op == NUM_OP_DMA_SCATTER && !all) {
        forget_all(m.to);
    }
}
