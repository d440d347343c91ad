// SPDX-License-Identifier: Apache-2.0
// The text form of tensor IR (docs/tensor-ir.md). An expression is printed
// nested; a node that is used twice, or that would nest too deep, gets a line
// and a name of its own. Which nodes those are depends on the graph alone, so
// that the text of what was read back is the same.
#include "ir/tensor_int.h"

#include <inttypes.h>
#include <string.h>

enum { NEST_LIMIT = 6, HEX_PER_LINE = 32 };

typedef struct {
    const tir_fn *fn;
    const tir_op *op;
    strbuf *out;
    uint32_t *name; // [node]: its number, 0 if it is printed where it is used
    const char *margin;
} printer;

static void
put_f32(strbuf *out, num_word w)
{
    strbuf text = strbuf_new(out->a);
    strbuf_f32(&text, num_f32(w));
    double back;
    bool is_special = (w & 0x7f800000u) == 0x7f800000u;
    bool is_exact = is_special ? w == NUM_CANONICAL_NAN || !(w & 0x7fffffu)
                               : str_to_f64(strbuf_str(&text), &back) &&
                                     num_word_f32(num_round_f32(back)) == w;
    if (is_exact)
        strbuf_put(out, strbuf_str(&text));
    else
        strbuf_printf(out, "f32(0x%08" PRIx32 ")", w);
}

static void
put_const(strbuf *out, num_as as, num_word w)
{
    switch (as) {
    case NUM_AS_NONE: break;
    case NUM_AS_F32: put_f32(out, w); break;
    case NUM_AS_I32: strbuf_printf(out, "%" PRId32, (int32_t)w); break;
    case NUM_AS_U32: strbuf_printf(out, "%" PRIu32 "u", w); break;
    case NUM_AS_BOOL: strbuf_put(out, w ? STR("true") : STR("false")); break;
    }
}

// One term of a sum; 'index' UINT32_MAX: a number alone.
static void
put_term(const printer *p, bool is_first, int64_t k, uint32_t index)
{
    uint64_t mag = k < 0 ? 0 - (uint64_t)k : (uint64_t)k;
    if (is_first)
        strbuf_put(p->out, k < 0 ? STR("-") : STR(""));
    else
        strbuf_put(p->out, k < 0 ? STR(" - ") : STR(" + "));
    bool is_index = index != UINT32_MAX;
    if (!is_index || mag != 1)
        strbuf_printf(p->out, is_index ? "%" PRIu64 "*" : "%" PRIu64, mag);
    if (!is_index)
        return;
    if (index < p->op->nout)
        strbuf_printf(p->out, "i%u", index);
    else
        strbuf_printf(p->out, "r%u", index - p->op->nout);
}

// 'is_first': nothing stands before it.
static void
put_sum(const printer *p, const tir_aff *aff, bool is_first)
{
    for (uint32_t x = 0; x < p->op->nout + p->op->nred; x++) {
        if (!aff->k[x])
            continue;
        put_term(p, is_first, aff->k[x], x);
        is_first = false;
    }
    if (is_first || aff->c)
        put_term(p, is_first, aff->c, UINT32_MAX);
}

static void
put_aff(const printer *p, const tir_aff *aff)
{
    put_sum(p, aff, true);
}

static void put_use(const printer *p, uint32_t node);

// "[(node) + index, index]"
static void
put_subs(const printer *p, const tir_read *r)
{
    static const tir_aff zero;
    strbuf_putc(p->out, '[');
    for (uint32_t d = 0; d < p->fn->tensors.at[r->tensor].rank; d++) {
        strbuf_put(p->out, d ? STR(", ") : STR(""));
        if (!r->dyn[d]) {
            put_aff(p, &r->sub[d]);
            continue;
        }
        strbuf_putc(p->out, '(');
        put_use(p, r->dyn[d]);
        strbuf_putc(p->out, ')');
        if (memcmp(&r->sub[d], &zero, sizeof zero))
            put_sum(p, &r->sub[d], false);
    }
    strbuf_putc(p->out, ']');
}

static void
put_read(const printer *p, const tir_read *r)
{
    const tir_tensor *t = &p->fn->tensors.at[r->tensor];
    strbuf_put(p->out, str_of(t->name));
    put_subs(p, r);
    if (!r->has_fill)
        return;
    strbuf_put(p->out, STR(" else "));
    put_const(p->out, num_widened(t->dtype), r->fill);
}

static void
put_call(const printer *p, const char *func, const tir_node *n)
{
    strbuf_printf(p->out, "%s(", func);
    for (uint32_t k = 0; k < tir_arity(n); k++) {
        strbuf_put(p->out, k ? STR(", ") : STR(""));
        put_use(p, n->arg[k]);
    }
    if (n->kind == TIR_N_CAST)
        strbuf_printf(p->out, ", %s", num_dtype_name(n->to));
    strbuf_putc(p->out, ')');
}

// Recursion is bounded by NEST_LIMIT.
static void
put_node(const printer *p, uint32_t node)
{
    const tir_node *n = &p->op->nodes.at[node];
    switch (n->kind) {
    case TIR_N_NONE: break;
    case TIR_N_CONST: put_const(p->out, n->as, n->imm); break;
    case TIR_N_AFFINE:
        strbuf_put(p->out, STR("index("));
        put_aff(p, &n->aff);
        strbuf_putc(p->out, ')');
        break;
    case TIR_N_GATHER:
    case TIR_N_READ: put_read(p, &p->op->reads.at[n->read]); break;
    case TIR_N_UNARY: put_call(p, num_unary_name(n->func1), n); break;
    case TIR_N_BINARY: put_call(p, num_binary_name(n->func2), n); break;
    case TIR_N_SELECT: put_call(p, "select", n); break;
    case TIR_N_CAST: put_call(p, "cast", n); break;
    }
}

static void
put_use(const printer *p, uint32_t node)
{
    if (p->name[node])
        strbuf_printf(p->out, "%%%u", p->name[node]);
    else
        put_node(p, node);
}

// Numbers the nodes that get a line of their own; how many there are. The root
// of a map ends its text and needs none.
static uint32_t
choose_names(printer *p, const bool *live)
{
    const tir_op *op = p->op;
    arena *a = p->fn->a;
    uint32_t *uses = ARENA_ARRAY(a, op->nodes.n, uint32_t);
    uint32_t *height = ARENA_ARRAY(a, op->nodes.n, uint32_t), named = 0;
    uint32_t from[TIR_RANK];
    for (uint32_t i = 1; i < op->nodes.n; i++) {
        uint32_t n = live[i] ? tir_operands(op, &op->nodes.at[i], from) : 0;
        for (uint32_t k = 0; k < n; k++)
            uses[from[k]]++;
    }
    if (op->kind == TIR_SCATTER) {
        uses[op->root]++;
        uses[op->guard]++;
        for (uint32_t d = 0; d < TIR_RANK; d++)
            uses[op->target.dyn[d]]++;
    }
    for (uint32_t i = 1; i < op->nodes.n; i++) {
        if (!live[i] || op->nodes.at[i].kind == TIR_N_CONST)
            continue;
        uint32_t n = tir_operands(op, &op->nodes.at[i], from);
        for (uint32_t k = 0; k < n; k++)
            if (!p->name[from[k]] && height[from[k]] >= height[i])
                height[i] = height[from[k]] + 1;
        bool is_end = op->kind == TIR_MAP && i == op->root;
        if (!is_end && (uses[i] > 1 || height[i] >= NEST_LIMIT))
            p->name[i] = ++named;
    }
    return named;
}

// "[i0:4, i1:8]"; the time index of a recurrence is "t=i0:4".
static void
put_extents(const printer *p, char letter, uint32_t from, uint32_t to)
{
    const tir_op *op = p->op;
    strbuf_putc(p->out, '[');
    for (uint32_t x = from; x < to; x++) {
        bool is_time = op->group && x == op->time;
        strbuf_printf(p->out, "%s%s%c%u:%" PRId64, x > from ? ", " : "",
                      is_time ? "t=" : "", letter, x - from, op->extent[x]);
    }
    strbuf_putc(p->out, ']');
}

static void
put_map_head(const printer *p)
{
    const tir_op *op = p->op;
    put_extents(p, 'i', 0, op->nout);
    if (op->reduce == NUM_R_NONE) {
        strbuf_put(p->out, STR(" = map"));
        return;
    }
    strbuf_printf(p->out, " = %s", num_reduce_name(op->reduce));
    put_extents(p, 'r', op->nout, op->nout + op->nred);
}

static void
put_scatter_head(const printer *p)
{
    const tir_op *op = p->op;
    strbuf_printf(p->out, " = scatter %s",
                  op->reduce == NUM_R_NONE ? "set"
                                           : num_reduce_name(op->reduce));
    put_extents(p, 'i', 0, op->nout);
    if (op->init != TIR_ABSENT)
        strbuf_printf(p->out, " from %s", p->fn->tensors.at[op->init].name);
}

// What comes after the named values.
static void
put_result(const printer *p)
{
    const tir_op *op = p->op;
    if (op->kind == TIR_SCATTER) {
        strbuf_put(p->out, STR("at "));
        put_subs(p, &op->target);
        if (op->guard) {
            strbuf_put(p->out, STR(" if "));
            put_use(p, op->guard);
        }
        strbuf_put(p->out, STR(" put "));
    }
    put_use(p, op->root);
}

static void
put_body(printer *p)
{
    const tir_op *op = p->op;
    uint32_t named = choose_names(p, tir_live_op(p->fn->a, op));
    strbuf_put(p->out, named ? STR(" {\n") : STR(" "));
    for (uint32_t i = 1; i < op->nodes.n; i++) {
        if (!p->name[i])
            continue;
        strbuf_printf(p->out, "%s  %%%u = ", p->margin, p->name[i]);
        put_node(p, i);
        strbuf_putc(p->out, '\n');
    }
    if (named)
        strbuf_printf(p->out, "%s  ", p->margin);
    put_result(p);
    if (named)
        strbuf_printf(p->out, "\n%s}", p->margin);
}

static void
put_whole(const printer *p)
{
    const tir_op *op = p->op;
    const char *src = p->fn->tensors.at[op->src].name;
    if (op->kind == TIR_RESHAPE)
        strbuf_printf(p->out, " = reshape %s", src);
    else
        strbuf_printf(p->out, " = %s %s axis %u %s",
                      op->positions ? "positions" : "sort", src, op->axis,
                      op->descending ? "descending" : "ascending");
}

static void
print_op(const tir_fn *fn, const tir_op *op, strbuf *out)
{
    printer p = {.fn = fn,
                 .op = op,
                 .out = out,
                 .name = ARENA_ARRAY(fn->a, op->nodes.n, uint32_t),
                 .margin = op->group ? "    " : "  "};
    strbuf_printf(out, "%s%s", p.margin, fn->tensors.at[op->out].name);
    switch (op->kind) {
    case TIR_MAP:
        put_map_head(&p);
        put_body(&p);
        break;
    case TIR_SCATTER:
        put_scatter_head(&p);
        put_body(&p);
        break;
    case TIR_SORT:
    case TIR_RESHAPE: put_whole(&p); break;
    }
    strbuf_putc(out, '\n');
}

// With the braces of the recurrence that it begins or ends.
static void
print_op_at(const tir_fn *fn, uint32_t o, strbuf *out)
{
    const tir_op *op = &fn->ops.at[o];
    bool is_first = o == 0 || fn->ops.at[o - 1].group != op->group;
    bool is_last = o + 1 == fn->ops.n || fn->ops.at[o + 1].group != op->group;
    if (op->group && is_first)
        strbuf_put(out, op->backward ? STR("  for t backward {\n")
                                     : STR("  for t {\n"));
    print_op(fn, op, out);
    if (op->group && is_last)
        strbuf_put(out, STR("  }\n"));
}

static const char *
kind_name(tir_kind k)
{
    switch (k) {
    case TIR_INPUT: return "input";
    case TIR_OUTPUT: return "output";
    case TIR_TEMP: return "temp";
    case TIR_INOUT: return "inout"; // no verified function has one
    case TIR_CONST: return "const";
    }
    return "?";
}

static void
print_data(const tir_tensor *t, strbuf *out)
{
    uint64_t n = (uint64_t)tir_elems(t) * num_dtype_bytes(t->dtype);
    const unsigned char *p = t->data;
    for (uint64_t i = 0; i < n; i++) {
        if (i % HEX_PER_LINE == 0)
            strbuf_put(out, i ? STR("\"\n    \"") : STR("\n    \""));
        strbuf_printf(out, "%02x", p[i]);
    }
    strbuf_put(out, n ? STR("\"") : STR(" \"\""));
}

static void
print_tensor(const tir_fn *fn, const tir_tensor *t, strbuf *out)
{
    strbuf_printf(out, "  %s %s: %s[", kind_name(t->kind), t->name,
                  num_dtype_name(t->dtype));
    for (uint32_t d = 0; d < t->rank; d++)
        strbuf_printf(out, "%s%" PRId64, d ? ", " : "", t->shape[d]);
    strbuf_putc(out, ']');
    if (t->updates)
        strbuf_printf(out, " updates %s", fn->tensors.at[t->updates - 1].name);
    if (t->kind == TIR_CONST) {
        strbuf_put(out, STR(" ="));
        print_data(t, out);
    }
    strbuf_putc(out, '\n');
}

void
tir_print(const tir_fn *fn, strbuf *out)
{
    strbuf_printf(out, "tensor_ir @%s {\n", fn->name);
    for (uint32_t t = 0; t < fn->tensors.n; t++)
        print_tensor(fn, &fn->tensors.at[t], out);
    for (uint32_t o = 0; o < fn->ops.n; o++)
        print_op_at(fn, o, out);
    strbuf_put(out, STR("}\n"));
}
