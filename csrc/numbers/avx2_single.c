/* Arrays of floats with AVX2 where each has one digit before its point, as all numbers below ten have: 0.0123, -1.5e-05,
 * 7. Then the digits of a number have fixed places from its first one on, so that the point has no list of positions,
 * and no power of ten has to be looked up: digits behind the last become zeros.
 *
 *     byte     0    1    2    3    4 .. 15
 *     text     -    0    .    0    1 2 3 , - 0 . 4
 *     digits   .    0    .    0    1 2 3 0 0 0 0 0      12.3e-3, as all numbers, is counted in units of 10^-13
 */
#include "avx2_exponents.h"
#include "pairs.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum {
    DIGITS_BYTES = 15, /* from the first digit on, that are read */
    LONGEST = 128      /* no number that is noted is longer */
};

/* Bytes are looked up as their distance from '+', if that is less than 15: from there on are the digits, and others. */
EC_INLINE __m256i place_of(__m256i text_u8x32) {
    return _mm256_min_epu8(_mm256_sub_epi8(text_u8x32, _mm256_set1_epi8('+')), _mm256_set1_epi8(15));
}

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

/* Writes where numbers end, in steps of `step`: a step too many takes less than a branch that cannot be foreseen. */
EC_INLINE int32_t store_ends(uint16_t *to, uint64_t ends, uint32_t base, int step) {
    int32_t count = (int32_t)_mm_popcnt_u64(ends), i = 0;
    do {
        for (int j = 0; j < step; j++) { /* 64 if no bit is left; the next block overwrites these */
            to[i + j] = (uint16_t)(base + (uint32_t)_tzcnt_u64(ends));
            ends &= ends - 1;
        }
        i += step;
    } while (EC_UNLIKELY(i < count));
    return count;
}

/* The sum of 32 bytes. */
EC_INLINE int32_t sum_of(__m256i counts_u8x32) {
    __m256i sums_u64x4 = _mm256_sad_epu8(counts_u8x32, _mm256_setzero_si256());
    __m128i sums_u64x2 = _mm_add_epi64(_mm256_castsi256_si128(sums_u64x4), _mm256_extracti128_si256(sums_u64x4, 1));
    return (int32_t)(_mm_cvtsi128_si64(sums_u64x2) + _mm_extract_epi64(sums_u64x2, 1));
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
    *exponents = ec_equal_avx2(block, 'e') | ec_equal_avx2(block, 'E');
    return (*exponents & ec_digits_avx2(before) &
            (ec_digits_avx2(behind) | ec_equal_avx2(behind, '-') | ec_equal_avx2(behind, '+'))) |
           (ec_equal_avx2(block, '+') & (ec_equal_avx2(before, 'e') | ec_equal_avx2(before, 'E')));
}

/* Notes where the numbers of a chunk end, and how many points they have. Of two bytes side by side it checks whether the
 * second may stand behind the first; the second pass checks the rest. Stops before a block that is not plain, but if the
 * numbers end there notes those. */
EC_INLINE int index_ends(const uint8_t *chunk, int64_t length, ec_number_index *index, int spaced, int step,
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
        ended += store_ends(index->end + ended, end, (uint32_t)(at & -BLOCK), step);
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

int ec_index_single_avx2(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    const int64_t sample = length < SAMPLE * BLOCK ? length / BLOCK : SAMPLE;
    int64_t commas = 0, exponents = 0;
    for (int64_t i = 0; i < sample; i++) {
        const ec_block_u8x64 block = ec_block_avx2(chunk + i * BLOCK);
        commas += _mm_popcnt_u64(ec_equal_avx2(block, ','));
        exponents += _mm_popcnt_u64(e_of(block));
    }
    if (!ec_index_gap(chunk, length, index)) return 0;
    const int few = commas * 2 <= 7 * sample, spaced = index->gap != 1 || index->before != -1;
    if (exponents * EC_DENSE > commas)
        return spaced ? index_ends(chunk, length, index, 1, 6, 1) : index_ends(chunk, length, index, 0, 6, 1);
    if (!spaced) return few ? index_ends(chunk, length, index, 0, 4, 0) : index_ends(chunk, length, index, 0, 6, 0);
    return few ? index_ends(chunk, length, index, 1, 4, 0) : index_ends(chunk, length, index, 1, 6, 0);
}

#define EIGHT_KEPT 255, 255, 255, 255, 255, 255, 255, 255
#define THIRTY_TWO_KEPT EIGHT_KEPT, EIGHT_KEPT, EIGHT_KEPT, EIGHT_KEPT

/* KEPT + LONGEST - k: 16 bytes that keep the first k + 1, and nothing of the others; k is -1 - EC_MOST_GAP at least, less
 * the bytes from 'e' on where a chunk is dense. */
static const uint8_t KEPT[LONGEST + 1 + 16 + EC_MOST_GAP + EC_MOST_FROM_E] = {THIRTY_TWO_KEPT, THIRTY_TWO_KEPT,
                                                                              THIRTY_TWO_KEPT, THIRTY_TWO_KEPT, 255};

/* Two times 16 bytes. */
EC_INLINE __m256i load_two(const uint8_t *low, const uint8_t *high) {
    __m256i low_u8x16 = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low));
    return _mm256_inserti128_si256(low_u8x16, _mm_loadu_si128((const __m128i *)high), 1);
}

/* What is seen of the numbers of a chunk, each at the byte before its first digit, to be judged at its end. */
typedef struct {
    __m256i all_u8x32, any_u8x32; /* bits that the bytes have in all numbers, and in any */
    __m256i points_u64x4;         /* the sum of 255 * 2^16 for a point behind the first digit */
} seen_numbers;

/* Turns the text of two numbers into two times four groups of digits, of two, and three times four. */
EC_INLINE __m256i read_two(__m256i text_u8x32, const uint8_t *low_kept, const uint8_t *high_kept, seen_numbers *seen) {
    const __m256i tens_u8x32 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 0, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1)); /* sign, first digit, point, ... */
    const __m256i hundreds_u16x16 = _mm256_broadcastsi128_si256(_mm_setr_epi16(10, 1, 100, 1, 100, 1, 100, 1));
    const __m256i point_u8x32 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(-1, -1, '.', -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)); /* -1 is no character */
    __m256i kept_u8x32 = _mm256_and_si256(text_u8x32, load_two(low_kept, high_kept));
    seen->all_u8x32 = _mm256_and_si256(seen->all_u8x32, kept_u8x32);
    seen->any_u8x32 = _mm256_or_si256(seen->any_u8x32, kept_u8x32);
    seen->points_u64x4 = _mm256_add_epi64(seen->points_u64x4, _mm256_cmpeq_epi8(kept_u8x32, point_u8x32));
    __m256i digits_u8x32 = _mm256_and_si256(kept_u8x32, _mm256_set1_epi8(15));
    return _mm256_madd_epi16(_mm256_maddubs_epi16(digits_u8x32, tens_u8x32), hundreds_u16x16);
}

/* The signs of four numbers, as those of doubles, from the bytes before their first digits: of 0 and 2, of 1 and 3. */
EC_INLINE __m256d signs_of(__m256i even_u8x32, __m256i odd_u8x32) {
    __m256i starts_u64x4 = _mm256_unpacklo_epi64(even_u8x32, odd_u8x32);
    __m256i minus_u8x32 = _mm256_cmpeq_epi8(starts_u64x4, _mm256_set1_epi8('-'));
    return _mm256_castsi256_pd(_mm256_slli_epi64(minus_u8x32, 63));
}

static int32_t first_of(const uint8_t *chunk, const ec_number_index *index, int32_t i) {
    int32_t start = (i > 0 ? index->end[i - 1] : index->before) + index->gap;
    return start + (chunk[start] == '-');
}

static int alone_at(const uint8_t *chunk, const ec_number_index *index, int32_t i, float *out) {
    const int64_t first = first_of(chunk, index, i), start = first - (chunk[first - 1] == '-');
    if (i > 0 && chunk[start - 1] != ',' && !ec_is_space(chunk[start - 1])) return 0;
    return first < index->end[i] && ec_number_alone(chunk, first, index->end[i], out + i);
}

/* Counts the points behind first digits of the numbers from i on. Returns -1 where one does not begin where it is
 * thought to, or has two digits before its point. */
static int32_t count_points(const uint8_t *chunk, const ec_number_index *index, int32_t i) {
    int32_t points = 0;
    for (; i < index->count; i++) {
        const int32_t first = first_of(chunk, index, i), length = index->end[i] - first;
        if (length < 1 || ec_is_digit(chunk[first - 1]) || !ec_is_digit(chunk[first])) return -1;
        if (length > 1 && ec_is_digit(chunk[first + 1])) return -1;
        points += length > 1 && chunk[first + 1] == '.';
    }
    return points;
}

/* Whether all numbers are as they should be: those that were seen, and the others, from i on. Any two bytes side by side
 * are right; and where they are, digits differ from all that may stand at these three places in the bit of 16. */
static int are_fit(const uint8_t *chunk, const ec_number_index *index, const seen_numbers *seen, int32_t i) {
    const int32_t rest = count_points(chunk, index, i);
    const uint32_t first = 2 | 2 << 16, beside = 5 | 5 << 16;
    const uint32_t all = (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(seen->all_u8x32, 3));
    const uint32_t any = (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(seen->any_u8x32, 3));
    const __m256i points_u64x4 = _mm256_srli_epi64(seen->points_u64x4, 16);
    const int64_t points = (_mm256_extract_epi64(points_u64x4, 0) + _mm256_extract_epi64(points_u64x4, 2)) / 255;
    return rest >= 0 && (all & first) == first && (any & beside) == 0 && points + rest == index->points;
}

/* Of the numbers i .. i + 3 those that round to two floats, though of those that are `total` itself, since all their digits
 * were read, not the upper bound counts. Of dense chunks, where these are many, all bounds are so from the beginning. */
static uint32_t still_unsure(const ec_number_index *index, int32_t i, __m256d total_f64x4, __m256d more_f64x4,
                             __m256d sign_f64x4, __m128 low_f32x4) {
    const uint16_t *end = index->end + i;
    const __m256i odd_u32x8 = _mm256_setr_epi32(1, 3, 5, 7, 1, 3, 5, 7);
    __m128i negative = _mm_srai_epi32(
        _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(_mm256_castpd_si256(sign_f64x4), odd_u32x8)), 31);
    __m128i before_i32x4 = _mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)(index->end + (i > 0 ? i - 1 : 0))));
    if (i == 0) before_i32x4 = _mm_insert_epi32(_mm_slli_si128(before_i32x4, 4), index->before, 0);
    __m128i first_i32x4 = _mm_sub_epi32(_mm_add_epi32(before_i32x4, _mm_set1_epi32(index->gap)), negative);
    __m128i bytes_i32x4 = _mm_sub_epi32(_mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)end)), first_i32x4);
    __m256i is_cut = _mm256_cvtepi32_epi64(_mm_cmpgt_epi32(bytes_i32x4, _mm_set1_epi32(DIGITS_BYTES)));
    __m256d high_f64x4 =
        _mm256_fmadd_pd(total_f64x4, more_f64x4, _mm256_and_pd(_mm256_castsi256_pd(is_cut), more_f64x4));
    __m128 high_f32x4 = _mm256_cvtpd_ps(_mm256_or_pd(high_f64x4, sign_f64x4));
    return (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps(low_f32x4, high_f32x4));
}

/* A number is at least `total` units of 10^-13, and below total + 1 of them, or `total` where all its digits are read. Its bounds are multiplied by 10^-13 less
 * and more some units in the last place, which are more than what the products are rounded by. Where both round to the
 * same float, so does the number. */
EC_INLINE int32_t convert(const uint8_t *chunk, ec_number_index *index, float *out, int dense) {
    __m256d less = _mm256_set1_pd(1e-13 * (1 - 0x1p-50)), more = _mm256_set1_pd(1e-13 * (1 + 0x1p-50));
    const __m256d two_52 = _mm256_set1_pd(0x1p52); /* an integer below it is its mantissa */
    const uint8_t *starts = chunk + index->gap, *kept = KEPT + LONGEST + index->gap;
    int32_t count = index->count;
    int64_t before = index->before;
    seen_numbers seen = {_mm256_set1_epi8(-1), _mm256_setzero_si256(), _mm256_setzero_si256()}, complete = seen;
    for (int32_t i = 0; i < 8; i++) index->end[count + i] = index->end[count - 1];
    if (dense && !ec_note_exponents(chunk, index)) return -1;
    for (int32_t i = 0; i < count; i += 4) {
        const uint8_t *text[4], *kept_of[4];
        for (int j = 0; j < 4; j++) {
            int64_t first = before + (starts[before] == '-');
            text[j] = starts + first - 1;
            kept_of[j] = kept + (first - (dense ? index->point[i + j] : index->end[i + j]));
            before = index->end[i + j];
        }
        complete = seen;
        __m256i even_u8x32 = load_two(text[0], text[2]), odd_u8x32 = load_two(text[1], text[3]);
        __m256i quads_u16x16 = _mm256_packus_epi32(read_two(even_u8x32, kept_of[0], kept_of[2], &seen),
                                                   read_two(odd_u8x32, kept_of[1], kept_of[3], &seen));
        __m256i eights_u32x8 = _mm256_madd_epi16(quads_u16x16, _mm256_set1_epi32(1 << 16 | 10000));
        __m256i total_u64x4 = _mm256_add_epi64(_mm256_mul_epu32(eights_u32x8, _mm256_set1_epi64x(100000000)),
                                               _mm256_srli_epi64(eights_u32x8, 32));
        __m256d total_f64x4 = _mm256_sub_pd(_mm256_or_pd(_mm256_castsi256_pd(total_u64x4), two_52), two_52);
        __m256d sign_f64x4 = signs_of(even_u8x32, odd_u8x32);
        uint32_t alone = 0;
        if (dense) {
            const __m256d powers_f64x4 = ec_powers_avx2(index, i);
            less = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 - 0x1p-50));
            more = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 + 0x1p-50));
            __m256d small_f64x4 = _mm256_cmp_pd(_mm256_mul_pd(total_f64x4, less), _mm256_set1_pd(0x1p-126), _CMP_LT_OQ);
            alone = (uint32_t)_mm256_movemask_pd(small_f64x4); /* no normal floats, and what may be beyond float32 */
        }
        __m256d low_f64x4 = _mm256_or_pd(_mm256_mul_pd(total_f64x4, less), sign_f64x4);
        const __m256d above_f64x4 =
            dense ? _mm256_and_pd(ec_digits_are_cut(index, i, sign_f64x4, DIGITS_BYTES), more) : more;
        __m256d high_f64x4 = _mm256_or_pd(_mm256_fmadd_pd(total_f64x4, more, above_f64x4), sign_f64x4);
        __m128 value_f32x4 = _mm256_cvtpd_ps(low_f64x4);
        uint32_t unsure = (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps(value_f32x4, _mm256_cvtpd_ps(high_f64x4)));
        if (EC_UNLIKELY(unsure != 0))
            alone |= dense ? unsure : still_unsure(index, i, total_f64x4, more, sign_f64x4, value_f32x4);
        alone &= ec_store_some_f32x4(out + i, value_f32x4, count - i);
        count = ec_numbers_in_doubt(alone_at, chunk, index, i, alone, count, out); /* ends the loop if it is less */
    }
    count = ec_numbers_with_exponents(alone_at, chunk, index, count, out);
    if (index->count % 4 == 0) complete = seen;
    return count == index->count && are_fit(chunk, index, &complete, index->count & -4) ? count : -1;
}

int32_t ec_convert_single_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    return index->dense ? convert(chunk, index, out, 1) : convert(chunk, index, out, 0);
}

EC_TARGET_END

#endif
