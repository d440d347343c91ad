// SPDX-License-Identifier: Apache-2.0
// Reads one operation of the tile IR's text form: its words, operands and
// semaphores. What they mean together is checked by tile_verify.
#include "ir/tile_int.h"

#include <string.h>

// ---- operands
// -------------------------------------------------------------------------

static bool
parse_dim(tile_parser *p, tile_ref *r)
{
    uint32_t d = r->ndim++;
    bool bare;

    if (!tile_lex_i64(p, &r->dim[d].step) || !tile_lex_expect(p, ",")) {
        return false;
    }
    bare = tile_lex_peek(p) == 'm';
    if (!bare && !tile_lex_i64(p, &r->dim[d].count)) {
        return false;
    }
    if (bare || (d == 0 && tile_lex_accept_word(p, "upto"))) {
        if (d != 0) {
            return tile_lex_expected(p, "a number");
        }
        r->ragged = true;
        if (!tile_parse_count(p, &r->outer)) {
            return false;
        }
        if (bare) {
            r->dim[d].count = r->outer.max;
        }
    }
    return tile_lex_expect(p, ")");
}

static bool
parse_dims(tile_parser *p, tile_ref *r)
{
    while (r->ndim < NUM_DIMS && tile_lex_accept(p, "(")) {
        if (!parse_dim(p, r)) {
            return false;
        }
    }
    return true;
}

// After the offset: the partition of a buffer, the step of a tensor.
static bool
parse_partition(tile_parser *p, tile_ref *r)
{
    if (r->hbm) {
        return tile_lex_expect(p, ";") && tile_lex_i64(p, &r->pstep) &&
               tile_lex_expect(p, "*") && tile_lex_expect_word(p, "p");
    }
    if (tile_lex_accept_word(p, "p")) {
        return tile_lex_expect(p, "+") && tile_lex_u32(p, &r->part);
    }
    return true;
}

static bool
parse_operand_name(tile_parser *p, tile_ref *r)
{
    const uint32_t *id;
    str name;

    r->hbm = tile_lex_accept(p, "@");
    if (!r->hbm && !tile_lex_accept(p, "%")) {
        return tile_lex_expected(p, "an operand");
    }
    if (!tile_lex_name(p, &name)) {
        return false;
    }
    id = map_get_str(r->hbm ? &p->tensors : &p->bufs, name);
    if (id == NULL) {
        diag(p->d, tile_lex_loc(p, p->pos - name.n, p->pos), D_TILE_NAME,
             r->hbm ? "tensor" : "buffer", STR_ARG(name));
        return false;
    }
    r->id = *id;
    return true;
}

static bool
parse_ref(tile_parser *p, tile_ref *r)
{
    memset(r, 0, sizeof *r);
    if (!parse_operand_name(p, r) || !tile_lex_expect(p, "[") ||
        !tile_parse_aff(p, &r->off)) {
        return false;
    }
    if (r->hbm) {
        if (!parse_partition(p, r) ||
            (tile_lex_accept(p, ";") && !parse_dims(p, r))) {
            return false;
        }
    } else if (tile_lex_accept(p, ";")) {
        bool dims = tile_lex_peek(p) == '(';

        if ((!dims && !parse_partition(p, r)) ||
            ((dims || tile_lex_accept(p, ";")) && !parse_dims(p, r))) {
            return false;
        }
    }
    return tile_lex_expect(p, "]");
}

// Everything up to a space, comma or newline: 1.5, -inf, 0x7fc00001, 3.
static str
take_literal(tile_parser *p)
{
    str s;

    tile_lex_skip_space(p);
    s.p = p->text.p + p->pos;
    s.n = 0;
    while (p->pos < p->text.n &&
           (tile_lex_is_word(p->text.p[p->pos]) || p->text.p[p->pos] == '-' ||
            p->text.p[p->pos] == '+')) {
        p->pos++;
        s.n++;
    }
    return s;
}

static bool
literal_f32(str s, num_word *out)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    str abs = {s.p + (minus ? 1 : 0), s.n - (minus ? 1 : 0)};
    double v;

    if (str_eq_z(abs, "inf")) {
        *out = minus ? 0xff800000u : 0x7f800000u;
        return true;
    }
    if (!str_to_f64(s, &v)) {
        return false;
    }
    *out = num_word_f32(num_round_f32(v));
    return true;
}

static bool
parse_imm(tile_parser *p, num_as as, num_word *out)
{
    size_t begin;
    str s;
    uint64_t u;
    int64_t i;
    bool ok;

    (void)tile_lex_peek(p);
    begin = p->pos;
    s = take_literal(p);
    if (s.n == 0) {
        return tile_lex_expected(p, "a number or an operand");
    }
    if (s.n > 2 && s.p[0] == '0' && s.p[1] == 'x') {
        ok = str_to_u64(s, &u) && u <= UINT32_MAX;
        *out = (num_word)(ok ? u : 0);
    } else if (as == NUM_AS_F32) {
        ok = literal_f32(s, out);
    } else {
        ok = str_to_i64(s, &i) && i >= INT32_MIN && i <= UINT32_MAX;
        *out = (num_word)(uint64_t)(ok ? i : 0);
    }
    if (!ok) {
        diag(p->d, tile_lex_loc(p, begin, p->pos), D_TILE_NUMBER, STR_ARG(s));
    }
    return ok;
}

static bool
parse_scalar(tile_parser *p, num_as as, tile_scalar *s)
{
    s->is_vec = tile_lex_peek(p) == '%' || tile_lex_peek(p) == '@';
    return s->is_vec ? parse_ref(p, &s->vec) : parse_imm(p, as, &s->imm);
}

// ---- operations
// -----------------------------------------------------------------------

static bool
parse_as(str s, num_as *as)
{
    static const struct {
        const char *name;
        num_as as;
    } names[] = {{"f32", NUM_AS_F32},
                 {"i32", NUM_AS_I32},
                 {"u32", NUM_AS_U32},
                 {"bool", NUM_AS_BOOL}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_z(s, names[i].name)) {
            *as = names[i].as;
            return true;
        }
    }
    return false;
}

// "reduce.f32"; NUM_OP_NONE is "mark".
static bool
parse_op_name(tile_parser *p, num_op *op, num_as *as)
{
    str w = tile_lex_word(p), name = w, suffix = w;
    const char *dot = memchr(w.p, '.', w.n);

    *as = NUM_AS_NONE;
    if (dot != NULL) {
        name.n = (size_t)(dot - w.p);
        suffix.p = dot + 1;
        suffix.n = w.n - name.n - 1;
    }
    *op = NUM_OP_NONE;
    if (!str_eq_z(name, "mark")) {
        for (*op = (num_op)(NUM_OP_NONE + 1); *op < NUM_OP_COUNT; (*op)++) {
            if (num_op_is(*op, 't') && str_eq_z(name, num_op_name(*op))) {
                break;
            }
        }
    }
    if (*op == NUM_OP_COUNT || (dot != NULL && !parse_as(suffix, as))) {
        return tile_lex_expected(p, "an operation");
    }
    p->pos += w.n;
    return true;
}

static bool
peek_binary(tile_parser *p, num_binary *f, bool *rev, size_t *n)
{
    str w = tile_lex_word(p);

    *n = w.n;
    *rev = w.n > 4 && memcmp(w.p + w.n - 4, ".rev", 4) == 0;
    *f = num_binary_parse(w.p, w.n - (*rev ? 4 : 0));
    return *f != NUM_B_NONE;
}

static bool
parse_binary(tile_parser *p, num_binary *f, bool *rev)
{
    size_t n;

    if (!peek_binary(p, f, rev, &n)) {
        return tile_lex_expected(p, "a function of two operands");
    }
    p->pos += n;
    return true;
}

static bool
parse_unary(tile_parser *p, num_unary *f)
{
    str w = tile_lex_word(p);

    *f = num_unary_parse(w.p, w.n);
    if (*f == NUM_U_NONE) {
        return tile_lex_expected(p, "a function of one operand");
    }
    p->pos += w.n;
    return true;
}

static bool
parse_reduce(tile_parser *p, tile_op *op)
{
    str w = tile_lex_word(p);

    op->reduce = num_reduce_parse(w.p, w.n);
    if (op->reduce == NUM_R_NONE) {
        return tile_lex_expected(p, "a reduction");
    }
    p->pos += w.n;
    if (op->op == NUM_OP_PREDUCE) {
        return true;
    }
    return tile_lex_expect_word(p, "over") && tile_lex_u32(p, &op->reduce_dims);
}

static bool
parse_func(tile_parser *p, tile_op *op)
{
    size_t n;

    switch (op->op) {
    case NUM_OP_ACT: return parse_unary(p, &op->func);
    case NUM_OP_TT: return parse_binary(p, &op->op0, &op->rev0);
    case NUM_OP_TS:
        return parse_binary(p, &op->op0, &op->rev0) &&
               (!peek_binary(p, &op->op1, &op->rev1, &n) ||
                parse_binary(p, &op->op1, &op->rev1));
    case NUM_OP_STT:
    case NUM_OP_TT_SCAN:
        return parse_binary(p, &op->op0, &op->rev0) &&
               parse_binary(p, &op->op1, &op->rev1);
    case NUM_OP_REDUCE:
    case NUM_OP_PREDUCE: return parse_reduce(p, op);
    case NUM_OP_SORT:
        op->descending = tile_lex_accept_word(p, "descending");
        return op->descending || tile_lex_expect_word(p, "ascending");
    default: return true; // no functions, or not in tile IR
    }
    return true;
}

static bool
parse_act(tile_parser *p, tile_op *op)
{
    return parse_ref(p, &op->a) &&
           (!tile_lex_accept(p, "*") || parse_scalar(p, op->as, &op->s0)) &&
           (!tile_lex_accept(p, "+") || parse_scalar(p, op->as, &op->s1));
}

static bool
parse_iota(tile_parser *p, tile_op *op)
{
    if (!tile_parse_aff(p, &op->iota_base) || !tile_lex_expect(p, ";") ||
        !tile_lex_i64(p, &op->iota_part) || !tile_lex_expect(p, "*") ||
        !tile_lex_expect_word(p, "p")) {
        return false;
    }
    if (op->dst.ndim == 0) {
        return true;
    }
    if (!tile_lex_expect(p, ";") || !tile_lex_expect(p, "(")) {
        return false;
    }
    for (uint32_t d = 0; d < op->dst.ndim; d++) {
        if (!tile_lex_i64(p, &op->iota_step[d])) {
            return false;
        }
    }
    return tile_lex_expect(p, ")");
}

static bool
parse_matmul(tile_parser *p, tile_op *op)
{
    if (!parse_ref(p, &op->a)) {
        return false;
    }
    if (!op->accumulate || !tile_lex_accept_word(p, "except")) {
        return true;
    }
    op->accumulate = false;
    if (!tile_lex_expect_word(p, "first")) {
        return false;
    }
    do {
        if (op->nfirst == TILE_LOOPS) {
            return tile_lex_expected(p, "at most 8 loops");
        }
        if (!tile_parse_loop_name(p, &op->first[op->nfirst++])) {
            return false;
        }
    } while (tile_lex_accept(p, ","));
    return true;
}

static bool
parse_sources(tile_parser *p, tile_op *op)
{
    switch (op->op) {
    case NUM_OP_COPY:
    case NUM_OP_REDUCE:
    case NUM_OP_PREDUCE:
    case NUM_OP_LDW:
    case NUM_OP_SORT:
    case NUM_OP_DMA: return parse_ref(p, &op->a);
    case NUM_OP_FILL: return parse_scalar(p, op->as, &op->s0);
    case NUM_OP_ACT: return parse_act(p, op);
    case NUM_OP_TT:
        return parse_ref(p, &op->a) && tile_lex_expect(p, ",") &&
               parse_ref(p, &op->b);
    case NUM_OP_SELECT:
        return parse_ref(p, &op->a) && tile_lex_expect_word(p, "if") &&
               parse_ref(p, &op->b);
    case NUM_OP_TS:
        return parse_ref(p, &op->a) && tile_lex_expect(p, ",") &&
               parse_scalar(p, op->as, &op->s0) &&
               (op->op1 == NUM_B_NONE ||
                (tile_lex_expect(p, ",") &&
                 parse_scalar(p, num_chain(op->as, op->op0, op->op1),
                              &op->s1)));
    case NUM_OP_STT:
    case NUM_OP_TT_SCAN:
        return parse_ref(p, &op->a) && tile_lex_expect(p, ",") &&
               parse_scalar(p, op->as, &op->s0) && tile_lex_expect(p, ",") &&
               parse_ref(p, &op->b);
    case NUM_OP_IOTA: return parse_iota(p, op);
    case NUM_OP_MATMUL: return parse_matmul(p, op);
    case NUM_OP_DMA_GATHER:
    case NUM_OP_DMA_SCATTER:
        if (!parse_ref(p, &op->a) || !tile_lex_expect_word(p, "by") ||
            !parse_ref(p, &op->b)) {
            return false;
        }
        op->skip = tile_lex_accept_word(p, "skip");
        return true;
    default: return true; // no sources, or not in tile IR
    }
    return true;
}

static bool
parse_tokens(tile_parser *p, const char *word, tile_token *t, uint32_t max,
             uint32_t *n)
{
    if (!tile_lex_accept_word(p, word)) {
        return true;
    }
    do {
        if (*n == max) {
            return tile_lex_expected(p, "no more semaphores");
        }
        t[*n].count = 1;
        if (!tile_lex_numbered(p, 's', "a semaphore", &t[*n].sem) ||
            (tile_lex_accept(p, "*") && !tile_lex_u32(p, &t[*n].count))) {
            return false;
        }
        (*n)++;
    } while (tile_lex_accept(p, ","));
    return true;
}

// =, and where the operation can combine, += max= min=.
static bool
parse_assign(tile_parser *p, tile_op *op)
{
    bool combines = op->op == NUM_OP_DMA || op->op == NUM_OP_DMA_SCATTER;

    if (combines && tile_lex_accept_word(p, "max")) {
        op->combine = NUM_C_MAX;
    } else if (combines && tile_lex_accept_word(p, "min")) {
        op->combine = NUM_C_MIN;
    } else if ((combines || op->op == NUM_OP_MATMUL) &&
               tile_lex_accept(p, "+=")) {
        op->combine = combines ? NUM_C_ADD : NUM_C_WRITE;
        op->accumulate = !combines;
        return true;
    }
    return tile_lex_expect(p, "=");
}

// From the partitions to the sources.
static bool
parse_operands(tile_parser *p, tile_op *op)
{
    bool two = op->op == NUM_OP_MATMUL || op->op == NUM_OP_PREDUCE;

    if (!tile_lex_expect(p, "[") || !tile_parse_count(p, &op->parts)) {
        return false;
    }
    if (two &&
        (!tile_lex_expect(p, "->") || !tile_parse_count(p, &op->dst_parts))) {
        return false;
    }
    if (!tile_lex_expect(p, "]")) {
        return false;
    }
    if (op->op == NUM_OP_LDW) {
        return parse_sources(p, op);
    }
    if (!parse_ref(p, &op->dst)) {
        return false;
    }
    if (op->op == NUM_OP_SORT && tile_lex_accept_word(p, "at")) {
        op->has_dst2 = true;
        if (!parse_ref(p, &op->dst2)) {
            return false;
        }
    }
    return parse_assign(p, op) && parse_sources(p, op);
}

bool
tile_parse_op(tile_parser *p)
{
    tile_engine engine;
    num_op kind;
    num_as as;
    tile_op *op;
    size_t begin;

    tile_lex_skip_space(p);
    begin = p->pos;
    if (!tile_parse_engine(p, &engine) || !parse_op_name(p, &kind, &as)) {
        return false;
    }
    op = tile_add_op(p->fn, p->loop[p->depth].id, kind, engine);
    op->as = as;
    if (!parse_func(p, op)) {
        return false;
    }
    if (tile_lex_is_numbered(tile_lex_word(p), 'q') &&
        !tile_lex_numbered(p, 'q', "a queue", &op->queue)) {
        return false;
    }
    if ((kind != NUM_OP_NONE && !parse_operands(p, op)) ||
        !parse_tokens(p, "wait", op->wait, TILE_WAITS, &op->nwait) ||
        !parse_tokens(p, "post", op->post, TILE_POSTS, &op->npost)) {
        return false;
    }
    op->at = tile_lex_loc(p, begin, p->pos);
    return true;
}
