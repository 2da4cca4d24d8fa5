/* Packing and unpacking of bits in plain C: the specification. Eight comparisons make a byte; unused bits are zero. */
#include "bits.h"

int ec_pack_bits_f32_scalar(const void *values, int64_t count, float threshold, uint32_t flags, uint8_t *packed) {
    uint32_t largest = 0;
    for (int64_t begin = 0; begin < count; begin += 8) {
        int used = count - begin < 8 ? (int)(count - begin) : 8;
        unsigned byte = 0; /* the first dimension is bit 0 */
        for (int i = 0; i < used; i++) {
            float x = ec_load_f32_at(values, begin + i);
            uint32_t magnitude = ec_magnitude_at(values, begin + i);
            largest = magnitude > largest ? magnitude : largest;
            byte |= (unsigned)(flags & EC_BITS_INCLUSIVE ? x >= threshold : x > threshold) << i;
        }
        if (!(flags & EC_BITS_LSB)) byte = ec_reverse_bits_u8((uint8_t)byte);
        packed[begin / 8] = (uint8_t)(flags & EC_BITS_OFFSET ? byte ^ 0x80 : byte);
    }
    return largest < EC_INFINITY_BITS;
}

EC_INLINE unsigned bit_at(const uint8_t *packed, int64_t i, uint32_t flags) {
    unsigned byte = packed[i / 8] ^ (flags & EC_BITS_OFFSET ? 0x80u : 0u);
    return byte >> (flags & EC_BITS_LSB ? i % 8 : 7 - i % 8) & 1;
}

void ec_unpack_bits_u8_scalar(const uint8_t *packed, int64_t count, uint32_t flags, uint8_t *values) {
    for (int64_t i = 0; i < count; i++) values[i] = (uint8_t)bit_at(packed, i, flags);
}

void ec_unpack_bits_f32_scalar(const uint8_t *packed, int64_t count, uint32_t flags, void *values) {
    for (int64_t i = 0; i < count; i++) ec_store_f32_at(values, i, bit_at(packed, i, flags) ? 1.0f : -1.0f);
}

EC_SLOTS(bits, scalar) {
    table->pack_bits_f32 = ec_pack_bits_f32_scalar;
    table->unpack_bits_u8 = ec_unpack_bits_u8_scalar;
    table->unpack_bits_f32 = ec_unpack_bits_f32_scalar;
}

EC_INSTALL(bits, EC_SCALAR(bits) EC_AVX2(bits) EC_AVX512(bits) EC_NEON(bits))
