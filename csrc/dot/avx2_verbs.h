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

/* Adds to each lane of *sums. With the intrinsics GCC adds products to one another first and has no registers left for
 * all sums. */
EC_INLINE void ec_add_i32x8(__m256i *sums, __m256i products) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpaddd %1, %0, %0" : "+x"(*sums) : "x"(products));
#else
    *sums = _mm256_add_epi32(*sums, products);
#endif
}

/* The sum of eight lanes. */
EC_INLINE int32_t sum_i32x8(__m256i x) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

/* Prefetches memory into the second-level cache, a share a call, so that neither memory nor arithmetic waits. */
typedef struct {
    const char *next, *end;
    int64_t share;
} ec_ahead;

EC_INLINE ec_ahead ec_ahead_of(const void *ahead, int64_t n_bytes, int64_t n_calls) {
    ec_ahead a = {ahead, (const char *)ahead + n_bytes, ec_round_up(n_bytes / n_calls + 1, 64)};
    return a;
}

EC_INLINE void ec_ahead_step(ec_ahead *a) {
    const char *end = a->end - a->next > a->share ? a->next + a->share : a->end;
    for (; a->next < end; a->next += 64) _mm_prefetch(a->next, _MM_HINT_T1);
}

EC_TARGET_END

#endif
#endif
