// SPDX-License-Identifier: Apache-2.0
// Pass sync: adds the semaphores, waits, posts and marks under which engines
// and queues that run on their own keep every dependence of the sequential
// program. docs/design/sync.md is the design. This file prepares the accesses
// and facts of the loops, and drives the steps body by body, inner ones first.
#include "backend/sync_int.h"

// ---- starting over: a function that was synchronised before

static void
strip_op(tile_op *op)
{
    op->nwait = op->npost = 0;
    for (uint32_t i = 0; i < TILE_WAITS; i++)
        op->wait[i] = (tile_token){0, 0};
    for (uint32_t i = 0; i < TILE_POSTS; i++)
        op->post[i] = (tile_token){0, 0};
}

static void
strip(tile_fn *fn)
{
    fn->sems.n = 0;
    for (uint32_t i = 0; i < fn->ops.n; i++)
        strip_op(&fn->ops.at[i]);
    for (uint32_t l = 0; l < fn->loops.n; l++) {
        tile_loop *b = &fn->loops.at[l];
        uint32_t n = 0;
        for (uint32_t i = 0; i < b->items.n; i++) {
            tile_item it = b->items.at[i];
            if (it.is_loop || fn->ops.at[it.id].op != NUM_OP_NONE)
                b->items.at[n++] = it;
        }
        b->items.n = n;
    }
}

// ---- accesses

// dst_parts counts the partitions of the destination of these alone.
static bool
has_dst_parts(num_op op)
{
    return op == NUM_OP_MATMUL || op == NUM_OP_PREDUCE;
}

static void
add_access(sync_cx *s, uint32_t body, uint32_t op, const tile_ref *ref,
           bool write)
{
    const tile_op *o = &s->fn->ops.at[op];
    bool dst = write && has_dst_parts(o->op);
    sync_access x = {
        .op = op,
        .body = body,
        .stream = o->queue ? sync_queue_stream(o->queue) : (uint32_t)o->engine,
        .engine = o->engine,
        .write = write,
        .whole = ref == tile_indexed(o),
        .ref = ref,
        .parts = dst ? &o->dst_parts : &o->parts,
        .guard = 1u << o->engine,
    };

    if (ref->id == TILE_ABSENT)
        return;
    if (ref->hbm && write)
        s->hbm_written[ref->id] = true;
    vec_push(s->a, &s->acc, x);
}

static void
add_op(sync_cx *s, uint32_t body, uint32_t id)
{
    const tile_op *o = &s->fn->ops.at[id];

    add_access(s, body, id, &o->a, false);
    add_access(s, body, id, &o->b, false);
    if (o->s0.is_vec)
        add_access(s, body, id, &o->s0.vec, false);
    if (o->s1.is_vec)
        add_access(s, body, id, &o->s1.vec, false);
    add_access(s, body, id, &o->dst, true);
    if (o->has_dst2)
        add_access(s, body, id, &o->dst2, true);
    if (o->queue)
        s->queue_engine[o->queue] = o->engine;
}

// ---- facts of the loops

static int64_t
trips(const tile_count *c, int64_t rem)
{
    return max_i64(0, min_i64(c->max, floor_div(rem, max_i64(c->div, 1))));
}

static void
note_trips(sync_cx *s, uint32_t loop)
{
    const tile_count *c = &s->fn->loops.at[loop].trip;
    int64_t lo, hi;

    tile_aff_range(s->fn, &c->rem, &lo, &hi);
    s->body[loop].min_trip = loop ? trips(c, lo) : 1;
    s->body[loop].max_trip = loop ? trips(c, hi) : 1;
    s->body[loop].max_runs = 1;
    if (loop && !mul_i64(s->body[s->fn->loops.at[loop].parent].max_runs,
                         s->body[loop].max_trip, &s->body[loop].max_runs))
        s->body[loop].max_runs = INT64_MAX;
}

static void
note_op(sync_body *b, const tile_op *op)
{
    uint32_t stream =
        op->queue ? sync_queue_stream(op->queue) : (uint32_t)op->engine;

    b->accessing |= 1u << stream;
    b->sure |= 1u << stream;
    b->engines |= 1u << op->engine;
    b->certain |= 1u << op->engine;
}

static void
note_loop(sync_body *b, const sync_body *inner)
{
    b->accessing |= inner->accessing;
    b->engines |= inner->engines;
    b->sure |= inner->sure;
    b->certain |= inner->certain;
}

// Visits the tree in program order; the depth is at most TILE_LOOPS.
static void
scan_body(sync_cx *s, uint32_t body)
{
    const tile_loop *l = &s->fn->loops.at[body];
    sync_body *b = &s->body[body];

    note_trips(s, body);
    b->first = s->acc.n;
    for (uint32_t i = 0; i < l->items.n; i++) {
        tile_item it = l->items.at[i];
        if (it.is_loop) {
            s->body[it.id].item = i;
            scan_body(s, it.id);
            note_loop(b, &s->body[it.id]);
        } else {
            s->op_item[it.id] = i;
            add_op(s, body, it.id);
            note_op(b, &s->fn->ops.at[it.id]);
        }
    }
    b->end = s->acc.n;
    if (b->min_trip < 1)
        b->sure = b->certain = 0;
}

// Inner bodies have greater ids, and come first.
static void
order_bodies(sync_cx *s)
{
    for (uint32_t b = s->fn->loops.n; b-- > 0;) {
        sync_find_edges(s, b);
        sync_reduce(s, b);
    }
}

bool
pass_sync(pass_ctx *cx)
{
    tile_fn *fn = cx->tile;
    sync_cx s = {.cx = cx, .a = cx->a, .fn = fn};

    for (uint32_t i = 0; i < fn->bufs.n; i++)
        SY_CHECK(fn->bufs.at[i].addr >= 0, "buffer '%s' has no address",
                 fn->bufs.at[i].name);
    strip(fn);
    s.body = ARENA_ARRAY(s.a, fn->loops.n, sync_body);
    s.op_item = ARENA_ARRAY(s.a, fn->ops.n, uint32_t);
    s.hbm_written = ARENA_ARRAY(s.a, fn->tensors.n, bool);
    s.live =
        ARENA_ARRAY(s.a, (size_t)fn->bufs.n + fn->tensors.n, sync_live_list);
    scan_body(&s, 0);
    order_bodies(&s);
    return sync_insert(&s);
}
