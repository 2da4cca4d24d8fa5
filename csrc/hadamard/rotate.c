/* A random rotation of any dimension: in each round signs, then a Hadamard transform of the first or, in odd rounds, the
 * last power of two dimensions. A round's factors hold the signs, times 1 / sqrt(power) where the transform reaches. */
#include "hadamard.h"

static void multiply(void *values, const void *factors, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        ec_store_f32_at(values, i, ec_load_f32_at(values, i) * ec_load_f32_at(factors, i));
}

void ec_rotate_f32(void *values, int64_t rows, int64_t dimension, const void *factors, int32_t rounds,
                   int32_t inverse) {
    if (dimension < 1) return;
    int64_t power = 1;
    while (2 * power <= dimension) power *= 2;
    for (int64_t row = 0; row < rows; row++) {
        char *x = (char *)values + 4 * row * dimension;
        for (int32_t i = 0; i < rounds; i++) {
            int32_t round = inverse ? rounds - 1 - i : i;
            const char *round_factors = (const char *)factors + 4 * round * dimension;
            char *block = x + (round % 2 ? 4 * (dimension - power) : 0);
            if (!inverse) multiply(x, round_factors, dimension);
            ec_active.hadamard_f32(block, power);
            if (inverse) multiply(x, round_factors, dimension);
        }
    }
}
