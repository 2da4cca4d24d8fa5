/* What only tests call: whole score matrices, and sums of rows, through the kernels in force. Not part of the contract
 * with the library; tests see the kernels by it that a search calls block by block.
 *
 * It is built into the one module all the same. A wheel's tests then run the very code that the wheel ships, and
 * ec_isa_select(), which is of one kernel table, reaches it; the price is some kilobytes.
 *
 * rows: row r at rows + r * stride_bytes. flip: 0 for int8 rows, 0x80 for uint8 rows, which then count as v - 128. They
 * return 1, or 0 (nothing written) where sizes are out of range. */
#ifndef EC_CONTRACT_TESTING_H
#define EC_CONTRACT_TESTING_H

#include "dot.h"
#include "scratch.h"
#include "search.h"

/* scores[q * n_rows + r], int32 or float32; panel has room for EC_DOT_BLOCK rows. */
int32_t ec_dot_i8(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                  int64_t dimension, int32_t flip, void *prepared, void *panel, void *scores);
int32_t ec_dot_f32(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                   int64_t dimension, void *prepared, void *panel, void *scores);

/* scores[r] of one query, without scratch. */
int32_t ec_dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                       int32_t flip, void *scores);

/* scores[q * n_rows + r] of queries against plain rows, a few queries at a time; sums[r] and sumsq[r], or NULL, as
 * ec_sum_i8() and ec_sumsq_*(). */
int32_t ec_dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                      int64_t dimension, int32_t flip, void *prepared, void *scores, void *sums, void *sumsq);
int32_t ec_dot_f32_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, void *prepared, void *scores, void *sumsq);

/* sums[r], int32: the sum, or the sum of squares, of each row. */
int32_t ec_sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, int32_t flip, void *sums);
int32_t ec_sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, int32_t flip,
                    void *sums);

/* scores[q * n_rows + r], int32, of EC_HAMMING_U1 or EC_DOT_U1. scratch as ec_u1_scratch_bytes. */
int64_t ec_u1_scratch_bytes(int64_t n_queries, int64_t width);
int32_t ec_u1_scores(int32_t family, const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes,
                     int64_t n_rows, int64_t width, int32_t by_rows, void *scratch, void *scores);

#endif
