/* The types of the scan's slots, which make of a tile's raw scores the few entries that are kept. Their contracts are
 * at their plain twins in loops.h. */
#ifndef EC_SEARCH_SLOTS_H
#define EC_SEARCH_SLOTS_H

#include <stdint.h>

/* The terms of a query and of a block's rows, from which ec_cost() makes a cost of a raw score. */
typedef struct {
    const float *add, *mul, *bias; /* one float a row: added to the score; times the dot; added to the cost */
    float query_mul, query_bias, query_add;
    float query_weight; /* times the bias of a row */
    float lowest;       /* costs below it are raised to it */
    int32_t jaccard;    /* whether the cost is ec_cost_jaccard(): `add` holds the rows' bits, query_bias the query's */
} ec_finish;

/* Arrays of scores, of row terms and of entries are padded to whole 64s of rows, EC_WHOLE_ROWS, which a kernel may read
 * and write. Under the limits EC_NO_LIMIT_I32 and NaN all rows pass, but a tier may drop rows that it knows not to be
 * among the `k` best of these n; with k = 0 it may not. */
enum { EC_WHOLE_ROWS = 64, EC_NO_LIMIT_I32 = INT32_MAX };
typedef int64_t ec_filter_i32_fn(const int32_t *costs, int64_t n, int32_t limit, int64_t k, uint32_t first_row,
                                 const uint8_t *mask, uint64_t *entries);
typedef int64_t ec_sift_i32_fn(const ec_finish *f, const int32_t *scores, int64_t n, float limit, int64_t k,
                               uint32_t first_row, const uint8_t *mask, uint64_t *entries);
typedef int64_t ec_sift_f32_fn(const ec_finish *f, const float *scores, int64_t n, float limit, int64_t k,
                               uint32_t first_row, const uint8_t *mask, uint64_t *entries);

enum {
    EC_FEW_ENTRIES = 64,  /* the most that entries_sort takes */
    EC_ENTRY_GROUPS = 32, /* the number that entries_minima writes */
};
typedef int64_t ec_entries_count_fn(const uint64_t *entries, int64_t n, uint64_t bound);
typedef int64_t ec_entries_keep_fn(uint64_t *entries, int64_t n, uint64_t bound);
typedef void ec_entries_minima_fn(const uint64_t *entries, int64_t n, uint64_t *minima);
typedef void ec_entries_sort_fn(const uint64_t *entries, int64_t n, uint64_t *sorted);

typedef void ec_decode_i8_fn(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip,
                             float *out);
typedef void ec_decode_u1_fn(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, float *out);
typedef void ec_square_ranges_fn(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip,
                                 const float *steps, const float *offsets, double *squares);
typedef void ec_square_sums_fn(const int32_t *sumsq, const int32_t *sums, int64_t n, int64_t width, double step,
                               double centre, double *squares);
typedef void ec_inverse_lengths_fn(const double *squares, int64_t n, float *mul);
typedef void ec_l2_terms_fn(const float *scales, const double *squares, int64_t n, float *mul, float *bias);

#endif
