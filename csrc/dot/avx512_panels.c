/* Packs plain rows into panels of 32-bit words (avx512_panels.h): transposes of 16 rows by 16 words. */
#include "avx512_panels.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* Packs 16 rows of row_bytes, xored with the flip, one vector a word: word n goes to out + n * word_bytes. Rows from
 * n_rows on are zeros. */
EC_INLINE void pack_vector(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, int64_t row_bytes,
                           __m512i flip_u8x64, const ec_word_order *order, int64_t word_bytes, uint8_t *out) {
    for (int64_t d = 0; d < row_bytes; d += 64, out += order->step * word_bytes) {
        const __mmask64 valid = ec_bytes_below(row_bytes - d);
        __m512i words_u32x16[16];
#pragma GCC unroll 16
        for (int r = 0; r < 16; r++)
            words_u32x16[r] =
                _mm512_xor_si512(flip_u8x64, _mm512_maskz_loadu_epi8(r < n_rows ? valid : 0,
                                                                     rows + (r < n_rows ? r : 0) * stride_bytes + d));
        ec_transpose_u32x16(words_u32x16);
        const int64_t n_words = ec_min_i64((row_bytes - d + 3) / 4, 16);
        if (n_words == 16) {
#pragma GCC unroll 16
            for (int w = 0; w < 16; w++) _mm512_store_si512(out + order->start[w] * word_bytes, words_u32x16[w]);
        } else {
            for (int w = 0; w < n_words; w++) _mm512_store_si512(out + order->start[w] * word_bytes, words_u32x16[w]);
        }
    }
}

void ec_dot_pack_words_avx512(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t row_bytes, uint8_t flip,
                              int strip_vectors, const ec_word_order *order, void *panel) {
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)flip);
    uint8_t *strip = panel;
    for (int64_t r = 0; r < n_rows; r += strip_vectors * EC_LANES) {
        const int n_vectors = ec_strip_vectors(n_rows, r, strip_vectors);
        for (int v = 0; v < n_vectors; v++) {
            const int64_t first = r + v * EC_LANES;
            const uint8_t *row = (const uint8_t *)rows + first * stride_bytes;
            if (n_rows - first >= EC_LANES)
                pack_vector(row, stride_bytes, EC_LANES, row_bytes, flip_u8x64, order, n_vectors * 64, strip + v * 64);
            else
                pack_vector(row, stride_bytes, n_rows - first, row_bytes, flip_u8x64, order, n_vectors * 64,
                            strip + v * 64);
        }
        strip += (row_bytes + 3) / 4 * n_vectors * 64;
    }
}

EC_TARGET_END
#endif
