/* The levels of sixteen values, for the families that code: included within a region of AVX-512. */
#ifndef EC_LOWBIT_AVX512_LEVELS_H
#define EC_LOWBIT_AVX512_LEVELS_H

/* The number of thresholds below each value, from its highest bit to its lowest: is the middle one of those left below
 * the value? */
EC_INLINE __m512i ec_search_f32x16(const int bits, __m512 x, __m512 edges) {
    __m512i found = _mm512_setzero_si512();
    for (int half = 1 << bits >> 1; half; half /= 2) {
        const __m512i middle = _mm512_add_epi32(found, _mm512_set1_epi32(half - 1));
        const __mmask16 beyond = _mm512_cmp_ps_mask(x, _mm512_permutexvar_ps(middle, edges), _CMP_GT_OQ);
        found = _mm512_mask_add_epi32(found, beyond, found, _mm512_set1_epi32(half));
    }
    return found;
}

#endif
