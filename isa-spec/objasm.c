// SPDX-License-Identifier: Apache-2.0
// A whole program as assembly text. Directives head it:
//   .target "trn2"            .kernel "matmul"
//   .source "matmul.tk"       then its text as quoted lines
//   .tensor_ir  .tile_ir      likewise
//   .tensor input f32 [4,8] "a"   numbered from 0; constants: .hex lines follow
//   .sem vector scalar 2      producer (or q3), consumer, credits; from 0
//   .stream vector            instructions follow
//   .loc 1 20 35              where the next ones come from: source, bytes
#include "isa-spec/isa_int.h"
#include "isa-spec/program.h"

enum { HEX_BYTES = 32 }; // a line

static const char *const kind_names[] = {"none", "input", "output",
                                         "temp", "const", "inout"};

const isa_names isa_tensor_kinds = {kind_names, ARRAY_LEN(kind_names)};

bool
isa_tensor_bytes(const isa_tensor *t, uint64_t *bytes)
{
    uint64_t n = num_dtype_bytes(t->dtype);
    bool empty = false, fits = true;
    for (uint32_t i = 0; i < t->rank && i < ISA_RANK; i++) {
        if (t->shape[i] < 0)
            return false;
        empty = empty || t->shape[i] == 0;
        fits = fits && mul_u64(n, (uint64_t)t->shape[i], &n);
    }
    *bytes = empty ? 0 : n;
    return empty || (fits && n <= INT64_MAX);
}

static void
put_quoted(strbuf *out, str s)
{
    strbuf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\n')
            strbuf_put(out, STR("\\n"));
        else if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c < 32 || c == 127)
            strbuf_printf(out, "\\x%02x", c);
        else
            strbuf_putc(out, (char)c);
    }
    strbuf_putc(out, '"');
}

// One quoted string for each line of the text.
static void
put_text(strbuf *out, str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t end = i;
        while (end < s.n && s.p[end] != '\n')
            end++;
        end += end < s.n;
        put_quoted(out, (str){s.p + i, end - i});
        strbuf_putc(out, '\n');
        i = end;
    }
}

static void
put_hex(strbuf *out, str data)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < data.n; i++) {
        if (i % HEX_BYTES == 0)
            strbuf_put(out, STR(".hex "));
        strbuf_putc(out, digit[(unsigned char)data.p[i] >> 4]);
        strbuf_putc(out, digit[data.p[i] & 15]);
        if (i % HEX_BYTES == HEX_BYTES - 1 || i + 1 == data.n)
            strbuf_putc(out, '\n');
    }
}

static void
put_tensor(strbuf *out, const isa_tensor *t)
{
    strbuf_printf(out, ".tensor %s %s [", kind_names[t->kind],
                  num_dtype_name(t->dtype));
    for (uint32_t i = 0; i < t->rank; i++)
        strbuf_printf(out, "%s%lld", i ? "," : "", (long long)t->shape[i]);
    strbuf_put(out, STR("] "));
    put_quoted(out, str_of(t->name));
    strbuf_putc(out, '\n');
    put_hex(out, t->data);
}

static void
put_sem(strbuf *out, const isa_sem *s)
{
    if (s->queue)
        strbuf_printf(out, ".sem q%u", s->queue);
    else
        strbuf_printf(out, ".sem %s", isa_engine_name(s->producer));
    strbuf_printf(out, " %s %u\n", isa_engine_name(s->consumer), s->initial);
}

static void
put_stream(strbuf *out, isa_engine e, const isa_stream *s)
{
    loc last = {0};
    strbuf_printf(out, ".stream %s\n", isa_engine_name(e));
    for (uint32_t i = 0; i < s->code.n; i++) {
        loc at = i < s->at.n ? s->at.at[i] : (loc){0};
        if (at.source != last.source || at.begin != last.begin ||
            at.end != last.end)
            strbuf_printf(out, ".loc %u %u %u\n", at.source, at.begin, at.end);
        last = at;
        strbuf_put(out, STR("    "));
        isa_print(&s->code.at[i], out);
        strbuf_putc(out, '\n');
    }
}

static void
put_ir(strbuf *out, const char *directive, str text)
{
    if (!text.n)
        return;
    strbuf_printf(out, "%s\n", directive);
    put_text(out, text);
}

void
isa_program_print(const isa_program *p, strbuf *out)
{
    strbuf_put(out, STR(".target "));
    put_quoted(out, str_of(p->target));
    strbuf_put(out, STR("\n.kernel "));
    put_quoted(out, str_of(p->kernel));
    strbuf_putc(out, '\n');
    for (uint32_t i = 0; i < p->sources.n; i++) {
        strbuf_put(out, STR(".source "));
        put_quoted(out, str_of(p->sources.at[i].name));
        strbuf_putc(out, '\n');
        put_text(out, p->sources.at[i].text);
    }
    put_ir(out, ".tensor_ir", p->tensor_ir);
    put_ir(out, ".tile_ir", p->tile_ir);
    for (uint32_t i = 0; i < p->tensors.n; i++)
        put_tensor(out, &p->tensors.at[i]);
    for (uint32_t i = 0; i < p->sems.n; i++)
        put_sem(out, &p->sems.at[i]);
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++) {
        if (p->stream[e].code.n)
            put_stream(out, e, &p->stream[e]);
    }
}
