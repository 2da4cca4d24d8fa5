/* Rounds rows of floats to int8 codes for screening, eight elements a vector. The code is AVX2's; but only with vpdpbusd
 * are int8 dots so much faster than float32 dots that screening pays. A row is read twice: for its largest magnitude,
 * from memory, and for its codes, from the first-level cache. */
#include "screen.h"

#if defined(EC_HAS_AVXVNNI)
EC_TARGET_AVX2

enum {
    STEP = 32,   /* elements */
    AHEAD = 8192 /* bytes ahead of its read that a row is prefetched */
};

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

/* The codes of 32 elements.
 *
 *     four vectors of eight, packed to bytes     a0-3 b0-3 c0-3 d0-3 | a4-7 b4-7 c4-7 d4-7
 *     permuted by fours                          a0-3 a4-7 b0-3 b4-7 | c0-3 c4-7 d0-3 d4-7 */
EC_INLINE void round_32(const float *values, __m256 step_f32x8, __m256 inverse_f32x8, lengths_of_row sums[2],
                        int8_t *codes) {
    const __m256i a = round_8(_mm256_loadu_ps(values), step_f32x8, inverse_f32x8, &sums[0]);
    const __m256i b = round_8(_mm256_loadu_ps(values + 8), step_f32x8, inverse_f32x8, &sums[1]);
    const __m256i c = round_8(_mm256_loadu_ps(values + 16), step_f32x8, inverse_f32x8, &sums[0]);
    const __m256i d = round_8(_mm256_loadu_ps(values + 24), step_f32x8, inverse_f32x8, &sums[1]);
    const __m256i packed_i8x32 = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    _mm256_storeu_si256((__m256i *)(void *)codes,
                        _mm256_permutevar8x32_epi32(packed_i8x32, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}

/* The larger of `most` and the magnitudes of eight elements, all as bits. */
EC_INLINE __m256i raise_8(__m256i most_u32x8, const float *values) {
    const __m256i bits_u32x8 = _mm256_loadu_si256((const __m256i *)(const void *)values);
    return _mm256_max_epu32(most_u32x8, _mm256_and_si256(bits_u32x8, _mm256_set1_epi32(0x7fffffff)));
}

EC_INLINE void raise_32(__m256i most_u32x8[2], const float *values) {
    most_u32x8[0] = raise_8(raise_8(most_u32x8[0], values), values + 8);
    most_u32x8[1] = raise_8(raise_8(most_u32x8[1], values + 16), values + 24);
}

EC_INLINE int32_t largest_of(const __m256i most_u32x8[2]) {
    int32_t lanes[8], largest = 0;
    _mm256_storeu_si256((__m256i *)(void *)lanes, _mm256_max_epu32(most_u32x8[0], most_u32x8[1]));
    for (int i = 0; i < 8; i++) largest = lanes[i] > largest ? lanes[i] : largest;
    return largest;
}

/* A bound from above on the length whose square the lanes sum up to. */
EC_INLINE float length_above(__m256 sums_f32x8) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(sums_f32x8), _mm256_extractf128_ps(sums_f32x8, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_add_ss(four, _mm_movehdup_ps(four)))) * EC_SCREEN_WIDER;
}

static void screen_rows(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int8_t *codes,
                        float *steps, float *errors, float *lengths) {
    const int64_t whole = width / STEP * STEP, left = width - whole;
    const __m256 zero_f32x8 = _mm256_setzero_ps();
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, codes += width) {
        const float *values = (const float *)(const void *)row;
        __m256i most_u32x8[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        lengths_of_row sums[2] = {{zero_f32x8, zero_f32x8}, {zero_f32x8, zero_f32x8}};
        float last[STEP] = {0}, step, inverse;
        int8_t last_codes[STEP];
        memcpy(last, row + 4 * whole, (size_t)left * 4);
        for (int64_t d = 0; d < whole; d += STEP) raise_32(most_u32x8, values + d);
        raise_32(most_u32x8, last);
        if (!ec_screen_step(largest_of(most_u32x8), &step, &inverse)) {
            memset(codes, 0, (size_t)width);
            steps[r] = -1;
            errors[r] = lengths[r] = 0;
            continue;
        }
        const __m256 step_f32x8 = _mm256_set1_ps(step), inverse_f32x8 = _mm256_set1_ps(inverse);
        for (int64_t d = 0; d < whole; d += STEP) {
            _mm_prefetch((const char *)(values + d) + AHEAD, _MM_HINT_T0);
            _mm_prefetch((const char *)(values + d) + AHEAD + 64, _MM_HINT_T0);
            round_32(values + d, step_f32x8, inverse_f32x8, sums, codes + d);
        }
        if (left) {
            round_32(last, step_f32x8, inverse_f32x8, sums, last_codes);
            memcpy(codes + whole, last_codes, (size_t)left);
        }
        steps[r] = step;
        errors[r] = length_above(_mm256_add_ps(sums[0].rests_f32x8, sums[1].rests_f32x8));
        lengths[r] = length_above(_mm256_add_ps(sums[0].squares_f32x8, sums[1].squares_f32x8));
    }
}

EC_TARGET_END

EC_SLOTS(screen, avxvnni) {
    table->screens = 1;
    table->screen_rows = screen_rows;
}
#else
typedef int ec_screen_avxvnni_is_not_built;
#endif
