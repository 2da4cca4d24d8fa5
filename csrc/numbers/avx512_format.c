/* Writes floats as JSON with AVX-512: as avx2_format.c does, sixteen at a time. */
#include "avx512.h"
#include "format.h"

#if defined(EC_X86_64)

EC_TARGET_AVX512

#define SIXTEEN(x) _mm512_set1_epi32(x)

/* Sixteen numbers, ready to be written. */
typedef struct {
    _Alignas(64) uint8_t source[4][4][EC_FORMS]; /* of numbers 0, 4, 8 and 12, 1, 5, 9 and 13 ... */
    _Alignas(64) uint32_t form[16];              /* the place of its shuffle, in bytes */
    _Alignas(64) uint32_t length[16];            /* of the text, with its sign and a comma */
} texts;

/* The upper halves of 10^0 to 10^15, as ec_powers_of_ten has them: up to 10^13 the lower halves are 0. */
EC_INLINE __m512i load_powers(void) {
    const uint64_t *of = ec_powers_of_ten - EC_POWER_LOWEST;
    __m256i low_u32x8 = _mm512_cvtepi64_epi32(_mm512_srli_epi64(_mm512_loadu_si512(of), 32));
    __m256i high_u32x8 = _mm512_cvtepi64_epi32(_mm512_srli_epi64(_mm512_loadu_si512(of + 8), 32));
    return _mm512_inserti64x4(_mm512_castsi256_si512(low_u32x8), high_u32x8, 1);
}

/* The products of lanes at even places, and of those at odd ones. */
typedef struct {
    __m512i even_u64x8, odd_u64x8;
} products;

EC_INLINE products multiply(__m512i a_u32x16, __m512i b_u32x16) {
    products found = {_mm512_mul_epu32(a_u32x16, b_u32x16),
                      _mm512_mul_epu32(_mm512_srli_epi64(a_u32x16, 32), _mm512_srli_epi64(b_u32x16, 32))};
    return found;
}

/* The products moved right by 32 and more bits. */
EC_INLINE __m512i upper(products of, uint32_t more) {
    return _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(of.even_u64x8, 32 + more),
                                   _mm512_srli_epi64(of.odd_u64x8, more));
}

/* A power of ten: its upper half, and the lower one, which is 0 but for numbers of any size. */
typedef struct {
    __m512i upper_u32x16, lower_u32x16;
} power;

EC_INLINE power look_up_power(__m512i minus_k_i32x16, __m512i of_ten_u32x16, int any) {
    power found = {_mm512_permutexvar_epi32(minus_k_i32x16, of_ten_u32x16), _mm512_setzero_si512()};
    if (any) {
        const uint8_t *of = (const uint8_t *)(ec_powers_of_ten - EC_POWER_LOWEST);
        found.upper_u32x16 = _mm512_i32gather_epi32(minus_k_i32x16, of + 4, 8);
        found.lower_u32x16 = _mm512_i32gather_epi32(minus_k_i32x16, of, 8);
        __mmask16 cut_off = _mm512_cmpgt_epu32_mask(minus_k_i32x16, SIXTEEN(EC_POWER_EXACT)); /* or negative */
        found.lower_u32x16 = _mm512_mask_add_epi32(found.lower_u32x16, cut_off, found.lower_u32x16, SIXTEEN(1));
    }
    return found;
}

/* floor(power * factor / 2^64), made odd where bits were lost: product_odd() of format_scalar.c. */
EC_INLINE __m512i product_odd(power by, __m512i factor_u32x16, int any) {
    products of = multiply(by.upper_u32x16, factor_u32x16);
    if (any) {
        products rest = multiply(by.lower_u32x16, factor_u32x16);
        of.even_u64x8 = _mm512_add_epi64(of.even_u64x8, _mm512_srli_epi64(rest.even_u64x8, 32));
        of.odd_u64x8 = _mm512_add_epi64(of.odd_u64x8, _mm512_srli_epi64(rest.odd_u64x8, 32));
    }
    __m512i rest_u32x16 = _mm512_mask_blend_epi32(0xaaaa, of.even_u64x8, _mm512_slli_epi64(of.odd_u64x8, 32));
    __mmask16 lost = _mm512_test_epi32_mask(rest_u32x16, SIXTEEN(-2));
    __m512i whole_u32x16 = upper(of, 0);
    return _mm512_mask_or_epi32(whole_u32x16, lost, whole_u32x16, SIXTEEN(1));
}

/* Numbers below 10^4 in 32 bits each to four digits, the first in the lowest byte. */
EC_INLINE __m512i split_fours(__m512i fours_u32x16) {
    __m512i tops_u16x32 = _mm512_srli_epi16(_mm512_mulhi_epu16(fours_u32x16, _mm512_set1_epi16(10486)), 4); /* / 100 */
    __m512i rests_u16x32 = _mm512_sub_epi16(fours_u32x16, _mm512_madd_epi16(tops_u16x32, SIXTEEN(100)));
    __m512i twos_u16x32 = _mm512_or_si512(tops_u16x32, _mm512_slli_epi32(rests_u16x32, 16));
    __m512i tens_u16x32 = _mm512_mulhi_epu16(twos_u16x32, _mm512_set1_epi16(6554)); /* / 10 */
    __m512i ones_u16x32 = _mm512_sub_epi16(twos_u16x32, _mm512_maddubs_epi16(tens_u16x32, _mm512_set1_epi16(10)));
    return _mm512_or_si512(tens_u16x32, _mm512_slli_epi16(ones_u16x32, 8));
}

/* The first of each two lanes of both. */
EC_INLINE __m512i pick_even(__m512i low_u32x16, __m512i high_u32x16) {
    return _mm512_castps_si512(
        _mm512_shuffle_ps(_mm512_castsi512_ps(low_u32x16), _mm512_castsi512_ps(high_u32x16), 0x88));
}

/* The shortest decimals of positive floats, in the range of the quick way or of `any` normal size: their digits, six to
 * nine of them, and the exponent of the last one in *minus_k, with the other sign. The comments are at the scalar twin,
 * shorten(). */
EC_INLINE __m512i shorten(__m512i bits_u32x16, __m512i of_ten_u32x16, int any, __m512i *minus_k) {
    __m512i fraction_u32x16 = _mm512_and_si512(bits_u32x16, SIXTEEN(0x7fffff));
    __m512i exponent_i32x16 = _mm512_sub_epi32(_mm512_srli_epi32(bits_u32x16, 23), SIXTEEN(150));
    __m512i mantissa_u32x16 = _mm512_or_si512(fraction_u32x16, SIXTEEN(0x800000));
    __mmask16 narrow = _mm512_testn_epi32_mask(fraction_u32x16, fraction_u32x16);

    __m512i log_i32x16 = _mm512_mullo_epi32(exponent_i32x16, SIXTEEN(1262611));
    __m512i k_i32x16 = _mm512_srai_epi32(_mm512_mask_sub_epi32(log_i32x16, narrow, log_i32x16, SIXTEEN(524031)), 22);
    __m512i minus_k_i32x16 = _mm512_sub_epi32(_mm512_setzero_si512(), k_i32x16);
    __m512i power_exponent_i32x16 = _mm512_srai_epi32(_mm512_mullo_epi32(minus_k_i32x16, SIXTEEN(217706)), 16);
    __m512i shift_i32x16 = _mm512_add_epi32(_mm512_add_epi32(exponent_i32x16, SIXTEEN(1)), power_exponent_i32x16);
    const power by = look_up_power(minus_k_i32x16, of_ten_u32x16, any);

    __m512i four_u32x16 = _mm512_sllv_epi32(_mm512_slli_epi32(mantissa_u32x16, 2), shift_i32x16);
    __m512i half_u32x16 = _mm512_sllv_epi32(SIXTEEN(2), shift_i32x16);
    __m512i under_u32x16 = _mm512_mask_srli_epi32(half_u32x16, narrow, half_u32x16, 1);
    __m512i odd_u32x16 = _mm512_and_si512(mantissa_u32x16, SIXTEEN(1));
    __m512i value_u32x16 = product_odd(by, four_u32x16, any);
    __m512i lowest_u32x16 =
        _mm512_add_epi32(product_odd(by, _mm512_sub_epi32(four_u32x16, under_u32x16), any), odd_u32x16);
    __m512i highest_u32x16 =
        _mm512_sub_epi32(product_odd(by, _mm512_add_epi32(four_u32x16, half_u32x16), any), odd_u32x16);

    __m512i s_u32x16 = _mm512_srli_epi32(value_u32x16, 2), four_s_u32x16 = _mm512_slli_epi32(s_u32x16, 2);
    __m512i tens_u32x16 = upper(multiply(s_u32x16, SIXTEEN((int32_t)0xcccccccd)), 3);
    __m512i forty_u32x16 = _mm512_mullo_epi32(tens_u32x16, SIXTEEN(40));
    /* Which of the neighbours are in the interval. Where one is, it is taken. */
    __mmask16 ten_below = _mm512_cmple_epi32_mask(lowest_u32x16, forty_u32x16);
    __mmask16 ten_above = _mm512_cmple_epi32_mask(_mm512_add_epi32(forty_u32x16, SIXTEEN(40)), highest_u32x16);
    __mmask16 one_below = _mm512_cmple_epi32_mask(lowest_u32x16, four_s_u32x16);
    __mmask16 one_above = _mm512_cmple_epi32_mask(_mm512_add_epi32(four_s_u32x16, SIXTEEN(4)), highest_u32x16);
    __m512i quarters_u32x16 = _mm512_and_si512(value_u32x16, SIXTEEN(3));
    __m512i tie_u32x16 = _mm512_add_epi32(quarters_u32x16, _mm512_and_si512(s_u32x16, SIXTEEN(1)));
    __mmask16 nearer_above = _mm512_cmpgt_epi32_mask(tie_u32x16, SIXTEEN(2)); /* ties to even */
    __mmask16 up = (__mmask16)((one_above & ~one_below) | (nearer_above & ~(one_above ^ one_below)));
    __mmask16 of_tens = ten_below ^ ten_above;
    __m512i digits_u32x16 = _mm512_mask_add_epi32(s_u32x16, up, s_u32x16, SIXTEEN(1));
    __m512i shorter_u32x16 = _mm512_mask_add_epi32(tens_u32x16, ten_above, tens_u32x16, SIXTEEN(1));
    *minus_k = _mm512_mask_sub_epi32(minus_k_i32x16, of_tens, minus_k_i32x16, SIXTEEN(1));
    return _mm512_mask_mov_epi32(digits_u32x16, of_tens, shorter_u32x16);
}

/* Gives texts with exponents their form and length, and returns the bytes of their sources with the exponents. */
EC_INLINE __m512i add_exponents(__m512i point_i32x16, __m512i significant_u32x16, __mmask16 negative, __m512i *form,
                                __m512i *length) {
    __mmask16 small = _mm512_cmplt_epi32_mask(point_i32x16, SIXTEEN(EC_LOWEST_FORM));
    __mmask16 with_exponent = small | _mm512_cmpgt_epi32_mask(point_i32x16, SIXTEEN(EC_HIGHEST_FORM));
    __m512i size_u32x16 = _mm512_abs_epi32(point_i32x16);
    __mmask16 two_digits = _mm512_cmpgt_epi32_mask(size_u32x16, SIXTEEN(9));
    __mmask16 with_point = _mm512_cmpgt_epi32_mask(significant_u32x16, SIXTEEN(1));

    __m512i length_u32x16 = _mm512_add_epi32(significant_u32x16, SIXTEEN(3)); /* 1e9, */
    length_u32x16 = _mm512_mask_add_epi32(length_u32x16, with_point, length_u32x16, SIXTEEN(1));
    length_u32x16 = _mm512_mask_add_epi32(length_u32x16, two_digits, length_u32x16, SIXTEEN(1));
    length_u32x16 = _mm512_mask_add_epi32(length_u32x16, small, length_u32x16, SIXTEEN(1));
    length_u32x16 = _mm512_mask_add_epi32(length_u32x16, negative, length_u32x16, SIXTEEN(1));
    *length = _mm512_mask_mov_epi32(*length, with_exponent, length_u32x16);

    __m512i form_u32x16 = _mm512_add_epi32(significant_u32x16, SIXTEEN(EC_FORMS_E / EC_FORMS - 1));
    form_u32x16 = _mm512_mask_add_epi32(form_u32x16, two_digits, form_u32x16, SIXTEEN(EC_DIGITS));
    form_u32x16 = _mm512_mask_add_epi32(form_u32x16, small, form_u32x16, SIXTEEN(2 * EC_DIGITS));
    form_u32x16 = _mm512_mask_add_epi32(form_u32x16, negative, form_u32x16, SIXTEEN(4 * EC_DIGITS));
    *form = _mm512_mask_slli_epi32(*form, with_exponent, form_u32x16, 4);

    __m512i tens_u32x16 = _mm512_srli_epi32(_mm512_mullo_epi16(size_u32x16, SIXTEEN(103)), 10);
    __m512i ones_u32x16 = _mm512_sub_epi32(size_u32x16, _mm512_mullo_epi16(tens_u32x16, SIXTEEN(10)));
    __m512i digits_u8x64 = _mm512_or_si512(_mm512_slli_epi32(tens_u32x16, 8), _mm512_slli_epi32(ones_u32x16, 16));
    return _mm512_or_si512(digits_u8x64, SIXTEEN('e' | '0' << 8 | '0' << 16));
}

/* Makes texts of floats, in the range of the quick way or of `any` normal size, of which some stand for zeros. */
EC_INLINE void make_texts(__m512i bits_u32x16, __mmask16 zero, __mmask16 negative, __m512i of_ten_u32x16, int any,
                          texts *out) {
    const __mmask16 not_zero = (__mmask16)~zero;
    __m512i minus_k_i32x16;
    __m512i digits_u32x16 = shorten(bits_u32x16, of_ten_u32x16, any, &minus_k_i32x16);

    /* To nine digits: count those there are, from six on, and append zeros. */
    __mmask16 seven = _mm512_cmpgt_epi32_mask(digits_u32x16, SIXTEEN(999999));
    __mmask16 eight = _mm512_cmpgt_epi32_mask(digits_u32x16, SIXTEEN(9999999));
    __mmask16 nine = _mm512_cmpgt_epi32_mask(digits_u32x16, SIXTEEN(99999999));
    __m512i factors_u32x16 = _mm512_mask_mov_epi32(SIXTEEN(1000), seven, SIXTEEN(100));
    factors_u32x16 = _mm512_mask_mov_epi32(_mm512_mask_mov_epi32(factors_u32x16, eight, SIXTEEN(10)), nine, SIXTEEN(1));
    __m512i nine_u32x16 = _mm512_maskz_mullo_epi32(not_zero, digits_u32x16, factors_u32x16);
    __m512i point_i32x16 = _mm512_maskz_sub_epi32(not_zero, SIXTEEN(5), minus_k_i32x16);
    point_i32x16 = _mm512_mask_add_epi32(point_i32x16, seven & not_zero, point_i32x16, SIXTEEN(1));
    point_i32x16 = _mm512_mask_add_epi32(point_i32x16, eight & not_zero, point_i32x16, SIXTEEN(1));
    point_i32x16 = _mm512_mask_add_epi32(point_i32x16, nine & not_zero, point_i32x16, SIXTEEN(1));

    __m512i five_u32x16 = upper(multiply(nine_u32x16, SIXTEEN((int32_t)0xd1b71759)), 13); /* / 10^4 */
    __m512i last_u32x16 = _mm512_sub_epi32(nine_u32x16, _mm512_mullo_epi32(five_u32x16, SIXTEEN(10000)));
    __m512i first_u32x16 = _mm512_mulhi_epu16(_mm512_srli_epi32(five_u32x16, 4), SIXTEEN(6711)); /* / 10^4 * 2^6 */
    first_u32x16 = _mm512_srli_epi32(first_u32x16, 6);
    __m512i middle_u32x16 = _mm512_sub_epi32(five_u32x16, _mm512_madd_epi16(first_u32x16, SIXTEEN(10000)));
    __m512i low_u8x64 = split_fours(_mm512_unpacklo_epi32(middle_u32x16, last_u32x16)); /* 0, 1 and 4, 5 ... */
    __m512i high_u8x64 = split_fours(_mm512_unpackhi_epi32(middle_u32x16, last_u32x16));
    __m512i zeros_u32x16 = pick_even(_mm512_lzcnt_epi64(low_u8x64), _mm512_lzcnt_epi64(high_u8x64));
    __m512i significant_u32x16 = _mm512_sub_epi32(SIXTEEN(9), _mm512_srli_epi32(zeros_u32x16, 3));

    /* From X = 0 on there is at least one digit behind the point: max(significant, X + 2) + 1; below, 1 - X +
     * significant. */
    __m512i at_least_i32x16 = _mm512_max_epi32(significant_u32x16, _mm512_add_epi32(point_i32x16, SIXTEEN(2)));
    __m512i length_u32x16 = _mm512_sub_epi32(at_least_i32x16, _mm512_min_epi32(point_i32x16, _mm512_setzero_si512()));
    length_u32x16 = _mm512_add_epi32(length_u32x16, SIXTEEN(1 + 1));
    length_u32x16 = _mm512_mask_add_epi32(length_u32x16, negative, length_u32x16, SIXTEEN(1));
    __m512i form_u32x16 = _mm512_slli_epi32(_mm512_sub_epi32(point_i32x16, SIXTEEN(EC_LOWEST_FORM)), 4);
    form_u32x16 = _mm512_mask_add_epi32(form_u32x16, negative, form_u32x16, SIXTEEN(EC_FORMS * EC_FORMS));
    __m512i head_u8x64 = _mm512_or_si512(first_u32x16, SIXTEEN('0' | '0' << 8 | '.' << 16 | '-' << 24));
    __m512i tail_u8x64 = head_u8x64; /* which nothing takes */
    if (any) tail_u8x64 = add_exponents(point_i32x16, significant_u32x16, negative, &form_u32x16, &length_u32x16);
    _mm512_store_si512(out->length, length_u32x16);
    _mm512_store_si512(out->form, form_u32x16);

    const __m512i zero_u8x64 = _mm512_set1_epi8('0');
    __m512i low_head_u8x64 = _mm512_unpacklo_epi32(head_u8x64, tail_u8x64);
    __m512i high_head_u8x64 = _mm512_unpackhi_epi32(head_u8x64, tail_u8x64);
    low_u8x64 = _mm512_or_si512(low_u8x64, zero_u8x64);
    high_u8x64 = _mm512_or_si512(high_u8x64, zero_u8x64);
    _mm512_store_si512(out->source[0], _mm512_unpacklo_epi64(low_u8x64, low_head_u8x64));
    _mm512_store_si512(out->source[1], _mm512_unpackhi_epi64(low_u8x64, low_head_u8x64));
    _mm512_store_si512(out->source[2], _mm512_unpacklo_epi64(high_u8x64, high_head_u8x64));
    _mm512_store_si512(out->source[3], _mm512_unpackhi_epi64(high_u8x64, high_head_u8x64));
}

/* Writes a block of numbers of any finite size. */
static uint8_t *write_any(uint8_t *p, const float *values, __m512i bits_u32x16, int64_t count) {
    __m512i size_u32x16 = _mm512_and_si512(bits_u32x16, SIXTEEN(0x7fffffff));
    __mmask16 zero = _mm512_testn_epi32_mask(size_u32x16, size_u32x16);
    __mmask16 other = _mm512_cmplt_epi32_mask(size_u32x16, SIXTEEN(EC_BITS_OF_NORMAL));
    texts block;
    make_texts(_mm512_mask_mov_epi32(size_u32x16, other, SIXTEEN(EC_BITS_OF_ONE)), zero,
               _mm512_movepi32_mask(bits_u32x16), _mm512_setzero_si512(), 1, &block);
    return ec_texts_write(p, block.source[0][0], 4, block.form, block.length, values, count, other & ~(uint32_t)zero);
}

int64_t ec_floats_format_avx512(const float *values, int64_t n, uint8_t *text) {
    const __m512i of_ten_u32x16 = load_powers();
    uint8_t *p = text;
    *p++ = '[';
    for (int64_t at = 0; at < n; at += 16) {
        const int64_t count = n - at < 16 ? n - at : 16;
        __m512i bits_u32x16 = _mm512_maskz_loadu_epi32((__mmask16)_bzhi_u32(0xffff, (uint32_t)count), values + at);
        __m512i size_u32x16 = _mm512_and_si512(bits_u32x16, SIXTEEN(0x7fffffff));
        __mmask16 zero = _mm512_testn_epi32_mask(size_u32x16, size_u32x16);
        __mmask16 other = (__mmask16)(_mm512_cmplt_epi32_mask(size_u32x16, SIXTEEN(EC_BITS_OF_LEAST)) |
                                      _mm512_cmpgt_epi32_mask(size_u32x16, SIXTEEN(EC_BITS_OF_MOST)));
        __mmask16 refused = _mm512_cmpgt_epi32_mask(size_u32x16, SIXTEEN(0x7f7fffff));
        if (EC_UNLIKELY(refused != 0)) return -1 - (at + ec_trailing_zeros_u64(refused));
        uint32_t alone = other & ~(uint32_t)zero;
        if (EC_UNLIKELY(_mm_popcnt_u32(alone) > EC_ALONE)) {
            p = write_any(p, values + at, bits_u32x16, count);
            continue;
        }
        texts block;
        make_texts(_mm512_mask_mov_epi32(size_u32x16, other, SIXTEEN(EC_BITS_OF_ONE)), zero,
                   _mm512_movepi32_mask(bits_u32x16), of_ten_u32x16, 0, &block);
        if (EC_LIKELY(alone == 0 && count == 16))
            p = ec_texts_write(p, block.source[0][0], 4, block.form, block.length, values + at, 16, 0);
        else
            p = ec_texts_write(p, block.source[0][0], 4, block.form, block.length, values + at, count, alone);
    }
    p -= n > 0;
    *p++ = ']';
    return p - text;
}

EC_TARGET_END

#endif
