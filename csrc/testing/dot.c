/* Whole matrices of scores, and sums of int8, for tests: see contract/testing.h. */
#include "../contract/testing.h"
#include "../dot/dot.h"

int32_t ec_dot_i8(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                  int64_t dimension, int32_t flip, void *prepared, void *panel, void *scores) {
    if (!ec_dot_valid(n_queries, n_rows, dimension)) return 0;
    ec_active.dot_i8_prepare(queries, n_queries, dimension, prepared);
    for (int64_t r = 0; r < n_rows; r += EC_DOT_BLOCK) {
        int64_t n = ec_min_i64(EC_DOT_BLOCK, n_rows - r);
        ec_active.dot_i8_pack((const uint8_t *)rows + r * stride_bytes, stride_bytes, n, dimension, (uint8_t)flip,
                              panel);
        ec_active.dot_i8_tile(prepared, 0, n_queries, panel, n, dimension, (int32_t *)scores + r, n_rows, NULL, 0);
    }
    return 1;
}

int32_t ec_dot_f32(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                   int64_t dimension, void *prepared, void *panel, void *scores) {
    if (!ec_dot_valid(n_queries, n_rows, dimension)) return 0;
    ec_active.dot_f32_prepare(queries, n_queries, dimension, prepared);
    for (int64_t r = 0; r < n_rows; r += EC_DOT_BLOCK) {
        int64_t n = ec_min_i64(EC_DOT_BLOCK, n_rows - r);
        ec_active.dot_f32_pack((const uint8_t *)rows + r * stride_bytes, stride_bytes, n, dimension, panel);
        ec_active.dot_f32_tile(prepared, 0, n_queries, panel, n, dimension, (float *)scores + r, n_rows, NULL, 0);
    }
    return 1;
}

int32_t ec_dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                       int32_t flip, void *scores) {
    if (!ec_dot_valid(1, n_rows, dimension)) return 0;
    ec_active.dot_i8_rows(query, rows, stride_bytes, n_rows, dimension, (uint8_t)flip, scores);
    return 1;
}

int32_t ec_dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                      int64_t dimension, int32_t flip, void *prepared, void *scores, void *sums, void *sumsq) {
    if (!ec_dot_valid(n_queries, n_rows, dimension)) return 0;
    for (int64_t q = 0; q < n_queries; q += ec_active.most_few_i8)
        ec_active.dot_i8_few((const uint8_t *)queries + q * dimension, ec_min_i64(n_queries - q, ec_active.most_few_i8),
                             rows, stride_bytes, n_rows, dimension, (uint8_t)flip, (int32_t *)scores + q * n_rows,
                             n_rows, q == 0 ? sums : NULL, q == 0 ? sumsq : NULL, prepared, NULL, 0);
    return 1;
}

int32_t ec_dot_f32_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, void *prepared, void *scores, void *sumsq) {
    if (!ec_dot_valid(n_queries, n_rows, dimension)) return 0;
    for (int64_t q = 0; q < n_queries; q += ec_active.most_few_f32)
        ec_active.dot_f32_few((const uint8_t *)queries + q * dimension * 4,
                              ec_min_i64(n_queries - q, ec_active.most_few_f32), rows, stride_bytes, n_rows, dimension,
                              (float *)scores + q * n_rows, n_rows, q == 0 ? sumsq : NULL, prepared);
    return 1;
}

int32_t ec_sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, int32_t flip, void *sums) {
    if (!ec_dot_valid(1, n_rows, dimension)) return 0;
    ec_active.sum_i8(rows, stride_bytes, n_rows, dimension, (uint8_t)flip, sums);
    return 1;
}

int32_t ec_sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, int32_t flip,
                    void *sums) {
    if (!ec_dot_valid(1, n_rows, dimension)) return 0;
    ec_active.sumsq_i8(rows, stride_bytes, n_rows, dimension, (uint8_t)flip, sums);
    return 1;
}
