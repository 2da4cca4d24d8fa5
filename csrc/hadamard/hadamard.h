/* The fast Walsh-Hadamard transform of `count` floats, a power of two, in place and not normalised. */
#ifndef EC_HADAMARD_H
#define EC_HADAMARD_H

#include "../bits/bits.h"

void ec_hadamard_f32_scalar(void *values, int64_t count);

#endif
