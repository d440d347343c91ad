// SPDX-License-Identifier: Apache-2.0
// Calls: cast, select, built-in functions, and functions of this file or the
// library. Overloads differ in the ranks of their parameters. A function of
// scalars also applies to whole tensors, element by element.
#include "frontend/frontend_int.h"

static const char *
name_z(check_ctx *cx, const ast_expr *e)
{
    return arena_printf(cx->a, "%.*s", STR_ARG(e->name.s));
}

static void
check_args(check_ctx *cx, ast_expr *e)
{
    for (uint32_t i = 0; i < e->args.n; i++)
        check_expr(cx, e->args.at[i]);
}

static bool
check_count(check_ctx *cx, ast_expr *e, uint32_t want)
{
    if (e->args.n == want)
        return true;
    diag(cx->d, e->at, D_CALL_COUNT, STR_ARG(e->name.s), want, plural(want),
         e->args.n);
    check_args(cx, e);
    check_poison(e);
    return false;
}

// ---- cast and select -------------------------------------------------------

static void
check_cast(check_ctx *cx, ast_expr *e)
{
    e->call = CALL_CAST;
    if (!check_count(cx, e, 2))
        return;
    ast_expr *x = e->args.at[0];
    const ast_expr *type = e->args.at[1];
    check_expr(cx, x);
    e->rank = x->rank;
    if (type->kind != E_NAME) {
        if (type->kind != E_POISON)
            diag(cx->d, type->at, D_CAST_FORM);
        return;
    }
    num_dtype to = check_type(cx, type->name);
    if (x->dtype == DT_NONE || to == DT_NONE)
        return;
    num_as as = num_widened(to);
    // A constant is written in the type's class at once.
    e->operand = x->is_literal && as != NUM_AS_BOOL ? as : type_as(x);
    e->dtype = to;
}

static void
check_select(check_ctx *cx, ast_expr *e)
{
    e->call = CALL_SELECT;
    if (!check_count(cx, e, 3))
        return;
    check_args(cx, e);
    const ast_expr *c = e->args.at[0], *x = e->args.at[1], *y = e->args.at[2];
    check_condition(cx, c);
    num_as as = type_unify(cx, x, y);
    e->rank = type_rank(c->rank, type_rank(x->rank, y->rank));
    if (!as || c->dtype != DT_BOOL)
        return;
    e->operand = as;
    bool same = x->dtype == y->dtype && !x->is_literal && !y->is_literal;
    e->dtype = same ? x->dtype : type_full(as);
}

static bool
check_builtin(check_ctx *cx, ast_expr *e)
{
    num_unary f1 = num_unary_parse(e->name.s.p, e->name.s.n);
    num_binary f2 = num_binary_parse(e->name.s.p, e->name.s.n);
    if (str_eq_z(e->name.s, "cast")) {
        check_cast(cx, e);
    } else if (str_eq_z(e->name.s, "select")) {
        check_select(cx, e);
    } else if (f1) {
        e->call = CALL_UNARY;
        e->func1 = f1;
        if (!check_count(cx, e, 1))
            return true;
        check_args(cx, e);
        type_unary(cx, e, f1, num_unary_name(f1));
    } else if (f2) {
        e->call = CALL_BINARY;
        e->func2 = f2;
        if (!check_count(cx, e, 2))
            return true;
        check_args(cx, e);
        type_binary(cx, e, f2, num_binary_name(f2));
    } else {
        return false;
    }
    return true;
}

// ---- functions -------------------------------------------------------------

static const ast_decl *
fns_named(const tk_module *m, str name)
{
    const uint32_t *i = map_get_str(&m->fns, name);
    return i ? m->decls.at[*i] : NULL;
}

// The file's own name wins over the library's. Inside a function, its name
// means the built-in function if there is one.
static const ast_decl *
find_fns(check_ctx *cx, str name)
{
    if (str_eq(name, cx->decl->name.s) && !cx->decl->is_kernel &&
        (num_unary_parse(name.p, name.n) || num_binary_parse(name.p, name.n)))
        return NULL;
    const ast_decl *found = fns_named(cx->m, name);
    for (uint32_t i = 0; !found && i < cx->m->nlibs; i++) {
        found = fns_named(cx->m->libs[i], name);
        if (found && found->is_kernel)
            found = NULL;
    }
    return found;
}

static bool
ranks_match(const ast_decl *fn, const ast_expr *e)
{
    if (fn->nin != e->args.n)
        return false;
    for (uint32_t i = 0; i < fn->nin; i++)
        if ((int)fn->tensors.at[i]->shape.n != e->args.at[i]->rank)
            return false;
    return true;
}

static const ast_decl *
pick_overload(const ast_decl *fns, const ast_expr *e)
{
    const ast_decl *scalar = NULL;
    for (const ast_decl *fn = fns; fn; fn = fn->next) {
        if (ranks_match(fn, e))
            return fn;
        if (fn->is_scalar && fn->nin == e->args.n && fn->nin)
            scalar = fn;
    }
    return scalar;
}

static void
report_no_overload(check_ctx *cx, ast_expr *e, const ast_decl *fns)
{
    if (!fns->next && fns->nin != e->args.n) {
        diag(cx->d, e->at, D_CALL_COUNT, STR_ARG(e->name.s), fns->nin,
             plural(fns->nin), e->args.n);
    } else {
        strbuf ranks = strbuf_new(cx->a);
        strbuf_put(&ranks, STR(""));
        for (uint32_t i = 0; i < e->args.n; i++)
            strbuf_printf(&ranks, "%s%d", i ? ", " : "", e->args.at[i]->rank);
        diag(cx->d, e->at, D_CALL_RANKS, STR_ARG(e->name.s), ranks.p);
    }
    uint32_t shown = 0;
    for (const ast_decl *fn = fns; fn && shown < 4; fn = fn->next, shown++)
        diag_note_add(cx->d, fn->name.at, "'%.*s' is declared here",
                      STR_ARG(fn->name.s));
}

static void
check_arg_types(check_ctx *cx, const ast_expr *e, const ast_decl *fn)
{
    for (uint32_t i = 0; i < fn->nin; i++) {
        const ast_tensor *p = fn->tensors.at[i];
        const ast_expr *x = e->args.at[i];
        if (type_fits(x, p->dtype, true))
            continue;
        diag(cx->d, x->at, D_TYPE_ARGUMENT, STR_ARG(p->name.s),
             num_dtype_name(p->dtype), num_dtype_name(x->dtype));
        type_suggest_cast(cx, x, p->dtype);
        diag_note_add(cx->d, p->name.at, "the parameter is declared here");
    }
}

static void
set_result(ast_expr *e, const ast_decl *fn)
{
    const ast_tensor *r = fn->tensors.at[fn->nin];
    e->dtype = r->dtype;
    e->rank = (int)r->shape.n;
    if (!fn->is_scalar)
        return;
    for (uint32_t i = 0; i < e->args.n; i++)
        e->rank = type_rank(e->rank, e->args.at[i]->rank);
}

static void
check_fn_call(check_ctx *cx, ast_expr *e, const ast_decl *fns,
              uint32_t nresults)
{
    bool poisoned = false;
    check_args(cx, e);
    check_poison(e);
    for (uint32_t i = 0; i < e->args.n; i++)
        poisoned |= e->args.at[i]->rank < 0;
    if (poisoned)
        return;
    const ast_decl *fn = pick_overload(fns, e);
    if (!fn) {
        report_no_overload(cx, e, fns);
        return;
    }
    check_arg_types(cx, e, fn);
    e->call = CALL_FN;
    e->fn = fn;
    vec_push(cx->a, &cx->decl->calls, fn);
    if (fn->nres != nresults) {
        diag(cx->d, e->at, D_CALL_RESULTS, STR_ARG(e->name.s), fn->nres,
             plural(fn->nres), nresults);
        return;
    }
    set_result(e, fn);
}

// Names that later versions of the language define.
static bool
is_reserved_fn(str name)
{
    static const char *const later[] = {
        "topk",           "sort",       "argsort",   "random",     "uniform",
        "normal",         "philox",     "bernoulli", "all_reduce", "all_gather",
        "reduce_scatter", "all_to_all", "broadcast", "permute",
    };
    for (size_t i = 0; i < ARRAY_LEN(later); i++)
        if (str_eq_z(name, later[i]))
            return true;
    return false;
}

static void
report_unknown(check_ctx *cx, ast_expr *e)
{
    if (is_reserved_fn(e->name.s)) {
        diag(cx->d, e->at, D_NOT_YET,
             arena_printf(cx->a, "'%s'", name_z(cx, e)));
    } else if (num_reduce_parse(e->name.s.p, e->name.s.n) ||
               str_eq_z(e->name.s, "argmax") || str_eq_z(e->name.s, "argmin")) {
        diag(cx->d, e->name.at, D_UNKNOWN_FN, STR_ARG(e->name.s));
        diag_note_add(cx->d, e->name.at, "a reduction is '%.*s[i] x[i]'",
                      STR_ARG(e->name.s));
    } else if (!cx->m->lost) {
        diag(cx->d, e->name.at, D_UNKNOWN_FN, STR_ARG(e->name.s));
        suggest_fn(cx, e->name.s);
    }
    check_poison(e);
}

void
check_call(check_ctx *cx, ast_expr *e, uint32_t nresults)
{
    const ast_decl *fns = find_fns(cx, e->name.s);
    if (fns && fns->is_kernel) {
        diag(cx->d, e->name.at, D_KERNEL_CALLED, STR_ARG(e->name.s));
        check_args(cx, e);
        check_poison(e);
    } else if (fns) {
        check_fn_call(cx, e, fns, nresults);
    } else if (!check_builtin(cx, e)) {
        // Arguments of what later versions define need not make sense yet.
        if (!is_reserved_fn(e->name.s))
            check_args(cx, e);
        report_unknown(cx, e);
    } else if (nresults != 1 && e->dtype != DT_NONE) {
        diag(cx->d, e->at, D_CALL_RESULTS, STR_ARG(e->name.s), 1u, "",
             nresults);
        check_poison(e);
    }
}
