/* Compiles the loops of the family for every tier. */
#include "principal.h"

#define EC_LOOPS "principal/loops.h"
#include "../every_tier.h"

EC_INSTALL(principal, EC_SCALAR(principal) EC_AVX2(principal) EC_AVX512(principal))
