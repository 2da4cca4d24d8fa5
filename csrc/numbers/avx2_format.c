/* Writes floats as JSON with AVX2: the digits and the length of eight texts at a time, by the method of format_scalar.c
 * in lanes of 32 bits; then each is shuffled together: see format.h. */
#include "avx2.h"
#include "format.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

#define EIGHT(x) _mm256_set1_epi32(x)

/* Eight numbers, ready to be written. */
typedef struct {
    _Alignas(32) uint8_t source[4][2][EC_FORMS]; /* of numbers 0 and 4, 1 and 5, 2 and 6, 3 and 7 */
    _Alignas(32) uint32_t form[8];               /* the place of its shuffle, in bytes */
    _Alignas(32) uint32_t length[8];             /* of the text, with its sign and a comma */
} texts;

/* The upper halves of 10^0 to 10^15, as ec_powers_of_ten has them: up to 10^13 the lower halves are 0. */
typedef struct {
    __m256i low_u32x8, high_u32x8;
} powers;

EC_INLINE __m256i upper_halves(const uint64_t *of) {
    __m256 low_f32x8 = _mm256_loadu_ps((const float *)(const void *)of);
    __m256 high_f32x8 = _mm256_loadu_ps((const float *)(const void *)(of + 4));
    return _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(low_f32x8, high_f32x8, 0xdd)), 0xd8);
}

EC_INLINE powers load_powers(void) {
    const uint64_t *of = ec_powers_of_ten - EC_POWER_LOWEST;
    powers found = {upper_halves(of), upper_halves(of + 8)};
    return found;
}

EC_INLINE __m256i blend(__m256i without, __m256i with, __m256i mask) { return _mm256_blendv_epi8(without, with, mask); }

/* A power of ten: its upper half, and the lower one, which is 0 but for numbers of any size. */
typedef struct {
    __m256i upper_u32x8, lower_u32x8;
} power;

EC_INLINE power look_up_power(const powers *of, __m256i index_i32x8, int any) {
    power found;
    if (any) {
        const uint64_t *all = ec_powers_of_ten - EC_POWER_LOWEST;
        const __m256i least_u32x8 = EIGHT(EC_POWER_EXACT + 1); /* negative ones are more */
        const __m256i cut_off = _mm256_cmpeq_epi32(_mm256_max_epu32(index_i32x8, least_u32x8), index_i32x8);
        found.upper_u32x8 = _mm256_i32gather_epi32((const int *)(const void *)all + 1, index_i32x8, 8);
        found.lower_u32x8 = _mm256_i32gather_epi32((const int *)(const void *)all, index_i32x8, 8);
        found.lower_u32x8 = _mm256_sub_epi32(found.lower_u32x8, cut_off);
        return found;
    }
    __m256i low_u32x8 = _mm256_permutevar8x32_epi32(of->low_u32x8, index_i32x8);
    __m256i high_u32x8 = _mm256_permutevar8x32_epi32(of->high_u32x8, index_i32x8);
    found.upper_u32x8 = blend(low_u32x8, high_u32x8, _mm256_cmpgt_epi32(index_i32x8, EIGHT(7)));
    found.lower_u32x8 = _mm256_setzero_si256();
    return found;
}

/* The products of lanes at even places, and of those at odd ones. */
typedef struct {
    __m256i even_u64x4, odd_u64x4;
} products;

EC_INLINE products multiply(__m256i a_u32x8, __m256i b_u32x8) {
    products found = {_mm256_mul_epu32(a_u32x8, b_u32x8),
                      _mm256_mul_epu32(_mm256_srli_epi64(a_u32x8, 32), _mm256_srli_epi64(b_u32x8, 32))};
    return found;
}

/* The products moved right by 32 and more bits. */
EC_INLINE __m256i upper(products of, int more) {
    return _mm256_blend_epi32(_mm256_srli_epi64(of.even_u64x4, 32 + more), _mm256_srli_epi64(of.odd_u64x4, more), 0xaa);
}

/* floor(power * factor / 2^64), made odd where bits were lost: product_odd() of format_scalar.c. */
EC_INLINE __m256i product_odd(power by, __m256i factor_u32x8, int any) {
    products of = multiply(by.upper_u32x8, factor_u32x8);
    if (any) {
        products rest = multiply(by.lower_u32x8, factor_u32x8);
        of.even_u64x4 = _mm256_add_epi64(of.even_u64x4, _mm256_srli_epi64(rest.even_u64x4, 32));
        of.odd_u64x4 = _mm256_add_epi64(of.odd_u64x4, _mm256_srli_epi64(rest.odd_u64x4, 32));
    }
    __m256i rest_u32x8 = _mm256_blend_epi32(of.even_u64x4, _mm256_slli_epi64(of.odd_u64x4, 32), 0xaa);
    __m256i lost_u32x8 = _mm256_min_epu32(_mm256_srli_epi32(rest_u32x8, 1), EIGHT(1));
    return _mm256_or_si256(upper(of, 0), lost_u32x8);
}

/* Numbers below 10^4 in 32 bits each to four digits, the first in the lowest byte. */
EC_INLINE __m256i split_fours(__m256i fours_u32x8) {
    __m256i tops_u16x16 = _mm256_srli_epi16(_mm256_mulhi_epu16(fours_u32x8, _mm256_set1_epi16(10486)), 4); /* / 100 */
    __m256i rests_u16x16 = _mm256_sub_epi16(fours_u32x8, _mm256_madd_epi16(tops_u16x16, EIGHT(100)));
    __m256i twos_u16x16 = _mm256_or_si256(tops_u16x16, _mm256_slli_epi32(rests_u16x16, 16));
    __m256i tens_u16x16 = _mm256_mulhi_epu16(twos_u16x16, _mm256_set1_epi16(6554)); /* / 10 */
    __m256i ones_u16x16 = _mm256_sub_epi16(twos_u16x16, _mm256_maddubs_epi16(tens_u16x16, _mm256_set1_epi16(10)));
    return _mm256_or_si256(tens_u16x16, _mm256_slli_epi16(ones_u16x16, 8));
}

/* Bit i of a 64-bit lane: whether its byte i is not 0. */
EC_INLINE __m256i present_of(__m256i digits_u8x32) {
    const __m256i bit_of = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    __m256i present = _mm256_cmpgt_epi8(digits_u8x32, _mm256_setzero_si256());
    return _mm256_sad_epu8(_mm256_and_si256(present, bit_of), _mm256_setzero_si256());
}

EC_INLINE __m256i pick_even(__m256i low_u32x8, __m256i high_u32x8) {
    return _mm256_castps_si256(
        _mm256_shuffle_ps(_mm256_castsi256_ps(low_u32x8), _mm256_castsi256_ps(high_u32x8), 0x88));
}

/* The shortest decimals of positive floats, in the range of the quick way or of `any` normal size: their digits, six to
 * nine of them, and the exponent of the last one in *minus_k, with the other sign. The comments are at the scalar twin,
 * shorten(). */
EC_INLINE __m256i shorten(__m256i bits_u32x8, const powers *of_ten, int any, __m256i *minus_k) {
    __m256i fraction_u32x8 = _mm256_and_si256(bits_u32x8, EIGHT(0x7fffff));
    __m256i exponent_i32x8 = _mm256_sub_epi32(_mm256_srli_epi32(bits_u32x8, 23), EIGHT(150));
    __m256i mantissa_u32x8 = _mm256_or_si256(fraction_u32x8, EIGHT(0x800000));
    __m256i narrow = _mm256_cmpeq_epi32(fraction_u32x8, _mm256_setzero_si256());

    __m256i log_i32x8 = _mm256_mullo_epi32(exponent_i32x8, EIGHT(1262611));
    __m256i k_i32x8 = _mm256_srai_epi32(_mm256_sub_epi32(log_i32x8, _mm256_and_si256(narrow, EIGHT(524031))), 22);
    __m256i minus_k_i32x8 = _mm256_sub_epi32(_mm256_setzero_si256(), k_i32x8);
    __m256i power_exponent_i32x8 = _mm256_srai_epi32(_mm256_mullo_epi32(minus_k_i32x8, EIGHT(217706)), 16);
    __m256i shift_i32x8 = _mm256_add_epi32(_mm256_add_epi32(exponent_i32x8, EIGHT(1)), power_exponent_i32x8);
    const power by = look_up_power(of_ten, minus_k_i32x8, any);

    __m256i four_u32x8 = _mm256_sllv_epi32(_mm256_slli_epi32(mantissa_u32x8, 2), shift_i32x8);
    __m256i half_u32x8 = _mm256_sllv_epi32(EIGHT(2), shift_i32x8);
    __m256i under_u32x8 = _mm256_sllv_epi32(_mm256_add_epi32(EIGHT(2), narrow), shift_i32x8);
    __m256i odd_u32x8 = _mm256_and_si256(mantissa_u32x8, EIGHT(1));
    __m256i value_u32x8 = product_odd(by, four_u32x8, any);
    __m256i lowest_u32x8 = _mm256_add_epi32(product_odd(by, _mm256_sub_epi32(four_u32x8, under_u32x8), any), odd_u32x8);
    __m256i highest_u32x8 = _mm256_sub_epi32(product_odd(by, _mm256_add_epi32(four_u32x8, half_u32x8), any), odd_u32x8);

    __m256i s_u32x8 = _mm256_srli_epi32(value_u32x8, 2), four_s_u32x8 = _mm256_slli_epi32(s_u32x8, 2);
    __m256i tens_u32x8 = upper(multiply(s_u32x8, EIGHT((int32_t)0xcccccccd)), 3);
    __m256i forty_u32x8 = _mm256_mullo_epi32(tens_u32x8, EIGHT(40));
    /* Which of the neighbours are out of the interval. Where one is, the other is taken. */
    __m256i no_ten_below = _mm256_cmpgt_epi32(lowest_u32x8, forty_u32x8);
    __m256i no_ten_above = _mm256_cmpgt_epi32(_mm256_add_epi32(forty_u32x8, EIGHT(40)), highest_u32x8);
    __m256i no_one_below = _mm256_cmpgt_epi32(lowest_u32x8, four_s_u32x8);
    __m256i no_one_above = _mm256_cmpgt_epi32(_mm256_add_epi32(four_s_u32x8, EIGHT(4)), highest_u32x8);
    __m256i quarters_u32x8 = _mm256_and_si256(value_u32x8, EIGHT(3));
    __m256i tie_u32x8 = _mm256_add_epi32(quarters_u32x8, _mm256_and_si256(s_u32x8, EIGHT(1)));
    __m256i nearer_above = _mm256_cmpgt_epi32(tie_u32x8, EIGHT(2)); /* ties to even */
    __m256i one_above = blend(nearer_above, no_one_below, _mm256_xor_si256(no_one_below, no_one_above));
    __m256i of_tens = _mm256_xor_si256(no_ten_below, no_ten_above);
    *minus_k = _mm256_add_epi32(minus_k_i32x8, of_tens);
    return blend(_mm256_sub_epi32(s_u32x8, one_above), _mm256_sub_epi32(tens_u32x8, no_ten_below), of_tens);
}

/* Gives texts with exponents their form and length, and returns the bytes of their sources with the exponents. */
EC_INLINE __m256i add_exponents(__m256i point_i32x8, __m256i significant_u32x8, __m256i negative_u32x8, __m256i *form,
                                __m256i *length) {
    __m256i small = _mm256_cmpgt_epi32(EIGHT(EC_LOWEST_FORM), point_i32x8);
    __m256i with_exponent = _mm256_or_si256(small, _mm256_cmpgt_epi32(point_i32x8, EIGHT(EC_HIGHEST_FORM)));
    __m256i size_u32x8 = _mm256_abs_epi32(point_i32x8);
    __m256i two_digits = _mm256_cmpgt_epi32(size_u32x8, EIGHT(9));
    __m256i with_point = _mm256_cmpgt_epi32(significant_u32x8, EIGHT(1));

    __m256i more_u32x8 =
        _mm256_sub_epi32(negative_u32x8, _mm256_add_epi32(_mm256_add_epi32(two_digits, small), with_point));
    __m256i length_u32x8 = _mm256_add_epi32(_mm256_add_epi32(significant_u32x8, more_u32x8), EIGHT(3)); /* 1e9, */
    *length = blend(*length, length_u32x8, with_exponent);

    __m256i kind_u32x8 = _mm256_sub_epi32(_mm256_slli_epi32(negative_u32x8, 2),
                                          _mm256_add_epi32(_mm256_add_epi32(small, small), two_digits));
    __m256i form_u32x8 = _mm256_add_epi32(_mm256_mullo_epi16(kind_u32x8, EIGHT(EC_DIGITS)), significant_u32x8);
    form_u32x8 = _mm256_add_epi32(_mm256_slli_epi32(form_u32x8, 4), EIGHT(EC_FORMS_E - EC_FORMS));
    *form = blend(*form, form_u32x8, with_exponent);

    __m256i tens_u32x8 = _mm256_srli_epi32(_mm256_mullo_epi16(size_u32x8, EIGHT(103)), 10);
    __m256i ones_u32x8 = _mm256_sub_epi32(size_u32x8, _mm256_mullo_epi16(tens_u32x8, EIGHT(10)));
    __m256i digits_u8x32 = _mm256_or_si256(_mm256_slli_epi32(tens_u32x8, 8), _mm256_slli_epi32(ones_u32x8, 16));
    return _mm256_or_si256(digits_u8x32, EIGHT('e' | '0' << 8 | '0' << 16));
}

/* Makes texts of floats, in the range of the quick way or of `any` normal size; `zero` and `negative` (1 or 0) are of the
 * floats that these stand for. */
EC_INLINE void make_texts(__m256i bits_u32x8, __m256i zero, __m256i negative_u32x8, const powers *of_ten, int any,
                          texts *out) {
    __m256i minus_k_i32x8;
    __m256i digits_u32x8 = shorten(bits_u32x8, of_ten, any, &minus_k_i32x8);

    /* To nine digits: count those there are, from six on, downwards from 0; and append zeros. */
    __m256i seven = _mm256_cmpgt_epi32(digits_u32x8, EIGHT(999999));
    __m256i eight = _mm256_cmpgt_epi32(digits_u32x8, EIGHT(9999999));
    __m256i nine = _mm256_cmpgt_epi32(digits_u32x8, EIGHT(99999999));
    __m256i beyond_six_i32x8 = _mm256_add_epi32(_mm256_add_epi32(seven, eight), nine);
    const __m256i factors_u32x8 = _mm256_setr_epi32(1000, 0, 0, 0, 0, 1, 10, 100); /* for 0, and for -3 to -1 */
    __m256i nine_u32x8 = _mm256_mullo_epi32(digits_u32x8, _mm256_permutevar8x32_epi32(factors_u32x8, beyond_six_i32x8));
    nine_u32x8 = _mm256_andnot_si256(zero, nine_u32x8);
    __m256i point_i32x8 = _mm256_sub_epi32(EIGHT(5), _mm256_add_epi32(beyond_six_i32x8, minus_k_i32x8));
    point_i32x8 = _mm256_andnot_si256(zero, point_i32x8);

    __m256i five_u32x8 = upper(multiply(nine_u32x8, EIGHT((int32_t)0xd1b71759)), 13); /* / 10^4 */
    __m256i last_u32x8 = _mm256_sub_epi32(nine_u32x8, _mm256_mullo_epi32(five_u32x8, EIGHT(10000)));
    __m256i first_u32x8 = _mm256_mulhi_epu16(_mm256_srli_epi32(five_u32x8, 4), EIGHT(6711)); /* / 10^4 * 2^6 */
    first_u32x8 = _mm256_srli_epi32(first_u32x8, 6);
    __m256i middle_u32x8 = _mm256_sub_epi32(five_u32x8, _mm256_madd_epi16(first_u32x8, EIGHT(10000)));
    __m256i low_u8x32 = split_fours(_mm256_unpacklo_epi32(middle_u32x8, last_u32x8)); /* 0, 1 and 4, 5 */
    __m256i high_u8x32 = split_fours(_mm256_unpackhi_epi32(middle_u32x8, last_u32x8));

    /* The significant digits: from the highest bit set on, found as the exponent of a float. */
    __m256i present_u32x8 = pick_even(present_of(low_u8x32), present_of(high_u8x32));
    __m256i logarithm_u32x8 = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(present_u32x8)), 23);
    __m256i significant_u32x8 = _mm256_sub_epi32(_mm256_max_epi32(logarithm_u32x8, EIGHT(126)), EIGHT(125));

    /* From X = 0 on there is at least one digit behind the point: max(significant, X + 2) + 1; below, 1 - X +
     * significant. */
    __m256i at_least_i32x8 = _mm256_max_epi32(significant_u32x8, _mm256_add_epi32(point_i32x8, EIGHT(2)));
    __m256i length_u32x8 = _mm256_sub_epi32(at_least_i32x8, _mm256_min_epi32(point_i32x8, _mm256_setzero_si256()));
    length_u32x8 = _mm256_add_epi32(_mm256_add_epi32(length_u32x8, negative_u32x8), EIGHT(1 + 1));
    __m256i form_u32x8 = _mm256_slli_epi32(_mm256_sub_epi32(point_i32x8, EIGHT(EC_LOWEST_FORM)), 4);
    form_u32x8 = _mm256_add_epi32(form_u32x8, _mm256_slli_epi32(negative_u32x8, 8));
    __m256i head_u8x32 = _mm256_or_si256(first_u32x8, EIGHT('0' | '0' << 8 | '.' << 16 | '-' << 24));
    __m256i tail_u8x32 = head_u8x32; /* which nothing takes */
    if (any) tail_u8x32 = add_exponents(point_i32x8, significant_u32x8, negative_u32x8, &form_u32x8, &length_u32x8);
    _mm256_store_si256((__m256i *)out->length, length_u32x8);
    _mm256_store_si256((__m256i *)out->form, form_u32x8);

    const __m256i zero_u8x32 = _mm256_set1_epi8('0');
    __m256i low_head_u8x32 = _mm256_unpacklo_epi32(head_u8x32, tail_u8x32);
    __m256i high_head_u8x32 = _mm256_unpackhi_epi32(head_u8x32, tail_u8x32);
    low_u8x32 = _mm256_or_si256(low_u8x32, zero_u8x32);
    high_u8x32 = _mm256_or_si256(high_u8x32, zero_u8x32);
    _mm256_store_si256((__m256i *)out->source[0], _mm256_unpacklo_epi64(low_u8x32, low_head_u8x32));
    _mm256_store_si256((__m256i *)out->source[1], _mm256_unpackhi_epi64(low_u8x32, low_head_u8x32));
    _mm256_store_si256((__m256i *)out->source[2], _mm256_unpacklo_epi64(high_u8x32, high_head_u8x32));
    _mm256_store_si256((__m256i *)out->source[3], _mm256_unpackhi_epi64(high_u8x32, high_head_u8x32));
}

EC_INLINE uint32_t mask_of(__m256i lanes_u32x8) {
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(lanes_u32x8));
}

/* Lanes below n. */
EC_INLINE __m256i first_lanes(int64_t n) {
    return _mm256_cmpgt_epi32(EIGHT((int32_t)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Writes a block of numbers of any finite size. */
static uint8_t *write_any(uint8_t *p, const float *values, __m256i bits_u32x8, int64_t count) {
    const powers none = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i size_u32x8 = _mm256_and_si256(bits_u32x8, EIGHT(0x7fffffff));
    __m256i zero = _mm256_cmpeq_epi32(size_u32x8, _mm256_setzero_si256());
    __m256i other = _mm256_cmpgt_epi32(EIGHT(EC_BITS_OF_NORMAL), size_u32x8);
    texts block;
    make_texts(blend(size_u32x8, EIGHT(EC_BITS_OF_ONE), other), zero, _mm256_srli_epi32(bits_u32x8, 31), &none, 1,
               &block);
    return ec_texts_write(p, block.source[0][0], 2, block.form, block.length, values, count,
                          mask_of(_mm256_andnot_si256(zero, other)));
}

int64_t ec_floats_format_avx2(const float *values, int64_t n, uint8_t *text) {
    const powers of_ten = load_powers();
    uint8_t *p = text;
    *p++ = '[';
    for (int64_t at = 0; at < n; at += 8) {
        const int64_t count = n - at < 8 ? n - at : 8;
        __m256i bits_u32x8 = EC_LIKELY(count == 8)
                                 ? _mm256_loadu_si256((const __m256i *)(const void *)(values + at))
                                 : _mm256_maskload_epi32((const int *)(const void *)(values + at), first_lanes(count));
        __m256i size_u32x8 = _mm256_and_si256(bits_u32x8, EIGHT(0x7fffffff));
        __m256i zero = _mm256_cmpeq_epi32(size_u32x8, _mm256_setzero_si256());
        __m256i small = _mm256_cmpgt_epi32(EIGHT(EC_BITS_OF_LEAST), size_u32x8);
        __m256i other = _mm256_or_si256(small, _mm256_cmpgt_epi32(size_u32x8, EIGHT(EC_BITS_OF_MOST)));
        uint32_t alone = mask_of(_mm256_andnot_si256(zero, other));
        uint32_t refused = mask_of(_mm256_cmpgt_epi32(size_u32x8, EIGHT(0x7f7fffff)));
        if (EC_UNLIKELY(refused != 0)) return -1 - (at + ec_trailing_zeros_u64(refused));
        if (EC_UNLIKELY(_mm_popcnt_u32(alone) > EC_ALONE)) {
            p = write_any(p, values + at, bits_u32x8, count);
            continue;
        }
        texts block;
        make_texts(blend(size_u32x8, EIGHT(EC_BITS_OF_ONE), other), zero, _mm256_srli_epi32(bits_u32x8, 31), &of_ten, 0,
                   &block);
        if (EC_LIKELY(alone == 0 && count == 8))
            p = ec_texts_write(p, block.source[0][0], 2, block.form, block.length, values + at, 8, 0);
        else
            p = ec_texts_write(p, block.source[0][0], 2, block.form, block.length, values + at, count, alone);
    }
    p -= n > 0;
    *p++ = ']';
    return p - text;
}

EC_TARGET_END

#endif
