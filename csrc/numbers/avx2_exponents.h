/* The exponents of four numbers at a time, with AVX2, for the second pass of avx2_single.c: what stands between 'e' and
 * the end is at most four bytes, which are loaded from the end backwards:
 *
 *     text     1 . 5 e - 0 5 ,
 *     four           e - 0 5     of these the last three are kept: a number without an exponent keeps none */
#ifndef EC_NUMBERS_AVX2_EXPONENTS_H
#define EC_NUMBERS_AVX2_EXPONENTS_H

#include "avx2.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum {
    EC_LOWEST_EXPONENT = -64,
    EC_HIGHEST_EXPONENT =
        63 /* of those in the table; where it has 0 a number, of digits 1.0 to 9.9, is beyond float32 */
};

/* 10^(k - 13) for the exponents k. */
static const double EXPONENT_POWERS[EC_HIGHEST_EXPONENT - EC_LOWEST_EXPONENT + 1] = {
    0,     0,     0,     0,     1e-73, 1e-72, 1e-71, 1e-70, 1e-69, 1e-68, 1e-67, 1e-66, 1e-65, 1e-64, 1e-63, 1e-62,
    1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53, 1e-52, 1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46,
    1e-45, 1e-44, 1e-43, 1e-42, 1e-41, 1e-40, 1e-39, 1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30,
    1e-29, 1e-28, 1e-27, 1e-26, 1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14,
    1e-13, 1e-12, 1e-11, 1e-10, 1e-9,  1e-8,  1e-7,  1e-6,  1e-5,  1e-4,  1e-3,  1e-2,  1e-1,  1e0,   1e1,   1e2,
    1e3,   1e4,   1e5,   1e6,   1e7,   1e8,   1e9,   1e10,  1e11,  1e12,  1e13,  1e14,  1e15,  1e16,  1e17,  1e18,
    1e19,  1e20,  1e21,  1e22,  1e23,  1e24,  0,     0,     0,     0,     0,     0,     0,     0,     0,     0,
    0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,     0};

EC_INLINE int32_t ec_four_before(const uint8_t *chunk, uint32_t end) {
    int32_t four;
    memcpy(&four, chunk + (int64_t)end - 4, 4);
    return four;
}

/* The powers of ten of the numbers i .. i + 3 of a chunk, times 10^-13. Sets the bits of `alone` of those whose exponents
 * have more than four bytes. */
EC_INLINE __m256d ec_powers_avx2(const uint8_t *chunk, const ec_number_index *index, int32_t i, uint32_t *alone) {
    const uint16_t *end = index->end + i;
    __m128i end_u32x4 = _mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)end));
    __m128i point_u32x4 = _mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)(index->point + i)));
    __m128i four_u8x16 = _mm_setr_epi32(ec_four_before(chunk, end[0]), ec_four_before(chunk, end[1]),
                                        ec_four_before(chunk, end[2]), ec_four_before(chunk, end[3]));
    __m128i behind_i32x4 = _mm_sub_epi32(_mm_sub_epi32(end_u32x4, point_u32x4), _mm_set1_epi32(1)); /* -1: none */
    *alone = (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(behind_i32x4, _mm_set1_epi32(4))));
    __m128i bytes_u32x4 = _mm_max_epi32(behind_i32x4, _mm_setzero_si128());
    __m128i cut_u32x4 = _mm_sub_epi32(_mm_set1_epi32(32), _mm_slli_epi32(bytes_u32x4, 3));
    four_u8x16 = _mm_sllv_epi32(_mm_srlv_epi32(four_u8x16, cut_u32x4), cut_u32x4);

    /* A fourth digit is counted as if it were beyond all that the table has. */
    const __m128i places_u8x16 = _mm_set1_epi32(120 | 100 << 8 | 10 << 16 | 1 << 24);
    __m128i digits_u8x16 = _mm_subs_epu8(four_u8x16, _mm_set1_epi8('0'));
    __m128i size_i32x4 = _mm_madd_epi16(_mm_maddubs_epi16(digits_u8x16, places_u8x16), _mm_set1_epi16(1));
    __m128i minus_u8x16 = _mm_cmpeq_epi8(four_u8x16, _mm_set1_epi8('-'));
    __m128i positive_u32x4 = _mm_cmpeq_epi32(minus_u8x16, _mm_setzero_si128());
    __m128i exponent_i32x4 =
        _mm_blendv_epi8(_mm_sub_epi32(_mm_setzero_si128(), size_i32x4), size_i32x4, positive_u32x4);
    exponent_i32x4 = _mm_min_epi32(_mm_max_epi32(exponent_i32x4, _mm_set1_epi32(EC_LOWEST_EXPONENT)),
                                   _mm_set1_epi32(EC_HIGHEST_EXPONENT));
    return _mm256_i32gather_pd(EXPONENT_POWERS - EC_LOWEST_EXPONENT, exponent_i32x4, 8);
}

/* Notes where the digits of numbers end: at their exponents, or where they have none at their commas. Subtracting the
 * exponents clears the commas behind them; `within` is 1 where a block begins within one, for the next block, too.
 *
 *     text      1 . 5 e 5 , 2 ,     bit 0 at the left
 *     commas              x   x
 *     exponent        x
 *     less            x x     x     and of these only commas, and the exponents */
EC_INLINE uint64_t ec_digits_end(uint64_t commas, uint64_t exponents, uint64_t *within) {
    const uint64_t taken = exponents + *within, left = commas - taken;
    *within = commas < taken;
    return (left & commas) | exponents;
}

/* Whether each of the numbers that ended has one place where its digits do. A second exponent in a number adds a place,
 * which moves the others, beyond what the second pass may look up. */
EC_INLINE int ec_digits_end_once(const ec_number_index *index, int32_t ended, int32_t digits_ended) {
    return digits_ended <= ended || index->point[ended] > index->end[ended - 1];
}

EC_TARGET_END

#endif
#endif
