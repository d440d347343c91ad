// SPDX-License-Identifier: Apache-2.0
// Walks: the elements of a strided view in order, as runs of one step, and
// reading and writing them as register words. What every engine operation is
// made of.
#include "numerics/numerics_int.h"

uint64_t
num_view_elems(const num_view *v)
{
    uint64_t n = 1;
    for (uint32_t d = 0; d < v->ndim; d++)
        n *= v->dim[d].count;
    return n;
}

// Adds an inner dimension, as one with the last where the steps allow it.
void
num_walk_add(num_walk *w, uint64_t step, uint64_t count)
{
    if (count == 1)
        return;
    uint32_t d = w->nd;
    if (d > 0 && w->dim[d - 1].step == step * count) {
        w->dim[d - 1].step = step;
        w->dim[d - 1].count *= count;
        return;
    }
    w->dim[d].step = step;
    w->dim[d].count = count;
    w->dim[d].at = 0;
    w->nd++;
}

num_walk
num_walk_begin(uint8_t *base, num_dtype t)
{
    num_walk w = {.base = base, .dtype = t};
    return w;
}

// A run needs a dimension to be along.
void
num_walk_ready(num_walk *w)
{
    if (w->nd == 0) {
        w->dim[0].count = 1;
        w->nd = 1;
    }
}

uint8_t *
num_element(const num_view *v, uint32_t p, uint64_t e)
{
    int64_t at = (int64_t)p * v->part_step;
    for (uint32_t d = v->ndim; d-- > 0; e /= v->dim[d].count)
        at += (int64_t)(e % v->dim[d].count) * v->dim[d].step;
    return v->base + at;
}

num_walk
num_walk_view(const num_view *v)
{
    num_walk w = num_walk_begin(v->base, v->dtype);
    num_walk_add(&w, (uint64_t)v->part_step, v->parts);
    for (uint32_t d = 0; d < v->ndim; d++)
        num_walk_add(&w, (uint64_t)v->dim[d].step, v->dim[d].count);
    num_walk_ready(&w);
    return w;
}

// The elements of one partition.
num_walk
num_walk_lane(const num_view *v, uint32_t part)
{
    num_view lane = *v;
    lane.base += (int64_t)part * v->part_step;
    lane.parts = 1;
    return num_walk_view(&lane);
}

// At most 'most' elements, never across the end of the innermost dimension.
num_run
num_walk_next(num_walk *w, uint64_t most)
{
    uint32_t d = w->nd - 1;
    uint64_t left = w->dim[d].count - w->dim[d].at;
    num_run r = {w->offset, w->dim[d].step,
                 (size_t)(left < most ? left : most)};
    w->dim[d].at += r.n;
    w->offset += r.n * r.step;
    for (; d > 0 && w->dim[d].at == w->dim[d].count; d--) {
        w->offset += w->dim[d - 1].step - w->dim[d].count * w->dim[d].step;
        w->dim[d].at = 0;
        w->dim[d - 1].at++;
    }
    return r;
}

void
num_walk_skip(num_walk *w, uint64_t n)
{
    while (n > 0)
        n -= num_walk_next(w, n).n;
}

uint8_t *
num_run_at(const num_walk *w, uint64_t offset)
{
    return w->base + (int64_t)offset;
}

// The next n elements, widened and cast to 'as'.
void
num_read_words(num_walk *w, size_t n, num_as as, num_word *out)
{
    num_as from = num_widened(w->dtype);
    for (size_t i = 0; i < n;) {
        num_run r = num_walk_next(w, n - i);
        num_load_row(w->dtype, num_run_at(w, r.offset), (int64_t)r.step, r.n,
                     out + i);
        i += r.n;
    }
    for (size_t i = 0; from != as && i < n; i++)
        out[i] = num_cast(as, from, out[i]);
}

void
num_write_words(num_walk *w, size_t n, num_as as, const num_word *in)
{
    for (size_t i = 0; i < n;) {
        num_run r = num_walk_next(w, n - i);
        num_store_row(w->dtype, num_run_at(w, r.offset), (int64_t)r.step, r.n,
                      as, in + i);
        i += r.n;
    }
}
