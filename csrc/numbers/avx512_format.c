/* Writes floats as JSON with AVX-512: the digits and the length of eight texts at a time, by the method of
 * format_scalar.c; then one byte shuffle a number, chosen by where its point goes. */
#include "avx512.h"
#include "powers.h"

#if defined(EC_X86_64)

EC_TARGET_AVX512

#define EIGHT(x) _mm512_set1_epi64(x)

static const uint64_t POWERS[16] = {1,       10,       100,       1000,       10000,     100000,
                                    1000000, 10000000, 100000000, 1000000000, UINT64_MAX};

/* For each decimal exponent X the shuffle that makes the text of d0.d1...d8 * 10^X from its source
 *
 *     byte   0  1  2  3  4  5  6  7  8  9 10
 *            d1 d2 d3 d4 d5 d6 d7 d8 d0 0  .
 *
 * Trailing zeros of the digits are cut off by the length of the text. */
#define LOWEST_POSITIONAL (-4)
#define HIGHEST_POSITIONAL 8
static const uint8_t FORMS[HIGHEST_POSITIONAL - LOWEST_POSITIONAL + 1][16] = {
    {9, 10, 9, 9, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9}, /* 0.000123456789 */
    {9, 10, 9, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9}, /* 0.00123456789 */
    {9, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9}, /* 0.0123456789 */
    {9, 10, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9}, /* 0.123456789 */
    {8, 10, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9}, /* 1.23456789 */
    {8, 0, 10, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9}, /* 12.3456789 */
    {8, 0, 1, 10, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9}, /* 123.456789 */
    {8, 0, 1, 2, 10, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9}, /* 1234.56789 */
    {8, 0, 1, 2, 3, 10, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9}, /* 12345.6789 */
    {8, 0, 1, 2, 3, 4, 10, 5, 6, 7, 9, 9, 9, 9, 9, 9}, /* 123456.789 */
    {8, 0, 1, 2, 3, 4, 5, 10, 6, 7, 9, 9, 9, 9, 9, 9}, /* 1234567.89 */
    {8, 0, 1, 2, 3, 4, 5, 6, 10, 7, 9, 9, 9, 9, 9, 9}, /* 12345678.9 */
    {8, 0, 1, 2, 3, 4, 5, 6, 7, 10, 9, 9, 9, 9, 9, 9}, /* 123456789.0 */
};

/* Eight numbers, ready to be written. */
typedef struct {
    _Alignas(64) uint8_t source[8][16];
    int64_t exponent[8];
    int64_t significant[8]; /* number of digits */
    int64_t length[8];      /* of the form with a point and no exponent, without the sign */
    uint8_t negative, scientific;
} texts;

/* floor(power * factor / 2^64), made odd where bits were lost: product_odd() of format_scalar.c. */
EC_INLINE __m512i product_odd(__m512i power_u64x8, __m512i factor_u64x8) {
    __m512i high_u64x8 = _mm512_mul_epu32(_mm512_srli_epi64(power_u64x8, 32), factor_u64x8);
    __m512i low_u64x8 = _mm512_mul_epu32(power_u64x8, factor_u64x8);
    __m512i sum_u64x8 = _mm512_add_epi64(high_u64x8, _mm512_srli_epi64(low_u64x8, 32));
    __mmask8 sticky = _mm512_test_epi64_mask(sum_u64x8, EIGHT(0xfffffffe));
    __m512i whole_u64x8 = _mm512_srli_epi64(sum_u64x8, 32);
    return _mm512_mask_or_epi64(whole_u64x8, sticky, whole_u64x8, EIGHT(1));
}

EC_INLINE __m512i look_up_power(__m512i index_u64x8) {
    return _mm512_permutex2var_epi64(_mm512_loadu_si512(POWERS), index_u64x8, _mm512_loadu_si512(POWERS + 8));
}

/* The eight digits of a number below 10^8 as bytes, the first in the lowest. */
EC_INLINE __m512i split_digits(__m512i x_u64x8) {
    __m512i upper_u64x8 = _mm512_srli_epi64(_mm512_mul_epu32(x_u64x8, EIGHT(0xd1b71759)), 45); /* x / 10^4 */
    __m512i lower_u64x8 = _mm512_sub_epi64(x_u64x8, _mm512_mul_epu32(upper_u64x8, EIGHT(10000)));
    __m512i fours_u32x16 = _mm512_or_si512(upper_u64x8, _mm512_slli_epi64(lower_u64x8, 32));
    __m512i tops_u16x32 = _mm512_srli_epi16(_mm512_mulhi_epu16(fours_u32x16, _mm512_set1_epi16(10486)), 4); /* / 100 */
    __m512i rests_u16x32 = _mm512_sub_epi16(fours_u32x16, _mm512_mullo_epi16(tops_u16x32, _mm512_set1_epi16(100)));
    __m512i twos_u16x32 = _mm512_or_si512(tops_u16x32, _mm512_slli_epi32(rests_u16x32, 16));
    __m512i tens_u16x32 = _mm512_mulhi_epu16(twos_u16x32, _mm512_set1_epi16(6554)); /* / 10 */
    __m512i ones_u16x32 = _mm512_sub_epi16(twos_u16x32, _mm512_mullo_epi16(tens_u16x32, _mm512_set1_epi16(10)));
    return _mm512_or_si512(tens_u16x32, _mm512_slli_epi16(ones_u16x32, 8));
}

/* The comments are at the scalar twin, shorten(). */
EC_INLINE void shorten_eight(__m256i bits_u32x8, texts *out) {
    __m512i bits_u64x8 = _mm512_cvtepu32_epi64(bits_u32x8);
    __m512i fraction_u64x8 = _mm512_and_si512(bits_u64x8, EIGHT(0x7fffff));
    __m512i biased_u64x8 = _mm512_and_si512(_mm512_srli_epi64(bits_u64x8, 23), EIGHT(0xff));
    __mmask8 zero = _mm512_testn_epi64_mask(bits_u64x8, EIGHT(0x7fffffff));
    __mmask8 normal = _mm512_test_epi64_mask(biased_u64x8, biased_u64x8);
    __mmask8 narrow =
        _mm512_mask_testn_epi64_mask(_mm512_cmpgt_epi64_mask(biased_u64x8, EIGHT(1)), fraction_u64x8, fraction_u64x8);
    __m512i mantissa_u64x8 = _mm512_mask_or_epi64(fraction_u64x8, normal, fraction_u64x8, EIGHT(0x800000));
    __m512i exponent_i64x8 = _mm512_sub_epi64(_mm512_max_epi64(biased_u64x8, EIGHT(1)), EIGHT(150));

    __m512i log_i64x8 = _mm512_mul_epi32(exponent_i64x8, EIGHT(1262611));
    __m512i k_i64x8 = _mm512_srai_epi64(_mm512_mask_sub_epi64(log_i64x8, narrow, log_i64x8, EIGHT(524031)), 22);
    __m512i minus_k_i64x8 = _mm512_sub_epi64(_mm512_setzero_si512(), k_i64x8);
    __m512i shift_i64x8 = _mm512_add_epi64(_mm512_add_epi64(exponent_i64x8, EIGHT(1)),
                                           _mm512_srai_epi64(_mm512_mul_epi32(minus_k_i64x8, EIGHT(217706)), 16));
    __m512i power_u64x8 = _mm512_i64gather_epi64(_mm512_sub_epi64(minus_k_i64x8, EIGHT(EC_POWER_LOWEST)),
                                                 (const long long *)(const void *)ec_powers_of_ten, 8);
    __mmask8 inexact = _mm512_cmpgt_epu64_mask(minus_k_i64x8, EIGHT(EC_POWER_EXACT)); /* unsigned: or negative */
    power_u64x8 = _mm512_mask_add_epi64(power_u64x8, inexact, power_u64x8, EIGHT(1));

    __m512i four_u64x8 = _mm512_sllv_epi64(_mm512_slli_epi64(mantissa_u64x8, 2), shift_i64x8);
    __m512i half_u64x8 = _mm512_sllv_epi64(EIGHT(2), shift_i64x8);
    __m512i under_u64x8 = _mm512_mask_srli_epi64(half_u64x8, narrow, half_u64x8, 1);
    __m512i value_u64x8 = product_odd(power_u64x8, four_u64x8);
    __m512i odd_u64x8 = _mm512_and_si512(mantissa_u64x8, EIGHT(1));
    __m512i lowest_u64x8 =
        _mm512_add_epi64(product_odd(power_u64x8, _mm512_sub_epi64(four_u64x8, under_u64x8)), odd_u64x8);
    __m512i highest_u64x8 =
        _mm512_sub_epi64(product_odd(power_u64x8, _mm512_add_epi64(four_u64x8, half_u64x8)), odd_u64x8);

    __m512i s_u64x8 = _mm512_srli_epi64(value_u64x8, 2);
    __m512i tens_u64x8 = _mm512_srli_epi64(_mm512_mul_epu32(s_u64x8, EIGHT(0xcccccccd)), 35);
    __m512i forty_u64x8 = _mm512_mul_epu32(tens_u64x8, EIGHT(40));
    __mmask8 tens_down = _mm512_cmple_epu64_mask(lowest_u64x8, forty_u64x8);
    __mmask8 tens_up = _mm512_cmple_epu64_mask(_mm512_add_epi64(forty_u64x8, EIGHT(40)), highest_u64x8);
    __mmask8 use_tens = (tens_down ^ tens_up) & _mm512_cmpge_epu64_mask(s_u64x8, EIGHT(10));
    __m512i four_s_u64x8 = _mm512_slli_epi64(s_u64x8, 2);
    __mmask8 down = _mm512_cmple_epu64_mask(lowest_u64x8, four_s_u64x8);
    __mmask8 up = _mm512_cmple_epu64_mask(_mm512_add_epi64(four_s_u64x8, EIGHT(4)), highest_u64x8);
    /* Where both neighbours fit or neither does, the nearest, ties to even: value & 3 is above 2, or it is 2 and s
     * odd. */
    __m512i quarters_u64x8 = _mm512_and_si512(value_u64x8, EIGHT(3));
    __mmask8 nearer_up =
        _mm512_cmpgt_epu64_mask(_mm512_add_epi64(quarters_u64x8, _mm512_and_si512(s_u64x8, EIGHT(1))), EIGHT(2));
    __mmask8 round_up = (up & ~down) | (nearer_up & ~(up ^ down));
    __m512i digits_u64x8 = _mm512_mask_add_epi64(s_u64x8, round_up, s_u64x8, EIGHT(1));
    __m512i shorter_u64x8 = _mm512_mask_add_epi64(tens_u64x8, tens_up, tens_u64x8, EIGHT(1));
    digits_u64x8 = _mm512_mask_mov_epi64(digits_u64x8, use_tens, shorter_u64x8);
    k_i64x8 = _mm512_mask_add_epi64(k_i64x8, use_tens, k_i64x8, EIGHT(1));

    /* To nine digits: count those there are, and append zeros. */
    __m512i bits_used_u64x8 = _mm512_sub_epi64(EIGHT(64), _mm512_lzcnt_epi64(digits_u64x8));
    __m512i count_u64x8 = _mm512_srli_epi64(_mm512_mul_epu32(bits_used_u64x8, EIGHT(1233)), 12);
    __mmask8 more = _mm512_cmpge_epu64_mask(digits_u64x8, look_up_power(count_u64x8));
    count_u64x8 = _mm512_mask_add_epi64(count_u64x8, more, count_u64x8, EIGHT(1));
    __m512i nine_u64x8 =
        _mm512_maskz_mul_epu32((__mmask8)~zero, digits_u64x8, look_up_power(_mm512_sub_epi64(EIGHT(9), count_u64x8)));
    __m512i point_i64x8 = _mm512_maskz_sub_epi64((__mmask8)~zero, _mm512_add_epi64(k_i64x8, count_u64x8), EIGHT(1));

    __m512i first_u64x8 = _mm512_srli_epi64(_mm512_mul_epu32(nine_u64x8, EIGHT(0x55e63b89)), 57); /* / 10^8 */
    __m512i rest_u8x64 = split_digits(_mm512_sub_epi64(nine_u64x8, _mm512_mul_epu32(first_u64x8, EIGHT(100000000))));
    __m512i trailing_u64x8 = _mm512_srli_epi64(_mm512_lzcnt_epi64(rest_u8x64), 3);
    __m512i significant_u64x8 = _mm512_sub_epi64(EIGHT(9), trailing_u64x8);

    /* From X = 0 on there is at least one digit behind the point: max(significant, X + 2) + 1; below, 1 - X +
     * significant. */
    __m512i at_least_i64x8 = _mm512_max_epi64(significant_u64x8, _mm512_add_epi64(point_i64x8, EIGHT(2)));
    __m512i length_u64x8 = _mm512_add_epi64(at_least_i64x8, EIGHT(1));
    __mmask8 below_one = _mm512_cmplt_epi64_mask(point_i64x8, _mm512_setzero_si512());
    length_u64x8 =
        _mm512_mask_sub_epi64(length_u64x8, below_one, _mm512_add_epi64(significant_u64x8, EIGHT(1)), point_i64x8);

    __m512i text_u8x64 = _mm512_add_epi8(rest_u8x64, _mm512_set1_epi8('0'));
    __m512i head_u64x8 = _mm512_or_si512(first_u64x8, EIGHT('0' | '0' << 8 | '.' << 16));
    const __m512i early = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11),
                  late = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    _mm512_storeu_si512(out->source[0], _mm512_permutex2var_epi64(text_u8x64, early, head_u64x8));
    _mm512_storeu_si512(out->source[4], _mm512_permutex2var_epi64(text_u8x64, late, head_u64x8));
    _mm512_storeu_si512(out->exponent, point_i64x8);
    _mm512_storeu_si512(out->significant, significant_u64x8);
    _mm512_storeu_si512(out->length, length_u64x8);
    out->negative = (uint8_t)_mm512_test_epi64_mask(bits_u64x8, EIGHT(INT64_C(1) << 31));
    out->scientific = (uint8_t)(_mm512_cmplt_epi64_mask(point_i64x8, EIGHT(LOWEST_POSITIONAL)) |
                                _mm512_cmpgt_epi64_mask(point_i64x8, EIGHT(HIGHEST_POSITIONAL)));
}

static uint8_t *write_scientific(uint8_t *p, const uint8_t *source, int64_t significant, int64_t exponent) {
    p[0] = source[8];
    p[1] = '.';
    memcpy(p + 2, source, 8);
    p += significant > 1 ? significant + 1 : 1;
    *p++ = 'e';
    if (exponent < 0) *p++ = '-';
    uint32_t magnitude = (uint32_t)(exponent < 0 ? -exponent : exponent);
    if (magnitude >= 10) *p++ = (uint8_t)('0' + magnitude / 10);
    *p++ = (uint8_t)('0' + magnitude % 10);
    return p;
}

/* Writes a number and a comma. 16 bytes are stored behind the sign; number i begins at 1 + 16 i or before, so that no
 * store reaches beyond 16 n + 2. */
EC_INLINE uint8_t *write_positional(uint8_t *p, const texts *batch, int i) {
    *p = '-';
    p += batch->negative >> i & 1;
    __m128i form_u8x16 = _mm_loadu_si128((const __m128i *)FORMS[batch->exponent[i] - LOWEST_POSITIONAL]);
    __m128i source_u8x16 = _mm_loadu_si128((const __m128i *)batch->source[i]);
    _mm_storeu_si128((__m128i *)p, _mm_shuffle_epi8(source_u8x16, form_u8x16));
    p += batch->length[i];
    *p = ',';
    return p + 1;
}

/* Writes the first `count` of eight numbers. */
EC_INLINE uint8_t *write_eight(uint8_t *p, const texts *batch, int64_t count) {
    if (EC_LIKELY(count >= 8 && batch->scientific == 0)) {
        for (int i = 0; i < 8; i++) p = write_positional(p, batch, i);
        return p;
    }
    for (int i = 0; i < 8 && i < count; i++) {
        if (!(batch->scientific >> i & 1)) {
            p = write_positional(p, batch, i);
            continue;
        }
        if (batch->negative >> i & 1) *p++ = '-';
        p = write_scientific(p, batch->source[i], batch->significant[i], batch->exponent[i]);
        *p++ = ',';
    }
    return p;
}

int64_t ec_floats_format_avx512(const float *values, int64_t n, uint8_t *text) {
    uint8_t *p = text;
    *p++ = '[';
    for (int64_t at = 0; at < n; at += 16) { /* two chains of eight, which do not wait for each other */
        uint32_t lanes = n - at < 16 ? (1u << (n - at)) - 1 : 0xffff;
        __m512i bits_u32x16 = _mm512_maskz_loadu_epi32((__mmask16)lanes, values + at);
        const __m512i infinity_u32x16 = _mm512_set1_epi32(0x7f800000);
        __mmask16 refused = _mm512_cmpeq_epi32_mask(_mm512_and_si512(bits_u32x16, infinity_u32x16), infinity_u32x16);
        if (EC_UNLIKELY(refused != 0)) return -1 - (at + ec_trailing_zeros_u64(refused));
        texts early, late;
        shorten_eight(_mm512_castsi512_si256(bits_u32x16), &early);
        shorten_eight(_mm512_extracti64x4_epi64(bits_u32x16, 1), &late);
        p = write_eight(p, &early, n - at);
        p = write_eight(p, &late, n - at - 8);
    }
    p -= n > 0;
    *p++ = ']';
    return p - text;
}

EC_TARGET_END

#endif
