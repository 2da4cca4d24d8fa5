/* Validates JSON by the letter of RFC 8259, for the scanner of bodies and the readers of lines. It is fast where texts
 * are long: the kernel string_end finds the end of a string 64 bytes at a time. */
#include "json.h"

/* ---- strings ---- */

/* Passes the UTF-8 sequence at `at`, whose first byte is not ASCII (table 3-7 of the Unicode standard). */
static int pass_utf8(ec_json_reader *reader) {
    const uint8_t *text = reader->text;
    int64_t at = reader->at;
    uint8_t lead = text[at], low = 0x80, high = 0xbf;
    int follow;
    if (lead >= 0xc2 && lead <= 0xdf) {
        follow = 1;
    } else if ((lead & 0xf0) == 0xe0) {
        follow = 2;
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        follow = 3;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
    } else {
        return ec_json_fail(reader, at, EC_BAD_UTF8);
    }
    for (int i = 1; i <= follow; i++) {
        if (at + i >= reader->n || text[at + i] < low || text[at + i] > high)
            return ec_json_fail(reader, at + i, EC_BAD_UTF8);
        low = 0x80;
        high = 0xbf;
    }
    reader->at = at + follow + 1;
    return 1;
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int pass_escape(ec_json_reader *reader) {
    const uint8_t *text = reader->text;
    int64_t at = reader->at + 1;
    if (at >= reader->n) return ec_json_fail(reader, reader->n, EC_TRUNCATED);
    /* clang-format off */
    switch (text[at]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        reader->at = at + 1;
        return 1;
    case 'u':
        for (int i = 1; i <= 4; i++)
            if (at + i >= reader->n || hex_digit(text[at + i]) < 0) return ec_json_fail(reader, at + i, EC_BAD_STRING);
        reader->at = at + 5;
        return 1;
    default:
        return ec_json_fail(reader, at, EC_BAD_STRING);
    }
    /* clang-format on */
}

int ec_json_string(ec_json_reader *reader, int32_t *escaped) {
    const uint8_t *text = reader->text;
    *escaped = 0;
    reader->at++;
    /* Keys and short words end within 16 bytes, where a call costs more than a loop. */
    int64_t near = reader->n - reader->at < 16 ? reader->n : reader->at + 16;
    for (int64_t at = reader->at; at < near; at++) {
        uint8_t c = text[at];
        if (c == '"') {
            reader->at = at + 1;
            return 1;
        }
        if (c < 0x20 || c >= 0x80 || c == '\\') break;
    }
    for (;;) {
        reader->at += ec_active.string_end(text + reader->at, reader->n - reader->at);
        if (reader->at >= reader->n) return ec_json_fail(reader, reader->n, EC_TRUNCATED);
        uint8_t c = text[reader->at];
        if (c == '"') {
            reader->at++;
            return 1;
        }
        if (c == '\\') {
            *escaped = 1;
            if (!pass_escape(reader)) return 0;
        } else if (c >= 0x80) {
            if (!pass_utf8(reader)) return 0;
        } else {
            return ec_json_fail(reader, reader->at, EC_BAD_STRING);
        }
    }
}

static uint32_t hex4(const uint8_t *text) {
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) code = code << 4 | (uint32_t)hex_digit(text[i]);
    return code;
}

int ec_json_unescape(const uint8_t *text, int64_t n, uint8_t utf8[4], int64_t *used) {
    static const char LETTERS[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    *used = 2;
    if (text[1] != 'u') {
        for (int i = 0; LETTERS[i]; i += 2)
            if ((uint8_t)LETTERS[i] == text[1]) utf8[0] = (uint8_t)LETTERS[i + 1];
        return 1;
    }
    uint32_t code = hex4(text + 2);
    *used = 6;
    if (code >= 0xd800 && code < 0xdc00 && n >= 12 && text[6] == '\\' && text[7] == 'u') {
        uint32_t second = hex4(text + 8);
        if (second >= 0xdc00 && second < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
            *used = 12;
        }
    }
    if (code < 0x80) {
        utf8[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        utf8[0] = (uint8_t)(0xc0 | code >> 6);
        utf8[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        utf8[0] = (uint8_t)(0xe0 | code >> 12);
        utf8[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        utf8[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    utf8[0] = (uint8_t)(0xf0 | code >> 18);
    utf8[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    utf8[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    utf8[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

int ec_json_says(const uint8_t *text, int64_t n, int32_t escaped, const char *name, int64_t name_length) {
    if (!escaped) return n == name_length && memcmp(text, name, (size_t)n) == 0;
    int64_t said = 0;
    for (int64_t at = 0; at < n;) {
        uint8_t utf8[4] = {text[at], 0, 0, 0};
        int64_t used = 1;
        int bytes = text[at] == '\\' ? ec_json_unescape(text + at, n - at, utf8, &used) : 1;
        if (said + bytes > name_length || memcmp(utf8, name + said, (size_t)bytes) != 0) return 0;
        said += bytes;
        at += used;
    }
    return said == name_length;
}

/* ---- numbers and words ---- */

static int is_digit(const ec_json_reader *reader, int64_t at) {
    return at < reader->n && reader->text[at] >= '0' && reader->text[at] <= '9';
}

static int64_t pass_digits(const ec_json_reader *reader, int64_t at) {
    while (is_digit(reader, at)) at++;
    return at;
}

static int pass_number(ec_json_reader *reader) {
    const uint8_t *text = reader->text;
    int64_t start = reader->at, at = start;
    if (text[at] == '-') at++;
    if (!is_digit(reader, at)) return ec_json_fail(reader, at, EC_BAD_NUMBER);
    if (text[at] == '0') {
        at++;
        if (is_digit(reader, at)) return ec_json_fail(reader, at, EC_BAD_NUMBER);
    } else {
        at = pass_digits(reader, at);
    }
    if (at < reader->n && text[at] == '.') {
        at++;
        if (!is_digit(reader, at)) return ec_json_fail(reader, at, EC_BAD_NUMBER);
        at = pass_digits(reader, at);
    }
    if (at < reader->n && (text[at] | 0x20) == 'e') {
        at++;
        if (at < reader->n && (text[at] == '+' || text[at] == '-')) at++;
        if (!is_digit(reader, at)) return ec_json_fail(reader, at, EC_BAD_NUMBER);
        at = pass_digits(reader, at);
    }
    if (at - start > EC_MAX_NUMBER) return ec_json_fail(reader, start + EC_MAX_NUMBER, EC_NUMBER_TOO_LONG);
    reader->at = at;
    return 1;
}

static int pass_word(ec_json_reader *reader, const char *word) {
    for (int64_t i = 0; word[i]; i++) {
        int64_t at = reader->at + i;
        if (at >= reader->n || reader->text[at] != (uint8_t)word[i]) return ec_json_fail(reader, at, EC_BAD_CHARACTER);
    }
    reader->at += (int64_t)strlen(word);
    return 1;
}

static int pass_scalar(ec_json_reader *reader, int32_t flags) {
    uint8_t c = reader->text[reader->at];
    int32_t escaped;
    if (flags & EC_ALLOW_NOT_FINITE) {
        if (c == 'N') return pass_word(reader, "NaN");
        if (c == 'I') return pass_word(reader, "Infinity");
        if (c == '-' && reader->at + 1 < reader->n && reader->text[reader->at + 1] == 'I')
            return pass_word(reader, "-Infinity");
    }
    /* clang-format off */
    switch (c) {
    case '"': return ec_json_string(reader, &escaped);
    case 't': return pass_word(reader, "true");
    case 'f': return pass_word(reader, "false");
    case 'n': return pass_word(reader, "null");
    case '-': case '+': case '.':
    case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return pass_number(reader);
    default: return ec_json_fail(reader, reader->at, EC_BAD_CHARACTER);
    }
    /* clang-format on */
}

/* ---- values ---- */

static int pass_key(ec_json_reader *reader) {
    int32_t escaped;
    if (ec_json_peek(reader) != '"') return ec_json_fail(reader, reader->at, EC_BAD_CHARACTER);
    return ec_json_string(reader, &escaped) && ec_json_expect(reader, ':');
}

int ec_json_value(ec_json_reader *reader, int depth, int32_t flags) {
    uint64_t objects = 0; /* a bit for each container opened here, the inmost one lowest: set for an object */
    int open = 0;
    for (;;) {
        int c = ec_json_peek(reader);
        if (c < 0) return ec_json_fail(reader, reader->n, EC_TRUNCATED);
        if (c == '{' || c == '[') {
            if (depth + open >= EC_MAX_DEPTH) return ec_json_fail(reader, reader->at, EC_TOO_DEEP);
            objects = objects << 1 | (c == '{');
            open++;
            reader->at++;
            if (ec_json_peek(reader) != (c == '{' ? '}' : ']')) {
                if (c == '{' && !pass_key(reader)) return 0;
                continue;
            }
        } else if (!pass_scalar(reader, flags)) {
            return 0;
        }
        /* A scalar, or the opening of an empty container, has been passed: close all containers that end here, up to
         * the next comma. */
        for (;;) {
            if (open == 0) return 1;
            c = ec_json_peek(reader);
            if (c == ',') {
                reader->at++;
                if ((objects & 1) && !pass_key(reader)) return 0;
                break;
            }
            if (c != ((objects & 1) ? '}' : ']')) return ec_json_fail(reader, reader->at, EC_BAD_CHARACTER);
            reader->at++;
            open--;
            objects >>= 1;
        }
    }
}

ec_result ec_json_validate(const void *text, int64_t n, int32_t flags) {
    ec_json_reader reader = {text, n, 0, EC_OK};
    if (ec_json_value(&reader, 0, flags) && ec_json_peek(&reader) >= 0) ec_json_fail(&reader, reader.at, EC_TRAILING);
    ec_result result = {reader.at, 0, reader.status};
    return result;
}
