// SPDX-License-Identifier: Apache-2.0
// Fuzz target: target descriptions.
#include "isa-spec/isa.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

FUZZ_TEXT_MUTATOR

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_new();
    diags d;
    diags_init(&d, a);
    uint32_t source =
        diag_add_source(&d, "fuzz", (str){(const char *)data, size});
    const isa_target *t = isa_target_parse(a, &d, source);
    if (!t == !d.errors || (t && (!t->name || !t->partitions)))
        abort();
    strbuf b = strbuf_new(a);
    for (uint32_t i = 0; i < d.msgs.n; i++)
        diag_render(&d, &d.msgs.at[i], false, &b);
    arena_free(a);
    return 0;
}
