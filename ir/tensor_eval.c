// SPDX-License-Identifier: Apache-2.0
// Evaluates tensor IR in the arithmetic of its registers: the meaning of the
// text, as simply as speed allows. Whatever the way through the index space,
// every reduction takes its steps one at a time in row-major order of its
// indices, so the bits do not depend on it. The step of a sum of products
// rounds the product, then the sum.
#include "ir/tensor_int.h"

#include <string.h>

typedef struct {
    const tir_fn *fn;
    const tir_op *op;
    const void *const *buf;
    tir_walk w;
    int64_t chunk; // elements in a row at most
    uint32_t nlive;
    uint32_t *live;      // nodes the root needs, in order
    num_word **row;      // [node]
    unsigned char *cell; // a row in memory, for casts
} body;

// ---- rows of nodes

static void
fill_row(num_word *row, int64_t n, num_word w)
{
    for (int64_t e = 0; e < n; e++)
        row[e] = w;
}

static void
eval_affine(const body *b, const tir_aff *aff, int64_t n, num_word *out)
{
    int64_t step;
    uint64_t at = (uint64_t)tir_walk_aff(&b->w, aff, &step);
    for (int64_t e = 0; e < n; e++)
        out[e] = (num_word)(at + (uint64_t)e * (uint64_t)step);
}

static void
eval_read(const body *b, const tir_read *r, int64_t n, num_word *out)
{
    const tir_tensor *t = &b->fn->tensors.at[r->tensor];
    tir_span s = tir_walk_span(&b->w, t, r, n);
    int64_t bytes = num_dtype_bytes(t->dtype);
    if (r->has_fill && (s.lo > 0 || s.hi < n)) {
        fill_row(out, s.lo, r->fill);
        fill_row(out + s.hi, n - s.hi, r->fill);
    }
    if (s.lo == s.hi)
        return;
    const unsigned char *p =
        (const unsigned char *)b->buf[r->tensor] + s.off * bytes;
    if (s.step == 0 || s.hi - s.lo == 1)
        fill_row(out + s.lo, s.hi - s.lo, num_load(t->dtype, p));
    else
        num_load_row(t->dtype, p, s.step * bytes, (size_t)(s.hi - s.lo),
                     out + s.lo);
}

static void
eval_cast(const body *b, const tir_node *n, int64_t len, const num_word *x,
          num_word *out)
{
    num_as from = b->op->nodes.at[n->arg[0]].as;
    int64_t bytes = num_dtype_bytes(n->to);
    num_store_row(n->to, b->cell, bytes, (size_t)len, from, x);
    num_load_row(n->to, b->cell, bytes, (size_t)len, out);
}

static void
eval_select(int64_t n, const num_word *c, const num_word *x, const num_word *y,
            num_word *out)
{
    for (int64_t e = 0; e < n; e++)
        out[e] = c[e] ? x[e] : y[e];
}

static void
eval_node(const body *b, uint32_t node, int64_t n)
{
    const tir_node *at = b->op->nodes.at, *nd = &at[node];
    num_word *out = b->row[node];
    const num_word *x = b->row[nd->arg[0]], *y = b->row[nd->arg[1]];
    num_as as = at[nd->arg[0]].as;
    switch (nd->kind) {
    case TIR_N_NONE:
    case TIR_N_CONST: break; // filled once
    case TIR_N_AFFINE: eval_affine(b, &nd->aff, n, out); break;
    case TIR_N_GATHER:
    case TIR_N_READ: eval_read(b, &b->op->reads.at[nd->read], n, out); break;
    case TIR_N_UNARY: num_row1(nd->func1, as, (size_t)n, out, x); break;
    case TIR_N_BINARY: num_row2(nd->func2, as, (size_t)n, out, x, y, 1); break;
    case TIR_N_SELECT: eval_select(n, x, y, b->row[nd->arg[2]], out); break;
    case TIR_N_CAST: eval_cast(b, nd, n, x, out); break;
    }
}

static const num_word *
eval_row(const body *b, int64_t n)
{
    for (uint32_t i = 0; i < b->nlive; i++)
        eval_node(b, b->live[i], n);
    return b->row[b->op->root];
}

static body
body_new(const tir_fn *fn, const tir_op *op, const void *const *buf)
{
    enum { CELL_BYTES = 8, BODY_WORDS = 1 << 22, ROW_LEAST = 16 };
    uint32_t n = op->nodes.n;
    body b = {.fn = fn,
              .op = op,
              .buf = buf,
              .w = {.op = op, .vec = tir_walk_choose(fn, op)},
              .chunk = max_i64(ROW_LEAST, min_i64(TIR_ROW, BODY_WORDS / n)),
              .live = ARENA_ARRAY(fn->a, n, uint32_t),
              .row = ARENA_ARRAY(fn->a, n, num_word *)};
    b.cell = arena_alloc(fn->a, (size_t)b.chunk * CELL_BYTES);
    const bool *live = tir_live_nodes(fn->a, op, op->root);
    for (uint32_t i = 1; i <= op->root; i++) {
        if (!live[i])
            continue;
        b.live[b.nlive++] = i;
        b.row[i] = ARENA_ARRAY(fn->a, (size_t)b.chunk, num_word);
        if (op->nodes.at[i].kind == TIR_N_CONST)
            fill_row(b.row[i], b.chunk, op->nodes.at[i].imm);
    }
    return b;
}

// ---- operations

static void
store_row(const body *b, void *out, int64_t n, const num_word *row)
{
    const tir_tensor *t = &b->fn->tensors.at[b->op->out];
    int64_t step, bytes = num_dtype_bytes(t->dtype);
    tir_linear l = tir_out_linear(b->op);
    int64_t at = tir_walk_at(&b->w, &l, &step);
    num_store_row(t->dtype, (unsigned char *)out + at * bytes, step * bytes,
                  (size_t)n, b->op->nodes.at[b->op->root].as, row);
}

static bool
has_empty_reduction(const tir_op *op)
{
    for (uint32_t x = op->nout; x < op->nout + op->nred; x++)
        if (!op->extent[x])
            return true;
    return false;
}

// The row of reduced values of out, from the identity.
static void
reduce_out_row(body *b, int64_t n, num_word *acc)
{
    const tir_op *op = b->op;
    num_as as = op->nodes.at[op->root].as;
    fill_row(acc, n, num_reduce_identity(op->reduce, as));
    if (has_empty_reduction(op))
        return;
    do {
        const num_word *x = eval_row(b, n);
        num_row2(tir_reduce_func(op->reduce), as, (size_t)n, acc, acc, x, 1);
    } while (tir_walk_next(&b->w, op->nout, op->nout + op->nred));
}

// A map, or a reduction for a row of out at a time.
static void
eval_out_rows(body *b, void *out)
{
    const tir_op *op = b->op;
    int64_t extent = tir_walk_extent(&b->w), none;
    int64_t *at = b->w.vec < TIR_INDICES ? &b->w.at[b->w.vec] : &none;
    num_word *acc = ARENA_ARRAY(b->fn->a, (size_t)b->chunk, num_word);
    do {
        for (*at = 0; *at < extent; *at += b->chunk) {
            int64_t n = min_i64(extent - *at, b->chunk);
            if (op->reduce != NUM_R_NONE)
                reduce_out_row(b, n, acc);
            store_row(b, out, n,
                      op->reduce == NUM_R_NONE ? eval_row(b, n) : acc);
        }
        *at = 0;
    } while (tir_walk_next(&b->w, 0, op->nout));
}

static num_word
reduce_along(body *b)
{
    const tir_op *op = b->op;
    num_as as = op->nodes.at[op->root].as;
    num_word acc = num_reduce_identity(op->reduce, as);
    int64_t extent = op->extent[b->w.vec], *at = &b->w.at[b->w.vec];
    if (has_empty_reduction(op))
        return acc;
    do {
        for (*at = 0; *at < extent; *at += b->chunk) {
            int64_t n = min_i64(extent - *at, b->chunk);
            const num_word *x = eval_row(b, n);
            for (int64_t e = 0; e < n; e++)
                acc = num_reduce_step(op->reduce, as, acc, x[e]);
        }
        *at = 0;
    } while (tir_walk_next(&b->w, op->nout, op->nout + op->nred));
    return acc;
}

static void
eval_general(const tir_fn *fn, const tir_op *op, const void *const *buf,
             void *out)
{
    body b = body_new(fn, op, buf);
    if (b.w.vec == TIR_INDICES || b.w.vec < op->nout) {
        eval_out_rows(&b, out);
        return;
    }
    do {
        num_word acc = reduce_along(&b);
        store_row(&b, out, 1, &acc);
    } while (tir_walk_next(&b.w, 0, op->nout));
}

// ---- sums of products

// Four binary32 at a time; the compiler's vectors keep IEEE semantics.
typedef float f32x4 __attribute__((vector_size(16)));
enum { LANES = 4 };

typedef struct {
    const void *const *buf;
    void *out;
    float a[TIR_DOT_I][TIR_DOT_K];
    f32x4 b[TIR_DOT_K][TIR_DOT_J / LANES];
    f32x4 acc[TIR_DOT_I][TIR_DOT_J / LANES];
} dot_cx;

static void
dot_begin(void *cx, const tir_dot_block *b)
{
    dot_cx *c = cx;
    (void)b;
    memset(c->acc, 0, sizeof c->acc);
}

// acc += a[k] * b[k], k ascending; 16 columns stay in registers.
static void
dot_row(f32x4 *acc, const float *a, f32x4 b[][TIR_DOT_J / LANES], uint32_t nk,
        uint32_t nvec)
{
    for (uint32_t v = 0; v < nvec; v += 4) {
        f32x4 c0 = acc[v], c1 = acc[v + 1], c2 = acc[v + 2], c3 = acc[v + 3];
        for (uint32_t k = 0; k < nk; k++) {
            c0 += a[k] * b[k][v];
            c1 += a[k] * b[k][v + 1];
            c2 += a[k] * b[k][v + 2];
            c3 += a[k] * b[k][v + 3];
        }
        acc[v] = c0;
        acc[v + 1] = c1;
        acc[v + 2] = c2;
        acc[v + 3] = c3;
    }
}

static void
dot_terms(void *cx, const tir_dot_block *b)
{
    dot_cx *c = cx;
    const tir_dot *d = b->dot;
    uint32_t ta = d->op->reads.at[d->a].tensor;
    uint32_t tb = d->op->reads.at[d->b].tensor;
    num_dtype da = d->fn->tensors.at[ta].dtype;
    num_dtype db = d->fn->tensors.at[tb].dtype;
    int64_t sa = num_dtype_bytes(da), sb = num_dtype_bytes(db);
    const unsigned char *pa = c->buf[ta], *pb = c->buf[tb];
    num_word row[TIR_DOT_J];
    for (uint32_t k = 0; k < b->nk; k++) {
        num_load_row(db, pb + b->b[k] * sb, b->b_j * sb, b->nj, row);
        memcpy(c->b[k], row, b->nj * sizeof *row);
        for (uint32_t i = 0; i < b->ni; i++)
            c->a[i][k] =
                num_f32(num_load(da, pa + (b->a[k] + b->a_i * i) * sa));
    }
    uint32_t nvec = (uint32_t)align_up(b->nj, 16) / LANES;
    for (uint32_t i = 0; i < b->ni; i++)
        dot_row(c->acc[i], c->a[i], c->b, b->nk, nvec);
}

static void
dot_end(void *cx, const tir_dot_block *b)
{
    dot_cx *c = cx;
    num_dtype t = b->dot->fn->tensors.at[b->dot->op->out].dtype;
    int64_t bytes = num_dtype_bytes(t);
    num_word row[TIR_DOT_J];
    for (uint32_t i = 0; i < b->ni; i++) {
        memcpy(row, c->acc[i], b->nj * sizeof *row);
        for (uint32_t j = 0; j < b->nj; j++)
            if ((row[j] & 0x7fffffffu) > 0x7f800000u)
                row[j] = NUM_CANONICAL_NAN;
        num_store_row(t,
                      (unsigned char *)c->out + (b->out + b->out_i * i) * bytes,
                      b->out_j * bytes, b->nj, NUM_AS_F32, row);
    }
}

static void
eval_dot(const tir_dot *d, const void *const *buf, void *out)
{
    dot_cx *c = ARENA_NEW(d->fn->a, dot_cx);
    c->buf = buf;
    c->out = out;
    tir_dot_sink sink = {c, dot_begin, dot_terms, dot_end};
    tir_dot_run(d, &sink);
}

// ---- the function

static bool
has_elements(const tir_op *op)
{
    for (uint32_t x = 0; x < op->nout; x++)
        if (!op->extent[x])
            return false;
    return true;
}

void
tir_eval(const tir_fn *fn, void *const *buf)
{
    num_env env = num_env_enter();
    const void **in = ARENA_ARRAY(fn->a, fn->tensors.n, const void *);
    for (uint32_t t = 0; t < fn->tensors.n; t++)
        in[t] = buf[t] ? buf[t] : fn->tensors.at[t].data;
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        const tir_op *op = &fn->ops.at[o];
        tir_dot d;
        arena_mark mark = arena_save(fn->a);
        if (!has_elements(op))
            continue;
        if (tir_dot_plan(fn, op, &d))
            eval_dot(&d, in, buf[op->out]);
        else
            eval_general(fn, op, in, buf[op->out]);
        arena_restore(fn->a, mark);
    }
    num_env_leave(env);
}
