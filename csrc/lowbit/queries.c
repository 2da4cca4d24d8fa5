/* Float queries on their way to codes, before they are turned. */
#include "lowbit.h"

#include <float.h>
#include <math.h>

/* What is kept of each query beside its rest, (4, rows). */
typedef struct {
    double *lengths, *shares, *along, *spreads;
} measures;

/* Brings a query to length 1, in `rest`, and takes its share of the center off: of the r-th row. */
static void take_share(const char *query, int64_t dimension, const void *center, double square, double most, char *rest,
                       int64_t r, const measures *to) {
    const double inverse = to->lengths[r] > 0 ? 1 / to->lengths[r] : 1; /* finite: no length is below 2^-149 */
    for (int64_t i = 0; i < dimension; i++) ec_store_f32_at(rest, i, (float)(ec_load_f32_at(query, i) * inverse));
    to->shares[r] = to->along[r] = 0;
    if (!center) return;
    to->along[r] = ec_active.weigh_f32(rest, dimension, center);
    double share = square > 0 ? to->along[r] / square : 0;
    share = share < -most ? -most : share > most ? most : share;
    const float factor = (float)share;
    to->shares[r] = factor;
    for (int64_t i = 0; i < dimension; i++) {
        const float part = factor * ec_load_f32_at(center, i);
        ec_store_f32_at(rest, i, ec_load_f32_at(rest, i) - part);
    }
}

ec_result ec_lowbit_rests_f32(ec_array queries, int64_t rows, int64_t dimension, ec_array center, double most,
                              void *rests, void *kept) {
    ec_result result = {0, 0, EC_OK};
    if (rows < 0 || dimension < 1 || !ec_holds(queries.count, rows, dimension, 1) ||
        (center.items && center.count < dimension))
        result.status = EC_BAD_ARGUMENT;
    if (result.status != EC_OK || rows == 0) return result;
    const int64_t stride = 4 * dimension;
    double *first = kept, square = 0;
    const measures to = {first, first + rows, first + 2 * rows, first + 3 * rows};
    if (center.items) ec_active.sumsq_f32(center.items, stride, 1, dimension, &square);
    ec_active.sumsq_f32(queries.items, stride, rows, dimension, to.lengths);
    for (int64_t r = 0; r < rows; r++) {
        if (!(to.lengths[r] <= DBL_MAX)) { /* what is not finite has no finite square, see ec_take_rows() */
            result.consumed = r * dimension;
            result.status = EC_NOT_FINITE;
            return result;
        }
        to.lengths[r] = sqrt(to.lengths[r]);
    }
    for (int64_t r = 0; r < rows; r++)
        take_share((const char *)queries.items + r * stride, dimension, center.items, square, most,
                   (char *)rests + r * stride, r, &to);
    ec_active.sumsq_f32(rests, stride, rows, dimension, to.spreads);
    for (int64_t r = 0; r < rows; r++) to.spreads[r] = sqrt(to.spreads[r]);
    return result;
}
