/* A JSON reader over text[0, n): small verbs, used by all readers of bodies and lines, that move `at` forward over what
 * they validate.
 *
 * Every verb returns 1, or 0 with `status` set and `at` on the offending byte (n where the text ends too early). */
#ifndef EC_RESPONSE_JSON_H
#define EC_RESPONSE_JSON_H

#include "../kernels.h"

typedef struct {
    const uint8_t *text;
    int64_t n;
    int64_t at;
    int32_t status;
} ec_json_reader;

EC_INLINE int ec_json_fail(ec_json_reader *reader, int64_t at, int32_t status) {
    reader->at = at;
    reader->status = at >= reader->n ? EC_TRUNCATED : status;
    return 0;
}

EC_INLINE int ec_json_is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* Passes white space. Returns the byte that follows, or -1 at the end of the text. */
EC_INLINE int ec_json_peek(ec_json_reader *reader) {
    while (reader->at < reader->n) {
        uint8_t c = reader->text[reader->at];
        if (EC_LIKELY(!ec_json_is_space(c))) return c;
        reader->at++;
    }
    return -1;
}

/* Passes white space and the byte `wanted` behind it. */
EC_INLINE int ec_json_expect(ec_json_reader *reader, int wanted) {
    if (EC_UNLIKELY(ec_json_peek(reader) != wanted)) return ec_json_fail(reader, reader->at, EC_BAD_CHARACTER);
    reader->at++;
    return 1;
}

/* Passes the string whose opening quote is at `at`; sets *escaped where it has a backslash. */
int ec_json_string(ec_json_reader *reader, int32_t *escaped);

/* Passes one value of any kind, and white space before it. `depth` is the number of containers around it.
 * EC_ALLOW_NOT_FINITE lets the words NaN, Infinity and -Infinity stand for numbers. */
int ec_json_value(ec_json_reader *reader, int depth, int32_t flags);

/* Decodes the \-escape at text[0, n), the rest of a valid string: writes at most 4 bytes of UTF-8 (a surrogate without
 * its partner becomes three bytes) and returns how many. *used is the length of the escape. */
int ec_json_unescape(const uint8_t *text, int64_t n, uint8_t utf8[4], int64_t *used);

/* Whether the string text[0, n), without its quotes, says `name` once its escapes are decoded. */
int ec_json_says(const uint8_t *text, int64_t n, int32_t escaped, const char *name, int64_t name_length);

#endif
