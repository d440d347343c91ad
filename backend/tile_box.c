// SPDX-License-Identifier: Apache-2.0
// Loads of overlapping windows. A read such as x[2*h + r, w + s] touches each
// element of the tensor several times over the free indices (h, w, r, s), or
// over loops inside (a convolution's r and s). Instead of one transfer for each
// use, the box of the tensor that all of them lie in is loaded once,
// contiguously as it lies in memory, and the read becomes an affine view of it.
#include "backend/tile_int.h"

typedef struct {
    uint32_t dim;       // of the tensor
    int64_t lo, extent; // relative to the origin
    bool outer;         // the ragged free index is in it
} box_dim;

// The range of a subscript over the free and inner indices; false when none of
// them is in it.
static bool
sub_range(const tile_domain *dom, const tir_aff *sub, uint32_t *terms,
          box_dim *b)
{
    int64_t lo = 0, hi = 0;
    *terms = 0;
    for (uint32_t i = 0; i < dom->nfree + dom->ninner; i++) {
        bool is_free = i < dom->nfree;
        uint32_t index =
            is_free ? dom->free[i].index : dom->inner[i - dom->nfree].index;
        int64_t count =
            is_free ? dom->free[i].count : dom->inner[i - dom->nfree].extent;
        int64_t k = sub->k[index];
        *terms += k != 0;
        *(k < 0 ? &lo : &hi) += k * (count - 1);
    }
    b->lo = lo;
    b->extent = hi - lo + 1;
    return *terms > 0;
}

// The dimensions of the box, the ragged one first; 0 when there is no point.
static uint32_t
list_dims(const lower *lw, const tile_domain *dom, uint32_t tensor,
          const tir_aff *sub, box_dim *dims)
{
    uint32_t n = 0, ragged = 0;
    bool compound = false;
    for (uint32_t d = 0; d < lw->in->tensors.at[tensor].rank; d++) {
        uint32_t terms;
        box_dim b = {.dim = d};
        if (!sub_range(dom, &sub[d], &terms, &b))
            continue;
        if (n == NUM_DIMS || b.extent > 0xffff ||
            (dom->part != DOM_NONE && sub[d].k[dom->part]))
            return 0;
        compound = compound || terms > 1;
        b.outer = dom->ragged && sub[d].k[dom->free[0].index];
        if (b.outer && (ragged++ || sub[d].k[dom->free[0].index] < 0))
            return 0;
        dims[n++] = b;
    }
    for (uint32_t i = n; ragged && i-- > 1;)
        if (dims[i].outer) {
            box_dim t = dims[i];
            dims[i] = dims[i - 1];
            dims[i - 1] = t;
        }
    return compound ? n : 0;
}

// Elements that loads of their own would move.
static int64_t
elems_alone(const tile_domain *dom, const tir_aff *sub, uint32_t rank)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < dom->nfree + dom->ninner; i++) {
        bool is_free = i < dom->nfree, used = false;
        uint32_t index =
            is_free ? dom->free[i].index : dom->inner[i - dom->nfree].index;
        for (uint32_t d = 0; d < rank; d++)
            used = used || sub[d].k[index];
        if (used)
            n *= is_free ? dom->free[i].count
                         : dom->inner[i - dom->nfree].extent;
    }
    return n;
}

static void
fill_source(const lower *lw, const tile_domain *dom, uint32_t tensor,
            const tir_aff *sub, const box_dim *dims, uint32_t n, tile_ref *src)
{
    const tir_tensor *t = &lw->in->tensors.at[tensor];
    tir_aff lin = {0};
    for (uint32_t d = 0; d < t->rank; d++) {
        lin.c += sub[d].c * tensor_stride(t, d);
        for (uint32_t i = 0; i < dom->nindex; i++)
            lin.k[i] += sub[d].k[i] * tensor_stride(t, d);
    }
    for (uint32_t i = 0; i < dom->ninner; i++)
        lin.k[dom->inner[i].index] = 0;
    *src = (tile_ref){.hbm = true, .id = tensor, .off = aff_over(dom, &lin)};
    src->pstep = dom->part == DOM_NONE ? 0 : lin.k[dom->part];
    src->ndim = n;
    for (uint32_t i = 0; i < n; i++) {
        int64_t stride = tensor_stride(t, dims[i].dim);
        src->off.c += dims[i].lo * stride;
        src->dim[i].step = stride;
        src->dim[i].count = dims[i].extent;
    }
    if (!dims[0].outer)
        return;
    // k * count + (extent - k * whole count) elements of the ragged dimension.
    int64_t k = sub[dims[0].dim].k[dom->free[0].index];
    src->ragged = true;
    src->outer = (tile_count){.max = dims[0].extent, .div = 1};
    src->outer.rem = tile_aff_scale(dom->outer.rem, k);
    src->outer.rem.c += dims[0].extent - k * dom->free[0].count;
}

static void
fill_value(const tile_domain *dom, const tir_aff *sub, const box_dim *dims,
           uint32_t n, tile_box *out)
{
    tile_val *v = &out->val;
    *v = (tile_val){.kind = VAL_REF, .off = tile_aff_const(0)};
    int64_t stride = 1;
    for (uint32_t i = n; i-- > 0; stride *= dims[i].extent) {
        const tir_aff *s = &sub[dims[i].dim];
        v->off.c -= dims[i].lo * stride;
        for (uint32_t f = 0; f < dom->nfree; f++)
            v->step[f] += stride * s->k[dom->free[f].index];
        for (uint32_t j = 0; j < dom->ninner; j++) {
            uint32_t x = dom->inner[j].index;
            if (s->k[x])
                v->off = tile_aff_add(
                    v->off, tile_aff_scale(dom->base[x], stride * s->k[x]));
        }
    }
    out->elems = stride;
    for (uint32_t f = 0; f < dom->nfree; f++)
        if (v->step[f])
            v->mask |= 1u << f;
}

bool
box_of(const lower *lw, const tile_domain *dom, uint32_t tensor,
       const tir_aff *sub, tile_box *out)
{
    uint32_t rank = lw->in->tensors.at[tensor].rank;
    box_dim dims[NUM_DIMS];
    uint32_t n = list_dims(lw, dom, tensor, sub, dims);
    if (!n)
        return false;
    fill_source(lw, dom, tensor, sub, dims, n, &out->src);
    fill_value(dom, sub, dims, n, out);
    return out->elems <= elems_alone(dom, sub, rank);
}
