// SPDX-License-Identifier: Apache-2.0
// Types: floats widen to f32, narrower integers to i32; nothing else
// mixes without a cast. Integer constants take the type of what they meet.
#include "frontend/frontend_int.h"

num_as
type_as(const ast_expr *e)
{
    return e->dtype == DT_NONE ? NUM_AS_NONE : num_widened(e->dtype);
}

num_dtype
type_full(num_as as)
{
    switch (as) {
    case NUM_AS_NONE: return DT_NONE;
    case NUM_AS_F32: return DT_F32;
    case NUM_AS_I32: return DT_I32;
    case NUM_AS_U32: return DT_U32;
    case NUM_AS_BOOL: return DT_BOOL;
    }
    return DT_NONE;
}

const char *
plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

int
type_rank(int a, int b)
{
    if (a < 0 || b < 0)
        return -1;
    return a > b ? a : b;
}

void
type_suggest_cast(check_ctx *cx, const ast_expr *e, num_dtype to)
{
    str text = cx->d->sources.at[e->at.source].text;
    str part = {text.p + e->at.begin, e->at.end - e->at.begin};
    if (part.n < 60)
        diag_fix_add(cx->d, "cast(%.*s, %s)", STR_ARG(part),
                     num_dtype_name(to));
}

// The operand that a cast would bring to the other's type: integers become
// floats, bools become either.
static bool
is_cast_first(num_as x, num_as y)
{
    return x == NUM_AS_BOOL ||
           (y != NUM_AS_BOOL && x != NUM_AS_F32 && y == NUM_AS_F32);
}

num_as
type_unify(check_ctx *cx, const ast_expr *x, const ast_expr *y)
{
    num_as ax = type_as(x), ay = type_as(y);
    if (!ax || !ay)
        return NUM_AS_NONE;
    if (x->is_literal && ay != NUM_AS_BOOL)
        return ay;
    if (y->is_literal && ax != NUM_AS_BOOL)
        return ax;
    if (ax == ay)
        return ax;
    const ast_expr *from = is_cast_first(ax, ay) ? x : y;
    diag(cx->d, from->at, D_TYPE_MIX, num_dtype_name(x->dtype),
         num_dtype_name(y->dtype));
    type_suggest_cast(cx, from, type_full(from == x ? ay : ax));
    return NUM_AS_NONE;
}

static void
report_operand(check_ctx *cx, const ast_expr *e, const ast_expr *operand,
               const char *spelling, num_as wanted)
{
    diag(cx->d, operand->at, D_TYPE_OPERAND, spelling,
         num_dtype_name(operand->dtype));
    if (wanted)
        type_suggest_cast(cx, operand, type_full(wanted));
    (void)e;
}

void
type_unary(check_ctx *cx, ast_expr *e, num_unary f, const char *spelling)
{
    const ast_expr *x = e->args.at[0];
    num_as as = type_as(x);
    e->rank = x->rank;
    if (!as)
        return;
    if (x->is_literal && !num_unary_takes(f, as))
        as = NUM_AS_F32;
    if (!num_unary_takes(f, as)) {
        bool takes_float = num_unary_takes(f, NUM_AS_F32);
        report_operand(cx, e, x, spelling,
                       takes_float ? NUM_AS_F32 : NUM_AS_NONE);
        return;
    }
    e->operand = as;
    e->dtype = type_full(num_unary_gives(f, as));
    e->is_literal = e->kind == E_UNARY && f == NUM_NEG && x->is_literal;
    e->has_dim = x->has_dim;
}

static bool
is_constant_op(num_binary f)
{
    return f == NUM_ADD || f == NUM_SUB || f == NUM_MUL || f == NUM_DIV ||
           f == NUM_MOD;
}

void
type_binary(check_ctx *cx, ast_expr *e, num_binary f, const char *spelling)
{
    const ast_expr *x = e->args.at[0], *y = e->args.at[1];
    e->rank = type_rank(x->rank, y->rank);
    num_as as = type_unify(cx, x, y);
    if (!as)
        return;
    bool both = x->is_literal && y->is_literal;
    if (both && !num_binary_takes(f, as))
        as = NUM_AS_F32;
    if (!num_binary_takes(f, as)) {
        report_operand(cx, e, x->is_literal ? y : x, spelling, NUM_AS_NONE);
        return;
    }
    e->operand = as;
    e->dtype = type_full(num_binary_gives(f, as));
    e->is_literal = both && e->kind == E_BINARY && is_constant_op(f);
    e->has_dim = x->has_dim || y->has_dim;
}

bool
type_fits(const ast_expr *value, num_dtype to, bool exact)
{
    if (value->dtype == DT_NONE || to == DT_NONE)
        return true; // a mistake that was reported
    num_as as = num_widened(to);
    if (value->is_literal && as != NUM_AS_BOOL)
        return !exact || to == type_full(as);
    if (type_as(value) != as)
        return false;
    return !exact || to == value->dtype || to == type_full(as);
}
