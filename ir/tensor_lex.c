// SPDX-License-Identifier: Apache-2.0
// Tokens and constants of the text form of tensor IR, and the questions that
// its parser asks of them. What is wanted and missing becomes a diagnostic.
#include "ir/tensor_int.h"

// ---- tokens

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
char_at(const tir_lex *lx, uint32_t pos)
{
    return pos < lx->text.n ? lx->text.p[pos] : '\0';
}

static uint32_t
skip_space(const tir_lex *lx, uint32_t pos)
{
    for (;; pos++) {
        char c = char_at(lx, pos);
        if (c == '#')
            while (pos < lx->text.n && lx->text.p[pos] != '\n')
                pos++;
        else if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return pos;
    }
}

static uint32_t
word_end(const tir_lex *lx, uint32_t pos)
{
    while (is_letter(char_at(lx, pos)) || is_digit(char_at(lx, pos)))
        pos++;
    return pos;
}

// Digits, points, letters, and a sign after an exponent; judged later.
static uint32_t
number_end(const tir_lex *lx, uint32_t pos)
{
    bool is_hex = char_at(lx, pos) == '0' && char_at(lx, pos + 1) == 'x';
    for (;; pos++) {
        char c = char_at(lx, pos);
        char before = pos ? lx->text.p[pos - 1] : '\0';
        bool is_exp_sign = !is_hex && (c == '-' || c == '+') &&
                           (before == 'e' || before == 'E');
        if (!is_digit(c) && !is_letter(c) && c != '.' && !is_exp_sign)
            return pos;
    }
}

static uint32_t
text_end(const tir_lex *lx, uint32_t pos)
{
    while (pos < lx->text.n && lx->text.p[pos] != '"' &&
           lx->text.p[pos] != '\n')
        pos++;
    return pos;
}

void
tlex_advance(tir_lex *lx)
{
    lx->end = lx->cur.at.end;
    uint32_t begin = skip_space(lx, lx->pos), end = begin + 1, trim = 0;
    char c = char_at(lx, begin);
    tir_tok_kind kind = TIR_T_PUNCT;
    if (begin >= lx->text.n) {
        kind = TIR_T_END;
        begin = end = (uint32_t)lx->text.n;
    } else if (is_letter(c)) {
        kind = TIR_T_NAME;
        end = word_end(lx, begin);
    } else if (is_digit(c)) {
        kind = TIR_T_NUMBER;
        end = number_end(lx, begin);
    } else if (c == '%') {
        kind = TIR_T_VALUE;
        trim = 1;
        end = word_end(lx, begin + 1);
    } else if (c == '"') {
        trim = 1;
        end = text_end(lx, begin + 1);
        kind = char_at(lx, end) == '"' ? TIR_T_TEXT : TIR_T_PUNCT;
    }
    lx->cur.kind = kind;
    lx->cur.text = (str){lx->text.p + begin + trim, end - begin - trim};
    lx->pos = kind == TIR_T_TEXT ? end + 1 : end;
    lx->cur.at = (loc){lx->source, begin, lx->pos};
}

// ---- expecting

char *
tlex_text(const tir_lex *lx, str s)
{
    enum { SHOWN = 60 };
    return str_z(lx->a, (str){s.p, s.n < SHOWN ? s.n : SHOWN});
}

bool
tlex_expected(tir_lex *lx, const char *what)
{
    const char *found = "the end of the text";
    if (lx->cur.kind != TIR_T_END) {
        char c = lx->cur.text.n ? lx->cur.text.p[0] : '\0';
        if (lx->cur.kind == TIR_T_PUNCT && (c < ' ' || c > '~'))
            found = arena_printf(lx->a, "byte 0x%02x", (unsigned char)c);
        else
            found = arena_printf(lx->a, "'%s'", tlex_text(lx, lx->cur.text));
    }
    diag(lx->d, lx->cur.at, D_TIR_SYNTAX, what, found);
    return false;
}

bool
tlex_is_punct(const tir_lex *lx, char c)
{
    return lx->cur.kind == TIR_T_PUNCT && lx->cur.text.n == 1 &&
           lx->cur.text.p[0] == c;
}

bool
tlex_take_punct(tir_lex *lx, char c)
{
    if (!tlex_is_punct(lx, c))
        return false;
    tlex_advance(lx);
    return true;
}

bool
tlex_want_punct(tir_lex *lx, char c)
{
    if (tlex_take_punct(lx, c))
        return true;
    return tlex_expected(lx, arena_printf(lx->a, "'%c'", c));
}

static bool
is_word(const tir_lex *lx, const char *word)
{
    return lx->cur.kind == TIR_T_NAME && str_eq_z(lx->cur.text, word);
}

bool
tlex_take_word(tir_lex *lx, const char *word)
{
    if (!is_word(lx, word))
        return false;
    tlex_advance(lx);
    return true;
}

bool
tlex_want_name(tir_lex *lx, const char *what, str *out)
{
    if (lx->cur.kind != TIR_T_NAME)
        return tlex_expected(lx, what);
    *out = lx->cur.text;
    tlex_advance(lx);
    return true;
}

static bool
bad_number(tir_lex *lx, loc at, str s, const char *type)
{
    diag(lx->d, at, D_TIR_NUMBER, tlex_text(lx, s), type);
    return false;
}

bool
tlex_want_u64(tir_lex *lx, const char *what, uint64_t *out)
{
    if (lx->cur.kind != TIR_T_NUMBER)
        return tlex_expected(lx, what);
    if (!str_to_u64(lx->cur.text, out))
        return bad_number(lx, lx->cur.at, lx->cur.text, "64 bits");
    tlex_advance(lx);
    return true;
}

bool
tlex_want_extent(tir_lex *lx, int64_t *out)
{
    tir_tok t = lx->cur;
    uint64_t u;
    if (!tlex_want_u64(lx, "an extent", &u))
        return false;
    if (u > INT64_MAX)
        return bad_number(lx, t.at, t.text, "64 bits");
    *out = (int64_t)u;
    return true;
}

bool
tlex_want_dtype(tir_lex *lx, num_dtype *out)
{
    tir_tok t = lx->cur;
    str s = {0};
    if (!tlex_want_name(lx, "an element type", &s))
        return false;
    *out = num_dtype_parse(s.p, s.n);
    if (*out == DT_NONE)
        diag(lx->d, t.at, D_TIR_DTYPE, tlex_text(lx, s));
    return *out != DT_NONE;
}

// ---- constants

static bool
int_literal(tir_lex *lx, tir_tok t, bool is_minus, tir_literal *out)
{
    str s = t.text;
    bool is_u32 = s.n && s.p[s.n - 1] == 'u';
    if (is_u32)
        s.n--;
    uint64_t u, limit = is_u32 ? UINT32_MAX : (uint64_t)INT32_MAX + is_minus;
    if ((is_u32 && is_minus) || !str_to_u64(s, &u) || u > limit)
        return bad_number(lx, t.at, t.text, is_u32 ? "u32" : "i32");
    out->as = is_u32 ? NUM_AS_U32 : NUM_AS_I32;
    out->w = (num_word)(is_minus ? 0 - u : u);
    return true;
}

static bool
number_literal(tir_lex *lx, bool is_minus, tir_literal *out)
{
    tir_tok t = lx->cur;
    tlex_advance(lx);
    bool is_float = false;
    for (size_t i = 0; i < t.text.n; i++)
        if (t.text.p[i] == '.' || t.text.p[i] == 'e')
            is_float = true;
    if (!is_float)
        return int_literal(lx, t, is_minus, out);
    double x;
    if (!str_to_f64(t.text, &x))
        return bad_number(lx, t.at, t.text, "f32");
    out->as = NUM_AS_F32;
    out->w = num_word_f32(num_round_f32(is_minus ? -x : x));
    return true;
}

// f32(0x7fc00001): any bits.
bool
tlex_want_bits(tir_lex *lx, tir_literal *out)
{
    tir_tok t;
    uint64_t u;
    if (!tlex_want_punct(lx, '('))
        return false;
    t = lx->cur;
    if (!tlex_want_u64(lx, "the bits of a number", &u) ||
        !tlex_want_punct(lx, ')'))
        return false;
    if (u > UINT32_MAX)
        return bad_number(lx, t.at, t.text, "32 bits");
    *out = (tir_literal){NUM_AS_F32, (num_word)u};
    return true;
}

// Whether a word is a constant, and which.
bool
tlex_word_literal(str s, bool is_minus, tir_literal *out)
{
    num_word sign = is_minus ? 0x80000000u : 0;
    *out = (tir_literal){NUM_AS_F32, 0};
    if (str_eq_z(s, "inf"))
        out->w = 0x7f800000u | sign;
    else if (str_eq_z(s, "nan") && !is_minus)
        out->w = NUM_CANONICAL_NAN;
    else if (str_eq_z(s, "true") && !is_minus)
        *out = (tir_literal){NUM_AS_BOOL, 1};
    else if (str_eq_z(s, "false") && !is_minus)
        *out = (tir_literal){NUM_AS_BOOL, 0};
    else
        return false;
    return true;
}

bool
tlex_want_literal(tir_lex *lx, tir_literal *out)
{
    bool is_minus = tlex_take_punct(lx, '-');
    if (lx->cur.kind == TIR_T_NUMBER)
        return number_literal(lx, is_minus, out);
    if (!is_minus && tlex_take_word(lx, "f32"))
        return tlex_want_bits(lx, out);
    if (lx->cur.kind != TIR_T_NAME ||
        !tlex_word_literal(lx->cur.text, is_minus, out))
        return tlex_expected(lx, "a constant");
    tlex_advance(lx);
    return true;
}
