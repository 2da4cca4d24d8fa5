/* float32 dots with vfmadd: a lane is a row, so that each lane adds its products in the order of the specification. */
#include "avx512.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* A prepared query: its values | gap. Queries whose size is a power of two then do not meet in the same cache sets. */
EC_INLINE int64_t prepared_stride(int64_t dimension) { return ec_round_up(4 * dimension, 64) + 64; }

static void dot_f32_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    for (int64_t q = 0; q < n_queries; q++)
        memcpy((uint8_t *)prepared + q * prepared_stride(dimension), (const uint8_t *)queries + q * dimension * 4,
               (size_t)dimension * 4);
}

static void dot_f32_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *panel) {
    ec_dot_pack_words_avx512(rows, stride_bytes, n_rows, dimension * 4, 0, panel);
}

EC_INLINE float load_f32(const uint8_t *p) {
    float x;
    memcpy(&x, p, 4);
    return x;
}

/* Named rather than arrays, and loops written out: compilers then keep all 24 sums in registers. */
typedef struct {
    __m512 v0, v1, v2, v3;
} vectors;

EC_INLINE vectors load_rows(const int n_vectors, const uint8_t *panel) {
    const float *at = (const float *)panel;
    vectors rows;
    rows.v0 = _mm512_load_ps(at);
    rows.v1 = _mm512_load_ps(at + (n_vectors > 1 ? 16 : 0));
    rows.v2 = _mm512_load_ps(at + (n_vectors > 2 ? 32 : 0));
    rows.v3 = _mm512_load_ps(at + (n_vectors > 3 ? 48 : 0));
    return rows;
}

EC_INLINE void add_products(const int n_vectors, vectors *sums, vectors rows, const uint8_t *value) {
    const __m512 value_f32x16 = _mm512_set1_ps(load_f32(value));
    sums->v0 = _mm512_fmadd_ps(value_f32x16, rows.v0, sums->v0);
    if (n_vectors > 1) sums->v1 = _mm512_fmadd_ps(value_f32x16, rows.v1, sums->v1);
    if (n_vectors > 2) sums->v2 = _mm512_fmadd_ps(value_f32x16, rows.v2, sums->v2);
    if (n_vectors > 3) sums->v3 = _mm512_fmadd_ps(value_f32x16, rows.v3, sums->v3);
}

EC_INLINE void put(float *scores, __mmask16 lanes, int first, __m512 chunk_f32x16) {
    if (!first) chunk_f32x16 = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, scores), chunk_f32x16);
    _mm512_mask_storeu_ps(scores, lanes, chunk_f32x16);
}

EC_INLINE void put_sums(const int n_vectors, float *scores, __mmask16 last_lanes, int first, vectors chunk) {
    put(scores, n_vectors == 1 ? last_lanes : 0xffff, first, chunk.v0);
    if (n_vectors > 1) put(scores + 16, n_vectors == 2 ? last_lanes : 0xffff, first, chunk.v1);
    if (n_vectors > 2) put(scores + 32, n_vectors == 3 ? last_lanes : 0xffff, first, chunk.v2);
    if (n_vectors > 3) put(scores + 48, last_lanes, first, chunk.v3);
}

/* Add one chunk of n_vectors x 16 rows and n_queries queries to the scores, or set them when `first`. */
EC_INLINE void block(const int n_vectors, const int n_queries, const uint8_t *query, int64_t query_stride,
                     const uint8_t *panel, int64_t chunk, int first, float *scores, int64_t scores_stride,
                     __mmask16 last_lanes) {
    const __m512 zero = _mm512_setzero_ps();
    vectors q0 = {zero, zero, zero, zero}, q1 = q0, q2 = q0, q3 = q0, q4 = q0, q5 = q0;
    const uint8_t *end = query + chunk * 4;
    do { /* chunk >= 1 */
        const vectors rows = load_rows(n_vectors, panel);
        add_products(n_vectors, &q0, rows, query);
        if (n_queries > 1) add_products(n_vectors, &q1, rows, query + query_stride);
        if (n_queries > 2) add_products(n_vectors, &q2, rows, query + 2 * query_stride);
        if (n_queries > 3) add_products(n_vectors, &q3, rows, query + 3 * query_stride);
        if (n_queries > 4) add_products(n_vectors, &q4, rows, query + 4 * query_stride);
        if (n_queries > 5) add_products(n_vectors, &q5, rows, query + 5 * query_stride);
        query += 4;
        panel += n_vectors * 64;
    } while (query < end);
    put_sums(n_vectors, scores, last_lanes, first, q0);
    if (n_queries > 1) put_sums(n_vectors, scores + scores_stride, last_lanes, first, q1);
    if (n_queries > 2) put_sums(n_vectors, scores + 2 * scores_stride, last_lanes, first, q2);
    if (n_queries > 3) put_sums(n_vectors, scores + 3 * scores_stride, last_lanes, first, q3);
    if (n_queries > 4) put_sums(n_vectors, scores + 4 * scores_stride, last_lanes, first, q4);
    if (n_queries > 5) put_sums(n_vectors, scores + 5 * scores_stride, last_lanes, first, q5);
}

typedef void block_function(const uint8_t *query, int64_t query_stride, const uint8_t *panel, int64_t chunk, int first,
                            float *scores, int64_t scores_stride, __mmask16 last_lanes);

#define BLOCK(V, Q)                                                                                                    \
    static void block_##V##x##Q(const uint8_t *query, int64_t query_stride, const uint8_t *panel, int64_t chunk,       \
                                int first, float *scores, int64_t scores_stride, __mmask16 last_lanes) {               \
        block(V, Q, query, query_stride, panel, chunk, first, scores, scores_stride, last_lanes);                      \
    }
#define BLOCKS(V) BLOCK(V, 1) BLOCK(V, 2) BLOCK(V, 3) BLOCK(V, 4) BLOCK(V, 5) BLOCK(V, 6)
BLOCKS(1)
BLOCKS(2)
BLOCKS(3)
BLOCKS(4)

#define ROW(V) {block_##V##x1, block_##V##x2, block_##V##x3, block_##V##x4, block_##V##x5, block_##V##x6}
static block_function *const BLOCK_OF[EC_STRIP_VECTORS][EC_TILE_QUERIES] = {ROW(1), ROW(2), ROW(3), ROW(4)};

/* Strip by strip, and chunk by chunk of its dimensions (which then stays in the first-level cache), all queries. */
static void dot_f32_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel,
                         int64_t n_rows, int64_t dimension, float *scores, int64_t scores_stride, const void *ahead,
                         int64_t ahead_bytes) {
    const int64_t query_stride = prepared_stride(dimension);
    const int64_t n_calls = ((n_rows + EC_STRIP_ROWS - 1) / EC_STRIP_ROWS) *
                            ((dimension + EC_DOT_F32_CHUNK - 1) / EC_DOT_F32_CHUNK) *
                            ((n_queries + EC_TILE_QUERIES - 1) / EC_TILE_QUERIES);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * query_stride, *strip = panel;
    ec_ahead hint = ec_ahead_of(ahead, ahead_bytes, n_calls + 1);
    for (int64_t r = 0; r < n_rows; r += EC_STRIP_ROWS) {
        const int n_vectors = ec_strip_vectors(n_rows, r);
        const __mmask16 last_lanes = ec_lanes_below(n_rows - r - (n_vectors - 1) * EC_LANES);
        for (int64_t d = 0; d < dimension; d += EC_DOT_F32_CHUNK) {
            for (int64_t q = 0; q < n_queries; q += EC_TILE_QUERIES) {
                const int64_t n = ec_min_i64(n_queries - q, EC_TILE_QUERIES);
                BLOCK_OF[n_vectors - 1][n - 1](queries + q * query_stride + d * 4, query_stride,
                                               strip + d * n_vectors * 64, ec_min_i64(EC_DOT_F32_CHUNK, dimension - d),
                                               d == 0, scores + q * scores_stride + r, scores_stride, last_lanes);
                ec_ahead_step(&hint);
            }
        }
        strip += dimension * n_vectors * 64;
    }
}

/* ---- one query, plain rows ---- */

enum { GROUPS = 2 }; /* vectors of rows at a time: two chains of additions hide each other's latency */

/* Add up to 16 dimensions of 16 rows, transposed on the way so that a lane is a row. */
EC_INLINE __m512 add_square(__m512 chunk_f32x16, const uint8_t *const rows[16], const uint8_t *query, int64_t offset,
                            int64_t n) {
    __m512i words_u32x16[16];
    if (n >= 16) {
#pragma GCC unroll 16
        for (int r = 0; r < 16; r++) words_u32x16[r] = _mm512_loadu_si512(rows[r] + offset);
        ec_transpose_u32x16(words_u32x16);
#pragma GCC unroll 16
        for (int d = 0; d < 16; d++)
            chunk_f32x16 = _mm512_fmadd_ps(_mm512_set1_ps(load_f32(query + offset + d * 4)),
                                           _mm512_castsi512_ps(words_u32x16[d]), chunk_f32x16);
    } else {
        for (int r = 0; r < 16; r++)
            words_u32x16[r] = _mm512_maskz_loadu_epi32(ec_lanes_below(n), rows[r] + offset);
        ec_transpose_u32x16(words_u32x16);
        for (int64_t d = 0; d < n; d++)
            chunk_f32x16 = _mm512_fmadd_ps(_mm512_set1_ps(load_f32(query + offset + d * 4)),
                                           _mm512_castsi512_ps(words_u32x16[d]), chunk_f32x16);
    }
    return chunk_f32x16;
}

/* Scores of n_groups x 16 rows, of which n_rows exist: the lanes past them repeat the last row and are not stored. */
EC_INLINE void score_groups(const int n_groups, const uint8_t *query, const uint8_t *rows, int64_t stride_bytes,
                            int64_t n_rows, int64_t dimension, const char *ahead, float *scores) {
    const uint8_t *row[GROUPS * 16];
    for (int64_t r = 0; r < n_groups * 16; r++) row[r] = rows + (r < n_rows ? r : n_rows - 1) * stride_bytes;
    __m512 a_f32x16 = _mm512_setzero_ps(), b_f32x16 = a_f32x16;
    for (int64_t start = 0; start < dimension; start += EC_DOT_F32_CHUNK) {
        const int64_t end = ec_min_i64(start + EC_DOT_F32_CHUNK, dimension);
        __m512 a_chunk_f32x16 = _mm512_setzero_ps(), b_chunk_f32x16 = a_chunk_f32x16;
        for (int64_t d = start; d < end; d += 16) {
            a_chunk_f32x16 = add_square(a_chunk_f32x16, row, query, d * 4, end - d);
            if (n_groups > 1) b_chunk_f32x16 = add_square(b_chunk_f32x16, row + 16, query, d * 4, end - d);
            if (ahead)
                for (int i = 0; i < n_groups * 16; i++, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
        }
        a_f32x16 = start == 0 ? a_chunk_f32x16 : _mm512_add_ps(a_f32x16, a_chunk_f32x16);
        b_f32x16 = start == 0 ? b_chunk_f32x16 : _mm512_add_ps(b_f32x16, b_chunk_f32x16);
    }
    _mm512_mask_storeu_ps(scores, ec_lanes_below(n_rows), a_f32x16);
    if (n_groups > 1 && n_rows > 16) _mm512_mask_storeu_ps(scores + 16, ec_lanes_below(n_rows - 16), b_f32x16);
}

static void dot_f32_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                         float *scores) {
    for (int64_t r = 0; r < n_rows; r += GROUPS * 16) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        const int64_t n = ec_min_i64(n_rows - r, GROUPS * 16);
        const char *ahead = n_rows - r >= 2 * GROUPS * 16 && stride_bytes == dimension * 4
                                ? (const char *)row + GROUPS * 16 * stride_bytes
                                : NULL;
        if (n > 16)
            score_groups(2, query, row, stride_bytes, n, dimension, ahead, scores + r);
        else
            score_groups(1, query, row, stride_bytes, n, dimension, NULL, scores + r);
    }
}

void ec_dot_f32_install_avx512(ec_kernels *table) {
    table->dot_f32_pack = dot_f32_pack;
    table->dot_f32_prepare = dot_f32_prepare;
    table->dot_f32_tile = dot_f32_tile;
    table->dot_f32_rows = dot_f32_rows;
}

EC_TARGET_END
#endif
