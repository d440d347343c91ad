// SPDX-License-Identifier: Apache-2.0
// Lowering a checked kernel to tensor IR over concrete extents. Functions are
// inlined: an environment gives the meaning of one instance of a declaration.
// Expressions are lowered on demand into the operation being built; an index is
// an object, so that a value nested anywhere knows the indices it depends on
// and becomes a temp over exactly those.
#ifndef SY_FRONTEND_LOWER_INT_H
#define SY_FRONTEND_LOWER_INT_H

#include "frontend/frontend_int.h"

typedef struct {
    str name;
    uint32_t id;   // order of creation: outer indices first
    int64_t lo, n; // runs over lo .. lo + n - 1
    bool is_known, is_stated;
    loc at; // what fixed it
} low_index;

// c + sum of k * (value of ix)
typedef struct {
    int64_t c;
    uint32_t n;
    struct {
        const low_index *ix;
        int64_t k;
    } term[TIR_INDICES];
} low_aff;

typedef struct low_env low_env;

// What a tensor's name stands for: a tensor of the IR, or (scalars of inlined
// functions) an expression of another environment, lowered where it is used.
typedef struct {
    bool is_set; // false: a mistake was reported, or not defined yet
    bool is_expr;
    num_dtype dtype;
    uint32_t rank;
    int64_t shape[TIR_RANK];
    uint32_t tensor;
    uint32_t nhidden; // leading dimensions of 'tensor': indices of the place
    const low_index *hidden[TIR_RANK]; // where the function was inlined
    const ast_expr *e;
    low_env *env;
    const low_aff *pos; // of the element of e
} low_bind;

// What the last definition of a name is to give.
typedef struct {
    bool is_declared; // 'dtype', 'rank' and 'shape' hold
    bool is_target;   // 'tensor' exists and is to be defined
    num_dtype dtype;
    uint32_t rank;
    int64_t shape[TIR_RANK];
    uint32_t tensor;
} low_goal;

typedef struct {
    const ast_expr *e;
    low_bind *binds;
} low_memo;

typedef VEC(const low_index *) low_indices_list;

struct low_env {
    const ast_decl *decl;
    const int64_t *dims;      // 'let' included
    low_bind *binds;          // by number of the tensor: its value now
    low_goal *goals;          // by number of the tensor
    low_indices_list place;   // what the arguments depend on, by id
    low_index **index;        // by slot
    const char **result_hint; // what the caller calls the results, or NULL
    VEC(low_memo) memo;       // calls, reductions, temps
};

// An operation being built. Subscripts count its indices by slot, in order of
// first use, until it is finished.
typedef struct {
    tir_op op;
    const low_index *slot[TIR_INDICES];
    uint32_t nslot;
    map memo; // address of a low_bind -> node of its value
} low_op;

// How an operation ends: what it defines over which indices.
typedef struct {
    const low_index *const *left;
    uint32_t nleft;
    const low_index *const *red;
    uint32_t nred;
    num_reduce reduce;
    const char *hint; // for a temp's name
    num_dtype dtype;  // of a temp
    uint32_t tensor;  // an existing one
    bool is_target;
    const low_indices_list *place; // hidden indices even if not used
} low_end;

// A recurrence whose values are being lowered.
typedef struct low_rec low_rec;

typedef struct {
    arena *a;
    diags *d;
    tir_fn *fn;
    map names; // of tensors -> how often the name was wanted
    uint32_t work, depth, next_id;
    uint32_t errors, messages; // before it began
    bool is_stopped;           // a limit was reached
    loc at;                    // statement
    const char *hint;          // name it defines
    low_rec *rec;
    const ast_expr *target; // left side of a scatter being lowered
} low_ctx;

// ---- lower.c ---------------------------------------------------------------

// Reports unless the same message is there for the same place already (a
// function may be inlined several times).
#define LOW_REPORT(cx, at, id, ...)                                            \
    (low_is_new((cx), (at), (id))                                              \
         ? (void)diag((cx)->d, (at), (id), __VA_ARGS__)                        \
         : low_mute(cx))
bool low_is_new(const low_ctx *cx, loc at, diag_id id);
void low_mute(low_ctx *cx);
void low_overflow(low_ctx *cx, loc at);
// One more step of work; false (with a diagnostic) when there is too much.
NODISCARD bool low_step(low_ctx *cx, loc at);
// The tensor must have fewer than 2^40 bytes.
NODISCARD bool low_check_size(low_ctx *cx, loc at, str name, num_dtype dtype,
                              uint32_t rank, const int64_t *shape);
const char *low_shape_text(low_ctx *cx, uint32_t rank, const int64_t *shape);

// ---- lower_dims.c ----------------------------------------------------------

typedef struct {
    int64_t *value;
    bool *known;
    const char **by; // what gave it
    loc *at;
} low_dims;

// The known shape of one parameter.
typedef struct {
    uint32_t param;
    const int64_t *shape; // NULL: not known
    loc at;               // where to report; source 0: at the declaration
} low_given;

low_dims low_dims_new(arena *a, const ast_decl *decl);
NODISCARD bool low_solve(low_ctx *cx, const ast_decl *decl, low_dims *dims,
                         const low_given *given, uint32_t n);
NODISCARD bool low_eval_shape(low_ctx *cx, const int64_t *dims,
                              const ast_tensor *t, int64_t *shape);

// ---- lower_op.c ------------------------------------------------------------

low_index *low_new_index(low_ctx *cx, str name, int64_t n, loc at);
low_aff low_aff_of(const low_index *ix);
NODISCARD bool low_aff_add(low_ctx *cx, low_aff *to, int64_t k,
                           const low_aff *x, loc at);
NODISCARD bool low_aff_range(const low_aff *x, int64_t *lo, int64_t *hi);
bool low_aff_is_empty(const low_aff *x); // some index has no value
NODISCARD bool low_to_tir(low_ctx *cx, low_op *op, const low_aff *x,
                          tir_aff *out);
low_op *low_op_new(low_ctx *cx);
// The finished operation's tensor, over hidden and left indices.
low_bind low_finish(low_ctx *cx, low_op *op, uint32_t root, const low_end *end);
// A scatter into 'to', over the indices end->left; the op's target and guard
// are set but for the leading subscripts of what is hidden.
low_bind low_finish_scatter(low_ctx *cx, low_op *op, uint32_t root,
                            const low_end *end, const low_bind *to);
void low_add_place(low_ctx *cx, low_indices_list *list, const low_index *ix);
// The indices that a value depends on.
NODISCARD bool low_find_place(low_ctx *cx, const low_bind *b,
                              low_indices_list *list);
const char *low_fresh_name(low_ctx *cx, const char *hint);
// A temp of the IR over hidden indices and 'shape'.
NODISCARD bool low_new_temp(low_ctx *cx, const char *hint, low_bind *b);

// ---- lower_shape.c ---------------------------------------------------------

// The extents of a whole-tensor expression (e->rank of them).
NODISCARD bool low_shape(low_ctx *cx, low_env *env, const ast_expr *e,
                         int64_t *shape);
// Ranges of the statement's indices.
NODISCARD bool low_indices(low_ctx *cx, low_env *env, const ast_stmt *s);

// The extents of a tensor, defined or declared.
NODISCARD bool low_name_shape(const low_env *env, uint32_t symbol,
                              int64_t *shape);

// ---- lower_env.c -----------------------------------------------------------

// One instance of a declaration; NULL (with a diagnostic) if extents of its own
// do not work out.
low_env *low_env_new(low_ctx *cx, const ast_decl *decl, const int64_t *dims);
low_goal low_goal_of(const low_env *env, const ast_stmt *s,
                     const ast_left *left);
low_end low_end_of(const low_ctx *cx, const low_goal *goal);

// ---- lower_expr.c ----------------------------------------------------------

// The node of element 'pos' (e->rank subscripts) of e; constants take the type
// 'want'. 0 after a mistake.
uint32_t low_expr(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
                  const low_aff *pos, num_as want);
uint32_t low_read_bind(low_ctx *cx, low_op *op, const low_bind *b,
                       const low_aff *pos);
low_bind *low_memo_find(const low_env *env, const ast_expr *e);
void low_memo_add(low_ctx *cx, low_env *env, const ast_expr *e, low_bind *b);

// ---- lower_read.c ----------------------------------------------------------

// Subscripts: sums of indices, and nodes of the operation that are added.
typedef struct {
    low_aff aff[TIR_RANK];
    uint32_t dyn[TIR_RANK];
    bool is_gather;  // some dyn is not 0
    bool is_guarded; // what is outside is not looked at
} low_subs;

typedef enum { SUB_INSIDE, SUB_FILLED, SUB_WRONG } sub_status;

NODISCARD bool low_subs_of(low_ctx *cx, low_op *op, low_env *env,
                           const ast_expr *e, low_subs *out);
// Whether subscript 'dim' of the read e stays inside.
sub_status low_sub_range(low_ctx *cx, const low_op *op, const ast_expr *e,
                         uint32_t dim, const low_subs *subs, int64_t extent);
// The subscripts of tensor b in the IR, hidden ones first.
NODISCARD bool low_tir_read(low_ctx *cx, low_op *op, const low_bind *b,
                            const low_subs *subs, tir_read *out);
NODISCARD bool low_fill_word(low_ctx *cx, const low_env *env, const ast_expr *e,
                             num_as as, num_word *out);
uint32_t low_subscript(low_ctx *cx, low_op *op, low_env *env,
                       const ast_expr *e);
uint32_t low_literal(low_ctx *cx, low_op *op, const low_env *env,
                     const ast_expr *e, num_as want);

// ---- lower_reduce.c --------------------------------------------------------

// Each defines what 'end' says; its reduction part is filled in here.
low_bind low_reduce(low_ctx *cx, low_env *env, const ast_expr *e, low_end end);
low_bind low_matmul(low_ctx *cx, low_env *env, const ast_expr *e,
                    const low_aff *pos, low_end end);
uint32_t low_reduce_at(low_ctx *cx, low_op *op, low_env *env,
                       const ast_expr *e);
uint32_t low_matmul_at(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
                       const low_aff *pos);

// ---- lower_call.c ----------------------------------------------------------

uint32_t low_call_at(low_ctx *cx, low_op *op, low_env *env, const ast_expr *e,
                     const low_aff *pos, uint32_t result);
// What a statement wants of a call: names for the results, and what they
// should define where type and shape allow.
typedef struct {
    const low_goal *goals;
    const char **hints;
} low_want;

// The results of a call of a function of tensors; want may be NULL.
low_bind *low_call(low_ctx *cx, low_env *env, const ast_expr *e,
                   const low_want *want);

// ---- lower_sort.c ----------------------------------------------------------

// Values and positions, as far as the call gives them; each the goal's tensor
// where that can be. goals may be NULL.
low_bind *low_sort(low_ctx *cx, low_env *env, const ast_expr *e,
                   const low_goal *goals);
NODISCARD bool low_sort_shape(low_ctx *cx, low_env *env, const ast_expr *e,
                              int64_t *shape);

// ---- lower_scatter.c -------------------------------------------------------

low_bind low_scatter(low_ctx *cx, low_env *env, const ast_stmt *s);

// ---- lower_recur.c ---------------------------------------------------------

void low_recurrence(low_ctx *cx, low_env *env, const ast_stmt *s);
bool low_is_state(const low_ctx *cx, const low_env *env, const ast_expr *base);
uint32_t low_state_read(low_ctx *cx, low_op *op, const ast_expr *e,
                        const low_subs *subs);
// Where time is among the indices of an operation of a recurrence.
uint32_t low_time_position(const low_ctx *cx, const low_index *const *ix,
                           uint32_t n);

// ---- lower_stmt.c ----------------------------------------------------------

void low_stmt(low_ctx *cx, low_env *env, const ast_stmt *s);
// What is to be defined: over 'left', element 'pos' of the value.
typedef struct {
    const low_index *const *left;
    uint32_t nleft;
    const low_aff *pos;
} low_space;

low_space low_whole_space(low_ctx *cx, uint32_t rank, const int64_t *shape);
low_bind low_define(low_ctx *cx, low_env *env, const ast_expr *value,
                    uint32_t result, const low_space *sp, const low_goal *goal);
// A whole-tensor expression as a tensor.
const low_bind *low_materialise(low_ctx *cx, low_env *env, const ast_expr *e);
// Another tensor with the same elements.
low_bind low_copy(low_ctx *cx, const low_bind *from, const low_goal *goal);

#endif
