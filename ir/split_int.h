// SPDX-License-Identifier: Apache-2.0
// What the files of pass 'split' share.
#ifndef SY_IR_SPLIT_INT_H
#define SY_IR_SPLIT_INT_H

#include "ir/tensor_int.h"

enum { TIR_SPLITS = 4 };

// Index 'index' as inner * (outer part) + (inner part).
typedef struct {
    uint32_t index;
    int64_t inner;
} tir_split_at;

typedef struct {
    uint32_t n;
    tir_split_at at[TIR_SPLITS];
} tir_splits;

// ---- split_fold.c

// The operation without dead nodes, index arithmetic folded. Adds to 'splits'
// what could make divisions in subscripts come out that do not.
tir_op tir_fold_indices(tir_fn *fn, const tir_op *op, tir_splits *splits);

// ---- split_reshape.c

// The operation over other indices: nout and nred of the given extents, old
// index x being subst[x]. False if a subscript does not fit.
NODISCARD bool tir_reindex(tir_fn *fn, const tir_op *op, const tir_op *space,
                           const tir_aff *subst, tir_op *out);
void tir_simplify_reshapes(tir_fn *fn);

#endif
