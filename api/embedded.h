// SPDX-License-Identifier: Apache-2.0
// The named operators of lib/*.tk, inside the library; the table is generated.
#ifndef SY_EMBEDDED_H
#define SY_EMBEDDED_H

#include <stddef.h>
#include <stdint.h>

struct embedded_file {
    const char *name;
    const char *text;
    size_t n;
};

extern const struct embedded_file embedded_lib[];
extern const uint32_t embedded_lib_count;

#endif
