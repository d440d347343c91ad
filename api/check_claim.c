// SPDX-License-Identifier: Apache-2.0
// Claimed results where the kernel rounds on the way. A tensor kept in a
// narrow type (a hidden layer in bf16) has a rounding error that its bound must
// take at its worst, for every element at once; that forgives real mistakes in
// what is computed from it. But the cast is part of the kernel: whoever
// computes it has the machine's value, or its neighbour where the value lies
// within its own error of the middle between two; or, in real arithmetic, has
// not rounded at all. A claim must lie within the bound of one of these.
#include "api/check_int.h"

#include <math.h>
#include <string.h>

static bool
is_narrow(num_dtype t)
{
    return num_is_float(t) && num_unit_roundoff(t) > num_unit_roundoff(DT_F32);
}

static bool *
pick_narrow(const check_cx *cx, const tir_fn *fn)
{
    bool *narrow = ARENA_ARRAY(cx->a, fn->tensors.n, bool);
    bool *recurs = ARENA_ARRAY(cx->a, fn->tensors.n, bool);
    for (uint32_t i = 0; i < fn->ops.n; i++)
        recurs[fn->ops.at[i].out] = fn->ops.at[i].group != 0;
    for (uint32_t i = 0; i < fn->tensors.n; i++) {
        const tir_tensor *t = &fn->tensors.at[i];
        narrow[i] = t->kind == TIR_TEMP && !recurs[i] && is_narrow(t->dtype) &&
                    check_find(&cx->machine, t) < cx->machine.n &&
                    check_find(&cx->tile, t) < cx->tile.n;
    }
    return narrow;
}

// The part of a stored element's bound that it had before it was rounded to z.
// The rounding's part is missing if z was representable.
static double
before_rounding(num_dtype t, double z, double bound)
{
    double rounding = num_unit_roundoff(t) * fabs(z) + num_min_subnormal(t) / 2;
    return bound >= rounding ? bound - rounding : bound;
}

static double
nearest(num_dtype t, double x)
{
    uint32_t word = 0;
    num_store(t, &word, NUM_AS_F32, num_word_f32((float)x));
    return api_value(t, &word, 0);
}

// What others may have for an element that is v up to e in real arithmetic and
// z in the machine.
static void
settle(num_dtype t, double z, bool rounded, double *v, double *e)
{
    if (!isfinite(*v) || !isfinite(*e) || !isfinite(z)) {
        bool same = *v == z || (isnan(*v) && isnan(z));
        *e = same ? *e : (double)INFINITY;
        *v = z;
    } else if (rounded) {
        double lo = nearest(t, *v - *e), hi = nearest(t, *v + *e);
        *v = z;
        *e = fmax(fabs(hi - z), fabs(z - lo));
    }
}

static void
settle_tensor(const check_cx *cx, const check_ref *r, uint32_t i, bool rounded,
              const double *tile_err)
{
    const tir_tensor *t = &r->fn->tensors.at[i];
    const void *machine = cx->machine.buf[check_find(&cx->machine, t)];
    for (uint64_t e = 0; e < api_elems(t); e++) {
        double z = api_value(t->dtype, machine, e);
        r->err[i][e] += before_rounding(t->dtype, z, tile_err[e]);
        settle(t->dtype, z, rounded, &r->val[i][e], &r->err[i][e]);
    }
}

// The reference, operation by operation (recurrences as a whole), with narrow
// tensors as the machine rounded them, or not rounded.
static bool
eval_roundings(check_cx *cx, const check_ref *r, const bool *narrow,
               double *const *tile_err, bool rounded)
{
    const tir_fn *fn = r->fn;
    for (uint32_t k = 0; k < fn->ops.n;) {
        uint32_t out = fn->ops.at[k].out, group = fn->ops.at[k].group;
        tir_fn some = *fn;
        memset(&some.ops, 0, sizeof some.ops);
        do
            vec_push(cx->a, &some.ops, fn->ops.at[k++]);
        while (group && k < fn->ops.n && fn->ops.at[k].group == group);
        if (!tir_eval_ref(&some, r->val, r->err, NULL, &cx->s->d))
            return false;
        if (narrow[out])
            settle_tensor(
                cx, r, out, rounded,
                tile_err[check_find(&cx->tile, &fn->tensors.at[out])]);
    }
    return true;
}

// For every element whichever of the two is nearer; the row is about that.
static void
check_nearer(check_cx *cx, const check_ref *r, const check_ref *other,
             uint32_t i, const double *tile_err)
{
    const tir_tensor *t = &r->fn->tensors.at[i];
    const void *claim = cx->p->bound[api_array_index(cx->p, t->name)];
    for (uint64_t e = 0; e < api_elems(t); e++) {
        double x = api_value(t->dtype, claim, e);
        double here =
            check_fraction(x, r->val[i][e], r->err[i][e] + tile_err[e]);
        double there =
            check_fraction(x, other->val[i][e], other->err[i][e] + tile_err[e]);
        if (there < here) {
            r->val[i][e] = other->val[i][e];
            r->err[i][e] = other->err[i][e];
        }
    }
    check_bound(cx, t, "claim-rounded", claim, r->val[i], r->err[i], tile_err);
}

static bool
is_claimed(const check_cx *cx, const tir_tensor *t)
{
    return t->kind == TIR_OUTPUT && !t->updates &&
           check_find(&cx->tile, t) < cx->tile.n &&
           cx->p->bound[api_array_index(cx->p, t->name)];
}

bool
check_claims(check_cx *cx, const tir_fn *fn)
{
    bool *narrow = pick_narrow(cx, fn);
    bool any = false;
    for (uint32_t i = 0; i < fn->tensors.n; i++)
        any = any || is_claimed(cx, &fn->tensors.at[i]);
    if (!any || !check_any_read(fn, narrow))
        return true;
    double **err = check_cut_errors(cx, fn, narrow);
    if (!err)
        return false;
    check_ref rounded = check_ref_new(cx, fn), real = check_ref_new(cx, fn);
    if (!eval_roundings(cx, &rounded, narrow, err, true) ||
        !eval_roundings(cx, &real, narrow, err, false))
        return false;
    for (uint32_t i = 0; i < fn->tensors.n; i++) {
        const tir_tensor *t = &fn->tensors.at[i];
        if (is_claimed(cx, t))
            check_nearer(cx, &rounded, &real, i, err[check_find(&cx->tile, t)]);
    }
    return true;
}
