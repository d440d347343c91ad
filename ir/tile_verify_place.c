// SPDX-License-Identifier: Apache-2.0
// The rule of placement: two buffers may share bytes only if they are never
// live at once. A buffer is live, in each iteration of its home, from the
// first to the last item of that body which uses it. Of two buffers, one's
// home must be around the other's for them to meet; then the inner one is an
// item of the outer one's body, or both are in the same.
#include "ir/tile_int.h"

typedef struct {
    const tile_fn *fn;
    diags *d;
    uint32_t *index;        // by loop: its place in its parent
    uint32_t *first, *last; // by buffer: items of its home; first > last: none
    bool ok;
} placement;

// The item of body 'home' that item 'index' of 'body' is in.
static uint32_t
item_in(const placement *p, uint32_t home, uint32_t body, uint32_t index)
{
    while (body != home) {
        index = p->index[body];
        body = p->fn->loops.at[body].parent;
    }
    return index;
}

static void
use_ref(placement *p, const tile_ref *r, uint32_t body, uint32_t index)
{
    uint32_t item;

    if (r->id == TILE_ABSENT || r->hbm) {
        return;
    }
    item = item_in(p, p->fn->bufs.at[r->id].home, body, index);
    p->first[r->id] = item < p->first[r->id] ? item : p->first[r->id];
    p->last[r->id] = item > p->last[r->id] ? item : p->last[r->id];
}

static void
find_places(placement *p)
{
    for (uint32_t l = 0; l < p->fn->loops.n; l++) {
        for (uint32_t i = 0; i < p->fn->loops.at[l].items.n; i++) {
            tile_item item = p->fn->loops.at[l].items.at[i];

            if (item.is_loop) {
                p->index[item.id] = i;
            }
        }
    }
}

static void
find_lives(placement *p)
{
    for (uint32_t b = 0; b < p->fn->bufs.n; b++) {
        p->first[b] = UINT32_MAX;
    }
    for (uint32_t l = 0; l < p->fn->loops.n; l++) {
        for (uint32_t i = 0; i < p->fn->loops.at[l].items.n; i++) {
            tile_item item = p->fn->loops.at[l].items.at[i];
            const tile_op *op;

            if (item.is_loop) {
                continue;
            }
            op = &p->fn->ops.at[item.id];
            use_ref(p, &op->dst, l, i);
            use_ref(p, &op->a, l, i);
            use_ref(p, &op->b, l, i);
            if (op->s0.is_vec) {
                use_ref(p, &op->s0.vec, l, i);
            }
            if (op->s1.is_vec) {
                use_ref(p, &op->s1.vec, l, i);
            }
        }
    }
}

// Both are live at some item of the outer home.
static bool
meet(const placement *p, uint32_t outer, uint32_t inner)
{
    uint32_t home = p->fn->bufs.at[outer].home;
    uint32_t inner_home = p->fn->bufs.at[inner].home;
    uint32_t first = p->first[inner], last = p->last[inner];

    if (first > last) {
        return false;
    }
    if (inner_home != home) {
        first = last = item_in(p, home, inner_home, 0);
    }
    return p->first[outer] <= last && first <= p->last[outer];
}

static bool
live_at_once(const placement *p, uint32_t x, uint32_t y)
{
    uint32_t hx = p->fn->bufs.at[x].home, hy = p->fn->bufs.at[y].home;

    if (tile_home_around(p->fn, hx, hy)) {
        return meet(p, x, y);
    }
    return tile_home_around(p->fn, hy, hx) && meet(p, y, x);
}

static int64_t
buf_end(const tile_buf *b)
{
    return b->addr + b->slot_bytes * (int64_t)b->slots;
}

static void
verify_pair(placement *p, uint32_t x, uint32_t y)
{
    const tile_buf *bx = &p->fn->bufs.at[x], *by = &p->fn->bufs.at[y];
    int64_t begin = max_i64(bx->addr, by->addr);
    int64_t end = min_i64(buf_end(bx), buf_end(by));

    if (bx->space == by->space && begin < end && live_at_once(p, x, y)) {
        diag(p->d, by->at, D_TILE_OVERLAP, bx->name, by->name, (long long)begin,
             (long long)end - 1);
        p->ok = false;
    }
}

static bool
verify_address(placement *p, const tile_buf *b, uint64_t limit)
{
    int64_t bytes, all;

    if (b->addr < 0 ||
        !mul_i64(b->elems, (int64_t)num_dtype_bytes(b->dtype), &bytes) ||
        b->slot_bytes < bytes ||
        !mul_i64(b->slot_bytes, (int64_t)b->slots, &all) ||
        !add_i64(b->addr, all, &all)) {
        diag(p->d, b->at, D_TILE_BUF, b->name,
             "it has no address with room for its slots");
        p->ok = false;
        return false;
    }
    if ((uint64_t)all > limit) {
        diag(p->d, b->at, D_TILE_CAPACITY, b->name, (long long)b->addr,
             (long long)all - 1, (unsigned long long)limit);
        p->ok = false;
    }
    return true;
}

// Quadratic in the number of buffers, which are tens to hundreds.
bool
tile_verify_placed(const tile_fn *fn, uint64_t sbuf_bytes, uint64_t psum_bytes,
                   diags *d)
{
    placement p = {0};

    p.fn = fn;
    p.d = d;
    p.ok = true;
    p.index = ARENA_ARRAY(fn->a, fn->loops.n, uint32_t);
    p.first = ARENA_ARRAY(fn->a, fn->bufs.n, uint32_t);
    p.last = ARENA_ARRAY(fn->a, fn->bufs.n, uint32_t);
    find_places(&p);
    find_lives(&p);
    for (uint32_t x = 0; x < fn->bufs.n; x++) {
        const tile_buf *b = &fn->bufs.at[x];
        uint64_t limit = b->space == SPACE_PSUM ? psum_bytes : sbuf_bytes;

        if (!verify_address(&p, b, limit)) {
            return false;
        }
        for (uint32_t y = 0; y < x; y++) {
            verify_pair(&p, y, x);
        }
    }
    return p.ok;
}
