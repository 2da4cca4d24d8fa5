/* The public functions of the family: they check the opening of an array and call the kernels in force. */
#include "decimal.h"

static int32_t check_opening(const uint8_t *text, int64_t n) {
    if (n <= 0) return EC_TRUNCATED;
    if (text[0] == '[') return EC_OK;
    return text[0] != 0 && strchr("-0123456789\"{tfn", text[0]) != NULL ? EC_WRONG_KIND : EC_BAD_CHARACTER;
}

ec_result ec_floats_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t flags) {
    int32_t status = check_opening(text, n);
    if (status != EC_OK) return ec_number_result(status, 0, 0);
    return ec_active.floats_parse(text, n, out, capacity, flags);
}

ec_result ec_integers_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t type, int32_t flags) {
    int32_t status = check_opening(text, n);
    (void)flags; /* an integer cannot stand for null */
    if (status != EC_OK) return ec_number_result(status, 0, 0);
    return ec_active.integers_parse(text, n, out, capacity, type);
}

static int64_t skip_space(const uint8_t *text, int64_t n, int64_t at) {
    while (at < n && ec_is_space(text[at])) at++;
    return at;
}

static ec_result finish(const uint8_t *text, int64_t n, int64_t at, int64_t produced) {
    at = skip_space(text, n, at);
    return ec_number_result(at == n ? EC_OK : EC_TRAILING, at, produced);
}

ec_result ec_float_rows_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t flags, int64_t *rows,
                              int64_t *columns) {
    const uint8_t *bytes = text;
    int64_t at = skip_space(bytes, n, 0), row = 0, width = 0, produced = 0;
    int32_t status = check_opening(bytes + at, n - at);
    *rows = *columns = -1;
    if (status != EC_OK) return ec_number_result(status, at, 0);

    int64_t inner = skip_space(bytes, n, at + 1);
    if (inner == n || bytes[inner] != '[') {
        ec_result result = ec_active.floats_parse(bytes + at, n - at, out, capacity, flags);
        result.consumed += at;
        if (result.status != EC_OK) return result;
        *columns = result.produced;
        return finish(bytes, n, result.consumed, result.produced);
    }
    for (at = inner;; at++, row++) {
        at = skip_space(bytes, n, at);
        status = check_opening(bytes + at, n - at);
        if (status != EC_OK) return ec_number_result(status, at, produced);
        ec_result result =
            ec_active.floats_parse(bytes + at, n - at, (float *)out + produced, capacity - produced, flags);
        if (result.status != EC_OK) return ec_number_result(result.status, at + result.consumed, produced);
        if (row > 0 && result.produced != width) return ec_number_result(EC_BAD_LENGTH, at, produced);
        width = result.produced;
        produced += width;
        at = skip_space(bytes, n, at + result.consumed);
        if (at == n) return ec_number_result(EC_TRUNCATED, n, produced);
        if (bytes[at] == ']') break;
        if (bytes[at] != ',') return ec_number_result(EC_BAD_CHARACTER, at, produced);
    }
    *rows = row + 1;
    *columns = width;
    return finish(bytes, n, at + 1, produced);
}

int64_t ec_numbers_bound(const void *text, int64_t n) {
    const uint8_t *bytes = text;
    int64_t commas = 0;
    while (n > 0) { /* 255 rounds of 64 keep the compiler's counters, which are bytes, from wrapping  */
        int64_t block = n < 16320 ? n : 16320;
        int32_t count = 0;
        for (int64_t i = 0; i < block; i++) count += bytes[i] == ',';
        commas += count;
        bytes += block;
        n -= block;
    }
    return commas + 1;
}

int64_t ec_floats_format(const void *values, int64_t n, void *text) { return ec_active.floats_format(values, n, text); }

int64_t ec_float_rows_format(const void *values, int64_t rows, int64_t columns, void *text) {
    uint8_t *p = text;
    *p++ = '[';
    for (int64_t row = 0; row < rows; row++) {
        if (row > 0) *p++ = ',';
        int64_t written = ec_active.floats_format((const float *)values + row * columns, columns, p);
        if (written < 0) return written - row * columns;
        p += written;
    }
    *p++ = ']';
    return p - (uint8_t *)text;
}

int64_t ec_integers_format(const void *values, int64_t n, int32_t type, void *text) {
    return ec_active.integers_format(values, n, type, text);
}
