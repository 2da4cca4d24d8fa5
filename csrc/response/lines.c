/* Reads plain lines of a batch file into rows of a matrix, in one pass over each line:
 *
 *     {"id":..., "custom_id":"a", "error":null,
 *      "response":{"status_code":200, "body":{..., "data":[{"embedding":[...]}], "usage":{...}}}}
 *
 * with members in any order. Lines that say why there is no answer, and most broken ones, are noted as failed
 * (failed.c). Any other line is left to the Python reader, which knows all of the grammar and all of the services'
 * forms: so every verb here simply returns 0 where it meets something that it does not know. */
#include "failed.h"

typedef struct {
    ec_json_reader reader;
    ec_row_path path;
    const char *list;  /* the key of the list of rows */
    const char *apart; /* keys that a plain body has not, each ended by a zero byte, and an empty one */
    const ec_row_format *format;
    ec_row_format own; /* where format->width is 0: the format, with the width of the line's first row */
    uint8_t *matrix;
    int64_t capacity;
    /* of the line at hand: */
    int64_t rows, in_place, unindexed, first;
    batch_id id;
    int32_t has_response, has_body, has_list;
    int64_t prompt, completion, total;
} line_reader;

/* ---- the members, from the inmost object out ---- */

static int pass_usage(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    int64_t ignored;
    int is_split = 0;
    json_key key;
    line->prompt = line->completion = line->total = 0;
    if (!ec_json_expect(reader, '{')) return 0;
    do {
        if (!pass_member_key(reader, &key)) return 0;
        int64_t *count = is_key(key, "prompt_tokens")       ? &line->prompt
                         : is_key(key, "completion_tokens") ? &line->completion
                         : is_key(key, "total_tokens")      ? &line->total
                                                            : &ignored;
        if (count == &ignored && is_key(key, "input_tokens")) return 0; /* other names: read by all */
        if (count == &ignored ? !ec_json_value(reader, 4, 0) : !pass_count(reader, count)) return 0;
        is_split |= count == &line->prompt || count == &line->completion;
    } while (pass_member_comma(reader));
    if (!is_split) line->prompt = line->total; /* Voyage and DashScope count no others */
    return ec_json_expect(reader, '}');
}

/* Takes the width of a row that is a list for that of all; `capacity` counts elements before, and rows then. */
static int learn_width(line_reader *line, const ec_row_span *span) {
    if (span->kind != EC_VECTOR_LIST) return 0;
    line->own.width = ec_response_width(line->reader.text, span, line->format).produced;
    if (line->own.width <= 0) return 0;
    line->capacity /= line->own.width;
    return line->capacity > 0;
}

/* Passes the list of rows and decodes them. Their indices must be in order, or missing in all. */
static int pass_rows(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    ec_row_span span;
    if (line->has_list++ || !ec_json_expect(reader, '[')) return 0;
    do {
        if (line->rows == line->capacity || !ec_response_pass_row(reader, &line->path, &span)) return 0;
        if (line->rows == 0) line->first = span.start;
        if (line->format->width == 0 && !learn_width(line, &span)) return 0;
        uint8_t *row = line->matrix + line->rows * ec_row_bytes(line->format);
        const int64_t room = (line->capacity - line->rows) * line->format->width;
        if (ec_response_decode_rows(reader->text, &span, 1, line->format, row, room).status != EC_OK) return 0;
        line->in_place += span.index == line->rows;
        line->unindexed += span.index == EC_INDEX_MISSING;
        line->rows++;
    } while (pass_member_comma(reader));
    return (line->rows == line->in_place || line->rows == line->unindexed) && ec_json_expect(reader, ']');
}

static int pass_body(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    if (line->has_body++ || !ec_json_expect(reader, '{')) return 0;
    do {
        int passed = pass_member_key(reader, &key);
        if (!passed) return 0;
        if (is_key(key, line->list))
            passed = pass_rows(line);
        else if (is_key(key, "usage"))
            passed = pass_usage(line);
        else if (is_apart(key, line->apart))
            return 0;
        else
            passed = ec_json_value(reader, 3, 0);
        if (!passed) return 0;
    } while (pass_member_comma(reader));
    return ec_json_expect(reader, '}');
}

static int pass_response(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    if (line->has_response++ || !ec_json_expect(reader, '{')) return 0;
    do {
        int64_t status = 200;
        int passed = pass_member_key(reader, &key);
        if (!passed) return 0;
        if (is_key(key, "body"))
            passed = pass_body(line);
        else if (is_key(key, "status_code"))
            passed = pass_count(reader, &status);
        else
            passed = ec_json_value(reader, 2, 0);
        if (!passed || status < 200 || status > 299) return 0;
    } while (pass_member_comma(reader));
    return ec_json_expect(reader, '}');
}

static int pass_line(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    if (!ec_json_expect(reader, '{')) return 0;
    do {
        int passed = pass_member_key(reader, &key);
        if (!passed) return 0;
        if (is_key(key, "response"))
            passed = pass_response(line);
        else if (is_key(key, "custom_id"))
            passed = pass_id(reader, &line->id);
        else if (is_key(key, "error"))
            passed = pass_null(reader);
        else
            passed = ec_json_value(reader, 1, 0);
        if (!passed) return 0;
    } while (pass_member_comma(reader));
    return ec_json_expect(reader, '}') && ec_json_peek(reader) < 0 && line->rows > 0;
}

/* ---- the lines ---- */

/* Resets what is known of the line at hand. */
static void begin_line(line_reader *line, int64_t start, int64_t end) {
    line->reader.at = start;
    line->reader.n = end;
    line->reader.status = EC_OK;
    line->rows = line->in_place = line->unindexed = line->first = 0;
    line->id = NO_ID;
    line->has_response = line->has_body = line->has_list = 0;
    line->prompt = line->completion = line->total = 0;
}

/* Reads a line that is an answer, or blank. Returns 0 where it is not plain. */
static int read_answer(line_reader *line, ec_batch_line *one) {
    if (ec_json_peek(&line->reader) >= 0 && (line->format->width == 0 || !pass_line(line))) return 0;
    one->rows = line->rows;
    note_id(&line->id, one);
    line->matrix += line->rows * ec_row_bytes(line->format);
    line->capacity -= line->rows;
    one->prompt = line->prompt;
    one->completion = line->completion;
    one->total = line->total ? line->total : line->prompt + line->completion;
    return 1;
}

/* Reads a line once more, or for the first time, with rows of any one width, and `capacity` elements of them. Returns
 * the width, or 0 where the line is no answer even so. */
static int64_t read_any_width(line_reader *line, int64_t capacity, int64_t start, int64_t end) {
    const ec_row_format *format = line->format;
    const int64_t rows = line->capacity;
    begin_line(line, start, end);
    line->own = *format;
    line->own.width = 0;
    line->format = &line->own;
    line->capacity = capacity;
    const int passed = pass_line(line);
    line->format = format;
    line->capacity = rows;
    return passed ? line->own.width : 0;
}

/* Notes a line that would be plain but for its rows, lists whose width is not format->width. */
static int note_width(line_reader *line, int64_t start, int64_t end, ec_batch_line *one) {
    if (line->format->width == 0) return 0;
    const int64_t width = read_any_width(line, line->capacity * line->format->width, start, end);
    one->kind = EC_LINE_WIDTH;
    one->status = width;
    one->from = line->first - start;
    one->to = 0;
    note_id(&line->id, one);
    return width && width != line->format->width;
}

ec_result ec_batch_read_lines(const void *text, int64_t n, const void *names, const ec_row_format *format, void *matrix,
                              int64_t capacity, void *lines, int64_t most) {
    const char *list = names;
    line_reader line;
    memset(&line, 0, sizeof line);
    line.reader.text = text;
    line.list = list;
    line.path.keys = list + strlen(list) + 1;
    line.apart = line.path.keys + strlen(line.path.keys) + 1;
    line.path.count = 1;
    line.path.depth = 4;
    line.format = format;
    line.matrix = matrix;
    line.capacity = capacity;
    int64_t at = 0, found = 0;
    while (found < most && at < n) {
        const uint8_t *end = memchr((const uint8_t *)text + at, '\n', (size_t)(n - at));
        if (!end) break;
        int64_t next = end + 1 - (const uint8_t *)text;
        ec_batch_line one = {next, 0, -1, -1, 0, EC_LINE_ANSWER, 0, -1, -1, 0, 0, 0};
        if (format->width == 0 && read_any_width(&line, line.capacity, at, next - 1)) break;
        begin_line(&line, at, next - 1);
        if (!read_answer(&line, &one) &&
            !ec_batch_note_failure(text, at, next - 1, names, format, line.matrix, line.capacity, &one) &&
            !note_width(&line, at, next - 1, &one))
            break;
        memcpy((uint8_t *)lines + found++ * (int64_t)sizeof one, &one, sizeof one);
        at = next;
    }
    ec_result result = {at, found, EC_OK};
    return result;
}

int64_t ec_batch_join_ids(const void *text, int64_t n, const void *lines, int64_t count, void *ids, int64_t capacity) {
    int64_t written = 0;
    for (int64_t i = 0; i < count; i++) {
        ec_batch_line one;
        memcpy(&one, (const uint8_t *)lines + i * (int64_t)sizeof one, sizeof one);
        if (one.id_start < 0 || one.id_start >= one.id_end || one.id_end > n) return -1;
        const int64_t start = one.id_start + 1, length = one.id_end - start; /* behind the quote before it */
        if (length > capacity - written) return -1;
        memcpy((uint8_t *)ids + written, (const uint8_t *)text + start, (size_t)length);
        written += length;
    }
    return written;
}
