// SPDX-License-Identifier: Apache-2.0
// Decides which dependences of a body need a token: those that the tokens
// already decided on, and the order within streams, do not imply. A vector
// clock a stream runs over the items of a window of iterations. See
// docs/design/sync.md for why the order of visits makes one run a distance
// enough. Cost: items times distances, plus edges.
#include "backend/sync_int.h"

#include <stdlib.h>
#include <string.h>

enum { LAG_WINDOW = 2 };

// Entry s: position up to which all accesses of stream s, since the start of
// the window, are done. Position 0 is before the window.
typedef struct {
    uint32_t at[SYNC_STREAMS];
    stream_mask entered; // engines known to have started the window
} vclock;

typedef struct {
    sync_cx *s;
    sync_body *b;
    const tile_loop *loop;
    uint32_t window;    // iterations after the first
    bool deciding;      // edges at distance 'window'; those below are decided
    uint32_t upto;      // greatest distance looked at
    uint32_t iteration; // of the window
    uint32_t next_access;
    vclock know[ENG_COUNT];       // of engines
    vclock queue[ISA_QUEUES + 1]; // what a token of the queue tells
    uint32_t last[SYNC_STREAMS];  // position of the stream's last accesses
    uint32_t *base;  // item -> its first snapshot within an iteration
    uint32_t stride; // snapshots an iteration
    vclock *snap;
    uint32_t cursor[SYNC_MAX_DISTANCE + 1]; // next edge, by distance
    uint32_t first[SYNC_MAX_DISTANCE + 2];  // first edge, by distance
} runner;

static int
compare_edges(const void *pa, const void *pb)
{
    const sync_edge *a = pa, *b = pb;

    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    if (a->to != b->to)
        return a->to < b->to ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->engine != b->engine)
        return a->engine < b->engine ? -1 : 1;
    return a->stream < b->stream ? -1 : a->stream > b->stream;
}

static void
merge(vclock *into, const vclock *from)
{
    for (uint32_t i = 0; i < SYNC_STREAMS; i++)
        if (into->at[i] < from->at[i])
            into->at[i] = from->at[i];
    into->entered |= from->entered;
}

// ---- items

static const tile_op *
op_of(const runner *r, const tile_item *it)
{
    return &r->s->fn->ops.at[it->id];
}

static stream_mask
engines_of(const runner *r, const tile_item *it)
{
    return it->is_loop ? r->s->body[it->id].engines
                       : 1u << op_of(r, it)->engine;
}

static uint32_t
op_stream(const tile_op *op)
{
    return op->queue ? sync_queue_stream(op->queue) : (uint32_t)op->engine;
}

static stream_mask
streams_of(const runner *r, const tile_item *it)
{
    return it->is_loop ? r->s->body[it->id].accessing
                       : 1u << op_stream(op_of(r, it));
}

static uint32_t
position(const runner *r, uint32_t iteration, uint32_t item)
{
    return iteration * r->loop->items.n + item + 1;
}

// Where the clock that a post of the stream after the item carries is kept.
static vclock *
snapshot(const runner *r, uint32_t iteration, uint32_t item, uint32_t stream)
{
    stream_mask before =
        streams_of(r, &r->loop->items.at[item]) & ((1u << stream) - 1);

    return &r->snap[iteration * r->stride + r->base[item] +
                    (uint32_t)__builtin_popcount(before)];
}

static void
number_snapshots(runner *r)
{
    r->base = ARENA_ARRAY(r->s->a, r->loop->items.n, uint32_t);
    for (uint32_t i = 0; i < r->loop->items.n; i++) {
        r->base[i] = r->stride;
        r->stride +=
            (uint32_t)__builtin_popcount(streams_of(r, &r->loop->items.at[i]));
    }
}

// ---- one item

// Whether all that the consumer does with it is after the producer anyway: it
// knows, or follows another engine into its item that does.
static bool
is_implied(const runner *r, const sync_edge *e)
{
    uint32_t from = position(r, r->iteration - e->distance, e->from);

    for (uint32_t f = 1; f < ENG_COUNT; f++)
        if (e->guard >> f & 1 && r->know[f].at[e->stream] >= from)
            return true;
    return false;
}

static void
take_edge(runner *r, sync_edge *e)
{
    bool deciding = r->deciding && e->distance == r->window;

    if (r->iteration < e->distance || (deciding && r->iteration != r->window))
        return;
    if (deciding)
        e->keep = !is_implied(r, e);
    if (e->keep)
        merge(&r->know[e->engine],
              snapshot(r, r->iteration - e->distance, e->from, e->stream));
}

// The waits before an item; those still to be decided come last.
static void
take_edges(runner *r, uint32_t item)
{
    sync_edge *at = r->b->edges.at;

    for (uint32_t d = 0; d <= r->upto; d++)
        for (; r->cursor[d] < r->first[d + 1] && at[r->cursor[d]].to == item;
             r->cursor[d]++)
            take_edge(r, &at[r->cursor[d]]);
}

// An engine that leaves loop c knows of stream s what its lag leaves over.
static void
leave_stream(runner *r, const sync_body *c, uint32_t item, vclock *know,
             const vclock *entry, uint32_t s, uint32_t lag)
{
    bool sure = c->sure >> s & 1;
    int64_t back = lag && sure ? ceil_div(lag, max_i64(c->min_trip, 1)) : 0;
    uint32_t pos;

    if ((lag && !sure) || back > r->iteration)
        return;
    pos = position(r, r->iteration - (uint32_t)back, item);
    if (sure && lag < c->min_trip)
        merge(know, &entry[s]); // s did something since it entered
    // If the loop runs zero times, nothing was learnt of what s did before.
    if ((sure || know->at[s] >= r->last[s]) && know->at[s] < pos)
        know->at[s] = pos;
}

// What an engine knows when it leaves a loop: of the accesses in it, and of
// what others knew when they entered it.
static void
leave_loop(runner *r, const sync_body *c, uint32_t item, const vclock *entry,
           tile_engine e)
{
    vclock *know = &r->know[e];

    for (uint32_t f = 1; f < ENG_COUNT && c->certain >> e & 1; f++)
        if (c->guard[e] >> f & 1)
            merge(know, &entry[f]);
    for (uint32_t s = 1; s < SYNC_STREAMS; s++)
        if (c->lag[e][s] != SYNC_NO_LAG)
            leave_stream(r, c, item, know, entry, s, c->lag[e][s]);
}

// Accesses of an item are from now on seen from outside of the body: what do
// they come after?
static void
note_guards(runner *r, const tile_item *it)
{
    uint32_t end = it->is_loop ? r->s->body[it->id].end : r->b->end;

    for (; r->next_access < end; r->next_access++) {
        sync_access *y = &r->s->acc.at[r->next_access];
        stream_mask after = 0;
        if (!it->is_loop && y->op != it->id)
            return;
        for (uint32_t f = 1; f < ENG_COUNT; f++)
            if (y->guard >> f & 1)
                after |= r->know[f].entered;
        y->guard = after;
        r->b->guard[y->engine] &= after;
    }
}

static void
pass_loop(runner *r, const sync_body *c, uint32_t item)
{
    vclock entry[SYNC_STREAMS];

    memset(entry, 0, sizeof entry);
    for (uint32_t s = 1; s < SYNC_STREAMS; s++) {
        if (!sync_is_queue(s)) {
            entry[s] = r->know[s];
        } else {
            entry[s] = r->queue[s - sync_queue_stream(0)];
            merge(&entry[s],
                  &r->know[r->s->queue_engine[s - sync_queue_stream(0)]]);
        }
    }
    for (uint32_t e = 1; e < ENG_COUNT; e++)
        if (c->engines >> e & 1)
            leave_loop(r, c, item, entry, (tile_engine)e);
}

// The posts after an item: what each of its streams can tell from now on.
static void
give(runner *r, uint32_t item, uint32_t pos)
{
    const tile_item *it = &r->loop->items.at[item];
    stream_mask streams = streams_of(r, it);

    for (uint32_t e = 1; e < ENG_COUNT; e++)
        if (engines_of(r, it) >> e & 1)
            r->know[e].at[e] = pos;
    for (uint32_t s = 1; s < SYNC_STREAMS; s++) {
        if (!(streams >> s & 1))
            continue;
        r->last[s] = pos;
        if (sync_is_queue(s)) {
            uint32_t q = s - sync_queue_stream(0);
            merge(&r->queue[q], &r->know[r->s->queue_engine[q]]);
            r->queue[q].at[s] = pos;
            *snapshot(r, r->iteration, item, s) = r->queue[q];
        } else {
            *snapshot(r, r->iteration, item, s) = r->know[s];
        }
    }
}

// ---- runs

static void
run_iteration(runner *r)
{
    for (uint32_t d = 0; d <= r->upto; d++)
        r->cursor[d] = r->first[d];
    r->next_access = r->b->first;
    for (uint32_t i = 0; i < r->loop->items.n; i++) {
        const tile_item *it = &r->loop->items.at[i];
        take_edges(r, i);
        if (r->deciding && r->window == 0)
            note_guards(r, it);
        if (it->is_loop)
            pass_loop(r, &r->s->body[it->id], i);
        give(r, i, position(r, r->iteration, i));
    }
}

static void
run(runner *r, uint32_t window, bool deciding)
{
    arena_mark mark = arena_save(r->s->a);

    r->window = window;
    r->deciding = deciding;
    r->upto = deciding ? window : SYNC_MAX_DISTANCE;
    memset(r->know, 0, sizeof r->know);
    memset(r->queue, 0, sizeof r->queue);
    memset(r->last, 0, sizeof r->last);
    for (uint32_t e = 1; e < ENG_COUNT; e++)
        r->know[e].entered = 1u << e;
    r->snap = ARENA_ARRAY(r->s->a, (size_t)(window + 1) * r->stride, vclock);
    for (r->iteration = 0; r->iteration <= window; r->iteration++)
        run_iteration(r);
    arena_restore(r->s->a, mark);
}

// After a run: how far an engine is behind a stream when it has been through
// the last iteration of the window.
static void
note_lag(runner *r)
{
    for (uint32_t e = 1; e < ENG_COUNT; e++) {
        for (uint32_t s = 1; s < SYNC_STREAMS; s++) {
            if (!(r->b->engines >> e & 1) || !(r->b->accessing >> s & 1))
                continue;
            for (uint32_t j = 0; j <= r->window; j++) {
                uint32_t end = r->last[s] - j * r->loop->items.n;
                if (r->know[e].at[s] >= end && j < r->b->lag[e][s])
                    r->b->lag[e][s] = (uint8_t)j;
            }
        }
    }
}

// How many streams a stream's token after the loop tells about.
static uint32_t
stream_knowledge(const runner *r, const sync_body *c, uint32_t stream)
{
    uint32_t q = sync_is_queue(stream) ? stream - sync_queue_stream(0) : 0;
    tile_engine e = q ? r->s->queue_engine[q] : (tile_engine)stream;
    uint32_t n = q != 0;

    for (uint32_t s = 1; s < SYNC_STREAMS; s++)
        n += c->lag[e][s] == 0;
    return n;
}

// Edges to one item: engines that others follow first, since what they know
// may do; then the last producer first, and of the streams of one loop those
// that know most.
static void
rank_edges(const runner *r)
{
    for (uint32_t i = 0; i < r->b->edges.n; i++) {
        sync_edge *e = &r->b->edges.at[i];
        const tile_item *from = &r->loop->items.at[e->from];
        uint32_t followed = (uint32_t)__builtin_popcount(e->guard), known = 0;
        if (from->is_loop)
            known = stream_knowledge(r, &r->s->body[from->id], e->stream);
        e->rank = (uint64_t)followed << 48 |
                  (uint64_t)(UINT32_MAX - e->from) << 8 |
                  (SYNC_STREAMS - known);
    }
}

static bool
has_distance(const runner *r, uint32_t d)
{
    return r->first[d + 1] > r->first[d];
}

static void
sort_edges(runner *r)
{
    sync_edges *e = &r->b->edges;
    uint32_t i = 0;

    rank_edges(r);
    if (e->n)
        qsort(e->at, e->n, sizeof *e->at, compare_edges);
    for (uint32_t d = 0; d <= SYNC_MAX_DISTANCE + 1; d++) {
        while (i < e->n && e->at[i].distance < d)
            i++;
        r->first[d] = i;
    }
}

void
sync_reduce(sync_cx *s, uint32_t body)
{
    runner r = {.s = s, .b = &s->body[body], .loop = &s->fn->loops.at[body]};
    uint32_t window = LAG_WINDOW;

    memset(r.b->lag, SYNC_NO_LAG, sizeof r.b->lag);
    for (uint32_t e = 1; e < ENG_COUNT; e++)
        r.b->guard[e] = UINT32_MAX;
    sort_edges(&r);
    number_snapshots(&r);
    run(&r, 0, true);
    note_lag(&r);
    for (uint32_t d = 1; d <= SYNC_MAX_DISTANCE; d++) {
        if (!has_distance(&r, d))
            continue;
        run(&r, d, true);
        window = d > window ? d : window;
    }
    if (body != 0) {
        run(&r, window, false);
        note_lag(&r);
    }
}
