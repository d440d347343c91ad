// SPDX-License-Identifier: Apache-2.0
// Fuzz target: .tk source.
#include "tests/fuzz/fuzz.h"

FUZZ_TEXT_MUTATOR

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_compile(data, size, SY_KIND_TK);
    return 0;
}
