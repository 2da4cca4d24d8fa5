/* For the AVX2 tile of dot_u1, where many queries meet rows: look-ups of which 16 bits are a row. The tables of a query
 * are odd, the entry of a nibble being minus that of the nibble with all four bits inverted. So half of the entries are
 * enough, and vpshufb, which knows sixteen, looks up the nibbles of two neighbouring bytes at once. vpmaddubsw
 * multiplies both entries by their signs and adds them up.
 *
 *     nibbles of two bytes of 16 rows           places, a byte a nibble          signs
 *     r0: 0abc 1def                      ->     0~a~b~c 1def | r1 ...            -1 +1 | r1 ...
 *
 * Entries are unsigned, 128 more than they mean, so that a sum has 128 times the sum of a row's signs too much. Sums are
 * right modulo 2^16, and those of EC_WORDS_PIECE bytes fit 16 bits. */
#ifndef EC_DOT_U1_AVX2_WORDS_H
#define EC_DOT_U1_AVX2_WORDS_H

#include "../hamming/avx2_nibbles.h"
#include "dot_u1.h"

enum {
    EC_WORDS_QUERIES = 12, /* from so many on a batch meets rows so: fewer are not worth the places and signs */
    EC_WORDS_PIECE = 128   /* bytes of a row: 256 look-ups of at most 127 */
};

enum { EC_WORDS_SIDE = 4 }; /* queries whose tables lie side by side, in half of their room */

/* Tables in the form of ec_tile_words_avx2(). Queries that are prepared so say it: no entry of a table is 0, and here
 * the last byte of the room of each four queries, or of the last ones, is. */
void ec_prepare_words_avx2(const void *tables, int64_t n_queries, int64_t width, int64_t twice, void *prepared);

EC_INLINE int ec_are_words(const void *prepared, int64_t n_queries, int64_t query_bytes) {
    return n_queries > 0 && ((const uint8_t *)prepared)[ec_min_i64(n_queries, EC_WORDS_SIDE) * query_bytes - 1] == 0;
}

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* Whether one of a group's totals is above the limit. */
EC_INLINE int ec_any_above_avx2(const int32_t totals[EC_NEAR_ROWS], int32_t limit) {
    __m256i most_i32x8 = _mm256_loadu_si256((const __m256i *)(const void *)totals);
#pragma GCC unroll 8
    for (int i = 8; i < EC_NEAR_ROWS; i += 8)
        most_i32x8 = _mm256_max_epi32(most_i32x8, _mm256_loadu_si256((const __m256i *)(const void *)(totals + i)));
    return _mm256_movemask_epi8(_mm256_cmpgt_epi32(most_i32x8, _mm256_set1_epi32(limit))) != 0;
}

EC_TARGET_END
#endif

/* The slot dot_u1_tile, of such queries and panels of nibbles. */
void ec_tile_words_avx2(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        int64_t twice, const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                        const void *ahead, int64_t ahead_bytes);

#endif
