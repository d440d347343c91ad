// SPDX-License-Identifier: Apache-2.0
// Binding arrays and running a program at any of its levels.
#include "api/api_int.h"

#include <string.h>

_Static_assert((int)OBJ_TENSOR_INPUT == (int)TIR_INPUT &&
                   (int)OBJ_TENSOR_OUTPUT == (int)TIR_OUTPUT &&
                   (int)OBJ_TENSOR_TEMP == (int)TIR_TEMP &&
                   (int)OBJ_TENSOR_CONST == (int)TIR_CONST &&
                   (int)OBJ_TENSOR_INOUT == (int)TIR_INOUT,
               "kinds of tensors are numbered alike");

static sy_status
bind(sy_session *s, sy_program *p, const char *name, void *data, size_t bytes)
{
    uint32_t i = api_array_index(p, name);
    if (i == p->arrays.n) {
        diag(&s->d, (loc){0}, D_BIND_NAME, name);
        for (uint32_t k = 0; k < p->arrays.n; k++)
            diag_note_add(&s->d, (loc){0}, "there is %s '%s'",
                          p->arrays.at[k].kind == TIR_OUTPUT ? "output"
                                                             : "input",
                          p->arrays.at[k].name);
        return SY_REJECTED;
    }
    const tir_tensor *t = &p->arrays.at[i];
    uint64_t need = api_elems(t) * num_dtype_bytes(t->dtype);
    if (need != bytes) {
        sy_array_type type = api_array_type(t);
        diag(&s->d, (loc){0}, D_BIND_SIZE, name, api_type_text(s->a, &type),
             (unsigned long long)need, (unsigned long long)bytes);
        return SY_REJECTED;
    }
    // An array without elements may have no address; none is ever used.
    p->bound[i] = p;
    if (data)
        p->bound[i] = data;
    return SY_OK;
}

sy_status
sy_bind(sy_session *s, sy_program *p, const char *name, void *data,
        size_t bytes)
{
    if (!p || !name || (!data && bytes))
        return SY_USAGE;
    if (setjmp(s->oom))
        return api_out_of_memory(s);
    return bind(s, p, name, data, bytes);
}

static sy_status
draw(sy_session *s, sy_program *p, uint64_t seed)
{
    api_enter(s);
    const tir_fn *fn = api_draw_tensor(s, p);
    for (uint32_t i = 0; i < p->arrays.n; i++) {
        const tir_tensor *t = &p->arrays.at[i];
        if (t->kind == TIR_OUTPUT || p->bound[i])
            continue;
        void *data = arena_array(s->a, api_elems(t), num_dtype_bytes(t->dtype));
        api_draw(fn, t, i, seed, data);
        p->bound[i] = data;
    }
    return api_leave(s, SY_OK);
}

void *
sy_bound(const sy_program *p, const char *name)
{
    uint32_t i = api_array_index(p, name);
    return i < p->arrays.n ? p->bound[i] : NULL;
}

sy_status
sy_draw(sy_session *s, sy_program *p, uint64_t seed)
{
    if (!p)
        return SY_USAGE;
    if (setjmp(s->oom))
        return api_out_of_memory(s);
    return draw(s, p, seed);
}

// ---- levels -----------------------------------------------------------------

static uint32_t
text_source(sy_session *s, const sy_program *p, const char *level, str text)
{
    return diag_add_source(&s->d, arena_printf(s->a, "%s.%s", p->kernel, level),
                           text);
}

static bool
is_array(const tir_tensor *t)
{
    return t->kind == TIR_INPUT || t->kind == TIR_OUTPUT ||
           t->kind == TIR_INOUT;
}

// What is both input and output has two tensors in the tensor IR.
static bool
same_kind(const tir_tensor *array, const tir_tensor *t)
{
    return array->kind == t->kind ||
           (array->kind == TIR_INOUT &&
            (t->kind == TIR_INPUT || (t->kind == TIR_OUTPUT && t->updates)));
}

// An object's texts are whatever its author wrote: only arrays of the very
// kind, type and shape of the object's own may share their memory.
static bool
same_arrays(sy_session *s, const sy_program *p, const char *level,
            const tir_tensor *t, uint32_t n)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = api_array_index(p, t[i].name);
        const tir_tensor *x = k < p->arrays.n ? &p->arrays.at[k] : NULL;
        bool same = x ? same_kind(x, &t[i]) && x->dtype == t[i].dtype &&
                            x->rank == t[i].rank &&
                            memcmp(x->shape, t[i].shape,
                                   x->rank * sizeof *x->shape) == 0
                      : !is_array(&t[i]);
        if (!same) {
            diag(&s->d, (loc){0}, D_LEVEL_DIFFERS, level, p->m->name,
                 t[i].name);
            return false;
        }
        found += x != NULL && (!t[i].updates || x->kind == TIR_OUTPUT);
    }
    if (found == p->arrays.n)
        return true;
    diag(&s->d, (loc){0}, D_LEVEL_DIFFERS, level, p->m->name, "");
    return false;
}

const tir_fn *
api_tensor(sy_session *s, sy_program *p)
{
    if (!p->tensor && p->tensor_text.n) {
        uint32_t source = text_source(s, p, "tensor", p->tensor_text);
        tir_fn *fn = tir_parse(s->a, &s->d, source);
        bool ok = fn && tir_verify(fn, &s->d);
        if (ok)
            api_name_updates(fn);
        ok =
            ok && same_arrays(s, p, "tensor IR", fn->tensors.at, fn->tensors.n);
        p->tensor = ok ? fn : NULL;
    }
    return p->tensor;
}

const tile_fn *
api_tile(sy_session *s, sy_program *p)
{
    if (!p->tile && p->tile_text.n) {
        uint32_t source = text_source(s, p, "tile", p->tile_text);
        tile_fn *fn = tile_parse(s->a, &s->d, source);
        bool ok = fn && tile_verify(fn, &s->d) &&
                  same_arrays(s, p, "tile IR", fn->tensors.at, fn->tensors.n);
        p->tile = ok ? fn : NULL;
    }
    return p->tile;
}

sy_status
api_status(rt_outcome outcome)
{
    switch (outcome) {
    case RT_DONE: return SY_OK;
    case RT_FAULT: return SY_FAULT;
    case RT_LIMIT: return SY_LIMIT;
    case RT_NEEDS_DATA: return SY_OK; // every run is checked as it goes
    }
    return SY_INTERNAL;
}

sy_status
api_certify(sy_session *s, sy_program *p, uint64_t max_instructions)
{
    return api_status(rt_certify_limited(p->rt, max_instructions, &s->d));
}

// ---- running ----------------------------------------------------------------

static sy_status
missing_level(sy_session *s, const sy_program *p, const char *what, bool has)
{
    // A text that is there but malformed has had its diagnostic.
    if (!has && p->stopped)
        diag(&s->d, (loc){0}, D_STOPPED_EARLY, p->stopped, what);
    else if (!has)
        diag(&s->d, (loc){0}, D_NO_LEVEL, p->m->name, what);
    return SY_REJECTED;
}

static sy_status
run_tensor(sy_session *s, sy_program *p, const sy_run_options *o)
{
    const tir_fn *fn = api_tensor(s, p);
    if (!fn)
        return missing_level(s, p, "tensor IR", p->tensor_text.n > 0);
    if (!api_tensor_fits(s, fn, o->max_instructions))
        return SY_LIMIT;
    void **buf = api_buffers(api_scratch(s), p, p->bound, fn->tensors.at,
                             fn->tensors.n, true);
    return tir_eval(fn, buf, &s->d) ? SY_OK : SY_FAULT;
}

static sy_status
run_tile(sy_session *s, sy_program *p, const sy_run_options *o)
{
    const tile_fn *fn = api_tile(s, p);
    if (!fn)
        return missing_level(s, p, "tile IR", p->tile_text.n > 0);
    if (!api_tile_fits(s, fn, o->max_instructions))
        return SY_LIMIT;
    void **buf = api_buffers(api_scratch(s), p, p->bound, fn->tensors.at,
                             fn->tensors.n, true);
    return tile_eval(fn, buf, &s->d) ? SY_OK : SY_FAULT;
}

static sy_status
run_machine(sy_session *s, sy_program *p, const sy_run_options *o)
{
    if (!p->rt)
        return missing_level(s, p, "object", false);
    sy_status status = api_certify(s, p, o->max_instructions);
    if (status != SY_OK)
        return status;
    uint32_t n = rt_tensor_count(p->rt);
    uint8_t **bound = ARENA_ARRAY(api_scratch(s), n, uint8_t *);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = api_array_index(p, rt_tensor_at(p->rt, i)->name);
        bound[i] = k < p->arrays.n ? p->bound[k] : NULL;
    }
    rt_order order = {o->random_order != 0, o->seed, o->max_instructions};
    return api_status(rt_interpret(p->rt, &order, bound, &s->d));
}

static bool
all_bound(sy_session *s, const sy_program *p)
{
    bool ok = true;
    for (uint32_t i = 0; i < p->arrays.n; i++) {
        if (p->bound[i])
            continue;
        bool out = p->arrays.at[i].kind == TIR_OUTPUT;
        diag(&s->d, (loc){0}, D_BIND_MISSING, out ? "output" : "input",
             p->arrays.at[i].name);
        ok = false;
    }
    return ok;
}

static sy_status
run(sy_session *s, sy_program *p, const sy_run_options *o)
{
    if (!all_bound(s, p))
        return SY_REJECTED;
    switch (o->engine) {
    case SY_ENGINE_INTERP: return run_machine(s, p, o);
    case SY_ENGINE_TENSOR: return run_tensor(s, p, o);
    case SY_ENGINE_TILE: return run_tile(s, p, o);
    }
    return SY_USAGE;
}

static sy_status
run_entered(sy_session *s, sy_program *p, const sy_run_options *o)
{
    api_enter(s);
    return api_leave(s, run(s, p, o));
}

sy_status
sy_run(sy_session *s, sy_program *p, const sy_run_options *o)
{
    sy_run_options all = {0};
    if (!p || !api_take_options(o, &all, sizeof all))
        return SY_USAGE;
    if (setjmp(s->oom))
        return api_out_of_memory(s);
    return run_entered(s, p, &all);
}
