// SPDX-License-Identifier: Apache-2.0
// Finds every dependence between items of one body that needs a token. The
// body's accesses are walked twice, as this iteration and as a later one,
// against a list per buffer and tensor of the accesses of this iteration that
// still matter. Lists are short: an access covered by a later one is dropped,
// and long lists are blurred (see docs/design/sync.md).
#include "backend/sync_int.h"

enum { LIVE_MAX = 96 };

typedef sync_live live;
typedef sync_live_list live_list;

// Bytes of a buffer whose home is inside an item.
typedef struct {
    tile_space space;
    int64_t lo, hi;
    uint32_t item, stream;
} span;

typedef struct {
    sync_cx *s;
    arena *a;
    uint32_t body;
    bool again; // the second walk: a later iteration
    VEC(span) spans;
} finder;

static const tile_loop *
loop_at(const finder *f, uint32_t loop)
{
    return &f->s->fn->loops.at[loop];
}

// Records that the item of y waits for an item of an earlier access's stream.
// Of several with one consumer, the last producer orders all of them.
static void
add_edge(finder *f, uint32_t distance, uint32_t to, const sync_access *y,
         uint32_t from, uint32_t stream)
{
    sync_edges *e = &f->s->body[f->body].edges;
    tile_engine engine = y->engine;

    if (distance >= f->s->body[f->body].max_runs)
        return; // there is no such later execution

    for (uint32_t i = e->n; i > 0 && e->at[i - 1].to == to; i--) {
        sync_edge *old = &e->at[i - 1];
        if (old->distance == distance && old->engine == engine &&
            old->stream == stream) {
            old->from = old->from > from ? old->from : from;
            old->guard &= y->guard;
            return;
        }
    }
    vec_push(f->a, e,
             (sync_edge){.distance = distance,
                         .to = to,
                         .from = from,
                         .engine = engine,
                         .stream = stream,
                         .guard = y->guard});
}

// Whether the streams leave the order of x and y open. An engine orders its own
// accesses and the transfers it issues after them.
static bool
is_open(uint32_t stream, const sync_access *y)
{
    return stream != (uint32_t)y->engine;
}

// ---- buffers and tensors that outlive an item

static bool
is_visible(const finder *f, const sync_access *y)
{
    if (y->ref->hbm)
        return f->s->hbm_written[y->ref->id];
    uint32_t home = f->s->fn->bufs.at[y->ref->id].home;
    return loop_at(f, home)->depth <= loop_at(f, f->body)->depth;
}

static live_list *
list_of(const finder *f, const sync_access *y)
{
    return &f->s->live[y->ref->hbm ? f->s->fn->bufs.n + y->ref->id
                                   : y->ref->id];
}

// Whether x and y, both below one item of the body, are ordered at distance 1
// in some inner body, and thereby in all executions.
static bool
is_ordered_inside(const finder *f, const sync_access *x, const sync_access *y)
{
    uint32_t bx = x->body, by = y->body;

    while (bx != by) {
        if (loop_at(f, bx)->depth >= loop_at(f, by)->depth)
            bx = loop_at(f, bx)->parent;
        else
            by = loop_at(f, by)->parent;
    }
    for (; bx != f->body; bx = loop_at(f, bx)->parent)
        if (!sync_disjoint(f->s, x, y, bx, SYNC_LATER))
            return true;
    return false;
}

// Whether y, in a later iteration, must wait for x of this one.
static bool
conflicts_later(const finder *f, const live *x, const sync_access *y,
                uint32_t item, bool at_home)
{
    if (x->any)
        return true;
    if (x->item == item && x->x->body != f->body && y->body != f->body &&
        is_ordered_inside(f, x->x, y))
        return false;
    return !sync_disjoint(f->s, x->x, y, f->body,
                          at_home ? SYNC_ANY : SYNC_LATER);
}

static bool
conflicts_now(const finder *f, const live *x, const sync_access *y,
              uint32_t item)
{
    return x->item != item &&
           (x->any || !sync_disjoint(f->s, x->x, y, f->body, SYNC_SAME));
}

static uint32_t
distance_at_home(const tile_buf *b)
{
    return b->slots == 0                  ? 1
           : b->slots < SYNC_MAX_DISTANCE ? b->slots
                                          : SYNC_MAX_DISTANCE;
}

static void
find_conflicts(finder *f, const live_list *l, const sync_access *y,
               uint32_t item)
{
    const tile_buf *b = y->ref->hbm ? NULL : &f->s->fn->bufs.at[y->ref->id];
    bool at_home = b && b->home == f->body;
    uint32_t later = at_home ? distance_at_home(b) : 1;

    for (uint32_t i = 0; i < l->n; i++) {
        const live *x = &l->at[i];
        if (!(x->write || y->write) || !is_open(x->x->stream, y))
            continue;
        if (f->again ? conflicts_later(f, x, y, item, at_home)
                     : conflicts_now(f, x, y, item))
            add_edge(f, f->again ? later : 0, item, y, x->item, x->x->stream);
    }
}

// ---- forgetting

static bool
same_aff(const tile_aff *a, const tile_aff *b)
{
    if (a->c != b->c || a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->t[i].loop != b->t[i].loop || a->t[i].k != b->t[i].k)
            return false;
    return true;
}

static bool
same_count(const tile_count *a, const tile_count *b)
{
    return a->max == b->max && a->div == b->div && same_aff(&a->rem, &b->rem);
}

// What y touches may be more: then x is wholly in it.
static bool
same_elements(const sync_access *x, const sync_access *y)
{
    const tile_ref *a = x->ref, *b = y->ref;

    if (y->whole)
        return true;
    if (x->whole || a->part != b->part || a->pstep != b->pstep ||
        a->ndim != b->ndim || a->ragged != b->ragged ||
        !same_aff(&a->off, &b->off) || !same_count(x->parts, y->parts) ||
        (a->ragged && !same_count(&a->outer, &b->outer)))
        return false;
    for (uint32_t d = 0; d < a->ndim; d++)
        if (a->dim[d].step != b->dim[d].step ||
            a->dim[d].count != b->dim[d].count)
            return false;
    return true;
}

static bool
is_constant(const sync_access *x)
{
    return x->whole || (x->ref->off.n == 0 && x->parts->rem.n == 0 &&
                        (!x->ref->ragged || x->ref->outer.rem.n == 0));
}

// Whether everything that must wait for x must wait for y too, and y, certain
// to execute, is ordered after x.
static bool
covers(const finder *f, const sync_access *y, const live *x)
{
    return !x->any && x->x->body == f->body && y->body == f->body &&
           (y->write || (!x->write && x->x->stream == y->stream)) &&
           same_elements(x->x, y) && (!f->again || is_constant(y));
}

static void
forget_covered(const finder *f, live_list *l, const sync_access *y)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < l->n; i++)
        if (!covers(f, y, &l->at[i]))
            l->at[n++] = l->at[i];
    l->n = n;
}

// Keeps one entry a stream and kind, the last, which stands for all of them;
// those of the current item apart, for they do not concern the rest of it.
static void
blur(live_list *l, uint32_t item)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < l->n; i++) {
        live e = l->at[i];
        uint32_t k = 0;
        e.any = true;
        while (k < n && (l->at[k].x->stream != e.x->stream ||
                         l->at[k].write != e.write ||
                         (l->at[k].item == item) != (e.item == item)))
            k++;
        l->at[k] = e; // entries come in program order
        n = k < n ? n : n + 1;
    }
    l->n = n;
}

static void
visit_object(finder *f, const sync_access *y, uint32_t item)
{
    live_list *l = list_of(f, y);

    find_conflicts(f, l, y, item);
    forget_covered(f, l, y);
    if (f->again)
        return;
    vec_push(f->a, l, (live){y, item, y->write, false});
    if (l->n > LIVE_MAX)
        blur(l, item);
}

// ---- buffers inside of items: one address, several owners

static span
span_of(const finder *f, const sync_access *y, uint32_t item)
{
    const tile_buf *b = &f->s->fn->bufs.at[y->ref->id];
    uint32_t slots = b->slots ? b->slots : 1;

    return (span){b->space, b->addr, b->addr + b->slot_bytes * (int64_t)slots,
                  item, y->stream};
}

static bool
overlaps(const span *x, const span *y)
{
    return x->space == y->space && x->lo < y->hi && y->lo < x->hi;
}

static void
add_span(finder *f, span y)
{
    for (uint32_t i = f->spans.n; i > 0; i--) {
        const span *x = &f->spans.at[i - 1];
        if (x->item != y.item)
            break;
        if (x->stream == y.stream && x->space == y.space && x->lo == y.lo &&
            x->hi == y.hi)
            return;
    }
    vec_push(f->a, &f->spans, y);
}

// A fresh buffer is written before it is read, and the write waits.
static void
visit_inner(finder *f, const sync_access *y, uint32_t item)
{
    span own = span_of(f, y, item);

    for (uint32_t i = 0; y->write && i < f->spans.n; i++) {
        const span *x = &f->spans.at[i];
        if (x->item != item && overlaps(x, &own) && is_open(x->stream, y))
            add_edge(f, f->again, item, y, x->item, x->stream);
    }
    if (!f->again)
        add_span(f, own);
}

static bool
is_certain(const finder *f, const sync_access *y)
{
    for (uint32_t b = y->body; b != f->body; b = loop_at(f, b)->parent)
        if (f->s->body[b].min_trip < 1)
            return false;
    return true;
}

// Removes [lo, hi) of 'by' from the spans of earlier items.
static void
cut_spans(finder *f, const span *by)
{
    uint32_t n = 0, all = f->spans.n;

    for (uint32_t i = 0; i < all; i++) {
        span x = f->spans.at[i];
        if (x.item == by->item || !overlaps(&x, by)) {
            f->spans.at[n++] = x;
            continue;
        }
        span right = x;
        if (x.lo < by->lo) {
            x.hi = by->lo;
            f->spans.at[n++] = x;
        }
        if (right.hi > by->hi) {
            right.lo = by->hi;
            if (n <= i)
                f->spans.at[n++] = right;
            else
                vec_push(f->a, &f->spans, right);
        }
    }
    // Halves that found no room in place stand after 'all'.
    for (uint32_t i = all; i < f->spans.n; i++)
        f->spans.at[n++] = f->spans.at[i];
    f->spans.n = n;
}

static void
cut_by_item(finder *f, const tile_item *it, uint32_t item)
{
    const sync_body *b = &f->s->body[it->id];

    for (uint32_t i = b->first; i < b->end; i++) {
        const sync_access *y = &f->s->acc.at[i];
        if (y->write && !is_visible(f, y) && !y->ref->hbm && is_certain(f, y)) {
            span own = span_of(f, y, item);
            cut_spans(f, &own);
        }
    }
}

// ---- the walk

static void
visit(finder *f, const sync_access *y, uint32_t item)
{
    if (is_visible(f, y))
        visit_object(f, y, item);
    else if (!y->ref->hbm)
        visit_inner(f, y, item);
}

static void
walk(finder *f)
{
    const tile_loop *l = loop_at(f, f->body);
    uint32_t k = f->s->body[f->body].first;

    for (uint32_t i = 0; i < l->items.n; i++) {
        const tile_item *it = &l->items.at[i];
        uint32_t end = f->s->body[f->body].end;
        if (it->is_loop)
            end = f->s->body[it->id].end;
        for (; k < end; k++) {
            const sync_access *y = &f->s->acc.at[k];
            if (!it->is_loop && y->op != it->id)
                break;
            visit(f, y, i);
        }
        if (it->is_loop && !f->again)
            cut_by_item(f, it, i);
    }
}

void
sync_find_edges(sync_cx *s, uint32_t body)
{
    finder f = {.s = s, .a = s->a, .body = body};

    walk(&f);
    if (body != 0) {
        f.again = true;
        walk(&f);
    }
    for (uint32_t i = s->body[body].first; i < s->body[body].end; i++)
        list_of(&f, &s->acc.at[i])->n = 0;
}
