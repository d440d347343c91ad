// SPDX-License-Identifier: Apache-2.0
// Reads and writes whose place depends on data or may leave the tensor: index
// arithmetic on chip makes, for every element of the index part, the number of
// the block to be moved, and one indexed transfer moves the blocks. Each
// subscript that could be outside is compared with its extent by itself, so
// that what is outside faults, or is passed over. Blocks are counted in the
// greatest common divisor of the strides, so that 32 bits suffice for tensors
// of up to 2^31 blocks. docs/design/irregular.md explains.
#include "backend/tile_int.h"

enum { GATHER_QUEUE = 9, SCATTER_QUEUE = 13, INDEX_QUEUES = 4 };

// A number that no block has, whatever the strides; and the one passed over.
#define INDEX_FAULT 0x80000000u
#define INDEX_SKIP  0xffffffffu
#define INDEX_LIMIT ((int64_t)1 << 31)

// How one read, or target, is made of blocks.
typedef struct {
    lower *lw;
    const tile_domain *dom;
    const tir_op *op;
    const tir_read *rd;
    const tir_tensor *t;
    const tile_val *dyn;    // by dimension of the tensor
    bool checked[TIR_RANK]; // the subscript is compared with its extent
    bool indexed[TIR_RANK]; // it is part of the number of the block
    dim_mask over;          // free dimensions that the number is for
    dim_mask block;         // those inside a block
    int64_t unit;           // elements between blocks
} access;

// ---- the plan

static int64_t
coef_of(const access *x, uint32_t d, uint32_t f)
{
    return x->rd->sub[d].k[x->dom->free[f].index];
}

static bool
varies(const access *x, uint32_t f)
{
    for (uint32_t d = 0; d < x->t->rank; d++)
        if (coef_of(x, d, f) || (x->rd->dyn[d] && x->dyn[d].kind == VAL_REF &&
                                 x->dyn[d].mask >> f & 1u))
            return true;
    return false;
}

// Whether every value of the affine part is inside its dimension.
static bool
stays_inside(const access *x, uint32_t d)
{
    int64_t lo, hi;
    return sub_range_over(x->lw, x->op, &x->rd->sub[d], &lo, &hi) && lo >= 0 &&
           hi < x->t->shape[d];
}

// Subscripts in which one dimension of the domain is the only one, so that
// different values of it are different places.
static bool
is_own(const access *x, uint32_t f)
{
    uint32_t found = 0;
    for (uint32_t d = 0; d < x->t->rank; d++) {
        if (!coef_of(x, d, f))
            continue;
        found++;
        if (x->checked[d] ||
            (x->dom->part != DOM_NONE && x->rd->sub[d].k[x->dom->part]))
            return false;
        for (uint32_t g = 0; g < x->dom->nfree; g++)
            if (g != f && coef_of(x, d, g))
                return false;
    }
    return found == 1;
}

static void
plan_masks(access *x, dim_mask forced)
{
    dim_mask all = 0;
    x->over = forced;
    for (uint32_t f = 0; f < x->dom->nfree; f++)
        if (varies(x, f) || forced >> f & 1u)
            all |= 1u << f;
    for (uint32_t d = 0; d < x->t->rank; d++) {
        if (!x->checked[d])
            continue;
        if (x->rd->dyn[d] && x->dyn[d].kind == VAL_REF)
            x->over |= x->dyn[d].mask;
        for (uint32_t f = 0; f < x->dom->nfree; f++)
            if (coef_of(x, d, f))
                x->over |= 1u << f;
    }
    if (x->dom->ragged && x->over && (all & 1u))
        x->over |= 1u; // only the outermost dimension may be ragged
    x->block = all & ~x->over;
}

static void
plan_unit(access *x)
{
    x->unit = 0;
    for (uint32_t d = 0; d < x->t->rank; d++) {
        x->indexed[d] = x->checked[d];
        if (x->dom->part != DOM_NONE && x->rd->sub[d].k[x->dom->part])
            x->indexed[d] = true;
        for (uint32_t f = 0; f < x->dom->nfree; f++)
            if (x->over >> f & 1u && coef_of(x, d, f))
                x->indexed[d] = true;
        if (x->indexed[d])
            x->unit = gcd_i64(x->unit, tensor_stride(x->t, d));
    }
    x->unit = max_i64(x->unit, 1);
    if (tir_elems(x->t) / x->unit >= INDEX_LIMIT)
        x->lw->bad_index = true;
}

// Whether a sum that does not fit 32 bits is outside after wrapping, too.
static bool
wraps_outside(const access *x, uint32_t d)
{
    int64_t lo, hi, ext = x->t->shape[d];
    return sub_range_over(x->lw, x->op, &x->rd->sub[d], &lo, &hi) &&
           lo >= -INDEX_LIMIT + ext && hi <= INDEX_LIMIT - ext;
}

static void
plan_access(access *x, dim_mask forced)
{
    plan_masks(x, forced);
    plan_unit(x);
    for (uint32_t d = 0; d < x->t->rank; d++)
        if (x->checked[d] && !wraps_outside(x, d))
            x->lw->bad_index = true;
}

// ---- the numbers

// The affine part of some subscripts at the first element of a block, each
// times its scale.
static tile_val
affine_part(const access *x, const int64_t *scale)
{
    tir_aff sum = {0};
    for (uint32_t d = 0; d < x->t->rank; d++) {
        sum.c += scale[d] * x->rd->sub[d].c;
        for (uint32_t i = 0; i < x->dom->nindex; i++)
            sum.k[i] += scale[d] * x->rd->sub[d].k[i];
    }
    // An index inside a block is taken at the tile's origin alone.
    tile_aff base = aff_over(x->dom, &sum);
    for (uint32_t f = 0; f < x->dom->nfree; f++)
        if (x->block >> f & 1u)
            sum.k[x->dom->free[f].index] = 0;
    return emit_affine(x->lw, x->dom, &base, &sum);
}

static bool
is_zero(const tile_val *v)
{
    return v->kind == VAL_IMM && v->imm == 0;
}

static dim_mask
mask_of(const tile_val *v)
{
    return v->kind == VAL_REF ? v->mask : 0;
}

// a f b in a buffer of its own, or in that of 'a' if it may be changed.
static tile_val
combine(const access *x, num_binary f, tile_val a, tile_val b, bool in_place)
{
    lower *lw = x->lw;
    dim_mask mask = mask_of(&a) | mask_of(&b);
    num_as as = num_binary_gives(f, a.as);
    if (a.kind == VAL_IMM && b.kind == VAL_IMM)
        return (tile_val){.kind = VAL_IMM,
                          .as = as,
                          .imm = num_apply2(f, a.as, a.imm, b.imm)};
    tile_val r = a;
    if (!in_place || a.kind != VAL_REF || a.mask != mask || as != a.as)
        r = val_new(lw, x->dom, mask, as, dtype_of_as(as), 2, "at");
    emit_binary(lw, x->dom, f, r, a, b);
    return r;
}

static tile_val
imm_i32(int64_t v)
{
    return (tile_val){
        .kind = VAL_IMM, .as = NUM_AS_I32, .imm = (num_word)(uint32_t)v};
}

static tile_val
sum_of(const access *x, tile_val a, tile_val b, bool in_place)
{
    if (is_zero(&a))
        return b;
    return is_zero(&b) ? a : combine(x, NUM_ADD, a, b, in_place);
}

// The number of the block, modulo 2^32.
static tile_val
block_number(const access *x)
{
    int64_t scale[TIR_RANK] = {0};
    for (uint32_t d = 0; d < x->t->rank; d++)
        if (x->indexed[d])
            scale[d] = tensor_stride(x->t, d) / x->unit;
    tile_val sum = affine_part(x, scale);
    for (uint32_t d = 0; d < x->t->rank; d++) {
        if (!x->rd->dyn[d])
            continue;
        tile_val v = x->dyn[d];
        bool own = scale[d] != 1;
        if (own)
            v = combine(x, NUM_MUL, v, imm_i32(scale[d]), false);
        sum = sum_of(x, v, sum, own);
    }
    return sum;
}

// Whether a subscript is inside: below its extent as an unsigned number.
static tile_val
subscript_inside(const access *x, uint32_t d)
{
    int64_t scale[TIR_RANK] = {0};
    scale[d] = 1;
    tile_val v = affine_part(x, scale);
    if (x->rd->dyn[d])
        v = sum_of(x, x->dyn[d], v, false);
    v.as = NUM_AS_U32;
    tile_val ext = imm_i32(min_i64(x->t->shape[d], INDEX_LIMIT));
    ext.as = NUM_AS_U32;
    return combine(x, NUM_LT, v, ext, false);
}

static tile_val
all_inside(const access *x)
{
    tile_val ok = {.kind = VAL_NONE};
    for (uint32_t d = 0; d < x->t->rank; d++) {
        if (!x->checked[d])
            continue;
        tile_val one = subscript_inside(x, d);
        ok = ok.kind == VAL_NONE ? one : combine(x, NUM_AND, ok, one, true);
    }
    return ok;
}

// v where the condition holds, else the immediate.
static tile_val
choose(const access *x, tile_val cond, tile_val v, num_word other)
{
    lower *lw = x->lw;
    if (cond.kind == VAL_NONE)
        return v;
    if (cond.kind == VAL_IMM)
        return cond.imm ? v : imm_i32((int32_t)other);
    if (v.kind == VAL_IMM || val_dtype(lw, &v) != DT_I32)
        v = val_copy(lw, x->dom, &v, mask_of(&v), DT_I32);
    tile_val r =
        val_new(lw, x->dom, v.mask | cond.mask, NUM_AS_I32, DT_I32, 2, "block");
    emit_fill(lw, x->dom, &r, other);
    tile_op *o = lower_op(lw, x->dom, NUM_OP_SELECT, ENG_VECTOR);
    o->dst = val_ref(x->dom, &r, r.mask);
    o->a = val_ref(x->dom, &v, r.mask);
    o->b = val_ref(x->dom, &cond, r.mask);
    return r;
}

// An outermost subscript that is the number of the block itself needs no
// comparison: outside its extent is outside the tensor.
static bool
checks_itself(const access *x)
{
    int64_t outer = 1;
    uint32_t d = 0;
    while (d < x->t->rank && !x->indexed[d])
        outer *= x->t->shape[d++];
    for (uint32_t i = d + 1; i < x->t->rank; i++)
        if (x->indexed[i])
            return false;
    return d < x->t->rank && outer == 1;
}

// The index operand: a number for each element over x->over.
static tile_val
index_value(const access *x, bool skips, tile_val guard)
{
    lower *lw = x->lw;
    tile_val v = block_number(x), ok = {.kind = VAL_NONE};
    if (skips || guard.kind != VAL_NONE || !checks_itself(x))
        ok = all_inside(x);
    v = choose(x, ok, v, skips ? INDEX_SKIP : INDEX_FAULT);
    v = choose(x, guard, v, INDEX_SKIP);
    if (v.kind == VAL_IMM || val_dtype(lw, &v) != DT_I32)
        v = val_copy(lw, x->dom, &v, mask_of(&v), DT_I32);
    return v;
}

// ---- the transfer

// The tensor's operand: the block, placed by what is not in its number.
static tile_ref
block_ref(const access *x)
{
    const tile_domain *dom = x->dom;
    tir_aff lin = {0};
    for (uint32_t d = 0; d < x->t->rank; d++) {
        int64_t s = tensor_stride(x->t, d);
        for (uint32_t i = 0; i < dom->nindex; i++)
            if (!x->indexed[d])
                lin.k[i] += x->rd->sub[d].k[i] * s;
        if (!x->indexed[d])
            lin.c += x->rd->sub[d].c * s;
    }
    tile_ref r = {.hbm = true,
                  .id = hbm_tensor(x->lw, x->rd->tensor),
                  .off = aff_over(dom, &lin),
                  .pstep = x->unit};
    for (uint32_t f = 0; f < dom->nfree; f++) {
        if (!(x->block >> f & 1u))
            continue;
        for (uint32_t d = 0; d < x->t->rank; d++)
            r.dim[r.ndim].step += coef_of(x, d, f) * tensor_stride(x->t, d);
        r.dim[r.ndim++].count = dom->free[f].count;
    }
    if (dom->ragged && (x->block & 1u)) {
        r.ragged = true;
        r.outer = dom->outer;
    }
    return r;
}

// A value's operand: dimensions of the index, then those of the block.
static tile_ref
chip_ref(const access *x, const tile_val *v)
{
    const tile_domain *dom = x->dom;
    tile_ref r = {.id = v->buf, .off = v->off};
    for (uint32_t turn = 0; turn < 2; turn++)
        for (uint32_t f = 0; f < dom->nfree; f++) {
            if (!((turn ? x->block : x->over) >> f & 1u))
                continue;
            r.dim[r.ndim].step = v->step[f];
            r.dim[r.ndim++].count = dom->free[f].count;
        }
    if (dom->ragged && ((x->over | x->block) & 1u)) {
        r.ragged = true;
        r.outer = dom->outer;
    }
    return r;
}

tile_val
val_gather(lower *lw, const tile_domain *dom, const tir_op *op,
           const tir_read *rd, const tile_val *dyn)
{
    access x = {.lw = lw, .dom = dom, .op = op, .rd = rd, .dyn = dyn};
    x.t = &lw->in->tensors.at[rd->tensor];
    for (uint32_t d = 0; d < x.t->rank; d++)
        x.checked[d] = rd->dyn[d] || !stays_inside(&x, d);
    plan_access(&x, 0);
    tile_val index =
        index_value(&x, rd->has_fill, (tile_val){.kind = VAL_NONE});
    num_as as = num_widened(x.t->dtype);
    num_dtype dtype = rd->has_fill ? dtype_of_as(as) : x.t->dtype;
    tile_val r = val_new(lw, dom, x.over | x.block, as, dtype, 2, x.t->name);
    if (rd->has_fill)
        emit_fill(lw, dom, &r, rd->fill);
    tile_op *o = lower_op(lw, dom, NUM_OP_DMA_GATHER, ENG_GPSIMD);
    o->queue = GATHER_QUEUE + lw->ngather++ % INDEX_QUEUES;
    o->skip = rd->has_fill;
    o->dst = chip_ref(&x, &r);
    o->a = block_ref(&x);
    o->b = val_ref(dom, &index, x.over);
    return r;
}

static num_combine
combine_of(num_reduce r)
{
    switch (r) {
    case NUM_R_SUM: return NUM_C_ADD;
    case NUM_R_MAX: return NUM_C_MAX;
    case NUM_R_MIN: return NUM_C_MIN;
    case NUM_R_NONE:
    case NUM_R_PROD:
    case NUM_R_ANY:
    case NUM_R_ALL:
    case NUM_R_SUB:
    case NUM_R_AND:
    case NUM_R_OR:
    case NUM_R_XOR:
    case NUM_R_ABSMAX:
    case NUM_R_ABSMIN:
    case NUM_R_COUNT: break;
    }
    return NUM_C_WRITE;
}

void
val_scatter(lower *lw, const tile_domain *dom, const tir_op *op,
            const tile_val *dyn, const tile_val *guard, const tile_val *v)
{
    access x = {.lw = lw, .dom = dom, .op = op, .rd = &op->target, .dyn = dyn};
    x.t = &lw->in->tensors.at[op->out];
    for (uint32_t d = 0; d < x.t->rank; d++)
        x.checked[d] = x.rd->dyn[d] || !stays_inside(&x, d);
    dim_mask forced = mask_of(guard);
    for (uint32_t f = 0; f < dom->nfree; f++)
        if (!is_own(&x, f))
            forced |= 1u << f;
    plan_access(&x, forced);
    tile_val index = index_value(&x, false, *guard);
    tile_op *o = lower_op(lw, dom, NUM_OP_DMA_SCATTER, ENG_GPSIMD);
    o->queue = SCATTER_QUEUE + lw->nscatter++ % INDEX_QUEUES;
    o->combine = combine_of(op->reduce);
    o->skip = op->guard != 0;
    o->dst = block_ref(&x);
    o->a = chip_ref(&x, v);
    o->b = val_ref(dom, &index, x.over);
}
