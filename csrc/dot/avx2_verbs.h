/* Small verbs that the AVX2 dots share. */
#ifndef EC_DOT_AVX2_VERBS_H
#define EC_DOT_AVX2_VERBS_H

#include "avx2_words.h"
#include "strips.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* Sixteen bytes, or the first n < 16 and zeros. */
EC_INLINE __m128i load_16(const uint8_t *p, int64_t n) {
    if (n >= 16) return _mm_loadu_si128((const __m128i *)p);
    uint8_t bytes[16];
    ec_copy_16(bytes, p, n);
    return _mm_loadu_si128((const __m128i *)bytes);
}

/* The sum of eight lanes. */
EC_INLINE int32_t sum_i32x8(__m256i x) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

/* The sums of the lanes of four vectors. */
EC_INLINE __m128i sum_lanes_i32x4(__m256i a, __m256i b, __m256i c, __m256i d) {
    const __m256i four = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
}

/* Adds to each lane of *sums its two products. With the intrinsics GCC has no registers left for all sums. */
EC_INLINE void add_products_i16x16(__m256i *sums_i32x8, __m256i a_i16x16, __m256i b_i16x16) {
#if defined(__GNUC__) && !defined(__clang__)
    __m256i products;
    __asm__("vpmaddwd %[b], %[a], %[products]\n\t"
            "vpaddd %[products], %[sums], %[sums]"
            : [sums] "+x"(*sums_i32x8), [products] "=&x"(products)
            : [a] "x"(a_i16x16), [b] "x"(b_i16x16));
#else
    *sums_i32x8 = _mm256_add_epi32(*sums_i32x8, _mm256_madd_epi16(a_i16x16, b_i16x16));
#endif
}

/* 32 bytes by a load of its own: compilers would rather load once for each use, and loads would be the limit. */
EC_INLINE __m256i load_once_32(const uint8_t *p) {
    __m256i x = ec_load_32(p);
#if defined(__GNUC__) || defined(__clang__)
    __asm__("" : "+x"(x));
#endif
    return x;
}

EC_INLINE __m256 load_once_f32x8(const uint8_t *p) { return _mm256_castsi256_ps(load_once_32(p)); }

EC_INLINE __m256 load_f32x8(const void *p) { return _mm256_loadu_ps((const float *)p); }

/* Lanes 0 .. n - 1 of a row; the others are 0. */
EC_INLINE __m256 load_some_f32x8(const uint8_t *p, int64_t n) {
    const __m256i lane_i32x8 = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    if (n >= 8) return load_f32x8(p);
    if (n <= 0) return _mm256_setzero_ps();
    return _mm256_maskload_ps((const float *)(const void *)p,
                              _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), lane_i32x8));
}

/* Like dot_i8_rows(); also the sums of the rows' codes, and of their squares, unless NULL. */
void ec_meet_one_i8_avx2(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                         uint8_t flip, int32_t *scores, int32_t *sums_of, int32_t *squares_of);

/* Adds the squares of 16 dimensions to the partial sums of their classes, 4 i .. 4 i + 3 in vector i. A square is exact in
 * double, fused or not. Each four are converted as they are loaded: a half of a register would have to be moved first. */
EC_INLINE void add_squares_f32(const uint8_t *row, __m256d partial_f64x4[4]) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const __m256d x_f64x4 = _mm256_cvtps_pd(_mm_loadu_ps((const float *)(const void *)(row + 16 * i)));
        partial_f64x4[i] = _mm256_fmadd_pd(x_f64x4, x_f64x4, partial_f64x4[i]);
    }
}

/* The same of the last n < 16 dimensions of a row. */
EC_INLINE void add_last_squares_f32(const uint8_t *row, int64_t n, __m256d partial_f64x4[4]) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        const __m256 x_f32x8 = load_some_f32x8(row + 32 * h, n - 8 * h);
        const __m256d low_f64x4 = _mm256_cvtps_pd(_mm256_castps256_ps128(x_f32x8));
        const __m256d high_f64x4 = _mm256_cvtps_pd(_mm256_extractf128_ps(x_f32x8, 1));
        partial_f64x4[2 * h] = _mm256_fmadd_pd(low_f64x4, low_f64x4, partial_f64x4[2 * h]);
        partial_f64x4[2 * h + 1] = _mm256_fmadd_pd(high_f64x4, high_f64x4, partial_f64x4[2 * h + 1]);
    }
}

EC_TARGET_END

#endif
#endif
