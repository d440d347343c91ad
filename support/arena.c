// SPDX-License-Identifier: Apache-2.0
// Arenas: the only place that calls malloc and free. Blocks are chained; a
// mark remembers the block and how much of it was in use.
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, ALIGN_BYTES = 16 };

typedef struct block {
    struct block *prev;
    size_t size, used; // payload bytes
    _Alignas(ALIGN_BYTES) unsigned char data[];
} block;

struct arena {
    block *top;
    jmp_buf *oom;
    size_t total, limit;
};

arena *
arena_new(void)
{
    return calloc(1, sizeof(arena));
}

void
arena_free(arena *a)
{
    if (!a)
        return;
    for (block *b = a->top; b;) {
        block *prev = b->prev;
        free(b);
        b = prev;
    }
    free(a);
}

void
arena_on_oom(arena *a, jmp_buf *jmp)
{
    a->oom = jmp;
}

void
arena_limit(arena *a, size_t bytes)
{
    a->limit = bytes;
}

static NORETURN void
out_of_memory(arena *a)
{
    if (a->oom)
        longjmp(*a->oom, 1);
    fputs("systole: out of memory\n", stderr);
    abort();
}

// A block with room for n bytes becomes the top one.
static void
push_block(arena *a, size_t n)
{
    size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
    if (size > SIZE_MAX - sizeof(block) ||
        (a->limit && (a->total > a->limit || size > a->limit - a->total)))
        out_of_memory(a);
    // Large blocks come zeroed and untouched from the kernel; arena_restore
    // gives them back, so the payload is zero when first handed out.
    block *b = calloc(1, sizeof(block) + size);
    if (!b)
        out_of_memory(a);
    b->prev = a->top;
    b->size = size;
    a->top = b;
    a->total += size;
}

void *
arena_alloc(arena *a, size_t n)
{
    if (n > SIZE_MAX - ALIGN_BYTES)
        out_of_memory(a);
    n = (n + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
    if (!a->top || n > a->top->size - a->top->used)
        push_block(a, n);
    void *p = a->top->data + a->top->used;
    a->top->used += n;
    return p;
}

void *
arena_array(arena *a, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        out_of_memory(a);
    return arena_alloc(a, n * size);
}

arena_mark
arena_save(arena *a)
{
    return (arena_mark){a->top, a->top ? a->top->used : 0};
}

void
arena_restore(arena *a, arena_mark m)
{
    while (a->top != m.block) {
        block *b = a->top;
        a->top = b->prev;
        a->total -= b->size;
        free(b);
    }
    if (!a->top)
        return;
    // What is handed out again must be zero.
    memset(a->top->data + m.used, 0, a->top->used - m.used);
    a->top->used = m.used;
}

void
vec_reserve_(arena *a, void **at, uint32_t *cap, uint32_t need, size_t size)
{
    if (need <= *cap)
        return;
    uint32_t to = *cap ? *cap : 4;
    while (to < need)
        to = to > UINT32_MAX / 2 ? UINT32_MAX : to * 2;
    void *p = arena_array(a, to, size);
    if (*cap)
        memcpy(p, *at, (size_t)*cap * size);
    *at = p;
    *cap = to;
}
