/* JSON arrays of numbers, element by element: the specification of the readers, and the code that finishes an array
 * where a vector tier has stopped at something unusual.
 *
 * The byte that `consumed` names on failure:
 *
 *     the first byte of the element       EC_NULL_ELEMENT, EC_NOT_FINITE, EC_WRONG_KIND, EC_NUMBER_TOO_LONG,
 *                                         EC_OUT_OF_RANGE, EC_NOT_INTEGRAL, EC_NO_CAPACITY
 *     the first byte that cannot follow   EC_BAD_NUMBER (in a number or glued to it), EC_BAD_CHARACTER (elsewhere)
 *     n                                   EC_TRUNCATED
 *
 * The grammar of an element and its separator is judged before its value, and the value before the capacity. */
#include "decimal.h"
#include "plain.h"

/* The length of `word` if the text at `at` has it; 0 where the text differs, -1 where it ends within the word. */
static int64_t match_word(const uint8_t *text, int64_t n, int64_t at, const char *word) {
    int64_t i = 0;
    for (; word[i] != 0; i++) {
        if (at + i >= n) return -1;
        if (text[at + i] != (uint8_t)word[i]) return 0;
    }
    return i;
}

/* Reads an element that is no number. Returns EC_OK, with *next behind it, where it may stand for NaN. */
static int32_t read_other(const uint8_t *text, int64_t n, int64_t at, int32_t flags, int64_t *next) {
    static const char *const WORDS[] = {"null", "NaN", "Infinity", "-Infinity"};
    *next = at;
    switch (text[at]) {
    case '[':
    case '{':
    case '"':
    case 't':
    case 'f': return EC_WRONG_KIND;
    default: break;
    }
    for (int i = 0; i < 4; i++) {
        int64_t length = match_word(text, n, at, WORDS[i]);
        if (length == 0) continue;
        if (length < 0) {
            *next = n;
            return EC_TRUNCATED;
        }
        if (!(flags & EC_NULLS_AS_NAN)) return i == 0 ? EC_NULL_ELEMENT : EC_NOT_FINITE;
        *next = at + length;
        return EC_OK;
    }
    return EC_BAD_CHARACTER;
}

EC_INLINE int64_t skip_space(const uint8_t *text, int64_t n, int64_t at) {
    while (at < n && EC_UNLIKELY(text[at] <= ' ') && ec_is_space(text[at])) at++;
    return at;
}

/* Reads what follows an element: sets *next behind the ',' or ']', and *last to 1 if it is ']'. */
EC_INLINE int32_t read_separator(const uint8_t *text, int64_t n, int64_t at, int64_t *next, int *last) {
    int64_t after = skip_space(text, n, at);
    *next = after;
    if (after == n) return EC_TRUNCATED;
    *last = text[after] == ']';
    if (text[after] != ',' && text[after] != ']')
        return after == at && ec_is_digit(text[at - 1]) ? EC_BAD_NUMBER : EC_BAD_CHARACTER;
    *next = after + 1;
    return EC_OK;
}

EC_INLINE int starts_number(const uint8_t *text, int64_t n, int64_t at) {
    int64_t behind_sign = at + ((text[at] == '-') & (at + 1 < n)); /* no branch, because signs cannot be predicted */
    return EC_LIKELY(ec_is_digit(text[behind_sign])) || (text[at] == '-' && text[behind_sign] != 'I');
}

ec_result ec_floats_parse_from(const uint8_t *text, int64_t n, int64_t at, float *out, int64_t capacity,
                               int64_t produced, int32_t flags, int64_t limit) {
    static const uint32_t NAN_BITS = 0x7fc00000u;
    int last = 0;
    if (produced == 0) { /* only here an array may be empty */
        at = skip_space(text, n, at);
        if (at < n && text[at] == ']') return ec_number_result(EC_OK, at + 1, 0);
    }
    for (; !last && limit > 0; limit--) {
        float value;
        int64_t next, after;
        int32_t status, range = EC_OK;
        at = skip_space(text, n, at);
        if (at == n) return ec_number_result(EC_TRUNCATED, n, produced);
        int64_t length = 0;
        uint32_t bits;
        if (EC_LIKELY(n - at >= EC_PLAIN_BYTES)) length = ec_plain_read(text + at, &bits);
        if (EC_LIKELY(length > 0)) {
            memcpy(&value, &bits, 4);
            next = at + length;
            status = EC_OK;
        } else if (EC_LIKELY(starts_number(text, n, at))) {
            ec_decimal decimal;
            status = ec_decimal_read(text, n, at, &decimal, &next);
            if (status == EC_OK && !ec_decimal_to_float(&decimal, text + at, next - at, &value))
                range = EC_OUT_OF_RANGE;
        } else {
            status = read_other(text, n, at, flags, &next);
            range = EC_NOT_FINITE;
        }
        if (status == EC_OK) status = read_separator(text, n, next, &after, &last), next = after;
        if (status != EC_OK) return ec_number_result(status, next, produced);
        if (EC_UNLIKELY(range != EC_OK)) {
            if (!(flags & EC_NULLS_AS_NAN)) return ec_number_result(range, at, produced);
            memcpy(&value, &NAN_BITS, 4);
        }
        if (produced == capacity) return ec_number_result(EC_NO_CAPACITY, at, produced);
        memcpy(out + produced++, &value, 4);
        at = next;
    }
    return ec_number_result(EC_OK, at, produced);
}

ec_result ec_integers_parse_from(const uint8_t *text, int64_t n, int64_t at, uint8_t *out, int64_t capacity,
                                 int64_t produced, int32_t type, int64_t limit) {
    int32_t lowest = type == EC_INT8 ? -128 : 0, highest = type == EC_INT8 ? 127 : 255;
    int last = 0;
    if (produced == 0) {
        at = skip_space(text, n, at);
        if (at < n && text[at] == ']') return ec_number_result(EC_OK, at + 1, 0);
    }
    for (; !last && limit > 0; limit--) {
        int64_t next, after;
        int32_t status, value, range;
        ec_decimal decimal;
        at = skip_space(text, n, at);
        if (at == n) return ec_number_result(EC_TRUNCATED, n, produced);
        if (!starts_number(text, n, at)) {
            status = read_other(text, n, at, 0, &next);
            return ec_number_result(status, next, produced);
        }
        status = ec_decimal_read(text, n, at, &decimal, &next);
        if (status == EC_OK) status = read_separator(text, n, next, &after, &last), next = after;
        if (status != EC_OK) return ec_number_result(status, next, produced);
        range = ec_decimal_to_integer(&decimal, &value);
        if (range == EC_OK && (value < lowest || value > highest)) range = EC_OUT_OF_RANGE;
        if (range != EC_OK) return ec_number_result(range, at, produced);
        if (produced == capacity) return ec_number_result(EC_NO_CAPACITY, at, produced);
        out[produced++] = (uint8_t)value;
        at = next;
    }
    return ec_number_result(EC_OK, at, produced);
}

static ec_result floats_parse_scalar(const uint8_t *text, int64_t n, float *out, int64_t capacity, int32_t flags) {
    return ec_floats_parse_from(text, n, 1, out, capacity, 0, flags, INT64_MAX);
}

static ec_result integers_parse_scalar(const uint8_t *text, int64_t n, uint8_t *out, int64_t capacity, int32_t type) {
    return ec_integers_parse_from(text, n, 1, out, capacity, 0, type, INT64_MAX);
}

EC_SLOTS(numbers, scalar) {
    table->floats_parse = floats_parse_scalar;
    table->integers_parse = integers_parse_scalar;
    table->floats_format = ec_floats_format_scalar;
    table->integers_format = ec_integers_format_scalar;
}

EC_INSTALL(numbers, EC_SCALAR(numbers) EC_AVX2(numbers) EC_AVX512(numbers) EC_NEON(numbers))
