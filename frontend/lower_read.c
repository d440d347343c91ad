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

bool
low_fill_word(low_ctx *cx, const low_env *env, const ast_expr *e, num_as as,
              num_word *out)
{
    if (e->is_literal)
        return literal_word(cx, env, e, as, out);
    if (e->kind != E_UNARY) {
        *out = e->word;
        return true;
    }
    if (!low_fill_word(cx, env, e->args.at[0], as, out))
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

static uint32_t
add_nodes(low_ctx *cx, low_op *op, uint32_t sum, int sign, uint32_t x)
{
    if (!sum)
        return sign < 0 ? tir_unary(cx->fn, &op->op, NUM_NEG, x) : x;
    return tir_binary(cx->fn, &op->op, sign < 0 ? NUM_SUB : NUM_ADD, sum, x);
}

// Adds sign * e: what is affine to 'aff', everything else to the node 'dyn'.
static bool
add_sub(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e, int sign,
        low_aff *aff, uint32_t *dyn)
{
    low_aff x;
    if (!e->is_value)
        return sub_aff(cx, env, e, &x) && low_aff_add(cx, aff, sign, &x, e->at);
    bool is_minus = e->kind == E_UNARY && e->func1 == NUM_NEG;
    bool is_sum =
        e->kind == E_BINARY && (e->func2 == NUM_ADD || e->func2 == NUM_SUB);
    if (is_minus)
        return add_sub(cx, op, env, e->args.at[0], -sign, aff, dyn);
    if (is_sum) {
        int second = e->func2 == NUM_SUB ? -sign : sign;
        return add_sub(cx, op, env, e->args.at[0], sign, aff, dyn) &&
               add_sub(cx, op, env, e->args.at[1], second, aff, dyn);
    }
    uint32_t node = low_expr(cx, op, env, e, NULL, NUM_AS_I32);
    if (!node)
        return false;
    const tir_node *n = &op->op.nodes.at[node];
    if (n->kind == TIR_N_CONST)
        return add_i64(aff->c, sign * (int64_t)(int32_t)n->imm, &aff->c);
    *dyn = add_nodes(cx, op, *dyn, sign, node);
    return true;
}

bool
low_subs_of(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
            low_subs *out)
{
    *out = (low_subs){.is_gather = false};
    for (uint32_t i = 1; i < e->args.n; i++) {
        if (!add_sub(cx, op, env, e->args.at[i], 1, &out->aff[i - 1],
                     &out->dyn[i - 1]))
            return false;
        out->is_gather |= out->dyn[i - 1] != 0;
    }
    return true;
}

// ---- ranges ----------------------------------------------------------------

typedef struct {
    int64_t lo, hi;
} interval;

static const interval any_i32 = {INT32_MIN, INT32_MAX};

// Of an index expression over the operation's slots.
static interval
affine_interval(const low_op *op, const tir_aff *x)
{
    interval r = {x->c, x->c};
    for (uint32_t s = 0; s < op->nslot; s++) {
        int64_t far;
        if (!mul_i64(x->k[s], op->slot[s]->n - 1, &far) ||
            !add_i64(far < 0 ? r.lo : r.hi, far, far < 0 ? &r.lo : &r.hi))
            return any_i32;
    }
    return r;
}

static interval
divide_interval(num_binary f, interval x, interval y)
{
    if (y.lo != y.hi || y.lo <= 0 || x.lo < 0)
        return any_i32;
    if (f == NUM_MOD)
        return (interval){0, x.hi < y.lo ? x.hi : y.lo - 1};
    return (interval){x.lo / y.lo, x.hi / y.lo};
}

static interval
binary_interval(num_binary f, interval x, interval y)
{
    interval r = any_i32;
    if (f == NUM_DIV || f == NUM_MOD)
        r = divide_interval(f, x, y);
    else if (f == NUM_ADD)
        r = (interval){x.lo + y.lo, x.hi + y.hi};
    else if (f == NUM_SUB)
        r = (interval){x.lo - y.hi, x.hi - y.lo};
    else if (f == NUM_MUL && x.lo >= 0 && y.lo >= 0)
        r = (interval){x.lo * y.lo, x.hi * y.hi};
    else if (f == NUM_MIN)
        r = (interval){min_i64(x.lo, y.lo), min_i64(x.hi, y.hi)};
    else if (f == NUM_MAX)
        r = (interval){max_i64(x.lo, y.lo), max_i64(x.hi, y.hi)};
    return r;
}

enum { INTERVAL_DEPTH = 16 }; // what nests deeper is any i32

static interval
node_interval(const low_op *op, uint32_t node, uint32_t depth)
{
    const tir_node *n = &op->op.nodes.at[node];
    interval r = any_i32;
    if (n->as != NUM_AS_I32 || depth > INTERVAL_DEPTH)
        return r;
    if (n->kind == TIR_N_CONST)
        r = (interval){(int32_t)n->imm, (int32_t)n->imm};
    else if (n->kind == TIR_N_AFFINE)
        r = affine_interval(op, &n->aff);
    else if (n->kind == TIR_N_BINARY)
        r = binary_interval(n->func2, node_interval(op, n->arg[0], depth + 1),
                            node_interval(op, n->arg[1], depth + 1));
    // What wraps can be anything.
    return r.lo < INT32_MIN || r.hi > INT32_MAX ? any_i32 : r;
}

static void
report_outside(low_ctx *cx, const ast_expr *e, uint32_t dim, interval r,
               int64_t extent)
{
    bool is_target = cx->target == e;
    const ast_expr *base = e->args.at[0];
    const char *name = base->kind == E_NAME
                           ? arena_printf(cx->a, "%.*s", STR_ARG(base->name.s))
                           : "the value";
    LOW_REPORT(cx, e->args.at[dim + 1]->at, D_OUT_OF_RANGE, dim + 1, name,
               (long long)r.lo, (long long)r.hi, (long long)extent);
    if (!is_target)
        diag_note_add(cx->d, e->at,
                      "give what is read outside: '%s[...] else 0'", name);
}

// A subscript that depends on data must be able to be inside; any other must be
// inside.
sub_status
low_sub_range(low_ctx *cx, const low_op *op, const ast_expr *e, uint32_t dim,
              const low_subs *subs, int64_t extent)
{
    const low_aff *x = &subs->aff[dim];
    interval r, dyn = {0, 0};
    if (low_aff_is_empty(x))
        return SUB_INSIDE;
    if (subs->dyn[dim])
        dyn = node_interval(op, subs->dyn[dim], 0);
    if (!low_aff_range(x, &r.lo, &r.hi) || !add_i64(r.lo, dyn.lo, &r.lo) ||
        !add_i64(r.hi, dyn.hi, &r.hi)) {
        low_overflow(cx, e->args.at[dim + 1]->at);
        return SUB_WRONG;
    }
    bool may_be_inside = r.hi >= 0 && r.lo < extent;
    bool is_checked = subs->dyn[dim] || subs->is_guarded; // by the run
    if ((r.lo >= 0 && r.hi < extent) || (is_checked && may_be_inside))
        return SUB_INSIDE;
    if (e->fill)
        return SUB_FILLED;
    report_outside(cx, e, dim, r, extent);
    return SUB_WRONG;
}

static sub_status
read_ranges(low_ctx *cx, const low_op *op, low_env *env, const ast_expr *e,
            const low_subs *subs)
{
    int64_t shape[TIR_RANK];
    sub_status worst = SUB_INSIDE;
    if (!low_shape(cx, env, e->args.at[0], shape))
        return SUB_WRONG;
    for (uint32_t i = 0; i + 1 < e->args.n; i++) {
        sub_status st = low_sub_range(cx, op, e, i, subs, shape[i]);
        worst = st > worst ? st : worst;
    }
    // A gather may be outside anywhere.
    return worst == SUB_INSIDE && subs->is_gather && e->fill ? SUB_FILLED
                                                             : worst;
}

// ---- reads -----------------------------------------------------------------

bool
low_tir_read(low_ctx *cx, low_op *op, const low_bind *b, const low_subs *subs,
             tir_read *out)
{
    *out = (tir_read){.tensor = b->tensor};
    for (uint32_t i = 0; i < b->nhidden; i++) {
        low_aff x = low_aff_of(b->hidden[i]);
        x.c = -b->hidden[i]->lo; // the temp's dimension starts at 0
        if (!low_to_tir(cx, op, &x, &out->sub[i]))
            return false;
    }
    for (uint32_t i = 0; i < b->rank; i++) {
        if (!low_to_tir(cx, op, &subs->aff[i], &out->sub[b->nhidden + i]))
            return false;
        out->dyn[b->nhidden + i] = subs->dyn[i];
    }
    return true;
}

// A read that leaves the tensor, or that gathers: of a tensor of the IR.
static uint32_t
read_tensor(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
            const low_subs *subs)
{
    const low_bind *b = low_materialise(cx, env, e->args.at[0]);
    tir_read r;
    if (!b->is_set || !low_tir_read(cx, op, b, subs, &r))
        return 0;
    r.has_fill = e->fill != NULL;
    if (e->fill && !low_fill_word(cx, env, e->fill, type_as(e), &r.fill))
        return 0;
    return tir_gather(cx->fn, &op->op, &r);
}

uint32_t
low_subscript(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e)
{
    low_subs *subs = ARENA_NEW(cx->a, low_subs);
    const ast_expr *base = e->args.at[0];
    if (!low_subs_of(cx, op, env, e, subs))
        return 0;
    if (low_is_state(cx, env, base))
        return low_state_read(cx, op, e, subs);
    switch (read_ranges(cx, op, env, e, subs)) {
    case SUB_INSIDE:
        if (!subs->is_gather)
            return low_expr(cx, op, env, base, subs->aff, type_as(e));
        return read_tensor(cx, op, env, e, subs);
    case SUB_FILLED: return read_tensor(cx, op, env, e, subs);
    case SUB_WRONG: return 0;
    }
    return 0;
}
