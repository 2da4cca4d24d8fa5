/* int8 dots with vpdpbusd on 256 bits. avxvnni_vex.c and avxvnni_evex.c include this within their regions, behind
 * add_dots_of_4() and add_word(). Intermediate sums may wrap around; since the exact result fits int32, the final sum
 * is exact. */

enum {
    TILE_QUERIES = 6,  /* 2 x 6 sums, 2 vectors of rows, 1 of a query: 15 of 16 registers */
    CHUNK_WORDS = 256, /* words that all queries meet in turn: 16 KB of a strip, in the first-level cache */
    PASS_QUERIES = 4,
    AHEAD = 8192, /* bytes ahead of its read that a row is prefetched: about as many as arrive during one latency */
    MOST_QUERIES = 16
};

/* Named members rather than arrays, and loops written out: only so do compilers keep all sums in registers. */
typedef struct {
    __m256i v0, v1;
} vectors;

EC_INLINE void add_products(vectors *sums, vectors rows, const uint8_t *codes) {
    add_word(&sums->v0, &sums->v1, rows.v0, rows.v1, codes);
}

/* The lanes of a vector that are rows, if n rows are left; n may be negative. */
EC_INLINE __m256i rows_there(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Adds eight sums to the scores, or sets the scores to the sums and the correction if `first`. */
EC_INLINE void put(int32_t *scores, int64_t n_rows, __m256i correction_i32x8, int first, __m256i sums_i32x8) {
    if (EC_LIKELY(n_rows >= 8)) {
        __m256i *at = (__m256i *)(void *)scores;
        _mm256_storeu_si256(at, _mm256_add_epi32(first ? correction_i32x8 : _mm256_loadu_si256(at), sums_i32x8));
    } else {
        const __m256i there = rows_there(n_rows);
        const __m256i before_i32x8 = first ? correction_i32x8 : _mm256_maskload_epi32(scores, there);
        _mm256_maskstore_epi32(scores, there, _mm256_add_epi32(before_i32x8, sums_i32x8));
    }
}

/* The sums of a strip with n_queries queries, to the scores. A function of its own, so that compilers keep all
 * registers for the loop. */
static EC_NOINLINE void put_all(const vectors *sums, int64_t n_queries, const uint8_t *query, int64_t query_stride,
                                int first, int32_t *scores, int64_t scores_stride, int64_t n_rows) {
    for (int64_t q = 0; q < n_queries; q++, query += query_stride, scores += scores_stride) {
        const __m256i correction_i32x8 = _mm256_set1_epi32((int32_t)ec_load_u32(query));
        put(scores, n_rows, correction_i32x8, first, sums[q].v0);
        put(scores + 8, n_rows - 8, correction_i32x8, first, sums[q].v1);
    }
}

/* n_words words of a strip for n_queries queries, whose codes begin at `codes`: their dots to `sums`. */
EC_INLINE void block(const int n_queries, const uint8_t *codes, int64_t query_stride, const uint8_t *panel,
                     int64_t n_words, vectors sums[TILE_QUERIES]) {
    const vectors zero = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    vectors q0 = zero, q1 = zero, q2 = zero, q3 = zero, q4 = zero, q5 = zero;
    const uint8_t *end = codes + n_words * 4;
    do { /* n_words >= 1 */
        const vectors rows = {ec_load_32(panel), ec_load_32(panel + 32)};
        add_products(&q0, rows, codes);
        if (n_queries > 1) add_products(&q1, rows, codes + query_stride);
        if (n_queries > 2) add_products(&q2, rows, codes + 2 * query_stride);
        if (n_queries > 3) add_products(&q3, rows, codes + 3 * query_stride);
        if (n_queries > 4) add_products(&q4, rows, codes + 4 * query_stride);
        if (n_queries > 5) add_products(&q5, rows, codes + 5 * query_stride);
        codes += 4;
        panel += EC_VNNI_WORD_BYTES;
    } while (codes < end);
    sums[0] = q0;
    sums[1] = q1;
    sums[2] = q2;
    sums[3] = q3;
    sums[4] = q4;
    sums[5] = q5;
}

typedef void block_function(const uint8_t *codes, int64_t query_stride, const uint8_t *panel, int64_t n_words,
                            vectors sums[TILE_QUERIES]);

#define BLOCK(Q)                                                                                             \
    static void block_##Q(const uint8_t *codes, int64_t query_stride, const uint8_t *panel, int64_t n_words, \
                          vectors sums[TILE_QUERIES]) {                                                      \
        block(Q, codes, query_stride, panel, n_words, sums);                                                 \
    }
BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
BLOCK(5)
BLOCK(6)
static block_function *const BLOCK_OF[TILE_QUERIES] = {block_1, block_2, block_3, block_4, block_5, block_6};

/* Strip by strip, and chunk by chunk of its words, which then stay in the first-level cache, for all queries. Each
 * strip asks for its share of the memory that will be read next. */
static void dot_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes) {
    const int64_t n_words = (dimension + 3) / 4, query_stride = ec_vnni_query_bytes(dimension);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * query_stride;
    for (int64_t r = 0; r < n_rows; r += EC_VNNI_STRIP) {
        const uint8_t *strip = (const uint8_t *)panel + r * n_words * 4;
        const int64_t until = ahead_bytes * ec_min_i64(r + EC_VNNI_STRIP, n_rows) / n_rows;
        for (int64_t i = ahead_bytes * r / n_rows; i < until; i += 64)
            _mm_prefetch((const char *)ahead + i, _MM_HINT_T1);
        for (int64_t w = 0; w < n_words; w += CHUNK_WORDS)
            for (int64_t q = 0; q < n_queries; q += TILE_QUERIES) {
                const uint8_t *query = queries + q * query_stride;
                const int64_t n = ec_min_i64(n_queries - q, TILE_QUERIES);
                vectors sums[TILE_QUERIES];
                BLOCK_OF[n - 1](query + EC_VNNI_HEAD + w * 4, query_stride, strip + w * EC_VNNI_WORD_BYTES,
                                ec_min_i64(n_words - w, CHUNK_WORDS), sums);
                put_all(sums, n, query, query_stride, w == 0, scores + q * scores_stride + r, scores_stride,
                        ec_min_i64(n_rows - r, EC_VNNI_STRIP));
            }
    }
}

/* ---- few queries, plain rows: a lane is a part of a row ---- */

/* n_rows rows x n_queries queries, whose codes lie 32 of each query side by side, and `step` bytes further the next 32.
 * A remainder is met by the last 32 bytes of the row, some of them for the second time; of the queries' 32 bytes behind
 * the whole ones those are 0. dimension >= 32. */
EC_INLINE void pass(const int n_rows, const int n_queries, const uint8_t *const row[], const uint8_t *codes,
                    int64_t step, const uint8_t *last, int64_t dimension, __m256i flip_u8x32, const uint8_t *ahead,
                    __m256i sums[]) {
    const int64_t whole = dimension / 32 * 32;
#pragma GCC unroll 8
    for (int i = 0; i < n_rows * n_queries; i++) sums[i] = _mm256_setzero_si256();
    for (int64_t d = 0; d < whole; d += 32, codes += step) {
        _mm_prefetch((const char *)ahead + d * n_rows, _MM_HINT_T0);
        if (n_rows > 2) _mm_prefetch((const char *)ahead + d * n_rows + 64, _MM_HINT_T0);
#pragma GCC unroll 4
        for (int i = 0; i < n_rows; i++) {
            const __m256i row_u8x32 = _mm256_xor_si256(flip_u8x32, ec_load_32(row[i] + d));
#pragma GCC unroll 4
            for (int q = 0; q < n_queries; q++)
                add_dots_of_4(&sums[i * n_queries + q], row_u8x32, ec_load_32(codes + 32 * q));
        }
    }
    if (whole == dimension) return;
#pragma GCC unroll 4
    for (int i = 0; i < n_rows; i++) {
        const __m256i row_u8x32 = _mm256_xor_si256(flip_u8x32, ec_load_32(row[i] + dimension - 32));
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++)
            add_dots_of_4(&sums[i * n_queries + q], row_u8x32, ec_load_32(last + 32 * q));
    }
}

/* Codes d .. d + 31 of a query that pass() takes. */
static void copy_32(const uint8_t *query, int64_t d, int64_t dimension, uint8_t out[32]) {
    const int64_t n = ec_min_i64(dimension - d, 32);
    memset(out, 0, 32);
    memcpy(out + (dimension < 32 ? 0 : 32 - n), query + d, (size_t)n);
}

/* n_rows rows from row r on, at `row`; behind the last row it is repeated. Rows of fewer than 32 bytes are copied, with
 * bytes behind them that the queries' zeros meet. Returns their length. */
EC_INLINE int64_t point_to_rows(int n_rows, const uint8_t *rows, int64_t stride_bytes, int64_t r, int64_t all_rows,
                                int64_t dimension, uint8_t copies[][32], const uint8_t *row[]) {
    for (int64_t i = 0; i < n_rows; i++) row[i] = rows + ec_min_i64(r + i, all_rows - 1) * stride_bytes;
    if (EC_LIKELY(dimension >= 32)) return dimension;
    for (int i = 0; i < n_rows; i++) {
        memset(copies[i], 0, 32);
        memcpy(copies[i], row[i], (size_t)dimension);
        row[i] = copies[i];
    }
    return 32;
}

/* One query, four rows at a time. */
static void dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *scores) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)(flip ^ 0x80));
    const __m128i correction_i32x4 = _mm_set1_epi32(ec_vnni_correction(query, dimension));
    uint8_t last[32], copies[4][32];
    copy_32(query, dimension < 32 ? 0 : dimension / 32 * 32, dimension, last);
    for (int64_t r = 0; r < n_rows; r += 4) {
        const uint8_t *row[4];
        int32_t dots[4];
        __m256i sums[4];
        const int64_t length = point_to_rows(4, rows, stride_bytes, r, n_rows, dimension, copies, row);
        pass(4, 1, row, dimension < 32 ? last : query, 32, last, length, flip_u8x32, row[0] + AHEAD, sums);
        _mm_storeu_si128((__m128i *)(void *)dots,
                         _mm_add_epi32(correction_i32x4, ec_sum_lanes_of_4(sums[0], sums[1], sums[2], sums[3])));
        memcpy(scores + r, dots, (size_t)ec_min_i64(n_rows - r, 4) * 4);
    }
}

/* Queries in groups of PASS_QUERIES, 32 codes of each side by side, then the next 32; the last group is smaller. */
static void prepare_few(const void *queries, int64_t n_queries, int64_t dimension, uint8_t *out) {
    for (int64_t q = 0; q < n_queries; q += PASS_QUERIES)
        for (int64_t d = 0; d < dimension; d += 32)
            for (int64_t i = q; i < ec_min_i64(q + PASS_QUERIES, n_queries); i++, out += 32)
                copy_32((const uint8_t *)queries + i * dimension, d, dimension, out);
}

/* Two rows for the n_queries queries of a group. */
EC_INLINE void pair_of_rows(const int n_queries, const uint8_t *const row[2], const uint8_t *codes, int64_t dimension,
                            __m256i flip_u8x32, const int32_t *corrections, int64_t n_rows, int32_t *scores,
                            int64_t scores_stride) {
    __m256i sums[2 * PASS_QUERIES];
    int32_t dots[2][4];
    pass(2, n_queries, row, codes, 32 * n_queries, codes + dimension / 32 * 32 * n_queries, dimension, flip_u8x32,
         row[0] + AHEAD, sums);
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        const __m256i *of_row = sums + i * n_queries;
        const __m128i dots_i32x4 = ec_sum_lanes_of_4(of_row[0], of_row[n_queries > 1 ? 1 : 0],
                                                     of_row[n_queries > 2 ? 2 : 0], of_row[n_queries > 3 ? 3 : 0]);
        _mm_storeu_si128((__m128i *)(void *)dots[i], dots_i32x4);
    }
    for (int q = 0; q < n_queries; q++)
        for (int64_t i = 0; i < n_rows; i++) scores[q * scores_stride + i] = dots[i][q] + corrections[q];
}

/* The sums of the rows' codes, and of their squares, each where there is a place for them. v * v = (v + 128) * v - 128 *
 * v, both by vpdpbusd. */
static void count_sums(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                       int32_t *sums, int32_t *sumsq) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)(flip ^ 0x80)), sign_u8x32 = _mm256_set1_epi8((char)0x80);
    const __m256i ones_u8x32 = _mm256_set1_epi8(1), zero = _mm256_setzero_si256();
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m256i products_i32x8 = zero, sums_i32x8 = zero;
        int64_t d = 0;
        for (; d + 32 <= dimension; d += 32) {
            const __m256i codes_u8x32 = _mm256_xor_si256(flip_u8x32, ec_load_32(row + d));
            const __m256i codes_i8x32 = _mm256_xor_si256(sign_u8x32, codes_u8x32);
            add_dots_of_4(&products_i32x8, codes_u8x32, codes_i8x32);
            add_dots_of_4(&sums_i32x8, ones_u8x32, codes_i8x32);
        }
        int32_t both[4];
        _mm_storeu_si128((__m128i *)(void *)both, ec_sum_lanes_of_4(sums_i32x8, products_i32x8, zero, zero));
        both[1] -= 128 * both[0];
        for (; d < dimension; d++) {
            const int32_t code = (int8_t)(row[d] ^ flip);
            both[0] += code;
            both[1] += code * code;
        }
        if (sums) sums[r] = both[0];
        if (sumsq) sumsq[r] = both[1];
    }
}

static void sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums) {
    count_sums(rows, stride_bytes, n_rows, dimension, flip, NULL, sums);
}

/* Packing costs as much as a few dots a row; up to MOST_QUERIES queries are faster without. Where the sums of the rows'
 * codes or of their squares are asked for, they are counted while the rows are in the first-level cache. */
static void dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, uint8_t flip, int32_t *scores, int64_t scores_stride, int32_t *sums,
                       int32_t *sumsq, void *prepared, const void *ahead, int64_t ahead_bytes) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)(flip ^ 0x80));
    const int64_t query_bytes = ec_round_up(dimension, 32), at_once = ec_max_i64((8 << 10) / dimension / 4 * 4, 4);
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, n_rows / 2 * ((n_queries + PASS_QUERIES - 1) / PASS_QUERIES));
    int32_t corrections[EC_DOT_FEW];
    if (n_queries > 1) prepare_few(queries, n_queries, dimension, prepared);
    for (int64_t q = 0; q < n_queries; q++)
        corrections[q] = ec_vnni_correction((const uint8_t *)queries + q * dimension, dimension);
    for (int64_t r = 0; r < n_rows; r += at_once) {
        const int64_t n = ec_min_i64(n_rows - r, at_once);
        const uint8_t *some = (const uint8_t *)rows + r * stride_bytes;
        if (n_queries == 1) dot_i8_rows(queries, some, stride_bytes, n, dimension, flip, scores + r);
        for (int64_t i = 0; n_queries > 1 && i < n; i += 2) {
            const uint8_t *row[2];
            uint8_t copies[2][32];
            const int64_t length = point_to_rows(2, some, stride_bytes, i, n, dimension, copies, row);
            for (int64_t q = 0; q < n_queries; q += PASS_QUERIES) {
                const uint8_t *codes = (const uint8_t *)prepared + q * query_bytes;
                int32_t *out = scores + q * scores_stride + r + i;
                ec_ahead_step(&soon);
#define PAIR(N) \
    pair_of_rows(N, row, codes, length, flip_u8x32, corrections + q, ec_min_i64(n - i, 2), out, scores_stride)
                switch (n_queries - q) {
                case 1: PAIR(1); break;
                case 2: PAIR(2); break;
                case 3: PAIR(3); break;
                default: PAIR(4); break;
                }
#undef PAIR
            }
        }
        if (sums || sumsq)
            count_sums(some, stride_bytes, n, dimension, flip, sums ? sums + r : NULL, sumsq ? sumsq + r : NULL);
    }
}

static void lay_kernels(ec_kernels *table) {
    table->dot_i8_tile = dot_i8_tile;
    table->dot_i8_rows = dot_i8_rows;
    table->most_few_i8 = MOST_QUERIES;
    table->dot_i8_few = dot_i8_few;
    table->sumsq_i8 = sumsq_i8;
}
