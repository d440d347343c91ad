// SPDX-License-Identifier: Apache-2.0
// Fuzz target: .npy files, read and converted to every element type.
#include "tests/fuzz/fuzz.h"
#include "tools/tools.h"

#include <stdlib.h>

enum { MAX_ELEMS = 4096 };

static void
convert(arena *a, diags *d, const npy_array *x, num_dtype to)
{
    void *out = NULL;
    bool converted = false;
    uint32_t before = d->errors;
    bool ok = npy_convert(a, d, x, "x", to, &out, &converted);
    if (ok != (d->errors == before))
        abort();
    if (!ok)
        return;
    sy_array_type t = {.dtype = num_dtype_name(to), .rank = x->rank};
    memcpy(t.shape, x->shape, sizeof t.shape);
    npy_array again;
    str file = npy_write(a, &t, out);
    if (!npy_parse(a, d, "again", file, &again) || again.elems != x->elems ||
        again.data.n != x->elems * num_dtype_bytes(to))
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_new();
    diags d;
    npy_array x;
    diags_init(&d, a);
    bool ok = npy_parse(a, &d, "fuzz.npy", (str){(const char *)data, size}, &x);
    if (ok == (d.errors != 0))
        abort();
    for (num_dtype t = DT_NONE + 1; ok && t < DT_COUNT; t++) {
        if (x.elems <= MAX_ELEMS)
            convert(a, &d, &x, t);
    }
    arena_free(a);
    return 0;
}
