// SPDX-License-Identifier: Apache-2.0
// Tensor IR: what a kernel computes, over concrete extents. A function is a
// list of tensors and of operations in order; each operation defines one whole
// tensor, nearly always by one scalar expression over an index space:
//     out[i0, .., in-1] = [reduce over r0, .., rm-1 of] expr(i, r)
// An expression is a DAG of typed scalar nodes; its leaves are constants, index
// values, affine reads, and gathers, whose subscripts depend on data. Reads
// widen to a register type (f32, i32, u32, bool); only a cast node and the
// store into 'out' round. A filter on a reduction is a select with the
// reduction's identity. Scatters, sorts and reshapes are operations of their
// own; a recurrence is a run of maps and reductions that are evaluated
// together, one value of their common time index after the other.
#ifndef SY_IR_TENSOR_H
#define SY_IR_TENSOR_H

#include "numerics/numerics.h"
#include "support/support.h"

enum {
    TIR_RANK = 8,     // dimensions of a tensor
    TIR_INDICES = 16, // out and reduction indices of one operation
};
#define TIR_ABSENT 0xffffffffu // no tensor

typedef enum {
    TIR_INPUT = 1,
    TIR_OUTPUT,
    TIR_TEMP,
    TIR_CONST, // 'data' holds the elements
    TIR_INOUT, // tile IR only: given by the caller, and overwritten
} tir_kind;

typedef struct {
    const char *name; // unique in the function, an identifier
    tir_kind kind;
    num_dtype dtype;
    uint32_t rank;
    int64_t shape[TIR_RANK]; // zero is an extent
    const void *data;        // TIR_CONST: row-major elements
    // TIR_OUTPUT: 1 + the input of the same type whose place in memory it takes
    // over (an 'inout' parameter); 0: none. Values are those of two tensors:
    // the input keeps its elements wherever it is read.
    uint32_t updates;
    loc at;
} tir_tensor;

// c + sum of k[x] * (value of index x). Index x < nout is i_x, else
// r_(x - nout); every index runs from 0 to its extent, excluded.
typedef struct {
    int64_t c;
    int64_t k[TIR_INDICES];
} tir_aff;

// Subscript d is sub[d], plus the value of node dyn[d] where that is not 0 (an
// i32; the sum is exact). A gather outside its tensor that has no fill is a
// fault of the run.
typedef struct {
    uint32_t tensor;
    tir_aff sub[TIR_RANK];  // one per dimension of the tensor
    uint32_t dyn[TIR_RANK]; // TIR_N_GATHER, targets of scatters
    bool has_fill;          // outside the tensor, the value is 'fill'
    num_word fill;          // in the tensor's register type
} tir_read;

typedef enum {
    TIR_N_NONE,
    TIR_N_CONST,  // imm
    TIR_N_AFFINE, // value of aff, an i32 (modulo 2^32)
    TIR_N_READ,   // reads[read]
    TIR_N_UNARY,  // func1(arg0)
    TIR_N_BINARY, // func2(arg0, arg1)
    TIR_N_SELECT, // arg0 (bool) ? arg1 : arg2
    TIR_N_CAST,   // arg0 rounded to dtype 'to', then widened again
    TIR_N_GATHER, // reads[read], some dyn of which is not 0
} tir_node_kind;

typedef struct {
    tir_node_kind kind;
    num_as as; // register type of the value
    num_unary func1;
    num_binary func2;
    num_dtype to;
    uint32_t arg[3]; // earlier nodes
    num_word imm;
    uint32_t read;
    tir_aff aff;
} tir_node;

typedef enum {
    TIR_MAP, // a map or a reduction, as above
    // out starts as 'init' (TIR_ABSENT: all elements the identity of 'reduce',
    // 0 when that is NONE); then, for every point of the index space i0.. in
    // row-major order (nred = 0) for which node 'guard' is true (0: always),
    // out[target] = root, or = step(reduce, out[target], root) with reduce one
    // of SUM MAX MIN, for which out has the full type of a register (f32, i32,
    // u32): nothing is rounded on the way but by the steps. A target outside
    // out is a fault. Target subscripts need no dyn.
    TIR_SCATTER,
    // Along dimension 'axis' of 'src', whose extent in out is at most that in
    // src: the elements in ascending (or 'descending') order, or, if
    // 'positions' is set, where in src they stood (out is i32). The sort is
    // stable; NaN is the greatest, zeros are equal. No nodes.
    TIR_SORT,
    // The elements of 'src' in row-major order: same type, same number of
    // them. No nodes.
    TIR_RESHAPE,
} tir_op_kind;

typedef struct {
    tir_op_kind kind;
    uint32_t out; // tensor; of a map, its shape gives the extents of i0..
    uint32_t nout, nred;
    int64_t extent[TIR_INDICES];
    num_reduce reduce;   // NUM_R_NONE: a map (nred = 0)
    VEC(tir_node) nodes; // index 0 is unused; args precede their users
    VEC(tir_read) reads;
    uint32_t root; // stored (after reduction) with the store rounding of out
    // Recurrences. Consecutive maps and reductions of the same 'group' (not 0)
    // have a time index of the same extent, out index 'time' of each. For t
    // ascending (descending if 'backward'), they are evaluated in order at
    // that t. They may read tensors of the group at time subscript t - c
    // (t + c), a constant c >= 1, or c = 0 of those defined earlier in the
    // group; a read before the first t needs a fill.
    uint32_t group, time;
    bool backward;
    // TIR_SCATTER
    tir_read target; // of tensor out
    uint32_t guard, init;
    // TIR_SORT, TIR_RESHAPE
    uint32_t src, axis;
    bool descending, positions;
    loc at; // the statement
} tir_op;

typedef struct {
    arena *a;
    const char *name;
    VEC(tir_tensor) tensors; // inputs and outputs in signature order
    VEC(tir_op) ops;         // each tensor is defined once, before its uses
    // Set by passes: what is folded from now on must not round, or the
    // error bound would not know of the rounding, while the reference, made
    // before, does not have it.
    bool settled;
} tir_fn;

// ---- tensor_build.c

tir_fn *tir_fn_new(arena *a, const char *name);
uint32_t tir_add_tensor(tir_fn *fn, const char *name, tir_kind kind,
                        num_dtype dtype, uint32_t rank, const int64_t *shape);
// A temp with a fresh name made from 'hint'.
uint32_t tir_add_temp(tir_fn *fn, const char *hint, num_dtype dtype,
                      uint32_t rank, const int64_t *shape);
// Starts the operation that defines 'out'; reduction extents follow.
tir_op *tir_add_op(tir_fn *fn, uint32_t out, num_reduce reduce, uint32_t nred,
                   const int64_t *red_extent);
// Nodes are hash-consed within the operation and constants folded.
uint32_t tir_const(tir_fn *fn, tir_op *op, num_as as, num_word imm);
uint32_t tir_affine(tir_fn *fn, tir_op *op, const tir_aff *aff);
uint32_t tir_read_node(tir_fn *fn, tir_op *op, const tir_read *read);
uint32_t tir_unary(tir_fn *fn, tir_op *op, num_unary f, uint32_t x);
uint32_t tir_binary(tir_fn *fn, tir_op *op, num_binary f, uint32_t x,
                    uint32_t y);
uint32_t tir_select(tir_fn *fn, tir_op *op, uint32_t c, uint32_t x, uint32_t y);
uint32_t tir_cast(tir_fn *fn, tir_op *op, num_dtype to, uint32_t x);
// A read with some dyn set (not folded); without, as tir_read_node.
uint32_t tir_gather(tir_fn *fn, tir_op *op, const tir_read *read);
// Starts a scatter over nidx statement indices; the caller fills in 'target'
// (its tensor is set), 'root' and perhaps 'guard'.
tir_op *tir_add_scatter(tir_fn *fn, uint32_t out, num_reduce reduce,
                        uint32_t init, uint32_t nidx, const int64_t *extent);
tir_op *tir_add_sort(tir_fn *fn, uint32_t out, uint32_t src, uint32_t axis,
                     bool descending, bool positions);
tir_op *tir_add_reshape(tir_fn *fn, uint32_t out, uint32_t src);
// A number that no group has.
uint32_t tir_new_group(const tir_fn *fn);
// The nodes a node is computed from: its args, or the dynamic subscripts of a
// gather; how many. out has room for TIR_RANK.
uint32_t tir_operands(const tir_op *op, const tir_node *n, uint32_t *out);
// The tensor an operation takes as a whole: the source of a sort or a reshape,
// what a scatter starts from; TIR_ABSENT: none.
uint32_t tir_whole_source(const tir_op *op);
int64_t tir_elems(const tir_tensor *t);
// Least and greatest value over the op's index space, in which no extent may
// be 0; false if a value does not fit 64 bits.
NODISCARD bool tir_aff_range(const tir_op *op, const tir_aff *aff, int64_t *lo,
                             int64_t *hi);
// Whether some extent of the op's index space is 0: no element is evaluated.
bool tir_op_is_empty(const tir_op *op);

// ---- tensor_print.c, tensor_parse.c, tensor_verify.c

void tir_print(const tir_fn *fn, strbuf *out);
// Parses one function; diagnostics on failure (NULL). parse(print(f)) prints
// the same text.
tir_fn *tir_parse(arena *a, diags *d, uint32_t source);
// Every rule of docs/tensor-ir.md; false with a diagnostic when one is broken.
NODISCARD bool tir_verify(const tir_fn *fn, diags *d);

// ---- tensor_eval.c, tensor_ref.c
// Both are false after a diagnostic: a subscript was outside its tensor.

// buf[t]: the row-major elements of tensor t. Inputs and consts are read,
// everything else is written. f32 register arithmetic; reductions go through
// their indices in row-major order from the identity, one step at a time.
NODISCARD bool tir_eval(const tir_fn *fn, void *const *buf, diags *d);
// The same; ordered[t] is set for the tensors whose bits may depend on the order
// of a float sum or product that rounded on the way.
NODISCARD bool tir_eval_orders(const tir_fn *fn, void *const *buf,
                               bool *ordered, diags *d);

// The reference: real arithmetic in binary64. val[t][e] is the value; err[t][e]
// bounds its distance from exact real arithmetic (binary64 rounding only).
// A cast or a store to a float type is the identity, integers and bools are
// exact. val and err of inputs and consts are set by the caller (err 0).
// val/err of tensors that the caller set 'given[t]' for are taken as they are.
NODISCARD bool tir_eval_ref(const tir_fn *fn, double *const *val,
                            double *const *err, const bool *given, diags *d);

// ---- split.c, pad.c, inline.c, contract.c: passes that need no target
// Each takes and leaves a function that tir_verify accepts. tir_eval gives the
// same bits for every output before and after; inputs and outputs keep their
// order, names and types, but tensors may be added or removed, so that ids
// change.

// Subscripts of gathers that are index arithmetic become affine: at once where
// divisions by constants come out, else by splitting indices whose extents the
// divisors divide. What had its own index split is a temp and reshaped.
// Reshapes of reshapes, and of maps computed for them alone, are simplified.
void tir_split(tir_fn *fn);

// Reads with a fill that can leave their tensor read a padded copy instead: a
// new temp, defined just before its first user by a pad op (see tir_is_pad),
// which covers every such read of the tensor with that fill. Reads that cannot
// leave the tensor lose the fill; reads always outside become the constant.
// Afterwards only pad ops have reads with a fill (unless the copy would exceed
// 2^40 bytes: such a read stays as it is).
void tir_pad(tir_fn *fn);
// A map with the root T[i0 + c0, i1 + c1, ..] else fill, T of the rank of out
// and, in registers, of its type.
bool tir_is_pad(const tir_fn *fn, const tir_op *op);

// Substitutes maps into the op that reads them: a temp read once, by a read
// that visits every element exactly once; or one that is just a read without
// fill, a constant or an index, into all its users. Its rounding stays as a
// cast. Operands of contractions are kept as plain reads; a copy of a temp into
// another tensor is replaced by defining that tensor directly. Dead temps and
// unused constants are removed.
void tir_inline(tir_fn *fn);

// Makes the operands of contractions plain reads: in a sum of X * Y over
// floats where every reduction index is in both and each of X and Y has an out
// index that the other has not, an X or Y that is not a read without fill
// becomes a map into a temp over the indices it depends on, in the order of its
// first reads; f32, or the type of the cast at its root.
void tir_contract(tir_fn *fn);

// A sum over the product of two plain reads of float tensors: reads a and b of
// the op, in the order of the factors. Its indices, ascending within each
// class: batch (out, in a and b), m (out, only in a), n (out, only in b),
// k (reduction, in both).
typedef struct {
    uint32_t a, b;
    uint32_t nbatch, nm, nn, nk;
    uint32_t batch[TIR_INDICES], m[TIR_INDICES], n[TIR_INDICES], k[TIR_INDICES];
} tir_contraction;
// False if the op is not one: another root, a fill, a reduction index missing
// from a or b, an out index in neither.
bool tir_as_contraction(const tir_fn *fn, const tir_op *op,
                        tir_contraction *out);

#endif
