/* Shared by the AVX-512 readers of numbers: a block of 64 bytes to masks of its characters. */
#ifndef EC_NUMBERS_AVX512_H
#define EC_NUMBERS_AVX512_H

#include "batch.h"

#if defined(EC_X86_64)

EC_TARGET_AVX512

EC_INLINE __mmask64 ec_equal_avx512(__m512i text_u8x64, char c) {
    return _mm512_cmpeq_epi8_mask(text_u8x64, _mm512_set1_epi8(c));
}

/* The rarer characters: white space other than ' ', and those of exponents. */
EC_INLINE void ec_classify_rest_avx512(__m512i text_u8x64, ec_number_classes *classes) {
    classes->spaces |=
        ec_equal_avx512(text_u8x64, '\n') | ec_equal_avx512(text_u8x64, '\r') | ec_equal_avx512(text_u8x64, '\t');
    classes->exponents =
        ec_equal_avx512(_mm512_or_si512(text_u8x64, _mm512_set1_epi8(0x20)), 'e') | ec_equal_avx512(text_u8x64, '+');
}

EC_INLINE ec_number_classes ec_classify_avx512(__m512i text_u8x64) {
    ec_number_classes classes;
    __m512i digits_u8x64 = _mm512_sub_epi8(text_u8x64, _mm512_set1_epi8('0'));
    classes.digits = _mm512_cmple_epu8_mask(digits_u8x64, _mm512_set1_epi8(9));
    classes.zeros = ec_equal_avx512(text_u8x64, '0');
    classes.points = ec_equal_avx512(text_u8x64, '.');
    classes.minuses = ec_equal_avx512(text_u8x64, '-');
    classes.commas = ec_equal_avx512(text_u8x64, ',');
    classes.spaces = ec_equal_avx512(text_u8x64, ' ');
    classes.exponents = 0;
    uint64_t known = classes.digits | classes.points | classes.minuses | classes.commas | classes.spaces;
    if (EC_UNLIKELY(known != UINT64_MAX)) ec_classify_rest_avx512(text_u8x64, &classes);
    return classes;
}

EC_INLINE __m512i ec_byte_positions(void) {
    return _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
                           40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
                           17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

EC_TARGET_END

/* As ec_index_ends_avx2(), of numbers with one digit before their points alone, for ec_convert_single_avx2(). */
int ec_index_single_avx512(const uint8_t *chunk, int64_t length, ec_number_index *index);

ec_result ec_integers_parse_avx512(const uint8_t *text, int64_t n, uint8_t *out, int64_t capacity, int32_t type);
int64_t ec_integers_format_avx512(const uint8_t *values, int64_t n, int32_t type, uint8_t *text);
int64_t ec_floats_format_avx512(const float *values, int64_t n, uint8_t *text);

#endif
#endif
