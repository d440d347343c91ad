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

uint32_t
decl_results(const ast_decl *fn)
{
    return fn->nres + fn->inouts.n;
}

uint32_t
decl_result(const ast_decl *fn, uint32_t i)
{
    return i < fn->nres ? fn->nin + i : fn->inouts.at[i - fn->nres];
}

void
check_call_result(const ast_expr *call, uint32_t i, uint32_t n,
                  num_dtype *dtype, int *rank)
{
    if (call->call == CALL_SORT && call->dtype != DT_NONE) {
        bool positions = call->is_arg || i == 1;
        *dtype = positions ? DT_I32 : call->args.at[0]->dtype;
        *rank = call->rank;
    }
    if (call->call != CALL_FN || decl_results(call->fn) != n)
        return;
    const ast_tensor *r = call->fn->tensors.at[decl_result(call->fn, i)];
    *dtype = r->dtype;
    *rank = call->fn->is_scalar ? call->rank : (int)(r->shape.n + call->nextra);
}

static const ast_decl *
fns_named(const tk_module *m, str name)
{
    const uint32_t *i = map_get_str(&m->fns, name);
    return i ? m->decls.at[*i] : NULL;
}

// The file's own name wins over the library's, whose kernels are its own.
// Inside a function, its name means the built-in function if there is one.
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

// Leading dimensions that the arguments have and the parameters have not: the
// same number in all that have any, -1 if that is not so.
static int
extra_rank(const ast_decl *fn, const ast_expr *e)
{
    int extra = 0;
    if (fn->nin != e->args.n)
        return -1;
    for (uint32_t i = 0; i < fn->nin; i++) {
        int more = e->args.at[i]->rank - (int)fn->tensors.at[i]->shape.n;
        if (more < 0 || (more && extra && more != extra))
            return -1;
        extra = more ? more : extra;
    }
    return extra;
}

// The overload with the fewest extra dimensions; a function of scalars is
// elementwise.
static const ast_decl *
pick_overload(const ast_decl *fns, ast_expr *e)
{
    const ast_decl *best = NULL, *scalar = NULL;
    int least = TIR_RANK + 1;
    for (const ast_decl *fn = fns; fn; fn = fn->next) {
        int extra = extra_rank(fn, e);
        if (fn->is_scalar && fn->nin == e->args.n)
            scalar = fn;
        if (extra < 0 || extra >= least || (extra > 0 && fn->is_scalar))
            continue;
        least = extra;
        best = fn;
    }
    e->nextra = best ? (uint32_t)least : 0;
    return best ? best : scalar;
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
    const ast_tensor *r = fn->tensors.at[decl_result(fn, 0)];
    e->dtype = r->dtype;
    e->rank = (int)(r->shape.n + e->nextra);
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
    uint32_t n = decl_results(fn);
    if (n != nresults) {
        diag(cx->d, e->at, D_CALL_RESULTS, STR_ARG(e->name.s), n, plural(n),
             nresults);
        return;
    }
    set_result(e, fn);
}

// Names that later versions of the language define.
static bool
is_reserved_fn(str name)
{
    static const char *const later[] = {
        "all_reduce", "all_gather", "reduce_scatter",
        "all_to_all", "broadcast",  "permute",
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
    if (fns) {
        check_fn_call(cx, e, fns, nresults);
    } else if (check_sort(cx, e, nresults)) {
        ;
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
