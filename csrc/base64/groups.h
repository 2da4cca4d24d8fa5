/* The kernels of base64, as base64.c calls them. Both work on whole groups, 3 bytes <-> 4 characters; padding and
 * errors are the affair of base64.c.
 *
 *     encode(bytes, n, text)         n is a multiple of 3. Writes n / 3 * 4 characters.
 *     decode(text, n, bytes, flags)  n is a multiple of 4. Decodes groups from the left and returns the number of
 *                                    characters taken, a multiple of 4: n, or less where a byte follows that is not in
 *                                    the alphabet ('=' is not). Scalar stops at the group of this byte, a vector tier
 *                                    perhaps up to a block before it. All of the n / 4 * 3 bytes may be written. */
#ifndef EC_BASE64_GROUPS_H
#define EC_BASE64_GROUPS_H

#include "alphabet.h"

void ec_base64_encode_scalar(const uint8_t *bytes, int64_t n, uint8_t *text);
int64_t ec_base64_decode_scalar(const uint8_t *text, int64_t n, uint8_t *bytes, int32_t flags);

#endif
