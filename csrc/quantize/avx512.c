/* float32 <-> 8-bit codes, 64 at a time.
 *
 *     4 x 16 values -> 4 x 16 int32 -> packs: 2 x 32 int16 -> packs: 64 int8, in fours by lanes -> vpermd: in order
 *
 * The packs saturate, so that only the upper clamp is made in float: it keeps a large value from wrapping in the
 * conversion, which turns whatever is too low into the lowest integer by itself. */
#include "quantize.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

EC_INLINE uint64_t first_bits(int64_t n) { return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1; }

EC_INLINE __m512 load_16(const void *values, uint64_t used, int i) {
    return _mm512_maskz_loadu_ps((__mmask16)(used >> 16 * i), (const char *)values + 64 * i);
}

/* 16 int32 of each of four, saturated to int8 or uint8, in order. */
EC_INLINE __m512i narrow_64(const __m512i codes_i32x16[4], int is_signed) {
    const __m512i fours = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i low = _mm512_packs_epi32(codes_i32x16[0], codes_i32x16[1]);
    __m512i high = _mm512_packs_epi32(codes_i32x16[2], codes_i32x16[3]);
    __m512i codes = is_signed ? _mm512_packs_epi16(low, high) : _mm512_packus_epi16(low, high);
    return _mm512_permutexvar_epi32(fours, codes);
}

/* x * 0 is NaN for every x that is not finite: `poison` collects it. */
EC_INLINE int all_finite(const __m512 poison[4]) {
    __m512 all = _mm512_add_ps(_mm512_add_ps(poison[0], poison[1]), _mm512_add_ps(poison[2], poison[3]));
    return _mm512_cmp_ps_mask(all, all, _CMP_UNORD_Q) == 0;
}

typedef struct {
    __m512 factor, addend, high;
    __m512i low, flip;
} affine;

EC_INLINE void affine_64(const void *values, uint64_t used, const affine *map, int is_signed, __m512 poison[4],
                         uint8_t *codes) {
    __m512i codes_i32x16[4];
    for (int i = 0; i < 4; i++) {
        __m512 x = load_16(values, used, i);
        poison[i] = _mm512_fmadd_ps(x, _mm512_setzero_ps(), poison[i]);
        __m512 code = _mm512_mul_ps(x, map->factor);
        if (!is_signed) code = _mm512_add_ps(code, map->addend);
        codes_i32x16[i] = _mm512_cvtps_epi32(_mm512_min_ps(code, map->high));
    }
    __m512i codes_u8x64 = narrow_64(codes_i32x16, is_signed);
    if (is_signed) codes_u8x64 = _mm512_max_epi8(codes_u8x64, map->low);
    _mm512_mask_storeu_epi8(codes, used, _mm512_xor_si512(codes_u8x64, map->flip));
}

EC_INLINE int quantize_affine(const void *values, int64_t count, const affine *map, int is_signed, uint8_t *codes) {
    const char *from = values;
    __m512 poison[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    int64_t i = 0;
    for (; i + 64 <= count; i += 64) affine_64(from + 4 * i, ~(uint64_t)0, map, is_signed, poison, codes + i);
    if (i < count) affine_64(from + 4 * i, first_bits(count - i), map, is_signed, poison, codes + i);
    return all_finite(poison);
}

/* A signed map has no addend and the clamp -high .. high; an unsigned one 0 .. 255. */
static int quantize_affine_f32_avx512(const void *values, int64_t count, float factor, float addend, float low,
                                      float high, uint8_t flip, uint8_t *codes) {
    affine map = {_mm512_set1_ps(factor), _mm512_set1_ps(addend), _mm512_set1_ps(high),
                  _mm512_set1_epi8((char)(int)low), _mm512_set1_epi8((char)flip)};
    return low < 0.0f ? quantize_affine(values, count, &map, 1, codes)
                      : quantize_affine(values, count, &map, 0, codes);
}

EC_INLINE void ranges_64(const char *values, const char *low, const char *step, uint64_t used, __m512i flip,
                         __m512 poison[4], uint8_t *codes) {
    __m512i codes_i32x16[4];
    for (int i = 0; i < 4; i++) {
        __m512 x = load_16(values, used, i);
        poison[i] = _mm512_fmadd_ps(x, _mm512_setzero_ps(), poison[i]);
        __m512 steps = _mm512_div_ps(_mm512_sub_ps(x, load_16(low, used, i)), load_16(step, used, i));
        codes_i32x16[i] = _mm512_cvttps_epi32(_mm512_min_ps(steps, _mm512_set1_ps(255.0f)));
    }
    _mm512_mask_storeu_epi8(codes, used, _mm512_xor_si512(narrow_64(codes_i32x16, 0), flip));
}

static int quantize_ranges_f32_avx512(const void *values, int64_t count, const void *low, const void *step,
                                      uint8_t flip, uint8_t *codes) {
    const char *x = values, *minima = low, *steps = step;
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)flip);
    __m512 poison[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    int64_t i = 0;
    for (; i + 64 <= count; i += 64)
        ranges_64(x + 4 * i, minima + 4 * i, steps + 4 * i, ~(uint64_t)0, flip_u8x64, poison, codes + i);
    if (i < count)
        ranges_64(x + 4 * i, minima + 4 * i, steps + 4 * i, first_bits(count - i), flip_u8x64, poison, codes + i);
    return all_finite(poison);
}

/* Magnitudes are ordered as integers, with NaN above Infinity above all else. */
static uint32_t max_abs_bits_f32_avx512(const void *values, int64_t count) {
    const char *from = values;
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i largest[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                          _mm512_setzero_si512()};
    for (int64_t i = 0; i < count; i += 64) {
        uint64_t used = first_bits(count - i);
        for (int j = 0; j < 4; j++) {
            __m512i x = _mm512_maskz_loadu_epi32((__mmask16)(used >> 16 * j), from + 4 * i + 64 * j);
            largest[j] = _mm512_max_epu32(largest[j], _mm512_and_si512(x, magnitude));
        }
    }
    __m512i low = _mm512_max_epu32(largest[0], largest[1]), high = _mm512_max_epu32(largest[2], largest[3]);
    return _mm512_reduce_max_epu32(_mm512_max_epu32(low, high));
}

EC_INLINE __m128i load_codes(const uint8_t *codes, __mmask16 used, uint8_t flip) {
    return _mm_xor_si128(_mm_maskz_loadu_epi8(used, codes), _mm_set1_epi8((char)flip));
}

EC_INLINE __mmask16 used_of_16(int64_t left) { return left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1); }

static void dequantize_scaled_f32_avx512(const uint8_t *codes, int64_t count, uint8_t flip, float scale,
                                         void *values) {
    const __m512 scale_f32x16 = _mm512_set1_ps(scale);
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 used = used_of_16(count - i);
        __m512 code = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_codes(codes + i, used, flip)));
        _mm512_mask_storeu_ps((char *)values + 4 * i, used, _mm512_mul_ps(code, scale_f32x16));
    }
}

/* code / divisor by the reciprocal: the remainder, exact in one fma, corrects the quotient to the rounded one (true for
 * all 256 codes of both divisors, as the tests walk). */
EC_INLINE __m512 divide(__m512 code, __m512 divisor, __m512 reciprocal) {
    __m512 quotient = _mm512_mul_ps(code, reciprocal);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(quotient, divisor, code), reciprocal, quotient);
}

static void dequantize_unit_f32_avx512(const uint8_t *codes, int64_t count, int32_t is_signed, void *values) {
    const __m512 divisor = _mm512_set1_ps(is_signed ? 127.0f : 127.5f);
    const __m512 reciprocal = _mm512_set1_ps(is_signed ? 1.0f / 127.0f : 1.0f / 127.5f);
    const __m512 less = _mm512_set1_ps(is_signed ? 0.0f : 1.0f);
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 used = used_of_16(count - i);
        __m128i loaded = load_codes(codes + i, used, 0);
        __m512i code = is_signed ? _mm512_cvtepi8_epi32(loaded) : _mm512_cvtepu8_epi32(loaded);
        __m512 value = _mm512_sub_ps(divide(_mm512_cvtepi32_ps(code), divisor, reciprocal), less);
        _mm512_mask_storeu_ps((char *)values + 4 * i, used, value);
    }
}

static void dequantize_ranges_f32_avx512(const uint8_t *codes, int64_t count, uint8_t flip, const void *first,
                                         const void *step, void *values) {
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 used = used_of_16(count - i);
        __m512 code = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(load_codes(codes + i, used, flip)));
        __m512 product = _mm512_mul_ps(code, _mm512_maskz_loadu_ps(used, (const char *)step + 4 * i));
        __m512 value = _mm512_add_ps(product, _mm512_maskz_loadu_ps(used, (const char *)first + 4 * i));
        _mm512_mask_storeu_ps((char *)values + 4 * i, used, value);
    }
}

void ec_quantize_install_avx512(ec_kernels *table) {
    table->quantize_affine_f32 = quantize_affine_f32_avx512;
    table->quantize_ranges_f32 = quantize_ranges_f32_avx512;
    table->max_abs_bits_f32 = max_abs_bits_f32_avx512;
    table->dequantize_scaled_f32 = dequantize_scaled_f32_avx512;
    table->dequantize_unit_f32 = dequantize_unit_f32_avx512;
    table->dequantize_ranges_f32 = dequantize_ranges_f32_avx512;
}

EC_TARGET_END
#else
typedef int ec_quantize_avx512_is_not_built;
#endif
