// SPDX-License-Identifier: Apache-2.0
// Whole programs: object and text, both ways, and what a damaged one does.
#include "isa-spec/object_int.h"
#include "isa-spec/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char text[] =
    ".target \"trn2\"\n"
    ".kernel \"demo\"\n"
    ".source \"demo.tk\"\n"
    "\"# a \\\"quoted\\\" line, a tab\\x09and \\\\\\n\"\n"
    "\"y[i] = x[i]\\n\"\n"
    "\"no end of line\"\n"
    ".source \"lib.tk\"\n"
    ".tensor_ir\n"
    "\"fn demo\\n\"\n"
    "\"\\x00\\n\"\n"
    ".tile_ir\n"
    "\"tile demo\\n\"\n"
    ".tensor input bf16 [2,3] \"x\"\n"
    ".tensor output f32 [2,0,5] \"y\"\n"
    ".tensor temp i32 [] \"t\"\n"
    ".tensor const u16 [3] \"k\"\n"
    ".hex 0100feffabcd\n"
    ".tensor const f32 [0] \"none\"\n"
    ".tensor const u8 [33] \"long\"\n"
    ".hex 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
    ".hex 20\n"
    ".sem vector scalar 0\n"
    ".sem q3 gpsimd 63\n"
    ".stream vector\n"
    "    end\n"
    ".stream scalar\n"
    ".loc 1 0 5\n"
    "    mark wait s0:1\n"
    "    loop count=4 body=1\n"
    ".loc 1 6 9\n"
    "    act.f32 exp dst=sbuf[0,0x0]f32{(1,2)} a=psum[0,0x8+r3]f32"
    "{(-1,r7<=2)} s0=sbuf[0,0x4]f32 s1=0.1 parts=1 post s1:2@read\n"
    ".loc 0 0 0\n"
    "    endloop\n"
    "    end\n"
    ".stream sync\n"
    "    dma add queue=3 dst=hbm[1,0x10+r1,12]f32{(1,2)} "
    "a=sbuf[0,0x0]f32{(1,2)} parts=2 post s1:1@complete\n"
    "    reg r1=madd(r0,r56,-512) r2=add(r1,r57) r3=sub(r1,5)\n"
    "    end\n";

typedef struct {
    arena *a;
    diags d;
} fixture;

static void
fixture_open(fixture *f)
{
    f->a = arena_new();
    diags_init(&f->d, f->a);
}

static bool
parse(fixture *f, str s, isa_program *p)
{
    diags_init(&f->d, f->a);
    uint32_t source = diag_add_source(&f->d, "t.sys", s);
    return isa_program_parse(f->a, &f->d, source, p);
}

static str
object_of(fixture *f, const char *s)
{
    isa_program p;
    str object;
    if (!parse(f, str_of(s), &p))
        fail_msg("%s", f->d.msgs.at[0].text);
    if (!isa_object_write(f->a, &p, &object, &f->d))
        fail_msg("%s", f->d.msgs.at[0].text);
    return object;
}

static bool
read_object(fixture *f, str bytes, isa_program *p)
{
    diags_init(&f->d, f->a);
    bool ok = isa_object_read(f->a, &f->d, bytes, p);
    assert_true(ok == (f->d.msgs.n == 0));
    if (!ok)
        assert_in_range(diag_number(f->d.msgs.at[0].id), 520, 549);
    return ok;
}

static void
text_object_text_is_the_identity(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    isa_program p;
    str object = object_of(&f, text);
    assert_true(isa_object_detect(object));
    assert_true(read_object(&f, object, &p));
    strbuf b = strbuf_new(f.a);
    isa_program_print(&p, &b);
    assert_string_equal(b.p, text);
    str again = object_of(&f, b.p);
    assert_int_equal(object.n, again.n);
    assert_memory_equal(object.p, again.p, object.n);
    arena_free(f.a);
}

static void
an_object_holds_what_was_written(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    isa_program p;
    assert_true(read_object(&f, object_of(&f, text), &p));
    assert_string_equal(p.target, "trn2");
    assert_string_equal(p.kernel, "demo");
    assert_int_equal(p.tensors.n, 6);
    assert_int_equal(p.tensors.at[0].dtype, DT_BF16);
    assert_int_equal(p.tensors.at[0].shape[1], 3);
    assert_int_equal(p.tensors.at[2].rank, 0);
    assert_int_equal(p.tensors.at[3].kind, OBJ_TENSOR_CONST);
    assert_int_equal(p.tensors.at[3].data.n, 6);
    assert_memory_equal(p.tensors.at[3].data.p, "\x01\x00\xfe\xff\xab\xcd", 6);
    assert_int_equal(p.sems.n, 2);
    assert_int_equal(p.sems.at[1].queue, 3);
    assert_int_equal(p.sems.at[1].consumer, ISA_ENG_GPSIMD);
    assert_int_equal(p.sems.at[1].initial, 63);
    const isa_stream *s = &p.stream[ISA_ENG_SCALAR];
    assert_int_equal(s->code.n, 5);
    assert_int_equal(s->code.at[2].op, ISA_ACT);
    assert_int_equal(s->code.at[2].a.dim[0].step, -1);
    assert_int_equal(s->at.n, 5);
    assert_int_equal(s->at.at[1].end, 5);
    assert_int_equal(s->at.at[2].begin, 6);
    assert_int_equal(s->at.at[3].source, 0);
    assert_int_equal(p.stream[ISA_ENG_SYNC].at.n, 0);
    assert_int_equal(p.stream[ISA_ENG_TENSOR].code.n, 0);
    assert_int_equal(p.sources.n, 2);
    assert_int_equal(p.sources.at[1].text.n, 0);
    assert_int_equal(p.tensor_ir.n, 10);
    assert_true(str_eq_z(p.tile_ir, "tile demo\n"));
    arena_free(f.a);
}

static void
every_truncation_is_rejected(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    str object = object_of(&f, text);
    for (size_t n = 0; n < object.n; n++) {
        arena_mark m = arena_save(f.a);
        isa_program p;
        // In memory of its own size, so that a read past it is seen.
        str cut = str_dup(f.a, (str){object.p, n});
        assert_false(read_object(&f, cut, &p));
        arena_restore(f.a, m);
    }
    arena_free(f.a);
}

static void
every_flipped_bit_is_rejected(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    str object = object_of(&f, text);
    char *copy = str_z(f.a, object);
    str damaged = {copy, object.n};
    for (size_t i = 0; i < object.n * 8; i++) {
        arena_mark m = arena_save(f.a);
        isa_program p;
        copy[i / 8] = (char)(copy[i / 8] ^ 1 << i % 8);
        if (read_object(&f, damaged, &p))
            fail_msg("bit %zu of byte %zu may flip", i % 8, i / 8);
        copy[i / 8] = (char)(copy[i / 8] ^ 1 << i % 8);
        arena_restore(f.a, m);
    }
    arena_free(f.a);
}

static void
bytes_after_the_end_are_rejected(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    str object = object_of(&f, text);
    isa_program p;
    strbuf b = strbuf_new(f.a);
    strbuf_put(&b, object);
    strbuf_putc(&b, '\0');
    assert_false(read_object(&f, strbuf_str(&b), &p));
    arena_free(f.a);
}

// ---- damage with a hash that fits

// Finds the sections as any ELF reader would, without checks: the object is
// our own.
static void
find_sections(str object, section_set *set)
{
    Elf64_Ehdr h;
    Elf64_Shdr sh[32];
    memset(set, 0, sizeof *set);
    memcpy(&h, object.p, sizeof h);
    memcpy(sh, object.p + h.e_shoff, h.e_shnum * sizeof sh[0]);
    const char *names = object.p + sh[h.e_shstrndx].sh_offset;
    for (uint32_t i = 1; i < h.e_shnum; i++) {
        for (section_id s = 0; s < SEC_COUNT; s++) {
            if (strcmp(names + sh[i].sh_name, object_section_name(s)) == 0)
                set->data[s] =
                    (str){object.p + sh[i].sh_offset, (size_t)sh[i].sh_size};
        }
    }
}

// Whatever the sections say, the reader comes back; and what it accepts is
// something that text can say too.
static void
hostile_sections_are_read_safely(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    str object = object_of(&f, text);
    char *copy = str_z(f.a, object);
    str damaged = {copy, object.n};
    section_set set;
    find_sections(damaged, &set);
    uint64_t seed = 3;
    uint32_t accepted = 0, rejected = 0;
    for (uint32_t n = 0; n < 20000; n++) {
        arena_mark m = arena_save(f.a);
        memcpy(copy, object.p, object.n);
        for (uint32_t k = 0; k < 1 + n % 3; k++) {
            str s;
            do {
                s = set.data[rng_next(&seed) % SEC_HASH];
            } while (!s.p);
            size_t at = (size_t)(s.p - copy) + rng_next(&seed) % s.n;
            static const int values[] = {0, 1, 0xff, 0x7f, 0x80};
            uint64_t pick = rng_next(&seed);
            copy[at] = (char)(pick % 8 < 5 ? values[pick % 8]
                                           : (int)(pick >> 8 & 255));
        }
        object_hash(&set, (uint8_t *)copy + (set.data[SEC_HASH].p - copy));
        isa_program p;
        if (read_object(&f, damaged, &p)) {
            accepted++;
            strbuf b = strbuf_new(f.a);
            isa_program_print(&p, &b);
            isa_program q;
            if (!parse(&f, strbuf_str(&b), &q))
                fail_msg("%s: %s", f.d.msgs.at[0].text, b.p);
        } else {
            rejected++;
        }
        arena_restore(f.a, m);
    }
    assert_true(accepted > 100 && rejected > 100);
    arena_free(f.a);
}

static void
hostile_headers_are_read_safely(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    str object = object_of(&f, text);
    char *copy = str_z(f.a, object);
    Elf64_Ehdr h;
    memcpy(&h, object.p, sizeof h);
    uint64_t seed = 9;
    size_t table = h.e_shnum * sizeof(Elf64_Shdr);
    for (uint32_t n = 0; n < 20000; n++) {
        arena_mark m = arena_save(f.a);
        memcpy(copy, object.p, object.n);
        for (uint32_t k = 0; k < 2; k++) {
            size_t at = n % 2 ? rng_next(&seed) % sizeof h
                              : h.e_shoff + rng_next(&seed) % table;
            copy[at] = (char)rng_next(&seed);
        }
        isa_program p;
        if (memcmp(copy, object.p, object.n) != 0)
            assert_false(read_object(&f, (str){copy, object.n}, &p));
        arena_restore(f.a, m);
    }
    arena_free(f.a);
}

// ---- text

static void
bad_text_is_told_where(void **state)
{
    (void)state;
#define HEAD ".target \"trn2\"\n.kernel \"k\"\n"
    static const struct {
        const char *text;
        diag_id id;
        uint32_t line;
    } bad[] = {
        {"", D_ASM_EXPECTED, 1},
        {".target \"trn2\"\n", D_ASM_EXPECTED, 2},
        {HEAD ".frob\n", D_ASM_DIRECTIVE, 3},
        {HEAD ".kernel \"k\"\n", D_ASM_PLACE, 3},
        {HEAD ".target \"\"\n", D_ASM_PLACE, 3},
        {".target \"\"\n.kernel \"k\"\n", D_ASM_EXPECTED, 1},
        {".target \"a\\x00\"\n.kernel \"k\"\n", D_ASM_EXPECTED, 1},
        {HEAD "end\n", D_ASM_PLACE, 3},
        {HEAD "\"text\"\n", D_ASM_PLACE, 3},
        {HEAD ".source \"s\" x\n", D_ASM_EXPECTED, 3},
        {HEAD ".source \"s\n", D_ASM_EXPECTED, 3},
        {HEAD ".source \"s\"\n\"a\\q\"\n", D_ASM_EXPECTED, 4},
        {HEAD ".stream frob\n", D_ASM_EXPECTED, 3},
        {HEAD ".stream sync\nend\n.stream sync\n", D_ASM_PLACE, 5},
        {HEAD ".stream sync\nfrob\n", D_ASM_MNEMONIC, 4},
        {HEAD ".stream sync\n.loc 1 0 0\nend\n", D_ASM_PLACE, 4},
        {HEAD ".source \"s\"\n\"ab\"\n.stream sync\n.loc 1 0 3\nend\n",
         D_ASM_PLACE, 6},
        {HEAD ".sem q0 sync 0\n", D_ASM_PLACE, 3},
        {HEAD ".sem q17 sync 0\n", D_ASM_PLACE, 3},
        {HEAD ".sem sync 0\n", D_ASM_EXPECTED, 3},
        {HEAD ".sem sync sync x\n", D_ASM_EXPECTED, 3},
        {HEAD ".tensor frob f32 [] \"x\"\n", D_ASM_EXPECTED, 3},
        {HEAD ".tensor input f33 [] \"x\"\n", D_ASM_EXPECTED, 3},
        {HEAD ".tensor input f32 [-1] \"x\"\n", D_ASM_EXPECTED, 3},
        {HEAD ".tensor input f32 [1,1,1,1,1,1,1,1,1] \"x\"\n", D_ASM_EXPECTED,
         3},
        {HEAD ".tensor input f32 [4294967296,4294967296] \"x\"\n", D_ASM_PLACE,
         3},
        {HEAD ".hex 00\n", D_ASM_PLACE, 3},
        {HEAD ".tensor const u8 [2] \"x\"\n.hex 0\n", D_ASM_EXPECTED, 4},
        {HEAD ".tensor const u8 [2] \"x\"\n.hex 00\n.sem sync sync 0\n",
         D_ASM_PLACE, 5},
        {HEAD ".tensor const u8 [1] \"x\"\n.hex 0000\n", D_ASM_PLACE, 5},
    };
    fixture f;
    fixture_open(&f);
    for (uint32_t i = 0; i < ARRAY_LEN(bad); i++) {
        isa_program p;
        uint32_t line, col;
        assert_false(parse(&f, str_of(bad[i].text), &p));
        const diag_msg *m = &f.d.msgs.at[0];
        diag_line_col(&f.d, m->at, &line, &col);
        if (m->id != bad[i].id || line != bad[i].line)
            fail_msg("%u: %s at line %u", i, m->text, line);
    }
    arena_free(f.a);
}

static void
several_mistakes_are_told(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    isa_program p;
    assert_false(
        parse(&f, str_of(HEAD ".stream sync\nfrob\nend x\n.frob\n"), &p));
    assert_int_equal(f.d.msgs.n, 3);
    arena_free(f.a);
}

static void
damaged_text_is_read_safely(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    char *copy = str_z(f.a, STR(text));
    uint64_t seed = 5;
    uint32_t good = 0;
    for (uint32_t n = 0; n < 5000; n++) {
        arena_mark m = arena_save(f.a);
        memcpy(copy, text, sizeof text);
        static const char with[] = "0123456789ars[](){},.=+-<\"\\\n #:@_x";
        for (uint32_t k = 0; k <= n % 3; k++)
            copy[rng_next(&seed) % (sizeof text - 1)] =
                with[rng_next(&seed) % (sizeof with - 1)];
        isa_program p;
        str object;
        if (parse(&f, str_of(copy), &p)) {
            good++;
            assert_true(isa_object_write(f.a, &p, &object, &f.d));
            assert_true(read_object(&f, object, &p));
        } else {
            assert_true(f.d.msgs.n > 0);
        }
        arena_restore(f.a, m);
    }
    assert_true(good > 10);
    arena_free(f.a);
}

static void
what_does_not_encode_is_not_written(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    isa_program p;
    str object;
    assert_true(parse(&f, str_of(HEAD ".stream sync\nend\n"), &p));
    p.stream[ISA_ENG_SYNC].code.at[0].parts = 1;
    assert_false(isa_object_write(f.a, &p, &object, &f.d));
    assert_int_equal(f.d.msgs.at[0].id, D_OBJ_ENCODE);
    assert_non_null(strstr(f.d.msgs.at[0].text, "parts"));
    p.stream[ISA_ENG_SYNC].code.at[0].parts = 0;
    p.kernel = "";
    assert_false(isa_object_write(f.a, &p, &object, &f.d));
    assert_int_equal(f.d.msgs.at[1].id, D_OBJ_WRITE);
    arena_free(f.a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_object_text_is_the_identity),
        cmocka_unit_test(an_object_holds_what_was_written),
        cmocka_unit_test(every_truncation_is_rejected),
        cmocka_unit_test(every_flipped_bit_is_rejected),
        cmocka_unit_test(bytes_after_the_end_are_rejected),
        cmocka_unit_test(hostile_sections_are_read_safely),
        cmocka_unit_test(hostile_headers_are_read_safely),
        cmocka_unit_test(bad_text_is_told_where),
        cmocka_unit_test(several_mistakes_are_told),
        cmocka_unit_test(damaged_text_is_read_safely),
        cmocka_unit_test(what_does_not_encode_is_not_written),
    };
    return cmocka_run_group_tests_name("object", tests, NULL, NULL);
}
