// SPDX-License-Identifier: Apache-2.0
// pass 'contract': operands of contractions become plain reads.
//
//     y[i0:8, i1:4] = sum[r0:16] mul(exp(x[i0, r0]), w[r0, i1])
// becomes
//     y_lhs[i0:8, i1:16] = map exp(x[i0, i1])
//     y[i0:8, i1:4] = sum[r0:16] mul(y_lhs[i0, r0], w[r0, i1])
//
// so that an operand is computed once instead of once for each index it lacks,
// and the tensor engine can take it. The copy's dimensions are in the order in
// which the operand's reads use the indices: as a rule the layout of its
// source. Linear in nodes and reads. What a recurrence computes itself is not
// copied. Sums with a reduction index that only one
// factor has, or with free indices on one side only, are left alone.
#include "ir/tensor_int.h"

// Sets of indices, one bit each.
typedef uint32_t index_set;

static index_set
aff_indices(const tir_aff *aff)
{
    index_set s = 0;
    for (uint32_t x = 0; x < TIR_INDICES; x++)
        if (aff->k[x])
            s |= 1u << x;
    return s;
}

static index_set
read_indices(const tir_fn *fn, const tir_read *r)
{
    index_set s = 0;
    for (uint32_t d = 0; d < fn->tensors.at[r->tensor].rank; d++)
        s |= aff_indices(&r->sub[d]);
    return s;
}

static bool
is_any_read(const tir_node *n)
{
    return n->kind == TIR_N_READ || n->kind == TIR_N_GATHER;
}

// Indices that a node's value depends on.
static index_set
node_indices(const tir_fn *fn, const tir_op *op, uint32_t node)
{
    arena_mark mark = arena_save(fn->a);
    const bool *live = tir_live_nodes(fn->a, op, node);
    index_set s = 0;
    for (uint32_t i = 1; i <= node; i++) {
        const tir_node *n = &op->nodes.at[i];
        if (live[i] && n->kind == TIR_N_AFFINE)
            s |= aff_indices(&n->aff);
        else if (live[i] && is_any_read(n))
            s |= read_indices(fn, &op->reads.at[n->read]);
    }
    arena_restore(fn->a, mark);
    return s;
}

static bool
is_sum_of_products(const tir_op *op)
{
    const tir_node *root = &op->nodes.at[op->root];
    return op->kind == TIR_MAP && op->reduce == NUM_R_SUM && op->nred &&
           root->kind == TIR_N_BINARY && root->func2 == NUM_MUL &&
           root->as == NUM_AS_F32;
}

static index_set
out_set(const tir_op *op)
{
    return (1u << op->nout) - 1;
}

static index_set
red_set(const tir_op *op)
{
    return ((1u << op->nred) - 1) << op->nout;
}

// Every reduction index in both, every out index in one of them.
static bool
are_covering(const tir_op *op, index_set a, index_set b)
{
    index_set red = red_set(op), out = out_set(op);
    return (a & b & red) == red && ((a | b) & out) == out;
}

bool
tir_wants_contraction(const tir_fn *fn, const tir_op *op)
{
    if (!is_sum_of_products(op))
        return false;
    const tir_node *root = &op->nodes.at[op->root];
    index_set a = node_indices(fn, op, root->arg[0]);
    index_set b = node_indices(fn, op, root->arg[1]);
    return are_covering(op, a, b) && (a & ~b & out_set(op)) &&
           (b & ~a & out_set(op));
}

// ---- classification

static bool
is_operand(const tir_fn *fn, const tir_op *op, uint32_t node)
{
    const tir_node *n = &op->nodes.at[node];
    if (n->kind != TIR_N_READ)
        return false;
    const tir_read *r = &op->reads.at[n->read];
    return !r->has_fill && num_is_float(fn->tensors.at[r->tensor].dtype);
}

static uint32_t
list_indices(index_set s, uint32_t *out)
{
    uint32_t n = 0;
    for (uint32_t x = 0; x < TIR_INDICES; x++)
        if (s >> x & 1)
            out[n++] = x;
    return n;
}

bool
tir_as_contraction(const tir_fn *fn, const tir_op *op, tir_contraction *out)
{
    const tir_node *root = &op->nodes.at[op->root];
    if (!is_sum_of_products(op) || !is_operand(fn, op, root->arg[0]) ||
        !is_operand(fn, op, root->arg[1]))
        return false;
    *out = (tir_contraction){.a = op->nodes.at[root->arg[0]].read,
                             .b = op->nodes.at[root->arg[1]].read};
    index_set a = read_indices(fn, &op->reads.at[out->a]);
    index_set b = read_indices(fn, &op->reads.at[out->b]);
    if (!are_covering(op, a, b))
        return false;
    out->nbatch = list_indices(a & b & out_set(op), out->batch);
    out->nm = list_indices(a & ~b & out_set(op), out->m);
    out->nn = list_indices(b & ~a & out_set(op), out->n);
    out->nk = list_indices(red_set(op), out->k);
    return true;
}

// ---- the pass

typedef struct {
    uint32_t n;
    uint32_t index[TIR_INDICES];
} index_list;

static void
append_new(index_list *l, index_set s)
{
    for (uint32_t x = 0; x < TIR_INDICES; x++) {
        bool is_new = s >> x & 1;
        for (uint32_t i = 0; i < l->n; i++)
            is_new = is_new && l->index[i] != x;
        if (is_new)
            l->index[l->n++] = x;
    }
}

// The indices of a node, in the order in which its reads use them.
static index_list
order_indices(const tir_fn *fn, const tir_op *op, uint32_t node)
{
    const bool *live = tir_live_nodes(fn->a, op, node);
    index_list l = {0};
    for (uint32_t i = 1; i <= node; i++) {
        const tir_node *n = &op->nodes.at[i];
        if (!live[i] || !is_any_read(n))
            continue;
        const tir_read *r = &op->reads.at[n->read];
        for (uint32_t d = 0; d < fn->tensors.at[r->tensor].rank; d++)
            append_new(&l, aff_indices(&r->sub[d]));
    }
    append_new(&l, node_indices(fn, op, node));
    return l;
}

// The factor's stored type, and the node to store: a cast at the root is what
// the store does anyway.
static num_dtype
factor_dtype(const tir_op *op, uint32_t *node)
{
    const tir_node *n = &op->nodes.at[*node];
    if (n->kind != TIR_N_CAST)
        return DT_F32;
    if (op->nodes.at[n->arg[0]].as == NUM_AS_F32)
        *node = n->arg[0];
    return n->to;
}

// Defines a temp with the value of a factor of op number *o, before that op and
// its recurrence, and gives the read of it.
static tir_read
define_factor(tir_fn *fn, uint32_t *o, uint32_t node, const char *side)
{
    index_list l = order_indices(fn, &fn->ops.at[*o], node);
    const tir_op *op = &fn->ops.at[*o];
    num_dtype dtype = factor_dtype(op, &node);
    int64_t shape[TIR_RANK];
    tir_aff subst[TIR_INDICES] = {{0}};
    for (uint32_t d = 0; d < l.n; d++) {
        shape[d] = op->extent[l.index[d]];
        subst[l.index[d]] = tir_aff_index(d);
    }
    const char *hint =
        arena_printf(fn->a, "%s_%s", fn->tensors.at[op->out].name, side);
    uint32_t temp = tir_add_temp(fn, hint, dtype, l.n, shape);
    tir_op *def = tir_add_op(fn, temp, NUM_R_NONE, 0, NULL);
    op = &fn->ops.at[*o];
    fn->tensors.at[temp].at = def->at = op->at;
    bool ok = tir_copy_nodes(fn, def, op, node, subst, &def->root);
    SY_CHECK(ok, "renaming the indices of '%s'", hint);
    tir_place_last_op(fn, tir_group_begin(fn, *o));
    (*o)++;
    tir_read r = {.tensor = temp};
    for (uint32_t d = 0; d < l.n; d++)
        r.sub[d] = tir_aff_index(l.index[d]);
    return r;
}

// Whether the node reads what the op's own recurrence computes.
static bool
reads_recurrence(const tir_fn *fn, const tir_op *op, uint32_t node)
{
    if (!op->group)
        return false;
    const uint32_t *def = tir_def_ops(fn->a, fn);
    const bool *live = tir_live_nodes(fn->a, op, node);
    for (uint32_t i = 1; i <= node; i++) {
        const tir_node *n = &op->nodes.at[i];
        if (live[i] && is_any_read(n) &&
            tir_group_def(fn, def, op, op->reads.at[n->read].tensor))
            return true;
    }
    return false;
}

// Whether the factor is, or can become, a plain read.
static bool
can_define(const tir_fn *fn, const tir_op *op, uint32_t node)
{
    uint32_t list[TIR_INDICES];
    if (is_operand(fn, op, node))
        return true;
    return !reads_recurrence(fn, op, node) &&
           list_indices(node_indices(fn, op, node), list) <= TIR_RANK;
}

// The read that the factor is, or becomes.
static tir_read
factor_read(tir_fn *fn, uint32_t *o, uint32_t node, const char *side)
{
    const tir_op *op = &fn->ops.at[*o];
    if (is_operand(fn, op, node))
        return op->reads.at[op->nodes.at[node].read];
    return define_factor(fn, o, node, side);
}

// Returns the op's new number.
static uint32_t
contract_op(tir_fn *fn, uint32_t o)
{
    const tir_op *op = &fn->ops.at[o];
    tir_contraction done;
    if (tir_op_is_empty(op) || !tir_wants_contraction(fn, op) ||
        tir_as_contraction(fn, op, &done))
        return o;
    uint32_t x = op->nodes.at[op->root].arg[0];
    uint32_t y = op->nodes.at[op->root].arg[1];
    if (!can_define(fn, op, x) || !can_define(fn, op, y))
        return o;
    tir_read a = factor_read(fn, &o, x, "lhs");
    tir_read b = factor_read(fn, &o, y, "rhs");
    tir_op new = tir_op_cleared(fn, &fn->ops.at[o]);
    uint32_t left = tir_read_node(fn, &new, &a);
    uint32_t right = tir_read_node(fn, &new, &b);
    new.root = tir_binary(fn, &new, NUM_MUL, left, right);
    fn->ops.at[o] = new;
    return o;
}

void
tir_contract(tir_fn *fn)
{
    fn->settled = true;
    for (uint32_t o = 0; o < fn->ops.n; o++)
        o = contract_op(fn, o);
}
