/* Functions that only tests call: whole matrices of scores, and sums of rows, through the kernels in force, which a
 * search calls block by block. The library does not use them.
 *
 * They are built into the one module all the same: the tests of a wheel then run the very code that the wheel ships,
 * through the kernel table that ec_isa_select() fills, at the price of some kilobytes.
 *
 * Row r is at rows + r * stride_bytes. flip is 0 for int8 rows, and 0x80 for uint8 rows, whose values then count as v -
 * 128. The functions return 1, or 0 and write nothing where sizes are out of range. */
#ifndef EC_CONTRACT_TESTING_H
#define EC_CONTRACT_TESTING_H

#include "dot.h"
#include "scratch.h"
#include "search.h"

/* Write scores[q * n_rows + r], int32 or float32, by tiles; `panel` has room for EC_DOT_BLOCK rows. */
int32_t ec_dot_i8(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                  int64_t dimension, int32_t flip, void *prepared, void *panel, void *scores);
int32_t ec_dot_f32(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                   int64_t dimension, void *prepared, void *panel, void *scores);

/* Write scores[r] of one query, without scratch. */
int32_t ec_dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                       int32_t flip, void *scores);

/* Write scores[q * n_rows + r] of a few queries, from plain rows, and unless NULL sums[r] and sumsq[r], those of
 * ec_sum_i8(), ec_sumsq_i8() and ec_sumsq_f32(). */
int32_t ec_dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                      int64_t dimension, int32_t flip, void *prepared, void *scores, void *sums, void *sumsq);
int32_t ec_dot_f32_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, void *prepared, void *scores, void *sumsq);

/* Write sums[r], int32: the sum of each row, or of its squares. */
int32_t ec_sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, int32_t flip, void *sums);
int32_t ec_sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, int32_t flip,
                    void *sums);

/* Write scores[q * n_rows + r], int32, of EC_HAMMING_U1 or EC_DOT_U1, by tiles or, if `by_rows`, one query at a time.
 * The first `twice` bytes of rows meet two tables of EC_DOT_U1 each. scratch: ec_u1_scratch_bytes(). */
int64_t ec_u1_scratch_bytes(int64_t n_queries, int64_t width);
int32_t ec_u1_scores(int32_t family, const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes,
                     int64_t n_rows, int64_t width, int64_t twice, int32_t by_rows, void *scratch, void *scores);

/* Let two threads' seats of a search of one batch meet blocks in a given order: `order` is int64 (2, n), the seat of
 * each block, 0 or 1, and its number; those of a seat ascend. counts (int64) become how many entries each block gave.
 * scratch: twice that of ec_search() on one thread. */
int32_t ec_search_in_turn(const ec_search_args *args, const void *order, int64_t n, void *counts, void *scratch);

/* How many threads the pool has started. */
int32_t ec_pool_born(void);

/* Let the pool take it that there are so many cores, so that tests on a few run as many threads; 0: as many as are. */
void ec_pool_pretend_cores(int32_t count);

#endif
