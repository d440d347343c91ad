// SPDX-License-Identifier: Apache-2.0
// Recognises the second half of an argmax or argmin, for the reference:
//     m[i..] = max[r..] x(i, r)
//     y[i..] = min[r..] select(eq(x(i, r), m[i..]), position, none)
// Taken alone, x == m is open wherever x is not exact. But the maximum of a row
// is attained in it, so if one element alone can be it, that one is.
#include "ir/tensor_int.h"

static const tir_op *
find_extreme(const tir_fn *fn, const tir_op *op, uint32_t tensor)
{
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        const tir_op *def = &fn->ops.at[o];
        if (def->out != tensor)
            continue;
        bool is_like = def->kind == TIR_MAP &&
                       (def->reduce == NUM_R_MAX || def->reduce == NUM_R_MIN) &&
                       def->nred == op->nred;
        for (uint32_t r = 0; is_like && r < op->nred; r++)
            is_like = def->extent[def->nout + r] == op->extent[op->nout + r];
        return is_like ? def : NULL;
    }
    return NULL;
}

// Whether node x of op is what node m, a read, is the extreme of: both are
// copied into one operation, where equal expressions become one node.
static bool
is_extreme_of(const tir_fn *fn, const tir_op *op, uint32_t x, uint32_t m)
{
    const tir_node *read = &op->nodes.at[m];
    if (read->kind != TIR_N_READ || op->reads.at[read->read].has_fill)
        return false;
    const tir_read *r = &op->reads.at[read->read];
    const tir_op *def = find_extreme(fn, op, r->tensor);
    if (!def)
        return false;
    tir_fn scratch = *fn;
    tir_op both = {.nout = op->nout, .nred = op->nred};
    tir_aff same[TIR_INDICES], moved[TIR_INDICES] = {{0}};
    for (uint32_t i = 0; i < TIR_INDICES; i++)
        same[i] = tir_aff_index(i);
    for (uint32_t i = 0; i < def->nout + def->nred; i++)
        moved[i] =
            i < def->nout ? r->sub[i] : tir_aff_index(op->nout + i - def->nout);
    uint32_t a, b;
    return tir_copy_nodes(&scratch, &both, op, x, same, &a) &&
           tir_copy_nodes(&scratch, &both, def, def->root, moved, &b) && a == b;
}

bool
tir_attains_extreme(const tir_fn *fn, const tir_op *op)
{
    const tir_node *at = op->nodes.at, *root = &at[op->root];
    if (op->kind != TIR_MAP || op->reduce != NUM_R_MIN ||
        root->kind != TIR_N_SELECT || root->as != NUM_AS_I32 ||
        at[root->arg[1]].kind != TIR_N_AFFINE ||
        at[root->arg[2]].kind != TIR_N_CONST ||
        at[root->arg[2]].imm != num_reduce_identity(NUM_R_MIN, NUM_AS_I32))
        return false;
    const tir_node *c = &at[root->arg[0]];
    if (c->kind == TIR_N_BINARY && c->func2 == NUM_OR)
        c = &at[c->arg[0]]; // the other side: both are NaN
    if (c->kind != TIR_N_BINARY || c->func2 != NUM_EQ)
        return false;
    return is_extreme_of(fn, op, c->arg[0], c->arg[1]) ||
           is_extreme_of(fn, op, c->arg[1], c->arg[0]);
}
