// SPDX-License-Identifier: Apache-2.0
// Recurrences: the operations of a group, one time after the other, each a nest
// of its own inside a loop over time, with their states in HBM. Time is cut
// where the reads of earlier times begin to be inside, so that in each piece
// it is decided for every one of them whether it is its fill.
#include "backend/tile_int.h"

#include <string.h>

enum { CUTS = 16 };

typedef struct {
    lower *lw;
    uint32_t first, n; // operations
    int64_t extent;    // of time
    uint32_t ncut;
    int64_t cut[CUTS + 2]; // ascending, 0 and the extent included
} recurrence;

static const tir_op *
op_at(const recurrence *g, uint32_t i)
{
    return &g->lw->in->ops.at[g->first + i];
}

// ---- reads of the group's own tensors

// The op that defines a tensor, or NULL if none of the group does.
static const tir_op *
owner(const recurrence *g, uint32_t tensor)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (op_at(g, i)->out == tensor)
            return op_at(g, i);
    return NULL;
}

// How far back a read looks.
static int64_t
distance(const tir_op *op, const tir_op *def, const tir_read *r)
{
    int64_t c = r->sub[def->time].c;
    return op->backward ? c : -c;
}

static void
add_cut(recurrence *g, int64_t at)
{
    uint32_t i = 0;
    while (i < g->ncut && g->cut[i] < at)
        i++;
    if (at > g->extent || g->ncut > CUTS || (i < g->ncut && g->cut[i] == at))
        return;
    memmove(&g->cut[i + 1], &g->cut[i], (g->ncut - i) * sizeof *g->cut);
    g->cut[i] = at;
    g->ncut++;
}

static void
find_cuts(recurrence *g)
{
    add_cut(g, 0);
    add_cut(g, g->extent);
    for (uint32_t i = 0; i < g->n; i++) {
        const tir_op *op = op_at(g, i);
        for (uint32_t r = 0; r < op->reads.n; r++) {
            const tir_op *def = owner(g, op->reads.at[r].tensor);
            if (def && op->reads.at[r].has_fill)
                add_cut(g, distance(op, def, &op->reads.at[r]));
        }
    }
}

// A place that is computed may be anywhere, and all of the tensor has to be
// there: states that are read so start as zeros.
static void
start_states(recurrence *g)
{
    lower *lw = g->lw;
    bool *started = ARENA_ARRAY(lw->a, lw->in->tensors.n, bool);
    for (uint32_t i = 0; i < g->n; i++) {
        const tir_op *op = op_at(g, i);
        for (uint32_t r = 0; r < op->reads.n; r++) {
            tir_read rd = op->reads.at[r];
            const tir_op *def = owner(g, rd.tensor);
            if (!def || started[rd.tensor])
                continue;
            rd.sub[def->time] = (tir_aff){0}; // decided, by the cuts
            if (g->ncut <= CUTS && !read_needs_index(lw, op, &rd))
                continue;
            started[rd.tensor] = true;
            num_as as = num_widened(lw->in->tensors.at[rd.tensor].dtype);
            fill_tensor(lw, rd.tensor, 0, as);
        }
    }
}

// ---- one operation at the time at hand

static bool
is_outside(const lower *lw, const tir_op *op, const tir_read *r)
{
    const tir_tensor *t = &lw->in->tensors.at[r->tensor];
    for (uint32_t d = 0; d < t->rank; d++) {
        int64_t lo, hi;
        if (!r->dyn[d] && sub_range_over(lw, op, &r->sub[d], &lo, &hi) &&
            (hi < 0 || lo >= t->shape[d]))
            return true;
    }
    return false;
}

// A copy of the op, in which what is its fill now is a constant.
static tir_op *
decide_fills(lower *lw, const tir_op *op)
{
    tir_op *o = ARENA_NEW(lw->a, tir_op);
    *o = *op;
    o->nodes.at = ARENA_ARRAY(lw->a, op->nodes.n, tir_node);
    memcpy(o->nodes.at, op->nodes.at, op->nodes.n * sizeof *op->nodes.at);
    for (uint32_t i = 1; i < o->nodes.n; i++) {
        tir_node *n = &o->nodes.at[i];
        if (n->kind != TIR_N_READ && n->kind != TIR_N_GATHER)
            continue;
        const tir_read *r = &op->reads.at[n->read];
        if (r->has_fill && is_outside(lw, op, r))
            *n = (tir_node){.kind = TIR_N_CONST, .as = n->as, .imm = r->fill};
    }
    return o;
}

static bool
has_empty(const tir_op *op, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (op->extent[i] == 0)
            return true;
    return false;
}

static bool
lower_moment(recurrence *g)
{
    lower *lw = g->lw;
    for (uint32_t i = 0; i < g->n; i++) {
        const tir_op *op = op_at(g, i);
        if (has_empty(op, 0, op->nout + op->nred))
            continue;
        lw->synthetic = decide_fills(lw, op);
        bool ok = lower_alone(lw, SYNTHETIC);
        lw->synthetic = NULL;
        if (!ok)
            return false;
    }
    return true;
}

static bool
lower_piece(recurrence *g, int64_t from, int64_t to)
{
    lower *lw = g->lw;
    bool backward = op_at(g, 0)->backward;
    uint32_t parent = lw->body, loop = lower_loop(lw, to - from);
    lw->time = tile_aff_const(backward ? g->extent - 1 - from : from);
    lw->time_lo = backward ? g->extent - to : from;
    lw->time_hi = backward ? g->extent - 1 - from : to - 1;
    if (loop != TILE_ABSENT)
        lw->time =
            tile_aff_add(lw->time, tile_aff_loop(loop, backward ? -1 : 1));
    lw->in_time = true;
    bool ok = lower_moment(g);
    lw->in_time = false;
    lw->body = parent;
    return ok;
}

bool
lower_recurrence(lower *lw, uint32_t first, uint32_t *done)
{
    const tir_op *op = &lw->in->ops.at[first];
    recurrence g = {.lw = lw, .first = first, .extent = op->extent[op->time]};
    while (first + g.n < lw->in->ops.n && op_at(&g, g.n)->group == op->group)
        g.n++;
    *done = g.n;
    for (uint32_t i = 0; i < g.n; i++) {
        op = op_at(&g, i);
        if (!has_empty(op, 0, op->nout) &&
            has_empty(op, op->nout, op->nout + op->nred))
            lower_identity(lw, op);
    }
    if (g.extent == 0)
        return true;
    find_cuts(&g);
    start_states(&g);
    for (uint32_t i = 0; i + 1 < g.ncut; i++)
        if (!lower_piece(&g, g.cut[i], g.cut[i + 1]))
            return false;
    return true;
}
