/* Bit packing with AVX-512, 16 comparisons an instruction. Their masks are gathered in words, and then the bits of 64
 * bytes at a time are reversed.
 *
 *     16 floats > t  ->  16 mask bits  -+
 *     16 floats > t  ->  16 mask bits   |   64 bits, first dimension lowest  ->  each byte's bits reversed (msb)
 *     16 floats > t  ->  16 mask bits   |
 *     16 floats > t  ->  16 mask bits  -+ */
#include "bits.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum { BLOCK = 4096, WORDS = BLOCK / 64 }; /* dimensions of a block, whose words stay in the first-level cache */

/* Matrices for gf2p8affineqb: they move bit i of a byte to 7 - i, or keep it. */
#define REVERSE_BITS 0x8040201008040201
#define KEEP_BITS 0x0102040810204080

EC_INLINE __m512i order_u8x64(uint32_t flags) {
    return _mm512_set1_epi64((long long)(flags & EC_BITS_LSB ? KEEP_BITS : REVERSE_BITS));
}

EC_INLINE __m512i offset_u8x64(uint32_t flags) { return _mm512_set1_epi8((char)(flags & EC_BITS_OFFSET ? 0x80 : 0)); }

EC_INLINE uint64_t first_bits(int64_t n) { return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1; }

/* 64 comparisons, of which those in `used` count. x * 0 is NaN for every x that is not finite, and `poison` keeps
 * it. */
EC_INLINE uint64_t compare_64(const char *values, uint64_t used, __m512 threshold, int inclusive, __m512 poison[4]) {
    uint64_t word = 0;
    for (int i = 0; i < 4; i++) {
        __mmask16 mask = (__mmask16)(used >> 16 * i);
        __m512 x = _mm512_maskz_loadu_ps(mask, values + 64 * i);
        __mmask16 set = inclusive ? _mm512_mask_cmp_ps_mask(mask, x, threshold, _CMP_GE_OQ)
                                  : _mm512_mask_cmp_ps_mask(mask, x, threshold, _CMP_GT_OQ);
        poison[i] = _mm512_fmadd_ps(x, _mm512_setzero_ps(), poison[i]);
        word |= (uint64_t)set << 16 * i;
    }
    return word;
}

EC_INLINE int pack(const void *values, int64_t count, float threshold, int inclusive, uint32_t flags, uint8_t *packed) {
    const char *from = values;
    const __m512 threshold_f32x16 = _mm512_set1_ps(threshold);
    const __m512i order = order_u8x64(flags), offset = offset_u8x64(flags);
    __m512 poison[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    uint64_t words[WORDS];
    for (; count > 0; count -= BLOCK, from += 4 * BLOCK, packed += BLOCK / 8) {
        int64_t used = count < BLOCK ? count : BLOCK, full = used / 64;
        for (int64_t w = 0; w < full; w++) {
            ec_ask_ahead(from + 256 * w, 256);
            words[w] = compare_64(from + 256 * w, ~(uint64_t)0, threshold_f32x16, inclusive, poison);
        }
        if (used % 64)
            words[full] = compare_64(from + 256 * full, first_bits(used % 64), threshold_f32x16, inclusive, poison);
        int64_t bytes = (used + 7) / 8;
        for (int64_t i = 0; i < bytes; i += 64) {
            uint64_t mask = first_bits(bytes - i);
            __m512i bits_u8x64 = _mm512_maskz_loadu_epi8(mask, (const char *)words + i);
            bits_u8x64 = _mm512_gf2p8affine_epi64_epi8(bits_u8x64, order, 0);
            _mm512_mask_storeu_epi8(packed + i, mask, _mm512_xor_si512(bits_u8x64, offset));
        }
    }
    __m512 all = _mm512_add_ps(_mm512_add_ps(poison[0], poison[1]), _mm512_add_ps(poison[2], poison[3]));
    return _mm512_cmp_ps_mask(all, all, _CMP_UNORD_Q) == 0;
}

static int pack_bits_f32_avx512(const void *values, int64_t count, float threshold, uint32_t flags, uint8_t *packed) {
    return flags & EC_BITS_INCLUSIVE ? pack(values, count, threshold, 1, flags, packed)
                                     : pack(values, count, threshold, 0, flags, packed);
}

/* The next 64 bits, the first dimension lowest. */
EC_INLINE uint64_t next_word(const uint8_t *packed, int64_t bytes, __m512i order, __m512i offset) {
    __m128i bits_u8x16 = _mm_maskz_loadu_epi8((__mmask16)(first_bits(bytes) & 0xff), packed);
    bits_u8x16 = _mm_xor_si128(bits_u8x16, _mm512_castsi512_si128(offset));
    return (uint64_t)_mm_cvtsi128_si64(_mm_gf2p8affine_epi64_epi8(bits_u8x16, _mm512_castsi512_si128(order), 0));
}

static void unpack_bits_u8_avx512(const uint8_t *packed, int64_t count, uint32_t flags, uint8_t *values) {
    const __m512i order = order_u8x64(flags), offset = offset_u8x64(flags);
    int64_t i = 0;
    for (; i + 64 <= count; i += 64) {
        uint64_t word = next_word(packed + i / 8, 8, order, offset);
        _mm512_storeu_si512(values + i, _mm512_maskz_set1_epi8(word, 1));
    }
    if (i == count) return;
    uint64_t word = next_word(packed + i / 8, (count - i + 7) / 8, order, offset);
    _mm512_mask_storeu_epi8(values + i, first_bits(count - i), _mm512_maskz_set1_epi8(word, 1));
}

EC_INLINE __m512 signs_16(uint64_t word, int i) {
    return _mm512_mask_blend_ps((__mmask16)(word >> 16 * i), _mm512_set1_ps(-1.0f), _mm512_set1_ps(1.0f));
}

/* Masked stores are used only at the end, since they may stall where plain ones do not. */
static void unpack_bits_f32_avx512(const uint8_t *packed, int64_t count, uint32_t flags, void *values) {
    const __m512i order = order_u8x64(flags), offset = offset_u8x64(flags);
    char *to = values;
    int64_t i = 0;
    for (; i + 64 <= count; i += 64) {
        uint64_t word = next_word(packed + i / 8, 8, order, offset);
        for (int j = 0; j < 4; j++) _mm512_storeu_ps(to + 4 * i + 64 * j, signs_16(word, j));
    }
    if (i == count) return;
    uint64_t word = next_word(packed + i / 8, (count - i + 7) / 8, order, offset), used = first_bits(count - i);
    for (int j = 0; j < 4; j++)
        _mm512_mask_storeu_ps(to + 4 * i + 64 * j, (__mmask16)(used >> 16 * j), signs_16(word, j));
}

EC_SLOTS(bits, avx512) {
    table->pack_bits_f32 = pack_bits_f32_avx512;
    table->unpack_bits_u8 = unpack_bits_u8_avx512;
    table->unpack_bits_f32 = unpack_bits_f32_avx512;
}

EC_TARGET_END
#endif
