// SPDX-License-Identifier: Apache-2.0
// Which bytes were written: one bit a byte. On chip the bits of one byte
// address over all partitions lie together (128 bits), since an access takes
// the same bytes of every partition of a range: any pattern costs two words a
// byte, however many partitions it has. A summary says for each block of 64
// addresses in which partitions all of it is written, so that in steady state
// an access costs two words a block (three times faster certificates of a
// large matmul). HBM tensors have plain bitmaps.
#include "runtime/runtime_int.h"

typedef struct {
    uint64_t w[2]; // bit p: partition p
} column;

typedef struct {
    column *at;   // one a byte address
    column *full; // one a block: all of its bytes are written
} chip_map;

struct written {
    chip_map chip[2]; // SBUF, PSUM
    uint64_t **hbm;   // NULL: all written (inputs, constants)
    uint64_t *bytes;  // of each tensor
    bool *full;       // of each tensor: found to be written from end to end
};

enum { WORD = 64, BLOCK = 64 };

// The last block may be cut short by the end of the memory: it never counts as
// full, which costs nothing but time.
static chip_map
chip_map_new(arena *a, uint64_t bytes)
{
    uint64_t blocks = bytes / BLOCK + 1;
    return (chip_map){ARENA_ARRAY(a, blocks * BLOCK, column),
                      ARENA_ARRAY(a, blocks, column)};
}

written *
written_new(arena *a, const rt_program *p)
{
    written *w = ARENA_NEW(a, written);
    w->chip[ISA_SBUF] = chip_map_new(a, p->target->sbuf_bytes);
    w->chip[ISA_PSUM] = chip_map_new(a, p->target->psum_bytes);
    w->hbm = ARENA_ARRAY(a, p->ntensors, uint64_t *);
    w->bytes = ARENA_ARRAY(a, p->ntensors, uint64_t);
    w->full = ARENA_ARRAY(a, p->ntensors, bool);
    for (uint32_t i = 0; i < p->ntensors; i++) {
        const rt_tensor *t = &p->tensor[i];
        w->bytes[i] = t->bytes;
        if (t->kind == OBJ_TENSOR_OUTPUT || t->kind == OBJ_TENSOR_TEMP)
            w->hbm[i] = ARENA_ARRAY(a, t->bytes / WORD + 1, uint64_t);
    }
    return w;
}

// Bits lo..hi-1 of a word.
static uint64_t
bits(uint32_t lo, uint32_t hi)
{
    if (hi <= lo)
        return 0;
    uint64_t upto = hi < WORD ? ((uint64_t)1 << hi) - 1 : UINT64_MAX;
    return upto & ~(((uint64_t)1 << lo) - 1);
}

static column
partitions(const footprint *f)
{
    uint32_t end = f->part + f->parts;
    return (column){{bits(f->part, end > WORD ? WORD : end),
                     f->part >= WORD ? bits(f->part - WORD, end - WORD)
                     : end > WORD    ? bits(0, end - WORD)
                                     : 0}};
}

// ---- on chip

typedef struct {
    const chip_map *map;
    column mask;
    int64_t missing; // first byte address that lacks a partition
} chip_walk;

// Partitions of the mask that a column lacks.
static column
lacks(column mask, const column *c)
{
    return (column){{mask.w[0] & ~c->w[0], mask.w[1] & ~c->w[1]}};
}

static bool
any(column c)
{
    return (c.w[0] | c.w[1]) != 0;
}

static void
summarise(const chip_map *m, int64_t block)
{
    column all = {{UINT64_MAX, UINT64_MAX}};
    for (int64_t i = block * BLOCK; i < (block + 1) * BLOCK; i++) {
        all.w[0] &= m->at[i].w[0];
        all.w[1] &= m->at[i].w[1];
    }
    m->full[block] = all;
}

// Addresses lo..hi-1, all in one block.
static void
mark_in_block(const chip_walk *w, int64_t lo, int64_t hi)
{
    column fresh = {{0, 0}};
    for (int64_t i = lo; i < hi; i++) {
        column *c = &w->map->at[i], new = lacks(w->mask, c);
        fresh.w[0] |= new.w[0];
        fresh.w[1] |= new.w[1];
        c->w[0] |= w->mask.w[0];
        c->w[1] |= w->mask.w[1];
    }
    if (any(fresh))
        summarise(w->map, lo / BLOCK);
}

static bool
mark_columns(void *ctx, int64_t lo, int64_t hi)
{
    chip_walk *w = ctx;
    for (int64_t next; lo < hi; lo = next) {
        next = min_i64((lo / BLOCK + 1) * BLOCK, hi);
        if (any(lacks(w->mask, &w->map->full[lo / BLOCK])))
            mark_in_block(w, lo, next);
    }
    return true;
}

static bool
check_columns(void *ctx, int64_t lo, int64_t hi)
{
    chip_walk *w = ctx;
    for (int64_t next; lo < hi; lo = next) {
        next = min_i64((lo / BLOCK + 1) * BLOCK, hi);
        if (!any(lacks(w->mask, &w->map->full[lo / BLOCK])))
            continue;
        for (w->missing = lo; w->missing < next; w->missing++)
            if (any(lacks(w->mask, &w->map->at[w->missing])))
                return false;
    }
    return true;
}

static uint32_t
lowest(uint64_t x)
{
    return (uint32_t)__builtin_ctzll(x);
}

static uint32_t
first_missing(const chip_walk *w)
{
    column c = lacks(w->mask, &w->map->at[w->missing]);
    return c.w[0] ? lowest(c.w[0]) : WORD + lowest(c.w[1]);
}

// ---- HBM

typedef struct {
    uint64_t *map;
    int64_t missing;
} hbm_walk;

// The part of a run that lies in one word; gives where the next word starts.
static int64_t
word_part(int64_t lo, int64_t hi, uint64_t *mask)
{
    int64_t next = (lo / WORD + 1) * WORD;
    *mask = bits((uint32_t)(lo % WORD),
                 next <= hi ? WORD : (uint32_t)(hi - (next - WORD)));
    return next;
}

static bool
mark_run(void *ctx, int64_t lo, int64_t hi)
{
    hbm_walk *w = ctx;
    while (lo < hi) {
        uint64_t mask;
        int64_t next = word_part(lo, hi, &mask);
        w->map[lo / WORD] |= mask;
        lo = next;
    }
    return true;
}

static bool
check_run(void *ctx, int64_t lo, int64_t hi)
{
    hbm_walk *w = ctx;
    while (lo < hi) {
        uint64_t mask;
        int64_t next = word_part(lo, hi, &mask);
        uint64_t missing = mask & ~w->map[lo / WORD];
        if (missing) {
            w->missing = lo / WORD * WORD + lowest(missing);
            return false;
        }
        lo = next;
    }
    return true;
}

// ---- entry

void
written_mark(written *w, uint32_t space, const footprint *f)
{
    if (space >= ISA_HBM) {
        hbm_walk h = {.map = w->hbm[space - ISA_HBM]};
        if (h.map) // else all of it is there from the start
            fp_each_run(f, mark_run, &h);
    } else {
        chip_walk c = {.map = &w->chip[space], .mask = partitions(f)};
        fp_each_run(f, mark_columns, &c);
    }
}

bool
written_check(written *w, uint32_t space, const footprint *f, uint32_t *part,
              int64_t *byte)
{
    if (space < ISA_HBM) {
        chip_walk c = {.map = &w->chip[space], .mask = partitions(f)};
        if (fp_each_run(f, check_columns, &c))
            return true;
        *byte = c.missing;
        *part = first_missing(&c);
        return false;
    }
    uint32_t t = space - ISA_HBM;
    if (!w->hbm[t] || w->full[t])
        return true;
    hbm_walk h = {.map = w->hbm[t]};
    if (fp_each_run(f, check_run, &h)) {
        w->full[t] = f->base == 0 && (uint64_t)f->shape->run == w->bytes[t];
        return true;
    }
    *part = 0;
    *byte = h.missing;
    return false;
}

bool
written_gap(const written *w, uint32_t tensor, int64_t *byte)
{
    if (!w->hbm[tensor] || !w->bytes[tensor])
        return false;
    hbm_walk h = {.map = w->hbm[tensor]};
    if (check_run(&h, 0, (int64_t)w->bytes[tensor]))
        return false;
    *byte = h.missing;
    return true;
}
