/* The CRC-32 of zlib, PNG and zip, reflected, with the polynomial 0xedb88320, so that anybody can check files. A
 * remainder is the checksum with all bits flipped. */
#ifndef EC_CRC32_H
#define EC_CRC32_H

#include "../kernels.h"

uint32_t ec_crc32_scalar(uint32_t remainder, const uint8_t *bytes, int64_t n);

#endif
