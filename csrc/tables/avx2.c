/* The tables of a float query with AVX2. The sixteen sums of a nibble are in two vectors: the first dimension is
 * subtracted in lanes 0..7 and added in lanes 8..15. */
#include "tables.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

EC_INLINE __m256 magnitudes_of_4(__m256 v_f32x8) {
    __m256 m = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v_f32x8);
    m = _mm256_add_ps(m, _mm256_permute_ps(m, 0xb1));    /* the neighbour's magnitude */
    return _mm256_add_ps(m, _mm256_permute_ps(m, 0x4e)); /* the sum of the other pair */
}

EC_INLINE __m256 float_at(const uint8_t *at) {
    return _mm256_castsi256_ps(_mm256_set1_epi32((int32_t)ec_load_u32(at)));
}

/* Eight sums in units of the scale, rounded and clamped. */
EC_INLINE __m256i rounded_of(__m256 first, __m256 second, __m256 inverse_f32x8) {
    __m256i rounded = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_add_ps(first, second), inverse_f32x8));
    return _mm256_min_epi32(_mm256_max_epi32(rounded, _mm256_set1_epi32(-127)), _mm256_set1_epi32(127));
}

static int32_t dot_u1_tables(const void *query, int64_t width, void *tables, float *scale) {
    const uint8_t *floats = query;
    uint8_t *out = tables;
    __m256i most_u32x8 = _mm256_setzero_si256();
    for (int64_t d = 0; d < 8 * width; d += 8) {
        __m256i bits = _mm256_castps_si256(
            magnitudes_of_4(_mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)(floats + 4 * d)))));
        most_u32x8 = _mm256_max_epu32(most_u32x8, _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff)));
    }
    uint32_t most[8], largest = 0;
    _mm256_storeu_si256((__m256i *)most, most_u32x8);
    for (int i = 0; i < 8; i++) largest = most[i] > largest ? most[i] : largest;
    float inverse;
    if (!ec_table_scale(largest, scale, &inverse)) return 0;
    /* lane n flips the signs of dimensions 1, 2 and 3 where bits 2, 1 and 0 of n are clear */
    const __m256 flip_1 = _mm256_setr_ps(-0.0f, -0.0f, -0.0f, -0.0f, 0, 0, 0, 0);
    const __m256 flip_2 = _mm256_setr_ps(-0.0f, -0.0f, 0, 0, -0.0f, -0.0f, 0, 0);
    const __m256 flip_3 = _mm256_setr_ps(-0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f, 0);
    const __m256 inverse_f32x8 = _mm256_set1_ps(inverse);
    for (int64_t p = 0; p < 2 * width; p++, floats += 16, out += 16) {
        const __m256 v0 = float_at(floats), minus_v0 = _mm256_xor_ps(v0, _mm256_set1_ps(-0.0f));
        const __m256 v1 = _mm256_xor_ps(float_at(floats + 4), flip_1);
        const __m256 second =
            _mm256_add_ps(_mm256_xor_ps(float_at(floats + 8), flip_2), _mm256_xor_ps(float_at(floats + 12), flip_3));
        __m256i low = rounded_of(_mm256_add_ps(minus_v0, v1), second, inverse_f32x8);
        __m256i high = rounded_of(_mm256_add_ps(v0, v1), second, inverse_f32x8);
        __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8); /* packs works within halves */
        __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storeu_si128((__m128i *)out, _mm_xor_si128(bytes, _mm_set1_epi8((char)0x80))); /* + 128 */
    }
    ec_tables_tail(width, tables);
    return 1;
}

EC_SLOTS(tables, avx2) { table->dot_u1_tables = dot_u1_tables; }

EC_TARGET_END
#endif
