// SPDX-License-Identifier: Apache-2.0
// An ELF64 object to a program, trusting nothing: every offset, size and count
// is checked before it is used or allocated for, and every byte of the file
// has to mean something, so that a flipped bit anywhere is noticed.
// objsection.c reads what is inside of the sections.
#include "isa-spec/isa_int.h"
#include "isa-spec/object_int.h"

#include <string.h>

enum { MAX_SECTIONS = 32, MAX_NAMES = 1024 };

// Bytes of the file that are accounted for.
typedef struct {
    uint64_t begin, end;
} extent;

typedef struct {
    diags *d;
    str file;
    Elf64_Ehdr eh;
    Elf64_Shdr sh[MAX_SECTIONS];
    str names; // .shstrtab
    extent extents[MAX_SECTIONS + 2];
    uint32_t nextents;
    section_set *set;
} reader;

static bool
malformed(const reader *r, const char *why)
{
    diag(r->d, (loc){0}, D_OBJ_FORMAT, why);
    return false;
}

bool
isa_object_detect(str bytes)
{
    return bytes.n >= SELFMAG && memcmp(bytes.p, ELFMAG, SELFMAG) == 0;
}

static bool
in_file(const reader *r, uint64_t off, uint64_t size)
{
    return off <= r->file.n && size <= r->file.n - off;
}

static bool
read_header(reader *r)
{
    static const unsigned char ident[EI_NIDENT] = {
        ELFMAG0,    ELFMAG1,     ELFMAG2,   ELFMAG3,
        ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
    if (r->file.n < sizeof r->eh)
        return malformed(r, "it is shorter than its header");
    memcpy(&r->eh, r->file.p, sizeof r->eh);
    const Elf64_Ehdr *h = &r->eh;
    if (memcmp(h->e_ident, ident, sizeof ident) != 0 || h->e_type != ET_REL ||
        h->e_machine != EM_NONE || h->e_version != EV_CURRENT)
        return malformed(r, "it is not an ELF64 object of this kind");
    if (h->e_entry || h->e_phoff || h->e_flags || h->e_phnum ||
        h->e_phentsize || h->e_ehsize != sizeof *h)
        return malformed(r, "its header has fields that do not belong there");
    if (h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shnum < 2 ||
        h->e_shnum > MAX_SECTIONS || h->e_shstrndx == 0 ||
        h->e_shstrndx >= h->e_shnum || h->e_shoff % 8 ||
        !in_file(r, h->e_shoff, h->e_shnum * sizeof(Elf64_Shdr)))
        return malformed(r, "its section table is damaged");
    memcpy(r->sh, r->file.p + h->e_shoff, h->e_shnum * sizeof(Elf64_Shdr));
    r->extents[r->nextents++] = (extent){0, sizeof *h};
    r->extents[r->nextents++] =
        (extent){h->e_shoff, h->e_shoff + h->e_shnum * sizeof(Elf64_Shdr)};
    return true;
}

// Contents of section i; its place in the file is claimed.
static bool
claim(reader *r, uint32_t i, str *out)
{
    const Elf64_Shdr *s = &r->sh[i];
    if (s->sh_size == 0 || !in_file(r, s->sh_offset, s->sh_size))
        return malformed(r, "a section lies outside of the file");
    if (s->sh_addr || s->sh_link || s->sh_info || s->sh_entsize)
        return malformed(r, "a section has attributes it should not have");
    if (s->sh_addralign == 0 || s->sh_offset % s->sh_addralign)
        return malformed(r, "a section is not aligned");
    *out = (str){r->file.p + s->sh_offset, (size_t)s->sh_size};
    r->extents[r->nextents++] =
        (extent){s->sh_offset, s->sh_offset + s->sh_size};
    return true;
}

static bool
read_names(reader *r)
{
    static const Elf64_Shdr zero;
    const Elf64_Shdr *s = &r->sh[r->eh.e_shstrndx];
    if (memcmp(&r->sh[0], &zero, sizeof zero) != 0)
        return malformed(r, "its first section is not empty");
    if (s->sh_type != SHT_STRTAB || s->sh_flags || s->sh_addralign != 1 ||
        s->sh_size > MAX_NAMES)
        return malformed(r, "its table of names is damaged");
    if (!claim(r, r->eh.e_shstrndx, &r->names))
        return false;
    if (r->names.p[0] || r->names.p[r->names.n - 1])
        return malformed(r, "its table of names is damaged");
    return true;
}

// Every byte of the names is the start, or part of a name that is used.
static bool
check_names(const reader *r)
{
    bool used[MAX_NAMES] = {true};
    for (uint32_t i = 1; i < r->eh.e_shnum; i++) {
        size_t n = strlen(r->names.p + r->sh[i].sh_name) + 1;
        memset(used + r->sh[i].sh_name, 1, n);
    }
    for (size_t i = 0; i < r->names.n; i++) {
        if (!used[i] && (r->names.p[i] || i + 1 == r->names.n))
            return malformed(r, "its table of names has unused ones");
    }
    return true;
}

static bool
read_section(reader *r, uint32_t i, const char *name)
{
    for (section_id s = 0; s < SEC_COUNT; s++) {
        if (strcmp(name, object_section_name(s)) != 0)
            continue;
        const Elf64_Shdr *h = &r->sh[i];
        if (r->set->data[s].p)
            return malformed(r, "a section is there twice");
        if (h->sh_type != SHT_PROGBITS ||
            h->sh_flags != object_section_flags(s) ||
            h->sh_addralign != object_section_align(s))
            return malformed(r, "a section has attributes it should not have");
        return claim(r, i, &r->set->data[s]);
    }
    return malformed(r, "it has a section of unknown name");
}

static bool
read_sections(reader *r)
{
    for (uint32_t i = 1; i < r->eh.e_shnum; i++) {
        if (r->sh[i].sh_name >= r->names.n)
            return malformed(r, "a section's name is damaged");
        const char *name = r->names.p + r->sh[i].sh_name;
        if (i == r->eh.e_shstrndx) {
            if (strcmp(name, ".shstrtab") != 0)
                return malformed(r, "its table of names is damaged");
        } else if (!read_section(r, i, name)) {
            return false;
        }
    }
    return check_names(r);
}

// Extents may not overlap; what lies between them is zero.
static bool
check_extents(reader *r)
{
    for (uint32_t i = 1; i < r->nextents; i++) {
        extent x = r->extents[i];
        uint32_t k = i;
        for (; k && r->extents[k - 1].begin > x.begin; k--)
            r->extents[k] = r->extents[k - 1];
        r->extents[k] = x;
    }
    uint64_t at = 0;
    for (uint32_t i = 0; i < r->nextents; i++) {
        if (r->extents[i].begin < at)
            return malformed(r, "its parts overlap");
        for (; at < r->extents[i].begin; at++) {
            if (r->file.p[at])
                return malformed(r, "there is something between its parts");
        }
        at = r->extents[i].end;
    }
    if (at != r->file.n)
        return malformed(r, "there is something after its end");
    return true;
}

static bool
check_hash(const reader *r)
{
    uint8_t hash[OBJ_HASH_BYTES];
    str want = r->set->data[SEC_HASH];
    if (!want.p || want.n != OBJ_HASH_BYTES)
        return malformed(r, "it has no hash");
    object_hash(r->set, hash);
    if (memcmp(hash, want.p, OBJ_HASH_BYTES) == 0)
        return true;
    diag(r->d, (loc){0}, D_OBJ_HASH);
    return false;
}

bool
isa_object_read(arena *a, diags *d, str bytes, isa_program *out)
{
    section_set set = {0};
    memset(out, 0, sizeof *out);
    reader *r = ARENA_NEW(a, reader);
    r->d = d;
    r->file = bytes;
    r->set = &set;
    return read_header(r) && read_names(r) && read_sections(r) &&
           check_extents(r) && check_hash(r) &&
           object_read_sections(a, d, &set, out);
}
