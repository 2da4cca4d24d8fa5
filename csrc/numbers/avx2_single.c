/* Arrays of floats with AVX2 where nearly each has one digit before its point, as all numbers below ten have: 0.0123,
 * -1.5e-05, 7. Then the digits of a number have fixed places from its first one on, so that the point has no list of
 * positions, and no power of ten has to be looked up: digits behind the last become zeros.
 *
 *     byte     0    1    2    3    4 .. 15
 *     text     -    0    .    0    1 2 3 , - 0 . 4
 *     digits   .    0    .    0    1 2 3 0 0 0 0 0      12.3e-3, as all numbers, is counted in units of 10^-13
 */
#include "avx2_exponents.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum { MOST_WIDE = 8 }; /* of so many numbers one may have more digits before its point, and is converted alone */

/* Turns the text of two numbers into two times four groups of digits, of two, and three times four. */
EC_INLINE __m256i read_two(__m256i kept_u8x32) {
    const __m256i tens_u8x32 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 0, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1)); /* sign, first digit, point, ... */
    const __m256i hundreds_u16x16 = _mm256_broadcastsi128_si256(_mm_setr_epi16(10, 1, 100, 1, 100, 1, 100, 1));
    __m256i digits_u8x32 = _mm256_and_si256(kept_u8x32, _mm256_set1_epi8(15));
    return _mm256_madd_epi16(_mm256_maddubs_epi16(digits_u8x32, tens_u8x32), hundreds_u16x16);
}

/* What is seen of the numbers of a chunk, each at the byte before its first digit, to be judged at its end. */
typedef struct {
    __m256i all_u8x32, any_u8x32; /* bits that the bytes have in all numbers, and in any */
    __m256i points_u64x4;         /* the sum of 255 * 2^16 for a point behind the first digit */
} seen_numbers;

/* Whether all numbers are as they should be: those that were seen, and the others, from i on; `wide_points` are of those
 * that were read alone. Any two bytes side by side are right; and where they are, digits differ from all that may stand
 * at these two places in the bit of 16. */
static int are_fit(const uint8_t *chunk, const ec_number_index *index, const seen_numbers *seen, int32_t i,
                   int32_t wide_points) {
    const int32_t rest = ec_count_points(chunk, index, i);
    const __m256i first_u64x4 = _mm256_set1_epi64x(0x1000), before_u64x4 = _mm256_set1_epi64x(0x10);
    const int64_t points = ec_sum_avx2(_mm256_srli_epi64(seen->points_u64x4, 16)) / 255;
    return rest >= 0 && points + wide_points + rest == index->points &&
           _mm256_testc_si256(seen->all_u8x32, first_u64x4) && _mm256_testz_si256(seen->any_u8x32, before_u64x4);
}

EC_INLINE void see(seen_numbers *seen, __m256i starts_u64x4) {
    const __m256i point_u64x4 = _mm256_set1_epi64x(-1 ^ (0xff ^ '.') << 16); /* -1 is no character */
    seen->all_u8x32 = _mm256_and_si256(seen->all_u8x32, starts_u64x4);
    seen->any_u8x32 = _mm256_or_si256(seen->any_u8x32, starts_u64x4);
    seen->points_u64x4 = _mm256_add_epi64(seen->points_u64x4, _mm256_cmpeq_epi8(starts_u64x4, point_u64x4));
}

/* Those of four numbers with more digits before their points than one: of the second byte behind the first the bit of 16. */
EC_INLINE uint32_t wide_of(__m256i starts_u64x4) {
    return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_slli_epi64(starts_u64x4, 43)));
}

/* The nearest floats of four numbers, the next of a chunk. A number is `total` units of 10^-13 or, where digits behind those
 * are not read, at least that and below total + 1. These bounds are multiplied by 10^-13 less and more some units in the
 * last place, which are more than what the products are rounded by. Where both round to the same float, so does the number;
 * the others are *alone, and so are what is wide and, of a dense chunk, what may be no normal float. */
EC_INLINE __m128 round_four(ec_four_numbers four, __m256i starts_u64x4, int dense, const ec_number_index *index,
                            int32_t i, uint32_t *alone) {
    __m256d total_f64x4 = ec_join_quads_avx2(read_two(four.even_u8x32), read_two(four.odd_u8x32));
    __m256d sign_f64x4 = ec_signs_avx2(starts_u64x4);
    __m256d less_f64x4 = _mm256_set1_pd(1e-13 * (1 - 0x1p-50)), more_f64x4 = _mm256_set1_pd(1e-13 * (1 + 0x1p-50));
    if (dense) {
        const __m256d powers_f64x4 = ec_powers_avx2(index, i);
        less_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 - 0x1p-50));
        more_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 + 0x1p-50));
    }
    __m256d beyond_f64x4 = _mm256_and_pd(ec_are_cut_avx2(four), more_f64x4);
    __m256d low_f64x4 = _mm256_mul_pd(total_f64x4, less_f64x4);
    __m256d high_f64x4 = _mm256_or_pd(_mm256_fmadd_pd(total_f64x4, more_f64x4, beyond_f64x4), sign_f64x4);
    if (dense) /* where all bits are set, that is not a number */
        high_f64x4 = _mm256_or_pd(high_f64x4, _mm256_cmp_pd(low_f64x4, _mm256_set1_pd(0x1p-126), _CMP_LT_OQ));
    __m128 value_f32x4 = _mm256_cvtpd_ps(_mm256_or_pd(low_f64x4, sign_f64x4));
    *alone = (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps(value_f32x4, _mm256_cvtpd_ps(high_f64x4))) | wide_of(starts_u64x4);
    return value_f32x4;
}

EC_INLINE int32_t convert(const uint8_t *chunk, ec_number_index *index, float *out, int dense) {
    const uint8_t *starts = chunk + index->gap, *start = starts + index->before;
    const uint8_t *kept = EC_KEPT + EC_LONGEST + index->gap;
    const uint16_t *digits_end = dense ? index->point : index->end;
    const int32_t count = index->count;
    int32_t wide_left = 1 + count / MOST_WIDE, wide_points = 0, i = 0;
    uint32_t alone;
    const uint8_t beyond_signs = ec_beyond_signs();
    seen_numbers seen = {_mm256_set1_epi8(-1), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int32_t k = 0; k < 8; k++) index->end[count + k] = index->end[count - 1];
    if (dense && !ec_note_exponents(chunk, index)) return -1;
    for (; i + 4 <= count; i += 4) {
        ec_four_numbers four = ec_load_four_avx2(&start, starts, index->end + i, digits_end + i, kept, beyond_signs);
        __m256i starts_u64x4 = _mm256_unpacklo_epi64(four.even_u8x32, four.odd_u8x32);
        see(&seen, starts_u64x4);
        _mm_storeu_ps(out + i, round_four(four, starts_u64x4, dense, index, i, &alone));
        if (EC_LIKELY(alone == 0)) continue;
        for (uint32_t wide = wide_of(starts_u64x4); wide != 0; wide &= wide - 1, wide_left--)
            wide_points += ec_has_point(chunk, index, i + ec_trailing_zeros_u64(wide));
        if (wide_left < 0 || ec_numbers_in_doubt(ec_alone_avx2, chunk, index, i, alone, count, out) < count) return -1;
    }
    if (i < count) {
        ec_four_numbers four = ec_load_four_avx2(&start, starts, index->end + i, digits_end + i, kept, beyond_signs);
        __m256i starts_u64x4 = _mm256_unpacklo_epi64(four.even_u8x32, four.odd_u8x32);
        __m128 value_f32x4 = round_four(four, starts_u64x4, dense, index, i, &alone);
        alone &= ec_store_some_f32x4(out + i, value_f32x4, count - i);
        if (ec_numbers_in_doubt(ec_alone_avx2, chunk, index, i, alone, count, out) < count) return -1;
    }
    if (ec_numbers_with_exponents(ec_alone_avx2, chunk, index, count, out) < count) return -1;
    return are_fit(chunk, index, &seen, i, wide_points) ? count : -1;
}

int32_t ec_convert_single_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    return index->dense ? convert(chunk, index, out, 1) : convert(chunk, index, out, 0);
}

EC_TARGET_END

#endif
