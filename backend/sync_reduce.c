// SPDX-License-Identifier: Apache-2.0
// Decides which dependences of a body need a token: those that the tokens
// already decided on, and the order within streams, do not imply. A vector
// clock a stream runs over the items of a window of iterations. See
// docs/design/sync.md for why the order of visits makes one run a distance
// enough. Cost: items times distances, plus edges.
#include "backend/sync_int.h"

#include <stdlib.h>
#include <string.h>

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
    uint32_t distance;            // decided in this run; those below are
    uint32_t iteration;           // of the window
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
// -------------------------------------------------------------------

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
// ----------------------------------------------------------------

// Whether all that the consumer does in its item is after the producer anyway:
// it knows, or is a loop in which it follows another engine that does.
static bool
is_implied(const runner *r, const sync_edge *e)
{
    const tile_item *to = &r->loop->items.at[e->to];
    uint32_t from = position(r, r->iteration - e->distance, e->from);
    stream_mask after = 1u << e->engine;

    if (to->is_loop)
        after |= r->s->body[to->id].guard[e->engine];
    for (uint32_t f = 1; f < ENG_COUNT; f++)
        if (after >> f & 1 && r->know[f].at[e->stream] >= from)
            return true;
    return false;
}

static void
take_edge(runner *r, sync_edge *e)
{
    bool deciding = e->distance == r->distance;

    if (r->iteration < e->distance || (deciding && r->iteration != r->distance))
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

    for (uint32_t d = 0; d <= r->distance; d++)
        for (; r->cursor[d] < r->first[d + 1] && at[r->cursor[d]].to == item;
             r->cursor[d]++)
            take_edge(r, &at[r->cursor[d]]);
}

// What an engine knows when it leaves a loop: of the accesses in it, and of
// what others knew when they entered it.
static void
leave_loop(runner *r, const sync_body *c, const vclock *entry, tile_engine e,
           uint32_t pos)
{
    vclock *know = &r->know[e];

    for (uint32_t f = 1; f < ENG_COUNT && c->certain >> e & 1; f++)
        if (c->guard[e] >> f & 1)
            merge(know, &entry[f]);
    for (uint32_t s = 1; s < SYNC_STREAMS; s++) {
        if (!(c->exit[e] >> s & 1))
            continue;
        if (c->sure >> s & 1)
            merge(know, &entry[s]);
        // If the loop runs zero times, nothing was learnt of what s did before.
        if (c->sure >> s & 1 || know->at[s] >= r->last[s])
            know->at[s] = pos;
    }
}

// What an engine's accesses in an item come after: narrows the guards of the
// body that the item is in.
static void
note_guard(runner *r, const sync_body *c, tile_engine e)
{
    stream_mask after = r->know[e].entered;

    for (uint32_t f = 1; c && f < ENG_COUNT; f++)
        if (c->guard[e] >> f & 1)
            after |= r->know[f].entered;
    r->b->guard[e] &= after;
}

static void
pass_loop(runner *r, const sync_body *c, uint32_t pos)
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
    for (uint32_t e = 1; e < ENG_COUNT && r->distance == 0; e++)
        if (c->engines >> e & 1)
            note_guard(r, c, (tile_engine)e);
    for (uint32_t e = 1; e < ENG_COUNT; e++)
        if (c->engines >> e & 1)
            leave_loop(r, c, entry, (tile_engine)e, pos);
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
// ----------------------------------------------------------------------

static void
run_iteration(runner *r)
{
    for (uint32_t d = 0; d <= r->distance; d++)
        r->cursor[d] = r->first[d];
    for (uint32_t i = 0; i < r->loop->items.n; i++) {
        const tile_item *it = &r->loop->items.at[i];
        uint32_t pos = position(r, r->iteration, i);
        take_edges(r, i);
        if (it->is_loop)
            pass_loop(r, &r->s->body[it->id], pos);
        else if (r->distance == 0)
            note_guard(r, NULL, op_of(r, it)->engine);
        give(r, i, pos);
    }
}

static void
run(runner *r, uint32_t distance)
{
    arena_mark mark = arena_save(r->s->a);

    r->distance = distance;
    memset(r->know, 0, sizeof r->know);
    memset(r->queue, 0, sizeof r->queue);
    memset(r->last, 0, sizeof r->last);
    for (uint32_t e = 1; e < ENG_COUNT; e++)
        r->know[e].entered = 1u << e;
    r->snap = ARENA_ARRAY(r->s->a, (size_t)(distance + 1) * r->stride, vclock);
    for (r->iteration = 0; r->iteration <= distance; r->iteration++)
        run_iteration(r);
    arena_restore(r->s->a, mark);
}

// After the run at distance 0: what the last iteration leaves known.
static void
note_exit(runner *r)
{
    for (uint32_t e = 1; e < ENG_COUNT; e++)
        for (uint32_t s = 1; s < SYNC_STREAMS; s++)
            if (r->b->engines >> e & 1 && r->b->accessing >> s & 1 &&
                r->know[e].at[s] >= r->last[s])
                r->b->exit[e] |= 1u << s;
}

// How many streams a stream's token after the loop tells about.
static uint32_t
stream_knowledge(const runner *r, const sync_body *c, uint32_t stream)
{
    uint32_t q = sync_is_queue(stream) ? stream - sync_queue_stream(0) : 0;
    tile_engine e = q ? r->s->queue_engine[q] : (tile_engine)stream;

    return (uint32_t)__builtin_popcount(c->exit[e] | 1u << e | 1u << stream);
}

// Edges to one item: engines that others follow first, since what they know
// may do; then the last producer first, and of the streams of one loop those
// that know most.
static void
rank_edges(const runner *r)
{
    for (uint32_t i = 0; i < r->b->edges.n; i++) {
        sync_edge *e = &r->b->edges.at[i];
        const tile_item *to = &r->loop->items.at[e->to];
        const tile_item *from = &r->loop->items.at[e->from];
        uint32_t followed = 0, known = 0;
        if (to->is_loop)
            followed = (uint32_t)__builtin_popcount(
                r->s->body[to->id].guard[e->engine]);
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

void
sync_reduce(sync_cx *s, uint32_t body)
{
    runner r = {.s = s, .b = &s->body[body], .loop = &s->fn->loops.at[body]};
    sync_edges *e = &r.b->edges;
    uint32_t i = 0;

    for (uint32_t k = 1; k < ENG_COUNT; k++)
        r.b->guard[k] = UINT32_MAX;
    rank_edges(&r);
    if (e->n)
        qsort(e->at, e->n, sizeof *e->at, compare_edges);
    for (uint32_t d = 0; d <= SYNC_MAX_DISTANCE + 1; d++) {
        while (i < e->n && e->at[i].distance < d)
            i++;
        r.first[d] = i;
    }
    number_snapshots(&r);
    run(&r, 0);
    note_exit(&r);
    for (uint32_t d = 1; d <= SYNC_MAX_DISTANCE; d++)
        if (has_distance(&r, d))
            run(&r, d);
}
