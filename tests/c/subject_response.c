#include "subjects.h"

enum { SPANS = 4, MOST_ROWS = 4096 };

static void decode(const uint8_t *body, const ec_row_span *spans, int64_t count, ec_row_format format) {
    ec_result found = ec_response_width(body, &spans[0], &format);
    record_result(found);
    if (found.status != EC_OK || found.produced > 1 << 16) return;
    format.width = found.produced;
    int64_t bytes = count * format.width * (format.type == EC_FLOAT32 ? 4 : 1);
    uint8_t *rows = place(bytes);
    ec_result result = ec_response_decode_rows(body, spans, count, &format, rows);
    record_result(result);
    HOLDS(result.produced >= 0 && result.produced <= count);
    if (result.status == EC_OK) record(rows, bytes);
}

/* Read the whole body, a few rows a stop, and decode the first stop's. */
static ec_result scan(const uint8_t *body, int64_t n, const ec_row_format *format, int32_t strict) {
    static const char PATH[] = "data\0embedding";
    ec_response_cursor cursor;
    ec_row_span spans[SPANS];
    memset(&cursor, 0, sizeof cursor);
    memset(spans, 0, sizeof spans);
    cursor.rows_keys = cursor.item_keys = 1;
    cursor.strict = strict;
    bool decoded = false;
    ec_result result;
    int64_t rows = 0;
    do {
        int64_t before = cursor.offset;
        result = ec_response_scan(body, n, PATH, &cursor, spans, SPANS);
        record_result(result);
        if (result.status != EC_OK) {
            HOLDS(result.consumed >= 0 && result.consumed <= n);
            return result;
        }
        HOLDS(result.produced >= 0 && result.produced <= SPANS && cursor.offset >= before && cursor.offset <= n);
        for (int64_t i = 0; i < result.produced; i++)
            HOLDS(spans[i].start >= 0 && spans[i].start < spans[i].end && spans[i].end <= n);
        record(spans, result.produced * (int64_t)sizeof spans[0]);
        if (!decoded && result.produced > 0) decode(body, spans, result.produced, *format);
        decoded |= result.produced > 0;
        rows += result.produced;
    } while (cursor.stage != EC_SCAN_DONE && rows < MOST_ROWS);
    record(&cursor, sizeof cursor);
    return result;
}

void subject_response(const uint8_t *input, int64_t n) {
    if (n < 1 || n > MOST_BYTES / 4) return;
    const uint8_t *body = place_copy(input + 1, n - 1);
    ec_row_format format;
    memset(&format, 0, sizeof format);
    format.type = input[0] % 3;
    format.payload = format.type == EC_FLOAT32 ? input[0] / 3 % 7 - 1 : 0;
    format.number_flags = input[0] & 0x40 ? EC_NULLS_AS_NAN : 0;
    format.base64_flags = input[0] & 0x80 ? EC_BASE64_URLSAFE : 0;
    record_result(ec_json_validate(body, n - 1, 0));
    record_result(ec_json_validate(body, n - 1, EC_ALLOW_NOT_FINITE));
    ec_result strict = scan(body, n - 1, &format, 1);
    if (strict.status == EC_OK) { /* then it is JSON, but for a byte order mark */
        int64_t mark = n > 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        HOLDS(ec_json_validate(body + mark, n - 1 - mark, EC_ALLOW_NOT_FINITE).status == EC_OK);
    }
    scan(body, n - 1, &format, 0);
}
