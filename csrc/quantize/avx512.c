/* float32 to 8-bit codes and back with AVX-512, 64 at a time.
 *
 *     4 x 16 values -> 4 x 16 int32 -> packs: 2 x 32 int16 -> packs: 64 int8, in fours by lanes -> vpermd: in order
 *
 * The packs saturate, so that clamping costs nothing. But a conversion to int32 turns values that are too large, like
 * NaN, into the lowest integer. So values are coded in haste first, without a clamp, and where the least int16 shows a
 * saturation at the low end they are coded once more with care: with an upper clamp in float, and a look for values
 * that are not finite. */
#include "quantize.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum {
    BLOCK = 4096, /* values coded in haste, and again with care where haste was not enough */
    ROWS = 2      /* rows coded together by ranges: more would compete for the same sets of the first-level cache */
};

EC_INLINE uint64_t first_bits(int64_t n) { return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1; }

/* Of 64 values or more: where the second block of 64 begins. Blocks may overlap: the second one begins with a cache
 * line, if so many follow that this pays, and the last one ends where the values end. */
EC_INLINE int64_t second_block(const void *values, int64_t count) {
    uintptr_t past = (uintptr_t)values % 64;
    return count >= 512 && past % 4 == 0 && past ? (int64_t)(64 - past) / 4 : 64;
}

EC_INLINE __m512 load_16(const char *values, uint64_t used, int i) {
    return ~used ? _mm512_maskz_loadu_ps((__mmask16)(used >> 16 * i), values + 64 * i)
                 : _mm512_loadu_ps(values + 64 * i);
}

EC_INLINE void store_64(uint8_t *codes, uint64_t used, __m512i codes_u8x64) {
    if (~used)
        _mm512_mask_storeu_epi8(codes, used, codes_u8x64);
    else
        _mm512_storeu_si512(codes, codes_u8x64);
}

/* Narrows 4 x 16 int32 with saturation to int8 or uint8, in order. Keeps the least int16 on the way: see
 * none_saturated(). */
EC_INLINE __m512i narrow_64(const __m512i codes_i32x16[4], int is_signed, __m512i *least_i16x32) {
    const __m512i fours = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i low = _mm512_packs_epi32(codes_i32x16[0], codes_i32x16[1]);
    __m512i high = _mm512_packs_epi32(codes_i32x16[2], codes_i32x16[3]);
    *least_i16x32 = _mm512_min_epi16(*least_i16x32, _mm512_min_epi16(low, high));
    __m512i codes = is_signed ? _mm512_packs_epi16(low, high) : _mm512_packus_epi16(low, high);
    return _mm512_permutexvar_epi32(fours, codes);
}

EC_INLINE int none_saturated(__m512i least_i16x32) {
    return _mm512_cmpeq_epi16_mask(least_i16x32, _mm512_set1_epi16(INT16_MIN)) == 0;
}

/* x * 0 is NaN for every x that is not finite, and `poison` keeps it. */
EC_INLINE int is_finite(__m512 poison) { return _mm512_cmp_ps_mask(poison, poison, _CMP_UNORD_Q) == 0; }

typedef struct {
    __m512 factor, addend, high;
    __m512i low, flip;
} affine;

EC_INLINE affine affine_of(float factor, float addend, float low, float high, uint8_t flip) {
    affine map = {_mm512_set1_ps(factor), _mm512_set1_ps(addend), _mm512_set1_ps(high),
                  _mm512_set1_epi8((char)(int)low), _mm512_set1_epi8((char)flip)};
    return map;
}

/* What is known of the values coded: in haste, the least int16; with care, whether all were finite (`poison`). */
typedef struct {
    __m512i least_i16x32;
    __m512 poison[4];
} verdict;

EC_INLINE verdict no_verdict(void) {
    __m512 zero = _mm512_setzero_ps();
    verdict none = {_mm512_setzero_si512(), {zero, zero, zero, zero}};
    return none;
}

EC_INLINE void affine_64(const char *values, uint64_t used, const affine *map, int is_signed, int careful, verdict *v,
                         uint8_t *codes) {
    __m512i codes_i32x16[4];
    for (int i = 0; i < 4; i++) {
        __m512 x = load_16(values, used, i), code = _mm512_mul_ps(x, map->factor);
        if (!is_signed) code = _mm512_add_ps(code, map->addend);
        if (careful) {
            code = _mm512_min_ps(code, map->high);
            v->poison[i] = _mm512_fmadd_ps(x, _mm512_setzero_ps(), v->poison[i]);
        }
        codes_i32x16[i] = _mm512_cvtps_epi32(code);
    }
    __m512i codes_u8x64 = narrow_64(codes_i32x16, is_signed, &v->least_i16x32);
    if (is_signed) codes_u8x64 = _mm512_max_epi8(codes_u8x64, map->low);
    store_64(codes, used, _mm512_xor_si512(codes_u8x64, map->flip));
}

/* Codes a block. In haste it returns whether the codes are right, which they are unless a value was far too low, too
 * high or not finite. With care they always are, and it returns whether all values were finite. */
EC_INLINE int affine_block(const char *values, int64_t count, const affine *map, int is_signed, int careful,
                           uint8_t *codes) {
    const uint64_t all = ~(uint64_t)0;
    verdict v = no_verdict();
    if (count >= 64) {
        ec_ask_ahead(values, 256);
        affine_64(values, all, map, is_signed, careful, &v, codes);
        for (int64_t i = second_block(values, count); i < count - 64; i += 64) {
            ec_ask_ahead(values + 4 * i, 256);
            affine_64(values + 4 * i, all, map, is_signed, careful, &v, codes + i);
        }
        ec_ask_ahead(values + 4 * (count - 64), 256);
        affine_64(values + 4 * (count - 64), all, map, is_signed, careful, &v, codes + count - 64);
    } else {
        affine_64(values, first_bits(count), map, is_signed, careful, &v, codes);
    }
    if (!careful) return none_saturated(v.least_i16x32);
    return is_finite(_mm512_add_ps(_mm512_add_ps(v.poison[0], v.poison[1]), _mm512_add_ps(v.poison[2], v.poison[3])));
}

/* Codes in haste until that is not enough; a value that needs care is seldom alone. */
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
static int quantize_affine_f32_avx512(const void *values, int64_t count, float factor, float addend, float low,
                                      float high, uint8_t flip, uint8_t *codes) {
    affine map = affine_of(factor, addend, low, high, flip);
    return low < 0.0f ? quantize_affine(values, count, &map, 1, codes) : quantize_affine(values, count, &map, 0, codes);
}

typedef struct {
    __m512i bits[4];
} magnitudes;

EC_INLINE magnitudes no_magnitudes(void) {
    __m512i zero = _mm512_setzero_si512();
    magnitudes none = {{zero, zero, zero, zero}};
    return none;
}

/* Magnitudes are ordered as their bits are, NaN above Infinity above all others. */
EC_INLINE void magnitudes_64(const char *values, uint64_t used, magnitudes *largest) {
    for (int i = 0; i < 4; i++) {
        __m512i x = _mm512_castps_si512(load_16(values, used, i));
        x = _mm512_and_si512(x, _mm512_set1_epi32(0x7fffffff));
        largest->bits[i] = _mm512_max_epu32(largest->bits[i], x);
    }
}

EC_INLINE uint32_t largest_of(const magnitudes *m) {
    __m512i low = _mm512_max_epu32(m->bits[0], m->bits[1]), high = _mm512_max_epu32(m->bits[2], m->bits[3]);
    return _mm512_reduce_max_epu32(_mm512_max_epu32(low, high));
}

static uint32_t max_abs_bits_f32_avx512(const void *values, int64_t count) {
    const uint64_t all = ~(uint64_t)0;
    const char *from = values;
    magnitudes largest = no_magnitudes();
    if (count >= 64) {
        ec_ask_ahead(from, 256);
        magnitudes_64(from, all, &largest);
        for (int64_t i = second_block(values, count); i < count - 64; i += 64) {
            ec_ask_ahead(from + 4 * i, 256);
            magnitudes_64(from + 4 * i, all, &largest);
        }
        ec_ask_ahead(from + 4 * (count - 64), 256);
        magnitudes_64(from + 4 * (count - 64), all, &largest);
    } else {
        magnitudes_64(from, first_bits(count), &largest);
    }
    return largest_of(&largest);
}

/* Codes 64 values that are known to need no care, and measures 64 values of the next row. */
EC_INLINE void scaled_64(const char *values, const char *ahead, uint64_t used, const affine *map, magnitudes *largest,
                         uint8_t *codes) {
    verdict ignored = no_verdict();
    magnitudes_64(ahead, used, largest);
    affine_64(values, used, map, 1, 0, &ignored, codes);
}

/* Codes a row, which is in the first-level cache, while it measures the next one, wherever that lies. */
static uint32_t quantize_scaled_f32_avx512(const void *values, int64_t count, float factor, uint8_t flip,
                                           uint8_t *codes, const void *next) {
    const uint64_t all = ~(uint64_t)0;
    const char *from = values, *ahead = next;
    affine map = affine_of(factor, 0.0f, -127.0f, 127.0f, flip);
    magnitudes largest = no_magnitudes();
    if (count >= 64) {
        ec_ask_ahead(ahead, 256);
        scaled_64(from, ahead, all, &map, &largest, codes);
        for (int64_t i = second_block(values, count); i < count - 64; i += 64) {
            ec_ask_ahead(ahead + 4 * i, 256);
            scaled_64(from + 4 * i, ahead + 4 * i, all, &map, &largest, codes + i);
        }
        int64_t last = count - 64;
        ec_ask_ahead(ahead + 4 * last, 256);
        scaled_64(from + 4 * last, ahead + 4 * last, all, &map, &largest, codes + last);
    } else {
        scaled_64(from, ahead, first_bits(count), &map, &largest, codes);
    }
    return largest_of(&largest);
}

/* The codes of sixteen values by their ranges, without a division. The remainder, exact in one fma, corrects the
 * product with the reciprocal. Where the floor depends on it, next to a whole number of steps, the result is the
 * rounded quotient itself: there the product is that number or the float below it, so the remainder is at most half a
 * unit in the last place, and its share of a step is off by less than the quotient is away from where rounding
 * turns. */
EC_INLINE __m512i ranges_16(__m512 x, __m512 low, __m512 step, __m512 reciprocal) {
    __m512 a = _mm512_sub_ps(x, low);
    __m512 quotient = _mm512_mul_ps(a, reciprocal);
    return _mm512_cvttps_epi32(_mm512_fmadd_ps(_mm512_fnmadd_ps(quotient, step, a), reciprocal, quotient));
}

/* Codes one row with any values and any steps, by division. */
static EC_NOINLINE int ranges_with_care(const char *values, int64_t count, const ec_steps *steps, uint8_t flip,
                                        uint8_t *codes) {
    __m512 poison = _mm512_setzero_ps();
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 used = (__mmask16)first_bits(count - i);
        __m512 x = _mm512_maskz_loadu_ps(used, values + 4 * i);
        poison = _mm512_fmadd_ps(x, _mm512_setzero_ps(), poison);
        __m512 above = _mm512_sub_ps(x, _mm512_maskz_loadu_ps(used, steps->low + 4 * i));
        __m512 code = _mm512_maskz_div_ps(used, above, _mm512_maskz_loadu_ps(used, steps->step + 4 * i));
        __m512i code_i32x16 = _mm512_cvttps_epi32(_mm512_min_ps(code, _mm512_set1_ps(255.0f)));
        __m128i code_u8x16 = _mm512_cvtepi32_epi8(_mm512_max_epi32(code_i32x16, _mm512_setzero_si512()));
        _mm_mask_storeu_epi8(codes + i, used, _mm_xor_si128(code_u8x16, _mm_set1_epi8((char)flip)));
    }
    return is_finite(poison);
}

/* Codes 64 dimensions of a few rows, which share the loads of the ranges. */
EC_INLINE void ranges_64(const char *values, int64_t stride, int rows, const ec_steps *steps, int64_t at, uint64_t used,
                         __m512i flip_u8x64, __m512i *least_i16x32, uint8_t *codes) {
    __m512i codes_i32x16[ROWS][4];
    for (int i = 0; i < 4; i++) {
        __m512 low = load_16(steps->low + 4 * at, used, i), step = load_16(steps->step + 4 * at, used, i);
        __m512 reciprocal = load_16(steps->reciprocal + 4 * at, used, i);
        for (int row = 0; row < rows; row++)
            codes_i32x16[row][i] = ranges_16(load_16(values + 4 * (row * stride + at), used, i), low, step, reciprocal);
    }
    for (int row = 0; row < rows; row++) {
        __m512i codes_u8x64 = narrow_64(codes_i32x16[row], 0, least_i16x32);
        store_64(codes + row * stride + at, used, _mm512_xor_si512(codes_u8x64, flip_u8x64));
    }
}

EC_INLINE int ranges_rows(const char *values, int64_t stride, int rows, int64_t count, const ec_steps *steps,
                          uint8_t flip, uint8_t *codes) {
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)flip);
    __m512i least_i16x32 = steps->reciprocal ? _mm512_setzero_si512() : _mm512_set1_epi16(INT16_MIN);
    int64_t i = steps->reciprocal ? 0 : count;
    for (; i + 64 <= count; i += 64) {
        for (int row = 0; row < rows; row++) ec_ask_ahead(values + 4 * (row * stride + i), 256);
        ranges_64(values, stride, rows, steps, i, ~(uint64_t)0, flip_u8x64, &least_i16x32, codes);
    }
    if (i < count) ranges_64(values, stride, rows, steps, i, first_bits(count - i), flip_u8x64, &least_i16x32, codes);
    if (none_saturated(least_i16x32)) return 1;
    int finite = 1;
    for (int row = 0; row < rows; row++)
        finite &= ranges_with_care(values + 4 * row * stride, count, steps, flip, codes + row * stride);
    return finite;
}

static int quantize_ranges_f32_avx512(const void *values, int64_t stride, int64_t rows, int64_t count,
                                      const ec_steps *steps, uint8_t flip, uint8_t *codes) {
    const char *from = values;
    int finite = 1;
    int64_t row = 0;
    for (; row + ROWS <= rows; row += ROWS)
        finite &= ranges_rows(from + 4 * row * stride, stride, ROWS, count, steps, flip, codes + row * stride);
    for (; row < rows; row++)
        finite &= ranges_rows(from + 4 * row * stride, stride, 1, count, steps, flip, codes + row * stride);
    return finite;
}

EC_INLINE __mmask16 used_of_16(int64_t left) { return left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1); }

EC_INLINE __m128i load_codes(const uint8_t *codes, __mmask16 used, __m128i flip) {
    __m128i loaded =
        used == 0xffff ? _mm_loadu_si128((const __m128i *)(const void *)codes) : _mm_maskz_loadu_epi8(used, codes);
    return _mm_xor_si128(loaded, flip);
}

/* A masked store may stall where a plain one does not, even if its mask is full. */
EC_INLINE void store_16(char *values, __mmask16 used, __m512 x) {
    if (used == 0xffff)
        _mm512_storeu_ps(values, x);
    else
        _mm512_mask_storeu_ps(values, used, x);
}

/* code / divisor by the reciprocal. The remainder, exact in one fma, corrects the quotient to the rounded one; the
 * tests show it for all 256 codes and both divisors. */
EC_INLINE __m512 divide(__m512 code, __m512 divisor, __m512 reciprocal) {
    __m512 quotient = _mm512_mul_ps(code, reciprocal);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(quotient, divisor, code), reciprocal, quotient);
}

typedef enum { SCALED, UNIT_INT8, UNIT_UINT8, RANGES } scheme;

typedef struct {
    __m128i flip;
    __m512 scale;               /* SCALED */
    __m512 divisor, reciprocal; /* the unit schemes */
    const char *first, *step;   /* RANGES */
} meaning;

EC_INLINE void decode_16(scheme scheme, const meaning *m, const uint8_t *codes, int64_t at, __mmask16 used,
                         char *values) {
    __m128i loaded = load_codes(codes + at, used, m->flip);
    int is_signed = scheme == SCALED || scheme == UNIT_INT8;
    __m512 code = _mm512_cvtepi32_ps(is_signed ? _mm512_cvtepi8_epi32(loaded) : _mm512_cvtepu8_epi32(loaded));
    if (scheme == SCALED) code = _mm512_mul_ps(code, m->scale);
    if (scheme == UNIT_INT8 || scheme == UNIT_UINT8) code = divide(code, m->divisor, m->reciprocal);
    if (scheme == UNIT_UINT8) code = _mm512_sub_ps(code, _mm512_set1_ps(1.0f));
    if (scheme == RANGES) {
        uint64_t all = used == 0xffff ? ~(uint64_t)0 : used;
        code = _mm512_mul_ps(code, load_16(m->step + 4 * at, all, 0));
        code = _mm512_add_ps(code, load_16(m->first + 4 * at, all, 0));
    }
    store_16(values + 4 * at, used, code);
}

EC_INLINE void decode_64(scheme scheme, const meaning *m, const uint8_t *codes, int64_t at, char *values) {
    for (int i = 0; i < 64; i += 16) decode_16(scheme, m, codes, at + i, 0xffff, values);
}

/* Decodes a row. Blocks begin with cache lines of the values, except for RANGES, whose loads would then cross lines. */
EC_INLINE void decode(scheme scheme, const meaning *m, const uint8_t *codes, int64_t count, char *values) {
    if (count < 64) {
        for (int64_t i = 0; i < count; i += 16) decode_16(scheme, m, codes, i, used_of_16(count - i), values);
        return;
    }
    decode_64(scheme, m, codes, 0, values);
    int64_t i = scheme == RANGES ? 64 : second_block(values, count);
    for (; i < count - 64; i += 64) decode_64(scheme, m, codes, i, values);
    decode_64(scheme, m, codes, count - 64, values);
}

static void dequantize_scaled_f32_avx512(const uint8_t *codes, int64_t count, uint8_t flip, float scale, void *values) {
    const meaning m = {.flip = _mm_set1_epi8((char)flip), .scale = _mm512_set1_ps(scale)};
    decode(SCALED, &m, codes, count, values);
}

static void dequantize_unit_f32_avx512(const uint8_t *codes, int64_t count, int32_t is_signed, void *values) {
    const float divisor = is_signed ? 127.0f : 127.5f;
    const meaning m = {.divisor = _mm512_set1_ps(divisor), .reciprocal = _mm512_set1_ps(1.0f / divisor)};
    if (is_signed)
        decode(UNIT_INT8, &m, codes, count, values);
    else
        decode(UNIT_UINT8, &m, codes, count, values);
}

static void dequantize_ranges_f32_avx512(const uint8_t *codes, int64_t count, uint8_t flip, const void *first,
                                         const void *step, void *values) {
    const meaning m = {.flip = _mm_set1_epi8((char)flip), .first = first, .step = step};
    decode(RANGES, &m, codes, count, values);
}

EC_SLOTS(quantize, avx512) {
    table->quantize_affine_f32 = quantize_affine_f32_avx512;
    table->quantize_scaled_f32 = quantize_scaled_f32_avx512;
    table->quantize_ranges_f32 = quantize_ranges_f32_avx512;
    table->max_abs_bits_f32 = max_abs_bits_f32_avx512;
    table->dequantize_scaled_f32 = dequantize_scaled_f32_avx512;
    table->dequantize_unit_f32 = dequantize_unit_f32_avx512;
    table->dequantize_ranges_f32 = dequantize_ranges_f32_avx512;
}

EC_TARGET_END
#endif
