/* Noise shaping: levels that are not the nearest each, but together err less in the directions in which queries reach.
 * A row's error e = s l - z, with its values z and levels l, costs <e, (m I + U B U^T) e>. The dimensions take, one after
 * the other, the level that makes the cost least while all others stay.
 *
 * The gradient of the cost is m e + U B U^T e. What U^T e gives to the 64 dimensions of a panel is a product of many rows
 * with it; a change within the panel is then brought to the dimensions behind by a row of U B U^T, and to U^T e for the
 * panels to come by a row of U.
 *
 *     U^T e --(gradients)--> U B U^T e of 64 dimensions --(levels change)--> couplings: the rest of the 64
 *       ^                                                       |
 *       +----------------------- shaping -----------------------+
 *
 * Of U B U^T e each dimension has bounds between which its level stays: in most panels of a row few are passed. */
#ifndef EC_SHAPE_H
#define EC_SHAPE_H

#include "../lowbit/lowbit.h"

struct ec_shape {
    int64_t dimension, directions; /* a multiple of 64 */
    const float *shaping;          /* (directions / 64, dimension, 64): U */
    const float *couplings;        /* (panels of 64 dimensions, 64, 64): those parts of U B U^T */
    const float *curvatures;       /* (dimensions of these panels,): the diagonal of m I + U B U^T */
    float rest;                    /* m */
    float above[16], below[16];    /* each level less the threshold over it and under it, infinite at the ends */
};

/* One panel of a row: what the slot shape_panel_f32 takes. Floats behind the last dimension may be anything. */
struct ec_shaped {
    int64_t begin;       /* the panel's first dimension, a multiple of 64 */
    const float *values; /* (64,): times `factor` they are z */
    float factor, scale;
    float *levels; /* (64,): l, which are changed */
    float *along;  /* (64,): what U B U^T e has there; used up */
    float *error;  /* (directions,): U^T e, which follows the levels */
};

/* The place of a level for dimension i, which has passed a bound: the nearest to what makes the cost least, and not the
 * level at `place`, which it has. */
EC_INLINE int ec_shaped_place(const int n_levels, const ec_levels *to, const ec_shape *by, const ec_shaped *row, int i,
                              int place, int up) {
    if (n_levels == 2) return 1 - place;
    const float own = by->rest * (row->scale * row->levels[i] - row->factor * row->values[i]);
    const float wanted = row->levels[i] - (own + row->along[i]) / (row->scale * by->curvatures[row->begin + i]);
    const int last = up ? n_levels - 1 : 0, step = up ? 1 : -1;
    if (place != last) place += step;
    while (place != last && (up ? wanted > to->edges[place] : wanted <= to->edges[place - 1])) place += step;
    return place;
}

#endif
