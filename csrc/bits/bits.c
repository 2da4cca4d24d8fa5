/* The public functions of the family: they check lengths and call the kernels row by row. */
#include "bits.h"

#include "../pool/pool.h"

/* What packing and unpacking take, of which threads take ranges of rows. */
typedef struct {
    const char *from;
    char *to;
    int64_t dimension, width, size; /* in elements; of a packed row, and of an unpacked element, in bytes */
    float threshold;
    uint32_t flags;
} matrix;

static ec_result result(int64_t consumed, int64_t produced, int32_t status) {
    ec_result r = {consumed, produced, status};
    return r;
}

static int64_t bytes_of(int64_t dimension) { return dimension / 8 + (dimension % 8 != 0); }

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

static ec_result pack_bits(const void *of, int64_t first, int64_t rows) {
    const matrix *all = of;
    const char *values = all->from + 4 * first * all->dimension;
    uint8_t *packed = (uint8_t *)all->to + first * all->width;
    int64_t dimension = all->dimension;
    join_rows(&rows, &dimension);
    const int64_t width = bytes_of(dimension);
    for (int64_t row = 0; row < rows; row++) {
        const char *from = values + 4 * row * dimension;
        int finite = ec_active.pack_bits_f32(from, dimension, all->threshold, all->flags, packed + row * width);
        if (!finite && all->flags & EC_BITS_FINITE) {
            ec_result bad = ec_check_finite_f32(from, dimension);
            return result(first * all->dimension + row * dimension + bad.consumed, 0, EC_NOT_FINITE);
        }
    }
    return result(0, 0, EC_OK);
}

ec_result ec_pack_bits_f32(const void *values, int64_t rows, int64_t dimension, float threshold, uint32_t flags,
                           void *packed, int64_t capacity, int32_t threads) {
    const matrix all = {values, packed, dimension, bytes_of(dimension), 4, threshold, flags};
    if (!fits(rows, all.width, capacity)) return result(0, 0, EC_NO_CAPACITY);
    const ec_result r = ec_pool_rows(threads, rows, 4 * dimension, pack_bits, &all);
    return r.status != EC_OK ? r : result(rows * dimension, rows * all.width, EC_OK);
}

static ec_result unpack_bits(const void *of, int64_t first, int64_t rows) {
    const matrix *all = of;
    const uint8_t *packed = (const uint8_t *)all->from + first * all->width;
    char *values = all->to + first * all->dimension * all->size;
    int64_t dimension = all->dimension;
    join_rows(&rows, &dimension);
    const int64_t width = bytes_of(dimension);
    for (int64_t row = 0; row < rows; row++) {
        char *to = values + row * dimension * all->size;
        if (all->size == 1)
            ec_active.unpack_bits_u8(packed + row * width, dimension, all->flags, (uint8_t *)to);
        else
            ec_active.unpack_bits_f32(packed + row * width, dimension, all->flags, to);
    }
    return result(0, 0, EC_OK);
}

static ec_result unpack_all(const matrix *all, int64_t rows, int64_t capacity, int32_t threads) {
    if (!fits(rows, all->dimension, capacity)) return result(0, 0, EC_NO_CAPACITY);
    ec_pool_rows(threads, rows, all->dimension * all->size, unpack_bits, all);
    return result(rows * all->width, rows * all->dimension, EC_OK);
}

ec_result ec_unpack_bits_u8(const void *packed, int64_t rows, int64_t dimension, uint32_t flags, void *values,
                            int64_t capacity, int32_t threads) {
    const matrix all = {packed, values, dimension, bytes_of(dimension), 1, 0, flags};
    return unpack_all(&all, rows, capacity, threads);
}

ec_result ec_unpack_bits_f32(const void *packed, int64_t rows, int64_t dimension, uint32_t flags, void *values,
                             int64_t capacity, int32_t threads) {
    const matrix all = {packed, values, dimension, bytes_of(dimension), 4, 0, flags};
    return unpack_all(&all, rows, capacity, threads);
}
