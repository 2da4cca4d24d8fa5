/* The least and the greatest value of each dimension of a sample. */
#ifndef EC_CONTRACT_EXTREMES_H
#define EC_CONTRACT_EXTREMES_H

#include "results.h"

/* Write the minima and the maxima of float32 (rows, dimension) to `ends`, aligned float32 (threads, 2, dimension): to the
 * first two rows of it, the others being for other threads; -0 counts as 0, and of no rows the ends are Infinity and
 * -Infinity. NaN and Infinity are refused: EC_NOT_FINITE, `consumed` the offset of the element. */
ec_result ec_extremes_f32(const void *values, int64_t rows, int64_t dimension, void *ends, int32_t threads);

#endif
