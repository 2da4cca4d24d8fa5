/* What the tiers of base64 share: two slots that move whole groups, and the values of the alphabets.
 *
 * Both slots work on whole groups only, 3 bytes <-> 4 characters; padding and errors belong to base64.c.
 *
 *   encode(bytes, n, text)        n is a multiple of 3; writes n / 3 * 4 characters.
 *   decode(text, n, bytes, flags) n is a multiple of 4. Decodes groups from the left and returns how many characters it
 *                                 took, a multiple of 4: n, or less where a byte outside the alphabet (so also '=')
 *                                 follows; scalar stops at the very group, a tier may stop up to a block before it.
 *                                 Writes within n / 4 * 3 bytes, past what it returns too.
 */
#ifndef EC_BASE64_H
#define EC_BASE64_H

#include "../kernels.h"

/* The 64 characters of RFC 4648, standard alphabet. */
extern const uint8_t ec_base64_characters[64];

/* The six bits that each byte stands for, or EC_BASE64_BAD: standard alphabet, then URL-safe. */
#define EC_BASE64_BAD 0x80
extern const uint8_t ec_base64_values[2][256];

EC_INLINE const uint8_t *ec_base64_table(int32_t flags) { return ec_base64_values[(flags & EC_BASE64_URLSAFE) != 0]; }

void ec_base64_encode_scalar(const uint8_t *bytes, int64_t n, uint8_t *text);
int64_t ec_base64_decode_scalar(const uint8_t *text, int64_t n, uint8_t *bytes, int32_t flags);

#endif
