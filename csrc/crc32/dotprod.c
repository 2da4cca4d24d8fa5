/* The CRC-32 by the instructions that Armv8 has for this polynomial, eight bytes each. Every machine from Armv8.1 on
 * has them, so those with the dot products of Armv8.2 do. */
#include "crc32.h"

#if defined(EC_HAS_DOTPROD)
#include <arm_acle.h>
#if defined(__clang__)
EC_TARGET_REGION("crc")
#else
EC_TARGET_DOTPROD
#endif

static uint32_t crc32(uint32_t remainder, const uint8_t *bytes, int64_t n) {
    for (; n >= 32; bytes += 32, n -= 32) {
        remainder = __crc32d(remainder, ec_load_u64(bytes));
        remainder = __crc32d(remainder, ec_load_u64(bytes + 8));
        remainder = __crc32d(remainder, ec_load_u64(bytes + 16));
        remainder = __crc32d(remainder, ec_load_u64(bytes + 24));
    }
    for (; n >= 8; bytes += 8, n -= 8) remainder = __crc32d(remainder, ec_load_u64(bytes));
    for (int64_t i = 0; i < n; i++) remainder = __crc32b(remainder, bytes[i]);
    return remainder;
}

EC_SLOTS(crc32, dotprod) { table->crc32 = crc32; }

EC_TARGET_END
#else
typedef int ec_crc32_dotprod_is_not_built;
#endif
