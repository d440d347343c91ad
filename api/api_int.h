// SPDX-License-Identifier: Apache-2.0
// What the files of the C API share. Everything a session makes lives in its
// arena until the session is freed; what one call needs for itself (tensor
// buffers above all) lives in the session's scratch arena, which api_leave
// gives back.
#ifndef SY_API_INT_H
#define SY_API_INT_H

#include "backend/backend.h"
#include "frontend/frontend.h"
#include "isa-spec/program.h"
#include "runtime/runtime.h"
#include "systole/systole.h"

struct sy_session {
    arena *a;
    diags d;
    jmp_buf oom; // every arena of the session jumps here
    bool oom_seen; // while reporting it: no second message
    arena *scratch; // of the call in progress, or NULL
    num_env env; // to restore
    bool in_env;
    tk_module **libs; // the shipped library, parsed when first needed
    uint32_t nlibs;
};

struct sy_module {
    sy_kind kind;
    const char *name;
    uint32_t source;
    str text; // the input's bytes; of assembly, those of the object it makes
    tk_module *tk;
    isa_program *machine;
    const char *kernel; // all but TK have one
    const char *target; // that the input names, or NULL
    VEC(tir_tensor) params; // all but TK
    tir_fn *tensor; // TENSOR
    tile_fn *tile; // TILE
    str tensor_text; // TILE: the tensor IR that follows it, or empty
};

struct sy_program {
    const sy_module *m;
    const isa_target *target;
    const char *kernel;
    str tensor_text; // as the front end made it; empty: unknown
    str tile_text; // as it was emitted
    str object;
    uint32_t opt;
    const char *stopped; // the pass compilation was to stop after, or NULL
    str stopped_text; // the IR there
    bool stopped_tile; // and its level
    tir_fn *tensor; // parse of tensor_text
    tir_fn *last_tensor; // after the tensor passes, what the tile IR is of
    tile_fn *tile;
    rt_program *rt;
    VEC(tir_tensor) arrays; // inputs and outputs, in signature order
    void **bound; // by index in arrays
    const char *dump;
};

// ---- session.c -----------------------------------------------------------------

// Around the body of every call that can allocate: api_enter right after
// setjmp, api_leave on every way out.
void api_enter(sy_session *s);
sy_status api_leave(sy_session *s, sy_status status);
// After the jump: records the message, leaves, gives SY_LIMIT.
sy_status api_out_of_memory(sy_session *s);
// Options start with their size. A caller that knows fewer of them gives a
// smaller one, and the rest of 'all' stays; false for more than this library
// knows, or none.
NODISCARD bool api_take_options(const void *given, void *all, size_t size);
// The arena of the call in progress.
arena *api_scratch(sy_session *s);

// ---- module.c --------------------------------------------------------------------

sy_array_type api_array_type(const tir_tensor *t);
// 0: an input, 1: an output, 2: both.
int api_array_kind(const tir_tensor *t);
// "bf16[3, 4]"
const char *api_type_text(arena *a, const sy_array_type *t);
// Inputs and outputs of a tensor list, in order, into a list of their own. An
// input that an output updates is one array, TIR_INOUT.
void api_pick_params(arena *a, const tir_tensor *at, uint32_t n,
                     sy_module *into);

// ---- compile.c -----------------------------------------------------------------

NODISCARD bool api_disassemble(sy_session *s, str object, str *out);

// ---- run.c -----------------------------------------------------------------------

// The tensor IR as the front end made it and the tile IR, parsed when they are
// first needed; NULL when there is none or (with a diagnostic) it is malformed.
const tir_fn *api_tensor(sy_session *s, sy_program *p);
const tile_fn *api_tile(sy_session *s, sy_program *p);
// Proves the program free of faults (once, the runtime remembers), in at most
// so many instructions (0: any number).
sy_status api_certify(sy_session *s, sy_program *p, uint64_t max_instructions);
sy_status api_status(rt_outcome outcome);

// ---- work.c ----------------------------------------------------------------------

// Whether evaluating is about as much work as so many instructions (0: any
// number) may do; false with a diagnostic.
NODISCARD bool api_tensor_fits(sy_session *s, const tir_fn *fn,
                               uint64_t max_instructions);
NODISCARD bool api_tile_fits(sy_session *s, const tile_fn *fn,
                             uint64_t max_instructions);

// ---- buffers.c ------------------------------------------------------------------

uint64_t api_elems(const tir_tensor *t);
// The index in p->arrays, or p->arrays.n.
uint32_t api_array_index(const sy_program *p, const char *name);
// One buffer a tensor: data[i] for what is in p->arrays as number i (data[i]
// may be NULL: a new one), constants' own elements, the rest new. What is both
// input and output is read from data and written there if 'in_place', else in a
// copy.
void **api_buffers(arena *a, const sy_program *p, void *const *data,
                   const tir_tensor *t, uint32_t n, bool in_place);
// Gives outputs the names of the inputs that they update, by which arrays are
// found.
void api_name_updates(tir_fn *fn);
// The tensors of the loaded object in the same form.
tir_tensor *api_machine_tensors(arena *a, const rt_program *rt, uint32_t *n);
// Elements drawn from the seed, different for each 'index'.
// 'fn' says which of them are subscripts: api_draw_tensor's, NULL if unknown.
void api_draw(const tir_fn *fn, const tir_tensor *t, uint32_t index,
              uint64_t seed, void *data);
const tir_fn *api_draw_tensor(sy_session *s, const sy_program *p);
// One element as a real number (exactly).
double api_value(num_dtype t, const void *data, uint64_t e);

#endif
