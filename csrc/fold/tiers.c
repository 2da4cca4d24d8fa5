/* Compiles the loops of the family for every tier. */
#include "fold.h"

#define EC_LOOPS "fold/loops.h"
#include "../every_tier.h"

EC_INSTALL(fold, EC_SCALAR(fold) EC_AVX2(fold) EC_AVX512(fold))
