// SPDX-License-Identifier: Apache-2.0
// Contractions on the tensor engine. The stationary operand's out indices (m)
// lie on the output's partitions, the moving operand's (n) are free, one
// reduction index (k) lies on the partitions of both operands; every other
// index is a loop, those of the reduction accumulating in PSUM. A block of
// bm x bn output tiles shares what is loaded; the stationary strip of a block
// row stays in SBUF for the whole row when that moves fewer bytes. Elementwise
// operations that follow are fused into the eviction.
#include "backend/tile_int.h"

enum { MAX_BLOCK = 4, MAX_PLANS = 32 };

typedef struct {
    const tir_op *op;
    const tir_read *s, *x; // stationary, moving
    num_dtype s_dtype, x_dtype;
    uint32_t nbatch, nm, nn, nk;
    uint32_t batch[TIR_INDICES], m[TIR_INDICES], n[TIR_INDICES], k[TIR_INDICES];
    uint32_t mp, kp; // on partitions, or DOM_NONE
    int64_t tm, tk;  // their tiles
    uint32_t nfree;  // n indices that are free, outermost first
    uint32_t free[NUM_DIMS];
    int64_t tn;    // tile of free[0]
    int64_t inner; // elements of the other free indices
} mm_shape;

typedef struct {
    uint32_t bm, bn;   // output tiles of a block
    uint32_t resident; // slots of the stationary strip in SBUF; 0: streamed
    double bytes;      // moved from HBM, about
} mm_plan;

// The state of one emission.
typedef struct {
    lower *lw;
    const mm_shape *sh;
    const mm_plan *p;
    tile_aff base[TIR_INDICES];
    uint32_t kloop[TIR_INDICES]; // loop of k index i, or TILE_ABSENT
    uint32_t nfirst, first[TILE_LOOPS];
    uint32_t acc[MAX_BLOCK]; // PSUM buffers, mi * bn + ni
} mm;

// ---- shape

static bool
contains(const uint32_t *list, uint32_t n, uint32_t x)
{
    for (uint32_t i = 0; i < n; i++)
        if (list[i] == x)
            return true;
    return false;
}

static void
take_indices(uint32_t *to, uint32_t *nto, const uint32_t *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = from[i];
    *nto = n;
}

// The tensor engine reads both operands as they are, or both as f32.
static void
choose_dtypes(const lower *lw, mm_shape *sh)
{
    num_dtype s = lw->in->tensors.at[sh->s->tensor].dtype;
    num_dtype x = lw->in->tensors.at[sh->x->tensor].dtype;
    uint32_t ok = lw->cx->target->pe_dtypes;
    bool wide_s = num_dtype_bytes(s) == 4, wide_x = num_dtype_bytes(x) == 4;
    bool native = (ok >> s & 1u) && (ok >> x & 1u) && wide_s == wide_x;
    sh->s_dtype = native ? s : DT_F32;
    sh->x_dtype = native ? x : DT_F32;
}

static uint32_t
widest(const tir_op *op, const uint32_t *list, uint32_t n, int64_t lanes)
{
    uint32_t best = DOM_NONE;
    for (uint32_t i = 0; i < n; i++)
        if (best == DOM_NONE || min_i64(op->extent[list[i]], lanes) >
                                    min_i64(op->extent[best], lanes))
            best = list[i];
    return best;
}

// Folds n indices into the free dimensions, innermost first, up to 'cap'
// elements; the last one taken is split evenly.
static void
choose_free(mm_shape *sh, int64_t cap)
{
    uint32_t rev[NUM_DIMS];
    sh->tn = sh->inner = 1;
    for (uint32_t i = sh->nn; i-- > 0 && sh->nfree < NUM_DIMS;) {
        int64_t extent = sh->op->extent[sh->n[i]];
        int64_t room = cap / (sh->inner * sh->tn);
        if (room <= 1 && sh->nfree)
            break;
        sh->inner *= sh->tn;
        sh->tn = ceil_div(extent, ceil_div(extent, min_i64(extent, room)));
        rev[sh->nfree++] = sh->n[i];
        if (sh->tn < extent)
            break;
    }
    for (uint32_t i = 0; i < sh->nfree; i++)
        sh->free[i] = rev[sh->nfree - 1 - i];
}

static void
shape_of(const lower *lw, const tir_contraction *c, mm_shape *sh)
{
    const tir_op *op = sh->op;
    const isa_target *t = lw->cx->target;
    // The operand with the innermost output index moves: its tile's rows are
    // then stored contiguously.
    bool swap = op->nout && contains(c->m, c->nm, op->nout - 1);
    sh->s = &op->reads.at[swap ? c->b : c->a];
    sh->x = &op->reads.at[swap ? c->a : c->b];
    take_indices(sh->batch, &sh->nbatch, c->batch, c->nbatch);
    take_indices(sh->m, &sh->nm, swap ? c->n : c->m, swap ? c->nn : c->nm);
    take_indices(sh->n, &sh->nn, swap ? c->m : c->n, swap ? c->nm : c->nn);
    take_indices(sh->k, &sh->nk, c->k, c->nk);
    choose_dtypes(lw, sh);
    sh->mp = widest(op, sh->m, sh->nm, t->pe_cols);
    sh->kp = widest(op, sh->k, sh->nk, t->pe_rows);
    sh->tm = sh->mp == DOM_NONE ? 1 : min_i64(op->extent[sh->mp], t->pe_cols);
    sh->tk = sh->kp == DOM_NONE ? 1 : min_i64(op->extent[sh->kp], t->pe_rows);
    int64_t bank = (int64_t)(t->psum_bytes / t->psum_banks / 4);
    choose_free(sh, min_i64(t->pe_moving, bank));
}

// ---- plans

static int64_t
blocks_m(const mm_shape *sh, uint32_t bm)
{
    return sh->mp == DOM_NONE ? 1
                              : ceil_div(sh->op->extent[sh->mp], bm * sh->tm);
}

static int64_t
blocks_n(const mm_shape *sh, uint32_t bn)
{
    return sh->nfree == 0 ? 1
                          : ceil_div(sh->op->extent[sh->free[0]], bn * sh->tn);
}

static int64_t
elems_over(const mm_shape *sh, const uint32_t *list, uint32_t n)
{
    int64_t e = 1;
    for (uint32_t i = 0; i < n; i++)
        e *= sh->op->extent[list[i]];
    return e;
}

// Times the moving operand is read for n indices that are neither free nor
// blocked, and the stationary one for the m indices.
static double
plan_bytes(const mm_shape *sh, const mm_plan *p)
{
    double k = (double)elems_over(sh, sh->k, sh->nk);
    double m = (double)elems_over(sh, sh->m, sh->nm);
    double n = (double)elems_over(sh, sh->n, sh->nn);
    double other_n =
        n / (sh->nfree ? (double)sh->op->extent[sh->free[0]] * (double)sh->inner
                       : 1);
    double other_m =
        m / (sh->mp == DOM_NONE ? 1 : (double)sh->op->extent[sh->mp]);
    double s = k * m * num_dtype_bytes(sh->s_dtype);
    double x = k * n * num_dtype_bytes(sh->x_dtype);
    if (!p->resident)
        s *= (double)blocks_n(sh, p->bn) * other_n;
    return s + x * (double)blocks_m(sh, p->bm) * other_m;
}

static void
add_plan(const mm_shape *sh, mm_plan *plans, uint32_t *n, mm_plan p)
{
    p.bytes = plan_bytes(sh, &p);
    uint32_t at = *n;
    for (; at > 0 && plans[at - 1].bytes > p.bytes; at--)
        plans[at] = plans[at - 1];
    plans[at] = p;
    ++*n;
}

static uint32_t
list_plans(const lower *lw, const mm_shape *sh, mm_plan plans[MAX_PLANS])
{
    uint32_t n = 0, tiles = lw->cx->target->psum_banks / 2;
    for (uint32_t bm = 1; bm <= MAX_BLOCK; bm *= 2)
        for (uint32_t bn = 1; bn * bm <= MAX_BLOCK; bn *= 2) {
            if (bm * bn > max_i64(tiles, 1) ||
                (bm > 1 && (sh->mp == DOM_NONE ||
                            blocks_m(sh, bm) == blocks_m(sh, bm / 2))) ||
                (bn > 1 &&
                 (sh->nfree == 0 || blocks_n(sh, bn) == blocks_n(sh, bn / 2))))
                continue;
            for (uint32_t resident = 3; resident-- > 0;)
                add_plan(sh, plans, &n,
                         (mm_plan){.bm = bm, .bn = bn, .resident = resident});
        }
    return n;
}

// ---- emission

static tile_aff
scaled_loop(uint32_t loop, int64_t k)
{
    return loop == TILE_ABSENT ? tile_aff_const(0) : tile_aff_loop(loop, k);
}

static void
open_plain(mm *g, const uint32_t *list, uint32_t n, uint32_t skip)
{
    for (uint32_t i = 0; i < n; i++)
        if (list[i] != skip)
            g->base[list[i]] =
                scaled_loop(lower_loop(g->lw, g->sh->op->extent[list[i]]), 1);
}

static void
open_blocks(mm *g, uint32_t index, int64_t block)
{
    if (index == DOM_NONE)
        return;
    int64_t extent = g->sh->op->extent[index];
    g->base[index] =
        scaled_loop(lower_loop(g->lw, ceil_div(extent, block)), block);
}

// The loop over one k index; with one iteration, none.
static void
open_one_k(mm *g, uint32_t i)
{
    uint32_t x = g->sh->k[i];
    int64_t step = x == g->sh->kp ? g->sh->tk : 1;
    uint32_t loop = lower_loop(g->lw, ceil_div(g->sh->op->extent[x], step));
    g->kloop[i] = loop;
    g->base[x] = scaled_loop(loop, step);
    if (loop != TILE_ABSENT)
        g->first[g->nfirst++] = loop;
}

// The tiles of the partition index are outermost, so that the window loops
// inside them share what is loaded.
static void
open_k(mm *g)
{
    g->nfirst = 0;
    for (uint32_t i = 0; i < g->sh->nk; i++)
        if (g->sh->k[i] == g->sh->kp)
            open_one_k(g, i);
    for (uint32_t i = 0; i < g->sh->nk; i++)
        if (g->sh->k[i] != g->sh->kp)
            open_one_k(g, i);
}

static tile_count
k_count(const mm *g)
{
    const mm_shape *sh = g->sh;
    if (sh->kp == DOM_NONE)
        return tile_count_const(1);
    return count_ragged(sh->tk, sh->op->extent[sh->kp], g->base[sh->kp]);
}

static bool
is_empty(const tile_count *c)
{
    int64_t n;
    return tile_count_is_const(c, &n) && n == 0;
}

// Elements [at * tile, (at + 1) * tile) of a block along an index.
static tile_count
part_count(const mm *g, uint32_t index, int64_t tile, uint32_t at)
{
    if (index == DOM_NONE)
        return tile_count_const(1);
    tile_aff base = g->base[index];
    base.c += at * tile;
    return count_ragged(tile, g->sh->op->extent[index], base);
}

static void
set_outer(tile_domain *dom, tile_count outer)
{
    int64_t whole;
    dom->ragged = !tile_count_is_const(&outer, &whole);
    dom->outer = outer;
    if (!dom->ragged && dom->nfree)
        dom->free[0].count = whole;
}

static tile_domain
operand_domain(const mm *g, bool stationary)
{
    const mm_shape *sh = g->sh;
    tile_domain dom = {.nindex = sh->op->nout + sh->op->nred,
                       .part = sh->kp,
                       .parts = k_count(g)};
    for (uint32_t i = 0; i < dom.nindex; i++)
        dom.base[i] = g->base[i];
    if (stationary && sh->mp != DOM_NONE) {
        int64_t mb = g->p->bm * sh->tm;
        dom.nfree = 1;
        dom.free[0].index = sh->mp;
        dom.free[0].count = mb;
        set_outer(&dom, part_count(g, sh->mp, mb, 0));
    }
    if (!stationary && sh->nfree) {
        int64_t nb = g->p->bn * sh->tn;
        dom.nfree = sh->nfree;
        for (uint32_t f = 0; f < sh->nfree; f++) {
            dom.free[f].index = sh->free[f];
            dom.free[f].count = f ? sh->op->extent[sh->free[f]] : nb;
        }
        set_outer(&dom, part_count(g, sh->free[0], nb, 0));
    }
    for (uint32_t i = 0; !stationary && i < sh->nk; i++) {
        if (sh->k[i] == sh->kp)
            continue;
        dom.inner[dom.ninner].index = sh->k[i];
        dom.inner[dom.ninner++].extent = sh->op->extent[sh->k[i]];
    }
    return dom;
}

// Where the strip holds the tile of the k loops now open.
static tile_aff
strip_offset(const mm *g, int64_t pitch)
{
    const mm_shape *sh = g->sh;
    tile_aff off = tile_aff_const(0);
    int64_t stride = pitch;
    for (uint32_t i = sh->nk; i-- > 0;) {
        int64_t step = sh->k[i] == sh->kp ? sh->tk : 1;
        off = tile_aff_add(off, scaled_loop(g->kloop[i], stride));
        stride *= ceil_div(sh->op->extent[sh->k[i]], step);
    }
    return off;
}

// The stationary strip of a block row: every k tile side by side.
static tile_val
load_strip(mm *g, int64_t *pitch)
{
    lower *lw = g->lw;
    const mm_shape *sh = g->sh;
    uint32_t here = lw->body;
    int64_t tiles = 1;
    *pitch = g->p->bm * sh->tm;
    for (uint32_t i = 0; i < sh->nk; i++)
        tiles *=
            ceil_div(sh->op->extent[sh->k[i]], sh->k[i] == sh->kp ? sh->tk : 1);
    uint32_t buf =
        tile_add_buf(lw->out, here, "strip", SPACE_SBUF, sh->s_dtype,
                     (uint32_t)sh->tk, tiles * *pitch, g->p->resident);
    lw->out->bufs.at[buf].at = lw->at;
    open_k(g);
    tile_domain dom = operand_domain(g, true);
    dim_mask mask;
    tile_ref src = hbm_ref(lw, &dom, sh->s->tensor, sh->s->sub, &mask);
    src.id = hbm_tensor(lw, sh->s->tensor);
    tile_val v = {.kind = VAL_REF, .as = NUM_AS_F32, .buf = buf, .mask = mask};
    v.step[0] = mask ? 1 : 0;
    v.off = strip_offset(g, *pitch);
    emit_load(lw, &src, &v, &dom.parts);
    lw->body = here;
    return v;
}

static void
add_accumulators(mm *g)
{
    lower *lw = g->lw;
    const mm_shape *sh = g->sh;
    uint32_t slots =
        lw->cx->target->psum_banks >= 2 * g->p->bm * g->p->bn ? 2 : 1;
    for (uint32_t i = 0; i < g->p->bm * g->p->bn; i++) {
        g->acc[i] = tile_add_buf(lw->out, lw->body, "acc", SPACE_PSUM, DT_F32,
                                 (uint32_t)sh->tm, sh->tn * sh->inner, slots);
        lw->out->bufs.at[g->acc[i]].at = lw->at;
    }
}

static void
emit_ldw(mm *g, const tile_val *s, uint32_t mi, const tile_count *k,
         tile_count m)
{
    tile_op *o = tile_add_op(g->lw->out, g->lw->body, NUM_OP_LDW, ENG_TENSOR);
    o->at = g->lw->at;
    o->parts = o->dst_parts = *k;
    o->dst.id = o->b.id = TILE_ABSENT;
    o->a = (tile_ref){.id = s->buf, .off = s->off};
    o->a.off.c += mi * g->sh->tm * (s->step[0] ? s->step[0] : 1);
    if (g->sh->mp == DOM_NONE)
        return;
    o->a.ndim = 1;
    o->a.dim[0].step = s->step[0];
    o->a.dim[0].count = m.max;
    int64_t whole;
    o->a.ragged = !tile_count_is_const(&m, &whole);
    o->a.outer = m;
}

// The dimensions of one output tile, n of them along free[0], at these steps.
static void
tile_dims(const mm *g, tile_ref *r, const int64_t *step, tile_count n)
{
    const mm_shape *sh = g->sh;
    r->ndim = sh->nfree;
    for (uint32_t f = 0; f < sh->nfree; f++) {
        r->dim[f].step = step[f];
        r->dim[f].count = f ? sh->op->extent[sh->free[f]] : n.max;
    }
    int64_t whole;
    r->ragged = sh->nfree && !tile_count_is_const(&n, &whole);
    r->outer = n;
}

static void
acc_steps(const mm_shape *sh, int64_t step[NUM_DIMS])
{
    int64_t s = 1;
    for (uint32_t f = sh->nfree; f-- > 0; s *= sh->op->extent[sh->free[f]])
        step[f] = s;
}

static void
emit_matmul(mm *g, const tile_val *x, uint32_t mi, uint32_t ni,
            const tile_count *k, tile_count m)
{
    const mm_shape *sh = g->sh;
    tile_count n =
        part_count(g, sh->nfree ? sh->free[0] : DOM_NONE, sh->tn, ni);
    if (is_empty(&n))
        return;
    tile_op *o =
        tile_add_op(g->lw->out, g->lw->body, NUM_OP_MATMUL, ENG_TENSOR);
    o->at = g->lw->at;
    o->parts = *k;
    o->dst_parts = m;
    o->nfirst = g->nfirst;
    for (uint32_t i = 0; i < g->nfirst; i++)
        o->first[i] = g->first[i];
    o->a = (tile_ref){.id = x->buf, .off = x->off};
    o->a.off.c += ni * sh->tn * x->step[0];
    tile_dims(g, &o->a, x->step, n);
    int64_t step[NUM_DIMS];
    acc_steps(sh, step);
    o->dst =
        (tile_ref){.id = g->acc[mi * g->p->bn + ni], .off = tile_aff_const(0)};
    tile_dims(g, &o->dst, step, n);
}

static void
emit_products(mm *g, const tile_val *strip, int64_t pitch)
{
    lower *lw = g->lw;
    const mm_shape *sh = g->sh;
    open_k(g);
    tile_val s;
    if (strip) {
        s = *strip;
        s.off = strip_offset(g, pitch);
    } else {
        tile_domain dom = operand_domain(g, true);
        s = val_load(lw, &dom, sh->s->tensor, sh->s->sub, sh->s_dtype);
    }
    tile_domain dom = operand_domain(g, false);
    tile_val x = val_load(lw, &dom, sh->x->tensor, sh->x->sub, sh->x_dtype);
    tile_count k = k_count(g);
    for (uint32_t mi = 0; mi < g->p->bm; mi++) {
        tile_count m = part_count(g, sh->mp, sh->tm, mi);
        if (is_empty(&m))
            continue;
        emit_ldw(g, &s, mi, &k, m);
        for (uint32_t ni = 0; ni < g->p->bn; ni++)
            emit_matmul(g, &x, mi, ni, &k, m);
    }
}

// ---- eviction

static tile_domain
out_domain(const mm *g, uint32_t mi, uint32_t ni)
{
    const mm_shape *sh = g->sh;
    tile_domain dom = {.nindex = sh->op->nout, .part = sh->mp};
    for (uint32_t i = 0; i < dom.nindex; i++)
        dom.base[i] = g->base[i];
    dom.parts = part_count(g, sh->mp, sh->tm, mi);
    if (sh->mp != DOM_NONE)
        dom.base[sh->mp].c += mi * sh->tm;
    dom.nfree = sh->nfree;
    for (uint32_t f = 0; f < sh->nfree; f++) {
        dom.free[f].index = sh->free[f];
        dom.free[f].count = f ? sh->op->extent[sh->free[f]] : sh->tn;
    }
    if (sh->nfree) {
        set_outer(&dom, part_count(g, sh->free[0], sh->tn, ni));
        dom.base[sh->free[0]].c += ni * sh->tn;
    }
    return dom;
}

static void
set_local(lower *lw, const tile_domain *dom, uint32_t tensor, const tile_val *v)
{
    tile_local *l = &lw->local[tensor];
    *l = (tile_local){.present = true, .buf = v->buf, .off = v->off};
    for (uint32_t f = 0; f < dom->nfree; f++)
        l->dim_step[dom->free[f].index] = v->step[f];
}

// Plain evictions take turns between the two engines that read PSUM.
static tile_val
evict(lower *lw, const tile_domain *dom, const tile_val *acc, num_dtype dtype)
{
    tile_val v = val_copy(lw, dom, acc, acc->mask, dtype);
    if (lw->nevict++ % 2)
        lw->out->ops.at[lw->out->ops.n - 1].engine = ENG_SCALAR;
    return v;
}

static void
emit_eviction(mm *g, const uint32_t *ops, uint32_t n, uint32_t mi, uint32_t ni)
{
    lower *lw = g->lw;
    const mm_shape *sh = g->sh;
    tile_domain dom = out_domain(g, mi, ni);
    if (is_empty(&dom.parts) || (dom.nfree && !dom.free[0].count))
        return;
    tile_val v = {.kind = VAL_REF,
                  .as = NUM_AS_F32,
                  .buf = g->acc[mi * g->p->bn + ni],
                  .off = tile_aff_const(0)};
    int64_t step = 1;
    for (uint32_t f = dom.nfree; f-- > 0;) {
        v.step[f] = step;
        v.mask |= 1u << f;
        step *= f ? sh->op->extent[sh->free[f]] : sh->tn;
    }
    num_dtype dtype = lw->in->tensors.at[sh->op->out].dtype;
    bool store = must_store(lw, sh->op->out, ops, n);
    if (store || dtype != DT_F32)
        v = evict(lw, &dom, &v, dtype);
    if (store)
        val_store(lw, &dom, &v, sh->op->out, NULL);
    set_local(lw, &dom, sh->op->out, &v);
    for (uint32_t i = 1; i < n; i++) {
        const tir_op *op = &lw->in->ops.at[ops[i]];
        num_dtype to = lw->in->tensors.at[op->out].dtype;
        lw->at = op->at;
        tile_val r = expr_root(lw, &dom, op, to);
        set_local(lw, &dom, op->out, &r);
        if (!must_store(lw, op->out, ops, n))
            continue;
        if (r.mask != v.mask)
            r = val_copy(lw, &dom, &r, v.mask, to);
        val_store(lw, &dom, &r, op->out, NULL);
    }
    lw->at = sh->op->at;
}

static void
forget(lower *lw, const uint32_t *ops, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        lw->local[lw->in->ops.at[ops[i]].out].present = false;
    lw->loads.n = 0;
}

static bool
try_plan(lower *lw, const mm_shape *sh, const mm_plan *p, const uint32_t *ops,
         uint32_t n)
{
    lower_mark mark = lower_save(lw);
    uint32_t parent = lw->body;
    lw->body = lw->scope = tile_add_loop(lw->out, parent, tile_count_const(1));
    lw->at = sh->op->at;
    mm g = {.lw = lw, .sh = sh, .p = p};
    open_plain(&g, sh->batch, sh->nbatch, DOM_NONE);
    open_plain(&g, sh->m, sh->nm, sh->mp);
    open_blocks(&g, sh->mp, p->bm * sh->tm);
    tile_val strip = {0};
    int64_t pitch = 0;
    if (p->resident)
        strip = load_strip(&g, &pitch);
    for (uint32_t i = 0; i < sh->nn; i++)
        if (!contains(sh->free, sh->nfree, sh->n[i]))
            open_plain(&g, &sh->n[i], 1, DOM_NONE);
    if (sh->nfree)
        open_blocks(&g, sh->free[0], p->bn * sh->tn);
    add_accumulators(&g);
    uint32_t block = lw->body;
    emit_products(&g, p->resident ? &strip : NULL, pitch);
    lw->body = block;
    for (uint32_t mi = 0; mi < p->bm; mi++)
        for (uint32_t ni = 0; ni < p->bn; ni++)
            emit_eviction(&g, ops, n, mi, ni);
    forget(lw, ops, n);
    lw->body = lw->scope = parent;
    return lower_keep(lw, mark);
}

bool
lower_contraction(lower *lw, const tir_contraction *c, const uint32_t *ops,
                  uint32_t n)
{
    mm_shape sh = {.op = &lw->in->ops.at[ops[0]]};
    shape_of(lw, c, &sh);
    mm_plan plans[MAX_PLANS];
    uint32_t count = list_plans(lw, &sh, plans);
    for (uint32_t i = 0; i < count; i++)
        if (try_plan(lw, &sh, &plans[i], ops, n))
            return true;
    return false;
}
