// SPDX-License-Identifier: Apache-2.0
// Slices, building strings, numbers to text and back. Everything here behaves
// as in the C locale, whatever the process has set: the locale of the thread
// is switched around each use of printf and strtod.
#include "support/support.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

str
str_of(const char *z)
{
    return (str){z, strlen(z)};
}

bool
str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_eq_z(str a, const char *z)
{
    return str_eq(a, str_of(z));
}

int
str_cmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c)
        return c;
    return (a.n > b.n) - (a.n < b.n);
}

char *
str_z(arena *a, str s)
{
    if (s.n == SIZE_MAX)
        s.n--; // the allocation below then reports it
    char *z = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(z, s.p, s.n);
    return z;
}

str
str_dup(arena *a, str s)
{
    return (str){str_z(a, s), s.n};
}

enum { DISTANCE_MAX = 63 }; // longer names are never suggested

uint32_t
str_distance(str a, str b, uint32_t cap)
{
    if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
        return cap;
    uint32_t row[DISTANCE_MAX + 1];
    for (uint32_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (uint32_t i = 1; i <= a.n; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b.n; j++) {
            uint32_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.n] < cap ? row[b.n] : cap;
}

// ---- building

strbuf
strbuf_new(arena *a)
{
    return (strbuf){a, NULL, 0, 0};
}

// Room for n more bytes and the terminator.
static void
make_room(strbuf *b, size_t n)
{
    if (b->cap > b->n && n < b->cap - b->n)
        return;
    size_t need = 0;
    if (__builtin_add_overflow(b->n, n, &need) ||
        __builtin_add_overflow(need, (size_t)1, &need))
        need = SIZE_MAX;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    char *p = arena_alloc(b->a, cap);
    if (b->n)
        memcpy(p, b->p, b->n);
    b->p = p;
    b->cap = cap;
}

void
strbuf_put(strbuf *b, str s)
{
    make_room(b, s.n);
    if (s.n)
        memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
    b->p[b->n] = 0;
}

void
strbuf_putc(strbuf *b, char c)
{
    strbuf_put(b, (str){&c, 1});
}

// The C locale for this thread; give the result to locale_leave. glibc keeps
// one static object for it, so this costs nothing.
static locale_t
locale_enter(void)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return c ? uselocale(c) : uselocale((locale_t)0);
}

static void
locale_leave(locale_t saved)
{
    locale_t c = uselocale(saved);
    if (c != saved && c != LC_GLOBAL_LOCALE)
        freelocale(c);
}

void
strbuf_vprintf(strbuf *b, const char *fmt, va_list ap)
{
    locale_t saved = locale_enter();
    va_list again;
    va_copy(again, ap);
    make_room(b, 127);
    int n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
    if (n > 0 && (size_t)n >= b->cap - b->n) {
        make_room(b, (size_t)n);
        n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, again);
    }
    va_end(again);
    locale_leave(saved);
    SY_CHECK(n >= 0, "bad format '%s'", fmt);
    b->n += (size_t)n;
}

void
strbuf_printf(strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_vprintf(b, fmt, ap);
    va_end(ap);
}

str
strbuf_str(const strbuf *b)
{
    return (str){b->p ? b->p : "", b->n};
}

char *
arena_printf(arena *a, const char *fmt, ...)
{
    strbuf b = strbuf_new(a);
    va_list ap;
    va_start(ap, fmt);
    strbuf_vprintf(&b, fmt, ap);
    va_end(ap);
    return b.p;
}

// ---- numbers

enum { F32_DIGITS = 9 }; // always enough to identify a binary32

void
strbuf_f32(strbuf *b, float x)
{
    if (isnan(x)) {
        strbuf_put(b, STR("nan"));
        return;
    }
    if (isinf(x)) {
        strbuf_put(b, x < 0 ? STR("-inf") : STR("inf"));
        return;
    }
    char text[32];
    locale_t saved = locale_enter();
    for (int digits = 1; digits <= F32_DIGITS; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)x);
        if (strtof(text, NULL) == x)
            break;
    }
    locale_leave(saved);
    strbuf_put(b, str_of(text));
    if (!strpbrk(text, ".e"))
        strbuf_put(b, STR(".0"));
}

// Digits of 's' from 'i' on in base 10 or 16.
static bool
parse_digits(str s, size_t i, uint32_t base, uint64_t *out)
{
    if (i >= s.n)
        return false;
    uint64_t x = 0;
    for (; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        uint32_t digit = 99;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)c - 'A' + 10;
        if (digit >= base || __builtin_mul_overflow(x, base, &x) ||
            __builtin_add_overflow(x, digit, &x))
            return false;
    }
    *out = x;
    return true;
}

bool
str_to_u64(str s, uint64_t *out)
{
    if (s.n > 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X'))
        return parse_digits(s, 2, 16, out);
    return parse_digits(s, 0, 10, out);
}

bool
str_to_i64(str s, int64_t *out)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    uint64_t x = 0;
    if (!parse_digits(s, minus ? 1 : 0, 10, &x) ||
        x > (uint64_t)INT64_MAX + (minus ? 1u : 0u))
        return false;
    *out = minus ? (int64_t)(0 - x) : (int64_t)x;
    return true;
}

// A decimal number taken apart: 0.DIGITS times 10^exp. More digits than are
// kept only matter by whether one of them is not zero (a binary64 halfway case
// has at most 767 significant digits).
enum { F64_DIGITS = 800 };

typedef struct {
    char digit[F64_DIGITS + 1];
    size_t n;
    int64_t exp;
} decimal;

static void
decimal_add(decimal *d, char c)
{
    if (d->n == 0 && c == '0')
        return;
    if (d->n < F64_DIGITS)
        d->digit[d->n++] = c;
    else if (c != '0')
        d->digit[F64_DIGITS - 1] = '1'; // sticky
}

static bool
is_digit(str s, size_t i)
{
    return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

// [0-9]*[.][0-9]* with at least one digit; *i moves past it.
static bool
decimal_mantissa(str s, size_t *i, decimal *d)
{
    size_t seen = 0;
    for (; is_digit(s, *i); ++*i, seen++) {
        decimal_add(d, s.p[*i]);
        d->exp += d->n > 0;
    }
    if (*i < s.n && s.p[*i] == '.') {
        for (++*i; is_digit(s, *i); ++*i, seen++) {
            decimal_add(d, s.p[*i]);
            d->exp -= d->n == 0;
        }
    }
    return seen > 0;
}

static bool
decimal_exponent(str s, size_t i, decimal *d)
{
    if (i == s.n)
        return true;
    if (s.p[i] != 'e' && s.p[i] != 'E')
        return false;
    i++;
    bool minus = i < s.n && s.p[i] == '-';
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
        i++;
    if (!is_digit(s, i))
        return false;
    int64_t e = 0;
    for (; is_digit(s, i); i++)
        e = e > INT32_MAX ? e : e * 10 + (s.p[i] - '0');
    d->exp += minus ? -e : e;
    return i == s.n;
}

static bool
parse_word(str s, bool minus, double *out)
{
    if (str_eq_z(s, "inf")) {
        *out = minus ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    if (str_eq_z(s, "nan")) {
        *out = (double)NAN;
        return true;
    }
    return false;
}

bool
str_to_f64(str s, double *out)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    if (s.n > 0 && (minus || s.p[0] == '+'))
        s = (str){s.p + 1, s.n - 1};
    if (parse_word(s, minus, out))
        return true;
    decimal d = {0};
    size_t i = 0;
    if (!decimal_mantissa(s, &i, &d) || !decimal_exponent(s, i, &d))
        return false;
    if (d.n == 0) {
        *out = minus ? -0.0 : 0.0;
        return true;
    }
    char text[F64_DIGITS + 64];
    int64_t exp = min_i64(max_i64(d.exp, -100000), 100000);
    snprintf(text, sizeof text, "%s0.%se%lld", minus ? "-" : "", d.digit,
             (long long)exp);
    locale_t saved = locale_enter();
    // The point is written by us, so only strtod depends on the locale.
    *out = strtod(text, NULL);
    locale_leave(saved);
    return isfinite(*out);
}
