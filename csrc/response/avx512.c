/* Ends of strings and lists with AVX-512, 64 bytes a step; the tail is read by a masked load. */
#include "../kernels.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* A bit for each byte that is '"', '\\', a control character, or not ASCII. */
EC_INLINE uint64_t string_stops(__m512i chars_u8x64) {
    return _mm512_cmpeq_epi8_mask(chars_u8x64, _mm512_set1_epi8('"')) |
           _mm512_cmpeq_epi8_mask(chars_u8x64, _mm512_set1_epi8('\\')) |
           _mm512_cmplt_epi8_mask(chars_u8x64, _mm512_set1_epi8(0x20)); /* signed: 0x80 .. are negative */
}

EC_INLINE __mmask64 tail_mask(int64_t left) { return (uint64_t)-1 >> (64 - left); }

static int64_t string_end_avx512(const uint8_t *text, int64_t n) {
    int64_t at = 0;
    for (; at + 64 <= n; at += 64) {
        uint64_t stops = string_stops(_mm512_loadu_si512(text + at));
        if (stops) return at + ec_trailing_zeros_u64(stops);
    }
    if (at == n) return n;
    __mmask64 tail = tail_mask(n - at);
    uint64_t stops = tail & string_stops(_mm512_maskz_loadu_epi8(tail, text + at));
    return stops ? at + ec_trailing_zeros_u64(stops) : n;
}

static int64_t list_end_avx512(const uint8_t *text, int64_t n) {
    const __m512i bracket_u8x64 = _mm512_set1_epi8(']');
    int64_t at = 0;
    for (; at + 64 <= n; at += 64) {
        uint64_t stops = _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(text + at), bracket_u8x64);
        if (stops) return at + ec_trailing_zeros_u64(stops);
    }
    if (at == n) return n;
    __mmask64 tail = tail_mask(n - at);
    uint64_t stops = _mm512_cmpeq_epi8_mask(_mm512_maskz_loadu_epi8(tail, text + at), bracket_u8x64);
    return stops ? at + ec_trailing_zeros_u64(stops) : n;
}

EC_TARGET_END

EC_SLOTS(response, avx512) {
    table->string_end = string_end_avx512;
    table->list_end = list_end_avx512;
}
#endif
