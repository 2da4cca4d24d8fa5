/* One, two and four bits a dimension: the nearest of levels that are sums of one signed weight a bit.
 *
 *     level(c) = +-w0 +-w1 ..., the signs are the bits of pattern[c]; a row is its planes, one after the other:
 *     | bits 0 of all dimensions, in whole bytes | bits 1 | ...
 */
#include "../bits/bits.h"

#include <math.h>

enum { BLOCK = 64 };

/* The codes of up to BLOCK values: how many thresholds lie below each. */
static void count_below(const void *values, int64_t used, float factor, const float *thresholds, int32_t count,
                        uint8_t codes[BLOCK]) {
    float scaled[BLOCK];
    memset(scaled, 0, sizeof scaled);
    memset(codes, 0, BLOCK);
    for (int64_t i = 0; i < used; i++) scaled[i] = ec_load_f32_at(values, i) * factor;
    for (int32_t t = 0; t < count; t++)
        for (int i = 0; i < BLOCK; i++) codes[i] = (uint8_t)(codes[i] + (scaled[i] > thresholds[t]));
}

void ec_lowbit_encode_f32(const void *values, int64_t rows, int64_t dimension, int32_t bits, const void *thresholds,
                          const void *levels, const void *patterns, void *packed, void *scales, void *lengths) {
    int32_t n_levels = 1 << bits;
    int64_t width = (dimension + 7) / 8;
    float edge[15], level[16];
    const uint8_t *pattern = patterns;
    memcpy(edge, thresholds, (size_t)(n_levels - 1) * 4);
    memcpy(level, levels, (size_t)n_levels * 4);
    for (int64_t row = 0; row < rows; row++) {
        const char *x = (const char *)values + 4 * row * dimension;
        uint8_t *to = (uint8_t *)packed + row * bits * width;
        double square = 0, dot = 0;
        for (int64_t i = 0; i < dimension; i++) {
            double value = ec_load_f32_at(x, i);
            square += value * value;
        }
        float factor = square > 0 ? (float)sqrt((double)dimension / square) : 0;
        for (int64_t begin = 0; begin < dimension; begin += BLOCK) {
            int64_t used = dimension - begin < BLOCK ? dimension - begin : BLOCK;
            uint8_t codes[BLOCK];
            uint64_t planes[4] = {0, 0, 0, 0};
            count_below(x + 4 * begin, used, factor, edge, n_levels - 1, codes);
            for (int64_t i = 0; i < used; i++) {
                float chosen = level[codes[i]];
                dot += (double)ec_load_f32_at(x, begin + i) * chosen;
                for (int32_t b = 0; b < bits; b++)
                    planes[b] |= (uint64_t)(pattern[codes[i]] >> b & 1) << (i ^ 7); /* first dimension highest */
            }
            for (int32_t b = 0; b < bits; b++)
                for (int64_t i = 0; i < (used + 7) / 8; i++)
                    to[b * width + begin / 8 + i] = (uint8_t)(planes[b] >> 8 * i);
        }
        ec_store_f32_at(scales, row, (float)(dot > 0 ? square / dot : 0));
        ec_store_f32_at(lengths, row, (float)sqrt(square));
    }
}
