// SPDX-License-Identifier: Apache-2.0
// All arithmetic, once: element types and their conversions, scalar functions,
// ordered sums and dots, and the engine operations on strided views that the
// tile IR's evaluator and the machine's interpreter share. No libm, no
// dependence on the host's rounding mode or on compiler contraction: callers
// enter through num_env_enter (saves MXCSR, sets nearest-even and no flushing)
// and leave through num_env_leave.
#ifndef SY_NUMERICS_H
#define SY_NUMERICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- dtype.c

typedef enum {
    DT_NONE,
#define DTYPE(id, name, bytes, class, sig, note) DT_##id,
#include "numerics/dtypes.def"
#undef DTYPE
    DT_COUNT
} num_dtype;

typedef enum {
    NUM_FLOAT = 1,
    NUM_SINT,
    NUM_UINT,
    NUM_BOOL,
    NUM_PACKED // four numbers, which only num_unpack and num_pack see
} num_class;

// The types arithmetic is done in: what a value widens to when it is read.
typedef enum {
    NUM_AS_NONE,
    NUM_AS_F32,
    NUM_AS_I32,
    NUM_AS_U32,
    NUM_AS_BOOL
} num_as;

const char *num_dtype_name(num_dtype t);
num_dtype num_dtype_parse(const char *name, size_t n); // DT_NONE if unknown
uint32_t num_dtype_bytes(num_dtype t);
num_class num_dtype_class(num_dtype t);
// f* -> f32, u32 -> u32, every other integer -> i32, bool -> bool, packed types
// NUM_AS_NONE.
num_as num_widened(num_dtype t);
bool num_is_float(num_dtype t);
// Packed types have bytes and a name; as numbers they are read by num_unpack.
bool num_is_packed(num_dtype t);
num_dtype num_packed_lane(num_dtype t); // the type of its four numbers
// Unit roundoff (half an ulp of 1) of a float type; smallest subnormal (of
// e8m0: smallest number); largest finite value.
double num_unit_roundoff(num_dtype t);
double num_min_subnormal(num_dtype t);
double num_max_finite(num_dtype t);

// ---- convert.c: one element

// A 32-bit register: binary32 bits, i32/u32 bits, or 0/1 for a bool.
typedef uint32_t num_word;

static inline float
num_f32(num_word w)
{
    union {
        uint32_t u;
        float f;
    } x = {w};
    return x.f;
}

static inline num_word
num_word_f32(float f)
{
    union {
        float f;
        uint32_t u;
    } x = {f};
    return x.u;
}

#define NUM_CANONICAL_NAN 0x7fc00000u

// The element at p, widened (exactly). NaNs become the canonical NaN. Not for
// packed types (0).
num_word num_load(num_dtype t, const void *p);
// A register of type 'as', rounded to nearest-even (floats: overflow goes to
// infinity, where the format has none to NaN, where it has neither to the
// largest; float to integer saturates, NaN gives 0; integers wrap modulo
// 2^bits; to bool: nonzero, NaN included) and stored at p. Not for packed types
// (zero bytes).
void num_store(num_dtype t, void *p, num_as as, num_word w);
// Between register types, by the same rules (i32 and u32: same bits).
num_word num_cast(num_as to, num_as from, num_word w);
// n elements 'step' bytes apart (any sign, unaligned) to and from registers.
void num_load_row(num_dtype t, const void *p, int64_t step, size_t n,
                  num_word *out);
void num_store_row(num_dtype t, void *p, int64_t step, size_t n, num_as as,
                   const num_word *in);
// binary64 to a float type's value, rounded once, nearest-even.
float num_round_f32(double x);
// A binary32 register rounded to what a narrower float type can hold: of the
// two neighbours the one of larger magnitude if the discarded part, as a
// fraction of their distance, exceeds bits / 2^32. Beyond the largest number
// the next binade's counts as a neighbour, and what is chosen is then stored as
// num_store would. Unchanged for other types.
num_word num_round_stochastic(num_dtype t, num_word w, uint32_t bits);
// The four numbers of a packed element; out and in are binary32.
num_word num_unpack(num_dtype t, const void *p, uint32_t q);
void num_pack(num_dtype t, void *p, const num_word in[4]);

// ---- func.c: scalar functions

typedef enum {
    NUM_U_NONE,
#define UNARY(id, name, classes, gives, what) NUM_##id,
#define BINARY(id, name, classes, gives, what)
#include "numerics/funcs.def"
#undef UNARY
#undef BINARY
    NUM_U_COUNT
} num_unary;

typedef enum {
    NUM_B_NONE,
#define UNARY(id, name, classes, gives, what)
#define BINARY(id, name, classes, gives, what) NUM_##id,
#include "numerics/funcs.def"
#undef UNARY
#undef BINARY
    NUM_B_COUNT
} num_binary;

const char *num_unary_name(num_unary f);
const char *num_binary_name(num_binary f);
num_unary num_unary_parse(const char *name, size_t n);
num_binary num_binary_parse(const char *name, size_t n);
bool num_unary_takes(num_unary f, num_as as);
bool num_binary_takes(num_binary f, num_as as);
// The register type of the result for operands of type 'as'.
num_as num_unary_gives(num_unary f, num_as as);
num_as num_binary_gives(num_binary f, num_as as);
bool num_is_compare(num_binary f);

num_word num_apply1(num_unary f, num_as as, num_word x);
num_word num_apply2(num_binary f, num_as as, num_word a, num_word b);
// The same over rows; out may be one of the inputs. A step of 0 repeats the
// first element of b (out and a have step 1).
void num_row1(num_unary f, num_as as, size_t n, num_word *out,
              const num_word *x);
void num_row2(num_binary f, num_as as, size_t n, num_word *out,
              const num_word *a, const num_word *b, size_t b_step);
// Worst error of a float function against the real function, in units of the
// result's binary32 ulp (0.5 for correctly rounded ones).
double num_unary_ulp(num_unary f);
double num_binary_ulp(num_binary f);

// The binary64 functions beneath, for the reference evaluator: relative error
// under 2^-45 of the real function, total over every input.
double num_ref1(num_unary f, double x);
double num_ref2(num_binary f, double a, double b);
// |f(y) - f(x)| for every y within e of x is at most this (may be infinite).
// The reference's error analysis rests on it.
double num_sensitivity1(num_unary f, double x, double e);

// ---- reduce.c: ordered reductions

typedef enum {
    NUM_R_NONE,
    NUM_R_SUM,
    NUM_R_PROD,
    NUM_R_MAX,
    NUM_R_MIN,
    NUM_R_ANY, // bool
    NUM_R_ALL, // bool
    // of the machine only:
    NUM_R_SUB, // the first minus the sum of the others
    NUM_R_AND, // bits
    NUM_R_OR,
    NUM_R_XOR,
    NUM_R_ABSMAX, // f32: of larger magnitude, with its sign
    NUM_R_ABSMIN,
    NUM_R_COUNT
} num_reduce;

const char *num_reduce_name(num_reduce r);
num_reduce num_reduce_parse(const char *name, size_t n);
// sum +0, prod 1, max -inf (or the least integer), min +inf, any 0, all 1, sub
// 0, and all ones, or 0, xor 0, absmax 0, absmin +inf.
num_word num_reduce_identity(num_reduce r, num_as as);
num_word num_reduce_step(num_reduce r, num_as as, num_word acc, num_word x);
// n registers: 32 partials from the identity, element e into e mod 32 in
// ascending e, then partial[i] op= partial[i + h] for h = 16, 8, 4, 2, 1.
num_word num_reduce_row(num_reduce r, num_as as, size_t n, const num_word *x);

// ---- dot.c

// out[i * n + j] = sum over k ascending, from +0, of one f32 fused multiply-add
// (one rounding) of s[k * m + i] and x[k * n + j]. NaN results are canonical.
void num_matmul(size_t m, size_t n, size_t k, float *out, const float *s,
                const float *x);
// One f32 fused multiply-add.
float num_fma(float a, float b, float c);

// ---- engine.c: engine operations on views

enum { NUM_DIMS = 5 };

// Partitions (parallel lanes) of up to five free dimensions, outermost first.
// Element (p, i0..i4) is at base + p * part_step + sum of i_d * step_d, bytes.
typedef struct {
    uint8_t *base;
    int64_t part_step;
    uint32_t parts;
    num_dtype dtype;
    uint32_t ndim;
    struct {
        int64_t step;
        uint32_t count;
    } dim[NUM_DIMS];
} num_view;

uint64_t num_view_elems(const num_view *v); // per partition

// The data operations of the machine: engine_ops.def gives operands and
// meaning. Tile IR operations and instructions have the same names.
typedef enum {
    NUM_OP_NONE,
#define ENGINE_OP(id, name, roles, shape, wide, flags, fn, what) NUM_OP_##id,
#include "numerics/engine_ops.def"
#undef ENGINE_OP
    NUM_OP_COUNT
} num_op;

// The operands, in the order of the table's letters; views, then vectors.
typedef enum {
    NUM_DST,
    NUM_A,
    NUM_B,
    NUM_DST2,
    NUM_VIEWS,
    NUM_S0 = NUM_VIEWS,
    NUM_S1,
    NUM_RED,
    NUM_OPERANDS
} num_operand;

typedef struct {
    const char *name, *roles, *shape; // letters by num_operand
    uint32_t wide;                    // elements of a capital vector
    const char *flags;
} num_op_form;

const num_op_form *num_op_form_of(num_op op);
const char *num_operand_name(num_operand k);
const char *num_op_name(num_op op);
bool num_op_is(num_op op, char flag); // a letter of the table's flags

// Commands to the accumulators, in the order of their encoding.
typedef enum {
    NUM_CMD_NONE,
    NUM_CMD_RESET,        // acc = identity
    NUM_CMD_REDUCE,       // acc = acc r row
    NUM_CMD_RESET_REDUCE, // acc = identity r row
    NUM_CMD_LOAD_REDUCE,  // acc = s1 r row
    NUM_CMD_COUNT
} num_cmd;

// A scalar operand: an immediate or one value a partition ('wide' ones where
// the table says so).
typedef struct {
    bool is_vec;
    num_word imm; // in the operation's register type
    num_view vec; // parts x 1 element; widened and cast to that type
} num_scalar;

// What a transfer does with the destination's old element: nothing, or op= in
// the register type of its element type (a bool counts as the integer 0 or 1).
typedef enum {
    NUM_C_WRITE,
    NUM_C_ADD,
    NUM_C_MAX,
    NUM_C_MIN,
    NUM_C_COUNT
} num_combine;
enum { NUM_LANES = 128, NUM_UNITS = 8, NUM_MASK = 32, NUM_MASK_LEAVE = 255 };

// One resolved operation. Register type 'as' is that of the arithmetic.
typedef struct {
    num_op op;
    num_as as;            // op1: num_chain(as, op0, op1), where s1.imm counts
    num_unary func;       // ACT
    num_binary op0, op1;  // TT: op0; TS: op0, op1; STT: op0, op1
    bool rev0, rev1;      // operands of op0 / op1 swapped
    num_reduce reduce;    // REDUCE, PREDUCE
    uint32_t reduce_dims; // REDUCE: how many innermost dims of src a
    int64_t iota_base, iota_part; // IOTA; the steps are in iota_step
    int64_t iota_step[NUM_DIMS];
    bool accumulate;     // MATMUL: add to dst instead of overwriting
    num_combine combine; // DMA, DMA_SCATTER
    bool skip; // DMA_GATHER, DMA_SCATTER: an index of all ones is passed over
    bool descending;    // SORT
    uint32_t per_index; // LOCAL_GATHER: elements for each index
    uint32_t n, k;      // TOPK: the k largest of n
    num_view dst, a, b, dst2;
    num_scalar s0, s1;
    bool has_red; // a vector that is written, parts x 1 element (or 'wide')
    num_view red;
    num_cmd cmd;
    bool negate;    // what is read out of the accumulators
    num_word slope; // ACT2: of a relu below 0
    uint32_t mode;  // what the operation makes of it
    uint32_t unit;  // whose accumulators and generator: below NUM_UNITS
    uint32_t lane;  // of the source's first partition (of dst without source)
    uint8_t mask[NUM_MASK]; // SHUFFLE
    uint32_t row0, col0;    // of the tile of the array
    bool onezero;           // promises that 'a' holds zeros and ones
    uint32_t quad;          // partitions whose MX scales stand together
} num_insn;

// The tensor engine's state. What tiles there are is known to who loads them:
// an instruction names a tile whose weights have its shape.
enum {
    NUM_PE_ROWS = 128,
    NUM_PE_COLS = 128,
    NUM_PE_DEPTH = 4, // weights in a cell, at most
    NUM_PE_CELLS = NUM_PE_ROWS * NUM_PE_COLS,
    NUM_PE_WEIGHTS = NUM_PE_DEPTH * NUM_PE_CELLS,
    NUM_PE_MOVING = NUM_PE_ROWS * 512,
};

typedef struct {
    uint32_t k, m; // partitions and columns of the load last made
    num_dtype dtype;
    float *w;       // [NUM_PE_WEIGHTS]; this and the others: caller's memory
    num_word *bits; // [NUM_PE_CELLS]: plain weights as they were loaded
    float *x, *out; // scratch of [NUM_PE_MOVING] each
} num_pe;

// A generator of random words of one lane: 1 word of state is a shift register,
// 6 a XORWOW generator, 24 four of them.
enum { NUM_RNG_WORDS = 24 };
typedef struct {
    uint32_t words;
    uint32_t w[NUM_RNG_WORDS];
} num_rng;

// What the engines hold beside memory. Zero is a good start; what was never
// set is never read (the certifier sees to it).
typedef struct {
    num_pe pe;
    num_word acc[NUM_UNITS][NUM_LANES];
    num_rng rng[NUM_UNITS][NUM_LANES];
} num_state;

// The register type op1 of TS and STT computes in: what op0 gives if op1 takes
// it (a comparison's bool into and, or, xor, eq, ne), else 'as', to which op0's
// result is then cast (true is 1).
num_as num_chain(num_as as, num_binary op0, num_binary op1);

// Executes one operation. 'scratch' holds at least NUM_SCRATCH_WORDS words;
// rows longer than that are done in pieces that do not change the result.
// 'st' is needed by operations with state only (LDW, MATMUL, accumulators,
// generators). A destination is equal to a source (same view) or disjoint from
// every source, and disjoint from other destinations.
enum {
    NUM_SORT_MAX = 65536, // elements of a row that is sorted
    NUM_SCRATCH_WORDS = 4 * NUM_SORT_MAX,
    NUM_GROUP = 16, // partitions that share an index or a list
};
void num_exec(const num_insn *in, num_state *st, num_word *scratch);

// ---- engine_index.c

// An index: which one, and its value.
typedef struct {
    uint32_t part;
    uint64_t elem; // of the partition, in order
    int64_t value;
} num_index;

// Whether an index of an operation that has one names something that is not
// there: the first such one. DMA_GATHER and DMA_SCATTER: a block that is not
// wholly inside its tensor of 'bytes', where the view's base is at 'offset';
// the others: elements past those of a, or dst. num_exec relies on there being
// none.
bool num_index_outside(const num_insn *in, int64_t offset, uint64_t bytes,
                       num_index *out);
// The register type that elements of this type are combined in.
num_as num_combine_as(num_dtype t);

// ---- engine_pe.c: what an instruction of the array promises about values

typedef struct {
    enum {
        NUM_PROMISE_ONEZERO = 1, // element 'elem' of 'part' is neither 0 nor 1
        NUM_PROMISE_IDENTITY,    // column 'elem' has so many ones
    } kind;
    uint32_t part;
    uint64_t elem;
    uint32_t ones;
} num_promise;

// Whether operand 'a' breaks a promise, and where first. num_exec relies on
// there being none.
bool num_promise_broken(const num_insn *in, num_promise *bad);

// ---- mx.c

enum {
    NUM_MX_LANES = 8, // partitions of a block
    NUM_MX_PACK = 4,  // numbers in an element
};
// The partition, from the scales' first, that holds the scale of partition
// 'part' of the data, where 'quad' partitions' scales stand together.
uint32_t num_mx_scale_lane(uint32_t part, uint32_t quad);

// ---- env.c

typedef struct {
    uint32_t mxcsr;
} num_env;
num_env num_env_enter(void);
void num_env_leave(num_env saved);
// Between the two: forgets, and tells, whether some float operation since then
// rounded. Where the host cannot tell, it says yes.
void num_env_forget(void);
bool num_env_rounded(void);

#endif
