/* Shared by the tiers of lowbit, which code rows of floats to one, two or four bits a dimension, after products with
 * matrices.
 *
 * A panel holds the weights of 64 results for each of `inner` values, (inner, 64) float32. A tile of rows meets it
 * value by value, with the sums of its results in registers.
 *
 *     row  x0 x1 x2 ...         panel  | w00 .. w0,63 |
 *                                      | w10 .. w1,63 |     sums += x0 * w0*, then x1 * w1*, ... */
#ifndef EC_LOWBIT_H
#define EC_LOWBIT_H

#include "../bits/bits.h"
#include "../dot/dot.h"

enum {
    EC_PANEL = 64,
    EC_PANEL_PIECE = 128, /* values that all rows meet in turn: 32 KB of a panel, in the first-level cache */
};

/* The levels in ascending order, and the thresholds between them in the first n_levels - 1 of `edges`. patterns[i] has
 * the bits of level i. */
struct ec_levels {
    int32_t bits, n_levels;
    float edges[16], levels[16];
    uint8_t patterns[16];
};

/* Writes a row less the center, or as it is where there is none. */
void ec_take_center(const char *row, const void *center, int64_t count, char *to);

/* The same of n rows from `begin` on, `stride` bytes apart, and their squared lengths; fails at the first value that is not
 * finite. */
ec_result ec_take_rows(const ec_lowbit_rows *rows, int64_t begin, int64_t n, int64_t dimension, const void *center,
                       char *centred, int64_t stride);

#endif
