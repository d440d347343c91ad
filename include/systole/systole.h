/* SPDX-License-Identifier: Apache-2.0 */
/* The public C API of Systole: compile, load, bind buffers, run, read back,
 * check, diagnostics as data. C99 and C++ clean.
 *
 * A session owns everything made from it and is freed as a whole; it may be
 * used by one thread at a time, different sessions by different threads. No
 * function prints, exits or keeps state outside its session. Functions that can
 * fail return a sy_status; the reasons are the session's diagnostics. Strings
 * and arrays returned live as long as the session. */
#ifndef SYSTOLE_H
#define SYSTOLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYSTOLE_VERSION "0.1.0"
#define SY_API          __attribute__((visibility("default")))

/* The values are the exit statuses of the command. */
typedef enum {
    SY_OK = 0,
    SY_REJECTED = 1, /* the input is wrong: see the diagnostics */
    SY_USAGE = 2,    /* the call is wrong */
    SY_MISMATCH = 3, /* a check did not match */
    SY_FAULT = 4,    /* race, deadlock, uninitialised or out-of-range access */
    SY_LIMIT = 5,    /* a limit or the host's memory was reached */
    SY_UNSUPPORTED = 6, /* an import met something unsupported */
    SY_INTERNAL = 70,   /* a bug of ours */
    SY_IO = 74          /* a file could not be read or written */
} sy_status;

typedef struct sy_session sy_session;
typedef struct sy_module sy_module;   /* a parsed input of any kind */
typedef struct sy_program sy_program; /* one kernel, compiled or loaded */

SY_API const char *sy_version(void);
SY_API sy_session *sy_session_new(void); /* NULL: no memory */
SY_API void sy_session_free(sy_session *s);

/* ---- diagnostics */

typedef enum { SY_ERROR, SY_WARNING, SY_NOTE } sy_severity;

typedef struct {
    uint32_t code; /* 412 for E0412 */
    sy_severity severity;
    const char *file;                            /* NULL: no place */
    uint32_t line, column, end_line, end_column; /* 1-based */
    const char *text;
    const char *fix; /* suggested replacement of the range, or NULL */
    uint32_t note_count;
} sy_diagnostic;

SY_API size_t sy_diagnostic_count(const sy_session *s);
SY_API sy_diagnostic sy_diagnostic_at(sy_session *s, size_t i);
SY_API sy_diagnostic sy_diagnostic_note(sy_session *s, size_t i, uint32_t note);
/* As a terminal shows it: source line, caret, notes. */
SY_API const char *sy_diagnostic_text(sy_session *s, size_t i, int colour);
SY_API void sy_diagnostics_clear(sy_session *s);
/* A page on a diagnostic's number, or NULL. */
SY_API const char *sy_explain(uint32_t code);

/* ---- inputs */

typedef enum {
    SY_KIND_AUTO,
    SY_KIND_TK,     /* .tk source */
    SY_KIND_TENSOR, /* tensor IR text */
    SY_KIND_TILE,   /* tile IR text */
    SY_KIND_ASM,    /* assembly */
    SY_KIND_OBJECT  /* ELF object */
} sy_kind;

/* 'name' is what diagnostics call it. The bytes are copied. */
SY_API sy_status sy_module_parse(sy_session *s, const char *name,
                                 const void *bytes, size_t n, sy_kind kind,
                                 sy_module **out);
SY_API sy_kind sy_module_kind(const sy_module *m);
SY_API uint32_t sy_module_kernel_count(const sy_module *m);
SY_API const char *sy_module_kernel_name(const sy_module *m, uint32_t i);

/* ---- arrays */

#define SY_MAX_RANK 8

typedef struct {
    const char *name;
    const char *dtype; /* "bf16", "f32", ... */
    uint32_t rank;
    int64_t shape[SY_MAX_RANK];
} sy_array_type;

/* Parameter types of a kernel before compiling: dims may be unknown, then
 * shape is -1. Inputs come first. is_output: as kind of sy_program_array. */
SY_API uint32_t sy_kernel_param_count(const sy_module *m, uint32_t kernel);
SY_API sy_array_type sy_kernel_param(const sy_module *m, uint32_t kernel,
                                     uint32_t i, int *is_output);
/* The dims a kernel takes; none when its extents are numbers already. */
SY_API uint32_t sy_kernel_dim_count(const sy_module *m, uint32_t kernel);
SY_API const char *sy_kernel_dim_name(const sy_module *m, uint32_t kernel,
                                      uint32_t i);

/* ---- compiling */

typedef struct {
    const char *name;
    int64_t value;
} sy_dim;

typedef struct {
    size_t size;        /* sizeof(sy_compile_options) */
    const char *kernel; /* NULL: the only one, or the one named like the file */
    const char *target; /* NULL: "trn2", or what the input names */
    const sy_dim *dims;
    size_t dim_count;
    const sy_array_type *inputs; /* shapes that determine dims, by name */
    size_t input_count;
    int opt_level;                        /* 0..3; -1: 2 */
    const char *print_after, *stop_after; /* passes, or NULL */
    int verify_each;
} sy_compile_options;

SY_API sy_status sy_compile(sy_session *s, const sy_module *m,
                            const sy_compile_options *o, sy_program **out);

/* The compiler's passes in order; NULL past the end. */
SY_API const char *sy_pass_name(uint32_t i);

typedef enum {
    SY_EMIT_TENSOR,
    SY_EMIT_TILE,
    SY_EMIT_ASM,
    SY_EMIT_OBJECT
} sy_emit;
SY_API sy_status sy_program_emit(sy_session *s, sy_program *p, sy_emit what,
                                 const void **bytes, size_t *n);
/* What print_after printed, "" if nothing. */
SY_API const char *sy_program_dump(const sy_program *p);
SY_API uint32_t sy_program_array_count(const sy_program *p);
/* kind: 0 input, 1 output, 2 both: an array that is updated in place. */
SY_API sy_array_type sy_program_array(const sy_program *p, uint32_t i,
                                      int *kind);

/* ---- running */

typedef enum { SY_ENGINE_INTERP, SY_ENGINE_TENSOR, SY_ENGINE_TILE } sy_engine;

/* Row-major memory of the declared dtype and shape, the caller's, bound by
 * name; every input and output must be bound before running. */
SY_API sy_status sy_bind(sy_session *s, sy_program *p, const char *name,
                         void *data, size_t bytes);
/* Binds every input that is not bound to memory of the session, with elements
 * drawn from the seed (the same that sy_check draws). */
SY_API sy_status sy_draw(sy_session *s, sy_program *p, uint64_t seed);
/* The memory that an array is bound to, or NULL. */
SY_API void *sy_bound(const sy_program *p, const char *name);

typedef struct {
    size_t size;
    sy_engine engine;
    int random_order; /* engines in a seeded random order */
    uint64_t seed;
    /* 0: none. The evaluators of the IRs, too, do not begin what is far more
     * work than that. */
    uint64_t max_instructions;
} sy_run_options;

SY_API sy_status sy_run(sy_session *s, sy_program *p, const sy_run_options *o);

/* ---- checking */

typedef struct {
    const char *tensor;  /* an output, or an intermediate kept in HBM */
    const char *against; /* "reference", "step": the reference from the
                          * machine's own intermediates, "tensor", "tile",
                          * "orders"; "claim": a bound output, against the
                          * reference; "claim-rounded": the same, against the
                          * reference that rounds where the kernel does */
    int ok;
    double worst; /* worst error as a fraction of what is allowed */
    int64_t index[SY_MAX_RANK]; /* of the worst, or first differing, element */
    uint32_t rank;
    double got, want, allowed;
    const char *where; /* tile and instruction that wrote it, or "" */
} sy_check_row;

typedef struct {
    size_t size;
    uint64_t seed;   /* inputs that are not bound are drawn from it */
    uint32_t orders; /* machine runs in this many random engine orders */
    uint64_t max_instructions; /* 0: none */
} sy_check_options;

/* All levels against each other and the reference. Inputs that are bound are
 * used; others are drawn. Outputs that are bound are taken as a claimed result
 * and checked against the bound as well. SY_OK or SY_MISMATCH or worse. */
SY_API sy_status sy_check(sy_session *s, sy_program *p,
                          const sy_check_options *o, const sy_check_row **rows,
                          size_t *n);

/* ---- assembling */

SY_API sy_status sy_assemble(sy_session *s, const char *name, const void *text,
                             size_t n, const void **object, size_t *object_n);
SY_API sy_status sy_disassemble(sy_session *s, const char *name,
                                const void *object, size_t n,
                                const char **text);

/* ---- formatting */

/* .tk source in canonical form: comments are kept, and formatting the result
 * again gives the same bytes. SY_REJECTED when it does not parse; names and
 * types are not looked at. */
SY_API sy_status sy_format(sy_session *s, const char *name, const void *source,
                           size_t n, const char **text, size_t *text_n);

/* ---- targets */

SY_API uint32_t sy_target_count(void);
SY_API const char *sy_target_name(uint32_t i);
/* The description as text. */
SY_API const char *sy_target_text(sy_session *s, const char *name);

#ifdef __cplusplus
}
#endif
#endif
