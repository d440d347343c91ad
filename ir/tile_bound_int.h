// SPDX-License-Identifier: Apache-2.0
// Private to the error analysis (ir/tile_bound*.c).
#ifndef SY_IR_TILE_BOUND_INT_H
#define SY_IR_TILE_BOUND_INT_H

#include "ir/tile_int.h"

// Registers of one type with their error bounds.
typedef struct {
    num_as as;
    num_word *w;
    double *e;
} tile_row;

// A block of a matrix for the tensor engine, in binary64. Element (k, i) is at
// k * row_step + i * col_step.
typedef struct {
    uint32_t rows, cols;
    size_t row_step, col_step;
    double *v, *e;
    bool inexact; // some e is not 0
    bool wild;    // some v or e is not finite
    double most;  // the greatest |v|
    int grain;    // every v is a multiple of 2^grain
} tile_block;

typedef struct {
    tile_row x, y, pred;
    num_word *z; // results
    tile_block weights, moving;
    double *sum, *own; // of the results of one matmul: value, error
    tile_row old;      // what was there before
} tile_bound;

// A partition of an operand in the register type; cast if need be.
void tile_bound_read(const tile_view *v, uint32_t part, num_as as, tile_row *r);
// x = x f y (or y f x) over n registers.
void tile_bound_binary(tile_bound *b, num_binary f, bool rev, size_t n);
// The words of a view's elements in order, widened, and their bounds. False
// when every bound is 0. Sources see a cut tensor as exact.
void tile_bound_words(const tile_view *v, num_word *w);
bool tile_bound_errs(const tile_view *v, bool as_source, double *e);
void tile_bound_put(const tile_view *v, const double *e);
// b->x was stored to dst (one partition): bounds after the store's rounding.
void tile_bound_stored(tile_bound *b, const tile_view *dst);
void tile_bound_exec_part(tile_run *r, const tile_step *s, uint32_t p);

// ---- tile_bound_reduce.c

// Results of partition p in b->x.
void tile_bound_reduce(tile_bound *b, const tile_step *s, uint32_t p);
void tile_bound_preduce(tile_run *r, tile_step *s);

// ---- tile_bound_index.c

// The transfer itself, too.
void tile_bound_indexed(tile_step *s);
num_binary tile_combine_func(num_combine c);

// ---- tile_bound_sort.c

void tile_bound_sort(tile_run *r, tile_step *s);

// ---- tile_bound_matmul.c

void tile_bound_matmul_init(tile_bound *b, arena *a);
void tile_bound_ldw(tile_run *r, tile_step *s);
void tile_bound_matmul(tile_run *r, tile_step *s);

#endif
