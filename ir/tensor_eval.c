// SPDX-License-Identifier: Apache-2.0
// Evaluates tensor IR in the arithmetic of its registers: the meaning of the
// text, as simply as speed allows. Whatever the way through the index space,
// every reduction takes its steps one at a time in row-major order of its
// indices, so the bits do not depend on it. Sums of products are in
// tensor_eval_dot.c.
#include "ir/tensor_int.h"

#include <string.h>

// One evaluation of a function.
typedef struct {
    const tir_fn *fn;
    const void *const *in; // every tensor, to read
    void *const *buf;      // those that are computed
    diags *d;
} run;

typedef struct {
    const tir_fn *fn;
    const tir_op *op;
    const void *const *buf;
    tir_walk w;
    int64_t chunk; // elements in a row at most
    uint32_t nlive;
    uint32_t *live;      // nodes the operation needs, in order
    num_word **row;      // [node]
    num_word *acc;       // a row of reduced values
    unsigned char *cell; // a row in memory, for casts
    int64_t *place;      // a row of positions
    tir_linear to;       // of the element that is defined
    diags *d;
    bool is_failed; // a subscript was outside
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

// Elements of 'bytes' bytes at the given places, in a row; those outside are 0.
static void
pick_cells(const unsigned char *from, uint32_t bytes, int64_t n,
           const int64_t *place, unsigned char *cell)
{
    if (bytes == 4) {
        for (int64_t e = 0; e < n; e++)
            memcpy(cell + 4 * e, from + 4 * max_i64(place[e], 0), 4);
        return;
    }
    if (bytes == 2) {
        for (int64_t e = 0; e < n; e++)
            memcpy(cell + 2 * e, from + 2 * max_i64(place[e], 0), 2);
        return;
    }
    for (int64_t e = 0; e < n; e++)
        memcpy(cell + bytes * e, from + bytes * max_i64(place[e], 0), bytes);
}

// The rows of values of the nodes that subscripts depend on.
static void
subscript_rows(const body *b, const tir_read *r, const num_word **dyn)
{
    for (uint32_t d = 0; d < TIR_RANK; d++)
        dyn[d] = b->row[r->dyn[d]];
}

static int64_t
first_outside(const int64_t *place)
{
    int64_t e = 0;
    while (place[e] >= 0)
        e++;
    return e;
}

static bool
eval_gather(body *b, const tir_read *r, int64_t n, num_word *out)
{
    const tir_tensor *t = &b->fn->tensors.at[r->tensor];
    const num_word *dyn[TIR_RANK];
    subscript_rows(b, r, dyn);
    bool is_inside = tir_walk_places(&b->w, r, t, dyn, n, b->place);
    if (!is_inside && !r->has_fill)
        return tir_walk_fault(&b->w, r, t, dyn, first_outside(b->place), b->d);
    uint32_t bytes = num_dtype_bytes(t->dtype);
    if (!tir_elems(t)) {
        fill_row(out, n, r->fill);
        return true;
    }
    pick_cells(b->buf[r->tensor], bytes, n, b->place, b->cell);
    num_load_row(t->dtype, b->cell, bytes, (size_t)n, out);
    for (int64_t e = 0; !is_inside && e < n; e++)
        if (b->place[e] < 0)
            out[e] = r->fill;
    return true;
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

static bool
eval_node(body *b, uint32_t node, int64_t n)
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
        return eval_gather(b, &b->op->reads.at[nd->read], n, out);
    case TIR_N_READ: eval_read(b, &b->op->reads.at[nd->read], n, out); break;
    case TIR_N_UNARY: num_row1(nd->func1, as, (size_t)n, out, x); break;
    case TIR_N_BINARY: num_row2(nd->func2, as, (size_t)n, out, x, y, 1); break;
    case TIR_N_SELECT: eval_select(n, x, y, b->row[nd->arg[2]], out); break;
    case TIR_N_CAST: eval_cast(b, nd, n, x, out); break;
    }
    return true;
}

// After a fault, a row of anything.
static const num_word *
eval_row(body *b, int64_t n)
{
    for (uint32_t i = 0; !b->is_failed && i < b->nlive; i++)
        b->is_failed = !eval_node(b, b->live[i], n);
    return b->row[b->op->root];
}

// Rows run along index 'vec'.
static body
body_new(const tir_fn *fn, const tir_op *op, uint32_t vec,
         const void *const *buf, diags *d)
{
    enum { CELL_BYTES = 8, BODY_WORDS = 1 << 22, ROW_LEAST = 16 };
    uint32_t n = op->nodes.n;
    body b = {.fn = fn,
              .op = op,
              .buf = buf,
              .w = {.op = op, .vec = vec},
              .to = tir_out_linear(op),
              .d = d,
              .chunk = max_i64(ROW_LEAST, min_i64(TIR_ROW, BODY_WORDS / n)),
              .live = ARENA_ARRAY(fn->a, n, uint32_t),
              .row = ARENA_ARRAY(fn->a, n, num_word *)};
    b.cell = arena_alloc(fn->a, (size_t)b.chunk * CELL_BYTES);
    b.acc = ARENA_ARRAY(fn->a, (size_t)b.chunk, num_word);
    b.place = ARENA_ARRAY(fn->a, (size_t)b.chunk, int64_t);
    const bool *live = tir_live_op(fn->a, op);
    for (uint32_t i = 1; i < op->nodes.n; i++) {
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
    int64_t at = tir_walk_at(&b->w, &b->to, &step);
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
reduce_out_row(body *b, int64_t n)
{
    const tir_op *op = b->op;
    num_as as = op->nodes.at[op->root].as;
    fill_row(b->acc, n, num_reduce_identity(op->reduce, as));
    if (has_empty_reduction(op))
        return;
    do {
        const num_word *x = eval_row(b, n);
        num_row2(tir_reduce_func(op->reduce), as, (size_t)n, b->acc, b->acc, x,
                 1);
    } while (!b->is_failed &&
             tir_walk_next(&b->w, op->nout, op->nout + op->nred));
}

// A map, or a reduction for a row of out at a time.
static void
eval_out_rows(body *b, void *out)
{
    const tir_op *op = b->op;
    int64_t extent = tir_walk_extent(&b->w), none;
    int64_t *at = b->w.vec < TIR_INDICES ? &b->w.at[b->w.vec] : &none;
    do {
        for (*at = 0; !b->is_failed && *at < extent; *at += b->chunk) {
            int64_t n = min_i64(extent - *at, b->chunk);
            if (op->reduce != NUM_R_NONE)
                reduce_out_row(b, n);
            store_row(b, out, n,
                      op->reduce == NUM_R_NONE ? eval_row(b, n) : b->acc);
        }
        *at = 0;
    } while (!b->is_failed && tir_walk_next(&b->w, 0, op->nout));
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
        for (*at = 0; !b->is_failed && *at < extent; *at += b->chunk) {
            int64_t n = min_i64(extent - *at, b->chunk);
            const num_word *x = eval_row(b, n);
            for (int64_t e = 0; e < n; e++)
                acc = num_reduce_step(op->reduce, as, acc, x[e]);
        }
        *at = 0;
    } while (!b->is_failed &&
             tir_walk_next(&b->w, op->nout, op->nout + op->nred));
    return acc;
}

// A map or a reduction, of a recurrence at the time that is set.
static bool
eval_map(body *b, void *out)
{
    if (b->w.vec == TIR_INDICES || b->w.vec < b->op->nout) {
        eval_out_rows(b, out);
        return !b->is_failed;
    }
    do {
        num_word acc = reduce_along(b);
        store_row(b, out, 1, &acc);
    } while (!b->is_failed && tir_walk_next(&b->w, 0, b->op->nout));
    return !b->is_failed;
}

static bool
has_elements(const tir_op *op)
{
    for (uint32_t x = 0; x < op->nout; x++)
        if (!op->extent[x])
            return false;
    return true;
}

// The n operations of a recurrence.
static bool
eval_group(const run *r, const tir_op *ops, uint32_t n)
{
    body *b = ARENA_ARRAY(r->fn->a, n, body);
    int64_t end = ops->extent[ops->time];
    for (uint32_t o = 0; o < n; o++)
        b[o] = body_new(r->fn, &ops[o], tir_walk_choose(r->fn, &ops[o]), r->in,
                        r->d);
    for (int64_t s = 0; s < end; s++)
        for (uint32_t o = 0; o < n; o++) {
            b[o].w.at[ops[o].time] = ops->backward ? end - 1 - s : s;
            if (has_elements(&ops[o]) && !eval_map(&b[o], r->buf[ops[o].out]))
                return false;
        }
    return true;
}

// ---- scatters

// What a scatter starts from.
static void
begin_scatter(const run *r, const tir_op *op)
{
    const tir_tensor *t = &r->fn->tensors.at[op->out];
    size_t n = (size_t)tir_elems(t), bytes = num_dtype_bytes(t->dtype);
    unsigned char *out = r->buf[op->out];
    if (!n)
        return;
    if (op->init != TIR_ABSENT) {
        memmove(out, r->in[op->init], n * bytes);
    } else if (op->reduce == NUM_R_NONE) {
        memset(out, 0, n * bytes);
    } else {
        num_as as = num_widened(t->dtype);
        num_word w = num_reduce_identity(op->reduce, as);
        for (size_t e = 0; e < n; e++)
            num_store(t->dtype, out + e * bytes, as, w);
    }
}

// A row of n updates, in order.
static bool
put_row(body *b, int64_t n, unsigned char *out)
{
    const tir_op *op = b->op;
    const tir_tensor *t = &b->fn->tensors.at[op->out];
    const num_word *x = b->row[op->root];
    const num_word *guard = op->guard ? b->row[op->guard] : NULL;
    const num_word *dyn[TIR_RANK];
    num_as as = op->nodes.at[op->root].as;
    uint32_t bytes = num_dtype_bytes(t->dtype);
    subscript_rows(b, &op->target, dyn);
    (void)tir_walk_places(&b->w, &op->target, t, dyn, n, b->place);
    num_store_row(t->dtype, b->cell, bytes, (size_t)n, as, x);
    for (int64_t e = 0; e < n; e++) {
        if (guard && !guard[e])
            continue;
        if (b->place[e] < 0)
            return tir_walk_fault(&b->w, &op->target, t, dyn, e, b->d);
        unsigned char *p = out + b->place[e] * bytes;
        if (op->reduce == NUM_R_NONE)
            memcpy(p, b->cell + e * bytes, bytes);
        else
            num_store(
                t->dtype, p, as,
                num_reduce_step(op->reduce, as, num_load(t->dtype, p), x[e]));
    }
    return true;
}

static bool
eval_scatter(const run *r, const tir_op *op)
{
    begin_scatter(r, op);
    if (tir_op_is_empty(op))
        return true;
    uint32_t vec = op->nout ? op->nout - 1 : TIR_INDICES;
    body b = body_new(r->fn, op, vec, r->in, r->d);
    int64_t extent = tir_walk_extent(&b.w), none;
    int64_t *at = op->nout ? &b.w.at[vec] : &none;
    do {
        for (*at = 0; *at < extent; *at += b.chunk) {
            int64_t n = min_i64(extent - *at, b.chunk);
            (void)eval_row(&b, n);
            if (b.is_failed || !put_row(&b, n, r->buf[op->out]))
                return false;
        }
        *at = 0;
    } while (tir_walk_next(&b.w, 0, op->nout));
    return true;
}

// ---- sorts and reshapes

static double
sort_key(num_as as, num_word w)
{
    if (as == NUM_AS_F32)
        return (double)num_f32(w);
    return as == NUM_AS_I32 ? (double)(int32_t)w : (double)w;
}

static void
store_sorted(const run *r, const tir_op *op, const tir_ranked *rank,
             int64_t row)
{
    const tir_tensor *x = &r->fn->tensors.at[op->src];
    tir_sort_rows s = tir_sort_plan(r->fn, op);
    int64_t first = tir_sort_first(&s, row, s.n),
            size = num_dtype_bytes(x->dtype);
    int64_t bytes = num_dtype_bytes(r->fn->tensors.at[op->out].dtype);
    const unsigned char *from = (const unsigned char *)r->in[op->src];
    unsigned char *out = (unsigned char *)r->buf[op->out] +
                         tir_sort_first(&s, row, s.take) * bytes;
    for (int64_t e = 0; e < s.take; e++, out += s.step * bytes) {
        int32_t position = (int32_t)rank[e].at;
        const unsigned char *p = from + (first + rank[e].at * s.step) * size;
        if (op->positions)
            memcpy(out, &position, sizeof position);
        else
            num_store(x->dtype, out, num_widened(x->dtype),
                      num_load(x->dtype, p));
    }
}

static void
eval_reshape(const run *r, const tir_op *op)
{
    const tir_tensor *t = &r->fn->tensors.at[op->out];
    size_t n = (size_t)tir_elems(t) * num_dtype_bytes(t->dtype);
    if (n)
        memcpy(r->buf[op->out], r->in[op->src], n);
}

static void
eval_sort(const run *r, const tir_op *op)
{
    const tir_tensor *t = &r->fn->tensors.at[op->src];
    tir_sort_rows s = tir_sort_plan(r->fn, op);
    int64_t bytes = num_dtype_bytes(t->dtype);
    num_as as = num_widened(t->dtype);
    tir_ranked *rank = ARENA_ARRAY(r->fn->a, (size_t)s.n, tir_ranked);
    tir_ranked *spare = ARENA_ARRAY(r->fn->a, (size_t)s.n, tir_ranked);
    for (int64_t row = 0; s.take && row < s.rows; row++) {
        const unsigned char *p = (const unsigned char *)r->in[op->src] +
                                 tir_sort_first(&s, row, s.n) * bytes;
        for (int64_t e = 0; e < s.n; e++)
            rank[e] = (tir_ranked){
                sort_key(as, num_load(t->dtype, p + e * s.step * bytes)), e};
        tir_sort_row(rank, spare, s.n, op->descending);
        store_sorted(r, op, rank, row);
    }
}

// ---- the function

// Operations [at, ..): one, or a recurrence; how many, 0 after a fault.
static uint32_t
eval_at(const run *r, uint32_t at)
{
    const tir_op *op = &r->fn->ops.at[at];
    tir_dot dot;
    if (op->group) {
        uint32_t n = tir_group_end(r->fn, at) - at;
        return eval_group(r, op, n) ? n : 0;
    }
    switch (op->kind) {
    case TIR_SCATTER: return eval_scatter(r, op);
    case TIR_SORT: eval_sort(r, op); return 1;
    case TIR_RESHAPE: eval_reshape(r, op); return 1;
    case TIR_MAP: break;
    }
    if (!has_elements(op))
        return 1;
    if (tir_dot_plan(r->fn, op, &dot)) {
        tir_eval_dot(&dot, r->in, r->buf[op->out]);
        return 1;
    }
    body b = body_new(r->fn, op, tir_walk_choose(r->fn, op), r->in, r->d);
    return eval_map(&b, r->buf[op->out]);
}

static bool
sums_floats(const tir_op *op)
{
    return (op->reduce == NUM_R_SUM || op->reduce == NUM_R_PROD) &&
           op->kind == TIR_MAP && op->nodes.at[op->root].as == NUM_AS_F32;
}

// Operations [at, at + n) were evaluated since num_env_forget. What their
// expressions rounded counts as well: such results are not exact anyway.
static void
note_orders(const tir_fn *fn, uint32_t at, uint32_t n, bool *ordered)
{
    bool is = false;
    for (uint32_t o = at; o < at + n; o++) {
        const tir_op *op = &fn->ops.at[o];
        is |= sums_floats(op) && num_env_rounded();
        for (uint32_t i = 0; i < op->reads.n; i++)
            is |= ordered[op->reads.at[i].tensor];
        if (op->kind == TIR_SORT || op->kind == TIR_RESHAPE)
            is |= ordered[op->src];
        if (op->kind == TIR_SCATTER && op->init != TIR_ABSENT)
            is |= ordered[op->init];
    }
    for (uint32_t o = at; o < at + n; o++)
        ordered[fn->ops.at[o].out] = is;
}

bool
tir_eval_orders(const tir_fn *fn, void *const *buf, bool *ordered, diags *d)
{
    num_env env = num_env_enter();
    const void **in = ARENA_ARRAY(fn->a, fn->tensors.n, const void *);
    for (uint32_t t = 0; t < fn->tensors.n; t++)
        in[t] = buf[t] ? buf[t] : fn->tensors.at[t].data;
    run r = {fn, in, buf, d};
    uint32_t n = 1;
    for (uint32_t o = 0; n && o < fn->ops.n; o += n) {
        arena_mark mark = arena_save(fn->a);
        num_env_forget();
        n = eval_at(&r, o);
        if (ordered)
            note_orders(fn, o, n, ordered);
        if (n) // a diagnostic may be in the same arena
            arena_restore(fn->a, mark);
    }
    num_env_leave(env);
    return n > 0;
}

bool
tir_eval(const tir_fn *fn, void *const *buf, diags *d)
{
    return tir_eval_orders(fn, buf, NULL, d);
}
