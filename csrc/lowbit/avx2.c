/* Panels with AVX2 in tiles of six rows by 16 sums; codes, 8 dimensions a step, by counting the thresholds below a
 * value. */
#include "lowbit.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

#include "avx2_levels.h"

enum { TILE_SUMS = 16 }; /* 12 registers of sums, 2 of the panel, 1 of a value: 15 of 16 */

/* Named members rather than an array: only so do compilers keep them in registers. */
typedef struct {
    __m256 a, b;
} vectors;

EC_INLINE vectors load(const char *values) {
    const vectors x = {_mm256_loadu_ps((const float *)(const void *)values),
                       _mm256_loadu_ps((const float *)(const void *)(values + 32))};
    return x;
}

EC_INLINE void store(char *values, vectors x) {
    _mm256_storeu_ps((float *)(void *)values, x.a);
    _mm256_storeu_ps((float *)(void *)(values + 32), x.b);
}

EC_INLINE vectors add_products(vectors sums, const char *value, vectors weights) {
    const __m256 x = _mm256_set1_ps(ec_load_f32_at(value, 0));
    const vectors added = {_mm256_fmadd_ps(x, weights.a, sums.a), _mm256_fmadd_ps(x, weights.b, sums.b)};
    return added;
}

EC_INLINE vectors zeros(void) {
    const vectors x = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    return x;
}

#include "panel.h"

EC_INLINE __m256d add_dots(__m256d sums, __m128 x, __m128 level) {
    return _mm256_fmadd_pd(_mm256_cvtps_pd(x), _mm256_cvtps_pd(level), sums); /* the product is exact */
}

/* Codes eight values in place. The byte of plane b, with bit b of each pattern, the first dimension highest, goes to
 * packed[b * width]. */
EC_INLINE void code_8(const int bits, const ec_levels *to, const float patterns[16], float *values, __m256 factor,
                      __m256d *low, __m256d *high, uint8_t *packed, int64_t width) {
    const __m256 x = _mm256_loadu_ps(values), scaled = _mm256_mul_ps(x, factor);
    const __m256i found = ec_count_below_f32x8(bits, scaled, to->edges);
    const __m256 level = ec_look_up_f32x8(to->levels, found);
    *low = add_dots(*low, _mm256_castps256_ps128(x), _mm256_castps256_ps128(level));
    *high = add_dots(*high, _mm256_extractf128_ps(x, 1), _mm256_extractf128_ps(level, 1));
    _mm256_storeu_ps(values, level);
    /* reversed, because movemask makes the last lane the highest bit */
    const __m256i backwards = _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    const __m256i pattern = _mm256_castps_si256(_mm256_permutevar8x32_ps(ec_look_up_f32x8(patterns, found), backwards));
    for (int b = 0; b < bits; b++)
        packed[b * width] = (uint8_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_slli_epi32(pattern, 31 - b)));
}

EC_INLINE double code(const int bits, const ec_levels *to, float *values, int64_t count, float factor, uint8_t *packed,
                      int64_t width) {
    const __m256 factor_f32x8 = _mm256_set1_ps(factor);
    __m256d sums[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()};
    float patterns[16];
    for (int i = 0; i < 16; i++) {
        const uint32_t pattern = to->patterns[i];
        memcpy(patterns + i, &pattern, 4);
    }
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        code_8(bits, to, patterns, values + i, factor_f32x8, &sums[0], &sums[1], packed + i / 8, width);
        code_8(bits, to, patterns, values + i + 8, factor_f32x8, &sums[2], &sums[3], packed + i / 8 + 1, width);
    }
    for (int half = 0; i < count; i += 8, half = 2) { /* the last values, filled up with zeros */
        const int64_t used = ec_min_i64(8, count - i);
        float last[8] = {0};
        uint8_t bytes[4];
        memcpy(last, values + i, (size_t)used * 4);
        code_8(bits, to, patterns, last, factor_f32x8, &sums[half], &sums[half + 1], bytes, 1);
        memcpy(values + i, last, (size_t)used * 4);
        for (int b = 0; b < bits; b++) packed[b * width + i / 8] = (uint8_t)(bytes[b] & 0xff00 >> used);
    }
    double partial[16];
    for (int s = 0; s < 4; s++) _mm256_storeu_pd(partial + 4 * s, sums[s]);
    return ec_halve_f64x16(partial);
}

#include "code.h"

EC_SLOTS(lowbit, avx2) {
    table->lowbit_panel_f32 = lowbit_panel_f32;
    table->lowbit_code_f32 = lowbit_code_f32;
}

EC_TARGET_END
#endif
