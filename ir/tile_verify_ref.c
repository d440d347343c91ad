// SPDX-License-Identifier: Apache-2.0
// Rules of the tile IR's operands: scope, bounds in every iteration, equal or
// disjoint destinations. Bounds are found by interval arithmetic on the whole
// of offset and ragged counts, so that a ragged tail cancels against the
// offset of its tile: off = 128 i, count = min(128, 1000 - 128 i) ends at 999.
#include "ir/tile_int.h"

#include <string.h>

// ---- affine functions and counts

bool
tile_home_around(const tile_fn *fn, uint32_t home, uint32_t body)
{
    while (body != home && body != 0) {
        body = fn->loops.at[body].parent;
    }
    return body == home;
}

bool
tile_loop_around(const tile_fn *fn, uint32_t loop, uint32_t body)
{
    return loop != 0 && tile_home_around(fn, loop, body);
}

static bool
is_small(int64_t v)
{
    return v >= -TILE_NUMBER_MAX && v <= TILE_NUMBER_MAX;
}

bool
tile_aff_is_valid(const tile_fn *fn, const tile_aff *a, uint32_t body)
{
    if (a->n > TILE_LOOPS || !is_small(a->c)) {
        return false;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->t[i].k == 0 || !is_small(a->t[i].k) ||
            !tile_loop_around(fn, a->t[i].loop, body) ||
            (i > 0 && a->t[i - 1].loop >= a->t[i].loop)) {
            return false;
        }
    }
    return true;
}

bool
tile_count_is_valid(const tile_fn *fn, const tile_count *c, uint32_t body,
                    int64_t max, bool may_divide)
{
    return tile_aff_is_valid(fn, &c->rem, body) && is_small(c->max) &&
           c->div >= 1 && is_small(c->div) && (may_divide || c->div == 1) &&
           tile_count_max(c) <= max;
}

int64_t
tile_count_max(const tile_count *c)
{
    int64_t n;

    return tile_count_is_const(c, &n) ? n : max_i64(c->max, 0);
}

bool
tile_count_same(const tile_count *a, const tile_count *b)
{
    int64_t x, y;
    bool const_a = tile_count_is_const(a, &x);
    bool const_b = tile_count_is_const(b, &y);

    if (const_a || const_b) {
        return const_a && const_b && x == y;
    }
    if (a->max != b->max || a->div != b->div || a->rem.n != b->rem.n ||
        a->rem.c != b->rem.c) {
        return false;
    }
    for (uint32_t i = 0; i < a->rem.n; i++) {
        if (a->rem.t[i].loop != b->rem.t[i].loop ||
            a->rem.t[i].k != b->rem.t[i].k) {
            return false;
        }
    }
    return true;
}

bool
tile_ref_size(const tile_ref *r, uint32_t ndim, tile_count *out)
{
    tile_aff zero = {0};
    int64_t inner = 1;

    for (uint32_t d = 0; d < ndim; d++) {
        if ((d > 0 || !r->ragged) && !mul_i64(inner, r->dim[d].count, &inner)) {
            return false;
        }
    }
    *out = tile_count_const(inner);
    if (ndim == 0 || !r->ragged) {
        return true;
    }
    return mul_i64(inner, r->outer.max, &out->max) &&
           tile_aff_madd(&zero, &r->outer.rem, inner, &out->rem);
}

// ---- bounds

// The greatest last element of sign * (off + ...), a bound that holds in every
// iteration. A count q = min(max, rem) stretches the operand by w * (q - 1):
// by both w * (max - 1) and w * (rem - 1) at most, of which either may be the
// better bound together with the offset.
typedef struct {
    const tile_count *count;
    int64_t weight;
} stretch;

static int64_t
greatest(const tile_fn *fn, const tile_aff *off, int64_t above,
         const stretch *s, uint32_t n)
{
    int64_t lo, hi, fixed;
    tile_aff with = *off, minus = tile_aff_const(-1);

    if (n == 0) {
        tile_aff_range(fn, off, &lo, &hi);
        return hi + above;
    }
    fixed =
        greatest(fn, off, above + s->weight * (tile_count_max(s->count) - 1),
                 s + 1, n - 1);
    if (s->count->rem.n != 0 &&
        tile_aff_madd(&with, &s->count->rem, s->weight, &with) &&
        tile_aff_madd(&with, &minus, s->weight, &with)) {
        fixed = min_i64(fixed, greatest(fn, &with, above, s + 1, n - 1));
    }
    return fixed;
}

static int64_t
last_elem(const tile_fn *fn, const tile_ref *r, const tile_count *parts,
          int64_t sign)
{
    tile_aff zero = {0}, off;
    stretch s[2];
    uint32_t n = 0;
    int64_t above = 0;

    if (!tile_aff_madd(&zero, &r->off, sign, &off)) {
        return INT64_MAX / 2;
    }
    for (uint32_t d = 0; d < r->ndim; d++) {
        int64_t w = sign * r->dim[d].step;

        if (w > 0 && d == 0 && r->ragged) {
            s[n].count = &r->outer;
            s[n++].weight = w;
        } else if (w > 0) {
            above += w * (r->dim[d].count - 1);
        }
    }
    if (r->hbm && sign * r->pstep > 0) {
        s[n].count = parts;
        s[n++].weight = sign * r->pstep;
    }
    return greatest(fn, &off, above, s, n);
}

// Whether no iteration has an element.
static bool
is_empty(const tile_ref *r, const tile_count *parts)
{
    if (tile_count_max(parts) == 0 ||
        (r->ragged && tile_count_max(&r->outer) == 0)) {
        return true;
    }
    for (uint32_t d = 0; d < r->ndim; d++) {
        if (r->dim[d].count == 0) {
            return true;
        }
    }
    return false;
}

static bool
fail(tile_verifier *v, const char *name, const char *what)
{
    diag(v->d, v->op->at, D_TILE_OPERAND, tile_op_text(v->op), name, what);
    v->ok = false;
    return false;
}

static bool
verify_bounds(tile_verifier *v, const char *name, const tile_ref *r,
              const tile_count *parts)
{
    const tile_fn *fn = v->fn;
    const tile_buf *b = r->hbm ? NULL : &fn->bufs.at[r->id];
    const char *store = r->hbm ? fn->tensors.at[r->id].name : b->name;
    int64_t lo, hi, limit;

    if (v->dead || is_empty(r, parts) || r == tile_indexed(v->op)) {
        return true;
    }
    limit = r->hbm ? tir_elems(&fn->tensors.at[r->id]) : b->elems;
    lo = -last_elem(fn, r, parts, -1);
    hi = last_elem(fn, r, parts, 1);
    if (lo < 0 || hi >= limit) {
        diag(v->d, v->op->at, D_TILE_OUTSIDE, tile_op_text(v->op), name,
             "elements", (long long)lo, (long long)hi, store, (long long)limit);
        v->ok = false;
        return false;
    }
    hi = (int64_t)r->part + tile_count_max(parts) - 1;
    if (b != NULL && hi >= b->parts) {
        diag(v->d, v->op->at, D_TILE_OUTSIDE, tile_op_text(v->op), name,
             "partitions", (long long)r->part, (long long)hi, store,
             (long long)b->parts);
        v->ok = false;
        return false;
    }
    return true;
}

static bool
verify_shape(tile_verifier *v, const char *name, const tile_ref *r)
{
    if (r->ndim > NUM_DIMS) {
        return fail(v, name, "it has more than 5 dimensions");
    }
    for (uint32_t d = 0; d < r->ndim; d++) {
        if (r->dim[d].count < 0 || r->dim[d].count > TILE_COUNT ||
            !is_small(r->dim[d].step)) {
            return fail(v, name, "a step or count does not fit its field");
        }
    }
    if (!tile_aff_is_valid(v->fn, &r->off, v->body)) {
        return fail(v, name, "its offset is not one of the loops around it");
    }
    if (r->ragged &&
        (r->ndim == 0 || !tile_count_is_valid(v->fn, &r->outer, v->body,
                                              r->dim[0].count, false))) {
        return fail(v, name, "its ragged count is not one of its dimension");
    }
    return true;
}

bool
tile_verify_ref(tile_verifier *v, const char *name, const tile_ref *r,
                const tile_count *parts)
{
    if (r->id >= (r->hbm ? v->fn->tensors.n : v->fn->bufs.n)) {
        return fail(v, name, "it is missing");
    }
    if (r->hbm && !tile_is_transfer(v->op->op)) {
        return fail(v, name, "only transfers reach tensors");
    }
    if (!is_small(r->pstep) || (r->hbm ? r->part != 0 : r->pstep != 0)) {
        return fail(v, name, "buffers have a partition, tensors a step");
    }
    if (!r->hbm &&
        !tile_home_around(v->fn, v->fn->bufs.at[r->id].home, v->body)) {
        return fail(v, name, "the buffer does not live here");
    }
    return verify_shape(v, name, r) && verify_bounds(v, name, r, parts);
}

// ---- equal or disjoint

static bool
same_ref(const tile_ref *a, const tile_ref *b)
{
    tile_count x = {0}, y = {0};

    x.rem = a->off;
    y.rem = b->off;
    x.div = y.div = 1;
    x.max = y.max = INT64_MAX;
    // A constant below 0 is a count of 0: compare those by themselves.
    if (a->ndim != b->ndim || a->part != b->part || a->pstep != b->pstep ||
        a->ragged != b->ragged || a->off.n != b->off.n ||
        a->off.c != b->off.c || !tile_count_same(&x, &y) ||
        (a->ragged && !tile_count_same(&a->outer, &b->outer))) {
        return false;
    }
    for (uint32_t d = 0; d < a->ndim; d++) {
        if (a->dim[d].step != b->dim[d].step ||
            a->dim[d].count != b->dim[d].count) {
            return false;
        }
    }
    return true;
}

// Elements from the offset, at most.
static void
ref_span(const tile_ref *r, const tile_count *parts, int64_t *lo, int64_t *hi)
{
    int64_t span = r->hbm ? r->pstep * (tile_count_max(parts) - 1) : 0;

    *lo = min_i64(span, 0);
    *hi = max_i64(span, 0);
    for (uint32_t d = 0; d < r->ndim; d++) {
        int64_t count =
            d == 0 && r->ragged ? tile_count_max(&r->outer) : r->dim[d].count;

        span = r->dim[d].step * (count - 1);
        *lo += min_i64(span, 0);
        *hi += max_i64(span, 0);
    }
}

static int64_t
ref_gcd(const tile_ref *r, int64_t g)
{
    if (r->hbm) {
        g = gcd_i64(g, r->pstep);
    }
    for (uint32_t d = 0; d < r->ndim; d++) {
        if (r->dim[d].count > 1) {
            g = gcd_i64(g, r->dim[d].step);
        }
    }
    return g;
}

// Interleaved: every distance between elements is c modulo g, not 0.
static bool
is_interleaved(const tile_ref *a, const tile_ref *b, const tile_aff *distance)
{
    int64_t g = ref_gcd(a, ref_gcd(b, 0));

    for (uint32_t i = 0; i < distance->n; i++) {
        g = gcd_i64(g, distance->t[i].k);
    }
    return g > 1 && distance->c % g != 0;
}

bool
tile_ref_apart(const tile_fn *fn, const tile_ref *dst,
               const tile_count *dst_parts, const tile_ref *src,
               const tile_count *src_parts)
{
    int64_t lo, hi, dst_lo, dst_hi, src_lo, src_hi;
    tile_aff distance;

    if (dst->hbm != src->hbm || dst->id != src->id ||
        (same_ref(dst, src) && tile_count_same(dst_parts, src_parts)) ||
        is_empty(dst, dst_parts) || is_empty(src, src_parts)) {
        return true;
    }
    if (!dst->hbm && (dst->part >= src->part + tile_count_max(src_parts) ||
                      src->part >= dst->part + tile_count_max(dst_parts))) {
        return true;
    }
    if (!tile_aff_madd(&dst->off, &src->off, -1, &distance)) {
        return false;
    }
    tile_aff_range(fn, &distance, &lo, &hi);
    ref_span(dst, dst_parts, &dst_lo, &dst_hi);
    ref_span(src, src_parts, &src_lo, &src_hi);
    return lo + dst_lo > src_hi || hi + dst_hi < src_lo ||
           is_interleaved(dst, src, &distance);
}
