#include "subjects.h"

static void decode(const uint8_t *text, int64_t n, int32_t flags) {
    int64_t length = ec_base64_decoded_length(text, n, flags);
    HOLDS(length >= -1 && length <= n / 4 * 3 + 2);
    int64_t capacity = length < 0 ? 0 : length;
    uint8_t *bytes = place(capacity);
    ec_result result = ec_base64_decode(text, n, bytes, capacity, flags);
    record_result(result);
    HOLDS(result.consumed >= 0 && result.consumed <= n);
    if (result.status != EC_OK) return;
    HOLDS(result.consumed == n && result.produced == length);
    record(bytes, length);
    if (length > 0) record_result(ec_base64_decode(text, n, bytes, length - 1, flags)); /* no room */
    if (flags) return;
    int64_t width = ec_base64_encoded_length(length); /* strict text is what its bytes are written as */
    HOLDS(width == n);
    uint8_t *again = place(width);
    ec_base64_decode(text, n, bytes, length, flags);
    ec_base64_encode(bytes, length, again);
    HOLDS(memcmp(again, text, (size_t)n) == 0);
}

/* Three rows, each a third of the input. */
static void rows(const uint8_t *input, int64_t n, int32_t flags) {
    int64_t row = n / 3, width = ec_base64_encoded_length(row);
    uint8_t *text = place(3 * width), *bytes = place(3 * row);
    ec_base64_encode_rows(input, 3, row, row, text, width);
    record(text, 3 * width);
    int64_t offsets[3] = {2 * width, 0, width}, lengths[3] = {width, width, width};
    ec_result result = ec_base64_decode_rows(text, offsets, lengths, 3, bytes, row, row, 0);
    HOLDS(result.status == EC_OK && result.produced == 3);
    HOLDS(memcmp(bytes, input + 2 * row, (size_t)row) == 0 && memcmp(bytes + row, input, (size_t)(2 * row)) == 0);
    int64_t spans[3] = {0, row, 2 * row}, sizes[3] = {row, row, row};
    int64_t length = ec_base64_decoded_length(input, row, flags);
    if (length >= 0 && length <= row)
        record_result(ec_base64_decode_rows(input, spans, sizes, 3, bytes, length, length, flags));
}

void subject_base64(const uint8_t *input, int64_t n) {
    if (n < 1 || n > MOST_BYTES / 4) return;
    int32_t flags = input[0] & (EC_BASE64_URLSAFE | EC_BASE64_NO_PADDING);
    uint8_t *text = place_copy(input + 1, n - 1);
    decode(text, n - 1, flags);
    rows(text, n - 1, flags);
}
