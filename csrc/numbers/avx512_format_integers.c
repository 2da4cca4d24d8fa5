/* Writes int8 and uint8 as JSON with AVX-512: 64 numbers at a time become digits, each number in a lane of four bytes with
 * zeros where it has no digit, and vpcompressb pushes the bytes that are not zero together. Signed numbers are taken 48 at
 * a time, and their lanes, with '-' in the place of the comma, are spread to five bytes before. */
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

/* Numbers in lanes of four bytes: number 16 k + 4 l + i of those given is in lane 4 l + i of register k. */
typedef struct {
    __m512i lanes_u32x16[4];
    __mmask64 has_hundreds;
} number_lanes;

/* Takes numbers apart: each becomes its three digits, and behind them a comma, or, where it is signed, its sign. */
EC_INLINE number_lanes take_apart(__m512i values_u8x64, int is_signed) {
    const __m512i zero_u8x64 = _mm512_set1_epi8('0'), low_u8x64 = _mm512_set1_epi8(15);
    const __m512i pairs_low_u8x64 = _mm512_loadu_si512(PAIRS), pairs_high_u8x64 = _mm512_loadu_si512(PAIRS + 64);
    number_lanes out;
    __m512i size_u8x64 = is_signed ? _mm512_abs_epi8(values_u8x64) : values_u8x64;
    __mmask64 has_tens = _mm512_cmpge_epu8_mask(size_u8x64, _mm512_set1_epi8(10));
    out.has_hundreds = _mm512_cmpge_epu8_mask(size_u8x64, _mm512_set1_epi8(100));
    __m512i rest_u8x64 = _mm512_mask_sub_epi8(size_u8x64, out.has_hundreds, size_u8x64, _mm512_set1_epi8(100));
    __m512i hundreds_u8x64 = _mm512_set1_epi8('1');
    if (!is_signed) {
        __mmask64 has_two_hundreds = _mm512_cmpge_epu8_mask(values_u8x64, _mm512_set1_epi8((char)200));
        rest_u8x64 = _mm512_mask_sub_epi8(rest_u8x64, has_two_hundreds, rest_u8x64, _mm512_set1_epi8(100));
        hundreds_u8x64 = _mm512_mask_blend_epi8(has_two_hundreds, hundreds_u8x64, _mm512_set1_epi8('2'));
    }
    __m512i pairs_u8x64 = _mm512_permutex2var_epi8(pairs_low_u8x64, rest_u8x64, pairs_high_u8x64);
    hundreds_u8x64 = _mm512_maskz_mov_epi8(out.has_hundreds, hundreds_u8x64);
    __m512i tens_u8x64 = _mm512_and_si512(_mm512_srli_epi16(pairs_u8x64, 4), low_u8x64);
    tens_u8x64 = _mm512_maskz_add_epi8(has_tens, tens_u8x64, zero_u8x64);
    __m512i ones_u8x64 = _mm512_add_epi8(_mm512_and_si512(pairs_u8x64, low_u8x64), zero_u8x64);
    __m512i sign_u8x64 = is_signed ? _mm512_maskz_mov_epi8(_mm512_movepi8_mask(values_u8x64), _mm512_set1_epi8('-'))
                                   : _mm512_set1_epi8(',');
    __m512i ab_low = _mm512_unpacklo_epi8(hundreds_u8x64, tens_u8x64),
            ab_high = _mm512_unpackhi_epi8(hundreds_u8x64, tens_u8x64);
    __m512i cd_low = _mm512_unpacklo_epi8(ones_u8x64, sign_u8x64),
            cd_high = _mm512_unpackhi_epi8(ones_u8x64, sign_u8x64);
    out.lanes_u32x16[0] = _mm512_unpacklo_epi16(ab_low, cd_low);
    out.lanes_u32x16[1] = _mm512_unpackhi_epi16(ab_low, cd_low);
    out.lanes_u32x16[2] = _mm512_unpacklo_epi16(ab_high, cd_high);
    out.lanes_u32x16[3] = _mm512_unpackhi_epi16(ab_high, cd_high);
    return out;
}

/* Writes 64 numbers, each with a comma. */
EC_INLINE uint8_t *write_unsigned(uint8_t *p, const uint8_t *values) {
    /* Unpacking works within 128 bits: number 16 k + 4 l + i goes to place 4 k + i of lane l. */
    const __m512i turned_u32x16 = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const number_lanes of = take_apart(_mm512_permutexvar_epi32(turned_u32x16, _mm512_loadu_si512(values)), 0);
    if (of.has_hundreds == UINT64_MAX) { /* nothing is to be cut */
        for (int k = 0; k < 4; k++) _mm512_storeu_si512(p + 64 * k, of.lanes_u32x16[k]);
        return p + 256;
    }
    for (int k = 0; k < 4; k++) p = push(p, of.lanes_u32x16[k]);
    return p;
}

/* Of twelve numbers: h t o - becomes - h t o , */
#define FIVE(i) 4 * (i) + 3, 4 * (i), 4 * (i) + 1, 4 * (i) + 2, 64
static const uint8_t FIVES[64] = {FIVE(0), FIVE(1), FIVE(2), FIVE(3), FIVE(4),  FIVE(5),
                                  FIVE(6), FIVE(7), FIVE(8), FIVE(9), FIVE(10), FIVE(11)};

/* Writes 48 numbers, of which 64 are read, each with a comma. */
EC_INLINE uint8_t *write_signed(uint8_t *p, const uint8_t *values) {
    /* Number 12 k + 4 l + i goes to place 4 k + i of lane l; the fourth lane is not used. */
    const __m512i turned_u32x16 = _mm512_setr_epi32(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 12, 12, 12, 12);
    const __m512i fives_u8x64 = _mm512_loadu_si512(FIVES), comma_u8x64 = _mm512_set1_epi8(',');
    const number_lanes of = take_apart(_mm512_permutexvar_epi32(turned_u32x16, _mm512_loadu_si512(values)), 1);
    for (int k = 0; k < 4; k++)
        p = push(p, _mm512_maskz_permutex2var_epi8(UINT64_MAX >> 4, of.lanes_u32x16[k], fives_u8x64, comma_u8x64));
    return p;
}

int64_t ec_integers_format_avx512(const uint8_t *values, int64_t n, int32_t type, uint8_t *text) {
    uint8_t *p = text;
    int64_t i = 0;
    *p++ = '[';
    /* All numbers are given 5 bytes, those written and those to come, so with 72 left every store of 64 bytes has
     * room. The others are too few for it, and a store of chosen bytes is slow. */
    if (type == EC_INT8)
        for (; n - i >= 72; i += 48) p = write_signed(p, values + i);
    else
        for (; n - i >= 72; i += 64) p = write_unsigned(p, values + i);
    return ec_integers_format_rest_avx2(values + i, n - i, type, p) - text;
}

EC_TARGET_END

#endif
