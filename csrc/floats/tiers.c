/* Compiles the loops of the family for every tier. */
#include "floats.h"

#define EC_LOOPS "floats/loops.h"
#include "../every_tier.h"

EC_INSTALL(floats, EC_SCALAR(floats) EC_AVX2(floats) EC_AVX512(floats))
