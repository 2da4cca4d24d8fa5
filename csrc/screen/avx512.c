/* Rounds rows of floats to int8 codes for screening, 64 elements a step. A row is read twice: for its largest
 * magnitude, from memory, and for its codes, from the first-level cache. */
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

EC_INLINE __m512i largest_of(const float *values, int64_t width) {
    __m512i most_u32x16 = _mm512_setzero_si512();
    int64_t d = 0;
    for (; d + 64 <= width; d += 64) most_u32x16 = raise_64(most_u32x16, values + d, ALL);
    return d < width ? raise_64(most_u32x16, values + d, first_of_64(width - d)) : most_u32x16;
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

/* Rounds a row, and asks for what follows it: as the other reading of a row does not, memory would rest meanwhile. */
EC_INLINE row_sums round_row(const float *values, int64_t width, float factor, int8_t *codes) {
    const __m512 factor_f32x16 = _mm512_set1_ps(factor);
    row_sums sums = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    int64_t d = 0;
    for (; d + 64 <= width; d += 64) {
        for (int i = 0; i < 4; i++) _mm_prefetch((const char *)(values + d + 16 * i) + EC_ROWS_AHEAD, _MM_HINT_T0);
        _mm512_storeu_si512(codes + d, round_64(values + d, ALL, factor_f32x16, &sums));
    }
    if (d < width)
        _mm512_mask_storeu_epi8(codes + d, ec_bytes_below(width - d),
                                round_64(values + d, first_of_64(width - d), factor_f32x16, &sums));
    return sums;
}

static void screen_rows(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int32_t levels,
                        int8_t *codes, float *steps, float *errors, float *lengths) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, codes += width) {
        const float *values = (const float *)(const void *)row;
        float factor;
        if (!ec_screen_step((int32_t)_mm512_reduce_max_epu32(largest_of(values, width)), levels, &steps[r], &factor)) {
            memset(codes, 0, (size_t)width);
            steps[r] = -1;
            errors[r] = lengths[r] = 0;
            continue;
        }
        const row_sums sums = round_row(values, width, factor, codes);
        ec_screen_lengths(_mm512_reduce_add_epi32(sums.squares_i32x16), _mm512_reduce_add_epi32(sums.rests_i32x16),
                          width, steps[r], &errors[r], &lengths[r]);
    }
}

EC_TARGET_END

EC_SLOTS(screen, avx512) {
    table->screens = 6;
    table->screen_rows = screen_rows;
}
#endif
