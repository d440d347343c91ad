// SPDX-License-Identifier: Apache-2.0
// Reductions and matrix products: each is an operation of its own. A filter
// becomes a select with the reduction's identity; argmax becomes the maximum
// and then the least index that attains it.
#include "frontend/lower_int.h"

#include <string.h>

static const low_index *const *
binders_of(low_ctx *cx, const low_env *env, const ast_expr *e)
{
    const low_index **red = ARENA_ARRAY(cx->a, e->binders.n, const low_index *);
    for (uint32_t i = 0; i < e->binders.n; i++)
        red[i] = env->index[e->binders.at[i]->slot];
    return red;
}

static uint32_t
lower_filtered(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
               uint32_t x, num_reduce reduce, num_as as)
{
    if (!x || !e->filter)
        return x;
    uint32_t c = low_expr(cx, op, env, e->filter, NULL, NUM_AS_BOOL);
    uint32_t none =
        tir_const(cx->fn, &op->op, as, num_reduce_identity(reduce, as));
    return c ? tir_select(cx->fn, &op->op, c, x, none) : 0;
}

static low_bind
reduce_values(low_ctx *cx, low_env *env, const ast_expr *e, low_end end)
{
    low_op *op = low_op_new(cx);
    uint32_t x = low_expr(cx, op, env, e->args.at[0], NULL, e->operand);
    x = lower_filtered(cx, op, env, e, x, e->reduce, e->operand);
    end.red = binders_of(cx, env, e);
    end.nred = e->binders.n;
    end.reduce = e->reduce;
    return low_finish(cx, op, x, &end);
}

// ---- argmax, argmin --------------------------------------------------------

// The value of the only index, or the row-major position among several.
static uint32_t
lower_position(low_ctx *cx, low_op *op, const low_end *end)
{
    low_aff at = {0};
    tir_aff aff;
    int64_t stride = 1;
    for (uint32_t i = end->nred; i-- > 0;) {
        low_aff x = low_aff_of(end->red[i]);
        if (end->nred > 1)
            x.c = -end->red[i]->lo;
        if (!low_aff_add(cx, &at, stride, &x, cx->at))
            return 0;
        if (!mul_i64(stride, end->red[i]->n, &stride)) {
            low_overflow(cx, cx->at);
            return 0;
        }
    }
    return low_to_tir(cx, op, &at, &aff) ? tir_affine(cx->fn, &op->op, &aff)
                                         : 0;
}

// Whether x is the best value; NaN is the best there is, and unequal to itself.
static uint32_t
lower_is_best(low_ctx *cx, low_op *op, uint32_t x, uint32_t best, num_as as)
{
    tir_fn *fn = cx->fn;
    uint32_t same = tir_binary(fn, &op->op, NUM_EQ, x, best);
    if (as != NUM_AS_F32)
        return same;
    uint32_t both =
        tir_binary(fn, &op->op, NUM_AND, tir_unary(fn, &op->op, NUM_ISNAN, x),
                   tir_unary(fn, &op->op, NUM_ISNAN, best));
    return tir_binary(fn, &op->op, NUM_OR, same, both);
}

static bool
is_empty_range(low_ctx *cx, const ast_expr *e, const low_index *const *red)
{
    for (uint32_t i = 0; i < e->binders.n; i++) {
        if (red[i]->n)
            continue;
        LOW_REPORT(cx, e->at, D_ARG_EMPTY,
                   arena_printf(cx->a, "%.*s", STR_ARG(e->name.s)));
        return true;
    }
    return false;
}

static low_bind
reduce_positions(low_ctx *cx, low_env *env, const ast_expr *e, low_end end)
{
    end.red = binders_of(cx, env, e);
    end.nred = e->binders.n;
    end.reduce = NUM_R_MIN;
    if (is_empty_range(cx, e, end.red))
        return (low_bind){0};
    low_end first = {.hint = arena_printf(cx->a, "%s_best", cx->hint),
                     .dtype = type_full(e->operand)};
    low_bind best = reduce_values(cx, env, e, first);
    low_op *op = low_op_new(cx);
    uint32_t x = low_expr(cx, op, env, e->args.at[0], NULL, e->operand);
    uint32_t m = low_read_bind(cx, op, &best, NULL);
    uint32_t at = lower_position(cx, op, &end);
    if (!x || !m || !at)
        return (low_bind){0};
    uint32_t is_best = lower_is_best(cx, op, x, m, e->operand);
    uint32_t none = tir_const(cx->fn, &op->op, NUM_AS_I32,
                              num_reduce_identity(NUM_R_MIN, NUM_AS_I32));
    at = tir_select(cx->fn, &op->op, is_best, at, none);
    at = lower_filtered(cx, op, env, e, at, NUM_R_MIN, NUM_AS_I32);
    return low_finish(cx, op, at, &end);
}

low_bind
low_reduce(low_ctx *cx, low_env *env, const ast_expr *e, low_end end)
{
    return e->is_arg ? reduce_positions(cx, env, e, end)
                     : reduce_values(cx, env, e, end);
}

static const char *
hint_of(low_ctx *cx, str what)
{
    return arena_printf(cx->a, "%s_%.*s", cx->hint, STR_ARG(what));
}

uint32_t
low_reduce_at(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e)
{
    low_bind *b = low_memo_find(env, e);
    if (!b) {
        low_end end = {.hint = hint_of(cx, e->name.s), .dtype = e->dtype};
        b = ARENA_NEW(cx->a, low_bind);
        *b = low_reduce(cx, env, e, end);
        low_memo_add(cx, env, e, b);
    }
    return low_read_bind(cx, op, b, NULL);
}

// ---- matrix products -------------------------------------------------------

// Subscripts of both operands for element 'pos' of the product.
static void
matmul_subs(const ast_expr *e, const low_aff *pos, const low_index *k,
            low_aff *sx, low_aff *sy)
{
    uint32_t rx = (uint32_t)e->args.at[0]->rank;
    uint32_t ry = (uint32_t)e->args.at[1]->rank;
    uint32_t bx = rx > 2 ? rx - 2 : 0, by = ry > 2 ? ry - 2 : 0;
    uint32_t batch = bx > by ? bx : by, n = batch;
    for (uint32_t i = 0; i < bx; i++)
        sx[i] = pos[batch - bx + i];
    for (uint32_t i = 0; i < by; i++)
        sy[i] = pos[batch - by + i];
    if (rx > 1)
        sx[rx - 2] = pos[n++];
    if (ry > 1)
        sy[ry - 1] = pos[n++];
    sx[rx - 1] = low_aff_of(k);
    sy[ry > 1 ? ry - 2 : 0] = low_aff_of(k);
}

low_bind
low_matmul(low_ctx *cx, low_env *env, const ast_expr *e, const low_aff *pos,
           low_end end)
{
    const ast_expr *x = e->args.at[0], *y = e->args.at[1];
    int64_t inner[TIR_RANK], shape[TIR_RANK];
    if (!low_shape(cx, env, x, inner) || !low_shape(cx, env, e, shape))
        return (low_bind){0};
    const low_index **k = ARENA_NEW(cx->a, const low_index *);
    *k = low_new_index(cx, STR("k"), inner[x->rank - 1], e->at);
    low_aff *sx = ARENA_ARRAY(cx->a, TIR_RANK, low_aff);
    low_aff *sy = ARENA_ARRAY(cx->a, TIR_RANK, low_aff);
    // A product of two vectors is an element: its shape was checked above
    // only as far as the sum goes.
    matmul_subs(e, pos, *k, sx, sy);
    low_op *op = low_op_new(cx);
    uint32_t a = low_expr(cx, op, env, x, sx, e->operand);
    uint32_t b = low_expr(cx, op, env, y, sy, e->operand);
    uint32_t p = a && b ? tir_binary(cx->fn, &op->op, NUM_MUL, a, b) : 0;
    end.red = k;
    end.nred = 1;
    end.reduce = NUM_R_SUM;
    return low_finish(cx, op, p, &end);
}

uint32_t
low_matmul_at(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
              const low_aff *pos)
{
    low_end end = {.hint = hint_of(cx, STR("product")), .dtype = e->dtype};
    low_bind *b = ARENA_NEW(cx->a, low_bind);
    *b = low_matmul(cx, env, e, pos, end);
    return low_read_bind(cx, op, b, NULL);
}
