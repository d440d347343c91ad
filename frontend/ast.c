// SPDX-License-Identifier: Apache-2.0
// The builders that the grammar's actions call. They also cap the nesting, so
// that every later recursion over the tree is bounded.
#include "frontend/frontend_int.h"

#include <math.h>

static str
text_of(const parse_ctx *cx, loc at)
{
    return (str){cx->text.p + at.begin, at.end - at.begin};
}

// 'e' has 'under' as a part. Operands of 'a + b * c' do not count as nested,
// but they add to the height.
static void
nest(parse_ctx *cx, ast_expr *e, const ast_expr *under, uint32_t levels)
{
    if (!under)
        return;
    if (under->depth + levels > e->depth)
        e->depth = under->depth + levels;
    if (under->height + 1 > e->height)
        e->height = under->height + 1;
    if (e->depth > AST_MAX_DEPTH)
        parse_too_deep(cx, e->at);
    else if (e->height > AST_MAX_HEIGHT)
        parse_too_long(cx, e->at);
}

ast_expr *
ast_new(parse_ctx *cx, ast_kind kind, loc at)
{
    if (++cx->nodes > AST_MAX_NODES)
        parse_too_much(cx, at);
    ast_expr *e = ARENA_NEW(cx->a, ast_expr);
    e->kind = kind;
    e->at = at;
    e->height = 1;
    return e;
}

// ---- numbers ---------------------------------------------------------------

static bool
is_number(str s)
{
    bool is_hex = s.n > 1 && (s.p[1] == 'x' || s.p[1] == 'X');
    size_t i = is_hex ? 2 : 0;
    while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') ||
                       (is_hex && s.p[i] >= 'a' && s.p[i] <= 'f') ||
                       (is_hex && s.p[i] >= 'A' && s.p[i] <= 'F')))
        i++;
    return i == s.n;
}

ast_expr *
ast_int(parse_ctx *cx, loc at)
{
    str text = text_of(cx, at);
    uint64_t v = 0;
    ast_expr *e = ast_new(cx, E_INT, at);
    if (!str_to_u64(text, &v) || v > INT64_MAX) {
        if (is_number(text)) // else the lexer said so
            diag(cx->d, at, D_LITERAL_RANGE, STR_ARG(text), "64 bits");
        e->kind = E_POISON;
    }
    e->value = (int64_t)v;
    return e;
}

ast_expr *
ast_float(parse_ctx *cx, loc at)
{
    str text = text_of(cx, at);
    if (text.p[text.n - 1] == '.')
        text.n--;
    double v = 0;
    ast_expr *e = ast_new(cx, E_FLOAT, at);
    float f = str_to_f64(text, &v) ? num_round_f32(v) : INFINITY;
    if (isinf(f)) {
        diag(cx->d, at, D_LITERAL_RANGE, STR_ARG(text), "f32");
        e->kind = E_POISON;
    }
    e->word = num_word_f32(f);
    return e;
}

// ---- expressions -----------------------------------------------------------

ast_expr *
ast_ident(parse_ctx *cx, ast_name name)
{
    ast_expr *e = ast_new(cx, E_NAME, name.at);
    e->name = name;
    return e;
}

ast_expr *
ast_paren(parse_ctx *cx, loc at, ast_expr *e)
{
    e->at = at;
    if (++e->depth > AST_MAX_DEPTH)
        parse_too_deep(cx, at);
    return e;
}

static ast_expr *
ast_operands(parse_ctx *cx, ast_kind kind, loc at, ast_expr *x, ast_expr *y)
{
    ast_expr *e = ast_new(cx, kind, at);
    vec_push(cx->a, &e->args, x);
    if (y)
        vec_push(cx->a, &e->args, y);
    return e;
}

ast_expr *
ast_unary(parse_ctx *cx, loc at, num_unary f, bool logical, ast_expr *x)
{
    ast_expr *e = ast_operands(cx, E_UNARY, at, x, NULL);
    e->func1 = f;
    e->is_logical = logical;
    nest(cx, e, x, 1);
    return e;
}

ast_expr *
ast_binary(parse_ctx *cx, num_binary f, ast_expr *x, ast_expr *y)
{
    ast_expr *e = ast_operands(cx, E_BINARY, loc_join(x->at, y->at), x, y);
    e->func2 = f;
    nest(cx, e, x, 0);
    nest(cx, e, y, 0);
    return e;
}

ast_expr *
ast_logical(parse_ctx *cx, num_binary f, ast_expr *x, ast_expr *y)
{
    ast_expr *e = ast_binary(cx, f, x, y);
    e->is_logical = true;
    return e;
}

ast_expr *
ast_matmul(parse_ctx *cx, ast_expr *x, ast_expr *y)
{
    loc at = loc_join(x->at, y->at);
    ast_expr *e = ast_operands(cx, E_MATMUL, at, x, y);
    nest(cx, e, x, 0);
    nest(cx, e, y, 0);
    return e;
}

ast_expr *
ast_subscript(parse_ctx *cx, loc at, ast_expr *base, ast_exprs *subs)
{
    if (base->kind == E_SUBSCRIPT && base->fill) { // x[i] else y[j]
        loc part = {at.source, base->fill->at.begin, at.end};
        base->fill = ast_subscript(cx, part, base->fill, subs);
        base->at = at;
        nest(cx, base, base->fill, 1);
        return base;
    }
    // A plain read 'x[i, j]' is not nested.
    ast_expr *e = ast_operands(cx, E_SUBSCRIPT, at, base, NULL);
    nest(cx, e, base, base->depth > 0);
    for (uint32_t i = 0; i < subs->n; i++) {
        vec_push(cx->a, &e->args, subs->at[i]);
        nest(cx, e, subs->at[i], subs->at[i]->depth > 0);
    }
    return e;
}

ast_expr *
ast_fill(parse_ctx *cx, loc at, ast_expr *read, ast_expr *fill)
{
    if (read->kind == E_POISON)
        return read;
    if (read->kind != E_SUBSCRIPT || read->fill) {
        diag(cx->d, at, D_FILL_NO_READ);
        return ast_new(cx, E_POISON, at);
    }
    read->at = at;
    read->fill = fill;
    nest(cx, read, fill, 1);
    return read;
}

ast_expr *
ast_call_of(parse_ctx *cx, loc at, ast_name name, ast_exprs *args)
{
    ast_expr *e = ast_new(cx, E_CALL, at);
    e->name = name;
    if (args)
        e->args = *args;
    for (uint32_t i = 0; i < e->args.n; i++)
        nest(cx, e, e->args.at[i], 1);
    return e;
}

ast_expr *
ast_reduction(parse_ctx *cx, loc at, ast_name op, ast_indices *over,
              ast_expr *filter)
{
    ast_expr *e = ast_new(cx, E_REDUCE, at);
    e->name = op;
    e->is_arg = op.s.n == 6; // argmax, argmin
    size_t skip = e->is_arg ? 3 : 0;
    e->reduce = num_reduce_parse(op.s.p + skip, op.s.n - skip);
    e->binders = *over;
    e->filter = filter;
    nest(cx, e, filter, 1);
    return e;
}

ast_expr *
ast_reduction_body(parse_ctx *cx, ast_expr *red, ast_expr *body)
{
    red->at = loc_join(red->at, body->at);
    vec_push(cx->a, &red->args, body);
    nest(cx, red, body, 1);
    return red;
}

// ---- lists -----------------------------------------------------------------

ast_exprs *
ast_exprs_add(parse_ctx *cx, ast_exprs *list, ast_expr *e)
{
    ast_exprs *to = list ? list : ARENA_NEW(cx->a, ast_exprs);
    vec_push(cx->a, to, e);
    return to;
}

ast_names *
ast_names_add(parse_ctx *cx, ast_names *list, ast_name name)
{
    ast_names *to = list ? list : ARENA_NEW(cx->a, ast_names);
    vec_push(cx->a, to, name);
    return to;
}

ast_index *
ast_index_of(parse_ctx *cx, ast_name name, ast_expr *lo, ast_expr *hi)
{
    ast_index *ix = ARENA_NEW(cx->a, ast_index);
    *ix = (ast_index){name, lo, hi, 0, lo != NULL};
    return ix;
}

ast_indices *
ast_indices_add(parse_ctx *cx, ast_indices *list, ast_index *ix)
{
    ast_indices *to = list ? list : ARENA_NEW(cx->a, ast_indices);
    vec_push(cx->a, to, ix);
    return to;
}

ast_tensors *
ast_tensors_add(parse_ctx *cx, ast_tensors *list, ast_tensor *t)
{
    ast_tensors *to = list ? list : ARENA_NEW(cx->a, ast_tensors);
    vec_push(cx->a, to, t);
    return to;
}

// ---- declarations ----------------------------------------------------------

ast_tensor *
ast_param(parse_ctx *cx, bool is_inout, ast_name name, ast_name type,
          ast_exprs *shape)
{
    ast_tensor *t = ARENA_NEW(cx->a, ast_tensor);
    t->name = name;
    t->type_name = type;
    t->is_inout = is_inout;
    if (shape)
        t->shape = *shape;
    t->rank = (int)t->shape.n;
    return t;
}

// ---- statements ------------------------------------------------------------

ast_left *
ast_elements(parse_ctx *cx, loc at, ast_name name, ast_exprs *subs)
{
    ast_left *l = ARENA_NEW(cx->a, ast_left);
    l->name = name;
    l->read = ast_subscript(cx, at, ast_ident(cx, name), subs);
    return l;
}

ast_lefts *
ast_lefts_add(parse_ctx *cx, ast_lefts *list, ast_left *left)
{
    ast_lefts *to = list ? list : ARENA_NEW(cx->a, ast_lefts);
    vec_push(cx->a, to, left);
    return to;
}

ast_withs *
ast_withs_add(parse_ctx *cx, ast_withs *list, ast_left *left, ast_expr *value)
{
    ast_withs *to = list ? list : ARENA_NEW(cx->a, ast_withs);
    vec_push(cx->a, to, ((ast_with){left, value}));
    return to;
}

static ast_stmt *
new_stmt(parse_ctx *cx, ast_stmt_kind kind, loc at, ast_expr *value)
{
    ast_stmt *s = ARENA_NEW(cx->a, ast_stmt);
    s->kind = kind;
    s->at = at;
    if (value)
        vec_push(cx->a, &s->values, value);
    return s;
}

ast_stmt *
ast_define(parse_ctx *cx, loc at, ast_names *names, ast_expr *value)
{
    ast_stmt *s = new_stmt(cx, S_DEFINE, at, value);
    for (uint32_t i = 0; i < names->n; i++) {
        ast_left *l = ARENA_NEW(cx->a, ast_left);
        l->name = names->at[i];
        vec_push(cx->a, &s->lefts, l);
    }
    return s;
}

// Plain indices define every element; anything else is a scatter.
ast_stmt *
ast_define_elements(parse_ctx *cx, loc at, ast_left *left, ast_expr *value,
                    ast_expr *guard)
{
    ast_stmt *s = new_stmt(cx, S_DEFINE, at, value);
    vec_push(cx->a, &s->lefts, left);
    s->guard = guard;
    for (uint32_t i = 1; i < left->read->args.n; i++)
        if (left->read->args.at[i]->kind != E_NAME)
            s->kind = S_SCATTER;
    if (guard)
        s->kind = S_SCATTER;
    return s;
}

ast_stmt *
ast_update(parse_ctx *cx, loc at, ast_left *left, ast_name step,
           ast_expr *value, ast_expr *guard)
{
    ast_stmt *s = new_stmt(cx, S_SCATTER, at, value);
    bool is_sum = str_eq_z(step.s, "+=");
    vec_push(cx->a, &s->lefts, left);
    s->guard = guard;
    s->step = is_sum ? NUM_R_SUM : num_reduce_parse(step.s.p, step.s.n);
    if (!is_sum && s->step != NUM_R_MAX && s->step != NUM_R_MIN)
        diag(cx->d, step.at, D_SCATTER_STEP, STR_ARG(step.s));
    return s;
}

ast_stmt *
ast_recurrence(parse_ctx *cx, loc at, ast_lefts *lefts, ast_exprs *values,
               ast_withs *withs)
{
    ast_stmt *s = new_stmt(cx, S_RECUR, at, NULL);
    s->lefts = *lefts;
    s->values = *values;
    s->withs = *withs;
    if (lefts->n != values->n)
        diag(cx->d, at, D_VALUE_COUNT, lefts->n, lefts->n == 1 ? "" : "s",
             values->n);
    while (s->values.n < lefts->n)
        vec_push(cx->a, &s->values, ast_new(cx, E_POISON, at));
    return s;
}

void
ast_declare(parse_ctx *cx, ast_name name, ast_name type, ast_exprs *shape)
{
    ast_tensor *t = ast_param(cx, false, name, type, shape);
    t->role = TENSOR_LOCAL;
    t->is_declared = true;
    vec_push(cx->a, &cx->decl->tensors, t);
}

void
ast_let_of(parse_ctx *cx, ast_name name, ast_expr *value)
{
    vec_push(cx->a, &cx->decl->lets, ((ast_let){name, value}));
}

// ---- declarations
// ----------------------------------------------------------

void
ast_begin_decl(parse_ctx *cx, loc at, bool is_kernel, ast_name name,
               ast_names *dims)
{
    cx->decl = ARENA_NEW(cx->a, ast_decl);
    cx->decl->at = at;
    cx->decl->is_kernel = is_kernel;
    cx->decl->name = name;
    if (dims)
        cx->decl->dims = *dims;
}

static void
add_params(parse_ctx *cx, const ast_tensors *list, ast_role role)
{
    for (uint32_t i = 0; list && i < list->n; i++) {
        ast_tensor *t = list->at[i];
        if (t->is_inout && role == TENSOR_INPUT)
            vec_push(cx->a, &cx->decl->inouts, cx->decl->tensors.n);
        else if (t->is_inout)
            diag(cx->d, t->name.at, D_INOUT_RESULT, STR_ARG(t->name.s));
        t->role = role;
        vec_push(cx->a, &cx->decl->tensors, t);
    }
}

void
ast_signature(parse_ctx *cx, ast_tensors *in, ast_tensors *out)
{
    add_params(cx, in, TENSOR_INPUT);
    cx->decl->nin = cx->decl->tensors.n;
    add_params(cx, out, TENSOR_RESULT);
    cx->decl->nres = cx->decl->tensors.n - cx->decl->nin;
}

void
ast_add_stmt(parse_ctx *cx, ast_indices *fors, ast_stmt *s)
{
    if (fors)
        s->fors = *fors;
    vec_push(cx->a, &cx->decl->body, s);
}

static bool
is_name_char(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

// A statement that did not parse still defines the name it starts with, so
// that its uses are not reported as well.
void
ast_broken_stmt(parse_ctx *cx, loc at)
{
    str s = text_of(cx, at);
    size_t n = 0, after;
    // Recovery comes here again for every token that it skips.
    if (!cx->is_new_error)
        return;
    cx->is_new_error = false;
    cx->decl->has_lost = true;
    if (cx->decl->body.n && (*vec_last(&cx->decl->body))->at.begin == at.begin)
        return; // what came before the mistake was a statement already
    while (n < s.n && is_name_char(s.p[n]))
        n++;
    for (after = n; after < s.n && s.p[after] == ' ';)
        after++;
    if (!n || after == s.n ||
        (s.p[after] != '[' && s.p[after] != '=' && s.p[after] != ':')) {
        cx->decl->is_broken = true;
        return;
    }
    ast_name name = {{s.p, n}, {at.source, at.begin, at.begin + (uint32_t)n}};
    ast_names *names = ast_names_add(cx, NULL, name);
    ast_expr *value = ast_new(cx, E_POISON, at);
    ast_add_stmt(cx, NULL, ast_define(cx, at, names, value));
}

void
ast_broken_decl(parse_ctx *cx)
{
    // Once for each mistake; recovery comes here for every token. Nothing can
    // call a kernel, so that one is not missed.
    cx->lost |= cx->is_new_error && !(cx->decl && cx->decl->is_kernel);
    cx->is_new_error = false;
    cx->decl = NULL;
}

void
ast_end_decl(parse_ctx *cx, loc at)
{
    cx->decl->at = at;
    cx->decl->order = cx->m->decls.n;
    vec_push(cx->a, &cx->m->decls, cx->decl);
    if (cx->decl->is_kernel)
        vec_push(cx->a, &cx->m->kernels, cx->decl);
    cx->decl = NULL;
}

void
ast_not_yet(parse_ctx *cx, loc at, const char *what)
{
    diag(cx->d, at, D_NOT_YET, what);
}
