/* Shaping with AVX-512: what the error has along all directions stays in registers, and four dimensions are looked at
 * together. Most keep their levels; where one does not, the look goes on behind it. */
#include "shape.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

#define EC_OF_TIER(name) name##_avx512
#include "loops.h"

enum { VECTORS = EC_PANEL / EC_SUMS, AT_ONCE = 4 };

/* The first halvings of sixteen sums, to four. */
EC_INLINE __m128 halve_twice(__m512 sums) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(sums), _mm512_extractf32x8_ps(sums, 1));
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
}

/* The dots of four dimensions' entries with the error. Behind the last dimension the last is repeated. */
EC_INLINE __m128 along_four(const int n_panels, const ec_shape *by, int64_t j, int64_t end, const __m512 *error) {
    __m128 four[AT_ONCE];
#pragma GCC unroll 4
    for (int a = 0; a < AT_ONCE; a++) {
        const float *entries = by->panels + ec_min_i64(j + a, end - 1) * EC_PANEL;
        __m512 sums = _mm512_setzero_ps();
#pragma GCC unroll 2
        for (int p = 0; p < n_panels; p++)
#pragma GCC unroll 4
            for (int i = 0; i < VECTORS; i++)
                sums = _mm512_add_ps(
                    sums, _mm512_mul_ps(_mm512_loadu_ps(entries + p * EC_PANEL * by->dimension + EC_SUMS * i),
                                        error[VECTORS * p + i]));
        four[a] = halve_twice(sums);
    }
    const __m128 ab = _mm_add_ps(_mm_movelh_ps(four[0], four[1]), _mm_movehl_ps(four[1], four[0]));
    const __m128 cd = _mm_add_ps(_mm_movelh_ps(four[2], four[3]), _mm_movehl_ps(four[3], four[2]));
    return _mm_add_ps(_mm_shuffle_ps(ab, cd, 0x88), _mm_shuffle_ps(ab, cd, 0xdd));
}

EC_INLINE int64_t pass(const int n_panels, const ec_levels *to, const ec_shape *by, const float *values, float factor,
                       float scale, float *levels, float *error, int64_t begin, int64_t end) {
    const __m128 factor_f32x4 = _mm_set1_ps(factor), scale_f32x4 = _mm_set1_ps(scale);
    const __m128 rest_f32x4 = _mm_set1_ps(by->rest), inverse_f32x4 = _mm_set1_ps(1 / scale);
    const __m512 all_levels = _mm512_loadu_ps(to->levels);
    __m512 along[2 * VECTORS];
#pragma GCC unroll 8
    for (int i = 0; i < n_panels * VECTORS; i++) along[i] = _mm512_loadu_ps(error + EC_SUMS * i);
    int64_t changed = 0;
    for (int64_t j = begin; j < end;) {
        const __mmask8 there = end - j >= AT_ONCE ? 0xf : (__mmask8)((1 << (end - j)) - 1);
        const __m128 level = _mm_maskz_loadu_ps(there, levels + j), value = _mm_maskz_loadu_ps(there, values + j);
        const __m128 own =
            _mm_mul_ps(rest_f32x4, _mm_sub_ps(_mm_mul_ps(scale_f32x4, level), _mm_mul_ps(factor_f32x4, value)));
        const __m128 gradient = _mm_add_ps(own, along_four(n_panels, by, j, end, along));
        const __m128 step =
            _mm_mul_ps(_mm_mul_ps(gradient, _mm_maskz_loadu_ps(there, by->inverses + j)), inverse_f32x4);
        const __m128 wanted = _mm_sub_ps(level, step);
        __m128i nearest = _mm_setzero_si128();
        for (int32_t t = 0; t < to->n_levels - 1; t++) /* a comparison gives -1 where it holds */
            nearest =
                _mm_sub_epi32(nearest, _mm_castps_si128(_mm_cmp_ps(wanted, _mm_set1_ps(to->edges[t]), _CMP_GT_OQ)));
        const __m128 better =
            _mm512_castps512_ps128(_mm512_permutexvar_ps(_mm512_castsi128_si512(nearest), all_levels));
        const __mmask8 differ = _mm_mask_cmp_ps_mask(there, better, level, _CMP_NEQ_UQ);
        if (EC_LIKELY(!differ)) {
            j += AT_ONCE;
            continue;
        }
        float four[AT_ONCE];
        _mm_storeu_ps(four, better);
        const int first = ec_trailing_zeros_u64(differ);
        j += first;
        const __m512 by_much = _mm512_set1_ps(scale * (four[first] - levels[j]));
        levels[j] = four[first];
#pragma GCC unroll 2
        for (int p = 0; p < n_panels; p++)
#pragma GCC unroll 4
            for (int i = 0; i < VECTORS; i++) {
                const float *entries = by->panels + (p * by->dimension + j) * EC_PANEL + EC_SUMS * i;
                along[VECTORS * p + i] =
                    _mm512_add_ps(along[VECTORS * p + i], _mm512_mul_ps(by_much, _mm512_loadu_ps(entries)));
            }
        changed++;
        j++;
    }
#pragma GCC unroll 8
    for (int i = 0; i < n_panels * VECTORS; i++) _mm512_storeu_ps(error + EC_SUMS * i, along[i]);
    return changed;
}

static int64_t shape_pass_f32(const ec_levels *to, const ec_shape *by, const float *values, float factor, float scale,
                              float *levels, float *error, int64_t begin, int64_t end) {
    switch (by->directions) {
    case EC_PANEL: return pass(1, to, by, values, factor, scale, levels, error, begin, end);
    case 2 * EC_PANEL: return pass(2, to, by, values, factor, scale, levels, error, begin, end);
    default: return shape_pass_f32_avx512(to, by, values, factor, scale, levels, error, begin, end);
    }
}

EC_SLOTS(shape, avx512) {
    table->shape_pass_f32 = shape_pass_f32;
    table->shape_errors_f32 = shape_errors_f32_avx512;
}

EC_TARGET_END
#endif
