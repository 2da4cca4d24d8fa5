/* Noise shaping: levels that are not the nearest each, but together err less in the directions in which queries reach.
 * A row's error e = s l - z, with its values z and levels l, costs m |e|^2 + |V^T e|^2. The loops go through the
 * dimensions one after the other and take the level that makes the cost least while all others stay. */
#ifndef EC_SHAPE_H
#define EC_SHAPE_H

#include "../lowbit/lowbit.h"

enum {
    EC_SUMS = 16,
    EC_SHAPED_AT_ONCE = 32, /* dimensions that all rows meet in turn: 16 KB of V, in the first-level cache */
};

struct ec_shape {
    int64_t dimension, directions; /* a multiple of 64 */
    const float *panels;           /* (directions / 64, dimension, 64): V */
    const float *inverses;         /* (dimension,): 1 / (m + |V_j|^2) */
    float rest;                    /* m */
};

#endif
