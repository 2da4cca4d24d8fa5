/* Rounds rows of floats to int8 codes for screening, sixteen elements a step: see avx512.c. */
#include "../dot/avx2_verbs.h"
#include "screen.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum { AHEAD = 8192 }; /* bytes: about as many as arrive during one latency of memory */

/* Sums of the squares of a row's elements, and of those of what the codes leave of them. */
typedef struct {
    __m256 squares_f32x8, rests_f32x8;
} lengths_of_row;

/* The codes of eight elements; adds their squares, and those of what the codes leave, to the sums. */
EC_INLINE __m256i round_8(__m256 values_f32x8, __m256 step_f32x8, __m256 inverse_f32x8, lengths_of_row *sums) {
    const __m256i codes_i32x8 = _mm256_cvtps_epi32(_mm256_mul_ps(values_f32x8, inverse_f32x8));
    const __m256 rests_f32x8 = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(codes_i32x8), step_f32x8, values_f32x8);
    sums->squares_f32x8 = _mm256_fmadd_ps(values_f32x8, values_f32x8, sums->squares_f32x8);
    sums->rests_f32x8 = _mm256_fmadd_ps(rests_f32x8, rests_f32x8, sums->rests_f32x8);
    return codes_i32x8;
}

/* Sixteen codes, none of them beyond -127 .. 127.
 *
 *     packs_epi32, in either half    low 0 .. 3, high 0 .. 3 | low 4 .. 7, high 4 .. 7
 *     permute, packs_epi16           low 0 .. 7, high 0 .. 7 */
EC_INLINE __m128i narrow_16(__m256i low_i32x8, __m256i high_i32x8) {
    const __m256i both_i16x16 = _mm256_permute4x64_epi64(_mm256_packs_epi32(low_i32x8, high_i32x8), 0xd8);
    return _mm_packs_epi16(_mm256_castsi256_si128(both_i16x16), _mm256_extracti128_si256(both_i16x16, 1));
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

/* A bound from above on the length whose square the lanes sum up to. */
EC_INLINE float length_above(__m256 a_f32x8, __m256 b_f32x8) {
    const __m256 sums_f32x8 = _mm256_add_ps(a_f32x8, b_f32x8);
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(sums_f32x8), _mm256_extractf128_ps(sums_f32x8, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    sum = _mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1));
    return _mm_cvtss_f32(_mm_sqrt_ss(sum)) * EC_SCREEN_WIDER;
}

static void screen_rows(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int32_t levels,
                        int8_t *codes, float *steps, float *errors, float *lengths) {
    const int64_t whole = width / 16 * 16, left = width - whole;
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, codes += width) {
        const __m256 last_low_f32x8 = load_some_f32x8(row + 4 * whole, left);
        const __m256 last_high_f32x8 = load_some_f32x8(row + 4 * whole + 32, left - 8);
        __m256i low_u32x8 = raise_8(_mm256_setzero_si256(), last_low_f32x8);
        __m256i high_u32x8 = raise_8(_mm256_setzero_si256(), last_high_f32x8);
        for (int64_t d = 0; d < whole; d += 16) {
            _mm_prefetch((const char *)row + 4 * d + AHEAD, _MM_HINT_T0);
            low_u32x8 = raise_8(low_u32x8, load_f32x8(row + 4 * d));
            high_u32x8 = raise_8(high_u32x8, load_f32x8(row + 4 * d + 32));
        }
        float step, inverse;
        if (!ec_screen_step(largest_of_8(_mm256_max_epu32(low_u32x8, high_u32x8)), levels, &step, &inverse)) {
            memset(codes, 0, (size_t)width);
            steps[r] = -1;
            errors[r] = lengths[r] = 0;
            continue;
        }
        const __m256 step_f32x8 = _mm256_set1_ps(step), inverse_f32x8 = _mm256_set1_ps(inverse);
        lengths_of_row low = {_mm256_setzero_ps(), _mm256_setzero_ps()}, high = low;
        for (int64_t d = 0; d < whole; d += 16) {
            const __m256i low_i32x8 = round_8(load_f32x8(row + 4 * d), step_f32x8, inverse_f32x8, &low);
            const __m256i high_i32x8 = round_8(load_f32x8(row + 4 * d + 32), step_f32x8, inverse_f32x8, &high);
            _mm_storeu_si128((__m128i *)(void *)(codes + d), narrow_16(low_i32x8, high_i32x8));
        }
        if (left) {
            int8_t last[16];
            const __m256i low_i32x8 = round_8(last_low_f32x8, step_f32x8, inverse_f32x8, &low);
            const __m256i high_i32x8 = round_8(last_high_f32x8, step_f32x8, inverse_f32x8, &high);
            _mm_storeu_si128((__m128i *)(void *)last, narrow_16(low_i32x8, high_i32x8));
            memcpy(codes + whole, last, (size_t)left);
        }
        steps[r] = step;
        errors[r] = length_above(low.rests_f32x8, high.rests_f32x8);
        lengths[r] = length_above(low.squares_f32x8, high.squares_f32x8);
    }
}

EC_TARGET_END

EC_SLOTS(screen, avx2) {
    table->screens = 20;
    table->screen_rows = screen_rows;
}
#endif
