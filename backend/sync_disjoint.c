// SPDX-License-Identifier: Apache-2.0
// Whether two references touch different bytes: addresses are split into the
// digits of a mixed radix, in which tiles of a tensor are boxes, and one digit
// that cannot be equal decides. Sound: 'false' only means not proven.
#include "backend/sync_int.h"

#include <string.h>

enum {
    FORM_TERMS = TILE_LOOPS + NUM_DIMS + 1,
    FORM_RAGGED = 2, // the partitions and the outermost dimension
    NO_LOOP = 0,     // a term of the reference itself; loop 0 has no counter
};

// Sums of products of 64-bit numbers.
__extension__ typedef __int128 wide;

// coef * x, x in 0..max.
typedef struct {
    int64_t coef, max;
    uint32_t loop;
} form_term;

// c + sum of terms; the x of term ragged[i].term is also less than count.
typedef struct {
    wide c;
    uint32_t n, nragged;
    form_term t[FORM_TERMS];
    struct {
        uint32_t term;
        const tile_aff *count;
    } ragged[FORM_RAGGED];
} form;

// Terms of a form, one bit each.
typedef uint32_t term_mask;

// ---- a reference as a form

// Adds steps over a count; false if there is nothing to step over.
static bool
form_add_count(form *f, int64_t step, int64_t max, const tile_count *count)
{
    int64_t fixed;

    if (count && tile_count_is_const(count, &fixed)) {
        max = min_i64(max, fixed);
        count = NULL;
    }
    if (max <= 0)
        return false;
    if (max == 1 || step == 0)
        return true;
    if (count && step > 0) {
        f->ragged[f->nragged].term = f->n;
        f->ragged[f->nragged++].count = &count->rem;
    }
    f->t[f->n++] = (form_term){step, max - 1, NO_LOOP};
    return true;
}

// False if the access never touches anything.
static bool
form_of(const sync_cx *s, const sync_access *x, form *f)
{
    const tile_ref *r = x->ref;

    f->n = f->nragged = 0;
    f->c = r->off.c;
    if (!form_add_count(f, r->hbm ? r->pstep : 0, x->parts->max, x->parts))
        return false;
    for (uint32_t d = 0; d < r->ndim; d++)
        if (!form_add_count(f, r->dim[d].step, r->dim[d].count,
                            d == 0 && r->ragged ? &r->outer : NULL))
            return false;
    for (uint32_t i = 0; i < r->off.n; i++) {
        int64_t trips = s->body[r->off.t[i].loop].max_trip;
        if (trips > 1)
            f->t[f->n++] =
                (form_term){r->off.t[i].k, trips - 1, r->off.t[i].loop};
    }
    return true;
}

// ---- bounds of some of its terms

typedef struct {
    wide c;
    uint32_t n;
    struct {
        uint32_t loop;
        wide k;
    } t[TILE_LOOPS * (1 + FORM_RAGGED)];
} wide_aff;

static void
wide_add(wide_aff *a, uint32_t loop, wide k)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->t[i].loop == loop) {
            a->t[i].k += k;
            return;
        }
    }
    a->t[a->n].loop = loop;
    a->t[a->n++].k = k;
}

static wide
wide_greatest(const sync_cx *s, const wide_aff *a)
{
    wide hi = a->c;

    for (uint32_t i = 0; i < a->n; i++) {
        int64_t last = max_i64(s->body[a->t[i].loop].max_trip, 1) - 1;
        if (a->t[i].k > 0)
            hi += a->t[i].k * last;
    }
    return hi;
}

// The greatest sum of the terms in 'take', replacing x by count - 1 in the
// ragged ones of 'use'.
static wide
greatest_with(const sync_cx *s, const form *f, term_mask take, uint32_t use)
{
    wide_aff a = {.n = 0};
    term_mask replaced = 0;

    for (uint32_t i = 0; i < f->nragged; i++) {
        const tile_aff *count = f->ragged[i].count;
        uint32_t term = f->ragged[i].term;
        wide k = f->t[term].coef;
        if (!(use >> i & 1) || !(take >> term & 1))
            continue;
        replaced |= 1u << term;
        a.c += k * ((wide)count->c - 1);
        for (uint32_t j = 0; j < count->n; j++)
            wide_add(&a, count->t[j].loop, k * count->t[j].k);
    }
    for (uint32_t i = 0; i < f->n; i++) {
        const form_term *t = &f->t[i];
        if (!(take >> i & 1) || replaced >> i & 1)
            continue;
        if (t->loop != NO_LOOP)
            wide_add(&a, t->loop, t->coef);
        else if (t->coef > 0)
            a.c += (wide)t->coef * t->max;
    }
    return wide_greatest(s, &a);
}

static wide
greatest(const sync_cx *s, const form *f, term_mask take)
{
    wide best = greatest_with(s, f, take, 0);

    for (uint32_t use = 1; use < 1u << f->nragged; use++) {
        wide hi = greatest_with(s, f, take, use);
        if (hi < best)
            best = hi;
    }
    return best;
}

static wide
least(const form *f, term_mask take)
{
    wide lo = 0;

    for (uint32_t i = 0; i < f->n; i++)
        if (take >> i & 1 && f->t[i].coef < 0)
            lo += (wide)f->t[i].coef * f->t[i].max;
    return lo;
}

static wide
wide_floor_div(wide a, wide b)
{
    wide q = a / b;

    return q * b > a ? q - 1 : q;
}

// ---- digits

static int64_t
magnitude(int64_t k)
{
    return k < 0 ? (k == INT64_MIN ? INT64_MAX : -k) : k;
}

// The largest coefficient below 'below' of the terms left, or 0.
static int64_t
next_radix(const form *f, term_mask left, int64_t below)
{
    int64_t best = 0;

    for (uint32_t i = 0; i < f->n; i++) {
        int64_t m = magnitude(f->t[i].coef);
        if (left >> i & 1 && m < below && m > best)
            best = m;
    }
    return best;
}

// Splits value = g * digit + rest with rest in [0, g): the digit's terms are
// those at least g, of 'left'; *digit_c and *rest_c are the two constants.
static bool
split(const sync_cx *s, const form *f, term_mask left, int64_t g, wide c,
      term_mask *rest, wide *digit_c, wide *rest_c)
{
    *rest = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        if (!(left >> i & 1))
            continue;
        if (magnitude(f->t[i].coef) < g)
            *rest |= 1u << i;
        else if (f->t[i].coef % g != 0)
            return false;
    }
    *digit_c = wide_floor_div(c + least(f, *rest), g);
    *rest_c = c - *digit_c * g;
    return *rest_c + greatest(s, f, *rest) < g;
}

typedef struct {
    const sync_cx *s;
    uint32_t body;
    sync_relation rel;
    const form *x, *y;
} compare;

typedef struct {
    wide lo, hi;
} interval;

static void
widen(interval *v, wide coef, wide max)
{
    if (coef > 0)
        v->hi += coef * max;
    else
        v->lo += coef * max;
}

static bool
is_shared(const compare *c, uint32_t loop)
{
    const tile_loop *at = c->s->fn->loops.at;

    return loop != NO_LOOP && c->rel != SYNC_ANY &&
           at[loop].depth <= at[c->body].depth;
}

// Adds k_y * counter_y - k_x * counter_x of a loop around both accesses.
static void
widen_shared(const compare *c, interval *v, uint32_t loop, wide kx, wide ky)
{
    wide last = c->s->body[loop].max_trip - 1;

    widen(v, ky - kx, last);
    if (loop == c->body && c->rel == SYNC_LATER) {
        // counter_y = counter_x + delta, delta in 1..last
        v->lo += ky > 0 ? ky : ky * last;
        v->hi += ky > 0 ? ky * last : ky;
    }
}

static wide
shared_coef(const form *f, term_mask take, uint32_t loop)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (take >> i & 1 && f->t[i].loop == loop)
            return f->t[i].coef;
    return 0;
}

// The interval of (y - x) over the terms taken, in units of the radix.
static interval
difference(const compare *c, term_mask tx, term_mask ty, int64_t g, wide dc)
{
    interval v = {0, 0};

    for (uint32_t i = 0; i < c->x->n; i++) {
        const form_term *t = &c->x->t[i];
        if (!(tx >> i & 1))
            continue;
        if (is_shared(c, t->loop))
            widen_shared(c, &v, t->loop, t->coef,
                         shared_coef(c->y, ty, t->loop));
        else
            widen(&v, -(wide)t->coef, t->max);
    }
    for (uint32_t i = 0; i < c->y->n; i++) {
        const form_term *t = &c->y->t[i];
        if (!(ty >> i & 1))
            continue;
        if (!is_shared(c, t->loop))
            widen(&v, t->coef, t->max);
        else if (shared_coef(c->x, tx, t->loop) == 0)
            widen_shared(c, &v, t->loop, 0, t->coef);
    }
    v.lo += dc * g;
    v.hi += dc * g;
    return v;
}

static bool
never_zero(interval v)
{
    return v.lo > 0 || v.hi < 0;
}

static bool
digits_differ(const compare *c)
{
    term_mask left_x = (1u << c->x->n) - 1, left_y = (1u << c->y->n) - 1;
    wide cx = c->x->c, cy = c->y->c;
    int64_t g = INT64_MAX;

    for (;;) {
        term_mask rest_x, rest_y;
        wide dx, dy, rx, ry;
        g = max_i64(next_radix(c->x, left_x, g), next_radix(c->y, left_y, g));
        if (g <= 1)
            break;
        if (!split(c->s, c->x, left_x, g, cx, &rest_x, &dx, &rx) ||
            !split(c->s, c->y, left_y, g, cy, &rest_y, &dy, &ry))
            continue;
        if (never_zero(
                difference(c, left_x & ~rest_x, left_y & ~rest_y, g, dy - dx)))
            return true;
        left_x = rest_x;
        left_y = rest_y;
        cx = rx;
        cy = ry;
    }
    return never_zero(difference(c, left_x, left_y, 1, cy - cx));
}

// Partitions [part, part + parts) on chip.
static bool
partitions_differ(const sync_access *x, const sync_access *y)
{
    int64_t px = x->ref->part, py = y->ref->part;

    return !x->ref->hbm &&
           (px + x->parts->max <= py || py + y->parts->max <= px);
}

bool
sync_disjoint(const sync_cx *s, const sync_access *x, const sync_access *y,
              uint32_t body, sync_relation rel)
{
    form fx, fy;
    compare c = {s, body, rel, &fx, &fy};

    if (rel == SYNC_LATER && s->body[body].max_trip <= 1)
        return true;
    if (x->whole || y->whole)
        return false;
    if (!form_of(s, x, &fx) || !form_of(s, y, &fy))
        return true;
    return partitions_differ(x, y) || digits_differ(&c);
}
