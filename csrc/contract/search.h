/* Exact search: the k best rows of a corpus for each of some queries. The scan takes the corpus in blocks of rows that
 * stay in the cache. It packs a block once, lets every query meet it, and keeps the rows that beat the query's k-th
 * best so far:
 *
 *     rows --gather/decode?--> block --pack--> panel --tile--> scores --finish--> costs --filter--> entries
 *
 * A cost is a number that is better when it is lower: a distance, or a similarity with its sign changed. An entry is
 * one uint64, the cost as an ordered 32-bit key above the number of the row. So the order of entries is that of the
 * results: the best first, and among equal costs the lower row first. */
#ifndef EC_CONTRACT_SEARCH_H
#define EC_CONTRACT_SEARCH_H

#include "results.h"

enum ec_search_family {
    EC_HAMMING_U1 = 0, /* bits x bits; rows of `width` bytes */
    EC_DOT_U1 = 1,     /* tables of ec_dot_u1_tables() x bits */
    EC_DOT_I8 = 2,     /* int8 x int8, or uint8 with flip = 0x80 */
    EC_DOT_F32 = 3,    /* float32 x float32, or x codes that `decode` turns to float32 */
    EC_USER_TILE = 4,  /* the caller's function `tile`: plain rows in, float32 out */
};

enum ec_search_decode {
    EC_DECODE_NONE = 0,
    EC_DECODE_I8 = 1, /* a code (after flip) to float32 */
    EC_DECODE_U1 = 2, /* bits, the first dimension highest, to -1 and +1: 8 * width dimensions */
};

/* The cost of row r for query q, from the raw score s that a kernel gives. All in float32, every operation rounded,
 * none fused.
 *
 *     DOT      dot = (s + add[r]) * mul[q] + bias[q]
 *              cost = (-scale[r] * dot - weight[q] * row_bias[r]) + square[q], at least -1 where `bounded`
 *     COSINE   cost = -dot / length[r], the query's length being in mul and bias; 0 where the length is 0, NaN where it
 *              is not within 1e-33 .. 1e33
 *     L2       cost = max(0, scale[r]^2 length[r]^2 - 2 scale[r] dot + square[q])
 *     JACCARD  cost = 2 s / (s + bits[r] + bias[q]), 0 where both are empty
 *
 * add[r] is sum_weight times the sum of the codes of the row; length[r] is that of its values before scale[r]. */
enum ec_search_metric {
    EC_COST_RAW = 0, /* the int32 scores themselves */
    EC_COST_DOT = 1,
    EC_COST_COSINE = 2,
    EC_COST_L2 = 3,
    EC_COST_JACCARD = 4,
    EC_COST_USER = 5, /* float32 scores times user_sign */
};

/* How the lengths of rows are computed, for cosines and distances. */
enum ec_search_lengths {
    EC_LENGTH_NONE = 0,   /* no lengths are needed, or row_squares has them */
    EC_LENGTH_F32 = 1,    /* of float32 rows */
    EC_LENGTH_I8 = 2,     /* value = step * (code + centre), code after flip */
    EC_LENGTH_RANGES = 3, /* value = steps[d] * code + offsets[d], code after flip */
};

/* A caller's function: scores[q * scores_stride + r] for all queries and rows, both without gaps. */
typedef void (*ec_user_tile)(const void *queries, int64_t n_queries, const void *rows, int64_t n_rows, int64_t width,
                             float *scores, int64_t scores_stride);

/* Rows that lie one after another in memory: all of a corpus, or some of it. A row's position is its place among those of
 * all segments. Between two segments positions may belong to no row. */
enum { EC_SEGMENT_STEP = 64 };
typedef struct {
    int64_t first, count; /* positions first .. first + count - 1; `first` is a multiple of EC_SEGMENT_STEP */
    const void *rows;
    const void *row_scales;  /* float32 (count,), or NULL for 1; this and the next in all segments or in none */
    const void *row_biases;  /* float32 (count,), or NULL for 0; for EC_COST_DOT alone */
    const void *row_squares; /* double (count,): squared lengths, if they are known, or NULL */
    const void *ids;         /* int64 (count,), ascending: for ec_segments_ids() and ec_segments_positions() alone */
} ec_segment;

/* What a search is: corpus, queries, metric, and where the entries go. */
typedef struct {
    int32_t family, decode, metric, lengths;
    int32_t flip; /* 0 or 0x80: xored into every byte of int8 or uint8 rows */
    float user_sign;
    int64_t width;     /* stored elements of a row: bytes of bits, codes, float32 */
    int64_t row_bytes; /* bytes of these elements */
    int64_t twice;     /* of EC_DOT_U1: the first bytes of rows that meet two tables each, see ec_dot_u1_tables() */

    const void *queries; /* n_queries in the plain form of the family, without gaps */
    int64_t n_queries;
    const void *mul, *bias, *square; /* float32 (n_queries,); NULL where the metric needs none */
    const void *weight;              /* float32 (n_queries,), or NULL for 1 */

    ec_segment whole;           /* n_rows from position 0 on, where `segments` is NULL */
    const ec_segment *segments; /* n_segments, the first at position 0 */
    int64_t n_segments;
    int64_t row_stride; /* bytes */
    int64_t n_rows;     /* positions of all segments, below 2^32 - 1 */
    const void *mask;   /* one bit a position, lowest first, set for rows that count; NULL: all rows count */
    const void
        *selection; /* int64 numbers of rows, ascending; negative and repeated ones are skipped; NULL: all rows */
    int64_t n_selected;
    int64_t selection_stride; /* elements from one query's selection to the next; 0: one selection for all queries */

    int32_t bounded; /* for EC_COST_DOT: whether similarities are at most 1 */
    float sum_weight, step, centre;
    const void *steps, *offsets; /* float32 (width,), for EC_LENGTH_RANGES */
    ec_user_tile tile;

    int64_t k;          /* at least 0 */
    const void *within; /* of ec_search(): NULL, or costs (n_queries,), int32 for EC_COST_RAW and else float32, beyond
                           which rows are not wanted; INT32_MAX or NaN: all are */
    void *entries;      /* uint64 (n_queries, k), sorted, filled up with UINT64_MAX */
} ec_search_args;

/* Bytes of scratch, to be 64-byte aligned, that ec_search() and ec_range_search() need on so many threads. */
int64_t ec_search_scratch_bytes(const ec_search_args *args, int32_t threads);

/* Bring queries (n_queries, dimension) into the plain form of the family, and find the terms that they contribute to
 * costs. `args` says what the rows and the metric are; its queries and terms are not read.
 *
 *     `type`            family             the plain form of a query
 *     EC_FLOAT32        EC_DOT_F32         float32, times the steps of the rows where these are decoded
 *                       EC_DOT_I8          times the rows' steps, then rounded to int8 at a scale of its own
 *                       EC_DOT_U1          tables; `flags` (enum ec_bits) say how the rows' bits lie
 *     EC_INT8, _UINT8   EC_DOT_I8          codes like those of the rows; `scales` float32 (n_queries,) or NULL for 1
 *     EC_UINT8          EC_HAMMING_U1      bits; only the terms are written
 *
 * `queries` takes the plain forms. It may be NULL where the values have that form already: float32 for rows of float32,
 * int8, and bits. `produced` counts the queries of a cosine that were multiplied by powers of two, because they were
 * too near the ends of float32; then `queries` is needed. `terms` are float32 (3, n_queries), the mul, bias and square
 * of ec_search_args (of EC_COST_DOT, where rows are bits). On failure `consumed` is the query: EC_NOT_FINITE, or
 * EC_OUT_OF_RANGE where float32 cannot hold its terms or its multiplied values. scratch:
 * ec_search_queries_scratch_bytes(), 64-byte aligned. dimension: 1 .. EC_DOT_MAX_DIMENSION. */
int64_t ec_search_queries_scratch_bytes(int64_t dimension);
int64_t ec_search_query_bytes(const ec_search_args *args); /* bytes of one query in the plain form */
ec_result ec_search_queries(const ec_search_args *args, const void *values, int32_t type, int64_t dimension,
                            const void *scales, uint32_t flags, void *queries, void *terms, void *scratch);

/* Fill the entries, on at most `threads` threads. The number of a row in an entry counts within rows, or within the
 * selection. On EC_NOT_FINITE `consumed` is a row of which a score was NaN, of the first block that has one.
 *
 * So that the caller can look for signals, a scan stops before the next block once about `most_pairs` pairs of a query
 * and a row have met, and goes on there when it is called again with the same arguments, threads, state and scratch.
 * `state` is int64[2]: both 0 at first; state[0] = n_queries when all is done. */
ec_result ec_search(const ec_search_args *args, int32_t threads, int64_t most_pairs, void *state, void *scratch);

/* Find every row whose cost is below its query's limit, float32 (n_queries,). Hits, in no order, are written to
 * `entries`, (threads, capacity), and their queries to `queries` (int32); counts (int64) says how many there are in each
 * row of these. The scan stops as ec_search() does, and also where a row has fewer than ec_range_reserve(args) places
 * left: call it again, and it writes from their beginning on. */
int64_t ec_range_reserve(const ec_search_args *args);
ec_result ec_range_search(const ec_search_args *args, const void *limits, int32_t threads, void *entries, void *queries,
                          int64_t capacity, void *counts, int64_t most_pairs, void *state, void *scratch);

/* Write the squared lengths that row_squares takes, double (n_rows,), of the rows of args->whole, as args->lengths says.
 * Returns 1, or 0 and writes nothing where these are not n_rows, or there is no room for them in `capacity` numbers. */
int32_t ec_search_squares(const ec_search_args *args, void *squares, int64_t capacity);

/* Merge the entries of n_parts scans, (n_parts, n_queries, k), of which part p's rows are numbered from first_rows[p]
 * (int64) on. scores (n_queries, k_out) become int32 costs if `is_integer`, else float32 sign * cost. indices (int64)
 * become rows, or selection[row] where there is a selection (selection_stride as in ec_search_args). k_out <= n_parts *
 * k; places without an entry get the row -1, and as score NaN or the integer -1. */
void ec_search_merge(const void *entries, int64_t n_parts, int64_t n_queries, int64_t k, const void *first_rows,
                     int64_t k_out, int32_t is_integer, float sign, const void *selection, int64_t selection_stride,
                     void *scores, void *indices);

/* Write the ids (int64) of the rows at n positions (int64); -1 for negative positions. */
void ec_segments_ids(const void *segments, int64_t n_segments, const void *positions, int64_t n, void *ids);

/* The inverse: positions (int64) of n ids (int64), -1 for those that no segment has. `ascending` says that the ids of
 * each segment are above those of the one before it. */
void ec_segments_positions(const void *segments, int64_t n_segments, int32_t ascending, const void *ids, int64_t n,
                           void *positions);

/* What a search over some of the rows found: scores and ids (n_queries, k), best first. scores are int32 or float32;
 * ids int64, negative where a query had fewer than k results. */
typedef struct {
    const void *scores, *ids;
    int64_t k;
} ec_results;

/* Sort ec_results[n_parts], of searches over other rows, into the k_out best of each query so far. Scores are int32 if
 * `is_integer`, else float32. A score times `sign` is better when lower; ties go to the lower id. The output must hold
 * ids of -1 before the first part comes. Returns a query that has a score that is NaN, or -1. */
int64_t ec_merge_results(const void *parts, int64_t n_parts, int64_t n_queries, int64_t k_out, int32_t is_integer,
                         float sign, void *scores, void *ids);

#endif
