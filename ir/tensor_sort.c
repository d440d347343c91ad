// SPDX-License-Identifier: Apache-2.0
// Sorting rows of tensor IR, for both evaluators: a merge sort, which is
// stable. NaN is the greatest value and all zeros are equal.
#include "ir/tensor_int.h"

#include <string.h>

static bool
is_before(double a, double b, bool descending)
{
    if (descending)
        return a > b || (a != a && b == b);
    return a < b || (b != b && a == a);
}

// Two sorted runs, [0, mid) and [mid, n) of from, into to.
static void
merge(const tir_ranked *from, int64_t mid, int64_t n, bool descending,
      tir_ranked *to)
{
    int64_t i = 0, j = mid;
    for (int64_t k = 0; k < n; k++) {
        bool is_right =
            i == mid ||
            (j < n && is_before(from[j].key, from[i].key, descending));
        to[k] = from[is_right ? j++ : i++];
    }
}

void
tir_sort_row(tir_ranked *row, tir_ranked *spare, int64_t n, bool descending)
{
    tir_ranked *from = row, *to = spare;
    for (int64_t run = 1; run < n; run *= 2) {
        for (int64_t at = 0; at < n; at += 2 * run)
            merge(from + at, min_i64(run, n - at), min_i64(2 * run, n - at),
                  descending, to + at);
        tir_ranked *swap = from;
        from = to;
        to = swap;
    }
    if (from != row && n)
        memcpy(row, from, (size_t)n * sizeof *row);
}

tir_sort_rows
tir_sort_plan(const tir_fn *fn, const tir_op *op)
{
    const tir_tensor *x = &fn->tensors.at[op->src];
    tir_sort_rows s = {.n = x->shape[op->axis],
                       .take = op->extent[op->axis],
                       .rows = 1,
                       .step = 1};
    for (uint32_t d = 0; d < x->rank; d++) {
        s.rows *= d == op->axis ? 1 : x->shape[d];
        s.step *= d > op->axis ? x->shape[d] : 1;
    }
    return s;
}

int64_t
tir_sort_first(const tir_sort_rows *s, int64_t row, int64_t extent)
{
    return row / s->step * extent * s->step + row % s->step;
}
