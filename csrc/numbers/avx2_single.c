/* Arrays of floats with AVX2 where each has one digit before its point, as all numbers below ten have: 0.0123, -1.5e-05,
 * 7. Then the digits of a number have fixed places from its first one on, so that the point has no list of positions,
 * and no power of ten has to be looked up: digits behind the last become zeros.
 *
 *     byte     0    1    2    3    4 .. 15
 *     text     -    0    .    0    1 2 3 , - 0 . 4
 *     digits   .    0    .    0    1 2 3 0 0 0 0 0      12.3e-3, as all numbers, is counted in units of 10^-13
 */
#include "avx2.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum {
    DIGITS_BYTES = 15, /* from the first digit on, that are read */
    LONGEST = 128,     /* no number that is noted is longer */
    SAMPLE = 4,        /* blocks that tell how many numbers there are in one */
    MOST_GAP = 16      /* with it, and the 16 bytes that are read behind it, a chunk ends before its margin does */
};

/* What one block hands to the next: bit 0 stands for its last byte, but those of `begins` for the first ones behind it,
 * where elements may begin, or where a comma wants a space. */
typedef struct {
    uint64_t run, first, digit_wanted, exponent, element, begins;
} single_carry;

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

/* Whether a block has, from the lowest of `others` on, but the spaces that fill up a copy. */
EC_INLINE int is_filled_up(uint64_t others, uint64_t spaces) {
    return others == 0 - (others & (0 - others)) && (others & ~spaces) == 0;
}

/* Whether the list ends here, or behind as much white space as may be read. */
static int ends_list(const uint8_t *text) {
    int i = 0;
    while (i < BEHIND && ec_is_space(text[i])) i++;
    return i < BEHIND && text[i] == ']';
}

/* Whether in a block a space stands where no comma is before it, or none where one is. */
EC_INLINE int has_misplaced(const uint8_t *text, ec_block_u8x64 block) {
    const __m256i comma_u8x32 = _mm256_set1_epi8(','), space_u8x32 = _mm256_set1_epi8(' ');
    const ec_block_u8x64 before = ec_block_avx2(text - 1);
    __m256i low_u8x32 = _mm256_xor_si256(_mm256_cmpeq_epi8(before.low_u8x32, comma_u8x32),
                                         _mm256_cmpeq_epi8(block.low_u8x32, space_u8x32));
    __m256i high_u8x32 = _mm256_xor_si256(_mm256_cmpeq_epi8(before.high_u8x32, comma_u8x32),
                                          _mm256_cmpeq_epi8(block.high_u8x32, space_u8x32));
    __m256i both_u8x32 = _mm256_or_si256(low_u8x32, high_u8x32);
    return !_mm256_testz_si256(both_u8x32, both_u8x32);
}

/* Notes where the numbers of a chunk end. Each begins `gap` bytes behind the comma before it, all of which are white
 * space: 1, or 2 where a space follows the comma, or more. Returns 0 where a number does not, or has two digits before
 * its point, or is longer than LONGEST, or the text is not plain; but where it is not plain because the list ends, notes
 * those before. See grammar.h for the masks. */
EC_INLINE int index_ends(const uint8_t *chunk, int64_t length, ec_number_index *index, int gap, int step) {
    single_carry carry = {0, 0, 0, 0, 0, 0};
    int32_t ended = 0;
    index->alone_count = 0;
    index->sound = 1;
    index->gap = gap;
    index->before = -gap;
    if (gap == 2 && chunk[0] == ' ') {
        carry.begins = 1;
        index->before++;
    }
    for (int64_t at = 0; at < length; at += BLOCK) {
        ec_block_u8x64 block = ec_block_avx2(chunk + at);
        uint64_t digits = ec_digits_avx2(block), points = ec_equal_avx2(block, '.');
        uint64_t minuses = ec_equal_avx2(block, '-'), commas = ec_equal_avx2(block, ',');
        uint64_t spaces = gap == 1 ? 0 : gap == 2 ? commas << 1 | carry.begins : ec_spaces_avx2(block), misplaced = 0;
        if (gap == 2 && EC_UNLIKELY(has_misplaced(chunk + at, block))) {
            misplaced = spaces;
            spaces = ec_equal_avx2(block, ' ');
            misplaced ^= spaces;
        }
        uint64_t run = digits | points, others = ~(run | minuses | commas | spaces), exponents = 0;
        if (EC_UNLIKELY((others | carry.exponent) != 0)) {
            exponents = ec_exponents_avx2(block);
            uint64_t exponent_minuses = minuses & (exponents << 1 | carry.exponent);
            minuses ^= exponent_minuses;
            run |= exponents | exponent_minuses;
            others &= ~exponents;
            if (gap == 1 && at + BLOCK == length && is_filled_up(others, ec_equal_avx2(block, ' '))) others = 0;
            carry.exponent = exponents >> 63;
        }
        uint64_t run_before = run << 1 | carry.run, digit_wanted = minuses | points;
        uint64_t first = run & ~run_before, end = run_before & ~run, second = first << 1 | carry.first;
        uint64_t bad = others |                                              /* another byte */
                       (end ^ commas) |                                      /* 1 2, and a comma without a number */
                       (points ^ (second & run & ~exponents)) |              /* 12 .5 1.2.3 */
                       ((digit_wanted << 1 | carry.digit_wanted) & ~digits); /* 1.e5 - 1 */
        if (gap == 2) { /* every space stands behind a comma, and every comma before a space */
            if (EC_UNLIKELY(misplaced != 0) && at + BLOCK == length && is_filled_up(misplaced, spaces)) misplaced = 0;
            bad |= misplaced;
            carry.begins = commas >> 63;
        } else if (gap > 2) {
            uint64_t element = run | minuses, begins = element & ~(element << 1 | carry.element);
            if (at == 0 && begins != 0) {
                carry.begins = begins & (0 - begins);
                index->before = ec_trailing_zeros_u64(begins) - gap;
            }
            bad |= begins & ~(commas << gap | carry.begins);
            carry.element = element >> 63;
            carry.begins = commas >> (64 - gap);
        }
        if (EC_UNLIKELY((run & run_before) == UINT64_MAX)) return 0; /* the number may be too long */
        if (EC_UNLIKELY(bad != 0)) {
            if (!ends_list(chunk + at + ec_trailing_zeros_u64(bad))) return 0;
            end &= (bad & (0 - bad)) - 1;
            index->sound = 0;
        }
        if (EC_UNLIKELY(exponents != 0)) ec_index_exponents(index, exponents, end, ended);
        ended += store_ends(index->end + ended, end, (uint32_t)at, step);
        if (EC_UNLIKELY(bad != 0)) break;
        carry.run = run >> 63;
        carry.first = first >> 63;
        carry.digit_wanted = digit_wanted >> 63;
    }
    index->count = ended;
    return 1;
}

/* Commas in the first blocks of a chunk. */
static int64_t count_commas(const uint8_t *chunk, int64_t blocks) {
    int64_t count = 0;
    for (int64_t i = 0; i < blocks; i++) count += _mm_popcnt_u64(ec_equal_avx2(ec_block_avx2(chunk + i * BLOCK), ','));
    return count;
}

int ec_index_single_avx2(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    const uint64_t commas = length > 0 ? ec_equal_avx2(ec_block_avx2(chunk), ',') : 0;
    const int64_t sample = length < SAMPLE * BLOCK ? length / BLOCK : SAMPLE;
    const int few = count_commas(chunk, sample) <= 4 * sample;
    int gap = 1;
    if (commas != 0)
        for (const uint8_t *text = chunk + _tzcnt_u64(commas); gap <= MOST_GAP && ec_is_space(text[gap]);) gap++;
    if (gap > MOST_GAP) return 0;
    if (gap == 1) return few ? index_ends(chunk, length, index, 1, 4) : index_ends(chunk, length, index, 1, 6);
    if (gap == 2 && chunk[_tzcnt_u64(commas) + 1] == ' ')
        return few ? index_ends(chunk, length, index, 2, 4) : index_ends(chunk, length, index, 2, 6);
    return index_ends(chunk, length, index, gap, 4);
}

#define EIGHT_DIGITS 15, 15, 15, 15, 15, 15, 15, 15
#define THIRTY_TWO_DIGITS EIGHT_DIGITS, EIGHT_DIGITS, EIGHT_DIGITS, EIGHT_DIGITS

/* KEPT + LONGEST - k: 16 bytes that keep the lower halves of the first k + 1, and nothing of the others; k is
 * -1 - MOST_GAP at least. */
static const uint8_t KEPT[LONGEST + 1 + 16 + MOST_GAP] = {THIRTY_TWO_DIGITS, THIRTY_TWO_DIGITS, THIRTY_TWO_DIGITS,
                                                          THIRTY_TWO_DIGITS, 15};

/* Two times 16 bytes. */
EC_INLINE __m256i load_two(const uint8_t *low, const uint8_t *high) {
    __m256i low_u8x16 = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low));
    return _mm256_inserti128_si256(low_u8x16, _mm_loadu_si128((const __m128i *)high), 1);
}

/* Turns the text of two numbers into two times four groups of digits, of two, and three times four. */
EC_INLINE __m256i read_two(__m256i text_u8x32, const uint8_t *low_kept, const uint8_t *high_kept) {
    const __m256i tens_u8x32 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 0, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1)); /* sign, first digit, point, ... */
    const __m256i hundreds_u16x16 = _mm256_broadcastsi128_si256(_mm_setr_epi16(10, 1, 100, 1, 100, 1, 100, 1));
    __m256i kept_u8x32 = load_two(low_kept, high_kept);
    __m256i digits_u8x32 = _mm256_and_si256(text_u8x32, kept_u8x32);
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
    return ec_number_alone(chunk, first_of(chunk, index, i), index->end[i], out + i);
}

/* Of the numbers i .. i + 3 those that are in doubt: which ones must be converted alone. The bounds here are those of
 * numbers whose digits were all read. */
static uint32_t still_unsure(const uint8_t *chunk, const ec_number_index *index, int32_t i, uint32_t unsure,
                             __m256d low_f64x4, __m256d high_f64x4) {
    __m128 differ_f32x4 = _mm_cmpneq_ps(_mm256_cvtpd_ps(low_f64x4), _mm256_cvtpd_ps(high_f64x4));
    uint32_t alone = (uint32_t)_mm_movemask_ps(differ_f32x4);
    for (int32_t j = 0; j < 4 && i + j < index->count; j++)
        alone |= (uint32_t)(index->end[i + j] - first_of(chunk, index, i + j) > DIGITS_BYTES) << j;
    return alone & unsure;
}

/* A number is at least `total` units of 10^-13, and below total + 1 of them. Its bounds are multiplied by 10^-13 less
 * and more some units in the last place, which are more than what the products are rounded by. Where both round to the
 * same float, so does the number. */
int32_t ec_convert_single_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    const __m256d less = _mm256_set1_pd(1e-13 * (1 - 0x1p-50)), more = _mm256_set1_pd(1e-13 * (1 + 0x1p-50));
    const __m256d two_52 = _mm256_set1_pd(0x1p52); /* an integer below it is its mantissa */
    const uint8_t *starts = chunk + index->gap, *kept = KEPT + LONGEST + index->gap;
    int32_t count = index->count;
    int64_t before = index->before;
    for (int32_t i = 0; i < 4; i++) index->end[count + i] = index->end[count > 0 ? count - 1 : 0];
    for (int32_t i = 0; i < count; i += 4) {
        const uint8_t *text[4], *kept_of[4];
        for (int j = 0; j < 4; j++) {
            int64_t end = index->end[i + j], first = before + (starts[before] == '-');
            text[j] = starts + first - 1;
            kept_of[j] = kept + (first - end);
            before = end;
        }
        __m256i even_u8x32 = load_two(text[0], text[2]), odd_u8x32 = load_two(text[1], text[3]);
        __m256i quads_u16x16 = _mm256_packus_epi32(read_two(even_u8x32, kept_of[0], kept_of[2]),
                                                   read_two(odd_u8x32, kept_of[1], kept_of[3]));
        __m256i eights_u32x8 = _mm256_madd_epi16(quads_u16x16, _mm256_set1_epi32(1 << 16 | 10000));
        __m256i total_u64x4 = _mm256_add_epi64(_mm256_mul_epu32(eights_u32x8, _mm256_set1_epi64x(100000000)),
                                               _mm256_srli_epi64(eights_u32x8, 32));
        __m256d total_f64x4 = _mm256_sub_pd(_mm256_or_pd(_mm256_castsi256_pd(total_u64x4), two_52), two_52);
        __m256d sign_f64x4 = signs_of(even_u8x32, odd_u8x32);
        __m256d low_f64x4 = _mm256_or_pd(_mm256_mul_pd(total_f64x4, less), sign_f64x4);
        __m256d high_f64x4 = _mm256_or_pd(_mm256_fmadd_pd(total_f64x4, more, more), sign_f64x4);
        __m128 value_f32x4 = _mm256_cvtpd_ps(low_f64x4);
        uint32_t alone = (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps(value_f32x4, _mm256_cvtpd_ps(high_f64x4)));
        if (EC_UNLIKELY(alone != 0)) {
            high_f64x4 = _mm256_or_pd(_mm256_mul_pd(total_f64x4, more), sign_f64x4);
            alone = still_unsure(chunk, index, i, alone, low_f64x4, high_f64x4);
        }
        alone &= ec_store_some_f32x4(out + i, value_f32x4, count - i);
        count = ec_numbers_in_doubt(alone_at, chunk, index, i, alone, count, out); /* ends the loop if it is less */
    }
    return ec_numbers_with_exponents(alone_at, chunk, index, count, out);
}

EC_TARGET_END

#endif
