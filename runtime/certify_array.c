// SPDX-License-Identifier: Apache-2.0
// The state of the systolic array as far as addresses decide it: which tiles
// are loaded, in which mode and shape. Tiles never overlap; a load takes away
// those that it touches.
#include "runtime/runtime_int.h"

static array_tile
tile_of(const isa_target *t, const isa_insn *in)
{
    return (array_tile){.row0 = in->row0,
                        .col0 = in->col0,
                        .rows = in->tile_rows ? in->tile_rows : t->pe_rows,
                        .cols = in->tile_cols ? in->tile_cols : t->pe_cols};
}

static bool
overlap(const array_tile *a, const array_tile *b)
{
    return a->row0 < b->row0 + b->rows && b->row0 < a->row0 + a->rows &&
           a->col0 < b->col0 + b->cols && b->col0 < a->col0 + a->cols;
}

static bool
same_place(const array_tile *a, const array_tile *b)
{
    return a->row0 == b->row0 && a->col0 == b->col0 && a->rows == b->rows &&
           a->cols == b->cols;
}

static uint64_t
elems(const rt_ref *r)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < r->ndim; i++)
        n *= r->dim[i].count;
    return n;
}

static const char *
load(array_state *s, arena *a, const isa_target *t, const rt_record *r)
{
    array_tile new = tile_of(t, r->insn);
    uint64_t n = elems(&r->ref[NUM_A]);
    uint32_t kept = 0;
    if (r->op != NUM_OP_LDW && n % 2)
        return "loads an odd number of elements";
    new.m = (uint32_t)(r->op == NUM_OP_LDW_ROWS ? n / 2 : n);
    new.k = r->parts;
    new.by = r->op;
    new.dtype = r->ref[NUM_A].dtype;
    if (new.k > new.rows || n > 2 * (uint64_t)new.cols || new.m > new.cols)
        return "loads more than the array holds";
    for (uint32_t i = 0; i < s->tiles.n; i++)
        if (!overlap(&s->tiles.at[i], &new))
            s->tiles.at[kept++] = s->tiles.at[i];
    s->tiles.n = kept;
    vec_push(a, &s->tiles, new);
    return NULL;
}

// The load that an instruction goes with; NONE: it does not use weights.
static num_op
load_for(num_op op)
{
    switch (op) {
    case NUM_OP_MATMUL:
    case NUM_OP_PE_TRANSPOSE: return NUM_OP_LDW;
    case NUM_OP_MATMUL_ROWS: return NUM_OP_LDW_ROWS;
    case NUM_OP_MATMUL_MX: return NUM_OP_LDW_MX;
    default: return NUM_OP_NONE;
    }
}

static const array_tile *
find_tile(const array_state *s, const array_tile *want)
{
    for (uint32_t i = 0; i < s->tiles.n; i++)
        if (same_place(&s->tiles.at[i], want))
            return &s->tiles.at[i];
    return NULL;
}

// Types that the array does not multiply with each other.
static bool
is_odd_pair(num_dtype a, num_dtype b)
{
    bool wide_a = a == DT_F32 || a == DT_TF32;
    bool wide_b = b == DT_F32 || b == DT_TF32;
    return wide_a != wide_b || (a == DT_F8E4M3 && b == DT_F8E4M3FN) ||
           (a == DT_F8E4M3FN && b == DT_F8E4M3);
}

static const char *
use_tile(const array_state *s, const isa_target *t, const rt_record *r,
         diags *d)
{
    array_tile want = tile_of(t, r->insn);
    const array_tile *have = find_tile(s, &want);
    num_dtype type = r->ref[NUM_A].dtype;
    if (!have)
        return s->tiles.n ? "names a tile that is not loaded"
                          : "runs before any 'ldw'";
    if (have->by != load_for(r->op))
        return arena_printf(d->a, "uses weights that '%s' has loaded",
                            num_op_name(have->by));
    if (elems(&r->ref[NUM_DST]) > t->pe_moving)
        return "streams more columns than the array takes";
    if (r->parts != have->k || r->dst_parts != have->m)
        return arena_printf(d->a,
                            "takes %u partitions to %u, but the weights are "
                            "%u x %u",
                            r->parts, r->dst_parts, have->k, have->m);
    if (r->op == NUM_OP_PE_TRANSPOSE ? type != have->dtype
                                     : is_odd_pair(type, have->dtype))
        return arena_printf(d->a, "combines weights of %s with %s",
                            num_dtype_name(have->dtype), num_dtype_name(type));
    return NULL;
}

const char *
array_step(array_state *s, arena *a, const isa_target *t, const rt_record *r,
           diags *d)
{
    if (r->op == NUM_OP_LDW || r->op == NUM_OP_LDW_ROWS ||
        r->op == NUM_OP_LDW_MX)
        return load(s, a, t, r);
    if (load_for(r->op) == NUM_OP_NONE || r->empty)
        return NULL;
    return use_tile(s, t, r, d);
}
