// SPDX-License-Identifier: Apache-2.0
// Evaluates sums of products of tensor IR in blocks (tensor_dot.c). The step
// rounds the product, then the sum.
#include "ir/tensor_int.h"

#include <string.h>

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

void
tir_eval_dot(const tir_dot *d, const void *const *buf, void *out)
{
    dot_cx *c = ARENA_NEW(d->fn->a, dot_cx);
    c->buf = buf;
    c->out = out;
    tir_dot_sink sink = {c, dot_begin, dot_terms, dot_end};
    tir_dot_run(d, &sink);
}
