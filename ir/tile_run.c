// SPDX-License-Identifier: Apache-2.0
// Runs a tile function: counters, memory, resolved operands, and the checks
// that every read was written before and every access is inside its store.
// What an operation does to the memory is left to run->exec: the evaluator
// (tile_eval.c) or the error analysis (tile_bound.c).
#include "ir/tile_int.h"

#include <string.h>

// ---- views

uint64_t
tile_view_elems(const tile_view *v)
{
    uint64_t n = 1;

    for (uint32_t d = 0; d < v->ndim; d++) {
        n *= v->dim[d].count;
    }
    return n;
}

num_view
tile_view_num(const tile_view *v)
{
    num_view n = {0};
    int64_t bytes = (int64_t)num_dtype_bytes(v->store->dtype);

    n.base = v->store->data + v->base * bytes;
    n.part_step = v->pstep * bytes;
    n.parts = v->parts;
    n.dtype = v->store->dtype;
    n.ndim = v->ndim;
    for (uint32_t d = 0; d < v->ndim; d++) {
        n.dim[d].step = v->dim[d].step * bytes;
        n.dim[d].count = v->dim[d].count;
    }
    return n;
}

tile_view
tile_view_part(const tile_view *v, uint32_t p)
{
    tile_view one = *v;

    one.base += v->pstep * (int64_t)p;
    one.parts = 1;
    return one;
}

enum { ROW_DIMS = NUM_DIMS + 1 }; // the partitions are one more dimension

typedef struct {
    int64_t step, count;
} row_dim;

// The dimensions, partitions first, without those of one element and with
// those merged that continue each other; at least one is left.
static uint32_t
merge_dims(const tile_view *v, row_dim *out)
{
    uint32_t n = 0;

    out[0].step = v->pstep;
    out[0].count = v->parts;
    for (uint32_t d = 0; d < v->ndim; d++) {
        int64_t step = v->dim[d].step, count = v->dim[d].count;

        if (out[n].count == 1 || out[n].step == step * count) {
            count *= out[n].count;
        } else if (count != 1) {
            n++;
        } else {
            continue;
        }
        out[n].step = step;
        out[n].count = count;
    }
    return n + 1;
}

bool
tile_view_rows(const tile_view *v, tile_row_fn *f, void *ctx)
{
    row_dim dim[ROW_DIMS];
    int64_t at[ROW_DIMS] = {0}, base = v->base;
    uint32_t n = merge_dims(v, dim), d;

    do {
        if (!f(ctx, base, dim[n - 1].step, dim[n - 1].count)) {
            return false;
        }
        for (d = n - 1; d > 0; d--) {
            base += dim[d - 1].step;
            if (++at[d - 1] < dim[d - 1].count) {
                break;
            }
            base -= dim[d - 1].step * dim[d - 1].count;
            at[d - 1] = 0;
        }
    } while (d > 0);
    return true;
}

// ---- written or not

typedef struct {
    uint8_t *init;
    int64_t bad; // first element that was not written
} init_ctx;

static bool
check_row(void *ctx, int64_t base, int64_t step, int64_t count)
{
    init_ctx *c = ctx;
    const uint8_t *at = c->init + base;

    if (step == 1) {
        const uint8_t *zero = memchr(at, 0, (size_t)count);

        c->bad = zero != NULL ? zero - c->init : -1;
        return zero == NULL;
    }
    for (int64_t i = 0; i < (step == 0 ? 1 : count); i++) {
        if (at[i * step] == 0) {
            c->bad = base + i * step;
            return false;
        }
    }
    return true;
}

static bool
mark_row(void *ctx, int64_t base, int64_t step, int64_t count)
{
    init_ctx *c = ctx;
    uint8_t *at = c->init + base;

    if (step == 1) {
        memset(at, 1, (size_t)count);
        return true;
    }
    for (int64_t i = 0; i < count; i++) {
        at[i * step] = 1;
    }
    return true;
}

static bool
fault_at(tile_run *r, diag_id id, const tile_store *s, int64_t elem)
{
    r->fault.id = id;
    r->fault.store = s;
    r->fault.elem = elem;
    return false;
}

static bool
check_read(tile_run *r, const tile_view *v)
{
    init_ctx c;

    if (v->store == NULL || v->store->init == NULL) {
        return true;
    }
    c.init = v->store->init;
    if (!tile_view_rows(v, check_row, &c)) {
        return fault_at(r, D_TILE_UNINIT, v->store, c.bad);
    }
    return true;
}

static void
mark_written(const tile_view *v)
{
    init_ctx c;

    if (v->store != NULL && v->store->init != NULL) {
        c.init = v->store->init;
        (void)tile_view_rows(v, mark_row, &c);
    }
}

// ---- resolving operands

// Adds the span of a dimension to [*lo, *hi]. False when it does not fit.
static bool
widen(int64_t step, int64_t count, int64_t *lo, int64_t *hi)
{
    int64_t span;

    if (!mul_i64(step, count - 1, &span)) {
        return false;
    }
    return span < 0 ? add_i64(*lo, span, lo) : add_i64(*hi, span, hi);
}

// First element outside, or -1.
static int64_t
find_outside(const tile_view *v, int64_t off, int64_t limit)
{
    int64_t lo = off, hi = off;
    bool fits = true;

    for (uint32_t d = 0; d < v->ndim; d++) {
        fits = fits && widen(v->dim[d].step, v->dim[d].count, &lo, &hi);
    }
    if (v->store->row == 0) {
        fits = fits && widen(v->pstep, v->parts, &lo, &hi);
    }
    if (!fits || lo < 0) {
        return fits ? lo : INT64_MAX;
    }
    return hi >= limit ? hi : -1;
}

static bool
is_inside(tile_run *r, const tile_ref *ref, const tile_view *v, int64_t off)
{
    const tile_store *s = v->store;
    int64_t bad = find_outside(v, off, s->row != 0 ? s->row : s->elems);

    if (bad != -1) {
        return fault_at(r, D_TILE_RANGE, s, bad);
    }
    if (!ref->hbm && (int64_t)ref->part + v->parts > s->elems / s->row) {
        return fault_at(r, D_TILE_RANGE, s, s->elems);
    }
    return true;
}

// *empty is set when the view has no element.
static bool
resolve(tile_run *r, const tile_ref *ref, int64_t parts, tile_view *v,
        bool *empty)
{
    int64_t off;

    memset(v, 0, sizeof *v);
    if (ref->id == TILE_ABSENT) {
        return true;
    }
    off = tile_aff_at(&ref->off, r->counter);
    v->parts = (uint32_t)parts;
    v->ndim = ref->ndim;
    *empty = *empty || parts <= 0;
    for (uint32_t d = 0; d < ref->ndim; d++) {
        int64_t count = ref->dim[d].count;

        if (d == 0 && ref->ragged) {
            count = tile_count_at(&ref->outer, r->counter);
        }
        v->dim[d].step = ref->dim[d].step;
        v->dim[d].count = (uint32_t)count;
        *empty = *empty || count <= 0;
    }
    v->store = ref->hbm ? &r->tensor[ref->id] : &r->buf[ref->id];
    v->pstep = ref->hbm ? ref->pstep : v->store->row;
    v->base = ref->hbm ? off : off + (int64_t)ref->part * v->store->row;
    if (ref == r->indexed) {
        v->parts = 1; // a step separates blocks, not partitions
        return true;
    }
    return *empty || is_inside(r, ref, v, off);
}

static bool
resolve_scalar(tile_run *r, const tile_scalar *s, int64_t parts, tile_view *v,
               bool *empty)
{
    memset(v, 0, sizeof *v);
    return !s->is_vec || resolve(r, &s->vec, parts, v, empty);
}

static bool
accumulates(const tile_run *r, const tile_op *op)
{
    if (op->nfirst == 0) {
        return op->accumulate;
    }
    for (uint32_t i = 0; i < op->nfirst; i++) {
        if (r->counter[op->first[i]] != 0) {
            return true;
        }
    }
    return false;
}

static num_scalar
scalar_of(const tile_scalar *s, const tile_view *v)
{
    num_scalar n = {0};

    n.is_vec = s->is_vec;
    n.imm = s->imm;
    if (s->is_vec) {
        n.vec = tile_view_num(v);
    }
    return n;
}

static void
fill_insn(tile_run *r, tile_step *s)
{
    const tile_op *op = s->op;
    num_insn *in = &s->insn;

    memset(in, 0, sizeof *in);
    in->op = op->op;
    in->as = op->as;
    in->func = op->func;
    in->op0 = op->op0;
    in->op1 = op->op1;
    in->rev0 = op->rev0;
    in->rev1 = op->rev1;
    in->reduce = op->reduce;
    in->reduce_dims = op->reduce_dims;
    in->iota_base = tile_aff_at(&op->iota_base, r->counter);
    in->iota_part = op->iota_part;
    memcpy(in->iota_step, op->iota_step, sizeof in->iota_step);
    in->accumulate = accumulates(r, op);
    in->combine = op->combine;
    in->skip = op->skip;
    in->descending = op->descending;
    if (s->dst2.store != NULL) {
        in->dst2 = tile_view_num(&s->dst2);
    }
    if (s->dst.store != NULL) {
        in->dst = tile_view_num(&s->dst);
    }
    if (s->a.store != NULL) {
        in->a = tile_view_num(&s->a);
    }
    if (s->b.store != NULL) {
        in->b = tile_view_num(&s->b);
    }
    in->s0 = scalar_of(&op->s0, &s->v0);
    in->s1 = scalar_of(&op->s1, &s->v1);
}

static bool
resolve_op(tile_run *r, tile_step *s, bool *empty)
{
    const tile_op *op = s->op;
    int64_t parts = tile_count_at(&op->parts, r->counter);
    int64_t dst_parts = parts;

    r->indexed = tile_indexed(op);
    if (op->op == NUM_OP_MATMUL || op->op == NUM_OP_PREDUCE) {
        dst_parts = tile_count_at(&op->dst_parts, r->counter);
    }
    return resolve(r, &op->dst, dst_parts, &s->dst, empty) &&
           resolve(r, &op->a, parts, &s->a, empty) &&
           resolve(r, &op->b, parts, &s->b, empty) &&
           (!op->has_dst2 || resolve(r, &op->dst2, parts, &s->dst2, empty)) &&
           resolve_scalar(r, &op->s0, parts, &s->v0, empty) &&
           resolve_scalar(r, &op->s1, parts, &s->v1, empty);
}

// ---- executing

// The weights must be those this multiplication is shaped for.
static bool
check_weights(tile_run *r, const tile_step *s)
{
    uint32_t k = s->a.parts, m = s->dst.parts;

    if (s->op->op == NUM_OP_LDW) {
        r->loaded = true;
        return true;
    }
    if (s->op->op != NUM_OP_MATMUL ||
        (r->loaded && r->state.pe.k == k && r->state.pe.m == m)) {
        return true;
    }
    r->fault.need[0] = k;
    r->fault.need[1] = m;
    r->fault.have[0] = r->loaded ? r->state.pe.k : 0;
    r->fault.have[1] = r->loaded ? r->state.pe.m : 0;
    return fault_at(r, D_TILE_WEIGHTS, NULL, 0);
}

static bool
reads_dst(const tile_step *s)
{
    bool gathers = s->op->op == NUM_OP_DMA_GATHER;

    return s->op->op == NUM_OP_SELECT || s->insn.accumulate ||
           s->insn.combine != NUM_C_WRITE || (gathers && s->insn.skip);
}

// An index may name any block: all of the tensor must be there.
static bool
check_whole(tile_run *r, tile_store *s)
{
    const uint8_t *zero;

    if (s->init == NULL || s->whole || s->elems == 0) {
        return true;
    }
    zero = memchr(s->init, 0, (size_t)s->elems);
    s->whole = zero == NULL;
    return s->whole || fault_at(r, D_TILE_UNINIT, s, zero - s->init);
}

static bool
check_indexed(tile_run *r, const tile_step *s)
{
    const tile_view *v = r->indexed == &s->op->dst ? &s->dst : &s->a;
    int64_t bytes = (int64_t)num_dtype_bytes(v->store->dtype);

    if (!check_whole(r, v->store)) {
        return false;
    }
    if (!num_index_outside(&s->insn, v->base * bytes,
                           (uint64_t)(v->store->elems * bytes),
                           &r->fault.index)) {
        return true;
    }
    return fault_at(r, D_TILE_INDEX, v->store, 0);
}

static bool
check_reads(tile_run *r, const tile_step *s)
{
    const tile_ref *in = r->indexed;
    bool a = in == &s->op->a && in != NULL, dst = in == &s->op->dst;

    return (a || check_read(r, &s->a)) && check_read(r, &s->b) &&
           check_read(r, &s->v0) && check_read(r, &s->v1) &&
           (dst || !reads_dst(s) || check_read(r, &s->dst)) &&
           (in == NULL || check_indexed(r, s));
}

static bool
run_op(tile_run *r, const tile_op *op)
{
    tile_step s;
    bool empty = false;

    r->fault.op = op;
    s.op = op;
    if (op->op == NUM_OP_NONE) {
        return true;
    }
    s.dst2.store = NULL;
    if (!resolve_op(r, &s, &empty)) {
        return false;
    }
    if (empty) {
        return true;
    }
    fill_insn(r, &s);
    if (!check_reads(r, &s) || !check_weights(r, &s)) {
        return false;
    }
    r->exec(r, &s);
    if (r->indexed != &op->dst) {
        mark_written(&s.dst);
    }
    mark_written(&s.dst2);
    return true;
}

// A new iteration of a body: its buffers hold nothing.
static void
forget_bufs(tile_run *r, uint32_t loop)
{
    for (uint32_t b = r->home[loop]; b != 0; b = r->sibling[b - 1]) {
        tile_store *s = &r->buf[b - 1];

        memset(s->init, 0, (size_t)s->elems);
    }
}

static bool run_body(tile_run *r, uint32_t loop);

static bool
run_loop(tile_run *r, uint32_t loop)
{
    int64_t trip = tile_count_at(&r->fn->loops.at[loop].trip, r->counter);

    for (int64_t i = 0; i < trip; i++) {
        r->counter[loop] = i;
        if (!run_body(r, loop)) {
            return false;
        }
    }
    r->counter[loop] = 0;
    return true;
}

// Recursion is as deep as loops nest: TILE_LOOPS.
static bool
run_body(tile_run *r, uint32_t loop)
{
    const tile_loop *l = &r->fn->loops.at[loop];

    forget_bufs(r, loop);
    for (uint32_t i = 0; i < l->items.n; i++) {
        tile_item item = l->items.at[i];
        bool ok = item.is_loop ? run_loop(r, item.id)
                               : run_op(r, &r->fn->ops.at[item.id]);

        if (!ok) {
            return false;
        }
    }
    return true;
}

// Law 4: every element of an output must have been written.
static bool
check_outputs(tile_run *r)
{
    for (uint32_t t = 0; t < r->fn->tensors.n; t++) {
        const tile_store *s = &r->tensor[t];
        const uint8_t *zero;

        if (r->fn->tensors.at[t].kind != TIR_OUTPUT || s->elems == 0) {
            continue;
        }
        zero = memchr(s->init, 0, (size_t)s->elems);
        if (zero != NULL) {
            r->fault.op = NULL;
            return fault_at(r, D_TILE_UNWRITTEN, s, zero - s->init);
        }
    }
    return true;
}

bool
tile_run_all(tile_run *r)
{
    num_env env = num_env_enter();
    bool ok = run_body(r, 0) && check_outputs(r);

    num_env_leave(env);
    return ok;
}

// ---- setting up

static void
init_tensor(arena *a, const tir_tensor *t, void *data, tile_store *s)
{
    s->name = t->name;
    s->dtype = t->dtype;
    s->elems = tir_elems(t);
    s->data = data;
    if (data == NULL && t->kind == TIR_CONST) {
        union {
            const void *from;
            void *to;
        } alias = {t->data}; // only ever read

        s->data = alias.to;
    } else if (data == NULL) {
        s->data = arena_array(a, (size_t)s->elems, num_dtype_bytes(t->dtype));
    }
    if (t->kind == TIR_OUTPUT || t->kind == TIR_TEMP) {
        s->init = arena_alloc(a, (size_t)s->elems);
    }
}

static void
init_buf(arena *a, const tile_buf *b, tile_store *s)
{
    s->name = b->name;
    s->dtype = b->dtype;
    s->row = b->elems;
    s->elems = b->elems * (int64_t)b->parts;
    s->data = arena_array(a, (size_t)s->elems, num_dtype_bytes(b->dtype));
    s->init = arena_alloc(a, (size_t)s->elems);
}

void
tile_run_init(tile_run *r, const tile_fn *fn, void *const *buf)
{
    arena *a = fn->a;

    memset(r, 0, sizeof *r);
    r->fn = fn;
    r->counter = ARENA_ARRAY(a, fn->loops.n, int64_t);
    r->home = ARENA_ARRAY(a, fn->loops.n, uint32_t);
    r->sibling = ARENA_ARRAY(a, fn->bufs.n, uint32_t);
    r->tensor = ARENA_ARRAY(a, fn->tensors.n, tile_store);
    r->buf = ARENA_ARRAY(a, fn->bufs.n, tile_store);
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        init_tensor(a, &fn->tensors.at[t], buf[t], &r->tensor[t]);
    }
    for (uint32_t b = 0; b < fn->bufs.n; b++) {
        uint32_t home = fn->bufs.at[b].home;

        init_buf(a, &fn->bufs.at[b], &r->buf[b]);
        r->sibling[b] = r->home[home];
        r->home[home] = b + 1;
    }
    r->state.pe.w = ARENA_ARRAY(a, NUM_PE_WEIGHTS, float);
    r->state.pe.bits = ARENA_ARRAY(a, NUM_PE_CELLS, num_word);
    r->state.pe.x = ARENA_ARRAY(a, NUM_PE_MOVING, float);
    r->state.pe.out = ARENA_ARRAY(a, NUM_PE_MOVING, float);
    r->scratch = ARENA_ARRAY(a, NUM_SCRATCH_WORDS, num_word);
}

// ---- what went wrong

static const char *
describe_elem(const tile_run *r, arena *a)
{
    const tile_store *s = r->fault.store;
    const tir_tensor *t;
    int64_t e = r->fault.elem;
    strbuf b = strbuf_new(a);

    if (s->row != 0) {
        return arena_printf(a, "partition %lld, element %lld of '%%%s'",
                            (long long)(e / s->row), (long long)(e % s->row),
                            s->name);
    }
    t = &r->fn->tensors.at[s - r->tensor];
    strbuf_printf(&b, "element [");
    for (uint32_t d = 0; d < t->rank; d++) {
        int64_t inner = 1;

        for (uint32_t i = d + 1; i < t->rank; i++) {
            inner *= t->shape[i];
        }
        strbuf_printf(&b, d > 0 ? ", %lld" : "%lld",
                      (long long)(e / inner % t->shape[d]));
    }
    strbuf_printf(&b, "] of '@%s'", s->name);
    return strbuf_str(&b).p;
}

void
tile_run_report(const tile_run *r, diags *d)
{
    const tile_fault *f = &r->fault;
    const char *what = f->op != NULL ? num_op_name(f->op->op) : "";
    loc at = {0};

    if (f->op != NULL) {
        at = f->op->at;
    }
    if (f->id == D_TILE_WEIGHTS) {
        diag(d, at, f->id, f->need[0], f->need[1], f->have[0], f->have[1]);
    } else if (f->id == D_TILE_RANGE) {
        diag(d, at, f->id, what, (long long)f->elem, f->store->name);
    } else if (f->id == D_TILE_INDEX) {
        diag(d, at, f->id, what, (long long)f->index.value, f->index.part,
             (unsigned long long)f->index.elem, f->store->name);
    } else if (f->id == D_TILE_UNINIT) {
        diag(d, at, f->id, what, describe_elem(r, d->a));
    } else {
        diag(d, r->fn->tensors.at[f->store - r->tensor].at, f->id,
             describe_elem(r, d->a));
    }
}
