/* One, two and four bits a dimension: the nearest of levels that are sums of one signed weight a bit.
 *
 *     level(c) = +-w0 +-w1 ..., the signs are the bits of pattern[c]; a row is its planes, one after the other:
 *     | bits 0 of all dimensions, in whole bytes | bits 1 | ...
 */
#include "../bits/bits.h"

#include <math.h>

enum { BLOCK = 64, SUMS = 8 };

typedef struct {
    int32_t bits, n_levels;
    float edges[15], levels[16];
    uint8_t patterns[16];
} levels_of_bits;

/* Up to BLOCK values, the rest zero. */
static void load_block(const char *values, int64_t used, float x[BLOCK]) {
    if (used < BLOCK) memset(x, 0, BLOCK * sizeof *x);
    memcpy(x, values, (size_t)used * sizeof *x);
}

/* Sums in SUMS strands, so that additions need not wait for each other. */
static double total(const double sums[SUMS]) {
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

static double square_of(const char *values, int64_t count) {
    double sums[SUMS] = {0};
    float x[BLOCK];
    for (int64_t begin = 0; begin < count; begin += BLOCK) {
        load_block(values + 4 * begin, count - begin < BLOCK ? count - begin : BLOCK, x);
        for (int i = 0; i < BLOCK; i += SUMS)
            for (int j = 0; j < SUMS; j++) sums[j] += (double)x[i + j] * x[i + j];
    }
    return total(sums);
}

/* How many thresholds lie below each value. */
static void count_below(const levels_of_bits *to, const float x[BLOCK], float factor, int32_t codes[BLOCK]) {
    float scaled[BLOCK];
    memset(codes, 0, BLOCK * sizeof *codes);
    for (int i = 0; i < BLOCK; i++) scaled[i] = x[i] * factor;
    for (int32_t t = 0; t < to->n_levels - 1; t++)
        for (int i = 0; i < BLOCK; i++) codes[i] += scaled[i] > to->edges[t];
}

/* Bit b of eight bytes, the first byte's highest: the product brings byte i's to bit 56 + 7 - i. */
static uint8_t gather_bits(uint64_t eight, int32_t b) {
    return (uint8_t)(((eight >> b & 0x0101010101010101u) * 0x8040201008040201u) >> 56);
}

/* Code one block into its places of all planes; add x . level to the sums. */
static void encode_block(const levels_of_bits *to, const float x[BLOCK], int64_t used, float factor, double sums[SUMS],
                         uint8_t *packed, int64_t width) {
    int32_t codes[BLOCK];
    uint8_t patterns[BLOCK];
    count_below(to, x, factor, codes);
    for (int i = 0; i < BLOCK; i += SUMS)
        for (int j = 0; j < SUMS; j++) sums[j] += (double)x[i + j] * to->levels[codes[i + j]];
    for (int i = 0; i < BLOCK; i++) patterns[i] = to->patterns[codes[i]];
    for (int64_t i = used; i < BLOCK; i++) patterns[i] = 0;
    for (int64_t i = 0; i < used; i += 8) {
        uint64_t eight = 0; /* the first dimension in the lowest byte, whatever the machine's order */
        for (int j = 0; j < 8; j++) eight |= (uint64_t)patterns[i + j] << 8 * j;
        for (int32_t b = 0; b < to->bits; b++) packed[b * width + i / 8] = gather_bits(eight, b);
    }
}

void ec_lowbit_encode_f32(const void *values, int64_t rows, int64_t dimension, int32_t bits, const void *thresholds,
                          const void *levels, const void *patterns, void *packed, void *scales, void *lengths) {
    int64_t width = (dimension + 7) / 8;
    levels_of_bits to = {bits, 1 << bits, {0}, {0}, {0}};
    memcpy(to.edges, thresholds, (size_t)(to.n_levels - 1) * sizeof *to.edges);
    memcpy(to.levels, levels, (size_t)to.n_levels * sizeof *to.levels);
    memcpy(to.patterns, patterns, (size_t)to.n_levels);
    for (int64_t row = 0; row < rows; row++) {
        const char *from = (const char *)values + 4 * row * dimension;
        uint8_t *into = (uint8_t *)packed + row * bits * width;
        double square = square_of(from, dimension), sums[SUMS] = {0};
        float factor = square > 0 ? (float)sqrt((double)dimension / square) : 0, x[BLOCK];
        for (int64_t begin = 0; begin < dimension; begin += BLOCK) {
            int64_t used = dimension - begin < BLOCK ? dimension - begin : BLOCK;
            load_block(from + 4 * begin, used, x);
            encode_block(&to, x, used, factor, sums, into + begin / 8, width);
        }
        double dot = total(sums);
        ec_store_f32_at(scales, row, (float)(dot > 0 ? square / dot : 0));
        ec_store_f32_at(lengths, row, (float)sqrt(square));
    }
}
