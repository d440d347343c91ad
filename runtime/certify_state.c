// SPDX-License-Identifier: Apache-2.0
// What engines hold beside memory, lane by lane: whether the accumulators and
// the states of the generators are defined. An engine runs its instructions in
// order, so that this needs no clocks.
#include "runtime/runtime_int.h"

#include <string.h>

static lane_set
lanes_of(const rt_record *r)
{
    uint32_t first = rt_lane(r);
    lane_set s = {{0, 0}};
    for (uint32_t i = first; i < first + r->parts && i < NUM_LANES; i++)
        s.w[i / 64] |= (uint64_t)1 << i % 64;
    return s;
}

static void
define(lane_set *s, lane_set lanes, bool defined)
{
    for (uint32_t i = 0; i < 2; i++)
        s->w[i] = defined ? s->w[i] | lanes.w[i] : s->w[i] & ~lanes.w[i];
}

// The first of the lanes that is not in the set.
static bool
is_missing(const lane_set *s, lane_set lanes, uint32_t *lane)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t missing = lanes.w[i] & ~s->w[i];
        if (!missing)
            continue;
        *lane = i * 64 + (uint32_t)__builtin_ctzll(missing);
        return true;
    }
    return false;
}

const char *
lane_state_step(lane_state *s, const rt_record *r, uint32_t *lane)
{
    const char *flags = r->form->flags;
    num_cmd cmd = r->insn->cmd;
    lane_set lanes = lanes_of(r);
    bool reads_acc = cmd == NUM_CMD_REDUCE || strchr(flags, 'l');
    bool reads_state = strchr(flags, 'g') || strchr(flags, 'y');
    if (reads_acc && is_missing(&s->acc, lanes, lane))
        return "accumulator";
    if (reads_state && is_missing(&s->generator, lanes, lane))
        return "generator";
    if (cmd != NUM_CMD_NONE)
        define(&s->acc, lanes, true);
    else if (strchr(flags, 'c'))
        define(&s->acc, lanes, false);
    if (strchr(flags, 's'))
        define(&s->generator, lanes, true);
    return NULL;
}
