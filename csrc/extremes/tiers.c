/* Compiles the loop of the family for every tier. */
#include "extremes.h"

#define EC_LOOPS "extremes/loops.h"
#include "../every_tier.h"

EC_INSTALL(extremes, EC_SCALAR(extremes) EC_AVX2(extremes) EC_AVX512(extremes))
