/* Compiles a file of plain loops once for each tier, for families whose kernels compilers vectorise well by themselves.
 * The file is named by EC_LOOPS; it defines its kernels as EC_OF_TIER(name) and their slots as
 * EC_SLOTS_OF_TIER(family). The scalar copies are the specification, and on AArch64, whose baseline has vectors, also
 * the fast path. Instructions for dots of bytes, all that the tiers avxvnni and amx have beyond those
 * below them, are of no use to such loops. */
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
