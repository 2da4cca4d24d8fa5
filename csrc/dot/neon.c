/* Dots and sums for AArch64 with what every such CPU has: int8 by widening products (vmull_s8) whose pairs are added in
 * 32 bits (vpadalq_s16; two products of -128 * -128 fit before that), float32 by fused multiply-adds (vfmaq). */
#include "strips.h"

#if defined(EC_AARCH64)

enum { TILE_QUERIES = 4 };

/* ---- int8 ---- */

/* Sixteen bytes, or as many as there are and zeros. */
EC_INLINE int8x16_t load_16(const uint8_t *p, int64_t n) {
    if (n >= 16) return vreinterpretq_s8_u8(vld1q_u8(p));
    uint8_t bytes[16];
    ec_copy_16(bytes, p, n);
    return vreinterpretq_s8_u8(vld1q_u8(bytes));
}

EC_INLINE int8x16_t load_flipped_16(const uint8_t *p, int64_t n, uint8_t flip) {
    return veorq_s8(load_16(p, n), vreinterpretq_s8_u8(vdupq_n_u8(flip)));
}

/* sums += pairs of products: lane i takes bytes 2 i and 2 i + 1 of the lower halves, then lane i those of the upper. */
EC_INLINE int32x4_t add_low(int32x4_t sums, int8x16_t a, int8x16_t b) {
    return vpadalq_s16(sums, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
}

EC_INLINE int32x4_t add_high(int32x4_t sums, int8x16_t a, int8x16_t b) { return vpadalq_s16(sums, vmull_high_s8(a, b)); }

/* A prepared query: its codes, an even number of them | gap. */
EC_INLINE int64_t query_bytes(int64_t dimension) { return ec_round_up(dimension, 64) + 64; }

static void dot_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    for (int64_t q = 0; q < n_queries; q++) {
        uint8_t *out = (uint8_t *)prepared + q * query_bytes(dimension);
        memcpy(out, (const uint8_t *)queries + q * dimension, (size_t)dimension);
        out[dimension] = 0;
    }
}

static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    uint8_t *out = panel;
    for (int64_t first = 0; first < n_rows; first += EC_STRIP)
        for (int64_t d = 0; d < dimension; d += 2)
            for (int64_t r = first; r < first + EC_STRIP; r++) {
                const uint8_t *row = (const uint8_t *)rows + (r < n_rows ? r * stride_bytes : 0);
                *out++ = r < n_rows ? row[d] ^ flip : 0;
                *out++ = r < n_rows && d + 1 < dimension ? row[d + 1] ^ flip : 0;
            }
}

/* Sums of a strip's 16 rows with one query. */
typedef struct {
    int32x4_t v0, v1, v2, v3;
} sums_of_16;

EC_INLINE sums_of_16 add_pair(sums_of_16 sums, int8x16_t low_rows, int8x16_t high_rows, const uint8_t *pair) {
    int16_t both;
    memcpy(&both, pair, 2);
    const int8x16_t codes = vreinterpretq_s8_s16(vdupq_n_s16(both));
    sums.v0 = add_low(sums.v0, low_rows, codes);
    sums.v1 = add_high(sums.v1, low_rows, codes);
    sums.v2 = add_low(sums.v2, high_rows, codes);
    sums.v3 = add_high(sums.v3, high_rows, codes);
    return sums;
}

EC_INLINE void put_i32(int32_t *scores, int64_t n_rows, sums_of_16 sums) {
    int32_t lanes[EC_STRIP];
    int32_t *out = n_rows < EC_STRIP ? lanes : scores;
    vst1q_s32(out, sums.v0);
    vst1q_s32(out + 4, sums.v1);
    vst1q_s32(out + 8, sums.v2);
    vst1q_s32(out + 12, sums.v3);
    if (n_rows < EC_STRIP) memcpy(scores, lanes, (size_t)n_rows * 4);
}

EC_INLINE void block_i8(const int n_queries, const uint8_t *query, int64_t query_stride, const uint8_t *panel,
                        int64_t n_pairs, int32_t *scores, int64_t scores_stride, int64_t n_rows) {
    const int32x4_t nothing = vdupq_n_s32(0);
    const sums_of_16 zero = {nothing, nothing, nothing, nothing};
    sums_of_16 q0 = zero, q1 = zero, q2 = zero, q3 = zero;
    for (int64_t p = 0; p < n_pairs; p++, query += 2, panel += 2 * EC_STRIP) {
        const int8x16_t low_rows = load_16(panel, 16), high_rows = load_16(panel + 16, 16);
        q0 = add_pair(q0, low_rows, high_rows, query);
        if (n_queries > 1) q1 = add_pair(q1, low_rows, high_rows, query + query_stride);
        if (n_queries > 2) q2 = add_pair(q2, low_rows, high_rows, query + 2 * query_stride);
        if (n_queries > 3) q3 = add_pair(q3, low_rows, high_rows, query + 3 * query_stride);
    }
    put_i32(scores, n_rows, q0);
    if (n_queries > 1) put_i32(scores + scores_stride, n_rows, q1);
    if (n_queries > 2) put_i32(scores + 2 * scores_stride, n_rows, q2);
    if (n_queries > 3) put_i32(scores + 3 * scores_stride, n_rows, q3);
}

static void dot_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes) {
    (void)ahead;
    (void)ahead_bytes;
    const int64_t n_pairs = (dimension + 1) / 2, stride = query_bytes(dimension);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * stride;
    for (int64_t r = 0; r < n_rows; r += EC_STRIP) {
        const uint8_t *strip = (const uint8_t *)panel + r * n_pairs * 2;
        const int64_t n = ec_min_i64(n_rows - r, EC_STRIP);
        int64_t q = 0;
        for (; q + TILE_QUERIES <= n_queries; q += TILE_QUERIES)
            block_i8(TILE_QUERIES, queries + q * stride, stride, strip, n_pairs, scores + q * scores_stride + r,
                     scores_stride, n);
        for (; q < n_queries; q++)
            block_i8(1, queries + q * stride, stride, strip, n_pairs, scores + q * scores_stride + r, scores_stride, n);
    }
}

static void dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *scores) {
    const uint8_t *codes = query;
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        int32x4_t low_i32x4 = vdupq_n_s32(0), high_i32x4 = low_i32x4;
        for (int64_t d = 0; d < dimension; d += 16) {
            const int8x16_t a = load_flipped_16(row + d, dimension - d, flip), b = load_16(codes + d, dimension - d);
            low_i32x4 = add_low(low_i32x4, a, b);
            high_i32x4 = add_high(high_i32x4, a, b);
        }
        scores[r] = vaddvq_s32(vaddq_s32(low_i32x4, high_i32x4));
    }
}

static void sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                   int32_t *sums) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        int32x4_t sums_i32x4 = vdupq_n_s32(0);
        int64_t d = 0;
        for (; d + 16 <= dimension; d += 16)
            sums_i32x4 = vpadalq_s16(sums_i32x4, vpaddlq_s8(load_flipped_16(row + d, 16, flip)));
        int32_t sum = vaddvq_s32(sums_i32x4);
        for (; d < dimension; d++) sum += (int8_t)(row[d] ^ flip);
        sums[r] = sum;
    }
}

static void sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        int32x4_t sums_i32x4 = vdupq_n_s32(0);
        int64_t d = 0;
        for (; d + 16 <= dimension; d += 16) {
            const int8x16_t codes = load_flipped_16(row + d, 16, flip);
            sums_i32x4 = add_high(add_low(sums_i32x4, codes, codes), codes, codes);
        }
        int32_t sum = vaddvq_s32(sums_i32x4);
        for (; d < dimension; d++) {
            const int32_t code = (int8_t)(row[d] ^ flip);
            sum += code * code;
        }
        sums[r] = sum;
    }
}

void ec_dot_install_neon(ec_kernels *table) {
    table->dot_i8_pack = dot_i8_pack;
    table->dot_i8_prepare = dot_i8_prepare;
    table->dot_i8_tile = dot_i8_tile;
    table->dot_i8_rows = dot_i8_rows;
    table->sum_i8 = sum_i8;
    table->sumsq_i8 = sumsq_i8;
    ec_dot_f32_install_neon(table);
}
#endif
