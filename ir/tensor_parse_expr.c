// SPDX-License-Identifier: Apache-2.0
// Reads the expressions of the text form of tensor IR (docs/tensor-ir.md).
// Constants are shared, nothing else is: the graph is the one that was printed.
#include "ir/tensor_int.h"

enum { NEST_MAX = 256 };

// ---- affine expressions

static bool
want_index(tir_parser *p, uint32_t *out)
{
    tir_tok t = p->lx.cur;
    str s = {0};
    if (!tlex_want_name(&p->lx, "an index", &s))
        return false;
    uint64_t n = 0;
    bool is_red = s.p[0] == 'r';
    bool is_index = (s.p[0] == 'i' || is_red) &&
                    str_to_u64((str){s.p + 1, s.n - 1}, &n) &&
                    n < (is_red ? p->op->nred : p->op->nout);
    if (!is_index) {
        diag(p->lx.d, t.at, D_TIR_INDEX, "i0.. or r0.. of this operation",
             tlex_text(&p->lx, s));
        return false;
    }
    *out = (uint32_t)n + (is_red ? p->op->nout : 0);
    return true;
}

static bool
add_term(tir_parser *p, loc at, bool is_minus, uint64_t mag, int64_t *sum)
{
    uint64_t limit = (uint64_t)INT64_MAX + (is_minus ? 1 : 0);
    int64_t k = (int64_t)(is_minus ? 0 - mag : mag);
    if (mag <= limit && add_i64(*sum, k, sum))
        return true;
    diag(p->lx.d, at, D_TIR_NUMBER, "the coefficient", "64 bits");
    return false;
}

static bool
parse_term(tir_parser *p, bool is_minus, tir_aff *out)
{
    loc at = p->lx.cur.at;
    uint64_t mag = 1;
    uint32_t x;
    if (p->lx.cur.kind == TIR_T_NUMBER) {
        if (!tlex_want_u64(&p->lx, "a number", &mag))
            return false;
        if (!tlex_take_punct(&p->lx, '*'))
            return add_term(p, at, is_minus, mag, &out->c);
    }
    return want_index(p, &x) && add_term(p, at, is_minus, mag, &out->k[x]);
}

// The sign of the first term is read.
static bool
parse_terms(tir_parser *p, bool is_minus, tir_aff *out)
{
    for (;;) {
        if (!parse_term(p, is_minus, out))
            return false;
        is_minus = tlex_is_punct(&p->lx, '-');
        if (!is_minus && !tlex_is_punct(&p->lx, '+'))
            return true;
        tlex_advance(&p->lx);
    }
}

static bool
parse_aff(tir_parser *p, tir_aff *out)
{
    *out = (tir_aff){0};
    return parse_terms(p, tlex_take_punct(&p->lx, '-'), out);
}

// ---- expressions

static bool
push_literal(tir_parser *p, tir_literal l, uint32_t *out)
{
    *out = tir_const(p->fn, p->op, l.as, l.w);
    return true;
}

// "(node)", "(node) + index" or "index".
static bool
parse_sub(tir_parser *p, tir_aff *sub, uint32_t *dyn)
{
    *sub = (tir_aff){0};
    *dyn = 0;
    if (!tlex_take_punct(&p->lx, '('))
        return parse_aff(p, sub);
    if (!tparse_expr(p, dyn) || !tlex_want_punct(&p->lx, ')'))
        return false;
    bool is_minus = tlex_take_punct(&p->lx, '-');
    return (!is_minus && !tlex_take_punct(&p->lx, '+')) ||
           parse_terms(p, is_minus, sub);
}

// "[..]" after the name of r's tensor, or instead of it.
bool
tparse_subs(tir_parser *p, loc at, tir_read *r)
{
    const tir_tensor *t = &p->fn->tensors.at[r->tensor];
    uint32_t n = 0;
    if (!tlex_want_punct(&p->lx, '['))
        return false;
    for (; !tlex_take_punct(&p->lx, ']'); n++) {
        tir_aff sub;
        uint32_t dyn;
        if ((n && !tlex_want_punct(&p->lx, ',')) || !parse_sub(p, &sub, &dyn))
            return false;
        if (n >= t->rank)
            continue;
        r->sub[n] = sub;
        r->dyn[n] = dyn;
    }
    if (n == t->rank)
        return true;
    diag(p->lx.d, loc_join(at, p->lx.cur.at), D_TIR_SUBS, t->name, t->rank, n);
    return false;
}

// After the name of a tensor.
static bool
parse_read(tir_parser *p, tir_tok name, uint32_t *out)
{
    uint32_t *id = map_get_str(&p->tensors, name.text);
    if (!id) {
        diag(p->lx.d, name.at, D_TIR_UNKNOWN, tlex_text(&p->lx, name.text));
        return false;
    }
    const tir_tensor *t = &p->fn->tensors.at[*id];
    tir_read r = {.tensor = *id};
    if (!tparse_subs(p, name.at, &r))
        return false;
    loc at = p->lx.cur.at;
    tir_literal fill = {0};
    r.has_fill = tlex_take_word(&p->lx, "else");
    if (r.has_fill && !tlex_want_literal(&p->lx, &fill))
        return false;
    if (r.has_fill && fill.as != num_widened(t->dtype)) {
        diag(p->lx.d, loc_join(at, p->lx.cur.at), D_TIR_FILL, t->name,
             num_dtype_name(tir_full_dtype(fill.as)),
             num_dtype_name(tir_full_dtype(num_widened(t->dtype))));
        return false;
    }
    r.fill = fill.w;
    tir_node node = {.kind =
                         tir_is_gather(p->fn, &r) ? TIR_N_GATHER : TIR_N_READ,
                     .as = num_widened(t->dtype),
                     .read = p->op->reads.n};
    vec_push(p->fn->a, &p->op->reads, r);
    *out = tir_push_node(p->fn, p->op, &node);
    return true;
}

static bool
parse_args(tir_parser *p, tir_node *n)
{
    for (uint32_t k = 0; k < tir_arity(n); k++)
        if ((k && !tlex_want_punct(&p->lx, ',')) || !tparse_expr(p, &n->arg[k]))
            return false;
    if (n->kind == TIR_N_CAST &&
        (!tlex_want_punct(&p->lx, ',') || !tlex_want_dtype(&p->lx, &n->to)))
        return false;
    return tlex_want_punct(&p->lx, ')');
}

// The register type a node gives; the verifier judges whether it may.
static num_as
node_gives(const tir_op *op, const tir_node *n)
{
    num_as first = op->nodes.at[n->arg[0]].as;
    switch (n->kind) {
    case TIR_N_UNARY: return num_unary_gives(n->func1, first);
    case TIR_N_BINARY: return num_binary_gives(n->func2, first);
    case TIR_N_SELECT: return op->nodes.at[n->arg[1]].as;
    case TIR_N_CAST: return num_widened(n->to);
    case TIR_N_NONE:
    case TIR_N_CONST:
    case TIR_N_AFFINE:
    case TIR_N_GATHER:
    case TIR_N_READ: break;
    }
    return NUM_AS_NONE;
}

static bool
parse_index_value(tir_parser *p, uint32_t *out)
{
    tir_node n = {.kind = TIR_N_AFFINE, .as = NUM_AS_I32};
    if (!parse_aff(p, &n.aff) || !tlex_want_punct(&p->lx, ')'))
        return false;
    *out = tir_push_node(p->fn, p->op, &n);
    return true;
}

// After "name(".
static bool
parse_call(tir_parser *p, tir_tok name, uint32_t *out)
{
    str s = name.text;
    tir_node n = {.func1 = num_unary_parse(s.p, s.n),
                  .func2 = num_binary_parse(s.p, s.n)};
    if (str_eq_z(s, "index"))
        return parse_index_value(p, out);
    if (str_eq_z(s, "select"))
        n.kind = TIR_N_SELECT;
    else if (str_eq_z(s, "cast"))
        n.kind = TIR_N_CAST;
    else if (n.func1 != NUM_U_NONE)
        n.kind = TIR_N_UNARY;
    else if (n.func2 != NUM_B_NONE)
        n.kind = TIR_N_BINARY;
    else {
        diag(p->lx.d, name.at, D_TIR_FUNC, tlex_text(&p->lx, s));
        return false;
    }
    if (!parse_args(p, &n))
        return false;
    n.as = node_gives(p->op, &n);
    *out = tir_push_node(p->fn, p->op, &n);
    return true;
}

bool
tparse_value(tir_parser *p, uint32_t *out)
{
    uint64_t n;
    uint32_t *node = NULL;
    if (str_to_u64(p->lx.cur.text, &n))
        node = map_get_u64(&p->values, n);
    if (!node) {
        diag(p->lx.d, p->lx.cur.at, D_TIR_VALUE,
             arena_printf(p->fn->a, "%%%s", tlex_text(&p->lx, p->lx.cur.text)),
             "not defined");
        return false;
    }
    *out = *node;
    tlex_advance(&p->lx);
    return true;
}

static bool
parse_word(tir_parser *p, uint32_t *out)
{
    tir_tok name = p->lx.cur;
    tir_literal l;
    tlex_advance(&p->lx);
    if (tlex_is_punct(&p->lx, '['))
        return parse_read(p, name, out);
    if (tlex_is_punct(&p->lx, '(')) {
        if (str_eq_z(name.text, "f32"))
            return tlex_want_bits(&p->lx, &l) && push_literal(p, l, out);
        tlex_advance(&p->lx);
        return parse_call(p, name, out);
    }
    if (!tlex_word_literal(name.text, false, &l))
        return tlex_expected(&p->lx, "'[' or '('");
    return push_literal(p, l, out);
}

bool
tparse_expr(tir_parser *p, uint32_t *out)
{
    if (p->depth == NEST_MAX) {
        diag(p->lx.d, p->lx.cur.at, D_TIR_NEST, (uint32_t)NEST_MAX);
        return false;
    }
    p->depth++;
    bool ok;
    tir_literal l;
    if (p->lx.cur.kind == TIR_T_VALUE)
        ok = tparse_value(p, out);
    else if (p->lx.cur.kind == TIR_T_NAME)
        ok = parse_word(p, out);
    else if (p->lx.cur.kind == TIR_T_NUMBER || tlex_is_punct(&p->lx, '-'))
        ok = tlex_want_literal(&p->lx, &l) && push_literal(p, l, out);
    else
        ok = tlex_expected(&p->lx, "an expression");
    p->depth--;
    return ok;
}
