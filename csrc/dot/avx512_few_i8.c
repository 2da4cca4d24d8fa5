/* A few int8 queries against plain rows: four rows by up to four queries at a time; a lane is a part of a row.
 *
 * Packing a row costs as much as meeting half a dozen queries, so that few queries are faster without it. The rows to
 * come are prefetched line by line, a share with each step, so that memory never waits for arithmetic:
 *
 *     rows r .. r+3  x  queries 0..3 | 4..7 | 8..11 | 12..15        each pass prefetches a share of the rows ahead
 *
 * The squared lengths that cosines and distances need are counted in the first pass, while a row is in registers. */
#include "avx512_lines.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum {
    PASS_ROWS = 4,
    PASS_QUERIES = EC_LINE_GROUP,
    AHEAD = 16 << 10, /* bytes: the rows of a few passes, in the first-level cache */
    MOST_QUERIES = 64 /* the most queries for which this is faster than packing */
};

/* Lane sums of four rows: of their dots, and of their codes' sums and (v + 128) v. */
typedef struct {
    __m512i dots[PASS_QUERIES][PASS_ROWS], sums[PASS_ROWS], products[PASS_ROWS];
} pass_sums;

/* One line of four rows, flipped to unsigned, for n_queries queries. The squares are made as in add_line_i8() of
 * avx512_rows.c. */
EC_INLINE void step(const int n_queries, const int squares, const uint8_t *const row[PASS_ROWS], const uint8_t *query,
                    int64_t at, __mmask64 valid, __m512i flip_u8x64, ec_touch *touch, pass_sums *to) {
    const __m512i sign_u8x64 = _mm512_set1_epi8((char)0x80), ones_u8x64 = _mm512_set1_epi8(1);
    __m512i rows_u8x64[PASS_ROWS];
    ec_touch_step(touch);
#pragma GCC unroll 4
    for (int i = 0; i < PASS_ROWS; i++)
        rows_u8x64[i] = _mm512_xor_si512(flip_u8x64, ~valid ? _mm512_maskz_loadu_epi8(valid, row[i] + at)
                                                            : _mm512_loadu_si512(row[i] + at));
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++) {
        const __m512i query_i8x64 = _mm512_load_si512(query + q * 64);
#pragma GCC unroll 4
        for (int i = 0; i < PASS_ROWS; i++) ec_add_dots_of_4(&to->dots[q][i], rows_u8x64[i], query_i8x64);
    }
    if (squares) {
#pragma GCC unroll 4
        for (int i = 0; i < PASS_ROWS; i++) {
            __m512i codes_i8x64 = _mm512_xor_si512(sign_u8x64, rows_u8x64[i]);
            if (~valid) codes_i8x64 = _mm512_maskz_mov_epi8(valid, codes_i8x64);
            ec_add_dots_of_4(&to->products[i], rows_u8x64[i], codes_i8x64);
            ec_add_dots_of_4(&to->sums[i], ones_u8x64, codes_i8x64);
        }
    }
}

/* Four rows for n_queries queries. If `squares`, the sums and sums of squares of the rows are stored, too, where there
 * is a place for them. */
EC_INLINE void pass(const int n_queries, const int squares, const uint8_t *const row[PASS_ROWS], const uint8_t *query,
                    const ec_lines *lines, __m512i flip_u8x64, ec_touch *touch, const int32_t *corrections,
                    __mmask8 there, int32_t *scores, int64_t scores_stride, int32_t *sums, int32_t *sumsq) {
    pass_sums to;
    for (int i = 0; i < PASS_ROWS; i++) {
        for (int q = 0; q < n_queries; q++) to.dots[q][i] = _mm512_setzero_si512();
        to.sums[i] = to.products[i] = _mm512_setzero_si512();
    }
    if (lines->whole) {
        step(n_queries, squares, row, query, 0, lines->first, flip_u8x64, touch, &to);
        query += n_queries * 64;
    }
    for (int64_t at = lines->whole * 64; at < lines->end_whole * 64; at += 64, query += n_queries * 64) {
        step(n_queries, squares, row, query, at, ~(__mmask64)0, flip_u8x64, touch, &to);
    }
    if (lines->end_whole < lines->n_lines)
        step(n_queries, squares, row, query, lines->end_whole * 64, lines->last, flip_u8x64, touch, &to);
    for (int q = 0; q < n_queries; q++) {
        const __m128i dots_i32x4 = ec_sum_lanes_i32x4(to.dots[q][0], to.dots[q][1], to.dots[q][2], to.dots[q][3]);
        _mm_mask_storeu_epi32(scores + q * scores_stride, there,
                              _mm_add_epi32(dots_i32x4, _mm_set1_epi32(corrections[q])));
    }
    if (squares) { /* sum v v = sum (v + 128) v - 128 sum v */
        const __m128i sums_i32x4 = ec_sum_lanes_i32x4(to.sums[0], to.sums[1], to.sums[2], to.sums[3]);
        const __m128i products_i32x4 =
            ec_sum_lanes_i32x4(to.products[0], to.products[1], to.products[2], to.products[3]);
        if (sums) _mm_mask_storeu_epi32(sums, there, sums_i32x4);
        if (sumsq) _mm_mask_storeu_epi32(sumsq, there, _mm_sub_epi32(products_i32x4, _mm_slli_epi32(sums_i32x4, 7)));
    }
}

static void dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, uint8_t flip, int32_t *scores, int64_t scores_stride, int32_t *sums,
                       int32_t *sumsq, void *prepared, const void *ahead, int64_t ahead_bytes) {
    const ec_lines lines = ec_lines_of(rows, stride_bytes, dimension, 1);
    const int64_t n_passes = (n_queries + PASS_QUERIES - 1) / PASS_QUERIES;
    const int64_t n_steps = n_passes * lines.n_lines;
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)(flip ^ 0x80));
    const char *soon = ahead, *const end = soon + ahead_bytes;
    int32_t corrections[MOST_QUERIES];
    if (n_queries <= 1) {
        if (n_queries == 1)
            ec_dot_i8_rows_avx512(queries, rows, stride_bytes, n_rows, dimension, flip, scores, sums, sumsq);
        return;
    }
    ec_lines_prepare(&lines, queries, n_queries, dimension, prepared);
    for (int64_t q = 0; q < n_queries; q++)
        corrections[q] = ec_correction_i8((const uint8_t *)queries + q * dimension, dimension);
    for (int64_t r = 0; r < n_rows; r += PASS_ROWS) {
        const uint8_t *first = (const uint8_t *)rows + r * stride_bytes, *query = prepared, *row[PASS_ROWS];
        const int64_t n = ec_min_i64(n_rows - r, PASS_ROWS);
        const __mmask8 there = (__mmask8)ec_lanes_below(n);
        for (int64_t i = 0; i < PASS_ROWS; i++) /* behind the last row the last one is repeated */
            row[i] = first + (ec_min_i64(i, n - 1) * stride_bytes - lines.lead);
        ec_touch touch = ec_touch_from(first + AHEAD, PASS_ROWS * stride_bytes, PASS_ROWS * dimension, n_steps);
        if (ahead_bytes) { /* a line a step: memory brings no more while one waits for a line */
            touch = ec_touch_from(soon, ec_min_i64(end - soon, 64 * n_steps), 64 * n_steps, n_steps);
            soon += ec_min_i64(end - soon, 64 * n_steps);
        }
        for (int64_t q = 0; q < n_queries; q += PASS_QUERIES, query += PASS_QUERIES * lines.n_lines * 64) {
            int32_t *out = scores + q * scores_stride + r;
#define PASS(N, S)                                                                                 \
    pass(N, S, row, query, &lines, flip_u8x64, &touch, corrections + q, there, out, scores_stride, \
         S && sums ? sums + r : NULL, S && sumsq ? sumsq + r : NULL)
            const int squares = (sums != NULL || sumsq != NULL) && q == 0;
            switch (ec_min_i64(n_queries - q, PASS_QUERIES) * 2 + squares) {
            case 2: PASS(1, 0); break; /* not with squares: a single query goes to ec_dot_i8_rows_avx512() */
            case 4: PASS(2, 0); break;
            case 5: PASS(2, 1); break;
            case 6: PASS(3, 0); break;
            case 7: PASS(3, 1); break;
            case 8: PASS(4, 0); break;
            default: PASS(4, 1); break;
            }
#undef PASS
        }
    }
}

EC_SLOTS(dot_few_i8, avx512) {
    table->most_few_i8 = MOST_QUERIES;
    table->most_few_short_i8 = MOST_QUERIES;
    table->dot_i8_few = dot_i8_few;
}

EC_TARGET_END
#endif
