// SPDX-License-Identifier: Apache-2.0
// sy_check: one set of inputs through every level of a program. The machine,
// in a fixed and in random orders of its engines, must agree with the tile IR
// to the bit; its outputs must lie within the computed bound of the reference,
// real arithmetic on the tensor IR.
#include "api/check_int.h"

#include <string.h>

uint32_t
check_find(const check_level *l, const tir_tensor *t)
{
    for (uint32_t i = 0; i < l->n; i++) {
        const tir_tensor *x = &l->t[i];
        if (strcmp(x->name, t->name) == 0 && x->dtype == t->dtype &&
            x->rank == t->rank &&
            memcmp(x->shape, t->shape, t->rank * sizeof *t->shape) == 0)
            return i;
    }
    return l->n;
}

check_level
check_level_new(check_cx *cx, const tir_tensor *t, uint32_t n)
{
    return (check_level){t, n,
                         api_buffers(cx->a, cx->p, cx->data, t, n, false)};
}

static void
set_inputs(check_cx *cx)
{
    sy_program *p = cx->p;
    cx->data = ARENA_ARRAY(cx->a, p->arrays.n, void *);
    const tir_fn *fn = api_draw_tensor(cx->s, p);
    for (uint32_t i = 0; i < p->arrays.n; i++) {
        const tir_tensor *t = &p->arrays.at[i];
        if (t->kind == TIR_OUTPUT)
            continue;
        cx->data[i] = p->bound[i];
        if (cx->data[i])
            continue;
        cx->data[i] =
            arena_array(cx->a, api_elems(t), num_dtype_bytes(t->dtype));
        api_draw(fn, t, i, cx->o->seed, cx->data[i]);
    }
}

// ---- machine
// -----------------------------------------------------------------

static sy_status
run_machine(check_cx *cx, const rt_order *order, const check_level *into)
{
    uint8_t **bind = ARENA_ARRAY(cx->a, into->n, uint8_t *);
    for (uint32_t i = 0; i < into->n; i++)
        bind[i] = into->t[i].kind == TIR_CONST ? NULL : into->buf[i];
    return api_status(rt_interpret(cx->p->rt, order, bind, &cx->s->d));
}

static bool
is_computed(const tir_tensor *t)
{
    return t->kind == TIR_OUTPUT || t->kind == TIR_TEMP || t->kind == TIR_INOUT;
}

// Another order of the engines must not change a bit.
static sy_status
check_orders(check_cx *cx)
{
    for (uint32_t k = 0; k < cx->o->orders; k++) {
        arena_mark mark = arena_save(cx->a);
        check_level again = check_level_new(cx, cx->machine.t, cx->machine.n);
        rt_order order = {true, cx->o->seed + k, cx->o->max_instructions};
        sy_status status = run_machine(cx, &order, &again);
        if (status != SY_OK) {
            arena_restore(cx->a, mark);
            return status;
        }
        for (uint32_t i = 0; i < again.n; i++) {
            uint32_t size = num_dtype_bytes(again.t[i].dtype);
            uint64_t bytes = api_elems(&again.t[i]) * size;
            // One row for all orders, unless one differs.
            bool last = k + 1 == cx->o->orders;
            bool same = bytes == 0 ||
                        memcmp(again.buf[i], cx->machine.buf[i], bytes) == 0;
            if (is_computed(&again.t[i]) && (last || !same))
                check_bits(cx, &again.t[i], "orders", again.buf[i],
                           cx->machine.buf[i]);
        }
        arena_restore(cx->a, mark);
    }
    return SY_OK;
}

// ---- tile IR
// -----------------------------------------------------------------

static sy_status
check_tile(check_cx *cx)
{
    const tile_fn *fn = api_tile(cx->s, cx->p);
    if (!fn)
        return cx->p->tile_text.n ? SY_REJECTED : SY_OK;
    if (!api_tile_fits(cx->s, fn, cx->o->max_instructions))
        return SY_LIMIT;
    cx->tile = check_level_new(cx, fn->tensors.at, fn->tensors.n);
    cx->tile_err = ARENA_ARRAY(cx->a, fn->tensors.n, double *);
    for (uint32_t i = 0; i < fn->tensors.n; i++)
        cx->tile_err[i] =
            ARENA_ARRAY(cx->a, api_elems(&fn->tensors.at[i]), double);
    if (!tile_eval_bound(fn, cx->tile.buf, cx->tile_err, NULL, &cx->s->d))
        return SY_FAULT;
    for (uint32_t i = 0; i < cx->machine.n; i++) {
        const tir_tensor *t = &cx->machine.t[i];
        uint32_t k = check_find(&cx->tile, t);
        if (is_computed(t) && k < cx->tile.n)
            check_bits(cx, t, "tile", cx->machine.buf[i], cx->tile.buf[k]);
    }
    return SY_OK;
}

// ---- tensor IR
// ---------------------------------------------------------------

// Where the analysis allows no error at all, the tensor IR's own evaluator
// must give the same bits, too, unless its own order of a sum rounds where the
// machine's does not.
static bool
is_exact(const double *err, uint64_t n)
{
    for (uint64_t e = 0; e < n; e++) {
        if (!(err[e] == 0))
            return false;
    }
    return true;
}

static bool
check_tensor_bits(check_cx *cx, const tir_fn *fn)
{
    check_level l = check_level_new(cx, fn->tensors.at, fn->tensors.n);
    bool *ordered = ARENA_ARRAY(cx->a, fn->tensors.n, bool);
    if (!tir_eval_orders(fn, l.buf, ordered, &cx->s->d))
        return false;
    for (uint32_t i = 0; i < l.n; i++) {
        uint32_t m = check_find(&cx->machine, &l.t[i]);
        uint32_t k = check_find(&cx->tile, &l.t[i]);
        if (is_computed(&l.t[i]) && !ordered[i] && m < cx->machine.n &&
            k < cx->tile.n && is_exact(cx->tile_err[k], api_elems(&l.t[i])))
            check_bits(cx, &l.t[i], "tensor", cx->machine.buf[m], l.buf[i]);
    }
    return true;
}

static void
check_outputs(check_cx *cx)
{
    for (uint32_t i = 0; i < cx->ref.fn->tensors.n; i++) {
        const tir_tensor *t = &cx->ref.fn->tensors.at[i];
        uint32_t m = check_find(&cx->machine, t);
        uint32_t k = check_find(&cx->tile, t);
        if (t->kind != TIR_OUTPUT || m == cx->machine.n || k == cx->tile.n)
            continue;
        check_bound(cx, t, "reference", cx->machine.buf[m], cx->ref.val[i],
                    cx->ref.err[i], cx->tile_err[k]);
        void *claim = cx->p->bound[api_array_index(cx->p, t->name)];
        if (claim && !t->updates)
            check_bound(cx, t, "claim", claim, cx->ref.val[i], cx->ref.err[i],
                        cx->tile_err[k]);
    }
}

static sy_status
check_tensor(check_cx *cx)
{
    const tir_fn *fn = api_tensor(cx->s, cx->p);
    if (!fn && cx->p->tensor_text.n)
        return SY_REJECTED;
    if (!fn || !cx->tile.n) {
        diag(&cx->s->d, (loc){0}, D_CHECK_UNREFERENCED, cx->p->m->name);
        return SY_OK;
    }
    if (!api_tensor_fits(cx->s, fn, cx->o->max_instructions))
        return SY_LIMIT;
    cx->ref = check_ref_new(cx, fn);
    bool *given = ARENA_ARRAY(cx->a, fn->tensors.n, bool);
    if (!tir_eval_ref(fn, cx->ref.val, cx->ref.err, given, &cx->s->d))
        return SY_FAULT;
    check_outputs(cx);
    return check_tensor_bits(cx, fn) && check_steps(cx) ? SY_OK : SY_FAULT;
}

// ---- all
// ----------------------------------------------------------------------

static sy_status
check_levels(check_cx *cx)
{
    sy_status status = api_certify(cx->s, cx->p, cx->o->max_instructions);
    if (status != SY_OK)
        return status;
    uint32_t n = 0;
    tir_tensor *t = api_machine_tensors(cx->a, cx->p->rt, &n);
    cx->machine = check_level_new(cx, t, n);
    rt_order fixed = {.max_insns = cx->o->max_instructions};
    status = run_machine(cx, &fixed, &cx->machine);
    if (status == SY_OK)
        status = check_tile(cx);
    if (status == SY_OK)
        status = check_tensor(cx);
    if (status == SY_OK)
        status = check_orders(cx);
    return status;
}

static sy_status
check(sy_session *s, sy_program *p, const sy_check_options *o,
      const sy_check_row **rows, size_t *n)
{
    if (!p->rt) {
        diag(&s->d, (loc){0}, D_STOPPED_EARLY, p->stopped, "object");
        return SY_REJECTED;
    }
    check_cx cx = {.s = s, .p = p, .o = o, .a = api_scratch(s)};
    set_inputs(&cx);
    sy_status status = check_levels(&cx);
    bool ok = true;
    for (uint32_t i = 0; i < cx.rows.n; i++)
        ok = ok && cx.rows.at[i].ok;
    if (!ok && status == SY_OK) {
        check_find_writers(&cx);
        status = SY_MISMATCH;
    }
    *rows = cx.rows.at;
    *n = cx.rows.n;
    return status;
}

static sy_status
check_entered(sy_session *s, sy_program *p, const sy_check_options *o,
              const sy_check_row **rows, size_t *n)
{
    api_enter(s);
    return api_leave(s, check(s, p, o, rows, n));
}

sy_status
sy_check(sy_session *s, sy_program *p, const sy_check_options *o,
         const sy_check_row **rows, size_t *n)
{
    sy_check_options all = {0};
    if (!p || !rows || !n || !api_take_options(o, &all, sizeof all))
        return SY_USAGE;
    *n = 0;
    if (setjmp(s->oom))
        return api_out_of_memory(s);
    return check_entered(s, p, &all, rows, n);
}
