/* The specification; on AArch64, whose baseline has vectors, also the fast path. */
#include "floats.h"

static void widen(const void *bytes, int64_t count, int32_t payload, void *floats) {
    ec_loop_widen(bytes, count, payload, floats);
}

static int32_t narrow(const void *floats, int64_t count, int32_t payload, void *bytes) {
    return ec_loop_narrow(floats, count, payload, bytes);
}

void ec_floats_install_scalar(ec_kernels *table) {
    table->floats_widen = widen;
    table->floats_narrow = narrow;
}
