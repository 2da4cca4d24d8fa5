/* Lines of a batch file that hold no answer: notes what the service said instead, or what is wrong with the line.
 *
 *     {"custom_id":"a", "response":{"status_code":429, "body":{...}}, "error":null}       the message is the body
 *     {"custom_id":"a", "response":null, "error":{...}}                                    the message is the error
 *
 * All lines of a file may be such, so that each should cost no more than an answer. */
#include "failed.h"

typedef struct {
    ec_json_reader reader;
    const char *list; /* the key of the list of rows */
    batch_id id;
    int64_t status; /* -1 where there is none */
    int64_t error_start, error_end, body_start, body_end;
    int32_t ids, errors, responses, statuses, bodies;
} failed_line;

/* ---- refusals: what a service said ---- */

/* Passes a body that does not have the key of the rows: such a body may be an answer, which is judged elsewhere. */
static int pass_failed_body(failed_line *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    int c = ec_json_peek(reader);
    line->body_start = reader->at;
    if (line->bodies++) return 0;
    if (c != '{') {
        if (!ec_json_value(reader, 2, 0)) return 0;
    } else {
        reader->at++;
        if (ec_json_peek(reader) != '}') {
            do
                if (!pass_member_key(reader, &key) || is_key(key, line->list) || !ec_json_value(reader, 3, 0)) return 0;
            while (pass_member_comma(reader));
        }
        if (!ec_json_expect(reader, '}')) return 0;
    }
    line->body_end = reader->at;
    return 1;
}

static int pass_failed_response(failed_line *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    if (line->responses++) return 0;
    if (ec_json_peek(reader) == 'n') return pass_null(reader);
    if (!ec_json_expect(reader, '{')) return 0;
    do {
        int passed = pass_member_key(reader, &key);
        if (!passed) return 0;
        if (is_key(key, "body"))
            passed = pass_failed_body(line);
        else if (is_key(key, "status_code"))
            passed = !line->statuses++ && pass_count(reader, &line->status);
        else
            passed = ec_json_value(reader, 2, 0);
        if (!passed) return 0;
    } while (pass_member_comma(reader));
    return ec_json_expect(reader, '}');
}

/* Passes an error: null, or a string or object that is not empty. */
static int pass_error(failed_line *line) {
    ec_json_reader *reader = &line->reader;
    int c = ec_json_peek(reader);
    if (line->errors++) return 0;
    if (c == 'n') return pass_null(reader);
    line->error_start = reader->at;
    if ((c != '"' && c != '{') || !ec_json_value(reader, 1, 0)) return 0;
    line->error_end = reader->at;
    if (line->error_end - line->error_start == 2) return 0; /* "" or {} */
    ec_json_reader inside = {reader->text, reader->at, line->error_start + 1, EC_OK};
    return c == '"' || ec_json_peek(&inside) != '}';
}

static int pass_refusal(failed_line *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    if (!ec_json_expect(reader, '{')) return 0;
    do {
        int passed = pass_member_key(reader, &key);
        if (!passed) return 0;
        if (is_key(key, "response"))
            passed = pass_failed_response(line);
        else if (is_key(key, "custom_id"))
            passed = !line->ids++ && (ec_json_peek(reader) == 'n' ? pass_null(reader) : pass_id(reader, &line->id));
        else if (is_key(key, "error"))
            passed = pass_error(line);
        else
            passed = ec_json_value(reader, 1, 0);
        if (!passed) return 0;
    } while (pass_member_comma(reader));
    return ec_json_expect(reader, '}') && ec_json_peek(reader) < 0;
}

static failed_line begin_failed(const uint8_t *text, int64_t start, int64_t end, const char *path) {
    failed_line line;
    memset(&line, 0, sizeof line);
    line.reader.text = text;
    line.reader.at = start;
    line.reader.n = end;
    line.list = path;
    line.id = NO_ID;
    line.status = line.error_start = line.error_end = line.body_start = line.body_end = -1;
    return line;
}

/* Notes a line with an error, or with a status other than 2xx. */
static int note_refusal(failed_line *line, int64_t start, ec_batch_line *to) {
    if (!pass_refusal(line)) return 0;
    int refused = line->status >= 0 && (line->status < 200 || line->status > 299);
    if (!refused && line->error_end < 0) return 0;
    int64_t from = line->error_end >= 0 ? line->error_start : line->body_start;
    int64_t end = line->error_end >= 0 ? line->error_end : line->body_end;
    to->kind = EC_LINE_REFUSED;
    to->status = refused ? line->status : 0;
    to->from = from < 0 ? -1 : from - start;
    to->to = from < 0 ? -1 : end - start;
    return line->status != 0;
}

/* ---- faults: what is wrong ---- */

/* Notes a fault of some kind at an offset in the line. Returns 1. */
static int note_fault(ec_batch_line *to, int64_t kind, int64_t status, int64_t offset, int64_t row) {
    to->kind = kind;
    to->status = status;
    to->from = offset;
    to->to = row;
    return 1;
}

static ec_response_cursor begin_scan(void) {
    ec_response_cursor cursor;
    memset(&cursor, 0, sizeof cursor);
    cursor.rows_keys = 3;
    cursor.item_keys = 1;
    cursor.strict = 1;
    cursor.list_start = cursor.list_end = -1;
    return cursor;
}

/* Writes the path from a line to its vectors: the keys "response" and "body", then the two names. Returns 0 where there
 * is no room for it. */
static int write_path(const char *names, char *path, int64_t room) {
    static const char around[] = "response\0body";
    int64_t first = (int64_t)strlen(names) + 1, length = first + (int64_t)strlen(names + first) + 1;
    if ((int64_t)sizeof around + length > room) return 0;
    memcpy(path, around, sizeof around);
    memcpy(path + sizeof around, names, (size_t)length);
    return 1;
}

/* Notes the first row without a vector, or whose list of numbers is broken. Returns 0 where there is no such row. */
static int note_broken_row(const uint8_t *text, int64_t n, const char *path, const ec_row_format *format, void *matrix,
                           int64_t capacity, ec_batch_line *to) {
    ec_response_cursor cursor = begin_scan();
    ec_row_format own = *format;
    ec_row_span span;
    for (int64_t row = 0; cursor.stage != EC_SCAN_DONE; row++) {
        if (ec_response_scan(text, n, path, &cursor, &span, 1).produced == 0 || span.kind == EC_VECTOR_STRING) return 0;
        if (span.kind != EC_VECTOR_LIST) return note_fault(to, EC_LINE_NO_VECTOR, span.kind, span.start, row);
        if (row == 0) {
            int64_t width = ec_response_width(text, &span, format).produced;
            if (width <= 0 || (format->width ? width != format->width || capacity < 1 : width > capacity)) return 0;
            own.width = width;
        }
        const int64_t room = format->width ? capacity * format->width : capacity;
        ec_result result = ec_response_decode_rows(text, &span, 1, &own, matrix, room);
        if (result.status == EC_BAD_LENGTH) return 0;
        if (result.status != EC_OK) return note_fault(to, EC_LINE_BROKEN, result.status, result.consumed, row);
    }
    return 0;
}

/* Finds the custom_id of a line that is known to be JSON. */
static int find_id(failed_line *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    if (!ec_json_expect(reader, '{')) return 0;
    do {
        int passed = pass_member_key(reader, &key);
        if (!passed) return 0;
        if (is_key(key, "custom_id"))
            passed = !line->ids++ && (ec_json_peek(reader) == 'n' ? pass_null(reader) : pass_id(reader, &line->id));
        else
            passed = ec_json_value(reader, 1, EC_ALLOW_NOT_FINITE);
        if (!passed) return 0;
    } while (pass_member_comma(reader));
    return 1;
}

int ec_batch_note_failure(const uint8_t *text, int64_t start, int64_t end, const char *path,
                          const ec_row_format *format, void *matrix, int64_t capacity, ec_batch_line *to) {
    enum { MOST_SPANS = 16, MOST_PATH = 256 };
    ec_row_span spans[MOST_SPANS];
    char whole[MOST_PATH];
    failed_line line = begin_failed(text, start, end, path);
    int noted = note_refusal(&line, start, to);
    if (!noted) {
        const uint8_t *own = text + start;
        const int64_t n = end - start;
        if (!write_path(path, whole, MOST_PATH)) return 0;
        ec_response_cursor cursor = begin_scan();
        while (cursor.stage != EC_SCAN_DONE) { /* the grammar of the whole line comes before the contents of its rows */
            ec_result result = ec_response_scan(own, n, whole, &cursor, spans, MOST_SPANS);
            if (result.status == EC_BAD_CHARACTER && (own[result.consumed] == '\v' || own[result.consumed] == '\f'))
                return 0; /* other white space than JSON's: the line may be blank */
            if (result.status == EC_TRUNCATED && n > 0 && own[0] == 0xef)
                return 0; /* a byte order mark: the line may have nothing else */
            if (result.status != EC_OK)
                return note_fault(to, EC_LINE_BROKEN, result.status, result.consumed,
                                  cursor.stage == EC_SCAN_AT_ROW ? cursor.rows : -1);
        }
        line = begin_failed(text, start, end, path);
        if (ec_json_peek(&line.reader) != '{') return own[0] != 0xef && note_fault(to, EC_LINE_NO_OBJECT, 0, 0, -1);
        noted = cursor.lists == 1 && cursor.list_start >= 0 && cursor.rows > 0 &&
                note_broken_row(own, n, whole, format, matrix, capacity, to) && find_id(&line);
    }
    note_id(&line.id, to);
    return noted;
}
