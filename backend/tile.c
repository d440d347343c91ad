// SPDX-License-Identifier: Apache-2.0
// Pass tile: tensor IR to tile IR. Walks the operations in order and lowers
// them nest by nest: padded copies, contractions with the elementwise work that
// follows them, and groups of maps and reductions over shared rows. What fits
// nowhere else is lowered alone, in chunks; only a tile that cannot be made
// any smaller is an error. See docs/design/lowering.md.
#include "backend/tile_int.h"

enum { MAX_GROUP = 64, PAD_ELEMS = 2048 };

static bool
is_empty_range(const tir_op *op, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (op->extent[i] == 0)
            return true;
    return false;
}

// ---- padded copies

// The tensor is seen as rows.
void
fill_tensor(lower *lw, uint32_t tensor, num_word value, num_as as)
{
    const tir_tensor *t = &lw->in->tensors.at[tensor];
    int64_t n = tir_elems(t), lanes = lw->cx->target->partitions;
    int64_t fit = (int64_t)lw->cx->target->sbuf_bytes /
                  (int64_t)num_dtype_bytes(t->dtype) / 2;
    int64_t row = min_i64(min_i64(PAD_ELEMS, fit), ceil_div(n, lanes));
    uint32_t parent = lw->body;
    lw->body = tile_add_loop(lw->out, parent, tile_count_const(1));
    tile_domain dom = {.part = DOM_NONE, .nfree = 1};
    dom.parts = tile_count_const(lanes);
    dom.free[0].count = row;
    tile_val v = val_new(lw, &dom, 1, as, t->dtype, 1, "fill");
    emit_fill(lw, &dom, &v, value);
    flat_piece piece[3];
    uint32_t pieces = flat_pieces(n, lanes, row, piece), scope = lw->body;
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t loop = lower_loop(lw, piece[i].trip);
        tile_op *o = tile_add_op(lw->out, lw->body, NUM_OP_DMA, ENG_GPSIMD);
        o->at = lw->at;
        o->queue = next_store_queue(lw);
        o->parts = o->dst_parts = tile_count_const(piece[i].parts);
        o->b.id = TILE_ABSENT;
        o->dst = flat_ref(lw, tensor, &piece[i], loop);
        o->a = (tile_ref){.id = v.buf, .off = tile_aff_const(0), .ndim = 1};
        o->a.dim[0].step = 1;
        o->a.dim[0].count = piece[i].elems;
        lw->body = scope;
    }
    lw->body = parent;
}

// Says why the last attempt failed.
static bool
report_misfit(const lower *lw, const tir_op *op)
{
    const char *name = lw->in->tensors.at[op->out].name;
    if (lw->bad_index)
        diag(lw->cx->d, op->at, D_TILE_BLOCKS, name);
    else if (lw->too_deep)
        diag(lw->cx->d, op->at, D_TILE_TOO_DEEP, name, TILE_LOOPS);
    else
        diag(lw->cx->d, op->at, D_TILE_TOO_LARGE, name,
             (unsigned long long)lw->cx->target->sbuf_bytes);
    return false;
}

bool
lower_alone(lower *lw, uint32_t op)
{
    const tir_op *o = op == SYNTHETIC ? lw->synthetic : &lw->in->ops.at[op];
    return lower_group(lw, &op, 1, o->nout) || report_misfit(lw, o);
}

// The constant everywhere, then the tensor where it lies inside.
static bool
lower_padded(lower *lw, const tir_op *op)
{
    const tir_read *r = &op->reads.at[0];
    const tir_tensor *src = &lw->in->tensors.at[r->tensor];
    lw->at = op->at;
    fill_tensor(lw, op->out, r->fill, num_widened(src->dtype));
    int64_t shift[TIR_RANK] = {0};
    tir_op *copy = ARENA_NEW(lw->a, tir_op);
    tir_read *read = ARENA_NEW(lw->a, tir_read);
    *copy = *op;
    *read = *r;
    read->has_fill = false;
    copy->reads.at = read;
    for (uint32_t d = 0; d < op->nout; d++) {
        int64_t lo = max_i64(0, -r->sub[d].c);
        int64_t hi = min_i64(op->extent[d], src->shape[d] - r->sub[d].c);
        shift[d] = lo;
        read->sub[d].c += lo;
        copy->extent[d] = max_i64(0, hi - lo);
    }
    if (is_empty_range(copy, 0, copy->nout))
        return true;
    lw->synthetic = copy;
    lw->shift = shift;
    bool ok = lower_alone(lw, SYNTHETIC);
    lw->synthetic = NULL;
    lw->shift = NULL;
    return ok;
}

// ---- what goes together

static bool
is_map_over(const lower *lw, const tir_op *first, const tir_op *op)
{
    if (op->kind != TIR_MAP || op->group || op->nred ||
        op->nout != first->nout || tir_is_pad(lw->in, op))
        return false;
    for (uint32_t i = 0; i < op->nout; i++)
        if (op->extent[i] != first->extent[i])
            return false;
    return true;
}

// Whether 'op' reads tensors of the group, and only element by element.
static bool
reads_in_place(const lower *lw, const uint32_t *ops, uint32_t n,
               const tir_op *op)
{
    bool any = false;
    for (uint32_t r = 0; r < op->reads.n; r++)
        for (uint32_t i = 0; i < n; i++) {
            if (lw->in->ops.at[ops[i]].out != op->reads.at[r].tensor)
                continue;
            if (!read_is_identity(&op->reads.at[r], op->nout))
                return false;
            any = true;
        }
    return any;
}

static uint32_t
collect_eviction(const lower *lw, uint32_t at, uint32_t *ops)
{
    const tir_op *first = &lw->in->ops.at[at];
    uint32_t n = 1;
    ops[0] = at;
    while (at + n < lw->in->ops.n && n < MAX_GROUP) {
        const tir_op *op = &lw->in->ops.at[at + n];
        if (!is_map_over(lw, first, op) || !reads_in_place(lw, ops, n, op) ||
            overwrites_read(lw, ops, n, op->out))
            break;
        ops[n] = at + n;
        n++;
    }
    return n;
}

// Whether the array earns its trouble: a product of rows that share nothing is
// faster element by element.
static bool
pays_on_array(const tir_op *op, const tir_contraction *c)
{
    int64_t m = 1, n = 1, batch = 1;
    for (uint32_t i = 0; i < c->nm; i++)
        m *= op->extent[c->m[i]];
    for (uint32_t i = 0; i < c->nn; i++)
        n *= op->extent[c->n[i]];
    for (uint32_t i = 0; i < c->nbatch; i++)
        batch *= op->extent[c->batch[i]];
    return max_i64(m, n) >= 8 || (batch == 1 && m * n > 1);
}

static bool
goes_on_array(const lower *lw, const tir_op *op, tir_contraction *c)
{
    return op->kind == TIR_MAP && !op->group &&
           tir_as_contraction(lw->in, op, c) && pays_on_array(op, c);
}

static bool
is_plain(const lower *lw, const tir_op *op)
{
    tir_contraction c;
    return op->kind == TIR_MAP && !op->group &&
           !is_empty_range(op, 0, op->nout + op->nred) &&
           !tir_is_pad(lw->in, op) && !goes_on_array(lw, op, &c);
}

static uint32_t
collect_group(const lower *lw, uint32_t at, uint32_t *ops, uint32_t *common)
{
    uint32_t n = 1;
    ops[0] = at;
    *common = lw->in->ops.at[at].nout;
    while (at + n < lw->in->ops.n && n < MAX_GROUP) {
        if (!is_plain(lw, &lw->in->ops.at[at + n]))
            break;
        uint32_t k = group_common(lw, ops, n, *common, at + n);
        if (!k)
            break;
        *common = k;
        ops[n] = at + n;
        n++;
    }
    return n;
}

// ---- the walk

void
lower_identity(lower *lw, const tir_op *op)
{
    num_as as = op->nodes.at[op->root].as;
    num_dtype dtype = lw->in->tensors.at[op->out].dtype;
    lw->at = op->at;
    fill_tensor(
        lw, op->out,
        num_cast(num_widened(dtype), as, num_reduce_identity(op->reduce, as)),
        num_widened(dtype));
}

// Lowers the operations from 'at' on that go together; *done says how many.
static bool
lower_next(lower *lw, uint32_t at, uint32_t *done)
{
    const tir_op *op = &lw->in->ops.at[at];
    uint32_t ops[MAX_GROUP], common, n;
    tir_contraction c;
    *done = 1;
    lw->at = op->at;
    switch (op->kind) {
    case TIR_RESHAPE:
        if (lw->storage[op->src] != lw->storage[op->out])
            copy_tensor(lw, op->src, op->out);
        return true;
    case TIR_SCATTER: return lower_scatter(lw, op) || report_misfit(lw, op);
    case TIR_SORT: return lower_sort(lw, at, done) || report_misfit(lw, op);
    case TIR_MAP: break;
    }
    if (op->group)
        return lower_recurrence(lw, at, done);
    if (is_empty_range(op, 0, op->nout))
        return true;
    if (is_empty_range(op, op->nout, op->nout + op->nred)) {
        lower_identity(lw, op);
        return true;
    }
    if (tir_is_pad(lw->in, op))
        return lower_padded(lw, op);
    if (goes_on_array(lw, op, &c)) {
        n = collect_eviction(lw, at, ops);
        if (lower_contraction(lw, &c, ops, n)) {
            *done = n;
            return true;
        }
        return lower_alone(lw, at);
    }
    n = collect_group(lw, at, ops, &common);
    if (n > 1 && lower_group(lw, ops, n, common)) {
        *done = n;
        return true;
    }
    return lower_alone(lw, at);
}

static bool
fits_hbm(pass_ctx *cx, const tile_fn *fn)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < fn->tensors.n; i++) {
        const tir_tensor *t = &fn->tensors.at[i];
        total += (uint64_t)tir_elems(t) * num_dtype_bytes(t->dtype);
        if (total <= cx->target->hbm_bytes)
            continue;
        diag(cx->d, t->at, D_HBM_TOO_SMALL, t->name, (unsigned long long)total,
             cx->target->name, (unsigned long long)cx->target->hbm_bytes);
        return false;
    }
    return true;
}

static void
count_reads(lower *lw)
{
    for (uint32_t i = 0; i < lw->in->ops.n; i++) {
        const tir_op *op = &lw->in->ops.at[i];
        for (uint32_t r = 0; r < op->reads.n; r++)
            lw->uses[op->reads.at[r].tensor]++;
        if (op->kind == TIR_SORT || op->kind == TIR_RESHAPE)
            lw->uses[op->src]++;
        if (op->kind == TIR_SCATTER && op->init != TIR_ABSENT)
            lw->uses[op->init]++;
    }
}

bool
pass_tile(pass_ctx *cx)
{
    expand_sorts(cx);
    lower lw = {.cx = cx, .a = cx->a, .in = cx->tensor};
    uint32_t tensors = cx->tensor->tensors.n;
    lw.out = tile_fn_new(cx->a, cx->tensor->name, cx->target->name);
    lw.hbm_id = ARENA_ARRAY(cx->a, tensors, uint32_t);
    lw.uses = ARENA_ARRAY(cx->a, tensors, uint32_t);
    lw.local = ARENA_ARRAY(cx->a, tensors, tile_local);
    for (uint32_t i = 0; i < tensors; i++)
        lw.hbm_id[i] = TILE_ABSENT;
    storage_plan(&lw);
    for (uint32_t i = 0; i < tensors; i++) {
        tir_kind kind = cx->tensor->tensors.at[i].kind;
        bool beside = cx->tensor->tensors.at[i].updates && lw.storage[i] == i;
        if ((kind == TIR_INPUT || kind == TIR_OUTPUT) && !beside)
            hbm_tensor(&lw, i);
    }
    if (!fits_hbm(cx, lw.out))
        return false;
    count_reads(&lw);
    for (uint32_t at = 0, done; at < cx->tensor->ops.n; at += done)
        if (!lower_next(&lw, at, &done))
            return false;
    copy_updates(&lw);
    cx->tile = lw.out;
    return fits_hbm(cx, lw.out);
}
