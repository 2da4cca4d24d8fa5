/* Arrays of small integers with AVX2, all numbers of a block of 64 bytes at once. Text with points or exponents goes
 * the longer way of batch.h.
 *
 * For every byte the value of the up to three digits before it is computed; it counts at a comma. Of two bytes side by
 * side at most one is a comma behind a number, so pairs are added, and bytes that do not count are zero:
 *
 *     text      1  2 , - 4  5 , 6  ,  7
 *     value     .  . 12 . .  . 45 . 6  .
 *     pairs        .   12    .   -45   6     the chosen ones are brought together
 */
#include "avx2_integers.h"
#include "compact.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum { BEFORE = 3 }; /* bytes before a block that are read with it */

EC_INLINE __m256i table_of(int zero, int one, int two, int more) {
    char c = (char)more;
    return _mm256_broadcastsi128_si256(
        _mm_setr_epi8((char)zero, (char)one, (char)two, c, c, c, c, c, c, c, 0, 0, 0, 0, 0, 0));
}

/* What digits are worth. That of tens is looked up by the characters themselves, of which the lower half counts. */
typedef struct {
    __m256i tens_u8x32, hundreds_u8x32;
    __m256i excess_u8x32; /* with the lower digits 128 or more where the type does not hold the number, or it is -128 */
} digit_tables;

EC_INLINE digit_tables tables_of(int32_t type) {
    digit_tables tables;
    tables.tens_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 0, 0, 0, 0, 0, 0));
    tables.hundreds_u8x32 = table_of(0, 100, 200, 0);
    tables.excess_u8x32 = type == EC_INT8 ? table_of(0, 128 - 28, 128, 128) : table_of(0, 0, 128 - 56, 128);
    return tables;
}

/* The values of the digits before each of 32 bytes, and whether they are in excess. */
EC_INLINE __m256i values_before(const uint8_t *text, const digit_tables *tables, uint32_t *excess) {
    __m256i ones_u8x32 = _mm256_and_si256(ec_load_avx2(text - 1), _mm256_set1_epi8(15));
    __m256i tens_text_u8x32 = ec_load_avx2(text - 2);
    /* What is no digit becomes 0 here: the lower half of a tab is that of a 9. */
    __m256i hundreds_text_u8x32 = _mm256_subs_epu8(ec_load_avx2(text - 3), _mm256_set1_epi8('0'));
    __m256i has_tens = _mm256_cmpgt_epi8(tens_text_u8x32, _mm256_set1_epi8('0' - 1));
    __m256i tens_u8x32 = _mm256_and_si256(has_tens, _mm256_shuffle_epi8(tables->tens_u8x32, tens_text_u8x32));
    __m256i low_u8x32 = _mm256_add_epi8(ones_u8x32, tens_u8x32);
    __m256i hundreds_u8x32 =
        _mm256_and_si256(has_tens, _mm256_shuffle_epi8(tables->hundreds_u8x32, hundreds_text_u8x32));
    __m256i more_u8x32 = _mm256_and_si256(has_tens, _mm256_shuffle_epi8(tables->excess_u8x32, hundreds_text_u8x32));
    *excess = (uint32_t)_mm256_movemask_epi8(_mm256_add_epi8(low_u8x32, more_u8x32));
    return _mm256_add_epi8(low_u8x32, hundreds_u8x32);
}

/* The values of a block, not negated. Returns which of the numbers that end where `ends` is set the type does not hold,
 * "-0" among uint8 included; they have at most three digits. */
EC_INLINE uint64_t values_of(const uint8_t *text, const digit_tables *tables, uint64_t negative, int32_t type,
                             uint64_t ends, ec_block_u8x64 *values) {
    uint32_t low_excess, high_excess;
    values->low_u8x32 = values_before(text, tables, &low_excess);
    values->high_u8x32 = values_before(text + 32, tables, &high_excess);
    uint64_t excess = (low_excess | (uint64_t)high_excess << 32) & ends;
    if (type == EC_UINT8) return excess | (negative & ends);
    if (EC_UNLIKELY(excess != 0)) excess &= ~(negative & ec_equal_avx2(*values, -128));
    return excess;
}

/* Writes the chosen ones of eight bytes; eight are written in any case. Returns how many there are. */
EC_INLINE int64_t pack_eight(__m128i values_u8x16, uint32_t chosen, uint8_t *to) {
    __m128i places_u8x16 = _mm_loadl_epi64((const __m128i *)(ec_compact_eight + chosen));
    _mm_storel_epi64((__m128i *)to, _mm_shuffle_epi8(values_u8x16, places_u8x16));
    return (int64_t)_mm_popcnt_u32(chosen);
}

/* Writes the chosen ones of 32 values, and up to 32 bytes. Returns how many there are. */
EC_INLINE int64_t pack(__m256i values_u8x32, uint32_t chosen, uint8_t *to) {
    uint8_t *p = to;
    __m128i low_u8x16 = _mm256_castsi256_si128(values_u8x32), high_u8x16 = _mm256_extracti128_si256(values_u8x32, 1);
    p += pack_eight(low_u8x16, chosen & 255, p);
    p += pack_eight(_mm_srli_si128(low_u8x16, 8), chosen >> 8 & 255, p);
    p += pack_eight(high_u8x16, chosen >> 16 & 255, p);
    p += pack_eight(_mm_srli_si128(high_u8x16, 8), chosen >> 24, p);
    return p - to;
}

/* Two times 16 words to 32 bytes, in their order. */
EC_INLINE __m256i narrow(__m256i words_u8x32) { return _mm256_permute4x64_epi64(words_u8x32, 0xd8); }

/* What one block hands to the next, and the output. */
typedef struct {
    ec_integer_carry carry;
    uint8_t *out;
    int64_t written, room;
} reading;

/* Reads a block, of which three bytes before it may be read, too. Returns 0, and has written nothing, where it is not
 * plain, or its numbers have no room. */
EC_INLINE int read_block(const uint8_t *text, const digit_tables *tables, int32_t type, reading *state) {
    const __m256i comma_u8x32 = _mm256_set1_epi8(',');
    ec_block_u8x64 block = ec_block_avx2(text), values;
    __m256i low_commas = _mm256_cmpeq_epi8(block.low_u8x32, comma_u8x32);
    __m256i high_commas = _mm256_cmpeq_epi8(block.high_u8x32, comma_u8x32);
    uint64_t commas = ec_join_avx2(low_commas, high_commas), negative, minus_zeros;
    uint64_t bad = ec_judge_integers_avx2(block, commas, &state->carry, &negative, &minus_zeros);
    bad |= values_of(text, tables, negative, type, commas, &values);
    int64_t count = (int64_t)_mm_popcnt_u64(commas), room = state->room - state->written;
    if (EC_UNLIKELY(bad != 0) || EC_UNLIKELY(count > room)) return 0;

    __m256i low_ones = _mm256_and_si256(low_commas, _mm256_set1_epi8(1));
    __m256i high_ones = _mm256_and_si256(high_commas, _mm256_set1_epi8(1)), values_u8x32;
    if (type == EC_INT8) {
        low_ones = _mm256_or_si256(low_ones, ec_spread_avx2((uint32_t)negative));
        high_ones = _mm256_or_si256(high_ones, ec_spread_avx2((uint32_t)(negative >> 32)));
        values_u8x32 = _mm256_packs_epi16(_mm256_maddubs_epi16(values.low_u8x32, low_ones),
                                          _mm256_maddubs_epi16(values.high_u8x32, high_ones));
    } else {
        values_u8x32 = _mm256_packus_epi16(_mm256_maddubs_epi16(values.low_u8x32, low_ones),
                                           _mm256_maddubs_epi16(values.high_u8x32, high_ones));
    }
    const uint32_t chosen = ec_pairs_avx2(low_commas, high_commas);
    uint8_t *out = state->out + state->written;
    if (EC_LIKELY(room >= BLOCK / 2)) {
        pack(narrow(values_u8x32), chosen, out);
    } else {
        uint8_t packed[BLOCK / 2];
        pack(narrow(values_u8x32), chosen, packed);
        if (count > 0) memcpy(out, packed, (size_t)count); /* there may be no buffer where there is no room */
    }
    state->written += count;
    return 1;
}

/* Reads the block at text[at], of which there may be less, from a copy in which the last bracket is a comma with spaces
 * behind it: for blocks before or behind which nothing may be read. */
static EC_NOINLINE int read_copy(const uint8_t *text, int64_t n, int64_t at, int32_t type, reading *state) {
    const digit_tables tables = tables_of(type);
    const int64_t left = n - at;
    uint8_t copy[BEFORE + BLOCK];
    memset(copy, ' ', BEFORE + BLOCK);
    if (at >= BEFORE) memcpy(copy, text + at - BEFORE, BEFORE); /* else an element begins here */
    memcpy(copy + BEFORE, text + at, (size_t)(left < BLOCK ? left : BLOCK));
    if (left <= BLOCK && text[n - 1] == ']') ec_bracket_to_comma(copy + BEFORE, left);
    return read_block(copy + BEFORE, &tables, type, state);
}

/* Reads blocks as long as they are plain. Returns how many numbers are written, with *next behind the comma of the last
 * one, or n where the text ends there. */
EC_INLINE int64_t read_plain(const uint8_t *text, int64_t n, int64_t *next, uint8_t *out, int64_t room, int32_t type) {
    const digit_tables tables = tables_of(type);
    reading state = {{0, 0, 0, 0, 0, 0}, out, 0, room};
    int64_t at = 1;
    if (read_copy(text, n, at, type, &state)) {
        reading within = state;
        for (at += BLOCK; n - at > BLOCK && read_block(text + at, &tables, type, &within);) at += BLOCK;
        state = within;
        if (at < n && n - at <= BLOCK && read_copy(text, n, at, type, &state)) at += BLOCK;
    }
    if (at >= n && text[n - 1] == ']') {
        *next = n;
        return state.written;
    }
    /* Numbers whose commas were not reached are read again, so go back to the last comma. */
    if (at > n) at = n;
    while (at > 1 && text[at - 1] != ',') at--;
    *next = at;
    return state.written;
}

/* ---- text with points ---- */

EC_INLINE __m256i has_four_digits(const uint8_t *text) {
    __m256i lower =
        _mm256_and_si256(ec_is_digit_avx2(ec_load_avx2(text - 1)), ec_is_digit_avx2(ec_load_avx2(text - 2)));
    return _mm256_and_si256(
        lower, _mm256_and_si256(ec_is_digit_avx2(ec_load_avx2(text - 3)), ec_is_digit_avx2(ec_load_avx2(text - 4))));
}

EC_INLINE __m256i negate(__m256i values_u8x32, uint32_t negative) {
    __m256i signs_u8x32 = ec_spread_avx2(negative);
    return _mm256_sub_epi8(_mm256_xor_si256(values_u8x32, signs_u8x32), signs_u8x32);
}

static uint64_t evaluate(const uint8_t *block, uint64_t negative, int32_t type, uint8_t *values) {
    const digit_tables tables = tables_of(type);
    ec_block_u8x64 found;
    uint64_t excess = values_of(block, &tables, negative, type, UINT64_MAX, &found);
    _mm256_storeu_si256((__m256i *)values, negate(found.low_u8x32, (uint32_t)negative));
    _mm256_storeu_si256((__m256i *)(values + 32), negate(found.high_u8x32, (uint32_t)(negative >> 32)));
    return excess | ec_join_avx2(has_four_digits(block), has_four_digits(block + 32));
}

/* Packs by way of a buffer, because eight bytes are written at a time, of which fewer may be chosen. */
static void pack_block(const uint8_t *values, uint64_t chosen, int64_t count, uint8_t *out) {
    uint8_t packed[BLOCK + 8], *p = packed;
    for (int i = 0; i < BLOCK; i += 8)
        p += pack_eight(_mm_loadl_epi64((const __m128i *)(values + i)), chosen >> i & 255, p);
    if (count > 0) memcpy(out, packed, (size_t)count); /* there may be no buffer where there is no room */
}

/* ---- all text ---- */

static int64_t read_any(const uint8_t *chunk, int64_t length, uint8_t *out, int64_t room, int32_t type,
                        int64_t *consumed) {
    return ec_integers_read(chunk, length, out, room, type, consumed, ec_classify_avx2, evaluate, pack_block);
}

ec_result ec_integers_parse_avx2(const uint8_t *text, int64_t n, uint8_t *out, int64_t capacity, int32_t type) {
    int64_t at, produced = type == EC_INT8 ? read_plain(text, n, &at, out, capacity, EC_INT8)
                                           : read_plain(text, n, &at, out, capacity, EC_UINT8);
    if (EC_LIKELY(at == n && text[n - 1] == ']')) return ec_number_result(EC_OK, n, produced);
    return ec_integers_parse_chunks(text, n, at, out, capacity, produced, type, read_any);
}

EC_TARGET_END

#endif
