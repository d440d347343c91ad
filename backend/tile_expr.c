// SPDX-License-Identifier: Apache-2.0
// Expressions over one tile: each node of an operation's DAG becomes a value,
// computed over just the free dimensions it varies over, on the engine that
// suits it. Any body can be lowered this way.
#include "backend/tile_int.h"

typedef struct {
    lower *lw;
    const tile_domain *dom;
    const tir_op *op;
    tile_val *val;  // by node
    uint32_t *uses; // by node, how many are still to come
} expr;

// What the vector engine computes. The general engine does everything else;
// the scalar engine takes the f32 functions that are not here.
static const bool vector_unary[NUM_U_COUNT] = {
    [NUM_COPY] = true,     [NUM_NEG] = true,      [NUM_ABS] = true,
    [NUM_SIGN] = true,     [NUM_FLOOR] = true,    [NUM_CEIL] = true,
    [NUM_ROUND] = true,    [NUM_TRUNC] = true,    [NUM_RELU] = true,
    [NUM_RECIP] = true,    [NUM_SQUARE] = true,   [NUM_ISNAN] = true,
    [NUM_ISINF] = true,    [NUM_ISFINITE] = true, [NUM_BINADE] = true,
    [NUM_F32_BITS] = true,
};

// Functions of integers and bools that the vector engine has.
static const bool vector_bits[NUM_B_COUNT] = {
    [NUM_AND] = true, [NUM_OR] = true,   [NUM_XOR] = true,  [NUM_SHL] = true,
    [NUM_SHR] = true, [NUM_EQ] = true,   [NUM_NE] = true,   [NUM_LT] = true,
    [NUM_LE] = true,  [NUM_GT] = true,   [NUM_GE] = true,   [NUM_LAND] = true,
    [NUM_LOR] = true, [NUM_LXOR] = true, [NUM_LSHR] = true,
};

// Functions of floats that are long programs.
static const bool general_float[NUM_B_COUNT] = {
    [NUM_MOD] = true,
    [NUM_POW] = true,
    [NUM_ATAN2] = true,
    [NUM_HYPOT] = true,
};

tile_engine
engine_binary(num_binary f, num_as as)
{
    bool vector = as == NUM_AS_F32 ? !general_float[f] : vector_bits[f];
    return vector ? ENG_VECTOR : ENG_GPSIMD;
}

static tile_engine
engine_unary(num_unary f, num_as as)
{
    if (as != NUM_AS_F32)
        return f == NUM_NOT || f == NUM_BITS_F32 ? ENG_VECTOR : ENG_GPSIMD;
    return vector_unary[f] ? ENG_VECTOR : ENG_SCALAR;
}

void
emit_fill(lower *lw, const tile_domain *dom, const tile_val *dst, num_word imm)
{
    tile_op *o = lower_op(lw, dom, NUM_OP_FILL, ENG_VECTOR);
    o->as = dst->as;
    o->s0.imm = imm;
    o->dst = val_ref(dom, dst, dst->mask);
    // A constant is the same on every partition, ragged or not.
    o->parts = o->dst_parts = tile_count_const(dom->parts.max);
}

tile_val
val_copy(lower *lw, const tile_domain *dom, const tile_val *v, dim_mask over,
         num_dtype dtype)
{
    tile_val r = val_new(lw, dom, over, num_widened(dtype), dtype, 2, "copy");
    if (v->kind == VAL_IMM) {
        // In its own type: the store rounds, and the error analysis sees it.
        tile_val to = r;
        to.as = v->as;
        emit_fill(lw, dom, &to, v->imm);
        return r;
    }
    tile_op *o = lower_op(lw, dom, NUM_OP_COPY, ENG_VECTOR);
    o->dst = val_ref(dom, &r, over);
    o->a = val_ref(dom, v, over);
    return r;
}

// An immediate as a buffer of one element a partition.
static tile_val
materialise(lower *lw, const tile_domain *dom, const tile_val *v)
{
    return v->kind == VAL_IMM ? val_copy(lw, dom, v, 0, dtype_of_as(v->as))
                              : *v;
}

static tile_val
out_of_psum(lower *lw, const tile_domain *dom, const tile_val *v)
{
    return val_in_psum(lw, v) ? val_copy(lw, dom, v, v->mask, DT_F32) : *v;
}

// dst = a op0 s, where s is an immediate or one element a partition.
static void
emit_scalar_binary(lower *lw, const tile_domain *dom, num_binary f,
                   const tile_val *dst, const tile_val *a, const tile_val *s,
                   bool rev)
{
    tile_op *o = lower_op(lw, dom, NUM_OP_TS, engine_binary(f, a->as));
    o->as = a->as;
    o->op0 = f;
    o->rev0 = rev;
    o->dst = val_ref(dom, dst, dst->mask);
    o->a = val_ref(dom, a, dst->mask);
    o->s0.is_vec = s->kind == VAL_REF;
    if (o->s0.is_vec)
        o->s0.vec = val_ref(dom, s, 0);
    else
        o->s0.imm = s->imm;
}

static bool
fits_scalar(const lower *lw, const tile_val *v, dim_mask over)
{
    if (v->kind == VAL_IMM)
        return true;
    return over && !v->mask && v->as == NUM_AS_F32 && !val_in_psum(lw, v);
}

void
emit_binary(lower *lw, const tile_domain *dom, num_binary f, tile_val dst,
            tile_val a, tile_val b)
{
    if (engine_binary(f, a.as) == ENG_GPSIMD) {
        a = out_of_psum(lw, dom, &a);
        b = out_of_psum(lw, dom, &b);
    }
    if (a.kind == VAL_IMM && b.kind == VAL_IMM)
        a = materialise(lw, dom, &a);
    if (fits_scalar(lw, &b, dst.mask) && a.kind == VAL_REF) {
        emit_scalar_binary(lw, dom, f, &dst, &a, &b, false);
        return;
    }
    if (fits_scalar(lw, &a, dst.mask)) {
        emit_scalar_binary(lw, dom, f, &dst, &b, &a, true);
        return;
    }
    if (val_in_psum(lw, &a) && val_in_psum(lw, &b))
        b = out_of_psum(lw, dom, &b);
    tile_op *o = lower_op(lw, dom, NUM_OP_TT, engine_binary(f, a.as));
    o->as = a.as;
    o->op0 = f;
    o->dst = val_ref(dom, &dst, dst.mask);
    o->a = val_ref(dom, &a, dst.mask);
    o->b = val_ref(dom, &b, dst.mask);
}

// Where a node's result goes: over an argument that dies here and has its
// shape and type, else a fresh buffer.
static tile_val
result(expr *x, num_as as, num_dtype dtype, dim_mask mask, const uint32_t *args,
       uint32_t nargs)
{
    for (uint32_t i = 0; i < nargs; i++) {
        const tir_node *n = &x->op->nodes.at[args[i]];
        const tile_val *v = &x->val[args[i]];
        if (n->kind == TIR_N_READ || v->kind != VAL_REF ||
            x->uses[args[i]] != 1 || v->mask != mask ||
            val_dtype(x->lw, v) != dtype || val_in_psum(x->lw, v) ||
            x->lw->out->bufs.at[v->buf].home != x->lw->body)
            continue;
        tile_val r = *v;
        r.as = as;
        return r;
    }
    return val_new(x->lw, x->dom, mask, as, dtype, 2, "t");
}

static tile_val
lower_unary(expr *x, const tir_node *n, num_dtype dtype)
{
    tile_val a = x->val[n->arg[0]];
    tile_engine e = engine_unary(n->func1, a.as);
    a = materialise(x->lw, x->dom, &a);
    if (e == ENG_GPSIMD)
        a = out_of_psum(x->lw, x->dom, &a);
    tile_val r = result(x, n->as, dtype, a.mask, n->arg, 1);
    tile_op *o = lower_op(x->lw, x->dom, NUM_OP_ACT, e);
    o->as = a.as;
    o->func = n->func1;
    if (a.as != NUM_AS_F32) // scale and bias are for f32
        o->s0.imm = o->s1.imm = 0;
    o->dst = val_ref(x->dom, &r, r.mask);
    o->a = val_ref(x->dom, &a, r.mask);
    return r;
}

static tile_val
lower_binary(expr *x, const tir_node *n, num_dtype dtype)
{
    tile_val a = x->val[n->arg[0]], b = x->val[n->arg[1]];
    dim_mask mask =
        (a.kind == VAL_REF ? a.mask : 0) | (b.kind == VAL_REF ? b.mask : 0);
    tile_val r = result(x, n->as, dtype, mask, n->arg, 2);
    emit_binary(x->lw, x->dom, n->func2, r, a, b);
    return r;
}

// r = else-value; r = condition ? then-value : r.
static tile_val
lower_select(expr *x, const tir_node *n)
{
    lower *lw = x->lw;
    num_dtype dtype = dtype_of_as(n->as);
    tile_val c = materialise(lw, x->dom, &x->val[n->arg[0]]);
    tile_val t = materialise(lw, x->dom, &x->val[n->arg[1]]);
    if (val_dtype(lw, &t) != dtype)
        t = val_copy(lw, x->dom, &t, t.mask, dtype);
    const tile_val *e = &x->val[n->arg[2]];
    dim_mask mask = c.mask | t.mask | (e->kind == VAL_REF ? e->mask : 0);
    tile_val r = val_copy(lw, x->dom, e, mask, dtype);
    tile_op *o = lower_op(lw, x->dom, NUM_OP_SELECT, ENG_VECTOR);
    o->dst = val_ref(x->dom, &r, mask);
    o->a = val_ref(x->dom, &t, mask);
    o->b = val_ref(x->dom, &c, mask);
    return r;
}

tile_val
emit_affine(lower *lw, const tile_domain *dom, const tile_aff *base,
            const tir_aff *steps)
{
    int64_t part = dom->part == DOM_NONE ? 0 : steps->k[dom->part];
    dim_mask mask = 0;
    for (uint32_t d = 0; d < dom->nfree; d++)
        if (steps->k[dom->free[d].index])
            mask |= 1u << d;
    if (!mask && !part && !base->n)
        return (tile_val){.kind = VAL_IMM,
                          .as = NUM_AS_I32,
                          .imm = (num_word)(uint64_t)base->c};
    tile_val r = val_new(lw, dom, mask, NUM_AS_I32, DT_I32, 2, "iota");
    tile_op *o = lower_op(lw, dom, NUM_OP_IOTA, ENG_GPSIMD);
    o->dst = val_ref(dom, &r, mask);
    o->iota_base = *base;
    o->iota_part = part;
    uint32_t k = 0;
    for (uint32_t d = 0; d < dom->nfree; d++)
        if (mask >> d & 1u)
            o->iota_step[k++] = steps->k[dom->free[d].index];
    return r;
}

static tile_val
lower_affine(expr *x, const tir_node *n)
{
    tile_aff base = aff_over(x->dom, &n->aff);
    return emit_affine(x->lw, x->dom, &base, &n->aff);
}

// A tensor of the nest: its row's dimensions are the domain's, the others any
// affine function of the free indices.
static tile_val
lower_local(expr *x, const tir_read *rd)
{
    const lower *lw = x->lw;
    const tile_local *l = &lw->local[rd->tensor];
    const tir_tensor *t = &lw->in->tensors.at[rd->tensor];
    tile_val v = {.kind = VAL_REF,
                  .as = num_widened(t->dtype),
                  .buf = l->buf,
                  .off = l->off};
    for (uint32_t d = 0; d < t->rank; d++) {
        v.off.c += l->dim_step[d] * rd->sub[d].c;
        for (uint32_t f = 0; f < x->dom->nfree; f++)
            v.step[f] += l->dim_step[d] * rd->sub[d].k[x->dom->free[f].index];
    }
    for (uint32_t f = 0; f < x->dom->nfree; f++)
        if (v.step[f])
            v.mask |= 1u << f;
    return v;
}

static tile_val
lower_read(expr *x, const tir_read *rd)
{
    tile_val dyn[TIR_RANK] = {0};
    if (x->lw->local[rd->tensor].present)
        return lower_local(x, rd);
    if (!read_needs_index(x->lw, x->op, rd))
        return val_load(x->lw, x->dom, rd->tensor, rd->sub, DT_NONE);
    for (uint32_t d = 0; d < x->lw->in->tensors.at[rd->tensor].rank; d++)
        if (rd->dyn[d])
            dyn[d] = x->val[rd->dyn[d]];
    return val_gather(x->lw, x->dom, x->op, rd, dyn);
}

static tile_val
lower_node(expr *x, uint32_t i, num_dtype want)
{
    const tir_node *n = &x->op->nodes.at[i];
    num_dtype dtype = want == DT_NONE ? dtype_of_as(n->as) : want;
    switch (n->kind) {
    case TIR_N_CONST:
        return (tile_val){.kind = VAL_IMM, .as = n->as, .imm = n->imm};
    case TIR_N_AFFINE: return lower_affine(x, n);
    case TIR_N_GATHER:
    case TIR_N_READ: return lower_read(x, &x->op->reads.at[n->read]);
    case TIR_N_UNARY: return lower_unary(x, n, dtype);
    case TIR_N_BINARY: return lower_binary(x, n, dtype);
    case TIR_N_SELECT: return lower_select(x, n);
    case TIR_N_CAST: {
        const tile_val *v = &x->val[n->arg[0]];
        tile_val r =
            val_copy(x->lw, x->dom, v, v->kind == VAL_REF ? v->mask : 0, n->to);
        return r;
    }
    case TIR_N_NONE: break;
    }
    SY_CHECK(false, "node %u of kind %d", i, (int)n->kind);
    return (tile_val){0};
}

// Adds 'by' to the uses of what a node needs.
static void
count_args(const tir_op *op, const tir_node *n, uint32_t *uses, uint32_t by)
{
    for (uint32_t k = 0; k < 3; k++)
        if (n->arg[k])
            uses[n->arg[k]] += by;
    if (n->kind != TIR_N_GATHER)
        return;
    for (uint32_t d = 0; d < TIR_RANK; d++)
        if (op->reads.at[n->read].dyn[d])
            uses[op->reads.at[n->read].dyn[d]] += by;
}

static expr
expr_new(lower *lw, const tile_domain *dom, const tir_op *op,
         const uint32_t *nodes, uint32_t n)
{
    expr x = {.lw = lw, .dom = dom, .op = op};
    x.val = ARENA_ARRAY(lw->a, op->nodes.n, tile_val);
    x.uses = ARENA_ARRAY(lw->a, op->nodes.n, uint32_t);
    for (uint32_t i = 0; i < n; i++)
        x.uses[nodes[i]]++;
    for (uint32_t i = op->nodes.n; i-- > 1;)
        if (x.uses[i])
            count_args(op, &op->nodes.at[i], x.uses, 1);
    return x;
}

// 'root' gives 'dtype' itself where its instruction can round.
static void
expr_run(expr *x, uint32_t root, num_dtype dtype)
{
    for (uint32_t i = 1; i < x->op->nodes.n; i++) {
        if (!x->uses[i])
            continue;
        x->val[i] = lower_node(x, i, i == root ? dtype : DT_NONE);
        count_args(x->op, &x->op->nodes.at[i], x->uses, UINT32_MAX);
    }
}

// Whether the root's instruction can round to the stored type itself.
static bool
rounds_itself(const tir_node *n)
{
    return n->kind == TIR_N_UNARY || n->kind == TIR_N_BINARY;
}

tile_val
expr_root(lower *lw, const tile_domain *dom, const tir_op *op, num_dtype dtype)
{
    expr x = expr_new(lw, dom, op, &op->root, 1);
    expr_run(&x, op->root,
             rounds_itself(&op->nodes.at[op->root]) ? dtype : DT_NONE);
    tile_val v = x.val[op->root];
    if (dtype == DT_NONE)
        return v;
    if (v.kind == VAL_IMM || val_dtype(lw, &v) != dtype || val_in_psum(lw, &v))
        return val_copy(lw, dom, &v, v.kind == VAL_REF ? v.mask : 0, dtype);
    return v;
}

void
expr_nodes(lower *lw, const tile_domain *dom, const tir_op *op,
           const uint32_t *nodes, uint32_t n, tile_val *out)
{
    expr x = expr_new(lw, dom, op, nodes, n);
    expr_run(&x, 0, DT_NONE);
    for (uint32_t i = 0; i < n; i++)
        out[i] = x.val[nodes[i]];
}
