// SPDX-License-Identifier: Apache-2.0
// Calls of functions, by inlining. A function of scalars becomes nodes of the
// operation that uses it; any other becomes its statements, in an environment
// of its own.
#include "frontend/lower_int.h"

static low_env *
new_env(low_ctx *cx, const ast_decl *fn, const int64_t *dims)
{
    low_env *env = ARENA_NEW(cx->a, low_env);
    env->decl = fn;
    env->dims = dims;
    env->binds = ARENA_ARRAY(cx->a, fn->tensors.n, low_bind);
    env->index = ARENA_ARRAY(cx->a, fn->nindices, low_index *);
    return env;
}

static low_bind
expr_bind(low_env *env, const ast_expr *e, const low_aff *pos, num_dtype dtype)
{
    return (low_bind){.is_set = true,
                      .is_expr = true,
                      .dtype = dtype,
                      .e = e,
                      .env = env,
                      .pos = pos};
}

// ---- functions of scalars --------------------------------------------------

// The parameters at element 'pos' of the call.
static low_env *
scalar_env(low_ctx *cx, low_env *env, const ast_expr *e, const low_aff *pos)
{
    low_env *in = new_env(cx, e->fn, NULL);
    for (uint32_t i = 0; i < e->fn->nin; i++) {
        const ast_expr *x = e->args.at[i];
        const low_aff *at = x->rank ? pos + (e->rank - x->rank) : NULL;
        in->binds[i] = expr_bind(env, x, at, e->fn->tensors.at[i]->dtype);
    }
    return in;
}

static bool
inline_stmts(low_ctx *cx, low_op *op, low_env *env)
{
    for (uint32_t i = 0; i < env->decl->body.n; i++) {
        const ast_stmt *s = env->decl->body.at[i];
        uint32_t target = s->targets.at[0];
        const ast_tensor *t = env->decl->tensors.at[target];
        if (!low_indices(cx, env, s))
            return false;
        env->binds[target] = expr_bind(env, s->value, NULL, t->dtype);
        // Lowered in order, so that chains of statements do not nest.
        if (!low_read_bind(cx, op, &env->binds[target], NULL))
            return false;
    }
    return true;
}

static void run_body(low_ctx *cx, low_env *env);

static uint32_t
call_scalar(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
            const low_aff *pos, uint32_t result)
{
    const ast_decl *fn = e->fn;
    low_env *in = scalar_env(cx, env, e, pos);
    if (!fn->is_inline) {
        for (uint32_t i = fn->nin; i < fn->nin + fn->nres; i++)
            in->binds[i].dtype = fn->tensors.at[i]->dtype;
        run_body(cx, in);
    } else if (!inline_stmts(cx, op, in)) {
        return 0;
    }
    return low_read_bind(cx, op, &in->binds[fn->nin + result], NULL);
}

// ---- functions of tensors --------------------------------------------------

// What costs nothing to repeat in every operation that uses it.
static bool
is_cheap(const ast_expr *e)
{
    return e->is_literal || e->kind == E_FLOAT || e->kind == E_NAME ||
           (e->kind == E_SUBSCRIPT && e->args.at[0]->kind == E_NAME);
}

static bool
bind_args(low_ctx *cx, low_env *env, const ast_expr *e, low_bind *args)
{
    bool ok = true;
    for (uint32_t i = 0; i < e->fn->nin; i++) {
        const ast_expr *x = e->args.at[i];
        bool is_tensor = x->kind == E_NAME && x->ref == REF_TENSOR;
        if (is_tensor)
            args[i] = env->binds[x->symbol];
        else if (x->rank == 0 && is_cheap(x))
            args[i] = expr_bind(env, x, NULL, e->fn->tensors.at[i]->dtype);
        else
            args[i] = *low_materialise(cx, env, x);
        args[i].is_target = args[i].is_declared = false;
        ok &= args[i].is_set;
    }
    return ok;
}

static const int64_t *
solve_call(low_ctx *cx, const ast_expr *e, const low_bind *args)
{
    const ast_decl *fn = e->fn;
    low_dims dims = low_dims_new(cx->a, fn);
    low_given *given = ARENA_ARRAY(cx->a, fn->nin, low_given);
    for (uint32_t i = 0; i < fn->nin; i++)
        given[i] = (low_given){i, args[i].shape, e->args.at[i]->at};
    if (!low_solve(cx, fn, &dims, given, fn->nin))
        return NULL;
    for (uint32_t i = 0; i < fn->dims.n; i++) {
        if (dims.known[i] && dims.value[i] >= 0)
            continue;
        LOW_REPORT(cx, e->at, D_DIM_UNDETERMINED, STR_ARG(fn->dims.at[i].s),
                   STR_ARG(fn->name.s));
        return NULL;
    }
    return dims.value ? dims.value : ARENA_NEW(cx->a, int64_t);
}

static bool
same_shape(const low_bind *a, const low_bind *b)
{
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i])
            return false;
    return a->rank == b->rank;
}

// Result i of the call, defined in place where the caller's tensor allows it.
static bool
prepare_result(low_ctx *cx, low_env *in, uint32_t i, const low_bind *want,
               loc at)
{
    const ast_tensor *t = in->decl->tensors.at[in->decl->nin + i];
    low_bind *b = &in->binds[in->decl->nin + i];
    b->dtype = t->dtype;
    b->rank = t->shape.n;
    b->is_declared = true;
    if (!low_eval_shape(cx, in->dims, t, b->shape))
        return false;
    if (!want || !want->is_declared || (b->rank == 0 && want->rank > 0))
        return true; // a scalar is one value everywhere
    if (!same_shape(b, want)) {
        LOW_REPORT(cx, at, D_SHAPE_MISMATCH,
                   low_shape_text(cx, want->rank, want->shape),
                   low_shape_text(cx, b->rank, b->shape));
        return false;
    }
    if (want->is_target && want->dtype == b->dtype) {
        b->is_target = true;
        b->tensor = want->tensor;
    }
    return true;
}

static void
run_body(low_ctx *cx, low_env *env)
{
    loc at = cx->at;
    const char *hint = cx->hint;
    if (cx->depth >= LOWER_MAX_DEPTH) {
        LOW_REPORT(cx, cx->at, D_NESTING, AST_MAX_DEPTH);
        return;
    }
    cx->depth += 8; // a call takes more of the stack than an expression
    for (uint32_t i = 0; !cx->is_stopped && i < env->decl->body.n; i++)
        low_stmt(cx, env, env->decl->body.at[i]);
    cx->depth -= 8;
    cx->at = at;
    cx->hint = hint;
}

low_bind *
low_call(low_ctx *cx, low_env *env, const ast_expr *e, const low_want *want)
{
    const ast_decl *fn = e->fn;
    low_bind *done = low_memo_find(env, e);
    if (done)
        return done;
    low_bind *args = ARENA_ARRAY(cx->a, fn->nin, low_bind);
    const int64_t *dims =
        bind_args(cx, env, e, args) ? solve_call(cx, e, args) : NULL;
    low_env *in = new_env(cx, fn, dims);
    in->result_hint = want ? want->hints : NULL;
    bool ok = dims != NULL;
    for (uint32_t i = 0; i < fn->nin; i++)
        in->binds[i] = args[i];
    for (uint32_t i = 0; ok && i < fn->nres; i++)
        ok = prepare_result(cx, in, i, want ? want->binds[i] : NULL, e->at);
    if (ok)
        run_body(cx, in);
    low_memo_add(cx, env, e, &in->binds[fn->nin]);
    return &in->binds[fn->nin];
}

uint32_t
low_call_at(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
            const low_aff *pos, uint32_t result)
{
    if (e->fn->is_scalar)
        return call_scalar(cx, op, env, e, pos, result);
    return low_read_bind(cx, op, &low_call(cx, env, e, NULL)[result], pos);
}
