// SPDX-License-Identifier: Apache-2.0
// The sums behind addresses and counts: numbered so that equal ones are one,
// given registers for as long as their body runs, computed by micro-operations.
#include "backend/emit_int.h"

#include <string.h>

// ---- instructions

static void
append(emit_cx *x, const isa_insn *in)
{
    vec_push(x->a, &x->out->code, *in);
    vec_push(x->a, &x->out->at, x->at);
}

static void
flush(emit_cx *x)
{
    if (x->npending == 0)
        return;
    append(x, &x->pending);
    memset(&x->pending, 0, sizeof x->pending);
    x->npending = 0;
}

void
emit_insn(emit_cx *x, const isa_insn *in)
{
    flush(x);
    append(x, in);
    x->scratch = EMIT_REG_SCRATCH;
}

static void
uop(emit_cx *x, isa_uop u)
{
    if (x->npending == ISA_UOPS)
        flush(x);
    x->pending.op = ISA_REG;
    x->pending.uop[x->npending++] = u;
}

// ---- registers

// 0 when all are taken.
static uint32_t
take_reg(emit_cx *x)
{
    for (uint32_t r = EMIT_REG_FIRST; r < EMIT_REG_SCRATCH; r++) {
        if (!(x->taken >> r & 1)) {
            x->taken |= (uint64_t)1 << r;
            return r;
        }
    }
    return 0;
}

static void
give_reg(emit_cx *x, uint32_t reg)
{
    x->taken &= ~((uint64_t)1 << reg);
}

// Every loop around an operation is in its stream: depths agree.
static uint32_t
source_reg(const emit_cx *x, const emit_key *k)
{
    if (k->is_slot)
        return x->slots.at[k->source].reg;
    if (emit_is_once(x->fn, k->source))
        return 0;
    return ISA_REG_LOOP0 + emit_depth(x->fn, k->source) - 1;
}

// Computes a value, unless it has a register, into rd.
static uint32_t
compute(emit_cx *x, uint32_t value, uint32_t rd)
{
    const emit_value *v = &x->values.at[value - 1];
    const emit_key *k = &v->key;
    uint32_t ra;

    if (v->reg)
        return v->reg;
    ra = k->prefix ? compute(x, k->prefix, rd) : 0;
    uop(x, (isa_uop){ISA_UOP_MADD, rd, ra, source_reg(x, k), k->coef});
    if (!k->is_count)
        return rd;
    if (k->c)
        uop(x, (isa_uop){ISA_UOP_ADD, rd, rd, 0, k->c});
    if (k->div > 1)
        uop(x, (isa_uop){ISA_UOP_DIV, rd, rd, 0, k->div});
    uop(x, (isa_uop){ISA_UOP_MIN, rd, rd, 0, k->max});
    uop(x, (isa_uop){ISA_UOP_MAX, rd, rd, 0, 0});
    return rd;
}

uint32_t
emit_reg(emit_cx *x, uint32_t value)
{
    if (value == 0)
        return 0;
    if (x->values.at[value - 1].reg)
        return x->values.at[value - 1].reg;
    SY_CHECK(x->scratch < EMIT_REG_END, "'%s': out of scratch registers",
             x->fn->name);
    return compute(x, value, x->scratch++);
}

// ---- numbering

static uint32_t
intern(emit_cx *x, const emit_key *key)
{
    const uint32_t *known =
        map_get_str(&x->value_ids, (str){(const char *)key, sizeof *key});
    emit_key *copy;
    emit_value *v;

    if (known)
        return *known;
    copy = ARENA_NEW(x->a, emit_key);
    memcpy(copy, key, sizeof *copy);
    v = vec_add(x->a, &x->values);
    v->key = *copy;
    map_put_str(&x->value_ids, (str){(const char *)copy, sizeof *copy},
                x->values.n);
    vec_push(x->a, &x->body_values[key->body], x->values.n);
    return x->values.n;
}

static uint32_t
slot_of(emit_cx *x, const tile_buf *b)
{
    emit_slot s = {b->home, b->slots, b->home, 0};

    for (uint32_t i = 0; i < x->slots.n; i++)
        if (x->slots.at[i].home == b->home && x->slots.at[i].slots == b->slots)
            return i;
    while (x->fn->loops.at[s.top].depth > 1)
        s.top = x->fn->loops.at[s.top].parent;
    vec_push(x->a, &x->slots, s);
    return x->slots.n - 1;
}

// Terms in the order of their bodies' depth, a slot after the loop's counter,
// so that sums share what does not change in inner loops.
static uint32_t
make_keys(emit_cx *x, const tile_aff *off, int64_t scale, const tile_buf *buf,
          emit_key keys[TILE_LOOPS + 1])
{
    const tile_loop *loops = x->fn->loops.at;
    uint32_t n = 0;

    for (uint32_t depth = 1; depth <= TILE_LOOPS; depth++) {
        for (uint32_t i = 0; i < off->n; i++) {
            if (loops[off->t[i].loop].depth == depth)
                keys[n++] = (emit_key){.body = off->t[i].loop,
                                       .source = off->t[i].loop,
                                       .coef = off->t[i].k * scale};
        }
        if (buf && buf->slots > 1 && loops[buf->home].depth == depth)
            keys[n++] = (emit_key){.body = buf->home,
                                   .is_slot = 1,
                                   .source = slot_of(x, buf),
                                   .coef = buf->slot_bytes};
    }
    return n;
}

uint32_t
emit_sum(emit_cx *x, const tile_aff *off, int64_t scale, const tile_buf *buf)
{
    emit_key keys[TILE_LOOPS + 1];
    uint32_t n = make_keys(x, off, scale, buf, keys), value = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (keys[i].coef == 0)
            continue;
        keys[i].prefix = value;
        value = intern(x, &keys[i]);
    }
    return value;
}

uint32_t
emit_count(emit_cx *x, const tile_count *c)
{
    emit_key keys[TILE_LOOPS + 1];
    uint32_t n = make_keys(x, &c->rem, 1, NULL, keys), value = 0;

    for (uint32_t i = 0; i < n; i++) {
        keys[i].prefix = value;
        if (i + 1 == n) {
            keys[i].is_count = 1;
            keys[i].c = c->rem.c;
            keys[i].div = max_i64(c->div, 1);
            keys[i].max = c->max;
        }
        value = intern(x, &keys[i]);
    }
    return value;
}

// ---- bodies

// A counter that is used as it is needs no copy.
static bool
is_source(const emit_key *k)
{
    return k->prefix == 0 && k->coef == 1 && !k->is_count;
}

void
emit_enter_body(emit_cx *x, uint32_t body)
{
    for (uint32_t i = 0; i < x->body_values[body].n; i++) {
        uint32_t id = x->body_values[body].at[i];
        emit_value *v = &x->values.at[id - 1];
        uint32_t rd;
        if (is_source(&v->key)) {
            v->reg = source_reg(x, &v->key);
            v->borrowed = true;
            continue;
        }
        rd = take_reg(x);
        if (rd) {
            compute(x, id, rd);
            v->reg = rd;
        }
    }
}

// The slot counters of this home step; the registers of its values are free.
void
emit_leave_body(emit_cx *x, uint32_t body)
{
    for (uint32_t i = 0; i < x->slots.n; i++) {
        const emit_slot *s = &x->slots.at[i];
        if (s->home != body)
            continue;
        uop(x, (isa_uop){ISA_UOP_ADD, s->reg, s->reg, 0, 1});
        uop(x, (isa_uop){ISA_UOP_WRAP, s->reg, s->reg, 0, s->slots});
    }
    for (uint32_t i = 0; i < x->body_values[body].n; i++) {
        emit_value *v = &x->values.at[x->body_values[body].at[i] - 1];
        if (v->reg && !v->borrowed)
            give_reg(x, v->reg);
        v->reg = 0;
    }
}

void
emit_enter_top(emit_cx *x, uint32_t loop)
{
    for (uint32_t i = 0; i < x->slots.n; i++) {
        emit_slot *s = &x->slots.at[i];
        if (s->top != loop)
            continue;
        s->reg = take_reg(x);
        if (s->reg) {
            uop(x, (isa_uop){ISA_UOP_MOV, s->reg, 0, 0, 0});
            continue;
        }
        if (x->ok)
            diag(x->cx->d, x->at, D_EMIT_SLOTS, x->fn->name,
                 tile_engine_name(x->engine));
        x->ok = false;
    }
}

void
emit_leave_top(emit_cx *x, uint32_t loop)
{
    for (uint32_t i = 0; i < x->slots.n; i++)
        if (x->slots.at[i].top == loop)
            give_reg(x, x->slots.at[i].reg);
}
