/* Random rotations, which spread the variance of vectors over their dimensions before they are coded. */
#ifndef EC_CONTRACT_HADAMARD_H
#define EC_CONTRACT_HADAMARD_H

#include "results.h"

/* Rotate rows in place; `count` is the number of values in all. In each round the row is multiplied by factors, and
 * then a Hadamard transform is applied to its first (in odd rounds its last) p dimensions, p being the largest power of
 * two in the dimension. factors: float32 (rounds, dimension), signs, which are multiplied by 1 / sqrt(p) where the
 * transform reaches. `inverse` undoes the rounds from the last to the first. */
ec_result ec_rotate_f32(void *values, int64_t count, int64_t rows, int64_t dimension, ec_array factors, int32_t rounds,
                        int32_t inverse);

#endif
