// SPDX-License-Identifier: Apache-2.0
// Law 4, on addresses alone: runs the program once in the fixed order without
// any data and looks at every access: inside its memory, only bytes that were
// written before, only where it may write, ordered against all others. Control
// and addresses do not depend on data, and what a run does to tokens does not
// depend on the order, so that one run speaks for all
// (docs/design/certify.md). Where they do depend on data, the same looks are
// taken beside the interpreter, and speak for all orders with those data.
#include "runtime/runtime_int.h"

// MX scales: at least 8 partitions of data share a group, one operand has them.
enum { GROUPS = 128 / NUM_MX_LANES };

typedef struct {
    const fp_shape *shape;
    bool twice; // of a destination: it names a byte twice
} shape_info;

typedef struct {
    shape_info info;
    uint32_t count, parts; // what it was made for
} shape_slot;

typedef struct {
    const rt_program *p;
    diags *d;
    arena *a;
    written *written;
    race *race;
    lane_state lanes[ISA_ENG_COUNT];
    array_state array;
    // Shapes are made once per operand and ragged count.
    shape_slot *slot[ISA_ENG_COUNT];
    uint64_t slot_base[ISA_ENG_COUNT];
    map by_count;
    VEC(shape_info) shapes;
    fp_shape **whole;     // of each tensor, made when an index reaches into it
    rt_ref group[GROUPS]; // of the record at hand
} certifier;

// One operand of the record at hand.
typedef struct {
    num_operand operand;
    const rt_ref *ref;
    uint32_t space;
    footprint at;
    bool reads, writes;
    bool nothing; // of a tensor without bytes
} use;

// ---- telling

static loc
rec_loc(const certifier *c, const rt_record *r)
{
    return rt_loc(c->p, r->engine, r->index);
}

static const char *
rec_text(const certifier *c, const rt_record *r)
{
    return rt_insn_text(c->p, r->engine, r->index, c->d);
}

static const char *
space_text(const certifier *c, uint32_t space)
{
    if (space < ISA_HBM)
        return space == ISA_SBUF ? "SBUF" : "PSUM";
    return arena_printf(c->d->a, "tensor '%s'",
                        c->p->tensor[space - ISA_HBM].name);
}

// ---- footprints

static shape_info
make_shape(certifier *c, const rt_ref *ref, bool writes)
{
    fp_shape *s = ARENA_NEW(c->a, fp_shape);
    fp_normalise(ref, s);
    bool twice = writes && fp_self_overlap(ref) != FP_DISJOINT;
    return (shape_info){s, twice};
}

static shape_info
shape_of(certifier *c, const rt_record *r, const use *u)
{
    const rt_ref *ref = u->ref;
    uint32_t at = r->index * NUM_OPERANDS + u->operand;
    shape_slot *slot = &c->slot[r->engine][at];
    uint32_t count = ref->ndim ? ref->dim[0].count : 1;
    if (slot->info.shape && slot->count == count && slot->parts == ref->parts)
        return slot->info;
    uint64_t key = (c->slot_base[r->engine] + at) << 24 | (uint64_t)count << 8 |
                   ref->parts;
    const uint32_t *known = map_get_u64(&c->by_count, key);
    if (!known) {
        map_put_u64(&c->by_count, key, c->shapes.n);
        vec_push(c->a, &c->shapes, make_shape(c, ref, u->writes));
        known = map_get_u64(&c->by_count, key);
    }
    *slot = (shape_slot){c->shapes.at[*known], count, ref->parts};
    return slot->info;
}

static bool
in_partitions(const certifier *c, const rt_record *r, const use *u)
{
    uint32_t have = c->p->target->partitions;
    if (u->ref->hbm ||
        (u->ref->part <= have && u->ref->parts <= have - u->ref->part))
        return true;
    diag(c->d, rec_loc(c, r), D_RT_PARTITION, rec_text(c, r),
         u->writes ? "writes" : "reads", space_text(c, u->space), u->ref->part,
         u->ref->part + u->ref->parts - 1, have);
    return false;
}

static bool
in_bytes(const certifier *c, const rt_record *r, const use *u)
{
    uint64_t have = u->ref->hbm            ? c->p->tensor[u->ref->tensor].bytes
                    : u->space == ISA_SBUF ? c->p->target->sbuf_bytes
                                           : c->p->target->psum_bytes;
    int64_t lo, hi, delta = u->at.shape->delta;
    // The first element is inside, so the rest cannot overflow the sums.
    bool fits = u->ref->offset >= 0 && (uint64_t)u->ref->offset < have;
    if (!add_i64(u->ref->offset, delta, &lo))
        lo = INT64_MIN;
    if (!add_i64(lo, u->at.shape->extent, &hi))
        hi = INT64_MAX;
    if (fits && lo >= 0 && (uint64_t)hi <= have)
        return true;
    diag(c->d, rec_loc(c, r), D_RT_BOUNDS, rec_text(c, r),
         u->writes ? "writes" : "reads", space_text(c, u->space), (long long)lo,
         (long long)hi - 1, (unsigned long long)have);
    return false;
}

// What the rules of PSUM ask of an address, registers included.
static bool
in_psum(const certifier *c, const rt_record *r, const use *u)
{
    if (u->space != ISA_PSUM)
        return true;
    if (u->ref->offset % 4) {
        diag(c->d, rec_loc(c, r), D_RT_PSUM, rec_text(c, r),
             (long long)u->ref->offset);
        return false;
    }
    if (r->engine != ISA_ENG_TENSOR)
        return true;
    // The rules of products saw to it that a bank has bytes.
    const isa_target *t = c->p->target;
    int64_t bank = (int64_t)t->psum_bytes / max_i64(t->psum_banks, 1);
    int64_t last = u->at.base + u->at.shape->extent - 1;
    if (last / bank - u->at.base / bank < (int64_t)t->psum_span)
        return true;
    diag(c->d, rec_loc(c, r), D_RT_BANK, rec_text(c, r), (long long)u->at.base,
         (long long)last, t->psum_span);
    return false;
}

// Where an index decides, any byte of the tensor may be meant; whether the
// index is in range is checked when its value is known.
static void
locate_anywhere(certifier *c, use *u)
{
    fp_shape **shape = &c->whole[u->ref->tensor];
    uint64_t bytes = c->p->tensor[u->ref->tensor].bytes;
    if (!*shape) {
        *shape = ARENA_NEW(c->a, fp_shape);
        (*shape)->run = (*shape)->extent = (int64_t)bytes;
    }
    u->space = ISA_HBM + u->ref->tensor;
    u->at = (footprint){.shape = *shape, .parts = 1};
    u->nothing = bytes == 0;
}

static bool
locate(certifier *c, const rt_record *r, use *u)
{
    const rt_ref *ref = u->ref;
    if (ref->indexed) {
        locate_anywhere(c, u);
        return true;
    }
    shape_info info = shape_of(c, r, u);
    u->space = ref->hbm ? ISA_HBM + ref->tensor : ref->mem;
    u->at.shape = info.shape;
    if (info.twice) {
        diag(c->d, rec_loc(c, r), D_RT_TWICE, rec_text(c, r));
        return false;
    }
    if (!in_partitions(c, r, u) || !in_bytes(c, r, u))
        return false;
    u->at.base = ref->offset + u->at.shape->delta;
    u->at.part = ref->hbm ? 0 : ref->part;
    u->at.parts = ref->hbm ? 1 : ref->parts;
    return in_psum(c, r, u);
}

// ---- rules

static bool
may_write(const certifier *c, const rt_record *r, const use *dst)
{
    if (!dst->ref->hbm)
        return true;
    const rt_tensor *t = &c->p->tensor[dst->ref->tensor];
    if (t->kind == OBJ_TENSOR_OUTPUT || t->kind == OBJ_TENSOR_TEMP ||
        t->kind == OBJ_TENSOR_INOUT)
        return true;
    diag(c->d, rec_loc(c, r), D_RT_READONLY, rec_text(c, r),
         t->kind == OBJ_TENSOR_INPUT ? "input" : "constant", t->name);
    return false;
}

static uint32_t
next_dim(const rt_ref *r, uint32_t i)
{
    while (i < r->ndim && r->dim[i].count == 1)
        i++;
    return i;
}

// The same elements in the same order.
static bool
same_view(const rt_ref *a, const rt_ref *b)
{
    if (a->offset != b->offset || a->part != b->part || a->parts != b->parts ||
        a->part_step != b->part_step ||
        num_dtype_bytes(a->dtype) != num_dtype_bytes(b->dtype))
        return false;
    uint32_t i = next_dim(a, 0), j = next_dim(b, 0);
    while (i < a->ndim && j < b->ndim) {
        if (a->dim[i].step != b->dim[j].step ||
            a->dim[i].count != b->dim[j].count)
            return false;
        i = next_dim(a, i + 1);
        j = next_dim(b, j + 1);
    }
    return i >= a->ndim && j >= b->ndim;
}

// A destination equals a source or is disjoint from it.
static bool
alias_ok(const certifier *c, const rt_record *r, const use *dst, const use *src)
{
    uint32_t part;
    int64_t byte;
    if (dst->space != src->space ||
        fp_overlap(&dst->at, &src->at, &part, &byte) == FP_DISJOINT)
        return true;
    if (same_view(dst->ref, src->ref) && !num_op_is(r->op, 'd'))
        return true;
    diag(c->d, rec_loc(c, r), D_RT_ALIAS, rec_text(c, r),
         num_operand_name(src->operand));
    return false;
}

static bool
check_array(certifier *c, const rt_record *r)
{
    const char *what = array_step(&c->array, c->a, c->p->target, r, c->d);
    if (what)
        diag(c->d, rec_loc(c, r), D_RT_WEIGHTS, rec_text(c, r), what);
    return !what;
}

static bool
was_written(const certifier *c, const rt_record *r, const use *u)
{
    uint32_t part;
    int64_t byte;
    if (!u->reads || written_check(c->written, u->space, &u->at, &part, &byte))
        return true;
    diag(c->d, rec_loc(c, r), D_RT_UNINIT, rec_text(c, r),
         rt_place_text(c->p, u->space, part, byte, c->d));
    return false;
}

// ---- records

// One use for each of an operand's groups of partitions.
static uint32_t
collect_operand(certifier *c, const rt_record *r, num_operand k, use *out)
{
    const rt_ref *ref = &r->ref[k];
    use u = {.operand = k,
             .ref = ref,
             .reads = rt_reads(r, k),
             .writes = rt_writes(r, k)};
    out[0] = u;
    for (uint32_t i = 0; i < ref->groups; i++) {
        c->group[i] = *ref;
        c->group[i].part += i * ref->group_step;
        u.ref = &c->group[i];
        out[i] = u;
    }
    return ref->groups ? ref->groups : 1;
}

// The operands of a record: those only read, then those written.
static uint32_t
collect(certifier *c, const rt_record *r, use *out)
{
    uint32_t n = 0;
    for (uint32_t pass = 0; pass < 2; pass++)
        for (num_operand k = NUM_DST; k < NUM_OPERANDS; k++)
            if (r->has[k] && rt_writes(r, k) == (bool)pass)
                n += collect_operand(c, r, k, out + n);
    return n;
}

// A destination against the other operands.
static bool
check_written(const certifier *c, const rt_record *r, const use *u, uint32_t n,
              const use *dst)
{
    uint32_t part;
    int64_t byte;
    if (!may_write(c, r, dst))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!u[i].writes && !alias_ok(c, r, dst, &u[i]))
            return false;
        if (&u[i] <= dst || dst->space != u[i].space ||
            fp_overlap(&dst->at, &u[i].at, &part, &byte) == FP_DISJOINT)
            continue;
        diag(c->d, rec_loc(c, r), D_RT_TWICE, rec_text(c, r));
        return false;
    }
    return true;
}

static bool
check_uses(certifier *c, const rt_record *r, const use *u, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (u[i].writes && !check_written(c, r, u, n, &u[i]))
            return false;
    for (uint32_t i = 0; i < n; i++) {
        if (u[i].nothing)
            continue;
        if (!was_written(c, r, &u[i]))
            return false;
        race_access x = {u[i].space, u[i].at, u[i].writes};
        if (!race_access_add(c->race, &x))
            return false;
    }
    for (uint32_t i = 0; i < n; i++)
        if (u[i].writes && !u[i].ref->indexed)
            written_mark(c->written, u[i].space, &u[i].at);
    return true;
}

// What the instruction does to the engine's accumulators and generators.
static bool
check_lanes(certifier *c, const rt_record *r)
{
    uint32_t lane;
    const char *what = lane_state_step(&c->lanes[r->engine], r, &lane);
    if (!what)
        return true;
    diag(c->d, rec_loc(c, r), D_RT_STATE, rec_text(c, r), what, lane);
    return false;
}

static bool
certify_record(certifier *c, uint32_t queue, const rt_record *r)
{
    race_begin(c->race, queue, r);
    if (!check_array(c, r))
        return false;
    if (r->empty || (!queue && r->insn->queue))
        return true;
    use u[NUM_OPERANDS + GROUPS];
    uint32_t n = collect(c, r, u);
    for (uint32_t i = 0; i < n; i++)
        if (!locate(c, r, &u[i]))
            return false;
    return check_uses(c, r, u, n) && check_lanes(c, r);
}

static bool
on_start(void *ctx, const rt_record *r)
{
    return certify_record(ctx, 0, r);
}

static bool
on_transfer(void *ctx, uint32_t queue, const rt_record *r)
{
    return certify_record(ctx, queue, r);
}

static void
on_give(void *ctx, uint32_t sem, uint32_t count, const rt_record *by,
        bool at_complete)
{
    certifier *c = ctx;
    race_give(c->race, sem, count, by, at_complete);
}

static void
on_take(void *ctx, uint32_t sem, uint32_t count, const rt_record *by)
{
    certifier *c = ctx;
    race_take(c->race, sem, count, by);
}

static void
on_end(void *ctx, isa_engine e)
{
    certifier *c = ctx;
    race_end(c->race, e);
}

// ---- outputs

static const char *
element_text(const rt_tensor *t, int64_t byte, diags *d)
{
    strbuf b = strbuf_new(d->a);
    int64_t index[ISA_RANK] = {0}, e = byte / num_dtype_bytes(t->dtype);
    for (uint32_t i = t->rank; i-- > 0;) {
        index[i] = e % t->shape[i];
        e /= t->shape[i];
    }
    strbuf_printf(&b, "element [");
    for (uint32_t i = 0; i < t->rank; i++)
        strbuf_printf(&b, i ? ", %lld" : "%lld", (long long)index[i]);
    strbuf_printf(&b, "]");
    return str_z(d->a, strbuf_str(&b));
}

static rt_outcome
check_outputs(const certifier *c)
{
    rt_outcome out = RT_DONE;
    for (uint32_t i = 0; i < c->p->ntensors; i++) {
        const rt_tensor *t = &c->p->tensor[i];
        int64_t byte;
        if (t->kind != OBJ_TENSOR_OUTPUT || !written_gap(c->written, i, &byte))
            continue;
        diag(c->d, (loc){0}, D_RT_UNWRITTEN, t->name,
             element_text(t, byte, c->d));
        out = RT_FAULT;
    }
    return out;
}

// ---- entry

typedef struct {
    const rt_program *p;
    diags *d;
    uint64_t max_insns;
} certify_args;

// Bitmaps of what is written, and 1 GiB for all else: far beyond what compiled
// programs need. Engines that give tokens for nobody to take would need more.
size_t
certify_memory(const rt_program *p)
{
    size_t bytes = (size_t)1 << 30;
    for (uint32_t i = 0; i < p->ntensors; i++)
        bytes += p->tensor[i].bytes / 4;
    return bytes;
}

rt_consumer
certify_begin(arena *a, const rt_program *p, diags *d)
{
    certifier *c = ARENA_NEW(a, certifier);
    *c = (certifier){.p = p, .d = d, .a = a};
    c->written = written_new(a, p);
    c->race = race_new(a, p, d);
    c->by_count = map_new(a);
    c->whole = ARENA_ARRAY(a, p->ntensors, fp_shape *);
    uint64_t slots = 0;
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++) {
        c->slot_base[e] = slots;
        slots += (uint64_t)p->code[e].n * NUM_OPERANDS;
        c->slot[e] =
            ARENA_ARRAY(a, (size_t)p->code[e].n * NUM_OPERANDS, shape_slot);
    }
    return (rt_consumer){.ctx = c,
                         .start = on_start,
                         .transfer = on_transfer,
                         .give = on_give,
                         .take = on_take,
                         .end = on_end};
}

rt_outcome
certify_end(const rt_consumer *watch, rt_outcome out)
{
    return out == RT_DONE ? check_outputs(watch->ctx) : out;
}

static rt_outcome
certify_in_arena(arena *a, void *ctx)
{
    const certify_args *args = ctx;
    arena_limit(a, certify_memory(args->p));
    rt_consumer watch = certify_begin(a, args->p, args->d);
    rt_order order = {.max_insns = args->max_insns};
    return certify_end(&watch,
                       machine_run(a, args->p, &order, &watch, 1, args->d));
}

rt_outcome
rt_certify_limited(const rt_program *p, uint64_t max_insns, diags *d)
{
    if (p->state->certified)
        return RT_DONE;
    if (p->needs_data)
        return RT_NEEDS_DATA;
    certify_args args = {p, d, max_insns};
    rt_outcome out = rt_in_arena(certify_in_arena, &args, "certify", d);
    p->state->certified = out == RT_DONE;
    return out;
}

rt_outcome
rt_certify(const rt_program *p, diags *d)
{
    return rt_certify_limited(p, 0, d);
}
