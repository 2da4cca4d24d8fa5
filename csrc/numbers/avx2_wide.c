/* Arrays of floats with AVX2 where not all have one digit before their points: 12.5, -1017.25, 0.03, 7, 16777216. The first
 * byte that is no digit, be it the point or what is behind the number, is put before the others, and the power of ten is that
 * of the digits before it:
 *
 *     byte     0    1    2    3    4    5    6 .. 15
 *     text     -    1    2    .    5    ,    0 . 4
 *     moved    .    -    1    2    5    0    0 0 0      12.5 is 1.25e13 times 10^(2 - 14)
 */
#include <math.h>

#include "avx2_alone.h"
#include "avx2_convert.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum { MOST_ALONE = 16 }; /* of so many numbers one may be converted alone */

/* What the first byte that is no digit makes of the others, and 10^-14 times the power of ten of the digits before it. Where
 * there are none, or no end is seen of them, that is no number, so that the text is converted alone. */
typedef struct {
    uint8_t places[16];
    double power, unused;
} move;

static const move MOVES[16] = {{{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, NAN, 0},
                               {{1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, NAN, 0},
                               {{2, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 1e-13, 0},
                               {{3, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 1e-12, 0},
                               {{4, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 1e-11, 0},
                               {{5, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 1e-10, 0},
                               {{6, 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 1e-9, 0},
                               {{7, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15}, 1e-8, 0},
                               {{8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15}, 1e-7, 0},
                               {{9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15}, 1e-6, 0},
                               {{10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15}, 1e-5, 0},
                               {{11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15}, 1e-4, 0},
                               {{12, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15}, 1e-3, 0},
                               {{13, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15}, 1e-2, 0},
                               {{14, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15}, 1e-1, 0},
                               {{15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, NAN, 0}};

/* Turns two numbers without their points into two times four groups of digits, of two, and three times four. */
EC_INLINE __m256i read_two(__m256i moved_u8x32) {
    const __m256i tens_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1));
    const __m256i hundreds_u16x16 = _mm256_broadcastsi128_si256(_mm_setr_epi16(0, 1, 100, 1, 100, 1, 100, 1));
    __m256i digits_u8x32 = _mm256_and_si256(moved_u8x32, _mm256_set1_epi8(15));
    return _mm256_madd_epi16(_mm256_maddubs_epi16(digits_u8x32, tens_u8x32), hundreds_u16x16);
}

/* What is seen of the numbers of a chunk, each at the byte before its first digit, to be judged at its end. */
typedef struct {
    __m256i any_u8x32;    /* bits that the bytes have in any number */
    __m256i zeros_u32x8;  /* all bits, if any number begins with a 0 before another digit */
    __m256i points_u64x4; /* the sum of 255 for each that has a point */
} seen_numbers;

/* Whether all numbers are as they should be: those that were seen, and the others, from i on. A number has no more than one
 * point where those that come first in theirs are all that there are. */
static int are_fit(const uint8_t *chunk, const ec_number_index *index, seen_numbers seen, int32_t i) {
    const int32_t rest = ec_count_points(chunk, index, i);
    return rest >= 0 && ec_sum_avx2(seen.points_u64x4) / 255 + rest == index->points &&
           _mm256_testz_si256(seen.any_u8x32, _mm256_set1_epi64x(0x10)) &&
           _mm256_testz_si256(seen.zeros_u32x8, seen.zeros_u32x8);
}

/* Digits differ in the bit of 16 from all that may stand behind a first one. */
EC_INLINE void see(seen_numbers *seen, __m256i starts_u64x4, __m256i moved_u64x4) {
    const __m256i two_u64x4 = _mm256_set1_epi64x(0x10ff00),
                  zero_u64x4 = _mm256_set1_epi64x((int64_t)0xffffffff00103000);
    const __m256i point_u64x4 = _mm256_set1_epi64x(-1 ^ (0xff ^ '.'));
    const __m256i zeros_u32x8 = _mm256_cmpeq_epi32(_mm256_and_si256(starts_u64x4, two_u64x4), zero_u64x4);
    seen->any_u8x32 = _mm256_or_si256(seen->any_u8x32, starts_u64x4);
    seen->zeros_u32x8 = _mm256_or_si256(seen->zeros_u32x8, zeros_u32x8);
    seen->points_u64x4 = _mm256_add_epi64(seen->points_u64x4, _mm256_cmpeq_epi8(moved_u64x4, point_u64x4));
}

/* A bit for each byte of two numbers that is no digit, but for those before the first ones; and for the last ones. */
EC_INLINE uint32_t others_of(__m256i text_u8x32) {
    const __m256i digit_u8x32 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(-128, '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', 127));
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(digit_u8x32, text_u8x32));
}

/* The nearest floats of four numbers: see avx2_single.c, but that the power of ten is that of the digits before the point. */
EC_INLINE __m128 round_four(ec_four_numbers four, seen_numbers *seen, uint32_t *alone) {
    const uint64_t even = others_of(four.even_u8x32), odd = others_of(four.odd_u8x32);
    const move *a = MOVES + _tzcnt_u64(even), *b = MOVES + _tzcnt_u64(odd);
    const move *c = MOVES + _tzcnt_u64(even >> 16), *d = MOVES + _tzcnt_u64(odd >> 16);
    __m256i even_u8x32 = _mm256_shuffle_epi8(four.even_u8x32, ec_load_two_avx2(a->places, c->places));
    __m256i odd_u8x32 = _mm256_shuffle_epi8(four.odd_u8x32, ec_load_two_avx2(b->places, d->places));
    __m256i starts_u64x4 = _mm256_unpacklo_epi64(four.even_u8x32, four.odd_u8x32);
    see(seen, starts_u64x4, _mm256_unpacklo_epi64(even_u8x32, odd_u8x32));
    __m256d total_f64x4 = ec_join_quads_avx2(read_two(even_u8x32), read_two(odd_u8x32));
    __m256d powers_f64x4 = _mm256_setr_pd(a->power, b->power, c->power, d->power);
    powers_f64x4 = _mm256_or_pd(powers_f64x4, ec_signs_avx2(starts_u64x4));
    __m256d less_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 - 0x1p-50));
    __m256d more_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 + 0x1p-50));
    __m256d beyond_f64x4 = _mm256_and_pd(ec_are_cut_avx2(four), more_f64x4);
    __m128 low_f32x4 = _mm256_cvtpd_ps(_mm256_mul_pd(total_f64x4, less_f64x4));
    __m128 high_f32x4 = _mm256_cvtpd_ps(_mm256_fmadd_pd(total_f64x4, more_f64x4, beyond_f64x4));
    *alone = (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps(low_f32x4, high_f32x4));
    return low_f32x4;
}

/* Converts those of the numbers i .. i + 3 that are to be alone. Returns 0 where scalar must decide. */
static EC_NOINLINE int convert_alone(const uint8_t *chunk, const ec_number_index *index, int32_t i, uint32_t alone,
                                     float *out) {
    return ec_numbers_in_doubt(ec_alone_avx2, chunk, index, i, alone, index->count, out) == index->count;
}

int32_t ec_convert_wide_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    const __m256i zero = _mm256_setzero_si256();
    const uint8_t *starts = chunk + index->gap, *start = starts + index->before;
    const uint8_t *kept = EC_KEPT + EC_LONGEST + index->gap;
    const uint16_t *end = index->end;
    const int64_t count = index->count;
    int64_t alone_left = 1 + count / MOST_ALONE, i = 0;
    uint32_t alone;
    const uint8_t beyond_signs = ec_beyond_signs();
    seen_numbers seen = {zero, zero, zero}, rest = seen;
    for (int32_t k = 0; k < 4; k++) index->end[count + k] = index->end[count - 1];
    for (; i + 4 <= count; i += 4) {
        ec_four_numbers four = ec_load_four_avx2(&start, starts, end + i, end + i, kept, beyond_signs);
        _mm_storeu_ps(out + i, round_four(four, &seen, &alone));
        if (EC_LIKELY(alone == 0)) continue;
        if ((alone_left -= (int32_t)_mm_popcnt_u32(alone)) < 0) return -1;
        if (!convert_alone(chunk, index, (int32_t)i, alone, out)) return -1;
    }
    if (i < count) {
        ec_four_numbers four = ec_load_four_avx2(&start, starts, end + i, end + i, kept, beyond_signs);
        __m128 value_f32x4 = round_four(four, &rest, &alone);
        alone &= ec_store_some_f32x4(out + i, value_f32x4, (int32_t)(count - i));
        if (!convert_alone(chunk, index, (int32_t)i, alone, out)) return -1;
    }
    if (ec_numbers_with_exponents(ec_alone_avx2, chunk, index, index->count, out) < count) return -1;
    return are_fit(chunk, index, seen, (int32_t)i) ? index->count : -1;
}

EC_TARGET_END

#endif
