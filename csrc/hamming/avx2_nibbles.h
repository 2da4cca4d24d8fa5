/* Panels of nibbles, for the AVX2 tiles of hamming/ and dot_u1/, whose vpshufb looks 32 nibbles up in a table of
 * sixteen bytes. A nibble of 32 rows lies side by side, so that a lane is a row:
 *
 *     rows                     panel, for each 32 rows
 *     r0: b0 b1 b2 ...         b0 >> 4 of r0 ... r31 | b0 & 15 of r0 ... r31 |
 *     r1: b0 b1 b2 ...   ->    b1 >> 4 of r0 ... r31 | b1 & 15 of r0 ... r31 | ...
 */
#ifndef EC_HAMMING_AVX2_NIBBLES_H
#define EC_HAMMING_AVX2_NIBBLES_H

#include "hamming.h"

enum {
    EC_NIBBLE_ROWS = 32,
    EC_NIBBLE_BYTES = 2 * EC_NIBBLE_ROWS /* of a panel, for each byte of 32 rows */
};

/* Packs 32 rows; those from n_rows on, which may be negative, are copies of the row `spare`. */
void ec_pack_32_nibbles_avx2(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, const uint8_t *spare,
                             int64_t width, uint8_t *panel);

/* Makes a panel of whole EC_NEAR_ROWS rows; behind the last row, the first of its EC_NEAR_ROWS is repeated. */
void ec_pack_nibbles_avx2(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel);

#endif
