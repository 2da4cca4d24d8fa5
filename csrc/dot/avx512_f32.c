/* Tiles of float32 dots: a lane is a row, and the dimensions come class by class, so that each partial sum takes its
 * products in the order of the specification. */
#include "avx512_panels.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum {
    STRIP_VECTORS = 2,
    STRIP_ROWS = STRIP_VECTORS * EC_LANES,
    TILE_QUERIES = 6, /* 2 x 6 partial sums, as many totals, 2 vectors of rows, 1 of a query: 27 of 32 registers */
    PIECE_BYTES = 36 << 10, /* bytes of a strip that all queries meet in turn: in the 48 KB of the first-level cache */
};

/* A prepared query: its values class by class | a gap, so that queries of a power of two bytes do not meet in the same
 * cache sets. */
EC_INLINE int64_t prepared_stride(int64_t dimension) { return ec_round_up(4 * dimension, 64) + 64; }

static void dot_f32_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    const uint8_t *query = queries;
    for (int64_t q = 0; q < n_queries; q++, query += dimension * 4) {
        uint8_t *out = (uint8_t *)prepared + q * prepared_stride(dimension);
        for (int64_t c = 0; c < EC_CLASSES; c++)
            for (int64_t d = c; d < dimension; d += EC_CLASSES, out += 4) memcpy(out, query + d * 4, 4);
    }
}

static void dot_f32_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *panel) {
    ec_word_order by_class = {.step = 1};
    for (int c = 0; c < EC_CLASSES; c++) by_class.start[c] = ec_class_start(dimension, c);
    ec_dot_pack_words_avx512(rows, stride_bytes, n_rows, dimension * 4, 0, STRIP_VECTORS, &by_class, panel);
}

EC_INLINE float load_f32(const uint8_t *p) {
    float x;
    memcpy(&x, p, 4);
    return x;
}

/* Named members rather than arrays, and loops written out: only so do compilers keep all sums in registers. */
typedef struct {
    __m512 v0, v1;
} vectors;

EC_INLINE void add_products(const int n_vectors, vectors *partial, vectors rows, const uint8_t *value) {
    const __m512 value_f32x16 = _mm512_set1_ps(load_f32(value));
    partial->v0 = _mm512_fmadd_ps(value_f32x16, rows.v0, partial->v0);
    if (n_vectors > 1) partial->v1 = _mm512_fmadd_ps(value_f32x16, rows.v1, partial->v1);
}

EC_INLINE void add_partial(const int n_vectors, vectors *total, vectors partial) {
    total->v0 = _mm512_add_ps(total->v0, partial.v0);
    if (n_vectors > 1) total->v1 = _mm512_add_ps(total->v1, partial.v1);
}

EC_INLINE vectors get_total(const int n_vectors, const float *scores, __mmask16 last_lanes, int first) {
    vectors total = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    if (!first) {
        total.v0 = _mm512_maskz_loadu_ps(n_vectors == 1 ? last_lanes : 0xffff, scores);
        if (n_vectors > 1) total.v1 = _mm512_maskz_loadu_ps(last_lanes, scores + 16);
    }
    return total;
}

EC_INLINE void put_total(const int n_vectors, float *scores, __mmask16 last_lanes, vectors total) {
    _mm512_mask_storeu_ps(scores, n_vectors == 1 ? last_lanes : 0xffff, total.v0);
    if (n_vectors > 1) _mm512_mask_storeu_ps(scores + 16, last_lanes, total.v1);
}

/* Classes [c, end_class) of n_vectors x 16 rows for n_queries queries: adds their partial sums to the scores, or sets
 * the scores if c is 0. `query` and `panel` are at the first of these classes. */
EC_INLINE void block(const int n_vectors, const int n_queries, const uint8_t *query, int64_t query_stride,
                     const uint8_t *panel, int64_t dimension, int64_t c, int64_t end_class, float *scores,
                     int64_t scores_stride, __mmask16 last_lanes) {
    const vectors zero = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    vectors t0 = get_total(n_vectors, scores, last_lanes, c == 0), t1 = zero, t2 = zero, t3 = zero, t4 = zero,
            t5 = zero;
    if (n_queries > 1) t1 = get_total(n_vectors, scores + scores_stride, last_lanes, c == 0);
    if (n_queries > 2) t2 = get_total(n_vectors, scores + 2 * scores_stride, last_lanes, c == 0);
    if (n_queries > 3) t3 = get_total(n_vectors, scores + 3 * scores_stride, last_lanes, c == 0);
    if (n_queries > 4) t4 = get_total(n_vectors, scores + 4 * scores_stride, last_lanes, c == 0);
    if (n_queries > 5) t5 = get_total(n_vectors, scores + 5 * scores_stride, last_lanes, c == 0);
    for (; c < end_class; c++) {
        const uint8_t *end = query + ec_class_size(dimension, c) * 4;
        vectors p0 = zero, p1 = zero, p2 = zero, p3 = zero, p4 = zero, p5 = zero;
        do { /* no class is empty here */
            const float *at = (const float *)panel;
            const vectors rows = {_mm512_load_ps(at), _mm512_load_ps(at + (n_vectors > 1 ? 16 : 0))};
            add_products(n_vectors, &p0, rows, query);
            if (n_queries > 1) add_products(n_vectors, &p1, rows, query + query_stride);
            if (n_queries > 2) add_products(n_vectors, &p2, rows, query + 2 * query_stride);
            if (n_queries > 3) add_products(n_vectors, &p3, rows, query + 3 * query_stride);
            if (n_queries > 4) add_products(n_vectors, &p4, rows, query + 4 * query_stride);
            if (n_queries > 5) add_products(n_vectors, &p5, rows, query + 5 * query_stride);
            query += 4;
            panel += n_vectors * 64;
        } while (query < end);
        add_partial(n_vectors, &t0, p0);
        if (n_queries > 1) add_partial(n_vectors, &t1, p1);
        if (n_queries > 2) add_partial(n_vectors, &t2, p2);
        if (n_queries > 3) add_partial(n_vectors, &t3, p3);
        if (n_queries > 4) add_partial(n_vectors, &t4, p4);
        if (n_queries > 5) add_partial(n_vectors, &t5, p5);
    }
    put_total(n_vectors, scores, last_lanes, t0);
    if (n_queries > 1) put_total(n_vectors, scores + scores_stride, last_lanes, t1);
    if (n_queries > 2) put_total(n_vectors, scores + 2 * scores_stride, last_lanes, t2);
    if (n_queries > 3) put_total(n_vectors, scores + 3 * scores_stride, last_lanes, t3);
    if (n_queries > 4) put_total(n_vectors, scores + 4 * scores_stride, last_lanes, t4);
    if (n_queries > 5) put_total(n_vectors, scores + 5 * scores_stride, last_lanes, t5);
}

typedef void block_function(const uint8_t *query, int64_t query_stride, const uint8_t *panel, int64_t dimension,
                            int64_t c, int64_t end_class, float *scores, int64_t scores_stride, __mmask16 last_lanes);

#define BLOCK(V, Q)                                                                                                  \
    static void block_##V##x##Q(const uint8_t *query, int64_t query_stride, const uint8_t *panel, int64_t dimension, \
                                int64_t c, int64_t end_class, float *scores, int64_t scores_stride,                  \
                                __mmask16 last_lanes) {                                                              \
        block(V, Q, query, query_stride, panel, dimension, c, end_class, scores, scores_stride, last_lanes);         \
    }
#define BLOCKS(V) BLOCK(V, 1) BLOCK(V, 2) BLOCK(V, 3) BLOCK(V, 4) BLOCK(V, 5) BLOCK(V, 6)
BLOCKS(1)
BLOCKS(2)

#define ROW(V) {block_##V##x1, block_##V##x2, block_##V##x3, block_##V##x4, block_##V##x5, block_##V##x6}
static block_function *const BLOCK_OF[STRIP_VECTORS][TILE_QUERIES] = {ROW(1), ROW(2)};

/* Strip by strip, and piece by piece of its classes, which then stay in the first-level cache, for all queries. */
static void dot_f32_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel,
                         int64_t n_rows, int64_t dimension, float *scores, int64_t scores_stride, const void *ahead,
                         int64_t ahead_bytes) {
    const int64_t query_stride = prepared_stride(dimension), n_classes = ec_min_i64(dimension, EC_CLASSES);
    const int64_t class_bytes = ec_class_size(dimension, 0) * STRIP_ROWS * 4;
    const int64_t piece = class_bytes * n_classes <= PIECE_BYTES ? n_classes
                          : class_bytes * 2 > PIECE_BYTES        ? 1
                                                                 : PIECE_BYTES / class_bytes;
    const int64_t n_calls = ((n_rows + STRIP_ROWS - 1) / STRIP_ROWS) * ((n_classes + piece - 1) / piece) *
                            ((n_queries + TILE_QUERIES - 1) / TILE_QUERIES);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * query_stride, *strip = panel;
    ec_ahead hint = ec_ahead_of(ahead, ahead_bytes, n_calls);
    for (int64_t r = 0; r < n_rows; r += STRIP_ROWS) {
        const int n_vectors = ec_strip_vectors(n_rows, r, STRIP_VECTORS);
        const __mmask16 last_lanes = ec_lanes_below(n_rows - r - (n_vectors - 1) * EC_LANES);
        for (int64_t c = 0; c < n_classes; c += piece) {
            const int64_t start = ec_class_start(dimension, c);
            for (int64_t q = 0; q < n_queries; q += TILE_QUERIES) {
                const int64_t n = ec_min_i64(n_queries - q, TILE_QUERIES);
                BLOCK_OF[n_vectors - 1][n - 1](
                    queries + q * query_stride + start * 4, query_stride, strip + start * n_vectors * 64, dimension, c,
                    ec_min_i64(c + piece, n_classes), scores + q * scores_stride + r, scores_stride, last_lanes);
                ec_ahead_step(&hint);
            }
        }
        strip += dimension * n_vectors * 64;
    }
}

EC_SLOTS(dot_f32, avx512) {
    table->dot_f32_pack = dot_f32_pack;
    table->dot_f32_prepare = dot_f32_prepare;
    table->dot_f32_tile = dot_f32_tile;
}

EC_TARGET_END
#endif
