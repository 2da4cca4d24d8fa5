/* Bit packing with NEON, 64 comparisons at a time. NEON has no movemask: each byte keeps its own bit of a comparison,
 * and pairs of bytes are added three times.
 *
 *     ff 00 ff ff 00 00 00 ff     a comparison, a byte a dimension
 *     80 00 20 10 00 00 00 01     and: the bit that the dimension has in its byte
 *     80    30    00    01        addp, two registers into one; once more: b0 01; once more: b1 */
#include "neon.h"

#if defined(EC_AARCH64)

/* The bit that each of 16 dimensions has in its byte. */
EC_INLINE uint8x16_t bits_of_dimensions(uint32_t flags) {
    uint8x8_t eight = vcreate_u8(flags & EC_BITS_LSB ? 0x8040201008040201u : 0x0102040810204080u);
    return vcombine_u8(eight, eight);
}

EC_INLINE uint32x4_t compare_4(float32x4_t x, float32x4_t threshold_f32x4, int inclusive) {
    return inclusive ? vcgeq_f32(x, threshold_f32x4) : vcgtq_f32(x, threshold_f32x4);
}

/* Sixteen comparisons as bytes of ones or zeros. */
EC_INLINE uint8x16_t compare_16(const uint8_t *values, float32x4_t threshold_f32x4, int inclusive,
                                uint32x4_t *largest_u32x4) {
    float32x4_t x[4];
    uint32x4_t set[4];
    for (int i = 0; i < 4; i++) {
        x[i] = ec_load_f32x4(values, 4 * i);
        set[i] = compare_4(x[i], threshold_f32x4, inclusive);
        *largest_u32x4 = ec_larger_magnitude(*largest_u32x4, x[i]);
    }
    return ec_low_bytes(set[0], set[1], set[2], set[3]);
}

EC_INLINE int pack(const uint8_t *values, int64_t count, float threshold, int inclusive, uint32_t flags,
                   uint8_t *packed) {
    const float32x4_t threshold_f32x4 = vdupq_n_f32(threshold);
    const uint8x16_t bit_u8x16 = bits_of_dimensions(flags);
    const uint8x8_t offset_u8x8 = vdup_n_u8(flags & EC_BITS_OFFSET ? 0x80 : 0);
    uint32x4_t largest_u32x4 = vdupq_n_u32(0);
    int64_t done = 0;
    for (; done + 64 <= count; done += 64) {
        uint8x16_t set[4];
        for (int i = 0; i < 4; i++)
            set[i] = vandq_u8(compare_16(values + 4 * (done + 16 * i), threshold_f32x4, inclusive, &largest_u32x4),
                              bit_u8x16);
        uint8x16_t pairs = vpaddq_u8(vpaddq_u8(set[0], set[1]), vpaddq_u8(set[2], set[3]));
        uint8x8_t bytes = vpadd_u8(vget_low_u8(pairs), vget_high_u8(pairs));
        vst1_u8(packed + done / 8, veor_u8(bytes, offset_u8x8));
    }
    return ec_pack_bits_f32_scalar(values + 4 * done, count - done, threshold, flags, packed + done / 8) &&
           ec_below_infinity(largest_u32x4);
}

static int pack_bits_f32_neon(const void *values, int64_t count, float threshold, uint32_t flags, uint8_t *packed) {
    return flags & EC_BITS_INCLUSIVE ? pack(values, count, threshold, 1, flags, packed)
                                     : pack(values, count, threshold, 0, flags, packed);
}

static void unpack_bits_u8_neon(const uint8_t *packed, int64_t count, uint32_t flags, uint8_t *values) {
    const uint8x16_t bit_u8x16 = bits_of_dimensions(flags), one_u8x16 = vdupq_n_u8(1);
    const uint8x16_t offset_u8x16 = vdupq_n_u8(flags & EC_BITS_OFFSET ? 0x80 : 0);
    int64_t done = 0;
    for (; done + 16 <= count; done += 16) {
        const uint8_t *from = packed + done / 8;
        uint8x16_t bytes = veorq_u8(vcombine_u8(vdup_n_u8(from[0]), vdup_n_u8(from[1])), offset_u8x16);
        vst1q_u8(values + done, vandq_u8(vtstq_u8(bytes, bit_u8x16), one_u8x16));
    }
    ec_unpack_bits_u8_scalar(packed + done / 8, count - done, flags, values + done);
}

static void unpack_bits_f32_neon(const uint8_t *packed, int64_t count, uint32_t flags, void *values) {
    const uint16x8_t bit_u16x8 = vmovl_u8(vget_low_u8(bits_of_dimensions(flags)));
    const uint32x4_t low_bit_u32x4 = vmovl_u16(vget_low_u16(bit_u16x8)), high_bit_u32x4 = vmovl_high_u16(bit_u16x8);
    const float32x4_t plus_f32x4 = vdupq_n_f32(1.0f), minus_f32x4 = vdupq_n_f32(-1.0f);
    const uint32_t offset = flags & EC_BITS_OFFSET ? 0x80 : 0;
    int64_t done = 0;
    for (; done + 8 <= count; done += 8) {
        uint32x4_t byte_u32x4 = vdupq_n_u32(packed[done / 8] ^ offset);
        ec_store_f32x4(values, done, vbslq_f32(vtstq_u32(byte_u32x4, low_bit_u32x4), plus_f32x4, minus_f32x4));
        ec_store_f32x4(values, done + 4, vbslq_f32(vtstq_u32(byte_u32x4, high_bit_u32x4), plus_f32x4, minus_f32x4));
    }
    ec_unpack_bits_f32_scalar(packed + done / 8, count - done, flags, (char *)values + 4 * done);
}

EC_SLOTS(bits, neon) {
    table->pack_bits_f32 = pack_bits_f32_neon;
    table->unpack_bits_u8 = unpack_bits_u8_neon;
    table->unpack_bits_f32 = unpack_bits_f32_neon;
}

#endif
