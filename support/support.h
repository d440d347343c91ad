// SPDX-License-Identifier: Apache-2.0
// What every folder may use: arenas, vectors, strings, maps, diagnostics,
// checked arithmetic, files. Knows nothing of compilers.
#ifndef SY_SUPPORT_H
#define SY_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NODISCARD         __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN          __attribute__((noreturn))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof *(a))

// ---- arena.c: memory that dies together

typedef struct arena arena;

// A new arena, or NULL when the host has no memory.
arena *arena_new(void);
// Frees everything allocated from 'a' and 'a' itself; NULL is ignored.
void arena_free(arena *a);
// Out of memory (or past the limit) jumps to 'jmp', which must outlive every
// allocation from 'a'. Without one, the process aborts.
void arena_on_oom(arena *a, jmp_buf *jmp);
// No more than 'bytes' in total from now on (0: no limit).
void arena_limit(arena *a, size_t bytes);
// n zeroed bytes aligned to 16. Never NULL.
void *arena_alloc(arena *a, size_t n);
// n zeroed elements of 'size' bytes; an overflow counts as out of memory.
void *arena_array(arena *a, size_t n, size_t size);
// Scratch use: everything allocated after the mark is released.
typedef struct {
    void *block;
    size_t used;
} arena_mark;
arena_mark arena_save(arena *a);
void arena_restore(arena *a, arena_mark m);
#define ARENA_NEW(a, T)      ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, n, T) ((T *)arena_array((a), (n), sizeof(T)))

// ---- arena.c: growing arrays, in an arena

// VEC(int) v = {0}; vec_push(a, &v, 3); v.at[0]; v.n. Elements may move on
// push: keep indices, not pointers.
#define VEC(T)                                                                 \
    struct {                                                                   \
        T *at;                                                                 \
        uint32_t n, cap;                                                       \
    }
#define vec_push(a, v, ...)                                                    \
    (vec_reserve_((a), (void **)&(v)->at, &(v)->cap, (v)->n + 1u,              \
                  sizeof *(v)->at),                                            \
     (v)->at[(v)->n++] = __VA_ARGS__)
// Appends one zeroed element and gives its address (until the next push).
#define vec_add(a, v)                                                          \
    (vec_reserve_((a), (void **)&(v)->at, &(v)->cap, (v)->n + 1u,              \
                  sizeof *(v)->at),                                            \
     memset(&(v)->at[(v)->n], 0, sizeof *(v)->at), &(v)->at[(v)->n++])
#define vec_last(v) (&(v)->at[(v)->n - 1u])
// (private) makes room for 'need' elements; new room is zeroed.
void vec_reserve_(arena *a, void **at, uint32_t *cap, uint32_t need,
                  size_t size);

// ---- str.c: slices and building

// Bytes, not terminated, owned by whoever made them.
typedef struct {
    const char *p;
    size_t n;
} str;

#define STR(lit)   ((str){(lit), sizeof(lit) - 1})
#define STR_ARG(s) (int)(s).n, (s).p // for "%.*s"
str str_of(const char *z);
bool str_eq(str a, str b);
bool str_eq_z(str a, const char *z);
int str_cmp(str a, str b);
// A terminated copy.
char *str_z(arena *a, str s);
str str_dup(arena *a, str s);
// Levenshtein distance capped at 'cap', for "did you mean".
uint32_t str_distance(str a, str b, uint32_t cap);

typedef struct {
    arena *a;
    char *p; // always terminated once something was added
    size_t n, cap;
} strbuf;

strbuf strbuf_new(arena *a);
void strbuf_put(strbuf *b, str s);
void strbuf_putc(strbuf *b, char c);
void strbuf_printf(strbuf *b, const char *fmt, ...) PRINTF(2, 3);
void strbuf_vprintf(strbuf *b, const char *fmt, va_list ap) PRINTF(2, 0);
str strbuf_str(const strbuf *b);
// A printf into fresh arena memory.
char *arena_printf(arena *a, const char *fmt, ...) PRINTF(2, 3);

// Shortest decimal that reads back to the same binary32 ("1.5", "0.1", "inf",
// "-0.0", "nan"); always has a point, an exponent or letters.
void strbuf_f32(strbuf *b, float x);
// The whole of 's' as a number; false if it is not one or does not fit.
NODISCARD bool str_to_i64(str s, int64_t *out);
NODISCARD bool str_to_u64(str s, uint64_t *out); // also 0x...
NODISCARD bool str_to_f64(str s, double *out);   // correctly rounded

// ---- map.c: string -> u32 and u64 -> u32, insertion only

typedef struct {
    arena *a;
    struct map_slot *slot;
    uint32_t n, cap;
} map;

map map_new(arena *a);
// The value's address, or NULL. Valid until the next put.
uint32_t *map_get_str(const map *m, str key);
uint32_t *map_get_u64(const map *m, uint64_t key);
// Sets (or replaces) the value. The key's bytes must outlive the map.
void map_put_str(map *m, str key, uint32_t value);
void map_put_u64(map *m, uint64_t key, uint32_t value);

// ---- math.c: arithmetic that says when it does not fit

NODISCARD bool add_i64(int64_t a, int64_t b, int64_t *out);
NODISCARD bool mul_i64(int64_t a, int64_t b, int64_t *out);
NODISCARD bool mul_u64(uint64_t a, uint64_t b, uint64_t *out);
int64_t floor_div(int64_t a, int64_t b); // b > 0
int64_t ceil_div(int64_t a, int64_t b);  // b > 0
int64_t min_i64(int64_t a, int64_t b);
int64_t max_i64(int64_t a, int64_t b);
uint64_t align_up(uint64_t x, uint64_t to); // 'to' a power of two
int64_t gcd_i64(int64_t a, int64_t b);
// SplitMix64: the seeded generator of tests, inputs and engine orders.
uint64_t rng_next(uint64_t *state);

// ---- diag.c: what is wrong with the input, as data

// Every message's id, number, severity and format: diag.def.
typedef enum {
    D_NONE,
#define DIAG(id, number, severity, format) D_##id,
#include "support/diag.def"
#undef DIAG
    D_COUNT
} diag_id;

typedef enum { SEV_ERROR, SEV_WARNING, SEV_NOTE } diag_severity;

// A byte range of a source; source 0 is "nowhere".
typedef struct {
    uint32_t source;
    uint32_t begin, end; // end excluded
} loc;

typedef struct {
    loc at;
    const char *text;
} diag_note;

typedef struct {
    diag_id id;
    diag_severity severity;
    loc at;
    const char *text; // formatted, lower case, no full stop
    const char *fix;  // a suggested replacement of the range, or NULL
    VEC(diag_note) notes;
} diag_msg;

// A text whose bytes diagnostics point into.
typedef struct {
    const char *name;
    str text;
} diag_source;

typedef struct {
    arena *a;
    VEC(diag_source) sources; // index 0 is unused
    VEC(diag_msg) msgs;
    uint32_t errors;     // number of errors, those past the cap included
    uint32_t max_errors; // messages kept (20)
    bool dropped;        // the last message was past the cap
    diag_msg spare;      // what diag() gives then
} diags;

void diags_init(diags *d, arena *a);
uint32_t diag_add_source(diags *d, const char *name, str text);
// Records a message; the arguments are those of the id's format.
diag_msg *diag(diags *d, loc at, diag_id id, ...);
// Adds a note to the message recorded last.
void diag_note_add(diags *d, loc at, const char *fmt, ...) PRINTF(3, 4);
// Adds a suggested replacement text to the message recorded last.
void diag_fix_add(diags *d, const char *fmt, ...) PRINTF(2, 3);
uint32_t diag_number(diag_id id); // 412 for E0412
const char *diag_format(diag_id id);
// Line and column, 1-based, of a byte offset.
void diag_line_col(const diags *d, loc at, uint32_t *line, uint32_t *col);
// "file:3:9: error: text [E0412]", source line, caret, notes; for terminals.
void diag_render(const diags *d, const diag_msg *m, bool colour, strbuf *out);
loc loc_join(loc a, loc b);

// ---- check.c: our own mistakes

// Always compiled in. Prints where and what, then aborts: a bug of ours.
#define SY_CHECK(cond, ...)                                                    \
    ((cond) ? (void)0 : sy_check_fail(__FILE__, __LINE__, #cond, __VA_ARGS__))
void sy_check_fail(const char *file, int line, const char *cond,
                   const char *fmt, ...) NORETURN PRINTF(4, 5);

// ---- file.c

// Reads a whole file ("-": standard input) into the arena. On failure gives a
// message in *err. At most 'max' bytes.
NODISCARD bool file_read(arena *a, const char *path, uint64_t max, str *out,
                         const char **err);
// Writes aside, then renames: the path holds all of it or what it held before.
// "-" is standard output.
NODISCARD bool file_write(arena *a, const char *path, str data,
                          const char **err);

// The same in two steps, for several files that appear together or not at
// all: stage each, then commit each or discard each.
typedef struct {
    const char *path, *temp; // temp: NULL for what is written directly
    str data;
} file_staged;
NODISCARD bool file_stage(arena *a, const char *path, str data,
                          file_staged *out, const char **err);
NODISCARD bool file_commit(arena *a, file_staged *f, const char **err);
void file_discard(file_staged *f);

#endif
