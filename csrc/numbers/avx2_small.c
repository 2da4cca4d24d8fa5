/* Arrays of floats with AVX2 of which all are integers of up to three digits, as codes sent as floats: their values are
 * computed behind all bytes of a block at once, as avx2_integers.c does, in words of 16 bits. */
#include "avx2_integers.h"
#include "compact.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum { MOST_IN_BLOCK = BLOCK / 2, AT_ONCE = 8 };

/* The numbers before 16 pairs of bytes; `signs` are 1 and -1 behind numbers, else 0. */
EC_INLINE __m256i words_before(const uint8_t *text, __m256i signs_i8x32) {
    const __m256i tens_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 0, 0, 0, 0, 0, 0));
    __m256i ones_u8x32 = _mm256_and_si256(ec_load_avx2(text - 1), _mm256_set1_epi8(15));
    __m256i tens_text_u8x32 = ec_load_avx2(text - 2);
    __m256i has_tens = _mm256_cmpgt_epi8(tens_text_u8x32, _mm256_set1_epi8('0' - 1));
    __m256i low_u8x32 = _mm256_and_si256(has_tens, _mm256_shuffle_epi8(tens_u8x32, tens_text_u8x32));
    low_u8x32 = _mm256_add_epi8(low_u8x32, ones_u8x32);
    __m256i hundreds_u8x32 = _mm256_subs_epu8(ec_load_avx2(text - 3), _mm256_set1_epi8('0'));
    hundreds_u8x32 = _mm256_and_si256(has_tens, hundreds_u8x32);
    __m256i hundred_i8x32 = _mm256_sign_epi8(_mm256_set1_epi8(100), signs_i8x32);
    return _mm256_add_epi16(_mm256_maddubs_epi16(low_u8x32, signs_i8x32),
                            _mm256_maddubs_epi16(hundreds_u8x32, hundred_i8x32));
}

/* Writes the chosen ones of eight words as floats; eight are written in any case. Returns how many there are. */
EC_INLINE int64_t write_eight(__m128i words_i16x8, uint32_t chosen, float *to) {
    __m256 values_f32x8 = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(words_i16x8));
    __m256i places_i32x8 = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(ec_compact_eight + chosen)));
    _mm256_storeu_ps(to, _mm256_permutevar8x32_ps(values_f32x8, places_i32x8));
    return (int64_t)_mm_popcnt_u32(chosen);
}

EC_INLINE float *write_sixteen(__m256i words_i16x16, uint32_t chosen, float *to) {
    to += write_eight(_mm256_castsi256_si128(words_i16x16), chosen & 255, to);
    return to + write_eight(_mm256_extracti128_si256(words_i16x16, 1), chosen >> 8, to);
}

int32_t ec_convert_small_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    const __m256i comma_u8x32 = _mm256_set1_epi8(','), one_u8x32 = _mm256_set1_epi8(1);
    const int32_t room = index->count;
    ec_integer_carry carry = {0, 0, 0, 0, 0, 0};
    int32_t written = 0;
    for (int64_t at = 0; written < room; at += BLOCK) {
        const uint8_t *text = chunk + at;
        const ec_block_u8x64 block = ec_block_avx2(text);
        const __m256i low_commas = _mm256_cmpeq_epi8(block.low_u8x32, comma_u8x32);
        const __m256i high_commas = _mm256_cmpeq_epi8(block.high_u8x32, comma_u8x32);
        const uint64_t commas = ec_join_avx2(low_commas, high_commas);
        uint64_t negative, minus_zeros;
        if (EC_UNLIKELY(ec_judge_integers_avx2(block, commas, &carry, &negative, &minus_zeros) != 0)) break;
        if (EC_UNLIKELY(commas == 0)) continue;
        const __m256i low_signs =
            _mm256_or_si256(_mm256_and_si256(low_commas, one_u8x32), ec_spread_avx2((uint32_t)negative));
        const __m256i high_signs =
            _mm256_or_si256(_mm256_and_si256(high_commas, one_u8x32), ec_spread_avx2((uint32_t)(negative >> 32)));
        const uint32_t chosen = ec_pairs_avx2(low_commas, high_commas);
        const int32_t count = (int32_t)_mm_popcnt_u32(chosen);
        float copy[MOST_IN_BLOCK + AT_ONCE], *to = room - written < MOST_IN_BLOCK + AT_ONCE ? copy : out + written;
        float *next = write_sixteen(words_before(text, low_signs), chosen & 65535, to);
        write_sixteen(words_before(text + 32, high_signs), chosen >> 16, next);
        for (; EC_UNLIKELY(minus_zeros != 0); minus_zeros &= minus_zeros - 1)
            to[_mm_popcnt_u64(commas & ((minus_zeros & (0 - minus_zeros)) - 1))] = -0.0f;
        if (to == copy) memcpy(out + written, copy, (size_t)count * sizeof *out);
        written += count;
        index->end[written - 1] = (uint16_t)(at + 63 - (int64_t)_lzcnt_u64(commas));
    }
    index->count = written;
    return written;
}

EC_TARGET_END

#endif
