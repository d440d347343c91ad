// SPDX-License-Identifier: Apache-2.0
// Reads the text form of tensor IR (docs/tensor-ir.md): a small tokenizer and
// recursive descent with one token of lookahead. The first mistake ends it.
// Constants are shared, nothing else is: the graph is the one that was printed.
#include "ir/tensor_int.h"

#include <string.h>

enum { NEST_MAX = 256 };

typedef enum { T_END, T_NAME, T_NUMBER, T_TEXT, T_VALUE, T_PUNCT } tok_kind;

typedef struct {
    tok_kind kind;
    str text; // T_TEXT, T_VALUE: without quotes, without '%'
    loc at;
} tok;

typedef struct {
    diags *d;
    uint32_t source;
    str text;
    tok cur;
    uint32_t pos; // after cur
    uint32_t end; // of the token before cur
    tir_fn *fn;
    tir_op *op;  // being read
    map tensors; // name -> id
    map values;  // number -> node, of op
    uint32_t depth;
} parser;

// ---- tokens -----------------------------------------------------------------

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char
char_at(const parser *p, uint32_t pos)
{
    return pos < p->text.n ? p->text.p[pos] : '\0';
}

static uint32_t
skip_space(const parser *p, uint32_t pos)
{
    for (;; pos++) {
        char c = char_at(p, pos);
        if (c == '#')
            while (pos < p->text.n && p->text.p[pos] != '\n')
                pos++;
        else if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return pos;
    }
}

static uint32_t
word_end(const parser *p, uint32_t pos)
{
    while (is_letter(char_at(p, pos)) || is_digit(char_at(p, pos)))
        pos++;
    return pos;
}

// Digits, points, letters, and a sign after an exponent; judged later.
static uint32_t
number_end(const parser *p, uint32_t pos)
{
    bool is_hex = char_at(p, pos) == '0' && char_at(p, pos + 1) == 'x';
    for (;; pos++) {
        char c = char_at(p, pos);
        char before = pos ? p->text.p[pos - 1] : '\0';
        bool is_exp_sign = !is_hex && (c == '-' || c == '+') &&
                           (before == 'e' || before == 'E');
        if (!is_digit(c) && !is_letter(c) && c != '.' && !is_exp_sign)
            return pos;
    }
}

static uint32_t
text_end(const parser *p, uint32_t pos)
{
    while (pos < p->text.n && p->text.p[pos] != '"' && p->text.p[pos] != '\n')
        pos++;
    return pos;
}

static void
advance(parser *p)
{
    p->end = p->cur.at.end;
    uint32_t begin = skip_space(p, p->pos), end = begin + 1, trim = 0;
    char c = char_at(p, begin);
    tok_kind kind = T_PUNCT;
    if (begin >= p->text.n) {
        kind = T_END;
        begin = end = (uint32_t)p->text.n;
    } else if (is_letter(c)) {
        kind = T_NAME;
        end = word_end(p, begin);
    } else if (is_digit(c)) {
        kind = T_NUMBER;
        end = number_end(p, begin);
    } else if (c == '%') {
        kind = T_VALUE;
        trim = 1;
        end = word_end(p, begin + 1);
    } else if (c == '"') {
        trim = 1;
        end = text_end(p, begin + 1);
        kind = char_at(p, end) == '"' ? T_TEXT : T_PUNCT;
    }
    p->cur.kind = kind;
    p->cur.text = (str){p->text.p + begin + trim, end - begin - trim};
    p->pos = kind == T_TEXT ? end + 1 : end;
    p->cur.at = (loc){p->source, begin, p->pos};
}

// ---- expecting --------------------------------------------------------------

static char *
text_z(const parser *p, str s)
{
    enum { SHOWN = 60 };
    return str_z(p->fn->a, (str){s.p, s.n < SHOWN ? s.n : SHOWN});
}

static bool
expected(parser *p, const char *what)
{
    const char *found = "the end of the text";
    if (p->cur.kind != T_END) {
        char c = p->cur.text.n ? p->cur.text.p[0] : '\0';
        if (p->cur.kind == T_PUNCT && (c < ' ' || c > '~'))
            found = arena_printf(p->fn->a, "byte 0x%02x", (unsigned char)c);
        else
            found = arena_printf(p->fn->a, "'%s'", text_z(p, p->cur.text));
    }
    diag(p->d, p->cur.at, D_TIR_SYNTAX, what, found);
    return false;
}

static bool
is_punct(const parser *p, char c)
{
    return p->cur.kind == T_PUNCT && p->cur.text.n == 1 &&
           p->cur.text.p[0] == c;
}

static bool
take_punct(parser *p, char c)
{
    if (!is_punct(p, c))
        return false;
    advance(p);
    return true;
}

static bool
want_punct(parser *p, char c)
{
    if (take_punct(p, c))
        return true;
    return expected(p, arena_printf(p->fn->a, "'%c'", c));
}

static bool
is_word(const parser *p, const char *word)
{
    return p->cur.kind == T_NAME && str_eq_z(p->cur.text, word);
}

static bool
take_word(parser *p, const char *word)
{
    if (!is_word(p, word))
        return false;
    advance(p);
    return true;
}

static bool
want_name(parser *p, const char *what, str *out)
{
    if (p->cur.kind != T_NAME)
        return expected(p, what);
    *out = p->cur.text;
    advance(p);
    return true;
}

static bool
bad_number(parser *p, loc at, str s, const char *type)
{
    diag(p->d, at, D_TIR_NUMBER, text_z(p, s), type);
    return false;
}

static bool
want_u64(parser *p, const char *what, uint64_t *out)
{
    if (p->cur.kind != T_NUMBER)
        return expected(p, what);
    if (!str_to_u64(p->cur.text, out))
        return bad_number(p, p->cur.at, p->cur.text, "64 bits");
    advance(p);
    return true;
}

static bool
want_extent(parser *p, int64_t *out)
{
    tok t = p->cur;
    uint64_t u;
    if (!want_u64(p, "an extent", &u))
        return false;
    if (u > INT64_MAX)
        return bad_number(p, t.at, t.text, "64 bits");
    *out = (int64_t)u;
    return true;
}

static bool
want_dtype(parser *p, num_dtype *out)
{
    tok t = p->cur;
    str s = {0};
    if (!want_name(p, "an element type", &s))
        return false;
    *out = num_dtype_parse(s.p, s.n);
    if (*out == DT_NONE)
        diag(p->d, t.at, D_TIR_DTYPE, text_z(p, s));
    return *out != DT_NONE;
}

// ---- tensors ----------------------------------------------------------------

static bool
parse_shape(parser *p, str name, int64_t *shape, uint32_t *rank)
{
    if (!want_punct(p, '['))
        return false;
    for (*rank = 0; !take_punct(p, ']');) {
        if (*rank && !want_punct(p, ','))
            return false;
        if (*rank == TIR_RANK) {
            diag(p->d, p->cur.at, D_TIR_RANK, text_z(p, name),
                 (uint32_t)TIR_RANK, "dimensions");
            return false;
        }
        if (!want_extent(p, &shape[(*rank)++]))
            return false;
    }
    return true;
}

static int
hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
append_hex(parser *p, strbuf *out)
{
    str s = p->cur.text;
    for (size_t i = 0; i < s.n; i += 2) {
        int hi = hex_value(s.p[i]);
        int lo = i + 1 < s.n ? hex_value(s.p[i + 1]) : -1;
        if (hi < 0 || lo < 0)
            return expected(p, "pairs of hexadecimal digits");
        strbuf_putc(out, (char)(hi * 16 + lo));
    }
    advance(p);
    return true;
}

// Bytes of the elements, or UINT64_MAX if that is absurd.
static uint64_t
tensor_bytes(const tir_tensor *t)
{
    uint64_t n = num_dtype_bytes(t->dtype);
    for (uint32_t d = 0; d < t->rank; d++)
        if (!mul_u64(n, (uint64_t)t->shape[d], &n))
            return UINT64_MAX;
    return n;
}

static bool
parse_data(parser *p, tir_tensor *t)
{
    loc at = p->cur.at;
    if (!want_punct(p, '='))
        return false;
    if (p->cur.kind != T_TEXT)
        return expected(p, "data in quotes");
    strbuf bytes = strbuf_new(p->fn->a);
    while (p->cur.kind == T_TEXT)
        if (!append_hex(p, &bytes))
            return false;
    uint64_t want = tensor_bytes(t);
    if (bytes.n != want) {
        diag(p->d, at, D_TIR_DATA, t->name, (unsigned long long)want,
             (unsigned long long)bytes.n * 2);
        return false;
    }
    // A string's bytes may lie anywhere; elements are aligned.
    void *data = arena_alloc(p->fn->a, bytes.n);
    if (bytes.n)
        memcpy(data, bytes.p, bytes.n);
    t->data = data;
    return true;
}

static bool
parse_tensor(parser *p, tir_kind kind)
{
    tok t = p->cur;
    str name = {0};
    num_dtype dtype;
    int64_t shape[TIR_RANK];
    uint32_t rank;
    if (!want_name(p, "a name", &name) || !want_punct(p, ':') ||
        !want_dtype(p, &dtype) || !parse_shape(p, name, shape, &rank))
        return false;
    if (map_get_str(&p->tensors, name)) {
        diag(p->d, t.at, D_TIR_NAME, text_z(p, name), "taken");
        return false;
    }
    uint32_t id =
        tir_add_tensor(p->fn, str_z(p->fn->a, name), kind, dtype, rank, shape);
    map_put_str(&p->tensors, name, id);
    p->fn->tensors.at[id].at = t.at;
    return kind != TIR_CONST || parse_data(p, &p->fn->tensors.at[id]);
}

// ---- affine expressions -----------------------------------------------------

static bool
want_index(parser *p, uint32_t *out)
{
    tok t = p->cur;
    str s = {0};
    if (!want_name(p, "an index", &s))
        return false;
    uint64_t n = 0;
    bool is_red = s.p[0] == 'r';
    bool is_index = (s.p[0] == 'i' || is_red) &&
                    str_to_u64((str){s.p + 1, s.n - 1}, &n) &&
                    n < (is_red ? p->op->nred : p->op->nout);
    if (!is_index) {
        diag(p->d, t.at, D_TIR_INDEX, "i0.. or r0.. of this operation",
             text_z(p, s));
        return false;
    }
    *out = (uint32_t)n + (is_red ? p->op->nout : 0);
    return true;
}

static bool
add_term(parser *p, loc at, bool is_minus, uint64_t mag, int64_t *sum)
{
    uint64_t limit = (uint64_t)INT64_MAX + (is_minus ? 1 : 0);
    int64_t k = (int64_t)(is_minus ? 0 - mag : mag);
    if (mag <= limit && add_i64(*sum, k, sum))
        return true;
    diag(p->d, at, D_TIR_NUMBER, "the coefficient", "64 bits");
    return false;
}

static bool
parse_term(parser *p, bool is_minus, tir_aff *out)
{
    loc at = p->cur.at;
    uint64_t mag = 1;
    uint32_t x;
    if (p->cur.kind == T_NUMBER) {
        if (!want_u64(p, "a number", &mag))
            return false;
        if (!take_punct(p, '*'))
            return add_term(p, at, is_minus, mag, &out->c);
    }
    return want_index(p, &x) && add_term(p, at, is_minus, mag, &out->k[x]);
}

static bool
parse_aff(parser *p, tir_aff *out)
{
    *out = (tir_aff){0};
    bool is_minus = take_punct(p, '-');
    for (;;) {
        if (!parse_term(p, is_minus, out))
            return false;
        is_minus = is_punct(p, '-');
        if (!is_minus && !is_punct(p, '+'))
            return true;
        advance(p);
    }
}

// ---- constants --------------------------------------------------------------

typedef struct {
    num_as as;
    num_word w;
} literal;

static bool
int_literal(parser *p, tok t, bool is_minus, literal *out)
{
    str s = t.text;
    bool is_u32 = s.n && s.p[s.n - 1] == 'u';
    if (is_u32)
        s.n--;
    uint64_t u, limit = is_u32 ? UINT32_MAX : (uint64_t)INT32_MAX + is_minus;
    if ((is_u32 && is_minus) || !str_to_u64(s, &u) || u > limit)
        return bad_number(p, t.at, t.text, is_u32 ? "u32" : "i32");
    out->as = is_u32 ? NUM_AS_U32 : NUM_AS_I32;
    out->w = (num_word)(is_minus ? 0 - u : u);
    return true;
}

static bool
number_literal(parser *p, bool is_minus, literal *out)
{
    tok t = p->cur;
    advance(p);
    bool is_float = false;
    for (size_t i = 0; i < t.text.n; i++)
        if (t.text.p[i] == '.' || t.text.p[i] == 'e')
            is_float = true;
    if (!is_float)
        return int_literal(p, t, is_minus, out);
    double x;
    if (!str_to_f64(t.text, &x))
        return bad_number(p, t.at, t.text, "f32");
    out->as = NUM_AS_F32;
    out->w = num_word_f32(num_round_f32(is_minus ? -x : x));
    return true;
}

// f32(0x7fc00001): any bits.
static bool
bits_literal(parser *p, literal *out)
{
    tok t;
    uint64_t u;
    if (!want_punct(p, '('))
        return false;
    t = p->cur;
    if (!want_u64(p, "the bits of a number", &u) || !want_punct(p, ')'))
        return false;
    if (u > UINT32_MAX)
        return bad_number(p, t.at, t.text, "32 bits");
    *out = (literal){NUM_AS_F32, (num_word)u};
    return true;
}

// Whether a word is a constant, and which.
static bool
word_literal(str s, bool is_minus, literal *out)
{
    num_word sign = is_minus ? 0x80000000u : 0;
    *out = (literal){NUM_AS_F32, 0};
    if (str_eq_z(s, "inf"))
        out->w = 0x7f800000u | sign;
    else if (str_eq_z(s, "nan") && !is_minus)
        out->w = NUM_CANONICAL_NAN;
    else if (str_eq_z(s, "true") && !is_minus)
        *out = (literal){NUM_AS_BOOL, 1};
    else if (str_eq_z(s, "false") && !is_minus)
        *out = (literal){NUM_AS_BOOL, 0};
    else
        return false;
    return true;
}

static bool
parse_literal(parser *p, literal *out)
{
    bool is_minus = take_punct(p, '-');
    if (p->cur.kind == T_NUMBER)
        return number_literal(p, is_minus, out);
    if (!is_minus && take_word(p, "f32"))
        return bits_literal(p, out);
    if (p->cur.kind != T_NAME || !word_literal(p->cur.text, is_minus, out))
        return expected(p, "a constant");
    advance(p);
    return true;
}

// ---- expressions ------------------------------------------------------------

static bool parse_expr(parser *p, uint32_t *out);

static bool
push_literal(parser *p, literal l, uint32_t *out)
{
    *out = tir_const(p->fn, p->op, l.as, l.w);
    return true;
}

// After the name of a tensor.
static bool
parse_read(parser *p, tok name, uint32_t *out)
{
    uint32_t *id = map_get_str(&p->tensors, name.text);
    if (!id) {
        diag(p->d, name.at, D_TIR_UNKNOWN, text_z(p, name.text));
        return false;
    }
    const tir_tensor *t = &p->fn->tensors.at[*id];
    tir_read r = {.tensor = *id};
    uint32_t n = 0;
    if (!want_punct(p, '['))
        return false;
    for (; !take_punct(p, ']'); n++) {
        tir_aff extra;
        if ((n && !want_punct(p, ',')) ||
            !parse_aff(p, n < t->rank ? &r.sub[n] : &extra))
            return false;
    }
    if (n != t->rank) {
        diag(p->d, loc_join(name.at, p->cur.at), D_TIR_SUBS, t->name, t->rank,
             n);
        return false;
    }
    loc at = p->cur.at;
    literal fill = {0};
    r.has_fill = take_word(p, "else");
    if (r.has_fill && !parse_literal(p, &fill))
        return false;
    if (r.has_fill && fill.as != num_widened(t->dtype)) {
        diag(p->d, loc_join(at, p->cur.at), D_TIR_FILL, t->name,
             num_dtype_name(tir_full_dtype(fill.as)),
             num_dtype_name(tir_full_dtype(num_widened(t->dtype))));
        return false;
    }
    r.fill = fill.w;
    tir_node node = {.kind = TIR_N_READ,
                     .as = num_widened(t->dtype),
                     .read = p->op->reads.n};
    vec_push(p->fn->a, &p->op->reads, r);
    *out = tir_push_node(p->fn, p->op, &node);
    return true;
}

static bool
parse_args(parser *p, tir_node *n)
{
    for (uint32_t k = 0; k < tir_arity(n); k++)
        if ((k && !want_punct(p, ',')) || !parse_expr(p, &n->arg[k]))
            return false;
    if (n->kind == TIR_N_CAST &&
        (!want_punct(p, ',') || !want_dtype(p, &n->to)))
        return false;
    return want_punct(p, ')');
}

// The register type a node gives; the verifier judges whether it may.
static num_as
node_gives(const tir_op *op, const tir_node *n)
{
    num_as first = op->nodes.at[n->arg[0]].as;
    switch (n->kind) {
    case TIR_N_UNARY: return num_unary_gives(n->func1, first);
    case TIR_N_BINARY: return num_binary_gives(n->func2, first);
    case TIR_N_SELECT: return op->nodes.at[n->arg[1]].as;
    case TIR_N_CAST: return num_widened(n->to);
    case TIR_N_NONE:
    case TIR_N_CONST:
    case TIR_N_AFFINE:
    case TIR_N_READ: break;
    }
    return NUM_AS_NONE;
}

static bool
parse_index_value(parser *p, uint32_t *out)
{
    tir_node n = {.kind = TIR_N_AFFINE, .as = NUM_AS_I32};
    if (!parse_aff(p, &n.aff) || !want_punct(p, ')'))
        return false;
    *out = tir_push_node(p->fn, p->op, &n);
    return true;
}

// After "name(".
static bool
parse_call(parser *p, tok name, uint32_t *out)
{
    str s = name.text;
    tir_node n = {.func1 = num_unary_parse(s.p, s.n),
                  .func2 = num_binary_parse(s.p, s.n)};
    if (str_eq_z(s, "index"))
        return parse_index_value(p, out);
    if (str_eq_z(s, "select"))
        n.kind = TIR_N_SELECT;
    else if (str_eq_z(s, "cast"))
        n.kind = TIR_N_CAST;
    else if (n.func1 != NUM_U_NONE)
        n.kind = TIR_N_UNARY;
    else if (n.func2 != NUM_B_NONE)
        n.kind = TIR_N_BINARY;
    else {
        diag(p->d, name.at, D_TIR_FUNC, text_z(p, s));
        return false;
    }
    if (!parse_args(p, &n))
        return false;
    n.as = node_gives(p->op, &n);
    *out = tir_push_node(p->fn, p->op, &n);
    return true;
}

static bool
parse_value(parser *p, uint32_t *out)
{
    uint64_t n;
    uint32_t *node = NULL;
    if (str_to_u64(p->cur.text, &n))
        node = map_get_u64(&p->values, n);
    if (!node) {
        diag(p->d, p->cur.at, D_TIR_VALUE,
             arena_printf(p->fn->a, "%%%s", text_z(p, p->cur.text)),
             "not defined");
        return false;
    }
    *out = *node;
    advance(p);
    return true;
}

static bool
parse_word(parser *p, uint32_t *out)
{
    tok name = p->cur;
    literal l;
    advance(p);
    if (is_punct(p, '['))
        return parse_read(p, name, out);
    if (is_punct(p, '(')) {
        if (str_eq_z(name.text, "f32"))
            return bits_literal(p, &l) && push_literal(p, l, out);
        advance(p);
        return parse_call(p, name, out);
    }
    if (!word_literal(name.text, false, &l))
        return expected(p, "'[' or '('");
    return push_literal(p, l, out);
}

static bool
parse_expr(parser *p, uint32_t *out)
{
    if (p->depth == NEST_MAX) {
        diag(p->d, p->cur.at, D_TIR_NEST, (uint32_t)NEST_MAX);
        return false;
    }
    p->depth++;
    bool ok;
    literal l;
    if (p->cur.kind == T_VALUE)
        ok = parse_value(p, out);
    else if (p->cur.kind == T_NAME)
        ok = parse_word(p, out);
    else if (p->cur.kind == T_NUMBER || is_punct(p, '-'))
        ok = parse_literal(p, &l) && push_literal(p, l, out);
    else
        ok = expected(p, "an expression");
    p->depth--;
    return ok;
}

// ---- operations -------------------------------------------------------------

// "[i0:8, i1:64]", with the given letter.
static bool
parse_extents(parser *p, char letter, uint32_t max, int64_t *extent,
              uint32_t *n)
{
    if (!want_punct(p, '['))
        return false;
    for (*n = 0; !take_punct(p, ']');) {
        if (*n && !want_punct(p, ','))
            return false;
        tok t = p->cur;
        str s = {0};
        if (*n == max) {
            diag(p->d, t.at, D_TIR_RANK, "the operation", max, "indices");
            return false;
        }
        const char *name = arena_printf(p->fn->a, "%c%u", letter, *n);
        if (!want_name(p, "an index", &s))
            return false;
        if (!str_eq_z(s, name)) {
            diag(p->d, t.at, D_TIR_INDEX, name, text_z(p, s));
            return false;
        }
        if (!want_punct(p, ':') || !want_extent(p, &extent[(*n)++]))
            return false;
    }
    return true;
}

static bool
parse_reduce(parser *p)
{
    tir_op *op = p->op;
    if (take_word(p, "map"))
        return true;
    op->reduce = p->cur.kind == T_NAME
                     ? num_reduce_parse(p->cur.text.p, p->cur.text.n)
                     : NUM_R_NONE;
    if (op->reduce == NUM_R_NONE)
        return expected(p, "'map' or a reduction");
    advance(p);
    return parse_extents(p, 'r', TIR_INDICES - op->nout, &op->extent[op->nout],
                         &op->nred);
}

// After "{": lines "%n = expr", then the root.
static bool
parse_block(parser *p)
{
    for (;;) {
        tok t = p->cur;
        uint64_t n;
        if (t.kind != T_VALUE)
            return parse_expr(p, &p->op->root) && want_punct(p, '}');
        advance(p);
        if (is_punct(p, '}')) {
            p->pos = t.at.begin; // the root is a value: read it again
            advance(p);
            return parse_value(p, &p->op->root) && want_punct(p, '}');
        }
        uint32_t node;
        if (!want_punct(p, '=') || !parse_expr(p, &node))
            return false;
        if (!str_to_u64(t.text, &n) || map_get_u64(&p->values, n)) {
            diag(p->d, t.at, D_TIR_VALUE,
                 arena_printf(p->fn->a, "%%%s", text_z(p, t.text)),
                 "defined already, or no number");
            return false;
        }
        map_put_u64(&p->values, n, node);
    }
}

static bool
parse_op(parser *p, tok name)
{
    uint32_t *id = map_get_str(&p->tensors, name.text);
    if (!id) {
        diag(p->d, name.at, D_TIR_UNKNOWN, text_z(p, name.text));
        return false;
    }
    tir_op *op = p->op = vec_add(p->fn->a, &p->fn->ops);
    p->values = map_new(p->fn->a);
    op->out = *id;
    (void)vec_add(p->fn->a, &op->nodes);
    if (!parse_extents(p, 'i', TIR_RANK, op->extent, &op->nout) ||
        !want_punct(p, '=') || !parse_reduce(p))
        return false;
    bool ok = take_punct(p, '{') ? parse_block(p) : parse_expr(p, &op->root);
    op->at = (loc){p->source, name.at.begin, p->end};
    return ok;
}

static tir_kind
kind_parse(str s)
{
    if (str_eq_z(s, "input"))
        return TIR_INPUT;
    if (str_eq_z(s, "output"))
        return TIR_OUTPUT;
    if (str_eq_z(s, "temp"))
        return TIR_TEMP;
    return str_eq_z(s, "const") ? TIR_CONST : (tir_kind)0;
}

// A tensor ("input x: ...") or an operation ("x[...] = ..."), which may have a
// tensor of any name.
static bool
parse_item(parser *p)
{
    tok name = p->cur;
    str s = {0};
    if (!want_name(p, "a tensor, an operation or '}'", &s))
        return false;
    tir_kind kind = kind_parse(s);
    if (kind && !is_punct(p, '['))
        return parse_tensor(p, kind);
    return parse_op(p, name);
}

static bool
parse_fn(parser *p)
{
    str name = {0};
    if (!take_word(p, "tensor_ir"))
        return expected(p, "'tensor_ir'");
    if (!want_punct(p, '@') || !want_name(p, "a name", &name) ||
        !want_punct(p, '{'))
        return false;
    p->fn->name = str_z(p->fn->a, name);
    while (!take_punct(p, '}'))
        if (!parse_item(p))
            return false;
    return p->cur.kind == T_END || expected(p, "the end of the text");
}

tir_fn *
tir_parse(arena *a, diags *d, uint32_t source)
{
    str text = d->sources.at[source].text;
    if (text.n >= UINT32_MAX) {
        diag(d, (loc){source, 0, 0}, D_TIR_NUMBER, "the text", "4 GiB");
        return NULL;
    }
    parser p = {.d = d,
                .source = source,
                .text = text,
                .fn = tir_fn_new(a, ""),
                .tensors = map_new(a)};
    advance(&p);
    if (!parse_fn(&p) || !tir_verify(p.fn, d))
        return NULL;
    return p.fn;
}
