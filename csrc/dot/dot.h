/* Shared by the tiers of dense dots: the specification's order of summation, an exact fused multiply-add, small verbs.
 *
 * A search packs a block of corpus rows once, and every query of the batch meets it while it is in the cache:
 *
 *     rows (plain, row-major)  --pack-->     panel (rows interleaved so that a lane is a row)  \
 *                                                                                               tile --> scores
 *     queries (plain)          --prepare-->  prepared (padded, with corrections)               /
 *
 * Each tier has forms of its own for panel and prepared queries; only their largest sizes are common to all. */
#ifndef EC_DOT_H
#define EC_DOT_H

#include "../contract/scratch.h"
#include "../kernels.h"

EC_INLINE int64_t ec_round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

EC_INLINE int64_t ec_min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

EC_INLINE int64_t ec_max_i64(int64_t a, int64_t b) { return a < b ? b : a; }

/* Asks for n_bytes bytes from `at` on to be brought into the second-level cache. */
EC_INLINE void ec_prefetch(const void *at, int64_t n_bytes) {
#if defined(__GNUC__) || defined(__clang__)
    for (int64_t i = 0; i < n_bytes; i += 64) __builtin_prefetch((const char *)at + i, 0, 2);
#elif defined(EC_X86_64)
    for (int64_t i = 0; i < n_bytes; i += 64) _mm_prefetch((const char *)at + i, _MM_HINT_T1);
#else
    (void)at;
    (void)n_bytes;
#endif
}

/* Asks for memory a share a call, so that neither memory nor arithmetic waits: a core has some tens of reads under way,
 * and whoever asks for more stands still. */
typedef struct {
    const char *next, *end;
    int64_t share;
} ec_ahead;

EC_INLINE ec_ahead ec_ahead_of(const void *ahead, int64_t n_bytes, int64_t n_calls) {
    ec_ahead a = {ahead, (const char *)ahead + n_bytes, ec_round_up(n_bytes / ec_max_i64(n_calls, 1) + 1, 64)};
    return a;
}

EC_INLINE void ec_ahead_step(ec_ahead *a) {
    const char *end = a->end - a->next > a->share ? a->next + a->share : a->end;
    ec_prefetch(a->next, end - a->next);
    a->next = end;
}

/* The same by the step, within the loops of a kernel: those who ask for many lines at once are not heard, or wait. The
 * number of lines a step is constant, so that no branch is mispredicted; some lines are asked for twice. */
typedef struct {
    const char *next;
    int64_t bytes, lines;
} ec_drip;

EC_INLINE ec_drip ec_drip_of(const void *ahead, int64_t n_bytes, int64_t n_steps) {
    const int64_t bytes = (n_bytes + n_steps - 1) / ec_max_i64(n_steps, 1);
    const ec_drip drip = {ahead, bytes, (bytes + 63) / 64};
    return drip;
}

EC_INLINE void ec_drip_step(ec_drip *drip) {
    for (int64_t i = 0; i < drip->lines; i++) ec_prefetch(drip->next + i * 64, 1);
    drip->next += drip->bytes;
}

/* Whether the public functions accept such sizes. */
EC_INLINE int ec_dot_valid(int64_t n_queries, int64_t n_rows, int64_t dimension) {
    return n_queries >= 0 && n_rows >= 0 && dimension >= 1 && dimension <= EC_DOT_MAX_DIMENSION;
}

/* The most queries that dot_i8_few and dot_f32_few take. */
enum { EC_DOT_FEW = 64 };

/* Rows of less than this many codes are short: see most_few_short_i8. */
enum { EC_DOT_SHORT = 512 };

/* The largest code of a query of few levels: see rough_i8_tile. */
enum { EC_ROUGH = 32 };

/* The classes of dimensions of a float32 dot: dimension d belongs to class d mod 16, and each class has its own partial
 * sum (see dot_f32 in scalar.c). Tiles, where a lane is a row, take the dimensions class by class. In that order class
 * c has ec_class_size() dimensions, from position ec_class_start() on. */
enum { EC_CLASSES = 16 };

EC_INLINE int64_t ec_class_size(int64_t dimension, int64_t c) { return (dimension - c + EC_CLASSES - 1) / EC_CLASSES; }

EC_INLINE int64_t ec_class_start(int64_t dimension, int64_t c) {
    return c * (dimension / EC_CLASSES) + ec_min_i64(c, dimension % EC_CLASSES);
}

/* a * b + c, rounded once, with or without the instruction.
 *
 * The product of two float32 is exact in double. Rounding its sum with c to double, and that to float32, gives the
 * wrong result only where the first rounding ends on the middle between two float32. There (and below: among
 * subnormals, whose middles lie elsewhere) the sum is rounded to odd instead: its last bit is set where it is inexact.
 * That keeps enough of what was lost for the second rounding to be right, because 53 >= 2 * 24 + 2. */
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

/* Adds up sixteen partial sums in the order in which a vector register is halved: 8 and 8, 4 and 4, 2 and 2, 1 and
 * 1. */
EC_INLINE double ec_halve_f64x16(double *partial) {
    for (int width = 8; width >= 1; width /= 2)
        for (int i = 0; i < width; i++) partial[i] += partial[i + width];
    return partial[0];
}

/* Lays the slots of by_rows.c into the table. */
void ec_dot_by_rows(ec_kernels *table);

#endif
