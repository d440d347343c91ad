// SPDX-License-Identifier: Apache-2.0
// The rules of the tile IR (docs/tile-ir.md), checked before anything else
// relies on them: declarations, loops, and each operation's form. Rules of one
// operand are in tile_verify_ref.c, those of addresses in tile_verify_place.c.
#include "ir/tile_int.h"

const char *
tile_op_text(const tile_op *op)
{
    return op->op == NUM_OP_NONE ? "mark" : num_op_name(op->op);
}

void
tile_fail_op(tile_verifier *v, const char *what)
{
    diag(v->d, v->op->at, D_TILE_OP, tile_op_text(v->op), what);
    v->ok = false;
}

// ---- declarations

static bool
fail_tensor(tile_verifier *v, const tir_tensor *t, const char *what)
{
    diag(v->d, t->at, D_TILE_TENSOR, t->name, what);
    v->ok = false;
    return false;
}

static void
verify_tensor(tile_verifier *v, const tir_tensor *t, map *names)
{
    int64_t elems = 1;

    if (map_get_str(names, str_of(t->name)) != NULL) {
        fail_tensor(v, t, "its name is taken");
    }
    map_put_str(names, str_of(t->name), 1);
    if (t->kind < TIR_INPUT || t->kind > TIR_INOUT || t->dtype <= DT_NONE ||
        t->dtype >= DT_COUNT || num_is_packed(t->dtype) || t->rank > TIR_RANK) {
        fail_tensor(v, t, "it has no valid kind, type or rank");
        return;
    }
    for (uint32_t d = 0; d < t->rank; d++) {
        if (t->shape[d] < 0 ||
            !mul_i64(elems, max_i64(t->shape[d], 1), &elems) ||
            elems > INT64_MAX / 16) {
            fail_tensor(v, t, "its shape is too large");
            return;
        }
    }
    if (t->kind == TIR_CONST && t->data == NULL) {
        fail_tensor(v, t, "it is constant and has no data");
    }
}

static void
fail_buf(tile_verifier *v, const tile_buf *b, const char *what)
{
    diag(v->d, b->at, D_TILE_BUF, b->name, what);
    v->ok = false;
}

static void
verify_buf(tile_verifier *v, const tile_buf *b, map *names)
{
    if (map_get_str(names, str_of(b->name)) != NULL) {
        fail_buf(v, b, "its name is taken");
    }
    map_put_str(names, str_of(b->name), 1);
    if ((b->space != SPACE_SBUF && b->space != SPACE_PSUM) ||
        b->dtype <= DT_NONE || b->dtype >= DT_COUNT ||
        num_is_packed(b->dtype)) {
        fail_buf(v, b, "it has no valid memory or type");
    }
    if (b->parts < 1 || b->parts > TILE_PARTS) {
        fail_buf(v, b, "it has not 1 to 128 partitions");
    }
    if (b->elems < 1 || b->elems > INT32_MAX || b->slots < 1 ||
        b->slots > TILE_COUNT) {
        fail_buf(v, b, "its elements or slots are not a small number");
    }
    if (b->home >= v->fn->loops.n) {
        fail_buf(v, b, "it lives in no loop");
    }
}

static void
verify_sem(tile_verifier *v, uint32_t id)
{
    const tile_sem *s = &v->fn->sems.at[id];
    bool by_engine = s->producer > ENG_NONE && s->producer < ENG_COUNT;

    if (by_engine == (s->producer_queue != 0) || s->consumer <= ENG_NONE ||
        s->consumer >= ENG_COUNT) {
        loc nowhere = {0};

        diag(v->d, nowhere, D_TILE_SEM, id,
             "it needs one producer, an engine or a queue, and one consumer");
        v->ok = false;
    }
}

static void
verify_declarations(tile_verifier *v)
{
    const tile_fn *fn = v->fn;
    map tensors = map_new(fn->a), bufs = map_new(fn->a);

    for (uint32_t t = 0; t < fn->tensors.n; t++) {
        verify_tensor(v, &fn->tensors.at[t], &tensors);
    }
    for (uint32_t b = 0; b < fn->bufs.n; b++) {
        verify_buf(v, &fn->bufs.at[b], &bufs);
    }
    for (uint32_t s = 0; s < fn->sems.n; s++) {
        verify_sem(v, s);
    }
}

// ---- loops

static bool
fail_loop(tile_verifier *v, uint32_t loop, const char *what)
{
    loc nowhere = {0};

    diag(v->d, nowhere, D_TILE_LOOP, loop, what);
    v->ok = false;
    return false;
}

static bool
verify_loop(tile_verifier *v, uint32_t id, uint32_t parent, bool *seen)
{
    const tile_fn *fn = v->fn;
    const tile_loop *l = &fn->loops.at[id];

    if (seen[id] || id == 0) {
        return fail_loop(v, id, "it is in two bodies");
    }
    seen[id] = true;
    if (l->parent != parent || l->parent >= id ||
        l->depth != fn->loops.at[parent].depth + 1 || l->depth > TILE_LOOPS) {
        return fail_loop(v, id, "its parent or depth is wrong");
    }
    return true;
}

// The tree of loops, so that everything else can walk it.
static bool
verify_tree(tile_verifier *v)
{
    const tile_fn *fn = v->fn;
    bool *seen_loop = ARENA_ARRAY(fn->a, fn->loops.n, bool);
    bool *seen_op = ARENA_ARRAY(fn->a, fn->ops.n, bool);

    if (fn->loops.n == 0 || fn->loops.at[0].depth != 0) {
        return fail_loop(v, 0, "there is no kernel body");
    }
    for (uint32_t i = 0; i < fn->loops.n; i++) {
        const tile_loop *l = &fn->loops.at[i];

        for (uint32_t k = 0; k < l->items.n; k++) {
            tile_item item = l->items.at[k];

            if (item.id >= (item.is_loop ? fn->loops.n : fn->ops.n)) {
                return fail_loop(v, i, "it holds something unknown");
            }
            if (item.is_loop && !verify_loop(v, item.id, i, seen_loop)) {
                return false;
            }
            if (!item.is_loop && seen_op[item.id]) {
                return fail_loop(v, i, "it holds an operation twice");
            }
            if (!item.is_loop) {
                seen_op[item.id] = true;
            }
        }
    }
    return true;
}

// ---- the form of operations

// Whether the operation has that operand, by the table.
static bool
takes(const tile_op *op, num_operand k)
{
    return num_op_form_of(op->op)->roles[k] != '-';
}

static bool
needs_as(num_op op)
{
    return op == NUM_OP_FILL || op == NUM_OP_ACT || op == NUM_OP_TT ||
           op == NUM_OP_TS || op == NUM_OP_STT || op == NUM_OP_TT_SCAN ||
           op == NUM_OP_REDUCE || op == NUM_OP_PREDUCE;
}

static bool
is_reduce_of(num_reduce r, num_as as)
{
    bool logical = r == NUM_R_ANY || r == NUM_R_ALL;

    return r > NUM_R_NONE && r <= NUM_R_ALL && logical == (as == NUM_AS_BOOL);
}

static bool
is_binary_of(num_binary f, num_as as)
{
    return f > NUM_B_NONE && f < NUM_B_COUNT && num_binary_takes(f, as);
}

// The functions fit the register type; op1 works on what op0 gives.
static void
verify_funcs(tile_verifier *v)
{
    const tile_op *op = v->op;
    bool three = op->op == NUM_OP_STT || op->op == NUM_OP_TT_SCAN;
    bool two = op->op == NUM_OP_TS || three;
    bool binary = two || op->op == NUM_OP_TT;
    bool reduces = op->op == NUM_OP_REDUCE || op->op == NUM_OP_PREDUCE;

    if (op->as > NUM_AS_BOOL || (needs_as(op->op) && op->as == NUM_AS_NONE)) {
        tile_fail_op(v, "it has no register type");
        return;
    }
    if (op->op == NUM_OP_ACT
            ? op->func <= NUM_U_NONE || op->func >= NUM_U_COUNT ||
                  !num_unary_takes(op->func, op->as)
            : op->func != NUM_U_NONE) {
        tile_fail_op(v, "its function does not fit its register type");
    }
    if (binary ? !is_binary_of(op->op0, op->as) : op->op0 != NUM_B_NONE) {
        tile_fail_op(v, "its first function does not fit its register type");
    } else if (op->op1 == NUM_B_NONE
                   ? three
                   : !two || !is_binary_of(op->op1, num_chain(op->as, op->op0,
                                                              op->op1))) {
        tile_fail_op(v, "its second function does not fit its register type");
    } else if (op->op == NUM_OP_TT_SCAN &&
               (num_is_compare(op->op0) || num_is_compare(op->op1))) {
        tile_fail_op(v, "a recurrence has no comparison");
    }
    if (reduces ? !is_reduce_of(op->reduce, op->as)
                : op->reduce != NUM_R_NONE) {
        tile_fail_op(v, "its reduction does not fit its register type");
    }
}

static void
verify_engine(tile_verifier *v)
{
    const tile_op *op = v->op;
    bool moves = tile_is_transfer(op->op) || op->op == NUM_OP_NONE;
    bool multiplies = op->op == NUM_OP_LDW || op->op == NUM_OP_MATMUL;

    if (op->engine <= ENG_NONE || op->engine >= ENG_COUNT) {
        tile_fail_op(v, "it runs on no engine");
    } else if (!moves && multiplies != (op->engine == ENG_TENSOR)) {
        tile_fail_op(v, "the tensor engine runs ldw and matmul, no other does");
    } else if (!moves && op->engine == ENG_SYNC) {
        tile_fail_op(v, "the sync engine does no arithmetic");
    }
    if (op->queue > 16 || (tile_is_transfer(op->op) && op->queue == 0) ||
        (!moves && op->queue != 0)) {
        tile_fail_op(v, "transfers have a queue 1 to 16, nothing else has");
    }
}

// ---- its operands

static bool
in_psum(const tile_fn *fn, const tile_ref *r)
{
    return r->id != TILE_ABSENT && !r->hbm &&
           fn->bufs.at[r->id].space == SPACE_PSUM;
}

static num_dtype
ref_dtype(const tile_fn *fn, const tile_ref *r)
{
    return r->hbm ? fn->tensors.at[r->id].dtype : fn->bufs.at[r->id].dtype;
}

static void
verify_spaces(tile_verifier *v)
{
    const tile_op *op = v->op;
    const tile_fn *fn = v->fn;
    bool reads_psum = in_psum(fn, &op->a) || in_psum(fn, &op->b) ||
                      (op->s0.is_vec && in_psum(fn, &op->s0.vec)) ||
                      (op->s1.is_vec && in_psum(fn, &op->s1.vec));
    bool psum = reads_psum || in_psum(fn, &op->dst);

    if (tile_is_transfer(op->op) && psum) {
        tile_fail_op(v, "dma does not reach PSUM");
    }
    if (op->engine == ENG_GPSIMD && psum) {
        tile_fail_op(v, "the gpsimd engine does not reach PSUM");
    }
    if (op->engine == ENG_TENSOR && reads_psum) {
        tile_fail_op(v, "the tensor engine reads SBUF");
    }
    if (op->op == NUM_OP_MATMUL && !in_psum(fn, &op->dst)) {
        tile_fail_op(v, "matmul writes PSUM");
    }
}

static bool
verify_absent(tile_verifier *v, const tile_ref *r, const char *what)
{
    if (r->id != TILE_ABSENT) {
        tile_fail_op(v, what);
        return false;
    }
    return true;
}

static bool
verify_scalar(tile_verifier *v, const char *name, const tile_scalar *s,
              bool used)
{
    tile_count size;
    int64_t n;

    if (!s->is_vec) {
        return true;
    }
    if (!used) {
        tile_fail_op(v, "it has a vector too many");
        return false;
    }
    if (!tile_verify_ref(v, name, &s->vec, &v->op->parts)) {
        return false;
    }
    if (!tile_ref_size(&s->vec, s->vec.ndim, &size) ||
        !tile_count_is_const(&size, &n) || n != 1) {
        tile_fail_op(v, "a vector has one element a partition");
        return false;
    }
    return true;
}

static bool
has_dst_parts(const tile_op *op)
{
    return op->op == NUM_OP_MATMUL || op->op == NUM_OP_PREDUCE;
}

static bool
verify_parts(tile_verifier *v)
{
    const tile_op *op = v->op;

    if (!tile_count_is_valid(v->fn, &op->parts, v->body, TILE_PARTS, false) ||
        (has_dst_parts(op) &&
         !tile_count_is_valid(v->fn, &op->dst_parts, v->body, TILE_PARTS,
                              false))) {
        tile_fail_op(v, "its partitions are not a count up to 128");
        return false;
    }
    return true;
}

static const tile_count *
dst_parts(const tile_op *op)
{
    return has_dst_parts(op) ? &op->dst_parts : &op->parts;
}

static bool
verify_operands(tile_verifier *v)
{
    const tile_op *op = v->op;
    bool ok = true;

    ok = (op->op == NUM_OP_LDW
              ? verify_absent(v, &op->dst, "it has no destination")
              : tile_verify_ref(v, "dst", &op->dst, dst_parts(op))) &&
         ok;
    ok = (takes(op, NUM_A)
              ? tile_verify_ref(v, "a", &op->a, &op->parts)
              : verify_absent(v, &op->a, "it has a source too many")) &&
         ok;
    ok = (takes(op, NUM_B)
              ? tile_verify_ref(v, "b", &op->b, &op->parts)
              : verify_absent(v, &op->b, "it has a source too many")) &&
         ok;
    if (op->has_dst2 && op->op != NUM_OP_SORT) {
        tile_fail_op(v, "it has a destination too many");
        ok = false;
    } else if (op->has_dst2) {
        ok = tile_verify_ref(v, "dst2", &op->dst2, &op->parts) && ok;
    }
    ok = verify_scalar(v, "s0", &op->s0, takes(op, NUM_S0)) && ok;
    return verify_scalar(v, "s1", &op->s1,
                         op->op == NUM_OP_ACT || op->op1 != NUM_B_NONE) &&
           ok;
}

static void
verify_alias(tile_verifier *v)
{
    const tile_op *op = v->op;
    const struct {
        const char *name;
        const tile_ref *ref;
    } src[] = {
        {"a", &op->a}, {"b", &op->b}, {"s0", &op->s0.vec}, {"s1", &op->s1.vec}};

    for (size_t i = 0; i < ARRAY_LEN(src); i++) {
        if (op->dst.id != TILE_ABSENT && src[i].ref->id != TILE_ABSENT &&
            !tile_ref_apart(v->fn, &op->dst, dst_parts(op), src[i].ref,
                            &op->parts)) {
            diag(v->d, op->at, D_TILE_ALIAS, tile_op_text(op), src[i].name);
            v->ok = false;
        }
    }
}

// dst has as many elements a partition as the outermost dimensions of r.
static void
verify_same_size(tile_verifier *v, const char *name, const tile_ref *r,
                 uint32_t ndim)
{
    tile_count x, y;

    if (!tile_ref_size(&v->op->dst, v->op->dst.ndim, &x) ||
        !tile_ref_size(r, ndim, &y) || !tile_count_same(&x, &y)) {
        diag(v->d, v->op->at, D_TILE_SIZES, tile_op_text(v->op), name);
        v->ok = false;
    }
}

// x * y, of which at most one is ragged.
static bool
count_product(const tile_count *x, const tile_count *y, tile_count *out)
{
    int64_t n;
    tile_aff zero = {0};

    if (tile_count_is_const(x, &n)) {
        *out = *y;
    } else if (tile_count_is_const(y, &n)) {
        *out = *x;
    } else {
        return false;
    }
    return mul_i64(out->max, n, &out->max) &&
           tile_aff_madd(&zero, &out->rem, n, &out->rem);
}

// The operand on chip has a block for each element of the index.
static void
verify_blocks(tile_verifier *v)
{
    const tile_op *op = v->op;
    const tile_ref *block = tile_indexed(op);
    const tile_ref *chip = block == &op->dst ? &op->a : &op->dst;
    tile_count x, y, product, size;
    num_dtype t;

    if (!block->hbm || chip->hbm || op->b.hbm) {
        tile_fail_op(v, "an index in SBUF chooses blocks of a tensor");
        return;
    }
    t = v->fn->bufs.at[op->b.id].dtype;
    if (t != DT_I32 && t != DT_U32) {
        tile_fail_op(v, "its index is of i32 or u32");
    }
    if (chip->id == op->b.id && chip == &op->dst) {
        tile_fail_op(v, "it overwrites the buffer of its index");
    }
    if (!tile_ref_size(block, block->ndim, &x) ||
        !tile_ref_size(&op->b, op->b.ndim, &y) ||
        !count_product(&x, &y, &product) ||
        !tile_ref_size(chip, chip->ndim, &size) ||
        !tile_count_same(&product, &size)) {
        tile_fail_op(v, "it has not a block for each element of its index");
    }
}

// All of a row, and the first so many of it.
static void
verify_sort(tile_verifier *v)
{
    const tile_op *op = v->op;
    tile_count n = tile_count_const(0), x = n, y = n;
    int64_t all = 0, values = 0, places = 0;
    bool ok = tile_ref_size(&op->a, op->a.ndim, &n) &&
              tile_ref_size(&op->dst, op->dst.ndim, &x) &&
              tile_count_is_const(&n, &all) && tile_count_is_const(&x, &values);

    if (op->has_dst2) {
        ok = ok && tile_ref_size(&op->dst2, op->dst2.ndim, &y) &&
             tile_count_is_const(&y, &places);
    }
    if (!ok || all > NUM_SORT_MAX || values > all || places > all) {
        tile_fail_op(v, "it gives at most the elements it sorts, up to 65536");
    }
    if (ref_dtype(v->fn, &op->dst) != ref_dtype(v->fn, &op->a)) {
        tile_fail_op(v, "it moves elements of one type");
    }
    if (op->has_dst2 && ref_dtype(v->fn, &op->dst2) != DT_I32) {
        tile_fail_op(v, "its positions are i32");
    }
    if (op->has_dst2 &&
        (op->dst2.id == op->a.id || op->dst2.id == op->dst.id)) {
        tile_fail_op(v, "its positions have a buffer of their own");
    }
    if (op->engine != ENG_GPSIMD) {
        tile_fail_op(v, "the gpsimd engine sorts");
    }
}

static void
verify_sizes(tile_verifier *v)
{
    const tile_op *op = v->op;
    uint32_t ndim = op->a.ndim;

    if (op->op == NUM_OP_LDW || !takes(op, NUM_A)) {
        return;
    }
    if (tile_indexed(op) != NULL) {
        verify_blocks(v);
        return;
    }
    if (op->op == NUM_OP_SORT) {
        verify_sort(v);
        return;
    }
    if (op->op == NUM_OP_REDUCE) {
        if (op->reduce_dims < 1 || op->reduce_dims > ndim) {
            tile_fail_op(v, "it reduces dimensions that are not there");
            return;
        }
        ndim -= op->reduce_dims;
    }
    verify_same_size(v, "a", &op->a, ndim);
    if (takes(op, NUM_B)) {
        verify_same_size(v, "b", &op->b, op->b.ndim);
    }
}

static bool
fits(const tile_ref *r, int64_t max)
{
    tile_count n;

    return tile_ref_size(r, r->ndim, &n) && tile_count_max(&n) <= max;
}

// What single operations ask for beyond the table.
static void
verify_special(tile_verifier *v)
{
    const tile_op *op = v->op;
    const tile_fn *fn = v->fn;

    if (op->op == NUM_OP_SELECT &&
        ref_dtype(fn, &op->a) != ref_dtype(fn, &op->dst)) {
        tile_fail_op(v, "it moves elements of one type");
    }
    if ((op->op == NUM_OP_LDW || op->op == NUM_OP_MATMUL) &&
        (!num_is_float(ref_dtype(fn, &op->a)) ||
         (op->op == NUM_OP_MATMUL && !num_is_float(ref_dtype(fn, &op->dst))))) {
        tile_fail_op(v, "the tensor engine multiplies floats");
    }
    if (op->op == NUM_OP_LDW && !fits(&op->a, TILE_PARTS)) {
        tile_fail_op(v, "it loads more than 128 columns");
    }
    if (op->op == NUM_OP_MATMUL && !fits(&op->a, TILE_MOVING)) {
        tile_fail_op(v, "it streams more than 512 columns");
    }
    if (op->op == NUM_OP_PREDUCE && tile_count_max(&op->dst_parts) > 1) {
        tile_fail_op(v, "it gives one partition");
    }
    if (op->op == NUM_OP_IOTA &&
        !tile_aff_is_valid(fn, &op->iota_base, v->body)) {
        tile_fail_op(v, "its base is not one of the loops around it");
    }
}

static void
verify_accumulate(tile_verifier *v)
{
    const tile_op *op = v->op;

    bool combines = op->op == NUM_OP_DMA || op->op == NUM_OP_DMA_SCATTER;

    if ((op->accumulate && op->op != NUM_OP_MATMUL) ||
        (op->nfirst != 0 && op->op != NUM_OP_MATMUL) ||
        op->combine >= NUM_C_COUNT ||
        (op->combine != NUM_C_WRITE && !combines)) {
        tile_fail_op(v, "it does not accumulate");
    }
    if (op->skip && tile_indexed(op) == NULL) {
        tile_fail_op(v, "it has no index to skip");
    }
    if (op->nfirst > TILE_LOOPS || (op->nfirst != 0 && op->accumulate)) {
        tile_fail_op(v, "it accumulates always or except first, not both");
        return;
    }
    for (uint32_t i = 0; i < op->nfirst; i++) {
        if (!tile_loop_around(v->fn, op->first[i], v->body)) {
            tile_fail_op(v, "its first iteration is of no loop around it");
        }
    }
}

static void
verify_tokens(tile_verifier *v)
{
    const tile_op *op = v->op;
    const tile_fn *fn = v->fn;

    if (op->nwait > TILE_WAITS || op->npost > TILE_POSTS) {
        tile_fail_op(v, "it waits or posts too often");
        return;
    }
    for (uint32_t i = 0; i < op->nwait; i++) {
        tile_token t = op->wait[i];

        if (t.sem >= fn->sems.n || t.count == 0 ||
            fn->sems.at[t.sem].consumer != op->engine) {
            tile_fail_op(v, "it waits for a semaphore that is not its own");
        }
    }
    for (uint32_t i = 0; i < op->npost; i++) {
        tile_token t = op->post[i];

        if (t.sem >= fn->sems.n || t.count == 0 ||
            (op->queue != 0 ? fn->sems.at[t.sem].producer_queue != op->queue
                            : fn->sems.at[t.sem].producer != op->engine)) {
            tile_fail_op(v, "it posts a semaphore that is not its own");
        }
    }
}

static void
verify_op(tile_verifier *v)
{
    const tile_op *op = v->op;

    if (op->op >= NUM_OP_COUNT ||
        (op->op != NUM_OP_NONE && !num_op_is(op->op, 't'))) {
        tile_fail_op(v, "it is unknown");
        return;
    }
    verify_engine(v);
    verify_tokens(v);
    if (op->op == NUM_OP_NONE) {
        return;
    }
    verify_funcs(v);
    verify_accumulate(v);
    if (!verify_parts(v) || !verify_operands(v)) {
        return;
    }
    verify_spaces(v);
    verify_sizes(v);
    verify_special(v);
    verify_alias(v);
}

// Recursion is as deep as loops nest.
static void
verify_body(tile_verifier *v, uint32_t id, bool dead)
{
    const tile_loop *l = &v->fn->loops.at[id];

    for (uint32_t i = 0; i < l->items.n; i++) {
        tile_item item = l->items.at[i];

        if (item.is_loop) {
            const tile_count *trip = &v->fn->loops.at[item.id].trip;

            if (!tile_count_is_valid(v->fn, trip, id, TILE_NUMBER_MAX, true)) {
                fail_loop(v, item.id,
                          "its trip count is not one of the "
                          "loops around it");
                continue;
            }
            verify_body(v, item.id, dead || tile_count_max(trip) == 0);
        } else {
            v->body = id;
            v->dead = dead;
            v->op = &v->fn->ops.at[item.id];
            verify_op(v);
        }
    }
}

bool
tile_verify(const tile_fn *fn, diags *d)
{
    tile_verifier v = {0};

    v.fn = fn;
    v.d = d;
    v.ok = true;
    if (verify_tree(&v)) {
        verify_declarations(&v);
        if (v.ok) {
            verify_body(&v, 0, false);
        }
    }
    return v.ok;
}
