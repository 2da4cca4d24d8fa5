/* Where the numbers of a chunk end, with AVX2, for the second passes of avx2_single.c and avx2_wide.c: but commas are
 * looked for, and that of two bytes side by side the second may stand behind the first. */
#include "avx2_integers.h"
#include "pairs.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

/* Bytes are looked up as their distance from '+', if that is less than 15: from there on are the digits, and others. */
EC_INLINE __m256i place_of(__m256i text_u8x32) {
    return _mm256_min_epu8(_mm256_sub_epi8(text_u8x32, _mm256_set1_epi8('+')), _mm256_set1_epi8(15));
}

enum { MOST_PAIRS = 9 }; /* of ends in a block that are written in any case */

#define TEN(x) x, x, x, x, x, x, x, x, x, x

EC_INLINE __m256i is_exponent(__m256i text_u8x32) {
    return _mm256_cmpeq_epi8(_mm256_or_si256(text_u8x32, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('e'));
}

/* Of 32 bytes the bits for which they may not stand behind those before them. White space may stand somewhere only if the
 * text is `spaced`, and exponents only if it is `dense` with them. */
EC_INLINE __m256i barred_of(const uint8_t *text, __m256i text_u8x32, int spaced, int dense) {
    const char other = (char)OTHER, behind_sign = (char)BEHIND_SIGN, behind_comma = (char)BEHIND_COMMA;
    const char behind_digit = (char)BEHIND_DIGIT, behind_other = (char)BEHIND_OTHER;
    const __m256i kinds_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(PLUS, COMMA, MINUS, POINT, other, TEN(DIGIT), other));
    const __m256i barred_u8x32 = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        behind_sign, behind_comma, behind_sign, behind_sign, behind_other, TEN(behind_digit), behind_other));
    __m256i before_u8x32 = _mm256_loadu_si256((const __m256i *)(text - 1));
    __m256i kind_u8x32 = _mm256_shuffle_epi8(kinds_u8x32, place_of(text_u8x32));
    if (spaced) kind_u8x32 = _mm256_blendv_epi8(kind_u8x32, _mm256_set1_epi8(SPACE), ec_is_space_avx2(text_u8x32));
    __m256i behind_u8x32 = _mm256_shuffle_epi8(barred_u8x32, place_of(before_u8x32));
    if (dense) {
        kind_u8x32 = _mm256_blendv_epi8(kind_u8x32, _mm256_set1_epi8(EXPONENT), is_exponent(text_u8x32));
        behind_u8x32 =
            _mm256_blendv_epi8(behind_u8x32, _mm256_set1_epi8((char)BEHIND_EXPONENT), is_exponent(before_u8x32));
    }
    return _mm256_and_si256(kind_u8x32, behind_u8x32);
}

EC_INLINE uint64_t store_two(uint16_t *to, uint64_t ends, uint32_t base) {
    to[0] = (uint16_t)(base + (uint32_t)_tzcnt_u64(ends)); /* 64 if no bit is left; the next block overwrites these */
    ends = _blsr_u64(ends);
    to[1] = (uint16_t)(base + (uint32_t)_tzcnt_u64(ends));
    return _blsr_u64(ends);
}

/* Writes where numbers end, so many pairs in any case: a pair too many takes less than a branch that cannot be foreseen.
 * Where they are too few, there will be one more from here on. */
EC_INLINE int32_t store_ends(uint16_t *to, uint64_t ends, uint32_t base, int32_t *pairs) {
    const int32_t count = (int32_t)_mm_popcnt_u64(ends);
    uint16_t *p = to + 2 * *pairs;
    switch (*pairs) {
    default: ends = store_two(p - 18, ends, base); /* fall through */
    case 8: ends = store_two(p - 16, ends, base);  /* fall through */
    case 7: ends = store_two(p - 14, ends, base);  /* fall through */
    case 6: ends = store_two(p - 12, ends, base);  /* fall through */
    case 5: ends = store_two(p - 10, ends, base);  /* fall through */
    case 4: ends = store_two(p - 8, ends, base);   /* fall through */
    case 3: ends = store_two(p - 6, ends, base);   /* fall through */
    case 2: ends = store_two(p - 4, ends, base);   /* fall through */
    case 1: ends = store_two(p - 2, ends, base);
    }
    if (EC_UNLIKELY(ends != 0)) {
        if (*pairs < MOST_PAIRS) *pairs += 1;
        for (; ends != 0; p += 2) ends = store_two(p, ends, base);
    }
    return count;
}

/* The sum of 32 bytes. */
EC_INLINE int32_t sum_of(__m256i counts_u8x32) {
    return (int32_t)ec_sum_avx2(_mm256_sad_epu8(counts_u8x32, _mm256_setzero_si256()));
}

EC_INLINE uint64_t e_of(ec_block_u8x64 block) {
    return ec_join_avx2(is_exponent(block.low_u8x32), is_exponent(block.high_u8x32));
}

/* Points and exponents between two places of a chunk, which are less than a block apart. */
typedef struct {
    int32_t points, exponents;
} marks_between;

EC_INLINE marks_between between(const uint8_t *chunk, int64_t from, int64_t to) {
    const ec_block_u8x64 block = ec_block_avx2(chunk + to - BLOCK);
    marks_between found = {ec_count_between(ec_equal_avx2(block, '.'), from, to),
                           ec_count_between(e_of(block), from, to)};
    return found;
}

/* Whether what stands here ends the numbers of a chunk: a bracket, or the spaces that fill up a copy. */
static int ends_chunk(const uint8_t *text, const uint8_t *end) {
    if (ec_ends_list(text)) return 1;
    if (text[-1] != ',') return 0;
    while (text < end && *text == ' ') text++;
    return text == end;
}

/* The exponents of a block, and what may stand in them though it is barred: 'e' between digits, or before a sign, and
 * '+' behind it. */
EC_INLINE uint64_t exponents_of(const uint8_t *text, ec_block_u8x64 block, uint64_t *exponents) {
    const ec_block_u8x64 before = ec_block_avx2(text - 1), behind = ec_block_avx2(text + 1);
    *exponents = e_of(block);
    return (*exponents & ec_digits_avx2(before) &
            (ec_digits_avx2(behind) | ec_equal_avx2(behind, '-') | ec_equal_avx2(behind, '+'))) |
           (ec_equal_avx2(block, '+') & e_of(before));
}

/* Notes where the numbers of a chunk end, and how many points they have. Of two bytes side by side it checks whether the
 * second may stand behind the first; the second pass checks the rest. Stops before a block that is not plain, but if the
 * numbers end there notes those. */
EC_INLINE int index_ends(const uint8_t *chunk, int64_t length, ec_number_index *index, int32_t pairs, int spaced,
                         int dense) {
    const __m256i point_u8x32 = _mm256_set1_epi8('.');
    __m256i points_u8x32 = _mm256_setzero_si256(), exponents_u8x32 = points_u8x32;
    marks_between last = {0, 0};
    int32_t ended = 0;
    int64_t at = 0;
    index->alone_count = 0;
    index->sound = 1;
    index->dense = dense;
    for (; at < length; at += BLOCK) {
        const ec_block_u8x64 block = ec_block_avx2(chunk + at);
        const ec_block_u8x64 barred = {barred_of(chunk + at, block.low_u8x32, spaced, dense),
                                       barred_of(chunk + at + 32, block.high_u8x32, spaced, dense)};
        const __m256i either_u8x32 = _mm256_or_si256(barred.low_u8x32, barred.high_u8x32);
        uint64_t end = ec_equal_avx2(block, ','), exponents = 0;
        if (EC_UNLIKELY(!_mm256_testz_si256(either_u8x32, either_u8x32))) {
            uint64_t bad = ~ec_equal_avx2(barred, 0);
            if (!dense) bad &= ~exponents_of(chunk + at, block, &exponents);
            if (bad != 0) {
                const int64_t stop = at + (int64_t)_tzcnt_u64(bad);
                if (!ends_chunk(chunk + stop, chunk + length)) break;
                end &= _blsmsk_u64(bad) >> 1;
                exponents &= _blsmsk_u64(bad) >> 1;
                index->sound = 0;
                if (end == 0) break;
                last = between(chunk, at, stop);
                at = stop;
            }
            if (!dense) ec_index_exponents(index, exponents, end, ended);
        }
        if (EC_UNLIKELY(end == 0)) break; /* the number may be too long */
        ended += store_ends(index->end + ended, end, (uint32_t)(at & -BLOCK), &pairs);
        if (EC_UNLIKELY(!index->sound)) break;
        points_u8x32 = _mm256_sub_epi8(points_u8x32, _mm256_cmpeq_epi8(block.low_u8x32, point_u8x32));
        points_u8x32 = _mm256_sub_epi8(points_u8x32, _mm256_cmpeq_epi8(block.high_u8x32, point_u8x32));
        if (dense) {
            exponents_u8x32 = _mm256_sub_epi8(exponents_u8x32, is_exponent(block.low_u8x32));
            exponents_u8x32 = _mm256_sub_epi8(exponents_u8x32, is_exponent(block.high_u8x32));
        }
    }
    if (ended <= 0) return 0;
    const marks_between behind = between(chunk, index->end[ended - 1], at);
    index->count = ended;
    index->points = sum_of(points_u8x32) + last.points - behind.points;
    index->exponents = sum_of(exponents_u8x32) + last.exponents - behind.exponents;
    return 1;
}

/* Whether a number in a block has more digits before its point than one, or before its end if it has no point. The first
 * byte, and what may be an exponent, are no number. */
EC_INLINE int has_wide(ec_block_u8x64 block) {
    const uint64_t digits = ec_digits_avx2(block), exponents = e_of(block);
    const uint64_t behind = digits | ec_equal_avx2(block, '.') | exponents | exponents << 1;
    return (((digits & ~(behind << 1 | 1)) << 1) & digits) != 0;
}

/* The integers of a chunk, all of which end at commas. */
static int index_small(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    index->count = 0;
    for (int64_t at = 0; at < length; at += BLOCK)
        index->count += (int32_t)_mm_popcnt_u64(ec_equal_avx2(ec_block_avx2(chunk + at), ','));
    index->sound = 1;
    return index->count > 0;
}

int ec_index_ends_avx2(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    const int64_t sample = length < SAMPLE * BLOCK ? length / BLOCK : SAMPLE;
    int64_t commas = 0, most = 1, exponents = 0;
    ec_integer_carry carry = {0, 0, 0, 0, 0, 0};
    uint64_t not_three = 0, not_four = 0;
    index->wide = 0;
    index->small = 1;
    for (int64_t i = 0; i < sample; i++) {
        const ec_block_u8x64 block = ec_block_avx2(chunk + i * BLOCK);
        const uint64_t comma = ec_equal_avx2(block, ',');
        const int64_t count = _mm_popcnt_u64(comma);
        uint64_t negative, minus_zeros;
        commas += count;
        most = most < count ? count : most;
        exponents += _mm_popcnt_u64(e_of(block));
        index->wide |= has_wide(block);
        not_three |= (e_of(block) << 3 ^ comma) & ~7ull;
        not_four |= (e_of(block) << 4 ^ comma) & ~15ull;
        index->small = index->small && ec_judge_integers_avx2(block, comma, &carry, &negative, &minus_zeros) == 0;
    }
    if (index->small) return index_small(chunk, length, index);
    if (!ec_index_gap(chunk, length, index)) return 0;
    const int32_t pairs = (int32_t)(most < 2 * MOST_PAIRS ? (most + 1) / 2 : MOST_PAIRS);
    const int spaced = index->gap != 1 || index->before != -1;
    index->alike = not_four == 0 ? 4 : not_three == 0 ? 3 : 0;
    if (exponents * EC_DENSE > commas)
        return spaced ? index_ends(chunk, length, index, pairs, 1, 1) : index_ends(chunk, length, index, pairs, 0, 1);
    return spaced ? index_ends(chunk, length, index, pairs, 1, 0) : index_ends(chunk, length, index, pairs, 0, 0);
}

EC_TARGET_END

#endif
