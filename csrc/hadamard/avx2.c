/* The fast Walsh-Hadamard transform with AVX2: three rounds within a register, then one round a pass. */
#include "hadamard.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* One round within a vector. Multiplying by a sign is exact, so that the fma rounds as a plain sum does. */
EC_INLINE __m256 round_within(__m256 x, __m256i lanes, __m256 signs) {
    return _mm256_fmadd_ps(x, signs, _mm256_permutevar8x32_ps(x, lanes));
}

static void hadamard_f32_avx2(void *to, int64_t count) {
    float *values = to;
    if (count < 8) {
        ec_hadamard_f32_scalar(values, count);
        return;
    }
    for (int64_t i = 0; i < count; i += 8) {
        __m256 x = _mm256_loadu_ps(values + i);
        x = round_within(x, _mm256_setr_epi32(1, 0, 3, 2, 5, 4, 7, 6), _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1));
        x = round_within(x, _mm256_setr_epi32(2, 3, 0, 1, 6, 7, 4, 5), _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1));
        x = round_within(x, _mm256_setr_epi32(4, 5, 6, 7, 0, 1, 2, 3), _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1));
        _mm256_storeu_ps(values + i, x);
    }
    for (int64_t half = 8; half < count; half *= 2)
        for (int64_t begin = 0; begin < count; begin += 2 * half)
            for (int64_t i = begin; i < begin + half; i += 8) {
                __m256 low = _mm256_loadu_ps(values + i), high = _mm256_loadu_ps(values + i + half);
                _mm256_storeu_ps(values + i, _mm256_add_ps(low, high));
                _mm256_storeu_ps(values + i + half, _mm256_sub_ps(low, high));
            }
}

EC_SLOTS(hadamard, avx2) { table->hadamard_f32 = hadamard_f32_avx2; }

EC_TARGET_END
#endif
