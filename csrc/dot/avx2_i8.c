/* int8 dots with AVX2: vpmaddwd multiplies codes widened to int16 and adds pairs of products in 32 bits. (vpmaddubsw
 * takes bytes, but its sums saturate at int16: two products of 255 * 128 are twice that.) */
#include "avx2_verbs.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    TILE_QUERIES = 4,  /* 2 x 4 sums, 2 vectors of rows, 1 of a query, 1 of products: 12 of 16 registers */
    CHUNK_PAIRS = 512, /* pairs that all queries meet in turn: 16 KB of a strip, in the first-level cache */
    PAIR_BYTES = 2 * EC_STRIP
};

static void dot_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    ec_widen_queries(queries, n_queries, dimension, prepared);
}

/* The 8 x 8 transpose of pairs of codes, in place: of eight rows of 16 codes it makes eight vectors, of which vector i
 * holds the codes 2 i and 2 i + 1 of each row. */
EC_INLINE void transpose_u16x8(__m128i v[8]) {
    __m128i s[8], t[8];
    for (int i = 0; i < 4; i++) {
        s[2 * i] = _mm_unpacklo_epi16(v[2 * i], v[2 * i + 1]);
        s[2 * i + 1] = _mm_unpackhi_epi16(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++)
        for (int h = 0; h < 2; h++) {
            t[4 * i + 2 * h] = _mm_unpacklo_epi32(s[4 * i + h], s[4 * i + 2 + h]);
            t[4 * i + 2 * h + 1] = _mm_unpackhi_epi32(s[4 * i + h], s[4 * i + 2 + h]);
        }
    for (int i = 0; i < 4; i++) {
        v[2 * i] = _mm_unpacklo_epi64(t[i], t[4 + i]);
        v[2 * i + 1] = _mm_unpackhi_epi64(t[i], t[4 + i]);
    }
}

static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    const __m128i flip_u8x16 = _mm_set1_epi8((char)flip);
    uint8_t *out = panel;
    for (int64_t first = 0; first < n_rows; first += EC_STRIP) {
        for (int64_t d = 0; d < dimension; d += 16) {
            const int64_t n_pairs = ec_min_i64((dimension - d + 1) / 2, 8);
            for (int half = 0; half < 2; half++) {
                __m128i codes[8];
                for (int i = 0; i < 8; i++) {
                    const int64_t r = first + half * 8 + i;
                    codes[i] = r < n_rows
                                   ? _mm_xor_si128(flip_u8x16,
                                                   load_16((const uint8_t *)rows + r * stride_bytes + d, dimension - d))
                                   : _mm_setzero_si128();
                }
                transpose_u16x8(codes);
                for (int64_t p = 0; p < n_pairs; p++)
                    _mm_store_si128((__m128i *)(out + p * PAIR_BYTES + half * 16), codes[p]);
            }
            out += n_pairs * PAIR_BYTES;
        }
    }
}

/* Named members rather than arrays, and loops written out: only so do compilers keep all sums in registers. */
typedef struct {
    __m256i v0, v1;
} vectors;

EC_INLINE vectors add_products(vectors sums, vectors rows_i16x16, const uint8_t *pair) {
    const __m256i pair_i16x16 = _mm256_set1_epi32((int32_t)ec_load_u32(pair));
    sums.v0 = _mm256_add_epi32(sums.v0, _mm256_madd_epi16(rows_i16x16.v0, pair_i16x16));
    sums.v1 = _mm256_add_epi32(sums.v1, _mm256_madd_epi16(rows_i16x16.v1, pair_i16x16));
    return sums;
}

/* Adds a strip's sums to the scores of one query, or sets the scores if `first`. */
EC_INLINE void put(int32_t *scores, int64_t n_rows, int first, vectors sums) {
    int32_t lanes[EC_STRIP];
    int32_t *at = n_rows < EC_STRIP ? lanes : scores;
    if (n_rows < EC_STRIP && !first) memcpy(lanes, scores, (size_t)n_rows * 4);
    if (!first) {
        sums.v0 = _mm256_add_epi32(sums.v0, _mm256_loadu_si256((const __m256i *)at));
        sums.v1 = _mm256_add_epi32(sums.v1, _mm256_loadu_si256((const __m256i *)(at + 8)));
    }
    _mm256_storeu_si256((__m256i *)at, sums.v0);
    _mm256_storeu_si256((__m256i *)(at + 8), sums.v1);
    if (n_rows < EC_STRIP) memcpy(scores, lanes, (size_t)n_rows * 4);
}

/* n_pairs pairs of a strip's 16 rows for n_queries queries: adds their dots to the scores, or sets the scores if
 * `first`. */
EC_INLINE void block(const int n_queries, const uint8_t *query, int64_t query_stride, const uint8_t *panel,
                     int64_t n_pairs, int first, int32_t *scores, int64_t scores_stride, int64_t n_rows) {
    const vectors zero = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    vectors q0 = zero, q1 = zero, q2 = zero, q3 = zero;
    const uint8_t *end = query + n_pairs * 4;
    do { /* n_pairs >= 1 */
        const vectors rows = {_mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)panel)),
                              _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(panel + 16)))};
        q0 = add_products(q0, rows, query);
        if (n_queries > 1) q1 = add_products(q1, rows, query + query_stride);
        if (n_queries > 2) q2 = add_products(q2, rows, query + 2 * query_stride);
        if (n_queries > 3) q3 = add_products(q3, rows, query + 3 * query_stride);
        query += 4;
        panel += PAIR_BYTES;
    } while (query < end);
    put(scores, n_rows, first, q0);
    if (n_queries > 1) put(scores + scores_stride, n_rows, first, q1);
    if (n_queries > 2) put(scores + 2 * scores_stride, n_rows, first, q2);
    if (n_queries > 3) put(scores + 3 * scores_stride, n_rows, first, q3);
}

typedef void block_function(const uint8_t *query, int64_t query_stride, const uint8_t *panel, int64_t n_pairs,
                            int first, int32_t *scores, int64_t scores_stride, int64_t n_rows);

#define BLOCK(Q)                                                                                             \
    static void block_##Q(const uint8_t *query, int64_t query_stride, const uint8_t *panel, int64_t n_pairs, \
                          int first, int32_t *scores, int64_t scores_stride, int64_t n_rows) {               \
        block(Q, query, query_stride, panel, n_pairs, first, scores, scores_stride, n_rows);                 \
    }
BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
static block_function *const BLOCK_OF[TILE_QUERIES] = {block_1, block_2, block_3, block_4};

static void dot_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes) {
    const int64_t n_pairs = (dimension + 1) / 2, query_stride = ec_wide_query_bytes(dimension);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * query_stride;
    ask_for(ahead, ahead_bytes);
    for (int64_t r = 0; r < n_rows; r += EC_STRIP) {
        const uint8_t *strip = (const uint8_t *)panel + r * n_pairs * 2;
        for (int64_t p = 0; p < n_pairs; p += CHUNK_PAIRS)
            for (int64_t q = 0; q < n_queries; q += TILE_QUERIES)
                BLOCK_OF[ec_min_i64(n_queries - q, TILE_QUERIES) - 1](
                    queries + q * query_stride + p * 4, query_stride, strip + p * PAIR_BYTES,
                    ec_min_i64(n_pairs - p, CHUNK_PAIRS), p == 0, scores + q * scores_stride + r, scores_stride,
                    ec_min_i64(n_rows - r, EC_STRIP));
    }
}

/* ---- one query, plain rows ---- */

EC_INLINE __m256i products(__m128i row_i8x16, __m128i flip_u8x16, __m128i codes_i8x16) {
    return _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_xor_si128(row_i8x16, flip_u8x16)),
                             _mm256_cvtepi8_epi16(codes_i8x16));
}

static void dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *scores) {
    const __m128i flip_u8x16 = _mm_set1_epi8((char)flip);
    const uint8_t *codes = query;
    const int64_t whole = dimension / 16 * 16;
    const __m128i rest_i8x16 = load_16(codes + whole, dimension - whole);
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m256i a_i32x8 = _mm256_setzero_si256(), b_i32x8 = a_i32x8;
        int64_t d = 0;
        for (; d + 32 <= whole; d += 32) {
            a_i32x8 = _mm256_add_epi32(a_i32x8, products(load_16(row + d, 16), flip_u8x16, load_16(codes + d, 16)));
            b_i32x8 =
                _mm256_add_epi32(b_i32x8, products(load_16(row + d + 16, 16), flip_u8x16, load_16(codes + d + 16, 16)));
        }
        if (d < whole)
            a_i32x8 = _mm256_add_epi32(a_i32x8, products(load_16(row + d, 16), flip_u8x16, load_16(codes + d, 16)));
        if (whole < dimension)
            b_i32x8 =
                _mm256_add_epi32(b_i32x8, products(load_16(row + whole, dimension - whole), flip_u8x16, rest_i8x16));
        scores[r] = sum_i32x8(_mm256_add_epi32(a_i32x8, b_i32x8));
    }
}

EC_SLOTS(dot_i8, avx2) {
    table->dot_i8_pack = dot_i8_pack;
    table->dot_i8_prepare = dot_i8_prepare;
    table->dot_i8_tile = dot_i8_tile;
    table->dot_i8_rows = dot_i8_rows;
}

EC_TARGET_END
#endif
