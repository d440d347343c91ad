// SPDX-License-Identifier: Apache-2.0
// Dims from shapes: a dim standing alone takes its dimension's extent; a linear
// expression of one unknown dim is solved; everything else is checked.
#include "frontend/lower_int.h"

low_dims
low_dims_new(arena *a, const ast_decl *decl)
{
    uint32_t n = decl->dims.n;
    return (low_dims){ARENA_ARRAY(a, n, int64_t), ARENA_ARRAY(a, n, bool),
                      ARENA_ARRAY(a, n, const char *), ARENA_ARRAY(a, n, loc)};
}

// One dimension of one parameter.
typedef struct {
    low_ctx *cx;
    const ast_decl *decl;
    low_dims *dims;
    const low_given *given;
    const ast_tensor *t;
    uint32_t axis;
    const ast_expr *e;
    int64_t extent;
} equation;

static loc
place_of(const equation *q)
{
    return q->given->at.source ? q->given->at : q->e->at;
}

static void
set_dim(const equation *q, uint32_t dim, int64_t value)
{
    q->dims->value[dim] = value;
    q->dims->known[dim] = true;
    q->dims->at[dim] = place_of(q);
    q->dims->by[dim] = arena_printf(q->cx->a, "'%.*s'", STR_ARG(q->t->name.s));
}

static bool
report_mismatch(const equation *q)
{
    uint32_t dim = q->e->symbol;
    const ast_name *name = &q->decl->dims.at[dim];
    LOW_REPORT(q->cx, place_of(q), D_DIM_MISMATCH, STR_ARG(name->s),
               (long long)q->extent, STR_ARG(q->t->name.s),
               (long long)q->dims->value[dim], q->dims->by[dim]);
    if (q->dims->at[dim].source)
        diag_note_add(q->cx->d, q->dims->at[dim], "it is %lld here",
                      (long long)q->dims->value[dim]);
    if (q->given->at.source)
        diag_note_add(q->cx->d, q->t->name.at, "the parameter '%.*s'",
                      STR_ARG(q->t->name.s));
    return false;
}

// e = c + k * dim; false when it is not of that form or does not fit.
static bool
as_linear(const equation *q, const ast_expr *e, uint32_t dim, int64_t *c,
          int64_t *k)
{
    dim_env env = {NULL, q->dims->value, q->dims->known};
    *k = 0;
    if (dim_eval(&env, e, c))
        return true;
    if (e->kind == E_NAME) {
        *c = 0;
        *k = 1;
        return e->symbol == dim;
    }
    int64_t c2 = 0, k2 = 0;
    if (!as_linear(q, e->args.at[0], dim, c, k) ||
        (e->kind == E_BINARY && !as_linear(q, e->args.at[1], dim, &c2, &k2)))
        return false;
    if (e->kind == E_UNARY)
        return mul_i64(*c, -1, c) && mul_i64(*k, -1, k);
    if (e->func2 == NUM_SUB && (!mul_i64(c2, -1, &c2) || !mul_i64(k2, -1, &k2)))
        return false;
    if (e->func2 == NUM_ADD || e->func2 == NUM_SUB)
        return add_i64(*c, c2, c) && add_i64(*k, k2, k);
    if (e->func2 != NUM_MUL || (*k && k2))
        return false;
    int64_t scale = *k ? c2 : *c, of = *k ? *k : k2;
    return mul_i64(*c, c2, c) && mul_i64(of, scale, k);
}

static uint32_t
first_unknown(const equation *q, const ast_expr *e)
{
    if (e->kind == E_NAME)
        return q->dims->known[e->symbol] ? UINT32_MAX : e->symbol;
    for (uint32_t i = 0; i < e->args.n; i++) {
        uint32_t dim = first_unknown(q, e->args.at[i]);
        if (dim != UINT32_MAX)
            return dim;
    }
    return UINT32_MAX;
}

typedef enum { EQ_OPEN, EQ_SOLVED, EQ_WRONG } eq_status;

static eq_status
solve_linear(const equation *q)
{
    uint32_t dim = first_unknown(q, q->e);
    int64_t c, k, rest;
    if (dim == UINT32_MAX || !as_linear(q, q->e, dim, &c, &k) || k == 0 ||
        !mul_i64(c, -1, &c) || !add_i64(q->extent, c, &rest))
        return EQ_OPEN;
    if (k == -1 ? !mul_i64(rest, -1, &rest) : rest % k != 0) {
        LOW_REPORT(q->cx, place_of(q), D_DIM_NO_SOLUTION, q->axis + 1,
                   STR_ARG(q->t->name.s), (long long)q->extent);
        return EQ_WRONG;
    }
    set_dim(q, dim, k == -1 ? rest : rest / k);
    return EQ_SOLVED;
}

static eq_status
solve_one(const equation *q)
{
    dim_env env = {NULL, q->dims->value, q->dims->known};
    int64_t value;
    if (dim_eval(&env, q->e, &value)) {
        if (value == q->extent)
            return EQ_OPEN;
        if (q->e->kind == E_NAME)
            return report_mismatch(q), EQ_WRONG;
        LOW_REPORT(q->cx, place_of(q), D_DIM_SHAPE, q->axis + 1,
                   STR_ARG(q->t->name.s), (long long)q->extent,
                   (long long)value);
        return EQ_WRONG;
    }
    if (q->e->kind != E_NAME)
        return solve_linear(q);
    set_dim(q, q->e->symbol, q->extent);
    return EQ_SOLVED;
}

static bool
solve_round(low_ctx *cx, const ast_decl *decl, low_dims *dims,
            const low_given *given, uint32_t n, bool *progress)
{
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        const ast_tensor *t = decl->tensors.at[given[i].param];
        for (uint32_t x = 0; given[i].shape && x < t->shape.n; x++) {
            equation q = {cx, decl, dims,           &given[i],
                          t,  x,    t->shape.at[x], given[i].shape[x]};
            eq_status st = solve_one(&q);
            ok &= st != EQ_WRONG;
            *progress |= st == EQ_SOLVED;
        }
    }
    return ok;
}

bool
low_solve(low_ctx *cx, const ast_decl *decl, low_dims *dims,
          const low_given *given, uint32_t n)
{
    bool ok = true, progress = true;
    while (ok && progress) {
        progress = false;
        ok = solve_round(cx, decl, dims, given, n, &progress);
    }
    return ok;
}

bool
low_eval_shape(low_ctx *cx, const int64_t *dims, const ast_tensor *t,
               int64_t *shape)
{
    dim_env env = {cx->d, dims, NULL};
    for (uint32_t x = 0; x < t->shape.n; x++) {
        const ast_expr *e = t->shape.at[x];
        if (!dim_eval(&env, e, &shape[x]))
            return false;
        if (shape[x] < 0) {
            LOW_REPORT(cx, e->at, D_DIM_NEGATIVE, (long long)shape[x]);
            return false;
        }
    }
    return true;
}
