// SPDX-License-Identifier: Apache-2.0
// A program to an ELF64 object, by libelf in a memory file. The layout is
// libelf's for the sections in their fixed order, so that the same program
// gives the same bytes.
#include "isa-spec/isa_int.h"
#include "isa-spec/object_int.h"

#include <libelf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
    arena *a;
    diags *d;
    const isa_program *p;
    section_set set;
} writer;

static bool
refuse(const writer *w, const char *why)
{
    diag(w->d, (loc){0}, D_OBJ_WRITE, why);
    return false;
}

static void
put_bytes(strbuf *b, const void *p, size_t n)
{
    if (n)
        strbuf_put(b, (str){p, n});
}

// ---- section contents

static bool
build_text(writer *w, isa_engine e)
{
    const isa_stream *s = &w->p->stream[e];
    if (!s->code.n)
        return true;
    uint8_t *bytes = arena_array(w->a, s->code.n, ISA_INSN_BYTES);
    for (uint32_t i = 0; i < s->code.n; i++) {
        const isa_insn *in = &s->code.at[i];
        const char *field;
        if (!isa_encode(in, bytes + (size_t)i * ISA_INSN_BYTES, &field)) {
            loc at = {0};
            diag(w->d, at, D_OBJ_ENCODE, i, isa_engine_name(e),
                 isa_mnemonic(in->op), field);
            return false;
        }
    }
    section_id id =
        (section_id)((int)SEC_TEXT_TENSOR + (int)e - (int)ISA_ENG_TENSOR);
    w->set.data[id] =
        (str){(const char *)bytes, (size_t)s->code.n * ISA_INSN_BYTES};
    return true;
}

static bool
build_target(writer *w)
{
    const char *target = w->p->target, *kernel = w->p->kernel;
    if (!target || !kernel || !target[0] || !kernel[0])
        return refuse(w, "the target or the kernel has no name");
    strbuf b = strbuf_new(w->a);
    obj_target head = {.version = OBJ_VERSION,
                       .name_len = (uint32_t)strlen(target),
                       .kernel_len = (uint32_t)strlen(kernel)};
    put_bytes(&b, &head, sizeof head);
    put_bytes(&b, target, head.name_len);
    put_bytes(&b, kernel, head.kernel_len);
    w->set.data[SEC_TARGET] = strbuf_str(&b);
    return true;
}

static bool
add_tensor(writer *w, const isa_tensor *t, strbuf *rows, strbuf *names,
           strbuf *data)
{
    static const char zeros[OBJ_DATA_ALIGN];
    uint64_t bytes;
    obj_tensor r = {.name_off = (uint32_t)names->n,
                    .name_len = (uint32_t)strlen(t->name),
                    .kind = (uint32_t)t->kind,
                    .dtype = (uint32_t)t->dtype,
                    .rank = t->rank};
    if (t->rank > ISA_RANK || !isa_tensor_bytes(t, &bytes))
        return refuse(w, "a tensor's size does not fit 63 bits");
    memcpy(r.shape, t->shape, t->rank * sizeof r.shape[0]);
    if (t->kind == OBJ_TENSOR_CONST) {
        if (t->data.n != bytes)
            return refuse(w, "a constant's data do not match its shape");
        put_bytes(data, zeros,
                  (size_t)(align_up(data->n, OBJ_DATA_ALIGN) - data->n));
        r.const_off = data->n;
        put_bytes(data, t->data.p, t->data.n);
    }
    put_bytes(rows, &r, sizeof r);
    put_bytes(names, t->name, r.name_len);
    return true;
}

static bool
build_tensors(writer *w)
{
    strbuf rows = strbuf_new(w->a), names = strbuf_new(w->a);
    strbuf data = strbuf_new(w->a);
    uint32_t n = w->p->tensors.n;
    if (n > OBJ_MAX_TENSORS)
        return refuse(w, "too many tensors");
    put_bytes(&rows, &n, sizeof n);
    for (uint32_t i = 0; i < n; i++) {
        if (!add_tensor(w, &w->p->tensors.at[i], &rows, &names, &data))
            return false;
    }
    put_bytes(&rows, names.p, names.n);
    w->set.data[SEC_TENSORS] = strbuf_str(&rows);
    if (data.n)
        w->set.data[SEC_CONST] = strbuf_str(&data);
    return true;
}

static bool
build_sems(writer *w)
{
    strbuf b = strbuf_new(w->a);
    if (w->p->sems.n > ISA_SEMS)
        return refuse(w, "too many semaphores");
    for (uint32_t i = 0; i < w->p->sems.n; i++) {
        const isa_sem *s = &w->p->sems.at[i];
        obj_sem r = {.producer_engine = (uint8_t)s->producer,
                     .producer_queue = (uint8_t)s->queue,
                     .consumer_engine = (uint8_t)s->consumer,
                     .initial = s->initial};
        put_bytes(&b, &r, sizeof r);
    }
    if (b.n)
        w->set.data[SEC_SEMS] = strbuf_str(&b);
    return true;
}

// One record where the range changes; before the first, it is unknown.
static uint32_t
add_lines(const isa_stream *s, strbuf *b)
{
    loc last = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->at.n && i < s->code.n; i++) {
        const loc *at = &s->at.at[i];
        if (at->source == last.source && at->begin == last.begin &&
            at->end == last.end)
            continue;
        obj_line r = {i, at->source, at->begin, at->end};
        put_bytes(b, &r, sizeof r);
        last = *at;
        n++;
    }
    return n;
}

static void
add_string(str s, strbuf *bytes, uint32_t *off, uint32_t *len)
{
    *off = (uint32_t)bytes->n;
    *len = (uint32_t)s.n;
    put_bytes(bytes, s.p, s.n);
}

static bool
build_lines(writer *w)
{
    strbuf b = strbuf_new(w->a), rows = strbuf_new(w->a);
    strbuf bytes = strbuf_new(w->a);
    obj_lines head = {.sources = w->p->sources.n};
    if (head.sources > OBJ_MAX_SOURCES)
        return refuse(w, "too many sources");
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
        head.lines[(int)e - (int)ISA_ENG_TENSOR] =
            add_lines(&w->p->stream[e], &rows);
    put_bytes(&b, &head, sizeof head);
    for (uint32_t i = 0; i < head.sources; i++) {
        const isa_source *s = &w->p->sources.at[i];
        obj_source r = {0};
        add_string(str_of(s->name), &bytes, &r.name_off, &r.name_len);
        add_string(s->text, &bytes, &r.text_off, &r.text_len);
        put_bytes(&b, &r, sizeof r);
    }
    if (bytes.n > UINT32_MAX)
        return refuse(w, "the sources are larger than 4 GiB");
    put_bytes(&b, rows.p, rows.n);
    put_bytes(&b, bytes.p, bytes.n);
    w->set.data[SEC_LINES] = strbuf_str(&b);
    return true;
}

static bool
build_sections(writer *w)
{
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++) {
        if (!build_text(w, e))
            return false;
    }
    if (!build_target(w) || !build_tensors(w) || !build_sems(w) ||
        !build_lines(w))
        return false;
    if (w->p->tensor_ir.n)
        w->set.data[SEC_TENSOR_IR] = w->p->tensor_ir;
    if (w->p->tile_ir.n)
        w->set.data[SEC_TILE_IR] = w->p->tile_ir;
    uint8_t *hash = arena_alloc(w->a, OBJ_HASH_BYTES);
    object_hash(&w->set, hash);
    w->set.data[SEC_HASH] = (str){(const char *)hash, OBJ_HASH_BYTES};
    return true;
}

// ---- the file

static bool
add_section(Elf *elf, uint32_t name, const Elf64_Shdr *attributes, str data)
{
    Elf_Scn *scn = elf_newscn(elf);
    Elf64_Shdr *sh = scn ? elf64_getshdr(scn) : NULL;
    Elf_Data *d = scn ? elf_newdata(scn) : NULL;
    if (!sh || !d)
        return false;
    // libelf takes a pointer that it only reads from.
    union {
        const char *in;
        void *out;
    } p = {data.p};
    d->d_buf = p.out;
    d->d_size = data.n;
    d->d_type = ELF_T_BYTE;
    d->d_align = attributes->sh_addralign;
    d->d_version = EV_CURRENT;
    sh->sh_name = name;
    sh->sh_type = attributes->sh_type;
    sh->sh_flags = attributes->sh_flags;
    return true;
}

static bool
add_sections(writer *w, Elf *elf)
{
    strbuf names = strbuf_new(w->a);
    strbuf_putc(&names, '\0');
    for (section_id s = 0; s < SEC_COUNT; s++) {
        if (!w->set.data[s].p)
            continue;
        Elf64_Shdr at = {.sh_type = SHT_PROGBITS,
                         .sh_flags = object_section_flags(s),
                         .sh_addralign = object_section_align(s)};
        uint32_t name = (uint32_t)names.n;
        strbuf_put(&names, str_of(object_section_name(s)));
        strbuf_putc(&names, '\0');
        if (!add_section(elf, name, &at, w->set.data[s]))
            return false;
    }
    Elf64_Shdr at = {.sh_type = SHT_STRTAB, .sh_addralign = 1};
    uint32_t name = (uint32_t)names.n;
    strbuf_put(&names, STR(".shstrtab"));
    strbuf_putc(&names, '\0');
    return add_section(elf, name, &at, strbuf_str(&names));
}

static bool
write_elf(writer *w, Elf *elf)
{
    Elf64_Ehdr *eh = elf64_newehdr(elf);
    if (!eh)
        return false;
    eh->e_ident[EI_DATA] = ELFDATA2LSB;
    eh->e_type = ET_REL;
    eh->e_machine = EM_NONE;
    eh->e_version = EV_CURRENT;
    if (!add_sections(w, elf))
        return false;
    size_t n;
    if (elf_getshdrnum(elf, &n) != 0)
        return false;
    eh->e_shstrndx = (Elf64_Half)n;
    eh->e_shstrndx--;
    return elf_update(elf, ELF_C_WRITE) >= 0;
}

static bool
read_back(writer *w, int fd, str *out)
{
    off_t n = lseek(fd, 0, SEEK_END);
    if (n < 0)
        return false;
    char *p = arena_alloc(w->a, (size_t)n);
    for (size_t got = 0; got < (size_t)n;) {
        ssize_t k = pread(fd, p + got, (size_t)n - got, (off_t)got);
        if (k <= 0)
            return false;
        got += (size_t)k;
    }
    *out = (str){p, (size_t)n};
    return true;
}

bool
isa_object_write(arena *a, const isa_program *p, str *out, diags *d)
{
    writer w = {.a = a, .d = d, .p = p};
    if (!build_sections(&w))
        return false;
    if (elf_version(EV_CURRENT) == EV_NONE)
        return refuse(&w, "libelf is too old");
    int fd = memfd_create("systole-object", MFD_CLOEXEC);
    if (fd < 0)
        return refuse(&w, "no memory file");
    Elf *elf = elf_begin(fd, ELF_C_WRITE, NULL);
    bool ok = elf && write_elf(&w, elf);
    if (elf)
        elf_end(elf);
    ok = ok && read_back(&w, fd, out);
    close(fd);
    return ok ? true : refuse(&w, "libelf failed");
}
