// SPDX-License-Identifier: Apache-2.0
// Happens-before over all engines and queues, by vector clocks that travel with
// tokens (docs/design/machine.md, Ordering), and the search for two accesses
// that conflict, share a byte and are not ordered. Accesses are kept in lists,
// one a bucket of addresses; those that no later access can race with, or that
// a newer one stands for, leave the lists. docs/design/certify.md has the
// argument for both.
#include "runtime/runtime_int.h"

#include <string.h>

enum { READS, WRITES, KINDS };

// What is known: accesses of a stream up to this sequence number are done.
typedef struct {
    uint64_t done[KINDS * RT_STREAMS]; // [done_at(kind, stream)]
} vclock;

typedef struct {
    vclock known;
    uint64_t count;
} token_batch;

// First in, first out; a ring.
typedef struct {
    token_batch *at;
    uint32_t head, n, cap;
} token_line;

typedef struct {
    uint32_t space, stream;
    footprint at;
    uint64_t seq;
    uint64_t seen;        // number of the access that looked at it last
    uint32_t index, refs; // instruction; lists that hold it
    bool write, dead;
} entry;

typedef struct {
    uint32_t *id; // of entries
    uint32_t n, cap;
} bucket;

typedef struct {
    bucket *at;
    uint32_t n;
    uint32_t shift; // bytes of a bucket, log2
} bucket_map;

struct race {
    arena *a;
    const rt_program *p;
    diags *d;
    vclock known[RT_ENGINES];
    uint64_t seq[RT_ENGINES]; // instruction running or run last
    bool ended[RT_ENGINES];
    vclock issued[ISA_QUEUES]; // what the last transfer of a queue knows
    vclock floor;              // what every engine that still runs knows
    uint32_t floor_age;        // records since it was computed
    token_line *line;          // of each semaphore
    bucket_map *space;         // SBUF, PSUM, then tensors; n 0: only read
    VEC(entry) entries;
    VEC(uint32_t) spare; // entries not in use
    uint64_t listed, sweep_at;
    uint64_t accesses;
    // the record begun last
    const rt_record *rec;
    const vclock *now;
    uint32_t stream;
    uint64_t at; // sequence number in its stream
};

enum {
    CHIP_BUCKETS = 128,
    HBM_BUCKETS = 65536,
    INDEXED_BUCKETS = 256, // of a tensor that some access takes as a whole
    HBM_BUCKET_LOG2 = 12,  // at least
    FLOOR_EVERY = 128,     // records
    SWEEP_LEAST = 1 << 18, // listed entries; more than there are buckets
    VISITS_MAX = 4096,
};

// ---- set up

static bucket_map
map_of(arena *a, uint64_t bytes, uint32_t shift, uint32_t max)
{
    while (bytes >> shift >= max)
        shift++;
    uint32_t n = (uint32_t)(bytes >> shift) + 1;
    return (bucket_map){ARENA_ARRAY(a, n, bucket), n, shift};
}

// Tensors that an index reaches into: each such access visits all of them.
static bool *
indexed_tensors(arena *a, const rt_program *p)
{
    bool *is = ARENA_ARRAY(a, p->ntensors, bool);
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
        for (uint32_t i = 0; i < p->code[e].n; i++) {
            const isa_insn *in = &p->code[e].insn[i];
            if (in->op == ISA_DMA_GATHER)
                is[in->a.part] = true;
            else if (in->op == ISA_DMA_SCATTER)
                is[in->dst.part] = true;
        }
    return is;
}

race *
race_new(arena *a, const rt_program *p, diags *d)
{
    race *r = ARENA_NEW(a, race);
    r->a = a;
    r->p = p;
    r->d = d;
    r->sweep_at = SWEEP_LEAST;
    r->line = ARENA_ARRAY(a, p->nsems, token_line);
    r->space = ARENA_ARRAY(a, ISA_HBM + p->ntensors, bucket_map);
    r->space[ISA_SBUF] = map_of(a, p->target->sbuf_bytes, 6, CHIP_BUCKETS);
    r->space[ISA_PSUM] = map_of(a, p->target->psum_bytes, 6, CHIP_BUCKETS);
    const bool *indexed = indexed_tensors(a, p);
    for (uint32_t i = 0; i < p->ntensors; i++)
        if (p->tensor[i].kind == OBJ_TENSOR_OUTPUT ||
            p->tensor[i].kind == OBJ_TENSOR_TEMP ||
            p->tensor[i].kind == OBJ_TENSOR_INOUT)
            r->space[ISA_HBM + i] =
                map_of(a, p->tensor[i].bytes, HBM_BUCKET_LOG2,
                       indexed[i] ? INDEXED_BUCKETS : HBM_BUCKETS);
    for (uint32_t i = 0; i < p->nsems; i++)
        if (p->sem[i].initial) {
            r->line[i].at = ARENA_NEW(a, token_batch);
            r->line[i].cap = r->line[i].n = 1;
            r->line[i].at->count = p->sem[i].initial;
        }
    return r;
}

// ---- clocks

static uint32_t
done_at(uint32_t kind, uint32_t stream)
{
    return kind * RT_STREAMS + stream;
}

static void
clock_join(vclock *into, const vclock *from)
{
    for (uint32_t i = 0; i < ARRAY_LEN(into->done); i++)
        if (into->done[i] < from->done[i])
            into->done[i] = from->done[i];
}

static void
clock_set(vclock *c, uint32_t stream, uint64_t seq)
{
    c->done[done_at(READS, stream)] = seq;
    c->done[done_at(WRITES, stream)] = seq;
}

static uint32_t
queue_stream(uint32_t queue)
{
    return RT_ENGINES + queue - 1;
}

static void
floor_update(race *r)
{
    memset(&r->floor, 0xff, sizeof r->floor);
    for (uint32_t e = 0; e < RT_ENGINES; e++) {
        if (r->ended[e])
            continue;
        vclock c = r->known[e];
        // Later accesses of an engine, and transfers it issues later, come
        // after what it did itself.
        clock_set(&c, e, r->seq[e] ? r->seq[e] - 1 : 0);
        for (uint32_t i = 0; i < ARRAY_LEN(c.done); i++)
            if (r->floor.done[i] > c.done[i])
                r->floor.done[i] = c.done[i];
    }
    r->floor_age = 0;
}

void
race_begin(race *r, uint32_t queue, const rt_record *rec)
{
    uint32_t e = (uint32_t)rec->engine - 1;
    r->rec = rec;
    r->at = rec->seq;
    if (++r->floor_age >= FLOOR_EVERY)
        floor_update(r);
    if (!queue) {
        r->seq[e] = rec->seq;
        r->stream = e;
        r->now = &r->known[e];
        return;
    }
    vclock *c = &r->issued[queue - 1];
    *c = r->known[e];
    clock_set(c, e, r->seq[e] - 1);
    r->stream = queue_stream(queue);
    r->now = c;
}

void
race_end(race *r, isa_engine e)
{
    r->ended[e - 1] = true;
}

// ---- tokens

static token_batch *
line_push(race *r, token_line *l)
{
    if (l->n == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 4;
        token_batch *at = ARENA_ARRAY(r->a, cap, token_batch);
        for (uint32_t i = 0; i < l->n; i++)
            at[i] = l->at[(l->head + i) % l->cap];
        l->at = at;
        l->cap = cap;
        l->head = 0;
    }
    return &l->at[(l->head + l->n++) % l->cap];
}

void
race_give(race *r, uint32_t sem, uint32_t count, const rt_record *by,
          bool at_complete)
{
    token_batch *b = line_push(r, &r->line[sem]);
    uint32_t e = (uint32_t)by->engine - 1, queue = by->insn->queue;
    b->count = count;
    if (queue) {
        b->known = r->issued[queue - 1];
        clock_set(&b->known, queue_stream(queue), by->seq);
        return;
    }
    b->known = r->known[e];
    b->known.done[done_at(READS, e)] = by->seq;
    if (at_complete)
        b->known.done[done_at(WRITES, e)] = by->seq;
}

void
race_take(race *r, uint32_t sem, uint32_t count, const rt_record *by)
{
    token_line *l = &r->line[sem];
    uint64_t want = count;
    while (want) {
        token_batch *b = &l->at[l->head];
        uint64_t got = b->count < want ? b->count : want;
        clock_join(&r->known[by->engine - 1], &b->known);
        b->count -= got;
        want -= got;
        if (b->count)
            continue;
        l->head = (l->head + 1) % l->cap;
        l->n--;
    }
}

// ---- entries

static uint32_t
entry_new(race *r)
{
    if (r->spare.n)
        return r->spare.at[--r->spare.n];
    (void)vec_add(r->a, &r->entries);
    return r->entries.n - 1;
}

// Off one list.
static void
entry_unlist(race *r, uint32_t id)
{
    r->listed--;
    r->entries.at[id].dead = true;
    if (--r->entries.at[id].refs == 0)
        vec_push(r->a, &r->spare, id);
}

static bool
is_settled(const race *r, const entry *e)
{
    return e->dead || e->seq <= r->floor.done[done_at(e->write, e->stream)];
}

static void
list_add(race *r, bucket *b, uint32_t id)
{
    vec_reserve_(r->a, (void **)&b->id, &b->cap, b->n + 1, sizeof *b->id);
    b->id[b->n++] = id;
    r->entries.at[id].refs++;
    r->listed++;
}

static void
sweep_bucket(race *r, bucket *b)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t id = b->id[i];
        if (is_settled(r, &r->entries.at[id]))
            entry_unlist(r, id);
        else
            b->id[kept++] = id;
    }
    b->n = kept;
}

// Lists that no access looks at any more would grow for ever.
static void
sweep(race *r)
{
    floor_update(r);
    for (uint32_t s = 0; s < ISA_HBM + r->p->ntensors; s++)
        for (uint32_t i = 0; i < r->space[s].n; i++)
            sweep_bucket(r, &r->space[s].at[i]);
    r->sweep_at = 2 * r->listed + SWEEP_LEAST;
}

// ---- telling

const char *
rt_place_text(const rt_program *p, uint32_t space, uint32_t part, int64_t byte,
              diags *d)
{
    if (space >= ISA_HBM)
        return arena_printf(d->a, "tensor '%s', byte %lld",
                            p->tensor[space - ISA_HBM].name, (long long)byte);
    return arena_printf(d->a, "%s, partition %u, byte %lld",
                        space == ISA_SBUF ? "SBUF" : "PSUM", part,
                        (long long)byte);
}

static const char *
actor_text(const race *r, uint32_t stream, isa_engine e, uint32_t index)
{
    const char *insn = rt_insn_text(r->p, e, index, r->d);
    if (stream < RT_ENGINES)
        return insn;
    return arena_printf(r->d->a, "%s on queue %u", insn,
                        stream - RT_ENGINES + 1);
}

static isa_engine
engine_of(const race *r, uint32_t stream)
{
    return stream < RT_ENGINES ? (isa_engine)(stream + 1)
                               : r->p->feeder[stream - RT_ENGINES + 1];
}

static void
report(const race *r, const entry *x, const entry *e, uint32_t part,
       int64_t byte)
{
    isa_engine ex = engine_of(r, x->stream), ee = engine_of(r, e->stream);
    loc lx = rt_loc(r->p, ex, x->index), le = rt_loc(r->p, ee, e->index);
    const char *tx = actor_text(r, x->stream, ex, x->index);
    const char *te = actor_text(r, e->stream, ee, e->index);
    diag(r->d, lx, D_RT_RACE, rt_place_text(r->p, x->space, part, byte, r->d),
         tx, x->write ? "writes" : "reads", te, e->write ? "writes" : "reads");
    diag_note_add(r->d, lx, "%s, number %llu of its stream", tx,
                  (unsigned long long)x->seq);
    diag_note_add(r->d, le, "%s, number %llu of its stream", te,
                  (unsigned long long)e->seq);
}

static void
report_tangle(const race *r)
{
    diag(r->d, rt_loc(r->p, r->rec->engine, r->rec->index), D_RT_TANGLED,
         rt_insn_text(r->p, r->rec->engine, r->rec->index, r->d));
}

// ---- looking

// Whether e came before the record begun last, as that record knows.
static bool
is_ordered(const race *r, const entry *e)
{
    if (e->stream == r->stream && (r->stream < RT_ENGINES || e->seq == r->at))
        return true;
    return e->seq <= r->now->done[done_at(e->write, e->stream)];
}

// False when x races with e. Sets e->dead when x stands for it.
static bool
look_at(race *r, const entry *x, entry *e)
{
    e->seen = x->seen;
    bool ordered = is_ordered(r, e);
    if (!ordered && (x->write || e->write)) {
        uint32_t part;
        int64_t byte;
        fp_answer meets = fp_overlap(&x->at, &e->at, &part, &byte);
        if (meets == FP_OVERLAP)
            report(r, x, e, part, byte);
        else if (meets == FP_UNKNOWN)
            report_tangle(r);
        if (meets != FP_DISJOINT)
            return false;
    }
    e->dead = x->write >= e->write && (ordered || e->stream == x->stream) &&
              fp_covers(&x->at, &e->at);
    return true;
}

// Looks at all of a list, drops what is settled, appends the access.
static bool
visit_bucket(race *r, uint32_t xid, bucket *b)
{
    const entry x = r->entries.at[xid];
    if (b->n && b->id[b->n - 1] == xid)
        return true; // visited before by this access
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t id = b->id[i];
        entry *e = &r->entries.at[id];
        if (!is_settled(r, e) && e->seen != x.seen && !look_at(r, &x, e))
            return false;
        if (is_settled(r, e))
            entry_unlist(r, id);
        else
            b->id[kept++] = id;
    }
    b->n = kept;
    list_add(r, b, xid);
    return true;
}

static bool
visit_range(race *r, uint32_t xid, int64_t lo, int64_t hi)
{
    bucket_map *m = &r->space[r->entries.at[xid].space];
    for (int64_t i = lo >> m->shift; i <= (hi - 1) >> m->shift; i++)
        if (!visit_bucket(r, xid, &m->at[i]))
            return false;
    return true;
}

// Outer dimensions of which each index has buckets of its own, unless the
// range as a whole has fewer buckets.
static uint32_t
split_dims(const fp_shape *s, uint32_t shift, int64_t *visits)
{
    uint32_t d = 0;
    *visits = 1;
    while (d < s->ndim && s->dim[d].step >> shift > 0 &&
           s->dim[d].inner < s->dim[d].step &&
           *visits * s->dim[d].count <= VISITS_MAX)
        *visits *= s->dim[d++].count;
    return d;
}

static bool
visit_all(race *r, uint32_t xid)
{
    const footprint f = r->entries.at[xid].at;
    const fp_shape *s = f.shape;
    int64_t visits, at[FP_DIMS] = {0}, lo = f.base;
    uint32_t shift = r->space[r->entries.at[xid].space].shift;
    uint32_t split = split_dims(s, shift, &visits);
    if (s->extent >> shift <= visits)
        split = 0;
    int64_t inner = split ? s->dim[split - 1].inner : s->extent;
    for (;;) {
        if (!visit_range(r, xid, lo, lo + inner))
            return false;
        uint32_t d = split;
        while (d > 0 && at[d - 1] + 1 == s->dim[d - 1].count) {
            d--;
            lo -= at[d] * s->dim[d].step;
            at[d] = 0;
        }
        if (d == 0)
            return true;
        at[d - 1]++;
        lo += s->dim[d - 1].step;
    }
}

bool
race_access_add(race *r, const race_access *x)
{
    if (!r->space[x->space].n)
        return true; // nobody may write it
    if (r->listed >= r->sweep_at)
        sweep(r);
    uint32_t id = entry_new(r);
    r->entries.at[id] = (entry){.space = x->space,
                                .stream = r->stream,
                                .at = x->at,
                                .seq = r->at,
                                .seen = ++r->accesses,
                                .index = r->rec->index,
                                .write = x->write};
    return visit_all(r, id);
}
