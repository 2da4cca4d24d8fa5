/* The public function of the family: turns a checksum into a remainder and back. */
#include "crc32.h"

uint32_t ec_crc32(uint32_t checksum, const void *bytes, int64_t n) { return ~ec_active.crc32(~checksum, bytes, n); }
