/* Chains with AVX2: the states of a row in two registers. AVX-512 inherits them. */
#include "chain.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* Named members rather than an array: only so do compilers keep them in registers. */
typedef struct {
    __m256 low, high;
} states;

EC_INLINE states load(const float *values) {
    const states x = {_mm256_loadu_ps(values), _mm256_loadu_ps(values + 8)};
    return x;
}

EC_INLINE void store(float *values, states x) {
    _mm256_storeu_ps(values, x.low);
    _mm256_storeu_ps(values + 8, x.high);
}

EC_INLINE states splat(float value) {
    const states x = {_mm256_set1_ps(value), _mm256_set1_ps(value)};
    return x;
}

EC_INLINE states add(states a, states b) {
    const states x = {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
    return x;
}

EC_INLINE states subtract(states a, states b) {
    const states x = {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
    return x;
}

EC_INLINE states multiply(states a, states b) {
    const states x = {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
    return x;
}

EC_INLINE states magnitude(states a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const states x = {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
    return x;
}

EC_INLINE __m256 least_f32x8(__m256 a, __m256 b) {
    return _mm256_castsi256_ps(_mm256_min_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}

EC_INLINE states least(states a, states b) {
    const states x = {least_f32x8(a.low, b.low), least_f32x8(a.high, b.high)};
    return x;
}

EC_INLINE __m256 positive_f32x8(__m256 a) {
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_setzero_si256()));
}

EC_INLINE states positive(states a) {
    const states x = {positive_f32x8(a.low), positive_f32x8(a.high)};
    return x;
}

/* Four values from an address, as `places` has them, 0 .. 3 in each half. */
EC_INLINE __m256 four_f32x8(const float *values, __m256i places) {
    return _mm256_permutevar_ps(_mm256_broadcast_ps((const __m128 *)(const void *)values), places);
}

/* The states from which the words 16 c + 0 .. 15 lead: words >> coarse. */
EC_INLINE states spread(const int coarse, int c, const float *values) {
    if (coarse == 4) return splat(values[c]);
    states x;
    if (coarse == 3) {
        x.low = _mm256_broadcast_ss(values + 2 * c);
        x.high = _mm256_broadcast_ss(values + 2 * c + 1);
    } else if (coarse == 2) {
        x.low = four_f32x8(values + 4 * c, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
        x.high = four_f32x8(values + 4 * c, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3));
    } else {
        const __m256i pairs = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
        x.low = four_f32x8(values + 8 * c, pairs);
        x.high = four_f32x8(values + 8 * c + 4, pairs);
    }
    return x;
}

/* The first of the states that cost least. */
EC_INLINE int first_least(states costs) {
    const __m256i low = _mm256_castps_si256(costs.low), high = _mm256_castps_si256(costs.high);
    const __m256i halves = _mm256_min_epi32(low, high);
    __m128i all = _mm_min_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
    all = _mm_min_epi32(all, _mm_shuffle_epi32(all, _MM_SHUFFLE(1, 0, 3, 2)));
    all = _mm_min_epi32(all, _mm_shuffle_epi32(all, _MM_SHUFFLE(2, 3, 0, 1)));
    const __m256i lowest = _mm256_broadcastd_epi32(all);
    const int in_low = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(low, lowest)));
    const int in_high = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(high, lowest)));
    return ec_trailing_zeros_u64((uint64_t)(in_low | in_high << 8));
}

#include "rows.h"

EC_SLOTS(chain, avx2) { table->chain_code_f32 = chain_code_f32; }

EC_TARGET_END
#endif
