// SPDX-License-Identifier: Apache-2.0
// Build-time program: embed OUT.c FILE... writes the files' texts as
// embedded_lib[] (see api/embedded.h), named by their last path component.
#include "support/support.h"

#include <stdio.h>
#include <string.h>

static void
put_bytes(strbuf *out, str text)
{
    for (size_t i = 0; i < text.n; i++)
        strbuf_printf(out, "%s%d,", i % 20 ? "" : "\n    ",
                      (int)(signed char)text.p[i]);
    strbuf_put(out, STR("0};\n"));
}

static bool
embed(arena *a, int n, char **path, const char **err)
{
    strbuf out = strbuf_new(a), rows = strbuf_new(a);
    strbuf_put(&out, STR("#include \"api/embedded.h\"\n"));
    for (int i = 1; i < n; i++) {
        str text;
        if (!file_read(a, path[i], UINT32_MAX, &text, err))
            return false;
        const char *slash = strrchr(path[i], '/');
        strbuf_printf(&out, "static const char text%d[] = {", i);
        put_bytes(&out, text);
        strbuf_printf(&rows, "    {\"%s\", text%d, %zu},\n",
                      slash ? slash + 1 : path[i], i, text.n);
    }
    strbuf_printf(&out,
                  "const struct embedded_file embedded_lib[] = {\n%.*s"
                  "    {0, 0, 0}};\nconst uint32_t embedded_lib_count = %d;\n",
                  STR_ARG(strbuf_str(&rows)), n - 1);
    return file_write(a, path[0], strbuf_str(&out), err);
}

int
main(int argc, char **argv)
{
    arena *a = arena_new();
    const char *err = "usage: embed OUT.c FILE...";
    bool ok = a && argc > 1 && embed(a, argc - 1, argv + 1, &err);
    if (!ok)
        fprintf(stderr, "embed: %s\n", err);
    arena_free(a);
    return ok ? 0 : 2;
}
