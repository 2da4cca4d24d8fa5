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

/* The same of a row that is flipped: zeros behind its end all the same. */
EC_INLINE int8x16_t load_flipped_16(const uint8_t *p, int64_t n, uint8_t flip) {
    const uint8x16_t flip_u8x16 = vdupq_n_u8(flip);
    if (EC_LIKELY(n >= 16)) return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), flip_u8x16));
    uint8_t bytes[16];
    memset(bytes, flip, 16);
    if (n > 0) memcpy(bytes, p, (size_t)n);
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(bytes), flip_u8x16));
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

/* Eight rows of 16 codes to eight vectors, vector i the codes 2 i and 2 i + 1 of each row. A round interleaves row i with
 * row i + 4: of a pair's address (row, column), six bits, it makes that address rotated by one; three rounds exchange both. */
EC_INLINE void transpose_u16x8(uint16x8_t v[8]) {
    for (int round = 0; round < 3; round++) {
        uint16x8_t mixed[8];
        for (int i = 0; i < 4; i++) {
            mixed[2 * i] = vzip1q_u16(v[i], v[i + 4]);
            mixed[2 * i + 1] = vzip2q_u16(v[i], v[i + 4]);
        }
        for (int i = 0; i < 8; i++) v[i] = mixed[i];
    }
}

static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    const int64_t n_pairs = (dimension + 1) / 2;
    for (int64_t first = 0; first < n_rows; first += EC_STRIP)
        for (int64_t d = 0; d < dimension; d += 16)
            for (int64_t r = first; r < first + EC_STRIP; r += 8) {
                uint16x8_t pairs[8];
                for (int i = 0; i < 8; i++) {
                    const uint8_t *row = (const uint8_t *)rows + (r + i < n_rows ? (r + i) * stride_bytes + d : 0);
                    pairs[i] = vreinterpretq_u16_s8(load_flipped_16(row, r + i < n_rows ? dimension - d : 0, flip));
                }
                transpose_u16x8(pairs);
                uint8_t *out = (uint8_t *)panel + (first * n_pairs + d / 2 * EC_STRIP + r - first) * 2;
                for (int i = 0; i < 8 && d / 2 + i < n_pairs; i++)
                    vst1q_u8(out + i * 2 * EC_STRIP, vreinterpretq_u8_u16(pairs[i]));
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

/* Sixteen products of four rows each, or as many as are left. */
EC_INLINE sums_of_16 add_rows(sums_of_16 sums, const uint8_t *const rows[4], const uint8_t *codes, int64_t d, int64_t left,
                              uint8_t flip) {
    const int8x16_t query = load_16(codes + d, left);
    const int8x16_t a = load_flipped_16(rows[0] + d, left, flip), b = load_flipped_16(rows[1] + d, left, flip);
    const int8x16_t c = load_flipped_16(rows[2] + d, left, flip), e = load_flipped_16(rows[3] + d, left, flip);
    sums.v0 = add_high(add_low(sums.v0, a, query), a, query);
    sums.v1 = add_high(add_low(sums.v1, b, query), b, query);
    sums.v2 = add_high(add_low(sums.v2, c, query), c, query);
    sums.v3 = add_high(add_low(sums.v3, e, query), e, query);
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
