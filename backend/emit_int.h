// SPDX-License-Identifier: Apache-2.0
// Private to emission (backend/emit*.c): one stream being written, and the
// sums that its registers hold. docs/design/sync.md explains.
#ifndef SY_BACKEND_EMIT_INT_H
#define SY_BACKEND_EMIT_INT_H

#include "backend/backend.h"

// r1..r43 hold values for as long as their body runs, r44..r55 for one
// instruction: an operation has at most five offsets, three counts, two
// partition counts and an iota base.
enum {
    EMIT_REG_FIRST = 1,
    EMIT_REG_SCRATCH = 44,
    EMIT_REG_END = ISA_REG_LOOP0,
};

// The rotation of the buffers of one home with one number of slots.
typedef struct {
    uint32_t home, slots;
    uint32_t top; // the outermost loop around home, which it is zeroed before
    uint32_t reg;
} emit_slot;

// What distinguishes values: prefix + source * coef, and for counts
// max(0, min(max, floor((that + c) / div))).
typedef struct {
    uint32_t prefix;  // 1 + a value that is a plain sum; 0: none
    uint32_t body;    // at the top of which it is computed
    uint32_t is_slot; // source is a slot counter, not the body's own counter
    uint32_t source;  // slot, or loop
    int64_t coef;
    int64_t is_count, c, div, max;
} emit_key;

typedef struct {
    emit_key key;
    uint32_t reg;  // 0: none at present
    bool borrowed; // reg is a loop or slot counter itself
} emit_value;

typedef struct {
    pass_ctx *cx;
    arena *a;
    const tile_fn *fn;
    tile_engine engine;
    const uint32_t *engines; // by loop: bit per engine with operations in it
    emit_stream *out;
    loc at; // of the operation being emitted

    VEC(emit_slot) slots;
    VEC(emit_value) values;
    map value_ids;               // emit_key bytes -> value
    VEC(uint32_t) * body_values; // by body, in the order of their making
    uint64_t taken;              // registers in use
    uint32_t scratch;            // next scratch register
    isa_insn pending;            // a reg instruction being filled
    uint32_t npending;
    bool ok;
} emit_cx;

// ---- emit.c

// A loop that runs exactly once is not emitted: its counter is r0.
bool emit_is_once(const tile_fn *fn, uint32_t loop);
// How many loops of the stream are around the body of a loop, itself included.
uint32_t emit_depth(const tile_fn *fn, uint32_t loop);

// ---- emit_value.c

// 1 + the value of the part of a sum that is not constant: scale * off, plus
// the buffer's slot (buf may be NULL). 0 if there is none.
uint32_t emit_sum(emit_cx *x, const tile_aff *off, int64_t scale,
                  const tile_buf *buf);
// 1 + the value of a count that is not constant.
uint32_t emit_count(emit_cx *x, const tile_count *c);
// A register that holds the value (0: r0, for no value). It may be a scratch
// one, good until emit_insn.
uint32_t emit_reg(emit_cx *x, uint32_t value);

// Before and after the instructions of a body.
void emit_enter_body(emit_cx *x, uint32_t body);
void emit_leave_body(emit_cx *x, uint32_t body);
// Around a loop of the kernel body: slot counters of the homes in it.
void emit_enter_top(emit_cx *x, uint32_t loop);
void emit_leave_top(emit_cx *x, uint32_t loop);

// Appends an instruction, after the pending micro-operations.
void emit_insn(emit_cx *x, const isa_insn *in);

#endif
