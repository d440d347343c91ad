// SPDX-License-Identifier: Apache-2.0
// From tensor IR to an object: tensor passes, lowering to tile IR, placement,
// semaphores, emission. backend/passes.def is the pipeline in order.
#ifndef SY_BACKEND_H
#define SY_BACKEND_H

#include "ir/tensor.h"
#include "ir/tile.h"
#include "isa-spec/isa.h"
#include "support/support.h"

// What a pass works on; exactly one of tensor and tile is current.
typedef struct {
    arena *a;
    diags *d;
    const isa_target *target;
    uint32_t opt; // 0..3
    tir_fn *tensor;
    tile_fn *tile;
} pass_ctx;

typedef enum { LEVEL_TENSOR, LEVEL_TILE } pass_level;

// ---- pipeline.c

typedef struct {
    const char *print_after, *stop_after; // pass names, or NULL; "all" prints
    bool verify_each;
    strbuf *dump; // where print_after goes
} pass_options;

// Runs the passes of passes.def in order until the end or stop_after.
NODISCARD bool backend_run(pass_ctx *cx, const pass_options *o);
// Pass names in order, for --list-passes; NULL past the end.
const char *backend_pass_name(uint32_t i);

// ---- one file each: passes (see passes.def)

bool pass_split(pass_ctx *cx);  // tensor: index arithmetic made affine
bool pass_pad(pass_ctx *cx);    // tensor: reads with a fill read padded copies
bool pass_inline(pass_ctx *cx); // tensor: single-use maps into their user
bool
pass_contract(pass_ctx *cx);  // tensor: operands of contractions as plain reads
bool pass_tile(pass_ctx *cx); // tensor -> tile: nests, layout, tiling, engines
bool pass_place(pass_ctx *cx); // tile: addresses in SBUF and PSUM
bool pass_sync(pass_ctx *cx);  // tile: semaphores, waits and posts

// ---- emit.c, object.c

typedef struct {
    VEC(isa_insn) code; // of one engine
    VEC(loc) at;
} emit_stream;

typedef struct {
    emit_stream stream[ENG_COUNT];
} emit_program;

// Streams of a placed and synchronised function; NULL with diagnostics.
emit_program *backend_emit(pass_ctx *cx);
// The same as one whole program, tables included (isa-spec/program.h).
struct isa_program;
void backend_program(pass_ctx *cx, const emit_program *p, str tensor_text,
                     str tile_text, struct isa_program *out);
// The object's bytes. 'tensor_text' and 'tile_text' may be empty.
NODISCARD bool backend_object(pass_ctx *cx, const emit_program *p,
                              str tensor_text, str tile_text, str *out);

#endif
