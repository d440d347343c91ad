// SPDX-License-Identifier: Apache-2.0
// Reads the text form of the tile IR (docs/tile-ir.md): recursive descent over
// the bytes; declarations and bodies are here, operations in tile_parse_op.c,
// words in tile_lex.c. What the text means is checked by tile_verify.
#include "ir/tile_int.h"

// ---- declarations
// ---------------------------------------------------------------------

static bool
parse_dtype(tile_parser *p, num_dtype *out)
{
    str w = tile_lex_word(p);

    *out = num_dtype_parse(w.p, w.n);
    if (*out == DT_NONE) {
        return tile_lex_expected(p, "an element type");
    }
    p->pos += w.n;
    return true;
}

// A new name behind a sigil, unknown to the map.
static bool
parse_new_name(tile_parser *p, const char *sigil, const char *what, map *m,
               str *out)
{
    if (!tile_lex_expect(p, sigil) || !tile_lex_name(p, out)) {
        return false;
    }
    if (map_get_str(m, *out) != NULL) {
        diag(p->d, tile_lex_loc(p, p->pos - out->n, p->pos), D_TILE_TWICE, what,
             STR_ARG(*out));
        return false;
    }
    return true;
}

static int
hex_digit(char c)
{
    if (tile_lex_is_digit(c)) {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Elements, or -1 when tensors of this shape cannot be addressed: extents of
// zero must not hide the size of the others.
static int64_t
shape_elems(const tir_tensor *t)
{
    int64_t n = 1, all = 1;

    for (uint32_t d = 0; d < t->rank; d++) {
        if (t->shape[d] < 0 || !mul_i64(all, max_i64(t->shape[d], 1), &all)) {
            return -1;
        }
        n = t->shape[d] == 0 ? 0 : n * t->shape[d];
    }
    return all > INT64_MAX / 16 ? -1 : n;
}

static bool
parse_data(tile_parser *p, tir_tensor *t)
{
    int64_t elems = shape_elems(t), want, bytes;
    size_t begin, end;
    uint8_t *data;

    if (!tile_lex_expect(p, "=") || !tile_lex_expect_word(p, "hex") ||
        !tile_lex_expect(p, "\"")) {
        return false;
    }
    begin = end = p->pos;
    while (end < p->text.n && hex_digit(p->text.p[end]) >= 0) {
        end++;
    }
    bytes = (int64_t)((end - begin) / 2);
    want = elems < 0 ? -1 : elems * (int64_t)num_dtype_bytes(t->dtype);
    if ((end - begin) % 2 != 0 || bytes != want) {
        diag(p->d, tile_lex_loc(p, begin, end), D_TILE_DATA, t->name,
             (long long)bytes, (long long)want);
        return false;
    }
    data = arena_alloc(p->fn->a, (size_t)bytes);
    for (int64_t i = 0; i < bytes; i++) {
        const char *two = p->text.p + begin + 2 * i;

        data[i] = (uint8_t)(hex_digit(two[0]) * 16 + hex_digit(two[1]));
    }
    t->data = data;
    p->pos = end;
    return tile_lex_expect(p, "\"");
}

static bool
parse_shape(tile_parser *p, tir_tensor *t)
{
    if (!tile_lex_expect(p, "[")) {
        return false;
    }
    while (tile_lex_peek(p) != ']') {
        if (t->rank == TIR_RANK || (t->rank > 0 && !tile_lex_expect(p, ","))) {
            return t->rank == TIR_RANK ? tile_lex_expected(p, "]") : false;
        }
        if (!tile_lex_i64(p, &t->shape[t->rank])) {
            return false;
        }
        t->rank++;
    }
    return tile_lex_expect(p, "]");
}

static bool
parse_tensor(tile_parser *p, tir_kind kind)
{
    tir_tensor t = {0};
    size_t begin = p->pos;
    str name;

    if (!parse_new_name(p, "@", "tensor", &p->tensors, &name)) {
        return false;
    }
    t.kind = kind;
    t.name = str_z(p->fn->a, name);
    if (!tile_lex_expect(p, ":") || !parse_dtype(p, &t.dtype) ||
        !parse_shape(p, &t)) {
        return false;
    }
    if (shape_elems(&t) < 0) {
        diag(p->d, tile_lex_loc(p, begin, p->pos), D_TILE_TENSOR, t.name,
             "its shape is too large");
        return false;
    }
    if (kind == TIR_CONST && !parse_data(p, &t)) {
        return false;
    }
    t.at = tile_lex_loc(p, begin, p->pos);
    map_put_str(&p->tensors, name, p->fn->tensors.n);
    vec_push(p->fn->a, &p->fn->tensors, t);
    return true;
}

static bool
parse_sem(tile_parser *p)
{
    tile_sem s = {0};
    uint32_t id;

    if (!tile_lex_numbered(p, 's', "a semaphore", &id)) {
        return false;
    }
    if (id != p->fn->sems.n) {
        return tile_lex_expected(p, "semaphores in order from s0");
    }
    if (!tile_lex_expect(p, ":")) {
        return false;
    }
    if (tile_lex_is_numbered(tile_lex_word(p), 'q')) {
        if (!tile_lex_numbered(p, 'q', "a queue", &s.producer_queue)) {
            return false;
        }
    } else if (!tile_parse_engine(p, &s.producer)) {
        return false;
    }
    if (!tile_lex_expect(p, "->") || !tile_parse_engine(p, &s.consumer) ||
        !tile_lex_expect_word(p, "credits") || !tile_lex_u32(p, &s.initial)) {
        return false;
    }
    vec_push(p->fn->a, &p->fn->sems, s);
    return true;
}

static bool
parse_buf(tile_parser *p, tile_space space)
{
    tile_buf b = {0};
    size_t begin = p->pos;
    str name;

    if (!parse_new_name(p, "%", "buffer", &p->bufs, &name)) {
        return false;
    }
    b.name = str_z(p->fn->a, name);
    b.space = space;
    b.home = p->loop[p->depth].id;
    b.addr = -1;
    if (!tile_lex_expect(p, ":") || !parse_dtype(p, &b.dtype) ||
        !tile_lex_expect(p, "[") || !tile_lex_u32(p, &b.parts) ||
        !tile_lex_expect(p, ",") || !tile_lex_i64(p, &b.elems) ||
        !tile_lex_expect(p, "]") || !tile_lex_expect_word(p, "slots") ||
        !tile_lex_u32(p, &b.slots)) {
        return false;
    }
    if (tile_lex_accept_word(p, "at") &&
        (!tile_lex_i64(p, &b.addr) || !tile_lex_expect_word(p, "by") ||
         !tile_lex_i64(p, &b.slot_bytes))) {
        return false;
    }
    b.at = tile_lex_loc(p, begin, p->pos);
    map_put_str(&p->bufs, name, p->fn->bufs.n);
    vec_push(p->fn->a, &p->fn->bufs, b);
    return true;
}

// ---- bodies
// ---------------------------------------------------------------------------

static bool parse_body(tile_parser *p);

static bool
parse_loop(tile_parser *p)
{
    tile_count trip = {0};
    str name = tile_lex_word(p);
    bool ok;

    if (!tile_lex_is_numbered(name, 'i')) {
        return tile_lex_expected(p, "a loop's counter");
    }
    if (p->depth == TILE_LOOPS) {
        diag(p->d, tile_lex_loc(p, p->pos, p->pos + name.n), D_TILE_DEPTH,
             TILE_LOOPS);
        return false;
    }
    p->pos += name.n;
    if (!tile_lex_expect(p, "<") || !tile_parse_count(p, &trip) ||
        !tile_lex_expect(p, "{")) {
        return false;
    }
    p->loop[p->depth + 1].id = tile_add_loop(p->fn, p->loop[p->depth].id, trip);
    p->loop[p->depth + 1].name = name;
    p->depth++;
    ok = parse_body(p);
    p->depth--;
    return ok;
}

// Up to and with the closing brace. Recursion is as deep as loops nest.
static bool
parse_body(tile_parser *p)
{
    while (!tile_lex_accept(p, "}")) {
        bool ok;

        if (tile_lex_accept_word(p, "for")) {
            ok = parse_loop(p);
        } else if (tile_lex_accept_word(p, "sbuf")) {
            ok = parse_buf(p, SPACE_SBUF);
        } else if (tile_lex_accept_word(p, "psum")) {
            ok = parse_buf(p, SPACE_PSUM);
        } else {
            ok = tile_parse_op(p);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool
parse_header(tile_parser *p)
{
    size_t begin;
    str name;

    if (!tile_lex_expect_word(p, "tile_ir") || !tile_lex_expect(p, "@") ||
        !tile_lex_name(p, &name) || !tile_lex_expect_word(p, "target") ||
        !tile_lex_expect(p, "\"")) {
        return false;
    }
    p->fn->name = str_z(p->fn->a, name);
    begin = p->pos;
    while (p->pos < p->text.n && p->text.p[p->pos] != '"') {
        p->pos++;
    }
    name.p = p->text.p + begin;
    name.n = p->pos - begin;
    p->fn->target = str_z(p->fn->a, name);
    return tile_lex_expect(p, "\"") && tile_lex_expect(p, "{");
}

static bool
parse_declarations(tile_parser *p)
{
    static const struct {
        const char *name;
        tir_kind kind;
    } kinds[] = {{"input", TIR_INPUT},
                 {"output", TIR_OUTPUT},
                 {"temp", TIR_TEMP},
                 {"inout", TIR_INOUT},
                 {"const", TIR_CONST}};
    size_t k;

    for (;;) {
        if (tile_lex_accept_word(p, "sem")) {
            if (!parse_sem(p)) {
                return false;
            }
            continue;
        }
        for (k = 0; k < ARRAY_LEN(kinds); k++) {
            if (tile_lex_accept_word(p, kinds[k].name)) {
                break;
            }
        }
        if (k == ARRAY_LEN(kinds)) {
            return true;
        }
        if (!parse_tensor(p, kinds[k].kind)) {
            return false;
        }
    }
}

tile_fn *
tile_parse(arena *a, diags *d, uint32_t source)
{
    tile_parser p = {0};

    p.fn = tile_fn_new(a, "", "");
    p.d = d;
    p.source = source;
    p.text = d->sources.at[source].text;
    p.tensors = map_new(a);
    p.bufs = map_new(a);
    if (!parse_header(&p) || !parse_declarations(&p) || !parse_body(&p)) {
        return NULL;
    }
    if (tile_lex_peek(&p) != 0 || p.pos < p.text.n) {
        (void)tile_lex_expected(&p, "the end");
        return NULL;
    }
    return p.fn;
}
