// SPDX-License-Identifier: Apache-2.0
// Statements: one operation for the value, after those of the reductions in it.
#include "frontend/lower_int.h"

// A reduction under a cast to the type that is stored is one operation: the
// store rounds the same way.
static const ast_expr *
strip_cast(const ast_expr *e, num_dtype stored)
{
    bool is_cast = e->kind == E_CALL && e->call == CALL_CAST;
    if (!is_cast || e->dtype != stored)
        return e;
    const ast_expr *x = e->args.at[0];
    return !x->is_literal && type_as(x) == num_widened(stored) ? x : e;
}

low_bind
low_define(low_ctx *cx, low_env *env, const ast_expr *value, uint32_t result,
           const low_space *sp, const low_goal *goal)
{
    low_end end = low_end_of(cx, goal);
    end.left = sp->left;
    end.nleft = sp->nleft;
    const ast_expr *e = strip_cast(value, goal->dtype);
    const low_aff *pos =
        e->rank ? sp->pos + (sp->nleft - (uint32_t)e->rank) : NULL;
    if (e->kind == E_REDUCE)
        return low_reduce(cx, env, e, end);
    if (e->kind == E_MATMUL && (uint32_t)e->rank == sp->nleft)
        return low_matmul(cx, env, e, pos, end);
    low_op *op = low_op_new(cx);
    uint32_t root =
        result ? low_call_at(cx, op, env, e, pos, result)
               : low_expr(cx, op, env, e, pos, num_widened(goal->dtype));
    return low_finish(cx, op, root, &end);
}

// ---- whole tensors ---------------------------------------------------------

low_space
low_whole_space(low_ctx *cx, uint32_t rank, const int64_t *shape)
{
    const low_index **left = ARENA_ARRAY(cx->a, rank, const low_index *);
    low_aff *pos = ARENA_ARRAY(cx->a, rank, low_aff);
    for (uint32_t i = 0; i < rank; i++) {
        left[i] = low_new_index(cx, STR("i"), shape[i], cx->at);
        pos[i] = low_aff_of(left[i]);
    }
    return (low_space){left, rank, pos};
}

low_bind
low_copy(low_ctx *cx, const low_bind *from, const low_goal *goal)
{
    bool is_scalar = from->rank == 0 && goal->is_declared;
    low_space sp = low_whole_space(cx, is_scalar ? goal->rank : from->rank,
                                   is_scalar ? goal->shape : from->shape);
    low_op *op = low_op_new(cx);
    low_end end = low_end_of(cx, goal);
    end.left = sp.left;
    end.nleft = sp.nleft;
    uint32_t root = low_read_bind(cx, op, from, sp.pos);
    return low_finish(cx, op, root, &end);
}

const low_bind *
low_materialise(low_ctx *cx, low_env *env, const ast_expr *e)
{
    if (e->kind == E_NAME && e->ref == REF_TENSOR &&
        !env->binds[e->symbol].is_expr)
        return &env->binds[e->symbol];
    low_bind *b = low_memo_find(env, e);
    if (b)
        return b;
    if (e->kind == E_CALL && e->call == CALL_FN && !e->fn->is_scalar)
        return low_call(cx, env, e, NULL);
    if (e->kind == E_CALL && e->call == CALL_SORT)
        return &low_sort(cx, env, e, NULL)[e->is_arg];
    int64_t shape[TIR_RANK];
    b = ARENA_NEW(cx->a, low_bind);
    low_goal goal = {.dtype = e->dtype};
    if (low_shape(cx, env, e, shape)) {
        low_space sp = low_whole_space(cx, (uint32_t)e->rank, shape);
        const char *hint = cx->hint;
        cx->hint = arena_printf(cx->a, "%s_value", hint);
        *b = low_define(cx, env, e, 0, &sp, &goal);
        cx->hint = hint;
    }
    low_memo_add(cx, env, e, b);
    return b;
}

// A declared result has its shape already; the value's must be the same.
static bool
whole_shape(low_ctx *cx, low_env *env, const ast_expr *e, low_goal *to)
{
    int64_t shape[TIR_RANK];
    uint32_t rank = (uint32_t)e->rank;
    if (!low_shape(cx, env, e, shape))
        return false;
    if (to->is_declared && rank == 0)
        return true; // one value everywhere
    for (uint32_t i = 0; i < rank; i++) {
        if (to->is_declared && to->shape[i] != shape[i]) {
            LOW_REPORT(cx, e->at, D_SHAPE_MISMATCH,
                       low_shape_text(cx, to->rank, to->shape),
                       low_shape_text(cx, rank, shape));
            return false;
        }
        to->shape[i] = shape[i];
    }
    to->rank = rank;
    return true;
}

static low_bind
define_whole(low_ctx *cx, low_env *env, const ast_expr *e, uint32_t result,
             low_goal *to)
{
    if (!whole_shape(cx, env, e, to))
        return (low_bind){0};
    low_space sp = low_whole_space(cx, to->rank, to->shape);
    return low_define(cx, env, e, result, &sp, to);
}

static bool
same_goal_shape(const low_goal *to, const low_bind *from)
{
    for (uint32_t i = 0; i < to->rank && i < from->rank; i++)
        if (to->shape[i] != from->shape[i])
            return false;
    return to->rank == from->rank || from->rank == 0;
}

// Result i of a call of a function of tensors: there already, or copied.
static low_bind
take_result(low_ctx *cx, const low_goal *to, const low_bind *from, loc at)
{
    if (!from->is_set || !to->is_declared)
        return *from;
    bool is_same = from->dtype == to->dtype && from->rank == to->rank;
    if (to->is_target ? from->tensor == to->tensor
                      : is_same && same_goal_shape(to, from))
        return *from;
    if (!same_goal_shape(to, from)) {
        LOW_REPORT(cx, at, D_SHAPE_MISMATCH,
                   low_shape_text(cx, to->rank, to->shape),
                   low_shape_text(cx, from->rank, from->shape));
        return (low_bind){0};
    }
    return low_copy(cx, from, to);
}

// A result of an inlined function is named as its caller names it.
static const char *
hint_of(low_ctx *cx, const low_env *env, const ast_left *left)
{
    const ast_tensor *t = env->decl->tensors.at[left->symbol];
    for (uint32_t i = 0; env->result_hint && i < decl_results(env->decl); i++)
        if (decl_result(env->decl, i) == left->symbol)
            return env->result_hint[i];
    return str_z(cx->a, t->name.s);
}

static void
define_by_call(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    const ast_expr *e = s->values.at[0];
    uint32_t n = s->lefts.n;
    low_goal *goals = ARENA_ARRAY(cx->a, n, low_goal);
    low_want want = {goals, ARENA_ARRAY(cx->a, n, const char *)};
    for (uint32_t i = 0; i < n; i++) {
        goals[i] = low_goal_of(env, s, s->lefts.at[i]);
        want.hints[i] = hint_of(cx, env, s->lefts.at[i]);
    }
    bool is_sort = e->call == CALL_SORT;
    const low_bind *r = is_sort ? low_sort(cx, env, e, goals) + e->is_arg
                                : low_call(cx, env, e, &want);
    for (uint32_t i = 0; i < n; i++) {
        cx->hint = want.hints[i];
        env->binds[s->lefts.at[i]->symbol] =
            take_result(cx, &goals[i], &r[i], e->at);
    }
}

static void
define_wholes(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    const ast_expr *e = s->values.at[0];
    bool is_fn = e->kind == E_CALL && e->call == CALL_FN && !e->fn->is_scalar;
    if (is_fn || (e->kind == E_CALL && e->call == CALL_SORT)) {
        define_by_call(cx, env, s);
        return;
    }
    low_bind *b = ARENA_ARRAY(cx->a, s->lefts.n, low_bind);
    for (uint32_t i = 0; i < s->lefts.n; i++) {
        low_goal goal = low_goal_of(env, s, s->lefts.at[i]);
        cx->hint = hint_of(cx, env, s->lefts.at[i]);
        b[i] = define_whole(cx, env, e, i, &goal);
    }
    for (uint32_t i = 0; i < s->lefts.n; i++)
        env->binds[s->lefts.at[i]->symbol] = b[i];
}

// ---- elements --------------------------------------------------------------

static void
define_elements(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    const ast_left *l = s->lefts.at[0];
    low_space sp = {.nleft = l->left.n};
    const low_index **left = ARENA_ARRAY(cx->a, sp.nleft, const low_index *);
    for (uint32_t i = 0; i < sp.nleft; i++)
        left[i] = env->index[l->left.at[i]->slot];
    sp.left = left;
    low_goal goal = low_goal_of(env, s, l);
    env->binds[l->symbol] = low_define(cx, env, s->values.at[0], 0, &sp, &goal);
}

static void
lose(low_env *env, const ast_stmt *s)
{
    for (uint32_t i = 0; i < s->lefts.n; i++)
        env->binds[s->lefts.at[i]->symbol] = (low_bind){0};
}

void
low_stmt(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    const ast_left *first = s->lefts.at[0];
    cx->at = s->at;
    cx->hint = hint_of(cx, env, first);
    if (!low_indices(cx, env, s))
        lose(env, s);
    else if (s->kind == S_SCATTER)
        env->binds[first->symbol] = low_scatter(cx, env, s);
    else if (s->kind == S_RECUR)
        low_recurrence(cx, env, s);
    else if (first->read)
        define_elements(cx, env, s);
    else
        define_wholes(cx, env, s);
}
