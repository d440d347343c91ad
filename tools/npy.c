// SPDX-License-Identifier: Apache-2.0
// The .npy format, versions 1 to 3: reading with every promise of the header
// checked against the bytes that are there, converting elements, writing.
#include "tools/tools.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";
enum { MAGIC_BYTES = 6, HEADER_ALIGN = 64 };

// ---- the header: a Python dict of three entries
// ------------------------------

typedef struct {
    str rest;
    const char *wrong; // NULL: so far so good
    arena *a;
    npy_array *out;
    bool has_descr, has_order, has_shape;
} header;

static void
skip_blanks(header *h)
{
    while (h->rest.n && strchr(" \t\r\n", h->rest.p[0]))
        h->rest = (str){h->rest.p + 1, h->rest.n - 1};
}

static bool
take(header *h, const char *word)
{
    skip_blanks(h);
    size_t n = strlen(word);
    if (h->rest.n < n || memcmp(h->rest.p, word, n) != 0)
        return false;
    h->rest = (str){h->rest.p + n, h->rest.n - n};
    return true;
}

static bool
wrong(header *h, const char *what)
{
    if (!h->wrong)
        h->wrong = what;
    return false;
}

static bool
take_string(header *h, str *out)
{
    skip_blanks(h);
    if (h->rest.n < 2 || (h->rest.p[0] != '\'' && h->rest.p[0] != '"'))
        return wrong(h, "a string was expected");
    const char *from = h->rest.p + 1;
    const char *end = memchr(from, h->rest.p[0], h->rest.n - 1);
    if (!end)
        return wrong(h, "a string does not end");
    *out = (str){from, (size_t)(end - from)};
    h->rest = (str){end + 1, h->rest.n - out->n - 2};
    return true;
}

static bool
take_extent(header *h, int64_t *out)
{
    skip_blanks(h);
    size_t n = 0;
    while (n < h->rest.n && h->rest.p[n] >= '0' && h->rest.p[n] <= '9')
        n++;
    if (!str_to_i64((str){h->rest.p, n}, out))
        return wrong(h, "an extent is not a number that fits");
    h->rest = (str){h->rest.p + n, h->rest.n - n};
    take(h, "L"); // files of old Pythons
    return true;
}

static bool
take_shape(header *h)
{
    npy_array *x = h->out;
    if (!take(h, "("))
        return wrong(h, "the shape is not a tuple");
    x->rank = 0;
    while (!take(h, ")")) {
        if (x->rank == SY_MAX_RANK)
            return wrong(h, "more than 8 dimensions");
        if (!take_extent(h, &x->shape[x->rank]))
            return false;
        x->rank++;
        if (take(h, ","))
            continue;
        if (!take(h, ")"))
            return wrong(h, "the shape does not end");
        break;
    }
    return h->has_shape = true;
}

static bool
take_descr(header *h)
{
    str s;
    skip_blanks(h);
    if (h->rest.n && h->rest.p[0] == '[')
        return wrong(h, "elements with fields are not supported");
    if (!take_string(h, &s))
        return false;
    h->out->descr = str_z(h->a, s);
    return h->has_descr = true;
}

static bool
take_order(header *h)
{
    if (take(h, "True"))
        h->out->fortran = true;
    else if (!take(h, "False"))
        return wrong(h, "'fortran_order' is neither True nor False");
    return h->has_order = true;
}

static bool
take_entry(header *h)
{
    str key;
    if (!take_string(h, &key))
        return false;
    if (!take(h, ":"))
        return wrong(h, "':' was expected");
    if (str_eq_z(key, "descr"))
        return take_descr(h);
    if (str_eq_z(key, "fortran_order"))
        return take_order(h);
    if (str_eq_z(key, "shape"))
        return take_shape(h);
    return wrong(h, "an unknown key");
}

static bool
take_header(header *h)
{
    if (!take(h, "{"))
        return wrong(h, "it does not start with '{'");
    while (!take(h, "}")) {
        if (!take_entry(h))
            return false;
        if (take(h, ","))
            continue;
        if (!take(h, "}"))
            return wrong(h, "it does not end with '}'");
        break;
    }
    skip_blanks(h);
    if (h->rest.n)
        return wrong(h, "something follows the '}'");
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return wrong(h, "'descr', 'fortran_order' or 'shape' is missing");
    return true;
}

// "<f4": byte order, kind, bytes.
static bool
parse_descr(npy_array *x)
{
    static const char *const known[] = {"f2", "f4", "f8", "i1", "i2",
                                        "i4", "i8", "u1", "u2", "u4",
                                        "u8", "b1", "V1", "V2"};
    const char *t = x->descr;
    char order = '|';
    if (*t && strchr("<>|=", *t))
        order = *t++;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(t, known[i]) != 0)
            continue;
        x->kind = t[0];
        x->size = (uint32_t)(t[1] - '0');
        x->swapped = order == '>' && x->size > 1;
        return true;
    }
    return false;
}

static bool
check_size(diags *d, npy_array *x)
{
    uint64_t bytes = x->size;
    bool fits = true, empty = false;
    for (uint32_t i = 0; i < x->rank; i++)
        empty = empty || x->shape[i] == 0;
    for (uint32_t i = 0; i < x->rank && !empty; i++)
        fits = fits && mul_u64(bytes, (uint64_t)x->shape[i], &bytes);
    bytes = empty ? 0 : fits ? bytes : UINT64_MAX;
    x->elems = bytes / x->size;
    if (bytes == x->data.n)
        return true;
    diag(d, (loc){0}, D_NPY_SIZE, x->path, (unsigned long long)bytes,
         (unsigned long long)x->data.n);
    return false;
}

// Splits the file into header and elements.
static bool
split(str bytes, str *head, str *data)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    bool first = bytes.n > 7 && p[6] == 1;
    size_t fixed = first ? 10 : 12;
    if (bytes.n < fixed || p[6] < 1 || p[6] > 3)
        return false;
    uint64_t n = (uint64_t)p[8] | (uint64_t)p[9] << 8;
    if (!first)
        n |= (uint64_t)p[10] << 16 | (uint64_t)p[11] << 24;
    if (n > bytes.n - fixed)
        return false;
    *head = (str){bytes.p + fixed, n};
    *data = (str){bytes.p + fixed + n, bytes.n - fixed - n};
    return true;
}

bool
npy_parse(arena *a, diags *d, const char *path, str bytes, npy_array *out)
{
    *out = (npy_array){.path = path};
    if (bytes.n < MAGIC_BYTES || memcmp(bytes.p, magic, MAGIC_BYTES) != 0) {
        diag(d, (loc){0}, D_NPY_MAGIC, path);
        return false;
    }
    header h = {.a = a, .out = out};
    if (!split(bytes, &h.rest, &out->data)) {
        diag(d, (loc){0}, D_NPY_HEADER, path,
             "it is cut short or of an unknown version");
        return false;
    }
    if (!take_header(&h)) {
        diag(d, (loc){0}, D_NPY_HEADER, path, h.wrong);
        return false;
    }
    if (!parse_descr(out)) {
        diag(d, (loc){0}, D_NPY_DTYPE, path, out->descr);
        return false;
    }
    return check_size(d, out);
}

// ---- converting
// --------------------------------------------------------------

// The element as an unsigned number of its size.
static uint64_t
raw_at(const npy_array *x, uint64_t e)
{
    const unsigned char *p = (const unsigned char *)x->data.p + e * x->size;
    uint64_t w = 0;
    for (uint32_t i = 0; i < x->size; i++)
        w |= (uint64_t)p[x->swapped ? x->size - 1 - i : i] << (8 * i);
    return w;
}

// Where row-major element e is stored.
static uint64_t
stored_index(const npy_array *x, uint64_t e)
{
    if (!x->fortran)
        return e;
    uint64_t at = 0, stride = x->elems;
    for (uint32_t i = x->rank; i-- > 0;) {
        uint64_t extent = (uint64_t)x->shape[i];
        stride /= extent;
        at += e % extent * stride;
        e /= extent;
    }
    return at;
}

// A binary64 rounded to odd in binary32: a further rounding to any of our
// narrower types is then as if there had been only that one.
static float
round_to_odd(double x)
{
    float f = (float)x;
    if ((double)f == x || isnan(x))
        return f;
    if (fabs((double)f) > fabs(x))
        f = nextafterf(f, 0.0f);
    return num_f32(num_word_f32(f) | 1u);
}

static double
double_of(uint64_t w)
{
    union {
        uint64_t u;
        double f;
    } x = {w};
    return x.f;
}

static num_word
float_word(const npy_array *x, uint64_t raw, num_dtype to)
{
    unsigned char p[4] = {(unsigned char)raw, (unsigned char)(raw >> 8),
                          (unsigned char)(raw >> 16),
                          (unsigned char)(raw >> 24)};
    if (x->kind == 'V')
        return num_load(x->size == 2 ? DT_BF16 : to, p);
    if (x->size == 2)
        return num_load(DT_F16, p);
    if (x->size == 4)
        return num_load(DT_F32, p);
    double v = double_of(raw);
    return num_word_f32(to == DT_F32 ? num_round_f32(v) : round_to_odd(v));
}

static bool
convert_floats(const npy_array *x, num_dtype to, uint8_t *out)
{
    uint32_t size = num_dtype_bytes(to);
    for (uint64_t e = 0; e < x->elems; e++) {
        uint64_t raw = raw_at(x, stored_index(x, e));
        num_store(to, out + e * size, NUM_AS_F32, float_word(x, raw, to));
    }
    return true;
}

// Whether the number (sign-extended when 'is_signed') is one of the type's.
static bool
fits(num_dtype to, bool is_signed, uint64_t w)
{
    uint32_t bits = 8 * num_dtype_bytes(to);
    bool negative = is_signed && (int64_t)w < 0;
    switch (num_dtype_class(to)) {
    case NUM_FLOAT:
    case NUM_PACKED: return false;
    case NUM_BOOL: return w <= 1;
    case NUM_UINT: return !negative && w >> bits == 0;
    case NUM_SINT:
        return negative ? (int64_t)w >= -((int64_t)1 << (bits - 1))
                        : w >> (bits - 1) == 0;
    }
    return false;
}

static bool
convert_ints(diags *d, const npy_array *x, num_dtype to, uint8_t *out)
{
    uint32_t size = num_dtype_bytes(to);
    uint32_t shift = 64 - 8 * x->size;
    for (uint64_t e = 0; e < x->elems; e++) {
        uint64_t w = raw_at(x, stored_index(x, e));
        bool is_signed = x->kind == 'i';
        if (is_signed)
            w = (uint64_t)((int64_t)(w << shift) >> shift);
        if (x->kind == 'b')
            w = w != 0;
        if (!fits(to, is_signed, w)) {
            char text[32];
            if (is_signed)
                snprintf(text, sizeof text, "%lld", (long long)w);
            else
                snprintf(text, sizeof text, "%llu", (unsigned long long)w);
            diag(d, (loc){0}, D_NPY_VALUE, x->path, (unsigned long long)e, text,
                 num_dtype_name(to));
            return false;
        }
        for (uint32_t i = 0; i < size; i++)
            out[e * size + i] = (uint8_t)(w >> (8 * i));
    }
    return true;
}

// Raw bytes go with what they can only be: two are bf16, one is the fp8 type
// that is wanted.
static bool
classes_match(const npy_array *x, num_dtype to)
{
    bool is_float = x->kind == 'f' || x->kind == 'V';
    if (x->kind == 'V' && x->size == 1 && num_dtype_bytes(to) != 1)
        return false;
    return is_float == num_is_float(to);
}

static bool
same_type(const npy_array *x, num_dtype to)
{
    bool raw = x->kind == 'V';
    switch (to) {
    case DT_F32: return x->kind == 'f' && x->size == 4;
    case DT_F16: return x->kind == 'f' && x->size == 2;
    case DT_BF16: return raw && x->size == 2;
    case DT_F8E4M3:
    case DT_F8E5M2:
    case DT_F8E3M4:
    case DT_F8E4M3FN:
    case DT_F4E2M1:
    case DT_E8M0: return raw && x->size == 1;
    case DT_F8E4M3FNX4:
    case DT_F8E5M2X4:
    case DT_F4E2M1X4:
    case DT_NONE:
    case DT_TF32:
    case DT_I8:
    case DT_I16:
    case DT_I32:
    case DT_U8:
    case DT_U16:
    case DT_U32:
    case DT_BOOL:
    case DT_COUNT: break;
    }
    return false;
}

bool
npy_convert(arena *a, diags *d, const npy_array *in, const char *name,
            num_dtype dtype, void **out, bool *converted)
{
    *converted = false;
    if (!classes_match(in, dtype)) {
        diag(d, (loc){0}, D_NPY_CLASS, in->path, in->descr, name,
             num_dtype_name(dtype));
        return false;
    }
    uint32_t size = num_dtype_bytes(dtype);
    uint8_t *to = arena_array(a, in->elems, size);
    *out = to;
    if (!num_is_float(dtype))
        return convert_ints(d, in, dtype, to);
    *converted = !same_type(in, dtype);
    if (*converted)
        return convert_floats(in, dtype, to);
    for (uint64_t e = 0; e < in->elems; e++) {
        uint64_t w = raw_at(in, stored_index(in, e));
        for (uint32_t i = 0; i < size; i++)
            to[e * size + i] = (uint8_t)(w >> (8 * i));
    }
    return true;
}

// ---- writing
// -----------------------------------------------------------------

static const char *
descr_of(num_dtype t)
{
    switch (t) {
    case DT_F32:
    case DT_TF32: return "<f4";
    case DT_F16: return "<f2";
    case DT_BF16: return "<V2";
    case DT_F8E4M3:
    case DT_F8E5M2:
    case DT_F8E3M4:
    case DT_F8E4M3FN:
    case DT_F4E2M1:
    case DT_E8M0: return "|V1";
    case DT_I8: return "|i1";
    case DT_I16: return "<i2";
    case DT_I32: return "<i4";
    case DT_U8: return "|u1";
    case DT_U16: return "<u2";
    case DT_U32: return "<u4";
    case DT_BOOL: return "|b1";
    case DT_F8E4M3FNX4:
    case DT_F8E5M2X4:
    case DT_F4E2M1X4:
    case DT_NONE:
    case DT_COUNT: break;
    }
    return "|V1";
}

str
npy_write(arena *a, const sy_array_type *type, const void *data)
{
    num_dtype t = num_dtype_parse(type->dtype, strlen(type->dtype));
    strbuf h = strbuf_new(a);
    strbuf_printf(&h, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                  descr_of(t));
    uint64_t bytes = num_dtype_bytes(t);
    for (uint32_t i = 0; i < type->rank; i++) {
        strbuf_printf(&h, "%s%lld", i ? ", " : "", (long long)type->shape[i]);
        bytes *= (uint64_t)type->shape[i];
    }
    strbuf_put(&h, type->rank == 1 ? STR(",), }") : STR("), }"));
    while ((MAGIC_BYTES + 4 + h.n + 1) % HEADER_ALIGN)
        strbuf_putc(&h, ' ');
    strbuf_putc(&h, '\n');
    strbuf out = strbuf_new(a);
    strbuf_put(&out, (str){magic, MAGIC_BYTES});
    strbuf_putc(&out, 1);
    strbuf_putc(&out, 0);
    strbuf_putc(&out, (char)(h.n & 0xff));
    strbuf_putc(&out, (char)(h.n >> 8));
    strbuf_put(&out, strbuf_str(&h));
    strbuf_put(&out, (str){data, bytes});
    return strbuf_str(&out);
}
