// SPDX-License-Identifier: Apache-2.0
// Reads the text form of tensor IR (docs/tensor-ir.md): recursive descent with
// one token of lookahead. The first mistake ends it.
// Constants are shared, nothing else is: the graph is the one that was printed.
#include "ir/tensor_int.h"

#include <string.h>

enum { NEST_MAX = 256 };

typedef struct {
    tir_lex lx;
    tir_fn *fn;
    tir_op *op;  // being read
    map tensors; // name -> id
    map values;  // number -> node, of op
    uint32_t depth;
} parser;

// ---- tensors

static bool
parse_shape(parser *p, str name, int64_t *shape, uint32_t *rank)
{
    if (!tlex_want_punct(&p->lx, '['))
        return false;
    for (*rank = 0; !tlex_take_punct(&p->lx, ']');) {
        if (*rank && !tlex_want_punct(&p->lx, ','))
            return false;
        if (*rank == TIR_RANK) {
            diag(p->lx.d, p->lx.cur.at, D_TIR_RANK, tlex_text(&p->lx, name),
                 (uint32_t)TIR_RANK, "dimensions");
            return false;
        }
        if (!tlex_want_extent(&p->lx, &shape[(*rank)++]))
            return false;
    }
    return true;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
append_hex(parser *p, strbuf *out)
{
    str s = p->lx.cur.text;
    for (size_t i = 0; i < s.n; i += 2) {
        int hi = hex_value(s.p[i]);
        int lo = i + 1 < s.n ? hex_value(s.p[i + 1]) : -1;
        if (hi < 0 || lo < 0)
            return tlex_expected(&p->lx, "pairs of hexadecimal digits");
        strbuf_putc(out, (char)(hi * 16 + lo));
    }
    tlex_advance(&p->lx);
    return true;
}

// Bytes of the elements, or UINT64_MAX if that is absurd.
static uint64_t
tensor_bytes(const tir_tensor *t)
{
    uint64_t n = num_dtype_bytes(t->dtype);
    for (uint32_t d = 0; d < t->rank; d++)
        if (!mul_u64(n, (uint64_t)t->shape[d], &n))
            return UINT64_MAX;
    return n;
}

static bool
parse_data(parser *p, tir_tensor *t)
{
    loc at = p->lx.cur.at;
    if (!tlex_want_punct(&p->lx, '='))
        return false;
    if (p->lx.cur.kind != TIR_T_TEXT)
        return tlex_expected(&p->lx, "data in quotes");
    strbuf bytes = strbuf_new(p->fn->a);
    while (p->lx.cur.kind == TIR_T_TEXT)
        if (!append_hex(p, &bytes))
            return false;
    uint64_t want = tensor_bytes(t);
    if (bytes.n != want) {
        diag(p->lx.d, at, D_TIR_DATA, t->name, (unsigned long long)want,
             (unsigned long long)bytes.n * 2);
        return false;
    }
    // A string's bytes may lie anywhere; elements are aligned.
    void *data = arena_alloc(p->fn->a, bytes.n);
    if (bytes.n)
        memcpy(data, bytes.p, bytes.n);
    t->data = data;
    return true;
}

static bool
parse_tensor(parser *p, tir_kind kind)
{
    tir_tok t = p->lx.cur;
    str name = {0};
    num_dtype dtype;
    int64_t shape[TIR_RANK];
    uint32_t rank;
    if (!tlex_want_name(&p->lx, "a name", &name) ||
        !tlex_want_punct(&p->lx, ':') || !tlex_want_dtype(&p->lx, &dtype) ||
        !parse_shape(p, name, shape, &rank))
        return false;
    if (map_get_str(&p->tensors, name)) {
        diag(p->lx.d, t.at, D_TIR_NAME, tlex_text(&p->lx, name), "taken");
        return false;
    }
    uint32_t id =
        tir_add_tensor(p->fn, str_z(p->fn->a, name), kind, dtype, rank, shape);
    map_put_str(&p->tensors, name, id);
    p->fn->tensors.at[id].at = t.at;
    return kind != TIR_CONST || parse_data(p, &p->fn->tensors.at[id]);
}

// ---- affine expressions

static bool
want_index(parser *p, uint32_t *out)
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
add_term(parser *p, loc at, bool is_minus, uint64_t mag, int64_t *sum)
{
    uint64_t limit = (uint64_t)INT64_MAX + (is_minus ? 1 : 0);
    int64_t k = (int64_t)(is_minus ? 0 - mag : mag);
    if (mag <= limit && add_i64(*sum, k, sum))
        return true;
    diag(p->lx.d, at, D_TIR_NUMBER, "the coefficient", "64 bits");
    return false;
}

static bool
parse_term(parser *p, bool is_minus, tir_aff *out)
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

static bool
parse_aff(parser *p, tir_aff *out)
{
    *out = (tir_aff){0};
    bool is_minus = tlex_take_punct(&p->lx, '-');
    for (;;) {
        if (!parse_term(p, is_minus, out))
            return false;
        is_minus = tlex_is_punct(&p->lx, '-');
        if (!is_minus && !tlex_is_punct(&p->lx, '+'))
            return true;
        tlex_advance(&p->lx);
    }
}

// ---- expressions

static bool parse_expr(parser *p, uint32_t *out);

static bool
push_literal(parser *p, tir_literal l, uint32_t *out)
{
    *out = tir_const(p->fn, p->op, l.as, l.w);
    return true;
}

// After the name of a tensor.
static bool
parse_read(parser *p, tir_tok name, uint32_t *out)
{
    uint32_t *id = map_get_str(&p->tensors, name.text);
    if (!id) {
        diag(p->lx.d, name.at, D_TIR_UNKNOWN, tlex_text(&p->lx, name.text));
        return false;
    }
    const tir_tensor *t = &p->fn->tensors.at[*id];
    tir_read r = {.tensor = *id};
    uint32_t n = 0;
    if (!tlex_want_punct(&p->lx, '['))
        return false;
    for (; !tlex_take_punct(&p->lx, ']'); n++) {
        tir_aff extra;
        if ((n && !tlex_want_punct(&p->lx, ',')) ||
            !parse_aff(p, n < t->rank ? &r.sub[n] : &extra))
            return false;
    }
    if (n != t->rank) {
        diag(p->lx.d, loc_join(name.at, p->lx.cur.at), D_TIR_SUBS, t->name,
             t->rank, n);
        return false;
    }
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
    tir_node node = {.kind = TIR_N_READ,
                     .as = num_widened(t->dtype),
                     .read = p->op->reads.n};
    vec_push(p->fn->a, &p->op->reads, r);
    *out = tir_push_node(p->fn, p->op, &node);
    return true;
}

static bool
parse_args(parser *p, tir_node *n)
{
    for (uint32_t k = 0; k < tir_arity(n); k++)
        if ((k && !tlex_want_punct(&p->lx, ',')) || !parse_expr(p, &n->arg[k]))
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
parse_index_value(parser *p, uint32_t *out)
{
    tir_node n = {.kind = TIR_N_AFFINE, .as = NUM_AS_I32};
    if (!parse_aff(p, &n.aff) || !tlex_want_punct(&p->lx, ')'))
        return false;
    *out = tir_push_node(p->fn, p->op, &n);
    return true;
}

// After "name(".
static bool
parse_call(parser *p, tir_tok name, uint32_t *out)
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

static bool
parse_value(parser *p, uint32_t *out)
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
parse_word(parser *p, uint32_t *out)
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

static bool
parse_expr(parser *p, uint32_t *out)
{
    if (p->depth == NEST_MAX) {
        diag(p->lx.d, p->lx.cur.at, D_TIR_NEST, (uint32_t)NEST_MAX);
        return false;
    }
    p->depth++;
    bool ok;
    tir_literal l;
    if (p->lx.cur.kind == TIR_T_VALUE)
        ok = parse_value(p, out);
    else if (p->lx.cur.kind == TIR_T_NAME)
        ok = parse_word(p, out);
    else if (p->lx.cur.kind == TIR_T_NUMBER || tlex_is_punct(&p->lx, '-'))
        ok = tlex_want_literal(&p->lx, &l) && push_literal(p, l, out);
    else
        ok = tlex_expected(&p->lx, "an expression");
    p->depth--;
    return ok;
}

// ---- operations

// "[i0:8, i1:64]", with the given letter.
static bool
parse_extents(parser *p, char letter, uint32_t max, int64_t *extent,
              uint32_t *n)
{
    if (!tlex_want_punct(&p->lx, '['))
        return false;
    for (*n = 0; !tlex_take_punct(&p->lx, ']');) {
        if (*n && !tlex_want_punct(&p->lx, ','))
            return false;
        tir_tok t = p->lx.cur;
        str s = {0};
        if (*n == max) {
            diag(p->lx.d, t.at, D_TIR_RANK, "the operation", max, "indices");
            return false;
        }
        const char *name = arena_printf(p->fn->a, "%c%u", letter, *n);
        if (!tlex_want_name(&p->lx, "an index", &s))
            return false;
        if (!str_eq_z(s, name)) {
            diag(p->lx.d, t.at, D_TIR_INDEX, name, tlex_text(&p->lx, s));
            return false;
        }
        if (!tlex_want_punct(&p->lx, ':') ||
            !tlex_want_extent(&p->lx, &extent[(*n)++]))
            return false;
    }
    return true;
}

static bool
parse_reduce(parser *p)
{
    tir_op *op = p->op;
    if (tlex_take_word(&p->lx, "map"))
        return true;
    op->reduce = p->lx.cur.kind == TIR_T_NAME
                     ? num_reduce_parse(p->lx.cur.text.p, p->lx.cur.text.n)
                     : NUM_R_NONE;
    if (op->reduce == NUM_R_NONE)
        return tlex_expected(&p->lx, "'map' or a reduction");
    tlex_advance(&p->lx);
    return parse_extents(p, 'r', TIR_INDICES - op->nout, &op->extent[op->nout],
                         &op->nred);
}

// After "{": lines "%n = expr", then the root.
static bool
parse_block(parser *p)
{
    for (;;) {
        tir_tok t = p->lx.cur;
        uint64_t n;
        if (t.kind != TIR_T_VALUE)
            return parse_expr(p, &p->op->root) && tlex_want_punct(&p->lx, '}');
        tlex_advance(&p->lx);
        if (tlex_is_punct(&p->lx, '}')) {
            p->lx.pos = t.at.begin; // the root is a value: read it again
            tlex_advance(&p->lx);
            return parse_value(p, &p->op->root) && tlex_want_punct(&p->lx, '}');
        }
        uint32_t node;
        if (!tlex_want_punct(&p->lx, '=') || !parse_expr(p, &node))
            return false;
        if (!str_to_u64(t.text, &n) || map_get_u64(&p->values, n)) {
            diag(p->lx.d, t.at, D_TIR_VALUE,
                 arena_printf(p->fn->a, "%%%s", tlex_text(&p->lx, t.text)),
                 "defined already, or no number");
            return false;
        }
        map_put_u64(&p->values, n, node);
    }
}

static bool
parse_op(parser *p, tir_tok name)
{
    uint32_t *id = map_get_str(&p->tensors, name.text);
    if (!id) {
        diag(p->lx.d, name.at, D_TIR_UNKNOWN, tlex_text(&p->lx, name.text));
        return false;
    }
    tir_op *op = p->op = vec_add(p->fn->a, &p->fn->ops);
    p->values = map_new(p->fn->a);
    op->out = *id;
    (void)vec_add(p->fn->a, &op->nodes);
    if (!parse_extents(p, 'i', TIR_RANK, op->extent, &op->nout) ||
        !tlex_want_punct(&p->lx, '=') || !parse_reduce(p))
        return false;
    bool ok = tlex_take_punct(&p->lx, '{') ? parse_block(p)
                                           : parse_expr(p, &op->root);
    op->at = (loc){p->lx.source, name.at.begin, p->lx.end};
    return ok;
}

static tir_kind
kind_parse(str s)
{
    if (str_eq_z(s, "input"))
        return TIR_INPUT;
    if (str_eq_z(s, "output"))
        return TIR_OUTPUT;
    if (str_eq_z(s, "temp"))
        return TIR_TEMP;
    return str_eq_z(s, "const") ? TIR_CONST : (tir_kind)0;
}

// A tensor ("input x: ...") or an operation ("x[...] = ..."), which may have a
// tensor of any name.
static bool
parse_item(parser *p)
{
    tir_tok name = p->lx.cur;
    str s = {0};
    if (!tlex_want_name(&p->lx, "a tensor, an operation or '}'", &s))
        return false;
    tir_kind kind = kind_parse(s);
    if (kind && !tlex_is_punct(&p->lx, '['))
        return parse_tensor(p, kind);
    return parse_op(p, name);
}

static bool
parse_fn(parser *p)
{
    str name = {0};
    if (!tlex_take_word(&p->lx, "tensor_ir"))
        return tlex_expected(&p->lx, "'tensor_ir'");
    if (!tlex_want_punct(&p->lx, '@') ||
        !tlex_want_name(&p->lx, "a name", &name) ||
        !tlex_want_punct(&p->lx, '{'))
        return false;
    p->fn->name = str_z(p->fn->a, name);
    while (!tlex_take_punct(&p->lx, '}'))
        if (!parse_item(p))
            return false;
    return p->lx.cur.kind == TIR_T_END ||
           tlex_expected(&p->lx, "the end of the text");
}

tir_fn *
tir_parse(arena *a, diags *d, uint32_t source)
{
    str text = d->sources.at[source].text;
    if (text.n >= UINT32_MAX) {
        diag(d, (loc){source, 0, 0}, D_TIR_NUMBER, "the text", "4 GiB");
        return NULL;
    }
    parser p = {.lx = {.a = a, .d = d, .source = source, .text = text},
                .fn = tir_fn_new(a, ""),
                .tensors = map_new(a)};
    tlex_advance(&p.lx);
    if (!parse_fn(&p) || !tir_verify(p.fn, d))
        return NULL;
    return p.fn;
}
