/* Dots of float queries with rows of bits (-1 and +1) as sums of table look-ups: four bits of a row, a nibble, choose
 * one of the sixteen sums of +-q over their four dimensions, rounded to a byte at one scale for the whole query.
 * Rounding the sums is as exact as rounding the four values themselves to bytes, and it needs a quarter of the
 * look-ups. The family tables/ makes the tables. */
#ifndef EC_DOT_U1_H
#define EC_DOT_U1_H

#include "../hamming/hamming.h"

enum {
    EC_DOT_U1_LANES = 64, /* rows of a panel are padded to a multiple of this many */
};

/* The number of pairs of bytes of a row: four nibbles each, met by 64 bytes of tables. */
EC_INLINE int64_t ec_quads_u1(int64_t width) { return (width + 1) / 2; }

#endif
