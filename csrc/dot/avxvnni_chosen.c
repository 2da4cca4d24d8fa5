/* Chosen float32 rows, those that screening by int8 lets pass: read from where they lie, up to four at a time. The code
 * is AVX2's; only a tier that screens calls it often. Lanes are the partial sums 0..7 and 8..15 of dot_f32 in
 * scalar.c. */
#include "avxvnni_verbs.h"

#if defined(EC_HAS_AVXVNNI)
EC_TARGET_AVX2

enum { MOST_AT_ONCE = 4 };

/* The lanes of a vector below n, which may be negative. */
EC_INLINE __m256i lanes_below(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Adds up the partial sums of a row in the order of the specification. */
EC_INLINE float add_classes(__m256 low_f32x8, __m256 high_f32x8) {
    float partials[EC_CLASSES], sum = 0;
    _mm256_storeu_ps(partials, low_f32x8);
    _mm256_storeu_ps(partials + 8, high_f32x8);
    for (int c = 0; c < EC_CLASSES; c++) sum += partials[c];
    return sum;
}

/* A lane without a value in the last step adds a product of zeros, which changes nothing (or turns -0 to +0, which the
 * total, begun at +0, does not show). */
EC_INLINE void some_rows(const int n_rows, const float *query, const float *const *row, int64_t dimension,
                         float *scores) {
    __m256 low_f32x8[MOST_AT_ONCE], high_f32x8[MOST_AT_ONCE];
    int64_t d = 0;
#pragma GCC unroll 4
    for (int i = 0; i < n_rows; i++) low_f32x8[i] = high_f32x8[i] = _mm256_setzero_ps();
    for (; d + 16 <= dimension; d += 16) {
        const __m256 a_f32x8 = _mm256_loadu_ps(query + d), b_f32x8 = _mm256_loadu_ps(query + d + 8);
#pragma GCC unroll 4
        for (int i = 0; i < n_rows; i++) {
            low_f32x8[i] = _mm256_fmadd_ps(a_f32x8, _mm256_loadu_ps(row[i] + d), low_f32x8[i]);
            high_f32x8[i] = _mm256_fmadd_ps(b_f32x8, _mm256_loadu_ps(row[i] + d + 8), high_f32x8[i]);
        }
    }
    if (d < dimension) {
        const __m256i first = lanes_below(dimension - d), second = lanes_below(dimension - d - 8);
        const __m256 a_f32x8 = _mm256_maskload_ps(query + d, first),
                     b_f32x8 = _mm256_maskload_ps(query + d + 8, second);
#pragma GCC unroll 4
        for (int i = 0; i < n_rows; i++) {
            low_f32x8[i] = _mm256_fmadd_ps(a_f32x8, _mm256_maskload_ps(row[i] + d, first), low_f32x8[i]);
            high_f32x8[i] = _mm256_fmadd_ps(b_f32x8, _mm256_maskload_ps(row[i] + d + 8, second), high_f32x8[i]);
        }
    }
    for (int i = 0; i < n_rows; i++) scores[i] = add_classes(low_f32x8[i], high_f32x8[i]);
}

void ec_dot_f32_chosen_avxvnni(const void *query, const void *rows, int64_t stride_bytes, const int32_t *chosen,
                               int64_t n, int64_t dimension, float *scores) {
    for (int64_t i = 0; i < n; i += MOST_AT_ONCE) {
        const float *row[MOST_AT_ONCE];
        for (int64_t j = 0; j < MOST_AT_ONCE; j++)
            row[j] =
                (const float *)(const void *)((const uint8_t *)rows + chosen[ec_min_i64(i + j, n - 1)] * stride_bytes);
        switch (n - i) {
        case 1: some_rows(1, query, row, dimension, scores + i); break;
        case 2: some_rows(2, query, row, dimension, scores + i); break;
        case 3: some_rows(3, query, row, dimension, scores + i); break;
        default: some_rows(4, query, row, dimension, scores + i); break;
        }
    }
}

EC_TARGET_END
#else
typedef int ec_dot_avxvnni_chosen_is_not_built;
#endif
