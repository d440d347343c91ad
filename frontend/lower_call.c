// SPDX-License-Identifier: Apache-2.0
// Calls of functions, by inlining. A function of scalars becomes nodes of the
// operation that uses it; any other becomes its statements, in an environment
// of its own.
#include "frontend/lower_int.h"

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
    low_env *in = low_env_new(cx, e->fn, NULL);
    for (uint32_t i = 0; in && i < e->fn->nin; i++) {
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
        uint32_t target = s->lefts.at[0]->symbol;
        const ast_tensor *t = env->decl->tensors.at[target];
        if (!low_indices(cx, env, s))
            return false;
        env->binds[target] = expr_bind(env, s->values.at[0], NULL, t->dtype);
        // Lowered in order, so that chains of statements do not nest.
        if (!low_read_bind(cx, op, &env->binds[target], NULL))
            return false;
    }
    return true;
}

static bool
find_places(low_ctx *cx, low_env *in, const low_bind *args)
{
    bool ok = true;
    for (uint32_t i = 0; i < in->decl->nin; i++)
        ok &= low_find_place(cx, &args[i], &in->place);
    return ok;
}

static bool run_body(low_ctx *cx, low_env *env);

static uint32_t
call_scalar(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
            const low_aff *pos, uint32_t result)
{
    const ast_decl *fn = e->fn;
    low_env *in = scalar_env(cx, env, e, pos);
    bool ok = in && (fn->is_inline
                         ? inline_stmts(cx, op, in)
                         : find_places(cx, in, in->binds) && run_body(cx, in));
    if (!ok)
        return 0;
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

// The leading dimensions of arguments that the parameters have not: indices
// along which the function is applied.
typedef struct {
    const low_index *ix[TIR_RANK];
    uint32_t n;
} extra_dims;

static bool
map_arg(low_ctx *cx, const ast_expr *x, low_bind *b, extra_dims *extra)
{
    uint32_t n = extra->n;
    for (uint32_t i = 0; i < n; i++) {
        if (!extra->ix[i])
            extra->ix[i] = low_new_index(cx, STR("m"), b->shape[i], x->at);
        if (extra->ix[i]->n != b->shape[i]) {
            LOW_REPORT(cx, x->at, D_EXTENT_EXTRA, (long long)b->shape[i],
                       (long long)extra->ix[i]->n);
            diag_note_add(cx->d, extra->ix[i]->at, "extent %lld is here",
                          (long long)extra->ix[i]->n);
            return false;
        }
        b->hidden[b->nhidden++] = extra->ix[i];
    }
    b->rank -= n;
    for (uint32_t i = 0; i < b->rank; i++)
        b->shape[i] = b->shape[i + n];
    return true;
}

static bool
bind_args(low_ctx *cx, low_env *env, const ast_expr *e, low_bind *args,
          extra_dims *extra)
{
    bool ok = true;
    extra->n = e->nextra;
    for (uint32_t i = 0; i < e->fn->nin; i++) {
        const ast_expr *x = e->args.at[i];
        bool is_tensor = x->kind == E_NAME && x->ref == REF_TENSOR;
        if (is_tensor)
            args[i] = env->binds[x->symbol];
        else if (x->rank == 0 && is_cheap(x))
            args[i] = expr_bind(env, x, NULL, e->fn->tensors.at[i]->dtype);
        else
            args[i] = *low_materialise(cx, env, x);
        ok &= args[i].is_set;
        if (ok && x->rank > (int)e->fn->tensors.at[i]->shape.n)
            ok = map_arg(cx, x, &args[i], extra);
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
same_shape(const low_goal *a, const low_goal *b)
{
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i])
            return false;
    return a->rank == b->rank;
}

// Result i of the call, defined in place where the caller's tensor allows it.
static bool
prepare_result(low_ctx *cx, low_env *in, uint32_t i, const low_want *want,
               loc at)
{
    uint32_t symbol = decl_result(in->decl, i);
    const ast_tensor *t = in->decl->tensors.at[symbol];
    const low_goal *to = want ? &want->goals[i] : NULL;
    low_goal *g = &in->goals[symbol];
    *g = (low_goal){.is_declared = true, .dtype = t->dtype, .rank = t->shape.n};
    if (!low_eval_shape(cx, in->dims, t, g->shape))
        return false;
    if (!to || !to->is_declared || (g->rank == 0 && to->rank > 0))
        return true; // a scalar is one value everywhere
    if (!same_shape(g, to)) {
        LOW_REPORT(cx, at, D_SHAPE_MISMATCH,
                   low_shape_text(cx, to->rank, to->shape),
                   low_shape_text(cx, g->rank, g->shape));
        return false;
    }
    if (to->is_target && to->dtype == g->dtype && !in->place.n) {
        g->is_target = true;
        g->tensor = to->tensor;
    }
    return true;
}

static bool
run_body(low_ctx *cx, low_env *env)
{
    loc at = cx->at;
    const char *hint = cx->hint;
    if (cx->depth >= LOWER_MAX_DEPTH) {
        LOW_REPORT(cx, cx->at, D_NESTING, AST_MAX_DEPTH);
        return false;
    }
    cx->depth += 8; // a call takes more of the stack than an expression
    for (uint32_t i = 0; !cx->is_stopped && i < env->decl->body.n; i++)
        low_stmt(cx, env, env->decl->body.at[i]);
    cx->depth -= 8;
    cx->at = at;
    cx->hint = hint;
    return true;
}

// A result over the indices along which the function was applied.
static low_bind
unmap_result(low_ctx *cx, const low_bind *r, const extra_dims *extra)
{
    uint32_t n = extra->n, rank = r->rank + n, first = r->nhidden - n;
    bool has_all = r->nhidden >= n;
    for (uint32_t i = 0; has_all && i < n; i++)
        has_all = r->hidden[first + i] == extra->ix[i];
    if (!r->is_set || !n)
        return *r;
    low_bind b = *r;
    low_goal goal = {.dtype = r->dtype};
    low_end end = low_end_of(cx, &goal);
    if (has_all) {
        b.rank = rank;
        b.nhidden = first;
        for (uint32_t i = 0; i < rank; i++)
            b.shape[i] = i < n ? extra->ix[i]->n : r->shape[i - n];
        return b;
    }
    // It is the same along some of them.
    low_space sp = low_whole_space(cx, r->rank, r->shape);
    const low_index **left = ARENA_ARRAY(cx->a, rank, const low_index *);
    for (uint32_t i = 0; i < rank; i++)
        left[i] = i < n ? extra->ix[i] : sp.left[i - n];
    end.left = left;
    end.nleft = rank;
    low_op *op = low_op_new(cx);
    return low_finish(cx, op, low_read_bind(cx, op, r, sp.pos), &end);
}

// The environment of a call, its arguments bound; NULL after a mistake.
static low_env *
enter_call(low_ctx *cx, low_env *env, const ast_expr *e, extra_dims *extra,
           const low_want *want)
{
    const ast_decl *fn = e->fn;
    low_bind *args = ARENA_ARRAY(cx->a, fn->nin, low_bind);
    const int64_t *dims =
        bind_args(cx, env, e, args, extra) ? solve_call(cx, e, args) : NULL;
    low_env *in = dims ? low_env_new(cx, fn, dims) : NULL;
    if (!in || !find_places(cx, in, args))
        return NULL;
    in->result_hint = want ? want->hints : NULL;
    for (uint32_t i = 0; i < fn->nin; i++)
        in->binds[i] = args[i];
    for (uint32_t i = 0; i < decl_results(fn); i++)
        if (!prepare_result(cx, in, i, extra->n ? NULL : want, e->at))
            return NULL;
    return in;
}

low_bind *
low_call(low_ctx *cx, low_env *env, const ast_expr *e, const low_want *want)
{
    low_bind *r = low_memo_find(env, e);
    if (r)
        return r;
    extra_dims extra = {0};
    low_env *in = enter_call(cx, env, e, &extra, want);
    r = ARENA_ARRAY(cx->a, decl_results(e->fn), low_bind);
    if (in && run_body(cx, in))
        for (uint32_t i = 0; i < decl_results(e->fn); i++)
            r[i] = unmap_result(cx, &in->binds[decl_result(e->fn, i)], &extra);
    low_memo_add(cx, env, e, r);
    return r;
}

uint32_t
low_call_at(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
            const low_aff *pos, uint32_t result)
{
    if (e->fn->is_scalar)
        return call_scalar(cx, op, env, e, pos, result);
    return low_read_bind(cx, op, &low_call(cx, env, e, NULL)[result], pos);
}
