// SPDX-License-Identifier: Apache-2.0
// What the tests of tensor IR share: an arena a test, and functions from text
// and back.
#ifndef SY_TESTS_TENSOR_TEXT_H
#define SY_TESTS_TENSOR_TEXT_H

#include "ir/tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static arena *mem;

static inline int
set_up(void **state)
{
    (void)state;
    mem = arena_new();
    return mem ? 0 : -1;
}

static inline int
tear_down(void **state)
{
    (void)state;
    arena_free(mem);
    return 0;
}

static inline tir_fn *
parse(const char *text, diags *d)
{
    diags_init(d, mem);
    return tir_parse(mem, d, diag_add_source(d, "t", str_of(text)));
}

static inline tir_fn *
parse_ok(const char *text)
{
    diags d;
    tir_fn *fn = parse(text, &d);
    if (!fn)
        print_error("%s\n%s\n", d.msgs.n ? d.msgs.at[0].text : "?", text);
    assert_non_null(fn);
    return fn;
}

static inline const char *
text_of(const tir_fn *fn)
{
    strbuf b = strbuf_new(mem);
    tir_print(fn, &b);
    return b.p;
}

static inline void
assert_round_trip(const tir_fn *fn)
{
    const char *text = text_of(fn);
    assert_string_equal(text_of(parse_ok(text)), text);
}

static inline void
assert_verifies(const tir_fn *fn)
{
    diags d;
    diags_init(&d, mem);
    if (!tir_verify(fn, &d))
        print_error("%s\n%s\n", d.msgs.at[0].text, text_of(fn));
    assert_int_equal(d.errors, 0);
}

#endif
