// SPDX-License-Identifier: Apache-2.0
// How long the evaluators of the IRs would take, before they start: they have
// no budget to run out of, and a text of a few lines can ask for years.
#include "api/api_int.h"

// An instruction of the machine does some thousand steps of an evaluator; what
// does fewer counts as one instruction all the same.
static const uint64_t STEPS = 8192;

static uint64_t
sat_mul(uint64_t a, uint64_t b)
{
    uint64_t x;
    return mul_u64(a, b, &x) ? x : UINT64_MAX;
}

static uint64_t
sat_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

// ---- tensor IR: points of the index spaces ----------------------------------

// What an operation goes through besides its index space: a scatter all of its
// tensor, a sort all of its source.
static uint64_t
whole_elems(const tir_fn *fn, const tir_op *op)
{
    uint32_t t = op->kind == TIR_SORT ? op->src : op->out;
    bool is_whole = op->kind == TIR_SORT || op->kind == TIR_SCATTER;
    return is_whole ? (uint64_t)tir_elems(&fn->tensors.at[t]) : 0;
}

static uint64_t
tensor_steps(const tir_fn *fn)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < fn->ops.n; i++) {
        const tir_op *op = &fn->ops.at[i];
        uint64_t points = tir_op_is_empty(op) ? 0 : 1;
        for (uint32_t k = 0; k < op->nout + op->nred; k++)
            points = sat_mul(points, (uint64_t)op->extent[k]);
        sum = sat_add(sum, sat_add(points, whole_elems(fn, op)));
    }
    return sum;
}

// ---- tile IR: elements of the operations, trips taken at their most ---------

static uint64_t
ref_steps(const tile_ref *r, uint64_t parts)
{
    for (uint32_t i = 0; i < r->ndim && r->id != TILE_ABSENT; i++)
        parts = sat_mul(parts, (uint64_t)max_i64(r->dim[i].count, 1));
    return parts;
}

static uint64_t
op_steps(const tile_op *op)
{
    uint64_t parts = (uint64_t)max_i64(op->parts.max, 1);
    const tile_ref *ref[] = {&op->dst, &op->a, &op->b};
    uint64_t most = STEPS;
    for (uint32_t i = 0; i < ARRAY_LEN(ref); i++) {
        uint64_t steps = ref_steps(ref[i], parts);
        most = steps > most ? steps : most;
    }
    return most;
}

// Recursion is as deep as loops nest, which the verifier limits.
static uint64_t
body_steps(const tile_fn *fn, uint32_t loop)
{
    const tile_loop *l = &fn->loops.at[loop];
    uint64_t sum = STEPS;
    for (uint32_t i = 0; i < l->items.n; i++) {
        uint32_t id = l->items.at[i].id;
        uint64_t one = l->items.at[i].is_loop ? body_steps(fn, id)
                                              : op_steps(&fn->ops.at[id]);
        sum = sat_add(sum, one);
    }
    return loop ? sat_mul(sum, (uint64_t)max_i64(l->trip.max, 0)) : sum;
}

// ---- entry ------------------------------------------------------------------

static bool
fits(sy_session *s, const char *what, uint64_t steps, uint64_t max_instructions)
{
    uint64_t most = sat_mul(max_instructions, STEPS);
    if (!max_instructions || steps <= most)
        return true;
    diag(&s->d, (loc){0}, D_LIMIT_STEPS, what, (unsigned long long)steps,
         (unsigned long long)max_instructions, (unsigned long long)most);
    return false;
}

bool
api_tensor_fits(sy_session *s, const tir_fn *fn, uint64_t max_instructions)
{
    return fits(s, "tensor IR", tensor_steps(fn), max_instructions);
}

bool
api_tile_fits(sy_session *s, const tile_fn *fn, uint64_t max_instructions)
{
    return fits(s, "tile IR", body_steps(fn, 0), max_instructions);
}
