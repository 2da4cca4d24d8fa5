/* The CRC-32 by products of polynomials: four vectors of 128 bits are folded onto the next 512 bits again and again,
 * then into one vector, which is reduced.
 *
 *     | x0 | x1 | x2 | x3 |  a block of 64 bytes
 *       each half times x^(512 +- 32) mod P  +  | y0 | y1 | y2 | y3 |  the next block
 *
 * Method and bit-reflected factors are those of Gopal and others, "Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ", Intel 2009. */
#include "crc32.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

EC_INLINE __m128i load(const uint8_t *bytes) { return _mm_loadu_si128((const __m128i *)(const void *)bytes); }

EC_INLINE __m128i fold(__m128i x, __m128i factors, __m128i next) {
    const __m128i low = _mm_clmulepi64_si128(x, factors, 0x00), high = _mm_clmulepi64_si128(x, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* The remainder of 128 bits by P: reduced to 64 bits, then by Barrett's method. */
EC_INLINE uint32_t reduce(__m128i x, __m128i by_128) {
    const __m128i halves = _mm_setr_epi32(~0, 0, ~0, 0);
    const __m128i by_64 = _mm_set_epi64x(0, 0x0163cd6124), barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    x = _mm_xor_si128(_mm_srli_si128(x, 8), _mm_clmulepi64_si128(x, by_128, 0x10));
    x = _mm_xor_si128(_mm_srli_si128(x, 4), _mm_clmulepi64_si128(_mm_and_si128(x, halves), by_64, 0x00));
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(x, halves), barrett, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, halves), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(x, quotient), 1);
}

static uint32_t crc32(uint32_t remainder, const uint8_t *bytes, int64_t n) {
    const __m128i by_512 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i by_128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    if (n < 64) return ec_crc32_scalar(remainder, bytes, n);
    __m128i x0 = load(bytes), x1 = load(bytes + 16), x2 = load(bytes + 32), x3 = load(bytes + 48);
    x0 = _mm_xor_si128(x0, _mm_cvtsi32_si128((int)remainder));
    for (bytes += 64, n -= 64; n >= 64; bytes += 64, n -= 64) {
        x0 = fold(x0, by_512, load(bytes));
        x1 = fold(x1, by_512, load(bytes + 16));
        x2 = fold(x2, by_512, load(bytes + 32));
        x3 = fold(x3, by_512, load(bytes + 48));
    }
    x0 = fold(fold(fold(x0, by_128, x1), by_128, x2), by_128, x3);
    for (; n >= 16; bytes += 16, n -= 16) x0 = fold(x0, by_128, load(bytes));
    return ec_crc32_scalar(reduce(x0, by_128), bytes, n);
}

EC_SLOTS(crc32, avx2) { table->crc32 = crc32; }

EC_TARGET_END
#endif
