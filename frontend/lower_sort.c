// SPDX-License-Identifier: Apache-2.0
// Sorts: an operation each for the values and for the positions, as far as they
// are wanted.
#include "frontend/lower_int.h"

// How many elements stay along the axis.
static bool
sorted_extent(low_ctx *cx, const low_env *env, const ast_expr *e,
              int64_t extent, int64_t *out)
{
    bool is_top = str_eq_z(e->name.s, "topk");
    dim_env dims = {cx->d, env->dims, NULL};
    *out = extent;
    if (!is_top)
        return true;
    if (!dim_eval(&dims, e->args.at[1], out))
        return false;
    if (*out >= 0 && *out <= extent)
        return true;
    LOW_REPORT(cx, e->args.at[1]->at, D_TOPK_COUNT, (long long)*out,
               (long long)extent);
    return false;
}

bool
low_sort_shape(low_ctx *cx, low_env *env, const ast_expr *e, int64_t *shape)
{
    return low_shape(cx, env, e->args.at[0], shape) &&
           sorted_extent(cx, env, e, shape[e->value], &shape[e->value]);
}

static bool
is_goal(const low_goal *goal, const low_bind *b)
{
    bool same = goal->is_target && goal->dtype == b->dtype && !b->nhidden &&
                goal->rank == b->rank;
    for (uint32_t i = 0; same && i < b->rank; i++)
        same = goal->shape[i] == b->shape[i];
    return same;
}

static low_bind
sort_op(low_ctx *cx, const low_bind *src, const ast_expr *e, int64_t extent,
        bool positions, const low_goal *goal)
{
    low_bind b = *src;
    const char *hint =
        arena_printf(cx->a, "%s_%s", cx->hint, positions ? "places" : "sorted");
    b.dtype = positions ? DT_I32 : src->dtype;
    b.shape[e->value] = extent;
    if (goal && is_goal(goal, &b))
        b.tensor = goal->tensor;
    else if (!low_new_temp(cx, hint, &b))
        return (low_bind){0};
    tir_op *op = tir_add_sort(cx->fn, b.tensor, src->tensor,
                              src->nhidden + (uint32_t)e->value,
                              e->is_descending, positions);
    op->time = low_time_position(cx, NULL, 0);
    op->at = cx->at;
    return b;
}

low_bind *
low_sort(low_ctx *cx, low_env *env, const ast_expr *e, const low_goal *goals)
{
    low_bind *r = low_memo_find(env, e);
    if (r)
        return r;
    bool is_top = str_eq_z(e->name.s, "topk");
    const low_bind *src = low_materialise(cx, env, e->args.at[0]);
    int64_t extent;
    r = ARENA_ARRAY(cx->a, 2, low_bind);
    if (src->is_set &&
        sorted_extent(cx, env, e, src->shape[e->value], &extent)) {
        if (!e->is_arg)
            r[0] = sort_op(cx, src, e, extent, false, goals);
        if (e->is_arg || is_top)
            r[1] = sort_op(cx, src, e, extent, true,
                           goals ? &goals[is_top] : NULL);
    }
    low_memo_add(cx, env, e, r);
    return r;
}
