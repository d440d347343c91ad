// SPDX-License-Identifier: Apache-2.0
// Tile IR: how a kernel is computed. Loops over tiles, on-chip buffers
// (partitions x free elements), moves between HBM and buffers, and engine
// operations; each operation becomes exactly one instruction. The program is
// sequential: its meaning is its operations executed in order. Fusion, tiling,
// layout, engines and the order of accumulation are settled here; later passes
// add addresses (place), semaphores (sync) and turn it into streams (emit),
// and never change a value.
#ifndef SY_IR_TILE_H
#define SY_IR_TILE_H

#include "ir/tensor.h"

enum { TILE_LOOPS = 8, TILE_WAITS = 4, TILE_POSTS = 2 };

// The same names and order as the ISA's engines (asserted in backend/emit.c).
typedef enum {
    ENG_NONE,
    ENG_TENSOR,
    ENG_VECTOR,
    ENG_SCALAR,
    ENG_GPSIMD,
    ENG_SYNC,
    ENG_COUNT
} tile_engine;

const char *tile_engine_name(tile_engine e);

// c + sum of k * (counter of loop). Counters start at 0 and step by 1.
typedef struct {
    int64_t c;
    uint32_t n;
    struct {
        uint32_t loop; // a loop around the use
        int64_t k;     // not 0
    } t[TILE_LOOPS];
} tile_aff;

// max(0, min(max, floor(rem / div))): a count that may be ragged. 'div' is 1
// except in loop trips. A constant count has rem.n == 0.
typedef struct {
    int64_t max;
    tile_aff rem;
    int64_t div;
} tile_count;

typedef enum { SPACE_SBUF = 1, SPACE_PSUM } tile_space;

// A buffer lives in one body (its home) and is fresh, with undefined contents,
// in every iteration of it. 'slots' copies rotate through successive
// iterations of the home loop, so that the next iteration can fill one slot
// while this one is used.
typedef struct {
    const char *name; // unique in the function
    tile_space space;
    num_dtype dtype;
    uint32_t parts; // partitions used, from 0
    int64_t elems;  // elements a partition and slot
    uint32_t slots;
    uint32_t home;      // loop id; 0: the kernel body
    int64_t addr;       // byte in the partition of slot 0, -1 before place
    int64_t slot_bytes; // distance of slots, from place
    loc at;
} tile_buf;

// An operand. On chip: partition 'part' + p, element off + sum of step_d * i_d
// of the buffer's slot. In HBM: element off + pstep * p + sum of step_d * i_d
// of the tensor; where an index places it, off + pstep * index + that sum.
// Dimensions go outermost first; ndim 0 is one element. If 'ragged' is set, the
// outermost count is dim[0].count or less: outer.
typedef struct {
    bool hbm;
    uint32_t id; // tensor or buffer; NONE (0xffffffff): operand absent
    uint32_t part;
    int64_t pstep; // HBM only, elements
    tile_aff off;
    uint32_t ndim;
    struct {
        int64_t step; // elements
        int64_t count;
    } dim[NUM_DIMS];
    bool ragged;
    tile_count outer;
} tile_ref;

#define TILE_ABSENT 0xffffffffu

typedef struct {
    bool is_vec;
    num_word imm;
    tile_ref vec; // one element a partition
} tile_scalar;

typedef struct {
    uint32_t sem;
    uint32_t count;
} tile_token;

// kinds: every num_op, and MARK, which only waits and posts on its engine (or,
// with a queue, posts when every earlier transfer of that queue is complete).
typedef struct {
    num_op op; // NUM_OP_NONE: MARK
    tile_engine engine;
    uint32_t queue; // DMA (and MARK on a queue): 1..16; else 0
    num_as as;
    num_unary func;
    num_binary op0, op1;
    bool rev0, rev1;
    num_reduce reduce;
    uint32_t reduce_dims;
    tile_aff iota_base;
    int64_t iota_part, iota_step[NUM_DIMS];
    // MATMUL: accumulates, except when every loop of 'first' is in its first
    // iteration (nfirst == 0 and !accumulate: always overwrites).
    bool accumulate;
    num_combine combine; // DMA, DMA_SCATTER
    bool skip; // DMA_GATHER, DMA_SCATTER: an index of all ones is passed over
    uint32_t nfirst, first[TILE_LOOPS];
    tile_count parts;     // partitions of the sources (and of dst)
    tile_count dst_parts; // MATMUL, PREDUCE: partitions of dst
    tile_ref dst, a, b;
    tile_ref dst2; // SORT: positions, if op is SORT and has_dst2
    bool has_dst2, descending;
    tile_scalar s0, s1;
    uint32_t nwait, npost; // from sync
    tile_token wait[TILE_WAITS], post[TILE_POSTS];
    loc at;
} tile_op;

typedef struct {
    bool is_loop;
    uint32_t id; // in loops or ops
} tile_item;

typedef struct {
    uint32_t parent; // loop id; loop 0 is the kernel body itself
    uint32_t depth;  // 0 for the kernel body
    tile_count trip; // affine in outer counters
    VEC(tile_item) items;
} tile_loop;

typedef struct {
    tile_engine producer;    // or
    uint32_t producer_queue; // nonzero: that queue produces
    tile_engine consumer;
    uint32_t initial; // credits
} tile_sem;

typedef struct {
    arena *a;
    const char *name;
    const char *target;
    VEC(tir_tensor) tensors; // the tensors in HBM, ids of their own
    VEC(tile_buf) bufs;
    VEC(tile_loop) loops; // [0]: the kernel body
    VEC(tile_op) ops;
    VEC(tile_sem) sems; // from sync
} tile_fn;

// ---- tile_build.c

tile_fn *tile_fn_new(arena *a, const char *name, const char *target);
uint32_t tile_add_buf(tile_fn *fn, uint32_t home, const char *hint,
                      tile_space space, num_dtype dtype, uint32_t parts,
                      int64_t elems, uint32_t slots);
// Appends a loop to the body of 'parent' and gives its id.
uint32_t tile_add_loop(tile_fn *fn, uint32_t parent, tile_count trip);
// Appends an operation to a body; the address is good until the next one.
tile_op *tile_add_op(tile_fn *fn, uint32_t body, num_op op, tile_engine engine);
// DMA and what is like it: a queue does it, it reaches tensors.
bool tile_is_transfer(num_op op);
// The operand that index b places anywhere in its tensor, or NULL.
const tile_ref *tile_indexed(const tile_op *op);
tile_aff tile_aff_const(int64_t c);
tile_aff tile_aff_add(tile_aff a, tile_aff b);
tile_aff tile_aff_scale(tile_aff a, int64_t k);
tile_aff tile_aff_loop(uint32_t loop, int64_t k);
tile_count tile_count_const(int64_t n);
bool tile_count_is_const(const tile_count *c, int64_t *n);
// Least and greatest value, over all iterations of the loops around.
void tile_aff_range(const tile_fn *fn, const tile_aff *a, int64_t *lo,
                    int64_t *hi);
// Given the counters of the loops (indexed by loop id).
int64_t tile_aff_at(const tile_aff *a, const int64_t *counter);
int64_t tile_count_at(const tile_count *c, const int64_t *counter);

// ---- tile_print.c, tile_parse.c, tile_verify.c

void tile_print(const tile_fn *fn, strbuf *out);
tile_fn *tile_parse(arena *a, diags *d, uint32_t source);
// Every rule of docs/tile-ir.md; false with a diagnostic when one is broken.
// Everything else that takes a tile_fn relies on it.
NODISCARD bool tile_verify(const tile_fn *fn, diags *d);
// After place, of a function that tile_verify accepts: every buffer has an
// address inside its memory (bytes a partition), and no two that are live at
// once overlap.
NODISCARD bool tile_verify_placed(const tile_fn *fn, uint64_t sbuf_bytes,
                                  uint64_t psum_bytes, diags *d);

// ---- tile_eval.c

// buf[t]: the elements of tensor t. Values as the machine computes them. A read
// of an element that no operation has written is a diagnostic (false).
NODISCARD bool tile_eval(const tile_fn *fn, void *const *buf, diags *d);

// The same, and a running error analysis: err[t][e] bounds the distance of the
// computed element from real arithmetic on the same expression (see
// docs/design/bounds.md). err of inputs is given; buf holds the values.
// Tensors with cut[t] (NULL: none) are read back as if exact: the analysis
// restarts at them.
NODISCARD bool tile_eval_bound(const tile_fn *fn, void *const *buf,
                               double *const *err, const bool *cut, diags *d);

#endif
