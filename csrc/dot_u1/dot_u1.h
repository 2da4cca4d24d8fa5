/* Float queries against bits as sums of table look-ups: four bits, a nibble, choose one of the sixteen sums of +-q over
 * their four dimensions, rounded to a byte for the whole query at one scale. Rounding the sums is as exact as rounding the
 * four values themselves to bytes, and needs a quarter of the look-ups. The tables are made by the family of that name. */
#ifndef EC_DOT_U1_H
#define EC_DOT_U1_H

#include "../hamming/hamming.h"

/* Rows of a panel are padded to a multiple of this many, with zeros. */
enum { EC_DOT_U1_LANES = 64 };

/* Pairs of bytes of a row: four nibbles, met by 64 bytes of tables. */
EC_INLINE int64_t ec_quads_u1(int64_t width) { return (width + 1) / 2; }

#endif
