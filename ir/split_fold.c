// SPDX-License-Identifier: Apache-2.0
// Index arithmetic as index expressions, for pass 'split': nodes that compute
// an i32 from indices alone are one expression where no step wraps and every
// division comes out, that is where
//     A = c * Q + R with 0 <= R < c over the whole index space.
// Subscripts that are such nodes become part of the affine subscript.
#include "ir/split_int.h"

// ---- expressions

static bool
fits_i32(const tir_op *op, const tir_aff *aff)
{
    int64_t lo, hi;
    return tir_aff_range(op, aff, &lo, &hi) && lo >= INT32_MIN &&
           hi <= INT32_MAX;
}

static bool
is_const_aff(const tir_aff *aff)
{
    for (uint32_t x = 0; x < TIR_INDICES; x++)
        if (aff->k[x])
            return false;
    return true;
}

// The node as an exact index expression.
static bool
node_aff(const tir_op *op, uint32_t node, tir_aff *out)
{
    const tir_node *n = &op->nodes.at[node];
    if (n->kind == TIR_N_CONST && n->as == NUM_AS_I32) {
        *out = (tir_aff){.c = (int32_t)n->imm};
        return true;
    }
    *out = n->aff;
    return n->kind == TIR_N_AFFINE && fits_i32(op, out);
}

// out = x + k * y
static bool
add_aff(const tir_aff *x, int64_t k, const tir_aff *y, tir_aff *out)
{
    int64_t p;
    if (!mul_i64(k, y->c, &p) || !add_i64(x->c, p, &out->c))
        return false;
    for (uint32_t i = 0; i < TIR_INDICES; i++)
        if (!mul_i64(k, y->k[i], &p) || !add_i64(x->k[i], p, &out->k[i]))
            return false;
    return true;
}

static bool
divide(const tir_op *op, const tir_aff *a, int64_t c, tir_aff *q, tir_aff *r)
{
    int64_t lo, hi;
    *q = *r = (tir_aff){0};
    for (uint32_t x = 0; x < TIR_INDICES; x++) {
        q->k[x] = a->k[x] / c;
        r->k[x] = a->k[x] % c;
    }
    r->c = a->c;
    if (!tir_aff_range(op, r, &lo, &hi))
        return false;
    q->c = floor_div(lo, c);
    r->c -= q->c * c;
    return hi - q->c * c < c;
}

// ---- functions

typedef enum { NOT_DIVISION, TRUNCATING, FLOORING } rounding;

typedef struct {
    rounding how;
    bool is_rest; // the remainder, not the quotient
    int64_t by;
} division;

// What a function does with a second operand y, if it divides.
static division
as_division(num_binary f, int64_t y)
{
    bool is_mask = y > 0 && (y & (y + 1)) == 0;
    if (f == NUM_DIV || f == NUM_MOD)
        return (division){TRUNCATING, f == NUM_MOD, y};
    if (f == NUM_DIV_FLOOR || f == NUM_MOD_FLOOR)
        return (division){FLOORING, f == NUM_MOD_FLOOR, y};
    if (f == NUM_SHR && y >= 0 && y < 32)
        return (division){FLOORING, false, (int64_t)1 << y};
    if (f == NUM_AND && is_mask)
        return (division){FLOORING, true, y + 1};
    return (division){NOT_DIVISION, false, 1};
}

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

// Splitting one of these indices may make the division come out.
static void
note_splits(const tir_op *op, const tir_aff *a, int64_t c, tir_splits *s)
{
    for (uint32_t x = 0; x < op->nout + op->nred; x++) {
        int64_t k = a->k[x] % c;
        if (!k)
            continue;
        uint64_t mag = (uint64_t)(k < 0 ? -k : k);
        tir_split_at at = {
            x, (int64_t)((uint64_t)c / common_divisor(mag, (uint64_t)c))};
        bool is_new = s->n < TIR_SPLITS;
        for (uint32_t i = 0; i < s->n; i++)
            is_new = is_new &&
                     (s->at[i].index != at.index || s->at[i].inner != at.inner);
        if (is_new)
            s->at[s->n++] = at;
    }
}

static bool
divide_aff(const tir_op *op, const tir_aff *x, division d, tir_splits *s,
           tir_aff *out)
{
    tir_aff q, r;
    int64_t lo, hi;
    if (d.by <= 0 || !tir_aff_range(op, x, &lo, &hi) ||
        (d.how == TRUNCATING && lo < 0))
        return false;
    if (!divide(op, x, d.by, &q, &r)) {
        if (s)
            note_splits(op, x, d.by, s);
        return false;
    }
    *out = d.is_rest ? r : q;
    return true;
}

// The smaller or larger of two, if it is always the same one.
static bool
choose_aff(const tir_op *op, const tir_aff *x, const tir_aff *y, bool is_max,
           tir_aff *out)
{
    tir_aff diff;
    int64_t lo, hi;
    if (!add_aff(x, -1, y, &diff) || !tir_aff_range(op, &diff, &lo, &hi) ||
        (lo < 0 && hi > 0))
        return false;
    *out = (lo >= 0) == is_max ? *x : *y;
    return true;
}

static bool
binary_aff(const tir_op *op, const tir_node *n, tir_splits *s, tir_aff *out)
{
    const tir_aff zero = {0};
    tir_aff x, y;
    if (!node_aff(op, n->arg[0], &x) || !node_aff(op, n->arg[1], &y))
        return false;
    num_binary f = n->func2;
    if (f == NUM_ADD || f == NUM_SUB)
        return add_aff(&x, f == NUM_ADD ? 1 : -1, &y, out);
    if (f == NUM_MUL && is_const_aff(&x))
        return add_aff(&zero, x.c, &y, out);
    if (f == NUM_MIN || f == NUM_MAX)
        return choose_aff(op, &x, &y, f == NUM_MAX, out);
    if (!is_const_aff(&y))
        return false;
    if (f == NUM_MUL)
        return add_aff(&zero, y.c, &x, out);
    if (f == NUM_SHL && y.c >= 0 && y.c < 32)
        return add_aff(&zero, (int64_t)1 << y.c, &x, out);
    division d = as_division(f, y.c);
    return d.how != NOT_DIVISION && divide_aff(op, &x, d, s, out);
}

// A node whose operands are nodes of op.
static bool
folded_aff(const tir_op *op, const tir_node *n, tir_splits *s, tir_aff *out)
{
    const tir_aff zero = {0};
    tir_aff x;
    if (n->as != NUM_AS_I32)
        return false;
    if (n->kind == TIR_N_BINARY)
        return op->nodes.at[n->arg[0]].as == NUM_AS_I32 &&
               binary_aff(op, n, s, out) && fits_i32(op, out);
    return n->kind == TIR_N_UNARY && n->func1 == NUM_NEG &&
           node_aff(op, n->arg[0], &x) && add_aff(&zero, -1, &x, out) &&
           fits_i32(op, out);
}

// ---- operations

// Nodes that some subscript depends on.
static bool *
feeding_nodes(arena *a, const tir_op *op, const bool *live)
{
    bool *feeds = ARENA_ARRAY(a, op->nodes.n, bool);
    uint32_t from[TIR_RANK];
    for (uint32_t d = 0; op->kind == TIR_SCATTER && d < TIR_RANK; d++)
        feeds[op->target.dyn[d]] = true;
    for (uint32_t i = op->nodes.n; i-- > 1;) {
        const tir_node *n = &op->nodes.at[i];
        bool is_gather = live[i] && n->kind == TIR_N_GATHER;
        uint32_t count = feeds[i] || is_gather ? tir_operands(op, n, from) : 0;
        for (uint32_t k = 0; k < count; k++)
            feeds[from[k]] = true;
    }
    return feeds;
}

// Makes subscripts affine that are, where that needs no check at run time.
static void
fold_subscripts(const tir_fn *fn, const tir_op *op, tir_read *r)
{
    const tir_tensor *t = &fn->tensors.at[r->tensor];
    for (uint32_t d = 0; d < t->rank; d++) {
        tir_aff aff, sub;
        int64_t lo, hi;
        if (!r->dyn[d] || !node_aff(op, r->dyn[d], &aff) ||
            !add_aff(&r->sub[d], 1, &aff, &sub) ||
            !tir_aff_range(op, &sub, &lo, &hi))
            continue;
        const int64_t limit = (int64_t)1 << 62;
        bool is_inside = lo >= 0 && hi < t->shape[d];
        if (!is_inside && (!r->has_fill || lo <= -limit || hi >= limit))
            continue;
        r->sub[d] = sub;
        r->dyn[d] = 0;
    }
}

tir_op
tir_fold_indices(tir_fn *fn, const tir_op *op, tir_splits *splits)
{
    tir_op new = tir_op_cleared(fn, op);
    const bool *live = tir_live_op(fn->a, op);
    const bool *feeds = feeding_nodes(fn->a, op, live);
    uint32_t *to = ARENA_ARRAY(fn->a, op->nodes.n, uint32_t);
    tir_aff same[TIR_INDICES], aff;
    for (uint32_t x = 0; x < TIR_INDICES; x++)
        same[x] = tir_aff_index(x);
    for (uint32_t i = 1; i < op->nodes.n; i++) {
        tir_node n = op->nodes.at[i];
        if (!live[i])
            continue;
        for (uint32_t k = 0; k < tir_arity(&n); k++)
            n.arg[k] = to[n.arg[k]];
        if (n.kind == TIR_N_GATHER) {
            tir_read r = op->reads.at[n.read];
            for (uint32_t d = 0; d < TIR_RANK; d++)
                r.dyn[d] = r.dyn[d] ? to[r.dyn[d]] : 0;
            fold_subscripts(fn, &new, &r);
            to[i] = tir_gather(fn, &new, &r);
        } else if (folded_aff(&new, &n, feeds[i] ? splits : NULL, &aff)) {
            to[i] = tir_affine(fn, &new, &aff);
        } else {
            bool ok =
                tir_copy_node(fn, &new, op, &op->nodes.at[i], same, to, &to[i]);
            SY_CHECK(ok, "copying node %u", i);
        }
    }
    bool ok = tir_move_roots(fn, &new, op, same, to);
    SY_CHECK(ok, "the target of '%s'", fn->tensors.at[op->out].name);
    if (new.kind == TIR_SCATTER)
        fold_subscripts(fn, &new, &new.target);
    return new;
}
