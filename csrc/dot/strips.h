/* Panels of AVX2 and NEON: strips of 16 rows, with a dimension (or a pair of dimensions) of all 16 rows side by side,
 * so that a lane is a row.
 *
 *     int8, pairs of dimensions     d0 d1 of r0 | d0 d1 of r1 | ... | d0 d1 of r15 | d2 d3 of r0 | ...
 *     float32, class by class       d0 of r0 | d0 of r1 | ... | d0 of r15 | d16 of r0 | ...
 *
 * The last strip is filled up with rows of zeros, and an odd dimension with a zero. */
#ifndef EC_DOT_STRIPS_H
#define EC_DOT_STRIPS_H

#include "dot.h"

enum { EC_STRIP = 16 };

/* Copies up to 16 bytes; the rest of `out` becomes zeros. */
EC_INLINE void ec_copy_16(uint8_t out[16], const uint8_t *p, int64_t n) {
    memset(out, 0, 16);
    memcpy(out, p, (size_t)(n < 16 ? n : 16));
}

/* A prepared int8 query: its codes as int16, an even number | a gap, so that queries do not meet in the same cache
 * sets. */
EC_INLINE int64_t ec_wide_query_bytes(int64_t dimension) { return ec_round_up(2 * dimension, 64) + 64; }

EC_INLINE void ec_widen_queries(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    for (int64_t q = 0; q < n_queries; q++) {
        const int8_t *query = (const int8_t *)queries + q * dimension;
        int16_t *out = (int16_t *)((uint8_t *)prepared + q * ec_wide_query_bytes(dimension));
        for (int64_t d = 0; d < dimension; d++) out[d] = query[d];
        if (dimension % 2) out[dimension] = 0;
    }
}

/* A prepared float32 query: its values class by class | a gap, as above. */
EC_INLINE int64_t ec_classed_query_bytes(int64_t dimension) { return ec_round_up(4 * dimension, 64) + 64; }

EC_INLINE void ec_class_queries(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    for (int64_t q = 0; q < n_queries; q++) {
        const uint8_t *query = (const uint8_t *)queries + q * dimension * 4;
        uint8_t *out = (uint8_t *)prepared + q * ec_classed_query_bytes(dimension);
        for (int64_t c = 0; c < EC_CLASSES; c++)
            for (int64_t d = c; d < dimension; d += EC_CLASSES, out += 4) memcpy(out, query + d * 4, 4);
    }
}

/* Adds up sixteen partial sums in the order of the specification, dot_f32 in scalar.c. */
EC_INLINE float ec_add_classes(const float partial[EC_CLASSES]) {
    float sum = 0;
    for (int c = 0; c < EC_CLASSES; c++) sum += partial[c];
    return sum;
}

#endif
