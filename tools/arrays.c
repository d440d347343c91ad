// SPDX-License-Identifier: Apache-2.0
// The arrays of --in and --claim: read, given to the compiler as shapes,
// converted to the declared types and bound.
#include "tools/tools.h"

#include <string.h>

static const tool_pair *
pair_at(const tool *t, uint32_t i)
{
    return i < t->o.in.n ? &t->o.in.at[i] : &t->o.claim.at[i - t->o.in.n];
}

static bool
given_twice(tool *t, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (strcmp(pair_at(t, k)->name, pair_at(t, i)->name) == 0) {
            diag(&t->d, (loc){0}, D_NPY_TWICE, pair_at(t, i)->name);
            return true;
        }
    }
    return false;
}

int
arrays_read(tool *t, tool_arrays *x)
{
    bool ok = true;
    for (uint32_t i = 0; i < t->o.in.n + t->o.claim.n; i++) {
        const char *path = pair_at(t, i)->path;
        str bytes;
        int status = input_read(t, path, &bytes);
        if (status)
            return status;
        npy_array *a = vec_add(t->a, &x->in);
        if (given_twice(t, i) || !npy_parse(t->a, &t->d, path, bytes, a))
            ok = false;
    }
    return ok ? 0 : SY_REJECTED;
}

sy_array_type *
arrays_types(tool *t, const tool_arrays *x, uint32_t *n)
{
    // A claimed output must have the right shape, but determines no dim.
    *n = t->o.in.n;
    sy_array_type *out = ARENA_ARRAY(t->a, *n + 1, sy_array_type);
    for (uint32_t i = 0; i < *n; i++) {
        out[i].name = pair_at(t, i)->name;
        out[i].dtype = "";
        out[i].rank = x->in.at[i].rank;
        memcpy(out[i].shape, x->in.at[i].shape, sizeof out[i].shape);
    }
    return out;
}

const char *
arrays_type_text(arena *a, const sy_array_type *type)
{
    strbuf b = strbuf_new(a);
    strbuf_put(&b, str_of(type->dtype));
    for (uint32_t i = 0; i < type->rank; i++)
        strbuf_printf(&b, "%s%lld", i ? ", " : "[", (long long)type->shape[i]);
    if (type->rank)
        strbuf_putc(&b, ']');
    return b.p;
}

static bool
find_array(const sy_program *p, const char *name, sy_array_type *out)
{
    int kind = 0;
    for (uint32_t i = 0; i < sy_program_array_count(p); i++) {
        *out = sy_program_array(p, i, &kind);
        if (strcmp(out->name, name) == 0)
            return true;
    }
    return false;
}

static bool
same_shape(const npy_array *x, const sy_array_type *type)
{
    return x->rank == type->rank &&
           memcmp(x->shape, type->shape, x->rank * sizeof *x->shape) == 0;
}

static int
bind_one(tool *t, const npy_array *x, const char *name, sy_program *p)
{
    sy_array_type type;
    if (!find_array(p, name, &type))
        return (int)sy_bind(t->s, p, name, NULL, 0); // which reports it
    if (!same_shape(x, &type)) {
        sy_array_type is = {.dtype = x->descr, .rank = x->rank};
        memcpy(is.shape, x->shape, sizeof is.shape);
        diag(&t->d, (loc){0}, D_NPY_SHAPE, x->path, arrays_type_text(t->a, &is),
             name, arrays_type_text(t->a, &type));
        return SY_REJECTED;
    }
    num_dtype dtype = num_dtype_parse(type.dtype, strlen(type.dtype));
    void *data = NULL;
    bool converted = false;
    if (!npy_convert(t->a, &t->d, x, name, dtype, &data, &converted))
        return SY_REJECTED;
    if (converted)
        report_note(t, "'%s' is converted from '%s' to %s", x->path, x->descr,
                    type.dtype);
    return (int)sy_bind(t->s, p, name, data, x->elems * num_dtype_bytes(dtype));
}

int
arrays_bind(tool *t, const tool_arrays *x, sy_program *p)
{
    for (uint32_t i = 0; i < x->in.n; i++) {
        int status = bind_one(t, &x->in.at[i], pair_at(t, i)->name, p);
        if (status)
            return status;
    }
    return 0;
}
