// SPDX-License-Identifier: Apache-2.0
// The rules of docs/tensor-ir.md for what is no plain map: recurrences,
// scatters, sorts, reshapes, and outputs that update an input.
#include "ir/tensor_int.h"

#include <string.h>

static const tir_tensor *
out_of(const tir_checker *c)
{
    return &c->fn->tensors.at[c->op->out];
}

static bool
is_same_type(const tir_tensor *x, const tir_tensor *y)
{
    return x->dtype == y->dtype && x->rank == y->rank &&
           !memcmp(x->shape, y->shape, x->rank * sizeof x->shape[0]);
}

// ---- tensors

static const char *
updates_fault(const tir_fn *fn, uint32_t tensor)
{
    const tir_tensor *t = &fn->tensors.at[tensor];
    if (t->kind != TIR_OUTPUT)
        return "it is no output";
    if (t->updates > tensor)
        return "there is none before it";
    const tir_tensor *x = &fn->tensors.at[t->updates - 1];
    if (x->kind != TIR_INPUT)
        return "what it names is no input";
    if (!is_same_type(t, x))
        return "their types differ";
    for (uint32_t u = 0; u < tensor; u++)
        if (fn->tensors.at[u].updates == t->updates)
            return "another output does";
    return NULL;
}

// tensor_t5: an output updates an input of its type that stands before it and
// that no other output updates.
bool
tir_check_updates(const tir_checker *c, uint32_t tensor)
{
    const tir_tensor *t = &c->fn->tensors.at[tensor];
    const char *fault = t->updates ? updates_fault(c->fn, tensor) : NULL;
    if (fault)
        diag(c->d, t->at, D_TIR_UPDATES, t->name, fault);
    return !fault;
}

// ---- recurrences

static const char *
group_fault(const tir_checker *c)
{
    const tir_op *op = c->op, *first = c->fn->ops.at;
    if (op->kind != TIR_MAP)
        return "only maps and reductions can";
    if (op->time >= op->nout)
        return "it has no time index";
    const tir_op *prev = op > first ? op - 1 : NULL;
    if (prev && prev->group == op->group) {
        if (prev->backward != op->backward)
            return "it runs the other way";
        return prev->extent[prev->time] != op->extent[op->time]
                   ? "its time has another extent"
                   : NULL;
    }
    for (const tir_op *o = first; o < op; o++)
        if (o->group == op->group)
            return "other operations stand between";
    return NULL;
}

// group_t1: a recurrence is a run of maps and reductions with time indices of
// one extent and one direction.
bool
tir_check_group(const tir_checker *c)
{
    const char *fault = c->op->group ? group_fault(c) : NULL;
    if (fault)
        diag(c->d, c->op->at, D_TIR_GROUP, out_of(c)->name, fault);
    return !fault;
}

// group_t2: what the recurrence computes is read at an earlier time, or at the
// same if it is defined before. (With node_t5: a read that can precede the
// first time has a fill.)
bool
tir_check_time(const tir_checker *c, const tir_op *by, const tir_read *r)
{
    const tir_op *op = c->op;
    bool ok = by->kind == TIR_MAP && by->time < by->nout &&
              by->time < c->fn->tensors.at[r->tensor].rank && !r->dyn[by->time];
    if (ok) {
        tir_aff sub = r->sub[by->time];
        int64_t ahead = op->backward ? -sub.c : sub.c;
        sub.c = 0;
        ok = tir_dim_index(&sub) == op->time &&
             (ahead < 0 || (ahead == 0 && by < op));
    }
    if (!ok)
        diag(c->d, op->at, D_TIR_TIME, c->fn->tensors.at[r->tensor].name);
    return ok;
}

// ---- scatters

static bool
scatter_fault(const tir_checker *c, const char *what)
{
    diag(c->d, c->op->at, D_TIR_SCATTER, out_of(c)->name, what);
    return false;
}

static bool
is_step(num_reduce r)
{
    return r == NUM_R_NONE || r == NUM_R_SUM || r == NUM_R_MAX ||
           r == NUM_R_MIN;
}

// scatter_t1: at most 16 statement indices, and no others; it sets, adds, or
// takes the maximum or minimum; scatter_t2: the latter three in a tensor of a
// register's type.
bool
tir_check_steps(const tir_checker *c)
{
    const tir_op *op = c->op;
    const tir_tensor *t = out_of(c);
    if (op->nred || op->nout > TIR_INDICES)
        return scatter_fault(c, "reduction indices, or too many");
    if (!is_step(op->reduce))
        return scatter_fault(c, "no such step");
    if (op->reduce != NUM_R_NONE &&
        t->dtype != tir_full_dtype(num_widened(t->dtype)))
        return scatter_fault(c, "elements that a step would round");
    return true;
}

static const char *
init_fault(const tir_checker *c)
{
    uint32_t init = c->op->init;
    if (init == TIR_ABSENT)
        return NULL;
    if (init >= c->fn->tensors.n || !c->is_defined[init])
        return "an initial value that is not defined before";
    return is_same_type(&c->fn->tensors.at[init], out_of(c))
               ? NULL
               : "an initial value of another type";
}

// scatter_t3: the guard is a bool; scatter_t4: the target is in the tensor
// defined, its dynamic subscripts are i32; scatter_t5: what it starts from is
// defined before and of the same type.
bool
tir_check_scatter(const tir_checker *c)
{
    const tir_op *op = c->op;
    const tir_read *to = &op->target;
    uint32_t n = op->nodes.n;
    if (to->tensor != op->out || to->has_fill || op->guard >= n)
        return tir_malformed(c, op->guard, "another target, or no guard");
    if (op->guard && op->nodes.at[op->guard].as != NUM_AS_BOOL)
        return scatter_fault(c, "a guard that is no bool");
    for (uint32_t d = 0; d < TIR_RANK; d++) {
        int64_t lo, hi;
        if (to->dyn[d] >= n || (to->dyn[d] && d >= out_of(c)->rank))
            return tir_malformed(c, to->dyn[d], "no such subscript");
        if (to->dyn[d] && op->nodes.at[to->dyn[d]].as != NUM_AS_I32)
            return scatter_fault(c, "a subscript that is no i32");
        if (!tir_op_is_empty(op) && d < out_of(c)->rank &&
            !tir_check_aff(c, &to->sub[d], op->root, &lo, &hi))
            return false;
    }
    const char *fault = init_fault(c);
    return !fault || scatter_fault(c, fault);
}

// ---- sorts and reshapes

static bool
check_source(const tir_checker *c)
{
    const tir_op *op = c->op;
    if (op->src >= c->fn->tensors.n || op->root || op->nodes.n > 1)
        return tir_malformed(c, op->root, "no source, or nodes");
    if (c->is_defined[op->src])
        return true;
    diag(c->d, op->at, D_TIR_ORDER, c->fn->tensors.at[op->src].name);
    return false;
}

static const char *
sort_fault(const tir_op *op, const tir_tensor *x, const tir_tensor *t)
{
    if (op->axis >= t->rank || x->rank != t->rank)
        return "there is no such dimension";
    for (uint32_t d = 0; d < t->rank; d++)
        if (d == op->axis ? t->shape[d] > x->shape[d]
                          : t->shape[d] != x->shape[d])
            return "the extents differ";
    if (op->positions && x->shape[op->axis] > INT32_MAX)
        return "positions exceed an i32";
    return t->dtype != (op->positions ? DT_I32 : x->dtype) ? "the types differ"
                                                           : NULL;
}

// sort_t1: the shape is the source's, but for fewer elements along the axis;
// the type is the source's, or i32 for positions.
bool
tir_check_sort(const tir_checker *c)
{
    if (!check_source(c))
        return false;
    const tir_tensor *x = &c->fn->tensors.at[c->op->src];
    const char *fault = sort_fault(c->op, x, out_of(c));
    if (fault)
        diag(c->d, c->op->at, D_TIR_SORT, out_of(c)->name, x->name, fault);
    return !fault;
}

// reshape_t1: as many elements, of the same type.
bool
tir_check_reshape(const tir_checker *c)
{
    if (!check_source(c))
        return false;
    const tir_tensor *x = &c->fn->tensors.at[c->op->src], *t = out_of(c);
    const char *fault = NULL;
    if (x->dtype != t->dtype)
        fault = "the types differ";
    else if (tir_elems(x) != tir_elems(t))
        fault = "the numbers of elements differ";
    if (fault)
        diag(c->d, c->op->at, D_TIR_RESHAPE, t->name, x->name, fault);
    return !fault;
}
