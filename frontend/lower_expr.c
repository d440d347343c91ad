// SPDX-License-Identifier: Apache-2.0
// Expressions to nodes of the operation being built.
#include "frontend/lower_int.h"

low_bind *
low_memo_find(const low_env *env, const ast_expr *e)
{
    for (uint32_t i = env->memo.n; i-- > 0;)
        if (env->memo.at[i].e == e)
            return env->memo.at[i].binds;
    return NULL;
}

void
low_memo_add(low_ctx *cx, low_env *env, const ast_expr *e, low_bind *b)
{
    vec_push(cx->a, &env->memo, (low_memo){e, b});
}

// ---- names -----------------------------------------------------------------

static uint32_t
read_tensor(low_ctx *cx, low_op *op, const low_bind *b, const low_aff *pos)
{
    low_subs subs = {.is_gather = false};
    tir_read r;
    for (uint32_t i = 0; i < b->rank; i++)
        subs.aff[i] = pos[i];
    return low_tir_read(cx, op, b, &subs, &r)
               ? tir_read_node(cx->fn, &op->op, &r)
               : 0;
}

static uint32_t
read_value(low_ctx *cx, low_op *op, const low_bind *b)
{
    const uint32_t *done = map_get_u64(&op->memo, (uintptr_t)b);
    if (done)
        return *done;
    uint32_t node =
        low_expr(cx, op, b->env, b->e, b->pos, num_widened(b->dtype));
    if (node && !b->e->is_literal && b->dtype != b->e->dtype)
        node = tir_cast(cx->fn, &op->op, b->dtype, node);
    map_put_u64(&op->memo, (uintptr_t)b, node);
    return node;
}

uint32_t
low_read_bind(low_ctx *cx, low_op *op, const low_bind *b, const low_aff *pos)
{
    if (!b->is_set)
        return 0;
    return b->is_expr ? read_value(cx, op, b) : read_tensor(cx, op, b, pos);
}

static uint32_t
lower_name(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
           const low_aff *pos)
{
    if (e->ref == REF_TENSOR)
        return low_read_bind(cx, op, &env->binds[e->symbol], pos);
    if (e->ref == REF_CONST)
        return tir_const(cx->fn, &op->op, type_as(e), e->word);
    low_aff x = low_aff_of(env->index[e->index->slot]);
    tir_aff aff;
    return low_to_tir(cx, op, &x, &aff) ? tir_affine(cx->fn, &op->op, &aff) : 0;
}

// ---- operators -------------------------------------------------------------

// Operand i of e at the position of e: ranks align at the last dimension.
static uint32_t
operand(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e, uint32_t i,
        const low_aff *pos)
{
    const ast_expr *x = e->args.at[i];
    const low_aff *at = x->rank ? pos + (e->rank - x->rank) : NULL;
    return low_expr(cx, op, env, x, at, e->operand);
}

static uint32_t
lower_unary(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
            const low_aff *pos)
{
    uint32_t x = operand(cx, op, env, e, 0, pos);
    return x ? tir_unary(cx->fn, &op->op, e->func1, x) : 0;
}

static uint32_t
lower_binary(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
             const low_aff *pos)
{
    uint32_t x = operand(cx, op, env, e, 0, pos);
    uint32_t y = operand(cx, op, env, e, 1, pos);
    return x && y ? tir_binary(cx->fn, &op->op, e->func2, x, y) : 0;
}

static uint32_t
lower_select(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
             const low_aff *pos)
{
    uint32_t c = operand(cx, op, env, e, 0, pos);
    uint32_t x = operand(cx, op, env, e, 1, pos);
    uint32_t y = operand(cx, op, env, e, 2, pos);
    return c && x && y ? tir_select(cx->fn, &op->op, c, x, y) : 0;
}

static uint32_t
lower_cast(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
           const low_aff *pos)
{
    uint32_t x = operand(cx, op, env, e, 0, pos);
    if (!x || e->args.at[0]->dtype == e->dtype)
        return x; // the value has the type already
    return tir_cast(cx->fn, &op->op, e->dtype, x);
}

static uint32_t
lower_call(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
           const low_aff *pos)
{
    switch (e->call) {
    case CALL_NONE: return 0;
    case CALL_CAST: return lower_cast(cx, op, env, e, pos);
    case CALL_SELECT: return lower_select(cx, op, env, e, pos);
    case CALL_UNARY: return lower_unary(cx, op, env, e, pos);
    case CALL_BINARY: return lower_binary(cx, op, env, e, pos);
    case CALL_FN: return low_call_at(cx, op, env, e, pos, 0);
    case CALL_SORT:
        return low_read_bind(cx, op, &low_sort(cx, env, e, NULL)[e->is_arg],
                             pos);
    }
    return 0;
}

static uint32_t
lower_any(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
          const low_aff *pos)
{
    switch (e->kind) {
    case E_POISON:
    case E_INT: return 0; // an integer is a literal
    case E_FLOAT: return tir_const(cx->fn, &op->op, NUM_AS_F32, e->word);
    case E_NAME: return lower_name(cx, op, env, e, pos);
    case E_UNARY: return lower_unary(cx, op, env, e, pos);
    case E_BINARY: return lower_binary(cx, op, env, e, pos);
    case E_MATMUL: return low_matmul_at(cx, op, env, e, pos);
    case E_SUBSCRIPT: return low_subscript(cx, op, env, e);
    case E_CALL: return lower_call(cx, op, env, e, pos);
    case E_REDUCE: return low_reduce_at(cx, op, env, e);
    }
    return 0;
}

uint32_t
low_expr(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
         const low_aff *pos, num_as want)
{
    if (!low_step(cx, e->at))
        return 0;
    if (e->is_literal)
        return low_literal(cx, op, env, e, want);
    if (cx->depth >= LOWER_MAX_DEPTH) {
        LOW_REPORT(cx, cx->at, D_NESTING, AST_MAX_DEPTH);
        return 0;
    }
    cx->depth++;
    uint32_t node = lower_any(cx, op, env, e, pos);
    cx->depth--;
    return node;
}
