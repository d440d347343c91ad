// SPDX-License-Identifier: Apache-2.0
// Environments: one instance of a declaration at concrete extents, and what the
// tensors it defines are to become.
#include "frontend/lower_int.h"

static bool
eval_lets(low_ctx *cx, const ast_decl *decl, int64_t *value)
{
    dim_env env = {cx->d, value, NULL};
    for (uint32_t i = 0; i < decl->lets.n; i++)
        if (!dim_eval(&env, decl->lets.at[i].value, &value[decl->dims.n + i]))
            return false;
    return true;
}

static bool
declare_locals(low_ctx *cx, low_env *env)
{
    const ast_decl *decl = env->decl;
    for (uint32_t i = decl->nin + decl->nres; i < decl->tensors.n; i++) {
        const ast_tensor *t = decl->tensors.at[i];
        low_goal *g = &env->goals[i];
        if (!t->is_declared)
            continue;
        *g = (low_goal){
            .is_declared = true, .dtype = t->dtype, .rank = t->shape.n};
        if (!low_eval_shape(cx, env->dims, t, g->shape) ||
            !low_check_size(cx, t->name.at, t->name.s, t->dtype, g->rank,
                            g->shape))
            return false;
    }
    return true;
}

low_env *
low_env_new(low_ctx *cx, const ast_decl *decl, const int64_t *dims)
{
    low_env *env = ARENA_NEW(cx->a, low_env);
    int64_t *value =
        ARENA_ARRAY(cx->a, decl->dims.n + decl->lets.n + 1, int64_t);
    for (uint32_t i = 0; dims && i < decl->dims.n; i++)
        value[i] = dims[i];
    env->decl = decl;
    env->dims = value;
    env->binds = ARENA_ARRAY(cx->a, decl->tensors.n, low_bind);
    env->goals = ARENA_ARRAY(cx->a, decl->tensors.n, low_goal);
    env->index = ARENA_ARRAY(cx->a, decl->nindices, low_index *);
    bool ok = eval_lets(cx, decl, value) && declare_locals(cx, env);
    return ok ? env : NULL;
}

// All but the last statement that defines a tensor define a temp.
low_goal
low_goal_of(const low_env *env, const ast_stmt *s, const ast_left *left)
{
    const ast_tensor *t = env->decl->tensors.at[left->symbol];
    low_goal g = env->goals[left->symbol];
    if (!g.is_declared)
        g.dtype = t->dtype;
    if (t->last != s)
        g.is_target = false;
    return g;
}

low_end
low_end_of(const low_ctx *cx, const low_goal *goal)
{
    return (low_end){.hint = cx->hint,
                     .dtype = goal->dtype,
                     .tensor = goal->tensor,
                     .is_target = goal->is_target};
}

bool
low_name_shape(const low_env *env, uint32_t symbol, int64_t *shape)
{
    const low_bind *b = &env->binds[symbol];
    const low_goal *g = &env->goals[symbol];
    if (!b->is_set && !g->is_declared)
        return false;
    for (uint32_t i = 0; i < (b->is_set ? b->rank : g->rank); i++)
        shape[i] = b->is_set ? b->shape[i] : g->shape[i];
    return true;
}
