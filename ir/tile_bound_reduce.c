// SPDX-License-Identifier: Apache-2.0
// Error bounds of reductions: the machine's order, step by step, with the rule
// of the combining function at each. Along the free axis 32 partials start
// from the identity, element e goes to e mod 32, and a halving tree ends it;
// across partitions the order ascends.
#include "ir/tile_bound_int.h"

enum { PARTIALS = 32 };

static num_binary
combining(num_reduce r)
{
    switch (r) {
    case NUM_R_SUM: return NUM_ADD;
    case NUM_R_PROD: return NUM_MUL;
    case NUM_R_MAX: return NUM_MAX;
    case NUM_R_MIN: return NUM_MIN;
    case NUM_R_ANY: return NUM_OR;
    case NUM_R_ALL: return NUM_AND;
    case NUM_R_SUB:
    case NUM_R_AND:
    case NUM_R_OR:
    case NUM_R_XOR:
    case NUM_R_ABSMAX:
    case NUM_R_ABSMIN:
    case NUM_R_NONE:
    case NUM_R_COUNT: break;
    }
    return NUM_B_NONE;
}

typedef struct {
    num_word w;
    double e;
} bounded;

static void
step(num_reduce r, num_as as, bounded *acc, num_word w, double e)
{
    num_word words[2] = {acc->w, w};
    double errs[2] = {acc->e, e};

    acc->w = num_reduce_step(r, as, acc->w, w);
    acc->e = tile_err_binary(combining(r), as, words, errs, acc->w);
}

static bounded
reduce_row(num_reduce r, num_as as, size_t n, const num_word *w,
           const double *e)
{
    bounded part[PARTIALS];

    for (uint32_t i = 0; i < PARTIALS; i++) {
        part[i].w = num_reduce_identity(r, as);
        part[i].e = 0;
    }
    for (size_t i = 0; i < n; i++) {
        step(r, as, &part[i % PARTIALS], w[i], e[i]);
    }
    for (uint32_t h = PARTIALS / 2; h > 0; h /= 2) {
        for (uint32_t i = 0; i < h; i++) {
            step(r, as, &part[i], part[i + h].w, part[i + h].e);
        }
    }
    return part[0];
}

void
tile_bound_reduce(tile_bound *b, const tile_step *s, uint32_t p)
{
    const num_insn *in = &s->insn;
    size_t inner = 1, n = (size_t)tile_view_elems(&s->dst);

    for (uint32_t d = s->a.ndim - in->reduce_dims; d < s->a.ndim; d++) {
        inner *= s->a.dim[d].count;
    }
    tile_bound_read(&s->a, p, in->as, &b->y);
    b->x.as = in->as;
    for (size_t i = 0; i < n; i++) {
        bounded r = reduce_row(in->reduce, in->as, inner, b->y.w + i * inner,
                               b->y.e + i * inner);

        b->x.w[i] = r.w;
        b->x.e[i] = r.e;
    }
}

void
tile_bound_preduce(tile_run *r, tile_step *s)
{
    tile_bound *b = r->ctx;
    const num_insn *in = &s->insn;
    size_t n = (size_t)tile_view_elems(&s->dst);

    tile_bound_read(&s->a, 0, in->as, &b->x);
    for (uint32_t p = 1; p < s->a.parts; p++) {
        tile_bound_read(&s->a, p, in->as, &b->y);
        tile_bound_binary(b, combining(in->reduce), false, n);
    }
    num_exec(in, &r->state, r->scratch);
    tile_bound_stored(b, &s->dst);
}
