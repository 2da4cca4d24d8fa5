/* Rows of floats are rounded and meet a few queries at once: four rows at a time, whose codes never leave the
 * first-level cache. While a row is rounded the largest magnitude of the next one is found, so that no row is read only
 * for that; and with every step of either kind memory is asked for some lines of the rows to come, never for many:
 *
 *     round r, largest of r+1 | round r+1, largest of r+2 | ...   then rows r .. r+3  x  queries 0..3 | 4..7 | ... */
#include "../dot/avx512_lines.h"
#include "avx512_round.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum {
    PASS_ROWS = AT_ONCE,
    PASS_QUERIES = EC_LINE_GROUP, /* 4 x 4 sums, 4 vectors of rows, 1 of a query */
    AHEAD = 32 << 10,             /* bytes: in the second-level cache, before they are read */
    MOST_QUERIES = 64             /* the most queries for which this is faster than packing */
};

/* Prepared queries: the lines of four at a time | a correction of each, because rows are met as code + 128. */
static void screen_few_prepare(const void *query_codes, int64_t n_queries, int64_t width, void *prepared) {
    const ec_lines lines = ec_lines_of(prepared, 64, width, 1); /* the rows' codes are aligned, as `prepared` is */
    uint8_t *corrections = (uint8_t *)prepared + n_queries * lines.n_lines * 64;
    ec_lines_prepare(&lines, query_codes, n_queries, width, prepared);
    for (int64_t q = 0; q < n_queries; q++) {
        const int32_t correction = ec_correction_i8((const uint8_t *)query_codes + q * width, width);
        memcpy(corrections + 4 * q, &correction, 4);
    }
}

/* The dots of four rows of n_lines lines with n_queries queries. Loops without branches behind them, and unrolled: only
 * so do compilers keep all sums in registers. */
EC_INLINE void pass(const int n_queries, const uint8_t *rows, int64_t n_lines, const uint8_t *query, ec_drip *ahead,
                    const uint8_t *corrections, __mmask8 there, int32_t *scores, int64_t scores_stride) {
    __m512i dots[PASS_QUERIES][PASS_ROWS];
    ec_drip drip = *ahead;
    const uint8_t *row[PASS_ROWS] = {rows, rows + n_lines * 64, rows + n_lines * 128, rows + n_lines * 192};
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++)
#pragma GCC unroll 4
        for (int i = 0; i < PASS_ROWS; i++) dots[q][i] = _mm512_setzero_si512();
    for (int64_t at = 0; at < n_lines * 64; at += 64, query += n_queries * 64) {
        __m512i rows_u8x64[PASS_ROWS];
        ec_drip_step(&drip);
#pragma GCC unroll 4
        for (int i = 0; i < PASS_ROWS; i++) rows_u8x64[i] = _mm512_load_si512(row[i] + at);
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++) {
            const __m512i query_i8x64 = _mm512_load_si512(query + q * 64);
#pragma GCC unroll 4
            for (int i = 0; i < PASS_ROWS; i++) ec_add_dots_of_4(&dots[q][i], rows_u8x64[i], query_i8x64);
        }
    }
    *ahead = drip;
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++) {
        const __m128i dots_i32x4 = ec_sum_lanes_i32x4(dots[q][0], dots[q][1], dots[q][2], dots[q][3]);
        const __m128i correction = _mm_set1_epi32((int32_t)ec_load_u32(corrections + 4 * q));
        _mm_mask_storeu_epi32(scores + q * scores_stride, there, _mm_add_epi32(dots_i32x4, correction));
    }
}

typedef void pass_function(const uint8_t *rows, int64_t n_lines, const uint8_t *query, ec_drip *ahead,
                           const uint8_t *corrections, __mmask8 there, int32_t *scores, int64_t scores_stride);

#define PASS(Q)                                                                                                  \
    static EC_NOINLINE void pass_##Q(const uint8_t *rows, int64_t n_lines, const uint8_t *query, ec_drip *ahead, \
                                     const uint8_t *corrections, __mmask8 there, int32_t *scores,                \
                                     int64_t scores_stride) {                                                    \
        pass(Q, rows, n_lines, query, ahead, corrections, there, scores, scores_stride);                         \
    }
PASS(1)
PASS(2)
PASS(3)
PASS(4)
static pass_function *const PASS_OF[PASS_QUERIES] = {pass_1, pass_2, pass_3, pass_4};

/* Some lines of what four rows further on are read, with each of the steps that these take; none where rows are so far
 * apart that less than half of the lines between would be of use. */
EC_INLINE ec_drip ahead_of(const uint8_t *first, int64_t stride_bytes, int64_t width, int64_t n_steps) {
    const int64_t n_bytes = stride_bytes < 8 * width ? PASS_ROWS * stride_bytes : 0;
    return ec_drip_of((const char *)first + AHEAD, n_bytes, n_steps);
}

static void screen_few(const void *prepared, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t width, int8_t *codes, float *steps, float *errors, float *lengths, int32_t *scores,
                       int64_t scores_stride) {
    const int64_t n_lines = (width + 63) / 64, n_passes = (n_queries + PASS_QUERIES - 1) / PASS_QUERIES;
    const uint8_t *corrections = (const uint8_t *)prepared + n_queries * n_lines * 64;
    uint8_t *flipped = (uint8_t *)codes;
    __m512i most_u32x16 = n_rows ? largest_of(rows, width) : _mm512_setzero_si512();
    for (int64_t r = 0; r < n_rows; r += PASS_ROWS) {
        const uint8_t *first = (const uint8_t *)rows + r * stride_bytes, *query = prepared;
        const __mmask8 there = (__mmask8)ec_lanes_below(ec_min_i64(n_rows - r, PASS_ROWS));
        ec_drip drip = ahead_of(first, stride_bytes, width, (PASS_ROWS + n_passes) * n_lines);
        round_rows(first, stride_bytes, n_rows - r, width, EC_SCREEN_LEVELS, 0x80, flipped, n_lines * 64, steps + r,
                   errors + r, lengths + r, &drip, &most_u32x16);
        for (int64_t q = 0; q < n_queries; q += PASS_QUERIES, query += PASS_QUERIES * n_lines * 64)
            PASS_OF[ec_min_i64(n_queries - q, PASS_QUERIES) - 1](flipped, n_lines, query, &drip, corrections + 4 * q,
                                                                 there, scores + q * scores_stride + r, scores_stride);
    }
}

EC_SLOTS(screen_few, avx512) {
    table->most_screen_few = MOST_QUERIES;
    table->screen_few_prepare = screen_few_prepare;
    table->screen_few = screen_few;
}

EC_TARGET_END
#endif
