// SPDX-License-Identifier: Apache-2.0
// Domains of one tile, the operands that affine reads become over them, and
// moves between HBM and SBUF. Every affine read is a strided transfer, so that
// slices, strides, transposes and broadcasts need no cases of their own.
#include "backend/tile_int.h"

#include <string.h>

enum { LOAD_QUEUES = 4, STORE_QUEUES = 4 };

num_dtype
dtype_of_as(num_as as)
{
    switch (as) {
    case NUM_AS_I32: return DT_I32;
    case NUM_AS_U32: return DT_U32;
    case NUM_AS_BOOL: return DT_BOOL;
    case NUM_AS_F32:
    case NUM_AS_NONE: break;
    }
    return DT_F32;
}

int64_t
tensor_stride(const tir_tensor *t, uint32_t d)
{
    int64_t s = 1;
    for (uint32_t i = d + 1; i < t->rank; i++)
        s *= t->shape[i];
    return s;
}

// The block that a tile's origin advances by.
static int64_t
base_step(const tile_aff *base)
{
    int64_t g = 0;
    for (uint32_t i = 0; i < base->n; i++)
        g = gcd_i64(g, base->t[i].k);
    return g;
}

tile_count
count_ragged(int64_t tile, int64_t extent, tile_aff base)
{
    if (base.n == 0)
        return tile_count_const(max_i64(0, min_i64(tile, extent - base.c)));
    if (extent % base_step(&base) == 0)
        return tile_count_const(tile);
    tile_aff rem = tile_aff_scale(base, -1);
    rem.c += extent;
    return (tile_count){.max = tile, .rem = rem, .div = 1};
}

uint32_t
lower_loop(lower *lw, int64_t trip)
{
    if (trip == 1)
        return TILE_ABSENT;
    if (lw->out->loops.at[lw->body].depth == TILE_LOOPS) {
        lw->too_deep = true; // the attempt will be undone
        return TILE_ABSENT;
    }
    uint32_t loop = tile_add_loop(lw->out, lw->body, tile_count_const(trip));
    lw->body = loop;
    return loop;
}

uint32_t
next_load_queue(lower *lw)
{
    return 1 + lw->nload++ % LOAD_QUEUES;
}

uint32_t
next_store_queue(lower *lw)
{
    return 1 + LOAD_QUEUES + lw->nstore++ % STORE_QUEUES;
}

bool
read_is_identity(const tir_read *r, uint32_t rank)
{
    for (uint32_t d = 0; d < rank; d++)
        for (uint32_t i = 0; i < TIR_INDICES; i++)
            if (r->dyn[d] || r->sub[d].c || r->sub[d].k[i] != (i == d))
                return false;
    return true;
}

// An affine function of the indices at the tile's origin.
tile_aff
aff_over(const tile_domain *dom, const tir_aff *x)
{
    tile_aff r = tile_aff_const(x->c);
    for (uint32_t i = 0; i < dom->nindex; i++)
        if (x->k[i])
            r = tile_aff_add(r, tile_aff_scale(dom->base[i], x->k[i]));
    return r;
}

uint32_t
pinned_index(const lower *lw, const tir_op *op)
{
    return lw->in_time && op->group ? op->time : DOM_NONE;
}

bool
sub_range_over(const lower *lw, const tir_op *op, const tir_aff *sub,
               int64_t *lo, int64_t *hi)
{
    uint32_t pin = pinned_index(lw, op);
    *lo = *hi = sub->c;
    for (uint32_t i = 0; i < op->nout + op->nred; i++) {
        int64_t first = i == pin ? lw->time_lo : 0, a, b;
        int64_t last = i == pin ? lw->time_hi : op->extent[i] - 1;
        if (!mul_i64(sub->k[i], first, &a) || !mul_i64(sub->k[i], last, &b) ||
            !add_i64(*lo, min_i64(a, b), lo) ||
            !add_i64(*hi, max_i64(a, b), hi))
            return false;
    }
    return true;
}

bool
read_needs_index(const lower *lw, const tir_op *op, const tir_read *rd)
{
    const tir_tensor *t = &lw->in->tensors.at[rd->tensor];
    for (uint32_t d = 0; d < t->rank; d++) {
        int64_t lo, hi;
        if (rd->dyn[d])
            return true;
        if (rd->has_fill && (!sub_range_over(lw, op, &rd->sub[d], &lo, &hi) ||
                             lo < 0 || hi >= t->shape[d]))
            return true;
    }
    return false;
}

tile_ref
hbm_ref(const lower *lw, const tile_domain *dom, uint32_t tensor,
        const tir_aff *sub, dim_mask *mask)
{
    const tir_tensor *t = &lw->in->tensors.at[tensor];
    tir_aff lin = {0};
    for (uint32_t d = 0; d < t->rank; d++) {
        int64_t s = tensor_stride(t, d);
        lin.c += sub[d].c * s;
        for (uint32_t i = 0; i < dom->nindex; i++)
            lin.k[i] += sub[d].k[i] * s;
    }
    tile_ref r = {.hbm = true, .id = tensor, .off = aff_over(dom, &lin)};
    if (dom->part != DOM_NONE)
        r.pstep = lin.k[dom->part];
    *mask = 0;
    for (uint32_t d = 0; d < dom->nfree; d++) {
        int64_t k = lin.k[dom->free[d].index];
        if (!k)
            continue;
        *mask |= 1u << d;
        r.dim[r.ndim].step = k;
        r.dim[r.ndim++].count = dom->free[d].count;
    }
    if (dom->ragged && (*mask & 1u)) {
        r.ragged = true;
        r.outer = dom->outer;
    }
    return r;
}

int64_t
mask_elems(const tile_domain *dom, dim_mask m)
{
    int64_t n = 1;
    for (uint32_t d = 0; d < dom->nfree; d++)
        if (m >> d & 1u)
            n *= dom->free[d].count;
    return n;
}

tile_val
val_new(lower *lw, const tile_domain *dom, dim_mask mask, num_as as,
        num_dtype dtype, uint32_t slots, const char *hint)
{
    tile_val v = {.kind = VAL_REF, .as = as, .mask = mask};
    v.off = tile_aff_const(0);
    int64_t step = 1;
    for (uint32_t d = dom->nfree; d-- > 0;) {
        if (!(mask >> d & 1u))
            continue;
        v.step[d] = step;
        step *= dom->free[d].count;
    }
    v.buf = tile_add_buf(lw->out, lw->body, hint, SPACE_SBUF, dtype,
                         (uint32_t)dom->parts.max, step, slots);
    lw->out->bufs.at[v.buf].at = lw->at;
    return v;
}

tile_ref
val_ref(const tile_domain *dom, const tile_val *v, dim_mask over)
{
    tile_ref r = {.id = v->buf, .off = v->off};
    for (uint32_t d = 0; d < dom->nfree; d++) {
        if (!(over >> d & 1u))
            continue;
        r.dim[r.ndim].step = v->step[d];
        r.dim[r.ndim++].count = dom->free[d].count;
    }
    if (dom->ragged && (over & 1u)) {
        r.ragged = true;
        r.outer = dom->outer;
    }
    return r;
}

tile_op *
lower_op(lower *lw, const tile_domain *dom, num_op op, tile_engine engine)
{
    tile_op *o = tile_add_op(lw->out, lw->body, op, engine);
    o->parts = dom->parts;
    o->dst_parts = dom->parts;
    o->dst.id = o->a.id = o->b.id = TILE_ABSENT;
    o->at = lw->at;
    return o;
}

bool
val_in_psum(const lower *lw, const tile_val *v)
{
    return v->kind == VAL_REF && lw->out->bufs.at[v->buf].space == SPACE_PSUM;
}

num_dtype
val_dtype(const lower *lw, const tile_val *v)
{
    return v->kind == VAL_REF ? lw->out->bufs.at[v->buf].dtype
                              : dtype_of_as(v->as);
}

static bool
aff_same(const tile_aff *a, const tile_aff *b)
{
    if (a->c != b->c || a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->t[i].loop != b->t[i].loop || a->t[i].k != b->t[i].k)
            return false;
    return true;
}

static bool
count_same(const tile_count *a, const tile_count *b)
{
    return a->max == b->max && a->div == b->div && aff_same(&a->rem, &b->rem);
}

static bool
ref_same(const tile_ref *a, const tile_ref *b)
{
    if (a->id != b->id || a->pstep != b->pstep || a->ndim != b->ndim ||
        a->ragged != b->ragged || !aff_same(&a->off, &b->off))
        return false;
    for (uint32_t d = 0; d < a->ndim; d++)
        if (a->dim[d].step != b->dim[d].step ||
            a->dim[d].count != b->dim[d].count)
            return false;
    return !a->ragged || count_same(&a->outer, &b->outer);
}

static uint32_t
aff_depth(const lower *lw, const tile_aff *a, uint32_t best)
{
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t l = a->t[i].loop;
        if (lw->out->loops.at[l].depth > lw->out->loops.at[best].depth)
            best = l;
    }
    return best;
}

// The body a load belongs in: the innermost loop it depends on, not outside the
// nest's scope.
static uint32_t
load_body(const lower *lw, const tile_ref *r, const tile_count *parts)
{
    uint32_t b = aff_depth(lw, &r->off, lw->scope);
    if (r->ragged)
        b = aff_depth(lw, &r->outer.rem, b);
    return aff_depth(lw, &parts->rem, b);
}

// Whether the current body lies in 'body'.
static bool
encloses(const lower *lw, uint32_t body)
{
    uint32_t b = lw->body;
    while (b != body && b)
        b = lw->out->loops.at[b].parent;
    return b == body;
}

// Moves the last item of a body in front of the loop that is being filled.
static void
hoist_last(lower *lw, uint32_t body)
{
    tile_loop *l = &lw->out->loops.at[body];
    uint32_t n = l->items.n;
    if (n < 2 || !l->items.at[n - 2].is_loop)
        return;
    tile_item it = l->items.at[n - 1];
    l->items.at[n - 1] = l->items.at[n - 2];
    l->items.at[n - 2] = it;
}

// The steps of a buffer that holds the dimensions of 'mask' contiguously.
static tile_val
packed_val(const tile_domain *dom, uint32_t buf, dim_mask mask, num_as as)
{
    tile_val v = {.kind = VAL_REF, .as = as, .mask = mask, .buf = buf};
    v.off = tile_aff_const(0);
    int64_t step = 1;
    for (uint32_t d = dom->nfree; d-- > 0;) {
        if (!(mask >> d & 1u))
            continue;
        v.step[d] = step;
        step *= dom->free[d].count;
    }
    return v;
}

void
emit_load(lower *lw, const tile_ref *src, const tile_val *v,
          const tile_count *parts)
{
    tile_op *o = tile_add_op(lw->out, lw->body, NUM_OP_DMA, ENG_SYNC);
    o->queue = next_load_queue(lw);
    o->parts = o->dst_parts = *parts;
    o->b.id = TILE_ABSENT;
    o->a = *src;
    o->dst = (tile_ref){.id = v->buf,
                        .off = v->off,
                        .ndim = src->ndim,
                        .ragged = src->ragged,
                        .outer = src->outer};
    int64_t step = 1;
    for (uint32_t d = src->ndim; d-- > 0;) {
        o->dst.dim[d].step = step;
        o->dst.dim[d].count = src->dim[d].count;
        step *= src->dim[d].count;
    }
    o->at = lw->at;
}

static const tile_load *
find_load(const lower *lw, const tile_ref *src, const tile_count *parts,
          num_dtype dtype)
{
    for (uint32_t i = 0; i < lw->loads.n; i++) {
        const tile_load *l = &lw->loads.at[i];
        if (ref_same(&l->hbm, src) && count_same(&l->parts, parts) &&
            encloses(lw, l->body) && lw->out->bufs.at[l->buf].dtype == dtype)
            return l;
    }
    return NULL;
}

// The buffer that holds the source's elements contiguously.
static uint32_t
load_packed(lower *lw, const tile_domain *dom, const tile_ref *src,
            const char *hint, num_dtype dtype)
{
    // Equal on every partition: every partition gets it, ragged or not.
    tile_count parts =
        src->pstep ? dom->parts : tile_count_const(dom->parts.max);
    const tile_load *l = find_load(lw, src, &parts, dtype);
    if (l)
        return l->buf;
    int64_t elems = 1;
    for (uint32_t d = 0; d < src->ndim; d++)
        elems *= src->dim[d].count;
    uint32_t body = load_body(lw, src, &parts), here = lw->body;
    uint32_t buf =
        tile_add_buf(lw->out, body, hint, SPACE_SBUF, dtype,
                     (uint32_t)parts.max, elems, body == lw->scope ? 1 : 2);
    lw->out->bufs.at[buf].at = lw->at;
    tile_val v = {.kind = VAL_REF, .buf = buf, .off = tile_aff_const(0)};
    lw->body = body;
    emit_load(lw, src, &v, &parts);
    if (body != here)
        hoist_last(lw, body);
    lw->body = here;
    vec_push(
        lw->a, &lw->loads,
        (tile_load){.hbm = *src, .parts = parts, .buf = buf, .body = body});
    return buf;
}

tile_val
val_load(lower *lw, const tile_domain *dom, uint32_t tensor, const tir_aff *sub,
         num_dtype as_dtype)
{
    const tir_tensor *t = &lw->in->tensors.at[tensor];
    num_dtype dtype = as_dtype == DT_NONE ? t->dtype : as_dtype;
    tile_box box;
    tile_val v;
    if (box_of(lw, dom, tensor, sub, &box)) {
        v = box.val;
    } else {
        dim_mask mask;
        box.src = hbm_ref(lw, dom, tensor, sub, &mask);
        v = packed_val(dom, 0, mask, NUM_AS_NONE);
    }
    box.src.id = hbm_tensor(lw, tensor);
    v.as = num_widened(t->dtype);
    v.buf = load_packed(lw, dom, &box.src, t->name, dtype);
    return v;
}

void
val_store(lower *lw, const tile_domain *dom, const tile_val *v, uint32_t tensor,
          const int64_t *shift)
{
    const tir_tensor *t = &lw->in->tensors.at[tensor];
    tir_aff sub[TIR_RANK] = {0};
    for (uint32_t d = 0; d < t->rank; d++) {
        sub[d].k[d] = 1;
        sub[d].c = shift ? shift[d] : 0;
    }
    dim_mask mask;
    tile_ref dst = hbm_ref(lw, dom, tensor, sub, &mask);
    dst.id = hbm_tensor(lw, tensor);
    tile_op *o = lower_op(lw, dom, NUM_OP_DMA, ENG_GPSIMD);
    o->queue = next_store_queue(lw);
    o->dst = dst;
    o->a = val_ref(dom, v, mask);
}

static uint64_t
sbuf_bytes(const lower *lw, uint32_t first)
{
    uint64_t total = 0;
    for (uint32_t i = first; i < lw->out->bufs.n; i++) {
        const tile_buf *b = &lw->out->bufs.at[i];
        if (b->space != SPACE_SBUF)
            continue;
        uint64_t slot = (uint64_t)b->elems * num_dtype_bytes(b->dtype);
        total += align_up(slot, 32) * b->slots;
    }
    return total;
}

lower_mark
lower_save(lower *lw)
{
    lw->too_deep = lw->bad_index = false;
    return (lower_mark){.bufs = lw->out->bufs.n,
                        .loops = lw->out->loops.n,
                        .ops = lw->out->ops.n,
                        .items = lw->out->loops.at[lw->body].items.n,
                        .nload = lw->nload,
                        .nstore = lw->nstore,
                        .nevict = lw->nevict,
                        .ngather = lw->ngather,
                        .nscatter = lw->nscatter};
}

// Drops a vector's elements from 'n' on; what is added later must be zero.
#define vec_cut(v, to)                                                         \
    (memset((v)->at + (to), 0, ((v)->n - (to)) * sizeof *(v)->at),             \
     (v)->n = (to))

static void
restore(lower *lw, lower_mark m)
{
    vec_cut(&lw->out->bufs, m.bufs);
    vec_cut(&lw->out->loops, m.loops);
    vec_cut(&lw->out->ops, m.ops);
    vec_cut(&lw->out->loops.at[lw->body].items, m.items);
    lw->nload = m.nload;
    lw->nstore = m.nstore;
    lw->nevict = m.nevict;
    lw->ngather = m.ngather;
    lw->nscatter = m.nscatter;
    lw->loads.n = 0;
}

static bool
runs_once(const tile_fn *fn, uint32_t loop)
{
    int64_t trips;
    for (; loop; loop = fn->loops.at[loop].parent)
        if (!tile_count_is_const(&fn->loops.at[loop].trip, &trips) ||
            trips != 1)
            return false;
    return true;
}

bool
lower_keep(lower *lw, lower_mark m)
{
    for (uint32_t i = m.bufs; i < lw->out->bufs.n; i++)
        if (runs_once(lw->out, lw->out->bufs.at[i].home))
            lw->out->bufs.at[i].slots = 1; // nothing to rotate through
    if (!lw->too_deep && !lw->bad_index &&
        sbuf_bytes(lw, m.bufs) <= lw->cx->target->sbuf_bytes)
        return true;
    restore(lw, m);
    return false;
}

bool
must_store(const lower *lw, uint32_t tensor, const uint32_t *ops, uint32_t n)
{
    if (lw->in->tensors.at[tensor].kind == TIR_OUTPUT)
        return true;
    uint32_t inside = 0;
    for (uint32_t i = 0; i < n; i++) {
        const tir_op *op = &lw->in->ops.at[ops[i]];
        for (uint32_t r = 0; r < op->reads.n; r++)
            inside += op->reads.at[r].tensor == tensor;
    }
    return lw->uses[tensor] > inside;
}
