// SPDX-License-Identifier: Apache-2.0
// What the files of the tensor IR share among themselves.
#ifndef SY_IR_TENSOR_INT_H
#define SY_IR_TENSOR_INT_H

#include "ir/tensor.h"

// ---- tensor_build.c

// The node itself, neither folded nor looked up.
uint32_t tir_push_node(tir_fn *fn, tir_op *op, const tir_node *n);
// The full-width type of a register: f32, i32, u32, bool.
num_dtype tir_full_dtype(num_as as);
// Number of args of a node.
uint32_t tir_arity(const tir_node *n);
// [node]: whether node 'root' depends on it.
bool *tir_live_nodes(arena *a, const tir_op *op, uint32_t root);
// [node]: whether the operation needs it: its root, guard or target.
bool *tir_live_op(arena *a, const tir_op *op);
// The operation without nodes and reads; root, guard and target are the old
// ones.
tir_op tir_op_cleared(tir_fn *fn, const tir_op *op);
// Root, guard and target of op, which is a copy of src, are now those that
// nodes of src became.
NODISCARD bool tir_move_roots(const tir_fn *fn, tir_op *op, const tir_op *src,
                              const tir_aff *subst, const uint32_t *to);
// The op that defines tensor t, if it is in the same recurrence as op; or NULL.
const tir_op *tir_group_def(const tir_fn *fn, const uint32_t *def,
                            const tir_op *op, uint32_t t);
// Index of the first operation of the recurrence that operation o is in, or o.
uint32_t tir_group_begin(const tir_fn *fn, uint32_t o);
// The operation after the last of them.
uint32_t tir_group_end(const tir_fn *fn, uint32_t o);
// [tensor]: index of the op that defines it, or UINT32_MAX.
uint32_t *tir_def_ops(arena *a, const tir_fn *fn);
// aff with every index x replaced by subst[x]; false if it does not fit.
NODISCARD bool tir_aff_subst(const tir_aff *aff, uint32_t nidx,
                             const tir_aff *subst, tir_aff *out);
// Copies one node whose args have become to[arg].
NODISCARD bool tir_copy_node(tir_fn *fn, tir_op *dst, const tir_op *src,
                             const tir_node *n, const tir_aff *subst,
                             const uint32_t *to, uint32_t *out);
// Copies 'node' of src and what it needs into dst, index x of src becoming
// subst[x]; the node's number there. False if a subscript does not fit; dst
// then holds dead nodes.
NODISCARD bool tir_copy_nodes(tir_fn *fn, tir_op *dst, const tir_op *src,
                              uint32_t node, const tir_aff *subst,
                              uint32_t *out);
tir_aff tir_aff_index(uint32_t x);
// Whether a subscript depends on a node.
bool tir_is_gather(const tir_fn *fn, const tir_read *r);
// The index that the expression is, alone; TIR_INDICES if it is not one.
uint32_t tir_dim_index(const tir_aff *aff);
// Moves the operation added last to position 'at'.
void tir_place_last_op(tir_fn *fn, uint32_t at);

// ---- tensor_lex.c

typedef enum {
    TIR_T_END,
    TIR_T_NAME,
    TIR_T_NUMBER,
    TIR_T_TEXT,  // quoted
    TIR_T_VALUE, // %number
    TIR_T_PUNCT,
} tir_tok_kind;

typedef struct {
    tir_tok_kind kind;
    str text; // without quotes, without '%'
    loc at;
} tir_tok;

typedef struct {
    arena *a;
    diags *d;
    uint32_t source;
    str text;
    tir_tok cur;
    uint32_t pos; // after cur
    uint32_t end; // of the token before cur
} tir_lex;

typedef struct {
    num_as as;
    num_word w;
} tir_literal;

void tlex_advance(tir_lex *lx);
// A terminated copy, shortened, for messages.
char *tlex_text(const tir_lex *lx, str s);
// Records what was expected instead of the current token; always false.
bool tlex_expected(tir_lex *lx, const char *what);
bool tlex_is_punct(const tir_lex *lx, char c);
bool tlex_take_punct(tir_lex *lx, char c);
bool tlex_want_punct(tir_lex *lx, char c);
bool tlex_take_word(tir_lex *lx, const char *word);
bool tlex_want_name(tir_lex *lx, const char *what, str *out);
bool tlex_want_u64(tir_lex *lx, const char *what, uint64_t *out);
bool tlex_want_extent(tir_lex *lx, int64_t *out);
bool tlex_want_dtype(tir_lex *lx, num_dtype *out);
bool tlex_want_literal(tir_lex *lx, tir_literal *out);
// After the word f32: (0x..).
bool tlex_want_bits(tir_lex *lx, tir_literal *out);
// Whether a word is a constant, and which.
bool tlex_word_literal(str s, bool is_minus, tir_literal *out);

// ---- tensor_parse_expr.c

typedef struct {
    tir_lex lx;
    tir_fn *fn;
    tir_op *op;  // being read
    map tensors; // name -> id
    map values;  // number -> node, of op
    uint32_t depth;
    uint32_t group; // being read; 0: none
    uint32_t ngroups;
    bool backward;
} tir_parser;

// An expression of the operation being read.
bool tparse_expr(tir_parser *p, uint32_t *out);
// "%number".
bool tparse_value(tir_parser *p, uint32_t *out);
// "[..]": the subscripts of r's tensor, whose name stands at 'at'.
bool tparse_subs(tir_parser *p, loc at, tir_read *r);

// ---- tensor_verify.c

typedef struct {
    const tir_fn *fn;
    diags *d;
    const tir_op *op;
    bool *is_defined; // [tensor]: by an earlier operation, or from outside
    uint32_t *def;    // [tensor]: the operation that defines it, or UINT32_MAX
} tir_checker;

// Reports what only a bug of ours can build; always false.
bool tir_malformed(const tir_checker *c, uint32_t node, const char *what);
// The range of an index expression, which has to be within 2^62.
bool tir_check_aff(const tir_checker *c, const tir_aff *aff, uint32_t node,
                   int64_t *lo, int64_t *hi);

// ---- tensor_verify_kind.c: rules of what is no map

bool tir_check_updates(const tir_checker *c, uint32_t tensor);
bool tir_check_group(const tir_checker *c);
// Of a read in a recurrence of what 'by', an operation of it, defines.
bool tir_check_time(const tir_checker *c, const tir_op *by, const tir_read *r);
// The index space and the step of a scatter; then what its nodes are used for.
bool tir_check_steps(const tir_checker *c);
bool tir_check_scatter(const tir_checker *c);
bool tir_check_sort(const tir_checker *c);
bool tir_check_reshape(const tir_checker *c);

// ---- contract.c

// Whether the op is, or would be once its operands are plain reads, a
// contraction with free indices on both sides.
bool tir_wants_contraction(const tir_fn *fn, const tir_op *op);

// ---- tensor_dot.c

enum { TIR_DOT_I = 16, TIR_DOT_J = 256, TIR_DOT_K = 64 };

// The position of a read as a linear function of the op's indices.
typedef struct {
    int64_t base;
    int64_t step[TIR_INDICES];
} tir_linear;

tir_linear tir_read_linear(const tir_fn *fn, const tir_op *op,
                           const tir_read *r);
// Of the element that is defined.
tir_linear tir_out_linear(const tir_op *op);

// A sum of products evaluated in blocks: up to TIR_DOT_I values of index i by
// TIR_DOT_J of index j. b depends on j and not on i, a not on j.
typedef struct {
    const tir_fn *fn;
    const tir_op *op;
    uint32_t a, b;         // reads; the product may be b * a
    uint32_t i, j;         // indices; i may be TIR_INDICES: none
    tir_linear la, lb, lo; // of a, b and out
    int64_t nk;
} tir_dot;

// One block: element (ii, jj) is at out + ii * out_i + jj * out_j.
typedef struct {
    const tir_dot *dot;
    int64_t out, out_i, out_j;
    int64_t a_i, b_j; // steps of a along i, of b along j
    uint32_t ni, nj, nk;
    int64_t a[TIR_DOT_K], b[TIR_DOT_K]; // of the nk terms at hand
} tir_dot_block;

typedef struct {
    void *cx;
    void (*begin)(void *cx, const tir_dot_block *b);
    void (*terms)(void *cx, const tir_dot_block *b); // in ascending order
    void (*end)(void *cx, const tir_dot_block *b);
} tir_dot_sink;

// False if the op does not have this form.
bool tir_dot_plan(const tir_fn *fn, const tir_op *op, tir_dot *out);
void tir_dot_run(const tir_dot *d, const tir_dot_sink *sink);

// ---- tensor_eval_dot.c, tensor_ref_dot.c

void tir_eval_dot(const tir_dot *d, const void *const *buf, void *out);
void tir_ref_dot(const tir_dot *d, double *const *val, double *const *err);

// ---- tensor_walk.c

enum { TIR_ROW = 512 };

// How an op's index space is walked: index 'vec' in rows, the others one by
// one, but the time index of a recurrence stays where it is put. vec is
// TIR_INDICES when there is nothing to walk in rows: then they have one
// element.
typedef struct {
    const tir_op *op;
    uint32_t vec;
    int64_t at[TIR_INDICES]; // current values; of vec, the row's first
} tir_walk;

// The index best evaluated in rows: an out index or the last reduction index.
uint32_t tir_walk_choose(const tir_fn *fn, const tir_op *op);
// Next value of the indices [from, to) without vec, row-major; false at the
// end, with all of them back at 0.
bool tir_walk_next(tir_walk *w, uint32_t from, uint32_t to);
// Length of vec's extent (1 without vec).
int64_t tir_walk_extent(const tir_walk *w);
// A position at the current indices, and the distance along vec.
int64_t tir_walk_at(const tir_walk *w, const tir_linear *l, int64_t *step);
// An index expression at the current indices, modulo 2^64, and its step.
int64_t tir_walk_aff(const tir_walk *w, const tir_aff *aff, int64_t *step);
// Which elements [lo, hi) of a row of n are inside the tensor, the position of
// element lo and the distance of elements (meaningless if lo == hi).
typedef struct {
    int64_t lo, hi, off, step;
} tir_span;
tir_span tir_walk_span(const tir_walk *w, const tir_tensor *t,
                       const tir_read *r, int64_t n);
// The elements of a row of n that a gather reads or a scatter writes, as far as
// they are inside: their positions; -1 for those outside. dyn[d]: the row of
// values of subscript d's node, if it has one. Whether all are inside.
bool tir_walk_places(const tir_walk *w, const tir_read *r, const tir_tensor *t,
                     const num_word *const *dyn, int64_t n, int64_t *place);
// Reports element e of such a row, which is outside; always false.
bool tir_walk_fault(const tir_walk *w, const tir_read *r, const tir_tensor *t,
                    const num_word *const *dyn, int64_t e, diags *d);
// The function that takes one step of a reduction.
num_binary tir_reduce_func(num_reduce r);

// ---- tensor_sort.c

typedef struct {
    double key;
    int64_t at;
} tir_ranked;

// A stable sort by key.
void tir_sort_row(tir_ranked *row, tir_ranked *spare, int64_t n,
                  bool descending);

// The rows of a sort: of n elements 'step' apart, of which 'take' are kept.
typedef struct {
    int64_t n, take, rows, step;
} tir_sort_rows;

tir_sort_rows tir_sort_plan(const tir_fn *fn, const tir_op *op);
// First element of a row where rows have the given extent: n in the source,
// take in the result.
int64_t tir_sort_first(const tir_sort_rows *s, int64_t row, int64_t extent);

// ---- tensor_extreme.c

// Whether the op is the least position at which a maximum or minimum over the
// same indices is attained; its root is then a select of the position.
bool tir_attains_extreme(const tir_fn *fn, const tir_op *op);

// ---- tensor_real.c

// A value of the reference and a bound on its distance from the exact one.
// e == 0: exact, infinities and NaN included. A bool that may go either way
// has e == 1.
typedef struct {
    double v, e;
} tir_real;

tir_real tir_real_const(num_as as, num_word w);
tir_real tir_real_unary(num_unary f, num_as as, tir_real x);
tir_real tir_real_binary(num_binary f, num_as as, tir_real x, tir_real y);
tir_real tir_real_select(tir_real c, tir_real x, tir_real y);
tir_real tir_real_cast(num_dtype to, num_as from, tir_real x);

// ---- tensor_ref.c

// One evaluation of a function by the reference.
typedef struct {
    const tir_fn *fn;
    double *const *val, *const *err;
    const bool *given;
    diags *d;
} tir_ref_run;

// An operation's nodes, evaluated in rows.
typedef struct {
    const tir_fn *fn;
    const tir_op *op;
    double *const *val, *const *err;
    tir_walk w;
    uint32_t nlive;
    uint32_t *live;
    tir_real **row; // [node]
    tir_real *acc;  // a row of reduced values
    // Of a position that is attained: the least and the greatest position that
    // may be the one, for every element of a row of out (NULL otherwise).
    double *first, *last;
    tir_linear to; // of the element that is defined
    // Of a gather, or of the target: values of dynamic subscripts, places, and
    // whether an error could turn a subscript.
    num_word *dyn[TIR_RANK];
    int64_t *place;
    bool *is_open;
    diags *d;
    bool is_failed; // a subscript was outside
} tir_ref_body;

// Rows run along index 'vec'.
tir_ref_body tir_ref_body_new(const tir_ref_run *r, const tir_op *op,
                              uint32_t vec);
// The root in a row of n; anything after a fault.
const tir_real *tir_ref_row(tir_ref_body *b, int64_t n);
// Sets place and is_open for a row of n.
void tir_ref_places(const tir_ref_body *b, const tir_read *r, int64_t n);
// Reports element e of the row that tir_ref_places took; always false.
bool tir_ref_fault(const tir_ref_body *b, const tir_read *r, int64_t e);

// ---- tensor_ref_place.c

NODISCARD bool tir_ref_scatter(const tir_ref_run *r, const tir_op *op);
void tir_ref_sort(const tir_ref_run *r, const tir_op *op);
void tir_ref_reshape(const tir_ref_run *r, const tir_op *op);

#endif
