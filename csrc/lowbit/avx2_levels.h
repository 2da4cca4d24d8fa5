/* The levels of eight values, for the families that code: included within a region of AVX2. */
#ifndef EC_LOWBIT_AVX2_LEVELS_H
#define EC_LOWBIT_AVX2_LEVELS_H

/* The number of thresholds below each value. */
EC_INLINE __m256i ec_count_below_f32x8(const int bits, __m256 x, const float *edges) {
    __m256i found = _mm256_setzero_si256();
    for (int t = 0; t < (1 << bits) - 1; t++) /* a comparison gives -1 where it holds */
        found =
            _mm256_sub_epi32(found, _mm256_castps_si256(_mm256_cmp_ps(x, _mm256_broadcast_ss(edges + t), _CMP_GT_OQ)));
    return found;
}

/* Eight of sixteen entries, by their places: two look-ups of eight, of which bit 3 of a place chooses one. */
EC_INLINE __m256 ec_look_up_f32x8(const float *entries, __m256i places) {
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(entries), places);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(entries + 8), places);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(places, 28)));
}

#endif
