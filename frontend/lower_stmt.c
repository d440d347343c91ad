// SPDX-License-Identifier: Apache-2.0
// Statements: one operation for the value, after those of the reductions in it.
#include "frontend/lower_int.h"

// What is to be defined: over 'left', element 'pos' of the value.
typedef struct {
    const low_index *const *left;
    uint32_t nleft;
    const low_aff *pos;
} space;

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

static void
define(low_ctx *cx, low_env *env, const ast_expr *value, uint32_t result,
       const space *sp, low_bind *to)
{
    low_end end = {.left = sp->left,
                   .nleft = sp->nleft,
                   .hint = cx->hint,
                   .dtype = to->dtype,
                   .tensor = to->tensor,
                   .is_target = to->is_target};
    const ast_expr *e = strip_cast(value, to->dtype);
    const low_aff *pos =
        e->rank ? sp->pos + (sp->nleft - (uint32_t)e->rank) : NULL;
    if (e->kind == E_REDUCE) {
        *to = low_reduce(cx, env, e, end);
        return;
    }
    if (e->kind == E_MATMUL && (uint32_t)e->rank == sp->nleft) {
        *to = low_matmul(cx, env, e, pos, end);
        return;
    }
    low_op *op = low_op_new(cx);
    uint32_t root = result
                        ? low_call_at(cx, op, env, e, pos, result)
                        : low_expr(cx, op, env, e, pos, num_widened(to->dtype));
    *to = low_finish(cx, op, root, &end);
}

// ---- whole tensors ---------------------------------------------------------

static space
whole_space(low_ctx *cx, uint32_t rank, const int64_t *shape)
{
    const low_index **left = ARENA_ARRAY(cx->a, rank, const low_index *);
    low_aff *pos = ARENA_ARRAY(cx->a, rank, low_aff);
    for (uint32_t i = 0; i < rank; i++) {
        left[i] = low_new_index(cx, STR("i"), shape[i], cx->at);
        pos[i] = low_aff_of(left[i]);
    }
    return (space){left, rank, pos};
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
    int64_t shape[TIR_RANK];
    b = ARENA_NEW(cx->a, low_bind);
    b->dtype = e->dtype;
    if (low_shape(cx, env, e, shape)) {
        space sp = whole_space(cx, (uint32_t)e->rank, shape);
        const char *hint = cx->hint;
        cx->hint = arena_printf(cx->a, "%s_value", hint);
        define(cx, env, e, 0, &sp, b);
        cx->hint = hint;
    }
    low_memo_add(cx, env, e, b);
    return b;
}

// A declared result has its shape already; the value's must be the same.
static bool
whole_shape(low_ctx *cx, low_env *env, const ast_expr *e, bool is_declared,
            low_bind *to)
{
    int64_t shape[TIR_RANK];
    uint32_t rank = (uint32_t)e->rank;
    if (!low_shape(cx, env, e, shape))
        return false;
    if (is_declared && rank == 0)
        return true; // one value everywhere
    for (uint32_t i = 0; i < rank; i++) {
        if (is_declared && to->shape[i] != shape[i]) {
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

static void
define_whole(low_ctx *cx, low_env *env, const ast_expr *e, uint32_t result,
             const ast_tensor *t, low_bind *to)
{
    to->dtype = t->dtype;
    if (!whole_shape(cx, env, e, t->role == TENSOR_RESULT, to)) {
        *to = (low_bind){0};
        return;
    }
    space sp = whole_space(cx, to->rank, to->shape);
    define(cx, env, e, result, &sp, to);
}

// Whether the result of a call stands for the tensor that takes it.
static bool
is_taken(const low_bind *to, const low_bind *from)
{
    if (!from->is_set || !to->is_declared)
        return true;
    if (to->is_target)
        return from->tensor == to->tensor;
    return from->dtype == to->dtype && from->rank == to->rank;
}

// Result i of a call of a function of tensors: there already, or copied.
static void
take_result(low_ctx *cx, low_bind *to, const low_bind *from, const char *hint)
{
    if (is_taken(to, from)) {
        *to = *from;
        to->is_target = to->is_declared = false;
        return;
    }
    space sp = whole_space(cx, to->rank, to->shape);
    low_op *op = low_op_new(cx);
    low_end end = {.left = sp.left,
                   .nleft = sp.nleft,
                   .hint = hint,
                   .dtype = to->dtype,
                   .tensor = to->tensor,
                   .is_target = to->is_target};
    uint32_t root = low_read_bind(cx, op, from, sp.pos);
    *to = low_finish(cx, op, root, &end);
}

// A result of an inlined function is named as its caller names it.
static const char *
hint_of(low_ctx *cx, const low_env *env, uint32_t target)
{
    const ast_tensor *t = env->decl->tensors.at[target];
    if (env->result_hint && t->role == TENSOR_RESULT)
        return env->result_hint[target - env->decl->nin];
    return str_z(cx->a, t->name.s);
}

static void
define_by_call(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    uint32_t n = s->names.n;
    low_bind **to = ARENA_ARRAY(cx->a, n, low_bind *);
    low_want want = {to, ARENA_ARRAY(cx->a, n, const char *)};
    for (uint32_t i = 0; i < n; i++) {
        to[i] = &env->binds[s->targets.at[i]];
        want.hints[i] = hint_of(cx, env, s->targets.at[i]);
    }
    const low_bind *r = low_call(cx, env, s->value, &want);
    for (uint32_t i = 0; i < n; i++)
        take_result(cx, to[i], &r[i], want.hints[i]);
}

static void
define_wholes(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    const ast_expr *e = s->value;
    bool is_fn = e->kind == E_CALL && e->call == CALL_FN;
    if (is_fn && !e->fn->is_scalar) {
        define_by_call(cx, env, s);
        return;
    }
    for (uint32_t i = 0; i < s->names.n; i++) {
        uint32_t target = s->targets.at[i];
        const ast_tensor *t = env->decl->tensors.at[target];
        define_whole(cx, env, e, i, t, &env->binds[target]);
    }
}

// ---- elements --------------------------------------------------------------

static void
define_elements(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    uint32_t target = s->targets.at[0];
    low_bind *to = &env->binds[target];
    space sp = {.nleft = s->left.n};
    const low_index **left = ARENA_ARRAY(cx->a, sp.nleft, const low_index *);
    for (uint32_t i = 0; i < sp.nleft; i++)
        left[i] = env->index[s->left.at[i]->slot];
    sp.left = left;
    to->dtype = env->decl->tensors.at[target]->dtype;
    define(cx, env, s->value, 0, &sp, to);
}

void
low_stmt(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    cx->at = s->at;
    cx->hint = hint_of(cx, env, s->targets.at[0]);
    if (!low_indices(cx, env, s)) {
        for (uint32_t i = 0; i < s->targets.n; i++)
            env->binds[s->targets.at[i]] = (low_bind){0};
        return;
    }
    if (s->has_subs)
        define_elements(cx, env, s);
    else
        define_wholes(cx, env, s);
}
