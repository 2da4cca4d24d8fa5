/* int8 dots with AVX2: vpmaddwd multiplies codes widened to int16 and adds pairs of products in 32 bits. (vpmaddubsw
 * takes bytes, but its sums saturate at int16: two products of 255 * 128 are twice that.) */
#include "avx2_verbs.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    TILE_QUERIES = 6,  /* 2 x 6 sums, 2 vectors of rows, 1 of a query, 1 of products: 16 registers */
    CHUNK_PAIRS = 256, /* pairs that all queries meet in turn: 16 KB of a strip, in the first-level cache */
    PAIR_BYTES = 4 * EC_STRIP
};

static void dot_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    ec_widen_queries(queries, n_queries, dimension, prepared);
}

/* The 8 x 8 transpose of pairs of codes in either half, in place: of rows of 16 codes it makes vectors, of which vector
 * i holds the codes 2 i and 2 i + 1 of each row. */
EC_INLINE void transpose_u16x8(__m256i v[8]) {
    __m256i s[8], t[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        s[2 * i] = _mm256_unpacklo_epi16(v[2 * i], v[2 * i + 1]);
        s[2 * i + 1] = _mm256_unpackhi_epi16(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++)
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            t[4 * i + 2 * h] = _mm256_unpacklo_epi32(s[4 * i + h], s[4 * i + 2 + h]);
            t[4 * i + 2 * h + 1] = _mm256_unpackhi_epi32(s[4 * i + h], s[4 * i + 2 + h]);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        v[2 * i] = _mm256_unpacklo_epi64(t[i], t[4 + i]);
        v[2 * i + 1] = _mm256_unpackhi_epi64(t[i], t[4 + i]);
    }
}

/* Packs 16 codes of 16 rows, of which there are n_rows; the others are 0. The codes are those before the flip, of which
 * `n_codes` are there. */
EC_INLINE void pack_step(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, int64_t n_codes, __m256i flip_u8x32,
                         uint8_t *out) {
    __m256i codes[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        const __m128i none = _mm_setzero_si128();
        const __m128i low = i < n_rows ? load_16(rows + i * stride_bytes, n_codes) : none;
        const __m128i high = i + 8 < n_rows ? load_16(rows + (i + 8) * stride_bytes, n_codes) : none;
        codes[i] = _mm256_xor_si256(flip_u8x32, _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1));
    }
    transpose_u16x8(codes);
#pragma GCC unroll 8
    for (int p = 0; p < 8; p++) {
        if (n_codes < 16 && 2 * p >= n_codes) break;
        _mm256_store_si256((__m256i *)(out + p * PAIR_BYTES), _mm256_cvtepi8_epi16(_mm256_castsi256_si128(codes[p])));
        _mm256_store_si256((__m256i *)(out + p * PAIR_BYTES + 32),
                           _mm256_cvtepi8_epi16(_mm256_extracti128_si256(codes[p], 1)));
    }
}

/* Behind an odd number of codes, and in lanes behind the last row, stands the flip; an odd query has a 0 there. */
static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)flip);
    const int64_t whole = dimension / 16 * 16;
    uint8_t *out = panel;
    for (int64_t r = 0; r < n_rows; r += EC_STRIP) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        for (int64_t d = 0; d < whole; d += 16, out += 8 * PAIR_BYTES) {
            if (n_rows - r >= EC_STRIP)
                pack_step(row + d, stride_bytes, EC_STRIP, 16, flip_u8x32, out);
            else
                pack_step(row + d, stride_bytes, n_rows - r, 16, flip_u8x32, out);
        }
        if (whole == dimension) continue;
        pack_step(row + whole, stride_bytes, n_rows - r, dimension - whole, flip_u8x32, out);
        out += (dimension - whole + 1) / 2 * PAIR_BYTES;
    }
}

/* Adds to the sums of 16 rows their products with a pair of codes. Of all that GCC 12 makes of intrinsics here, nothing
 * keeps twelve sums in registers. */
EC_INLINE void add_products(__m256i *low_i32x8, __m256i *high_i32x8, __m256i low_i16x16, __m256i high_i16x16,
                            const uint8_t *pair) {
#if defined(__GNUC__) && !defined(__clang__)
    typedef struct {
        uint8_t bytes[4];
    } two_codes;
    __m256i codes, products;
    __asm__(
        "vpbroadcastd %[pair], %[codes]\n\t"
        "vpmaddwd %[codes], %[low], %[products]\n\t"
        "vpaddd %[products], %[low_sums], %[low_sums]\n\t"
        "vpmaddwd %[codes], %[high], %[codes]\n\t"
        "vpaddd %[codes], %[high_sums], %[high_sums]"
        : [low_sums] "+x"(*low_i32x8), [high_sums] "+x"(*high_i32x8), [codes] "=&x"(codes), [products] "=&x"(products)
        : [low] "x"(low_i16x16), [high] "x"(high_i16x16), [pair] "m"(*(const two_codes *)pair));
#else
    const __m256i pair_i16x16 = _mm256_set1_epi32((int32_t)ec_load_u32(pair));
    *low_i32x8 = _mm256_add_epi32(*low_i32x8, _mm256_madd_epi16(low_i16x16, pair_i16x16));
    *high_i32x8 = _mm256_add_epi32(*high_i32x8, _mm256_madd_epi16(high_i16x16, pair_i16x16));
#endif
}

/* The dots of n_queries queries with n_pairs pairs of a strip's 16 rows. Loops without arrays or branches behind them:
 * only so do compilers keep all sums in registers. */
EC_INLINE void block(const int n_queries, const uint8_t *query, int64_t query_stride, const uint8_t *panel,
                     int64_t n_pairs, int32_t sums[][EC_STRIP]) {
    __m256i low_i32x8[TILE_QUERIES], high_i32x8[TILE_QUERIES];
    const uint8_t *end = query + n_pairs * 4;
#pragma GCC unroll 6
    for (int q = 0; q < n_queries; q++) low_i32x8[q] = high_i32x8[q] = _mm256_setzero_si256();
    do { /* n_pairs >= 1 */
        const __m256i low_i16x16 = _mm256_load_si256((const __m256i *)panel);
        const __m256i high_i16x16 = _mm256_load_si256((const __m256i *)(panel + 32));
#pragma GCC unroll 6
        for (int q = 0; q < n_queries; q++)
            add_products(&low_i32x8[q], &high_i32x8[q], low_i16x16, high_i16x16, query + q * query_stride);
        query += 4;
        panel += PAIR_BYTES;
    } while (query < end);
#pragma GCC unroll 6
    for (int q = 0; q < n_queries; q++) {
        _mm256_storeu_si256((__m256i *)sums[q], low_i32x8[q]);
        _mm256_storeu_si256((__m256i *)&sums[q][8], high_i32x8[q]);
    }
}

typedef void block_function(const uint8_t *query, int64_t query_stride, const uint8_t *panel, int64_t n_pairs,
                            int32_t sums[][EC_STRIP]);

#define BLOCK(Q)                                                                                        \
    static EC_NOINLINE void block_##Q(const uint8_t *query, int64_t query_stride, const uint8_t *panel, \
                                      int64_t n_pairs, int32_t sums[][EC_STRIP]) {                      \
        block(Q, query, query_stride, panel, n_pairs, sums);                                            \
    }
BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
BLOCK(5)
BLOCK(6)
static block_function *const BLOCK_OF[TILE_QUERIES] = {block_1, block_2, block_3, block_4, block_5, block_6};

/* Adds a strip's sums to the scores of one query, or sets the scores if `first`. */
EC_INLINE void put(int32_t *scores, int64_t n_rows, int first, const int32_t sums[EC_STRIP]) {
    if (first)
        memcpy(scores, sums, (size_t)n_rows * 4);
    else
        for (int64_t r = 0; r < n_rows; r++) scores[r] += sums[r];
}

static void dot_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes) {
    const int64_t n_pairs = (dimension + 1) / 2, query_stride = ec_wide_query_bytes(dimension);
    const int64_t n_blocks = (n_rows + EC_STRIP - 1) / EC_STRIP * ((n_pairs + CHUNK_PAIRS - 1) / CHUNK_PAIRS) *
                             ((n_queries + TILE_QUERIES - 1) / TILE_QUERIES);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * query_stride;
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, n_blocks);
    for (int64_t r = 0; r < n_rows; r += EC_STRIP) {
        const uint8_t *strip = (const uint8_t *)panel + r * n_pairs * 4;
        const int64_t n = ec_min_i64(n_rows - r, EC_STRIP);
        for (int64_t p = 0; p < n_pairs; p += CHUNK_PAIRS)
            for (int64_t q = 0; q < n_queries; q += TILE_QUERIES) {
                const int64_t some = ec_min_i64(n_queries - q, TILE_QUERIES);
                int32_t sums[TILE_QUERIES][EC_STRIP];
                ec_ahead_step(&soon);
                BLOCK_OF[some - 1](queries + q * query_stride + p * 4, query_stride, strip + p * PAIR_BYTES,
                                   ec_min_i64(n_pairs - p, CHUNK_PAIRS), sums);
                for (int64_t i = 0; i < some; i++) {
                    int32_t *to = scores + (q + i) * scores_stride + r;
                    if (n == EC_STRIP)
                        put(to, EC_STRIP, p == 0, sums[i]);
                    else
                        put(to, n, p == 0, sums[i]);
                }
            }
    }
}

EC_SLOTS(dot_i8, avx2) {
    table->dot_i8_pack = dot_i8_pack;
    table->dot_i8_prepare = dot_i8_prepare;
    table->dot_i8_tile = dot_i8_tile;
}

EC_TARGET_END
#endif
