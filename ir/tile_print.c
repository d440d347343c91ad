// SPDX-License-Identifier: Apache-2.0
// The text form of the tile IR (docs/tile-ir.md). Loops are numbered in the
// order of the text, so that printing what was parsed gives the same bytes.
#include "ir/tile_int.h"

typedef struct {
    const tile_fn *fn;
    strbuf *out;
    uint32_t *number; // loop id -> number in the text
    uint32_t next;
} printer;

static void
print_indent(printer *p, uint32_t depth)
{
    for (uint32_t i = 0; i <= depth; i++) {
        strbuf_put(p->out, STR("  "));
    }
}

// ---- affine functions and counts

// The absolute value, right also for INT64_MIN.
static unsigned long long
magnitude(int64_t v)
{
    return v < 0 ? 0ULL - (unsigned long long)v : (unsigned long long)v;
}

static void
print_term(printer *p, int64_t k, uint32_t loop, bool first)
{
    const char *sign = first ? (k < 0 ? "-" : "") : (k < 0 ? " - " : " + ");

    strbuf_printf(p->out, "%s", sign);
    if (magnitude(k) != 1) {
        strbuf_printf(p->out, "%llu*", magnitude(k));
    }
    strbuf_printf(p->out, "i%u", p->number[loop]);
}

// "128*i1 - i2 + 5"; the constant leads where a minus would or, as counts
// read, where asked: "1000 - 128*i1".
static void
print_aff(printer *p, const tile_aff *a, bool constant_first)
{
    bool leads = a->n == 0 || (a->c != 0 && (constant_first || a->t[0].k < 0));

    if (leads) {
        strbuf_printf(p->out, "%lld", (long long)a->c);
    }
    for (uint32_t i = 0; i < a->n; i++) {
        print_term(p, a->t[i].k, a->t[i].loop, i == 0 && !leads);
    }
    if (!leads && a->c != 0) {
        strbuf_printf(p->out, " %c %llu", a->c < 0 ? '-' : '+',
                      magnitude(a->c));
    }
}

static void
print_count(printer *p, const tile_count *c)
{
    int64_t n;

    if (tile_count_is_const(c, &n)) {
        strbuf_printf(p->out, "%lld", (long long)n);
        return;
    }
    strbuf_printf(p->out, "min(%lld, ", (long long)c->max);
    if (c->div > 1) {
        strbuf_putc(p->out, '(');
    }
    print_aff(p, &c->rem, true);
    if (c->div > 1) {
        strbuf_printf(p->out, ")/%lld", (long long)c->div);
    }
    strbuf_putc(p->out, ')');
}

// ---- operands

// "(step,count)"; a ragged count that is at most dim[0].count as "min(..)"
// alone where its own maximum is that, else behind "upto".
static void
print_dim(printer *p, const tile_ref *r, uint32_t d)
{
    bool ragged = d == 0 && r->ragged;
    bool bare =
        ragged && r->outer.rem.n != 0 && r->outer.max == r->dim[0].count;

    strbuf_printf(p->out, "(%lld,", (long long)r->dim[d].step);
    if (!bare) {
        strbuf_printf(p->out, "%lld", (long long)r->dim[d].count);
    }
    if (ragged) {
        strbuf_printf(p->out, bare ? "" : " upto ");
        print_count(p, &r->outer);
    }
    strbuf_putc(p->out, ')');
}

static void
print_ref(printer *p, const tile_ref *r)
{
    strbuf_printf(p->out, "%c%s[", r->hbm ? '@' : '%',
                  r->hbm ? p->fn->tensors.at[r->id].name
                         : p->fn->bufs.at[r->id].name);
    print_aff(p, &r->off, false);
    if (r->hbm) {
        strbuf_printf(p->out, "; %lld*p", (long long)r->pstep);
    } else if (r->part != 0) {
        strbuf_printf(p->out, "; p+%u", r->part);
    }
    for (uint32_t d = 0; d < r->ndim; d++) {
        strbuf_printf(p->out, "%s", d == 0 ? "; " : " ");
        print_dim(p, r, d);
    }
    strbuf_putc(p->out, ']');
}

// A decimal, or the bits where reading it by way of binary64 gives another.
static void
print_f32(printer *p, num_word w)
{
    size_t begin = p->out->n;
    str text;
    double v;

    if ((w & 0x7fffffffu) <= 0x7f800000u) {
        strbuf_f32(p->out, num_f32(w));
        text.p = p->out->p + begin;
        text.n = p->out->n - begin;
        if ((w & 0x7fffffffu) == 0x7f800000u ||
            (str_to_f64(text, &v) && num_word_f32(num_round_f32(v)) == w)) {
            return;
        }
        p->out->n = begin;
    }
    strbuf_printf(p->out, "0x%08x", w);
}

static void
print_word(printer *p, num_as as, num_word w)
{
    if (as == NUM_AS_F32) {
        print_f32(p, w);
    } else if (as == NUM_AS_I32) {
        strbuf_printf(p->out, "%lld",
                      (long long)w - (w >> 31 != 0 ? 0x100000000LL : 0));
    } else if (as == NUM_AS_NONE) {
        strbuf_printf(p->out, "0x%08x", w);
    } else {
        strbuf_printf(p->out, "%u", w);
    }
}

static void
print_scalar(printer *p, num_as as, const tile_scalar *s)
{
    if (s->is_vec) {
        print_ref(p, &s->vec);
    } else {
        print_word(p, as, s->imm);
    }
}

// ---- operations

static const char *
as_suffix(num_as as)
{
    switch (as) {
    case NUM_AS_NONE: return "";
    case NUM_AS_F32: return ".f32";
    case NUM_AS_I32: return ".i32";
    case NUM_AS_U32: return ".u32";
    case NUM_AS_BOOL: return ".bool";
    }
    return "";
}

static void
print_sort(printer *p, const tile_op *op)
{
    if (op->op == NUM_OP_SORT) {
        strbuf_printf(p->out, " %s",
                      op->descending ? "descending" : "ascending");
    }
}

static void
print_binary(printer *p, num_binary f, bool rev)
{
    if (f != NUM_B_NONE) {
        strbuf_printf(p->out, " %s%s", num_binary_name(f), rev ? ".rev" : "");
    }
}

// What the operation does, between its name and its partitions.
static void
print_func(printer *p, const tile_op *op)
{
    if (op->func != NUM_U_NONE) {
        strbuf_printf(p->out, " %s", num_unary_name(op->func));
    }
    print_binary(p, op->op0, op->rev0);
    print_binary(p, op->op1, op->rev1);
    if (op->reduce != NUM_R_NONE) {
        strbuf_printf(p->out, " %s", num_reduce_name(op->reduce));
        if (op->op == NUM_OP_REDUCE) {
            strbuf_printf(p->out, " over %u", op->reduce_dims);
        }
    }
}

static bool
has_dst_parts(const tile_op *op)
{
    return op->op == NUM_OP_MATMUL || op->op == NUM_OP_PREDUCE;
}

static void
print_parts(printer *p, const tile_op *op)
{
    strbuf_put(p->out, STR(" ["));
    print_count(p, &op->parts);
    if (has_dst_parts(op)) {
        strbuf_put(p->out, STR(" -> "));
        print_count(p, &op->dst_parts);
    }
    strbuf_put(p->out, STR("] "));
}

static void
print_act(printer *p, const tile_op *op)
{
    print_ref(p, &op->a);
    if (op->s0.is_vec || op->s0.imm != num_word_f32(1.0f)) {
        strbuf_put(p->out, STR(" * "));
        print_scalar(p, op->as, &op->s0);
    }
    if (op->s1.is_vec || op->s1.imm != num_word_f32(-0.0f)) {
        strbuf_put(p->out, STR(" + "));
        print_scalar(p, op->as, &op->s1);
    }
}

static void
print_iota(printer *p, const tile_op *op)
{
    print_aff(p, &op->iota_base, false);
    strbuf_printf(p->out, "; %lld*p", (long long)op->iota_part);
    for (uint32_t d = 0; d < op->dst.ndim; d++) {
        strbuf_printf(p->out, "%s%lld", d == 0 ? "; (" : " ",
                      (long long)op->iota_step[d]);
    }
    if (op->dst.ndim != 0) {
        strbuf_putc(p->out, ')');
    }
}

static void
print_matmul(printer *p, const tile_op *op)
{
    print_ref(p, &op->a);
    for (uint32_t i = 0; i < op->nfirst; i++) {
        strbuf_printf(p->out, "%si%u", i == 0 ? " except first " : ", ",
                      p->number[op->first[i]]);
    }
}

static void
print_sources(printer *p, const tile_op *op)
{
    switch (op->op) {
    case NUM_OP_DMA_GATHER:
    case NUM_OP_DMA_SCATTER:
        print_ref(p, &op->a);
        strbuf_put(p->out, STR(" by "));
        print_ref(p, &op->b);
        strbuf_put(p->out, op->skip ? STR(" skip") : STR(""));
        break;
    case NUM_OP_COPY:
    case NUM_OP_REDUCE:
    case NUM_OP_PREDUCE:
    case NUM_OP_LDW:
    case NUM_OP_SORT:
    case NUM_OP_DMA: print_ref(p, &op->a); break;
    case NUM_OP_FILL: print_scalar(p, op->as, &op->s0); break;
    case NUM_OP_ACT: print_act(p, op); break;
    case NUM_OP_TT:
    case NUM_OP_SELECT:
        print_ref(p, &op->a);
        strbuf_printf(p->out, "%s", op->op == NUM_OP_TT ? ", " : " if ");
        print_ref(p, &op->b);
        break;
    case NUM_OP_TS:
        print_ref(p, &op->a);
        strbuf_put(p->out, STR(", "));
        print_scalar(p, op->as, &op->s0);
        if (op->op1 != NUM_B_NONE) {
            strbuf_put(p->out, STR(", "));
            print_scalar(p, num_chain(op->as, op->op0, op->op1), &op->s1);
        }
        break;
    case NUM_OP_STT:
    case NUM_OP_TT_SCAN:
        print_ref(p, &op->a);
        strbuf_put(p->out, STR(", "));
        print_scalar(p, op->as, &op->s0);
        strbuf_put(p->out, STR(", "));
        print_ref(p, &op->b);
        break;
    case NUM_OP_IOTA: print_iota(p, op); break;
    case NUM_OP_MATMUL: print_matmul(p, op); break;
    default: break; // no sources, or not in tile IR
    }
}

static const char *
assignment(const tile_op *op)
{
    switch (op->combine) {
    case NUM_C_ADD: return "+=";
    case NUM_C_MAX: return "max=";
    case NUM_C_MIN: return "min=";
    case NUM_C_WRITE:
    case NUM_C_COUNT: break;
    }
    return op->accumulate || op->nfirst != 0 ? "+=" : "=";
}

static void
print_tokens(printer *p, const char *word, uint32_t n, const tile_token *t)
{
    for (uint32_t i = 0; i < n; i++) {
        strbuf_printf(p->out, "%s s%u", i == 0 ? word : ",", t[i].sem);
        if (t[i].count != 1) {
            strbuf_printf(p->out, "*%u", t[i].count);
        }
    }
}

static void
print_op(printer *p, const tile_op *op)
{
    bool is_mark = op->op == NUM_OP_NONE;

    strbuf_printf(p->out, "%s %s%s", tile_engine_name(op->engine),
                  is_mark ? "mark" : num_op_name(op->op), as_suffix(op->as));
    print_func(p, op);
    print_sort(p, op);
    if (op->queue != 0) {
        strbuf_printf(p->out, " q%u", op->queue);
    }
    if (!is_mark) {
        print_parts(p, op);
        if (op->dst.id != TILE_ABSENT) {
            print_ref(p, &op->dst);
            if (op->has_dst2) {
                strbuf_put(p->out, STR(" at "));
                print_ref(p, &op->dst2);
            }
            strbuf_printf(p->out, " %s ", assignment(op));
        }
        print_sources(p, op);
    }
    print_tokens(p, " wait", op->nwait, op->wait);
    print_tokens(p, " post", op->npost, op->post);
    strbuf_putc(p->out, '\n');
}

// ---- declarations

static const char *
kind_name(tir_kind k)
{
    switch (k) {
    case TIR_INPUT: return "input";
    case TIR_OUTPUT: return "output";
    case TIR_TEMP: return "temp";
    case TIR_INOUT: return "inout";
    case TIR_CONST: return "const";
    }
    return "?";
}

static void
print_tensor(printer *p, const tir_tensor *t)
{
    const uint8_t *data = t->data;

    strbuf_printf(p->out, "  %s @%s: %s[", kind_name(t->kind), t->name,
                  num_dtype_name(t->dtype));
    for (uint32_t d = 0; d < t->rank; d++) {
        strbuf_printf(p->out, "%s%lld", d == 0 ? "" : ", ",
                      (long long)t->shape[d]);
    }
    strbuf_putc(p->out, ']');
    if (t->kind == TIR_CONST) {
        uint64_t n = (uint64_t)tir_elems(t) * num_dtype_bytes(t->dtype);

        strbuf_put(p->out, STR(" = hex \""));
        for (uint64_t i = 0; i < n; i++) {
            strbuf_putc(p->out, "0123456789abcdef"[data[i] >> 4]);
            strbuf_putc(p->out, "0123456789abcdef"[data[i] & 15]);
        }
        strbuf_putc(p->out, '"');
    }
    strbuf_putc(p->out, '\n');
}

static void
print_sem(printer *p, uint32_t id, const tile_sem *s)
{
    strbuf_printf(p->out, "  sem s%u: ", id);
    if (s->producer_queue != 0) {
        strbuf_printf(p->out, "q%u", s->producer_queue);
    } else {
        strbuf_printf(p->out, "%s", tile_engine_name(s->producer));
    }
    strbuf_printf(p->out, " -> %s credits %u\n", tile_engine_name(s->consumer),
                  s->initial);
}

static void
print_buf(printer *p, const tile_buf *b)
{
    strbuf_printf(p->out, "%s %%%s: %s[%u, %lld] slots %u",
                  b->space == SPACE_PSUM ? "psum" : "sbuf", b->name,
                  num_dtype_name(b->dtype), b->parts, (long long)b->elems,
                  b->slots);
    if (b->addr >= 0) {
        strbuf_printf(p->out, " at %lld by %lld", (long long)b->addr,
                      (long long)b->slot_bytes);
    }
    strbuf_putc(p->out, '\n');
}

// Recursion is as deep as loops nest.
static void
print_body(printer *p, uint32_t id)
{
    const tile_loop *l = &p->fn->loops.at[id];

    for (uint32_t b = 0; b < p->fn->bufs.n; b++) {
        if (p->fn->bufs.at[b].home == id) {
            print_indent(p, l->depth);
            print_buf(p, &p->fn->bufs.at[b]);
        }
    }
    for (uint32_t i = 0; i < l->items.n; i++) {
        tile_item item = l->items.at[i];

        print_indent(p, l->depth);
        if (!item.is_loop) {
            print_op(p, &p->fn->ops.at[item.id]);
            continue;
        }
        p->number[item.id] = ++p->next;
        strbuf_printf(p->out, "for i%u < ", p->next);
        print_count(p, &p->fn->loops.at[item.id].trip);
        strbuf_put(p->out, STR(" {\n"));
        print_body(p, item.id);
        print_indent(p, l->depth);
        strbuf_put(p->out, STR("}\n"));
    }
}

void
tile_print(const tile_fn *fn, strbuf *out)
{
    printer p = {0};

    p.fn = fn;
    p.out = out;
    p.number = ARENA_ARRAY(out->a, fn->loops.n, uint32_t);
    strbuf_printf(out, "tile_ir @%s target \"%s\" {\n", fn->name, fn->target);
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        print_tensor(&p, &fn->tensors.at[t]);
    }
    for (uint32_t s = 0; s < fn->sems.n; s++) {
        print_sem(&p, s, &fn->sems.at[s]);
    }
    print_body(&p, 0);
    strbuf_put(out, STR("}\n"));
}
