// SPDX-License-Identifier: Apache-2.0
// systole asm and disasm: between assembly and objects, without loss.
#include "tools/tools.h"

#include <string.h>

static const char *
shown_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

static int
put(tool *t, const char *path, str data, bool is_text)
{
    if (t->result && is_text && !t->o.output) {
        json_object_set_new(t->result, "text", report_text(data));
        return 0;
    }
    if (t->result && strcmp(path, "-") == 0)
        return report_failure(t, SY_USAGE,
                              "--json and -o - both want standard output");
    if (t->result)
        json_object_set_new(t->result, "output", report_text(str_of(path)));
    tool_pair file = {NULL, path};
    return output_write(t, &file, &data, 1);
}

int
cmd_asm(tool *t)
{
    str text;
    int status = input_read(t, t->o.file, &text);
    const void *object = NULL;
    size_t n = 0;
    if (!status)
        status = (int)sy_assemble(t->s, shown_name(t->o.file), text.p, text.n,
                                  &object, &n);
    if (status)
        return status;
    const char *path = t->o.output;
    if (!path)
        status = output_default(t, &path);
    return status ? status : put(t, path, (str){object, n}, false);
}

int
cmd_disasm(tool *t)
{
    str object;
    int status = input_read(t, t->o.file, &object);
    const char *text = NULL;
    if (!status)
        status = (int)sy_disassemble(t->s, shown_name(t->o.file), object.p,
                                     object.n, &text);
    if (status)
        return status;
    return put(t, t->o.output ? t->o.output : "-", str_of(text), true);
}
