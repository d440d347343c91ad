// SPDX-License-Identifier: Apache-2.0
// Ordered dot products: each output is one chain of fused multiply-adds over
// ascending k. Outputs are independent, so they may be computed side by side in
// any arrangement; the accumulators stay in registers over the whole of k.
#include "numerics/numerics_int.h"

#if NUM_X86
#include <immintrin.h>
#define TARGET_FMA __attribute__((target("avx2,fma")))
#define TARGET_512 __attribute__((target("avx512f")))
#endif

// ---- one fused multiply-add

// The product of two binary32 numbers is exact in binary64. Its sum with c is
// rounded to odd (truncated, and the last bit set if anything was lost), and
// rounding that to binary32 is rounding once: 53 >= 2 * 24 + 2 bits.
float
num_fma_soft(float a, float b, float c)
{
    double p = (double)a * (double)b, z = (double)c;
    double s = p + z;
    if (!(num_abs(s) < NUM_INF)) // infinite or NaN: nothing was lost
        return num_f32(num_canon(num_word_f32((float)s)));
    double pv = s - z, zv = s - pv;
    double lost = (p - pv) + (z - zv);
    uint64_t u = num_bits(s);
    // s is nearest, not truncated: step toward what was lost if it is below
    if (lost != 0 && !(u & 1))
        u = (lost > 0) == (s > 0) ? u + 1 : u - 1;
    return (float)num_f64(u);
}

#if NUM_X86
TARGET_FMA static float
fma_hard(float a, float b, float c)
{
    return _mm_cvtss_f32(
        _mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}

static bool
have_fma(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

float
num_fma(float a, float b, float c)
{
#if NUM_X86
    if (have_fma())
        return num_f32(num_canon(num_word_f32(fma_hard(a, b, c))));
#endif
    return num_fma_soft(a, b, c);
}

// ---- tiles of the product

static void
matmul_soft(const num_product *p)
{
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            float acc = 0;
            for (size_t e = 0; e < p->k; e++)
                acc = num_fma_soft(p->s[e * p->s_row + i], p->x[e * p->n + j],
                                   acc);
            p->out[i * p->n + j] = acc;
        }
    }
}

#if NUM_X86

// Rows i.. of a tile and its columns from j, as many as two vectors hold or as
// 'cols' says. With constant rows the accumulators are registers.
typedef struct {
    size_t i, j, cols;
} tile;

TARGET_512 static inline __attribute__((always_inline)) void
tile_512(const num_product *p, int rows, tile t)
{
    __m512 acc[8][2];
    __mmask16 m0 = (__mmask16)(t.cols >= 16 ? 0xffff : (1u << t.cols) - 1);
    __mmask16 m1 = (__mmask16)(t.cols >= 32   ? 0xffff
                               : t.cols <= 16 ? 0
                                              : (1u << (t.cols - 16)) - 1);
    const float *s = p->s + t.i, *x = p->x + t.j;
    float *out = p->out + t.i * p->n + t.j;
    for (int r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = _mm512_setzero_ps();
    for (size_t e = 0; e < p->k; e++, s += p->s_row, x += p->n) {
        __m512 x0 = _mm512_maskz_loadu_ps(m0, x);
        __m512 x1 = _mm512_maskz_loadu_ps(m1, x + 16);
        for (int r = 0; r < rows; r++) {
            __m512 w = _mm512_set1_ps(s[r]);
            acc[r][0] = _mm512_fmadd_ps(w, x0, acc[r][0]);
            acc[r][1] = _mm512_fmadd_ps(w, x1, acc[r][1]);
        }
    }
    const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7fc00000));
    for (int r = 0; r < rows; r++, out += p->n) {
        for (int v = 0; v < 2; v++) {
            __m512 a = acc[r][v];
            __mmask16 bad = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
            a = _mm512_mask_mov_ps(a, bad, nan);
            _mm512_mask_storeu_ps(out + 16 * v, v ? m1 : m0, a);
        }
    }
}

TARGET_512 static void
matmul_512(const num_product *p)
{
    for (size_t j = 0; j < p->n; j += 32) {
        size_t cols = p->n - j < 32 ? p->n - j : 32, i = 0;
        for (; i + 8 <= p->m; i += 8)
            tile_512(p, 8, (tile){i, j, cols});
        for (; i + 2 <= p->m; i += 2)
            tile_512(p, 2, (tile){i, j, cols});
        if (i < p->m)
            tile_512(p, 1, (tile){i, j, cols});
    }
}

// Lanes of a vector of 8 below 'cols'.
TARGET_FMA static inline __m256i
lanes_below(size_t cols)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(cols < 8 ? (int)cols : 8),
                              index);
}

TARGET_FMA static inline __attribute__((always_inline)) void
tile_256(const num_product *p, int rows, tile t)
{
    __m256 acc[4][2];
    __m256i mask[2] = {lanes_below(t.cols),
                       lanes_below(t.cols < 8 ? 0 : t.cols - 8)};
    const float *s = p->s + t.i, *x = p->x + t.j;
    float *out = p->out + t.i * p->n + t.j;
    for (int r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = _mm256_setzero_ps();
    for (size_t e = 0; e < p->k; e++, s += p->s_row, x += p->n) {
        __m256 x0 = _mm256_maskload_ps(x, mask[0]);
        __m256 x1 = _mm256_maskload_ps(x + 8, mask[1]);
        for (int r = 0; r < rows; r++) {
            __m256 w = _mm256_set1_ps(s[r]);
            acc[r][0] = _mm256_fmadd_ps(w, x0, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(w, x1, acc[r][1]);
        }
    }
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));
    for (int r = 0; r < rows; r++, out += p->n) {
        for (int v = 0; v < 2; v++) {
            __m256 a = acc[r][v];
            a = _mm256_blendv_ps(a, nan, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
            _mm256_maskstore_ps(out + 8 * v, mask[v], a);
        }
    }
}

TARGET_FMA static void
matmul_256(const num_product *p)
{
    for (size_t j = 0; j < p->n; j += 16) {
        size_t cols = p->n - j < 16 ? p->n - j : 16, i = 0;
        for (; i + 4 <= p->m; i += 4)
            tile_256(p, 4, (tile){i, j, cols});
        for (; i < p->m; i++)
            tile_256(p, 1, (tile){i, j, cols});
    }
}
#endif

bool
num_matmul_as(num_simd width, const num_product *p)
{
    switch (width) {
    case NUM_SIMD_NONE: matmul_soft(p); return true;
#if NUM_X86
    case NUM_SIMD_256:
        if (!have_fma())
            return false;
        matmul_256(p);
        return true;
    case NUM_SIMD_512:
        if (!__builtin_cpu_supports("avx512f"))
            return false;
        matmul_512(p);
        return true;
#else
    case NUM_SIMD_256:
    case NUM_SIMD_512: break;
#endif
    }
    return false;
}

void
num_product_run(const num_product *p)
{
    if (!num_matmul_as(NUM_SIMD_512, p) && !num_matmul_as(NUM_SIMD_256, p))
        num_matmul_as(NUM_SIMD_NONE, p);
}

void
num_matmul(size_t m, size_t n, size_t k, float *out, const float *s,
           const float *x)
{
    num_product p = {m, n, k, m, out, s, x};
    num_product_run(&p);
}
