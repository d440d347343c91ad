// SPDX-License-Identifier: Apache-2.0
// Statements: what they define, over which indices, and whether the value can
// be stored there.
#include "frontend/frontend_int.h"

static void
check_store(check_ctx *cx, const ast_tensor *t, const ast_expr *value, int rank)
{
    if (t->rank >= 0 && rank >= 0 && rank != t->rank && t->shape.n != 0 &&
        rank != 0) {
        diag(cx->d, value->at, D_RANK_STORE, STR_ARG(t->name.s), t->rank,
             plural(t->rank), rank);
        diag_note_add(cx->d, t->name.at, "'%.*s' is declared here",
                      STR_ARG(t->name.s));
    } else if (t->rank == 0 && rank > 0) {
        check_element(cx, value);
    }
    if (type_fits(value, t->dtype, false))
        return;
    diag(cx->d, value->at, D_TYPE_STORE, STR_ARG(t->name.s),
         num_dtype_name(t->dtype), num_dtype_name(value->dtype));
    type_suggest_cast(cx, value, t->dtype);
    diag_note_add(cx->d, t->name.at, "'%.*s' is declared here",
                  STR_ARG(t->name.s));
}

// A name that a statement defines or, as a scatter, updates; NULL when it must
// not.
ast_tensor *
check_target(check_ctx *cx, const ast_stmt *s, ast_left *left)
{
    const ast_name *name = &left->name;
    left->symbol = *map_get_str(&cx->tensors, name->s);
    ast_tensor *t = cx->decl->tensors.at[left->symbol];
    bool is_again = t->is_inout || s->kind == S_SCATTER;
    if (t->role == TENSOR_INPUT && !t->is_inout) {
        diag(cx->d, name->at, D_INPUT_ASSIGNED, STR_ARG(name->s));
        diag_note_add(cx->d, t->name.at, "the input is declared here");
        return NULL;
    }
    if (t->is_defined && !is_again) {
        diag(cx->d, name->at, D_DEFINED_TWICE, STR_ARG(name->s));
        diag_note_add(cx->d, t->defined_at, "it is defined here first");
        return NULL;
    }
    return t;
}

void
check_defined(ast_tensor *t, const ast_stmt *s, const ast_left *left)
{
    if (!t)
        return;
    if (!t->is_defined)
        t->defined_at = left->name.at;
    t->is_defined = true;
    t->last = s;
}

// Whether extents are stated.
static bool
has_shape(const ast_tensor *t)
{
    return t && (t->role != TENSOR_LOCAL || t->is_declared);
}

// ---- the left side ---------------------------------------------------------

const ast_index *
check_for_of(const ast_stmt *s, str name)
{
    for (uint32_t i = 0; i < s->fors.n; i++)
        if (str_eq(s->fors.at[i]->name.s, name))
            return s->fors.at[i];
    return NULL;
}

static bool
is_left_index(const ast_stmt *s, str name)
{
    for (uint32_t i = 0; i < s->lefts.n; i++) {
        const ast_expr *read = s->lefts.at[i]->read;
        for (uint32_t x = 1; x < read->args.n; x++)
            if (read->args.at[x]->kind == E_NAME &&
                str_eq(read->args.at[x]->name.s, name))
                return true;
    }
    return false;
}

void
check_fors(check_ctx *cx, const ast_stmt *s)
{
    for (uint32_t i = 0; i < s->fors.n; i++) {
        const ast_index *ix = s->fors.at[i];
        check_range(cx, ix);
        if (check_for_of(s, ix->name.s) != ix)
            diag(cx->d, ix->name.at, D_INDEX_IN_USE, STR_ARG(ix->name.s));
        else if (s->kind != S_SCATTER && !is_left_index(s, ix->name.s))
            diag(cx->d, ix->name.at, D_FOR_NOT_LEFT, STR_ARG(ix->name.s));
    }
}

static bool
is_left_twice(const ast_left *left, str name)
{
    for (uint32_t i = 0; i < left->left.n; i++)
        if (str_eq(left->left.at[i]->name.s, name))
            return true;
    return false;
}

// The index of a statement; the left sides of one statement share theirs.
ast_index *
check_stmt_index(check_ctx *cx, const ast_stmt *s, ast_name name)
{
    ast_index *ix = check_find_index(cx, name.s);
    if (ix)
        return ix;
    const ast_index *stated = check_for_of(s, name.s);
    ix = ARENA_NEW(cx->a, ast_index);
    ix->name = name;
    if (stated) {
        ix->is_fixed = true;
        ix->lo = stated->lo;
        ix->hi = stated->hi;
    }
    check_add_index(cx, ix);
    return ix;
}

static bool
check_left_index(check_ctx *cx, const ast_stmt *s, ast_left *left,
                 ast_expr *sub, bool is_fixed)
{
    if (sub->kind != E_NAME) {
        if (sub->kind != E_POISON)
            diag(cx->d, sub->at, D_NOT_AN_INDEX);
        return false;
    }
    if (is_left_twice(left, sub->name.s)) {
        diag(cx->d, sub->at, D_INDEX_TWICE, STR_ARG(sub->name.s));
        return false;
    }
    ast_index *ix = check_stmt_index(cx, s, sub->name);
    ix->is_fixed |= is_fixed;
    vec_push(cx->a, &left->left, ix);
    return true;
}

bool
check_left(check_ctx *cx, const ast_stmt *s, ast_left *left,
           const ast_tensor *t)
{
    int n = (int)left->read->args.n - 1;
    bool ok = true;
    for (int i = 1; i <= n; i++)
        ok &= check_left_index(cx, s, left, left->read->args.at[i],
                               !t || has_shape(t));
    if (n > TIR_RANK) {
        diag(cx->d, s->at, D_RANK_LIMIT, TIR_RANK, n);
        return false;
    }
    if (!has_shape(t) || t->rank < 0 || t->rank == n)
        return ok;
    diag(cx->d, left->read->at, D_SUBSCRIPT_COUNT,
         arena_printf(cx->a, "%.*s", STR_ARG(t->name.s)), t->rank,
         plural(t->rank), n, plural(n));
    diag_note_add(cx->d, t->name.at, "'%.*s' is declared here",
                  STR_ARG(t->name.s));
    return false;
}

// ---- statements ------------------------------------------------------------

// Whether a value may be stored in the tensor's elements; a local without a
// stated type takes that of the value.
void
check_store_element(check_ctx *cx, ast_tensor *t, const ast_expr *value)
{
    if (!has_shape(t) && !t->is_defined)
        t->dtype = value->dtype;
    else if (!type_fits(value, t->dtype, false))
        check_store(cx, t, value, -1);
}

static void
check_elements(check_ctx *cx, ast_stmt *s)
{
    ast_left *left = s->lefts.at[0];
    ast_expr *value = s->values.at[0];
    ast_tensor *t = check_target(cx, s, left);
    check_fors(cx, s);
    bool ok = check_left(cx, s, left, t);
    if (ok)
        check_expr(cx, value);
    else
        check_poison(value); // its indices are not all there
    check_element(cx, value);
    check_drop_indices(cx, cx->scope.n, !ok || value->rank != 0);
    if (t) {
        check_store_element(cx, t, value);
        if (!has_shape(t))
            t->rank = ok ? (int)left->left.n : -1;
    }
    check_defined(t, s, left);
}

static void
set_whole(check_ctx *cx, ast_tensor *t, const ast_expr *value, num_dtype dtype,
          int rank)
{
    if (!has_shape(t)) {
        t->dtype = dtype;
        t->rank = dtype == DT_NONE ? -1 : rank;
        return;
    }
    ast_expr as_result = *value;
    as_result.dtype = dtype;
    check_store(cx, t, &as_result, rank);
}

static void
check_whole(check_ctx *cx, ast_stmt *s)
{
    ast_tensor *t = check_target(cx, s, s->lefts.at[0]);
    ast_expr *value = s->values.at[0];
    check_expr(cx, value);
    if (t)
        set_whole(cx, t, value, value->dtype, value->rank);
    check_defined(t, s, s->lefts.at[0]);
}

// (a, b) = f(x)
static void
check_several(check_ctx *cx, ast_stmt *s)
{
    uint32_t n = s->lefts.n;
    ast_expr *call = s->values.at[0];
    if (call->kind != E_CALL && call->kind != E_POISON)
        diag(cx->d, call->at, D_NOT_A_CALL);
    else if (call->kind == E_CALL)
        check_call(cx, call, n);
    for (uint32_t i = 0; i < n; i++) {
        num_dtype dtype = DT_NONE;
        int rank = -1;
        ast_tensor *t = check_target(cx, s, s->lefts.at[i]);
        if (!t)
            continue;
        if (call->kind == E_CALL)
            check_call_result(call, i, n, &dtype, &rank);
        set_whole(cx, t, call, dtype, rank);
        check_defined(t, s, s->lefts.at[i]);
    }
}

// A scalar of integers in place of an index is data.
static bool
names_data(const check_ctx *cx, const ast_stmt *s)
{
    const ast_expr *read = s->lefts.at[0]->read;
    for (uint32_t i = 1; read && i < read->args.n; i++) {
        const ast_expr *sub = read->args.at[i];
        const uint32_t *symbol =
            sub->kind == E_NAME && !check_for_of(s, sub->name.s)
                ? map_get_str(&cx->tensors, sub->name.s)
                : NULL;
        const ast_tensor *t = symbol ? cx->decl->tensors.at[*symbol] : NULL;
        if (t && t->rank == 0 && num_widened(t->dtype) == NUM_AS_I32 &&
            (t->role == TENSOR_INPUT || t->is_defined))
            return true;
    }
    return false;
}

void
check_stmt(check_ctx *cx, ast_stmt *s)
{
    cx->stmt = s;
    if (s->kind == S_DEFINE && names_data(cx, s))
        s->kind = S_SCATTER;
    if (s->kind == S_SCATTER)
        check_scatter(cx, s);
    else if (s->kind == S_RECUR)
        check_recurrence(cx, s);
    else if (s->lefts.at[0]->read)
        check_elements(cx, s);
    else if (s->lefts.n == 1)
        check_whole(cx, s);
    else
        check_several(cx, s);
    cx->scope.n = 0;
}
