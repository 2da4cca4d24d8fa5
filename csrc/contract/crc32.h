/* Checksums of files. */
#ifndef EC_CONTRACT_CRC32_H
#define EC_CONTRACT_CRC32_H

#include "results.h"

/* The CRC-32 of zlib and zip, of the bytes behind those that gave `checksum`; 0 at the beginning. */
uint32_t ec_crc32(uint32_t checksum, const void *bytes, int64_t n);

#endif
