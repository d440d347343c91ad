// SPDX-License-Identifier: Apache-2.0
// Turns the dependences that were kept into semaphores, waits and posts, and
// rebuilds the bodies with the marks that these need.
#include "backend/sync_int.h"

#include <stdlib.h>
#include <string.h>

// One end of a dependence. 'who': the waiting engine, or the posting stream.
typedef struct {
    uint32_t item, who, sem;
} hook;

typedef VEC(hook) hooks;

typedef struct {
    sync_cx *s;
    arena *a;
    uint32_t sem[SYNC_MAX_DISTANCE + 1][SYNC_STREAMS][ENG_COUNT]; // 1 + id
    hooks waits, posts;
    uint32_t next_wait, next_post;
    VEC(tile_item) items;
} inserter;

static int
compare_hooks(const void *pa, const void *pb)
{
    const hook *a = pa, *b = pb;

    if (a->item != b->item)
        return a->item < b->item ? -1 : 1;
    if (a->who != b->who)
        return a->who < b->who ? -1 : 1;
    return a->sem < b->sem ? -1 : a->sem > b->sem;
}

// The semaphore of the edge's class in this body, with its credits.
static uint32_t
sem_of(inserter *x, const sync_edge *e)
{
    tile_fn *fn = x->s->fn;
    uint32_t *slot = &x->sem[e->distance][e->stream][e->engine];

    if (*slot == 0) {
        tile_sem *sem = vec_add(fn->a, &fn->sems);
        if (sync_is_queue(e->stream))
            sem->producer_queue = e->stream - sync_queue_stream(0);
        else
            sem->producer = (tile_engine)e->stream;
        sem->consumer = e->engine;
        *slot = fn->sems.n;
    }
    fn->sems.at[*slot - 1].initial += e->distance;
    return *slot - 1;
}

static void
collect_hooks(inserter *x, const sync_body *b)
{
    x->waits.n = x->posts.n = 0;
    x->next_wait = x->next_post = 0;
    for (uint32_t i = 0; i < b->edges.n; i++) {
        const sync_edge *e = &b->edges.at[i];
        if (!e->keep)
            continue;
        uint32_t sem = sem_of(x, e);
        vec_push(x->a, &x->waits, (hook){e->to, e->engine, sem});
        vec_push(x->a, &x->posts, (hook){e->from, e->stream, sem});
    }
    for (uint32_t i = 0; i < b->edges.n; i++) { // for the next body
        const sync_edge *e = &b->edges.at[i];
        x->sem[e->distance][e->stream][e->engine] = 0;
    }
    if (x->waits.n == 0)
        return;
    qsort(x->waits.at, x->waits.n, sizeof(hook), compare_hooks);
    qsort(x->posts.at, x->posts.n, sizeof(hook), compare_hooks);
}

// Appends a mark to the body being rebuilt. Operations may move.
static tile_op *
add_mark(inserter *x, tile_engine engine, uint32_t queue, loc at)
{
    tile_fn *fn = x->s->fn;
    tile_op *op = vec_add(fn->a, &fn->ops);

    vec_push(fn->a, &x->items, (tile_item){false, fn->ops.n - 1});
    op->op = NUM_OP_NONE;
    op->engine = engine;
    op->queue = queue;
    op->at = at;
    op->dst.id = op->a.id = op->b.id = TILE_ABSENT;
    op->s0.vec.id = op->s1.vec.id = TILE_ABSENT;
    return op;
}

// The hooks of one item and stream starting at 'from'.
static uint32_t
count_same(const hooks *h, uint32_t from)
{
    uint32_t n = 1;

    while (from + n < h->n && h->at[from + n].item == h->at[from].item &&
           h->at[from + n].who == h->at[from].who)
        n++;
    return n;
}

static void
put_waits(tile_op *op, const hook *h, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        op->wait[op->nwait++] = (tile_token){h[i].sem, 1};
}

static void
put_posts(tile_op *op, const hook *h, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        op->post[op->npost++] = (tile_token){h[i].sem, 1};
}

static uint32_t
min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

// Marks before a loop, or before an operation with more waits than it holds.
static void
insert_waits(inserter *x, uint32_t item, const tile_item *it, loc at)
{
    while (x->next_wait < x->waits.n &&
           x->waits.at[x->next_wait].item == item) {
        uint32_t n = count_same(&x->waits, x->next_wait);
        while (n > 0 && (it->is_loop || n > TILE_WAITS)) {
            const hook *h = &x->waits.at[x->next_wait];
            uint32_t k = min_u32(n, TILE_WAITS);
            put_waits(add_mark(x, (tile_engine)h->who, 0, at), h, k);
            x->next_wait += k;
            n -= k;
        }
        if (n > 0)
            put_waits(&x->s->fn->ops.at[it->id], &x->waits.at[x->next_wait], n);
        x->next_wait += n;
    }
}

// The operation itself, and marks after it for posts it does not hold. A
// transfer, and a mark on a queue, gives one token.
static void
insert_posts(inserter *x, uint32_t item, const tile_item *it, loc at)
{
    bool self = !it->is_loop;

    while (x->next_post < x->posts.n &&
           x->posts.at[x->next_post].item == item) {
        const hook *h = &x->posts.at[x->next_post];
        bool queue = sync_is_queue(h->who);
        uint32_t q = queue ? h->who - sync_queue_stream(0) : 0;
        tile_engine e = queue ? x->s->queue_engine[q] : (tile_engine)h->who;
        uint32_t n = min_u32(count_same(&x->posts, x->next_post),
                             queue ? 1 : TILE_POSTS);
        tile_op *op = self ? &x->s->fn->ops.at[it->id] : add_mark(x, e, q, at);
        put_posts(op, h, n);
        self = false;
        x->next_post += n;
    }
}

// A place in the source for the marks around a loop: its first operation.
static loc
loc_of(const tile_fn *fn, tile_item it)
{
    while (it.is_loop) {
        const tile_loop *l = &fn->loops.at[it.id];
        if (l->items.n == 0)
            return (loc){0};
        it = l->items.at[0];
    }
    return fn->ops.at[it.id].at;
}

static void
rebuild_body(inserter *x, uint32_t body)
{
    tile_loop *l = &x->s->fn->loops.at[body];

    memset(&x->items, 0, sizeof x->items);
    for (uint32_t i = 0; i < l->items.n; i++) {
        tile_item it = l->items.at[i];
        loc at = loc_of(x->s->fn, it);
        insert_waits(x, i, &it, at);
        vec_push(x->s->fn->a, &x->items, it);
        insert_posts(x, i, &it, at);
    }
    memcpy(&l->items, &x->items, sizeof x->items);
}

bool
sync_insert(sync_cx *s)
{
    inserter *x = ARENA_NEW(s->a, inserter);
    tile_fn *fn = s->fn;

    x->s = s;
    x->a = s->a;
    for (uint32_t b = 0; b < fn->loops.n; b++) {
        collect_hooks(x, &s->body[b]);
        if (x->waits.n)
            rebuild_body(x, b);
    }
    if (fn->sems.n <= ISA_SEMS)
        return true;
    diag(s->cx->d, (loc){0}, D_SYNC_SEMS, fn->name, fn->sems.n, ISA_SEMS);
    return false;
}
