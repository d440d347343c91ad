// SPDX-License-Identifier: Apache-2.0
// The object's sections, little endian. isa-spec/objwrite.c writes them,
// objread.c and objsection.c read them, objasm.c shows them as text.
#ifndef SY_OBJECT_H
#define SY_OBJECT_H

#include <stdint.h>

#define OBJ_VERSION           1u
#define OBJ_SECTION_TEXT      ".text." // + engine name
#define OBJ_SECTION_TARGET    ".systole.target"
#define OBJ_SECTION_TENSORS   ".systole.tensors"
#define OBJ_SECTION_SEMS      ".systole.sems"
#define OBJ_SECTION_CONST     ".systole.const"
#define OBJ_SECTION_LINES     ".systole.lines"
#define OBJ_SECTION_HASH      ".systole.hash"
#define OBJ_SECTION_TENSOR_IR ".systole.tensor" // optional
#define OBJ_SECTION_TILE_IR   ".systole.tile"   // optional

typedef enum {
    OBJ_TENSOR_INPUT = 1,
    OBJ_TENSOR_OUTPUT,
    OBJ_TENSOR_TEMP,
    OBJ_TENSOR_CONST,
    OBJ_TENSOR_INOUT, // given by the caller, and overwritten
} obj_tensor_kind;

// .systole.target: the header, then the name's bytes (no terminator).
typedef struct {
    uint32_t version;    // OBJ_VERSION
    uint32_t name_len;   // target
    uint32_t kernel_len; // kernel name, follows
    uint32_t reserved;   // 0
} obj_target;

// .systole.tensors: a uint32_t count, an array of these in number order, then
// the bytes of the names.
typedef struct {
    uint32_t name_off, name_len; // into the bytes after the array
    uint32_t kind, dtype, rank, reserved;
    int64_t shape[8];
    uint64_t const_off; // TENSOR_CONST: into .systole.const
} obj_tensor;

// .systole.sems: an array, index = semaphore number.
typedef struct {
    uint8_t producer_engine; // isa_engine; 0 when a queue produces
    uint8_t producer_queue;  // 1..16; 0 when an engine produces
    uint8_t consumer_engine;
    uint8_t reserved;
    uint32_t initial;
} obj_sem;

// .systole.lines: header; then obj_source records; then for each engine in
// order its obj_line records; then the bytes.
typedef struct {
    uint32_t sources;
    uint32_t lines[5]; // records for tensor, vector, scalar, gpsimd, sync
} obj_lines;
typedef struct {
    uint32_t name_off, name_len, text_off, text_len; // into the bytes
} obj_source;
// Instructions from 'first' on, up to the next record, come from this range.
typedef struct {
    uint32_t first, source, begin, end; // source: 1.., 0 unknown
} obj_line;

#endif
