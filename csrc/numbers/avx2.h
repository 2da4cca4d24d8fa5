/* Shared by the AVX2 readers of numbers: 64 bytes in two halves, to masks of their characters. */
#ifndef EC_NUMBERS_AVX2_H
#define EC_NUMBERS_AVX2_H

#include "batch.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum {
    EC_DENSE = 25,   /* of so many numbers one with an exponent makes a chunk dense */
    EC_MOST_GAP = 16 /* with it, and the 16 bytes that are read behind it, a chunk ends before its margin does */
};

/* A block as two halves. */
typedef struct {
    __m256i low_u8x32, high_u8x32;
} ec_block_u8x64;

EC_INLINE ec_block_u8x64 ec_block_avx2(const uint8_t *text) {
    ec_block_u8x64 block = {_mm256_loadu_si256((const __m256i *)text),
                            _mm256_loadu_si256((const __m256i *)(text + 32))};
    return block;
}

EC_INLINE uint64_t ec_join_avx2(__m256i low_u8x32, __m256i high_u8x32) {
    return (uint32_t)_mm256_movemask_epi8(low_u8x32) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high_u8x32) << 32;
}

EC_INLINE uint64_t ec_equal_avx2(ec_block_u8x64 block, char c) {
    __m256i wanted_u8x32 = _mm256_set1_epi8(c);
    return ec_join_avx2(_mm256_cmpeq_epi8(block.low_u8x32, wanted_u8x32),
                        _mm256_cmpeq_epi8(block.high_u8x32, wanted_u8x32));
}

/* Stores the first n numbers, at most four; returns a mask of so many. */
EC_INLINE uint32_t ec_store_some_f32x4(float *out, __m128 numbers_f32x4, int32_t n) {
    float rest[4];
    if (EC_LIKELY(n >= 4)) {
        _mm_storeu_ps(out, numbers_f32x4);
        return 15;
    }
    _mm_storeu_ps(rest, numbers_f32x4);
    memcpy(out, rest, (size_t)n * 4);
    return (1u << n) - 1;
}

/* '0' .. '9' become the ten highest signed bytes. */
EC_INLINE __m256i ec_is_digit_avx2(__m256i text_u8x32) {
    return _mm256_cmpgt_epi8(_mm256_add_epi8(text_u8x32, _mm256_set1_epi8(127 - '9')), _mm256_set1_epi8(127 - 10));
}

/* The sum of four integers. */
EC_INLINE int64_t ec_sum_avx2(__m256i x_u64x4) {
    __m128i sums_u64x2 = _mm_add_epi64(_mm256_castsi256_si128(x_u64x4), _mm256_extracti128_si256(x_u64x4, 1));
    return _mm_cvtsi128_si64(sums_u64x2) + _mm_extract_epi64(sums_u64x2, 1);
}

EC_INLINE uint64_t ec_digits_avx2(ec_block_u8x64 block) {
    return ec_join_avx2(ec_is_digit_avx2(block.low_u8x32), ec_is_digit_avx2(block.high_u8x32));
}

/* White space is looked up by its lower half: what is found there is the character itself, or it is another one. */
EC_INLINE __m256i ec_is_space_avx2(__m256i text_u8x32) {
    const __m256i spaces_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0));
    return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces_u8x32, text_u8x32), text_u8x32);
}

EC_INLINE uint64_t ec_spaces_avx2(ec_block_u8x64 block) {
    return ec_join_avx2(ec_is_space_avx2(block.low_u8x32), ec_is_space_avx2(block.high_u8x32));
}

EC_INLINE uint64_t ec_exponents_avx2(ec_block_u8x64 block) {
    return ec_equal_avx2(block, 'e') | ec_equal_avx2(block, 'E') | ec_equal_avx2(block, '+');
}

EC_INLINE ec_number_classes ec_classify_avx2(const uint8_t *text) {
    ec_number_classes classes;
    ec_block_u8x64 block = ec_block_avx2(text);
    classes.digits = ec_digits_avx2(block);
    classes.zeros = ec_equal_avx2(block, '0');
    classes.points = ec_equal_avx2(block, '.');
    classes.minuses = ec_equal_avx2(block, '-');
    classes.commas = ec_equal_avx2(block, ',');
    classes.spaces = ec_equal_avx2(block, ' ');
    classes.exponents = 0;
    uint64_t known = classes.digits | classes.points | classes.minuses | classes.commas | classes.spaces;
    if (EC_UNLIKELY(known != UINT64_MAX)) {
        classes.spaces = ec_spaces_avx2(block);
        classes.exponents = ec_exponents_avx2(block);
    }
    return classes;
}

/* Whether the list ends here, or behind as much white space as may be read. */
EC_INLINE int ec_ends_list(const uint8_t *text) {
    int i = 0;
    while (i < BEHIND && ec_is_space(text[i])) i++;
    return i < BEHIND && text[i] == ']';
}

/* The first comma of a chunk; where its first block has none, the byte before the chunk. */
EC_INLINE const uint8_t *ec_first_comma(const uint8_t *chunk, int64_t length) {
    const uint64_t commas = length > 0 ? ec_equal_avx2(ec_block_avx2(chunk), ',') : 0;
    return chunk + (commas != 0 ? (int64_t)_tzcnt_u64(commas) : -1);
}

/* Learns from the first comma of a chunk how far behind one the next number begins, and from the chunk's beginning where
 * its first does. Returns 0 where that is too far. */
EC_INLINE int ec_index_gap(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    const uint8_t *behind = ec_first_comma(chunk, length);
    int32_t gap = 1, before = 0;
    while (gap <= EC_MOST_GAP && ec_is_space(behind[gap])) gap++;
    while (before <= EC_MOST_GAP && ec_is_space(chunk[before])) before++;
    index->gap = gap;
    index->before = before - gap;
    return gap <= EC_MOST_GAP && before <= EC_MOST_GAP;
}

/* Whether a number that begins here may have one digit before its point. */
EC_INLINE int ec_begins_single(const uint8_t *text) { return !ec_is_digit(text[1 + (*text == '-')]); }

/* The same, but also returns 0 where the chunk's first number, or that behind its first comma, has more digits before its
 * point than one. */
EC_INLINE int ec_index_gap_single(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    return ec_index_gap(chunk, length, index) && ec_begins_single(chunk + index->before + index->gap) &&
           ec_begins_single(ec_first_comma(chunk, length) + index->gap);
}

/* Writes the positions of the set bits, in steps of four: the number of steps varies less than that of the bits. */
EC_INLINE int32_t ec_store_positions_avx2(uint16_t *to, uint64_t chosen, uint32_t base) {
    int32_t count = (int32_t)_mm_popcnt_u64(chosen);
    for (int32_t i = 0; i < count; i += 4) {
        for (int j = 0; j < 4; j++) { /* 64 if no bit is left; the next block overwrites these */
            to[i + j] = (uint16_t)(base + (uint32_t)_tzcnt_u64(chosen));
            chosen &= chosen - 1;
        }
    }
    return count;
}

EC_TARGET_END

ec_result ec_integers_parse_avx2(const uint8_t *text, int64_t n, uint8_t *out, int64_t capacity, int32_t type);
int64_t ec_floats_format_avx2(const float *values, int64_t n, uint8_t *text);
int64_t ec_integers_format_avx2(const uint8_t *values, int64_t n, int32_t type, uint8_t *text);
uint8_t *ec_integers_format_rest_avx2(const uint8_t *values, int64_t n, int32_t type, uint8_t *text);

/* Writes numbers, 32 at a time, each with a comma, as long as they have as many digits as the first one, its sign and its
 * hundreds. Returns how many; none if others are among the first 32, or those are 0 to 9. */
int64_t ec_integers_format_alike_avx2(const uint8_t *values, int64_t n, int32_t type, uint8_t **text);

/* The first pass for chunks of which only the ends of numbers are noted, and the second ones: where nearly each has one digit
 * before its point, where others have more, and where all are small integers: of these but commas are counted, and the first
 * block is known to be plain; before one that is not the second pass stops. */
int ec_index_ends_avx2(const uint8_t *chunk, int64_t length, ec_number_index *index);
int32_t ec_convert_single_avx2(const uint8_t *chunk, ec_number_index *index, float *out);
int32_t ec_convert_wide_avx2(const uint8_t *chunk, ec_number_index *index, float *out);
int32_t ec_convert_whole_avx2(const uint8_t *chunk, ec_number_index *index, float *out);
int32_t ec_convert_small_avx2(const uint8_t *chunk, ec_number_index *index, float *out);

/* Learns from the first numbers of a chunk how all may look like, so that no first pass is needed: returns 0 where these
 * differ. What is converted may be fewer numbers than the chunk has; -1 where they are too few. */
int ec_learn_form_avx2(const uint8_t *chunk, int64_t length, ec_number_form *form);
int32_t ec_convert_fixed_avx2(const uint8_t *chunk, ec_number_index *index, float *out);

#endif
#endif
