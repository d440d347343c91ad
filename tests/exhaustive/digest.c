// SPDX-License-Identifier: Apache-2.0
// digest [MODE]: a hash of what every function, type, reduction, product and
// engine operation of numerics/ gives over a fixed set of inputs. It must not
// depend on the compiler, its flags, or the floating-point mode of the caller
// (MODE, the bits of MXCSR to set before num_env_enter).
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "numerics/numerics_int.h"

enum { INPUTS = 1 << 14, ROUNDS = 60, REGION = 1 << 18, SLACK = 1 << 16 };

typedef struct {
    uint64_t h;
} hash;

static num_word in1[INPUTS], in2[INPUTS], out[INPUTS];
static num_word scratch[NUM_SCRATCH_WORDS];
static int failures;

static void
eat(hash *h, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        h->h = (h->h ^ b[i]) * UINT64_C(0x100000001b3);
}

static void
eat_word(hash *h, num_word w)
{
    h->h = (h->h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
    h->h ^= h->h >> 29;
}

static void
tell(const char *what, const char *name, hash h)
{
    printf("%s %s %016" PRIx64 "\n", what, name, h.h);
}

static uint64_t
next_random(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t
below(uint64_t *s, uint32_t n)
{
    return (uint32_t)(next_random(s) % n);
}

// Any bits; specials; numbers of moderate size, where functions do most.
static num_word
any_word(uint64_t *s)
{
    static const num_word special[] = {
        0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
        0x7fc00000, 1,          0x80000001, 0x007fffff, 0x7f7fffff, 0xffffffff,
    };
    uint64_t r = next_random(s);
    switch (r % 8) {
    case 0: return (num_word)(r >> 32);
    case 1: return special[(r >> 8) % (sizeof special / sizeof *special)];
    default:
        return (num_word)(r >> 32 & 0x807fffff) |
               (num_word)(118 + (r >> 8) % 18) << 23;
    }
}

static void
draw_inputs(num_as as, uint64_t seed)
{
    for (int i = 0; i < INPUTS; i++) {
        in1[i] = any_word(&seed);
        in2[i] = any_word(&seed);
        if (as == NUM_AS_F32) { // registers hold canonical NaNs
            in1[i] = num_canon(in1[i]);
            in2[i] = num_canon(in2[i]);
        }
        if (as == NUM_AS_BOOL) {
            in1[i] &= 1;
            in2[i] &= 1;
        }
    }
}

// ---- functions

static void
digest_functions(num_as as)
{
    draw_inputs(as, (uint64_t)as);
    for (int f = 1; f < NUM_U_COUNT; f++) {
        hash h = {(uint64_t)as};
        if (!num_unary_takes((num_unary)f, as))
            continue;
        num_row1((num_unary)f, as, INPUTS, out, in1);
        eat(&h, out, sizeof out);
        for (int i = 0; i < INPUTS; i++)
            eat_word(&h, num_apply1((num_unary)f, as, in1[i]));
        tell("unary", num_unary_name((num_unary)f), h);
    }
    for (int f = 1; f < NUM_B_COUNT; f++) {
        hash h = {(uint64_t)as};
        if (!num_binary_takes((num_binary)f, as))
            continue;
        for (size_t step = 0; step < 2; step++) {
            num_row2((num_binary)f, as, INPUTS, out, in1, in2, step);
            eat(&h, out, sizeof out);
        }
        for (int i = 0; i < INPUTS; i++)
            eat_word(&h, num_apply2((num_binary)f, as, in1[i], in2[i]));
        tell("binary", num_binary_name((num_binary)f), h);
    }
}

// The binary64 functions of the reference, over the whole range.
static void
digest_reference(void)
{
    for (int f = 1; f < NUM_U_COUNT; f++) {
        hash h = {0};
        uint64_t s = 9;
        for (int i = 0; i < INPUTS / 4; i++) {
            uint64_t r = next_random(&s);
            double x = i % 2 ? (double)(int64_t)r * 0x1p-61 : num_f64(r);
            double v = num_ref1((num_unary)f, x);
            double e = num_sensitivity1((num_unary)f, x, 0x1p-20);
            uint64_t bits = v != v ? 1 : num_bits(v);
            eat(&h, &bits, sizeof bits);
            bits = e != e ? 1 : num_bits(e);
            eat(&h, &bits, sizeof bits);
        }
        tell("reference", num_unary_name((num_unary)f), h);
    }
}

// ---- types

static void
digest_types(void)
{
    static uint8_t memory[INPUTS * 4 * 2];
    for (int t = 1; t < DT_COUNT; t++) {
        uint32_t bytes = num_dtype_bytes((num_dtype)t);
        hash h = {0};
        for (int as = NUM_AS_F32; as <= NUM_AS_BOOL; as++) {
            draw_inputs((num_as)as, 77);
            for (uint32_t step = 1; step <= 2; step++) {
                memset(memory, 0, sizeof memory);
                num_store_row((num_dtype)t, memory, bytes * step, INPUTS,
                              (num_as)as, in1);
                eat(&h, memory, sizeof memory);
                num_load_row((num_dtype)t, memory, bytes * step, INPUTS, out);
                eat(&h, out, sizeof out);
            }
        }
        memcpy(memory, in1, sizeof in1); // any code
        num_load_row((num_dtype)t, memory, bytes, INPUTS, out);
        eat(&h, out, sizeof out);
        tell("type", num_dtype_name((num_dtype)t), h);
    }
}

// ---- reductions and products

static void
digest_reductions(num_as as)
{
    static const uint32_t lengths[] = {0, 1, 31, 32, 33, 100, 1000, INPUTS};
    draw_inputs(as, 5);
    for (int r = 1; r < NUM_R_COUNT; r++) {
        bool logical = r == NUM_R_ANY || r == NUM_R_ALL;
        hash h = {(uint64_t)as};
        if (logical != (as == NUM_AS_BOOL))
            continue;
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            eat_word(&h, num_reduce_row((num_reduce)r, as, lengths[i], in1));
        tell("reduction", num_reduce_name((num_reduce)r), h);
    }
}

static void
digest_products(void)
{
    static float a[128 * 128], b[128 * 512], c[128 * 512];
    static const uint32_t shapes[][3] = {
        {1, 1, 1}, {3, 5, 7}, {128, 40, 64}, {17, 33, 128}, {8, 512, 3}};
    uint64_t s = 4;
    for (int i = 0; i < 128 * 128; i++)
        a[i] = num_f32(num_canon(any_word(&s)));
    for (int i = 0; i < 128 * 512; i++)
        b[i] = num_f32(num_canon(any_word(&s)));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const uint32_t *n = shapes[i];
        char name[64];
        hash h = {0};
        num_matmul(n[0], n[1], n[2], c, a, b);
        eat(&h, c, sizeof *c * n[0] * n[1]);
        snprintf(name, sizeof name, "%ux%ux%u", n[0], n[1], n[2]);
        tell("product", name, h);
    }
    hash h = {0};
    for (int i = 0; i + 2 < 128 * 128; i++)
        eat_word(&h, num_word_f32(num_fma(a[i], a[i + 1], b[i])));
    tell("product", "fma", h);
}

// ---- engine operations: instances made from the table

typedef struct {
    num_insn in;
    uint32_t parts, rows, cols;
    uint64_t s;
} instance;

static uint8_t memory[NUM_OPERANDS][REGION + 2 * SLACK];
static float pe_w[NUM_PE_WEIGHTS], pe_x[NUM_PE_MOVING], pe_out[NUM_PE_MOVING];
static num_word pe_bits[NUM_PE_CELLS];
static num_state state;

// Rows of elements one after the other, partitions apart.
static num_view
view_at(instance *m, int k, uint32_t parts, uint32_t rows, uint32_t cols)
{
    num_view v = {.base = memory[k] + SLACK, .parts = parts, .ndim = 2};
    do // packed types are no numbers
        v.dtype = (num_dtype)(below(&m->s, DT_COUNT - 1) + 1);
    while (num_widened(v.dtype) == NUM_AS_NONE);
    int64_t bytes = num_dtype_bytes(v.dtype);
    v.dim[0].count = rows;
    v.dim[1].count = cols;
    v.dim[1].step = bytes;
    v.dim[0].step = bytes * (cols + below(&m->s, 2));
    v.part_step = v.dim[0].step * rows + (int64_t)below(&m->s, 3);
    return v;
}

static num_view *
view_of(num_insn *in, int k)
{
    num_view *views[NUM_VIEWS] = {&in->dst, &in->a, &in->b, &in->dst2};
    return views[k];
}

static bool
make_view(instance *m, const num_op_form *form, int k)
{
    char letter = form->shape[k];
    uint32_t parts = k == NUM_DST && strchr(form->flags, 'p') ? 1 : m->parts;
    num_view *v = view_of(&m->in, k);
    switch (letter) {
    case 'n': *v = view_at(m, k, parts, m->rows, m->cols); return true;
    case 'o': *v = view_at(m, k, parts, m->rows, 1); return true;
    case '1':
    case '2':
    case '6':
    case '8':
        *v = view_at(m, k, parts, 1, (uint32_t)(letter - '0'));
        return true;
    default: return false;
    }
}

static num_binary
some_binary(uint64_t *s, num_as as)
{
    num_binary f;
    do
        f = (num_binary)(below(s, NUM_B_COUNT - 1) + 1);
    while (!num_binary_takes(f, as));
    return f;
}

static num_unary
some_unary(uint64_t *s, num_as as)
{
    num_unary f;
    do
        f = (num_unary)(below(s, NUM_U_COUNT - 1) + 1);
    while (!num_unary_takes(f, as));
    return f;
}

static num_scalar
some_scalar(instance *m, int k, num_as as)
{
    num_scalar r = {.is_vec = below(&m->s, 2) == 0, .imm = any_word(&m->s)};
    r.imm = as == NUM_AS_F32 ? num_canon(r.imm) : r.imm;
    r.imm &= as == NUM_AS_BOOL ? 1 : 0xffffffffu;
    if (r.is_vec)
        r.vec = view_at(m, k, m->parts, 1, 1);
    return r;
}

static void
choose(instance *m)
{
    num_insn *in = &m->in;
    in->as = (num_as)(below(&m->s, 4) + 1);
    in->func = some_unary(&m->s, in->as);
    in->op0 = some_binary(&m->s, in->as);
    num_as next = num_binary_gives(in->op0, in->as);
    in->op1 = some_binary(&m->s, next);
    in->rev0 = below(&m->s, 2);
    in->rev1 = below(&m->s, 2);
    in->reduce =
        in->as == NUM_AS_BOOL ? NUM_R_ANY : (num_reduce)(below(&m->s, 4) + 1);
    in->reduce_dims = 1;
    in->iota_base = (int64_t)below(&m->s, 1000) - 500;
    in->iota_part = below(&m->s, 9);
    for (int d = 0; d < NUM_DIMS; d++)
        in->iota_step[d] = below(&m->s, 100);
    in->accumulate = below(&m->s, 2);
    in->combine = (num_combine)below(&m->s, NUM_C_COUNT);
    in->s0 = some_scalar(m, NUM_S0, in->as);
    in->s1 = some_scalar(m, NUM_S1, next);
}

static num_view
typed(int k, uint32_t parts, uint32_t cols, num_dtype t)
{
    num_view v = {
        .base = memory[k] + SLACK, .parts = parts, .dtype = t, .ndim = 1};
    v.dim[0].count = cols;
    v.dim[0].step = num_dtype_bytes(t);
    v.part_step = v.dim[0].step * cols;
    return v;
}

// The modes of the array: types and shapes that only they have. Products use
// weights that are loaded here.
static bool
make_array(instance *m)
{
    num_insn *in = &m->in, load;
    uint32_t n = m->cols;
    bool loads = in->op == NUM_OP_LDW_MX || in->op == NUM_OP_LDW_ROWS;
    uint32_t parts = 16;
    in->quad = 8;
    switch (in->op) {
    case NUM_OP_LDW_ROWS:
    case NUM_OP_MATMUL_ROWS:
        in->a = typed(NUM_A, parts, 2 * n, DT_F8E5M2);
        load = *in;
        load.op = NUM_OP_LDW_ROWS;
        break;
    case NUM_OP_LDW_MX:
    case NUM_OP_MATMUL_MX:
        in->a = typed(NUM_A, parts, n, DT_F8E4M3FNX4);
        in->b = typed(NUM_B, parts, n, DT_E8M0);
        load = *in;
        load.op = NUM_OP_LDW_MX;
        break;
    case NUM_OP_QUANTIZE_MX:
        in->mode = below(&m->s, 2);
        in->a = typed(NUM_A, parts, 4 * n, DT_BF16);
        in->dst = typed(NUM_DST, parts, n, DT_F8E5M2X4);
        in->dst2 = typed(NUM_DST2, parts, n, DT_E8M0);
        return true;
    default: return false;
    }
    if (!loads) {
        num_exec(&load, &state, scratch);
        in->dst = typed(NUM_DST, n, n, DT_F32);
    }
    return true;
}

// Operations whose shapes the table leaves to their rules.
static bool
make_special(instance *m)
{
    num_insn *in = &m->in;
    uint32_t k = m->rows * m->cols, n = 8;
    switch (in->op) {
    case NUM_OP_LDW:
        in->a = view_at(m, NUM_A, m->parts, 1, k);
        in->a.dtype = DT_BF16;
        return true;
    case NUM_OP_DMA_GATHER:
        in->a = view_at(m, NUM_A, 1, 1, n);
        in->b = view_at(m, NUM_B, m->parts, 1, k);
        in->dst = view_at(m, NUM_DST, m->parts, k, n);
        break;
    case NUM_OP_DMA_SCATTER:
        in->dst = view_at(m, NUM_DST, 1, 1, n);
        in->b = view_at(m, NUM_B, m->parts, 1, k);
        in->a = view_at(m, NUM_A, m->parts, k, n);
        break;
    default: return false;
    }
    in->b.dtype = DT_U8; // 256 blocks of at most 33 bytes
    in->b.dim[1].step = 1;
    return true;
}

// Operations whose operands follow rules of their own, not the table's shapes:
// no instances are made here. All but bn_stats and bn_aggr, which are made of
// the arithmetic above, move, find or draw elements.
static bool
has_own_rules(num_op op)
{
    static const num_op own[] = {
        NUM_OP_GATHER,      NUM_OP_SCATTER,      NUM_OP_LOCAL_GATHER,
        NUM_OP_SORT,        NUM_OP_TOPK,         NUM_OP_BOUNDS,
        NUM_OP_NONZERO,     NUM_OP_DEVICE_PRINT, NUM_OP_BN_STATS,
        NUM_OP_BN_AGGR,     NUM_OP_MAX8,         NUM_OP_FIND8,
        NUM_OP_REPLACE8,    NUM_OP_SHUFFLE,      NUM_OP_TRANSPOSE32,
        NUM_OP_RNG_SET,     NUM_OP_RNG_GET,      NUM_OP_RNG,
        NUM_OP_RNG_UNIFORM, NUM_OP_DROPOUT,      NUM_OP_PE_TRANSPOSE,
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (own[i] == op)
            return true;
    }
    return false;
}

static bool
make(instance *m)
{
    const num_op_form *form = num_op_form_of(m->in.op);
    choose(m);
    if (make_special(m) || make_array(m))
        return true;
    for (int k = 0; k < NUM_VIEWS; k++) {
        if (form->roles[k] != '-' && !make_view(m, form, k))
            return false;
    }
    if (m->in.op == NUM_OP_SELECT)
        m->in.a.dtype = m->in.dst.dtype;
    if (m->in.op == NUM_OP_MATMUL) // the weights of digest_operations
        m->in.dst.parts = state.pe.m;
    if (form->roles[NUM_RED] != '-' && below(&m->s, 2)) {
        m->in.has_red = true;
        m->in.red = view_at(m, NUM_RED, m->parts, 1, 1);
        m->in.cmd = (num_cmd)below(&m->s, NUM_CMD_COUNT);
    }
    return true;
}

static void
fill_memory(uint64_t s)
{
    for (int k = 0; k < NUM_OPERANDS; k++) {
        for (size_t i = 0; i + 4 <= sizeof memory[k]; i += 4) {
            num_word w = any_word(&s);
            memcpy(memory[k] + i, &w, 4);
        }
    }
}

static void
load_weights(uint32_t parts)
{
    instance m = {.in = {.op = NUM_OP_LDW}, .parts = parts, .s = 1};
    m.in.a = view_at(&m, NUM_A, parts, 1, 16);
    m.in.a.dtype = DT_F32;
    num_exec(&m.in, &state, scratch);
}

static void
digest_operation(num_op op)
{
    hash h = {0};
    fill_memory((uint64_t)op);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        instance m = {.in = {.op = op}, .s = round};
        m.parts = 1 + below(&m.s, 16);
        m.rows = 1 + below(&m.s, 6);
        m.cols = 1 + below(&m.s, 20);
        if (op == NUM_OP_MATMUL)
            load_weights(m.parts);
        if (!make(&m)) {
            printf("no digest for operation %s\n", num_op_name(op));
            failures++;
            return;
        }
        num_exec(&m.in, &state, scratch);
        eat(&h, memory[NUM_DST], sizeof memory[NUM_DST]);
        eat(&h, memory[NUM_DST2] + SLACK, 4096);
        eat(&h, memory[NUM_RED] + SLACK, 4096);
        eat(&h, state.acc, sizeof state.acc);
    }
    eat(&h, pe_w, sizeof pe_w);
    tell("operation", num_op_name(op), h);
}

static unsigned
get_mode(void)
{
#if defined(__x86_64__)
    return _mm_getcsr() & ~0x3fu; // without the sticky flags
#else
    return 0;
#endif
}

static void
set_mode(unsigned bits)
{
#if defined(__x86_64__)
    _mm_setcsr(0x1f80 | bits);
#else
    (void)bits;
#endif
}

int
main(int argc, char **argv)
{
    set_mode(argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 0);
    unsigned mode = get_mode();
    state.pe = (num_pe){.w = pe_w, .bits = pe_bits, .x = pe_x, .out = pe_out};
    num_env env = num_env_enter();
    for (int as = NUM_AS_F32; as <= NUM_AS_BOOL; as++) {
        digest_functions((num_as)as);
        digest_reductions((num_as)as);
    }
    digest_reference();
    digest_types();
    digest_products();
    for (int op = 1; op < NUM_OP_COUNT; op++) {
        if (!has_own_rules((num_op)op))
            digest_operation((num_op)op);
    }
    num_env_leave(env);
    if (get_mode() != mode) {
        printf("the caller's mode was %04x and is %04x\n", mode, get_mode());
        failures++;
    }
    return failures != 0;
}
