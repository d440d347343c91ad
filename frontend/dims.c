// SPDX-License-Identifier: Apache-2.0
// Integer expressions of dims: extents, ranges and constants. All arithmetic is
// checked; '/' and '%' floor, except that a plain literal used as a value
// divides as integers do, toward zero.
#include "frontend/frontend_int.h"

typedef enum { DIM_OK, DIM_UNKNOWN, DIM_OVERFLOW, DIM_BY_ZERO } dim_status;

static dim_status
divide(int64_t x, int64_t y, bool floors, bool want_rest, int64_t *out)
{
    if (y == 0)
        return DIM_BY_ZERO;
    if (y == -1) { // x / -1 can overflow
        if (want_rest)
            return *out = 0, DIM_OK;
        return mul_i64(x, -1, out) ? DIM_OK : DIM_OVERFLOW;
    }
    int64_t q = x / y, r = x % y;
    if (floors && r != 0 && (r < 0) != (y < 0)) {
        q--;
        r += y;
    }
    *out = want_rest ? r : q;
    return DIM_OK;
}

static dim_status
combine(num_binary f, int64_t x, int64_t y, bool floors, int64_t *out)
{
    bool fits = true;
    if (f == NUM_DIV || f == NUM_MOD)
        return divide(x, y, floors, f == NUM_MOD, out);
    if (f == NUM_MUL)
        fits = mul_i64(x, y, out);
    else if (f == NUM_ADD)
        fits = add_i64(x, y, out);
    else
        fits = mul_i64(y, -1, &y) && add_i64(x, y, out);
    return fits ? DIM_OK : DIM_OVERFLOW;
}

static dim_status
report(const dim_env *env, const ast_expr *e, dim_status st)
{
    if (env->d && st == DIM_OVERFLOW)
        diag(env->d, e->at, D_DIM_OVERFLOW);
    if (env->d && st == DIM_BY_ZERO)
        diag(env->d, e->at, D_DIM_DIVISION);
    return st;
}

static dim_status
eval(const dim_env *env, const ast_expr *e, bool is_value, int64_t *out)
{
    if (e->kind == E_INT)
        return *out = e->value, DIM_OK;
    if (e->kind == E_NAME) {
        if (!env->value || (env->known && !env->known[e->symbol]))
            return DIM_UNKNOWN;
        return *out = env->value[e->symbol], DIM_OK;
    }
    int64_t x = 0, y = 0;
    dim_status st = eval(env, e->args.at[0], is_value, &x);
    if (st)
        return st;
    if (e->kind == E_UNARY)
        return mul_i64(x, -1, out) ? DIM_OK : report(env, e, DIM_OVERFLOW);
    st = eval(env, e->args.at[1], is_value, &y);
    if (st)
        return st;
    bool floors = !is_value || e->has_dim;
    return report(env, e, combine(e->func2, x, y, floors, out));
}

bool
dim_eval(const dim_env *env, const ast_expr *e, int64_t *out)
{
    return eval(env, e, false, out) == DIM_OK;
}

bool
dim_value(const dim_env *env, const ast_expr *e, int64_t *out)
{
    return eval(env, e, true, out) == DIM_OK;
}

bool
dim_constant(const ast_expr *e, int64_t *out)
{
    return dim_eval(&(dim_env){0}, e, out);
}
