// SPDX-License-Identifier: Apache-2.0
// Comparing one tensor with another, element by element; each comparison is a
// row of the report.
#include "api/check_int.h"

#include <math.h>
#include <string.h>

// Row-major position of element e.
static void
set_index(sy_check_row *row, const tir_tensor *t, uint64_t e)
{
    row->rank = t->rank;
    for (uint32_t i = t->rank; i-- > 0;) {
        row->index[i] = (int64_t)(e % (uint64_t)t->shape[i]);
        e /= (uint64_t)t->shape[i];
    }
}

static sy_check_row
row_new(check_cx *cx, const tir_tensor *t, const char *against)
{
    return (sy_check_row){.tensor = str_z(cx->s->a, str_of(t->name)),
                          .against = against,
                          .ok = 1,
                          .rank = t->rank,
                          .where = ""};
}

void
check_bits(check_cx *cx, const tir_tensor *t, const char *against,
           const void *got, const void *want)
{
    sy_check_row row = row_new(cx, t, against);
    uint32_t size = num_dtype_bytes(t->dtype);
    uint64_t n = api_elems(t);
    if (n && memcmp(got, want, n * size) != 0) {
        const uint8_t *x = got, *y = want;
        uint64_t e = 0;
        while (memcmp(x + e * size, y + e * size, size) == 0)
            e++;
        row.ok = 0;
        row.worst = (double)INFINITY;
        row.got = api_value(t->dtype, got, e);
        row.want = api_value(t->dtype, want, e);
        set_index(&row, t, e);
    }
    vec_push(cx->s->a, &cx->rows, row);
}

double
check_fraction(double got, double want, double allowed)
{
    if (got == want || (isnan(got) && isnan(want)))
        return 0;
    if (!isfinite(allowed))
        return 0; // nothing can be said: the analysis met a pole or overflow
    if (isnan(got) || isnan(want) || !(allowed > 0))
        return (double)INFINITY;
    return fabs(got - want) / allowed;
}

void
check_bound(check_cx *cx, const tir_tensor *t, const char *against,
            const void *got, const double *ref, const double *err_a,
            const double *err_b)
{
    sy_check_row row = row_new(cx, t, against);
    uint64_t n = api_elems(t), at = 0;
    row.worst = -1;
    for (uint64_t e = 0; e < n && row.ok; e++) {
        double allowed = err_a[e] + err_b[e];
        double f = check_fraction(api_value(t->dtype, got, e), ref[e], allowed);
        if (f <= row.worst)
            continue;
        row.worst = f;
        row.ok = f <= 1;
        at = e;
    }
    if (n) {
        row.got = api_value(t->dtype, got, at);
        row.want = ref[at];
        row.allowed = err_a[at] + err_b[at];
        set_index(&row, t, at);
    }
    // The first element that is off ended the loop; the worst is still due.
    for (uint64_t e = at; e < n && !row.ok; e++) {
        double f = check_fraction(api_value(t->dtype, got, e), ref[e],
                                  err_a[e] + err_b[e]);
        row.worst = f > row.worst ? f : row.worst;
    }
    if (row.worst < 0)
        row.worst = 0;
    vec_push(cx->s->a, &cx->rows, row);
}
