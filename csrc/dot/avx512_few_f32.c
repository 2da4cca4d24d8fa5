/* A few float32 queries against plain rows: six rows by up to four queries at a time; a lane is a partial sum.
 *
 * Packing a row costs as much as meeting half a dozen queries, so that few queries are faster without it. Six rows, or
 * a piece of long ones, stay in the first-level cache while all queries meet them, and the next rows are prefetched
 * line by line:
 *
 *     rows r .. r+5  x  queries 0..3 | 4..7 | 8..11 | 12..15        each step prefetches a share of rows r+6 .. r+11
 *
 * Scores are those of avx512_f32.c to the bit: a lane of a line is a class, rotated by the lead of the rows, and every
 * class takes its products in order. */
#include "avx512_lines.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum {
    PASS_ROWS = 6,
    PASS_QUERIES = EC_LINE_GROUP, /* 6 x 4 sums, 4 vectors of queries, 1 of a row: 29 of 32 registers */
    PIECE_LINES = 72,             /* most lines of six rows at a time: 27 KB, in the 48 KB of the first-level cache */
    AHEAD = 24 << 10,
    MOST_QUERIES = 16 /* the most queries for which this is faster than packing */
};

typedef struct {
    const uint8_t *row[PASS_ROWS]; /* their first lines; behind the last row the last one is repeated */
} pass_rows;

EC_INLINE __m512 load_line(const uint8_t *p, __mmask64 valid) {
    return _mm512_castsi512_ps(~valid ? _mm512_maskz_loadu_epi8(valid, p) : _mm512_loadu_si512(p));
}

/* One line of six rows for n_queries queries. */
EC_INLINE void step(const int n_queries, const pass_rows *rows, const uint8_t *query, int64_t at, __mmask64 valid,
                    ec_touch *touch, __m512 (*dots)[PASS_ROWS]) {
    __m512 query_f32x16[PASS_QUERIES];
    ec_touch_step(touch);
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++) query_f32x16[q] = _mm512_load_ps(query + q * 64);
#pragma GCC unroll 6
    for (int i = 0; i < PASS_ROWS; i++) {
        const __m512 row_f32x16 = load_line(rows->row[i] + at, valid);
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++) dots[q][i] = _mm512_fmadd_ps(query_f32x16[q], row_f32x16, dots[q][i]);
    }
}

/* The partial sums of six rows for n_queries queries, in partials[6 q + i], from lines [line, end). The first line
 * begins new sums; behind the last line the lanes are rotated, so that class c is in lane c. */
EC_INLINE void pass(const int n_queries, const pass_rows *rows, const uint8_t *query, const ec_lines *lines,
                    int64_t line, int64_t end, __m512i rotation_u32x16, ec_touch *touch, __m512i *partials) {
    __m512 dots[PASS_QUERIES][PASS_ROWS];
    for (int q = 0; q < n_queries; q++)
        for (int i = 0; i < PASS_ROWS; i++)
            dots[q][i] = line ? _mm512_castsi512_ps(partials[q * PASS_ROWS + i]) : _mm512_setzero_ps();
    query += line * n_queries * 64;
    if (line < lines->whole) {
        step(n_queries, rows, query, 0, lines->first, touch, dots);
        query += n_queries * 64;
        line++;
    }
    for (; line < ec_min_i64(end, lines->end_whole); line++, query += n_queries * 64)
        step(n_queries, rows, query, line * 64, ~(__mmask64)0, touch, dots);
    if (line < end) step(n_queries, rows, query, line * 64, lines->last, touch, dots);
    for (int q = 0; q < n_queries; q++)
        for (int i = 0; i < PASS_ROWS; i++) {
            const __m512i sums_u32x16 = _mm512_castps_si512(dots[q][i]);
            partials[q * PASS_ROWS + i] =
                end == lines->n_lines ? _mm512_permutexvar_epi32(rotation_u32x16, sums_u32x16) : sums_u32x16;
        }
}

/* Like dot_f32_few(), for up to MOST_QUERIES queries. */
static void meet_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                     int64_t dimension, float *scores, int64_t scores_stride, double *sumsq, void *prepared) {
    const ec_lines lines = ec_lines_of(rows, stride_bytes, dimension * 4, 4);
    const int64_t n_sums = n_queries * PASS_ROWS, n_passes = (n_queries + PASS_QUERIES - 1) / PASS_QUERIES;
    const int64_t n_steps = n_passes * lines.n_lines, n_pieces = (lines.n_lines + PIECE_LINES - 1) / PIECE_LINES;
    const int64_t piece = (lines.n_lines + n_pieces - 1) / n_pieces;
    const __m512i rotation_u32x16 = ec_class_lanes(&lines);
    __m512i partials_u32x16[MOST_QUERIES * PASS_ROWS];
    float sums[MOST_QUERIES * PASS_ROWS + 16] = {0};
    ec_lines_prepare(&lines, queries, n_queries, dimension * 4, prepared);
    for (int64_t i = 0; i < MOST_QUERIES * PASS_ROWS; i++) partials_u32x16[i] = _mm512_setzero_si512();
    for (int64_t r = 0; r < n_rows; r += PASS_ROWS) {
        const uint8_t *first = (const uint8_t *)rows + r * stride_bytes;
        const int64_t n = ec_min_i64(n_rows - r, PASS_ROWS);
        pass_rows six;
        for (int64_t i = 0; i < PASS_ROWS; i++) six.row[i] = first + (ec_min_i64(i, n - 1) * stride_bytes - lines.lead);
        ec_touch touch = ec_touch_from(first + AHEAD, PASS_ROWS * stride_bytes, PASS_ROWS * dimension * 4, n_steps);
        for (int64_t line = 0, end; line < lines.n_lines; line = end) {
            end = ec_min_i64(line + piece, lines.n_lines);
            for (int64_t q = 0; q < n_queries; q += PASS_QUERIES) {
                const uint8_t *query = (const uint8_t *)prepared + q * lines.n_lines * 64;
                __m512i *partials = partials_u32x16 + q * PASS_ROWS;
                switch (ec_min_i64(n_queries - q, PASS_QUERIES)) {
                case 1: pass(1, &six, query, &lines, line, end, rotation_u32x16, &touch, partials); break;
                case 2: pass(2, &six, query, &lines, line, end, rotation_u32x16, &touch, partials); break;
                case 3: pass(3, &six, query, &lines, line, end, rotation_u32x16, &touch, partials); break;
                default: pass(4, &six, query, &lines, line, end, rotation_u32x16, &touch, partials); break;
                }
            }
        }
        for (int64_t i = 0; i < n_sums; i += 16) _mm512_storeu_ps(sums + i, ec_add_classes_f32x16(partials_u32x16 + i));
        for (int64_t q = 0; q < n_queries; q++)
            _mm256_mask_storeu_ps(scores + q * scores_stride + r, (__mmask8)ec_lanes_below(n),
                                  _mm256_loadu_ps(sums + q * PASS_ROWS));
        if (sumsq) ec_sumsq_f32_avx512(first, stride_bytes, n, dimension, sumsq + r);
    }
}

static void dot_f32_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                        int64_t dimension, float *scores, int64_t scores_stride, double *sumsq, void *prepared) {
    for (int64_t q = 0; q < n_queries; q += MOST_QUERIES, sumsq = NULL) {
        const uint8_t *first = (const uint8_t *)queries + q * dimension * 4;
        float *out = scores + q * scores_stride;
        if (n_queries - q == 1)
            ec_dot_f32_rows_avx512(first, rows, stride_bytes, n_rows, dimension, out, sumsq);
        else
            meet_few(first, ec_min_i64(n_queries - q, MOST_QUERIES), rows, stride_bytes, n_rows, dimension, out,
                     scores_stride, sumsq, prepared);
    }
}

EC_SLOTS(dot_few_f32, avx512) {
    table->most_few_f32 = MOST_QUERIES;
    table->dot_f32_few = dot_f32_few;
}

EC_TARGET_END
#endif
