/* What all encoders do with rows first. */
#include "lowbit.h"

#include <float.h>

void ec_take_center(const char *row, const void *center, int64_t count, char *to) {
    if (!center)
        memcpy(to, row, (size_t)count * 4);
    else
        for (int64_t i = 0; i < count; i++) ec_store_f32_at(to, i, ec_load_f32_at(row, i) - ec_load_f32_at(center, i));
}

/* A sum of squares is finite if and only if all values are, because the square of a float32 is far from the end of
 * double. */
ec_result ec_take_rows(const ec_lowbit_rows *rows, int64_t begin, int64_t n, int64_t dimension, const void *center,
                       char *centred, int64_t stride) {
    const char *from = (const char *)rows->values + 4 * begin * dimension;
    double *squares = (double *)rows->squares + begin;
    ec_result result = {0, 0, EC_OK};
    ec_active.sumsq_f32(from, 4 * dimension, n, dimension, squares);
    for (int64_t r = 0; r < n; r++) {
        if (squares[r] <= DBL_MAX) continue;
        result = ec_check_finite_f32(from + 4 * r * dimension, dimension);
        result.consumed += (begin + r) * dimension;
        if (result.status != EC_OK) return result;
    }
    for (int64_t r = 0; r < n; r++) ec_take_center(from + 4 * r * dimension, center, dimension, centred + r * stride);
    return result;
}
