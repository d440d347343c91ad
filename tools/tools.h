// SPDX-License-Identifier: Apache-2.0
// The systole command: one file per subcommand, thin over the C API. Only this
// folder prints and decides the exit status.
#ifndef SY_TOOLS_H
#define SY_TOOLS_H

#include "numerics/numerics.h"
#include "support/support.h"
#include "systole/systole.h"

#include <jansson.h>

typedef struct {
    const char *name, *path;
} tool_pair; // name=path

// Executed instructions, unless --limit-instructions says otherwise (0: any
// number): minutes of work.
#define TOOL_LIMIT_INSTRUCTIONS 1000000000u

// What the command line said.
typedef struct {
    const char *file; // the input, or NULL
    const char *output; // -o
    const char *kernel, *target, *emit, *engine;
    const char *print_after, *stop_after;
    int opt_level; // -1: the default
    bool verify_each, list_passes, json, seeded, in_place, only_check;
    uint64_t seed, orders, limit_instructions;
    VEC(sy_dim) dims;
    VEC(tool_pair) in, out, claim;
} tool_options;

typedef struct {
    arena *a;
    sy_session *s;
    diags d; // of arrays' files: what the C API does not see
    const char *command; // "build"
    tool_options o;
    json_t *result; // of --json; NULL otherwise
    bool colour;
} tool;

// ---- options.c ----------------------------------------------------------------

// Parses the arguments after the subcommand; exits with status 2 if wrong, after
// the object of --json if that is among them.
void options_parse(tool *t, int argc, char **argv);

// ---- report.c -----------------------------------------------------------------

// Makes the result of --json.
void report_start(tool *t);
// All diagnostics so far, to standard error or into the result.
void report_diagnostics(tool *t);
// A sentence on standard error and into the result; gives 'status'.
int report_failure(tool *t, int status, const char *fmt, ...) PRINTF(3, 4);
// A remark on standard error and into the result's notes.
void report_note(tool *t, const char *fmt, ...) PRINTF(2, 3);
// Prints the result of --json, if asked for, and gives the status.
int report_end(tool *t, int status);
// A number as JSON has it, or "inf", "-inf", "nan".
json_t *report_real(double x);
json_t *report_array_type(const sy_array_type *type);
// Text that may hold anything, as JSON has it.
json_t *report_text(str s);

// ---- input.c --------------------------------------------------------------------

// Reads and parses the input file. 0 or the exit status.
int input_module(tool *t, sy_module **m);
// Compiles kernel number 'kernel', with those -D dims that it has, or the one
// meant (-1). 'in': the inputs whose shapes are known.
int input_compile(tool *t, const sy_module *m, int kernel,
                  const sy_array_type *in, uint32_t nin, sy_program **p);
// Reads a whole file; 0 or the exit status.
int input_read(tool *t, const char *path, str *out);
// Where an object goes without -o: to the input's name with .syo, in the current
// directory; to standard output if the input is standard input. 0 or the exit
// status, when that is the input itself or wanted by --json.
int output_default(tool *t, const char **path);
// Writes files that appear together or not at all; 0 or the exit status.
int output_write(tool *t, const tool_pair *file, const str *data, uint32_t n);

// ---- npy.c ----------------------------------------------------------------------

// An array file, header taken apart; 'data' holds the elements as stored.
typedef struct {
    const char *path;
    char kind;     // f i u b V
    uint32_t size; // bytes an element
    bool swapped;  // big-endian
    bool fortran;
    uint32_t rank;
    int64_t shape[SY_MAX_RANK];
    uint64_t elems;
    const char *descr;
    str data;
} npy_array;

NODISCARD bool npy_parse(arena *a, diags *d, const char *path, str bytes,
                         npy_array *out);
// The elements in row-major order as 'dtype' stores them; *converted when a
// float type had to be rounded or widened into another.
NODISCARD bool npy_convert(arena *a, diags *d, const npy_array *in,
                           const char *name, num_dtype dtype, void **out,
                           bool *converted);
// A whole .npy file.
str npy_write(arena *a, const sy_array_type *type, const void *data);

// ---- arrays.c -------------------------------------------------------------------

typedef struct {
    VEC(npy_array) in; // in the order of --in, then of --claim
} tool_arrays;

// Reads the files of --in and --claim; 0 or the exit status.
int arrays_read(tool *t, tool_arrays *x);
// Their names and shapes, for compiling.
sy_array_type *arrays_types(tool *t, const tool_arrays *x, uint32_t *n);
// Converts and binds them.
int arrays_bind(tool *t, const tool_arrays *x, sy_program *p);
const char *arrays_type_text(arena *a, const sy_array_type *type);

// ---- one file each --------------------------------------------------------------

int cmd_build(tool *t);
int cmd_run(tool *t);
int cmd_check(tool *t);
int cmd_asm(tool *t);
int cmd_disasm(tool *t);
int cmd_fmt(tool *t);
int cmd_targets(tool *t);
int cmd_explain(tool *t);

#endif
