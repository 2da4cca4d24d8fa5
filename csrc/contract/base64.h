/* Base64 of RFC 4648, strict: no white space, one alphabet, padding that is there and canonical. What is refused, and
 * where; the leftmost offence counts, on every tier:
 *   EC_BAD_CHARACTER  a byte that is neither of the alphabet nor '='
 *   EC_BAD_PADDING    a '=' where none may stand; a character of the alphabet or '=' where other padding, or the end,
 *                     must follow; the end of the text where a '=' is missing; before '=', the last character of
 *                     the alphabet, where it sets bits that the padding cuts off
 *   EC_TRUNCATED      the end of the text, after one character of a group of four
 * An error of length (EC_NO_CAPACITY, EC_BAD_LENGTH) is reported of well-formed text only. */
#ifndef EC_CONTRACT_BASE64_H
#define EC_CONTRACT_BASE64_H

#include "results.h"

enum ec_base64_flags {
    EC_BASE64_URLSAFE = 1,    /* '-' and '_' instead of '+' and '/' */
    EC_BASE64_NO_PADDING = 2, /* the padding may be missing as a whole */
};

/* Characters that n bytes become: 4 for every 3 begun; -1 where n < 0 or the answer does not fit. */
int64_t ec_base64_encoded_length(int64_t n);

/* Write ec_base64_encoded_length(n) characters to `text`, with padding, without a final zero. */
void ec_base64_encode(const void *bytes, int64_t n, void *text);

/* Encode `count` rows of `row_bytes` bytes each, `row_stride` bytes apart, one text every `text_stride` characters. */
void ec_base64_encode_rows(const void *rows, int64_t count, int64_t row_bytes, int64_t row_stride, void *text,
                           int64_t text_stride);

/* Bytes that n characters become if they are well-formed; -1 where no well-formed text has this length and ending. */
int64_t ec_base64_decoded_length(const void *text, int64_t n, int32_t flags);

/* Decode n characters. EC_NO_CAPACITY where more than `capacity` bytes would follow, `consumed` being then the first
 * group of four that does not fit. After a failure `bytes` is unspecified within `capacity`. */
ec_result ec_base64_decode(const void *text, int64_t n, void *bytes, int64_t capacity, int32_t flags);

/* Decode `count` texts, the i-th being the lengths[i] characters from text + offsets[i], each to exactly `row_bytes`
 * bytes, `row_stride` bytes apart. `produced` is the number of rows decoded, that is, on failure, the bad row;
 * `consumed` is then an offset into `text`. EC_BAD_LENGTH where a sound text has another length: its offset. */
ec_result ec_base64_decode_rows(const void *text, const int64_t *offsets, const int64_t *lengths, int64_t count,
                                void *rows, int64_t row_bytes, int64_t row_stride, int32_t flags);

#endif
