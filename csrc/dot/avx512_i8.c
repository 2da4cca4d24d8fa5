/* Tiles of int8 dots with vpdpbusd, which adds four products of bytes to each 32-bit lane without saturation.
 *
 * The instruction multiplies unsigned by signed bytes. So rows are stored as v + 128 (their sign bit flipped), and each
 * query has a correction of -128 times its own sum: sum q (v + 128) - 128 sum q = sum q v. Intermediate sums may wrap
 * around; since the exact result fits int32, the final sum is exact. */
#include "avx512_panels.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum {
    SIGN = 0x80,
    STRIP_VECTORS = 4,
    STRIP_ROWS = STRIP_VECTORS * EC_LANES,
    TILE_QUERIES = 6, /* 4 x 6 sums, 4 vectors of rows, 1 of a query: 29 of 32 registers */
    QUERY_HEAD = 4,   /* bytes of the correction, before the codes of a prepared query */
    CHUNK_WORDS = 144 /* words that all queries meet in turn: 36 KB of a strip, in the first-level cache */
};

/* A prepared query: correction (int32) | codes | zeros up to a whole word | a gap. The codes are aligned to words, and
 * the head keeps queries of a power of two bytes from meeting in the same cache sets. */
EC_INLINE int64_t prepared_stride(int64_t dimension) { return ec_round_up(QUERY_HEAD + dimension, 64); }

static void dot_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    const uint8_t *query = queries;
    uint8_t *out = prepared;
    const __m512i ones_u8x64 = _mm512_set1_epi8(1);
    for (int64_t q = 0; q < n_queries; q++, query += dimension, out += prepared_stride(dimension)) {
        __m512i sums_i32x16 = _mm512_setzero_si512();
        for (int64_t d = 0; d < dimension; d += 64) {
            __mmask64 valid = ec_bytes_below(dimension - d);
            __m512i codes_i8x64 = _mm512_maskz_loadu_epi8(valid, query + d);
            sums_i32x16 = _mm512_dpbusd_epi32(sums_i32x16, ones_u8x64, codes_i8x64);
            _mm512_mask_storeu_epi8(out + QUERY_HEAD + d, ec_bytes_below(ec_round_up(dimension - d, 4)), codes_i8x64);
        }
        int32_t correction = -128 * _mm512_reduce_add_epi32(sums_i32x16);
        memcpy(out, &correction, 4);
    }
}

static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    static const ec_word_order ascending = {.start = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                            .step = 16};
    ec_dot_pack_words_avx512(rows, stride_bytes, n_rows, dimension, flip ^ SIGN, STRIP_VECTORS, &ascending, panel);
}

/* Named members rather than arrays, and loops written out: only so do compilers keep all 24 sums in registers. */
typedef struct {
    __m512i v0, v1, v2, v3;
} vectors;

EC_INLINE vectors load_rows(const int n_vectors, const uint8_t *panel) {
    const __m512i *at = (const __m512i *)panel;
    vectors rows;
    rows.v0 = at[0];
    rows.v1 = at[n_vectors > 1 ? 1 : 0];
    rows.v2 = at[n_vectors > 2 ? 2 : 0];
    rows.v3 = at[n_vectors > 3 ? 3 : 0];
    return rows;
}

EC_INLINE void add_products(const int n_vectors, vectors *sums, vectors rows, const uint8_t *codes) {
    const __m512i codes_i8x64 = _mm512_set1_epi32((int32_t)ec_load_u32(codes));
    ec_add_dots_of_4(&sums->v0, rows.v0, codes_i8x64);
    if (n_vectors > 1) ec_add_dots_of_4(&sums->v1, rows.v1, codes_i8x64);
    if (n_vectors > 2) ec_add_dots_of_4(&sums->v2, rows.v2, codes_i8x64);
    if (n_vectors > 3) ec_add_dots_of_4(&sums->v3, rows.v3, codes_i8x64);
}

/* Adds sixteen sums to the scores, or sets the scores to the sums and the correction if `first`. */
EC_INLINE void put(int32_t *scores, __mmask16 lanes, int32_t correction, int first, __m512i sums_i32x16) {
    __m512i before_i32x16 = first ? _mm512_set1_epi32(correction) : _mm512_maskz_loadu_epi32(lanes, scores);
    _mm512_mask_storeu_epi32(scores, lanes, _mm512_add_epi32(before_i32x16, sums_i32x16));
}

EC_INLINE void put_sums(const int n_vectors, int32_t *scores, __mmask16 last_lanes, const uint8_t *query, int first,
                        vectors sums) {
    int32_t correction;
    memcpy(&correction, query, 4);
    put(scores, n_vectors == 1 ? last_lanes : 0xffff, correction, first, sums.v0);
    if (n_vectors > 1) put(scores + 16, n_vectors == 2 ? last_lanes : 0xffff, correction, first, sums.v1);
    if (n_vectors > 2) put(scores + 32, n_vectors == 3 ? last_lanes : 0xffff, correction, first, sums.v2);
    if (n_vectors > 3) put(scores + 48, last_lanes, correction, first, sums.v3);
}

/* n_words words of n_vectors x 16 rows for n_queries queries: adds their dots to the scores, or sets the scores if
 * `first`. */
EC_INLINE void block(const int n_vectors, const int n_queries, const uint8_t *query, int64_t query_stride,
                     const uint8_t *codes, const uint8_t *panel, int64_t n_words, int first, int32_t *scores,
                     int64_t scores_stride, __mmask16 last_lanes) {
    const __m512i zero = _mm512_setzero_si512();
    vectors q0 = {zero, zero, zero, zero}, q1 = q0, q2 = q0, q3 = q0, q4 = q0, q5 = q0;
    const uint8_t *end = codes + n_words * 4;
    do {
        const vectors rows = load_rows(n_vectors, panel);
        add_products(n_vectors, &q0, rows, codes);
        if (n_queries > 1) add_products(n_vectors, &q1, rows, codes + query_stride);
        if (n_queries > 2) add_products(n_vectors, &q2, rows, codes + 2 * query_stride);
        if (n_queries > 3) add_products(n_vectors, &q3, rows, codes + 3 * query_stride);
        if (n_queries > 4) add_products(n_vectors, &q4, rows, codes + 4 * query_stride);
        if (n_queries > 5) add_products(n_vectors, &q5, rows, codes + 5 * query_stride);
        codes += 4;
        panel += n_vectors * 64;
    } while (codes < end); /* n_words >= 1 */
    put_sums(n_vectors, scores, last_lanes, query, first, q0);
#define PUT(n)         \
    if (n_queries > n) \
    put_sums(n_vectors, scores + n * scores_stride, last_lanes, query + n * query_stride, first, q##n)
    PUT(1);
    PUT(2);
    PUT(3);
    PUT(4);
    PUT(5);
#undef PUT
}

typedef void block_function(const uint8_t *query, int64_t query_stride, const uint8_t *codes, const uint8_t *panel,
                            int64_t n_words, int first, int32_t *scores, int64_t scores_stride, __mmask16 last_lanes);

#define BLOCK(V, Q)                                                                                        \
    static void block_##V##x##Q(const uint8_t *query, int64_t query_stride, const uint8_t *codes,          \
                                const uint8_t *panel, int64_t n_words, int first, int32_t *scores,         \
                                int64_t scores_stride, __mmask16 last_lanes) {                             \
        block(V, Q, query, query_stride, codes, panel, n_words, first, scores, scores_stride, last_lanes); \
    }
#define BLOCKS(V) BLOCK(V, 1) BLOCK(V, 2) BLOCK(V, 3) BLOCK(V, 4) BLOCK(V, 5) BLOCK(V, 6)
BLOCKS(1)
BLOCKS(2)
BLOCKS(3)
BLOCKS(4)

#define ROW(V) {block_##V##x1, block_##V##x2, block_##V##x3, block_##V##x4, block_##V##x5, block_##V##x6}
static block_function *const BLOCK_OF[STRIP_VECTORS][TILE_QUERIES] = {ROW(1), ROW(2), ROW(3), ROW(4)};

/* Strip by strip, and chunk by chunk of its words, which then stay in the first-level cache, for all queries. */
static void dot_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes) {
    const int64_t n_words = (dimension + 3) / 4, query_stride = prepared_stride(dimension);
    const int64_t n_chunks = (n_words + CHUNK_WORDS - 1) / CHUNK_WORDS, chunk = (n_words + n_chunks - 1) / n_chunks;
    const int64_t n_groups = (n_queries + TILE_QUERIES - 1) / TILE_QUERIES;
    const uint8_t *queries = (const uint8_t *)prepared + first_query * query_stride, *strip = panel;
    const int64_t n_calls = (n_rows + STRIP_ROWS - 1) / STRIP_ROWS * n_chunks * n_groups;
    ec_ahead hint = ec_ahead_of(ahead, ahead_bytes, n_calls);
    for (int64_t r = 0; r < n_rows; r += STRIP_ROWS) {
        const int n_vectors = ec_strip_vectors(n_rows, r, STRIP_VECTORS);
        const __mmask16 last_lanes = ec_lanes_below(n_rows - r - (n_vectors - 1) * EC_LANES);
        for (int64_t w = 0; w < n_words; w += chunk) {
            for (int64_t q = 0; q < n_queries; q += TILE_QUERIES) {
                const uint8_t *query = queries + q * query_stride;
                const int64_t n = ec_min_i64(n_queries - q, TILE_QUERIES);
                BLOCK_OF[n_vectors - 1][n - 1](query, query_stride, query + QUERY_HEAD + w * 4,
                                               strip + w * n_vectors * 64, ec_min_i64(chunk, n_words - w), w == 0,
                                               scores + q * scores_stride + r, scores_stride, last_lanes);
                ec_ahead_step(&hint);
            }
        }
        strip += n_words * n_vectors * 64;
    }
}

EC_SLOTS(dot_i8, avx512) {
    table->rough_queries = 0; /* the dots themselves are as fast */
    table->dot_i8_pack = dot_i8_pack;
    table->dot_i8_prepare = dot_i8_prepare;
    table->dot_i8_tile = dot_i8_tile;
}

EC_TARGET_END
#endif
