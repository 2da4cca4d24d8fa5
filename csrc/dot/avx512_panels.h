/* Panels of 32-bit words, where a lane is a row, for the tiles of avx512_i8.c and avx512_f32.c.
 *
 * A word is four int8 or one float32, so that both pack alike. Rows come in strips of a few vectors of 16 rows; the
 * last strip has as many vectors as its rows need. Within a strip, word after word, its vectors lie side by side:
 *
 *     rows    r0: w0 w1 w2 ...          panel   w0 of r0..r15 | w0 of r16..r31 | ...
 *             r1: w0 w1 w2 ...                  w1 of r0..r15 | ...
 *
 * so that a tile reads one ascending stream. Lanes behind the last row are 0. */
#ifndef EC_DOT_AVX512_PANELS_H
#define EC_DOT_AVX512_PANELS_H

#include "avx512_verbs.h"

#if defined(EC_X86_64)

/* The order of words in a strip: word 16 i + j of a row becomes word start[j] + i * step. */
typedef struct {
    int64_t start[16], step;
} ec_word_order;

EC_TARGET_AVX512

/* The number of vectors of the strip that starts at row `first`. */
EC_INLINE int ec_strip_vectors(int64_t n_rows, int64_t first, int strip_vectors) {
    return (int)((ec_min_i64(n_rows - first, strip_vectors * EC_LANES) + EC_LANES - 1) / EC_LANES);
}

EC_TARGET_END

void ec_dot_pack_words_avx512(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t row_bytes, uint8_t flip,
                              int strip_vectors, const ec_word_order *order, void *panel);

#endif
#endif
