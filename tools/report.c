// SPDX-License-Identifier: Apache-2.0
// What the command says: sentences on standard error, or one JSON value on
// standard output.
#include "tools/tools.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

json_t *
report_text(str s)
{
    json_t *j = json_stringn(s.p, s.n);
    return j ? j : json_string_nocheck("(not valid UTF-8)");
}

json_t *
report_real(double x)
{
    if (isnan(x))
        return json_string("nan");
    if (isinf(x))
        return json_string(x < 0 ? "-inf" : "inf");
    return json_real(x);
}

json_t *
report_array_type(const sy_array_type *type)
{
    json_t *shape = json_array();
    for (uint32_t i = 0; i < type->rank; i++)
        json_array_append_new(shape, json_integer(type->shape[i]));
    return json_pack("{s:s, s:s, s:o}", "name", type->name, "dtype",
                     type->dtype, "shape", shape);
}

static json_t *
place(const sy_diagnostic *x)
{
    json_t *j = json_object();
    json_object_set_new(j, "text", report_text(str_of(x->text)));
    if (x->file) {
        json_object_set_new(j, "file", report_text(str_of(x->file)));
        json_object_set_new(j, "line", json_integer(x->line));
        json_object_set_new(j, "column", json_integer(x->column));
        json_object_set_new(j, "end_line", json_integer(x->end_line));
        json_object_set_new(j, "end_column", json_integer(x->end_column));
    }
    return j;
}

static void
add_diagnostic(tool *t, size_t i)
{
    static const char *const severity[] = {"error", "warning", "note"};
    sy_diagnostic x = sy_diagnostic_at(t->s, i);
    json_t *j = place(&x);
    json_t *notes = json_array();
    for (uint32_t k = 0; k < x.note_count; k++) {
        sy_diagnostic n = sy_diagnostic_note(t->s, i, k);
        json_array_append_new(notes, place(&n));
    }
    json_object_set_new(j, "code", json_integer(x.code));
    json_object_set_new(j, "severity", json_string(severity[x.severity]));
    if (x.fix)
        json_object_set_new(j, "fix", report_text(str_of(x.fix)));
    json_object_set_new(j, "notes", notes);
    json_array_append_new(json_object_get(t->result, "diagnostics"), j);
}

// Those of the arrays' files, which have no place in a source.
static void
add_own(tool *t, const diag_msg *m)
{
    json_t *j = json_pack(
        "{s:o, s:i, s:s, s:[]}", "text", report_text(str_of(m->text)), "code",
        (int)diag_number(m->id), "severity", "error", "notes");
    json_array_append_new(json_object_get(t->result, "diagnostics"), j);
}

void
report_start(tool *t)
{
    t->result = json_pack("{s:s, s:i, s:[], s:[], s:[]}", "command", t->command,
                          "status", 0, "diagnostics", "errors", "notes");
}

void
report_diagnostics(tool *t)
{
    for (size_t i = 0; i < sy_diagnostic_count(t->s); i++) {
        if (t->result)
            add_diagnostic(t, i);
        else
            fputs(sy_diagnostic_text(t->s, i, t->colour), stderr);
    }
    sy_diagnostics_clear(t->s);
    for (uint32_t i = 0; i < t->d.msgs.n; i++) {
        strbuf b = strbuf_new(t->a);
        diag_render(&t->d, &t->d.msgs.at[i], t->colour, &b);
        if (t->result)
            add_own(t, &t->d.msgs.at[i]);
        else
            fputs(b.p, stderr);
    }
    t->d.msgs.n = 0;
}

static void
say(tool *t, const char *key, const char *text)
{
    if (!t->result) {
        fprintf(stderr, "systole: %s%s\n",
                strcmp(key, "notes") == 0 ? "note: " : "", text);
        return;
    }
    json_t *list = json_object_get(t->result, key);
    json_array_append_new(list, report_text(str_of(text)));
}

int
report_failure(tool *t, int status, const char *fmt, ...)
{
    strbuf b = strbuf_new(t->a);
    va_list ap;
    va_start(ap, fmt);
    strbuf_vprintf(&b, fmt, ap);
    va_end(ap);
    say(t, "errors", b.p);
    return status;
}

void
report_note(tool *t, const char *fmt, ...)
{
    strbuf b = strbuf_new(t->a);
    va_list ap;
    va_start(ap, fmt);
    strbuf_vprintf(&b, fmt, ap);
    va_end(ap);
    say(t, "notes", b.p);
}

int
report_end(tool *t, int status)
{
    report_diagnostics(t);
    if (t->result) {
        json_object_set_new(t->result, "status", json_integer(status));
        json_dumpf(t->result, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    }
    bool lost = fflush(stdout) != 0 || ferror(stdout);
    if (lost && status == 0) {
        fputs("systole: cannot write to standard output\n", stderr);
        return SY_IO;
    }
    return status;
}
