/* Arrays of floats with AVX2 where numbers have up to five digits before their points, and not all have one: 12.5, -1017.25,
 * 0.03, 7. What comes before the point, or before the end of a number that has none, is moved by a byte over it, and the
 * power of ten is that of its digits:
 *
 *     byte     0    1    2    3    4    5    6 .. 15
 *     text     -    1    2    .    5    ,    0 . 4
 *     shifted  0    -    1    2    .    5
 *     whole    *    *    *    *                        all up to the point
 *     digits   .    .    1    2    5    0    0 0 0      12.5 is 1.25e13 times 10^(2 - 14)
 */
#include "avx2_convert.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum { MOST_ALONE = 16 }; /* of so many numbers one may be converted alone */

/* Turns two numbers without their points into two times four groups of digits, of two, and three times four. */
EC_INLINE __m256i read_two(__m256i text_u8x32) {
    const __m256i tens_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1));
    const __m256i hundreds_u16x16 = _mm256_broadcastsi128_si256(_mm_setr_epi16(0, 1, 100, 1, 100, 1, 100, 1));
    __m256i digits_u8x32 = _mm256_and_si256(text_u8x32, _mm256_set1_epi8(15));
    return _mm256_madd_epi16(_mm256_maddubs_epi16(digits_u8x32, tens_u8x32), hundreds_u16x16);
}

/* What is seen of the numbers of a chunk, each at the byte before its first digit, to be judged at its end. */
typedef struct {
    __m256i all_u8x32, any_u8x32; /* bits that the bytes have in all numbers, and in any */
    __m256i zeros_u8x32;          /* at its first digit the bits of the second, in any that begins with 0 */
    __m256i points_u64x4;         /* how many had a point that was moved over */
} seen_numbers;

/* Whether all numbers are as they should be: those that were seen, and the others, from i on. A number has no more than one
 * point where those that were moved over are all that there are. */
static int are_fit(const uint8_t *chunk, const ec_number_index *index, const seen_numbers *seen, int32_t i) {
    const int32_t rest = ec_count_points(chunk, index, i);
    const __m256i first_u64x4 = _mm256_set1_epi64x(0x1000), before_u64x4 = _mm256_set1_epi64x(0x10);
    return rest >= 0 && ec_sum_avx2(seen->points_u64x4) + rest == index->points &&
           _mm256_testc_si256(seen->all_u8x32, first_u64x4) && _mm256_testz_si256(seen->any_u8x32, before_u64x4) &&
           _mm256_testz_si256(seen->zeros_u8x32, first_u64x4);
}

/* The powers 10^k of numbers with k digits before the point, which then, moved, has k + 2 bytes before it. The lower halves
 * of these doubles are zero. Where there are 8 bytes no point was found: this is no number, so that the text is converted
 * alone. */
EC_INLINE __m256d powers_of(__m256i bytes_u64x4) {
    const int none = 0x7ff80000;
    const __m256i upper_u32x8 =
        _mm256_setr_epi32(none, none, none, 0x40240000, 0x40590000, 0x408f4000, 0x40c38800, 0x40f86a00);
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_permutevar8x32_epi32(upper_u32x8, bytes_u64x4), 32));
}

/* The nearest floats of four numbers: see avx2_single.c, but that the power of ten is that of the digits before the point. */
EC_INLINE __m128 round_four(ec_four_numbers four, seen_numbers *seen, uint32_t *alone) {
    /* What is less than '0' is the point, or behind the end; moved, the point is not in the first three bytes. */
    const __m256i zero = _mm256_setzero_si256(), digit_u64x4 = _mm256_set1_epi64x(0x3030303030808080);
    const __m256i point_u64x4 = _mm256_set1_epi64x(0x2e2e2e2e2e000000), zero_u64x4 = _mm256_set1_epi64x('0' << 8);
    __m256i starts_u64x4 = _mm256_unpacklo_epi64(four.even_u8x32, four.odd_u8x32);
    __m256i moved_u64x4 = _mm256_slli_epi64(starts_u64x4, 8);
    __m256i ends_u64x4 = _mm256_cmpgt_epi8(digit_u64x4, moved_u64x4);
    __m256i whole_u64x4 = _mm256_andnot_si256(ends_u64x4, _mm256_add_epi64(ends_u64x4, _mm256_set1_epi64x(-1)));
    __m256d total_f64x4 =
        ec_join_quads_avx2(read_two(_mm256_blendv_epi8(four.even_u8x32, _mm256_slli_epi64(four.even_u8x32, 8),
                                                       _mm256_unpacklo_epi64(whole_u64x4, zero))),
                           read_two(_mm256_blendv_epi8(four.odd_u8x32, _mm256_slli_epi64(four.odd_u8x32, 8),
                                                       _mm256_unpackhi_epi64(whole_u64x4, zero))));
    __m256d sign_f64x4 = ec_signs_avx2(starts_u64x4);
    __m256i bytes_u64x4 = _mm256_sad_epu8(_mm256_and_si256(whole_u64x4, _mm256_set1_epi8(1)), zero);
    __m256d powers_f64x4 = powers_of(bytes_u64x4);
    seen->all_u8x32 = _mm256_and_si256(seen->all_u8x32, starts_u64x4);
    seen->any_u8x32 = _mm256_or_si256(seen->any_u8x32, starts_u64x4);
    seen->zeros_u8x32 = _mm256_or_si256(seen->zeros_u8x32, _mm256_and_si256(_mm256_cmpeq_epi8(starts_u64x4, zero_u64x4),
                                                                            _mm256_srli_epi64(starts_u64x4, 8)));
    __m256i moved_over_u64x4 = _mm256_sub_epi64(whole_u64x4, _mm256_set1_epi64x(-1)); /* 1 in the byte behind */
    __m256i points_u64x4 = _mm256_and_si256(_mm256_cmpeq_epi8(moved_u64x4, point_u64x4), moved_over_u64x4);
    seen->points_u64x4 = _mm256_add_epi64(seen->points_u64x4, _mm256_sad_epu8(points_u64x4, zero));

    __m256d less_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1e-14 * (1 - 0x1p-50)));
    __m256d more_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1e-14 * (1 + 0x1p-50)));
    __m256d beyond_f64x4 = _mm256_and_pd(ec_are_cut_avx2(four), more_f64x4);
    __m128 low_f32x4 = _mm256_cvtpd_ps(_mm256_or_pd(_mm256_mul_pd(total_f64x4, less_f64x4), sign_f64x4));
    __m128 high_f32x4 =
        _mm256_cvtpd_ps(_mm256_or_pd(_mm256_fmadd_pd(total_f64x4, more_f64x4, beyond_f64x4), sign_f64x4));
    *alone = (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps(low_f32x4, high_f32x4));
    return low_f32x4;
}

int32_t ec_convert_wide_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    const __m256i zero = _mm256_setzero_si256();
    const uint8_t *starts = chunk + index->gap, *start = starts + index->before;
    const uint8_t *kept = EC_KEPT + EC_LONGEST + index->gap;
    const int32_t count = index->count;
    int32_t alone_left = 1 + count / MOST_ALONE, i = 0;
    uint32_t alone;
    seen_numbers seen = {_mm256_set1_epi8(-1), zero, zero, zero}, rest = seen;
    for (int32_t k = 0; k < 4; k++) index->end[count + k] = index->end[count - 1];
    for (; i + 4 <= count; i += 4) {
        ec_four_numbers four = ec_load_four_avx2(&start, starts, index->end + i, index->end + i, kept);
        _mm_storeu_ps(out + i, round_four(four, &seen, &alone));
        if (EC_LIKELY(alone == 0)) continue;
        if ((alone_left -= (int32_t)_mm_popcnt_u32(alone)) < 0) return -1;
        if (ec_numbers_in_doubt(ec_alone_avx2, chunk, index, i, alone, count, out) < count) return -1;
    }
    if (i < count) {
        ec_four_numbers four = ec_load_four_avx2(&start, starts, index->end + i, index->end + i, kept);
        __m128 value_f32x4 = round_four(four, &rest, &alone);
        alone &= ec_store_some_f32x4(out + i, value_f32x4, count - i);
        if (ec_numbers_in_doubt(ec_alone_avx2, chunk, index, i, alone, count, out) < count) return -1;
    }
    if (ec_numbers_with_exponents(ec_alone_avx2, chunk, index, count, out) < count) return -1;
    return are_fit(chunk, index, &seen, i) ? count : -1;
}

EC_TARGET_END

#endif
