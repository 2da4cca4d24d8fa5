/* Writes int8 and uint8 as JSON with AVX2: 32 numbers at a time become digits, each number in a lane of four bytes; then
 * one shuffle pushes the bytes of a few numbers together, chosen by which of their digits are there. */
#include "avx2.h"
#include "pushes.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

/* The numbers of a block, in groups that a shuffle takes, and the places of their shuffles. */
typedef struct {
    __m256i lanes_04, lanes_15, lanes_26, lanes_37; /* of groups 0 and 4, 1 and 5, 2 and 6, 3 and 7 */
    __m256i present_u32x8;                          /* the index of the shuffle, times its bytes */
    int are_full;                                   /* whether all numbers have hundreds */
} groups;

EC_INLINE __m256i masked(__m256i mask, int byte) { return _mm256_and_si256(mask, _mm256_set1_epi8((char)byte)); }

EC_INLINE __m256i at_least(__m256i x_u8x32, int least) {
    return _mm256_cmpeq_epi8(_mm256_max_epu8(x_u8x32, _mm256_set1_epi8((char)least)), x_u8x32);
}

EC_INLINE __m256i look_up(__m256i index_u8x32, __m128i of_u8x16) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(of_u8x16), index_u8x32);
}

/* The digits of numbers below 100. Of the eight numbers with the same x / 8 some may have a ten more than the others:
 * those from NEXT on. */
EC_INLINE __m256i split_hundred(__m256i x_u8x32, __m256i *ones) {
    const __m128i next_u8x16 = _mm_setr_epi8(10, 10, 20, 30, 40, 50, 50, 60, 70, 80, 90, 90, 100, 0, 0, 0);
    const __m128i tens_u8x16 =
        _mm_setr_epi8('1', '1', '2', '3', '4', '5', '5', '6', '7', '8', '9', '9', '0' + 10, 0, 0, 0);
    __m256i eighth_u8x32 = masked(_mm256_srli_epi16(x_u8x32, 3), 15);
    __m256i beyond_i8x32 = _mm256_sub_epi8(x_u8x32, look_up(eighth_u8x32, next_u8x16)); /* -10 to 7 */
    __m256i is_below = _mm256_cmpgt_epi8(_mm256_setzero_si256(), beyond_i8x32);
    __m256i ones_u8x32 = _mm256_min_epu8(beyond_i8x32, _mm256_add_epi8(beyond_i8x32, _mm256_set1_epi8(10)));
    *ones = _mm256_add_epi8(ones_u8x32, _mm256_set1_epi8('0'));
    return _mm256_add_epi8(look_up(eighth_u8x32, tens_u8x16), is_below);
}

/* Adds the bits of the numbers of each group, of number i times 2^i, and multiplies by the bytes of a shuffle. */
EC_INLINE __m256i index_of(__m256i bits_u8x32, int fourth) {
    const __m256i weights_i8x32 = _mm256_set1_epi32(1 | 2 << 8 | 4 << 16 | fourth << 24);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(bits_u8x32, weights_i8x32), _mm256_set1_epi16(16));
}

/* Puts four bytes of each number side by side. */
EC_INLINE void join(groups *out, __m256i a_u8x32, __m256i b_u8x32, __m256i c_u8x32, __m256i d_u8x32) {
    __m256i ab_low = _mm256_unpacklo_epi8(a_u8x32, b_u8x32), ab_high = _mm256_unpackhi_epi8(a_u8x32, b_u8x32);
    __m256i cd_low = _mm256_unpacklo_epi8(c_u8x32, d_u8x32), cd_high = _mm256_unpackhi_epi8(c_u8x32, d_u8x32);
    out->lanes_04 = _mm256_unpacklo_epi16(ab_low, cd_low);
    out->lanes_15 = _mm256_unpackhi_epi16(ab_low, cd_low);
    out->lanes_26 = _mm256_unpacklo_epi16(ab_high, cd_high);
    out->lanes_37 = _mm256_unpackhi_epi16(ab_high, cd_high);
}

/* Takes numbers from -99 to 99 apart: in the place of hundreds they have the sign. */
EC_INLINE groups take_apart_below_100(__m256i values_u8x32) {
    groups out;
    __m256i size_u8x32 = _mm256_abs_epi8(values_u8x32);
    __m256i negative = _mm256_cmpgt_epi8(_mm256_setzero_si256(), values_u8x32);
    __m256i ones_u8x32, tens_u8x32 = split_hundred(size_u8x32, &ones_u8x32);
    __m256i bits_u8x32 = _mm256_or_si256(masked(at_least(size_u8x32, 10), 16), masked(negative, 1));
    join(&out, _mm256_set1_epi8('-'), tens_u8x32, ones_u8x32, _mm256_set1_epi8(','));
    out.present_u32x8 = index_of(bits_u8x32, 8);
    out.are_full = 0;
    return out;
}

/* Takes numbers apart. Signed ones come in groups of three with an empty place behind, where the comma goes. */
EC_INLINE groups take_apart(__m256i values_u8x32, int is_signed) {
    const __m256i comma_u8x32 = _mm256_set1_epi8(',');
    groups out;
    __m256i size_u8x32 = is_signed ? _mm256_abs_epi8(values_u8x32) : values_u8x32;
    __m256i has_tens = at_least(size_u8x32, 10), has_hundreds = at_least(size_u8x32, 100);
    /* What would be below 0 is more than what it is taken from. */
    __m256i rest_u8x32 = _mm256_min_epu8(size_u8x32, _mm256_sub_epi8(size_u8x32, _mm256_set1_epi8(100)));
    __m256i hundreds_u8x32 = _mm256_set1_epi8('1');
    if (!is_signed) {
        rest_u8x32 = _mm256_min_epu8(rest_u8x32, _mm256_sub_epi8(size_u8x32, _mm256_set1_epi8((char)200)));
        hundreds_u8x32 = _mm256_sub_epi8(hundreds_u8x32, at_least(size_u8x32, 200));
    }
    __m256i ones_u8x32, tens_u8x32 = split_hundred(rest_u8x32, &ones_u8x32);
    __m256i bits_u8x32 = masked(has_tens, is_signed ? 64 : 16);
    if (is_signed) {
        __m256i negative = _mm256_cmpgt_epi8(_mm256_setzero_si256(), values_u8x32);
        ones_u8x32 = _mm256_blendv_epi8(ones_u8x32, comma_u8x32, _mm256_set1_epi32((int32_t)0xff000000));
        bits_u8x32 = _mm256_or_si256(bits_u8x32, _mm256_or_si256(masked(has_hundreds, 8), masked(negative, 1)));
        join(&out, _mm256_set1_epi8('-'), hundreds_u8x32, tens_u8x32, ones_u8x32);
        out.are_full = 0;
    } else {
        bits_u8x32 = _mm256_or_si256(bits_u8x32, masked(has_hundreds, 1));
        join(&out, hundreds_u8x32, tens_u8x32, ones_u8x32, comma_u8x32);
        out.are_full = _mm256_movemask_epi8(has_hundreds) == -1;
    }
    out.present_u32x8 = index_of(bits_u8x32, is_signed ? 0 : 8);
    return out;
}

/* Writes a group, each number with a comma; sixteen bytes are stored. Returns what it has beyond its least length. */
EC_INLINE int64_t write_group(uint8_t *p, __m128i lanes_u8x16, uint64_t present, const uint64_t (*shuffles)[2]) {
    __m128i shuffle_u8x16 = _mm_loadu_si128((const __m128i *)((const uint8_t *)shuffles + present));
    _mm_storeu_si128((__m128i *)p, _mm_shuffle_epi8(lanes_u8x16, shuffle_u8x16));
    return (int64_t)_mm_popcnt_u64(present);
}

/* Writes four groups. The indices go from register to register: through memory they would come late. */
EC_INLINE uint8_t *write_four(uint8_t *p, __m128i a_u8x16, __m128i b_u8x16, __m128i c_u8x16, __m128i d_u8x16,
                              __m128i present_u32x4, const uint64_t (*shuffles)[2], int least) {
    const uint64_t ab = (uint64_t)_mm_cvtsi128_si64(present_u32x4), cd = (uint64_t)_mm_extract_epi64(present_u32x4, 1);
    p += write_group(p, a_u8x16, (uint32_t)ab, shuffles);
    p += write_group(p + least, b_u8x16, ab >> 32, shuffles);
    p += write_group(p + 2 * least, c_u8x16, (uint32_t)cd, shuffles);
    p += write_group(p + 3 * least, d_u8x16, cd >> 32, shuffles);
    return p + 4 * least;
}

EC_INLINE __m128i lower(__m256i x_u8x32) { return _mm256_castsi256_si128(x_u8x32); }
EC_INLINE __m128i higher(__m256i x_u8x32) { return _mm256_extracti128_si256(x_u8x32, 1); }

EC_INLINE uint8_t *write_groups(uint8_t *p, const groups *of, const uint64_t (*shuffles)[2], int least) {
    p = write_four(p, lower(of->lanes_04), lower(of->lanes_15), lower(of->lanes_26), lower(of->lanes_37),
                   lower(of->present_u32x8), shuffles, least);
    return write_four(p, higher(of->lanes_04), higher(of->lanes_15), higher(of->lanes_26), higher(of->lanes_37),
                      higher(of->present_u32x8), shuffles, least);
}

/* Writes 32 numbers of three digits each, from which nothing is to be cut. */
EC_INLINE uint8_t *write_full(uint8_t *p, const groups *of) {
    __m256i *to = (__m256i *)p;
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(of->lanes_04, of->lanes_15, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(of->lanes_26, of->lanes_37, 0x20));
    _mm256_storeu_si256(to + 2, _mm256_permute2x128_si256(of->lanes_04, of->lanes_15, 0x31));
    _mm256_storeu_si256(to + 3, _mm256_permute2x128_si256(of->lanes_26, of->lanes_37, 0x31));
    return p + 128;
}

/* Writes 32 numbers below 100, of which all may have one digit, or all two. */
static EC_NOINLINE uint8_t *write_small(uint8_t *p, const uint8_t *values) {
    const __m256i comma_u8x32 = _mm256_set1_epi8(',');
    const __m256i values_u8x32 = _mm256_loadu_si256((const __m256i *)values);
    const uint32_t tens = (uint32_t)_mm256_movemask_epi8(at_least(values_u8x32, 10));
    if (tens == 0) {
        const __m256i ones_u8x32 = _mm256_add_epi8(values_u8x32, _mm256_set1_epi8('0'));
        const __m256i low_u8x32 = _mm256_unpacklo_epi8(ones_u8x32, comma_u8x32);
        const __m256i high_u8x32 = _mm256_unpackhi_epi8(ones_u8x32, comma_u8x32);
        _mm256_storeu_si256((__m256i *)p, _mm256_permute2x128_si256(low_u8x32, high_u8x32, 0x20));
        _mm256_storeu_si256((__m256i *)(p + 32), _mm256_permute2x128_si256(low_u8x32, high_u8x32, 0x31));
        return p + 64;
    }
    const groups block = take_apart(values_u8x32, 0);
    if (tens != UINT32_MAX) return write_groups(p, &block, ec_push_four, 8);
    const __m256i tens_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, -1, -1, -1, -1));
    const __m256i lanes[4] = {
        _mm256_shuffle_epi8(block.lanes_04, tens_u8x32), _mm256_shuffle_epi8(block.lanes_15, tens_u8x32),
        _mm256_shuffle_epi8(block.lanes_26, tens_u8x32), _mm256_shuffle_epi8(block.lanes_37, tens_u8x32)};
    for (int k = 0; k < 4; k++) _mm_storeu_si128((__m128i *)(p + 12 * k), lower(lanes[k]));
    for (int k = 0; k < 4; k++) _mm_storeu_si128((__m128i *)(p + 48 + 12 * k), higher(lanes[k]));
    return p + 96;
}

/* Whether of 32 numbers none is 100 or more. */
EC_INLINE int are_small(const uint8_t *values) {
    return _mm256_movemask_epi8(at_least(_mm256_loadu_si256((const __m256i *)values), 100)) == 0;
}

/* Three numbers to a lane of four bytes. */
EC_INLINE __m256i load_threes(const uint8_t *values) {
    const __m256i place_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
    __m256i low_u8x32 = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)values));
    __m256i both_u8x32 = _mm256_inserti128_si256(low_u8x32, _mm_loadu_si128((const __m128i *)(values + 12)), 1);
    return _mm256_shuffle_epi8(both_u8x32, place_u8x32);
}

enum { RUN = 480 }; /* numbers, after which it is looked once more whether others are such that take less */

/* Every number has 5 bytes of room, so that a store of sixteen bytes for three numbers or four reaches no farther than
 * their text may, and the brackets. Below, n is a multiple of the 32 numbers of a block. */
static EC_NOINLINE uint8_t *write_unsigned(uint8_t *p, const uint8_t *values, int64_t n) {
    for (int64_t i = 0; i < n;) {
        i += ec_integers_format_alike_avx2(values + i, n - i, EC_UINT8, &p);
        for (; i < n && are_small(values + i); i += 32) p = write_small(p, values + i);
        for (int64_t end = i + RUN < n ? i + RUN : n; i < end; i += 32) {
            const groups block = take_apart(_mm256_loadu_si256((const __m256i *)(values + i)), 0);
            p = block.are_full ? write_full(p, &block) : write_groups(p, &block, ec_push_four, 8);
        }
    }
    return p;
}

/* How many of the first n numbers come before the first block with a negative one. */
EC_INLINE int64_t count_unsigned(const uint8_t *values, int64_t n) {
    int64_t i = 0;
    while (n - i >= 32 && _mm256_movemask_epi8(_mm256_loadu_si256((const __m256i *)(values + i))) == 0) i += 32;
    return i;
}

/* The same of those before the first block with one below -99 or above 99. */
EC_INLINE int64_t count_below_100(const uint8_t *values, int64_t n) {
    int64_t i = 0;
    for (; n - i >= 32; i += 32) {
        const __m256i size_u8x32 = _mm256_abs_epi8(_mm256_loadu_si256((const __m256i *)(values + i)));
        if (_mm256_movemask_epi8(at_least(size_u8x32, 100)) != 0) break;
    }
    return i;
}

static EC_NOINLINE uint8_t *write_below_100(uint8_t *p, const uint8_t *values, int64_t n) {
    for (int64_t i = 0; i < n; i += 32) {
        const groups block = take_apart_below_100(_mm256_loadu_si256((const __m256i *)(values + i)));
        p = write_groups(p, &block, ec_push_four, 8);
    }
    return p;
}

static uint8_t *format_signed(uint8_t *p, const uint8_t *values, int64_t n, int64_t *written) {
    int64_t i = 0;
    while (n - i >= 32) {
        i += ec_integers_format_alike_avx2(values + i, n - i, EC_INT8, &p);
        const int64_t unsigned_count = count_unsigned(values + i, n - i);
        if (unsigned_count > 0) p = write_unsigned(p, values + i, unsigned_count);
        i += unsigned_count;
        const int64_t below_100_count = count_below_100(values + i, n - i);
        if (below_100_count > 0) p = write_below_100(p, values + i, below_100_count);
        i += below_100_count;
        for (int64_t end = i + RUN < n - 27 ? i + RUN : n - 27; i < end; i += 24) {
            const groups block = take_apart(load_threes(values + i), 1);
            p = write_groups(p, &block, ec_push_three, 6);
        }
    }
    *written = i;
    return p;
}

uint8_t *ec_integers_format_rest_avx2(const uint8_t *values, int64_t n, int32_t type, uint8_t *text) {
    int64_t written = n & -32;
    uint8_t *p = type == EC_INT8 ? format_signed(text, values, n, &written) : write_unsigned(text, values, written);
    p -= written > 0 && written == n; /* the last comma */
    return ec_integers_format_rest(values + written, n - written, type, p);
}

int64_t ec_integers_format_avx2(const uint8_t *values, int64_t n, int32_t type, uint8_t *text) {
    *text = '[';
    return ec_integers_format_rest_avx2(values, n, type, text + 1) - text;
}

EC_TARGET_END

#endif
