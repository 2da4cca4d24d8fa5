/* The fast Walsh-Hadamard transform with AVX-512: four rounds within a register, then two rounds a pass. */
#include "hadamard.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* One round within a vector: lane i becomes x[i] + x[i ^ half] or, in the high lanes, x[i ^ half] - x[i]. Multiplying
 * by a sign is exact, so that the fma rounds as a plain sum does. */
EC_INLINE __m512 round_within(__m512 x, int half, __mmask16 high) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512 swapped = _mm512_permutexvar_ps(_mm512_xor_si512(lane, _mm512_set1_epi32(half)), x);
    return _mm512_fmadd_ps(x, _mm512_mask_blend_ps(high, _mm512_set1_ps(1.0f), _mm512_set1_ps(-1.0f)), swapped);
}

EC_INLINE __m512 load(const float *values, int64_t i) { return _mm512_loadu_ps(values + i); }

static void hadamard_f32_avx512(void *to, int64_t count) {
    float *values = to;
    __mmask16 used = count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);
    for (int64_t i = 0; i < count; i += 16) {
        __m512 x = _mm512_maskz_loadu_ps(used, values + i);
        if (count > 1) x = round_within(x, 1, 0xaaaa);
        if (count > 2) x = round_within(x, 2, 0xcccc);
        if (count > 4) x = round_within(x, 4, 0xf0f0);
        if (count > 8) x = round_within(x, 8, 0xff00);
        _mm512_mask_storeu_ps(values + i, used, x);
    }
    int64_t half = 16;
    for (; 4 * half <= count; half *= 4)
        for (int64_t begin = 0; begin < count; begin += 4 * half)
            for (int64_t i = begin; i < begin + half; i += 16) {
                __m512 a = load(values, i), b = load(values, i + half), c = load(values, i + 2 * half),
                       d = load(values, i + 3 * half);
                __m512 ab = _mm512_add_ps(a, b), cd = _mm512_add_ps(c, d);
                __m512 a_b = _mm512_sub_ps(a, b), c_d = _mm512_sub_ps(c, d);
                _mm512_storeu_ps(values + i, _mm512_add_ps(ab, cd));
                _mm512_storeu_ps(values + i + half, _mm512_add_ps(a_b, c_d));
                _mm512_storeu_ps(values + i + 2 * half, _mm512_sub_ps(ab, cd));
                _mm512_storeu_ps(values + i + 3 * half, _mm512_sub_ps(a_b, c_d));
            }
    if (2 * half <= count)
        for (int64_t i = 0; i < half; i += 16) {
            __m512 a = load(values, i), b = load(values, i + half);
            _mm512_storeu_ps(values + i, _mm512_add_ps(a, b));
            _mm512_storeu_ps(values + i + half, _mm512_sub_ps(a, b));
        }
}

EC_SLOTS(hadamard, avx512) { table->hadamard_f32 = hadamard_f32_avx512; }

EC_TARGET_END
#endif
