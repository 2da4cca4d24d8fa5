/* Checksums of files. */
#ifndef EC_CONTRACT_CRC32_H
#define EC_CONTRACT_CRC32_H

#include "results.h"

/* The CRC-32 that zlib and zip have, of bytes behind those whose `checksum` is given; 0 at the beginning. */
uint32_t ec_crc32(uint32_t checksum, const void *bytes, int64_t n);

#endif
