// SPDX-License-Identifier: Apache-2.0
// Files in, programs made of them, files out.
#include "tools/tools.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_LIMIT_LOG2 = 40 }; // beyond any file that could be meant

int
input_read(tool *t, const char *path, str *out)
{
    const char *err = NULL;
    if (file_read(t->a, path, (uint64_t)1 << INPUT_LIMIT_LOG2, out, &err))
        return 0;
    return report_failure(t, SY_IO, "%s", err);
}

int
input_module(tool *t, sy_module **m)
{
    str text;
    int status = input_read(t, t->o.file, &text);
    if (status)
        return status;
    bool dash = strcmp(t->o.file, "-") == 0;
    return (int)sy_module_parse(t->s, dash ? "<stdin>" : t->o.file, text.p,
                                text.n, SY_KIND_AUTO, m);
}

static bool
has_dim(const sy_module *m, uint32_t kernel, const char *name)
{
    for (uint32_t i = 0; i < sy_kernel_dim_count(m, kernel); i++) {
        if (strcmp(sy_kernel_dim_name(m, kernel, i), name) == 0)
            return true;
    }
    return false;
}

// When every kernel of a file is compiled, each takes the dims that it has; a
// dim that none has is still reported.
static uint32_t
pick_dims(tool *t, const sy_module *m, uint32_t kernel, sy_dim *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->o.dims.n; i++) {
        const char *name = t->o.dims.at[i].name;
        bool elsewhere = false;
        for (uint32_t k = 0; k < sy_module_kernel_count(m); k++)
            elsewhere = elsewhere || has_dim(m, k, name);
        if (has_dim(m, kernel, name) || !elsewhere)
            out[n++] = t->o.dims.at[i];
    }
    return n;
}

int
input_compile(tool *t, const sy_module *m, int kernel, const sy_array_type *in,
              uint32_t nin, sy_program **p)
{
    sy_dim *dims = ARENA_ARRAY(t->a, t->o.dims.n + 1, sy_dim);
    uint32_t ndims = t->o.dims.n;
    if (kernel >= 0)
        ndims = pick_dims(t, m, (uint32_t)kernel, dims);
    else if (ndims)
        memcpy(dims, t->o.dims.at, ndims * sizeof *dims);
    sy_compile_options o = {
        .size = sizeof o,
        .kernel = kernel < 0 ? t->o.kernel
                             : sy_module_kernel_name(m, (uint32_t)kernel),
        .target = t->o.target,
        .dims = dims,
        .dim_count = ndims,
        .inputs = in,
        .input_count = nin,
        .opt_level = t->o.opt_level,
        .print_after = t->o.print_after,
        .stop_after = t->o.stop_after,
        .verify_each = t->o.verify_each,
    };
    return (int)sy_compile(t->s, m, &o, p);
}

static bool
is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

int
output_default(tool *t, const char **path)
{
    bool dash = strcmp(t->o.file, "-") == 0;
    if (dash && t->result)
        return report_failure(t, SY_USAGE,
                              "--json and the object both want standard "
                              "output; -o says where the object goes");
    const char *slash = strrchr(t->o.file, '/');
    str base = str_of(slash ? slash + 1 : t->o.file);
    const char *dot = strrchr(base.p, '.');
    if (dot && dot > base.p)
        base.n = (size_t)(dot - base.p);
    *path = dash ? "-" : arena_printf(t->a, "%.*s.syo", STR_ARG(base));
    if (!dash && is_same_file(t->o.file, *path))
        return report_failure(t, SY_USAGE,
                              "the object would replace the input '%s'; -o "
                              "says where it goes",
                              t->o.file);
    return 0;
}

static int
write_staged(tool *t, const tool_pair *file, const str *data, uint32_t n)
{
    file_staged *staged = ARENA_ARRAY(t->a, n, file_staged);
    const char *err = NULL;
    uint32_t done = 0;
    bool ok = true;
    for (; ok && done < n; done++)
        ok = file_stage(t->a, file[done].path, data[done], &staged[done], &err);
    // What is written directly can still fail; a rename hardly.
    for (uint32_t i = 0; ok && i < n; i++)
        ok = staged[i].temp || file_commit(t->a, &staged[i], &err);
    for (uint32_t i = 0; ok && i < n; i++)
        ok = !staged[i].temp || file_commit(t->a, &staged[i], &err);
    for (uint32_t i = 0; i < done; i++)
        file_discard(&staged[i]);
    return ok ? 0 : report_failure(t, SY_IO, "%s", err);
}

int
output_write(tool *t, const tool_pair *file, const str *data, uint32_t n)
{
    // A signal waits until the files are all there, or none.
    sigset_t block, saved;
    sigfillset(&block);
    sigprocmask(SIG_BLOCK, &block, &saved);
    int status = write_staged(t, file, data, n);
    sigprocmask(SIG_SETMASK, &saved, NULL);
    return status;
}
