// SPDX-License-Identifier: Apache-2.0
// What the files of numerics/ share among themselves.
#ifndef SY_NUMERICS_INT_H
#define SY_NUMERICS_INT_H

#include "numerics/numerics.h"

#include <string.h>

// Kernels are inlined into one copy per vector width, chosen at run time.
// Every copy performs the same IEEE operations, so the bits do not depend on
// the choice. No copy may contract a product and a sum: -ffp-contract=off.
#define NUM_INLINE static inline __attribute__((always_inline))

// NUM_PORTABLE leaves out every instruction set but the compiler's own.
#if defined(__x86_64__) && !defined(NUM_PORTABLE)
#define NUM_X86         1
#define NUM_TARGET_AVX2 __attribute__((target("avx2")))
#define NUM_TARGET_AVX512                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define NUM_X86 0
#endif

// Rows are worked on in blocks of a constant length, held in local arrays that
// alias nothing: what both compilers vectorise without run-time checks.
enum { NUM_BLOCK = 32 };

// memcpy of up to a block; whole ones, the common case, without a call.
NUM_INLINE void
num_copy(num_word *to, const num_word *from, size_t n)
{
    if (n == NUM_BLOCK)
        memcpy(to, from, NUM_BLOCK * sizeof *to);
    else
        memcpy(to, from, n * sizeof *to);
}

NUM_INLINE uint64_t
num_bits(double x)
{
    union {
        double d;
        uint64_t u;
    } v = {x};
    return v.u;
}

NUM_INLINE double
num_f64(uint64_t u)
{
    union {
        uint64_t u;
        double d;
    } v = {u};
    return v.d;
}

// Masks instead of branches: c ? a : b for loops that must vectorise.
NUM_INLINE double
num_pick(bool c, double a, double b)
{
    uint64_t mask = 0 - (uint64_t)c;
    return num_f64((num_bits(a) & mask) | (num_bits(b) & ~mask));
}

NUM_INLINE num_word
num_pick32(bool c, num_word a, num_word b)
{
    uint32_t mask = 0 - (uint32_t)c;
    return (a & mask) | (b & ~mask);
}

NUM_INLINE double
num_abs(double x)
{
    return num_f64(num_bits(x) & ~(UINT64_C(1) << 63));
}

NUM_INLINE double
num_copysign(double x, double s)
{
    uint64_t sign = UINT64_C(1) << 63;
    return num_f64((num_bits(x) & ~sign) | (num_bits(s) & sign));
}

NUM_INLINE bool
num_word_is_nan(num_word w)
{
    return (w & 0x7fffffffu) > 0x7f800000u;
}

NUM_INLINE num_word
num_canon(num_word w)
{
    return num_pick32(num_word_is_nan(w), NUM_CANONICAL_NAN, w);
}

// A double's value as a binary32 register: one rounding, canonical NaN.
NUM_INLINE num_word
num_word_f64(double x)
{
    return num_canon(num_word_f32((float)x));
}

#define NUM_INF (num_f64(UINT64_C(0x7ff) << 52))
#define NUM_NAN (num_f64(UINT64_C(0x7ff8) << 48))

// ---- dtype.c

// Of a float type: the exponent of its smallest positive number; the bits of
// its significand, the hidden one included.
int num_min_exponent(num_dtype t);
int num_significand_bits(num_dtype t);

// ---- func_smooth.c

// The functions that vectorise, at binary64, and their rows.
bool num_is_smooth(num_unary f);
double num_smooth1(num_unary f, double x);
void num_smooth_row(num_unary f, size_t n, num_word *out, const num_word *x);
// e^(h + l) for |l| far below 1.
double num_exp_sum(double h, double l);
// e^(-a^2 scale) for a in [0, 1e150], scale 1 or 1/2, to its own last places.
double num_exp_square(double a, double scale);
// e^(z^2 / 2) Phi(-z) for z >= 0, Phi the normal distribution.
double num_normal_tail(double z);
// a b = the result + *l but for about 2^-106 of it.
double num_two_product(double a, double b, double *l);

// ---- func_trig.c

double num_trig1(num_unary f, double x);
double num_atan2(double y, double x);

// ---- func_inverse.c, func_gated.c

double num_inverse1(num_unary f, double x); // BINADE, EXP2 .. ERFC
double num_gated1(num_unary f, double x);   // MISH .. ERF_DX

// ---- func_pow.c

double num_pow(double a, double b);
double num_fmod(double a, double b);
double num_hypot(double a, double b);
double num_soft_sqrt(double x); // correctly rounded, in integers

// ---- func_row2.c

// One element and rows of the operations that need no function above.
bool num_is_simple2(num_binary f, num_as as);
num_word num_simple2(num_binary f, num_as as, num_word a, num_word b);
void num_simple2_row(num_binary f, num_as as, size_t n, num_word *out,
                     const num_word *a, const num_word *b, size_t b_step);

// n blocks of NUM_BLOCK registers: acc[i] = acc[i] f x[NUM_BLOCK * j + i], j
// ascending. acc and x are disjoint.
void num_simple2_fold(num_binary f, num_as as, size_t n, num_word *acc,
                      const num_word *x);

// ---- reduce.c

// num_reduce_row in pieces; every piece but the last a multiple of
// NUM_PARTIALS long.
enum { NUM_PARTIALS = 32 };
num_binary num_reduce_binary(num_reduce r);
void num_partials_begin(num_reduce r, num_as as, num_word *part);
void num_partials_add(num_reduce r, num_as as, num_word *part, size_t n,
                      const num_word *x);
num_word num_partials_end(num_reduce r, num_as as, num_word *part);

// ---- engine_index.c

// x[i] = old[i] combined with x[i], registers of type 'as'.
void num_combine_words(num_combine c, num_as as, size_t n, num_word *x,
                       const num_word *old);

// ---- dot.c

// One fused multiply-add without the instruction; exported to be tested.
float num_fma_soft(float a, float b, float c);
// num_matmul in one of its forms, all of one result; false if this processor
// lacks what the form needs.
typedef enum { NUM_SIMD_NONE, NUM_SIMD_256, NUM_SIMD_512 } num_simd;
typedef struct {
    size_t m, n, k;
    size_t s_row; // elements from row to row of s, at least m
    float *out;
    const float *s, *x;
} num_product;
// In the fastest form there is.
void num_product_run(const num_product *p);
bool num_matmul_as(num_simd width, const num_product *p);

// ---- mx.c

// NUM_MX_PACK rows of floats, 'row' elements apart.
typedef struct {
    float *at;
    size_t row;
} num_mx_rows;
// n packed elements, as bits, times the scales of their codes: number q of
// each to row q.
void num_mx_unpack(num_dtype packed, size_t n, const num_word *in,
                   const num_word *scale, num_mx_rows to);

// ---- walk.c

// The elements of a view in order: a sequence of runs of one step. Lanes of an
// operation are walks too; 'offset' is that of the next element, modulo 2^64.
typedef struct {
    uint8_t *base;
    num_dtype dtype;
    uint32_t nd;
    uint64_t offset;
    struct {
        uint64_t step, count, at;
    } dim[NUM_DIMS + 1];
} num_walk;

typedef struct {
    uint64_t offset, step;
    size_t n;
} num_run;

num_walk num_walk_begin(uint8_t *base, num_dtype t);
// Adds an inner dimension, as one with the last where the steps allow it.
void num_walk_add(num_walk *w, uint64_t step, uint64_t count);
// After the last num_walk_add: a run needs a dimension to be along.
void num_walk_ready(num_walk *w);
num_walk num_walk_view(const num_view *v);
// The elements of one partition.
num_walk num_walk_lane(const num_view *v, uint32_t part);
// At most 'most' elements, never across the end of the innermost dimension.
num_run num_walk_next(num_walk *w, uint64_t most);
void num_walk_skip(num_walk *w, uint64_t n);
uint8_t *num_run_at(const num_walk *w, uint64_t offset);
// The element e of partition p.
uint8_t *num_element(const num_view *v, uint32_t p, uint64_t e);
// The next n elements, widened and cast to 'as'; the same stored.
void num_read_words(num_walk *w, size_t n, num_as as, num_word *out);
void num_write_words(num_walk *w, size_t n, num_as as, const num_word *in);

// ---- engine*.c: the meaning of each operation

// Rows are worked on in pieces, several of which fit the scratch memory.
enum { NUM_PIECE = 4096 };
// The functions that engine_ops.def names.
typedef void num_exec_fn(const num_insn *in, num_state *st, num_word *x);
num_exec_fn num_exec_copy, num_exec_map, num_exec_map_reduce, num_exec_select;
num_exec_fn num_exec_select_fill, num_exec_ts_scan, num_exec_bn_stats;
num_exec_fn num_exec_bn_aggr, num_exec_max8, num_exec_find8, num_exec_replace8;
num_exec_fn num_exec_shuffle, num_exec_transpose32, num_exec_dropout;
num_exec_fn num_exec_rng, num_exec_rng_set, num_exec_rng_get;
num_exec_fn num_exec_rng_uniform;
num_exec_fn num_exec_reduce, num_exec_preduce, num_exec_iota, num_exec_ldw;
num_exec_fn num_exec_matmul, num_exec_dma, num_exec_tt_scan, num_exec_act_read;
num_exec_fn num_exec_indexed, num_exec_gather, num_exec_scatter;
num_exec_fn num_exec_local_gather, num_exec_sort, num_exec_topk;
num_exec_fn num_exec_affine_select, num_exec_bounds, num_exec_nonzero;
num_exec_fn num_exec_nothing;
num_exec_fn num_exec_ldw_rows, num_exec_matmul_rows, num_exec_ldw_mx;
num_exec_fn num_exec_matmul_mx, num_exec_pe_transpose, num_exec_quantize_mx;
// x = x f y, or the other way round.
typedef struct {
    num_binary f;
    num_as as;
    bool rev;
} num_step;
// One value of partition p: the immediate, or the vector's element.
num_word num_scalar_at(const num_scalar *s, num_as as, uint32_t p);
// acc = acc r each of n words in the order of reductions, by the command, in
// the accumulator of the operation's lane p.
void num_accumulate(const num_insn *in, num_state *st, uint32_t p,
                    num_word row);
// The accumulator of lane p to the operation's 'red', if it has one.
void num_read_out(const num_insn *in, num_state *st, uint32_t p);

#endif
