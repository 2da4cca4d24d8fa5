/* Panels with AVX-512 in tiles of six rows by 64 sums; codes, 64 dimensions a step, by a binary search for thresholds
 * that are all in one register. */
#include "lowbit.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

#include "avx512_levels.h"

enum { TILE_SUMS = 64 }; /* 24 registers of sums, 4 of the panel, 1 of a value: 29 of 32 */

/* Named members rather than an array: only so do compilers keep them in registers. */
typedef struct {
    __m512 a, b, c, d;
} vectors;

EC_INLINE vectors load(const char *values) {
    const vectors x = {_mm512_loadu_ps(values), _mm512_loadu_ps(values + 64), _mm512_loadu_ps(values + 128),
                       _mm512_loadu_ps(values + 192)};
    return x;
}

EC_INLINE void store(char *values, vectors x) {
    _mm512_storeu_ps(values, x.a);
    _mm512_storeu_ps(values + 64, x.b);
    _mm512_storeu_ps(values + 128, x.c);
    _mm512_storeu_ps(values + 192, x.d);
}

EC_INLINE vectors zeros(void) {
    const __m512 zero = _mm512_setzero_ps();
    const vectors x = {zero, zero, zero, zero};
    return x;
}

EC_INLINE vectors add_products(vectors sums, const char *value, vectors weights) {
    const __m512 x = _mm512_set1_ps(ec_load_f32_at(value, 0));
    const vectors added = {_mm512_fmadd_ps(x, weights.a, sums.a), _mm512_fmadd_ps(x, weights.b, sums.b),
                           _mm512_fmadd_ps(x, weights.c, sums.c), _mm512_fmadd_ps(x, weights.d, sums.d)};
    return added;
}

#include "panel.h"

/* Reverses the bits of each byte: the first of eight dimensions is the lowest bit of a mask and the highest of a packed
 * byte. */
EC_INLINE uint64_t reverse_bits(uint64_t masks) {
    const __m128i matrix = _mm_set1_epi64x((long long)0x8040201008040201);
    return (uint64_t)_mm_cvtsi128_si64(_mm_gf2p8affine_epi64_epi8(_mm_cvtsi64_si128((long long)masks), matrix, 0));
}

EC_INLINE __m512d add_dots(__m512d sums, __m256 x, __m256 level) {
    return _mm512_fmadd_pd(_mm512_cvtps_pd(x), _mm512_cvtps_pd(level), sums); /* the product is exact */
}

EC_INLINE double code(const int bits, const ec_levels *to, char *values, int64_t count, float factor, uint8_t *packed,
                      int64_t width) {
    const __m512 edges = _mm512_loadu_ps(to->edges), levels = _mm512_loadu_ps(to->levels);
    const __m512i patterns = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)to->patterns));
    const __m512 factor_f32x16 = _mm512_set1_ps(factor);
    __m512d low = _mm512_setzero_pd(), high = low;
    for (int64_t begin = 0; begin < count; begin += 64, values += 256, packed += 8) {
        const uint64_t used = count - begin >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << (count - begin)) - 1;
        uint64_t masks[4] = {0};
        for (int i = 0; i < 4; i++) {
            const __mmask16 here = (__mmask16)(used >> 16 * i);
            const __m512 x = _mm512_maskz_loadu_ps(here, values + 64 * i);
            const __m512i found = ec_search_f32x16(bits, _mm512_mul_ps(x, factor_f32x16), edges);
            const __m512 level = _mm512_permutexvar_ps(found, levels);
            const __m512i pattern = _mm512_permutexvar_epi32(found, patterns);
            low = add_dots(low, _mm512_castps512_ps256(x), _mm512_castps512_ps256(level));
            high = add_dots(high, _mm512_extractf32x8_ps(x, 1), _mm512_extractf32x8_ps(level, 1));
            _mm512_mask_storeu_ps(values + 64 * i, here, level);
            for (int b = 0; b < bits; b++)
                masks[b] |= (uint64_t)_mm512_mask_test_epi32_mask(here, pattern, _mm512_set1_epi32(1 << b)) << 16 * i;
        }
        const size_t bytes = (size_t)ec_min_i64(8, (count - begin + 7) / 8);
        for (int b = 0; b < bits; b++) {
            const uint64_t word = reverse_bits(masks[b]);
            if (EC_LIKELY(bytes == 8))
                memcpy(packed + b * width, &word, 8);
            else
                memcpy(packed + b * width, &word, bytes);
        }
    }
    double partial[16];
    _mm512_storeu_pd(partial, low);
    _mm512_storeu_pd(partial + 8, high);
    return ec_halve_f64x16(partial);
}

#include "code.h"

EC_SLOTS(lowbit, avx512) {
    table->lowbit_panel_f32 = lowbit_panel_f32;
    table->lowbit_code_f32 = lowbit_code_f32;
}

EC_TARGET_END
#endif
