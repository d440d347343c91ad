// SPDX-License-Identifier: Apache-2.0
// Sets of bytes that strided accesses touch, and whether two of them meet.
// In normal form most accesses have at most two dimensions; two patterns of
// equal steps meet or not by the difference of their indices alone, so that the
// usual questions (two tiles of one matrix) take a few steps and only odd pairs
// are enumerated, and those only where their hulls meet.
#include "runtime/runtime_int.h"

// Steps after which fp_overlap gives up (tens of milliseconds).
static const uint64_t WORK_MAX = (uint64_t)1 << 22;

// ---- normal form

static void
add_dim(fp_shape *s, int64_t step, int64_t count)
{
    if (count <= 1 || step == 0)
        return;
    if (step < 0) {
        s->delta += (count - 1) * step;
        step = -step;
    }
    uint32_t i = s->ndim++;
    for (; i > 0 && s->dim[i - 1].step < step; i--)
        s->dim[i] = s->dim[i - 1];
    s->dim[i].step = step;
    s->dim[i].count = count;
}

// Dimensions whose elements touch or overlap become part of the run.
static void
swallow_runs(fp_shape *s)
{
    while (s->ndim && s->dim[s->ndim - 1].step <= s->run) {
        s->ndim--;
        s->run += (s->dim[s->ndim].count - 1) * s->dim[s->ndim].step;
    }
}

// Multiples of k steps of n follow on: {k x + y} has no holes when k <= n.
static void
merge_dims(fp_shape *s)
{
    for (uint32_t i = s->ndim; i-- > 1;) {
        int64_t step = s->dim[i].step, k = s->dim[i - 1].step / step;
        if (s->dim[i - 1].step % step || k > s->dim[i].count)
            continue;
        s->dim[i - 1].count = s->dim[i].count + k * (s->dim[i - 1].count - 1);
        s->dim[i - 1].step = step;
        s->ndim--;
        for (uint32_t j = i; j < s->ndim; j++)
            s->dim[j] = s->dim[j + 1];
    }
}

static void
set_extents(fp_shape *s)
{
    s->extent = s->run;
    for (uint32_t i = s->ndim; i-- > 0;) {
        s->dim[i].inner = s->extent;
        s->extent += (s->dim[i].count - 1) * s->dim[i].step;
    }
}

// The dimensions in order; false when a step of 0 repeats elements.
static bool
sort_dims(const rt_ref *ref, fp_shape *out)
{
    *out = (fp_shape){.run = num_dtype_bytes(ref->dtype)};
    bool repeats = ref->hbm && ref->parts > 1 && !ref->part_step;
    for (uint32_t i = 0; i < ref->ndim; i++) {
        add_dim(out, ref->dim[i].step, ref->dim[i].count);
        repeats |= ref->dim[i].count > 1 && !ref->dim[i].step;
    }
    if (ref->hbm)
        add_dim(out, ref->part_step, ref->parts);
    return !repeats;
}

void
fp_normalise(const rt_ref *ref, fp_shape *out)
{
    (void)sort_dims(ref, out);
    swallow_runs(out);
    merge_dims(out);
    set_extents(out);
}

// ---- overlap

// Dimensions i.. of a shape, its lowest byte at 'base'.
typedef struct {
    const fp_shape *s;
    uint32_t i;
    int64_t base;
} part_of;

typedef struct {
    uint64_t work;
    int64_t byte;
} search;

static bool
is_leaf(const part_of *p)
{
    return p->i == p->s->ndim;
}

static int64_t
extent_of(const part_of *p)
{
    if (p->i == 0)
        return p->s->extent;
    return p->s->dim[p->i - 1].inner;
}

static int64_t
step_of(const part_of *p)
{
    return is_leaf(p) ? 0 : p->s->dim[p->i].step;
}

static part_of
at_index(const part_of *p, int64_t x)
{
    return (part_of){p->s, p->i + 1, p->base + x * p->s->dim[p->i].step};
}

static fp_answer meet(search *w, const part_of *a, const part_of *b);

// Index pairs (x, y) matter only by x - y.
static fp_answer
meet_same_step(search *w, const part_of *a, const part_of *b)
{
    int64_t step = step_of(a), gap = b->base - a->base;
    int64_t na = a->s->dim[a->i].count, nb = b->s->dim[b->i].count;
    int64_t lo = floor_div(gap - a->s->dim[a->i].inner, step) + 1;
    int64_t hi = ceil_div(gap + b->s->dim[b->i].inner, step) - 1;
    lo = max_i64(lo, 1 - nb);
    hi = min_i64(hi, na - 1);
    for (int64_t k = lo; k <= hi; k++) {
        int64_t x = max_i64(k, 0);
        part_of pa = at_index(a, x), pb = at_index(b, x - k);
        fp_answer r = meet(w, &pa, &pb);
        if (r != FP_DISJOINT)
            return r;
    }
    return FP_DISJOINT;
}

// Splits a, whose step is the larger, where it meets the hull of b.
static fp_answer
meet_split(search *w, const part_of *a, const part_of *b)
{
    int64_t step = step_of(a), gap = b->base - a->base;
    int64_t lo = floor_div(gap - a->s->dim[a->i].inner, step) + 1;
    int64_t hi = ceil_div(gap + extent_of(b), step) - 1;
    lo = max_i64(lo, 0);
    hi = min_i64(hi, a->s->dim[a->i].count - 1);
    for (int64_t x = lo; x <= hi; x++) {
        part_of pa = at_index(a, x);
        fp_answer r = meet(w, &pa, b);
        if (r != FP_DISJOINT)
            return r;
    }
    return FP_DISJOINT;
}

// Recursion is at most the number of dimensions of both deep.
static fp_answer
meet(search *w, const part_of *a, const part_of *b)
{
    if (a->base + extent_of(a) <= b->base || b->base + extent_of(b) <= a->base)
        return FP_DISJOINT;
    if (is_leaf(a) && is_leaf(b)) {
        w->byte = max_i64(a->base, b->base);
        return FP_OVERLAP;
    }
    if (++w->work > WORK_MAX)
        return FP_UNKNOWN;
    if (step_of(a) == step_of(b))
        return meet_same_step(w, a, b);
    return step_of(a) > step_of(b) ? meet_split(w, a, b) : meet_split(w, b, a);
}

fp_answer
fp_overlap(const footprint *a, const footprint *b, uint32_t *part,
           int64_t *byte)
{
    if (a->part + a->parts <= b->part || b->part + b->parts <= a->part)
        return FP_DISJOINT;
    search w = {0};
    part_of pa = {a->shape, 0, a->base}, pb = {b->shape, 0, b->base};
    fp_answer r = meet(&w, &pa, &pb);
    *part = a->part > b->part ? a->part : b->part;
    *byte = w.byte;
    return r;
}

// What lies inside a dimension meets itself one or more steps further on.
fp_answer
fp_self_overlap(const rt_ref *ref)
{
    fp_shape s;
    if (!sort_dims(ref, &s))
        return FP_OVERLAP;
    set_extents(&s);
    search w = {0};
    for (uint32_t i = 0; i < s.ndim; i++) {
        int64_t step = s.dim[i].step;
        for (int64_t k = 1; k < s.dim[i].count && k * step < s.dim[i].inner;
             k++) {
            part_of a = {&s, i + 1, 0}, b = {&s, i + 1, k * step};
            fp_answer r = meet(&w, &a, &b);
            if (r != FP_DISJOINT)
                return r;
        }
    }
    return FP_DISJOINT;
}

// ---- containment

bool
fp_covers(const footprint *outer, const footprint *inner)
{
    const fp_shape *o = outer->shape, *i = inner->shape;
    if (inner->part < outer->part ||
        inner->part + inner->parts > outer->part + outer->parts ||
        inner->base < outer->base)
        return false;
    if (o->ndim == 0)
        return inner->base + i->extent <= outer->base + o->run;
    if (o->ndim != i->ndim || inner->base + i->run > outer->base + o->run)
        return false;
    for (uint32_t d = 0; d < o->ndim; d++)
        if (o->dim[d].step != i->dim[d].step ||
            o->dim[d].count < i->dim[d].count)
            return false;
    return true;
}

// ---- runs

bool
fp_each_run(const footprint *f, bool (*fn)(void *ctx, int64_t lo, int64_t hi),
            void *ctx)
{
    const fp_shape *s = f->shape;
    int64_t at[FP_DIMS] = {0}, lo = f->base;
    for (;;) {
        if (!fn(ctx, lo, lo + s->run))
            return false;
        uint32_t d = s->ndim;
        while (d > 0 && at[d - 1] + 1 == s->dim[d - 1].count) {
            d--;
            lo -= at[d] * s->dim[d].step;
            at[d] = 0;
        }
        if (d == 0)
            return true;
        at[d - 1]++;
        lo += s->dim[d - 1].step;
    }
}
