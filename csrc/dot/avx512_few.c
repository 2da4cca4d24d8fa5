/* A few queries against plain rows: four rows by up to four queries at a time, a lane being a part of a row.
 *
 * To pack a row costs as much as to meet half a dozen queries, so that few are better off without. What memory brings
 * in meanwhile is asked for line by line, a row of the next few with each step, so that it never waits for arithmetic:
 *
 *     rows r .. r+3  x  queries 0..3 | 4..7 | 8..11 | 12..15        each pass asks for a row of those ahead
 *
 * The squared lengths that cosines and distances want are counted in the first pass, while a row is in registers. */
#include "avx512.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum {
    PASS_ROWS = 4,
    PASS_QUERIES = 4,
    AHEAD_I8 = 4 << 10,   /* bytes: a few rows, in the first-level cache */
    AHEAD_F32 = 64 << 10, /* in the second: rows of 4,096 bytes meet in the same sets of the first */
    FEW_I8 = 64,          /* up to so many queries this beats packing */
    FEW_F32 = 16
};

/* Rows that a pass asks for: all four in one pass, or one each in four. */
EC_INLINE int ahead_rows(int64_t n_queries) {
    return n_queries <= PASS_QUERIES ? 4 : n_queries <= 3 * PASS_QUERIES ? 2 : 1;
}

/* *sums += the products of each lane; see avx512_i8.c for why this is not the intrinsic. */
EC_INLINE void add_dots_of_4(__m512i *sums_i32x16, __m512i rows_u8x64, __m512i codes_i8x64) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums_i32x16) : "v"(rows_u8x64), "v"(codes_i8x64));
#else
    *sums_i32x16 = _mm512_dpbusd_epi32(*sums_i32x16, rows_u8x64, codes_i8x64);
#endif
}

typedef struct {
    const uint8_t *row[PASS_ROWS]; /* past the last row it is repeated */
    const char *ahead;
    int64_t ahead_stride;
    int ahead_rows;
} pass_rows;

EC_INLINE pass_rows rows_from(const uint8_t *rows, int64_t stride_bytes, int64_t n, int64_t n_queries, int64_t ahead) {
    pass_rows from;
    for (int i = 0; i < PASS_ROWS; i++) from.row[i] = rows + ec_min_i64(i, n - 1) * stride_bytes;
    from.ahead = (const char *)rows + ahead;
    from.ahead_stride = stride_bytes;
    from.ahead_rows = ahead_rows(n_queries);
    return from;
}

EC_INLINE void next_pass(pass_rows *from) { from->ahead += from->ahead_rows * from->ahead_stride; }

/* One vector of four rows with n_queries queries: bytes [d, d + 64) of each, those of `valid`. */
EC_INLINE void step_i8(const int n_queries, const int squares, const pass_rows *from, const uint8_t *codes,
                       int64_t dimension, int64_t d, __mmask64 valid, __m512i flip_u8x64, __m512i (*dots)[PASS_ROWS],
                       __m512i *sums, __m512i *products) {
    const __m512i sign_u8x64 = _mm512_set1_epi8((char)0x80), ones_u8x64 = _mm512_set1_epi8(1);
    __m512i rows_u8x64[PASS_ROWS];
#pragma GCC unroll 4
    for (int i = 0; i < PASS_ROWS; i++)
        rows_u8x64[i] = _mm512_xor_si512(flip_u8x64, _mm512_maskz_loadu_epi8(valid, from->row[i] + d));
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++) {
        const __m512i codes_i8x64 = _mm512_maskz_loadu_epi8(valid, codes + q * dimension + d);
#pragma GCC unroll 4
        for (int i = 0; i < PASS_ROWS; i++) add_dots_of_4(&dots[q][i], rows_u8x64[i], codes_i8x64);
    }
    if (squares) {
#pragma GCC unroll 4
        for (int i = 0; i < PASS_ROWS; i++) {
            const __m512i codes_i8x64 = _mm512_maskz_mov_epi8(valid, _mm512_xor_si512(sign_u8x64, rows_u8x64[i]));
            add_dots_of_4(&products[i], rows_u8x64[i], codes_i8x64);
            add_dots_of_4(&sums[i], ones_u8x64, codes_i8x64);
        }
    }
}

/* Four rows, flipped to unsigned, with n_queries queries; `sumsq` gets sums of squares if `squares`. */
EC_INLINE void pass_i8(const int n_queries, const int squares, const pass_rows *from, const uint8_t *codes,
                       int64_t dimension, __m512i flip_u8x64, const int32_t *corrections, __mmask8 lanes,
                       int32_t *scores, int64_t scores_stride, int32_t *sumsq) {
    __m512i dots[PASS_QUERIES][PASS_ROWS], sums[PASS_ROWS], products[PASS_ROWS];
    const int64_t whole = dimension / 64 * 64;
    for (int i = 0; i < PASS_ROWS; i++) {
        for (int q = 0; q < n_queries; q++) dots[q][i] = _mm512_setzero_si512();
        sums[i] = products[i] = _mm512_setzero_si512();
    }
    for (int64_t d = 0; d < whole; d += 64) {
        for (int i = 0; i < from->ahead_rows; i++) _mm_prefetch(from->ahead + i * from->ahead_stride + d, _MM_HINT_T0);
        step_i8(n_queries, squares, from, codes, dimension, d, ~(__mmask64)0, flip_u8x64, dots, sums, products);
    }
    if (whole < dimension)
        step_i8(n_queries, squares, from, codes, dimension, whole, ec_bytes_below(dimension - whole), flip_u8x64, dots,
                sums, products);
    for (int q = 0; q < n_queries; q++) {
        const __m128i dots_i32x4 = ec_sum_lanes_i32x4(dots[q][0], dots[q][1], dots[q][2], dots[q][3]);
        _mm_mask_storeu_epi32(scores + q * scores_stride, lanes,
                              _mm_add_epi32(dots_i32x4, _mm_set1_epi32(corrections[q])));
    }
    if (squares) { /* (v + 128) v - 128 v */
        for (int i = 0; i < PASS_ROWS; i++)
            products[i] = _mm512_sub_epi32(products[i], _mm512_slli_epi32(sums[i], 7));
        _mm_mask_storeu_epi32(sumsq, lanes, ec_sum_lanes_i32x4(products[0], products[1], products[2], products[3]));
    }
}

/* -128 times the sum of a query: what flipping the rows to unsigned has added. */
static int32_t correction_of(const uint8_t *codes, int64_t dimension) {
    __m512i sums_i32x16 = _mm512_setzero_si512();
    for (int64_t d = 0; d < dimension; d += 64)
        add_dots_of_4(&sums_i32x16, _mm512_set1_epi8(1), _mm512_maskz_loadu_epi8(ec_bytes_below(dimension - d), codes + d));
    return -128 * _mm512_reduce_add_epi32(sums_i32x16);
}

static void dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, uint8_t flip, int32_t *scores, int64_t scores_stride, int32_t *sumsq) {
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)(flip ^ 0x80));
    int32_t corrections[EC_DOT_FEW];
    for (int64_t q = 0; q < n_queries; q++)
        corrections[q] = correction_of((const uint8_t *)queries + q * dimension, dimension);
    for (int64_t r = 0; r < n_rows; r += PASS_ROWS) {
        const int64_t n = ec_min_i64(n_rows - r, PASS_ROWS);
        const __mmask8 lanes = (__mmask8)((1u << n) - 1);
        pass_rows from = rows_from((const uint8_t *)rows + r * stride_bytes, stride_bytes, n, n_queries, AHEAD_I8);
        for (int64_t q = 0; q < n_queries; q += PASS_QUERIES) {
            const uint8_t *codes = (const uint8_t *)queries + q * dimension;
            int32_t *out = scores + q * scores_stride + r;
#define PASS(N, S)                                                                                                     \
    pass_i8(N, S, &from, codes, dimension, flip_u8x64, corrections + q, lanes, out, scores_stride, S ? sumsq + r : NULL)
            const int squares = sumsq != NULL && q == 0;
            switch (ec_min_i64(n_queries - q, PASS_QUERIES) * 2 + squares) {
            case 2: PASS(1, 0); break;
            case 3: PASS(1, 1); break;
            case 4: PASS(2, 0); break;
            case 5: PASS(2, 1); break;
            case 6: PASS(3, 0); break;
            case 7: PASS(3, 1); break;
            case 8: PASS(4, 0); break;
            default: PASS(4, 1); break;
            }
#undef PASS
            next_pass(&from);
        }
    }
}

/* ---- float32: a lane is a partial sum, as in avx512_f32.c ---- */

EC_INLINE void step_f32(const int n_queries, const int squares, const pass_rows *from, const uint8_t *query,
                        int64_t query_bytes, int64_t at, __mmask16 valid, __m512 (*dots)[PASS_ROWS], __m512d *low,
                        __m512d *high) {
    __m512 rows_f32x16[PASS_ROWS];
#pragma GCC unroll 4
    for (int i = 0; i < PASS_ROWS; i++) rows_f32x16[i] = _mm512_maskz_loadu_ps(valid, from->row[i] + at);
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++) {
        const __m512 query_f32x16 = _mm512_maskz_loadu_ps(valid, query + q * query_bytes + at);
#pragma GCC unroll 4
        for (int i = 0; i < PASS_ROWS; i++)
            dots[q][i] = _mm512_mask3_fmadd_ps(query_f32x16, rows_f32x16[i], dots[q][i], valid);
    }
    if (squares) {
#pragma GCC unroll 4
        for (int i = 0; i < PASS_ROWS; i++) { /* the square is exact: fused or not is the same */
            const __m512d a_f64x8 = _mm512_cvtps_pd(_mm512_castps512_ps256(rows_f32x16[i]));
            const __m512d b_f64x8 = _mm512_cvtps_pd(_mm512_extractf32x8_ps(rows_f32x16[i], 1));
            low[i] = _mm512_fmadd_pd(a_f64x8, a_f64x8, low[i]);
            high[i] = _mm512_fmadd_pd(b_f64x8, b_f64x8, high[i]);
        }
    }
}

/* As ec_halve_f64x16: 8 and 8, 4 and 4, 2 and 2. */
EC_INLINE double halve(__m512d low_f64x8, __m512d high_f64x8) {
    const __m512d eight = _mm512_add_pd(low_f64x8, high_f64x8);
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* Partial sums of four rows with n_queries queries, to partials[4 q + i]. */
EC_INLINE void pass_f32(const int n_queries, const int squares, const pass_rows *from, const uint8_t *query,
                        int64_t dimension, __m512i *partials, double *sumsq, int64_t n_rows) {
    __m512 dots[PASS_QUERIES][PASS_ROWS];
    __m512d low[PASS_ROWS], high[PASS_ROWS];
    const int64_t whole = dimension / 16 * 64;
    for (int i = 0; i < PASS_ROWS; i++) {
        for (int q = 0; q < n_queries; q++) dots[q][i] = _mm512_setzero_ps();
        low[i] = high[i] = _mm512_setzero_pd();
    }
    for (int64_t at = 0; at < whole; at += 64) {
        for (int i = 0; i < from->ahead_rows; i++) _mm_prefetch(from->ahead + i * from->ahead_stride + at, _MM_HINT_T1);
        step_f32(n_queries, squares, from, query, dimension * 4, at, 0xffff, dots, low, high);
    }
    if (dimension % 16)
        step_f32(n_queries, squares, from, query, dimension * 4, whole, ec_lanes_below(dimension % 16), dots, low, high);
    for (int q = 0; q < n_queries; q++)
        for (int i = 0; i < PASS_ROWS; i++) partials[q * PASS_ROWS + i] = _mm512_castps_si512(dots[q][i]);
    if (squares)
        for (int64_t i = 0; i < n_rows; i++) sumsq[i] = halve(low[i], high[i]);
}

static void dot_f32_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                        int64_t dimension, float *scores, int64_t scores_stride, double *sumsq) {
    __m512i partials_u32x16[16];
    for (int i = 0; i < 16; i++) partials_u32x16[i] = _mm512_setzero_si512();
    for (int64_t r = 0; r < n_rows; r += PASS_ROWS) {
        const int64_t n = ec_min_i64(n_rows - r, PASS_ROWS);
        pass_rows from = rows_from((const uint8_t *)rows + r * stride_bytes, stride_bytes, n, n_queries, AHEAD_F32);
        for (int64_t q = 0; q < n_queries; q += PASS_QUERIES) {
            const uint8_t *query = (const uint8_t *)queries + q * dimension * 4;
            const int squares = sumsq != NULL && q == 0;
            const int64_t n_pass = ec_min_i64(n_queries - q, PASS_QUERIES);
#define PASS(N, S) pass_f32(N, S, &from, query, dimension, partials_u32x16, S ? sumsq + r : NULL, n)
            switch (n_pass * 2 + squares) {
            case 2: PASS(1, 0); break;
            case 3: PASS(1, 1); break;
            case 4: PASS(2, 0); break;
            case 5: PASS(2, 1); break;
            case 6: PASS(3, 0); break;
            case 7: PASS(3, 1); break;
            case 8: PASS(4, 0); break;
            default: PASS(4, 1); break;
            }
#undef PASS
            next_pass(&from);
            ec_transpose_u32x16(partials_u32x16); /* a lane is now a query and row; partial sums are added in order */
            __m512 sums_f32x16 = _mm512_setzero_ps();
            for (int c = 0; c < EC_CLASSES; c++)
                sums_f32x16 = _mm512_add_ps(sums_f32x16, _mm512_castsi512_ps(partials_u32x16[c]));
            float of_pass[16];
            _mm512_storeu_ps(of_pass, sums_f32x16);
            for (int64_t i = 0; i < n_pass; i++)
                memcpy(scores + (q + i) * scores_stride + r, of_pass + i * PASS_ROWS, (size_t)n * sizeof(float));
        }
    }
}

void ec_dot_few_install_avx512(ec_kernels *table) {
    table->most_few_i8 = FEW_I8;
    table->most_few_f32 = FEW_F32;
    table->dot_i8_few = dot_i8_few;
    table->dot_f32_few = dot_f32_few;
}

EC_TARGET_END
#endif
