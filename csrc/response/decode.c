/* Rows of a body become rows of a matrix: lists by the number parser, strings by base64. */
#include "row.h"

/* Bytes that one element has under base64. */
EC_INLINE int64_t payload_bytes(const ec_row_format *format) {
    return format->type == EC_FLOAT32 ? ec_payload_bytes(format->payload) : 1;
}

EC_INLINE ec_result make_result(int64_t consumed, int64_t produced, int32_t status) {
    ec_result result = {consumed, produced, status};
    return result;
}

/* Stores `count` elements, given as their bytes in base64, into `row` from element `first` on. */
static void store_elements(const ec_row_format *format, const uint8_t *bytes, int64_t first, int64_t count,
                           uint8_t *row) {
    if (format->type == EC_FLOAT32)
        ec_active.floats_widen(bytes, count, format->payload, row + first * 4);
    else
        memcpy(row + first, bytes, (size_t)count);
}

/* ---- strings ---- */

enum { CHUNK_CHARS = 4096, CHUNK_BYTES = CHUNK_CHARS / 4 * 3 };

/* Passes `count` characters of the text of a string and, unless `chars` is NULL, copies them there decoded. An escape
 * that is not ASCII becomes the byte 0x80, which is in no alphabet. Returns the new position; *count is the number that
 * there was. */
static int64_t pass_characters(const uint8_t *text, int64_t at, int64_t end, int64_t *count, uint8_t *chars) {
    int64_t passed = 0;
    for (; passed < *count && at < end; passed++) {
        uint8_t utf8[4] = {text[at], 0, 0, 0};
        int64_t used = 1;
        if (text[at] == '\\' && ec_json_unescape(text + at, end - at, utf8, &used) > 1) utf8[0] = 0x80;
        if (chars) chars[passed] = utf8[0];
        at += used;
    }
    *count = passed;
    return at;
}

/* Decodes any string, chunk by chunk: with escapes, of other payloads, or of another length than the row's. With row
 * NULL it only counts. `produced` is the number of elements of the whole text, of which at most format->width are
 * stored. */
static ec_result decode_string_chunks(const uint8_t *text, int64_t n, int escaped, const ec_row_format *format,
                                      uint8_t *row) {
    uint8_t plain[CHUNK_CHARS], bytes[CHUNK_BYTES];
    int64_t size = payload_bytes(format), elements = 0, at = 0;
    while (at < n) {
        int64_t start = at, count = n - at < CHUNK_CHARS ? n - at : CHUNK_CHARS;
        const uint8_t *chars = escaped ? plain : text + at;
        at = escaped ? pass_characters(text, at, n, &count, plain) : at + count;
        ec_result chunk = ec_base64_decode(chars, count, bytes, CHUNK_BYTES, format->base64_flags);
        if (chunk.status == EC_OK && at < n && chunk.produced < CHUNK_BYTES) /* padding within the text */
            chunk.status = EC_BAD_PADDING;
        if (chunk.status != EC_OK)
            return make_result(pass_characters(text, start, n, &chunk.consumed, NULL), elements, chunk.status);
        int64_t found = chunk.produced / size;
        if (found * size != chunk.produced) return make_result(-1, elements, EC_BAD_LENGTH); /* -1: at the quote */
        if (row && elements < format->width) {
            int64_t room = format->width - elements;
            store_elements(format, bytes, elements, found < room ? found : room, row);
        }
        elements += found;
    }
    return make_result(n, elements, EC_OK);
}

/* Base64 can hold any bits: refuses a row with values that are not finite, or with EC_NULLS_AS_NAN makes each of them
 * NaN. */
static ec_result check_finite(const uint8_t *text, int64_t n, const ec_row_format *format, uint8_t *row) {
    const uint32_t quiet_nan = 0x7fc00000u;
    int64_t i = 0;
    for (;; i++) {
        ec_result finite = ec_check_finite_f32(row + i * 4, format->width - i);
        if (finite.status == EC_OK) return make_result(n, format->width, EC_OK);
        i += finite.consumed;
        if (!(format->number_flags & EC_NULLS_AS_NAN)) break;
        memcpy(row + i * 4, &quiet_nan, 4);
    }
    int64_t character = i * payload_bytes(format) * 4 / 3;
    return make_result(pass_characters(text, 0, n, &character, NULL), i, EC_NOT_FINITE);
}

/* Decodes one string. The usual one, without escapes, of the row's own bytes and length, goes straight into the row. */
static ec_result decode_string(const uint8_t *body, const ec_row_span *span, const ec_row_format *format,
                               uint8_t *row) {
    const uint8_t *text = body + span->start + 1;
    int64_t n = span->end - span->start - 2, row_bytes = ec_row_bytes(format);
    ec_result result;
    if (!span->escaped && format->payload == EC_PAYLOAD_BYTES &&
        ec_base64_decoded_length(text, n, format->base64_flags) == row_bytes) {
        result = ec_base64_decode(text, n, row, row_bytes, format->base64_flags);
    } else {
        result = decode_string_chunks(text, n, span->escaped, format, row);
        if (result.status == EC_OK && result.produced != format->width)
            result = make_result(-1, result.produced, EC_BAD_LENGTH);
    }
    if (result.status == EC_OK && format->type == EC_FLOAT32) result = check_finite(text, n, format, row);
    result.consumed += span->start + 1;
    return result;
}

/* ---- rows ---- */

/* Decodes one list, which must have format->width elements. */
static ec_result decode_list(const uint8_t *body, const ec_row_span *span, const ec_row_format *format, uint8_t *row) {
    const uint8_t *text = body + span->start;
    int64_t n = span->end - span->start;
    ec_result result = format->type == EC_FLOAT32
                           ? ec_floats_parse(text, n, row, format->width, format->number_flags)
                           : ec_integers_parse(text, n, row, format->width, format->type, format->number_flags);
    if (result.status == EC_NO_CAPACITY || (result.status == EC_OK && result.produced != format->width))
        result = make_result(0, result.produced, EC_BAD_LENGTH);
    if (result.status == EC_OK && result.consumed != n) /* of text, as "[1][2]" */
        result.status = EC_TRAILING;
    result.consumed += span->start;
    return result;
}

ec_result ec_response_decode_rows(const void *body, const ec_row_span *spans, int64_t count,
                                  const ec_row_format *format, void *rows, int64_t capacity) {
    const int64_t row_bytes = ec_row_bytes(format);
    if (count > 0 && format->width > capacity / count) return make_result(spans[0].start, 0, EC_NO_CAPACITY);
    for (int64_t i = 0; i < count; i++) {
        uint8_t *row = (uint8_t *)rows + i * row_bytes;
        ec_result result = make_result(spans[i].start, 0, EC_WRONG_KIND);
        if (spans[i].kind == EC_VECTOR_LIST)
            result = decode_list(body, &spans[i], format, row);
        else if (spans[i].kind == EC_VECTOR_STRING && format->payload != EC_PAYLOAD_NONE)
            result = decode_string(body, &spans[i], format, row);
        if (result.status != EC_OK) return make_result(result.consumed, i, result.status);
    }
    return make_result(count ? spans[count - 1].end : 0, count, EC_OK);
}

/* Counts the elements of a list by its commas. */
static ec_result count_list(const uint8_t *text, int64_t start, int64_t end) {
    int64_t at = start + 1;
    while (at < end - 1 && ec_json_is_space(text[at])) at++;
    return make_result(end, at == end - 1 ? 0 : ec_numbers_bound(text + at, end - at), EC_OK);
}

ec_result ec_response_width(const void *body, const ec_row_span *span, const ec_row_format *format) {
    if (span->kind == EC_VECTOR_LIST) return count_list(body, span->start, span->end);
    if (span->kind != EC_VECTOR_STRING) return make_result(span->start, 0, EC_WRONG_KIND);
    const uint8_t *text = (const uint8_t *)body + span->start + 1;
    int64_t n = span->end - span->start - 2, size = payload_bytes(format);
    int64_t bytes = span->escaped ? -1 : ec_base64_decoded_length(text, n, format->base64_flags);
    if (bytes >= 0 && bytes % size == 0) return make_result(span->end, bytes / size, EC_OK);
    ec_result result = decode_string_chunks(text, n, span->escaped, format, NULL);
    result.consumed += span->start + 1;
    return result;
}

/* Walks every cycle of the permutation once, keeping its first row in `scratch`. */
void ec_response_permute_rows(void *rows, int64_t count, int64_t row_bytes, void *permutation, void *scratch) {
    uint8_t *base = rows;
    int64_t *sources = permutation;
    size_t size = (size_t)row_bytes;
    for (int64_t first = 0; first < count; first++) {
        if (sources[first] == first) continue;
        memcpy(scratch, base + first * row_bytes, size);
        int64_t row = first;
        while (sources[row] != first) {
            int64_t source = sources[row];
            memcpy(base + row * row_bytes, base + source * row_bytes, size);
            sources[row] = row;
            row = source;
        }
        memcpy(base + row * row_bytes, scratch, size);
        sources[row] = row;
    }
}
