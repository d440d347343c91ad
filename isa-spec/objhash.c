// SPDX-License-Identifier: Apache-2.0
// The sections of an object and the hash over them.
#include "isa-spec/object_int.h"

#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

static const char *const names[SEC_COUNT] = {
    [SEC_TEXT_TENSOR] = OBJ_SECTION_TEXT "tensor",
    [SEC_TEXT_VECTOR] = OBJ_SECTION_TEXT "vector",
    [SEC_TEXT_SCALAR] = OBJ_SECTION_TEXT "scalar",
    [SEC_TEXT_GPSIMD] = OBJ_SECTION_TEXT "gpsimd",
    [SEC_TEXT_SYNC] = OBJ_SECTION_TEXT "sync",
    [SEC_TARGET] = OBJ_SECTION_TARGET,
    [SEC_TENSORS] = OBJ_SECTION_TENSORS,
    [SEC_SEMS] = OBJ_SECTION_SEMS,
    [SEC_CONST] = OBJ_SECTION_CONST,
    [SEC_LINES] = OBJ_SECTION_LINES,
    [SEC_TENSOR_IR] = OBJ_SECTION_TENSOR_IR,
    [SEC_TILE_IR] = OBJ_SECTION_TILE_IR,
    [SEC_HASH] = OBJ_SECTION_HASH,
};

const char *
object_section_name(section_id s)
{
    return names[s];
}

uint64_t
object_section_flags(section_id s)
{
    return s <= SEC_TEXT_SYNC ? SHF_ALLOC | SHF_EXECINSTR : 0;
}

uint64_t
object_section_align(section_id s)
{
    return s <= SEC_TEXT_SYNC ? OBJ_TEXT_ALIGN : OBJ_DATA_ALIGN;
}

void
object_hash(const section_set *s, uint8_t out[OBJ_HASH_BYTES])
{
    XXH3_state_t state;
    XXH128_canonical_t canonical;
    XXH3_INITSTATE(&state);
    (void)XXH3_128bits_reset(&state);
    for (section_id i = 0; i < SEC_HASH; i++) {
        if (!s->data[i].p)
            continue;
        uint64_t n = s->data[i].n;
        (void)XXH3_128bits_update(&state, names[i], strlen(names[i]) + 1);
        (void)XXH3_128bits_update(&state, &n, sizeof n);
        (void)XXH3_128bits_update(&state, s->data[i].p, s->data[i].n);
    }
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
    memcpy(out, canonical.digest, OBJ_HASH_BYTES);
}
