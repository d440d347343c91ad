// SPDX-License-Identifier: Apache-2.0
// Inside the frontend: the syntax tree, which the parser builds, the checker
// (check_*.c) annotates and the lowering (lower_*.c) reads without changing.
#ifndef SY_FRONTEND_INT_H
#define SY_FRONTEND_INT_H

#include "frontend/frontend.h"

typedef struct ast_expr ast_expr;
typedef struct ast_decl ast_decl;

enum {
    AST_MAX_DEPTH = 256,   // of nesting
    AST_MAX_HEIGHT = 1024, // of the tree, chains of operators included: bounds
                           // every recursion over it
    AST_MAX_NODES = 1 << 18, // in a file; bounds the memory
    SOURCE_MAX_BYTES = 4 << 20,
    LOWER_MAX_DEPTH = 2048,   // of recursion once functions are inlined
    LOWER_MAX_WORK = 1 << 17, // expressions visited in lowering one kernel
};

typedef struct {
    str s;
    loc at;
} ast_name;

typedef VEC(ast_name) ast_names;
typedef VEC(ast_expr *) ast_exprs;

// An index of a statement's left side or of a reduction.
typedef struct {
    ast_name name;
    ast_expr *lo, *hi; // the stated range, or NULL
    uint32_t slot;     // position in its function's list of indices
    bool is_fixed;     // stated, or standing alone in some subscript
} ast_index;

typedef VEC(ast_index *) ast_indices;

typedef enum {
    E_POISON, // a mistake was reported
    E_INT,
    E_FLOAT,
    E_NAME,
    E_UNARY,
    E_BINARY,
    E_MATMUL,
    E_SUBSCRIPT, // arg 0 is the base, the rest the subscripts
    E_CALL,
    E_REDUCE, // arg 0 is the body
} ast_kind;

// What a name means.
typedef enum { REF_NONE, REF_INDEX, REF_TENSOR, REF_DIM, REF_CONST } ast_ref;

// What a call means.
typedef enum {
    CALL_NONE,
    CALL_CAST,
    CALL_SELECT,
    CALL_UNARY,
    CALL_BINARY,
    CALL_FN,
    CALL_SORT, // sort, argsort, topk
} ast_call;

struct ast_expr {
    ast_kind kind;
    loc at;
    uint32_t depth;  // of brackets, calls, reductions and signs
    uint32_t height; // of the tree
    ast_name name;   // NAME, CALL, REDUCE: as written
    ast_exprs args;
    num_unary func1;     // UNARY, and CALL of a built-in function
    num_binary func2;    // BINARY, likewise
    bool is_logical;     // ! && ||
    num_reduce reduce;   // REDUCE
    bool is_arg;         // argmax, argmin; argsort
    int64_t value;       // INT; the axis of a sort
    num_word word;       // FLOAT and REF_CONST: bits
    ast_expr *fill;      // SUBSCRIPT: 'else', or NULL
    ast_indices binders; // REDUCE
    ast_expr *filter;    // REDUCE: 'where', or NULL

    // Set by the checker.
    num_dtype dtype; // element type; DT_NONE after a mistake
    bool is_literal; // an integer constant that takes the other operand's type
    bool has_dim;    // such a constant with dims in it: its '/' floors
    bool is_value;   // a subscript that is neither constant nor affine
    int rank;        // 0: an element; -1 after a mistake
    num_as operand;  // register type its operands are computed in
    ast_ref ref;
    ast_call call;
    ast_index *index;
    uint32_t symbol; // number of the tensor or dim
    const ast_decl *fn;
    uint32_t nextra;    // CALL_FN: leading dimensions it is applied along
    bool is_descending; // CALL_SORT
};

typedef enum { TENSOR_INPUT = 1, TENSOR_RESULT, TENSOR_LOCAL } ast_role;
struct ast_stmt;

typedef struct {
    ast_name name;
    ast_role role;
    num_dtype dtype; // DT_NONE after a mistake
    int rank;        // -1 after a mistake
    ast_exprs shape; // stated extents
    ast_name type_name;
    bool is_inout;    // an input that is a result, too
    bool is_declared; // a local with a stated type
    // Set by the checker.
    bool is_defined, is_scattered;
    loc defined_at;
    const struct ast_stmt *last; // that defines or updates it
} ast_tensor;

typedef VEC(ast_tensor *) ast_tensors;

// An index standing alone in subscript 'dim' of 'read', which fixes its range.
typedef struct {
    const ast_expr *read;
    uint32_t dim;
    const ast_index *index;
} ast_use;

// What a statement defines: a whole tensor, or its elements.
typedef struct {
    ast_name name;
    ast_expr *read; // 'name[subscripts]' as an expression, or NULL
    // Set by the checker.
    uint32_t symbol;
    ast_indices left; // of its subscripts; not of a scatter
} ast_left;

typedef VEC(ast_left *) ast_lefts;

// What a recurrence starts from: 'h[-1, d] = value'.
typedef struct {
    ast_left *left;
    ast_expr *value;
} ast_with;

typedef VEC(ast_with) ast_withs;

typedef enum {
    S_DEFINE,
    S_SCATTER,
    S_RECUR, // has 'with'
} ast_stmt_kind;

typedef struct ast_stmt {
    ast_stmt_kind kind;
    loc at;
    ast_lefts lefts;
    ast_indices fors; // 'for i in A..B' before it
    ast_exprs values; // one, or one for each of lefts
    num_reduce step;  // SCATTER: how elements combine, NONE for '='
    ast_expr *guard;  // SCATTER: 'where', or NULL
    ast_withs withs;  // RECUR
    // Set by the checker.
    const ast_index *time; // RECUR
    ast_indices indices;   // all of them, the reductions' included
    uint32_t nindices;     // SCATTER: those of the statement itself come first
    VEC(ast_use) uses;
} ast_stmt;

typedef struct {
    ast_name name;
    ast_expr *value;
} ast_let;

struct ast_decl {
    loc at;
    ast_name name;
    bool is_kernel;
    ast_names dims;
    VEC(ast_let) lets;   // dims computed from dims; numbered after 'dims'
    ast_tensors tensors; // inputs, results, locals
    uint32_t nin, nres;
    VEC(ast_stmt *) body;
    bool has_lost;  // statements were lost to syntax errors
    bool is_broken; // and what they define is not known
    // Set by the checker.
    const ast_decl *next; // of the same name
    bool is_scalar;       // all parameters and results are scalars: elementwise
    bool is_inline;       // is_scalar, and every statement defines one scalar
    uint32_t nindices;
    VEC(uint32_t) inouts; // inputs that are results after the others
    VEC(const ast_decl *) calls;
    uint32_t order; // in the module
};

struct tk_module {
    arena *a;
    VEC(ast_decl *) decls;
    VEC(ast_decl *) kernels;
    tk_module *const *libs;
    uint32_t nlibs;
    map fns;   // name -> 1 + position of the last declaration of that name
    bool lost; // a declaration was lost to syntax errors
};

// ---- parse.c: shared by lexer, parser and builders -------------------------

typedef struct {
    arena *a;
    diags *d;
    uint32_t source;
    str text;
    uint32_t at;       // bytes read so far
    uint32_t brackets; // open ( and [: newlines mean nothing inside
    bool ends;         // the last token can end a statement
    bool is_new_error; // reported, its statement not yet dealt with
    uint32_t nodes;    // of the tree so far
    uint32_t block;    // start of a skipped block
    bool stopped;      // the nesting limit was reported
    bool in_body;      // between { and }
    bool in_with;      // after 'with': a newline after ',' means nothing
    bool lost;         // a declaration did not parse
    tk_module *m;
    ast_decl *decl; // being parsed
} parse_ctx;

// Lexes and parses cx->text.
void parse_run(parse_ctx *cx);
void parse_syntax_error(parse_ctx *cx, loc at, const char *text);
void parse_too_deep(parse_ctx *cx, loc at);
void parse_too_long(parse_ctx *cx, loc at);
void parse_too_much(parse_ctx *cx, loc at);
void parse_missing_brace(parse_ctx *cx, loc at);
bool lex_starts_anew(str s, size_t i); // a statement or '}' from here

// ---- ast.c: what the grammar's actions call --------------------------------

ast_expr *ast_new(parse_ctx *cx, ast_kind kind, loc at);
ast_expr *ast_int(parse_ctx *cx, loc at);
ast_expr *ast_float(parse_ctx *cx, loc at);
ast_expr *ast_ident(parse_ctx *cx, ast_name name);
ast_expr *ast_paren(parse_ctx *cx, loc at, ast_expr *e);
ast_expr *ast_unary(parse_ctx *cx, loc at, num_unary f, bool logical,
                    ast_expr *x);
ast_expr *ast_binary(parse_ctx *cx, num_binary f, ast_expr *x, ast_expr *y);
ast_expr *ast_logical(parse_ctx *cx, num_binary f, ast_expr *x, ast_expr *y);
ast_expr *ast_matmul(parse_ctx *cx, ast_expr *x, ast_expr *y);
ast_expr *ast_subscript(parse_ctx *cx, loc at, ast_expr *base, ast_exprs *subs);
ast_expr *ast_fill(parse_ctx *cx, loc at, ast_expr *read, ast_expr *fill);
ast_expr *ast_call_of(parse_ctx *cx, loc at, ast_name name, ast_exprs *args);
ast_expr *ast_reduction(parse_ctx *cx, loc at, ast_name op, ast_indices *over,
                        ast_expr *filter);
ast_expr *ast_reduction_body(parse_ctx *cx, ast_expr *red, ast_expr *body);
ast_exprs *ast_exprs_add(parse_ctx *cx, ast_exprs *list, ast_expr *e);
ast_names *ast_names_add(parse_ctx *cx, ast_names *list, ast_name name);
ast_index *ast_index_of(parse_ctx *cx, ast_name name, ast_expr *lo,
                        ast_expr *hi);
ast_indices *ast_indices_add(parse_ctx *cx, ast_indices *list, ast_index *ix);
ast_tensor *ast_param(parse_ctx *cx, bool is_inout, ast_name name,
                      ast_name type, ast_exprs *shape);
ast_tensors *ast_tensors_add(parse_ctx *cx, ast_tensors *list, ast_tensor *t);
ast_left *ast_elements(parse_ctx *cx, loc at, ast_name name, ast_exprs *subs);
ast_lefts *ast_lefts_add(parse_ctx *cx, ast_lefts *list, ast_left *left);
ast_withs *ast_withs_add(parse_ctx *cx, ast_withs *list, ast_left *left,
                         ast_expr *value);
ast_stmt *ast_define(parse_ctx *cx, loc at, ast_names *names, ast_expr *value);
ast_stmt *ast_define_elements(parse_ctx *cx, loc at, ast_left *left,
                              ast_expr *value, ast_expr *guard);
ast_stmt *ast_update(parse_ctx *cx, loc at, ast_left *left, ast_name step,
                     ast_expr *value, ast_expr *guard);
ast_stmt *ast_recurrence(parse_ctx *cx, loc at, ast_lefts *lefts,
                         ast_exprs *values, ast_withs *withs);
void ast_declare(parse_ctx *cx, ast_name name, ast_name type, ast_exprs *shape);
void ast_let_of(parse_ctx *cx, ast_name name, ast_expr *value);
void ast_begin_decl(parse_ctx *cx, loc at, bool is_kernel, ast_name name,
                    ast_names *dims);
void ast_signature(parse_ctx *cx, ast_tensors *in, ast_tensors *out);
void ast_add_stmt(parse_ctx *cx, ast_indices *fors, ast_stmt *s);
void ast_broken_stmt(parse_ctx *cx, loc at);
void ast_broken_decl(parse_ctx *cx);
void ast_end_decl(parse_ctx *cx, loc at);
void ast_not_yet(parse_ctx *cx, loc at, const char *what);

// ---- dims.c: integer expressions of dims -----------------------------------

typedef struct {
    diags *d;             // NULL: no diagnostics
    const int64_t *value; // of each dim; NULL: none is known
    const bool *known;    // NULL: all are
} dim_env;

// The value of a checked expression of dims. False when a dim is not known
// (silently), on overflow and on a division by zero (with a diagnostic).
NODISCARD bool dim_eval(const dim_env *env, const ast_expr *e, int64_t *out);
// The same for an integer constant used as a value.
NODISCARD bool dim_value(const dim_env *env, const ast_expr *e, int64_t *out);
NODISCARD bool dim_constant(const ast_expr *e, int64_t *out);

// ---- check_*.c: names, ranks and types -------------------------------------

typedef struct {
    arena *a;
    diags *d;
    tk_module *m;
    ast_decl *decl;
    ast_stmt *stmt;         // being checked
    map tensors;            // name -> number
    map dims;               // name -> number
    ast_indices scope;      // indices in scope, innermost last
    const ast_stmt *states; // a recurrence whose values are being checked
} check_ctx;

// check.c
void check_module(arena *a, diags *d, tk_module *m);
num_dtype check_type(check_ctx *cx, ast_name name);
// check_stmt.c
void check_stmt(check_ctx *cx, ast_stmt *s);
ast_tensor *check_target(check_ctx *cx, const ast_stmt *s, ast_left *left);
void check_defined(ast_tensor *t, const ast_stmt *s, const ast_left *left);
void check_fors(check_ctx *cx, const ast_stmt *s);
const ast_index *check_for_of(const ast_stmt *s, str name); // or NULL
ast_index *check_stmt_index(check_ctx *cx, const ast_stmt *s, ast_name name);
bool check_left(check_ctx *cx, const ast_stmt *s, ast_left *left,
                const ast_tensor *t);
void check_store_element(check_ctx *cx, ast_tensor *t, const ast_expr *value);
// check_scatter.c, check_recur.c
void check_scatter(check_ctx *cx, ast_stmt *s);
void check_recurrence(check_ctx *cx, ast_stmt *s);
// check_expr.c
void check_expr(check_ctx *cx, ast_expr *e);
void check_base(check_ctx *cx, ast_expr *e); // what is subscripted
void check_element(check_ctx *cx, const ast_expr *e);
void check_condition(check_ctx *cx, const ast_expr *e);
void check_poison(ast_expr *e);
// inf nan true false.
bool check_is_constant(str name);
// check_index.c
ast_index *check_find_index(const check_ctx *cx, str name);
void check_add_index(check_ctx *cx, ast_index *ix);
// Takes the last n indices out of scope; each must have a range.
void check_drop_indices(check_ctx *cx, uint32_t n, bool quiet);
// An expression of dims only: extents and ranges.
void check_dim_expr(check_ctx *cx, ast_expr *e);
void check_range(check_ctx *cx, const ast_index *ix);
void check_subscript(check_ctx *cx, ast_expr *e);
void check_element_of(check_ctx *cx, ast_expr *e); // its base is checked
// check_call.c
void check_call(check_ctx *cx, ast_expr *e, uint32_t nresults);
// Type and rank of result i of n of a checked call; left alone after a mistake.
void check_call_result(const ast_expr *call, uint32_t i, uint32_t n,
                       num_dtype *dtype, int *rank);
// The tensor of a function's declaration that is result i of a call.
uint32_t decl_result(const ast_decl *fn, uint32_t i);
uint32_t decl_results(const ast_decl *fn);
// check_sort.c
bool check_sort(check_ctx *cx, ast_expr *e, uint32_t nresults);
// check_type.c
num_as type_as(const ast_expr *e); // that it widens to
num_dtype type_full(num_as as);    // the 32-bit element type
const char *plural(int64_t n);     // "" or "s"
// The register type that both are computed in; NUM_AS_NONE when they do not
// mix (with a diagnostic) or one is a mistake already.
num_as type_unify(check_ctx *cx, const ast_expr *x, const ast_expr *y);
// Types and ranks of e from those of its one or two operands.
void type_unary(check_ctx *cx, ast_expr *e, num_unary f, const char *spelling);
void type_binary(check_ctx *cx, ast_expr *e, num_binary f,
                 const char *spelling);
// Whether a value may be stored into the type, rounding if need be; 'exact':
// whether it may be passed as the type, unchanged.
bool type_fits(const ast_expr *value, num_dtype to, bool exact);
// Adds "cast(...)" as suggestion to the last message, which is at e.
void type_suggest_cast(check_ctx *cx, const ast_expr *e, num_dtype to);
int type_rank(int a, int b); // of an elementwise result

// check_name.c: adds what is near as suggestion to the last message
void suggest_tensor(check_ctx *cx, str name);
void suggest_index(check_ctx *cx, str name);
void suggest_dim(check_ctx *cx, str name);
void suggest_value(check_ctx *cx, str name); // any of those
void suggest_fn(check_ctx *cx, str name);
void suggest_type(check_ctx *cx, str name);

#endif
