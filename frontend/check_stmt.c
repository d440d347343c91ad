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

// A name that a statement defines; NULL when it must not.
static ast_tensor *
check_target(check_ctx *cx, const ast_name *name)
{
    uint32_t symbol = *map_get_str(&cx->tensors, name->s);
    ast_tensor *t = cx->decl->tensors.at[symbol];
    if (t->role == TENSOR_INPUT) {
        diag(cx->d, name->at, D_INPUT_ASSIGNED, STR_ARG(name->s));
        diag_note_add(cx->d, t->name.at, "the input is declared here");
        return NULL;
    }
    if (t->is_defined) {
        diag(cx->d, name->at, D_DEFINED_TWICE, STR_ARG(name->s));
        diag_note_add(cx->d, t->defined_at, "it is defined here first");
        return NULL;
    }
    return t;
}

static void
mark_defined(ast_tensor *t, const ast_name *name)
{
    if (!t)
        return;
    t->is_defined = true;
    t->defined_at = name->at;
}

// ---- the left side ---------------------------------------------------------

static ast_index *
find_for(const ast_stmt *s, str name)
{
    for (uint32_t i = 0; i < s->fors.n; i++)
        if (str_eq(s->fors.at[i]->name.s, name))
            return s->fors.at[i];
    return NULL;
}

static bool
is_left_index(const ast_stmt *s, str name)
{
    for (uint32_t i = 0; i < s->subs.n; i++)
        if (s->subs.at[i]->kind == E_NAME &&
            str_eq(s->subs.at[i]->name.s, name))
            return true;
    return false;
}

static void
check_fors(check_ctx *cx, const ast_stmt *s)
{
    for (uint32_t i = 0; i < s->fors.n; i++) {
        const ast_index *ix = s->fors.at[i];
        check_range(cx, ix);
        if (find_for(s, ix->name.s) != ix)
            diag(cx->d, ix->name.at, D_INDEX_IN_USE, STR_ARG(ix->name.s));
        else if (!is_left_index(s, ix->name.s))
            diag(cx->d, ix->name.at, D_FOR_NOT_LEFT, STR_ARG(ix->name.s));
    }
}

static bool
is_left_twice(const ast_stmt *s, str name)
{
    for (uint32_t i = 0; i < s->left.n; i++)
        if (str_eq(s->left.at[i]->name.s, name))
            return true;
    return false;
}

static bool
check_left_index(check_ctx *cx, ast_stmt *s, ast_expr *sub, bool is_fixed)
{
    if (sub->kind != E_NAME) {
        if (sub->kind != E_POISON)
            diag(cx->d, sub->at, D_NOT_YET, "a computed subscript on the left");
        return false;
    }
    if (is_left_twice(s, sub->name.s)) {
        diag(cx->d, sub->at, D_INDEX_TWICE, STR_ARG(sub->name.s));
        return false;
    }
    const ast_index *stated = find_for(s, sub->name.s);
    ast_index *ix = ARENA_NEW(cx->a, ast_index);
    ix->name = sub->name;
    ix->is_fixed = is_fixed || stated;
    if (stated) {
        ix->lo = stated->lo;
        ix->hi = stated->hi;
    }
    vec_push(cx->a, &s->left, ix);
    check_add_index(cx, ix);
    return true;
}

static bool
check_left(check_ctx *cx, ast_stmt *s, const ast_tensor *t)
{
    bool ok = true, is_fixed = !t || t->role == TENSOR_RESULT;
    check_fors(cx, s);
    for (uint32_t i = 0; i < s->subs.n; i++)
        ok &= check_left_index(cx, s, s->subs.at[i], is_fixed);
    if (s->subs.n > TIR_RANK) {
        diag(cx->d, s->at, D_RANK_LIMIT, TIR_RANK, (int)s->subs.n);
        return false;
    }
    int n = (int)s->subs.n;
    if (!t || t->role != TENSOR_RESULT || t->rank < 0 || t->rank == n)
        return ok;
    diag(cx->d, s->at, D_SUBSCRIPT_COUNT,
         arena_printf(cx->a, "%.*s", STR_ARG(t->name.s)), t->rank,
         plural(t->rank), n, plural(n));
    diag_note_add(cx->d, t->name.at, "'%.*s' is declared here",
                  STR_ARG(t->name.s));
    return false;
}

// ---- statements ------------------------------------------------------------

static void
check_elements(check_ctx *cx, ast_stmt *s)
{
    ast_tensor *t = check_target(cx, &s->names.at[0]);
    bool ok = check_left(cx, s, t);
    if (ok)
        check_expr(cx, s->value);
    else
        check_poison(s->value); // its indices are not all there
    check_element(cx, s->value);
    check_drop_indices(cx, cx->scope.n, !ok || s->value->rank != 0);
    if (t && t->role == TENSOR_LOCAL) {
        t->dtype = s->value->dtype;
        t->rank = ok ? (int)s->subs.n : -1;
    } else if (t && type_fits(s->value, t->dtype, false)) {
        ;
    } else if (t) {
        check_store(cx, t, s->value, -1);
    }
    mark_defined(t, &s->names.at[0]);
}

static void
set_whole(check_ctx *cx, ast_tensor *t, const ast_expr *value, num_dtype dtype,
          int rank)
{
    if (t->role == TENSOR_LOCAL) {
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
    ast_tensor *t = check_target(cx, &s->names.at[0]);
    check_expr(cx, s->value);
    if (t)
        set_whole(cx, t, s->value, s->value->dtype, s->value->rank);
    mark_defined(t, &s->names.at[0]);
}

// (a, b) = f(x)
static void
check_several(check_ctx *cx, ast_stmt *s)
{
    uint32_t n = s->names.n;
    ast_expr *call = s->value;
    if (call->kind != E_CALL && call->kind != E_POISON)
        diag(cx->d, call->at, D_NOT_A_CALL);
    else if (call->kind == E_CALL)
        check_call(cx, call, n);
    const ast_decl *fn =
        call->call == CALL_FN && call->fn->nres == n ? call->fn : NULL;
    for (uint32_t i = 0; i < n; i++) {
        ast_tensor *t = check_target(cx, &s->names.at[i]);
        if (!t)
            continue;
        const ast_tensor *r = fn ? fn->tensors.at[fn->nin + i] : NULL;
        int rank = !r ? -1 : fn->is_scalar ? call->rank : (int)r->shape.n;
        set_whole(cx, t, call, r ? r->dtype : DT_NONE, rank);
        mark_defined(t, &s->names.at[i]);
    }
}

void
check_stmt(check_ctx *cx, ast_stmt *s)
{
    cx->stmt = s;
    for (uint32_t i = 0; i < s->names.n; i++)
        vec_push(cx->a, &s->targets,
                 *map_get_str(&cx->tensors, s->names.at[i].s));
    if (s->has_subs)
        check_elements(cx, s);
    else if (s->names.n == 1)
        check_whole(cx, s);
    else
        check_several(cx, s);
    cx->scope.n = 0;
}
