/* float32 dots with AVX2. In tiles a lane is a row, and the dimensions come class by class; for plain rows a lane is a
 * class. Either way each partial sum takes its products in the order of the specification. */
#include "avx2_verbs.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    TILE_QUERIES = 6, /* 2 x 6 partial sums, 2 vectors of rows, 1 of a query: 15 of 16 registers; totals in memory */
    PIECE_BYTES = 24 << 10 /* bytes of a strip that all queries meet in turn: in the 32 KB of the first-level cache */
};

static void dot_f32_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    ec_class_queries(queries, n_queries, dimension, prepared);
}

/* Where class c begins in a strip. The lines of a class begin one further on than a power of two would have it: else
 * those of all classes would meet in the same sets of the first-level cache as they are written. */
EC_INLINE int64_t class_at(int64_t dimension, int64_t c) { return (ec_class_start(dimension, c) + c) * EC_STRIP; }

EC_INLINE int64_t strip_floats(int64_t dimension) { return (dimension + EC_CLASSES) * EC_STRIP; }

/* Packs n <= EC_CLASSES dimensions of eight rows, of which there are n_rows; the others are 0. Whole lines of the rows
 * are read, since rows often lie so that only a few of their lines fit the first-level cache. */
EC_INLINE void pack_step(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, int64_t n, const int64_t *class_of,
                         float *out) {
    __m256 low[8], high[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        const uint8_t *row = rows + (i < n_rows ? i * stride_bytes : 0);
        low[i] = load_some_f32x8(row, i < n_rows ? n : 0);
        high[i] = load_some_f32x8(row + 32, i < n_rows ? n - 8 : 0);
    }
    ec_transpose_f32x8(low);
    ec_transpose_f32x8(high);
#pragma GCC unroll 16
    for (int c = 0; c < EC_CLASSES; c++) {
        if (n < EC_CLASSES && c >= n) break;
        _mm256_store_ps(out + class_of[c], c < 8 ? low[c] : high[c - 8]);
    }
}

static void dot_f32_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *panel) {
    const int64_t whole = dimension / EC_CLASSES * EC_CLASSES;
    int64_t class_of[EC_CLASSES];
    for (int c = 0; c < EC_CLASSES; c++) class_of[c] = class_at(dimension, c);
    float *strip = panel;
    for (int64_t r = 0; r < n_rows; r += EC_STRIP, strip += strip_floats(dimension))
        for (int64_t d = 0; d < dimension; d += EC_CLASSES)
            for (int half = 0; half < EC_STRIP; half += 8) {
                const uint8_t *row = (const uint8_t *)rows + (r + half) * stride_bytes + d * 4;
                float *out = strip + d / EC_CLASSES * EC_STRIP + half;
                const int64_t n = n_rows - r - half;
                if (n >= 8 && d < whole)
                    pack_step(row, stride_bytes, 8, EC_CLASSES, class_of, out);
                else
                    pack_step(n > 0 ? row : rows, stride_bytes, n, dimension - d, class_of, out);
            }
}

/* Named members rather than arrays, and loops written out: only so do compilers keep all partial sums in registers. */
typedef struct {
    __m256 v0, v1;
} vectors;

EC_INLINE vectors add_products(vectors partial, vectors rows, const uint8_t *value) {
    const __m256 value_f32x8 = _mm256_broadcast_ss((const float *)(const void *)value);
    partial.v0 = _mm256_fmadd_ps(value_f32x8, rows.v0, partial.v0);
    partial.v1 = _mm256_fmadd_ps(value_f32x8, rows.v1, partial.v1);
    return partial;
}

EC_INLINE void add_partial(float *total, vectors partial) {
    _mm256_storeu_ps(total, _mm256_add_ps(_mm256_loadu_ps(total), partial.v0));
    _mm256_storeu_ps(total + 8, _mm256_add_ps(_mm256_loadu_ps(total + 8), partial.v1));
}

/* Classes [c, end_class) of a strip's 16 rows for n_queries queries: adds their partial sums to the totals. `query` and
 * `panel` are at the first of these classes. */
EC_INLINE void block(const int n_queries, const uint8_t *query, int64_t query_stride, const float *panel,
                     int64_t dimension, int64_t c, int64_t end_class, float *totals, int64_t totals_stride) {
    const vectors zero = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (; c < end_class; c++) {
        const uint8_t *end = query + ec_class_size(dimension, c) * 4;
        vectors p0 = zero, p1 = zero, p2 = zero, p3 = zero, p4 = zero, p5 = zero;
        do { /* no class is empty here */
            const vectors rows = {_mm256_load_ps(panel), _mm256_load_ps(panel + 8)};
            p0 = add_products(p0, rows, query);
            if (n_queries > 1) p1 = add_products(p1, rows, query + query_stride);
            if (n_queries > 2) p2 = add_products(p2, rows, query + 2 * query_stride);
            if (n_queries > 3) p3 = add_products(p3, rows, query + 3 * query_stride);
            if (n_queries > 4) p4 = add_products(p4, rows, query + 4 * query_stride);
            if (n_queries > 5) p5 = add_products(p5, rows, query + 5 * query_stride);
            query += 4;
            panel += EC_STRIP;
        } while (query < end);
        panel += EC_STRIP; /* see class_at() */
        add_partial(totals, p0);
        if (n_queries > 1) add_partial(totals + totals_stride, p1);
        if (n_queries > 2) add_partial(totals + 2 * totals_stride, p2);
        if (n_queries > 3) add_partial(totals + 3 * totals_stride, p3);
        if (n_queries > 4) add_partial(totals + 4 * totals_stride, p4);
        if (n_queries > 5) add_partial(totals + 5 * totals_stride, p5);
    }
}

typedef void block_function(const uint8_t *query, int64_t query_stride, const float *panel, int64_t dimension,
                            int64_t c, int64_t end_class, float *totals, int64_t totals_stride);

#define BLOCK(Q)                                                                                             \
    static void block_##Q(const uint8_t *query, int64_t query_stride, const float *panel, int64_t dimension, \
                          int64_t c, int64_t end_class, float *totals, int64_t totals_stride) {              \
        block(Q, query, query_stride, panel, dimension, c, end_class, totals, totals_stride);                \
    }
BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
BLOCK(5)
BLOCK(6)
static block_function *const BLOCK_OF[TILE_QUERIES] = {block_1, block_2, block_3, block_4, block_5, block_6};

/* A piece of classes of one strip for one group of queries. The totals of a strip with less than 16 rows go by way of
 * the stack. */
static void strip_piece(const uint8_t *query, int64_t query_stride, int64_t n_queries, const float *panel,
                        int64_t dimension, int64_t c, int64_t end_class, float *scores, int64_t scores_stride,
                        int64_t n_rows) {
    float ragged[TILE_QUERIES * EC_STRIP];
    float *totals = n_rows < EC_STRIP ? ragged : scores;
    const int64_t totals_stride = n_rows < EC_STRIP ? EC_STRIP : scores_stride;
    for (int64_t q = 0; q < n_queries; q++) {
        if (c == 0)
            memset(totals + q * totals_stride, 0, EC_STRIP * 4);
        else if (n_rows < EC_STRIP)
            memcpy(ragged + q * EC_STRIP, scores + q * scores_stride, (size_t)n_rows * 4);
    }
    BLOCK_OF[n_queries - 1](query, query_stride, panel, dimension, c, end_class, totals, totals_stride);
    if (n_rows < EC_STRIP)
        for (int64_t q = 0; q < n_queries; q++)
            memcpy(scores + q * scores_stride, ragged + q * EC_STRIP, (size_t)n_rows * 4);
}

static void dot_f32_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel,
                         int64_t n_rows, int64_t dimension, float *scores, int64_t scores_stride, const void *ahead,
                         int64_t ahead_bytes) {
    const int64_t query_stride = ec_classed_query_bytes(dimension), n_classes = ec_min_i64(dimension, EC_CLASSES);
    const int64_t fit = PIECE_BYTES / (ec_class_size(dimension, 0) * EC_STRIP * 4), piece = fit < 1 ? 1 : fit;
    const uint8_t *queries = (const uint8_t *)prepared + first_query * query_stride;
    const int64_t n_pieces = (n_classes + piece - 1) / piece;
    ec_ahead soon =
        ec_ahead_of(ahead, ahead_bytes,
                    (n_rows + EC_STRIP - 1) / EC_STRIP * n_pieces * ((n_queries + TILE_QUERIES - 1) / TILE_QUERIES));
    for (int64_t r = 0; r < n_rows; r += EC_STRIP) {
        const float *strip = (const float *)panel + r / EC_STRIP * strip_floats(dimension);
        for (int64_t c = 0; c < n_classes; c += piece) {
            const int64_t start = ec_class_start(dimension, c);
            for (int64_t q = 0; q < n_queries; q += TILE_QUERIES) {
                ec_ahead_step(&soon);
                strip_piece(queries + q * query_stride + start * 4, query_stride,
                            ec_min_i64(n_queries - q, TILE_QUERIES), strip + class_at(dimension, c), dimension, c,
                            ec_min_i64(c + piece, n_classes), scores + q * scores_stride + r, scores_stride,
                            ec_min_i64(n_rows - r, EC_STRIP));
            }
        }
    }
}

EC_SLOTS(dot_f32, avx2) {
    table->dot_f32_pack = dot_f32_pack;
    table->dot_f32_prepare = dot_f32_prepare;
    table->dot_f32_tile = dot_f32_tile;
}

EC_TARGET_END
#endif
