// SPDX-License-Identifier: Apache-2.0
// Sessions: lifetime, running out of memory, diagnostics as data.
#include "api/api_int.h"

#include <string.h>

const char *
sy_version(void)
{
    return SYSTOLE_VERSION;
}

sy_session *
sy_session_new(void)
{
    arena *a = arena_new();
    if (!a)
        return NULL;
    jmp_buf oom;
    if (setjmp(oom)) {
        arena_free(a);
        return NULL;
    }
    arena_on_oom(a, &oom);
    sy_session *s = ARENA_NEW(a, sy_session);
    s->a = a;
    diags_init(&s->d, a);
    arena_on_oom(a, &s->oom);
    return s;
}

void
sy_session_free(sy_session *s)
{
    if (!s)
        return;
    arena_free(s->scratch);
    arena_free(s->a);
}

void
api_enter(sy_session *s)
{
    s->env = num_env_enter();
    s->in_env = true;
}

sy_status
api_leave(sy_session *s, sy_status status)
{
    arena_free(s->scratch);
    s->scratch = NULL;
    if (s->in_env)
        num_env_leave(s->env);
    s->in_env = false;
    return status;
}

sy_status
api_out_of_memory(sy_session *s)
{
    // Memory of the call goes first, so that there is some for the message;
    // if that does not help, the status alone must do.
    api_leave(s, SY_LIMIT);
    if (!s->oom_seen) {
        s->oom_seen = true;
        diag(&s->d, (loc){0}, D_LIMIT_MEMORY);
        s->oom_seen = false;
    }
    s->oom_seen = false;
    return SY_LIMIT;
}

arena *
api_scratch(sy_session *s)
{
    if (!s->scratch) {
        s->scratch = arena_new();
        if (!s->scratch)
            longjmp(s->oom, 1);
        arena_on_oom(s->scratch, &s->oom);
    }
    return s->scratch;
}

bool
api_take_options(const void *given, void *all, size_t size)
{
    size_t n = 0;
    if (given)
        memcpy(&n, given, sizeof n);
    if (n < sizeof n || n > size)
        return false;
    memcpy(all, given, n);
    return true;
}

// ---- diagnostics -----------------------------------------------------------

size_t
sy_diagnostic_count(const sy_session *s)
{
    return s->d.msgs.n;
}

static void
fill_place(const sy_session *s, loc at, sy_diagnostic *out)
{
    if (at.source == 0 || at.source >= s->d.sources.n)
        return;
    out->file = s->d.sources.at[at.source].name;
    diag_line_col(&s->d, at, &out->line, &out->column);
    loc end = {at.source, at.end > at.begin ? at.end : at.begin, at.end};
    diag_line_col(&s->d, end, &out->end_line, &out->end_column);
}

sy_diagnostic
sy_diagnostic_at(sy_session *s, size_t i)
{
    static const sy_severity severity[] = {[SEV_ERROR] = SY_ERROR,
                                           [SEV_WARNING] = SY_WARNING,
                                           [SEV_NOTE] = SY_NOTE};
    sy_diagnostic out = {.text = ""};
    if (i >= s->d.msgs.n)
        return out;
    const diag_msg *m = &s->d.msgs.at[i];
    out.code = diag_number(m->id);
    out.severity = severity[m->severity];
    out.text = m->text;
    out.fix = m->fix;
    out.note_count = m->notes.n;
    fill_place(s, m->at, &out);
    return out;
}

sy_diagnostic
sy_diagnostic_note(sy_session *s, size_t i, uint32_t note)
{
    sy_diagnostic out = {.severity = SY_NOTE, .text = ""};
    if (i >= s->d.msgs.n || note >= s->d.msgs.at[i].notes.n)
        return out;
    const diag_note *n = &s->d.msgs.at[i].notes.at[note];
    out.text = n->text;
    fill_place(s, n->at, &out);
    return out;
}

const char *
sy_diagnostic_text(sy_session *s, size_t i, int colour)
{
    if (i >= s->d.msgs.n || setjmp(s->oom))
        return "";
    strbuf out = strbuf_new(s->a);
    diag_render(&s->d, &s->d.msgs.at[i], colour != 0, &out);
    return out.p;
}

void
sy_diagnostics_clear(sy_session *s)
{
    s->d.msgs.n = 0;
    s->d.errors = 0;
}

const char *
sy_explain(uint32_t code)
{
    static const char *const page[] = {
#define DIAG(id, number, severity, format) #severity ": " format "\n",
#include "support/diag.def"
#undef DIAG
    };
    for (uint32_t i = 0; i < ARRAY_LEN(page); i++) {
        if (diag_number((diag_id)(i + 1)) == code)
            return page[i];
    }
    return NULL;
}
