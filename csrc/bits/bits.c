/* The public functions of the family: they check lengths and call the kernels row by row. */
#include "bits.h"

static ec_result result(int64_t consumed, int64_t produced, int32_t status) {
    ec_result r = {consumed, produced, status};
    return r;
}

/* Treats rows of whole bytes as one long row, since they lie without gaps. */
static void join_rows(int64_t *rows, int64_t *dimension) {
    if (*dimension % 8 == 0) {
        *dimension *= *rows;
        *rows = *dimension > 0;
    }
}

/* Whether rows * width elements are valid sizes and fit the capacity. */
static int fits(int64_t rows, int64_t width, int64_t capacity) {
    return rows >= 0 && width >= 0 && (width == 0 || rows <= capacity / width);
}

ec_result ec_check_finite_f32(const void *values, int64_t count) {
    if (ec_active.max_abs_bits_f32(values, count) < EC_INFINITY_BITS) return result(count, 0, EC_OK);
    int64_t first = 0;
    while (ec_magnitude_at(values, first) < EC_INFINITY_BITS) first++;
    return result(first, 0, EC_NOT_FINITE);
}

ec_result ec_pack_bits_f32(const void *values, int64_t rows, int64_t dimension, float threshold, uint32_t flags,
                           void *packed, int64_t capacity) {
    int64_t width = dimension / 8 + (dimension % 8 != 0);
    if (!fits(rows, width, capacity)) return result(0, 0, EC_NO_CAPACITY);
    int64_t produced = rows * width;
    join_rows(&rows, &dimension);
    width = dimension / 8 + (dimension % 8 != 0);
    for (int64_t row = 0; row < rows; row++) {
        const char *from = (const char *)values + 4 * row * dimension;
        int finite = ec_active.pack_bits_f32(from, dimension, threshold, flags, (uint8_t *)packed + row * width);
        if (!finite && flags & EC_BITS_FINITE) {
            ec_result bad = ec_check_finite_f32(from, dimension);
            return result(row * dimension + bad.consumed, 0, EC_NOT_FINITE);
        }
    }
    return result(rows * dimension, produced, EC_OK);
}

ec_result ec_unpack_bits_u8(const void *packed, int64_t rows, int64_t dimension, uint32_t flags, void *values,
                            int64_t capacity) {
    if (!fits(rows, dimension, capacity)) return result(0, 0, EC_NO_CAPACITY);
    join_rows(&rows, &dimension);
    int64_t width = dimension / 8 + (dimension % 8 != 0);
    for (int64_t row = 0; row < rows; row++)
        ec_active.unpack_bits_u8((const uint8_t *)packed + row * width, dimension, flags,
                                 (uint8_t *)values + row * dimension);
    return result(rows * width, rows * dimension, EC_OK);
}

ec_result ec_unpack_bits_f32(const void *packed, int64_t rows, int64_t dimension, uint32_t flags, void *values,
                             int64_t capacity) {
    if (!fits(rows, dimension, capacity)) return result(0, 0, EC_NO_CAPACITY);
    join_rows(&rows, &dimension);
    int64_t width = dimension / 8 + (dimension % 8 != 0);
    for (int64_t row = 0; row < rows; row++)
        ec_active.unpack_bits_f32((const uint8_t *)packed + row * width, dimension, flags,
                                  (char *)values + 4 * row * dimension);
    return result(rows * width, rows * dimension, EC_OK);
}
