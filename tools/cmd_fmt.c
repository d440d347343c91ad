// SPDX-License-Identifier: Apache-2.0
// systole fmt: source in canonical form.
#include "tools/tools.h"

#include <string.h>

static int
put_text(tool *t, const char *path, str text)
{
    if (t->result && strcmp(path, "-") == 0) {
        json_object_set_new(t->result, "text", report_text(text));
        return 0;
    }
    tool_pair file = {NULL, path};
    return output_write(t, &file, &text, 1);
}

int
cmd_fmt(tool *t)
{
    bool dash = strcmp(t->o.file, "-") == 0;
    if ((t->o.in_place || t->o.only_check) && t->o.output)
        return report_failure(t, SY_USAGE,
                              "-o goes neither with -i nor with --check");
    if (t->o.in_place && dash)
        return report_failure(t, SY_USAGE, "-i needs a file");
    str source, text = {0};
    int status = input_read(t, t->o.file, &source);
    if (!status)
        status = (int)sy_format(t->s, dash ? "<stdin>" : t->o.file, source.p,
                                source.n, &text.p, &text.n);
    if (status)
        return status;
    bool same = str_eq(source, text);
    if (t->o.only_check)
        return same
                   ? 0
                   : report_failure(t, SY_MISMATCH,
                                    "'%s' is not in canonical form", t->o.file);
    if (t->o.in_place)
        return same ? 0 : put_text(t, t->o.file, text);
    return put_text(t, t->o.output ? t->o.output : "-", text);
}
