/* Rotations. */
#ifndef EC_CONTRACT_HADAMARD_H
#define EC_CONTRACT_HADAMARD_H

#include "results.h"

/* Rotate rows in place, `count` values in all. factors: float32 (rounds, dimension), signs, times 1 / sqrt(p) in the
 * first (odd rounds: last) p dimensions, p the largest power of two; each round multiplies and transforms those. The
 * inverse goes backwards. */
ec_result ec_rotate_f32(void *values, int64_t count, int64_t rows, int64_t dimension, ec_array factors, int32_t rounds,
                        int32_t inverse);

#endif
