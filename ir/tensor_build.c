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
           (!rank || !memcmp(a->sub, b->sub, rank * sizeof a->sub[0]));
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
    return op->reads.n - 1;
}

uint32_t
tir_read_node(tir_fn *fn, tir_op *op, const tir_read *read)
{
    SY_CHECK(read->tensor < fn->tensors.n, "tensor %u of %u", read->tensor,
             fn->tensors.n);
    tir_node n = {.kind = TIR_N_READ,
                  .as = num_widened(fn->tensors.at[read->tensor].dtype),
                  .read = share_read(fn, op, read)};
    return share_node(fn, op, &n);
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

// ---- questions

int64_t
tir_elems(const tir_tensor *t)
{
    int64_t n = 1;
    // A 0 may come after extents whose product does not fit.
    for (uint32_t d = 0; d < t->rank; d++)
        if (!t->shape[d])
            return 0;
    for (uint32_t d = 0; d < t->rank; d++)
        SY_CHECK(mul_i64(n, t->shape[d], &n), "size of '%s'", t->name);
    return n;
}

bool
tir_op_is_empty(const tir_op *op)
{
    for (uint32_t x = 0; x < op->nout + op->nred; x++)
        if (!op->extent[x])
            return true;
    return false;
}

bool
tir_aff_range(const tir_op *op, const tir_aff *aff, int64_t *lo, int64_t *hi)
{
    *lo = *hi = aff->c;
    for (uint32_t x = 0; x < op->nout + op->nred; x++) {
        int64_t end;
        if (!mul_i64(aff->k[x], op->extent[x] - 1, &end) ||
            !add_i64(end < 0 ? *lo : *hi, end, end < 0 ? lo : hi))
            return false;
    }
    return true;
}

bool *
tir_live_nodes(arena *a, const tir_op *op, uint32_t root)
{
    bool *live = ARENA_ARRAY(a, op->nodes.n, bool);
    live[root] = true;
    for (uint32_t i = root + 1; i-- > 1;) {
        if (!live[i])
            continue;
        const tir_node *n = &op->nodes.at[i];
        for (uint32_t k = 0; k < tir_arity(n); k++)
            live[n->arg[k]] = true;
    }
    return live;
}

uint32_t *
tir_def_ops(arena *a, const tir_fn *fn)
{
    uint32_t *def = ARENA_ARRAY(a, fn->tensors.n, uint32_t);
    for (uint32_t t = 0; t < fn->tensors.n; t++)
        def[t] = UINT32_MAX;
    for (uint32_t o = 0; o < fn->ops.n; o++)
        def[fn->ops.at[o].out] = o;
    return def;
}

// ---- copying

tir_aff
tir_aff_index(uint32_t x)
{
    tir_aff aff = {0};
    aff.k[x] = 1;
    return aff;
}

// *sum += k * x
static bool
add_scaled(int64_t *sum, int64_t k, int64_t x)
{
    int64_t p;
    return mul_i64(k, x, &p) && add_i64(*sum, p, sum);
}

bool
tir_aff_subst(const tir_aff *aff, uint32_t nidx, const tir_aff *subst,
              tir_aff *out)
{
    tir_aff r = {.c = aff->c};
    for (uint32_t x = 0; x < nidx; x++) {
        if (!aff->k[x])
            continue;
        if (!add_scaled(&r.c, aff->k[x], subst[x].c))
            return false;
        for (uint32_t y = 0; y < TIR_INDICES; y++)
            if (!add_scaled(&r.k[y], aff->k[x], subst[x].k[y]))
                return false;
    }
    *out = r;
    return true;
}

static bool
copy_read(tir_fn *fn, tir_op *dst, const tir_op *src, const tir_read *from,
          const tir_aff *subst, uint32_t *out)
{
    tir_read r = {
        .tensor = from->tensor, .has_fill = from->has_fill, .fill = from->fill};
    for (uint32_t d = 0; d < fn->tensors.at[from->tensor].rank; d++)
        if (!tir_aff_subst(&from->sub[d], src->nout + src->nred, subst,
                           &r.sub[d]))
            return false;
    *out = tir_read_node(fn, dst, &r);
    return true;
}

bool
tir_copy_node(tir_fn *fn, tir_op *dst, const tir_op *src, const tir_node *n,
              const tir_aff *subst, const uint32_t *to, uint32_t *out)
{
    tir_aff aff;
    switch (n->kind) {
    case TIR_N_NONE: break;
    case TIR_N_CONST: *out = tir_const(fn, dst, n->as, n->imm); return true;
    case TIR_N_AFFINE:
        if (!tir_aff_subst(&n->aff, src->nout + src->nred, subst, &aff))
            return false;
        *out = tir_affine(fn, dst, &aff);
        return true;
    case TIR_N_GATHER:
    case TIR_N_READ:
        return copy_read(fn, dst, src, &src->reads.at[n->read], subst, out);
    case TIR_N_UNARY:
        *out = tir_unary(fn, dst, n->func1, to[n->arg[0]]);
        return true;
    case TIR_N_BINARY:
        *out = tir_binary(fn, dst, n->func2, to[n->arg[0]], to[n->arg[1]]);
        return true;
    case TIR_N_SELECT:
        *out = tir_select(fn, dst, to[n->arg[0]], to[n->arg[1]], to[n->arg[2]]);
        return true;
    case TIR_N_CAST:
        *out = tir_cast(fn, dst, n->to, to[n->arg[0]]);
        return true;
    }
    SY_CHECK(false, "node kind %d", (int)n->kind);
    return false;
}

bool
tir_copy_nodes(tir_fn *fn, tir_op *dst, const tir_op *src, uint32_t node,
               const tir_aff *subst, uint32_t *out)
{
    // Scratch cannot be released: the copies are in the same arena.
    bool *live = tir_live_nodes(fn->a, src, node);
    uint32_t *to = ARENA_ARRAY(fn->a, node + 1, uint32_t);
    for (uint32_t i = 1; i <= node; i++)
        if (live[i] &&
            !tir_copy_node(fn, dst, src, &src->nodes.at[i], subst, to, &to[i]))
            return false;
    *out = to[node];
    return true;
}

void
tir_place_last_op(tir_fn *fn, uint32_t at)
{
    tir_op last = *vec_last(&fn->ops);
    memmove(&fn->ops.at[at + 1], &fn->ops.at[at],
            (fn->ops.n - 1 - at) * sizeof last);
    fn->ops.at[at] = last;
}

uint32_t
tir_dim_index(const tir_aff *aff)
{
    uint32_t found = TIR_INDICES;
    for (uint32_t x = 0; x < TIR_INDICES; x++) {
        if (!aff->k[x])
            continue;
        if (aff->k[x] != 1 || found < TIR_INDICES || aff->c)
            return TIR_INDICES;
        found = x;
    }
    return found;
}
