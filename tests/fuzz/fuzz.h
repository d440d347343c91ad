// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share. Each target is one file with
// LLVMFuzzerTestOneInput; libFuzzer drives it (make fuzz), or replay.c does,
// over the seeds and deterministic mutations of them (make check).
#ifndef SY_FUZZ_H
#define SY_FUZZ_H

#include "systole/systole.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Writes the hash that an object of these bytes should have into it, as far as
// it has a place for one.
void object_repair(uint8_t *data, size_t size);

// Changes a text in place and gives its new length, at most 'max'.
size_t text_mutate(uint8_t *data, size_t size, size_t max, uint64_t seed);

// libFuzzer's own mutation, or replay.c's; and the hook for others.
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned int seed);

// The mutator of a target for texts.
#define FUZZ_TEXT_MUTATOR                                                      \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,                 \
                                   size_t max_size, unsigned int seed)         \
    {                                                                          \
        return seed % 4 ? text_mutate(data, size, max_size, seed)              \
                        : LLVMFuzzerMutate(data, size, max_size);              \
    }

// Parses the bytes as 'kind', compiles every kernel over small extents, and
// runs what comes out when it is small. Aborts when the library contradicts
// itself: an internal error, a compiled kernel that faults, an engine order
// that gives other bits.
void fuzz_compile(const uint8_t *data, size_t size, sy_kind kind);

#endif
