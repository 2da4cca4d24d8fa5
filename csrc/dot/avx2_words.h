/* Words of 32 bits, the codes of four dimensions or a float, of several rows side by side: small verbs that the dots of
 * AVX2 and of the tier avxvnni share. */
#ifndef EC_DOT_AVX2_WORDS_H
#define EC_DOT_AVX2_WORDS_H

#include "dot.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

EC_INLINE __m256i ec_load_32(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }

/* The n <= 32 bytes at p; those behind them are 0. */
EC_INLINE __m256i ec_load_up_to_32(const uint8_t *p, int64_t n) {
    uint8_t bytes[32] = {0};
    if (n == 32) return ec_load_32(p);
    memcpy(bytes, p, (size_t)n);
    return ec_load_32(bytes);
}

/* The 8 x 8 transpose of 32-bit words, in place: of pairs, of fours within 128-bit lanes, and of the lanes. */
EC_INLINE void ec_transpose_u32x8(__m256i v[8]) {
    __m256i t[8];
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        const __m256i ab_low = _mm256_unpacklo_epi32(v[i], v[i + 1]), ab_high = _mm256_unpackhi_epi32(v[i], v[i + 1]);
        const __m256i cd_low = _mm256_unpacklo_epi32(v[i + 2], v[i + 3]),
                      cd_high = _mm256_unpackhi_epi32(v[i + 2], v[i + 3]);
        t[i] = _mm256_unpacklo_epi64(ab_low, cd_low);
        t[i + 1] = _mm256_unpackhi_epi64(ab_low, cd_low);
        t[i + 2] = _mm256_unpacklo_epi64(ab_high, cd_high);
        t[i + 3] = _mm256_unpackhi_epi64(ab_high, cd_high);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        v[j] = _mm256_permute2x128_si256(t[j], t[4 + j], 0x20);
        v[4 + j] = _mm256_permute2x128_si256(t[j], t[4 + j], 0x31);
    }
}

/* The same of floats, whose bits are moved and not looked at. */
EC_INLINE void ec_transpose_f32x8(__m256 v[8]) {
    __m256i words_u32x8[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) words_u32x8[i] = _mm256_castps_si256(v[i]);
    ec_transpose_u32x8(words_u32x8);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) v[i] = _mm256_castsi256_ps(words_u32x8[i]);
}

EC_TARGET_END

#endif
#endif
