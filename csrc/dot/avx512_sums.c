/* Sums and sums of squares of rows with AVX-512. */
#include "avx512_verbs.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* Lane sums of v, or of v * v, of one row. Both are made by vpdpbusd, which multiplies unsigned by signed bytes: v * v
 * = (v + 128) * v - 128 * v. Intermediate sums may wrap around; the final sum fits. */
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
        for (int64_t i = 0; i < 4; i++) /* behind the last row the last one is repeated, and not stored */
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

/* Two rows at a time, because the sums of one are a chain of dependent additions. */
void ec_sumsq_f32_avx512(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, double *sums) {
    const int64_t whole = dimension / 16 * 64;
    for (int64_t r = 0; r < n_rows; r += 2) {
        const int64_t n = ec_min_i64(n_rows - r, 2);
        const uint8_t *row[2];
        __m512d low_f64x8[2], high_f64x8[2];
        for (int64_t i = 0; i < 2; i++) {
            row[i] = (const uint8_t *)rows + (r + ec_min_i64(i, n - 1)) * stride_bytes;
            low_f64x8[i] = high_f64x8[i] = _mm512_setzero_pd();
        }
        for (int64_t at = 0; at < whole; at += 64)
            for (int i = 0; i < 2; i++) {
                const float *x = (const float *)(row[i] + at);
                _mm_prefetch((const char *)x + EC_ROWS_AHEAD, _MM_HINT_T0);
                ec_add_squares(_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8), &low_f64x8[i], &high_f64x8[i]);
            }
        for (int i = 0; i < 2 && dimension % 16; i++) {
            const __m512 x_f32x16 = _mm512_maskz_loadu_ps(ec_lanes_below(dimension % 16), row[i] + whole);
            ec_add_squares(_mm512_castps512_ps256(x_f32x16), _mm512_extractf32x8_ps(x_f32x16, 1), &low_f64x8[i],
                           &high_f64x8[i]);
        }
        for (int64_t i = 0; i < n; i++) sums[r + i] = ec_halve_f64x8x2(low_f64x8[i], high_f64x8[i]);
    }
}

EC_SLOTS(dot_sums, avx512) {
    table->sum_i8 = sum_i8;
    table->sumsq_i8 = sumsq_i8;
    table->sumsq_f32 = ec_sumsq_f32_avx512;
}

EC_TARGET_END
#endif
