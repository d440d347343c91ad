// SPDX-License-Identifier: Apache-2.0
// Hash map by open addressing with linear probing; at most half full. Order of
// slots is never visible, so results cannot depend on the hash.
#include "support/support.h"

typedef struct map_slot {
    str key; // an integer key has p NULL and the integer in n
    uint64_t hash;
    uint32_t value;
    bool used, is_int;
} map_slot;

map
map_new(arena *a)
{
    return (map){a, NULL, 0, 0};
}

static uint64_t
mix(uint64_t x)
{
    return rng_next(&x);
}

static uint64_t
hash_str(str key)
{
    uint64_t h = 0xcbf29ce484222325u; // FNV-1a
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * 0x100000001b3u;
    return mix(h);
}

// The slot that holds the key, or the free one where it would go.
static map_slot *
find(const map *m, str key, bool is_int, uint64_t hash)
{
    for (uint64_t i = hash;; i++) {
        map_slot *s = &m->slot[i & (m->cap - 1)];
        if (!s->used)
            return s;
        if (s->hash != hash || s->is_int != is_int)
            continue;
        if (is_int ? s->key.n == key.n : str_eq(s->key, key))
            return s;
    }
}

static void
grow(map *m)
{
    map old = *m;
    m->cap = old.cap ? old.cap * 2 : 16;
    SY_CHECK(m->cap > old.cap, "map of %u slots", old.cap);
    m->slot = ARENA_ARRAY(m->a, m->cap, map_slot);
    for (uint32_t i = 0; i < old.cap; i++) {
        const map_slot *s = &old.slot[i];
        if (s->used)
            *find(m, s->key, s->is_int, s->hash) = *s;
    }
}

static uint32_t *
get(const map *m, str key, bool is_int, uint64_t hash)
{
    if (!m->cap)
        return NULL;
    map_slot *s = find(m, key, is_int, hash);
    return s->used ? &s->value : NULL;
}

static void
put(map *m, str key, bool is_int, uint64_t hash, uint32_t value)
{
    if (m->n >= m->cap / 2)
        grow(m);
    map_slot *s = find(m, key, is_int, hash);
    m->n += !s->used;
    *s = (map_slot){key, hash, value, true, is_int};
}

uint32_t *
map_get_str(const map *m, str key)
{
    return get(m, key, false, hash_str(key));
}

uint32_t *
map_get_u64(const map *m, uint64_t key)
{
    return get(m, (str){NULL, key}, true, mix(key));
}

void
map_put_str(map *m, str key, uint32_t value)
{
    put(m, key, false, hash_str(key), value);
}

void
map_put_u64(map *m, uint64_t key, uint32_t value)
{
    put(m, (str){NULL, key}, true, mix(key), value);
}
