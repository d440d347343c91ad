// SPDX-License-Identifier: Apache-2.0
// Writes the streams: for each engine the loops that hold its operations, every
// operation as one instruction, with registers for what is not constant in its
// operands (emit_value.c). The engine is walked twice: first to learn every
// value and slot counter that it needs, then to write.
#include "backend/emit_int.h"

#include <assert.h>
#include <string.h>

// ORDER: tile engines = ISA engines.
static_assert((int)ENG_TENSOR == (int)ISA_ENG_TENSOR, "engines");
static_assert((int)ENG_VECTOR == (int)ISA_ENG_VECTOR, "engines");
static_assert((int)ENG_SCALAR == (int)ISA_ENG_SCALAR, "engines");
static_assert((int)ENG_GPSIMD == (int)ISA_ENG_GPSIMD, "engines");
static_assert((int)ENG_SYNC == (int)ISA_ENG_SYNC, "engines");
static_assert((int)ENG_COUNT == (int)ISA_ENG_COUNT, "engines");
static_assert((int)TILE_WAITS == (int)ISA_WAITS, "waits");
static_assert((int)TILE_POSTS == (int)ISA_UPDATES, "posts");
static_assert((int)TILE_LOOPS == (int)ISA_LOOP_DEPTH, "loop depth");

static const isa_opcode opcodes[NUM_OP_COUNT] = {
    [NUM_OP_NONE] = ISA_MARK,
#define ENGINE_OP(id, name, roles, shape, wide, flags, fn, what)               \
    [NUM_OP_##id] = ISA_##id,
#include "numerics/engine_ops.def"
#undef ENGINE_OP
};

// ---- operands

static const tile_buf *
buf_of(const emit_cx *x, const tile_ref *r)
{
    return r->hbm ? NULL : &x->fn->bufs.at[r->id];
}

static num_dtype
dtype_of(const emit_cx *x, const tile_ref *r)
{
    return r->hbm ? x->fn->tensors.at[r->id].dtype
                  : x->fn->bufs.at[r->id].dtype;
}

static uint32_t
offset_value(emit_cx *x, const tile_ref *r)
{
    return emit_sum(x, &r->off, num_dtype_bytes(dtype_of(x, r)), buf_of(x, r));
}

static int64_t
constant_offset(const emit_cx *x, const tile_ref *r)
{
    const tile_buf *b = buf_of(x, r);

    return (b ? b->addr : 0) + r->off.c * num_dtype_bytes(dtype_of(x, r));
}

static isa_mem
mem_of(const emit_cx *x, const tile_ref *r)
{
    const tile_buf *b = buf_of(x, r);

    if (!b)
        return ISA_HBM;
    return b->space == SPACE_PSUM ? ISA_PSUM : ISA_SBUF;
}

// What does not fit stays too large for its field, which the encoder reports.
static uint32_t
narrow(int64_t n)
{
    return n < 0 || n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

// A count as an immediate and, if it is not constant, a register.
static void
put_count(emit_cx *x, const tile_count *c, uint32_t *imm, uint32_t *reg)
{
    int64_t fixed;

    if (tile_count_is_const(c, &fixed)) {
        *imm = narrow(fixed);
        return;
    }
    *imm = narrow(c->max);
    *reg = emit_reg(x, emit_count(x, c));
}

static void
put_pattern(emit_cx *x, const tile_ref *r, isa_ap *ap)
{
    if (r->id == TILE_ABSENT)
        return;
    ap->mem = mem_of(x, r);
    ap->part = r->hbm ? r->id : r->part;
    ap->dtype = dtype_of(x, r);
    ap->offset = constant_offset(x, r);
    ap->reg = emit_reg(x, offset_value(x, r));
    ap->pstep = r->hbm ? r->pstep : 0;
    ap->ndim = r->ndim;
    for (uint32_t d = 0; d < r->ndim; d++) {
        ap->dim[d].step = r->dim[d].step;
        ap->dim[d].count = narrow(r->dim[d].count);
    }
    if (r->ragged && r->ndim) {
        int64_t most = r->dim[0].count;
        tile_count c = r->outer;
        c.max = min_i64(c.max, most);
        put_count(x, &c, &ap->dim[0].count, &ap->creg);
    }
}

static void
put_scalar(emit_cx *x, const tile_scalar *s, isa_scalar *out)
{
    out->is_vec = s->is_vec;
    if (!s->is_vec) {
        out->imm = s->imm;
        return;
    }
    out->mem = mem_of(x, &s->vec);
    out->part = s->vec.part;
    out->dtype = dtype_of(x, &s->vec);
    out->offset = constant_offset(x, &s->vec);
    out->reg = emit_reg(x, offset_value(x, &s->vec));
}

// ---- operations

static void
put_tokens(const tile_op *op, isa_insn *in)
{
    for (uint32_t i = 0; i < op->nwait; i++)
        in->wait[i] = (isa_wait){op->wait[i].sem, op->wait[i].count};
    for (uint32_t i = 0; i < op->npost; i++)
        in->update[i] =
            (isa_update){op->post[i].sem, op->post[i].count, ISA_AT_COMPLETE};
}

bool
emit_is_once(const tile_fn *fn, uint32_t loop)
{
    int64_t trips;

    return tile_count_is_const(&fn->loops.at[loop].trip, &trips) && trips == 1;
}

uint32_t
emit_depth(const tile_fn *fn, uint32_t loop)
{
    uint32_t depth = 0;

    for (; loop; loop = fn->loops.at[loop].parent)
        depth += !emit_is_once(fn, loop);
    return depth;
}

static uint32_t
first_mask(const emit_cx *x, const tile_op *op)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < op->nfirst; i++)
        if (!emit_is_once(x->fn, op->first[i]))
            mask |= 1u << (emit_depth(x->fn, op->first[i]) - 1);
    return mask;
}

static void
put_arithmetic(const tile_op *op, isa_insn *in)
{
    in->as = op->as;
    in->func = op->func;
    in->op0 = op->op0;
    in->op1 = op->op1;
    in->rev0 = op->rev0;
    in->rev1 = op->rev1;
    in->reduce = op->reduce;
    in->reduce_dims = op->reduce_dims;
}

static void
put_iota(emit_cx *x, const tile_op *op, isa_insn *in)
{
    in->iota_base = op->iota_base.c;
    in->iota_reg = emit_reg(x, emit_sum(x, &op->iota_base, 1, NULL));
    in->iota_part = op->iota_part;
    for (uint32_t d = 0; d < NUM_DIMS; d++)
        in->iota_step[d] = op->iota_step[d];
}

static void
make_insn(emit_cx *x, const tile_op *op, isa_insn *in)
{
    memset(in, 0, sizeof *in);
    in->op = opcodes[op->op];
    in->queue = op->queue;
    put_tokens(op, in);
    if (op->op == NUM_OP_NONE)
        return;
    put_arithmetic(op, in);
    in->accumulate = op->accumulate;
    in->combine = op->combine;
    in->skip = op->skip;
    put_count(x, &op->parts, &in->parts, &in->parts_reg);
    if (op->op == NUM_OP_MATMUL || op->op == NUM_OP_PREDUCE)
        put_count(x, &op->dst_parts, &in->dst_parts, &in->dst_parts_reg);
    if (op->op == NUM_OP_MATMUL)
        in->first_mask = first_mask(x, op);
    if (op->op == NUM_OP_IOTA)
        put_iota(x, op, in);
    put_pattern(x, &op->dst, &in->dst);
    put_pattern(x, &op->a, &in->a);
    put_pattern(x, &op->b, &in->b);
    if (op->has_dst2)
        put_pattern(x, &op->dst2, &in->dst2);
    in->descending = op->descending;
    put_scalar(x, &op->s0, &in->s0);
    put_scalar(x, &op->s1, &in->s1);
}

// ---- learning the values

static void
learn_ref(emit_cx *x, const tile_ref *r)
{
    if (r->id == TILE_ABSENT)
        return;
    offset_value(x, r);
    if (r->ragged && r->ndim) {
        tile_count c = r->outer;
        c.max = min_i64(c.max, r->dim[0].count);
        emit_count(x, &c);
    }
}

static void
learn_op(emit_cx *x, const tile_op *op)
{
    if (op->op == NUM_OP_NONE)
        return;
    emit_count(x, &op->parts);
    if (op->op == NUM_OP_MATMUL || op->op == NUM_OP_PREDUCE)
        emit_count(x, &op->dst_parts);
    if (op->op == NUM_OP_IOTA)
        emit_sum(x, &op->iota_base, 1, NULL);
    learn_ref(x, &op->dst);
    learn_ref(x, &op->a);
    learn_ref(x, &op->b);
    if (op->has_dst2)
        learn_ref(x, &op->dst2);
    if (op->s0.is_vec)
        learn_ref(x, &op->s0.vec);
    if (op->s1.is_vec)
        learn_ref(x, &op->s1.vec);
}

static bool
has_item(const emit_cx *x, const tile_item *it)
{
    if (!it->is_loop)
        return x->fn->ops.at[it->id].engine == x->engine;
    return x->engines[it->id] >> x->engine & 1;
}

// Depth at most TILE_LOOPS, as in emit_body.
static void
learn_body(emit_cx *x, uint32_t body)
{
    const tile_loop *l = &x->fn->loops.at[body];

    for (uint32_t i = 0; i < l->items.n; i++) {
        const tile_item *it = &l->items.at[i];
        if (!has_item(x, it))
            continue;
        if (it->is_loop) {
            emit_count(x, &x->fn->loops.at[it->id].trip);
            learn_body(x, it->id);
        } else {
            learn_op(x, &x->fn->ops.at[it->id]);
        }
    }
}

// ---- writing

// The first operation of the engine in a loop stands for its control.
static loc
loc_of_loop(const emit_cx *x, uint32_t loop)
{
    const tile_loop *l = &x->fn->loops.at[loop];

    for (uint32_t i = 0; i < l->items.n; i++)
        if (has_item(x, &l->items.at[i]))
            return l->items.at[i].is_loop ? loc_of_loop(x, l->items.at[i].id)
                                          : x->fn->ops.at[l->items.at[i].id].at;
    return (loc){0};
}

static void emit_body(emit_cx *x, uint32_t body);

static void
emit_iteration(emit_cx *x, uint32_t id)
{
    emit_enter_body(x, id);
    emit_body(x, id);
    emit_leave_body(x, id);
}

static void
emit_many(emit_cx *x, uint32_t id)
{
    const tile_loop *l = &x->fn->loops.at[id];
    isa_insn in = {.op = ISA_LOOP}, end = {.op = ISA_ENDLOOP};
    int64_t trips;
    uint32_t start;

    if (tile_count_is_const(&l->trip, &trips))
        in.count = (uint64_t)trips;
    else
        in.count_reg = emit_reg(x, emit_count(x, &l->trip));
    emit_insn(x, &in);
    start = x->out->code.n;
    emit_iteration(x, id);
    emit_insn(x, &end);
    x->out->code.at[start - 1].body = x->out->code.n - 1 - start;
}

static void
emit_loop(emit_cx *x, uint32_t id)
{
    bool is_top = x->fn->loops.at[id].depth == 1;

    x->at = loc_of_loop(x, id);
    if (is_top)
        emit_enter_top(x, id);
    if (emit_is_once(x->fn, id))
        emit_iteration(x, id);
    else
        emit_many(x, id);
    if (is_top)
        emit_leave_top(x, id);
}

static void
emit_body(emit_cx *x, uint32_t body)
{
    const tile_loop *l = &x->fn->loops.at[body];

    for (uint32_t i = 0; i < l->items.n; i++) {
        const tile_item *it = &l->items.at[i];
        isa_insn in;
        if (!has_item(x, it))
            continue;
        if (it->is_loop) {
            emit_loop(x, it->id);
            continue;
        }
        x->at = x->fn->ops.at[it->id].at;
        make_insn(x, &x->fn->ops.at[it->id], &in);
        emit_insn(x, &in);
    }
}

static bool
emit_engine(pass_ctx *cx, const uint32_t *engines, tile_engine e,
            emit_stream *out)
{
    emit_cx x = {
        .cx = cx,
        .a = cx->a,
        .fn = cx->tile,
        .engine = e,
        .engines = engines,
        .out = out,
        .value_ids = map_new(cx->a),
        .scratch = EMIT_REG_SCRATCH,
        .ok = true,
    };
    isa_insn end = {.op = ISA_END};

    x.body_values = arena_array(cx->a, x.fn->loops.n, sizeof *x.body_values);
    learn_body(&x, 0);
    emit_body(&x, 0);
    x.at = (loc){0};
    emit_insn(&x, &end);
    return x.ok;
}

// A loop that never runs holds nothing.
static bool
never_runs(const tile_loop *l)
{
    int64_t trips;

    return tile_count_is_const(&l->trip, &trips) && trips <= 0;
}

static uint32_t *
engines_in_loops(pass_ctx *cx)
{
    const tile_fn *fn = cx->tile;
    uint32_t *engines = ARENA_ARRAY(cx->a, fn->loops.n, uint32_t);

    for (uint32_t b = fn->loops.n; b-- > 0;) { // inner loops first
        const tile_loop *l = &fn->loops.at[b];
        for (uint32_t i = 0; i < l->items.n && !never_runs(l); i++)
            engines[b] |= l->items.at[i].is_loop
                              ? engines[l->items.at[i].id]
                              : 1u << fn->ops.at[l->items.at[i].id].engine;
    }
    return engines;
}

emit_program *
backend_emit(pass_ctx *cx)
{
    emit_program *p = ARENA_NEW(cx->a, emit_program);
    const uint32_t *engines = engines_in_loops(cx);
    bool ok = true;

    for (uint32_t e = ENG_TENSOR; e < ENG_COUNT; e++)
        ok &= emit_engine(cx, engines, (tile_engine)e, &p->stream[e]);
    return ok ? p : NULL;
}
