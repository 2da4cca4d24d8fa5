/* Base64 with AVX2, 24 bytes <-> 32 characters a step, by the method of W. Mula and D. Lemire (arXiv 1704.00605):
 * shuffles and multiplications move the bits, and a look-up by ranges of characters replaces a table of 64. */
#include <stdbool.h>

#include "groups.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

EC_INLINE __m256i twice(int8_t a, int8_t b, int8_t c, int8_t d, int8_t e, int8_t f, int8_t g, int8_t h, int8_t i,
                        int8_t j, int8_t k, int8_t l, int8_t m, int8_t n, int8_t o, int8_t p) {
    return _mm256_setr_epi8(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o,
                            p);
}

/* Loads twelve bytes a lane: into the first those from `bytes` on, which shuffle takes from its start, into the second
 * the last sixteen of the 24, of which it takes the last twelve. So no byte behind the 24 is read. */
EC_INLINE __m256i load_24(const uint8_t *bytes) {
    __m128i first_u8x16 = _mm_loadu_si128((const __m128i *)bytes);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first_u8x16), _mm_loadu_si128((const __m128i *)(bytes + 8)),
                                   1);
}

/* Encodes 24 bytes. In each group of 32 bits, bytes as in memory:
 *
 *     bytes             aaaaaabb  bbbbcccc  ccdddddd
 *     spread (vpshufb)  bbbbcccc  aaaaaabb  ccdddddd  bbbbcccc      as 16-bit words: aaaaaabbbbbbcccc  bbbbccccccdddddd
 *     a, c              the high half of a product is a shift right, by 10 and 6
 *     b, d              the low half of a product is a shift left, by 4 and 8, into the upper byte of each word
 *     sixes             00aaaaaa  00bbbbbb  00cccccc  00dddddd */
EC_INLINE __m256i encode_block(__m256i bytes_u8x32) {
    const __m256i spread_u8x32 = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, /* first lane */
                                                  5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14);
    __m256i groups_u16x16 = _mm256_shuffle_epi8(bytes_u8x32, spread_u8x32);
    __m256i a_c_u16x16 = _mm256_mulhi_epu16(_mm256_and_si256(groups_u16x16, _mm256_set1_epi32(0x0fc0fc00)),
                                            _mm256_set1_epi32(0x04000040));
    __m256i b_d_u16x16 = _mm256_mullo_epi16(_mm256_and_si256(groups_u16x16, _mm256_set1_epi32(0x003f03f0)),
                                            _mm256_set1_epi32(0x01000010));
    __m256i sixes_u8x32 = _mm256_or_si256(a_c_u16x16, b_d_u16x16);

    /* The distance from six bits to their character depends on a range: 0..25 is class 13, 26..51 is class 0, and 52 to
     * 63 have a class each. */
    const __m256i distances_i8x32 = twice('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                          '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    __m256i classes_u8x32 = _mm256_subs_epu8(sixes_u8x32, _mm256_set1_epi8(51));
    __m256i upper_u8x32 = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), sixes_u8x32);
    classes_u8x32 = _mm256_or_si256(classes_u8x32, _mm256_and_si256(upper_u8x32, _mm256_set1_epi8(13)));
    return _mm256_add_epi8(sixes_u8x32, _mm256_shuffle_epi8(distances_i8x32, classes_u8x32));
}

static void encode_avx2(const uint8_t *bytes, int64_t n, uint8_t *text) {
    int64_t i = 0;
    for (; i + 24 <= n; i += 24, text += 32) _mm256_storeu_si256((__m256i *)text, encode_block(load_24(bytes + i)));
    if (i == n) return;
    if (n < 24) {
        ec_base64_encode_scalar(bytes, n, text);
        return;
    }
    /* The last step ends where the text ends, and writes some characters again. */
    int64_t back = (24 - (n - i)) / 3;
    _mm256_storeu_si256((__m256i *)(text - 4 * back), encode_block(load_24(bytes + i - 3 * back)));
}

/* How the characters of an alphabet follow from their two nibbles. The upper nibble chooses the distance to the value,
 * and the set of lower nibbles that are refused. The one character that is apart from the others of its upper nibble
 * chooses its distance as if the nibble were 8 more. */
typedef struct {
    __m256i refused_by_lower_u8x32, refused_by_upper_u8x32, distances_i8x32, special_u8x32;
} alphabet;

/* The classes of refused lower nibbles, a bit each:
 *
 *     upper nibble  standard              URL-safe          refused lower nibbles
 *     2             + (2b), / (2f)        - (2d)            0x01 all but b, f  | 0x20 all but d
 *     3             0 to 9                0 to 9            0x02 a to f
 *     4, 6          A to O, a to o        the same          0x04 0
 *     5             P to Z                P to Z, _ (5f)    0x08 b to f        | 0x40 b to e
 *     7             p to z                p to z            0x08 b to f
 *     the rest      none                  none              0x10 all */
EC_INLINE alphabet alphabet_of(int32_t flags) {
    alphabet a;
    bool urlsafe = (flags & EC_BASE64_URLSAFE) != 0;
    a.refused_by_lower_u8x32 =
        twice(0x35, 0x31, 0x31, 0x31, 0x31, 0x31, 0x31, 0x31, 0x31, 0x31, 0x33, 0x7a, 0x7b, 0x5b, 0x7b, 0x3a);
    a.refused_by_upper_u8x32 = twice(0x10, 0x10, urlsafe ? 0x20 : 0x01, 0x02, 0x04, urlsafe ? 0x40 : 0x08, 0x04, 0x08,
                                     0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    a.distances_i8x32 = twice(0, 0, urlsafe ? 62 - '-' : 62 - '+', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a', 0, 0,
                              63 - '/', 0, 0, 63 - '_', 0, 0);
    a.special_u8x32 = _mm256_set1_epi8(urlsafe ? '_' : '/');
    return a;
}

/* The values of 32 characters. A character that is not in the alphabet sets bits in its byte of *bad. */
EC_INLINE __m256i decode_values(__m256i text_u8x32, const alphabet *a, __m256i *bad_u8x32) {
    const __m256i nibble = _mm256_set1_epi8(0x0f);
    __m256i upper_u8x32 = _mm256_and_si256(_mm256_srli_epi32(text_u8x32, 4), nibble);
    __m256i lower_u8x32 = _mm256_and_si256(text_u8x32, nibble);
    __m256i special_u8x32 = _mm256_and_si256(_mm256_cmpeq_epi8(text_u8x32, a->special_u8x32), _mm256_set1_epi8(8));
    __m256i distances_i8x32 = _mm256_shuffle_epi8(a->distances_i8x32, _mm256_or_si256(upper_u8x32, special_u8x32));
    *bad_u8x32 =
        _mm256_or_si256(*bad_u8x32, _mm256_and_si256(_mm256_shuffle_epi8(a->refused_by_lower_u8x32, lower_u8x32),
                                                     _mm256_shuffle_epi8(a->refused_by_upper_u8x32, upper_u8x32)));
    return _mm256_add_epi8(text_u8x32, distances_i8x32);
}

/* Packs the values of 32 characters into 24 bytes.
 *
 *     values       00aaaaaa  00bbbbbb  00cccccc  00dddddd
 *     vpmaddubsw   0000aaaaaabbbbbb    0000ccccccdddddd          a * 64 + b in 16 bits
 *     vpmaddwd     00000000aaaaaabbbbbbccccccdddddd              ab * 4096 + cd in 32 bits
 *     vpshufb      aaaaaabb  bbbbcccc  ccdddddd                  bytes 2, 1, 0 of each group, twelve a lane
 *     vpermd       the twelve bytes of both lanes side by side */
EC_INLINE __m256i decode_block(__m256i values_u8x32) {
    const __m256i pack_u8x32 = twice(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    __m256i pairs_u16x16 = _mm256_maddubs_epi16(values_u8x32, _mm256_set1_epi32(0x01400140));
    __m256i groups_u32x8 = _mm256_madd_epi16(pairs_u16x16, _mm256_set1_epi32(0x00011000));
    __m256i packed_u8x32 = _mm256_shuffle_epi8(groups_u32x8, pack_u8x32);
    return _mm256_permutevar8x32_epi32(packed_u8x32, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
}

EC_INLINE void store_24(uint8_t *bytes, __m256i block_u8x32) {
    _mm_storeu_si128((__m128i *)bytes, _mm256_castsi256_si128(block_u8x32));
    _mm_storel_epi64((__m128i *)(bytes + 16), _mm256_extracti128_si256(block_u8x32, 1));
}

static int64_t decode_avx2(const uint8_t *text, int64_t n, uint8_t *bytes, int32_t flags) {
    if (n < 32) return ec_base64_decode_scalar(text, n, bytes, flags);
    const alphabet a = alphabet_of(flags);
    int64_t i = 0;
    /* Each store writes 32 bytes, 8 more than it has. The next store overwrites these, so that they must have room
     * behind the fourth. */
    for (; i + 128 + 12 <= n; i += 128, bytes += 96) {
        __m256i bad_u8x32 = _mm256_setzero_si256();
        for (int k = 0; k < 4; k++) {
            __m256i text_u8x32 = _mm256_loadu_si256((const __m256i *)(text + i + 32 * k));
            __m256i values_u8x32 = decode_values(text_u8x32, &a, &bad_u8x32);
            _mm256_storeu_si256((__m256i *)(bytes + 24 * k), decode_block(values_u8x32));
        }
        if (EC_UNLIKELY(!_mm256_testz_si256(bad_u8x32, bad_u8x32))) return i;
    }
    while (i < n) {
        /* The last step ends where the text ends, and decodes some groups again. */
        int64_t back = n - i < 32 ? (32 - (n - i)) / 4 : 0;
        __m256i bad_u8x32 = _mm256_setzero_si256();
        __m256i text_u8x32 = _mm256_loadu_si256((const __m256i *)(text + i - 4 * back));
        __m256i values_u8x32 = decode_values(text_u8x32, &a, &bad_u8x32);
        if (EC_UNLIKELY(!_mm256_testz_si256(bad_u8x32, bad_u8x32))) return i;
        store_24(bytes - 3 * back, decode_block(values_u8x32));
        i += 32 - 4 * back;
        bytes += 24;
    }
    return n;
}

EC_TARGET_END

EC_SLOTS(base64, avx2) {
    table->base64_encode = encode_avx2;
    table->base64_decode = decode_avx2;
}
#endif
