/* int8 dots with sdot of Armv8.2: four products of bytes a lane, added to its 32 bits. In tiles a lane is a row, whose codes
 * lie four by four; the rest of the family, and of every other, is NEON's.
 *
 *     row 0  a0 a1 a2 a3 | a4 ...              group 0: a0..a3 of rows 0 .. 15, 64 bytes; group 1: a4..a7; ...
 *     row 1  b0 b1 b2 b3 | b4 ...              the last group filled up with zeros                                    */
#include "strips.h"

#if defined(EC_DOTPROD)
EC_TARGET_DOTPROD

enum { TILE_QUERIES = 4, GROUP_BYTES = 4 * EC_STRIP };

/* Sixteen codes of a row, zeros behind its end, which are flipped where the row is. */
EC_INLINE int8x16_t load_codes(const uint8_t *p, int64_t n, uint8_t flip) {
    const uint8x16_t flip_u8x16 = vdupq_n_u8(flip);
    if (EC_LIKELY(n >= 16)) return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), flip_u8x16));
    uint8_t bytes[16];
    memset(bytes, flip, 16);
    if (n > 0) memcpy(bytes, p, (size_t)n);
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(bytes), flip_u8x16));
}

/* A prepared query: its codes, zeros up to a multiple of 16 | gap against meeting in the same cache sets. */
EC_INLINE int64_t query_bytes(int64_t dimension) { return ec_round_up(dimension, 64) + 64; }

static void dot_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    for (int64_t q = 0; q < n_queries; q++) {
        uint8_t *out = (uint8_t *)prepared + q * query_bytes(dimension);
        memcpy(out, (const uint8_t *)queries + q * dimension, (size_t)dimension);
        memset(out + dimension, 0, (size_t)(ec_round_up(dimension, 16) - dimension));
    }
}

/* Four rows of four groups each to four vectors, vector i the groups i of all rows. */
EC_INLINE void transpose_u32x4(uint32x4_t v[4]) {
    const uint32x4_t a = vtrn1q_u32(v[0], v[1]), b = vtrn2q_u32(v[0], v[1]);
    const uint32x4_t c = vtrn1q_u32(v[2], v[3]), d = vtrn2q_u32(v[2], v[3]);
    v[0] = vcombine_u32(vget_low_u32(a), vget_low_u32(c));
    v[1] = vcombine_u32(vget_low_u32(b), vget_low_u32(d));
    v[2] = vcombine_u32(vget_high_u32(a), vget_high_u32(c));
    v[3] = vcombine_u32(vget_high_u32(b), vget_high_u32(d));
}

static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    const int64_t groups = (dimension + 3) / 4;
    for (int64_t first = 0; first < n_rows; first += EC_STRIP)
        for (int64_t d = 0; d < dimension; d += 16)
            for (int64_t r = 0; r < EC_STRIP; r += 4) {
                uint32x4_t codes[4];
                for (int i = 0; i < 4; i++) {
                    const int64_t row = first + r + i;
                    const uint8_t *p = (const uint8_t *)rows + (row < n_rows ? row * stride_bytes + d : 0);
                    codes[i] = vreinterpretq_u32_s8(load_codes(p, row < n_rows ? dimension - d : 0, flip));
                }
                transpose_u32x4(codes);
                uint8_t *out = (uint8_t *)panel + (first / EC_STRIP * groups + d / 4) * GROUP_BYTES + 4 * r;
                for (int i = 0; i < 4 && d / 4 + i < groups; i++)
                    vst1q_u8(out + i * GROUP_BYTES, vreinterpretq_u8_u32(codes[i]));
            }
}

/* Sums of a strip's 16 rows with one query. */
typedef struct {
    int32x4_t v0, v1, v2, v3;
} sums_of_16;

/* A group's codes of 16 rows. */
typedef struct {
    int8x16_t v0, v1, v2, v3;
} rows_of_16;

EC_INLINE rows_of_16 load_rows(const uint8_t *group) {
    const rows_of_16 rows = {load_codes(group, 16, 0), load_codes(group + 16, 16, 0), load_codes(group + 32, 16, 0),
                             load_codes(group + 48, 16, 0)};
    return rows;
}

EC_INLINE sums_of_16 add_group(sums_of_16 sums, rows_of_16 rows, const uint8_t *codes) {
    const int8x16_t codes_i8x16 = vreinterpretq_s8_u32(vdupq_n_u32(ec_load_u32(codes)));
    sums.v0 = vdotq_s32(sums.v0, rows.v0, codes_i8x16);
    sums.v1 = vdotq_s32(sums.v1, rows.v1, codes_i8x16);
    sums.v2 = vdotq_s32(sums.v2, rows.v2, codes_i8x16);
    sums.v3 = vdotq_s32(sums.v3, rows.v3, codes_i8x16);
    return sums;
}

EC_INLINE void put(int32_t *scores, int64_t n_rows, sums_of_16 sums) {
    int32_t lanes[EC_STRIP];
    int32_t *out = n_rows < EC_STRIP ? lanes : scores;
    vst1q_s32(out, sums.v0);
    vst1q_s32(out + 4, sums.v1);
    vst1q_s32(out + 8, sums.v2);
    vst1q_s32(out + 12, sums.v3);
    if (n_rows < EC_STRIP) memcpy(scores, lanes, (size_t)n_rows * 4);
}

EC_INLINE void block(const int n_queries, const uint8_t *query, int64_t query_stride, const uint8_t *panel,
                     int64_t groups, int32_t *scores, int64_t scores_stride, int64_t n_rows) {
    const int32x4_t nothing = vdupq_n_s32(0);
    const sums_of_16 zero = {nothing, nothing, nothing, nothing};
    sums_of_16 q0 = zero, q1 = zero, q2 = zero, q3 = zero;
    for (int64_t g = 0; g < groups; g++, query += 4, panel += GROUP_BYTES) {
        const rows_of_16 rows = load_rows(panel);
        q0 = add_group(q0, rows, query);
        if (n_queries > 1) q1 = add_group(q1, rows, query + query_stride);
        if (n_queries > 2) q2 = add_group(q2, rows, query + 2 * query_stride);
        if (n_queries > 3) q3 = add_group(q3, rows, query + 3 * query_stride);
    }
    put(scores, n_rows, q0);
    if (n_queries > 1) put(scores + scores_stride, n_rows, q1);
    if (n_queries > 2) put(scores + 2 * scores_stride, n_rows, q2);
    if (n_queries > 3) put(scores + 3 * scores_stride, n_rows, q3);
}

static void dot_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes) {
    (void)ahead;
    (void)ahead_bytes;
    const int64_t groups = (dimension + 3) / 4, stride = query_bytes(dimension);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * stride;
    for (int64_t r = 0; r < n_rows; r += EC_STRIP) {
        const uint8_t *strip = (const uint8_t *)panel + r / EC_STRIP * groups * GROUP_BYTES;
        const int64_t n = ec_min_i64(n_rows - r, EC_STRIP);
        int64_t q = 0;
        for (; q + TILE_QUERIES <= n_queries; q += TILE_QUERIES)
            block(TILE_QUERIES, queries + q * stride, stride, strip, groups, scores + q * scores_stride + r,
                  scores_stride, n);
        for (; q < n_queries; q++)
            block(1, queries + q * stride, stride, strip, groups, scores + q * scores_stride + r, scores_stride, n);
    }
}

/* ---- plain rows ---- */

/* Sixteen products of four rows each, or as many as are left. */
EC_INLINE sums_of_16 add_rows(sums_of_16 sums, const uint8_t *const rows[4], const uint8_t *codes, int64_t d, int64_t left,
                              uint8_t flip) {
    const int8x16_t query = load_codes(codes + d, left, 0);
    sums.v0 = vdotq_s32(sums.v0, load_codes(rows[0] + d, left, flip), query);
    sums.v1 = vdotq_s32(sums.v1, load_codes(rows[1] + d, left, flip), query);
    sums.v2 = vdotq_s32(sums.v2, load_codes(rows[2] + d, left, flip), query);
    sums.v3 = vdotq_s32(sums.v3, load_codes(rows[3] + d, left, flip), query);
    return sums;
}

/* Four rows share the loads of the query; past the last row it is repeated, and not stored. */
static void dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *scores) {
    for (int64_t r = 0; r < n_rows; r += 4) {
        const uint8_t *four[4];
        for (int i = 0; i < 4; i++) four[i] = (const uint8_t *)rows + ec_min_i64(r + i, n_rows - 1) * stride_bytes;
        const int32x4_t nothing = vdupq_n_s32(0);
        sums_of_16 sums = {nothing, nothing, nothing, nothing};
        int64_t d = 0;
        for (; d + 16 <= dimension; d += 16) sums = add_rows(sums, four, query, d, 16, flip);
        if (d < dimension) sums = add_rows(sums, four, query, d, dimension - d, flip);
        const int32_t totals[4] = {vaddvq_s32(sums.v0), vaddvq_s32(sums.v1), vaddvq_s32(sums.v2), vaddvq_s32(sums.v3)};
        memcpy(scores + r, totals, (size_t)ec_min_i64(n_rows - r, 4) * 4);
    }
}

static void sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                   int32_t *sums) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        int32x4_t sums_i32x4 = vdupq_n_s32(0);
        for (int64_t d = 0; d < dimension; d += 16)
            sums_i32x4 = vdotq_s32(sums_i32x4, load_codes(row + d, dimension - d, flip), vdupq_n_s8(1));
        sums[r] = vaddvq_s32(sums_i32x4);
    }
}

static void sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        int32x4_t sums_i32x4 = vdupq_n_s32(0);
        for (int64_t d = 0; d < dimension; d += 16) {
            const int8x16_t codes_i8x16 = load_codes(row + d, dimension - d, flip);
            sums_i32x4 = vdotq_s32(sums_i32x4, codes_i8x16, codes_i8x16);
        }
        sums[r] = vaddvq_s32(sums_i32x4);
    }
}

EC_TARGET_END

void ec_dot_install_dotprod(ec_kernels *table) {
    table->dot_i8_pack = dot_i8_pack;
    table->dot_i8_prepare = dot_i8_prepare;
    table->dot_i8_tile = dot_i8_tile;
    table->dot_i8_rows = dot_i8_rows;
    table->sum_i8 = sum_i8;
    table->sumsq_i8 = sumsq_i8;
}
#endif
