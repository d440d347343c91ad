// SPDX-License-Identifier: Apache-2.0
// Fuzz target: .tk source, compiled and formatted.
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

FUZZ_TEXT_MUTATOR

// What was formatted is source, and in canonical form.
static void
format_twice(const uint8_t *data, size_t size)
{
    sy_session *s = sy_session_new();
    const char *once, *twice;
    size_t n, m;
    if (sy_format(s, "fuzz", data, size, &once, &n) == SY_OK &&
        (sy_format(s, "fuzz", once, n, &twice, &m) != SY_OK || n != m ||
         memcmp(once, twice, n) != 0))
        abort();
    sy_session_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_compile(data, size, SY_KIND_TK);
    format_twice(data, size);
    return 0;
}
