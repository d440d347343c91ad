// SPDX-License-Identifier: Apache-2.0
// Elements in memory to registers and back. An element is first its code, the
// bits of its one, two or four bytes; codes are decoded and encoded in blocks.
#include "numerics/numerics_int.h"

#include <string.h>

#define F32_INF 0x7f800000u

// ---- floats narrower than 32 bits: a hidden bit, 'bias', 'man' fraction bits,
// 'width' bits in all. 'last' is the largest finite code; what is beyond it
// becomes 'past' (infinity; NaN or the largest where there is none), NaN 'nan'.

typedef struct {
    uint32_t man, bias, width, last, past, nan;
} layout;

static const layout layout_f16 = {10, 15, 16, 0x7bff, 0x7c00, 0x7e00};
static const layout layout_e4m3 = {3, 7, 8, 0x77, 0x78, 0x7c};
static const layout layout_e5m2 = {2, 15, 8, 0x7b, 0x7c, 0x7e};
static const layout layout_e3m4 = {4, 3, 8, 0x6f, 0x70, 0x78};
static const layout layout_e4m3fn = {3, 7, 8, 0x7e, 0x7f, 0x7f};
// without NaN: -0 for it, as ml_dtypes has it
static const layout layout_e2m1 = {1, 1, 4, 7, 7, 8};

NUM_INLINE float
two_to(uint32_t biased)
{
    return num_f32(biased << 23);
}

NUM_INLINE num_word
decode_narrow(layout l, uint32_t code)
{
    uint32_t top = 1u << (l.width - 1), mag = code & (top - 1);
    bool has_inf = l.past > l.last && l.past != l.nan;
    bool is_inf = has_inf && mag == l.past;
    // A normal number's code is in binary32's places but for the biases'
    // difference; a subnormal counts the smallest number. (Scaling both by one
    // product would be shorter, but meets binary32 subnormals, which are slow.)
    num_word normal = (mag << (23 - l.man)) + ((127 - l.bias) << 23);
    num_word small =
        num_word_f32((float)(int32_t)mag * two_to(128 - l.bias - l.man));
    num_word w = num_pick32(mag >> l.man == 0, small, normal);
    w = num_pick32(is_inf, F32_INF, w);
    w |= (code & top) << (32 - l.width);
    return num_pick32(mag > l.last && !is_inf, NUM_CANONICAL_NAN, w);
}

NUM_INLINE uint32_t
encode_narrow(layout l, num_word w)
{
    const uint32_t e_min = (128 - l.bias) << 23, e_max = (128 + l.bias) << 23;
    uint32_t mag = w & 0x7fffffffu, e = mag & F32_INF;
    e = num_pick32(e < e_min, e_min, num_pick32(e > e_max, e_max, e));
    // The unit in the last place of c is the one wanted for numbers with this
    // exponent, so adding and subtracting c rounds to it.
    float c = num_f32((e + ((23 - l.man) << 23)) | 0x400000u);
    float y = (num_f32(mag) + c) - c;
    // y is the target's number, or past its largest
    uint32_t normal =
        (num_word_f32(y) >> (23 - l.man)) - ((127 - l.bias) << l.man);
    float small = num_f32(num_word_f32(y) & (0 - (uint32_t)(e == e_min)));
    uint32_t units = (uint32_t)(int32_t)(small * two_to(126 + l.bias + l.man));
    uint32_t code = num_pick32(e == e_min, units, normal);
    bool nan = mag > F32_INF || (l.past == l.nan && code > l.last);
    code = num_pick32(code > l.last, l.past, code);
    code |= (w >> 31) << (l.width - 1);
    return num_pick32(nan, l.nan, code);
}

// binary32 with its low 'drop' bits rounded away, still in their places.
NUM_INLINE uint32_t
round_off(num_word w, uint32_t drop)
{
    uint32_t half = (1u << (drop - 1)) - 1;
    uint32_t r = w + half + (w >> drop & 1);
    r = r >> drop << drop;
    return num_pick32(num_word_is_nan(w), NUM_CANONICAL_NAN, r);
}

// ---- e8m0: binary32's exponent field, one value below its normal numbers

NUM_INLINE num_word
decode_scale(uint32_t code)
{
    num_word w = num_pick32(code == 0, 0x00400000u, code << 23);
    return num_pick32(code == 0xff, NUM_CANONICAL_NAN, w);
}

// To the nearest power of two, the upper one from 1.5 on (its significand is
// the even one); 2^-127 for anything smaller. Zero, negative numbers and what
// is too large give NaN.
NUM_INLINE uint32_t
encode_scale(num_word w)
{
    uint32_t up = (w + 0x00400000u) >> 23;
    uint32_t code = num_pick32(w < 0x00600000u, 0, up);
    bool nan = w == 0 || w >> 31 || code >= 0xff;
    return num_pick32(nan, 0xff, code);
}

// ---- floats to integers

// Nearest-even within [lo, hi], NaN to 0, modulo 2^32.
NUM_INLINE uint32_t
to_integer(num_word w, double lo, double hi)
{
    double x = (double)num_f32(w);
    x = num_pick(x < lo, lo, num_pick(x > hi, hi, x));
    // the integer is then in the low bits
    uint64_t u = num_bits(x + 0x1.8p52);
    return num_pick32(num_word_is_nan(w), 0, (uint32_t)u);
}

// ---- one code

// With a constant t one function. NOLINT: dispatch
NUM_INLINE num_word
decode(num_dtype t, uint32_t c)
{
    switch (t) {
    case DT_F32: return num_canon(c);
    case DT_TF32: return num_canon(c & ~0x1fffu);
    case DT_F16: return decode_narrow(layout_f16, c);
    case DT_BF16: return num_canon(c << 16);
    case DT_F8E4M3: return decode_narrow(layout_e4m3, c);
    case DT_F8E5M2: return decode_narrow(layout_e5m2, c);
    case DT_F8E3M4: return decode_narrow(layout_e3m4, c);
    case DT_I8: return ((c & 0xff) ^ 0x80) - 0x80;
    case DT_I16: return ((c & 0xffff) ^ 0x8000) - 0x8000;
    case DT_I32: return c;
    case DT_U8: return c & 0xff;
    case DT_U16: return c & 0xffff;
    case DT_U32: return c;
    case DT_BOOL: return c != 0;
    case DT_F8E4M3FN: return decode_narrow(layout_e4m3fn, c);
    case DT_F4E2M1: return decode_narrow(layout_e2m1, c);
    case DT_E8M0: return decode_scale(c & 0xff);
    case DT_F8E4M3FNX4:
    case DT_F8E5M2X4:
    case DT_F4E2M1X4:
    case DT_NONE:
    case DT_COUNT: break;
    }
    return 0;
}

// Of a binary32 register. NOLINT: dispatch
NUM_INLINE uint32_t
encode_f32(num_dtype t, num_word w)
{
    switch (t) {
    case DT_F32: return num_canon(w);
    case DT_TF32: return round_off(w, 13);
    case DT_F16: return encode_narrow(layout_f16, w);
    case DT_BF16: return round_off(w, 16) >> 16;
    case DT_F8E4M3: return encode_narrow(layout_e4m3, w);
    case DT_F8E5M2: return encode_narrow(layout_e5m2, w);
    case DT_F8E3M4: return encode_narrow(layout_e3m4, w);
    case DT_I8: return to_integer(w, -128, 127);
    case DT_I16: return to_integer(w, -32768, 32767);
    case DT_I32: return to_integer(w, -0x1p31, 0x1p31 - 1);
    case DT_U8: return to_integer(w, 0, 255);
    case DT_U16: return to_integer(w, 0, 65535);
    case DT_U32: return to_integer(w, 0, 0x1p32 - 1);
    case DT_BOOL: return (w & 0x7fffffffu) != 0;
    case DT_F8E4M3FN: return encode_narrow(layout_e4m3fn, w);
    case DT_F4E2M1: return encode_narrow(layout_e2m1, w);
    case DT_E8M0: return encode_scale(w);
    case DT_F8E4M3FNX4:
    case DT_F8E5M2X4:
    case DT_F4E2M1X4:
    case DT_NONE:
    case DT_COUNT: break;
    }
    return 0;
}

// An integer to a float of fewer than 32 bits: rounded to its significand
// first, since going by way of binary32 would round twice.
static float
round_integer(num_dtype t, double x)
{
    double unit = num_unit_roundoff(t); // 2^-sig
    uint64_t e = num_bits(num_abs(x)) & (UINT64_C(0x7ff) << 52);
    // 2^e 2^(53 - sig) 1.5 has the unit in the last place that is wanted
    double c = num_f64(e) * unit * 0x1.8p53;
    return (float)((x + c) - c);
}

static uint32_t
encode_integer(num_dtype t, num_as as, num_word w)
{
    if (t == DT_BOOL)
        return w != 0;
    if (num_is_packed(t))
        return 0;
    if (!num_is_float(t))
        return w;
    double x = as == NUM_AS_I32 ? (double)(int32_t)w : (double)w;
    return encode_f32(t, num_word_f32(round_integer(t, x)));
}

static uint32_t
read_code(uint32_t bytes, const uint8_t *p)
{
    uint32_t c = 0;
    uint16_t h;
    if (bytes == 1)
        return *p;
    if (bytes == 2) {
        memcpy(&h, p, sizeof h);
        return h;
    }
    memcpy(&c, p, sizeof c);
    return c;
}

static void
write_code(uint32_t bytes, uint8_t *p, uint32_t c)
{
    uint16_t h = (uint16_t)c;
    if (bytes == 1)
        *p = (uint8_t)c;
    else if (bytes == 2)
        memcpy(p, &h, sizeof h);
    else
        memcpy(p, &c, sizeof c);
}

num_word
num_load(num_dtype t, const void *p)
{
    uint32_t bytes = num_dtype_bytes(t);
    return bytes == 0 ? 0 : decode(t, read_code(bytes, p));
}

void
num_store(num_dtype t, void *p, num_as as, num_word w)
{
    uint32_t bytes = num_dtype_bytes(t);
    if (bytes == 0)
        return;
    uint32_t c = as == NUM_AS_F32 ? encode_f32(t, w) : encode_integer(t, as, w);
    write_code(bytes, p, c);
}

static num_dtype
register_dtype(num_as as)
{
    switch (as) {
    case NUM_AS_F32: return DT_F32;
    case NUM_AS_I32: return DT_I32;
    case NUM_AS_U32: return DT_U32;
    case NUM_AS_BOOL: return DT_BOOL;
    case NUM_AS_NONE: break;
    }
    return DT_NONE;
}

num_word
num_cast(num_as to, num_as from, num_word w)
{
    if (to == from)
        return w;
    num_dtype t = register_dtype(to);
    return from == NUM_AS_F32 ? encode_f32(t, w) : encode_integer(t, from, w);
}

float
num_round_f32(double x)
{
    return (float)x;
}

// ---- stochastic rounding

__extension__ typedef unsigned __int128 wide;

// m 2^-drop rounded to an integer, up if the fraction exceeds bits 2^-32.
static uint32_t
round_by_bits(uint32_t m, uint32_t drop, uint32_t bits)
{
    drop = drop < 63 ? drop : 63; // m < 2^24 is all fraction from 24 on
    uint64_t whole = (uint64_t)m >> drop, rest = m - (whole << drop);
    return (uint32_t)whole + ((wide)rest << 32 > (wide)bits << drop ? 1 : 0);
}

// w's magnitude, a finite nonzero number, to a multiple of t's unit there.
static num_word
round_magnitude(num_dtype t, num_word w, uint32_t bits)
{
    uint32_t e = w >> 23 & 0xff, m = w & 0x7fffffu;
    m |= e > 0 ? 0x800000u : 0;
    int place = (int)(e > 0 ? e : 1) - 150; // |x| = m 2^place
    int digits = 24;
    while (m >> (digits - 1) == 0)
        digits--;
    int unit = place + digits - num_significand_bits(t);
    int least = num_min_exponent(t);
    if (t == DT_E8M0 && unit < least) // no neighbour below: left to encode_f32
        return w;
    unit = unit > least ? unit : least;
    if (unit <= place)
        return w;
    m = round_by_bits(m, (uint32_t)(unit - place), bits);
    double x = num_f64((uint64_t)(unit + 1023) << 52) * (double)m;
    return num_word_f32((float)x) | (w & 0x80000000u);
}

num_word
num_round_stochastic(num_dtype t, num_word w, uint32_t bits)
{
    if (!num_is_float(t))
        return w;
    uint32_t mag = w & 0x7fffffffu;
    if (mag != 0 && mag < F32_INF)
        w = round_magnitude(t, w, bits);
    return decode(t, encode_f32(t, w));
}

// ---- packed elements

num_word
num_unpack(num_dtype t, const void *p, uint32_t q)
{
    uint32_t bits = num_dtype_bytes(t) * 2, c = 0;
    memcpy(&c, p, num_dtype_bytes(t));
    return num_is_packed(t) ? decode(num_packed_lane(t), c >> (q % 4) * bits)
                            : 0;
}

void
num_pack(num_dtype t, void *p, const num_word in[4])
{
    uint32_t bits = num_dtype_bytes(t) * 2, c = 0;
    for (uint32_t q = 0; q < 4 && num_is_packed(t); q++)
        c |= encode_f32(num_packed_lane(t), in[q]) << q * bits;
    memcpy(p, &c, num_dtype_bytes(t));
}

// ---- rows

// The bytes are little endian, as the machine's are.
NUM_INLINE void
read_block(uint32_t bytes, const uint8_t *p, int64_t step, size_t n,
           uint32_t *c)
{
    uint8_t b[NUM_BLOCK] = {0};
    uint16_t h[NUM_BLOCK] = {0};
    if (step != (int64_t)bytes) {
        for (size_t i = 0; i < n; i++)
            c[i] = read_code(bytes, p + (int64_t)i * step);
    } else if (bytes == 1) {
        memcpy(b, p, n);
        for (int i = 0; i < NUM_BLOCK; i++)
            c[i] = b[i];
    } else if (bytes == 2) {
        memcpy(h, p, n * 2);
        for (int i = 0; i < NUM_BLOCK; i++)
            c[i] = h[i];
    } else {
        memcpy(c, p, n * 4);
    }
}

NUM_INLINE void
write_block(uint32_t bytes, uint8_t *p, int64_t step, size_t n,
            const uint32_t *c)
{
    uint8_t b[NUM_BLOCK];
    uint16_t h[NUM_BLOCK];
    if (step != (int64_t)bytes) {
        for (size_t i = 0; i < n; i++)
            write_code(bytes, p + (int64_t)i * step, c[i]);
    } else if (bytes == 1) {
        for (int i = 0; i < NUM_BLOCK; i++)
            b[i] = (uint8_t)c[i];
        memcpy(p, b, n);
    } else if (bytes == 2) {
        for (int i = 0; i < NUM_BLOCK; i++)
            h[i] = (uint16_t)c[i];
        memcpy(p, h, n * 2);
    } else {
        memcpy(p, c, n * 4);
    }
}

NUM_INLINE size_t
block_of(size_t left)
{
    return left < NUM_BLOCK ? left : NUM_BLOCK;
}

typedef struct {
    const uint8_t *p;
    int64_t step;
    size_t n;
    num_word *out;
} load_row;

NUM_INLINE void
load_blocks(num_dtype t, uint32_t bytes, const load_row *r)
{
    for (size_t at = 0; at < r->n; at += NUM_BLOCK) {
        size_t take = block_of(r->n - at);
        uint32_t c[NUM_BLOCK] = {0};
        read_block(bytes, r->p + (int64_t)at * r->step, r->step, take, c);
        for (int i = 0; i < NUM_BLOCK; i++)
            c[i] = decode(t, c[i]);
        num_copy(r->out + at, c, take);
    }
}

typedef struct {
    uint8_t *p;
    int64_t step;
    size_t n;
    const num_word *in;
} store_row;

NUM_INLINE void
store_blocks(num_dtype t, uint32_t bytes, const store_row *r)
{
    for (size_t at = 0; at < r->n; at += NUM_BLOCK) {
        size_t take = block_of(r->n - at);
        uint32_t c[NUM_BLOCK] = {0};
        num_copy(c, r->in + at, take);
        for (int i = 0; i < NUM_BLOCK; i++)
            c[i] = encode_f32(t, c[i]);
        write_block(bytes, r->p + (int64_t)at * r->step, r->step, take, c);
    }
}

NUM_INLINE void
load_any(num_dtype t, const load_row *r)
{
    switch (t) {
#define DTYPE(id, name, bytes, class, sig, note)                               \
    case DT_##id: load_blocks(DT_##id, bytes, r); break;
#include "numerics/dtypes.def"
#undef DTYPE
    default: break;
    }
}

NUM_INLINE void
store_any(num_dtype t, const store_row *r)
{
    switch (t) {
#define DTYPE(id, name, bytes, class, sig, note)                               \
    case DT_##id: store_blocks(DT_##id, bytes, r); break;
#include "numerics/dtypes.def"
#undef DTYPE
    default: break;
    }
}

#if NUM_X86
NUM_TARGET_AVX2 static void
load_avx2(num_dtype t, const load_row *r)
{
    load_any(t, r);
}

NUM_TARGET_AVX2 static void
store_avx2(num_dtype t, const store_row *r)
{
    store_any(t, r);
}
#endif

static void
load_plain(num_dtype t, const load_row *r)
{
    load_any(t, r);
}

static void
store_plain(num_dtype t, const store_row *r)
{
    store_any(t, r);
}

void
num_load_row(num_dtype t, const void *p, int64_t step, size_t n, num_word *out)
{
    load_row r = {p, step, n, out};
    if (step == 0 || n < 4) {
        for (size_t i = 0; i < n; i++)
            out[i] = i > 0 && step == 0 ? out[0]
                                        : num_load(t, r.p + (int64_t)i * step);
        return;
    }
#if NUM_X86
    if (__builtin_cpu_supports("avx2")) {
        load_avx2(t, &r);
        return;
    }
#endif
    load_plain(t, &r);
}

// Integers to integers: the low bytes.
static void
store_integers(uint32_t bytes, const store_row *r)
{
    for (size_t at = 0; at < r->n; at += NUM_BLOCK) {
        size_t take = block_of(r->n - at);
        uint32_t c[NUM_BLOCK] = {0};
        num_copy(c, r->in + at, take);
        write_block(bytes, r->p + (int64_t)at * r->step, r->step, take, c);
    }
}

void
num_store_row(num_dtype t, void *p, int64_t step, size_t n, num_as as,
              const num_word *in)
{
    store_row r = {p, step, n, in};
    num_class class = num_dtype_class(t);
    if (as != NUM_AS_F32 && (class == NUM_SINT || class == NUM_UINT)) {
        store_integers(num_dtype_bytes(t), &r);
        return;
    }
    if (as != NUM_AS_F32 || n < 4) {
        for (size_t i = 0; i < n; i++)
            num_store(t, r.p + (int64_t)i * step, as, in[i]);
        return;
    }
#if NUM_X86
    if (__builtin_cpu_supports("avx2")) {
        store_avx2(t, &r);
        return;
    }
#endif
    store_plain(t, &r);
}
