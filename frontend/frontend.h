// SPDX-License-Identifier: Apache-2.0
// The language (.tk): source text to tensor IR over concrete extents.
// docs/language.md describes it. Everything lives in the arena given; mistakes
// of the source become diagnostics, and NULL is returned when there was one.
#ifndef SY_FRONTEND_H
#define SY_FRONTEND_H

#include "ir/tensor.h"
#include "numerics/numerics.h"
#include "support/support.h"

typedef struct tk_module tk_module;

// Parses and checks a file as far as names, ranks and types go. Functions of
// 'libs' (parsed modules; may be NULL when nlibs is 0) are in scope, the file's
// own names win. Parsing goes on after an error.
tk_module *tk_parse(arena *a, diags *d, uint32_t source, tk_module *const *libs,
                    uint32_t nlibs);

uint32_t tk_kernel_count(const tk_module *m);
const char *tk_kernel_name(const tk_module *m, uint32_t kernel);
loc tk_kernel_loc(const tk_module *m, uint32_t kernel);

typedef struct {
    const char *name;
    num_dtype dtype;
    uint32_t rank;
    int64_t shape[TIR_RANK]; // -1 where it depends on a dim
    bool is_output;
} tk_param_type;

// Parameters, then results, in signature order.
uint32_t tk_param_count(const tk_module *m, uint32_t kernel);
tk_param_type tk_param(const tk_module *m, uint32_t kernel, uint32_t i);

// The dims a kernel takes, in signature order.
uint32_t tk_dim_count(const tk_module *m, uint32_t kernel);
const char *tk_dim_name(const tk_module *m, uint32_t kernel, uint32_t i);

typedef struct {
    str name;
    int64_t value;
} tk_dim;

typedef struct {
    str name; // of a parameter
    uint32_t rank;
    int64_t shape[TIR_RANK];
} tk_input_shape;

// One kernel over concrete extents. Dims are taken from 'dims', then solved
// from the shapes of 'inputs'; a disagreement, an unknown name and a dim that
// nothing determines are errors. The tensors of the result are the parameters,
// the results, then temps. An op's 'at' is its statement.
tir_fn *tk_lower(arena *a, diags *d, const tk_module *m, uint32_t kernel,
                 const tk_dim *dims, uint32_t ndims,
                 const tk_input_shape *inputs, uint32_t ninputs);

// ---- format.c

// The source in canonical form, comments kept; formatting that gives the same
// bytes. False when it does not parse (names and types are not looked at).
NODISCARD bool tk_format(arena *a, diags *d, uint32_t source, str *out);

#endif
