/* The k best rows of a corpus for each of some queries. The scan takes the corpus in blocks of rows that stay in the
 * cache, brings a block into the kernel's form once, lets every query meet it, and keeps what beats the query's k-th
 * best so far:
 *
 *     rows --gather/decode?--> block --pack--> panel --tile--> scores --finish--> costs --filter--> reservoir of entries
 *
 * A cost is what is kept low: a distance, or a similarity with its sign changed. An entry is one uint64: the cost as an
 * ordered 32-bit key above the row's number, so that the order of entries is the order of results: best first, ties by
 * the lower row. */
#ifndef EC_CONTRACT_SEARCH_H
#define EC_CONTRACT_SEARCH_H

#include "results.h"

enum ec_search_family {
    EC_HAMMING_U1 = 0, /* bits x bits, rows of `width` bytes */
    EC_DOT_U1 = 1,     /* tables of ec_dot_u1_tables x bits */
    EC_DOT_I8 = 2,     /* int8 x int8, or uint8 with flip = 0x80 */
    EC_DOT_F32 = 3,    /* float32 x float32, or x codes by way of `decode` */
    EC_USER_TILE = 4,  /* `tile`: plain rows in, float32 out */
};

enum ec_search_decode {
    EC_DECODE_NONE = 0,
    EC_DECODE_I8 = 1, /* code (after flip) to float32 */
    EC_DECODE_U1 = 2, /* bits, first dimension highest, to -1 and +1; 8 * width dimensions */
};

/* The cost of a raw score s of query q and row r (float32, each operation rounded; no fused steps):
 * DOT: dot = ((s + add[r]) * mul[q] + bias[q]); cost = (-scale[r] * dot - weight[q] * row_bias[r]) + square[q],
 *      at least -1 where `bounded`
 * COSINE: cost = -dot / length[r], 0 where the length is 0, NaN where it is not within 1e-33 .. 1e33 (the query's
 *         length is in mul and bias)
 * L2: cost = max(0, scale[r]^2 length[r]^2 - 2 scale[r] dot + square[q])
 * JACCARD: cost = 2 s / (s + bits[r] + bias[q]), 0 where both are empty
 * add[r] = sum_weight * sum of the row's codes; length[r] is that of the row's values before its scale. */
enum ec_search_metric {
    EC_COST_RAW = 0, /* int32 scores are costs */
    EC_COST_DOT = 1,
    EC_COST_COSINE = 2,
    EC_COST_L2 = 3,
    EC_COST_JACCARD = 4,
    EC_COST_USER = 5, /* float32 scores times user_sign are costs */
};

enum ec_search_lengths {
    EC_LENGTH_NONE = 0,   /* no lengths are wanted, or row_squares gives them */
    EC_LENGTH_F32 = 1,    /* of float32 rows */
    EC_LENGTH_I8 = 2,     /* value = step * (code + centre), code after flip */
    EC_LENGTH_RANGES = 3, /* value = steps[d] * code + offsets[d], code after flip */
};

typedef void (*ec_user_tile)(const void *queries, int64_t n_queries, const void *rows, int64_t n_rows, int64_t width,
                             float *scores, int64_t scores_stride);

typedef struct {
    int32_t family, decode, metric, lengths;
    int32_t flip; /* 0 or 0x80: xor-ed into every byte of int8 or uint8 rows */
    float user_sign;
    int64_t width;     /* stored elements of a row: bytes of bits, codes, float32 */
    int64_t row_bytes; /* their bytes */

    const void *queries; /* n_queries in the family's plain form, without gaps */
    int64_t n_queries;
    const void *mul, *bias, *square; /* float32 (n_queries,); NULL where the metric has none */
    const void *weight;              /* float32 (n_queries,), or NULL for 1 */

    const void *rows;
    int64_t row_stride;    /* bytes */
    int64_t n_rows;        /* below 2^32 - 1 */
    const void *mask;      /* one bit a row, lowest first, set for rows that count; NULL for all */
    const void *selection; /* int64: the rows to take, ascending; negative or equal to the former: skipped; NULL: all */
    int64_t n_selected;
    int64_t selection_stride; /* 0: one selection for all queries; else elements from one query's to the next */

    const void *row_scales;  /* float32 (n_rows,), or NULL for 1 */
    const void *row_biases;  /* float32 (n_rows,), or NULL for 0; of EC_COST_DOT alone */
    int32_t bounded;         /* whether a similarity, of EC_COST_DOT, is at most 1 */
    const void *row_squares; /* double (n_rows,): squared lengths known already, or NULL */
    float sum_weight, step, centre;
    const void *steps, *offsets; /* float32 (width,) for EC_LENGTH_RANGES */
    ec_user_tile tile;

    int64_t k;     /* 0 <= k */
    void *entries; /* uint64 (n_queries, k): ascending, filled up with UINT64_MAX */
} ec_search_args;

/* Bytes of scratch, 64-byte aligned, for ec_search(), ec_range_search() and ec_search_squares(). */
int64_t ec_search_scratch_bytes(const ec_search_args *args);

/* Bring queries (n_queries, dimension) into the family's plain form, and find what they contribute to costs. Of `args`
 * counts all that speaks of rows and the metric; `queries` and the terms are what is found. For
 *   float32 queries: EC_DOT_F32, also with `decode`; EC_DOT_I8, each rounded to a byte an element at a scale of its own
 *     once multiplied by the rows' steps; EC_DOT_U1, their tables; flags (enum ec_bits) say how the rows' bits lie
 *   int8 or uint8 codes like the rows': EC_DOT_I8, with `scales` float32 (n_queries,) of their own, or NULL
 *   bits, `type` EC_UINT8: EC_HAMMING_U1, of which nothing but the terms is wanted
 * queries: in the plain form, or NULL where they are in it: float32 for plain EC_DOT_F32, int8, bits. `produced` counts
 * those that could not stay what they were: too near the ends of float32 for a cosine, they are multiplied by powers of
 * two; ask for `queries` then. terms: float32 (3, n_queries), the mul, bias and square of ec_search_args: of EC_COST_DOT,
 * where rows are bits. `consumed` is the query on failure: EC_NOT_FINITE, or EC_OUT_OF_RANGE where float32 cannot hold it
 * multiplied. scratch: 64-byte aligned. dimension: 1 .. EC_DOT_MAX_DIMENSION. */
int64_t ec_search_queries_scratch_bytes(int64_t dimension);
int64_t ec_search_query_bytes(const ec_search_args *args); /* of one in the plain form */
ec_result ec_search_queries(const ec_search_args *args, const void *values, int32_t type, int64_t dimension,
                            const void *scales, uint32_t flags, void *queries, void *terms, void *scratch);

/* Fill entries. A row number in an entry counts in rows, or in the selection. On EC_NOT_FINITE `consumed` is the row of
 * which a score was NaN (of the first such block). A scan stops before the next block where `most_pairs` of a query and a
 * row have met, so that its caller hears signals, and goes on there when it is called again with the same state and
 * scratch. state: int64[2], 0, 0 at first; state[0] = n_queries when all is done. */
ec_result ec_search(const ec_search_args *args, int64_t most_pairs, void *state, void *scratch);

/* Every row with a cost below its query's limit, float32 (n_queries,). Hits are appended to
 * entries and to queries (int32) until fewer than ec_range_reserve(args) places are left; the scan then stops, too, and
 * goes on with empty ones. produced: number of hits. Hits are not in order. */
int64_t ec_range_reserve(const ec_search_args *args);
ec_result ec_range_search(const ec_search_args *args, const void *limits, void *entries, void *queries,
                          int64_t capacity, int64_t most_pairs, void *state, void *scratch);

/* squares: double (n_rows,): the squared lengths that row_squares wants, by `lengths`. */
int32_t ec_search_squares(const ec_search_args *args, void *squares);

/* Merge the entries of n_parts scans, (n_parts, n_queries, k) with part p's rows from first_rows[p] on (int64), into
 * scores (n_queries, k_out), int32 costs if `is_integer`, else float32 sign * cost, and indices (int64), which are rows,
 * or selection[row] where a selection is given (selection_stride as in ec_search_args). k_out <= n_parts * k; places
 * without an entry get row -1 and a cost of NaN (the integer -1). */
void ec_search_merge(const void *entries, int64_t n_parts, int64_t n_queries, int64_t k, const void *first_rows,
                     int64_t k_out, int32_t is_integer, float sign, const void *selection, int64_t selection_stride,
                     void *scores, void *indices);

#endif
