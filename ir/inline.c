// SPDX-License-Identifier: Apache-2.0
// pass 'inline': maps are substituted into the operation that reads them.
//
//     t[i0:8, i1:4] = map exp(x[i0, i1])
//     y[i0:8] = sum[r0:4] t[i0, r0]
// becomes
//     y[i0:8] = sum[r0:4] exp(x[i0, r0])
//
// One walk over the operations in order, with counts of the reads of each
// tensor. A map is computed no more often than before, unless it is just a
// read, a constant or an index. The rounding of its store stays as a cast, so
// values do not change. Maps that read with a fill stay (pass 'pad' made them),
// and so do the plain operands of contractions. What a recurrence computes is
// not substituted, but a map may be into its operations. It does not duplicate
// work to save memory, and does not look into reductions.
#include "ir/tensor_int.h"

enum { BODY_LIMIT = 4096 }; // nodes a body may grow to

typedef struct {
    tir_fn *fn;
    uint32_t *def;  // [tensor]: op, or UINT32_MAX
    uint32_t *uses; // [tensor]: read nodes in operations that are not dead
    bool *is_dead;  // [op]
} inliner;

// ---- counting

// What a recurrence's operation reads of itself does not keep it alive.
static void
count_reads(const inliner *in, const tir_op *op, bool is_minus)
{
    arena_mark mark = arena_save(in->fn->a);
    const bool *live = tir_live_op(in->fn->a, op);
    const uint32_t one = is_minus ? UINT32_MAX : 1; // modulo 2^32: -1
    for (uint32_t i = 1; i < op->nodes.n; i++) {
        const tir_node *n = &op->nodes.at[i];
        if (!live[i] || (n->kind != TIR_N_READ && n->kind != TIR_N_GATHER))
            continue;
        uint32_t t = op->reads.at[n->read].tensor;
        if (t != op->out)
            in->uses[t] += one;
    }
    uint32_t whole = tir_whole_source(op);
    if (whole != TIR_ABSENT)
        in->uses[whole] += one;
    arena_restore(in->fn->a, mark);
}

static bool
is_unread(const inliner *in, uint32_t o)
{
    uint32_t out = in->fn->ops.at[o].out;
    return !in->is_dead[o] && !in->uses[out] &&
           in->fn->tensors.at[out].kind == TIR_TEMP;
}

// Operations before 'end' that define a temp nobody reads are dead; what only
// they read, too. One that dies may have been the last in its recurrence to
// read what a later one there computes: then it goes round again.
static void
bury_dead(const inliner *in, uint32_t end)
{
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t o = end; o-- > 0;) {
            if (!is_unread(in, o))
                continue;
            in->is_dead[o] = true;
            again = again || in->fn->ops.at[o].group;
            count_reads(in, &in->fn->ops.at[o], true);
        }
    }
}

// ---- may it be inlined?

static bool
has_fill(const tir_op *op)
{
    for (uint32_t i = 0; i < op->reads.n; i++)
        if (op->reads.at[i].has_fill)
            return true;
    return false;
}

static bool
is_trivial(const tir_op *src)
{
    tir_node_kind k = src->nodes.at[src->root].kind;
    return k == TIR_N_READ || k == TIR_N_CONST || k == TIR_N_AFFINE;
}

// Whether the read visits every element of the tensor once as op runs through
// its index space.
static bool
is_bijection(const tir_op *op, const tir_read *r, const tir_tensor *t)
{
    bool is_used[TIR_INDICES] = {false};
    for (uint32_t d = 0; d < t->rank; d++) {
        uint32_t x = tir_dim_index(&r->sub[d]);
        if (t->shape[d] == 1)
            continue; // in range, so always element 0
        if (x == TIR_INDICES || is_used[x] || op->extent[x] != t->shape[d])
            return false;
        is_used[x] = true;
    }
    for (uint32_t x = 0; x < op->nout + op->nred; x++)
        if (!is_used[x] && op->extent[x] != 1)
            return false;
    return true;
}

// Whether the node is a factor that the tensor engine will read.
static bool
is_factor(const tir_fn *fn, const tir_op *op, uint32_t node)
{
    const tir_node *at = op->nodes.at, *root = &at[op->root];
    if (op->kind != TIR_MAP || op->reduce != NUM_R_SUM ||
        root->kind != TIR_N_BINARY || root->func2 != NUM_MUL ||
        (root->arg[0] != node && root->arg[1] != node))
        return false;
    bool are_reads = at[root->arg[0]].kind == TIR_N_READ &&
                     at[root->arg[1]].kind == TIR_N_READ;
    return are_reads || tir_wants_contraction(fn, op);
}

// Whether the map, as an expression, is a read that rounds nothing.
static bool
is_plain_read(const tir_fn *fn, const tir_op *src)
{
    const tir_node *root = &src->nodes.at[src->root];
    num_dtype to = fn->tensors.at[src->out].dtype;
    return root->kind == TIR_N_READ &&
           (to == tir_full_dtype(root->as) ||
            to == fn->tensors.at[src->reads.at[root->read].tensor].dtype);
}

// The map to put in place of a node of op, or NULL.
static const tir_op *
map_for(const inliner *in, const tir_op *op, uint32_t node)
{
    const tir_node *n = &op->nodes.at[node];
    if (n->kind != TIR_N_READ)
        return NULL;
    const tir_read *r = &op->reads.at[n->read];
    const tir_tensor *t = &in->fn->tensors.at[r->tensor];
    if (t->kind != TIR_TEMP || r->has_fill || in->def[r->tensor] == UINT32_MAX)
        return NULL;
    const tir_op *src = &in->fn->ops.at[in->def[r->tensor]];
    if (src->kind != TIR_MAP || src->group || src->reduce != NUM_R_NONE ||
        has_fill(src) || src->nodes.n + op->nodes.n > BODY_LIMIT)
        return NULL;
    if (is_factor(in->fn, op, node))
        return is_plain_read(in->fn, src) ? src : NULL;
    if (is_trivial(src))
        return src;
    return in->uses[r->tensor] == 1 && is_bijection(op, r, t) ? src : NULL;
}

// ---- substituting

static bool
put_map(tir_fn *fn, tir_op *dst, const tir_op *op, uint32_t node,
        const tir_op *src, uint32_t *out)
{
    const tir_read *r = &op->reads.at[op->nodes.at[node].read];
    if (!tir_copy_nodes(fn, dst, src, src->root, r->sub, out))
        return false;
    if (!is_plain_read(fn, src))
        *out = tir_cast(fn, dst, fn->tensors.at[src->out].dtype, *out);
    return true;
}

static void
rebuild_op(const inliner *in, uint32_t o, const bool *live)
{
    tir_fn *fn = in->fn;
    const tir_op *op = &fn->ops.at[o];
    tir_op new = tir_op_cleared(fn, op);
    uint32_t *to = ARENA_ARRAY(fn->a, op->nodes.n, uint32_t);
    tir_aff same[TIR_INDICES];
    for (uint32_t x = 0; x < TIR_INDICES; x++)
        same[x] = tir_aff_index(x);
    for (uint32_t i = 1; i < op->nodes.n; i++) {
        const tir_op *src = live[i] ? map_for(in, op, i) : NULL;
        if (!live[i] || (src && put_map(fn, &new, op, i, src, &to[i])))
            continue;
        bool ok =
            tir_copy_node(fn, &new, op, &op->nodes.at[i], same, to, &to[i]);
        SY_CHECK(ok, "copying node %u", i);
    }
    bool moved = tir_move_roots(fn, &new, op, same, to);
    SY_CHECK(moved, "the target of '%s'", fn->tensors.at[op->out].name);
    count_reads(in, &new, false);
    count_reads(in, op, true);
    fn->ops.at[o] = new;
}

static void
inline_into(const inliner *in, uint32_t o)
{
    const tir_op *op = &in->fn->ops.at[o];
    const bool *live = tir_live_op(in->fn->a, op);
    bool found = false;
    for (uint32_t i = 1; i < op->nodes.n && !found; i++)
        found = live[i] && map_for(in, op, i);
    if (!found)
        return;
    rebuild_op(in, o, live);
    bury_dead(in, o);
}

// ---- copies

// Whether op is 'y[i..] = t[i..]' for a temp t that y can stand for: it stores
// what t's definition stores, or t is in registers and nobody else reads it (a
// recurrence reads itself).
static bool
is_copy_of_temp(const inliner *in, const tir_op *op, uint32_t *temp)
{
    const tir_node *root = &op->nodes.at[op->root];
    if (op->kind != TIR_MAP || op->reduce != NUM_R_NONE ||
        root->kind != TIR_N_READ)
        return false;
    const tir_read *r = &op->reads.at[root->read];
    const tir_tensor *t = &in->fn->tensors.at[r->tensor];
    if (t->kind != TIR_TEMP || r->has_fill || t->rank != op->nout)
        return false;
    for (uint32_t d = 0; d < t->rank; d++)
        if (tir_dim_index(&r->sub[d]) != d || t->shape[d] != op->extent[d])
            return false;
    *temp = r->tensor;
    const tir_op *by = &in->fn->ops.at[in->def[*temp]];
    return t->dtype == in->fn->tensors.at[op->out].dtype ||
           (by->kind == TIR_MAP && !by->group &&
            t->dtype == tir_full_dtype(root->as) && in->uses[*temp] == 1);
}

static void
read_instead(const tir_fn *fn, uint32_t from, uint32_t to)
{
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        tir_op *op = &fn->ops.at[o];
        for (uint32_t i = 0; i < op->reads.n; i++)
            if (op->reads.at[i].tensor == from)
                op->reads.at[i].tensor = to;
        op->src = op->src == from ? to : op->src;
        op->init = op->init == from ? to : op->init;
    }
}

static void
forward_copy(const inliner *in, uint32_t o)
{
    const tir_op *op = &in->fn->ops.at[o];
    uint32_t temp, y = op->out;
    if (!is_copy_of_temp(in, op, &temp))
        return;
    in->is_dead[o] = true;
    count_reads(in, op, true);
    in->def[y] = in->def[temp];
    in->fn->ops.at[in->def[temp]].out = y;
    in->fn->ops.at[in->def[temp]].target.tensor = y;
    read_instead(in->fn, temp, y);
    in->uses[y] += in->uses[temp];
    in->uses[temp] = 0;
    in->def[temp] = UINT32_MAX;
}

// ---- clearing

static void
drop_dead_ops(const inliner *in)
{
    tir_fn *fn = in->fn;
    uint32_t n = 0;
    for (uint32_t o = 0; o < fn->ops.n; o++)
        if (!in->is_dead[o])
            fn->ops.at[n++] = fn->ops.at[o];
    fn->ops.n = n;
}

static bool
is_kept(const inliner *in, uint32_t t)
{
    tir_kind k = in->fn->tensors.at[t].kind;
    return k == TIR_INPUT || k == TIR_OUTPUT || in->uses[t] > 0;
}

// Reads of dead nodes may name a tensor that goes; they are cut off with it.
static void
drop_dead_nodes(tir_fn *fn, tir_op *op)
{
    const bool *live = tir_live_op(fn->a, op);
    uint32_t last = 0;
    for (uint32_t i = 1; i < op->nodes.n; i++) {
        if (live[i])
            last = i;
        else
            op->nodes.at[i] =
                (tir_node){.kind = TIR_N_CONST, .as = NUM_AS_BOOL};
    }
    op->nodes.n = last + 1;
}

static void
drop_unused_tensors(const inliner *in)
{
    tir_fn *fn = in->fn;
    uint32_t *to = ARENA_ARRAY(fn->a, fn->tensors.n, uint32_t), n = 0;
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        if (!is_kept(in, t))
            continue;
        to[t] = n;
        fn->tensors.at[n++] = fn->tensors.at[t];
    }
    fn->tensors.n = n;
    for (uint32_t t = 0; t < n; t++)
        if (fn->tensors.at[t].updates)
            fn->tensors.at[t].updates = 1 + to[fn->tensors.at[t].updates - 1];
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        tir_op *op = &fn->ops.at[o];
        drop_dead_nodes(fn, op);
        op->out = op->target.tensor = to[op->out];
        op->src = to[op->src];
        op->init = op->init == TIR_ABSENT ? TIR_ABSENT : to[op->init];
        for (uint32_t i = 0; i < op->reads.n; i++)
            op->reads.at[i].tensor = to[op->reads.at[i].tensor];
    }
}

void
tir_inline(tir_fn *fn)
{
    fn->settled = true;
    inliner in = {fn, tir_def_ops(fn->a, fn),
                  ARENA_ARRAY(fn->a, fn->tensors.n, uint32_t),
                  ARENA_ARRAY(fn->a, fn->ops.n, bool)};
    for (uint32_t o = 0; o < fn->ops.n; o++)
        count_reads(&in, &fn->ops.at[o], false);
    bury_dead(&in, fn->ops.n);
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        if (in.is_dead[o])
            continue;
        inline_into(&in, o);
        forward_copy(&in, o);
    }
    bury_dead(&in, fn->ops.n);
    drop_dead_ops(&in);
    drop_unused_tensors(&in);
}
