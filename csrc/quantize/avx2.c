/* float32 to 8-bit codes and back with AVX2, 32 at a time, by the method of avx512.c; the scalar kernels finish the
 * tails. */
#include "quantize.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

EC_INLINE __m256 load_8(const char *values, int64_t i) {
    return _mm256_loadu_ps((const float *)(const void *)(values + 4 * i));
}

EC_INLINE void store_8(void *values, int64_t i, __m256 x) {
    _mm256_storeu_ps((float *)(void *)((char *)values + 4 * i), x);
}

/* Narrows 4 x 8 int32 with saturation to int8 or uint8, in order. Keeps the least int16 on the way: see
 * none_saturated(). */
EC_INLINE __m256i narrow_32(const __m256i codes_i32x8[4], int is_signed, __m256i *least_i16x16) {
    const __m256i fours = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i low = _mm256_packs_epi32(codes_i32x8[0], codes_i32x8[1]);
    __m256i high = _mm256_packs_epi32(codes_i32x8[2], codes_i32x8[3]);
    *least_i16x16 = _mm256_min_epi16(*least_i16x16, _mm256_min_epi16(low, high));
    __m256i codes = is_signed ? _mm256_packs_epi16(low, high) : _mm256_packus_epi16(low, high);
    return _mm256_permutevar8x32_epi32(codes, fours);
}

EC_INLINE int none_saturated(__m256i least_i16x16) {
    return _mm256_movemask_epi8(_mm256_cmpeq_epi16(least_i16x16, _mm256_set1_epi16(INT16_MIN))) == 0;
}

typedef struct {
    __m256 factor, addend, high;
    __m256i low, flip;
} affine;

EC_INLINE affine affine_of(float factor, float addend, float low, float high, uint8_t flip) {
    affine map = {_mm256_set1_ps(factor), _mm256_set1_ps(addend), _mm256_set1_ps(high),
                  _mm256_set1_epi8((char)(int)low), _mm256_set1_epi8((char)flip)};
    return map;
}

/* What is known of the values coded: in haste, the least int16; with care, whether all were finite (`poison`). */
typedef struct {
    __m256i least_i16x16;
    __m256 poison[4];
} verdict;

EC_INLINE verdict no_verdict(void) {
    __m256 zero = _mm256_setzero_ps();
    verdict none = {_mm256_setzero_si256(), {zero, zero, zero, zero}};
    return none;
}

/* x * 0 is NaN for every x that is not finite, and `poison` keeps it. */
EC_INLINE int is_finite(const verdict *v) {
    __m256 all = _mm256_add_ps(_mm256_add_ps(v->poison[0], v->poison[1]), _mm256_add_ps(v->poison[2], v->poison[3]));
    return _mm256_movemask_ps(_mm256_cmp_ps(all, all, _CMP_UNORD_Q)) == 0;
}

EC_INLINE void affine_32(const char *values, const affine *map, int is_signed, int careful, verdict *v,
                         uint8_t *codes) {
    __m256i codes_i32x8[4];
    for (int j = 0; j < 4; j++) {
        __m256 x = load_8(values, 8 * j), code = _mm256_mul_ps(x, map->factor);
        if (!is_signed) code = _mm256_add_ps(code, map->addend);
        if (careful) {
            code = _mm256_min_ps(code, map->high);
            v->poison[j] = _mm256_fmadd_ps(x, _mm256_setzero_ps(), v->poison[j]);
        }
        codes_i32x8[j] = _mm256_cvtps_epi32(code);
    }
    __m256i codes_u8x32 = narrow_32(codes_i32x8, is_signed, &v->least_i16x16);
    if (is_signed) codes_u8x32 = _mm256_max_epi8(codes_u8x32, map->low);
    _mm256_storeu_si256((__m256i *)(void *)codes, _mm256_xor_si256(codes_u8x32, map->flip));
}

enum { BLOCK = 4096 }; /* values coded in haste, and again with care where haste was not enough */

EC_INLINE int affine_block(const char *values, int64_t count, const affine *map, int is_signed, int careful,
                           uint8_t *codes) {
    verdict v = no_verdict();
    for (int64_t i = 0; i + 32 <= count; i += 32) {
        ec_ask_ahead(values + 4 * i, 128);
        affine_32(values + 4 * i, map, is_signed, careful, &v, codes + i);
    }
    return careful ? is_finite(&v) : none_saturated(v.least_i16x16);
}

EC_INLINE int quantize_affine(const char *values, int64_t count, const affine *map, int is_signed, uint8_t *codes) {
    int finite = 1, careful = 0;
    for (int64_t n = 0; n < count; n += BLOCK) {
        int64_t some = count - n < BLOCK ? count - n : BLOCK;
        if (!careful) careful = !affine_block(values + 4 * n, some, map, is_signed, 0, codes + n);
        if (careful) finite &= affine_block(values + 4 * n, some, map, is_signed, 1, codes + n);
    }
    return finite;
}

/* A signed map has no addend and the clamp -127 .. 127; an unsigned one has the clamp 0 .. 255. */
static int quantize_affine_f32_avx2(const void *values, int64_t count, float factor, float addend, float low,
                                    float high, uint8_t flip, uint8_t *codes) {
    const affine map = affine_of(factor, addend, low, high, flip);
    const char *from = values;
    int64_t i = count / 32 * 32;
    int finite = low < 0.0f ? quantize_affine(from, i, &map, 1, codes) : quantize_affine(from, i, &map, 0, codes);
    return ec_quantize_affine_f32_scalar(from + 4 * i, count - i, factor, addend, low, high, flip, codes + i) && finite;
}

/* As in avx512.c: the rounded quotient itself wherever the floor depends on it. */
EC_INLINE __m256 quotient_8(__m256 a, __m256 step, __m256 reciprocal) {
    __m256 quotient = _mm256_mul_ps(a, reciprocal);
    return _mm256_fmadd_ps(_mm256_fnmadd_ps(quotient, step, a), reciprocal, quotient);
}

EC_INLINE int ranges_row(const char *values, int64_t count, const ec_steps *steps, int careful, uint8_t flip,
                         uint8_t *codes) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)flip);
    verdict v = no_verdict();
    for (int64_t i = 0; i + 32 <= count; i += 32) {
        __m256i codes_i32x8[4];
        ec_ask_ahead(values + 4 * i, 128);
        for (int j = 0; j < 4; j++) {
            int64_t at = i + 8 * j;
            __m256 x = load_8(values, at), a = _mm256_sub_ps(x, load_8(steps->low, at)), code;
            if (careful) {
                code = _mm256_min_ps(_mm256_div_ps(a, load_8(steps->step, at)), _mm256_set1_ps(255.0f));
                v.poison[j] = _mm256_fmadd_ps(x, _mm256_setzero_ps(), v.poison[j]);
            } else {
                code = quotient_8(a, load_8(steps->step, at), load_8(steps->reciprocal, at));
            }
            codes_i32x8[j] = _mm256_cvttps_epi32(code);
        }
        __m256i codes_u8x32 = _mm256_xor_si256(narrow_32(codes_i32x8, 0, &v.least_i16x16), flip_u8x32);
        _mm256_storeu_si256((__m256i *)(void *)(codes + i), codes_u8x32);
    }
    return careful ? is_finite(&v) : none_saturated(v.least_i16x16);
}

static int quantize_ranges_f32_avx2(const void *values, int64_t stride, int64_t rows, int64_t count,
                                    const ec_steps *steps, uint8_t flip, uint8_t *codes) {
    int64_t vectors = count / 32 * 32;
    int finite = 1;
    for (int64_t row = 0; row < rows; row++) {
        const char *from = (const char *)values + 4 * row * stride;
        uint8_t *to = codes + row * stride;
        if (!steps->reciprocal || !ranges_row(from, vectors, steps, 0, flip, to))
            finite &= ranges_row(from, vectors, steps, 1, flip, to);
        finite &= ec_quantize_ranges_row_f32_scalar(from, vectors, count, steps, flip, to);
    }
    return finite;
}

typedef struct {
    __m256i bits[4];
} magnitudes;

EC_INLINE void magnitudes_32(const char *values, magnitudes *largest) {
    for (int j = 0; j < 4; j++) {
        __m256i x = _mm256_and_si256(_mm256_castps_si256(load_8(values, 8 * j)), _mm256_set1_epi32(0x7fffffff));
        largest->bits[j] = _mm256_max_epu32(largest->bits[j], x);
    }
}

EC_INLINE uint32_t largest_of(const magnitudes *m) {
    __m256i eight =
        _mm256_max_epu32(_mm256_max_epu32(m->bits[0], m->bits[1]), _mm256_max_epu32(m->bits[2], m->bits[3]));
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(four);
}

EC_INLINE magnitudes no_magnitudes(void) {
    __m256i zero = _mm256_setzero_si256();
    magnitudes none = {{zero, zero, zero, zero}};
    return none;
}

EC_INLINE uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

static uint32_t max_abs_bits_f32_avx2(const void *values, int64_t count) {
    const char *from = values;
    magnitudes largest = no_magnitudes();
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        ec_ask_ahead(from + 4 * i, 128);
        magnitudes_32(from + 4 * i, &largest);
    }
    return larger(largest_of(&largest), ec_max_abs_bits_f32_scalar(from + 4 * i, count - i));
}

/* Codes a row, which is in the first-level cache, while it measures the next one, wherever that lies. */
static uint32_t quantize_scaled_f32_avx2(const void *values, int64_t count, float factor, uint8_t flip, uint8_t *codes,
                                         const void *next) {
    const affine map = affine_of(factor, 0.0f, -127.0f, 127.0f, flip);
    const char *from = values, *ahead = next;
    magnitudes largest = no_magnitudes();
    verdict ignored = no_verdict();
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        ec_ask_ahead(ahead + 4 * i, 128);
        magnitudes_32(ahead + 4 * i, &largest);
        affine_32(from + 4 * i, &map, 1, 0, &ignored, codes + i);
    }
    ec_quantize_affine_f32_scalar(from + 4 * i, count - i, factor, 0.0f, -127.0f, 127.0f, flip, codes + i);
    return larger(largest_of(&largest), ec_max_abs_bits_f32_scalar(ahead + 4 * i, count - i));
}

EC_INLINE __m128i load_codes(const uint8_t *codes, uint8_t flip) {
    return _mm_xor_si128(_mm_loadl_epi64((const __m128i *)(const void *)codes), _mm_set1_epi8((char)flip));
}

static void dequantize_scaled_f32_avx2(const uint8_t *codes, int64_t count, uint8_t flip, float scale, void *values) {
    const __m256 scale_f32x8 = _mm256_set1_ps(scale);
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256 code = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load_codes(codes + i, flip)));
        store_8(values, i, _mm256_mul_ps(code, scale_f32x8));
    }
    ec_dequantize_scaled_f32_scalar(codes + i, count - i, flip, scale, (char *)values + 4 * i);
}

static void dequantize_unit_f32_avx2(const uint8_t *codes, int64_t count, int32_t is_signed, void *values) {
    const __m256 divisor = _mm256_set1_ps(is_signed ? 127.0f : 127.5f);
    const __m256 reciprocal = _mm256_set1_ps(is_signed ? 1.0f / 127.0f : 1.0f / 127.5f);
    const __m256 less = _mm256_set1_ps(is_signed ? 0.0f : 1.0f);
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m128i loaded = load_codes(codes + i, 0);
        __m256 code = _mm256_cvtepi32_ps(is_signed ? _mm256_cvtepi8_epi32(loaded) : _mm256_cvtepu8_epi32(loaded));
        /* The remainder, exact in one fma, corrects the quotient to the rounded one: see avx512.c. */
        __m256 quotient = _mm256_mul_ps(code, reciprocal);
        quotient = _mm256_fmadd_ps(_mm256_fnmadd_ps(quotient, divisor, code), reciprocal, quotient);
        store_8(values, i, _mm256_sub_ps(quotient, less));
    }
    ec_dequantize_unit_f32_scalar(codes + i, count - i, is_signed, (char *)values + 4 * i);
}

static void dequantize_ranges_f32_avx2(const uint8_t *codes, int64_t count, uint8_t flip, const void *first,
                                       const void *step, void *values) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256 code = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load_codes(codes + i, flip)));
        store_8(values, i, _mm256_add_ps(_mm256_mul_ps(code, load_8(step, i)), load_8(first, i)));
    }
    ec_dequantize_ranges_f32_scalar(codes + i, count - i, flip, (const char *)first + 4 * i, (const char *)step + 4 * i,
                                    (char *)values + 4 * i);
}

EC_SLOTS(quantize, avx2) {
    table->quantize_affine_f32 = quantize_affine_f32_avx2;
    table->quantize_scaled_f32 = quantize_scaled_f32_avx2;
    table->quantize_ranges_f32 = quantize_ranges_f32_avx2;
    table->max_abs_bits_f32 = max_abs_bits_f32_avx2;
    table->dequantize_scaled_f32 = dequantize_scaled_f32_avx2;
    table->dequantize_unit_f32 = dequantize_unit_f32_avx2;
    table->dequantize_ranges_f32 = dequantize_ranges_f32_avx2;
}

EC_TARGET_END
#endif
