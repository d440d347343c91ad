// SPDX-License-Identifier: Apache-2.0
// Error bounds of sorts. Elements whose order an error could turn form a
// cluster: a maximal run of the sorted row in which no place separates surely
// smaller elements from surely greater ones. An order statistic moves by no
// more than the largest error among those it is taken from, so a value is off
// by at most its cluster's largest error; a position may be any of its
// cluster's.
#include "ir/tile_bound_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// An element, negated if the sort descends.
typedef struct {
    double z, e;
    int nan; // 1: after all numbers, -1: before them
    uint32_t at;
} item;

// The least (or greatest) that elements may be, and whether one of them that
// may be so is inexact.
typedef struct {
    double v;
    bool inexact;
} edge;

static int
compare(const void *pa, const void *pb)
{
    const item *a = pa, *b = pb;

    if (a->nan != b->nan) {
        return a->nan < b->nan ? -1 : 1;
    }
    if (a->z != b->z) {
        return a->z < b->z ? -1 : 1;
    }
    return a->at < b->at ? -1 : 1;
}

static item
item_of(num_as as, num_word w, double e, bool descending, uint32_t at)
{
    item x = {tile_word_value(as, w), e, 0, at};

    if (isnan(x.z)) {
        x.nan = 1;
        x.z = (double)INFINITY;
    }
    if (descending) {
        x.z = -x.z;
        x.nan = -x.nan;
    }
    return x;
}

static double
low(const item *x)
{
    return isinf(x->e) ? -(double)INFINITY : x->z - x->e;
}

static double
high(const item *x)
{
    return isinf(x->e) ? (double)INFINITY : x->z + x->e;
}

// Whether all items before 'i' surely come before all from 'i' on. Exact ties
// keep their order.
static bool
separates(const edge *below, const edge *above, uint32_t i)
{
    return below[i - 1].v < above[i].v ||
           (below[i - 1].v == above[i].v && !below[i - 1].inexact &&
            !above[i].inexact);
}

static void
raise(edge *to, const edge *from, double v, bool inexact)
{
    *to = *from;
    if (v > to->v) {
        *to = (edge){v, inexact};
    } else if (v == to->v) {
        to->inexact = to->inexact || inexact;
    }
}

static void
find_edges(const item *x, uint32_t n, edge *below, edge *above)
{
    const edge none = {-(double)INFINITY, false};

    for (uint32_t i = 0; i < n; i++) {
        raise(&below[i], i == 0 ? &none : &below[i - 1], high(&x[i]),
              x[i].e != 0);
    }
    for (uint32_t i = n; i-- > 0;) { // the same, mirrored
        edge next = none;
        if (i + 1 < n) {
            next = (edge){-above[i + 1].v, above[i + 1].inexact};
        }
        raise(&above[i], &next, -low(&x[i]), x[i].e != 0);
        above[i].v = -above[i].v;
    }
}

// Bounds of the values and positions of the sorted row.
static void
bound_clusters(const item *x, uint32_t n, const edge *below, const edge *above,
               double *value, double *position)
{
    for (uint32_t first = 0, end; first < n; first = end) {
        uint32_t least = x[first].at, most = x[first].at;
        double e = x[first].e;

        for (end = first + 1; end < n && !separates(below, above, end); end++) {
            least = x[end].at < least ? x[end].at : least;
            most = x[end].at > most ? x[end].at : most;
            e = fmax(e, x[end].e);
        }
        for (uint32_t i = first; i < end; i++) {
            value[i] = e;
            position[i] = (double)(most - least);
        }
    }
}

void
tile_bound_sort(tile_run *r, tile_step *s)
{
    tile_bound *b = r->ctx;
    arena *a = r->fn->a;
    arena_mark mark = arena_save(a);
    uint32_t n = (uint32_t)tile_view_elems(&s->a);
    num_as as = num_widened(s->a.store->dtype);
    item *x = ARENA_ARRAY(a, n, item);
    edge *below = ARENA_ARRAY(a, n, edge), *above = ARENA_ARRAY(a, n, edge);
    double *value = ARENA_ARRAY(a, n, double);
    double *position = ARENA_ARRAY(a, n, double);

    for (uint32_t p = 0; p < s->a.parts; p++) {
        tile_view dst = tile_view_part(&s->dst, p);
        tile_view at = tile_view_part(&s->dst2, p);

        tile_bound_read(&s->a, p, as, &b->x);
        for (uint32_t i = 0; i < n; i++) {
            x[i] = item_of(as, b->x.w[i], b->x.e[i], s->op->descending, i);
        }
        qsort(x, n, sizeof *x, compare);
        find_edges(x, n, below, above);
        bound_clusters(x, n, below, above, value, position);
        tile_bound_put(&dst, value);
        if (s->dst2.store != NULL) {
            tile_bound_put(&at, position);
        }
    }
    num_exec(&s->insn, &r->state, r->scratch);
    arena_restore(a, mark);
}
