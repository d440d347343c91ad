// SPDX-License-Identifier: Apache-2.0
// sort(x, axis), argsort(x, axis) and (values, positions) = topk(x, k, axis),
// each with an order as last argument where it is not the usual one.
#include "frontend/frontend_int.h"

static bool
check_axis(check_ctx *cx, ast_expr *e, ast_expr *axis)
{
    int rank = e->rank;
    check_dim_expr(cx, axis);
    if (axis->dtype == DT_NONE || rank < 0)
        return false;
    if (!dim_constant(axis, &e->value) || e->value < -rank ||
        e->value >= rank) {
        diag(cx->d, axis->at, D_SORT_AXIS, STR_ARG(e->name.s), -rank, rank - 1);
        return false;
    }
    e->value += e->value < 0 ? rank : 0;
    return true;
}

static bool
check_order(check_ctx *cx, ast_expr *e, const ast_expr *order)
{
    bool is_name = order->kind == E_NAME;
    e->is_descending = is_name && str_eq_z(order->name.s, "descending");
    if (e->is_descending || (is_name && str_eq_z(order->name.s, "ascending")))
        return true;
    if (order->kind != E_POISON)
        diag(cx->d, order->at, D_SORT_ORDER);
    return false;
}

static bool
check_sorted(check_ctx *cx, const ast_expr *e, const ast_expr *x)
{
    if (x->dtype == DT_NONE)
        return false;
    if (x->dtype == DT_BOOL) {
        diag(cx->d, x->at, D_TYPE_OPERAND,
             arena_printf(cx->a, "%.*s", STR_ARG(e->name.s)), "bool");
        return false;
    }
    return true;
}

// False if it is none of the three.
bool
check_sort(check_ctx *cx, ast_expr *e, uint32_t nresults)
{
    bool is_top = str_eq_z(e->name.s, "topk");
    uint32_t want = is_top ? 3 : 2;
    e->is_arg = str_eq_z(e->name.s, "argsort");
    if (!is_top && !e->is_arg && !str_eq_z(e->name.s, "sort"))
        return false;
    e->call = CALL_SORT;
    e->is_descending = is_top;
    if (e->args.n != want && e->args.n != want + 1) {
        diag(cx->d, e->at, D_CALL_COUNT, STR_ARG(e->name.s), want, "s",
             e->args.n);
        check_poison(e);
        return true;
    }
    ast_expr *x = e->args.at[0];
    check_expr(cx, x);
    e->rank = x->rank;
    bool ok = check_sorted(cx, e, x);
    if (is_top)
        check_dim_expr(cx, e->args.at[1]);
    ok = check_axis(cx, e, e->args.at[want - 1]) && ok;
    if (e->args.n > want)
        ok &= check_order(cx, e, e->args.at[want]);
    if (ok && nresults != want - 1) {
        diag(cx->d, e->at, D_CALL_RESULTS, STR_ARG(e->name.s), want - 1,
             plural(want - 1), nresults);
        ok = false;
    }
    e->dtype = e->is_arg ? DT_I32 : x->dtype;
    if (!ok || (is_top && e->args.at[1]->dtype == DT_NONE))
        check_poison(e);
    return true;
}
