/* The exponents of eight numbers at a time, with AVX2, for the second pass of avx2_single.c: the last four bytes of a number
 * are loaded, and where 'e' is among them, those behind it are the exponent:
 *
 *     text     1 . 5 e - 0 5 ,
 *     four           e - 0 5
 *     kept           . - 0 5     of a number without an exponent nothing */
#ifndef EC_NUMBERS_AVX2_EXPONENTS_H
#define EC_NUMBERS_AVX2_EXPONENTS_H

#include "avx2_convert.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum {
    EC_FARTHEST_EXPONENT = 63 /* of those in the table; where it has 0 a number, of digits 1.0 to 9.9, is no float32 */
};

/* 10^(k - 13) for the exponents k. */
static const double EXPONENT_POWERS[2 * EC_FARTHEST_EXPONENT + 1] = {
    0,     0,     0,     1e-73, 1e-72, 1e-71, 1e-70, 1e-69, 1e-68, 1e-67, 1e-66, 1e-65, 1e-64, 1e-63, 1e-62, 1e-61,
    1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53, 1e-52, 1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45,
    1e-44, 1e-43, 1e-42, 1e-41, 1e-40, 1e-39, 1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29,
    1e-28, 1e-27, 1e-26, 1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13,
    1e-12, 1e-11, 1e-10, 1e-9,  1e-8,  1e-7,  1e-6,  1e-5,  1e-4,  1e-3,  1e-2,  1e-1,  1e0,   1e1,   1e2,   1e3,
    1e4,   1e5,   1e6,   1e7,   1e8,   1e9,   1e10,  1e11,  1e12,  1e13,  1e14,  1e15,  1e16,  1e17,  1e18,  1e19,
    1e20,  1e21,  1e22,  1e23,  1e24,  0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,
    0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0};

/* The last eight bytes of the numbers i, i + 1, and i + 4, i + 5. */
EC_INLINE __m256i ec_eights_before(const uint8_t *before, const uint16_t *end, int i) {
    return _mm256_unpackhi_epi64(ec_load_two_avx2(before + end[i], before + end[i + 4]),
                                 ec_load_two_avx2(before + end[i + 1], before + end[i + 5]));
}

/* The last four bytes of eight numbers. */
EC_INLINE __m256i ec_fours_before(const uint8_t *chunk, const uint16_t *end) {
    const __m256 even_u32x8 = _mm256_castsi256_ps(ec_eights_before(chunk - 16, end, 0));
    const __m256 odd_u32x8 = _mm256_castsi256_ps(ec_eights_before(chunk - 16, end, 2));
    return _mm256_castps_si256(_mm256_shuffle_ps(even_u32x8, odd_u32x8, 3 << 6 | 1 << 4 | 3 << 2 | 1));
}

/* Eight times 32 bits to 16, in their order. */
EC_INLINE __m128i ec_narrow_i32x8(__m256i x_i32x8) {
    return _mm_packs_epi32(_mm256_castsi256_si128(x_i32x8), _mm256_extracti128_si256(x_i32x8, 1));
}

/* Notes the exponents of a dense chunk, and where the digits before them end. Returns whether each number has at most one,
 * of no more than four bytes: then as many are found as the text has, and no comma is behind any. Behind the last number
 * seven more are noted, of which `end` is what the last one's is. */
EC_INLINE int ec_note_exponents(const uint8_t *chunk, ec_number_index *index) {
    const __m256i zero = _mm256_setzero_si256(), lanes_i32x8 = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i places_u8x32 = _mm256_set1_epi32(100 << 8 | 10 << 16 | 1 << 24);
    __m256i count_i32x8 = zero, commas_u8x32 = zero;
    for (int32_t i = 0; i < index->count; i += 8) {
        const uint16_t *end = index->end + i;
        const __m128i ends_u16x8 = _mm_loadu_si128((const __m128i *)end);
        __m256i fours_u8x32 = ec_fours_before(chunk, end);
        __m256i e_u8x32 =
            _mm256_cmpeq_epi8(_mm256_or_si256(fours_u8x32, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('e'));
        __m256i from_e_u8x32 = _mm256_sub_epi32(zero, _mm256_and_si256(e_u8x32, _mm256_set1_epi8(1)));
        __m256i kept_u8x32 = _mm256_andnot_si256(e_u8x32, _mm256_and_si256(fours_u8x32, from_e_u8x32));
        __m256i bytes_i32x8 =
            _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), from_e_u8x32), _mm256_set1_epi16(-1));
        __m256i is_number = _mm256_cmpgt_epi32(_mm256_set1_epi32(index->count - i), lanes_i32x8);
        __m256i has_one = _mm256_and_si256(is_number, _mm256_cmpgt_epi32(zero, from_e_u8x32));
        count_i32x8 = _mm256_sub_epi32(count_i32x8, has_one);
        commas_u8x32 = _mm256_or_si256(commas_u8x32, _mm256_cmpeq_epi8(kept_u8x32, _mm256_set1_epi8(',')));

        __m256i digits_u8x32 = _mm256_subs_epu8(kept_u8x32, _mm256_set1_epi8('0'));
        __m256i size_i32x8 = _mm256_madd_epi16(_mm256_maddubs_epi16(digits_u8x32, places_u8x32), _mm256_set1_epi16(1));
        size_i32x8 = _mm256_min_epi32(size_i32x8, _mm256_set1_epi32(EC_FARTHEST_EXPONENT));
        __m256i minus_u8x32 = _mm256_cmpeq_epi8(kept_u8x32, _mm256_set1_epi8('-'));
        __m256i negative = _mm256_cmpgt_epi32(minus_u8x32, zero); /* it is not the last byte */
        __m256i exponent_i32x8 = _mm256_sub_epi32(_mm256_xor_si256(size_i32x8, negative), negative);
        _mm_storeu_si128((__m128i *)(index->exponent + i), ec_narrow_i32x8(exponent_i32x8));
        __m128i digits_end_u16x8 = _mm_sub_epi16(ends_u16x8, ec_narrow_i32x8(bytes_i32x8));
        _mm_storeu_si128((__m128i *)(index->point + i), digits_end_u16x8);
    }
    int32_t counts[8], count = 0;
    _mm256_storeu_si256((__m256i *)counts, count_i32x8);
    for (int i = 0; i < 8; i++) count += counts[i];
    return count == index->exponents && _mm256_testz_si256(commas_u8x32, commas_u8x32);
}

/* The powers of ten of the numbers i .. i + 3 of a chunk, times 10^-13. Each is loaded by itself: a gather takes longer on
 * Zen. */
EC_INLINE __m256d ec_powers_avx2(const ec_number_index *index, int32_t i) {
    const double *power = EXPONENT_POWERS + EC_FARTHEST_EXPONENT;
    const int16_t *exponent = index->exponent + i;
    return _mm256_setr_pd(power[exponent[0]], power[exponent[1]], power[exponent[2]], power[exponent[3]]);
}

EC_TARGET_END

#endif
#endif
