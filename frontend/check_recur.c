// SPDX-License-Identifier: Apache-2.0
// Recurrences: 'h[t, d] = a[t, d] * h[t-1, d] + b[t, d] with h[-1, d] = 0'. The
// 'with' clauses come first: they say which index is time, and what type a
// state has that is not declared. Reads of the states are checked at concrete
// extents, when it is known how far back they go.
#include "frontend/frontend_int.h"

static ast_left *
left_named(const ast_stmt *s, str name)
{
    for (uint32_t i = 0; i < s->lefts.n; i++)
        if (str_eq(s->lefts.at[i]->name.s, name))
            return s->lefts.at[i];
    return NULL;
}

// The position at which 'with' differs from its left side; 0 is no subscript.
static uint32_t
time_subscript(const ast_expr *of, const ast_expr *with)
{
    uint32_t found = 0;
    if (of->args.n != with->args.n)
        return 0;
    for (uint32_t i = 1; i < of->args.n; i++) {
        const ast_expr *x = of->args.at[i], *y = with->args.at[i];
        if (x->kind == E_NAME && y->kind == E_NAME &&
            str_eq(x->name.s, y->name.s))
            continue;
        if (found)
            return 0;
        found = i;
    }
    return found;
}

static bool
check_with_left(check_ctx *cx, ast_stmt *s, const ast_with *with)
{
    ast_expr *read = with->left->read;
    const ast_left *of = left_named(s, with->left->name.s);
    if (!of) {
        diag(cx->d, with->left->name.at, D_WITH_TARGET,
             STR_ARG(with->left->name.s));
        return false;
    }
    uint32_t at = time_subscript(of->read, read);
    if (!at || at > of->left.n) {
        diag(cx->d, read->at, D_WITH_FORM);
        return false;
    }
    with->left->symbol = of->symbol;
    check_dim_expr(cx, read->args.at[at]);
    const ast_index *time = of->left.at[at - 1];
    if (!s->time)
        s->time = time;
    if (s->time != time)
        diag(cx->d, read->args.at[at]->at, D_WITH_FORM);
    return s->time == time && read->args.at[at]->dtype != DT_NONE;
}

// The indices of one left side, alone; of what comes before it, without time.
static void
set_scope(check_ctx *cx, const ast_left *left, const ast_index *except)
{
    cx->scope = (ast_indices){0};
    for (uint32_t i = 0; i < left->left.n; i++)
        if (left->left.at[i] != except)
            vec_push(cx->a, &cx->scope, left->left.at[i]);
}

static ast_tensor *
tensor_of(const check_ctx *cx, const ast_left *left)
{
    return cx->decl->tensors.at[left->symbol];
}

// A state is f32 unless a declaration or what it starts from says otherwise.
static bool
check_with(check_ctx *cx, ast_stmt *s, ast_with *with)
{
    ast_indices outer = cx->scope;
    if (!check_with_left(cx, s, with))
        return false;
    set_scope(cx, left_named(s, with->left->name.s), s->time);
    check_expr(cx, with->value);
    check_element(cx, with->value);
    cx->scope = outer;
    ast_tensor *t = tensor_of(cx, with->left);
    if (t->role == TENSOR_LOCAL && !t->is_declared && t->dtype == DT_NONE)
        t->dtype =
            with->value->is_literal ? DT_F32 : type_full(type_as(with->value));
    if (t->dtype != DT_NONE && !type_fits(with->value, t->dtype, false)) {
        diag(cx->d, with->value->at, D_TYPE_STORE, STR_ARG(t->name.s),
             num_dtype_name(t->dtype), num_dtype_name(with->value->dtype));
        type_suggest_cast(cx, with->value, t->dtype);
    }
    return with->value->dtype != DT_NONE;
}

static void
check_has_time(check_ctx *cx, const ast_stmt *s, const ast_left *left)
{
    for (uint32_t i = 0; i < left->left.n; i++)
        if (left->left.at[i] == s->time)
            return;
    diag(cx->d, left->read->at, D_RECUR_TIME, STR_ARG(left->name.s),
         STR_ARG(s->time->name.s));
}

static ast_tensor *
check_state(check_ctx *cx, const ast_stmt *s, ast_left *left)
{
    ast_tensor *t = check_target(cx, s, left);
    if (t && t->role == TENSOR_INPUT) {
        diag(cx->d, left->name.at, D_RECUR_INOUT, STR_ARG(t->name.s));
        t->last = s;
        t = NULL;
    }
    for (uint32_t i = 0; t && s->lefts.at[i] != left; i++)
        if (s->lefts.at[i]->symbol == left->symbol) {
            diag(cx->d, left->name.at, D_DEFINED_TWICE, STR_ARG(t->name.s));
            t = NULL;
        }
    return t;
}

// A state with a known type may be read by every value, one without by those
// that come after its own.
static void
begin_state(ast_tensor *t, const ast_stmt *s, const ast_left *left)
{
    t->rank = (int)left->left.n;
    check_defined(t, s, left);
}

static bool
check_lefts(check_ctx *cx, const ast_stmt *s, ast_tensor **t)
{
    bool ok = true;
    check_fors(cx, s);
    for (uint32_t i = 0; i < s->lefts.n; i++) {
        t[i] = check_state(cx, s, s->lefts.at[i]);
        ok &= check_left(cx, s, s->lefts.at[i], t[i]) && t[i];
    }
    return ok;
}

static void
check_values(check_ctx *cx, ast_stmt *s, ast_tensor *const *t)
{
    bool quiet = false;
    ast_indices all = cx->scope;
    for (uint32_t i = 0; i < s->lefts.n; i++)
        if (t[i]->dtype != DT_NONE)
            begin_state(t[i], s, s->lefts.at[i]);
    cx->states = s;
    for (uint32_t i = 0; i < s->lefts.n; i++) {
        ast_expr *value = s->values.at[i];
        set_scope(cx, s->lefts.at[i], NULL);
        check_expr(cx, value);
        check_element(cx, value);
        if (t[i]->dtype != DT_NONE && !type_fits(value, t[i]->dtype, false)) {
            diag(cx->d, value->at, D_TYPE_STORE, STR_ARG(t[i]->name.s),
                 num_dtype_name(t[i]->dtype), num_dtype_name(value->dtype));
            type_suggest_cast(cx, value, t[i]->dtype);
        }
        if (t[i]->dtype == DT_NONE)
            t[i]->dtype = value->dtype;
        begin_state(t[i], s, s->lefts.at[i]);
        quiet |= value->dtype == DT_NONE;
    }
    cx->states = NULL;
    cx->scope = all;
    check_drop_indices(cx, cx->scope.n, quiet);
}

void
check_recurrence(check_ctx *cx, ast_stmt *s)
{
    ast_tensor **t = ARENA_ARRAY(cx->a, s->lefts.n, ast_tensor *);
    bool ok = check_lefts(cx, s, t);
    for (uint32_t i = 0; ok && i < s->withs.n; i++)
        ok = check_with(cx, s, &s->withs.at[i]);
    ok = ok && s->time;
    for (uint32_t i = 0; ok && i < s->lefts.n; i++)
        check_has_time(cx, s, s->lefts.at[i]);
    if (ok) {
        check_values(cx, s, t);
        return;
    }
    for (uint32_t i = 0; i < s->lefts.n; i++) {
        check_poison(s->values.at[i]);
        check_defined(t[i], s, s->lefts.at[i]);
    }
}
