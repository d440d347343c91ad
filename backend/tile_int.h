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
    uint32_t *storage;       // tensor -> the tensor in whose memory it lies
    bool *is_updated;        // inputs: an output takes over the memory
    uint32_t *hbm_id;        // storage -> tensor of out, TILE_ABSENT: none yet
    uint32_t *uses;          // tensor -> number of reads
    tile_local *local;       // tensor -> where it is on chip
    VEC(tile_load) loads;    // of the current nest
    uint32_t body;           // where operations go
    uint32_t scope;          // outermost body of the current nest
    const tir_op *synthetic; // what SYNTHETIC in a list of operations means
    const int64_t *shift;    // added to where it is stored, by dimension
    uint32_t nload, nstore, nevict; // counters that rotate queues and engines
    uint32_t ngather, nscatter;
    bool too_deep;  // a loop did not fit the machine's nesting
    bool bad_index; // a place does not fit a 32-bit index
    // Recurrences: the time index of operations that have one has this value,
    // which lies in time_lo .. time_hi.
    bool in_time;
    tile_aff time;
    int64_t time_lo, time_hi;
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
// x[i0, i1, ..]: every subscript its own index.
bool read_is_identity(const tir_read *r, uint32_t rank);
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
tile_aff aff_over(const tile_domain *dom, const tir_aff *x);
// The index of the op that lw->time is the value of, or DOM_NONE.
uint32_t pinned_index(const lower *lw, const tir_op *op);
// Least and greatest value of a subscript where the op is lowered.
NODISCARD bool sub_range_over(const lower *lw, const tir_op *op,
                              const tir_aff *sub, int64_t *lo, int64_t *hi);
// Whether a read can be outside its tensor, or its place depends on data.
bool read_needs_index(const lower *lw, const tir_op *op, const tir_read *rd);
// A loop under the current body, which becomes the current body; with trip 1,
// none (gives TILE_ABSENT).
uint32_t lower_loop(lower *lw, int64_t trip);

// The queue of the next load or store.
uint32_t next_load_queue(lower *lw);
uint32_t next_store_queue(lower *lw);

// ---- tile_storage.c: tensors in HBM

// Decides what shares memory.
void storage_plan(lower *lw);
// The tensor of the tile IR that holds a tensor.
uint32_t hbm_tensor(lower *lw, uint32_t tensor);
// Whether one of ops[0..n) reads the input whose memory 'out' overwrites.
bool overwrites_read(const lower *lw, const uint32_t *ops, uint32_t n,
                     uint32_t out);
// A tensor seen as rows: 'trip' times parts x elems from element 'at' on.
typedef struct {
    int64_t at, trip, parts, elems;
} flat_piece;
// n elements in rows of 'row', up to 'lanes' at once: how many pieces.
uint32_t flat_pieces(int64_t n, int64_t lanes, int64_t row, flat_piece out[3]);
// A piece in the iteration of 'loop' (TILE_ABSENT: the only one).
tile_ref flat_ref(lower *lw, uint32_t tensor, const flat_piece *p,
                  uint32_t loop);
// The elements of one tensor to another, row-major.
void copy_tensor(lower *lw, uint32_t from, uint32_t to);
// Outputs that were computed beside the inputs they update.
void copy_updates(lower *lw);

// ---- tile_expr.c: expressions

// Values of some nodes of the op over the domain (node 0: VAL_NONE).
void expr_nodes(lower *lw, const tile_domain *dom, const tir_op *op,
                const uint32_t *nodes, uint32_t n, tile_val *out);
// base + steps of the partition and the free dimensions that 'steps' has.
tile_val emit_affine(lower *lw, const tile_domain *dom, const tile_aff *base,
                     const tir_aff *steps);
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

// ---- tile.c

// Writes one value to every element of a tensor.
void fill_tensor(lower *lw, uint32_t tensor, num_word value, num_as as);
// A reduction over nothing is its identity everywhere.
void lower_identity(lower *lw, const tir_op *op);
// One operation in a nest of its own; false with a diagnostic.
NODISCARD bool lower_alone(lower *lw, uint32_t op);

// ---- tile_gather.c: places that depend on data

// What a read finds, each element at its own place; dyn: the values of its
// data-dependent subscripts, by dimension.
tile_val val_gather(lower *lw, const tile_domain *dom, const tir_op *op,
                    const tir_read *rd, const tile_val *dyn);
// Stores or combines v at the op's target, where 'guard' (VAL_NONE: always)
// holds, in the order of the domain.
void val_scatter(lower *lw, const tile_domain *dom, const tir_op *op,
                 const tile_val *dyn, const tile_val *guard, const tile_val *v);

// ---- tile_time.c

// The group of operations that begins at ops[first]; *done: how many.
NODISCARD bool lower_recurrence(lower *lw, uint32_t first, uint32_t *done);

// ---- tile_sort.c

// The sort at ops[first], with the other half of it if that follows.
NODISCARD bool lower_sort(lower *lw, uint32_t first, uint32_t *done);
// Sorts of rows that do not fit on chip become counting and scattering.
void expand_sorts(pass_ctx *cx);

// ---- tile_scatter.c

NODISCARD bool lower_scatter(lower *lw, const tir_op *op);

// ---- tile_nest.c, tile_matmul.c

// How the row dimensions of a group are covered.
typedef struct {
    uint32_t common; // row dimensions
    uint32_t part;   // the one on partitions, or DOM_NONE
    uint32_t nfree;  // row dimensions that are free, innermost last
    uint32_t free[NUM_DIMS];
    int64_t tile; // of free[0]; its extent: not tiled
} row_plan;
// Opens the loops over an op's row dimensions; fills the row part of the
// domain.
void open_rows(lower *lw, const row_plan *p, const tir_op *op,
               tile_domain *dom);
// A body of its own for a nest, so that what is loaded once for all its
// iterations lives no longer than it; gives the body around it.
uint32_t open_scope(lower *lw);

// Lowers ops[first .. first + n) as one nest; false when it does not fit on
// chip (nothing is left behind).
bool lower_group(lower *lw, const uint32_t *ops, uint32_t n, uint32_t common);
// Leading dimensions that 'op' may share with a group already sharing 'common'.
uint32_t group_common(const lower *lw, const uint32_t *ops, uint32_t n,
                      uint32_t common, uint32_t op);
// A contraction and the maps ops[1..n) fused into its eviction.
bool lower_contraction(lower *lw, const tir_contraction *c, const uint32_t *ops,
                       uint32_t n);
// Where an attempt at a nest begins.
typedef struct {
    uint32_t bufs, loops, ops, items;
    uint32_t nload, nstore, nevict, ngather, nscatter;
} lower_mark;
lower_mark lower_save(lower *lw);
// Whether the nest emitted since then fits the machine; if not, it is undone.
NODISCARD bool lower_keep(lower *lw, lower_mark m);
// Whether op's tensor must be stored in HBM when ops[0..n) are lowered
// together.
bool must_store(const lower *lw, uint32_t tensor, const uint32_t *ops,
                uint32_t n);

#endif
