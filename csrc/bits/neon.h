/* Shared by the NEON kernels over float32: loads and stores at any alignment, and the largest magnitude seen. */
#ifndef EC_BITS_NEON_H
#define EC_BITS_NEON_H

#include "bits.h"

#if defined(EC_AARCH64)

EC_INLINE float32x4_t ec_load_f32x4(const void *values, int64_t i) {
    return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)values + 4 * i));
}

EC_INLINE void ec_store_f32x4(void *values, int64_t i, float32x4_t x) {
    vst1q_u8((uint8_t *)values + 4 * i, vreinterpretq_u8_f32(x));
}

/* The larger magnitude in each lane, as bits: EC_INFINITY_BITS or more where a value is not finite. */
EC_INLINE uint32x4_t ec_larger_magnitude(uint32x4_t largest_u32x4, float32x4_t x) {
    return vmaxq_u32(largest_u32x4, vreinterpretq_u32_f32(vabsq_f32(x)));
}

EC_INLINE int ec_below_infinity(uint32x4_t largest_u32x4) { return vmaxvq_u32(largest_u32x4) < EC_INFINITY_BITS; }

/* The low bytes of 16 int32, in order. */
EC_INLINE uint8x16_t ec_low_bytes(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d) {
    uint16x8_t ab = vuzp1q_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(b));
    uint16x8_t cd = vuzp1q_u16(vreinterpretq_u16_u32(c), vreinterpretq_u16_u32(d));
    return vuzp1q_u8(vreinterpretq_u8_u16(ab), vreinterpretq_u8_u16(cd));
}

#endif
#endif
