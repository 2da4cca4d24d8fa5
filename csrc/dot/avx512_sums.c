/* Sums and sums of squares of rows. */
#include "avx512.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* vpdpbusd with ones takes the row as its signed side. */
static void sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                   int32_t *sums) {
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)flip), ones_u8x64 = _mm512_set1_epi8(1);
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m512i sums_i32x16 = _mm512_setzero_si512();
        for (int64_t d = 0; d < dimension; d += 64) {
            const __mmask64 valid = ec_bytes_below(dimension - d);
            const __m512i codes_i8x64 =
                _mm512_maskz_mov_epi8(valid, _mm512_xor_si512(flip_u8x64, _mm512_maskz_loadu_epi8(valid, row + d)));
            sums_i32x16 = _mm512_dpbusd_epi32(sums_i32x16, ones_u8x64, codes_i8x64);
        }
        sums[r] = _mm512_reduce_add_epi32(sums_i32x16);
    }
}

/* v * v = |v| * |v|, and |v| <= 128 is right as an unsigned byte; vpdpwssd takes it as int16. */
static void sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums) {
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)flip), zero = _mm512_setzero_si512();
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m512i even_i32x16 = zero, odd_i32x16 = zero;
        for (int64_t d = 0; d < dimension; d += 64) {
            const __mmask64 valid = ec_bytes_below(dimension - d);
            const __m512i codes_i8x64 = _mm512_xor_si512(flip_u8x64, _mm512_maskz_loadu_epi8(valid, row + d));
            const __m512i sizes_u8x64 = _mm512_maskz_abs_epi8(valid, codes_i8x64);
            const __m512i low_i16x32 = _mm512_unpacklo_epi8(sizes_u8x64, zero);
            const __m512i high_i16x32 = _mm512_unpackhi_epi8(sizes_u8x64, zero);
            even_i32x16 = _mm512_dpwssd_epi32(even_i32x16, low_i16x32, low_i16x32);
            odd_i32x16 = _mm512_dpwssd_epi32(odd_i32x16, high_i16x32, high_i16x32);
        }
        sums[r] = _mm512_reduce_add_epi32(_mm512_add_epi32(even_i32x16, odd_i32x16));
    }
}

/* Partial sums 0..7 and 8..15. */
static void sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, double *sums) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m512d low_f64x8 = _mm512_setzero_pd(), high_f64x8 = low_f64x8;
        for (int64_t d = 0; d < dimension; d += 16) {
            const __m512 x_f32x16 = _mm512_maskz_loadu_ps(ec_lanes_below(dimension - d), row + d * 4);
            const __m512d a_f64x8 = _mm512_cvtps_pd(_mm512_castps512_ps256(x_f32x16));
            const __m512d b_f64x8 = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x_f32x16, 1));
            low_f64x8 = _mm512_fmadd_pd(a_f64x8, a_f64x8, low_f64x8); /* the square is exact: fused or not is the same */
            high_f64x8 = _mm512_fmadd_pd(b_f64x8, b_f64x8, high_f64x8);
        }
        double partial[16];
        _mm512_storeu_pd(partial, low_f64x8);
        _mm512_storeu_pd(partial + 8, high_f64x8);
        sums[r] = ec_halve_f64x16(partial);
    }
}

void ec_dot_sums_install_avx512(ec_kernels *table) {
    table->sum_i8 = sum_i8;
    table->sumsq_i8 = sumsq_i8;
    table->sumsq_f32 = sumsq_f32;
}

EC_TARGET_END
#endif
