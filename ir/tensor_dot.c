// SPDX-License-Identifier: Apache-2.0
// Sums of products in blocks, for both evaluators of tensor IR. With operand b
// gathered once for a block of rows, a product costs a multiplication and an
// addition; the order of every sum stays that of the reduction indices.
#include "ir/tensor_int.h"

static bool
is_plain_read(const tir_fn *fn, const tir_op *op, uint32_t node)
{
    const tir_node *n = &op->nodes.at[node];
    if (n->kind != TIR_N_READ)
        return false;
    const tir_read *r = &op->reads.at[n->read];
    return !r->has_fill && num_is_float(fn->tensors.at[r->tensor].dtype);
}

// The out index other than j with the largest extent that b does not depend on.
static uint32_t
choose_i(const tir_op *op, const tir_dot *d)
{
    uint32_t best = TIR_INDICES;
    for (uint32_t x = 0; x < op->nout; x++)
        if (x != d->j && !d->lb.step[x] &&
            (best == TIR_INDICES || op->extent[x] > op->extent[best]))
            best = x;
    return best;
}

bool
tir_dot_plan(const tir_fn *fn, const tir_op *op, tir_dot *out)
{
    const tir_node *root = &op->nodes.at[op->root];
    if (op->kind != TIR_MAP || op->group || op->reduce != NUM_R_SUM ||
        !op->nout || tir_op_is_empty(op) || root->kind != TIR_N_BINARY ||
        root->func2 != NUM_MUL || !is_plain_read(fn, op, root->arg[0]) ||
        !is_plain_read(fn, op, root->arg[1]))
        return false;
    uint32_t a = op->nodes.at[root->arg[0]].read;
    uint32_t b = op->nodes.at[root->arg[1]].read, j = op->nout - 1;
    if (!tir_read_linear(fn, op, &op->reads.at[b]).step[j]) {
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    *out = (tir_dot){.fn = fn, .op = op, .a = a, .b = b, .j = j, .nk = 1};
    out->la = tir_read_linear(fn, op, &op->reads.at[a]);
    out->lb = tir_read_linear(fn, op, &op->reads.at[b]);
    out->lo = tir_out_linear(op);
    for (uint32_t x = op->nout; x < op->nout + op->nred; x++)
        out->nk *= op->extent[x];
    out->i = choose_i(op, out);
    return !out->la.step[j] && out->lb.step[j];
}

// All terms of one block, TIR_DOT_K at a time.
static void
run_terms(const tir_dot *d, tir_walk *w, tir_dot_block *b,
          const tir_dot_sink *sink)
{
    const tir_op *op = d->op;
    int64_t step;
    bool more = true;
    while (more) {
        for (b->nk = 0; more && b->nk < TIR_DOT_K; b->nk++) {
            b->a[b->nk] = tir_walk_at(w, &d->la, &step);
            b->b[b->nk] = tir_walk_at(w, &d->lb, &step);
            more = tir_walk_next(w, op->nout, op->nout + op->nred);
        }
        sink->terms(sink->cx, b);
    }
}

static void
run_block(const tir_dot *d, tir_walk *w, const tir_dot_sink *sink)
{
    const tir_op *op = d->op;
    int64_t step;
    tir_dot_block b = {.dot = d, .ni = 1};
    if (d->i < TIR_INDICES) {
        b.ni = (uint32_t)min_i64(op->extent[d->i] - w->at[d->i], TIR_DOT_I);
        b.out_i = d->lo.step[d->i];
        b.a_i = d->la.step[d->i];
    }
    b.nj = (uint32_t)min_i64(op->extent[d->j] - w->at[d->j], TIR_DOT_J);
    b.out_j = d->lo.step[d->j];
    b.b_j = d->lb.step[d->j];
    b.out = tir_walk_at(w, &d->lo, &step);
    sink->begin(sink->cx, &b);
    run_terms(d, w, &b, sink);
    sink->end(sink->cx, &b);
}

// Next block: i and j step by a block, the other out indices by one.
static bool
next_block(const tir_dot *d, tir_walk *w)
{
    for (uint32_t x = d->op->nout; x-- > 0;) {
        w->at[x] += x == d->j ? TIR_DOT_J : x == d->i ? TIR_DOT_I : 1;
        if (w->at[x] < d->op->extent[x])
            return true;
        w->at[x] = 0;
    }
    return false;
}

void
tir_dot_run(const tir_dot *d, const tir_dot_sink *sink)
{
    tir_walk w = {.op = d->op, .vec = TIR_INDICES};
    do
        run_block(d, &w, sink);
    while (next_block(d, &w));
}
