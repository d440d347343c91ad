// SPDX-License-Identifier: Apache-2.0
// Collects a compiled function into a whole machine program and has it written
// as an object. Of the sources of the diagnostics, only those that instructions
// come from are kept, in order, so that the bytes depend on nothing else.
#include "backend/backend.h"
#include "isa-spec/program.h"

#include <assert.h>

// ORDER: tensor kinds of the IR = those of objects.
static_assert((int)TIR_INPUT == (int)OBJ_TENSOR_INPUT, "kinds");
static_assert((int)TIR_OUTPUT == (int)OBJ_TENSOR_OUTPUT, "kinds");
static_assert((int)TIR_TEMP == (int)OBJ_TENSOR_TEMP, "kinds");
static_assert((int)TIR_CONST == (int)OBJ_TENSOR_CONST, "kinds");
static_assert((int)TIR_INOUT == (int)OBJ_TENSOR_INOUT, "kinds");
static_assert((int)TIR_RANK == (int)ISA_RANK, "rank");

static isa_tensor
make_tensor(const tir_tensor *t)
{
    isa_tensor out = {
        .name = t->name,
        .kind = (obj_tensor_kind)t->kind,
        .dtype = t->dtype,
        .rank = t->rank,
    };

    for (uint32_t d = 0; d < t->rank; d++)
        out.shape[d] = t->shape[d];
    if (t->kind == TIR_CONST)
        out.data =
            (str){t->data, (size_t)tir_elems(t) * num_dtype_bytes(t->dtype)};
    return out;
}

static void
add_tables(arena *a, const tile_fn *fn, isa_program *out)
{
    for (uint32_t i = 0; i < fn->tensors.n; i++)
        vec_push(a, &out->tensors, make_tensor(&fn->tensors.at[i]));
    for (uint32_t i = 0; i < fn->sems.n; i++) {
        const tile_sem *s = &fn->sems.at[i];
        isa_sem sem = {(isa_engine)s->producer, s->producer_queue,
                       (isa_engine)s->consumer, s->initial};
        vec_push(a, &out->sems, sem);
    }
}

// The number of a source of 'd' in the program, added at its first use.
static uint32_t
source_number(arena *a, const diags *d, uint32_t source, uint32_t *number,
              isa_program *out)
{
    if (source == 0 || source >= d->sources.n)
        return 0;
    if (number[source] == 0) {
        const diag_source *s = &d->sources.at[source];
        vec_push(a, &out->sources, (isa_source){s->name, s->text});
        number[source] = out->sources.n;
    }
    return number[source];
}

static void
add_stream(arena *a, const diags *d, const emit_stream *in, uint32_t *number,
           isa_program *out, isa_stream *stream)
{
    for (uint32_t i = 0; i < in->code.n; i++) {
        loc at = in->at.at[i];
        at.source = source_number(a, d, at.source, number, out);
        vec_push(a, &stream->code, in->code.at[i]);
        vec_push(a, &stream->at, at.source ? at : (loc){0});
    }
}

void
backend_program(pass_ctx *cx, const emit_program *p, str tensor_text,
                str tile_text, isa_program *out)
{
    uint32_t *number = ARENA_ARRAY(cx->a, cx->d->sources.n, uint32_t);

    *out = (isa_program){
        .kernel = cx->tile->name,
        .target = cx->target->name,
        .tensor_ir = tensor_text,
        .tile_ir = tile_text,
    };
    add_tables(cx->a, cx->tile, out);
    for (uint32_t e = ISA_ENG_TENSOR; e < ISA_ENG_COUNT; e++)
        add_stream(cx->a, cx->d, &p->stream[e], number, out, &out->stream[e]);
}

bool
backend_object(pass_ctx *cx, const emit_program *p, str tensor_text,
               str tile_text, str *out)
{
    isa_program prog;

    backend_program(cx, p, tensor_text, tile_text, &prog);
    return isa_object_write(cx->a, &prog, out, cx->d);
}
