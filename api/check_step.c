// SPDX-License-Identifier: Apache-2.0
// The step-by-step form of the check. End to end, the bound of a long chain
// grows until it forgives real mistakes. Here every tensor that the compiled
// program keeps in HBM is compared with the reference evaluated from the
// machine's own values of the others, and the error analysis restarts at each.
#include "api/check_int.h"

#include <string.h>

check_ref
check_ref_new(check_cx *cx, const tir_fn *fn)
{
    check_ref r = {fn, NULL, NULL};
    uint32_t n = fn->tensors.n;
    void **buf = api_buffers(cx->a, cx->p, cx->data, fn->tensors.at, n);
    r.val = ARENA_ARRAY(cx->a, n, double *);
    r.err = ARENA_ARRAY(cx->a, n, double *);
    for (uint32_t i = 0; i < n; i++) {
        const tir_tensor *t = &fn->tensors.at[i];
        uint64_t elems = api_elems(t);
        r.val[i] = ARENA_ARRAY(cx->a, elems, double);
        r.err[i] = ARENA_ARRAY(cx->a, elems, double);
        if (t->kind != TIR_INPUT && t->kind != TIR_CONST)
            continue;
        for (uint64_t e = 0; e < elems; e++)
            r.val[i][e] = api_value(t->dtype, buf[i], e);
    }
    return r;
}

// The tensor IR that the tile IR was made from. When that came as text, the
// tensor passes run again on the text that it carries.
static const tir_fn *
last_tensor(check_cx *cx)
{
    sy_program *p = cx->p;
    if (p->last_tensor)
        return p->last_tensor;
    const tir_fn *first = api_tensor(cx->s, p);
    const char *stop = NULL;
    for (uint32_t i = 0; backend_pass_name(i); i++) {
        if (strcmp(backend_pass_name(i), "tile") == 0)
            break;
        stop = backend_pass_name(i);
    }
    bool from_object =
        p->m->kind == SY_KIND_OBJECT || p->m->kind == SY_KIND_ASM;
    if (!first || !stop || from_object)
        return first;
    uint32_t source = diag_add_source(&cx->s->d, "(tensor IR)", p->tensor_text);
    pass_ctx pc = {.a = cx->a,
                   .d = &cx->s->d,
                   .target = p->target,
                   .opt = p->opt,
                   .tensor = tir_parse(cx->a, &cx->s->d, source)};
    strbuf dump = strbuf_new(cx->a);
    pass_options po = {NULL, stop, false, &dump};
    return pc.tensor && backend_run(&pc, &po) && pc.tensor ? pc.tensor : first;
}

// Tensors that both the reference and the machine keep, given as the machine
// computed them.
static bool *
pick_given(const check_cx *cx, const check_ref *r)
{
    bool *given = ARENA_ARRAY(cx->a, r->fn->tensors.n, bool);
    for (uint32_t i = 0; i < r->fn->tensors.n; i++) {
        const tir_tensor *t = &r->fn->tensors.at[i];
        uint32_t m = check_find(&cx->machine, t);
        given[i] = (t->kind == TIR_TEMP || t->kind == TIR_OUTPUT) &&
                   m < cx->machine.n && check_find(&cx->tile, t) < cx->tile.n;
    }
    return given;
}

static void
take_machine_values(const check_cx *cx, const check_ref *r, const bool *given)
{
    for (uint32_t i = 0; i < r->fn->tensors.n; i++) {
        if (!given[i])
            continue;
        const tir_tensor *t = &r->fn->tensors.at[i];
        const void *from = cx->machine.buf[check_find(&cx->machine, t)];
        for (uint64_t e = 0; e < api_elems(t); e++)
            r->val[i][e] = api_value(t->dtype, from, e);
    }
}

bool
check_any_read(const tir_fn *fn, const bool *given)
{
    for (uint32_t i = 0; i < fn->ops.n; i++) {
        const tir_op *op = &fn->ops.at[i];
        for (uint32_t k = 0; k < op->reads.n; k++) {
            if (given[op->reads.at[k].tensor])
                return true;
        }
    }
    return false;
}

// The operations that 'target' needs when the given tensors are there already.
static tir_fn
cone(const check_cx *cx, const tir_fn *fn, const bool *given, uint32_t target)
{
    bool *need = ARENA_ARRAY(cx->a, fn->tensors.n, bool);
    bool *keep = ARENA_ARRAY(cx->a, fn->ops.n, bool);
    need[target] = true;
    for (uint32_t i = fn->ops.n; i-- > 0;) {
        const tir_op *op = &fn->ops.at[i];
        keep[i] = need[op->out] && (!given[op->out] || op->out == target);
        for (uint32_t k = 0; keep[i] && k < op->reads.n; k++)
            need[op->reads.at[k].tensor] = true;
    }
    tir_fn sub = *fn;
    memset(&sub.ops, 0, sizeof sub.ops);
    for (uint32_t i = 0; i < fn->ops.n; i++) {
        if (keep[i])
            vec_push(cx->a, &sub.ops, fn->ops.at[i]);
    }
    return sub;
}

static void
check_one(check_cx *cx, const check_ref *r, bool *given, uint32_t target,
          double *const *tile_err)
{
    const tir_tensor *t = &r->fn->tensors.at[target];
    uint64_t elems = api_elems(t);
    double *saved = r->val[target];
    arena_mark mark = arena_save(cx->a);
    r->val[target] = ARENA_ARRAY(cx->a, elems, double);
    memset(r->err[target], 0, elems * sizeof(double));
    given[target] = false;
    tir_fn sub = cone(cx, r->fn, given, target);
    tir_eval_ref(&sub, r->val, r->err, given);
    check_bound(cx, t, "step", cx->machine.buf[check_find(&cx->machine, t)],
                r->val[target], r->err[target],
                tile_err[check_find(&cx->tile, t)]);
    given[target] = true;
    memset(r->err[target], 0, elems * sizeof(double));
    r->val[target] = saved;
    arena_restore(cx->a, mark);
}

double **
check_cut_errors(check_cx *cx, const tir_fn *tensor, const bool *given)
{
    const tile_fn *fn = api_tile(cx->s, cx->p);
    uint32_t n = fn->tensors.n;
    bool *cut = ARENA_ARRAY(cx->a, n, bool);
    double **err = ARENA_ARRAY(cx->a, n, double *);
    for (uint32_t i = 0; i < n; i++)
        err[i] = ARENA_ARRAY(cx->a, api_elems(&fn->tensors.at[i]), double);
    for (uint32_t i = 0; i < tensor->tensors.n; i++) {
        if (given[i])
            cut[check_find(&cx->tile, &tensor->tensors.at[i])] = true;
    }
    void **buf =
        api_buffers(cx->a, cx->p, cx->data, fn->tensors.at, fn->tensors.n);
    return tile_eval_bound(fn, buf, err, cut, &cx->s->d) ? err : NULL;
}

void
check_steps(check_cx *cx)
{
    const tir_fn *fn = last_tensor(cx);
    if (!fn)
        return;
    check_claims(cx, fn);
    check_ref r = check_ref_new(cx, fn);
    bool *given = pick_given(cx, &r);
    if (!check_any_read(fn, given))
        return;
    take_machine_values(cx, &r, given);
    double **err = check_cut_errors(cx, fn, given);
    if (!err)
        return;
    for (uint32_t i = 0; i < fn->tensors.n; i++) {
        if (given[i])
            check_one(cx, &r, given, i, err);
    }
}
