/* The slots of floats: the loops of floats.h, once for each tier of x86-64. The plain ones are the specification; on
 * AArch64, whose baseline has vectors, also the fast path. */
#include "floats.h"

#define SLOTS_OF(tier)                                                                                       \
    static void widen_##tier(const void *bytes, int64_t count, int32_t payload, void *floats) {              \
        ec_loop_widen(bytes, count, payload, floats);                                                        \
    }                                                                                                        \
    static int32_t narrow_##tier(const void *floats, int64_t count, int32_t payload, void *bytes) {          \
        return ec_loop_narrow(floats, count, payload, bytes);                                                \
    }                                                                                                        \
    void ec_floats_install_##tier(ec_kernels *table) {                                                       \
        table->floats_widen = widen_##tier;                                                                  \
        table->floats_narrow = narrow_##tier;                                                                \
    }

SLOTS_OF(scalar)

#if defined(EC_X86_64)
EC_TARGET_AVX2
SLOTS_OF(avx2)
EC_TARGET_END

EC_TARGET_AVX512
SLOTS_OF(avx512)
EC_TARGET_END
#endif
