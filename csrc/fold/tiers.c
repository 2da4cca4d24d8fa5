/* The slots by which float queries become codes. */
#include "fold.h"

#define EC_LOOPS "fold/loops.h"
#include "../every_tier.h"

EC_INSTALL(fold, EC_SCALAR(fold) EC_AVX2(fold) EC_AVX512(fold))
