/* The slots of the scan as plain loops, which every compiler turns into vectors of the tier that calls them: the
 * operations are element-wise and each is rounded by itself, so that all tiers give the same bits. */
#ifndef EC_SEARCH_LOOPS_H
#define EC_SEARCH_LOOPS_H

#include <math.h>

#include "../dot/dot.h"

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

/* ---- from scores to entries ---- */

/* Append an entry for every cost below the limit whose row the mask (NULL: all; bit 0 is the first row) has, in order of
 * rows, from row i on; return how many there are. Costs are not negative. */
EC_INLINE int64_t ec_loop_filter_i32(const int32_t *costs, int64_t i, int64_t n, int64_t count, int32_t limit,
                                     uint32_t first_row, const uint8_t *mask, uint64_t *entries) {
    for (; i < n; i++)
        if (costs[i] < limit && ec_mask_bit(mask, i))
            entries[count++] = ec_entry_i32(costs[i], first_row + (uint32_t)i);
    return count;
}

/* The cost of row r from its raw score; -0 becomes +0, NaN stays. */
EC_INLINE float ec_cost(const ec_finish *f, float score, int64_t r) {
    float dot = (score + f->add[r]) * f->query_mul + f->query_bias;
    float cost = (dot * f->mul[r] + f->bias[r] * f->query_weight) + f->query_add;
    return cost < f->lowest ? f->lowest : cost;
}

EC_INLINE float ec_cost_jaccard(const ec_finish *f, float differing, int64_t r) {
    float twice_union = (f->add[r] + f->query_bias) + differing;
    return (differing + differing) / (twice_union > 0 ? twice_union : 1.0f);
}

EC_INLINE float ec_cost_i32(const ec_finish *f, const void *scores, int64_t r) {
    float score = (float)((const int32_t *)scores)[r];
    return f->jaccard ? ec_cost_jaccard(f, score, r) : ec_cost(f, score, r);
}

EC_INLINE float ec_cost_f32(const ec_finish *f, const void *scores, int64_t r) {
    return ec_cost(f, ((const float *)scores)[r], r);
}

/* As ec_loop_filter_i32, of what cost_of makes of the scores. NaN passes, so that the caller sees it; a limit of NaN lets
 * everything pass. */
EC_INLINE int64_t ec_loop_sift(float (*cost_of)(const ec_finish *, const void *, int64_t), const ec_finish *f,
                               const void *scores, int64_t i, int64_t n, int64_t count, float limit, uint32_t first_row,
                               const uint8_t *mask, uint64_t *entries) {
    for (; i < n; i++) {
        float cost = cost_of(f, scores, i);
        if (!(cost >= limit) && ec_mask_bit(mask, i)) entries[count++] = ec_entry_f32(cost, first_row + (uint32_t)i);
    }
    return count;
}

/* ---- few of many entries ---- */

/* How many are not above the bound. */
EC_INLINE int64_t ec_loop_count(const uint64_t *entries, int64_t n, uint64_t bound) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += entries[i] <= bound;
    return count;
}

/* Move those that are not above the bound to the front, in the order they are in, from entry i on; return how many they
 * are. */
EC_INLINE int64_t ec_loop_keep(uint64_t *entries, int64_t i, int64_t n, int64_t kept, uint64_t bound) {
    for (; i < n; i++) {
        uint64_t entry = entries[i];
        entries[kept] = entry; /* kept <= i: written over what was read */
        kept += entry <= bound;
    }
    return kept;
}

/* The least of each of EC_ENTRY_GROUPS groups: of the entries i, i + EC_ENTRY_GROUPS, ... As many of n as groups. */
EC_INLINE void ec_loop_minima(const uint64_t *entries, int64_t n, uint64_t *minima) {
    for (int g = 0; g < EC_ENTRY_GROUPS; g++) minima[g] = entries[g];
    for (int64_t i = EC_ENTRY_GROUPS; i + EC_ENTRY_GROUPS <= n; i += EC_ENTRY_GROUPS)
        for (int g = 0; g < EC_ENTRY_GROUPS; g++) minima[g] = entries[i + g] < minima[g] ? entries[i + g] : minima[g];
}

/* Insertion sort of a few. */
EC_INLINE void ec_loop_sort(const uint64_t *entries, int64_t n, uint64_t *sorted) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t entry = entries[i];
        int64_t j = i;
        for (; j > 0 && sorted[j - 1] > entry; j--) sorted[j] = sorted[j - 1];
        sorted[j] = entry;
    }
}

/* ---- rows ---- */

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

/* Squared lengths of rows with a range a dimension: value = steps[d] * code + offsets[d], fused, in float32. Sixteen
 * float32 partial sums, dimension d into partial d mod 16 by a fused multiply-add, which go on into sixteen of double
 * after every EC_RANGES_RUN dimensions. So the relative error is at most 8 * 2^-24, and that of the values. */
enum { EC_RANGES_RUN = 128 };

/* A power of two that brings all values below 2^50, so that of values of any size squares overflow never, and vanish only
 * beside others that are 2^100 times as large. */
EC_INLINE float ec_ranges_factor(const float *steps, const float *offsets, int64_t width) {
    uint32_t most = 0;
    for (int64_t d = 0; d < width; d++) {
        uint32_t step, offset;
        memcpy(&step, steps + d, 4);
        memcpy(&offset, offsets + d, 4);
        step &= 0x7fffffffu;
        offset &= 0x7fffffffu;
        most = step > most ? step : most;
        most = offset > most ? offset : most;
    }
    /* with biased exponent e: magnitudes below 2^(e - 126), values below 129 times that */
    const uint32_t exponent = most >> 23 < 41 ? 254 : 295 - (most >> 23), bits = exponent << 23;
    float factor;
    memcpy(&factor, &bits, 4);
    return factor;
}

/* What squares of values are multiplied by to undo it. */
EC_INLINE double ec_ranges_undo(float factor) { return 1.0 / factor * (1.0 / factor); }

EC_INLINE void ec_loop_square_ranges(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                                     uint8_t flip, const float *steps, const float *offsets, double *squares) {
    const float factor = ec_ranges_factor(steps, offsets, width);
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes) {
        double partial[16] = {0};
        for (int64_t from = 0; from < width; from += EC_RANGES_RUN) {
            float run[16] = {0};
            for (int64_t d = from; d < ec_min_i64(from + EC_RANGES_RUN, width); d += 16)
                for (int64_t lane = 0; lane < ec_min_i64(16, width - d); lane++) {
                    const float code = (float)(int8_t)(row[d + lane] ^ flip);
                    const float value = ec_fma_f32(steps[d + lane] * factor, code, offsets[d + lane] * factor);
                    run[lane] = ec_fma_f32(value, value, run[lane]);
                }
            for (int lane = 0; lane < 16; lane++) partial[lane] += run[lane];
        }
        squares[r] = ec_halve_f64x16(partial) * ec_ranges_undo(factor);
    }
}

/* squares[r] = sum of (step * (code + centre))^2 over a row's `width` codes, from their sums of squares and, where the
 * centre is not 0, their sums. */
EC_INLINE void ec_loop_square_sums(const int32_t *sumsq, const int32_t *sums, int64_t n, int64_t width, double step,
                                   double centre, double *EC_RESTRICT squares) {
    const double factor = step * step, constant = centre * (double)width;
    if (centre == 0)
        for (int64_t r = 0; r < n; r++) squares[r] = sumsq[r] * factor;
    else
        for (int64_t r = 0; r < n; r++) squares[r] = (sumsq[r] + centre * (2.0 * sums[r] + constant)) * factor;
}

/* Lengths of rows of which a cosine can be had in float32: products with queries whose largest magnitude is within
 * 2^-9 .. 2^8 neither overflow nor vanish. Such a query of 2^16 dimensions is no longer than 2^16, and 2^16 * 1e33 is a
 * fifth of the largest float; it is no shorter than 2^-9, and 2^-9 * 1e-33 is 2e-36, of which the least normal float,
 * 1e-38, is a hundredth part. */
#define EC_LEAST_LENGTH 1e-33
#define EC_MOST_LENGTH 1e33

/* mul[r] = -1 / length of row r, 0 for one of no length, NaN for one of which no cosine can be had. */
EC_INLINE void ec_loop_inverse_lengths(const double *squares, int64_t n, float *EC_RESTRICT mul) {
    for (int64_t r = 0; r < n; r++) {
        const double length = sqrt(squares[r]), inverse = -1 / length;
        const double other = length == 0 ? 0 : NAN;
        mul[r] = (float)(length >= EC_LEAST_LENGTH && length <= EC_MOST_LENGTH ? inverse : other);
    }
}

/* What rows that are scaled by scales[r] contribute to a squared distance: mul[r] times the dot, and bias[r]. */
EC_INLINE void ec_loop_l2_terms(const float *scales, const double *squares, int64_t n, float *EC_RESTRICT mul,
                                float *EC_RESTRICT bias) {
    for (int64_t r = 0; r < n; r++) {
        mul[r] = -2 * scales[r];
        bias[r] = (float)((double)scales[r] * scales[r] * squares[r]);
    }
}

#endif
