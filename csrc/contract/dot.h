/* Dots of one query, and sums of squares, of rows of float32, through the kernels in force. A search calls the same
 * kernels block by block; what the family has beside that is for tests (testing.h). Row r is at rows + r *
 * stride_bytes. The functions return 1, or 0 and write nothing where the dimension is not in 1..EC_DOT_MAX_DIMENSION or
 * a count is negative. */
#ifndef EC_CONTRACT_DOT_H
#define EC_CONTRACT_DOT_H

#include "results.h"

enum ec_dot_limit {
    EC_DOT_MAX_DIMENSION = 65536, /* a sum of products, at most 128 * 128 * dimension, stays within 2^30 */
    EC_DOT_BLOCK = 256,           /* the most rows of a panel */
};

/* Write scores[r], float32: the dot of one query with each row. */
int32_t ec_dot_f32_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        void *scores);

/* Write sums[r], double: the sum of the squares of each row. */
int32_t ec_sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *sums);

#endif
