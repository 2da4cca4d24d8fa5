/* A few int8 queries against plain rows with AVX2: two rows by up to five queries at a time, codes widened to int16. A
 * lane is a part of a row.
 *
 * Packing a row costs as much as meeting three queries. Here a block of rows, in the first-level cache, meets a group of
 * queries after the other, and the first pass prefetches the rows to come. */
#include "avx2_verbs.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    PASS_ROWS = 2,
    PASS_QUERIES = 5, /* by two rows: 10 sums, 2 vectors of rows, 1 of a query, 1 of products */
    STEP = 16,        /* codes of a row that are met at once */
    BLOCK_BYTES = 16 << 10,
    AHEAD = 16 << 10,
    MOST_QUERIES = 16, /* the most queries for which this is faster than packing */
    MOST_SHORT = 11    /* the same of short rows, whose lanes cost more to add up */
};

/* Codes of a row as int16: int8 or, where rows are flipped, uint8, whose dots are corrected at the end. */
EC_INLINE __m256i widen(__m128i codes, const int flips) {
    return flips ? _mm256_cvtepu8_epi16(codes) : _mm256_cvtepi8_epi16(codes);
}

/* A query as rows meet it: int16, and what is behind the last whole step aligned with the row's end, so that the last
 * step of a row can begin that much earlier. Rows that are shorter than a step have it at the front. */
static void widen_query(const int8_t *query, int64_t dimension, int16_t *out) {
    const int64_t whole = dimension / STEP * STEP, left = dimension - whole;
    for (int64_t d = 0; d < whole; d++) out[d] = query[d];
    if (left == 0) return;
    memset(out + whole, 0, STEP * sizeof *out);
    for (int64_t i = 0; i < left; i++) out[whole + i + (whole ? STEP - left : 0)] = query[whole + i];
}

/* The last codes of a row: see widen_query(). */
EC_INLINE __m128i load_last(const uint8_t *row, int64_t dimension) {
    return dimension < STEP ? load_16(row, dimension) : _mm_loadu_si128((const __m128i *)(row + dimension - STEP));
}

/* The dots of two rows with n_queries queries. Meanwhile as many bytes are
 * prefetched from `ahead` on as are read of the rows. */
EC_INLINE void pass(const int n_queries, const int flips, const uint8_t *row0, const uint8_t *row1,
                    const uint8_t *query, int64_t query_stride, int64_t dimension, const uint8_t *ahead,
                    __m256i sums[][PASS_ROWS]) {
    const int64_t whole = dimension / STEP * STEP;
    __m256i dots[PASS_QUERIES][PASS_ROWS];
#pragma GCC unroll 5
    for (int q = 0; q < n_queries; q++) dots[q][0] = dots[q][1] = _mm256_setzero_si256();
    for (int64_t d = 0; d < whole; d += STEP) {
        if (d % 32 == 0) _mm_prefetch((const char *)ahead + PASS_ROWS * d, _MM_HINT_T1);
        const __m256i first_i16x16 = widen(_mm_loadu_si128((const __m128i *)(row0 + d)), flips);
        const __m256i second_i16x16 = widen(_mm_loadu_si128((const __m128i *)(row1 + d)), flips);
#pragma GCC unroll 5
        for (int q = 0; q < n_queries; q++) {
            const __m256i codes_i16x16 = _mm256_loadu_si256((const __m256i *)(query + q * query_stride + 2 * d));
            add_products_i16x16(&dots[q][0], first_i16x16, codes_i16x16);
            add_products_i16x16(&dots[q][1], second_i16x16, codes_i16x16);
        }
    }
    if (whole < dimension) {
        const __m256i first_i16x16 = widen(load_last(row0, dimension), flips);
        const __m256i second_i16x16 = widen(load_last(row1, dimension), flips);
#pragma GCC unroll 5
        for (int q = 0; q < n_queries; q++) {
            const __m256i codes_i16x16 = _mm256_loadu_si256((const __m256i *)(query + q * query_stride + 2 * whole));
            add_products_i16x16(&dots[q][0], first_i16x16, codes_i16x16);
            add_products_i16x16(&dots[q][1], second_i16x16, codes_i16x16);
        }
    }
#pragma GCC unroll 5
    for (int q = 0; q < n_queries; q++) {
        sums[q][0] = dots[q][0];
        sums[q][1] = dots[q][1];
    }
}

typedef void pass_function(const uint8_t *row0, const uint8_t *row1, const uint8_t *query, int64_t query_stride,
                           int64_t dimension, const uint8_t *ahead, __m256i sums[][PASS_ROWS]);

#define PASS(Q)                                                                                              \
    static EC_NOINLINE void pass_##Q(const uint8_t *row0, const uint8_t *row1, const uint8_t *query,         \
                                     int64_t query_stride, int64_t dimension, const uint8_t *ahead,          \
                                     __m256i sums[][PASS_ROWS]) {                                            \
        pass(Q, 0, row0, row1, query, query_stride, dimension, ahead, sums);                                 \
    }                                                                                                        \
    static EC_NOINLINE void pass_##Q##_flips(const uint8_t *row0, const uint8_t *row1, const uint8_t *query, \
                                             int64_t query_stride, int64_t dimension, const uint8_t *ahead,  \
                                             __m256i sums[][PASS_ROWS]) {                                    \
        pass(Q, 1, row0, row1, query, query_stride, dimension, ahead, sums);                                 \
    }
PASS(2)
PASS(3)
PASS(4)
PASS(5)
static pass_function *const PASS_OF[2][PASS_QUERIES + 1] = {
    {NULL, NULL, pass_2, pass_3, pass_4, pass_5}, /* one query alone is met elsewhere, and next_pass() leaves none */
    {NULL, NULL, pass_2_flips, pass_3_flips, pass_4_flips, pass_5_flips},
};

/* -128 times the sum of a query's codes, where rows are flipped: each of their codes was 128 too large. */
static int32_t correction(const int8_t *query, int64_t dimension, uint8_t flip) {
    int32_t sum = 0;
    for (int64_t d = 0; flip && d < dimension; d++) sum += query[d];
    return -128 * sum;
}

/* The number of queries in the next pass, so that the last passes of a block are not much smaller than the others. */
EC_INLINE int64_t next_pass(int64_t left) {
    const int64_t n_passes = (left + PASS_QUERIES - 1) / PASS_QUERIES;
    return (left + n_passes - 1) / n_passes;
}

/* The scores of 2 .. MOST_QUERIES queries. */
static void meet_few(const int8_t *queries, int64_t n_queries, const uint8_t *rows, int64_t stride_bytes,
                     int64_t n_rows, int64_t dimension, uint8_t flip, int32_t *scores, int64_t scores_stride,
                     int32_t *sums_of, int32_t *sumsq_of, uint8_t *prepared, const uint8_t *soon, int64_t soon_bytes) {
    const int64_t query_stride = ec_wide_query_bytes(dimension);
    const int64_t block = ec_max_i64(BLOCK_BYTES / dimension / PASS_ROWS, 1) * PASS_ROWS;
    int64_t soon_left = soon_bytes;
    int32_t corrections[MOST_QUERIES];
    for (int64_t q = 0; q < n_queries; q++) {
        widen_query(queries + q * dimension, dimension, (int16_t *)(void *)(prepared + q * query_stride));
        corrections[q] = correction(queries + q * dimension, dimension, flip);
    }
    for (int64_t first = 0; first < n_rows; first += block) {
        const int64_t end = ec_min_i64(first + block, n_rows);
        for (int64_t q = 0, n; q < n_queries; q += n) {
            n = next_pass(n_queries - q);
            pass_function *const meet = PASS_OF[flip != 0][n];
            for (int64_t r = first; r < end; r += PASS_ROWS) {
                __m256i sums[PASS_QUERIES + 1][PASS_ROWS];
                int32_t dots[PASS_QUERIES + 1][PASS_ROWS];
                const uint8_t *row = rows + r * stride_bytes;
                const uint8_t *ahead = q == 0 ? row + AHEAD : row; /* only the first pass finds rows in memory */
                if (soon_bytes) {
                    const int64_t some = PASS_ROWS * dimension;
                    ahead = soon_left >= some ? soon : row;
                    soon += soon_left >= some ? some : 0;
                    soon_left -= some;
                }
                meet(row, r + 1 < end ? row + stride_bytes : row, prepared + q * query_stride, query_stride, dimension,
                     ahead, sums);
                for (int64_t i = n; i < PASS_QUERIES + 1 && i % 2; i++) sums[i][0] = sums[i][1] = sums[0][0];
                for (int64_t i = 0; i < n; i += 2)
                    _mm_storeu_si128((__m128i *)dots[i],
                                     sum_lanes_i32x4(sums[i][0], sums[i][1], sums[i + 1][0], sums[i + 1][1]));
                for (int64_t i = 0; i < n; i++) {
                    int32_t *to = scores + (q + i) * scores_stride + r;
                    to[0] = dots[i][0] + corrections[q + i];
                    if (r + 1 < end) to[1] = dots[i][1] + corrections[q + i];
                }
            }
        }
        const uint8_t *row = rows + first * stride_bytes;
        if (sums_of) ec_active.sum_i8(row, stride_bytes, end - first, dimension, flip, sums_of + first);
        if (sumsq_of) ec_active.sumsq_i8(row, stride_bytes, end - first, dimension, flip, sumsq_of + first);
    }
}

/* ---- chosen rows, which a query meets that stays int8 ---- */

enum { CHOSEN_ROWS = 4 };

/* A query's codes in the last step of a row, and a mask of the lanes that have not been met before and do not lie behind
 * a row of less than a step. */
typedef struct {
    __m128i codes_i8x16, mask_u8x16;
} last_step;

static last_step last_step_of(const uint8_t *query, int64_t dimension) {
    const int64_t whole = dimension / STEP * STEP, left = dimension - whole, at = whole ? STEP - left : 0;
    uint8_t codes[STEP] = {0}, mask[STEP] = {0};
    memcpy(codes + at, query + whole, (size_t)left);
    memset(mask + at, 0xff, (size_t)left);
    const last_step last = {_mm_loadu_si128((const __m128i *)codes), _mm_loadu_si128((const __m128i *)mask)};
    return last;
}

/* The dots of four rows. */
EC_INLINE __m128i meet_four(const uint8_t *const row[CHOSEN_ROWS], const uint8_t *query, int64_t dimension,
                            uint8_t flip, last_step last) {
    const __m128i flip_u8x16 = _mm_set1_epi8((char)flip);
    const int64_t whole = dimension / STEP * STEP;
    __m256i sums_i32x8[CHOSEN_ROWS];
#pragma GCC unroll 4
    for (int i = 0; i < CHOSEN_ROWS; i++) sums_i32x8[i] = _mm256_setzero_si256();
    for (int64_t d = 0; d < whole; d += STEP) {
        const __m256i codes_i16x16 = _mm256_cvtepi8_epi16(load_16(query + d, STEP));
#pragma GCC unroll 4
        for (int i = 0; i < CHOSEN_ROWS; i++)
            add_products_i16x16(&sums_i32x8[i],
                                _mm256_cvtepi8_epi16(_mm_xor_si128(flip_u8x16, load_16(row[i] + d, STEP))),
                                codes_i16x16);
    }
    if (whole < dimension)
        for (int i = 0; i < CHOSEN_ROWS; i++)
            add_products_i16x16(&sums_i32x8[i],
                                _mm256_cvtepi8_epi16(_mm_xor_si128(flip_u8x16, load_last(row[i], dimension))),
                                _mm256_cvtepi8_epi16(last.codes_i8x16));
    return sum_lanes_i32x4(sums_i32x8[0], sums_i32x8[1], sums_i32x8[2], sums_i32x8[3]);
}

/* The dot of one row, whose steps go to four sums in turn. */
EC_INLINE int32_t meet_alone(const uint8_t *query, const uint8_t *row, int64_t dimension, uint8_t flip,
                             last_step last) {
    const __m128i flip_u8x16 = _mm_set1_epi8((char)flip);
    const int64_t whole = dimension / STEP * STEP;
    __m256i sums_i32x8[CHOSEN_ROWS];
    int64_t d = 0;
#pragma GCC unroll 4
    for (int i = 0; i < CHOSEN_ROWS; i++) sums_i32x8[i] = _mm256_setzero_si256();
    for (; d + CHOSEN_ROWS * STEP <= whole; d += CHOSEN_ROWS * STEP)
#pragma GCC unroll 4
        for (int i = 0; i < CHOSEN_ROWS; i++)
            add_products_i16x16(&sums_i32x8[i],
                                _mm256_cvtepi8_epi16(_mm_xor_si128(flip_u8x16, load_16(row + d + i * STEP, STEP))),
                                _mm256_cvtepi8_epi16(load_16(query + d + i * STEP, STEP)));
    for (; d < whole; d += STEP)
        add_products_i16x16(&sums_i32x8[0], _mm256_cvtepi8_epi16(_mm_xor_si128(flip_u8x16, load_16(row + d, STEP))),
                            _mm256_cvtepi8_epi16(load_16(query + d, STEP)));
    if (whole < dimension)
        add_products_i16x16(
            &sums_i32x8[1],
            _mm256_cvtepi8_epi16(_mm_and_si128(last.mask_u8x16, _mm_xor_si128(flip_u8x16, load_last(row, dimension)))),
            _mm256_cvtepi8_epi16(last.codes_i8x16));
    return sum_i32x8(_mm256_add_epi32(_mm256_add_epi32(sums_i32x8[0], sums_i32x8[1]),
                                      _mm256_add_epi32(sums_i32x8[2], sums_i32x8[3])));
}

/* Chosen rows are in the cache. Less than four are met one by one: screening mostly chooses one or two. */
static void dot_i8_chosen(const void *query, const void *rows, int64_t stride_bytes, const int32_t *chosen, int64_t n,
                          int64_t dimension, uint8_t flip, int32_t *scores) {
    const last_step last = last_step_of(query, dimension);
    int64_t i = 0;
    for (; i + CHOSEN_ROWS <= n; i += CHOSEN_ROWS) {
        const uint8_t *row[CHOSEN_ROWS];
        for (int64_t j = 0; j < CHOSEN_ROWS; j++) row[j] = (const uint8_t *)rows + chosen[i + j] * stride_bytes;
        _mm_storeu_si128((__m128i *)(void *)(scores + i), meet_four(row, query, dimension, flip, last));
    }
    for (; i < n; i++)
        scores[i] = meet_alone(query, (const uint8_t *)rows + chosen[i] * stride_bytes, dimension, flip, last);
}

static void dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, uint8_t flip, int32_t *scores, int64_t scores_stride, int32_t *sums,
                       int32_t *sumsq, void *prepared, const void *ahead, int64_t ahead_bytes) {
    for (int64_t q = 0; q < n_queries; q += MOST_QUERIES, sums = sumsq = NULL) {
        const int8_t *first = (const int8_t *)queries + q * dimension;
        const int64_t n = ec_min_i64(n_queries - q, MOST_QUERIES);
        int32_t *out = scores + q * scores_stride;
        if (n > 1)
            meet_few(first, n, rows, stride_bytes, n_rows, dimension, flip, out, scores_stride, sums, sumsq, prepared,
                     ahead, ahead_bytes);
        else
            ec_meet_one_i8_avx2(first, rows, stride_bytes, n_rows, dimension, flip, out, sums, sumsq);
    }
}

EC_SLOTS(dot_rows_i8, avx2) {
    table->most_few_i8 = MOST_QUERIES;
    table->most_few_short_i8 = MOST_SHORT;
    table->dot_i8_few = dot_i8_few;
    table->dot_i8_chosen = dot_i8_chosen;
}

EC_TARGET_END
#endif
