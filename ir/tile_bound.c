// SPDX-License-Identifier: Apache-2.0
// The error analysis of law 5 (docs/design/bounds.md): runs a tile function
// and carries, beside each element, a bound on its distance from the same
// dataflow in real arithmetic. Elementwise operations are taken partition by
// partition: operands with their bounds are read as rows, the operation is
// executed, and the rules of tile_error.c give the bounds of the results.
#include "ir/tile_bound_int.h"

#include <math.h>
#include <string.h>

// ---- reading and writing rows

typedef struct {
    const tile_store *store;
    num_word *w;
    double *e;
    const double *from;
} row_ctx;

static bool
read_word_row(void *ctx, int64_t base, int64_t step, int64_t count)
{
    row_ctx *c = ctx;
    int64_t bytes = (int64_t)num_dtype_bytes(c->store->dtype);

    num_load_row(c->store->dtype, c->store->data + base * bytes, step * bytes,
                 (size_t)count, c->w);
    c->w += count;
    return true;
}

static bool
read_err_row(void *ctx, int64_t base, int64_t step, int64_t count)
{
    row_ctx *c = ctx;
    const double *at = c->store->err + base;

    for (int64_t i = 0; i < count; i++) {
        c->e[i] = at[i * step];
    }
    c->e += count;
    return true;
}

static bool
write_err_row(void *ctx, int64_t base, int64_t step, int64_t count)
{
    row_ctx *c = ctx;
    double *at = c->store->err + base;

    for (int64_t i = 0; i < count; i++) {
        at[i * step] = c->from[i];
    }
    c->from += count;
    return true;
}

void
tile_bound_words(const tile_view *v, num_word *w)
{
    row_ctx c = {v->store, w, NULL, NULL};

    (void)tile_view_rows(v, read_word_row, &c);
}

bool
tile_bound_errs(const tile_view *v, bool as_source, double *e)
{
    row_ctx c = {v->store, NULL, e, NULL};
    size_t n = (size_t)tile_view_elems(v) * v->parts;

    if (v->store->err == NULL || (as_source && v->store->cut)) {
        memset(e, 0, n * sizeof *e);
        return false;
    }
    (void)tile_view_rows(v, read_err_row, &c);
    return true;
}

void
tile_bound_put(const tile_view *v, const double *e)
{
    row_ctx c = {v->store, NULL, NULL, e};

    if (v->store->err != NULL) {
        (void)tile_view_rows(v, write_err_row, &c);
    }
}

// ---- operands in the register type

static void
cast_row(tile_row *r, size_t n, num_as to)
{
    if (r->as == to) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        num_word z = num_cast(to, r->as, r->w[i]);

        r->e[i] = tile_err_cast(to, r->as, r->w[i], r->e[i], z);
        r->w[i] = z;
    }
    r->as = to;
}

void
tile_bound_read(const tile_view *v, uint32_t part, num_as as, tile_row *r)
{
    tile_view one = tile_view_part(v, part);

    tile_bound_words(&one, r->w);
    (void)tile_bound_errs(&one, true, r->e);
    r->as = num_widened(v->store->dtype);
    cast_row(r, (size_t)tile_view_elems(v), as);
}

// A scalar operand, repeated.
static void
read_scalar(const num_scalar *s, const tile_view *v, uint32_t part, size_t n,
            tile_row *r, num_as as)
{
    r->as = as;
    r->w[0] = s->imm;
    r->e[0] = 0;
    if (s->is_vec) {
        tile_bound_read(v, part, as, r);
    }
    for (size_t i = 1; i < n; i++) {
        r->w[i] = r->w[0];
        r->e[i] = r->e[0];
    }
}

// ---- elementwise operations

// x = x f y, or y f x when reversed.
void
tile_bound_binary(tile_bound *b, num_binary f, bool rev, size_t n)
{
    tile_row *x = &b->x, *y = &b->y;
    num_as as = x->as;

    num_row2(f, as, n, b->z, rev ? y->w : x->w, rev ? x->w : y->w, 1);
    for (size_t i = 0; i < n; i++) {
        num_word w[2] = {x->w[i], y->w[i]};
        double e[2] = {x->e[i], y->e[i]};

        if (rev) {
            w[0] = y->w[i];
            w[1] = x->w[i];
            e[0] = y->e[i];
            e[1] = x->e[i];
        }
        x->e[i] = tile_err_binary(f, as, w, e, b->z[i]);
    }
    memcpy(x->w, b->z, n * sizeof *b->z);
    x->as = num_binary_gives(f, as);
}

static void
apply_unary(tile_bound *b, num_unary f, size_t n)
{
    tile_row *x = &b->x;
    num_as as = x->as;

    num_row1(f, as, n, b->z, x->w);
    for (size_t i = 0; i < n; i++) {
        x->e[i] = tile_err_unary(f, as, x->w[i], x->e[i], b->z[i]);
    }
    memcpy(x->w, b->z, n * sizeof *b->z);
    x->as = num_unary_gives(f, as);
}

static void
bound_act(tile_bound *b, const tile_step *s, uint32_t p, size_t n)
{
    const num_insn *in = &s->insn;
    bool scales = in->s0.is_vec || in->s0.imm != num_word_f32(1.0f);
    bool shifts = in->s1.is_vec || in->s1.imm != num_word_f32(-0.0f);

    tile_bound_read(&s->a, p, in->as, &b->x);
    if (in->as == NUM_AS_F32 && scales) {
        read_scalar(&in->s0, &s->v0, p, n, &b->y, in->as);
        tile_bound_binary(b, NUM_MUL, false, n);
    }
    if (in->as == NUM_AS_F32 && shifts) {
        read_scalar(&in->s1, &s->v1, p, n, &b->y, in->as);
        tile_bound_binary(b, NUM_ADD, false, n);
    }
    apply_unary(b, in->func, n);
}

static void
bound_two(tile_bound *b, const tile_step *s, uint32_t p, size_t n)
{
    const num_insn *in = &s->insn;
    num_as as = num_chain(in->as, in->op0, in->op1);

    tile_bound_read(&s->a, p, in->as, &b->x);
    read_scalar(&in->s0, &s->v0, p, n, &b->y, in->as);
    tile_bound_binary(b, in->op0, in->rev0, n);
    if (in->op1 == NUM_B_NONE) {
        return;
    }
    cast_row(&b->x, n, as);
    if (in->op == NUM_OP_STT) {
        tile_bound_read(&s->b, p, as, &b->y);
    } else {
        read_scalar(&in->s1, &s->v1, p, n, &b->y, as);
    }
    tile_bound_binary(b, in->op1, in->rev1, n);
}

// One step of a recurrence: value and bound of 'x f y'.
static void
scan_step(tile_row *x, size_t i, num_binary f, bool rev, num_word yw, double ye)
{
    num_word w[2] = {rev ? yw : x->w[i], rev ? x->w[i] : yw};
    double e[2] = {rev ? ye : x->e[i], rev ? x->e[i] : ye};
    num_word z = num_apply2(f, x->as, w[0], w[1]);

    x->e[i] = tile_err_binary(f, x->as, w, e, z);
    x->w[i] = z;
}

static void
bound_scan(tile_bound *b, const tile_step *s, uint32_t p, size_t n)
{
    const num_insn *in = &s->insn;
    const num_view *dst = &in->dst;
    size_t row = dst->ndim ? dst->dim[dst->ndim - 1].count : 1;
    tile_row *x = &b->x, *y = &b->y;

    read_scalar(&in->s0, &s->v0, p, 1, x, in->as);
    num_word start = x->w[0];
    double start_e = x->e[0];
    tile_bound_read(&s->a, p, in->as, x);
    tile_bound_read(&s->b, p, in->as, y);
    for (size_t i = 0; i < n; i++) {
        bool first = i % row == 0;

        scan_step(x, i, in->op0, in->rev0, first ? start : x->w[i - 1],
                  first ? start_e : x->e[i - 1]);
        scan_step(x, i, in->op1, in->rev1, y->w[i], y->e[i]);
    }
}

static void
bound_iota(tile_bound *b, const tile_step *s, uint32_t p)
{
    const num_insn *in = &s->insn;
    uint32_t at[NUM_DIMS] = {0};
    size_t n = (size_t)tile_view_elems(&s->dst);

    b->x.as = NUM_AS_I32;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = (uint64_t)in->iota_base + (uint64_t)in->iota_part * p;

        for (uint32_t d = 0; d < s->dst.ndim; d++) {
            v += (uint64_t)in->iota_step[d] * at[d];
        }
        b->x.w[i] = (num_word)v;
        b->x.e[i] = 0;
        for (uint32_t d = s->dst.ndim; d-- > 0;) {
            if (++at[d] < s->dst.dim[d].count) {
                break;
            }
            at[d] = 0;
        }
    }
}

// Adds into dst: the old element plus a, as transfers combine them.
static void
bound_move(tile_bound *b, const tile_step *s, uint32_t p, size_t n)
{
    tile_view old = tile_view_part(&s->dst, p);
    num_as as = num_combine_as(s->dst.store->dtype);

    if (s->insn.combine == NUM_C_WRITE) {
        tile_bound_read(&s->a, p, num_widened(s->a.store->dtype), &b->x);
        return;
    }
    tile_bound_read(&s->a, p, as, &b->y);
    tile_bound_words(&old, b->x.w);
    (void)tile_bound_errs(&old, false, b->x.e);
    b->x.as = num_widened(s->dst.store->dtype);
    cast_row(&b->x, n, as);
    tile_bound_binary(b, tile_combine_func(s->insn.combine), false, n);
}

// Results of partition p before they are stored, with their bounds, in b->x.
static void
bound_map(tile_bound *b, const tile_step *s, uint32_t p, size_t n)
{
    const num_insn *in = &s->insn;

    switch (in->op) {
    case NUM_OP_FILL: read_scalar(&in->s0, &s->v0, p, n, &b->x, in->as); break;
    case NUM_OP_ACT: bound_act(b, s, p, n); break;
    case NUM_OP_TT:
        tile_bound_read(&s->a, p, in->as, &b->x);
        tile_bound_read(&s->b, p, in->as, &b->y);
        tile_bound_binary(b, in->op0, in->rev0, n);
        break;
    case NUM_OP_TS:
    case NUM_OP_STT: bound_two(b, s, p, n); break;
    case NUM_OP_IOTA: bound_iota(b, s, p); break;
    case NUM_OP_COPY:
    case NUM_OP_DMA: bound_move(b, s, p, n); break;
    case NUM_OP_REDUCE: tile_bound_reduce(b, s, p); break;
    case NUM_OP_TT_SCAN: bound_scan(b, s, p, n); break;
    default: break; // not elementwise
    }
}

void
tile_bound_stored(tile_bound *b, const tile_view *dst)
{
    size_t n = (size_t)tile_view_elems(dst);

    tile_bound_words(dst, b->z);
    for (size_t i = 0; i < n; i++) {
        b->x.e[i] = tile_err_store(dst->store->dtype, b->x.as, b->x.w[i],
                                   b->x.e[i], b->z[i]);
    }
    tile_bound_put(dst, b->x.e);
}

// All bounds are read before the operation overwrites its operands: dst may
// be one of them, but then partition p of it is partition p of dst.
static void
run_map(tile_run *r, tile_step *s)
{
    tile_bound *b = r->ctx;
    size_t n = (size_t)tile_view_elems(&s->dst);

    for (uint32_t p = 0; p < s->dst.parts; p++) {
        tile_view dst = tile_view_part(&s->dst, p);

        bound_map(b, s, p, n);
        tile_bound_exec_part(r, s, p);
        tile_bound_stored(b, &dst);
    }
}

static num_view
part_of(const tile_view *v, uint32_t p)
{
    tile_view one;
    num_view none = {0};

    if (v->store == NULL) {
        return none;
    }
    one = tile_view_part(v, p);
    return tile_view_num(&one);
}

void
tile_bound_exec_part(tile_run *r, const tile_step *s, uint32_t p)
{
    num_insn in = s->insn;

    in.dst = part_of(&s->dst, p);
    in.a = part_of(&s->a, p);
    in.b = part_of(&s->b, p);
    in.s0.vec = part_of(&s->v0, p);
    in.s1.vec = part_of(&s->v1, p);
    in.iota_base += in.iota_part * (int64_t)p;
    num_exec(&in, &r->state, r->scratch);
}

// ---- moves that change no value

static void
run_move(tile_run *r, tile_step *s)
{
    tile_bound *b = r->ctx;

    for (uint32_t p = 0; p < s->dst.parts; p++) {
        tile_view a = tile_view_part(&s->a, p);
        tile_view dst = tile_view_part(&s->dst, p);

        (void)tile_bound_errs(&a, true, b->x.e);
        tile_bound_put(&dst, b->x.e);
    }
    num_exec(&s->insn, &r->state, r->scratch);
}

// With an uncertain predicate the real result may be the other operand.
static double
err_select(double z, double e, double other, double other_e, double pred_e)
{
    if (pred_e == 0) {
        return e;
    }
    if (z == other) {
        return fmax(e, other_e);
    }
    return tile_err_inflate(fmax(e, fabs(z - other) + other_e));
}

static void
run_select(tile_run *r, tile_step *s)
{
    tile_bound *b = r->ctx;
    num_as as = num_widened(s->dst.store->dtype);
    size_t n = (size_t)tile_view_elems(&s->dst);

    for (uint32_t p = 0; p < s->dst.parts; p++) {
        tile_view old = tile_view_part(&s->dst, p);

        tile_bound_read(&s->b, p, NUM_AS_BOOL, &b->pred);
        tile_bound_read(&s->a, p, as, &b->x);
        tile_bound_words(&old, b->y.w);
        (void)tile_bound_errs(&old, false, b->y.e);
        for (size_t i = 0; i < n; i++) {
            bool yes = b->pred.w[i] != 0;
            double x = tile_word_value(as, b->x.w[i]);
            double y = tile_word_value(as, b->y.w[i]);

            b->x.e[i] =
                yes ? err_select(x, b->x.e[i], y, b->y.e[i], b->pred.e[i])
                    : err_select(y, b->y.e[i], x, b->x.e[i], b->pred.e[i]);
        }
        tile_bound_put(&old, b->x.e);
    }
    num_exec(&s->insn, &r->state, r->scratch);
}

// ---- the run

static void
bound_step(tile_run *r, tile_step *s)
{
    bool moves = s->op->op == NUM_OP_COPY || s->op->op == NUM_OP_DMA;

    if (r->indexed != NULL) {
        tile_bound_indexed(s);
    } else if (s->op->op == NUM_OP_SORT) {
        tile_bound_sort(r, s);
    } else if (s->op->op == NUM_OP_LDW) {
        tile_bound_ldw(r, s);
    } else if (s->op->op == NUM_OP_MATMUL) {
        tile_bound_matmul(r, s);
    } else if (s->op->op == NUM_OP_PREDUCE) {
        tile_bound_preduce(r, s);
    } else if (s->op->op == NUM_OP_SELECT) {
        run_select(r, s);
    } else if (moves && s->insn.combine == NUM_C_WRITE &&
               s->dst.store->dtype == s->a.store->dtype) {
        run_move(r, s);
    } else {
        run_map(r, s);
    }
}

static size_t
ref_elems(const tile_ref *ref)
{
    int64_t n = 1;

    if (ref->id == TILE_ABSENT) {
        return 1;
    }
    for (uint32_t d = 0; d < ref->ndim; d++) {
        if (!mul_i64(n, ref->dim[d].count, &n)) {
            return SIZE_MAX; // more than the arena will give
        }
    }
    return (size_t)n;
}

// The longest row that an operation reads or writes.
static size_t
longest_row(const tile_fn *fn)
{
    size_t most = TILE_MOVING;

    for (uint32_t i = 0; i < fn->ops.n; i++) {
        const tile_op *op = &fn->ops.at[i];
        size_t a = ref_elems(&op->a), dst = ref_elems(&op->dst);

        if (op->op != NUM_OP_NONE) {
            most = a > most ? a : most;
            most = dst > most ? dst : most;
        }
    }
    return most;
}

static tile_row
row_new(arena *a, size_t n)
{
    tile_row r = {NUM_AS_NONE, ARENA_ARRAY(a, n, num_word),
                  ARENA_ARRAY(a, n, double)};

    return r;
}

static void
bound_init(tile_bound *b, tile_run *r, double *const *err, const bool *cut)
{
    const tile_fn *fn = r->fn;
    arena *a = fn->a;
    size_t n = longest_row(fn);

    memset(b, 0, sizeof *b);
    b->x = row_new(a, n);
    b->y = row_new(a, n);
    b->pred = row_new(a, n);
    b->z = ARENA_ARRAY(a, n, num_word);
    tile_bound_matmul_init(b, a);
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        tir_kind kind = fn->tensors.at[t].kind;
        tile_store *s = &r->tensor[t];

        s->err = err[t];
        s->cut = cut != NULL && cut[t];
        if (s->err == NULL &&
            (kind == TIR_OUTPUT || kind == TIR_TEMP || kind == TIR_INOUT)) {
            s->err = ARENA_ARRAY(a, (size_t)s->elems, double);
        }
    }
    for (uint32_t i = 0; i < fn->bufs.n; i++) {
        r->buf[i].err = ARENA_ARRAY(a, (size_t)r->buf[i].elems, double);
    }
}

bool
tile_eval_bound(const tile_fn *fn, void *const *buf, double *const *err,
                const bool *cut, diags *d)
{
    arena_mark mark = arena_save(fn->a);
    tile_run r;
    tile_bound b;
    bool ok;

    tile_run_init(&r, fn, buf);
    bound_init(&b, &r, err, cut);
    r.exec = bound_step;
    r.ctx = &b;
    ok = tile_run_all(&r);
    if (!ok) {
        tile_run_report(&r, d);
    } else {
        arena_restore(fn->a, mark);
    }
    return ok;
}
