// SPDX-License-Identifier: Apache-2.0
// A whole machine program in memory, and its two outer forms: the ELF64 object
// and the assembly text. All three hold the same things, so that object ->
// text -> object gives the same bytes. The backend fills one and writes it, the
// loader reads one.
#ifndef SY_ISA_PROGRAM_H
#define SY_ISA_PROGRAM_H

#include "isa-spec/isa.h"
#include "isa-spec/object.h"
#include "support/support.h"

enum { ISA_RANK = 8 };

// A tensor in HBM; its number is its place in the table.
typedef struct {
    const char *name;
    obj_tensor_kind kind;
    num_dtype dtype;
    uint32_t rank;
    int64_t shape[ISA_RANK];
    str data; // OBJ_TENSOR_CONST: all elements, row-major; else empty
} isa_tensor;

// A semaphore; its number is its place in the table. Exactly one of producer
// and queue is set.
typedef struct {
    isa_engine producer;
    uint32_t queue; // 1..ISA_QUEUES
    isa_engine consumer;
    uint32_t initial; // credits
} isa_sem;

// One engine's instructions. 'at' is empty, or has one entry an instruction;
// at[i].source numbers the program's sources from 1 (source s is
// sources.at[s - 1]), 0 is unknown.
typedef struct {
    VEC(isa_insn) code;
    VEC(loc) at;
} isa_stream;

typedef struct {
    const char *name; // as diagnostics call it
    str text;
} isa_source;

typedef struct isa_program {
    const char *kernel, *target; // names
    VEC(isa_tensor) tensors;
    VEC(isa_sem) sems;
    isa_stream stream[ISA_ENG_COUNT]; // by isa_engine; [ISA_ENG_NONE] is unused
    VEC(isa_source) sources;
    str tensor_ir, tile_ir; // texts the program came from; may be empty
} isa_program;

// Elements of a tensor's data in bytes; false when it does not fit 63 bits.
NODISCARD bool isa_tensor_bytes(const isa_tensor *t, uint64_t *bytes);

// ---- objasm.c, objparse.c: assembly of whole programs

// The whole text. parse(print(p)) is p.
void isa_program_print(const isa_program *p, strbuf *out);
// Parses the text of a source that was added to 'd'; false with diagnostics.
// Names, texts and constants live in 'a' or in the source's text.
NODISCARD bool isa_program_parse(arena *a, diags *d, uint32_t source,
                                 isa_program *out);

// ---- objwrite.c: the ELF64 object

// The object's bytes: the same program gives the same bytes. False with a
// diagnostic when an instruction does not encode or a table is too large.
NODISCARD bool isa_object_write(arena *a, const isa_program *p, str *out,
                                diags *d);

// ---- objread.c

// Reads an object, checks its layout and hash and decodes its instructions
// (legality on the target is isa_validate's). Total on any bytes. Texts,
// and constants point into 'bytes', which must outlive the program.
NODISCARD bool isa_object_read(arena *a, diags *d, str bytes, isa_program *out);
// Whether the bytes start like an object.
bool isa_object_detect(str bytes);

#endif
