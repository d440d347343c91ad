// SPDX-License-Identifier: Apache-2.0
// The rules of docs/tensor-ir.md (their labels stand at the checks). Every rule
// that text can break has a diagnostic of its own; a node that only a bug of
// ours can build is reported as malformed.
#include "ir/tensor_int.h"

#include <string.h>

#define MAX_TENSOR_BYTES ((uint64_t)1 << 40)
#define MAX_EMPTY_BYTES  ((uint64_t)1 << 58) // with extents of 0 taken as 1

// ---- tensors

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_identifier(str s)
{
    if (!s.n || !is_letter(s.p[0]) || str_eq_z(s, "else"))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_letter(s.p[i]) && (s.p[i] < '0' || s.p[i] > '9'))
            return false;
    return true;
}

// tensor_t1: a unique identifier.
static bool
check_name(const tir_checker *c, const tir_tensor *t, map *names)
{
    str name = str_of(t->name ? t->name : "");
    bool is_taken = map_get_str(names, name) != NULL;
    map_put_str(names, name, 1);
    if (!is_taken && is_identifier(name))
        return true;
    diag(c->d, t->at, D_TIR_NAME, t->name ? t->name : "",
         is_taken ? "taken" : "no identifier");
    return false;
}

static const char *
tensor_fault(const tir_tensor *t)
{
    if (t->kind < TIR_INPUT || t->kind > TIR_CONST)
        return "no kind";
    if (t->dtype <= DT_NONE || t->dtype >= DT_COUNT || num_is_packed(t->dtype))
        return "no element type";
    if (t->rank > TIR_RANK)
        return "too many dimensions";
    for (uint32_t d = 0; d < t->rank; d++)
        if (t->shape[d] < 0)
            return "a negative extent";
    return NULL;
}

static bool
tensor_bytes(const tir_tensor *t, uint64_t *out)
{
    bool empty = false;
    *out = num_dtype_bytes(t->dtype);
    // A 0 does not hide the others: they still make strides.
    for (uint32_t d = 0; d < t->rank; d++) {
        empty = empty || t->shape[d] == 0;
        if (!mul_u64(*out, (uint64_t)max_i64(t->shape[d], 1), out))
            return false;
    }
    bool fits = *out <= (empty ? MAX_EMPTY_BYTES : MAX_TENSOR_BYTES);
    *out = empty ? 0 : *out;
    return fits;
}

// tensor_t2: kind, type, rank, extents; tensor_t3: size; tensor_t4: data.
static bool
check_tensor(const tir_checker *c, const tir_tensor *t)
{
    const char *fault = tensor_fault(t);
    uint64_t bytes;
    if (fault)
        diag(c->d, t->at, D_TIR_TENSOR, t->name, fault);
    else if (!tensor_bytes(t, &bytes))
        diag(c->d, t->at, D_TIR_SIZE, t->name);
    else if (t->kind == TIR_CONST && bytes && !t->data)
        diag(c->d, t->at, D_TIR_NO_DATA, t->name);
    else
        return true;
    return false;
}

// ---- the operation

static const char *
type_name(num_as as)
{
    return num_dtype_name(tir_full_dtype(as));
}

bool
tir_malformed(const tir_checker *c, uint32_t node, const char *what)
{
    diag(c->d, c->op->at, D_TIR_NODE, node, c->fn->tensors.at[c->op->out].name,
         what);
    return false;
}

// op_t1: defines an output or a temp; op_t2: for the first time.
static bool
check_out(const tir_checker *c)
{
    const tir_op *op = c->op;
    if (op->out >= c->fn->tensors.n) {
        diag(c->d, op->at, D_TIR_DEFINE, "?", "no tensor");
        return false;
    }
    const tir_tensor *t = &c->fn->tensors.at[op->out];
    if (t->kind == TIR_INPUT || t->kind == TIR_CONST) {
        diag(c->d, op->at, D_TIR_DEFINE, t->name,
             t->kind == TIR_INPUT ? "an input" : "a constant");
        return false;
    }
    if (c->is_defined[op->out]) {
        diag(c->d, op->at, D_TIR_TWICE, t->name);
        return false;
    }
    return true;
}

// op_t3: one index a dimension; op_t4: with its extent.
static bool
check_extents(const tir_checker *c)
{
    const tir_op *op = c->op;
    const tir_tensor *t = &c->fn->tensors.at[op->out];
    if (op->nout != t->rank || op->nred > TIR_INDICES - op->nout) {
        diag(c->d, op->at, D_TIR_INDICES,
             op->nout != t->rank ? "other out" : "too many", t->name, t->rank);
        return false;
    }
    for (uint32_t d = 0; d < op->nout; d++)
        if (op->extent[d] != t->shape[d]) {
            diag(c->d, op->at, D_TIR_EXTENT, d, (long long)op->extent[d], d,
                 t->name, (long long)t->shape[d]);
            return false;
        }
    return true;
}

// op_t5: the index space fits 63 bits.
static bool
check_space(const tir_checker *c)
{
    const tir_op *op = c->op;
    int64_t n = 1;
    bool ok = true, is_empty = tir_op_is_empty(op);
    for (uint32_t x = 0; x < op->nout + op->nred; x++)
        if (op->extent[x] < 0 || (!is_empty && !mul_i64(n, op->extent[x], &n)))
            ok = false;
    if (!ok)
        diag(c->d, op->at, D_TIR_SPACE, c->fn->tensors.at[op->out].name);
    return ok;
}

static bool
reduces(num_reduce r, num_as as)
{
    switch (r) {
    case NUM_R_NONE: return true;
    case NUM_R_SUM:
    case NUM_R_PROD:
    case NUM_R_MAX:
    case NUM_R_MIN: return as != NUM_AS_BOOL;
    case NUM_R_ANY:
    case NUM_R_ALL: return as == NUM_AS_BOOL;
    case NUM_R_SUB:
    case NUM_R_AND:
    case NUM_R_OR:
    case NUM_R_XOR:
    case NUM_R_ABSMAX:
    case NUM_R_ABSMIN:
    case NUM_R_COUNT: break;
    }
    return false;
}

// op_t6: the reduction takes the root's type, a map has no reduction index;
// op_t7: the root's type is that of out's elements in registers.
static bool
check_root(const tir_checker *c)
{
    const tir_op *op = c->op;
    const tir_tensor *t = &c->fn->tensors.at[op->out];
    if (!op->root || op->root >= op->nodes.n)
        return tir_malformed(c, op->root, "no root");
    num_as as = op->nodes.at[op->root].as;
    if (!reduces(op->reduce, as) || (op->reduce == NUM_R_NONE && op->nred)) {
        diag(c->d, op->at, D_TIR_REDUCE,
             op->reduce == NUM_R_NONE ? "map" : num_reduce_name(op->reduce),
             type_name(as), op->nred);
        return false;
    }
    if (as != num_widened(t->dtype)) {
        diag(c->d, op->at, D_TIR_STORE, t->name,
             type_name(num_widened(t->dtype)), type_name(as));
        return false;
    }
    return true;
}

// ---- nodes

// node_t4: every value of an index expression is less than 2^62 in magnitude,
// so that differences of values and extents still fit 64 bits.
bool
tir_check_aff(const tir_checker *c, const tir_aff *aff, uint32_t node,
              int64_t *lo, int64_t *hi)
{
    for (uint32_t x = c->op->nout + c->op->nred; x < TIR_INDICES; x++)
        if (aff->k[x])
            return tir_malformed(c, node, "an index that the operation lacks");
    const int64_t limit = (int64_t)1 << 62;
    if (tir_aff_range(c->op, aff, lo, hi) && *lo > -limit && *hi < limit)
        return true;
    diag(c->d, c->op->at, D_TIR_OVERFLOW, c->fn->tensors.at[c->op->out].name);
    return false;
}

// node_t6: what a subscript depends on is an i32 that comes before.
static bool
check_dyn(const tir_checker *c, const tir_read *r, uint32_t node)
{
    const tir_tensor *t = &c->fn->tensors.at[r->tensor];
    for (uint32_t d = 0; d < TIR_RANK; d++) {
        uint32_t dyn = r->dyn[d];
        if (dyn && (dyn >= node || d >= t->rank))
            return tir_malformed(c, node, "a subscript that comes later");
        num_as as = dyn ? c->op->nodes.at[dyn].as : NUM_AS_I32;
        if (as == NUM_AS_I32)
            continue;
        diag(c->d, c->op->at, D_TIR_DYN, d, t->name, type_name(as));
        return false;
    }
    return true;
}

// node_t5: a read stays inside unless it has a fill, in every dimension that
// does not depend on data.
static bool
check_subs(const tir_checker *c, const tir_read *r, uint32_t node)
{
    const tir_tensor *t = &c->fn->tensors.at[r->tensor];
    for (uint32_t d = 0; d < t->rank; d++) {
        int64_t lo, hi;
        if (!tir_check_aff(c, &r->sub[d], node, &lo, &hi))
            return false;
        if (r->has_fill || r->dyn[d] || (lo >= 0 && hi < t->shape[d]))
            continue;
        diag(c->d, c->op->at, D_TIR_RANGE, t->name, (long long)lo,
             (long long)hi, d, (long long)t->shape[d]);
        return false;
    }
    return true;
}

// node_t3: what is read is defined before.
static bool
check_read(const tir_checker *c, uint32_t node)
{
    const tir_node *n = &c->op->nodes.at[node];
    if (n->read >= c->op->reads.n)
        return tir_malformed(c, node, "no such read");
    const tir_read *r = &c->op->reads.at[n->read];
    if (r->tensor >= c->fn->tensors.n)
        return tir_malformed(c, node, "no such tensor");
    const tir_tensor *t = &c->fn->tensors.at[r->tensor];
    const tir_op *by = tir_group_def(c->fn, c->def, c->op, r->tensor);
    if (!by && !c->is_defined[r->tensor]) {
        diag(c->d, c->op->at, D_TIR_ORDER, t->name);
        return false;
    }
    if (n->as != num_widened(t->dtype))
        return tir_malformed(c, node, "not the tensor's type");
    if (tir_is_gather(c->fn, r) != (n->kind == TIR_N_GATHER))
        return tir_malformed(c, node, "a read or a gather, not as it says");
    if (!check_dyn(c, r, node) || (by && !tir_check_time(c, by, r)))
        return false;
    return tir_op_is_empty(c->op) || check_subs(c, r, node);
}

static bool
bad_types(const tir_checker *c, const char *func, const tir_node *n)
{
    const tir_op *op = c->op;
    strbuf b = strbuf_new(c->d->a);
    for (uint32_t k = 0; k < tir_arity(n); k++)
        strbuf_printf(&b, "%s%s", k ? ", " : "",
                      type_name(op->nodes.at[n->arg[k]].as));
    diag(c->d, op->at, D_TIR_TYPES, func, b.p);
    return false;
}

// node_t2: operands have the types the function takes.
static bool
check_types(const tir_checker *c, const tir_node *n, uint32_t node)
{
    const tir_node *at = c->op->nodes.at;
    num_as x = at[n->arg[0]].as, y = at[n->arg[1]].as, gives = NUM_AS_NONE;
    bool ok = true;
    const char *name = "cast";
    if (n->kind == TIR_N_UNARY) {
        name = num_unary_name(n->func1);
        ok = num_unary_takes(n->func1, x);
        gives = num_unary_gives(n->func1, x);
    } else if (n->kind == TIR_N_BINARY) {
        name = num_binary_name(n->func2);
        ok = x == y && num_binary_takes(n->func2, x);
        gives = num_binary_gives(n->func2, x);
    } else if (n->kind == TIR_N_SELECT) {
        name = "select";
        ok = x == NUM_AS_BOOL && y == at[n->arg[2]].as;
        gives = y;
    } else {
        gives = num_widened(n->to);
    }
    if (!ok)
        return bad_types(c, name, n);
    return n->as == gives || tir_malformed(c, node, "not its function's type");
}

static bool
is_function_known(const tir_node *n)
{
    switch (n->kind) {
    case TIR_N_UNARY: return n->func1 > NUM_U_NONE && n->func1 < NUM_U_COUNT;
    case TIR_N_BINARY: return n->func2 > NUM_B_NONE && n->func2 < NUM_B_COUNT;
    case TIR_N_CAST:
        return n->to > DT_NONE && n->to < DT_COUNT && !num_is_packed(n->to);
    case TIR_N_SELECT: return true;
    case TIR_N_NONE:
    case TIR_N_CONST:
    case TIR_N_AFFINE:
    case TIR_N_GATHER:
    case TIR_N_READ: break;
    }
    return false;
}

// node_t1: operands come before.
static bool
check_call(const tir_checker *c, uint32_t node)
{
    const tir_node *n = &c->op->nodes.at[node];
    for (uint32_t k = 0; k < tir_arity(n); k++)
        if (!n->arg[k] || n->arg[k] >= node)
            return tir_malformed(c, node, "an operand that comes later");
    if (!is_function_known(n))
        return tir_malformed(c, node, "no such function");
    return check_types(c, n, node);
}

static bool
check_const(const tir_checker *c, const tir_node *n, uint32_t node)
{
    if (n->as <= NUM_AS_NONE || n->as > NUM_AS_BOOL)
        return tir_malformed(c, node, "no type");
    if (n->as == NUM_AS_BOOL && n->imm > 1)
        return tir_malformed(c, node, "neither true nor false");
    return true;
}

static bool
check_node(const tir_checker *c, uint32_t node)
{
    const tir_node *n = &c->op->nodes.at[node];
    int64_t lo, hi;
    switch (n->kind) {
    case TIR_N_NONE: return tir_malformed(c, node, "no kind");
    case TIR_N_CONST: return check_const(c, n, node);
    case TIR_N_AFFINE:
        if (n->as != NUM_AS_I32)
            return tir_malformed(c, node, "not an i32");
        return tir_op_is_empty(c->op) ||
               tir_check_aff(c, &n->aff, node, &lo, &hi);
    case TIR_N_GATHER:
    case TIR_N_READ: return check_read(c, node);
    case TIR_N_UNARY:
    case TIR_N_BINARY:
    case TIR_N_SELECT:
    case TIR_N_CAST: return check_call(c, node);
    }
    return tir_malformed(c, node, "no such kind");
}

static bool
check_nodes(const tir_checker *c)
{
    for (uint32_t i = 1; i < c->op->nodes.n; i++)
        if (!check_node(c, i))
            return false;
    return true;
}

static bool
check_op(const tir_checker *c)
{
    if (!check_out(c) || !tir_check_group(c))
        return false;
    switch (c->op->kind) {
    case TIR_MAP:
        return check_extents(c) && check_space(c) && check_nodes(c) &&
               check_root(c);
    case TIR_SCATTER:
        return tir_check_steps(c) && check_space(c) && check_nodes(c) &&
               check_root(c) && tir_check_scatter(c);
    case TIR_SORT: return check_extents(c) && tir_check_sort(c);
    case TIR_RESHAPE: return check_extents(c) && tir_check_reshape(c);
    }
    return tir_malformed(c, 0, "no such operation");
}

// ---- the function

static bool
check_tensors(tir_checker *c)
{
    map names = map_new(c->d->a);
    bool ok = true;
    for (uint32_t t = 0; t < c->fn->tensors.n; t++) {
        const tir_tensor *tensor = &c->fn->tensors.at[t];
        if (!check_name(c, tensor, &names) || !check_tensor(c, tensor))
            ok = false;
        c->is_defined[t] =
            tensor->kind == TIR_INPUT || tensor->kind == TIR_CONST;
    }
    for (uint32_t t = 0; t < c->fn->tensors.n; t++)
        ok = tir_check_updates(c, t) && ok;
    return ok;
}

// The operation that defines a tensor first.
static void
note_definitions(tir_checker *c)
{
    for (uint32_t t = 0; t < c->fn->tensors.n; t++)
        c->def[t] = UINT32_MAX;
    for (uint32_t o = c->fn->ops.n; o-- > 0;)
        if (c->fn->ops.at[o].out < c->fn->tensors.n)
            c->def[c->fn->ops.at[o].out] = o;
}

bool
tir_verify(const tir_fn *fn, diags *d)
{
    tir_checker c = {.fn = fn,
                     .d = d,
                     .is_defined = ARENA_ARRAY(d->a, fn->tensors.n, bool),
                     .def = ARENA_ARRAY(d->a, fn->tensors.n, uint32_t)};
    if (!check_tensors(&c))
        return false;
    bool ok = true;
    note_definitions(&c);
    for (uint32_t o = 0; o < fn->ops.n; o++) {
        c.op = &fn->ops.at[o];
        ok = check_op(&c) && ok;
        if (c.op->out < fn->tensors.n)
            c.is_defined[c.op->out] = true;
    }
    // fn_t1: every output is defined.
    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        const tir_tensor *tensor = &fn->tensors.at[t];
        if (tensor->kind != TIR_OUTPUT || c.is_defined[t])
            continue;
        diag(d, tensor->at, D_TIR_NO_OUTPUT, tensor->name);
        ok = false;
    }
    return ok;
}
