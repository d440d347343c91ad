// SPDX-License-Identifier: Apache-2.0
// Scatters: 'out[ids[t], d] += u[t, d] where c[t]'. Their indices are those of
// the left side, in order of appearance, then those that only the right side
// has: every name in a subscript that means nothing else.
#include "frontend/frontend_int.h"

// ---- the indices -----------------------------------------------------------

static bool
is_known_name(const check_ctx *cx, str name)
{
    return check_find_index(cx, name) || map_get_str(&cx->tensors, name) ||
           map_get_str(&cx->dims, name) || check_is_constant(name);
}

static void
add_name(check_ctx *cx, const ast_stmt *s, const ast_expr *e, bool in_sub)
{
    bool is_stated = check_for_of(s, e->name.s) != NULL;
    if ((in_sub || is_stated) && (is_stated || !is_known_name(cx, e->name.s)))
        (void)check_stmt_index(cx, s, e->name);
}

static void add_names(check_ctx *cx, const ast_stmt *s, const ast_expr *e,
                      bool in_sub);

// A reduction's own indices are no others'.
static void
add_reduction(check_ctx *cx, const ast_stmt *s, const ast_expr *e, bool in_sub)
{
    ast_indices outer = cx->scope;
    cx->scope = (ast_indices){0};
    for (uint32_t i = 0; i < outer.n; i++)
        vec_push(cx->a, &cx->scope, outer.at[i]);
    for (uint32_t i = 0; i < e->binders.n; i++)
        vec_push(cx->a, &cx->scope, e->binders.at[i]);
    uint32_t inner = cx->scope.n;
    if (e->filter)
        add_names(cx, s, e->filter, in_sub);
    add_names(cx, s, e->args.at[0], in_sub);
    for (uint32_t i = inner; i < cx->scope.n; i++)
        vec_push(cx->a, &outer, cx->scope.at[i]);
    cx->scope = outer;
}

// Arguments that name a type or an order are no values.
static uint32_t
value_args(const ast_expr *e)
{
    bool takes_name =
        e->kind == E_CALL &&
        (str_eq_z(e->name.s, "cast") || str_eq_z(e->name.s, "sort") ||
         str_eq_z(e->name.s, "argsort") || str_eq_z(e->name.s, "topk"));
    return takes_name && e->args.n ? 1 : e->args.n;
}

static void
add_names(check_ctx *cx, const ast_stmt *s, const ast_expr *e, bool in_sub)
{
    if (e->kind == E_NAME) {
        add_name(cx, s, e, in_sub);
        return;
    }
    if (e->kind == E_REDUCE) {
        add_reduction(cx, s, e, in_sub);
        return;
    }
    uint32_t n = value_args(e);
    for (uint32_t i = 0; i < n; i++) {
        const ast_expr *x = e->args.at[i];
        bool is_sub = e->kind == E_SUBSCRIPT && i > 0;
        if (e->kind == E_SUBSCRIPT && i == 0 && x->kind == E_NAME)
            continue; // the tensor
        add_names(cx, s, x, in_sub || is_sub);
    }
}

// A name alone on the left is an index even where a dim has that name.
static void
add_left(check_ctx *cx, const ast_stmt *s, const ast_expr *read)
{
    for (uint32_t i = 1; i < read->args.n; i++) {
        const ast_expr *sub = read->args.at[i];
        const uint32_t *symbol =
            sub->kind == E_NAME ? map_get_str(&cx->tensors, sub->name.s) : NULL;
        bool is_data = symbol && cx->decl->tensors.at[*symbol]->rank == 0;
        if (sub->kind == E_NAME && !is_data)
            (void)check_stmt_index(cx, s, sub->name);
        else
            add_names(cx, s, sub, true);
    }
}

// ---- the statement ---------------------------------------------------------

// What is scattered into has extents already.
static bool
check_extents(check_ctx *cx, const ast_tensor *t, const ast_left *left)
{
    if (t->role != TENSOR_LOCAL || t->is_declared || t->is_defined)
        return true;
    diag(cx->d, left->name.at, D_SCATTER_EXTENTS, STR_ARG(t->name.s));
    diag_note_add(cx->d, left->name.at, "declare it: '%.*s: f32[...]'",
                  STR_ARG(t->name.s));
    return false;
}

static void
check_left_side(check_ctx *cx, ast_left *left, const ast_tensor *t)
{
    ast_expr *base = left->read->args.at[0];
    base->ref = REF_TENSOR;
    base->symbol = left->symbol;
    base->dtype = t->dtype;
    base->rank = t->rank;
    check_element_of(cx, left->read);
}

static void
check_value(check_ctx *cx, const ast_stmt *s, ast_tensor *t)
{
    ast_expr *value = s->values.at[0];
    check_expr(cx, value);
    check_element(cx, value);
    check_store_element(cx, t, value);
    if (s->step != NUM_R_NONE && t->dtype == DT_BOOL)
        diag(cx->d, s->lefts.at[0]->read->at, D_TYPE_OPERAND,
             s->step == NUM_R_SUM   ? "+="
             : s->step == NUM_R_MAX ? "max="
                                    : "min=",
             num_dtype_name(t->dtype));
    if (!s->guard)
        return;
    check_expr(cx, s->guard);
    check_condition(cx, s->guard);
    check_element(cx, s->guard);
}

void
check_scatter(check_ctx *cx, ast_stmt *s)
{
    ast_left *left = s->lefts.at[0];
    ast_tensor *t = check_target(cx, s, left);
    bool ok = t && check_extents(cx, t, left);
    if (ok) {
        check_fors(cx, s);
        add_left(cx, s, left->read);
        for (uint32_t i = 0; i < s->fors.n; i++)
            (void)check_stmt_index(cx, s, s->fors.at[i]->name);
        add_names(cx, s, s->values.at[0], false);
        if (s->guard)
            add_names(cx, s, s->guard, false);
        s->nindices = cx->scope.n;
        check_left_side(cx, left, t);
        check_value(cx, s, t);
        check_drop_indices(cx, cx->scope.n,
                           left->read->dtype == DT_NONE ||
                               s->values.at[0]->dtype == DT_NONE);
    }
    check_defined(t, s, left);
}
