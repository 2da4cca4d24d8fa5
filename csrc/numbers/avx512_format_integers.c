/* Writes uint8 as JSON with AVX-512: 64 numbers at a time become digits, each number in a lane of its own, with zeros
 * where it has no digit, and vpcompressb pushes the bytes that are not zero together. A signed number with its comma would
 * need a lane twice as wide: those go the way of AVX2, which is faster then. */
#include "avx2.h"
#include "avx512.h"

#if defined(EC_X86_64)

EC_TARGET_AVX512

/* Tens and ones of 0 to 99, as 16 * tens + ones. */
#define TEN(t) t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6, t + 7, t + 8, t + 9
static const uint8_t PAIRS[128] = {TEN(0x00), TEN(0x10), TEN(0x20), TEN(0x30), TEN(0x40),
                                   TEN(0x50), TEN(0x60), TEN(0x70), TEN(0x80), TEN(0x90)};

/* Writes the bytes that are not zero, pushed together; 64 are stored. Returns where they end. */
EC_INLINE uint8_t *push(uint8_t *p, __m512i lanes_u8x64) {
    __mmask64 present = _mm512_test_epi8_mask(lanes_u8x64, lanes_u8x64);
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi8(present, lanes_u8x64));
    return p + _mm_popcnt_u64(present);
}

/* Writes 64 numbers, each with a comma. */
EC_INLINE uint8_t *write_block(uint8_t *p, __m512i values_u8x64) {
    const __m512i zero_u8x64 = _mm512_set1_epi8('0'), low_u8x64 = _mm512_set1_epi8(15);
    const __m512i pairs_low_u8x64 = _mm512_loadu_si512(PAIRS), pairs_high_u8x64 = _mm512_loadu_si512(PAIRS + 64);
    /* Unpacking works within 128 bits: number 16 k + 4 l + i goes to place 4 k + i of lane l. */
    const __m512i turned_u32x16 = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    values_u8x64 = _mm512_permutexvar_epi32(turned_u32x16, values_u8x64);

    __mmask64 has_hundreds = _mm512_cmpge_epu8_mask(values_u8x64, _mm512_set1_epi8(100));
    __mmask64 has_two_hundreds = _mm512_cmpge_epu8_mask(values_u8x64, _mm512_set1_epi8((char)200));
    __mmask64 has_tens = _mm512_cmpge_epu8_mask(values_u8x64, _mm512_set1_epi8(10));
    __m512i rest_u8x64 = _mm512_mask_sub_epi8(values_u8x64, has_hundreds, values_u8x64, _mm512_set1_epi8(100));
    rest_u8x64 = _mm512_mask_sub_epi8(rest_u8x64, has_two_hundreds, rest_u8x64, _mm512_set1_epi8(100));
    __m512i pairs_u8x64 = _mm512_permutex2var_epi8(pairs_low_u8x64, rest_u8x64, pairs_high_u8x64);
    __m512i hundreds_u8x64 = _mm512_mask_blend_epi8(has_two_hundreds, _mm512_set1_epi8('1'), _mm512_set1_epi8('2'));
    hundreds_u8x64 = _mm512_maskz_mov_epi8(has_hundreds, hundreds_u8x64);
    __m512i tens_u8x64 = _mm512_and_si512(_mm512_srli_epi16(pairs_u8x64, 4), low_u8x64);
    tens_u8x64 = _mm512_maskz_add_epi8(has_tens, tens_u8x64, zero_u8x64);
    __m512i ones_u8x64 = _mm512_add_epi8(_mm512_and_si512(pairs_u8x64, low_u8x64), zero_u8x64);
    const __m512i comma_u8x64 = _mm512_set1_epi8(',');
    __m512i ab_low = _mm512_unpacklo_epi8(hundreds_u8x64, tens_u8x64),
            ab_high = _mm512_unpackhi_epi8(hundreds_u8x64, tens_u8x64);
    __m512i cd_low = _mm512_unpacklo_epi8(ones_u8x64, comma_u8x64),
            cd_high = _mm512_unpackhi_epi8(ones_u8x64, comma_u8x64);
    __m512i lanes_u32x16[4] = {_mm512_unpacklo_epi16(ab_low, cd_low), _mm512_unpackhi_epi16(ab_low, cd_low),
                               _mm512_unpacklo_epi16(ab_high, cd_high), _mm512_unpackhi_epi16(ab_high, cd_high)};
    if (has_hundreds == UINT64_MAX) { /* nothing is to be cut */
        for (int k = 0; k < 4; k++) _mm512_storeu_si512(p + 64 * k, lanes_u32x16[k]);
        return p + 256;
    }
    for (int k = 0; k < 4; k++) p = push(p, lanes_u32x16[k]);
    return p;
}

int64_t ec_integers_format_avx512(const uint8_t *values, int64_t n, int32_t type, uint8_t *text) {
    if (type == EC_INT8) return ec_integers_format_avx2(values, n, type, text);
    uint8_t *p = text;
    int64_t i = 0;
    *p++ = '[';
    /* All numbers are given 5 bytes, those written and those to come, so with 72 left every store of 64 bytes has
     * room. The others are too few for it, and a store of chosen bytes is slow. */
    for (; n - i >= 72; i += 64) p = write_block(p, _mm512_loadu_si512(values + i));
    return ec_integers_format_rest_avx2(values + i, n - i, type, p) - text;
}

EC_TARGET_END

#endif
