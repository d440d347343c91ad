// SPDX-License-Identifier: Apache-2.0
// From a checked kernel and concrete dims to tensor IR: solves the dims, makes
// the parameters, then lowers the statements in order.
#include "frontend/lower_int.h"

#include <string.h>

enum { MAX_TENSOR_LOG2 = 40, MAX_OPS = 1 << 13 };

// ---- limits and messages ---------------------------------------------------

bool
low_is_new(const low_ctx *cx, loc at, diag_id id)
{
    for (uint32_t i = cx->messages; i < cx->d->msgs.n; i++) {
        const diag_msg *m = &cx->d->msgs.at[i];
        if (m->id == id && m->at.source == at.source &&
            m->at.begin == at.begin && m->at.end == at.end)
            return false;
    }
    return true;
}

// A message is not repeated: the notes that follow must not reach another.
void
low_mute(low_ctx *cx)
{
    cx->d->dropped = true;
}

void
low_overflow(low_ctx *cx, loc at)
{
    if (low_is_new(cx, at, D_DIM_OVERFLOW))
        diag(cx->d, at, D_DIM_OVERFLOW);
}

bool
low_step(low_ctx *cx, loc at)
{
    bool too_many = cx->fn->ops.n >= MAX_OPS;
    if (cx->is_stopped || (++cx->work < LOWER_MAX_WORK && !too_many))
        return !cx->is_stopped;
    cx->is_stopped = true;
    diag(cx->d, at, D_TOO_MUCH_CODE, too_many ? MAX_OPS : LOWER_MAX_WORK);
    return false;
}

const char *
low_shape_text(low_ctx *cx, uint32_t rank, const int64_t *shape)
{
    strbuf b = strbuf_new(cx->a);
    strbuf_put(&b, rank ? STR("") : STR("a scalar"));
    for (uint32_t i = 0; i < rank; i++)
        strbuf_printf(&b, "%s%lld", i ? "x" : "", (long long)shape[i]);
    return b.p;
}

// A tensor with a zero extent has no elements, whatever the others are.
bool
low_check_size(low_ctx *cx, loc at, str name, num_dtype dtype, uint32_t rank,
               const int64_t *shape)
{
    int64_t n = 1;
    bool fits = true;
    for (uint32_t i = 0; i < rank; i++)
        if (shape[i] == 0)
            return true;
    for (uint32_t i = 0; i < rank; i++)
        fits = fits && mul_i64(n, shape[i], &n);
    uint32_t bytes = num_dtype_bytes(dtype);
    if (fits && n <= (INT64_C(1) << MAX_TENSOR_LOG2) / bytes)
        return true;
    const char *count = fits ? arena_printf(cx->a, "%lld", (long long)n)
                             : low_shape_text(cx, rank, shape);
    LOW_REPORT(cx, at, D_TENSOR_TOO_LARGE, STR_ARG(name), count, bytes,
               plural(bytes));
    return false;
}

// ---- dims of a kernel ------------------------------------------------------

static bool
take_dim(low_ctx *cx, const ast_decl *k, low_dims *to, const tk_dim *dim)
{
    for (uint32_t i = 0; i < k->dims.n; i++) {
        if (!str_eq(k->dims.at[i].s, dim->name))
            continue;
        if (to->known[i] && to->value[i] != dim->value) {
            LOW_REPORT(cx, k->dims.at[i].at, D_DIM_MISMATCH, STR_ARG(dim->name),
                       (long long)dim->value, STR_ARG(STR("-D")),
                       (long long)to->value[i], to->by[i]);
            return false;
        }
        to->value[i] = dim->value;
        to->known[i] = true;
        to->by[i] = "'-D'";
        return true;
    }
    diag(cx->d, k->name.at, D_UNKNOWN_DIM, STR_ARG(dim->name));
    return false;
}

static bool
take_input(low_ctx *cx, const ast_decl *k, const tk_input_shape *in,
           low_given *out)
{
    for (uint32_t i = 0; i < k->nin + k->nres; i++) {
        const ast_tensor *t = k->tensors.at[i];
        if (!str_eq(t->name.s, in->name))
            continue;
        *out = (low_given){.param = i, .shape = in->shape};
        if (in->rank == t->shape.n)
            return true;
        diag(cx->d, t->name.at, D_INPUT_RANK, STR_ARG(in->name), t->shape.n,
             plural(t->shape.n), in->rank);
        return false;
    }
    diag(cx->d, k->name.at, D_INPUT_UNKNOWN, STR_ARG(k->name.s),
         STR_ARG(in->name));
    return false;
}

static bool
all_determined(low_ctx *cx, const ast_decl *k, const low_dims *dims)
{
    bool ok = true;
    for (uint32_t i = 0; i < k->dims.n; i++) {
        const ast_name *name = &k->dims.at[i];
        if (!dims->known[i]) {
            diag(cx->d, name->at, D_DIM_UNDETERMINED, STR_ARG(name->s),
                 STR_ARG(k->name.s));
            diag_note_add(cx->d, name->at,
                          "give it with '-D %.*s=...' or by an input's shape",
                          STR_ARG(name->s));
        } else if (dims->value[i] < 0) {
            diag(cx->d, name->at, D_DIM_NEGATIVE, (long long)dims->value[i]);
        }
        ok = ok && dims->known[i] && dims->value[i] >= 0;
    }
    return ok;
}

typedef struct {
    const tk_dim *dims;
    uint32_t ndims;
    const tk_input_shape *inputs;
    uint32_t ninputs;
} low_given_all;

static bool
solve_kernel(low_ctx *cx, const ast_decl *k, const low_given_all *all,
             low_dims *to)
{
    bool ok = true;
    low_given *given = ARENA_ARRAY(cx->a, all->ninputs, low_given);
    for (uint32_t i = 0; i < all->ndims; i++)
        ok &= take_dim(cx, k, to, &all->dims[i]);
    for (uint32_t i = 0; i < all->ninputs; i++)
        ok &= take_input(cx, k, &all->inputs[i], &given[i]);
    return ok && low_solve(cx, k, to, given, all->ninputs) &&
           all_determined(cx, k, to);
}

// ---- the kernel ------------------------------------------------------------

static bool
add_param(low_ctx *cx, low_env *env, uint32_t i)
{
    const ast_tensor *t = env->decl->tensors.at[i];
    bool is_input = t->role == TENSOR_INPUT;
    low_goal g = {.is_declared = true, .dtype = t->dtype, .rank = t->shape.n};
    if (!low_eval_shape(cx, env->dims, t, g.shape) ||
        !low_check_size(cx, t->name.at, t->name.s, t->dtype, g.rank, g.shape))
        return false;
    const char *name = str_z(cx->a, t->name.s);
    g.tensor = tir_add_tensor(cx->fn, name, is_input ? TIR_INPUT : TIR_OUTPUT,
                              t->dtype, g.rank, g.shape);
    cx->fn->tensors.at[g.tensor].at = t->name.at;
    map_put_str(&cx->names, str_of(name), 1);
    env->goals[i] = g;
    env->goals[i].is_target = !is_input;
    low_bind *b = &env->binds[i];
    b->is_set = is_input;
    b->dtype = g.dtype;
    b->rank = g.rank;
    memcpy(b->shape, g.shape, sizeof b->shape);
    b->tensor = g.tensor;
    return true;
}

// The output that an 'inout' parameter becomes.
static void
add_update(low_ctx *cx, low_env *env, uint32_t i)
{
    const ast_tensor *t = env->decl->tensors.at[i];
    low_goal *g = &env->goals[i];
    uint32_t input = g->tensor;
    const char *name =
        low_fresh_name(cx, arena_printf(cx->a, "%.*s_out", STR_ARG(t->name.s)));
    g->tensor =
        tir_add_tensor(cx->fn, name, TIR_OUTPUT, g->dtype, g->rank, g->shape);
    g->is_target = true;
    cx->fn->tensors.at[g->tensor].updates = input + 1;
    cx->fn->tensors.at[g->tensor].at = t->name.at;
}

static void
lower_kernel(low_ctx *cx, const ast_decl *k, const int64_t *dims)
{
    low_env *env = low_env_new(cx, k, dims);
    bool ok = env != NULL;
    for (uint32_t i = 0; env && i < k->nin + k->nres; i++)
        ok &= add_param(cx, env, i);
    for (uint32_t i = 0; ok && i < k->inouts.n; i++)
        add_update(cx, env, k->inouts.at[i]);
    for (uint32_t i = 0; ok && !cx->is_stopped && i < k->body.n; i++)
        low_stmt(cx, env, k->body.at[i]);
    for (uint32_t i = 0; env && i < k->nin + k->nres; i++)
        SY_CHECK(env->binds[i].is_set || cx->d->errors > cx->errors,
                 "tensor %u of a kernel without mistakes is not defined", i);
}

tir_fn *
tk_lower(arena *a, diags *d, const tk_module *m, uint32_t kernel,
         const tk_dim *dims, uint32_t ndims, const tk_input_shape *inputs,
         uint32_t ninputs)
{
    const ast_decl *k = m->kernels.at[kernel];
    uint32_t before = d->errors;
    low_ctx cx = {.a = a, .d = d, .names = map_new(a), .next_id = 1};
    cx.errors = before;
    cx.messages = d->msgs.n;
    cx.fn = tir_fn_new(a, str_z(a, k->name.s));
    cx.at = k->name.at;
    low_given_all all = {dims, ndims, inputs, ninputs};
    low_dims solved = low_dims_new(a, k);
    if (!solve_kernel(&cx, k, &all, &solved))
        return NULL;
    lower_kernel(&cx, k, solved.value);
    return d->errors == before ? cx.fn : NULL;
}
