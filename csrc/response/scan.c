/* Finds the rows of a body: walks the document along the path, and reports where the vector of each row stands. It is a
 * state machine that stops and goes on at any row (ec_response_cursor), and it is fast because most of a body, the
 * inside of lists of numbers, is skipped by the kernel list_end and read only by the number parser. */
#include "row.h"

/* The text of a key. */
typedef struct {
    const char *text;
    int64_t length;
} name_t;

/* Key number k of a path, in which each key ends with a zero byte. */
static name_t path_key(const char *path, int32_t k) {
    while (k-- > 0) path += strlen(path) + 1;
    name_t name = {path, (int64_t)strlen(path)};
    return name;
}

/* Passes a key and the colon behind it; the text of the key is text[*start, *end). */
static int pass_key(ec_json_reader *reader, int64_t *start, int64_t *end, int32_t *escaped) {
    if (ec_json_peek(reader) != '"') return ec_json_fail(reader, reader->at, EC_BAD_CHARACTER);
    *start = reader->at + 1;
    if (!ec_json_string(reader, escaped)) return 0;
    *end = reader->at - 1;
    return ec_json_expect(reader, ':');
}

/* After a member or an element: passes a comma and returns 1, or passes the closing bracket and returns 0. Returns 0
 * with `status` set where neither follows. */
static int pass_comma(ec_json_reader *reader, int closing) {
    int c = ec_json_peek(reader);
    if (c == ',' || c == closing) {
        reader->at++;
        return c == ',';
    }
    return ec_json_fail(reader, reader->at, EC_BAD_CHARACTER);
}

/* ---- one row ---- */

static int begins_alike(const ec_json_reader *reader, const ec_row_path *path) {
    return path->lead_length > 0 && reader->n - reader->at > path->lead_length &&
           memcmp(reader->text + reader->at, reader->text + path->lead, (size_t)path->lead_length) == 0;
}

/* Passes a list of numbers. If not strict, up to its first ']' only. */
static int pass_list(ec_json_reader *reader, int strict, int depth) {
    if (strict) return ec_json_value(reader, depth, EC_ALLOW_NOT_FINITE);
    if (depth >= EC_MAX_DEPTH) return ec_json_fail(reader, reader->at, EC_TOO_DEEP);
    /* a list of numbers ends at its first ']'; whatever else is in there, the number parser refuses later */
    int64_t at = reader->at + 1;
    at += ec_active.list_end(reader->text + at, reader->n - at);
    if (at >= reader->n) return ec_json_fail(reader, reader->n, EC_TRUNCATED);
    reader->at = at + 1;
    return 1;
}

/* Passes a list that holds one list and nothing else, as [[0.5, -1]]: the vector is the inner one. Returns 0, without a
 * failure, where it holds anything else. */
static int pass_nested_list(ec_json_reader *reader, int strict, int depth, ec_row_span *span) {
    ec_json_reader inner = *reader;
    inner.at++;
    if (ec_json_peek(&inner) != '[') return 0;
    int64_t start = inner.at, end;
    if (!pass_list(&inner, strict, depth + 1)) return 0;
    end = inner.at;
    if (!ec_json_expect(&inner, ']')) return 0;
    reader->at = inner.at;
    span->start = start;
    span->end = end;
    return 1;
}

/* Passes the value of the vector's key and describes it in `span`. Text that is a list of numbers, as "[0.5, -1]", is
 * that list. */
static int pass_vector(ec_json_reader *reader, const ec_row_path *path, int depth, ec_row_span *span) {
    int c = ec_json_peek(reader);
    if (span->kind != EC_VECTOR_MISSING && !path->strict) return ec_json_fail(reader, reader->at, EC_DUPLICATE);
    span->start = reader->at;
    span->escaped = 0;
    int passed;
    if (c == '[') {
        span->kind = EC_VECTOR_LIST;
        if (EC_UNLIKELY(pass_nested_list(reader, path->strict, depth, span))) return 1;
        passed = pass_list(reader, path->strict, depth);
    } else if (c == '"') {
        span->kind = EC_VECTOR_STRING;
        passed = ec_json_string(reader, &span->escaped);
        if (passed && !span->escaped && reader->text[span->start + 1] == '[' && reader->text[reader->at - 2] == ']') {
            span->kind = EC_VECTOR_LIST;
            span->start++;
            span->end = reader->at - 1;
            return 1;
        }
    } else {
        span->kind = c == 'n' ? EC_VECTOR_NULL : EC_VECTOR_OTHER;
        passed = ec_json_value(reader, depth, 0);
    }
    span->end = reader->at;
    return passed;
}

/* Whether a key of a row is that of its number among the inputs: DashScope's own routes call it otherwise. */
static int is_index(const uint8_t *key, int64_t n, int32_t escaped) {
    return ec_json_says(key, n, escaped, "index", 5) || ec_json_says(key, n, escaped, "text_index", 10);
}

/* Passes the value of "index". Indices that are no whole numbers of at most 18 digits are reported as EC_INDEX_BAD. */
static int pass_index(ec_json_reader *reader, int depth, ec_row_span *span) {
    int c = ec_json_peek(reader);
    int64_t start = reader->at, index = 0;
    if (!ec_json_value(reader, depth, 0)) return 0;
    span->index = c == 'n' ? EC_INDEX_MISSING : EC_INDEX_BAD;
    if (reader->at - start > 18) return 1;
    for (int64_t at = start; at < reader->at; at++) {
        if (reader->text[at] < '0' || reader->text[at] > '9') return 1;
        index = index * 10 + (reader->text[at] - '0');
    }
    span->index = index;
    return 1;
}

static int pass_row_object(ec_json_reader *reader, ec_row_path *path, int32_t level, ec_row_span *span);

/* Passes a member of the object that key number `level` of the row's path is in; `object` is where the object
 * begins. */
static int pass_row_member(ec_json_reader *reader, ec_row_path *path, int32_t level, int64_t object,
                           ec_row_span *span) {
    name_t wanted = path_key(path->keys, level);
    int depth = path->depth + level + 1;
    int64_t start, end;
    int32_t escaped;
    if (!pass_key(reader, &start, &end, &escaped)) return 0;
    const uint8_t *key = reader->text + start;
    if (ec_json_says(key, end - start, escaped, wanted.text, wanted.length)) {
        if (level + 1 == path->count) {
            if (level == 0 && span->kind == EC_VECTOR_MISSING) {
                path->lead = object;
                path->lead_length = reader->at - object;
                path->lead_index = span->index;
            }
            return pass_vector(reader, path, depth, span);
        }
        span->kind = EC_VECTOR_MISSING; /* of objects with the same key the last one counts */
        if (ec_json_peek(reader) == '{') return pass_row_object(reader, path, level + 1, span);
    } else if (level == 0 && is_index(key, end - start, escaped)) {
        return pass_index(reader, depth, span);
    }
    return ec_json_value(reader, depth, 0);
}

static int pass_row_object(ec_json_reader *reader, ec_row_path *path, int32_t level, ec_row_span *span) {
    int64_t object = reader->at;
    int depth = path->depth + level + 1, passed;
    if (depth > EC_MAX_DEPTH) return ec_json_fail(reader, reader->at, EC_TOO_DEEP);
    if (level == 0 && begins_alike(reader, path)) {
        reader->at += path->lead_length;
        span->index = path->lead_index;
        passed = pass_vector(reader, path, depth, span);
    } else {
        reader->at++;
        if (ec_json_peek(reader) == '}') {
            reader->at++;
            return 1;
        }
        passed = pass_row_member(reader, path, level, object, span);
    }
    while (passed && pass_comma(reader, '}')) passed = pass_row_member(reader, path, level, object, span);
    return reader->status == EC_OK;
}

int ec_response_pass_row(ec_json_reader *reader, ec_row_path *path, ec_row_span *span) {
    int64_t start;
    int c = ec_json_peek(reader), passed;
    start = reader->at;
    span->index = EC_INDEX_MISSING;
    span->kind = EC_VECTOR_MISSING;
    span->escaped = 0;
    if (path->count == 0)
        passed = pass_vector(reader, path, path->depth, span);
    else if (c == '{')
        passed = pass_row_object(reader, path, 0, span);
    else
        passed = ec_json_value(reader, path->depth, 0);
    if (span->kind == EC_VECTOR_MISSING) {
        span->start = start;
        span->end = reader->at;
    }
    return passed;
}

static ec_row_path path_of_rows(const char *path, const ec_response_cursor *cursor) {
    ec_row_path rows = {
        path_key(path, cursor->rows_keys).text, cursor->item_keys, cursor->strict, cursor->rows_keys + 1, 0, 0, 0};
    return rows;
}

/* ---- the way to the rows ---- */

/* Whether the value where a list of rows is wanted is one row by itself: a vector, or an object with one. */
static int is_row_alone(ec_json_reader reader, const char *path, const ec_response_cursor *cursor, int c) {
    if (c == '"') return cursor->item_keys == 0 && cursor->rows_keys > 0;
    if (c == '[') {
        reader.at++;
        c = ec_json_peek(&reader);
        return cursor->item_keys == 0 && (c == '-' || (c >= '0' && c <= '9') || c == 'N' || c == 'I');
    }
    if (c != '{' || cursor->item_keys == 0) return 0;
    ec_row_path row = path_of_rows(path, cursor);
    ec_row_span span;
    row.depth--;
    ec_response_pass_row(&reader, &row, &span);
    return span.kind != EC_VECTOR_MISSING;
}

/* Passes, or enters, the value that the first `level` keys of the path lead to. */
static int enter_value(ec_json_reader *reader, const char *path, ec_response_cursor *cursor, int32_t level) {
    int c = ec_json_peek(reader);
    cursor->list_start = cursor->list_end =
        -1; /* if the key is there twice, what its first value held does not count */
    cursor->stage = EC_SCAN_AFTER_VALUE;
    if (level == cursor->rows_keys) {
        int alone = is_row_alone(*reader, path, cursor, c);
        if ((c != '[' && !alone) || ++cursor->lists <= cursor->skip_lists)
            return ec_json_value(reader, level, EC_ALLOW_NOT_FINITE);
        cursor->list_start = reader->at;
        if (!alone) reader->at++;
        cursor->rows = cursor->in_place = cursor->unindexed = 0;
        cursor->stage = alone ? EC_SCAN_ROW_ALONE : EC_SCAN_FIRST_ROW;
        return 1;
    }
    if (c != '{') return ec_json_value(reader, level, 0);
    reader->at++;
    cursor->level = level + 1;
    cursor->stage = EC_SCAN_FIRST_KEY;
    return 1;
}

static int pass_member(ec_json_reader *reader, const char *path, ec_response_cursor *cursor) {
    int64_t start, end;
    int32_t escaped;
    name_t wanted = path_key(path, cursor->level - 1);
    if (!pass_key(reader, &start, &end, &escaped)) return 0;
    if (ec_json_says(reader->text + start, end - start, escaped, wanted.text, wanted.length))
        return enter_value(reader, path, cursor, cursor->level);
    cursor->stage = EC_SCAN_AFTER_VALUE;
    return ec_json_value(reader, cursor->level, 0);
}

/* After a value on the way: passes the next member, or leaves the object or the document. */
static int leave_value(ec_json_reader *reader, const char *path, ec_response_cursor *cursor) {
    if (cursor->level == 0) {
        if (ec_json_peek(reader) >= 0) return ec_json_fail(reader, reader->at, EC_TRAILING);
        cursor->stage = EC_SCAN_DONE;
        return 1;
    }
    if (pass_comma(reader, '}')) return pass_member(reader, path, cursor);
    cursor->level--;
    return reader->status == EC_OK;
}

static void note_row(ec_response_cursor *cursor, const ec_row_span *span) {
    if (cursor->rows == 0) cursor->kind = span->kind;
    cursor->in_place += span->index == cursor->rows;
    cursor->unindexed += span->index == EC_INDEX_MISSING;
    cursor->rows++;
}

static int end_list(ec_json_reader *reader, ec_response_cursor *cursor) {
    cursor->list_end = reader->at;
    cursor->stage = EC_SCAN_AFTER_VALUE;
    return reader->status == EC_OK;
}

ec_result ec_response_scan(const void *body, int64_t n, const void *path, ec_response_cursor *cursor,
                           ec_row_span *spans, int64_t capacity) {
    ec_json_reader reader = {body, n, cursor->offset, EC_OK};
    ec_row_path rows = path_of_rows(path, cursor);
    int64_t found = 0;
    int passed = 1;
    while (passed && cursor->stage != EC_SCAN_DONE) {
        switch (cursor->stage) {
        case EC_SCAN_BEGIN:
            if (n >= 3 && memcmp(reader.text, "\xef\xbb\xbf", 3) == 0) reader.at = 3; /* a byte order mark */
            passed = enter_value(&reader, path, cursor, 0);
            break;
        case EC_SCAN_FIRST_KEY:
            if (ec_json_peek(&reader) != '}') {
                passed = pass_member(&reader, path, cursor);
            } else {
                reader.at++;
                cursor->level--;
                cursor->stage = EC_SCAN_AFTER_VALUE;
            }
            break;
        case EC_SCAN_AFTER_VALUE: passed = leave_value(&reader, path, cursor); break;
        case EC_SCAN_FIRST_ROW:
            cursor->stage = EC_SCAN_AT_ROW;
            if (ec_json_peek(&reader) == ']') {
                reader.at++;
                passed = end_list(&reader, cursor);
            }
            break;
        case EC_SCAN_AFTER_ROW:
            if (pass_comma(&reader, ']'))
                cursor->stage = EC_SCAN_AT_ROW;
            else
                passed = end_list(&reader, cursor);
            break;
        case EC_SCAN_AT_ROW:
            ec_json_peek(&reader);
            if (found == capacity || (cursor->until && reader.at >= cursor->until)) goto stop;
            passed = ec_response_pass_row(&reader, &rows, &spans[found]);
            if (!passed) break;
            cursor->stage = EC_SCAN_AFTER_ROW;
            note_row(cursor, &spans[found++]);
            break;
        case EC_SCAN_ROW_ALONE:
            if (found == capacity) goto stop;
            rows.depth = cursor->rows_keys;
            passed = ec_response_pass_row(&reader, &rows, &spans[found]);
            if (!passed) break;
            note_row(cursor, &spans[found++]);
            passed = end_list(&reader, cursor);
            break;
        }
    }
stop:
    cursor->offset = reader.at;
    ec_result result = {reader.at, found, reader.status};
    return result;
}

/* ---- guessing ---- */

/* The bytes with which all rows of a list may be expected to begin: up to the colon behind the first key of an object,
 * or one character. */
static int64_t beginning(const uint8_t *text, int64_t n) {
    const int64_t most = 64;
    const uint8_t *colon = text[0] == '{' ? memchr(text, ':', (size_t)(n < most ? n : most)) : NULL;
    return colon ? colon + 1 - text : 1;
}

/* Whether the token before text[at] is a comma. */
static int follows_comma(const uint8_t *text, int64_t at) {
    do at--;
    while (ec_json_is_space(text[at])); /* ends at the list's bracket at the latest */
    return text[at] == ',';
}

ec_result ec_response_guess_row(const void *body, int64_t n, const void *path, const ec_response_cursor *cursor,
                                int64_t from, ec_row_span *span) {
    const int tries = 4; /* candidates that are read as rows, each perhaps for long */
    ec_result result = {n, 0, EC_OK};
    ec_json_reader first = {body, n, cursor->list_start + 1, EC_OK};
    if (cursor->list_start < 0 || ec_json_peek(&first) < 0 || from <= first.at) return result;
    const uint8_t *text = body, *start = text + first.at;
    int64_t length = beginning(start, n - first.at);
    for (int i = 0; i < tries && from <= n - length; from++) {
        const uint8_t *found = memchr(text + from, start[0], (size_t)(n - length + 1 - from));
        if (!found) break;
        from = found - text;
        if (!follows_comma(text, from) || memcmp(found, start, (size_t)length) != 0) continue;
        i++;
        ec_json_reader reader = {text, n, from, EC_OK};
        ec_row_path rows = path_of_rows(path, cursor);
        if (!ec_response_pass_row(&reader, &rows, span)) continue;
        int c = ec_json_peek(&reader);
        if ((c != ',' && c != ']') || (span->kind != EC_VECTOR_LIST && span->kind != EC_VECTOR_STRING)) continue;
        result.consumed = from;
        result.produced = 1;
        break;
    }
    return result;
}
