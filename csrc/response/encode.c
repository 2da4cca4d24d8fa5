/* Writes rows of a matrix as the items of a list in a response, for the server. */
#include "../kernels.h"

/* The number of digits of 0, 1, .. count - 1 together. */
static int64_t digits_below(int64_t count) {
    int64_t digits = count;
    for (int64_t power = 10; power < count; power *= 10) digits += count - power;
    return digits;
}

int64_t ec_response_rows_bound(int64_t count, int64_t width, int32_t type, int32_t base64, const ec_row_words *words) {
    const int64_t most = INT64_MAX / 64, before = words->before_bytes, behind = words->behind_bytes;
    if (count < 0 || width < 0 || count > most || width > most) return -1;
    if (before < 0 || behind < 0 || before > most || behind > most) return -1;
    int64_t row = base64 ? 2 + ec_base64_encoded_length(width * ec_type_bytes(type))
                         : 2 + width * (type == EC_FLOAT32 ? EC_FLOAT_TEXT : EC_INTEGER_TEXT);
    row += before + behind + (words->numbered ? 2 : 1); /* a comma behind each item, and a bracket behind its index */
    if (count && row > most / count) return -1;
    return count * row + (words->numbered ? digits_below(count) : 0);
}

static uint8_t *write_text(uint8_t *to, const void *text, int64_t n) {
    if (n > 0) memcpy(to, text, (size_t)n);
    return to + n;
}

static uint8_t *write_index(uint8_t *to, int64_t index) {
    uint8_t digits[20];
    int n = 0;
    do digits[19 - n++] = (uint8_t)('0' + index % 10);
    while (index /= 10);
    memcpy(to, digits + 20 - n, (size_t)n);
    return to + n;
}

int64_t ec_response_write_rows(const void *rows, int64_t count, int64_t width, int32_t type, int32_t base64,
                               const ec_row_words *words, int64_t index, void *text) {
    const uint8_t *row = rows;
    uint8_t *to = text;
    int64_t row_bytes = width * ec_type_bytes(type);
    for (int64_t i = 0; i < count; i++, row += row_bytes) {
        to = write_text(to, words->before, words->before_bytes);
        if (type == EC_FLOAT32 && ec_check_finite_f32(row, width).status != EC_OK) return -1 - i;
        if (base64) {
            *to++ = '"';
            ec_base64_encode(row, row_bytes, to);
            to += ec_base64_encoded_length(row_bytes);
            *to++ = '"';
        } else if (type == EC_FLOAT32) {
            to += ec_floats_format(row, width, to);
        } else {
            to += ec_integers_format(row, width, type, to);
        }
        to = write_text(to, words->behind, words->behind_bytes);
        if (words->numbered) {
            to = write_index(to, index + i);
            *to++ = '}';
        }
        *to++ = ',';
    }
    return to - (uint8_t *)text;
}
