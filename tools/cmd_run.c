// SPDX-License-Identifier: Apache-2.0
// systole run: a kernel on arrays, at any of its levels.
#include "tools/tools.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    sy_array_type type;
    void *data;
    uint64_t bytes, elems;
    num_dtype dtype;
    bool is_input; // too: the same memory
} output;

typedef struct {
    VEC(output) at;
} outputs;

static int
bind_outputs(tool *t, sy_program *p, outputs *out)
{
    for (uint32_t i = 0; i < sy_program_array_count(p); i++) {
        int kind = 0;
        output x = {.type = sy_program_array(p, i, &kind)};
        if (kind == 0)
            continue;
        x.dtype = num_dtype_parse(x.type.dtype, strlen(x.type.dtype));
        x.elems = 1;
        for (uint32_t k = 0; k < x.type.rank; k++)
            x.elems *= (uint64_t)x.type.shape[k]; // sy_compile checked it
        x.bytes = x.elems * num_dtype_bytes(x.dtype);
        x.is_input = kind == 2;
        x.data = x.is_input ? NULL : arena_alloc(t->a, x.bytes);
        vec_push(t->a, &out->at, x);
        if (x.is_input)
            continue;
        int status = (int)sy_bind(t->s, p, x.type.name, x.data, x.bytes);
        if (status)
            return status;
    }
    return 0;
}

// Arrays that are updated in place, once they are bound as inputs.
static void
find_updated(const sy_program *p, outputs *out)
{
    for (uint32_t i = 0; i < out->at.n; i++)
        if (out->at.at[i].is_input)
            out->at.at[i].data = sy_bound(p, out->at.at[i].type.name);
}

static const output *
find_output(const outputs *out, const char *name)
{
    for (uint32_t i = 0; i < out->at.n; i++) {
        if (strcmp(out->at.at[i].type.name, name) == 0)
            return &out->at.at[i];
    }
    return NULL;
}

// Names are checked before anything long starts.
static int
check_out_names(tool *t, const outputs *out)
{
    for (uint32_t i = 0; i < t->o.out.n; i++) {
        if (find_output(out, t->o.out.at[i].name))
            continue;
        diag(&t->d, (loc){0}, D_OUT_NAME, t->o.out.at[i].name);
        for (uint32_t k = 0; k < out->at.n; k++)
            diag_note_add(&t->d, (loc){0}, "there is '%s'",
                          out->at.at[k].type.name);
        return SY_REJECTED;
    }
    return 0;
}

static int
write_outputs(tool *t, const outputs *out)
{
    str *data = ARENA_ARRAY(t->a, t->o.out.n + 1, str);
    for (uint32_t i = 0; i < t->o.out.n; i++) {
        const output *x = find_output(out, t->o.out.at[i].name);
        data[i] = npy_write(t->a, &x->type, x->data);
    }
    return output_write(t, t->o.out.at, data, t->o.out.n);
}

enum { SHOWN = 8 };

static void
put_element(strbuf *b, const output *x, uint64_t e)
{
    num_word w = num_load(x->dtype, (const uint8_t *)x->data +
                                        e * num_dtype_bytes(x->dtype));
    switch (num_dtype_class(x->dtype)) {
    case NUM_FLOAT: strbuf_f32(b, num_f32(w)); break;
    case NUM_SINT: strbuf_printf(b, "%d", (int32_t)w); break;
    case NUM_UINT: strbuf_printf(b, "%u", w); break;
    case NUM_BOOL: strbuf_put(b, w ? STR("true") : STR("false")); break;
    case NUM_PACKED: break; // no tensor has such a type
    }
}

// The first elements, for whoever asked for no file.
static void
show(tool *t, const output *x)
{
    strbuf b = strbuf_new(t->a);
    strbuf_printf(&b, "%s: %s =", x->type.name,
                  arrays_type_text(t->a, &x->type));
    for (uint64_t e = 0; e < x->elems && e < SHOWN; e++) {
        strbuf_putc(&b, ' ');
        put_element(&b, x, e);
    }
    puts(arena_printf(t->a, "%s%s", b.p, x->elems > SHOWN ? " ..." : ""));
}

static void
report_outputs(tool *t, const outputs *out)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < out->at.n; i++) {
        if (!t->result && t->o.out.n == 0)
            show(t, &out->at.at[i]);
        json_array_append_new(list, report_array_type(&out->at.at[i].type));
    }
    if (t->result)
        json_object_set(t->result, "outputs", list);
    json_decref(list);
}

static int
execute(tool *t, sy_program *p)
{
    const char *e = t->o.engine ? t->o.engine : "interp";
    sy_run_options o = {
        .size = sizeof o,
        .engine = strcmp(e, "tensor") == 0 ? SY_ENGINE_TENSOR
                  : strcmp(e, "tile") == 0 ? SY_ENGINE_TILE
                                           : SY_ENGINE_INTERP,
        .random_order = t->o.seeded,
        .seed = t->o.orders,
        .max_instructions = t->o.limit_instructions,
    };
    return (int)sy_run(t->s, p, &o);
}

static int
check_usage(tool *t)
{
    if (t->o.engine && strcmp(t->o.engine, "jit") == 0)
        return report_failure(
            t, SY_USAGE,
            "the jit engine is a plugin and is not part of this installation");
    for (uint32_t i = 0; t->result && i < t->o.out.n; i++) {
        if (strcmp(t->o.out.at[i].path, "-") == 0)
            return report_failure(t, SY_USAGE,
                                  "--json and --out %s=- both want standard "
                                  "output",
                                  t->o.out.at[i].name);
    }
    return 0;
}

int
cmd_run(tool *t)
{
    tool_arrays arrays = {0};
    sy_module *m = NULL;
    sy_program *p = NULL;
    outputs out = {0};
    int status = check_usage(t);
    if (!status)
        status = input_module(t, &m);
    if (!status)
        status = arrays_read(t, &arrays);
    if (status)
        return status;
    uint32_t n = 0;
    sy_array_type *types = arrays_types(t, &arrays, &n);
    status = input_compile(t, m, -1, types, n, &p);
    if (!status)
        status = arrays_bind(t, &arrays, p);
    if (!status)
        status = bind_outputs(t, p, &out);
    if (!status)
        status = check_out_names(t, &out);
    if (!status)
        status = (int)sy_draw(t->s, p, t->o.seed);
    if (!status)
        find_updated(p, &out);
    if (!status)
        status = execute(t, p);
    if (!status)
        status = write_outputs(t, &out);
    if (!status)
        report_outputs(t, &out);
    return status;
}
