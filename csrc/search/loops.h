/* The slots of the scan as plain loops, which every compiler turns into vectors of the tier that calls them: the
 * operations are element-wise and each is rounded by itself, so that all tiers give the same bits. */
#ifndef EC_SEARCH_LOOPS_H
#define EC_SEARCH_LOOPS_H

#include "../dot/dot.h"

/* costs[r] of one query from its raw scores; -0 becomes +0, NaN stays. */
EC_INLINE float ec_cost(const ec_finish *f, float score, int64_t r) {
    float dot = (score + f->add[r]) * f->query_mul + f->query_bias;
    float cost = (dot * f->mul[r] + f->bias[r]) + f->query_add;
    return cost < f->lowest ? f->lowest : cost;
}

EC_INLINE float ec_cost_jaccard(const ec_finish *f, float differing, int64_t r) {
    float twice_union = (f->add[r] + f->query_bias) + differing;
    return (differing + differing) / (twice_union > 0 ? twice_union : 1.0f);
}

EC_INLINE void ec_loop_finish_i32(const ec_finish *f, const int32_t *scores, int64_t n, float *EC_RESTRICT costs) {
    if (f->jaccard)
        for (int64_t r = 0; r < n; r++) costs[r] = ec_cost_jaccard(f, (float)scores[r], r);
    else
        for (int64_t r = 0; r < n; r++) costs[r] = ec_cost(f, (float)scores[r], r);
}

EC_INLINE void ec_loop_finish_f32(const ec_finish *f, const float *scores, int64_t n, float *EC_RESTRICT costs) {
    for (int64_t r = 0; r < n; r++) costs[r] = ec_cost(f, scores[r], r);
}

/* Codes to float32, (n_rows, width) without gaps. */
EC_INLINE void ec_loop_decode_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip,
                                 float *EC_RESTRICT out) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, out += width)
        for (int64_t d = 0; d < width; d++) out[d] = (float)(int8_t)(row[d] ^ flip);
}

/* Bits to -1 and +1, (n_rows, 8 * width) without gaps, highest bit first. */
EC_INLINE void ec_loop_decode_u1(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                                 float *EC_RESTRICT out) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes)
        for (int64_t i = 0; i < width; i++, out += 8)
            for (int bit = 0; bit < 8; bit++) out[bit] = (float)((row[i] >> (7 - bit) & 1) * 2 - 1);
}

/* squares[r] = sum of (steps[d] * code + offsets[d])^2: values in float32, squares exact in double, sixteen partial
 * sums, dimension d into partial d mod 16. */
EC_INLINE void ec_loop_square_ranges(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                                     uint8_t flip, const float *steps, const float *offsets, double *squares) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes) {
        double partial[16] = {0};
        int64_t d = 0;
        for (; d + 16 <= width; d += 16)
            for (int lane = 0; lane < 16; lane++) {
                float v = steps[d + lane] * (float)(int8_t)(row[d + lane] ^ flip) + offsets[d + lane];
                partial[lane] += (double)v * v;
            }
        for (int lane = 0; d + lane < width; lane++) {
            float v = steps[d + lane] * (float)(int8_t)(row[d + lane] ^ flip) + offsets[d + lane];
            partial[lane] += (double)v * v;
        }
        squares[r] = ec_halve_f64x16(partial);
    }
}

/* ---- entries ---- */

/* A float as an integer of the same order, NaN outside the keys of numbers. */
EC_INLINE uint32_t ec_key_f32(float cost) {
    uint32_t bits;
    memcpy(&bits, &cost, 4);
    return bits ^ ((uint32_t)((int32_t)bits >> 31) | 0x80000000u);
}

EC_INLINE float ec_cost_of_key(uint32_t key) {
    uint32_t bits = key ^ ((uint32_t)((int32_t)~key >> 31) | 0x80000000u);
    float cost;
    memcpy(&cost, &bits, 4);
    return cost;
}

EC_INLINE int ec_key_is_nan(uint32_t key) { return key < 0x007fffffu || key > 0xff800000u; }

EC_INLINE uint64_t ec_entry_f32(float cost, uint32_t row) { return (uint64_t)ec_key_f32(cost) << 32 | row; }

EC_INLINE uint64_t ec_entry_i32(int32_t cost, uint32_t row) { return (uint64_t)(uint32_t)cost << 32 | row; }

EC_INLINE int ec_mask_bit(const uint8_t *mask, int64_t i) { return mask == NULL || (mask[i >> 3] >> (i & 7) & 1); }

#endif
