// SPDX-License-Identifier: Apache-2.0
// Which tensors of the tensor IR share one tensor in HBM: reshapes of a tensor
// are the tensor itself, a scatter goes on where what it starts from lies, an
// output takes over the storage of the input that it updates. Values are in
// single assignment; only here is it known that memory is not. Also the copies
// that are left. docs/design/irregular.md explains.
#include "backend/tile_int.h"

enum { COPY_ELEMS = 32768 }; // in one row of a transfer

static bool
is_identity_of(const lower *lw, const tir_op *op, const tir_read *r)
{
    const tir_tensor *t = &lw->in->tensors.at[r->tensor];
    if (op->kind != TIR_MAP || t->rank != op->nout ||
        !read_is_identity(r, t->rank))
        return false;
    for (uint32_t d = 0; d < t->rank; d++)
        if (t->shape[d] != op->extent[d])
            return false;
    return true;
}

// ---- who reads what

static bool
shares(const lower *lw, uint32_t a, uint32_t b)
{
    return lw->storage[a] == lw->storage[b];
}

// Whether the op reads the memory of a tensor, reads of the element that it
// defines itself excepted if 'same' is set.
static bool
op_reads(const lower *lw, const tir_op *op, uint32_t tensor, bool same)
{
    for (uint32_t r = 0; r < op->reads.n; r++)
        if (shares(lw, op->reads.at[r].tensor, tensor) &&
            !(same && is_identity_of(lw, op, &op->reads.at[r])))
            return true;
    if (op->kind == TIR_SCATTER)
        return op->init != TIR_ABSENT && !same && shares(lw, op->init, tensor);
    return (op->kind == TIR_SORT || op->kind == TIR_RESHAPE) &&
           shares(lw, op->src, tensor);
}

static bool
read_after(const lower *lw, uint32_t at, uint32_t tensor)
{
    for (uint32_t i = at + 1; i < lw->in->ops.n; i++)
        if (op_reads(lw, &lw->in->ops.at[i], tensor, false))
            return true;
    return false;
}

static tir_kind
kind_of(const lower *lw, uint32_t tensor)
{
    return lw->in->tensors.at[tensor].kind;
}

// All tensors that lie in 'from' move to 'to'.
static void
merge(lower *lw, uint32_t from, uint32_t to)
{
    for (uint32_t t = 0; t < lw->in->tensors.n; t++)
        if (lw->storage[t] == from)
            lw->storage[t] = to;
}

// ---- reshapes and scatters

static void
share_reshape(lower *lw, const tir_op *op)
{
    uint32_t from = lw->storage[op->src];
    if (kind_of(lw, op->out) == TIR_TEMP)
        lw->storage[op->out] = from;
    else if (kind_of(lw, from) == TIR_TEMP)
        merge(lw, from, op->out);
}

// A scatter starts from a tensor that nobody needs afterwards.
static void
share_init(lower *lw, uint32_t at)
{
    const tir_op *op = &lw->in->ops.at[at];
    uint32_t from = op->init == TIR_ABSENT ? op->out : lw->storage[op->init];
    if (from == op->out || kind_of(lw, from) != TIR_TEMP ||
        op_reads(lw, op, from, true) || read_after(lw, at, from))
        return;
    merge(lw, from, op->out); // whose elements are there in the end
}

// ---- updates in place

static uint32_t
first_def(const lower *lw, uint32_t storage)
{
    uint32_t i = 0;
    while (i < lw->in->ops.n && lw->storage[lw->in->ops.at[i].out] != storage)
        i++;
    return i;
}

// Whether nothing reads the input after the op that overwrites it has begun,
// but that op at the same element.
static bool
may_update(const lower *lw, uint32_t input, uint32_t at)
{
    const tir_op *def = &lw->in->ops.at[at];
    if (op_reads(lw, def, input, true) || read_after(lw, at, input))
        return false;
    for (uint32_t i = 0; i < at && def->group; i++) {
        const tir_op *op = &lw->in->ops.at[i];
        if (op->group == def->group && op_reads(lw, op, input, true))
            return false;
    }
    return true;
}

static void
share_updates(lower *lw)
{
    for (uint32_t t = 0; t < lw->in->tensors.n; t++) {
        const tir_tensor *out = &lw->in->tensors.at[t];
        if (out->kind != TIR_OUTPUT || !out->updates)
            continue;
        uint32_t input = out->updates - 1, at = first_def(lw, t);
        lw->is_updated[input] = true;
        if (lw->storage[t] == t && at < lw->in->ops.n &&
            may_update(lw, input, at))
            merge(lw, t, input);
    }
}

void
storage_plan(lower *lw)
{
    uint32_t n = lw->in->tensors.n;
    lw->storage = ARENA_ARRAY(lw->a, n, uint32_t);
    lw->is_updated = ARENA_ARRAY(lw->a, n, bool);
    for (uint32_t t = 0; t < n; t++)
        lw->storage[t] = t;
    for (uint32_t i = 0; i < lw->in->ops.n; i++) {
        const tir_op *op = &lw->in->ops.at[i];
        if (op->kind == TIR_RESHAPE)
            share_reshape(lw, op);
        else if (op->kind == TIR_SCATTER)
            share_init(lw, i);
    }
    share_updates(lw);
}

uint32_t
hbm_tensor(lower *lw, uint32_t tensor)
{
    uint32_t home = lw->storage[tensor];
    if (lw->hbm_id[home] == TILE_ABSENT) {
        tir_tensor t = lw->in->tensors.at[home];
        if (lw->is_updated[home])
            t.kind = TIR_INOUT;
        else if (t.updates)
            t.kind = TIR_TEMP; // its value is copied to where it belongs
        t.updates = 0;
        lw->hbm_id[home] = lw->out->tensors.n;
        vec_push(lw->a, &lw->out->tensors, t);
    }
    return lw->hbm_id[home];
}

bool
overwrites_read(const lower *lw, const uint32_t *ops, uint32_t n, uint32_t out)
{
    for (uint32_t i = 0; i < n; i++) {
        const tir_op *op =
            ops[i] == SYNTHETIC ? lw->synthetic : &lw->in->ops.at[ops[i]];
        for (uint32_t r = 0; r < op->reads.n; r++) {
            uint32_t t = op->reads.at[r].tensor;
            if (shares(lw, t, out) && kind_of(lw, lw->storage[t]) == TIR_INPUT)
                return true;
        }
    }
    return false;
}

// ---- moving whole tensors

uint32_t
flat_pieces(int64_t n, int64_t lanes, int64_t row, flat_piece out[3])
{
    int64_t whole = n / (lanes * row), rest = n - whole * lanes * row;
    uint32_t k = 0;
    if (whole)
        out[k++] = (flat_piece){0, whole, lanes, row};
    if (rest / row)
        out[k++] = (flat_piece){n - rest, 1, rest / row, row};
    if (rest % row)
        out[k++] = (flat_piece){n - rest % row, 1, 1, rest % row};
    return k;
}

tile_ref
flat_ref(lower *lw, uint32_t tensor, const flat_piece *p, uint32_t loop)
{
    tile_ref r = {.hbm = true,
                  .id = hbm_tensor(lw, tensor),
                  .off = tile_aff_const(p->at),
                  .pstep = p->elems,
                  .ndim = 1};
    if (loop != TILE_ABSENT)
        r.off = tile_aff_add(r.off, tile_aff_loop(loop, p->parts * p->elems));
    r.dim[0].step = 1;
    r.dim[0].count = p->elems;
    return r;
}

void
copy_tensor(lower *lw, uint32_t from, uint32_t to)
{
    int64_t n = tir_elems(&lw->in->tensors.at[to]);
    int64_t lanes = lw->cx->target->partitions;
    flat_piece piece[3];
    uint32_t pieces = flat_pieces(
        n, lanes, max_i64(1, min_i64(COPY_ELEMS, ceil_div(n, lanes))), piece);
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t parent = lw->body;
        uint32_t loop = lower_loop(lw, piece[i].trip);
        tile_op *o = tile_add_op(lw->out, lw->body, NUM_OP_DMA, ENG_SYNC);
        o->at = lw->at;
        o->queue = next_load_queue(lw);
        o->parts = o->dst_parts = tile_count_const(piece[i].parts);
        o->b.id = TILE_ABSENT;
        o->dst = flat_ref(lw, to, &piece[i], loop);
        o->a = flat_ref(lw, from, &piece[i], loop);
        lw->body = parent;
    }
}

void
copy_updates(lower *lw)
{
    for (uint32_t t = 0; t < lw->in->tensors.n; t++) {
        uint32_t input = lw->in->tensors.at[t].updates;
        if (kind_of(lw, t) != TIR_OUTPUT || !input || shares(lw, t, input - 1))
            continue;
        lw->at = lw->in->tensors.at[t].at;
        copy_tensor(lw, t, input - 1);
    }
}
