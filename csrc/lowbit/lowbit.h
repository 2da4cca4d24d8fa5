/* One, two and four bits a dimension, and the products before them.
 *
 * A panel is what 64 results take of each of `inner` values, (inner, 64) float32: a tile of rows meets it value by
 * value, with 64 sums a row in registers.
 *
 *     row  x0 x1 x2 ...         panel  | w00 .. w0,63 |
 *                                      | w10 .. w1,63 |     sums += x0 * w0*, then x1 * w1*, ...
 */
#ifndef EC_LOWBIT_H
#define EC_LOWBIT_H

#include "../bits/bits.h"
#include "../dot/dot.h"

enum {
    EC_PANEL = 64,
    EC_PANEL_PIECE = 128, /* values met before the next tile of rows: 32 KB of panel, in L1 */
};

/* The levels in ascending order and the thresholds between them, the first `n_levels` - 1 of `edges`. The bits of level
 * i are those of patterns[i]. */
struct ec_levels {
    int32_t bits, n_levels;
    float edges[16], levels[16];
    uint8_t patterns[16];
};

#endif
