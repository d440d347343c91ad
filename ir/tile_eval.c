// SPDX-License-Identifier: Apache-2.0
// The reference evaluator of the tile IR: its operations one after another, as
// the machine computes them. Buffers have one slot here: their contents do not
// outlive an iteration of their home.
#include "ir/tile_int.h"

static void
eval_step(tile_run *r, tile_step *s)
{
    num_exec(&s->insn, &r->state, r->scratch);
}

bool
tile_eval(const tile_fn *fn, void *const *buf, diags *d)
{
    arena_mark mark = arena_save(fn->a);
    tile_run r;
    bool ok;

    tile_run_init(&r, fn, buf);
    r.exec = eval_step;
    ok = tile_run_all(&r);
    if (!ok) {
        tile_run_report(&r, d);
    } else {
        arena_restore(fn->a, mark);
    }
    return ok;
}
