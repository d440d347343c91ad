// SPDX-License-Identifier: Apache-2.0
// Pass place: gives every buffer of the tile IR its address and the distance of
// its slots (docs/design/sync.md). Memory is a stack over the loop tree: the
// buffers of a body lie above those of the bodies around it, and sibling loops
// start at the same height. One walk over the tree; linear in loops and
// buffers, apart from sorting the buffers named in a diagnostic.
#include "backend/backend.h"

enum { PLACE_ALIGN = 4, PLACE_NAMED = 5 };

typedef struct {
    const char *name;
    uint64_t bytes; // available in a partition
    uint64_t
        bank; // no slot up to this size straddles a multiple of it; 0: none
} place_space;

typedef struct {
    pass_ctx *cx;
    tile_fn *fn;
    uint32_t *first; // body -> 1 + its first buffer; 0: none
    uint32_t *next;  // buffer -> 1 + the next one of the same home
    bool ok;
} place;

// Bytes a slot needs; false if that does not fit 63 bits.
static bool
slot_size(const tile_buf *b, uint64_t *size)
{
    int64_t bytes;

    if (!mul_i64(b->elems, num_dtype_bytes(b->dtype), &bytes) || bytes < 0 ||
        bytes > INT64_MAX / 2)
        return false;
    *size = align_up((uint64_t)bytes, PLACE_ALIGN);
    return true;
}

// Whether a slot of 'size' bytes somewhere in the rotation would straddle.
static bool
straddles(uint64_t addr, uint64_t size, uint64_t stride, uint64_t slots,
          uint64_t bank)
{
    for (uint64_t i = 0; i < slots && i <= bank; i++) {
        uint64_t at = (addr + i * stride) % bank;
        if (at + size > bank)
            return true;
    }
    return false;
}

// The lowest end of a placement at or above 'base' in which no slot straddles a
// bank: slots packed, evenly spread over a bank, or one a bank.
static void
place_banked(uint64_t base, uint64_t size, uint64_t slots, uint64_t bank,
             tile_buf *b)
{
    uint64_t even = bank / (bank / size) / PLACE_ALIGN * PLACE_ALIGN;
    const uint64_t stride[] = {size, even, bank};
    uint64_t best = UINT64_MAX;

    for (uint64_t addr = base; addr < base + bank; addr += PLACE_ALIGN) {
        for (uint32_t i = 0; i < ARRAY_LEN(stride); i++) {
            uint64_t end = addr + (slots - 1) * stride[i] + size;
            if (end < best && stride[i] >= size &&
                !straddles(addr, size, stride[i], slots, bank)) {
                best = end;
                b->addr = (int64_t)addr;
                b->slot_bytes = (int64_t)stride[i];
            }
        }
    }
}

// Puts a buffer at or above 'base' and gives the first byte after it.
static bool
place_buf(const place_space *s, tile_buf *b, uint64_t base, uint64_t *end)
{
    uint64_t size, slots = b->slots ? b->slots : 1, all;

    if (!slot_size(b, &size) || !mul_u64(size, slots, &all) ||
        all > INT64_MAX / 4)
        return false;
    if (s->bank && size > s->bank) {
        // Several instructions fill it, each within one bank.
        size = (size + s->bank - 1) / s->bank * s->bank;
        base = (base + s->bank - 1) / s->bank * s->bank;
        if (!mul_u64(size, slots, &all) || all > INT64_MAX / 4)
            return false;
    }
    b->addr = (int64_t)base;
    b->slot_bytes = (int64_t)size;
    if (s->bank && size && size <= s->bank && all <= s->bytes)
        place_banked(base, size, slots, s->bank, b);
    *end = (uint64_t)b->addr + (slots - 1) * (uint64_t)b->slot_bytes + size;
    return true;
}

// ---- when it does not fit

static bool
is_inside(const tile_fn *fn, uint32_t body, uint32_t home)
{
    while (body != home && body != 0)
        body = fn->loops.at[body].parent;
    return body == home;
}

// Bytes in all slots, saturated.
static uint64_t
buf_bytes(const tile_buf *b)
{
    uint64_t size, all;

    if (!slot_size(b, &size) || !mul_u64(size, b->slots, &all))
        return UINT64_MAX;
    return all;
}

// Names the largest buffers that are live in a body.
static void
name_largest(const place *p, tile_space space, uint32_t body)
{
    const tile_fn *fn = p->fn;
    bool *named = ARENA_ARRAY(p->cx->a, fn->bufs.n, bool);

    for (uint32_t k = 0; k < PLACE_NAMED; k++) {
        uint32_t best = TILE_ABSENT;
        for (uint32_t i = 0; i < fn->bufs.n; i++) {
            const tile_buf *b = &fn->bufs.at[i];
            if (!named[i] && b->space == space &&
                is_inside(fn, body, b->home) &&
                (best == TILE_ABSENT ||
                 buf_bytes(b) > buf_bytes(&fn->bufs.at[best])))
                best = i;
        }
        if (best == TILE_ABSENT)
            return;
        named[best] = true;
        const tile_buf *b = &fn->bufs.at[best];
        diag_note_add(p->cx->d, b->at,
                      "buffer '%s' takes %llu bytes: %u slots of %lld %s",
                      b->name, (unsigned long long)buf_bytes(b), b->slots,
                      (long long)b->elems, num_dtype_name(b->dtype));
    }
}

static void
report_full(place *p, const place_space *s, tile_space space, uint32_t body,
            uint64_t need)
{
    const tile_fn *fn = p->fn;
    loc at = {0};

    for (uint32_t i = 0; i < fn->bufs.n; i++)
        if (fn->bufs.at[i].home == body && fn->bufs.at[i].space == space)
            at = fn->bufs.at[i].at;
    diag(p->cx->d, at, D_PLACE_FULL, s->name, (unsigned long long)need,
         p->cx->target->name, (unsigned long long)s->bytes);
    name_largest(p, space, body);
    p->ok = false;
}

// ---- the walk

// Parts of banks before whole banks, so that the parts fill up together what
// the bodies around left of a bank.
static bool
is_turn(const place_space *s, const tile_buf *b, uint32_t turn)
{
    uint64_t size;
    bool whole = s->bank && slot_size(b, &size) && size >= s->bank;

    return whole == (turn == 1);
}

// Places the buffers whose home is 'body' above 'base'; gives the new height.
static uint64_t
place_body(place *p, tile_space space, const place_space *s, uint32_t body,
           uint64_t base)
{
    for (uint32_t turn = 0; turn < 2; turn++) {
        for (uint32_t i = p->first[body]; i; i = p->next[i - 1]) {
            tile_buf *b = &p->fn->bufs.at[i - 1];
            uint64_t end;
            if (b->space != space || !is_turn(s, b, turn))
                continue;
            if (!place_buf(s, b, base, &end) || end > s->bytes) {
                report_full(p, s, space, body,
                            base + buf_bytes(b) < base ? UINT64_MAX
                                                       : base + buf_bytes(b));
                return base;
            }
            base = end;
        }
    }
    return base;
}

// A body's height is needed by its inner loops, whose ids are greater.
static void
place_space_walk(place *p, tile_space space, const place_space *s)
{
    uint32_t n = p->fn->loops.n;
    uint64_t *height = ARENA_ARRAY(p->cx->a, n, uint64_t);

    for (uint32_t l = 0; l < n && p->ok; l++) {
        uint64_t base = l ? height[p->fn->loops.at[l].parent] : 0;
        height[l] = place_body(p, space, s, l, base);
    }
}

bool
pass_place(pass_ctx *cx)
{
    tile_fn *fn = cx->tile;
    const isa_target *t = cx->target;
    arena_mark mark = arena_save(cx->a);
    place p = {.cx = cx, .fn = fn, .ok = true};
    place_space sbuf = {"SBUF", t->sbuf_bytes, 0};
    place_space psum = {"PSUM", t->psum_bytes,
                        t->psum_banks ? t->psum_bytes / t->psum_banks : 0};

    p.first = ARENA_ARRAY(cx->a, fn->loops.n, uint32_t);
    p.next = ARENA_ARRAY(cx->a, fn->bufs.n, uint32_t);
    for (uint32_t i = fn->bufs.n; i-- > 0;) {
        p.next[i] = p.first[fn->bufs.at[i].home];
        p.first[fn->bufs.at[i].home] = i + 1;
    }
    place_space_walk(&p, SPACE_SBUF, &sbuf);
    place_space_walk(&p, SPACE_PSUM, &psum);
    if (p.ok)
        arena_restore(cx->a, mark);
    return p.ok;
}
