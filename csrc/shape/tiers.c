/* Compiles the loops of the family for every tier. */
#include "shape.h"

#define EC_LOOPS "shape/loops.h"
#include "../every_tier.h"

EC_INSTALL(shape, EC_SCALAR(shape) EC_AVX2(shape) EC_AVX512(shape))
