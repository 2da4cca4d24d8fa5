/* Shared by the tiers that make the tables of dot_u1: their scale, how entries are rounded, and how they end. */
#ifndef EC_TABLES_H
#define EC_TABLES_H

#include <float.h>
#include <math.h>

#include "../bits/bits.h"
#include "../dot_u1/dot_u1.h"

/* The scale of a query's tables, of which *scale is the least, and its inverse, from the bits of the largest sum of four
 * magnitudes. Returns 0 where that sum is not finite. */
EC_INLINE int ec_table_scale(uint32_t largest_bits, float *scale, float *inverse) {
    float largest;
    if (largest_bits > 0x7f7fffffu) return 0;
    memcpy(&largest, &largest_bits, 4);
    if (largest / 127 > *scale) *scale = largest / 127;
    *inverse = *scale > 0 ? 1 / *scale : 0;
    if (!(*inverse <= FLT_MAX)) *scale = *inverse = 0; /* too small to be inverted: all entries are 0 */
    return 1;
}

/* The nearest integer, ties to even, for |x| <= 2^22. */
EC_INLINE int32_t ec_nearest(float x) {
    const float shifter = 0x1.8p23f; /* adding it leaves no bits for a fraction */
    float shifted = x + shifter;
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    return (bits & 0x7fffff) - 0x400000;
}

/* The tables of the byte that is missing behind a row of odd width: each entry is the bias, which stands for 0. */
EC_INLINE void ec_tables_tail(int64_t width, uint8_t *tables) {
    if (width % 2) memset(tables + width * 32, 128, 32);
}

#endif
