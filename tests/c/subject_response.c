#include "response/row.h"
#include "subjects.h"

enum { SPANS = 4, MOST_ROWS = 4096, READ_ROWS = 32 };

static void decode(const uint8_t *body, const ec_row_span *spans, int64_t count, ec_row_format format) {
    ec_result found = ec_response_width(body, &spans[0], &format);
    record_result(found);
    if (found.status != EC_OK || found.produced > 1 << 16) return;
    format.width = found.produced;
    int64_t bytes = count * row_bytes_of(&format);
    uint8_t *rows = place(bytes);
    ec_result result = ec_response_decode_rows(body, spans, count, &format, rows, count * format.width);
    record_result(result);
    HOLDS(result.produced >= 0 && result.produced <= count);
    if (result.status == EC_OK) record(rows, bytes);
}

static const char PATH[] = "data\0embedding", NAMES[] = "data\0embedding\0error\0";

static ec_response_cursor new_cursor(int32_t strict) {
    ec_response_cursor cursor;
    memset(&cursor, 0, sizeof cursor);
    cursor.rows_keys = cursor.item_keys = 1;
    cursor.strict = strict;
    return cursor;
}

/* Read the body as that of a line of a batch file: if it is plain, it gives the same rows. */
static void read_line(const uint8_t *body, int64_t n, const ec_row_format *format, const uint8_t *whole,
                      const ec_response_cursor *cursor) {
    static const char before[] = "{\"response\":{\"body\":", behind[] = "}}\n";
    const int64_t lead = sizeof before - 1, length = lead + n + (int64_t)sizeof behind - 1;
    const int64_t bytes = READ_ROWS * row_bytes_of(format);
    uint8_t *text = place(length), *rows = place(bytes);
    memcpy(text, before, (size_t)lead);
    memcpy(text + lead, body, (size_t)n);
    memcpy(text + lead + n, behind, sizeof behind - 1);
    ec_batch_line line;
    memset(&line, 0, sizeof line);
    ec_result result = ec_batch_read_lines(text, length, NAMES, format, rows, READ_ROWS, &line, 1);
    record_result(result);
    record(&line, sizeof line);
    HOLDS(result.status == EC_OK && result.produced == (result.consumed > 0));
    if (line.rows == 0) return;
    HOLDS(cursor->stage == EC_SCAN_DONE && line.rows == cursor->rows);
    const int64_t row = bytes / READ_ROWS; /* the first one is not in `whole` */
    HOLDS(memcmp(rows + row, whole + row, (size_t)(row * (line.rows - 1))) == 0);
}

/* Read rows to a matrix: all at once, and in two parts, the second from a guessed row on. Where the first part ends at
 * the guess, both ways give the same. */
static void read_rows(const uint8_t *body, int64_t n, ec_row_format format) {
    ec_response_cursor cursor = new_cursor(0);
    ec_row_span span;
    memset(&span, 0, sizeof span);
    if (ec_response_scan(body, n, PATH, &cursor, &span, 1).status != EC_OK || cursor.stage != EC_SCAN_AT_ROW) return;
    ec_result width = ec_response_width(body, &span, &format);
    if (width.status != EC_OK || width.produced > 1 << 12) return;
    format.width = width.produced;
    const ec_response_cursor first = cursor;
    int64_t bytes = READ_ROWS * row_bytes_of(&format);
    uint8_t *whole = place(bytes), *parts = place(bytes), *indices = place(READ_ROWS * 8);
    memset(whole, 0, (size_t)bytes);
    memset(parts, 0, (size_t)bytes);
    memset(indices, 0, READ_ROWS * 8);
    ec_result all = ec_response_read_rows(body, n, PATH, &cursor, &format, whole, indices, READ_ROWS);
    record_result(all);
    record(&cursor, sizeof cursor);
    ec_result guess = ec_response_guess_row(body, n, PATH, &first, first.offset + (n - first.offset) / 3, &span);
    record_result(guess);
    if (all.status != EC_OK) return;
    HOLDS(cursor.rows <= READ_ROWS);
    record(whole, bytes);
    read_line(body, n, &format, whole, &cursor);
    record(indices, READ_ROWS * 8);
    ec_response_cursor part = first; /* without indices it may stop early, at rows that are the same */
    ec_result bare = ec_response_read_rows(body, n, PATH, &part, &format, parts, NULL, READ_ROWS);
    HOLDS(bare.status == EC_OK && part.rows <= cursor.rows);
    HOLDS(memcmp(whole, parts, (size_t)(part.rows * (bytes / READ_ROWS))) == 0);
    memset(parts, 0, (size_t)bytes);
    part = first;
    part.until = guess.produced ? guess.consumed : 0;
    ec_result result = ec_response_read_rows(body, n, PATH, &part, &format, parts, indices, READ_ROWS);
    HOLDS(result.status == EC_OK);
    if (guess.produced && part.stage == EC_SCAN_AT_ROW && part.offset == guess.consumed) {
        part = first;
        part.rows = part.unindexed = result.produced;
        part.in_place = 0;
        part.offset = guess.consumed;
        HOLDS(ec_response_read_rows(body, n, PATH, &part, &format, parts, indices, READ_ROWS).status == EC_OK);
        HOLDS(part.rows == cursor.rows && part.stage == cursor.stage && part.offset == cursor.offset);
        HOLDS(memcmp(whole, parts, (size_t)bytes) == 0);
    }
}

/* Read the body as the usual answer to one input: if it is one, its row is the only row. */
static void read_usual(const uint8_t *body, int64_t n, const ec_row_format *format, const uint8_t *row, int found) {
    const ec_usual_form form = {NAMES, format, EC_PAYLOAD_NONE};
    const int64_t bytes = row_bytes_of(format);
    uint8_t *usual = place(bytes);
    ec_usual_answer answer = ec_response_read_usual(body, n, &form, usual);
    record(&answer.kind, sizeof answer.kind);
    if (answer.kind == 0) return;
    record(&answer, sizeof answer);
    HOLDS(found && memcmp(row, usual, (size_t)bytes) == 0);
    const int64_t spans[3][2] = {{answer.id_start, answer.id_end},
                                 {answer.model_start, answer.model_end},
                                 {answer.usage_start, answer.usage_end}};
    for (int i = 0; i < 3; i++) HOLDS(spans[i][0] < 0 || (spans[i][0] <= spans[i][1] && spans[i][1] <= n));
}

/* Read the only row of a body at once. */
static void read_alone(const uint8_t *body, int64_t n, ec_row_format format) {
    const ec_response_cursor start = new_cursor(0);
    ec_response_cursor cursor = start;
    ec_row_span span;
    memset(&span, 0, sizeof span);
    if (ec_response_scan(body, n, PATH, &cursor, &span, 1).status != EC_OK || cursor.rows != 1) return;
    ec_result width = ec_response_width(body, &span, &format);
    if (width.status != EC_OK || width.produced > 1 << 12) return;
    format.width = width.produced;
    int64_t bytes = row_bytes_of(&format);
    uint8_t *row = place(bytes), *alone = place(bytes);
    ec_result decoded = ec_response_decode_rows(body, &span, 1, &format, row, format.width);
    ec_one_row one = ec_response_read_one(body, n, PATH, &start, &format, EC_PAYLOAD_NONE, alone);
    record(&one.found, sizeof one.found);
    read_usual(body, n, &format, row, one.found);
    if (!one.found) return;
    HOLDS(cursor.stage == EC_SCAN_DONE && decoded.status == EC_OK && memcmp(row, alone, (size_t)bytes) == 0);
    HOLDS(one.kind == span.kind && one.list_start == cursor.list_start && one.list_end == cursor.list_end);
}

/* Read the whole body, a few rows a stop, and decode the first stop's. */
static ec_result scan(const uint8_t *body, int64_t n, const ec_row_format *format, int32_t strict) {
    ec_response_cursor cursor = new_cursor(strict);
    ec_row_span spans[SPANS];
    memset(spans, 0, sizeof spans);
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

ec_row_format draw_format(uint8_t drawn) {
    ec_row_format format;
    memset(&format, 0, sizeof format);
    format.type = drawn % 3;
    format.payload = format.type == EC_FLOAT32 ? drawn / 3 % 11 - 1 : 0;
    format.number_flags = drawn & 0x40 ? EC_NULLS_AS_NAN : 0;
    format.base64_flags = drawn & 0x80 ? EC_BASE64_URLSAFE : 0;
    return format;
}

void subject_response(const uint8_t *input, int64_t n) {
    if (n < 1 || n > MOST_BYTES / 4) return;
    const uint8_t *body = place_copy(input + 1, n - 1);
    const ec_row_format format = draw_format(input[0]);
    record_result(ec_json_validate(body, n - 1, 0));
    record_result(ec_json_validate(body, n - 1, EC_ALLOW_NOT_FINITE));
    ec_result strict = scan(body, n - 1, &format, 1);
    if (strict.status == EC_OK) { /* then it is JSON, but for a byte order mark */
        int64_t mark = n > 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        HOLDS(ec_json_validate(body + mark, n - 1 - mark, EC_ALLOW_NOT_FINITE).status == EC_OK);
    }
    scan(body, n - 1, &format, 0);
    read_rows(body, n - 1, format);
    read_alone(body, n - 1, format);
}
