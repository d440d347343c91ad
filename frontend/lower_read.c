// SPDX-License-Identifier: Apache-2.0
// Reads with subscripts, their fills, and constants.
#include "frontend/lower_int.h"

// ---- constants -------------------------------------------------------------

static bool
literal_word(low_ctx *cx, const low_env *env, const ast_expr *e, num_as want,
             num_word *out)
{
    dim_env dims = {cx->d, env->dims, NULL};
    int64_t v;
    if (!dim_value(&dims, e, &v))
        return false;
    if (want == NUM_AS_F32) {
        *out = num_word_f32(num_round_f32((double)v));
        return true;
    }
    bool is_unsigned = want == NUM_AS_U32;
    int64_t lo = is_unsigned ? 0 : INT32_MIN;
    int64_t hi = is_unsigned ? UINT32_MAX : INT32_MAX;
    *out = (num_word)(uint64_t)v;
    if (v >= lo && v <= hi)
        return true;
    LOW_REPORT(cx, e->at, D_VALUE_RANGE, (long long)v,
               is_unsigned ? "u32" : "i32");
    return false;
}

uint32_t
low_literal(low_ctx *cx, low_op *op, const low_env *env, const ast_expr *e,
            num_as want)
{
    num_as as = want == NUM_AS_F32 || want == NUM_AS_U32 ? want : NUM_AS_I32;
    num_word w;
    if (!literal_word(cx, env, e, as, &w))
        return 0;
    return tir_const(cx->fn, &op->op, as, w);
}

static bool
fill_word(low_ctx *cx, const low_env *env, const ast_expr *e, num_as as,
          num_word *out)
{
    if (e->is_literal)
        return literal_word(cx, env, e, as, out);
    if (e->kind != E_UNARY) {
        *out = e->word;
        return true;
    }
    if (!fill_word(cx, env, e->args.at[0], as, out))
        return false;
    *out = num_apply1(NUM_NEG, as, *out);
    return true;
}

// ---- subscripts ------------------------------------------------------------

static bool
sub_aff(low_ctx *cx, const low_env *env, const ast_expr *e, low_aff *out)
{
    *out = (low_aff){0};
    if (e->is_literal)
        return dim_eval(&(dim_env){cx->d, env->dims, NULL}, e, &out->c);
    if (e->kind == E_NAME) {
        *out = low_aff_of(env->index[e->index->slot]);
        return true;
    }
    low_aff *x = ARENA_ARRAY(cx->a, 2, low_aff);
    for (uint32_t i = 0; i < e->args.n; i++)
        if (!sub_aff(cx, env, e->args.at[i], &x[i]))
            return false;
    if (e->kind == E_UNARY)
        return low_aff_add(cx, out, -1, &x[0], e->at);
    if (e->func2 == NUM_MUL) { // one of them is a constant
        bool second = e->args.at[1]->is_literal;
        return low_aff_add(cx, out, x[second].c, &x[!second], e->at);
    }
    return low_aff_add(cx, out, 1, &x[0], e->at) &&
           low_aff_add(cx, out, e->func2 == NUM_SUB ? -1 : 1, &x[1], e->at);
}

typedef enum { SUB_INSIDE, SUB_FILLED, SUB_WRONG } sub_status;

static sub_status
read_range(low_ctx *cx, const ast_expr *e, uint32_t dim, const low_aff *x,
           int64_t extent)
{
    const ast_expr *base = e->args.at[0], *sub = e->args.at[dim + 1];
    int64_t lo, hi;
    if (low_aff_is_empty(x))
        return SUB_INSIDE;
    if (!low_aff_range(x, &lo, &hi)) {
        low_overflow(cx, sub->at);
        return SUB_WRONG;
    }
    if (lo >= 0 && hi < extent)
        return SUB_INSIDE;
    if (e->fill)
        return SUB_FILLED;
    const char *name = base->kind == E_NAME
                           ? arena_printf(cx->a, "%.*s", STR_ARG(base->name.s))
                           : "the value";
    LOW_REPORT(cx, sub->at, D_OUT_OF_RANGE, dim + 1, name, (long long)lo,
               (long long)hi, (long long)extent);
    diag_note_add(cx->d, e->at, "give what is read outside: '%s[...] else 0'",
                  name);
    return SUB_WRONG;
}

static sub_status
read_ranges(low_ctx *cx, low_env *env, const ast_expr *e, const low_aff *sub)
{
    int64_t shape[TIR_RANK];
    sub_status worst = SUB_INSIDE;
    if (!low_shape(cx, env, e->args.at[0], shape))
        return SUB_WRONG;
    for (uint32_t i = 0; i + 1 < e->args.n; i++) {
        sub_status st = read_range(cx, e, i, &sub[i], shape[i]);
        worst = st > worst ? st : worst;
    }
    return worst;
}

// A read that leaves the tensor: the fill belongs to a tensor of the IR.
static uint32_t
read_filled(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
            const low_aff *sub)
{
    const low_bind *b = low_materialise(cx, env, e->args.at[0]);
    tir_read r = {.tensor = b->tensor, .has_fill = true};
    if (!b->is_set || !fill_word(cx, env, e->fill, type_as(e), &r.fill))
        return 0;
    for (uint32_t i = 0; i < b->nhidden; i++) {
        low_aff x = low_aff_of(b->hidden[i]);
        x.c = -b->hidden[i]->lo;
        if (!low_to_tir(cx, op, &x, &r.sub[i]))
            return 0;
    }
    for (uint32_t i = 0; i < b->rank; i++)
        if (!low_to_tir(cx, op, &sub[i], &r.sub[b->nhidden + i]))
            return 0;
    return tir_read_node(cx->fn, &op->op, &r);
}

uint32_t
low_subscript(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e)
{
    low_aff *sub = ARENA_ARRAY(cx->a, e->args.n, low_aff);
    for (uint32_t i = 1; i < e->args.n; i++)
        if (!sub_aff(cx, env, e->args.at[i], &sub[i - 1]))
            return 0;
    switch (read_ranges(cx, env, e, sub)) {
    case SUB_INSIDE:
        return low_expr(cx, op, env, e->args.at[0], sub, type_as(e));
    case SUB_FILLED: return read_filled(cx, op, env, e, sub);
    case SUB_WRONG: return 0;
    }
    return 0;
}
