/* The public conversions of the family: they find the element that does not fit, which the kernels only notice. */
#include "floats.h"

int64_t ec_payload_bytes(int32_t payload) {
    switch (payload) {
    case EC_PAYLOAD_E4M3:
    case EC_PAYLOAD_E5M2: return 1;
    case EC_PAYLOAD_FLOAT16:
    case EC_PAYLOAD_BIG_ENDIAN_FLOAT16:
    case EC_PAYLOAD_BFLOAT16:
    case EC_PAYLOAD_BIG_ENDIAN_BFLOAT16: return 2;
    case EC_PAYLOAD_FLOAT64:
    case EC_PAYLOAD_BIG_ENDIAN_FLOAT64: return 8;
    default: return 4;
    }
}

void ec_floats_widen(const void *bytes, int64_t count, int32_t payload, void *floats) {
    ec_active.floats_widen(bytes, count, payload, floats);
}

ec_result ec_floats_narrow(const void *floats, int64_t count, int32_t payload, void *bytes) {
    enum { PIECE = 4096 };
    const int64_t size = ec_payload_bytes(payload);
    ec_result result = {0, 0, EC_OK};
    while (result.status == EC_OK && result.produced < count) {
        const int64_t left = count - result.produced, n = left < PIECE ? left : PIECE;
        const uint8_t *from = (const uint8_t *)floats + 4 * result.produced;
        uint8_t *to = (uint8_t *)bytes + size * result.produced;
        int64_t done = n;
        if (ec_check_finite_f32(from, n).status != EC_OK || !ec_active.floats_narrow(from, n, payload, to)) {
            result.status = EC_OUT_OF_RANGE;
            for (done = 0; ec_check_finite_f32(from + 4 * done, 1).status == EC_OK; done++)
                if (!ec_active.floats_narrow(from + 4 * done, 1, payload, to + size * done)) break;
        }
        result.consumed = result.produced += done;
    }
    return result;
}
