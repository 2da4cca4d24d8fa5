/* The tables of a float query with AVX-512. The sixteen sums of a nibble are one vector: lane n adds a dimension where
 * its bit of n is set, and subtracts it where not. */
#include "tables.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* The float at `at`, negated in the lanes of `minus`. */
EC_INLINE __m512 with_signs(const uint8_t *at, __mmask16 minus) {
    const __m512 v_f32x16 = _mm512_castsi512_ps(_mm512_set1_epi32((int32_t)ec_load_u32(at))),
                 sign = _mm512_set1_ps(-0.0f);
    return _mm512_mask_xor_ps(v_f32x16, minus, v_f32x16, sign);
}

EC_INLINE __m512 magnitudes_of_4(__m512 v_f32x16) {
    __m512 m = _mm512_abs_ps(v_f32x16);
    m = _mm512_add_ps(m, _mm512_permute_ps(m, 0xb1));    /* the neighbour's magnitude */
    return _mm512_add_ps(m, _mm512_permute_ps(m, 0x4e)); /* the sum of the other pair */
}

static int32_t dot_u1_tables(const void *query, int64_t width, void *tables, float *scale) {
    const uint8_t *floats = query;
    uint8_t *out = tables;
    __m512i most_u32x16 = _mm512_setzero_si512();
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff), least = _mm512_set1_epi32(-127),
                  zero = _mm512_set1_epi32(128);
    for (int64_t d = 0; d < 8 * width; d += 16) {
        __m512 four = magnitudes_of_4(_mm512_maskz_loadu_ps(8 * width - d >= 16 ? 0xffff : 0x00ff, floats + 4 * d));
        most_u32x16 = _mm512_max_epu32(most_u32x16, _mm512_and_si512(_mm512_castps_si512(four), magnitude));
    }
    float inverse;
    if (!ec_table_scale(_mm512_reduce_max_epu32(most_u32x16), scale, &inverse)) return 0;
    const __m512 inverse_f32x16 = _mm512_set1_ps(inverse);
    for (int64_t p = 0; p < 2 * width; p++, floats += 16, out += 16) { /* minus where the bit of n is clear */
        __m512 first = _mm512_add_ps(with_signs(floats, 0x00ff), with_signs(floats + 4, 0x0f0f));
        __m512 second = _mm512_add_ps(with_signs(floats + 8, 0x3333), with_signs(floats + 12, 0x5555));
        __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_add_ps(first, second), inverse_f32x16));
        rounded = _mm512_max_epi32(rounded, least);
        rounded = _mm512_min_epi32(rounded, _mm512_set1_epi32(127));
        _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(_mm512_add_epi32(rounded, zero)));
    }
    ec_tables_tail(width, tables);
    return 1;
}

EC_SLOTS(tables, avx512) { table->dot_u1_tables = dot_u1_tables; }

EC_TARGET_END
#endif
