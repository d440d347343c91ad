// SPDX-License-Identifier: Apache-2.0
// What the files of the tile IR share: a run of a function (memory, counters,
// resolved operands), which the evaluator and the error analysis drive, and
// the text form's words.
#ifndef SY_IR_TILE_INT_H
#define SY_IR_TILE_INT_H

#include "ir/tile.h"

// *out = a + k * b. False when a number or the terms do not fit.
NODISCARD bool tile_aff_madd(const tile_aff *a, const tile_aff *b, int64_t k,
                             tile_aff *out);

// Memory of a tensor or of (one slot of) a buffer. A buffer's partition p is
// its elements p * row .. (p + 1) * row.
typedef struct {
    const char *name;
    num_dtype dtype;
    int64_t elems; // in all
    int64_t row;   // buffers: elements a partition; tensors: 0
    uint8_t *data;
    uint8_t *init; // a byte an element: written; NULL: all of them are
    double *err;   // error analysis only; NULL: exact
    bool cut;      // reads of err give 0
    bool whole;    // known to be written all over
} tile_store;

// An operand with the counters applied, in elements of its store.
typedef struct {
    tile_store *store; // NULL: absent
    int64_t base, pstep;
    uint32_t parts;
    uint32_t ndim;
    struct {
        int64_t step;
        uint32_t count;
    } dim[NUM_DIMS];
} tile_view;

uint64_t tile_view_elems(const tile_view *v); // a partition
num_view tile_view_num(const tile_view *v);
// The same view of partition p alone.
tile_view tile_view_part(const tile_view *v, uint32_t p);

// Calls f for the elements of the view in order, as rows base, base + step, ..;
// stops and returns false when f does.
typedef bool tile_row_fn(void *ctx, int64_t base, int64_t step, int64_t count);
bool tile_view_rows(const tile_view *v, tile_row_fn *f, void *ctx);

// One operation, resolved; nothing is absent that it needs, nothing empty.
typedef struct {
    const tile_op *op;
    tile_view dst, a, b, v0, v1, dst2;
    num_insn insn;
} tile_step;

typedef struct {
    diag_id id;
    const tile_op *op;
    const tile_store *store;
    int64_t elem;
    uint32_t need[2], have[2]; // weights
    num_index index;
} tile_fault;

typedef struct tile_run {
    const tile_fn *fn;
    int64_t *counter;  // by loop
    uint32_t *home;    // by loop: first buffer there + 1
    uint32_t *sibling; // by buffer: next of the same home + 1
    tile_store *tensor, *buf;
    num_state state;
    bool loaded;
    num_word *scratch;
    void (*exec)(struct tile_run *r, tile_step *s);
    void *ctx;
    const tile_ref *indexed; // of the operation at hand: tile_indexed
    tile_fault fault;
} tile_run;

// Memory for a run comes from fn->a; the caller gives it back.
void tile_run_init(tile_run *r, const tile_fn *fn, void *const *buf);
bool tile_run_all(tile_run *r);
void tile_run_report(const tile_run *r, diags *d);

// ---- tile_error.c: error rules of one scalar operation
// -------------------------------- Words and their errors to the error of the
// result z (a word too). w, e: the operands in the function's order.

double tile_word_value(num_as as, num_word w);
// A computed bound, so much larger that it is one; NaN becomes infinite.
double tile_err_inflate(double e);
double tile_err_round(double z); // of an f32 result
double tile_err_add(double a, double ea, double b, double eb, double z);
double tile_err_binary(num_binary f, num_as as, const num_word *w,
                       const double *e, num_word z);
double tile_err_unary(num_unary f, num_as as, num_word x, double e, num_word z);
double tile_err_cast(num_as to, num_as from, num_word w, double e, num_word z);
// z: the stored element, widened.
double tile_err_store(num_dtype t, num_as as, num_word w, double e, num_word z);

// ---- tile_lex.c, tile_parse_op.c: the text form

typedef struct {
    tile_fn *fn;
    diags *d;
    uint32_t source;
    str text;
    size_t pos;
    map tensors, bufs;
    uint32_t depth;
    struct {
        uint32_t id;
        str name;
    } loop[TILE_LOOPS + 1]; // those around, by depth
} tile_parser;

bool tile_lex_is_digit(char c);
bool tile_lex_is_word(char c); // a letter, a digit, '_' or '.'
void tile_lex_skip_space(tile_parser *p);
// The next byte, 0 at the end; the next run of word characters, maybe empty.
char tile_lex_peek(tile_parser *p);
str tile_lex_word(tile_parser *p);
loc tile_lex_loc(const tile_parser *p, size_t begin, size_t end);
// "expected WHAT, found .."; false.
bool tile_lex_expected(tile_parser *p, const char *what);
// Skips punctuation, or a whole word, if it is next; 'expect' wants it to be.
bool tile_lex_accept(tile_parser *p, const char *punct);
NODISCARD bool tile_lex_expect(tile_parser *p, const char *punct);
bool tile_lex_accept_word(tile_parser *p, const char *word);
NODISCARD bool tile_lex_expect_word(tile_parser *p, const char *word);
NODISCARD bool tile_lex_name(tile_parser *p, str *out);
NODISCARD bool tile_lex_i64(tile_parser *p, int64_t *out);
NODISCARD bool tile_lex_u32(tile_parser *p, uint32_t *out);
// A word that is one letter and a number: q3, s12.
bool tile_lex_is_numbered(str w, char letter);
NODISCARD bool tile_lex_numbered(tile_parser *p, char letter, const char *what,
                                 uint32_t *out);
NODISCARD bool tile_parse_loop_name(tile_parser *p, uint32_t *id);
NODISCARD bool tile_parse_aff(tile_parser *p, tile_aff *out);
NODISCARD bool tile_parse_count(tile_parser *p, tile_count *out);
NODISCARD bool tile_parse_engine(tile_parser *p, tile_engine *out);
NODISCARD bool tile_parse_op(tile_parser *p);

// ---- tile_verify_ref.c: rules of operands

enum {
    TILE_PARTS = 128,   // partitions of the widest machine
    TILE_COUNT = 65535, // 16 bits
    TILE_MOVING = 512,  // columns a matmul takes
};

// Numbers of a text beyond this are rejected, so that sums of products of
// what is left fit (steps of 2^40 times counts of 2^16).
#define TILE_NUMBER_MAX ((int64_t)1 << 40)

typedef struct {
    const tile_fn *fn;
    diags *d;
    uint32_t body;     // of the operation
    const tile_op *op; // current
    bool dead;         // inside a loop that never runs
    bool ok;
} tile_verifier;

const char *tile_op_text(const tile_op *op);
void tile_fail_op(tile_verifier *v, const char *what);
// The counter exists in 'body'.
bool tile_loop_around(const tile_fn *fn, uint32_t loop, uint32_t body);
bool tile_home_around(const tile_fn *fn, uint32_t home, uint32_t body);
bool tile_aff_is_valid(const tile_fn *fn, const tile_aff *a, uint32_t body);
bool tile_count_is_valid(const tile_fn *fn, const tile_count *c, uint32_t body,
                         int64_t max, bool may_divide);
// The greatest value of a count.
int64_t tile_count_max(const tile_count *c);
// One operand: that it exists, stays inside its store, is where it may be.
bool tile_verify_ref(tile_verifier *v, const char *name, const tile_ref *r,
                     const tile_count *parts);
// Elements a partition in the outermost 'ndim' dimensions.
bool tile_ref_size(const tile_ref *r, uint32_t ndim, tile_count *out);
bool tile_count_same(const tile_count *a, const tile_count *b);
// dst equals the source or shares no element with it, in every iteration.
bool tile_ref_apart(const tile_fn *fn, const tile_ref *dst,
                    const tile_count *dst_parts, const tile_ref *src,
                    const tile_count *src_parts);

#endif
