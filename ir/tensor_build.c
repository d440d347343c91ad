// SPDX-License-Identifier: Apache-2.0
// Building tensor IR: tensors, operations and their scalar nodes. Nodes are
// shared within an operation and constants folded with the arithmetic of
// numerics/, so that what the program writes twice is computed once. A wrong
// call is our own bug and aborts; input is checked by whoever reads it.
#include "ir/tensor_int.h"

#include <string.h>

// Nodes looked back at for an equal one: bounds the cost on huge bodies.
enum { SHARE_WINDOW = 1024 };

tir_fn *
tir_fn_new(arena *a, const char *name)
{
    tir_fn *fn = ARENA_NEW(a, tir_fn);
    fn->a = a;
    fn->name = name;
    return fn;
}

uint32_t
tir_add_tensor(tir_fn *fn, const char *name, tir_kind kind, num_dtype dtype,
               uint32_t rank, const int64_t *shape)
{
    SY_CHECK(rank <= TIR_RANK, "tensor '%s' has rank %u", name, rank);
    tir_tensor *t = vec_add(fn->a, &fn->tensors);
    t->name = name;
    t->kind = kind;
    t->dtype = dtype;
    t->rank = rank;
    for (uint32_t d = 0; d < rank; d++)
        t->shape[d] = shape[d];
    return fn->tensors.n - 1;
}

static bool
is_name_taken(const tir_fn *fn, const char *name)
{
    for (uint32_t t = 0; t < fn->tensors.n; t++)
        if (!strcmp(fn->tensors.at[t].name, name))
            return true;
    return false;
}

uint32_t
tir_add_temp(tir_fn *fn, const char *hint, num_dtype dtype, uint32_t rank,
             const int64_t *shape)
{
    const char *name = arena_printf(fn->a, "%s", hint);
    for (uint32_t i = fn->tensors.n; is_name_taken(fn, name); i++)
        name = arena_printf(fn->a, "%s_%u", hint, i);
    return tir_add_tensor(fn, name, TIR_TEMP, dtype, rank, shape);
}

tir_op *
tir_add_op(tir_fn *fn, uint32_t out, num_reduce reduce, uint32_t nred,
           const int64_t *red_extent)
{
    SY_CHECK(out < fn->tensors.n, "tensor %u of %u", out, fn->tensors.n);
    tir_op *op = vec_add(fn->a, &fn->ops);
    const tir_tensor *t = &fn->tensors.at[out];
    SY_CHECK(nred <= TIR_INDICES - t->rank, "too many indices for '%s'",
             t->name);
    op->out = out;
    op->reduce = reduce;
    op->nout = t->rank;
    op->nred = nred;
    for (uint32_t d = 0; d < t->rank; d++)
        op->extent[d] = t->shape[d];
    for (uint32_t d = 0; d < nred; d++)
        op->extent[t->rank + d] = red_extent[d];
    (void)vec_add(fn->a, &op->nodes);
    return op;
}

tir_op *
tir_add_scatter(tir_fn *fn, uint32_t out, num_reduce reduce, uint32_t init,
                uint32_t nidx, const int64_t *extent)
{
    SY_CHECK(nidx <= TIR_INDICES, "%u statement indices", nidx);
    tir_op *op = tir_add_op(fn, out, reduce, 0, NULL);
    op->kind = TIR_SCATTER;
    op->nout = nidx;
    memset(op->extent, 0, sizeof op->extent);
    for (uint32_t x = 0; x < nidx; x++)
        op->extent[x] = extent[x];
    op->init = init;
    op->target.tensor = out;
    return op;
}

tir_op *
tir_add_sort(tir_fn *fn, uint32_t out, uint32_t src, uint32_t axis,
             bool descending, bool positions)
{
    tir_op *op = tir_add_op(fn, out, NUM_R_NONE, 0, NULL);
    op->kind = TIR_SORT;
    op->src = src;
    op->axis = axis;
    op->descending = descending;
    op->positions = positions;
    return op;
}

tir_op *
tir_add_reshape(tir_fn *fn, uint32_t out, uint32_t src)
{
    tir_op *op = tir_add_op(fn, out, NUM_R_NONE, 0, NULL);
    op->kind = TIR_RESHAPE;
    op->src = src;
    return op;
}

uint32_t
tir_new_group(const tir_fn *fn)
{
    uint32_t most = 0;
    for (uint32_t o = 0; o < fn->ops.n; o++)
        if (fn->ops.at[o].group > most)
            most = fn->ops.at[o].group;
    return most + 1;
}

// ---- nodes

uint32_t
tir_push_node(tir_fn *fn, tir_op *op, const tir_node *n)
{
    if (!op->nodes.n)
        (void)vec_add(fn->a, &op->nodes);
    vec_push(fn->a, &op->nodes, *n);
    return op->nodes.n - 1;
}

uint32_t
tir_arity(const tir_node *n)
{
    switch (n->kind) {
    case TIR_N_NONE:
    case TIR_N_CONST:
    case TIR_N_AFFINE:
    case TIR_N_GATHER:
    case TIR_N_READ: return 0;
    case TIR_N_UNARY:
    case TIR_N_CAST: return 1;
    case TIR_N_BINARY: return 2;
    case TIR_N_SELECT: return 3;
    }
    return 0;
}

uint32_t
tir_operands(const tir_op *op, const tir_node *n, uint32_t *out)
{
    uint32_t count = tir_arity(n);
    for (uint32_t k = 0; k < count; k++)
        out[k] = n->arg[k];
    for (uint32_t d = 0; n->kind == TIR_N_GATHER && d < TIR_RANK; d++)
        if (op->reads.at[n->read].dyn[d])
            out[count++] = op->reads.at[n->read].dyn[d];
    return count;
}

static bool
is_same_node(const tir_node *a, const tir_node *b)
{
    return a->kind == b->kind && a->as == b->as && a->func1 == b->func1 &&
           a->func2 == b->func2 && a->to == b->to && a->arg[0] == b->arg[0] &&
           a->arg[1] == b->arg[1] && a->arg[2] == b->arg[2] &&
           a->imm == b->imm && a->read == b->read &&
           !memcmp(&a->aff, &b->aff, sizeof a->aff);
}

// The node, or an equal one that is there already.
static uint32_t
share_node(tir_fn *fn, tir_op *op, const tir_node *n)
{
    uint32_t end = op->nodes.n > SHARE_WINDOW ? op->nodes.n - SHARE_WINDOW : 1;
    for (uint32_t i = op->nodes.n; i-- > end;)
        if (is_same_node(&op->nodes.at[i], n))
            return i;
    return tir_push_node(fn, op, n);
}

static const tir_node *
node_at(const tir_op *op, uint32_t i)
{
    SY_CHECK(i > 0 && i < op->nodes.n, "node %u of %u", i, op->nodes.n);
    return &op->nodes.at[i];
}

static bool
is_const(const tir_op *op, uint32_t i)
{
    return op->nodes.at[i].kind == TIR_N_CONST;
}

uint32_t
tir_const(tir_fn *fn, tir_op *op, num_as as, num_word imm)
{
    tir_node n = {.kind = TIR_N_CONST, .as = as, .imm = imm};
    return share_node(fn, op, &n);
}

uint32_t
tir_affine(tir_fn *fn, tir_op *op, const tir_aff *aff)
{
    tir_node n = {.kind = TIR_N_AFFINE, .as = NUM_AS_I32, .aff = *aff};
    for (uint32_t x = 0; x < TIR_INDICES; x++)
        if (aff->k[x])
            return share_node(fn, op, &n);
    return tir_const(fn, op, NUM_AS_I32, (num_word)(uint64_t)aff->c);
}

static bool
is_same_read(const tir_read *a, const tir_read *b, uint32_t rank)
{
    return a->tensor == b->tensor && a->has_fill == b->has_fill &&
           (!a->has_fill || a->fill == b->fill) &&
           (!rank || (!memcmp(a->sub, b->sub, rank * sizeof a->sub[0]) &&
                      !memcmp(a->dyn, b->dyn, rank * sizeof a->dyn[0])));
}

static uint32_t
share_read(tir_fn *fn, tir_op *op, const tir_read *r)
{
    uint32_t rank = fn->tensors.at[r->tensor].rank;
    uint32_t end = op->reads.n > SHARE_WINDOW ? op->reads.n - SHARE_WINDOW : 0;
    for (uint32_t i = op->reads.n; i-- > end;)
        if (is_same_read(&op->reads.at[i], r, rank))
            return i;
    tir_read *new = vec_add(fn->a, &op->reads);
    new->tensor = r->tensor;
    new->has_fill = r->has_fill;
    new->fill = r->has_fill ? r->fill : 0;
    memcpy(new->sub, r->sub, rank * sizeof r->sub[0]);
    memcpy(new->dyn, r->dyn, rank * sizeof r->dyn[0]);
    return op->reads.n - 1;
}

bool
tir_is_gather(const tir_fn *fn, const tir_read *r)
{
    for (uint32_t d = 0; d < fn->tensors.at[r->tensor].rank; d++)
        if (r->dyn[d])
            return true;
    return false;
}

uint32_t
tir_gather(tir_fn *fn, tir_op *op, const tir_read *read)
{
    SY_CHECK(read->tensor < fn->tensors.n, "tensor %u of %u", read->tensor,
             fn->tensors.n);
    tir_node n = {.kind = tir_is_gather(fn, read) ? TIR_N_GATHER : TIR_N_READ,
                  .as = num_widened(fn->tensors.at[read->tensor].dtype),
                  .read = share_read(fn, op, read)};
    return share_node(fn, op, &n);
}

uint32_t
tir_read_node(tir_fn *fn, tir_op *op, const tir_read *read)
{
    uint32_t node = tir_gather(fn, op, read);
    SY_CHECK(op->nodes.at[node].kind == TIR_N_READ, "a gather of '%s'",
             fn->tensors.at[read->tensor].name);
    return node;
}

// Whether a constant may replace an operation whose value in binary64 is
// 'exact' by its result.
static bool
may_fold(const tir_fn *fn, num_as as, num_word result, double exact)
{
    if (!fn->settled || as != NUM_AS_F32)
        return true;
    float f = num_f32(result);
    return (double)f == exact || (f != f && exact != exact);
}

// A register as a number.
static double
number(num_as as, num_word w)
{
    switch (as) {
    case NUM_AS_F32: return (double)num_f32(w);
    case NUM_AS_I32: return (int32_t)w;
    case NUM_AS_U32:
    case NUM_AS_BOOL:
    case NUM_AS_NONE: return w;
    }
    return w;
}

uint32_t
tir_unary(tir_fn *fn, tir_op *op, num_unary f, uint32_t x)
{
    const tir_node *a = node_at(op, x);
    SY_CHECK(num_unary_takes(f, a->as), "operand of '%s'", num_unary_name(f));
    num_as as = num_unary_gives(f, a->as);
    if (f == NUM_COPY)
        return x;
    if (is_const(op, x)) {
        num_env env = num_env_enter();
        num_word v = num_apply1(f, a->as, a->imm);
        bool folds = as != NUM_AS_F32 || a->as != as ||
                     may_fold(fn, as, v, num_ref1(f, number(as, a->imm)));
        num_env_leave(env);
        if (folds)
            return tir_const(fn, op, as, v);
    }
    tir_node n = {.kind = TIR_N_UNARY, .as = as, .func1 = f, .arg = {x}};
    return share_node(fn, op, &n);
}

uint32_t
tir_binary(tir_fn *fn, tir_op *op, num_binary f, uint32_t x, uint32_t y)
{
    const tir_node *a = node_at(op, x), *b = node_at(op, y);
    SY_CHECK(a->as == b->as && num_binary_takes(f, a->as), "operands of '%s'",
             num_binary_name(f));
    num_as as = num_binary_gives(f, a->as);
    if (is_const(op, x) && is_const(op, y)) {
        num_env env = num_env_enter();
        num_word v = num_apply2(f, a->as, a->imm, b->imm);
        bool folds =
            as != NUM_AS_F32 || a->as != as ||
            may_fold(fn, as, v,
                     num_ref2(f, number(as, a->imm), number(as, b->imm)));
        num_env_leave(env);
        if (folds)
            return tir_const(fn, op, as, v);
    }
    tir_node n = {.kind = TIR_N_BINARY, .as = as, .func2 = f, .arg = {x, y}};
    return share_node(fn, op, &n);
}

uint32_t
tir_select(tir_fn *fn, tir_op *op, uint32_t c, uint32_t x, uint32_t y)
{
    const tir_node *a = node_at(op, c);
    num_as as = node_at(op, x)->as;
    SY_CHECK(a->as == NUM_AS_BOOL && node_at(op, y)->as == as,
             "operands of a select");
    if (x == y)
        return x;
    if (a->kind == TIR_N_CONST)
        return a->imm ? x : y;
    tir_node n = {.kind = TIR_N_SELECT, .as = as, .arg = {c, x, y}};
    return share_node(fn, op, &n);
}

num_dtype
tir_full_dtype(num_as as)
{
    switch (as) {
    case NUM_AS_NONE: return DT_NONE;
    case NUM_AS_F32: return DT_F32;
    case NUM_AS_I32: return DT_I32;
    case NUM_AS_U32: return DT_U32;
    case NUM_AS_BOOL: return DT_BOOL;
    }
    return DT_NONE;
}

uint32_t
tir_cast(tir_fn *fn, tir_op *op, num_dtype to, uint32_t x)
{
    const tir_node *a = node_at(op, x);
    num_as as = num_widened(to);
    SY_CHECK(as != NUM_AS_NONE, "cast to type %d", (int)to);
    if (to == tir_full_dtype(a->as))
        return x;
    if (a->kind == TIR_N_CAST && a->to == to)
        return x;
    if (is_const(op, x)) {
        unsigned char cell[8];
        num_env env = num_env_enter();
        num_store(to, cell, a->as, a->imm);
        num_word v = num_load(to, cell);
        num_env_leave(env);
        if (may_fold(fn, as, v, number(a->as, a->imm)))
            return tir_const(fn, op, as, v);
    }
    tir_node n = {.kind = TIR_N_CAST, .as = as, .to = to, .arg = {x}};
    return share_node(fn, op, &n);
}
