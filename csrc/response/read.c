/* Rows from a body to a matrix in one call: scanned and decoded by turns, while their text is in the cache. */
#include "row.h"

/* Most rows, and bytes of text, of a turn. */
enum { TURN_ROWS = 64, TURN_TEXT = 1 << 14 };

/* Whether the cursor is where the caller wants it to stop. */
static int at_end(const ec_response_cursor *cursor, int64_t capacity, int64_t until) {
    if (cursor->stage == EC_SCAN_DONE) return 1;
    return cursor->stage == EC_SCAN_AT_ROW && (cursor->rows >= capacity || (until && cursor->offset >= until));
}

ec_result ec_response_read_rows(const void *body, int64_t n, const void *path, ec_response_cursor *cursor,
                                const ec_row_format *format, void *matrix, void *indices, int64_t capacity) {
    const int64_t row_bytes = ec_row_bytes(format), until = cursor->until;
    ec_row_span spans[TURN_ROWS];
    while (!at_end(cursor, capacity, until)) {
        const ec_response_cursor before = *cursor;
        int64_t room = capacity - before.rows, stop = before.offset + TURN_TEXT;
        cursor->until = until && until < stop ? until : stop;
        ec_result result = ec_response_scan(body, n, path, cursor, spans, room < TURN_ROWS ? room : TURN_ROWS);
        cursor->until = until;
        if (result.status == EC_OK && cursor->lists > 1) result.status = EC_DUPLICATE;
        if (result.status != EC_OK) return result;
        if (!indices && cursor->rows != cursor->in_place && cursor->rows != cursor->unindexed) {
            *cursor = before;
            break;
        }
        int64_t count = result.produced;
        uint8_t *rows = (uint8_t *)matrix + before.rows * row_bytes;
        result = ec_response_decode_rows(body, spans, count, format, rows, room * format->width);
        if (result.status != EC_OK) return result;
        if (!indices) continue;
        for (int64_t i = 0; i < count; i++) memcpy((uint8_t *)indices + (before.rows + i) * 8, &spans[i].index, 8);
    }
    ec_result result = {cursor->offset, cursor->rows, EC_OK};
    return result;
}

int ec_row_reads_as_asked(const void *row, const ec_row_format *format, int32_t kind, int32_t asked) {
    if (kind == EC_VECTOR_STRING)
        return asked == EC_PAYLOAD_NONE || ec_payload_guess(row, 1, ec_row_bytes(format), asked, NULL) == asked;
    return format->type != EC_FLOAT32 || ec_payload_guess_listed(row, 1, format->width) == EC_PAYLOAD_BYTES;
}

ec_one_row ec_response_read_one(const void *body, int64_t n, const void *path, const ec_response_cursor *start,
                                const ec_row_format *format, int32_t asked, void *row) {
    ec_response_cursor cursor = *start;
    ec_result result = ec_response_read_rows(body, n, path, &cursor, format, row, NULL, 1);
    int found = result.status == EC_OK && cursor.stage == EC_SCAN_DONE && cursor.list_start >= 0 && cursor.rows == 1 &&
                (cursor.unindexed || cursor.in_place) && ec_row_reads_as_asked(row, format, cursor.kind, asked);
    ec_one_row one = {cursor.list_start, cursor.list_end, cursor.kind, found};
    return one;
}
