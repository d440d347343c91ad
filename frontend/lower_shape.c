// SPDX-License-Identifier: Apache-2.0
// Concrete extents: of whole-tensor expressions, and of the indices of a
// statement, which take them from the dimensions they stand alone in.
#include "frontend/lower_int.h"

// ---- whole tensors ---------------------------------------------------------

static bool
report_shapes(low_ctx *cx, loc at, diag_id id, const char *x, const char *y)
{
    if (id == D_MATMUL_MISMATCH)
        LOW_REPORT(cx, at, D_MATMUL_MISMATCH, x, y);
    else
        LOW_REPORT(cx, at, D_SHAPE_MISMATCH, x, y);
    return false;
}

// Where the extents of an operand come from, if it has a name.
static void
note_shape(low_ctx *cx, const low_env *env, const ast_expr *x,
           const int64_t *shape)
{
    if (x->kind == E_NAME && x->ref == REF_TENSOR && x->rank > 0)
        diag_note_add(cx->d, env->decl->tensors.at[x->symbol]->name.at,
                      "'%.*s' is %s", STR_ARG(x->name.s),
                      low_shape_text(cx, (uint32_t)x->rank, shape));
}

// Extents of both must agree, the last dimensions aligned.
static bool
merge(low_ctx *cx, loc at, uint32_t rank, int64_t *shape, uint32_t n,
      const int64_t *other)
{
    uint32_t common = rank < n ? rank : n;
    for (uint32_t i = 1; i <= common; i++)
        if (shape[rank - i] != other[n - i])
            return report_shapes(cx, at, D_SHAPE_MISMATCH,
                                 low_shape_text(cx, rank, shape),
                                 low_shape_text(cx, n, other));
    for (uint32_t i = 0; n > rank && i < n; i++)
        shape[i] = other[i];
    return true;
}

static bool
elementwise_shape(low_ctx *cx, low_env *env, const ast_expr *e, int64_t *shape)
{
    uint32_t rank = 0;
    uint32_t nargs = e->call == CALL_CAST ? 1 : e->args.n;
    for (uint32_t i = 0; i < nargs; i++) {
        const ast_expr *x = e->args.at[i];
        int64_t other[TIR_RANK];
        uint32_t n = (uint32_t)x->rank;
        if (!low_shape(cx, env, x, other))
            return false;
        if (!merge(cx, e->at, rank, shape, n, other)) {
            note_shape(cx, env, e->args.at[0], shape);
            note_shape(cx, env, x, other);
            return false;
        }
        rank = n > rank ? n : rank;
    }
    return true;
}

static bool
matmul_shape(low_ctx *cx, low_env *env, const ast_expr *e, int64_t *shape)
{
    const ast_expr *x = e->args.at[0], *y = e->args.at[1];
    uint32_t rx = (uint32_t)x->rank, ry = (uint32_t)y->rank;
    int64_t sx[TIR_RANK], sy[TIR_RANK];
    if (!low_shape(cx, env, x, sx) || !low_shape(cx, env, y, sy))
        return false;
    if (sx[rx - 1] != sy[ry > 1 ? ry - 2 : 0]) {
        report_shapes(cx, e->at, D_MATMUL_MISMATCH, low_shape_text(cx, rx, sx),
                      low_shape_text(cx, ry, sy));
        note_shape(cx, env, x, sx);
        note_shape(cx, env, y, sy);
        return false;
    }
    uint32_t bx = rx > 2 ? rx - 2 : 0, by = ry > 2 ? ry - 2 : 0;
    uint32_t n = bx > by ? bx : by;
    for (uint32_t i = 0; i < bx; i++)
        shape[i] = sx[i];
    if (!merge(cx, e->at, bx, shape, by, sy))
        return false;
    if (rx > 1)
        shape[n++] = sx[rx - 2];
    if (ry > 1)
        shape[n++] = sy[ry - 1];
    return true;
}

static bool
bind_shape(const low_bind *b, int64_t *shape)
{
    for (uint32_t i = 0; b->is_set && i < b->rank; i++)
        shape[i] = b->shape[i];
    return b->is_set;
}

static bool
call_shape(low_ctx *cx, low_env *env, const ast_expr *e, int64_t *shape)
{
    if (e->call == CALL_SORT)
        return low_sort_shape(cx, env, e, shape);
    if (e->call != CALL_FN || e->fn->is_scalar)
        return elementwise_shape(cx, env, e, shape);
    const low_bind *r = low_call(cx, env, e, NULL);
    return r && bind_shape(&r[0], shape);
}

bool
low_shape(low_ctx *cx, low_env *env, const ast_expr *e, int64_t *shape)
{
    if (e->rank == 0)
        return true;
    if (!low_step(cx, e->at))
        return false;
    switch (e->kind) {
    case E_POISON:
    case E_INT:
    case E_FLOAT:
    case E_SUBSCRIPT:
    case E_REDUCE: return true; // elements
    case E_NAME: return low_name_shape(env, e->symbol, shape);
    case E_UNARY:
    case E_BINARY: return elementwise_shape(cx, env, e, shape);
    case E_MATMUL: return matmul_shape(cx, env, e, shape);
    case E_CALL: return call_shape(cx, env, e, shape);
    }
    return false;
}

// ---- indices ---------------------------------------------------------------

static bool
fix_index(low_ctx *cx, low_index *ix, int64_t extent, loc at)
{
    if (!ix->is_known) {
        ix->is_known = true;
        ix->n = extent;
        ix->at = at;
        return true;
    }
    if (ix->n == extent)
        return true;
    LOW_REPORT(cx, at, D_EXTENT_MISMATCH, STR_ARG(ix->name), (long long)extent,
               (long long)ix->n);
    diag_note_add(cx->d, ix->at, "extent %lld comes from here",
                  (long long)ix->n);

    return false;
}

static bool
stated_index(low_ctx *cx, const low_env *env, const ast_index *from,
             low_index *ix)
{
    dim_env dims = {cx->d, env->dims, NULL};
    int64_t hi;
    if (!dim_eval(&dims, from->lo, &ix->lo) || !dim_eval(&dims, from->hi, &hi))
        return false;
    ix->is_known = ix->is_stated = true;
    ix->at = loc_join(from->lo->at, from->hi->at);
    if (hi <= ix->lo)
        return true; // empty
    int64_t minus;
    if (mul_i64(ix->lo, -1, &minus) && add_i64(hi, minus, &ix->n))
        return true;
    low_overflow(cx, ix->at);
    return false;
}

static bool
new_indices(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    bool ok = true;
    for (uint32_t i = 0; i < s->indices.n; i++) {
        const ast_index *from = s->indices.at[i];
        low_index *ix = low_new_index(cx, from->name.s, 0, from->name.at);
        env->index[from->slot] = ix;
        ok &= !from->lo || stated_index(cx, env, from, ix);
    }
    return ok;
}

// Every element of the tensor is defined: a stated range must be all of it.
static bool
left_index(low_ctx *cx, const low_goal *g, const ast_left *left, uint32_t i,
           low_index *ix)
{
    loc at = left->read->args.at[i + 1]->at;
    int64_t want = g->is_declared ? g->shape[i] : ix->n;
    if (!ix->is_stated)
        return !g->is_declared || fix_index(cx, ix, g->shape[i], at);
    if ((ix->lo == 0 || ix->n == 0) && ix->n == want)
        return true;
    LOW_REPORT(cx, ix->at, D_RANGE_START, STR_ARG(ix->name), (long long)want,
               (long long)ix->lo, (long long)(ix->lo + ix->n));
    if (g->is_declared)
        diag_note_add(cx->d, at, "the extent is %lld here",
                      (long long)g->shape[i]);
    return false;
}

static bool
left_indices(low_ctx *cx, const low_env *env, const ast_stmt *s)
{
    bool ok = true;
    for (uint32_t k = 0; k < s->lefts.n; k++) {
        const ast_left *l = s->lefts.at[k];
        for (uint32_t i = 0; i < l->left.n; i++)
            ok &= left_index(cx, &env->goals[l->symbol], l, i,
                             env->index[l->left.at[i]->slot]);
    }
    return ok;
}

// What fixes indices, in this order: tensors, whole-tensor values, what a
// recurrence is defining, and reads with a fill where nothing else does.
typedef enum { BY_NAME, BY_VALUE, BY_STATE, BY_FILL } use_round;

// The left side whose extents are those of a state without a declaration.
static const ast_left *
state_of(const low_env *env, const ast_stmt *s, const ast_use *u)
{
    const ast_expr *base = u->read->args.at[0];
    if (s->kind != S_RECUR || base->kind != E_NAME)
        return NULL;
    for (uint32_t i = 0; i < s->lefts.n; i++)
        if (s->lefts.at[i]->symbol == base->symbol &&
            !env->goals[base->symbol].is_declared)
            return s->lefts.at[i];
    return NULL;
}

static use_round
round_of(const low_env *env, const ast_stmt *s, const ast_use *u)
{
    if (u->read->fill)
        return BY_FILL;
    if (state_of(env, s, u))
        return BY_STATE;
    return u->read->args.at[0]->kind == E_NAME ? BY_NAME : BY_VALUE;
}

static bool
use_index(low_ctx *cx, low_env *env, const ast_stmt *s, const ast_use *u)
{
    low_index *ix = env->index[u->index->slot];
    const ast_left *state = state_of(env, s, u);
    int64_t shape[TIR_RANK];
    if (ix->is_stated || (u->read->fill && ix->is_known))
        return true;
    if (state) {
        const low_index *left = env->index[state->left.at[u->dim]->slot];
        shape[u->dim] = left->n;
        if (!left->is_known)
            return true;
    } else if (!low_shape(cx, env, u->read->args.at[0], shape)) {
        return false;
    }
    return fix_index(cx, ix, shape[u->dim], u->read->args.at[u->dim + 1]->at);
}

bool
low_indices(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    static const use_round order[] = {BY_NAME, BY_VALUE, BY_STATE, BY_FILL,
                                      BY_STATE};
    bool ok = new_indices(cx, env, s) && left_indices(cx, env, s);
    for (size_t r = 0; ok && r < ARRAY_LEN(order); r++)
        for (uint32_t i = 0; i < s->uses.n; i++)
            if (round_of(env, s, &s->uses.at[i]) == order[r])
                ok &= use_index(cx, env, s, &s->uses.at[i]);
    // Only a recurrence's own extents, say, stand for an index.
    for (uint32_t i = 0; ok && i < s->indices.n; i++) {
        const low_index *ix = env->index[s->indices.at[i]->slot];
        ok = ix->is_known;
        if (!ok)
            LOW_REPORT(cx, s->indices.at[i]->name.at, D_INDEX_NO_RANGE,
                       STR_ARG(ix->name));
    }
    return ok;
}
