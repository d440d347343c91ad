// SPDX-License-Identifier: Apache-2.0
// Recurrences. The values are lowered like any others; the operations among
// them that depend on a state become a group, evaluated together for one value
// of time after the other, and all others come before it. A state at a time
// before the first is what 'with' gives: the fill of the read where that is one
// constant, else selected.
#include "frontend/lower_int.h"

#include <string.h>

// What a state is at distance 'k' before its first element.
typedef struct {
    int64_t k;
    bool is_constant;
    num_word word;
    low_bind value; // over the other indices, in order
} low_start;

typedef struct {
    const ast_left *left;
    low_bind bind;
    uint32_t time; // subscript
    bool is_done;  // its value has been lowered
    VEC(low_start) starts;
} low_state;

struct low_rec {
    low_env *env;
    const ast_stmt *s;
    const low_index *time;
    bool is_backward;
    low_state *states; // by left side
};

uint32_t
low_time_position(const low_ctx *cx, const low_index *const *ix, uint32_t n)
{
    for (uint32_t i = 0; cx->rec && i < n; i++)
        if (ix[i] == cx->rec->time)
            return i;
    return cx->rec ? UINT32_MAX : 0;
}

static low_state *
find_state(const low_ctx *cx, const low_env *env, const ast_expr *base)
{
    const low_rec *rec = cx->rec;
    if (!rec || rec->env != env || base->kind != E_NAME ||
        base->ref != REF_TENSOR)
        return NULL;
    for (uint32_t i = 0; i < rec->s->lefts.n; i++)
        if (rec->states[i].left->symbol == base->symbol)
            return &rec->states[i];
    return NULL;
}

bool
low_is_state(const low_ctx *cx, const low_env *env, const ast_expr *base)
{
    return find_state(cx, env, base) != NULL;
}

// ---- what comes before -----------------------------------------------------

// The distance before the first element, counted in the recurrence's direction.
static bool
start_distance(low_ctx *cx, low_rec *rec, const low_state *st,
               const ast_with *with, int64_t *k)
{
    const ast_expr *at = with->left->read->args.at[st->time + 1];
    dim_env dims = {cx->d, rec->env->dims, NULL};
    int64_t v;
    if (!dim_eval(&dims, at, &v))
        return false;
    bool is_backward = v >= rec->time->n;
    bool is_first = with == &rec->s->withs.at[0];
    if (is_first)
        rec->is_backward = is_backward;
    *k = is_backward ? v - rec->time->n + 1 : -v;
    if (*k > 0 && *k <= AST_MAX_DEPTH && is_backward == rec->is_backward)
        return true;
    LOW_REPORT(cx, at->at, D_WITH_PLACE, (long long)v,
               STR_ARG(rec->time->name));
    return false;
}

static void
set_constant(low_start *start, num_dtype dtype, const tir_node *n)
{
    unsigned char cell[8];
    num_env env = num_env_enter();
    num_store(dtype, cell, n->as, n->imm);
    start->word = num_load(dtype, cell);
    num_env_leave(env);
    start->is_constant = true;
}

// The start as a tensor over the other indices.
static low_bind
finish_start(low_ctx *cx, const low_rec *rec, const low_state *st, low_op *op,
             uint32_t root)
{
    low_end end = {.hint = arena_printf(cx->a, "%s_start", cx->hint),
                   .dtype = st->bind.dtype};
    const low_index **left =
        ARENA_ARRAY(cx->a, st->bind.rank, const low_index *);
    for (uint32_t i = 0; i < st->bind.rank; i++)
        if (i != st->time)
            left[end.nleft++] = rec->env->index[st->left->left.at[i]->slot];
    end.left = left;
    return low_finish(cx, op, root, &end);
}

static bool
lower_start(low_ctx *cx, low_rec *rec, low_state *st, const ast_with *with)
{
    low_start start = {0};
    if (!start_distance(cx, rec, st, with, &start.k))
        return false;
    low_op *op = low_op_new(cx);
    uint32_t root = low_expr(cx, op, rec->env, with->value, NULL,
                             num_widened(st->bind.dtype));
    if (!root)
        return false;
    if (op->op.nodes.at[root].kind == TIR_N_CONST) {
        set_constant(&start, st->bind.dtype, &op->op.nodes.at[root]);
    } else {
        start.value = finish_start(cx, rec, st, op, root);
    }
    vec_push(cx->a, &st->starts, start);
    return start.is_constant || start.value.is_set;
}

static low_state *
state_named(const low_rec *rec, uint32_t symbol)
{
    for (uint32_t i = 0; i < rec->s->lefts.n; i++)
        if (rec->states[i].left->symbol == symbol)
            return &rec->states[i];
    return NULL;
}

static bool
lower_starts(low_ctx *cx, low_rec *rec)
{
    bool ok = true;
    for (uint32_t i = 0; i < rec->s->withs.n; i++) {
        const ast_with *with = &rec->s->withs.at[i];
        low_state *st = state_named(rec, with->left->symbol);
        ok &= lower_start(cx, rec, st, with);
    }
    return ok;
}

static low_start *
start_at(const low_state *st, int64_t k)
{
    for (uint32_t i = 0; i < st->starts.n; i++)
        if (st->starts.at[i].k == k)
            return &st->starts.at[i];
    return NULL;
}

// ---- reads of a state ------------------------------------------------------

// How far before the present the read is; negative: not at a constant distance.
static int64_t
distance_of(const low_rec *rec, const low_state *st, const low_subs *subs)
{
    const low_aff *x = &subs->aff[st->time];
    bool has_time = false;
    if (subs->dyn[st->time])
        return -1;
    for (uint32_t i = 0; i < x->n; i++) {
        if (!x->term[i].k)
            continue;
        if (x->term[i].ix != rec->time || x->term[i].k != 1)
            return -1;
        has_time = true;
    }
    if (!has_time)
        return -1;
    return rec->is_backward ? x->c : -x->c;
}

// Every start that the read can meet is there; 'same' if they are one constant.
static bool
check_starts(low_ctx *cx, const low_state *st, const ast_expr *e, int64_t dist,
             bool *same)
{
    const low_rec *rec = cx->rec;
    *same = true;
    for (int64_t k = 1; k <= dist; k++) {
        const low_start *start = start_at(st, k);
        if (!start) {
            int64_t v = rec->is_backward ? rec->time->n - 1 + k : -k;
            LOW_REPORT(cx, e->at, D_STATE_NO_START, (long long)v,
                       STR_ARG(st->left->name.s));
            return false;
        }
        const low_start *first = start_at(st, 1);
        *same &= start->is_constant && start->word == first->word;
    }
    return true;
}

static bool
check_others(low_ctx *cx, const low_op *op, const low_state *st,
             const ast_expr *e, const low_subs *subs, bool *is_filled)
{
    sub_status worst = SUB_INSIDE;
    *is_filled = e->fill && subs->is_gather;
    for (uint32_t i = 0; i < st->bind.rank; i++) {
        if (i == st->time)
            continue;
        sub_status now = low_sub_range(cx, op, e, i, subs, st->bind.shape[i]);
        worst = now > worst ? now : worst;
    }
    *is_filled |= worst == SUB_FILLED;
    return worst != SUB_WRONG;
}

// A constant is a tensor, too, where the other subscripts may be outside it.
static bool
need_value(low_ctx *cx, const low_state *st, low_start *start)
{
    if (!start->value.is_set) {
        low_op *op = low_op_new(cx);
        uint32_t root = tir_const(cx->fn, &op->op, num_widened(st->bind.dtype),
                                  start->word);
        start->value = finish_start(cx, cx->rec, st, op, root);
    }
    return start->value.is_set;
}

// The start at the other subscripts of the read.
static uint32_t
start_node(low_ctx *cx, low_op *op, const low_state *st, low_start *start,
           const low_subs *subs, const tir_read *like)
{
    num_as as = num_widened(st->bind.dtype);
    low_subs *rest = ARENA_NEW(cx->a, low_subs);
    uint32_t n = 0;
    tir_read r;
    if (start->is_constant && !like->has_fill)
        return tir_const(cx->fn, &op->op, as, start->word);
    if (!need_value(cx, st, start))
        return 0;
    for (uint32_t i = 0; i < st->bind.rank; i++) {
        if (i == st->time)
            continue;
        rest->aff[n] = subs->aff[i];
        rest->dyn[n++] = subs->dyn[i];
    }
    if (!low_tir_read(cx, op, &start->value, rest, &r))
        return 0;
    r.has_fill = like->has_fill;
    r.fill = like->fill;
    return tir_gather(cx->fn, &op->op, &r);
}

// Before the first element, the start at the distance that time gives.
static uint32_t
select_start(low_ctx *cx, low_op *op, const low_state *st, int64_t dist,
             const low_subs *subs, const tir_read *like, uint32_t node)
{
    const low_rec *rec = cx->rec;
    low_aff t = low_aff_of(rec->time);
    tir_aff aff;
    if (!low_to_tir(cx, op, &t, &aff))
        return 0;
    for (int64_t k = 1; k <= dist; k++) {
        int64_t v = rec->is_backward ? rec->time->n - 1 + k - dist : dist - k;
        uint32_t x = start_node(cx, op, st, start_at(st, k), subs, like);
        uint32_t now = tir_affine(cx->fn, &op->op, &aff);
        uint32_t at =
            tir_const(cx->fn, &op->op, NUM_AS_I32, (num_word)(uint64_t)v);
        if (!x)
            return 0;
        at = tir_binary(cx->fn, &op->op, NUM_EQ, now, at);
        node = tir_select(cx->fn, &op->op, at, x, node);
    }
    return node;
}

static uint32_t
report_order(low_ctx *cx, const low_state *st, const ast_expr *e)
{
    LOW_REPORT(cx, e->at, D_STATE_ORDER, STR_ARG(st->left->name.s),
               STR_ARG(cx->rec->time->name));
    return 0;
}

uint32_t
low_state_read(low_ctx *cx, low_op *op, const ast_expr *e, const low_subs *subs)
{
    const low_rec *rec = cx->rec;
    const low_state *st = find_state(cx, rec->env, e->args.at[0]);
    int64_t dist = distance_of(rec, st, subs);
    num_as as = num_widened(st->bind.dtype);
    tir_read r, like = {.tensor = 0};
    bool same;
    if (dist < 0) {
        LOW_REPORT(cx, e->args.at[st->time + 1]->at, D_STATE_DISTANCE,
                   STR_ARG(st->left->name.s), STR_ARG(rec->time->name));
        return 0;
    }
    if (dist == 0 && !st->is_done)
        return report_order(cx, st, e);
    if (!check_starts(cx, st, e, dist, &same) ||
        !check_others(cx, op, st, e, subs, &like.has_fill) ||
        (like.has_fill &&
         !low_fill_word(cx, rec->env, e->fill, as, &like.fill)) ||
        !low_tir_read(cx, op, &st->bind, subs, &r))
        return 0;
    bool is_fill = same && dist > 0 && !like.has_fill;
    r.has_fill = dist > 0 || like.has_fill;
    r.fill = is_fill ? start_at(st, 1)->word : like.fill;
    uint32_t node = tir_gather(cx->fn, &op->op, &r);
    if (dist == 0 || is_fill)
        return node;
    return select_start(cx, op, st, dist, subs, &like, node);
}

// ---- the group -------------------------------------------------------------

static bool
reads_any(const tir_op *op, const bool *tensors)
{
    for (uint32_t i = 0; i < op->reads.n; i++)
        if (tensors[op->reads.at[i].tensor])
            return true;
    if (op->kind == TIR_SORT || op->kind == TIR_RESHAPE)
        return tensors[op->src];
    return op->kind == TIR_SCATTER && op->init != TIR_ABSENT &&
           tensors[op->init];
}

// Marks the operations from 'first' on that depend on a state whose own
// operation does.
static bool *
find_members(low_ctx *cx, const low_rec *rec, uint32_t first)
{
    uint32_t n = cx->fn->ops.n;
    bool *is_member = ARENA_ARRAY(cx->a, n, bool);
    bool *states = ARENA_ARRAY(cx->a, cx->fn->tensors.n, bool);
    bool *depends = ARENA_ARRAY(cx->a, cx->fn->tensors.n, bool);
    for (uint32_t i = 0; i < rec->s->lefts.n; i++)
        states[rec->states[i].bind.tensor] = true;
    for (bool changed = true; changed;) {
        changed = false;
        memcpy(depends, states, cx->fn->tensors.n * sizeof *states);
        for (uint32_t o = first; o < n; o++) {
            const tir_op *op = &cx->fn->ops.at[o];
            is_member[o] = reads_any(op, depends);
            if (is_member[o]) {
                depends[op->out] = true;
            } else if (states[op->out]) {
                states[op->out] = false; // an ordinary tensor after all
                changed = true;
            }
        }
    }
    return is_member;
}

static bool
check_member(low_ctx *cx, const low_rec *rec, const tir_op *op)
{
    if (op->kind == TIR_MAP && op->time != UINT32_MAX && !op->group)
        return true;
    LOW_REPORT(cx, op->at, D_RECUR_BODY, STR_ARG(rec->states[0].left->name.s),
               STR_ARG(rec->time->name));
    return false;
}

static void
make_group(low_ctx *cx, const low_rec *rec, uint32_t first)
{
    uint32_t n = cx->fn->ops.n, to = first;
    const bool *is_member = find_members(cx, rec, first);
    uint32_t group = tir_new_group(cx->fn);
    tir_op *old = ARENA_ARRAY(cx->a, n - first, tir_op);
    memcpy(old, cx->fn->ops.at + first, (n - first) * sizeof *old);
    for (uint32_t o = first; o < n; o++)
        if (!is_member[o])
            cx->fn->ops.at[to++] = old[o - first];
    for (uint32_t o = first; o < n; o++) {
        if (!is_member[o])
            continue;
        tir_op *op = &cx->fn->ops.at[to++];
        *op = old[o - first];
        if (!check_member(cx, rec, op))
            return;
        op->group = group;
        op->backward = rec->is_backward;
    }
    for (uint32_t o = first; o < n; o++)
        if (!cx->fn->ops.at[o].group)
            cx->fn->ops.at[o].time = 0;
}

// ---- the statement ---------------------------------------------------------

static bool
new_state(low_ctx *cx, low_rec *rec, uint32_t i, low_goal *goal)
{
    low_state *st = &rec->states[i];
    const ast_left *l = rec->s->lefts.at[i];
    low_bind *b = &st->bind;
    *goal = low_goal_of(rec->env, rec->s, l);
    st->left = l;
    b->dtype = goal->dtype;
    b->rank = l->left.n;
    for (uint32_t x = 0; x < b->rank; x++) {
        b->shape[x] = rec->env->index[l->left.at[x]->slot]->n;
        if (l->left.at[x] == rec->s->time)
            st->time = x;
    }
    const low_indices_list *place = &rec->env->place;
    for (uint32_t x = 0; x < place->n && x < TIR_RANK; x++)
        b->hidden[b->nhidden++] = place->at[x];
    b->tensor = goal->tensor;
    b->is_set = true;
    if (!goal->is_target && !low_new_temp(cx, str_z(cx->a, l->name.s), b))
        return false;
    goal->tensor = b->tensor;
    goal->is_target = true;
    return true;
}

static bool
lower_value(low_ctx *cx, low_rec *rec, uint32_t i, const low_goal *goal)
{
    const ast_left *l = rec->s->lefts.at[i];
    low_end end = low_end_of(cx, goal);
    const low_index **left = ARENA_ARRAY(cx->a, l->left.n, const low_index *);
    for (uint32_t x = 0; x < l->left.n; x++)
        left[x] = rec->env->index[l->left.at[x]->slot];
    end.left = left;
    end.nleft = l->left.n;
    end.place = &rec->env->place;
    const ast_expr *e = rec->s->values.at[i];
    if (e->kind == E_REDUCE)
        return low_reduce(cx, rec->env, e, end).is_set;
    low_op *op = low_op_new(cx);
    uint32_t root =
        low_expr(cx, op, rec->env, e, NULL, num_widened(goal->dtype));
    return low_finish(cx, op, root, &end).is_set;
}

static bool
lower_values(low_ctx *cx, low_rec *rec, const low_goal *goals)
{
    bool ok = true;
    for (uint32_t i = 0; i < rec->s->lefts.n; i++) {
        ok &= lower_value(cx, rec, i, &goals[i]);
        rec->states[i].is_done = true;
    }
    return ok;
}

void
low_recurrence(low_ctx *cx, low_env *env, const ast_stmt *s)
{
    uint32_t n = s->lefts.n;
    low_rec rec = {.env = env, .s = s, .time = env->index[s->time->slot]};
    low_goal *goals = ARENA_ARRAY(cx->a, n, low_goal);
    low_rec *outer = cx->rec;
    bool ok = true;
    rec.states = ARENA_ARRAY(cx->a, n, low_state);
    for (uint32_t i = 0; i < n; i++)
        ok &= new_state(cx, &rec, i, &goals[i]);
    ok = ok && lower_starts(cx, &rec);
    uint32_t first = cx->fn->ops.n;
    cx->rec = &rec;
    ok = ok && lower_values(cx, &rec, goals);
    cx->rec = outer;
    if (ok)
        make_group(cx, &rec, first);
    for (uint32_t i = 0; i < n; i++)
        env->binds[s->lefts.at[i]->symbol] =
            ok ? rec.states[i].bind : (low_bind){0};
}
