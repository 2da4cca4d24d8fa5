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
#ifndef EC_BASE64_GROUPS_H
#define EC_BASE64_GROUPS_H

#include "alphabet.h"

void ec_base64_encode_scalar(const uint8_t *bytes, int64_t n, uint8_t *text);
int64_t ec_base64_decode_scalar(const uint8_t *text, int64_t n, uint8_t *bytes, int32_t flags);

#endif
