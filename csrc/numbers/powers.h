/* The upper 64 bits of powers of ten, cut off, not rounded:
 *
 *     ec_powers_of_ten[q - EC_POWER_LOWEST] = floor(10^q / 2^(ec_power_exponent(q) - 63)), bit 63 set,
 *
 * exact for 0 <= q <= 27, where 5^q fits 64 bits. Reading needs q from -64 (below, any 64-bit significand gives less
 * than a quarter of the least subnormal) to 38 (above, every significand but 0 overflows); writing needs -31 to 45. */
#ifndef EC_NUMBERS_POWERS_H
#define EC_NUMBERS_POWERS_H

#include <stdint.h>

#define EC_POWER_LOWEST (-64)
#define EC_POWER_HIGHEST 38 /* the highest that can be read */
#define EC_POWER_LAST 45
#define EC_POWER_EXACT 27

extern const uint64_t ec_powers_of_ten[EC_POWER_LAST - EC_POWER_LOWEST + 1];

/* floor(log2(10^q)), right for |q| <= 300. Every compiler in use keeps the sign of a negative number that is shifted
 * right. */
static inline int32_t ec_power_exponent(int32_t q) { return (q * 217706) >> 16; }

#endif
