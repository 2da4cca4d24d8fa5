/* Shared by the dot tiers: sizes of the scratch, the exact fused multiply-add, the specification's constants.
 *
 * One block of corpus rows is packed once and met by every query of the batch while it sits in the cache:
 *
 *     rows (plain, row-major)  --pack-->     panel (rows interleaved so that a lane is a row)  \
 *                                                                                               tile --> scores
 *     queries (plain)          --prepare-->  prepared (padded, with corrections)               /
 *
 * The forms of panel and prepared are each tier's own; only their largest sizes are common. */
#ifndef EC_DOT_H
#define EC_DOT_H

#include "../contract/scratch.h"
#include "../kernels.h"

EC_INLINE int64_t ec_round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

EC_INLINE int64_t ec_min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

EC_INLINE int64_t ec_max_i64(int64_t a, int64_t b) { return a < b ? b : a; }

/* Whether the public functions take such sizes. */
EC_INLINE int ec_dot_valid(int64_t n_queries, int64_t n_rows, int64_t dimension) {
    return n_queries >= 0 && n_rows >= 0 && dimension >= 1 && dimension <= EC_DOT_MAX_DIMENSION;
}

/* Most queries that dot_i8_few and dot_f32_few take. */
enum { EC_DOT_FEW = 64 };

/* float32 dots: dimension d goes to partial sum d mod 16 (see dot_f32 in scalar.c). Tiers that lay a dimension's rows
 * side by side take the dimensions class by class, a class being those of one partial sum; class c has
 * ec_class_size() of them and, in that order, starts at ec_class_start(). */
enum { EC_CLASSES = 16 };

EC_INLINE int64_t ec_class_size(int64_t dimension, int64_t c) { return (dimension - c + EC_CLASSES - 1) / EC_CLASSES; }

EC_INLINE int64_t ec_class_start(int64_t dimension, int64_t c) {
    return c * (dimension / EC_CLASSES) + ec_min_i64(c, dimension % EC_CLASSES);
}

/* a * b + c rounded once, also without the instruction.
 *
 * The product of two float32 is exact in double, their sum with c is rounded, and so is the result: rounding twice goes
 * wrong only where the first rounding lands on the middle between two float32. There (below: or among subnormals, whose
 * middles lie elsewhere) the sum is rounded to odd instead, its last bit set where it is inexact, which keeps enough of
 * what was lost for the last rounding to be the correct one: 53 >= 2 * 24 + 2. */
EC_INLINE float ec_fma_f32(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
    return __builtin_fmaf(a, b, c);
#else
    const double product = (double)a * b, addend = c;
    double sum = product + addend;
    uint64_t bits;
    memcpy(&bits, &sum, 8);
    if (EC_UNLIKELY((bits & 0x1fffffff) == 0x10000000 || (sum < 0x1p-126 && sum > -0x1p-126))) {
        const double part = sum - product;
        const double error = (product - (sum - part)) + (addend - part); /* exact: Knuth's two-sum */
        if (error != 0 && (bits & 1) == 0) bits = (error > 0) == (sum > 0) ? bits + 1 : bits - 1;
        memcpy(&sum, &bits, 8);
    }
    return (float)sum;
#endif
}

/* Sixteen partial sums to one, in the order that halving a vector register gives. */
EC_INLINE double ec_halve_f64x16(double *partial) {
    for (int width = 8; width >= 1; width /= 2)
        for (int i = 0; i < width; i++) partial[i] += partial[i + width];
    return partial[0];
}

/* Lays the slots of by_rows.c. */
void ec_dot_by_rows(ec_kernels *table);

#endif
