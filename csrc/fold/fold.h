/* Turns float queries into int8 codes for rows of codes (search/queries.c): plain loops, compiled for every tier.
 * Operations are element-wise, each rounded by itself, and a sum has sixteen parts, so that all tiers give the same
 * bits. */
#ifndef EC_FOLD_H
#define EC_FOLD_H

#include "../bits/bits.h"
#include "../dot/dot.h"

/* folded[d] = values[d] * steps[d], or * step where steps is NULL. Returns the bits of the largest magnitude; they are
 * ordered as magnitudes are, with Infinity and NaN above all. */
EC_INLINE uint32_t ec_loop_fold(const void *values, int64_t dimension, const float *steps, float step,
                                float *EC_RESTRICT folded) {
    uint32_t largest = 0;
    for (int64_t d = 0; d < dimension; d++) {
        uint32_t bits;
        float product = ec_load_f32_at(values, d) * (steps ? steps[d] : step);
        memcpy(&bits, &product, 4);
        bits &= 0x7fffffffu;
        largest = bits > largest ? bits : largest;
        folded[d] = product;
    }
    return largest;
}

/* The sum of values[d] * weights[d], where weights NULL stands for ones. The products are exact in double; dimension d
 * goes to partial sum d mod 16. */
EC_INLINE double ec_loop_weigh(const void *values, int64_t dimension, const float *weights) {
    double partial[16] = {0};
    int64_t d = 0;
    for (; d + 16 <= dimension; d += 16)
        for (int i = 0; i < 16; i++)
            partial[i] += weights ? (double)ec_load_f32_at(values, d + i) * weights[d + i]
                                  : (double)ec_load_f32_at(values, d + i);
    for (int i = 0; d + i < dimension; i++)
        partial[i] +=
            weights ? (double)ec_load_f32_at(values, d + i) * weights[d + i] : (double)ec_load_f32_at(values, d + i);
    return ec_halve_f64x16(partial);
}

/* codes[d] = folded[d] * inverse, rounded to the nearest integer, ties to even. Adding 1.5 * 2^52 leaves no bits for a
 * fraction, so that the low byte of the sum is the code. */
EC_INLINE void ec_loop_round(const float *EC_RESTRICT folded, int64_t dimension, double inverse,
                             int8_t *EC_RESTRICT codes) {
    const double shifter = 0x1.8p52;
    for (int64_t d = 0; d < dimension; d++) {
        double shifted = (double)folded[d] * inverse + shifter;
        uint64_t bits;
        memcpy(&bits, &shifted, 8);
        codes[d] = (int8_t)(uint8_t)bits;
    }
}

#endif
