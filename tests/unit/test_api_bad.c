// SPDX-License-Identifier: Apache-2.0
// Calls of the C API that are wrong, as an outside program can make them: each
// gives its status and number, and the session goes on working.
#include "systole/systole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char source[] =
    "kernel k[N](x: f32[N]) -> (y: f32[N]) { y[i] = x[i] + 1.0 }\n";

static int
setup(void **state)
{
    *state = sy_session_new();
    return *state ? 0 : 1;
}

static int
teardown(void **state)
{
    sy_session_free(*state);
    return 0;
}

static sy_program *
program(sy_session *s)
{
    static const sy_dim dim = {"N", 3};
    sy_module *m = NULL;
    sy_program *p = NULL;
    sy_compile_options o = {.size = sizeof o, .dims = &dim, .dim_count = 1};
    assert_int_equal(
        sy_module_parse(s, "k.tk", source, sizeof source - 1, SY_KIND_AUTO, &m),
        SY_OK);
    assert_int_equal(sy_compile(s, m, &o, &p), SY_OK);
    return p;
}

// The only message there is.
static void
assert_code(sy_session *s, uint32_t code)
{
    assert_int_equal(sy_diagnostic_count(s), 1);
    assert_int_equal(sy_diagnostic_at(s, 0).code, code);
    assert_non_null(strstr(sy_diagnostic_text(s, 0, 0), "error: "));
    sy_diagnostics_clear(s);
}

static void
arrays_that_do_not_fit(void **state)
{
    sy_session *s = *state;
    sy_program *p = program(s);
    float x[4] = {0};
    sy_run_options o = {.size = sizeof o};
    assert_int_equal(sy_bind(s, p, "z", x, 12), SY_REJECTED);
    assert_code(s, 700);
    assert_int_equal(sy_bind(s, p, "x", x, sizeof x), SY_REJECTED);
    assert_code(s, 701); // E0701
    assert_int_equal(sy_bind(s, p, "x", x, 0), SY_REJECTED);
    assert_code(s, 701);
    assert_int_equal(sy_bind(s, p, "x", x, 12), SY_OK);
    assert_int_equal(sy_run(s, p, &o), SY_REJECTED);
    assert_code(s, 702); // E0702: y
    assert_int_equal(sy_bind(s, p, "y", x, 12), SY_OK);
    assert_int_equal(sy_run(s, p, &o), SY_OK);
    assert_true(x[0] == 1 && x[2] == 1 && x[3] == 0);
}

static void
wrong_calls(void **state)
{
    sy_session *s = *state;
    sy_module *m = NULL;
    sy_program *p = program(s);
    sy_run_options run = {.size = sizeof run + 1};
    sy_check_options check = {.size = 0};
    sy_compile_options compile = {.size = sizeof compile, .opt_level = 4};
    const sy_check_row *rows;
    size_t n;
    assert_int_equal(sy_module_parse(s, NULL, "", 0, SY_KIND_TK, &m), SY_USAGE);
    assert_int_equal(sy_module_parse(s, "k", NULL, 1, SY_KIND_TK, &m),
                     SY_USAGE);
    assert_int_equal(sy_compile(s, NULL, &compile, &p), SY_USAGE);
    assert_int_equal(sy_run(s, p, &run), SY_USAGE);
    assert_int_equal(sy_run(s, NULL, &run), SY_USAGE);
    assert_int_equal(sy_check(s, p, &check, &rows, &n), SY_USAGE);
    assert_int_equal(sy_bind(s, p, "x", NULL, 12), SY_USAGE);
    assert_int_equal(sy_draw(s, NULL, 0), SY_USAGE);
    assert_int_equal(sy_diagnostic_count(s), 0);
    assert_string_equal(sy_diagnostic_at(s, 7).text, "");
    assert_null(sy_explain(9999));
}

static void
inputs_that_are_too_large(void **state)
{
    sy_session *s = *state;
    sy_module *m = NULL;
    // Refused by its size alone: nothing beyond the first bytes is looked at.
    assert_int_equal(
        sy_module_parse(s, "big", source, (size_t)1 << 40, SY_KIND_AUTO, &m),
        SY_REJECTED);
    assert_code(s, 4);
    assert_null(m);
}

static void
limits_of_work(void **state)
{
    sy_session *s = *state;
    sy_program *p = program(s);
    const sy_check_row *rows;
    size_t n;
    float y[3];
    sy_run_options run = {.size = sizeof run, .max_instructions = 1};
    sy_check_options check = {.size = sizeof check, .max_instructions = 1};
    assert_int_equal(sy_bind(s, p, "y", y, sizeof y), SY_OK);
    assert_int_equal(sy_draw(s, p, 1), SY_OK);
    assert_int_equal(sy_run(s, p, &run), SY_LIMIT);
    assert_code(s, 890);
    assert_int_equal(sy_check(s, p, &check, &rows, &n), SY_LIMIT);
    assert_code(s, 890);
    run.max_instructions = 0;
    assert_int_equal(sy_run(s, p, &run), SY_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(arrays_that_do_not_fit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(wrong_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(inputs_that_are_too_large, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(limits_of_work, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
