// SPDX-License-Identifier: Apache-2.0
// Reads the text form of tensor IR (docs/tensor-ir.md): recursive descent with
// one token of lookahead. The first mistake ends it.
// Expressions are in tensor_parse_expr.c.
#include "ir/tensor_int.h"

#include <string.h>

// ---- tensors

static bool
parse_shape(tir_parser *p, str name, int64_t *shape, uint32_t *rank)
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
append_hex(tir_parser *p, strbuf *out)
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
parse_data(tir_parser *p, tir_tensor *t)
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
want_tensor(tir_parser *p, uint32_t *out)
{
    tir_tok t = p->lx.cur;
    str name = {0};
    if (!tlex_want_name(&p->lx, "a tensor", &name))
        return false;
    uint32_t *id = map_get_str(&p->tensors, name);
    if (!id)
        diag(p->lx.d, t.at, D_TIR_UNKNOWN, tlex_text(&p->lx, name));
    *out = id ? *id : 0;
    return id != NULL;
}

// "updates x", unless that is an operation on a tensor of this name.
static bool
parse_updates(tir_parser *p, uint32_t tensor)
{
    tir_lex before = p->lx;
    uint32_t input;
    if (!tlex_take_word(&p->lx, "updates"))
        return true;
    if (p->lx.cur.kind != TIR_T_NAME) {
        p->lx = before;
        return true;
    }
    if (!want_tensor(p, &input))
        return false;
    p->fn->tensors.at[tensor].updates = input + 1;
    return true;
}

static bool
parse_tensor(tir_parser *p, tir_kind kind)
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
    if (kind == TIR_OUTPUT)
        return parse_updates(p, id);
    return kind != TIR_CONST || parse_data(p, &p->fn->tensors.at[id]);
}

// ---- operations

// "[i0:8, i1:64]", with the given letter; in a recurrence, "t=" before an index
// makes it the time.
static bool
parse_extents(tir_parser *p, char letter, uint32_t max, int64_t *extent,
              uint32_t *n)
{
    if (!tlex_want_punct(&p->lx, '['))
        return false;
    for (*n = 0; !tlex_take_punct(&p->lx, ']');) {
        if (*n && !tlex_want_punct(&p->lx, ','))
            return false;
        if (p->group && letter == 'i' && tlex_take_word(&p->lx, "t")) {
            p->op->time = *n;
            if (!tlex_want_punct(&p->lx, '='))
                return false;
        }
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
parse_reduce(tir_parser *p)
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

// What the operation computes: an expression, or of a scatter
// "at [..] if EXPR put EXPR".
static bool
parse_result(tir_parser *p)
{
    tir_op *op = p->op;
    if (op->kind != TIR_SCATTER)
        return tparse_expr(p, &op->root);
    op->target.tensor = op->out;
    if (!tlex_take_word(&p->lx, "at"))
        return tlex_expected(&p->lx, "'at'");
    if (!tparse_subs(p, p->lx.cur.at, &op->target))
        return false;
    if (tlex_take_word(&p->lx, "if") && !tparse_expr(p, &op->guard))
        return false;
    if (!tlex_take_word(&p->lx, "put"))
        return tlex_expected(&p->lx, "'put'");
    return tparse_expr(p, &op->root);
}

// After "{": lines "%n = expr", then the result.
static bool
parse_block(tir_parser *p)
{
    for (;;) {
        tir_tok t = p->lx.cur;
        uint64_t n;
        if (t.kind != TIR_T_VALUE)
            return parse_result(p) && tlex_want_punct(&p->lx, '}');
        tlex_advance(&p->lx);
        if (tlex_is_punct(&p->lx, '}')) {
            p->lx.pos = t.at.begin; // the root is a value: read it again
            tlex_advance(&p->lx);
            return parse_result(p) && tlex_want_punct(&p->lx, '}');
        }
        uint32_t node;
        if (!tlex_want_punct(&p->lx, '=') || !tparse_expr(p, &node))
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
parse_body(tir_parser *p)
{
    return tlex_take_punct(&p->lx, '{') ? parse_block(p) : parse_result(p);
}

// After "scatter".
static bool
parse_scatter(tir_parser *p)
{
    tir_op *op = p->op;
    op->kind = TIR_SCATTER;
    op->init = TIR_ABSENT;
    if (!tlex_take_word(&p->lx, "set")) {
        op->reduce = p->lx.cur.kind == TIR_T_NAME
                         ? num_reduce_parse(p->lx.cur.text.p, p->lx.cur.text.n)
                         : NUM_R_NONE;
        if (op->reduce == NUM_R_NONE)
            return tlex_expected(&p->lx, "'set' or a reduction");
        tlex_advance(&p->lx);
    }
    if (!parse_extents(p, 'i', TIR_INDICES, op->extent, &op->nout))
        return false;
    if (tlex_take_word(&p->lx, "from") && !want_tensor(p, &op->init))
        return false;
    return parse_body(p);
}

// The extents of an operation without an index space of its own.
static void
take_shape(tir_parser *p)
{
    const tir_tensor *t = &p->fn->tensors.at[p->op->out];
    p->op->nout = t->rank;
    memcpy(p->op->extent, t->shape, t->rank * sizeof t->shape[0]);
}

// After "sort" or "positions".
static bool
parse_sort(tir_parser *p, bool positions)
{
    tir_op *op = p->op;
    uint64_t axis;
    op->kind = TIR_SORT;
    op->positions = positions;
    take_shape(p);
    if (!want_tensor(p, &op->src))
        return false;
    if (!tlex_take_word(&p->lx, "axis"))
        return tlex_expected(&p->lx, "'axis'");
    if (!tlex_want_u64(&p->lx, "a dimension", &axis))
        return false;
    op->axis = axis < TIR_RANK ? (uint32_t)axis : TIR_RANK;
    op->descending = tlex_take_word(&p->lx, "descending");
    return op->descending || tlex_take_word(&p->lx, "ascending") ||
           tlex_expected(&p->lx, "'ascending' or 'descending'");
}

// After "y =".
static bool
parse_whole(tir_parser *p)
{
    if (tlex_take_word(&p->lx, "scatter"))
        return parse_scatter(p);
    if (tlex_take_word(&p->lx, "sort"))
        return parse_sort(p, false);
    if (tlex_take_word(&p->lx, "positions"))
        return parse_sort(p, true);
    if (!tlex_take_word(&p->lx, "reshape"))
        return tlex_expected(&p->lx,
                             "'scatter', 'sort', 'positions' or 'reshape'");
    p->op->kind = TIR_RESHAPE;
    take_shape(p);
    return want_tensor(p, &p->op->src);
}

static bool
parse_map(tir_parser *p)
{
    p->op->time = TIR_INDICES; // until one is marked
    return parse_extents(p, 'i', TIR_RANK, p->op->extent, &p->op->nout) &&
           tlex_want_punct(&p->lx, '=') && parse_reduce(p) && parse_body(p);
}

static bool
parse_op(tir_parser *p, tir_tok name)
{
    uint32_t *id = map_get_str(&p->tensors, name.text);
    if (!id) {
        diag(p->lx.d, name.at, D_TIR_UNKNOWN, tlex_text(&p->lx, name.text));
        return false;
    }
    tir_op *op = p->op = vec_add(p->fn->a, &p->fn->ops);
    p->values = map_new(p->fn->a);
    op->out = *id;
    op->group = p->group;
    op->backward = p->backward;
    (void)vec_add(p->fn->a, &op->nodes);
    bool ok = tlex_take_punct(&p->lx, '=') ? parse_whole(p) : parse_map(p);
    if (!op->group)
        op->time = 0;
    op->at = (loc){p->lx.source, name.at.begin, p->lx.end};
    return ok;
}

// After "for": "t backward { operations }".
static bool
parse_group(tir_parser *p)
{
    if (!tlex_take_word(&p->lx, "t"))
        return tlex_expected(&p->lx, "'t'");
    p->backward = tlex_take_word(&p->lx, "backward");
    if (!tlex_want_punct(&p->lx, '{'))
        return false;
    p->group = ++p->ngroups;
    while (!tlex_take_punct(&p->lx, '}')) {
        tir_tok name = p->lx.cur;
        str s = {0};
        if (!tlex_want_name(&p->lx, "an operation or '}'", &s) ||
            !parse_op(p, name))
            return false;
    }
    p->group = 0;
    p->backward = false;
    return true;
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

// A tensor ("input x: ..."), an operation ("x[...] = ..." or "x = ..."), whose
// tensor may have any name, or a recurrence ("for t { ... }").
static bool
parse_item(tir_parser *p)
{
    tir_tok name = p->lx.cur;
    str s = {0};
    if (!tlex_want_name(&p->lx, "a tensor, an operation or '}'", &s))
        return false;
    if (p->lx.cur.kind != TIR_T_NAME)
        return parse_op(p, name);
    if (str_eq_z(s, "for"))
        return parse_group(p);
    tir_kind kind = kind_parse(s);
    return kind ? parse_tensor(p, kind) : tlex_expected(&p->lx, "'[' or '='");
}

static bool
parse_fn(tir_parser *p)
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
    tir_parser p = {.lx = {.a = a, .d = d, .source = source, .text = text},
                    .fn = tir_fn_new(a, ""),
                    .tensors = map_new(a)};
    tlex_advance(&p.lx);
    if (!parse_fn(&p) || !tir_verify(p.fn, d))
        return NULL;
    return p.fn;
}
