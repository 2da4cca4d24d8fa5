/* Arrays of floats with AVX2 where nearly each has one digit before its point, as all numbers below ten have: 0.0123,
 * -1.5e-05, 7. Then the digits of a number have fixed places from its first one on, so that the point has no list of
 * positions, and no power of ten has to be looked up: digits behind the last become zeros.
 *
 *     byte     0    1    2    3    4 .. 15
 *     text     -    0    .    0    1 2 3 , - 0 . 4
 *     digits   .    0    .    0    1 2 3 0 0 0 0 0      12.3e-3, as all numbers, is counted in units of 10^-13
 */
#include "avx2_alike.h"
#include "avx2_alone.h"
#include "avx2_exponents.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum { MOST_WIDE = 8 }; /* of so many numbers one may have more digits before its point, and is converted alone */

/* The text of two numbers to their groups of digits. */
EC_INLINE __m256i read_two(__m256i kept_u8x32) {
    return ec_single_quads_avx2(_mm256_and_si256(kept_u8x32, _mm256_set1_epi8(15)));
}

/* What is seen of the numbers of a chunk, each at the byte before its first digit, to be judged at its end. */
typedef struct {
    __m256i all_u8x32, any_u8x32; /* bits that the bytes have in all numbers, and in any */
    __m256i points_u64x4;         /* the sum of 255 * 2^16 for a point behind the first digit */
} seen_numbers;

/* Whether all numbers are as they should be: those that were seen, and the others, from i on; `wide_points` are of those
 * that were read alone. Any two bytes side by side are right; and where they are, digits differ from all that may stand
 * at these two places in the bit of 16. */
static int are_fit(const uint8_t *chunk, const ec_number_index *index, seen_numbers seen, int32_t i,
                   int32_t wide_points) {
    const int32_t rest = ec_count_points(chunk, index, i);
    const __m256i first_u64x4 = _mm256_set1_epi64x(0x1000), before_u64x4 = _mm256_set1_epi64x(0x10);
    const int64_t points = ec_sum_avx2(_mm256_srli_epi64(seen.points_u64x4, 16)) / 255;
    return rest >= 0 && points + wide_points + rest == index->points &&
           _mm256_testc_si256(seen.all_u8x32, first_u64x4) && _mm256_testz_si256(seen.any_u8x32, before_u64x4);
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

/* The nearest floats of four numbers. A number is `total` units of 10^-13, or of those times `powers`, or where digits behind
 * those are not read at least that and below total + 1. These bounds are multiplied by units less and more some in the last
 * place, which are more than what the products are rounded by. Where both round to the same float, so does the number; the
 * others are *alone, and so are what is wide and, if `small` are looked for, what may be no normal float. */
EC_INLINE __m128 round_four(ec_four_numbers four, __m256i starts_u64x4, __m256d powers_f64x4, int small,
                            uint32_t *alone) {
    __m256d total_f64x4 = ec_join_quads_avx2(read_two(four.even_u8x32), read_two(four.odd_u8x32));
    __m256d sign_f64x4 = ec_signs_avx2(starts_u64x4);
    __m256d less_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 - 0x1p-50));
    __m256d more_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 + 0x1p-50));
    __m256d beyond_f64x4 = _mm256_and_pd(ec_are_cut_avx2(four), more_f64x4);
    __m256d low_f64x4 = _mm256_mul_pd(total_f64x4, less_f64x4);
    __m256d high_f64x4 = _mm256_or_pd(_mm256_fmadd_pd(total_f64x4, more_f64x4, beyond_f64x4), sign_f64x4);
    if (small) /* where all bits are set, that is not a number */
        high_f64x4 = _mm256_or_pd(high_f64x4, _mm256_cmp_pd(low_f64x4, _mm256_set1_pd(0x1p-126), _CMP_LT_OQ));
    __m128 value_f32x4 = _mm256_cvtpd_ps(_mm256_or_pd(low_f64x4, sign_f64x4));
    *alone = (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps(value_f32x4, _mm256_cvtpd_ps(high_f64x4))) | wide_of(starts_u64x4);
    return value_f32x4;
}

/* Where the exponents of a chunk are known from. */
enum { NONE, NOTED, ALIKE };

/* A chunk on its way to floats. */
typedef struct {
    const uint8_t *from_e, *starts, *start, *kept; /* exponents begin `from_e` behind an end, if they are alike */
    const uint16_t *digits_end;
    uint32_t others; /* bits of exponents that are not like the others */
    uint8_t beyond_signs;
} reading;

/* Converts the numbers i .. i + 3; `starts_u64x4` are their first bytes. */
EC_INLINE __m128 next_four(reading *of, const ec_number_index *index, int32_t i, int exponents, __m256i *starts_u64x4,
                           uint32_t *alone) {
    const ec_four_numbers four =
        ec_load_four_avx2(&of->start, of->starts, index->end + i, of->digits_end + i, of->kept, of->beyond_signs);
    __m256d powers_f64x4 = _mm256_set1_pd(1e-13);
    if (exponents == NOTED) powers_f64x4 = ec_powers_avx2(index, i);
    if (exponents == ALIKE) powers_f64x4 = ec_alike_powers_avx2(of->from_e, index->end + i, &of->others);
    *starts_u64x4 = _mm256_unpacklo_epi64(four.even_u8x32, four.odd_u8x32);
    return round_four(four, *starts_u64x4, powers_f64x4, exponents == NOTED, alone);
}

/* Of the numbers that are converted alone those with more digits before their points: so many more may be, and so many points
 * of them were seen. */
typedef struct {
    int32_t left, points;
} wide_numbers;

/* Converts those of the numbers i .. i + 3 that are to be alone. Returns 0 where scalar must decide, or too many are wide. */
static EC_NOINLINE int convert_alone(const uint8_t *chunk, const ec_number_index *index, int32_t i, uint32_t alone,
                                     uint32_t wide, wide_numbers *of, float *out) {
    for (; wide != 0; wide &= wide - 1, of->left--)
        of->points += ec_has_point(chunk, index, i + ec_trailing_zeros_u64(wide));
    return of->left >= 0 &&
           ec_numbers_in_doubt(ec_alone_avx2, chunk, index, i, alone, index->count, out) == index->count;
}

EC_INLINE int32_t convert(const uint8_t *chunk, ec_number_index *index, float *out, int exponents) {
    const uint8_t *starts = chunk + index->gap;
    reading of = {.from_e = chunk - index->alike,
                  .starts = starts,
                  .start = starts + index->before,
                  .kept = EC_KEPT + EC_LONGEST + index->gap + (exponents == ALIKE ? index->alike : 0),
                  .digits_end = exponents == NOTED ? index->point : index->end,
                  .beyond_signs = ec_beyond_signs()};
    const int32_t count = index->count;
    wide_numbers wide = {1 + count / MOST_WIDE, 0};
    int32_t i = 0;
    uint32_t alone;
    __m256i starts_u64x4;
    seen_numbers seen = {_mm256_set1_epi8(-1), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int32_t k = 0; k < 8; k++) index->end[count + k] = index->end[count - 1];
    if (exponents == NOTED && !ec_note_exponents(chunk, index)) return -1;
    if (exponents == ALIKE && index->exponents != count) return -1;
    for (; i + 4 <= count; i += 4) {
        _mm_storeu_ps(out + i, next_four(&of, index, i, exponents, &starts_u64x4, &alone));
        see(&seen, starts_u64x4);
        if (EC_LIKELY(alone == 0)) continue;
        if (!convert_alone(chunk, index, i, alone, wide_of(starts_u64x4), &wide, out)) return -1;
    }
    if (i < count) {
        const __m128 value_f32x4 = next_four(&of, index, i, exponents, &starts_u64x4, &alone);
        alone &= ec_store_some_f32x4(out + i, value_f32x4, count - i);
        if (!convert_alone(chunk, index, i, alone, 0, &wide, out)) return -1;
    }
    if (of.others != 0 || ec_numbers_with_exponents(ec_alone_avx2, chunk, index, count, out) < count) return -1;
    return are_fit(chunk, index, seen, i, wide.points) ? count : -1;
}

int32_t ec_convert_single_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    if (!index->dense) return convert(chunk, index, out, NONE);
    const int32_t done = index->alike ? convert(chunk, index, out, ALIKE) : -1;
    return done < 0 ? convert(chunk, index, out, NOTED) : done;
}

EC_TARGET_END

#endif
