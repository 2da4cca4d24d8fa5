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

/* A number is at least `total` units of 10^-13, and below total + 1 of them, or `total` where all its digits are read. Its
 * bounds are multiplied by 10^-13 less and more some units in the last place, which are more than what the products are
 * rounded by. Where both round to the same float, so does the number. */
EC_INLINE int32_t convert(const uint8_t *chunk, ec_number_index *index, float *out, int dense) {
    const __m256i point_u64x4 = _mm256_set1_epi64x(-1 ^ (0xff ^ '.') << 16); /* -1 is no character */
    __m256d less = _mm256_set1_pd(1e-13 * (1 - 0x1p-50)), more = _mm256_set1_pd(1e-13 * (1 + 0x1p-50));
    const uint8_t *starts = chunk + index->gap, *kept = EC_KEPT + EC_LONGEST + index->gap;
    int32_t count = index->count, wide_left = 1 + count / MOST_WIDE, wide_points = 0;
    int64_t before = index->before;
    seen_numbers seen = {_mm256_set1_epi8(-1), _mm256_setzero_si256(), _mm256_setzero_si256()}, complete = seen;
    for (int32_t i = 0; i < 8; i++) index->end[count + i] = index->end[count - 1];
    if (dense && !ec_note_exponents(chunk, index)) return -1;
    for (int32_t i = 0; i < count; i += 4) {
        const uint8_t *text[4], *kept_of[4];
        for (int j = 0; j < 4; j++) {
            int64_t first = before + (starts[before] == '-');
            text[j] = starts + first - 1;
            kept_of[j] = kept + (first - (dense ? index->point[i + j] : index->end[i + j]));
            before = index->end[i + j];
        }
        __m256i even_u8x32 = ec_keep_two_avx2(text, kept_of, 0), odd_u8x32 = ec_keep_two_avx2(text, kept_of, 1);
        __m256i starts_u64x4 = _mm256_unpacklo_epi64(even_u8x32, odd_u8x32);
        __m256d total_f64x4 = ec_join_quads_avx2(read_two(even_u8x32), read_two(odd_u8x32));
        __m256d sign_f64x4 = ec_signs_avx2(starts_u64x4);
        if (i + 4 > count) complete = seen;
        seen.all_u8x32 = _mm256_and_si256(seen.all_u8x32, starts_u64x4);
        seen.any_u8x32 = _mm256_or_si256(seen.any_u8x32, starts_u64x4);
        seen.points_u64x4 = _mm256_add_epi64(seen.points_u64x4, _mm256_cmpeq_epi8(starts_u64x4, point_u64x4));
        /* of a digit behind the first the bit of 16 */
        const uint32_t wide = (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_slli_epi64(starts_u64x4, 43)));
        uint32_t alone = wide;
        __m256d small_f64x4 =
            sign_f64x4; /* of no normal floats, and what may be beyond float32, all bits: not a number */
        if (dense) {
            const __m256d powers_f64x4 = ec_powers_avx2(index, i);
            less = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 - 0x1p-50));
            more = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 + 0x1p-50));
            small_f64x4 = _mm256_cmp_pd(_mm256_mul_pd(total_f64x4, less), _mm256_set1_pd(0x1p-126), _CMP_LT_OQ);
        }
        __m256d low_f64x4 = _mm256_or_pd(_mm256_mul_pd(total_f64x4, less), sign_f64x4);
        __m256d high_f64x4 = _mm256_or_pd(_mm256_fmadd_pd(total_f64x4, more, more), sign_f64x4);
        if (dense) high_f64x4 = _mm256_or_pd(high_f64x4, small_f64x4);
        __m128 value_f32x4 = _mm256_cvtpd_ps(low_f64x4);
        uint32_t unsure = (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps(value_f32x4, _mm256_cvtpd_ps(high_f64x4)));
        if (EC_UNLIKELY(unsure != 0)) {
            alone |= ec_still_unsure(index, i, total_f64x4, more, sign_f64x4, value_f32x4);
            if (dense) alone |= (uint32_t)_mm256_movemask_pd(small_f64x4);
        }
        alone &= ec_store_some_f32x4(out + i, value_f32x4, count - i);
        if (EC_UNLIKELY(alone != 0)) {
            for (uint32_t left = wide & alone; left != 0 && i + 4 <= count; left &= left - 1, wide_left--)
                wide_points += ec_has_point(chunk, index, i + ec_trailing_zeros_u64(left));
            if (wide_left < 0) return -1;
            count = ec_numbers_in_doubt(ec_alone_avx2, chunk, index, i, alone, count, out); /* ends the loop if less */
        }
    }
    count = ec_numbers_with_exponents(ec_alone_avx2, chunk, index, count, out);
    if (index->count % 4 == 0) complete = seen;
    return count == index->count && are_fit(chunk, index, &complete, index->count & -4, wide_points) ? count : -1;
}

int32_t ec_convert_single_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    return index->dense ? convert(chunk, index, out, 1) : convert(chunk, index, out, 0);
}

EC_TARGET_END

#endif
