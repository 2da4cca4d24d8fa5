/* The tables by which a float query meets rows of bits, in plain C: the specification of the slot.
 *
 * query: 8 * width floats in the order of the bits. tables: for every nibble of a row, the high nibble of a byte first,
 * sixteen bytes: 128 + the sum of +-v over its four dimensions, in units of the scale. Bit 3 of an entry's number
 * stands for the first dimension, and a set bit for plus. Returns 0, and writes no tables, where the query is not
 * finite. */
#include "tables.h"

/* The bits of |v0| + |v1| + |v2| + |v3|. Bits of floats that are not negative are ordered as the floats are, with NaN
 * above all. */
static uint32_t magnitude_bits(const float *v) {
    float m[4], sum;
    uint32_t bits[4];
    memcpy(bits, v, 16);
    for (int i = 0; i < 4; i++) bits[i] &= 0x7fffffffu;
    memcpy(m, bits, 16);
    sum = (m[0] + m[1]) + (m[2] + m[3]);
    memcpy(bits, &sum, 4);
    return bits[0] & 0x7fffffffu;
}

static int32_t dot_u1_tables(const void *query, int64_t width, void *tables, float *scale) {
    const uint8_t *floats = query;
    uint8_t *out = tables;
    uint32_t largest = 0;
    float v[4], inverse;
    for (int64_t p = 0; p < 2 * width; p++) {
        memcpy(v, floats + p * 16, 16);
        uint32_t bits = magnitude_bits(v);
        if (bits > largest) largest = bits;
    }
    if (!ec_table_scale(largest, scale, &inverse)) return 0;
    for (int64_t p = 0; p < 2 * width; p++) {
        memcpy(v, floats + p * 16, 16);
        for (int n = 0; n < 16; n++) {
            float s0 = n & 8 ? v[0] : -v[0], s1 = n & 4 ? v[1] : -v[1], s2 = n & 2 ? v[2] : -v[2],
                  s3 = n & 1 ? v[3] : -v[3];
            int32_t rounded = ec_nearest(((s0 + s1) + (s2 + s3)) * inverse);
            *out++ = (uint8_t)((rounded > 127 ? 127 : rounded < -127 ? -127 : rounded) + 128);
        }
    }
    ec_tables_tail(width, tables);
    return 1;
}

EC_SLOTS(tables, scalar) { table->dot_u1_tables = dot_u1_tables; }

EC_INSTALL(tables, EC_SCALAR(tables) EC_AVX2(tables) EC_AVX512(tables) EC_NEON(tables))
