// SPDX-License-Identifier: Apache-2.0
// What the object's writer and reader agree on: the sections, their attributes,
// and what the hash covers.
#ifndef SY_ISA_OBJECT_INT_H
#define SY_ISA_OBJECT_INT_H

#include "isa-spec/program.h"

#include <elf.h>

// Records go into the file as they are in memory.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "objects are little endian");

typedef enum {
    SEC_TEXT_TENSOR, // in the order of the engines
    SEC_TEXT_VECTOR,
    SEC_TEXT_SCALAR,
    SEC_TEXT_GPSIMD,
    SEC_TEXT_SYNC,
    SEC_TARGET,
    SEC_TENSORS,
    SEC_SEMS,
    SEC_CONST,
    SEC_LINES,
    SEC_TENSOR_IR,
    SEC_TILE_IR,
    SEC_HASH,
    SEC_COUNT
} section_id;

enum {
    OBJ_TEXT_ALIGN = 128,
    OBJ_DATA_ALIGN = 16,
    OBJ_MAX_TENSORS = 65536,
    OBJ_MAX_SOURCES = 65536,
    OBJ_HASH_BYTES = 16,
};

// A section's contents; p NULL: there is no such section.
typedef struct {
    str data[SEC_COUNT];
} section_set;

const char *object_section_name(section_id s);
uint64_t object_section_flags(section_id s);
uint64_t object_section_align(section_id s);
// XXH3-128, canonical, over name, terminator, 64-bit length and bytes of every
// section but the hash's own, in the order above.
void object_hash(const section_set *s, uint8_t out[OBJ_HASH_BYTES]);

// objsection.c: the program from the sections' contents.
NODISCARD bool object_read_sections(arena *a, diags *d, const section_set *s,
                                    isa_program *out);

#endif
