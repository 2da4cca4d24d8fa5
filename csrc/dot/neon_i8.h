/* Shared by the tiers of AArch64 with int8 dots. Each has its own product of vectors and its own panel, the codes of
 * sixteen rows in groups of two or four, so that a lane is a row. */
#ifndef EC_DOT_NEON_I8_H
#define EC_DOT_NEON_I8_H

#include "strips.h"

#if defined(EC_AARCH64)

/* Adds the products of sixteen codes to the sums, four to a lane, no matter which: integer sums are exact. */
typedef int32x4_t ec_add_products_fn(int32x4_t sums, int8x16_t a, int8x16_t b);

/* The sums of a strip's 16 rows for one query. */
typedef struct {
    int32x4_t v0, v1, v2, v3;
} ec_sums_i32x16;

/* Adds to the sums the products of one group of codes of 16 rows with the same codes of a query. */
typedef ec_sums_i32x16 ec_add_group_fn(ec_sums_i32x16 sums, const uint8_t *group, const uint8_t *codes);

/* Sixteen codes of a row, flipped; behind the n-th they are 0. */
EC_INLINE int8x16_t ec_load_i8x16(const uint8_t *p, int64_t n, uint8_t flip) {
    const uint8x16_t flip_u8x16 = vdupq_n_u8(flip);
    if (EC_LIKELY(n >= 16)) return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), flip_u8x16));
    uint8_t bytes[16];
    memset(bytes, flip, 16);
    if (n > 0) memcpy(bytes, p, (size_t)n);
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(bytes), flip_u8x16));
}

/* A prepared query: its codes | zeros up to a multiple of 16 | a gap, so that queries do not meet in the same cache
 * sets. */
EC_INLINE int64_t ec_neon_query_bytes(int64_t dimension) { return ec_round_up(dimension, 64) + 64; }

EC_INLINE void ec_neon_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    for (int64_t q = 0; q < n_queries; q++) {
        uint8_t *out = (uint8_t *)prepared + q * ec_neon_query_bytes(dimension);
        memcpy(out, (const uint8_t *)queries + q * dimension, (size_t)dimension);
        memset(out + dimension, 0, (size_t)(ec_round_up(dimension, 16) - dimension));
    }
}

/* ---- packed rows ---- */

EC_INLINE void ec_neon_put(int32_t *scores, int64_t n_rows, ec_sums_i32x16 sums) {
    int32_t lanes[EC_STRIP];
    int32_t *out = n_rows < EC_STRIP ? lanes : scores;
    vst1q_s32(out, sums.v0);
    vst1q_s32(out + 4, sums.v1);
    vst1q_s32(out + 8, sums.v2);
    vst1q_s32(out + 12, sums.v3);
    if (n_rows < EC_STRIP) memcpy(scores, lanes, (size_t)n_rows * 4);
}

EC_INLINE void ec_neon_block(const int n_queries, const uint8_t *query, int64_t query_stride, const uint8_t *panel,
                             int64_t groups, const int size, int32_t *scores, int64_t scores_stride, int64_t n_rows,
                             ec_add_group_fn *add_group) {
    const int32x4_t nothing = vdupq_n_s32(0);
    const ec_sums_i32x16 zero = {nothing, nothing, nothing, nothing};
    ec_sums_i32x16 q0 = zero, q1 = zero, q2 = zero, q3 = zero;
    for (int64_t g = 0; g < groups; g++, query += size, panel += size * EC_STRIP) {
        q0 = add_group(q0, panel, query);
        if (n_queries > 1) q1 = add_group(q1, panel, query + query_stride);
        if (n_queries > 2) q2 = add_group(q2, panel, query + 2 * query_stride);
        if (n_queries > 3) q3 = add_group(q3, panel, query + 3 * query_stride);
    }
    ec_neon_put(scores, n_rows, q0);
    if (n_queries > 1) ec_neon_put(scores + scores_stride, n_rows, q1);
    if (n_queries > 2) ec_neon_put(scores + 2 * scores_stride, n_rows, q2);
    if (n_queries > 3) ec_neon_put(scores + 3 * scores_stride, n_rows, q3);
}

/* Like the scalar twin, for panels in groups of `size` codes. */
EC_INLINE void ec_neon_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel,
                            int64_t n_rows, int64_t dimension, const int size, int32_t *scores, int64_t scores_stride,
                            ec_add_group_fn *add_group) {
    enum { TOGETHER = 4 };
    const int64_t groups = (dimension + size - 1) / size, stride = ec_neon_query_bytes(dimension);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * stride;
    for (int64_t r = 0; r < n_rows; r += EC_STRIP) {
        const uint8_t *strip = (const uint8_t *)panel + r * groups * size;
        const int64_t n = ec_min_i64(n_rows - r, EC_STRIP);
        int64_t q = 0;
        for (; q + TOGETHER <= n_queries; q += TOGETHER)
            ec_neon_block(TOGETHER, queries + q * stride, stride, strip, groups, size, scores + q * scores_stride + r,
                          scores_stride, n, add_group);
        for (; q < n_queries; q++)
            ec_neon_block(1, queries + q * stride, stride, strip, groups, size, scores + q * scores_stride + r,
                          scores_stride, n, add_group);
    }
}

/* ---- plain rows ---- */

/* Adds sixteen products (or the `left` that there are) of each of four rows with the query. */
EC_INLINE ec_sums_i32x16 ec_neon_add_rows(ec_sums_i32x16 sums, const uint8_t *const rows[4], const uint8_t *codes,
                                          int64_t d, int64_t left, uint8_t flip, ec_add_products_fn *add_products) {
    const int8x16_t query = ec_load_i8x16(codes + d, left, 0);
    sums.v0 = add_products(sums.v0, ec_load_i8x16(rows[0] + d, left, flip), query);
    sums.v1 = add_products(sums.v1, ec_load_i8x16(rows[1] + d, left, flip), query);
    sums.v2 = add_products(sums.v2, ec_load_i8x16(rows[2] + d, left, flip), query);
    sums.v3 = add_products(sums.v3, ec_load_i8x16(rows[3] + d, left, flip), query);
    return sums;
}

/* Four rows share the loads of the query. Behind the last row the last one is repeated, and not stored. */
EC_INLINE void ec_neon_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows,
                            int64_t dimension, uint8_t flip, int32_t *scores, ec_add_products_fn *add_products) {
    for (int64_t r = 0; r < n_rows; r += 4) {
        const uint8_t *four[4];
        for (int i = 0; i < 4; i++) four[i] = (const uint8_t *)rows + ec_min_i64(r + i, n_rows - 1) * stride_bytes;
        const int32x4_t nothing = vdupq_n_s32(0);
        ec_sums_i32x16 sums = {nothing, nothing, nothing, nothing};
        int64_t d = 0;
        for (; d + 16 <= dimension; d += 16) sums = ec_neon_add_rows(sums, four, query, d, 16, flip, add_products);
        if (d < dimension) sums = ec_neon_add_rows(sums, four, query, d, dimension - d, flip, add_products);
        const int32_t totals[4] = {vaddvq_s32(sums.v0), vaddvq_s32(sums.v1), vaddvq_s32(sums.v2), vaddvq_s32(sums.v3)};
        memcpy(scores + r, totals, (size_t)ec_min_i64(n_rows - r, 4) * 4);
    }
}

/* The sums of the rows' codes, or of their squares. */
EC_INLINE void ec_neon_sums(const int squares, const void *rows, int64_t stride_bytes, int64_t n_rows,
                            int64_t dimension, uint8_t flip, int32_t *sums, ec_add_products_fn *add_products) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        int32x4_t sums_i32x4 = vdupq_n_s32(0);
        for (int64_t d = 0; d < dimension; d += 16) {
            const int8x16_t codes_i8x16 = ec_load_i8x16(row + d, dimension - d, flip);
            sums_i32x4 = add_products(sums_i32x4, codes_i8x16, squares ? codes_i8x16 : vdupq_n_s8(1));
        }
        sums[r] = vaddvq_s32(sums_i32x4);
    }
}

#endif
#endif
