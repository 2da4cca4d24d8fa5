/* Base64 from and to the caller's buffers: lengths, padding, errors, rows. The kernels take whole groups of 3 bytes and
 * 4 characters; everything else is done here. */
#include <stdbool.h>

#include "groups.h"

int64_t ec_base64_encoded_length(int64_t n) {
    if (n < 0 || n > INT64_MAX / 4 * 3 - 3) return -1;
    return n / 3 * 4 + (n % 3 ? 4 : 0);
}

EC_INLINE void encode(const uint8_t *bytes, int64_t n, uint8_t *text) {
    int64_t rest = n % 3, whole = n - rest;
    ec_active.base64_encode(bytes, whole, text);
    if (rest == 0) return;
    uint8_t last[3] = {bytes[whole], rest == 2 ? bytes[whole + 1] : 0, 0};
    text += whole / 3 * 4;
    ec_base64_encode_scalar(last, 3, text);
    text[3] = '=';
    if (rest == 1) text[2] = '=';
}

void ec_base64_encode(const void *bytes, int64_t n, void *text) {
    if (n > 0) encode(bytes, n, text);
}

void ec_base64_encode_rows(const void *rows, int64_t count, int64_t row_bytes, int64_t row_stride, void *text,
                           int64_t text_stride) {
    if (row_bytes <= 0) return;
    for (int64_t i = 0; i < count; i++)
        encode((const uint8_t *)rows + i * row_stride, row_bytes, (uint8_t *)text + i * text_stride);
}

int64_t ec_base64_decoded_length(const void *text, int64_t n, int32_t flags) {
    const uint8_t *t = text;
    if (n < 0) return -1;
    if (n % 4 != 0) return (flags & EC_BASE64_NO_PADDING) && n % 4 != 1 ? n / 4 * 3 + n % 4 - 1 : -1;
    if (n == 0) return 0;
    return n / 4 * 3 - (t[n - 1] == '=') - (t[n - 1] == '=' && t[n - 2] == '=');
}

static ec_result failure(int32_t status, int64_t offset) {
    ec_result result = {offset, offset / 4 * 3, status};
    return result;
}

/* The error at a byte where '=' or the end must stand: bad padding, unless the byte is not even in the alphabet. */
static ec_result misplaced(const uint8_t *text, int64_t n, int64_t offset, const uint8_t *values) {
    if (offset == n || text[offset] == '=' || values[text[offset]] != EC_BASE64_BAD)
        return failure(EC_BAD_PADDING, offset);
    return failure(EC_BAD_CHARACTER, offset);
}

/* Judges the end of a text whose first `done` characters are whole groups, by what follows the last character of the
 * alphabet. On success the last 0 to 2 bytes are written to `bytes`, unless it is NULL. */
static ec_result finish(const uint8_t *text, int64_t n, int64_t done, uint8_t *bytes, int32_t flags) {
    const uint8_t *values = ec_base64_table(flags);
    int64_t end = done;
    while (end < n && values[text[end]] != EC_BASE64_BAD) end++;
    int64_t rest = end % 4;
    if (end < n && (text[end] != '=' || rest < 2)) return misplaced(text, n, end, values);
    if (rest == 1) return failure(EC_TRUNCATED, n);
    ec_result result = {n, end / 4 * 3, EC_OK};
    if (rest == 0) return result;

    uint8_t stray = (uint8_t)(values[text[end - 1]] & (rest == 2 ? 0x0f : 0x03));
    if (end < n || !(flags & EC_BASE64_NO_PADDING)) {
        if (end < n && stray) return failure(EC_BAD_PADDING, end - 1);
        int64_t padded = end;
        while (padded < end + 4 - rest && padded < n && text[padded] == '=') padded++;
        if (padded != end + 4 - rest || padded != n) return misplaced(text, n, padded, values);
    } else if (stray) {
        return failure(EC_BAD_PADDING, end - 1);
    }

    const uint8_t *last = text + end - rest;
    uint32_t group = (uint32_t)values[last[0]] << 18 | (uint32_t)values[last[1]] << 12;
    if (rest == 3) group |= (uint32_t)values[last[2]] << 6;
    if (bytes) {
        bytes[result.produced] = (uint8_t)(group >> 16);
        if (rest == 3) bytes[result.produced + 1] = (uint8_t)(group >> 8);
    }
    result.produced += rest - 1;
    return result;
}

/* Decodes a text that is known to fit: if it is well-formed, it has ec_base64_decoded_length() bytes, if not, at most
 * as many. */
EC_INLINE ec_result decode(const uint8_t *text, int64_t n, uint8_t *bytes, int32_t flags) {
    int64_t whole = n - n % 4;
    if (n > 0 && whole == n && text[n - 1] == '=') whole -= 4;
    int64_t done = ec_active.base64_decode(text, whole, bytes, flags);
    if (EC_UNLIKELY(done < whole))
        done += ec_base64_decode_scalar(text + done, whole - done, bytes + done / 4 * 3, flags);
    if (EC_LIKELY(done == n)) {
        ec_result result = {n, n / 4 * 3, EC_OK};
        return result;
    }
    return finish(text, n, done, bytes, flags);
}

ec_result ec_base64_decode(const void *text, int64_t n, void *bytes, int64_t capacity, int32_t flags) {
    int64_t length = ec_base64_decoded_length(text, n, flags);
    if (n <= 0) return failure(n == 0 ? EC_OK : EC_BAD_LENGTH, 0);
    if (length >= 0 && length <= capacity) return decode(text, n, bytes, flags);
    ec_result result = finish(text, n, 0, NULL, flags);
    return result.status == EC_OK ? failure(EC_NO_CAPACITY, capacity < 0 ? 0 : capacity / 3 * 4) : result;
}

ec_result ec_base64_decode_rows(const void *text, const int64_t *offsets, const int64_t *lengths, int64_t count,
                                void *rows, int64_t row_bytes, int64_t row_stride, int32_t flags) {
    ec_result result = {0, 0, EC_OK};
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *row_text = (const uint8_t *)text + offsets[i];
        bool fits = lengths[i] >= 0 && ec_base64_decoded_length(row_text, lengths[i], flags) == row_bytes;
        ec_result row = fits ? decode(row_text, lengths[i], (uint8_t *)rows + i * row_stride, flags)
                             : finish(row_text, lengths[i], 0, NULL, flags);
        if (EC_UNLIKELY(!fits && row.status == EC_OK)) row = failure(EC_BAD_LENGTH, 0);
        result.produced = i;
        if (EC_UNLIKELY(row.status != EC_OK)) {
            result.consumed = offsets[i] + row.consumed;
            result.status = row.status;
            return result;
        }
        result.consumed = offsets[i] + row.consumed;
    }
    result.produced = count;
    return result;
}
