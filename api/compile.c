// SPDX-License-Identifier: Apache-2.0
// From a module to a program: picks kernel and target, lowers, runs the
// backend's passes, emits and loads the object. Whatever the input's kind, the
// program ends as a loaded object, unless compilation is to stop earlier.
#include "api/api_int.h"

#include <string.h>

// ---- choosing
// -------------------------------------------------------------------

// "examples/matmul.tk" is named like the kernel "matmul".
static str
file_stem(const char *name)
{
    const char *slash = strrchr(name, '/');
    str stem = str_of(slash ? slash + 1 : name);
    for (size_t i = 1; i < stem.n; i++) {
        if (stem.p[i] == '.')
            stem.n = i;
    }
    return stem;
}

static bool
find_kernel(const sy_module *m, str name, uint32_t *out)
{
    for (uint32_t i = 0; i < sy_module_kernel_count(m); i++) {
        if (str_eq_z(name, sy_module_kernel_name(m, i))) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void
note_kernels(sy_session *s, const sy_module *m)
{
    for (uint32_t i = 0; i < sy_module_kernel_count(m) && i < 20; i++) {
        loc at = m->tk ? tk_kernel_loc(m->tk, i) : (loc){0};
        diag_note_add(&s->d, at, "there is '%s'", sy_module_kernel_name(m, i));
    }
}

static bool
choose_kernel(sy_session *s, const sy_module *m, const char *name,
              uint32_t *out)
{
    if (name) {
        if (find_kernel(m, str_of(name), out))
            return true;
        diag(&s->d, (loc){0}, D_KERNEL_UNKNOWN, name, m->name);
        note_kernels(s, m);
        return false;
    }
    *out = 0;
    if (sy_module_kernel_count(m) == 1 ||
        find_kernel(m, file_stem(m->name), out))
        return true;
    diag(&s->d, (loc){0}, D_WHICH_KERNEL, m->name, sy_module_kernel_count(m));
    note_kernels(s, m);
    return false;
}

static const isa_target *
choose_target(sy_session *s, const sy_module *m, const char *name)
{
    if (name && m->target && strcmp(name, m->target) != 0) {
        diag(&s->d, (loc){0}, D_TARGET_FIXED, m->name, m->target, name);
        return NULL;
    }
    const char *want = name ? name : m->target ? m->target : "trn2";
    const isa_target *t = isa_target_find(want);
    if (t)
        return t;
    diag(&s->d, (loc){0}, D_TARGET_UNKNOWN, want);
    for (uint32_t i = 0; isa_target_at(i); i++)
        diag_note_add(&s->d, (loc){0}, "there is '%s'", isa_target_at(i)->name);
    return NULL;
}

static bool
check_pass(sy_session *s, const char *name, bool all_allowed)
{
    if (!name || (all_allowed && strcmp(name, "all") == 0))
        return true;
    for (uint32_t i = 0; backend_pass_name(i); i++) {
        if (strcmp(backend_pass_name(i), name) == 0)
            return true;
    }
    diag(&s->d, (loc){0}, D_PASS_UNKNOWN, name);
    for (uint32_t i = 0; backend_pass_name(i); i++)
        diag_note_add(&s->d, (loc){0}, "there is '%s'", backend_pass_name(i));
    return false;
}

// ---- lowering
// --------------------------------------------------------------------

static tir_fn *
lower_tk(sy_session *s, const sy_module *m, uint32_t kernel,
         const sy_compile_options *o)
{
    tk_dim *dims = ARENA_ARRAY(s->a, o->dim_count, tk_dim);
    for (size_t i = 0; i < o->dim_count; i++)
        dims[i] =
            (tk_dim){str_dup(s->a, str_of(o->dims[i].name)), o->dims[i].value};
    tk_input_shape *in = ARENA_ARRAY(s->a, o->input_count, tk_input_shape);
    for (size_t i = 0; i < o->input_count; i++) {
        const sy_array_type *t = &o->inputs[i];
        in[i].name = str_dup(s->a, str_of(t->name));
        in[i].rank = t->rank;
        memcpy(in[i].shape, t->shape, sizeof in[i].shape);
    }
    return tk_lower(s->a, &s->d, m->tk, kernel, dims, (uint32_t)o->dim_count,
                    in, (uint32_t)o->input_count);
}

// Dims have no meaning for inputs whose extents are already numbers.
static bool
check_no_dims(sy_session *s, const sy_module *m, const sy_compile_options *o)
{
    for (size_t i = 0; i < o->dim_count; i++)
        diag(&s->d, (loc){0}, D_DIM_FIXED, o->dims[i].name, m->name);
    return o->dim_count == 0;
}

// Early, so that a kernel over absurd extents costs nothing.
static bool
check_hbm(sy_session *s, const tir_tensor *t, uint32_t n,
          const isa_target *target)
{
    uint64_t left = target->hbm_bytes;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bytes = num_dtype_bytes(t[i].dtype);
        bool fits = true, empty = false;
        for (uint32_t k = 0; k < t[i].rank; k++)
            empty = empty || t[i].shape[k] == 0;
        for (uint32_t k = 0; k < t[i].rank && !empty; k++)
            fits = fits && mul_u64(bytes, (uint64_t)t[i].shape[k], &bytes);
        if (empty)
            continue;
        if (fits && bytes <= left) {
            left -= bytes;
            continue;
        }
        sy_array_type type = api_array_type(&t[i]);
        diag(&s->d, t[i].at, D_HBM_EXCEEDED, t[i].name,
             api_type_text(s->a, &type), (unsigned long long)target->hbm_bytes,
             target->name);
        return false;
    }
    return true;
}

// Numbers what an operation reads in the order of its text, as reading the text
// does: passes name what they make in that order, and a program must not depend
// on whether it came from source or from the text of its own IR. NULL after a
// diagnostic.
static tir_fn *
reread(sy_session *s, const tir_fn *fn)
{
    diags d;
    strbuf b = strbuf_new(s->a);
    diags_init(&d, s->a);
    tir_print(fn, &b);
    tir_fn *out =
        tir_parse(s->a, &d, diag_add_source(&d, "(text)", strbuf_str(&b)));
    if (!out || out->tensors.n != fn->tensors.n || out->ops.n != fn->ops.n) {
        diag(&s->d, (loc){0}, D_INTERNAL,
             arena_printf(s->a, "the text of '%s' does not parse back to it",
                          fn->name));
        return NULL;
    }
    for (uint32_t i = 0; i < fn->tensors.n; i++)
        out->tensors.at[i].at = fn->tensors.at[i].at;
    for (uint32_t i = 0; i < fn->ops.n; i++)
        out->ops.at[i].at = fn->ops.at[i].at;
    return out;
}

static bool
lower(sy_session *s, const sy_module *m, uint32_t kernel,
      const sy_compile_options *o, pass_ctx *cx)
{
    if (m->kind == SY_KIND_TILE) {
        cx->tile = tile_parse(s->a, &s->d, m->source);
        return cx->tile && check_hbm(s, cx->tile->tensors.at,
                                     cx->tile->tensors.n, cx->target);
    }
    // Passes change the function in place: each program gets its own.
    cx->tensor = m->kind == SY_KIND_TK ? lower_tk(s, m, kernel, o)
                                       : tir_parse(s->a, &s->d, m->source);
    if (!cx->tensor ||
        !check_hbm(s, cx->tensor->tensors.at, cx->tensor->tensors.n,
                   cx->target) ||
        !tir_verify(cx->tensor, &s->d))
        return false;
    if (m->kind == SY_KIND_TK)
        cx->tensor = reread(s, cx->tensor);
    return cx->tensor != NULL;
}

static void
set_arrays(sy_session *s, sy_program *p, const tir_tensor *t, uint32_t n)
{
    sy_module picked = {0};
    api_pick_params(s->a, t, n, &picked);
    for (uint32_t i = 0; i < picked.params.n; i++) {
        vec_push(s->a, &p->arrays, picked.params.at[i]);
        vec_last(&p->arrays)->name =
            str_z(s->a, str_of(picked.params.at[i].name));
    }
    p->bound = ARENA_ARRAY(s->a, p->arrays.n, void *);
}

static str
ir_text(sy_session *s, const pass_ctx *cx)
{
    strbuf b = strbuf_new(s->a);
    if (cx->tile)
        tile_print(cx->tile, &b);
    else
        tir_print(cx->tensor, &b);
    return strbuf_str(&b);
}

static bool
load(sy_session *s, sy_program *p)
{
    p->rt = rt_load(s->a, p->object, &s->d);
    return p->rt != NULL;
}

static bool
run_passes(sy_session *s, pass_ctx *cx, const sy_compile_options *o,
           sy_program *p)
{
    strbuf dump = strbuf_new(s->a);
    strbuf_put(&dump, STR(""));
    pass_options po = {o->print_after, o->stop_after, o->verify_each != 0,
                       &dump};
    bool ok = backend_run(cx, &po);
    p->dump = strbuf_str(&dump).p;
    return ok;
}

static bool
compile_ir(sy_session *s, const sy_module *m, uint32_t kernel,
           const sy_compile_options *o, sy_program *p)
{
    pass_ctx cx = {.a = s->a, .d = &s->d, .target = p->target, .opt = p->opt};
    if (!lower(s, m, kernel, o, &cx))
        return false;
    if (cx.tile)
        set_arrays(s, p, cx.tile->tensors.at, cx.tile->tensors.n);
    else
        set_arrays(s, p, cx.tensor->tensors.at, cx.tensor->tensors.n);
    p->tensor_text = cx.tensor ? ir_text(s, &cx) : m->tensor_text;
    if (!run_passes(s, &cx, o, p))
        return false;
    if (o->stop_after) {
        p->stopped = str_z(s->a, str_of(o->stop_after));
        p->stopped_text = ir_text(s, &cx);
        p->stopped_tile = cx.tile != NULL;
        return true;
    }
    // Lowering to tile IR leaves it as the last tensor pass did.
    p->last_tensor = cx.tensor;
    if (cx.tensor)
        api_name_updates(cx.tensor);
    p->tile = cx.tile;
    p->tile_text = ir_text(s, &cx);
    emit_program *e = backend_emit(&cx);
    return e &&
           backend_object(&cx, e, p->tensor_text, p->tile_text, &p->object) &&
           load(s, p);
}

static bool
compile_machine(sy_session *s, const sy_module *m, const sy_compile_options *o,
                sy_program *p)
{
    if (!check_no_dims(s, m, o))
        return false;
    set_arrays(s, p, m->params.at, m->params.n);
    p->object = m->text;
    if (!load(s, p))
        return false;
    p->tensor_text = rt_section(p->rt, OBJ_SECTION_TENSOR_IR);
    p->tile_text = rt_section(p->rt, OBJ_SECTION_TILE_IR);
    return true;
}

static bool
compile(sy_session *s, const sy_module *m, const sy_compile_options *o,
        sy_program *p)
{
    uint32_t kernel = 0;
    p->m = m;
    p->opt = o->opt_level < 0 ? 2 : (uint32_t)o->opt_level;
    p->dump = "";
    if (!check_pass(s, o->print_after, true) ||
        !check_pass(s, o->stop_after, false) ||
        !choose_kernel(s, m, o->kernel, &kernel))
        return false;
    p->kernel = sy_module_kernel_name(m, kernel);
    p->target = choose_target(s, m, o->target);
    if (!p->target)
        return false;
    if (m->kind == SY_KIND_OBJECT || m->kind == SY_KIND_ASM)
        return compile_machine(s, m, o, p);
    if (m->kind != SY_KIND_TK && !check_no_dims(s, m, o))
        return false;
    return compile_ir(s, m, kernel, o, p);
}

static sy_status
compile_entered(sy_session *s, const sy_module *m, const sy_compile_options *o,
                sy_program **out)
{
    api_enter(s);
    sy_program *p = ARENA_NEW(s->a, sy_program);
    bool ok = compile(s, m, o, p);
    if (ok)
        *out = p;
    return api_leave(s, ok ? SY_OK : SY_REJECTED);
}

sy_status
sy_compile(sy_session *s, const sy_module *m, const sy_compile_options *o,
           sy_program **out)
{
    sy_compile_options all = {.opt_level = -1};
    if (!m || !out || !api_take_options(o, &all, sizeof all) ||
        all.opt_level > 3)
        return SY_USAGE;
    if (setjmp(s->oom))
        return api_out_of_memory(s);
    return compile_entered(s, m, &all, out);
}

// ---- what a program is
// -------------------------------------------------------------

const char *
sy_pass_name(uint32_t i)
{
    return backend_pass_name(i);
}

const char *
sy_program_dump(const sy_program *p)
{
    return p->dump;
}

uint32_t
sy_program_array_count(const sy_program *p)
{
    return p->arrays.n;
}

sy_array_type
sy_program_array(const sy_program *p, uint32_t i, int *kind)
{
    *kind = api_array_kind(&p->arrays.at[i]);
    return api_array_type(&p->arrays.at[i]);
}

static bool
no_level(sy_session *s, const sy_program *p, const char *what)
{
    if (p->stopped)
        diag(&s->d, (loc){0}, D_STOPPED_EARLY, p->stopped, what);
    else
        diag(&s->d, (loc){0}, D_NO_LEVEL, p->m->name, what);
    return false;
}

// Tile IR as a text of its own: what it was made from follows, so that it can
// still be checked.
static str
with_tensor(sy_session *s, str tile, str tensor)
{
    strbuf b = strbuf_new(s->a);
    strbuf_put(&b, tile);
    strbuf_put(&b, tensor);
    return strbuf_str(&b);
}

static bool
emit_text(sy_session *s, const sy_program *p, sy_emit what, str *out)
{
    bool tile = what == SY_EMIT_TILE;
    if (p->stopped && p->stopped_tile == tile)
        *out = p->stopped_text;
    else
        *out = tile ? p->tile_text : p->tensor_text;
    if (!out->n)
        return no_level(s, p, tile ? "tile IR" : "tensor IR");
    if (tile)
        *out = with_tensor(s, *out, p->tensor_text);
    return true;
}

bool
api_disassemble(sy_session *s, str object, str *out)
{
    isa_program *ip = ARENA_NEW(s->a, isa_program);
    if (!isa_object_read(s->a, &s->d, object, ip))
        return false;
    strbuf b = strbuf_new(s->a);
    isa_program_print(ip, &b);
    *out = strbuf_str(&b);
    return true;
}

static bool
emit(sy_session *s, const sy_program *p, sy_emit what, str *out)
{
    if (what == SY_EMIT_TENSOR || what == SY_EMIT_TILE)
        return emit_text(s, p, what, out);
    if (!p->object.n)
        return no_level(s, p, "object");
    if (what == SY_EMIT_ASM)
        return api_disassemble(s, p->object, out);
    *out = p->object;
    return true;
}

sy_status
sy_program_emit(sy_session *s, sy_program *p, sy_emit what, const void **bytes,
                size_t *n)
{
    if (!p || !bytes || !n || what > SY_EMIT_OBJECT)
        return SY_USAGE;
    if (setjmp(s->oom))
        return api_out_of_memory(s);
    str out;
    if (!emit(s, p, what, &out))
        return SY_REJECTED;
    *bytes = out.p;
    *n = out.n;
    return SY_OK;
}

// ---- assembling
// --------------------------------------------------------------------

sy_status
sy_assemble(sy_session *s, const char *name, const void *text, size_t n,
            const void **object, size_t *object_n)
{
    sy_module *m = NULL;
    sy_status status = sy_module_parse(s, name, text, n, SY_KIND_ASM, &m);
    if (status != SY_OK)
        return status;
    *object = m->text.p;
    *object_n = m->text.n;
    return SY_OK;
}

sy_status
sy_disassemble(sy_session *s, const char *name, const void *object, size_t n,
               const char **text)
{
    if (!name || !object || !text)
        return SY_USAGE;
    if (setjmp(s->oom))
        return api_out_of_memory(s);
    str out;
    if (!isa_object_detect((str){object, n})) {
        diag(&s->d, (loc){0}, D_UNKNOWN_KIND, name);
        return SY_REJECTED;
    }
    if (!api_disassemble(s, str_dup(s->a, (str){object, n}), &out))
        return SY_REJECTED;
    *text = out.p;
    return SY_OK;
}

// ---- formatting
// -----------------------------------------------------------------------

sy_status
sy_format(sy_session *s, const char *name, const void *source, size_t n,
          const char **text, size_t *text_n)
{
    if (!name || (!source && n) || !text || !text_n)
        return SY_USAGE;
    if (setjmp(s->oom))
        return api_out_of_memory(s);
    str in = str_dup(s->a, (str){source, n}), out;
    uint32_t id = diag_add_source(&s->d, name, in);
    if (!tk_format(s->a, &s->d, id, &out))
        return SY_REJECTED;
    *text = str_z(s->a, out);
    *text_n = out.n;
    return SY_OK;
}

// ---- targets
// -----------------------------------------------------------------------

uint32_t
sy_target_count(void)
{
    uint32_t n = 0;
    while (isa_target_at(n))
        n++;
    return n;
}

const char *
sy_target_name(uint32_t i)
{
    const isa_target *t = isa_target_at(i);
    return t ? t->name : NULL;
}

const char *
sy_target_text(sy_session *s, const char *name)
{
    (void)s;
    const isa_target *t = isa_target_find(name);
    return t ? t->text : NULL;
}
