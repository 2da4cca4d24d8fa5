/* float32 <-> 8-bit codes, 32 at a time, as in avx512.c; what is left over goes to the scalar kernels. */
#include "quantize.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

EC_INLINE __m256 load_8(const char *values, int64_t i) {
    return _mm256_loadu_ps((const float *)(const void *)(values + 4 * i));
}

EC_INLINE void store_8(void *values, int64_t i, __m256 x) {
    _mm256_storeu_ps((float *)(void *)((char *)values + 4 * i), x);
}

/* 8 int32 of each of four, saturated to int8 or uint8, in order. */
EC_INLINE __m256i narrow_32(const __m256i codes_i32x8[4], int is_signed) {
    const __m256i fours = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i low = _mm256_packs_epi32(codes_i32x8[0], codes_i32x8[1]);
    __m256i high = _mm256_packs_epi32(codes_i32x8[2], codes_i32x8[3]);
    __m256i codes = is_signed ? _mm256_packs_epi16(low, high) : _mm256_packus_epi16(low, high);
    return _mm256_permutevar8x32_epi32(codes, fours);
}

EC_INLINE int all_finite(__m256 a, __m256 b) {
    __m256 all = _mm256_add_ps(a, b);
    return _mm256_movemask_ps(_mm256_cmp_ps(all, all, _CMP_UNORD_Q)) == 0;
}

EC_INLINE int quantize_affine(const char *values, int64_t count, float factor, float addend, float low, float high,
                              uint8_t flip, int is_signed, uint8_t *codes) {
    const __m256 factor_f32x8 = _mm256_set1_ps(factor), addend_f32x8 = _mm256_set1_ps(addend);
    const __m256 high_f32x8 = _mm256_set1_ps(high);
    const __m256i low_i8x32 = _mm256_set1_epi8((char)(int)low), flip_u8x32 = _mm256_set1_epi8((char)flip);
    __m256 poison[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}; /* x * 0: NaN where x is not finite */
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        __m256i codes_i32x8[4];
        for (int j = 0; j < 4; j++) {
            __m256 x = load_8(values, i + 8 * j);
            poison[j % 2] = _mm256_fmadd_ps(x, _mm256_setzero_ps(), poison[j % 2]);
            __m256 code = _mm256_mul_ps(x, factor_f32x8);
            if (!is_signed) code = _mm256_add_ps(code, addend_f32x8);
            codes_i32x8[j] = _mm256_cvtps_epi32(_mm256_min_ps(code, high_f32x8));
        }
        __m256i codes_u8x32 = narrow_32(codes_i32x8, is_signed);
        if (is_signed) codes_u8x32 = _mm256_max_epi8(codes_u8x32, low_i8x32);
        _mm256_storeu_si256((__m256i *)(void *)(codes + i), _mm256_xor_si256(codes_u8x32, flip_u8x32));
    }
    int finite = all_finite(poison[0], poison[1]);
    return ec_quantize_affine_f32_scalar(values + 4 * i, count - i, factor, addend, low, high, flip, codes + i) &&
           finite;
}

/* A signed map has no addend and the clamp -high .. high; an unsigned one 0 .. 255. */
static int quantize_affine_f32_avx2(const void *values, int64_t count, float factor, float addend, float low,
                                    float high, uint8_t flip, uint8_t *codes) {
    return low < 0.0f ? quantize_affine(values, count, factor, addend, low, high, flip, 1, codes)
                      : quantize_affine(values, count, factor, addend, low, high, flip, 0, codes);
}

static int quantize_ranges_f32_avx2(const void *values, int64_t count, const void *low, const void *step,
                                    uint8_t flip, uint8_t *codes) {
    const char *from = values, *minima = low, *steps = step;
    const __m256 high_f32x8 = _mm256_set1_ps(255.0f);
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)flip);
    __m256 poison[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        __m256i codes_i32x8[4];
        for (int j = 0; j < 4; j++) {
            __m256 x = load_8(from, i + 8 * j);
            poison[j % 2] = _mm256_fmadd_ps(x, _mm256_setzero_ps(), poison[j % 2]);
            __m256 code = _mm256_div_ps(_mm256_sub_ps(x, load_8(minima, i + 8 * j)), load_8(steps, i + 8 * j));
            codes_i32x8[j] = _mm256_cvttps_epi32(_mm256_min_ps(code, high_f32x8));
        }
        __m256i codes_u8x32 = _mm256_xor_si256(narrow_32(codes_i32x8, 0), flip_u8x32);
        _mm256_storeu_si256((__m256i *)(void *)(codes + i), codes_u8x32);
    }
    int finite = all_finite(poison[0], poison[1]);
    return ec_quantize_ranges_f32_scalar(from + 4 * i, count - i, minima + 4 * i, steps + 4 * i, flip, codes + i) &&
           finite;
}

static uint32_t max_abs_bits_f32_avx2(const void *values, int64_t count) {
    const char *from = values;
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i largest[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (int j = 0; j < 2; j++) {
            __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(from + 4 * i + 32 * j));
            largest[j] = _mm256_max_epu32(largest[j], _mm256_and_si256(x, magnitude));
        }
    __m256i both = _mm256_max_epu32(largest[0], largest[1]);
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1));
    uint32_t vector = (uint32_t)_mm_cvtsi128_si32(four), rest = ec_max_abs_bits_f32_scalar(from + 4 * i, count - i);
    return vector > rest ? vector : rest;
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
        /* The remainder, exact in one fma, corrects the quotient to the rounded one. */
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
    ec_dequantize_ranges_f32_scalar(codes + i, count - i, flip, (const char *)first + 4 * i,
                                    (const char *)step + 4 * i, (char *)values + 4 * i);
}

void ec_quantize_install_avx2(ec_kernels *table) {
    table->quantize_affine_f32 = quantize_affine_f32_avx2;
    table->quantize_ranges_f32 = quantize_ranges_f32_avx2;
    table->max_abs_bits_f32 = max_abs_bits_f32_avx2;
    table->dequantize_scaled_f32 = dequantize_scaled_f32_avx2;
    table->dequantize_unit_f32 = dequantize_unit_f32_avx2;
    table->dequantize_ranges_f32 = dequantize_ranges_f32_avx2;
}

EC_TARGET_END
#else
typedef int ec_quantize_avx2_is_not_built;
#endif
