// SPDX-License-Identifier: Apache-2.0
// Checks a parsed module: signatures first, so that functions may be used
// before they are declared, then bodies, then that nothing calls itself. All of
// it is independent of concrete extents.
#include "frontend/frontend_int.h"

// ---- signatures ------------------------------------------------------------

// Types of the machine's later formats.
static bool
is_reserved_type(str name)
{
    return str_eq_z(name, "mxfp8") || str_eq_z(name, "mxfp4");
}

num_dtype
check_type(check_ctx *cx, ast_name name)
{
    num_dtype t = num_dtype_parse(name.s.p, name.s.n);
    if (t && !num_is_packed(t)) // of the machine's block formats alone
        return t;
    if (is_reserved_type(name.s)) {
        diag(cx->d, name.at, D_NOT_YET,
             arena_printf(cx->a, "type '%.*s'", STR_ARG(name.s)));
        return DT_NONE;
    }
    diag(cx->d, name.at, D_UNKNOWN_TYPE, STR_ARG(name.s));
    suggest_type(cx, name.s);
    return DT_NONE;
}

static void
check_dims(check_ctx *cx)
{
    const ast_names *dims = &cx->decl->dims;
    for (uint32_t i = 0; i < dims->n; i++) {
        const ast_name *name = &dims->at[i];
        const uint32_t *other = map_get_str(&cx->dims, name->s);
        if (other) {
            diag(cx->d, name->at, D_DEFINED_TWICE, STR_ARG(name->s));
            diag_note_add(cx->d, dims->at[*other].at,
                          "it is defined here first");
            continue;
        }
        map_put_str(&cx->dims, name->s, i);
    }
}

static void
check_param(check_ctx *cx, uint32_t i)
{
    ast_tensor *t = cx->decl->tensors.at[i];
    t->dtype = check_type(cx, t->type_name);
    const uint32_t *other = map_get_str(&cx->tensors, t->name.s);
    if (other) {
        diag(cx->d, t->name.at, D_DEFINED_TWICE, STR_ARG(t->name.s));
        diag_note_add(cx->d, cx->decl->tensors.at[*other]->name.at,
                      "it is declared here first");
    } else {
        map_put_str(&cx->tensors, t->name.s, i);
    }
    if (t->shape.n > TIR_RANK)
        diag(cx->d, t->name.at, D_RANK_LIMIT, TIR_RANK, (int)t->shape.n);
    for (uint32_t x = 0; x < t->shape.n; x++)
        check_dim_expr(cx, t->shape.at[x]);
}

static bool
mentions_dim(const ast_expr *e, uint32_t dim)
{
    if (e->ref == REF_DIM && e->symbol == dim)
        return true;
    for (uint32_t i = 0; i < e->args.n; i++)
        if (mentions_dim(e->args.at[i], dim))
            return true;
    return false;
}

// Dims of a function come from its arguments alone.
static void
check_fn_dims(check_ctx *cx)
{
    const ast_decl *fn = cx->decl;
    for (uint32_t d = 0; d < fn->dims.n; d++) {
        bool found = false;
        for (uint32_t i = 0; i < fn->nin; i++)
            for (uint32_t x = 0; x < fn->tensors.at[i]->shape.n; x++)
                found |= mentions_dim(fn->tensors.at[i]->shape.at[x], d);
        if (!found)
            diag(cx->d, fn->dims.at[d].at, D_FN_DIM_UNUSED,
                 STR_ARG(fn->dims.at[d].s));
    }
}

static check_ctx
context_of(arena *a, diags *d, tk_module *m, ast_decl *decl)
{
    return (check_ctx){.a = a,
                       .d = d,
                       .m = m,
                       .decl = decl,
                       .tensors = map_new(a),
                       .dims = map_new(a)};
}

// Dims that the body computes from the others, in order.
static void
check_lets(check_ctx *cx)
{
    const ast_decl *decl = cx->decl;
    for (uint32_t i = 0; i < decl->lets.n; i++) {
        const ast_let *let = &decl->lets.at[i];
        check_dim_expr(cx, let->value);
        if (map_get_str(&cx->dims, let->name.s))
            diag(cx->d, let->name.at, D_DEFINED_TWICE, STR_ARG(let->name.s));
        else
            map_put_str(&cx->dims, let->name.s, decl->dims.n + i);
    }
}

static void
check_signature(check_ctx *cx)
{
    ast_decl *decl = cx->decl;
    uint32_t nparams = decl->nin + decl->nres;
    check_dims(cx);
    decl->is_scalar = decl->nin > 0 && !decl->is_kernel && !decl->inouts.n;
    for (uint32_t i = 0; i < nparams; i++) {
        check_param(cx, i);
        decl->is_scalar &= decl->tensors.at[i]->shape.n == 0;
    }
    if (!decl->is_kernel)
        check_fn_dims(cx);
    check_lets(cx);
    for (uint32_t i = nparams; i < decl->tensors.n; i++)
        check_param(cx, i); // declared in the body
}

static bool
same_ranks(const ast_decl *a, const ast_decl *b)
{
    if (a->nin != b->nin)
        return false;
    for (uint32_t i = 0; i < a->nin; i++)
        if (a->tensors.at[i]->shape.n != b->tensors.at[i]->shape.n)
            return false;
    return true;
}

// Functions of one name are overloads when the ranks of their parameters
// differ; kernels are alone.
static void
register_decl(check_ctx *cx)
{
    ast_decl *decl = cx->decl;
    const uint32_t *last = map_get_str(&cx->m->fns, decl->name.s);
    const ast_decl *same = last ? cx->m->decls.at[*last] : NULL;
    decl->next = same;
    for (; same; same = same->next) {
        if (!decl->is_kernel && !same->is_kernel && !same_ranks(decl, same))
            continue;
        diag(cx->d, decl->name.at, D_DEFINED_TWICE, STR_ARG(decl->name.s));
        diag_note_add(cx->d, same->name.at, "it is defined here first");
        decl->next = NULL;
        return;
    }
    map_put_str(&cx->m->fns, decl->name.s, decl->order);
}

// ---- bodies ----------------------------------------------------------------

static void
add_locals(check_ctx *cx)
{
    for (uint32_t i = 0; i < cx->decl->body.n; i++) {
        const ast_stmt *s = cx->decl->body.at[i];
        for (uint32_t k = 0; k < s->lefts.n; k++) {
            if (map_get_str(&cx->tensors, s->lefts.at[k]->name.s))
                continue;
            ast_tensor *t = ARENA_NEW(cx->a, ast_tensor);
            t->name = s->lefts.at[k]->name;
            t->role = TENSOR_LOCAL;
            t->rank = -1;
            map_put_str(&cx->tensors, t->name.s, cx->decl->tensors.n);
            vec_push(cx->a, &cx->decl->tensors, t);
        }
    }
}

static void
check_results(check_ctx *cx)
{
    const ast_decl *decl = cx->decl;
    for (uint32_t i = decl->nin; i < decl->nin + decl->nres; i++) {
        const ast_tensor *t = decl->tensors.at[i];
        if (!t->is_defined && !decl->is_broken && !decl->has_lost)
            diag(cx->d, t->name.at, D_RESULT_UNDEFINED, STR_ARG(t->name.s));
    }
    for (uint32_t i = 0; i < decl->inouts.n; i++) {
        const ast_tensor *t = decl->tensors.at[decl->inouts.at[i]];
        if (!t->last && !decl->is_broken && !decl->has_lost)
            diag(cx->d, t->name.at, D_INOUT_UNUSED, STR_ARG(t->name.s));
    }
}

static void
check_body(check_ctx *cx)
{
    ast_decl *decl = cx->decl;
    add_locals(cx);
    decl->is_inline = decl->is_scalar;
    for (uint32_t i = 0; i < decl->body.n; i++) {
        const ast_stmt *s = decl->body.at[i];
        check_stmt(cx, decl->body.at[i]);
        decl->is_inline &=
            s->kind == S_DEFINE && s->lefts.n == 1 && !s->lefts.at[0]->read;
    }
    check_results(cx);
}

// ---- recursion -------------------------------------------------------------

enum { NOT_SEEN, OPEN, DONE };

static void
visit_calls(check_ctx *cx, const ast_decl *decl, uint8_t *state, uint32_t depth)
{
    if (depth > AST_MAX_DEPTH) {
        diag(cx->d, decl->name.at, D_NESTING, AST_MAX_DEPTH);
        return;
    }
    state[decl->order] = OPEN;
    for (uint32_t i = 0; i < decl->calls.n; i++) {
        const ast_decl *to = decl->calls.at[i];
        // A library cannot call back.
        bool is_ours =
            to->order < cx->m->decls.n && cx->m->decls.at[to->order] == to;
        if (is_ours && state[to->order] == NOT_SEEN)
            visit_calls(cx, to, state, depth + 1);
        else if (is_ours && state[to->order] == OPEN)
            diag(cx->d, to->name.at, D_RECURSION, STR_ARG(to->name.s));
    }
    state[decl->order] = DONE;
}

static void
check_recursion(check_ctx *cx)
{
    uint8_t *state = ARENA_ARRAY(cx->a, cx->m->decls.n, uint8_t);
    for (uint32_t i = 0; i < cx->m->decls.n; i++)
        if (state[i] == NOT_SEEN)
            visit_calls(cx, cx->m->decls.at[i], state, 1);
}

void
check_module(arena *a, diags *d, tk_module *m)
{
    check_ctx *cx = ARENA_ARRAY(a, m->decls.n, check_ctx);
    for (uint32_t i = 0; i < m->decls.n; i++) {
        cx[i] = context_of(a, d, m, m->decls.at[i]);
        check_signature(&cx[i]);
    }
    for (uint32_t i = 0; i < m->decls.n; i++)
        register_decl(&cx[i]);
    for (uint32_t i = 0; i < m->decls.n; i++)
        check_body(&cx[i]);
    if (m->decls.n)
        check_recursion(&cx[0]);
}
