/* Dense dots and per-row sums through the kernels in force; the search driver calls the same kernels block by block.
 * rows: row r at rows + r * stride_bytes. They return 1, or 0 (nothing written) where dimension is not in
 * 1..EC_DOT_MAX_DIMENSION or a count is negative. What else the family has is for tests: testing.h. */
#ifndef EC_CONTRACT_DOT_H
#define EC_CONTRACT_DOT_H

#include "results.h"

enum ec_dot_limit {
    EC_DOT_MAX_DIMENSION = 65536, /* 128 * 128 * dimension stays within 2^30 */
    EC_DOT_BLOCK = 256,           /* most rows a panel */
};

/* scores[r], float32, of one query with each row. */
int32_t ec_dot_f32_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        void *scores);

/* sums[r]: the sum of squares of each row, in double. */
int32_t ec_sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *sums);

#endif
