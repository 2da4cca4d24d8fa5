/* The frame of a family whose kernels are plain loops, of which compilers make vectors of whatever tier they are compiled
 * for. EC_LOOPS names a file that defines them once, as EC_OF_TIER(name), and their slots as EC_SLOTS_OF_TIER(family); it
 * is compiled here for each tier. Scalar's are the specification; on AArch64, whose baseline has vectors, they are also the
 * fast path. */
#define EC_OF_TIER(name) name##_scalar
#define EC_SLOTS_OF_TIER(family) EC_SLOTS(family, scalar)
#include EC_LOOPS
#undef EC_OF_TIER
#undef EC_SLOTS_OF_TIER

#if defined(EC_X86_64)
EC_TARGET_AVX2
#define EC_OF_TIER(name) name##_avx2
#define EC_SLOTS_OF_TIER(family) EC_SLOTS(family, avx2)
#include EC_LOOPS
#undef EC_OF_TIER
#undef EC_SLOTS_OF_TIER
EC_TARGET_END

EC_TARGET_AVX512
#define EC_OF_TIER(name) name##_avx512
#define EC_SLOTS_OF_TIER(family) EC_SLOTS(family, avx512)
#include EC_LOOPS
#undef EC_OF_TIER
#undef EC_SLOTS_OF_TIER
EC_TARGET_END
#endif
