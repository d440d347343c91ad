// SPDX-License-Identifier: Apache-2.0
// Private to the lowering from tensor IR to tile IR (backend/tile*.c): domains,
// on-chip values and the emitter's state. docs/design/lowering.md explains.
#ifndef SY_BACKEND_TILE_INT_H
#define SY_BACKEND_TILE_INT_H

#include "backend/backend.h"

enum { DOM_NONE = 0xff };
#define SYNTHETIC 0xffffffffu

// What one tile covers: the value of index x at partition p and free position f
// is base[x] + (p if x is the partition index) + (f_d if x is free[d].index).
typedef struct {
    uint32_t nindex;
    tile_aff base[TIR_INDICES];
    uint32_t part; // index on partitions, or DOM_NONE: one partition
    tile_count parts;
    uint32_t nfree;
    struct {
        uint32_t index;
        int64_t count;
    } free[NUM_DIMS];
    bool ragged; // the outermost free dimension has fewer elements: outer
    tile_count outer;
    // Loops inside the body where loads go: one load covers all their
    // iterations where windows overlap.
    uint32_t ninner;
    struct {
        uint32_t index;
        int64_t extent;
    } inner[TIR_INDICES];
} tile_domain;

// Which free dimensions a value varies over: bit d for free[d].
typedef uint32_t dim_mask;

typedef enum { VAL_NONE, VAL_IMM, VAL_REF } val_kind;

// A node's value for one tile.
typedef struct {
    val_kind kind;
    num_as as;
    num_word imm;
    uint32_t buf;           // VAL_REF
    tile_aff off;           // elements
    int64_t step[NUM_DIMS]; // elements, by free dimension of the domain
    dim_mask mask;          // of the non-zero steps
} tile_val;

// A tensor of the group being lowered that stays on chip: its dimensions map
// to the partition, to free dimensions of the buffer, or to loops.
typedef struct {
    bool present;
    uint32_t buf;
    tile_aff off;
    int64_t dim_step[TIR_RANK]; // elements; 0: partition, loop
} tile_local;

// A load that can be used again in the same nest.
typedef struct {
    tile_ref hbm;
    tile_count parts;
    uint32_t buf, body;
} tile_load;

typedef struct {
    pass_ctx *cx;
    arena *a;
    const tir_fn *in;
    tile_fn *out;
    uint32_t *hbm_id;        // tensor -> tensor of out, TILE_ABSENT: none yet
    uint32_t *uses;          // tensor -> number of reads
    tile_local *local;       // tensor -> where it is on chip
    VEC(tile_load) loads;    // of the current nest
    uint32_t body;           // where operations go
    uint32_t scope;          // outermost body of the current nest
    const tir_op *synthetic; // what SYNTHETIC in a list of operations means
    const int64_t *shift;    // added to where it is stored, by dimension
    uint32_t nload, nstore, nevict; // counters that rotate queues and engines
    bool too_deep;                  // a loop did not fit the machine's nesting
    loc at;
} lower;

// ---- tile_box.c: loads of overlapping windows

// A read whose subscripts combine free and inner indices, as the box of the
// tensor that it touches.
typedef struct {
    tile_ref src;  // hbm, its dimensions being those of the box
    tile_val val;  // where the box, contiguous from offset 0, holds the read
    int64_t elems; // of the box
} tile_box;
// False when every element would be loaded just once anyway, or the box does
// not fit one transfer.
bool box_of(const lower *lw, const tile_domain *dom, uint32_t tensor,
            const tir_aff *sub, tile_box *out);

// ---- tile_domain.c: refs and moves

tile_count count_ragged(int64_t tile, int64_t extent, tile_aff base);
num_dtype dtype_of_as(num_as as);
// Row-major stride of dimension d of a tensor, elements.
int64_t tensor_stride(const tir_tensor *t, uint32_t d);
// The HBM operand that a read touches over the domain, its free dimensions
// being those it varies over, and their mask.
tile_ref hbm_ref(const lower *lw, const tile_domain *dom, uint32_t tensor,
                 const tir_aff *sub, dim_mask *mask);
// Elements of the dimensions in a mask.
int64_t mask_elems(const tile_domain *dom, dim_mask m);
// A fresh buffer for a value varying over 'mask', contiguous.
tile_val val_new(lower *lw, const tile_domain *dom, dim_mask mask, num_as as,
                 num_dtype dtype, uint32_t slots, const char *hint);
// The operand of a value in an operation over the dimensions of 'over'.
tile_ref val_ref(const tile_domain *dom, const tile_val *v, dim_mask over);
// Loads a read into a buffer (or finds it loaded): the elements it touches, or,
// where windows overlap, the box of the tensor they lie in.
tile_val val_load(lower *lw, const tile_domain *dom, uint32_t tensor,
                  const tir_aff *sub, num_dtype as_dtype);
// The transfer of a load: the source's dimensions, contiguous in v's buffer
// from v's offset on.
void emit_load(lower *lw, const tile_ref *src, const tile_val *v,
               const tile_count *parts);
// Stores a value to a whole-index write of a tensor: out index d at
// base + shift[d].
void val_store(lower *lw, const tile_domain *dom, const tile_val *v,
               uint32_t tensor, const int64_t *shift);
// An operation at the current body with its partition count and place set.
tile_op *lower_op(lower *lw, const tile_domain *dom, num_op op,
                  tile_engine engine);
bool val_in_psum(const lower *lw, const tile_val *v);
num_dtype val_dtype(const lower *lw, const tile_val *v);
uint32_t hbm_tensor(lower *lw, uint32_t tensor);
tile_aff aff_over(const tile_domain *dom, const tir_aff *x);
// A loop under the current body, which becomes the current body; with trip 1,
// none (gives TILE_ABSENT).
uint32_t lower_loop(lower *lw, int64_t trip);

// ---- tile_expr.c: expressions

// The op's root over the domain, rounded to 'dtype' when not DT_NONE; always a
// VAL_REF then.
tile_val expr_root(lower *lw, const tile_domain *dom, const tir_op *op,
                   num_dtype dtype);
tile_val val_copy(lower *lw, const tile_domain *dom, const tile_val *v,
                  dim_mask over, num_dtype dtype);
// dst = a f b elementwise into dst's buffer.
void emit_binary(lower *lw, const tile_domain *dom, num_binary f, tile_val dst,
                 tile_val a, tile_val b);
void emit_fill(lower *lw, const tile_domain *dom, const tile_val *dst,
               num_word imm);
tile_engine engine_binary(num_binary f, num_as as);

// ---- tile_nest.c, tile_matmul.c, tile_pad.c

// Lowers ops[first .. first + n) as one nest; false when it does not fit on
// chip (nothing is left behind).
bool lower_group(lower *lw, const uint32_t *ops, uint32_t n, uint32_t common);
// Leading dimensions that 'op' may share with a group already sharing 'common'.
uint32_t group_common(const lower *lw, const uint32_t *ops, uint32_t n,
                      uint32_t common, uint32_t op);
// A contraction and the maps ops[1..n) fused into its eviction.
bool lower_contraction(lower *lw, const tir_contraction *c, const uint32_t *ops,
                       uint32_t n);
void lower_pad(lower *lw, uint32_t op);
// Where an attempt at a nest begins.
typedef struct {
    uint32_t bufs, loops, ops, items;
    uint32_t nload, nstore, nevict;
} lower_mark;
lower_mark lower_save(lower *lw);
// Whether the nest emitted since then fits the machine; if not, it is undone.
NODISCARD bool lower_keep(lower *lw, lower_mark m);
// Whether op's tensor must be stored in HBM when ops[0..n) are lowered
// together.
bool must_store(const lower *lw, uint32_t tensor, const uint32_t *ops,
                uint32_t n);

#endif
