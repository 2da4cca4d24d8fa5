/* Dots and sums in plain C: the specification of every slot of the family.
 *
 * Rows and queries are plain row-major elements at any alignment. Row r is at rows + r * stride_bytes; stride_bytes may
 * exceed the row, and may be 0 or negative. Queries lie without gaps. 1 <= dimension <= EC_DOT_MAX_DIMENSION, n_rows >=
 * 0, n_queries >= 0. `panel` and `prepared` are scratch of ec_dot_*_panel_bytes() and ec_dot_*_prepared_bytes() bytes,
 * 64-byte aligned; only the tier that has filled them can read them.
 *
 * `flip` is 0, or 0x80 for rows of uint8. It is xored into every byte of a row, which then is int8: a uint8 value v
 * counts as v - 128. Queries are always int8. */
#include "dot.h"

/* The element that a byte of a row stands for. */
static int32_t element(uint8_t byte, uint8_t flip) { return (int8_t)(byte ^ flip); }

/* ---- int8: exact ---- */

/* Packs 0 .. 256 rows into a panel for the tile. */
static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    const uint8_t *row = rows;
    int8_t *out = panel;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, out += dimension)
        for (int64_t d = 0; d < dimension; d++) out[d] = (int8_t)element(row[d], flip);
}

/* Brings queries into the form that the tile takes. */
static void dot_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    memcpy(prepared, queries, (size_t)(n_queries * dimension));
}

/* scores[q * scores_stride + r] = the exact dot of prepared query first_query + q with packed row r, for 0 <= q <
 * n_queries and 0 <= r < n_rows; no other score is written. `panel`, `n_rows` and `dimension` are those of the packing.
 * Any first_query and n_queries will do; many queries a call, best a multiple of 24, are fastest.
 *
 * `ahead`, `ahead_bytes`: memory that will be read soon, the next block's rows or a share of them, or NULL, 0. A tile
 * may prefetch it while it computes; it does not read it.
 *
 * |dot| <= 128 * 128 * dimension <= 2^30 at EC_DOT_MAX_DIMENSION; int32 would do up to dimension 131,071. */
static void dot_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes) {
    (void)ahead;
    (void)ahead_bytes;
    const int8_t *query = (const int8_t *)prepared + first_query * dimension;
    for (int64_t q = 0; q < n_queries; q++, query += dimension) {
        const int8_t *row = panel;
        for (int64_t r = 0; r < n_rows; r++, row += dimension) {
            int32_t sum = 0;
            for (int64_t d = 0; d < dimension; d++) sum += (int32_t)query[d] * row[d];
            scores[q * scores_stride + r] = sum;
        }
    }
}

/* scores[r] = the exact dot of one plain query with plain row r. Each row is read once, and nothing is packed. */
static void dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *scores) {
    const int8_t *q = query;
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes) {
        int32_t sum = 0;
        for (int64_t d = 0; d < dimension; d++) sum += (int32_t)q[d] * element(row[d], flip);
        scores[r] = sum;
    }
}

/* sums[r] = the exact sum of row r. */
static void sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                   int32_t *sums) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes) {
        int32_t sum = 0;
        for (int64_t d = 0; d < dimension; d++) sum += element(row[d], flip);
        sums[r] = sum;
    }
}

/* sums[r] = the exact sum of the squares of row r. */
static void sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes) {
        int32_t sum = 0;
        for (int64_t d = 0; d < dimension; d++) sum += element(row[d], flip) * element(row[d], flip);
        sums[r] = sum;
    }
}

/* Like dot_i8_pack(). Where `sums` and `sumsq` are not NULL, which they are together, also those of sum_i8() and
 * sumsq_i8(). */
static void rough_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                          void *panel, int32_t *sums, int32_t *sumsq) {
    dot_i8_pack(rows, stride_bytes, n_rows, dimension, flip, panel);
    if (sums) sum_i8(rows, stride_bytes, n_rows, dimension, flip, sums);
    if (sumsq) sumsq_i8(rows, stride_bytes, n_rows, dimension, flip, sumsq);
}

/* ---- float32: bit for bit the same on every tier, and by tile and by rows ---- */

/* Like dot_i8_pack(). */
static void dot_f32_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *panel) {
    const uint8_t *row = rows;
    float *out = panel;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, out += dimension)
        memcpy(out, row, (size_t)dimension * sizeof(float));
}

/* Like dot_i8_prepare(). */
static void dot_f32_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    memcpy(prepared, queries, (size_t)(n_queries * dimension) * sizeof(float));
}

/* The dot of a query with a row, in this order: sixteen partial sums from +0, to which the products of dimension d are
 * added in partial sum d mod 16 by a fused multiply-add, the lowest dimension first; then, from +0, the sum of the
 * partial sums, the first one first.
 *
 * With u = 2^-24 the error is at most gamma(n) * sum |q_d r_d|, gamma(n) = n u / (1 - n u), barring underflow and
 * overflow. Here n = ceil(dimension / 16) + 16 is the most roundings that a term meets: 80 u at 1,024 dimensions, where
 * a single chain of sums would have 1,024 u. */
static float dot_f32(const uint8_t *query, const uint8_t *row, int64_t dimension) {
    float partial[EC_CLASSES] = {0}, sum = 0;
    for (int64_t d = 0; d < dimension; d++) {
        float a, b;
        memcpy(&a, query + d * 4, 4);
        memcpy(&b, row + d * 4, 4);
        partial[d % EC_CLASSES] = ec_fma_f32(a, b, partial[d % EC_CLASSES]);
    }
    for (int c = 0; c < EC_CLASSES; c++) sum += partial[c];
    return sum;
}

/* Like dot_i8_tile(), with float32 scores by dot_f32(). */
static void dot_f32_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel,
                         int64_t n_rows, int64_t dimension, float *scores, int64_t scores_stride, const void *ahead,
                         int64_t ahead_bytes) {
    (void)ahead;
    (void)ahead_bytes;
    const uint8_t *query = (const uint8_t *)prepared + first_query * dimension * 4;
    for (int64_t q = 0; q < n_queries; q++, query += dimension * 4)
        for (int64_t r = 0; r < n_rows; r++)
            scores[q * scores_stride + r] = dot_f32(query, (const uint8_t *)panel + r * dimension * 4, dimension);
}

/* Like dot_i8_rows(), with float32 scores by dot_f32(). */
static void dot_f32_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                         float *scores) {
    for (int64_t r = 0; r < n_rows; r++)
        scores[r] = dot_f32(query, (const uint8_t *)rows + r * stride_bytes, dimension);
}

/* sums[r] = the sum of the squares of row r in double: sixteen partial sums, dimension d in partial sum d mod 16, added
 * up by ec_halve_f64x16(). Squares are exact in double, so the relative error is below (dimension / 16 + 5) * 2^-53. */
static void sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, double *sums) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes) {
        double partial[16] = {0};
        for (int64_t d = 0; d < dimension; d++) {
            float x;
            memcpy(&x, row + d * 4, 4);
            partial[d % 16] += (double)x * x;
        }
        sums[r] = ec_halve_f64x16(partial);
    }
}

/* The scores of a few queries, up to EC_DOT_FEW, with plain rows: like dot_i8_rows() one query at a time, to scores[q *
 * scores_stride + r]. Where `sums` and `sumsq` are not NULL, also those of sum_i8() and sumsq_i8(). `prepared` is
 * scratch of ec_dot_i8_prepared_bytes(). Rows that are in the cache already are met while memory is asked for a share of
 * the ahead_bytes bytes from `ahead` on; else ahead_bytes is 0, and the rows to come are asked for. */
static void dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, uint8_t flip, int32_t *scores, int64_t scores_stride, int32_t *sums,
                       int32_t *sumsq, void *prepared, const void *ahead, int64_t ahead_bytes) {
    (void)prepared;
    (void)ahead;
    (void)ahead_bytes;
    for (int64_t q = 0; q < n_queries; q++)
        dot_i8_rows((const uint8_t *)queries + q * dimension, rows, stride_bytes, n_rows, dimension, flip,
                    scores + q * scores_stride);
    if (sums) sum_i8(rows, stride_bytes, n_rows, dimension, flip, sums);
    if (sumsq) sumsq_i8(rows, stride_bytes, n_rows, dimension, flip, sumsq);
}

/* scores[i] = the dot with row chosen[i], for 0 <= i < n: like dot_i8_rows() one row at a time. */
static void dot_i8_chosen(const void *query, const void *rows, int64_t stride_bytes, const int32_t *chosen, int64_t n,
                          int64_t dimension, uint8_t flip, int32_t *scores) {
    for (int64_t i = 0; i < n; i++)
        dot_i8_rows(query, (const uint8_t *)rows + chosen[i] * stride_bytes, stride_bytes, 1, dimension, flip,
                    &scores[i]);
}

/* Like dot_i8_few(), without `sums`. */
static void dot_f32_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                        int64_t dimension, float *scores, int64_t scores_stride, double *sumsq, void *prepared) {
    (void)prepared;
    for (int64_t q = 0; q < n_queries; q++)
        dot_f32_rows((const uint8_t *)queries + q * dimension * 4, rows, stride_bytes, n_rows, dimension,
                     scores + q * scores_stride);
    if (sumsq) sumsq_f32(rows, stride_bytes, n_rows, dimension, sumsq);
}

/* scores[i] = the dot with row chosen[i], for 0 <= i < n: like dot_f32_rows() one row at a time. */
static void dot_f32_chosen(const void *query, const void *rows, int64_t stride_bytes, const int32_t *chosen, int64_t n,
                           int64_t dimension, float *scores) {
    for (int64_t i = 0; i < n; i++)
        dot_f32_rows(query, (const uint8_t *)rows + chosen[i] * stride_bytes, stride_bytes, 1, dimension, &scores[i]);
}

EC_SLOTS(dot, scalar) {
    table->dot_i8_pack = dot_i8_pack;
    table->dot_i8_prepare = dot_i8_prepare;
    table->dot_i8_tile = dot_i8_tile;
    table->dot_i8_rows = dot_i8_rows;
    /* rough_i8_* are like dot_i8_* with queries of -EC_ROUGH .. EC_ROUGH; the tile may write whole 16s of scores */
    table->rough_queries = 0;
    table->rough_i8_pack = rough_i8_pack;
    table->rough_i8_prepare = dot_i8_prepare;
    table->rough_i8_tile = dot_i8_tile;
    table->tile_queries = 24;
    table->most_few_i8 = 8;
    table->most_few_short_i8 = 8;
    table->most_few_f32 = 4;
    table->dot_i8_few = dot_i8_few;
    table->dot_i8_chosen = dot_i8_chosen;
    table->sum_i8 = sum_i8;
    table->sumsq_i8 = sumsq_i8;
    table->dot_f32_pack = dot_f32_pack;
    table->dot_f32_prepare = dot_f32_prepare;
    table->dot_f32_tile = dot_f32_tile;
    table->dot_f32_rows = dot_f32_rows;
    table->dot_f32_few = dot_f32_few;
    table->dot_f32_chosen = dot_f32_chosen;
    table->sumsq_f32 = sumsq_f32;
}

EC_INSTALL(dot, EC_SCALAR(dot) EC_AVX2(dot) EC_AVXVNNI(dot) EC_AVX512(dot) EC_AMX(dot) EC_NEON(dot) EC_DOTPROD(dot))
