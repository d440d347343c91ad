// SPDX-License-Identifier: Apache-2.0
// Which transfer wrote a wrong element: the machine runs once more with
// somebody watching.
#include "api/check_int.h"

#include <string.h>

typedef struct {
    check_cx *cx;
    sy_check_row *row;
    uint32_t tensor; // its number in the object
    int64_t byte;    // of the element
    uint32_t size;   // bytes of one element
} watch;

// Whether one of the pattern's elements is the byte looked for.
static bool
covers(const rt_ref *r, int64_t byte)
{
    int64_t count[1 + NUM_DIMS], step[1 + NUM_DIMS], at[1 + NUM_DIMS] = {0};
    count[0] = r->parts;
    step[0] = r->part_step;
    for (uint32_t i = 0; i < r->ndim; i++) {
        count[i + 1] = r->dim[i].count;
        step[i + 1] = r->dim[i].step;
    }
    for (uint32_t i = 0; i <= r->ndim; i++) {
        if (count[i] == 0)
            return false;
    }
    for (int64_t offset = r->offset;;) {
        if (offset == byte)
            return true;
        uint32_t i = r->ndim + 1;
        while (i > 0 && ++at[i - 1] == count[i - 1]) {
            i--;
            offset -= step[i] * (count[i] - 1);
            at[i] = 0;
        }
        if (i == 0)
            return false;
        offset += step[i - 1];
    }
}

static int64_t
row_element(const tir_tensor *t, const sy_check_row *row)
{
    int64_t e = 0;
    for (uint32_t i = 0; i < t->rank; i++)
        e = e * t->shape[i] + row->index[i];
    return e;
}

static bool
see_transfer(void *ctx, uint32_t queue, const rt_record *r)
{
    watch *w = ctx;
    const rt_ref *dst = &r->ref[0];
    if (r->empty || !r->has[0] || !dst->hbm || dst->tensor != w->tensor ||
        !covers(dst, w->byte))
        return true;
    check_cx *cx = w->cx;
    strbuf b = strbuf_new(cx->s->a);
    loc at = rt_loc(cx->p->rt, r->engine, r->index);
    if (at.source) {
        uint32_t line = 0, col = 0;
        diag_line_col(&cx->s->d, at, &line, &col);
        strbuf_printf(&b, "%s:%u:%u, ", cx->s->d.sources.at[at.source].name,
                      line, col);
    }
    int64_t first = dst->offset / w->size;
    strbuf_printf(&b,
                  "instruction %u of %s, transfer %llu of queue %u, tile "
                  "from element %lld",
                  r->index, isa_engine_name(r->engine),
                  (unsigned long long)r->seq, queue, (long long)first);
    w->row->where = b.p;
    return true;
}

void
check_find_writers(check_cx *cx)
{
    if (rt_needs_data(cx->p->rt))
        return; // it cannot run without
    for (uint32_t i = 0; i < cx->rows.n; i++) {
        sy_check_row *row = &cx->rows.at[i];
        uint32_t k = 0;
        while (k < cx->machine.n &&
               strcmp(cx->machine.t[k].name, row->tensor) != 0)
            k++;
        if (row->ok || k == cx->machine.n)
            continue;
        const tir_tensor *t = &cx->machine.t[k];
        watch w = {.cx = cx,
                   .row = row,
                   .tensor = k,
                   .size = num_dtype_bytes(t->dtype)};
        w.byte = row_element(t, row) * (int64_t)w.size;
        rt_consumer see = {.ctx = &w, .transfer = see_transfer};
        rt_order order = {0};
        rt_machine_run(cx->p->rt, &order, &see, 1, &cx->s->d);
    }
}
