// SPDX-License-Identifier: Apache-2.0
// Building one operation. Its indices get slots in order of first use; when it
// is finished they are put in order - hidden ones, those of the left side,
// those reduced over - and what is not needed is dropped.
#include "frontend/lower_int.h"

#include <string.h>

#include "ir/tensor_int.h"

// ---- indices and sums of them ----------------------------------------------

low_index *
low_new_index(low_ctx *cx, str name, int64_t n, loc at)
{
    low_index *ix = ARENA_NEW(cx->a, low_index);
    *ix = (low_index){.name = name, .id = cx->next_id++, .n = n, .at = at};
    return ix;
}

low_aff
low_aff_of(const low_index *ix)
{
    low_aff x = {.n = 1};
    x.term[0].ix = ix;
    x.term[0].k = 1;
    return x;
}

static bool
aff_add_term(low_aff *to, const low_index *ix, int64_t k)
{
    for (uint32_t i = 0; i < to->n; i++)
        if (to->term[i].ix == ix)
            return add_i64(to->term[i].k, k, &to->term[i].k);
    if (to->n == TIR_INDICES)
        return false;
    to->term[to->n].ix = ix;
    to->term[to->n++].k = k;
    return true;
}

bool
low_aff_add(low_ctx *cx, low_aff *to, int64_t k, const low_aff *x, loc at)
{
    int64_t p;
    bool ok = mul_i64(k, x->c, &p) && add_i64(to->c, p, &to->c);
    for (uint32_t i = 0; ok && i < x->n; i++)
        ok = mul_i64(k, x->term[i].k, &p) && aff_add_term(to, x->term[i].ix, p);
    if (!ok)
        low_overflow(cx, at);
    return ok;
}

bool
low_aff_range(const low_aff *x, int64_t *lo, int64_t *hi)
{
    *lo = *hi = x->c;
    for (uint32_t i = 0; i < x->n; i++) {
        const low_index *ix = x->term[i].ix;
        int64_t k = x->term[i].k, last, a, b;
        if (!add_i64(ix->lo, ix->n - 1, &last) || !mul_i64(k, ix->lo, &a) ||
            !mul_i64(k, last, &b) || !add_i64(*lo, min_i64(a, b), lo) ||
            !add_i64(*hi, max_i64(a, b), hi))
            return false;
    }
    return true;
}

bool
low_aff_is_empty(const low_aff *x)
{
    for (uint32_t i = 0; i < x->n; i++)
        if (x->term[i].ix->n == 0)
            return true;
    return false;
}

// ---- slots -----------------------------------------------------------------

low_op *
low_op_new(low_ctx *cx)
{
    low_op *op = ARENA_NEW(cx->a, low_op);
    op->memo = map_new(cx->a);
    (void)vec_add(cx->a, &op->op.nodes);
    return op;
}

static bool
slot_of(low_ctx *cx, low_op *op, const low_index *ix, uint32_t *slot)
{
    for (*slot = 0; *slot < op->nslot; ++*slot)
        if (op->slot[*slot] == ix)
            return true;
    if (op->nslot == TIR_INDICES) {
        LOW_REPORT(cx, cx->at, D_TOO_MANY_INDICES, TIR_INDICES);
        return false;
    }
    op->slot[op->nslot++] = ix;
    return true;
}

// Indices of the IR start at 0.
bool
low_to_tir(low_ctx *cx, low_op *op, const low_aff *x, tir_aff *out)
{
    *out = (tir_aff){.c = x->c};
    for (uint32_t i = 0; i < x->n; i++) {
        int64_t k = x->term[i].k, base;
        uint32_t slot;
        if (!k)
            continue;
        if (!slot_of(cx, op, x->term[i].ix, &slot))
            return false;
        if (!mul_i64(k, x->term[i].ix->lo, &base) ||
            !add_i64(out->c, base, &out->c)) {
            low_overflow(cx, cx->at);
            return false;
        }
        out->k[slot] += k;
    }
    return true;
}

// ---- finishing -------------------------------------------------------------

static bool
all_live(const bool *live, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (!live[i])
            return false;
    return true;
}

// What an operation is computed from: value, guard, subscripts of the target.
static uint32_t
roots_of(tir_op *op, uint32_t **out)
{
    uint32_t n = 0;
    out[n++] = &op->root;
    if (op->guard)
        out[n++] = &op->guard;
    for (uint32_t x = 0; x < TIR_RANK; x++)
        if (op->target.dyn[x])
            out[n++] = &op->target.dyn[x];
    return n;
}

static bool *
find_live(low_ctx *cx, const tir_op *op, uint32_t *const *roots, uint32_t n)
{
    bool *live = ARENA_ARRAY(cx->a, op->nodes.n, bool);
    for (uint32_t i = 0; i < n; i++)
        live[*roots[i]] = true;
    for (uint32_t i = op->nodes.n; i-- > 1;) {
        uint32_t from[TIR_RANK];
        uint32_t count = live[i] ? tir_operands(op, &op->nodes.at[i], from) : 0;
        for (uint32_t k = 0; k < count; k++)
            live[from[k]] = true;
    }
    return live;
}

// Keeps the nodes and reads that the operation depends on.
static void
drop_unused(low_ctx *cx, tir_op *op)
{
    uint32_t *roots[2 + TIR_RANK], n = roots_of(op, roots);
    bool *live = find_live(cx, op, roots, n);
    if (all_live(live, op->nodes.n))
        return;
    uint32_t *to = ARENA_ARRAY(cx->a, op->nodes.n, uint32_t);
    tir_op old = *op;
    memset(&op->nodes, 0, sizeof op->nodes);
    memset(&op->reads, 0, sizeof op->reads);
    (void)vec_add(cx->a, &op->nodes);
    for (uint32_t i = 1; i < old.nodes.n; i++) {
        if (!live[i])
            continue;
        tir_node node = old.nodes.at[i];
        for (uint32_t k = 0; k < tir_arity(&node); k++)
            node.arg[k] = to[node.arg[k]];
        if (node.kind == TIR_N_READ || node.kind == TIR_N_GATHER) {
            tir_read r = old.reads.at[node.read]; // one node a read: shared
            for (uint32_t x = 0; x < TIR_RANK; x++)
                r.dyn[x] = to[r.dyn[x]];
            vec_push(cx->a, &op->reads, r);
            node.read = op->reads.n - 1;
        }
        to[i] = tir_push_node(cx->fn, op, &node);
    }
    for (uint32_t i = 0; i < n; i++)
        *roots[i] = to[*roots[i]];
}

static void
mark_used(const tir_aff *x, bool *used)
{
    for (uint32_t s = 0; s < TIR_INDICES; s++)
        used[s] |= x->k[s] != 0;
}

static void
find_used(const low_ctx *cx, const tir_op *op, bool *used)
{
    for (uint32_t i = 1; i < op->nodes.n; i++)
        mark_used(&op->nodes.at[i].aff, used);
    for (uint32_t i = 0; i < op->reads.n; i++)
        for (uint32_t x = 0;
             x < cx->fn->tensors.at[op->reads.at[i].tensor].rank; x++)
            mark_used(&op->reads.at[i].sub[x], used);
    for (uint32_t x = 0; x < TIR_RANK; x++)
        mark_used(&op->target.sub[x], used);
}

static void
permute_aff(tir_aff *x, const uint32_t *to)
{
    tir_aff old = *x;
    memset(x->k, 0, sizeof x->k);
    for (uint32_t s = 0; s < TIR_INDICES; s++)
        if (old.k[s])
            x->k[to[s]] = old.k[s];
}

static void
permute_op(tir_op *op, const uint32_t *to)
{
    for (uint32_t i = 1; i < op->nodes.n; i++)
        permute_aff(&op->nodes.at[i].aff, to);
    for (uint32_t i = 0; i < op->reads.n; i++)
        for (uint32_t x = 0; x < TIR_RANK; x++)
            permute_aff(&op->reads.at[i].sub[x], to);
    for (uint32_t x = 0; x < TIR_RANK; x++)
        permute_aff(&op->target.sub[x], to);
}

static bool
is_among(const low_index *ix, const low_index *const *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (list[i] == ix)
            return true;
    return false;
}

// All indices of the operation in their final order.
typedef struct {
    const low_index *ix[2 * TIR_INDICES];
    uint32_t n, nhidden;
} order;

static void
add_hidden(order *o, const low_index *ix)
{
    uint32_t i = o->n++;
    for (; i > 0 && o->ix[i - 1]->id > ix->id; i--)
        o->ix[i] = o->ix[i - 1];
    o->ix[i] = ix;
}

static bool
order_indices(low_ctx *cx, const low_op *op, const low_end *end, order *o)
{
    bool used[TIR_INDICES] = {0};
    find_used(cx, &op->op, used);
    *o = (order){.n = 0};
    for (uint32_t s = 0; s < op->nslot; s++)
        if (used[s] && !is_among(op->slot[s], end->left, end->nleft) &&
            !is_among(op->slot[s], end->red, end->nred))
            add_hidden(o, op->slot[s]);
    for (uint32_t i = 0; end->place && i < end->place->n; i++)
        if (!is_among(end->place->at[i], o->ix, o->n))
            add_hidden(o, end->place->at[i]);
    o->nhidden = o->n;
    if (o->n + end->nleft > TIR_RANK && op->op.kind == TIR_MAP) {
        LOW_REPORT(cx, cx->at, D_LOCAL_RANK, TIR_RANK);
        return false;
    }
    if (o->n + end->nleft + end->nred > TIR_INDICES) {
        LOW_REPORT(cx, cx->at, D_TOO_MANY_INDICES, TIR_INDICES);
        return false;
    }
    for (uint32_t i = 0; i < end->nleft; i++)
        o->ix[o->n++] = end->left[i];
    for (uint32_t i = 0; i < end->nred; i++)
        o->ix[o->n++] = end->red[i];
    return true;
}

static bool
set_extents(low_ctx *cx, tir_op *op, const order *o)
{
    int64_t total = 1;
    bool fits = true, empty = false;
    for (uint32_t i = 0; i < o->n; i++) {
        op->extent[i] = o->ix[i]->n;
        empty |= o->ix[i]->n == 0;
        fits = fits && mul_i64(total, o->ix[i]->n, &total);
    }
    if (fits || empty)
        return true;
    low_overflow(cx, cx->at);
    return false;
}

const char *
low_fresh_name(low_ctx *cx, const char *hint)
{
    const char *name = hint;
    const uint32_t *seen = map_get_str(&cx->names, str_of(hint));
    uint32_t n = seen ? *seen : 0;
    while (map_get_str(&cx->names, str_of(name)))
        name = arena_printf(cx->a, "%s_%u", hint, ++n);
    if (seen)
        map_put_str(&cx->names, str_of(hint), n);
    map_put_str(&cx->names, str_of(name), 1);
    return name;
}

bool
low_new_temp(low_ctx *cx, const char *hint, low_bind *b)
{
    int64_t shape[2 * TIR_RANK];
    uint32_t rank = b->nhidden + b->rank;
    for (uint32_t i = 0; i < rank; i++)
        shape[i] = i < b->nhidden ? b->hidden[i]->n : b->shape[i - b->nhidden];
    if (rank > TIR_RANK) {
        LOW_REPORT(cx, cx->at, D_LOCAL_RANK, TIR_RANK);
        return false;
    }
    const char *name = low_fresh_name(cx, hint);
    if (!low_check_size(cx, cx->at, str_of(name), b->dtype, rank, shape))
        return false;
    b->tensor = tir_add_tensor(cx->fn, name, TIR_TEMP, b->dtype, rank, shape);
    cx->fn->tensors.at[b->tensor].at = cx->at;
    b->is_set = true;
    return true;
}

static low_bind
bind_of(const low_end *end, const order *o)
{
    low_bind b = {.is_set = true,
                  .dtype = end->dtype,
                  .rank = end->nleft,
                  .tensor = end->tensor,
                  .nhidden = o->nhidden};
    for (uint32_t i = 0; i < o->nhidden; i++)
        b.hidden[i] = o->ix[i];
    for (uint32_t i = 0; i < end->nleft; i++)
        b.shape[i] = end->left[i]->n;
    return b;
}

// A cast to the type that is stored is left to the store, which rounds the
// same way.
static uint32_t
strip_cast(const tir_op *op, uint32_t root, num_dtype stored)
{
    const tir_node *n = &op->nodes.at[root];
    bool same = n->kind == TIR_N_CAST && n->to == stored &&
                op->nodes.at[n->arg[0]].as == num_widened(stored);
    return same ? n->arg[0] : root;
}

static bool
arrange(low_ctx *cx, low_op *lop, const low_end *end, order *o)
{
    uint32_t to[TIR_INDICES] = {0};
    drop_unused(cx, &lop->op);
    if (!order_indices(cx, lop, end, o) || !set_extents(cx, &lop->op, o))
        return false;
    for (uint32_t s = 0; s < lop->nslot; s++)
        for (uint32_t i = 0; i < o->n; i++)
            if (o->ix[i] == lop->slot[s])
                to[s] = i;
    permute_op(&lop->op, to);
    return true;
}

low_bind
low_finish(low_ctx *cx, low_op *lop, uint32_t root, const low_end *end)
{
    tir_op *op = &lop->op;
    order o;
    if (!root)
        return (low_bind){0};
    op->kind = TIR_MAP;
    op->root =
        end->reduce == NUM_R_NONE ? strip_cast(op, root, end->dtype) : root;
    if (!arrange(cx, lop, end, &o))
        return (low_bind){0};
    low_bind b = bind_of(end, &o);
    if (!end->is_target && !low_new_temp(cx, end->hint, &b))
        return (low_bind){0};
    op->out = b.tensor;
    op->nout = o.nhidden + end->nleft;
    SY_CHECK(op->nout == cx->fn->tensors.at[op->out].rank,
             "hidden indices of a result");
    op->nred = end->nred;
    op->reduce = end->reduce;
    op->time = low_time_position(cx, o.ix, op->nout);
    op->at = cx->at;
    vec_push(cx->fn->a, &cx->fn->ops, *op);
    return b;
}

low_bind
low_finish_scatter(low_ctx *cx, low_op *lop, uint32_t root, const low_end *end,
                   const low_bind *to)
{
    tir_op *op = &lop->op;
    order o;
    op->kind = TIR_SCATTER;
    op->root = root;
    if (!arrange(cx, lop, end, &o))
        return (low_bind){0};
    SY_CHECK(o.nhidden == to->nhidden, "hidden indices of a scatter");
    op->out = op->target.tensor = to->tensor;
    op->nout = o.n;
    op->reduce = end->reduce;
    op->at = cx->at;
    vec_push(cx->fn->a, &cx->fn->ops, *op);
    return *to;
}

// ---- what values depend on -------------------------------------------------

void
low_add_place(low_ctx *cx, low_indices_list *list, const low_index *ix)
{
    uint32_t i = list->n;
    if (is_among(ix, list->at, list->n))
        return;
    vec_push(cx->a, list, ix);
    for (; i > 0 && list->at[i - 1]->id > ix->id; i--)
        list->at[i] = list->at[i - 1];
    list->at[i] = ix;
}

bool
low_find_place(low_ctx *cx, const low_bind *b, low_indices_list *list)
{
    bool used[TIR_INDICES] = {0};
    for (uint32_t i = 0; i < b->nhidden; i++)
        low_add_place(cx, list, b->hidden[i]);
    if (!b->is_expr)
        return b->is_set;
    low_op *op = low_op_new(cx);
    if (!low_read_bind(cx, op, b, NULL))
        return false;
    find_used(cx, &op->op, used);
    for (uint32_t s = 0; s < op->nslot; s++)
        if (used[s])
            low_add_place(cx, list, op->slot[s]);
    return true;
}
