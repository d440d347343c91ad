// SPDX-License-Identifier: Apache-2.0
// systole targets and explain: what there is to know without an input.
#include "tools/tools.h"

#include <stdio.h>
#include <string.h>

int
cmd_targets(tool *t)
{
    if (t->o.file) {
        const char *text = sy_target_text(t->s, t->o.file);
        if (!text)
            return report_failure(t, SY_REJECTED, "unknown target '%s'",
                                  t->o.file);
        if (t->result)
            json_object_set_new(t->result, "text", report_text(str_of(text)));
        else
            fputs(text, stdout);
        return 0;
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < sy_target_count(); i++) {
        if (!t->result)
            puts(sy_target_name(i));
        json_array_append_new(list, json_string(sy_target_name(i)));
    }
    if (t->result)
        json_object_set(t->result, "targets", list);
    json_decref(list);
    return 0;
}

// What the ranges of numbers mean, and what to do.
static const struct {
    uint32_t first;
    const char *page;
} areas[] = {
    {0, "About an input as a whole: its file, its kind, which kernel, target\n"
        "or pass is meant.\n"},
    {100,
     "The text is not in the language: an unexpected character or word.\n"
     "Parsing goes on after the mistake, so that several are reported at\n"
     "once; mend the first one first. docs/language.md has the grammar.\n"},
    {200, "Names, shapes and types do not fit together. A note points at the\n"
          "other place when there are two. Extents must be equal, never\n"
          "merely compatible; only cast changes a type.\n"},
    {400,
     "The program is right, but the compiler cannot translate it as asked\n"
     "for, on this target or with this option.\n"},
    {500, "An object or an assembly text is malformed, or an instruction is\n"
          "not one of the target's. docs/isa.md has every rule.\n"},
    {600, "An IR's text is malformed or breaks a rule of its level.\n"
          "docs/tensor-ir.md and docs/tile-ir.md have the rules.\n"},
    {700,
     "An array and the parameter it is bound to do not fit together, or\n"
     "a .npy file is malformed. Float types convert with a note, integers\n"
     "where every value fits, nothing else.\n"},
    {800,
     "The program does something undefined on the machine: a race, a\n"
     "deadlock, a read of what was never written, an access out of range.\n"
     "The notes name the instructions and their source lines. For compiled\n"
     "kernels this is a mistake of the compiler: please report it.\n"},
    {900,
     "A limit was met: of the target's memory, of the host's, or one that\n"
     "was asked for.\n"},
};

static const char *
area_page(uint32_t code)
{
    const char *page = "";
    for (size_t i = 0; i < ARRAY_LEN(areas); i++) {
        if (code >= areas[i].first)
            page = areas[i].page;
    }
    return page;
}

int
cmd_explain(tool *t)
{
    const char *arg = t->o.file;
    arg += *arg && strchr("EWNewn", *arg) ? 1 : 0;
    int64_t code = 0;
    const char *page = NULL;
    // Leading zeros are part of the name.
    if (str_to_i64(str_of(arg), &code) && code >= 0 && code <= UINT32_MAX)
        page = sy_explain((uint32_t)code);
    if (!page)
        return report_failure(t, SY_REJECTED,
                              "no diagnostic has the number '%s'", t->o.file);
    const char *text = arena_printf(t->a, "E%04u, %s\n%s", (uint32_t)code, page,
                                    area_page((uint32_t)code));
    if (t->result)
        json_object_set_new(t->result, "text", report_text(str_of(text)));
    else
        fputs(text, stdout);
    return 0;
}
