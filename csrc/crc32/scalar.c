/* The CRC-32 in plain C, four bits a step: the specification. */
#include "crc32.h"

uint32_t ec_crc32_scalar(uint32_t remainder, const uint8_t *bytes, int64_t n) {
    static const uint32_t of_four_bits[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    for (int64_t i = 0; i < n; i++) {
        remainder ^= bytes[i];
        remainder = remainder >> 4 ^ of_four_bits[remainder & 15];
        remainder = remainder >> 4 ^ of_four_bits[remainder & 15];
    }
    return remainder;
}

EC_SLOTS(crc32, scalar) { table->crc32 = ec_crc32_scalar; }

EC_INSTALL(crc32, EC_SCALAR(crc32) EC_AVX2(crc32) EC_DOTPROD(crc32))
