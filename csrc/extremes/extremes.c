/* The public function of the family. Each thread has ends of its own, which are joined when all rows have been seen. */
#include "extremes.h"

#include "../pool/pool.h"

#include <math.h>

enum { STEP_BYTES = 1 << 18 }; /* of rows that a thread looks at together */

typedef struct {
    const char *values;
    int64_t dimension;
    float *ends;
} sample;

static ec_result look(const void *of, int32_t thread, int64_t first, int64_t n) {
    const sample *all = of;
    ec_result result = {0, 0, EC_OK};
    const char *rows = all->values + 4 * first * all->dimension;
    float *low = all->ends + 2 * all->dimension * thread;
    if (ec_active.extremes_f32(rows, n, all->dimension, low, low + all->dimension) >= EC_INFINITY_BITS) {
        result = ec_check_finite_f32(rows, n * all->dimension);
        result.consumed += first * all->dimension;
    }
    return result;
}

ec_result ec_extremes_f32(const void *values, int64_t rows, int64_t dimension, void *ends, int32_t threads) {
    const sample all = {values, dimension, ends};
    const int64_t step = dimension > 0 ? STEP_BYTES / 4 / dimension + 1 : rows + 1;
    for (int32_t t = 0; t < threads; t++)
        for (int64_t d = 0; d < 2 * dimension; d++)
            all.ends[2 * dimension * t + d] = d < dimension ? INFINITY : -INFINITY;
    ec_result result = ec_pool_steps(threads, rows, step, look, &all);
    float *low = all.ends, *high = low + dimension;
    for (int32_t t = 1; t < threads; t++) {
        const float *other = low + 2 * dimension * t, *above = other + dimension;
        for (int64_t d = 0; d < dimension; d++) {
            low[d] = other[d] < low[d] ? other[d] : low[d];
            high[d] = above[d] > high[d] ? above[d] : high[d];
        }
    }
    for (int64_t d = 0; d < 2 * dimension; d++) low[d] += 0.0f; /* -0 becomes 0, whichever came first */
    result.produced = rows;
    return result;
}
