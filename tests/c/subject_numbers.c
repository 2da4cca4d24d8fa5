#include "subjects.h"

/* Floats of the text; what is read is written, and what is written reads back to the same bits. */
static void floats(const uint8_t *text, int64_t n, int64_t capacity, int32_t flags) {
    uint8_t *values = place(capacity * 4);
    ec_result result = ec_floats_parse(text, n, values, capacity, flags);
    record_result(result);
    HOLDS(result.consumed >= 0 && result.consumed <= n && result.produced >= 0 && result.produced <= capacity);
    if (result.status != EC_OK) return;
    int64_t bytes = result.produced * 4;
    record(values, bytes);
    uint8_t *written = place(result.produced * EC_FLOAT_TEXT + 2);
    int64_t length = ec_floats_format(values, result.produced, written);
    record(&length, sizeof length);
    if (length < 0) {
        HOLDS(flags & EC_NULLS_AS_NAN);
        return;
    }
    HOLDS(length <= result.produced * EC_FLOAT_TEXT + 2);
    record(written, length);
    uint8_t *again = place(bytes);
    ec_result reread = ec_floats_parse(written, length, again, result.produced, 0);
    HOLDS(reread.status == EC_OK && reread.consumed == length && reread.produced == result.produced);
    HOLDS(memcmp(again, values, (size_t)bytes) == 0);
}

static void integers(const uint8_t *text, int64_t n, int64_t capacity, int32_t type) {
    uint8_t *values = place(capacity);
    ec_result result = ec_integers_parse(text, n, values, capacity, type, 0);
    record_result(result);
    HOLDS(result.consumed >= 0 && result.consumed <= n && result.produced >= 0 && result.produced <= capacity);
    if (result.status != EC_OK) return;
    record(values, result.produced);
    uint8_t *written = place(result.produced * EC_INTEGER_TEXT + 2);
    int64_t length = ec_integers_format(values, result.produced, type, written);
    HOLDS(length >= 2 && length <= result.produced * EC_INTEGER_TEXT + 2);
    record(written, length);
}

static void matrix(const uint8_t *text, int64_t n, int64_t capacity, int32_t flags) {
    int64_t rows = 0, columns = 0;
    uint8_t *values = place(capacity * 4);
    ec_result result = ec_float_rows_parse(text, n, values, capacity, flags, &rows, &columns);
    record_result(result);
    if (result.status != EC_OK) return;
    int64_t shape[2] = {rows, columns};
    HOLDS(columns >= 0 && (rows < 0 ? 1 : rows) * columns <= capacity);
    record(shape, sizeof shape);
    record(values, (rows < 0 ? 1 : rows) * columns * 4);
}

void subject_numbers(const uint8_t *input, int64_t n) {
    if (n < 1 || n > MOST_BYTES / 32) return;
    uint8_t *text = place_copy(input + 1, n - 1);
    int64_t bound = ec_numbers_bound(text, n - 1);
    HOLDS(bound >= 1 && bound <= n);
    record(&bound, sizeof bound);
    int64_t capacity = input[0] & 8 ? bound / 2 : bound;
    int32_t flags = input[0] & EC_NULLS_AS_NAN;
    switch (input[0] >> 1 & 3) {
    case 0: floats(text, n - 1, capacity, flags); break;
    case 1: integers(text, n - 1, capacity, EC_INT8); break;
    case 2: integers(text, n - 1, capacity, EC_UINT8); break;
    default: matrix(text, n - 1, capacity, flags);
    }
}
