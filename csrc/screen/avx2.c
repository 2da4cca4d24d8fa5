/* Rounds rows of floats to int8 codes for screening, 32 elements a step: see avx512.c. */
#include "../dot/avx2_verbs.h"
#include "screen.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* Sums of the squares of a row's codes, and of those of what they leave, in 256ths of a step. */
typedef struct {
    __m256i squares_i32x8, rests_i32x8;
} row_sums;

/* Rounds 32 elements: see EC_SCREEN_FINE. In a register of 16-bit numbers the high bytes are the codes.
 *
 *     packs, in either half    0 .. 3 of the first eight, of the second eight, ... | 4 .. 7 of the first, ...
 *     permuted                 0 .. 31 */
EC_INLINE __m256i round_32(const __m256 values_f32x8[4], __m256 factor_f32x8, row_sums *sums) {
    const __m256 half_f32x8 = _mm256_set1_ps(EC_SCREEN_HALF);
    const __m256i low = _mm256_set1_epi16(0xff), half_i16x16 = _mm256_set1_epi16(EC_SCREEN_HALF);
    __m256i fine_i32x8[4], codes_i16x16[2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        fine_i32x8[i] = _mm256_cvtps_epi32(_mm256_fmadd_ps(values_f32x8[i], factor_f32x8, half_f32x8));
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        const __m256i fine_i16x16 = _mm256_packs_epi32(fine_i32x8[2 * i], fine_i32x8[2 * i + 1]);
        const __m256i rests_i16x16 = _mm256_sub_epi16(_mm256_and_si256(low, fine_i16x16), half_i16x16);
        codes_i16x16[i] = _mm256_srai_epi16(fine_i16x16, 8);
        sums->rests_i32x8 = _mm256_add_epi32(sums->rests_i32x8, _mm256_madd_epi16(rests_i16x16, rests_i16x16));
        sums->squares_i32x8 =
            _mm256_add_epi32(sums->squares_i32x8, _mm256_madd_epi16(codes_i16x16[i], codes_i16x16[i]));
    }
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(codes_i16x16[0], codes_i16x16[1]),
                                       _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* The 32 elements from d on, of which those before `width` are there; the others are 0. */
EC_INLINE void load_32_f32(const uint8_t *row, int64_t d, int64_t width, __m256 values_f32x8[4]) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) values_f32x8[i] = load_some_f32x8(row + 4 * (d + 8 * i), width - d - 8 * i);
}

/* The larger of `most` and the magnitudes of eight elements, all as bits. */
EC_INLINE __m256i raise_8(__m256i most_u32x8, __m256 values_f32x8) {
    const __m256i magnitudes = _mm256_and_si256(_mm256_castps_si256(values_f32x8), _mm256_set1_epi32(0x7fffffff));
    return _mm256_max_epu32(most_u32x8, magnitudes);
}

EC_INLINE int32_t largest_of_8(__m256i most_u32x8) {
    __m128i most = _mm_max_epu32(_mm256_castsi256_si128(most_u32x8), _mm256_extracti128_si256(most_u32x8, 1));
    most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epu32(most, _mm_shuffle_epi32(most, 0xb1)));
}

/* The larger of `most` and the magnitudes of 32 elements. */
EC_INLINE __m256i raise_32(__m256i most_u32x8, const __m256 values_f32x8[4]) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) most_u32x8 = raise_8(most_u32x8, values_f32x8[i]);
    return most_u32x8;
}

/* The largest magnitudes of a row. */
EC_INLINE __m256i largest_of(const uint8_t *row, int64_t width) {
    __m256i most_u32x8 = _mm256_setzero_si256();
    __m256 values_f32x8[4];
    int64_t d = 0;
    for (; d + 32 <= width; d += 32) {
        load_32_f32(row, d, d + 32, values_f32x8);
        most_u32x8 = raise_32(most_u32x8, values_f32x8);
    }
    load_32_f32(row, d, width, values_f32x8);
    return raise_32(most_u32x8, values_f32x8);
}

/* Rounds a row, and finds the magnitudes of the next one. */
EC_INLINE row_sums round_row(const uint8_t *row, const uint8_t *next, int64_t width, float factor, int8_t *codes,
                             ec_drip *ahead, __m256i *most_u32x8) {
    const __m256 factor_f32x8 = _mm256_set1_ps(factor);
    row_sums sums = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i most = _mm256_setzero_si256();
    __m256 values_f32x8[4];
    ec_drip drip = *ahead;
    int64_t d = 0;
    for (; d + 32 <= width; d += 32) {
        ec_drip_step(&drip);
        load_32_f32(row, d, d + 32, values_f32x8);
        _mm256_storeu_si256((__m256i *)(void *)(codes + d), round_32(values_f32x8, factor_f32x8, &sums));
        load_32_f32(next, d, d + 32, values_f32x8);
        most = raise_32(most, values_f32x8);
    }
    if (d < width) {
        uint8_t last[32];
        load_32_f32(row, d, width, values_f32x8);
        _mm256_storeu_si256((__m256i *)(void *)last, round_32(values_f32x8, factor_f32x8, &sums));
        memcpy(codes + d, last, (size_t)(width - d));
        load_32_f32(next, d, width, values_f32x8);
        most = raise_32(most, values_f32x8);
    }
    *most_u32x8 = most;
    *ahead = drip;
    return sums;
}

/* Rounds the first four of n_rows rows, or all if they are fewer: see round_rows() in avx512_round.h. */
enum { AT_ONCE = 4 };

static void round_rows(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int32_t levels,
                       int8_t *codes, float *steps, float *errors, float *lengths, ec_drip *ahead,
                       __m256i *most_u32x8) {
    const int64_t n = ec_min_i64(n_rows, AT_ONCE);
    __m256i squares_i32x8[AT_ONCE], rests_i32x8[AT_ONCE];
    int32_t squares[AT_ONCE], rests[AT_ONCE];
    int fits[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++) squares_i32x8[i] = rests_i32x8[i] = _mm256_setzero_si256();
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *row = rows + i * stride_bytes, *next = i + 1 < n_rows ? row + stride_bytes : row;
        float factor;
        fits[i] = ec_screen_step(largest_of_8(*most_u32x8), levels, &steps[i], &factor);
        const row_sums sums = round_row(row, next, width, factor, codes + i * width, ahead, most_u32x8);
        squares_i32x8[i] = sums.squares_i32x8;
        rests_i32x8[i] = sums.rests_i32x8;
    }
    _mm_storeu_si128((__m128i *)squares,
                     sum_lanes_i32x4(squares_i32x8[0], squares_i32x8[1], squares_i32x8[2], squares_i32x8[3]));
    _mm_storeu_si128((__m128i *)rests, sum_lanes_i32x4(rests_i32x8[0], rests_i32x8[1], rests_i32x8[2], rests_i32x8[3]));
    for (int64_t i = 0; i < n; i++) {
        ec_screen_lengths(squares[i], rests[i], width, steps[i], &errors[i], &lengths[i]);
        if (!fits[i]) ec_screen_unfit(codes + i * width, width, &steps[i], &errors[i], &lengths[i]);
    }
}

static void screen_rows(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int32_t levels,
                        int8_t *codes, float *steps, float *errors, float *lengths, const void *ahead,
                        int64_t ahead_bytes) {
    ec_drip drip = ec_drip_of(ahead, ahead_bytes, n_rows * ((width + 31) / 32));
    __m256i most_u32x8 = n_rows ? largest_of(rows, width) : _mm256_setzero_si256();
    for (int64_t r = 0; r < n_rows; r += AT_ONCE, codes += AT_ONCE * width)
        round_rows((const uint8_t *)rows + r * stride_bytes, stride_bytes, n_rows - r, width, levels, codes, steps + r,
                   errors + r, lengths + r, &drip, &most_u32x8);
}

EC_TARGET_END

EC_SLOTS(screen, avx2) {
    table->screens = 10;
    table->screen_rows = screen_rows;
}
#endif
