// SPDX-License-Identifier: Apache-2.0
// Fuzz target: objects. Most mutations are caught by the hash, so the bytes
// are tried as they are, and once more with the hash made right. The mutator
// works inside of one section at a time: what shifts the sections only shows
// again that shifted ones are rejected.
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "isa-spec/object_int.h"

// ---- a reader that forgives

// The section headers that lie inside of the file, as far as they do.
static uint32_t
sections(const uint8_t *data, size_t size, Elf64_Shdr *out, uint32_t max)
{
    Elf64_Ehdr h;
    uint32_t n = 0;
    if (size < sizeof h)
        return 0;
    memcpy(&h, data, sizeof h);
    for (; n < h.e_shnum && n < max; n++) {
        uint64_t at = h.e_shoff + n * sizeof *out;
        if (at < h.e_shoff || at > size || size - at < sizeof *out)
            break;
        memcpy(&out[n], data + at, sizeof *out);
        if (out[n].sh_offset > size || out[n].sh_size > size - out[n].sh_offset)
            out[n].sh_size = 0;
    }
    return n;
}

static section_id
find_section(const uint8_t *data, const Elf64_Shdr *names, uint32_t name)
{
    section_id s = SEC_TEXT_TENSOR;
    for (; s < SEC_COUNT; s++) {
        size_t n = strlen(object_section_name(s)) + 1;
        if (name < names->sh_size && n <= names->sh_size - name &&
            memcmp(data + names->sh_offset + name, object_section_name(s), n) ==
                0)
            break;
    }
    return s;
}

enum { MAX_SECTIONS = 40 };

void
object_repair(uint8_t *data, size_t size)
{
    Elf64_Shdr sh[MAX_SECTIONS];
    Elf64_Ehdr h;
    section_set set = {0};
    uint8_t hash[OBJ_HASH_BYTES];
    uint64_t hash_at = 0;
    uint32_t n = sections(data, size, sh, MAX_SECTIONS);
    if (!n)
        return;
    memcpy(&h, data, sizeof h);
    if (h.e_shstrndx >= n)
        return;
    for (uint32_t i = 1; i < n; i++) {
        section_id s = find_section(data, &sh[h.e_shstrndx], sh[i].sh_name);
        if (s == SEC_COUNT || !sh[i].sh_size)
            continue;
        set.data[s] =
            (str){(const char *)data + sh[i].sh_offset, (size_t)sh[i].sh_size};
        if (s == SEC_HASH && sh[i].sh_size == OBJ_HASH_BYTES)
            hash_at = sh[i].sh_offset;
    }
    object_hash(&set, hash);
    if (hash_at)
        memcpy(data + hash_at, hash, sizeof hash);
}

// ---- entry

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, data, size);
    fuzz_compile(copy, size, SY_KIND_OBJECT);
    object_repair(copy, size);
    if (memcmp(copy, data, size) != 0)
        fuzz_compile(copy, size, SY_KIND_OBJECT);
    free(copy);
    return 0;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                        unsigned int seed)
{
    Elf64_Shdr sh[MAX_SECTIONS];
    uint32_t n = sections(data, size, sh, MAX_SECTIONS);
    if (n == 0 || seed % 16 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    const Elf64_Shdr *s = &sh[seed / 16 % n];
    if (!s->sh_size)
        return LLVMFuzzerMutate(data, size, max_size);
    // Only what keeps its length stays in its place.
    size_t at = (size_t)s->sh_offset, len = (size_t)s->sh_size;
    if (len > 128) {
        at += 128 * (seed / 1024 % (len / 128));
        len = 128;
    }
    uint8_t part[128];
    memcpy(part, data + at, len);
    LLVMFuzzerMutate(part, len, len);
    memcpy(data + at, part, len);
    object_repair(data, size);
    return size;
}
