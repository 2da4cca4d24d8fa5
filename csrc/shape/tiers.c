/* The loops of the family, compiled for the tiers that have no file of their own. */
#include "shape.h"

#define EC_OF_TIER(name) name##_scalar
#define EC_SLOTS_OF_TIER(family) EC_SLOTS(family, scalar)
#include "loops.h"
#undef EC_OF_TIER
#undef EC_SLOTS_OF_TIER

#if defined(EC_X86_64)
EC_TARGET_AVX2
#define EC_OF_TIER(name) name##_avx2
#define EC_SLOTS_OF_TIER(family) EC_SLOTS(family, avx2)
#include "loops.h"
EC_TARGET_END
#endif

EC_INSTALL(shape, EC_SCALAR(shape) EC_AVX2(shape) EC_AVX512(shape))
