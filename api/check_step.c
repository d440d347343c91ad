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
    void **buf = api_buffers(cx->a, cx->p, cx->data, fn->tensors.at, n, false);
    r.val = ARENA_ARRAY(cx->a, n + 1, double *);
    r.err = ARENA_ARRAY(cx->a, n + 1, double *);
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
    bool *given = ARENA_ARRAY(cx->a, r->fn->tensors.n + 1, bool);
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
        uint32_t whole = tir_whole_source(op);
        if (whole != TIR_ABSENT && given[whole])
            return true;
        for (uint32_t k = 0; k < op->reads.n; k++) {
            if (given[op->reads.at[k].tensor])
                return true;
        }
    }
    return false;
}

static void
need_sources(const tir_op *op, bool *need)
{
    uint32_t whole = tir_whole_source(op);
    if (whole != TIR_ABSENT)
        need[whole] = true;
    for (uint32_t k = 0; k < op->reads.n; k++)
        need[op->reads.at[k].tensor] = true;
}

// In the recurrence that defines it, the target is read as the machine
// computed it: tensor 'alias'.
static void
read_alias(arena *a, tir_op *op, uint32_t target, uint32_t alias)
{
    tir_read *reads = ARENA_ARRAY(a, op->reads.n, tir_read);
    for (uint32_t k = 0; k < op->reads.n; k++) {
        reads[k] = op->reads.at[k];
        if (reads[k].tensor == target)
            reads[k].tensor = alias;
    }
    op->reads.at = reads;
    op->reads.cap = op->reads.n;
}

static uint32_t
group_of(const tir_fn *fn, uint32_t tensor)
{
    for (uint32_t i = 0; i < fn->ops.n; i++) {
        if (fn->ops.at[i].out == tensor)
            return fn->ops.at[i].group;
    }
    return 0;
}

// The operations that 'target' needs when the given tensors are there already.
static tir_fn
cone(const check_cx *cx, const tir_fn *fn, const bool *given, uint32_t target)
{
    uint32_t n = fn->tensors.n, group = group_of(fn, target);
    bool *need = ARENA_ARRAY(cx->a, n, bool);
    bool *keep = ARENA_ARRAY(cx->a, fn->ops.n, bool);
    need[target] = true;
    // A recurrence may read what it defines further down.
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = fn->ops.n; i-- > 0;) {
            const tir_op *op = &fn->ops.at[i];
            if (keep[i] || !need[op->out] ||
                (given[op->out] && op->out != target))
                continue;
            keep[i] = true;
            more = more || op->group;
            need_sources(op, need);
        }
    }
    tir_fn sub = *fn;
    sub.tensors.at = ARENA_ARRAY(cx->a, n + 1, tir_tensor);
    sub.tensors.n = sub.tensors.cap = n + 1;
    memcpy(sub.tensors.at, fn->tensors.at, n * sizeof *fn->tensors.at);
    sub.tensors.at[n] = fn->tensors.at[target];
    memset(&sub.ops, 0, sizeof sub.ops);
    for (uint32_t i = 0; i < fn->ops.n; i++) {
        if (!keep[i])
            continue;
        vec_push(cx->a, &sub.ops, fn->ops.at[i]);
        if (group && fn->ops.at[i].group == group)
            read_alias(cx->a, vec_last(&sub.ops), target, n);
    }
    return sub;
}

static bool
check_one(check_cx *cx, const check_ref *r, bool *given, uint32_t target,
          double *const *tile_err)
{
    const tir_tensor *t = &r->fn->tensors.at[target];
    uint32_t alias = r->fn->tensors.n;
    uint64_t elems = api_elems(t);
    double *saved = r->val[target];
    arena_mark mark = arena_save(cx->a);
    r->val[target] = ARENA_ARRAY(cx->a, elems, double);
    memset(r->err[target], 0, elems * sizeof(double));
    given[target] = false;
    given[alias] = true;
    r->val[alias] = saved;
    r->err[alias] = ARENA_ARRAY(cx->a, elems, double);
    tir_fn sub = cone(cx, r->fn, given, target);
    bool ok = tir_eval_ref(&sub, r->val, r->err, given, &cx->s->d);
    if (ok)
        check_bound(cx, t, "step", cx->machine.buf[check_find(&cx->machine, t)],
                    r->val[target], r->err[target],
                    tile_err[check_find(&cx->tile, t)]);
    given[target] = true;
    memset(r->err[target], 0, elems * sizeof(double));
    r->val[target] = saved;
    arena_restore(cx->a, mark);
    return ok;
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
    void **buf = api_buffers(cx->a, cx->p, cx->data, fn->tensors.at,
                             fn->tensors.n, false);
    return tile_eval_bound(fn, buf, err, cut, &cx->s->d) ? err : NULL;
}

bool
check_steps(check_cx *cx)
{
    const tir_fn *fn = last_tensor(cx);
    if (!fn)
        return true;
    if (!check_claims(cx, fn))
        return false;
    check_ref r = check_ref_new(cx, fn);
    bool *given = pick_given(cx, &r);
    if (!check_any_read(fn, given))
        return true;
    take_machine_values(cx, &r, given);
    double **err = check_cut_errors(cx, fn, given);
    for (uint32_t i = 0; err && i < fn->tensors.n; i++) {
        if (given[i] && !check_one(cx, &r, given, i, err))
            return false;
    }
    return err != NULL;
}
