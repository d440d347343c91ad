// SPDX-License-Identifier: Apache-2.0
// Scatters. A tensor that exists starts as it is; one of a narrow type is
// combined in the type of its registers and stored once.
#include "frontend/lower_int.h"

// The statement's indices: the first ones of its list.
static void
set_space(low_ctx *cx, const low_env *env, const ast_stmt *s, low_end *end)
{
    const low_index **left = ARENA_ARRAY(cx->a, s->nindices, const low_index *);
    for (uint32_t i = 0; i < s->nindices; i++)
        left[i] = env->index[s->indices.at[i]->slot];
    end->left = left;
    end->nleft = s->nindices;
    end->reduce = s->step;
    end->place = &env->place;
}

static bool
has_place(const low_bind *b, const low_indices_list *place)
{
    bool same = b->nhidden == place->n;
    for (uint32_t i = 0; same && i < place->n; i++)
        same = b->hidden[i] == place->at[i];
    return same;
}

// What the tensor starts as, of the type 'dtype' and over all hidden indices;
// not set if it starts from the identity.
static bool
find_start(low_ctx *cx, const low_env *env, const low_bind *now,
           num_dtype dtype, low_bind *start)
{
    *start = *now;
    if (!now->is_set || (now->dtype == dtype && has_place(now, &env->place)))
        return true;
    low_goal goal = {.dtype = dtype};
    low_end end = low_end_of(cx, &goal);
    low_space sp = low_whole_space(cx, now->rank, now->shape);
    end.left = sp.left;
    end.nleft = sp.nleft;
    end.place = &env->place;
    end.hint = arena_printf(cx->a, "%s_start", cx->hint);
    low_op *op = low_op_new(cx);
    *start = low_finish(cx, op, low_read_bind(cx, op, now, sp.pos), &end);
    return start->is_set;
}

// The tensor that is scattered into: the goal's if it has the type.
static bool
new_target(low_ctx *cx, const low_env *env, const low_goal *goal,
           const low_end *end, low_bind *to)
{
    to->dtype = end->dtype;
    for (uint32_t i = 0; i < env->place.n; i++) {
        if (i == TIR_RANK) {
            LOW_REPORT(cx, cx->at, D_LOCAL_RANK, TIR_RANK);
            return false;
        }
        to->hidden[to->nhidden++] = env->place.at[i];
    }
    to->tensor = goal->tensor;
    to->is_set = end->is_target;
    return end->is_target || low_new_temp(cx, end->hint, to);
}

static bool
target_subs(low_ctx *cx, low_op *op, low_env *env, const ast_stmt *s,
            const low_bind *to)
{
    low_subs *subs = ARENA_NEW(cx->a, low_subs);
    const ast_expr *e = s->lefts.at[0]->read;
    bool ok = low_subs_of(cx, op, env, e, subs);
    cx->target = e;
    subs->is_guarded = s->guard != NULL;
    for (uint32_t i = 0; ok && i < to->rank; i++)
        ok = low_sub_range(cx, op, e, i, subs, to->shape[i]) != SUB_WRONG;
    cx->target = NULL;
    return ok && low_tir_read(cx, op, to, subs, &op->op.target);
}

static low_bind
scatter(low_ctx *cx, low_env *env, const ast_stmt *s, const low_end *end,
        const low_bind *to, const low_bind *start)
{
    low_op *op = low_op_new(cx);
    const ast_expr *value = s->values.at[0];
    num_as as = num_widened(end->dtype);
    op->op.init = start->is_set ? start->tensor : TIR_ABSENT;
    if (!target_subs(cx, op, env, s, to))
        return (low_bind){0};
    uint32_t root = low_expr(cx, op, env, value, NULL, as);
    uint32_t guard = 0;
    if (s->guard)
        guard = low_expr(cx, op, env, s->guard, NULL, NUM_AS_BOOL);
    if (!root || (s->guard && !guard))
        return (low_bind){0};
    bool is_true = guard && op->op.nodes.at[guard].kind == TIR_N_CONST &&
                   op->op.nodes.at[guard].imm;
    op->op.guard = is_true ? 0 : guard;
    return low_finish_scatter(cx, op, root, end, to);
}

low_bind
low_scatter(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    const ast_left *l = s->lefts.at[0];
    low_goal goal = low_goal_of(env, s, l);
    low_bind *now = &env->binds[l->symbol];
    low_end end = low_end_of(cx, &goal);
    low_bind start, to = {.rank = (uint32_t)l->read->args.n - 1};
    set_space(cx, env, s, &end);
    if (s->step != NUM_R_NONE)
        end.dtype = type_full(num_widened(goal.dtype));
    end.is_target = goal.is_target && end.dtype == goal.dtype;
    if (!low_name_shape(env, l->symbol, to.shape) ||
        !find_start(cx, env, now, end.dtype, &start) ||
        !new_target(cx, env, &goal, &end, &to))
        return (low_bind){0};
    to = scatter(cx, env, s, &end, &to, &start);
    if (!to.is_set || end.dtype == goal.dtype)
        return to;
    return low_copy(cx, &to, &goal);
}
