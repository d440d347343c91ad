// SPDX-License-Identifier: Apache-2.0
// Building tile IR, and arithmetic on its affine offsets and counts.
// Invariant of every tile_aff made here: terms are sorted by loop id and no
// coefficient is 0, so equal functions are equal structs.
#include "ir/tile_int.h"

__extension__ typedef __int128 i128;

static const char *const engine_names[ENG_COUNT] = {
    "none", "tensor", "vector", "scalar", "gpsimd", "sync",
};

const char *
tile_engine_name(tile_engine e)
{
    return e < ENG_COUNT ? engine_names[e] : "?";
}

bool
tile_is_transfer(num_op op)
{
    return op == NUM_OP_DMA || op == NUM_OP_DMA_GATHER ||
           op == NUM_OP_DMA_SCATTER;
}

const tile_ref *
tile_indexed(const tile_op *op)
{
    if (op->op == NUM_OP_DMA_SCATTER) {
        return &op->dst;
    }
    return op->op == NUM_OP_DMA_GATHER ? &op->a : NULL;
}

tile_fn *
tile_fn_new(arena *a, const char *name, const char *target)
{
    tile_fn *fn = ARENA_NEW(a, tile_fn);
    tile_loop *body;

    fn->a = a;
    fn->name = name;
    fn->target = target;
    body = vec_add(a, &fn->loops);
    body->trip = tile_count_const(1);
    return fn;
}

static bool
is_ident_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

static bool
has_buf(const tile_fn *fn, const char *name)
{
    for (uint32_t i = 0; i < fn->bufs.n; i++) {
        if (str_eq(str_of(fn->bufs.at[i].name), str_of(name))) {
            return true;
        }
    }
    return false;
}

// The number keeps names of one hint apart; names read from a text may still
// be in the way.
static const char *
fresh_name(tile_fn *fn, const char *hint)
{
    uint32_t number = fn->bufs.n;
    char *name = arena_printf(fn->a, "%s_%u", hint, number);

    for (char *p = name; *p != 0; p++) {
        if (!is_ident_char(*p)) {
            *p = '_';
        }
    }
    if (name[0] >= '0' && name[0] <= '9') {
        name[0] = '_';
    }
    while (has_buf(fn, name)) {
        name = arena_printf(fn->a, "%s_%u", name, ++number);
    }
    return name;
}

uint32_t
tile_add_buf(tile_fn *fn, uint32_t home, const char *hint, tile_space space,
             num_dtype dtype, uint32_t parts, int64_t elems, uint32_t slots)
{
    const char *name = fresh_name(fn, hint);
    tile_buf *b = vec_add(fn->a, &fn->bufs);

    SY_CHECK(home < fn->loops.n, "buffer '%s' at loop %u of %u", name, home,
             fn->loops.n);
    b->name = name;
    b->space = space;
    b->dtype = dtype;
    b->parts = parts;
    b->elems = elems;
    b->slots = slots;
    b->home = home;
    b->addr = -1;
    return fn->bufs.n - 1;
}

uint32_t
tile_add_loop(tile_fn *fn, uint32_t parent, tile_count trip)
{
    uint32_t id = fn->loops.n;
    tile_loop *l = vec_add(fn->a, &fn->loops);
    tile_item item = {true, id};

    SY_CHECK(parent < id, "loop %u below loop %u", id, parent);
    l->parent = parent;
    l->depth = fn->loops.at[parent].depth + 1;
    l->trip = trip;
    SY_CHECK(l->depth <= TILE_LOOPS, "loops nest deeper than %d", TILE_LOOPS);
    vec_push(fn->a, &fn->loops.at[parent].items, item);
    return id;
}

tile_op *
tile_add_op(tile_fn *fn, uint32_t body, num_op op, tile_engine engine)
{
    tile_item item = {false, fn->ops.n};
    tile_op *o = vec_add(fn->a, &fn->ops);

    SY_CHECK(body < fn->loops.n, "operation in loop %u of %u", body,
             fn->loops.n);
    o->op = op;
    o->engine = engine;
    o->dst.id = o->a.id = o->b.id = TILE_ABSENT;
    o->s0.vec.id = o->s1.vec.id = TILE_ABSENT;
    if (op == NUM_OP_ACT) { // func(a), until the caller says otherwise
        o->s0.imm = num_word_f32(1.0f);
        o->s1.imm = num_word_f32(-0.0f);
    }
    vec_push(fn->a, &fn->loops.at[body].items, item);
    return o;
}

// ---- affine functions

tile_aff
tile_aff_const(int64_t c)
{
    tile_aff a = {0};

    a.c = c;
    return a;
}

tile_aff
tile_aff_loop(uint32_t loop, int64_t k)
{
    tile_aff a = {0};

    SY_CHECK(loop != 0, "the kernel body has no counter");
    if (k != 0) {
        a.n = 1;
        a.t[0].loop = loop;
        a.t[0].k = k;
    }
    return a;
}

bool
tile_aff_madd(const tile_aff *a, const tile_aff *b, int64_t k, tile_aff *out)
{
    tile_aff r = {0};
    uint32_t i = 0, j = 0;

    if (!mul_i64(b->c, k, &r.c) || !add_i64(a->c, r.c, &r.c)) {
        return false;
    }
    while (i < a->n || j < b->n) {
        bool from_a = j >= b->n || (i < a->n && a->t[i].loop <= b->t[j].loop);
        bool from_b = i >= a->n || (j < b->n && b->t[j].loop <= a->t[i].loop);
        uint32_t loop = from_a ? a->t[i].loop : b->t[j].loop;
        int64_t sum = 0;

        if (from_b && !mul_i64(b->t[j++].k, k, &sum)) {
            return false;
        }
        if (from_a && !add_i64(a->t[i++].k, sum, &sum)) {
            return false;
        }
        if (sum == 0) {
            continue;
        }
        if (r.n == TILE_LOOPS) {
            return false;
        }
        r.t[r.n].loop = loop;
        r.t[r.n++].k = sum;
    }
    *out = r;
    return true;
}

tile_aff
tile_aff_add(tile_aff a, tile_aff b)
{
    tile_aff r;

    SY_CHECK(tile_aff_madd(&a, &b, 1, &r), "sum of offsets does not fit");
    return r;
}

tile_aff
tile_aff_scale(tile_aff a, int64_t k)
{
    tile_aff zero = {0}, r;

    SY_CHECK(tile_aff_madd(&zero, &a, k, &r),
             "multiple of an offset does not fit");
    return r;
}

int64_t
tile_aff_at(const tile_aff *a, const int64_t *counter)
{
    int64_t v = a->c;

    for (uint32_t i = 0; i < a->n; i++) {
        v += a->t[i].k * counter[a->t[i].loop];
    }
    return v;
}

// ---- counts

tile_count
tile_count_const(int64_t n)
{
    tile_count c = {0};

    c.max = n;
    c.rem.c = n;
    c.div = 1;
    return c;
}

static int64_t
count_of(const tile_count *c, int64_t rem)
{
    int64_t q = c->div > 1 ? floor_div(rem, c->div) : rem;

    return max_i64(0, min_i64(c->max, q));
}

bool
tile_count_is_const(const tile_count *c, int64_t *n)
{
    if (c->rem.n != 0) {
        return false;
    }
    *n = count_of(c, c->rem.c);
    return true;
}

int64_t
tile_count_at(const tile_count *c, const int64_t *counter)
{
    return count_of(c, tile_aff_at(&c->rem, counter));
}

// ---- ranges

// Products are clamped far outside of int64, so that sums of them fit i128.
static i128
mul_clamped(i128 a, int64_t b)
{
    i128 big = (i128)1 << 120, limit = (i128)1 << 62;

    if (a > limit || a < -limit) {
        a = a > 0 ? limit : -limit;
    }
    a *= b;
    return a > big ? big : a < -big ? -big : a;
}

static int64_t
clamp_i64(i128 v)
{
    i128 limit = (i128)1 << 62;

    return (int64_t)(v > limit ? limit : v < -limit ? -limit : v);
}

// The term whose loop is deepest: the others do not depend on its counter.
static uint32_t
deepest_term(const tile_fn *fn, const tile_aff *a)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < a->n; i++) {
        if (fn->loops.at[a->t[i].loop].depth >
            fn->loops.at[a->t[best].loop].depth) {
            best = i;
        }
    }
    return best;
}

static void
drop_term(tile_aff *a, uint32_t i)
{
    for (; i + 1 < a->n; i++) {
        a->t[i] = a->t[i + 1];
    }
    a->n--;
}

// counter <= floor(rem / div) - 1, so that k * counter, for k > 0 a multiple
// of div, is at most (k / div) * rem - k: an affine function of the counters
// further out, which may cancel against terms of *a.
static bool
substitute_last(const tile_count *trip, int64_t k, tile_aff *a)
{
    int64_t div = max_i64(trip->div, 1);
    tile_aff minus_k = tile_aff_const(-1);

    return trip->rem.n != 0 && k % div == 0 &&
           tile_aff_madd(a, &trip->rem, k / div, a) &&
           tile_aff_madd(a, &minus_k, k, a);
}

// The greatest value, over-estimated only where raggedness is not affine.
// Depth is bounded by the number of loops; each step drops the deepest.
static i128
aff_greatest(const tile_fn *fn, tile_aff a, i128 above, uint32_t depth)
{
    const tile_count *trip;
    uint32_t i;
    int64_t k, last, fixed;
    i128 best;

    if (a.n == 0) {
        return above + a.c;
    }
    if (depth > TILE_LOOPS) { // loops that do not nest: nothing is known
        return (i128)1 << 120;
    }
    i = deepest_term(fn, &a);
    k = a.t[i].k;
    trip = &fn->loops.at[a.t[i].loop].trip;
    last = max_i64(trip->max, 1) - 1;
    if (tile_count_is_const(trip, &fixed)) {
        last = max_i64(fixed, 1) - 1;
    }
    drop_term(&a, i);
    best = aff_greatest(fn, a, above + (k > 0 ? mul_clamped(last, k) : 0),
                        depth + 1);
    if (k > 0 && substitute_last(trip, k, &a)) {
        i128 ragged = aff_greatest(fn, a, above, depth + 1);

        best = ragged < best ? ragged : best;
    }
    return best;
}

void
tile_aff_range(const tile_fn *fn, const tile_aff *a, int64_t *lo, int64_t *hi)
{
    tile_aff zero = {0}, minus;

    *hi = clamp_i64(aff_greatest(fn, *a, 0, 0));
    if (tile_aff_madd(&zero, a, -1, &minus)) {
        *lo = -clamp_i64(aff_greatest(fn, minus, 0, 0));
    } else {
        *lo = -((int64_t)1 << 62);
    }
}
