/* Sums and sums of squares of rows. */
#include "avx512.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* Per lane: sum v of a row, or sum v * v. Both by vpdpbusd, which multiplies unsigned by signed: v * v is
 * (v + 128) * v - 128 * v. The intermediate sums may wrap, what is left at the end fits. */
EC_INLINE __m512i row_sums(const int squares, const uint8_t *row, __m512i flip_u8x64, int64_t dimension) {
    const __m512i ones_u8x64 = _mm512_set1_epi8(1), sign_u8x64 = _mm512_set1_epi8((char)0x80);
    __m512i sums_i32x16 = _mm512_setzero_si512(), products_i32x16 = sums_i32x16;
    for (int64_t d = 0; d < dimension; d += 64) {
        __m512i codes_i8x64;
        _mm_prefetch((const char *)row + d + EC_ROWS_AHEAD, _MM_HINT_T0);
        if (dimension - d >= 64) {
            codes_i8x64 = _mm512_xor_si512(flip_u8x64, _mm512_loadu_si512(row + d));
        } else {
            const __mmask64 valid = ec_bytes_below(dimension - d);
            codes_i8x64 = _mm512_xor_si512(flip_u8x64, _mm512_maskz_loadu_epi8(valid, row + d));
            codes_i8x64 = _mm512_maskz_mov_epi8(valid, codes_i8x64);
        }
        sums_i32x16 = _mm512_dpbusd_epi32(sums_i32x16, ones_u8x64, codes_i8x64);
        if (squares)
            products_i32x16 =
                _mm512_dpbusd_epi32(products_i32x16, _mm512_xor_si512(sign_u8x64, codes_i8x64), codes_i8x64);
    }
    return squares ? _mm512_sub_epi32(products_i32x16, _mm512_slli_epi32(sums_i32x16, 7)) : sums_i32x16;
}

EC_INLINE void all_sums(const int squares, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *sums) {
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)flip);
    for (int64_t r = 0; r < n_rows; r += 4) {
        const int64_t n = ec_min_i64(n_rows - r, 4);
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m512i of_row[4];
        for (int64_t i = 0; i < 4; i++) /* past the last row it is repeated, and not stored */
            of_row[i] = row_sums(squares, row + ec_min_i64(i, n - 1) * stride_bytes, flip_u8x64, dimension);
        _mm_mask_storeu_epi32(sums + r, (__mmask8)ec_lanes_below(n),
                              ec_sum_lanes_i32x4(of_row[0], of_row[1], of_row[2], of_row[3]));
    }
}

static void sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                   int32_t *sums) {
    all_sums(0, rows, stride_bytes, n_rows, dimension, flip, sums);
}

static void sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums) {
    all_sums(1, rows, stride_bytes, n_rows, dimension, flip, sums);
}

/* Partial sums 0..7 and 8..15, then joined as ec_halve_f64x16 does: 8 and 8, 4 and 4, 2 and 2. */
static void sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, double *sums) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m512d low_f64x8 = _mm512_setzero_pd(), high_f64x8 = low_f64x8;
        for (int64_t d = 0; d < dimension; d += 16) {
            const __m512 x_f32x16 = dimension - d >= 16
                                        ? _mm512_loadu_ps(row + d * 4)
                                        : _mm512_maskz_loadu_ps(ec_lanes_below(dimension - d), row + d * 4);
            const __m512d a_f64x8 = _mm512_cvtps_pd(_mm512_castps512_ps256(x_f32x16));
            const __m512d b_f64x8 = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x_f32x16, 1));
            _mm_prefetch((const char *)row + d * 4 + EC_ROWS_AHEAD, _MM_HINT_T0);
            low_f64x8 = _mm512_fmadd_pd(a_f64x8, a_f64x8, low_f64x8); /* the square is exact: fused or not is the same */
            high_f64x8 = _mm512_fmadd_pd(b_f64x8, b_f64x8, high_f64x8);
        }
        const __m512d eight = _mm512_add_pd(low_f64x8, high_f64x8);
        const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
        const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
        sums[r] = _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
    }
}

void ec_dot_sums_install_avx512(ec_kernels *table) {
    table->sum_i8 = sum_i8;
    table->sumsq_i8 = sumsq_i8;
    table->sumsq_f32 = sumsq_f32;
}

EC_TARGET_END
#endif
