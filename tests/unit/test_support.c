// SPDX-License-Identifier: Apache-2.0
// support/: arenas, vectors, strings, numbers, maps, diagnostics, files.
#include "support/support.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int
setup(void **state)
{
    *state = arena_new();
    return *state ? 0 : 1;
}

static int
teardown(void **state)
{
    arena_free(*state);
    return 0;
}

// ---- arena

static void
arena_gives_zeroed_aligned_memory_again(void **state)
{
    arena *a = *state;
    for (uint32_t round = 0; round < 3; round++) {
        arena_mark m = arena_save(a);
        for (size_t n = 1; n < 200000; n = n * 3 + 1) {
            unsigned char *p = arena_alloc(a, n);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xa5, n);
        }
        arena_restore(a, m);
    }
}

static void
arena_limit_and_overflow_jump(void **state)
{
    (void)state;
    arena *a = arena_new();
    jmp_buf oom;
    volatile int jumps = 0;
    if (setjmp(oom))
        jumps++;
    arena_on_oom(a, &oom);
    arena_limit(a, 1 << 20);
    if (jumps == 0)
        arena_alloc(a, 2 << 20);
    if (jumps == 1)
        arena_array(a, SIZE_MAX / 2, 3);
    if (jumps == 2)
        arena_alloc(a, SIZE_MAX);
    assert_int_equal(jumps, 3);
    arena_free(a);
}

static void
vec_keeps_elements_and_zeroes_new_ones(void **state)
{
    arena *a = *state;
    VEC(uint64_t) v = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        if (i % 2)
            vec_push(a, &v, i * i);
        else
            assert_int_equal(*vec_add(a, &v), 0);
    }
    assert_int_equal(v.n, 1000);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(v.at[i], i % 2 ? i * i : 0);
    assert_int_equal(*vec_last(&v), 999 * 999);
    v.n = 0; // used again, an added element is still zero
    vec_push(a, &v, 5);
    assert_int_equal(*vec_add(a, &v), 0);
}

// ---- strings

static void
strings_compare(void **state)
{
    arena *a = *state;
    assert_true(str_eq(STR("ab"), str_of("ab")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_eq((str){NULL, 0}, STR("")));
    assert_true(str_cmp(STR("ab"), STR("abc")) < 0);
    assert_true(str_cmp(STR("b"), STR("abc")) > 0);
    assert_int_equal(str_cmp(STR("x"), STR("x")), 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
    assert_string_equal(str_z(a, (str){"abcdef", 3}), "abc");
    assert_string_equal(str_z(a, (str){NULL, 0}), "");
}

static void
distance_is_levenshtein(void **state)
{
    (void)state;
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 9), 3);
    assert_int_equal(str_distance(STR(""), STR("abc"), 9), 3);
    assert_int_equal(str_distance(STR("abc"), STR(""), 9), 3);
    assert_int_equal(str_distance(STR("same"), STR("same"), 9), 0);
    assert_int_equal(str_distance(STR("matmul"), STR("mamtul"), 9), 2);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 2), 2);
}

static void
strbuf_grows(void **state)
{
    arena *a = *state;
    strbuf b = strbuf_new(a);
    assert_string_equal(strbuf_str(&b).p, "");
    for (int i = 0; i < 3000; i++)
        strbuf_printf(&b, "%d,", i % 10);
    assert_int_equal(b.n, 6000);
    assert_int_equal(strlen(b.p), 6000);
    strbuf_printf(&b, "%300s|", "x");
    assert_int_equal(b.n, 6301);
    assert_int_equal(b.p[6299], 'x');
    assert_string_equal(arena_printf(a, "%s-%d", "a", 7), "a-7");
}

// ---- numbers

static const char *
f32_text(arena *a, float x)
{
    strbuf b = strbuf_new(a);
    strbuf_f32(&b, x);
    return b.p;
}

static void
f32_has_shortest_text(void **state)
{
    arena *a = *state;
    assert_string_equal(f32_text(a, 1.5f), "1.5");
    assert_string_equal(f32_text(a, 0.1f), "0.1");
    assert_string_equal(f32_text(a, 1.0f), "1.0");
    assert_string_equal(f32_text(a, -0.0f), "-0.0");
    assert_string_equal(f32_text(a, 100000.0f), "1e+05");
    assert_string_equal(f32_text(a, 16777216.0f), "16777216.0");
    assert_string_equal(f32_text(a, HUGE_VALF), "inf");
    assert_string_equal(f32_text(a, -HUGE_VALF), "-inf");
    assert_string_equal(f32_text(a, -NAN), "nan");
    assert_string_equal(f32_text(a, 1e-45f), "1e-45");
    assert_string_equal(f32_text(a, 3.4028235e38f), "3.4028235e+38");
}

// Random bit patterns: the text must read back to the same number, through
// libc and through ours, and one digit less must not always do.
static void
f32_text_reads_back(void **state)
{
    arena *a = *state;
    uint64_t rng = 1;
    for (int i = 0; i < 20000; i++) {
        union {
            uint32_t u;
            float f;
        } x = {(uint32_t)rng_next(&rng)}, y;
        if (!isfinite(x.f))
            continue;
        arena_mark m = arena_save(a);
        const char *text = f32_text(a, x.f);
        y.f = strtof(text, NULL);
        assert_int_equal(x.u, y.u);
        double d = 0;
        assert_true(str_to_f64(str_of(text), &d));
        assert_true(strpbrk(text, ".e") != NULL);
        arena_restore(a, m);
    }
}

static void
integers_are_parsed_whole(void **state)
{
    (void)state;
    int64_t i = 7;
    uint64_t u = 7;
    assert_true(str_to_i64(STR("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_true(str_to_i64(STR("9223372036854775807"), &i));
    assert_true(i == INT64_MAX);
    assert_false(str_to_i64(STR("9223372036854775808"), &i));
    assert_false(str_to_i64(STR("-9223372036854775809"), &i));
    assert_false(str_to_i64(STR(""), &i));
    assert_false(str_to_i64(STR("-"), &i));
    assert_false(str_to_i64(STR("1 "), &i));
    assert_false(str_to_i64(STR("+1"), &i));
    assert_false(str_to_i64(STR("1x"), &i));
    assert_true(str_to_u64(STR("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &u));
    assert_true(str_to_u64(STR("0xFf"), &u));
    assert_int_equal(u, 255);
    assert_true(str_to_u64(STR("0xffffffffffffffff"), &u));
    assert_false(str_to_u64(STR("0x10000000000000000"), &u));
    assert_false(str_to_u64(STR("0x"), &u));
    assert_false(str_to_u64(STR("-1"), &u));
    assert_false(str_to_u64(STR("a"), &u));
}

static void
check_f64(const char *text, double want)
{
    double got = 99;
    assert_true(str_to_f64(str_of(text), &got));
    assert_memory_equal(&got, &want, sizeof got);
}

static void
floats_are_correctly_rounded(void **state)
{
    arena *a = *state;
    double d = 0;
    check_f64("0.1", 0.1);
    check_f64("-0", -0.0);
    check_f64("1e23", 1e23);
    check_f64(".5", 0.5);
    check_f64("5.", 5.0);
    check_f64("1E2", 100.0);
    check_f64("4.9e-324", 4.9e-324);
    check_f64("2e-324", 0.0);
    check_f64("1e-9999999999999999999", 0.0);
    check_f64("0e9999999999", 0.0);
    check_f64("1.7976931348623157e308", 1.7976931348623157e308);
    check_f64("inf", (double)INFINITY);
    check_f64("-inf", -(double)INFINITY);
    check_f64("0.000000000000000000000000000001e30", 1.0);
    assert_false(str_to_f64(STR("1e309"), &d));
    const char *bad[] = {"",   ".",  "e5",  "1e",       "1e+", "0x1p3", "1.2.3",
                         " 1", "1 ", "1,5", "infinity", "--1", "1f",    "+-1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(str_to_f64(str_of(bad[i]), &d));
    // 1 + 2^-53 is halfway and rounds to even; a digit a thousand places on
    // decides otherwise.
    strbuf b = strbuf_new(a);
    strbuf_put(&b,
               STR("1.00000000000000011102230246251565404236316680908203125"));
    check_f64(b.p, 1.0);
    for (int i = 0; i < 1000; i++)
        strbuf_putc(&b, '0');
    strbuf_putc(&b, '1');
    check_f64(b.p, 1.0 + 0x1p-52);
}

// A process may have a locale with a decimal comma.
static void
numbers_ignore_the_locale(void **state)
{
    arena *a = *state;
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        (void)setlocale(LC_ALL, "");
    check_f64("1.5", 1.5);
    assert_string_equal(f32_text(a, 1.5f), "1.5");
    assert_string_equal(arena_printf(a, "%.1f", 1.5), "1.5");
    setlocale(LC_ALL, "C");
}

// ---- maps

static void
map_finds_what_was_put(void **state)
{
    arena *a = *state;
    map m = map_new(a);
    assert_null(map_get_str(&m, STR("x")));
    for (uint32_t i = 0; i < 5000; i++) {
        map_put_u64(&m, (uint64_t)i * 0x100000001u, i);
        map_put_str(&m, str_of(arena_printf(a, "k%u", i)), i + 1);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t *v = map_get_u64(&m, (uint64_t)i * 0x100000001u);
        assert_non_null(v);
        assert_int_equal(*v, i);
        v = map_get_str(&m, str_of(arena_printf(a, "k%u", i)));
        assert_non_null(v);
        assert_int_equal(*v, i + 1);
    }
    assert_null(map_get_str(&m, STR("k5000")));
    assert_null(map_get_u64(&m, 3));
    map_put_str(&m, STR("k7"), 70);
    assert_int_equal(*map_get_str(&m, STR("k7")), 70);
    assert_int_equal(m.n, 10000);
    assert_null(map_get_str(&m, STR("")));
    map_put_str(&m, STR(""), 5);
    assert_int_equal(*map_get_u64(&m, 0), 0);
    assert_int_equal(*map_get_str(&m, STR("")), 5);
}

// ---- arithmetic

static void
division_floors_and_ceils(void **state)
{
    (void)state;
    for (int64_t a = -40; a <= 40; a++) {
        for (int64_t b = 1; b <= 9; b++) {
            assert_int_equal(floor_div(a, b),
                             (int64_t)floor((double)a / (double)b));
            assert_int_equal(ceil_div(a, b),
                             (int64_t)ceil((double)a / (double)b));
        }
    }
    int64_t x = 0;
    uint64_t u = 0;
    assert_false(add_i64(INT64_MAX, 1, &x));
    assert_false(mul_i64(INT64_MIN, -1, &x));
    assert_true(mul_i64(-3, 5, &x) && x == -15);
    assert_false(mul_u64(UINT64_MAX, 2, &u));
    assert_int_equal(align_up(0, 8), 0);
    assert_int_equal(align_up(9, 8), 16);
    assert_int_equal(gcd_i64(-12, 18), 6);
    assert_int_equal(gcd_i64(0, 5), 5);
}

// The published first outputs of SplitMix64 for seed 1234567.
static void
rng_is_splitmix64(void **state)
{
    (void)state;
    static const uint64_t want[] = {6457827717110365317u, 3203168211198807973u,
                                    9817491932198370423u, 4593380528125082431u,
                                    16408922859458223821u};
    uint64_t seed = 1234567;
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(rng_next(&seed) == want[i]);
}

// ---- diagnostics

static const char *
rendered(const diags *d, uint32_t i, bool colour)
{
    strbuf b = strbuf_new(d->a);
    diag_render(d, &d->msgs.at[i], colour, &b);
    return b.p;
}

static void
diag_shows_place_caret_and_notes(void **state)
{
    diags d;
    diags_init(&d, *state);
    uint32_t src = diag_add_source(&d, "f.tk", STR("one\n\ttwo three\nlast"));
    diag(&d, (loc){src, 9, 14}, D_INTERNAL, "odd word");
    diag_note_add(&d, (loc){src, 0, 3}, "said %s", "here");
    diag_fix_add(&d, "%d", 3);
    assert_string_equal(rendered(&d, 0, false),
                        "f.tk:2:6: error: odd word [E0001]\n"
                        "     two three\n"
                        "         ^~~~~\n"
                        "    suggestion: 3\n"
                        "f.tk:1:1: note: said here\n"
                        "    one\n"
                        "    ^~~\n");
    diag(&d, (loc){src, 19, 19}, D_INTERNAL, "at the end");
    assert_string_equal(rendered(&d, 1, false),
                        "f.tk:3:5: error: at the end [E0001]\n"
                        "    last\n"
                        "        ^\n");
    diag(&d, (loc){0}, D_INTERNAL, "nowhere");
    assert_string_equal(rendered(&d, 2, false), "error: nowhere [E0001]\n");
    assert_non_null(strstr(rendered(&d, 0, true), "\033[1;31merror"));
}

static void
diag_escapes_what_terminals_obey(void **state)
{
    diags d;
    diags_init(&d, *state);
    uint32_t src = diag_add_source(&d, "\033[2Jx", STR("a\033b\xff\xc3\xa4 c"));
    diag(&d, (loc){src, 7, 8}, D_INTERNAL, "na\nme\x9b");
    assert_string_equal(rendered(&d, 0, false),
                        "\\x1b[2Jx:1:8: error: na\\x0ame\\x9b [E0001]\n"
                        "    a\\x1bb\\xff\xc3\xa4 c\n"
                        "                ^\n");
}

static void
diag_keeps_twenty_and_counts_all(void **state)
{
    diags d;
    diags_init(&d, *state);
    for (int i = 0; i < 100; i++) {
        diag(&d, (loc){0}, D_INTERNAL, "x");
        diag_note_add(&d, (loc){0}, "n");
    }
    assert_int_equal(d.errors, 100);
    assert_int_equal(d.msgs.n, 20);
    assert_int_equal(d.msgs.at[19].notes.n, 1);
}

static void
diag_survives_long_lines(void **state)
{
    diags d;
    diags_init(&d, *state);
    strbuf b = strbuf_new(*state);
    for (int i = 0; i < 100000; i++)
        strbuf_putc(&b, 'x');
    uint32_t src = diag_add_source(&d, "f", strbuf_str(&b));
    diag(&d, (loc){src, 50000, 60000}, D_INTERNAL, "long");
    assert_in_range(strlen(rendered(&d, 0, false)), 100, 1000);
    diag(&d, (loc){src, 4000000, 4000001}, D_INTERNAL, "past the end");
    assert_non_null(rendered(&d, 1, false));
}

static void
diag_numbers_are_unique(void **state)
{
    (void)state;
    for (int i = 1; i < D_COUNT; i++) {
        for (int j = 1; j < i; j++)
            assert_int_not_equal(diag_number((diag_id)i),
                                 diag_number((diag_id)j));
        assert_non_null(diag_format((diag_id)i));
    }
}

// ---- files

static uint32_t
count_entries(arena *a, const char *dir)
{
    str out;
    const char *err = NULL;
    char *command =
        arena_printf(a, "ls -A '%s' | wc -l > '%s.count'", dir, dir);
    assert_int_equal(system(command), 0);
    assert_true(
        file_read(a, arena_printf(a, "%s.count", dir), 100, &out, &err));
    return (uint32_t)atoi(str_z(a, out));
}

static void
files_appear_whole_or_not_at_all(void **state)
{
    arena *a = *state;
    char dir[] = "/tmp/systole-support-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const char *path = arena_printf(a, "%s/f", dir), *err = NULL;
    str data = STR("hello\0world"), back;
    assert_true(file_write(a, path, data, &err));
    assert_true(file_read(a, path, 100, &back, &err));
    assert_true(str_eq(data, back));
    assert_false(file_read(a, path, 5, &back, &err));
    assert_non_null(strstr(err, "large"));
    assert_false(file_read(a, dir, 100, &back, &err));
    assert_non_null(strstr(err, "directory"));
    assert_false(file_read(a, arena_printf(a, "%s/none", dir), 5, &back, &err));
    assert_false(file_write(a, arena_printf(a, "%s/none/f", dir), data, &err));
    assert_non_null(strstr(err, "none/f"));
    assert_int_equal(count_entries(a, dir), 1);

    file_staged s;
    assert_true(file_stage(a, path, STR("new"), &s, &err));
    assert_int_equal(count_entries(a, dir), 2);
    assert_true(file_read(a, path, 100, &back, &err) && str_eq(data, back));
    file_discard(&s);
    assert_int_equal(count_entries(a, dir), 1);
    assert_true(file_stage(a, path, STR("new"), &s, &err));
    assert_true(file_commit(a, &s, &err));
    assert_true(file_read(a, path, 100, &back, &err));
    assert_true(str_eq(STR("new"), back));
    assert_true(file_write(a, "/dev/null", data, &err));
    assert_int_equal(system(arena_printf(a, "rm -r '%s' '%s.count'", dir, dir)),
                     0);
}

// A link stays one, and a mode stays as it was.
static void
files_keep_links_and_modes(void **state)
{
    arena *a = *state;
    char dir[] = "/tmp/systole-support-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const char *file = arena_printf(a, "%s/f", dir), *err = NULL;
    const char *link = arena_printf(a, "%s/l", dir);
    assert_true(file_write(a, file, STR("1"), &err));
    assert_int_equal(chmod(file, 0600), 0);
    assert_int_equal(symlink("f", link), 0);
    assert_true(file_write(a, link, STR("2"), &err));
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    str back;
    assert_true(file_read(a, file, 9, &back, &err) && str_eq(back, STR("2")));
    assert_int_equal(system(arena_printf(a, "rm -r '%s'", dir)), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(arena_gives_zeroed_aligned_memory_again),
        T(arena_limit_and_overflow_jump),
        T(vec_keeps_elements_and_zeroes_new_ones),
        T(strings_compare),
        T(distance_is_levenshtein),
        T(strbuf_grows),
        T(f32_has_shortest_text),
        T(f32_text_reads_back),
        T(integers_are_parsed_whole),
        T(floats_are_correctly_rounded),
        T(numbers_ignore_the_locale),
        T(map_finds_what_was_put),
        T(division_floors_and_ceils),
        T(rng_is_splitmix64),
        T(diag_shows_place_caret_and_notes),
        T(diag_escapes_what_terminals_obey),
        T(diag_keeps_twenty_and_counts_all),
        T(diag_survives_long_lines),
        T(diag_numbers_are_unique),
        T(files_appear_whole_or_not_at_all),
        T(files_keep_links_and_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
