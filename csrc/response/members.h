/* Shared by the readers of batch lines, lines.c and failed.c, and of usual answers, usual.c: small verbs over the members of a JSON object. They
 * return 0 where they meet something that they do not know; the text is then left to another reader. */
#ifndef EC_RESPONSE_MEMBERS_H
#define EC_RESPONSE_MEMBERS_H

#include "row.h"

/* The text of a key, without its quotes. */
typedef struct {
    const uint8_t *text;
    int64_t length;
} json_key;

EC_INLINE int is_key(json_key key, const char *name) {
    return key.length == (int64_t)strlen(name) && memcmp(key.text, name, (size_t)key.length) == 0;
}

/* Whether a key is one of `names`, each ended by a zero byte, and the last one by another. */
EC_INLINE int is_apart(json_key key, const char *names) {
    for (; *names; names += strlen(names) + 1)
        if (is_key(key, names)) return 1;
    return 0;
}

/* Passes a key without escapes, and the colon behind it. */
EC_INLINE int pass_member_key(ec_json_reader *reader, json_key *key) {
    int32_t escaped;
    if (ec_json_peek(reader) != '"') return 0;
    key->text = reader->text + reader->at + 1;
    if (!ec_json_string(reader, &escaped) || escaped) return 0;
    key->length = reader->text + reader->at - 1 - key->text;
    return ec_json_expect(reader, ':');
}

/* Passes a comma and returns 1; returns 0, and reports no error, where there is none. */
EC_INLINE int pass_member_comma(ec_json_reader *reader) {
    if (ec_json_peek(reader) != ',') return 0;
    reader->at++;
    return 1;
}

/* Passes a null. */
EC_INLINE int pass_null(ec_json_reader *reader) { return ec_json_peek(reader) == 'n' && ec_json_value(reader, 0, 0); }

/* Passes a value. *count is the whole number of at most 15 digits, so that thousands of them can be added, that it is;
 * or -1. */
EC_INLINE int pass_number(ec_json_reader *reader, int depth, int64_t *count) {
    ec_json_peek(reader);
    int64_t start = reader->at, value = 0;
    if (!ec_json_value(reader, depth, 0)) return 0;
    for (int64_t at = start; at < reader->at; at++) {
        int digit = reader->text[at] - '0';
        if (digit < 0 || digit > 9 || at - start >= 15) {
            *count = -1;
            return 1;
        }
        value = value * 10 + digit;
    }
    *count = value;
    return 1;
}

/* The same of a number that must be such. */
EC_INLINE int pass_count(ec_json_reader *reader, int64_t *count) {
    int64_t found;
    if (!pass_number(reader, 0, &found) || found < 0) return 0;
    *count = found;
    return 1;
}

/* Where the custom_id of a line stands, quotes included; -1 where there is none. */
typedef struct {
    int64_t start, end;
    int32_t escaped;
} batch_id;

static const batch_id NO_ID = {-1, -1, 0};

/* Passes a custom_id that is a string. */
EC_INLINE int pass_id(ec_json_reader *reader, batch_id *id) {
    if (ec_json_peek(reader) != '"') return 0;
    id->start = reader->at;
    if (!ec_json_string(reader, &id->escaped)) return 0;
    id->end = reader->at;
    return 1;
}

EC_INLINE void note_id(const batch_id *id, ec_batch_line *line) {
    line->id_start = id->start;
    line->id_end = id->end;
    line->id_escaped = id->escaped;
}

#endif
