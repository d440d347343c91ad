// SPDX-License-Identifier: Apache-2.0
// The instruction set: encoding both ways, text both ways, rules, targets.
#include "isa-spec/isa_int.h"
#include "tests/unit/isa_illegal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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
parse_line(fixture *f, const char *text, isa_insn *in)
{
    diags_init(&f->d, f->a);
    return isa_parse(f->a, str_of(text), (loc){0}, in, &f->d);
}

static bool
same_insn(const isa_info *info, const isa_insn *x, const isa_insn *y)
{
    for (uint32_t i = 0; i < info->format->nfield; i++) {
        const isa_field *f = &info->format->field[i];
        if (f->kind != ISA_F_RESERVED &&
            isa_get_member(x, f->offset, f->size) !=
                isa_get_member(y, f->offset, f->size))
            return false;
    }
    return x->op == y->op;
}

// Every way around: bits and back, text and back.
static void
check_round_trips(fixture *f, const isa_info *info, const isa_insn *in)
{
    uint8_t word[ISA_INSN_BYTES], again[ISA_INSN_BYTES];
    const char *field;
    isa_insn back;
    assert_true(isa_encode(in, word, &field));
    assert_true(isa_decode(word, &back));
    assert_true(same_insn(info, in, &back));
    assert_true(isa_encode(&back, again, &field));
    assert_memory_equal(word, again, sizeof word);

    arena_mark m = arena_save(f->a);
    strbuf text = strbuf_new(f->a), twice = strbuf_new(f->a);
    isa_print(in, &text);
    if (!parse_line(f, text.p, &back))
        fail_msg("'%s': %s", text.p, f->d.msgs.at[0].text);
    if (!same_insn(info, in, &back))
        fail_msg("'%s' parses to something else", text.p);
    isa_print(&back, &twice);
    assert_string_equal(text.p, twice.p);
    arena_restore(f->a, m);
}

// ---- fields at their edges

static int64_t
field_max(const isa_field *f)
{
    if (f->kind == ISA_F_ENUM)
        return (int64_t)f->names->n - 1;
    if (f->width >= 64)
        return INT64_MAX;
    uint32_t bits = f->kind == ISA_F_INT ? f->width - 1u : f->width;
    return (int64_t)((1ull << bits) - 1);
}

// An instruction with every field it has in use; 'variant' chooses between
// forms that exclude each other.
static void
fill_insn(const isa_info *info, uint32_t variant, isa_insn *in)
{
    memset(in, 0, sizeof *in);
    for (uint32_t i = 0; i < info->format->nfield; i++) {
        const isa_field *f = &info->format->field[i];
        if (f->kind != ISA_F_RESERVED && (info->used >> f->item & 1))
            isa_set_member(in, f->offset, f->size, 1);
    }
    in->op = info->op;
    isa_ap *p[] = {&in->dst, &in->a, &in->b, &in->dst2};
    for (uint32_t i = 0; i < ARRAY_LEN(p); i++) {
        p[i]->ndim = p[i]->ndim ? 5 : 0;
        p[i]->mem = p[i]->pstep ? ISA_HBM : ISA_SBUF;
    }
    isa_scalar *s[3] = {&in->s0, &in->s1, &in->s2};
    for (uint32_t i = 0; i < 3; i++) {
        if (!s[i]->is_vec)
            continue;
        if (variant == 0)
            s[i]->imm = 0;
        else
            *s[i] = (isa_scalar){.imm = 1};
    }
    for (uint32_t i = 0; i < ISA_UOPS && in->uop[i].kind; i++) {
        in->uop[i].kind = variant == 0 ? ISA_UOP_ADD : ISA_UOP_MADD;
        in->uop[i].rb = variant == 0 ? 0 : 1;
        if (variant == 2)
            in->uop[i] = (isa_uop){ISA_UOP_SUB, 1, 2, 3, 0};
    }
    if (in->cond) {
        in->cond = ISA_IF_LT;
        in->rb = variant != 0;
        in->imm = variant == 0;
    }
    if (in->count_reg) {
        in->count = variant == 0;
        in->count_reg = variant != 0;
    }
}

enum { VARIANTS = 3, EDGES = 6 };

// One member at an edge; counts an encoding that exists.
static bool
try_edge(fixture *f, const isa_info *info, const isa_field *fd,
         const isa_insn *base, int64_t v)
{
    uint8_t word[ISA_INSN_BYTES];
    const char *field;
    isa_insn in = *base;
    isa_set_member(&in, fd->offset, fd->size, (uint64_t)v);
    if (isa_get_member(&in, fd->offset, fd->size) != v)
        return false;
    if (!isa_encode(&in, word, &field))
        return false;
    check_round_trips(f, info, &in);
    return true;
}

static bool
is_bounded(const char *name)
{
    return strstr(name, "ndim") || strstr(name, "parts") ||
           strcmp(name, "queue") == 0 || strcmp(name, "op") == 0;
}

static void
check_field(fixture *f, const isa_info *info, const isa_field *fd)
{
    int64_t max = field_max(fd);
    bool got_max = false, got_min = fd->kind != ISA_F_INT, got_zero = false;
    int64_t min = fd->width >= 64 ? INT64_MIN : -max - 1;
    for (uint32_t variant = 0; variant < VARIANTS; variant++) {
        isa_insn base;
        fill_insn(info, variant, &base);
        check_round_trips(f, info, &base);
        got_zero |= try_edge(f, info, fd, &base, 0);
        try_edge(f, info, fd, &base, 1);
        got_max |= try_edge(f, info, fd, &base, max);
        if (fd->kind == ISA_F_INT) {
            got_min |= try_edge(f, info, fd, &base, min);
            try_edge(f, info, fd, &base, -1);
        }
        if (fd->width < 64) {
            assert_false(try_edge(f, info, fd, &base, max + 1));
            assert_false(try_edge(f, info, fd, &base, min - 1));
        }
    }
    if (!is_bounded(fd->name)) {
        if (!got_max || !got_min)
            fail_msg("%s: %s never reaches its edges", info->mnemonic,
                     fd->name);
    }
    (void)got_zero;
}

static void
fields_round_trip_at_their_edges(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    for (uint32_t i = 0; isa_info_at(i); i++) {
        const isa_info *info = isa_info_at(i);
        for (uint32_t k = 0; k < info->format->nfield; k++) {
            const isa_field *fd = &info->format->field[k];
            if (fd->kind != ISA_F_RESERVED && (info->used >> fd->item & 1))
                check_field(&f, info, fd);
        }
    }
    arena_free(f.a);
}

static void
members_without_a_field_must_be_zero(void **state)
{
    (void)state;
    uint32_t refused = 0;
    for (uint32_t i = 0; isa_info_at(i); i++) {
        for (uint32_t o = 0; isa_info_at(o); o++) {
            const isa_info *info = isa_info_at(i), *other = isa_info_at(o);
            for (uint32_t k = 0; k < other->format->nfield; k++) {
                const isa_field *fd = &other->format->field[k];
                uint8_t word[ISA_INSN_BYTES];
                const char *field;
                isa_insn in;
                fill_insn(info, 0, &in);
                if (fd->kind == ISA_F_RESERVED ||
                    isa_get_member(&in, fd->offset, fd->size))
                    continue;
                isa_set_member(&in, fd->offset, fd->size, 1);
                isa_insn back;
                if (isa_encode(&in, word, &field)) {
                    assert_true(isa_decode(word, &back));
                    assert_int_equal(
                        isa_get_member(&back, fd->offset, fd->size), 1);
                } else {
                    assert_non_null(field);
                    refused++;
                }
            }
        }
    }
    assert_true(refused > 1000);
}

// ---- words

// Bits set one by one, as docs/design/machine.md places the head.
static void
set_bits(uint8_t *word, uint32_t bit, uint32_t width, uint64_t v)
{
    for (uint32_t i = 0; i < width; i++) {
        if (v >> i & 1)
            word[(bit + i) / 8] |= (uint8_t)(1u << (bit + i) % 8);
    }
}

static void
words_have_the_documented_bits(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    uint8_t word[ISA_INSN_BYTES], want[ISA_INSN_BYTES] = {0};
    const char *field;
    isa_insn in;
    assert_true(parse_line(&f,
                           "mark wait s3:2 wait s1000:63 "
                           "post s4:1@complete",
                           &in));
    assert_true(isa_encode(&in, word, &field));
    set_bits(want, 0, 8, 0x04);
    set_bits(want, 16, 10, 3);
    set_bits(want, 26, 6, 2);
    set_bits(want, 32, 10, 1000);
    set_bits(want, 42, 6, 63);
    set_bits(want, 80, 10, 4);
    set_bits(want, 90, 6, 1);
    set_bits(want, 96, 2, 2);
    assert_memory_equal(word, want, sizeof want);

    memset(want, 0, sizeof want);
    assert_true(parse_line(&f,
                           "tt.i32 xor dst=sbuf[32,-0x8+r5]i32{(-2,r7<=9)"
                           "(1,3)} a=psum[0,0x10]i32{} "
                           "b=sbuf[1,0x0]u8{} parts=128 parts_reg=r9",
                           &in));
    assert_true(isa_encode(&in, word, &field));
    set_bits(want, 0, 8, 0x23);
    set_bits(want, 116, 8, 128);
    set_bits(want, 124, 6, 9);
    set_bits(want, 138, 6, NUM_XOR);
    set_bits(want, 150, 3, NUM_AS_I32);
    set_bits(want, 183, 7, 32); // dst
    set_bits(want, 190, 5, DT_I32);
    set_bits(want, 195, 20, (uint64_t)-8);
    set_bits(want, 215, 6, 5);
    set_bits(want, 221, 6, 7);
    set_bits(want, 227, 3, 2);
    set_bits(want, 230, 20, (uint64_t)-2);
    set_bits(want, 250, 16, 9);
    set_bits(want, 266, 20, 1);
    set_bits(want, 286, 16, 3);
    set_bits(want, 410, 1, 1); // a
    set_bits(want, 418, 5, DT_I32);
    set_bits(want, 423, 20, 16);
    set_bits(want, 639, 7, 1); // b
    set_bits(want, 646, 5, DT_U8);
    assert_memory_equal(word, want, sizeof want);
    arena_free(f.a);
}

static void
check_word(fixture *f, const uint8_t *word)
{
    uint8_t again[ISA_INSN_BYTES];
    const char *field;
    isa_insn in;
    if (!isa_decode(word, &in)) {
        assert_int_equal(in.op, ISA_ILLEGAL);
        return;
    }
    assert_true(isa_encode(&in, again, &field));
    assert_memory_equal(word, again, sizeof again);
    check_round_trips(f, isa_info_of(in.op), &in);
}

static void
random_words_are_illegal_or_canonical(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    uint64_t seed = 1;
    uint8_t word[ISA_INSN_BYTES];
    for (uint32_t n = 0; n < 4000; n++) {
        for (uint32_t i = 0; i < sizeof word; i++)
            word[i] = (uint8_t)rng_next(&seed);
        check_word(&f, word);
        // Sparse words of a real opcode get further.
        memset(word + 2, 0, sizeof word - 2);
        word[0] = (uint8_t)isa_tab_info[n % isa_tab_count].op;
        word[1] = 0;
        for (uint32_t i = 0; i < 6; i++)
            set_bits(word, (uint32_t)(rng_next(&seed) % 1024), 1, 1);
        check_word(&f, word);
    }
    arena_free(f.a);
}

static void
flipped_bits_are_illegal_or_canonical(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    uint32_t legal = 0, illegal = 0;
    for (uint32_t i = 0; isa_info_at(i); i++) {
        for (uint32_t bit = 0; bit < 1024; bit++) {
            uint8_t word[ISA_INSN_BYTES];
            const char *field;
            isa_insn in;
            fill_insn(isa_info_at(i), bit % VARIANTS, &in);
            assert_true(isa_encode(&in, word, &field));
            word[bit / 8] ^= (uint8_t)(1u << bit % 8);
            check_word(&f, word);
            if (isa_decode(word, &in))
                legal++;
            else
                illegal++;
        }
    }
    assert_true(legal > 1000);
    assert_true(illegal > 1000);
    arena_free(f.a);
}

static void
reserved_opcodes_are_illegal(void **state)
{
    (void)state;
    for (uint32_t op = 0; op < 256; op++) {
        uint8_t word[ISA_INSN_BYTES] = {(uint8_t)op};
        isa_insn in;
        if (!isa_info_of((isa_opcode)op)) {
            assert_false(isa_decode(word, &in));
            assert_string_equal(isa_mnemonic((isa_opcode)op), "illegal");
        }
    }
}

// ---- every rule of form

// Instructions share the functions of equal rules.
typedef struct {
    bool (*holds[512])(const isa_cx *x);
    uint32_t n;
} rule_set;

static bool
set_has(const rule_set *s, const isa_rule *r)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->holds[i] == r->holds)
            return true;
    }
    return false;
}

// Notes which form rules an instruction breaks; it has no encoding then.
static void
note_broken(const isa_info *info, const isa_insn *in, rule_set *seen)
{
    isa_cx x = {in, ISA_ENG_NONE, NULL};
    for (uint32_t r = 0; r < info->nrule; r++) {
        uint8_t word[ISA_INSN_BYTES];
        const char *field;
        const isa_rule *rule = &info->rule[r];
        if (!rule->form || rule->holds(&x))
            continue;
        assert_false(isa_encode(in, word, &field));
        assert_non_null(field);
        if (!set_has(seen, rule)) {
            assert_true(seen->n < ARRAY_LEN(seen->holds));
            seen->holds[seen->n++] = rule->holds;
        }
    }
}

static void
break_field(const isa_info *info, const isa_field *fd, rule_set *seen)
{
    static const int64_t edges[] = {0, 1, 2, 7, 10, 31, 129};
    for (uint32_t variant = 0; variant < VARIANTS; variant++) {
        for (uint32_t e = 0; e < ARRAY_LEN(edges); e++) {
            isa_insn in;
            if (fd->kind == ISA_F_FLAG && edges[e] > 1)
                continue;
            fill_insn(info, variant, &in);
            isa_set_member(&in, fd->offset, fd->size, (uint64_t)edges[e]);
            note_broken(info, &in, seen);
        }
    }
}

static void
every_form_rule_is_enforced(void **state)
{
    (void)state;
    rule_set seen = {.n = 0};
    for (uint32_t i = 0; isa_info_at(i); i++) {
        const isa_info *info = isa_info_at(i);
        for (uint32_t k = 0; k < info->format->nfield; k++) {
            const isa_field *fd = &info->format->field[k];
            if (fd->kind != ISA_F_RESERVED && (info->used >> fd->item & 1))
                break_field(info, fd, &seen);
        }
    }
    for (uint32_t i = 0; isa_info_at(i); i++) {
        const isa_info *info = isa_info_at(i);
        for (uint32_t r = 0; r < info->nrule; r++) {
            const isa_rule *rule = &info->rule[r];
            if (rule->form && !set_has(&seen, rule))
                fail_msg("%s: rule %s of '%s' (%s) is never broken",
                         info->mnemonic, rule->label, rule->on, rule->text);
        }
    }
}

// ---- every rule of legality

// "vector", or "bare vector" on a target without features.
static isa_engine
engine_of(const char *name)
{
    name += strncmp(name, "bare ", 5) == 0 ? 5 : 0;
    for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++) {
        if (strcmp(isa_engine_name(e), name) == 0)
            return e;
    }
    return ISA_ENG_NONE;
}

// tiny with half of its queues and a wider array than partitions allow, so
// that limits can be told apart.
static isa_target
small_target(void)
{
    isa_target t = *isa_target_find("tiny");
    t.dma_queues = 8;
    return t;
}

static isa_target
bare_target(void)
{
    isa_target t = small_target();
    t.features = 0;
    t.rng_words = 1;
    return t;
}

static bool
names_rule(const diag_msg *m, const char *rule)
{
    char label[16], on[16] = "";
    assert_true(sscanf(rule, "%15s %15s", label, on) >= 1);
    const char *p = strstr(m->text, "(rule ");
    if (!p || strncmp(p + 6, label, strlen(label)) != 0 ||
        p[6 + strlen(label)] != ')')
        return false;
    return !on[0] || strstr(m->text, on) != NULL;
}

static void
every_legality_rule_is_enforced(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    isa_target small = small_target(), bare = bare_target();
    for (uint32_t i = 0; i < ARRAY_LEN(broken); i++) {
        bool is_bare = strncmp(broken[i].engine, "bare ", 5) == 0;
        isa_insn in;
        if (!parse_line(&f, broken[i].text, &in))
            fail_msg("'%s': %s", broken[i].text, f.d.msgs.at[0].text);
        if (isa_validate(&in, engine_of(broken[i].engine),
                         is_bare ? &bare : &small, (loc){0}, &f.d))
            fail_msg("'%s' passes", broken[i].text);
        assert_int_equal(f.d.msgs.n, 1);
        if (!names_rule(&f.d.msgs.at[0], broken[i].rule))
            fail_msg("'%s' (%s): %s", broken[i].text, broken[i].rule,
                     f.d.msgs.at[0].text);
    }
    arena_free(f.a);
}

static bool
is_in_table(const isa_info *info, const isa_rule *r)
{
    for (uint32_t i = 0; i < ARRAY_LEN(broken); i++) {
        size_t n = strlen(info->mnemonic);
        bool mine = strncmp(broken[i].text, info->mnemonic, n) == 0 &&
                    strchr(" .", broken[i].text[n]) != NULL;
        size_t len = strlen(r->label);
        if (mine && strncmp(broken[i].rule, r->label, len) == 0 &&
            (broken[i].rule[len] == ' ' || !broken[i].rule[len]))
            return true;
    }
    return false;
}

// ---- shared rules, broken for every operand that has them

static isa_ap *
view_named(isa_insn *in, const char *on)
{
    return strcmp(on, "dst") == 0    ? &in->dst
           : strcmp(on, "a") == 0    ? &in->a
           : strcmp(on, "b") == 0    ? &in->b
           : strcmp(on, "dst2") == 0 ? &in->dst2
                                     : NULL;
}

static isa_scalar *
vector_named(isa_insn *in, const char *on)
{
    return strcmp(on, "s0") == 0    ? &in->s0
           : strcmp(on, "s1") == 0  ? &in->s1
           : strcmp(on, "red") == 0 ? &in->red
                                    : NULL;
}

enum { HARMS = 8 };

// Ways in which an operand can be wrong.
static bool
harm_view(isa_ap *p, uint32_t way)
{
    const isa_mem mem[HARMS] = {ISA_SBUF, ISA_SBUF, ISA_PSUM, ISA_SBUF,
                                ISA_PSUM, ISA_PSUM, ISA_HBM,  ISA_SBUF};
    const uint32_t part[HARMS] = {127, 1, 0, 0, 0, 0, 0, 0};
    const int64_t offset[HARMS] = {0, 0, 2, 0x7fff0, 0, 0x7fff0, 0, 0};
    if (!p)
        return false;
    p->mem = mem[way];
    p->part = part[way];
    p->offset = offset[way];
    p->pstep = 0;
    if (way == HARMS - 1)
        p->dtype = DT_F8E5M2X4;
    return true;
}

static bool
harm_vector(isa_scalar *s, uint32_t way)
{
    isa_ap p = {.dtype = DT_F32};
    if (!s)
        return false;
    harm_view(&p, way);
    *s = (isa_scalar){.is_vec = true,
                      .mem = p.mem,
                      .part = p.part,
                      .dtype = p.dtype,
                      .offset = p.offset};
    if (p.mem == ISA_HBM) // vectors are on chip; an immediate instead
        *s = (isa_scalar){.imm = 0};
    return true;
}

// Tiles that are none, or smaller than the operands, or elsewhere.
enum { TILE_HARMS = 5 };

static void
harm_tile(isa_insn *in, uint32_t way)
{
    static const uint32_t first[] = {1, 0, 64}, size[] = {0, 4, 64};
    if (way < 3) {
        in->row0 = in->col0 = first[way];
        in->tile_rows = in->tile_cols = size[way];
        in->parts = in->dst_parts = way == 1 ? 8 : in->parts;
    } else {
        in->parts = way == 3 ? 1 : 127;
    }
}

static bool
breaks_somewhere(fixture *f, const isa_insn *in, const isa_rule *r)
{
    for (uint32_t k = 0; isa_target_at(k); k++) {
        for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++) {
            isa_cx x = {in, e, isa_target_at(k)};
            diags_init(&f->d, f->a);
            if (isa_engine_runs(e, in->op) && !r->holds(&x)) {
                assert_false(isa_validate(in, e, x.t, (loc){0}, &f->d));
                return true;
            }
        }
    }
    return false;
}

// Whether harm to the rule's operand in the manual's example breaks the rule,
// or nothing can: gpsimd's rule where gpsimd does not run the instruction.
static bool
operand_breaks(fixture *f, const isa_info *info, const isa_rule *r)
{
    isa_insn in;
    if (strstr(r->text, "gpsimd") && r->on[0] &&
        !isa_engine_runs(ISA_ENG_GPSIMD, info->op))
        return true;
    for (uint32_t way = 0; way < HARMS; way++) {
        assert_true(parse_line(f, info->example, &in));
        if ((harm_view(view_named(&in, r->on), way) ||
             harm_vector(vector_named(&in, r->on), way)) &&
            breaks_somewhere(f, &in, r))
            return true;
    }
    for (uint32_t way = 0; way < TILE_HARMS; way++) {
        assert_true(parse_line(f, info->example, &in));
        harm_tile(&in, way);
        if (breaks_somewhere(f, &in, r))
            return true;
    }
    return false;
}

// Rules with no text of their own above: rows limits that partitions imply on
// every target that can be described here.
static void
no_legality_rule_is_left_out(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    for (uint32_t i = 0; isa_info_at(i); i++) {
        const isa_info *info = isa_info_at(i);
        for (uint32_t r = 0; r < info->nrule; r++) {
            const isa_rule *rule = &info->rule[r];
            bool implied = strstr(rule->text, "rows than the array") ||
                           strcmp(rule->text, "more columns than the array "
                                              "has") == 0;
            if (!rule->form && !implied && !is_in_table(info, rule) &&
                !operand_breaks(&f, info, rule))
                fail_msg("%s: rule %s of '%s' '%s' is not tested",
                         info->mnemonic, rule->label, rule->on, rule->text);
        }
    }
    arena_free(f.a);
}

static void
arrays_smaller_than_the_partitions_are_respected(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    isa_target t = small_target();
    isa_insn in;
    t.pe_rows = 4;
    t.pe_cols = 2;
    const char *good = "matmul dst=psum[0,0x0]f32{} a=sbuf[0,0x0]bf16{} "
                       "parts=4 dst_parts=2";
    const char *rows = "matmul dst=psum[0,0x0]f32{} a=sbuf[0,0x0]bf16{} "
                       "parts=5 dst_parts=2";
    const char *cols = "matmul dst=psum[0,0x0]f32{} a=sbuf[0,0x0]bf16{} "
                       "parts=4 dst_parts=3";
    assert_true(parse_line(&f, good, &in));
    assert_true(isa_validate(&in, ISA_ENG_TENSOR, &t, (loc){0}, &f.d));
    assert_true(parse_line(&f, rows, &in));
    assert_false(isa_validate(&in, ISA_ENG_TENSOR, &t, (loc){0}, &f.d));
    assert_true(names_rule(&f.d.msgs.at[0], "C2"));
    assert_true(parse_line(&f, cols, &in));
    assert_false(isa_validate(&in, ISA_ENG_TENSOR, &t, (loc){0}, &f.d));
    assert_true(names_rule(&f.d.msgs.at[0], "B2"));
    assert_true(parse_line(&f, "ldw a=sbuf[0,0x0]bf16{} parts=5", &in));
    assert_false(isa_validate(&in, ISA_ENG_TENSOR, &t, (loc){0}, &f.d));
    assert_true(names_rule(&f.d.msgs.at[0], "C2"));
    arena_free(f.a);
}

static void
engines_run_only_their_instructions(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    isa_insn in;
    const isa_target *t = isa_target_find("trn2");
    assert_true(parse_line(&f, "copy " DST A P, &in));
    assert_false(isa_validate(&in, ISA_ENG_TENSOR, t, (loc){0}, &f.d));
    assert_int_equal(f.d.msgs.at[0].id, D_ISA_ENGINE);
    assert_true(isa_engine_runs(ISA_ENG_SYNC, ISA_DMA));
    assert_false(isa_engine_runs(ISA_ENG_SYNC, ISA_COPY));
    assert_false(isa_engine_runs(ISA_ENG_VECTOR, ISA_IOTA));
    arena_free(f.a);
}

// ---- examples, text

static void
examples_of_the_manual_are_legal_and_canonical(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const isa_target *t;
    for (uint32_t i = 0; isa_info_at(i); i++) {
        const isa_info *info = isa_info_at(i);
        isa_insn in;
        if (!parse_line(&f, info->example, &in))
            fail_msg("'%s': %s", info->example, f.d.msgs.at[0].text);
        assert_int_equal(in.op, info->op);
        strbuf b = strbuf_new(f.a);
        isa_print(&in, &b);
        assert_string_equal(b.p, info->example);
        bool legal = false;
        for (uint32_t k = 0; (t = isa_target_at(k)) != NULL; k++)
            for (isa_engine e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
                legal |= isa_validate(&in, e, t, (loc){0}, &f.d);
        if (!legal)
            fail_msg("'%s' is legal on no engine", info->example);
    }
    arena_free(f.a);
}

static void
immediates_keep_their_bits(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    uint64_t seed = 7;
    for (uint32_t i = 0; i < 20000; i++) {
        static const num_word special[] = {
            0,           1,           0x80000000u, 0x7f800000u,
            0xff800000u, 0x7fc00000u, 0xffc00000u, 0x7f800001u,
            0x7f7fffffu, 0x00800000u, 0x007fffffu};
        num_word w =
            i < ARRAY_LEN(special) ? special[i] : (num_word)rng_next(&seed);
        isa_insn in;
        assert_true(parse_line(&f, "fill.f32 " DST "s0=0.0 parts=1", &in));
        in.as = (num_as)(1 + i % 4);
        in.s0.imm = w;
        arena_mark m = arena_save(f.a);
        strbuf b = strbuf_new(f.a);
        isa_insn back;
        isa_print(&in, &b);
        assert_true(parse_line(&f, b.p, &back));
        assert_int_equal(back.s0.imm, w);
        arena_restore(f.a, m);
    }
    arena_free(f.a);
}

static void
bad_lines_are_told_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        diag_id id;
        uint32_t begin; // offset of the message
    } bad[] = {
        {"frob", D_ASM_MNEMONIC, 0},
        {"", D_ASM_MNEMONIC, 0},
        {"tt add", D_ASM_EXPECTED, 2},
        {"tt.f31 add", D_ASM_EXPECTED, 3},
        {"tt.f32 frob", D_ASM_NAME, 7},
        {"tt.f32 add s0=1.0", D_ASM_NAME, 11},
        {"tt.f32 add parts=1 parts=1", D_ASM_TWICE, 19},
        {"tt.f32 add parts=x", D_ASM_EXPECTED, 17},
        {"tt.f32 add dst=hbm[0,0x0,1]f32{}", D_ASM_EXPECTED, 15},
        {"copy dst=sbuf[0,0x0]f33{}", D_ASM_EXPECTED, 20},
        {"copy dst=sbuf[0,0x0]f32{(1,1)(1,1)(1,1)(1,1)(1,1)(1,1)}",
         D_ASM_EXPECTED, 50},
        {"fill.f32 " DST "s0=1", D_ASM_EXPECTED, 38},
        {"fill.i32 " DST "s0=1.0", D_ASM_EXPECTED, 38},
        {"fill.i32 " DST "s0=4294967296", D_ASM_EXPECTED, 38},
        {"mark wait s1:1 wait s1:1 wait s1:1 wait s1:1 wait s1:1",
         D_ASM_EXPECTED, 49},
        {"mark wait s1024:1", D_ISA_ENCODE, 0},
        {"copy " DST "parts=1", D_ISA_ENCODE, 0},
        {"reg r1=frob(1)", D_ASM_EXPECTED, 7},
        {"reg r1=mov(99999999999999999999)", D_ASM_EXPECTED, 11},
        {"reg r1=mov(1)r2=mov(1)", D_ASM_EXPECTED, 13},
        {"loop count=1099511627776 body=1", D_ISA_ENCODE, 0},
        {"loop body=4294967296", D_ASM_EXPECTED, 10},
    };
    fixture f;
    fixture_open(&f);
    for (uint32_t i = 0; i < ARRAY_LEN(bad); i++) {
        isa_insn in;
        diags_init(&f.d, f.a);
        str text = str_of(bad[i].text);
        uint32_t source = diag_add_source(&f.d, "t", text);
        loc at = {source, 0, (uint32_t)text.n};
        assert_false(isa_parse(f.a, text, at, &in, &f.d));
        assert_int_equal(f.d.msgs.n, 1);
        if (f.d.msgs.at[0].id != bad[i].id ||
            f.d.msgs.at[0].at.begin != bad[i].begin)
            fail_msg("'%s': %s at %u", bad[i].text, f.d.msgs.at[0].text,
                     f.d.msgs.at[0].at.begin);
    }
    arena_free(f.a);
}

// ---- targets

static void
shipped_targets_are_what_their_texts_say(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    for (uint32_t i = 0; isa_target_at(i); i++) {
        const isa_target *t = isa_target_at(i);
        uint32_t s = diag_add_source(&f.d, t->name, str_of(t->text));
        const isa_target *p = isa_target_parse(f.a, &f.d, s);
        assert_non_null(p);
        isa_target x = *t, y = *p;
        x.constant = y.constant = NULL;
        assert_string_equal(x.name, y.name);
        assert_string_equal(x.text, y.text);
        x.name = y.name = x.text = y.text = NULL;
        assert_memory_equal(&x, &y, sizeof x);
        for (uint32_t k = 0; k < t->nconst; k++) {
            const struct isa_constant *c = &t->constant[k];
            const struct isa_constant *q = &p->constant[k];
            assert_string_equal(c->name, q->name);
            assert_string_equal(c->unit, q->unit);
            assert_string_equal(c->tag, q->tag);
            assert_string_equal(c->source, q->source);
            assert_true(c->value == q->value && c->source[0]);
        }
    }
    assert_ptr_equal(isa_target_find("trn2"), isa_target_at(1));
    assert_null(isa_target_find("trn"));
    arena_free(f.a);
}

static bool
same_capabilities(const isa_target *a, const isa_target *b)
{
    isa_target x = *a, y = *b;
    x.name = y.name = x.text = y.text = NULL;
    x.nconst = y.nconst = 0;
    x.constant = y.constant = NULL;
    return memcmp(&x, &y, sizeof x) == 0;
}

static double
constant(const isa_target *t, const char *name)
{
    for (uint32_t i = 0; i < t->nconst; i++)
        if (strcmp(t->constant[i].name, name) == 0)
            return t->constant[i].value;
    fail_msg("%s has no '%s'", t->name, name);
    return 0;
}

static void
targets_have_the_public_figures(void **state)
{
    (void)state;
    const isa_target *t1 = isa_target_find("trn1"), *t2, *t3, *t4, *tiny;
    t2 = isa_target_find("trn2");
    t3 = isa_target_find("trn3");
    t4 = isa_target_find("trn4");
    tiny = isa_target_find("tiny");
    assert_int_equal(t1->sbuf_bytes, 192 * 1024 - 16 * 1024);
    assert_int_equal(t2->sbuf_bytes, 224 * 1024 - 16384 - 8);
    assert_int_equal(t3->sbuf_bytes, 256 * 1024 - 16384 - 8);
    assert_int_equal(t2->psum_bytes / t2->psum_banks, 2048);
    assert_int_equal(t2->pe_moving * 4, 2048);
    assert_int_equal(t2->hbm_bytes, 96ull * 1024 * 1024 * 1024 / 8);
    assert_int_equal(t2->psum_dtypes, 1u << DT_F32);
    assert_int_equal(t3->psum_dtypes, 1u << DT_F32 | 1u << DT_BF16);
    assert_int_equal(t1->pe_tile, 64);
    assert_int_equal(t2->pe_tile, 32);
    assert_int_equal(t1->pe_exact | t1->pe_double | t1->pe_mx, 0);
    assert_int_equal(t2->pe_double, 1u << DT_F8E4M3 | 1u << DT_F8E5M2);
    assert_int_equal(t2->pe_mx | t2->mx_results, 0);
    // One matmul: a bank until Trainium3, then all of PSUM.
    assert_int_equal(t2->psum_span, 1);
    assert_int_equal(t3->psum_span * t3->psum_bytes / t3->psum_banks, 4096 * 4);
    assert_int_equal(t3->pe_moving * 2, 4096 * 4);
    // The projection: capabilities of trn3 and the rates of the press.
    assert_true(same_capabilities(t3, t4));
    assert_true(constant(t4, "hbm_rate") == 4 * constant(t3, "hbm_rate"));
    assert_true(constant(t4, "pe_mx_rate") == 3 * constant(t3, "pe_mx_rate"));
    assert_true(constant(t4, "pe_mx4_rate") == 6 * constant(t3, "pe_mx4_rate"));
    for (uint32_t i = 0; i < t4->nconst; i++)
        assert_string_not_equal(t4->constant[i].tag, "documented");
    assert_int_equal(tiny->partitions, 16);
    assert_int_equal(tiny->sbuf_bytes, 4096);
    assert_int_equal(tiny->psum_bytes, 512);
    assert_int_equal(tiny->pe_moving, 64);
}

static void
bad_targets_are_rejected(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        diag_id id;
    } bad[] = {
        {"", D_TARGET_MISSING},
        {"cap partitions 1 x assumed \"y\"\n", D_TARGET_SYNTAX},
        {"target t\ncap frobs 1 x assumed \"y\"\n", D_TARGET_SYNTAX},
        {"target t\ncap partitions 0 x assumed \"y\"\n", D_TARGET_SYNTAX},
        {"target t\ncap partitions 129 x assumed \"y\"\n", D_TARGET_SYNTAX},
        {"target t\ncap partitions 4 x guessed \"y\"\n", D_TARGET_SYNTAX},
        {"target t\ncap partitions 4 x assumed\n", D_TARGET_SYNTAX},
        {"target t\ncap pe_dtypes f99 types assumed \"y\"\n", D_TARGET_SYNTAX},
        {"target t\nconst x one GHz assumed \"y\"\n", D_TARGET_SYNTAX},
        {"target t\ncap partitions 4 x assumed \"y\"\n"
         "cap partitions 4 x assumed \"y\"\n",
         D_TARGET_SYNTAX},
        {"target t\ncap partitions 4 x assumed \"y\"\n", D_TARGET_MISSING},
    };
    fixture f;
    fixture_open(&f);
    for (uint32_t i = 0; i < ARRAY_LEN(bad); i++) {
        diags_init(&f.d, f.a);
        uint32_t s = diag_add_source(&f.d, "t", str_of(bad[i].text));
        assert_null(isa_target_parse(f.a, &f.d, s));
        assert_int_equal(f.d.msgs.at[0].id, bad[i].id);
    }
    arena_free(f.a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_round_trip_at_their_edges),
        cmocka_unit_test(members_without_a_field_must_be_zero),
        cmocka_unit_test(words_have_the_documented_bits),
        cmocka_unit_test(random_words_are_illegal_or_canonical),
        cmocka_unit_test(flipped_bits_are_illegal_or_canonical),
        cmocka_unit_test(reserved_opcodes_are_illegal),
        cmocka_unit_test(every_form_rule_is_enforced),
        cmocka_unit_test(every_legality_rule_is_enforced),
        cmocka_unit_test(no_legality_rule_is_left_out),
        cmocka_unit_test(arrays_smaller_than_the_partitions_are_respected),
        cmocka_unit_test(engines_run_only_their_instructions),
        cmocka_unit_test(examples_of_the_manual_are_legal_and_canonical),
        cmocka_unit_test(immediates_keep_their_bits),
        cmocka_unit_test(bad_lines_are_told_where),
        cmocka_unit_test(shipped_targets_are_what_their_texts_say),
        cmocka_unit_test(targets_have_the_public_figures),
        cmocka_unit_test(bad_targets_are_rejected),
    };
    return cmocka_run_group_tests_name("isa", tests, NULL, NULL);
}
