// SPDX-License-Identifier: Apache-2.0
// Indices: their scopes, their stated ranges, and subscripts, which are sums
// of indices times constants.
#include "frontend/frontend_int.h"

ast_index *
check_find_index(const check_ctx *cx, str name)
{
    for (uint32_t i = cx->scope.n; i-- > 0;)
        if (str_eq(cx->scope.at[i]->name.s, name))
            return cx->scope.at[i];
    return NULL;
}

void
check_add_index(check_ctx *cx, ast_index *ix)
{
    ast_index *other = check_find_index(cx, ix->name.s);
    if (other) {
        diag(cx->d, ix->name.at, D_INDEX_IN_USE, STR_ARG(ix->name.s));
        diag_note_add(cx->d, other->name.at, "it is introduced here");
        other->is_fixed = true; // its uses may have gone to this one
    }
    ix->slot = cx->decl->nindices++;
    vec_push(cx->a, &cx->scope, ix);
    vec_push(cx->a, &cx->stmt->indices, ix);
}

void
check_drop_indices(check_ctx *cx, uint32_t n, bool quiet)
{
    for (; n > 0; n--) {
        const ast_index *ix = cx->scope.at[--cx->scope.n];
        if (ix->is_fixed || quiet)
            continue;
        diag(cx->d, ix->name.at, D_INDEX_NO_RANGE, STR_ARG(ix->name.s));
        diag_note_add(cx->d, ix->name.at,
                      "state it ('%.*s in 0..N'), or let the index stand alone "
                      "in a subscript",
                      STR_ARG(ix->name.s));
    }
}

void
check_range(check_ctx *cx, const ast_index *ix)
{
    if (!ix->lo)
        return;
    check_dim_expr(cx, ix->lo);
    check_dim_expr(cx, ix->hi);
}

// ---- expressions of dims ---------------------------------------------------

static void
not_a_dim(check_ctx *cx, ast_expr *e)
{
    if (e->kind != E_POISON)
        diag(cx->d, e->at, D_NOT_A_DIM);
    check_poison(e);
}

static bool
check_dim_name(check_ctx *cx, ast_expr *e)
{
    const uint32_t *dim = map_get_str(&cx->dims, e->name.s);
    if (!dim)
        return false;
    e->ref = REF_DIM;
    e->symbol = *dim;
    e->has_dim = true;
    return true;
}

static bool
is_dim_op(const ast_expr *e)
{
    if (e->kind == E_UNARY)
        return e->func1 == NUM_NEG;
    return e->kind == E_BINARY &&
           (e->func2 == NUM_ADD || e->func2 == NUM_SUB || e->func2 == NUM_MUL ||
            e->func2 == NUM_DIV || e->func2 == NUM_MOD);
}

void
check_dim_expr(check_ctx *cx, ast_expr *e)
{
    e->dtype = DT_I32;
    e->is_literal = true;
    if (e->kind == E_INT)
        return;
    if (e->kind == E_NAME && check_dim_name(cx, e))
        return;
    if (e->kind == E_NAME) {
        diag(cx->d, e->at, D_UNKNOWN_DIM, STR_ARG(e->name.s));
        suggest_dim(cx, e->name.s);
        check_poison(e);
        return;
    }
    if (!is_dim_op(e)) {
        not_a_dim(cx, e);
        return;
    }
    for (uint32_t i = 0; i < e->args.n; i++) {
        check_dim_expr(cx, e->args.at[i]);
        e->has_dim |= e->args.at[i]->has_dim;
    }
}

// ---- subscripts ------------------------------------------------------------

// What a subscript is: a constant, a sum of indices times constants, or a value
// that the program computes.
typedef enum { SUB_BAD, SUB_CONSTANT, SUB_AFFINE, SUB_VALUE } sub_kind;

static bool
is_scalar_tensor(const check_ctx *cx, str name)
{
    const uint32_t *symbol = map_get_str(&cx->tensors, name);
    return symbol && cx->decl->tensors.at[*symbol]->rank == 0;
}

static sub_kind check_sub_value(check_ctx *cx, ast_expr *e);

static sub_kind
check_sub_name(check_ctx *cx, ast_expr *e)
{
    e->dtype = DT_I32;
    ast_index *ix = check_find_index(cx, e->name.s);
    if (ix) {
        e->ref = REF_INDEX;
        e->index = ix;
        return SUB_AFFINE;
    }
    if (is_scalar_tensor(cx, e->name.s))
        return check_sub_value(cx, e);
    e->is_literal = true;
    if (check_dim_name(cx, e))
        return SUB_CONSTANT;
    if (map_get_str(&cx->tensors, e->name.s))
        return check_sub_value(cx, e);
    diag(cx->d, e->at, D_UNKNOWN_INDEX, STR_ARG(e->name.s));
    suggest_index(cx, e->name.s);
    return SUB_BAD;
}

// A value of the program: any i32.
static sub_kind
check_sub_value(check_ctx *cx, ast_expr *e)
{
    e->is_literal = false;
    check_expr(cx, e);
    check_element(cx, e);
    if (e->dtype == DT_NONE || e->rank != 0)
        return SUB_BAD;
    if (type_as(e) == NUM_AS_I32)
        return SUB_VALUE;
    diag(cx->d, e->at, D_SUBSCRIPT_TYPE, num_dtype_name(e->dtype));
    type_suggest_cast(cx, e, DT_I32);
    return SUB_BAD;
}

static sub_kind check_sub(check_ctx *cx, ast_expr *e);

// + - * / % of subscripts.
static sub_kind
check_sub_operands(check_ctx *cx, ast_expr *e)
{
    sub_kind x = check_sub(cx, e->args.at[0]);
    sub_kind y = e->args.n > 1 ? check_sub(cx, e->args.at[1]) : SUB_CONSTANT;
    e->dtype = DT_I32;
    e->operand = NUM_AS_I32;
    if (x == SUB_BAD || y == SUB_BAD)
        return SUB_BAD;
    for (uint32_t i = 0; i < e->args.n; i++)
        e->has_dim |= e->args.at[i]->has_dim;
    e->is_literal = x == SUB_CONSTANT && y == SUB_CONSTANT;
    if (e->is_literal)
        return SUB_CONSTANT;
    bool affine = x != SUB_VALUE && y != SUB_VALUE;
    bool sum = e->kind == E_UNARY || e->func2 == NUM_ADD || e->func2 == NUM_SUB;
    bool scaled =
        e->func2 == NUM_MUL && (x == SUB_CONSTANT || y == SUB_CONSTANT);
    return affine && (sum || scaled) ? SUB_AFFINE : SUB_VALUE;
}

static sub_kind
check_sub(check_ctx *cx, ast_expr *e)
{
    sub_kind kind;
    if (e->kind == E_POISON)
        return SUB_BAD;
    if (e->kind == E_INT) {
        e->dtype = DT_I32;
        e->is_literal = true;
        kind = SUB_CONSTANT;
    } else if (e->kind == E_NAME) {
        kind = check_sub_name(cx, e);
    } else {
        kind =
            is_dim_op(e) ? check_sub_operands(cx, e) : check_sub_value(cx, e);
    }
    e->is_value = kind == SUB_VALUE;
    return kind;
}

static bool
check_subs(check_ctx *cx, ast_expr *e)
{
    bool ok = true;
    for (uint32_t i = 1; i < e->args.n; i++)
        ok &= check_sub(cx, e->args.at[i]) != SUB_BAD;
    return ok;
}

// The indices that stand alone in a subscript get their range from it.
static void
note_uses(check_ctx *cx, const ast_expr *e, bool is_sound)
{
    for (uint32_t i = 1; i < e->args.n; i++) {
        const ast_expr *s = e->args.at[i];
        if (s->kind != E_NAME || s->ref != REF_INDEX)
            continue;
        s->index->is_fixed = true;
        if (is_sound)
            vec_push(cx->a, &cx->stmt->uses, (ast_use){e, i - 1, s->index});
    }
}

static bool
is_fill(const ast_expr *e)
{
    if (e->kind == E_UNARY)
        return e->func1 == NUM_NEG && is_fill(e->args.at[0]);
    return e->is_literal || e->kind == E_FLOAT || e->ref == REF_CONST;
}

static void
check_fill(check_ctx *cx, ast_expr *e, const ast_expr *base)
{
    check_expr(cx, e->fill);
    if (e->fill->dtype == DT_NONE || base->dtype == DT_NONE)
        return;
    if (!is_fill(e->fill) ||
        !type_fits(e->fill, type_full(type_as(base)), false))
        diag(cx->d, e->fill->at, D_FILL_NOT_CONSTANT);
}

static bool
check_sub_count(check_ctx *cx, const ast_expr *e)
{
    const ast_expr *base = e->args.at[0];
    int nsubs = (int)e->args.n - 1;
    if (base->rank == nsubs)
        return true;
    const char *what = base->kind == E_NAME
                           ? arena_printf(cx->a, "%.*s", STR_ARG(base->name.s))
                           : "the value";
    diag(cx->d, e->at, D_SUBSCRIPT_COUNT, what, base->rank, plural(base->rank),
         nsubs, plural(nsubs));
    if (base->kind == E_NAME && base->ref == REF_TENSOR)
        diag_note_add(cx->d, cx->decl->tensors.at[base->symbol]->name.at,
                      "'%s' is declared here", what);
    return false;
}

void
check_element_of(check_ctx *cx, ast_expr *e)
{
    const ast_expr *base = e->args.at[0];
    bool is_sound = check_subs(cx, e) && base->rank >= 0;
    is_sound = is_sound && check_sub_count(cx, e);
    note_uses(cx, e, is_sound);
    if (e->fill)
        check_fill(cx, e, base);
    e->dtype = base->dtype;
    e->rank = 0;
    if (!is_sound)
        check_poison(e);
}

void
check_subscript(check_ctx *cx, ast_expr *e)
{
    check_base(cx, e->args.at[0]);
    check_element_of(cx, e);
}
