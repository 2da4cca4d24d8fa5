/* Base64 with AVX-512 VBMI, 48 bytes <-> 64 characters a step, by the method of W. Mula and D. Lemire (arXiv
 * 1910.05109): one byte permutation spreads, one looks up all 64 characters. */
#include "groups.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* Encodes 48 bytes. In each group of 32 bits, bytes as in memory, bits of each from the highest:
 *
 *     bytes           aaaaaabb  bbbbcccc  ccdddddd
 *     spread (vpermb) bbbbcccc  aaaaaabb  ccdddddd  bbbbcccc     bytes 1, 0, 2, 1: as 16-bit words, b and c are whole
 *     vpmultishiftqb  ??aaaaaa  ??bbbbbb  ??cccccc  ??dddddd     from bits 10, 4, 22, 16 of the group
 *     vpermb          the characters: it uses only six bits of an index */
EC_INLINE __m512i encode_block(__m512i bytes_u8x64) {
    const __m512i spread_u8x64 =
        _mm512_set_epi8(46, 47, 45, 46, 43, 44, 42, 43, 40, 41, 39, 40, 37, 38, 36, 37, 34, 35, 33, 34, 31, 32, 30, 31,
                        28, 29, 27, 28, 25, 26, 24, 25, 22, 23, 21, 22, 19, 20, 18, 19, 16, 17, 15, 16, 13, 14, 12, 13,
                        10, 11, 9, 10, 7, 8, 6, 7, 4, 5, 3, 4, 1, 2, 0, 1);
    const __m512i shifts_u8x64 = _mm512_set1_epi64(0x3036242a1016040a);
    const __m512i characters_u8x64 = _mm512_loadu_si512(ec_base64_characters);
    __m512i groups_u32x16 = _mm512_permutexvar_epi8(spread_u8x64, bytes_u8x64);
    __m512i sixes_u8x64 = _mm512_multishift_epi64_epi8(shifts_u8x64, groups_u32x16);
    return _mm512_permutexvar_epi8(sixes_u8x64, characters_u8x64);
}

static void encode_avx512(const uint8_t *bytes, int64_t n, uint8_t *text) {
    int64_t i = 0;
    for (; i + 64 <= n; i += 48, text += 64) _mm512_storeu_si512(text, encode_block(_mm512_loadu_si512(bytes + i)));
    for (; i < n; i += 48, text += 64) {
        int64_t rest = n - i < 48 ? n - i : 48;
        __m512i block_u8x64 = encode_block(_mm512_maskz_loadu_epi8(_bzhi_u64(~0ull, (uint32_t)rest), bytes + i));
        _mm512_mask_storeu_epi8(text, _bzhi_u64(~0ull, (uint32_t)(rest / 3 * 4)), block_u8x64);
    }
}

/* The values of 64 characters. A character that is not in the alphabet sets the top bit of its byte in *bad: the
 * table's value has it or, if the character is not ASCII, the character itself (the look-up uses seven bits). */
EC_INLINE __m512i decode_values(__m512i text_u8x64, __m512i low_u8x64, __m512i high_u8x64, __m512i *bad_u8x64) {
    __m512i values_u8x64 = _mm512_permutex2var_epi8(low_u8x64, text_u8x64, high_u8x64);
    *bad_u8x64 =
        _mm512_ternarylogic_epi32(*bad_u8x64, text_u8x64, values_u8x64, 0xfe); /* the bitwise or of all three */
    return values_u8x64;
}

/* Packs the values of 64 characters into 48 bytes.
 *
 *     values       00aaaaaa  00bbbbbb  00cccccc  00dddddd
 *     vpmaddubsw   0000aaaaaabbbbbb    0000ccccccdddddd          a * 64 + b in 16 bits
 *     vpmaddwd     00000000aaaaaabbbbbbccccccdddddd              ab * 4096 + cd in 32 bits
 *     vpermb       aaaaaabb  bbbbcccc  ccdddddd                  bytes 2, 1, 0 of each group, side by side */
EC_INLINE __m512i decode_block(__m512i values_u8x64) {
    const __m512i pack_u8x64 =
        _mm512_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 61, 62, 56, 57, 58, 52, 53, 54, 48, 49, 50,
                        44, 45, 46, 40, 41, 42, 36, 37, 38, 32, 33, 34, 28, 29, 30, 24, 25, 26, 20, 21, 22, 16, 17, 18,
                        12, 13, 14, 8, 9, 10, 4, 5, 6, 0, 1, 2);
    __m512i pairs_u16x32 = _mm512_maddubs_epi16(values_u8x64, _mm512_set1_epi32(0x01400140));
    __m512i groups_u32x16 = _mm512_madd_epi16(pairs_u16x32, _mm512_set1_epi32(0x00011000));
    return _mm512_permutexvar_epi8(pack_u8x64, groups_u32x16);
}

static int64_t decode_avx512(const uint8_t *text, int64_t n, uint8_t *bytes, int32_t flags) {
    const uint8_t *values = ec_base64_table(flags);
    const __m512i low_u8x64 = _mm512_loadu_si512(values), high_u8x64 = _mm512_loadu_si512(values + 64);
    int64_t i = 0;
    /* Four steps, then one look at `bad`. Each store writes 64 bytes, 16 more than it has. The next store overwrites
     * these, so that they must have room behind the fourth. */
    for (; i + 256 + 24 <= n; i += 256, bytes += 192) {
        __m512i bad_u8x64 = _mm512_setzero_si512();
        for (int k = 0; k < 4; k++) {
            __m512i text_u8x64 = _mm512_loadu_si512(text + i + 64 * k);
            __m512i values_u8x64 = decode_values(text_u8x64, low_u8x64, high_u8x64, &bad_u8x64);
            _mm512_storeu_si512(bytes + 48 * k, decode_block(values_u8x64));
        }
        if (EC_UNLIKELY(_mm512_movepi8_mask(bad_u8x64))) return i;
    }
    for (; i < n; i += 64, bytes += 48) {
        uint32_t rest = (uint32_t)(n - i < 64 ? n - i : 64);
        __mmask64 taken = _bzhi_u64(~0ull, rest);
        __m512i bad_u8x64 = _mm512_setzero_si512();
        __m512i text_u8x64 = _mm512_mask_loadu_epi8(_mm512_set1_epi8('A'), taken, text + i);
        __m512i values_u8x64 = decode_values(text_u8x64, low_u8x64, high_u8x64, &bad_u8x64);
        if (EC_UNLIKELY(_mm512_movepi8_mask(bad_u8x64))) return i;
        _mm512_mask_storeu_epi8(bytes, _bzhi_u64(~0ull, rest / 4 * 3), decode_block(values_u8x64));
    }
    return n;
}

EC_TARGET_END

EC_SLOTS(base64, avx512) {
    table->base64_encode = encode_avx512;
    table->base64_decode = decode_avx512;
}
#endif
