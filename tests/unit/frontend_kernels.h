// SPDX-License-Identifier: Apache-2.0
// What the tests of the language share: the library parsed anew for each test,
// and kernels given as text.
#ifndef SY_TEST_FRONTEND_KERNELS_H
#define SY_TEST_FRONTEND_KERNELS_H

#include "frontend/frontend.h"

#include "api/embedded.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_LIBS = 64 };

static arena *mem;
static diags dg;
static tk_module *libs[MAX_LIBS];
static uint32_t nlibs;

static inline int
set_up(void **state)
{
    (void)state;
    mem = arena_new();
    diags_init(&dg, mem);
    nlibs = 0;
    for (uint32_t i = 0; i < embedded_lib_count; i++) {
        str text = {embedded_lib[i].text, embedded_lib[i].n};
        uint32_t s = diag_add_source(&dg, embedded_lib[i].name, text);
        libs[nlibs] = tk_parse(mem, &dg, s, libs, nlibs);
        if (!libs[nlibs++])
            return -1;
    }
    return 0;
}

static inline int
tear_down(void **state)
{
    (void)state;
    arena_free(mem);
    return 0;
}

static inline void
show_diags(void)
{
    for (uint32_t i = 0; i < dg.msgs.n; i++) {
        strbuf b = strbuf_new(mem);
        diag_render(&dg, &dg.msgs.at[i], false, &b);
        print_error("%s", b.p);
    }
}

static inline tk_module *
parse(const char *text)
{
    uint32_t s = diag_add_source(&dg, "t.tk", str_of(text));
    return tk_parse(mem, &dg, s, libs, nlibs);
}

static inline tk_module *
parse_ok(const char *text)
{
    tk_module *m = parse(text);
    if (!m)
        show_diags();
    assert_non_null(m);
    return m;
}

// Dims as "M=3 N=4".
static inline tir_fn *
lower(const tk_module *m, uint32_t kernel, const char *dims)
{
    tk_dim d[16];
    uint32_t n = 0;
    for (const char *p = dims; *p;) {
        size_t name = strcspn(p, "="), value = strcspn(p, " ") - name - 1;
        d[n].name = (str){p, name};
        assert_true(str_to_i64((str){p + name + 1, value}, &d[n++].value));
        p += name + 1 + value;
        p += *p == ' ';
    }
    return tk_lower(mem, &dg, m, kernel, d, n, NULL, 0);
}

static inline tir_fn *
lower_ok(const tk_module *m, const char *dims)
{
    tir_fn *fn = lower(m, 0, dims);
    if (!fn || !tir_verify(fn, &dg)) {
        show_diags();
        fail();
    }
    return fn;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
