/* The alphabets of base64 as tables: from six bits to a character and back. */
#ifndef EC_BASE64_ALPHABET_H
#define EC_BASE64_ALPHABET_H

#include "../kernels.h"

/* The 64 characters of the standard alphabet of RFC 4648. */
extern const uint8_t ec_base64_characters[64];

/* The six bits that each byte stands for, or EC_BASE64_BAD: in the standard alphabet, then in the URL-safe one. */
#define EC_BASE64_BAD 0x80
extern const uint8_t ec_base64_values[2][256];

EC_INLINE const uint8_t *ec_base64_table(int32_t flags) { return ec_base64_values[(flags & EC_BASE64_URLSAFE) != 0]; }

#endif
