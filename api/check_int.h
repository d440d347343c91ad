// SPDX-License-Identifier: Apache-2.0
// What the files of sy_check share.
#ifndef SY_CHECK_INT_H
#define SY_CHECK_INT_H

#include "api/api_int.h"

// Values of all tensors of one level.
typedef struct {
    const tir_tensor *t;
    uint32_t n;
    void **buf;
} check_level;

// Real values and how far they may be off, by tensor.
typedef struct {
    const tir_fn *fn; // NULL: there is none
    double **val, **err;
} check_ref;

typedef struct {
    sy_session *s;
    sy_program *p;
    const sy_check_options *o;
    arena *a;    // scratch
    void **data; // by number in p->arrays: inputs; NULL for outputs
    check_level machine, tile;
    double **tile_err;
    check_ref ref;
    VEC(sy_check_row) rows; // in the session's arena
} check_cx;

// The index of a tensor of this name, type and shape, or n.
uint32_t check_find(const check_level *l, const tir_tensor *t);
check_level check_level_new(check_cx *cx, const tir_tensor *t, uint32_t n);

// ---- check_rows.c -----------------------------------------------------------

// 'got' and 'want' must be the same bytes.
void check_bits(check_cx *cx, const tir_tensor *t, const char *against,
                const void *got, const void *want);
// The error as a fraction of what is allowed; more than 1 is too much.
double check_fraction(double got, double want, double allowed);
// |got - ref| <= err_a + err_b for every element; allowed errors that are not
// finite allow everything.
void check_bound(check_cx *cx, const tir_tensor *t, const char *against,
                 const void *got, const double *ref, const double *err_a,
                 const double *err_b);

// ---- check_step.c -----------------------------------------------------------

// Each tensor kept in HBM against the reference computed from the machine's
// own other tensors: what gives the bound its teeth in long chains.
// False after a fault, as with all that evaluate.
NODISCARD bool check_steps(check_cx *cx);
// Whether some operation reads a given tensor: else nothing is cut anywhere.
bool check_any_read(const tir_fn *fn, const bool *given);
// The error analysis of the tile IR, restarted at the given tensors of the
// tensor IR; by number in the tile IR. NULL after a diagnostic.
double **check_cut_errors(check_cx *cx, const tir_fn *tensor,
                          const bool *given);
// Values and zero errors for inputs and constants, room for the rest and for
// one tensor more.
check_ref check_ref_new(check_cx *cx, const tir_fn *fn);

// ---- check_claim.c ----------------------------------------------------------

// Claimed outputs against the reference with the kernel's own roundings.
NODISCARD bool check_claims(check_cx *cx, const tir_fn *fn);

// ---- check_where.c ----------------------------------------------------------

// Fills 'where' of the rows that failed: the transfer that wrote the element.
void check_find_writers(check_cx *cx);

#endif
