// SPDX-License-Identifier: Apache-2.0
// systole build: from any input to an object, assembly or an IR's text.
#include "tools/tools.h"

#include <stdio.h>
#include <string.h>

static int
list_passes(tool *t)
{
    json_t *list = json_array();
    for (uint32_t i = 0; sy_pass_name(i); i++) {
        if (!t->result)
            puts(sy_pass_name(i));
        json_array_append_new(list, json_string(sy_pass_name(i)));
    }
    if (t->result)
        json_object_set(t->result, "passes", list);
    json_decref(list);
    return 0;
}

static bool
is_tile(tool *t, sy_program *p)
{
    const void *bytes = NULL;
    size_t n = 0;
    bool tile = sy_program_emit(t->s, p, SY_EMIT_TILE, &bytes, &n) == SY_OK;
    sy_diagnostics_clear(t->s);
    return tile;
}

static sy_emit
emit_kind(tool *t, sy_program *p)
{
    const char *e = t->o.emit;
    if (!e && t->o.stop_after)
        return is_tile(t, p) ? SY_EMIT_TILE : SY_EMIT_TENSOR;
    if (!e || strcmp(e, "obj") == 0)
        return SY_EMIT_OBJECT;
    if (strcmp(e, "asm") == 0)
        return SY_EMIT_ASM;
    return strcmp(e, "tile") == 0 ? SY_EMIT_TILE : SY_EMIT_TENSOR;
}

static int
put_result(tool *t, sy_emit kind, str data)
{
    const char *path = t->o.output;
    if (!path && kind == SY_EMIT_OBJECT) {
        if (t->o.print_after)
            return 0; // the printing was asked for
        int status = output_default(t, &path);
        if (status)
            return status;
    }
    if (!path && t->result) {
        json_object_set_new(t->result, "text", report_text(data));
        return 0;
    }
    tool_pair file = {NULL, path ? path : "-"};
    if (t->result) {
        json_object_set_new(t->result, "output",
                            report_text(str_of(file.path)));
        json_object_set_new(t->result, "bytes",
                            json_integer((json_int_t)data.n));
    }
    fflush(stdout); // dumps come before what is written to the descriptor
    return output_write(t, &file, &data, 1);
}

static void
put_dump(tool *t, const sy_program *p)
{
    const char *dump = sy_program_dump(p);
    if (t->result && *dump)
        json_object_set_new(t->result, "dump", report_text(str_of(dump)));
    else
        fputs(dump, stdout);
}

int
cmd_build(tool *t)
{
    if (t->o.list_passes)
        return list_passes(t);
    if (t->result && t->o.output && strcmp(t->o.output, "-") == 0)
        return report_failure(t, SY_USAGE,
                              "--json and -o - both want standard output");
    sy_module *m = NULL;
    sy_program *p = NULL;
    int status = input_module(t, &m);
    if (!status)
        status = input_compile(t, m, -1, NULL, 0, &p);
    if (status)
        return status;
    put_dump(t, p);
    const void *bytes = NULL;
    size_t n = 0;
    sy_emit kind = emit_kind(t, p);
    status = (int)sy_program_emit(t->s, p, kind, &bytes, &n);
    return status ? status : put_result(t, kind, (str){bytes, n});
}
