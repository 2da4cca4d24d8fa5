/* Ends of strings and lists with AVX2, 32 bytes a step. The tail is read by a step that overlaps the one before or, in
 * a text of less than 32 bytes, from a copy. */
#include "../kernels.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* A bit for each byte that is '"', '\\', a control character, or not ASCII. */
EC_INLINE uint32_t string_stops(__m256i chars_u8x32) {
    __m256i quote = _mm256_cmpeq_epi8(chars_u8x32, _mm256_set1_epi8('"'));
    __m256i backslash = _mm256_cmpeq_epi8(chars_u8x32, _mm256_set1_epi8('\\'));
    __m256i outside = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), chars_u8x32); /* signed: 0x80 .. are negative */
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, backslash), outside));
}

EC_INLINE uint32_t list_stops(__m256i chars_u8x32) {
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(chars_u8x32, _mm256_set1_epi8(']')));
}

/* The first stop within text[at, n), or n: n - at < 32, and no byte before `at` is a stop. */
#define TAIL_STOP(stops_of)                                                                     \
    do {                                                                                        \
        if (at == n) return n;                                                                  \
        uint32_t stops;                                                                         \
        int64_t from = n - 32;                                                                  \
        if (from >= 0) {                                                                        \
            stops = stops_of(_mm256_loadu_si256((const __m256i *)(const void *)(text + from))); \
        } else {                                                                                \
            uint8_t copy[32] = {0};                                                             \
            from = 0;                                                                           \
            memcpy(copy, text, (size_t)n);                                                      \
            stops = stops_of(_mm256_loadu_si256((const __m256i *)(const void *)copy)) &         \
                    (uint32_t)((UINT64_C(1) << n) - 1);                                         \
        }                                                                                       \
        return stops ? from + ec_trailing_zeros_u64(stops) : n;                                 \
    } while (0)

static int64_t string_end_avx2(const uint8_t *text, int64_t n) {
    int64_t at = 0;
    for (; at + 32 <= n; at += 32) {
        uint32_t stops = string_stops(_mm256_loadu_si256((const __m256i *)(const void *)(text + at)));
        if (stops) return at + ec_trailing_zeros_u64(stops);
    }
    TAIL_STOP(string_stops);
}

static int64_t list_end_avx2(const uint8_t *text, int64_t n) {
    int64_t at = 0;
    for (; at + 32 <= n; at += 32) {
        uint32_t stops = list_stops(_mm256_loadu_si256((const __m256i *)(const void *)(text + at)));
        if (stops) return at + ec_trailing_zeros_u64(stops);
    }
    TAIL_STOP(list_stops);
}

EC_TARGET_END

EC_SLOTS(response, avx2) {
    table->string_end = string_end_avx2;
    table->list_end = list_end_avx2;
}
#endif
