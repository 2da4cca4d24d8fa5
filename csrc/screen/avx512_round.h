/* Rounding rows to codes with AVX-512, 64 elements a step: shared by avx512.c and avx512_few.c. */
#ifndef EC_SCREEN_AVX512_ROUND_H
#define EC_SCREEN_AVX512_ROUND_H

#include "../dot/avx512_verbs.h"
#include "screen.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* The larger of `most` and the magnitudes of 64 elements, of which those in the masks are there, all as bits. */
typedef struct {
    __mmask16 of[4];
} four_masks;

static const four_masks ALL = {{0xffff, 0xffff, 0xffff, 0xffff}};

EC_INLINE four_masks first_of_64(int64_t n) {
    four_masks valid;
    for (int i = 0; i < 4; i++) valid.of[i] = ec_lanes_below(ec_max_i64(n - 16 * i, 0));
    return valid;
}

EC_INLINE __m512i raise_64(__m512i most_u32x16, const float *values, four_masks valid) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        most_u32x16 = _mm512_max_epu32(
            most_u32x16, _mm512_and_si512(magnitude, _mm512_maskz_loadu_epi32(valid.of[i], values + 16 * i)));
    return most_u32x16;
}

/* Sums of the squares of a row's codes, and of those of what they leave, in 256ths of a step. */
typedef struct {
    __m512i squares_i32x16, rests_i32x16;
} row_sums;

/* Rounds 64 elements: see EC_SCREEN_FINE. In a register of 16-bit numbers the high bytes are the codes.
 *
 *     packs, in each quarter i    a: 4 i .. 4 i + 3 of the first 16 | of the second 16      b: of the third | of the fourth
 *     high bytes, permuted        0 .. 63 */
EC_INLINE __m512i round_64(const float *values, four_masks valid, __m512 factor_f32x16, row_sums *sums) {
    static const uint8_t high[64] = {1,  3,  5,  7,  17, 19, 21, 23, 33,  35,  37,  39,  49,  51,  53,  55,
                                     9,  11, 13, 15, 25, 27, 29, 31, 41,  43,  45,  47,  57,  59,  61,  63,
                                     65, 67, 69, 71, 81, 83, 85, 87, 97,  99,  101, 103, 113, 115, 117, 119,
                                     73, 75, 77, 79, 89, 91, 93, 95, 105, 107, 109, 111, 121, 123, 125, 127};
    const __m512 half_f32x16 = _mm512_set1_ps(EC_SCREEN_HALF);
    const __m512i low = _mm512_set1_epi16(0xff), half_i16x32 = _mm512_set1_epi16(EC_SCREEN_HALF);
    __m512i fine_i32x16[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const __m512 values_f32x16 = _mm512_maskz_loadu_ps(valid.of[i], values + 16 * i);
        fine_i32x16[i] = _mm512_cvtps_epi32(_mm512_fmadd_ps(values_f32x16, factor_f32x16, half_f32x16));
    }
    const __m512i a_i16x32 = _mm512_packs_epi32(fine_i32x16[0], fine_i32x16[1]);
    const __m512i b_i16x32 = _mm512_packs_epi32(fine_i32x16[2], fine_i32x16[3]);
    const __m512i rests_a_i16x32 = _mm512_sub_epi16(_mm512_and_si512(low, a_i16x32), half_i16x32);
    const __m512i rests_b_i16x32 = _mm512_sub_epi16(_mm512_and_si512(low, b_i16x32), half_i16x32);
    const __m512i codes_i8x64 = _mm512_permutex2var_epi8(a_i16x32, _mm512_loadu_si512(high), b_i16x32);
    const __m512i magnitudes_u8x64 = _mm512_abs_epi8(codes_i8x64);
    sums->rests_i32x16 = _mm512_dpwssd_epi32(sums->rests_i32x16, rests_a_i16x32, rests_a_i16x32);
    sums->rests_i32x16 = _mm512_dpwssd_epi32(sums->rests_i32x16, rests_b_i16x32, rests_b_i16x32);
    sums->squares_i32x16 = _mm512_dpbusd_epi32(sums->squares_i32x16, magnitudes_u8x64, magnitudes_u8x64);
    return codes_i8x64;
}

/* The largest magnitudes of a row. */
EC_INLINE __m512i largest_of(const void *row, int64_t width) {
    const float *values = row;
    __m512i most_u32x16 = _mm512_setzero_si512();
    int64_t d = 0;
    for (; d + 64 <= width; d += 64) most_u32x16 = raise_64(most_u32x16, values + d, ALL);
    return d < width ? raise_64(most_u32x16, values + d, first_of_64(width - d)) : most_u32x16;
}

/* Rounds a row, xors its codes with the flip, and finds the magnitudes of the next row. Where `padded` the codes are
 * aligned and there is room for whole lines of them. */
EC_INLINE row_sums round_row(const int padded, const uint8_t *row, const uint8_t *next_row, int64_t width, float factor,
                             uint8_t flip, uint8_t *codes, ec_drip *ahead, __m512i *most_u32x16) {
    const float *values = (const float *)(const void *)row, *next = (const float *)(const void *)next_row;
    const __m512 factor_f32x16 = _mm512_set1_ps(factor);
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)flip);
    row_sums sums = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    __m512i most = _mm512_setzero_si512();
    ec_drip drip = *ahead;
    int64_t d = 0;
    for (; d + 64 <= width; d += 64) {
        ec_drip_step(&drip);
        const __m512i codes_i8x64 = round_64(values + d, ALL, factor_f32x16, &sums);
        _mm512_storeu_si512(codes + d, padded ? _mm512_xor_si512(flip_u8x64, codes_i8x64) : codes_i8x64);
        most = raise_64(most, next + d, ALL);
    }
    if (d < width) {
        const four_masks valid = first_of_64(width - d);
        const __m512i codes_i8x64 = _mm512_xor_si512(flip_u8x64, round_64(values + d, valid, factor_f32x16, &sums));
        _mm512_mask_storeu_epi8(codes + d, padded ? ~(__mmask64)0 : ec_bytes_below(width - d), codes_i8x64);
        most = raise_64(most, next + d, valid);
    }
    *most_u32x16 = most;
    *ahead = drip;
    return sums;
}

/* Rounds the first four of n_rows rows, or all if they are fewer. *most has the largest magnitudes of the first one, and
 * then those of the next row behind them. Rows are rounded a few at a time so that their lanes are added up together. */
enum { AT_ONCE = 4 };

EC_INLINE void round_rows(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int32_t levels,
                          const uint8_t flip, uint8_t *codes, int64_t codes_stride, float *steps, float *errors,
                          float *lengths, ec_drip *ahead, __m512i *most_u32x16) {
    const int64_t n = ec_min_i64(n_rows, AT_ONCE);
    __m512i squares_i32x16[AT_ONCE] = {0}, rests_i32x16[AT_ONCE] = {0};
    int32_t squares[AT_ONCE], rests[AT_ONCE];
    int fits[AT_ONCE];
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *row = rows + i * stride_bytes, *next = i + 1 < n_rows ? row + stride_bytes : row;
        float factor;
        fits[i] = ec_screen_step((int32_t)_mm512_reduce_max_epu32(*most_u32x16), levels, &steps[i], &factor);
        const row_sums sums =
            round_row(flip != 0, row, next, width, factor, flip, codes + i * codes_stride, ahead, most_u32x16);
        squares_i32x16[i] = sums.squares_i32x16;
        rests_i32x16[i] = sums.rests_i32x16;
    }
    _mm_storeu_si128((__m128i *)squares,
                     ec_sum_lanes_i32x4(squares_i32x16[0], squares_i32x16[1], squares_i32x16[2], squares_i32x16[3]));
    _mm_storeu_si128((__m128i *)rests,
                     ec_sum_lanes_i32x4(rests_i32x16[0], rests_i32x16[1], rests_i32x16[2], rests_i32x16[3]));
    for (int64_t i = 0; i < n; i++) {
        ec_screen_lengths(squares[i], rests[i], width, steps[i], &errors[i], &lengths[i]);
        if (!fits[i]) ec_screen_unfit(codes + i * codes_stride, width, &steps[i], &errors[i], &lengths[i]);
    }
}

EC_TARGET_END

#endif
#endif
