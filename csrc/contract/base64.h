/* Base64 of RFC 4648, strict: no white space, one alphabet, and padding that is there and canonical. Where a text has
 * several errors, the leftmost one is reported, on every tier:
 *
 *     EC_BAD_CHARACTER  a byte that is neither in the alphabet nor '='
 *     EC_BAD_PADDING    a '=' where none may stand; a character of the alphabet where '=' or the end must follow; the
 *                       end of the text where a '=' is missing; the last character before '=', where it sets bits that
 *                       padding cuts off
 *     EC_TRUNCATED      the end of the text, after one character of a group of four
 *
 * An error of length (EC_NO_CAPACITY, EC_BAD_LENGTH) is reported only of text that is otherwise well-formed. */
#ifndef EC_CONTRACT_BASE64_H
#define EC_CONTRACT_BASE64_H

#include "results.h"

enum ec_base64_flags {
    EC_BASE64_URLSAFE = 1,    /* '-' and '_' instead of '+' and '/' */
    EC_BASE64_NO_PADDING = 2, /* the padding may be missing altogether */
};

/* Characters that n bytes take: 4 for every 3 bytes begun; -1 where n < 0 or the answer does not fit int64. */
int64_t ec_base64_encoded_length(int64_t n);

/* Write ec_base64_encoded_length(n) characters to `text`, with padding, without a final zero. */
void ec_base64_encode(const void *bytes, int64_t n, void *text);

/* Encode `count` rows of `row_bytes` bytes each, `row_stride` bytes apart, to texts `text_stride` characters apart. */
void ec_base64_encode_rows(const void *rows, int64_t count, int64_t row_bytes, int64_t row_stride, void *text,
                           int64_t text_stride);

/* Bytes that n characters hold if they are well-formed; -1 where no well-formed text has this length and ending. */
int64_t ec_base64_decoded_length(const void *text, int64_t n, int32_t flags);

/* Decode n characters. EC_NO_CAPACITY where they hold more than `capacity` bytes; `consumed` is then the first group of
 * four that does not fit. After a failure the bytes within `capacity` are unspecified. */
ec_result ec_base64_decode(const void *text, int64_t n, void *bytes, int64_t capacity, int32_t flags);

/* Decode `count` texts, the i-th being the lengths[i] characters from text + offsets[i] on, each to exactly `row_bytes`
 * bytes, `row_stride` bytes apart. `produced` is the number of rows decoded, so on failure the number of the bad row;
 * `consumed` is then an offset into `text`. EC_BAD_LENGTH, at the offset of the text, where a well-formed text has
 * another length. */
ec_result ec_base64_decode_rows(const void *text, const int64_t *offsets, const int64_t *lengths, int64_t count,
                                void *rows, int64_t row_bytes, int64_t row_stride, int32_t flags);

#endif
