/* Writes int8 and uint8 as JSON with AVX2: 32 numbers at a time become digits, each number in a lane of four bytes; then
 * one shuffle pushes the bytes of a few numbers together, chosen by which of their digits are there. */
#include "avx2.h"
#include "pushes.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

/* The numbers of a block, in groups that a shuffle takes. */
typedef struct {
    _Alignas(32) uint8_t lanes[4][2][16]; /* of groups 0 and 4, 1 and 5, 2 and 6, 3 and 7 */
    _Alignas(32) uint32_t present[8];     /* the index of the shuffle, times its bytes */
} groups;

EC_INLINE __m256i masked(__m256i mask, int byte) { return _mm256_and_si256(mask, _mm256_set1_epi8((char)byte)); }

EC_INLINE __m256i at_least(__m256i x_u8x32, int least) {
    return _mm256_cmpeq_epi8(_mm256_max_epu8(x_u8x32, _mm256_set1_epi8((char)least)), x_u8x32);
}

/* x / 10 for bytes below 100: those at even places as words, and those at odd ones as words times 256. */
EC_INLINE __m256i tens_of(__m256i x_u8x32) {
    const __m256i upper_u8x32 = _mm256_set1_epi16((int16_t)0xff00), tenth_u16x16 = _mm256_set1_epi16(6560);
    __m256i even_u16x16 = _mm256_mulhi_epu16(_mm256_andnot_si256(upper_u8x32, x_u8x32), tenth_u16x16);
    __m256i odd_u16x16 = _mm256_mulhi_epu16(_mm256_and_si256(x_u8x32, upper_u8x32), tenth_u16x16);
    return _mm256_or_si256(even_u16x16, _mm256_and_si256(odd_u16x16, upper_u8x32));
}

/* Adds the bits of the numbers of each group, of number i times 2^i. */
EC_INLINE __m256i index_of(__m256i bits_u8x32, int fourth) {
    const __m256i weights_i8x32 = _mm256_set1_epi32(1 | 2 << 8 | 4 << 16 | fourth << 24);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(bits_u8x32, weights_i8x32), _mm256_set1_epi16(1));
}

/* Puts four bytes of each number side by side. */
EC_INLINE void store_lanes(groups *out, __m256i a_u8x32, __m256i b_u8x32, __m256i c_u8x32, __m256i d_u8x32) {
    __m256i ab_low = _mm256_unpacklo_epi8(a_u8x32, b_u8x32), ab_high = _mm256_unpackhi_epi8(a_u8x32, b_u8x32);
    __m256i cd_low = _mm256_unpacklo_epi8(c_u8x32, d_u8x32), cd_high = _mm256_unpackhi_epi8(c_u8x32, d_u8x32);
    __m256i early = _mm256_unpacklo_epi16(ab_low, cd_low), second = _mm256_unpackhi_epi16(ab_low, cd_low);
    __m256i third = _mm256_unpacklo_epi16(ab_high, cd_high), late = _mm256_unpackhi_epi16(ab_high, cd_high);
    _mm256_store_si256((__m256i *)out->lanes[0], early);
    _mm256_store_si256((__m256i *)out->lanes[1], second);
    _mm256_store_si256((__m256i *)out->lanes[2], third);
    _mm256_store_si256((__m256i *)out->lanes[3], late);
}

/* Takes numbers apart. Signed ones come in groups of three with an empty place behind, where the comma goes. */
EC_INLINE void take_apart(__m256i values_u8x32, int is_signed, groups *out) {
    const __m256i zero_u8x32 = _mm256_set1_epi8('0'), comma_u8x32 = _mm256_set1_epi8(',');
    __m256i size_u8x32 = is_signed ? _mm256_abs_epi8(values_u8x32) : values_u8x32;
    __m256i has_tens = at_least(size_u8x32, 10), has_hundreds = at_least(size_u8x32, 100);
    __m256i rest_u8x32 = _mm256_sub_epi8(size_u8x32, masked(has_hundreds, 100));
    __m256i hundreds_u8x32 = _mm256_set1_epi8('1');
    if (!is_signed) {
        __m256i has_two_hundreds = at_least(size_u8x32, 200);
        rest_u8x32 = _mm256_sub_epi8(rest_u8x32, masked(has_two_hundreds, 100));
        hundreds_u8x32 = _mm256_sub_epi8(hundreds_u8x32, has_two_hundreds);
    }
    __m256i tens_u8x32 = tens_of(rest_u8x32), twice_u8x32 = _mm256_add_epi8(tens_u8x32, tens_u8x32);
    __m256i ten_times_u8x32 = _mm256_add_epi8(twice_u8x32, _mm256_slli_epi16(twice_u8x32, 2));
    __m256i ones_u8x32 = _mm256_add_epi8(_mm256_sub_epi8(rest_u8x32, ten_times_u8x32), zero_u8x32);
    tens_u8x32 = _mm256_add_epi8(tens_u8x32, zero_u8x32);
    __m256i bits_u8x32 = masked(has_tens, is_signed ? 64 : 16);
    if (is_signed) {
        __m256i negative = _mm256_cmpgt_epi8(_mm256_setzero_si256(), values_u8x32);
        ones_u8x32 = _mm256_blendv_epi8(ones_u8x32, comma_u8x32, _mm256_set1_epi32((int32_t)0xff000000));
        bits_u8x32 = _mm256_or_si256(bits_u8x32, _mm256_or_si256(masked(has_hundreds, 8), masked(negative, 1)));
        store_lanes(out, _mm256_set1_epi8('-'), hundreds_u8x32, tens_u8x32, ones_u8x32);
    } else {
        bits_u8x32 = _mm256_or_si256(bits_u8x32, masked(has_hundreds, 1));
        store_lanes(out, hundreds_u8x32, tens_u8x32, ones_u8x32, comma_u8x32);
    }
    _mm256_store_si256((__m256i *)out->present, _mm256_slli_epi32(index_of(bits_u8x32, is_signed ? 0 : 8), 4));
}

/* Writes groups, each number with a comma. Sixteen bytes are stored for each. */
EC_INLINE uint8_t *write_groups(uint8_t *p, const groups *of, const uint64_t (*shuffles)[2], int least) {
    for (int i = 0; i < 8; i++) {
        const uint64_t present = of->present[i];
        __m128i shuffle_u8x16 = _mm_loadu_si128((const __m128i *)((const uint8_t *)shuffles + present));
        __m128i lanes_u8x16 = _mm_load_si128((const __m128i *)of->lanes[i & 3][i >> 2]);
        _mm_storeu_si128((__m128i *)p, _mm_shuffle_epi8(lanes_u8x16, shuffle_u8x16));
        p += least + (int64_t)_mm_popcnt_u64(present);
    }
    return p;
}

/* Three numbers to a lane of four bytes. */
EC_INLINE __m256i load_threes(const uint8_t *values) {
    const __m256i place_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
    __m256i low_u8x32 = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)values));
    __m256i both_u8x32 = _mm256_inserti128_si256(low_u8x32, _mm_loadu_si128((const __m128i *)(values + 12)), 1);
    return _mm256_shuffle_epi8(both_u8x32, place_u8x32);
}

/* Blocks of numbers behind which there are some more: every number has 5 bytes of room, so that a store of sixteen
 * bytes for three numbers or four reaches no farther than the text that is still to come. */
EC_INLINE int64_t format(const uint8_t *values, int64_t n, int is_signed, int32_t type, uint8_t *text) {
    const int64_t step = is_signed ? 24 : 32;
    int64_t i = 0;
    uint8_t *p = text;
    groups block;
    *p++ = '[';
    for (; n - i > 32; i += step) {
        take_apart(is_signed ? load_threes(values + i) : _mm256_loadu_si256((const __m256i *)(values + i)), is_signed,
                   &block);
        p = is_signed ? write_groups(p, &block, ec_push_three, 6) : write_groups(p, &block, ec_push_four, 8);
    }
    return ec_integers_format_rest(values + i, n - i, type, p) - text;
}

int64_t ec_integers_format_avx2(const uint8_t *values, int64_t n, int32_t type, uint8_t *text) {
    return type == EC_INT8 ? format(values, n, 1, type, text) : format(values, n, 0, type, text);
}

EC_TARGET_END

#endif
