/* Shared by the second passes of avx2_single.c and avx2_wide.c, which load 16 bytes of each number, from the one before its
 * first digit on, and keep what comes before its end. */
#ifndef EC_NUMBERS_AVX2_CONVERT_H
#define EC_NUMBERS_AVX2_CONVERT_H

#include "avx2.h"
#include "plain.h"

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

/* Loads four numbers, of which the first begins at *start; what is next begins `starts` behind its end. Where exponents are
 * noted, digits end before a number does. */
EC_INLINE ec_four_numbers ec_load_four_avx2(const uint8_t **start, const uint8_t *starts, const uint16_t *end,
                                            const uint16_t *digits_end, const uint8_t *kept, uint8_t beyond_signs) {
    const uint8_t *text[4], *kept_of[4];
    for (int j = 0; j < 4; j++) {
        const uint8_t *first = *start + (**start < beyond_signs);
        text[j] = first - 1;
        kept_of[j] = kept + (first - (starts + digits_end[j]));
        *start = starts + end[j];
    }
    ec_four_numbers four = {
        _mm256_and_si256(ec_load_two_avx2(text[0], text[2]), ec_load_two_avx2(kept_of[0], kept_of[2])),
        _mm256_and_si256(ec_load_two_avx2(text[1], text[3]), ec_load_two_avx2(kept_of[1], kept_of[3]))};
    return four;
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

EC_INLINE int32_t ec_first_of(const uint8_t *chunk, const ec_number_index *index, int32_t i) {
    int32_t start = (i > 0 ? index->end[i - 1] : index->before) + index->gap;
    return start + (chunk[start] < '.');
}

static EC_NOINLINE int ec_alone_avx2(const uint8_t *chunk, const ec_number_index *index, int32_t i, float *out) {
    const int64_t first = ec_first_of(chunk, index, i), start = first - (chunk[first - 1] == '-'), end = index->end[i];
    if (i > 0 && chunk[start - 1] != ',' && !ec_is_space(chunk[start - 1])) return 0;
    if (first >= end) return 0; /* and from behind the end on less may be read than of a number */
    uint32_t bits = 0;
    if (ec_plain_read(chunk + start, &bits) != end - start) return ec_number_alone(chunk, first, end, out + i);
    memcpy(out + i, &bits, 4);
    return 1;
}

/* Whether a number has a point behind its first digit, or behind more of them. */
EC_INLINE int ec_has_point(const uint8_t *chunk, const ec_number_index *index, int32_t i) {
    const int32_t first = ec_first_of(chunk, index, i);
    if (index->end[i] - first < 2 || (chunk[first + 1] != '.' && !ec_is_digit(chunk[first + 1]))) return 0;
    return memchr(chunk + first, '.', (size_t)(index->end[i] - first)) != NULL;
}

/* Counts the numbers from i on that have points. Returns -1 where one does not begin where it is thought to, or with
 * a zero that may not be there. */
EC_INLINE int32_t ec_count_points(const uint8_t *chunk, const ec_number_index *index, int32_t i) {
    int32_t points = 0;
    for (; i < index->count; i++) {
        const int32_t first = ec_first_of(chunk, index, i), length = index->end[i] - first;
        if (length < 1 || ec_is_digit(chunk[first - 1]) || !ec_is_digit(chunk[first])) return -1;
        if (length > 1 && chunk[first] == '0' && ec_is_digit(chunk[first + 1])) return -1;
        points += ec_has_point(chunk, index, i);
    }
    return points;
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
