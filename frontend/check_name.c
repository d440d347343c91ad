// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the nearest name of a kind, as a suggested edit.
#include "frontend/frontend_int.h"

enum { MAX_DISTANCE = 3 }; // one more than what still counts as near

typedef struct {
    str name, best;
    uint32_t distance;
} nearest;

static bool
is_case_of(str a, str b)
{
    return a.n == 1 && b.n == 1 && (a.p[0] ^ b.p[0]) == ('a' ^ 'A');
}

// Of single letters only the other case is near.
static void
offer(nearest *to, str s)
{
    if (to->name.n == 1 && !is_case_of(to->name, s))
        return;
    uint32_t cap = to->name.n <= 4 ? 2 : MAX_DISTANCE;
    uint32_t dist = str_distance(to->name, s, cap);
    if (dist < cap && dist < to->distance) {
        to->best = s;
        to->distance = dist;
    }
}

static void
suggest(check_ctx *cx, const nearest *to)
{
    if (to->best.n)
        diag_fix_add(cx->d, "%.*s", STR_ARG(to->best));
}

static void
offer_tensors(check_ctx *cx, nearest *to)
{
    const ast_tensors *ts = &cx->decl->tensors;
    for (uint32_t i = 0; i < ts->n; i++)
        if (ts->at[i]->role == TENSOR_INPUT || ts->at[i]->is_defined)
            offer(to, ts->at[i]->name.s);
}

static void
offer_dims(check_ctx *cx, nearest *to)
{
    for (uint32_t i = 0; i < cx->decl->dims.n; i++)
        offer(to, cx->decl->dims.at[i].s);
}

static void
offer_indices(check_ctx *cx, nearest *to)
{
    for (uint32_t i = cx->scope.n; i-- > 0;)
        offer(to, cx->scope.at[i]->name.s);
}

void
suggest_tensor(check_ctx *cx, str name)
{
    nearest to = {name, {0}, UINT32_MAX};
    if (cx->d->dropped)
        return;
    offer_tensors(cx, &to);
    suggest(cx, &to);
}

void
suggest_index(check_ctx *cx, str name)
{
    nearest to = {name, {0}, UINT32_MAX};
    if (cx->d->dropped)
        return;
    offer_indices(cx, &to);
    offer_dims(cx, &to);
    suggest(cx, &to);
}

void
suggest_dim(check_ctx *cx, str name)
{
    nearest to = {name, {0}, UINT32_MAX};
    if (cx->d->dropped)
        return;
    offer_dims(cx, &to);
    suggest(cx, &to);
}

void
suggest_value(check_ctx *cx, str name)
{
    nearest to = {name, {0}, UINT32_MAX};
    if (cx->d->dropped)
        return;
    offer_tensors(cx, &to);
    offer_indices(cx, &to);
    offer_dims(cx, &to);
    suggest(cx, &to);
}

void
suggest_type(check_ctx *cx, str name)
{
    nearest to = {name, {0}, UINT32_MAX};
    if (cx->d->dropped)
        return;
    for (num_dtype t = 1; t < DT_COUNT; t++) {
        if (!num_is_packed(t))
            offer(&to, str_of(num_dtype_name(t)));
    }
    suggest(cx, &to);
}

static void
offer_fns(const tk_module *m, nearest *to)
{
    for (uint32_t i = 0; i < m->decls.n; i++)
        if (!m->decls.at[i]->is_kernel)
            offer(to, m->decls.at[i]->name.s);
}

void
suggest_fn(check_ctx *cx, str name)
{
    nearest to = {name, {0}, UINT32_MAX};
    if (cx->d->dropped)
        return;
    offer_fns(cx->m, &to);
    for (uint32_t i = 0; i < cx->m->nlibs; i++)
        offer_fns(cx->m->libs[i], &to);
    for (num_unary f = 1; f < NUM_U_COUNT; f++)
        offer(&to, str_of(num_unary_name(f)));
    for (num_binary f = 1; f < NUM_B_COUNT; f++)
        offer(&to, str_of(num_binary_name(f)));
    offer(&to, STR("cast"));
    offer(&to, STR("select"));
    suggest(cx, &to);
}
