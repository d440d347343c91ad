// SPDX-License-Identifier: Apache-2.0
// systole check: every level of every kernel against the reference.
#include "tools/tools.h"

#include <stdio.h>
#include <string.h>

static const char *
index_text(tool *t, const sy_check_row *row)
{
    strbuf b = strbuf_new(t->a);
    strbuf_putc(&b, '[');
    for (uint32_t i = 0; i < row->rank; i++)
        strbuf_printf(&b, "%s%lld", i ? ", " : "", (long long)row->index[i]);
    strbuf_putc(&b, ']');
    return b.p;
}

static const char *
describe(const char *against)
{
    if (strcmp(against, "reference") == 0)
        return "reference";
    if (strcmp(against, "step") == 0)
        return "reference, from the machine's own intermediates";
    if (strcmp(against, "orders") == 0)
        return "other engine orders, bit for bit";
    if (strcmp(against, "claim") == 0)
        return "reference (the claimed result)";
    if (strcmp(against, "claim-rounded") == 0)
        return "reference with the kernel's roundings (the claimed result)";
    return strcmp(against, "tile") == 0 ? "tile IR, bit for bit"
                                        : "tensor IR, bit for bit";
}

static void
show_row(tool *t, const char *kernel, const sy_check_row *row)
{
    bool bounded = strcmp(row->against, "reference") == 0 ||
                   strcmp(row->against, "step") == 0 ||
                   strncmp(row->against, "claim", 5) == 0;
    printf("%-6s %s.%s against %s", row->ok ? "ok" : "FAILED", kernel,
           row->tensor, describe(row->against));
    if (bounded)
        printf(": worst error %.3g of what is allowed", row->worst);
    putchar('\n');
    if (row->ok)
        return;
    printf("       first at %s: got %.9g, expected %.9g", index_text(t, row),
           row->got, row->want);
    if (bounded)
        printf(" within %.3g", row->allowed);
    printf("%s%s\n", *row->where ? ", written by " : "", row->where);
}

static json_t *
row_json(const char *kernel, const sy_check_row *row)
{
    json_t *index = json_array();
    for (uint32_t i = 0; i < row->rank; i++)
        json_array_append_new(index, json_integer(row->index[i]));
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:s}",
                     "kernel", kernel, "tensor", row->tensor, "against",
                     row->against, "ok", row->ok, "worst",
                     report_real(row->worst), "index", index, "got",
                     report_real(row->got), "want", report_real(row->want),
                     "allowed", report_real(row->allowed), "where", row->where);
}

static void
report_rows(tool *t, const char *kernel, const sy_check_row *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (t->result)
            json_array_append_new(json_object_get(t->result, "rows"),
                                  row_json(kernel, &row[i]));
        else
            show_row(t, kernel, &row[i]);
    }
}

static int
check_kernel(tool *t, const sy_module *m, uint32_t kernel,
             const tool_arrays *arrays)
{
    uint32_t n = 0;
    sy_array_type *types = arrays_types(t, arrays, &n);
    sy_program *p = NULL;
    int status = input_compile(t, m, (int)kernel, types, n, &p);
    if (!status)
        status = arrays_bind(t, arrays, p);
    if (status)
        return status;
    sy_check_options o = {.size = sizeof o,
                          .seed = t->o.seed,
                          .orders = t->o.seeded ? (uint32_t)t->o.orders : 1,
                          .max_instructions = t->o.limit_instructions};
    const sy_check_row *rows = NULL;
    size_t nrows = 0;
    status = (int)sy_check(t->s, p, &o, &rows, &nrows);
    report_rows(t, sy_module_kernel_name(m, kernel), rows, nrows);
    return status;
}

// The kernels meant: the one named, or all.
static int
check_kernels(tool *t, const sy_module *m, const tool_arrays *arrays)
{
    int worst = 0;
    bool any = false;
    for (uint32_t k = 0; k < sy_module_kernel_count(m); k++) {
        const char *name = sy_module_kernel_name(m, k);
        if (t->o.kernel && strcmp(t->o.kernel, name) != 0)
            continue;
        any = true;
        int status = check_kernel(t, m, k, arrays);
        worst = worst ? worst : status;
        report_diagnostics(t);
    }
    if (any)
        return worst;
    diag(&t->d, (loc){0}, D_KERNEL_UNKNOWN, t->o.kernel, t->o.file);
    return SY_REJECTED;
}

int
cmd_check(tool *t)
{
    tool_arrays arrays = {0};
    sy_module *m = NULL;
    if (t->result)
        json_object_set_new(t->result, "rows", json_array());
    int status = input_module(t, &m);
    if (!status)
        status = arrays_read(t, &arrays);
    return status ? status : check_kernels(t, m, &arrays);
}
