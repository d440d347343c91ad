// SPDX-License-Identifier: Apache-2.0
// The contents of an object's sections. Sizes come from the section headers and
// are already inside the file; counts and offsets within are checked here
// against them before anything is allocated.
#include "isa-spec/isa_int.h"
#include "isa-spec/object_int.h"

#include <string.h>

typedef struct {
    arena *a;
    diags *d;
    const section_set *s;
    isa_program *p;
} reader;

static bool
bad(const reader *r, section_id s, const char *why)
{
    diag(r->d, (loc){0}, D_OBJ_SECTION, object_section_name(s), why);
    return false;
}

static bool
is_name(str s)
{
    return s.n && s.n <= 4096 && !memchr(s.p, 0, s.n);
}

// 'n' bytes at 'off' of a part of a section.
static bool
slice(str whole, uint64_t off, uint64_t n, str *out)
{
    if (off > whole.n || n > whole.n - off)
        return false;
    *out = (str){off ? whole.p + off : whole.p, (size_t)n};
    return true;
}

static bool
read_target(reader *r)
{
    str s = r->s->data[SEC_TARGET];
    obj_target h;
    str target, kernel;
    if (!s.p || s.n < sizeof h)
        return bad(r, SEC_TARGET, "it is missing or too short");
    memcpy(&h, s.p, sizeof h);
    if (h.version != OBJ_VERSION) {
        diag(r->d, (loc){0}, D_OBJ_VERSION, h.version, OBJ_VERSION);
        return false;
    }
    if (h.reserved || !slice(s, sizeof h, h.name_len, &target) ||
        !slice(s, sizeof h + (uint64_t)h.name_len, h.kernel_len, &kernel) ||
        sizeof h + target.n + kernel.n != s.n || !is_name(target) ||
        !is_name(kernel))
        return bad(r, SEC_TARGET, "its names are damaged");
    r->p->target = str_z(r->a, target);
    r->p->kernel = str_z(r->a, kernel);
    return true;
}

static bool
read_shape(const obj_tensor *o, isa_tensor *t)
{
    if (o->rank > ISA_RANK)
        return false;
    for (uint32_t i = 0; i < ISA_RANK; i++) {
        if (o->shape[i] < 0 || (i >= o->rank && o->shape[i]))
            return false;
        t->shape[i] = o->shape[i];
    }
    t->rank = o->rank;
    return true;
}

static bool
read_tensor(reader *r, const char *row, str names)
{
    obj_tensor o;
    isa_tensor t = {0};
    str name;
    uint64_t bytes;
    memcpy(&o, row, sizeof o);
    if (o.kind < OBJ_TENSOR_INPUT || o.kind > OBJ_TENSOR_INOUT ||
        o.dtype == DT_NONE || o.dtype >= DT_COUNT ||
        num_is_packed((num_dtype)o.dtype) || o.reserved)
        return bad(r, SEC_TENSORS, "a tensor's kind or type is damaged");
    t.kind = (obj_tensor_kind)o.kind;
    t.dtype = (num_dtype)o.dtype;
    if (!read_shape(&o, &t) || !isa_tensor_bytes(&t, &bytes))
        return bad(r, SEC_TENSORS, "a tensor's shape is damaged");
    if (!slice(names, o.name_off, o.name_len, &name) || !is_name(name))
        return bad(r, SEC_TENSORS, "a tensor's name is damaged");
    t.name = str_z(r->a, name);
    if (t.kind != OBJ_TENSOR_CONST && o.const_off)
        return bad(r, SEC_TENSORS, "a tensor has data and is no constant");
    if (t.kind == OBJ_TENSOR_CONST &&
        !slice(r->s->data[SEC_CONST], o.const_off, bytes, &t.data))
        return bad(r, SEC_TENSORS, "a constant's data are missing");
    vec_push(r->a, &r->p->tensors, t);
    return true;
}

static bool
read_tensors(reader *r)
{
    str s = r->s->data[SEC_TENSORS], names;
    uint32_t n;
    if (!s.p || s.n < sizeof n)
        return bad(r, SEC_TENSORS, "it is missing or too short");
    memcpy(&n, s.p, sizeof n);
    uint64_t rows = sizeof n + (uint64_t)n * sizeof(obj_tensor);
    if (n > OBJ_MAX_TENSORS || rows > s.n ||
        !slice(s, rows, s.n - rows, &names))
        return bad(r, SEC_TENSORS, "its count is damaged");
    for (uint32_t i = 0; i < n; i++) {
        if (!read_tensor(r, s.p + sizeof n + i * sizeof(obj_tensor), names))
            return false;
    }
    return true;
}

static bool
is_engine(uint8_t e)
{
    return e > ISA_ENG_NONE && e < ISA_ENG_COUNT;
}

static bool
read_sems(reader *r)
{
    str s = r->s->data[SEC_SEMS];
    if (s.n % sizeof(obj_sem) || s.n / sizeof(obj_sem) > ISA_SEMS)
        return bad(r, SEC_SEMS, "its size is damaged");
    for (size_t i = 0; i < s.n; i += sizeof(obj_sem)) {
        obj_sem o;
        memcpy(&o, s.p + i, sizeof o);
        bool queue = o.producer_queue >= 1 && o.producer_queue <= ISA_QUEUES;
        if (o.reserved || !is_engine(o.consumer_engine) ||
            (queue ? o.producer_engine != 0
                   : o.producer_queue || !is_engine(o.producer_engine)))
            return bad(r, SEC_SEMS, "a semaphore is damaged");
        isa_sem sem = {(isa_engine)o.producer_engine, o.producer_queue,
                       (isa_engine)o.consumer_engine, o.initial};
        vec_push(r->a, &r->p->sems, sem);
    }
    return true;
}

static bool
read_stream(reader *r, isa_engine e)
{
    section_id id =
        (section_id)((int)SEC_TEXT_TENSOR + (int)e - (int)ISA_ENG_TENSOR);
    str s = r->s->data[id];
    if (s.n % ISA_INSN_BYTES || s.n / ISA_INSN_BYTES > UINT32_MAX / 2)
        return bad(r, id, "its size is no multiple of 128");
    isa_stream *out = &r->p->stream[e];
    uint32_t n = (uint32_t)(s.n / ISA_INSN_BYTES);
    out->code.at = n ? ARENA_ARRAY(r->a, n, isa_insn) : NULL;
    out->code.cap = n;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t word[ISA_INSN_BYTES];
        memcpy(word, s.p + (size_t)i * ISA_INSN_BYTES, sizeof word);
        if (!isa_decode(word, &out->code.at[i])) {
            diag(r->d, (loc){0}, D_OBJ_ILLEGAL, i, isa_engine_name(e));
            return false;
        }
        out->code.n++;
    }
    return true;
}

// ---- the line table

static bool
read_source(reader *r, const char *row, str bytes)
{
    obj_source o;
    str name;
    isa_source s;
    memcpy(&o, row, sizeof o);
    if (!slice(bytes, o.name_off, o.name_len, &name) || !is_name(name) ||
        !slice(bytes, o.text_off, o.text_len, &s.text))
        return bad(r, SEC_LINES, "a source is damaged");
    s.name = str_z(r->a, name);
    vec_push(r->a, &r->p->sources, s);
    return true;
}

static bool
line_is_good(const reader *r, const obj_line *l, const isa_stream *s,
             uint32_t at_least)
{
    if (l->first < at_least || l->first >= s->code.n ||
        l->source > r->p->sources.n || l->begin > l->end)
        return false;
    size_t n = l->source ? r->p->sources.at[l->source - 1].text.n : 0;
    return l->end <= n;
}

// Expands n records to one range an instruction.
static bool
read_ranges(reader *r, isa_stream *s, const char *rows, uint32_t n)
{
    if (!n)
        return true;
    s->at.at = ARENA_ARRAY(r->a, s->code.n, loc);
    s->at.n = s->at.cap = s->code.n;
    uint32_t done = 0;
    loc now = {0};
    for (uint32_t i = 0; i < n; i++) {
        obj_line l;
        memcpy(&l, rows + (size_t)i * sizeof l, sizeof l);
        if (!line_is_good(r, &l, s, i ? done + 1 : 0))
            return bad(r, SEC_LINES, "a range is damaged");
        for (; done < l.first; done++)
            s->at.at[done] = now;
        now = (loc){l.source, l.begin, l.end};
        // 'done' stays at the record's first instruction until it is filled.
        s->at.at[done] = now;
    }
    for (; done < s->code.n; done++)
        s->at.at[done] = now;
    return true;
}

static bool
read_lines(reader *r)
{
    str s = r->s->data[SEC_LINES];
    obj_lines h;
    if (!s.p || s.n < sizeof h)
        return bad(r, SEC_LINES, "it is missing or too short");
    memcpy(&h, s.p, sizeof h);
    uint64_t sources_at = sizeof h;
    uint64_t lines_at = sources_at + (uint64_t)h.sources * sizeof(obj_source);
    uint64_t bytes_at = lines_at;
    for (uint32_t e = 0; e < ARRAY_LEN(h.lines); e++)
        bytes_at += (uint64_t)h.lines[e] * sizeof(obj_line);
    if (h.sources > OBJ_MAX_SOURCES || bytes_at > s.n)
        return bad(r, SEC_LINES, "its counts are damaged");
    str bytes = {s.p + bytes_at, s.n - (size_t)bytes_at};
    for (uint32_t i = 0; i < h.sources; i++) {
        if (!read_source(r, s.p + sources_at + i * sizeof(obj_source), bytes))
            return false;
    }
    const char *rows = s.p + lines_at;
    for (uint32_t e = 0; e < ARRAY_LEN(h.lines); e++) {
        if (!read_ranges(r, &r->p->stream[ISA_ENG_TENSOR + e], rows,
                         h.lines[e]))
            return false;
        rows += (size_t)h.lines[e] * sizeof(obj_line);
    }
    return true;
}

bool
object_read_sections(arena *a, diags *d, const section_set *s, isa_program *out)
{
    reader r = {a, d, s, out};
    if (!read_target(&r) || !read_tensors(&r) || !read_sems(&r))
        return false;
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++) {
        if (!read_stream(&r, e))
            return false;
    }
    if (!read_lines(&r))
        return false;
    out->tensor_ir = s->data[SEC_TENSOR_IR];
    out->tile_ir = s->data[SEC_TILE_IR];
    return true;
}
