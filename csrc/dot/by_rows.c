/* Slots for a few queries and for chosen rows that call the tier's kernel for one query, for tiers that have nothing
 * better. They call through the active table, so that a tier that inherits them calls its own kernels of rows. */
#include "dot.h"

static void dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, uint8_t flip, int32_t *scores, int64_t scores_stride, int32_t *sums,
                       int32_t *sumsq, void *prepared, const void *ahead, int64_t ahead_bytes) {
    (void)prepared;
    ec_prefetch(ahead, ahead_bytes);
    for (int64_t q = 0; q < n_queries; q++)
        ec_active.dot_i8_rows((const uint8_t *)queries + q * dimension, rows, stride_bytes, n_rows, dimension, flip,
                              scores + q * scores_stride);
    if (sums) ec_active.sum_i8(rows, stride_bytes, n_rows, dimension, flip, sums);
    if (sumsq) ec_active.sumsq_i8(rows, stride_bytes, n_rows, dimension, flip, sumsq);
}

static void dot_f32_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                        int64_t dimension, float *scores, int64_t scores_stride, double *sumsq, void *prepared) {
    (void)prepared;
    for (int64_t q = 0; q < n_queries; q++)
        ec_active.dot_f32_rows((const uint8_t *)queries + q * dimension * 4, rows, stride_bytes, n_rows, dimension,
                               scores + q * scores_stride);
    if (sumsq) ec_active.sumsq_f32(rows, stride_bytes, n_rows, dimension, sumsq);
}

static void dot_f32_chosen(const void *query, const void *rows, int64_t stride_bytes, const int32_t *chosen, int64_t n,
                           int64_t dimension, float *scores) {
    for (int64_t i = 0; i < n; i++)
        ec_active.dot_f32_rows(query, (const uint8_t *)rows + chosen[i] * stride_bytes, stride_bytes, 1, dimension,
                               &scores[i]);
}

void ec_dot_by_rows(ec_kernels *table) {
    table->dot_i8_few = dot_i8_few;
    table->dot_f32_few = dot_f32_few;
    table->dot_f32_chosen = dot_f32_chosen;
}
