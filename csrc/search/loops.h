/* The scan's slots as plain loops: the specification, and the code of all tiers that have nothing better. They are
 * inlined into the tiers' files, where the compiler makes vectors of that tier of them. Every operation is element-wise
 * and rounded by itself, so that all tiers give the same bits. */
#ifndef EC_SEARCH_LOOPS_H
#define EC_SEARCH_LOOPS_H

#include <math.h>

#include "../dot/dot.h"

/* The key of a float: an unsigned integer with the same order. Keys of NaN lie below those of -infinity or above those
 * of +infinity.
 *
 *     bits  0 eeeeeeee mmm...  ->  1 eeeeeeee mmm...    not negative: set the sign bit
 *     bits  1 eeeeeeee mmm...  ->  0 ~~~~~~~~ ~~~...    negative: invert all bits */
EC_INLINE uint32_t ec_key_f32(float cost) {
    uint32_t bits;
    memcpy(&bits, &cost, 4);
    return bits ^ ((uint32_t)((int32_t)bits >> 31) | 0x80000000u);
}

/* The inverse of ec_key_f32(). */
EC_INLINE float ec_cost_of_key(uint32_t key) {
    uint32_t bits = key ^ ((uint32_t)((int32_t)~key >> 31) | 0x80000000u);
    float cost;
    memcpy(&cost, &bits, 4);
    return cost;
}

/* 0x007fffff is the key of -infinity, 0xff800000 that of +infinity. */
EC_INLINE int ec_key_is_nan(uint32_t key) { return key < 0x007fffffu || key > 0xff800000u; }

/* An entry: the key of the cost in the upper 32 bits, the number of the row in the lower 32. */
EC_INLINE uint64_t ec_entry_f32(float cost, uint32_t row) { return (uint64_t)ec_key_f32(cost) << 32 | row; }

/* The same of an integer cost, which is not negative and so is its own key. */
EC_INLINE uint64_t ec_entry_i32(int32_t cost, uint32_t row) { return (uint64_t)(uint32_t)cost << 32 | row; }

/* Whether row i counts: bit i of the mask, or any row where there is no mask. */
EC_INLINE int ec_mask_bit(const uint8_t *mask, int64_t i) { return mask == NULL || (mask[i >> 3] >> (i & 7) & 1); }

/* ---- from scores to entries ---- */

/* From row i on, appends an entry for every row whose cost is below the limit and whose bit of the mask is set (NULL:
 * all rows count; bit 0 is the first row). Entries go to entries[count] on, in order of rows; returns the new count.
 * Costs are not negative. */
EC_INLINE int64_t ec_loop_filter_i32(const int32_t *costs, int64_t i, int64_t n, int64_t count, int32_t limit,
                                     uint32_t first_row, const uint8_t *mask, uint64_t *entries) {
    for (; i < n; i++)
        if (costs[i] < limit && ec_mask_bit(mask, i))
            entries[count++] = ec_entry_i32(costs[i], first_row + (uint32_t)i);
    return count;
}

/* The cost of row r, from its raw score. -0 becomes +0, so that both have one key, and NaN stays NaN. */
EC_INLINE float ec_cost(const ec_finish *f, float score, int64_t r) {
    float dot = (score + f->add[r]) * f->query_mul + f->query_bias;
    float cost = (dot * f->mul[r] + f->bias[r] * f->query_weight) + f->query_add;
    return cost < f->lowest ? f->lowest : cost;
}

/* The cost of row r under Jaccard, from the number of bits in which row and query differ. With |a| and |b| the bits set
 * in both, twice their union is |a| + |b| + differing; 0 where both are empty. */
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

/* Like ec_loop_filter_i32(), but turns each raw score into its cost first. A cost of NaN passes, so that the caller can
 * report its row; a limit of NaN lets every row pass. */
EC_INLINE int64_t ec_loop_sift(float (*cost_of)(const ec_finish *, const void *, int64_t), const ec_finish *f,
                               const void *scores, int64_t i, int64_t n, int64_t count, float limit, uint32_t first_row,
                               const uint8_t *mask, uint64_t *entries) {
    for (; i < n; i++) {
        float cost = cost_of(f, scores, i);
        if (!(cost >= limit) && ec_mask_bit(mask, i)) entries[count++] = ec_entry_f32(cost, first_row + (uint32_t)i);
    }
    return count;
}

/* ---- entries ---- */

/* Counts the entries that are not above the bound. */
EC_INLINE int64_t ec_loop_count(const uint64_t *entries, int64_t n, uint64_t bound) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += entries[i] <= bound;
    return count;
}

/* From entry i on, moves the entries that are not above the bound to entries[kept] on, keeping their order; returns the
 * new `kept`. */
EC_INLINE int64_t ec_loop_keep(uint64_t *entries, int64_t i, int64_t n, int64_t kept, uint64_t bound) {
    for (; i < n; i++) {
        uint64_t entry = entries[i];
        entries[kept] = entry; /* kept <= i: this entry has been read */
        kept += entry <= bound;
    }
    return kept;
}

/* The least entry of each of EC_ENTRY_GROUPS groups: group g is the entries g, g + EC_ENTRY_GROUPS, g + 2
 * EC_ENTRY_GROUPS and so on. Entries behind the last whole round are left out. n >= EC_ENTRY_GROUPS. */
EC_INLINE void ec_loop_minima(const uint64_t *entries, int64_t n, uint64_t *minima) {
    for (int g = 0; g < EC_ENTRY_GROUPS; g++) minima[g] = entries[g];
    for (int64_t i = EC_ENTRY_GROUPS; i + EC_ENTRY_GROUPS <= n; i += EC_ENTRY_GROUPS)
        for (int g = 0; g < EC_ENTRY_GROUPS; g++) minima[g] = entries[i + g] < minima[g] ? entries[i + g] : minima[g];
}

/* Sorts n <= EC_FEW_ENTRIES entries, by insertion. */
EC_INLINE void ec_loop_sort(const uint64_t *entries, int64_t n, uint64_t *sorted) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t entry = entries[i];
        int64_t j = i;
        for (; j > 0 && sorted[j - 1] > entry; j--) sorted[j] = sorted[j - 1];
        sorted[j] = entry;
    }
}

/* ---- rows ---- */

/* Decodes int8 codes, xored with `flip` first, to float32 (n_rows, width) without gaps. */
EC_INLINE void ec_loop_decode_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip,
                                 float *EC_RESTRICT out) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, out += width)
        for (int64_t d = 0; d < width; d++) out[d] = (float)(int8_t)(row[d] ^ flip);
}

/* Decodes bits to -1 and +1, float32 (n_rows, 8 * width) without gaps, the highest bit of a byte first. */
EC_INLINE void ec_loop_decode_u1(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                                 float *EC_RESTRICT out) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes)
        for (int64_t i = 0; i < width; i++, out += 8)
            for (int bit = 0; bit < 8; bit++) out[bit] = (float)((row[i] >> (7 - bit) & 1) * 2 - 1);
}

/* The squared lengths of rows of codes with a range a dimension, value = steps[d] * code + offsets[d] by a fused
 * multiply-add in float32. For speed the sums are float32 first: dimension d goes to partial sum d mod 16 by a fused
 * multiply-add, and after every EC_RANGES_RUN dimensions the sixteen partial sums are added to sixteen of double. So a
 * partial sum has EC_RANGES_RUN / 16 = 8 roundings, and the relative error is at most 8 * 2^-24 plus that of the
 * values. */
enum { EC_RANGES_RUN = 128 };

/* A power of two that scales all values below 2^50: squares of at most 2^100, 2^16 of them, do not overflow float32's
 * 2^128. A square vanishes only where it is negligible beside others, of values that are 2^100 times as large. */
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
    /* Of magnitudes with the largest biased exponent e: each is below 2^(e - 126), and a value, step * code + offset,
     * is below 129 times that, less than 2^(e - 118). The exponent that brings this to 2^50 is 168 - e, biased 295 - e;
     * 254 is the largest that there is. */
    const uint32_t exponent = most >> 23 < 41 ? 254 : 295 - (most >> 23), bits = exponent << 23;
    float factor;
    memcpy(&factor, &bits, 4);
    return factor;
}

/* The factor that takes squared lengths of scaled values back to those of the values. */
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

/* squares[r] = the sum of (step * (code + centre))^2 over the `width` codes of row r, from the sum of squares of its
 * codes and, where the centre is not 0, the sum of its codes. */
EC_INLINE void ec_loop_square_sums(const int32_t *sumsq, const int32_t *sums, int64_t n, int64_t width, double step,
                                   double centre, double *EC_RESTRICT squares) {
    const double factor = step * step, constant = centre * (double)width;
    if (centre == 0)
        for (int64_t r = 0; r < n; r++) squares[r] = sumsq[r] * factor;
    else
        for (int64_t r = 0; r < n; r++) squares[r] = (sumsq[r] + centre * (2.0 * sums[r] + constant)) * factor;
}

/* Lengths of rows whose cosine can be computed in float32. queries.c brings the largest magnitude of a query into 2^-9
 * .. 2^8. Such a query of 2^16 dimensions is no longer than 2^16, and 2^16 * 1e33 is a fifth of the largest float. It
 * is no shorter than 2^-9, and 2^-9 * 1e-33 is 2e-36, which is 100 times the least normal float, 1e-38. */
#define EC_LEAST_LENGTH 1e-33
#define EC_MOST_LENGTH 1e33

/* mul[r] = -1 / the length of row r, which makes a dot a cosine distance; 0 for a row of length 0, NaN where the length
 * is outside EC_LEAST_LENGTH .. EC_MOST_LENGTH. */
EC_INLINE void ec_loop_inverse_lengths(const double *squares, int64_t n, float *EC_RESTRICT mul) {
    for (int64_t r = 0; r < n; r++) {
        const double length = sqrt(squares[r]), inverse = -1 / length;
        const double other = length == 0 ? 0 : NAN;
        mul[r] = (float)(length >= EC_LEAST_LENGTH && length <= EC_MOST_LENGTH ? inverse : other);
    }
}

/* The terms of rows for squared distances, |q|^2 - 2 q . x + |x|^2 with x = scales[r] times the row: mul[r] is what the
 * dot is multiplied by, bias[r] is |x|^2. */
EC_INLINE void ec_loop_l2_terms(const float *scales, const double *squares, int64_t n, float *EC_RESTRICT mul,
                                float *EC_RESTRICT bias) {
    for (int64_t r = 0; r < n; r++) {
        mul[r] = -2 * scales[r];
        bias[r] = (float)((double)scales[r] * scales[r] * squares[r]);
    }
}

#endif
