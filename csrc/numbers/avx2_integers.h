/* Shared by the AVX2 readers of integers of up to three digits, to int8, uint8 and floats: whether the bytes of a block are
 * plainly numbers and commas. */
#ifndef EC_NUMBERS_AVX2_INTEGERS_H
#define EC_NUMBERS_AVX2_INTEGERS_H

#include "avx2.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

/* What one block hands to the next. */
typedef struct {
    uint64_t digits, minuses, leading_zeros, twos, negative, minus_zero;
} ec_integer_carry;

EC_INLINE __m256i ec_load_avx2(const uint8_t *text) { return _mm256_loadu_si256((const __m256i *)text); }

/* Spreads 32 bits to bytes of all ones or none. */
EC_INLINE __m256i ec_spread_avx2(uint32_t bits) {
    const __m256i byte_of = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit_of = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    __m256i bytes_u8x32 = _mm256_shuffle_epi8(_mm256_set1_epi32((int32_t)bits), byte_of);
    return _mm256_cmpeq_epi8(_mm256_and_si256(bytes_u8x32, bit_of), bit_of);
}

/* Returns the bytes of a block that are not plain. `negative` are the bytes behind numbers with a '-', `minus_zeros` the commas
 * behind "-0". */
EC_INLINE uint64_t ec_judge_integers_avx2(ec_block_u8x64 block, uint64_t commas, ec_integer_carry *carry,
                                          uint64_t *negative, uint64_t *minus_zeros) {
    const uint64_t digits = ec_digits_avx2(block);
    const uint64_t minuses = ec_equal_avx2(block, '-'), zeros = ec_equal_avx2(block, '0');
    uint64_t others = ~(digits | minuses | commas);
    if (EC_UNLIKELY(others != 0)) others &= ~ec_spaces_avx2(block);

    uint64_t before = digits << 1 | carry->digits, behind_minus = minuses << 1 | carry->minuses;
    uint64_t first = digits & ~before, end = before & ~digits, twos = digits & before;
    uint64_t leading_zeros = first & zeros;
    uint64_t bad = others | (end ^ commas) | (behind_minus & ~digits) | (twos & (twos << 2 | carry->twos)) |
                   ((leading_zeros << 1 | carry->leading_zeros) & digits);
    const uint64_t zeros_behind_minus = leading_zeros & behind_minus;
    *minus_zeros = (zeros_behind_minus << 1 | carry->minus_zero) & commas;
    /* Adding the first digits of negative numbers carries to the bytes behind them. */
    uint64_t sum = digits + (first & behind_minus), carried = sum + carry->negative;
    *negative = carried & ~digits;
    carry->digits = digits >> 63;
    carry->minuses = minuses >> 63;
    carry->leading_zeros = leading_zeros >> 63;
    carry->twos = twos >> 62;
    carry->minus_zero = zeros_behind_minus >> 63;
    carry->negative = (uint64_t)(sum < digits) | (uint64_t)(carried < sum);
    return bad;
}

/* Of two bytes side by side at most one is a comma behind a number: a bit for each such pair that has one. */
EC_INLINE uint32_t ec_pairs_avx2(__m256i low_commas, __m256i high_commas) {
    const __m256i either = _mm256_permute4x64_epi64(_mm256_packs_epi16(low_commas, high_commas), 0xd8);
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(either, _mm256_setzero_si256()));
}

EC_TARGET_END

#endif
#endif
