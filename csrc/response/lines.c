/* Plain lines of a batch file become rows of a matrix.
 *
 *     {"id":..., "custom_id":"a", "response":{"status_code":200, "body":{..., "data":[{"embedding":[...]}], "usage":{...}}},
 *      "error":null}
 *
 * in any order. A line that is anything else, or has any fault, is left to the reader that knows all of the grammar and
 * all of the services' ways; so every verb here just returns 0 where it meets what it does not know. */
#include "row.h"

typedef struct {
    ec_json_reader reader;
    ec_row_path path;
    const char *list; /* the key of the list of rows */
    const ec_row_format *format;
    uint8_t *matrix;
    int64_t capacity;
    /* of the line at hand */
    int64_t rows, in_place, unindexed;
    int64_t id_start, id_end;
    int32_t id_escaped, has_response, has_body, has_list;
    int64_t prompt, completion, total;
} line_reader;

/* ---- small verbs ---- */

typedef struct {
    const uint8_t *text;
    int64_t length;
} json_key;

static int is_key(json_key key, const char *name) {
    return key.length == (int64_t)strlen(name) && memcmp(key.text, name, (size_t)key.length) == 0;
}

/* Passes a key without escapes, and its colon. */
static int pass_key(ec_json_reader *reader, json_key *key) {
    int32_t escaped;
    if (ec_json_peek(reader) != '"') return 0;
    key->text = reader->text + reader->at + 1;
    if (!ec_json_string(reader, &escaped) || escaped) return 0;
    key->length = reader->text + reader->at - 1 - key->text;
    return ec_json_expect(reader, ':');
}

static int pass_comma(ec_json_reader *reader) {
    if (ec_json_peek(reader) != ',') return 0;
    reader->at++;
    return 1;
}

static int pass_null(ec_json_reader *reader) { return ec_json_peek(reader) == 'n' && ec_json_value(reader, 0, 0); }

/* Passes a whole number of at most 15 digits: thousands of them have a sum. */
static int pass_count(ec_json_reader *reader, int64_t *count) {
    ec_json_peek(reader);
    int64_t start = reader->at, value = 0;
    if (!ec_json_value(reader, 0, 0) || reader->at - start > 15) return 0;
    for (int64_t at = start; at < reader->at; at++) {
        int digit = reader->text[at] - '0';
        if (digit < 0 || digit > 9) return 0;
        value = value * 10 + digit;
    }
    *count = value;
    return 1;
}

/* ---- from the inside out ---- */

static int pass_usage(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    int64_t ignored;
    json_key key;
    line->prompt = line->completion = line->total = 0;
    if (!ec_json_expect(reader, '{')) return 0;
    do {
        if (!pass_key(reader, &key)) return 0;
        int64_t *count = is_key(key, "prompt_tokens")       ? &line->prompt
                         : is_key(key, "completion_tokens") ? &line->completion
                         : is_key(key, "total_tokens")      ? &line->total
                                                            : &ignored;
        if (count == &ignored ? !ec_json_value(reader, 4, 0) : !pass_count(reader, count)) return 0;
    } while (pass_comma(reader));
    return ec_json_expect(reader, '}');
}

static int pass_rows(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    int64_t row_bytes = line->format->width * (line->format->type == EC_FLOAT32 ? 4 : 1);
    ec_row_span span;
    if (line->has_list++ || !ec_json_expect(reader, '[')) return 0;
    do {
        if (line->rows == line->capacity || !ec_response_pass_row(reader, &line->path, &span)) return 0;
        uint8_t *row = line->matrix + line->rows * row_bytes;
        if (ec_response_decode_rows(reader->text, &span, 1, line->format, row).status != EC_OK) return 0;
        line->in_place += span.index == line->rows;
        line->unindexed += span.index == EC_INDEX_MISSING;
        line->rows++;
    } while (pass_comma(reader));
    return (line->rows == line->in_place || line->rows == line->unindexed) && ec_json_expect(reader, ']');
}

static int pass_body(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    if (line->has_body++ || !ec_json_expect(reader, '{')) return 0;
    do {
        int passed = pass_key(reader, &key);
        if (!passed) return 0;
        if (is_key(key, line->list))
            passed = pass_rows(line);
        else if (is_key(key, "usage"))
            passed = pass_usage(line);
        else if (is_key(key, "error") || is_key(key, "meta") || is_key(key, "prompt_eval_count"))
            return 0;
        else
            passed = ec_json_value(reader, 3, 0);
        if (!passed) return 0;
    } while (pass_comma(reader));
    return ec_json_expect(reader, '}');
}

static int pass_response(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    if (line->has_response++ || !ec_json_expect(reader, '{')) return 0;
    do {
        int64_t status = 200;
        int passed = pass_key(reader, &key);
        if (!passed) return 0;
        if (is_key(key, "body"))
            passed = pass_body(line);
        else if (is_key(key, "status_code"))
            passed = pass_count(reader, &status);
        else
            passed = ec_json_value(reader, 2, 0);
        if (!passed || status < 200 || status > 299) return 0;
    } while (pass_comma(reader));
    return ec_json_expect(reader, '}');
}

static int pass_id(line_reader *line) {
    if (ec_json_peek(&line->reader) != '"') return 0;
    line->id_start = line->reader.at;
    if (!ec_json_string(&line->reader, &line->id_escaped)) return 0;
    line->id_end = line->reader.at;
    return 1;
}

static int pass_line(line_reader *line) {
    ec_json_reader *reader = &line->reader;
    json_key key;
    if (!ec_json_expect(reader, '{')) return 0;
    do {
        int passed = pass_key(reader, &key);
        if (!passed) return 0;
        if (is_key(key, "response"))
            passed = pass_response(line);
        else if (is_key(key, "custom_id"))
            passed = pass_id(line);
        else if (is_key(key, "error"))
            passed = pass_null(reader);
        else
            passed = ec_json_value(reader, 1, 0);
        if (!passed) return 0;
    } while (pass_comma(reader));
    return ec_json_expect(reader, '}') && ec_json_peek(reader) < 0 && line->rows > 0;
}

/* ---- the lines ---- */

static void begin_line(line_reader *line, int64_t start, int64_t end) {
    line->reader.at = start;
    line->reader.n = end;
    line->reader.status = EC_OK;
    line->rows = line->in_place = line->unindexed = 0;
    line->id_start = line->id_end = -1;
    line->id_escaped = line->has_response = line->has_body = line->has_list = 0;
    line->prompt = line->completion = line->total = 0;
}

ec_result ec_batch_read_lines(const void *text, int64_t n, const void *names, const ec_row_format *format, void *matrix,
                              int64_t capacity, void *lines, int64_t most, ec_batch_usage *usage) {
    const char *list = names;
    const int64_t row_bytes = format->width * (format->type == EC_FLOAT32 ? 4 : 1);
    line_reader line;
    memset(&line, 0, sizeof line);
    line.reader.text = text;
    line.list = list;
    line.path.keys = list + strlen(list) + 1;
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
        begin_line(&line, at, next - 1);
        if (ec_json_peek(&line.reader) >= 0 && !pass_line(&line)) break;
        line.matrix += line.rows * row_bytes;
        line.capacity -= line.rows;
        ec_batch_line one = {next, line.rows, line.id_start, line.id_end, line.id_escaped};
        memcpy((uint8_t *)lines + found++ * (int64_t)sizeof one, &one, sizeof one);
        usage->prompt += line.prompt;
        usage->completion += line.completion;
        usage->total += line.total ? line.total : line.prompt + line.completion;
        at = next;
    }
    ec_result result = {at, found, EC_OK};
    return result;
}
