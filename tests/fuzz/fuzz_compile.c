// SPDX-License-Identifier: Apache-2.0
// One input through the public C API: parse, compile, certify, run.
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KERNELS = 3,
    DIMS = 16,
    MESSAGES = 3,            // that are looked at
    MAX_RUN_BYTES = 1 << 16, // of all arrays of a program that is run
    MAX_RUN_INSNS = 20000,   // executed
    MAX_IR_INSNS = 400,      // of that much work, in an evaluator
};

// What a choice depends on must be the input's alone.
static uint32_t
digest(const uint8_t *data, size_t size)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ data[i]) * 16777619u;
    return h;
}

static void
die(sy_session *s, const char *why)
{
    fprintf(stderr, "fuzz: %s\n", why);
    for (size_t i = 0; i < sy_diagnostic_count(s); i++)
        fputs(sy_diagnostic_text(s, i, 0), stderr);
    abort();
}

static int
has_code(sy_session *s, uint32_t first, uint32_t last)
{
    for (size_t i = 0; i < sy_diagnostic_count(s); i++) {
        sy_diagnostic d = sy_diagnostic_at(s, i);
        if (d.code >= first && d.code <= last)
            return 1;
    }
    return 0;
}

// Every failure has its numbered reason, and every reason can be shown.
static void
expect_reason(sy_session *s, sy_status status)
{
    if (status == SY_INTERNAL || status == SY_USAGE)
        die(s, "internal error");
    if (status != SY_OK && status != SY_MISMATCH && sy_diagnostic_count(s) == 0)
        die(s, "failed without a diagnostic");
    for (size_t i = 0; i < sy_diagnostic_count(s) && i < MESSAGES; i++) {
        if (!sy_diagnostic_text(s, i, 1)[0] || !sy_diagnostic_at(s, i).text[0])
            die(s, "a diagnostic without text");
    }
}

static uint64_t
bytes_of(const sy_array_type *t)
{
    uint64_t n = 4;
    for (uint32_t i = 0; i < t->rank; i++) {
        if (t->shape[i] > MAX_RUN_BYTES)
            return UINT64_MAX;
        n *= (uint64_t)t->shape[i];
        if (n > MAX_RUN_BYTES)
            return n;
    }
    return n;
}

static uint64_t
dtype_bytes(const char *dtype)
{
    if (strcmp(dtype, "bool") == 0 || strstr(dtype, "8"))
        return 1;
    return strstr(dtype, "16") ? 2 : 4;
}

static void
bind_outputs(sy_session *s, sy_program *p, uint8_t *room)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < sy_program_array_count(p); i++) {
        int out = 0;
        sy_array_type t = sy_program_array(p, i, &out);
        uint64_t bytes = bytes_of(&t) / 4 * dtype_bytes(t.dtype);
        if (out && sy_bind(s, p, t.name, room + total, bytes) != SY_OK)
            die(s, "an output of its own type cannot be bound");
        total += (bytes + 3) & ~(uint64_t)3;
    }
}

// Whether data named an element that is not there: in tensor IR, tile IR, HBM or
// on chip.
static int
is_outside(sy_session *s)
{
    return has_code(s, 640, 640) || has_code(s, 674, 674) ||
           has_code(s, 850, 851);
}

// What a compiled kernel must never do, whatever its source.
static void
judge_run(sy_session *s, sy_status status, sy_kind kind)
{
    expect_reason(s, status);
    if (status != SY_FAULT)
        return;
    if ((kind == SY_KIND_TK || kind == SY_KIND_TENSOR) && !is_outside(s))
        die(s, "a compiled kernel faults");
    // Tile IR may read what was never written, but its order is settled.
    if (kind == SY_KIND_TILE && has_code(s, 833, 836))
        die(s, "compiled tile IR deadlocks or leaves its memory");
    if (kind == SY_KIND_TILE && has_code(s, 840, 840))
        die(s, "compiled tile IR races");
}

static void
check(sy_session *s, sy_program *p, sy_kind kind)
{
    sy_check_options o = {
        .size = sizeof o, .orders = 2, .max_instructions = MAX_IR_INSNS};
    const sy_check_row *row = NULL;
    size_t n = 0;
    sy_status status = sy_check(s, p, &o, &row, &n);
    judge_run(s, status, kind);
    for (size_t i = 0; i < n; i++) {
        if (!row[i].ok && (kind == SY_KIND_TK || kind == SY_KIND_TENSOR)) {
            fprintf(stderr, "fuzz: %s against %s: %.9g, not %.9g\n",
                    row[i].tensor, row[i].against, row[i].got, row[i].want);
            die(s, "levels disagree");
        }
    }
}

static void
run(sy_session *s, sy_program *p, sy_kind kind, uint32_t choice)
{
    static uint8_t room[MAX_RUN_BYTES];
    static const sy_engine engine[] = {SY_ENGINE_INTERP, SY_ENGINE_TILE,
                                       SY_ENGINE_TENSOR};
    if (choice % 4 == 3) {
        check(s, p, kind);
        return;
    }
    bind_outputs(s, p, room);
    sy_run_options o = {.size = sizeof o,
                        .engine = engine[choice % 4],
                        .max_instructions =
                            choice % 4 ? MAX_IR_INSNS : MAX_RUN_INSNS};
    if (sy_draw(s, p, choice) != SY_OK)
        die(s, "inputs cannot be drawn");
    judge_run(s, sy_run(s, p, &o), kind);
}

static int
is_small(sy_program *p)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < sy_program_array_count(p); i++) {
        int out = 0;
        sy_array_type t = sy_program_array(p, i, &out);
        total += bytes_of(&t) > MAX_RUN_BYTES ? MAX_RUN_BYTES : bytes_of(&t);
        if (total >= MAX_RUN_BYTES)
            return 0;
    }
    return 1;
}

static void
compile(sy_session *s, const sy_module *m, uint32_t kernel, uint32_t choice)
{
    static const char *const targets[] = {"tiny", "trn2", "trn4", "trn3"};
    static const int64_t extents[] = {3, 5, 2, 17, 1, 33, 4, 0};
    sy_kind kind = sy_module_kind(m);
    sy_dim dims[DIMS];
    uint32_t n = sy_kernel_dim_count(m, kernel);
    for (uint32_t i = 0; i < n && i < DIMS; i++)
        dims[i] = (sy_dim){sy_kernel_dim_name(m, kernel, i),
                           extents[((choice >> 4 * (i % 4)) + i) & 7]};
    sy_compile_options o = {
        .size = sizeof o,
        .kernel = sy_module_kernel_name(m, kernel),
        .target = kind == SY_KIND_TK || kind == SY_KIND_TENSOR
                      ? targets[choice >> 20 & 3]
                      : NULL,
        .dims = dims,
        .dim_count = n < DIMS ? n : DIMS,
        .opt_level = (int)(choice >> 22 & 3),
        .verify_each = choice >> 24 & 1,
    };
    sy_program *p = NULL;
    sy_status status = sy_compile(s, m, &o, &p);
    expect_reason(s, status);
    if (has_code(s, 403, 403) || has_code(s, 401, 402))
        die(s, "a pass left something that cannot be");
    if (status == SY_OK && is_small(p))
        run(s, p, kind, choice >> 25);
}

void
fuzz_compile(const uint8_t *data, size_t size, sy_kind kind)
{
    sy_session *s = sy_session_new();
    sy_module *m = NULL;
    uint32_t choice = digest(data, size);
    sy_status status = sy_module_parse(s, "fuzz", data, size, kind, &m);
    expect_reason(s, status);
    uint32_t n = status == SY_OK ? sy_module_kernel_count(m) : 0;
    for (uint32_t i = 0; i < n && i < KERNELS; i++) {
        sy_diagnostics_clear(s);
        compile(s, m, i, choice);
    }
    sy_session_free(s);
}
