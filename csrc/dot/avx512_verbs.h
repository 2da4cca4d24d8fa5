/* Small verbs that the AVX-512 dots share, some of them with search/, screen/ and hamming/. */
#ifndef EC_DOT_AVX512_VERBS_H
#define EC_DOT_AVX512_VERBS_H

#include "dot.h"

#if defined(EC_X86_64)

enum { EC_LANES = 16 }; /* rows a vector, in tiles */

EC_TARGET_AVX512

EC_INLINE __mmask16 ec_lanes_below(int64_t n) { return n >= EC_LANES ? 0xffff : (__mmask16)((1u << n) - 1); }

EC_INLINE __mmask64 ec_bytes_below(int64_t n) { return n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1; }

/* The 16 x 16 transpose of 32-bit words, in place: of pairs, of fours within 128-bit lanes, and of the lanes. */
EC_INLINE void ec_transpose_u32x16(__m512i v[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 4) {
        __m512i ab_low = _mm512_unpacklo_epi32(v[i], v[i + 1]), ab_high = _mm512_unpackhi_epi32(v[i], v[i + 1]);
        __m512i cd_low = _mm512_unpacklo_epi32(v[i + 2], v[i + 3]), cd_high = _mm512_unpackhi_epi32(v[i + 2], v[i + 3]);
        t[i] = _mm512_unpacklo_epi64(ab_low, cd_low);
        t[i + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        t[i + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        t[i + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
    /* now lane l of t[4 g + j] is word 4 l + j of rows 4 g .. 4 g + 3 */
    for (int j = 0; j < 4; j++) {
        __m512i low_even = _mm512_shuffle_i32x4(t[j], t[4 + j], 0x88),
                low_odd = _mm512_shuffle_i32x4(t[j], t[4 + j], 0xdd);
        __m512i high_even = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0x88);
        __m512i high_odd = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0xdd);
        v[j] = _mm512_shuffle_i32x4(low_even, high_even, 0x88);
        v[8 + j] = _mm512_shuffle_i32x4(low_even, high_even, 0xdd);
        v[4 + j] = _mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
        v[12 + j] = _mm512_shuffle_i32x4(low_odd, high_odd, 0xdd);
    }
}

/* Adds to each lane of *sums its four products of bytes. GCC's intrinsic converts between vector types on the way, and
 * its register allocator then spills every sum in every step; an operand that is read and written in place is not
 * copied. */
EC_INLINE void ec_add_dots_of_4(__m512i *sums_i32x16, __m512i rows_u8x64, __m512i codes_i8x64) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums_i32x16) : "v"(rows_u8x64), "v"(codes_i8x64));
#else
    *sums_i32x16 = _mm512_dpbusd_epi32(*sums_i32x16, rows_u8x64, codes_i8x64);
#endif
}

/* Adds the squares of sixteen values to the partial sums 0..7 and 8..15. A square is exact in double, fused or not. */
EC_INLINE void ec_add_squares(__m256 low_f32x8, __m256 high_f32x8, __m512d *low_f64x8, __m512d *high_f64x8) {
    const __m512d a_f64x8 = _mm512_cvtps_pd(low_f32x8), b_f64x8 = _mm512_cvtps_pd(high_f32x8);
    *low_f64x8 = _mm512_fmadd_pd(a_f64x8, a_f64x8, *low_f64x8);
    *high_f64x8 = _mm512_fmadd_pd(b_f64x8, b_f64x8, *high_f64x8);
}

/* Like ec_halve_f64x16(): 8 and 8, 4 and 4, 2 and 2, 1 and 1. Partial sums that are rotated by a lead (avx512_lines.h)
 * are still added in the same pairs. */
EC_INLINE double ec_halve_f64x8x2(__m512d low_f64x8, __m512d high_f64x8) {
    const __m512d eight = _mm512_add_pd(low_f64x8, high_f64x8);
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* -128 times the sum of a query's codes: corrects dots with rows whose codes are stored plus 128. */
EC_INLINE int32_t ec_correction_i8(const void *query, int64_t dimension) {
    __m512i sums_i32x16 = _mm512_setzero_si512();
    for (int64_t d = 0; d < dimension; d += 64)
        ec_add_dots_of_4(&sums_i32x16, _mm512_set1_epi8(1),
                         _mm512_maskz_loadu_epi8(ec_bytes_below(dimension - d), (const uint8_t *)query + d));
    return -128 * _mm512_reduce_add_epi32(sums_i32x16);
}

/* The sums of the lanes of four vectors. */
EC_INLINE __m128i ec_sum_lanes_i32x4(__m512i a, __m512i b, __m512i c, __m512i d) {
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* How many bytes ahead of its read a row is prefetched: about as many as arrive during one latency of memory. */
enum { EC_ROWS_AHEAD = 8192 };

EC_TARGET_END

void ec_dot_i8_rows_avx512(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                           uint8_t flip, int32_t *scores, int32_t *sums, int32_t *sumsq);
void ec_dot_f32_rows_avx512(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows,
                            int64_t dimension, float *scores, double *sumsq);
void ec_sumsq_f32_avx512(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, double *sums);

#endif
#endif
