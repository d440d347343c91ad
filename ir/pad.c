// SPDX-License-Identifier: Apache-2.0
// pass 'pad': reads with a fill read padded copies.
//
//     y[i0:8] = sum[r0:3] mul(x[i0 + r0 - 1] else 0.0, w[r0])
// becomes, x having 8 elements,
//     x_pad[i0:10] = map x[i0 - 1] else 0.0
//     y[i0:8] = sum[r0:3] mul(x_pad[i0 + r0], w[r0])
//
// Each tensor gets one copy per fill, over the interval that its reads reach.
// Linear in the reads times the copies. Copies that a recurrence reads are made
// before it; what it reads of itself keeps its fill, and so do gathers. It does
// not look for a smaller copy where reads have strides, and merges no copies
// with different fills.
#include "ir/tensor_int.h"

#define MAX_COPY_BYTES ((uint64_t)1 << 40)

// A padded copy: positions lo..hi of a tensor.
typedef struct {
    uint32_t tensor;
    num_word fill;
    int64_t lo[TIR_RANK], hi[TIR_RANK];
    bool is_possible; // the copy is not absurdly large
    bool is_made;
    uint32_t temp;
} padded;

typedef struct {
    tir_fn *fn;
    VEC(padded) copies;
    uint32_t ntensors; // before there were copies
    uint32_t *group;   // [tensor]: the recurrence that computes it
} padder;

bool
tir_is_pad(const tir_fn *fn, const tir_op *op)
{
    const tir_node *root = &op->nodes.at[op->root];
    if (op->kind != TIR_MAP || op->group || op->reduce != NUM_R_NONE ||
        root->kind != TIR_N_READ)
        return false;
    const tir_read *r = &op->reads.at[root->read];
    if (!r->has_fill || fn->tensors.at[r->tensor].rank != op->nout)
        return false;
    for (uint32_t d = 0; d < op->nout; d++) {
        tir_aff sub = r->sub[d];
        sub.c = 0;
        if (tir_dim_index(&sub) != d)
            return false;
    }
    return true;
}

// ---- finding

typedef enum { READ_INSIDE, READ_OUTSIDE, READ_LEAVES } reach;

static reach
read_reach(const tir_fn *fn, const tir_op *op, const tir_read *r, padded *out)
{
    const tir_tensor *t = &fn->tensors.at[r->tensor];
    reach where = READ_INSIDE;
    *out = (padded){.tensor = r->tensor, .fill = r->fill};
    for (uint32_t d = 0; d < t->rank; d++) {
        bool ok = tir_aff_range(op, &r->sub[d], &out->lo[d], &out->hi[d]);
        SY_CHECK(ok, "a subscript of '%s' does not fit", t->name);
        if (out->hi[d] < 0 || out->lo[d] >= t->shape[d])
            return READ_OUTSIDE;
        if (out->lo[d] < 0 || out->hi[d] >= t->shape[d])
            where = READ_LEAVES;
    }
    return where;
}

// Whether a read with a fill stays one.
static bool
keeps_fill(const padder *p, const tir_op *op, const tir_read *r)
{
    return tir_is_gather(p->fn, r) || (op->group && r->tensor < p->ntensors &&
                                       p->group[r->tensor] == op->group);
}

static padded *
find_copy(padder *p, uint32_t tensor, num_word fill)
{
    for (uint32_t i = 0; i < p->copies.n; i++)
        if (p->copies.at[i].tensor == tensor && p->copies.at[i].fill == fill)
            return &p->copies.at[i];
    return NULL;
}

static void
add_reach(padder *p, const padded *need)
{
    padded *c = find_copy(p, need->tensor, need->fill);
    if (!c) {
        vec_push(p->fn->a, &p->copies, *need);
        return;
    }
    for (uint32_t d = 0; d < p->fn->tensors.at[c->tensor].rank; d++) {
        c->lo[d] = min_i64(c->lo[d], need->lo[d]);
        c->hi[d] = max_i64(c->hi[d], need->hi[d]);
    }
}

static void
make_const(tir_op *op, uint32_t read)
{
    for (uint32_t i = 1; i < op->nodes.n; i++) {
        tir_node *n = &op->nodes.at[i];
        if (n->kind == TIR_N_READ && n->read == read)
            *n = (tir_node){.kind = TIR_N_CONST,
                            .as = n->as,
                            .imm = op->reads.at[read].fill};
    }
}

// Settles what needs no copy and notes the copies for the rest.
static void
scan_op(padder *p, tir_op *op)
{
    bool is_pad = tir_is_pad(p->fn, op);
    for (uint32_t i = 0; i < op->reads.n; i++) {
        tir_read *r = &op->reads.at[i];
        if (!r->has_fill || tir_is_gather(p->fn, r))
            continue;
        padded need;
        reach where =
            tir_op_is_empty(op) ? READ_INSIDE : read_reach(p->fn, op, r, &need);
        if (where == READ_OUTSIDE)
            make_const(op, i);
        if (where != READ_LEAVES)
            r->has_fill = false;
        else if (!is_pad && !keeps_fill(p, op, r))
            add_reach(p, &need);
    }
}

// ---- making

// The tensor's type, or a register's if the fill is not one of its values.
static num_dtype
copy_dtype(const tir_tensor *t, num_word fill)
{
    unsigned char cell[8];
    num_as as = num_widened(t->dtype);
    num_env env = num_env_enter();
    num_store(t->dtype, cell, as, fill);
    bool is_exact = num_load(t->dtype, cell) == fill;
    num_env_leave(env);
    return is_exact ? t->dtype : tir_full_dtype(as);
}

static bool
copy_fits(const padder *p, const padded *c)
{
    const tir_tensor *t = &p->fn->tensors.at[c->tensor];
    uint64_t bytes = num_dtype_bytes(copy_dtype(t, c->fill));
    for (uint32_t d = 0; d < t->rank; d++)
        if (!mul_u64(bytes, (uint64_t)(c->hi[d] - c->lo[d] + 1), &bytes))
            return false;
    return bytes <= MAX_COPY_BYTES;
}

static void
make_copy(padder *p, padded *c, loc at)
{
    tir_fn *fn = p->fn;
    const tir_tensor *t = &fn->tensors.at[c->tensor];
    uint32_t rank = t->rank;
    int64_t shape[TIR_RANK];
    tir_read r = {.tensor = c->tensor, .has_fill = true, .fill = c->fill};
    for (uint32_t d = 0; d < rank; d++) {
        shape[d] = c->hi[d] - c->lo[d] + 1;
        r.sub[d] = tir_aff_index(d);
        r.sub[d].c = c->lo[d];
    }
    c->temp = tir_add_temp(fn, arena_printf(fn->a, "%s_pad", t->name),
                           copy_dtype(t, c->fill), rank, shape);
    fn->tensors.at[c->temp].at = at;
    tir_op *op = tir_add_op(fn, c->temp, NUM_R_NONE, 0, NULL);
    op->at = at;
    op->root = tir_read_node(fn, op, &r);
    c->is_made = true;
}

static padded *
copy_for(padder *p, const tir_op *op, const tir_read *r)
{
    return r->has_fill && !keeps_fill(p, op, r)
               ? find_copy(p, r->tensor, r->fill)
               : NULL;
}

// The copies that op number o reads first are made before it; how many.
static uint32_t
make_copies(padder *p, uint32_t o)
{
    uint32_t made = 0;
    if (tir_is_pad(p->fn, &p->fn->ops.at[o]))
        return 0;
    for (uint32_t i = 0; i < p->fn->ops.at[o + made].reads.n; i++) {
        const tir_op *op = &p->fn->ops.at[o + made];
        padded *c = copy_for(p, op, &op->reads.at[i]);
        if (!c || c->is_made || !c->is_possible)
            continue;
        make_copy(p, c, op->at);
        tir_place_last_op(p->fn, tir_group_begin(p->fn, o + made));
        made++;
    }
    return made;
}

static void
redirect_reads(padder *p, tir_op *op)
{
    for (uint32_t i = 0; i < op->reads.n; i++) {
        tir_read *r = &op->reads.at[i];
        const padded *c = copy_for(p, op, r);
        if (!c || !c->is_possible)
            continue;
        for (uint32_t d = 0; d < p->fn->tensors.at[r->tensor].rank; d++)
            r->sub[d].c -= c->lo[d];
        r->tensor = c->temp;
        r->has_fill = false;
        r->fill = 0;
    }
}

void
tir_pad(tir_fn *fn)
{
    fn->settled = true;
    padder p = {.fn = fn,
                .ntensors = fn->tensors.n,
                .group = ARENA_ARRAY(fn->a, fn->tensors.n, uint32_t)};
    for (uint32_t o = 0; o < fn->ops.n; o++)
        p.group[fn->ops.at[o].out] = fn->ops.at[o].group;
    for (uint32_t o = 0; o < fn->ops.n; o++)
        scan_op(&p, &fn->ops.at[o]);
    for (uint32_t i = 0; i < p.copies.n; i++)
        p.copies.at[i].is_possible = copy_fits(&p, &p.copies.at[i]);
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        o += make_copies(&p, o);
        if (!tir_is_pad(fn, &fn->ops.at[o]))
            redirect_reads(&p, &fn->ops.at[o]);
    }
}
