// SPDX-License-Identifier: Apache-2.0
// Private to pass sync (backend/sync*.c): streams, accesses, dependences.
// docs/design/sync.md explains.
#ifndef SY_BACKEND_SYNC_INT_H
#define SY_BACKEND_SYNC_INT_H

#include "backend/backend.h"

// Streams: engine e is stream e, queue q is stream ENG_COUNT - 1 + q.
enum {
    SYNC_STREAMS = ENG_COUNT + ISA_QUEUES,
    SYNC_MAX_DISTANCE = 16, // a smaller distance orders more: sound
    SYNC_NO_LAG = 0xff,
};

typedef uint32_t stream_mask; // bit per stream

static inline uint32_t
sync_queue_stream(uint32_t queue)
{
    return ENG_COUNT - 1 + queue;
}

static inline bool
sync_is_queue(uint32_t stream)
{
    return stream >= ENG_COUNT;
}

// One operand of one operation.
typedef struct {
    uint32_t op;
    uint32_t body;      // of the operation
    uint32_t stream;    // that makes the access
    tile_engine engine; // that issues it, and takes its waits
    bool write;         // or both
    bool whole;         // anywhere in the tensor
    const tile_ref *ref;
    const tile_count *parts;
    // Engines f: in each execution of the item (of the body at hand) that this
    // access is in, it is after the moment when f entered the item.
    stream_mask guard;
} sync_access;

// X -> Y in one body: the consumer's n-th execution of item 'to' waits for
// stream 'from_stream' to be through its (n - distance)-th of item 'from'.
typedef struct {
    uint32_t distance;
    uint32_t to, from;  // items of the body
    tile_engine engine; // the consumer
    uint32_t stream;    // the producer
    stream_mask guard;  // common to the consumer's accesses
    bool keep;          // not implied by others
    uint64_t rank;      // among edges to one item: decided in this order
} sync_edge;

typedef VEC(sync_edge) sync_edges;

// An access of a walk over a body that a later one may have to wait for.
typedef struct {
    const sync_access *x;
    uint32_t item;
    bool write;
    bool any; // stands for several: touches everything
} sync_live;

typedef VEC(sync_live) sync_live_list;

// What is known of a body (or of the item of its parent that it is).
typedef struct {
    uint32_t item;         // its place in the parent's body
    uint32_t first, end;   // its accesses, nested ones included
    stream_mask accessing; // streams that access memory in it
    stream_mask engines;   // engines that execute anything in it
    stream_mask sure;      // of accessing: certain to do so at least once
    stream_mask certain;   // of engines: certain to execute something in it
    // After an execution of the body, engine e knows of all that stream s did
    // in the one lag[e][s] before, and in those before that.
    uint8_t lag[ENG_COUNT][SYNC_STREAMS];
    stream_mask guard[ENG_COUNT]; // common to all accesses of an engine
    int64_t max_trip, min_trip;
    int64_t max_runs; // of the body in all, saturated
    sync_edges edges;
} sync_body;

typedef struct {
    pass_ctx *cx;
    arena *a;
    tile_fn *fn;
    VEC(sync_access) acc; // in program order
    sync_body *body;      // by loop id
    uint32_t *op_item;    // operation -> its place in its body
    bool *hbm_written;    // by tensor
    sync_live_list *live; // by buffer, then tensor; empty between walks
    tile_engine queue_engine[ISA_QUEUES + 1];
} sync_cx;

// The item of 'body' that holds an access made in or below it.
static inline uint32_t
sync_item_of(const sync_cx *s, const sync_access *x, uint32_t body)
{
    uint32_t b = x->body;

    if (b == body)
        return s->op_item[x->op];
    while (s->fn->loops.at[b].parent != body)
        b = s->fn->loops.at[b].parent;
    return s->body[b].item;
}

// ---- sync_disjoint.c

// How the counters of two accesses relate: those of loops around 'body' are
// equal, those inside are independent. The body's own: equal (SAME), y's
// greater (LATER), and in ANY all are independent.
typedef enum { SYNC_SAME, SYNC_LATER, SYNC_ANY } sync_relation;

// Whether x and y, of the same buffer or tensor, provably share no byte.
bool sync_disjoint(const sync_cx *s, const sync_access *x, const sync_access *y,
                   uint32_t body, sync_relation rel);

// ---- sync_depend.c: fills edges of a body, all candidates

void sync_find_edges(sync_cx *s, uint32_t body);

// ---- sync_reduce.c: decides 'keep' of a body's edges

// Also fills the body's lag and guards and moves the guards of its accesses up.
void sync_reduce(sync_cx *s, uint32_t body);

// ---- sync_insert.c: semaphores, waits, posts, marks

bool sync_insert(sync_cx *s);

#endif
