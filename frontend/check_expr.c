// SPDX-License-Identifier: Apache-2.0
// Names, ranks and types of expressions. After a mistake an expression is
// poisoned (no type, rank -1), so that one mistake gives one message.
#include "frontend/frontend_int.h"

void
check_poison(ast_expr *e)
{
    e->dtype = DT_NONE;
    e->rank = -1;
    e->is_literal = false;
}

void
check_element(check_ctx *cx, const ast_expr *e)
{
    if (e->rank <= 0)
        return;
    diag(cx->d, e->at, D_RANK_ELEMENT, e->rank, plural(e->rank));
    if (e->kind == E_NAME && e->rank <= 4) {
        static const char *const subs[] = {"", "i", "i, j", "i, j, k",
                                           "i, j, k, l"};
        diag_note_add(cx->d, e->at, "an element of it is '%.*s[%s]'",
                      STR_ARG(e->name.s), subs[e->rank]);
    }
}

void
check_condition(check_ctx *cx, const ast_expr *e)
{
    if (e->dtype != DT_NONE && e->dtype != DT_BOOL)
        diag(cx->d, e->at, D_TYPE_CONDITION, num_dtype_name(e->dtype));
}

// ---- names -----------------------------------------------------------------

static void
check_tensor_name(check_ctx *cx, ast_expr *e, uint32_t symbol)
{
    const ast_tensor *t = cx->decl->tensors.at[symbol];
    e->ref = REF_TENSOR;
    e->symbol = symbol;
    if (t->role != TENSOR_INPUT && !t->is_defined) {
        diag(cx->d, e->at, D_USED_UNDEFINED, STR_ARG(e->name.s));
        check_poison(e);
        return;
    }
    e->dtype = t->dtype;
    e->rank = t->rank;
}

typedef struct {
    const char *name;
    num_dtype dtype;
    num_word word;
} named_constant;

static const named_constant *
find_constant(str name)
{
    static const named_constant constants[] = {
        {"inf", DT_F32, 0x7f800000},
        {"nan", DT_F32, NUM_CANONICAL_NAN},
        {"true", DT_BOOL, 1},
        {"false", DT_BOOL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(constants); i++)
        if (str_eq_z(name, constants[i].name))
            return &constants[i];
    return NULL;
}

bool
check_is_constant(str name)
{
    return find_constant(name) != NULL;
}

static bool
check_constant_name(ast_expr *e)
{
    const named_constant *c = find_constant(e->name.s);
    if (!c)
        return false;
    e->ref = REF_CONST;
    e->dtype = c->dtype;
    e->word = c->word;
    return true;
}

// What a recurrence defines has no value as a whole yet.
static bool
is_state(const check_ctx *cx, uint32_t symbol)
{
    for (uint32_t i = 0; cx->states && i < cx->states->lefts.n; i++)
        if (cx->states->lefts.at[i]->symbol == symbol)
            return true;
    return false;
}

static void
check_whole_name(check_ctx *cx, ast_expr *e, uint32_t symbol)
{
    check_tensor_name(cx, e, symbol);
    if (e->dtype == DT_NONE || !is_state(cx, symbol))
        return;
    diag(cx->d, e->at, D_STATE_WHOLE, STR_ARG(e->name.s));
    check_poison(e);
}

// The innermost meaning: an index, a tensor, a dim, a constant.
static void
check_name(check_ctx *cx, ast_expr *e)
{
    ast_index *ix = check_find_index(cx, e->name.s);
    const uint32_t *tensor = map_get_str(&cx->tensors, e->name.s);
    const uint32_t *dim = map_get_str(&cx->dims, e->name.s);
    if (ix) {
        e->ref = REF_INDEX;
        e->index = ix;
        e->dtype = DT_I32;
    } else if (tensor) {
        check_whole_name(cx, e, *tensor);
    } else if (dim) {
        e->ref = REF_DIM;
        e->symbol = *dim;
        e->dtype = DT_I32;
        e->is_literal = e->has_dim = true;
    } else if (!check_constant_name(e)) {
        if (!cx->decl->is_broken) {
            diag(cx->d, e->at, D_UNKNOWN_NAME, STR_ARG(e->name.s));
            suggest_value(cx, e->name.s);
        }
        check_poison(e);
    }
}

// In the place of a tensor: 'x' of 'x[i]' is the tensor even where an index
// or a dim has that name.
static bool
check_base_name(check_ctx *cx, ast_expr *e)
{
    const uint32_t *tensor = map_get_str(&cx->tensors, e->name.s);
    if (tensor) {
        check_tensor_name(cx, e, *tensor);
        return true;
    }
    if (!cx->decl->is_broken) {
        diag(cx->d, e->at, D_UNKNOWN_TENSOR, STR_ARG(e->name.s));
        suggest_tensor(cx, e->name.s);
    }
    check_poison(e);
    return false;
}

void
check_base(check_ctx *cx, ast_expr *e)
{
    if (e->kind == E_NAME)
        (void)check_base_name(cx, e);
    else
        check_expr(cx, e);
}

// ---- operators -------------------------------------------------------------

static const char *
operator_of(const ast_expr *e)
{
    static const struct {
        num_binary f;
        const char *text;
    } ops[] = {
        {NUM_ADD, "+"}, {NUM_SUB, "-"}, {NUM_MUL, "*"},  {NUM_DIV, "/"},
        {NUM_MOD, "%"}, {NUM_EQ, "=="}, {NUM_NE, "!="},  {NUM_LT, "<"},
        {NUM_LE, "<="}, {NUM_GT, ">"},  {NUM_GE, ">="},  {NUM_AND, "&"},
        {NUM_OR, "|"},  {NUM_XOR, "^"}, {NUM_SHL, "<<"}, {NUM_SHR, ">>"},
    };
    if (e->is_logical)
        return e->func2 == NUM_AND ? "&&" : "||";
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (ops[i].f == e->func2)
            return ops[i].text;
    return num_binary_name(e->func2);
}

// '!', '&&' and '||' are for bool; '~' is for integers.
static bool
check_logical(check_ctx *cx, const ast_expr *e, bool wants_bool,
              const char *spelling)
{
    bool ok = true;
    for (uint32_t i = 0; i < e->args.n; i++) {
        const ast_expr *x = e->args.at[i];
        if (x->dtype == DT_NONE || (x->dtype == DT_BOOL) == wants_bool)
            continue;
        diag(cx->d, x->at, D_TYPE_OPERAND, spelling, num_dtype_name(x->dtype));
        ok = false;
    }
    return ok;
}

static void
check_unary(check_ctx *cx, ast_expr *e)
{
    const char *spelling = e->func1 == NUM_NEG ? "-"
                           : e->is_logical     ? "!"
                                               : "~";
    check_expr(cx, e->args.at[0]);
    if (e->func1 == NUM_NOT && !check_logical(cx, e, e->is_logical, spelling))
        check_poison(e);
    else
        type_unary(cx, e, e->func1, spelling);
}

static void
check_binary(check_ctx *cx, ast_expr *e)
{
    check_expr(cx, e->args.at[0]);
    check_expr(cx, e->args.at[1]);
    const char *spelling = operator_of(e);
    if (e->is_logical && !check_logical(cx, e, true, spelling))
        check_poison(e);
    else
        type_binary(cx, e, e->func2, spelling);
}

// The last axis of x with the last but one of y; a vector is a row before it
// and a column after it; leading axes are batches.
static int
matmul_rank(int x, int y)
{
    if (x == 1 || y == 1)
        return x + y - 2 < 0 ? 0 : (x == 1 ? y : x) - 1;
    return type_rank(x, y);
}

static void
check_matmul(check_ctx *cx, ast_expr *e)
{
    bool ok = true;
    for (uint32_t i = 0; i < 2; i++) {
        ast_expr *x = e->args.at[i];
        check_expr(cx, x);
        if (x->rank == 0) {
            diag(cx->d, x->at, D_RANK_MATMUL);
            ok = false;
        }
    }
    const ast_expr *x = e->args.at[0], *y = e->args.at[1];
    type_binary(cx, e, NUM_MUL, "@");
    e->rank = x->rank < 0 || y->rank < 0 ? -1 : matmul_rank(x->rank, y->rank);
    if (!ok)
        check_poison(e);
}

// ---- reductions ------------------------------------------------------------

static void
check_reduce_type(check_ctx *cx, ast_expr *e, const ast_expr *body)
{
    num_as as = type_as(body);
    if (!as)
        return;
    bool logical = e->reduce == NUM_R_ANY || e->reduce == NUM_R_ALL;
    if (logical != (as == NUM_AS_BOOL)) {
        diag(cx->d, body->at, D_TYPE_OPERAND,
             arena_printf(cx->a, "%.*s", STR_ARG(e->name.s)),
             num_dtype_name(body->dtype));
        if (!logical)
            type_suggest_cast(cx, body, DT_I32);
        else
            diag_note_add(
                cx->d, body->at,
                "a comparison takes parentheses: '%.*s[i] (x[i] > 0)'",
                STR_ARG(e->name.s));
        return;
    }
    e->operand = as;
    e->dtype = e->is_arg ? DT_I32 : type_full(as);
}

static void
check_reduce(check_ctx *cx, ast_expr *e)
{
    ast_expr *body = e->args.at[0];
    for (uint32_t i = 0; i < e->binders.n; i++)
        check_range(cx, e->binders.at[i]);
    for (uint32_t i = 0; i < e->binders.n; i++)
        check_add_index(cx, e->binders.at[i]);
    if (e->filter) {
        check_expr(cx, e->filter);
        check_condition(cx, e->filter);
        check_element(cx, e->filter);
    }
    check_expr(cx, body);
    check_element(cx, body);
    check_drop_indices(cx, e->binders.n, body->dtype == DT_NONE);
    check_reduce_type(cx, e, body);
}

void
check_expr(check_ctx *cx, ast_expr *e)
{
    switch (e->kind) {
    case E_POISON: check_poison(e); break;
    case E_INT:
        e->dtype = DT_I32;
        e->is_literal = true;
        break;
    case E_FLOAT: e->dtype = DT_F32; break;
    case E_NAME: check_name(cx, e); break;
    case E_UNARY: check_unary(cx, e); break;
    case E_BINARY: check_binary(cx, e); break;
    case E_MATMUL: check_matmul(cx, e); break;
    case E_SUBSCRIPT: check_subscript(cx, e); break;
    case E_CALL: check_call(cx, e, 1); break;
    case E_REDUCE: check_reduce(cx, e); break;
    }
    if (e->dtype == DT_NONE)
        e->rank = -1;
}
