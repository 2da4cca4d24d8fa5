/* Rounds rows of floats to int8 codes for screening, sixteen elements a step. A row is read twice: for its largest
 * magnitude, from memory, and for its codes, from the first-level cache. */
#include "../dot/avx512_verbs.h"
#include "screen.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* Sums of the squares of a row's elements, and of those of what the codes leave of them. */
typedef struct {
    __m512 squares_f32x16, rests_f32x16;
} lengths_of_row;

/* The codes of sixteen elements; adds their squares, and those of what the codes leave, to the sums. */
EC_INLINE __m128i round_16(__m512 values_f32x16, __m512 step_f32x16, __m512 inverse_f32x16, lengths_of_row *sums) {
    const __m512i codes_i32x16 = _mm512_cvtps_epi32(_mm512_mul_ps(values_f32x16, inverse_f32x16));
    const __m512 rests_f32x16 = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(codes_i32x16), step_f32x16, values_f32x16);
    sums->squares_f32x16 = _mm512_fmadd_ps(values_f32x16, values_f32x16, sums->squares_f32x16);
    sums->rests_f32x16 = _mm512_fmadd_ps(rests_f32x16, rests_f32x16, sums->rests_f32x16);
    return _mm512_cvtepi32_epi8(codes_i32x16);
}

/* The larger of `most` and the magnitudes of sixteen elements, all as bits. */
EC_INLINE __m512i raise_16(__m512i most_u32x16, __m512i values_u32x16) {
    return _mm512_max_epu32(most_u32x16, _mm512_and_si512(values_u32x16, _mm512_set1_epi32(0x7fffffff)));
}

/* A bound from above on the length whose square the lanes sum up to. */
EC_INLINE float length_above(__m512 sums_f32x16) {
    const __m128 sum_f32 = _mm_set_ss(_mm512_reduce_add_ps(sums_f32x16));
    return _mm_cvtss_f32(_mm_sqrt_ss(sum_f32)) * EC_SCREEN_WIDER;
}

static void screen_rows(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int32_t levels,
                        int8_t *codes, float *steps, float *errors, float *lengths) {
    const int64_t whole = width / 32 * 32;
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, codes += width) {
        const float *values = (const float *)(const void *)row;
        const int64_t left = width - whole;
        const __mmask16 first = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
        const __mmask16 second = left > 16 ? (__mmask16)((1u << (left - 16)) - 1) : 0;
        __m512i most[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        for (int64_t d = 0; d < whole; d += 32) {
            most[0] = raise_16(most[0], _mm512_loadu_si512(values + d));
            most[1] = raise_16(most[1], _mm512_loadu_si512(values + d + 16));
        }
        most[0] = raise_16(most[0], _mm512_maskz_loadu_epi32(first, values + whole));
        most[1] = raise_16(most[1], _mm512_maskz_loadu_epi32(second, values + whole + 16));
        float step, inverse;
        if (!ec_screen_step((int32_t)_mm512_reduce_max_epu32(_mm512_max_epu32(most[0], most[1])), levels, &step,
                            &inverse)) {
            memset(codes, 0, (size_t)width);
            steps[r] = -1;
            errors[r] = lengths[r] = 0;
            continue;
        }
        const __m512 step_f32x16 = _mm512_set1_ps(step), inverse_f32x16 = _mm512_set1_ps(inverse);
        lengths_of_row sums[2] = {{_mm512_setzero_ps(), _mm512_setzero_ps()},
                                  {_mm512_setzero_ps(), _mm512_setzero_ps()}};
        for (int64_t d = 0; d < whole; d += 32) {
            _mm_prefetch((const char *)(values + d) + EC_ROWS_AHEAD, _MM_HINT_T0);
            _mm_prefetch((const char *)(values + d) + EC_ROWS_AHEAD + 64, _MM_HINT_T0);
            const __m128i low = round_16(_mm512_loadu_ps(values + d), step_f32x16, inverse_f32x16, &sums[0]);
            const __m128i high = round_16(_mm512_loadu_ps(values + d + 16), step_f32x16, inverse_f32x16, &sums[1]);
            _mm256_storeu_si256((__m256i *)(void *)(codes + d), _mm256_set_m128i(high, low));
        }
        if (left) {
            const __m128i low =
                round_16(_mm512_maskz_loadu_ps(first, values + whole), step_f32x16, inverse_f32x16, &sums[0]);
            const __m128i high =
                round_16(_mm512_maskz_loadu_ps(second, values + whole + 16), step_f32x16, inverse_f32x16, &sums[1]);
            _mm_mask_storeu_epi8(codes + whole, first, low);
            _mm_mask_storeu_epi8(codes + whole + 16, second, high);
        }
        steps[r] = step;
        errors[r] = length_above(_mm512_add_ps(sums[0].rests_f32x16, sums[1].rests_f32x16));
        lengths[r] = length_above(_mm512_add_ps(sums[0].squares_f32x16, sums[1].squares_f32x16));
    }
}

EC_TARGET_END

EC_SLOTS(screen, avx512) {
    table->screens = 6;
    table->screen_rows = screen_rows;
}
#endif
