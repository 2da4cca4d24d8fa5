/* A few float32 queries against plain rows with AVX2: a lane is a class of dimensions, and each partial sum takes its
 * products in the order of the specification.
 *
 * Packing a row costs as much as meeting half a dozen queries. Here three rows, in the first-level cache, meet two
 * queries at a time, which lie side by side so that they are one stream from the second-level cache:
 *
 *     rows r .. r+2  x  queries 0, 1 | 2, 3 | ...        the first pass prefetches the rows to come
 *
 * One query meets a row of the block's first half together with one of its second half: the chains of additions of one
 * row alone are what would be waited for, and two halves are two streams of reading, which the processor foresees better
 * than any prefetch of ours. (Two neighbours are not: each stream leaves out every other row, and DRAM gives half.) */
#include "avx2_verbs.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    PASS_ROWS = 3,
    PASS_QUERIES = 2, /* by three rows: 12 partial sums, 2 vectors of queries, 1 of a row */
    MOST_ROWS = 4,    /* of one query, that are in the cache */
    PIECE = 2048,     /* dimensions: 24 KB of three rows, in the first-level cache */
    AHEAD = 32 << 10, /* bytes: the rows of a few passes, in the second-level cache */
    TURN_ROWS = 8,    /* of one query, whose partial sums are added up together */
    MOST_QUERIES = 24 /* the most queries for which this is faster than packing */
};

/* Partial sums 0 .. 7 and 8 .. 15 of a row and a query. */
typedef struct {
    __m256 v[2];
} partial_sums;

/* Adds to the partial sums those of `n` dimensions of n_rows rows and n_queries queries, or sets them if `first`;
 * prefetches what lies `ahead` bytes behind the rows, unless that is 0, in the order of memory: in that of the passes
 * memory is half as fast. A lane without a value in the last step adds a product of zeros, which changes nothing (or
 * turns -0 to +0, which the total, begun at +0, does not show). */
EC_INLINE void pass(const int n_rows, const int n_queries, const uint8_t *const *row, const uint8_t *query, int64_t n,
                    int64_t ahead, int first, partial_sums *sums) {
    __m256 partial[PASS_QUERIES][MOST_ROWS][2];
#pragma GCC unroll 2
    for (int q = 0; q < n_queries; q++)
#pragma GCC unroll 4
        for (int i = 0; i < n_rows; i++)
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++) partial[q][i][h] = first ? _mm256_setzero_ps() : sums[q * PASS_ROWS + i].v[h];
    int64_t d = 0;
    for (; d + EC_CLASSES <= n; d += EC_CLASSES, query += n_queries * 64)
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            __m256 query_f32x8[PASS_QUERIES];
#pragma GCC unroll 2
            for (int q = 0; q < n_queries; q++) query_f32x8[q] = load_f32x8(query + q * 64 + h * 32);
#pragma GCC unroll 4
            for (int i = 0; i < n_rows; i++) {
                const __m256 row_f32x8 = load_once_f32x8(row[i] + d * 4 + h * 32);
                const char *const soon = (const char *)row[0] + n_rows * d * 4 + i * 64 + ahead;
                if (ahead && h == 0) _mm_prefetch(soon, _MM_HINT_T1);
#pragma GCC unroll 2
                for (int q = 0; q < n_queries; q++)
                    partial[q][i][h] = _mm256_fmadd_ps(query_f32x8[q], row_f32x8, partial[q][i][h]);
            }
        }
    if (d < n)
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++)
#pragma GCC unroll 4
            for (int i = 0; i < n_rows; i++) {
                const __m256 row_f32x8 = load_some_f32x8(row[i] + d * 4 + h * 32, n - d - h * 8);
#pragma GCC unroll 2
                for (int q = 0; q < n_queries; q++) {
                    const uint8_t *at = query + q * 64 + h * 32;
                    const __m256 query_f32x8 = n_queries > 1 ? load_f32x8(at) : load_some_f32x8(at, n - d - h * 8);
                    partial[q][i][h] = _mm256_fmadd_ps(query_f32x8, row_f32x8, partial[q][i][h]);
                }
            }
#pragma GCC unroll 2
    for (int q = 0; q < n_queries; q++)
#pragma GCC unroll 4
        for (int i = 0; i < n_rows; i++)
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++) sums[q * PASS_ROWS + i].v[h] = partial[q][i][h];
}

static EC_NOINLINE void pass_3_by_1(const uint8_t *const *row, const uint8_t *query, int64_t n, int64_t ahead,
                                    int first, partial_sums *sums) {
    (void)ahead; /* the query is the last of several */
    pass(3, 1, row, query, n, 0, first, sums);
}

static EC_NOINLINE void pass_3_by_2(const uint8_t *const *row, const uint8_t *query, int64_t n, int64_t ahead,
                                    int first, partial_sums *sums) {
    if (ahead)
        pass(3, 2, row, query, n, ahead, first, sums);
    else
        pass(3, 2, row, query, n, 0, first, sums);
}

static EC_NOINLINE void pass_4_chosen(const uint8_t *const *row, const uint8_t *query, int64_t n, partial_sums *sums) {
    pass(4, 1, row, query, n, 0, 1, sums);
}

/* ---- one query ---- */

/* The partial sums of two rows, which one query meets, and those of the squares that sumsq_f32() adds up if `squares`. */
EC_INLINE void meet_two(const int squares, const uint8_t *const row[2], const uint8_t *query, int64_t n,
                        partial_sums *const sums[2], double of_classes[2][EC_CLASSES]) {
    __m256 partial_f32x8[2][2];
    __m256d squares_f64x4[2][4];
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        partial_f32x8[i][0] = partial_f32x8[i][1] = _mm256_setzero_ps();
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) squares_f64x4[i][v] = _mm256_setzero_pd();
    }
    int64_t d = 0;
    for (; d + EC_CLASSES <= n; d += EC_CLASSES, query += 64) {
        /* with squares there are no registers for the query */
        const __m256 low_query_f32x8 = squares ? load_f32x8(query) : load_once_f32x8(query);
        const __m256 high_query_f32x8 = squares ? load_f32x8(query + 32) : load_once_f32x8(query + 32);
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            const __m256 low_f32x8 = load_once_f32x8(row[i] + d * 4), high_f32x8 = load_once_f32x8(row[i] + d * 4 + 32);
            partial_f32x8[i][0] = _mm256_fmadd_ps(low_query_f32x8, low_f32x8, partial_f32x8[i][0]);
            partial_f32x8[i][1] = _mm256_fmadd_ps(high_query_f32x8, high_f32x8, partial_f32x8[i][1]);
            if (squares) add_squares_f32(row[i] + d * 4, squares_f64x4[i]);
        }
    }
    if (d < n) {
        const __m256 low_query_f32x8 = load_some_f32x8(query, n - d);
        const __m256 high_query_f32x8 = load_some_f32x8(query + 32, n - d - 8);
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            const __m256 low_f32x8 = load_some_f32x8(row[i] + d * 4, n - d);
            const __m256 high_f32x8 = load_some_f32x8(row[i] + d * 4 + 32, n - d - 8);
            partial_f32x8[i][0] = _mm256_fmadd_ps(low_query_f32x8, low_f32x8, partial_f32x8[i][0]);
            partial_f32x8[i][1] = _mm256_fmadd_ps(high_query_f32x8, high_f32x8, partial_f32x8[i][1]);
            if (squares) add_last_squares_f32(row[i] + d * 4, n - d, squares_f64x4[i]);
        }
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        sums[i]->v[0] = partial_f32x8[i][0];
        sums[i]->v[1] = partial_f32x8[i][1];
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++)
            if (squares) _mm256_storeu_pd(of_classes[i] + 4 * v, squares_f64x4[i][v]);
    }
}

/* Adds up the partial sums of eight rows in the order of the specification. */
EC_INLINE __m256 totals(const partial_sums *sums) {
    __m256 total_f32x8 = _mm256_setzero_ps();
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        __m256 classes[8];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) classes[i] = sums[i].v[h];
        ec_transpose_f32x8(classes);
#pragma GCC unroll 8
        for (int c = 0; c < 8; c++) total_f32x8 = _mm256_add_ps(total_f32x8, classes[c]);
    }
    return total_f32x8;
}

/* Lays queries out as passes read them: 16 dimensions of the first, 16 of the second, the next 16 of the first, with 0
 * behind the last dimension. */
static void pair_queries(const uint8_t *queries, int64_t n_queries, int64_t dimension, uint8_t *prepared) {
    const int64_t whole = dimension / EC_CLASSES * EC_CLASSES;
    for (int64_t q = 0; q < n_queries; q += PASS_QUERIES)
        for (int64_t d = 0; d < dimension; d += EC_CLASSES)
            for (int64_t i = q; i < ec_min_i64(q + PASS_QUERIES, n_queries); i++, prepared += 64) {
                memset(prepared, 0, d < whole ? 0 : 64);
                memcpy(prepared, queries + (i * dimension + d) * 4, d < whole ? 64 : (size_t)(dimension - d) * 4);
            }
}

/* The scores of up to MOST_QUERIES queries. */
static void meet_few(const uint8_t *queries, int64_t n_queries, const uint8_t *rows, int64_t stride_bytes,
                     int64_t n_rows, int64_t dimension, float *scores, int64_t scores_stride, double *sumsq,
                     uint8_t *prepared) {
    partial_sums sums[MOST_QUERIES * PASS_ROWS + 8];
    float all[MOST_QUERIES * PASS_ROWS + 8];
    const int64_t query_bytes = ec_round_up(dimension, EC_CLASSES) * 4;
    pair_queries(queries, n_queries, dimension, prepared);
    memset(sums, 0, sizeof sums);
    for (int64_t r = 0; r < n_rows; r += PASS_ROWS) {
        const uint8_t *first = rows + r * stride_bytes;
        const int64_t n = ec_min_i64(n_rows - r, PASS_ROWS);
        for (int64_t d = 0; d < dimension; d += PIECE) {
            const uint8_t *row[PASS_ROWS];
            for (int64_t i = 0; i < PASS_ROWS; i++) /* behind the last row the last one is repeated */
                row[i] = first + ec_min_i64(i, n - 1) * stride_bytes + d * 4;
            for (int64_t q = 0; q < n_queries; q += PASS_QUERIES) {
                const int64_t some = ec_min_i64(n_queries - q, PASS_QUERIES);
                const int64_t ahead = q == 0 ? AHEAD + (PASS_ROWS - 1) * d * 4 : 0;
                (some == 1 ? pass_3_by_1 : pass_3_by_2)(row, prepared + q * query_bytes + some * d * 4,
                                                        ec_min_i64(dimension - d, PIECE), ahead, d == 0,
                                                        sums + q * PASS_ROWS);
            }
        }
        for (int64_t i = 0; i < n_queries * PASS_ROWS; i += 8) _mm256_storeu_ps(all + i, totals(sums + i));
        for (int64_t q = 0; q < n_queries; q++)
            memcpy(scores + q * scores_stride + r, all + q * PASS_ROWS, (size_t)n * 4);
        if (sumsq) ec_active.sumsq_f32(first, stride_bytes, n, dimension, sumsq + r);
    }
}

/* Like dot_f32_rows(); also the sums of squares if asked for. */
EC_INLINE void meet_one(const int squares, const void *query, const uint8_t *rows, int64_t stride_bytes, int64_t n_rows,
                        int64_t dimension, float *scores, double *sumsq) {
    const int64_t half = (n_rows + 1) / 2, turn = TURN_ROWS / 2; /* the second half has a row less if they are odd */
    partial_sums sums[TURN_ROWS];
    double of_classes[2][EC_CLASSES];
    float all[TURN_ROWS];
    memset(sums, 0, sizeof sums);
    for (int64_t r = 0; r < half; r += turn) {
        const int64_t n = ec_min_i64(half - r, turn), n_second = ec_min_i64(n_rows - half - r, n);
        for (int64_t i = 0; i < n; i++) {
            const int64_t other = i < n_second ? half + r + i : r + i;
            const uint8_t *const row[2] = {rows + (r + i) * stride_bytes, rows + other * stride_bytes};
            partial_sums *const of_rows[2] = {&sums[i], &sums[turn + i]};
            meet_two(squares, row, query, dimension, of_rows, of_classes);
            if (squares) sumsq[r + i] = ec_halve_f64x16(of_classes[0]);
            if (squares && i < n_second) sumsq[other] = ec_halve_f64x16(of_classes[1]);
        }
        _mm256_storeu_ps(all, totals(sums));
        memcpy(scores + r, all, (size_t)n * 4);
        if (n_second > 0) memcpy(scores + half + r, all + turn, (size_t)n_second * 4);
    }
}

static void dot_f32_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                         float *scores) {
    meet_one(0, query, rows, stride_bytes, n_rows, dimension, scores, NULL);
}

static void dot_f32_rows_and_squares(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows,
                                     int64_t dimension, float *scores, double *sumsq) {
    meet_one(1, query, rows, stride_bytes, n_rows, dimension, scores, sumsq);
}

/* Chosen rows are in the cache; behind the last one it is repeated. */
static void dot_f32_chosen(const void *query, const void *rows, int64_t stride_bytes, const int32_t *chosen, int64_t n,
                           int64_t dimension, float *scores) {
    for (int64_t i = 0; i < n; i += TURN_ROWS) {
        const int64_t some = ec_min_i64(n - i, TURN_ROWS);
        const uint8_t *row[TURN_ROWS];
        partial_sums sums[TURN_ROWS];
        float all[TURN_ROWS];
        for (int64_t j = 0; j < TURN_ROWS; j++)
            row[j] = (const uint8_t *)rows + chosen[i + ec_min_i64(j, some - 1)] * stride_bytes;
        pass_4_chosen(row, query, dimension, sums);
        if (some > MOST_ROWS)
            pass_4_chosen(row + MOST_ROWS, query, dimension, sums + MOST_ROWS);
        else
            memcpy(sums + MOST_ROWS, sums, MOST_ROWS * sizeof *sums);
        _mm256_storeu_ps(all, totals(sums));
        memcpy(scores + i, all, (size_t)some * 4);
    }
}

static void dot_f32_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                        int64_t dimension, float *scores, int64_t scores_stride, double *sumsq, void *prepared) {
    for (int64_t q = 0; q < n_queries; q += MOST_QUERIES, sumsq = NULL) {
        const uint8_t *first = (const uint8_t *)queries + q * dimension * 4;
        const int64_t n = ec_min_i64(n_queries - q, MOST_QUERIES);
        float *out = scores + q * scores_stride;
        if (n == 1 && sumsq)
            dot_f32_rows_and_squares(first, rows, stride_bytes, n_rows, dimension, out, sumsq);
        else if (n == 1)
            dot_f32_rows(first, rows, stride_bytes, n_rows, dimension, out);
        else
            meet_few(first, n, rows, stride_bytes, n_rows, dimension, out, scores_stride, sumsq, prepared);
    }
}

EC_SLOTS(dot_rows_f32, avx2) {
    table->most_few_f32 = MOST_QUERIES;
    table->dot_f32_few = dot_f32_few;
    table->dot_f32_rows = dot_f32_rows;
    table->dot_f32_chosen = dot_f32_chosen;
}

EC_TARGET_END
#endif
