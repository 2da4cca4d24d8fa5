/* One query against plain rows, at the speed of memory. The squared lengths that cosines and distances need are counted
 * while a line is in registers.
 *
 * Rows are read one after the other, line by line, and not asked for ahead: of a single stream the processor's own
 * prefetching makes more than asking does, and more than of several rows at once. Every second line is read by halves
 * (Zen 4, where 512 bits are two loads anyway, reads memory a sixth faster so than by whole lines; from the caches
 * whole lines are faster). */
#include "avx512_lines.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum { MOST_MOVED = 16 << 10 }; /* the most bytes of a query that is shifted to the lead of the rows */

/* A query, shifted to the lead of the rows. */
typedef struct {
    ec_lines lines;
    const uint8_t *query; /* `moved`, or the caller's where that is too long; its last line needs a mask */
    _Alignas(64) uint8_t moved[MOST_MOVED];
} moved_query;

static void move_query(moved_query *to, const void *query, const void *rows, int64_t stride_bytes, int64_t row_bytes,
                       int64_t element_bytes) {
    to->lines = ec_lines_of(rows, stride_bytes, row_bytes, element_bytes);
    to->query = to->moved;
    if (to->lines.n_lines * 64 <= MOST_MOVED) {
        ec_lines_prepare(&to->lines, query, 1, row_bytes, to->moved);
    } else {
        to->lines = ec_lines_of(query, 1, row_bytes, element_bytes); /* lead 0 */
        to->query = query;
    }
}

EC_INLINE __m512i load_halves(const uint8_t *line) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)line);
    const __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(line + 32));
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* ---- int8: see avx512_i8.c for the signs ---- */

typedef struct {
    __m512i dots_i32x16, products_i32x16, sums_i32x16;
} row_sums;

/* Adds one line to the sums: the products of the row, made unsigned, with the query; if `squares`, also (v + 128) v and
 * v, from which the sum of v v follows. */
EC_INLINE void add_line_i8(const int squares, row_sums *sums, __m512i raw_u8x64, __m512i flip_u8x64, __mmask64 valid,
                           __m512i query_i8x64) {
    const __m512i sign_u8x64 = _mm512_set1_epi8((char)0x80), ones_u8x64 = _mm512_set1_epi8(1);
    const __m512i codes_u8x64 = _mm512_xor_si512(raw_u8x64, flip_u8x64);
    ec_add_dots_of_4(&sums->dots_i32x16, codes_u8x64, query_i8x64);
    if (squares) {
        __m512i codes_i8x64 = _mm512_xor_si512(codes_u8x64, sign_u8x64);
        if (~valid) codes_i8x64 = _mm512_maskz_mov_epi8(valid, codes_i8x64);
        ec_add_dots_of_4(&sums->products_i32x16, codes_u8x64, codes_i8x64);
        ec_add_dots_of_4(&sums->sums_i32x16, ones_u8x64, codes_i8x64);
    }
}

enum { ROWS_AT_ONCE = 4 }; /* whose lanes are added up together */

/* The lane sums of a row's products with the query and, if `squares`, the others of add_line_i8(). Lines are added in
 * turn to two sums, which are chains of half the length. */
EC_INLINE row_sums sum_row_i8(const int squares, const uint8_t *row, const ec_lines *lines, const uint8_t *query,
                              __m512i flip_u8x64) {
    const row_sums zero = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    const __mmask64 all = ~(__mmask64)0;
    row_sums sums = zero, odd = zero;
    int64_t at = lines->whole * 64;
    if (lines->whole)
        add_line_i8(squares, &sums, _mm512_maskz_loadu_epi8(lines->first, row), flip_u8x64, lines->first,
                    _mm512_loadu_si512(query));
    for (; at + 64 < lines->end_whole * 64; at += 128) {
        add_line_i8(squares, &odd, _mm512_loadu_si512(row + at), flip_u8x64, all, _mm512_loadu_si512(query + at));
        add_line_i8(squares, &sums, load_halves(row + at + 64), flip_u8x64, all, _mm512_loadu_si512(query + at + 64));
    }
    if (at < lines->end_whole * 64)
        add_line_i8(squares, &odd, _mm512_loadu_si512(row + at), flip_u8x64, all, _mm512_loadu_si512(query + at));
    if (lines->end_whole < lines->n_lines) {
        at = lines->end_whole * 64;
        add_line_i8(squares, &sums, _mm512_maskz_loadu_epi8(lines->last, row + at), flip_u8x64, lines->last,
                    _mm512_maskz_loadu_epi8(lines->last, query + at));
    }
    sums.dots_i32x16 = _mm512_add_epi32(sums.dots_i32x16, odd.dots_i32x16);
    if (squares) {
        sums.products_i32x16 = _mm512_add_epi32(sums.products_i32x16, odd.products_i32x16);
        sums.sums_i32x16 = _mm512_add_epi32(sums.sums_i32x16, odd.sums_i32x16);
    }
    return sums;
}

EC_INLINE void all_rows_i8(const int squares, const moved_query *moved, int32_t correction, const uint8_t *rows,
                           int64_t stride_bytes, int64_t n_rows, __m512i flip_u8x64, int32_t *scores, int32_t *sums,
                           int32_t *sumsq) {
    const __m128i correction_i32x4 = _mm_set1_epi32(correction);
    for (int64_t r = 0; r < n_rows; r += ROWS_AT_ONCE) {
        const int64_t n = ec_min_i64(n_rows - r, ROWS_AT_ONCE);
        const __mmask8 there = (__mmask8)ec_lanes_below(n);
        row_sums row[ROWS_AT_ONCE];
#pragma GCC unroll 4
        for (int64_t i = 0; i < ROWS_AT_ONCE; i++) /* behind the last row the last one is repeated, and not stored */
            row[i] = sum_row_i8(squares, rows + ((r + ec_min_i64(i, n - 1)) * stride_bytes - moved->lines.lead),
                                &moved->lines, moved->query, flip_u8x64);
        const __m128i dots_i32x4 =
            ec_sum_lanes_i32x4(row[0].dots_i32x16, row[1].dots_i32x16, row[2].dots_i32x16, row[3].dots_i32x16);
        _mm_mask_storeu_epi32(scores + r, there, _mm_add_epi32(dots_i32x4, correction_i32x4));
        if (squares) { /* sum v v = sum (v + 128) v - 128 sum v */
            const __m128i sums_i32x4 =
                ec_sum_lanes_i32x4(row[0].sums_i32x16, row[1].sums_i32x16, row[2].sums_i32x16, row[3].sums_i32x16);
            const __m128i products_i32x4 = ec_sum_lanes_i32x4(row[0].products_i32x16, row[1].products_i32x16,
                                                              row[2].products_i32x16, row[3].products_i32x16);
            const __m128i sumsq_i32x4 = _mm_sub_epi32(products_i32x4, _mm_slli_epi32(sums_i32x4, 7));
            if (sums) _mm_mask_storeu_epi32(sums + r, there, sums_i32x4);
            if (sumsq) _mm_mask_storeu_epi32(sumsq + r, there, sumsq_i32x4);
        }
    }
}

void ec_dot_i8_rows_avx512(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                           uint8_t flip, int32_t *scores, int32_t *sums, int32_t *sumsq) {
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)(flip ^ 0x80));
    const int32_t correction = ec_correction_i8(query, dimension);
    moved_query moved;
    move_query(&moved, query, rows, stride_bytes, dimension, 1);
    if (sums || sumsq)
        all_rows_i8(1, &moved, correction, rows, stride_bytes, n_rows, flip_u8x64, scores, sums, sumsq);
    else
        all_rows_i8(0, &moved, correction, rows, stride_bytes, n_rows, flip_u8x64, scores, NULL, NULL);
}

static void dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *scores) {
    ec_dot_i8_rows_avx512(query, rows, stride_bytes, n_rows, dimension, flip, scores, NULL, NULL);
}

/* ---- float32: a lane is a partial sum, rotated by the lead ---- */

typedef struct {
    __m512 dots_f32x16;
    __m512d low_f64x8, high_f64x8;
} row_sums_f32;

/* The part of a row in a line that it does not fill. */
EC_INLINE void add_part_f32(const int squares, row_sums_f32 *sums, const uint8_t *line, __mmask64 valid,
                            const uint8_t *query) {
    const __m512 query_f32x16 = _mm512_castsi512_ps(_mm512_maskz_loadu_epi8(valid, query));
    const __m512 row_f32x16 = _mm512_castsi512_ps(_mm512_maskz_loadu_epi8(valid, line));
    sums->dots_f32x16 = _mm512_fmadd_ps(query_f32x16, row_f32x16, sums->dots_f32x16);
    if (squares)
        ec_add_squares(_mm512_castps512_ps256(row_f32x16), _mm512_extractf32x8_ps(row_f32x16, 1), &sums->low_f64x8,
                       &sums->high_f64x8);
}

/* The partial sums of a row. */
EC_INLINE row_sums_f32 sum_row_f32(const int squares, const uint8_t *row, const ec_lines *lines, const uint8_t *query) {
    row_sums_f32 sums = {_mm512_setzero_ps(), _mm512_setzero_pd(), _mm512_setzero_pd()};
    if (lines->whole) add_part_f32(squares, &sums, row, lines->first, query);
    int64_t at = lines->whole * 64;
    for (; !squares && at + 64 < lines->end_whole * 64; at += 128) {
        const __m512 whole_f32x16 = _mm512_loadu_ps(row + at);
        const __m512 halves_f32x16 = _mm512_castsi512_ps(load_halves(row + at + 64));
        sums.dots_f32x16 = _mm512_fmadd_ps(_mm512_loadu_ps(query + at), whole_f32x16, sums.dots_f32x16);
        sums.dots_f32x16 = _mm512_fmadd_ps(_mm512_loadu_ps(query + at + 64), halves_f32x16, sums.dots_f32x16);
    }
    for (; at < lines->end_whole * 64; at += 64) {
        const float *x = (const float *)(row + at);
        sums.dots_f32x16 = _mm512_fmadd_ps(_mm512_loadu_ps(query + at), _mm512_loadu_ps(x), sums.dots_f32x16);
        if (squares) /* each half is read by itself: that costs less than to take a vector apart */
            ec_add_squares(_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8), &sums.low_f64x8, &sums.high_f64x8);
    }
    if (lines->end_whole < lines->n_lines) {
        at = lines->end_whole * 64;
        add_part_f32(squares, &sums, row + at, lines->last, query + at);
    }
    return sums;
}

EC_INLINE void all_rows_f32(const int squares, const moved_query *moved, const uint8_t *rows, int64_t stride_bytes,
                            int64_t n_rows, float *scores, double *sumsq) {
    const ec_lines *lines = &moved->lines;
    const __m512i rotation_u32x16 = ec_class_lanes(lines);
    for (int64_t r = 0; r < n_rows; r += 16) {
        const int64_t n = ec_min_i64(n_rows - r, 16);
        __m512i partials_u32x16[16];
        for (int i = 0; i < 16; i++) partials_u32x16[i] = _mm512_setzero_si512();
        for (int64_t i = 0; i < n; i++) {
            const uint8_t *row = rows + ((r + i) * stride_bytes - lines->lead);
            const row_sums_f32 sums = sum_row_f32(squares, row, lines, moved->query);
            partials_u32x16[i] = _mm512_permutexvar_epi32(rotation_u32x16, _mm512_castps_si512(sums.dots_f32x16));
            if (squares) sumsq[r + i] = ec_halve_f64x8x2(sums.low_f64x8, sums.high_f64x8);
        }
        _mm512_mask_storeu_ps(scores + r, ec_lanes_below(n), ec_add_classes_f32x16(partials_u32x16));
    }
}

void ec_dot_f32_rows_avx512(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows,
                            int64_t dimension, float *scores, double *sumsq) {
    moved_query moved;
    move_query(&moved, query, rows, stride_bytes, dimension * 4, 4);
    if (sumsq)
        all_rows_f32(1, &moved, rows, stride_bytes, n_rows, scores, sumsq);
    else
        all_rows_f32(0, &moved, rows, stride_bytes, n_rows, scores, NULL);
}

static void dot_f32_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                         float *scores) {
    ec_dot_f32_rows_avx512(query, rows, stride_bytes, n_rows, dimension, scores, NULL);
}

/* ---- chosen float32 rows, which are in the cache: read from where they lie, some at once, which are independent
 * chains of additions ---- */

enum { MOST_AT_ONCE = 4 };

/* Adds up the partial sums of a row in the order of the specification. */
EC_INLINE float add_classes(__m512 partials_f32x16) {
    float partials[EC_CLASSES], sum = 0;
    _mm512_storeu_ps(partials, partials_f32x16);
    for (int c = 0; c < EC_CLASSES; c++) sum += partials[c];
    return sum;
}

EC_INLINE void some_rows_f32(const int n_rows, const float *query, const float *const *row, int64_t dimension,
                             float *scores) {
    __m512 dots_f32x16[MOST_AT_ONCE];
    int64_t d = 0;
    for (int i = 0; i < n_rows; i++) dots_f32x16[i] = _mm512_setzero_ps();
    for (; d + 16 <= dimension; d += 16) {
        const __m512 query_f32x16 = _mm512_loadu_ps(query + d);
#pragma GCC unroll 4
        for (int i = 0; i < n_rows; i++)
            dots_f32x16[i] = _mm512_fmadd_ps(query_f32x16, _mm512_loadu_ps(row[i] + d), dots_f32x16[i]);
    }
    if (d < dimension) {
        const __mmask16 left = ec_lanes_below(dimension - d);
        const __m512 query_f32x16 = _mm512_maskz_loadu_ps(left, query + d);
        for (int i = 0; i < n_rows; i++)
            dots_f32x16[i] = _mm512_fmadd_ps(query_f32x16, _mm512_maskz_loadu_ps(left, row[i] + d), dots_f32x16[i]);
    }
    for (int i = 0; i < n_rows; i++) scores[i] = add_classes(dots_f32x16[i]);
}

static void dot_f32_chosen(const void *query, const void *rows, int64_t stride_bytes, const int32_t *chosen, int64_t n,
                           int64_t dimension, float *scores) {
    for (int64_t i = 0; i < n; i += MOST_AT_ONCE) {
        const float *row[MOST_AT_ONCE];
        for (int64_t j = 0; j < MOST_AT_ONCE; j++)
            row[j] = (const float *)((const uint8_t *)rows + chosen[ec_min_i64(i + j, n - 1)] * stride_bytes);
        switch (n - i) {
        case 1: some_rows_f32(1, query, row, dimension, scores + i); break;
        case 2: some_rows_f32(2, query, row, dimension, scores + i); break;
        case 3: some_rows_f32(3, query, row, dimension, scores + i); break;
        default: some_rows_f32(4, query, row, dimension, scores + i); break;
        }
    }
}

EC_SLOTS(dot_rows, avx512) {
    table->dot_i8_rows = dot_i8_rows;
    table->dot_f32_rows = dot_f32_rows;
    table->dot_f32_chosen = dot_f32_chosen;
}

EC_TARGET_END
#endif
