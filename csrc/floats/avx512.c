#include "floats.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

static void widen(const void *bytes, int64_t count, int32_t payload, void *floats) {
    ec_loop_widen(bytes, count, payload, floats);
}

static int32_t narrow(const void *floats, int64_t count, int32_t payload, void *bytes) {
    return ec_loop_narrow(floats, count, payload, bytes);
}

EC_TARGET_END

void ec_floats_install_avx512(ec_kernels *table) {
    table->floats_widen = widen;
    table->floats_narrow = narrow;
}
#endif
