/* Shared by the second passes of avx2_single.c, avx2_wide.c and avx2_whole.c, and by avx2_fixed.c, which load 16 bytes of each
 * number, from the one before its first digit on. */
#ifndef EC_NUMBERS_AVX2_CONVERT_H
#define EC_NUMBERS_AVX2_CONVERT_H

#include "avx2.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum {
    EC_LONGEST = 128,  /* no number that is noted is longer */
    EC_MOST_FROM_E = 4 /* bytes of an exponent, with its 'e' */
};

#define EC_EIGHT_KEPT 255, 255, 255, 255, 255, 255, 255, 255
#define EC_THIRTY_TWO_KEPT EC_EIGHT_KEPT, EC_EIGHT_KEPT, EC_EIGHT_KEPT, EC_EIGHT_KEPT

/* EC_KEPT + EC_LONGEST - k: 16 bytes that keep the first k + 1, and nothing of the others; k is -1 - EC_MOST_GAP at least,
 * less the bytes from 'e' on where a chunk is dense. */
static const uint8_t EC_KEPT[EC_LONGEST + 1 + 16 + EC_MOST_GAP + EC_MOST_FROM_E] = {
    EC_THIRTY_TWO_KEPT, EC_THIRTY_TWO_KEPT, EC_THIRTY_TWO_KEPT, EC_THIRTY_TWO_KEPT, 255};

/* Two times 16 bytes. */
EC_INLINE __m256i ec_load_two_avx2(const uint8_t *low, const uint8_t *high) {
    __m256i low_u8x16 = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low));
    return _mm256_inserti128_si256(low_u8x16, _mm_loadu_si128((const __m128i *)high), 1);
}

/* The text of numbers 0 and 2 of four, and of 1 and 3: of each 16 bytes from the one before its first digit on, of which
 * those from its end on are zero. */
typedef struct {
    __m256i even_u8x32, odd_u8x32;
} ec_four_numbers;

/* What is less than this may stand where a number begins, but does not belong to its digits: '-'. It is read from memory
 * because compilers then compare and add the carry, where with a constant they take twice as many instructions. */
EC_INLINE uint8_t ec_beyond_signs(void) {
    static const volatile uint8_t beyond = '.';
    return beyond;
}

/* Where four numbers are: the bytes before their first digits, and so many from there to their ends, and the gap. */
typedef struct {
    const uint8_t *text[4];
    int64_t bytes[4];
} ec_four_places;

/* Finds four numbers, of which the first begins at *start; what is next begins `starts` behind its end. Where exponents are
 * noted, digits end before a number does. */
EC_INLINE ec_four_places ec_place_four_avx2(const uint8_t **start, const uint8_t *starts, const uint16_t *end,
                                            const uint16_t *digits_end, uint8_t beyond_signs) {
    ec_four_places of;
    for (int j = 0; j < 4; j++) {
        const uint8_t *first = *start + (**start < beyond_signs);
        of.text[j] = first - 1;
        of.bytes[j] = starts + digits_end[j] - first;
        *start = starts + end[j];
    }
    return of;
}

/* Of four numbers 16 bytes each. */
EC_INLINE ec_four_numbers ec_load_each_avx2(const uint8_t *const text[4]) {
    ec_four_numbers four = {ec_load_two_avx2(text[0], text[2]), ec_load_two_avx2(text[1], text[3])};
    return four;
}

EC_INLINE ec_four_numbers ec_load_four_avx2(const uint8_t **start, const uint8_t *starts, const uint16_t *end,
                                            const uint16_t *digits_end, const uint8_t *kept, uint8_t beyond_signs) {
    const ec_four_places of = ec_place_four_avx2(start, starts, end, digits_end, beyond_signs);
    const uint8_t *const kept_of[4] = {kept - of.bytes[0], kept - of.bytes[1], kept - of.bytes[2], kept - of.bytes[3]};
    const ec_four_numbers text = ec_load_each_avx2(of.text), mask = ec_load_each_avx2(kept_of);
    ec_four_numbers four = {_mm256_and_si256(text.even_u8x32, mask.even_u8x32),
                            _mm256_and_si256(text.odd_u8x32, mask.odd_u8x32)};
    return four;
}

/* Turns the digits of two numbers that have one before their points into two times four groups of them, of two, and three
 * times four. */
EC_INLINE __m256i ec_single_quads_avx2(__m256i digits_u8x32) {
    const __m256i tens_u8x32 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 0, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1)); /* sign, first digit, point, ... */
    const __m256i hundreds_u16x16 = _mm256_broadcastsi128_si256(_mm_setr_epi16(10, 1, 100, 1, 100, 1, 100, 1));
    return _mm256_madd_epi16(_mm256_maddubs_epi16(digits_u8x32, tens_u8x32), hundreds_u16x16);
}

/* Joins the groups of four digits of numbers 0 and 2, and of 1 and 3, to one integer each. It is below 2^52, so that as the
 * mantissa of 2^52 it becomes a double. */
EC_INLINE __m256d ec_join_quads_avx2(__m256i even_u32x8, __m256i odd_u32x8) {
    const __m256d two_52 = _mm256_set1_pd(0x1p52);
    __m256i quads_u16x16 = _mm256_packus_epi32(even_u32x8, odd_u32x8);
    __m256i eights_u32x8 = _mm256_madd_epi16(quads_u16x16, _mm256_set1_epi32(1 << 16 | 10000));
    __m256i total_u64x4 = _mm256_add_epi64(_mm256_mul_epu32(eights_u32x8, _mm256_set1_epi64x(100000000)),
                                           _mm256_srli_epi64(eights_u32x8, 32));
    return _mm256_sub_pd(_mm256_or_pd(_mm256_castsi256_pd(total_u64x4), two_52), two_52);
}

/* The signs of four numbers, as those of doubles, from their eight bytes before and behind where their first digits
 * begin. */
EC_INLINE __m256d ec_signs_avx2(__m256i starts_u64x4) {
    __m256i minus_u8x32 = _mm256_cmpeq_epi8(starts_u64x4, _mm256_set1_epi64x('-'));
    return _mm256_castsi256_pd(_mm256_slli_epi64(minus_u8x32, 63));
}

/* Of each number all bits where it has more bytes than are read, or just as many: then the last of these is not zero. What is
 * kept are characters below 128, so that eight of them are no negative number. */
EC_INLINE __m256d ec_are_cut_avx2(ec_four_numbers four) {
    const __m256i last_u64x4 = _mm256_unpackhi_epi64(four.even_u8x32, four.odd_u8x32);
    return _mm256_castsi256_pd(_mm256_cmpgt_epi64(last_u64x4, _mm256_set1_epi64x(0x00ffffffffffffff)));
}

EC_TARGET_END

#endif
#endif
