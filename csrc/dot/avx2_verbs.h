/* Small verbs that the AVX2 dots share. */
#ifndef EC_DOT_AVX2_VERBS_H
#define EC_DOT_AVX2_VERBS_H

#include "strips.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* Sixteen bytes, or the first n < 16 and zeros. */
EC_INLINE __m128i load_16(const uint8_t *p, int64_t n) {
    if (n >= 16) return _mm_loadu_si128((const __m128i *)p);
    uint8_t bytes[16];
    ec_copy_16(bytes, p, n);
    return _mm_loadu_si128((const __m128i *)bytes);
}

/* The sum of eight lanes. */
EC_INLINE int32_t sum_i32x8(__m256i x) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

/* Prefetches into the second-level cache: the hint of the tile slots. */
EC_INLINE void ask_for(const void *ahead, int64_t n_bytes) {
    for (int64_t i = 0; i < n_bytes; i += 64) _mm_prefetch((const char *)ahead + i, _MM_HINT_T1);
}

EC_TARGET_END

#endif
#endif
